//! What the tests of this folder share.

use std::collections::BTreeMap;

use super::command::{Command, CommandError, CreateIndex};
use super::ids::Ids;
use super::{apply, decide};
use crate::cluster::{ClusterState, NodeId, NodeInfo};

/// Ids that count up.
#[derive(Default)]
pub(crate) struct Counting(u32);

impl Ids for Counting {
    fn next_uuid(&mut self) -> String {
        self.0 += 1;
        format!("uuid{:018}", self.0)
    }
}

pub(crate) fn node(id: &str) -> NodeInfo {
    NodeInfo {
        id: NodeId(id.to_owned()),
        ephemeral_id: "e".to_owned(),
        name: id.to_owned(),
        host: "127.0.0.1".to_owned(),
        ip: "127.0.0.1".to_owned(),
        transport_address: "127.0.0.1:9300".to_owned(),
        http_address: "127.0.0.1:9200".to_owned(),
        roles: vec!["data".to_owned()],
        attributes: BTreeMap::new(),
        version: "3.6.0".to_owned(),
        started_ms: 0,
    }
}

pub(crate) fn create(name: &str) -> Command {
    Command::CreateIndex(CreateIndex {
        name: name.to_owned(),
        ..CreateIndex::default()
    })
}

/// A cluster of one node that carries commands out at once.
pub(crate) struct Cluster {
    pub(crate) state: ClusterState,
    ids: Counting,
}

impl Cluster {
    pub(crate) fn new() -> Cluster {
        let mut cluster = Cluster {
            state: ClusterState::empty("c", "u", NodeId("n".to_owned())),
            ids: Counting::default(),
        };
        cluster
            .run(Command::JoinNode(node("n")))
            .expect("a node may join");
        cluster
    }

    /// How many events a command had; the state follows them.
    pub(crate) fn run(&mut self, command: Command) -> Result<usize, CommandError> {
        let events = decide(&self.state, command, 1_000, &mut self.ids)?;
        for event in &events {
            self.state = apply(self.state.clone(), event);
        }
        Ok(events.len())
    }
}
