//! Copies the files of a list of segments that are not here yet.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use quidditch_engine::shard::{SegmentList, WantedFile};
use tokio::time::Instant;
use tracing::debug;

use crate::cluster::NodeId;
use crate::data::local::{LocalShard, LocalShards};
use crate::data::replication::follower::{FollowError, primary_of};
use crate::data::replication::peers::{PeerError, READ_BYTES_MAX, ReadFile};

/// Parts of a file on their way at one time.
const PARTS_AT_ONCE: usize = 4;
/// A part that does not come is asked for again for so long: less than the source keeps a session that nobody uses.
const PART_WITHIN: Duration = Duration::from_secs(30);
/// Between two tries.
const PART_PAUSE: Duration = Duration::from_millis(200);

/// How fast files may be copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Within what all recoveries of the node share.
    Shared,
    /// As fast as they come: searches wait for them.
    Full,
}

/// Brings all files of `list` here that are not here yet, from the session's node.
///
/// * `on_step`: told of each part that came, once it is paid for.
pub async fn fetch(
    shards: &Arc<LocalShards>,
    shard: &Arc<LocalShard>,
    node: &NodeId,
    session: u64,
    list: &SegmentList,
    pace: Pace,
    mut on_step: impl FnMut() + Send,
) -> Result<(), FollowError> {
    let (worker, wanted_of) = (shard.clone(), list.clone());
    let missing = shards
        .pools
        .recovery
        .run_on(move || worker.shard.missing(&wanted_of))
        .await
        .map_err(local)?;
    let (count, all) = size_of(list);
    let lacking: u64 = missing.iter().map(|file| file.len).sum();
    let reused = all.saturating_sub(lacking);
    // What follows a primary is no recovery any more.
    if pace == Pace::Shared {
        let files = missing.len() as u64;
        shard.recovery.plan(count, files, all, reused);
    }
    for file in missing {
        fetch_file(shards, shard, node, session, file, pace, &mut on_step).await?;
    }
    Ok(())
}

/// Files of a list, and their bytes.
fn size_of(list: &SegmentList) -> (u64, u64) {
    let mut lens: Vec<u64> = Vec::new();
    for segment in &list.segments {
        lens.push(segment.file.len);
        lens.extend(segment.live.as_ref().map(|live| live.file.len));
    }
    lens.extend(list.tombstones.as_ref().map(|file| file.len));
    (lens.len() as u64, lens.iter().sum())
}

fn local(error: impl std::fmt::Display) -> FollowError {
    FollowError::Local(error.to_string())
}

async fn fetch_file(
    shards: &Arc<LocalShards>,
    shard: &Arc<LocalShard>,
    node: &NodeId,
    session: u64,
    file: WantedFile,
    pace: Pace,
    on_step: &mut (impl FnMut() + Send),
) -> Result<(), FollowError> {
    let begin = file.staged.min(file.len);
    let starts = (begin..file.len).step_by(READ_BYTES_MAX as usize);
    let name = file.file;
    let mut parts = futures::stream::iter(starts)
        .map(|offset| {
            let len = (file.len - offset).min(u64::from(READ_BYTES_MAX)) as u32;
            let ask = ReadFile {
                session,
                file: name,
                offset,
                len,
            };
            async move {
                let bytes = read_part(shards, shard, node, ask).await?;
                Ok::<_, FollowError>((offset, bytes))
            }
        })
        .buffered(PARTS_AT_ONCE);
    let mut done = begin;
    while let Some(part) = parts.next().await {
        let (offset, bytes) = part?;
        let len = bytes.len() as u64;
        let worker = shard.clone();
        let staged = shards
            .pools
            .recovery
            .run_on(move || worker.shard.stage(&name, offset, &bytes))
            .await
            .map_err(local)?;
        staged.map_err(local)?;
        done += len;
        if pace == Pace::Shared {
            shard.recovery.copied(len, done == file.len);
            let limit = shards.recovery_bytes_per_second();
            let waited = shards.throttle.take(len, limit).await;
            shard.recovery.throttled(waited);
        }
        on_step();
    }
    Ok(())
}

/// Reads a part of a file; again, if it does not come, as long as the node has the primary.
async fn read_part(
    shards: &LocalShards,
    shard: &LocalShard,
    node: &NodeId,
    ask: ReadFile,
) -> Result<Bytes, FollowError> {
    let cluster = shards.cluster().ok_or(FollowError::NoPrimary)?;
    let until = Instant::now() + PART_WITHIN;
    loop {
        let error = match cluster.peers.read_file(node, ask.clone()).await {
            Ok(bytes) if bytes.len() == ask.len as usize => return Ok(bytes),
            Ok(bytes) => {
                let (came, len) = (bytes.len(), ask.len);
                let reason = format!("{came} bytes came, {len} were asked for");
                return Err(PeerError::Failed(reason).into());
            }
            Err(error) => error,
        };
        let reigns = primary_of(shards, &shard.target).is_some_and(|(there, _)| there == *node);
        if !error.may_pass() || !reigns || Instant::now() >= until {
            return Err(error.into());
        }
        debug!(index = %shard.target.index, shard = shard.target.shard, file = %ask.file, offset = ask.offset, %error, "a part of a file did not come; asking again");
        tokio::time::sleep(PART_PAUSE).await;
    }
}
