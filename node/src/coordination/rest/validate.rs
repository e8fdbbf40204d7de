//! `_validate/query`: whether a query would run.

use std::sync::Arc;

use hyper::Method;
use quidditch_engine::query::Query;
use serde_json::{Map, Value, json};

use super::endpoints::{INDICES_PARAMS, QUERY_TEXT_PARAMS};
use super::query_text::describe;
use super::search_params::{indices_options, query_of};
use super::{App, Endpoint, RestError, RestRequest, RestResponse};
use crate::cluster::IndicesOptions;
use crate::coordination::dsl::search_body::SearchBody;
use crate::coordination::route::{Route, routes};
use crate::coordination::search::limits_of;
use crate::coordination::search_input::SearchInput;
use crate::data::search::{Purpose, ShardQuery, ShardSearchError};

pub(super) const ENDPOINTS: &[Endpoint] = &[Endpoint {
    name: "indices.validate_query",
    routes: &[
        (Method::GET, "/_validate/query"),
        (Method::POST, "/_validate/query"),
        (Method::GET, "/{index}/_validate/query"),
        (Method::POST, "/{index}/_validate/query"),
    ],
    params: &[
        INDICES_PARAMS,
        QUERY_TEXT_PARAMS,
        &["ignore_throttled", "explain", "rewrite", "all_shards"],
    ],
    handler: |app, request| Box::pin(validate(app, request)),
}];

async fn validate(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    let params = &request.params;
    let explain = params.bool("explain", false)?;
    let rewrite = params.bool("rewrite", false)?;
    let all_shards = params.bool("all_shards", false)?;
    let options = indices_options(params, IndicesOptions::STRICT_EXPAND_OPEN_FORBID_CLOSED)?;
    let query = match query_of(&request) {
        Ok(query) => query.unwrap_or_else(Query::match_all),
        Err(error) => {
            let mut body = Map::new();
            body.insert("valid".into(), Value::from(false));
            if explain {
                body.insert("error".into(), Value::from(error_chain(&error)));
            }
            return Ok(RestResponse::ok(&body));
        }
    };
    let state = app.state();
    let names = request.list_var("index");
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let indices = state.resolve_all(&names, &options, app.now_ms())?;
    let mut routes = routes(&indices, None, None, None)?;
    if !all_shards {
        // one shard stands for all of its index, as all know the same mapping
        routes.dedup_by(|a, b| a.target.index == b.target.index);
    }
    let mut explanations = Vec::new();
    let mut valid = true;
    for route in &routes {
        let refused = try_on(&app, route, &query).await?;
        valid &= refused.is_none();
        if !(explain || rewrite) {
            continue;
        }
        let mut one = Map::new();
        one.insert("index".into(), Value::from(route.target.index.as_str()));
        if all_shards {
            one.insert("shard".into(), Value::from(route.target.shard));
        }
        one.insert("valid".into(), Value::from(refused.is_none()));
        match refused {
            Some(error) => one.insert(
                "error".into(),
                Value::from(format!("{} {}", index_label(route), error)),
            ),
            None => one.insert(
                "explanation".into(),
                Value::from(describe(&route.query(&query), &route.index.schema)),
            ),
        };
        explanations.push(Value::Object(one));
    }
    let mut body = Map::new();
    body.insert(
        "_shards".into(),
        json!({"total": routes.len(), "successful": routes.len(), "failed": 0}),
    );
    body.insert("valid".into(), Value::from(valid));
    if explain || rewrite {
        body.insert("explanations".into(), Value::from(explanations));
    }
    Ok(RestResponse::ok(&body))
}

fn index_label(route: &Route) -> String {
    format!("[{}/{}]", route.index.name, route.index.uuid)
}

/// Runs the query for no hits; why the shard refused it, if it did.
async fn try_on(app: &App, route: &Route, query: &Query) -> Result<Option<String>, RestError> {
    let body = SearchBody {
        query: Some(query.clone()),
        size: Some(0),
        terminate_after: Some(1),
        ..SearchBody::default()
    };
    let request = SearchInput::new(Vec::new(), body).request(app.now_ms());
    let limits = limits_of(&app.state(), &route.index, None);
    let query = ShardQuery {
        request: route.request(&request),
        limits,
        context: None,
        preference: route.preference.clone(),
        keep_alive: None,
        purpose: Purpose::Fetch,
        fetch: None,
    };
    let Err(error) = app.search.query(&route.target, query).await else {
        return Ok(None);
    };
    match error.split().1 {
        ShardSearchError::Search(error) if error.status() == 400 => {
            Ok(Some(error_chain(&RestError::from(error))))
        }
        error => Err(crate::coordination::failures::describe(route, error)),
    }
}

/// `ParsingException[unknown query [x]]; nested: …`
fn error_chain(error: &RestError) -> String {
    let mut name = String::new();
    for part in error.kind.split('_') {
        let mut letters = part.chars();
        if let Some(first) = letters.next() {
            name.extend(first.to_uppercase());
            name.push_str(letters.as_str());
        }
    }
    let own = format!("org.opensearch.core.common.{name}: {}", error.reason);
    match &error.caused_by {
        Some(cause) => format!("{own}; nested: {}", error_chain(cause)),
        None => format!("{own};"),
    }
}
