//! What the leader does: decide, propose, look after the nodes.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use openraft::ReadPolicy;
use openraft::async_runtime::watch::WatchReceiver;
use tokio::time::Instant;
use tracing::{debug, error, info, warn};

use super::types::{Outcome, Proposal};
use super::{RaftMaster, publish_timeout, unspeakable};
use crate::cluster::ClusterState;
use crate::cluster::allocation::is_worth_telling;
use crate::master::command::{Command, CommandError};
use crate::master::event::Event;
use crate::master::ids::{Ids, RandomIds};
use crate::master::queue::{QueueEnd, Round, Submitted, too_large};
use crate::wire::batch::{Batch, RequestId};

/// How often the leader looks whether nodes are gone.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long the start of a reign waits before it tries again.
const BEGIN_AGAIN: Duration = Duration::from_millis(100);
/// How long a majority may take to confirm that this member leads.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(5);

/// Leads whenever raft says so, until the master stops.
pub(super) async fn run(master: Arc<RaftMaster>, mut queue: QueueEnd) {
    let mut server = master.raft.server_metrics();
    loop {
        let term = leading_term(&master);
        if let Some(term) = term {
            reign(&master, term, &mut queue).await;
            master.reign.send_replace(None);
            master.liveness.end();
        }
        if let Err(fatal) = &master.raft.metrics().borrow_watched().running_state
            && !*master.stop.borrow()
        {
            master.fail(format!("raft ended: {fatal}"));
            return;
        }
        tokio::select! {
            () = master.stopped() => return,
            // whoever was too late to be decided on asks again, of the one who leads then
            batch = queue.next() => queue.give_back(batch.unwrap_or_default()),
            changed = server.changed() => if changed.is_err() {
                if !*master.stop.borrow() {
                    let state = master.raft.metrics().borrow_watched().running_state.clone();
                    master.fail(format!("raft ended: {}", show(&state)));
                }
                return;
            },
        }
    }
}

fn show<E: std::fmt::Display>(state: &Result<(), E>) -> String {
    match state {
        Ok(()) => "its task is gone".to_owned(),
        Err(error) => error.to_string(),
    }
}

/// The term in which this member leads.
fn leading_term(master: &RaftMaster) -> Option<u64> {
    let server = master.raft.server_metrics();
    let server = server.borrow_watched();
    (server.state.is_leader() && server.vote.committed).then_some(server.vote.leader_id.term)
}

/// One reign, from its first batch to its end.
async fn reign(master: &RaftMaster, term: u64, queue: &mut QueueEnd) {
    let is_over = || leading_term(master) != Some(term) || *master.stop.borrow();
    while !is_over() {
        match begin(master, term).await {
            Ok(()) => break,
            Err(reason) => {
                warn!(term, reason, "this master cannot begin to lead yet");
                tokio::time::sleep(BEGIN_AGAIN).await;
            }
        }
    }
    if is_over() {
        return;
    }
    master.liveness.begin(Instant::now());
    master.reign.send_replace(Some(term));
    info!(
        term,
        version = master.publisher.newest().state.version,
        "this master leads"
    );
    let mut server = master.raft.server_metrics();
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut ids = RandomIds;
    let mut chores = Chores {
        rerouted: Instant::now(),
    };
    loop {
        tokio::select! {
            biased;
            changed = server.changed() => if changed.is_err() || is_over() {
                break;
            },
            () = master.stopped() => break,
            _ = look.tick() => chores.run(master, queue, &mut ids).await,
            batch = queue.next() => {
                let Some(batch) = batch else { break };
                let state = master.publisher.newest().state;
                let now_ms = master.clock.now_ms();
                let is_done = |request: &RequestId| master.publisher.done(request).is_some();
                let waiting = &queue.waiting;
                let round = Round::decide(&state, batch, waiting, &is_done, now_ms, &mut ids);
                for alone in carry_out(master, &state, round, queue, &mut ids).await {
                    let state = master.publisher.newest().state;
                    let (batch, waiting) = (vec![alone], &queue.waiting);
                    let round = Round::decide(&state, batch, waiting, &is_done, now_ms, &mut ids);
                    carry_out(master, &state, round, queue, &mut ids).await;
                }
            }
        }
    }
    info!(term, "this master leads no more");
}

/// Catches up with all that was agreed before, then tells everybody who decides now.
async fn begin(master: &RaftMaster, term: u64) -> Result<(), String> {
    let confirmed = master.raft.ensure_linearizable(ReadPolicy::ReadIndex);
    let confirmed = tokio::time::timeout(CONFIRM_TIMEOUT, confirmed).await;
    confirmed
        .map_err(|_| "no majority confirms it".to_owned())?
        .map_err(|error| error.to_string())?;
    let state = master.publisher.newest().state;
    let mut ids = RandomIds;
    let mut events = Vec::new();
    if state.version == 0 {
        let uuid = ids.next_uuid();
        info!(term, uuid, name = master.cluster_name, "founding a cluster");
        events.push(Event::ClusterFounded {
            name: master.cluster_name.clone(),
            uuid,
        });
    }
    let own = &master.node;
    let mut round = Round::of(&state, events);
    let elected = Command::MasterElected(own.id.clone());
    round
        .add(elected, master.clock.now_ms(), &mut ids)
        .map_err(|refused| refused.to_string())?;
    let known = state.nodes.get(&own.id);
    if known.is_none_or(|known| known.ephemeral_id != own.ephemeral_id) {
        let joins = Command::JoinNode(own.clone());
        let joined = round.add(joins, master.clock.now_ms(), &mut ids);
        joined.map_err(|refused| refused.to_string())?;
    }
    match propose(master, &state, &round, &mut ids).await {
        Proposed::Outcome(Outcome::Applied(_)) => Ok(()),
        other => Err(format!("its first change was not agreed on ({other:?})")),
    }
}

/// Has a round agreed on, then answers those who asked for it; whoever gets no answer asks again. Commands that together are
/// too large for the log are returned: each of them may be small enough.
async fn carry_out(
    master: &RaftMaster,
    state: &ClusterState,
    round: Round,
    queue: &QueueEnd,
    ids: &mut RandomIds,
) -> Vec<Submitted> {
    if round.events.is_empty() {
        // Without an entry of the log nobody has confirmed that the state is the newest: another one may lead.
        match master.leads_alone() {
            true => round.answer(&Ok(master.publisher.newest().state)),
            false => queue.give_back(round.undecided()),
        }
        return Vec::new();
    }
    match propose(master, state, &round, ids).await {
        Proposed::Outcome(Outcome::Applied(version)) => {
            // the state of that version: nobody else decides, so it is the newest
            let newest = master.publisher.newest().state;
            debug_assert!(newest.version >= version);
            round.answer(&Ok(newest));
        }
        Proposed::Outcome(Outcome::Outdated(version)) => {
            warn!(
                version,
                "a change met another state than it was decided on; it is decided anew"
            );
        }
        Proposed::TooLarge(bytes) if round.len() > 1 => {
            debug!(
                bytes,
                "changes of the cluster state are proposed one by one"
            );
            return round.undecided();
        }
        Proposed::TooLarge(bytes) => {
            warn!(bytes, "a change of the cluster state is too large");
            round.answer(&Err(too_large(bytes)));
        }
        Proposed::Refused(refused) => {
            error!(%refused, "a change of the cluster state is not proposed");
            round.answer(&Err(refused));
        }
        Proposed::Outcome(Outcome::Nothing) | Proposed::Unknown => {}
    }
    Vec::new()
}

/// What came of putting something into the log.
#[derive(Debug)]
enum Proposed {
    /// It was agreed on.
    Outcome(Outcome),
    /// It has so many bytes, more than the log takes.
    TooLarge(usize),
    /// The log does not take it.
    Refused(CommandError),
    /// That is not known.
    Unknown,
}

/// Puts what was decided into the log.
async fn propose(
    master: &RaftMaster,
    state: &ClusterState,
    round: &Round,
    ids: &mut RandomIds,
) -> Proposed {
    let batch = Batch {
        base_version: state.version,
        state_uuid: ids.next_uuid(),
        requests: round.requests.clone(),
        events: round.events.clone(),
    };
    let bytes = match batch.encode() {
        Ok(bytes) => Bytes::from(bytes),
        Err(error) => return Proposed::Refused(unspeakable(error)),
    };
    if bytes.len() > master.change_bytes_max.load(Ordering::Relaxed) {
        return Proposed::TooLarge(bytes.len());
    }
    let written = master.raft.client_write(Proposal(bytes));
    match tokio::time::timeout(publish_timeout(state), written).await {
        Ok(Ok(written)) => Proposed::Outcome(written.data),
        Ok(Err(error)) => {
            warn!(%error, "a change of the cluster state was not agreed on");
            Proposed::Unknown
        }
        Err(_) => {
            warn!("no majority agreed on a change of the cluster state in time");
            Proposed::Unknown
        }
    }
}

/// What the leader does besides answering.
struct Chores {
    rerouted: Instant,
}

impl Chores {
    /// Looks after nodes and copies: who is silent or lags goes, full disks are told, delays that have passed end.
    async fn run(&mut self, master: &RaftMaster, queue: &QueueEnd, ids: &mut RandomIds) {
        let state = master.publisher.newest().state;
        let now_ms = master.clock.now_ms();
        let mut commands = leaving(master, &state);
        let is_due =
            self.rerouted.elapsed() > state.setting_duration("cluster.info.update.interval");
        let has_waited = has_waited(&state, now_ms);
        // what makes a difference at once, the rest from time to time
        let usage = master.liveness.usage(|usage| {
            is_worth_telling(&state, usage)
                || (is_due && state.usage.get(&usage.node) != Some(usage))
        });
        if !usage.is_empty() {
            commands.push(Command::NodeUsage(usage));
        }
        if is_due || has_waited {
            self.rerouted = Instant::now();
            let reason = if has_waited {
                "a delay has passed"
            } else {
                "from time to time"
            };
            commands.push(Command::Reroute {
                reason: reason.to_owned(),
            });
        }
        if commands.is_empty() {
            return;
        }
        let mut round = Round::of(&state, Vec::new());
        for command in commands {
            let source = command.source();
            if let Err(refused) = round.add(command, now_ms, ids) {
                error!(source, %refused, "the leader's own command was refused");
            }
        }
        carry_out(master, &state, round, queue, ids).await;
    }
}

/// Whether a copy waited for its node to return for as long as it may.
fn has_waited(state: &ClusterState, now_ms: i64) -> bool {
    let shards = state.routing.shards();
    shards.flatten().any(|copy| {
        let waits = copy
            .unassigned
            .as_ref()
            .and_then(|info| info.delayed_until_ms);
        waits.is_some_and(|until| until <= now_ms)
    })
}

/// Takes nodes out of the state that are silent or lag.
fn leaving(master: &RaftMaster, state: &ClusterState) -> Vec<Command> {
    let gone = master.liveness.gone(state, &master.node.id, Instant::now());
    let mut commands = Vec::new();
    for (is_lagging, reason) in [(false, "disconnected"), (true, "lagging")] {
        let mut nodes = Vec::new();
        for gone in gone.iter().filter(|gone| gone.is_lagging == is_lagging) {
            warn!(node = %gone.node, reason, "a node leaves");
            nodes.push((gone.node.clone(), gone.ephemeral_id.clone()));
        }
        if !nodes.is_empty() {
            commands.push(Command::NodesLeft {
                nodes,
                reason: reason.to_owned(),
            });
        }
    }
    commands
}
