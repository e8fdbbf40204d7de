//! `rare_terms`.

use quidditch_engine::aggs::AggKind;
use quidditch_engine::aggs::include_exclude::IncludeExclude;
use quidditch_engine::aggs::rare_terms::RareTermsAgg;

use super::params::{AggBody, SourceParams};
use super::terms::read_filter;
use crate::coordination::dsl::ParseError;

/// Documents that a rare term may have at most.
const MAX_DOC_COUNT_MAX: u64 = 100;

/// `{"field": "colour", "max_doc_count": 2}`. `precision` is checked and has no effect: the answer is exact.
pub(super) fn parse(body: &AggBody<'_>) -> Result<AggKind, ParseError> {
    let mut source = SourceParams::new(body);
    let mut filter = IncludeExclude::default();
    let mut max_doc_count = 1;
    for (key, value) in body.json.members() {
        match key {
            "max_doc_count" => {
                max_doc_count = body.at_least(&value, 1, "max_doc_count")?;
                if max_doc_count > MAX_DOC_COUNT_MAX {
                    return Err(value.illegal(format!(
                        "[max_doc_count] must be smaller than [{MAX_DOC_COUNT_MAX}] in [{}]",
                        body.agg
                    )));
                }
            }
            "precision" => {
                if value.f64()? < 0.00001 {
                    return Err(value.illegal("[precision] must be greater than 0.00001"));
                }
            }
            _ if read_filter(key, &value, &mut filter)? => {}
            _ if source.read(key, &value)? => {}
            _ => {
                let known = [
                    "exclude",
                    "field",
                    "include",
                    "max_doc_count",
                    "missing",
                    "precision",
                    "value_type",
                ];
                return Err(body.unknown(key, &value, &known));
            }
        }
    }
    let source = source.finish(true)?;
    Ok(AggKind::RareTerms(RareTermsAgg::new(
        source,
        filter,
        max_doc_count,
    )))
}
