//! The counters of shards, added up and shown in sections: `_stats`, `_nodes/stats`, `_cluster/stats`.

use std::collections::BTreeSet;

use quidditch_engine::segment::FilterCacheStats;
use quidditch_engine::shard::{OperationStats, SearchStats, ShardStats};
use serde_json::{Map, Value, json};

use super::{Params, RestError};
use crate::cluster::names::matches_pattern;

/// The sections of `_stats`: name in the path, key in the answer.
pub const SECTIONS: &[(&str, &str)] = &[
    ("docs", "docs"),
    ("store", "store"),
    ("indexing", "indexing"),
    ("get", "get"),
    ("search", "search"),
    ("merge", "merges"),
    ("refresh", "refresh"),
    ("flush", "flush"),
    ("warmer", "warmer"),
    ("query_cache", "query_cache"),
    ("fielddata", "fielddata"),
    ("completion", "completion"),
    ("segments", "segments"),
    ("translog", "translog"),
    ("request_cache", "request_cache"),
    ("recovery", "recovery"),
];

/// Which sections are wanted, and what of them.
#[derive(Clone, Debug, Default)]
pub struct Sections {
    names: BTreeSet<&'static str>,
    /// Patterns of the fields whose fielddata is shown apart.
    fielddata_fields: Vec<String>,
}

impl Sections {
    /// All of them, as a whole.
    pub fn all() -> Sections {
        Sections {
            names: SECTIONS.iter().map(|(name, _)| *name).collect(),
            fielddata_fields: Vec::new(),
        }
    }

    /// Reads a list of section names, `fields` and `fielddata_fields`.
    pub fn parse(names: &[String], path: &str, params: &Params) -> Result<Sections, RestError> {
        let mut fielddata_fields = params.list("fielddata_fields");
        fielddata_fields.extend(params.list("fields"));
        Ok(Sections {
            names: parse_names(names, path)?,
            fielddata_fields,
        })
    }
}

/// Reads a list of section names; `_all` and none mean all.
fn parse_names(names: &[String], path: &str) -> Result<BTreeSet<&'static str>, RestError> {
    let mut wanted = BTreeSet::new();
    if names.is_empty() || names.iter().any(|name| name == "_all") {
        if names.len() > 1 {
            return Err(RestError::illegal_argument(format!(
                "request [{path}] contains _all and individual metrics [{}]",
                names.join(",")
            )));
        }
        wanted.extend(SECTIONS.iter().map(|(name, _)| *name));
        return Ok(wanted);
    }
    for name in names {
        // Names of groups that exist elsewhere and have no counters here.
        if name == "suggest" || name == "status_counter" {
            continue;
        }
        match SECTIONS
            .iter()
            .find(|(known, key)| known == name || key == name)
        {
            Some((known, _)) => {
                wanted.insert(*known);
            }
            None => {
                return Err(unrecognized(
                    path,
                    "metric",
                    name,
                    SECTIONS.iter().map(|(name, _)| *name),
                ));
            }
        }
    }
    Ok(wanted)
}

/// `request [/x] contains unrecognized metric: [y] -> did you mean [z]?`
pub fn unrecognized<'a>(
    path: &str,
    what: &str,
    name: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> RestError {
    let hint = crate::coordination::dsl::suggest::did_you_mean(name, known);
    let hint = if hint.is_empty() {
        hint
    } else {
        format!(" ->{hint}")
    };
    RestError::illegal_argument(format!(
        "request [{path}] contains unrecognized {what}: [{name}]{hint}"
    ))
}

/// Adds the counters of one more shard.
pub fn add(sum: &mut ShardStats, more: &ShardStats) {
    let add_operations = |sum: &mut OperationStats, more: &OperationStats| {
        sum.total += more.total;
        sum.failed += more.failed;
        sum.time_ms += more.time_ms;
        sum.current += more.current;
    };
    sum.docs += more.docs;
    sum.deleted += more.deleted;
    sum.store_bytes += more.store_bytes;
    add_operations(&mut sum.indexing, &more.indexing);
    add_operations(&mut sum.deletes, &more.deletes);
    sum.noops += more.noops;
    add_operations(&mut sum.get_exists, &more.get_exists);
    add_operations(&mut sum.get_missing, &more.get_missing);
    let add_search = |sum: &mut SearchStats, more: &SearchStats| {
        add_operations(&mut sum.query, &more.query);
        add_operations(&mut sum.fetch, &more.fetch);
        add_operations(&mut sum.scroll, &more.scroll);
        add_operations(&mut sum.point_in_time, &more.point_in_time);
        sum.open_contexts += more.open_contexts;
    };
    add_search(&mut sum.search, &more.search);
    for (group, stats) in &more.search_groups {
        add_search(sum.search_groups.entry(group.clone()).or_default(), stats);
    }
    add_operations(&mut sum.refresh, &more.refresh);
    add_operations(&mut sum.flush, &more.flush);
    add_operations(&mut sum.merge, &more.merge);
    sum.merge_docs += more.merge_docs;
    sum.merge_bytes += more.merge_bytes;
    sum.segments += more.segments;
    sum.segments_bytes += more.segments_bytes;
    sum.buffer_bytes += more.buffer_bytes;
    for (field, bytes) in &more.fielddata {
        *sum.fielddata.entry(field.clone()).or_default() += bytes;
    }
    sum.filter_cache.add(&more.filter_cache);
    sum.version_map_bytes += more.version_map_bytes;
    sum.translog.operations += more.translog.operations;
    sum.translog.size_bytes += more.translog.size_bytes;
    sum.translog.uncommitted_operations += more.translog.uncommitted_operations;
    sum.translog.uncommitted_bytes += more.translog.uncommitted_bytes;
    sum.translog.earliest_age_ms = sum
        .translog
        .earliest_age_ms
        .max(more.translog.earliest_age_ms);
}

/// The wanted sections of some counters.
pub fn show(stats: &ShardStats, wanted: &Sections) -> Map<String, Value> {
    let mut shown = Map::new();
    for (name, key) in SECTIONS {
        if wanted.names.contains(name) {
            shown.insert((*key).to_owned(), section(name, stats, wanted));
        }
    }
    shown
}

fn show_search(stats: &SearchStats) -> Map<String, Value> {
    let shown = json!({
        "query_total": stats.query.total,
        "query_time_in_millis": stats.query.time_ms,
        "query_current": stats.query.current,
        "query_failed": stats.query.failed,
        "concurrent_query_total": 0,
        "concurrent_query_time_in_millis": 0,
        "concurrent_query_current": 0,
        "concurrent_avg_slice_count": 0.0,
        "fetch_total": stats.fetch.total,
        "fetch_time_in_millis": stats.fetch.time_ms,
        "fetch_current": stats.fetch.current,
        "scroll_total": stats.scroll.total,
        "scroll_time_in_millis": stats.scroll.time_ms,
        "scroll_current": stats.scroll.current,
        "point_in_time_total": stats.point_in_time.total,
        "point_in_time_time_in_millis": stats.point_in_time.time_ms,
        "point_in_time_current": stats.point_in_time.current,
        "suggest_total": 0, "suggest_time_in_millis": 0, "suggest_current": 0,
        "search_idle_reactivate_count_total": 0,
    });
    match shown {
        Value::Object(shown) => shown,
        _ => Map::new(),
    }
}

fn show_filter_cache(stats: &FilterCacheStats) -> Value {
    json!({
        "memory_size_in_bytes": stats.memory_bytes,
        "total_count": stats.hits + stats.misses,
        "hit_count": stats.hits,
        "miss_count": stats.misses,
        "cache_size": stats.entries,
        "cache_count": stats.entries_ever,
        "evictions": stats.evictions(),
    })
}

fn show_fielddata(stats: &ShardStats, wanted: &Sections) -> Value {
    let mut shown = json!({
        "memory_size_in_bytes": stats.fielddata_bytes(),
        "evictions": 0,
    });
    let mut by_field = Map::new();
    for (field, bytes) in &stats.fielddata {
        if wanted
            .fielddata_fields
            .iter()
            .any(|p| matches_pattern(p, field))
        {
            by_field.insert(field.clone(), json!({"memory_size_in_bytes": bytes}));
        }
    }
    if !by_field.is_empty() {
        shown["fields"] = Value::Object(by_field);
    }
    shown
}

fn section(name: &str, stats: &ShardStats, wanted: &Sections) -> Value {
    match name {
        "docs" => json!({"count": stats.docs, "deleted": stats.deleted}),
        "store" => json!({"size_in_bytes": stats.store_bytes, "reserved_in_bytes": 0}),
        "indexing" => json!({
            "index_total": stats.indexing.total,
            "index_time_in_millis": stats.indexing.time_ms,
            "index_current": stats.indexing.current,
            "index_failed": stats.indexing.failed,
            "delete_total": stats.deletes.total,
            "delete_time_in_millis": stats.deletes.time_ms,
            "delete_current": stats.deletes.current,
            "noop_update_total": stats.noops,
            "is_throttled": false,
            "throttle_time_in_millis": 0,
        }),
        "get" => json!({
            "total": stats.get_exists.total + stats.get_missing.total,
            "time_in_millis": stats.get_exists.time_ms + stats.get_missing.time_ms,
            "exists_total": stats.get_exists.total,
            "exists_time_in_millis": stats.get_exists.time_ms,
            "missing_total": stats.get_missing.total,
            "missing_time_in_millis": stats.get_missing.time_ms,
            "current": stats.get_exists.current + stats.get_missing.current,
        }),
        "search" => {
            let mut shown = show_search(&stats.search);
            shown.insert(
                "open_contexts".to_owned(),
                json!(stats.search.open_contexts),
            );
            if !stats.search_groups.is_empty() {
                let mut groups = Map::new();
                for (group, stats) in &stats.search_groups {
                    groups.insert(group.clone(), Value::Object(show_search(stats)));
                }
                shown.insert("groups".to_owned(), Value::Object(groups));
            }
            Value::Object(shown)
        }
        "merge" => json!({
            "current": stats.merge.current,
            "current_docs": 0,
            "current_size_in_bytes": 0,
            "total": stats.merge.total,
            "total_time_in_millis": stats.merge.time_ms,
            "total_docs": stats.merge_docs,
            "total_size_in_bytes": stats.merge_bytes,
            "total_stopped_time_in_millis": 0,
            "total_throttled_time_in_millis": 0,
            "total_auto_throttle_in_bytes": 0,
            "unreferenced_file_cleanups_performed": 0,
        }),
        "refresh" => json!({
            "total": stats.refresh.total,
            "total_time_in_millis": stats.refresh.time_ms,
            "external_total": stats.refresh.total,
            "external_total_time_in_millis": stats.refresh.time_ms,
            "listeners": 0,
        }),
        "flush" => json!({
            "total": stats.flush.total,
            "periodic": 0,
            "total_time_in_millis": stats.flush.time_ms,
        }),
        "warmer" => json!({"current": 0, "total": 0, "total_time_in_millis": 0}),
        "query_cache" => show_filter_cache(&stats.filter_cache),
        "fielddata" => show_fielddata(stats, wanted),
        "completion" => json!({"size_in_bytes": 0}),
        "segments" => json!({
            "count": stats.segments,
            "memory_in_bytes": 0,
            "terms_memory_in_bytes": 0,
            "stored_fields_memory_in_bytes": 0,
            "term_vectors_memory_in_bytes": 0,
            "norms_memory_in_bytes": 0,
            "points_memory_in_bytes": 0,
            "doc_values_memory_in_bytes": 0,
            "index_writer_memory_in_bytes": stats.buffer_bytes,
            "version_map_memory_in_bytes": stats.version_map_bytes,
            "fixed_bit_set_memory_in_bytes": 0,
            "max_unsafe_auto_id_timestamp": -1,
            "remote_store": {},
            "segment_replication": {},
            "file_sizes": {},
        }),
        "translog" => json!({
            "operations": stats.translog.operations,
            "size_in_bytes": stats.translog.size_bytes,
            "uncommitted_operations": stats.translog.uncommitted_operations,
            "uncommitted_size_in_bytes": stats.translog.uncommitted_bytes,
            "earliest_last_modified_age": stats.translog.earliest_age_ms,
            "remote_store": {},
        }),
        "request_cache" => json!({
            "memory_size_in_bytes": 0, "evictions": 0, "hit_count": 0, "miss_count": 0,
        }),
        _ => json!({
            "current_as_source": 0, "current_as_target": 0, "throttle_time_in_millis": 0,
        }),
    }
}
