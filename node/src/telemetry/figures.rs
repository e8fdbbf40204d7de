//! What a process can count of itself, gathered at the moment somebody asks.

use std::collections::BTreeMap;
use std::sync::Arc;

use quidditch_engine::shard::ShardStats;

use crate::cluster::{ClusterState, ShardState};
use crate::config::Role;
use crate::connections::Connections;
use crate::coordination::rest::in_flight::InFlight;
use crate::coordination::rest::machine_stats::{Process, process};
use crate::data::local::LocalShards;
use crate::data::local_search::ShardReaders;
use crate::data::pool::{PoolStats, Pools};
use crate::master::Masters;

/// A master's place in its group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RaftFigures {
    /// The current term.
    pub term: u64,
    /// Whether this master leads.
    pub is_leader: bool,
    /// Whether it knows who leads.
    pub knows_leader: bool,
    /// Index of the last entry of its log.
    pub last_index: u64,
    /// Index of the last entry that a majority has.
    pub committed_index: u64,
    /// Index of the last entry that its state contains.
    pub applied_index: u64,
    /// Index of the last entry of its newest snapshot.
    pub snapshot_index: u64,
    /// Bytes of the entries that are kept.
    pub log_bytes: u64,
    /// Masters that vote.
    pub voters: u64,
    /// Masters that only follow.
    pub learners: u64,
}

/// Where figures come from; a role has some of them.
#[derive(Clone)]
pub struct FigureSources {
    /// What the process is for.
    pub role: Role,
    /// The cluster state.
    pub masters: Arc<dyn Masters>,
    /// The masters' agreement.
    pub raft: Option<Arc<dyn Fn() -> RaftFigures + Send + Sync>>,
    /// The shards of this process.
    pub shards: Option<Arc<LocalShards>>,
    /// Threads for work that blocks.
    pub pools: Option<Arc<Pools>>,
    /// Clients of REST.
    pub rest: Option<RestSources>,
}

/// What REST counts.
#[derive(Clone)]
pub struct RestSources {
    /// Connections.
    pub connections: Arc<Connections>,
    /// Bodies in memory.
    pub in_flight: Arc<InFlight>,
}

/// All figures of one moment.
#[derive(Debug)]
pub struct Figures {
    pub(super) role: Role,
    pub(super) process: Process,
    pub(super) cluster: ClusterFigures,
    pub(super) raft: Option<RaftFigures>,
    pub(super) shards: Option<ShardFigures>,
    pub(super) pools: Vec<PoolStats>,
    pub(super) rest: Option<RestFigures>,
}

/// The cluster, as this process knows it.
#[derive(Debug, Default)]
pub(super) struct ClusterFigures {
    pub version: u64,
    pub indices: u64,
    pub nodes: BTreeMap<&'static str, u64>,
    pub copies: BTreeMap<&'static str, u64>,
    pub primaries_inactive: u64,
    pub pending_tasks: u64,
}

/// The shards of this process, added up.
#[derive(Debug, Default)]
pub(super) struct ShardFigures {
    pub copies: u64,
    pub total: ShardStats,
    /// Operations done whose translog entry is not on disk yet.
    pub unsynced_operations: u64,
}

#[derive(Debug)]
pub(super) struct RestFigures {
    pub connections_open: u64,
    pub connections_opened: u64,
    pub body_bytes: u64,
    pub rejections: u64,
}

impl FigureSources {
    /// Gathers; may wait for locks that are held while a disk syncs.
    pub fn gather(&self) -> Figures {
        let mut cluster = cluster_figures(&self.masters.state());
        cluster.pending_tasks = self.masters.pending().tasks.len() as u64;
        Figures {
            role: self.role,
            process: process(),
            cluster,
            raft: self.raft.as_ref().map(|raft| raft()),
            shards: self.shards.as_deref().map(shard_figures),
            pools: self
                .pools
                .as_ref()
                .map_or_else(Vec::new, |pools| pools.stats()),
            rest: self.rest.as_ref().map(|rest| RestFigures {
                connections_open: rest.connections.open_now(),
                connections_opened: rest.connections.opened(),
                body_bytes: rest.in_flight.current_bytes(),
                rejections: rest.in_flight.rejections(),
            }),
        }
    }
}

fn cluster_figures(state: &ClusterState) -> ClusterFigures {
    let mut figures = ClusterFigures {
        version: state.version,
        indices: state.indices.len() as u64,
        ..ClusterFigures::default()
    };
    for (role, name) in [
        ("cluster_manager", "master"),
        ("data", "data"),
        ("ingest", "coordination"),
    ] {
        let has_role = |roles: &[String]| roles.iter().any(|its| its == role);
        let count = state
            .nodes
            .values()
            .filter(|node| has_role(&node.roles))
            .count();
        figures.nodes.insert(name, count as u64);
    }
    for (shard_state, name) in [
        (ShardState::Unassigned, "unassigned"),
        (ShardState::Initializing, "initializing"),
        (ShardState::Started, "started"),
        (ShardState::Relocating, "relocating"),
    ] {
        let count: usize = state
            .routing
            .indices
            .keys()
            .map(|index| state.routing.count(index, shard_state))
            .sum();
        figures.copies.insert(name, count as u64);
    }
    for copies in state.routing.shards() {
        let is_served = copies.iter().any(|copy| {
            copy.primary && matches!(copy.state, ShardState::Started | ShardState::Relocating)
        });
        figures.primaries_inactive += u64::from(!is_served);
    }
    figures
}

fn shard_figures(shards: &LocalShards) -> ShardFigures {
    let mut figures = ShardFigures::default();
    for shard in shards.all() {
        let mut stats = shard.shard.stats();
        if let Some(searches) = shards.counters(&shard.target) {
            searches.fill(&mut stats);
        }
        let unsynced = stats.max_seq_no.saturating_sub(stats.local_checkpoint);
        figures.unsynced_operations += u64::try_from(unsynced).unwrap_or(0);
        figures.copies += 1;
        add(&mut figures.total, &stats);
    }
    figures
}

/// Adds up what metrics show of a shard.
fn add(total: &mut ShardStats, stats: &ShardStats) {
    total.docs += stats.docs;
    total.deleted += stats.deleted;
    total.store_bytes += stats.store_bytes;
    total.segments += stats.segments;
    total.buffer_bytes += stats.buffer_bytes;
    total.version_map_bytes += stats.version_map_bytes;
    total.merge_docs += stats.merge_docs;
    total.merge_bytes += stats.merge_bytes;
    total.translog.operations += stats.translog.operations;
    total.translog.size_bytes += stats.translog.size_bytes;
    total.search.open_contexts += stats.search.open_contexts;
    for (sum, part) in [
        (&mut total.indexing, &stats.indexing),
        (&mut total.deletes, &stats.deletes),
        (&mut total.get_exists, &stats.get_exists),
        (&mut total.get_missing, &stats.get_missing),
        (&mut total.refresh, &stats.refresh),
        (&mut total.flush, &stats.flush),
        (&mut total.merge, &stats.merge),
        (&mut total.search.query, &stats.search.query),
        (&mut total.search.fetch, &stats.search.fetch),
    ] {
        sum.total += part.total;
        sum.failed += part.failed;
        sum.time_ms += part.time_ms;
        sum.current += part.current;
    }
}
