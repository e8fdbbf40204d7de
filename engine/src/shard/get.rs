//! Looking one document up by its `_id`.

use super::inner::{Inner, View};
use super::role::CopyRole;
use super::versions::{Entry, Stamp};
use super::write::reparse;
use super::{GetOptions, GetResult, ShardReader};
use crate::ids::{DocId, PrimaryTerm, SeqNo};
use crate::segment::{ReadError, SegmentReader};

/// Columns in which a segment keeps what the shard gave each document.
const SEQ_NO: &str = "_seq_no";
const PRIMARY_TERM: &str = "_primary_term";
const VERSION: &str = "_version";

impl Inner {
    pub fn get(&self, id: &str, options: GetOptions) -> Result<Option<GetResult>, ReadError> {
        let start = self.clock.monotonic();
        // What a replica has beyond its segments, it has not parsed.
        let found = if options.realtime && self.role.get() == CopyRole::Primary {
            self.get_realtime(id, options)
        } else {
            get_from(&self.visible.load().reader, id, options)
        };
        let took = self.clock.monotonic().saturating_sub(start);
        match &found {
            Ok(Some(_)) => self.counters.get_exists.add(took),
            Ok(None) => self.counters.get_missing.add(took),
            Err(_) => {}
        }
        found
    }

    fn get_realtime(&self, id: &str, options: GetOptions) -> Result<Option<GetResult>, ReadError> {
        let (entry, view): (Option<Entry>, _) = {
            let stripe = self.versions.lock(id);
            // Taken with the stripe locked: what left the version map is in this view.
            (stripe.find(id), self.view.load_full())
        };
        match entry {
            Some(Entry::Live {
                stamp,
                routing,
                source,
                ..
            }) => {
                let fields = if options.stored_fields {
                    reparse(self, id, routing.as_deref(), &source)
                } else {
                    Vec::new()
                };
                Ok(Some(GetResult {
                    id: id.to_owned(),
                    routing,
                    version: stamp.version,
                    seq_no: stamp.seq_no,
                    primary_term: stamp.primary_term,
                    source,
                    fields,
                }))
            }
            Some(Entry::Deleted(_)) => Ok(None),
            None => get_from_view(&view, id, options),
        }
    }
}

fn get_from_view(
    view: &View,
    id: &str,
    options: GetOptions,
) -> Result<Option<GetResult>, ReadError> {
    match view.find(id)? {
        Some((entry, doc)) => read(&entry.reader, doc, options).map(Some),
        None => Ok(None),
    }
}

fn get_from(
    reader: &ShardReader,
    id: &str,
    options: GetOptions,
) -> Result<Option<GetResult>, ReadError> {
    for segment in reader.segments.iter().rev() {
        if let Some(doc) = segment.reader.find_id(id)?
            && segment.is_live(doc)
        {
            return read(&segment.reader, doc, options).map(Some);
        }
    }
    Ok(None)
}

fn read(segment: &SegmentReader, doc: DocId, options: GetOptions) -> Result<GetResult, ReadError> {
    let stamp = stamp_of(segment, doc)?;
    let stored = segment.stored(doc)?;
    Ok(GetResult {
        id: stored.id,
        routing: stored.routing,
        version: stamp.version,
        seq_no: stamp.seq_no,
        primary_term: stamp.primary_term,
        source: stored.source,
        fields: if options.stored_fields {
            stored.fields
        } else {
            Vec::new()
        },
    })
}

/// What the shard gave a document of a segment.
pub(super) fn stamp_of(segment: &SegmentReader, doc: DocId) -> Result<Stamp, ReadError> {
    let value = |column: &str| {
        let found = segment
            .numeric(column)?
            .and_then(|numbers| numbers.first(doc));
        found.ok_or_else(|| ReadError {
            segment: segment.id(),
            section: format!("column {column}"),
            what: format!("document {} has no value", doc.0),
        })
    };
    Ok(Stamp {
        seq_no: SeqNo(value(SEQ_NO)?),
        primary_term: PrimaryTerm(value(PRIMARY_TERM)? as u64),
        version: value(VERSION)? as u64,
    })
}
