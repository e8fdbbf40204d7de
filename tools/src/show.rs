//! One function per thing shown; a line per row, columns apart by tabs.

use std::io::Write;
use std::ops::Bound;

use anyhow::{Context, Result, bail};
use quidditch_engine::document::{ColumnKind, FieldSpec, IndexOptions, StoredValue};
use quidditch_engine::ids::DocId;
use quidditch_engine::segment::{PostingsNeed, SegmentReader};

/// Text as it is, other bytes in hexadecimal digits after `0x`.
fn readable(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(char::is_control) => text.to_owned(),
        _ => {
            let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("0x{digits}")
        }
    }
}

/// The inverse of [`readable`], as far as people type it.
fn typed(term: &str) -> Result<Vec<u8>> {
    let Some(digits) = term.strip_prefix("0x") else {
        return Ok(term.as_bytes().to_vec());
    };
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| {
            let pair = std::str::from_utf8(pair)?;
            u8::from_str_radix(pair, 16)
                .with_context(|| format!("[{pair}] is no byte in hexadecimal digits"))
        })
        .collect()
}

pub fn sections(reader: &SegmentReader, out: &mut impl Write) -> Result<()> {
    writeln!(
        out,
        "segment {}: {} documents, {} bytes",
        reader.id(),
        reader.max_doc(),
        reader.size_bytes()
    )?;
    writeln!(out, "section\tfield\toffset\tbytes\tcrc32c")?;
    for section in reader.sections() {
        let field = section
            .field
            .and_then(|number| reader.fields().get(number as usize));
        let path = field.map_or("-", |field| &field.path);
        let (kind, offset, len, sum) = (
            section.kind.name(),
            section.offset,
            section.len,
            section.crc32c,
        );
        writeln!(out, "{kind}\t{path}\t{offset}\t{len}\t{sum:08x}")?;
    }
    Ok(())
}

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

pub fn fields(reader: &SegmentReader, out: &mut impl Write) -> Result<()> {
    writeln!(out, "field\tkept\tdocuments\tterms\tpostings\toccurrences")?;
    for field in reader.fields() {
        let terms = match reader.terms(&field.path)? {
            Some(terms) => terms.len(),
            None => reader
                .ordinals(&field.path)?
                .map_or(0, |column| column.value_count()),
        };
        let (kept, documents) = (describe(field.spec), field.doc_count);
        let (pairs, total) = (field.sum_doc_freq, field.sum_total_term_freq);
        writeln!(
            out,
            "{}\t{kept}\t{documents}\t{terms}\t{pairs}\t{total}",
            field.path
        )?;
    }
    Ok(())
}

pub fn terms(
    reader: &SegmentReader,
    field: &str,
    from: &str,
    limit: u64,
    out: &mut impl Write,
) -> Result<()> {
    let terms = match reader.terms(field)? {
        Some(terms) => terms,
        None => match reader.ordinals(field)? {
            Some(column) => column.terms().clone(),
            None => {
                bail!("field [{field}] has no terms in this segment; `fields` lists what there is")
            }
        },
    };
    writeln!(out, "ordinal\tdocuments\toccurrences\tbytes\tterm")?;
    let from = typed(from)?;
    let mut iter = terms.range(Bound::Included(&from), Bound::Unbounded);
    for _ in 0..limit {
        let Some((term, info)) = iter.next()? else {
            break;
        };
        let (documents, total, bytes) =
            (info.doc_freq, info.total_term_freq, info.postings_bytes());
        writeln!(
            out,
            "{}\t{documents}\t{total}\t{bytes}\t{}",
            info.ord,
            readable(term)
        )?;
    }
    Ok(())
}

pub fn postings(
    reader: &SegmentReader,
    field: &str,
    term: &str,
    limit: u64,
    out: &mut impl Write,
) -> Result<()> {
    let Some(terms) = reader.terms(field)? else {
        bail!("field [{field}] is not indexed in this segment; `fields` lists what there is");
    };
    let Some(info) = terms.get(&typed(term)?)? else {
        bail!("field [{field}] has no term [{term}]; `terms` lists what there is");
    };
    let mut cursor = terms.postings(&info, PostingsNeed::Positions)?;
    let bounds: Vec<String> = cursor
        .max_impacts()?
        .iter()
        .map(|impact| format!("{}/{}", impact.freq, impact.norm))
        .collect();
    writeln!(
        out,
        "{} documents, impacts (freq/norm) {}",
        info.doc_freq,
        bounds.join(" ")
    )?;
    writeln!(out, "document\tfreq\tpositions")?;
    let mut positions = Vec::new();
    for _ in 0..limit {
        let doc = cursor.next()?;
        if doc == DocId::NO_MORE {
            break;
        }
        cursor.positions(&mut positions)?;
        writeln!(out, "{}\t{}\t{positions:?}", doc.0, cursor.freq())?;
    }
    Ok(())
}

pub fn column(
    reader: &SegmentReader,
    field: &str,
    from: u32,
    limit: u32,
    out: &mut impl Write,
) -> Result<()> {
    let end = from.saturating_add(limit).min(reader.max_doc());
    writeln!(out, "document\tvalues")?;
    if let Some(column) = reader.numeric(field)? {
        let mut values = Vec::new();
        for doc in from..end {
            column.values(DocId(doc), &mut values);
            writeln!(out, "{doc}\t{values:?}")?;
        }
    } else if let Some(column) = reader.ordinals(field)? {
        let (mut ords, mut term) = (Vec::new(), Vec::new());
        for doc in from..end {
            column.ords(DocId(doc), &mut ords);
            write!(out, "{doc}\t")?;
            for ord in &ords {
                column.term(*ord, &mut term)?;
                write!(out, "{ord}={} ", readable(&term))?;
            }
            writeln!(out)?;
        }
    } else {
        bail!("field [{field}] has no column in this segment; `fields` lists what there is");
    }
    Ok(())
}

fn value_text(value: &StoredValue) -> String {
    match value {
        StoredValue::I64(value) => value.to_string(),
        StoredValue::U64(value) => value.to_string(),
        StoredValue::F64(value) => value.to_string(),
        StoredValue::Bool(value) => value.to_string(),
        StoredValue::Str(value) => value.clone(),
        StoredValue::Bytes(value) => readable(value),
    }
}

pub fn document(reader: &SegmentReader, number: u32, out: &mut impl Write) -> Result<()> {
    let document = reader.stored(DocId(number))?;
    writeln!(out, "_id\t{}", document.id)?;
    if let Some(routing) = &document.routing {
        writeln!(out, "_routing\t{routing}")?;
    }
    for name in ["_seq_no", "_primary_term", "_version"] {
        if let Some(value) = reader
            .numeric(name)?
            .and_then(|column| column.first(DocId(number)))
        {
            writeln!(out, "{name}\t{value}")?;
        }
    }
    for (path, values) in &document.fields {
        let values: Vec<String> = values.iter().map(value_text).collect();
        writeln!(out, "{path}\t{}", values.join(", "))?;
    }
    writeln!(
        out,
        "_source\t{}",
        String::from_utf8_lossy(&document.source)
    )?;
    Ok(())
}

pub fn by_id(reader: &SegmentReader, id: &str, out: &mut impl Write) -> Result<()> {
    let Some(doc) = reader.find_id(id)? else {
        bail!("no document of this segment has the _id [{id}]");
    };
    writeln!(out, "document\t{}", doc.0)?;
    document(reader, doc.0, out)
}

pub fn verify(reader: &SegmentReader, out: &mut impl Write) -> Result<()> {
    reader.verify()?;
    let (id, documents, bytes) = (reader.id(), reader.max_doc(), reader.size_bytes());
    Ok(writeln!(
        out,
        "segment {id}: sound; {documents} documents, {bytes} bytes"
    )?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_shown_so_that_they_can_be_typed() {
        for term in [b"hat".as_slice(), "größe".as_bytes(), &[0, 255, 16], b""] {
            assert_eq!(typed(&readable(term)).unwrap(), term);
        }
        assert_eq!(readable(&[0, 255]), "0x00ff");
        assert!(typed("0xzz").is_err());
    }
}
