//! Which shards a search need not ask, and in which order it asks the others.
//!
//! Shards are looked at before they are searched where many are asked, where one of them is no longer written, or where hits
//! are sorted by a field. A shard whose mapping and columns tell that it has no hit is skipped; one that cannot tell is
//! asked. Of those that are asked, those come first whose values of the sort field do.

use std::cmp::Ordering;
use std::sync::Arc;

use quidditch_engine::aggs::AggRequest;
use quidditch_engine::query::Query;
use quidditch_engine::search::{
    CanMatch, SearchRequest, SortKey, SortMissing, SortOrder, SortSource, SortValue,
};

use super::reduce::{Reducer, type_name};
use super::route::Route;
use super::search_input::SearchInput;
use super::searcher::Searcher;
use super::write::is_write_blocked;
use crate::data::search::{Purpose, SearchLimits, ShardLook, ShardQuery};

/// `pre_filter_shard_size` where nobody said it: searches of more shards look first.
const SHARDS_DEFAULT: usize = 128;

/// The shards that a search asks.
#[derive(Clone, Debug, PartialEq)]
pub struct AskedShards {
    /// Places of their routes, in the order in which they are asked.
    pub places: Vec<usize>,
    /// By place, the smallest and the greatest value of the first sort key; `None`: nobody knows.
    pub bounds: Vec<Option<(SortValue, SortValue)>>,
}

impl AskedShards {
    /// All of so many, in their order.
    pub fn all(count: usize) -> AskedShards {
        AskedShards {
            places: (0..count).collect(),
            bounds: vec![None; count],
        }
    }

    /// How many are left out.
    pub fn skipped(&self) -> usize {
        self.bounds.len() - self.places.len()
    }

    /// Whether no hit of a shard can be shown any more, and nothing else is wanted of it.
    pub fn is_needless(&self, place: usize, request: &SearchRequest, found: &Reducer<'_>) -> bool {
        let (Some(bounds), Some(key)) = (&self.bounds[place], request.sort.first()) else {
            return false;
        };
        // elsewhere documents without a value may come first
        if key.missing != SortMissing::Last {
            return false;
        }
        let last = found.last_shown().and_then(|hit| hit.sort.first());
        let first = first_of(key, bounds);
        last.is_some_and(|last| {
            let is_alike = type_name(first) == type_name(last);
            is_alike && key.compare(first, last) == Ordering::Greater
        })
    }

    /// * `looks`: what the shards told, by place; `None`: nothing.
    /// * `may_skip`: whether the answer is the same without the shards that have no hit.
    fn of(looks: Vec<Option<CanMatch>>, may_skip: bool, key: Option<&SortKey>) -> AskedShards {
        let has_hits = |look: &Option<CanMatch>| look.as_ref().is_none_or(|look| look.can_match);
        let mut places: Vec<usize> = (0..looks.len())
            .filter(|place| !may_skip || has_hits(&looks[*place]))
            .collect();
        if places.is_empty() {
            // somebody has to make the empty answer, aggregations and all
            places.extend(looks.first().map(|_| 0));
        }
        let bounds: Vec<_> = looks
            .into_iter()
            .map(|look| look.and_then(|look| look.sort_bounds))
            .collect();
        if let Some(key) = key {
            // a stable sort: shards whose values nobody knows come last, in their order
            places.sort_by(|a, b| match (&bounds[*a], &bounds[*b]) {
                (Some(a), Some(b)) => key.compare(first_of(key, a), first_of(key, b)),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => Ordering::Equal,
            });
        }
        AskedShards { places, bounds }
    }
}

/// The end that comes first in the order of a key.
fn first_of<'a>(key: &SortKey, (min, max): &'a (SortValue, SortValue)) -> &'a SortValue {
    match key.order {
        SortOrder::Asc => min,
        SortOrder::Desc => max,
    }
}

/// Whether an answer can be whole without the shards that have no hit.
fn may_skip(request: &SearchRequest) -> bool {
    !matches!(request.query, Query::MatchAll(_))
        && !request.aggs.iter().any(AggRequest::looks_beyond_hits)
}

impl Searcher {
    /// Looks at the shards of a search, if that is worth it.
    ///
    /// * `request`, `limits`: as the shards will be asked.
    pub async fn choose_shards(
        &self,
        input: &SearchInput,
        request: &SearchRequest,
        routes: &[Route],
        limits: &[SearchLimits],
    ) -> AskedShards {
        let key = input.sort_keys().first();
        let by_field = |key: &SortKey| matches!(key.source, SortSource::Field(_));
        let is_sorted = key.is_some_and(|key| by_field(key) || key.source == SortSource::Doc);
        let is_early = || is_sorted || routes.iter().any(|route| is_write_blocked(&route.index));
        let most = match input.pre_filter_size {
            Some(most) => most,
            None if routes.len() > 1 && is_early() => 1,
            None => SHARDS_DEFAULT,
        };
        let key = key.filter(|key| by_field(key));
        let may_skip = may_skip(request);
        // statistics of terms come from every shard
        if routes.len() <= most || input.dfs || !(may_skip || key.is_some()) {
            return AskedShards::all(routes.len());
        }
        let looks = routes.iter().zip(limits).map(|(route, limits)| ShardLook {
            target: route.target.clone(),
            allocation_id: None,
            query: Arc::new(ShardQuery {
                request: route.request(request),
                limits: limits.clone(),
                context: route.context.clone(),
                preference: route.preference.clone(),
                keep_alive: route.keep_alive,
                purpose: Purpose::Fetch,
                fetch: None,
            }),
        });
        let found = self.service.can_match(looks.collect()).await;
        AskedShards::of(found, may_skip, key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(can_match: bool, bounds: Option<(i64, i64)>) -> Option<CanMatch> {
        Some(CanMatch {
            can_match,
            sort_bounds: bounds.map(|(min, max)| (SortValue::I64(min), SortValue::I64(max))),
        })
    }

    #[test]
    fn shards_without_hits_are_left_out_and_the_others_stand_in_the_order_of_their_values() {
        let looks = vec![
            look(true, Some((5, 6))),
            None,
            look(false, Some((0, 9))),
            look(true, Some((1, 9))),
            look(true, None),
        ];
        let places = |may_skip, key: Option<&SortKey>| {
            let asked = AskedShards::of(looks.clone(), may_skip, key);
            assert_eq!(asked.skipped(), 5 - asked.places.len());
            asked.places
        };
        let up = SortKey::field("f", SortOrder::Asc);
        let down = SortKey::field("f", SortOrder::Desc);
        assert_eq!(places(true, None), [0, 1, 3, 4]);
        assert_eq!(places(true, Some(&up)), [3, 0, 1, 4]);
        assert_eq!(places(true, Some(&down)), [3, 0, 1, 4]);
        assert_eq!(places(false, Some(&down)), [2, 3, 0, 1, 4]);
    }

    #[test]
    fn one_shard_is_asked_where_none_has_hits() {
        let asked = AskedShards::of(vec![look(false, None), look(false, None)], true, None);
        assert_eq!((asked.places.as_slice(), asked.skipped()), (&[0][..], 1));
        assert_eq!(AskedShards::of(Vec::new(), true, None), AskedShards::all(0));
    }
}
