//! Answers as JSON, in OpenSearch's shapes.

use quidditch_engine::aggs::top_hits::{TopHit, TopHitsResult};
use quidditch_engine::aggs::{
    AggResult, Bucket, BucketKeys, Buckets, ExtendedStatsResult, Key, PercentileEntry, ResultBody,
    StatsResult, java_double,
};
use serde_json::{Map, Value, json};

use crate::coordination::dsl::json::from_scalar;
use crate::coordination::dsl::source::FetchSource;
use crate::coordination::search_response::HitJson;

/// The object that stands under `aggregations` in the answer.
pub fn render_aggs(results: &[AggResult], typed_keys: bool) -> Value {
    let mut out = Map::new();
    add_aggs(&mut out, results, typed_keys);
    Value::Object(out)
}

fn add_aggs(out: &mut Map<String, Value>, results: &[AggResult], typed_keys: bool) {
    for result in results {
        let name = if typed_keys {
            format!("{}#{}", result.type_name, result.name)
        } else {
            result.name.clone()
        };
        let mut body = Map::new();
        if let Some(meta) = &result.meta
            && let Ok(meta) = serde_json::from_str(meta)
        {
            body.insert("meta".to_owned(), meta);
        }
        add_body(&mut body, &result.body, typed_keys);
        out.insert(name, Value::Object(body));
    }
}

fn add_body(out: &mut Map<String, Value>, body: &ResultBody, typed_keys: bool) {
    match body {
        ResultBody::Value { value, text } => add_value(out, *value, text.as_deref()),
        ResultBody::Derivative {
            value,
            text,
            normalized,
        } => {
            add_value(out, Some(*value), text.as_deref());
            if let Some(normalized) = normalized {
                put(out, "normalized_value", number(*normalized));
            }
        }
        ResultBody::Count(count) => put(out, "value", json!(count)),
        ResultBody::Stats(stats) => {
            add_stats(out, stats);
            add_stats_texts(out, stats);
        }
        ResultBody::ExtendedStats(stats) => add_extended_stats(out, stats),
        ResultBody::Percentiles { keyed, values } => {
            put(out, "values", percentiles(*keyed, values))
        }
        ResultBody::Single { doc_count, aggs } => {
            put(out, "doc_count", json!(doc_count));
            add_aggs(out, aggs, typed_keys);
        }
        ResultBody::GeoBounds(Some(area)) => put(
            out,
            "bounds",
            json!({
                "top_left": {"lat": area.top, "lon": area.left},
                "bottom_right": {"lat": area.bottom, "lon": area.right},
            }),
        ),
        ResultBody::GeoBounds(None) => {}
        ResultBody::GeoCentroid { location, count } => {
            if let Some(place) = location {
                put(out, "location", json!({"lat": place.lat, "lon": place.lon}));
            }
            put(out, "count", json!(count));
        }
        ResultBody::Buckets(buckets) => add_buckets(out, buckets, typed_keys),
        ResultBody::TopHits(hits) => put(out, "hits", top_hits(hits)),
        ResultBody::BucketValue { value, text, keys } => {
            add_value(out, *value, text.as_deref());
            put(out, "keys", json!(keys));
        }
    }
}

fn put(out: &mut Map<String, Value>, key: &str, value: Value) {
    out.insert(key.to_owned(), value);
}

/// A number; what JSON has no number for is text, as OpenSearch writes it.
fn number(value: f64) -> Value {
    if value.is_finite() {
        json!(value)
    } else {
        json!(java_double(value))
    }
}

fn number_or_null(value: Option<f64>) -> Value {
    value.map_or(Value::Null, number)
}

fn add_value(out: &mut Map<String, Value>, value: Option<f64>, text: Option<&str>) {
    let value = value.filter(|value| value.is_finite());
    put(out, "value", number_or_null(value));
    if let (Some(text), Some(_)) = (text, value) {
        put(out, "value_as_string", json!(text));
    }
}

fn add_stats(out: &mut Map<String, Value>, stats: &StatsResult) {
    put(out, "count", json!(stats.count));
    put(out, "min", number_or_null(stats.min));
    put(out, "max", number_or_null(stats.max));
    put(out, "avg", number_or_null(stats.avg));
    put(out, "sum", number(stats.sum));
}

fn add_stats_texts(out: &mut Map<String, Value>, stats: &StatsResult) {
    if let Some(texts) = &stats.text {
        for (name, text) in ["min", "max", "avg", "sum"].into_iter().zip(texts) {
            put(out, &format!("{name}_as_string"), json!(text));
        }
    }
}

fn add_extended_stats(out: &mut Map<String, Value>, stats: &ExtendedStatsResult) {
    let population = stats.deviation_population();
    let sampling = stats.deviation_sampling();
    let named = [
        ("sum_of_squares", stats.sum_of_squares),
        ("variance", stats.variance_population),
        ("variance_population", stats.variance_population),
        ("variance_sampling", stats.variance_sampling),
        ("std_deviation", population),
        ("std_deviation_population", population),
        ("std_deviation_sampling", sampling),
    ];
    let bounds = [
        ("upper", stats.bound(population, 1.0)),
        ("lower", stats.bound(population, -1.0)),
        ("upper_population", stats.bound(population, 1.0)),
        ("lower_population", stats.bound(population, -1.0)),
        ("upper_sampling", stats.bound(sampling, 1.0)),
        ("lower_sampling", stats.bound(sampling, -1.0)),
    ];
    add_stats(out, &stats.stats);
    for (name, value) in named {
        put(out, name, number_or_null(value));
    }
    let mut shown = Map::new();
    for (name, value) in bounds {
        put(&mut shown, name, number_or_null(value));
    }
    put(out, "std_deviation_bounds", Value::Object(shown));
    if stats.stats.text.is_none() {
        return;
    }
    let Some(format) = &stats.format else {
        return;
    };
    add_stats_texts(out, &stats.stats);
    for (name, value) in named {
        if let Some(text) = value.and_then(|value| format.number(value)) {
            put(out, &format!("{name}_as_string"), json!(text));
        }
    }
    let mut shown = Map::new();
    for (name, value) in bounds {
        if let Some(text) = value.and_then(|value| format.number(value)) {
            put(&mut shown, name, json!(text));
        }
    }
    put(out, "std_deviation_bounds_as_string", Value::Object(shown));
}

fn percentiles(keyed: bool, values: &[PercentileEntry]) -> Value {
    if keyed {
        let mut out = Map::new();
        for entry in values {
            let key = java_double(entry.key);
            put(&mut out, &key, number_or_null(entry.value));
            if let Some(text) = &entry.text {
                put(&mut out, &format!("{key}_as_string"), json!(text));
            }
        }
        return Value::Object(out);
    }
    let mut out = Vec::with_capacity(values.len());
    for entry in values {
        let mut item = Map::new();
        put(&mut item, "key", json!(entry.key));
        put(&mut item, "value", number_or_null(entry.value));
        if let Some(text) = &entry.text {
            put(&mut item, "value_as_string", json!(text));
        }
        out.push(Value::Object(item));
    }
    Value::Array(out)
}

fn key_json(key: &Key) -> Value {
    match key {
        Key::Str(text) => json!(text),
        Key::I64(n) => json!(n),
        Key::U64(n) => json!(n),
        Key::F64(n) => number(*n),
        Key::Bool(b) => json!(b),
        Key::Null => Value::Null,
        Key::List(keys) => Value::Array(keys.iter().map(key_json).collect()),
        Key::Named(keys) => {
            let mut out = Map::new();
            for (name, key) in keys {
                put(&mut out, name, key_json(key));
            }
            Value::Object(out)
        }
    }
}

fn add_buckets(out: &mut Map<String, Value>, buckets: &Buckets, typed_keys: bool) {
    if let Some(error) = buckets.doc_count_error_upper_bound {
        put(out, "doc_count_error_upper_bound", json!(error));
    }
    if let Some(other) = buckets.sum_other_doc_count {
        put(out, "sum_other_doc_count", json!(other));
    }
    if let Some((found, background)) = buckets.counts {
        put(out, "doc_count", json!(found));
        put(out, "bg_count", json!(background));
    }
    if let Some(after) = &buckets.after_key {
        put(out, "after_key", key_json(after));
    }
    if buckets.keyed {
        let mut shown = Map::new();
        for bucket in &buckets.buckets {
            shown.insert(
                bucket.name(),
                bucket_json(bucket, buckets.keys == BucketKeys::Shown, typed_keys),
            );
        }
        put(out, "buckets", Value::Object(shown));
    } else {
        let shows_key = buckets.keys != BucketKeys::Hidden;
        let mut shown = Vec::with_capacity(buckets.buckets.len());
        for bucket in &buckets.buckets {
            shown.push(bucket_json(bucket, shows_key, typed_keys));
        }
        put(out, "buckets", Value::Array(shown));
    }
    if let Some(interval) = &buckets.interval {
        put(out, "interval", json!(interval));
    }
}

fn bucket_json(bucket: &Bucket, shows_key: bool, typed_keys: bool) -> Value {
    let mut out = Map::new();
    if shows_key {
        if let (Some(text), Key::I64(_)) = (&bucket.key_as_string, &bucket.key) {
            // dates have their text first
            put(&mut out, "key_as_string", json!(text));
            put(&mut out, "key", key_json(&bucket.key));
        } else {
            put(&mut out, "key", key_json(&bucket.key));
            if let Some(text) = &bucket.key_as_string {
                put(&mut out, "key_as_string", json!(text));
            }
        }
    }
    for (name, end) in [("from", &bucket.from), ("to", &bucket.to)] {
        if let Some((key, text)) = end {
            put(&mut out, name, key_json(key));
            if let Some(text) = text {
                put(&mut out, &format!("{name}_as_string"), json!(text));
            }
        }
    }
    put(&mut out, "doc_count", json!(bucket.doc_count));
    if let Some((score, background)) = bucket.significance {
        put(&mut out, "score", number(score));
        put(&mut out, "bg_count", json!(background));
    }
    if let Some(error) = bucket.doc_count_error {
        put(&mut out, "doc_count_error_upper_bound", json!(error));
    }
    add_aggs(&mut out, &bucket.aggs, typed_keys);
    Value::Object(out)
}

fn top_hits(result: &TopHitsResult) -> Value {
    let filter = FetchSource {
        enabled: result.source,
        includes: result.source_includes.clone(),
        excludes: result.source_excludes.clone(),
    };
    let mut hits = Vec::with_capacity(result.hits.len());
    for hit in &result.hits {
        hits.push(hit_json(hit, result.sorted, &filter));
    }
    json!({
        "total": {"value": result.total, "relation": "eq"},
        "max_score": result.max_score.map(single),
        "hits": hits,
    })
}

fn hit_json(hit: &TopHit, sorted: bool, filter: &FetchSource) -> Value {
    let fetched = &hit.fetched;
    let mut shown = HitJson {
        index: hit.index.clone(),
        id: Some(fetched.id.clone()),
        version: fetched.version,
        seq_no: fetched.seq_no,
        primary_term: fetched.primary_term,
        score: hit.score.filter(|score| score.is_finite()),
        routing: fetched.routing.clone(),
        ignored: fetched.ignored.clone(),
        source: fetched
            .source
            .as_ref()
            .and_then(|source| filter.apply(source)),
        matched_queries: fetched.matched_queries.clone(),
        ..HitJson::default()
    };
    for (name, values) in &fetched.fields {
        if !values.is_empty() {
            shown
                .fields
                .insert(name.clone(), values.iter().map(from_scalar).collect());
        }
    }
    for (name, texts) in &fetched.trees {
        let trees = texts
            .iter()
            .filter_map(|text| serde_json::from_str(text).ok());
        shown.fields.insert(name.clone(), trees.collect());
    }
    if sorted {
        shown.sort = Some(
            hit.sort
                .iter()
                .map(|value| from_scalar(&value.to_value()))
                .collect(),
        );
    }
    let score = shown.score;
    let mut shown = serde_json::to_value(&shown).unwrap_or(Value::Null);
    if let Some(score) = score {
        shown["_score"] = json!(single(score));
    }
    shown
}

/// The double that is written as the score is, with the digits of single precision.
fn single(score: f32) -> f64 {
    score.to_string().parse().unwrap_or(f64::from(score))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typed_keys_and_meta_stand_in_the_answer() {
        let result = AggResult {
            name: "mean".to_owned(),
            type_name: "avg",
            meta: Some(r#"{"a": 1}"#.to_owned()),
            body: ResultBody::Value {
                value: None,
                text: None,
            },
        };
        let results = [result];
        assert_eq!(
            render_aggs(&results, true),
            json!({"avg#mean": {"meta": {"a": 1}, "value": null}})
        );
        assert_eq!(
            render_aggs(&results, false),
            json!({"mean": {"meta": {"a": 1}, "value": null}})
        );
    }

    #[test]
    fn ranges_show_their_key_in_lists_only() {
        let bucket = Bucket {
            to: Some((Key::F64(50.0), None)),
            ..Bucket::new(Key::Str("*-50.0".to_owned()), None, 1, Vec::new())
        };
        let mut buckets = Buckets {
            keys: BucketKeys::InLists,
            buckets: vec![bucket],
            ..Buckets::default()
        };
        let mut out = Map::new();
        add_buckets(&mut out, &buckets, false);
        assert_eq!(
            Value::Object(out),
            json!({"buckets": [{"key": "*-50.0", "to": 50.0, "doc_count": 1}]})
        );
        buckets.keyed = true;
        let mut out = Map::new();
        add_buckets(&mut out, &buckets, false);
        assert_eq!(
            Value::Object(out),
            json!({"buckets": {"*-50.0": {"to": 50.0, "doc_count": 1}}})
        );
    }
}
