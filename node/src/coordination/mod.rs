//! Coordination: reads requests, asks the shards that hold the data, merges their answers.

pub mod by_query;
mod can_match;
pub mod dsl;
mod expand;
pub mod failures;
pub mod fan_out;
pub mod fetch;
mod held;
pub mod index_limits;
pub mod pit;
mod placed;
pub mod preference;
mod query_phase;
pub mod reduce;
pub mod rest;
pub mod route;
pub mod scroll;
mod scroll_note;
pub mod search;
pub mod search_input;
pub mod search_response;
#[cfg(test)]
mod search_tests;
pub mod searcher;
pub mod source_filter;
pub mod tasks;
pub mod terms_lookup;
pub mod write;
