//! `_search/scroll`: the next page, and the end.

use std::sync::Arc;

use hyper::Method;
use serde_json::json;

use super::search_params::{body_value, locate, time_param};
use super::tasks::as_task;
use super::units::parse_time_value;
use super::{App, Endpoint, RestError, RestRequest, RestResponse};
use crate::coordination::dsl::Json;

pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        name: "scroll",
        routes: &[
            (Method::GET, "/_search/scroll"),
            (Method::POST, "/_search/scroll"),
            (Method::GET, "/_search/scroll/{scroll_id}"),
            (Method::POST, "/_search/scroll/{scroll_id}"),
        ],
        params: &[&["scroll", "rest_total_hits_as_int"]],
        handler: |app, request| Box::pin(scroll(app, request)),
    },
    Endpoint {
        name: "clear_scroll",
        routes: &[
            (Method::DELETE, "/_search/scroll"),
            (Method::DELETE, "/_search/scroll/{scroll_id}"),
        ],
        params: &[],
        handler: |app, request| Box::pin(clear(app, request)),
    },
];

const SCROLL_ACTION: &str = "indices:data/read/scroll";

async fn scroll(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    let mut id = request.var("scroll_id").map(str::to_owned);
    let mut keep_alive = time_param(&request.params, "scroll")?;
    if let Some(body) = body_value(&request)? {
        for (key, value) in members(&request, &Json::root(&body))? {
            match key {
                "scroll_id" if value.is_scalar() => id = Some(value.text()?),
                "scroll" if value.is_scalar() => {
                    keep_alive = parse_time_value(&value.text()?, "scroll")?
                }
                _ => {
                    return Err(locate(
                        &request,
                        value.illegal(format!("Unknown parameter [{key}] in request body or parameter is of the wrong type[{}] ", value.token())),
                    ));
                }
            }
        }
    }
    let Some(id) = id.filter(|id| !id.is_empty()) else {
        return Err(RestError::validation(&["scrollId is missing".to_owned()]));
    };
    let total_as_int = request.params.bool("rest_total_hits_as_int", false)?;
    let description = format!("scrollId[{id}]");
    let work = app.searcher.continue_scroll(&id, keep_alive, total_as_int);
    let answer = as_task(&app, &request, SCROLL_ACTION, description, work).await?;
    Ok(RestResponse::ok(&answer))
}

async fn clear(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    let mut ids = request.list_var("scroll_id");
    if let Some(body) = body_value(&request)? {
        for (key, value) in members(&request, &Json::root(&body))? {
            if key != "scroll_id" {
                return Err(locate(
                    &request,
                    value.illegal(format!("Unknown parameter [{key}] in request body or parameter is of the wrong type[{}] ", value.token())),
                ));
            }
            ids = value.texts()?;
        }
    }
    if ids.is_empty() {
        return Err(RestError::validation(&[
            "no scroll ids specified".to_owned()
        ]));
    }
    let freed = app.searcher.clear_scrolls(&ids).await?;
    let status = if freed > 0 || ids == ["_all"] {
        200
    } else {
        404
    };
    Ok(RestResponse::json(
        status,
        &json!({"succeeded": true, "num_freed": freed}),
    ))
}

fn members<'a>(
    request: &RestRequest,
    body: &Json<'a>,
) -> Result<Vec<(&'a str, Json<'a>)>, RestError> {
    if !body.is_object() {
        return Err(locate(
            request,
            body.illegal("Malformed content, must start with an object"),
        ));
    }
    Ok(body.members().collect())
}
