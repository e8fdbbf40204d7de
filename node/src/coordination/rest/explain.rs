//! `_explain`: why a document is found, or not, and how its score comes about.

use std::sync::Arc;

use hyper::Method;
use quidditch_engine::query::{IdsQuery, Query};
use quidditch_engine::search::{FetchRequest, SearchRequest, TrackTotalHits};
use serde_json::{Map, Value, json};

use super::endpoints::{QUERY_TEXT_PARAMS, SOURCE_FILTER_PARAMS};
use super::search_params::{query_of, source_param};
use super::{App, Endpoint, RestError, RestRequest, RestResponse};
use crate::cluster::IndicesOptions;
use crate::coordination::dsl::json::from_scalar;
use crate::coordination::dsl::source::FetchSource;
use crate::coordination::failures::describe;
use crate::coordination::preference::parse_preference;
use crate::coordination::route::{Route, alias_filter};
use crate::coordination::search::limits_of;
use crate::coordination::search_response::explanation_json;
use crate::data::search::{Purpose, ShardFetch, ShardQuery};
use crate::data::service::ShardTarget;

pub(super) const ENDPOINTS: &[Endpoint] = &[Endpoint {
    name: "explain",
    routes: &[
        (Method::GET, "/{index}/_explain/{id}"),
        (Method::POST, "/{index}/_explain/{id}"),
    ],
    params: &[
        QUERY_TEXT_PARAMS,
        SOURCE_FILTER_PARAMS,
        &["stored_fields", "routing", "preference"],
    ],
    handler: |app, request| Box::pin(explain(app, request)),
}];

async fn explain(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    let id = request.required_var("id")?.to_owned();
    let routing = request.params.get("routing");
    let source = source_param(&request.params)?;
    let stored = request.params.list("stored_fields");
    let Some(query) = query_of(&request)? else {
        return Err(RestError::validation(&["query is missing".to_owned()]));
    };
    let state = app.state();
    let indices = state.resolve(
        request.required_var("index")?,
        &IndicesOptions::SINGLE,
        app.now_ms(),
    )?;
    let Some(resolved) = indices.first() else {
        return Err(RestError::index_not_found(request.required_var("index")?));
    };
    let index = &resolved.metadata;
    let alias_routing = resolved
        .search_routing
        .as_ref()
        .and_then(|values| values.first())
        .map(String::as_str);
    let routing = routing.or(alias_routing);
    if routing.is_none() && index.schema.mapping.routing_required() {
        return Err(RestError::new(
            400,
            "routing_missing_exception",
            format!("routing is required for [{}]/[{id}]", index.name),
        )
        .with_index(&index.name, &index.uuid));
    }
    let target = ShardTarget {
        index: index.name.clone(),
        index_uuid: index.uuid.clone(),
        shard: index.shard_of(&id, routing),
    };
    let route = Route {
        target,
        index: index.clone(),
        filter: alias_filter(resolved)?,
        boost: 1.0,
        slice: None,
        context: None,
        keep_alive: None,
        preference: parse_preference(request.params.get("preference"))?.copies,
    };
    let limits = limits_of(&state, index, None);
    let search = SearchRequest {
        size: 1,
        track_total_hits: TrackTotalHits::No,
        now_ms: app.now_ms(),
        ..SearchRequest::new(Query::Ids(IdsQuery::new(vec![id.clone()])))
    };
    let find = ShardQuery {
        request: search.clone(),
        limits: limits.clone(),
        context: None,
        preference: route.preference.clone(),
        keep_alive: Some(std::time::Duration::from_secs(60)),
        purpose: Purpose::Fetch,
        fetch: None,
    };
    let reply = app
        .search
        .query(&route.target, find)
        .await
        .map_err(|error| describe(&route, error))?;
    let Some(context) = reply.context else {
        return Err(RestError::internal("the reader was not kept open"));
    };
    let mut body = Map::new();
    body.insert("_index".into(), Value::from(index.name.as_str()));
    body.insert("_id".into(), Value::from(id.as_str()));
    let Some(hit) = reply.result.hits.first() else {
        app.search.free_context(&route.target, context).await;
        body.insert("matched".into(), Value::from(false));
        return Ok(RestResponse::json(404, &body));
    };
    let shown = source.clone().filter(|source| source.enabled);
    let fetch = ShardFetch {
        context,
        docs: vec![hit.doc],
        request: FetchRequest {
            source: shown.is_some(),
            stored_fields: stored.clone(),
            seq_no_primary_term: true,
            explain: Some(route.query(&query)),
            ..FetchRequest::default()
        },
        limits,
        now_ms: search.now_ms,
        release: true,
    };
    let documents = app
        .search
        .fetch(&route.target, fetch)
        .await
        .map_err(|error| describe(&route, error))?;
    let Some(document) = documents.into_iter().next() else {
        return Err(RestError::internal("the shard gave no document"));
    };
    let Some(explanation) = &document.explanation else {
        return Err(RestError::internal("the shard gave no explanation"));
    };
    body.insert("matched".into(), Value::from(explanation.matched));
    body.insert("explanation".into(), explanation_json(explanation));
    if shown.is_some() || !stored.is_empty() {
        let mut get = Map::new();
        get.insert("_seq_no".into(), json!(document.seq_no));
        get.insert("_primary_term".into(), json!(document.primary_term));
        get.insert("found".into(), Value::from(true));
        if let (Some(filter), Some(text)) = (shown, &document.source) {
            insert_source(&mut get, &filter, text)?;
        }
        if !document.fields.is_empty() {
            let mut fields = Map::new();
            for (name, values) in &document.fields {
                fields.insert(name.clone(), values.iter().map(from_scalar).collect());
            }
            get.insert("fields".into(), Value::Object(fields));
        }
        body.insert("get".into(), Value::Object(get));
    }
    Ok(RestResponse::ok(&body))
}

fn insert_source(
    get: &mut Map<String, Value>,
    filter: &FetchSource,
    text: &[u8],
) -> Result<(), RestError> {
    if let Some(source) = filter.apply(text) {
        let value = serde_json::from_str(source.get())
            .map_err(|error| RestError::internal(error.to_string()))?;
        get.insert("_source".into(), value);
    }
    Ok(())
}
