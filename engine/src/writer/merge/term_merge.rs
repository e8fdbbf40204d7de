//! The terms of several segments, one after the other.

use std::cmp::Ordering;

use super::Merge;
use crate::document::IndexOptions;
use crate::segment::{MergeError, ReadError, TermInfo, TermIter, TermsReader};

/// The terms of one input.
pub(super) struct TermInput {
    /// Number of the input.
    pub number: usize,
    pub terms: TermsReader,
    iter: TermIter,
    /// The term at hand, with its first eight bytes as a number of the same order.
    key: Vec<u8>,
    prefix: u64,
    info: Option<TermInfo>,
    /// For a field without postings: which of its terms live documents have.
    used: Option<Vec<bool>>,
}

/// Walks over the distinct terms of all inputs, ascending. Stands before the first at first.
pub(super) struct TermMerge {
    pub inputs: Vec<TermInput>,
    /// Places in `inputs` of those with terms left, as a binary heap: the smallest term first, then the first input.
    heap: Vec<usize>,
    /// Places of those that have the term at hand, ascending.
    same: Vec<usize>,
}

impl TermInput {
    /// Goes to the next term; `false` after the last.
    fn advance(&mut self) -> Result<bool, ReadError> {
        let Some((term, info)) = self.iter.next()? else {
            self.info = None;
            return Ok(false);
        };
        self.key.clear();
        self.key.extend_from_slice(term);
        self.prefix = prefix(term);
        self.info = Some(info);
        Ok(true)
    }

    /// What is known of the term at hand.
    pub fn info(&self) -> Option<&TermInfo> {
        self.info.as_ref()
    }

    fn compare(&self, other: &TermInput) -> Ordering {
        self.prefix
            .cmp(&other.prefix)
            .then_with(|| self.key.cmp(&other.key))
    }

    fn is_used(&self) -> bool {
        match (&self.used, self.info) {
            (Some(used), Some(info)) => used.get(info.ord as usize).copied().unwrap_or(false),
            _ => false,
        }
    }
}

/// The first eight bytes as a number of the same order; shorter terms are padded with zeros.
fn prefix(term: &[u8]) -> u64 {
    let mut word = [0; 8];
    let len = term.len().min(8);
    word[..len].copy_from_slice(&term[..len]);
    u64::from_le_bytes(word).swap_bytes()
}

impl TermMerge {
    fn new(inputs: Vec<TermInput>) -> Result<TermMerge, ReadError> {
        let mut merge = TermMerge {
            same: Vec::with_capacity(inputs.len()),
            heap: Vec::with_capacity(inputs.len()),
            inputs,
        };
        for place in 0..merge.inputs.len() {
            merge.push_next(place)?;
        }
        Ok(merge)
    }

    /// Goes to the next term; `false` after the last.
    pub fn next(&mut self) -> Result<bool, ReadError> {
        while let Some(place) = self.same.pop() {
            self.push_next(place)?;
        }
        let Some(first) = self.pop() else {
            return Ok(false);
        };
        self.same.push(first);
        while let Some(next) = self.heap.first()
            && self.inputs[*next].compare(&self.inputs[first]) == Ordering::Equal
            && let Some(next) = self.pop()
        {
            self.same.push(next);
        }
        Ok(true)
    }

    /// The term at hand; empty before the first.
    pub fn term(&self) -> &[u8] {
        self.same
            .first()
            .map_or(&[], |first| &self.inputs[*first].key)
    }

    /// The inputs that have it, in their order.
    pub fn having(&self) -> impl Iterator<Item = &TermInput> {
        self.same.iter().map(|place| &self.inputs[*place])
    }

    /// Whether a live document has it, in a field without postings.
    pub fn is_used(&self) -> bool {
        self.having().any(TermInput::is_used)
    }

    fn before(&self, a: usize, b: usize) -> bool {
        let order = self.inputs[a].compare(&self.inputs[b]);
        order.then(a.cmp(&b)) == Ordering::Less
    }

    /// Puts an input into the heap by its next term, if there is one.
    fn push_next(&mut self, place: usize) -> Result<(), ReadError> {
        if !self.inputs[place].advance()? {
            return Ok(());
        }
        self.heap.push(place);
        let mut at = self.heap.len() - 1;
        while at > 0 && self.before(self.heap[at], self.heap[(at - 1) / 2]) {
            self.heap.swap(at, (at - 1) / 2);
            at = (at - 1) / 2;
        }
        Ok(())
    }

    fn pop(&mut self) -> Option<usize> {
        if self.heap.is_empty() {
            return None;
        }
        let first = self.heap.swap_remove(0);
        let mut at = 0;
        loop {
            let (left, right) = (2 * at + 1, 2 * at + 2);
            if left >= self.heap.len() {
                return Some(first);
            }
            let smaller = match right < self.heap.len() {
                true if self.before(self.heap[right], self.heap[left]) => right,
                _ => left,
            };
            if !self.before(self.heap[smaller], self.heap[at]) {
                return Some(first);
            }
            self.heap.swap(smaller, at);
            at = smaller;
        }
    }
}

impl Merge<'_> {
    /// The terms of a field in all inputs; `None` when no input has any.
    pub(super) fn term_merge(
        &self,
        path: &str,
        index: IndexOptions,
    ) -> Result<Option<TermMerge>, MergeError> {
        let mut inputs = Vec::new();
        for (number, reader) in self.readers() {
            let column = reader.ordinals(path)?;
            let terms = match reader.terms(path)? {
                Some(terms) => Some(terms),
                None => column.as_ref().map(|column| column.terms().clone()),
            };
            let Some(terms) = terms else {
                continue;
            };
            let mut used = None;
            if let (IndexOptions::None, Some(column)) = (index, column) {
                let mut seen = vec![false; terms.len() as usize];
                self.for_each_row(number, column.numbers(), |_, ords| {
                    for ord in ords {
                        if let Some(seen) = seen.get_mut(*ord as usize) {
                            *seen = true;
                        }
                    }
                    Ok(())
                })?;
                used = Some(seen);
            }
            inputs.push(TermInput {
                number,
                iter: terms.iter(),
                terms,
                key: Vec::new(),
                prefix: 0,
                info: None,
                used,
            });
        }
        if inputs.is_empty() {
            return Ok(None);
        }
        Ok(Some(TermMerge::new(inputs)?))
    }
}
