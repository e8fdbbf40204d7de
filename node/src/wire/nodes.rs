//! What nodes tell about themselves, as messages.

use quidditch_proto::node::v1 as proto;
use tonic::{Response, Status};

use super::tree::{self, WireError};
use crate::nodes::{HotThread, TaskView};

impl From<HotThread> for proto::HotThread {
    fn from(thread: HotThread) -> proto::HotThread {
        proto::HotThread {
            name: thread.name,
            cpu_ms: thread.cpu_ms,
        }
    }
}

impl From<proto::HotThread> for HotThread {
    fn from(thread: proto::HotThread) -> HotThread {
        HotThread {
            name: thread.name,
            cpu_ms: thread.cpu_ms,
        }
    }
}

/// Tasks of a node.
pub fn tasks_reply(
    tasks: impl IntoIterator<Item = TaskView>,
) -> Result<Response<proto::TasksReply>, Status> {
    let mut tasks_cbor = Vec::new();
    for task in tasks {
        let bytes = tree::encode("task", &task);
        tasks_cbor.push(bytes.map_err(|error| Status::internal(error.to_string()))?);
    }
    Ok(Response::new(proto::TasksReply { tasks_cbor }))
}

/// Reads tasks of a node.
pub fn read_tasks(reply: proto::TasksReply) -> Result<Vec<TaskView>, WireError> {
    let tasks = reply.tasks_cbor.iter();
    tasks.map(|bytes| tree::decode("task", bytes)).collect()
}
