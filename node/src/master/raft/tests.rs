//! Three masters in one process, over real connections.

use std::sync::atomic::Ordering;
use std::time::Duration;

use openraft::storage::RaftLogStorage;
use quidditch_engine::directory::faulty::Disk;
use tokio::time::Instant;

use super::members::MembershipError;
use super::testing::{Group, SOON, until, voters};
use super::types::Vote;
use super::*;
use crate::cluster::node::VotingExclusion;
use crate::master::publish::Since;
use crate::master::testing::create;
use crate::wire::batch::Batch;
use crate::wire::raft::{log_id_to, vote_to};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_masters_agree_lose_their_leader_and_come_back_from_disk() {
    let mut group = Group::of(3).await;
    let leader = group.leader().unwrap();
    let uuid = group.master(leader).state().cluster_uuid.clone();
    assert_eq!(uuid.len(), 22);
    // any master takes a command
    for (at, name) in [(0, "a"), (1, "b"), (2, "c")] {
        let state = group.master(at).submit(create(name)).await.unwrap();
        assert!(
            state.index(name).is_some(),
            "{name} is in the state that was answered"
        );
    }
    let refused = group
        .master((leader + 1) % 3)
        .submit(create("a"))
        .await
        .unwrap_err();
    assert_eq!(
        refused.kind, "resource_already_exists_exception",
        "refusals travel"
    );
    group.agreed().await;

    group.stop(leader).await;
    let next = group.leader_besides(leader).await;
    let state = group.master(next).submit(create("d")).await.unwrap();
    assert_eq!(
        state.indices.keys().collect::<Vec<_>>(),
        ["a", "b", "c", "d"]
    );
    assert_eq!(state.master, group.master(next).node.id);

    group.start(leader).await;
    group.formed().await;
    group.agreed().await;
    for at in 0..3 {
        group.stop(at).await;
    }
    for at in 0..3 {
        group.start(at).await;
    }
    group.formed().await;
    group.agreed().await;
    let state = group.master(1).state();
    assert_eq!(state.cluster_uuid, uuid);
    assert_eq!(
        state.indices.keys().collect::<Vec<_>>(),
        ["a", "b", "c", "d"]
    );
    let state = group.master(2).submit(create("e")).await.unwrap();
    assert_eq!(state.indices.len(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_cut_off_commits_nothing_and_the_others_go_on() {
    let group = Group::of(3).await;
    let old = group.leader().unwrap();
    let before = group.master(old).submit(create("before")).await.unwrap();
    group.isolate(old);
    let cut_off = group.master(old).clone();
    let lost = tokio::spawn(async move {
        let wait = Some(Duration::from_secs(60));
        cut_off.submit_within(create("during"), wait).await
    });
    let new = group.leader_besides(old).await;
    let state = group.master(new).submit(create("after")).await.unwrap();
    assert!(state.version > before.version);
    let there = group.master(old).state();
    assert!(there.index("during").is_none() && there.index("after").is_none());
    let heard = group.master(old).heartbeat(proto::HeartbeatRequest {
        node_id: "n".to_owned(),
        ..proto::HeartbeatRequest::default()
    });
    assert!(
        heard.not_leader && heard.lease_ms == 0,
        "no lease from a leader that nobody confirms"
    );

    group.heal();
    // the request is tried again, under its name, of whoever leads now
    let state = lost.await.unwrap().unwrap();
    assert!(state.index("during").is_some() && state.index("after").is_some());
    group.agreed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_cut_off_answers_nothing_from_its_old_state() {
    let group = Group::of(3).await;
    let old = group.leader().unwrap();
    let master = group.master(old);
    master.submit(create("a")).await.unwrap();
    group.isolate(old);
    until("a leader that nobody confirms", || {
        (!master.leads_alone()).then_some(())
    })
    .await;
    // what changes nothing, and what is refused
    for command in [Command::ReportShards(Vec::new()), create("a")] {
        let wait = Some(Duration::from_millis(100));
        let answer = master.submit_within(command, wait).await;
        assert_eq!(answer.unwrap_err().status, 503);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_was_started_again_does_not_vote_at_once_for_it_has_forgotten_its_leader() {
    let mut group = Group::of(3).await;
    let leader = group.leader().unwrap();
    let (forgetful, other) = ((leader + 1) % 3, (leader + 2) % 3);
    // nothing is put into the log any more
    until("three masters in the state", || {
        (group.master(leader).state().nodes.len() == 3).then_some(())
    })
    .await;
    group.agreed().await;
    let asks = group.master(other).raft.metrics().borrow_watched().clone();
    // nobody tells it of a leader, or of other elections
    group.isolate(forgetful);
    group.stop(forgetful).await;
    group.start(forgetful).await;
    group.isolate(forgetful);
    let is_candidate = group.master(forgetful).raft.config().enable_elect;
    assert!(!is_candidate, "nor does it have itself elected");
    let links = Links::default();
    let address = group.seats[forgetful].raft_address.clone();
    let ask = |leadership_transfer| {
        let request = quidditch_proto::raft::VoteRequest {
            target: group.master(forgetful).raft_id,
            vote: Some(vote_to(&Vote::new(asks.current_term + 1, asks.id))),
            last_log_id: asks.last_applied.as_ref().map(log_id_to),
            leadership_transfer,
        };
        let mut client = links.raft(&address).unwrap();
        async move { client.pre_vote(request).await }
    };
    let early = ask(false).await;
    // unless the machine took so long for it that it may vote already
    if Instant::now() < group.master(forgetful).votes_from {
        assert_eq!(early.unwrap_err().code(), tonic::Code::Unavailable);
    }
    assert!(
        ask(true).await.is_ok(),
        "a leader that goes by itself counts on nobody"
    );
    tokio::time::sleep_until(group.master(forgetful).votes_from).await;
    let later = ask(false).await.unwrap().into_inner();
    assert!(later.vote_granted, "{later:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_health_check_says_whether_a_leader_is_known() {
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_check_response::ServingStatus;
    use tonic_health::pb::health_client::HealthClient;

    let mut group = Group::of(2).await;
    let leader = group.leader().unwrap();
    let other = group.seats[1 - leader].grpc_address.clone();
    let endpoint = tonic::transport::Channel::from_shared(format!("http://{other}")).unwrap();
    let mut client = HealthClient::new(endpoint.connect().await.unwrap());
    let end = Instant::now() + SOON;
    for wanted in [ServingStatus::Serving, ServingStatus::NotServing] {
        loop {
            let asked = HealthCheckRequest::default();
            let answer = client.check(asked).await.unwrap().into_inner();
            if answer.status() == wanted {
                break;
            }
            assert!(Instant::now() < end, "waiting for {wanted:?}");
        }
        if wanted == ServingStatus::Serving {
            // without it the other has no majority
            group.stop(leader).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_shall_not_vote_leads_no_more() {
    let group = Group::of(3).await;
    let old = group.leader().unwrap();
    until("all masters in the state", || {
        let state = group.master(old).state();
        (state.nodes.len() == 3).then_some(())
    })
    .await;
    let name = group.master(old).node.name.clone();
    let excluded = Command::ExcludeVoters(vec![VotingExclusion {
        node_id: "_absent_".to_owned(),
        node_name: name.clone(),
    }]);
    group.master(old).submit(excluded).await.unwrap();
    let next = group.leader_besides(old).await;
    let left = until("two voters", || {
        let voters = voters(group.master(next));
        (voters.len() == 2).then_some(voters)
    })
    .await;
    assert!(left.values().all(|voter| *voter != name), "{left:?}");
    let state = group.master(old).submit(create("a")).await.unwrap();
    assert_eq!(state.master, group.master(next).node.id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_tried_again_happens_once() {
    let group = Group::of(1).await;
    let master = group.master(0);
    let request = [7; 16];
    let (version, _) = master.decide(request, create("a"), None, 0).await.unwrap();
    let (again, _) = master.decide(request, create("a"), None, 0).await.unwrap();
    assert_eq!(again, version);
    let other = master
        .decide([8; 16], create("a"), None, 0)
        .await
        .unwrap_err();
    assert_eq!(other.kind, "resource_already_exists_exception");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_that_are_too_large_together_are_carried_out_one_by_one() {
    let group = Group::of(1).await;
    let master = group.master(0);
    // one index fits, two do not
    master.change_bytes_max.store(4_000, Ordering::Relaxed);
    let names: Vec<String> = (0..8).map(|n| format!("i{n}")).collect();
    let asked = names.iter().map(|name| master.submit(create(name)));
    for answer in futures::future::join_all(asked).await {
        answer.unwrap();
    }
    let many = Command::PutPipeline {
        id: "p".to_owned(),
        pipeline: Some(serde_json::Value::String("x".repeat(4_000))),
    };
    assert_eq!(master.submit(many).await.unwrap_err().status, 400);
    assert!(master.pending().tasks.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_with_an_empty_directory_takes_the_place_of_the_one_it_was() {
    let mut group = Group::of(3).await;
    let gone = (group.leader().unwrap() + 1) % 3;
    let old_id = group.master(gone).raft_id;
    group.master(gone).submit(create("a")).await.unwrap();
    group.stop(gone).await;
    group.seats[gone].dir = tempfile::tempdir().unwrap();
    group.start(gone).await;
    let new_id = group.master(gone).raft_id;
    assert_ne!(new_id, old_id, "an empty directory is another member");
    until("the new one in the place of the old one", || {
        let mut all = group.running().map(|(_, master)| voters(master));
        let is_replaced = |voters: std::collections::BTreeMap<u64, String>| {
            voters.len() == 3 && voters.contains_key(&new_id) && !voters.contains_key(&old_id)
        };
        all.all(is_replaced).then_some(())
    })
    .await;
    group.agreed().await;
    assert!(group.master(gone).state().index("a").is_some());
    let members = group.master(gone).members();
    let name = &group.seats[gone].name;
    assert_eq!(
        members.iter().filter(|member| member.name == *name).count(),
        1
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_taken_out_has_another_one_lead_first_which_takes_it_out() {
    let group = Group::of(3).await;
    let leader = group.leader().unwrap();
    let name = group.seats[leader].name.clone();
    let first = group.master(leader).dismiss(&name).await.unwrap_err();
    assert!(!group.master(leader).leads());
    let next = group.leader_besides(leader).await;
    let address = &group.seats[next].grpc_address;
    assert_eq!(first, MembershipError::LedBy(address.clone()));
    group.master(next).dismiss(&name).await.unwrap();
    until("two masters that vote", || {
        (voters(group.master(next)).len() == 2).then_some(())
    })
    .await;
    group.master(next).submit(create("a")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vote_is_not_taken_away_when_the_others_are_no_majority() {
    let mut group = Group::of(3).await;
    let leader = group.leader().unwrap();
    group.stop((leader + 1) % 3).await;
    let other = group.seats[(leader + 2) % 3].name.clone();
    let master = group.master(leader);
    let refused = master.dismiss(&other).await.unwrap_err();
    assert!(
        matches!(&refused, MembershipError::Refused(reason) if reason.contains("majority")),
        "{refused}"
    );
    let exclusion = VotingExclusion {
        node_id: "_absent_".to_owned(),
        node_name: other,
    };
    let excludes = Command::ExcludeVoters(vec![exclusion]);
    master.submit(excludes).await.unwrap();
    assert_eq!(master.align_votes().await, Ok(false));
    master.submit(create("a")).await.unwrap();
    assert_eq!(voters(master).len(), 3);
    // the one that does not answer may go
    let gone = group.seats[(leader + 1) % 3].name.clone();
    master.dismiss(&gone).await.unwrap();
    master.submit(create("b")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_was_stopped_while_it_was_taken_in_asks_again() {
    let mut group = Group::seats(3).await;
    let directory = Arc::new(FsDirectory::open(group.seats[2].dir.path()).unwrap());
    let mut log = LogStore::open(directory).unwrap();
    // all that was on its disk: a snapshot comes with the vote of the leader
    log.save_vote(&Vote::new(1, 1)).await.unwrap();
    log.close().unwrap();
    drop(log);
    // the leader that it heard of was there before it
    group.start(0).await;
    group.start(1).await;
    until("a leader", || group.leader()).await;
    group.start(2).await;
    group.formed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_was_taken_out_does_not_come_back_by_itself() {
    let mut group = Group::of(3).await;
    let leader = group.leader().unwrap();
    let gone = (leader + 1) % 3;
    let name = group.seats[gone].name.clone();
    group.master(leader).dismiss(&name).await.unwrap();
    group.stop(gone).await;
    group.start(gone).await;
    let looking = formation::form(group.master(gone).clone(), Vec::new());
    tokio::time::timeout(SOON, looking).await.unwrap();
    assert_eq!(voters(group.master(leader)).len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_of_another_cluster_is_refused_by_name() {
    let mut group = Group::seats(3).await;
    group.start(0).await;
    group.start(2).await;
    let other = group.open(1, "another").await.unwrap();
    let reason = tokio::time::timeout(SOON, other.failed()).await.unwrap();
    assert!(
        reason.contains("[c]") && reason.contains("[another]"),
        "{reason}"
    );
    other.close().await;
    group.formed().await;
    group.stop(0).await;
    let reason = group.open(0, "renamed").await.err().unwrap().to_string();
    assert!(
        reason.contains("[c]") && reason.contains("[renamed]"),
        "{reason}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_lags_far_behind_comes_back_by_a_snapshot() {
    let mut group = Group::of(3).await;
    let lagging = (group.leader().unwrap() + 1) % 3;
    group.stop(lagging).await;
    let leader = group.leader().unwrap();
    let master = group.master(leader).clone();
    let mut have = master.publisher.newest();
    for round in 0..20 {
        master.submit(create(&format!("i{round}"))).await.unwrap();
    }
    let Since::Changes(changes) = master.publisher.since(have.state.version, have.hash) else {
        panic!("they are few");
    };
    for (change, version) in changes.iter().zip(have.state.version + 1..) {
        assert_eq!(change.version, version, "in order, without gaps");
        have = have.after(&Batch::decode(&change.batch).unwrap(), &change.batch);
    }
    assert_eq!(Some(have.hash), changes.last().map(|change| change.hash));
    let last = master.raft_status().applied.unwrap();
    master.raft.trigger().snapshot().await.unwrap();
    until("a snapshot", || {
        master
            .raft_status()
            .snapshot
            .filter(|snapshot| *snapshot >= last)
    })
    .await;
    master.raft.trigger().purge_log(last).await.unwrap();
    until("a purged log", || {
        (master.log.first_index().is_none_or(|first| first > last)).then_some(())
    })
    .await;
    group.start(lagging).await;
    group.formed().await;
    group.agreed().await;
    assert!(group.master(lagging).raft_status().snapshot >= Some(last));
    let end = Instant::now() + SOON;
    while group.master(lagging).state().index("i19").is_none() {
        assert!(Instant::now() < end);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_of_few_large_entries_is_shortened() {
    let group = Group::of(1).await;
    let master = group.master(0);
    for round in 0..20 {
        master.submit(create(&format!("i{round}"))).await.unwrap();
    }
    let all = master.log.entry_bytes();
    let end = Instant::now() + SOON;
    while master.log.entry_bytes() > all / 2 {
        assert!(Instant::now() < end);
        master.shorten_log(all / 2).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(master.log.entry_bytes() > all / 8, "the newest stay");
    master.submit(create("after")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_whose_disk_fails_ends_with_a_clear_message() {
    let group = Group::seats(1).await;
    let disk = Disk::new();
    let parts = group.parts(0, "c").await;
    let opened = RaftMaster::open_in(parts, disk.directory("raft")).await;
    let master = opened.unwrap();
    master.submit(create("a")).await.unwrap();
    disk.fail_sync(disk.syncs());
    let wait = Some(Duration::from_secs(5));
    let refused = master.submit_within(create("b"), wait).await.unwrap_err();
    assert_eq!(refused.status, 503, "{refused}");
    let reason = tokio::time::timeout(SOON, master.failed()).await.unwrap();
    assert!(reason.contains("journal-"), "{reason}");
    master.close().await;
}
