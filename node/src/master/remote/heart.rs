//! Telling the leader that this node lives, which state it follows, and what its shards take.

use std::sync::Arc;
use std::time::Duration;

use quidditch_proto as proto;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::{info, warn};

use super::RemoteMasters;
use crate::master::Masters;
use crate::master::command::Command;
use crate::master::links::within;

/// How often the leader hears of this node.
const EVERY: Duration = Duration::from_secs(1);
/// By when it answers.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
/// Between tries while no leader answers.
const TRY_AGAIN: Duration = Duration::from_millis(200);
/// How often the disk is told of.
const USAGE_EVERY: Duration = Duration::from_secs(5);
/// A stream of states that is behind the leader for so long is given up.
const BEHIND_MAX: Duration = Duration::from_secs(3);

/// Beats until the node stops.
pub(super) async fn run(masters: Arc<RemoteMasters>) {
    let mut heart = Heart {
        joining: None,
        usage_told: None,
        behind_since: None,
    };
    loop {
        let pause = match heart.beat(&masters).await {
            true => EVERY,
            false => TRY_AGAIN,
        };
        tokio::select! {
            () = masters.stopped() => return,
            () = tokio::time::sleep(pause) => {}
            () = masters.beat.notified() => {}
        }
    }
}

struct Heart {
    joining: Option<JoinHandle<()>>,
    usage_told: Option<Instant>,
    behind_since: Option<Instant>,
}

impl Heart {
    /// One heartbeat; `false`: no leader took it.
    async fn beat(&mut self, masters: &Arc<RemoteMasters>) -> bool {
        let address = masters.addresses.lock().pick();
        let is_usage_due = self
            .usage_told
            .is_none_or(|told| told.elapsed() > USAGE_EVERY);
        let usage = is_usage_due.then(|| (masters.usage)()).flatten();
        let tells_usage = usage.is_some();
        let applied = masters.state().version;
        let request = proto::HeartbeatRequest {
            cluster_name: masters.cluster_name.clone(),
            node_id: masters.node.id.0.clone(),
            ephemeral_id: masters.node.ephemeral_id.clone(),
            applied_version: applied,
            usage: usage.map(|usage| proto::Usage {
                total_bytes: usage.total_bytes,
                free_bytes: usage.free_bytes,
                copy_bytes: usage.copies.into_iter().collect(),
            }),
        };
        // before it is sent: the leader counts from when it hears of it, which is later
        let asked = masters.clock.monotonic();
        let answer = match masters.links.master(&address) {
            Ok(mut client) => within(ANSWER_TIMEOUT, client.heartbeat(request)).await,
            Err(status) => Err(status),
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(status) => {
                masters.note(&address, &status);
                let mut addresses = masters.addresses.lock();
                if addresses.leader.as_ref() == Some(&address) {
                    addresses.leader = None;
                }
                return false;
            }
        };
        let leader = Some(answer.leader_address).filter(|leader| !leader.is_empty());
        if answer.not_leader {
            // one that takes itself for the leader but cannot be sure names itself: then the others are asked
            masters.addresses.lock().leader = leader.filter(|leader| *leader != address);
            return false;
        }
        masters.addresses.lock().leader = leader;
        if tells_usage && answer.is_member {
            self.usage_told = Some(Instant::now());
        }
        if answer.lease_ms > 0 {
            let length = Duration::from_millis(answer.lease_ms);
            masters.lease.extend(asked, length);
        }
        self.look_behind(masters, answer.version);
        if !answer.is_member && applied > 0 {
            self.join(masters);
        }
        true
    }

    /// Gives a stream of states up that does not come to what the leader has.
    fn look_behind(&mut self, masters: &RemoteMasters, newest: u64) {
        if masters.received.borrow().state.version >= newest {
            self.behind_since = None;
            return;
        }
        let since = *self.behind_since.get_or_insert_with(Instant::now);
        if since.elapsed() > BEHIND_MAX {
            self.behind_since = None;
            masters.stale.notify_waiters();
        }
    }

    /// Has the masters take this node into the state, one try at a time.
    fn join(&mut self, masters: &Arc<RemoteMasters>) {
        if self
            .joining
            .as_ref()
            .is_some_and(|joining| !joining.is_finished())
        {
            return;
        }
        let masters = masters.clone();
        self.joining = Some(tokio::spawn(async move {
            let joins = Command::JoinNode(masters.node.clone());
            tokio::select! {
                () = masters.stopped() => {}
                joined = masters.submit(joins) => match joined {
                    Ok(state) => {
                        info!(version = state.version, "this node joined the cluster");
                        masters.beat.notify_one();
                    }
                    Err(refused) => warn!(%refused, "this node could not join the cluster"),
                }
            }
        }));
    }
}
