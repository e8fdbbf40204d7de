//! Columns and points of one field, merged.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::postings::MergedTerms;
use super::{DROPPED, DocSet, Merge};
use crate::format::envelope::{EnvelopeWriter, SectionKind};
use crate::format::v1::points::PointsWriter;
use crate::format::v2::columns::ColumnWriter;
use crate::ids::DocId;
use crate::segment::{
    ColumnWindow, LeafPairs, MergeError, NumericColumn, PointsReader, ReadError, WINDOW_DOCS,
};

/// Points between two looks at whether the merge was cancelled.
const POINTS_PER_LOOK: u64 = 64 * 1024;

impl Merge<'_> {
    /// Calls back with the new id and the values of every live document of an input that has values.
    pub(super) fn for_each_row(
        &self,
        input: usize,
        column: &NumericColumn,
        mut each: impl FnMut(u32, &[i64]) -> Result<(), MergeError>,
    ) -> Result<(), MergeError> {
        let mut window = ColumnWindow::default();
        for (chunk, map) in self.doc_map[input].chunks(WINDOW_DOCS as usize).enumerate() {
            self.check_cancel()?;
            let base = chunk as u32 * WINDOW_DOCS;
            column.read_window(DocId(base), &mut window);
            for (row, new) in map.iter().enumerate() {
                let values = window.values_of(base + row as u32);
                if *new != DROPPED && !values.is_empty() {
                    each(*new, values)?;
                }
            }
        }
        Ok(())
    }

    /// Calls back with the values of every live document that has any, by ascending new id, each value as `translate` gives it
    /// for its input.
    fn for_each_new_row(
        &self,
        columns: &[(usize, &NumericColumn)],
        translate: impl Fn(usize, i64) -> Result<i64, MergeError>,
        mut each: impl FnMut(u32, &[i64]) -> Result<(), MergeError>,
    ) -> Result<(), MergeError> {
        if !self.reordered {
            let mut row = Vec::new();
            for (input, column) in columns {
                self.for_each_row(*input, column, |doc, values| {
                    row.clear();
                    for value in values {
                        row.push(translate(*input, *value)?);
                    }
                    each(doc, &row)
                })?;
            }
            return Ok(());
        }
        let mut starts = vec![0usize; self.max_doc as usize + 1];
        for (input, column) in columns {
            self.for_each_row(*input, column, |doc, values| {
                starts[doc as usize + 1] = values.len();
                Ok(())
            })?;
        }
        for doc in 0..self.max_doc as usize {
            starts[doc + 1] += starts[doc];
        }
        let mut all = vec![0; starts[self.max_doc as usize]];
        for (input, column) in columns {
            self.for_each_row(*input, column, |doc, values| {
                for (slot, value) in all[starts[doc as usize]..].iter_mut().zip(values) {
                    *slot = translate(*input, *value)?;
                }
                Ok(())
            })?;
        }
        for (doc, range) in starts.windows(2).enumerate() {
            if range[0] < range[1] {
                each(doc as u32, &all[range[0]..range[1]])?;
            }
        }
        Ok(())
    }

    pub(super) fn merge_numeric(
        &self,
        number: u32,
        path: &str,
        docs: &mut DocSet,
        out: &mut EnvelopeWriter<'_>,
    ) -> Result<(), MergeError> {
        out.begin(SectionKind::Numeric, Some(number));
        let mut writer = ColumnWriter::new();
        let mut columns = Vec::new();
        for (input, reader) in self.readers() {
            if let Some(column) = reader.numeric(path)? {
                columns.push((input, column));
            }
        }
        let columns: Vec<_> = columns
            .iter()
            .map(|(input, column)| (*input, column))
            .collect();
        let same = |_, value| Ok(value);
        self.for_each_new_row(&columns, same, |doc, values| {
            docs.insert(doc);
            Ok(writer.push(out, doc, values)?)
        })?;
        writer.finish(out, self.max_doc)?;
        Ok(out.end()?)
    }

    pub(super) fn merge_ordinals(
        &self,
        number: u32,
        path: &str,
        terms: &MergedTerms,
        docs: &mut DocSet,
        out: &mut EnvelopeWriter<'_>,
    ) -> Result<(), MergeError> {
        if terms.ords.is_empty() {
            return Ok(());
        }
        out.begin(SectionKind::Ordinals, Some(number));
        let mut writer = ColumnWriter::new();
        let mut columns = Vec::new();
        for (input, reader) in self.readers() {
            if let Some(column) = reader.ordinals(path)? {
                columns.push((input, column));
            }
        }
        let columns: Vec<_> = columns
            .iter()
            .map(|(input, column)| (*input, column.numbers()))
            .collect();
        let translate = |input: usize, old: i64| match terms.ords[input].get(old as usize) {
            Some(new) if *new != DROPPED => Ok(i64::from(*new)),
            _ => Err(unknown_ordinal(self.inputs[input].0.id(), path).into()),
        };
        self.for_each_new_row(&columns, translate, |doc, values| {
            docs.insert(doc);
            Ok(writer.push(out, doc, values)?)
        })?;
        writer.finish(out, self.max_doc)?;
        Ok(out.end()?)
    }

    pub(super) fn merge_points(
        &self,
        number: u32,
        path: &str,
        docs: &mut DocSet,
        out: &mut EnvelopeWriter<'_>,
    ) -> Result<(), MergeError> {
        let mut inputs = Vec::new();
        for (input, reader) in self.readers() {
            if let Some(points) = reader.points(path)? {
                inputs.push(PointsInput::new(points, &self.doc_map[input]));
            }
        }
        let mut heap = BinaryHeap::new();
        for (slot, input) in inputs.iter_mut().enumerate() {
            if let Some((value, doc)) = input.next()? {
                heap.push(Reverse((value, doc, slot)));
            }
        }
        if heap.is_empty() {
            return Ok(());
        }
        out.begin(SectionKind::Points, Some(number));
        let mut writer = PointsWriter::default();
        let mut count = 0u64;
        // Documents of one value, when they come out of order.
        let mut equal = Vec::new();
        while let Some(Reverse((value, doc, slot))) = heap.pop() {
            if count.is_multiple_of(POINTS_PER_LOOK) {
                self.check_cancel()?;
            }
            count += 1;
            docs.insert(doc);
            if let Some((value, doc)) = inputs[slot].next()? {
                heap.push(Reverse((value, doc, slot)));
            }
            if !self.reordered {
                writer.push(out, value, doc)?;
                continue;
            }
            equal.push(doc);
            if heap
                .peek()
                .is_none_or(|Reverse((next, _, _))| *next != value)
            {
                equal.sort_unstable();
                for doc in equal.drain(..) {
                    writer.push(out, value, doc)?;
                }
            }
        }
        writer.finish(out)?;
        Ok(out.end()?)
    }
}

fn unknown_ordinal(segment: crate::ids::SegmentId, path: &str) -> ReadError {
    ReadError {
        segment,
        section: format!("ordinal column of field [{path}]"),
        what: "has a document under a term whose postings do not know it".to_owned(),
    }
}

/// The live points of one input, in order.
struct PointsInput<'a> {
    points: PointsReader,
    map: &'a [u32],
    leaf: usize,
    at: usize,
    pairs: LeafPairs,
}

impl<'a> PointsInput<'a> {
    fn new(points: PointsReader, map: &'a [u32]) -> Self {
        PointsInput {
            points,
            map,
            leaf: 0,
            at: 0,
            pairs: LeafPairs::default(),
        }
    }

    fn next(&mut self) -> Result<Option<(i64, u32)>, ReadError> {
        loop {
            let (values, docs) = (self.pairs.values(), self.pairs.docs());
            while self.at < docs.len() {
                let (value, doc) = (values[self.at], docs[self.at]);
                self.at += 1;
                let new = self.map.get(doc as usize).copied().unwrap_or(DROPPED);
                if new != DROPPED {
                    return Ok(Some((value, new)));
                }
            }
            if self.leaf == self.points.leaf_count() {
                return Ok(None);
            }
            self.points.leaf(self.leaf, &mut self.pairs)?;
            self.leaf += 1;
            self.at = 0;
        }
    }
}
