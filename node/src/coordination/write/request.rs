//! One document to write, as a client asked for it.

use std::time::Duration;

use bytes::Bytes;

use crate::cluster::IndexMetadata;
use crate::coordination::dsl::source::FetchSource;
use crate::coordination::rest::{Params, RestError};
use crate::data::service::{RefreshPolicy, UpdateOp, VersionRule};

/// What to do with a document.
#[derive(Clone, Debug, PartialEq)]
pub enum WriteAction {
    /// Store it; with `create`, only if there is none of that id.
    Index {
        /// JSON text.
        source: Bytes,
        /// `op_type=create`
        create: bool,
    },
    /// Remove it.
    Delete,
    /// Change parts of it; `id`, `routing` and `version` of the operation are filled in later.
    Update {
        /// The change.
        op: UpdateOp,
        /// What the answer shows of the new source.
        fetch: Option<FetchSource>,
    },
}

/// One write.
#[derive(Clone, Debug, PartialEq)]
pub struct DocWrite {
    /// Index or alias, as written.
    pub index: String,
    /// `_id`; `None`: one is made up.
    pub id: Option<String>,
    /// `routing`
    pub routing: Option<String>,
    /// What to do.
    pub action: WriteAction,
    /// `version`
    pub version: Option<i64>,
    /// `version_type`
    pub version_type: VersionType,
    /// `if_seq_no`
    pub if_seq_no: Option<i64>,
    /// `if_primary_term`
    pub if_primary_term: Option<i64>,
    /// `pipeline`
    pub pipeline: Option<String>,
    /// `require_alias`
    pub require_alias: bool,
}

/// Who counts versions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VersionType {
    /// We do.
    #[default]
    Internal,
    /// The client; each must be higher than the last.
    External,
    /// The client; none may be lower than the last.
    ExternalGte,
}

impl VersionType {
    /// Reads `internal`, `external`, `external_gt` or `external_gte`.
    pub fn parse(text: &str) -> Result<VersionType, RestError> {
        match text {
            "internal" => Ok(VersionType::Internal),
            "external" | "external_gt" => Ok(VersionType::External),
            "external_gte" => Ok(VersionType::ExternalGte),
            other => Err(RestError::illegal_argument(format!(
                "No version type match [{other}]"
            ))),
        }
    }
}

/// What holds for all writes of a request.
#[derive(Clone, Debug, PartialEq)]
pub struct WriteOptions {
    /// `refresh`
    pub refresh: RefreshPolicy,
    /// `timeout`; `None` waits as long as it takes.
    pub timeout: Option<Duration>,
    /// `wait_for_active_shards`
    pub active_shards: ActiveCopies,
}

/// How many copies of a shard have to serve before it is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActiveCopies {
    /// What `index.write.wait_for_active_shards` says, 1 unless set.
    OfIndex,
    /// So many.
    Count(u32),
    /// All that are configured.
    All,
}

impl ActiveCopies {
    /// As many as the index wants, where the request says nothing.
    pub fn or_of(self, index: &IndexMetadata) -> ActiveCopies {
        match (self, index.setting("index.write.wait_for_active_shards")) {
            (ActiveCopies::OfIndex, Some("all")) => ActiveCopies::All,
            (ActiveCopies::OfIndex, setting) => {
                let count = setting.and_then(|text| text.parse().ok());
                ActiveCopies::Count(count.unwrap_or(1))
            }
            (given, _) => given,
        }
    }
}

impl Default for WriteOptions {
    fn default() -> Self {
        WriteOptions {
            refresh: RefreshPolicy::None,
            timeout: Some(Duration::from_secs(60)),
            active_shards: ActiveCopies::OfIndex,
        }
    }
}

impl WriteOptions {
    /// Reads `refresh`, `timeout` and `wait_for_active_shards`.
    pub fn from_params(params: &Params) -> Result<WriteOptions, RestError> {
        let refresh = match params.get("refresh") {
            None | Some("false") => RefreshPolicy::None,
            Some("" | "true") => RefreshPolicy::Immediate,
            Some("wait_for") => RefreshPolicy::WaitFor,
            Some(other) => {
                return Err(RestError::illegal_argument(format!(
                    "Unknown value for refresh: [{other}]."
                )));
            }
        };
        let active_shards = match params.get("wait_for_active_shards") {
            None => ActiveCopies::OfIndex,
            Some("all") => ActiveCopies::All,
            Some(text) => match text.parse::<i64>() {
                Ok(count) if count < 0 => {
                    return Err(RestError::illegal_argument(format!(
                        "cannot parse ActiveShardCount[{text}]"
                    )));
                }
                Ok(count) => ActiveCopies::Count(u32::try_from(count).unwrap_or(u32::MAX)),
                Err(_) => {
                    return Err(RestError::illegal_argument(format!(
                        "cannot parse ActiveShardCount[{text}]"
                    ))
                    .with_cause(RestError::new(
                        400,
                        "number_format_exception",
                        format!("For input string: \"{text}\""),
                    )));
                }
            },
        };
        Ok(WriteOptions {
            refresh,
            timeout: params.duration("timeout", Duration::from_secs(60))?,
            active_shards,
        })
    }
}

impl DocWrite {
    /// A write without conditions.
    pub fn new(index: impl Into<String>, id: Option<String>, action: WriteAction) -> DocWrite {
        DocWrite {
            index: index.into(),
            id,
            routing: None,
            action,
            version: None,
            version_type: VersionType::Internal,
            if_seq_no: None,
            if_primary_term: None,
            pipeline: None,
            require_alias: false,
        }
    }

    /// What is wrong with the write by itself, in the words of `action_request_validation_exception`.
    pub fn mistakes(&self) -> Vec<String> {
        let mut mistakes = Vec::new();
        if self.index.is_empty() {
            mistakes.push("index is missing".to_owned());
        }
        match &self.action {
            WriteAction::Index { create, .. } => self.index_mistakes(*create, &mut mistakes),
            WriteAction::Delete => {
                if self.id.as_deref().unwrap_or("").is_empty() {
                    mistakes.push("id is missing".to_owned());
                }
                self.version_mistakes(&mut mistakes);
            }
            WriteAction::Update { op, .. } => self.update_mistakes(op, &mut mistakes),
        }
        mistakes
    }

    fn index_mistakes(&self, create: bool, mistakes: &mut Vec<String>) {
        if create {
            if self.version_type != VersionType::Internal {
                mistakes.push(
                    "create operations only support internal versioning. use index instead".into(),
                );
                return;
            }
            if self.version.is_some() {
                mistakes.push(
                    "create operations do not support explicit versions. use index instead".into(),
                );
                return;
            }
            if self.if_seq_no.is_some() || self.if_primary_term.is_some() {
                mistakes.push(
                    "create operations do not support compare and set. use index instead".into(),
                );
                return;
            }
        }
        match &self.id {
            None => {
                if self.version_type != VersionType::Internal || self.version.is_some() {
                    mistakes
                        .push("an id must be provided if version type or value are set".to_owned());
                }
            }
            Some(id) if id.len() > 512 => mistakes.push(format!(
                "id [{id}] is too long, must be no longer than 512 bytes but was: {}",
                id.len()
            )),
            Some(_) => {}
        }
        self.version_mistakes(mistakes);
        if self.pipeline.as_deref() == Some("") {
            mistakes.push("pipeline cannot be an empty string".to_owned());
        }
    }

    fn version_mistakes(&self, mistakes: &mut Vec<String>) {
        match (self.version_type, self.version) {
            (VersionType::Internal, None) => {}
            (VersionType::Internal, Some(_)) => mistakes.push(
                "internal versioning can not be used for optimistic concurrency control. \
                 Please use `if_seq_no` and `if_primary_term` instead"
                    .to_owned(),
            ),
            (kind, version) => {
                let valid = version.is_some_and(|version| version >= 0);
                if !valid {
                    let name = match kind {
                        VersionType::ExternalGte => "external_gte",
                        _ => "external",
                    };
                    mistakes.push(format!(
                        "illegal version value [{}] for version type [{}]",
                        version.unwrap_or(-3),
                        name.to_uppercase()
                    ));
                }
            }
        }
        if self.if_seq_no.is_some()
            && (self.version.is_some() || self.version_type != VersionType::Internal)
        {
            mistakes.push("compare and write operations can not use versioning".to_owned());
        }
        self.seq_no_mistakes(mistakes);
    }

    fn seq_no_mistakes(&self, mistakes: &mut Vec<String>) {
        match (self.if_seq_no, self.if_primary_term) {
            (Some(_), None) => {
                mistakes.push("ifSeqNo is set, but primary term is [0]".to_owned());
            }
            (None, Some(term)) => {
                mistakes.push(format!(
                    "ifSeqNo is unassigned, but primary term is [{term}]"
                ));
            }
            _ => {}
        }
    }

    fn update_mistakes(&self, op: &UpdateOp, mistakes: &mut Vec<String>) {
        if self.id.as_deref().unwrap_or("").is_empty() {
            mistakes.push("id is missing".to_owned());
        }
        self.seq_no_mistakes(mistakes);
        if self.if_seq_no.is_some() {
            if op.retry_on_conflict > 0 {
                mistakes.push("compare and write operations can not be retried".to_owned());
            }
            if op.upsert.is_some() {
                let as_upsert = op.upsert == op.doc;
                mistakes.push(match as_upsert {
                    true => "compare and write operations can not be used with upsert".to_owned(),
                    false => {
                        "upsert requests don't support `if_seq_no` and `if_primary_term`".to_owned()
                    }
                });
            }
        }
        match (&op.script_lang, &op.doc) {
            (None, None) => mistakes.push("script or doc is missing".to_owned()),
            (Some(_), Some(_)) => mistakes.push("can't provide both script and doc".to_owned()),
            _ => {}
        }
    }

    /// The condition under which the shard writes.
    pub fn rule(&self) -> VersionRule {
        let version = self.version.and_then(|version| u64::try_from(version).ok());
        match (
            self.version_type,
            version,
            self.if_seq_no,
            self.if_primary_term,
        ) {
            (VersionType::External, Some(version), _, _) => VersionRule::External(version),
            (VersionType::ExternalGte, Some(version), _, _) => VersionRule::ExternalGte(version),
            (_, _, Some(seq_no), Some(term)) => VersionRule::IfSeqNo {
                seq_no,
                primary_term: u64::try_from(term).unwrap_or(0),
            },
            _ => VersionRule::Any,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(create: bool) -> DocWrite {
        DocWrite::new(
            "i",
            Some("1".to_owned()),
            WriteAction::Index {
                source: Bytes::from_static(b"{}"),
                create,
            },
        )
    }

    #[test]
    fn tells_every_mistake() {
        assert!(index(true).mistakes().is_empty());
        let mut write = index(false);
        write.id = Some("x".repeat(513));
        write.if_seq_no = Some(1);
        assert_eq!(
            write.mistakes(),
            [
                format!(
                    "id [{}] is too long, must be no longer than 512 bytes but was: 513",
                    "x".repeat(513)
                ),
                "ifSeqNo is set, but primary term is [0]".to_owned()
            ]
        );
        let mut write = index(true);
        write.version = Some(1);
        assert_eq!(
            write.mistakes(),
            ["create operations do not support explicit versions. use index instead"]
        );
    }

    #[test]
    fn versions_become_rules() {
        let mut write = index(false);
        write.version_type = VersionType::External;
        write.version = Some(5);
        assert_eq!(write.rule(), VersionRule::External(5));
        assert!(write.mistakes().is_empty());
        write.version = None;
        assert_eq!(write.mistakes().len(), 1);
    }
}
