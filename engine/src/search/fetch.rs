//! The fetch phase: what is shown of a few documents.
//!
//! One file per thing that is shown; each is asked for all documents of the request.

mod doc_values;
mod explain;
mod matched_queries;
mod source_fields;
mod stored_fields;

use super::highlight::Highlighter;
use super::rescore;
use super::{DocAddress, FetchRequest, FetchedHit, SearchContext, SearchError};
use crate::segment::{SegmentReader, StoredDocument};
use crate::shard::ShardReader;
use crate::value::Value;

/// Reads what is shown of some documents, in the order asked.
pub fn fetch(
    reader: &ShardReader,
    docs: &[DocAddress],
    request: &FetchRequest,
    context: &SearchContext<'_>,
) -> Result<Vec<FetchedHit>, SearchError> {
    let doc_values = doc_values::plan(reader, request)?;
    let source_fields = source_fields::plan(reader, request, context.index_name)?;
    let highlighter = match &request.highlight {
        Some(request) => Some(Highlighter::new(reader, request, context)?),
        None => None,
    };
    let mut matched = matched_queries::find(
        reader,
        docs,
        &request.named_queries,
        request.named_scores,
        context,
    )?;
    let mut hits = Vec::with_capacity(docs.len());
    for (n, address) in docs.iter().enumerate() {
        context.check_cancelled()?;
        let segment = segment_of(reader, *address)?;
        let stored = segment.stored(address.doc)?;
        let mut fields = Vec::new();
        stored_fields::add(reader, &stored, request, &mut fields)?;
        doc_values::add(segment, address.doc, &doc_values, &mut fields)?;
        source_fields::add(&stored, &source_fields, &mut fields)?;
        let trees = source_fields::trees(&stored, &source_fields);
        let system = |name: &str| -> Result<Option<i64>, SearchError> {
            Ok(segment
                .numeric(name)?
                .and_then(|column| column.first(address.doc)))
        };
        let explanation = match &request.explain {
            Some(query) => Some(rescore::explain(
                reader,
                *address,
                query,
                explain::explain(reader, *address, query, context)?,
                &request.rescore,
                context,
            )?),
            None => None,
        };
        let ids = request.seq_no_primary_term;
        hits.push(FetchedHit {
            version: match request.version {
                true => system("_version")?.map(|version| version as u64),
                false => None,
            },
            seq_no: if ids { system("_seq_no")? } else { None },
            primary_term: match ids {
                true => system("_primary_term")?.map(|term| term as u64),
                false => None,
            },
            fields,
            trees,
            highlight: match &highlighter {
                Some(highlighter) => highlighter.highlight(&stored)?,
                None => Vec::new(),
            },
            matched_queries: std::mem::take(&mut matched[n]),
            ignored: ignored_fields(&stored),
            explanation,
            source: (request.source && !stored.source.is_empty()).then_some(stored.source),
            id: stored.id,
            routing: stored.routing,
        });
    }
    Ok(hits)
}

fn segment_of(reader: &ShardReader, address: DocAddress) -> Result<&SegmentReader, SearchError> {
    let segment = reader.segments.get(address.segment as usize);
    match segment {
        Some(segment) if address.doc.0 < segment.reader.max_doc() => Ok(&segment.reader),
        _ => Err(SearchError::illegal(format!(
            "document {} of segment {} is not in this reader",
            address.doc.0, address.segment
        ))),
    }
}

fn ignored_fields(stored: &StoredDocument) -> Vec<String> {
    let mut names = Vec::new();
    for (path, values) in &stored.fields {
        if &**path == "_ignored" {
            for value in values {
                if let crate::document::StoredValue::Str(name) = value {
                    names.push(name.clone());
                }
            }
        }
    }
    names
}

/// Adds values under a name; what is there already is kept, and not doubled.
fn add_field(fields: &mut Vec<(String, Vec<Value>)>, name: &str, values: Vec<Value>) {
    if values.is_empty() {
        return;
    }
    match fields.iter_mut().find(|(known, _)| known == name) {
        Some((_, known)) => *known = values,
        None => fields.push((name.to_owned(), values)),
    }
}
