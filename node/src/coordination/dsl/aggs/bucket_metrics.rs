//! `avg_bucket`, `sum_bucket`, `min_bucket`, `max_bucket`, `stats_bucket`, `extended_stats_bucket`,
//! `percentiles_bucket`.

use quidditch_engine::aggs::AggKind;
use quidditch_engine::aggs::percentiles::PERCENTS_DEFAULT;
use quidditch_engine::aggs::pipeline::{
    BucketMetric, BucketMetricsAgg, BucketsPath, GapPolicy, PipelineAgg,
};

use super::params::AggBody;
use super::percentiles::numbers;
use crate::coordination::dsl::{Json, ParseError};

/// `{"buckets_path": "months>sales"}`
pub(super) fn avg(body: &AggBody<'_>) -> Result<AggKind, ParseError> {
    parse(body, BucketMetric::Avg)
}

/// `{"buckets_path": "months>sales"}`
pub(super) fn sum(body: &AggBody<'_>) -> Result<AggKind, ParseError> {
    parse(body, BucketMetric::Sum)
}

/// `{"buckets_path": "months>sales"}`
pub(super) fn min(body: &AggBody<'_>) -> Result<AggKind, ParseError> {
    parse(body, BucketMetric::Min)
}

/// `{"buckets_path": "months>sales"}`
pub(super) fn max(body: &AggBody<'_>) -> Result<AggKind, ParseError> {
    parse(body, BucketMetric::Max)
}

/// `{"buckets_path": "months>sales"}`
pub(super) fn stats(body: &AggBody<'_>) -> Result<AggKind, ParseError> {
    parse(body, BucketMetric::Stats)
}

/// `{"buckets_path": "months>sales", "sigma": 3}`
pub(super) fn extended_stats(body: &AggBody<'_>) -> Result<AggKind, ParseError> {
    parse(body, BucketMetric::ExtendedStats { sigma: 2.0 })
}

/// `{"buckets_path": "months>sales", "percents": [50, 99]}`
pub(super) fn percentiles(body: &AggBody<'_>) -> Result<AggKind, ParseError> {
    let percents = PERCENTS_DEFAULT.to_vec();
    parse(
        body,
        BucketMetric::Percentiles {
            percents,
            keyed: true,
        },
    )
}

fn parse(body: &AggBody<'_>, mut metric: BucketMetric) -> Result<AggKind, ParseError> {
    let mut common = PipelineParams::default();
    for (key, value) in body.json.members() {
        if common.read(key, &value)? {
            continue;
        }
        match (key, &mut metric) {
            ("sigma", BucketMetric::ExtendedStats { sigma }) => {
                *sigma = value.f64()?;
                if sigma.is_nan() || *sigma < 0.0 {
                    return Err(value.illegal("[sigma] must be a non-negative double"));
                }
            }
            ("percents", BucketMetric::Percentiles { percents, .. }) => {
                *percents = numbers(body, &value, "percents")?
            }
            ("keyed", BucketMetric::Percentiles { keyed, .. }) => *keyed = value.bool()?,
            _ => return Err(body.unknown(key, &value, &["buckets_path", "format", "gap_policy"])),
        }
    }
    Ok(AggKind::Pipeline(PipelineAgg::BucketMetrics(
        BucketMetricsAgg {
            metric,
            path: common.path(body)?,
            gaps: common.gaps,
            format: common.format,
        },
    )))
}

/// What all pipelines have.
pub(super) struct PipelineParams {
    path: Option<String>,
    pub gaps: GapPolicy,
    pub format: Option<String>,
}

impl Default for PipelineParams {
    fn default() -> Self {
        PipelineParams {
            path: None,
            gaps: GapPolicy::Skip,
            format: None,
        }
    }
}

impl PipelineParams {
    /// Whether the parameter was one of `buckets_path`, `gap_policy` and `format`.
    pub fn read(&mut self, key: &str, value: &Json<'_>) -> Result<bool, ParseError> {
        match key {
            "buckets_path" => {
                let mut paths = value.texts()?;
                if paths.len() != 1 {
                    return Err(value.parsing("buckets_path must contain a single entry"));
                }
                self.path = paths.pop();
            }
            "gap_policy" => self.gaps = gap_policy(value)?,
            "format" => self.format = value.text_or_null()?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The path, which must be there.
    pub fn path(&self, body: &AggBody<'_>) -> Result<BucketsPath, ParseError> {
        match &self.path {
            Some(path) => Ok(BucketsPath::parse(path)),
            None => Err(body.json.parsing(format!(
                "Missing required field [buckets_path] for {} aggregation [{}]",
                body.kind, body.agg
            ))),
        }
    }
}

pub(super) fn gap_policy(value: &Json<'_>) -> Result<GapPolicy, ParseError> {
    let text = value.text()?;
    match text.as_str() {
        "skip" => Ok(GapPolicy::Skip),
        "insert_zeros" => Ok(GapPolicy::InsertZeros),
        _ => Err(value.parsing(format!(
            "Invalid gap policy: [{text}], accepted values: [insert_zeros, skip]"
        ))),
    }
}
