//! Who takes matching documents: aggregations and the like.

use super::SearchError;
use crate::segment::Window;
use crate::shard::SegmentSnapshot;

/// Takes the live matching documents of a shard, segment by segment, window by window.
pub trait WindowCollector {
    /// Whether `scores` are wanted; asked once, before the first segment.
    fn needs_scores(&self) -> bool;

    /// The next documents are of this segment, the `ord`-th of the reader. Segments come in order; some may be left out.
    fn begin_segment(&mut self, ord: u32, segment: &SegmentSnapshot) -> Result<(), SearchError>;

    /// Takes all documents of the segment begun last, which are alive, without being told them; `false`: they must
    /// be told.
    fn collect_segment(&mut self) -> Result<bool, SearchError> {
        Ok(false)
    }

    /// Takes documents.
    ///
    /// * `docs`: ascending, all of one window of 4096 documents whose first is a multiple of 4096; never empty.
    /// * `bits`: the same documents.
    /// * `scores`: of the same documents; empty unless [`WindowCollector::needs_scores`].
    fn collect(&mut self, docs: &[u32], bits: &Window, scores: &[f32]) -> Result<(), SearchError>;
}
