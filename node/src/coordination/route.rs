//! Which shards a search asks, and what it asks each.

use std::sync::Arc;
use std::time::Duration;

use quidditch_engine::query::{BoolQuery, Query};
use quidditch_engine::search::{SearchRequest, Slice};

use super::dsl::parse_query;
use super::preference::parse_preference;
use super::rest::RestError;
use super::write::check_read_block;
use crate::cluster::index_metadata::IndexMetadata;
use crate::cluster::names::matches_pattern;
use crate::cluster::resolve::ResolvedIndex;
use crate::data::search::{ContextId, CopyPreference};
use crate::data::service::ShardTarget;

/// One shard to ask.
#[derive(Clone, Debug)]
pub struct Route {
    /// The shard.
    pub target: ShardTarget,
    /// Its index.
    pub index: Arc<IndexMetadata>,
    /// What the aliases it was reached through let see; `None`: everything.
    pub filter: Option<Query>,
    /// Factor of scores, from `indices_boost`.
    pub boost: f32,
    /// The part of the shard to look at.
    pub slice: Option<Slice>,
    /// An open reader to search in.
    pub context: Option<ContextId>,
    /// How long that reader lives from this use on; `None`: as long as was said before.
    pub keep_alive: Option<Duration>,
    /// Which copies may be asked, where there is no open reader.
    pub preference: CopyPreference,
}

impl Route {
    /// The request for this shard, made from the one for all.
    pub fn request(&self, common: &SearchRequest) -> SearchRequest {
        SearchRequest {
            query: self.query(&common.query),
            visible: self.filter.clone().filter(|_| !common.aggs.is_empty()),
            slice: self.slice.clone(),
            ..common.clone()
        }
    }

    /// The query for this shard: the user's, narrowed by the filters of aliases, boosted by index.
    pub fn query(&self, query: &Query) -> Query {
        if self.filter.is_none() && self.boost == 1.0 {
            return query.clone();
        }
        Query::Bool(BoolQuery {
            must: vec![query.clone()],
            filter: self.filter.iter().cloned().collect(),
            boost: self.boost,
            ..BoolQuery::default()
        })
    }
}

/// The shards of indices, in the order of index names and shard numbers.
///
/// * `routing`: values separated by commas; only their shards are asked.
/// * `preference`: which copies or shards to ask; `_shards:0,2` restricts.
pub fn routes(
    indices: &[ResolvedIndex],
    routing: Option<&str>,
    preference: Option<&str>,
    slice: Option<&Slice>,
) -> Result<Vec<Route>, RestError> {
    let preference = parse_preference(preference)?;
    let mut routes = Vec::new();
    for resolved in indices {
        let index = &resolved.metadata;
        check_read_block(index)?;
        let filter = alias_filter(resolved)?;
        let mut shards: Vec<u32> = resolved.shards(routing).into_iter().collect();
        if let Some(only) = &preference.shards {
            shards.retain(|shard| only.contains(shard));
        }
        let count = shards.len();
        for (place, shard) in shards.into_iter().enumerate() {
            let part = match slice {
                None => SlicePart::Whole,
                Some(slice) => slice_of_shard(slice, place, count),
            };
            let slice = match part {
                SlicePart::None => continue,
                SlicePart::Whole => None,
                SlicePart::Of(slice) => Some(slice),
            };
            routes.push(Route {
                target: ShardTarget {
                    index: index.name.clone(),
                    index_uuid: index.uuid.clone(),
                    shard,
                },
                index: index.clone(),
                filter: filter.clone(),
                boost: 1.0,
                slice,
                context: None,
                keep_alive: None,
                preference: preference.copies.clone(),
            });
        }
    }
    Ok(routes)
}

/// Sets the factors of `indices_boost`: names or patterns of indices or their aliases; the first that fits counts.
pub fn boost_routes(routes: &mut [Route], boosts: &[(String, f32)]) {
    for route in routes {
        let fits = |pattern: &str| {
            matches_pattern(pattern, &route.index.name)
                || route
                    .index
                    .aliases
                    .keys()
                    .any(|alias| matches_pattern(pattern, alias))
        };
        if let Some((_, factor)) = boosts.iter().find(|(pattern, _)| fits(pattern)) {
            route.boost = *factor;
        }
    }
}

/// The filters of the aliases an index was reached through, any of which is enough.
pub fn alias_filter(resolved: &ResolvedIndex) -> Result<Option<Query>, RestError> {
    let Some(filters) = &resolved.filters else {
        return Ok(None);
    };
    let mut should = Vec::new();
    for filter in filters {
        should.push(parse_query(filter)?);
    }
    Ok(match should.len() {
        0 => None,
        1 => should.pop(),
        _ => Some(Query::Bool(BoolQuery {
            should,
            ..BoolQuery::default()
        })),
    })
}

/// What a slice takes of one shard.
enum SlicePart {
    None,
    Whole,
    Of(Slice),
}

/// A slice takes whole shards as long as there are enough of them, else parts of one.
///
/// * `place`: of the shard among the `count` shards of its index that are searched.
fn slice_of_shard(slice: &Slice, place: usize, count: usize) -> SlicePart {
    let (place, count) = (place as u32, count as u32);
    if slice.max < count {
        return if place % slice.max == slice.id {
            SlicePart::Whole
        } else {
            SlicePart::None
        };
    }
    if slice.id % count != place {
        return SlicePart::None;
    }
    let parts = slice.max / count + u32::from(slice.max % count > place);
    if parts == 1 {
        return SlicePart::Whole;
    }
    SlicePart::Of(Slice {
        id: slice.id / count,
        max: parts,
        field: slice.field.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(id: u32, max: u32, shards: usize) -> Vec<String> {
        let slice = Slice {
            id,
            max,
            field: None,
        };
        let mut found = Vec::new();
        for shard in 0..shards {
            match slice_of_shard(&slice, shard, shards) {
                SlicePart::None => {}
                SlicePart::Whole => found.push(format!("{shard}")),
                SlicePart::Of(part) => found.push(format!("{shard}:{}/{}", part.id, part.max)),
            }
        }
        found
    }

    #[test]
    fn slices_take_whole_shards_first() {
        assert_eq!(parts(0, 2, 5), ["0", "2", "4"]);
        assert_eq!(parts(1, 2, 5), ["1", "3"]);
        assert_eq!(parts(3, 5, 5), ["3"]);
        assert_eq!(parts(0, 3, 2), ["0:0/2"]);
        assert_eq!(parts(1, 3, 2), ["1"]);
        assert_eq!(parts(2, 3, 2), ["0:1/2"]);
    }
}
