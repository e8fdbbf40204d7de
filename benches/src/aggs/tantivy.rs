//! tantivy: fast fields of one segment, through its aggregation collector.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tantivy::aggregation::agg_req::Aggregations;
use tantivy::aggregation::agg_result::AggregationResults;
use tantivy::aggregation::{AggContextParams, AggregationCollector};
use tantivy::indexer::NoMergePolicy;
use tantivy::query::AllQuery;
use tantivy::schema::{DateOptions, DateTimePrecision, FAST, Schema, TextOptions};
use tantivy::{DateTime, Index, IndexReader, IndexWriter, Searcher, TantivyDocument};

use super::rows::Row;
use super::{Answer, Columns, PERCENTS, RANGES, TERMS, Workload};
use crate::game::tantivy::VERSION;

/// Indexes the rows as one segment.
pub fn build(rows: u64, folder: &Path) -> Result<()> {
    let mut schema = Schema::builder();
    let keyword = || TextOptions::default().set_fast("raw");
    let status = schema.add_text_field("status", keyword());
    let user = schema.add_text_field("user", keyword());
    let precise = DateOptions::default()
        .set_fast()
        .set_precision(DateTimePrecision::Milliseconds);
    let time = schema.add_date_field("time", precise);
    let bytes = schema.add_i64_field("bytes", FAST);
    let latency = schema.add_f64_field("latency", FAST);
    fs::create_dir_all(folder)?;
    let index = Index::create_in_dir(folder, schema.build())?;
    let mut writer: IndexWriter = index.writer_with_num_threads(1, 1_000_000_000)?;
    writer.set_merge_policy(Box::new(NoMergePolicy));
    for number in 0..rows {
        let row = Row::new(number, rows);
        let mut document = TantivyDocument::new();
        document.add_text(status, row.status);
        document.add_text(user, row.user_name());
        document.add_date(time, DateTime::from_timestamp_millis(row.time_ms));
        document.add_i64(bytes, row.bytes);
        document.add_f64(latency, row.latency);
        writer.add_document(document)?;
    }
    writer.commit()?;
    let made = index.searchable_segment_ids()?;
    if made.len() > 1 {
        writer.merge(&made).wait()?;
        writer.garbage_collect_files().wait()?;
    }
    Ok(writer.wait_merging_threads()?)
}

/// tantivy over finished rows.
pub struct Tantivy {
    searcher: Searcher,
    requests: Vec<Aggregations>,
}

impl Tantivy {
    /// Opens what [`build`] made.
    pub fn open(folder: &Path) -> Result<Tantivy> {
        let reader: IndexReader = Index::open_in_dir(folder)?.reader()?;
        let mut requests = Vec::new();
        for workload in Workload::ALL {
            requests.push(serde_json::from_value(json!({"a": request(workload)}))?);
        }
        Ok(Tantivy {
            searcher: reader.searcher(),
            requests,
        })
    }

    fn result(&self, workload: Workload) -> Result<AggregationResults> {
        let request = self.requests[workload as usize].clone();
        let collector = AggregationCollector::from_aggs(request, AggContextParams::default());
        Ok(self.searcher.search(&AllQuery, &collector)?)
    }
}

/// The request of a workload, as tantivy reads it.
fn request(workload: Workload) -> Value {
    match workload {
        Workload::TermsLow => json!({"terms": {"field": "status", "size": TERMS}}),
        Workload::TermsHigh => json!({"terms": {"field": "user", "size": TERMS}}),
        Workload::DateHistogramAvg => json!({
            "date_histogram": {"field": "time", "fixed_interval": "1d"},
            "aggs": {"m": {"avg": {"field": "latency"}}}
        }),
        Workload::RangeStats => {
            let mut ranges = vec![json!({"to": RANGES[0] as f64})];
            for pair in RANGES.windows(2) {
                ranges.push(json!({"from": pair[0] as f64, "to": pair[1] as f64}));
            }
            ranges.push(json!({"from": RANGES[RANGES.len() - 1] as f64}));
            json!({
                "range": {"field": "bytes", "ranges": ranges},
                "aggs": {"m": {"stats": {"field": "latency"}}}
            })
        }
        Workload::Cardinality => json!({"cardinality": {"field": "user"}}),
        Workload::Percentiles => {
            json!({"percentiles": {"field": "latency", "percents": PERCENTS, "keyed": false}})
        }
    }
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

/// The numbers of a metric: `value`, `values`, or those of `stats`.
fn numbers(metric: &Value) -> Vec<f64> {
    if let Some(values) = metric["values"].as_array() {
        return values.iter().map(|entry| number(&entry["value"])).collect();
    }
    if metric.get("value").is_some() {
        return vec![number(&metric["value"])];
    }
    let names = ["count", "min", "max", "avg", "sum"];
    names.map(|name| number(&metric[name])).to_vec()
}

impl Columns for Tantivy {
    fn name(&self) -> &'static str {
        crate::game::tantivy::NAME
    }

    fn version(&self) -> String {
        VERSION.to_owned()
    }

    fn run(&self, workload: Workload) -> Result<usize> {
        Ok(self.result(workload)?.0.len())
    }

    fn answer(&self, workload: Workload) -> Result<Answer> {
        let result = serde_json::to_value(self.result(workload)?)?;
        let result = &result["a"];
        let Some(buckets) = result["buckets"].as_array() else {
            return Ok(Answer::Numbers(numbers(result)));
        };
        let mut out = Vec::new();
        for bucket in buckets {
            let key = match &bucket["key"] {
                Value::String(text) => text.clone(),
                // milliseconds
                other => (number(other) as i64).to_string(),
            };
            let count = bucket["doc_count"].as_u64().context("doc_count")?;
            let metrics = bucket.get("m").map(numbers).unwrap_or_default();
            out.push((key, count, metrics));
        }
        Ok(Answer::Buckets(out))
    }
}
