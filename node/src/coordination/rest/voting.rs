//! `_cluster/voting_config_exclusions`: masters that shall have no vote, before they are taken away.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use hyper::Method;

use super::endpoints::CHANGE_PARAMS;
use super::index_params::{change, timeouts};
use super::{App, Endpoint, RestError, RestRequest, RestResponse};
use crate::cluster::names::matches_pattern;
use crate::cluster::{ClusterState, NodeInfo, VotingExclusion};
use crate::master::Command;

pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        name: "cluster.post_voting_config_exclusions",
        routes: &[(Method::POST, "/_cluster/voting_config_exclusions")],
        params: &[CHANGE_PARAMS, &["node_ids", "node_names"]],
        handler: |app, request| Box::pin(exclude(app, request)),
    },
    Endpoint {
        name: "cluster.delete_voting_config_exclusions",
        routes: &[(Method::DELETE, "/_cluster/voting_config_exclusions")],
        params: &[CHANGE_PARAMS, &["wait_for_removal"]],
        handler: |app, request| Box::pin(clear(app, request)),
    },
];

/// What stands for the half of an exclusion that nobody knows.
const ABSENT: &str = "_absent_";

/// How often the masters are asked who votes.
const VOTERS_LOOK: Duration = Duration::from_millis(100);

async fn exclude(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    let timeout = timeouts(&request.params)?;
    let ids = request.params.list("node_ids");
    let names = request.params.list("node_names");
    if ids.is_empty() == names.is_empty() {
        return Err(RestError::illegal_argument(
            "You must set [node_names] or [node_ids] but not both",
        ));
    }
    let state = app.state();
    let mut exclusions = Vec::new();
    for id in &ids {
        exclusions.extend(named(
            &state,
            id,
            |node| &node.id.0,
            |id| VotingExclusion {
                node_id: id.to_owned(),
                node_name: ABSENT.to_owned(),
            },
        ));
    }
    for name in &names {
        exclusions.extend(named(
            &state,
            name,
            |node| &node.name,
            |name| VotingExclusion {
                node_id: ABSENT.to_owned(),
                node_name: name.to_owned(),
            },
        ));
    }
    if exclusions.is_empty() {
        return Err(RestError::illegal_argument(format!(
            "add voting config exclusions request for [{}] matched no cluster-manager-eligible nodes",
            ids.iter()
                .chain(&names)
                .cloned()
                .collect::<Vec<_>>()
                .join(", ")
        )));
    }
    let command = Command::ExcludeVoters(exclusions.clone());
    let state = change(&app, &request.params, command).await?.state;
    let vote_no_more = async {
        while !app.masters.electorate().await.is_ok_and(|electorate| {
            let mut voters = electorate.voters.iter();
            !voters.any(|voter| is_excluded(&state, &exclusions, voter))
        }) {
            tokio::time::sleep(VOTERS_LOOK).await;
        }
    };
    if tokio::time::timeout(timeout, vote_no_more).await.is_err() {
        let named = exclusions
            .iter()
            .map(|exclusion| format!("{{{}}}{{{}}}", exclusion.node_name, exclusion.node_id));
        return Err(RestError::new(
            503,
            "timeout_exception",
            format!(
                "timed out waiting for voting config exclusions [{}] to take effect",
                named.collect::<Vec<_>>().join(", ")
            ),
        ));
    }
    Ok(RestResponse::empty(200))
}

/// Whether the master with this name is one of the excluded.
fn is_excluded(state: &ClusterState, exclusions: &[VotingExclusion], name: &str) -> bool {
    let id = state.node_named(name).map(|node| &node.id);
    exclusions.iter().any(|one| one.covers(id, name))
}

/// The masters that a text names; one that is not there (yet) is excluded by its text alone.
fn named(
    state: &ClusterState,
    text: &str,
    of: fn(&NodeInfo) -> &String,
    absent: fn(&str) -> VotingExclusion,
) -> Vec<VotingExclusion> {
    let mut found = Vec::new();
    let mut is_known = text.contains('*');
    for node in state.nodes.values() {
        if !matches_pattern(text, of(node)) {
            continue;
        }
        is_known = true;
        if node.is_master_eligible() {
            found.push(VotingExclusion {
                node_id: node.id.0.clone(),
                node_name: node.name.clone(),
            });
        }
    }
    if !is_known {
        found.push(absent(text));
    }
    found
}

async fn clear(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    let timeout = timeouts(&request.params)?;
    if request.params.bool("wait_for_removal", true)? {
        let excluded: BTreeSet<String> = app
            .state()
            .voting_exclusions
            .iter()
            .map(|exclusion| exclusion.node_id.clone())
            .collect();
        let mut states = app.masters.watch();
        let gone = states.wait_for(|state| {
            let mut nodes = state.nodes.keys();
            !nodes.any(|node| excluded.contains(&node.0))
        });
        let limit = timeout.min(Duration::from_secs(86_400));
        if !matches!(tokio::time::timeout(limit, gone).await, Ok(Ok(_))) {
            let ids: Vec<String> = excluded.into_iter().collect();
            return Err(RestError::new(
                503,
                "timeout_exception",
                format!(
                    "timed out waiting for removal of nodes; if nodes should not be removed, set ?wait_for_removal=false. [{}]",
                    ids.join(", ")
                ),
            ));
        }
    }
    change(&app, &request.params, Command::ClearVotingExclusions).await?;
    Ok(RestResponse::empty(200))
}
