//! `_shrink`, `_split`, `_clone`: a new index with another number of shards and the same documents.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hyper::Method;
use serde_json::{Map, Value};

use super::alias_body::parse_aliases;
use super::endpoints::CHANGE_PARAMS;
use super::index_body::created;
use super::index_params::{ActiveShards, body_object, change, timeouts, wait_for_active};
use super::indices::TASK_TIMEOUT;
use super::shard_calls::{Which, stats_of};
use super::tasks::run_as_task;
use super::{App, Endpoint, Params, RestError, RestRequest, RestResponse};
use crate::cluster::setting_values::parse_bytes;
use crate::cluster::{BlockLevel, IndicesOptions, date_math, settings};
use crate::data::service::ShardTarget;
use crate::master::{Command, ResizeIndex, ResizeKind};

const PARAMS: &[&[&str]] = &[
    CHANGE_PARAMS,
    &[
        "copy_settings",
        "task_execution_timeout",
        "wait_for_active_shards",
        "wait_for_completion",
    ],
];

pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        name: "indices.shrink",
        routes: &[
            (Method::PUT, "/{index}/_shrink/{target}"),
            (Method::POST, "/{index}/_shrink/{target}"),
        ],
        params: PARAMS,
        handler: |app, request| Box::pin(resize(app, request, ResizeKind::Shrink)),
    },
    Endpoint {
        name: "indices.split",
        routes: &[
            (Method::PUT, "/{index}/_split/{target}"),
            (Method::POST, "/{index}/_split/{target}"),
        ],
        params: PARAMS,
        handler: |app, request| Box::pin(resize(app, request, ResizeKind::Split)),
    },
    Endpoint {
        name: "indices.clone",
        routes: &[
            (Method::PUT, "/{index}/_clone/{target}"),
            (Method::POST, "/{index}/_clone/{target}"),
        ],
        params: PARAMS,
        handler: |app, request| Box::pin(resize(app, request, ResizeKind::Clone)),
    },
];

async fn resize(
    app: Arc<App>,
    request: RestRequest,
    kind: ResizeKind,
) -> Result<RestResponse, RestError> {
    let timeout = timeouts(&request.params)?;
    let wanted = ActiveShards::parse(&request.params)?;
    let wait = request.params.bool("wait_for_completion", true)?;
    let task_timeout = request
        .params
        .duration("task_execution_timeout", TASK_TIMEOUT)?
        .unwrap_or(Duration::MAX);
    let copy_settings = request.params.opt_bool("copy_settings")?;
    if copy_settings == Some(false) {
        return Err(RestError::illegal_argument(
            "parameter [copy_settings] can not be explicitly set to [false]",
        ));
    }
    let provided_name = request.required_var("target")?.to_owned();
    let name = date_math::expand(&provided_name, app.now_ms())?;
    let source = date_math::expand(request.required_var("index")?, app.now_ms())?;
    let body = Body::parse(&body_object(&request)?.unwrap_or_default())?;
    let mut order = ResizeIndex {
        name,
        provided_name,
        source,
        kind,
        settings: body.settings,
        aliases: body.aliases,
    };
    check(&order, body.max_shard_size.is_some())?;
    app.state().check_cluster_block(BlockLevel::MetadataWrite)?;
    if let Some(limit) = body.max_shard_size {
        let shards = shards_of_size(&app, &order.source, limit).await?;
        order.settings.insert(
            "index.number_of_shards".to_owned(),
            Some(shards.to_string()),
        );
    }
    let response = if wait {
        carry_out(app, request.params, order, wanted, timeout).await?
    } else {
        let description = format!(
            "{} from [{}] to [{}]",
            kind.name(),
            order.source,
            order.name
        );
        let work = carry_out(app.clone(), request.params, order, wanted, task_timeout);
        run_as_task(&app, "indices:admin/resize", description, work)
    };
    if copy_settings.is_some() {
        return Ok(response.with_deprecation(
            "parameter [copy_settings] is deprecated and will be removed in 3.0.0",
        ));
    }
    Ok(response)
}

async fn carry_out(
    app: Arc<App>,
    params: Params,
    order: ResizeIndex,
    wanted: ActiveShards,
    timeout: Duration,
) -> Result<RestResponse, RestError> {
    show_all(&app, &order.source).await?;
    let name = order.name.clone();
    let changed = change(&app, &params, Command::ResizeIndex(order)).await?;
    let active = wait_for_active(&app, std::slice::from_ref(&name), wanted, timeout).await;
    Ok(RestResponse::ok(&created(
        &name,
        changed.acknowledged,
        active,
    )))
}

/// Has every copy of an index show all writes: the new shards are made of what copies show. A missing index is for the
/// masters to refuse.
async fn show_all(app: &App, index: &str) -> Result<(), RestError> {
    let state = app.state();
    let Some(index) = state.index(index) else {
        return Ok(());
    };
    for shard in 0..index.number_of_shards {
        let target = ShardTarget {
            index: index.name.clone(),
            index_uuid: index.uuid.clone(),
            shard,
        };
        let refreshed = app.shards.refresh(&target).await;
        refreshed.map_err(|error| error.at(&target))?;
    }
    Ok(())
}

/// What the body of a resize holds.
#[derive(Default)]
struct Body {
    settings: BTreeMap<String, Option<String>>,
    aliases: BTreeMap<String, crate::cluster::AliasMetadata>,
    /// Bytes.
    max_shard_size: Option<i64>,
}

impl Body {
    fn parse(body: &Map<String, Value>) -> Result<Body, RestError> {
        let mut parsed = Body::default();
        for (key, value) in body {
            match (key.as_str(), value) {
                ("settings", Value::Object(object)) => {
                    parsed.settings = settings::flatten(object, "index.");
                }
                ("aliases", Value::Object(_)) => parsed.aliases = parse_aliases(value)?,
                ("max_shard_size", Value::String(text)) => {
                    parsed.max_shard_size = Some(parse_bytes(text, "max_shard_size")?);
                }
                ("settings" | "aliases" | "max_shard_size", _) => {
                    return Err(RestError::new(
                        400,
                        "x_content_parse_exception",
                        format!("[resize_request] {key} doesn't support values of this type"),
                    ));
                }
                (other, _) => {
                    return Err(RestError::new(
                        400,
                        "x_content_parse_exception",
                        format!("[resize_request] unknown field [{other}]"),
                    ));
                }
            }
        }
        Ok(parsed)
    }
}

/// What a request may not ask for, whatever the source index is like.
fn check(order: &ResizeIndex, has_size: bool) -> Result<(), RestError> {
    let mut errors = Vec::new();
    for key in order.settings.keys() {
        if key.starts_with("index.sort.") {
            errors.push("can't override index sort when resizing an index".to_owned());
        }
    }
    let shards = order
        .settings
        .get("index.number_of_shards")
        .is_some_and(Option::is_some);
    if order.kind == ResizeKind::Split && !shards {
        errors.push("index.number_of_shards is required for split operations".to_owned());
    }
    if has_size && order.kind != ResizeKind::Shrink {
        errors.push("Unsupported parameter [max_shard_size]".to_owned());
    }
    for block in ["index.blocks.read_only", "index.blocks.metadata"] {
        if order.settings.get(block).and_then(Option::as_deref) == Some("true") {
            errors.push(format!(
                "target index [{}] will be blocked by [{block}=true], this will disable metadata writes and cause the shards to be unassigned",
                order.name
            ));
        }
    }
    if !errors.is_empty() {
        return Err(RestError::validation(&errors));
    }
    if has_size && shards {
        return Err(RestError::illegal_argument(
            "Cannot set max_shard_size and index.number_of_shards at the same time!",
        ));
    }
    Ok(())
}

/// The fewest shards that the source can be shrunk to with none larger than `limit` bytes.
async fn shards_of_size(app: &Arc<App>, source: &str, limit: i64) -> Result<u32, RestError> {
    let limit = u64::try_from(limit)
        .ok()
        .filter(|limit| *limit > 0)
        .ok_or_else(|| RestError::illegal_argument("max_shard_size must be greater than 0"))?;
    let state = app.state();
    let found = state.resolve(source, &IndicesOptions::STRICT_EXPAND_OPEN, app.now_ms())?;
    let calls = stats_of(app, &state, &found, Which::Primaries).await;
    let bytes: u64 = calls
        .answers
        .iter()
        .map(|(_, stats)| stats.store_bytes)
        .sum();
    let have = found
        .first()
        .map_or(1, |index| index.metadata.number_of_shards);
    let least = bytes.div_ceil(limit).max(1);
    let fits = |shards: &u32| have.is_multiple_of(*shards) && u64::from(*shards) >= least;
    Ok((1..=have).find(fits).unwrap_or(have))
}
