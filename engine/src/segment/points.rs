//! Points: which documents have a value in a range, without looking at all values.

use std::sync::Arc;

use super::ReadError;
use crate::format::envelope::Section;
use crate::format::v1::points::{LeafEntry, TRAILER_BYTES, decode_tail, tail_len};
use crate::simd::columns::{Packed, ROWS, kernels};

/// The numbers of one field in order of value. Cheap to clone.
#[derive(Clone, Debug)]
pub struct PointsReader {
    section: Section,
    leaves: Arc<[LeafEntry]>,
    count: u64,
}

/// The pairs of one leaf, decoded; reused from leaf to leaf.
pub(crate) struct LeafPairs {
    values: Box<[i64; ROWS]>,
    docs: Box<[u32; ROWS]>,
    count: usize,
}

impl Default for LeafPairs {
    fn default() -> Self {
        LeafPairs {
            values: Box::new([0; ROWS]),
            docs: Box::new([0; ROWS]),
            count: 0,
        }
    }
}

impl LeafPairs {
    /// Ascending.
    pub fn values(&self) -> &[i64] {
        &self.values[..self.count]
    }

    /// The documents of the values.
    pub fn docs(&self) -> &[u32] {
        &self.docs[..self.count]
    }
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
    pub(crate) fn leaf(&self, index: usize, pairs: &mut LeafPairs) -> Result<(), ReadError> {
        pairs.count = 0;
        let Some(leaf) = self.leaves.get(index) else {
            return Ok(());
        };
        self.leaf_docs(index, pairs)?;
        let bytes = self.section.read(leaf.start, leaf.docs_at - leaf.start)?;
        let packed = Packed {
            bytes,
            width: leaf.value_width,
            count: pairs.count,
        };
        (kernels().unpack)(packed, leaf.min, 1, &mut pairs.values);
        Ok(())
    }

    /// The same without the values.
    fn leaf_docs(&self, index: usize, pairs: &mut LeafPairs) -> Result<(), ReadError> {
        pairs.count = 0;
        let Some(leaf) = self.leaves.get(index) else {
            return Ok(());
        };
        let packed = Packed {
            bytes: self.section.read(leaf.docs_at, leaf.end - leaf.docs_at)?,
            width: leaf.doc_width,
            count: (leaf.count as usize).min(ROWS),
        };
        (kernels().unpack_u32)(packed, 0, &mut pairs.docs);
        pairs.count = packed.count;
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
        let mut pairs = LeafPairs::default();
        for index in self.leaves_in(lo, hi) {
            let leaf = &self.leaves[index];
            if lo <= leaf.min && leaf.max <= hi {
                self.leaf_docs(index, &mut pairs)?;
                docs(pairs.docs());
                continue;
            }
            self.leaf(index, &mut pairs)?;
            let start = pairs.values().partition_point(|value| *value < lo);
            let end = pairs.values().partition_point(|value| *value <= hi);
            if start < end {
                docs(&pairs.docs()[start..end]);
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
        let mut pairs = LeafPairs::default();
        let mut last = None;
        for (index, leaf) in self.leaves.iter().enumerate() {
            self.leaf(index, &mut pairs)?;
            let (values, docs) = (pairs.values(), pairs.docs());
            if values.first() != Some(&leaf.min) || values.last() != Some(&leaf.max) {
                return Err(self
                    .section
                    .error("has a leaf with other bounds than its directory"));
            }
            for pair in values.iter().zip(docs) {
                if last.is_some_and(|last| last >= (*pair.0, *pair.1)) || *pair.1 >= max_doc {
                    return Err(self.section.error("has pairs out of order"));
                }
                last = Some((*pair.0, *pair.1));
            }
        }
        Ok(())
    }
}
