//! Columns (doc values): numbers and ordinals by document.

use std::sync::Arc;

use super::{ReadError, TermsReader, WINDOW_DOCS, Window};
use crate::directory::ByteView;
use crate::format::bytes::{u32_at, u64_at};
use crate::format::envelope::Section;
use crate::format::v1::{self, packed};
use crate::format::v2::column_encodings::POWERS;
use crate::format::v2::columns::{
    self, CHUNK_ROWS, ChunkEntry, ColumnHead, Encoding, LINE_SHIFT, decimal, line_at, numerators,
};
use crate::ids::DocId;
use crate::simd::columns::{Packed, ROWS, kernels};

const _: () = assert!(CHUNK_ROWS == WINDOW_DOCS, "a window is a chunk");

/// What is known of one chunk of 4096 rows without reading it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ZoneMap {
    /// Smallest value; 0 when there is none.
    pub min: i64,
    /// Greatest value; 0 when there is none.
    pub max: i64,
    /// Documents with a value.
    pub doc_count: u32,
    /// Values.
    pub value_count: u32,
    /// Sum of the values, wrapping; `None` where it is not known.
    pub sum: Option<i64>,
    /// Sum of the values as order-preserving fractions, and what rounding took from it.
    pub fraction_sum: Option<(f64, f64)>,
}

/// How the values of a window lie over its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// There is none.
    Nothing,
    /// Every row has one.
    Each,
    /// Rows have one or none.
    Some,
    /// Some rows have several.
    Several,
}

/// `i64` values by document. Cheap to clone. All its bytes were checked when it was made, so reading cannot fail.
#[derive(Clone, Debug)]
pub struct NumericColumn {
    bytes: ByteView,
    head: Arc<ColumnHead>,
    max_doc: u32,
}

impl NumericColumn {
    pub(crate) fn open(section: &Section, max_doc: u32) -> Result<NumericColumn, ReadError> {
        let bytes = section.view()?;
        let head = match section.codec() {
            1 => v1::columns::decode_head(&bytes, max_doc),
            _ => columns::decode_head(&bytes, max_doc),
        };
        let head = head.map_err(|what| section.malformed(what))?;
        Ok(NumericColumn {
            bytes,
            head: Arc::new(head),
            max_doc,
        })
    }

    /// What is known of each chunk.
    pub(crate) fn chunks(&self) -> &[ChunkEntry] {
        &self.head.chunks
    }

    fn chunk(&self, doc: DocId) -> Option<&ChunkEntry> {
        if doc.0 >= self.max_doc {
            return None;
        }
        self.head.chunks.get((doc.0 / CHUNK_ROWS) as usize)
    }

    fn part(&self, start: u64, end: u64) -> &[u8] {
        self.bytes.get(start as usize..end as usize).unwrap_or(&[])
    }

    /// Which of the rows with values a row is; `None` when it has no value.
    #[inline]
    fn rank(&self, chunk: &ChunkEntry, row: u32) -> Option<u32> {
        if chunk.doc_count == 0 {
            return None;
        }
        if !chunk.sparse {
            return Some(row);
        }
        let presence = self.part(chunk.start, chunk.ends_at);
        let index = row as usize / 64;
        let word = u64_at(presence, index)?;
        if word >> (row % 64) & 1 == 0 {
            return None;
        }
        let before = presence.get(512 + index * 2..512 + index * 2 + 2)?;
        let before = u32::from(u16::from_le_bytes([before[0], before[1]]));
        Some(before + (word & ((1u64 << (row % 64)) - 1)).count_ones())
    }

    /// Which values of the chunk belong to the row of this rank.
    #[inline]
    fn span(&self, chunk: &ChunkEntry, rank: u32) -> std::ops::Range<u32> {
        if !chunk.multi() {
            return rank..rank + 1;
        }
        let ends = self.part(chunk.ends_at, chunk.table_at);
        let end_of = |rank: u32| match chunk.ends_width {
            // the first version has no bytes behind the last of them
            32 => u32_at(ends, rank as usize).unwrap_or(0),
            width => packed::get(ends, width, rank as usize) as u32,
        };
        let end = end_of(rank).min(chunk.value_count);
        let start = rank.checked_sub(1).map_or(0, end_of);
        start.min(end)..end
    }

    #[inline]
    fn value(&self, chunk: &ChunkEntry, values: &[u8], index: u32) -> i64 {
        let integer = packed::get(values, chunk.width, index as usize);
        let stepped = || {
            chunk
                .base
                .wrapping_add(integer.wrapping_mul(chunk.step) as i64)
        };
        match chunk.encoding {
            Encoding::Steps => stepped(),
            Encoding::Line => {
                line_at(chunk.base, chunk.step, index as usize).wrapping_add(integer as i64)
            }
            Encoding::Table => u64_at(self.table(chunk), integer as usize).unwrap_or(0) as i64,
            Encoding::Decimals { digits } => decimal(stepped(), digits),
        }
    }

    /// The entries of a table, 8 bytes each.
    fn table(&self, chunk: &ChunkEntry) -> &[u8] {
        self.part(chunk.table_at, chunk.values_at)
    }

    fn row_span(&self, doc: DocId) -> Option<(&ChunkEntry, std::ops::Range<u32>)> {
        let chunk = self.chunk(doc)?;
        let rank = self.rank(chunk, doc.0 % CHUNK_ROWS)?;
        Some((chunk, self.span(chunk, rank)))
    }

    /// Number of values of a document.
    pub fn doc_value_count(&self, doc: DocId) -> u32 {
        self.row_span(doc)
            .map_or(0, |(_, span)| span.end - span.start)
    }

    /// The smallest value of a document.
    #[inline]
    pub fn first(&self, doc: DocId) -> Option<i64> {
        let (chunk, span) = self.row_span(doc)?;
        let values = self.part(chunk.values_at, chunk.end);
        (!span.is_empty()).then(|| self.value(chunk, values, span.start))
    }

    /// All values of a document, ascending, duplicates kept; overwrites `values`.
    pub fn values(&self, doc: DocId, values: &mut Vec<i64>) {
        values.clear();
        if let Some((chunk, span)) = self.row_span(doc) {
            let packed = self.part(chunk.values_at, chunk.end);
            values.extend(span.map(|index| self.value(chunk, packed, index)));
        }
    }

    /// Whether no document has more than one value.
    pub fn is_single_valued(&self) -> bool {
        !self.head.multi
    }

    /// Smallest value of all; 0 without any.
    pub fn min(&self) -> i64 {
        self.head.min
    }

    /// Greatest value of all; 0 without any.
    pub fn max(&self) -> i64 {
        self.head.max
    }

    /// Documents with a value, dead ones included.
    pub fn doc_count(&self) -> u32 {
        self.head.doc_count.min(u64::from(u32::MAX)) as u32
    }

    /// Number of values, of dead documents too.
    pub fn value_count(&self) -> u64 {
        self.head.value_count
    }

    /// Number of chunks: chunk `i` is documents `4096 * i` to `4096 * i + 4095`.
    pub fn chunk_count(&self) -> u32 {
        self.head.chunks.len() as u32
    }

    /// The zone map of a chunk; `None` past the end.
    pub fn zone(&self, chunk: u32) -> Option<ZoneMap> {
        let chunk = self.head.chunks.get(chunk as usize)?;
        Some(ZoneMap {
            min: chunk.min,
            max: chunk.max,
            doc_count: chunk.doc_count,
            value_count: chunk.value_count,
            sum: chunk.sums.map(|sums| sums.whole),
            fraction_sum: chunk.sums.map(|sums| sums.fractions),
        })
    }

    /// The `count` integers of a chunk from `first` on, a multiple of 8.
    fn packed(&self, chunk: &ChunkEntry, first: usize, count: usize) -> Packed<'_> {
        let bytes = self.part(chunk.values_at, chunk.end);
        let from = first / 8 * chunk.width as usize;
        Packed {
            bytes: bytes.get(from..).unwrap_or_default(),
            width: chunk.width,
            count,
        }
    }

    /// Reads the `count` values of a chunk from `first` on, a multiple of 8, at most 4096.
    fn unpack_part(&self, chunk: &ChunkEntry, first: usize, count: usize, out: &mut [i64; ROWS]) {
        let packed = self.packed(chunk, first, count);
        let kernels = kernels();
        match chunk.encoding {
            Encoding::Steps if chunk.width == 0 => out[..count].fill(chunk.base),
            Encoding::Steps => (kernels.unpack)(packed, chunk.base, chunk.step, out),
            Encoding::Line => {
                let start = (chunk.step as i64).wrapping_mul(first as i64);
                (kernels.unpack)(packed, chunk.base, 1, out);
                (kernels.add_line)(start, chunk.step as i64, LINE_SHIFT, &mut out[..count]);
            }
            Encoding::Table => {
                (kernels.unpack)(packed, 0, 1, out);
                let table = self.table(chunk);
                for value in &mut out[..count] {
                    *value = u64_at(table, *value as usize).unwrap_or(0) as i64;
                }
            }
            Encoding::Decimals { digits } => {
                (kernels.unpack)(packed, chunk.base, chunk.step, out);
                (kernels.decimals)(POWERS[digits as usize], &mut out[..count]);
            }
        }
    }

    /// How the values of the window at `base` lie.
    pub(crate) fn layout(&self, base: DocId) -> Layout {
        match self.chunk(base) {
            None => Layout::Nothing,
            Some(chunk) if chunk.doc_count == 0 => Layout::Nothing,
            Some(chunk) if chunk.multi() => Layout::Several,
            Some(chunk) if chunk.sparse => Layout::Some,
            Some(_) => Layout::Each,
        }
    }

    /// The zone map of a document's window where `bits` are all of its rows and each has one value.
    pub(crate) fn whole_window(&self, doc: &u32, bits: &Window) -> Option<ZoneMap> {
        let chunk = self.chunk(DocId(*doc))?;
        let whole = !chunk.multi() && !chunk.sparse && chunk.doc_count == bits.count();
        self.zone(doc / CHUNK_ROWS).filter(|_| whole)
    }

    /// Reads the values of the window at `base`, in order of row, where no row has several; answers how many.
    pub(crate) fn unpack(&self, base: DocId, out: &mut [i64; ROWS]) -> usize {
        let Some(chunk) = self.chunk(base).filter(|chunk| !chunk.multi()) else {
            return 0;
        };
        let count = chunk.value_count as usize;
        self.unpack_part(chunk, 0, count, out);
        count
    }

    /// The same, of values that 32 bits hold: ordinals.
    pub(crate) fn unpack_u32(&self, base: DocId, out: &mut [u32; ROWS]) -> usize {
        let Some(chunk) = self.chunk(base).filter(|chunk| !chunk.multi()) else {
            return 0;
        };
        let count = chunk.value_count as usize;
        match (chunk.encoding, chunk.step) {
            (Encoding::Steps, _) if chunk.width == 0 => out[..count].fill(chunk.base as u32),
            (Encoding::Steps, 1) => {
                (kernels().unpack_u32)(self.packed(chunk, 0, count), chunk.base as u32, out);
            }
            _ => {
                let bytes = self.part(chunk.values_at, chunk.end);
                for (index, out) in out[..count].iter_mut().enumerate() {
                    *out = self.value(chunk, bytes, index as u32) as u32;
                }
            }
        }
        count
    }

    fn decode_values(&self, chunk: &ChunkEntry, values: &mut Vec<i64>) {
        let count = chunk.value_count as usize;
        values.resize(count.next_multiple_of(ROWS), 0);
        let (blocks, _) = values.as_chunks_mut::<ROWS>();
        for (index, block) in blocks.iter_mut().enumerate() {
            let first = index * ROWS;
            self.unpack_part(chunk, first, ROWS.min(count - first), block);
        }
        values.truncate(count);
    }

    fn read_presence(&self, chunk: &ChunkEntry, present: &mut Window) {
        present.clear();
        if chunk.sparse {
            let words = self.part(chunk.start, chunk.ends_at);
            for (index, word) in present.words.iter_mut().enumerate() {
                *word = u64_at(words, index).unwrap_or(0);
            }
        } else if chunk.doc_count > 0 {
            present.set_range(0, chunk.rows);
        }
    }

    /// Reads a window of 4096 documents; `base` is a multiple of 4096.
    pub fn read_window(&self, base: DocId, window: &mut ColumnWindow) {
        window.base = base.0;
        window.starts.clear();
        let Some(chunk) = self.chunk(base) else {
            window.present.clear();
            window.values.clear();
            window.starts.resize(WINDOW_DOCS as usize + 1, 0);
            return;
        };
        self.read_presence(chunk, &mut window.present);
        self.decode_values(chunk, &mut window.values);
        if !chunk.multi() && !chunk.sparse {
            let count = chunk.value_count;
            window.starts.extend(0..=count);
            window.starts.resize(WINDOW_DOCS as usize + 1, count);
            return;
        }
        let mut rank = 0;
        let mut end = 0;
        window.starts.push(0);
        for row in 0..WINDOW_DOCS {
            if window.present.contains(row) {
                end = if chunk.multi() {
                    self.span(chunk, rank).end.max(end)
                } else {
                    (rank + 1).min(chunk.value_count)
                };
                rank += 1;
            }
            window.starts.push(end);
        }
    }

    /// The first window, from the one of `target` on, that may hold a value in `lo..=hi`.
    pub(crate) fn next_window_in(&self, target: DocId, lo: i64, hi: i64) -> Option<DocId> {
        let from = (target.0 / CHUNK_ROWS) as usize;
        let chunks = self.head.chunks.get(from..)?;
        let may = |chunk: &ChunkEntry| chunk.doc_count > 0 && chunk.max >= lo && chunk.min <= hi;
        let ahead = chunks.iter().position(may)?;
        Some(DocId((from + ahead) as u32 * CHUNK_ROWS))
    }

    /// Values that must be compared to find those in `lo..=hi`: of windows of which zone maps say neither all nor none.
    pub(crate) fn rows_to_compare(&self, lo: i64, hi: i64) -> u64 {
        let open = |chunk: &&ChunkEntry| {
            let some = chunk.max >= lo && chunk.min <= hi;
            let all = lo <= chunk.min && chunk.max <= hi;
            some && !all
        };
        let chunks = self.head.chunks.iter().filter(open);
        chunks.map(|chunk| u64::from(chunk.value_count)).sum()
    }

    /// Adds to `bits` the documents of the window at `base` with a value in `lo..=hi`.
    pub fn fill_range_window(&self, base: DocId, lo: i64, hi: i64, bits: &mut Window) {
        let Some(chunk) = self.chunk(base) else {
            return;
        };
        if chunk.doc_count == 0 || chunk.max < lo || chunk.min > hi {
            return;
        }
        if lo <= chunk.min && chunk.max <= hi {
            return self.fill_present_window(base, bits);
        }
        if chunk.multi() {
            return self.fill_range_of_several(chunk, lo..=hi, bits);
        }
        let mut found = Window::empty();
        let count = chunk.value_count as usize;
        match self.packed_range(chunk, lo, hi) {
            Some((from, to)) => {
                let packed = self.packed(chunk, 0, count);
                (kernels().range)(packed, from, to, &mut found.words);
            }
            None => {
                let mut values = [0; ROWS];
                self.unpack_part(chunk, 0, count, &mut values);
                for (index, value) in values[..count].iter().enumerate() {
                    let inside = u64::from(lo <= *value && *value <= hi);
                    found.words[index / 64] |= inside << (index % 64);
                }
            }
        }
        if chunk.sparse {
            let (ranks, mut present) = (found.words, Window::empty());
            self.read_presence(chunk, &mut present);
            (kernels().deposit)(&ranks, &present.words, &mut found.words);
        }
        bits.or(&found);
    }

    /// The range as packed integers, where these are in the order of the values; it may be empty. The range of the
    /// values must not hold all of them, or none.
    fn packed_range(&self, chunk: &ChunkEntry, lo: i64, hi: i64) -> Option<(u64, u64)> {
        let step = chunk.step.max(1);
        // no value is left out, since none lies between two steps
        let stepped = |lo: i64, hi: i64| {
            if hi < chunk.base {
                return (1, 0);
            }
            let from = match lo > chunk.base {
                true => (lo.wrapping_sub(chunk.base) as u64).div_ceil(step),
                false => 0,
            };
            (from, hi.wrapping_sub(chunk.base) as u64 / step)
        };
        match chunk.encoding {
            Encoding::Steps => Some(stepped(lo, hi)),
            Encoding::Line => None,
            Encoding::Table => {
                let entries = self.table(chunk).as_chunks::<8>().0;
                let entry = |bytes: &[u8; 8]| i64::from_le_bytes(*bytes);
                let from = entries.partition_point(|bytes| entry(bytes) < lo);
                let to = entries.partition_point(|bytes| entry(bytes) <= hi);
                Some(match to.checked_sub(1) {
                    Some(to) => (from as u64, to as u64),
                    None => (1, 0),
                })
            }
            Encoding::Decimals { digits } => {
                let (lo, hi) = numerators(lo, hi, digits);
                Some(stepped(lo, hi))
            }
        }
    }

    /// Adds the rows with a value in the range, where rows may have several.
    fn fill_range_of_several(
        &self,
        chunk: &ChunkEntry,
        range: std::ops::RangeInclusive<i64>,
        bits: &mut Window,
    ) {
        let bytes = self.part(chunk.values_at, chunk.end);
        let mut present = Window::empty();
        self.read_presence(chunk, &mut present);
        let mut rank = 0;
        for row in 0..chunk.rows {
            if !present.contains(row) {
                continue;
            }
            let mut span = self.span(chunk, rank);
            let inside = |index| range.contains(&self.value(chunk, bytes, index));
            if span.any(inside) {
                bits.set(row);
            }
            rank += 1;
        }
    }

    /// Adds to `bits` the documents of the window at `base` with a value.
    pub fn fill_present_window(&self, base: DocId, bits: &mut Window) {
        if let Some(chunk) = self.chunk(base) {
            let mut present = Window::empty();
            self.read_presence(chunk, &mut present);
            bits.or(&present);
        }
    }

    /// Checks that chunks hold what their directory says; `below` bounds the values from above, from 0 on.
    pub(crate) fn verify(&self, section: &Section, below: Option<u64>) -> Result<(), ReadError> {
        let mut window = ColumnWindow::default();
        let (mut docs, mut values) = (0, 0);
        for index in 0..self.chunk_count() {
            self.read_window(DocId(index * CHUNK_ROWS), &mut window);
            let chunk = &self.head.chunks[index as usize];
            let min = window.values.iter().copied().min().unwrap_or(0);
            let max = window.values.iter().copied().max().unwrap_or(0);
            let sum = window
                .values
                .iter()
                .fold(0, |sum: i64, value| sum.wrapping_add(*value));
            let other_sum = chunk.sums.is_some_and(|sums| sums.whole != sum);
            let other_ends = min != chunk.min || max != chunk.max;
            if window.present.count() != chunk.doc_count || other_ends || other_sum {
                return Err(section.error("has a chunk that its directory does not describe"));
            }
            let mut counted = 0;
            for row in 0..CHUNK_ROWS {
                let row_values = window.values_of(window.base + row);
                counted += row_values.len();
                if window.present.contains(row) == row_values.is_empty() || !row_values.is_sorted()
                {
                    return Err(section.error("has a row with values missing or out of order"));
                }
            }
            if counted != window.values.len() {
                return Err(section.error("has values that belong to no row"));
            }
            if below.is_some_and(|below| min < 0 || (counted > 0 && max as u64 >= below)) {
                return Err(section.error("has an ordinal without a term"));
            }
            docs += u64::from(chunk.doc_count);
            values += counted as u64;
        }
        if docs != self.head.doc_count || values != self.head.value_count {
            return Err(section.error("has wrong counts"));
        }
        Ok(())
    }
}

/// The values of 4096 documents, decoded; reused from window to window.
#[derive(Clone, Debug, Default)]
pub struct ColumnWindow {
    /// First document.
    pub base: u32,
    /// Documents with a value.
    pub present: Window,
    /// All values, in order of document, ascending in each.
    pub values: Vec<i64>,
    /// Values of document `base + i` are `values[starts[i]..starts[i + 1]]`; 4097 long.
    pub starts: Vec<u32>,
}

impl ColumnWindow {
    /// The values of a document of the window, ascending; empty for one outside.
    #[inline]
    pub fn values_of(&self, doc: u32) -> &[i64] {
        let row = doc.wrapping_sub(self.base) as usize;
        match (self.starts.get(row), self.starts.get(row.wrapping_add(1))) {
            (Some(&start), Some(&end)) => {
                self.values.get(start as usize..end as usize).unwrap_or(&[])
            }
            _ => &[],
        }
    }
}

/// Ordinals by document: ranks in the field's sorted terms. Cheap to clone.
#[derive(Clone, Debug)]
pub struct OrdinalColumn {
    numbers: NumericColumn,
    terms: TermsReader,
}

impl OrdinalColumn {
    pub(crate) fn open(
        numbers: NumericColumn,
        terms: TermsReader,
        section: &Section,
    ) -> Result<OrdinalColumn, ReadError> {
        let beyond = numbers.min() < 0 || numbers.max() as u64 >= terms.len();
        let wrong_zone = numbers
            .head
            .chunks
            .iter()
            .any(|chunk| chunk.min < 0 || chunk.max as u64 >= terms.len());
        if (beyond || wrong_zone) && numbers.value_count() > 0 {
            return Err(section.error("has an ordinal without a term"));
        }
        Ok(OrdinalColumn { numbers, terms })
    }

    /// Number of distinct terms; ordinals are below it.
    pub fn value_count(&self) -> u64 {
        self.terms.len()
    }

    /// The ordinals of a document, ascending, without duplicates; overwrites `ords`.
    pub fn ords(&self, doc: DocId, ords: &mut Vec<u64>) {
        ords.clear();
        if let Some((chunk, span)) = self.numbers.row_span(doc) {
            let packed = self.numbers.part(chunk.values_at, chunk.end);
            ords.extend(span.map(|index| self.numbers.value(chunk, packed, index) as u64));
        }
    }

    /// The smallest ordinal of a document.
    pub fn first_ord(&self, doc: DocId) -> Option<u64> {
        self.numbers.first(doc).map(|ord| ord as u64)
    }

    /// The ordinals as numbers: windows, zone maps, counts.
    pub fn numbers(&self) -> &NumericColumn {
        &self.numbers
    }

    /// The dictionary.
    pub fn terms(&self) -> &TermsReader {
        &self.terms
    }

    /// Overwrites `term` with the bytes of an ordinal.
    pub fn term(&self, ord: u64, term: &mut Vec<u8>) -> Result<(), ReadError> {
        self.terms.by_ord(ord, term).map(|_| ())
    }

    /// The ordinal of a term, or (`Err` inside) the ordinal of the first term after it.
    pub fn ord_of(&self, term: &[u8]) -> Result<Result<u64, u64>, ReadError> {
        self.terms.rank(term)
    }
}
