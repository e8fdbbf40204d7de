//! Several segments become one; dead documents are dropped.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::ids::SegmentId;
use crate::segment::{LiveDocs, MergeError, SegmentReader};

/// What a merge made.
#[derive(Clone, Debug)]
pub struct MergeOutcome {
    /// Name of the new segment.
    pub id: SegmentId,
    /// For each input, the new id of each of its documents; `u32::MAX` for those dropped.
    pub doc_map: Vec<Vec<u32>>,
    /// Documents of the new segment. With 0 the output must be thrown away.
    pub max_doc: u32,
    /// Length of the new file.
    pub len: u64,
}

/// Writes the live documents of all inputs, in order, as one segment. Verifies the checksums of the inputs first;
/// looks at `cancel` often.
pub fn merge_segments(
    inputs: &[(Arc<SegmentReader>, Option<Arc<LiveDocs>>)],
    out: &mut dyn Write,
    cancel: &AtomicBool,
) -> Result<MergeOutcome, MergeError> {
    let _ = (inputs, out, cancel);
    todo!()
}
