//! Plans of queries made of queries.

use super::Planner;
use super::simplify::simplify;
use crate::exec::node::{BoolNode, DocsNode, Node};
use crate::query::{BoolQuery, BoostingQuery, ConstantScoreQuery, DisMaxQuery, Query};
use crate::search::SearchError;

impl Planner<'_> {
    pub(super) fn bool(&mut self, query: &BoolQuery, boost: f32) -> Result<Node, SearchError> {
        let clauses =
            query.must.len() + query.filter.len() + query.should.len() + query.must_not.len();
        self.check_clauses(clauses)?;
        if clauses == 0 {
            return Ok(Node::All { boost });
        }
        let has_required = !query.must.is_empty() || !query.filter.is_empty();
        let needed = match &query.minimum_should_match {
            Some(rule) => rule.needed_of(query.should.len()),
            None => 0,
        };
        let mut node = BoolNode {
            must: self.nodes(&query.must, boost)?,
            filter: self.nodes(&query.filter, boost)?,
            should: match !self.scored && has_required && needed == 0 {
                true => self.idle_nodes(&query.should, boost)?,
                false => self.nodes(&query.should, boost)?,
            },
            must_not: self.nodes(&query.must_not, boost)?,
            needed,
        };
        if !has_required && query.should.is_empty() {
            if !query.adjust_pure_negative {
                return Ok(Node::Nothing);
            }
            node.filter.push(Node::All { boost });
        } else if !has_required && node.needed == 0 {
            node.needed = 1;
        }
        Ok(simplify(node))
    }

    /// Refuses more clauses in one query than are allowed.
    pub(super) fn check_clauses(&self, clauses: usize) -> Result<(), SearchError> {
        if clauses > self.context.max_clause_count {
            return Err(SearchError::refused(
                "too_many_clauses",
                format!("maxClauseCount is set to {}", self.context.max_clause_count),
            ));
        }
        Ok(())
    }

    /// Plans clauses of which nothing is wanted but that they are no mistakes.
    fn idle_nodes(&mut self, queries: &[Query], boost: f32) -> Result<Vec<Node>, SearchError> {
        let before = std::mem::replace(&mut self.idle, true);
        let planned = self.nodes(queries, boost);
        self.idle = before;
        planned.map(|_| Vec::new())
    }

    fn nodes(&mut self, queries: &[Query], boost: f32) -> Result<Vec<Node>, SearchError> {
        let mut nodes = Vec::with_capacity(queries.len());
        for query in queries {
            nodes.push(self.node(query, boost)?);
        }
        Ok(nodes)
    }

    pub(super) fn constant_score(
        &mut self,
        query: &ConstantScoreQuery,
        boost: f32,
    ) -> Result<Node, SearchError> {
        Ok(match self.node(&query.filter, 1.0)? {
            Node::Nothing => Node::Nothing,
            Node::All { .. } => Node::All { boost },
            Node::Constant { docs, .. } => Node::constant(docs, boost),
            other => Node::constant(DocsNode::Matches(Box::new(other)), boost),
        })
    }

    pub(super) fn dis_max(&mut self, query: &DisMaxQuery, boost: f32) -> Result<Node, SearchError> {
        self.check_clauses(query.queries.len())?;
        let nodes = self.nodes(&query.queries, boost)?;
        Ok(best_of(nodes, query.tie_breaker))
    }

    pub(super) fn boosting(
        &mut self,
        query: &BoostingQuery,
        boost: f32,
    ) -> Result<Node, SearchError> {
        let positive = self.node(&query.positive, 1.0)?;
        let negative = self.node(&query.negative, 1.0)?;
        if positive.is_nothing() {
            return Ok(Node::Nothing);
        }
        Ok(Node::Lowered {
            positive: Box::new(positive),
            negative: Box::new(negative),
            factor: query.negative_boost,
            boost,
        })
    }
}

/// The best of some clauses.
pub(super) fn best_of(mut nodes: Vec<Node>, tie_breaker: f32) -> Node {
    nodes.retain(|node| !node.is_nothing());
    match nodes.len() {
        0 => Node::Nothing,
        1 => nodes.pop().unwrap_or(Node::Nothing),
        // the whole of the others: the sum
        _ if tie_breaker == 1.0 => simplify(BoolNode {
            should: nodes,
            needed: 1,
            ..BoolNode::default()
        }),
        _ => Node::BestOf { nodes, tie_breaker },
    }
}
