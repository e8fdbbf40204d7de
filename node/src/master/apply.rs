//! What an event does to the state.

use crate::cluster::ClusterState;

use super::event::Event;

/// The state after an event. Pure; the version is raised by whoever publishes.
#[allow(clippy::todo)]
pub fn apply(_state: ClusterState, _event: &Event) -> ClusterState {
    todo!()
}
