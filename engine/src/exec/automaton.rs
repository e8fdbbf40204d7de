//! Which terms a prefix, wildcard, regular expression or fuzzy term stands for.

use std::sync::Arc;

use fst::Automaton;
use levenshtein_automata::{DFA, Distance, LevenshteinAutomatonBuilder, SINK_STATE};

use super::regexp::Matcher;

/// Accepts terms; walks over dictionaries. Cheap to clone.
#[derive(Clone)]
pub(crate) enum TermAutomaton {
    /// Terms with this beginning.
    Prefix(Arc<[u8]>),
    /// Terms of a pattern.
    Pattern(Arc<Matcher>),
    /// Terms a few edits away.
    Fuzzy(Arc<FuzzyAutomaton>),
}

/// Terms at most some edits away from one, with a beginning that does not change.
pub(crate) struct FuzzyAutomaton {
    /// The whole term's beginning.
    prefix: Vec<u8>,
    dfa: DFA,
    /// Characters of the term that was asked.
    pub length: u32,
}

impl std::fmt::Debug for TermAutomaton {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            TermAutomaton::Prefix(_) => "Prefix",
            TermAutomaton::Pattern(_) => "Pattern",
            TermAutomaton::Fuzzy(_) => "Fuzzy",
        })
    }
}

impl FuzzyAutomaton {
    /// * `edits`: at most 2.
    /// * `prefix_length`: characters of `term` that must not change.
    pub fn new(term: &str, edits: u8, prefix_length: u32, transpositions: bool) -> FuzzyAutomaton {
        let cut = term
            .char_indices()
            .nth(prefix_length as usize)
            .map_or(term.len(), |(at, _)| at);
        let (prefix, rest) = term.split_at(cut);
        let builder = LevenshteinAutomatonBuilder::new(edits.min(2), transpositions);
        FuzzyAutomaton {
            prefix: prefix.as_bytes().to_vec(),
            dfa: builder.build_dfa(rest),
            length: term.chars().count() as u32,
        }
    }

    /// The edits between the term that was asked and another one; `None`: too many.
    pub fn edits(&self, term: &[u8]) -> Option<u8> {
        let rest = term.strip_prefix(self.prefix.as_slice())?;
        let mut state = self.dfa.initial_state();
        for &byte in rest {
            state = self.dfa.transition(state, byte);
        }
        match self.dfa.distance(state) {
            Distance::Exact(edits) => Some(edits),
            Distance::AtLeast(_) => None,
        }
    }
}

/// Where an automaton stands.
#[derive(Clone, Copy, Debug)]
pub(crate) enum AutomatonState {
    /// Nothing more can be accepted.
    Dead,
    /// So many bytes of the prefix are read; all of them: anything goes.
    Prefix(u32),
    /// A state of the inner automaton.
    Inner(u32),
}

impl Automaton for TermAutomaton {
    type State = AutomatonState;

    fn start(&self) -> AutomatonState {
        match self {
            TermAutomaton::Prefix(_) => AutomatonState::Prefix(0),
            TermAutomaton::Pattern(matcher) => AutomatonState::Inner(matcher.start()),
            TermAutomaton::Fuzzy(fuzzy) if fuzzy.prefix.is_empty() => {
                AutomatonState::Inner(fuzzy.dfa.initial_state())
            }
            TermAutomaton::Fuzzy(_) => AutomatonState::Prefix(0),
        }
    }

    fn is_match(&self, state: &AutomatonState) -> bool {
        match (self, *state) {
            (TermAutomaton::Prefix(prefix), AutomatonState::Prefix(at)) => {
                at as usize == prefix.len()
            }
            (TermAutomaton::Pattern(matcher), AutomatonState::Inner(state)) => {
                matcher.is_match(state)
            }
            (TermAutomaton::Fuzzy(fuzzy), AutomatonState::Inner(state)) => {
                matches!(fuzzy.dfa.distance(state), Distance::Exact(_))
            }
            _ => false,
        }
    }

    fn can_match(&self, state: &AutomatonState) -> bool {
        !matches!(state, AutomatonState::Dead)
    }

    fn will_always_match(&self, state: &AutomatonState) -> bool {
        match (self, *state) {
            (TermAutomaton::Prefix(prefix), AutomatonState::Prefix(at)) => {
                at as usize == prefix.len()
            }
            _ => false,
        }
    }

    fn accept(&self, state: &AutomatonState, byte: u8) -> AutomatonState {
        match (self, *state) {
            (TermAutomaton::Prefix(prefix), AutomatonState::Prefix(at)) => {
                match prefix.get(at as usize) {
                    None => AutomatonState::Prefix(at),
                    Some(next) if *next == byte => AutomatonState::Prefix(at + 1),
                    Some(_) => AutomatonState::Dead,
                }
            }
            (TermAutomaton::Fuzzy(fuzzy), AutomatonState::Prefix(at)) => {
                if fuzzy.prefix.get(at as usize) != Some(&byte) {
                    AutomatonState::Dead
                } else if at as usize + 1 == fuzzy.prefix.len() {
                    AutomatonState::Inner(fuzzy.dfa.initial_state())
                } else {
                    AutomatonState::Prefix(at + 1)
                }
            }
            (TermAutomaton::Pattern(matcher), AutomatonState::Inner(state)) => {
                match matcher.next(state, byte) {
                    Some(next) => AutomatonState::Inner(next),
                    None => AutomatonState::Dead,
                }
            }
            (TermAutomaton::Fuzzy(fuzzy), AutomatonState::Inner(state)) => {
                match fuzzy.dfa.transition(state, byte) {
                    SINK_STATE => AutomatonState::Dead,
                    next => AutomatonState::Inner(next),
                }
            }
            _ => AutomatonState::Dead,
        }
    }
}

impl TermAutomaton {
    /// Whether it accepts a term.
    pub fn accepts(&self, term: &[u8]) -> bool {
        let mut state = self.start();
        for &byte in term {
            state = self.accept(&state, byte);
        }
        self.is_match(&state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_accept_what_begins_with_them() {
        let prefix = TermAutomaton::Prefix(Arc::from(&b"ab"[..]));
        assert!(prefix.accepts(b"ab") && prefix.accepts(b"abc"));
        assert!(!prefix.accepts(b"a") && !prefix.accepts(b"ba"));
    }

    #[test]
    fn fuzzy_counts_edits_behind_the_prefix() {
        let fuzzy = FuzzyAutomaton::new("quick", 1, 1, true);
        assert_eq!(fuzzy.edits(b"quick"), Some(0));
        assert_eq!(fuzzy.edits(b"quikc"), Some(1), "swapped");
        assert_eq!(fuzzy.edits(b"puick"), None, "prefix changed");
        assert_eq!(fuzzy.edits(b"qk"), None);
        let automaton = TermAutomaton::Fuzzy(Arc::new(fuzzy));
        assert!(automaton.accepts(b"quic") && !automaton.accepts(b"uick"));
    }

    #[test]
    fn a_fuzzy_term_that_is_all_prefix_may_grow() {
        let fuzzy = FuzzyAutomaton::new("ab", 1, 2, true);
        assert_eq!(fuzzy.edits(b"abc"), Some(1));
        let automaton = TermAutomaton::Fuzzy(Arc::new(fuzzy));
        assert!(automaton.accepts(b"ab") && automaton.accepts(b"abc") && !automaton.accepts(b"a"));
    }
}
