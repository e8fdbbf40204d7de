//! Errors of shards and of the cluster state in the REST envelope.

use quidditch_engine::schema::SchemaError;

use super::RestError;
use crate::cluster::StateError;
use crate::data::service::{ShardError, ShardTarget};

impl From<StateError> for RestError {
    fn from(error: StateError) -> RestError {
        let mut rest = RestError::new(error.status, error.kind, error.reason);
        for (key, value) in error.details {
            rest = rest.with(&key, value);
        }
        match error.caused_by {
            Some(cause) => rest.with_cause(RestError::from(*cause)),
            None => rest,
        }
    }
}

impl From<SchemaError> for RestError {
    fn from(error: SchemaError) -> RestError {
        let rest = RestError::new(400, error.kind, error.reason);
        match error.caused_by {
            Some(cause) => rest.with_cause(RestError::from(*cause)),
            None => rest,
        }
    }
}

impl From<ShardError> for RestError {
    fn from(error: ShardError) -> RestError {
        let reason = error.to_string();
        match error {
            ShardError::NotFound { .. } | ShardError::NotPrimary { .. } => {
                RestError::new(503, "no_shard_available_action_exception", reason)
            }
            ShardError::Unreachable { .. } => {
                RestError::new(503, "node_disconnected_exception", reason)
            }
            ShardError::Unconfirmed { .. } => {
                RestError::new(503, "unavailable_shards_exception", reason)
            }
            ShardError::VersionConflict { reason } => {
                RestError::new(409, "version_conflict_engine_exception", reason)
            }
            ShardError::DocumentMissing { .. } => {
                RestError::new(404, "document_missing_exception", reason)
            }
            // the write path answers these itself; one that gets out is a mistake of ours
            ShardError::MappingUpdate(_) | ShardError::Behind => {
                RestError::internal("the mapping was not updated in time")
            }
            ShardError::Rejected { reason } => {
                RestError::new(429, "rejected_execution_exception", reason)
                    .with_header("retry-after", "1")
            }
            ShardError::Other {
                status,
                kind,
                reason,
                caused_by,
            } => {
                let rest = RestError::new(status, kind, reason);
                match caused_by {
                    Some(cause) => rest.with_cause(RestError::from(*cause)),
                    None => rest,
                }
            }
        }
    }
}

impl ShardError {
    /// The error as its document's or shard's, where OpenSearch says so: conflicts and missing documents name them.
    pub fn at(self, target: &ShardTarget) -> RestError {
        let named = matches!(
            self,
            ShardError::NotFound { .. }
                | ShardError::VersionConflict { .. }
                | ShardError::DocumentMissing { .. }
        );
        let rest = RestError::from(self);
        match named {
            true => rest
                .with_index(&target.index, &target.index_uuid)
                .with("shard", target.shard.to_string()),
            false => rest,
        }
    }
}
