//! Parameters that the index and cluster endpoints share.

use std::sync::Arc;
use std::time::Duration;

use super::{App, Params, RestError, RestRequest};
use crate::cluster::{ClusterState, IndicesOptions, ResolvedIndex};
use crate::master::{Changed, Command};

/// How long a change may take, unless the request says otherwise.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Reads `ignore_unavailable`, `allow_no_indices` and `expand_wildcards` over the defaults of an operation.
pub fn indices_options(params: &Params, base: IndicesOptions) -> Result<IndicesOptions, RestError> {
    Ok(base.with_params(
        params.opt_bool("ignore_unavailable")?,
        params.opt_bool("allow_no_indices")?,
        params.get("expand_wildcards"),
    )?)
}

/// The indices of the path variable `index`, with the request's options over `base`.
pub fn resolve(
    app: &App,
    request: &RestRequest,
    base: IndicesOptions,
) -> Result<(Arc<ClusterState>, Vec<ResolvedIndex>), RestError> {
    let options = indices_options(&request.params, base)?;
    let state = app.state();
    let found = state.resolve(request.var("index").unwrap_or(""), &options, app.now_ms())?;
    Ok((state, found))
}

/// The names of resolved indices.
pub fn names(found: &[ResolvedIndex]) -> Vec<String> {
    found
        .iter()
        .map(|resolved| resolved.metadata.name.clone())
        .collect()
}

/// Checks `cluster_manager_timeout`, its older name `master_timeout`, and `timeout`; returns the last.
pub fn timeouts(params: &Params) -> Result<Duration, RestError> {
    if params.has("master_timeout") && params.has("cluster_manager_timeout") {
        return Err(RestError::new(
            400,
            "parse_exception",
            "Please only use one of the request parameters [master_timeout, cluster_manager_timeout].",
        ));
    }
    params.duration("cluster_manager_timeout", TIMEOUT)?;
    params.duration("master_timeout", TIMEOUT)?;
    Ok(params
        .duration("timeout", TIMEOUT)?
        .unwrap_or(Duration::MAX))
}

/// For how long a leader is looked for: `cluster_manager_timeout`, or its older name.
pub fn leader_wait(params: &Params) -> Result<Duration, RestError> {
    let name = match params.has("cluster_manager_timeout") {
        true => "cluster_manager_timeout",
        false => "master_timeout",
    };
    Ok(params.duration(name, TIMEOUT)?.unwrap_or(Duration::MAX))
}

/// Has the masters carry out a command, which has to begin within `cluster_manager_timeout`.
pub async fn change(app: &App, params: &Params, command: Command) -> Result<Changed, RestError> {
    let older = params.duration("master_timeout", TIMEOUT)?;
    let wait = match params.has("cluster_manager_timeout") {
        true => params.duration("cluster_manager_timeout", TIMEOUT)?,
        false => older,
    };
    Ok(app.masters.change_within(command, wait).await?)
}

/// How many copies of each shard have to serve before an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActiveShards {
    /// So many.
    Count(u32),
    /// All that are configured.
    All,
}

impl ActiveShards {
    /// Reads `wait_for_active_shards`; absent means 1.
    pub fn parse(params: &Params) -> Result<ActiveShards, RestError> {
        match params.get("wait_for_active_shards") {
            None | Some("index-setting") => Ok(ActiveShards::Count(1)),
            Some("all" | "-1") => Ok(ActiveShards::All),
            Some(text) => match text.parse::<u32>() {
                Ok(count) => Ok(ActiveShards::Count(count)),
                Err(_) => Err(RestError::illegal_argument(format!(
                    "cannot parse ActiveShardCount[{text}]"
                ))),
            },
        }
    }

    /// Whether every shard of an index has so many copies that serve.
    pub fn is_met(self, state: &ClusterState, index: &str) -> bool {
        let Some(shards) = state.routing.indices.get(index) else {
            return false;
        };
        shards.iter().all(|copies| {
            let active = copies.iter().filter(|copy| copy.is_active()).count();
            let counted = copies.iter().filter(|copy| !copy.is_relocation_target());
            match self {
                ActiveShards::All => active == counted.count(),
                ActiveShards::Count(count) => active >= count as usize,
            }
        })
    }
}

/// Waits until enough copies of all the indices serve; `false` when `timeout` comes first.
pub async fn wait_for_active(
    app: &App,
    indices: &[String],
    wanted: ActiveShards,
    timeout: Duration,
) -> bool {
    let mut states = app.masters.watch();
    let met = states.wait_for(|state| {
        indices
            .iter()
            .all(|index| state.index(index).is_none() || wanted.is_met(state, index))
    });
    matches!(tokio::time::timeout(timeout, met).await, Ok(Ok(_)))
}

/// A body that has to be an object; `None` when there is none.
pub fn body_object(
    request: &RestRequest,
) -> Result<Option<serde_json::Map<String, serde_json::Value>>, RestError> {
    match request.json()? {
        None => Ok(None),
        Some(serde_json::Value::Object(object)) => Ok(Some(object)),
        Some(other) => Err(RestError::new(
            400,
            "parse_exception",
            format!("Failed to parse content to map: expected an object, found [{other}]"),
        )),
    }
}
