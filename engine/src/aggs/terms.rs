//! `terms`: a bucket per value of a field, the best of them by count, key or a metric.

use serde::{Deserialize, Serialize};

use super::aggregation::Aggregation;
use super::bucket_map::BucketMap;
use super::bucket_table::BucketTable;
use super::collector::{AggContext, Aggregator, Batch, Children, Docs, Held, live_docs_of_window};
use super::counting::count_each;
use super::deferred::{Deferred, PRUNED, worth_waiting};
use super::error::AggError;
use super::format::ValueFormat;
use super::include_exclude::{IncludeExclude, NumberFilter, TermFilter};
use super::order::{BucketOrder, OrderKey, check_orders};
use super::partial::{Finisher, Partial, empty_list};
use super::request::{AggRequest, FieldSource};
use super::result::ResultBody;
use super::source::{NumericSource, Source, TermSource, Values, text_of};
use super::terms_partial::{
    Finish, TermBucket, TermKey, TermsKind, TermsPartial, compare_buckets, keep_best,
    sorts_by_metric,
};
use super::terms_tally::Tally;
use crate::schema::{NumericKind, f64_to_sortable};
use crate::search::SearchError;
use crate::segment::WINDOW_DOCS;
use crate::shard::SegmentSnapshot;
use crate::value::Value;

/// A bucket per value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TermsAgg {
    /// Where the values come from.
    pub source: FieldSource,
    /// Buckets in the answer, at least 1.
    pub size: usize,
    /// Buckets that a shard gives; `None`: one and a half times `size` and 10 more, but `size` when sorted by key.
    pub shard_size: Option<usize>,
    /// Buckets with fewer documents are not shown; 0 shows terms of documents that the query does not find.
    pub min_doc_count: u64,
    /// Buckets with fewer documents on a shard are not given by it.
    pub shard_min_doc_count: u64,
    /// Order of the buckets.
    pub order: Vec<BucketOrder>,
    /// Which terms become buckets.
    pub filter: IncludeExclude,
    /// Whether each bucket shows how wrong its count may be.
    pub show_term_doc_count_error: bool,
}

impl TermsAgg {
    /// The ten terms with the most documents.
    pub fn new(source: FieldSource) -> TermsAgg {
        TermsAgg {
            source,
            size: 10,
            shard_size: None,
            min_doc_count: 1,
            shard_min_doc_count: 0,
            order: vec![BucketOrder::count(false)],
            filter: IncludeExclude::default(),
            show_term_doc_count_error: false,
        }
    }

    fn sorts_by_key(&self) -> bool {
        self.order
            .first()
            .is_some_and(|order| order.by == OrderKey::Key)
    }

    fn shard_size(&self) -> usize {
        let wanted = match self.shard_size {
            Some(size) => size,
            None if self.sorts_by_key() => self.size,
            None => self.size.saturating_add(self.size / 2).saturating_add(10),
        };
        wanted.max(self.size)
    }
}

impl TermsAgg {
    /// Makes the collector; `rare` keeps only terms of at most so many documents on the shard.
    pub(super) fn collector<'a>(
        &'a self,
        request: &'a AggRequest,
        ctx: &AggContext<'a>,
        rare: Option<u64>,
    ) -> Result<Box<dyn Aggregator + 'a>, SearchError> {
        check_orders(&self.order, request)?;
        let schema = &ctx.reader.schema;
        let field = schema.mapping.field(&self.source.field);
        let reads = match Source::resolve(&self.source, schema, ctx.search, None)? {
            Source::Unmapped => Reads::Nothing,
            Source::Terms(source) => {
                if source.format == ValueFormat::Ip && self.filter.has_pattern() {
                    return Err(pattern_refused(
                        request,
                        "Use an array of values for include/exclude clauses",
                    ));
                }
                let encode = |value: &Value| match field {
                    Some(field) => Ok(field.encode_term(value)?),
                    None => Ok(text_of(value).into_bytes()),
                };
                Reads::Terms {
                    filter: TermFilter::new(&self.filter, &encode)?,
                    source,
                    buckets: BucketMap::new(),
                }
            }
            Source::Numeric(source) => {
                if self.filter.has_pattern() {
                    return Err(pattern_refused(
                        request,
                        "Use an array of numeric values for include/exclude clauses used to filter numeric fields",
                    ));
                }
                let now_ms = ctx.search.now_ms;
                let nanos = source.kind == NumericKind::DateNanos;
                let encode = |value: &Value| {
                    let raw = match field {
                        Some(field) => field.encode_number(value, now_ms)?,
                        None => text_of(value).parse().ok(),
                    };
                    Ok(if nanos {
                        raw.map(|raw: i64| raw.div_euclid(1_000_000))
                    } else {
                        raw
                    })
                };
                Reads::Numbers {
                    filter: NumberFilter::new(&self.filter, &encode)?,
                    source,
                    buckets: BucketMap::new(),
                }
            }
        };
        let children = Children::new(&request.sub, ctx)?;
        let deferred = (rare.is_none() && self.defers(request, &reads, &children, ctx)?)
            .then(Deferred::default);
        Ok(Box::new(Collector {
            agg: self,
            request,
            ctx: *ctx,
            rare,
            reads,
            ords: OrdBuckets::default(),
            tally: None,
            places: Vec::new(),
            table: BucketTable::default(),
            table_base: 0,
            term: Vec::new(),
            children,
            deferred,
            pruned: None,
            owners: 0,
            completed: false,
            held: Held::new(ctx.search),
        }))
    }
}

impl TermsAgg {
    /// Whether the sub-aggregations wait until the best buckets are known: not if those are found by what the
    /// sub-aggregations say, if they want scores, or if no bucket can be too many.
    fn defers(
        &self,
        request: &AggRequest,
        reads: &Reads,
        children: &Children<'_>,
        ctx: &AggContext<'_>,
    ) -> Result<bool, SearchError> {
        if !worth_waiting(&request.sub) || sorts_by_metric(&self.order) || children.needs_scores() {
            return Ok(false);
        }
        let Reads::Terms { source, .. } = reads else {
            return Ok(self.shard_size() < usize::MAX);
        };
        let mut terms = usize::from(source.missing.is_some());
        for segment in &ctx.reader.segments {
            terms = terms.saturating_add(source.term_count(segment)?);
        }
        Ok(terms > self.shard_size())
    }

    /// Puts the shard's best buckets into the partial, and says how much may be missing.
    pub(super) fn fill(
        &self,
        request: &AggRequest,
        partial: &mut TermsPartial,
        found: Vec<Found>,
        children: &mut Children<'_>,
    ) -> Result<(), SearchError> {
        let pruned = self.prune(found);
        self.fill_pruned(request, partial, pruned, children)
    }

    /// Leaves the shard's best buckets, as far as they are known before their sub-aggregations are asked.
    fn prune(&self, mut found: Vec<Found>) -> Pruned {
        let order = &self.order;
        let size = self.shard_size();
        let min = self.shard_min_doc_count.min(self.min_doc_count);
        if min > 0 {
            found.retain(|(count, _, _)| *count >= min);
        }
        let cut = found.len() > size;
        let mut other = 0;
        if cut && !sorts_by_metric(order) {
            found.select_nth_unstable_by(size - 1, |a, b| {
                compare_buckets(order, (a.0, &a.1, &[]), (b.0, &b.1, &[]))
            });
            for (count, _, _) in found.drain(size..) {
                other += count;
            }
        }
        Pruned { found, other, cut }
    }

    fn fill_pruned(
        &self,
        request: &AggRequest,
        partial: &mut TermsPartial,
        pruned: Pruned,
        children: &mut Children<'_>,
    ) -> Result<(), SearchError> {
        let order = &self.order;
        let size = self.shard_size();
        let Pruned { found, other, cut } = pruned;
        partial.other += other;
        let mut buckets = Vec::with_capacity(found.len());
        for (doc_count, key, bucket) in found {
            let sub = if doc_count == 0 {
                empty_list(&request.sub)
            } else {
                children.take(bucket)?
            };
            buckets.push(TermBucket {
                key,
                doc_count,
                exact: 0,
                sub,
            });
        }
        let (mut buckets, _) = keep_best(buckets, size, order, request, &mut partial.other);
        if cut && !self.sorts_by_key() {
            partial.error = match order.first() {
                Some(BucketOrder {
                    by: OrderKey::Count,
                    ascending: false,
                }) => Some(buckets.last().map_or(0, |last| last.doc_count)),
                _ => None,
            };
        }
        for bucket in &mut buckets {
            bucket.exact = partial.error.unwrap_or(0);
        }
        buckets.sort_by(|a, b| a.key.cmp(&b.key));
        partial.buckets = buckets;
        Ok(())
    }
}

impl Aggregation for TermsAgg {
    fn aggregator<'a>(
        &'a self,
        request: &'a AggRequest,
        ctx: &AggContext<'a>,
    ) -> Result<Box<dyn Aggregator + 'a>, SearchError> {
        self.collector(request, ctx, None)
    }

    fn empty(&self, _request: &AggRequest) -> Partial {
        Partial::Terms(TermsPartial {
            error: Some(0),
            ..TermsPartial::default()
        })
    }

    fn finish(
        &self,
        request: &AggRequest,
        partial: Partial,
        finisher: &mut Finisher,
    ) -> Result<(&'static str, ResultBody), AggError> {
        let Partial::Terms(partial) = partial else {
            return Err(partial.mismatch(request));
        };
        Finish {
            request,
            size: self.size,
            min_doc_count: self.min_doc_count,
            order: &self.order,
            show_error: self.show_term_doc_count_error,
        }
        .run(partial, finisher)
    }
}

fn pattern_refused(request: &AggRequest, advice: &str) -> SearchError {
    AggError::Execution(format!(
        "Aggregation [{}] cannot support regular expression style include/exclude settings as they can only be \
         applied to string fields. {advice}",
        request.name
    ))
    .refuse()
}

/// Documents, key and number of a bucket.
type Found = (u64, TermKey, u32);

/// The best buckets of one of the parent's.
#[derive(Default)]
struct Pruned {
    found: Vec<Found>,
    /// Documents of those left out.
    other: u64,
    /// Whether there were more than the shard gives.
    cut: bool,
}

enum Reads {
    Nothing,
    Terms {
        source: TermSource,
        filter: Option<TermFilter>,
        buckets: BucketMap<Vec<u8>>,
    },
    Numbers {
        source: NumericSource,
        filter: Option<NumberFilter>,
        buckets: BucketMap<i64>,
    },
}

/// No bucket was looked up yet for an ordinal.
const UNKNOWN: u32 = u32::MAX;
/// The filter keeps the term out.
const REFUSED: u32 = u32::MAX - 1;
/// Numbers that buckets are looked up for in an array.
const TABLE_MAX: u64 = 1 << 16;
/// Parent buckets for which ordinals are looked up in an array.
const DENSE_OWNERS: usize = 1;

/// The buckets of a segment's ordinals.
#[derive(Default)]
struct OrdBuckets {
    /// Of the parent's bucket 0, by ordinal.
    first: Vec<u32>,
    /// Of the other ones.
    others: hashbrown::HashMap<(u32, u64), u32>,
}

impl OrdBuckets {
    fn reset(&mut self, ords: usize) {
        self.first.clear();
        self.first.resize(ords, UNKNOWN);
        self.others.clear();
    }

    #[inline]
    fn get(&self, owner: u32, ord: u64) -> u32 {
        if (owner as usize) < DENSE_OWNERS
            && let Some(bucket) = self.first.get(ord as usize)
        {
            return *bucket;
        }
        self.others.get(&(owner, ord)).copied().unwrap_or(UNKNOWN)
    }

    fn set(&mut self, owner: u32, ord: u64, bucket: u32) {
        if (owner as usize) < DENSE_OWNERS
            && let Some(slot) = self.first.get_mut(ord as usize)
        {
            *slot = bucket;
            return;
        }
        self.others.insert((owner, ord), bucket);
    }

    fn bytes(&self) -> usize {
        self.first.capacity() * 4 + self.others.capacity() * 25 * 8 / 7
    }
}

struct Collector<'a> {
    agg: &'a TermsAgg,
    request: &'a AggRequest,
    ctx: AggContext<'a>,
    /// For `rare_terms`: the most documents that a term may have.
    rare: Option<u64>,
    reads: Reads,
    ords: OrdBuckets,
    /// What the segment counts, where nobody asks for documents by bucket.
    tally: Option<Tally>,
    places: Vec<u32>,
    /// Buckets of the segment's numbers by their distance from a base, where they lie near each other.
    table: BucketTable,
    table_base: i64,
    term: Vec<u8>,
    children: Children<'a>,
    /// The documents for the sub-aggregations, if those wait.
    deferred: Option<Deferred>,
    /// The best buckets by the parent's, once the sub-aggregations have seen their documents.
    pruned: Option<hashbrown::HashMap<u32, Pruned>>,
    /// Parent buckets seen.
    owners: u32,
    /// Whether terms of zero documents were added.
    completed: bool,
    held: Held<'a>,
}

impl Aggregator for Collector<'_> {
    fn needs_scores(&self) -> bool {
        self.children.needs_scores()
    }

    fn begin_segment(&mut self, ord: u32, segment: &SegmentSnapshot) -> Result<(), SearchError> {
        self.fold_tally()?;
        let tallies = self.tallies();
        match &mut self.reads {
            Reads::Nothing => {}
            Reads::Numbers { source, filter, .. } => {
                source.begin_segment(segment)?;
                self.table.reset(0);
                if let Some((min, max)) = source.bounds() {
                    let width = max.wrapping_sub(min) as u64;
                    if tallies {
                        self.tally = Tally::of_numbers(min, max);
                    } else if filter.is_none() && width < TABLE_MAX {
                        self.table.reset(width as usize + 1);
                        self.table_base = min;
                    }
                }
            }
            Reads::Terms {
                source, buckets, ..
            } => {
                source.begin_segment(segment)?;
                let count = source.column().map_or(0, |column| column.value_count()) as usize;
                self.held.set(count * size_of::<u32>() + buckets.bytes())?;
                match tallies {
                    true => self.tally = Some(Tally::of_ordinals(count)),
                    false => self.ords.reset(count),
                }
            }
        }
        match &mut self.deferred {
            Some(deferred) => {
                deferred.begin_segment(ord);
                Ok(())
            }
            None => self.children.begin_segment(ord, segment),
        }
    }

    fn collect_segment(&mut self) -> Result<bool, SearchError> {
        let (Some(tally), Reads::Terms { source, .. }) = (&mut self.tally, &self.reads) else {
            return Ok(false);
        };
        let Some(frequencies) = source.frequencies() else {
            return Ok(false);
        };
        self.owners = self.owners.max(1);
        tally.add_frequencies(frequencies)?;
        Ok(true)
    }

    fn collect(&mut self, batch: &Batch<'_>) -> Result<(), SearchError> {
        self.owners = self.owners.max(batch.owner_count() as u32);
        if self.collect_tally(batch)? || self.collect_each(batch)? {
            return Ok(());
        }
        match &mut self.reads {
            Reads::Nothing => return Ok(()),
            Reads::Terms {
                source,
                filter,
                buckets,
            } => {
                source.load(batch.docs);
                let has_children = !self.children.is_empty();
                for at in 0..source.len() {
                    let (row, ord) = source.at(at);
                    let owner = batch.owner(row as usize);
                    let mut bucket = self.ords.get(owner, ord);
                    if bucket == UNKNOWN {
                        source.term(ord, &mut self.term)?;
                        let accepted = filter
                            .as_ref()
                            .is_none_or(|filter| filter.accepts(&self.term));
                        bucket = if accepted {
                            let bytes = self.term.len();
                            buckets.bucket(owner, self.term.as_slice(), bytes, <[u8]>::to_vec)
                        } else {
                            REFUSED
                        };
                        self.ords.set(owner, ord, bucket);
                    }
                    if bucket == REFUSED {
                        continue;
                    }
                    buckets.counts[bucket as usize] += 1;
                    if let Some(deferred) = &mut self.deferred {
                        deferred.push(batch.docs.list[row as usize], bucket);
                    } else if has_children {
                        self.children.push(batch, row as usize, bucket);
                    }
                }
                let waiting = self.deferred.as_ref().map_or(0, Deferred::bytes);
                self.held
                    .set(self.ords.bytes() + buckets.bytes() + waiting)?;
            }
            Reads::Numbers {
                source,
                filter,
                buckets,
            } => {
                let kind = source.domain();
                let Values { rows, values, .. } = source.load(batch.docs);
                let mut before: Option<(u32, u32, i64, u32)> = None;
                for (&row, &value) in rows.iter().zip(values) {
                    let owner = batch.owner(row as usize);
                    let bucket = match before {
                        Some((last_row, last_owner, last, bucket))
                            if last == value && last_owner == owner =>
                        {
                            // a number that a document has twice counts once
                            if last_row == row {
                                continue;
                            }
                            bucket
                        }
                        _ => {
                            if let Some(filter) = filter
                                && !filter.accepts(value, partition_bits(kind, value))
                            {
                                continue;
                            }
                            buckets.bucket(owner, &value, 0, |value| *value)
                        }
                    };
                    before = Some((row, owner, value, bucket));
                    buckets.counts[bucket as usize] += 1;
                    if let Some(deferred) = &mut self.deferred {
                        deferred.push(batch.docs.list[row as usize], bucket);
                    } else {
                        self.children.push(batch, row as usize, bucket);
                    }
                }
                let waiting = self.deferred.as_ref().map_or(0, Deferred::bytes);
                self.held.set(buckets.bytes() + waiting)?;
            }
        }
        self.children.flush()
    }

    fn take(&mut self, owner: u32) -> Result<Partial, SearchError> {
        if self.agg.min_doc_count == 0 && !self.completed {
            // before the first bucket is taken, for all of the parent's buckets
            self.completed = true;
            for owner in 0..self.owners.max(1) {
                self.add_terms_of_all(owner)?;
            }
        }
        if let Some(deferred) = self.deferred.take() {
            self.replay(deferred)?;
        }
        let agg = self.agg;
        let (kind, format) = match &self.reads {
            Reads::Nothing => return Ok(agg.empty(self.request)),
            Reads::Terms { source, .. } => (TermsKind::Text, source.format.clone()),
            Reads::Numbers { source, .. } => (kind_of(source.domain()), source.format.clone()),
        };
        let mut partial = TermsPartial {
            kind,
            format,
            shards: 1,
            error: Some(0),
            ..TermsPartial::default()
        };
        let tallied = match owner {
            0 => self.best_of_tally()?,
            _ => None,
        };
        let pruned = match (&mut self.pruned, tallied) {
            (_, Some(pruned)) => pruned,
            (Some(pruned), None) => pruned.remove(&owner).unwrap_or_default(),
            (None, None) => {
                let mut found = self.found(owner);
                if let Some(max) = self.rare {
                    partial.common = take_common(&mut found, max);
                }
                agg.prune(found)
            }
        };
        agg.fill_pruned(self.request, &mut partial, pruned, &mut self.children)?;
        Ok(Partial::Terms(partial))
    }
}

/// Takes the terms of more than `max` documents out; gives their hashes, ascending.
fn take_common(found: &mut Vec<(u64, TermKey, u32)>, max: u64) -> Vec<u64> {
    let mut common = Vec::new();
    found.retain(|(count, key, _)| {
        if *count > max {
            common.push(key.hash64());
        }
        *count <= max
    });
    common.sort_unstable();
    common
}

impl Collector<'_> {
    /// Whether it is enough to count: all documents are in one bucket of the parent, and nobody looks at them or at
    /// the terms on the way.
    fn tallies(&self) -> bool {
        let plain = match &self.reads {
            Reads::Nothing => false,
            Reads::Terms { source, filter, .. } => filter.is_none() && source.missing.is_none(),
            Reads::Numbers { source, filter, .. } => filter.is_none() && source.missing().is_none(),
        };
        plain
            && self.ctx.top_level
            && self.children.is_empty()
            && self.deferred.is_none()
            && self.rare.is_none()
            && self.agg.min_doc_count > 0
    }

    /// Counts the documents of a batch; whether it did.
    fn collect_tally(&mut self, batch: &Batch<'_>) -> Result<bool, SearchError> {
        let Some(tally) = &mut self.tally else {
            return Ok(false);
        };
        match &mut self.reads {
            Reads::Nothing => return Ok(false),
            Reads::Terms { source, .. } => match source.load_single(batch.docs) {
                Some(ords) => tally.add_ordinals(ords),
                None => tally.add(source.load(batch.docs)),
            },
            Reads::Numbers { source, .. } => tally.add(source.load(batch.docs)),
        }
        self.held.set(tally.bytes())?;
        Ok(true)
    }

    /// The best buckets where the tally of the only segment tells them; nothing is left to ask the sub-aggregations.
    fn best_of_tally(&mut self) -> Result<Option<Pruned>, SearchError> {
        let [first, rest @ ..] = self.agg.order.as_slice() else {
            return Ok(None);
        };
        let most_first = first.by == OrderKey::Count && !first.ascending;
        let then_keys = rest
            .iter()
            .all(|order| order.by == OrderKey::Key && order.ascending);
        if self.ctx.reader.segments.len() > 1 || !most_first || !then_keys {
            self.fold_tally()?;
            return Ok(None);
        }
        let Some(tally) = self.tally.take() else {
            return Ok(None);
        };
        let min = self.agg.shard_min_doc_count.min(self.agg.min_doc_count);
        let (best, other, cut) = tally.most(self.agg.shard_size(), min);
        let mut found = Vec::with_capacity(best.len());
        for (place, count) in best {
            let key = match &self.reads {
                Reads::Terms { source, .. } => {
                    source.term(place as u64, &mut self.term)?;
                    TermKey::Text(self.term.clone())
                }
                Reads::Numbers { source, .. } => key_of(source.domain(), tally.number(place)),
                Reads::Nothing => continue,
            };
            found.push((count, key, 0));
        }
        Ok(Some(Pruned { found, other, cut }))
    }

    /// Makes buckets of what the segment counted.
    fn fold_tally(&mut self) -> Result<(), SearchError> {
        let Some(tally) = self.tally.take() else {
            return Ok(());
        };
        match &mut self.reads {
            Reads::Nothing => {}
            Reads::Terms {
                source, buckets, ..
            } => {
                let Some(column) = source.column() else {
                    return Ok(());
                };
                let mut terms = column.terms().iter();
                let mut at = 0;
                for (place, count) in tally.iter() {
                    let mut term = terms.next()?;
                    while at < place && term.is_some() {
                        term = terms.next()?;
                        at += 1;
                    }
                    at += 1;
                    let Some((term, _)) = term else {
                        break;
                    };
                    let bucket = buckets.bucket(0, term, term.len(), <[u8]>::to_vec);
                    buckets.counts[bucket as usize] += count;
                }
                self.held.set(buckets.bytes() + tally.bytes())
            }?,
            Reads::Numbers { buckets, .. } => {
                for (place, count) in tally.iter() {
                    let bucket = buckets.bucket(0, &tally.number(place), 0, |number| *number);
                    buckets.counts[bucket as usize] += count;
                }
                self.held.set(buckets.bytes() + tally.bytes())?;
            }
        }
        Ok(())
    }

    /// Takes the documents of a batch where each has one value whose bucket an array tells; whether it did.
    fn collect_each(&mut self, batch: &Batch<'_>) -> Result<bool, SearchError> {
        if self.deferred.is_some() || self.children.is_empty() {
            return Ok(false);
        }
        match &mut self.reads {
            Reads::Terms {
                source, buckets, ..
            } if batch.owners.is_empty() => {
                let Some(ords) = source.load_single(batch.docs) else {
                    return Ok(false);
                };
                self.places.resize(ords.len(), 0);
                for (place, ord) in self.places.iter_mut().zip(ords) {
                    let bucket = self.ords.first.get(*ord as usize);
                    *place = bucket.copied().unwrap_or(UNKNOWN);
                }
                // terms that are new, or that the filter refuses, take the longer way
                if self.places.iter().fold(0, |most, place| most.max(*place)) >= REFUSED {
                    return Ok(false);
                }
                count_each(&self.places, &mut buckets.counts);
            }
            Reads::Numbers {
                source, buckets, ..
            } if self.table.is_ready() && self.table.fits(batch.owner_count()) => {
                let loaded = source.load(batch.docs);
                if !loaded.each {
                    return Ok(false);
                }
                let base = self.table_base;
                self.places.clear();
                let distances = loaded
                    .values
                    .iter()
                    .map(|value| value.wrapping_sub(base) as u32);
                self.places.extend(distances);
                let key = |place| base.wrapping_add(i64::from(place));
                self.table
                    .number(batch.owners, &mut self.places, buckets, key);
                count_each(&self.places, &mut buckets.counts);
                self.held.set(buckets.bytes() + self.table.bytes())?;
            }
            _ => return Ok(false),
        }
        self.children.pass_in(batch, &self.places)?;
        Ok(true)
    }

    /// The buckets of one of the parent's; taken out, so once only.
    fn found(&mut self, owner: u32) -> Vec<Found> {
        let mut found = Vec::new();
        match &mut self.reads {
            Reads::Nothing => {}
            Reads::Terms { buckets, .. } => {
                for (bucket, key) in buckets.take_owner(owner) {
                    found.push((buckets.counts[bucket as usize], TermKey::Text(key), bucket));
                }
            }
            Reads::Numbers {
                source, buckets, ..
            } => {
                let kind = source.domain();
                for (bucket, raw) in buckets.take_owner(owner) {
                    found.push((buckets.counts[bucket as usize], key_of(kind, raw), bucket));
                }
            }
        }
        found
    }

    /// Finds the best buckets of all the parent's and shows the documents of these to the sub-aggregations, which know
    /// the buckets by new numbers without gaps.
    fn replay(&mut self, deferred: Deferred) -> Result<(), SearchError> {
        let mut slots = Vec::new();
        let mut next = 0;
        let mut all = hashbrown::HashMap::new();
        for owner in 0..self.owners.max(1) {
            self.ctx.search.check_cancelled()?;
            let mut pruned = self.agg.prune(self.found(owner));
            for (_, _, bucket) in &mut pruned.found {
                let at = *bucket as usize;
                if slots.len() <= at {
                    slots.resize(at + 1, PRUNED);
                }
                slots[at] = next;
                *bucket = next;
                next += 1;
            }
            all.insert(owner, pruned);
        }
        self.pruned = Some(all);
        deferred.replay(self.ctx.reader, &slots, &mut self.children)
    }

    /// Makes buckets, of zero documents, for the terms of all documents of the shard.
    fn add_terms_of_all(&mut self, owner: u32) -> Result<(), SearchError> {
        let mut docs = Vec::new();
        for segment in &self.ctx.reader.segments {
            match &mut self.reads {
                Reads::Nothing => return Ok(()),
                Reads::Terms {
                    source,
                    filter,
                    buckets,
                } => {
                    self.ctx.search.check_cancelled()?;
                    if self.ctx.search.timed_out() {
                        return Ok(());
                    }
                    source.begin_segment(segment)?;
                    let count = source.column().map_or(0, |column| column.value_count());
                    for ord in 0..count {
                        source.term(ord, &mut self.term)?;
                        if filter
                            .as_ref()
                            .is_none_or(|filter| filter.accepts(&self.term))
                        {
                            buckets.bucket(
                                owner,
                                self.term.as_slice(),
                                self.term.len(),
                                <[u8]>::to_vec,
                            );
                        }
                    }
                    buckets.account(&mut self.held)?;
                }
                Reads::Numbers {
                    source,
                    filter,
                    buckets,
                } => {
                    source.begin_segment(segment)?;
                    let kind = source.domain();
                    let mut base = 0;
                    while base < segment.reader.max_doc() {
                        self.ctx.search.check_cancelled()?;
                        if self.ctx.search.timed_out() {
                            return Ok(());
                        }
                        live_docs_of_window(segment, base, &mut docs);
                        for &value in source.load(Docs::listed(&docs)).values {
                            let bits = partition_bits(kind, value);
                            if filter
                                .as_ref()
                                .is_none_or(|filter| filter.accepts(value, bits))
                            {
                                buckets.bucket(owner, &value, 0, |value| *value);
                            }
                        }
                        buckets.account(&mut self.held)?;
                        base = base.saturating_add(WINDOW_DOCS);
                    }
                }
            }
        }
        Ok(())
    }
}

fn kind_of(kind: NumericKind) -> TermsKind {
    match kind {
        NumericKind::I64 | NumericKind::DateMillis | NumericKind::DateNanos | NumericKind::Bool => {
            TermsKind::Long
        }
        NumericKind::U64 => TermsKind::Unsigned,
        NumericKind::F64 | NumericKind::Scaled(_) => TermsKind::Double,
    }
}

pub(crate) fn key_of(kind: NumericKind, raw: i64) -> TermKey {
    match kind {
        NumericKind::I64 | NumericKind::DateMillis | NumericKind::DateNanos | NumericKind::Bool => {
            TermKey::Long(raw)
        }
        NumericKind::U64 => TermKey::Unsigned((raw as u64) ^ (1 << 63)),
        NumericKind::F64 => TermKey::Double(raw),
        NumericKind::Scaled(_) => TermKey::Double(f64_to_sortable(kind.to_f64(raw))),
    }
}

fn partition_bits(kind: NumericKind, raw: i64) -> u64 {
    match kind {
        NumericKind::U64 => (raw as u64) ^ (1 << 63),
        NumericKind::F64 | NumericKind::Scaled(_) => kind.to_f64(raw).to_bits(),
        _ => raw as u64,
    }
}
