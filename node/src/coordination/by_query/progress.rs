//! What a job by query has done so far.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::Kind;
use crate::coordination::failures::ShardFailure;
use crate::coordination::rest::RestError;
use crate::coordination::search::millis;

/// A write that failed for good.
#[derive(Clone, Debug)]
pub struct WriteFailure {
    /// The index written to.
    pub index: String,
    /// `_id`
    pub id: String,
    /// Why.
    pub error: RestError,
}

/// Counters of a job, or of one of its parts.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// Documents that the query finds, as far as they are to be written.
    pub total: u64,
    /// Documents written over.
    pub updated: u64,
    /// Documents written anew.
    pub created: u64,
    /// Documents removed.
    pub deleted: u64,
    /// Pages written.
    pub batches: u64,
    /// Writes that found another version.
    pub version_conflicts: u64,
    /// Time slept to keep the rate.
    pub throttled: Duration,
    /// Writes that failed for good.
    pub failures: Vec<WriteFailure>,
    /// Shards that could not give their next documents; the job ended there.
    pub search_failures: Vec<ShardFailure>,
    /// Whether it ended because a search found less than there is, for want of time.
    pub timed_out: bool,
    /// Whether somebody stopped it.
    pub canceled: bool,
}

impl Progress {
    /// Adds what another part did.
    pub fn add(&mut self, other: &Progress) {
        self.total += other.total;
        self.updated += other.updated;
        self.created += other.created;
        self.deleted += other.deleted;
        self.batches += other.batches;
        self.version_conflicts += other.version_conflicts;
        self.throttled += other.throttled;
        self.failures.extend(other.failures.iter().cloned());
        self.search_failures
            .extend(other.search_failures.iter().cloned());
        self.timed_out |= other.timed_out;
        self.canceled |= other.canceled;
    }

    /// The counters, as a task shows them and an answer holds them.
    ///
    /// * `rate`: requests per second; infinity is shown as -1.
    pub fn status(&self, kind: &Kind, rate: f32) -> Map<String, Value> {
        let mut shown = Map::new();
        shown.insert("total".into(), Value::from(self.total));
        if *kind != Kind::Delete {
            shown.insert("updated".into(), Value::from(self.updated));
        }
        if matches!(kind, Kind::Reindex(_)) {
            shown.insert("created".into(), Value::from(self.created));
        }
        shown.insert("deleted".into(), Value::from(self.deleted));
        shown.insert("batches".into(), Value::from(self.batches));
        shown.insert(
            "version_conflicts".into(),
            Value::from(self.version_conflicts),
        );
        shown.insert("noops".into(), Value::from(0));
        shown.insert("retries".into(), json!({"bulk": 0, "search": 0}));
        shown.insert(
            "throttled_millis".into(),
            Value::from(millis(self.throttled)),
        );
        shown.insert(
            "requests_per_second".into(),
            json!(if rate.is_finite() { rate } else { -1.0 }),
        );
        if self.canceled {
            shown.insert("canceled".into(), Value::from("by user request"));
        }
        shown.insert("throttled_until_millis".into(), Value::from(0));
        shown
    }

    /// The whole answer.
    pub fn answer(&self, kind: &Kind, rate: f32, took: Duration, parts: &[Progress]) -> Value {
        let mut shown = Map::new();
        shown.insert("took".into(), Value::from(millis(took)));
        shown.insert("timed_out".into(), Value::from(self.timed_out));
        shown.extend(self.status(kind, rate));
        if parts.len() > 1 {
            shown.insert("slices".into(), parts_json(kind, rate, parts));
        }
        let mut failures: Vec<Value> = self.failures.iter().map(WriteFailure::json).collect();
        for failure in &self.search_failures {
            failures.push(json!({
                "index": failure.index, "shard": failure.shard, "status": failure.error.status,
                "reason": failure.error.cause_json(false),
            }));
        }
        shown.insert("failures".into(), Value::from(failures));
        Value::Object(shown)
    }

    /// HTTP status of the answer: that of the worst failure.
    pub fn http_status(&self) -> u16 {
        self.failures
            .iter()
            .map(|failure| failure.error.status)
            .chain(
                self.search_failures
                    .iter()
                    .map(|failure| failure.error.status),
            )
            .chain(self.timed_out.then_some(408))
            .max()
            .unwrap_or(200)
    }
}

/// The counters of the parts, by number.
pub fn parts_json(kind: &Kind, rate: f32, parts: &[Progress]) -> Value {
    let mut list = Vec::new();
    for (number, part) in parts.iter().enumerate() {
        let mut one = Map::new();
        one.insert("slice_id".into(), Value::from(number));
        one.extend(part.status(kind, rate));
        list.push(Value::Object(one));
    }
    Value::Array(list)
}

impl WriteFailure {
    fn json(&self) -> Value {
        json!({
            "index": self.index, "id": self.id, "cause": self.error.cause_json(false), "status": self.error.status,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_that_could_not_be_read_is_in_the_answer() {
        let progress = Progress {
            deleted: 3,
            search_failures: vec![ShardFailure {
                index: "hats".to_owned(),
                shard: 1,
                node: None,
                error: RestError::new(429, "rejected_execution_exception", "full"),
            }],
            ..Progress::default()
        };
        let answer = progress.answer(&Kind::Delete, 1.0, Duration::ZERO, &[]);
        assert_eq!(progress.http_status(), 429);
        assert_eq!(answer["deleted"], 3);
        assert_eq!(answer["failures"][0]["shard"], 1);
        assert_eq!(
            answer["failures"][0]["reason"]["type"],
            "rejected_execution_exception"
        );
    }
}
