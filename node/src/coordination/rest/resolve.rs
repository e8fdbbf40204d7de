//! `_resolve/index`: what names lead to.

use std::collections::BTreeMap;
use std::sync::Arc;

use hyper::Method;
use serde_json::{Value, json};

use super::index_params::indices_options;
use super::{App, Endpoint, RestError, RestRequest, RestResponse};
use crate::cluster::names::matches_pattern;
use crate::cluster::{IndexState, IndicesOptions};

pub(super) const ENDPOINTS: &[Endpoint] = &[Endpoint {
    name: "indices.resolve_index",
    routes: &[(Method::GET, "/_resolve/index/{name}")],
    params: &[&["expand_wildcards"]],
    handler: |app, request| Box::pin(resolve(app, request)),
}];

async fn resolve(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    let options = indices_options(&request.params, IndicesOptions::STRICT_EXPAND_OPEN)?;
    let wanted = request.list_var("name");
    let state = app.state();
    let is_wanted = |name: &str, hidden: bool| {
        let mut is_in = false;
        for pattern in &wanted {
            match pattern.strip_prefix('-') {
                Some(excluded) => is_in = is_in && !matches_pattern(excluded, name),
                None => {
                    let by_pattern = (pattern == "_all" || matches_pattern(pattern, name))
                        && (!hidden
                            || options.expand_hidden
                            || (pattern.starts_with('.') && name.starts_with('.')));
                    is_in = is_in || pattern == name || by_pattern;
                }
            }
        }
        is_in
    };
    for name in &wanted {
        let is_plain = !name.contains('*') && name != "_all" && !name.starts_with('-');
        if is_plain && state.index(name).is_none() && state.alias_members(name).is_empty() {
            return Err(RestError::index_not_found(name));
        }
    }
    let mut indices = Vec::new();
    let mut aliases: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for index in state.indices.values() {
        let shows = match index.state {
            IndexState::Open => options.expand_open,
            IndexState::Close => options.expand_closed,
        };
        let is_named = wanted.contains(&index.name);
        if (shows || is_named) && is_wanted(&index.name, index.is_hidden()) {
            let names: Vec<&String> = index.aliases.keys().collect();
            let mut attributes = vec![index.state.name()];
            if index.is_hidden() {
                attributes.push("hidden");
            }
            if index.state == IndexState::Close {
                attributes[0] = "closed";
            }
            attributes.sort_unstable();
            let mut shown = json!({"name": index.name});
            if !names.is_empty() {
                shown["aliases"] = json!(names);
            }
            shown["attributes"] = json!(attributes);
            indices.push(shown);
        }
        for (alias, metadata) in &index.aliases {
            if is_wanted(alias, metadata.is_hidden == Some(true)) {
                aliases.entry(alias).or_default().push(&index.name);
            }
        }
    }
    let aliases: Vec<Value> = aliases
        .into_iter()
        .map(|(name, indices)| json!({"name": name, "indices": indices}))
        .collect();
    Ok(RestResponse::ok(
        &json!({"indices": indices, "aliases": aliases, "data_streams": []}),
    ))
}
