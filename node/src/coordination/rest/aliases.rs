//! Aliases: `_aliases`, `_alias`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hyper::Method;
use serde_json::{Map, Value, json};

use super::alias_body::{self, parse_alias, show_alias};
use super::endpoints::{CHANGE_PARAMS, INDICES_PARAMS};
use super::index_params::{self, body_object, change, timeouts};
use super::{App, Endpoint, RestError, RestRequest, RestResponse};
use crate::cluster::names::matches_pattern;
use crate::cluster::{AliasMetadata, BlockLevel, ClusterState, IndicesOptions};
use crate::master::{AliasAction, Command};

pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        name: "indices.update_aliases",
        routes: &[(Method::POST, "/_aliases")],
        params: &[CHANGE_PARAMS],
        handler: |app, request| Box::pin(update(app, request)),
    },
    Endpoint {
        name: "indices.put_alias",
        routes: &[
            (Method::PUT, "/{index}/_alias/{name}"),
            (Method::POST, "/{index}/_alias/{name}"),
            (Method::PUT, "/{index}/_aliases/{name}"),
            (Method::POST, "/{index}/_aliases/{name}"),
            (Method::PUT, "/{index}/_alias"),
            (Method::PUT, "/{index}/_aliases"),
            (Method::PUT, "/_alias/{name}"),
            (Method::POST, "/_alias/{name}"),
            (Method::PUT, "/_aliases/{name}"),
            (Method::POST, "/_aliases/{name}"),
            (Method::PUT, "/_alias"),
        ],
        params: &[CHANGE_PARAMS],
        handler: |app, request| Box::pin(put(app, request)),
    },
    Endpoint {
        name: "indices.delete_alias",
        routes: &[
            (Method::DELETE, "/{index}/_alias/{name}"),
            (Method::DELETE, "/{index}/_aliases/{name}"),
        ],
        params: &[CHANGE_PARAMS],
        handler: |app, request| Box::pin(delete(app, request)),
    },
    Endpoint {
        name: "indices.get_alias",
        routes: &[
            (Method::GET, "/_alias"),
            (Method::GET, "/_aliases"),
            (Method::GET, "/_alias/{name}"),
            (Method::GET, "/{index}/_alias/{name}"),
            (Method::GET, "/{index}/_alias"),
        ],
        params: &[INDICES_PARAMS, &["local"]],
        handler: |app, request| Box::pin(get(app, request)),
    },
    Endpoint {
        name: "indices.exists_alias",
        routes: &[
            (Method::HEAD, "/_alias/{name}"),
            (Method::HEAD, "/{index}/_alias/{name}"),
        ],
        params: &[INDICES_PARAMS, &["local"]],
        handler: |app, request| Box::pin(exists(app, request)),
    },
];

/// Alias changes name indices, not other aliases.
const OPTIONS: IndicesOptions = IndicesOptions {
    allow_no_indices: false,
    ignore_aliases: true,
    ..IndicesOptions::STRICT_EXPAND_OPEN
};

async fn update(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    timeouts(&request.params)?;
    let body = body_object(&request)?
        .ok_or_else(|| RestError::new(400, "parse_exception", "request body is required"))?;
    for key in body.keys() {
        if key != "actions" {
            return Err(x_content(format!("[aliases] unknown field [{key}]")));
        }
    }
    let Some(Value::Array(actions)) = body.get("actions") else {
        return Err(RestError::illegal_argument("No action specified"));
    };
    if actions.is_empty() {
        return Err(RestError::validation(&[
            "Must specify at least one alias action".to_owned(),
        ]));
    }
    let state = app.state();
    let mut concrete = Vec::new();
    let mut asked: Vec<String> = Vec::new();
    let mut indices: Vec<String> = Vec::new();
    for action in actions {
        parse_action(
            &state,
            action,
            app.now_ms(),
            &mut concrete,
            &mut asked,
            &mut indices,
        )?;
    }
    if concrete.is_empty() {
        return Err(aliases_missing(&asked));
    }
    state.check_blocks(&indices, BlockLevel::MetadataWrite)?;
    let changed = change(
        &app,
        &request.params,
        Command::UpdateAliases { actions: concrete },
    )
    .await?;
    Ok(RestResponse::acknowledged(changed.acknowledged))
}

/// Reads one action and adds what it means for the indices there are.
fn parse_action(
    state: &ClusterState,
    action: &Value,
    now_ms: i64,
    concrete: &mut Vec<AliasAction>,
    asked: &mut Vec<String>,
    touched: &mut Vec<String>,
) -> Result<(), RestError> {
    let entry = action
        .as_object()
        .filter(|object| object.len() == 1)
        .and_then(|object| object.iter().next());
    let Some((kind, Value::Object(body))) = entry else {
        return Err(x_content(
            "[alias_action] expected one of [add], [remove] and [remove_index]".to_owned(),
        ));
    };
    if !["add", "remove", "remove_index"].contains(&kind.as_str()) {
        return Err(x_content(format!("[alias_action] unknown field [{kind}]")));
    }
    let mut indices = Vec::new();
    let mut aliases = Vec::new();
    let mut must_exist = None;
    let mut rest = Map::new();
    for (key, value) in body {
        match (key.as_str(), kind.as_str()) {
            ("index" | "indices", _) => indices.extend(texts(key, value)?),
            ("alias" | "aliases", "add" | "remove") => aliases.extend(texts(key, value)?),
            ("must_exist", "remove" | "remove_index") => {
                must_exist = Some(alias_body::flag(key, value)?)
            }
            (_, "add") => {
                rest.insert(key.clone(), value.clone());
            }
            (other, kind) => return Err(x_content(format!("[{kind}] unknown field [{other}]"))),
        }
    }
    if indices.is_empty() {
        return Err(RestError::illegal_argument(
            "One of [index] or [indices] is required",
        ));
    }
    if aliases.is_empty() && kind != "remove_index" {
        return Err(RestError::illegal_argument(
            "One of [alias] or [aliases] is required",
        ));
    }
    if indices.iter().chain(&aliases).any(String::is_empty) {
        return Err(RestError::illegal_argument(
            "[index] and [alias] may not be empty string",
        ));
    }
    let expressions: Vec<&str> = indices.iter().map(String::as_str).collect();
    let options = if kind == "remove_index" {
        IndicesOptions {
            expand_closed: true,
            ..OPTIONS
        }
    } else {
        OPTIONS
    };
    let found = state.resolve_all(&expressions, &options, now_ms)?;
    let metadata = match kind.as_str() {
        "add" => parse_alias(&aliases[0], &rest)?,
        _ => AliasMetadata::default(),
    };
    asked.extend(aliases.iter().cloned());
    for resolved in &found {
        let index = &resolved.metadata;
        touched.push(index.name.clone());
        match kind.as_str() {
            "add" => {
                for alias in &aliases {
                    concrete.push(AliasAction::Add {
                        index: index.name.clone(),
                        alias: alias.clone(),
                        metadata: metadata.clone(),
                    });
                }
            }
            "remove" => {
                for alias in &aliases {
                    let is_pattern = alias.contains('*') || alias == "_all";
                    for known in index.aliases.keys() {
                        if alias == "_all" || matches_pattern(alias, known) {
                            concrete.push(AliasAction::Remove {
                                index: index.name.clone(),
                                alias: known.clone(),
                                must_exist,
                            });
                        }
                    }
                    if !is_pattern && must_exist == Some(true) && !index.aliases.contains_key(alias)
                    {
                        concrete.push(AliasAction::Remove {
                            index: index.name.clone(),
                            alias: alias.clone(),
                            must_exist,
                        });
                    }
                }
            }
            _ => concrete.push(AliasAction::RemoveIndex {
                index: index.name.clone(),
            }),
        }
    }
    Ok(())
}

fn x_content(reason: String) -> RestError {
    RestError::new(400, "x_content_parse_exception", reason)
}

fn aliases_missing(names: &[String]) -> RestError {
    RestError::new(
        404,
        "aliases_not_found_exception",
        format!("aliases [{}] missing", names.join(", ")),
    )
    .with("resource.type", "aliases")
    .with("resource.id", names.join(", "))
}

/// A text or a list of texts.
fn texts(key: &str, value: &Value) -> Result<Vec<String>, RestError> {
    let one = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err(x_content(format!(
            "[{key}] must be a text or a list of texts"
        ))),
    };
    match value {
        Value::Array(values) => values.iter().map(one).collect(),
        value => Ok(vec![one(value)?]),
    }
}

async fn put(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    timeouts(&request.params)?;
    let mut body = body_object(&request)?.unwrap_or_default();
    let mut index = request.var("index").map(str::to_owned);
    let mut alias = request.var("name").map(str::to_owned);
    if let Some(value) = body.remove("index") {
        index = Some(texts("index", &value)?.join(","));
    }
    if let Some(value) = body.remove("alias") {
        alias = Some(texts("alias", &value)?.join(","));
    }
    let Some(alias) = alias.filter(|alias| !alias.is_empty()) else {
        return Err(RestError::illegal_argument(
            "alias name is required: put it in the path or the body",
        ));
    };
    let metadata = parse_alias(&alias, &body)?;
    let state = app.state();
    let found = state.resolve(index.as_deref().unwrap_or(""), &OPTIONS, app.now_ms())?;
    let names = index_params::names(&found);
    state.check_blocks(&names, BlockLevel::MetadataWrite)?;
    let mut actions = Vec::new();
    for index in names {
        actions.push(AliasAction::Add {
            index,
            alias: alias.clone(),
            metadata: metadata.clone(),
        });
    }
    let changed = change(&app, &request.params, Command::UpdateAliases { actions }).await?;
    Ok(RestResponse::acknowledged(changed.acknowledged))
}

async fn delete(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    timeouts(&request.params)?;
    let state = app.state();
    let found = state.resolve(request.required_var("index")?, &OPTIONS, app.now_ms())?;
    let wanted = request.list_var("name");
    let mut actions = Vec::new();
    for resolved in &found {
        for alias in resolved.metadata.aliases.keys() {
            if wanted
                .iter()
                .any(|name| name == "_all" || matches_pattern(name, alias))
            {
                actions.push(AliasAction::Remove {
                    index: resolved.metadata.name.clone(),
                    alias: alias.clone(),
                    must_exist: None,
                });
            }
        }
    }
    if actions.is_empty() {
        return Err(aliases_missing(&wanted));
    }
    state.check_blocks(&index_params::names(&found), BlockLevel::MetadataWrite)?;
    let changed = change(&app, &request.params, Command::UpdateAliases { actions }).await?;
    Ok(RestResponse::acknowledged(changed.acknowledged))
}

/// The aliases that a request asks for, by index; and which of the named ones are nowhere.
struct FoundAliases {
    by_index: BTreeMap<String, BTreeMap<String, AliasMetadata>>,
    missing: BTreeSet<String>,
}

fn find(app: &App, request: &RestRequest) -> Result<FoundAliases, RestError> {
    let options = IndicesOptions {
        expand_closed: true,
        expand_hidden: true,
        ..IndicesOptions::STRICT_EXPAND_OPEN
    };
    let (_, found) = index_params::resolve(app, request, options)?;
    let wanted = request.list_var("name");
    let mut by_index = BTreeMap::new();
    let mut returned: BTreeSet<String> = BTreeSet::new();
    for resolved in &found {
        let mut shown = BTreeMap::new();
        for (name, alias) in &resolved.metadata.aliases {
            if is_wanted(&wanted, name) {
                shown.insert(name.clone(), alias.clone());
                returned.insert(name.clone());
            }
        }
        if wanted.is_empty() || !shown.is_empty() {
            by_index.insert(resolved.metadata.name.clone(), shown);
        }
    }
    Ok(FoundAliases {
        by_index,
        missing: missing(&wanted, &returned),
    })
}

/// Whether an alias is chosen by a list of names, patterns and exclusions (`-name`), read from left to right.
fn is_wanted(wanted: &[String], alias: &str) -> bool {
    let mut is_in = wanted.is_empty();
    for pattern in wanted {
        match pattern.strip_prefix('-') {
            Some(excluded) if is_in => {
                is_in = !(excluded == "_all" || matches_pattern(excluded, alias))
            }
            Some(_) => {}
            None => is_in = is_in || pattern == "_all" || matches_pattern(pattern, alias),
        }
    }
    is_in
}

/// The names that were asked for without a wildcard, are not excluded later, and were not found.
fn missing(wanted: &[String], returned: &BTreeSet<String>) -> BTreeSet<String> {
    let first_wild = wanted
        .iter()
        .position(|name| name.contains('*'))
        .unwrap_or(wanted.len());
    let mut missing = BTreeSet::new();
    for (i, name) in wanted.iter().enumerate() {
        let is_exclusion = i > first_wild && name.starts_with('-');
        if name == "_all" || name.contains('*') || is_exclusion {
            continue;
        }
        let is_excluded_later = wanted[(i + 1).max(first_wild).min(wanted.len())..]
            .iter()
            .any(|later| {
                later
                    .strip_prefix('-')
                    .is_some_and(|pattern| pattern == "_all" || matches_pattern(pattern, name))
            });
        if !is_excluded_later && !returned.contains(name) {
            missing.insert(name.clone());
        }
    }
    missing
}

async fn get(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    let found = find(&app, &request)?;
    let mut answer = Map::new();
    let mut status = 200;
    if !found.missing.is_empty() {
        status = 404;
        let names: Vec<&str> = found.missing.iter().map(String::as_str).collect();
        let word = if names.len() == 1 { "alias" } else { "aliases" };
        answer.insert(
            "error".to_owned(),
            json!(format!("{word} [{}] missing", names.join(","))),
        );
        answer.insert("status".to_owned(), json!(404));
    }
    for (index, aliases) in found.by_index {
        let mut shown = Map::new();
        for (name, alias) in aliases {
            shown.insert(name, show_alias(&alias));
        }
        answer.insert(index, json!({"aliases": shown}));
    }
    Ok(RestResponse::json(status, &answer))
}

async fn exists(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    let is_there = match find(&app, &request) {
        Ok(found) => {
            found.missing.is_empty() && found.by_index.values().any(|aliases| !aliases.is_empty())
        }
        Err(error) if error.status == 404 => false,
        Err(error) => return Err(error),
    };
    Ok(RestResponse::empty(if is_there { 200 } else { 404 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(names: &str) -> Vec<String> {
        names.split(',').map(str::to_owned).collect()
    }

    #[test]
    fn exclusions_work_from_left_to_right() {
        for (wanted, alias, is_in) in [
            ("a*,-a1", "a1", false),
            ("a*,-a1", "a2", true),
            ("-a1,a*", "a1", true),
            ("a1,b1,-a*", "b1", true),
            ("a1,b1,-a*", "a1", false),
            ("_all", "x", true),
        ] {
            assert_eq!(is_wanted(&list(wanted), alias), is_in, "{wanted}: {alias}");
        }
    }

    #[test]
    fn only_plain_names_can_be_missing() {
        let returned = BTreeSet::from(["a1".to_owned()]);
        for (wanted, names) in [
            ("-a1,a*,-a2", "-a1"),
            ("a*,-none", ""),
            ("-x,-x*,-y", "-x"),
            ("a1,b2,-a*,-b2", ""),
            ("none", "none"),
        ] {
            let found: Vec<String> = missing(&list(wanted), &returned).into_iter().collect();
            assert_eq!(found.join(","), names, "{wanted}");
        }
    }
}
