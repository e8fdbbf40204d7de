//! One copy of one shard: takes operations, makes them durable, searchable, and small again.
//!
//! | file | subject |
//! |---|---|
//! | `handle` | the front door |
//! | `operation`, `options`, `stats` | what can be asked, and what is answered |
//! | `reader` | point-in-time views for searches |
//! | `inner` | the parts of an open shard and their locks |
//! | `write`, `get` | the course of one operation, of one lookup |
//! | `versions`, `checkpoints` | which operations are known, done, durable |
//! | `commit`, `recover` | commit points; from them and the translog back to a shard |
//! | `maintain`, `verify`, `report` | what is done now and then |
//!
//! Refresh, flush and merge are in [`writer`](crate::writer).

mod checkpoints;
mod clock;
pub(crate) mod commit;
mod counters;
mod get;
mod handle;
pub(crate) mod inner;
mod maintain;
mod operation;
mod options;
mod reader;
mod recover;
mod report;
mod stats;
mod verify;
pub(crate) mod versions;
mod write;

pub use clock::{Clock, ManualClock, SystemClock};
pub use handle::Shard;
pub use operation::{
    DeleteOp, GetOptions, GetResult, IndexOp, Origin, VersionCheck, WriteError, WriteResult,
};
pub use options::{OpenShardError, ShardError, ShardOptions, ShardParts};
pub use reader::{SegmentSnapshot, ShardReader};
pub(crate) use report::base36;
pub use stats::{OperationStats, SearchStats, SegmentSummary, ShardStats, TranslogStats};

#[cfg(test)]
pub(crate) use recover::open as open_inner;
use versions::BufferPlace;

#[cfg(test)]
mod failing_tests;
