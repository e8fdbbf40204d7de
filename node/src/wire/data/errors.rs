//! Errors of shards.

use quidditch_proto::data::v1 as proto;
use quidditch_proto::data::v1::search_error::Kind as SearchKind;
use quidditch_proto::data::v1::shard_error::Kind;

use super::documents;
use crate::cluster::NodeId;
use crate::data::search::ShardSearchError;
use crate::data::service::ShardError;
use crate::wire::tree::{self, WireError};

impl From<ShardError> for proto::ShardError {
    fn from(error: ShardError) -> proto::ShardError {
        let kind = match error {
            ShardError::NotFound { index, shard } => {
                Kind::NotFound(proto::ShardName { index, shard })
            }
            ShardError::NotPrimary {
                index,
                shard,
                reason,
            } => Kind::NotPrimary(proto::NotPrimary {
                index,
                shard,
                reason,
            }),
            ShardError::Unreachable {
                node,
                reason,
                maybe_done,
            } => Kind::Unreachable(proto::Unreachable {
                node,
                reason,
                maybe_done,
            }),
            ShardError::Unconfirmed { outcomes } => {
                Kind::Unconfirmed(documents::results_to(outcomes))
            }
            ShardError::VersionConflict { reason } => Kind::VersionConflict(reason),
            ShardError::DocumentMissing { id } => Kind::DocumentMissing(id),
            ShardError::MappingUpdate(update) => {
                Kind::MappingUpdateJson(update.to_string().into_bytes().into())
            }
            ShardError::Behind => Kind::Behind(proto::Done {}),
            ShardError::Rejected { reason } => Kind::Rejected(reason),
            ShardError::Other {
                status,
                kind,
                reason,
                caused_by,
            } => Kind::Other(Box::new(proto::OtherError {
                status: u32::from(status),
                kind,
                reason,
                caused_by: caused_by.map(|cause| Box::new((*cause).into())),
            })),
        };
        proto::ShardError { kind: Some(kind) }
    }
}

impl TryFrom<proto::ShardError> for ShardError {
    type Error = WireError;

    fn try_from(error: proto::ShardError) -> Result<ShardError, WireError> {
        let kind = error.kind.ok_or(WireError::missing("shard error"))?;
        Ok(match kind {
            Kind::NotFound(proto::ShardName { index, shard }) => {
                ShardError::NotFound { index, shard }
            }
            Kind::NotPrimary(proto::NotPrimary {
                index,
                shard,
                reason,
            }) => ShardError::NotPrimary {
                index,
                shard,
                reason,
            },
            Kind::Unconfirmed(results) => ShardError::Unconfirmed {
                outcomes: documents::results_from(results)?,
            },
            Kind::Unreachable(proto::Unreachable {
                node,
                reason,
                maybe_done,
            }) => ShardError::Unreachable {
                node,
                reason,
                maybe_done,
            },
            Kind::VersionConflict(reason) => ShardError::VersionConflict { reason },
            Kind::DocumentMissing(id) => ShardError::DocumentMissing { id },
            Kind::MappingUpdateJson(json) => {
                let update = serde_json::from_slice(&json).map_err(|error| WireError {
                    what: "mapping update",
                    reason: error.to_string(),
                })?;
                ShardError::MappingUpdate(update)
            }
            Kind::Behind(proto::Done {}) => ShardError::Behind,
            Kind::Rejected(reason) => ShardError::Rejected { reason },
            Kind::Other(other) => ShardError::Other {
                status: u16::try_from(other.status).map_err(|_| WireError {
                    what: "shard error",
                    reason: format!("[{}] is no HTTP status", other.status),
                })?,
                kind: other.kind,
                reason: other.reason,
                caused_by: match other.caused_by {
                    Some(cause) => Some(Box::new((*cause).try_into()?)),
                    None => None,
                },
            },
        })
    }
}

/// The error as the node's that answers: from whom it has it does not matter.
pub(super) fn search_error(error: ShardSearchError) -> Result<proto::SearchError, WireError> {
    let kind = match error {
        ShardSearchError::NoShard { index, shard } => {
            SearchKind::NoShard(proto::ShardName { index, shard })
        }
        ShardSearchError::ContextMissing { id } => SearchKind::ContextMissing(id.into()),
        ShardSearchError::Rejected(reason) => SearchKind::Rejected(reason),
        ShardSearchError::Unreachable { node, reason } => {
            SearchKind::Unreachable(proto::Unreachable {
                node: node.0,
                reason,
                maybe_done: true,
            })
        }
        ShardSearchError::On { error, .. } => return search_error(*error),
        ShardSearchError::Search(error) => {
            SearchKind::SearchCbor(tree::encode("search error", &error)?)
        }
    };
    Ok(proto::SearchError { kind: Some(kind) })
}

impl TryFrom<proto::SearchError> for ShardSearchError {
    type Error = WireError;

    fn try_from(error: proto::SearchError) -> Result<ShardSearchError, WireError> {
        let kind = error.kind.ok_or(WireError::missing("search error"))?;
        Ok(match kind {
            SearchKind::NoShard(proto::ShardName { index, shard }) => {
                ShardSearchError::NoShard { index, shard }
            }
            SearchKind::ContextMissing(id) => ShardSearchError::ContextMissing { id: id.into() },
            SearchKind::Rejected(reason) => ShardSearchError::Rejected(reason),
            SearchKind::Unreachable(proto::Unreachable { node, reason, .. }) => {
                ShardSearchError::Unreachable {
                    node: NodeId(node),
                    reason,
                }
            }
            SearchKind::SearchCbor(bytes) => {
                ShardSearchError::Search(tree::decode("search error", &bytes)?)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::search::ContextId;
    use quidditch_engine::search::SearchError;
    use serde_json::json;

    #[test]
    fn every_error_of_a_shard_crosses_the_wire_unchanged() {
        let cause = ShardError::internal("deep");
        for error in [
            ShardError::NotFound {
                index: "i".to_owned(),
                shard: 3,
            },
            ShardError::NotPrimary {
                index: "i".to_owned(),
                shard: 3,
                reason: "a replica".to_owned(),
            },
            ShardError::Unreachable {
                node: "n".to_owned(),
                reason: "gone".to_owned(),
                maybe_done: true,
            },
            ShardError::VersionConflict {
                reason: "c".to_owned(),
            },
            ShardError::DocumentMissing { id: "1".to_owned() },
            ShardError::MappingUpdate(json!({"properties": {"a": {"type": "long"}}})),
            ShardError::Behind,
            ShardError::Rejected {
                reason: "full".to_owned(),
            },
            ShardError::Other {
                status: 400,
                kind: "mapper_parsing_exception".to_owned(),
                reason: "no".to_owned(),
                caused_by: Some(Box::new(cause)),
            },
        ] {
            let read = ShardError::try_from(proto::ShardError::from(error.clone()));
            assert_eq!(read.unwrap(), error);
        }
        assert!(ShardError::try_from(proto::ShardError { kind: None }).is_err());
    }

    #[test]
    fn every_error_of_a_search_crosses_the_wire_unchanged() {
        let node = NodeId("n".to_owned());
        let below = SearchError::illegal("below");
        for error in [
            ShardSearchError::NoShard {
                index: "i".to_owned(),
                shard: 3,
            },
            ShardSearchError::ContextMissing {
                id: ContextId {
                    node: node.clone(),
                    session: u64::MAX,
                    id: 7,
                },
            },
            ShardSearchError::Rejected("full".to_owned()),
            ShardSearchError::Unreachable {
                node,
                reason: "gone".to_owned(),
            },
            SearchError::query_shard("no").caused_by(below).into(),
            SearchError::Cancelled.into(),
            SearchError::TooMuchMemory {
                reason: "r".to_owned(),
                wanted_bytes: 5,
                limit_bytes: 4,
            }
            .into(),
        ] {
            let sent = search_error(error.clone()).unwrap();
            assert_eq!(ShardSearchError::try_from(sent).unwrap(), error);
        }
    }
}
