//! What a search sees of a shard: the segments of one moment.

use std::sync::Arc;

use crate::schema::IndexSchema;
use crate::segment::{LiveDocs, SegmentReader};

/// One segment and which of its documents were dead at that moment.
#[derive(Clone, Debug)]
pub struct SegmentSnapshot {
    /// The segment.
    pub reader: Arc<SegmentReader>,
    /// `None`: all documents are alive.
    pub live: Option<Arc<LiveDocs>>,
}

impl SegmentSnapshot {
    /// Number of live documents.
    pub fn live_count(&self) -> u32 {
        match &self.live {
            Some(live) => live.live_count(),
            None => self.reader.max_doc(),
        }
    }
}

/// A shard at the moment of a refresh; never changes.
#[derive(Clone, Debug)]
pub struct ShardReader {
    /// Segments in order; documents of an earlier one come first where all else is equal.
    pub segments: Vec<SegmentSnapshot>,
    /// The mapping of that moment.
    pub schema: Arc<IndexSchema>,
    /// Grows with each refresh that changed something.
    pub generation: u64,
}
