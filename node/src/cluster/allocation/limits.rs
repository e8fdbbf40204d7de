//! The cluster settings that allocation follows, read once.

use std::collections::BTreeSet;

use super::deciders::filter::Filters;
use crate::cluster::ClusterState;
use crate::cluster::setting_values::parse_bytes;

/// Which shards `*.routing.allocation.enable` lets be given to nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Enable {
    All,
    Primaries,
    NewPrimaries,
    None,
}

impl Enable {
    pub fn parse(text: &str) -> Enable {
        match text.to_ascii_lowercase().as_str() {
            "primaries" => Enable::Primaries,
            "new_primaries" => Enable::NewPrimaries,
            "none" => Enable::None,
            _ => Enable::All,
        }
    }
}

/// Which shards `*.routing.rebalance.enable` lets be moved for balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rebalance {
    All,
    Primaries,
    Replicas,
    None,
}

impl Rebalance {
    pub fn parse(text: &str) -> Rebalance {
        match text.to_ascii_lowercase().as_str() {
            "primaries" => Rebalance::Primaries,
            "replicas" => Rebalance::Replicas,
            "none" => Rebalance::None,
            _ => Rebalance::All,
        }
    }
}

/// How much of a disk may be used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Watermark {
    /// So much of it, 0 to 1.
    Used(f64),
    /// So much has to stay free.
    Free(u64),
}

impl Watermark {
    /// `85%`, `0.85` or `10gb`.
    pub fn parse(text: &str) -> Watermark {
        if let Some(percent) = text.strip_suffix('%')
            && let Ok(percent) = percent.trim().parse::<f64>()
        {
            return Watermark::Used(percent / 100.0);
        }
        if let Ok(ratio) = text.parse::<f64>()
            && (0.0..=1.0).contains(&ratio)
        {
            return Watermark::Used(ratio);
        }
        let bytes = parse_bytes(text, "watermark").unwrap_or(0);
        Watermark::Free(u64::try_from(bytes).unwrap_or(0))
    }

    /// Whether a disk with so much free is above it.
    pub fn is_passed(self, total: u64, free: u64) -> bool {
        match self {
            Watermark::Used(ratio) => {
                total > 0 && (total.saturating_sub(free)) as f64 > ratio * total as f64
            }
            Watermark::Free(bytes) => free < bytes,
        }
    }
}

/// The three watermarks, with their texts.
#[derive(Clone, Debug)]
pub(crate) struct Watermarks {
    pub low: (Watermark, String),
    pub high: (Watermark, String),
    pub flood: (Watermark, String),
}

/// The settings.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    pub enable: Enable,
    pub rebalance: Rebalance,
    /// `always`, `indices_primaries_active` or `indices_all_active`.
    pub allow_rebalance: String,
    pub incoming: usize,
    pub outgoing: usize,
    pub initial_primaries: usize,
    /// Moves for balance at a time; `None`: any number.
    pub rebalances: Option<usize>,
    /// Moves at a time; `None`: any number.
    pub moves: Option<usize>,
    pub same_host: bool,
    pub awareness: Vec<String>,
    /// How many values each of these attributes has: those of the nodes, and those that count although no node has them.
    pub awareness_values: Vec<usize>,
    /// `None`: disks are not looked at.
    pub disk: Option<Watermarks>,
    /// Whether a full disk keeps copies away: not from the only node there is.
    pub disk_decides: bool,
    pub shards_per_node: Option<usize>,
    pub primaries_per_node: Option<usize>,
    pub filters: Filters,
    pub balance_index: f64,
    pub balance_shard: f64,
    pub threshold: f64,
}

impl Limits {
    pub fn of(state: &ClusterState) -> Limits {
        let text = |key: &str| state.effective_setting(key).to_owned();
        let count = |key: &str| usize::try_from(state.setting_number(key, -1)).ok();
        let is_true = |key: &str| text(key) == "true";
        let float = |key: &str, otherwise: f64| text(key).parse().unwrap_or(otherwise);
        // one setting stands for both directions
        let both = count("cluster.routing.allocation.node_concurrent_recoveries").unwrap_or(2);
        let direction = |key: &str| {
            let is_set = state.cluster_setting(key).is_some();
            count(key).filter(|_| is_set).unwrap_or(both)
        };
        let awareness = state
            .setting_list("cluster.routing.allocation.awareness.attributes")
            .unwrap_or_default();
        let values_of = |attribute: &String| {
            let nodes = state.data_nodes();
            let mut values: BTreeSet<String> = nodes
                .filter_map(|node| node.attributes.get(attribute).cloned())
                .collect();
            let key = format!("cluster.routing.allocation.awareness.force.{attribute}.values");
            values.extend(state.setting_list(&key).unwrap_or_default());
            values.len()
        };
        let awareness_values = awareness.iter().map(values_of).collect();
        let is_enough_for_one =
            is_true("cluster.routing.allocation.disk.watermark.enable_for_single_data_node");
        let mark = |key: &str| {
            let text = text(key);
            (Watermark::parse(&text), text)
        };
        Limits {
            enable: Enable::parse(&text("cluster.routing.allocation.enable")),
            rebalance: Rebalance::parse(
                state.effective_setting("cluster.routing.rebalance.enable"),
            ),
            allow_rebalance: text("cluster.routing.allocation.allow_rebalance")
                .to_ascii_lowercase(),
            incoming: direction("cluster.routing.allocation.node_concurrent_incoming_recoveries"),
            outgoing: direction("cluster.routing.allocation.node_concurrent_outgoing_recoveries"),
            initial_primaries: count(
                "cluster.routing.allocation.node_initial_primaries_recoveries",
            )
            .unwrap_or(4),
            rebalances: count("cluster.routing.allocation.cluster_concurrent_rebalance"),
            moves: count("cluster.routing.allocation.cluster_concurrent_recoveries"),
            same_host: is_true("cluster.routing.allocation.same_shard.host"),
            awareness,
            awareness_values,
            disk_decides: is_enough_for_one || state.data_nodes().count() > 1,
            disk: is_true("cluster.routing.allocation.disk.threshold_enabled").then(|| {
                Watermarks {
                    low: mark("cluster.routing.allocation.disk.watermark.low"),
                    high: mark("cluster.routing.allocation.disk.watermark.high"),
                    flood: mark("cluster.routing.allocation.disk.watermark.flood_stage"),
                }
            }),
            shards_per_node: count("cluster.routing.allocation.total_shards_per_node")
                .filter(|limit| *limit > 0),
            primaries_per_node: count("cluster.routing.allocation.total_primary_shards_per_node")
                .filter(|limit| *limit > 0),
            filters: Filters::of_cluster(state),
            balance_index: float("cluster.routing.allocation.balance.index", 0.55),
            balance_shard: float("cluster.routing.allocation.balance.shard", 0.45),
            threshold: float("cluster.routing.allocation.balance.threshold", 1.0),
        }
    }
}
