//! One copy of one shard: takes operations, makes them durable, searchable, and small again.
//!
//! | file | subject |
//! |---|---|
//! | `handle` | the front door |
//! | `operation`, `options`, `stats` | what can be asked, and what is answered |
//! | `reader` | point-in-time views for searches |
//! | `inner` | the parts of an open shard and their locks |
//! | `write`, `get` | the course of one operation, of one lookup |
//! | `role`, `follow`, `promote` | primary and replica: operations of another copy, and how roles change |
//! | `shipment`, `install` | segments of another copy: giving and taking them |
//! | `versions`, `checkpoints` | which operations are known, done, durable |
//! | `commit`, `recover` | commit points; from them and the translog back to a shard |
//! | `maintain`, `verify`, `report` | what is done now and then |
//!
//! Refresh, flush and merge are in [`writer`](crate::writer).

mod checkpoints;
mod clock;
pub(crate) mod commit;
mod counters;
mod follow;
mod get;
mod handle;
pub(crate) mod inner;
mod install;
mod maintain;
mod operation;
mod options;
mod promote;
mod reader;
mod recover;
mod replica;
mod report;
mod role;
mod shipment;
mod stats;
mod verify;
pub(crate) mod versions;
mod write;

pub use clock::{Clock, ManualClock, SystemClock};
pub use commit::FileStamp;
pub use follow::RollBack;
pub use handle::Shard;
pub use install::{InstallError, WantedFile};
pub use operation::{
    DeleteOp, GetOptions, GetResult, IndexOp, Origin, VersionCheck, WriteError, WriteResult,
};
pub use options::{OpenShardError, ShardError, ShardOptions, ShardParts};
pub use reader::{SegmentSnapshot, ShardReader};
pub(crate) use report::base36;
pub use role::CopyRole;
pub use shipment::{FileName, ListedLiveDocs, ListedSegment, SegmentList, Shipment};
pub use stats::{OperationStats, SearchStats, SegmentSummary, ShardStats, TranslogStats};

#[cfg(test)]
pub(crate) use recover::open as open_inner;
use versions::BufferPlace;

#[cfg(test)]
mod failing_tests;
