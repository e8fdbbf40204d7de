use super::ReadError;

/// The numbers of one field in order of value. Cheap to clone.
#[derive(Clone, Debug)]
pub struct PointsReader {}

impl PointsReader {
    /// Calls back with the documents that have a value in `lo..=hi`, in batches, in no order, a document once per value.
    pub fn range(&self, lo: i64, hi: i64, docs: &mut dyn FnMut(&[u32])) -> Result<(), ReadError> {
        let _ = (lo, hi, docs);
        todo!()
    }
    /// At most how many values lie in `lo..=hi`; looks at no leaf.
    pub fn range_cost(&self, lo: i64, hi: i64) -> u32 {
        let _ = (lo, hi);
        todo!()
    }
    /// Number of values.
    pub fn len(&self) -> u64 {
        todo!()
    }
    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// The smallest value.
    pub fn min(&self) -> i64 {
        todo!()
    }
    /// The greatest value.
    pub fn max(&self) -> i64 {
        todo!()
    }
}
