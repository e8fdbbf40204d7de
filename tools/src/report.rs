//! What a command found, and its two faces: aligned text for people, JSON for programs.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    Text(String),
    Count(u64),
    Number(i64),
    Fraction(f64),
    Bytes(u64),
    /// Of a whole: 1 is all of it.
    Share(f64),
    /// Several values; blanks between them in text.
    List(Vec<Cell>),
    Nothing,
}

impl Cell {
    pub fn text(text: impl Into<String>) -> Cell {
        Cell::Text(text.into())
    }

    pub fn or_nothing<T>(value: Option<T>, cell: impl FnOnce(T) -> Cell) -> Cell {
        value.map_or(Cell::Nothing, cell)
    }

    fn shown(&self) -> String {
        match self {
            Cell::Text(text) => text.clone(),
            Cell::Count(count) => grouped(*count),
            Cell::Number(number) => number.to_string(),
            Cell::Fraction(number) => format!("{number:.1}"),
            Cell::Bytes(bytes) => size(*bytes),
            Cell::Share(share) => format!("{:.1} %", share * 100.0),
            Cell::List(cells) => {
                let shown: Vec<String> = cells.iter().map(Cell::shown).collect();
                shown.join(" ")
            }
            Cell::Nothing => "-".to_owned(),
        }
    }

    fn json(&self) -> Value {
        match self {
            Cell::Text(text) => json!(text),
            Cell::Count(number) | Cell::Bytes(number) => json!(number),
            Cell::Number(number) => json!(number),
            Cell::Fraction(number) | Cell::Share(number) => json!(number),
            Cell::List(cells) => cells.iter().map(Cell::json).collect(),
            Cell::Nothing => Value::Null,
        }
    }

    /// Numbers stand at the right of their column.
    fn is_number(&self) -> bool {
        !matches!(self, Cell::Text(_) | Cell::List(_))
    }
}

/// Digits in groups of three.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Bytes as people read them.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    match unit {
        0 => format!("{bytes} B"),
        _ => format!("{value:.1} {}", UNITS[unit]),
    }
}

/// A name as people see it; those that begin with `_` are names of fields.
fn spoken(name: &str) -> String {
    match name.starts_with('_') {
        true => name.to_owned(),
        false => name.replace('_', " "),
    }
}

/// Rows under named columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// In JSON.
    name: &'static str,
    /// In JSON; in text as they are.
    columns: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
    /// Rows that a limit left out, and the option that sets it.
    left_out: u64,
    option: &'static str,
}

impl Table {
    pub fn new(name: &'static str, columns: &[&'static str]) -> Table {
        Table {
            name,
            columns: columns.to_vec(),
            rows: Vec::new(),
            left_out: 0,
            option: "--limit",
        }
    }

    /// Names another option as the one that shows more rows.
    pub fn limited_by(mut self, option: &'static str) -> Table {
        self.option = option;
        self
    }

    pub fn row(&mut self, cells: Vec<Cell>) {
        assert_eq!(cells.len(), self.columns.len(), "a cell for each column");
        self.rows.push(cells);
    }

    /// Adds a row, or only counts it when there are `limit` already.
    pub fn row_within(&mut self, limit: usize, cells: impl FnOnce() -> Vec<Cell>) {
        if self.rows.len() < limit {
            self.row(cells());
        } else {
            self.left_out += 1;
        }
    }

    pub fn leave_out(&mut self, rows: u64) {
        self.left_out += rows;
    }

    fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let mut lines = vec![self.columns.iter().map(|name| spoken(name)).collect()];
        lines.extend(
            self.rows
                .iter()
                .map(|row| row.iter().map(Cell::shown).collect::<Vec<_>>()),
        );
        let width = |column: usize| {
            let widths = lines
                .iter()
                .map(|line: &Vec<String>| line[column].chars().count());
            widths.max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        let right = |column: usize| {
            let mut cells = self.rows.iter().map(|row| &row[column]);
            cells.clone().all(Cell::is_number) && cells.any(|cell| *cell != Cell::Nothing)
        };
        let right: Vec<bool> = (0..self.columns.len()).map(right).collect();
        for line in &lines {
            let mut text = String::new();
            for (column, cell) in line.iter().enumerate() {
                let pad = " ".repeat(widths[column] - cell.chars().count());
                let (before, after) = if right[column] {
                    (&*pad, "")
                } else {
                    ("", &*pad)
                };
                let gap = if column == 0 { "" } else { "  " };
                text.extend([gap, before, cell, after]);
            }
            writeln!(out, "{}", text.trim_end())?;
        }
        match self.left_out {
            0 => Ok(()),
            more => writeln!(
                out,
                "… and {} more; {} shows them",
                grouped(more),
                self.option
            ),
        }
    }

    fn json(&self) -> Value {
        let row = |cells: &Vec<Cell>| -> Value {
            let named = self.columns.iter().zip(cells);
            named
                .map(|(name, cell)| ((*name).to_owned(), cell.json()))
                .collect::<Map<_, _>>()
                .into()
        };
        self.rows.iter().map(row).collect()
    }
}

/// All that a command has to say: facts, tables, and parts with facts and tables of their own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    facts: Vec<(&'static str, Cell)>,
    tables: Vec<Table>,
    /// A name in JSON for all of them, and the parts.
    parts: Option<(&'static str, Vec<Report>)>,
}

impl Report {
    pub fn fact(&mut self, name: &'static str, cell: Cell) -> &mut Report {
        self.facts.push((name, cell));
        self
    }

    pub fn table(&mut self, table: Table) -> &mut Report {
        self.tables.push(table);
        self
    }

    pub fn parts(&mut self, name: &'static str, parts: Vec<Report>) -> &mut Report {
        self.parts = Some((name, parts));
        self
    }

    pub fn of_table(table: Table) -> Report {
        Report {
            tables: vec![table],
            ..Report::default()
        }
    }

    /// Aligned, with units, for people.
    pub fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let width = self
            .facts
            .iter()
            .map(|(name, _)| name.len())
            .max()
            .unwrap_or(0);
        for (name, cell) in &self.facts {
            writeln!(out, "{:width$}  {}", spoken(name), cell.shown())?;
        }
        for (index, table) in self.tables.iter().enumerate() {
            if index > 0 || !self.facts.is_empty() {
                writeln!(out)?;
            }
            table.print(out)?;
        }
        for (index, part) in self.parts.iter().flat_map(|(_, parts)| parts).enumerate() {
            if index > 0 || !self.facts.is_empty() || !self.tables.is_empty() {
                writeln!(out)?;
            }
            part.print(out)?;
        }
        Ok(())
    }

    /// Plain numbers, bytes where sizes are meant. A name of several words has `_` between them.
    pub fn json(&self) -> Value {
        let mut all = Map::new();
        for (name, cell) in &self.facts {
            all.insert((*name).to_owned(), cell.json());
        }
        for table in &self.tables {
            all.insert(table.name.to_owned(), table.json());
            if table.left_out > 0 {
                all.insert(format!("{}_left_out", table.name), json!(table.left_out));
            }
        }
        if let Some((name, parts)) = &self.parts {
            all.insert((*name).to_owned(), parts.iter().map(Report::json).collect());
        }
        all.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_at_the_right_and_have_units() {
        let mut table = Table::new("hats", &["name", "sold_at", "size"]);
        table.row(vec![
            Cell::text("fez"),
            Cell::Count(1_234_567),
            Cell::Bytes(1536),
        ]);
        table.row(vec![Cell::text("größe"), Cell::Nothing, Cell::Bytes(9)]);
        table.row_within(2, || unreachable!("there are two rows already"));
        let mut report = Report::of_table(table);
        report.fact("shelf", Cell::Share(0.125));
        let mut out = Vec::new();
        report.print(&mut out).unwrap();
        let expected = "shelf  12.5 %\n\n\
            name     sold at     size\n\
            fez    1,234,567  1.5 KiB\n\
            größe          -      9 B\n\
            … and 1 more; --limit shows them\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        assert_eq!(
            report.json(),
            json!({"shelf": 0.125, "hats_left_out": 1, "hats": [
                {"name": "fez", "sold_at": 1_234_567, "size": 1536},
                {"name": "größe", "sold_at": null, "size": 9},
            ]})
        );
    }
}
