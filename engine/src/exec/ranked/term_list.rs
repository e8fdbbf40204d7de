//! One term in one segment, block by block, with bounds on its scores.

mod loads;
mod lookups;

use crate::exec::term_scorer::TermScoring;
use crate::search::SearchError;
use crate::segment::{CELL_DOCS, List, Spot, WINDOW_DOCS};

/// Documents of a block at most: those of a cell of a dense list.
pub(super) const BLOCK_MAX: usize = CELL_DOCS as usize;
/// Cells of a window.
const CELLS: usize = (WINDOW_DOCS / CELL_DOCS) as usize;
/// Bound of a window that has no document of the list.
pub(super) const ABSENT: f32 = -1.0;

/// Documents of one block with what belongs to them.
pub(super) struct Batch {
    pub docs: [u32; BLOCK_MAX],
    pub freqs: [u32; BLOCK_MAX],
    pub scores: [f32; BLOCK_MAX],
    /// To sort some of them.
    pairs: [u64; BLOCK_MAX],
}

impl Batch {
    pub fn new() -> Batch {
        Batch {
            docs: [0; BLOCK_MAX],
            freqs: [0; BLOCK_MAX],
            scores: [0.0; BLOCK_MAX],
            pairs: [0; BLOCK_MAX],
        }
    }
}

/// One term in one segment.
pub(super) struct TermList {
    list: List,
    scoring: Option<TermScoring>,
    /// The highest score in each block.
    blocks: Vec<f32>,
    /// The block that [`first_block`](TermList::first_block) found last.
    walked: usize,
    /// The highest score in each window; [`ABSENT`] where the list certainly has no document.
    pub windows: Vec<f32>,
    /// The highest of all; infinite as long as nobody [asked](TermList::know_max) for that of a short list.
    pub max: f32,
    /// Where the documents are that were located last, ascending, those that the list has; of a sparse list only.
    spots: Vec<Spot>,
    /// The spot that was looked at last.
    at: usize,
}

impl TermList {
    /// A list made for frequencies, with what scores it. Of its bounds only the highest is known at first, unless the list is
    /// a single block.
    pub fn open(mut list: List, scoring: TermScoring) -> Result<TermList, SearchError> {
        let max = match &mut list {
            List::Sparse(cursor) if cursor.block_count() == 1 => f32::INFINITY,
            List::Sparse(cursor) => cursor.max_bound(scoring.bm25.weights())?,
            List::Dense(cursor) => {
                let impacts = cursor.max_impacts()?.iter();
                let scores = impacts.map(|pair| scoring.bm25.score(pair.freq as f32, pair.norm));
                scores.fold(0.0, f32::max)
            }
        };
        Ok(TermList {
            list,
            scoring: Some(scoring),
            blocks: Vec::new(),
            walked: 0,
            windows: Vec::new(),
            max,
            spots: Vec::new(),
            at: 0,
        })
    }

    /// Works out the highest score of a list of a single block, of which no bounds are kept.
    pub fn know_max(&mut self) -> Result<(), SearchError> {
        if self.max == f32::INFINITY {
            let mut scores = [0.0; 128];
            let count = self.score_only_block(&mut scores)?;
            self.max = scores[..count].iter().copied().fold(0.0, f32::max);
        }
        Ok(())
    }

    /// The same for whoever will want the bounds of its windows too.
    pub fn know_max_and_windows(&mut self) -> Result<(), SearchError> {
        if self.max == f32::INFINITY {
            self.bound_in_detail()?;
        }
        Ok(())
    }

    /// Loads and scores the only block of a list; answers how many documents it has, none where there are more blocks.
    fn score_only_block(&mut self, scores: &mut [f32; 128]) -> Result<usize, SearchError> {
        let (List::Sparse(cursor), Some(scoring)) = (&mut self.list, &self.scoring) else {
            return Ok(0);
        };
        if cursor.block_count() != 1 {
            return Ok(0);
        }
        cursor.load(0)?;
        cursor.load_freqs()?;
        let count = cursor.docs().len();
        scoring.score_all(cursor.docs(), cursor.freqs(), &mut scores[..count]);
        Ok(count)
    }

    /// Works out the bounds of windows: roughly, the highest of all for each; or, as for a list whose blocks will be
    /// walked over, in detail. Answers whether this changed them.
    pub fn bound(&mut self, in_detail: bool) -> Result<bool, SearchError> {
        if in_detail && (self.blocks.is_empty() || self.windows.is_empty()) {
            self.bound_in_detail()?;
            return Ok(true);
        }
        let unknown = self.windows.is_empty();
        if unknown {
            self.know_max()?;
            self.windows.resize(self.window_count(), self.max);
        }
        Ok(unknown)
    }

    /// Works out the bounds of blocks alone.
    pub fn bound_blocks(&mut self) -> Result<(), SearchError> {
        if let (Some(scoring), true) = (&self.scoring, self.blocks.is_empty()) {
            let weights = scoring.bm25.weights();
            match &mut self.list {
                List::Sparse(cursor) => cursor.block_bounds(weights, &mut self.blocks)?,
                List::Dense(cursor) => cursor.cell_bounds(weights, &mut self.blocks)?,
            }
        }
        Ok(())
    }

    fn bound_in_detail(&mut self) -> Result<(), SearchError> {
        let mut scores = [0.0; 128];
        let count = self.score_only_block(&mut scores)?;
        let Some(scoring) = &self.scoring else {
            return Ok(());
        };
        let weights = scoring.bm25.weights();
        let (blocks, windows) = (&mut self.blocks, &mut self.windows);
        match &mut self.list {
            List::Sparse(cursor) if cursor.block_count() == 1 => {
                // So few that their scores are the bounds.
                let scores = &scores[..count];
                windows.clear();
                windows.resize(cursor.window_count(), ABSENT);
                for (doc, score) in cursor.docs().iter().zip(scores) {
                    let slot = &mut windows[(doc / WINDOW_DOCS) as usize];
                    *slot = slot.max(*score);
                }
                self.max = scores.iter().copied().fold(0.0, f32::max);
                blocks.clear();
                blocks.push(self.max);
            }
            List::Sparse(cursor) => {
                cursor.block_bounds(weights, blocks)?;
                cursor.spread(blocks, ABSENT, windows)?;
            }
            List::Dense(cursor) => {
                cursor.cell_bounds(weights, blocks)?;
                windows.clear();
                windows.extend(
                    blocks
                        .chunks(CELLS)
                        .map(|cells| cells.iter().copied().fold(0.0, f32::max)),
                );
            }
        }
        Ok(())
    }

    /// A list that is only asked whether it has a document.
    pub fn unscored(list: List) -> TermList {
        TermList {
            max: 0.0,
            list,
            scoring: None,
            blocks: Vec::new(),
            walked: 0,
            windows: Vec::new(),
            spots: Vec::new(),
            at: 0,
        }
    }

    /// Number of documents.
    pub fn cost(&self) -> u32 {
        match &self.list {
            List::Sparse(cursor) => cursor.cost(),
            List::Dense(cursor) => cursor.cost(),
        }
    }

    /// Windows of the segment.
    pub fn window_count(&self) -> usize {
        match &self.list {
            List::Sparse(cursor) => cursor.window_count(),
            List::Dense(cursor) => cursor.chunk_count(),
        }
    }

    /// Number of blocks.
    pub fn block_count(&self) -> usize {
        match &self.list {
            List::Sparse(cursor) => cursor.block_count(),
            List::Dense(cursor) => cursor.chunk_count() * CELLS,
        }
    }

    /// The highest score in each block.
    pub fn blocks(&self) -> &[f32] {
        &self.blocks
    }

    /// The first block at or after `from` that may have `doc` or a later document.
    pub fn block_with(&self, doc: u32, from: usize) -> Result<usize, SearchError> {
        Ok(match &self.list {
            List::Sparse(cursor) => cursor.block_with(doc, from),
            List::Dense(_) => ((doc / CELL_DOCS) as usize).max(from),
        })
    }

    /// The first and the last document that a block may have.
    #[inline]
    pub fn range(&self, block: usize) -> Result<(u32, u32), SearchError> {
        Ok(match &self.list {
            List::Sparse(cursor) => {
                let first = match block {
                    0 => 0,
                    block => cursor.last_doc(block - 1).saturating_add(1),
                };
                (first, cursor.last_doc(block))
            }
            List::Dense(_) => {
                let first = block as u32 * CELL_DOCS;
                (first, first + (CELL_DOCS - 1))
            }
        })
    }

    /// The first block that may have a document at or after `from`. Any order of questions is right, an ascending one is fast.
    pub fn first_block(&mut self, from: u32) -> Result<usize, SearchError> {
        let near = match self.walked.checked_sub(1) {
            Some(before) if self.range(before)?.1 < from => self.walked,
            _ => 0,
        };
        self.walked = self.block_with(from, near)?;
        Ok(self.walked)
    }

    /// Scores the first `count` documents of a batch of this list.
    pub fn score(&self, count: usize, batch: &mut Batch) {
        if let Some(scoring) = &self.scoring {
            let scores = &mut batch.scores[..count];
            scoring.score_all(&batch.docs[..count], &batch.freqs[..count], scores);
        }
    }
}
