//! Upkeep that a user asks for: `_refresh`, `_flush`, `_forcemerge`, `_cache/clear`.

use std::sync::Arc;

use hyper::Method;
use serde_json::json;

use super::endpoints::INDICES_PARAMS;
use super::index_params;
use super::shard_calls::{Which, ask_all};
use super::tasks::run_as_task;
use super::{App, Endpoint, RestError, RestRequest, RestResponse};
use crate::cluster::{ClusterState, IndicesOptions, ResolvedIndex};
use crate::data::service::{CachesToClear, ShardService};

pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        name: "indices.refresh",
        routes: &[
            (Method::POST, "/_refresh"),
            (Method::GET, "/_refresh"),
            (Method::POST, "/{index}/_refresh"),
            (Method::GET, "/{index}/_refresh"),
        ],
        params: &[INDICES_PARAMS],
        handler: |app, request| Box::pin(refresh(app, request)),
    },
    Endpoint {
        name: "indices.flush",
        routes: &[
            (Method::POST, "/_flush"),
            (Method::GET, "/_flush"),
            (Method::POST, "/{index}/_flush"),
            (Method::GET, "/{index}/_flush"),
        ],
        params: &[INDICES_PARAMS, &["force", "wait_if_ongoing"]],
        handler: |app, request| Box::pin(flush(app, request)),
    },
    Endpoint {
        name: "indices.forcemerge",
        routes: &[
            (Method::POST, "/_forcemerge"),
            (Method::POST, "/{index}/_forcemerge"),
        ],
        params: &[
            INDICES_PARAMS,
            &[
                "flush",
                "max_num_segments",
                "only_expunge_deletes",
                "primary_only",
                "wait_for_completion",
            ],
        ],
        handler: |app, request| Box::pin(force_merge(app, request)),
    },
    Endpoint {
        name: "indices.clear_cache",
        routes: &[
            (Method::POST, "/_cache/clear"),
            (Method::POST, "/{index}/_cache/clear"),
        ],
        params: &[
            INDICES_PARAMS,
            &["fielddata", "fields", "file", "query", "request"],
        ],
        handler: |app, request| Box::pin(clear_cache(app, request)),
    },
];

async fn refresh(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    let (state, found) = index_params::resolve(
        &app,
        &request,
        IndicesOptions::STRICT_EXPAND_OPEN_FORBID_CLOSED,
    )?;
    let refresh =
        |shards: Arc<dyn ShardService>, target| async move { shards.refresh(&target).await };
    let calls = ask_all(&app, &state, &found, Which::Serving, refresh).await;
    Ok(RestResponse::ok(&json!({"_shards": calls.header()})))
}

async fn flush(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    let force = request.params.bool("force", false)?;
    let wait = request.params.bool("wait_if_ongoing", true)?;
    if force && !wait {
        return Err(RestError::validation(&[
            "wait_if_ongoing must be true for a force flush".to_owned(),
        ]));
    }
    let (state, found) = index_params::resolve(
        &app,
        &request,
        IndicesOptions::STRICT_EXPAND_OPEN_FORBID_CLOSED,
    )?;
    let flush = |shards: Arc<dyn ShardService>, target| async move {
        shards.flush(&target, force, wait).await
    };
    let calls = ask_all(&app, &state, &found, Which::Serving, flush).await;
    Ok(RestResponse::ok(&json!({"_shards": calls.header()})))
}

async fn force_merge(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    let max_segments = request
        .params
        .opt_int("max_num_segments")?
        .filter(|count| *count != -1);
    let only_expunge_deletes = request.params.bool("only_expunge_deletes", false)?;
    let then_flush = request.params.bool("flush", true)?;
    let primary_only = request.params.bool("primary_only", false)?;
    let wait = request.params.bool("wait_for_completion", true)?;
    let is_contradictory = only_expunge_deletes && max_segments.is_some();
    let max_segments = match max_segments {
        None => None,
        Some(count) => match usize::try_from(count) {
            Ok(count) if count > 0 => Some(count),
            _ => {
                return Err(RestError::illegal_argument(format!(
                    "max_num_segments must be a positive number or -1, not [{count}]"
                )));
            }
        },
    };
    if !request.body.is_empty() {
        return Err(RestError::illegal_argument(
            "request [POST /_forcemerge] does not support having a body",
        ));
    }
    let (state, found) = index_params::resolve(
        &app,
        &request,
        IndicesOptions::STRICT_EXPAND_OPEN_FORBID_CLOSED,
    )?;
    let order = ForceMerge {
        max_segments,
        only_expunge_deletes,
        then_flush,
        primary_only,
    };
    let names = index_params::names(&found);
    let work = merge_shards(app.clone(), state, found, order);
    let response = if wait {
        work.await?
    } else {
        let description = format!(
            "Force-merge indices [{}], maxSegments[{}], onlyExpungeDeletes[{only_expunge_deletes}], flush[{then_flush}], primaryOnly[{primary_only}]",
            names.join(", "),
            max_segments.map_or(-1, |count| i64::try_from(count).unwrap_or(i64::MAX)),
        );
        run_as_task(&app, "indices:admin/forcemerge", description, work)
    };
    if is_contradictory {
        return Ok(response.with_deprecation(
            "setting only_expunge_deletes and max_num_segments at the same time is deprecated and will be rejected in a future version",
        ));
    }
    Ok(response)
}

/// What a force merge shall do.
#[derive(Clone, Copy)]
struct ForceMerge {
    max_segments: Option<usize>,
    only_expunge_deletes: bool,
    then_flush: bool,
    primary_only: bool,
}

async fn merge_shards(
    app: Arc<App>,
    state: Arc<ClusterState>,
    found: Vec<ResolvedIndex>,
    order: ForceMerge,
) -> Result<RestResponse, RestError> {
    let ForceMerge {
        max_segments,
        only_expunge_deletes,
        then_flush,
        primary_only,
    } = order;
    let merge = |shards: Arc<dyn ShardService>, target| async move {
        shards
            .force_merge(&target, max_segments, only_expunge_deletes)
            .await?;
        if then_flush {
            shards.flush(&target, false, true).await?;
        }
        Ok(())
    };
    let which = match primary_only {
        true => Which::Primaries,
        false => Which::Serving,
    };
    let calls = ask_all(&app, &state, &found, which, merge).await;
    Ok(RestResponse::ok(&json!({"_shards": calls.header()})))
}

/// Without a flag all caches are meant; with names of fields what was loaded of these alone.
async fn clear_cache(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    let mut chosen = Vec::new();
    for flag in ["fielddata", "query", "request", "file"] {
        if request.params.bool(flag, false)? {
            chosen.push(flag);
        }
    }
    let fields = request.params.list("fields");
    let caches = CachesToClear {
        filters: chosen.contains(&"query") || chosen.is_empty() && fields.is_empty(),
        fielddata: (chosen.contains(&"fielddata") || chosen.is_empty()).then_some(fields),
    };
    let (state, found) = index_params::resolve(
        &app,
        &request,
        IndicesOptions::STRICT_EXPAND_OPEN_FORBID_CLOSED,
    )?;
    let clear = |shards: Arc<dyn ShardService>, target| {
        let caches = caches.clone();
        async move { shards.clear_caches(&target, caches).await }
    };
    let calls = ask_all(&app, &state, &found, Which::Serving, clear).await;
    Ok(RestResponse::ok(&json!({"_shards": calls.header()})))
}
