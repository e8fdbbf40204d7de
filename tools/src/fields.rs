//! `fields`, `sections`, `column`: what is kept of each field, and where.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};
use quidditch_engine::document::{ColumnKind, FieldSpec, IndexOptions};
use quidditch_engine::ids::DocId;
use quidditch_engine::inspect::{self, ChunkShape};
use quidditch_engine::segment::{NumericColumn, SegmentReader};

use crate::place::Segment;
use crate::report::{Cell, Report, Table};
use crate::terms::dictionary;
use crate::text::{readable, span};

fn describe(spec: FieldSpec) -> String {
    let mut words = Vec::new();
    match spec.index {
        IndexOptions::None => {}
        IndexOptions::Docs => words.push("docs"),
        IndexOptions::DocsFreqs => words.push("freqs"),
        IndexOptions::Positions => words.push("positions"),
    }
    match spec.column {
        ColumnKind::None => {}
        ColumnKind::Numeric => words.push("numbers"),
        ColumnKind::Ordinals => words.push("ordinals"),
    }
    for (kept, word) in [
        (spec.norms, "norms"),
        (spec.points, "points"),
        (spec.stored, "stored"),
    ] {
        if kept {
            words.push(word);
        }
    }
    words.join("+")
}

/// The column of numbers, or of ordinals.
fn column_of(reader: &SegmentReader, field: &str) -> Result<Option<NumericColumn>> {
    Ok(match reader.numeric(field)? {
        Some(column) => Some(column),
        None => reader
            .ordinals(field)?
            .map(|column| column.numbers().clone()),
    })
}

/// What all segments keep of a field.
#[derive(Default)]
struct Sums {
    kept: BTreeSet<String>,
    documents: u64,
    terms: u64,
    postings: u64,
    occurrences: u64,
    bytes: u64,
    /// By encoding, least and most bits of a value.
    column: BTreeMap<&'static str, (u32, u32)>,
}

/// Bytes of the sections of each field, by its number.
pub fn bytes_by_field(reader: &SegmentReader) -> Vec<u64> {
    let mut bytes = vec![0; reader.fields().len()];
    for section in reader.sections() {
        let number = section
            .field
            .and_then(|number| bytes.get_mut(number as usize));
        if let Some(bytes) = number {
            *bytes += section.len;
        }
    }
    bytes
}

pub fn fields(segments: &[Segment]) -> Result<Report> {
    let mut all: BTreeMap<String, Sums> = BTreeMap::new();
    for segment in segments {
        let reader = &segment.reader;
        for (field, bytes) in reader.fields().iter().zip(bytes_by_field(reader)) {
            let sums = all.entry(field.path.to_string()).or_default();
            sums.kept.insert(describe(field.spec));
            sums.documents += u64::from(field.doc_count);
            sums.terms += dictionary(segment, &field.path)?.map_or(0, |terms| terms.len());
            sums.postings += field.sum_doc_freq;
            sums.occurrences += field.sum_total_term_freq;
            sums.bytes += bytes;
            if let Some(column) = column_of(reader, &field.path)? {
                for chunk in inspect::column_chunks(&column)
                    .iter()
                    .filter(|c| c.values > 0)
                {
                    let bits = sums.column.entry(chunk.encoding).or_insert((chunk.bits, 0));
                    *bits = (bits.0.min(chunk.bits), bits.1.max(chunk.bits));
                }
            }
        }
    }
    let columns = [
        "field",
        "kept",
        "documents",
        "terms",
        "postings",
        "occurrences",
        "size",
        "column",
    ];
    let mut table = Table::new("fields", &columns);
    for (path, sums) in all {
        let kept: Vec<String> = sums.kept.into_iter().collect();
        table.row(vec![
            Cell::Text(path),
            Cell::Text(kept.join(" or ")),
            Cell::Count(sums.documents),
            Cell::Count(sums.terms),
            Cell::Count(sums.postings),
            Cell::Count(sums.occurrences),
            Cell::Bytes(sums.bytes),
            encodings(&sums.column),
        ]);
    }
    Ok(Report::of_table(table))
}

/// `steps of 3–7 bits, constant`.
fn encodings(column: &BTreeMap<&'static str, (u32, u32)>) -> Cell {
    if column.is_empty() {
        return Cell::Nothing;
    }
    let shown = column
        .iter()
        .map(|(encoding, (least, most))| match span(*least, *most) {
            Cell::Text(bits) if *most == 1 => format!("{encoding} of {bits} bit"),
            Cell::Text(bits) if *most > 0 => format!("{encoding} of {bits} bits"),
            _ => (*encoding).to_owned(),
        });
    Cell::Text(shown.collect::<Vec<_>>().join(", "))
}

pub fn sections(segments: &[Segment]) -> Report {
    let columns = [
        "segment", "section", "field", "format", "offset", "size", "crc32c",
    ];
    let mut table = Table::new("sections", &columns);
    for segment in segments {
        let reader = &segment.reader;
        for section in reader.sections() {
            let number = section
                .field
                .and_then(|number| reader.fields().get(number as usize));
            table.row(vec![
                Cell::text(&segment.name),
                Cell::text(section.kind.name()),
                Cell::or_nothing(number, |field| Cell::text(&*field.path)),
                Cell::Text(format!("v{}", section.codec)),
                Cell::Count(section.offset),
                Cell::Bytes(section.len),
                Cell::Text(format!("{:08x}", section.crc32c)),
            ]);
        }
    }
    Report::of_table(table)
}

fn chunk_row(chunk: &ChunkShape) -> Vec<Cell> {
    vec![
        Cell::Number(i64::from(chunk.first_doc)),
        Cell::Count(u64::from(chunk.docs)),
        Cell::Count(u64::from(chunk.values)),
        Cell::text(chunk.encoding),
        Cell::Count(u64::from(chunk.bits)),
        Cell::Count(u64::from(chunk.end_bits)),
        Cell::Count(u64::from(chunk.table_len)),
        Cell::Bytes(chunk.bytes),
        Cell::Number(chunk.min),
        Cell::Number(chunk.max),
    ]
}

pub fn column(segment: &Segment, field: &str, from: u32, limit: u32) -> Result<Report> {
    let reader = &segment.reader;
    let Some(numbers) = column_of(reader, field)? else {
        bail!("field [{field}] has no column here; `fields` lists what there is");
    };
    let columns = [
        "first",
        "documents",
        "values",
        "encoding",
        "bits",
        "end_bits",
        "table",
        "size",
        "min",
        "max",
    ];
    let mut chunks = Table::new("chunks", &columns);
    for chunk in inspect::column_chunks(&numbers) {
        chunks.row_within(limit as usize, || chunk_row(&chunk));
    }
    let end = from.saturating_add(limit).min(reader.max_doc());
    let mut rows = Table::new("rows", &["document", "values"]);
    let ordinals = reader.ordinals(field)?;
    let (mut values, mut ords, mut term) = (Vec::new(), Vec::new(), Vec::new());
    for doc in from..end {
        let mut cells = Vec::new();
        match &ordinals {
            None => {
                numbers.values(DocId(doc), &mut values);
                cells.extend(values.iter().map(|value| Cell::Number(*value)));
            }
            Some(ordinals) => {
                ordinals.ords(DocId(doc), &mut ords);
                for ord in &ords {
                    ordinals.term(*ord, &mut term)?;
                    cells.push(Cell::Text(format!("{ord}={}", readable(&term))));
                }
            }
        }
        rows.row(vec![Cell::Number(i64::from(doc)), Cell::List(cells)]);
    }
    rows.leave_out(u64::from(reader.max_doc() - end));
    let mut report = Report::default();
    report
        .fact("segment", Cell::text(&segment.name))
        .fact("field", Cell::text(field));
    report.table(chunks).table(rows);
    Ok(report)
}
