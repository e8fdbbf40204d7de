//! The primary tells its replicas that it shows something new.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures::future::join_all;
use parking_lot::Mutex;
use tracing::debug;

use super::group::Member;
use super::peers::{CatchUp, PeerError};
use super::primary::{self, ReplicationError, copy_of};
use super::{Cluster, Group};
use crate::data::local::{LocalShard, LocalShards};

/// How often shards are looked at.
const TICK: Duration = Duration::from_millis(100);
/// A replica has a list within this time, or is no copy to search in.
const SHOWN_WITHIN: Duration = Duration::from_secs(60);

/// Has all copies that count show what the primary shows now; one that cannot is taken out. Also those that the masters
/// have started and this node has not heard of: others may search them already.
pub async fn publish(
    cluster: &Cluster,
    shard: &LocalShard,
    group: &Group,
) -> Result<(), ReplicationError> {
    let generation = shard.shard.reader().generation;
    let telling = group
        .members()
        .into_iter()
        .filter(|member| member.required)
        .map(|member| tell_until_shown(cluster, shard, group, member, generation));
    for told in join_all(telling).await {
        told?;
    }
    Ok(())
}

fn word(shard: &LocalShard, group: &Group, member: &Member, generation: u64) -> CatchUp {
    CatchUp {
        to: copy_of(shard, member),
        primary_term: group.primary_term(),
        global_checkpoint: shard.shard.global_checkpoint().0,
        generation,
    }
}

async fn tell_until_shown(
    cluster: &Cluster,
    shard: &LocalShard,
    group: &Group,
    member: Member,
    generation: u64,
) -> Result<(), ReplicationError> {
    let asking = async {
        loop {
            let ask = word(shard, group, &member, generation);
            match cluster.peers.catch_up(&member.node, ask).await {
                Ok(_) => return Ok(()),
                Err(error) if error.may_pass() => {
                    tokio::time::sleep(TICK).await;
                }
                Err(error) => return Err(error),
            }
        }
    };
    let told = tokio::select! {
            biased;
        told = tokio::time::timeout(SHOWN_WITHIN, asking) => told,
        () = group.left(&member.allocation_id) => return Ok(()),
    };
    let reason = match told {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(PeerError::StaleTerm { .. })) => return Err(ReplicationError::Deposed),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!(
            "its searches did not show new documents within {} s",
            SHOWN_WITHIN.as_secs()
        ),
    };
    primary::expel(cluster, shard, group, &member, &reason).await
}

/// Tells replicas of scheduled refreshes, until the shards are gone. A word that is lost is no harm.
pub async fn run(shards: Weak<LocalShards>) {
    // generation told, by the copy that shows it
    let mut told: HashMap<String, u64> = HashMap::new();
    // copies that are being told
    let telling = Arc::default();
    loop {
        tokio::time::sleep(TICK).await;
        let Some(shards) = shards.upgrade() else {
            return;
        };
        let mut seen = HashMap::with_capacity(told.len());
        for shard in shards.all() {
            let role = shard.role();
            let Some(group) = role.group() else { continue };
            if group.is_alone() {
                continue;
            }
            let generation = shard.shard.reader().generation;
            let before = told.remove(&shard.allocation_id);
            seen.insert(shard.allocation_id.clone(), generation);
            if before != Some(generation) {
                tell(&shards, &shard, group, &telling);
            }
        }
        told = seen;
    }
}

/// One word at a time to each copy: one that is being told is told once more when it is done, if there is more by then.
fn tell(
    shards: &Arc<LocalShards>,
    shard: &Arc<LocalShard>,
    group: &Arc<Group>,
    told: &Arc<Mutex<BTreeSet<String>>>,
) {
    for member in group.members().into_iter().filter(|member| member.started) {
        if !told.lock().insert(member.allocation_id.clone()) {
            continue;
        }
        let (shards, shard, group) = (shards.clone(), shard.clone(), group.clone());
        let told = told.clone();
        tokio::spawn(async move {
            while let Some(cluster) = shards.cluster() {
                let generation = shard.shard.reader().generation;
                let ask = word(&shard, &group, &member, generation);
                let heard = cluster.peers.catch_up(&member.node, ask).await;
                if let Err(error) = &heard {
                    debug!(node = %member.node, %error, "a replica did not hear of new segments; it will look by itself");
                }
                // Whoever sees a newer list while the copy is in the set leaves it to this task.
                let mut told = told.lock();
                if heard.is_err() || shard.shard.reader().generation == generation {
                    told.remove(&member.allocation_id);
                    return;
                }
            }
        });
    }
}
