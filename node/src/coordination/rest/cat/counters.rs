//! The counter columns that `_cat/indices`, `_cat/shards` and `_cat/nodes` share.

use quidditch_engine::shard::ShardStats;

use super::table::{Cell, Column, hidden};

/// One counter: column name, short names, meaning, value.
pub struct Counter {
    /// Column.
    pub name: &'static str,
    /// Short names, separated by commas.
    pub aliases: &'static str,
    /// Meaning.
    pub description: &'static str,
    /// Its cell.
    pub cell: fn(&ShardStats) -> Cell,
}

macro_rules! counters {
    ($( $name:literal $aliases:literal $description:literal $cell:expr; )*) => {
        &[$( Counter { name: $name, aliases: $aliases, description: $description, cell: $cell }, )*]
    };
}

/// Counters that only `_cat/shards` shows.
pub fn is_of_shards_alone(name: &str) -> bool {
    name.starts_with("merges.warmer.")
        || name.starts_with("search.startree_")
        || [
            "search.query_failed",
            "search.search_idle_reactivate_count_total",
        ]
        .contains(&name)
}

/// The counters of nodes and indices.
pub fn common() -> impl Iterator<Item = &'static Counter> {
    COUNTERS
        .iter()
        .filter(|counter| !is_of_shards_alone(counter.name))
}

/// All counters, in the order of the reference.
#[rustfmt::skip]
pub const COUNTERS: &[Counter] = counters! {
    "completion.size" "cs,completionSize" "size of completion" |_| Cell::Bytes(0);
    "fielddata.memory_size" "fm,fielddataMemory" "used fielddata cache" |s| Cell::Bytes(s.fielddata_bytes());
    "fielddata.evictions" "fe,fielddataEvictions" "fielddata evictions" |_| Cell::Number(0);
    "query_cache.memory_size" "qcm,queryCacheMemory" "used query cache" |s| Cell::Bytes(s.filter_cache.memory_bytes);
    "query_cache.evictions" "qce,queryCacheEvictions" "query cache evictions" |s| Cell::count(s.filter_cache.evictions());
    "request_cache.memory_size" "rcm,requestCacheMemory" "used request cache" |_| Cell::Bytes(0);
    "request_cache.evictions" "rce,requestCacheEvictions" "request cache evictions" |_| Cell::Number(0);
    "request_cache.hit_count" "rchc,requestCacheHitCount" "request cache hit count" |_| Cell::Number(0);
    "request_cache.miss_count" "rcmc,requestCacheMissCount" "request cache miss count" |_| Cell::Number(0);
    "flush.total" "ft,flushTotal" "number of flushes" |s| Cell::count(s.flush.total);
    "flush.total_time" "ftt,flushTotalTime" "time spent in flush" |s| Cell::Millis(s.flush.time_ms);
    "get.current" "gc,getCurrent" "number of current get ops" |s| Cell::count(s.get_exists.current + s.get_missing.current);
    "get.time" "gti,getTime" "time spent in get" |s| Cell::Millis(s.get_exists.time_ms + s.get_missing.time_ms);
    "get.total" "gto,getTotal" "number of get ops" |s| Cell::count(s.get_exists.total + s.get_missing.total);
    "get.exists_time" "geti,getExistsTime" "time spent in successful gets" |s| Cell::Millis(s.get_exists.time_ms);
    "get.exists_total" "geto,getExistsTotal" "number of successful gets" |s| Cell::count(s.get_exists.total);
    "get.missing_time" "gmti,getMissingTime" "time spent in failed gets" |s| Cell::Millis(s.get_missing.time_ms);
    "get.missing_total" "gmto,getMissingTotal" "number of failed gets" |s| Cell::count(s.get_missing.total);
    "indexing.delete_current" "idc,indexingDeleteCurrent" "number of current deletions" |s| Cell::count(s.deletes.current);
    "indexing.delete_time" "idti,indexingDeleteTime" "time spent in deletions" |s| Cell::Millis(s.deletes.time_ms);
    "indexing.delete_total" "idto,indexingDeleteTotal" "number of delete ops" |s| Cell::count(s.deletes.total);
    "indexing.index_current" "iic,indexingIndexCurrent" "number of current indexing ops" |s| Cell::count(s.indexing.current);
    "indexing.index_time" "iiti,indexingIndexTime" "time spent in indexing" |s| Cell::Millis(s.indexing.time_ms);
    "indexing.index_total" "iito,indexingIndexTotal" "number of indexing ops" |s| Cell::count(s.indexing.total);
    "indexing.index_failed" "iif,indexingIndexFailed" "number of failed indexing ops" |s| Cell::count(s.indexing.failed);
    "merges.current" "mc,mergesCurrent" "number of current merges" |s| Cell::count(s.merge.current);
    "merges.current_docs" "mcd,mergesCurrentDocs" "number of current merging docs" |_| Cell::Number(0);
    "merges.current_size" "mcs,mergesCurrentSize" "size of current merges" |_| Cell::Bytes(0);
    "merges.total" "mt,mergesTotal" "number of completed merge ops" |s| Cell::count(s.merge.total);
    "merges.total_docs" "mtd,mergesTotalDocs" "docs merged" |s| Cell::count(s.merge_docs);
    "merges.total_size" "mts,mergesTotalSize" "size merged" |s| Cell::Bytes(s.merge_bytes);
    "merges.total_time" "mtt,mergesTotalTime" "time spent in merges" |s| Cell::Millis(s.merge.time_ms);
    "merges.warmer.total_invocations" "mswti,mergedSegmentWarmerTotalInvocations" "total invocations of merged segment warmer" |_| Cell::Number(0);
    "merges.warmer.total_time" "mswtt,mergedSegmentWarmerTotalTime" "total wallclock time spent in the warming operation" |_| Cell::Millis(0);
    "merges.warmer.ongoing_count" "mswoc,mergedSegmentWarmerOngoingCount" "point-in-time metric for number of in-progress warm operations" |_| Cell::Number(0);
    "merges.warmer.total_bytes_received" "mswtbr,mergedSegmentWarmerTotalBytesReceived" "total bytes received by a replica shard during the warm operation" |_| Cell::Bytes(0);
    "merges.warmer.total_bytes_sent" "mswtbs,mergedSegmentWarmerTotalBytesSent" "total bytes sent by a primary shard during the warm operation" |_| Cell::Bytes(0);
    "merges.warmer.total_receive_time" "mswtrt,mergedSegmentWarmerTotalReceiveTime" "total wallclock time spent receiving merged segments by a replica shard" |_| Cell::Millis(0);
    "merges.warmer.total_failure_count" "mswtfc,mergedSegmentWarmerTotalFailureCount" "total failures in merged segment warmer" |_| Cell::Number(0);
    "merges.warmer.total_send_time" "mswtst,mergedSegmentWarmerTotalSendTime" "total wallclock time spent sending merged segments by a primary shard" |_| Cell::Millis(0);
    "refresh.total" "rto,refreshTotal" "total refreshes" |s| Cell::count(s.refresh.total);
    "refresh.time" "rti,refreshTime" "time spent in refreshes" |s| Cell::Millis(s.refresh.time_ms);
    "refresh.external_total" "rto,refreshTotal" "total external refreshes" |s| Cell::count(s.refresh.total);
    "refresh.external_time" "rti,refreshTime" "time spent in external refreshes" |s| Cell::Millis(s.refresh.time_ms);
    "refresh.listeners" "rli,refreshListeners" "number of pending refresh listeners" |_| Cell::Number(0);
    "search.fetch_current" "sfc,searchFetchCurrent" "current fetch phase ops" |s| Cell::count(s.search.fetch.current);
    "search.fetch_time" "sfti,searchFetchTime" "time spent in fetch phase" |s| Cell::Millis(s.search.fetch.time_ms);
    "search.fetch_total" "sfto,searchFetchTotal" "total fetch ops" |s| Cell::count(s.search.fetch.total);
    "search.open_contexts" "so,searchOpenContexts" "open search contexts" |s| Cell::count(s.search.open_contexts);
    "search.query_current" "sqc,searchQueryCurrent" "current query phase ops" |s| Cell::count(s.search.query.current);
    "search.query_time" "sqti,searchQueryTime" "time spent in query phase" |s| Cell::Millis(s.search.query.time_ms);
    "search.query_total" "sqto,searchQueryTotal" "total query phase ops" |s| Cell::count(s.search.query.total);
    "search.query_failed" "sqf,searchQueryFailed" "failed query phase ops" |s| Cell::count(s.search.query.failed);
    "search.concurrent_query_current" "scqc,searchConcurrentQueryCurrent" "current concurrent query phase ops" |_| Cell::Number(0);
    "search.concurrent_query_time" "scqti,searchConcurrentQueryTime" "time spent in concurrent query phase" |_| Cell::Millis(0);
    "search.concurrent_query_total" "scqto,searchConcurrentQueryTotal" "total concurrent query phase ops" |_| Cell::Number(0);
    "search.concurrent_avg_slice_count" "casc,searchConcurrentAvgSliceCount" "average query concurrency" |_| Cell::Decimal(0.0);
    "search.startree_query_current" "stqc,startreeQueryCurrent" "current star tree query ops" |_| Cell::Number(0);
    "search.startree_query_time" "stqti,startreeQueryTime" "time spent in star tree queries" |_| Cell::Millis(0);
    "search.startree_query_total" "stqto,startreeQueryTotal" "total star tree resolved queries" |_| Cell::Number(0);
    "search.startree_query_failed" "stqf,startreeQueryFailed" "failed star tree queries" |_| Cell::Number(0);
    "search.scroll_current" "scc,searchScrollCurrent" "open scroll contexts" |s| Cell::count(s.search.scroll.current);
    "search.scroll_time" "scti,searchScrollTime" "time scroll contexts held open" |s| Cell::Millis(s.search.scroll.time_ms);
    "search.scroll_total" "scto,searchScrollTotal" "completed scroll contexts" |s| Cell::count(s.search.scroll.total);
    "search.point_in_time_current" "scc,searchPointInTimeCurrent" "open point in time contexts" |s| Cell::count(s.search.point_in_time.current);
    "search.point_in_time_time" "scti,searchPointInTimeTime" "time point in time contexts held open" |s| Cell::Millis(s.search.point_in_time.time_ms);
    "search.point_in_time_total" "scto,searchPointInTimeTotal" "completed point in time contexts" |s| Cell::count(s.search.point_in_time.total);
    "search.search_idle_reactivate_count_total" "ssirct,searchSearchIdleReactivateCountTotal" "number of times a shard reactivated" |_| Cell::Number(0);
    "segments.count" "sc,segmentsCount" "number of segments" |s| Cell::count(s.segments);
    "segments.memory" "sm,segmentsMemory" "memory used by segments" |_| Cell::Bytes(0);
    "segments.index_writer_memory" "siwm,segmentsIndexWriterMemory" "memory used by index writer" |s| Cell::Bytes(s.buffer_bytes);
    "segments.version_map_memory" "svmm,segmentsVersionMapMemory" "memory used by version map" |s| Cell::Bytes(s.version_map_bytes);
    "segments.fixed_bitset_memory" "sfbm,fixedBitsetMemory" "memory used by fixed bit sets for nested object field types and export type filters for types referred in _parent fields" |_| Cell::Bytes(0);
    "warmer.current" "wc,warmerCurrent" "current warmer ops" |_| Cell::Number(0);
    "warmer.total" "wto,warmerTotal" "total warmer ops" |_| Cell::Number(0);
    "warmer.total_time" "wtt,warmerTotalTime" "time spent in warmers" |_| Cell::Millis(0);
    "suggest.current" "suc,suggestCurrent" "number of current suggest ops" |_| Cell::Number(0);
    "suggest.time" "suti,suggestTime" "time spend in suggest" |_| Cell::Millis(0);
    "suggest.total" "suto,suggestTotal" "number of suggest ops" |_| Cell::Number(0);
};

/// The columns of some counters.
pub fn columns<'a>(counters: impl IntoIterator<Item = &'a Counter>, prefix: &str) -> Vec<Column> {
    let mut columns = Vec::new();
    for counter in counters {
        let aliases = if prefix.is_empty() {
            counter.aliases
        } else {
            ""
        };
        columns.push(
            hidden(
                &format!("{prefix}{}", counter.name),
                aliases,
                counter.description,
            )
            .right(),
        );
    }
    columns
}
