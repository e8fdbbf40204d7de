//! `top_hits`.

use quidditch_engine::aggs::AggKind;
use quidditch_engine::aggs::top_hits::TopHitsAgg;

use super::params::AggBody;
use crate::coordination::dsl::ParseError;
use crate::coordination::dsl::fields::{StoredFields, parse_field_formats};
use crate::coordination::dsl::sort::parse_sort;
use crate::coordination::dsl::source::FetchSource;

/// `{"size": 1, "sort": [{"sold": "desc"}], "_source": ["name"]}`
pub(super) fn parse(body: &AggBody<'_>) -> Result<AggKind, ParseError> {
    let mut agg = TopHitsAgg::new();
    for (key, value) in body.json.members() {
        match key {
            "from" => agg.from = body.at_least(&value, 0, "from")? as usize,
            "size" => agg.size = body.at_least(&value, 0, "size")? as usize,
            "sort" => agg.sort = parse_sort(&value)?,
            "track_scores" => agg.track_scores = value.bool()?,
            "version" => agg.fetch.version = value.bool()?,
            "seq_no_primary_term" => agg.fetch.seq_no_primary_term = value.bool()?,
            "_source" => {
                let source = FetchSource::parse(&value)?;
                agg.fetch.source = source.enabled;
                agg.source_includes = source.includes;
                agg.source_excludes = source.excludes;
            }
            "docvalue_fields" => agg.fetch.docvalue_fields = parse_field_formats(&value)?,
            "fields" => agg.fetch.fields = parse_field_formats(&value)?,
            "stored_fields" => match StoredFields::parse(&value)? {
                StoredFields::None => agg.fetch.source = false,
                StoredFields::Names(names) => {
                    agg.fetch.source = names.iter().any(|name| name == "_source");
                    agg.fetch.stored_fields = names;
                }
            },
            "explain" if !value.bool()? => {}
            "explain" | "highlight" | "script_fields" => {
                return Err(value.illegal(format!(
                    "[{key}] is not supported in aggregation [{}] of type [top_hits]",
                    body.agg
                )));
            }
            _ => {
                let known = [
                    "_source",
                    "docvalue_fields",
                    "explain",
                    "fields",
                    "from",
                    "seq_no_primary_term",
                    "size",
                    "sort",
                    "stored_fields",
                    "track_scores",
                    "version",
                ];
                return Err(body.unknown(key, &value, &known));
            }
        }
    }
    Ok(AggKind::TopHits(agg))
}
