//! Operations since the last flush, and the journal that keeps them safe.

pub mod frame;
pub mod journal;

pub use journal::{Journal, JournalError, Location};
