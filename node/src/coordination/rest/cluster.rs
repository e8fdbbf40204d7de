//! The cluster: `_cluster/state`, `settings`, `stats`, `pending_tasks`; `_remote/info`.

use std::collections::BTreeMap;
use std::sync::Arc;

use hyper::Method;
use serde_json::{Map, Value, json};

use super::endpoints::{CHANGE_PARAMS, MASTER_PARAMS};
use super::index_body::show_settings;
use super::index_params::{self, body_object, change, timeouts};
use super::{App, Endpoint, RestError, RestRequest, RestResponse};
use crate::cluster::{IndicesOptions, cluster_settings, settings};
use crate::master::Command;

pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        name: "cluster.get_settings",
        routes: &[(Method::GET, "/_cluster/settings")],
        params: &[
            CHANGE_PARAMS,
            &["flat_settings", "include_defaults", "local"],
        ],
        handler: |app, request| Box::pin(get_settings(app, request)),
    },
    Endpoint {
        name: "cluster.put_settings",
        routes: &[(Method::PUT, "/_cluster/settings")],
        params: &[CHANGE_PARAMS, &["flat_settings"]],
        handler: |app, request| Box::pin(put_settings(app, request)),
    },
    Endpoint {
        name: "cluster.pending_tasks",
        routes: &[(Method::GET, "/_cluster/pending_tasks")],
        params: &[MASTER_PARAMS, &["local"]],
        handler: |app, request| Box::pin(pending_tasks(app, request)),
    },
    Endpoint {
        name: "cluster.remote_info",
        routes: &[(Method::GET, "/_remote/info")],
        params: &[],
        handler: |_, _| Box::pin(async { Ok(RestResponse::ok(&json!({}))) }),
    },
];

async fn get_settings(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    timeouts(&request.params)?;
    let state = app.state();
    let mut answer = Map::new();
    answer.insert(
        "persistent".to_owned(),
        show_settings(&state.persistent, &request.params)?,
    );
    answer.insert(
        "transient".to_owned(),
        show_settings(&state.transient, &request.params)?,
    );
    if request.params.bool("include_defaults", false)? {
        let mut defaults = cluster_settings::defaults_beside(&state);
        defaults.insert("cluster.name".to_owned(), state.cluster_name.clone());
        defaults.insert("node.name".to_owned(), app.node.name.clone());
        for (name, value) in &app.node.attributes {
            defaults.insert(format!("node.attr.{name}"), value.clone());
        }
        answer.insert(
            "defaults".to_owned(),
            show_settings(&defaults, &request.params)?,
        );
    }
    Ok(RestResponse::ok(&answer))
}

async fn put_settings(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    timeouts(&request.params)?;
    let body = body_object(&request)?
        .ok_or_else(|| RestError::new(400, "parse_exception", "request body is required"))?;
    let mut persistent = BTreeMap::new();
    let mut transient = BTreeMap::new();
    for (key, value) in &body {
        let part = match key.as_str() {
            "persistent" => &mut persistent,
            "transient" => &mut transient,
            other => {
                return Err(RestError::new(
                    400,
                    "x_content_parse_exception",
                    format!(
                        "[cluster_update_settings_request] unknown field [{other}], parser not found"
                    ),
                ));
            }
        };
        match value {
            Value::Object(object) => *part = settings::flatten(object, ""),
            Value::Null => {}
            _ => {
                return Err(RestError::new(
                    400,
                    "x_content_parse_exception",
                    format!("[cluster_update_settings_request] [{key}] must be an object"),
                ));
            }
        }
    }
    if persistent.is_empty() && transient.is_empty() {
        return Err(RestError::validation(&["no settings to update".to_owned()]));
    }
    let asked = (persistent.clone(), transient.clone());
    let changed = change(
        &app,
        &request.params,
        Command::UpdateClusterSettings {
            persistent,
            transient,
        },
    )
    .await?;
    let set = |part: BTreeMap<String, Option<String>>| -> BTreeMap<String, String> {
        part.into_iter()
            .filter_map(|(key, value)| Some((key, value?)))
            .collect()
    };
    let mut answer = Map::new();
    answer.insert("acknowledged".to_owned(), json!(changed.acknowledged));
    answer.insert(
        "persistent".to_owned(),
        show_settings(&set(asked.0), &request.params)?,
    );
    answer.insert(
        "transient".to_owned(),
        show_settings(&set(asked.1), &request.params)?,
    );
    Ok(RestResponse::ok(&answer))
}

async fn pending_tasks(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    timeouts(&request.params)?;
    let mut tasks = Vec::new();
    for task in app.masters.pending_at_leader().await?.tasks {
        tasks.push(json!({
            "insert_order": task.insert_order,
            "priority": "NORMAL",
            "source": task.source,
            "executing": task.executing,
            "time_in_queue_millis": task.waited_ms,
            "time_in_queue": crate::cluster::setting_values::show_ms(i64::try_from(task.waited_ms).unwrap_or(i64::MAX)),
        }));
    }
    Ok(RestResponse::ok(&json!({"tasks": tasks})))
}

/// The indices an expression leads to, closed and hidden ones too: what `_cluster/state` filters by.
pub(super) fn state_indices(
    app: &App,
    request: &RestRequest,
) -> Result<Option<Vec<String>>, RestError> {
    if request.var("index").is_none() {
        return Ok(None);
    }
    let base = IndicesOptions {
        ignore_unavailable: true,
        expand_closed: true,
        expand_hidden: true,
        ..IndicesOptions::STRICT_EXPAND_OPEN
    };
    let (_, found) = index_params::resolve(app, request, base)?;
    Ok(Some(index_params::names(&found)))
}
