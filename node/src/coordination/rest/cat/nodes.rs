//! Tables about nodes: `_cat/nodes`, `nodeattrs`, `allocation`, `cluster_manager`, `thread_pool`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::counters::{self, columns};
use super::table::{Cell, Column, Table, hidden, shown};
use crate::cluster::NodeId;
use crate::cluster::names::matches_pattern;
use crate::coordination::rest::node_calls::{NO_LIMIT, figures_of, shard_sums};
use crate::coordination::rest::{App, RestError, RestRequest, RestResponse, index_params, root};
use crate::nodes::PoolFigures;

/// One letter per role, sorted.
fn role_letters(roles: &[String]) -> String {
    let mut letters: Vec<char> = Vec::new();
    for role in roles {
        letters.push(match role.as_str() {
            "cluster_manager" => 'm',
            other => other.chars().next().unwrap_or('-'),
        });
    }
    letters.sort_unstable();
    if letters.is_empty() {
        "-".to_owned()
    } else {
        letters.into_iter().collect()
    }
}

pub(super) async fn nodes(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    index_params::timeouts(&request.params)?;
    let mut table = Table::new(vec![
        hidden("id", "nodeId", "unique node id"),
        hidden("pid", "p", "process id").right(),
        shown("ip", "i", "ip address"),
        hidden("port", "po", "bound transport port").right(),
        hidden("http_address", "http", "bound http address"),
        hidden("version", "v", "es version"),
        hidden("type", "t", "es distribution type"),
        hidden("build", "b", "es build hash"),
        hidden("jdk", "j", "jdk version"),
        hidden("disk.total", "dt,diskTotal", "total disk space").right(),
        hidden("disk.used", "du,diskUsed", "used disk space").right(),
        hidden("disk.avail", "d,da,disk,diskAvail", "available disk space").right(),
        hidden(
            "disk.used_percent",
            "dup,diskUsedPercent",
            "used disk space percentage",
        )
        .right(),
        hidden("heap.current", "hc,heapCurrent", "used heap").right(),
        shown("heap.percent", "hp,heapPercent", "used heap ratio").right(),
        hidden("heap.max", "hm,heapMax", "max configured heap").right(),
        hidden("ram.current", "rc,ramCurrent", "used machine memory").right(),
        shown("ram.percent", "rp,ramPercent", "used machine memory ratio").right(),
        hidden("ram.max", "rm,ramMax", "total machine memory").right(),
        hidden(
            "file_desc.current",
            "fdc,fileDescriptorCurrent",
            "used file descriptors",
        )
        .right(),
        hidden(
            "file_desc.percent",
            "fdp,fileDescriptorPercent",
            "used file descriptor ratio",
        )
        .right(),
        hidden(
            "file_desc.max",
            "fdm,fileDescriptorMax",
            "max file descriptors",
        )
        .right(),
        shown("cpu", "cpu", "recent cpu usage").right(),
        shown("load_1m", "l", "1m load avg").right(),
        shown("load_5m", "l", "5m load avg").right(),
        shown("load_15m", "l", "15m load avg").right(),
        hidden("uptime", "u", "node uptime").right(),
        shown(
            "node.role",
            "r,role,nodeRole",
            "m:cluster_manager eligible node, d:data node, i:ingest node, -:coordinating node only",
        ),
        shown("node.roles", "rs,all roles", "names of all roles"),
        shown(
            "cluster_manager",
            "cm,m,master",
            "*:current cluster manager",
        ),
        shown("name", "n", "node name"),
    ]);
    table.columns.extend(columns(counters::common(), ""));
    if request.params.bool("help", false)? {
        return table.answer(&request);
    }
    let full_id = request.params.bool("full_id", false)?;
    let state = app.state();
    let calls = figures_of(&app, &state, None, NO_LIMIT).await;
    let sums = shard_sums(&app, &state, NO_LIMIT).await;
    for (node, figures) in &calls.answers {
        let (process, machine, disk) = (&figures.process, &figures.machine, &figures.disk);
        let usable = figures.usable_memory;
        let id: String = if full_id {
            node.id.0.clone()
        } else {
            node.id.0.chars().take(4).collect()
        };
        let port = node
            .transport_address
            .rsplit_once(':')
            .map_or("", |(_, port)| port);
        let used = disk.total.saturating_sub(disk.available);
        let mut row = vec![
            id.into(),
            Cell::Number(i64::from(figures.pid)),
            node.ip.clone().into(),
            port.into(),
            node.http_address.clone().into(),
            node.version.clone().into(),
            "tar".into(),
            root::BUILD_HASH.into(),
            "-".into(),
            Cell::Bytes(disk.total),
            Cell::Bytes(used),
            Cell::Bytes(disk.available),
            Cell::Decimal(disk.used_percent()),
            Cell::Bytes(process.resident),
            Cell::count(100 * process.resident / usable.max(1)),
            Cell::Bytes(usable),
            Cell::Bytes(machine.memory_total.saturating_sub(machine.memory_free)),
            Cell::count(machine.memory_used_percent()),
            Cell::Bytes(machine.memory_total),
            Cell::count(process.open_files),
            Cell::count(100 * process.open_files / process.open_files_max.max(1)),
            Cell::count(process.open_files_max),
            Cell::count(figures.cpu_percent()),
            Cell::Decimal(machine.load[0]),
            Cell::Decimal(machine.load[1]),
            Cell::Decimal(machine.load[2]),
            Cell::Millis(figures.uptime_ms()),
            role_letters(&node.roles).into(),
            node.roles.join(",").into(),
            if node.id == state.master { "*" } else { "-" }.into(),
            node.name.clone().into(),
        ];
        row.extend(counters::common().map(|counter| (counter.cell)(sums.of(node))));
        table.rows.push(row);
    }
    table.answer(&request)
}

pub(super) async fn attributes(
    app: Arc<App>,
    request: RestRequest,
) -> Result<RestResponse, RestError> {
    index_params::timeouts(&request.params)?;
    let mut table = Table::new(vec![
        shown("node", "name", "node name"),
        hidden("id", "nodeId", "unique node id"),
        hidden("pid", "p", "process id"),
        shown("host", "h", "host name"),
        shown("ip", "i", "ip address"),
        hidden("port", "po", "bound transport port"),
        shown("attr", "attr.name", "attribute description"),
        shown("value", "attr.value", "attribute value"),
    ]);
    let state = app.state();
    let calls = figures_of(&app, &state, None, NO_LIMIT).await;
    for (node, figures) in &calls.answers {
        let port = node
            .transport_address
            .rsplit_once(':')
            .map_or("", |(_, port)| port);
        for (name, value) in &node.attributes {
            table.rows.push(vec![
                node.name.clone().into(),
                node.id.0.chars().take(4).collect::<String>().into(),
                Cell::Number(i64::from(figures.pid)),
                node.host.clone().into(),
                node.ip.clone().into(),
                port.into(),
                name.clone().into(),
                value.clone().into(),
            ]);
        }
    }
    table.answer(&request)
}

pub(super) async fn cluster_manager(
    app: Arc<App>,
    request: RestRequest,
) -> Result<RestResponse, RestError> {
    index_params::timeouts(&request.params)?;
    let mut table = Table::new(vec![
        shown("id", "", "node id"),
        shown("host", "h", "host name"),
        shown("ip", "", "ip address"),
        shown("node", "n", "node name"),
    ]);
    let state = app.state();
    if let Some(node) = state.nodes.get(&state.master) {
        table.rows.push(vec![
            node.id.0.clone().into(),
            node.host.clone().into(),
            node.ip.clone().into(),
            node.name.clone().into(),
        ]);
    }
    let is_old = request.path.ends_with("/master");
    let response = table.answer(&request)?;
    if is_old {
        return Ok(response.with_deprecation(
            "[GET /_cat/master] is deprecated! Use [GET /_cat/cluster_manager] instead.",
        ));
    }
    Ok(response)
}

pub(super) async fn allocation(
    app: Arc<App>,
    request: RestRequest,
) -> Result<RestResponse, RestError> {
    index_params::timeouts(&request.params)?;
    let mut table = Table::new(vec![
        shown("shards", "s", "number of shards on node").right(),
        shown(
            "disk.indices",
            "di,diskIndices",
            "disk used by OpenSearch indices",
        )
        .right(),
        shown(
            "disk.used",
            "du,diskUsed",
            "disk used (total, not just OpenSearch)",
        )
        .right(),
        shown("disk.avail", "da,diskAvail", "disk available").right(),
        shown(
            "disk.total",
            "dt,diskTotal",
            "total capacity of all volumes",
        )
        .right(),
        shown("disk.percent", "dp,diskPercent", "percent disk used").right(),
        shown("host", "h", "host of node"),
        shown("ip", "", "ip of node"),
        shown("node", "n", "name of node"),
    ]);
    let state = app.state();
    let wanted = request.var("node_id");
    // shards are on data nodes
    let calls = figures_of(&app, &state, wanted.or(Some("data:true")), NO_LIMIT).await;
    let sums = shard_sums(&app, &state, NO_LIMIT).await;
    let mut held: BTreeMap<&NodeId, i64> = BTreeMap::new();
    let mut unassigned = 0;
    for copies in state.routing.shards() {
        for copy in copies {
            match &copy.node {
                None => unassigned += 1,
                Some(node) => *held.entry(node).or_default() += 1,
            }
        }
    }
    for (node, figures) in &calls.answers {
        let disk = &figures.disk;
        table.rows.push(vec![
            Cell::Number(held.get(&node.id).copied().unwrap_or(0)),
            Cell::Bytes(sums.of(node).store_bytes),
            Cell::Bytes(disk.total.saturating_sub(disk.available)),
            Cell::Bytes(disk.available),
            Cell::Bytes(disk.total),
            Cell::Number(disk.used_percent() as i64),
            node.host.clone().into(),
            node.ip.clone().into(),
            node.name.clone().into(),
        ]);
    }
    if unassigned > 0 && wanted.is_none() {
        let mut row = vec![Cell::None; table.columns.len()];
        row[0] = Cell::Number(unassigned);
        row[8] = "UNASSIGNED".into();
        table.rows.push(row);
    }
    table.answer(&request)
}

fn pool_columns() -> Vec<Column> {
    vec![
        shown("node_name", "nn", "node name"),
        hidden("node_id", "id", "persistent node id"),
        hidden("ephemeral_node_id", "eid", "ephemeral node id"),
        hidden("pid", "p", "process id"),
        hidden("host", "h", "host name"),
        hidden("ip", "i", "ip address"),
        hidden("port", "po", "bound transport port"),
        shown("name", "n", "thread pool name"),
        hidden("type", "t", "thread pool type"),
        shown("active", "a", "number of active threads").right(),
        hidden("pool_size", "psz", "number of threads").right(),
        shown("queue", "q", "number of tasks currently in queue").right(),
        hidden(
            "queue_size",
            "qs",
            "maximum number of tasks permitted in queue",
        )
        .right(),
        shown("rejected", "r", "number of rejected tasks").right(),
        hidden("largest", "l", "highest number of seen active threads").right(),
        hidden("completed", "c", "number of completed tasks").right(),
        hidden(
            "total_wait_time",
            "twt",
            "total time tasks spent waiting in queue",
        )
        .right(),
        hidden(
            "core",
            "cr",
            "core number of threads in a scaling thread pool",
        )
        .right(),
        hidden(
            "max",
            "mx",
            "maximum number of threads in a scaling thread pool",
        )
        .right(),
        hidden("size", "sz", "number of threads in a fixed thread pool").right(),
        hidden("keep_alive", "ka", "thread keep alive time"),
    ]
}

pub(super) async fn thread_pool(
    app: Arc<App>,
    request: RestRequest,
) -> Result<RestResponse, RestError> {
    index_params::timeouts(&request.params)?;
    let mut table = Table::new(pool_columns());
    let wanted = request.list_var("thread_pool_patterns");
    let is_wanted = |pool: &PoolFigures| {
        let mut patterns = wanted.iter();
        wanted.is_empty() || patterns.any(|pattern| matches_pattern(pattern, &pool.name))
    };
    let state = app.state();
    let calls = figures_of(&app, &state, None, NO_LIMIT).await;
    for (node, figures) in &calls.answers {
        let port = node
            .transport_address
            .rsplit_once(':')
            .map_or("", |(_, port)| port);
        let mut pools: Vec<&PoolFigures> = figures.pools.iter().collect();
        pools.retain(|pool| is_wanted(pool));
        pools.sort_by_key(|pool| &pool.name);
        for pool in pools {
            table.rows.push(vec![
                node.name.clone().into(),
                node.id.0.clone().into(),
                node.ephemeral_id.clone().into(),
                Cell::Number(i64::from(figures.pid)),
                node.host.clone().into(),
                node.ip.clone().into(),
                port.into(),
                pool.name.clone().into(),
                "fixed".into(),
                Cell::count(pool.active),
                Cell::count(pool.threads),
                Cell::count(pool.queue),
                Cell::count(pool.queue_size),
                Cell::count(pool.rejected),
                Cell::count(pool.threads),
                Cell::count(pool.completed),
                Cell::Millis(pool.waited_nanos / 1_000_000),
                Cell::None,
                Cell::None,
                Cell::count(pool.threads),
                Cell::None,
            ]);
        }
    }
    table.answer(&request)
}
