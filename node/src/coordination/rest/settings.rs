//! Index settings: `_settings`.

use std::sync::Arc;

use hyper::Method;
use serde_json::{Map, Value};

use super::endpoints::{CHANGE_PARAMS, INDICES_PARAMS, MASTER_PARAMS};
use super::index_body::{show_settings, shown_index_settings};
use super::index_params::{self, body_object, change, names, timeouts};
use super::{App, Endpoint, RestError, RestRequest, RestResponse};
use crate::cluster::names::matches_pattern;
use crate::cluster::{BlockLevel, IndicesOptions, index_settings, settings};
use crate::master::{Command, UpdateSettings};

pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        name: "indices.get_settings",
        routes: &[
            (Method::GET, "/_settings"),
            (Method::GET, "/_settings/{name}"),
            (Method::GET, "/{index}/_settings"),
            (Method::GET, "/{index}/_settings/{name}"),
            (Method::GET, "/{index}/_setting/{name}"),
        ],
        params: &[
            MASTER_PARAMS,
            INDICES_PARAMS,
            &["flat_settings", "include_defaults", "local"],
        ],
        handler: |app, request| Box::pin(get(app, request)),
    },
    Endpoint {
        name: "indices.put_settings",
        routes: &[
            (Method::PUT, "/_settings"),
            (Method::PUT, "/{index}/_settings"),
        ],
        params: &[
            CHANGE_PARAMS,
            INDICES_PARAMS,
            &["flat_settings", "preserve_existing"],
        ],
        handler: |app, request| Box::pin(put(app, request)),
    },
];

async fn get(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    timeouts(&request.params)?;
    let (_, found) = index_params::resolve(&app, &request, IndicesOptions::STRICT_EXPAND)?;
    let wanted = request.list_var("name");
    let is_wanted = |key: &str| {
        wanted.is_empty()
            || wanted
                .iter()
                .any(|pattern| pattern == "_all" || matches_pattern(pattern, key))
    };
    let mut answer = Map::new();
    for resolved in &found {
        let index = &resolved.metadata;
        index.check_block(BlockLevel::MetadataRead)?;
        let mut shown = shown_index_settings(index, &request.params)?;
        shown.retain(|key, _| is_wanted(key));
        let mut entry = Map::new();
        entry.insert(
            "settings".to_owned(),
            show_settings(&shown, &request.params)?,
        );
        if request.params.bool("include_defaults", false)? {
            let mut defaults = index_settings::defaults_beside(&index.settings);
            defaults.retain(|key, _| is_wanted(key));
            entry.insert(
                "defaults".to_owned(),
                show_settings(&defaults, &request.params)?,
            );
        } else if shown.is_empty() {
            continue;
        }
        answer.insert(index.name.clone(), Value::Object(entry));
    }
    Ok(RestResponse::ok(&answer))
}

async fn put(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    timeouts(&request.params)?;
    let preserve_existing = request.params.bool("preserve_existing", false)?;
    let mut body = body_object(&request)?
        .ok_or_else(|| RestError::new(400, "parse_exception", "request body is required"))?;
    // The settings may stand under "settings".
    if body.len() == 1
        && let Some(Value::Object(inner)) = body.get("settings")
    {
        body = inner.clone();
    }
    let changes = settings::flatten(&body, "index.");
    if changes.is_empty() {
        return Err(RestError::validation(&["no settings to update".to_owned()]));
    }
    let base = IndicesOptions {
        expand_closed: true,
        ..IndicesOptions::STRICT_EXPAND_OPEN
    };
    let (state, found) = index_params::resolve(&app, &request, base)?;
    let indices = names(&found);
    // Whoever only lifts or sets blocks is not blocked.
    let only_blocks = changes.keys().all(|key| key.starts_with("index.blocks."));
    if !only_blocks {
        state.check_blocks(&indices, BlockLevel::MetadataWrite)?;
    }
    let changed = change(
        &app,
        &request.params,
        Command::UpdateSettings(UpdateSettings {
            indices,
            settings: changes,
            preserve_existing,
        }),
    )
    .await?;
    Ok(RestResponse::acknowledged(changed.acknowledged))
}
