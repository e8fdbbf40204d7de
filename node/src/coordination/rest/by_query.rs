//! `_delete_by_query` and `_update_by_query`, and what jobs by query have in common on the REST face.

use std::sync::Arc;

use hyper::Method;
use serde_json::json;

use super::endpoints::{INDICES_PARAMS, QUERY_TEXT_PARAMS, SOURCE_FILTER_PARAMS};
use super::search_params::{
    body_value, indices_options, locate, query_param, search_type, source_param, time_param,
};
use super::tasks::{grouped_by_node, parse_name, unknown};
use super::{App, Endpoint, Params, RestError, RestRequest, RestResponse};
use crate::coordination::by_query::{self, Conflicts, Job, Kind, Slices};
use crate::coordination::dsl::search_body::{SearchBody, parse_search_body};
use crate::coordination::dsl::sort::parse_sort_param;
use crate::coordination::dsl::{Json, ParseError};
use crate::coordination::search_input::SearchInput;
use crate::coordination::tasks::EndOnDrop;
use crate::coordination::terms_lookup;
use crate::coordination::write::WriteOptions;
use crate::data::service::RefreshPolicy;

const PARAMS: &[&[&str]] = &[
    INDICES_PARAMS,
    QUERY_TEXT_PARAMS,
    SOURCE_FILTER_PARAMS,
    &[
        "ignore_throttled",
        "from",
        "size",
        "sort",
        "routing",
        "preference",
        "search_type",
        "search_timeout",
        "scroll",
        "scroll_size",
        "max_docs",
        "conflicts",
        "refresh",
        "timeout",
        "wait_for_active_shards",
        "wait_for_completion",
        "requests_per_second",
        "slices",
        "request_cache",
        "terminate_after",
        "stats",
        "version",
        "pipeline",
        "version_type",
    ],
];

pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        name: "delete_by_query",
        routes: &[(Method::POST, "/{index}/_delete_by_query")],
        params: PARAMS,
        handler: |app, request| Box::pin(run(app, request, Kind::Delete)),
    },
    Endpoint {
        name: "update_by_query",
        routes: &[(Method::POST, "/{index}/_update_by_query")],
        params: PARAMS,
        handler: |app, request| Box::pin(run(app, request, Kind::Update)),
    },
    Endpoint {
        name: "delete_by_query_rethrottle",
        routes: &[(Method::POST, "/_delete_by_query/{task_id}/_rethrottle")],
        params: &[&["requests_per_second"]],
        handler: |app, request| Box::pin(rethrottle(app, request)),
    },
    Endpoint {
        name: "update_by_query_rethrottle",
        routes: &[(Method::POST, "/_update_by_query/{task_id}/_rethrottle")],
        params: &[&["requests_per_second"]],
        handler: |app, request| Box::pin(rethrottle(app, request)),
    },
];

async fn run(app: Arc<App>, request: RestRequest, kind: Kind) -> Result<RestResponse, RestError> {
    let params = &request.params;
    let mut conflicts = None;
    let mut max_docs = None;
    let mut body = SearchBody::default();
    if let Some(mut value) = body_value(&request)? {
        terms_lookup::resolve(&app, &mut value).await?;
        let located = |error: ParseError| locate(&request, error);
        if let Some(members) = value.as_object_mut() {
            // these two are the job's; the rest is a search
            if let Some(text) = members.shift_remove("conflicts") {
                conflicts = Some(Json::root(&text).text()?);
            }
            for name in ["size", "max_docs"] {
                if let Some(number) = members.shift_remove(name) {
                    set_max_docs(&mut max_docs, Json::root(&number).i64()?)?;
                }
            }
            if members.contains_key("script") {
                return Err(RestError::illegal_argument(
                    "[script] is not supported: this server runs no scripts",
                ));
            }
        }
        body = parse_search_body(&value).map_err(located)?;
    }
    if let Some(query) = query_param(params)? {
        body.query = Some(query);
    }
    for text in params.list("sort") {
        body.sort.push(parse_sort_param(&text)?);
    }
    if let Some(source) = source_param(params)? {
        body.source = Some(source);
    }
    body.terminate_after = params.opt_int("terminate_after")?.or(body.terminate_after);
    body.timeout = params
        .get("search_timeout")
        .map(str::to_owned)
        .or(body.timeout);
    let mut mistakes = Vec::new();
    if kind == Kind::Delete && body.query.is_none() {
        mistakes.push("query is missing".to_owned());
    }
    if params.opt_int("from")?.is_some() || body.from.is_some() {
        mistakes.push("from is not supported in this context".to_owned());
    }
    if body.stored_fields.is_some() {
        mistakes.push("stored_fields is not supported in this context".to_owned());
    }
    let mut search = SearchInput::new(request.list_var("index"), body);
    search.options = indices_options(params, search.options)?;
    search.routing = params.get("routing").map(str::to_owned);
    search.preference = params.get("preference").map(str::to_owned);
    if let Some(text) = params.get("search_type") {
        search.dfs = search_type(text)?;
    }
    time_param(params, "scroll")?;
    params.opt_bool("request_cache")?;
    let scroll_size = params.int("scroll_size", 1000)?;
    if scroll_size < 1 {
        return Err(RestError::illegal_argument(format!(
            "[scroll_size] must be greater than 0, but was [{scroll_size}]"
        )));
    }
    search.body.size = Some(scroll_size);
    if let Some(text) = params.get("conflicts") {
        conflicts = Some(text.to_owned());
    }
    let job = job(
        kind,
        search,
        conflicts.as_deref(),
        max_docs,
        params,
        mistakes,
    )?;
    start(&app, &request, job).await
}

/// Makes a job of a search and the parameters that all jobs have.
pub fn job(
    kind: Kind,
    search: SearchInput,
    conflicts: Option<&str>,
    body_max_docs: Option<i64>,
    params: &Params,
    mut mistakes: Vec<String>,
) -> Result<Job, RestError> {
    if params.has("pipeline") {
        return Err(RestError::illegal_argument(
            "[pipeline] is not supported here",
        ));
    }
    let conflicts = match conflicts {
        None | Some("abort") => Conflicts::Abort,
        Some("proceed") => Conflicts::Proceed,
        Some(other) => {
            return Err(RestError::illegal_argument(format!(
                "conflicts may only be \"proceed\" or \"abort\" but was [{other}]"
            )));
        }
    };
    let mut max_docs = body_max_docs;
    for name in ["size", "max_docs"] {
        if let Some(number) = params.opt_long(name)? {
            set_max_docs(&mut max_docs, number)?;
        }
    }
    let max_docs = match max_docs {
        None | Some(-1) => None,
        Some(number) if number > 0 => Some(number.unsigned_abs()),
        Some(number) if number < 0 => {
            return Err(RestError::illegal_argument(format!(
                "[max_docs] parameter cannot be negative, found [{number}]"
            )));
        }
        Some(number) => {
            mistakes.push(format!(
                "maxDocs should be greater than 0 if the request is limited to some number of documents or -1 if it \
                 isn't but it was [{number}]"
            ));
            None
        }
    };
    let slices = slices(params.get("slices"))?;
    if search.body.slice.is_some() && slices != Slices::Count(1) {
        mistakes
            .push("can't specify both manual and automatic slicing at the same time".to_owned());
    }
    if let (Some(most), Slices::Count(count)) = (max_docs, slices)
        && most < u64::from(count)
    {
        return Err(RestError::illegal_argument(
            "[max_docs] should be >= [slices]",
        ));
    }
    if !mistakes.is_empty() {
        return Err(RestError::validation(&mistakes));
    }
    let mut write = WriteOptions::from_params(params)?;
    let refresh = write.refresh != RefreshPolicy::None;
    write.refresh = RefreshPolicy::None;
    Ok(Job {
        kind,
        search,
        max_docs,
        conflicts,
        slices,
        refresh,
        write,
    })
}

/// Body and parameters may say it several times, but one number only.
fn set_max_docs(max_docs: &mut Option<i64>, number: i64) -> Result<(), RestError> {
    match *max_docs {
        Some(other) if other != number => Err(RestError::illegal_argument(format!(
            "[max_docs] set to two different values [{other}] and [{number}]"
        ))),
        _ => {
            *max_docs = Some(number);
            Ok(())
        }
    }
}

fn slices(text: Option<&str>) -> Result<Slices, RestError> {
    match text {
        None => Ok(Slices::Count(1)),
        Some("auto") => Ok(Slices::Auto),
        Some(text) => match text.parse::<u32>() {
            Ok(count) if count > 0 => Ok(Slices::Count(count)),
            _ => Err(RestError::illegal_argument(format!(
                "[slices] must be a positive integer or the string \"auto\", but was [{text}]"
            ))),
        },
    }
}

/// `requests_per_second`: above 0, or -1 for no limit; `None` if it was not sent.
pub fn rate(params: &Params) -> Result<Option<f32>, RestError> {
    let Some(text) = params.get("requests_per_second") else {
        return Ok(None);
    };
    match text.parse::<f32>() {
        Ok(-1.0) => Ok(Some(f32::INFINITY)),
        Ok(rate) if rate > 0.0 => Ok(Some(rate)),
        Ok(_) => Err(RestError::illegal_argument(
            "[requests_per_second] must be a float greater than 0. Use -1 to disable throttling.",
        )),
        Err(_) => Err(RestError::illegal_argument(
            "[requests_per_second] must be a float greater than 0. Use -1 to disable throttling.",
        )
        .with_cause(RestError::new(
            400,
            "number_format_exception",
            format!("For input string: \"{text}\""),
        ))),
    }
}

/// Does a job now, or begins it and answers with its task.
pub async fn start(
    app: &Arc<App>,
    request: &RestRequest,
    job: Job,
) -> Result<RestResponse, RestError> {
    let rate = rate(&request.params)?.unwrap_or(f32::INFINITY);
    let wait = request.params.bool("wait_for_completion", true)?;
    let from = job.search.indices.join(", ");
    let description = match &job.kind {
        Kind::Delete => format!("delete-by-query [{from}]"),
        Kind::Update => format!("update-by-query [{from}]"),
        Kind::Reindex(to) => format!("reindex from [{from}] to [{}]", to.index),
    };
    let task = app.tasks.begin(job.kind.action(), description, rate);
    let name = app.tasks.name(&task);
    let running = {
        let app = app.clone();
        let guard = EndOnDrop {
            tasks: app.tasks.clone(),
            task,
        };
        // of its own: it goes on when the client goes away in the middle
        tokio::spawn(async move {
            let result = by_query::run(&app, &job, &guard.task).await;
            if !wait {
                let answer = match &result {
                    Ok((_, body)) => Ok(body.clone()),
                    Err(error) => Err(error.clone()),
                };
                guard.tasks.end(&guard.task, answer, true);
            }
            result
        })
    };
    if !wait {
        return Ok(RestResponse::ok(&json!({"task": name})));
    }
    let (status, body) = running
        .await
        .map_err(|error| RestError::internal(format!("the job ended early: {error}")))??;
    Ok(RestResponse::json(status, &body))
}

/// Changes the rate of a job that runs.
pub async fn rethrottle(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    let Some(rate) = rate(&request.params)? else {
        return Err(RestError::illegal_argument(
            "requests_per_second is a required parameter",
        ));
    };
    let name = request.required_var("task_id")?;
    let (node, id) = parse_name(&app, name)?;
    let task = app.nodes.set_rate(&node, id, rate).await?;
    let task = task.ok_or_else(|| unknown(name))?;
    let state = app.state();
    let info = state.nodes.get(&node).unwrap_or(&app.node);
    Ok(RestResponse::ok(&grouped_by_node(&[(info, vec![task])])))
}
