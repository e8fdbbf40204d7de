//! `_stats`: the counters of indices.

use std::collections::BTreeMap;
use std::sync::Arc;

use hyper::Method;
use quidditch_engine::shard::ShardStats;
use serde_json::{Map, Value, json};

use super::endpoints::INDICES_PARAMS;
use super::index_params;
use super::shard_calls::{AskedCopy, ShardCalls, Which, stats_of};
use super::stats_sections::{Sections, add, show};
use super::{App, Endpoint, RestError, RestRequest, RestResponse};
use crate::cluster::names::matches_pattern;
use crate::cluster::{ClusterState, IndexMetadata, IndexState, IndicesOptions, ShardCopy};
use crate::data::service::ShardTarget;

pub(super) const ENDPOINTS: &[Endpoint] = &[Endpoint {
    name: "indices.stats",
    routes: &[
        (Method::GET, "/_stats"),
        (Method::GET, "/_stats/{metric}"),
        (Method::GET, "/{index}/_stats"),
        (Method::GET, "/{index}/_stats/{metric}"),
    ],
    params: &[
        INDICES_PARAMS,
        &[
            "completion_fields",
            "fielddata_fields",
            "fields",
            "forbid_closed_indices",
            "groups",
            "include_segment_file_sizes",
            "include_unloaded_segments",
            "level",
        ],
    ],
    handler: |app, request| Box::pin(stats(app, request)),
}];

async fn stats(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    let wanted = Sections::parse(&request.list_var("metric"), &request.path, &request.params)?;
    let level = request.params.get("level").unwrap_or("indices");
    if !["cluster", "indices", "shards"].contains(&level) {
        return Err(RestError::illegal_argument(format!(
            "level parameter must be one of [cluster] or [indices] or [shards] but was [{level}]"
        )));
    }
    request.params.bool("include_segment_file_sizes", false)?;
    let with_unloaded = request.params.bool("include_unloaded_segments", false)?;
    let groups = request.params.list("groups");
    let base = if request.params.bool("forbid_closed_indices", true)? {
        IndicesOptions::STRICT_EXPAND_OPEN_FORBID_CLOSED
    } else {
        IndicesOptions::STRICT_EXPAND_OPEN
    };
    let (state, found) = index_params::resolve(&app, &request, base)?;
    let mut calls = stats_of(&app, &state, &found, Which::Serving).await;
    for resolved in &found {
        add_closed(&app, &state, &resolved.metadata, with_unloaded, &mut calls).await;
    }
    for (_, stats) in &mut calls.answers {
        stats.search_groups.retain(|name, _| {
            groups
                .iter()
                .any(|pattern| pattern == "_all" || matches_pattern(pattern, name))
        });
    }
    let mut all = Sums::default();
    let mut by_index: BTreeMap<&str, Vec<(&AskedCopy, &ShardStats)>> = BTreeMap::new();
    for (asked, stats) in &calls.answers {
        all.add(asked, stats);
        by_index
            .entry(&asked.target.index)
            .or_default()
            .push((asked, stats));
    }
    let mut answer = Map::new();
    answer.insert("_shards".to_owned(), calls.header());
    answer.insert("_all".to_owned(), json!(all.show(&wanted)));
    if level != "cluster" {
        let mut indices = Map::new();
        for (name, copies) in by_index {
            indices.insert(
                name.to_owned(),
                show_index(&copies, &wanted, level == "shards"),
            );
        }
        answer.insert("indices".to_owned(), Value::Object(indices));
    }
    Ok(RestResponse::ok(&answer))
}

/// Counters of the primaries, and of all copies.
#[derive(Default)]
pub(super) struct Sums {
    /// Of the primaries.
    pub primaries: ShardStats,
    /// Of all copies.
    pub total: ShardStats,
}

impl Sums {
    /// Adds a copy.
    pub fn add(&mut self, asked: &AskedCopy, stats: &ShardStats) {
        add(&mut self.total, stats);
        if asked.copy.primary {
            add(&mut self.primaries, stats);
        }
    }

    fn show(&self, wanted: &Sections) -> Map<String, Value> {
        let mut shown = Map::new();
        let primaries = show(&self.primaries, wanted);
        shown.insert("primaries".to_owned(), Value::Object(primaries));
        let total = show(&self.total, wanted);
        shown.insert("total".to_owned(), Value::Object(total));
        shown
    }
}

/// Adds the shards of a closed index: they hold documents and take disk, but have no segments open unless those are
/// asked for, and nothing to replay.
async fn add_closed(
    app: &App,
    state: &ClusterState,
    index: &IndexMetadata,
    with_unloaded: bool,
    calls: &mut ShardCalls<ShardStats>,
) {
    if index.state != IndexState::Close {
        return;
    }
    calls.total += u64::from(index.number_of_shards) * (1 + u64::from(index.number_of_replicas));
    for shard in 0..index.number_of_shards {
        let target = ShardTarget {
            index: index.name.clone(),
            index_uuid: index.uuid.clone(),
            shard,
        };
        let closed = app.shards.closed_stats(&target).await;
        let asked = AskedCopy {
            target,
            // as the reference shows what no node has open
            copy: state
                .routing
                .primary(&index.name, shard)
                .cloned()
                .unwrap_or_else(|| ShardCopy::nowhere(true)),
        };
        match closed {
            Ok(mut stats) => {
                if !with_unloaded {
                    stats.segments = 0;
                    stats.segments_bytes = 0;
                }
                calls.answers.push((asked, stats));
            }
            Err(error) => calls.failures.push((asked, error)),
        }
    }
}

fn show_index(copies: &[(&AskedCopy, &ShardStats)], wanted: &Sections, with_shards: bool) -> Value {
    let mut sums = Sums::default();
    let mut by_shard: Map<String, Value> = Map::new();
    for (asked, stats) in copies {
        sums.add(asked, stats);
        if with_shards {
            let shown = Value::Object(show_shard(asked, stats, wanted));
            let shard = by_shard.entry(asked.target.shard.to_string());
            if let Value::Array(copies) = shard.or_insert_with(|| json!([])) {
                copies.push(shown);
            }
        }
    }
    let mut shown = Map::new();
    let uuid = copies.first();
    shown.insert(
        "uuid".to_owned(),
        json!(uuid.map_or("_na_", |(asked, _)| asked.target.index_uuid.as_str())),
    );
    shown.extend(sums.show(wanted));
    if with_shards {
        shown.insert("shards".to_owned(), Value::Object(by_shard));
    }
    Value::Object(shown)
}

/// One shard copy with its place in the cluster.
pub(super) fn show_shard(
    asked: &AskedCopy,
    stats: &ShardStats,
    wanted: &Sections,
) -> Map<String, Value> {
    let copy = &asked.copy;
    let mut shown = Map::new();
    shown.insert(
        "routing".to_owned(),
        json!({
            "state": copy.state.name(),
            "primary": copy.primary,
            "node": copy.node,
            "relocating_node": copy.relocating_node,
        }),
    );
    shown.extend(show(stats, wanted));
    shown.insert(
        "seq_no".to_owned(),
        json!({
            "max_seq_no": stats.max_seq_no,
            "local_checkpoint": stats.local_checkpoint,
            "global_checkpoint": stats.global_checkpoint,
        }),
    );
    shown.insert(
        "shard_path".to_owned(),
        json!({"is_custom_data_path": false}),
    );
    shown
}
