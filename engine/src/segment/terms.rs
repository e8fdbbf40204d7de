use std::ops::Bound;

use super::{PostingsCursor, PostingsNeed, ReadError};

/// The sorted terms of one field of one segment. Cheap to clone.
#[derive(Clone, Debug)]
pub struct TermsReader {}

/// What the dictionary knows of one term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TermInfo {
    /// Rank among the terms of the field, from 0.
    pub ord: u64,
    /// Number of documents with it, dead ones included; at least 1 in an indexed field.
    pub doc_freq: u32,
    /// Number of occurrences; equals `doc_freq` where frequencies are not kept.
    pub total_term_freq: u64,
}

impl TermsReader {
    /// Number of terms.
    pub fn len(&self) -> u64 {
        todo!()
    }
    /// Whether there is no term.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Finds a term.
    pub fn get(&self, term: &[u8]) -> Result<Option<TermInfo>, ReadError> {
        let _ = term;
        todo!()
    }
    /// Finds the term of a rank and appends nothing: `term` is overwritten. An `ord` past the end is an error.
    pub fn by_ord(&self, ord: u64, term: &mut Vec<u8>) -> Result<TermInfo, ReadError> {
        let _ = (ord, term);
        todo!()
    }
    /// All terms, ascending.
    pub fn iter(&self) -> TermIter {
        todo!()
    }
    /// The terms between two bounds, ascending.
    pub fn range(&self, lower: Bound<&[u8]>, upper: Bound<&[u8]>) -> TermIter {
        let _ = (lower, upper);
        todo!()
    }
    /// The terms that an automaton accepts, ascending; leaps over those that it cannot.
    pub fn search<'a, A: fst::Automaton>(&self, automaton: &'a A) -> TermSearch<'a, A> {
        let _ = automaton;
        todo!()
    }
    /// The documents of a term of this very reader.
    pub fn postings(
        &self,
        term: &TermInfo,
        need: PostingsNeed,
    ) -> Result<PostingsCursor, ReadError> {
        let _ = (term, need);
        todo!()
    }
}

/// Terms one after the other.
#[derive(Debug)]
pub struct TermIter {}

impl TermIter {
    /// The next term; it is valid until the next call.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<(&[u8], TermInfo)>, ReadError> {
        todo!()
    }
}

/// Terms that an automaton accepts, one after the other.
#[derive(Debug)]
pub struct TermSearch<'a, A> {
    automaton: std::marker::PhantomData<&'a A>,
}

impl<A: fst::Automaton> TermSearch<'_, A> {
    /// The next term; it is valid until the next call.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<(&[u8], TermInfo)>, ReadError> {
        todo!()
    }
}
