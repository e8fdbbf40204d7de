//! `multi_terms`.

use quidditch_engine::aggs::multi_terms::MultiTermsAgg;
use quidditch_engine::aggs::terms::TermsAgg;
use quidditch_engine::aggs::{AggKind, FieldSource};

use super::params::{AggBody, SourceParams};
use super::terms::read_sizes;
use crate::coordination::dsl::{Json, ParseError};

/// `{"terms": [{"field": "colour"}, {"field": "size"}], "order": {"_key": "asc"}}`
pub(super) fn parse(body: &AggBody<'_>) -> Result<AggKind, ParseError> {
    let mut sources = Vec::new();
    let mut terms = TermsAgg::new(FieldSource::default());
    for (key, value) in body.json.members() {
        match key {
            "terms" => {
                for item in value.items_or_self() {
                    sources.push(parse_source(body, item)?);
                }
            }
            _ if read_sizes(body, key, &value, &mut terms)? => {}
            _ => {
                let known = [
                    "collect_mode",
                    "min_doc_count",
                    "order",
                    "shard_min_doc_count",
                    "shard_size",
                    "show_term_doc_count_error",
                    "size",
                    "terms",
                ];
                return Err(body.unknown(key, &value, &known));
            }
        }
    }
    if sources.len() < 2 {
        return Err(body.json.illegal(
            "multi term aggregation must has at least 2 terms. Found ".to_owned()
                + &format!("[{}] in [{}]", sources.len(), body.agg)
                + " Use terms aggregation for single term aggregation",
        ));
    }
    Ok(AggKind::MultiTerms(MultiTermsAgg { sources, terms }))
}

fn parse_source(body: &AggBody<'_>, item: Json<'_>) -> Result<FieldSource, ParseError> {
    let inner = AggBody {
        json: item,
        agg: body.agg,
        kind: body.kind,
    };
    let mut source = SourceParams::new(&inner).zoned();
    for (key, value) in inner.json.members() {
        if !source.read(key, &value)? {
            return Err(inner.unknown(key, &value, SourceParams::NAMES));
        }
    }
    source.finish(true)
}
