//! The cursor over the documents of one term, whatever the way they are kept in.

mod dense;
mod positions;
mod positions_v2;
mod short;
mod sparse;
mod v1;

use std::cell::RefCell;
use std::sync::Arc;
use std::thread::LocalKey;

pub(crate) use self::dense::DenseCursor;
pub(crate) use self::positions::{DocPositions, PositionsStream, part_at};
pub(crate) use self::short::ShortList;
pub(crate) use self::sparse::{SparseCursor, Spot};
use super::terms::Dictionary;
use super::{ReadError, WINDOW_DOCS, Window};
use crate::format::v1::terms::TermEntry;
use crate::format::v2::BLOCK;
pub(crate) use crate::format::v2::CELL_DOCS;
use crate::ids::DocId;
use crate::lent::{self, Lend, Lent};
use crate::simd::scoring::{ImpactRows, Weights};

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

/// A bound on scores: no document of a block has a higher frequency together with a lower norm than some impact
/// of the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Impact {
    /// A frequency.
    pub freq: u32,
    /// A norm (see [`super::NormsReader`]); 1 where the field has no norms.
    pub norm: u8,
}

/// How the documents of a term are kept.
enum Kept {
    /// As format v1 does.
    V1(Box<v1::Cursor>),
    /// In blocks.
    Sparse(Box<SparseCursor>),
    /// In bitmaps.
    Dense(Box<DenseCursor>),
}

/// A list in a form that executors work on block by block.
#[derive(Debug)]
pub(crate) enum List {
    /// In blocks of documents.
    Sparse(Box<SparseCursor>),
    /// In bitmaps of windows.
    Dense(Box<DenseCursor>),
}

/// Walks over the documents of one term, ascending. Stands before the first document at first.
pub struct PostingsCursor {
    kept: Kept,
}

impl std::fmt::Debug for PostingsCursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "PostingsCursor(at {} of {} documents)",
            self.doc().0,
            self.cost()
        )
    }
}

/// Calls the same method on whichever cursor there is.
macro_rules! on {
    ($self:ident, $cursor:ident => $call:expr) => {
        match &$self.kept {
            Kept::V1($cursor) => $call,
            Kept::Sparse($cursor) => $call,
            Kept::Dense($cursor) => $call,
        }
    };
    (mut $self:ident, $cursor:ident => $call:expr) => {
        match &mut $self.kept {
            Kept::V1($cursor) => $call,
            Kept::Sparse($cursor) => $call,
            Kept::Dense($cursor) => $call,
        }
    };
}

impl PostingsCursor {
    pub(super) fn open(
        dictionary: Arc<Dictionary>,
        entry: &TermEntry,
        need: PostingsNeed,
    ) -> Result<PostingsCursor, ReadError> {
        let kept = if dictionary.postings.codec() == 1 {
            Kept::V1(Box::new(v1::Cursor::open(dictionary, entry, need)?))
        } else if DenseCursor::is_kept(&dictionary, entry)? {
            Kept::Dense(DenseCursor::open(dictionary, entry, need)?)
        } else {
            Kept::Sparse(SparseCursor::open(dictionary, entry, need)?)
        };
        Ok(PostingsCursor { kept })
    }

    /// The list, for executors that work block by block; `Err` gives the cursor back where the segment is of an older format.
    pub(crate) fn into_list(self) -> Result<List, PostingsCursor> {
        match self.kept {
            Kept::Sparse(list) => Ok(List::Sparse(list)),
            Kept::Dense(list) => Ok(List::Dense(list)),
            kept @ Kept::V1(_) => Err(PostingsCursor { kept }),
        }
    }

    /// Where it stands: [`DocId::NO_MORE`] after the last document. Before the first `next` or `advance` the
    /// answer has no meaning.
    #[inline]
    pub fn doc(&self) -> DocId {
        on!(self, cursor => cursor.doc())
    }

    /// Goes to the next document.
    #[allow(clippy::should_implement_trait)] // a step may fail, so this is no iterator
    #[inline]
    pub fn next(&mut self) -> Result<DocId, ReadError> {
        on!(mut self, cursor => cursor.next())
    }

    /// Goes to the first document that is `target` or later; never goes back.
    pub fn advance(&mut self, target: DocId) -> Result<DocId, ReadError> {
        on!(mut self, cursor => cursor.advance(target))
    }

    /// Occurrences in the current document.
    #[inline]
    pub fn freq(&mut self) -> u32 {
        on!(mut self, cursor => cursor.freq())
    }

    /// Positions in the current document, ascending; overwrites `positions`.
    pub fn positions(&mut self, positions: &mut Vec<u32>) -> Result<(), ReadError> {
        on!(mut self, cursor => cursor.positions(positions))
    }

    /// Number of documents of the term.
    pub fn cost(&self) -> u32 {
        on!(self, cursor => cursor.cost())
    }

    /// Bounds of the block where the cursor stands, before the first document those of the first block. Never empty.
    pub fn impacts(&mut self) -> Result<&[Impact], ReadError> {
        on!(mut self, cursor => cursor.impacts())
    }

    /// Bounds over the whole term. Never empty.
    pub fn max_impacts(&mut self) -> Result<&[Impact], ReadError> {
        on!(mut self, cursor => cursor.max_impacts())
    }

    /// The highest score that a document of each window of the segment can have.
    pub(crate) fn window_bounds(&mut self, weights: Weights<'_>) -> Result<Vec<f32>, ReadError> {
        on!(mut self, cursor => cursor.window_bounds(weights))
    }

    /// Adds to `bits` the term's documents in `base..base + 4096` that are not before the cursor, and leaves the
    /// cursor at the first document after the window. `base` is a multiple of 4096.
    pub fn fill_window(&mut self, base: DocId, bits: &mut Window) -> Result<(), ReadError> {
        on!(mut self, cursor => cursor.fill_window(base, bits))
    }

    /// Copies the documents from the current one on, of one block, that are before `end`, ascending; answers their number,
    /// and leaves the cursor on the first one not copied. Frequencies are 1 where not asked for.
    pub fn take_block(
        &mut self,
        end: DocId,
        docs: &mut [u32; 128],
        freqs: &mut [u32; 128],
    ) -> Result<usize, ReadError> {
        on!(mut self, cursor => cursor.take_block(end, docs, freqs))
    }

    /// Appends all documents of the next part, and their frequencies; `false`: there is none any more. A part is a block of a
    /// sparse list, a cell of a dense one: what positions are kept by. For those who go to the first document and take all so.
    pub(crate) fn take_part(
        &mut self,
        docs: &mut Vec<u32>,
        freqs: &mut Vec<u32>,
    ) -> Result<bool, ReadError> {
        if let Kept::Dense(cursor) = &mut self.kept {
            return cursor.take_cell(docs, freqs);
        }
        let (mut part, mut counts) = ([0; 128], [0; 128]);
        let count = self.take_block(DocId::NO_MORE, &mut part, &mut counts)?;
        docs.extend_from_slice(&part[..count]);
        freqs.extend_from_slice(&counts[..count]);
        Ok(count > 0)
    }
}

/// Documents or frequencies of a block of a sparse list.
type BlockValues = [u32; BLOCK];
/// Frequencies of a cell of a dense list.
type CellFreqs = [u32; CELL_DOCS as usize];

/// As many as the cursors of a query may be.
const KEPT_MOST: usize = 64;

impl Lend for BlockValues {
    const KEPT_MOST: usize = KEPT_MOST;

    fn make() -> Box<BlockValues> {
        Box::new([0; BLOCK])
    }

    fn kept() -> &'static LocalKey<lent::Kept<BlockValues>> {
        thread_local! {
            static KEPT: lent::Kept<BlockValues> = const { RefCell::new(Vec::new()) };
        }
        &KEPT
    }
}

impl Lend for CellFreqs {
    const KEPT_MOST: usize = KEPT_MOST;

    fn make() -> Box<CellFreqs> {
        Box::new([0; CELL_DOCS as usize])
    }

    fn kept() -> &'static LocalKey<lent::Kept<CellFreqs>> {
        thread_local! {
            static KEPT: lent::Kept<CellFreqs> = const { RefCell::new(Vec::new()) };
        }
        &KEPT
    }
}

/// Room for the frequencies of a cursor: all 1 where none will be decoded.
fn freqs_for<const N: usize>(dictionary: &Dictionary, need: PostingsNeed) -> Lent<[u32; N]>
where
    [u32; N]: Lend,
{
    let mut freqs = Lent::<[u32; N]>::take();
    if !dictionary.freqs_kept || need < PostingsNeed::Freqs {
        freqs.fill(1);
    }
    freqs
}

/// The pairs of freq and norm that bound a block, as they are kept; see [`pairs_of`].
pub(crate) type Pairs = [(u8, u8); 4];

/// The pairs of one of many blocks.
#[inline]
fn pairs_at(rows: &ImpactRows<'_>, block: usize) -> Option<Pairs> {
    let mut pairs = [(0, 0); 4];
    for (pair, (freqs, norms)) in pairs.iter_mut().zip(rows.freqs.iter().zip(&rows.norms)) {
        *pair = (*freqs.get(block)?, *norms.get(block)?);
    }
    Some(pairs)
}

/// How many windows a segment has.
fn window_count(max_doc: u32) -> usize {
    max_doc.div_ceil(WINDOW_DOCS) as usize
}

/// The pairs that bound a block, without those that are only there to fill its four places.
fn pairs_of(freqs: [u8; 4], norms: [u8; 4], out: &mut Vec<Impact>) {
    out.clear();
    for (freq, norm) in freqs.into_iter().zip(norms) {
        let freq = if freq == u8::MAX {
            u32::MAX
        } else {
            u32::from(freq)
        };
        let impact = Impact { freq, norm };
        if out.last() != Some(&impact) {
            out.push(impact);
        }
    }
}
