//! One term in one segment, block by block, with bounds on its scores.

use crate::exec::term_scorer::TermScoring;
use crate::search::SearchError;
use crate::segment::{CELL_DOCS, List, Spot, WINDOW_DOCS};
use crate::simd;
use crate::simd::scoring::{STRETCH_DOCS, StretchBits};

/// Documents of a block at most: those of a cell of a dense list.
pub(super) const BLOCK_MAX: usize = CELL_DOCS as usize;
/// Cells of a window.
const CELLS: usize = (WINDOW_DOCS / CELL_DOCS) as usize;
/// Documents asked for in each block of a list, on average, from which on the blocks are compared with a bitmap of them.
const BITMAP_FROM: usize = 4;
/// Documents of one block that are asked for, from which on the freqs of all are decoded.
const WHOLE_FROM: usize = 4;
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
    /// No window to come needs a block before this one.
    walked: usize,
    /// The highest score in each window; [`ABSENT`] where the list certainly has no document.
    pub windows: Vec<f32>,
    /// The highest of all.
    pub max: f32,
    /// Where the documents are that were located last, ascending, those that the list has; of a sparse list only.
    spots: Vec<Spot>,
    /// The spot that was looked at last.
    at: usize,
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
            spots: Vec::new(),
            at: 0,
        })
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
                blocks.clear();
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

    /// Decodes those documents of a block, ascending or (not `ranked`) in any order, that may score above `least`; answers how
    /// many. Most of the others are told from these by their frequency, without a look at their norms, which lie all over
    /// the memory.
    pub fn load_above(
        &mut self,
        block: usize,
        least: f32,
        ranked: bool,
        batch: &mut Batch,
    ) -> Result<usize, SearchError> {
        let freq = self.least_freq(block, least)?;
        let count = match ranked {
            true => self.load_ranked(block, batch)?,
            false => self.load(block, batch)?,
        };
        if freq <= 1 {
            return Ok(count);
        }
        let (docs, freqs) = (&mut batch.docs[..count], &mut batch.freqs[..count]);
        // Pairs are kept by their first half, which is the frequency here.
        Ok((simd::kernels().scoring.keep_between)(
            freqs,
            docs,
            freq,
            u32::MAX,
        ))
    }

    /// Appends those documents of a block that score more than `least`, ascending, and their scores.
    pub fn take_above(
        &mut self,
        block: usize,
        least: f32,
        batch: &mut Batch,
        docs: &mut Vec<u32>,
        sums: &mut Vec<f64>,
    ) -> Result<(), SearchError> {
        // Few are left of most blocks, once something is known: these are put in order then.
        let ranked = least <= 0.0;
        let count = self.load_above(block, least, ranked, batch)?;
        self.score(count, batch);
        let (found, scores) = (&mut batch.docs[..count], &mut batch.scores[..count]);
        let kept = (simd::kernels().scoring.keep_above)(found, scores, least);
        let scores = &scores[..kept];
        if ranked {
            docs.extend_from_slice(&found[..kept]);
            sums.extend(scores.iter().map(|score| f64::from(*score)));
            return Ok(());
        }
        let pairs = &mut batch.pairs[..kept];
        for ((pair, doc), score) in pairs.iter_mut().zip(found).zip(scores) {
            *pair = u64::from(*doc) << 32 | u64::from(score.to_bits());
        }
        pairs.sort_unstable();
        docs.extend(pairs.iter().map(|pair| (pair >> 32) as u32));
        let scores = pairs.iter().map(|pair| f32::from_bits(*pair as u32));
        sums.extend(scores.map(f64::from));
        Ok(())
    }

    /// The least frequency with which a document of a block may score above `least`.
    fn least_freq(&self, block: usize, least: f32) -> Result<u32, SearchError> {
        let pairs = match &self.list {
            List::Sparse(cursor) => cursor.pairs(block)?,
            List::Dense(cursor) => cursor.pairs(block)?,
        };
        let (Some(scoring), Some(pairs)) = (&self.scoring, pairs) else {
            return Ok(1);
        };
        let weight = scoring.bm25.weight;
        if least <= 0.0 || least >= weight {
            return Ok(1);
        }
        // `weight - weight / (1 + freq * inverse) > least` if `freq * inverse > least / (weight - least)`, nearly: what is
        // rounded on the way is less than what is taken off here.
        let product = least / (weight - least) * (1.0 - 1e-4);
        if product > 500.0 {
            // So near to the weight that rounding may take more.
            return Ok(1);
        }
        let mut above = 1;
        for (freq, norm) in pairs {
            // Documents with more than the freq before have this norm or a higher one.
            let needed = (product / scoring.bm25.inverse_norms[usize::from(norm)]).ceil();
            let needed = (needed as u32).max(above);
            if needed <= u32::from(freq) || freq == u8::MAX {
                return Ok(needed);
            }
            above = above.max(u32::from(freq) + 1);
        }
        Ok(above)
    }

    /// Decodes a block like [`load`](Self::load), in ascending order.
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

    /// The same in ascending order without frequencies.
    pub fn load_docs_ranked(
        &mut self,
        block: usize,
        batch: &mut Batch,
    ) -> Result<usize, SearchError> {
        match &mut self.list {
            List::Sparse(cursor) => {
                cursor.load(block)?;
                Ok(cursor.copy_ranked_docs(&mut batch.docs))
            }
            List::Dense(_) => self.load_docs(block, batch),
        }
    }

    /// What is wrong with a list whose blocks do not ascend.
    #[cold]
    pub fn disorder(&self) -> SearchError {
        match &self.list {
            List::Sparse(cursor) => cursor.disorder().into(),
            List::Dense(cursor) => cursor.disorder().into(),
        }
    }

    /// The same in any order without frequencies.
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

    /// Decodes what a block has in `from..to` that may score above `least`, ascending.
    pub fn load_between(
        &mut self,
        block: usize,
        from: u32,
        to: u32,
        least: f32,
        batch: &mut Batch,
    ) -> Result<usize, SearchError> {
        let count = self.load_above(block, least, true, batch)?;
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

    /// Finds where those of `docs`, ascending, are that the list has. `bits` is all zero before and after.
    pub fn locate(&mut self, docs: &[u32], bits: &mut StretchBits) -> Result<(), SearchError> {
        if let List::Dense(_) = self.list {
            return Ok(());
        }
        self.spots.clear();
        self.at = 0;
        let (Some(&first), Some(&last)) = (docs.first(), docs.last()) else {
            return Ok(());
        };
        let base = first & !63;
        let mut blocks = None;
        if last - base < STRETCH_DOCS && docs.len() >= BITMAP_FROM {
            let from = self.first_block(first)?;
            let to = self.block_with(last, from)?.min(self.block_count() - 1);
            let some = from <= to && docs.len() >= BITMAP_FROM * (to - from + 1);
            blocks = some.then_some(from..=to);
        }
        let List::Sparse(cursor) = &mut self.list else {
            return Ok(());
        };
        let Some(blocks) = blocks else {
            return Ok(cursor.spots_of(docs, &mut self.spots)?);
        };
        set(bits, base, docs);
        let located = cursor.spots_among(blocks, base, bits, &mut self.spots);
        for doc in docs {
            bits[(doc - base) as usize / 64] = 0;
        }
        Ok(located?)
    }

    /// Keeps those of `docs`, ascending, that the list has, and knows where they are; or (not `wanted`) those that it has not.
    pub fn retain(
        &mut self,
        docs: &mut Vec<u32>,
        wanted: bool,
        bits: &mut StretchBits,
    ) -> Result<(), SearchError> {
        if let List::Dense(cursor) = &self.list {
            return Ok(cursor.retain(docs, wanted)?);
        }
        self.locate(docs, bits)?;
        if wanted {
            docs.clear();
            docs.extend(self.spots.iter().map(|spot| spot.doc));
        } else if !self.spots.is_empty() {
            let mut spots = self.spots.iter().peekable();
            docs.retain(|doc| spots.next_if(|spot| spot.doc == *doc).is_none());
        }
        Ok(())
    }

    /// Copies those of `docs` that the list has; they were located.
    pub fn pick(&self, docs: &[u32], picked: &mut Vec<u32>) -> Result<(), SearchError> {
        picked.clear();
        match &self.list {
            List::Sparse(_) => picked.extend(self.spots.iter().map(|spot| spot.doc)),
            List::Dense(cursor) => {
                picked.extend_from_slice(docs);
                cursor.retain(picked, true)?;
            }
        }
        Ok(())
    }

    /// Where a document is, if a sparse list has it; located ones are found at once, in ascending order.
    fn spot(&mut self, doc: u32) -> Result<Option<Spot>, SearchError> {
        let List::Sparse(cursor) = &mut self.list else {
            return Ok(None);
        };
        if self.at > 0 && self.spots.get(self.at).is_none_or(|spot| spot.doc > doc) {
            self.at = 0;
        }
        while let Some(spot) = self.spots.get(self.at) {
            if spot.doc == doc {
                return Ok(Some(*spot));
            }
            if spot.doc > doc {
                break;
            }
            self.at += 1;
        }
        Ok(cursor.spot(doc)?)
    }

    /// The frequencies of documents, ascending, all of which the list has; best of those located.
    pub fn freqs(&mut self, docs: &[u32], freqs: &mut [u32]) -> Result<(), SearchError> {
        if let List::Dense(cursor) = &mut self.list {
            return Ok(cursor.freqs_of(docs, freqs)?);
        }
        let mut at = 0;
        let mut whole = [0; 128];
        let mut decoded = u32::MAX;
        while at < docs.len() {
            let spot = self.spot(docs[at])?;
            let List::Sparse(cursor) = &mut self.list else {
                return Ok(());
            };
            freqs[at] = match spot {
                Some(spot) => {
                    let later = self.spots.get(self.at + WHOLE_FROM);
                    if decoded != spot.block && later.is_some_and(|l| l.block == spot.block) {
                        cursor.freqs_of(spot.block as usize, &mut whole)?;
                        decoded = spot.block;
                    }
                    if decoded == spot.block {
                        whole[usize::from(spot.slot)]
                    } else {
                        cursor.freq_at_spot(spot)?
                    }
                }
                None => 0,
            };
            at += 1;
        }
        Ok(())
    }

    /// Scores documents, ascending, all of which the list has; best of those located.
    pub fn scores(
        &mut self,
        docs: &[u32],
        freqs: &mut Vec<u32>,
        scores: &mut Vec<f32>,
    ) -> Result<(), SearchError> {
        freqs.resize(docs.len(), 0);
        scores.resize(docs.len(), 0.0);
        self.freqs(docs, freqs)?;
        if let Some(scoring) = &self.scoring {
            scoring.score_all(docs, freqs, scores);
        }
        Ok(())
    }

    /// Whether its documents can be scored.
    pub fn is_scored(&self) -> bool {
        self.scoring.is_some()
    }

    /// Whether the list is one of bitmaps; its blocks are the cells of these.
    pub fn is_dense(&self) -> bool {
        matches!(self.list, List::Dense(_))
    }

    /// Keeps the documents of a window that a dense list has.
    pub fn keep_window(&mut self, window: usize, words: &mut [u64; 64]) -> Result<(), SearchError> {
        if let List::Dense(cursor) = &mut self.list {
            cursor.load(window)?;
            (simd::kernels().and)(words, cursor.words());
        }
        Ok(())
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

    /// The positions in a document that the list has; overwrites `positions`.
    pub fn positions(&mut self, doc: u32, positions: &mut Vec<u32>) -> Result<(), SearchError> {
        positions.clear();
        let spot = self.spot(doc)?;
        match &mut self.list {
            List::Sparse(cursor) => {
                if let Some(spot) = spot {
                    cursor.positions_in(spot.block as usize, usize::from(spot.slot), positions)?;
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
