//! One term in one segment, block by block, with bounds on its scores.

use crate::exec::term_scorer::TermScoring;
use crate::search::SearchError;
use crate::segment::{CELL_DOCS, List, WINDOW_DOCS};
use crate::simd;

/// Documents of a block at most: those of a cell of a dense list.
pub(super) const BLOCK_MAX: usize = CELL_DOCS as usize;
/// Cells of a window.
const CELLS: usize = (WINDOW_DOCS / CELL_DOCS) as usize;
/// Documents of a list for one of the rarest, from which on each of these is looked up instead of all of those gathered.
const LOOKUP_FROM: u32 = 24;
/// Bound of a window that has no document of the list.
pub(super) const ABSENT: f32 = -1.0;

/// Documents of one block with what belongs to them.
pub(super) struct Batch {
    pub docs: [u32; BLOCK_MAX],
    pub freqs: [u32; BLOCK_MAX],
    pub scores: [f32; BLOCK_MAX],
}

impl Batch {
    pub fn new() -> Batch {
        Batch {
            docs: [0; BLOCK_MAX],
            freqs: [0; BLOCK_MAX],
            scores: [0.0; BLOCK_MAX],
        }
    }
}

/// One term in one segment.
pub(super) struct TermList {
    list: List,
    scoring: Option<TermScoring>,
    /// The highest score in each block.
    blocks: Vec<f32>,
    /// No window to come needs a block before this one.
    walked: usize,
    /// The highest score in each window; [`ABSENT`] where the list certainly has no document.
    pub windows: Vec<f32>,
    /// The highest of all.
    pub max: f32,
}

impl TermList {
    /// A list made for frequencies, with what scores it. Of its bounds only the highest is known at first.
    pub fn open(mut list: List, scoring: TermScoring) -> Result<TermList, SearchError> {
        let impacts = match &mut list {
            List::Sparse(cursor) => cursor.max_impacts()?,
            List::Dense(cursor) => cursor.max_impacts()?,
        };
        let scores = impacts.iter().map(|impact| {
            let freq = impact.freq as f32;
            scoring.bm25.score(freq, impact.norm)
        });
        let max = scores.fold(0.0, f32::max);
        Ok(TermList {
            list,
            scoring: Some(scoring),
            blocks: Vec::new(),
            walked: 0,
            windows: Vec::new(),
            max,
        })
    }

    /// Works out the bounds of windows: roughly, the highest of all for each; or, as for a list whose blocks will be
    /// walked over, in detail. Answers whether this changed them.
    pub fn bound(&mut self, in_detail: bool) -> Result<bool, SearchError> {
        if in_detail && self.blocks.is_empty() {
            self.bound_in_detail()?;
            return Ok(true);
        }
        let unknown = self.windows.is_empty();
        if unknown {
            self.windows.resize(self.window_count(), self.max);
        }
        Ok(unknown)
    }

    fn bound_in_detail(&mut self) -> Result<(), SearchError> {
        let Some(scoring) = &self.scoring else {
            return Ok(());
        };
        let weights = scoring.bm25.weights();
        let (blocks, windows) = (&mut self.blocks, &mut self.windows);
        match &mut self.list {
            List::Sparse(cursor) if cursor.block_count() == 1 => {
                // So few that their scores are the bounds.
                cursor.load(0)?;
                cursor.load_freqs()?;
                let mut scores = [0.0; 128];
                let scores = &mut scores[..cursor.docs().len()];
                scoring.score_all(cursor.docs(), cursor.freqs(), scores);
                windows.clear();
                windows.resize(cursor.window_count(), ABSENT);
                for (doc, score) in cursor.docs().iter().zip(scores.iter()) {
                    let slot = &mut windows[(doc / WINDOW_DOCS) as usize];
                    *slot = slot.max(*score);
                }
                blocks.push(scores.iter().copied().fold(0.0, f32::max));
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

    /// Decodes a block into `batch`, in any order; answers how many documents it has.
    pub fn load(&mut self, block: usize, batch: &mut Batch) -> Result<usize, SearchError> {
        let count = self.load_docs(block, batch)?;
        let freqs = match &mut self.list {
            List::Sparse(cursor) => {
                cursor.load_freqs()?;
                cursor.freqs()
            }
            List::Dense(cursor) => {
                cursor.load_freqs(block % CELLS)?;
                &cursor.freqs()[..count]
            }
        };
        batch.freqs[..count].copy_from_slice(freqs);
        Ok(count)
    }

    /// The same in ascending order.
    pub fn load_ranked(&mut self, block: usize, batch: &mut Batch) -> Result<usize, SearchError> {
        match &mut self.list {
            List::Sparse(cursor) => {
                cursor.load(block)?;
                cursor.load_freqs()?;
                Ok(cursor.copy_ranked(&mut batch.docs, &mut batch.freqs))
            }
            List::Dense(_) => self.load(block, batch),
        }
    }

    /// The same without frequencies.
    pub fn load_docs(&mut self, block: usize, batch: &mut Batch) -> Result<usize, SearchError> {
        match &mut self.list {
            List::Sparse(cursor) => {
                cursor.load(block)?;
                let count = cursor.docs().len();
                batch.docs[..count].copy_from_slice(cursor.docs());
                Ok(count)
            }
            List::Dense(cursor) => {
                let (chunk, cell) = (block / CELLS, block % CELLS);
                cursor.load(chunk)?;
                let base = block as u32 * CELL_DOCS;
                let expand = simd::kernels().scoring.expand;
                let count = expand(cursor.cell_words(cell), base, &mut batch.docs);
                Ok(count)
            }
        }
    }

    /// Decodes what a block has in `from..to`.
    pub fn load_between(
        &mut self,
        block: usize,
        from: u32,
        to: u32,
        batch: &mut Batch,
    ) -> Result<usize, SearchError> {
        let count = self.load(block, batch)?;
        let (first, last) = self.range(block)?;
        if from <= first && last < to {
            return Ok(count);
        }
        let (docs, freqs) = (&mut batch.docs[..count], &mut batch.freqs[..count]);
        Ok((simd::kernels().scoring.keep_between)(
            docs, freqs, from, to,
        ))
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

    /// The frequency of a document, if the list has it.
    #[inline]
    pub fn freq(&mut self, doc: u32) -> Result<Option<u32>, SearchError> {
        Ok(match &mut self.list {
            List::Sparse(cursor) => match cursor.find(doc)? {
                Some(slot) => Some(cursor.freq_at(slot)?),
                None => None,
            },
            List::Dense(cursor) => {
                cursor.load((doc / WINDOW_DOCS) as usize)?;
                match cursor.contains(doc) {
                    true => Some(cursor.freq_of(doc)?),
                    false => None,
                }
            }
        })
    }

    /// The score of a document, if the list has it.
    #[inline]
    pub fn lookup(&mut self, doc: u32) -> Result<Option<f32>, SearchError> {
        let Some(freq) = self.freq(doc)? else {
            return Ok(None);
        };
        let score = self.scoring.as_ref().map(|s| s.score(doc, freq as f32));
        Ok(Some(score.unwrap_or(0.0)))
    }

    /// Adds the documents of a stretch, whole windows from `base` on, one bit each; stretches are asked for in ascending order.
    pub fn fill(&mut self, base: u32, bits: &mut [u64]) -> Result<(), SearchError> {
        match &mut self.list {
            List::Dense(cursor) => {
                let first = (base / WINDOW_DOCS) as usize;
                for (chunk, words) in (first..cursor.chunk_count()).zip(bits.chunks_mut(64)) {
                    cursor.load(chunk)?;
                    for (word, more) in words.iter_mut().zip(cursor.words()) {
                        *word |= more;
                    }
                }
            }
            List::Sparse(cursor) => {
                let len = bits.len() as u32 * 64;
                let mut block = cursor.block_with(base, self.walked);
                self.walked = block;
                let mut some = [0; 128];
                while block < cursor.block_count() {
                    cursor.load(block)?;
                    let (first, last) = cursor.reach();
                    if last >= base {
                        if first >= base && last - base < len {
                            set(bits, base, cursor.docs());
                        } else {
                            let mut count = 0;
                            for doc in cursor.docs() {
                                some[count] = *doc;
                                count += usize::from(doc.wrapping_sub(base) < len);
                            }
                            set(bits, base, &some[..count]);
                        }
                    }
                    if last.saturating_sub(base) >= len {
                        break;
                    }
                    block += 1;
                }
            }
        }
        Ok(())
    }

    /// Keeps the documents of a stretch that the list has, or (not `wanted`) has not; stretches are asked for in ascending
    /// order. `cost`: documents of the list that `bits` began with. `scratch` is as long, all zero before and after.
    pub fn keep(
        &mut self,
        cost: u32,
        wanted: bool,
        base: u32,
        bits: &mut [u64],
        scratch: &mut [u64],
    ) -> Result<(), SearchError> {
        if self.cost() / LOOKUP_FROM <= cost {
            self.fill(base, scratch)?;
            for (word, other) in bits.iter_mut().zip(scratch.iter_mut()) {
                *word &= if wanted { *other } else { !*other };
                *other = 0;
            }
            return Ok(());
        }
        for (index, word) in bits.iter_mut().enumerate() {
            let mut rest = *word;
            while rest != 0 {
                let bit = rest.trailing_zeros();
                if self.contains(base + index as u32 * 64 + bit)? != wanted {
                    *word &= !(1 << bit);
                }
                rest &= rest - 1;
            }
        }
        Ok(())
    }

    /// Whether the list has a document.
    #[inline]
    pub fn contains(&mut self, doc: u32) -> Result<bool, SearchError> {
        Ok(match &mut self.list {
            List::Sparse(cursor) => cursor.find(doc)?.is_some(),
            List::Dense(cursor) => {
                cursor.load((doc / WINDOW_DOCS) as usize)?;
                cursor.contains(doc)
            }
        })
    }

    /// Appends the positions in a document that the list has.
    pub fn positions(&mut self, doc: u32, positions: &mut Vec<u32>) -> Result<(), SearchError> {
        positions.clear();
        match &mut self.list {
            List::Sparse(cursor) => {
                if let Some(slot) = cursor.find(doc)? {
                    cursor.positions_at(slot, positions)?;
                }
            }
            List::Dense(cursor) => {
                cursor.load((doc / WINDOW_DOCS) as usize)?;
                cursor.positions_of(doc, positions)?;
            }
        }
        Ok(())
    }
}

/// Sets the bits of documents, all of which lie in the stretch that begins at `base`.
#[inline]
fn set(bits: &mut [u64], base: u32, docs: &[u32]) {
    for doc in docs {
        let offset = doc - base;
        bits[(offset / 64) as usize] |= 1 << (offset % 64);
    }
}
