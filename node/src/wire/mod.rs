//! Conversions between protocol messages and the types of this crate; they live nowhere else.

pub mod state_record;
