//! The port for machines that watch: `/metrics` for Prometheus, `/health` for everybody.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tracing::{debug, warn};

use super::figures::FigureSources;
use super::metrics;

/// A client that has not sent its headers by then is cut off.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections at one time; more wait.
const CONNECTIONS_MAX: usize = 64;

/// How the process is: `Ok` if it can do its work, else why not.
pub type HealthCheck = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// What is shown.
#[derive(Clone)]
pub struct Exposed {
    /// Who this is: put beside the status in `/health`.
    pub identity: Value,
    /// How it is.
    pub health: HealthCheck,
    /// What it counts.
    pub figures: FigureSources,
}

/// Serves until `stop` says so.
pub async fn serve(listener: TcpListener, exposed: Exposed, mut stop: watch::Receiver<bool>) {
    let room = Arc::new(tokio::sync::Semaphore::new(CONNECTIONS_MAX));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stopped| *stopped) => return,
        };
        let stream = match accepted {
            Ok((stream, _peer)) => stream,
            Err(error) => {
                warn!(%error, "could not accept a connection for metrics");
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
        };
        let Ok(permit) = room.clone().acquire_owned().await else {
            return;
        };
        let exposed = exposed.clone();
        tokio::spawn(async move {
            let _permit = permit;
            let service = service_fn(|request| answer(exposed.clone(), request));
            let served = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_TIMEOUT)
                .serve_connection(TokioIo::new(stream), service)
                .await;
            if let Err(error) = served {
                debug!(%error, "a connection for metrics ended early");
            }
        });
    }
}

async fn answer(
    exposed: Exposed,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let is_read = [Method::GET, Method::HEAD].contains(request.method());
    let answer = match request.uri().path() {
        "/metrics" if is_read => scrape(exposed.figures).await,
        "/health" if is_read => health(&exposed),
        "/metrics" | "/health" => said(StatusCode::METHOD_NOT_ALLOWED, "ask with GET"),
        _ => said(StatusCode::NOT_FOUND, "here are /metrics and /health"),
    };
    Ok(answer)
}

/// Counting waits for locks: not on a network thread.
async fn scrape(sources: FigureSources) -> Response<Full<Bytes>> {
    let text = tokio::task::spawn_blocking(move || metrics::text(sources.gather())).await;
    match text {
        Ok(Ok(text)) => typed(StatusCode::OK, metrics::CONTENT_TYPE, text),
        _ => said(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the figures could not be gathered",
        ),
    }
}

fn health(exposed: &Exposed) -> Response<Full<Bytes>> {
    let mut body = exposed.identity.clone();
    let status = match (exposed.health)() {
        Ok(()) => {
            body["status"] = json!("ok");
            StatusCode::OK
        }
        Err(why) => {
            body["status"] = json!("unhealthy");
            body["reason"] = json!(why);
            StatusCode::SERVICE_UNAVAILABLE
        }
    };
    typed(status, "application/json", format!("{body}\n"))
}

fn said(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    typed(status, "text/plain; charset=utf-8", format!("{text}\n"))
}

fn typed(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
