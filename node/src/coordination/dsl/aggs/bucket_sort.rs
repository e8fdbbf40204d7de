//! `bucket_sort`.

use quidditch_engine::aggs::AggKind;
use quidditch_engine::aggs::pipeline::{
    BucketSortAgg, BucketSortKey, BucketsPath, GapPolicy, PipelineAgg,
};

use super::bucket_metrics::gap_policy;
use super::params::AggBody;
use crate::coordination::dsl::{Json, ParseError};

/// `{"sort": [{"sales": {"order": "desc"}}], "from": 0, "size": 3}`
pub(super) fn parse(body: &AggBody<'_>) -> Result<AggKind, ParseError> {
    let mut agg = BucketSortAgg {
        sort: Vec::new(),
        from: 0,
        size: None,
        gaps: GapPolicy::Skip,
    };
    for (key, value) in body.json.members() {
        match key {
            "sort" => {
                for item in value.items_or_self() {
                    read_key(&item, &mut agg.sort)?;
                }
            }
            "from" => agg.from = body.at_least(&value, 0, "from")? as usize,
            "size" => agg.size = Some(body.at_least(&value, 1, "size")? as usize),
            "gap_policy" => agg.gaps = gap_policy(&value)?,
            _ => return Err(body.unknown(key, &value, &["from", "gap_policy", "size", "sort"])),
        }
    }
    if agg.sort.is_empty() && agg.from == 0 && agg.size.is_none() {
        return Err(body
            .json
            .illegal(format!("[{}] is configured to perform nothing. Please set either of [sort, size, from] to use bucket_sort", body.agg)));
    }
    Ok(AggKind::Pipeline(PipelineAgg::BucketSort(agg)))
}

fn read_key(item: &Json<'_>, keys: &mut Vec<BucketSortKey>) -> Result<(), ParseError> {
    if item.is_string() {
        keys.push(BucketSortKey {
            path: BucketsPath::parse(&item.text()?),
            ascending: true,
        });
        return Ok(());
    }
    if !item.is_object() {
        return Err(item.parsing(format!(
            "Unexpected token [{}] in [sort]: expected a path or an object",
            item.token()
        )));
    }
    for (path, value) in item.members() {
        let direction = match value.get("order") {
            Some(order) => order.text()?,
            None if value.is_object() => "asc".to_owned(),
            None => value.text()?,
        };
        let ascending = match direction.as_str() {
            "asc" => true,
            "desc" => false,
            _ => return Err(value.illegal(format!("Unknown SortOrder [{direction}]"))),
        };
        keys.push(BucketSortKey {
            path: BucketsPath::parse(path),
            ascending,
        });
    }
    Ok(())
}
