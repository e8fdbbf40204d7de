//! What of a text a query finds: terms, patterns of terms, phrases.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;

use hashbrown::HashMap;

use crate::exec::{DocsNode, Node, TermAutomaton};

/// A token of a shown text.
#[derive(Clone, Debug)]
pub(super) struct ShownToken {
    /// Its term.
    pub term: String,
    /// Position over all values.
    pub position: u32,
    /// First UTF-16 unit over all values.
    pub start: usize,
    /// End, likewise.
    pub end: usize,
}

/// A token that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Place among the tokens.
    pub token: usize,
    /// What found it: tokens found by the same term or pattern have the same number.
    pub by: usize,
}

/// All leaves of a plan that can be seen in a text.
#[derive(Debug, Default)]
pub(super) struct Leaves {
    terms: Vec<(Arc<str>, Vec<u8>)>,
    patterns: Vec<(Arc<str>, Pattern)>,
    phrases: Vec<(Arc<str>, Phrase)>,
}

#[derive(Clone, Debug)]
enum Pattern {
    Automaton(TermAutomaton),
    Between(Bound<Vec<u8>>, Bound<Vec<u8>>),
}

#[derive(Clone, Debug)]
struct Phrase {
    /// Place in the phrase and the terms of which one must be there.
    slots: Vec<(u32, Vec<Vec<u8>>)>,
    slop: u32,
}

impl Leaves {
    /// Of a plan; what it excludes is left out.
    pub fn of(node: &Node) -> Leaves {
        let mut leaves = Leaves::default();
        leaves.add(node);
        leaves
    }

    fn add(&mut self, node: &Node) {
        match node {
            Node::Term(term) => self
                .terms
                .push((term.field.path.clone(), term.term.clone())),
            Node::Synonyms(synonyms) => {
                for term in &synonyms.terms {
                    self.terms
                        .push((term.field.path.clone(), term.term.clone()));
                }
            }
            Node::Combined(combined) => {
                for (term, _) in &combined.terms {
                    self.terms
                        .push((term.field.path.clone(), term.term.clone()));
                }
            }
            Node::EnoughOf { nodes, .. } => nodes.iter().for_each(|node| self.add(node)),
            Node::Phrase(phrase) => {
                let mut slots = Vec::with_capacity(phrase.slots.len());
                for slot in &phrase.slots {
                    let terms = slot.terms.iter().map(|term| term.term.clone()).collect();
                    slots.push((slot.position, terms));
                }
                let slop = phrase.slop;
                self.phrases
                    .push((phrase.field.path.clone(), Phrase { slots, slop }));
            }
            Node::Constant { docs, .. } => self.add_docs(docs),
            Node::Bool(clauses) => {
                for node in clauses
                    .must
                    .iter()
                    .chain(&clauses.filter)
                    .chain(&clauses.should)
                {
                    self.add(node);
                }
            }
            Node::BestOf { nodes, .. } => nodes.iter().for_each(|node| self.add(node)),
            Node::Lowered { positive, .. } => self.add(positive),
            Node::Functions(functions) => self.add(&functions.query),
            Node::Nothing | Node::All { .. } => {}
        }
    }

    fn add_docs(&mut self, docs: &DocsNode) {
        match docs {
            DocsNode::Terms { field, terms, .. } => {
                for term in terms.iter() {
                    self.terms.push((field.clone(), term.clone()));
                }
            }
            DocsNode::TermRange {
                field,
                lower,
                upper,
                ..
            } => {
                let range = Pattern::Between(lower.clone(), upper.clone());
                self.patterns.push((field.clone(), range));
            }
            DocsNode::Accepted {
                field, automaton, ..
            } => {
                let automaton = Pattern::Automaton(automaton.clone());
                self.patterns.push((field.clone(), automaton));
            }
            DocsNode::Matches(node) => self.add(node),
            DocsNode::Kept(filter) => self.add(&filter.node),
            DocsNode::Numbers { .. }
            | DocsNode::Places { .. }
            | DocsNode::Ranges { .. }
            | DocsNode::NumberSet { .. }
            | DocsNode::Exists { .. }
            | DocsNode::Ids(_) => {}
        }
    }

    /// The leaves about fields that are `wanted`.
    pub fn finder(&self, wanted: impl Fn(&str) -> bool) -> Finder<'_> {
        let mut finder = Finder::default();
        for (field, term) in &self.terms {
            if wanted(field) {
                let next = finder.terms.len();
                finder.terms.entry(term).or_insert(next);
            }
        }
        for (field, pattern) in &self.patterns {
            if wanted(field) {
                finder.patterns.push(pattern);
            }
        }
        for (field, phrase) in &self.phrases {
            if wanted(field) {
                finder.phrases.push(phrase);
            }
        }
        finder
    }
}

/// Finds in the text of one field.
#[derive(Debug, Default)]
pub(super) struct Finder<'q> {
    terms: HashMap<&'q [u8], usize>,
    patterns: Vec<&'q Pattern>,
    phrases: Vec<&'q Phrase>,
}

impl Finder<'_> {
    /// Whether nothing can be found.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty() && self.patterns.is_empty() && self.phrases.is_empty()
    }

    /// What is found, in the order of the tokens. A token may be found more than once.
    pub fn find(&self, tokens: &[ShownToken]) -> Vec<Found> {
        let mut found = Vec::new();
        for (token, shown) in tokens.iter().enumerate() {
            let term = shown.term.as_bytes();
            if let Some(by) = self.terms.get(term) {
                found.push(Found { token, by: *by });
            }
            for (n, pattern) in self.patterns.iter().enumerate() {
                if pattern.accepts(term) {
                    let by = self.terms.len() + n;
                    found.push(Found { token, by });
                }
            }
        }
        let mut in_phrases = BTreeSet::new();
        for phrase in &self.phrases {
            phrase.mark(tokens, &mut in_phrases);
        }
        if in_phrases.is_empty() {
            return found;
        }
        let mut numbers: HashMap<&str, usize> = HashMap::new();
        let first = self.terms.len() + self.patterns.len();
        for token in in_phrases {
            let term = tokens[token].term.as_str();
            if self.terms.contains_key(term.as_bytes()) {
                continue;
            }
            let next = first + numbers.len();
            let by = *numbers.entry(term).or_insert(next);
            found.push(Found { token, by });
        }
        found.sort_by_key(|found| found.token);
        found
    }

    /// Spans of positions of the phrases in the text: a cut between them would tear a phrase.
    pub fn phrase_spans(&self, tokens: &[ShownToken]) -> Vec<(u32, u32)> {
        let mut spans = Vec::new();
        for phrase in &self.phrases {
            phrase.for_each(tokens, |window| {
                let positions = window.iter().map(|(_, _, token)| tokens[*token].position);
                if let (Some(lo), Some(hi)) = (positions.clone().min(), positions.max()) {
                    spans.push((lo, hi));
                }
            });
        }
        spans
    }
}

impl Pattern {
    fn accepts(&self, term: &[u8]) -> bool {
        match self {
            Pattern::Automaton(automaton) => automaton.accepts(term),
            Pattern::Between(lower, upper) => {
                let above = match lower {
                    Bound::Included(bound) => term >= bound.as_slice(),
                    Bound::Excluded(bound) => term > bound.as_slice(),
                    Bound::Unbounded => true,
                };
                let below = match upper {
                    Bound::Included(bound) => term <= bound.as_slice(),
                    Bound::Excluded(bound) => term < bound.as_slice(),
                    Bound::Unbounded => true,
                };
                above && below
            }
        }
    }
}

impl Phrase {
    fn mark(&self, tokens: &[ShownToken], marked: &mut BTreeSet<usize>) {
        self.for_each(tokens, |window| {
            for (_, _, token) in window {
                marked.insert(*token);
            }
        });
    }

    /// Calls `visit` with each smallest window (shifted position, slot, token) that holds the whole phrase.
    ///
    /// A token's position less its slot's is the same for all tokens of an exact phrase; moves of the words make it
    /// differ, by at most the slop.
    fn for_each(&self, tokens: &[ShownToken], mut visit: impl FnMut(&[(i64, usize, usize)])) {
        let mut places: Vec<(i64, usize, usize)> = Vec::new();
        for (token, shown) in tokens.iter().enumerate() {
            for (slot, (offset, terms)) in self.slots.iter().enumerate() {
                if terms.iter().any(|term| term == shown.term.as_bytes()) {
                    let shifted = i64::from(shown.position) - i64::from(*offset);
                    places.push((shifted, slot, token));
                }
            }
        }
        places.sort_unstable();
        let mut counts = vec![0usize; self.slots.len()];
        let mut missing = counts.len();
        let mut left = 0;
        for right in 0..places.len() {
            let slot = places[right].1;
            counts[slot] += 1;
            missing -= usize::from(counts[slot] == 1);
            while missing == 0 {
                let window = &places[left..=right];
                if places[right].0 - places[left].0 <= i64::from(self.slop) {
                    visit(window);
                }
                let gone = places[left].1;
                counts[gone] -= 1;
                missing += usize::from(counts[gone] == 0);
                left += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<ShownToken> {
        let words = text.split(' ').enumerate();
        let of = |(position, word): (usize, &str)| ShownToken {
            term: word.to_owned(),
            position: position as u32,
            start: 0,
            end: 0,
        };
        words.map(of).collect()
    }

    fn marked(phrase: &str, slop: u32, text: &str) -> Vec<usize> {
        let words = phrase.split(' ').enumerate();
        let slots = words.map(|(n, word)| (n as u32, vec![word.as_bytes().to_vec()]));
        let phrase = Phrase {
            slots: slots.collect(),
            slop,
        };
        let mut found = BTreeSet::new();
        phrase.mark(&tokens(text), &mut found);
        found.into_iter().collect()
    }

    #[test]
    fn a_phrase_marks_only_its_own_words() {
        assert_eq!(marked("b c", 0, "b a b c b"), [2, 3]);
        assert!(marked("b c", 0, "b a c").is_empty());
        assert_eq!(marked("b c", 1, "b a c b"), [0, 2]);
        assert_eq!(marked("a a", 0, "a b a a"), [2, 3]);
    }

    #[test]
    fn terms_and_patterns_have_numbers_of_their_own() {
        let leaves = Leaves {
            terms: vec![
                (Arc::from("f"), b"ab".to_vec()),
                (Arc::from("g"), b"x".to_vec()),
            ],
            patterns: vec![(
                Arc::from("f"),
                Pattern::Automaton(TermAutomaton::Prefix(Arc::from(&b"a"[..]))),
            )],
            phrases: Vec::new(),
        };
        let finder = leaves.finder(|field| field == "f");
        let found: Vec<(usize, usize)> = finder
            .find(&tokens("ab x ac"))
            .into_iter()
            .map(|found| (found.token, found.by))
            .collect();
        assert_eq!(found, [(0, 0), (0, 1), (2, 1)]);
    }
}
