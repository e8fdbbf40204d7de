//! Readers that stay open between requests, as ids name them.

use serde::{Deserialize, Serialize};

use crate::data::search::ContextId;
use crate::data::service::ShardTarget;

/// An open reader of a shard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeldReader {
    /// Name of the index.
    pub index: String,
    /// Its uuid.
    pub uuid: String,
    /// Number of the shard.
    pub shard: u32,
    /// The reader.
    pub context: ContextId,
}

impl HeldReader {
    /// A reader of this shard.
    pub fn new(target: &ShardTarget, context: ContextId) -> HeldReader {
        HeldReader {
            index: target.index.clone(),
            uuid: target.index_uuid.clone(),
            shard: target.shard,
            context,
        }
    }

    /// The shard.
    pub fn target(&self) -> ShardTarget {
        ShardTarget {
            index: self.index.clone(),
            index_uuid: self.uuid.clone(),
            shard: self.shard,
        }
    }
}
