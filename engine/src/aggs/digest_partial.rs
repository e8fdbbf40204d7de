//! What shards know of a field's distribution, and the collector that percentiles, ranks and deviation share.

use serde::{Deserialize, Serialize};

use super::collector::{AggContext, Aggregator, Batch, Held};
use super::error::AggError;
use super::format::ValueFormat;
use super::hdr::HdrHistogram;
use super::partial::Partial;
use super::request::FieldSource;
use super::source::{NumericSource, Source, Values};
use super::tdigest::TDigest;
use super::tdigest_merge::Scratch;
use crate::search::SearchError;
use crate::shard::SegmentSnapshot;

/// How the distribution is kept.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum DigestMethod {
    /// A t-digest of this compression.
    TDigest {
        /// About how many means are kept.
        compression: f64,
    },
    /// A histogram of logarithmic buckets; no negative values.
    Hdr {
        /// Decimal digits that stay exact, 0 to 5.
        digits: u8,
    },
}

impl DigestMethod {
    /// What OpenSearch takes when nobody says otherwise.
    pub const DEFAULT: DigestMethod = DigestMethod::TDigest { compression: 100.0 };
}

/// The distribution of one bucket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct DigestPartial {
    pub sketch: Sketch,
    pub format: ValueFormat,
}

/// Either way to keep it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Sketch {
    TDigest(TDigest),
    Hdr(HdrHistogram),
}

impl Sketch {
    fn new(method: DigestMethod) -> Sketch {
        match method {
            DigestMethod::TDigest { compression } => Sketch::TDigest(TDigest::new(compression)),
            DigestMethod::Hdr { digits } => Sketch::Hdr(HdrHistogram::new(digits)),
        }
    }

    pub fn count(&self) -> u64 {
        match self {
            Sketch::TDigest(digest) => digest.count(),
            Sketch::Hdr(histogram) => histogram.count(),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Sketch::TDigest(digest) => digest.bytes(),
            Sketch::Hdr(histogram) => histogram.bytes(),
        }
    }

    /// Must come before questions.
    pub fn settle(&mut self) {
        if let Sketch::TDigest(digest) = self {
            digest.compress();
        }
    }

    /// The value below which `percent` of all lie; `None` of nothing.
    pub fn percentile(&self, percent: f64) -> Option<f64> {
        if self.count() == 0 {
            return None;
        }
        Some(match self {
            Sketch::TDigest(digest) => digest.quantile(percent / 100.0),
            Sketch::Hdr(histogram) => histogram.percentile(percent),
        })
    }

    /// The percentage of values up to `value`; `None` of nothing.
    pub fn rank(&self, value: f64) -> Option<f64> {
        if self.count() == 0 {
            return None;
        }
        Some(match self {
            Sketch::TDigest(digest) => digest.cdf(value) * 100.0,
            Sketch::Hdr(histogram) => histogram.rank(value),
        })
    }

    fn add(&mut self, value: f64) -> Result<(), SearchError> {
        match self {
            Sketch::TDigest(digest) => {
                digest.add(value);
                Ok(())
            }
            Sketch::Hdr(histogram) => histogram.add(value).map_err(|reason| {
                SearchError::refused("array_index_out_of_bounds_exception", reason)
            }),
        }
    }
}

impl DigestPartial {
    pub fn empty(method: DigestMethod) -> DigestPartial {
        DigestPartial {
            sketch: Sketch::new(method),
            format: ValueFormat::Raw,
        }
    }

    pub fn merge(&mut self, other: DigestPartial) -> Result<(), AggError> {
        match (&mut self.sketch, other.sketch) {
            (Sketch::TDigest(own), Sketch::TDigest(other)) => own.merge(&other),
            (Sketch::Hdr(own), Sketch::Hdr(other)) => own.merge(&other),
            _ => {
                return Err(AggError::Execution(
                    "shards kept the same distribution in different ways".to_owned(),
                ));
            }
        }
        if self.format.is_raw() {
            self.format = other.format;
        }
        Ok(())
    }
}

/// Collects distributions.
pub(crate) struct DigestAggregator<'a> {
    source: Option<NumericSource>,
    method: DigestMethod,
    buckets: Vec<Sketch>,
    /// Values of the first bucket that are in no t-digest yet: the more there are, the less each costs.
    waiting: Vec<f64>,
    scratch: Scratch,
    held: Held<'a>,
}

/// Values that wait at most.
const WAITING_MAX: usize = 64 * 1024;

impl<'a> DigestAggregator<'a> {
    /// `agg` is the name of the aggregation's type, for the error.
    pub fn boxed(
        source: &FieldSource,
        ctx: &AggContext<'a>,
        agg: &str,
        method: DigestMethod,
    ) -> Result<Box<dyn Aggregator + 'a>, SearchError> {
        Ok(Box::new(DigestAggregator {
            source: Source::numeric(source, &ctx.reader.schema, ctx.search, agg)?,
            method,
            buckets: Vec::new(),
            waiting: Vec::new(),
            scratch: Scratch::default(),
            held: Held::new(ctx.search),
        }))
    }
}

impl DigestAggregator<'_> {
    fn add_waiting(&mut self) {
        if let Some(Sketch::TDigest(digest)) = self.buckets.first_mut() {
            digest.add_all(&mut self.waiting, &mut self.scratch);
        }
        self.waiting.clear();
    }
}

impl Aggregator for DigestAggregator<'_> {
    fn begin_segment(&mut self, _ord: u32, segment: &SegmentSnapshot) -> Result<(), SearchError> {
        match &mut self.source {
            Some(source) => source.begin_segment(segment),
            None => Ok(()),
        }
    }

    fn collect(&mut self, batch: &Batch<'_>) -> Result<(), SearchError> {
        let owners = batch.owner_count();
        while self.buckets.len() < owners {
            self.buckets.push(Sketch::new(self.method));
        }
        let Some(source) = &mut self.source else {
            return Ok(());
        };
        let Values { rows, values, .. } = source.load_f64(batch.docs);
        if batch.owners.is_empty() && matches!(self.method, DigestMethod::TDigest { .. }) {
            self.waiting.extend_from_slice(values);
            if self.waiting.len() >= WAITING_MAX {
                self.add_waiting();
            }
            // each value twice, and its cell
            return self.held.set(self.waiting.capacity() * 20);
        }
        for (row, value) in rows.iter().zip(values) {
            self.buckets[batch.owner(*row as usize) as usize].add(*value)?;
        }
        let bytes = if self.buckets.len() > 1024 {
            self.buckets.len() * 512
        } else {
            self.buckets.iter().map(Sketch::bytes).sum()
        };
        self.held.set(bytes)
    }

    fn take(&mut self, owner: u32) -> Result<Partial, SearchError> {
        self.add_waiting();
        let mut sketch = match self.buckets.get_mut(owner as usize) {
            Some(sketch) => std::mem::replace(sketch, Sketch::new(self.method)),
            None => Sketch::new(self.method),
        };
        sketch.settle();
        Ok(Partial::Digest(DigestPartial {
            sketch,
            format: self
                .source
                .as_ref()
                .map_or(ValueFormat::Raw, |source| source.format.clone()),
        }))
    }
}
