//! `histogram`.

use quidditch_engine::aggs::histogram::{HistogramAgg, NumberBounds};
use quidditch_engine::aggs::{AggKind, BucketOrder, FieldSource};

use super::order;
use super::params::{AggBody, SourceParams};
use crate::coordination::dsl::{Json, ParseError};

/// `{"field": "price", "interval": 10, "min_doc_count": 1}`
pub(super) fn parse(body: &AggBody<'_>) -> Result<AggKind, ParseError> {
    let mut source = SourceParams::new(body);
    let mut agg = HistogramAgg {
        source: FieldSource::default(),
        interval: 0.0,
        offset: 0.0,
        min_doc_count: 0,
        extended_bounds: None,
        hard_bounds: None,
        keyed: false,
        order: vec![BucketOrder::key(true)],
    };
    for (key, value) in body.json.members() {
        match key {
            "interval" => agg.interval = value.f64()?,
            "offset" => agg.offset = value.f64()?,
            "min_doc_count" => agg.min_doc_count = min_doc_count(body, &value)?,
            "extended_bounds" => agg.extended_bounds = Some(bounds(body, &value)?),
            "hard_bounds" => agg.hard_bounds = Some(bounds(body, &value)?),
            "keyed" => agg.keyed = value.bool()?,
            "order" => agg.order = order::parse(&value)?,
            _ if source.read(key, &value)? => {}
            _ => {
                let known = [
                    "extended_bounds",
                    "field",
                    "format",
                    "hard_bounds",
                    "interval",
                    "keyed",
                    "min_doc_count",
                    "missing",
                    "offset",
                    "order",
                ];
                return Err(body.unknown(key, &value, &known));
            }
        }
    }
    if agg.interval.is_nan() || agg.interval.is_infinite() || agg.interval <= 0.0 {
        return Err(body.json.illegal(format!(
            "[interval] must be >0 for histogram aggregation [{}]",
            body.agg
        )));
    }
    if !agg.offset.is_finite() {
        return Err(body.json.illegal(format!(
            "[offset] must be a finite number for histogram aggregation [{}]",
            body.agg
        )));
    }
    if let Some(bounds) = agg.extended_bounds
        && let (Some(min), Some(max)) = (bounds.min, bounds.max)
        && max < min
    {
        return Err(body.json.illegal(format!(
            "max bound [{max:?}] must be greater than min bound [{min:?}]"
        )));
    }
    if let (Some(extended), Some(hard)) = (agg.extended_bounds, agg.hard_bounds) {
        let below =
            matches!((extended.min, hard.min), (Some(extended), Some(hard)) if extended < hard);
        let above =
            matches!((extended.max, hard.max), (Some(extended), Some(hard)) if extended > hard);
        if below || above {
            return Err(body.json.illegal(
                "Extended bounds have to be inside hard bounds, hard bounds: extended bounds",
            ));
        }
    }
    agg.source = source.finish(true)?;
    Ok(AggKind::Histogram(agg))
}

pub(super) fn min_doc_count(body: &AggBody<'_>, value: &Json<'_>) -> Result<u64, ParseError> {
    let count = value.i64()?;
    u64::try_from(count).map_err(|_| {
        value.illegal(format!(
            "[minDocCount] must be greater than or equal to 0. Found [{count}] in [{}]",
            body.agg
        ))
    })
}

fn bounds(body: &AggBody<'_>, value: &Json<'_>) -> Result<NumberBounds, ParseError> {
    let mut bounds = NumberBounds::default();
    for (key, value) in body.object(value, value.key())? {
        match key {
            "min" => bounds.min = value.f64_or_null()?,
            "max" => bounds.max = value.f64_or_null()?,
            _ => return Err(body.unknown(key, &value, &["max", "min"])),
        }
    }
    Ok(bounds)
}
