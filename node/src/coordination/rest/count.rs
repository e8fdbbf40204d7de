//! `_count`.

use std::sync::Arc;

use hyper::Method;
use serde_json::{Map, Value};

use super::endpoints::{INDICES_PARAMS, QUERY_TEXT_PARAMS};
use super::search_params::{body_value, indices_options, locate, query_param};
use super::tasks::{SEARCH_ACTION, as_task, search_description};
use super::{App, Endpoint, RestError, RestRequest, RestResponse};
use crate::coordination::dsl::search_body::{SearchBody, TrackTotal};
use crate::coordination::dsl::{Json, parse_clause};
use crate::coordination::search_input::SearchInput;
use crate::coordination::terms_lookup;

pub(super) const ENDPOINTS: &[Endpoint] = &[Endpoint {
    name: "count",
    routes: &[
        (Method::GET, "/_count"),
        (Method::POST, "/_count"),
        (Method::GET, "/{index}/_count"),
        (Method::POST, "/{index}/_count"),
    ],
    params: &[
        INDICES_PARAMS,
        QUERY_TEXT_PARAMS,
        &[
            "ignore_throttled",
            "min_score",
            "preference",
            "routing",
            "terminate_after",
        ],
    ],
    handler: |app, request| Box::pin(count(app, request)),
}];

pub(super) async fn count(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    let params = &request.params;
    let mut body = SearchBody {
        size: Some(0),
        track_total_hits: Some(TrackTotal::Exact),
        ..SearchBody::default()
    };
    if let Some(mut value) = body_value(&request)? {
        terms_lookup::resolve(&app, &mut value).await?;
        for (key, member) in Json::root(&value).members() {
            if key != "query" {
                return Err(locate(
                    &request,
                    member.parsing(format!("request does not support [{key}]")),
                ));
            }
            body.query = Some(parse_clause(&member).map_err(|error| locate(&request, error))?);
        }
    }
    if let Some(query) = query_param(params)? {
        body.query = Some(query);
    }
    body.min_score = params.opt_float("min_score")?;
    let terminate_after = params.int("terminate_after", 0)?;
    if terminate_after < 0 {
        return Err(RestError::illegal_argument("terminateAfter must be > 0"));
    }
    body.terminate_after = Some(terminate_after);
    let mut input = SearchInput::new(request.list_var("index"), body);
    input.options = indices_options(params, input.options)?;
    input.routing = params.get("routing").map(str::to_owned);
    input.preference = params.get("preference").map(str::to_owned);
    let description = search_description(&input, &request);
    let work = app.searcher.search(&input);
    let answer = as_task(&app, &request, SEARCH_ACTION, description, work).await?;
    let mut reply = Map::new();
    reply.insert(
        "count".into(),
        Value::from(answer.total.map_or(0, |total| total.value)),
    );
    if terminate_after > 0 {
        reply.insert(
            "terminated_early".into(),
            Value::from(answer.terminated_early.unwrap_or(false)),
        );
    }
    let shards = serde_json::to_value(&answer.shards)
        .map_err(|error| RestError::internal(error.to_string()))?;
    reply.insert("_shards".into(), shards);
    Ok(RestResponse::ok(&reply))
}
