//! The query language: request bodies become the engine's types here, once, and nowhere else.

pub mod aggs;
pub mod json;
pub mod json_text;

pub use json::{Json, ParseError};
