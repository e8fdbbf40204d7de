use roaring::RoaringBitmap;

use super::{OpenSegmentError, Window};
use crate::ids::{DocId, SegmentId};

/// Which documents of a segment are dead.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveDocs {
    max_doc: u32,
    deleted: RoaringBitmap,
}

impl LiveDocs {
    /// Of a segment with `max_doc` documents; entries of `deleted` past it are dropped.
    pub fn new(max_doc: u32, mut deleted: RoaringBitmap) -> LiveDocs {
        deleted.remove_range(max_doc..);
        LiveDocs { max_doc, deleted }
    }
    /// Documents of the segment, dead ones included.
    pub fn max_doc(&self) -> u32 {
        self.max_doc
    }
    /// Number of dead documents.
    pub fn deleted_count(&self) -> u32 {
        self.deleted.len() as u32
    }
    /// Number of live documents.
    pub fn live_count(&self) -> u32 {
        self.max_doc - self.deleted_count()
    }
    /// Whether a document is alive.
    pub fn is_live(&self, doc: DocId) -> bool {
        doc.0 < self.max_doc && !self.deleted.contains(doc.0)
    }
    /// The dead documents.
    pub fn deleted(&self) -> &RoaringBitmap {
        &self.deleted
    }
    /// Takes the dead documents of the window at `base` (a multiple of 4096) out of `bits`.
    pub fn mask_window(&self, base: DocId, bits: &mut Window) {
        for doc in self.deleted.range(base.0..=base.0.saturating_add(4095)) {
            bits.unset(doc - base.0);
        }
    }
    /// The bytes of the side file.
    pub fn encode(&self, segment: SegmentId) -> Vec<u8> {
        let _ = segment;
        todo!()
    }
    /// Reads a side file, which must belong to this segment.
    pub fn decode(
        segment: SegmentId,
        max_doc: u32,
        bytes: &[u8],
    ) -> Result<LiveDocs, OpenSegmentError> {
        let _ = (segment, max_doc, bytes);
        todo!()
    }
}
