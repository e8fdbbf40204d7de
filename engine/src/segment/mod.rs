//! Segments: immutable files of documents `0..max_doc`, opened, read and checked.

mod block_cache;
mod columns;
mod doc_set;
mod error;
mod fielddata;
mod filter_cache;
#[cfg(test)]
mod hostile_tests;
mod live_docs;
mod norms;
mod points;
mod postings;
mod reader;
mod stored;
mod terms;
mod verify;
mod window;

pub use crate::format::envelope::{SectionEntry, SectionKind};
pub(crate) use columns::Layout;
pub use columns::{ColumnWindow, NumericColumn, OrdinalColumn, ZoneMap};
pub(crate) use doc_set::{DocSet, DocSetBuilder};
pub use error::{MergeError, OpenSegmentError, ReadError, VerifyError};
pub use fielddata::{FIELDDATA, FielddataError, FielddataMemory};
pub(crate) use filter_cache::FilterKey;
pub use filter_cache::{FILTERS, FilterCache, FilterCacheStats, ShardFilters};
pub use live_docs::LiveDocs;
pub use norms::{NormsReader, length_of_norm, norm_of_length};
pub(crate) use points::LeafPairs;
pub use points::PointsReader;
pub(crate) use postings::{
    CELL_DOCS, DocPositions, List, Pairs, PositionsStream, ShortList, Spot, part_at,
};
pub use postings::{Impact, PostingsCursor, PostingsNeed};
pub use reader::{FieldInfo, ID_FIELD, SegmentReader};
pub use stored::StoredDocument;
pub(crate) use stored::StoredReader;
pub(crate) use terms::Lists;
pub use terms::{TermInfo, TermIter, TermSearch, TermsReader};
pub(crate) use verify::damaged_sections;
pub use window::{WINDOW_DOCS, Window};
