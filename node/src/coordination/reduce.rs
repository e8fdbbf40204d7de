//! Merges what shards found into one answer.

use std::cmp::Ordering;
use std::collections::HashSet;

use quidditch_engine::aggs::{AggError, AggPartials};
use quidditch_engine::search::{
    HitCount, HitRelation, SearchRequest, ShardHit, ShardQueryResult, SortKey, SortValue,
    TrackTotalHits,
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

/// Merges the answers of shards, given in the order of the shards; `None` for those that failed.
pub fn reduce(
    request: &SearchRequest,
    results: Vec<Option<ShardQueryResult>>,
) -> Result<Reduced, ReduceError> {
    let mut reduced = Reduced {
        hits: Vec::new(),
        total: None,
        max_score: None,
        aggs: None,
        terminated_early: false,
        timed_out: false,
    };
    // a lone shard's hits are in order, unless passes changed their scores
    let in_order = results.len() == 1 && request.rescore.is_empty();
    for (shard, result) in results.into_iter().enumerate() {
        let Some(result) = result else { continue };
        for hit in result.hits {
            reduced.hits.push(MergedHit { shard, hit });
        }
        reduced.total = add_totals(reduced.total, result.total);
        if let Some(score) = result.max_score {
            reduced.max_score = Some(reduced.max_score.map_or(score, |best: f32| best.max(score)));
        }
        if let Some(partials) = result.aggs {
            reduced.aggs = Some(match reduced.aggs.take() {
                Some(merged) => merged.merge(partials)?,
                None => partials,
            });
        }
        reduced.terminated_early |= result.terminated_early;
        reduced.timed_out |= result.timed_out;
    }
    check_sort_types(&request.sort, &reduced.hits)?;
    if !in_order {
        // a stable sort: ties stay in the order of shards, then of documents
        reduced
            .hits
            .sort_by(|a, b| check_order(&request.sort, &a.hit, &b.hit));
    }
    if request.collapse.is_some() {
        let mut groups = HashSet::new();
        reduced
            .hits
            .retain(|merged| groups.insert(group_key(merged.hit.collapse.as_ref())));
    }
    reduced.hits.truncate(request.size);
    reduced.total = match request.track_total_hits {
        TrackTotalHits::No => None,
        TrackTotalHits::All => Some(reduced.total.unwrap_or(NOTHING)),
        TrackTotalHits::UpTo(limit) => Some(match reduced.total.unwrap_or(NOTHING) {
            total if total.value > limit => HitCount {
                value: limit,
                relation: HitRelation::Gte,
            },
            total => total,
        }),
    };
    Ok(reduced)
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

fn check_sort_types(keys: &[SortKey], hits: &[MergedHit]) -> Result<(), ReduceError> {
    for (place, key) in keys.iter().enumerate() {
        let mut seen: Option<&SortValue> = None;
        for merged in hits {
            let Some(value) = merged.hit.sort.get(place) else {
                continue;
            };
            if matches!(value, SortValue::Missing) {
                continue;
            }
            let Some(first) = seen else {
                seen = Some(value);
                continue;
            };
            let (left, right) = (type_name(first), type_name(value));
            if left == right {
                continue;
            }
            if left == "STRING" || right == "STRING" {
                let field = match &key.source {
                    quidditch_engine::search::SortSource::Field(path) => path.clone(),
                    _ => String::new(),
                };
                return Err(ReduceError::SortTypes { field, left, right });
            }
            if left == "UNSIGNED_LONG" || right == "UNSIGNED_LONG" {
                return Err(ReduceError::UnsignedLong);
            }
        }
    }
    Ok(())
}

fn type_name(value: &SortValue) -> &'static str {
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
    use quidditch_engine::search::{DocAddress, SortOrder};

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
