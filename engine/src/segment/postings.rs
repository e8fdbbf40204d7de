use super::{ReadError, Window};
use crate::ids::DocId;

/// What a caller will ask a cursor for; less is faster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PostingsNeed {
    /// Documents only.
    Docs,
    /// Documents and frequencies (1 where the field keeps none).
    Freqs,
    /// Also positions (none where the field keeps none).
    Positions,
}

/// A bound on scores: no document of a block has a higher frequency together with a lower norm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Impact {
    /// A frequency.
    pub freq: u32,
    /// A norm (see [`super::NormsReader`]); 1 where the field has no norms.
    pub norm: u8,
}

/// Walks over the documents of one term, ascending. Stands before the first document at first.
#[derive(Debug)]
pub struct PostingsCursor {}

impl PostingsCursor {
    /// Where it stands: [`DocId::NO_MORE`] after the last document. Before the first `next` or `advance` the
    /// answer has no meaning.
    pub fn doc(&self) -> DocId {
        todo!()
    }
    /// Goes to the next document.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<DocId, ReadError> {
        todo!()
    }
    /// Goes to the first document that is `target` or later; never goes back.
    pub fn advance(&mut self, target: DocId) -> Result<DocId, ReadError> {
        let _ = target;
        todo!()
    }
    /// Occurrences in the current document.
    pub fn freq(&mut self) -> u32 {
        todo!()
    }
    /// Positions in the current document, ascending; overwrites `positions`.
    pub fn positions(&mut self, positions: &mut Vec<u32>) -> Result<(), ReadError> {
        let _ = positions;
        todo!()
    }
    /// Number of documents of the term.
    pub fn cost(&self) -> u32 {
        todo!()
    }
    /// Moves only the bounds to the block that holds `target` (at or after the cursor), decoding nothing; answers
    /// the last document of that block, [`DocId::NO_MORE`] when no block does.
    pub fn shallow_advance(&mut self, target: DocId) -> Result<DocId, ReadError> {
        let _ = target;
        todo!()
    }
    /// Bounds of the block where the cursor or its last `shallow_advance` stands. Never empty.
    pub fn impacts(&mut self) -> Result<&[Impact], ReadError> {
        todo!()
    }
    /// Bounds over the whole term. Never empty.
    pub fn max_impacts(&mut self) -> Result<&[Impact], ReadError> {
        todo!()
    }
    /// Adds to `bits` the term's documents in `base..base + 4096` that are not before the cursor, and leaves the cursor at the first
    /// document after the window. `base` is a multiple of 4096.
    pub fn fill_window(&mut self, base: DocId, bits: &mut Window) -> Result<(), ReadError> {
        let _ = (base, bits);
        todo!()
    }
    /// Copies the next documents (from the one after the current on) of one block and answers their number, 0 at the end; the
    /// cursor then stands on the last one copied. Frequencies are 1 where not asked for.
    pub fn next_block(
        &mut self,
        docs: &mut [u32; 128],
        freqs: &mut [u32; 128],
    ) -> Result<usize, ReadError> {
        let _ = (docs, freqs);
        todo!()
    }
}
