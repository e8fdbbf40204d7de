//! The server: masters, coordination and data nodes, or all of them in one process.

pub mod coordination;
