//! `doc`, `id`: what is stored of a document.

use anyhow::{Result, bail};
use quidditch_engine::ids::DocId;

use crate::place::Segment;
use crate::report::{Cell, Report, Table};
use crate::text::value;

pub fn document(segment: &Segment, number: u32) -> Result<Report> {
    let reader = &segment.reader;
    if number >= reader.max_doc() {
        let (name, docs) = (&segment.name, reader.max_doc());
        bail!("segment {name} has {docs} documents, counted from 0: there is no document {number}");
    }
    let doc = DocId(number);
    let stored = reader.stored(doc)?;
    let live = segment
        .live_docs
        .as_ref()
        .is_none_or(|live| live.is_live(doc));
    let mut report = Report::default();
    report
        .fact("segment", Cell::text(&segment.name))
        .fact("document", Cell::Number(i64::from(number)))
        .fact("live", Cell::text(if live { "yes" } else { "no" }))
        .fact("_id", Cell::text(&*stored.id))
        .fact(
            "_routing",
            Cell::or_nothing(stored.routing.as_deref(), Cell::text),
        );
    for name in ["_seq_no", "_primary_term", "_version"] {
        if let Some(value) = reader.numeric(name)?.and_then(|column| column.first(doc)) {
            report.fact(name, Cell::Number(value));
        }
    }
    report.fact(
        "_source",
        Cell::Text(String::from_utf8_lossy(&stored.source).into_owned()),
    );
    if !stored.fields.is_empty() {
        let mut table = Table::new("stored_fields", &["field", "values"]);
        for (path, values) in &stored.fields {
            let values = values
                .iter()
                .map(|stored| Cell::Text(value(stored)))
                .collect();
            table.row(vec![Cell::text(&**path), Cell::List(values)]);
        }
        report.table(table);
    }
    Ok(report)
}

/// Every document that has the `_id`: dead ones too.
pub fn by_id(segments: &[Segment], id: &str) -> Result<Report> {
    let mut found = Vec::new();
    for segment in segments {
        if let Some(doc) = segment.reader.find_id(id)? {
            found.push(document(segment, doc.0)?);
        }
    }
    if found.is_empty() {
        bail!("no document here has the _id [{id}]; what is only in the translog is not shown");
    }
    let mut report = Report::default();
    report.parts("documents", found);
    Ok(report)
}
