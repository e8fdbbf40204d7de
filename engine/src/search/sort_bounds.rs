//! What the zone maps of a sort field say of windows that nobody has looked at.

use super::sort_reader::SegmentKey;
use super::{SortOrder, SortValue};
use crate::ids::DocId;
use crate::schema::f64_to_sortable;
use crate::segment::{NumericColumn, WINDOW_DOCS};

/// The first sort key's numbers in one segment, as the column stores them, where their order is the hits' order.
pub(super) struct Bounds {
    column: NumericColumn,
    ascending: bool,
    /// What documents without a value count as.
    missing: i64,
    max_doc: u32,
}

/// A sort value as a column stores it; `None` for what no numeric column holds.
pub(super) fn stored(value: &SortValue) -> Option<i64> {
    match value {
        SortValue::I64(n) => Some(*n),
        SortValue::U64(n) => Some((n ^ (1 << 63)) as i64),
        SortValue::F64(n) => Some(f64_to_sortable(*n)),
        SortValue::Missing | SortValue::Term { .. } => None,
    }
}

impl Bounds {
    /// The bounds of a key, where it has some.
    pub fn of(key: &SegmentKey<'_>, order: SortOrder, max_doc: u32) -> Option<Bounds> {
        let (column, missing) = key.plain_numbers()?;
        Some(Bounds {
            column: column.clone(),
            ascending: order == SortOrder::Asc,
            missing: stored(missing)?,
            max_doc,
        })
    }

    /// Smallest and greatest number of a window, one that stands for a missing one included.
    fn range(&self, base: u32) -> (i64, i64) {
        let rows = WINDOW_DOCS.min(self.max_doc.saturating_sub(base));
        let zone = self.column.zone(base / WINDOW_DOCS);
        match zone.filter(|zone| zone.doc_count > 0) {
            None => (self.missing, self.missing),
            Some(zone) if zone.doc_count >= rows => (zone.min, zone.max),
            Some(zone) => (zone.min.min(self.missing), zone.max.max(self.missing)),
        }
    }

    /// The number that comes first of a window's, as one that ascends with its place in the order.
    pub fn first(&self, base: u32) -> i64 {
        let (min, max) = self.range(base);
        // all bits flipped, numbers come in the opposite order
        if self.ascending { min } else { !max }
    }

    /// The one that comes last.
    pub fn last(&self, base: u32) -> i64 {
        let (min, max) = self.range(base);
        if self.ascending { max } else { !min }
    }

    /// A sort value in the same order.
    pub fn place(&self, value: &SortValue) -> Option<i64> {
        let stored = stored(value)?;
        Some(if self.ascending { stored } else { !stored })
    }

    /// The place of a document where that takes no more than a look, and where documents have one value each.
    pub fn place_of(&self, doc: u32) -> Option<i64> {
        if !self.column.is_single_valued() {
            return None;
        }
        let stored = self.column.first(DocId(doc)).unwrap_or(self.missing);
        Some(if self.ascending { stored } else { !stored })
    }

    /// The windows of the segment.
    pub fn windows(&self) -> impl Iterator<Item = u32> + use<> {
        (0..self.max_doc).step_by(WINDOW_DOCS as usize)
    }
}
