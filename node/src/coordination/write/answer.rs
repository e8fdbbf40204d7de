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
    /// Number of the shard.
    pub shard: u32,
    /// Copies that the shard should have: 1 and the replicas.
    pub copies_wanted: u32,
    /// What an update shows of the new source, as JSON text.
    pub shown_source: Option<Box<RawValue>>,
}

/// `_shards` of a write.
#[derive(serde::Serialize)]
struct Copies<'a> {
    total: u32,
    successful: u32,
    failed: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failures: Vec<Failure<'a>>,
}

/// A copy that did not take the write.
#[derive(serde::Serialize)]
struct Failure<'a> {
    _index: &'a str,
    _shard: u32,
    _node: &'a str,
    reason: Reason<'a>,
    status: &'static str,
    primary: bool,
}

#[derive(serde::Serialize)]
struct Reason<'a> {
    r#type: &'static str,
    reason: &'a str,
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

    /// A write that changed nothing went to no copy.
    fn copies(&self) -> Copies<'_> {
        let outcome = &self.outcome;
        if outcome.result == WriteKind::Noop {
            return Copies {
                total: 0,
                successful: 0,
                failed: 0,
                failures: Vec::new(),
            };
        }
        let failures: Vec<Failure<'_>> = outcome
            .failures
            .iter()
            .map(|failure| Failure {
                _index: &self.index,
                _shard: self.shard,
                _node: &failure.node,
                reason: Reason {
                    r#type: "transport_exception",
                    reason: &failure.reason,
                },
                status: "INTERNAL_SERVER_ERROR",
                primary: false,
            })
            .collect();
        let failed = failures.len() as u32;
        // also a copy that is being made takes writes
        let total = self.copies_wanted.max(outcome.copies + failed);
        Copies {
            total,
            successful: outcome.copies,
            failed,
            failures,
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
        let copies = self.copies();
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
