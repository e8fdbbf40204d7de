//! The smaller tables: health, count, aliases, templates, tasks, and those that are empty here.

use std::sync::Arc;

use super::table::{Cell, Table, hidden, shown};
use crate::cluster::IndicesOptions;
use crate::cluster::NodeId;
use crate::cluster::names::matches_pattern;
use crate::coordination::rest::cluster_health::{count_all, waiting_tasks};
use crate::coordination::rest::index_body::show_date;
use crate::coordination::rest::node_calls::{NO_LIMIT, shard_sums};
use crate::coordination::rest::response::ResponseBody;
use crate::coordination::rest::segments::recoveries;
use crate::coordination::rest::tasks::{begin_list, chosen as chosen_tasks};
use crate::coordination::rest::{App, Params, RestError, RestRequest, RestResponse, index_params};

/// Seconds since the epoch, and the time of day in UTC.
fn time_cells(now_ms: i64) -> [Cell; 2] {
    let seconds = now_ms.div_euclid(1000);
    let day = seconds.rem_euclid(86_400);
    [
        Cell::Number(seconds),
        format!("{:02}:{:02}:{:02}", day / 3600, day / 60 % 60, day % 60).into(),
    ]
}

pub(super) async fn health(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    let mut columns = vec![
        shown("epoch", "t,time", "seconds since 1970-01-01 00:00:00"),
        shown("timestamp", "ts,hms,hhmmss", "time in HH:MM:SS"),
    ];
    let with_time = request.params.bool("ts", true)?;
    if !with_time {
        columns.clear();
    }
    columns.extend([
        shown("cluster", "cl", "cluster name"),
        shown("status", "st", "health status"),
        shown("node.total", "nt,nodeTotal", "total number of nodes").right(),
        shown(
            "node.data",
            "nd,nodeData",
            "number of nodes that can store data",
        )
        .right(),
        shown(
            "discovered_cluster_manager",
            "dcm",
            "cluster manager is discovered or not",
        )
        .right(),
        shown(
            "shards",
            "t,sh,shards.total,shardsTotal",
            "total number of shards",
        )
        .right(),
        shown(
            "pri",
            "p,shards.primary,shardsPrimary",
            "number of primary shards",
        )
        .right(),
        shown(
            "relo",
            "r,shards.relocating,shardsRelocating",
            "number of relocating nodes",
        )
        .right(),
        shown(
            "init",
            "i,shards.initializing,shardsInitializing",
            "number of initializing nodes",
        )
        .right(),
        shown(
            "unassign",
            "u,shards.unassigned,shardsUnassigned",
            "number of unassigned shards",
        )
        .right(),
        shown(
            "pending_tasks",
            "pt,pendingTasks",
            "number of pending tasks",
        )
        .right(),
        shown(
            "max_task_wait_time",
            "mtwt,maxTaskWaitTime",
            "wait time of longest task pending",
        )
        .right(),
        shown(
            "active_shards_percent",
            "asp,activeShardsPercent",
            "active number of shards in percent",
        )
        .right(),
        hidden("discovered_master", "dm", "master is discovered or not").right(),
    ]);
    let mut table = Table::new(columns);
    let state = app.state();
    let counts = count_all(&state, state.indices.keys().map(String::as_str));
    let pending = waiting_tasks(&app).await.tasks;
    let is_led = app.masters.has_leader();
    let discovered = || Cell::from(if is_led { "true" } else { "false" });
    let mut row = Vec::new();
    if with_time {
        row.extend(time_cells(app.now_ms()));
    }
    row.extend([
        state.cluster_name.clone().into(),
        counts.status().into(),
        Cell::count(state.nodes.len() as u64),
        Cell::count(state.data_nodes().count() as u64),
        discovered(),
        Cell::count(counts.active),
        Cell::count(counts.active_primary),
        Cell::count(counts.relocating),
        Cell::count(counts.initializing),
        Cell::count(counts.unassigned),
        Cell::count(pending.len() as u64),
        match pending.iter().map(|task| task.waited_ms).max() {
            Some(waited) => Cell::Millis(waited),
            None => "-".into(),
        },
        format!("{:.1}%", counts.active_percent()).into(),
        discovered(),
    ]);
    table.rows.push(row);
    table.answer(&request)
}

/// What a table needs of a request once its body went to somebody else.
fn bare(request: &RestRequest) -> RestRequest {
    RestRequest {
        method: request.method.clone(),
        path: request.path.clone(),
        vars: request.vars.clone(),
        params: Params::default(),
        content_type: None,
        body: bytes::Bytes::new(),
        headers: request.headers.clone(),
    }
}

pub(super) async fn count(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    let mut table = Table::new(vec![
        shown("epoch", "t,time", "seconds since 1970-01-01 00:00:00"),
        shown("timestamp", "ts,hms,hhmmss", "time in HH:MM:SS"),
        shown("count", "dc,docs.count,docsCount", "the document count"),
    ]);
    if request.params.bool("help", false)? {
        return table.answer(&request);
    }
    let now_ms = app.now_ms();
    let mut asked = request;
    let query = std::mem::take(&mut asked.params);
    let request = RestRequest {
        params: query,
        ..bare(&asked)
    };
    let counted = crate::coordination::rest::count::count(app, asked).await?;
    let count = match &counted.body {
        ResponseBody::Json(json) => serde_json::from_slice::<serde_json::Value>(json)
            .ok()
            .and_then(|answer| answer.get("count")?.as_u64())
            .unwrap_or(0),
        _ => 0,
    };
    let [epoch, time] = time_cells(now_ms);
    table.rows.push(vec![epoch, time, Cell::count(count)]);
    table.answer(&request)
}

pub(super) async fn aliases(
    app: Arc<App>,
    request: RestRequest,
) -> Result<RestResponse, RestError> {
    let mut table = Table::new(vec![
        shown("alias", "a", "alias name"),
        shown("index", "i,idx", "index alias points to"),
        shown("filter", "f,fi", "filter"),
        shown("routing.index", "ri,routingIndex", "index routing"),
        shown("routing.search", "rs,routingSearch", "search routing"),
        shown("is_write_index", "w,isWriteIndex", "write index"),
    ]);
    let options = index_params::indices_options(
        &request.params,
        IndicesOptions {
            expand_closed: true,
            expand_hidden: true,
            ..IndicesOptions::STRICT_EXPAND_OPEN
        },
    )?;
    let wanted = request.list_var("name");
    let text = |value: Option<&str>| {
        Cell::Text(
            value
                .filter(|text| !text.is_empty())
                .unwrap_or("-")
                .to_owned(),
        )
    };
    for index in app.state().indices.values() {
        if index.is_hidden() && !options.expand_hidden {
            continue;
        }
        for (name, alias) in &index.aliases {
            if !wanted.is_empty()
                && !wanted
                    .iter()
                    .any(|pattern| pattern == "_all" || matches_pattern(pattern, name))
            {
                continue;
            }
            table.rows.push(vec![
                name.clone().into(),
                index.name.clone().into(),
                text(alias.filter.as_ref().map(|_| "*")),
                text(alias.index_routing.as_deref()),
                text(alias.search_routing.as_deref()),
                text(
                    alias
                        .is_write_index
                        .map(|flag| if flag { "true" } else { "false" }),
                ),
            ]);
        }
    }
    table.answer(&request)
}

pub(super) async fn templates(
    app: Arc<App>,
    request: RestRequest,
) -> Result<RestResponse, RestError> {
    index_params::timeouts(&request.params)?;
    let mut table = Table::new(vec![
        shown("name", "n", "template name"),
        shown("index_patterns", "t", "template index patterns"),
        shown("order", "o,p", "template application order/priority number"),
        shown("version", "v", "version"),
        shown(
            "composed_of",
            "c",
            "component templates comprising index template",
        ),
    ]);
    let state = app.state();
    let wanted = request.var("name");
    let is_wanted = |name: &str| wanted.is_none_or(|pattern| matches_pattern(pattern, name));
    for (name, template) in state
        .legacy_templates
        .iter()
        .filter(|(name, _)| is_wanted(name))
    {
        table.rows.push(vec![
            name.clone().into(),
            format!("[{}]", template.index_patterns.join(", ")).into(),
            Cell::Number(template.order.into()),
            template.version.map_or(Cell::None, Cell::Number),
            "".into(),
        ]);
    }
    for (name, template) in state
        .index_templates
        .iter()
        .filter(|(name, _)| is_wanted(name))
    {
        table.rows.push(vec![
            name.clone().into(),
            format!("[{}]", template.index_patterns.join(", ")).into(),
            Cell::Number(template.priority.unwrap_or(0)),
            template.version.map_or(Cell::None, Cell::Number),
            format!("[{}]", template.composed_of.join(", ")).into(),
        ]);
    }
    table.answer(&request)
}

pub(super) async fn pending_tasks(
    app: Arc<App>,
    request: RestRequest,
) -> Result<RestResponse, RestError> {
    index_params::timeouts(&request.params)?;
    let mut table = Table::new(vec![
        shown("insertOrder", "o", "task insertion order").right(),
        shown("timeInQueue", "t", "how long task has been in queue").right(),
        shown("priority", "p", "task priority"),
        shown("source", "s", "task source"),
    ]);
    for task in app.masters.pending_at_leader().await?.tasks {
        table.rows.push(vec![
            Cell::count(task.insert_order),
            Cell::Millis(task.waited_ms),
            "NORMAL".into(),
            task.source.into(),
        ]);
    }
    table.answer(&request)
}

pub(super) async fn plugins(
    _app: Arc<App>,
    request: RestRequest,
) -> Result<RestResponse, RestError> {
    index_params::timeouts(&request.params)?;
    Table::new(vec![
        hidden("id", "", "unique node id"),
        shown("name", "n", "node name"),
        shown("component", "c", "component"),
        shown("version", "v", "component version"),
        hidden("description", "d", "plugin details"),
    ])
    .answer(&request)
}

pub(super) async fn repositories(
    _app: Arc<App>,
    request: RestRequest,
) -> Result<RestResponse, RestError> {
    index_params::timeouts(&request.params)?;
    Table::new(vec![
        shown("id", "id,repoId", "unique repository id"),
        shown("type", "t,type", "repository type"),
    ])
    .answer(&request)
}

pub(super) async fn fielddata(
    app: Arc<App>,
    request: RestRequest,
) -> Result<RestResponse, RestError> {
    index_params::timeouts(&request.params)?;
    let mut table = Table::new(vec![
        shown("id", "", "node id"),
        shown("host", "h", "host name"),
        shown("ip", "", "ip address"),
        shown("node", "n", "node name"),
        shown("field", "f", "field name"),
        shown("size", "s", "field data usage").right(),
    ]);
    if request.params.bool("help", false)? {
        return table.answer(&request);
    }
    let mut wanted = request.list_var("fields");
    wanted.extend(request.params.list("fields"));
    let state = app.state();
    let sums = shard_sums(&app, &state, NO_LIMIT).await;
    for node in state.nodes.values() {
        for (field, bytes) in &sums.of(node).fielddata {
            if !wanted.is_empty() && !wanted.iter().any(|name| matches_pattern(name, field)) {
                continue;
            }
            table.rows.push(vec![
                node.id.0.clone().into(),
                node.host.clone().into(),
                node.ip.clone().into(),
                node.name.clone().into(),
                field.clone().into(),
                Cell::Bytes(*bytes),
            ]);
        }
    }
    table.answer(&request)
}

pub(super) async fn tasks(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    let mut table = Table::new(vec![
        hidden("id", "", "id of the task with the node"),
        shown("action", "ac", "task action"),
        shown("task_id", "ti", "unique task id"),
        shown("parent_task_id", "pti", "parent task id"),
        shown("type", "ty", "task type"),
        shown("start_time", "start", "start time in ms"),
        shown("timestamp", "ts,hms,hhmmss", "start time in HH:MM:SS"),
        hidden("running_time_ns", "", "running time ns").right(),
        shown("running_time", "time", "running time").right(),
        hidden("node_id", "ni", "unique node id"),
        shown("ip", "i", "ip address"),
        hidden("port", "po", "bound transport port"),
        shown("node", "n", "node name"),
        hidden("version", "v", "es version"),
        hidden("x_opaque_id", "x", "X-Opaque-ID header"),
        hidden("description", "desc", "task action"),
    ]);
    request.params.bool("detailed", false)?;
    if request.params.bool("help", false)? {
        return table.answer(&request);
    }
    // The list is a task itself.
    let own = begin_list(&app, &request);
    let state = app.state();
    for (node, tasks) in chosen_tasks(&app, &state, &request).await?.answers {
        let port = node
            .transport_address
            .rsplit_once(':')
            .map_or("", |(_, port)| port);
        for task in tasks {
            let [_, time] = time_cells(task.start_ms);
            table.rows.push(vec![
                Cell::count(task.id),
                task.action.clone().into(),
                task.name(&node.id).into(),
                "-".into(),
                "transport".into(),
                Cell::Number(task.start_ms),
                time,
                Cell::Number(i64::try_from(task.running_nanos).unwrap_or(i64::MAX)),
                Cell::Millis(task.running_nanos / 1_000_000),
                node.id.0.clone().into(),
                node.ip.clone().into(),
                port.into(),
                node.name.clone().into(),
                node.version.clone().into(),
                task.opaque_id.unwrap_or_else(|| "-".to_owned()).into(),
                task.description.into(),
            ]);
        }
    }
    drop(own);
    table.answer(&request)
}

/// How the shards that serve came up: all from this node's disk.
pub(super) async fn recovery(
    app: Arc<App>,
    request: RestRequest,
) -> Result<RestResponse, RestError> {
    let mut table = Table::new(vec![
        shown("index", "i,idx", "index name"),
        shown("shard", "s,sh", "shard name"),
        hidden("start_time", "start", "recovery start time"),
        hidden(
            "start_time_millis",
            "start_millis",
            "recovery start time in epoch milliseconds",
        ),
        hidden("stop_time", "stop", "recovery stop time"),
        hidden(
            "stop_time_millis",
            "stop_millis",
            "recovery stop time in epoch milliseconds",
        ),
        shown("time", "t,ti", "recovery time"),
        shown("type", "ty", "recovery type"),
        shown("stage", "st", "recovery stage"),
        shown("source_host", "shost", "source host"),
        shown("source_node", "snode", "source node name"),
        shown("target_host", "thost", "target host"),
        shown("target_node", "tnode", "target node name"),
        shown("repository", "rep", "repository"),
        shown("snapshot", "snap", "snapshot"),
        shown("files", "f", "number of files to recover"),
        shown("files_recovered", "fr", "files recovered"),
        shown("files_percent", "fp", "percent of files recovered"),
        shown("files_total", "tf", "total number of files"),
        shown("bytes", "b", "number of bytes to recover"),
        shown("bytes_recovered", "br", "bytes recovered"),
        shown("bytes_percent", "bp", "percent of bytes recovered"),
        shown("bytes_total", "tb", "total number of bytes"),
        shown("translog_ops", "to", "number of translog ops to recover"),
        shown("translog_ops_recovered", "tor", "translog ops recovered"),
        shown(
            "translog_ops_percent",
            "top",
            "percent of translog ops recovered",
        ),
    ]);
    request.params.bool("detailed", false)?;
    let active_only = request.params.bool("active_only", false)?;
    let (state, found) = index_params::resolve(&app, &request, IndicesOptions::STRICT_EXPAND)?;
    for (asked, summary) in recoveries(&app, &state, &found).await {
        if active_only && summary.is_done() {
            continue;
        }
        let ended_ms = summary.ended_ms();
        let (files_percent, bytes_percent) = summary.percents();
        let node = asked.node(&state);
        let source = summary.source_node.clone().map(NodeId);
        let source = source.and_then(|id| state.nodes.get(&id));
        let ended = |shown: Cell| match summary.is_done() {
            true => shown,
            false => Cell::maybe(None::<String>),
        };
        table.rows.push(vec![
            asked.target.index.clone().into(),
            Cell::Number(asked.target.shard.into()),
            Cell::maybe(show_date(summary.began_ms)),
            Cell::Number(summary.began_ms),
            ended(Cell::maybe(show_date(ended_ms))),
            ended(Cell::Number(ended_ms)),
            Cell::Millis(summary.took_ms),
            summary.kind.to_ascii_lowercase().into(),
            summary.stage.clone().into(),
            source.map_or("n/a".into(), |node| node.host.clone().into()),
            source.map_or("n/a".into(), |node| node.name.clone().into()),
            Cell::maybe(node.map(|node| node.host.clone())),
            Cell::maybe(node.map(|node| node.name.clone())),
            "n/a".into(),
            "n/a".into(),
            Cell::count(summary.files_lacking),
            Cell::count(summary.files_recovered),
            files_percent.into(),
            Cell::count(summary.files),
            Cell::Bytes(summary.bytes.saturating_sub(summary.bytes_reused)),
            Cell::Bytes(summary.bytes_recovered),
            bytes_percent.into(),
            Cell::Bytes(summary.bytes),
            Cell::count(summary.operations),
            Cell::count(summary.operations),
            "100.0%".into(),
        ]);
    }
    table.answer(&request)
}
