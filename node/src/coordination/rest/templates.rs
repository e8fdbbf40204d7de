//! Templates: `_index_template`, `_component_template`, `_template`, and their simulation.

use std::sync::Arc;

use hyper::Method;
use serde_json::{Map, Value, json};

use super::alias_body::show_aliases;
use super::endpoints::{CHANGE_PARAMS, MASTER_PARAMS};
use super::index_body::{parse_index_body, show_settings};
use super::index_params::{body_object, change, timeouts};
use super::{App, Endpoint, Params, RestError, RestRequest, RestResponse};
use crate::cluster::names::matches_pattern;
use crate::cluster::template::{ComponentTemplate, IndexTemplate, LegacyTemplate, TemplateBody};
use crate::cluster::{ClusterState, settings};
use crate::master::{
    Command, Composed, compose, matching_index_template, matching_legacy_templates, simulate_index,
};

const PUT_PARAMS: &[&[&str]] = &[CHANGE_PARAMS, &["cause", "create"]];
const GET_PARAMS: &[&[&str]] = &[
    MASTER_PARAMS,
    &["flat_settings", "local", "include_defaults"],
];
const DELETE_PARAMS: &[&[&str]] = &[CHANGE_PARAMS];

pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        name: "indices.simulate_index_template",
        routes: &[(Method::POST, "/_index_template/_simulate_index/{name}")],
        params: &[MASTER_PARAMS, &["cause", "create", "include_defaults"]],
        handler: |app, request| Box::pin(simulate_for_index(app, request)),
    },
    Endpoint {
        name: "indices.simulate_template",
        routes: &[
            (Method::POST, "/_index_template/_simulate"),
            (Method::POST, "/_index_template/_simulate/{name}"),
        ],
        params: &[MASTER_PARAMS, &["cause", "create", "include_defaults"]],
        handler: |app, request| Box::pin(simulate_template(app, request)),
    },
    Endpoint {
        name: "indices.put_index_template",
        routes: &[
            (Method::PUT, "/_index_template/{name}"),
            (Method::POST, "/_index_template/{name}"),
        ],
        params: PUT_PARAMS,
        handler: |app, request| Box::pin(put_index_template(app, request)),
    },
    Endpoint {
        name: "indices.get_index_template",
        routes: &[
            (Method::GET, "/_index_template"),
            (Method::GET, "/_index_template/{name}"),
        ],
        params: GET_PARAMS,
        handler: |app, request| Box::pin(get_index_template(app, request)),
    },
    Endpoint {
        name: "indices.exists_index_template",
        routes: &[(Method::HEAD, "/_index_template/{name}")],
        params: GET_PARAMS,
        handler: |app, request| Box::pin(exists_index_template(app, request)),
    },
    Endpoint {
        name: "indices.delete_index_template",
        routes: &[(Method::DELETE, "/_index_template/{name}")],
        params: DELETE_PARAMS,
        handler: |app, request| Box::pin(delete_index_template(app, request)),
    },
    Endpoint {
        name: "cluster.put_component_template",
        routes: &[
            (Method::PUT, "/_component_template/{name}"),
            (Method::POST, "/_component_template/{name}"),
        ],
        params: PUT_PARAMS,
        handler: |app, request| Box::pin(put_component_template(app, request)),
    },
    Endpoint {
        name: "cluster.get_component_template",
        routes: &[
            (Method::GET, "/_component_template"),
            (Method::GET, "/_component_template/{name}"),
        ],
        params: GET_PARAMS,
        handler: |app, request| Box::pin(get_component_template(app, request)),
    },
    Endpoint {
        name: "cluster.exists_component_template",
        routes: &[(Method::HEAD, "/_component_template/{name}")],
        params: GET_PARAMS,
        handler: |app, request| Box::pin(exists_component_template(app, request)),
    },
    Endpoint {
        name: "cluster.delete_component_template",
        routes: &[(Method::DELETE, "/_component_template/{name}")],
        params: DELETE_PARAMS,
        handler: |app, request| Box::pin(delete_component_template(app, request)),
    },
    Endpoint {
        name: "indices.put_template",
        routes: &[
            (Method::PUT, "/_template/{name}"),
            (Method::POST, "/_template/{name}"),
        ],
        params: &[CHANGE_PARAMS, &["create", "order"]],
        handler: |app, request| Box::pin(put_legacy_template(app, request)),
    },
    Endpoint {
        name: "indices.get_template",
        routes: &[
            (Method::GET, "/_template"),
            (Method::GET, "/_template/{name}"),
        ],
        params: GET_PARAMS,
        handler: |app, request| Box::pin(get_legacy_template(app, request)),
    },
    Endpoint {
        name: "indices.exists_template",
        routes: &[(Method::HEAD, "/_template/{name}")],
        params: GET_PARAMS,
        handler: |app, request| Box::pin(exists_legacy_template(app, request)),
    },
    Endpoint {
        name: "indices.delete_template",
        routes: &[(Method::DELETE, "/_template/{name}")],
        params: DELETE_PARAMS,
        handler: |app, request| Box::pin(delete_legacy_template(app, request)),
    },
];

fn x_content(reason: String) -> RestError {
    RestError::new(400, "x_content_parse_exception", reason)
}

fn required_body(request: &RestRequest) -> Result<Map<String, Value>, RestError> {
    body_object(request)?
        .ok_or_else(|| RestError::new(400, "parse_exception", "request body is required"))
}

fn number(key: &str, value: &Value) -> Result<i64, RestError> {
    let parsed = match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    parsed.ok_or_else(|| {
        RestError::illegal_argument(format!(
            "failed to parse [{key}]: [{value}] is no whole number"
        ))
    })
}

fn object(key: &str, value: &Value) -> Result<Map<String, Value>, RestError> {
    match value {
        Value::Object(object) => Ok(object.clone()),
        _ => Err(x_content(format!("[{key}] must be an object"))),
    }
}

fn texts(key: &str, value: &Value) -> Result<Vec<String>, RestError> {
    let bad = || {
        RestError::illegal_argument(format!(
            "malformed [{key}] value, should be a string or a list of strings"
        ))
    };
    match value {
        Value::String(text) => Ok(vec![text.clone()]),
        Value::Array(values) => values
            .iter()
            .map(|value| value.as_str().map(str::to_owned).ok_or_else(bad))
            .collect(),
        _ => Err(bad()),
    }
}

fn parse_template_object(value: &Value) -> Result<TemplateBody, RestError> {
    match value {
        Value::Object(body) => parse_index_body(body, "template"),
        _ => Err(x_content("[template] must be an object".to_owned())),
    }
}

fn parse_index_template(body: &Map<String, Value>) -> Result<IndexTemplate, RestError> {
    let mut template = IndexTemplate::default();
    for (key, value) in body {
        match key.as_str() {
            "index_patterns" => template.index_patterns = texts(key, value)?,
            "template" => template.template = Some(parse_template_object(value)?),
            "composed_of" => template.composed_of = texts(key, value)?,
            "priority" => template.priority = Some(number(key, value)?),
            "version" => template.version = Some(number(key, value)?),
            "_meta" => template.meta = Some(object(key, value)?),
            "data_stream" => {
                return Err(RestError::illegal_argument(
                    "[data_stream] is not supported in index templates: data streams are not available",
                ));
            }
            other => {
                return Err(x_content(format!(
                    "[index_template] unknown field [{other}]"
                )));
            }
        }
    }
    if template.index_patterns.is_empty() {
        return Err(RestError::validation(&[
            "index patterns are missing".to_owned()
        ]));
    }
    Ok(template)
}

async fn put_index_template(
    app: Arc<App>,
    request: RestRequest,
) -> Result<RestResponse, RestError> {
    timeouts(&request.params)?;
    let template = parse_index_template(&required_body(&request)?)?;
    let changed = change(
        &app,
        &request.params,
        Command::PutIndexTemplate {
            name: request.required_var("name")?.to_owned(),
            template,
            create: request.params.bool("create", false)?,
        },
    )
    .await?;
    Ok(RestResponse::acknowledged(changed.acknowledged))
}

fn show_body(body: &TemplateBody, params: &Params) -> Result<Map<String, Value>, RestError> {
    let mut shown = Map::new();
    if let Some(flat) = &body.settings {
        shown.insert("settings".to_owned(), show_settings(flat, params)?);
    }
    if let Some(mappings) = &body.mappings {
        shown.insert("mappings".to_owned(), mappings.clone());
    }
    if let Some(aliases) = &body.aliases {
        shown.insert("aliases".to_owned(), show_aliases(aliases));
    }
    Ok(shown)
}

fn show_index_template(template: &IndexTemplate, params: &Params) -> Result<Value, RestError> {
    let mut shown = Map::new();
    shown.insert("index_patterns".to_owned(), json!(template.index_patterns));
    if let Some(body) = &template.template {
        shown.insert(
            "template".to_owned(),
            Value::Object(show_body(body, params)?),
        );
    }
    shown.insert("composed_of".to_owned(), json!(template.composed_of));
    if let Some(priority) = template.priority {
        shown.insert("priority".to_owned(), json!(priority));
    }
    if let Some(version) = template.version {
        shown.insert("version".to_owned(), json!(version));
    }
    if let Some(meta) = &template.meta {
        shown.insert("_meta".to_owned(), json!(meta));
    }
    Ok(Value::Object(shown))
}

async fn get_index_template(
    app: Arc<App>,
    request: RestRequest,
) -> Result<RestResponse, RestError> {
    timeouts(&request.params)?;
    let state = app.state();
    let wanted = request.var("name");
    let mut shown = Vec::new();
    for (name, template) in &state.index_templates {
        if wanted.is_none_or(|pattern| matches_pattern(pattern, name)) {
            shown.push(json!({"name": name, "index_template": show_index_template(template, &request.params)?}));
        }
    }
    if let Some(name) = wanted
        && shown.is_empty()
        && !name.contains('*')
    {
        return Err(not_found("index template", name));
    }
    Ok(RestResponse::ok(&json!({"index_templates": shown})))
}

fn not_found(what: &str, name: &str) -> RestError {
    RestError::new(
        404,
        "resource_not_found_exception",
        format!("{what} matching [{name}] not found"),
    )
}

fn exists<'a>(
    mut names: impl Iterator<Item = &'a String>,
    request: &RestRequest,
) -> Result<RestResponse, RestError> {
    timeouts(&request.params)?;
    let wanted = request.list_var("name");
    let is_there = names.any(|name| wanted.iter().any(|pattern| matches_pattern(pattern, name)));
    Ok(RestResponse::empty(if is_there { 200 } else { 404 }))
}

async fn exists_index_template(
    app: Arc<App>,
    request: RestRequest,
) -> Result<RestResponse, RestError> {
    exists(app.state().index_templates.keys(), &request)
}

async fn exists_component_template(
    app: Arc<App>,
    request: RestRequest,
) -> Result<RestResponse, RestError> {
    exists(app.state().component_templates.keys(), &request)
}

async fn exists_legacy_template(
    app: Arc<App>,
    request: RestRequest,
) -> Result<RestResponse, RestError> {
    exists(app.state().legacy_templates.keys(), &request)
}

async fn delete_index_template(
    app: Arc<App>,
    request: RestRequest,
) -> Result<RestResponse, RestError> {
    timeouts(&request.params)?;
    let name = request.required_var("name")?.to_owned();
    let changed = change(
        &app,
        &request.params,
        Command::DeleteIndexTemplates { name },
    )
    .await?;
    Ok(RestResponse::acknowledged(changed.acknowledged))
}

async fn put_component_template(
    app: Arc<App>,
    request: RestRequest,
) -> Result<RestResponse, RestError> {
    timeouts(&request.params)?;
    let mut template = ComponentTemplate::default();
    let body = required_body(&request)?;
    if !body.contains_key("template") {
        return Err(RestError::illegal_argument("Required [template]"));
    }
    for (key, value) in &body {
        match key.as_str() {
            "template" => template.template = parse_template_object(value)?,
            "version" => template.version = Some(number(key, value)?),
            "_meta" => template.meta = Some(object(key, value)?),
            other => {
                return Err(x_content(format!(
                    "[component_template] unknown field [{other}]"
                )));
            }
        }
    }
    let changed = change(
        &app,
        &request.params,
        Command::PutComponentTemplate {
            name: request.required_var("name")?.to_owned(),
            template,
            create: request.params.bool("create", false)?,
        },
    )
    .await?;
    Ok(RestResponse::acknowledged(changed.acknowledged))
}

async fn get_component_template(
    app: Arc<App>,
    request: RestRequest,
) -> Result<RestResponse, RestError> {
    timeouts(&request.params)?;
    let state = app.state();
    let wanted = request.var("name");
    let mut shown = Vec::new();
    for (name, template) in &state.component_templates {
        if wanted.is_some_and(|pattern| !matches_pattern(pattern, name)) {
            continue;
        }
        let mut entry = Map::new();
        let body = show_body(&template.template, &request.params)?;
        entry.insert("template".to_owned(), Value::Object(body));
        if let Some(version) = template.version {
            entry.insert("version".to_owned(), json!(version));
        }
        if let Some(meta) = &template.meta {
            entry.insert("_meta".to_owned(), json!(meta));
        }
        shown.push(json!({"name": name, "component_template": entry}));
    }
    if let Some(name) = wanted
        && shown.is_empty()
        && !name.contains('*')
    {
        return Err(not_found("component template", name));
    }
    Ok(RestResponse::ok(&json!({"component_templates": shown})))
}

async fn delete_component_template(
    app: Arc<App>,
    request: RestRequest,
) -> Result<RestResponse, RestError> {
    timeouts(&request.params)?;
    let name = request.required_var("name")?.to_owned();
    let changed = change(
        &app,
        &request.params,
        Command::DeleteComponentTemplates { name },
    )
    .await?;
    Ok(RestResponse::acknowledged(changed.acknowledged))
}

async fn put_legacy_template(
    app: Arc<App>,
    request: RestRequest,
) -> Result<RestResponse, RestError> {
    timeouts(&request.params)?;
    let body = required_body(&request)?;
    let mut template = LegacyTemplate::default();
    let mut index_body = Map::new();
    for (key, value) in &body {
        match key.as_str() {
            "index_patterns" | "template" => template.index_patterns = texts(key, value)?,
            "order" => {
                template.order = i32::try_from(number(key, value)?).map_err(|_| {
                    RestError::illegal_argument(format!("[order] is out of range: [{value}]"))
                })?;
            }
            "version" => template.version = Some(number(key, value)?),
            "settings" | "mappings" | "aliases" => {
                index_body.insert(key.clone(), value.clone());
            }
            other => {
                return Err(RestError::new(
                    400,
                    "parse_exception",
                    format!("unknown key [{other}] in the template "),
                ));
            }
        }
    }
    if let Some(order) = request.params.opt_int("order")? {
        template.order = order;
    }
    if template.index_patterns.is_empty() {
        return Err(RestError::validation(&[
            "index patterns are missing".to_owned()
        ]));
    }
    template.body = parse_index_body(&index_body, "template")?;
    let changed = change(
        &app,
        &request.params,
        Command::PutLegacyTemplate {
            name: request.required_var("name")?.to_owned(),
            template,
            create: request.params.bool("create", false)?,
        },
    )
    .await?;
    Ok(RestResponse::acknowledged(changed.acknowledged))
}

async fn get_legacy_template(
    app: Arc<App>,
    request: RestRequest,
) -> Result<RestResponse, RestError> {
    timeouts(&request.params)?;
    let state = app.state();
    let wanted = request.list_var("name");
    let mut answer = Map::new();
    for (name, template) in &state.legacy_templates {
        if !wanted.is_empty() && !wanted.iter().any(|pattern| matches_pattern(pattern, name)) {
            continue;
        }
        let mut entry = Map::new();
        entry.insert("order".to_owned(), json!(template.order));
        if let Some(version) = template.version {
            entry.insert("version".to_owned(), json!(version));
        }
        entry.insert("index_patterns".to_owned(), json!(template.index_patterns));
        let empty = TemplateBody {
            settings: Some(template.body.settings.clone().unwrap_or_default()),
            mappings: Some(template.body.mappings.clone().unwrap_or_else(|| json!({}))),
            aliases: Some(template.body.aliases.clone().unwrap_or_default()),
        };
        entry.extend(show_body(&empty, &request.params)?);
        answer.insert(name.clone(), Value::Object(entry));
    }
    let is_missing = answer.is_empty() && wanted.iter().any(|name| !name.contains('*'));
    Ok(RestResponse::json(
        if is_missing { 404 } else { 200 },
        &answer,
    ))
}

async fn delete_legacy_template(
    app: Arc<App>,
    request: RestRequest,
) -> Result<RestResponse, RestError> {
    timeouts(&request.params)?;
    let name = request.required_var("name")?.to_owned();
    let changed = change(
        &app,
        &request.params,
        Command::DeleteLegacyTemplates { name },
    )
    .await?;
    Ok(RestResponse::acknowledged(changed.acknowledged))
}

/// The state as it would be with the template of a body.
fn with_body_template(state: &ClusterState, name: &str, template: &IndexTemplate) -> ClusterState {
    let mut with = state.clone();
    with.index_templates
        .insert(name.to_owned(), Arc::new(template.clone()));
    with
}

fn show_composed(composed: &Composed) -> Value {
    json!({
        "settings": settings::nest(&composed.settings),
        "mappings": composed.mapping,
        "aliases": show_aliases(&composed.aliases),
    })
}

/// Templates that would match too, but are outranked by the one that applies.
fn overlapping(
    state: &ClusterState,
    winner: Option<&str>,
    matches: impl Fn(&str) -> bool,
) -> Vec<Value> {
    let mut found = Vec::new();
    for (name, template) in &state.legacy_templates {
        if template
            .index_patterns
            .iter()
            .any(|pattern| matches(pattern))
        {
            found.push(json!({"name": name, "index_patterns": template.index_patterns}));
        }
    }
    for (name, template) in &state.index_templates {
        if Some(name.as_str()) != winner
            && template
                .index_patterns
                .iter()
                .any(|pattern| matches(pattern))
        {
            found.push(json!({"name": name, "index_patterns": template.index_patterns}));
        }
    }
    found
}

async fn simulate_for_index(
    app: Arc<App>,
    request: RestRequest,
) -> Result<RestResponse, RestError> {
    const SIMULATED: &str = "simulate_index_template_";
    timeouts(&request.params)?;
    let index = request.required_var("name")?.to_owned();
    let mut state = ClusterState::clone(&app.state());
    if let Some(body) = body_object(&request)? {
        let template = parse_index_template(&body)?;
        state = with_body_template(&state, SIMULATED, &template);
    }
    let Some((winner, _)) = matching_index_template(&state, &index, false) else {
        if matching_legacy_templates(&state, &index, false).is_empty() {
            return Ok(RestResponse::ok(&json!({})));
        }
        let composed = simulate_index(&state, &index);
        return Ok(RestResponse::ok(
            &json!({"template": show_composed(&composed), "overlapping": []}),
        ));
    };
    let composed = simulate_index(&state, &index);
    let others = overlapping(&state, Some(winner), |pattern| {
        matches_pattern(pattern, &index)
    });
    Ok(RestResponse::ok(
        &json!({"template": show_composed(&composed), "overlapping": others}),
    ))
}

async fn simulate_template(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    timeouts(&request.params)?;
    let state = app.state();
    let template = match (body_object(&request)?, request.var("name")) {
        (Some(body), _) => parse_index_template(&body)?,
        (None, Some(name)) => match state.index_templates.get(name) {
            Some(template) => IndexTemplate::clone(template),
            None => {
                return Err(RestError::illegal_argument(format!(
                    "unable to simulate template [{name}] that does not exist"
                )));
            }
        },
        (None, None) => {
            return Err(RestError::validation(&[
                "a simulation needs a template in the body or a name in the path".to_owned(),
            ]));
        }
    };
    let name = request.var("name").unwrap_or("simulate_template_");
    let composed = compose(&state, &template);
    let others = overlapping(&state, Some(name), |theirs| {
        template
            .index_patterns
            .iter()
            .any(|ours| crate::cluster::names::patterns_meet(ours, theirs))
    });
    Ok(RestResponse::ok(
        &json!({"template": show_composed(&composed), "overlapping": others}),
    ))
}
