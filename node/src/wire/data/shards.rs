//! Which shard a call is for, and the answers about it that are trees.

use bytes::Bytes;
use quidditch_proto::data::v1 as proto;

use super::{Reply, reply};
use crate::data::service::{RecoverySummary, SegmentSummary, ShardError, ShardStats, ShardTarget};
use crate::wire::tree::{self, WireError};

/// A copy as the caller saw it in its state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Reign of its primary; `None`: the call is for any copy.
    pub primary_term: Option<u64>,
    /// Identity of the copy; `None`: whichever is there.
    pub allocation_id: Option<String>,
}

/// The shard of a call.
pub fn shard_of(target: &ShardTarget, seen: &Seen) -> proto::Shard {
    proto::Shard {
        index: target.index.clone(),
        index_uuid: target.index_uuid.clone(),
        shard: target.shard,
        primary_term: seen.primary_term.unwrap_or(0),
        allocation_id: seen.allocation_id.clone().unwrap_or_default(),
    }
}

/// Reads the shard of a call.
pub fn target_of(shard: Option<proto::Shard>) -> Result<(ShardTarget, Seen), WireError> {
    let shard = shard.ok_or(WireError::missing("shard"))?;
    let target = ShardTarget {
        index: shard.index,
        index_uuid: shard.index_uuid,
        shard: shard.shard,
    };
    let seen = Seen {
        primary_term: Some(shard.primary_term).filter(|term| *term > 0),
        allocation_id: Some(shard.allocation_id).filter(|id| !id.is_empty()),
    };
    Ok((target, seen))
}

/// The reply to a call of a shard.
macro_rules! shard_reply {
    ($reply:ident in $module:ident, $variant:ident: $value:ty, $write:expr, $read:expr $(,)?) => {
        reply!(
            $reply in $module, $variant: $value, ShardError, |error| Ok(error.into()), $write, $read
        );
    };
}
pub(super) use shard_reply;

shard_reply!(
    DoneReply in done_reply, Done: (),
    |()| Ok(proto::Done {}),
    |_: proto::Done| Ok(()),
);
shard_reply!(
    StatsReply in stats_reply, StatsCbor: ShardStats,
    |stats| tree::encode("shard stats", &stats),
    |bytes: Bytes| tree::decode("shard stats", &bytes),
);
shard_reply!(
    RecoveryReply in recovery_reply, SummaryCbor: RecoverySummary,
    |summary| tree::encode("recovery", &summary),
    |bytes: Bytes| tree::decode("recovery", &bytes),
);
shard_reply!(
    SegmentsReply in segments_reply, SegmentsCbor: Vec<SegmentSummary>,
    |segments| tree::encode("segments", &segments),
    |bytes: Bytes| tree::decode("segments", &bytes),
);
