//! How queries run: planned against a shard, then executed segment by segment in windows of 4096 documents.
//!
//! 1. `plan` turns a [`Query`](crate::query::Query) into a tree of few primitives (`node`) with the schema and the
//!    statistics of the whole shard.
//! 2. `segment_scorer` makes `scorer`s of it for one segment.
//! 3. Whoever searches asks the scorer window by window and hands documents to collectors.

mod automaton;
mod bm25;
mod chance;
mod combined;
mod conjunction;
mod disjunction;
mod doc_set;
mod enough_of;
mod explain;
mod explanation;
mod filters;
mod functions;
mod lowered;
mod node;
mod phrase;
mod plan;
mod range_scorer;
pub(crate) mod ranked;
mod regexp;
mod scorer;
mod segment_scorer;
mod statistics;
mod synonyms;
mod term_scorer;

pub(crate) use automaton::TermAutomaton;
pub(crate) use chance::murmur;
pub use explanation::Explanation;
pub(crate) use node::{DocsNode, Node};
pub(crate) use plan::Planner;
pub(crate) use scorer::{Hits, NO_MORE, Scorer};
pub(crate) use segment_scorer::SegmentScope;
pub(crate) use statistics::ShardFields;
