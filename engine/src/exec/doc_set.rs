//! Scorers of sets of documents.

use std::sync::Arc;

use super::scorer::{Hits, NO_MORE, Scorer};
use crate::search::SearchError;
use crate::segment::{DocSet, Window};

/// Scores the documents of a set, all the same.
pub(crate) struct DocSetScorer {
    set: Arc<DocSet>,
    score: f32,
}

impl DocSetScorer {
    /// Every document of `set` with this score.
    pub fn new(set: impl Into<Arc<DocSet>>, score: f32) -> Self {
        DocSetScorer {
            set: set.into(),
            score,
        }
    }
}

impl Scorer for DocSetScorer {
    fn cost(&self) -> u64 {
        self.set.len()
    }

    fn seek(&mut self, target: u32) -> Result<u32, SearchError> {
        Ok(self.set.next(target).unwrap_or(NO_MORE))
    }

    fn fill(
        &mut self,
        base: u32,
        within: Option<&Window>,
        _floor: f32,
        out: &mut Hits,
    ) -> Result<(), SearchError> {
        self.set.window(base, &mut out.docs);
        if let Some(within) = within {
            out.docs.and(within);
        }
        fill_constant(out, self.score)
    }

    fn max_score(&mut self, _base: u32) -> Result<f32, SearchError> {
        Ok(self.score)
    }
}

/// Gives all documents of `out` one score.
pub(crate) fn fill_constant(out: &mut Hits, score: f32) -> Result<(), SearchError> {
    // of places without a document too: one sweep costs less than looking for those that have one
    out.scores.fill(score);
    Ok(())
}

/// Every document of a segment, all with the same score.
pub(crate) struct AllScorer {
    max_doc: u32,
    score: f32,
}

impl AllScorer {
    /// Documents `0..max_doc`.
    pub fn new(max_doc: u32, score: f32) -> Self {
        AllScorer { max_doc, score }
    }
}

impl Scorer for AllScorer {
    fn cost(&self) -> u64 {
        u64::from(self.max_doc)
    }

    fn seek(&mut self, target: u32) -> Result<u32, SearchError> {
        Ok(if target < self.max_doc {
            target
        } else {
            NO_MORE
        })
    }

    fn fill(
        &mut self,
        base: u32,
        within: Option<&Window>,
        _floor: f32,
        out: &mut Hits,
    ) -> Result<(), SearchError> {
        out.docs.clear();
        out.docs.set_range(0, self.max_doc.saturating_sub(base));
        if let Some(within) = within {
            out.docs.and(within);
        }
        fill_constant(out, self.score)
    }

    fn max_score(&mut self, _base: u32) -> Result<f32, SearchError> {
        Ok(self.score)
    }
}
