//! Sub-aggregations that wait: which documents fell into which bucket is remembered, until it is known which buckets
//! are worth looking into.

use super::collector::Children;
use super::request::{AggKind, AggRequest};
use crate::search::SearchError;
use crate::segment::Window;
use crate::shard::ShardReader;

/// The bucket is not among those that the sub-aggregations shall see.
pub(crate) const PRUNED: u32 = u32::MAX;

/// Whether the sub-aggregations cost so much per bucket that they should see the best buckets alone. Plain numbers
/// cost less than it takes to remember the documents.
pub(crate) fn worth_waiting(sub: &[AggRequest]) -> bool {
    sub.iter().any(|agg| {
        !matches!(
            agg.kind,
            AggKind::Avg(_)
                | AggKind::Max(_)
                | AggKind::Min(_)
                | AggKind::Sum(_)
                | AggKind::Stats(_)
                | AggKind::ExtendedStats(_)
                | AggKind::ValueCount(_)
                | AggKind::WeightedAvg(_)
                | AggKind::Pipeline(_)
        )
    })
}

/// Documents and their buckets, in the order in which they came.
#[derive(Default)]
pub(crate) struct Deferred {
    segments: Vec<SegmentRows>,
}

struct SegmentRows {
    ord: u32,
    docs: Vec<u32>,
    buckets: Vec<u32>,
}

impl Deferred {
    /// The next documents are of this segment.
    pub fn begin_segment(&mut self, ord: u32) {
        self.segments.push(SegmentRows {
            ord,
            docs: Vec::new(),
            buckets: Vec::new(),
        });
    }

    /// Remembers a document of the segment begun last.
    #[inline]
    pub fn push(&mut self, doc: u32, bucket: u32) {
        if let Some(rows) = self.segments.last_mut() {
            rows.docs.push(doc);
            rows.buckets.push(bucket);
        }
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        let mut bytes = 0;
        for rows in &self.segments {
            bytes += (rows.docs.capacity() + rows.buckets.capacity()) * size_of::<u32>();
        }
        bytes
    }

    /// Hands the documents to the sub-aggregations, each in the bucket that `slots` has for the one it fell into.
    pub fn replay(
        self,
        reader: &ShardReader,
        slots: &[u32],
        children: &mut Children<'_>,
    ) -> Result<(), SearchError> {
        for rows in self.segments {
            let Some(segment) = reader.segments.get(rows.ord as usize) else {
                continue;
            };
            children.begin_segment(rows.ord, segment)?;
            let mut base = 0;
            for (&doc, &bucket) in rows.docs.iter().zip(&rows.buckets) {
                let slot = slots.get(bucket as usize).copied().unwrap_or(PRUNED);
                if slot == PRUNED {
                    continue;
                }
                // batches stay inside a window
                if Window::base_of(doc) != base {
                    children.flush()?;
                    base = Window::base_of(doc);
                }
                children.push_doc(doc, slot);
            }
            children.flush()?;
        }
        Ok(())
    }
}
