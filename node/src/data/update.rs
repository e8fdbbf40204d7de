//! Partial updates: read, merge, write again, on the shard that has the document.

use bytes::Bytes;
use quidditch_engine::shard::{
    GetOptions, GetResult, IndexOp, Origin, Shard, VersionCheck, WriteError,
};

use super::local::write_error;
use super::service::{ShardError, UpdateOp, VersionRule, WriteKind, WriteOutcome};
use super::writes::{self, Log, check_of, outcome};
use crate::raw_json::{self, Entries};

/// Does one update; tries again as often as it may when the document changes in between.
pub(super) fn run(shard: &Shard, op: UpdateOp, log: &mut Log) -> Result<WriteOutcome, ShardError> {
    let mut attempts = 0;
    loop {
        match attempt(shard, &op, log) {
            Err(ShardError::VersionConflict { .. }) if attempts < op.retry_on_conflict => {
                attempts += 1;
            }
            done => return done,
        }
    }
}

fn attempt(shard: &Shard, op: &UpdateOp, log: &mut Log) -> Result<WriteOutcome, ShardError> {
    let options = GetOptions {
        realtime: true,
        stored_fields: false,
    };
    let current = shard
        .get(&op.id, options)
        .map_err(|error| ShardError::internal(error.to_string()))?;
    let (source, kind, version, routing) = match &current {
        None => {
            if let VersionRule::IfSeqNo { .. } = op.version {
                return Err(ShardError::DocumentMissing { id: op.id.clone() });
            }
            let Some(upsert) = &op.upsert else {
                return Err(ShardError::DocumentMissing { id: op.id.clone() });
            };
            if op.scripted_upsert {
                refuse_script(op)?;
            }
            (
                upsert.clone(),
                WriteKind::Created,
                VersionCheck::Internal,
                op.routing.clone(),
            )
        }
        Some(current) => {
            check_version(current, op)?;
            refuse_script(op)?;
            let Some(merged) = merged_source(current, op)? else {
                shard.note_noop_update();
                return Ok(noop(current, op));
            };
            let version = VersionCheck::IfSeqNo {
                seq_no: current.seq_no,
                primary_term: current.primary_term,
            };
            let routing = op.routing.clone().or_else(|| current.routing.clone());
            (merged, WriteKind::Updated, version, routing)
        }
    };
    let wanted = IndexOp {
        id: op.id.clone(),
        routing,
        source: source.clone(),
        version,
        create_only: current.is_none(),
        origin: Origin::Primary,
    };
    let written = writes::index(shard, wanted, log).map_err(|error| match error {
        WriteError::VersionConflict { reason } => ShardError::VersionConflict { reason },
        other => write_error(other),
    })?;
    let mut done = outcome(&written, kind);
    if op.return_source {
        done.source = Some(source);
    }
    Ok(done)
}

/// Scripts cannot be run: no language is there to run them.
fn refuse_script(op: &UpdateOp) -> Result<(), ShardError> {
    let Some(lang) = &op.script_lang else {
        return Ok(());
    };
    let refused = |reason: String, caused_by| ShardError::Other {
        status: 400,
        kind: "illegal_argument_exception".to_owned(),
        reason,
        caused_by,
    };
    let cause = refused(format!("script_lang not supported [{lang}]"), None);
    Err(refused(
        "failed to execute script".to_owned(),
        Some(Box::new(cause)),
    ))
}

/// `if_seq_no` is about the document as it was before the update.
fn check_version(current: &GetResult, op: &UpdateOp) -> Result<(), ShardError> {
    let VersionRule::IfSeqNo {
        seq_no,
        primary_term,
    } = op.version
    else {
        return Ok(());
    };
    let wanted = check_of(op.version);
    let is = VersionCheck::IfSeqNo {
        seq_no: current.seq_no,
        primary_term: current.primary_term,
    };
    if wanted == is {
        return Ok(());
    }
    Err(ShardError::VersionConflict {
        reason: format!(
            "[{}]: version conflict, required seqNo [{seq_no}], primary term [{primary_term}]. \
             current document has seqNo [{}] and primary term [{}]",
            op.id, current.seq_no.0, current.primary_term.0
        ),
    })
}

/// The document after the merge; `None`: the merge changes nothing, and that was to be noticed.
fn merged_source(current: &GetResult, op: &UpdateOp) -> Result<Option<Bytes>, ShardError> {
    if current.source.is_empty() {
        return Err(ShardError::Other {
            status: 400,
            kind: "document_source_missing_exception".to_owned(),
            reason: format!("[{}]: document source missing", op.id),
            caused_by: None,
        });
    }
    let Some(doc) = &op.doc else {
        return Ok(None);
    };
    check_object(doc, "doc")?;
    check_object(&current.source, "_source")?;
    let (merged, changed) = raw_json::merge(&current.source, doc)
        .map_err(|error| ShardError::internal(error.to_string()))?;
    Ok((changed || !op.detect_noop).then(|| Bytes::from(merged)))
}

fn check_object(text: &[u8], what: &str) -> Result<(), ShardError> {
    let read: Result<Entries<'_>, _> = serde_json::from_slice(text);
    read.map(|_| ()).map_err(|error| ShardError::Other {
        status: 400,
        kind: "mapper_parsing_exception".to_owned(),
        reason: format!("failed to parse [{what}]: {error}"),
        caused_by: None,
    })
}

fn noop(current: &GetResult, op: &UpdateOp) -> WriteOutcome {
    WriteOutcome {
        seq_no: current.seq_no.0,
        primary_term: current.primary_term.0,
        version: current.version,
        result: WriteKind::Noop,
        source: op.return_source.then(|| current.source.clone()),
        forced_refresh: false,
        copies: 1,
        failures: Vec::new(),
    }
}
