//! Columns and points of one field, merged.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::postings::MergedTerms;
use super::{DROPPED, DocSet, Merge};
use crate::format::envelope::{EnvelopeWriter, SectionKind};
use crate::format::v1::columns::ColumnWriter;
use crate::format::v1::points::PointsWriter;
use crate::ids::DocId;
use crate::segment::{
    ColumnWindow, MergeError, NumericColumn, PointsReader, ReadError, WINDOW_DOCS,
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

    pub(super) fn merge_numeric(
        &self,
        number: u32,
        path: &str,
        docs: &mut DocSet,
        out: &mut EnvelopeWriter<'_>,
    ) -> Result<(), MergeError> {
        out.begin(SectionKind::Numeric, Some(number));
        let mut writer = ColumnWriter::new();
        for (input, reader) in self.readers() {
            let Some(column) = reader.numeric(path)? else {
                continue;
            };
            self.for_each_row(input, &column, |doc, values| {
                docs.insert(doc);
                Ok(writer.push(out, doc, values)?)
            })?;
        }
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
        let mut row = Vec::new();
        for (input, reader) in self.readers() {
            let Some(column) = reader.ordinals(path)? else {
                continue;
            };
            let ords = &terms.ords[input];
            self.for_each_row(input, column.numbers(), |doc, values| {
                row.clear();
                for value in values {
                    match ords.get(*value as usize) {
                        Some(new) if *new != DROPPED => row.push(i64::from(*new)),
                        _ => return Err(unknown_ordinal(reader.id(), path).into()),
                    }
                }
                docs.insert(doc);
                Ok(writer.push(out, doc, &row)?)
            })?;
        }
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
        while let Some(Reverse((value, doc, slot))) = heap.pop() {
            if count.is_multiple_of(POINTS_PER_LOOK) {
                self.check_cancel()?;
            }
            count += 1;
            docs.insert(doc);
            writer.push(out, value, doc)?;
            if let Some((value, doc)) = inputs[slot].next()? {
                heap.push(Reverse((value, doc, slot)));
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
    values: Vec<i64>,
    docs: Vec<u32>,
}

impl<'a> PointsInput<'a> {
    fn new(points: PointsReader, map: &'a [u32]) -> Self {
        PointsInput {
            points,
            map,
            leaf: 0,
            at: 0,
            values: Vec::new(),
            docs: Vec::new(),
        }
    }

    fn next(&mut self) -> Result<Option<(i64, u32)>, ReadError> {
        loop {
            while self.at < self.docs.len() {
                let (value, doc) = (self.values[self.at], self.docs[self.at]);
                self.at += 1;
                let new = self.map.get(doc as usize).copied().unwrap_or(DROPPED);
                if new != DROPPED {
                    return Ok(Some((value, new)));
                }
            }
            if self.leaf == self.points.leaf_count() {
                return Ok(None);
            }
            self.points
                .leaf(self.leaf, &mut self.values, &mut self.docs)?;
            self.leaf += 1;
            self.at = 0;
        }
    }
}
