//! The table of index settings: what users can write under `index.`, with defaults and bounds.

use std::collections::BTreeMap;

use super::error::StateError;
use super::setting_values::{Kind, Scope, Setting, find, unknown};

macro_rules! setting {
    ($key:literal, $default:literal, $kind:expr, $scope:ident) => {
        Setting {
            key: concat!("index.", $key),
            default: $default,
            kind: $kind,
            scope: Scope::$scope,
        }
    };
}

/// All index settings. What is not a row does not exist.
#[rustfmt::skip]
pub const INDEX_SETTINGS: &[Setting] = &[
    setting!("number_of_shards", "1", Kind::Int(1, 1024), Final),
    setting!("number_of_replicas", "1", Kind::Int(0, 2147483647), Dynamic),
    setting!("number_of_search_replicas", "0", Kind::Int(0, 0), Dynamic),
    setting!("number_of_routing_shards", "", Kind::Int(1, 2147483647), Final),
    setting!("routing_partition_size", "1", Kind::Int(1, 2147483647), Final),
    setting!("auto_expand_replicas", "false", Kind::AutoExpand, Dynamic),
    setting!("auto_expand_search_replicas", "false", Kind::AutoExpand, Unsupported),
    setting!("refresh_interval", "1s", Kind::Time(-1), Dynamic),
    setting!("hidden", "false", Kind::Bool, Dynamic),
    setting!("max_result_window", "10000", Kind::Int(1, 2147483647), Dynamic),
    setting!("max_inner_result_window", "100", Kind::Int(1, 2147483647), Dynamic),
    setting!("max_rescore_window", "10000", Kind::Int(1, 2147483647), Dynamic),
    setting!("max_docvalue_fields_search", "100", Kind::Int(0, 2147483647), Dynamic),
    setting!("max_script_fields", "32", Kind::Int(0, 2147483647), Dynamic),
    setting!("max_ngram_diff", "1", Kind::Int(0, 2147483647), Dynamic),
    setting!("max_shingle_diff", "3", Kind::Int(0, 2147483647), Dynamic),
    setting!("max_refresh_listeners", "1000", Kind::Int(0, 2147483647), Dynamic),
    setting!("max_slices_per_scroll", "1024", Kind::Int(1, 2147483647), Dynamic),
    setting!("max_slices_per_pit", "1024", Kind::Int(1, 2147483647), Dynamic),
    setting!("max_terms_count", "65536", Kind::Int(1, 2147483647), Dynamic),
    setting!("max_regex_length", "1000", Kind::Int(1, 2147483647), Dynamic),
    setting!("max_adjacency_matrix_filters", "100", Kind::Int(2, 2147483647), Dynamic),
    setting!("analyze.max_token_count", "10000", Kind::Int(1, 2147483647), Dynamic),
    setting!("highlight.max_analyzed_offset", "1000000", Kind::Int(1, 2147483647), Dynamic),
    setting!("blocks.read_only", "false", Kind::Bool, Dynamic),
    setting!("blocks.read_only_allow_delete", "false", Kind::Bool, Dynamic),
    setting!("blocks.read", "false", Kind::Bool, Dynamic),
    setting!("blocks.write", "false", Kind::Bool, Dynamic),
    setting!("blocks.metadata", "false", Kind::Bool, Dynamic),
    setting!("mapping.total_fields.limit", "1000", Kind::Int(1, 9223372036854775807), Dynamic),
    setting!("mapping.depth.limit", "20", Kind::Int(1, 9223372036854775807), Dynamic),
    setting!("mapping.field_name_length.limit", "50000", Kind::Int(1, 9223372036854775807), Dynamic),
    setting!("mapping.nested_fields.limit", "50", Kind::Int(0, 9223372036854775807), Dynamic),
    setting!("mapping.nested_objects.limit", "10000", Kind::Int(0, 9223372036854775807), Dynamic),
    setting!("mapping.ignore_malformed", "false", Kind::Bool, Static),
    setting!("mapping.coerce", "true", Kind::Bool, Static),
    setting!("mapping.single_type", "true", Kind::Bool, Static),
    setting!("mapper.dynamic", "true", Kind::Bool, Unsupported),
    setting!("query.default_field", "*", Kind::List, Dynamic),
    setting!("query.parse.allow_unmapped_fields", "true", Kind::Bool, Static),
    setting!("query.max_nested_depth", "20", Kind::Int(1, 2147483647), Dynamic),
    setting!("query_string.lenient", "false", Kind::Bool, Static),
    setting!("translog.durability", "REQUEST", Kind::Choice(&["request", "async"]), Dynamic),
    setting!("translog.sync_interval", "5s", Kind::Time(100), Dynamic),
    setting!("translog.flush_threshold_size", "512mb", Kind::Bytes { min: 55 }, Dynamic),
    setting!("translog.generation_threshold_size", "64mb", Kind::Bytes { min: 55 }, Dynamic),
    setting!("translog.retention.age", "-1", Kind::Time(-1), Dynamic),
    setting!("translog.retention.size", "-1", Kind::Bytes { min: -1 }, Dynamic),
    setting!("translog.retention.total_files", "100", Kind::Int(0, 2147483647), Dynamic),
    setting!("translog.read_forward", "false", Kind::Bool, Dynamic),
    setting!("flush_after_merge", "512mb", Kind::Bytes { min: 0 }, Dynamic),
    setting!("periodic_flush_interval", "-1", Kind::Time(-1), Dynamic),
    setting!("gc_deletes", "60s", Kind::Time(-1), Dynamic),
    setting!("search.idle.after", "30s", Kind::Time(0), Dynamic),
    setting!("search.throttled", "false", Kind::Bool, Dynamic),
    setting!("search.slowlog.threshold.*", "", Kind::Time(-1), Dynamic),
    setting!("search.slowlog.level", "TRACE", Kind::Choice(&["trace", "debug", "info", "warn"]), Dynamic),
    setting!("indexing.slowlog.threshold.*", "", Kind::Time(-1), Dynamic),
    setting!("indexing.slowlog.level", "TRACE", Kind::Choice(&["trace", "debug", "info", "warn"]), Dynamic),
    setting!("indexing.slowlog.reformat", "true", Kind::Bool, Dynamic),
    setting!("indexing.slowlog.source", "1000", Kind::Text, Dynamic),
    setting!("search.default_pipeline", "_none", Kind::Text, Unsupported),
    setting!("search.concurrent_segment_search.enabled", "false", Kind::Bool, Dynamic),
    setting!("search.concurrent_segment_search.mode", "none", Kind::Choice(&["none", "auto", "all"]), Dynamic),
    setting!("search.concurrent.max_slice_count", "0", Kind::Int(0, 2147483647), Dynamic),
    setting!("default_pipeline", "_none", Kind::Text, Unsupported),
    setting!("final_pipeline", "_none", Kind::Text, Unsupported),
    setting!("requests.cache.enable", "true", Kind::Bool, Dynamic),
    setting!("queries.cache.enabled", "true", Kind::Bool, Static),
    setting!("cache.query.enable", "true", Kind::Bool, Static),
    setting!("codec", "default", Kind::Choice(&["default", "lz4", "best_compression", "zlib", "zstd", "zstd_no_dict", "qat_lz4", "qat_deflate", "Lucene912", "Lucene103"]), Static),
    setting!("codec.compression_level", "3", Kind::Int(1, 6), Static),
    setting!("shard.check_on_startup", "false", Kind::Choice(&["false", "true", "checksum"]), Static),
    setting!("sort.*", "", Kind::Text, Unsupported),
    setting!("soft_deletes.enabled", "true", Kind::Bool, Final),
    setting!("soft_deletes.retention.operations", "0", Kind::Int(0, 9223372036854775807), Dynamic),
    setting!("soft_deletes.retention_lease.period", "12h", Kind::Time(0), Dynamic),
    setting!("load_fixed_bitset_filters_eagerly", "true", Kind::Bool, Static),
    setting!("store.type", "", Kind::Choice(&["fs", "hybridfs", "mmapfs", "niofs", "simplefs"]), Static),
    setting!("store.preload", "", Kind::List, Static),
    setting!("store.stats_refresh_interval", "10s", Kind::Time(0), Static),
    setting!("store.hybrid.mmap.extensions", "", Kind::List, Static),
    setting!("store.hybrid.nio.extensions", "", Kind::List, Static),
    setting!("store.fs.fs_lock", "native", Kind::Choice(&["native", "simple"]), Static),
    setting!("merge.policy", "default", Kind::Choice(&["default", "tiered", "log_byte_size"]), Static),
    setting!("merge.enabled", "true", Kind::Bool, Static),
    setting!("merge.policy.expunge_deletes_allowed", "10.0", Kind::Float(0.0), Dynamic),
    setting!("merge.policy.floor_segment", "16mb", Kind::Bytes { min: 1 }, Dynamic),
    setting!("merge.policy.max_merge_at_once", "30", Kind::Int(2, 2147483647), Dynamic),
    setting!("merge.policy.max_merge_at_once_explicit", "30", Kind::Int(2, 2147483647), Dynamic),
    setting!("merge.policy.max_merged_segment", "5gb", Kind::Bytes { min: 1 }, Dynamic),
    setting!("merge.policy.segments_per_tier", "10.0", Kind::Float(2.0), Dynamic),
    setting!("merge.policy.reclaim_deletes_weight", "2.0", Kind::Float(0.0), Dynamic),
    setting!("merge.policy.deletes_pct_allowed", "20.0", Kind::Float(5.0), Dynamic),
    setting!("merge.log_byte_size_policy.merge_factor", "10", Kind::Int(2, 2147483647), Dynamic),
    setting!("merge.log_byte_size_policy.min_merge", "2mb", Kind::Bytes { min: 0 }, Dynamic),
    setting!("merge.log_byte_size_policy.max_merge_segment", "5gb", Kind::Bytes { min: 0 }, Dynamic),
    setting!("merge.log_byte_size_policy.max_merge_segment_forced_merge", "-1", Kind::Bytes { min: -1 }, Dynamic),
    setting!("merge.log_byte_size_policy.max_merged_docs", "2147483647", Kind::Int(0, 2147483647), Dynamic),
    setting!("merge.log_byte_size_policy.no_cfs_ratio", "0.1", Kind::Float(0.0), Dynamic),
    setting!("merge.scheduler.max_thread_count", "1", Kind::Int(1, 2147483647), Dynamic),
    setting!("merge.scheduler.max_merge_count", "6", Kind::Int(1, 2147483647), Dynamic),
    setting!("merge.scheduler.auto_throttle", "true", Kind::Bool, Dynamic),
    setting!("reorder", "none", Kind::Choice(&["none", "light", "full"]), Dynamic),
    setting!("merge_on_flush.enabled", "true", Kind::Bool, Dynamic),
    setting!("merge_on_flush.max_full_flush_merge_wait_time", "10s", Kind::Time(0), Dynamic),
    setting!("merge_on_flush.policy", "default", Kind::Text, Dynamic),
    setting!("compound_format", "0.1", Kind::Text, Dynamic),
    setting!("compound_on_flush", "true", Kind::Bool, Dynamic),
    setting!("use_compound_file", "true", Kind::Bool, Dynamic),
    setting!("check_pending_flush.enabled", "true", Kind::Bool, Dynamic),
    setting!("optimize_auto_generated_id", "true", Kind::Bool, Dynamic),
    setting!("optimize_doc_id_lookup.fuzzy_set.enabled", "false", Kind::Bool, Dynamic),
    setting!("optimize_doc_id_lookup.fuzzy_set.false_positive_probability", "0.2", Kind::Float(0.01), Dynamic),
    setting!("unreferenced_file_cleanup.enabled", "true", Kind::Bool, Dynamic),
    setting!("warmer.enabled", "true", Kind::Bool, Dynamic),
    setting!("fielddata.cache", "node", Kind::Choice(&["node", "none"]), Static),
    setting!("priority", "1", Kind::Int(0, 2147483647), Dynamic),
    setting!("allocation.max_retries", "5", Kind::Int(0, 2147483647), Dynamic),
    setting!("allocation.existing_shards_allocator", "gateway_allocator", Kind::Text, Static),
    setting!("write.wait_for_active_shards", "1", Kind::ActiveShards, Dynamic),
    setting!("unassigned.node_left.delayed_timeout", "1m", Kind::Time(-1), Dynamic),
    setting!("recovery.initial_shards", "quorum", Kind::Text, Dynamic),
    setting!("recovery.type", "", Kind::Text, Static),
    setting!("routing.allocation.include.*", "", Kind::Text, Dynamic),
    setting!("routing.allocation.exclude.*", "", Kind::Text, Dynamic),
    setting!("routing.allocation.require.*", "", Kind::Text, Dynamic),
    setting!("routing.allocation.initial_recovery.*", "", Kind::Text, Dynamic),
    setting!("routing.allocation.enable", "all", Kind::Choice(&["all", "primaries", "new_primaries", "none"]), Dynamic),
    setting!("routing.allocation.total_shards_per_node", "-1", Kind::Int(-1, 2147483647), Dynamic),
    setting!("routing.allocation.total_primary_shards_per_node", "-1", Kind::Int(-1, 2147483647), Dynamic),
    setting!("routing.allocation.disable_allocation", "false", Kind::Bool, Dynamic),
    setting!("routing.rebalance.enable", "all", Kind::Choice(&["all", "primaries", "replicas", "none"]), Dynamic),
    setting!("replication.type", "DOCUMENT", Kind::Choice(&["document", "segment"]), Final),
    setting!("remote_store.enabled", "false", Kind::Bool, Unsupported),
    setting!("remote_store.segment.repository", "", Kind::Text, Unsupported),
    setting!("remote_store.translog.repository", "", Kind::Text, Unsupported),
    setting!("append_only.enabled", "false", Kind::Bool, Unsupported),
    setting!("derived_source.enabled", "false", Kind::Bool, Unsupported),
    setting!("derived_source.translog.enabled", "false", Kind::Bool, Unsupported),
    setting!("knn", "false", Kind::Bool, Unsupported),
    setting!("composite_index", "false", Kind::Bool, Unsupported),
    setting!("plugins.index_state_management.*", "", Kind::Text, Unsupported),
    setting!("opendistro.index_state_management.*", "", Kind::Text, Unsupported),
    setting!("bulk.adaptive_shard_selection.enabled", "false", Kind::Bool, Unsupported),
    setting!("context.*", "", Kind::Text, Unsupported),
    setting!("ingestion_source.*", "", Kind::Text, Unsupported),
    setting!("lifecycle.*", "", Kind::Text, Unsupported),
    setting!("data_path", "", Kind::Text, Unsupported),
    setting!("force_memory_term_dictionary", "false", Kind::Bool, Static),
    setting!("translog.ops_threshold", "-1", Kind::Text, Unsupported),
    setting!("analysis.*", "", Kind::Text, Static),
    setting!("similarity.*", "", Kind::Text, Static),
    setting!("verified_before_close", "false", Kind::Bool, Private),
    setting!("uuid", "", Kind::Text, Private),
    setting!("version.created", "", Kind::Text, Private),
    setting!("version.upgraded", "", Kind::Text, Private),
    setting!("creation_date", "", Kind::Text, Private),
    setting!("provided_name", "", Kind::Text, Private),
    setting!("history.uuid", "", Kind::Text, Private),
    setting!("shrink.source.*", "", Kind::Text, Private),
    setting!("split.source.*", "", Kind::Text, Private),
    setting!("resize.source.*", "", Kind::Text, Private),
    setting!("routing_num_shards", "", Kind::Text, Private),
];

/// Checks the settings of a new index or a template, each by its row.
///
/// * `by_user`: private settings are refused.
pub fn validate(settings: &BTreeMap<String, String>, by_user: bool) -> Result<(), StateError> {
    for (key, value) in settings {
        let Some(setting) = find(INDEX_SETTINGS, key) else {
            return Err(unknown(INDEX_SETTINGS, key));
        };
        match setting.scope {
            Scope::Private if by_user => {
                return Err(StateError::illegal_argument(format!(
                    "private index setting [{key}] can not be set explicitly"
                )));
            }
            Scope::Unsupported if !value.eq_ignore_ascii_case(setting.default) => {
                return Err(unsupported(key));
            }
            _ => setting.check(key, value)?,
        }
    }
    Ok(())
}

/// The refusal of a known setting that has no effect here.
pub fn unsupported(key: &str) -> StateError {
    StateError::illegal_argument(format!(
        "setting [{key}] is not supported; remove it or leave it at its default"
    ))
}

/// The value of an index setting that nobody set; `None` when it has none or is not known.
pub fn default_of(key: &str) -> Option<&'static str> {
    find(INDEX_SETTINGS, key)
        .map(|setting| setting.default)
        .filter(|default| !default.is_empty())
}

/// The defaults of all settings that `settings` does not set, for `include_defaults`.
pub fn defaults_beside(settings: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut defaults = BTreeMap::new();
    for setting in INDEX_SETTINGS {
        // A choice that nobody made is shown as such; empty lists and texts say nothing.
        let is_shown = (!setting.default.is_empty() || matches!(setting.kind, Kind::Choice(_)))
            && setting.scope != Scope::Private
            && !setting.key.ends_with('*');
        if is_shown && !settings.contains_key(setting.key) {
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
        for setting in INDEX_SETTINGS {
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
        let mut keys: Vec<&str> = INDEX_SETTINGS.iter().map(|setting| setting.key).collect();
        keys.sort_unstable();
        let count = keys.len();
        keys.dedup();
        assert_eq!(keys.len(), count);
    }

    #[test]
    fn groups_and_lists_cover_their_keys() {
        for (key, known) in [
            ("index.analysis.filter.f.type", true),
            ("index.query.default_field.0", true),
            ("index.query.default_field.x", false),
            ("index.number_of_shards.0", false),
            ("index.nope", false),
        ] {
            assert_eq!(find(INDEX_SETTINGS, key).is_some(), known, "{key}");
        }
    }
}
