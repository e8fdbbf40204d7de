//! Second formats of sections; those that never changed are still in [`v1`](super::v1).

pub(crate) mod column_encodings;
pub(crate) mod columns;
mod dense;
pub(crate) mod describe;
pub(super) mod packing;
mod positions;
pub(crate) mod postings;
mod sparse;

pub(crate) use dense::{CELL_DOCS, DenseSkips, cell_freq, cell_freqs};
pub(crate) use positions::{Group, PositionsIndex};
pub(crate) use sparse::{BLOCK, SparseSkips, decode_docs, decode_freq, decode_freqs, docs_len};
