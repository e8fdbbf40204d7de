//! Which nodes live, as the leader knows: they tell it each second, and may serve for a while for having told it.
//!
//! A lease runs from the moment when its node *sent* the heartbeat. The leader removes a node only when more than a lease
//! has gone by since it answered the last one, and gives leases only while it knows that nobody else can lead; so no lease
//! lives on when another copy takes over. A new leader waits for as long, for the leases that the one before it gave, and
//! besides, to be on the safe side, for as long as that one took itself for confirmed. A node
//! that lives but does not follow the states gets no lease in the last [`SILENCE_MAX`] before it has to go
//! (`cluster.follower_lag.timeout`), and goes only when the last one that it got is over, however the setting changes. One
//! that was found to be gone is gone: it may wake up while the masters agree on it, and gets no lease before it has joined anew.

use std::collections::BTreeMap;
use std::sync::Weak;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::warn;

use super::RaftMaster;
use crate::cluster::node::NodeUsage;
use crate::cluster::{ClusterState, NodeId};

/// For how long a node may serve for one heartbeat.
pub const LEASE: Duration = Duration::from_secs(3);
/// After so much silence a node is gone: a lease, and a tenth for clocks that do not run alike.
pub const SILENCE_MAX: Duration = Duration::from_millis(3_300);

/// A leader that a majority confirmed so long ago, at most, is the only one: nobody votes for another within a second of
/// hearing from it, and a member that was restarted, and has forgotten whom it heard, does not vote for so long.
pub const CONFIRMED_MAX: Duration = Duration::from_millis(800);

/// A node that does not follow a state for so long is gone.
fn lag_max(state: &ClusterState) -> Duration {
    state.setting_duration("cluster.follower_lag.timeout")
}

/// Lets a master that was started take part in elections once no leader counts any more on what it said before.
pub(super) async fn vote_later(master: Weak<RaftMaster>) {
    let Some(from) = master.upgrade().map(|master| master.votes_from) else {
        return;
    };
    tokio::time::sleep_until(from).await;
    if let Some(master) = master.upgrade() {
        master.raft.runtime_config().elect(true);
    }
}

#[derive(Clone, Debug)]
struct Seen {
    ephemeral_id: String,
    at: Instant,
    /// Version that its shards follow.
    applied: u64,
    /// Since when it follows none of the newer ones.
    behind_since: Option<Instant>,
    /// When it was last given a lease.
    leased: Option<Instant>,
}

impl Seen {
    /// For how long the node has followed no newer state although there is one; `None`: it follows the newest.
    fn lag(&mut self, state: &ClusterState, now: Instant) -> Option<Duration> {
        if self.applied >= state.version {
            self.behind_since = None;
            return None;
        }
        let since = *self.behind_since.get_or_insert(now);
        Some(now.saturating_duration_since(since))
    }
}

/// A node that has to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gone {
    /// Which one.
    pub node: NodeId,
    /// Which run of it.
    pub ephemeral_id: String,
    /// Whether it lives but lags.
    pub is_lagging: bool,
}

/// What was heard of the nodes.
#[derive(Debug, Default)]
struct Nodes {
    seen: BTreeMap<NodeId, Seen>,
    /// Those found to be gone in this reign, and the version in which each had joined: a later one is another membership.
    condemned: BTreeMap<NodeId, Option<u64>>,
    /// When this process last woke up from a pause, in which it could hear of nobody.
    awake: Option<Instant>,
}

impl Nodes {
    fn is_condemned(&self, node: &NodeId, state: &ClusterState) -> bool {
        let joined = state.joined.get(node).copied();
        self.condemned.get(node) == Some(&joined)
    }
}

/// How often a process looks whether it stood still, and by how much a look may be late.
const PAUSE_LOOK: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_millis(800);

/// Notices pauses of this process, as long as the master is there.
pub async fn mind_pauses(master: Weak<RaftMaster>) {
    let mut looked = Instant::now();
    loop {
        tokio::time::sleep(PAUSE_LOOK).await;
        let Some(master) = master.upgrade() else {
            return;
        };
        let now = Instant::now();
        let late = (now - looked).saturating_sub(PAUSE_LOOK);
        if late > PAUSE_MAX {
            warn!(
                late_ms = late.as_millis() as u64,
                "this process stood still; the silence of nodes counts from now on"
            );
            master.liveness.woke(now);
        }
        looked = now;
    }
}

/// What the leader knows of the nodes; empty elsewhere.
#[derive(Debug)]
pub struct Liveness {
    nodes: Mutex<Nodes>,
    /// When the leases that the leader before this one gave begin to end; `None`: this member does not lead.
    since: Mutex<Option<Instant>>,
    heard: watch::Sender<()>,
    /// What nodes told of their disks and nobody has looked at.
    usage: Mutex<BTreeMap<NodeId, NodeUsage>>,
}

impl Liveness {
    /// Nothing is known.
    pub fn new() -> Liveness {
        Liveness {
            nodes: Mutex::default(),
            since: Mutex::default(),
            heard: watch::channel(()).0,
            usage: Mutex::default(),
        }
    }

    /// A reign begins: everybody counts as alive from now on.
    pub fn begin(&self, now: Instant) {
        *self.nodes.lock() = Nodes::default();
        *self.since.lock() = Some(now + CONFIRMED_MAX);
    }

    /// This process stood still until now: the silence of others was its own.
    pub fn woke(&self, now: Instant) {
        self.nodes.lock().awake = Some(now);
    }

    /// The reign is over.
    pub fn end(&self) {
        *self.since.lock() = None;
        *self.nodes.lock() = Nodes::default();
        self.usage.lock().clear();
        self.heard.send_replace(());
    }

    /// A node told of its disk.
    pub fn told(&self, usage: NodeUsage) {
        self.usage.lock().insert(usage.node.clone(), usage);
    }

    /// What nodes told of their disks, as far as it is wanted; the rest stays until it is.
    pub fn usage(&self, is_wanted: impl Fn(&NodeUsage) -> bool) -> Vec<NodeUsage> {
        let mut told = self.usage.lock();
        let wanted = told.extract_if(.., |_, usage| is_wanted(usage));
        wanted.map(|(_, usage)| usage).collect()
    }

    /// A node told that it lives.
    pub fn heard(&self, node: NodeId, ephemeral_id: String, applied: u64, now: Instant) {
        let mut nodes = self.nodes.lock();
        let before = nodes
            .seen
            .get(&node)
            .filter(|before| before.ephemeral_id == ephemeral_id);
        let moved = before.is_none_or(|before| before.applied < applied);
        let behind_since = before.and_then(|before| before.behind_since);
        let leased = before.and_then(|before| before.leased);
        let next = Seen {
            ephemeral_id,
            at: now,
            applied: before.map_or(0, |before| before.applied).max(applied),
            behind_since: if moved { None } else { behind_since },
            leased,
        };
        nodes.seen.insert(node, next);
        drop(nodes);
        if moved {
            self.heard.send_replace(());
        }
    }

    /// Whether a node that was heard of just now gets a lease, as far as is known here; it counts as given then.
    pub fn lease(&self, node: &NodeId, state: &ClusterState, now: Instant) -> bool {
        let mut nodes = self.nodes.lock();
        if nodes.is_condemned(node, state) {
            return false;
        }
        let Some(seen) = nodes.seen.get_mut(node) else {
            return false;
        };
        let lag = seen.lag(state, now);
        let may_have = lag.is_none_or(|lag| lag + SILENCE_MAX <= lag_max(state));
        if may_have {
            seen.leased = Some(now);
        }
        may_have
    }

    /// Nodes of the state that are gone or lag; `own` is never one of them. Whoever was one of them stays one, whatever is
    /// heard of it, until it is out of the state.
    pub fn gone(&self, state: &ClusterState, own: &NodeId, now: Instant) -> Vec<Gone> {
        let Some(since) = *self.since.lock() else {
            return Vec::new();
        };
        if now.saturating_duration_since(since) <= SILENCE_MAX {
            return Vec::new();
        }
        let mut nodes = self.nodes.lock();
        let is_kept = |id: &NodeId, seen: &mut Seen| {
            state.nodes.contains_key(id) || seen.at + SILENCE_MAX > now
        };
        nodes.seen.retain(is_kept);
        let awake = nodes.awake;
        let mut gone = Vec::new();
        for (id, node) in state.nodes.iter().filter(|(id, _)| *id != own) {
            let is_condemned = nodes.is_condemned(id, state);
            let known = nodes
                .seen
                .get_mut(id)
                .filter(|seen| seen.ephemeral_id == node.ephemeral_id);
            let last = known.as_ref().map_or(since, |seen| seen.at);
            let last = awake.map_or(last, |awake| last.max(awake));
            let is_silent = now.saturating_duration_since(last) > SILENCE_MAX;
            let is_lagging = known.is_some_and(|seen| {
                let lag = seen.lag(state, now);
                let is_leased = seen.leased.is_some_and(|at| at + SILENCE_MAX >= now);
                lag.is_some_and(|lag| lag > lag_max(state)) && !is_leased
            });
            if is_silent || is_lagging || is_condemned {
                let joined = state.joined.get(id).copied();
                nodes.condemned.insert(id.clone(), joined);
                gone.push(Gone {
                    node: id.clone(),
                    ephemeral_id: node.ephemeral_id.clone(),
                    is_lagging: is_lagging && !is_silent,
                });
            }
        }
        gone
    }

    /// Whether every node that serves follows a version.
    fn is_followed(&self, state: &ClusterState, version: u64) -> bool {
        let nodes = self.nodes.lock();
        let mut serving = state
            .nodes
            .values()
            .filter(|node| node.roles != ["cluster_manager"]);
        serving.all(|node| {
            nodes.seen.get(&node.id).is_some_and(|seen| {
                seen.applied >= version && seen.ephemeral_id == node.ephemeral_id
            })
        })
    }

    /// Waits until every node that serves follows a version; `false`: not all did in time, or the reign ended.
    pub async fn followed(
        &self,
        version: u64,
        newest: impl Fn() -> std::sync::Arc<ClusterState>,
        mut states: watch::Receiver<std::sync::Arc<ClusterState>>,
        limit: Duration,
    ) -> bool {
        let mut heard = self.heard.subscribe();
        let all = async {
            loop {
                if self.since.lock().is_none() {
                    return false;
                }
                if self.is_followed(&newest(), version) {
                    return true;
                }
                let ended = tokio::select! {
                    changed = heard.changed() => changed.is_err(),
                    changed = states.changed() => changed.is_err(),
                };
                if ended {
                    return false;
                }
            }
        };
        tokio::time::timeout(limit, all).await.unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::master::testing::node;

    /// The default of `cluster.follower_lag.timeout`.
    const LAG: Duration = Duration::from_secs(90);

    fn state(names: &[&str]) -> ClusterState {
        let mut state = ClusterState::empty("c", "u", NodeId("m".to_owned()));
        state.version = 5;
        for name in names {
            state.nodes.insert(NodeId((*name).to_owned()), node(name));
        }
        state
    }

    fn gone(liveness: &Liveness, state: &ClusterState, now: Instant) -> Vec<String> {
        let gone = liveness.gone(state, &NodeId("m".to_owned()), now);
        gone.into_iter().map(|gone| gone.node.0).collect()
    }

    #[test]
    fn a_new_leader_waits_a_whole_lease_before_it_removes_anybody() {
        let (liveness, start) = (Liveness::new(), Instant::now());
        let state = state(&["m", "a", "b"]);
        assert!(
            gone(&liveness, &state, start + LAG).is_empty(),
            "it does not lead"
        );
        liveness.begin(start);
        let first = CONFIRMED_MAX + SILENCE_MAX;
        assert!(gone(&liveness, &state, start + first).is_empty());
        let id = NodeId("a".to_owned());
        liveness.heard(id, "e".to_owned(), 5, start + Duration::from_secs(1));
        let later = start + first + Duration::from_millis(1);
        assert_eq!(gone(&liveness, &state, later), ["b"]);
        assert_eq!(
            gone(&liveness, &state, later + Duration::from_secs(1)),
            ["a", "b"]
        );
        liveness.end();
        assert!(gone(&liveness, &state, later + LAG).is_empty());
    }

    #[test]
    fn leases_of_the_leader_before_end_before_anybody_is_removed() {
        // given at the last moment, by a leader that is confirmed as the next one begins
        const LAST_LEASE: Duration = CONFIRMED_MAX.saturating_add(LEASE);
        let (liveness, start) = (Liveness::new(), Instant::now());
        liveness.begin(start);
        // this one's first heartbeat went to the new leader, the others to the old one; it lags as well
        let mut state = state(&["a"]);
        let key = "cluster.follower_lag.timeout".to_owned();
        state.persistent.insert(key, "1ms".to_owned());
        liveness.heard(NodeId("a".to_owned()), "e".to_owned(), 4, start);
        let mut now = start;
        while gone(&liveness, &state, now).is_empty() {
            now += Duration::from_millis(50);
        }
        assert!(now - start > LAST_LEASE, "{:?}", now - start);
    }

    #[test]
    fn a_leader_that_stood_still_counts_the_silence_of_others_anew() {
        let (liveness, start) = (Liveness::new(), Instant::now());
        liveness.begin(start);
        let state = state(&["a"]);
        let woke = start + Duration::from_secs(20);
        liveness.woke(woke);
        assert!(gone(&liveness, &state, woke).is_empty());
        assert!(gone(&liveness, &state, woke + SILENCE_MAX).is_empty());
        let later = woke + SILENCE_MAX + Duration::from_millis(1);
        assert_eq!(gone(&liveness, &state, later), ["a"]);
    }

    #[test]
    fn another_run_of_a_node_does_not_speak_for_the_one_that_is_known() {
        let (liveness, start) = (Liveness::new(), Instant::now());
        liveness.begin(start);
        let later = start + CONFIRMED_MAX + SILENCE_MAX + Duration::from_millis(1);
        liveness.heard(NodeId("a".to_owned()), "another".to_owned(), 5, later);
        assert_eq!(gone(&liveness, &state(&["a"]), later), ["a"]);
    }

    #[test]
    fn who_lives_but_does_not_follow_goes_after_a_while() {
        let (liveness, start) = (Liveness::new(), Instant::now());
        liveness.begin(start);
        let state = state(&["a"]);
        let mut now = start;
        let mut rounds = 0;
        while gone(&liveness, &state, now).is_empty() {
            now += Duration::from_secs(1);
            liveness.heard(NodeId("a".to_owned()), "e".to_owned(), 4, now);
            rounds += 1;
        }
        assert!(rounds > 89, "after {rounds} s");
    }

    #[test]
    fn who_lags_stays_if_it_follows_in_time() {
        let (liveness, start) = (Liveness::new(), Instant::now());
        liveness.begin(start);
        let (state, id) = (state(&["a"]), NodeId("a".to_owned()));
        for second in 1..300 {
            let now = start + Duration::from_secs(second);
            let applied = if second < 80 { 4 } else { 5 };
            liveness.heard(id.clone(), "e".to_owned(), applied, now);
            assert!(gone(&liveness, &state, now).is_empty(), "{second}");
        }
    }

    #[test]
    fn who_wakes_up_while_it_is_removed_gets_no_lease_before_it_has_joined_anew() {
        let (liveness, start) = (Liveness::new(), Instant::now());
        liveness.begin(start);
        let (mut state, id) = (state(&["a"]), NodeId("a".to_owned()));
        state.joined.insert(id.clone(), 3);
        let heard = |now| liveness.heard(id.clone(), "e".to_owned(), 5, now);
        heard(start);
        assert!(liveness.lease(&id, &state, start));
        let later = start + CONFIRMED_MAX + SILENCE_MAX + Duration::from_millis(1);
        assert_eq!(gone(&liveness, &state, later), ["a"]);
        heard(later);
        assert!(!liveness.lease(&id, &state, later), "it is being removed");
        // what became of the removal is not known: it is tried again
        assert_eq!(gone(&liveness, &state, later), ["a"]);
        state.joined.insert(id.clone(), 5);
        assert!(gone(&liveness, &state, later).is_empty());
        assert!(liveness.lease(&id, &state, later));
    }

    #[test]
    fn what_is_not_wanted_of_the_disks_now_is_told_later() {
        let liveness = Liveness::new();
        let usage = |free_bytes| NodeUsage {
            node: NodeId("a".to_owned()),
            total_bytes: 1_000,
            free_bytes,
            copies: BTreeMap::new(),
        };
        liveness.told(usage(1));
        liveness.told(usage(2));
        assert!(liveness.usage(|_| false).is_empty());
        assert_eq!(liveness.usage(|_| true), [usage(2)]);
        assert!(liveness.usage(|_| true).is_empty());
    }

    /// When a node that never follows goes, and when it got its last lease, both since the start; `set` is the lag that is
    /// allowed from `at` on.
    fn last_lease_and_end(set: Option<(Duration, &str)>) -> (Duration, Duration) {
        let (liveness, start) = (Liveness::new(), Instant::now());
        liveness.begin(start);
        let mut state = state(&["a"]);
        let id = NodeId("a".to_owned());
        let (mut now, mut leased) = (start, start);
        while gone(&liveness, &state, now).is_empty() {
            now += Duration::from_millis(100);
            if let Some((at, lag)) = set
                && now - start >= at
            {
                let key = "cluster.follower_lag.timeout".to_owned();
                state.persistent.insert(key, lag.to_owned());
            }
            liveness.heard(id.clone(), "e".to_owned(), 4, now);
            if liveness.lease(&id, &state, now) {
                leased = now;
            }
        }
        (leased - start, now - start)
    }

    #[test]
    fn who_lags_goes_only_when_no_lease_of_it_lives() {
        let (leased, end) = last_lease_and_end(None);
        assert!(end > LAG && leased > Duration::from_secs(80));
        assert!(
            end - leased > LEASE,
            "a lease of {leased:?} lives at {end:?}"
        );
        // less is allowed from one moment to the next, when a lease has just been given
        let at = Duration::from_secs(10);
        let (leased, end) = last_lease_and_end(Some((at, "1ms")));
        assert!(leased < at && end > at && end < LAG);
        assert!(
            end - leased > LEASE,
            "a lease of {leased:?} lives at {end:?}"
        );
    }
}
