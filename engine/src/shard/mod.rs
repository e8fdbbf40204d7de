//! One copy of one shard: takes operations, makes them durable, searchable, and small again.
//!
//! | file | subject |
//! |---|---|
//! | `operation` | what can be asked, and what is answered |
//! | `reader` | point-in-time views for searches |
//! | `stats` | counters |

mod clock;
mod handle;
mod operation;
mod options;
mod reader;
mod stats;

pub use clock::{Clock, ManualClock, SystemClock};
pub use handle::Shard;
pub use operation::{
    DeleteOp, GetOptions, GetResult, IndexOp, Origin, VersionCheck, WriteError, WriteResult,
};
pub use options::{OpenShardError, ShardError, ShardOptions, ShardParts};
pub use reader::{SegmentSnapshot, ShardReader};
pub use stats::{OperationStats, SegmentSummary, ShardStats, TranslogStats};
