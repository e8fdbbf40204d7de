//! `cardinality`: about how many different values a field has; exact for small sets.

use serde::{Deserialize, Serialize};

use super::aggregation::Aggregation;
use super::collector::{AggContext, Aggregator, Batch, Held};
use super::error::AggError;
use super::hyperloglog::{HyperLogLog, precision_of_threshold};
use super::murmur::hash_bytes;
use super::partial::{Finisher, Partial};
use super::request::{AggRequest, FieldSource};
use super::result::ResultBody;
use super::source::{Source, TermSource, Values};
use crate::schema::NumericKind;
use crate::search::SearchError;
use crate::shard::SegmentSnapshot;
use crate::simd::columns::kernels;

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
            seen: Vec::new(),
            missing_seen: false,
            mixed: Vec::new(),
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
    /// Which ordinals of the segment the only bucket holds, and whether it holds the missing term: its terms are
    /// looked at once, at the end of the segment.
    seen: Vec<bool>,
    missing_seen: bool,
    mixed: Vec<i64>,
    term: Vec<u8>,
    held: Held<'a>,
}

impl Collector<'_> {
    /// Adds the terms seen in the segment that ends.
    fn add_seen(&mut self) -> Result<(), SearchError> {
        let (Source::Terms(source), Some(bucket)) = (&self.source, self.buckets.first_mut()) else {
            return Ok(());
        };
        if std::mem::take(&mut self.missing_seen) {
            source.term(TermSource::MISSING_ORD, &mut self.term)?;
            bucket.add(hash_bytes(&self.term));
        }
        if let Some(column) = source.column() {
            let mut terms = column.terms().iter();
            for seen in self.seen.drain(..) {
                let Some((term, _)) = terms.next()? else {
                    break;
                };
                if seen {
                    bucket.add(hash_bytes(term));
                }
            }
        }
        self.seen.clear();
        Ok(())
    }
}

impl Aggregator for Collector<'_> {
    fn begin_segment(&mut self, _ord: u32, segment: &SegmentSnapshot) -> Result<(), SearchError> {
        self.add_seen()?;
        match &mut self.source {
            Source::Numeric(source) => source.begin_segment(segment),
            Source::Terms(source) => {
                source.begin_segment(segment)?;
                let count = source.column().map_or(0, |column| column.value_count()) as usize;
                self.held
                    .set(count * (size_of::<u64>() + size_of::<bool>()))?;
                self.hashes.clear();
                self.seen.resize(count, false);
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
                let Values { rows, values, .. } = source.load(batch.docs);
                self.mixed.clear();
                match kind {
                    NumericKind::F64 | NumericKind::Scaled(_) => {
                        let bits = values.iter().map(|raw| kind.to_f64(*raw).to_bits() as i64);
                        self.mixed.extend(bits);
                    }
                    NumericKind::U64 => self.mixed.extend(values.iter().map(|raw| raw ^ i64::MIN)),
                    _ => self.mixed.extend_from_slice(values),
                }
                (kernels().mix)(&mut self.mixed);
                match batch.one_owner() {
                    Some(owner) => self.buckets[owner as usize].add_all(&self.mixed),
                    None => {
                        for (row, hash) in rows.iter().zip(&self.mixed) {
                            let owner = batch.owners[*row as usize];
                            self.buckets[owner as usize].add(*hash as u64);
                        }
                    }
                }
            }
            Source::Terms(source) if batch.owners.is_empty() => {
                if let Some(ords) = source.load_single(batch.docs) {
                    for ord in ords {
                        if let Some(seen) = self.seen.get_mut(*ord as usize) {
                            *seen = true;
                        }
                    }
                } else {
                    for ord in source.load(batch.docs).values {
                        match self.seen.get_mut(*ord as usize) {
                            Some(seen) => *seen = true,
                            None => self.missing_seen = true,
                        }
                    }
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
                        self.hashes.resize(self.seen.len(), 0);
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
        self.add_seen()?;
        let sketch = match self.buckets.get_mut(owner as usize) {
            Some(sketch) => std::mem::replace(sketch, self.empty.clone()),
            None => self.empty.clone(),
        };
        Ok(Partial::Distinct(sketch))
    }
}
