//! How a group of masters comes to be.
//!
//! One master, the one that is told to (`BOOTSTRAP`), founds the cluster: when its own data directory is empty, a majority
//! of the configured masters answers (itself counted), and none of them belongs to a cluster. It begins as the only voter.
//! When several are told to, the one with the lowest number of those that answer founds it, and the others join it; where
//! they cannot hear each other each founds its own, so one is told to.
//! Every other master asks to be taken in, again and again, until it is a voter.
//!
//! Who a member is, is the random number of its data directory. An empty directory is another member, whatever its name and
//! address: the votes that the old one gave are forgotten, so it must not vote in its place.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use openraft::async_runtime::watch::WatchReceiver;
use quidditch_proto::raft::{Identity, JoinRequest, join_response};
use tokio::time::Instant;
use tonic::Code;
use tracing::{debug, info, warn};

use super::{OpenRaftError, RaftMaster};
use crate::master::links::within;
use crate::wire::raft::node_to;

/// How often a master that belongs nowhere looks around.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How often one looks that is excluded from voting.
const LOOK_WHILE_EXCLUDED: Duration = Duration::from_secs(10);
/// By when the leader has taken a master in.
const JOIN_TIMEOUT: Duration = Duration::from_secs(120);
/// How often people are told that a master still waits.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// One of the configured masters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PeerAddress {
    name: Option<String>,
    address: String,
}

/// Reads `host:port` and `name=host:port`.
pub(super) fn parse_peers(peers: &[String]) -> Result<Vec<PeerAddress>, OpenRaftError> {
    let mut parsed = Vec::with_capacity(peers.len());
    for peer in peers {
        let bad = || OpenRaftError::Peer(peer.clone());
        let (name, address) = match peer.trim().split_once('=') {
            Some((name, address)) => (Some(name.trim().to_owned()), address.trim()),
            None => (None, peer.trim()),
        };
        let (host, port) = address.rsplit_once(':').ok_or_else(bad)?;
        if host.is_empty() || port.parse::<u16>().is_err() || name.as_deref() == Some("") {
            return Err(bad());
        }
        parsed.push(PeerAddress {
            name,
            address: address.to_owned(),
        });
    }
    Ok(parsed)
}

/// Founds the cluster or joins it; ends when this master votes, or was taken out of its group.
pub(super) async fn form(master: Arc<RaftMaster>, peers: Vec<PeerAddress>) {
    let looking = look_around(&master, &peers);
    tokio::select! {
        () = master.stopped() => {}
        () = looking => {}
    }
}

async fn look_around(master: &RaftMaster, peers: &[PeerAddress]) {
    let mut told = Instant::now();
    loop {
        let server = master.raft.server_metrics().borrow_watched().clone();
        let membership = server.membership_config.membership();
        let is_voter = membership.voter_ids().any(|id| id == master.raft_id);
        let is_learner = membership.learner_ids().any(|id| id == master.raft_id);
        if is_voter {
            return;
        }
        // One that has a vote on disk may have been stopped while it was taken in, before the group told it that it is a member.
        if !is_learner && master.log.was_member() {
            warn!("this master was taken out of its group, and does not come back by itself");
            return;
        }
        let founds = master.bootstraps && !master.log.is_initialized();
        let step = step(master, peers, founds).await;
        if let Err(waits_for) = step
            && told.elapsed() > TELL_EVERY
        {
            told = Instant::now();
            info!(waits_for, "this master has no vote yet");
        }
        // the leader gives an excluded one its vote back by itself
        let is_excluded = master.excludes(&master.own.name) && is_learner;
        let pause = match is_excluded {
            true => LOOK_WHILE_EXCLUDED,
            false => LOOK_EVERY,
        };
        tokio::time::sleep(pause).await;
    }
}

/// Does what can be done now; the error says what is waited for.
async fn step(master: &RaftMaster, peers: &[PeerAddress], bootstrap: bool) -> Result<(), String> {
    let others: Vec<&PeerAddress> = peers
        .iter()
        .filter(|peer| {
            peer.address != master.own.raft_address && peer.name.as_ref() != Some(&master.own.name)
        })
        .collect();
    let asked = join_all(others.iter().map(|peer| master.identify(&peer.address))).await;
    let mut found: BTreeMap<u64, (&str, Identity)> = BTreeMap::new();
    let mut is_own_address = 0;
    let mut refused = None;
    for (peer, answer) in others.iter().zip(asked) {
        match answer {
            // this very process, at an address that it does not know it has
            Ok(identity) if identity.raft_id == master.raft_id => is_own_address += 1,
            Ok(identity) => {
                found.insert(identity.raft_id, (&peer.address, identity));
            }
            Err(status) if status.code() == Code::FailedPrecondition => {
                refused = Some(format!("[{}]: {}", peer.address, status.message()));
            }
            Err(_) => {}
        }
    }
    if let Some(reason) = refused {
        // among masters that take each other for one cluster, whoever does not is the one that is wrong
        if found.is_empty() {
            master.fail(reason.clone());
            return Err(reason);
        }
        debug!(reason, "a configured master is not of this cluster");
    }
    let formed = found.values().find(|(_, identity)| identity.is_initialized);
    if let Some((address, _)) = formed {
        return join(master, address).await;
    }
    if !bootstrap {
        return Err("a master that belongs to a cluster; none of those configured does".to_owned());
    }
    if let Some(first) = founds_first(master.raft_id, found.values().map(|(_, identity)| identity))
    {
        return Err(format!(
            "[{first}] to found the cluster, which is told to as well"
        ));
    }
    let all = others.len() - is_own_address + 1;
    let here = found.len() + 1;
    if here <= all / 2 {
        return Err(format!(
            "a majority of {all} masters to found a cluster; {here} answer"
        ));
    }
    info!(
        masters = all,
        answering = here,
        "founding the group of masters"
    );
    let first = BTreeMap::from([(master.raft_id, master.own.clone())]);
    let founded = master.raft.initialize(first).await;
    founded.map_err(|error| format!("the cluster to be founded: {error}"))
}

/// The master that founds the cluster rather than the one with the number `own`.
fn founds_first<'a>(own: u64, mut found: impl Iterator<Item = &'a Identity>) -> Option<String> {
    let first = found.find(|peer| peer.bootstraps && peer.raft_id < own)?;
    Some(
        first
            .node
            .as_ref()
            .map_or(String::new(), |node| node.name.clone()),
    )
}

/// Asks a member to be taken in.
async fn join(master: &RaftMaster, address: &str) -> Result<(), String> {
    let waits = |reason: &str| format!("being taken in: {reason}");
    let request = JoinRequest {
        cluster_name: master.cluster_name.clone(),
        raft_id: master.raft_id,
        node: Some(node_to(&master.own)),
        hops: 0,
    };
    let mut client = master
        .links
        .raft(address)
        .map_err(|status| waits(status.message()))?;
    let answer = within(JOIN_TIMEOUT, client.join(request)).await;
    let answer = answer.map_err(|status| waits(status.message()))?;
    match answer.outcome {
        Some(join_response::Outcome::Joined(_)) => Ok(()),
        Some(join_response::Outcome::NotNow(reason)) => Err(waits(&reason)),
        Some(join_response::Outcome::Refused(reason)) => {
            warn!(reason, "this master is not taken into the group");
            Err(waits(&reason))
        }
        None => Err(waits("an answer without an outcome")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_that_are_told_to_found_the_cluster_one_does() {
        let peer = |raft_id, bootstraps| Identity {
            raft_id,
            bootstraps,
            ..Identity::default()
        };
        let all = [peer(3, true), peer(1, false), peer(7, true)];
        let founds = |own| {
            let others = all.iter().filter(|peer| peer.raft_id != own);
            founds_first(own, others).is_none()
        };
        assert!(founds(3) && !founds(7));
    }

    #[test]
    fn peers_have_addresses_and_maybe_names() {
        let given = |text: &str| parse_peers(&[text.to_owned()]);
        let parsed = given(" master-1 = m1:9300").unwrap();
        assert_eq!(parsed[0].name.as_deref(), Some("master-1"));
        assert_eq!(parsed[0].address, "m1:9300");
        assert_eq!(given("[::1]:9300").unwrap()[0].address, "[::1]:9300");
        for bad in ["m1", "m1:", ":9300", "m1:99999", "=m1:9300", "m1:raft"] {
            assert!(given(bad).is_err(), "{bad}");
        }
    }
}
