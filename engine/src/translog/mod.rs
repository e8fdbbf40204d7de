//! Operations since the last flush, and the journal that keeps them safe.

pub mod frame;
mod history;
pub mod journal;
mod mark;
mod operation;
mod store;

pub use history::History;
pub use journal::{Journal, JournalError, Location};
pub use mark::Mark;
pub use operation::{Operation, OperationKind};
pub(crate) use store::Entry;
pub use store::{Operations, Translog, TranslogSize};
