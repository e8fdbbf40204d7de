//! Searching one shard: the request, the two phases (query, fetch) and their answers.
//!
//! The query phase finds which documents and feeds collectors, window by window; the fetch phase reads what is shown of
//! the few that won. Both work on a [`ShardReader`](crate::shard::ShardReader), which never changes.

mod can_match;
mod collector;
mod context;
mod doc_scores;
mod error;
mod fetch;
pub mod highlight;
mod memory;
mod phases;
mod query_phase;
mod request;
mod rescore;
mod result;
mod slice;
mod sort;
mod sort_bounds;
mod sort_reader;
mod sorted;
mod sorted_windows;
mod term_statistics;
mod top_scores;

pub use can_match::{CanMatch, can_match};
pub use collector::WindowCollector;
pub use context::SearchContext;
pub use error::SearchError;
pub use fetch::fetch;
pub use memory::MemoryAccount;
pub use phases::{count, matching_docs, query};
pub use request::{Collapse, SearchRequest, Slice, TrackTotalHits};
pub use rescore::{Rescore, RescoreMode};
pub use result::{
    DocAddress, FetchRequest, FetchedHit, FieldAndFormat, HitCount, HitRelation, ShardHit,
    ShardQueryResult,
};
pub(crate) use slice::ShardSlice;
pub use sort::{SortKey, SortMissing, SortMode, SortOrder, SortSource, SortValue};
pub use term_statistics::{TermStatistics, term_statistics};
pub(crate) use top_scores::TopScores;
