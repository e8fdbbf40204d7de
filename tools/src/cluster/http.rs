//! Requests to nodes, one after the other over connections that are kept.

use std::time::Duration;

use ureq::Agent;
use ureq::http::Method;

/// Asks nodes; cheap to share.
#[derive(Clone, Debug)]
pub struct Http {
    agent: Agent,
}

/// An answer: any status is one.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The body, as text.
    pub body: String,
}

/// No answer came.
#[derive(Debug)]
pub struct NoAnswer {
    /// The request cannot have been seen by anybody: nobody listens there.
    pub never_sent: bool,
    /// What happened.
    pub reason: String,
}

impl Http {
    /// Waits so long for an answer.
    pub fn new(timeout: Duration) -> Http {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(timeout))
            .timeout_connect(Some(timeout.min(Duration::from_secs(2))))
            .max_idle_connections_per_host(64)
            .proxy(None)
            .build()
            .into();
        Http { agent }
    }

    /// `GET`
    pub fn get(&self, url: &str) -> Result<Answer, NoAnswer> {
        self.send("GET", url, "")
    }

    /// Sends a JSON body; an empty text is none. `_bulk` takes lines of it.
    pub fn send(&self, method: &str, url: &str, body: &str) -> Result<Answer, NoAnswer> {
        let kind = match url.contains("/_bulk") {
            true => "application/x-ndjson",
            false => "application/json",
        };
        let method: Method = method.parse().map_err(|_| NoAnswer {
            never_sent: true,
            reason: format!("[{method}] is no method"),
        })?;
        let request = ureq::http::Request::builder().method(method).uri(url);
        let sent = match body.is_empty() {
            true => self.run(request.body(())),
            false => self.run(request.header("content-type", kind).body(body)),
        };
        let mut answer = sent.map_err(no_answer)?;
        let status = answer.status().as_u16();
        let body = answer
            .body_mut()
            .with_config()
            .limit(256 << 20)
            .read_to_string()
            .map_err(|error| NoAnswer {
                never_sent: false,
                reason: error.to_string(),
            })?;
        Ok(Answer { status, body })
    }

    fn run<B: ureq::AsSendBody>(
        &self,
        request: Result<ureq::http::Request<B>, ureq::http::Error>,
    ) -> Result<ureq::http::Response<ureq::Body>, ureq::Error> {
        let request = self
            .agent
            .configure_request(request?)
            .allow_non_standard_methods(true);
        self.agent.run(request.build())
    }
}

fn no_answer(error: ureq::Error) -> NoAnswer {
    let never_sent = match &error {
        ureq::Error::ConnectionFailed => true,
        ureq::Error::Io(error) => error.kind() == std::io::ErrorKind::ConnectionRefused,
        _ => false,
    };
    NoAnswer {
        never_sent,
        reason: error.to_string(),
    }
}
