//! Documents by number: a column looked at window by window, or points when few match.

use std::sync::Arc;

use super::doc_set::DocSetScorer;
use super::scorer::{Hits, NO_MORE, Scorer, for_each_offset};
use crate::geo::GeoArea;
use crate::ids::DocId;
use crate::query::PlaceRule;
use crate::search::SearchError;
use crate::segment::{DocSetBuilder, NumericColumn, PointsReader, WINDOW_DOCS, Window};

/// Which numbers.
#[derive(Clone, Debug)]
pub(crate) enum Wanted {
    /// Both ends included.
    Between {
        /// Smallest.
        lo: i64,
        /// Greatest.
        hi: i64,
    },
    /// Ascending, no duplicates.
    OneOf(Arc<[i64]>),
    /// Places in an area.
    Places {
        /// The area.
        area: GeoArea,
        /// Which of a document's places must be in it.
        rule: PlaceRule,
    },
}

impl Wanted {
    /// Whether a document with these numbers, at least one, is wanted.
    fn has_any(&self, numbers: &[i64]) -> bool {
        match self {
            Wanted::Between { lo, hi } => numbers.iter().any(|n| (*lo..=*hi).contains(n)),
            Wanted::OneOf(wanted) => numbers.iter().any(|n| wanted.binary_search(n).is_ok()),
            Wanted::Places { area, rule } => match rule {
                PlaceRule::Any => numbers.iter().any(|n| area.has(*n)),
                PlaceRule::All => numbers.iter().all(|n| area.has(*n)),
                PlaceRule::None => !numbers.iter().any(|n| area.has(*n)),
            },
        }
    }
}

/// Rows of a column that are compared in the time that one point takes: to decode it, and to put it in its place.
const ROWS_PER_POINT: u64 = 32;

/// Documents with a wanted number, from whichever structure costs less.
pub(crate) struct NumbersScorer {
    column: Option<NumericColumn>,
    points: Option<PointsReader>,
    wanted: Wanted,
    max_doc: u32,
    cost: u64,
    /// The whole answer, once worked out from points.
    set: Option<DocSetScorer>,
    values: Vec<i64>,
}

impl NumbersScorer {
    /// At least one of `column` and `points` is needed to find anything.
    pub fn new(
        column: Option<NumericColumn>,
        points: Option<PointsReader>,
        wanted: Wanted,
        max_doc: u32,
    ) -> Self {
        let cost = match (&points, &wanted) {
            (Some(points), Wanted::Between { lo, hi }) => u64::from(points.range_cost(*lo, *hi)),
            (Some(points), Wanted::OneOf(numbers)) => numbers
                .iter()
                .take(1024)
                .map(|number| u64::from(points.range_cost(*number, *number)))
                .sum(),
            (None, _) | (Some(_), Wanted::Places { .. }) => u64::from(max_doc),
        };
        NumbersScorer {
            column,
            points,
            wanted,
            max_doc,
            cost,
            set: None,
            values: Vec::new(),
        }
    }

    /// Works the set out from points where that is cheaper than looking at every row, or the only way.
    fn prepare(&mut self) -> Result<(), SearchError> {
        if self.set.is_some() {
            return Ok(());
        }
        let Some(points) = &self.points else {
            return Ok(());
        };
        if matches!(self.wanted, Wanted::Places { .. }) {
            return Ok(());
        }
        if let (Some(column), Wanted::Between { lo, hi }) = (&self.column, &self.wanted)
            && column.rows_to_compare(*lo, *hi) / ROWS_PER_POINT <= self.cost
        {
            return Ok(());
        }
        let mut builder = DocSetBuilder::new(self.max_doc);
        match &self.wanted {
            Wanted::Places { .. } => {}
            Wanted::Between { lo, hi } => points.range(*lo, *hi, &mut |docs| builder.add(docs))?,
            Wanted::OneOf(numbers) => {
                for number in numbers.iter() {
                    points.range(*number, *number, &mut |docs| builder.add(docs))?;
                }
            }
        }
        self.set = Some(DocSetScorer::new(builder.build(), 0.0));
        Ok(())
    }

    fn check_rows(
        &mut self,
        base: u32,
        candidates: &Window,
        out: &mut Window,
    ) -> Result<(), SearchError> {
        let Some(column) = &self.column else {
            return Ok(());
        };
        let (wanted, values) = (&self.wanted, &mut self.values);
        for_each_offset(candidates, |offset| {
            column.values(DocId(base + offset), values);
            if !values.is_empty() && wanted.has_any(values) {
                out.set(offset);
            }
            Ok(())
        })
    }
}

impl Scorer for NumbersScorer {
    fn cost(&self) -> u64 {
        self.cost
    }

    fn seek(&mut self, target: u32) -> Result<u32, SearchError> {
        self.prepare()?;
        match &mut self.set {
            Some(set) => set.seek(target),
            None if target < self.max_doc => match (&self.column, &self.wanted) {
                (Some(column), Wanted::Between { lo, hi }) => {
                    let next = column.next_window_in(DocId(target), *lo, *hi);
                    Ok(next.map_or(NO_MORE, |doc| doc.0.max(target)))
                }
                _ => Ok(target),
            },
            None => Ok(NO_MORE),
        }
    }

    fn fill(
        &mut self,
        base: u32,
        within: Option<&Window>,
        floor: f32,
        out: &mut Hits,
    ) -> Result<(), SearchError> {
        if self.set.is_none() {
            let few = within.is_some_and(|within| within.count() <= 64);
            if !(few && self.column.is_some()) {
                self.prepare()?;
            }
        }
        if let Some(set) = &mut self.set {
            return set.fill(base, within, floor, out);
        }
        out.docs.clear();
        if let Some(within) = within
            && within.count() <= 64
        {
            return self.check_rows(base, within, &mut out.docs);
        }
        match (&self.wanted, &self.column) {
            (Wanted::Between { lo, hi }, Some(column)) => {
                column.fill_range_window(DocId(base), *lo, *hi, &mut out.docs);
            }
            (Wanted::OneOf(_) | Wanted::Places { .. }, Some(column)) => {
                let mut present = Window::empty();
                column.fill_present_window(DocId(base), &mut present);
                if let Some(within) = within {
                    present.and(within);
                }
                self.check_rows(base, &present, &mut out.docs)?;
            }
            (_, None) => {}
        }
        // rows past the end of the segment do not exist
        let mut rows = Window::empty();
        rows.set_range(0, self.max_doc.saturating_sub(base).min(WINDOW_DOCS));
        out.docs.and(within.unwrap_or(&rows));
        Ok(())
    }

    fn max_score(&mut self, _base: u32) -> Result<f32, SearchError> {
        Ok(0.0)
    }
}
