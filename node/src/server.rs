//! The HTTP server: connections in, whole requests to [`dispatch`], answers out.
//!
//! HTTP/1.1 and, for clients that know beforehand, HTTP/2 without TLS.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::Body;
use hyper::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tower::ServiceBuilder;
use tower_http::compression::CompressionLayer;
use tower_http::decompression::RequestDecompressionLayer;
use tracing::{debug, warn};

use crate::coordination::rest::dispatch::{RawRequest, dispatch};
use crate::coordination::rest::in_flight::InFlightGuard;
use crate::coordination::rest::{App, RestError};
use crate::request_target::EscapedTargets;

/// A client that has not sent its headers by then is cut off.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// A client whose body does not go on for so long is cut off.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// Room for a body is taken in steps of so many bytes.
const BODY_STEP: u64 = 64 << 10;
/// Requests that run longer than this after the signal to stop are cut off.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(20);
/// Longest request line and headers together, bytes.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// Binds the configured address.
pub async fn bind(host: &str, port: u16) -> std::io::Result<TcpListener> {
    TcpListener::bind((host, port)).await
}

/// Serves until `stop` says so, then lets running requests end.
pub async fn serve(listener: TcpListener, app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .pipeline_flush(true)
        .keep_alive(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(HEAD_BYTES_MAX as u32)
        .keep_alive_interval(Some(Duration::from_secs(60)));
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stopped| *stopped) => break,
        };
        let stream = match accepted {
            Ok((stream, _peer)) => stream,
            Err(error) => {
                // out of descriptors, or the client is gone already: others are served all the same
                warn!(%error, "could not accept a connection");
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
        let (app, counted) = (app.clone(), &app);
        let compression = CompressionLayer::new().gzip(app.config.http_compression);
        let service = ServiceBuilder::new()
            .layer(compression)
            .layer(RequestDecompressionLayer::new().pass_through_unaccepted(true))
            .service(tower::service_fn(move |request| {
                handle(app.clone(), request)
            }));
        let connection = builder
            .serve_connection_with_upgrades(
                TokioIo::new(EscapedTargets::new(stream)),
                TowerToHyperService::new(service),
            )
            .into_owned();
        let watched = graceful.watch(connection);
        let counted = counted.connections.open();
        tokio::spawn(async move {
            let _counted = counted;
            if let Err(error) = watched.await {
                debug!(%error, "a connection ended early");
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(DRAIN_TIMEOUT, graceful.shutdown())
        .await
        .is_err()
    {
        warn!("some requests did not end in time and were cut off");
    }
}

/// The path of a request. One that lacks the slash in front (`PUT games`) arrives as if it named a host.
fn path_of(uri: &hyper::Uri) -> String {
    match uri.authority() {
        Some(authority) if uri.path().is_empty() => format!("/{authority}"),
        _ => uri.path().to_owned(),
    }
}

/// Reads one request whole and answers it.
async fn handle<B>(app: Arc<App>, request: Request<B>) -> Result<Response<Full<Bytes>>, Infallible>
where
    B: Body<Data = Bytes>,
    B::Error: std::fmt::Display,
{
    let (head, body) = request.into_parts();
    let unknown_encoding = head.headers.get(CONTENT_ENCODING).filter(|encoding| {
        !encoding.as_bytes().eq_ignore_ascii_case(b"gzip")
            && !encoding.as_bytes().eq_ignore_ascii_case(b"identity")
    });
    let announced = head
        .headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok())
        .and_then(|length| length.parse::<u64>().ok());
    let mut guards = Vec::new();
    let body = match unknown_encoding {
        Some(encoding) => Err(RestError::new(
            415,
            "illegal_argument_exception",
            format!(
                "Content-Encoding [{}] is not supported",
                encoding.to_str().unwrap_or("?")
            ),
        )),
        None => read_body(&app, body, announced, &mut guards).await,
    };
    let raw = RawRequest {
        method: head.method,
        path: path_of(&head.uri),
        query: head.uri.query().unwrap_or("").to_owned(),
        headers: head.headers,
        body,
    };
    let is_cut_off = matches!(&raw.body, Err(error) if [408, 413].contains(&error.status));
    let status = [StatusCode::REQUEST_TIMEOUT, StatusCode::PAYLOAD_TOO_LARGE];
    let mut response = dispatch(app, raw).await.map(Full::new);
    drop(guards);
    if is_cut_off && status.contains(&response.status()) {
        // the rest of the body is not worth reading
        response.headers_mut().insert(
            hyper::header::CONNECTION,
            hyper::header::HeaderValue::from_static("close"),
        );
    }
    Ok(response)
}

/// The whole body; its bytes are counted as in flight from when they arrive.
async fn read_body<B>(
    app: &App,
    body: B,
    announced: Option<u64>,
    guards: &mut Vec<InFlightGuard>,
) -> Result<Bytes, RestError>
where
    B: Body<Data = Bytes>,
    B::Error: std::fmt::Display,
{
    let limit = app.config.max_content_length;
    let too_long = |length: u64| {
        RestError::new(
            413,
            "content_too_long_exception",
            format!(
                "entity content is too long [{length}] for the configured limit [{limit}] of [http.max_content_length]"
            ),
        )
    };
    if let Some(length) = announced
        && length > limit
    {
        return Err(too_long(length));
    }
    // What was announced may never come: room is taken for what has arrived.
    let mut reserved = 0;
    let mut body = std::pin::pin!(body);
    let mut first: Option<Bytes> = None;
    let mut whole = BytesMut::new();
    let mut length = 0u64;
    loop {
        let Ok(frame) = tokio::time::timeout(BODY_TIMEOUT, body.frame()).await else {
            return Err(RestError::new(
                408,
                "timeout_exception",
                format!(
                    "the body could not be read: nothing arrived for {} seconds",
                    BODY_TIMEOUT.as_secs()
                ),
            ));
        };
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|error| {
            RestError::new(
                400,
                "parse_exception",
                format!("the body could not be read: {error}"),
            )
        })?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        length += data.len() as u64;
        if length > limit {
            return Err(too_long(length));
        }
        if length > reserved {
            // in larger steps, but not beyond the end that was announced; a zipped body may pass it
            let step = match announced {
                Some(total) if total > reserved => BODY_STEP.min(total - reserved),
                _ => BODY_STEP,
            };
            let more = (length - reserved).max(step);
            guards.push(app.in_flight.take(more)?);
            reserved += more;
        }
        if first.is_none() && whole.is_empty() {
            first = Some(data);
            continue;
        }
        if let Some(first) = first.take() {
            whole.extend_from_slice(&first);
        }
        whole.extend_from_slice(&data);
    }
    Ok(first.unwrap_or_else(|| whole.freeze()))
}

/// The address as a URL shows it.
pub fn shown_address(address: SocketAddr) -> String {
    address.to_string()
}
