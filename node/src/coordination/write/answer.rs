//! What a write did, in JSON.

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

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
pub fn write_shards_json(wanted: u32, written: u32) -> Value {
    json!({ "total": wanted, "successful": written, "failed": 0 })
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

    /// The body of the answer, or of the bulk item without its status.
    pub fn json(&self) -> Map<String, Value> {
        let mut body = Map::new();
        let outcome = &self.outcome;
        body.insert("_index".to_owned(), Value::from(self.index.as_str()));
        body.insert("_id".to_owned(), Value::from(self.id.as_str()));
        body.insert("_version".to_owned(), Value::from(outcome.version));
        body.insert("result".to_owned(), Value::from(outcome.result.name()));
        if outcome.forced_refresh {
            body.insert("forced_refresh".to_owned(), Value::from(true));
        }
        let shards = match outcome.result {
            WriteKind::Noop => write_shards_json(0, 0),
            _ => write_shards_json(self.copies_wanted, self.copies_written),
        };
        body.insert("_shards".to_owned(), shards);
        body.insert("_seq_no".to_owned(), Value::from(outcome.seq_no));
        body.insert(
            "_primary_term".to_owned(),
            Value::from(outcome.primary_term),
        );
        if let Some(source) = &self.shown_source {
            let mut get = Map::new();
            get.insert("_seq_no".to_owned(), Value::from(outcome.seq_no));
            get.insert(
                "_primary_term".to_owned(),
                Value::from(outcome.primary_term),
            );
            get.insert("found".to_owned(), Value::from(true));
            // the text was checked when the filter cut it out
            let value = serde_json::from_str(source.get()).unwrap_or(Value::Null);
            get.insert("_source".to_owned(), value);
            body.insert("get".to_owned(), Value::Object(get));
        }
        body
    }
}
