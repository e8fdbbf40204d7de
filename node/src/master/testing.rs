//! What the tests of this folder share.

use std::collections::BTreeMap;

use super::command::{Command, CommandError, CreateIndex};
use super::ids::Ids;
use super::shards::ShardReport;
use super::{apply, decide};
use crate::cluster::{ClusterState, NodeId, NodeInfo, ShardState};

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

/// A cluster that carries commands out at once.
pub(crate) struct Cluster {
    pub(crate) state: ClusterState,
    /// What its clock says.
    pub(crate) now_ms: i64,
    ids: Counting,
}

impl Cluster {
    /// One node, alone.
    pub(crate) fn new() -> Cluster {
        let mut cluster = Cluster {
            state: ClusterState::empty("c", "u", NodeId("n".to_owned())).alone(),
            now_ms: 1_000,
            ids: Counting::default(),
        };
        cluster
            .run(Command::JoinNode(node("n")))
            .expect("a node may join");
        cluster
    }

    /// Several data nodes.
    pub(crate) fn of(nodes: &[&str]) -> Cluster {
        let mut cluster = Cluster {
            state: ClusterState::empty("c", "u", NodeId("m".to_owned())),
            now_ms: 1_000,
            ids: Counting::default(),
        };
        for id in nodes {
            cluster.join(id);
        }
        cluster
    }

    /// A data node comes up; again, if it is known.
    pub(crate) fn join(&mut self, id: &str) {
        self.join_with(id, &[]);
    }

    /// The same, with attributes.
    pub(crate) fn join_with(&mut self, id: &str, attributes: &[(&str, &str)]) {
        let mut info = node(id);
        info.ephemeral_id = self.ids.next_uuid();
        for (name, value) in attributes {
            info.attributes
                .insert((*name).to_owned(), (*value).to_owned());
        }
        self.run(Command::JoinNode(info)).expect("a node may join");
    }

    /// A data node is gone.
    pub(crate) fn leave(&mut self, id: &str) {
        let id = NodeId(id.to_owned());
        let Some(known) = self.state.nodes.get(&id) else {
            return;
        };
        let nodes = vec![(id, known.ephemeral_id.clone())];
        let reason = "gone".to_owned();
        self.run(Command::NodesLeft { nodes, reason })
            .expect("a node may leave");
    }

    /// What the nodes report when every copy that opens or recovers comes to serve.
    pub(crate) fn reports(&self) -> Vec<ShardReport> {
        let mut reports = Vec::new();
        for (index, shard, copy) in self.state.routing.all() {
            if copy.state == ShardState::Initializing {
                let metadata = &self.state.indices[index];
                let term = metadata.primary_terms[shard as usize];
                reports.push(ShardReport {
                    index_uuid: metadata.uuid.clone(),
                    shard,
                    allocation_id: copy.allocation_id.clone().expect("it has one"),
                    primary_term: copy.primary.then_some(term),
                    failure: None,
                });
            }
        }
        reports
    }

    /// Lets copies start until none is left that opens or recovers.
    pub(crate) fn settle(&mut self) {
        for _ in 0..1_000 {
            let reports = self.reports();
            if reports.is_empty() {
                return;
            }
            self.run(Command::ReportShards(reports))
                .expect("reports are heard");
        }
        panic!("copies never come to rest: {:?}", self.state.routing);
    }

    /// How many events a command had; the state follows them.
    pub(crate) fn run(&mut self, command: Command) -> Result<usize, CommandError> {
        let events = decide(&self.state, command, self.now_ms, &mut self.ids)?;
        for event in &events {
            self.state = apply(self.state.clone(), event);
        }
        Ok(events.len())
    }
}
