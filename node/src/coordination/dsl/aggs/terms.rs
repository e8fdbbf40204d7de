//! `terms`.

use quidditch_engine::aggs::include_exclude::{IncludeExclude, Partition, TermSet};
use quidditch_engine::aggs::terms::TermsAgg;
use quidditch_engine::aggs::{AggKind, FieldSource};

use super::order;
use super::params::{AggBody, SourceParams};
use crate::coordination::dsl::{Json, ParseError};

/// `{"field": "colour", "size": 5}`. `execution_hint` and `collect_mode` are read and have no effect: there is one way
/// to collect, and its answers are the same.
pub(super) fn parse(body: &AggBody<'_>) -> Result<AggKind, ParseError> {
    let mut source = SourceParams::new(body);
    let mut agg = TermsAgg::new(FieldSource::default());
    for (key, value) in body.json.members() {
        match key {
            "execution_hint" => one_of(&value, &["map", "global_ordinals"], "execution_hint")?,
            _ if read_sizes(body, key, &value, &mut agg)? => {}
            _ if read_filter(key, &value, &mut agg.filter)? => {}
            _ if source.read(key, &value)? => {}
            _ => {
                let known = [
                    "collect_mode",
                    "exclude",
                    "execution_hint",
                    "field",
                    "format",
                    "include",
                    "min_doc_count",
                    "missing",
                    "order",
                    "shard_min_doc_count",
                    "shard_size",
                    "show_term_doc_count_error",
                    "size",
                    "value_type",
                ];
                return Err(body.unknown(key, &value, &known));
            }
        }
    }
    if agg.filter.partition.is_some() && agg.filter.exclude.is_some() {
        return Err(body
            .json
            .illegal("Cannot specify any excludes when using a partition-based include"));
    }
    agg.source = source.finish(true)?;
    Ok(AggKind::Terms(agg))
}

/// Reads sizes, thresholds and order, which `multi_terms` has too; whether the parameter was one of them.
pub(super) fn read_sizes(
    body: &AggBody<'_>,
    key: &str,
    value: &Json<'_>,
    agg: &mut TermsAgg,
) -> Result<bool, ParseError> {
    match key {
        "size" => agg.size = body.at_least(value, 1, "size")? as usize,
        "shard_size" => agg.shard_size = Some(body.at_least(value, 1, "shardSize")? as usize),
        "min_doc_count" => agg.min_doc_count = body.at_least(value, 0, "minDocCount")?,
        "shard_min_doc_count" => {
            agg.shard_min_doc_count = body.at_least(value, 0, "shardMinDocCount")?;
        }
        "show_term_doc_count_error" => agg.show_term_doc_count_error = value.bool()?,
        "order" => agg.order = order::parse(value)?,
        "collect_mode" => one_of(value, &["depth_first", "breadth_first"], "collect_mode")?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// Reads `include` and `exclude`; whether the parameter was one of them.
pub(super) fn read_filter(
    key: &str,
    value: &Json<'_>,
    filter: &mut IncludeExclude,
) -> Result<bool, ParseError> {
    match key {
        "include" => read_include(value, filter)?,
        "exclude" => filter.exclude = Some(term_set(value, "exclude")?),
        _ => return Ok(false),
    }
    Ok(true)
}

pub(super) fn one_of(value: &Json<'_>, allowed: &[&str], name: &str) -> Result<(), ParseError> {
    let text = value.text()?;
    if allowed.contains(&text.as_str()) {
        return Ok(());
    }
    Err(value.illegal(format!(
        "Invalid [{name}] value [{text}], must be one of {allowed:?}"
    )))
}

fn read_include(value: &Json<'_>, filter: &mut IncludeExclude) -> Result<(), ParseError> {
    if !value.is_object() {
        filter.include = Some(term_set(value, "include")?);
        return Ok(());
    }
    let (mut number, mut count) = (None, None);
    for (key, value) in value.members() {
        match key {
            "partition" => number = Some(value.i32()?),
            "num_partitions" => count = Some(value.i32()?),
            _ => {
                return Err(value.parsing(format!(
                    "Unknown parameter in Include/Exclude clause: {key}"
                )));
            }
        }
    }
    let Some(number) = number else {
        return Err(value.illegal("Missing [partition] parameter for partition-based include"));
    };
    let Some(count) = count else {
        return Err(value.illegal("Missing [num_partitions] parameter for partition-based include"));
    };
    if count < 1 || number < 0 || number >= count {
        return Err(value.illegal(format!(
            "[partition] must be from 0 to [num_partitions] - 1, found [{number}] of [{count}]"
        )));
    }
    filter.partition = Some(Partition {
        number: number as u32,
        count: count as u32,
    });
    Ok(())
}

fn term_set(value: &Json<'_>, name: &str) -> Result<TermSet, ParseError> {
    if value.is_string() {
        return Ok(TermSet::Pattern(value.text()?));
    }
    if !value.is_array() {
        return Err(value.illegal(format!(
            "Unrecognized token for an {name} [{}]",
            value.token()
        )));
    }
    let mut values = Vec::new();
    for item in value.items() {
        if !item.is_scalar() {
            return Err(
                item.parsing("Array elements in include/exclude clauses should be string values")
            );
        }
        values.push(item.scalar()?);
    }
    Ok(TermSet::Values(values))
}
