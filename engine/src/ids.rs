//! The engine's identifiers: newtypes, never bare integers.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Position of a document in one segment, from 0 to `max_doc - 1`. A merge reassigns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DocId(pub u32);

impl DocId {
    /// What a cursor stands on after its last document.
    pub const NO_MORE: DocId = DocId(u32::MAX);
}

/// Order of an operation in its shard, from 0, without holes once the shard is quiet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SeqNo(pub i64);

impl SeqNo {
    /// No operation was ever done.
    pub const NONE: SeqNo = SeqNo(-1);
    /// Not given yet, or not asked for.
    pub const UNASSIGNED: SeqNo = SeqNo(-2);

    /// Whether an operation can have this number. The highest that there is none can: the next one is always a number too.
    pub(crate) fn is_operation(self) -> bool {
        (0..i64::MAX).contains(&self.0)
    }
}

/// Reign of a primary; raised by the masters at each promotion. The first is 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PrimaryTerm(pub u64);

/// Name of a segment: random 128 bits, never used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SegmentId(pub u128);

impl fmt::Display for SegmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for SegmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
