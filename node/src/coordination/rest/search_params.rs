//! URL parameters of searches, and of everything that takes a query: `q`, `df`, index options, `_source`, ….

use std::time::Duration;

use quidditch_engine::query::{Operator, Query, QueryStringQuery};
use serde_json::Value;

use super::content::MediaType;
use super::endpoints::{INDICES_PARAMS, QUERY_TEXT_PARAMS, SOURCE_FILTER_PARAMS};
use super::units::parse_time_value;
use super::{Params, RestError, RestRequest};
use crate::cluster::IndicesOptions;
use crate::coordination::dsl::fields::StoredFields;
use crate::coordination::dsl::json_text;
use crate::coordination::dsl::search_body::{SearchBody, TrackTotal, parse_search_body};
use crate::coordination::dsl::sort::parse_sort_param;
use crate::coordination::dsl::source::FetchSource;
use crate::coordination::dsl::{Json, ParseError, parse_clause};
use crate::coordination::search_input::SearchInput;
use crate::coordination::search_response::RenderOptions;
use quidditch_engine::search::FieldAndFormat;

/// Parameters of a search.
pub const SEARCH_PARAMS: &[&[&str]] = &[
    INDICES_PARAMS,
    QUERY_TEXT_PARAMS,
    SOURCE_FILTER_PARAMS,
    &[
        "ignore_throttled",
        "from",
        "size",
        "sort",
        "stored_fields",
        "docvalue_fields",
        "routing",
        "preference",
        "search_type",
        "request_cache",
        "batched_reduce_size",
        "ccs_minimize_roundtrips",
        "max_concurrent_shard_requests",
        "pre_filter_shard_size",
        "rest_total_hits_as_int",
        "typed_keys",
        "track_total_hits",
        "track_scores",
        "allow_partial_search_results",
        "scroll",
        "terminate_after",
        "timeout",
        "version",
        "seq_no_primary_term",
        "explain",
        "include_named_queries_score",
        "phase_took",
        "cancel_after_time_interval",
        "stats",
        "suggest_field",
        "suggest_mode",
        "suggest_size",
        "suggest_text",
        "search_pipeline",
        "verbose_pipeline",
    ],
];

/// A body as a value; `None` when it is empty. Keys that stand twice are an error.
pub fn body_value(request: &RestRequest) -> Result<Option<Value>, RestError> {
    if request.body.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    match request.content_type {
        None | Some(MediaType::Json) => Ok(Some(json_text::read(&request.body)?)),
        Some(_) => request.json(),
    }
}

/// Finds the place of a parse error in the request's body.
pub fn locate(request: &RestRequest, error: ParseError) -> RestError {
    match request.content_type {
        None | Some(MediaType::Json) => RestError::from(error.locate(&request.body)),
        Some(_) => RestError::from(error),
    }
}

/// The body of a request that has a `query` and nothing else; `None`: no body.
pub fn query_body(request: &RestRequest) -> Result<Option<Query>, RestError> {
    let Some(body) = body_value(request)? else {
        return Ok(None);
    };
    let root = Json::root(&body);
    let mut query = None;
    for (key, value) in root.members() {
        if key != "query" {
            return Err(locate(
                request,
                value.parsing(format!("request does not support [{key}]")),
            ));
        }
        query = Some(parse_clause(&value).map_err(|error| locate(request, error))?);
    }
    Ok(query)
}

/// The query of `q` and its companions; `None` without `q`.
pub fn query_param(params: &Params) -> Result<Option<Query>, RestError> {
    let Some(text) = params.get("q") else {
        return Ok(None);
    };
    let mut query = QueryStringQuery::new(text);
    query.default_field = params.get("df").map(str::to_owned);
    query.analyzer = params.get("analyzer").map(str::to_owned);
    query.analyze_wildcard = params.bool("analyze_wildcard", false)?;
    query.lenient = params.opt_bool("lenient")?;
    if let Some(operator) = params.get("default_operator") {
        query.default_operator = match operator.to_ascii_lowercase().as_str() {
            "or" => Operator::Or,
            "and" => Operator::And,
            _ => {
                return Err(RestError::illegal_argument(format!(
                    "No enum constant org.opensearch.index.query.Operator.{}",
                    operator.to_uppercase()
                )));
            }
        };
    }
    Ok(Some(Query::QueryString(query)))
}

/// The query of a request: `q` wins over the body, as in OpenSearch; without both everything.
pub fn query_of(request: &RestRequest) -> Result<Option<Query>, RestError> {
    let body = query_body(request)?;
    Ok(query_param(&request.params)?.or(body))
}

/// What index names may mean, over the defaults of the operation.
pub fn indices_options(
    params: &Params,
    defaults: IndicesOptions,
) -> Result<IndicesOptions, RestError> {
    params.opt_bool("ignore_throttled")?;
    Ok(defaults.with_params(
        params.opt_bool("ignore_unavailable")?,
        params.opt_bool("allow_no_indices")?,
        params.get("expand_wildcards"),
    )?)
}

/// `_source`, `_source_includes`, `_source_excludes`; `None` if none was sent.
pub fn source_param(params: &Params) -> Result<Option<FetchSource>, RestError> {
    let includes = params.list("_source_includes");
    let excludes = params.list("_source_excludes");
    let mut source = match params.get("_source") {
        None if includes.is_empty() && excludes.is_empty() => return Ok(None),
        None | Some("" | "true") => FetchSource::ALL,
        Some("false") => FetchSource::NONE,
        Some(_) => FetchSource {
            includes: params.list("_source"),
            ..FetchSource::ALL
        },
    };
    if !includes.is_empty() {
        source.includes = includes;
    }
    source.excludes = excludes;
    Ok(Some(source))
}

/// A time parameter that has no `-1`.
pub fn time_param(params: &Params, name: &str) -> Result<Option<Duration>, RestError> {
    match params.get(name) {
        None => Ok(None),
        Some(text) => parse_time_value(text, name),
    }
}

/// `search_type`; whether it is the one with global term statistics.
pub fn search_type(text: &str) -> Result<bool, RestError> {
    match text {
        "query_then_fetch" => Ok(false),
        "dfs_query_then_fetch" => Ok(true),
        "query_and_fetch" | "dfs_query_and_fetch" => Err(RestError::illegal_argument(format!(
            "Unsupported search type [{text}]"
        ))),
        _ => Err(RestError::illegal_argument(format!(
            "No search type for [{text}]"
        ))),
    }
}

/// How the answer is written.
pub fn render_options(params: &Params) -> Result<RenderOptions, RestError> {
    Ok(RenderOptions {
        typed_keys: params.bool("typed_keys", false)?,
        total_as_int: params.bool("rest_total_hits_as_int", false)?,
    })
}

/// A search from its whole request.
pub fn search_input(request: &RestRequest, body: Option<&Value>) -> Result<SearchInput, RestError> {
    let params = &request.params;
    let body = match body {
        Some(value) => parse_search_body(value).map_err(|error| locate(request, error))?,
        None => SearchBody::default(),
    };
    let mut input = SearchInput::new(request.list_var("index"), body);
    input.options = indices_options(params, input.options)?;
    execution_params(&mut input, params)?;
    body_params(&mut input.body, params)?;
    input.render = render_options(params)?;
    check_total_as_int(&mut input)?;
    Ok(input)
}

/// Parameters that say how a search runs.
fn execution_params(input: &mut SearchInput, params: &Params) -> Result<(), RestError> {
    input.routing = params.get("routing").map(str::to_owned);
    input.preference = params.get("preference").map(str::to_owned);
    input.scroll = time_param(params, "scroll")?;
    input.request_cache = params.opt_bool("request_cache")?;
    if let Some(text) = params.get("search_type") {
        input.dfs = search_type(text)?;
    }
    let batch = params.int("batched_reduce_size", 512)?;
    if batch < 2 {
        return Err(RestError::illegal_argument(
            "batchedReduceSize must be >= 2",
        ));
    }
    input.batched_reduce_size = batch.unsigned_abs() as usize;
    if let Some(count) = params.opt_int("max_concurrent_shard_requests")? {
        if count < 1 {
            return Err(RestError::illegal_argument(
                "maxConcurrentShardRequests must be >= 1",
            ));
        }
        input.max_concurrent_shard_requests = count.unsigned_abs() as usize;
    }
    input.pre_filter_size = pre_filter_size(params)?;
    params.opt_bool("ccs_minimize_roundtrips")?;
    input.allow_partial = params.opt_bool("allow_partial_search_results")?;
    input.phase_took = params.bool("phase_took", false)?;
    input.cancel_after = time_param(params, "cancel_after_time_interval")?;
    for name in [
        "suggest_field",
        "suggest_mode",
        "suggest_size",
        "suggest_text",
    ] {
        if params.has(name) {
            return Err(RestError::illegal_argument(format!(
                "[{name}] is not supported"
            )));
        }
    }
    if params
        .get("search_pipeline")
        .is_some_and(|name| name != "_none")
    {
        return Err(RestError::illegal_argument(
            "[search_pipeline] is not supported",
        ));
    }
    if params.bool("verbose_pipeline", false)? {
        return Err(RestError::illegal_argument(
            "[verbose_pipeline] is not supported",
        ));
    }
    if params.bool("include_named_queries_score", false)? {
        input.body.include_named_queries_score = Some(true);
    }
    Ok(())
}

/// `pre_filter_shard_size`
pub fn pre_filter_size(params: &Params) -> Result<Option<usize>, RestError> {
    match params.opt_int("pre_filter_shard_size")? {
        None => Ok(None),
        Some(size) if size < 1 => Err(RestError::illegal_argument(
            "preFilterShardSize must be >= 1",
        )),
        Some(size) => Ok(Some(size.unsigned_abs() as usize)),
    }
}

/// Parameters that stand for members of the body, over which they win.
fn body_params(body: &mut SearchBody, params: &Params) -> Result<(), RestError> {
    if let Some(query) = query_param(params)? {
        body.query = Some(query);
    }
    if let Some(from) = params.opt_int("from")? {
        if from < 0 {
            return Err(RestError::illegal_argument(
                "[from] parameter cannot be negative",
            ));
        }
        body.from = Some(from);
    }
    if let Some(size) = params.opt_int("size")? {
        if size < 0 {
            return Err(RestError::illegal_argument(format!(
                "[size] parameter cannot be negative, found [{size}]"
            )));
        }
        body.size = Some(size);
    }
    body.explain = params.opt_bool("explain")?.or(body.explain);
    body.version = params.opt_bool("version")?.or(body.version);
    body.seq_no_primary_term = params
        .opt_bool("seq_no_primary_term")?
        .or(body.seq_no_primary_term);
    body.track_scores = params.opt_bool("track_scores")?.or(body.track_scores);
    if let Some(text) = params.get("timeout") {
        body.timeout = Some(text.to_owned());
    }
    if let Some(count) = params.opt_int("terminate_after")? {
        if count < 0 {
            return Err(RestError::illegal_argument("terminateAfter must be > 0"));
        }
        body.terminate_after = Some(count);
    }
    if params.has("stored_fields") {
        body.stored_fields = Some(StoredFields::of(params.list("stored_fields"))?);
    }
    for field in params.list("docvalue_fields") {
        body.docvalue_fields.push(FieldAndFormat {
            field,
            format: None,
        });
    }
    if let Some(source) = source_param(params)? {
        body.source = Some(source);
    }
    if let Some(text) = params.get("track_total_hits") {
        body.track_total_hits = Some(match text {
            "" | "true" => TrackTotal::Exact,
            "false" => TrackTotal::Off,
            number => match number.parse() {
                Ok(number) => TrackTotal::of_number(number)?,
                Err(_) => {
                    return Err(RestError::illegal_argument(format!(
                        "Failed to parse int parameter [track_total_hits] with value [{number}]"
                    )));
                }
            },
        });
    }
    let sorts = params.list("sort");
    if !sorts.is_empty() {
        body.sort.clear();
        for text in &sorts {
            body.sort.push(parse_sort_param(text)?);
        }
    }
    body.stats.extend(params.list("stats"));
    Ok(())
}

/// A bare number of hits must be exact.
pub fn check_total_as_int(input: &mut SearchInput) -> Result<(), RestError> {
    if !input.render.total_as_int {
        return Ok(());
    }
    match input.body.track_total_hits {
        None => input.body.track_total_hits = Some(TrackTotal::Exact),
        Some(TrackTotal::Exact | TrackTotal::Off) => {}
        Some(TrackTotal::UpTo(count)) => {
            return Err(RestError::illegal_argument(format!(
                "[rest_total_hits_as_int] cannot be used if the tracking of total hits is not accurate, got {count}"
            )));
        }
    }
    Ok(())
}
