//! This node, as it tells about itself.

use std::sync::Arc;
use std::time::Duration;

use super::{HotThread, InFlightFigures, NodeFigures, SelectionFigures, TaskView};
use crate::cluster::NodeInfo;
use crate::config::Config;
use crate::connections::Connections;
use crate::coordination::rest::in_flight::InFlight;
use crate::coordination::rest::machine_stats::{disk, machine, process};
use crate::coordination::tasks::Tasks;
use crate::data::pool::Pools;
use crate::data::router::Router;
use crate::master::Masters;
use crate::sys::clock::Clock;
use crate::sys::machine::{processors, usable_memory};

/// What a node has to tell of; a role has some of it.
pub struct LocalNodeParts {
    /// The settings of the process.
    pub config: Arc<Config>,
    /// This node.
    pub info: NodeInfo,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Who keeps the cluster state.
    pub masters: Arc<dyn Masters>,
    /// Its tasks.
    pub tasks: Arc<Tasks>,
    /// Threads for work that blocks.
    pub pools: Option<Arc<Pools>>,
    /// Clients of REST.
    pub connections: Option<Arc<Connections>>,
    /// Their request bodies.
    pub in_flight: Option<Arc<InFlight>>,
    /// The way to other nodes.
    pub router: Option<Arc<Router>>,
}

/// This node.
pub struct LocalNode {
    parts: LocalNodeParts,
}

impl LocalNode {
    /// Tells of these parts.
    pub fn new(parts: LocalNodeParts) -> Arc<LocalNode> {
        Arc::new(LocalNode { parts })
    }

    /// What it is.
    pub fn info(&self) -> &NodeInfo {
        &self.parts.info
    }

    /// What it counts.
    pub fn figures(&self) -> NodeFigures {
        let parts = &self.parts;
        let in_flight = parts.in_flight.as_ref().map(|bodies| InFlightFigures {
            current_bytes: bodies.current_bytes(),
            total_bytes: bodies.total_bytes(),
            limit: bodies.limit(),
            rejections: bodies.rejections(),
        });
        let pools = parts.pools.iter().flat_map(|pools| pools.stats());
        let ranks = parts
            .router
            .iter()
            .flat_map(|router| router.ranks().shown());
        let connections = parts.connections.as_ref();
        NodeFigures {
            now_ms: parts.clock.now_ms(),
            started_ms: parts.info.started_ms,
            pid: std::process::id(),
            os: std::env::consts::OS.to_owned(),
            arch: std::env::consts::ARCH.to_owned(),
            processors: processors() as u64,
            usable_memory: usable_memory(),
            process: process(),
            machine: machine(),
            disk: disk(&parts.config.data_dir),
            data_dir: parts.config.data_dir.display().to_string(),
            pools: pools.map(Into::into).collect(),
            connections_open: connections.map_or(0, |connections| connections.open_now()),
            connections_opened: connections.map_or(0, |connections| connections.opened()),
            content_length_max: parts.config.max_content_length,
            in_flight: in_flight.unwrap_or_default(),
            pending_tasks: parts.masters.pending().tasks.len() as u64,
            selection: ranks
                .map(|(node, outstanding, response)| SelectionFigures {
                    node: node.0,
                    outstanding: u64::from(outstanding),
                    response_nanos: u64::try_from(response.as_nanos()).unwrap_or(u64::MAX),
                })
                .collect(),
        }
    }

    /// Its threads, the busiest first.
    pub fn hot_threads(&self) -> Vec<HotThread> {
        let mut threads = Vec::new();
        let Ok(entries) = std::fs::read_dir("/proc/self/task") else {
            return threads;
        };
        for entry in entries.flatten() {
            let path = entry.path();
            let name = std::fs::read_to_string(path.join("comm")).unwrap_or_default();
            let stat = std::fs::read_to_string(path.join("stat")).unwrap_or_default();
            // the name in parentheses may hold blanks; the 14th and 15th fields are ticks in user and system mode
            let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
            let fields: Vec<&str> = after_name.split_whitespace().collect();
            let ticks = |at: usize| {
                let text = fields.get(at);
                text.and_then(|text| text.parse::<u64>().ok()).unwrap_or(0)
            };
            threads.push(HotThread {
                name: name.trim().to_owned(),
                cpu_ms: (ticks(11) + ticks(12)) * 10,
            });
        }
        threads.sort_by_key(|thread| std::cmp::Reverse(thread.cpu_ms));
        threads
    }

    /// Its tasks that run.
    pub fn tasks(&self) -> Vec<TaskView> {
        let tasks = &self.parts.tasks;
        let running = tasks.running();
        running.iter().map(|task| tasks.view(task)).collect()
    }

    /// One of its tasks, after it has ended if that happens in time.
    pub async fn task(&self, id: u64, wait: Option<Duration>) -> Option<TaskView> {
        let tasks = &self.parts.tasks;
        let task = tasks.get(id)?;
        if let Some(limit) = wait {
            tasks.wait(&task, limit).await;
        }
        Some(tasks.view(&task))
    }

    /// Asks tasks to stop.
    pub fn cancel(&self, ids: &[u64]) -> Vec<TaskView> {
        let tasks = &self.parts.tasks;
        let mut cancelled = Vec::new();
        for task in ids.iter().filter_map(|id| tasks.get(*id)) {
            task.cancel();
            cancelled.push(tasks.view(&task));
        }
        cancelled
    }

    /// Changes the requests per second of a task.
    pub fn set_rate(&self, id: u64, rate: f32) -> Option<TaskView> {
        let task = self.parts.tasks.get(id)?;
        task.set_rate(rate);
        Some(self.parts.tasks.view(&task))
    }
}
