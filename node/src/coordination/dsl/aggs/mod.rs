//! Aggregations in a search body, and their results on the way back.
//!
//! To add one: a file here with its parser, a row in [`AGG_CLAUSES`], and its engine side in
//! [`quidditch_engine::aggs`].

mod adjacency_matrix;
mod auto_date_histogram;
mod bucket_metrics;
mod bucket_sort;
mod cardinality;
mod composite;
mod date_histogram;
mod date_range;
mod extended_stats;
mod filter;
mod filters;
mod geo_distance;
mod geo_extent;
mod geo_grid;
mod global;
mod histogram;
mod ip_range;
mod limits;
mod median_absolute_deviation;
mod metrics;
mod missing;
mod multi_terms;
mod order;
mod params;
mod percentile_ranks;
mod percentiles;
mod range;
mod rare_terms;
mod render;
mod series;
mod significant_terms;
mod terms;
mod top_hits;
mod weighted_avg;

use quidditch_engine::aggs::pipeline::{PipelineAgg, in_order};
use quidditch_engine::aggs::{AggKind, AggRequest};
use serde_json::Value;

pub use limits::check_limits;
pub use render::render_aggs;

use self::params::AggBody;
use super::suggest::did_you_mean;
use super::{Json, ParseError};

/// Levels that aggregations may be nested in each other.
const DEPTH_MAX: usize = 100;

/// One aggregation as users write it.
pub struct AggClause {
    /// The type's name.
    pub name: &'static str,
    /// Reads its body.
    pub parse: fn(&AggBody<'_>) -> Result<AggKind, ParseError>,
    /// Whether it has buckets that sub-aggregations can look into.
    pub buckets: bool,
    /// A body that it accepts.
    pub example: &'static str,
}

macro_rules! row {
    ($name:literal, $parse:expr, $buckets:literal, $example:literal) => {
        AggClause {
            name: $name,
            parse: $parse,
            buckets: $buckets,
            example: $example,
        }
    };
}

/// Every aggregation there is.
pub const AGG_CLAUSES: &[AggClause] = &[
    row!(
        "adjacency_matrix",
        adjacency_matrix::parse,
        true,
        r#"{"filters": {"red": {"term": {"colour": "red"}}}}"#
    ),
    row!(
        "auto_date_histogram",
        auto_date_histogram::parse,
        true,
        r#"{"field": "sold", "buckets": 5}"#
    ),
    row!("avg", metrics::avg, false, r#"{"field": "price"}"#),
    row!(
        "avg_bucket",
        bucket_metrics::avg,
        false,
        r#"{"buckets_path": "months>sales"}"#
    ),
    row!(
        "bucket_sort",
        bucket_sort::parse,
        false,
        r#"{"sort": [{"sales": "desc"}], "size": 3}"#
    ),
    row!(
        "cardinality",
        cardinality::parse,
        false,
        r#"{"field": "colour"}"#
    ),
    row!(
        "composite",
        composite::parse,
        true,
        r#"{"sources": [{"colour": {"terms": {"field": "colour"}}}]}"#
    ),
    row!(
        "cumulative_sum",
        series::cumulative_sum,
        false,
        r#"{"buckets_path": "sales"}"#
    ),
    row!(
        "date_histogram",
        date_histogram::parse,
        true,
        r#"{"field": "sold", "calendar_interval": "month"}"#
    ),
    row!(
        "date_range",
        date_range::parse,
        true,
        r#"{"field": "sold", "ranges": [{"from": "now-1M/M"}]}"#
    ),
    row!(
        "derivative",
        series::derivative,
        false,
        r#"{"buckets_path": "sales"}"#
    ),
    row!(
        "extended_stats",
        extended_stats::parse,
        false,
        r#"{"field": "price"}"#
    ),
    row!(
        "extended_stats_bucket",
        bucket_metrics::extended_stats,
        false,
        r#"{"buckets_path": "months>sales"}"#
    ),
    row!(
        "filter",
        filter::parse,
        true,
        r#"{"term": {"colour": "red"}}"#
    ),
    row!(
        "filters",
        filters::parse,
        true,
        r#"{"filters": {"red": {"term": {"colour": "red"}}}}"#
    ),
    row!(
        "geo_bounds",
        geo_extent::bounds,
        false,
        r#"{"field": "place"}"#
    ),
    row!(
        "geo_centroid",
        geo_extent::centroid,
        false,
        r#"{"field": "place"}"#
    ),
    row!(
        "geo_distance",
        geo_distance::parse,
        true,
        r#"{"field": "place", "origin": "52.37, 4.89", "ranges": [{"to": 1000}]}"#
    ),
    row!(
        "geohash_grid",
        geo_grid::geohash,
        true,
        r#"{"field": "place", "precision": 4}"#
    ),
    row!(
        "geotile_grid",
        geo_grid::geotile,
        true,
        r#"{"field": "place", "precision": 8}"#
    ),
    row!("global", global::parse, true, r#"{}"#),
    row!(
        "histogram",
        histogram::parse,
        true,
        r#"{"field": "price", "interval": 10}"#
    ),
    row!(
        "ip_range",
        ip_range::parse,
        true,
        r#"{"field": "client", "ranges": [{"mask": "10.0.0.0/8"}]}"#
    ),
    row!("max", metrics::max, false, r#"{"field": "price"}"#),
    row!(
        "max_bucket",
        bucket_metrics::max,
        false,
        r#"{"buckets_path": "months>sales"}"#
    ),
    row!(
        "median_absolute_deviation",
        median_absolute_deviation::parse,
        false,
        r#"{"field": "price"}"#
    ),
    row!("min", metrics::min, false, r#"{"field": "price"}"#),
    row!(
        "min_bucket",
        bucket_metrics::min,
        false,
        r#"{"buckets_path": "months>sales"}"#
    ),
    row!("missing", missing::parse, true, r#"{"field": "price"}"#),
    row!(
        "multi_terms",
        multi_terms::parse,
        true,
        r#"{"terms": [{"field": "colour"}, {"field": "size"}]}"#
    ),
    row!(
        "percentile_ranks",
        percentile_ranks::parse,
        false,
        r#"{"field": "price", "values": [10, 20]}"#
    ),
    row!(
        "percentiles",
        percentiles::parse,
        false,
        r#"{"field": "price"}"#
    ),
    row!(
        "percentiles_bucket",
        bucket_metrics::percentiles,
        false,
        r#"{"buckets_path": "months>sales"}"#
    ),
    row!(
        "range",
        range::parse,
        true,
        r#"{"field": "price", "ranges": [{"to": 10}, {"from": 10}]}"#
    ),
    row!(
        "rare_terms",
        rare_terms::parse,
        true,
        r#"{"field": "colour"}"#
    ),
    row!(
        "serial_diff",
        series::serial_diff,
        false,
        r#"{"buckets_path": "sales", "lag": 7}"#
    ),
    row!(
        "significant_terms",
        significant_terms::parse,
        true,
        r#"{"field": "colour", "chi_square": {"include_negatives": true}}"#
    ),
    row!("stats", metrics::stats, false, r#"{"field": "price"}"#),
    row!(
        "stats_bucket",
        bucket_metrics::stats,
        false,
        r#"{"buckets_path": "months>sales"}"#
    ),
    row!("sum", metrics::sum, false, r#"{"field": "price"}"#),
    row!(
        "sum_bucket",
        bucket_metrics::sum,
        false,
        r#"{"buckets_path": "months>sales"}"#
    ),
    row!("terms", terms::parse, true, r#"{"field": "colour"}"#),
    row!("top_hits", top_hits::parse, false, r#"{"size": 1}"#),
    row!(
        "value_count",
        metrics::value_count,
        false,
        r#"{"field": "price"}"#
    ),
    row!(
        "weighted_avg",
        weighted_avg::parse,
        false,
        r#"{"value": {"field": "grade"}, "weight": {"field": "hours"}}"#
    ),
];

/// Reads the object under `aggs` or `aggregations`.
pub fn parse_aggs(body: &Value) -> Result<Vec<AggRequest>, ParseError> {
    parse_level(&Json::root(body), 0)
}

fn parse_level(body: &Json<'_>, depth: usize) -> Result<Vec<AggRequest>, ParseError> {
    if depth > DEPTH_MAX {
        return Err(body.illegal(format!(
            "aggregations are nested in more than [{DEPTH_MAX}] levels"
        )));
    }
    let mut aggs: Vec<AggRequest> = Vec::new();
    for (name, definition) in body.members() {
        if name.is_empty() || name.contains(['[', ']', '>']) {
            return Err(definition.parsing(format!(
                "Invalid aggregation name [{name}]. Aggregation names can contain any character except '[', ']', \
                 and '>'"
            )));
        }
        let agg = parse_one(name, &definition, depth)?;
        if matches!(agg.kind, AggKind::Pipeline(_)) {
            check_place(&agg, &definition, depth)?;
        }
        aggs.push(agg);
    }
    if let Err(error) = in_order(&aggs) {
        return Err(body.illegal(error.to_string()));
    }
    Ok(aggs)
}

fn parse_one(name: &str, definition: &Json<'_>, depth: usize) -> Result<AggRequest, ParseError> {
    if !definition.is_object() {
        return Err(definition.parsing(format!(
            "Aggregation definition for [{name} starts with a [{}], expected a [START_OBJECT].",
            definition.token()
        )));
    }
    let mut kind: Option<(&'static AggClause, AggKind)> = None;
    let mut sub = None;
    let mut meta = None;
    for (key, value) in definition.members() {
        match key {
            "meta" if value.is_object() => meta = Some(value.value().to_string()),
            "aggs" | "aggregations" if value.is_object() => {
                if sub.is_some() {
                    return Err(value.parsing(format!(
                        "Found two sub aggregation definitions under [{name}]"
                    )));
                }
                sub = Some(parse_level(&value, depth + 1)?);
            }
            _ if !value.is_object() => {
                return Err(value.parsing(format!(
                    "Expected [START_OBJECT] under [{key}], but got a [{}] in [{name}]",
                    value.token()
                )));
            }
            _ => {
                let Some(clause) = AGG_CLAUSES.iter().find(|clause| clause.name == key) else {
                    let hint = did_you_mean(key, AGG_CLAUSES.iter().map(|clause| clause.name));
                    let cause = value.error(
                        "named_object_not_found_exception",
                        format!("unknown field [{key}]"),
                    );
                    return Err(value
                        .parsing(format!("Unknown aggregation type [{key}]{hint}"))
                        .with_cause(cause));
                };
                if let Some((first, _)) = &kind {
                    return Err(value.parsing(format!(
                        "Found two aggregation type definitions in [{name}]: [{}] and [{key}]",
                        first.name
                    )));
                }
                let body = AggBody {
                    json: value,
                    agg: name,
                    kind: clause.name,
                };
                kind = Some((clause, (clause.parse)(&body)?));
            }
        }
    }
    let Some((clause, kind)) = kind else {
        return Err(definition.parsing(format!("Missing definition for aggregation [{name}]")));
    };
    let sub = sub.unwrap_or_default();
    if !sub.is_empty() && !clause.buckets {
        return Err(definition.error(
            "aggregation_initialization_exception",
            format!(
                "Aggregator [{name}] of type [{}] cannot accept sub-aggregations",
                clause.name
            ),
        ));
    }
    if clause.name != "filter" && has_composite(&sub) {
        return Err(definition.illegal(format!(
            "[composite] aggregation cannot be used with a parentAggregation of type: [{}]",
            clause.name
        )));
    }
    Ok(AggRequest {
        name: name.to_owned(),
        kind,
        sub,
        meta,
    })
}

/// Whether there is a `composite` here or in `filter`s here.
fn has_composite(aggs: &[AggRequest]) -> bool {
    aggs.iter().any(|agg| match agg.kind {
        AggKind::Composite(_) => true,
        AggKind::Filter(_) => has_composite(&agg.sub),
        _ => false,
    })
}

/// Pipelines that work on the buckets that they stand in need some.
fn check_place(agg: &AggRequest, definition: &Json<'_>, depth: usize) -> Result<(), ParseError> {
    let AggKind::Pipeline(pipeline) = &agg.kind else {
        return Ok(());
    };
    let what = match pipeline {
        PipelineAgg::BucketMetrics(_) => return Ok(()),
        PipelineAgg::Series(_) => "parent pipeline",
        PipelineAgg::BucketSort(_) => "bucket_sort",
    };
    if depth > 0 {
        return Ok(());
    }
    Err(definition.error(
        "action_request_validation_exception",
        format!(
            "Validation Failed: 1: {what} aggregation [{}] must be declared inside of another aggregation;",
            agg.name
        ),
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_row_reads_its_example() {
        for clause in AGG_CLAUSES {
            let example: Value = serde_json::from_str(clause.example).unwrap();
            let inner = json!({"x": {clause.name: example}});
            let body = json!({"outer": {"terms": {"field": "f"}, "aggs": inner}});
            // two that stand on the first level only
            let outermost = ["global", "composite"].contains(&clause.name);
            let body = if outermost { inner } else { body };
            let aggs = parse_aggs(&body).unwrap_or_else(|error| panic!("{}: {error}", clause.name));
            let text = serde_json::to_string(&aggs).unwrap();
            assert_eq!(
                serde_json::from_str::<Vec<AggRequest>>(&text).unwrap(),
                aggs,
                "{}",
                clause.name
            );
        }
    }

    #[test]
    fn rows_are_sorted_and_refuse_what_they_do_not_know() {
        assert!(AGG_CLAUSES.is_sorted_by_key(|clause| clause.name));
        for clause in AGG_CLAUSES {
            if clause.name == "filter" {
                continue;
            }
            let mut example: Value = serde_json::from_str(clause.example).unwrap();
            example["no_such_parameter"] = json!(1);
            let error = parse_aggs(&json!({"x": {clause.name: example}})).unwrap_err();
            assert!(
                error.reason.contains("no_such_parameter"),
                "{}: {error}",
                clause.name
            );
        }
    }

    fn refused(body: Value, expected: &str) {
        let error = parse_aggs(&body).unwrap_err();
        assert!(error.reason.contains(expected), "{error}");
    }

    #[test]
    fn mistakes_are_named() {
        refused(
            json!({"x": {"trems": {}}}),
            "Unknown aggregation type [trems] did you mean",
        );
        refused(json!({"x": {}}), "Missing definition for aggregation [x]");
        refused(
            json!({"x[": {"terms": {"field": "f"}}}),
            "Invalid aggregation name [x[]",
        );
        refused(
            json!({"x": {"terms": {"size": 1}}}),
            "Required one of fields [field, script]",
        );
        refused(
            json!({"x": {"terms": {"field": "f", "size": 0}}}),
            "[size] must be greater than 0. Found [0] in [x]",
        );
        refused(json!({"x": {"filters": {}}}), "[filters] cannot be empty");
        refused(
            json!({"x": {"avg": {"field": "f"}, "aggs": {"y": {"avg": {"field": "f"}}}}}),
            "cannot accept sub-aggregations",
        );
        refused(
            json!({"x": {"avg_bucket": {"buckets_path": "y"}}, "y": {"sum_bucket": {"buckets_path": "x"}}}),
            "Cyclical dependency found with pipeline aggregator [x]",
        );
        refused(
            json!({"x": {"cardinality": {"field": "f", "precision_threshold": -1}}}),
            "[precisionThreshold]",
        );
    }
}
