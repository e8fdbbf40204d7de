//! `weighted_avg`.

use quidditch_engine::aggs::weighted_avg::WeightedAvgAgg;
use quidditch_engine::aggs::{AggKind, FieldSource};

use super::params::AggBody;
use crate::coordination::dsl::{Json, ParseError};

/// `{"value": {"field": "grade"}, "weight": {"field": "hours", "missing": 1}}`
pub(super) fn parse(body: &AggBody<'_>) -> Result<AggKind, ParseError> {
    let (mut values, mut weights, mut format) = (None, None, None);
    for (key, value) in body.json.members() {
        match key {
            "value" => values = Some(source_of(body, value)?),
            "weight" => weights = Some(source_of(body, value)?),
            "format" => format = value.text_or_null()?,
            "value_type" => {
                value.text()?;
            }
            _ => {
                return Err(body.unknown(
                    key,
                    &value,
                    &["format", "value", "value_type", "weight"],
                ));
            }
        }
    }
    let required = |name: &str| {
        body.json
            .illegal(format!("[{name}] cannot be null: [{}]", body.agg))
    };
    Ok(AggKind::WeightedAvg(WeightedAvgAgg {
        value: values.ok_or_else(|| required("value"))?,
        weight: weights.ok_or_else(|| required("weight"))?,
        format,
    }))
}

fn source_of(body: &AggBody<'_>, json: Json<'_>) -> Result<FieldSource, ParseError> {
    let inner = AggBody {
        json,
        agg: body.agg,
        kind: body.kind,
    };
    inner.field_only()
}
