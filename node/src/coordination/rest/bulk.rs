//! `_bulk`: many writes in one request.

use std::sync::Arc;

use hyper::Method;

use super::bulk_lines::{self, BulkDefaults};
use super::content::MediaType;
use super::endpoints::SOURCE_FILTER_PARAMS;
use super::{App, Endpoint, RestError, RestRequest, RestResponse};
use crate::coordination::source_filter;
use crate::coordination::write::{self, ItemAnswer, WriteAnswer, WriteOptions};

pub(super) const ENDPOINTS: &[Endpoint] = &[Endpoint {
    name: "bulk",
    routes: &[
        (Method::POST, "/_bulk"),
        (Method::PUT, "/_bulk"),
        (Method::POST, "/{index}/_bulk"),
        (Method::PUT, "/{index}/_bulk"),
    ],
    params: &[
        SOURCE_FILTER_PARAMS,
        &[
            "batch_size",
            "pipeline",
            "refresh",
            "require_alias",
            "routing",
            "timeout",
            "type",
            "wait_for_active_shards",
        ],
    ],
    handler: |app, request| Box::pin(bulk(app, request)),
}];

async fn bulk(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    let started = app.clock.monotonic();
    if request.body.is_empty() {
        return Err(RestError::new(
            400,
            "parse_exception",
            "request body is required",
        ));
    }
    match request.content_type {
        None | Some(MediaType::Json | MediaType::NdJson) => {}
        Some(other) => {
            return Err(RestError::new(
                406,
                "media_type_header_exception",
                format!(
                    "Content-Type header [{}] is not supported: a bulk request is lines of JSON",
                    other.header()
                ),
            ));
        }
    }
    let params = &request.params;
    // accepted since OpenSearch deprecated it: the whole request is one batch
    params.opt_int("batch_size")?;
    let defaults = BulkDefaults {
        index: request.var("index").map(str::to_owned),
        routing: params
            .get("routing")
            .filter(|routing| !routing.is_empty())
            .map(str::to_owned),
        pipeline: params.get("pipeline").map(str::to_owned),
        fetch: source_filter::from_params(params)?,
        require_alias: params.bool("require_alias", false)?,
    };
    let options = WriteOptions::from_params(params)?;
    let trace = params.bool("error_trace", false)?;
    let items = bulk_lines::parse(&request.body, &defaults)?;
    if items.is_empty() {
        return Err(RestError::validation(&["no requests added".to_owned()]));
    }
    let mut mistakes = Vec::new();
    for item in &items {
        mistakes.extend(item.write.mistakes());
    }
    if !mistakes.is_empty() {
        return Err(RestError::validation(&mistakes));
    }
    let mut shown = Vec::with_capacity(items.len());
    let mut writes = Vec::with_capacity(items.len());
    for item in items {
        shown.push((item.action, item.write.index.clone(), item.write.id.clone()));
        writes.push(item.write);
    }
    let results = write::run(&app, writes, &options).await;
    let took = app.clock.monotonic().saturating_sub(started);
    match body(took.as_millis() as u64, &shown, &results, trace) {
        Ok(body) => Ok(RestResponse::raw_json(200, body)),
        Err(error) => Err(RestError::internal(error.to_string())),
    }
}

/// Bytes of most items of an answer.
const ITEM_BYTES: usize = 192;

/// The answer; clients look for its keys in this very order, without blanks.
fn body(
    took_ms: u64,
    shown: &[(&'static str, String, Option<String>)],
    results: &[Result<WriteAnswer, RestError>],
    trace: bool,
) -> serde_json::Result<Vec<u8>> {
    let errors = results.iter().any(Result::is_err);
    let mut out = Vec::with_capacity(results.len() * ITEM_BYTES);
    out.extend_from_slice(b"{\"took\":");
    serde_json::to_writer(&mut out, &took_ms)?;
    out.extend_from_slice(b",\"errors\":");
    serde_json::to_writer(&mut out, &errors)?;
    out.extend_from_slice(b",\"items\":[");
    for (at, ((action, index, id), result)) in shown.iter().zip(results).enumerate() {
        if at > 0 {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"");
        out.extend_from_slice(action.as_bytes());
        out.extend_from_slice(b"\":");
        match result {
            Ok(answer) => serde_json::to_writer(&mut out, &ItemAnswer(answer))?,
            Err(error) => {
                let item = serde_json::json!({
                    "_index": index,
                    "_id": id,
                    "status": error.status,
                    "error": error.cause_json(trace),
                });
                serde_json::to_writer(&mut out, &item)?;
            }
        }
        out.push(b'}');
    }
    out.extend_from_slice(b"]}");
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stand_in_the_order_that_clients_look_for() {
        let shown = [("index", "i".to_owned(), Some("1".to_owned()))];
        let results = [Err(RestError::new(
            409,
            "version_conflict_engine_exception",
            "no",
        ))];
        assert_eq!(
            String::from_utf8(body(3, &shown, &results, false).unwrap()).unwrap(),
            r#"{"took":3,"errors":true,"items":[{"index":{"_index":"i","_id":"1","status":409,"error":{"type":"version_conflict_engine_exception","reason":"no"}}}]}"#
        );
    }
}
