//! `terms`, `postings`: the dictionaries of all segments side by side, and one list at a time.

use std::ops::Bound;

use anyhow::{Result, bail};
use quidditch_engine::ids::DocId;
use quidditch_engine::inspect::{self, ListKind, PostingsShape};
use quidditch_engine::segment::{PostingsNeed, TermInfo, TermIter, TermsReader};

use crate::place::Segment;
use crate::report::{Cell, Report, Table};
use crate::text::{bounds, readable, span, typed};

/// The terms of a field in a segment, be it for postings or an ordinal column.
pub fn dictionary(segment: &Segment, field: &str) -> Result<Option<TermsReader>> {
    let reader = &segment.reader;
    Ok(match reader.terms(field)? {
        Some(terms) => Some(terms),
        None => reader.ordinals(field)?.map(|column| column.terms().clone()),
    })
}

fn no_terms(field: &str) -> anyhow::Error {
    anyhow::anyhow!("field [{field}] has no terms here; `fields` lists what there is")
}

/// A dictionary, and where in it one is.
struct Source {
    terms: TermsReader,
    iter: TermIter,
    head: Option<(Vec<u8>, TermInfo)>,
}

impl Source {
    fn step(&mut self) -> Result<()> {
        self.head = self.iter.next()?.map(|(term, info)| (term.to_vec(), info));
        Ok(())
    }
}

/// A term with what each segment that has it knows of it.
pub struct MergedTerm {
    pub term: Vec<u8>,
    pub in_segments: Vec<(TermsReader, TermInfo)>,
}

impl MergedTerm {
    pub fn documents(&self) -> u64 {
        self.in_segments
            .iter()
            .map(|(_, info)| u64::from(info.doc_freq))
            .sum()
    }

    pub fn occurrences(&self) -> u64 {
        self.in_segments
            .iter()
            .map(|(_, info)| info.total_term_freq)
            .sum()
    }

    /// Of documents, frequencies, positions and skips.
    pub fn bytes(&self) -> u64 {
        self.in_segments
            .iter()
            .map(|(_, info)| info.postings_bytes())
            .sum()
    }
}

/// The terms of a field of several segments, ascending.
pub struct MergedTerms(Vec<Source>);

impl MergedTerms {
    /// From a term on.
    pub fn open(segments: &[Segment], field: &str, from: &[u8]) -> Result<Option<MergedTerms>> {
        let mut sources = Vec::new();
        for segment in segments {
            if let Some(terms) = dictionary(segment, field)? {
                let iter = terms.range(Bound::Included(from), Bound::Unbounded);
                let mut source = Source {
                    terms,
                    iter,
                    head: None,
                };
                source.step()?;
                sources.push(source);
            }
        }
        Ok((!sources.is_empty()).then_some(MergedTerms(sources)))
    }

    pub fn next(&mut self) -> Result<Option<MergedTerm>> {
        let heads = self.0.iter().filter_map(|source| source.head.as_ref());
        let Some(term) = heads.map(|(term, _)| term).min().cloned() else {
            return Ok(None);
        };
        let mut in_segments = Vec::new();
        for source in &mut self.0 {
            if let Some((head, info)) = &source.head
                && *head == term
            {
                in_segments.push((source.terms.clone(), *info));
                source.step()?;
            }
        }
        Ok(Some(MergedTerm { term, in_segments }))
    }
}

/// `inlined`, or of several segments `2 inlined, 1 blocks`.
fn kinds(term: &MergedTerm) -> Result<Cell> {
    let mut kinds = Vec::new();
    for (terms, info) in &term.in_segments {
        kinds.push(inspect::list_kind(terms, info)?);
    }
    kinds.sort_unstable();
    let groups: Vec<&[ListKind]> = kinds.chunk_by(|a, b| a == b).collect();
    Ok(match groups[..] {
        [only] => Cell::text(only[0].name()),
        _ => {
            let shown = groups
                .iter()
                .map(|group| format!("{} {}", group.len(), group[0].name()));
            Cell::Text(shown.collect::<Vec<_>>().join(", "))
        }
    })
}

/// Which terms to show.
pub struct Wanted<'a> {
    pub prefix: &'a str,
    pub from: &'a str,
    pub limit: usize,
}

pub fn terms(segments: &[Segment], field: &str, wanted: &Wanted<'_>) -> Result<Report> {
    let (prefix, from) = (typed(wanted.prefix)?, typed(wanted.from)?);
    let first = if from > prefix { &from } else { &prefix };
    let merged = MergedTerms::open(segments, field, first)?;
    let mut merged = merged.ok_or_else(|| no_terms(field))?;
    let columns = [
        "term",
        "segments",
        "documents",
        "occurrences",
        "postings",
        "kept",
    ];
    let mut table = Table::new("terms", &columns);
    for shown in 0.. {
        let Some(term) = merged.next()? else { break };
        if !term.term.starts_with(&prefix) {
            break;
        }
        if shown == wanted.limit {
            // Those behind it are not counted: there may be millions.
            let mut report = Report::of_table(table);
            report.fact("next_term", Cell::Text(readable(&term.term)));
            return Ok(report);
        }
        table.row(vec![
            Cell::Text(readable(&term.term)),
            Cell::Count(term.in_segments.len() as u64),
            Cell::Count(term.documents()),
            Cell::Count(term.occurrences()),
            Cell::Bytes(term.bytes()),
            kinds(&term)?,
        ]);
    }
    Ok(Report::of_table(table))
}

/// How much of a list to show.
pub struct Shown {
    /// Blocks or containers of each segment.
    pub limit: usize,
    /// Documents of each segment.
    pub docs: usize,
}

pub fn postings(segments: &[Segment], field: &str, term: &str, shown: &Shown) -> Result<Report> {
    let bytes = typed(term)?;
    let (mut parts, mut has_field) = (Vec::new(), false);
    for segment in segments {
        let Some(terms) = segment.reader.terms(field)? else {
            continue;
        };
        has_field = true;
        if let Some(info) = terms.get(&bytes)? {
            parts.push(of_segment(segment, &terms, &info, shown)?);
        }
    }
    if !has_field {
        bail!("field [{field}] is not indexed here; `fields` lists what there is");
    }
    if parts.is_empty() {
        bail!("field [{field}] has no term [{term}]; `terms` lists what there is");
    }
    let mut report = Report::default();
    report
        .fact("field", Cell::text(field))
        .fact("term", Cell::text(term));
    report.parts("segments", parts);
    Ok(report)
}

fn of_segment(
    segment: &Segment,
    terms: &TermsReader,
    info: &TermInfo,
    shown: &Shown,
) -> Result<Report> {
    let shape = inspect::postings(terms, info)?;
    let bytes = shape.list_bytes + shape.position_bytes + shape.skip_bytes;
    let mut report = Report::default();
    report
        .fact("segment", Cell::text(&segment.name))
        .fact("kept", Cell::text(shape.kind.name()))
        .fact("documents", Cell::Count(u64::from(shape.doc_freq)))
        .fact("occurrences", Cell::Count(shape.total_term_freq))
        .fact("documents_and_freqs", Cell::Bytes(shape.list_bytes))
        .fact("positions", Cell::Bytes(shape.position_bytes))
        .fact("skips_and_bounds", Cell::Bytes(shape.skip_bytes))
        .fact(
            "bits_per_document",
            Cell::Fraction(bytes as f64 * 8.0 / f64::from(shape.doc_freq)),
        )
        .fact("bounds", bounds(&shape.impacts));
    if let Some(positions) = shape.positions {
        report
            .fact("position_groups", Cell::Count(positions.groups))
            .fact(
                "position_bits",
                span(positions.min_bits, positions.max_bits),
            )
            .fact("position_bits_mean", Cell::Fraction(positions.mean_bits));
    }
    if !shape.parts.is_empty() {
        report.table(part_table(&shape, shown.limit));
    }
    if shown.docs > 0 {
        report.table(doc_table(segment, terms, info, shown.docs)?);
    }
    Ok(report)
}

fn part_table(shape: &PostingsShape, limit: usize) -> Table {
    let name = match shape.kind {
        ListKind::Bitmaps => "containers",
        _ => "blocks",
    };
    let columns = [
        "first",
        "last",
        "documents",
        "size",
        "gap_bits",
        "freq_bits",
        "patches",
        "bounds",
    ];
    let mut table = Table::new(name, &columns);
    for part in &shape.parts {
        table.row_within(limit, || {
            vec![
                Cell::Number(i64::from(part.first_doc)),
                Cell::Number(i64::from(part.last_doc)),
                Cell::Count(u64::from(part.docs)),
                Cell::Bytes(part.bytes),
                match (part.gap_bits, shape.kind) {
                    (Some(bits), _) => Cell::Text(bits.to_string()),
                    (None, ListKind::Bitmaps) => Cell::text("bitmap"),
                    (None, _) => Cell::text("varint"),
                },
                Cell::or_nothing(part.freq_bits, |(least, most)| span(least, most)),
                Cell::Count(u64::from(part.patches)),
                bounds(&part.impacts),
            ]
        });
    }
    table
}

fn doc_table(
    segment: &Segment,
    terms: &TermsReader,
    info: &TermInfo,
    limit: usize,
) -> Result<Table> {
    let mut cursor = terms.postings(info, PostingsNeed::Positions)?;
    let columns = ["document", "live", "freq", "positions"];
    let mut table = Table::new("postings", &columns).limited_by("--docs");
    let mut positions = Vec::new();
    for shown in 0.. {
        let doc = cursor.next()?;
        if doc == DocId::NO_MORE {
            break;
        }
        if shown == limit {
            table.leave_out(u64::from(info.doc_freq) - limit as u64);
            break;
        }
        cursor.positions(&mut positions)?;
        let live = segment
            .live_docs
            .as_ref()
            .is_none_or(|live| live.is_live(doc));
        let places = positions
            .iter()
            .map(|position| Cell::Number(i64::from(*position)));
        table.row(vec![
            Cell::Number(i64::from(doc.0)),
            Cell::text(if live { "yes" } else { "no" }),
            Cell::Count(u64::from(cursor.freq())),
            Cell::List(places.collect()),
        ]);
    }
    Ok(table)
}
