//! `_cat/indices`.

use std::collections::BTreeMap;
use std::sync::Arc;

use quidditch_engine::shard::ShardStats;

use super::counters::{self, columns};
use super::page::PageRequest;
use super::table::{Cell, Table, hidden, shown};
use crate::cluster::{IndexState, IndicesOptions};
use crate::coordination::rest::cluster_health::count_index;
use crate::coordination::rest::index_body::show_date;
use crate::coordination::rest::shard_calls::{Which, stats_of};
use crate::coordination::rest::stats::Sums;
use crate::coordination::rest::{App, RestError, RestRequest, RestResponse, index_params};

/// Rows of a page of `_list/indices`: least, usual, most.
const PAGE_SIZES: (usize, usize, usize) = (1, 500, 5000);

pub(super) async fn indices(
    app: Arc<App>,
    request: RestRequest,
) -> Result<RestResponse, RestError> {
    index_params::timeouts(&request.params)?;
    let wanted_health = request.params.get("health").map(str::to_ascii_lowercase);
    if let Some(health) = &wanted_health
        && !["green", "yellow", "red"].contains(&health.as_str())
    {
        return Err(RestError::illegal_argument(format!(
            "unknown cluster health status [{health}]"
        )));
    }
    request.params.bool("pri", false)?;
    request.params.bool("include_unloaded_segments", false)?;
    let mut table = Table::new(vec![
        shown("health", "h", "current health status"),
        shown("status", "s", "open/close status"),
        shown("index", "i,idx", "index name"),
        shown("uuid", "id,uuid", "index uuid"),
        shown(
            "pri",
            "p,shards.primary,shardsPrimary",
            "number of primary shards",
        )
        .right(),
        shown(
            "rep",
            "r,shards.replica,shardsReplica",
            "number of replica shards",
        )
        .right(),
        shown("docs.count", "dc,docsCount", "available docs").right(),
        shown("docs.deleted", "dd,docsDeleted", "deleted docs").right(),
        hidden(
            "creation.date",
            "cd",
            "index creation date (millisecond value)",
        ),
        hidden(
            "creation.date.string",
            "cds",
            "index creation date (as string)",
        ),
        shown(
            "store.size",
            "ss,storeSize",
            "store size of primaries & replicas",
        )
        .right(),
        shown("pri.store.size", "", "store size of primaries").right(),
    ]);
    table.columns.extend(columns(counters::common(), ""));
    table.columns.extend(columns(counters::common(), "pri."));
    table
        .columns
        .push(hidden("memory.total", "tm,memoryTotal", "total used memory").right());
    table
        .columns
        .push(hidden("pri.memory.total", "", "total user memory").right());
    table.columns.push(hidden(
        "search.throttled",
        "sth",
        "indicates if the index is search throttled",
    ));
    if request.params.bool("help", false)? {
        return table.answer(&request);
    }
    let base = IndicesOptions {
        expand_closed: true,
        ..IndicesOptions::STRICT_EXPAND_OPEN
    };
    let (state, mut found) = index_params::resolve(&app, &request, base)?;
    if let Some(page) = PageRequest::parse(&request, PAGE_SIZES)? {
        let rows = found
            .into_iter()
            .map(|index| {
                let place = (index.metadata.creation_date, index.metadata.name.clone(), 0);
                (place, index)
            })
            .collect();
        let (rows, token) = page.cut(rows);
        found = rows;
        table.page = Some(("indices", token));
    }
    let calls = stats_of(&app, &state, &found, Which::Serving).await;
    let mut sums: BTreeMap<&str, Sums> = BTreeMap::new();
    for (asked, stats) in &calls.answers {
        sums.entry(&asked.target.index)
            .or_default()
            .add(asked, stats);
    }
    for resolved in &found {
        let index = &resolved.metadata;
        let status = count_index(&state, &index.name).status();
        if wanted_health
            .as_deref()
            .is_some_and(|wanted| wanted != status)
        {
            continue;
        }
        let stats = sums
            .get(index.name.as_str())
            .filter(|_| index.state == IndexState::Open);
        let all =
            |cell: &dyn Fn(&ShardStats) -> Cell| stats.map_or(Cell::None, |sums| cell(&sums.total));
        let of = |cell: &dyn Fn(&ShardStats) -> Cell| {
            stats.map_or(Cell::None, |sums| cell(&sums.primaries))
        };
        let mut row = vec![
            status.into(),
            index.state.name().into(),
            index.name.clone().into(),
            index.uuid.clone().into(),
            Cell::Number(index.number_of_shards.into()),
            Cell::Number(index.number_of_replicas.into()),
            of(&|stats| Cell::count(stats.docs)),
            of(&|stats| Cell::count(stats.deleted)),
            Cell::Number(index.creation_date),
            Cell::maybe(show_date(index.creation_date)),
            all(&|stats| Cell::Bytes(stats.store_bytes)),
            of(&|stats| Cell::Bytes(stats.store_bytes)),
        ];
        for counter in counters::common() {
            row.push(all(&counter.cell));
        }
        for counter in counters::common() {
            row.push(of(&counter.cell));
        }
        let memory = |stats: &ShardStats| Cell::Bytes(stats.buffer_bytes + stats.version_map_bytes);
        row.push(all(&memory));
        row.push(of(&memory));
        row.push(Cell::Text(index.flag("index.search.throttled").to_string()));
        table.rows.push(row);
    }
    table.answer(&request)
}
