//! Aggregations in a search body, and their results on the way back.

use quidditch_engine::aggs::{AggRequest, AggResult};
use serde_json::Value;

use super::ParseError;

/// Reads the object under `aggs` or `aggregations`.
#[allow(clippy::todo)]
pub fn parse_aggs(_body: &Value) -> Result<Vec<AggRequest>, ParseError> {
    todo!()
}

/// The object that stands under `aggregations` in the answer.
#[allow(clippy::todo)]
pub fn render_aggs(_results: &[AggResult], _typed_keys: bool) -> Value {
    todo!()
}
