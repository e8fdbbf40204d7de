//! Values of the documents of a batch, read from a column.

use super::collector::Docs;
use crate::ids::DocId;
use crate::segment::{ColumnWindow, Layout, NumericColumn, Window};
use crate::simd::columns::{ROWS, kernels};

/// Documents of a window from which it pays to decode all of it.
const DENSE_DOCS: usize = 128;

/// 0, 1, 2, …: the rows where every document has one value.
static COUNTING: [u32; ROWS] = {
    let mut rows = [0; ROWS];
    let mut row = 0;
    while row < ROWS {
        rows[row] = row as u32;
        row += 1;
    }
    rows
};

type Block = Box<[i64; ROWS]>;

/// Reads columns; keeps its buffers from batch to batch.
pub(crate) struct Loaded {
    /// The row of each value, unless every document has one.
    rows: Vec<u32>,
    each: bool,
    /// The values, where they are at most 4096 …
    block: Block,
    len: usize,
    /// … and where there may be more.
    many: Vec<i64>,
    is_many: bool,
    /// A window decoded, before values are picked.
    whole: Block,
    ords: Box<[u32; ROWS]>,
    ords_whole: Box<[u32; ROWS]>,
    window: ColumnWindow,
    values: Vec<i64>,
}

impl Default for Loaded {
    fn default() -> Loaded {
        Loaded {
            rows: Vec::new(),
            each: false,
            block: Box::new([0; ROWS]),
            len: 0,
            many: Vec::new(),
            is_many: false,
            whole: Box::new([0; ROWS]),
            ords: Box::new([0; ROWS]),
            ords_whole: Box::new([0; ROWS]),
            window: ColumnWindow::default(),
            values: Vec::new(),
        }
    }
}

impl Loaded {
    /// The values as the column has them.
    pub fn raw(&self) -> &[i64] {
        match self.is_many {
            true => &self.many,
            false => &self.block[..self.len],
        }
    }

    pub fn raw_mut(&mut self) -> &mut [i64] {
        match self.is_many {
            true => &mut self.many,
            false => &mut self.block[..self.len],
        }
    }

    /// For each value the row of its document in the batch, ascending.
    pub fn rows(&self) -> &[u32] {
        let counting = COUNTING.get(..self.raw().len()).filter(|_| self.each);
        counting.unwrap_or(&self.rows)
    }

    /// Whether every document has exactly one value.
    pub fn is_each(&self) -> bool {
        self.each
    }

    /// Reads the values of documents; those that have none get `missing`.
    pub fn load(&mut self, column: Option<&NumericColumn>, docs: Docs<'_>, missing: Option<i64>) {
        self.rows.clear();
        self.many.clear();
        (self.len, self.is_many, self.each) = (0, false, false);
        let count = docs.list.len();
        let Some(base) = docs.list.first().map(|doc| DocId(Window::base_of(*doc))) else {
            return;
        };
        let layout = column.map_or(Layout::Nothing, |column| column.layout(base));
        match (layout, column, docs.bits) {
            (Layout::Nothing, _, _) | (_, None, _) => {
                if let Some(missing) = missing {
                    self.fill(count, missing);
                }
            }
            (_, Some(column), _) if count < DENSE_DOCS => self.load_few(column, docs.list, missing),
            (Layout::Each, Some(column), Some(bits)) => {
                self.len = match column.unpack(base, &mut self.whole) {
                    all if all == count => {
                        std::mem::swap(&mut self.whole, &mut self.block);
                        count
                    }
                    _ => (kernels().keep)(&bits.words, &self.whole, &mut self.block),
                };
                self.each = true;
            }
            (Layout::Some, Some(column), Some(bits)) => {
                self.load_some(column, base, bits, missing);
            }
            (Layout::Each, Some(column), None) if count <= ROWS => {
                column.unpack(base, &mut self.whole);
                for (value, doc) in self.block.iter_mut().zip(docs.list) {
                    *value = self.whole[(doc - base.0) as usize & (ROWS - 1)];
                }
                (self.len, self.each) = (count, true);
            }
            (_, Some(column), _) => self.load_window(column, base, docs.list, missing),
        }
    }

    fn fill(&mut self, count: usize, value: i64) {
        match self.block.get_mut(..count) {
            Some(block) => {
                block.fill(value);
                (self.len, self.each) = (count, true);
            }
            None => {
                self.many.resize(count, value);
                self.rows.extend(0..count as u32);
                self.is_many = true;
            }
        }
    }

    fn load_few(&mut self, column: &NumericColumn, docs: &[u32], missing: Option<i64>) {
        (self.is_many, self.each) = (true, true);
        for (row, &doc) in docs.iter().enumerate() {
            column.values(DocId(doc), &mut self.values);
            if self.values.is_empty()
                && let Some(missing) = missing
            {
                self.values.push(missing);
            }
            self.each &= self.values.len() == 1;
            for &value in &self.values {
                self.rows.push(row as u32);
                self.many.push(value);
            }
        }
    }

    /// Where rows have one value or none.
    fn load_some(
        &mut self,
        column: &NumericColumn,
        base: DocId,
        bits: &Window,
        missing: Option<i64>,
    ) {
        let mut present = Window::empty();
        column.fill_present_window(base, &mut present);
        column.unpack(base, &mut self.whole);
        spread(&present, missing.unwrap_or(0), &mut self.whole);
        let mut found = bits.clone();
        if missing.is_none() {
            found.and(&present);
        }
        self.len = (kernels().keep)(&found.words, &self.whole, &mut self.block);
        self.each = found == *bits;
        if !self.each {
            push_ranks(bits, &found, &mut self.rows);
        }
    }

    fn load_window(
        &mut self,
        column: &NumericColumn,
        base: DocId,
        docs: &[u32],
        missing: Option<i64>,
    ) {
        self.is_many = true;
        column.read_window(base, &mut self.window);
        let starts = &self.window.starts;
        for (row, &doc) in docs.iter().enumerate() {
            let offset = (doc - base.0) as usize;
            let (from, to) = (starts[offset] as usize, starts[offset + 1] as usize);
            if from == to {
                if let Some(missing) = missing {
                    self.rows.push(row as u32);
                    self.many.push(missing);
                }
                continue;
            }
            for &value in &self.window.values[from..to] {
                self.rows.push(row as u32);
                self.many.push(value);
            }
        }
    }

    /// The values of documents as 32 bits, where each has exactly one and it is known which documents they are.
    pub fn load_u32(&mut self, column: &NumericColumn, docs: Docs<'_>) -> Option<&[u32]> {
        let bits = docs.bits?;
        let base = DocId(Window::base_of(*docs.list.first()?));
        if docs.list.len() < DENSE_DOCS || column.layout(base) != Layout::Each {
            return None;
        }
        let len = match column.unpack_u32(base, &mut self.ords_whole) {
            all if all == docs.list.len() => {
                std::mem::swap(&mut self.ords_whole, &mut self.ords);
                all
            }
            _ => (kernels().keep_u32)(&bits.words, &self.ords_whole, &mut self.ords),
        };
        Some(&self.ords[..len])
    }
}

/// Moves values from their rank to the rows that are present, and puts `other` into the rest.
fn spread(present: &Window, other: i64, values: &mut [i64; ROWS]) {
    let mut rank = present.count() as usize;
    for row in (0..ROWS).rev() {
        // a rank is never past its row: nothing is overwritten before it was moved
        values[row] = if present.contains(row as u32) {
            rank -= 1;
            values[rank]
        } else {
            other
        };
    }
}

/// Appends for each document of `some`, which are among `all`, how many of `all` are before it.
fn push_ranks(all: &Window, some: &Window, ranks: &mut Vec<u32>) {
    let mut before = 0;
    for (&all, &some) in all.words.iter().zip(&some.words) {
        let mut rest = some;
        while rest != 0 {
            let below = (rest & rest.wrapping_neg()) - 1;
            ranks.push(before + (all & below).count_ones());
            rest &= rest - 1;
        }
        before += all.count_ones();
    }
}
