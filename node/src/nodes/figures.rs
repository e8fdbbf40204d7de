//! What a node counts of its process and its machine.

use serde::{Deserialize, Serialize};

use crate::coordination::rest::machine_stats::{Disk, Machine, Process};
use crate::data::pool::PoolStats;

/// Everything about a process that only the process itself can tell, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeFigures {
    /// When, in ms since the epoch.
    pub now_ms: i64,
    /// When the process started, in ms since the epoch.
    pub started_ms: i64,
    /// Id of the process.
    pub pid: u32,
    /// Name of the operating system.
    pub os: String,
    /// Processor architecture.
    pub arch: String,
    /// Processors that it may use.
    pub processors: u64,
    /// Memory that it may use, in bytes.
    pub usable_memory: u64,
    /// The process.
    pub process: Process,
    /// The machine.
    pub machine: Machine,
    /// The device of the data directory.
    pub disk: Disk,
    /// The data directory.
    pub data_dir: String,
    /// Classes of work that blocks, by name.
    pub pools: Vec<PoolFigures>,
    /// HTTP connections now.
    pub connections_open: u64,
    /// HTTP connections since the start.
    pub connections_opened: u64,
    /// Longest request body, in bytes.
    pub content_length_max: u64,
    /// Request bodies.
    pub in_flight: InFlightFigures,
    /// Commands that wait for the masters, as this node knows.
    pub pending_tasks: u64,
    /// How other nodes answer its searches.
    pub selection: Vec<SelectionFigures>,
}

impl NodeFigures {
    /// Processor time of the process since its start, as a part of all processors' time, 0 to 100.
    pub fn cpu_percent(&self) -> u64 {
        let all = self.uptime_ms().saturating_mul(self.processors);
        (100 * self.process.cpu_ms)
            .checked_div(all)
            .map_or(0, |percent| percent.min(100))
    }

    /// Since the process started, in ms.
    pub fn uptime_ms(&self) -> u64 {
        u64::try_from(self.now_ms - self.started_ms).unwrap_or(0)
    }
}

/// A class of work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolFigures {
    /// Its name.
    pub name: String,
    /// Most at one time.
    pub threads: u64,
    /// Most that may wait.
    pub queue_size: u64,
    /// Running now.
    pub active: u64,
    /// Waiting now.
    pub queue: u64,
    /// Done since the start.
    pub completed: u64,
    /// Refused since the start.
    pub rejected: u64,
    /// How long work waited since the start, in all, in ns.
    pub waited_nanos: u64,
}

impl From<PoolStats> for PoolFigures {
    fn from(stats: PoolStats) -> PoolFigures {
        PoolFigures {
            name: stats.name.to_owned(),
            threads: stats.threads as u64,
            queue_size: stats.queue_size as u64,
            active: stats.active as u64,
            queue: stats.queue as u64,
            completed: stats.completed as u64,
            rejected: stats.rejected as u64,
            waited_nanos: stats.waited_nanos,
        }
    }
}

/// Request bodies that a node holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InFlightFigures {
    /// Bytes now.
    pub current_bytes: u64,
    /// Bytes since the start.
    pub total_bytes: u64,
    /// Most bytes at one time.
    pub limit: u64,
    /// Requests that were refused since the start.
    pub rejections: u64,
}

/// How one node answers searches of another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SelectionFigures {
    /// Id of the node that is asked.
    pub node: String,
    /// Searches without an answer yet.
    pub outstanding: u64,
    /// Average time of a search, in ns.
    pub response_nanos: u64,
}
