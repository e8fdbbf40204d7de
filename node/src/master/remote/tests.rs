//! Nodes and masters in one process, over real connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;

use super::*;
use crate::cluster::{NodeId, ShardState};
use crate::master::raft::testing::{Group, SOON, until};
use crate::master::testing::{create, node};
use crate::sys::clock::SystemClock;
use crate::sys::rng;

/// Opens every copy that is to be on its node at once.
struct Opens {
    node: NodeId,
    applied: AtomicU64,
}

#[async_trait]
impl StateApplier for Opens {
    async fn apply(&self, state: &Arc<ClusterState>) -> AppliedState {
        let before = self.applied.swap(state.version, Ordering::SeqCst);
        assert!(before <= state.version, "states do not go back");
        let mut reports = Vec::new();
        for (name, shards) in &state.routing.indices {
            for (shard, copies) in shards.iter().enumerate() {
                for copy in copies.iter().filter(|copy| copy.is_on(&self.node)) {
                    if copy.state == ShardState::Initializing {
                        reports.push(ShardReport {
                            index_uuid: state.indices[name].uuid.clone(),
                            shard: shard as u32,
                            allocation_id: copy.allocation_id.clone().unwrap(),
                            primary_term: None,
                            failure: None,
                        });
                    }
                }
            }
        }
        AppliedState { reports }
    }
}

fn connect(group: &Group, name: &str, roles: &[&str]) -> Arc<RemoteMasters> {
    let mut info = node(name);
    info.ephemeral_id = rng::uuid22();
    info.roles = roles.iter().map(|role| (*role).to_owned()).collect();
    RemoteMasters::connect(RemoteParts {
        // one is enough: the others are found
        addresses: vec![group.seats[0].grpc_address.clone()],
        cluster_name: "c".to_owned(),
        applier: Arc::new(Opens {
            node: info.id.clone(),
            applied: AtomicU64::new(0),
        }),
        node: info,
        usage: Arc::new(|| None),
        clock: Arc::new(SystemClock::new()),
    })
}

async fn started(masters: &RemoteMasters, index: &str) -> Arc<ClusterState> {
    let is_started = |state: &Arc<ClusterState>| {
        let primary = state.routing.primary(index, 0);
        primary.is_some_and(|primary| primary.state == ShardState::Started)
    };
    let mut states = masters.watch();
    let state = tokio::time::timeout(SOON, states.wait_for(is_started)).await;
    state.unwrap().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_join_follow_serve_under_a_lease_and_outlive_the_leader() {
    let mut group = Group::of(3).await;
    let data = connect(&group, "data-1", &["data"]);
    let rest = connect(&group, "rest-1", &["ingest"]);
    for masters in [&data, &rest] {
        tokio::time::timeout(SOON, masters.joined()).await.unwrap();
        until("a lease", || masters.lease().is_valid().then_some(())).await;
    }
    let state = rest.submit(create("a")).await.unwrap();
    // answered when everybody followed it
    assert!(state.index("a").is_some() && data.state().index("a").is_some());
    let state = started(&rest, "a").await;
    let primary = state.routing.primary("a", 0).unwrap();
    assert!(primary.is_on(&data.node.id));

    // it was told of one master, and finds the others in the state
    until("all masters and nodes", || {
        (rest.state().nodes.len() == 5).then_some(())
    })
    .await;
    let leader = group.leader().unwrap();
    group.stop(leader).await;
    group.leader_besides(leader).await;
    let state = rest.submit(create("b")).await.unwrap();
    assert!(state.index("a").is_some() && state.index("b").is_some());
    started(&data, "b").await;
    until("a lease of the new leader", || {
        data.lease().is_valid().then_some(())
    })
    .await;
    data.close().await;
    assert!(!data.lease().is_valid());
    let gone = |state: &Arc<ClusterState>| !state.nodes.contains_key(&data.node.id);
    let mut states = rest.watch();
    tokio::time::timeout(SOON, states.wait_for(gone))
        .await
        .unwrap()
        .unwrap();
    rest.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_who_votes_and_what_is_newest_is_asked_of_the_leader() {
    let group = Group::of(2).await;
    let rest = connect(&group, "rest-1", &["ingest"]);
    tokio::time::timeout(SOON, rest.joined()).await.unwrap();
    let leader = group.leader().unwrap();
    let made = group.master(leader).submit(create("a")).await.unwrap();
    let read = rest.current(SOON).await.unwrap();
    assert!(read.version >= made.version && read.index("a").is_some());
    let electorate = rest.electorate().await.unwrap();
    assert_eq!(electorate.voters, ["master-1", "master-2"]);
    assert!(electorate.term > 0);
    assert!(rest.pending_at_leader().await.unwrap().tasks.is_empty());

    // the other has no majority without it: nobody else comes to lead, and nothing is agreed on
    group.isolate(leader);
    let cut_off = group.master(leader).clone();
    let waits = tokio::spawn(async move { cut_off.submit(create("b")).await });
    let end = Instant::now() + SOON;
    loop {
        let pending = rest.pending_at_leader().await.unwrap_or_default();
        if let Some(task) = pending.tasks.first() {
            assert!(task.source.contains("[b]"), "{}", task.source);
            break;
        }
        assert!(Instant::now() < end, "nothing waits");
    }
    while rest.current(Duration::ZERO).await.is_ok() {
        assert!(
            Instant::now() < end,
            "a leader that nobody confirms is believed"
        );
    }
    until("no leader", || (!rest.has_leader()).then_some(())).await;
    group.heal();
    let made = waits.await.unwrap().unwrap();
    let read = rest.current(SOON).await.unwrap();
    assert!(read.version >= made.version && read.index("b").is_some());
    until("a leader", || rest.has_leader().then_some(())).await;
    rest.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_falls_silent_has_no_lease_when_it_is_removed() {
    let group = Group::of(1).await;
    let data = connect(&group, "data-1", &["data"]);
    let rest = connect(&group, "rest-1", &["ingest"]);
    for masters in [&data, &rest] {
        tokio::time::timeout(SOON, masters.joined()).await.unwrap();
    }
    until("a lease", || data.lease().is_valid().then_some(())).await;
    let ephemeral_id = data.node.ephemeral_id.clone();
    data.links.cut(&[group.seats[0].grpc_address.clone()]);
    let mut states = rest.watch();
    let is_gone = |state: &Arc<ClusterState>| !state.nodes.contains_key(&data.node.id);
    tokio::time::timeout(SOON, states.wait_for(is_gone))
        .await
        .unwrap()
        .unwrap();
    assert!(!data.lease().is_valid(), "removed while it had a lease");
    data.links.cut(&[]);
    let is_back = |state: &Arc<ClusterState>| {
        let known = state.nodes.get(&data.node.id);
        known.is_some_and(|known| known.ephemeral_id == ephemeral_id)
    };
    tokio::time::timeout(SOON, states.wait_for(is_back))
        .await
        .unwrap()
        .unwrap();
    until("a lease again", || data.lease().is_valid().then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_of_another_cluster_is_refused_and_people_can_look_at_the_group() {
    let group = Group::of(1).await;
    let address = group.seats[0].grpc_address.clone();
    let other = RemoteMasters::connect(RemoteParts {
        addresses: vec![address.clone()],
        cluster_name: "another".to_owned(),
        node: node("data-1"),
        applier: Arc::new(Opens {
            node: NodeId("data-1".to_owned()),
            applied: AtomicU64::new(0),
        }),
        usage: Arc::new(|| None),
        clock: Arc::new(SystemClock::new()),
    });
    let reason = tokio::time::timeout(SOON, other.refused()).await.unwrap();
    assert!(
        reason.contains("[c]") && reason.contains("[another]"),
        "{reason}"
    );
    other.close().await;
    let members = list_masters(&address).await.unwrap();
    assert_eq!(members.len(), 1);
    assert!(members[0].is_leader && members[0].is_voter);
    let found = health(&address).await.unwrap();
    assert_eq!(
        (found.role.as_str(), found.leader.as_str()),
        ("leader", "master-1")
    );
    let refused = remove_master(&address, "c", "master-1").await.unwrap_err();
    assert!(refused.reason.contains("only master"), "{refused}");
    let refused = add_master(&address, "c", "127.0.0.1:1").await.unwrap_err();
    assert!(refused.reason.contains("127.0.0.1:1"), "{refused}");
}
