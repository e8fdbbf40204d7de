//! What a copy is to the others of its shard.

use std::sync::atomic::{AtomicU8, Ordering};

use serde::{Deserialize, Serialize};

/// What a copy is to the others of its shard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CopyRole {
    /// Takes operations of clients, gives them their numbers and makes segments.
    #[default]
    Primary,
    /// Keeps the primary's operations and shows the primary's segments.
    Replica,
    /// Between the two: does what its translog has beyond its segments.
    Promoting,
}

/// The role of an open copy. It changes only while nobody holds `gate`.
#[derive(Debug)]
pub(crate) struct Role(AtomicU8);

impl Role {
    pub fn new(role: CopyRole) -> Role {
        Role(AtomicU8::new(role as u8))
    }

    pub fn get(&self) -> CopyRole {
        match self.0.load(Ordering::SeqCst) {
            0 => CopyRole::Primary,
            1 => CopyRole::Replica,
            _ => CopyRole::Promoting,
        }
    }

    pub fn set(&self, role: CopyRole) {
        self.0.store(role as u8, Ordering::SeqCst);
    }
}
