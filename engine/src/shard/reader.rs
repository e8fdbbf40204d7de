//! Point-in-time views: what a search sees.

use std::sync::Arc;

use crate::exec::ShardFields;
use crate::ids::DocId;
use crate::schema::IndexSchema;
use crate::segment::{LiveDocs, SegmentReader, ShardFilters};

/// One segment as it was at some moment.
#[derive(Clone, Debug)]
pub struct SegmentSnapshot {
    /// The documents.
    pub reader: Arc<SegmentReader>,
    /// Which of them are dead; `None`: none is.
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

    /// Whether a document is alive.
    pub fn is_live(&self, doc: DocId) -> bool {
        match &self.live {
            Some(live) => live.is_live(doc),
            None => doc.0 < self.reader.max_doc(),
        }
    }
}

/// The segments of a shard as they were at one moment. Holding it keeps their bytes readable; writers never wait
/// for it.
#[derive(Clone, Debug)]
pub struct ShardReader {
    /// Oldest first.
    pub segments: Vec<SegmentSnapshot>,
    /// The schema at that moment.
    pub schema: Arc<IndexSchema>,
    /// Grows with every change of what a search can see.
    pub generation: u64,
    /// How the shard's searches use the filter cache.
    pub filters: Arc<ShardFilters>,
    /// Fields that searches asked for.
    pub(crate) fields: Arc<ShardFields>,
}

impl ShardReader {
    /// A view of these segments; for tests and tools that have no shard.
    pub fn new(segments: Vec<SegmentSnapshot>, schema: Arc<IndexSchema>) -> ShardReader {
        ShardReader {
            segments,
            schema,
            generation: 0,
            filters: Arc::default(),
            fields: Arc::default(),
        }
    }

    /// Number of live documents.
    pub fn doc_count(&self) -> u64 {
        self.segments
            .iter()
            .map(|segment| u64::from(segment.live_count()))
            .sum()
    }

    /// Number of documents, dead ones included.
    pub fn max_doc(&self) -> u64 {
        self.segments
            .iter()
            .map(|segment| u64::from(segment.reader.max_doc()))
            .sum()
    }
}
