//! Our engine: doc values of a shard, through the query phase.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result, bail};
use quidditch_engine::aggs::avg::AvgAgg;
use quidditch_engine::aggs::cardinality::{CardinalityAgg, PRECISION_THRESHOLD_DEFAULT};
use quidditch_engine::aggs::date_histogram::DateHistogramAgg;
use quidditch_engine::aggs::percentiles::PercentilesAgg;
use quidditch_engine::aggs::range::{NumberRange, RangeAgg};
use quidditch_engine::aggs::stats::StatsAgg;
use quidditch_engine::aggs::terms::TermsAgg;
use quidditch_engine::aggs::{
    AggKind, AggRequest, AggResult, BucketOrder, DigestMethod, FieldSource, Interval,
    MAX_BUCKETS_DEFAULT, OrderKey, ResultBody,
};
use quidditch_engine::query::Query;
use quidditch_engine::search::{
    MemoryAccount, SearchContext, SearchRequest, TrackTotalHits, query,
};
use quidditch_engine::shard::{IndexOp, Origin, VersionCheck};

use super::rows::Row;
use super::{Answer, Columns, INTERVAL_MS, PERCENTS, RANGES, TERMS, Workload};
use crate::shard_folder::{OpenShard, ShardPlan};

fn plan() -> ShardPlan {
    let column = |kind: &str| serde_json::json!({"type": kind, "index": false, "doc_values": true});
    ShardPlan {
        mapping: serde_json::json!({
            "dynamic": "strict",
            "_source": {"enabled": false},
            "properties": {
                "status": column("keyword"),
                "user": column("keyword"),
                "time": column("date"),
                "bytes": column("long"),
                "latency": column("double"),
            }
        }),
        settings: BTreeMap::new(),
        buffer_bytes: 500_000_000,
        threads: 1,
    }
}

/// Indexes the rows as one segment.
pub fn build(rows: u64, folder: &Path) -> Result<()> {
    let shard = plan().create(folder)?;
    for number in 0..rows {
        let row = Row::new(number, rows);
        let source = serde_json::json!({
            "status": row.status,
            "user": row.user_name(),
            "time": row.time_ms,
            "bytes": row.bytes,
            "latency": row.latency,
        });
        shard.index(IndexOp {
            id: number.to_string(),
            routing: None,
            source: source.to_string().into(),
            version: VersionCheck::Internal,
            create_only: false,
            origin: Origin::Primary,
        })?;
    }
    shard.force_merge(Some(1), false)?;
    shard.flush(true, true)?;
    Ok(shard.close()?)
}

/// Our engine over finished rows.
pub struct Quidditch {
    shard: OpenShard,
    requests: Vec<SearchRequest>,
    cancelled: AtomicBool,
    memory: MemoryAccount,
}

impl Quidditch {
    /// Opens what [`build`] made.
    pub fn open(folder: &Path) -> Result<Quidditch> {
        let requests = Workload::ALL.map(|workload| {
            let mut request = SearchRequest::new(Query::match_all());
            request.size = 0;
            request.track_total_hits = TrackTotalHits::No;
            request.aggs = vec![typed(workload)];
            request
        });
        Ok(Quidditch {
            shard: plan().open_finished(folder)?,
            requests: requests.into(),
            cancelled: AtomicBool::new(false),
            memory: MemoryAccount::new(1 << 34),
        })
    }

    fn result(&self, workload: Workload) -> Result<AggResult> {
        let context = SearchContext::new("aggs", 0, &self.cancelled, &self.memory);
        let request = &self.requests[workload as usize];
        let found = query(&self.shard.reader, request, &context)?;
        let partials = found.aggs.context("partial aggregations")?;
        let mut results = partials.finish(&request.aggs, MAX_BUCKETS_DEFAULT)?;
        results.pop().context("an answer")
    }
}

/// The request of a workload.
fn typed(workload: Workload) -> AggRequest {
    let of = FieldSource::field;
    let latency = || of("latency");
    match workload {
        Workload::TermsLow => AggRequest::new("t", terms("status")),
        Workload::TermsHigh => AggRequest::new("t", terms("user")),
        Workload::DateHistogramAvg => {
            let days = AggKind::DateHistogram(DateHistogramAgg {
                source: of("time"),
                interval: Interval::Fixed(INTERVAL_MS),
                offset_ms: 0,
                min_doc_count: 0,
                extended_bounds: None,
                hard_bounds: None,
                keyed: false,
                order: vec![BucketOrder {
                    by: OrderKey::Key,
                    ascending: true,
                }],
            });
            let source = latency();
            AggRequest::new("d", days).with(AggRequest::new("m", AggKind::Avg(AvgAgg { source })))
        }
        Workload::RangeStats => {
            let bounds = RANGES.map(|bound| Some(bound as f64));
            let from = [None].into_iter().chain(bounds);
            let to = bounds.into_iter().chain([None]);
            let ranges = from.zip(to).map(|(from, to)| NumberRange {
                key: None,
                from,
                to,
            });
            let sizes = AggKind::Range(RangeAgg {
                source: of("bytes"),
                ranges: ranges.collect(),
                keyed: false,
            });
            let source = latency();
            let stats = AggRequest::new("m", AggKind::Stats(StatsAgg { source }));
            AggRequest::new("r", sizes).with(stats)
        }
        Workload::Cardinality => AggRequest::new(
            "c",
            AggKind::Cardinality(CardinalityAgg {
                source: of("user"),
                precision_threshold: PRECISION_THRESHOLD_DEFAULT,
            }),
        ),
        Workload::Percentiles => AggRequest::new(
            "p",
            AggKind::Percentiles(PercentilesAgg {
                source: latency(),
                percents: PERCENTS.to_vec(),
                keyed: false,
                method: DigestMethod::TDigest { compression: 100.0 },
            }),
        ),
    }
}

fn terms(field: &str) -> AggKind {
    let mut terms = TermsAgg::new(FieldSource::field(field));
    terms.size = TERMS;
    AggKind::Terms(terms)
}

fn numbers(result: &AggResult) -> Result<Vec<f64>> {
    Ok(match &result.body {
        ResultBody::Value { value, .. } => vec![value.unwrap_or(f64::NAN)],
        ResultBody::Count(count) => vec![*count as f64],
        ResultBody::Stats(stats) => {
            let of = |value: Option<f64>| value.unwrap_or(f64::NAN);
            let (min, max, avg) = (of(stats.min), of(stats.max), of(stats.avg));
            vec![stats.count as f64, min, max, avg, stats.sum]
        }
        ResultBody::Percentiles { values, .. } => {
            let values = values.iter();
            values
                .map(|entry| entry.value.unwrap_or(f64::NAN))
                .collect()
        }
        other => bail!("no numbers: {other:?}"),
    })
}

impl Columns for Quidditch {
    fn name(&self) -> &'static str {
        crate::game::quidditch::NAME
    }

    fn version(&self) -> String {
        env!("CARGO_PKG_VERSION").to_owned()
    }

    fn run(&self, workload: Workload) -> Result<usize> {
        Ok(match self.result(workload)?.body {
            ResultBody::Buckets(buckets) => buckets.buckets.len(),
            _ => 1,
        })
    }

    fn answer(&self, workload: Workload) -> Result<Answer> {
        let result = self.result(workload)?;
        let ResultBody::Buckets(buckets) = &result.body else {
            return Ok(Answer::Numbers(numbers(&result)?));
        };
        let mut out = Vec::new();
        for bucket in &buckets.buckets {
            let metrics = match bucket.aggs.first() {
                Some(metric) => numbers(metric)?,
                None => Vec::new(),
            };
            out.push((bucket.key.to_text(), bucket.doc_count, metrics));
        }
        Ok(Answer::Buckets(out))
    }
}
