//! What a command means for a state.

use crate::cluster::ClusterState;

use super::command::{Command, CommandError};
use super::event::Event;
use super::ids::Ids;

/// The events that carry a command out, or why it is refused. Pure.
#[allow(clippy::todo)]
pub fn decide(
    _state: &ClusterState,
    _command: Command,
    _now_ms: i64,
    _ids: &mut dyn Ids,
) -> Result<Vec<Event>, CommandError> {
    todo!()
}
