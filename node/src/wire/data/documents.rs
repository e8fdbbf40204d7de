//! Documents in and out.

use quidditch_proto::data::v1 as proto;
use quidditch_proto::data::v1::version_rule::Rule;
use quidditch_proto::data::v1::write_op::Op;

use super::shards::shard_reply;
use super::{Reply, reply};
use crate::data::service::{
    CopyFailure, GetOp, RefreshPolicy, ShardError, StoredDocument, UpdateOp, VersionRule,
    WriteKind, WriteOp, WriteOutcome,
};
use crate::wire::tree::WireError;

impl From<RefreshPolicy> for proto::RefreshPolicy {
    fn from(policy: RefreshPolicy) -> proto::RefreshPolicy {
        match policy {
            RefreshPolicy::None => proto::RefreshPolicy::None,
            RefreshPolicy::Immediate => proto::RefreshPolicy::Immediate,
            RefreshPolicy::WaitFor => proto::RefreshPolicy::WaitFor,
        }
    }
}

impl From<proto::RefreshPolicy> for RefreshPolicy {
    fn from(policy: proto::RefreshPolicy) -> RefreshPolicy {
        match policy {
            proto::RefreshPolicy::None => RefreshPolicy::None,
            proto::RefreshPolicy::Immediate => RefreshPolicy::Immediate,
            proto::RefreshPolicy::WaitFor => RefreshPolicy::WaitFor,
        }
    }
}

fn rule(rule: VersionRule) -> Option<proto::VersionRule> {
    let rule = match rule {
        VersionRule::Any => return None,
        VersionRule::IfSeqNo {
            seq_no,
            primary_term,
        } => Rule::IfSeqNo(proto::IfSeqNo {
            seq_no,
            primary_term,
        }),
        VersionRule::External(version) => Rule::External(version),
        VersionRule::ExternalGte(version) => Rule::ExternalGte(version),
    };
    Some(proto::VersionRule { rule: Some(rule) })
}

fn read_rule(read: Option<proto::VersionRule>) -> Result<VersionRule, WireError> {
    let Some(read) = read else {
        return Ok(VersionRule::Any);
    };
    // a rule that is not understood must never become none
    Ok(match read.rule.ok_or(WireError::missing("version rule"))? {
        Rule::IfSeqNo(proto::IfSeqNo {
            seq_no,
            primary_term,
        }) => VersionRule::IfSeqNo {
            seq_no,
            primary_term,
        },
        Rule::External(version) => VersionRule::External(version),
        Rule::ExternalGte(version) => VersionRule::ExternalGte(version),
    })
}

impl From<WriteOp> for proto::WriteOp {
    fn from(op: WriteOp) -> proto::WriteOp {
        let op = match op {
            WriteOp::Index {
                id,
                routing,
                source,
                version,
                create_only,
            } => Op::Index(proto::IndexOp {
                id,
                routing,
                source,
                version: rule(version),
                create_only,
            }),
            WriteOp::Delete { id, version } => Op::Delete(proto::DeleteOp {
                id,
                version: rule(version),
            }),
            WriteOp::Update(op) => Op::Update(proto::UpdateOp {
                id: op.id,
                routing: op.routing,
                doc: op.doc,
                upsert: op.upsert,
                script_lang: op.script_lang,
                scripted_upsert: op.scripted_upsert,
                detect_noop: op.detect_noop,
                retry_on_conflict: op.retry_on_conflict,
                version: rule(op.version),
                return_source: op.return_source,
            }),
        };
        proto::WriteOp { op: Some(op) }
    }
}

impl TryFrom<proto::WriteOp> for WriteOp {
    type Error = WireError;

    fn try_from(op: proto::WriteOp) -> Result<WriteOp, WireError> {
        Ok(match op.op.ok_or(WireError::missing("write operation"))? {
            Op::Index(op) => WriteOp::Index {
                id: op.id,
                routing: op.routing,
                source: op.source,
                version: read_rule(op.version)?,
                create_only: op.create_only,
            },
            Op::Delete(op) => WriteOp::Delete {
                id: op.id,
                version: read_rule(op.version)?,
            },
            Op::Update(op) => WriteOp::Update(UpdateOp {
                id: op.id,
                routing: op.routing,
                doc: op.doc,
                upsert: op.upsert,
                script_lang: op.script_lang,
                scripted_upsert: op.scripted_upsert,
                detect_noop: op.detect_noop,
                retry_on_conflict: op.retry_on_conflict,
                version: read_rule(op.version)?,
                return_source: op.return_source,
            }),
        })
    }
}

impl From<WriteOutcome> for proto::WriteOutcome {
    fn from(outcome: WriteOutcome) -> proto::WriteOutcome {
        let result = match outcome.result {
            WriteKind::Created => proto::WriteKind::Created,
            WriteKind::Updated => proto::WriteKind::Updated,
            WriteKind::Deleted => proto::WriteKind::Deleted,
            WriteKind::NotFound => proto::WriteKind::NotFound,
            WriteKind::Noop => proto::WriteKind::Noop,
        };
        proto::WriteOutcome {
            seq_no: outcome.seq_no,
            primary_term: outcome.primary_term,
            version: outcome.version,
            result: result.into(),
            source: outcome.source,
            forced_refresh: outcome.forced_refresh,
            copies: outcome.copies,
            failures: outcome.failures.into_iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<proto::WriteOutcome> for WriteOutcome {
    type Error = WireError;

    fn try_from(outcome: proto::WriteOutcome) -> Result<WriteOutcome, WireError> {
        let result = match outcome.result() {
            proto::WriteKind::Unspecified => return Err(WireError::missing("result of a write")),
            proto::WriteKind::Created => WriteKind::Created,
            proto::WriteKind::Updated => WriteKind::Updated,
            proto::WriteKind::Deleted => WriteKind::Deleted,
            proto::WriteKind::NotFound => WriteKind::NotFound,
            proto::WriteKind::Noop => WriteKind::Noop,
        };
        Ok(WriteOutcome {
            seq_no: outcome.seq_no,
            primary_term: outcome.primary_term,
            version: outcome.version,
            result,
            source: outcome.source,
            forced_refresh: outcome.forced_refresh,
            copies: outcome.copies,
            failures: outcome.failures.into_iter().map(Into::into).collect(),
        })
    }
}

impl From<CopyFailure> for proto::CopyFailure {
    fn from(failure: CopyFailure) -> proto::CopyFailure {
        proto::CopyFailure {
            node: failure.node,
            reason: failure.reason,
        }
    }
}

impl From<proto::CopyFailure> for CopyFailure {
    fn from(failure: proto::CopyFailure) -> CopyFailure {
        CopyFailure {
            node: failure.node,
            reason: failure.reason,
        }
    }
}

type Written = Vec<Result<WriteOutcome, ShardError>>;

/// The results of operations, at their places.
pub(super) fn results_to(written: Written) -> proto::WriteResults {
    use proto::write_result::Outcome;
    let results = written.into_iter().map(|result| proto::WriteResult {
        outcome: Some(match result {
            Ok(done) => Outcome::Done(done.into()),
            Err(error) => Outcome::Error(error.into()),
        }),
    });
    proto::WriteResults {
        results: results.collect(),
    }
}

/// The same back.
pub(super) fn results_from(results: proto::WriteResults) -> Result<Written, WireError> {
    use proto::write_result::Outcome;
    let mut written = Written::with_capacity(results.results.len());
    for result in results.results {
        let outcome = result.outcome.ok_or(WireError::missing("write result"))?;
        written.push(match outcome {
            Outcome::Done(done) => Ok(done.try_into()?),
            Outcome::Error(error) => Err(error.try_into()?),
        });
    }
    Ok(written)
}

shard_reply!(
    WriteReply in write_reply, Results: Written,
    |results| Ok(results_to(results)),
    results_from,
);

shard_reply!(
    ConfirmReply in confirm_reply, Confirmed: Vec<bool>,
    |confirmed| Ok(proto::Confirmed { confirmed }),
    |confirmed: proto::Confirmed| Ok(confirmed.confirmed),
);

impl From<&proto::GetRequest> for GetOp {
    fn from(request: &proto::GetRequest) -> GetOp {
        GetOp {
            id: request.id.clone(),
            realtime: request.realtime,
            refresh: request.refresh,
            stored_fields: request.stored_fields.clone(),
        }
    }
}

fn missing_or_found(found: Option<StoredDocument>) -> proto::Got {
    let Some(document) = found else {
        return proto::Got { found: None };
    };
    let fields = document.fields.into_iter();
    let fields = fields.map(|(path, values)| proto::StoredField {
        path,
        values_json: serde_json::Value::Array(values).to_string().into(),
    });
    let found = proto::StoredDocument {
        id: document.id,
        routing: document.routing,
        version: document.version,
        seq_no: document.seq_no,
        primary_term: document.primary_term,
        source: document.source,
        fields: fields.collect(),
    };
    proto::Got { found: Some(found) }
}

fn read_found(got: proto::Got) -> Result<Option<StoredDocument>, WireError> {
    let Some(found) = got.found else {
        return Ok(None);
    };
    let mut fields = Vec::with_capacity(found.fields.len());
    for field in found.fields {
        let values = serde_json::from_slice(&field.values_json).map_err(|error| WireError {
            what: "stored field",
            reason: error.to_string(),
        })?;
        fields.push((field.path, values));
    }
    Ok(Some(StoredDocument {
        id: found.id,
        routing: found.routing,
        version: found.version,
        seq_no: found.seq_no,
        primary_term: found.primary_term,
        source: found.source,
        fields,
    }))
}

shard_reply!(
    GetReply in get_reply, Got: Option<StoredDocument>,
    |found| Ok(missing_or_found(found)),
    read_found,
);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use prost::Message;
    use serde_json::json;

    fn any_rule() -> impl Strategy<Value = VersionRule> {
        prop_oneof![
            Just(VersionRule::Any),
            (any::<i64>(), any::<u64>()).prop_map(|(seq_no, primary_term)| {
                VersionRule::IfSeqNo {
                    seq_no,
                    primary_term,
                }
            }),
            any::<u64>().prop_map(VersionRule::External),
            any::<u64>().prop_map(VersionRule::ExternalGte),
        ]
    }

    fn any_bytes() -> impl Strategy<Value = bytes::Bytes> {
        any::<Vec<u8>>().prop_map(bytes::Bytes::from)
    }

    fn any_op() -> impl Strategy<Value = WriteOp> {
        let index = (
            any::<String>(),
            any::<Option<String>>(),
            any_bytes(),
            any_rule(),
            any::<bool>(),
        );
        let index = index.prop_map(
            |(id, routing, source, version, create_only)| WriteOp::Index {
                id,
                routing,
                source,
                version,
                create_only,
            },
        );
        let delete = (any::<String>(), any_rule());
        let delete = delete.prop_map(|(id, version)| WriteOp::Delete { id, version });
        let update = (
            (any::<String>(), any::<Option<String>>(), any_rule()),
            (
                proptest::option::of(any_bytes()),
                proptest::option::of(any_bytes()),
            ),
            (any::<Option<String>>(), any::<[bool; 3]>(), any::<u32>()),
        );
        let update = update.prop_map(
            |((id, routing, version), (doc, upsert), (script_lang, flags, retry_on_conflict))| {
                WriteOp::Update(UpdateOp {
                    id,
                    routing,
                    doc,
                    upsert,
                    script_lang,
                    scripted_upsert: flags[0],
                    detect_noop: flags[1],
                    return_source: flags[2],
                    retry_on_conflict,
                    version,
                })
            },
        );
        prop_oneof![index, delete, update]
    }

    fn any_outcome() -> impl Strategy<Value = WriteOutcome> {
        let kind = prop_oneof![
            Just(WriteKind::Created),
            Just(WriteKind::Updated),
            Just(WriteKind::Deleted),
            Just(WriteKind::NotFound),
            Just(WriteKind::Noop),
        ];
        let numbers = (any::<i64>(), any::<u64>(), any::<u64>());
        let source = proptest::option::of(any_bytes());
        let failure = (any::<String>(), any::<String>())
            .prop_map(|(node, reason)| CopyFailure { node, reason });
        let copies = (any::<u32>(), proptest::collection::vec(failure, 0..3));
        (numbers, kind, source, any::<bool>(), copies).prop_map(
            |(
                (seq_no, primary_term, version),
                result,
                source,
                forced_refresh,
                (copies, failures),
            )| WriteOutcome {
                seq_no,
                primary_term,
                version,
                result,
                source,
                forced_refresh,
                copies,
                failures,
            },
        )
    }

    fn crossed<M: Message + Default>(message: M) -> M {
        M::decode(message.encode_to_vec().as_slice()).unwrap()
    }

    proptest! {
        #[test]
        fn every_write_crosses_the_wire_unchanged(op in any_op()) {
            let sent = crossed(proto::WriteOp::from(op.clone()));
            prop_assert_eq!(WriteOp::try_from(sent).unwrap(), op);
        }

        #[test]
        fn every_outcome_crosses_the_wire_unchanged(
            outcomes in proptest::collection::vec(any_outcome(), 0..4)
        ) {
            let mut written: Vec<_> = outcomes.into_iter().map(Ok).collect();
            written.push(Err(ShardError::Behind));
            let written = Ok(written);
            let sent = crossed(proto::WriteReply::of(written.clone()).unwrap());
            prop_assert_eq!(sent.read().unwrap(), written);
        }
    }

    #[test]
    fn a_document_crosses_the_wire_unchanged() {
        let document = StoredDocument {
            id: "1".to_owned(),
            routing: Some("r".to_owned()),
            version: u64::MAX,
            seq_no: -2,
            primary_term: 3,
            source: bytes::Bytes::from_static(b"{ \"a\" : 1.0 }"),
            fields: vec![("f".to_owned(), vec![json!(1), json!("x"), json!(1.5)])],
        };
        for got in [Ok(Some(document)), Ok(None), Err(ShardError::Behind)] {
            let sent = crossed(proto::GetReply::of(got.clone()).unwrap());
            assert_eq!(sent.read().unwrap(), got);
        }
    }

    #[test]
    fn a_rule_that_nobody_knows_is_no_absent_rule() {
        let unknown = proto::VersionRule { rule: None };
        assert!(read_rule(Some(unknown)).is_err());
    }
}
