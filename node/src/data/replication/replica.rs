//! What a copy does when the primary asks it.

use std::sync::Arc;
use std::time::Duration;

use quidditch_engine::ids::{PrimaryTerm, SeqNo};
use quidditch_engine::shard::WriteError;
use quidditch_engine::translog::Operation;
use tracing::info;

use super::peers::{CatchUp, CopyId, PeerError, Progress, Replicate};
use super::{Follower, Role};
use crate::data::local::{LocalShard, LocalShards};

/// A copy that the state has just given to this node is opened within this time.
const OPEN_WITHIN: Duration = Duration::from_secs(5);
/// A list of segments is copied within this time, or the asker is told that it is not there yet.
const SHOW_WITHIN: Duration = Duration::from_secs(30);

impl LocalShards {
    /// The open copy of this identity.
    pub(in crate::data) fn copy(&self, id: &CopyId) -> Result<Arc<LocalShard>, PeerError> {
        let open = self.open_shard(&id.index_uuid, id.shard);
        match open.filter(|shard| shard.allocation_id == id.allocation_id) {
            Some(shard) => Ok(shard),
            None => Err(PeerError::NoCopy(format!(
                "[{}][{}] {}",
                id.index_uuid, id.shard, id.allocation_id
            ))),
        }
    }

    /// The same; waits for one that is being opened.
    async fn copy_soon(&self, id: &CopyId) -> Result<Arc<LocalShard>, PeerError> {
        let opened = self.moved.until(|| self.copy(id).is_ok());
        // After it: found, or not.
        let _ = tokio::time::timeout(OPEN_WITHIN, opened).await;
        self.copy(id)
    }

    /// Takes operations of the primary.
    pub async fn on_replicate(&self, ask: Replicate) -> Result<Progress, PeerError> {
        let shard = self.copy_soon(&ask.to).await?;
        let follower = follower_of(&shard, ask.primary_term)?;
        let worker = shard.clone();
        let work = move || take(&worker, &follower, &ask);
        let done = self.pools.replicate.run_on(work).await;
        done.map_err(|error| PeerError::Failed(error.to_string()))?
    }

    /// Shows what the primary shows.
    pub async fn on_catch_up(&self, ask: CatchUp) -> Result<Progress, PeerError> {
        let shard = self.copy_soon(&ask.to).await?;
        let follower = follower_of(&shard, ask.primary_term)?;
        let global = SeqNo(ask.global_checkpoint);
        shard.shard.advance_global_checkpoint(global);
        let wanted = (ask.primary_term, ask.generation);
        match tokio::time::timeout(SHOW_WITHIN, follower.shows(wanted)).await {
            Ok(true) => Ok(progress(&shard)),
            Ok(false) => Err(PeerError::NoCopy("it was closed".to_owned())),
            Err(_) => Err(PeerError::NotYet(format!(
                "the segments were not copied within {} s",
                SHOW_WITHIN.as_secs()
            ))),
        }
    }
}

/// How far a copy is.
pub fn progress(shard: &LocalShard) -> Progress {
    Progress {
        persisted: shard.shard.local_checkpoint().0,
        searchable: shard.shard.searchable_checkpoint().0,
    }
}

/// The follower of a copy, which must not be a primary itself.
fn follower_of(shard: &LocalShard, term: u64) -> Result<Arc<Follower>, PeerError> {
    let known = match shard.role() {
        Role::Replica(follower) if term >= follower.primary_term() => return Ok(follower),
        role => role.primary_term(),
    };
    if term < known {
        return Err(PeerError::StaleTerm { known });
    }
    // Deposed, and not told yet: the state that says so will close it.
    Err(PeerError::NoCopy(format!(
        "it was the primary of term [{known}]"
    )))
}

fn take(shard: &LocalShard, follower: &Follower, ask: &Replicate) -> Result<Progress, PeerError> {
    let failed = |error: &dyn std::fmt::Display| PeerError::Failed(error.to_string());
    let mut operations = Vec::with_capacity(ask.operations.len());
    for bytes in &ask.operations {
        let operation = Operation::decode(bytes).map_err(|reason| {
            PeerError::Failed(format!("an operation cannot be read: {reason}"))
        })?;
        operations.push(operation);
    }
    let term = PrimaryTerm(ask.primary_term);
    let global = SeqNo(ask.global_checkpoint);
    if ask.primary_term > follower.primary_term() && shard.is_recovered() {
        // A copy that is in sync: what every in-sync copy had is beyond doubt here too.
        let known = global.max(shard.shard.global_checkpoint());
        shard
            .shard
            .roll_back(term, known)
            .map_err(|error| failed(&error))?;
    }
    // Any other copy that hears of a new reign first forgets what it cannot be sure of, by itself.
    let taken = shard.shard.append_replicated(term, &operations, global);
    let last = match taken {
        Ok(last) => last,
        Err(WriteError::StaleTerm { current, .. }) => {
            return Err(PeerError::StaleTerm { known: current });
        }
        Err(error) => return Err(failed(&error)),
    };
    if follower.see_term(ask.primary_term) {
        info!(index = %shard.target.index, shard = shard.target.shard, term = ask.primary_term, "follows a new primary");
        follower.look();
    }
    if ask.sync
        && let Some(location) = last
    {
        let synced = shard.shard.ensure_synced(location);
        synced.map_err(|error| failed(&error))?;
    }
    Ok(progress(shard))
}
