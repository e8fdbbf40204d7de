//! `_search/point_in_time`: made, listed, deleted.

use std::sync::Arc;

use hyper::Method;
use serde_json::{Value, json};

use super::endpoints::INDICES_PARAMS;
use super::search_params::{body_value, indices_options, locate, time_param};
use super::{App, Endpoint, RestError, RestRequest, RestResponse};
use crate::cluster::IndicesOptions;
use crate::coordination::dsl::Json;
use crate::coordination::failures::failures_json;
use crate::coordination::search_response::ShardsJson;

pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        name: "create_pit",
        routes: &[(Method::POST, "/{index}/_search/point_in_time")],
        params: &[
            INDICES_PARAMS,
            &[
                "ignore_throttled",
                "keep_alive",
                "allow_partial_pit_creation",
                "preference",
                "routing",
            ],
        ],
        handler: |app, request| Box::pin(create(app, request)),
    },
    Endpoint {
        name: "get_all_pits",
        routes: &[(Method::GET, "/_search/point_in_time/_all")],
        params: &[],
        handler: |app, request| Box::pin(list(app, request)),
    },
    Endpoint {
        name: "delete_all_pits",
        routes: &[(Method::DELETE, "/_search/point_in_time/_all")],
        params: &[],
        handler: |app, request| Box::pin(delete_all(app, request)),
    },
    Endpoint {
        name: "delete_pit",
        routes: &[(Method::DELETE, "/_search/point_in_time")],
        params: &[],
        handler: |app, request| Box::pin(delete(app, request)),
    },
];

async fn create(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    let params = &request.params;
    let Some(keep_alive) = time_param(params, "keep_alive")? else {
        return Err(RestError::validation(&[
            "keep alive not specified".to_owned()
        ]));
    };
    let options = indices_options(params, IndicesOptions::STRICT_EXPAND_OPEN_FORBID_CLOSED)?;
    let pit = app
        .searcher
        .create_pit(
            &request.list_var("index"),
            &options,
            params.get("routing"),
            params.get("preference"),
            keep_alive,
            params.bool("allow_partial_pit_creation", true)?,
        )
        .await?;
    let shards = ShardsJson {
        total: pit.total,
        successful: pit.total - pit.failures.len(),
        skipped: Some(0),
        failed: pit.failures.len(),
        failures: failures_json(&pit.failures, &app.searcher.node_id),
    };
    let shards =
        serde_json::to_value(&shards).map_err(|error| RestError::internal(error.to_string()))?;
    Ok(RestResponse::ok(
        &json!({"pit_id": pit.id, "_shards": shards, "creation_time": pit.creation_ms}),
    ))
}

async fn list(app: Arc<App>, _request: RestRequest) -> Result<RestResponse, RestError> {
    Ok(RestResponse::ok(
        &json!({"pits": app.searcher.pits().await}),
    ))
}

async fn delete_all(app: Arc<App>, _request: RestRequest) -> Result<RestResponse, RestError> {
    let ids: Vec<String> = app
        .searcher
        .pits()
        .await
        .into_iter()
        .map(|pit| pit.pit_id)
        .collect();
    answer(&app, &ids).await
}

async fn delete(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    let mut ids = Vec::new();
    if let Some(body) = body_value(&request)? {
        let root = Json::root(&body);
        if !root.is_object() {
            return Err(locate(
                &request,
                root.illegal("Malformed content, must start with an object"),
            ));
        }
        for (key, value) in root.members() {
            if key != "pit_id" || value.is_object() || value.is_null() {
                return Err(locate(
                    &request,
                    value.illegal(format!("Unknown parameter [{key}] in request body or parameter is of the wrong type[{}] ", value.token())),
                ));
            }
            ids = value.texts()?;
        }
    }
    if ids.is_empty() {
        return Err(RestError::validation(&["no pit ids specified".to_owned()]));
    }
    answer(&app, &ids).await
}

async fn answer(app: &App, ids: &[String]) -> Result<RestResponse, RestError> {
    let mut pits: Vec<Value> = Vec::new();
    for id in ids {
        let freed = app.searcher.delete_pit(id).await?;
        pits.push(json!({"successful": freed, "pit_id": id}));
    }
    let status = if pits.iter().all(|pit| pit["successful"] == true) {
        200
    } else {
        404
    };
    Ok(RestResponse::json(status, &json!({"pits": pits})))
}
