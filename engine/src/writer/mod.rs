//! How segments come to be after the buffer.

pub(crate) mod flush;
pub mod merge;
pub(crate) mod merge_policy;
pub(crate) mod merge_scheduler;
pub(crate) mod refresh;
