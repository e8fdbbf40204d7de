//! Indices: create, get, delete, exists, open, close, block.

use std::sync::Arc;
use std::time::Duration;

use hyper::Method;
use serde_json::{Map, Value, json};

use super::alias_body::show_aliases;
use super::endpoints::{CHANGE_PARAMS, INDICES_PARAMS, MASTER_PARAMS};
use super::index_body::{created, parse_index_body, put_settings_into};
use super::index_params::{
    self, ActiveShards, body_object, change, names, timeouts, wait_for_active,
};
use super::tasks::run_as_task;
use super::{App, Endpoint, Params, RestError, RestRequest, RestResponse};
use crate::cluster::{BlockLevel, IndicesOptions, date_math};
use crate::master::{Command, CreateIndex};

/// How long an operation that runs as a task may wait for its shards, unless the request says otherwise.
pub(super) const TASK_TIMEOUT: Duration = Duration::from_secs(3600);

pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        name: "indices.create",
        routes: &[(Method::PUT, "/{index}")],
        params: &[CHANGE_PARAMS, &["wait_for_active_shards"]],
        handler: |app, request| Box::pin(create(app, request)),
    },
    Endpoint {
        name: "indices.get",
        routes: &[(Method::GET, "/{index}")],
        params: &[
            MASTER_PARAMS,
            INDICES_PARAMS,
            &["flat_settings", "include_defaults", "local"],
        ],
        handler: |app, request| Box::pin(get(app, request)),
    },
    Endpoint {
        name: "indices.exists",
        routes: &[(Method::HEAD, "/{index}")],
        params: &[
            MASTER_PARAMS,
            INDICES_PARAMS,
            &["flat_settings", "include_defaults", "local"],
        ],
        handler: |app, request| Box::pin(exists(app, request)),
    },
    Endpoint {
        name: "indices.delete",
        routes: &[(Method::DELETE, "/{index}")],
        params: &[CHANGE_PARAMS, INDICES_PARAMS],
        handler: |app, request| Box::pin(delete(app, request)),
    },
    Endpoint {
        name: "indices.open",
        routes: &[(Method::POST, "/{index}/_open"), (Method::POST, "/_open")],
        params: &[
            CHANGE_PARAMS,
            INDICES_PARAMS,
            &[
                "task_execution_timeout",
                "wait_for_active_shards",
                "wait_for_completion",
            ],
        ],
        handler: |app, request| Box::pin(open(app, request)),
    },
    Endpoint {
        name: "indices.close",
        routes: &[(Method::POST, "/{index}/_close"), (Method::POST, "/_close")],
        params: &[CHANGE_PARAMS, INDICES_PARAMS, &["wait_for_active_shards"]],
        handler: |app, request| Box::pin(close(app, request)),
    },
    Endpoint {
        name: "indices.add_block",
        routes: &[(Method::PUT, "/{index}/_block/{block}")],
        params: &[CHANGE_PARAMS, INDICES_PARAMS],
        handler: |app, request| Box::pin(add_block(app, request)),
    },
];

async fn create(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    let timeout = timeouts(&request.params)?;
    let wanted = ActiveShards::parse(&request.params)?;
    let provided_name = request.required_var("index")?.to_owned();
    let name = date_math::expand(&provided_name, app.now_ms())?;
    let body = parse_index_body(&body_object(&request)?.unwrap_or_default(), "create index")?;
    app.state().check_cluster_block(BlockLevel::MetadataWrite)?;
    let command = CreateIndex {
        name: name.clone(),
        provided_name,
        settings: body.settings.unwrap_or_default(),
        mapping: body.mappings.unwrap_or(Value::Null),
        aliases: body.aliases.unwrap_or_default(),
        resized_from: None,
    };
    if let ActiveShards::Count(count) = wanted {
        let replicas: u32 = command
            .settings
            .get("index.number_of_replicas")
            .and_then(|text| text.parse().ok())
            .unwrap_or(1);
        if count > replicas.saturating_add(1) {
            return Err(RestError::illegal_argument(format!(
                "invalid wait_for_active_shards[{count}]: cannot be greater than number of shard copies [{}]",
                replicas + 1
            )));
        }
    }
    let changed = change(&app, &request.params, Command::CreateIndex(command)).await?;
    let active = wait_for_active(&app, std::slice::from_ref(&name), wanted, timeout).await;
    Ok(RestResponse::ok(&created(
        &name,
        changed.acknowledged,
        active,
    )))
}

async fn get(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    timeouts(&request.params)?;
    let (_, found) = index_params::resolve(&app, &request, IndicesOptions::STRICT_EXPAND_OPEN)?;
    let mut answer = Map::new();
    for resolved in &found {
        let index = &resolved.metadata;
        index.check_block(BlockLevel::MetadataRead)?;
        let mut entry = Map::new();
        entry.insert("aliases".to_owned(), show_aliases(&index.aliases));
        entry.insert("mappings".to_owned(), index.mapping.clone());
        put_settings_into(&mut entry, index, &request.params)?;
        answer.insert(index.name.clone(), Value::Object(entry));
    }
    Ok(RestResponse::ok(&answer))
}

async fn exists(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    timeouts(&request.params)?;
    // Nothing matched is "no" here, and no error.
    let found = index_params::resolve(
        &app,
        &request,
        IndicesOptions {
            allow_no_indices: true,
            ..IndicesOptions::STRICT_EXPAND_OPEN
        },
    );
    match found {
        Ok((_, found)) => {
            let is_wild = request
                .var("index")
                .is_some_and(|name| name.contains('*') || name == "_all");
            let exists =
                !found.is_empty() || (is_wild && request.params.bool("allow_no_indices", true)?);
            Ok(RestResponse::empty(if exists { 200 } else { 404 }))
        }
        Err(error) if error.status == 404 => Ok(RestResponse::empty(404)),
        Err(error) => Err(error),
    }
}

async fn delete(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    timeouts(&request.params)?;
    let options = IndicesOptions {
        ignore_aliases: true,
        ..IndicesOptions::STRICT_EXPAND
    };
    refuse_destructive_wildcards(&app, &request)?;
    let (state, found) = index_params::resolve(&app, &request, options)?;
    let names = names(&found);
    state.check_blocks(&names, BlockLevel::Delete)?;
    let acknowledged = match names.is_empty() {
        true => true,
        false => {
            let delete = Command::DeleteIndices { names };
            change(&app, &request.params, delete).await?.acknowledged
        }
    };
    Ok(RestResponse::acknowledged(acknowledged))
}

/// With `action.destructive_requires_name`, wildcards and `_all` are no names.
fn refuse_destructive_wildcards(app: &App, request: &RestRequest) -> Result<(), RestError> {
    if app
        .state()
        .effective_setting("action.destructive_requires_name")
        != "true"
    {
        return Ok(());
    }
    let expression = request.var("index").unwrap_or("");
    let is_wild = expression.is_empty()
        || expression
            .split(',')
            .any(|name| name == "_all" || name.contains('*'));
    if is_wild {
        return Err(RestError::illegal_argument(
            "Wildcard expressions or all indices are not allowed",
        ));
    }
    Ok(())
}

async fn open(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    let timeout = timeouts(&request.params)?;
    let wanted = ActiveShards::parse(&request.params)?;
    if request.var("index").is_none() {
        return Err(RestError::validation(&["index is missing".to_owned()]));
    }
    let wait = request.params.bool("wait_for_completion", true)?;
    let task_timeout = request
        .params
        .duration("task_execution_timeout", TASK_TIMEOUT)?
        .unwrap_or(Duration::MAX);
    let options = IndicesOptions {
        expand_open: false,
        expand_closed: true,
        ..IndicesOptions::STRICT_EXPAND_OPEN
    };
    refuse_destructive_wildcards(&app, &request)?;
    let (state, found) = index_params::resolve(&app, &request, options)?;
    let names = names(&found);
    state.check_blocks(&names, BlockLevel::MetadataWrite)?;
    if wait {
        return open_named(app, request.params, names, wanted, timeout).await;
    }
    let description = format!("open indices [{}]", names.join(", "));
    let work = open_named(app.clone(), request.params, names, wanted, task_timeout);
    Ok(run_as_task(&app, "indices:admin/open", description, work))
}

async fn open_named(
    app: Arc<App>,
    params: Params,
    names: Vec<String>,
    wanted: ActiveShards,
    timeout: Duration,
) -> Result<RestResponse, RestError> {
    let changed = change(
        &app,
        &params,
        Command::OpenIndices {
            names: names.clone(),
        },
    )
    .await?;
    let active = wait_for_active(&app, &names, wanted, timeout).await;
    Ok(RestResponse::ok(
        &json!({"acknowledged": changed.acknowledged, "shards_acknowledged": active}),
    ))
}

async fn close(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    timeouts(&request.params)?;
    ActiveShards::parse(&request.params)?;
    if request.var("index").is_none() {
        return Err(RestError::validation(&["index is missing".to_owned()]));
    }
    refuse_destructive_wildcards(&app, &request)?;
    let (state, found) = index_params::resolve(&app, &request, IndicesOptions::STRICT_EXPAND_OPEN)?;
    let names = names(&found);
    state.check_blocks(&names, BlockLevel::MetadataWrite)?;
    let changed = change(
        &app,
        &request.params,
        Command::CloseIndices {
            names: names.clone(),
        },
    )
    .await?;
    let mut closed = Map::new();
    for name in &names {
        closed.insert(name.clone(), json!({"closed": true}));
    }
    Ok(RestResponse::ok(&json!({
        "acknowledged": changed.acknowledged,
        "shards_acknowledged": changed.acknowledged && !names.is_empty(),
        "indices": closed,
    })))
}

async fn add_block(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    timeouts(&request.params)?;
    let block = request.required_var("block")?.to_owned();
    let (_, found) = index_params::resolve(
        &app,
        &request,
        IndicesOptions::STRICT_EXPAND_OPEN_FORBID_CLOSED,
    )?;
    let indices = names(&found);
    let blocked: Vec<Value> = indices
        .iter()
        .map(|name| json!({"name": name, "blocked": true}))
        .collect();
    let add = Command::AddBlock { indices, block };
    let changed = change(&app, &request.params, add).await?;
    Ok(RestResponse::ok(&json!({
        "acknowledged": changed.acknowledged,
        "shards_acknowledged": changed.acknowledged && !blocked.is_empty(),
        "indices": blocked,
    })))
}
