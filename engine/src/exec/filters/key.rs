//! What tells planned filters apart: every part that decides which documents they find, in bytes.

use std::ops::Bound;

use crate::exec::TermAutomaton;
use crate::exec::node::{BoolNode, DocsNode, Node, TermNode};
use crate::geo::GeoArea;
use crate::query::{PlaceRule, RangeRelation};

/// Uses after which a filter is kept that walks over many terms or numbers.
const COSTLY: u32 = 2;
/// After which one made of others is kept: sooner than these, so that not both are.
const COMPOUND: u32 = 4;
/// After which others are kept.
const OTHER: u32 = 5;

/// Appends what describes a filter; answers after how many uses it is worth keeping, or `None`: never, or it cannot be told
/// from others. What was appended then means nothing.
pub(super) fn describe(node: &Node, key: &mut Vec<u8>) -> Option<u32> {
    let uses = match node {
        Node::Constant { docs, .. } => uses_of(docs)?,
        Node::Bool(_) | Node::BestOf { .. } => COMPOUND,
        Node::Phrase(_) | Node::Synonyms(_) | Node::Combined(_) => OTHER,
        Node::Lowered { positive, .. } => return describe(positive, key),
        // its lower bound of scores depends on other segments
        Node::Functions(node) if node.min_score.is_none() => return describe(&node.query, key),
        Node::Nothing
        | Node::All { .. }
        | Node::Term(_)
        | Node::EnoughOf { .. }
        | Node::Functions(_) => return None,
    };
    Writer(key).node(node).then_some(uses)
}

fn uses_of(docs: &DocsNode) -> Option<u32> {
    Some(match docs {
        DocsNode::Terms { terms, .. } if terms.len() < 2 => return None,
        DocsNode::Terms { .. }
        | DocsNode::TermRange { .. }
        | DocsNode::Accepted { .. }
        | DocsNode::Numbers { .. }
        | DocsNode::NumberSet { .. }
        | DocsNode::Ranges { .. }
        | DocsNode::Places { .. }
        | DocsNode::Ids(_) => COSTLY,
        DocsNode::Exists { .. } => OTHER,
        // they are marked inside
        DocsNode::Kept(_) | DocsNode::Matches(_) => return None,
    })
}

/// Writes parts one after the other, each so that nothing else begins with the same bytes. `false`: cannot be described.
struct Writer<'a>(&'a mut Vec<u8>);

impl Writer<'_> {
    fn tag(&mut self, tag: u8) {
        self.0.push(tag);
    }

    fn number(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn bound(&mut self, bound: &Bound<Vec<u8>>) {
        match bound {
            Bound::Included(bytes) => {
                self.tag(0);
                self.bytes(bytes);
            }
            Bound::Excluded(bytes) => {
                self.tag(1);
                self.bytes(bytes);
            }
            Bound::Unbounded => self.tag(2),
        }
    }

    fn term(&mut self, term: &TermNode) {
        self.bytes(term.field.path.as_bytes());
        self.bytes(&term.term);
    }

    fn nodes(&mut self, nodes: &[Node]) -> bool {
        self.number(nodes.len() as u64);
        nodes.iter().all(|node| self.node(node))
    }

    fn node(&mut self, node: &Node) -> bool {
        match node {
            Node::Nothing => self.tag(0),
            Node::All { .. } => self.tag(1),
            Node::Term(term) => {
                self.tag(2);
                self.term(term);
            }
            Node::Synonyms(synonyms) => {
                self.tag(3);
                self.number(synonyms.terms.len() as u64);
                synonyms.terms.iter().for_each(|term| self.term(term));
            }
            Node::Phrase(phrase) => {
                self.tag(4);
                self.number(u64::from(phrase.slop));
                self.number(phrase.slots.len() as u64);
                for slot in &phrase.slots {
                    self.number(u64::from(slot.position));
                    self.number(slot.terms.len() as u64);
                    slot.terms.iter().for_each(|term| self.term(term));
                }
            }
            Node::Constant { docs, .. } => return self.docs(docs),
            Node::Bool(node) => return self.bool(node),
            Node::BestOf { nodes, .. } => {
                self.tag(5);
                return self.nodes(nodes);
            }
            Node::Lowered { positive, .. } => return self.node(positive),
            Node::Combined(combined) => {
                self.tag(6);
                self.number(combined.terms.len() as u64);
                combined.terms.iter().for_each(|(term, _)| self.term(term));
            }
            Node::Functions(node) if node.min_score.is_none() => return self.node(&node.query),
            Node::EnoughOf { .. } | Node::Functions(_) => return false,
        }
        true
    }

    fn bool(&mut self, node: &BoolNode) -> bool {
        self.tag(7);
        self.number(node.needed as u64);
        self.nodes(&node.must)
            && self.nodes(&node.filter)
            && self.nodes(&node.should)
            && self.nodes(&node.must_not)
    }

    fn docs(&mut self, docs: &DocsNode) -> bool {
        match docs {
            DocsNode::Terms {
                field,
                terms,
                indexed,
            } => {
                self.tag(16 + u8::from(*indexed));
                self.bytes(field.as_bytes());
                self.number(terms.len() as u64);
                terms.iter().for_each(|term| self.bytes(term));
            }
            DocsNode::TermRange {
                field,
                lower,
                upper,
                indexed,
            } => {
                self.tag(18 + u8::from(*indexed));
                self.bytes(field.as_bytes());
                self.bound(lower);
                self.bound(upper);
            }
            DocsNode::Accepted {
                field,
                automaton,
                indexed,
            } => {
                self.tag(20 + u8::from(*indexed));
                self.bytes(field.as_bytes());
                return self.automaton(automaton);
            }
            DocsNode::Numbers { field, lo, hi } => {
                self.tag(22);
                self.bytes(field.as_bytes());
                self.number(*lo as u64);
                self.number(*hi as u64);
            }
            DocsNode::NumberSet { field, numbers } => {
                self.tag(23);
                self.bytes(field.as_bytes());
                self.number(numbers.len() as u64);
                numbers
                    .iter()
                    .for_each(|number| self.number(*number as u64));
            }
            DocsNode::Ranges {
                field,
                low,
                high,
                relation,
                indexed,
            } => {
                self.tag(24 + u8::from(*indexed));
                self.tag(match relation {
                    RangeRelation::Intersects => 0,
                    RangeRelation::Contains => 1,
                    RangeRelation::Within => 2,
                });
                self.bytes(field.as_bytes());
                self.bytes(low);
                self.bytes(high);
            }
            DocsNode::Places { field, area, rule } => {
                self.tag(26);
                self.bytes(field.as_bytes());
                self.area(area);
                self.tag(match rule {
                    PlaceRule::Any => 0,
                    PlaceRule::All => 1,
                    PlaceRule::None => 2,
                });
            }
            DocsNode::Exists { field } => {
                self.tag(27);
                self.bytes(field.as_bytes());
            }
            DocsNode::Ids(ids) => {
                self.tag(28);
                self.number(ids.len() as u64);
                ids.iter().for_each(|id| self.bytes(id.as_bytes()));
            }
            DocsNode::Matches(node) => return self.node(node),
            DocsNode::Kept(filter) => self.0.extend_from_slice(filter.key.bytes()),
        }
        true
    }

    fn automaton(&mut self, automaton: &TermAutomaton) -> bool {
        match automaton {
            TermAutomaton::Prefix(prefix) => {
                self.tag(0);
                self.bytes(prefix);
            }
            TermAutomaton::Pattern(matcher) => {
                self.tag(1);
                self.bytes(matcher.describe().as_bytes());
            }
            TermAutomaton::Fuzzy(_) => return false,
        }
        true
    }

    fn area(&mut self, area: &GeoArea) {
        match area {
            GeoArea::Box { lat, lon } => {
                self.tag(0);
                for step in [lat.0, lat.1, lon.0, lon.1] {
                    self.number(step as u64);
                }
            }
            GeoArea::Circle {
                centre,
                radius,
                plane,
            } => {
                self.tag(1 + u8::from(*plane));
                for number in [centre.lat, centre.lon, *radius] {
                    self.number(number.to_bits());
                }
            }
        }
    }
}
