//! The table of cluster settings: what users can write with `_cluster/settings`, with defaults and bounds.

use std::collections::BTreeMap;
use std::time::Duration;

use super::setting_values::{Kind, Scope, Setting, parse_time_ms};
use super::state::ClusterState;

macro_rules! setting {
    ($key:literal, $default:literal, $kind:expr, $scope:ident) => {
        Setting {
            key: $key,
            default: $default,
            kind: $kind,
            scope: Scope::$scope,
        }
    };
}

/// All cluster settings. What is not a row does not exist.
#[rustfmt::skip]
pub const CLUSTER_SETTINGS: &[Setting] = &[
    setting!("action.auto_create_index", "true", Kind::BoolOrPatterns, Dynamic),
    setting!("action.destructive_requires_name", "false", Kind::Bool, Dynamic),
    setting!("action.search.shard_count.limit", "9223372036854775807", Kind::Int(1, 9223372036854775807), Dynamic),
    setting!("cluster.blocks.read_only", "false", Kind::Bool, Dynamic),
    setting!("cluster.blocks.read_only_allow_delete", "false", Kind::Bool, Dynamic),
    setting!("cluster.blocks.create_index", "false", Kind::Bool, Dynamic),
    setting!("cluster.max_shards_per_node", "1000", Kind::Int(1, 2147483647), Dynamic),
    setting!("cluster.max_remote_capable_shards_per_node", "1000", Kind::Int(-1, 2147483647), Dynamic),
    setting!("cluster.default_number_of_replicas", "1", Kind::Int(0, 2147483647), Dynamic),
    setting!("cluster.default.index.refresh_interval", "-1", Kind::Time(-1), Dynamic),
    setting!("cluster.minimum.index.refresh_interval", "0s", Kind::Time(0), Dynamic),
    setting!("cluster.indices.close.enable", "true", Kind::Bool, Dynamic),
    setting!("cluster.info.update.interval", "30s", Kind::Time(10000), Dynamic),
    setting!("cluster.info.update.timeout", "15s", Kind::Time(0), Dynamic),
    setting!("cluster.metadata.*", "", Kind::Text, Dynamic),
    setting!("cluster.name", "quidditch", Kind::Text, Static),
    setting!("cluster.no_cluster_manager_block", "metadata_write", Kind::Choice(&["all", "write", "metadata_write"]), Dynamic),
    setting!("cluster.persistent_tasks.allocation.enable", "all", Kind::Choice(&["all", "none"]), Dynamic),
    setting!("cluster.persistent_tasks.allocation.recheck_interval", "30s", Kind::Time(10000), Dynamic),
    setting!("cluster.publish.timeout", "30s", Kind::Time(1), Dynamic),
    setting!("cluster.follower_lag.timeout", "90s", Kind::Time(1), Dynamic),
    setting!("cluster.auto_shrink_voting_configuration", "true", Kind::Bool, Dynamic),
    setting!("cluster.max_voting_config_exclusions", "10", Kind::Int(1, 2147483647), Dynamic),
    setting!("cluster.service.slow_cluster_manager_task_logging_threshold", "10s", Kind::Time(0), Dynamic),
    setting!("cluster.service.slow_master_task_logging_threshold", "10s", Kind::Time(0), Dynamic),
    setting!("cluster.routing.allocation.enable", "all", Kind::Choice(&["all", "primaries", "new_primaries", "none"]), Dynamic),
    setting!("cluster.routing.rebalance.enable", "all", Kind::Choice(&["all", "primaries", "replicas", "none"]), Dynamic),
    setting!("cluster.routing.allocation.allow_rebalance", "indices_all_active", Kind::Choice(&["always", "indices_primaries_active", "indices_all_active"]), Dynamic),
    setting!("cluster.routing.allocation.awareness.attributes", "", Kind::List, Dynamic),
    setting!("cluster.routing.allocation.awareness.balance", "false", Kind::Bool, Dynamic),
    setting!("cluster.routing.allocation.awareness.force.*", "", Kind::Text, Dynamic),
    setting!("cluster.routing.allocation.balance.index", "0.55", Kind::Float(0.0), Dynamic),
    setting!("cluster.routing.allocation.balance.shard", "0.45", Kind::Float(0.0), Dynamic),
    setting!("cluster.routing.allocation.balance.threshold", "1.0", Kind::Float(0.0), Dynamic),
    setting!("cluster.routing.allocation.balance.prefer_primary", "false", Kind::Bool, Dynamic),
    setting!("cluster.routing.allocation.cluster_concurrent_rebalance", "2", Kind::Int(-1, 2147483647), Dynamic),
    setting!("cluster.routing.allocation.cluster_concurrent_recoveries", "-1", Kind::Int(-1, 2147483647), Dynamic),
    setting!("cluster.routing.allocation.disk.threshold_enabled", "true", Kind::Bool, Dynamic),
    setting!("cluster.routing.allocation.disk.watermark.low", "85%", Kind::BytesOrRatio, Dynamic),
    setting!("cluster.routing.allocation.disk.watermark.high", "90%", Kind::BytesOrRatio, Dynamic),
    setting!("cluster.routing.allocation.disk.watermark.flood_stage", "95%", Kind::BytesOrRatio, Dynamic),
    setting!("cluster.routing.allocation.disk.watermark.enable_for_single_data_node", "false", Kind::Bool, Dynamic),
    setting!("cluster.routing.allocation.disk.include_relocations", "true", Kind::Bool, Dynamic),
    setting!("cluster.routing.allocation.disk.reroute_interval", "60s", Kind::Time(0), Dynamic),
    setting!("cluster.routing.allocation.exclude.*", "", Kind::Text, Dynamic),
    setting!("cluster.routing.allocation.include.*", "", Kind::Text, Dynamic),
    setting!("cluster.routing.allocation.require.*", "", Kind::Text, Dynamic),
    setting!("cluster.routing.allocation.node_concurrent_recoveries", "2", Kind::Int(0, 2147483647), Dynamic),
    setting!("cluster.routing.allocation.node_concurrent_incoming_recoveries", "2", Kind::Int(0, 2147483647), Dynamic),
    setting!("cluster.routing.allocation.node_concurrent_outgoing_recoveries", "2", Kind::Int(0, 2147483647), Dynamic),
    setting!("cluster.routing.allocation.node_initial_primaries_recoveries", "4", Kind::Int(0, 2147483647), Dynamic),
    setting!("cluster.routing.allocation.node_initial_replicas_recoveries", "4", Kind::Int(0, 2147483647), Dynamic),
    setting!("cluster.routing.allocation.same_shard.host", "false", Kind::Bool, Dynamic),
    setting!("cluster.routing.allocation.total_shards_per_node", "-1", Kind::Int(-1, 2147483647), Dynamic),
    setting!("cluster.routing.allocation.total_primary_shards_per_node", "-1", Kind::Int(-1, 2147483647), Dynamic),
    setting!("cluster.routing.allocation.type", "balanced", Kind::Text, Static),
    setting!("cluster.routing.use_adaptive_replica_selection", "true", Kind::Bool, Dynamic),
    setting!("cluster.routing.weighted.*", "", Kind::Text, Dynamic),
    setting!("cluster.search.ignore_awareness_attributes", "true", Kind::Bool, Dynamic),
    setting!("cluster.search.request.slowlog.level", "TRACE", Kind::Choice(&["trace", "debug", "info", "warn"]), Dynamic),
    setting!("cluster.search.request.slowlog.threshold.*", "", Kind::Time(-1), Dynamic),
    setting!("cluster.remote.*", "", Kind::Text, Unsupported),
    setting!("cluster_manager.throttling.thresholds.*", "", Kind::Text, Dynamic),
    setting!("cat.indices.response.limit.number_of_indices", "-1", Kind::Int(-1, 2147483647), Unsupported),
    setting!("cat.shards.response.limit.number_of_shards", "-1", Kind::Int(-1, 2147483647), Unsupported),
    setting!("cat.segments.response.limit.number_of_indices", "-1", Kind::Int(-1, 2147483647), Unsupported),
    setting!("gateway.slow_write_logging_threshold", "10s", Kind::Time(0), Dynamic),
    setting!("http.max_content_length", "100mb", Kind::Bytes { min: 0 }, Static),
    setting!("http.port", "9200", Kind::Text, Static),
    setting!("indices.breaker.fielddata.limit", "40%", Kind::BytesOrRatio, Dynamic),
    setting!("indices.breaker.fielddata.overhead", "1.03", Kind::Float(0.0), Dynamic),
    setting!("indices.breaker.request.limit", "60%", Kind::BytesOrRatio, Dynamic),
    setting!("indices.breaker.request.overhead", "1.0", Kind::Float(0.0), Dynamic),
    setting!("indices.breaker.total.limit", "95%", Kind::BytesOrRatio, Dynamic),
    setting!("indices.fielddata.cache.size", "-1", Kind::Text, Dynamic),
    setting!("indices.id_field_data.enabled", "true", Kind::Bool, Dynamic),
    setting!("indices.mapping.dynamic_timeout", "30s", Kind::Time(0), Dynamic),
    setting!("indices.mapping.max_in_flight_updates", "10", Kind::Int(1, 1000), Dynamic),
    setting!("indices.queries.cache.size", "10%", Kind::BytesOrRatio, Static),
    setting!("indices.query.bool.max_clause_count", "1024", Kind::Int(1, 2147483647), Dynamic),
    setting!("indices.query.query_string.allowLeadingWildcard", "true", Kind::Bool, Static),
    setting!("indices.recovery.max_bytes_per_sec", "40mb", Kind::Bytes { min: -1 }, Dynamic),
    setting!("indices.recovery.max_concurrent_file_chunks", "2", Kind::Int(1, 8), Dynamic),
    setting!("indices.recovery.max_concurrent_operations", "1", Kind::Int(1, 4), Dynamic),
    setting!("indices.recovery.max_concurrent_remote_store_streams", "20", Kind::Int(1, 2147483647), Dynamic),
    setting!("indices.recovery.retry_delay_network", "5s", Kind::Time(0), Dynamic),
    setting!("indices.recovery.retry_delay_state_sync", "500ms", Kind::Time(0), Dynamic),
    setting!("indices.recovery.recovery_activity_timeout", "30m", Kind::Time(0), Dynamic),
    setting!("indices.recovery.internal_action_timeout", "15m", Kind::Time(0), Dynamic),
    setting!("indices.recovery.internal_action_long_timeout", "30m", Kind::Time(0), Dynamic),
    setting!("indices.recovery.chunk_size", "512kb", Kind::Bytes { min: 1 }, Dynamic),
    setting!("indices.replication.max_bytes_per_sec", "-1", Kind::Bytes { min: -1 }, Dynamic),
    setting!("indices.requests.cache.size", "1%", Kind::BytesOrRatio, Static),
    setting!("indices.memory.index_buffer_size", "10%", Kind::BytesOrRatio, Static),
    setting!("ingest.grok.watchdog.interval", "1s", Kind::Time(0), Static),
    setting!("logger.*", "", Kind::Text, Dynamic),
    setting!("network.breaker.inflight_requests.limit", "100%", Kind::BytesOrRatio, Dynamic),
    setting!("network.breaker.inflight_requests.overhead", "2.0", Kind::Float(0.0), Dynamic),
    setting!("node.name", "", Kind::Text, Static),
    setting!("path.data", "", Kind::Text, Static),
    setting!("path.repo", "", Kind::List, Static),
    setting!("script.context.*", "", Kind::Text, Dynamic),
    setting!("script.max_compilations_rate", "75/5m", Kind::Text, Dynamic),
    setting!("script.max_size_in_bytes", "65535", Kind::Int(0, 2147483647), Dynamic),
    setting!("search.allow_expensive_queries", "true", Kind::Bool, Dynamic),
    setting!("search.cancel_after_time_interval", "-1", Kind::Time(-1), Dynamic),
    setting!("search.concurrent_segment_search.enabled", "false", Kind::Bool, Dynamic),
    setting!("search.concurrent_segment_search.mode", "none", Kind::Choice(&["none", "auto", "all"]), Dynamic),
    setting!("search.concurrent.max_slice_count", "0", Kind::Int(0, 2147483647), Dynamic),
    setting!("search.default_allow_partial_results", "true", Kind::Bool, Dynamic),
    setting!("search.default_keep_alive", "5m", Kind::Time(0), Dynamic),
    setting!("search.default_search_timeout", "-1", Kind::Time(-1), Dynamic),
    setting!("search.keep_alive_interval", "1m", Kind::Time(0), Static),
    setting!("search.low_level_cancellation", "true", Kind::Bool, Dynamic),
    setting!("search.max_aggregation_rewrite_filters", "3000", Kind::Int(0, 2147483647), Dynamic),
    setting!("search.max_buckets", "65535", Kind::Int(-1, 2147483647), Dynamic),
    setting!("search.max_keep_alive", "24h", Kind::Time(0), Dynamic),
    setting!("search.max_open_scroll_context", "500", Kind::Int(0, 2147483647), Dynamic),
    setting!("search.max_open_pit_context", "300", Kind::Int(0, 2147483647), Dynamic),
    setting!("search.max_pit_keep_alive", "24h", Kind::Time(0), Dynamic),
    setting!("search.phase_took_enabled", "false", Kind::Bool, Dynamic),
    setting!("search.query.max_query_string_length", "32000", Kind::Int(1, 2147483647), Dynamic),
    setting!("search.request_stats_enabled", "false", Kind::Bool, Dynamic),
    setting!("snapshot.max_concurrent_operations", "1000", Kind::Int(1, 2147483647), Dynamic),
    setting!("task_cancellation.duration_millis", "10000", Kind::Int(0, 9223372036854775807), Dynamic),
    setting!("task_cancellation.enabled", "true", Kind::Bool, Dynamic),
    setting!("task_resource_tracking.enabled", "true", Kind::Bool, Dynamic),
    setting!("transport.tracer.exclude", "", Kind::List, Dynamic),
    setting!("transport.tracer.include", "", Kind::List, Dynamic),
];

impl ClusterState {
    /// A cluster setting in force, or its default; empty when it has none.
    pub fn effective_setting(&self, key: &str) -> &str {
        if let Some(value) = self.cluster_setting(key) {
            return value;
        }
        CLUSTER_SETTINGS
            .iter()
            .find(|setting| setting.key == key)
            .map_or("", |setting| setting.default)
    }

    /// A length of time of a cluster setting in force; zero when it is none.
    pub fn setting_duration(&self, key: &str) -> Duration {
        let ms = parse_time_ms(self.effective_setting(key), key).unwrap_or(0);
        Duration::from_millis(u64::try_from(ms).unwrap_or(0))
    }

    /// A whole number of a cluster setting in force; `otherwise` when it has none.
    pub fn setting_number(&self, key: &str, otherwise: i64) -> i64 {
        self.effective_setting(key).parse().unwrap_or(otherwise)
    }
}

/// The defaults of all settings that nobody set, for `include_defaults`.
pub fn defaults_beside(state: &ClusterState) -> BTreeMap<String, String> {
    let mut defaults = BTreeMap::new();
    for setting in CLUSTER_SETTINGS {
        if !setting.key.ends_with('*') && state.cluster_setting(setting.key).is_none() {
            defaults.insert(setting.key.to_owned(), setting.default.to_owned());
        }
    }
    defaults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_passes_its_own_check() {
        for setting in CLUSTER_SETTINGS {
            if !setting.default.is_empty() {
                assert_eq!(
                    setting.check(setting.key, setting.default),
                    Ok(()),
                    "{}",
                    setting.key
                );
            }
        }
    }

    #[test]
    fn keys_are_unique() {
        let mut keys: Vec<&str> = CLUSTER_SETTINGS.iter().map(|setting| setting.key).collect();
        keys.sort_unstable();
        let count = keys.len();
        keys.dedup();
        assert_eq!(keys.len(), count);
    }
}
