//! Merges what shards found into one answer.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashSet};

use quidditch_engine::aggs::{AggError, AggPartials};
use quidditch_engine::search::{
    HitCount, HitRelation, SearchRequest, ShardHit, ShardQueryResult, SortKey, SortSource,
    SortValue, TrackTotalHits,
};
use quidditch_engine::value::Value;

/// A hit and the place of its shard among those asked.
#[derive(Clone, Debug, PartialEq)]
pub struct MergedHit {
    /// Place of the shard.
    pub shard: usize,
    /// The hit.
    pub hit: ShardHit,
}

/// What all shards found together.
#[derive(Clone, Debug)]
pub struct Reduced {
    /// The best hits of all shards, best first; as many as any page up to `from + size` needs.
    pub hits: Vec<MergedHit>,
    /// How many there are; `None`: not counted.
    pub total: Option<HitCount>,
    /// The highest score.
    pub max_score: Option<f32>,
    /// What the aggregations know.
    pub aggs: Option<AggPartials>,
    /// Whether a shard stopped because of `terminate_after`.
    pub terminated_early: bool,
    /// Whether a shard ran out of time.
    pub timed_out: bool,
}

/// Why answers do not go together.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ReduceError {
    /// One field sorts as an `unsigned_long` here and as something else there.
    #[error(
        "Can't do sort across indices, as a field has [unsigned_long] type in one index, and different type in another index!"
    )]
    UnsignedLong,
    /// One field sorts as text here and as a number there.
    #[error(
        "Can't sort on field [{field}]; the field has incompatible sort types: [{left}] and [{right}] across shards!"
    )]
    SortTypes {
        /// The field.
        field: String,
        /// What it is on one shard.
        left: &'static str,
        /// What it is on another.
        right: &'static str,
    },
    /// The aggregations do not fit together.
    #[error(transparent)]
    Aggs(#[from] AggError),
}

/// Merges the answers of shards as they come.
///
/// With aggregations they are merged in the order of the shards, so that sums of numbers with fractions are the same each
/// time: an answer that comes before those of earlier shards waits for them. When `batch` answers wait, they are merged
/// without the missing ones. So at most a batch of answers, and one merged page of hits, are kept. Hits alone have the same
/// order whenever they come, and are merged at once.
pub struct Reducer<'a> {
    request: &'a SearchRequest,
    batch: usize,
    /// No other shard is asked.
    is_alone: bool,
    /// The order of the answers makes a difference.
    needs_order: bool,
    /// The first shard that has not told what becomes of it.
    next: usize,
    /// What came too early; `None`: the shard failed, or is not asked.
    early: BTreeMap<usize, Option<ShardQueryResult>>,
    /// Of `early`, those with an answer.
    waiting: usize,
    reduced: Reduced,
    /// By sort key: the type of the first value, and what did not fit it.
    types: Vec<(Option<&'static str>, Option<ReduceError>)>,
    failure: Option<AggError>,
}

impl<'a> Reducer<'a> {
    /// * `shards`: how many there are, with those that are not asked.
    /// * `batch`: how many answers may wait.
    pub fn new(request: &'a SearchRequest, shards: usize, batch: usize) -> Reducer<'a> {
        Reducer {
            request,
            batch,
            is_alone: shards == 1,
            needs_order: !request.aggs.is_empty(),
            next: 0,
            early: BTreeMap::new(),
            waiting: 0,
            reduced: Reduced {
                hits: Vec::new(),
                total: None,
                max_score: None,
                aggs: None,
                terminated_early: false,
                timed_out: false,
            },
            types: vec![(None, None); request.sort.len()],
            failure: None,
        }
    }

    /// Takes the answer of a shard; `None`: it failed, or is not asked.
    pub fn add(&mut self, shard: usize, result: Option<ShardQueryResult>) {
        if !self.needs_order {
            return self.merge(shard, result);
        }
        self.waiting += usize::from(result.is_some());
        self.early.insert(shard, result);
        while let Some(result) = self.early.remove(&self.next) {
            self.waiting -= usize::from(result.is_some());
            self.merge(self.next, result);
            self.next += 1;
        }
        if self.waiting >= self.batch {
            self.merge_early();
        }
    }

    /// The last hit that is shown as things are. A shard whose hits all come after it need not be asked any more. `None`:
    /// every shard must be asked, because fewer hits are known, or for more than its hits.
    pub fn last_shown(&self) -> Option<&ShardHit> {
        let request = self.request;
        let is_counted = match request.track_total_hits {
            TrackTotalHits::No => false,
            TrackTotalHits::All => true,
            TrackTotalHits::UpTo(limit) => {
                let is_more = |total: HitCount| match total.relation {
                    HitRelation::Eq => total.value > limit,
                    HitRelation::Gte => total.value >= limit,
                };
                !self.reduced.total.is_some_and(is_more)
            }
        };
        let is_plain = request.aggs.is_empty()
            && request.terminate_after.is_none()
            && !request.track_scores
            && request
                .sort
                .iter()
                .all(|key| key.source != SortSource::Score);
        if is_counted || !is_plain {
            return None;
        }
        let last = request.size.checked_sub(1)?;
        self.reduced.hits.get(last).map(|merged| &merged.hit)
    }

    /// What all shards found together.
    pub fn finish(mut self) -> Result<Reduced, ReduceError> {
        self.merge_early();
        if let Some(error) = self.failure {
            return Err(error.into());
        }
        if let Some(error) = self.types.into_iter().find_map(|(_, error)| error) {
            return Err(error);
        }
        let total = self.reduced.total;
        self.reduced.total = match self.request.track_total_hits {
            TrackTotalHits::No => None,
            TrackTotalHits::All => Some(total.unwrap_or(NOTHING)),
            TrackTotalHits::UpTo(limit) => Some(match total.unwrap_or(NOTHING) {
                total if total.value > limit => HitCount {
                    value: limit,
                    relation: HitRelation::Gte,
                },
                total => total,
            }),
        };
        Ok(self.reduced)
    }

    fn merge_early(&mut self) {
        self.waiting = 0;
        for (shard, result) in std::mem::take(&mut self.early) {
            self.merge(shard, result);
        }
    }

    fn merge(&mut self, shard: usize, result: Option<ShardQueryResult>) {
        let Some(result) = result else { return };
        let reduced = &mut self.reduced;
        reduced.total = add_totals(reduced.total, result.total);
        if let Some(score) = result.max_score {
            reduced.max_score = Some(reduced.max_score.map_or(score, |best: f32| best.max(score)));
        }
        reduced.terminated_early |= result.terminated_early;
        reduced.timed_out |= result.timed_out;
        if let Some(partials) = result.aggs
            && self.failure.is_none()
        {
            let merged = match reduced.aggs.take() {
                Some(merged) => merged.merge(partials),
                None => Ok(partials),
            };
            match merged {
                Ok(merged) => reduced.aggs = Some(merged),
                Err(error) => self.failure = Some(error),
            }
        }
        self.check_sort_types(&result.hits);
        self.merge_hits(shard, result.hits);
    }

    fn merge_hits(&mut self, shard: usize, hits: Vec<ShardHit>) {
        let request = self.request;
        let merged = &mut self.reduced.hits;
        merged.extend(hits.into_iter().map(|hit| MergedHit { shard, hit }));
        // a lone shard's hits are in order, unless passes changed their scores
        if !self.is_alone || !request.rescore.is_empty() {
            // a stable sort: ties stay in the order of shards, then of documents
            merged.sort_by(|a, b| {
                let order = check_order(&request.sort, &a.hit, &b.hit);
                order.then(a.shard.cmp(&b.shard))
            });
        }
        if request.collapse.is_some() {
            let mut groups = HashSet::new();
            merged.retain(|merged| groups.insert(group_key(merged.hit.collapse.as_ref())));
        }
        merged.truncate(request.size);
    }

    fn check_sort_types(&mut self, hits: &[ShardHit]) {
        for (place, (seen, error)) in self.types.iter_mut().enumerate() {
            let key = &self.request.sort[place];
            for value in hits.iter().filter_map(|hit| hit.sort.get(place)) {
                if error.is_some() {
                    break;
                }
                if matches!(value, SortValue::Missing) {
                    continue;
                }
                let right = type_name(value);
                let left = *seen.get_or_insert(right);
                *error = unlike(key, left, right);
            }
        }
    }
}

/// Why values of two types do not go into one order; `None`: they do.
fn unlike(key: &SortKey, left: &'static str, right: &'static str) -> Option<ReduceError> {
    if left == right {
        return None;
    }
    if left == "STRING" || right == "STRING" {
        let field = match &key.source {
            SortSource::Field(path) => path.clone(),
            _ => String::new(),
        };
        return Some(ReduceError::SortTypes { field, left, right });
    }
    (left == "UNSIGNED_LONG" || right == "UNSIGNED_LONG").then_some(ReduceError::UnsignedLong)
}

const NOTHING: HitCount = HitCount {
    value: 0,
    relation: HitRelation::Eq,
};

fn add_totals(left: Option<HitCount>, right: Option<HitCount>) -> Option<HitCount> {
    let (Some(left), Some(right)) = (left, right) else {
        return left.or(right);
    };
    let exact = left.relation == HitRelation::Eq && right.relation == HitRelation::Eq;
    Some(HitCount {
        value: left.value + right.value,
        relation: if exact {
            HitRelation::Eq
        } else {
            HitRelation::Gte
        },
    })
}

/// What hits of one group have in common, whatever the type of the field.
fn group_key(value: Option<&Value>) -> String {
    format!("{:?}", value.unwrap_or(&Value::Null))
}

/// Less: `a` comes first. By the sort keys, or by score where there are none.
pub fn check_order(keys: &[SortKey], a: &ShardHit, b: &ShardHit) -> Ordering {
    if keys.is_empty() {
        return b.score.total_cmp(&a.score);
    }
    for (key, (left, right)) in keys.iter().zip(a.sort.iter().zip(&b.sort)) {
        let order = key.compare(left, right);
        if order != Ordering::Equal {
            return order;
        }
    }
    Ordering::Equal
}

/// What a value is called in an error.
pub fn type_name(value: &SortValue) -> &'static str {
    match value {
        SortValue::Missing => "MISSING",
        SortValue::I64(_) => "LONG",
        SortValue::U64(_) => "UNSIGNED_LONG",
        SortValue::F64(_) => "DOUBLE",
        SortValue::Term { .. } => "STRING",
    }
}

/// How many times results were merged when at most `batch` are kept at once: once at the end, and each time the
/// buffer was full before.
pub fn reduce_phases(shards: usize, batch: usize) -> usize {
    if shards <= batch || batch < 2 {
        return 1;
    }
    1 + (shards - batch).div_ceil(batch - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use quidditch_engine::ids::DocId;
    use quidditch_engine::query::Query;
    use quidditch_engine::search::{Collapse, DocAddress, SortOrder};

    fn hit(doc: u32, score: f32, sort: Vec<SortValue>) -> ShardHit {
        ShardHit {
            doc: DocAddress {
                segment: 0,
                doc: DocId(doc),
            },
            score,
            sort,
            collapse: None,
        }
    }

    fn result(hits: Vec<ShardHit>, total: u64) -> Option<ShardQueryResult> {
        Some(ShardQueryResult {
            max_score: hits.iter().map(|hit| hit.score).reduce(f32::max),
            hits,
            total: Some(HitCount {
                value: total,
                relation: HitRelation::Eq,
            }),
            aggs: None,
            terminated_early: false,
            timed_out: false,
        })
    }

    fn reduce(
        request: &SearchRequest,
        results: Vec<Option<ShardQueryResult>>,
    ) -> Result<Reduced, ReduceError> {
        let order: Vec<usize> = (0..results.len()).collect();
        reduce_as_they_come(request, &results, &order, 512)
    }

    fn reduce_as_they_come(
        request: &SearchRequest,
        results: &[Option<ShardQueryResult>],
        order: &[usize],
        batch: usize,
    ) -> Result<Reduced, ReduceError> {
        let mut reducer = Reducer::new(request, results.len(), batch);
        for shard in order {
            reducer.add(*shard, results[*shard].clone());
            assert!(reducer.waiting < batch, "{order:?}");
            assert!(reducer.reduced.hits.len() <= request.size);
        }
        reducer.finish()
    }

    #[test]
    fn the_page_is_known_as_soon_as_one_shard_has_filled_it() {
        let request = SearchRequest {
            size: 1,
            sort: vec![SortKey::field("f", SortOrder::Desc)],
            track_total_hits: TrackTotalHits::No,
            ..SearchRequest::new(Query::match_all())
        };
        // the newest of many indices is asked first
        let mut reducer = Reducer::new(&request, 60, 512);
        let newest = result(vec![hit(0, 1.0, vec![SortValue::I64(9)])], 1);
        reducer.add(59, newest);
        let last = reducer.last_shown().map(|hit| hit.sort.clone());
        assert_eq!(last, Some(vec![SortValue::I64(9)]));
    }

    #[test]
    fn the_order_in_which_answers_come_changes_nothing() {
        let mut request = SearchRequest {
            size: 4,
            ..SearchRequest::new(Query::match_all())
        };
        request.sort = vec![SortKey::field("f", SortOrder::Asc)];
        // many ties, and groups that several shards have
        let results: Vec<Option<ShardQueryResult>> = (0..6u32)
            .map(|shard| {
                let values = (0..4).map(|n| i64::from(shard * 7 + n * 3) % 5);
                let mut hits: Vec<ShardHit> = values
                    .enumerate()
                    .map(|(doc, value)| ShardHit {
                        collapse: Some(Value::I64(value + doc as i64 % 2)),
                        ..hit(doc as u32, 1.0, vec![SortValue::I64(value)])
                    })
                    .collect();
                hits.sort_by(|a, b| check_order(&request.sort, a, b));
                (shard != 2).then(|| result(hits, 4)).flatten()
            })
            .collect();
        for collapse in [None, Some("f")] {
            request.collapse = collapse.map(|field| Collapse {
                field: field.to_owned(),
            });
            let expected = reduce(&request, results.clone()).unwrap();
            assert_eq!(expected.total.unwrap().value, 20);
            for seed in 0..50usize {
                let mut order: Vec<usize> = (0..results.len()).collect();
                order.sort_by_key(|shard| (shard * 31 + seed * 17) * (seed + 3) % 101);
                for batch in [2, 3, 512] {
                    let found = reduce_as_they_come(&request, &results, &order, batch).unwrap();
                    assert_eq!(found.hits, expected.hits, "{order:?} by {batch}");
                    assert_eq!(found.total, expected.total);
                }
            }
        }
    }

    #[test]
    fn a_full_page_makes_shards_needless_only_when_nothing_else_is_wanted_of_them() {
        let mut request = SearchRequest {
            size: 1,
            track_total_hits: TrackTotalHits::UpTo(1),
            sort: vec![SortKey::field("f", SortOrder::Asc)],
            ..SearchRequest::new(Query::match_all())
        };
        let last = |request: &SearchRequest, total| {
            let mut reducer = Reducer::new(request, 2, 512);
            reducer.add(
                0,
                result(vec![hit(7, f32::NAN, vec![SortValue::I64(1)])], total),
            );
            reducer.last_shown().map(|hit| hit.doc.doc.0)
        };
        assert_eq!((last(&request, 1), last(&request, 2)), (None, Some(7)));
        request.track_total_hits = TrackTotalHits::No;
        assert_eq!(last(&request, 1), Some(7));
        request.size = 2;
        assert_eq!(last(&request, 1), None);
        request.size = 1;
        request.track_scores = true;
        assert_eq!(last(&request, 1), None);
    }

    #[test]
    fn ties_stay_in_the_order_of_shards() {
        let request = SearchRequest {
            size: 3,
            ..SearchRequest::new(Query::match_all())
        };
        let reduced = reduce(
            &request,
            vec![
                result(vec![hit(1, 2.0, vec![]), hit(2, 1.0, vec![])], 2),
                None,
                result(vec![hit(3, 2.0, vec![])], 1),
            ],
        )
        .unwrap();
        let order: Vec<_> = reduced
            .hits
            .iter()
            .map(|merged| (merged.shard, merged.hit.doc.doc.0))
            .collect();
        assert_eq!(order, [(0, 1), (2, 3), (0, 2)]);
        assert_eq!(
            (reduced.total.unwrap().value, reduced.max_score),
            (3, Some(2.0))
        );
    }

    #[test]
    fn totals_stop_at_the_limit() {
        let mut request = SearchRequest::new(Query::match_all());
        request.track_total_hits = TrackTotalHits::UpTo(4);
        let reduced = reduce(&request, vec![result(vec![], 3), result(vec![], 2)]).unwrap();
        assert_eq!(
            reduced.total,
            Some(HitCount {
                value: 4,
                relation: HitRelation::Gte
            })
        );
        request.track_total_hits = TrackTotalHits::UpTo(5);
        let reduced = reduce(&request, vec![result(vec![], 3), result(vec![], 2)]).unwrap();
        assert_eq!(
            reduced.total,
            Some(HitCount {
                value: 5,
                relation: HitRelation::Eq
            })
        );
    }

    #[test]
    fn types_that_do_not_compare_are_refused() {
        let mut request = SearchRequest::new(Query::match_all());
        request.sort = vec![SortKey::field("f", SortOrder::Asc)];
        let shards = |a, b| {
            vec![
                result(vec![hit(1, f32::NAN, vec![a])], 1),
                result(vec![hit(1, f32::NAN, vec![b])], 1),
            ]
        };
        assert!(reduce(&request, shards(SortValue::I64(1), SortValue::F64(0.5))).is_ok());
        let error = reduce(&request, shards(SortValue::I64(1), SortValue::U64(1))).unwrap_err();
        assert_eq!(error, ReduceError::UnsignedLong);
    }

    #[test]
    fn phases_are_counted_as_the_buffer_fills() {
        assert_eq!(reduce_phases(5, 2), 4);
        assert_eq!(reduce_phases(5, 512), 1);
        assert_eq!(reduce_phases(3, 3), 1);
        assert_eq!(reduce_phases(4, 3), 2);
    }
}
