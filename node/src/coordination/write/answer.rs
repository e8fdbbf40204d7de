//! What a write did, in JSON.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

use crate::data::service::{WriteKind, WriteOutcome};

/// The answer to one write.
#[derive(Clone, Debug)]
pub struct WriteAnswer {
    /// The concrete index.
    pub index: String,
    /// `_id`
    pub id: String,
    /// The routing that counted, if any.
    pub routing: Option<String>,
    /// What the shard did.
    pub outcome: WriteOutcome,
    /// Copies that the shard should have: 1 and the replicas.
    pub copies_wanted: u32,
    /// Copies that have the write.
    pub copies_written: u32,
    /// What an update shows of the new source, as JSON text.
    pub shown_source: Option<Box<RawValue>>,
}

/// `_shards` of a write.
#[derive(serde::Serialize)]
struct Copies {
    total: u32,
    successful: u32,
    failed: u32,
}

/// What an update shows of the document as it is now.
#[derive(serde::Serialize)]
struct Shown<'a> {
    _seq_no: i64,
    _primary_term: u64,
    found: bool,
    _source: &'a RawValue,
}

impl WriteAnswer {
    /// HTTP status, of the request or of the bulk item.
    pub fn status(&self) -> u16 {
        match self.outcome.result {
            WriteKind::Created => 201,
            WriteKind::NotFound => 404,
            WriteKind::Updated | WriteKind::Deleted | WriteKind::Noop => 200,
        }
    }

    fn entries<M: SerializeMap>(&self, body: &mut M) -> Result<(), M::Error> {
        let outcome = &self.outcome;
        body.serialize_entry("_index", &self.index)?;
        body.serialize_entry("_id", &self.id)?;
        body.serialize_entry("_version", &outcome.version)?;
        body.serialize_entry("result", outcome.result.name())?;
        if outcome.forced_refresh {
            body.serialize_entry("forced_refresh", &true)?;
        }
        let (total, successful) = match outcome.result {
            WriteKind::Noop => (0, 0),
            _ => (self.copies_wanted, self.copies_written),
        };
        let copies = Copies {
            total,
            successful,
            failed: 0,
        };
        body.serialize_entry("_shards", &copies)?;
        body.serialize_entry("_seq_no", &outcome.seq_no)?;
        body.serialize_entry("_primary_term", &outcome.primary_term)?;
        if let Some(source) = &self.shown_source {
            let shown = Shown {
                _seq_no: outcome.seq_no,
                _primary_term: outcome.primary_term,
                found: true,
                _source: source,
            };
            body.serialize_entry("get", &shown)?;
        }
        Ok(())
    }
}

/// The body of the answer.
impl Serialize for WriteAnswer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut body = serializer.serialize_map(None)?;
        self.entries(&mut body)?;
        body.end()
    }
}

/// An answer among those of a bulk request, with its status.
pub struct ItemAnswer<'a>(pub &'a WriteAnswer);

impl Serialize for ItemAnswer<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut body = serializer.serialize_map(None)?;
        self.0.entries(&mut body)?;
        body.serialize_entry("status", &self.0.status())?;
        body.end()
    }
}
