//! Documents that match, or may, and what they score so far.

use std::convert::Infallible;

use super::term_list::TermList;
use crate::search::SearchError;
use crate::simd::scoring::StretchBits;

/// Documents that match, or may, ascending; what they score so far.
#[derive(Debug, Default)]
pub(super) struct Matches {
    pub docs: Vec<u32>,
    /// By the clauses that are needed; as many as documents, once they are scored.
    pub sums: Vec<f64>,
    /// By the others; all nothing, or as many.
    pub more: Vec<f64>,
}

impl Matches {
    pub fn clear(&mut self) {
        self.docs.clear();
        self.sums.clear();
        self.more.clear();
    }

    /// Keeps those that `wanted` says, of document, sum and what is added to it.
    pub fn keep(&mut self, mut wanted: impl FnMut(u32, f64, f64) -> bool) {
        let kept = self.try_keep(|doc, sum, more| Ok::<_, Infallible>(wanted(doc, *sum, more)));
        kept.unwrap_or_else(|never| match never {});
    }

    /// Keeps those that `wanted` says, which may fail, and may change the sum.
    pub fn try_keep<E>(
        &mut self,
        mut wanted: impl FnMut(u32, &mut f64, f64) -> Result<bool, E>,
    ) -> Result<(), E> {
        let both = !self.more.is_empty();
        let mut kept = 0;
        for index in 0..self.docs.len() {
            let (doc, mut sum) = (self.docs[index], self.sums[index]);
            let more = if both { self.more[index] } else { 0.0 };
            let is_wanted = wanted(doc, &mut sum, more)?;
            (self.docs[kept], self.sums[kept]) = (doc, sum);
            if both {
                self.more[kept] = more;
            }
            kept += usize::from(is_wanted);
        }
        self.docs.truncate(kept);
        self.sums.truncate(kept);
        self.more.truncate(kept);
        Ok(())
    }

    /// The documents, and what is added to their sums, from nothing on.
    pub fn docs_and_more(&mut self) -> (&[u32], &mut [f64]) {
        self.more.resize(self.docs.len(), 0.0);
        (&self.docs, &mut self.more)
    }
}

/// What it takes to look many documents up in a list.
#[derive(Debug, Default)]
pub(super) struct MatchBuffers {
    freqs: Vec<u32>,
    scores: Vec<f32>,
    picked: Vec<u32>,
}

impl MatchBuffers {
    /// Adds what a list scores to the sums of documents, ascending, all of which it has; best of those located.
    pub fn add_to_all(
        &mut self,
        list: &mut TermList,
        docs: &[u32],
        sums: &mut [f64],
    ) -> Result<(), SearchError> {
        list.scores(docs, &mut self.freqs, &mut self.scores)?;
        for (sum, score) in sums.iter_mut().zip(&self.scores) {
            *sum += f64::from(*score);
        }
        Ok(())
    }

    /// Adds what a list scores to the sums of those documents, ascending, that it has. `bits` is all zero before and after.
    pub fn add(
        &mut self,
        list: &mut TermList,
        docs: &[u32],
        sums: &mut [f64],
        bits: &mut StretchBits,
    ) -> Result<(), SearchError> {
        list.locate(docs, bits)?;
        list.pick(docs, &mut self.picked)?;
        list.scores(&self.picked, &mut self.freqs, &mut self.scores)?;
        let mut at = 0;
        for (doc, score) in self.picked.iter().zip(&self.scores) {
            while docs[at] != *doc {
                at += 1;
            }
            sums[at] += f64::from(*score);
        }
        Ok(())
    }

    /// Keeps the matches that a list has, or (not `wanted`) has not. `bits` is all zero before and after.
    pub fn keep(
        &mut self,
        list: &mut TermList,
        wanted: bool,
        matches: &mut Matches,
        bits: &mut StretchBits,
    ) -> Result<(), SearchError> {
        self.picked.clone_from(&matches.docs);
        list.retain(&mut self.picked, wanted, bits)?;
        if self.picked.len() < matches.docs.len() {
            let mut docs = self.picked.iter().peekable();
            matches.keep(|doc, _, _| docs.next_if(|other| **other == doc).is_some());
        }
        Ok(())
    }
}
