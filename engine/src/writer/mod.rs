//! How segments come to be after the buffer.

pub mod merge;
