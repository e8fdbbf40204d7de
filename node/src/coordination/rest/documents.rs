//! `_doc` and `_create`: storing and deleting one document.

use std::sync::Arc;

use hyper::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{App, Endpoint, RestError, RestRequest, RestResponse};
use crate::coordination::write::{
    self, DocWrite, VersionType, WriteAction, WriteAnswer, WriteOptions,
};

/// Parameters of every write of one document.
const DELETE_PARAMS: &[&[&str]] = &[&[
    "if_primary_term",
    "if_seq_no",
    "refresh",
    "routing",
    "timeout",
    "version",
    "version_type",
    "wait_for_active_shards",
]];

const INDEX_PARAMS: &[&[&str]] = &[&[
    "if_primary_term",
    "if_seq_no",
    "op_type",
    "pipeline",
    "refresh",
    "require_alias",
    "routing",
    "timeout",
    "version",
    "version_type",
    "wait_for_active_shards",
]];

pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        name: "index",
        routes: &[
            (Method::PUT, "/{index}/_doc/{id}"),
            (Method::POST, "/{index}/_doc/{id}"),
            (Method::POST, "/{index}/_doc"),
        ],
        params: INDEX_PARAMS,
        handler: |app, request| Box::pin(index(app, request)),
    },
    Endpoint {
        name: "create",
        routes: &[
            (Method::PUT, "/{index}/_create/{id}"),
            (Method::POST, "/{index}/_create/{id}"),
        ],
        params: INDEX_PARAMS,
        handler: |app, request| Box::pin(create(app, request)),
    },
    Endpoint {
        name: "delete",
        routes: &[(Method::DELETE, "/{index}/_doc/{id}")],
        params: DELETE_PARAMS,
        handler: |app, request| Box::pin(delete(app, request)),
    },
];

async fn index(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    let without_id = request.var("id").is_none();
    let create = match request.params.get("op_type") {
        // a made-up id is new, so this only spares the look-up
        None => without_id,
        Some("create") => true,
        Some("index") => false,
        Some(other) => {
            return Err(RestError::illegal_argument(format!(
                "opType must be 'create' or 'index', found: [{other}]"
            )));
        }
    };
    store(app, request, create).await
}

async fn create(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    if let Some(other) = request.params.get("op_type")
        && other != "create"
    {
        return Err(RestError::illegal_argument(format!(
            "opType must be 'create', found: [{other}]"
        )));
    }
    store(app, request, true).await
}

async fn store(
    app: Arc<App>,
    request: RestRequest,
    create: bool,
) -> Result<RestResponse, RestError> {
    if request.body.is_empty() {
        return Err(RestError::new(
            400,
            "parse_exception",
            "request body is required",
        ));
    }
    let source = request.json_bytes()?;
    let mut write = common(&request, WriteAction::Index { source, create })?;
    write.pipeline = request.params.get("pipeline").map(str::to_owned);
    write.require_alias = request.params.bool("require_alias", false)?;
    let options = WriteOptions::from_params(&request.params)?;
    respond(one(&app, write, &options).await?)
}

async fn delete(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    let write = common(&request, WriteAction::Delete)?;
    let options = WriteOptions::from_params(&request.params)?;
    respond(one(&app, write, &options).await?)
}

/// The parts that all writes of one document share.
pub(super) fn common(request: &RestRequest, action: WriteAction) -> Result<DocWrite, RestError> {
    let id = request.var("id").map(str::to_owned);
    let mut write = DocWrite::new(request.required_var("index")?, id, action);
    let params = &request.params;
    write.routing = params
        .get("routing")
        .filter(|routing| !routing.is_empty())
        .map(str::to_owned);
    write.version = params.opt_long("version")?;
    if let Some(text) = params.get("version_type") {
        write.version_type = VersionType::parse(text)?;
    }
    write.if_seq_no = params.opt_long("if_seq_no")?;
    write.if_primary_term = params.opt_long("if_primary_term")?;
    for (name, value) in [
        ("sequence numbers", write.if_seq_no),
        ("primary term", write.if_primary_term),
    ] {
        if let Some(value) = value
            && value < 0
        {
            return Err(RestError::illegal_argument(format!(
                "{name} must be non negative. got [{value}]."
            )));
        }
    }
    Ok(write)
}

/// Does one write.
pub(super) async fn one(
    app: &Arc<App>,
    write: DocWrite,
    options: &WriteOptions,
) -> Result<WriteAnswer, RestError> {
    let mistakes = write.mistakes();
    if !mistakes.is_empty() {
        return Err(RestError::validation(&mistakes));
    }
    let mut results = write::run(app, vec![write], options).await;
    results
        .pop()
        .unwrap_or_else(|| Err(RestError::internal("a write was lost on its way")))
}

/// What may stand in a path part unescaped.
const PATH_PART: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// The answer to one write.
pub(super) fn respond(answer: WriteAnswer) -> Result<RestResponse, RestError> {
    let response = RestResponse::json(answer.status(), &answer);
    if answer.status() != 201 {
        return Ok(response);
    }
    let escape = |text: &str| utf8_percent_encode(text, PATH_PART).to_string();
    let mut location = format!("/{}/_doc/{}", escape(&answer.index), escape(&answer.id));
    if let Some(routing) = &answer.routing {
        location.push_str(&format!("?routing={}", escape(routing)));
    }
    Ok(response.with_header("location", location))
}
