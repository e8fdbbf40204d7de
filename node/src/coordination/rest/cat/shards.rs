//! `_cat/shards` and `_cat/segments`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::counters::{COUNTERS, Counter, columns};
use super::page::PageRequest;
use super::table::{Cell, Table, hidden, shown};
use crate::cluster::{ClusterState, IndicesOptions, ShardCopy};
use crate::coordination::rest::index_body::show_date;
use crate::coordination::rest::node_calls::{NO_LIMIT, figures_of};
use crate::coordination::rest::segments::SEGMENT_VERSION;
use crate::coordination::rest::segments::segments_of;
use crate::coordination::rest::shard_calls::{Which, stats_of};
use crate::coordination::rest::{App, RestError, RestRequest, RestResponse, index_params};

/// Counters that shards do not show.
const NOT_OF_SHARDS: [&str; 7] = [
    "request_cache.memory_size",
    "request_cache.evictions",
    "request_cache.hit_count",
    "request_cache.miss_count",
    "suggest.current",
    "suggest.time",
    "suggest.total",
];

fn shard_counters() -> impl Iterator<Item = &'static Counter> {
    COUNTERS
        .iter()
        .filter(|counter| !NOT_OF_SHARDS.contains(&counter.name))
}

/// The node of a copy; of one that moves also where it goes.
fn with_target(state: &ClusterState, copy: &ShardCopy, name: &str) -> String {
    let target = copy.relocating_node.as_ref();
    match target.and_then(|id| state.nodes.get(id)) {
        Some(to) => format!("{name} -> {} {} {}", to.ip, to.id, to.name),
        None => name.to_owned(),
    }
}

/// Where a copy that does not serve gets its data from.
fn recovery_of(copy: &ShardCopy) -> String {
    match (copy.recovery, copy.primary) {
        (Some(source), _) => source.name().to_lowercase(),
        (None, true) => "existing_store".to_owned(),
        (None, false) => "peer".to_owned(),
    }
}

/// Shards on a page of `_list/shards`: least, usual, most.
const PAGE_SIZES: (usize, usize, usize) = (2000, 2000, 20_000);

/// These come behind the sequence numbers.
fn is_warmer(counter: &Counter) -> bool {
    counter.name.starts_with("warmer.")
}

pub(super) async fn shards(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    index_params::timeouts(&request.params)?;
    let mut table = Table::new(vec![
        shown("index", "i,idx", "index name"),
        shown("shard", "s,sh", "shard name"),
        shown("prirep", "p,pr,primaryOrReplica", "primary or replica"),
        shown("state", "st", "shard state"),
        shown("docs", "d,dc", "number of docs in shard").right(),
        shown(
            "store",
            "sto",
            "store size of shard (how much disk it uses)",
        )
        .right(),
        shown("ip", "", "ip of node where it lives"),
        hidden("id", "", "unique id of node where it lives"),
        shown("node", "n", "name of node where it lives"),
        hidden("sync_id", "sync_id", "sync id"),
        hidden("unassigned.reason", "ur", "reason shard is unassigned"),
        hidden("unassigned.at", "ua", "time shard became unassigned (UTC)"),
        hidden("unassigned.for", "uf", "time has been unassigned").right(),
        hidden(
            "unassigned.details",
            "ud",
            "additional details as to why the shard became unassigned",
        ),
        hidden("recoverysource.type", "rs", "recovery source type"),
    ]);
    table
        .columns
        .extend(columns(shard_counters().filter(|c| !is_warmer(c)), ""));
    table.columns.extend([
        hidden("seq_no.max", "sqm,maxSeqNo", "max sequence number").right(),
        hidden(
            "seq_no.local_checkpoint",
            "sql,localCheckpoint",
            "local checkpoint",
        )
        .right(),
        hidden(
            "seq_no.global_checkpoint",
            "sqg,globalCheckpoint",
            "global checkpoint",
        )
        .right(),
    ]);
    table
        .columns
        .extend(columns(shard_counters().filter(|c| is_warmer(c)), ""));
    table.columns.extend([
        hidden("path.data", "pd,dataPath", "shard data path"),
        hidden("path.state", "ps,statsPath", "shard state path"),
        hidden("docs.deleted", "dd", "number of deleted docs in shard").right(),
    ]);
    if request.params.bool("help", false)? {
        return table.answer(&request);
    }
    let base = IndicesOptions {
        expand_closed: true,
        expand_hidden: true,
        ..IndicesOptions::STRICT_EXPAND_OPEN
    };
    let (state, found) = index_params::resolve(&app, &request, base)?;
    let calls = stats_of(&app, &state, &found, Which::Serving).await;
    let mut by_copy = BTreeMap::new();
    for (asked, stats) in &calls.answers {
        let target = &asked.target;
        by_copy.insert(
            (target.index.as_str(), target.shard, asked.node_id()),
            stats,
        );
    }
    let figures = figures_of(&app, &state, None, NO_LIMIT).await;
    let mut paths = BTreeMap::new();
    for (node, figures) in figures.answers {
        paths.insert(&node.id, figures.data_dir);
    }
    let now_ms = app.now_ms();
    let mut listed = Vec::new();
    for resolved in &found {
        let index = &resolved.metadata;
        for shard in 0..index.number_of_shards {
            let place = (index.creation_date, index.name.clone(), shard);
            listed.push((place, (index, shard)));
        }
    }
    let listed: Vec<_> = match PageRequest::parse(&request, PAGE_SIZES)? {
        Some(page) => {
            let (listed, token) = page.cut(listed);
            table.page = Some(("shards", token));
            listed
        }
        None => listed.into_iter().map(|(_, shard)| shard).collect(),
    };
    {
        for (index, shard) in listed {
            for copy in state.routing.counted(&index.name, shard) {
                let node = copy.node.as_ref().and_then(|id| state.nodes.get(id));
                let place = (index.name.as_str(), shard, copy.node.as_ref());
                let stats = by_copy
                    .get(&place)
                    .copied()
                    .filter(|_| copy.state.is_active());
                let unassigned = copy.unassigned.as_ref();
                let mut row = vec![
                    index.name.clone().into(),
                    Cell::Number(shard.into()),
                    if copy.primary { "p" } else { "r" }.into(),
                    copy.state.name().into(),
                    stats.map_or(Cell::None, |stats| Cell::count(stats.docs)),
                    stats.map_or(Cell::None, |stats| Cell::Bytes(stats.store_bytes)),
                    Cell::maybe(node.map(|node| node.ip.clone())),
                    Cell::maybe(node.map(|node| node.id.0.clone())),
                    Cell::maybe(node.map(|node| with_target(&state, copy, &node.name))),
                    Cell::None,
                    Cell::maybe(unassigned.map(|info| info.reason.clone())),
                    Cell::maybe(unassigned.and_then(|info| show_date(info.at_ms))),
                    unassigned.map_or(Cell::None, |info| {
                        Cell::Millis(u64::try_from(now_ms - info.at_ms).unwrap_or(0))
                    }),
                    Cell::maybe(unassigned.and_then(|info| info.details.clone())),
                    Cell::maybe(unassigned.map(|_| recovery_of(copy))),
                ];
                for counter in shard_counters().filter(|c| !is_warmer(c)) {
                    row.push(stats.map_or(Cell::None, counter.cell));
                }
                let own = node.and_then(|node| paths.get(&node.id));
                let path = own.filter(|_| stats.is_some());
                row.extend([
                    stats.map_or(Cell::None, |stats| Cell::Number(stats.max_seq_no)),
                    stats.map_or(Cell::None, |stats| Cell::Number(stats.local_checkpoint)),
                    stats.map_or(Cell::None, |stats| Cell::Number(stats.global_checkpoint)),
                ]);
                for counter in shard_counters().filter(|c| is_warmer(c)) {
                    row.push(stats.map_or(Cell::None, counter.cell));
                }
                row.extend([
                    Cell::maybe(path.cloned()),
                    Cell::maybe(path.cloned()),
                    stats.map_or(Cell::None, |stats| Cell::count(stats.deleted)),
                ]);
                table.rows.push(row);
            }
        }
    }
    table.answer(&request)
}

pub(super) async fn segments(
    app: Arc<App>,
    request: RestRequest,
) -> Result<RestResponse, RestError> {
    index_params::timeouts(&request.params)?;
    let mut table = Table::new(vec![
        shown("index", "i,idx", "index name"),
        shown("shard", "s,sh", "shard name"),
        shown("prirep", "p,pr,primaryOrReplica", "primary or replica"),
        shown("ip", "", "ip of node where it lives"),
        hidden("id", "", "unique id of node where it lives"),
        shown("segment", "seg", "segment name"),
        shown("generation", "g,gen", "segment generation").right(),
        shown("docs.count", "dc,docsCount", "number of docs in segment").right(),
        shown(
            "docs.deleted",
            "dd,docsDeleted",
            "number of deleted docs in segment",
        )
        .right(),
        shown("size", "si", "segment size in bytes").right(),
        shown("size.memory", "sm,sizeMemory", "segment memory in bytes").right(),
        shown("committed", "ic,isCommitted", "is segment committed"),
        shown("searchable", "is,isSearchable", "is segment searched"),
        shown("version", "v,ver", "version"),
        shown("compound", "ico,isCompound", "is segment compound"),
    ]);
    if request.params.bool("help", false)? {
        return table.answer(&request);
    }
    let (state, found) = index_params::resolve(
        &app,
        &request,
        IndicesOptions::STRICT_EXPAND_OPEN_FORBID_CLOSED,
    )?;
    let calls = segments_of(&app, &state, &found).await;
    for (asked, segments) in &calls.answers {
        let (target, node) = (&asked.target, asked.node(&state));
        for segment in segments {
            table.rows.push(vec![
                target.index.clone().into(),
                Cell::Number(target.shard.into()),
                if asked.copy.primary { "p" } else { "r" }.into(),
                Cell::maybe(node.map(|node| node.ip.clone())),
                Cell::maybe(node.map(|node| node.id.0.clone())),
                segment.name.clone().into(),
                Cell::count(segment.generation),
                Cell::count(segment.docs),
                Cell::count(segment.deleted),
                Cell::Bytes(segment.size_bytes),
                // As in the reference, whose segments keep nothing on the heap: a bare number.
                Cell::Number(0),
                segment.committed.to_string().into(),
                segment.search.to_string().into(),
                SEGMENT_VERSION.into(),
                "true".into(),
            ]);
        }
    }
    table.answer(&request)
}
