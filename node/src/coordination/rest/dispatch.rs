//! One request from its HTTP parts to its HTTP answer: route, check, run, format.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use hyper::header::{ACCEPT, ALLOW, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, Response, StatusCode};
use tracing::{debug, error};

use super::content::{self, MediaType};
use super::endpoints::{COMMON_PARAMS, Endpoint};
use super::filter_path::FilterPath;
use super::index_params::leader_wait;
use super::json_text;
use super::response::ResponseBody;
use super::router::{Found, Router};
use super::{App, Params, RestError, RestRequest, RestResponse};

/// Endpoints that say something before this node knows the cluster.
const WITHOUT_STATE: &[&str] = &["info", "ping"];
/// How long the others wait for what this node is told of the cluster.
const STATE_WITHIN: Duration = Duration::from_secs(4);

/// The parts of a request as the server reads them; the body is whole and unzipped.
#[derive(Debug)]
pub struct RawRequest {
    /// The HTTP method.
    pub method: Method,
    /// Path and query, as sent.
    pub path: String,
    /// What stands behind `?`.
    pub query: String,
    /// All headers.
    pub headers: HeaderMap,
    /// The body, or why there is none: it was too long.
    pub body: Result<Bytes, RestError>,
}

/// How the answer is to be written; known before the handler runs, so that errors are written so, too.
#[derive(Default)]
struct Format {
    media: Option<MediaType>,
    pretty: bool,
    trace: bool,
    filter: Option<FilterPath>,
    head: bool,
}

/// Answers one request. Never fails and never panics: a panic of a handler is a 500.
pub async fn dispatch(app: Arc<App>, raw: RawRequest) -> Response<Bytes> {
    let opaque_id = raw.headers.get("x-opaque-id").cloned();
    let mut format = Format {
        head: raw.method == Method::HEAD,
        ..Format::default()
    };
    let line = format!("{} {}", raw.method, raw.path);
    let answered = AssertUnwindSafe(answer(app, raw, &mut format))
        .catch_unwind()
        .await;
    let result = match answered {
        Ok(result) => result,
        Err(panic) => {
            let what = panic_text(panic.as_ref());
            error!(request = %line, panic = %what, "a handler panicked; please report this");
            Err(RestError::internal(format!("internal error: {what}")))
        }
    };
    let response = match result {
        Ok(response) => response,
        Err(failure) => {
            if failure.status >= 500 {
                debug!(request = %line, error = %failure, "answered with an error");
            }
            let mut response = RestResponse::json(failure.status, &failure.envelope(format.trace));
            response.headers = failure.headers;
            response
        }
    };
    let mut http = write(response, &format);
    if let Some(id) = opaque_id {
        http.headers_mut()
            .insert(HeaderName::from_static("x-opaque-id"), id);
    }
    http
}

/// A node that has just started knows no index until the masters have told it the state: that an index is not there cannot
/// be said then.
fn no_state() -> RestError {
    RestError::new(
        503,
        "cluster_block_exception",
        "blocked by: [SERVICE_UNAVAILABLE/1/state not recovered / initialized];",
    )
}

async fn answer(
    app: Arc<App>,
    raw: RawRequest,
    format: &mut Format,
) -> Result<RestResponse, RestError> {
    let mut params = Params::parse(&raw.query)?;
    read_format(&params, &raw.headers, format)?;
    let uri = match raw.query.is_empty() {
        true => raw.path.clone(),
        false => format!("{}?{}", raw.path, raw.query),
    };
    let (endpoint, mut vars) = match Router::shared().find(&raw.method, &raw.path)? {
        Found::Endpoint(endpoint, vars) => (endpoint, vars),
        Found::OtherMethods(methods) => return other_methods(&raw.method, &uri, methods),
        Found::Nothing => return Err(no_handler(&raw.method, &uri)),
    };
    let mut body = raw.body?;
    let mut content_type = request_media(&raw.headers, &body)?;
    if body.is_empty()
        && let Some(source) = params.get("source")
    {
        content_type = Some(source_media(&params)?);
        body = Bytes::from(source.to_owned());
    }
    take_path_params(endpoint, &mut params, &mut vars);
    check_params(endpoint, &raw.path, &params)?;
    if app.state().version == 0 && !WITHOUT_STATE.contains(&endpoint.name) {
        // a node that has just started hears of the cluster in a moment
        let mut states = app.masters.watch();
        let first = states.wait_for(|state| state.version > 0);
        if !matches!(tokio::time::timeout(STATE_WITHIN, first).await, Ok(Ok(_))) {
            return Err(no_state());
        }
    }
    if endpoint.own_params().any(|own| own == "local") && !params.bool("local", false)? {
        catch_up(&app, &params).await?;
    }
    let request = RestRequest {
        method: raw.method,
        path: raw.path,
        vars,
        params,
        content_type,
        body,
        headers: raw.headers,
    };
    (endpoint.handler)(app, request).await
}

/// Waits until this node follows what the masters have acknowledged: whoever reads the cluster state without `local` sees
/// the changes that were made before, on whichever node.
async fn catch_up(app: &App, params: &Params) -> Result<(), RestError> {
    let wait = leader_wait(params)?;
    app.masters.current(wait).await?;
    Ok(())
}

/// `?pretty`, `?filter_path`, `?error_trace`, `?format` and `Accept`.
fn read_format(params: &Params, headers: &HeaderMap, format: &mut Format) -> Result<(), RestError> {
    format.trace = params.bool("error_trace", false)?;
    format.pretty = params.bool("pretty", false)?;
    params.bool("human", false)?;
    format.filter = params.get("filter_path").and_then(FilterPath::parse);
    if let Some(name) = params.get("format") {
        // `text` and unknown names are for `_cat`, which looks at the parameter itself
        format.media = MediaType::from_short_name(name);
    } else if let Some(accept) = headers.get(ACCEPT).and_then(|value| value.to_str().ok()) {
        format.media = accept.split(',').find_map(MediaType::from_header);
    }
    Ok(())
}

/// What the body is; a body of an unknown kind is a 406.
fn request_media(headers: &HeaderMap, body: &Bytes) -> Result<Option<MediaType>, RestError> {
    let Some(header) = headers.get(CONTENT_TYPE) else {
        if body.is_empty() {
            return Ok(None);
        }
        return Err(RestError::new(
            406,
            "media_type_header_exception",
            "Content-Type header is missing",
        )
        .as_plain());
    };
    let text = header.to_str().unwrap_or_default();
    match MediaType::from_header(text) {
        Some(media) => Ok(Some(media)),
        None if body.is_empty() => Ok(None),
        None => Err(RestError {
            plain: true,
            ..RestError::new(
                406,
                "media_type_header_exception",
                format!("Content-Type header [{text}] is not supported"),
            )
        }),
    }
}

fn source_media(params: &Params) -> Result<MediaType, RestError> {
    let Some(text) = params.get("source_content_type") else {
        return Err(RestError::new(
            500,
            "illegal_state_exception",
            "source and source_content_type parameters are required",
        ));
    };
    MediaType::from_header(text).ok_or_else(|| {
        RestError::new(
            500,
            "illegal_state_exception",
            "Unknown value for source_content_type [".to_owned() + text + "]",
        )
    })
}

/// A path variable may as well be given as a parameter: `/_search?index=hats`.
fn take_path_params(
    endpoint: &Endpoint,
    params: &mut Params,
    vars: &mut BTreeMap<&'static str, String>,
) {
    for (_, path) in endpoint.routes {
        for part in path.split('/') {
            let Some(name) = part
                .strip_prefix('{')
                .and_then(|rest| rest.strip_suffix('}'))
            else {
                continue;
            };
            if endpoint.own_params().any(|own| own == name) {
                continue;
            }
            if let Some(value) = params.remove(name) {
                vars.entry(name).or_insert(value);
            }
        }
    }
}

/// Refuses parameters that neither the endpoint nor all endpoints know.
fn check_params(endpoint: &Endpoint, path: &str, params: &Params) -> Result<(), RestError> {
    let known =
        |name: &str| COMMON_PARAMS.contains(&name) || endpoint.own_params().any(|own| own == name);
    let mut unknown: Vec<&str> = params.names().filter(|name| !known(name)).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    unknown.sort_unstable();
    let plural = if unknown.len() > 1 { "s" } else { "" };
    let mut reason = format!("request [{path}] contains unrecognized parameter{plural}: ");
    for (at, name) in unknown.iter().enumerate() {
        if at > 0 {
            reason.push_str(", ");
        }
        reason.push_str(&format!("[{name}]"));
        let near = near_names(
            name,
            endpoint.own_params().chain(COMMON_PARAMS.iter().copied()),
        );
        match near.as_slice() {
            [] => {}
            [one] => reason.push_str(&format!(" -> did you mean [{one}]?")),
            several => {
                reason.push_str(&format!(
                    " -> did you mean any of [{}]?",
                    several.join(", ")
                ));
            }
        }
    }
    Err(RestError::illegal_argument(reason))
}

/// Known names like the given one, nearest first.
pub(super) fn near_names<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Vec<&'n str> {
    let mut near: Vec<(usize, &str)> = Vec::new();
    for candidate in known {
        let longest = candidate.chars().count().max(name.chars().count());
        let distance = edit_distance(name, candidate);
        // at least half alike
        if distance * 2 < longest && !near.iter().any(|(_, other)| *other == candidate) {
            near.push((distance, candidate));
        }
    }
    near.sort_unstable();
    near.into_iter().map(|(_, candidate)| candidate).collect()
}

/// Levenshtein's distance in characters.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

fn no_handler(method: &Method, uri: &str) -> RestError {
    RestError::new(
        400,
        "illegal_argument_exception",
        format!("no handler found for uri [{uri}] and method [{method}]"),
    )
    .as_plain()
}

fn other_methods(
    method: &Method,
    uri: &str,
    methods: Vec<Method>,
) -> Result<RestResponse, RestError> {
    let mut names: Vec<&str> = methods.iter().map(Method::as_str).collect();
    names.sort_unstable();
    let allow = names.join(",");
    if *method == Method::OPTIONS {
        return Ok(RestResponse::text(200, "").with_header("allow", allow));
    }
    Err(RestError::new(
        405,
        "method_not_allowed",
        format!(
            "Incorrect HTTP method for uri [{uri}] and method [{method}], allowed: [{}]",
            names.join(", ")
        ),
    )
    .as_plain()
    .with_header("allow", allow))
}

fn write(response: RestResponse, format: &Format) -> Response<Bytes> {
    let (body, kind) = match response.body {
        ResponseBody::Empty => (Bytes::new(), None),
        ResponseBody::Text(text) => (Bytes::from(text), Some("text/plain; charset=UTF-8")),
        ResponseBody::Json(json) => {
            let media = format.media.unwrap_or(MediaType::Json);
            match write_json(json, media, format) {
                Ok(bytes) => (bytes, Some(media.header())),
                Err(failure) => (
                    Bytes::from(failure.envelope(false).to_string()),
                    Some(MediaType::Json.header()),
                ),
            }
        }
    };
    let length = body.len();
    let mut http = Response::new(if format.head { Bytes::new() } else { body });
    *http.status_mut() =
        StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = http.headers_mut();
    if let Some(kind) = kind {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    if format.head {
        headers.insert(hyper::header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    for (name, value) in response.headers {
        let name = if name == "allow" {
            ALLOW
        } else {
            HeaderName::from_static(name)
        };
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.append(name, value);
        }
    }
    http
}

fn write_json(json: Bytes, media: MediaType, format: &Format) -> Result<Bytes, RestError> {
    let json = match &format.filter {
        None => json,
        Some(filter) => Bytes::from(
            filter
                .apply(&json)
                .map_err(|error| RestError::internal(error.to_string()))?,
        ),
    };
    match media {
        MediaType::Json | MediaType::NdJson if format.pretty => {
            Ok(Bytes::from(json_text::pretty(&json)))
        }
        MediaType::Json | MediaType::NdJson => Ok(json),
        other => content::encode_json_as(&json, other).map(Bytes::from),
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    if let Some(text) = panic.downcast_ref::<&str>() {
        text
    } else if let Some(text) = panic.downcast_ref::<String>() {
        text
    } else {
        "panic without a message"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: Endpoint = Endpoint {
        name: "search",
        routes: &[(Method::GET, "/_search"), (Method::GET, "/{index}/_search")],
        params: &[&["size", "sort", "scroll"]],
        handler: |_, _| Box::pin(async { Ok(RestResponse::empty(200)) }),
    };

    #[test]
    fn unknown_parameters_are_named_with_what_was_meant() {
        let params = Params::parse("sise=1&pretty").unwrap();
        let error = check_params(&ROW, "/_search", &params).unwrap_err();
        assert_eq!(
            error.reason,
            "request [/_search] contains unrecognized parameter: [sise] -> did you mean [size]?"
        );
        let params = Params::parse("qqqqqq=1&zzzzzzz=2").unwrap();
        let error = check_params(&ROW, "/_search", &params).unwrap_err();
        assert_eq!(
            error.reason,
            "request [/_search] contains unrecognized parameters: [qqqqqq], [zzzzzzz]"
        );
    }

    #[test]
    fn path_variables_may_be_parameters() {
        let mut params = Params::parse("index=a").unwrap();
        let mut vars = BTreeMap::new();
        take_path_params(&ROW, &mut params, &mut vars);
        assert_eq!(vars["index"], "a");
        assert!(check_params(&ROW, "/_search", &params).is_ok());
    }

    #[test]
    fn distances() {
        assert_eq!(edit_distance("size", "sise"), 1);
        assert_eq!(edit_distance("", "abc"), 3);
        assert_eq!(edit_distance("abc", "bc"), 1);
    }
}
