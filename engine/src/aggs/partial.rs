//! Partial results: what one shard, or several together, know. Merging them is associative and commutative.

use serde::{Deserialize, Serialize};

use super::auto_date_histogram::AutoDatePartial;
use super::composite_partial::CompositePartial;
use super::digest_partial::DigestPartial;
use super::error::AggError;
use super::geo_extent::ExtentPartial;
use super::histogram_partial::HistogramPartial;
use super::hyperloglog::HyperLogLog;
use super::metric_partial::MetricPartial;
use super::pipeline;
use super::range_partial::RangePartial;
use super::request::AggRequest;
use super::result::AggResult;
use super::significant_terms::SignificantPartial;
use super::single_bucket::SinglePartial;
use super::terms_partial::TermsPartial;
use super::top_hits::TopHitsPartial;
use super::weighted_avg::WeightedPartial;

/// What one aggregation knows in one bucket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Partial {
    /// Count, sums, extremes.
    Metric(MetricPartial),
    /// Sums of values and weights.
    Weighted(WeightedPartial),
    /// A sketch of distinct values.
    Distinct(HyperLogLog),
    /// A sketch of the distribution.
    Digest(DigestPartial),
    /// One bucket.
    Single(SinglePartial),
    /// Fixed buckets, known from the request.
    Ranges(RangePartial),
    /// Buckets by interval.
    Histogram(HistogramPartial),
    /// Buckets by term.
    Terms(TermsPartial),
    /// A page of combinations.
    Composite(CompositePartial),
    /// Buckets of time of an interval not yet known.
    AutoDate(AutoDatePartial),
    /// Terms and how usual they are.
    Significant(SignificantPartial),
    /// Where places are.
    Extent(ExtentPartial),
    /// The best documents.
    TopHits(TopHitsPartial),
    /// Nothing: pipelines work on answers.
    Pipeline,
}

impl Partial {
    /// Takes in what others know about the same bucket.
    pub fn merge(&mut self, other: Partial) -> Result<(), AggError> {
        match (self, other) {
            (Partial::Metric(own), Partial::Metric(other)) => own.merge(other),
            (Partial::Weighted(own), Partial::Weighted(other)) => own.merge(other),
            (Partial::Distinct(own), Partial::Distinct(other)) => {
                own.merge(other);
                Ok(())
            }
            (Partial::Digest(own), Partial::Digest(other)) => own.merge(other),
            (Partial::Single(own), Partial::Single(other)) => own.merge(other),
            (Partial::Ranges(own), Partial::Ranges(other)) => own.merge(other),
            (Partial::Histogram(own), Partial::Histogram(other)) => own.merge(other),
            (Partial::Terms(own), Partial::Terms(other)) => own.merge(other),
            (Partial::Composite(own), Partial::Composite(other)) => own.merge(other),
            (Partial::AutoDate(own), Partial::AutoDate(other)) => own.merge(other),
            (Partial::Significant(own), Partial::Significant(other)) => own.merge(other),
            (Partial::Extent(own), Partial::Extent(other)) => own.merge(other),
            (Partial::TopHits(own), Partial::TopHits(other)) => own.merge(other),
            (Partial::Pipeline, Partial::Pipeline) => Ok(()),
            (own, other) => Err(AggError::Execution(format!(
                "shards answered the same aggregation in different ways: {} and {}",
                own.shape(),
                other.shape()
            ))),
        }
    }

    fn shape(&self) -> &'static str {
        match self {
            Partial::Metric(_) => "a metric",
            Partial::Weighted(_) => "a weighted mean",
            Partial::Distinct(_) => "a set of distinct values",
            Partial::Digest(_) => "a distribution",
            Partial::Single(_) => "one bucket",
            Partial::Ranges(_) => "ranges",
            Partial::Histogram(_) => "a histogram",
            Partial::Terms(_) => "terms",
            Partial::Composite(_) => "combinations",
            Partial::AutoDate(_) => "buckets of time",
            Partial::Significant(_) => "significant terms",
            Partial::Extent(_) => "places",
            Partial::TopHits(_) => "documents",
            Partial::Pipeline => "a pipeline",
        }
    }

    /// The error for a partial that does not belong to its request.
    pub fn mismatch(&self, request: &AggRequest) -> AggError {
        AggError::Execution(format!(
            "aggregation [{}] got {} from a shard, which it did not ask for",
            request.name,
            self.shape()
        ))
    }
}

/// Merges two lists of partials of the same requests, one by one.
pub(crate) fn merge_lists(own: &mut [Partial], other: Vec<Partial>) -> Result<(), AggError> {
    if own.len() != other.len() {
        return Err(AggError::Execution(format!(
            "shards answered {} and {} aggregations of the same request",
            own.len(),
            other.len()
        )));
    }
    for (own, other) in own.iter_mut().zip(other) {
        own.merge(other)?;
    }
    Ok(())
}

/// What shards know: one partial per request of the list it was collected for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AggPartials(pub(crate) Vec<Partial>);

impl AggPartials {
    /// What shards know that found nothing.
    pub fn empty(aggs: &[AggRequest]) -> AggPartials {
        AggPartials(empty_list(aggs))
    }

    /// Joins what two groups of shards know.
    pub fn merge(mut self, other: AggPartials) -> Result<AggPartials, AggError> {
        // an empty list is what a shard answers that was skipped
        if self.0.is_empty() {
            return Ok(other);
        }
        if !other.0.is_empty() {
            merge_lists(&mut self.0, other.0)?;
        }
        Ok(self)
    }

    /// The final answers, pipelines included; `max_buckets` is the cluster setting `search.max_buckets`.
    pub fn finish(self, aggs: &[AggRequest], max_buckets: u64) -> Result<Vec<AggResult>, AggError> {
        let partials = if self.0.is_empty() {
            empty_list(aggs)
        } else {
            self.0
        };
        Finisher {
            max_buckets,
            buckets: 0,
        }
        .list(aggs, partials)
    }
}

/// What a bucket knows that no document fell into.
pub(crate) fn empty_list(aggs: &[AggRequest]) -> Vec<Partial> {
    let mut partials = Vec::with_capacity(aggs.len());
    for agg in aggs {
        partials.push(match agg.kind.aggregation() {
            Some(aggregation) => aggregation.empty(agg),
            None => Partial::Pipeline,
        });
    }
    partials
}

/// Turns partials into answers and counts the buckets on the way.
pub(crate) struct Finisher {
    max_buckets: u64,
    buckets: u64,
}

impl Finisher {
    /// One that counts no buckets: for looks at what is not the answer yet.
    pub fn unlimited() -> Finisher {
        Finisher {
            max_buckets: u64::MAX,
            buckets: 0,
        }
    }

    /// Counts one more bucket of the answer.
    pub fn count_bucket(&mut self) -> Result<(), AggError> {
        self.buckets += 1;
        if self.buckets > self.max_buckets {
            return Err(AggError::TooManyBuckets {
                limit: self.max_buckets,
                found: self.buckets,
            });
        }
        Ok(())
    }

    /// Refuses a list of more buckets than there may be at all.
    pub fn check_room(&self, buckets: usize) -> Result<(), AggError> {
        let found = self.buckets + buckets as u64;
        if found > self.max_buckets {
            return Err(AggError::TooManyBuckets {
                limit: self.max_buckets,
                found,
            });
        }
        Ok(())
    }

    /// The answers of one level: the aggregations, then the pipelines beside them.
    pub fn list(
        &mut self,
        aggs: &[AggRequest],
        partials: Vec<Partial>,
    ) -> Result<Vec<AggResult>, AggError> {
        if aggs.len() != partials.len() {
            return Err(AggError::Execution(format!(
                "{} aggregations were asked for, shards answered {}",
                aggs.len(),
                partials.len()
            )));
        }
        let mut results = Vec::with_capacity(aggs.len());
        for (agg, partial) in aggs.iter().zip(partials) {
            let Some(aggregation) = agg.kind.aggregation() else {
                continue;
            };
            let (type_name, mut body) = aggregation.finish(agg, partial, self)?;
            pipeline::run_in_buckets(&agg.sub, &mut body)?;
            results.push(AggResult {
                name: agg.name.clone(),
                type_name,
                meta: agg.meta.clone(),
                body,
            });
        }
        pipeline::run_siblings(aggs, &mut results)?;
        Ok(results)
    }
}
