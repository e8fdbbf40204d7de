//! Operations since the last flush, and the journal that keeps them safe.

pub mod frame;
pub mod journal;
mod operation;
mod store;

pub use journal::{Journal, JournalError, Location};
pub use operation::{Operation, OperationKind};
pub use store::{Operations, Translog, TranslogSize};
