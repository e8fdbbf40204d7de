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

fn is_compound(clause: &Node) -> bool {
    matches!(clause, Node::Bool(_))
}

/// Needed clauses that are themselves only of needed and excluded clauses are taken apart.
fn inline_required(node: &mut BoolNode) {
    if !node.must.iter().chain(&node.filter).any(is_compound) {
        return;
    }
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
    if !node.should.iter().any(is_compound) {
        return;
    }
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

/// Whether two clauses are the same term.
fn are_equal_terms(a: &Node, b: &Node) -> bool {
    match (a, b) {
        (Node::Term(a), Node::Term(b)) => {
            a.field.path == b.field.path && a.term == b.term && a.doc_freq == b.doc_freq
        }
        _ => false,
    }
}

/// The same term twice is the term once, with the sum of the boosts.
fn merge_equal_terms(nodes: &mut Vec<Node>) {
    let is_new = |(number, node)| {
        let mut before = nodes[..number].iter();
        !before.any(|known| are_equal_terms(known, node))
    };
    if nodes.iter().enumerate().all(is_new) {
        return;
    }
    let mut merged: Vec<Node> = Vec::with_capacity(nodes.len());
    // boosts are added in double precision and rounded once
    let mut boosts: Vec<f64> = Vec::with_capacity(nodes.len());
    for node in std::mem::take(nodes) {
        let boost = match &node {
            Node::Term(term) => f64::from(term.boost),
            _ => 0.0,
        };
        let mut known = merged.iter().zip(&mut boosts);
        match known.find(|(known, _)| are_equal_terms(known, &node)) {
            Some((_, sum)) => *sum += boost,
            None => {
                boosts.push(boost);
                merged.push(node);
            }
        }
    }
    for (node, boost) in merged.iter_mut().zip(boosts) {
        if let Node::Term(term) = node {
            term.boost = boost as f32;
        }
    }
    *nodes = merged;
}
