//! `_reindex`: copies documents from one index to another.

use std::sync::Arc;

use hyper::Method;
use serde_json::{Map, Value};

use super::by_query::{job, rethrottle, start};
use super::search_params::{body_value, locate};
use super::{App, Endpoint, RestError, RestRequest, RestResponse};
use crate::coordination::by_query::{Destination, DestinationRouting, Kind};
use crate::coordination::dsl::search_body::parse_search_body;
use crate::coordination::dsl::{Json, ParseError};
use crate::coordination::search_input::SearchInput;
use crate::coordination::terms_lookup;
use crate::coordination::write::VersionType;

pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        name: "reindex",
        routes: &[(Method::POST, "/_reindex")],
        params: &[&[
            "refresh",
            "timeout",
            "wait_for_active_shards",
            "wait_for_completion",
            "requests_per_second",
            "slices",
            "max_docs",
            "scroll",
        ]],
        handler: |app, request| Box::pin(reindex(app, request)),
    },
    Endpoint {
        name: "reindex_rethrottle",
        routes: &[(Method::POST, "/_reindex/{task_id}/_rethrottle")],
        params: &[&["requests_per_second"]],
        handler: |app, request| Box::pin(rethrottle(app, request)),
    },
];

/// What the body says.
struct Ask {
    source: Map<String, Value>,
    dest: Option<Destination>,
    conflicts: Option<String>,
    max_docs: Option<i64>,
}

async fn reindex(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    let Some(mut body) = body_value(&request)? else {
        return Err(RestError::new(
            400,
            "parse_exception",
            "request body is required",
        ));
    };
    terms_lookup::resolve(&app, &mut body).await?;
    let ask = parse(&Json::root(&body)).map_err(|error| locate(&request, error))?;
    let mut source = ask.source;
    let mut mistakes = Vec::new();
    let indices = match source.shift_remove("index") {
        Some(names) => Json::root(&names).texts()?,
        None => Vec::new(),
    };
    let indices: Vec<String> = indices
        .iter()
        .flat_map(|names| names.split(','))
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    if source.shift_remove("remote").is_some() {
        return Err(RestError::illegal_argument(
            "[remote] is not supported: reindex copies inside this cluster",
        ));
    }
    let page = match source.shift_remove("size") {
        Some(size) => Json::root(&size).i32()?,
        None => 1000,
    };
    if indices.is_empty() {
        mistakes.push("use _all if you really want to copy from all existing indexes".to_owned());
    }
    if page < 1 {
        return Err(RestError::illegal_argument(format!(
            "[size] of the source must be greater than 0, but was [{page}]"
        )));
    }
    let mut search_body =
        parse_search_body(&Value::Object(source)).map_err(|error| error.inside("/source"))?;
    if search_body.from.is_some() {
        mistakes.push("from is not supported in this context".to_owned());
    }
    search_body.size = Some(page);
    let Some(dest) = ask.dest else {
        mistakes.push("index must be specified".to_owned());
        return Err(RestError::validation(&mistakes));
    };
    let mut search = SearchInput::new(indices, search_body);
    search.options = crate::cluster::IndicesOptions::STRICT_EXPAND_OPEN_FORBID_CLOSED;
    if mistakes.is_empty() {
        check_target(&app, &search, &dest)?;
    }
    let job = job(
        Kind::Reindex(dest),
        search,
        ask.conflicts.as_deref(),
        ask.max_docs,
        &request.params,
        mistakes,
    )?;
    start(&app, &request, job).await
}

/// An index cannot be copied into itself.
fn check_target(app: &App, search: &SearchInput, dest: &Destination) -> Result<(), RestError> {
    let state = app.state();
    let now_ms = app.now_ms();
    let names: Vec<&str> = search.indices.iter().map(String::as_str).collect();
    let sources = state.resolve_all(&names, &search.options, now_ms)?;
    let target = match state.write_target(&dest.index, false, now_ms)? {
        Some(target) => target.metadata.name.clone(),
        None => dest.index.clone(),
    };
    if sources.iter().any(|source| source.metadata.name == target) {
        return Err(RestError::validation(&[format!(
            "reindex cannot write into an index its reading from [{}]",
            dest.index
        )]));
    }
    Ok(())
}

fn parse(body: &Json<'_>) -> Result<Ask, ParseError> {
    let mut ask = Ask {
        source: Map::new(),
        dest: None,
        conflicts: None,
        max_docs: None,
    };
    for (key, value) in body.members() {
        match key {
            "source" => match value.value() {
                Value::Object(members) => ask.source = members.clone(),
                _ => {
                    return Err(value.content(format!(
                        "[reindex] source doesn't support values of type: {}",
                        value.token()
                    )));
                }
            },
            "dest" => ask.dest = parse_dest(&value)?,
            "conflicts" => ask.conflicts = Some(value.text()?),
            "max_docs" | "size" => {
                let number = value.i64()?;
                if ask
                    .max_docs
                    .replace(number)
                    .is_some_and(|other| other != number)
                {
                    return Err(value
                        .illegal("[max_docs] and [size] are two names of one number, and differ"));
                }
            }
            "script" => {
                return Err(value.illegal("[script] is not supported: this server runs no scripts"));
            }
            _ => return Err(value.content(format!("[reindex] unknown field [{key}]"))),
        }
    }
    Ok(ask)
}

fn parse_dest(body: &Json<'_>) -> Result<Option<Destination>, ParseError> {
    let mut dest = Destination {
        index: String::new(),
        create: false,
        version_type: VersionType::Internal,
        routing: DestinationRouting::Keep,
    };
    for (key, value) in body.members() {
        match key {
            "index" => dest.index = value.text()?,
            "op_type" => {
                dest.create = match value.text()?.to_ascii_lowercase().as_str() {
                    "create" => true,
                    "index" => false,
                    other => {
                        return Err(value.illegal(format!(
                            "opType must be 'create' or 'index', found: [{other}]"
                        )));
                    }
                }
            }
            "version_type" => {
                dest.version_type = VersionType::parse(&value.text()?)
                    .map_err(|error| value.illegal(error.reason))?;
            }
            "routing" => {
                let text = value.text()?;
                dest.routing = match text.as_str() {
                    "keep" => DestinationRouting::Keep,
                    "discard" => DestinationRouting::Discard,
                    _ => match text.strip_prefix('=') {
                        Some(routing) => DestinationRouting::Set(routing.to_owned()),
                        None => {
                            return Err(value.error(
                                "action_request_validation_exception",
                                "Validation Failed: 1: routing must be unset, [keep], [discard] or [=<some new value>];",
                            ));
                        }
                    },
                };
            }
            "pipeline" => return Err(value.illegal("[pipeline] is not supported here")),
            _ => return Err(value.content(format!("[dest] unknown field [{key}]"))),
        }
    }
    Ok(Some(dest).filter(|dest| !dest.index.is_empty()))
}
