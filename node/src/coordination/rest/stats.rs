//! `_stats`: the counters of indices.

use std::collections::BTreeMap;
use std::sync::Arc;

use hyper::Method;
use quidditch_engine::shard::ShardStats;
use serde_json::{Map, Value, json};

use super::endpoints::INDICES_PARAMS;
use super::index_params;
use super::shard_calls::{ShardCalls, ask_all};
use super::stats_sections::{Sections, add, show};
use super::{App, Endpoint, RestError, RestRequest, RestResponse};
use crate::cluster::names::matches_pattern;
use crate::cluster::{ClusterState, IndexMetadata, IndexState, IndicesOptions};
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
    let mut calls = ask_all(&state, &found, |target| {
        let app = app.clone();
        async move { app.shards.stats(&target).await }
    })
    .await;
    for resolved in &found {
        add_closed(&app, &resolved.metadata, with_unloaded, &mut calls).await;
    }
    for (_, stats) in &mut calls.answers {
        stats.search_groups.retain(|name, _| {
            groups
                .iter()
                .any(|pattern| pattern == "_all" || matches_pattern(pattern, name))
        });
    }
    let mut all = ShardStats::default();
    let mut by_index: BTreeMap<&str, Vec<(&ShardTarget, &ShardStats)>> = BTreeMap::new();
    for (target, stats) in &calls.answers {
        add(&mut all, stats);
        by_index
            .entry(&target.index)
            .or_default()
            .push((target, stats));
    }
    let mut answer = Map::new();
    answer.insert("_shards".to_owned(), calls.header());
    // One copy of each shard is here, and it is the primary.
    answer.insert(
        "_all".to_owned(),
        json!({"primaries": show(&all, &wanted), "total": show(&all, &wanted)}),
    );
    if level != "cluster" {
        let mut indices = Map::new();
        for (name, shards) in by_index {
            indices.insert(
                name.to_owned(),
                show_index(&state, &shards, &wanted, level == "shards"),
            );
        }
        answer.insert("indices".to_owned(), Value::Object(indices));
    }
    Ok(RestResponse::ok(&answer))
}

/// Adds the shards of a closed index: they hold documents and take disk, but have no segments open unless those are
/// asked for, and nothing to replay.
async fn add_closed(
    app: &App,
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
        match app.shards.closed_stats(&target).await {
            Ok(mut stats) => {
                if !with_unloaded {
                    stats.segments = 0;
                    stats.segments_bytes = 0;
                }
                calls.answers.push((target, stats));
            }
            Err(error) => calls.failures.push((target, error)),
        }
    }
}

fn show_index(
    state: &ClusterState,
    shards: &[(&ShardTarget, &ShardStats)],
    wanted: &Sections,
    with_shards: bool,
) -> Value {
    let mut sum = ShardStats::default();
    let mut by_shard = Map::new();
    for (target, stats) in shards {
        add(&mut sum, stats);
        if with_shards {
            by_shard.insert(
                target.shard.to_string(),
                Value::Array(vec![Value::Object(show_shard(
                    state, target, stats, wanted,
                ))]),
            );
        }
    }
    let mut shown = Map::new();
    shown.insert(
        "uuid".to_owned(),
        json!(
            shards
                .first()
                .map_or("_na_", |(target, _)| target.index_uuid.as_str())
        ),
    );
    shown.insert("primaries".to_owned(), Value::Object(show(&sum, wanted)));
    shown.insert("total".to_owned(), Value::Object(show(&sum, wanted)));
    if with_shards {
        shown.insert("shards".to_owned(), Value::Object(by_shard));
    }
    Value::Object(shown)
}

/// One shard copy with its place in the cluster.
pub(super) fn show_shard(
    state: &ClusterState,
    target: &ShardTarget,
    stats: &ShardStats,
    wanted: &Sections,
) -> Map<String, Value> {
    let copy = state.routing.primary(&target.index, target.shard);
    let mut shown = Map::new();
    shown.insert(
        "routing".to_owned(),
        json!({
            "state": copy.map_or("UNASSIGNED", |copy| copy.state.name()),
            "primary": true,
            "node": copy.and_then(|copy| copy.node.as_ref()),
            "relocating_node": null,
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
