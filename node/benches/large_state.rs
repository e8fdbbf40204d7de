//! What a large cluster asks of its masters: a state of so many nodes and shard copies is made up, and its changes are
//! decided, written, published and followed as the masters and nodes do it.
//!
//! `cargo bench -p quidditch-node --bench large_state -- --nodes 1000 --copies 100000`, with `--profile measure` quicker to
//! build. docs/growth.md says what the figures mean.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use prost::Message;
use quidditch_node::cluster::{
    ClusterState, IndexMetadata, NodeId, NodeInfo, NodeUsage, ShardCopy, ShardState,
};
use quidditch_node::master::{Command, CreateIndex, Ids, RandomIds, apply, decide};
use quidditch_node::wire::batch::{Batch, Image};
use quidditch_proto as proto;

/// Prints sizes of a made-up state and of its changes, and how long they take.
#[derive(Parser)]
struct Arguments {
    /// Data nodes.
    #[arg(long, default_value_t = 1_000)]
    nodes: usize,
    /// Copies of shards, half of them primaries.
    #[arg(long, default_value_t = 100_000)]
    copies: usize,
    /// Primaries of an index.
    #[arg(long, default_value_t = 10)]
    shards: u32,
    /// Fields of a mapping.
    #[arg(long, default_value_t = 30)]
    fields: usize,
    /// How often each change is made; the median counts.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Passed by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

/// The wall clock of the made-up cluster, in ms.
const NOW_MS: i64 = 1_800_000_000_000;

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let made = Made::new(&arguments)?;
    let state = &made.state;
    println!(
        "{} nodes, {} indices, {} copies of {} shards, {} fields each",
        state.nodes.len(),
        state.indices.len(),
        made.copies,
        made.copies / 2,
        arguments.fields,
    );
    show_whole_state(state, arguments.rounds)?;
    println!();
    println!("| change | decided in | bytes published | followed in |");
    println!("|---|---:|---:|---:|");
    for (name, command) in made.commands()? {
        show_change(state, name, &command, arguments.rounds)?;
    }
    println!();
    show_heartbeats(state);
    Ok(())
}

fn show_whole_state(state: &ClusterState, rounds: usize) -> Result<()> {
    let image = Image {
        state: state.clone(),
        hash: 0,
        done: Vec::new(),
    };
    let mut bytes = Vec::new();
    let written = median(rounds, || {
        bytes = image.encode()?;
        Ok(())
    })?;
    let read = median(rounds.min(3), || {
        let read = Image::decode(&bytes)?;
        ensure!(read.state.version == state.version, "another state");
        Ok(())
    })?;
    let part = |value: serde_json::Result<Vec<u8>>| value.map(|bytes| bytes.len());
    println!(
        "whole state: {} bytes, written in {}, read in {}",
        bytes.len(),
        show(written),
        show(read)
    );
    println!(
        "of it: indices {}, routing {}, nodes {}, disks {} bytes",
        part(serde_json::to_vec(&state.indices))?,
        part(serde_json::to_vec(&state.routing))?,
        part(serde_json::to_vec(&state.nodes))?,
        part(serde_json::to_vec(&state.usage))?,
    );
    Ok(())
}

fn show_change(state: &ClusterState, name: &str, command: &Command, rounds: usize) -> Result<()> {
    let mut ids = RandomIds;
    let mut events = Vec::new();
    let decided = median(rounds, || {
        let done = decide(state, command.clone(), NOW_MS, &mut ids);
        events = done.map_err(|refused| anyhow::anyhow!("{name}: {refused}"))?;
        Ok(())
    })?;
    let batch = Batch {
        base_version: state.version,
        state_uuid: ids.next_uuid(),
        requests: vec![[0; 16]],
        events,
    };
    let bytes = batch.encode()?;
    let followed = median(rounds, || {
        let batch = Batch::decode(&bytes)?;
        let next = batch.events.iter().fold(state.clone(), apply);
        ensure!(next.cluster_uuid == state.cluster_uuid, "another cluster");
        Ok(())
    })?;
    println!(
        "| {name} | {} | {} | {} |",
        show(decided),
        bytes.len(),
        show(followed)
    );
    Ok(())
}

/// Bytes of a node's heartbeats, alone and with what it tells of its disk.
fn show_heartbeats(state: &ClusterState) {
    let node = state.data_nodes().next();
    let Some(node) = node else { return };
    let usage = state.usage.get(&node.id).map(|usage| proto::Usage {
        total_bytes: usage.total_bytes,
        free_bytes: usage.free_bytes,
        copy_bytes: usage.copies.clone().into_iter().collect(),
    });
    let bare = proto::HeartbeatRequest {
        cluster_name: state.cluster_name.clone(),
        node_id: node.id.0.clone(),
        ephemeral_id: node.ephemeral_id.clone(),
        applied_version: state.version,
        usage: None,
    };
    let told = proto::HeartbeatRequest {
        usage,
        ..bare.clone()
    };
    println!(
        "heartbeat: {} bytes; with the disk: {} bytes",
        bare.encoded_len(),
        told.encoded_len()
    );
}

/// Median of the times of some rounds, in microseconds.
fn median(rounds: usize, mut work: impl FnMut() -> Result<()>) -> Result<u128> {
    let mut times = Vec::new();
    for _ in 0..rounds.max(1) {
        let began = Instant::now();
        work()?;
        times.push(began.elapsed().as_micros());
    }
    times.sort_unstable();
    Ok(times[times.len() / 2])
}

fn show(micros: u128) -> String {
    format!("{:.1} ms", micros as f64 / 1_000.0)
}

/// A made-up state.
struct Made {
    state: ClusterState,
    copies: usize,
    fields: usize,
}

impl Made {
    fn new(arguments: &Arguments) -> Result<Made> {
        let mut state = ClusterState::empty("grown", "0123456789abcdefghijkl", id("node", 0));
        state.version = 1_000;
        for number in 0..arguments.nodes {
            let node = node(number);
            state.joined.insert(node.id.clone(), 1);
            state.nodes.insert(node.id.clone(), node);
        }
        let mut made = Made {
            state,
            copies: 0,
            fields: arguments.fields,
        };
        let model = made.model(arguments.shards)?;
        let mut ids = RandomIds;
        while made.copies < arguments.copies {
            made.add_index(&model, arguments.nodes, &mut ids);
        }
        Ok(made)
    }

    /// An index as a command makes it in a cluster of one node.
    fn model(&self, shards: u32) -> Result<IndexMetadata> {
        let mut small = self.state.clone();
        small.nodes.retain(|_, node| node.id == id("node", 0));
        let events = decide(&small, self.create("model", shards), NOW_MS, &mut RandomIds);
        let events = events.map_err(|refused| anyhow::anyhow!("{refused}"))?;
        let small = events.iter().fold(small, apply);
        let made = small.index("model").context("the index was not made")?;
        Ok(IndexMetadata::clone(made))
    }

    fn create(&self, name: &str, shards: u32) -> Command {
        let fields: serde_json::Map<String, serde_json::Value> = (0..self.fields)
            .map(|number| {
                let kind = ["keyword", "long", "text", "date", "double"][number % 5];
                let field = serde_json::json!({"type": kind});
                (format!("a_field_of_logs_{number:02}"), field)
            })
            .collect();
        let mapping = serde_json::json!({ "properties": fields });
        let settings = [("number_of_shards", shards), ("number_of_replicas", 1)];
        Command::CreateIndex(CreateIndex {
            name: name.to_owned(),
            settings: settings
                .map(|(key, value)| (format!("index.{key}"), value.to_string()))
                .into(),
            mapping,
            ..CreateIndex::default()
        })
    }

    fn add_index(&mut self, model: &IndexMetadata, nodes: usize, ids: &mut RandomIds) {
        let mut index = model.clone();
        index.name = format!("logs-2026.11.27-{:06}", self.state.indices.len());
        index.uuid = ids.next_uuid();
        let mut routed = Vec::new();
        for shard in 0..index.number_of_shards {
            let mut copies = Vec::new();
            let (mut in_sync, mut homes) = (BTreeSet::new(), BTreeMap::new());
            for primary in [true, false] {
                let (node, allocation_id) = (id("node", self.copies % nodes), ids.next_uuid());
                in_sync.insert(allocation_id.clone());
                homes.insert(allocation_id.clone(), node.clone());
                let usage = self.state.usage.entry(node.clone());
                let usage = usage.or_insert_with(|| disk(&node));
                usage.copies.insert(allocation_id.clone(), 10 << 30);
                copies.push(ShardCopy {
                    state: ShardState::Started,
                    node: Some(node),
                    allocation_id: Some(allocation_id),
                    ..ShardCopy::nowhere(primary)
                });
                self.copies += 1;
            }
            index.in_sync[shard as usize] = in_sync;
            index
                .homes
                .resize(index.number_of_shards as usize, BTreeMap::new());
            index.homes[shard as usize] = homes;
            index.started.insert(shard);
            routed.push(copies);
        }
        let name = index.name.clone();
        self.state
            .routing
            .indices
            .insert(name.clone(), Arc::new(routed));
        self.state.indices.insert(name, Arc::new(index));
    }

    /// What happens to a cluster.
    fn commands(&self) -> Result<Vec<(&'static str, Command)>> {
        let (name, first) = self.state.indices.first_key_value().context("no index")?;
        let last = self.state.data_nodes().last().context("no node")?;
        let copy = &self.state.routing.indices[name][0][1];
        Ok(vec![
            ("an index of 10 shards is made", self.create("new", 10)),
            (
                "a mapping gets a field",
                Command::PutMapping {
                    indices: vec![name.clone()],
                    update: serde_json::json!({"properties": {"new": {"type": "keyword"}}}),
                },
            ),
            (
                "a replica is taken out",
                Command::FailCopy {
                    index_uuid: first.uuid.clone(),
                    shard: 0,
                    allocation_id: copy.allocation_id.clone().unwrap_or_default(),
                    primary_term: first.primary_terms[0],
                    reason: "it did not answer".to_owned(),
                },
            ),
            (
                "a node leaves",
                Command::NodesLeft {
                    nodes: vec![(last.id.clone(), last.ephemeral_id.clone())],
                    reason: "silent".to_owned(),
                },
            ),
            (
                "a node joins",
                Command::JoinNode(node(self.state.nodes.len())),
            ),
            (
                "all copies are looked at",
                Command::Reroute {
                    reason: "a measurement".to_owned(),
                },
            ),
        ])
    }
}

fn id(kind: &str, number: usize) -> NodeId {
    NodeId(format!("{kind}-{number:0>17}"))
}

fn node(number: usize) -> NodeInfo {
    let host = format!(
        "10.{}.{}.{}",
        number >> 16 & 255,
        number >> 8 & 255,
        number & 255
    );
    NodeInfo {
        id: id("node", number),
        ephemeral_id: format!("run-of-{number:0>15}"),
        name: format!("data-{number}"),
        host: host.clone(),
        ip: host.clone(),
        transport_address: format!("{host}:9303"),
        http_address: format!("{host}:9200"),
        roles: vec!["data".to_owned(), "ingest".to_owned()],
        attributes: BTreeMap::from([
            ("storage_tier".to_owned(), "hot".to_owned()),
            ("zone".to_owned(), format!("zone-{}", number % 3)),
        ]),
        version: "3.6.0".to_owned(),
        started_ms: NOW_MS,
    }
}

fn disk(node: &NodeId) -> NodeUsage {
    NodeUsage {
        node: node.clone(),
        total_bytes: 4 << 40,
        free_bytes: 2 << 40,
        copies: BTreeMap::new(),
    }
}
