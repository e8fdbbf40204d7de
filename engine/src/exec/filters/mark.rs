//! Finds the filters in a planned query that are worth keeping once they are used often.

use super::key::describe;
use crate::exec::node::{BoolNode, DocsNode, KeptFilter, Node};
use crate::segment::{FilterKey, ShardFilters};

/// Marks all such filters. With `filters` each is remembered as used once.
pub(in crate::exec) fn mark(node: &mut Node, filters: Option<&ShardFilters>) {
    Marker { filters }.scored(node);
}

struct Marker<'a> {
    filters: Option<&'a ShardFilters>,
}

impl Marker<'_> {
    /// A clause whose scores count: filters may be in it.
    fn scored(&self, node: &mut Node) {
        match node {
            Node::Constant { .. } => self.filter(node),
            Node::Bool(BoolNode {
                must,
                filter,
                should,
                must_not,
                ..
            }) => {
                must.iter_mut().for_each(|clause| self.scored(clause));
                should.iter_mut().for_each(|clause| self.scored(clause));
                filter.iter_mut().for_each(|clause| self.filter(clause));
                must_not.iter_mut().for_each(|clause| self.filter(clause));
            }
            Node::BestOf { nodes, .. } | Node::EnoughOf { nodes, .. } => {
                nodes.iter_mut().for_each(|clause| self.scored(clause));
            }
            Node::Lowered {
                positive, negative, ..
            } => {
                self.scored(positive);
                self.filter(negative);
            }
            Node::Functions(node) => {
                self.scored(&mut node.query);
                for function in &mut node.functions {
                    if let Some(filter) = &mut function.filter {
                        self.filter(filter);
                    }
                }
            }
            Node::Nothing
            | Node::All { .. }
            | Node::Term(_)
            | Node::Synonyms(_)
            | Node::Phrase(_)
            | Node::Combined(_) => {}
        }
    }

    /// A clause that only decides, and those in it.
    fn filter(&self, node: &mut Node) {
        match node {
            Node::Bool(BoolNode {
                must,
                filter,
                should,
                must_not,
                ..
            }) => {
                for clauses in [must, filter, should, must_not] {
                    clauses.iter_mut().for_each(|clause| self.filter(clause));
                }
            }
            Node::BestOf { nodes, .. } => nodes.iter_mut().for_each(|clause| self.filter(clause)),
            Node::Constant {
                docs: DocsNode::Matches(inner),
                ..
            } => return self.filter(inner),
            _ => {}
        }
        let mut key = Vec::new();
        let Some(uses_min) = describe(node, &mut key) else {
            return;
        };
        let key = FilterKey::new(&key);
        if let Some(filters) = self.filters {
            filters.use_one(&key);
        }
        let boost = match node {
            Node::Constant { boost, .. } => *boost,
            _ => 0.0,
        };
        let kept = KeptFilter {
            key,
            uses_min,
            node: std::mem::replace(node, Node::Nothing),
        };
        *node = Node::constant(DocsNode::Kept(Box::new(kept)), boost);
    }
}
