//! `significant_terms`.

use quidditch_engine::aggs::significance::{Contingency, Significance};
use quidditch_engine::aggs::significant_terms::SignificantTermsAgg;
use quidditch_engine::aggs::terms::TermsAgg;
use quidditch_engine::aggs::{AggKind, FieldSource};

use super::params::{AggBody, SourceParams};
use super::terms::{one_of, read_filter, read_sizes};
use crate::coordination::dsl::{Json, ParseError, parse_clause};

/// `{"field": "colour", "background_filter": {…}, "chi_square": {}}`
pub(super) fn parse(body: &AggBody<'_>) -> Result<AggKind, ParseError> {
    let mut source = SourceParams::new(body);
    let mut terms = TermsAgg {
        min_doc_count: 3,
        ..TermsAgg::new(FieldSource::default())
    };
    let mut significance = None;
    let mut background = None;
    for (key, value) in body.json.members() {
        let known = ["size", "shard_size", "min_doc_count", "shard_min_doc_count"];
        match key {
            "background_filter" => background = Some(parse_clause(&value)?),
            "jlh" | "mutual_information" | "chi_square" | "gnd" | "percentage" => {
                significance = Some(measure(body, key, &value)?);
            }
            "execution_hint" => one_of(&value, &["map", "global_ordinals"], "execution_hint")?,
            _ if known.contains(&key) && read_sizes(body, key, &value, &mut terms)? => {}
            _ if read_filter(key, &value, &mut terms.filter)? => {}
            _ if source.read(key, &value)? => {}
            _ => {
                let known = [
                    "background_filter",
                    "chi_square",
                    "exclude",
                    "field",
                    "format",
                    "gnd",
                    "include",
                    "jlh",
                    "min_doc_count",
                    "missing",
                    "mutual_information",
                    "percentage",
                    "shard_min_doc_count",
                    "shard_size",
                    "size",
                ];
                return Err(body.unknown(key, &value, &known));
            }
        }
    }
    let size = terms.size;
    let suggested = size.saturating_add(size / 2).saturating_add(10);
    let shard_size = terms.shard_size.unwrap_or(suggested.saturating_mul(2));
    terms.size = usize::MAX;
    terms.source = source.finish(false)?;
    Ok(AggKind::SignificantTerms(SignificantTermsAgg {
        terms,
        size,
        shard_size,
        significance: significance.unwrap_or_default(),
        background,
    }))
}

fn measure(body: &AggBody<'_>, name: &str, value: &Json<'_>) -> Result<Significance, ParseError> {
    let mut options = Contingency::default();
    for (key, value) in body.object(value, name)? {
        match key {
            "include_negatives" if ["mutual_information", "chi_square"].contains(&name) => {
                options.include_negatives = value.bool()?;
            }
            "background_is_superset" if !["jlh", "percentage"].contains(&name) => {
                options.background_is_superset = value.bool()?;
            }
            _ => {
                let known = ["background_is_superset", "include_negatives"];
                return Err(body.unknown(key, &value, &known));
            }
        }
    }
    Ok(match name {
        "mutual_information" => Significance::MutualInformation(options),
        "chi_square" => Significance::ChiSquare(options),
        "gnd" => Significance::Gnd {
            background_is_superset: options.background_is_superset,
        },
        "percentage" => Significance::Percentage,
        _ => Significance::Jlh,
    })
}
