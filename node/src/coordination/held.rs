//! Readers that stay open between requests, as ids name them.

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::data::search::{ContextId, SearchService};
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

/// Readers that a search opened. They are closed with it, however it ends, unless they are kept for its next page.
pub struct HeldContexts {
    service: Arc<dyn SearchService>,
    open: Mutex<Vec<(ShardTarget, ContextId)>>,
}

impl HeldContexts {
    /// None yet.
    pub fn new(service: Arc<dyn SearchService>) -> HeldContexts {
        HeldContexts {
            service,
            open: Mutex::default(),
        }
    }

    /// One more.
    pub fn add(&self, target: &ShardTarget, id: ContextId) {
        self.open.lock().push((target.clone(), id));
    }

    /// Some of them are closed already: nobody has to be told.
    pub fn forget(&self, closed: &HashSet<&ContextId>) {
        self.open.lock().retain(|(_, id)| !closed.contains(id));
    }

    /// Leaves the readers open.
    pub fn keep(self) {
        self.open.lock().clear();
    }
}

impl Drop for HeldContexts {
    fn drop(&mut self) {
        let open = std::mem::take(self.open.get_mut());
        if !open.is_empty() {
            self.service.release_contexts(open);
        }
    }
}
