//! The server: masters, coordination and data nodes, or all of them in one process.

pub mod cluster;
pub mod command_line;
pub mod config;
pub mod connections;
pub mod coordination;
pub mod data;
pub mod master;
pub mod nodes;
pub mod process;
mod raw_json;
mod request_target;
pub mod server;
pub mod sys;
pub mod telemetry;
pub mod wire;
