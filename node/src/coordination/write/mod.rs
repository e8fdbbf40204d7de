//! The life of a write on the coordination side: find or make the index, find the shard, write, follow up on new
//! fields, answer.
//!
//! | file | subject |
//! |---|---|
//! | `request` | what is to be written, and what about it can be wrong by itself |
//! | `target` | from a name to a shard: auto-create, aliases, routing, blocks |
//! | `run` | the shards at work, side by side |
//! | `answer` | what happened, in JSON |

mod answer;
mod request;
mod run;
mod target;

pub use answer::{ItemAnswer, WriteAnswer};
pub use request::{DocWrite, VersionType, WriteAction, WriteOptions};
pub use run::run;
pub use target::{check_read_block, is_write_blocked, routing_missing, routing_of};
