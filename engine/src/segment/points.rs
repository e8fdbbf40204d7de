//! Points: which documents have a value in a range, without looking at all values.

use std::sync::Arc;

use super::ReadError;
use crate::format::envelope::Section;
use crate::format::v1::packed;
use crate::format::v1::points::{LeafEntry, TRAILER_BYTES, decode_tail, tail_len};

/// The numbers of one field in order of value. Cheap to clone.
#[derive(Clone, Debug)]
pub struct PointsReader {
    section: Section,
    leaves: Arc<[LeafEntry]>,
    count: u64,
}

impl PointsReader {
    pub(crate) fn open(section: Section) -> Result<PointsReader, ReadError> {
        let len = section.len() as u64;
        let trailer_at = len
            .checked_sub(TRAILER_BYTES)
            .ok_or_else(|| section.error("is shorter than a trailer"))?;
        let trailer = section.read(trailer_at, TRAILER_BYTES)?;
        let tail_len = tail_len(trailer).map_err(|what| section.malformed(what))?;
        let tail_at = len
            .checked_sub(tail_len)
            .ok_or_else(|| section.error("is shorter than its directory"))?;
        let tail = section.read(tail_at, tail_len)?;
        let (leaves, count) = decode_tail(tail, len).map_err(|what| section.malformed(what))?;
        Ok(PointsReader {
            section,
            leaves: leaves.into(),
            count,
        })
    }

    /// Reads the pairs of a leaf over those before.
    pub(crate) fn leaf(
        &self,
        index: usize,
        values: &mut Vec<i64>,
        docs: &mut Vec<u32>,
    ) -> Result<(), ReadError> {
        values.clear();
        docs.clear();
        let Some(leaf) = self.leaves.get(index) else {
            return Ok(());
        };
        let bytes = self.section.read(leaf.start, leaf.end - leaf.start)?;
        let (packed_values, packed_docs) = bytes.split_at((leaf.docs_at - leaf.start) as usize);
        for index in 0..leaf.count as usize {
            let distance = packed::get(packed_values, leaf.value_width, index);
            values.push(leaf.min.wrapping_add(distance as i64));
            docs.push(packed::get(packed_docs, leaf.doc_width, index) as u32);
        }
        Ok(())
    }

    pub(crate) fn leaf_count(&self) -> usize {
        self.leaves.len()
    }

    /// The leaves that have a value in the range, if the leaves ascend.
    fn leaves_in(&self, lo: i64, hi: i64) -> std::ops::Range<usize> {
        let start = self.leaves.partition_point(|leaf| leaf.max < lo);
        let end = self.leaves.partition_point(|leaf| leaf.min <= hi);
        start..end.max(start)
    }

    /// Calls back with the documents that have a value in `lo..=hi`, in batches, in no order, a document once per value.
    pub fn range(&self, lo: i64, hi: i64, docs: &mut dyn FnMut(&[u32])) -> Result<(), ReadError> {
        let (mut values, mut leaf_docs) = (Vec::new(), Vec::new());
        for index in self.leaves_in(lo, hi) {
            self.leaf(index, &mut values, &mut leaf_docs)?;
            let start = values.partition_point(|value| *value < lo);
            let end = values.partition_point(|value| *value <= hi);
            if start < end {
                docs(&leaf_docs[start..end]);
            }
        }
        Ok(())
    }

    /// At most how many values lie in `lo..=hi`; looks at no leaf.
    pub fn range_cost(&self, lo: i64, hi: i64) -> u32 {
        let leaves = &self.leaves[self.leaves_in(lo, hi)];
        let count: u64 = leaves.iter().map(|leaf| u64::from(leaf.count)).sum();
        count.min(u64::from(u32::MAX)) as u32
    }

    /// Number of values.
    pub fn len(&self) -> u64 {
        self.count
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The smallest value; 0 without any.
    pub fn min(&self) -> i64 {
        self.leaves.first().map_or(0, |leaf| leaf.min)
    }

    /// The greatest value; 0 without any.
    pub fn max(&self) -> i64 {
        self.leaves.last().map_or(0, |leaf| leaf.max)
    }

    /// Checks order, bounds and documents of every leaf.
    pub(crate) fn verify(&self, max_doc: u32) -> Result<(), ReadError> {
        let (mut values, mut docs) = (Vec::new(), Vec::new());
        let mut last = None;
        for (index, leaf) in self.leaves.iter().enumerate() {
            self.leaf(index, &mut values, &mut docs)?;
            if values.first() != Some(&leaf.min) || values.last() != Some(&leaf.max) {
                return Err(self
                    .section
                    .error("has a leaf with other bounds than its directory"));
            }
            for pair in values.iter().zip(&docs) {
                if last.is_some_and(|last| last >= (*pair.0, *pair.1)) || *pair.1 >= max_doc {
                    return Err(self.section.error("has pairs out of order"));
                }
                last = Some((*pair.0, *pair.1));
            }
        }
        Ok(())
    }
}
