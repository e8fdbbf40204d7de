//! `size`: what takes how many bytes.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use anyhow::{Result, bail};
use clap::ValueEnum;
use quidditch_engine::directory::Directory;
use quidditch_engine::inspect::{self, FileKind};
use quidditch_engine::segment::SectionKind;

use crate::place::{Place, Segment};
use crate::report::{Cell, Report, Table};
use crate::terms::MergedTerms;
use crate::text::readable;

/// What sizes are added up by.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum By {
    /// Kinds of sections, and the small files beside segments.
    Section,
    /// Fields, by what is kept of them.
    Field,
    /// Terms with the longest lists.
    Term,
}

/// Of the part, as a share of the whole.
fn share(bytes: u64, of: u64) -> Cell {
    Cell::Share(bytes as f64 / of.max(1) as f64)
}

fn total(segments: &[Segment]) -> u64 {
    segments
        .iter()
        .map(|segment| segment.reader.size_bytes())
        .sum()
}

pub fn by_section(place: &Place, segments: &[Segment]) -> Result<Report> {
    let mut sizes: BTreeMap<&'static str, (u64, u64)> = BTreeMap::new();
    let mut add = |name, bytes| {
        let sums = sizes.entry(name).or_default();
        *sums = (sums.0 + 1, sums.1 + bytes);
    };
    for segment in segments {
        let reader = &segment.reader;
        let mut rest = reader.size_bytes();
        for section in reader.sections() {
            add(section.kind.name(), section.len);
            rest -= section.len;
        }
        add("header, table, gaps", rest);
    }
    if place.only.is_none() {
        for name in place.index.list()? {
            let kind = inspect::file_kind(&name);
            if matches!(kind, FileKind::Commit | FileKind::LiveDocs) {
                add(kind.name(), place.index.open(&name)?.len() as u64);
            }
        }
    }
    if let Some(translog) = &place.translog {
        for name in translog.list()? {
            add("translog", translog.open(&name)?.len() as u64);
        }
    }
    let all: u64 = sizes.values().map(|(_, bytes)| bytes).sum();
    let mut rows: Vec<_> = sizes.into_iter().collect();
    rows.sort_by_key(|(_, (_, bytes))| Reverse(*bytes));
    let mut table = Table::new("sizes", &["part", "number", "size", "share"]);
    for (name, (count, bytes)) in rows {
        table.row(vec![
            Cell::text(name),
            Cell::Count(count),
            Cell::Bytes(bytes),
            share(bytes, all),
        ]);
    }
    let mut report = Report::default();
    report.fact("total", Cell::Bytes(all)).table(table);
    Ok(report)
}

/// Kinds of sections as columns of the table by field.
const PARTS: [(&str, &[SectionKind]); 6] = [
    ("terms", &[SectionKind::TermIndex, SectionKind::TermBlocks]),
    ("postings", &[SectionKind::Postings]),
    ("skips", &[SectionKind::Skips]),
    ("norms", &[SectionKind::Norms]),
    ("columns", &[SectionKind::Numeric, SectionKind::Ordinals]),
    ("points", &[SectionKind::Points]),
];

pub fn by_field(segments: &[Segment], limit: usize) -> Report {
    let mut sizes: BTreeMap<String, [u64; PARTS.len()]> = BTreeMap::new();
    let mut beside = 0;
    for segment in segments {
        let reader = &segment.reader;
        for section in reader.sections() {
            let field = section
                .field
                .and_then(|number| reader.fields().get(number as usize));
            let part = PARTS
                .iter()
                .position(|(_, kinds)| kinds.contains(&section.kind));
            match (field, part) {
                (Some(field), Some(part)) => {
                    sizes.entry(field.path.to_string()).or_default()[part] += section.len;
                }
                _ => beside += section.len,
            }
        }
    }
    let all = total(segments);
    let mut rows: Vec<_> = sizes.into_iter().collect();
    rows.sort_by_key(|(_, parts)| Reverse(parts.iter().sum::<u64>()));
    let mut columns = vec!["field", "size", "share"];
    columns.extend(PARTS.iter().map(|(name, _)| *name));
    let mut table = Table::new("sizes", &columns);
    for (path, parts) in rows {
        let bytes = parts.iter().sum();
        table.row_within(limit, || {
            let mut row = vec![Cell::Text(path), Cell::Bytes(bytes), share(bytes, all)];
            row.extend(parts.map(|bytes| match bytes {
                0 => Cell::Nothing,
                bytes => Cell::Bytes(bytes),
            }));
            row
        });
    }
    let mut report = Report::default();
    report
        .fact("total", Cell::Bytes(all))
        .fact("of_no_field", Cell::Bytes(beside))
        .table(table);
    report
}

pub fn by_term(segments: &[Segment], field: Option<&str>, limit: usize) -> Result<Report> {
    let paths = segments
        .iter()
        .flat_map(|segment| segment.reader.field_names());
    let mut paths: BTreeSet<&str> = paths.map(|path| &**path).collect();
    if let Some(field) = field {
        paths.retain(|path| *path == field);
    }
    let (mut counted, mut bytes_of_all) = (0, 0);
    // The longest so far, the shortest of them on top.
    let mut longest = BinaryHeap::new();
    for path in paths {
        let Some(mut terms) = MergedTerms::open(segments, path, &[])? else {
            continue;
        };
        while let Some(term) = terms.next()? {
            let bytes = term.bytes();
            counted += 1;
            bytes_of_all += bytes;
            let (documents, occurrences) = (term.documents(), term.occurrences());
            longest.push(Reverse((bytes, documents, occurrences, path, term.term)));
            if longest.len() > limit {
                longest.pop();
            }
        }
    }
    if counted == 0
        && let Some(field) = field
    {
        bail!("field [{field}] has no terms here; `fields` lists what there is");
    }
    let all = total(segments);
    let columns = ["field", "term", "documents", "occurrences", "size", "share"];
    let mut table = Table::new("sizes", &columns);
    for Reverse((bytes, documents, occurrences, path, term)) in longest.into_sorted_vec() {
        table.row(vec![
            Cell::text(path),
            Cell::Text(readable(&term)),
            Cell::Count(documents),
            Cell::Count(occurrences),
            Cell::Bytes(bytes),
            share(bytes, all),
        ]);
    }
    table.leave_out(counted - counted.min(limit as u64));
    let mut report = Report::default();
    report
        .fact("total", Cell::Bytes(all))
        .fact("terms", Cell::Count(counted))
        .fact("lists", Cell::Bytes(bytes_of_all))
        .table(table);
    Ok(report)
}
