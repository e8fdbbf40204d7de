//! `composite`: all combinations of the values of several sources, in order, a page at a time.

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::aggregation::Aggregation;
use super::collector::{AggContext, Aggregator, Batch, Children, Docs, Held};
use super::composite_partial::{
    CompositeBucket, CompositeColumn, CompositeKey, CompositePartial, compare_keys,
};
use super::error::AggError;
use super::format::{ValueFormat, parse_ip};
use super::key_reader::{KeyReader, combinations};
use super::partial::{Finisher, Partial};
use super::request::{AggRequest, FieldSource};
use super::result::{Bucket, Buckets, ResultBody};
use super::rounding::{Interval, Rounding, parse_zone};
use super::source::{number_of, text_of, unsupported_field};
use super::terms_partial::TermKey;
use crate::schema::{NumericKind, f64_from_sortable, f64_to_sortable};
use crate::search::SearchError;
use crate::shard::SegmentSnapshot;
use crate::value::Value;

/// A page of buckets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CompositeAgg {
    /// What the keys are made of, in order of their weight.
    pub sources: Vec<CompositeSource>,
    /// Buckets in the answer, at least 1.
    pub size: usize,
    /// The key after which the page begins, one value per source; `Null` is missing.
    pub after: Option<Vec<Value>>,
}

/// One part of the keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CompositeSource {
    /// Its name in the keys.
    pub name: String,
    /// Where the values come from.
    pub source: FieldSource,
    /// What is made of them.
    pub kind: CompositeKind,
    /// Largest first.
    pub descending: bool,
    /// Whether documents without a value get a bucket.
    pub missing_bucket: bool,
    /// Whether that bucket is the last one; `None`: it is with the smallest.
    pub missing_last: Option<bool>,
}

/// What a source makes of values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum CompositeKind {
    /// Nothing.
    Terms,
    /// Numbers rounded down to a multiple of a width above 0.
    Histogram(f64),
    /// Times rounded down.
    DateHistogram {
        /// Width of the buckets.
        interval: Interval,
        /// What every start is moved by, in milliseconds.
        offset_ms: i64,
    },
}

/// What makes the keys of one source.
struct Column {
    reader: KeyReader,
    rounding: Round,
    missing_bucket: bool,
    /// Of the batch, by row.
    keys: Vec<Vec<Option<TermKey>>>,
}

enum Round {
    Not,
    Width(f64),
    Time(Box<Rounding>),
}

impl Round {
    fn apply(&self, key: &TermKey) -> TermKey {
        match (self, key) {
            (Round::Width(width), key) => {
                let value = match key {
                    TermKey::Long(n) => *n as f64,
                    TermKey::Unsigned(n) => *n as f64,
                    TermKey::Double(bits) => f64_from_sortable(*bits),
                    TermKey::Text(_) | TermKey::List(_) => return key.clone(),
                };
                TermKey::Double(f64_to_sortable((value / width).floor() * width))
            }
            (Round::Time(rounding), TermKey::Long(ms)) => TermKey::Long(rounding.round(*ms)),
            _ => key.clone(),
        }
    }
}

impl Column {
    fn new(source: &CompositeSource, ctx: &AggContext<'_>) -> Result<Column, SearchError> {
        let reader = KeyReader::new(&source.source, ctx)?;
        let refused = || unsupported_field(&ctx.reader.schema, &source.source.field, "composite");
        let rounding = match &source.kind {
            CompositeKind::Terms => Round::Not,
            CompositeKind::Histogram(width) => {
                if reader.is_mapped() && reader.numbers().is_none() {
                    return Err(refused());
                }
                Round::Width(*width)
            }
            CompositeKind::DateHistogram {
                interval,
                offset_ms,
            } => {
                let is_time = reader.numbers().is_some_and(|numbers| {
                    matches!(numbers.domain(), NumericKind::DateMillis | NumericKind::I64)
                });
                if reader.is_mapped() && !is_time {
                    return Err(refused());
                }
                let zone = source.source.time_zone.as_deref().and_then(parse_zone);
                let zone = zone.unwrap_or(TimeZone::UTC);
                Round::Time(Box::new(Rounding::new(*interval, zone, *offset_ms)))
            }
        };
        Ok(Column {
            reader,
            rounding,
            missing_bucket: source.missing_bucket,
            keys: Vec::new(),
        })
    }

    fn begin_segment(&mut self, segment: &SegmentSnapshot) -> Result<(), SearchError> {
        self.reader.begin_segment(segment)?;
        if let (Round::Time(rounding), Some(numbers)) = (&mut self.rounding, self.reader.numbers())
            && let Some(column) = numbers.column()
            && column.value_count() > 0
        {
            let scale = match numbers.kind {
                NumericKind::DateNanos => 1_000_000,
                _ => 1,
            };
            rounding.prepare(
                column.min().div_euclid(scale),
                column.max().div_euclid(scale),
            );
        }
        Ok(())
    }

    fn load(&mut self, docs: Docs<'_>) -> Result<(), SearchError> {
        self.reader.load(docs)?;
        self.keys
            .resize_with(docs.list.len().max(self.keys.len()), Vec::new);
        for (row, keys) in self.keys.iter_mut().enumerate().take(docs.list.len()) {
            keys.clear();
            for key in self.reader.of(row) {
                let key = Some(self.rounding.apply(key));
                // values come ascending: equal ones are neighbours
                if keys.last() != Some(&key) {
                    keys.push(key);
                }
            }
            if keys.is_empty() && self.missing_bucket {
                keys.push(None);
            }
        }
        Ok(())
    }

    /// The key that a value of `after` stands for.
    fn key_of(
        &self,
        source: &CompositeSource,
        value: &Value,
        ctx: &AggContext<'_>,
    ) -> Result<Option<TermKey>, SearchError> {
        if *value == Value::Null {
            if !source.missing_bucket {
                return Err(SearchError::illegal(format!(
                    "Missing value for [after.{}]",
                    source.name
                )));
            }
            return Ok(None);
        }
        let Some(numbers) = self.reader.numbers() else {
            let text = text_of(value);
            let bytes = match self.reader.format() {
                ValueFormat::Ip => parse_ip(&text)
                    .ok_or_else(|| {
                        SearchError::illegal(format!("'{text}' is not an IP string literal."))
                    })?
                    .to_vec(),
                _ => text.into_bytes(),
            };
            return Ok(Some(TermKey::Text(bytes)));
        };
        if let Round::Width(_) = self.rounding {
            return Ok(Some(TermKey::Double(f64_to_sortable(number_of(value)?))));
        }
        Ok(Some(match (numbers.domain(), value) {
            (NumericKind::DateMillis, Value::I64(ms)) => TermKey::Long(*ms),
            (NumericKind::DateMillis, value) => {
                TermKey::Long(numbers.format.parse_date(value, ctx.search.now_ms)?)
            }
            (NumericKind::Bool, value) => {
                TermKey::Long(i64::from(matches!(text_of(value).as_str(), "true" | "1")))
            }
            (NumericKind::I64, Value::I64(n)) => TermKey::Long(*n),
            (NumericKind::I64, Value::Str(text)) if text.parse::<i64>().is_ok() => {
                TermKey::Long(text.parse().unwrap_or_default())
            }
            (NumericKind::I64, value) => TermKey::Long(number_of(value)? as i64),
            (NumericKind::U64, value) => match text_of(value).parse() {
                Ok(n) => TermKey::Unsigned(n),
                Err(_) => TermKey::Unsigned(number_of(value)? as u64),
            },
            (_, value) => TermKey::Double(f64_to_sortable(number_of(value)?)),
        }))
    }

    fn shown(&self, source: &CompositeSource) -> CompositeColumn {
        let format = match self.reader.format() {
            // times stay numbers unless somebody asks for text
            ValueFormat::Date { .. } if source.source.format.is_none() => ValueFormat::Raw,
            format => format,
        };
        CompositeColumn {
            descending: source.descending,
            missing_last: source.missing_last.unwrap_or(source.descending),
            format,
        }
    }
}

impl Aggregation for CompositeAgg {
    fn aggregator<'a>(
        &'a self,
        request: &'a AggRequest,
        ctx: &AggContext<'a>,
    ) -> Result<Box<dyn Aggregator + 'a>, SearchError> {
        let limit = ctx.search.max_buckets;
        if self.size as u64 > limit {
            let found = self.size as u64;
            return Err(AggError::TooManyBuckets { limit, found }.refuse());
        }
        let mut columns = Vec::with_capacity(self.sources.len());
        let mut shown = Vec::with_capacity(self.sources.len());
        for source in &self.sources {
            let column = Column::new(source, ctx)?;
            shown.push(column.shown(source));
            columns.push(column);
        }
        let after = match &self.after {
            None => None,
            Some(values) => {
                let mut key = Vec::with_capacity(values.len());
                for ((column, source), value) in columns.iter().zip(&self.sources).zip(values) {
                    key.push(column.key_of(source, value, ctx)?);
                }
                Some(key)
            }
        };
        Ok(Box::new(Collector {
            agg: self,
            columns,
            shown,
            after,
            pages: Vec::new(),
            counts: Vec::new(),
            bytes: 0,
            children: Children::new(&request.sub, ctx)?,
            held: Held::new(ctx.search),
        }))
    }

    fn empty(&self, _request: &AggRequest) -> Partial {
        Partial::Composite(CompositePartial::default())
    }

    fn finish(
        &self,
        request: &AggRequest,
        partial: Partial,
        finisher: &mut Finisher,
    ) -> Result<(&'static str, ResultBody), AggError> {
        let Partial::Composite(mut partial) = partial else {
            return Err(partial.mismatch(request));
        };
        let page = std::mem::take(&mut partial.buckets);
        let mut buckets = Vec::with_capacity(page.len());
        for bucket in page.into_iter().take(self.size) {
            finisher.count_bucket()?;
            let aggs = finisher.list(&request.sub, bucket.sub)?;
            let names = self.sources.iter().map(|source| source.name.as_str());
            let key = partial.shown(names, &bucket.key);
            buckets.push(Bucket::new(key, None, bucket.doc_count, aggs));
        }
        Ok((
            "composite",
            ResultBody::Buckets(Buckets {
                after_key: buckets.last().map(|last| last.key.clone()),
                buckets,
                ..Buckets::default()
            }),
        ))
    }
}

struct Collector<'a> {
    agg: &'a CompositeAgg,
    columns: Vec<Column>,
    shown: Vec<CompositeColumn>,
    after: Option<CompositeKey>,
    /// For each bucket of the parent the first keys so far, in order, with their buckets.
    pages: Vec<Vec<(CompositeKey, u32)>>,
    counts: Vec<u64>,
    bytes: usize,
    children: Children<'a>,
    held: Held<'a>,
}

impl Aggregator for Collector<'_> {
    fn needs_scores(&self) -> bool {
        self.children.needs_scores()
    }

    fn begin_segment(&mut self, ord: u32, segment: &SegmentSnapshot) -> Result<(), SearchError> {
        for column in &mut self.columns {
            column.begin_segment(segment)?;
        }
        self.children.begin_segment(ord, segment)
    }

    fn collect(&mut self, batch: &Batch<'_>) -> Result<(), SearchError> {
        for column in &mut self.columns {
            column.load(batch.docs)?;
        }
        let owners = batch.owner_count();
        if self.pages.len() < owners {
            self.pages.resize(owners, Vec::new());
        }
        let Collector {
            agg,
            columns,
            shown,
            after,
            pages,
            counts,
            bytes,
            children,
            ..
        } = self;
        for row in 0..batch.docs.list.len() {
            let page = &mut pages[batch.owner(row) as usize];
            let lists: Vec<&[Option<TermKey>]> = columns
                .iter()
                .map(|column| column.keys[row].as_slice())
                .collect();
            combinations(&lists, &mut |key| {
                if let Some(after) = &after
                    && compare_keys(shown, key, after).is_le()
                {
                    return Ok::<(), SearchError>(());
                }
                let found = page.binary_search_by(|(own, _)| compare_keys(shown, own, key));
                let bucket = match found {
                    Ok(at) => page[at].1,
                    Err(at) if at >= agg.size => return Ok(()),
                    Err(at) => {
                        let bucket = counts.len() as u32;
                        counts.push(0);
                        *bytes += size_of::<(CompositeKey, u32, u64)>();
                        for part in key.iter().flatten() {
                            *bytes += size_of::<TermKey>() + part.heap_bytes();
                        }
                        page.insert(at, (key.to_vec(), bucket));
                        // what falls off the page never comes back: smaller keys have taken its place
                        page.truncate(agg.size);
                        bucket
                    }
                };
                counts[bucket as usize] += 1;
                children.push(batch, row, bucket);
                Ok(())
            })?;
        }
        self.held.set(self.bytes)?;
        self.children.flush()
    }

    fn take(&mut self, owner: u32) -> Result<Partial, SearchError> {
        let page = self.pages.get_mut(owner as usize).map(std::mem::take);
        let mut buckets = Vec::new();
        for (key, bucket) in page.unwrap_or_default() {
            buckets.push(CompositeBucket {
                key,
                doc_count: self.counts[bucket as usize],
                sub: self.children.take(bucket)?,
            });
        }
        Ok(Partial::Composite(CompositePartial {
            columns: self.shown.clone(),
            size: self.agg.size,
            buckets,
        }))
    }
}
