//! Simplifies combined clauses the way Lucene does, so that sums are rounded at the same places.

use crate::exec::node::{BoolNode, DocsNode, Node};

/// The simplest plan of the same documents and scores.
pub(super) fn simplify(mut node: BoolNode) -> Node {
    if node.must.iter().chain(&node.filter).any(Node::is_nothing) {
        return Node::Nothing;
    }
    if node.should.len() < node.needed {
        return Node::Nothing;
    }
    if node.must_not.iter().any(|n| matches!(n, Node::All { .. })) {
        return Node::Nothing;
    }
    node.should.retain(|clause| !clause.is_nothing());
    node.must_not.retain(|clause| !clause.is_nothing());
    if node.should.len() < node.needed {
        return Node::Nothing;
    }
    inline_required(&mut node);
    if node.needed <= 1 {
        flatten_optional(&mut node);
        merge_equal_terms(&mut node.should);
    }
    merge_equal_terms(&mut node.must);
    // a filter of everything filters nothing once something else is needed
    if !node.must.is_empty() || node.filter.len() > 1 {
        let all = |clause: &Node| matches!(clause, Node::All { .. });
        if !node.must.is_empty() || node.filter.iter().any(|clause| !all(clause)) {
            node.filter.retain(|clause| !all(clause));
        }
    }
    let optional_only = node.must.is_empty() && node.filter.is_empty();
    if optional_only && node.should.is_empty() {
        return Node::Nothing;
    }
    if !node.must_not.is_empty() {
        return Node::Bool(node);
    }
    if optional_only && node.should.len() == 1 {
        return node.should.pop().unwrap_or(Node::Nothing);
    }
    if node.must.len() == 1 && node.filter.is_empty() && node.should.is_empty() {
        return node.must.pop().unwrap_or(Node::Nothing);
    }
    if node.must.is_empty() && node.should.is_empty() && node.filter.len() == 1 {
        return match node.filter.pop() {
            Some(Node::All { .. }) => Node::All { boost: 0.0 },
            Some(Node::Constant { docs, .. }) => Node::constant(docs, 0.0),
            Some(other) => Node::constant(DocsNode::Matches(Box::new(other)), 0.0),
            None => Node::Nothing,
        };
    }
    Node::Bool(node)
}

/// Needed clauses that are themselves only of needed and excluded clauses are taken apart.
fn inline_required(node: &mut BoolNode) {
    let mut must = Vec::with_capacity(node.must.len());
    for clause in std::mem::take(&mut node.must) {
        match clause {
            Node::Bool(inner) if inner.should.is_empty() && inner.needed == 0 => {
                must.extend(inner.must);
                node.filter.extend(inner.filter);
                node.must_not.extend(inner.must_not);
            }
            other => must.push(other),
        }
    }
    node.must = must;
    let mut filter = Vec::with_capacity(node.filter.len());
    for clause in std::mem::take(&mut node.filter) {
        match clause {
            Node::Bool(inner) if inner.should.is_empty() && inner.needed == 0 => {
                filter.extend(inner.must);
                filter.extend(inner.filter);
                node.must_not.extend(inner.must_not);
            }
            other => filter.push(other),
        }
    }
    node.filter = filter;
}

/// Optional clauses that are themselves only of optional clauses, one of which is enough, are taken apart.
fn flatten_optional(node: &mut BoolNode) {
    let mut should = Vec::with_capacity(node.should.len());
    for clause in std::mem::take(&mut node.should) {
        match clause {
            Node::Bool(inner)
                if inner.must.is_empty()
                    && inner.filter.is_empty()
                    && inner.must_not.is_empty()
                    && inner.needed <= 1 =>
            {
                should.extend(inner.should);
            }
            other => should.push(other),
        }
    }
    node.should = should;
}

/// The same term twice is the term once, with the sum of the boosts.
fn merge_equal_terms(nodes: &mut Vec<Node>) {
    let mut merged: Vec<Node> = Vec::with_capacity(nodes.len());
    // boosts are added in double precision and rounded once
    let mut boosts: Vec<f64> = Vec::with_capacity(nodes.len());
    'clauses: for node in std::mem::take(nodes) {
        if let Node::Term(term) = &node {
            for (known, boost) in merged.iter().zip(&mut boosts) {
                if let Node::Term(known) = known
                    && known.field.path == term.field.path
                    && known.term == term.term
                    && known.doc_freq == term.doc_freq
                {
                    *boost += f64::from(term.boost);
                    continue 'clauses;
                }
            }
            boosts.push(f64::from(term.boost));
        } else {
            boosts.push(0.0);
        }
        merged.push(node);
    }
    for (node, boost) in merged.iter_mut().zip(boosts) {
        if let Node::Term(term) = node {
            term.boost = boost as f32;
        }
    }
    *nodes = merged;
}
