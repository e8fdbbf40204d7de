//! `_search`.

use std::sync::Arc;

use hyper::Method;

use super::search_params::{SEARCH_PARAMS, body_value, search_input};
use super::tasks::{SEARCH_ACTION, as_task, search_description};
use super::{App, Endpoint, RestError, RestRequest, RestResponse};
use crate::coordination::terms_lookup;

pub(super) const ENDPOINTS: &[Endpoint] = &[Endpoint {
    name: "search",
    routes: &[
        (Method::GET, "/_search"),
        (Method::POST, "/_search"),
        (Method::GET, "/{index}/_search"),
        (Method::POST, "/{index}/_search"),
    ],
    params: SEARCH_PARAMS,
    handler: |app, request| Box::pin(search(app, request)),
}];

async fn search(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    let mut body = body_value(&request)?;
    if let Some(body) = &mut body {
        terms_lookup::resolve(&app, body).await?;
    }
    let input = search_input(&request, body.as_ref())?;
    let description = search_description(&input, &request);
    let work = app.searcher.search(&input);
    let answer = as_task(&app, &request, SEARCH_ACTION, description, work).await?;
    Ok(RestResponse::ok(&answer))
}
