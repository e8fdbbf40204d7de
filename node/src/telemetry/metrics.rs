//! Every metric, by name: `quidditch_<part>_<thing>_<unit>`, in base units, in Prometheus' text form.
//!
//! Counters count since the process started (those of shards: since the shard was opened). Labels come from closed sets.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text::encode};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};
use quidditch_engine::shard::OperationStats;

use super::figures::{ClusterFigures, Figures, RaftFigures, RestFigures, ShardFigures};
use crate::coordination::rest::machine_stats::Process;
use crate::data::pool::PoolStats;

/// What the text is, for the `content-type` of an answer.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The figures as text.
pub fn text(figures: Figures) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("quidditch");
    registry.register_collector(Box::new(figures));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

impl Collector for Figures {
    fn encode(&self, encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let mut out = Out(encoder);
        out.info(self)?;
        out.process(&self.process)?;
        out.cluster(&self.cluster)?;
        if let Some(raft) = &self.raft {
            out.raft(raft)?;
        }
        if let Some(shards) = &self.shards {
            out.shards(shards)?;
        }
        out.pools(&self.pools)?;
        match &self.rest {
            Some(rest) => out.rest(rest),
            None => Ok(()),
        }
    }
}

struct Out<'a>(DescriptorEncoder<'a>);

type Written = Result<(), fmt::Error>;

/// A value and its kind.
#[derive(Clone, Copy)]
enum Value {
    Gauge(u64),
    Counter(u64),
    /// Seconds that only grow, from milliseconds.
    Seconds(u64),
}

impl Value {
    fn kind(self) -> MetricType {
        match self {
            Value::Gauge(_) => MetricType::Gauge,
            Value::Counter(_) | Value::Seconds(_) => MetricType::Counter,
        }
    }

    fn encode(self, mut encoder: MetricEncoder) -> Written {
        match self {
            Value::Gauge(value) => encoder.encode_gauge(&value),
            Value::Counter(value) => encoder.encode_counter::<NoLabelSet, _, u64>(&value, None),
            Value::Seconds(ms) => {
                encoder.encode_counter::<NoLabelSet, _, u64>(&(ms as f64 / 1000.0), None)
            }
        }
    }
}

impl Out<'_> {
    fn one(&mut self, name: &str, help: &str, unit: Option<Unit>, value: Value) -> Written {
        let encoder = self
            .0
            .encode_descriptor(name, help, unit.as_ref(), value.kind())?;
        value.encode(encoder)
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) -> Written {
        self.one(name, help, None, Value::Gauge(value))
    }

    fn bytes(&mut self, name: &str, help: &str, value: u64) -> Written {
        self.one(name, help, Some(Unit::Bytes), Value::Gauge(value))
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) -> Written {
        self.one(name, help, None, Value::Counter(value))
    }

    /// One metric with a label; its values are all of one kind.
    fn family(
        &mut self,
        (name, unit): (&str, Option<Unit>),
        help: &str,
        label: &str,
        values: &[(&str, Value)],
    ) -> Written {
        let Some((_, first)) = values.first() else {
            return Ok(());
        };
        let mut encoder = self
            .0
            .encode_descriptor(name, help, unit.as_ref(), first.kind())?;
        for (label_value, value) in values {
            value.encode(encoder.encode_family(&[(label, *label_value)])?)?;
        }
        Ok(())
    }

    fn info(&mut self, figures: &Figures) -> Written {
        let labels = [
            ("role", figures.role.name()),
            ("version", env!("CARGO_PKG_VERSION")),
            ("simd", quidditch_engine::simd::level_name()),
        ];
        let mut encoder = self.0.encode_descriptor(
            "node_build",
            "What runs here; always 1",
            None,
            MetricType::Gauge,
        )?;
        encoder.encode_family(&labels)?.encode_gauge(&1u64)
    }

    fn process(&mut self, process: &Process) -> Written {
        self.bytes("process_resident", "Memory in use", process.resident)?;
        self.bytes("process_virtual", "Address space", process.virtual_size)?;
        self.gauge("process_threads", "Threads", process.threads)?;
        self.gauge(
            "process_open_files",
            "Open file descriptors",
            process.open_files,
        )?;
        self.gauge(
            "process_open_files_max",
            "File descriptors that may be open",
            process.open_files_max,
        )?;
        self.one(
            "process_cpu",
            "Processor time",
            Some(Unit::Seconds),
            Value::Seconds(process.cpu_ms),
        )
    }

    fn cluster(&mut self, cluster: &ClusterFigures) -> Written {
        let gauges = |counts: &std::collections::BTreeMap<&'static str, u64>| {
            let values = counts.iter();
            values
                .map(|(name, count)| (*name, Value::Gauge(*count)))
                .collect::<Vec<_>>()
        };
        self.gauge(
            "cluster_state_version",
            "Version of the cluster state that this process follows",
            cluster.version,
        )?;
        self.gauge("cluster_indices", "Indices", cluster.indices)?;
        self.family(
            ("cluster_nodes", None),
            "Nodes of the cluster by role; one that has several counts for each",
            "role",
            &gauges(&cluster.nodes),
        )?;
        self.family(
            ("cluster_shard_copies", None),
            "Shard copies of the cluster by state",
            "state",
            &gauges(&cluster.copies),
        )?;
        self.gauge(
            "cluster_primaries_inactive",
            "Shards whose primary does not serve; the cluster is red while there are any",
            cluster.primaries_inactive,
        )?;
        self.gauge(
            "cluster_tasks_pending",
            "Changes of the cluster state that wait, as far as this process knows",
            cluster.pending_tasks,
        )
    }

    fn raft(&mut self, raft: &RaftFigures) -> Written {
        self.gauge("raft_term", "Current term", raft.term)?;
        self.gauge(
            "raft_is_leader",
            "1 on the leader",
            u64::from(raft.is_leader),
        )?;
        self.gauge(
            "raft_has_leader",
            "1 while this master knows a leader",
            u64::from(raft.knows_leader),
        )?;
        self.gauge("raft_last_index", "Last entry of the log", raft.last_index)?;
        self.gauge(
            "raft_committed_index",
            "Last entry that a majority has",
            raft.committed_index,
        )?;
        self.gauge(
            "raft_applied_index",
            "Last entry in this master's state",
            raft.applied_index,
        )?;
        self.gauge(
            "raft_snapshot_index",
            "Last entry of the newest snapshot",
            raft.snapshot_index,
        )?;
        self.bytes(
            "raft_log",
            "Entries of the log that are kept",
            raft.log_bytes,
        )?;
        self.gauge("raft_voters", "Masters that vote", raft.voters)?;
        self.gauge("raft_learners", "Masters that only follow", raft.learners)
    }

    fn shards(&mut self, shards: &ShardFigures) -> Written {
        let total = &shards.total;
        self.gauge(
            "shard_copies",
            "Open shard copies of this node",
            shards.copies,
        )?;
        self.gauge("shard_docs", "Live documents", total.docs)?;
        self.gauge(
            "shard_docs_deleted",
            "Dead documents still in segments",
            total.deleted,
        )?;
        self.gauge("shard_segments", "Segments", total.segments)?;
        self.bytes("shard_store", "Segments and translogs", total.store_bytes)?;
        self.bytes(
            "shard_buffer",
            "Documents not refreshed yet",
            total.buffer_bytes,
        )?;
        self.bytes(
            "shard_version_map",
            "Live version maps",
            total.version_map_bytes,
        )?;
        self.bytes(
            "translog_size",
            "Translog files that recovery would replay",
            total.translog.size_bytes,
        )?;
        self.gauge(
            "translog_operations",
            "Operations that recovery would replay: those that no commit point holds",
            total.translog.operations,
        )?;
        self.gauge(
            "translog_unsynced_operations",
            "Operations done that are not on disk yet",
            shards.unsynced_operations,
        )?;
        self.operations(&[
            ("index", &total.indexing),
            ("delete", &total.deletes),
            ("get_found", &total.get_exists),
            ("get_missing", &total.get_missing),
            ("refresh", &total.refresh),
            ("flush", &total.flush),
            ("merge", &total.merge),
            ("query", &total.search.query),
            ("fetch", &total.search.fetch),
        ])?;
        self.counter("merge_docs", "Documents merged", total.merge_docs)?;
        self.one(
            "merge_read",
            "Bytes merged",
            Some(Unit::Bytes),
            Value::Counter(total.merge_bytes),
        )?;
        self.gauge(
            "search_open_contexts",
            "Readers that searches keep open",
            total.search.open_contexts,
        )
    }

    /// What shards do, each kind of work a label.
    fn operations(&mut self, operations: &[(&str, &OperationStats)]) -> Written {
        type Pick = fn(&OperationStats) -> Value;
        let picks: [(&str, Option<Unit>, &str, Pick); 4] = [
            ("shard_operations", None, "Operations done", |stats| {
                Value::Counter(stats.total)
            }),
            (
                "shard_operations_failed",
                None,
                "Operations refused",
                |stats| Value::Counter(stats.failed),
            ),
            (
                "shard_operations_current",
                None,
                "Operations under way",
                |stats| Value::Gauge(stats.current),
            ),
            (
                "shard_operations_time",
                Some(Unit::Seconds),
                "Time that operations took",
                |stats| Value::Seconds(stats.time_ms),
            ),
        ];
        for (name, unit, help, pick) in picks {
            let values: Vec<(&str, Value)> = operations
                .iter()
                .map(|(operation, stats)| (*operation, pick(stats)))
                .collect();
            self.family((name, unit), help, "operation", &values)?;
        }
        Ok(())
    }

    fn pools(&mut self, pools: &[PoolStats]) -> Written {
        type Pick = fn(&PoolStats) -> Value;
        let picks: [(&str, &str, Pick); 4] = [
            ("pool_active", "Threads at work", |pool| {
                Value::Gauge(pool.active as u64)
            }),
            ("pool_queue", "Work that waits", |pool| {
                Value::Gauge(pool.queue as u64)
            }),
            ("pool_completed", "Work done", |pool| {
                Value::Counter(pool.completed as u64)
            }),
            ("pool_rejected", "Work refused", |pool| {
                Value::Counter(pool.rejected as u64)
            }),
        ];
        for (name, help, pick) in picks {
            let values: Vec<(&str, Value)> =
                pools.iter().map(|pool| (pool.name, pick(pool))).collect();
            self.family((name, None), help, "pool", &values)?;
        }
        Ok(())
    }

    fn rest(&mut self, rest: &RestFigures) -> Written {
        self.gauge(
            "http_connections_open",
            "Open connections of clients",
            rest.connections_open,
        )?;
        self.counter(
            "http_connections",
            "Connections of clients since the start",
            rest.connections_opened,
        )?;
        self.bytes("http_bodies", "Request bodies in memory", rest.body_bytes)?;
        self.counter(
            "http_rejections",
            "Requests refused for lack of room for their bodies",
            rest.rejections,
        )
    }
}
