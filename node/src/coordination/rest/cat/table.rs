//! Tables of `_cat`: columns, cells, and how they are chosen, sorted and written.

use std::cmp::Ordering;

use serde_json::{Map, Value, json};

use crate::cluster::names::matches_pattern;
use crate::cluster::setting_values::{show_bytes, show_ms};
use crate::coordination::rest::content::MediaType;
use crate::coordination::rest::{Params, RestError, RestRequest, RestResponse};

/// One column.
#[derive(Clone, Debug)]
pub struct Column {
    /// Name.
    pub name: String,
    /// Shorter names, separated by commas.
    pub aliases: String,
    /// What it tells.
    pub description: String,
    /// Shown unless the request names columns.
    pub is_default: bool,
    /// Written flush right.
    pub is_right: bool,
}

/// A column that is shown by default.
pub fn shown(name: &str, aliases: &str, description: &str) -> Column {
    Column {
        name: name.to_owned(),
        aliases: aliases.to_owned(),
        description: description.to_owned(),
        is_default: true,
        is_right: false,
    }
}

/// A column that a request has to name.
pub fn hidden(name: &str, aliases: &str, description: &str) -> Column {
    Column {
        is_default: false,
        ..shown(name, aliases, description)
    }
}

impl Column {
    /// Written flush right.
    pub fn right(mut self) -> Column {
        self.is_right = true;
        self
    }
}

/// One cell.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Nothing.
    None,
    /// Text.
    Text(String),
    /// A whole number.
    Number(i64),
    /// A number with decimals, written with two.
    Decimal(f64),
    /// A size in bytes; the parameter `bytes` chooses the unit.
    Bytes(u64),
    /// A time in ms; the parameter `time` chooses the unit.
    Millis(u64),
}

impl Cell {
    /// A count.
    pub fn count(count: u64) -> Cell {
        Cell::Number(i64::try_from(count).unwrap_or(i64::MAX))
    }

    /// Text, or nothing.
    pub fn maybe(text: Option<impl Into<String>>) -> Cell {
        text.map_or(Cell::None, |text| Cell::Text(text.into()))
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Cell {
        Cell::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Cell {
        Cell::Text(text)
    }
}

/// Columns and rows; each row has a cell for each column.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// Columns.
    pub columns: Vec<Column>,
    /// Rows.
    pub rows: Vec<Vec<Cell>>,
    /// What the rows are, and the token of the next page, when they come a page at a time.
    pub page: Option<(&'static str, Option<String>)>,
}

/// Units that `bytes` and `time` chose.
#[derive(Clone, Copy, Default)]
struct Units {
    bytes: Option<u64>,
    nanos: Option<f64>,
}

impl Units {
    fn parse(params: &Params) -> Result<Units, RestError> {
        let bytes = match params.get("bytes") {
            None => None,
            Some("b") => Some(1),
            Some("k" | "kb") => Some(1 << 10),
            Some("m" | "mb") => Some(1 << 20),
            Some("g" | "gb") => Some(1 << 30),
            Some("t" | "tb") => Some(1 << 40),
            Some("p" | "pb") => Some(1 << 50),
            Some(other) => {
                return Err(RestError::illegal_argument(format!(
                    "unknown unit [{other}] for parameter [bytes]"
                )));
            }
        };
        let nanos = match params.get("time") {
            None => None,
            Some("nanos") => Some(1.0),
            Some("micros") => Some(1e3),
            Some("ms") => Some(1e6),
            Some("s") => Some(1e9),
            Some("m") => Some(60e9),
            Some("h") => Some(3_600e9),
            Some("d") => Some(86_400e9),
            Some(other) => {
                return Err(RestError::illegal_argument(format!(
                    "unknown unit [{other}] for parameter [time]"
                )));
            }
        };
        Ok(Units { bytes, nanos })
    }

    fn write(self, cell: &Cell) -> Option<String> {
        Some(match cell {
            Cell::None => return None,
            Cell::Text(text) => text.clone(),
            Cell::Number(number) => number.to_string(),
            Cell::Decimal(number) => format!("{number:.2}"),
            Cell::Bytes(bytes) => match self.bytes {
                Some(unit) => (bytes / unit).to_string(),
                None => show_bytes(*bytes),
            },
            Cell::Millis(ms) => match self.nanos {
                Some(unit) => ((*ms as f64 * 1e6 / unit) as u64).to_string(),
                None => show_ms(i64::try_from(*ms).unwrap_or(i64::MAX)),
            },
        })
    }
}

impl Table {
    /// A table without rows.
    pub fn new(columns: Vec<Column>) -> Table {
        Table {
            columns,
            rows: Vec::new(),
            page: None,
        }
    }

    /// The answer to a request: columns by `h`, order by `s`, header with `v`, JSON and the like with `format`.
    pub fn answer(mut self, request: &RestRequest) -> Result<RestResponse, RestError> {
        let params = &request.params;
        if params.bool("help", false)? {
            return Ok(RestResponse::text(200, self.help()));
        }
        let with_header = params.bool("v", false)?;
        let units = Units::parse(params)?;
        self.sort(params)?;
        let chosen = self.chosen(params);
        if wants_data(request) {
            let mut rows = Vec::with_capacity(self.rows.len());
            for row in &self.rows {
                let mut shown = Map::new();
                for (name, at) in &chosen {
                    let value = units.write(&row[*at]).map_or(Value::Null, Value::String);
                    shown.insert(name.clone(), value);
                }
                rows.push(Value::Object(shown));
            }
            let rows = Value::Array(rows);
            return Ok(RestResponse::ok(&match self.page {
                None => rows,
                Some((what, token)) => json!({"next_token": token, what: rows}),
            }));
        }
        let mut text = self.text(&chosen, with_header, units);
        if let Some((_, token)) = &self.page {
            text.push_str("next_token ");
            text.push_str(token.as_deref().unwrap_or("null"));
            text.push('\n');
        }
        Ok(RestResponse::text(200, text))
    }

    /// The columns to show: the name to show them under, and where they are.
    fn chosen(&self, params: &Params) -> Vec<(String, usize)> {
        let mut chosen = Vec::new();
        let Some(wanted) = params.get("h") else {
            for (at, column) in self.columns.iter().enumerate() {
                if column.is_default {
                    chosen.push((column.name.clone(), at));
                }
            }
            return chosen;
        };
        for name in wanted
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
        {
            if name.contains('*') {
                for (at, column) in self.columns.iter().enumerate() {
                    let known = chosen.iter().any(|(_, known)| *known == at);
                    let matches = matches_pattern(name, &column.name)
                        || column
                            .aliases
                            .split(',')
                            .any(|alias| !alias.is_empty() && matches_pattern(name, alias));
                    if matches && !known {
                        chosen.push((column.name.clone(), at));
                    }
                }
            } else if let Some(at) = self.find(name) {
                chosen.push((name.to_owned(), at));
            }
        }
        chosen
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.columns
            .iter()
            .position(|column| column.name == name)
            .or_else(|| {
                self.columns
                    .iter()
                    .position(|column| column.aliases.split(',').any(|alias| alias == name))
            })
    }

    fn sort(&mut self, params: &Params) -> Result<(), RestError> {
        let Some(keys) = params.get("s") else {
            return Ok(());
        };
        let mut order = Vec::new();
        for key in keys.split(',').map(str::trim).filter(|key| !key.is_empty()) {
            let (name, descending) = match key.rsplit_once(':') {
                Some((name, "desc")) => (name, true),
                Some((name, "asc")) => (name, false),
                _ => (key, false),
            };
            match self.find(name) {
                Some(at) => order.push((at, descending)),
                None => {
                    return Err(RestError::new(
                        400,
                        "unsupported_operation_exception",
                        format!("Unable to sort by unknown sort key `{name}`"),
                    ));
                }
            }
        }
        self.rows.sort_by(|a, b| {
            for (at, descending) in &order {
                let ordering = compare(&a[*at], &b[*at]);
                if ordering != Ordering::Equal {
                    return if *descending {
                        ordering.reverse()
                    } else {
                        ordering
                    };
                }
            }
            Ordering::Equal
        });
        Ok(())
    }

    fn help(&self) -> String {
        let width =
            |text: &dyn Fn(&Column) -> usize| self.columns.iter().map(text).max().unwrap_or(0);
        let names = width(&|column| column.name.chars().count());
        let aliases = width(&|column| column.aliases.chars().count());
        let mut text = String::new();
        for column in &self.columns {
            text.push_str(&format!(
                "{:<names$} | {:<aliases$} | {}\n",
                column.name, column.aliases, column.description
            ));
        }
        text
    }

    fn text(&self, chosen: &[(String, usize)], with_header: bool, units: Units) -> String {
        let mut lines: Vec<Vec<String>> = Vec::with_capacity(self.rows.len() + 1);
        if with_header {
            lines.push(chosen.iter().map(|(name, _)| name.clone()).collect());
        }
        for row in &self.rows {
            lines.push(
                chosen
                    .iter()
                    .map(|(_, at)| units.write(&row[*at]).unwrap_or_default())
                    .collect(),
            );
        }
        let mut widths = vec![0; chosen.len()];
        for line in &lines {
            for (i, cell) in line.iter().enumerate() {
                widths[i] = widths[i].max(cell.chars().count());
            }
        }
        let mut text = String::new();
        for line in &lines {
            for (i, cell) in line.iter().enumerate() {
                if i > 0 {
                    text.push(' ');
                }
                let blanks = widths[i] - cell.chars().count();
                let is_last = i + 1 == line.len();
                if self.columns[chosen[i].1].is_right {
                    text.extend(std::iter::repeat_n(' ', blanks));
                    text.push_str(cell);
                } else {
                    text.push_str(cell);
                    if !is_last {
                        text.extend(std::iter::repeat_n(' ', blanks));
                    }
                }
            }
            text.push('\n');
        }
        text
    }
}

/// Whether a request asks for JSON or a format like it, by `format` or the `Accept` header.
pub fn wants_data(request: &RestRequest) -> bool {
    if let Some(format) = request.params.get("format") {
        return MediaType::from_short_name(format).is_some();
    }
    request
        .headers
        .get(hyper::header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|accept| {
            accept
                .split(',')
                .any(|media| MediaType::from_header(media).is_some())
        })
}

/// Nothing comes first, numbers go by value.
fn compare(a: &Cell, b: &Cell) -> Ordering {
    let number = |cell: &Cell| match cell {
        Cell::Number(number) => Some(*number as f64),
        Cell::Decimal(number) => Some(*number),
        Cell::Bytes(number) | Cell::Millis(number) => Some(*number as f64),
        Cell::None | Cell::Text(_) => None,
    };
    match (a, b) {
        (Cell::None, Cell::None) => Ordering::Equal,
        (Cell::None, _) => Ordering::Less,
        (_, Cell::None) => Ordering::Greater,
        (Cell::Text(a), Cell::Text(b)) => a.cmp(b),
        _ => match (number(a), number(b)) {
            (Some(a), Some(b)) => a.total_cmp(&b),
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(vec![
            shown("name", "n", "who"),
            shown("size", "s,sz", "how big").right(),
            hidden("age", "a", "how old"),
        ]);
        table
            .rows
            .push(vec!["bob".into(), Cell::Bytes(2_048), Cell::Number(9)]);
        table
            .rows
            .push(vec!["alice".into(), Cell::Bytes(7), Cell::Number(10)]);
        table
    }

    fn write(query: &str) -> String {
        let params = Params::parse(query).unwrap();
        let mut table = table();
        table.sort(&params).unwrap();
        let units = Units::parse(&params).unwrap();
        table.text(
            &table.chosen(&params),
            params.bool("v", false).unwrap(),
            units,
        )
    }

    #[test]
    fn cells_are_padded_chosen_and_sorted() {
        assert_eq!(write(""), "bob   2kb\nalice  7b\n");
        assert_eq!(write("v"), "name  size\nbob    2kb\nalice   7b\n");
        assert_eq!(write("h=a,n&s=age:desc"), "10 alice\n9  bob\n");
        assert_eq!(write("h=sz&bytes=b&s=size"), "   7\n2048\n");
        assert_eq!(write("h=nope"), "\n\n");
    }

    #[test]
    fn help_lists_all_columns() {
        assert_eq!(
            table().help(),
            "name | n    | who\nsize | s,sz | how big\nage  | a    | how old\n"
        );
    }
}
