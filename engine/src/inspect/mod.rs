//! What lies on disk, described: for tools that show it and check it. Nothing here is ever written, no shard is opened, and
//! what searches use is not changed by what can be asked here.

mod columns;
mod postings;
mod shard;
mod verify;

pub use columns::{ChunkShape, column_chunks};
pub use postings::{ListKind, PartShape, PositionShape, PostingsShape, list_kind, postings};
pub use shard::{
    CommitShape, CommittedFile, CommittedSegmentShape, FileKind, file_kind, newest_commit,
};
pub use verify::{CheckedFile, Damage, TranslogShape, translog, verify, verify_segment};
