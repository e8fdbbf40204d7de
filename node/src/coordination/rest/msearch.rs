//! `_msearch`: many searches in one body, each with a line of its own options before it.

use std::sync::Arc;

use futures::FutureExt;
use hyper::Method;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::endpoints::INDICES_PARAMS;
use super::search_params::{check_total_as_int, render_options, search_type};
use super::tasks::as_task;
use super::units::parse_time_value;
use super::{App, Endpoint, RestError, RestRequest, RestResponse};
use crate::cluster::IndicesOptions;
use crate::coordination::dsl::search_body::parse_search_body;
use crate::coordination::dsl::{Json, json_text};
use crate::coordination::fan_out::fan_out;
use crate::coordination::search::millis;
use crate::coordination::search_input::SearchInput;
use crate::coordination::terms_lookup;

pub(super) const ENDPOINTS: &[Endpoint] = &[Endpoint {
    name: "msearch",
    routes: &[
        (Method::GET, "/_msearch"),
        (Method::POST, "/_msearch"),
        (Method::GET, "/{index}/_msearch"),
        (Method::POST, "/{index}/_msearch"),
    ],
    params: &[
        INDICES_PARAMS,
        &[
            "search_type",
            "max_concurrent_searches",
            "typed_keys",
            "pre_filter_shard_size",
            "max_concurrent_shard_requests",
            "rest_total_hits_as_int",
            "ccs_minimize_roundtrips",
            "phase_took",
            "cancel_after_time_interval",
            "ignore_throttled",
        ],
    ],
    handler: |app, request| Box::pin(msearch(app, request)),
}];

#[derive(Serialize)]
struct Answer {
    took: u64,
    responses: Vec<Box<RawValue>>,
}

const MSEARCH_ACTION: &str = "indices:data/read/msearch";

async fn msearch(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    let started = app.clock.monotonic();
    let trace = request.params.bool("error_trace", false)?;
    let mut inputs = Vec::new();
    if request.body.is_empty() {
        return Err(RestError::new(
            400,
            "parse_exception",
            "request body is required",
        ));
    }
    let mut lines = Lines::new(&request.body);
    while let Some(header) = lines.next()? {
        let mut input = item(&request, header)?;
        let Some(body) = lines.next()? else {
            break;
        };
        if is_blank(body) {
            check_total_as_int(&mut input)?;
            inputs.push(Ok(input));
            continue;
        }
        let mut value = json_text::read(body)?;
        // lookups may fail on their own; the item then fails alone
        inputs.push(match terms_lookup::resolve(&app, &mut value).await {
            Ok(()) => Ok(with_body(input, &value, body)?),
            Err(error) => Err(error),
        });
    }
    if inputs.is_empty() {
        return Err(RestError::validation(&["no requests added".to_owned()]));
    }
    let at_once = match request.params.opt_int("max_concurrent_searches")? {
        Some(count) if count < 1 => {
            return Err(RestError::illegal_argument(
                "maxConcurrentSearchRequests must be positive",
            ));
        }
        Some(count) => count.unsigned_abs() as usize,
        None => 10,
    };
    let mut jobs = Vec::new();
    for input in &inputs {
        let app = &app;
        jobs.push(
            async move {
                match input {
                    Ok(input) => app.searcher.search(input).await,
                    Err(error) => Err(error.clone()),
                }
            }
            .boxed(),
        );
    }
    let description = format!("requests[{}]", inputs.len());
    let work = async { Ok(fan_out(jobs, at_once).await) };
    let answers = as_task(&app, &request, MSEARCH_ACTION, description, work).await?;
    let mut responses = Vec::new();
    for answer in answers {
        let shown = match answer {
            Ok(mut answer) => {
                answer.status = Some(200);
                serde_json::value::to_raw_value(&answer)
            }
            Err(error) => serde_json::value::to_raw_value(&error.envelope(trace)),
        };
        responses.push(shown.map_err(|error| RestError::internal(error.to_string()))?);
    }
    let took = millis(app.clock.monotonic().saturating_sub(started));
    Ok(RestResponse::ok(&Answer { took, responses }))
}

/// The searches of a body: a line of options and a line with the search. The first line may be blank; options without
/// a search at the end are read and then left out.
struct Lines<'a> {
    left: &'a [u8],
}

impl<'a> Lines<'a> {
    fn new(body: &'a [u8]) -> Lines<'a> {
        Lines {
            left: body.strip_prefix(b"\n").unwrap_or(body),
        }
    }

    /// The next line without its end; `None` at the end of the body.
    fn next(&mut self) -> Result<Option<&'a [u8]>, RestError> {
        if self.left.is_empty() {
            return Ok(None);
        }
        let Some(end) = line_end(self.left) else {
            return Err(RestError::illegal_argument(
                "The msearch request must be terminated by a newline [\n]",
            ));
        };
        let line = &self.left[..end];
        self.left = &self.left[end + 1..];
        Ok(Some(line.strip_suffix(b"\r").unwrap_or(line)))
    }
}

fn line_end(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| *byte == b'\n')
}

fn is_blank(line: &[u8]) -> bool {
    line.iter().all(u8::is_ascii_whitespace)
}

/// One search without its body.
fn item(request: &RestRequest, header: &[u8]) -> Result<SearchInput, RestError> {
    let params = &request.params;
    let mut input = SearchInput::new(request.list_var("index"), Default::default());
    input.options = super::search_params::indices_options(
        params,
        IndicesOptions::STRICT_EXPAND_OPEN_FORBID_CLOSED,
    )?;
    input.render = render_options(params)?;
    input.phase_took = params.bool("phase_took", false)?;
    input.cancel_after = super::search_params::time_param(params, "cancel_after_time_interval")?;
    params.opt_bool("ccs_minimize_roundtrips")?;
    input.pre_filter_size = super::search_params::pre_filter_size(params)?;
    if let Some(text) = params.get("search_type") {
        input.dfs = search_type(text)?;
    }
    if let Some(count) = params.opt_int("max_concurrent_shard_requests")? {
        if count < 1 {
            return Err(RestError::illegal_argument(
                "maxConcurrentShardRequests must be >= 1",
            ));
        }
        input.max_concurrent_shard_requests = count.unsigned_abs() as usize;
    }
    if !is_blank(header) {
        let value = json_text::read(header)?;
        read_header(&mut input, &Json::root(&value))?;
    }
    Ok(input)
}

fn with_body(mut input: SearchInput, value: &Value, text: &[u8]) -> Result<SearchInput, RestError> {
    input.body = parse_search_body(value).map_err(|error| RestError::from(error.locate(text)))?;
    check_total_as_int(&mut input)?;
    Ok(input)
}

fn read_header(input: &mut SearchInput, header: &Json<'_>) -> Result<(), RestError> {
    if !header.is_object() {
        return Err(header
            .illegal("the metadata of a search must be an object")
            .into());
    }
    let (mut unavailable, mut no_indices, mut expand) = (None, None, None);
    for (key, value) in header.members() {
        match key {
            "index" | "indices" => {
                input.indices = Vec::new();
                for text in value.texts()? {
                    input.indices.extend(
                        text.split(',')
                            .filter(|name| !name.is_empty())
                            .map(str::to_owned),
                    );
                }
            }
            "search_type" | "searchType" => input.dfs = search_type(&value.text()?)?,
            "request_cache" | "requestCache" => input.request_cache = Some(value.bool()?),
            "preference" => input.preference = value.text_or_null()?,
            "routing" => input.routing = value.text_or_null()?,
            "allow_partial_search_results" => input.allow_partial = Some(value.bool()?),
            "max_concurrent_shard_requests" => {
                let count = value.i32()?;
                if count < 1 {
                    return Err(RestError::illegal_argument(
                        "maxConcurrentShardRequests must be >= 1",
                    ));
                }
                input.max_concurrent_shard_requests = count.unsigned_abs() as usize;
            }
            "ccs_minimize_roundtrips" | "ignore_throttled" | "ignoreThrottled" => {
                value.bool()?;
            }
            "cancel_after_time_interval" => {
                input.cancel_after =
                    parse_time_value(&value.text()?, "cancel_after_time_interval")?;
            }
            "ignore_unavailable" | "ignoreUnavailable" => unavailable = Some(value.bool()?),
            "allow_no_indices" | "allowNoIndices" => no_indices = Some(value.bool()?),
            "expand_wildcards" | "expandWildcards" => expand = Some(value.texts()?.join(",")),
            // some clients still send it
            "type" | "types" => {}
            _ => {
                return Err(RestError::illegal_argument(format!(
                    "key [{key}] is not supported in the metadata section"
                )));
            }
        }
    }
    input.options = input
        .options
        .with_params(unavailable, no_indices, expand.as_deref())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_with_a_newline_and_the_first_may_be_blank() {
        let mut lines = Lines::new(b"\n{}\r\n{\"a\":1}\n\n{}");
        assert_eq!(lines.next().unwrap(), Some(&b"{}"[..]));
        assert_eq!(lines.next().unwrap(), Some(&b"{\"a\":1}"[..]));
        assert_eq!(lines.next().unwrap(), Some(&b""[..]));
        assert!(lines.next().is_err());
        assert_eq!(Lines::new(b"\n").next().unwrap(), None);
    }
}
