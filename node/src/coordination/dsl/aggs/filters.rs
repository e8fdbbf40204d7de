//! `filters`.

use quidditch_engine::aggs::AggKind;
use quidditch_engine::aggs::filters::FiltersAgg;

use super::params::AggBody;
use crate::coordination::dsl::{ParseError, parse_clause};

/// `{"filters": {"red": {…}, "blue": {…}}, "other_bucket_key": "rest"}`, or a list of queries without names.
pub(super) fn parse(body: &AggBody<'_>) -> Result<AggKind, ParseError> {
    let mut filters = Vec::new();
    let mut keyed = true;
    let mut other_bucket = None;
    let mut other_key = None;
    for (key, value) in body.json.members() {
        match key {
            "filters" if value.is_array() => {
                keyed = false;
                for (i, item) in value.items().enumerate() {
                    filters.push((i.to_string(), parse_clause(&item)?));
                }
            }
            "filters" if value.is_object() => {
                for (name, query) in value.members() {
                    filters.push((name.to_owned(), parse_clause(&query)?));
                }
            }
            "other_bucket" => other_bucket = Some(value.bool()?),
            "other_bucket_key" => other_key = Some(value.text()?),
            _ => {
                return Err(body.unknown(
                    key,
                    &value,
                    &["filters", "other_bucket", "other_bucket_key"],
                ));
            }
        }
    }
    if filters.is_empty() {
        return Err(body.json.illegal("[filters] cannot be empty"));
    }
    if keyed {
        // OpenSearch answers named filters in order of their names
        filters.sort_by(|a, b| a.0.cmp(&b.0));
    }
    let wanted = other_bucket.unwrap_or(other_key.is_some());
    Ok(AggKind::Filters(FiltersAgg {
        filters,
        keyed,
        other_bucket: wanted.then(|| other_key.unwrap_or_else(|| "_other_".to_owned())),
    }))
}
