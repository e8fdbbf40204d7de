//! Points in time: readers of many shards that stay open under one id.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use futures::FutureExt;
use futures::future::join_all;
use quidditch_engine::query::Query;
use quidditch_engine::search::Slice;
use serde::{Deserialize, Serialize};

use super::dsl::search_body::PitSpec;
use super::failures::{ShardFailure, phase_failed};
use super::fan_out::fan_out;
use super::held::{HeldContexts, HeldReader};
use super::rest::RestError;
use super::rest::units::parse_time_value;
use super::route::{Route, routes};
use super::searcher::Searcher;
use crate::cluster::NodeId;
use crate::cluster::index_metadata::IndexMetadata;
use crate::cluster::resolve::{IndicesOptions, ResolvedIndex};
use crate::cluster::state::ClusterState;
use crate::data::search::Purpose;

/// How many shards a node may hold open for points in time when nobody set `search.max_open_pit_context`.
const MAX_OPEN_DEFAULT: usize = 300;

/// How many readers of a point in time are opened together.
const OPENED_AT_ONCE: usize = 20;

/// One point in time, as it is listed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PitInfo {
    /// Its id.
    pub pit_id: String,
    /// When it was made, milliseconds since 1970.
    pub creation_time: i64,
    /// How long it lives without being used, in milliseconds.
    pub keep_alive: u64,
}

/// What an id holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct PitId {
    creation_ms: i64,
    shards: Vec<HeldReader>,
    /// Alias filters by uuid of the index.
    filters: BTreeMap<String, Query>,
}

impl PitId {
    fn encode(&self) -> Result<String, RestError> {
        let mut bytes = Vec::new();
        ciborium::into_writer(self, &mut bytes)
            .map_err(|error| RestError::internal(error.to_string()))?;
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    }

    fn decode(text: &str) -> Result<PitId, RestError> {
        let wrong = || RestError::illegal_argument(format!("invalid id: [{text}]"));
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| wrong())?;
        ciborium::from_reader(bytes.as_slice()).map_err(|_| wrong())
    }
}

/// A point in time just made.
#[derive(Clone, Debug)]
pub struct CreatedPit {
    /// Its id.
    pub id: String,
    /// When, milliseconds since 1970.
    pub creation_ms: i64,
    /// How many shards it has.
    pub total: usize,
    /// Shards that could not be opened.
    pub failures: Vec<ShardFailure>,
}

impl Searcher {
    /// Opens readers of all shards of these indices.
    pub async fn create_pit(
        &self,
        indices: &[String],
        options: &IndicesOptions,
        routing: Option<&str>,
        preference: Option<&str>,
        keep_alive: Duration,
        allow_partial: bool,
    ) -> Result<CreatedPit, RestError> {
        let state = self.state();
        check_keep_alive(&state, keep_alive, "point_in_time.max_keep_alive")?;
        let most = state
            .cluster_setting("search.max_open_pit_context")
            .and_then(|text| text.parse().ok())
            .unwrap_or(MAX_OPEN_DEFAULT);
        let now_ms = self.clock.now_ms();
        let names: Vec<&str> = indices.iter().map(String::as_str).collect();
        let resolved = state.resolve_all(&names, options, now_ms)?;
        let routes = routes(&resolved, routing, preference, None)?;
        let mut pit = PitId {
            creation_ms: now_ms,
            shards: Vec::new(),
            filters: BTreeMap::new(),
        };
        let held = HeldContexts::new(self.service.clone());
        let mut jobs = Vec::with_capacity(routes.len());
        for route in &routes {
            let held = &held;
            jobs.push(
                async move {
                    let (target, preference) = (&route.target, &route.preference);
                    let opening = self
                        .service
                        .open_context(target, preference, keep_alive, most);
                    let opened = opening.await;
                    if let Ok(context) = &opened {
                        held.add(target, context.clone());
                    }
                    opened
                }
                .boxed(),
            );
        }
        let opened = fan_out(jobs, OPENED_AT_ONCE).await;
        let mut failures = Vec::new();
        for (route, opened) in routes.iter().zip(opened) {
            match opened {
                Ok(context) => {
                    if let Some(filter) = &route.filter {
                        pit.filters.insert(route.index.uuid.clone(), filter.clone());
                    }
                    pit.shards.push(HeldReader::new(&route.target, context));
                }
                Err(error) => failures.push(ShardFailure::new(route, error)),
            }
        }
        if !failures.is_empty() && (!allow_partial || failures.len() == routes.len()) {
            return Err(phase_failed(
                "create_pit",
                "all shards failed",
                &failures,
                &self.node_id,
            ));
        }
        let id = pit.encode()?;
        self.note_pit(&pit, &id).await;
        held.keep();
        Ok(CreatedPit {
            id,
            creation_ms: now_ms,
            total: routes.len(),
            failures,
        })
    }

    /// Leaves the id with one reader of each node, from where it is listed.
    async fn note_pit(&self, pit: &PitId, id: &str) {
        let mut holders: BTreeMap<&NodeId, &HeldReader> = BTreeMap::new();
        for reader in &pit.shards {
            holders.entry(&reader.context.node).or_insert(reader);
        }
        let note = Bytes::copy_from_slice(id.as_bytes());
        let noting = holders.into_values().map(|reader| {
            let note = note.clone();
            async move {
                let (target, context) = (reader.target(), &reader.context);
                let written = self.service.write_note(&target, context, note).await;
                if let Err(error) = written {
                    tracing::warn!(node = %context.node, %error, "a point in time will not be listed there");
                }
            }
        });
        join_all(noting).await;
    }

    /// The points in time that are open, wherever they were made, by age.
    pub async fn pits(&self) -> Vec<PitInfo> {
        let mut open: BTreeMap<String, Duration> = BTreeMap::new();
        for note in self.service.read_notes(Purpose::PointInTime).await {
            if let Ok(id) = String::from_utf8(note.note.into()) {
                let keep_alive = open.entry(id).or_default();
                *keep_alive = note.keep_alive.max(*keep_alive);
            }
        }
        let listed = open.into_iter().filter_map(|(pit_id, keep_alive)| {
            // an id of another release of the program is not ours to show
            let creation_time = PitId::decode(&pit_id).ok()?.creation_ms;
            Some(PitInfo {
                pit_id,
                creation_time,
                keep_alive: super::search::millis(keep_alive),
            })
        });
        let mut listed: Vec<PitInfo> = listed.collect();
        listed.sort_by_key(|pit| pit.creation_time);
        listed
    }

    /// Closes a point in time; false if it was closed already.
    pub async fn delete_pit(&self, id: &str) -> Result<bool, RestError> {
        let pit = PitId::decode(id)?;
        let mut freed = false;
        for shard in &pit.shards {
            freed |= self
                .service
                .free_context(&shard.target(), shard.context.clone())
                .await;
        }
        Ok(freed)
    }

    /// The shards of a point in time, whose life is prolonged by being used.
    pub fn pit_routes(
        &self,
        state: &ClusterState,
        spec: &PitSpec,
        slice: Option<&Slice>,
    ) -> Result<Vec<Route>, RestError> {
        let pit = PitId::decode(&spec.id)?;
        let keep_alive = match &spec.keep_alive {
            Some(text) => parse_time_value(text, "keep_alive")?,
            None => None,
        };
        if let Some(time) = keep_alive {
            check_keep_alive(state, time, "point_in_time.max_keep_alive")?;
        }
        let mut found = Vec::new();
        let mut by_index: BTreeMap<&str, Vec<&HeldReader>> = BTreeMap::new();
        for shard in &pit.shards {
            by_index.entry(&shard.index).or_default().push(shard);
        }
        for (name, shards) in by_index {
            let Some(index) = shards
                .first()
                .and_then(|shard| state.index_by_uuid(&shard.uuid))
            else {
                return Err(RestError::index_not_found(name));
            };
            found.extend(index_routes(index, &shards, &pit, slice, keep_alive)?);
        }
        Ok(found)
    }
}

/// The shards of one index of a point in time, or the part of them that a slice takes.
fn index_routes(
    index: &Arc<IndexMetadata>,
    shards: &[&HeldReader],
    pit: &PitId,
    slice: Option<&Slice>,
    keep_alive: Option<Duration>,
) -> Result<Vec<Route>, RestError> {
    let resolved = ResolvedIndex {
        metadata: index.clone(),
        filters: None,
        search_routing: None,
    };
    let wanted: Vec<String> = shards.iter().map(|shard| shard.shard.to_string()).collect();
    let only = format!("_shards:{}", wanted.join(","));
    let mut found = routes(&[resolved], None, Some(&only), slice)?;
    for route in &mut found {
        route.filter = pit.filters.get(&index.uuid).cloned();
        route.keep_alive = keep_alive;
        route.context = shards
            .iter()
            .find(|shard| shard.shard == route.target.shard)
            .map(|shard| shard.context.clone());
    }
    Ok(found)
}

/// Refuses a life longer than a cluster setting allows (24 hours when nobody set it).
pub fn check_keep_alive(
    state: &ClusterState,
    keep_alive: Duration,
    setting: &str,
) -> Result<(), RestError> {
    let most = match state.cluster_setting(setting) {
        Some(text) => parse_time_value(text, setting)?,
        None => Some(Duration::from_secs(24 * 3600)),
    };
    match most {
        Some(most) if keep_alive > most => Err(RestError::illegal_argument(format!(
            "Keep alive for request ({}) is too large. It must be less than ({}). This limit can be set by changing \
             the [{setting}] cluster level setting.",
            show(keep_alive),
            show(most)
        ))),
        _ => Ok(()),
    }
}

/// A time as users write it: the largest unit that leaves a whole number.
fn show(time: Duration) -> String {
    let ms = time.as_millis();
    for (unit, size) in [
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1000),
    ] {
        if ms >= size && ms.is_multiple_of(size) {
            return format!("{}{unit}", ms / size);
        }
    }
    format!("{ms}ms")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::NodeId;
    use crate::data::search::ContextId;
    use crate::master::testing::{Cluster, create};

    fn context_id() -> ContextId {
        ContextId {
            node: NodeId("n".to_owned()),
            session: 2,
            id: 3,
        }
    }

    #[test]
    fn ids_read_back() {
        let pit = PitId {
            creation_ms: 7,
            shards: vec![HeldReader {
                index: "a".into(),
                uuid: "u".into(),
                shard: 1,
                context: context_id(),
            }],
            filters: BTreeMap::from([("u".to_owned(), Query::match_all())]),
        };
        assert_eq!(PitId::decode(&pit.encode().unwrap()).unwrap(), pit);
        assert!(PitId::decode("zzz!").is_err());
        assert!(PitId::decode("AAAA").is_err());
    }

    #[test]
    fn a_search_prolongs_the_readers_of_its_point_in_time() {
        let mut cluster = Cluster::new();
        cluster.run(create("hats")).unwrap();
        let index = cluster.state.index("hats").unwrap();
        let shard = HeldReader {
            index: "hats".to_owned(),
            uuid: index.uuid.clone(),
            shard: 0,
            context: context_id(),
        };
        let pit = PitId {
            creation_ms: 7,
            shards: vec![shard.clone()],
            filters: BTreeMap::new(),
        };
        let hour = Some(Duration::from_secs(3600));
        let routes = index_routes(index, &[&shard], &pit, None, hour).unwrap();
        assert_eq!(routes.len(), 1);
        assert_eq!(routes[0].context, Some(shard.context));
        assert_eq!(routes[0].keep_alive, hour);
    }

    #[test]
    fn times_are_shown_in_the_largest_unit() {
        assert_eq!(show(Duration::from_secs(86_400)), "1d");
        assert_eq!(show(Duration::from_millis(1500)), "1500ms");
    }
}
