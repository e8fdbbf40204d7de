//! `cardinality`: about how many different values a field has; exact for small sets.

use serde::{Deserialize, Serialize};

use super::aggregation::Aggregation;
use super::collector::{AggContext, Aggregator, Batch, Held};
use super::error::AggError;
use super::hyperloglog::{HyperLogLog, hash_bytes, mix64, precision_of_threshold};
use super::partial::{Finisher, Partial};
use super::request::{AggRequest, FieldSource};
use super::result::ResultBody;
use super::source::Source;
use crate::schema::NumericKind;
use crate::search::SearchError;
use crate::shard::SegmentSnapshot;

/// Up to how many values the count is exact when nobody says otherwise.
pub const PRECISION_THRESHOLD_DEFAULT: u64 = 3000;

/// The number of different values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CardinalityAgg {
    /// Where the values come from.
    pub source: FieldSource,
    /// Up to how many values the count is about exact; at most 40,000 has an effect.
    pub precision_threshold: u64,
}

impl CardinalityAgg {
    fn sketch(&self) -> HyperLogLog {
        HyperLogLog::new(precision_of_threshold(self.precision_threshold))
    }
}

impl Aggregation for CardinalityAgg {
    fn aggregator<'a>(
        &'a self,
        _request: &'a AggRequest,
        ctx: &AggContext<'a>,
    ) -> Result<Box<dyn Aggregator + 'a>, SearchError> {
        Ok(Box::new(Collector {
            source: Source::resolve(&self.source, &ctx.reader.schema, ctx.search, None)?,
            empty: self.sketch(),
            buckets: Vec::new(),
            hashes: Vec::new(),
            term: Vec::new(),
            held: Held::new(ctx.search),
        }))
    }

    fn empty(&self, _request: &AggRequest) -> Partial {
        Partial::Distinct(self.sketch())
    }

    fn finish(
        &self,
        request: &AggRequest,
        partial: Partial,
        _finisher: &mut Finisher,
    ) -> Result<(&'static str, ResultBody), AggError> {
        let Partial::Distinct(sketch) = partial else {
            return Err(partial.mismatch(request));
        };
        Ok(("cardinality", ResultBody::Count(sketch.count())))
    }
}

struct Collector<'a> {
    source: Source,
    empty: HyperLogLog,
    buckets: Vec<HyperLogLog>,
    /// Hash of each ordinal of the segment, 0 while unknown.
    hashes: Vec<u64>,
    term: Vec<u8>,
    held: Held<'a>,
}

impl Aggregator for Collector<'_> {
    fn begin_segment(&mut self, _ord: u32, segment: &SegmentSnapshot) -> Result<(), SearchError> {
        match &mut self.source {
            Source::Numeric(source) => source.begin_segment(segment),
            Source::Terms(source) => {
                source.begin_segment(segment)?;
                let count = source.column().map_or(0, |column| column.value_count()) as usize;
                self.held.set(count * size_of::<u64>())?;
                self.hashes.clear();
                self.hashes.resize(count, 0);
                Ok(())
            }
            Source::Unmapped => Ok(()),
        }
    }

    fn collect(&mut self, batch: &Batch<'_>) -> Result<(), SearchError> {
        let owners = batch.owner_count();
        if self.buckets.len() < owners {
            self.buckets.resize(owners, self.empty.clone());
        }
        match &mut self.source {
            Source::Unmapped => {}
            Source::Numeric(source) => {
                let kind = source.domain();
                let (rows, values) = source.load(batch.docs);
                for (row, raw) in rows.iter().zip(values) {
                    let bits = match kind {
                        NumericKind::F64 | NumericKind::Scaled(_) => kind.to_f64(*raw).to_bits(),
                        NumericKind::U64 => (*raw as u64) ^ (1 << 63),
                        _ => *raw as u64,
                    };
                    self.buckets[batch.owner(*row as usize) as usize].add(mix64(bits));
                }
            }
            Source::Terms(source) => {
                source.load(batch.docs);
                for at in 0..source.len() {
                    let (row, ord) = source.at(at);
                    let known = self.hashes.get(ord as usize).copied().unwrap_or(0);
                    let hash = if known != 0 {
                        known
                    } else {
                        source.term(ord, &mut self.term)?;
                        let hash = hash_bytes(&self.term);
                        if let Some(slot) = self.hashes.get_mut(ord as usize) {
                            *slot = hash;
                        }
                        hash
                    };
                    self.buckets[batch.owner(row as usize) as usize].add(hash);
                }
            }
        }
        let sketches = if self.buckets.len() > 1024 {
            // many sketches are small ones: counting each for every batch would cost more than it tells
            self.buckets.len() * 256
        } else {
            self.buckets.iter().map(HyperLogLog::bytes).sum()
        };
        self.held
            .set(sketches + self.hashes.len() * size_of::<u64>())
    }

    fn take(&mut self, owner: u32) -> Result<Partial, SearchError> {
        let sketch = match self.buckets.get_mut(owner as usize) {
            Some(sketch) => std::mem::replace(sketch, self.empty.clone()),
            None => self.empty.clone(),
        };
        Ok(Partial::Distinct(sketch))
    }
}
