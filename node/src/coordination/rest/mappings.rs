//! Mappings: `_mapping`, `_mapping/field`.

use std::sync::Arc;

use hyper::Method;
use serde_json::{Map, Value, json};

use super::endpoints::{CHANGE_PARAMS, INDICES_PARAMS, MASTER_PARAMS};
use super::index_params::{self, body_object, change, names, timeouts};
use super::{App, Endpoint, RestError, RestRequest, RestResponse};
use crate::cluster::names::matches_pattern;
use crate::cluster::{BlockLevel, IndicesOptions};
use crate::master::Command;

pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        name: "indices.get_field_mapping",
        routes: &[
            (Method::GET, "/_mapping/field/{fields}"),
            (Method::GET, "/{index}/_mapping/field/{fields}"),
        ],
        params: &[INDICES_PARAMS, &["include_defaults", "local"]],
        handler: |app, request| Box::pin(get_field(app, request)),
    },
    Endpoint {
        name: "indices.get_mapping",
        routes: &[
            (Method::GET, "/_mapping"),
            (Method::GET, "/_mappings"),
            (Method::GET, "/{index}/_mapping"),
            (Method::GET, "/{index}/_mappings"),
        ],
        params: &[MASTER_PARAMS, INDICES_PARAMS, &["local"]],
        handler: |app, request| Box::pin(get(app, request)),
    },
    Endpoint {
        name: "indices.put_mapping",
        routes: &[
            (Method::PUT, "/{index}/_mapping"),
            (Method::POST, "/{index}/_mapping"),
            (Method::PUT, "/{index}/_mappings"),
            (Method::POST, "/{index}/_mappings"),
        ],
        params: &[CHANGE_PARAMS, INDICES_PARAMS, &["write_index_only"]],
        handler: |app, request| Box::pin(put(app, request)),
    },
];

async fn get(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    timeouts(&request.params)?;
    let (_, found) = index_params::resolve(&app, &request, IndicesOptions::STRICT_EXPAND_OPEN)?;
    let mut answer = Map::new();
    for resolved in &found {
        let index = &resolved.metadata;
        index.check_block(BlockLevel::MetadataRead)?;
        answer.insert(index.name.clone(), json!({"mappings": index.mapping}));
    }
    Ok(RestResponse::ok(&answer))
}

async fn put(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    timeouts(&request.params)?;
    let update = match body_object(&request)? {
        Some(update) if update.len() == 1 && update.contains_key("_doc") => {
            return Err(RestError::illegal_argument(
                "Types cannot be provided in put mapping requests",
            ));
        }
        Some(update) => Value::Object(update),
        None => {
            return Err(RestError::validation(&[
                "mapping source is empty".to_owned()
            ]));
        }
    };
    let base = IndicesOptions {
        expand_closed: true,
        ..IndicesOptions::STRICT_EXPAND_OPEN
    };
    let indices = if request.params.bool("write_index_only", false)? {
        let state = app.state();
        let mut indices = Vec::new();
        for name in request.list_var("index") {
            match state.write_target(&name, false, app.now_ms())? {
                Some(target) => indices.push(target.metadata.name.clone()),
                None => return Err(RestError::index_not_found(&name)),
            }
        }
        indices
    } else {
        let (_, found) = index_params::resolve(&app, &request, base)?;
        names(&found)
    };
    app.state()
        .check_blocks(&indices, BlockLevel::MetadataWrite)?;
    let changed = change(
        &app,
        &request.params,
        Command::PutMapping { indices, update },
    )
    .await?;
    Ok(RestResponse::acknowledged(changed.acknowledged))
}

async fn get_field(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    let include_defaults = request.params.bool("include_defaults", false)?;
    let wanted = request.list_var("fields");
    let (_, found) = index_params::resolve(&app, &request, IndicesOptions::STRICT_EXPAND_OPEN)?;
    let mut answer = Map::new();
    for resolved in &found {
        let index = &resolved.metadata;
        index.check_block(BlockLevel::MetadataRead)?;
        let mut shown = Map::new();
        if let Some(properties) = index.mapping.get("properties").and_then(Value::as_object) {
            collect_fields("", properties, &mut |path, definition| {
                if !wanted.iter().any(|pattern| matches_pattern(pattern, path)) {
                    return;
                }
                let leaf = path.rsplit_once('.').map_or(path, |(_, leaf)| leaf);
                let mut definition = definition.clone();
                if include_defaults {
                    add_defaults(&mut definition);
                }
                shown.insert(
                    path.to_owned(),
                    json!({"full_name": path, "mapping": {leaf: definition}}),
                );
            });
        }
        answer.insert(index.name.clone(), json!({"mappings": shown}));
    }
    Ok(RestResponse::ok(&answer))
}

/// Tells each field below `properties`, sub-fields too, with its path and definition.
fn collect_fields(
    prefix: &str,
    properties: &Map<String, Value>,
    tell: &mut dyn FnMut(&str, &Map<String, Value>),
) {
    for (name, definition) in properties {
        let Some(definition) = definition.as_object() else {
            continue;
        };
        let path = if prefix.is_empty() {
            name.clone()
        } else {
            format!("{prefix}.{name}")
        };
        match definition.get("properties").and_then(Value::as_object) {
            Some(inner) => collect_fields(&path, inner, tell),
            None => tell(&path, definition),
        }
        if let Some(fields) = definition.get("fields").and_then(Value::as_object) {
            collect_fields(&path, fields, tell);
        }
    }
}

/// Adds what a field has without saying so.
fn add_defaults(definition: &mut Map<String, Value>) {
    let kind = definition
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or("object")
        .to_owned();
    let defaults = match kind.as_str() {
        "text" => json!({
            "boost": 1.0, "index": true, "store": false, "doc_values": false, "index_options": "positions",
            "analyzer": "default", "similarity": "BM25", "eager_global_ordinals": false,
            "index_phrases": false, "fielddata": false, "norms": true,
        }),
        "keyword" => json!({
            "boost": 1.0, "index": true, "store": false, "doc_values": true, "index_options": "docs",
            "eager_global_ordinals": false, "norms": false, "ignore_above": 2147483647,
            "similarity": "BM25", "split_queries_on_whitespace": false,
        }),
        "long" | "integer" | "short" | "byte" | "double" | "float" | "half_float"
        | "unsigned_long" => json!({
            "boost": 1.0, "index": true, "store": false, "doc_values": true, "coerce": true, "ignore_malformed": false,
        }),
        "date" | "date_nanos" => json!({
            "boost": 1.0, "index": true, "store": false, "doc_values": true, "ignore_malformed": false,
            "format": "strict_date_optional_time||epoch_millis",
        }),
        "boolean" | "ip" => {
            json!({"boost": 1.0, "index": true, "store": false, "doc_values": true})
        }
        _ => json!({}),
    };
    if let Value::Object(defaults) = defaults {
        for (key, value) in defaults {
            definition.entry(key).or_insert(value);
        }
    }
}
