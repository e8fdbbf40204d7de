//! The query language: request bodies become the engine's types here, once, and nowhere else.

pub mod aggs;
pub mod collapse;
pub mod fields;
pub mod geo;
pub mod highlight;
pub mod json;
pub mod json_text;
pub mod queries;
pub mod rescore;
pub mod search_body;
pub mod sort;
pub mod source;
pub mod suggest;

pub use json::{Json, ParseError};
pub use queries::{parse_clause, parse_query};
