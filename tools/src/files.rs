//! `ls`, `info`, `verify`: files, and the commit point that makes a shard of them.

use anyhow::Result;
use quidditch_engine::directory::Directory;
use quidditch_engine::inspect::{self, CheckedFile, FileKind, TranslogShape};
use quidditch_engine::segment::{SectionKind, SegmentReader};

use crate::place::{Place, Segment};
use crate::report::{Cell, Report, Table};

pub fn ls(place: &Place) -> Result<Report> {
    let commit = place.commit()?;
    let mut table = Table::new("files", &["file", "kind", "size", "needed"]);
    for name in place.index.list()? {
        let kind = inspect::file_kind(&name);
        if place.only.as_ref().is_some_and(|only| *only != name) {
            continue;
        }
        let needed = match &commit {
            Some(commit) if commit.needs(&name) => Cell::text("yes"),
            Some(_) if kind == FileKind::Other => Cell::Nothing,
            Some(_) => Cell::text("no"),
            None => Cell::Nothing,
        };
        let bytes = place.index.open(&name)?.len() as u64;
        let shown = format!("{}{name}", place.shown[0]);
        table.row(vec![
            Cell::Text(shown),
            Cell::text(kind.name()),
            Cell::Bytes(bytes),
            needed,
        ]);
    }
    if let Some(translog) = &place.translog {
        for name in translog.list()? {
            let bytes = translog.open(&name)?.len() as u64;
            let shown = Cell::Text(format!("{}{name}", place.shown[1]));
            table.row(vec![
                shown,
                Cell::text("translog"),
                Cell::Bytes(bytes),
                Cell::text("yes"),
            ]);
        }
    }
    Ok(Report::of_table(table))
}

/// The formats of the sections of a kind, each once.
fn codecs(reader: &SegmentReader, kinds: &[SectionKind]) -> Cell {
    let of_kind = reader
        .sections()
        .iter()
        .filter(|section| kinds.contains(&section.kind));
    let mut codecs: Vec<u16> = of_kind.map(|section| section.codec).collect();
    codecs.sort_unstable();
    codecs.dedup();
    match codecs.is_empty() {
        true => Cell::Nothing,
        false => Cell::List(
            codecs
                .iter()
                .map(|codec| Cell::Text(format!("v{codec}")))
                .collect(),
        ),
    }
}

fn segment_table(segments: &[Segment]) -> Table {
    let columns = [
        "segment",
        "id",
        "live",
        "deleted",
        "fields",
        "size",
        "bytes_per_document",
        "postings",
        "columns",
    ];
    let mut table = Table::new("segments", &columns);
    for segment in segments {
        let reader = &segment.reader;
        let deleted = segment.deleted();
        let each = reader.size_bytes() as f64 / f64::from(reader.max_doc().max(1));
        table.row(vec![
            Cell::text(&segment.name),
            Cell::Text(reader.id().to_string()),
            Cell::Count(u64::from(reader.max_doc()) - deleted),
            Cell::Count(deleted),
            Cell::Count(reader.fields().len() as u64),
            Cell::Bytes(reader.size_bytes()),
            Cell::Fraction(each),
            codecs(reader, &[SectionKind::Postings]),
            codecs(reader, &[SectionKind::Numeric, SectionKind::Ordinals]),
        ]);
    }
    table
}

pub fn info(place: &Place, wanted: Option<&str>) -> Result<Report> {
    let segments = place.segments(wanted)?;
    let mut report = Report::default();
    if let Some(commit) = place.commit()? {
        report
            .fact("commit_point", Cell::Text(commit.file))
            .fact("primary_term", Cell::Count(commit.primary_term.0))
            .fact("max_seq_no", Cell::Number(commit.max_seq_no.0))
            .fact("local_checkpoint", Cell::Number(commit.local_checkpoint.0))
            .fact("history_uuid", Cell::Text(commit.history_uuid))
            .fact("tombstones", Cell::Count(commit.tombstones))
            .fact(
                "translog_needed_from",
                Cell::Count(commit.translog_generation),
            );
    }
    if let Some(translog) = &place.translog {
        let shape = inspect::translog(translog)?;
        report
            .fact("translog_operations", Cell::Count(shape.operations))
            .fact("translog_size", Cell::Bytes(shape.bytes));
        if let Some(file) = shape.files.iter().find(|file| !file.damage.is_empty()) {
            let (name, damage) = (&file.name, &file.damage[0]);
            let said = format!(
                "{}{name}: {}: {}",
                place.shown[1], damage.section, damage.what
            );
            report.fact("translog_damage", Cell::Text(said));
        }
    }
    let docs: u64 = segments
        .iter()
        .map(|segment| u64::from(segment.reader.max_doc()))
        .sum();
    let deleted: u64 = segments.iter().map(Segment::deleted).sum();
    let size: u64 = segments
        .iter()
        .map(|segment| segment.reader.size_bytes())
        .sum();
    report
        .fact("live_documents", Cell::Count(docs - deleted))
        .fact("deleted_documents", Cell::Count(deleted))
        .fact("segments_size", Cell::Bytes(size));
    report.table(segment_table(&segments));
    Ok(report)
}

/// What the check found, and whether all of it is sound.
pub fn verify(place: &Place) -> Result<(Report, bool)> {
    let (mut files, mut translog) = (Vec::new(), TranslogShape::default());
    match &place.only {
        Some(only) => files.push(inspect::verify_segment(only, place.index.open(only)?)),
        None => {
            let checked = inspect::verify(&place.index)?.into_iter();
            files.extend(checked.map(|file| within(place.shown[0], file)));
        }
    }
    if let Some(folder) = &place.translog {
        translog = inspect::translog(folder)?;
        let checked = std::mem::take(&mut translog.files).into_iter();
        files.extend(checked.map(|file| within(place.shown[1], file)));
    }
    let damaged = files.iter().filter(|file| !file.damage.is_empty()).count() as u64;
    let mut report = Report::default();
    report
        .fact(
            "result",
            Cell::text(if damaged == 0 { "sound" } else { "DAMAGED" }),
        )
        .fact("files", Cell::Count(files.len() as u64))
        .fact("damaged_files", Cell::Count(damaged))
        .fact(
            "size",
            Cell::Bytes(files.iter().map(|file| file.bytes).sum()),
        );
    if let Some(torn) = translog.torn_tail {
        report.fact(
            "translog_end",
            Cell::Text(format!("half-written, will be cut: {torn}")),
        );
    }
    let mut table = Table::new("checked", &["file", "kind", "size", "section", "finding"]);
    for file in &files {
        let row = |section: Cell, finding: &str| {
            let (name, kind) = (Cell::text(&file.name), Cell::text(file.kind));
            vec![
                name,
                kind,
                Cell::Bytes(file.bytes),
                section,
                Cell::text(finding),
            ]
        };
        if file.damage.is_empty() {
            table.row(row(Cell::Nothing, "sound"));
        }
        for damage in &file.damage {
            table.row(row(Cell::text(&damage.section), &damage.what));
        }
    }
    report.table(table);
    Ok((report, damaged == 0))
}

fn within(folder: &str, file: CheckedFile) -> CheckedFile {
    CheckedFile {
        name: format!("{folder}{}", file.name),
        ..file
    }
}
