//! The primary's side: every operation to every copy, and what happens with a copy that does not take it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use quidditch_engine::ids::SeqNo;
use quidditch_engine::translog::History;
use tokio::time::Instant;
use tracing::{info, warn};

use super::group::Member;
use super::peers::{CopyId, PeerError, Replicate};
use super::{Cluster, Group};
use crate::data::local::LocalShard;
use crate::data::pool::Pools;
use crate::data::service::{CopyFailure, ShardError};
use crate::master::Command;

/// Operations go to a copy again after a failure that may pass, so often.
const ATTEMPTS_MAX: u32 = 3;
/// Between them.
const ATTEMPT_PAUSE: Duration = Duration::from_millis(100);
/// A copy that takes longer is taken for lost: its node is there, and its disk is not. The masters find dead nodes
/// sooner, and a connection that nothing comes through ends sooner (`data::channels`).
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// A node whose connection broke is reached again within this time, or its copy is taken for lost. Together with the time
/// after which a silent connection is ended, this is what a cut between two nodes costs a write.
const REACHED_WITHIN: Duration = Duration::from_millis(1500);
/// Bytes of operations sent at once to a copy that catches up.
const RESYNC_BYTES: usize = 1 << 20;

/// Why operations are not known to last.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplicationError {
    /// This copy is not the primary any more.
    #[error("a newer primary has taken over")]
    Deposed,
    /// A copy does not have them, and the masters could not be told.
    #[error(
        "a copy on node [{node}] failed ({reason}), and the cluster manager could not be told: {refusal}"
    )]
    NotTold {
        /// Where the copy is.
        node: String,
        /// What it failed with.
        reason: String,
        /// Why the masters did not do it.
        refusal: String,
    },
}

impl ReplicationError {
    /// What coordination is told: the operations may last, or may not.
    pub fn for_shard(&self, shard: &LocalShard) -> ShardError {
        match self {
            ReplicationError::Deposed => ShardError::NotPrimary {
                index: shard.target.index.clone(),
                shard: shard.target.shard,
                reason: self.to_string(),
            },
            ReplicationError::NotTold { .. } => ShardError::Other {
                status: 503,
                kind: "unavailable_shards_exception".to_owned(),
                reason: format!("[{}][{}] {self}", shard.target.index, shard.target.shard),
                caused_by: None,
            },
        }
    }
}

/// Whom operations reached.
#[derive(Debug, Default)]
pub struct Reached {
    /// Other copies that have them.
    pub copies: u32,
    /// Other copies that did not take them, and are out of the in-sync set for it.
    pub failures: Vec<CopyFailure>,
}

/// Sends operations to all other copies; returns when each has them, or is out of the in-sync set.
///
/// * `sync`: they have to be on the copies' disks.
pub async fn replicate(
    cluster: &Cluster,
    shard: &LocalShard,
    group: &Group,
    operations: &[Bytes],
    sync: bool,
) -> Result<Reached, ReplicationError> {
    let sending = group
        .members()
        .into_iter()
        .map(|member| send(cluster, shard, group, member, operations, sync));
    let mut reached = Reached::default();
    for sent in join_all(sending).await {
        match sent? {
            Sent::Taken => reached.copies += 1,
            Sent::Left => {}
            Sent::Failed(failure) => reached.failures.push(failure),
        }
    }
    advance_global(shard, group);
    Ok(reached)
}

/// What became of operations at one copy.
enum Sent {
    /// It has them.
    Taken,
    /// The masters took it out meanwhile.
    Left,
    /// It did not take them, and is out.
    Failed(CopyFailure),
}

/// Tells the shard what every in-sync copy has.
pub fn advance_global(shard: &LocalShard, group: &Group) {
    if !group.serves() {
        // a copy that is away may be in sync as well
        return;
    }
    if let Some(checkpoint) = group.global_checkpoint(shard.shard.local_checkpoint().0) {
        shard.shard.advance_global_checkpoint(SeqNo(checkpoint));
    }
}

async fn send(
    cluster: &Cluster,
    shard: &LocalShard,
    group: &Group,
    member: Member,
    operations: &[Bytes],
    sync: bool,
) -> Result<Sent, ReplicationError> {
    let mut attempt = 0;
    let mut broke: Option<(PeerError, Instant)> = None;
    loop {
        attempt += 1;
        let until = Instant::now() + ANSWER_WITHIN;
        let until = match &broke {
            Some((_, at)) => until.min(*at + REACHED_WITHIN),
            None => until,
        };
        let ask = Replicate {
            to: copy_of(shard, &member),
            primary_term: group.primary_term(),
            global_checkpoint: shard.shard.global_checkpoint().0,
            operations: operations.to_vec(),
            sync,
        };
        let asked = cluster.peers.replicate(&member.node, ask);
        let answer = tokio::select! {
            biased;
            answer = tokio::time::timeout_at(until, asked) => answer,
            // The masters know already, and nobody needs that copy.
            () = group.left(&member.allocation_id) => return Ok(Sent::Left),
        };
        let error = match (answer, &broke) {
            (Ok(Ok(progress)), _) => {
                group.note_persisted(&member.allocation_id, progress.persisted);
                return Ok(Sent::Taken);
            }
            (Ok(Err(error)), _) => error,
            (Err(_), Some((error, _))) => error.clone(),
            (Err(_), None) => {
                PeerError::Failed(format!("no answer within {} s", ANSWER_WITHIN.as_secs()))
            }
        };
        if let PeerError::StaleTerm { known } = error {
            info!(index = %shard.target.index, shard = shard.target.shard, term = group.primary_term(), known, "deposed: a copy knows a newer primary");
            return Err(ReplicationError::Deposed);
        }
        let is_over = attempt == ATTEMPTS_MAX || Instant::now() >= until;
        if error.may_pass() && !is_over {
            if matches!(error, PeerError::Unreachable(_)) && broke.is_none() {
                broke = Some((error, Instant::now()));
            }
            tokio::time::sleep(ATTEMPT_PAUSE).await;
            continue;
        }
        let reason = error.to_string();
        expel(cluster, shard, group, &member, &reason).await?;
        let node = member.node.0.clone();
        return Ok(Sent::Failed(CopyFailure { node, reason }));
    }
}

pub(super) fn copy_of(shard: &LocalShard, member: &Member) -> CopyId {
    CopyId {
        index_uuid: shard.target.index_uuid.clone(),
        shard: shard.target.shard,
        allocation_id: member.allocation_id.clone(),
    }
}

/// Has the masters take a copy out of the in-sync set; returns once they did, or when the copy never counted.
pub async fn expel(
    cluster: &Cluster,
    shard: &LocalShard,
    group: &Group,
    member: &Member,
    reason: &str,
) -> Result<(), ReplicationError> {
    let target = &shard.target;
    warn!(index = %target.index, shard = target.shard, node = %member.node, allocation_id = %member.allocation_id, error = %reason, "a copy did not take operations");
    if group.forget_unless_required(&member.allocation_id) {
        return Ok(());
    }
    // A shard that is itself at its end must not take others with it.
    if let Some(failure) = shard.shard.failure() {
        return Err(ReplicationError::NotTold {
            node: member.node.to_string(),
            reason: reason.to_owned(),
            refusal: format!("this copy failed too: {failure}"),
        });
    }
    let told = cluster.masters.submit_within(
        Command::FailCopy {
            index_uuid: target.index_uuid.clone(),
            shard: target.shard,
            allocation_id: member.allocation_id.clone(),
            primary_term: group.primary_term(),
            reason: reason.to_owned(),
        },
        Some(ANSWER_WITHIN),
    );
    let told = tokio::select! {
            biased;
        told = told => told,
        () = group.left(&member.allocation_id) => return Ok(()),
    };
    match told {
        Ok(_) => {
            group.forget(&member.allocation_id);
            Ok(())
        }
        Err(refused) if refused.kind == "stale_primary" => Err(ReplicationError::Deposed),
        Err(refused) => Err(ReplicationError::NotTold {
            node: member.node.to_string(),
            reason: reason.to_owned(),
            refusal: refused.to_string(),
        }),
    }
}

/// Everything that the primary has and that the other copies may lack: a new primary's first words, and what it says once a
/// write has failed whose operations reached some of them. Under a new reign they forget what they have beyond what every
/// in-sync copy had, and take this.
pub async fn resync(
    cluster: &Cluster,
    pools: &Pools,
    shard: &Arc<LocalShard>,
    group: &Group,
) -> Result<(), ReplicationError> {
    let from = SeqNo(shard.shard.global_checkpoint().0 + 1);
    // What is in the translog by now. A number beyond may be that of a write that is under way.
    let last = shard.shard.local_checkpoint().0;
    let reader = shard.clone();
    let read = move || reader.shard.operations_from(from);
    let read = pools.management.run_on(read).await;
    // Without a history this copy began with segments that hold them. A copy that needs them gets segments as well.
    let mut history = match read {
        Ok(read) => read.map_err(|error| nothing_sent(cluster, error))?,
        Err(error) => return Err(nothing_sent(cluster, error)),
    };
    loop {
        let read = pools.management.run_on(move || next_batch(history)).await;
        let (batch, rest) = read.map_err(|error| nothing_sent(cluster, error))?;
        // Also when there is nothing to send: the copies have to hear of the new reign, and tell what they have.
        replicate(cluster, shard, group, &batch, true).await?;
        if rest.is_none() {
            break;
        }
        history = rest;
    }
    // One that recovers gets them from its session.
    for member in group.members().into_iter().filter(|member| member.required) {
        if group.lacks(&member.allocation_id, last) {
            let reason = "it lacks operations that are in the primary's segments only";
            expel(cluster, shard, group, &member, reason).await?;
        }
    }
    Ok(())
}

/// This copy could not read what it has to send.
fn nothing_sent(cluster: &Cluster, error: impl std::fmt::Display) -> ReplicationError {
    ReplicationError::NotTold {
        node: cluster.node.to_string(),
        reason: error.to_string(),
        refusal: "nothing was sent".to_owned(),
    }
}

/// The next operations, encoded, and the others, if there are any.
fn next_batch(history: Option<History>) -> (Vec<Bytes>, Option<History>) {
    let Some(mut history) = history else {
        return (Vec::new(), None);
    };
    let mut batch = Vec::new();
    let mut bytes = 0;
    for operation in history.by_ref() {
        let encoded = Bytes::from(operation.encode());
        bytes += encoded.len();
        batch.push(encoded);
        if bytes >= RESYNC_BYTES {
            return (batch, Some(history));
        }
    }
    (batch, None)
}
