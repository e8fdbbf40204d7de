//! `adjacency_matrix`.

use quidditch_engine::aggs::AggKind;
use quidditch_engine::aggs::adjacency_matrix::AdjacencyMatrixAgg;

use super::params::AggBody;
use crate::coordination::dsl::{ParseError, parse_clause};

/// `{"filters": {"red": {…}, "blue": {…}}, "separator": "&"}`
pub(super) fn parse(body: &AggBody<'_>) -> Result<AggKind, ParseError> {
    let mut filters = Vec::new();
    let mut separator = "&".to_owned();
    for (key, value) in body.json.members() {
        match key {
            "filters" if value.is_object() => {
                for (name, query) in value.members() {
                    filters.push((name.to_owned(), parse_clause(&query)?));
                }
            }
            "separator" => separator = value.text()?,
            _ => return Err(body.unknown(key, &value, &["filters", "separator"])),
        }
    }
    if filters.is_empty() {
        return Err(body.json.illegal(format!(
            "[filters] cannot be empty in aggregation [{}]",
            body.agg
        )));
    }
    filters.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(AggKind::AdjacencyMatrix(AdjacencyMatrixAgg {
        filters,
        separator,
    }))
}
