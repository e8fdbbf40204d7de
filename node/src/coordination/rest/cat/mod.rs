//! `_cat`: tables for people. One file per family of tables, one row of `ENDPOINTS` each.

pub mod counters;
mod indices;
mod nodes;
mod others;
mod page;
mod shards;
pub mod table;

use std::sync::Arc;

use hyper::Method;

use super::{App, Endpoint, RestError, RestRequest, RestResponse};
use crate::coordination::rest::endpoints::MASTER_PARAMS;

macro_rules! cat {
    ($name:literal, [$($path:literal),*], [$($param:literal),*], $run:path) => {
        Endpoint {
            name: $name,
            routes: &[$((Method::GET, $path)),*],
            params: &[MASTER_PARAMS, &["bytes", "h", "help", "local", "s", "time", "v", $($param),*]],
            handler: |app, request| Box::pin($run(app, request)),
        }
    };
}

#[rustfmt::skip]
pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        name: "cat.help",
        routes: &[(Method::GET, "/_cat")],
        params: &[&["help", "s"]],
        handler: |app, request| Box::pin(list(app, request)),
    },
    cat!("cat.aliases", ["/_cat/aliases", "/_cat/aliases/{name}"], ["expand_wildcards"], others::aliases),
    cat!("cat.allocation", ["/_cat/allocation", "/_cat/allocation/{node_id}"], [], nodes::allocation),
    cat!("cat.cluster_manager", ["/_cat/cluster_manager", "/_cat/master"], [], nodes::cluster_manager),
    cat!("cat.count", ["/_cat/count", "/_cat/count/{index}"], [], others::count),
    cat!("cat.fielddata", ["/_cat/fielddata", "/_cat/fielddata/{fields}"], ["fields"], others::fielddata),
    cat!("cat.health", ["/_cat/health"], ["ts"], others::health),
    cat!("cat.indices", ["/_cat/indices", "/_cat/indices/{index}"],
        ["expand_wildcards", "health", "include_unloaded_segments", "pri"], indices::indices),
    cat!("cat.nodeattrs", ["/_cat/nodeattrs"], [], nodes::attributes),
    cat!("cat.nodes", ["/_cat/nodes"], ["full_id"], nodes::nodes),
    cat!("cat.pending_tasks", ["/_cat/pending_tasks"], [], others::pending_tasks),
    cat!("cat.plugins", ["/_cat/plugins"], [], others::plugins),
    cat!("cat.recovery", ["/_cat/recovery", "/_cat/recovery/{index}"], ["active_only", "detailed"], others::recovery),
    cat!("cat.repositories", ["/_cat/repositories"], [], others::repositories),
    cat!("cat.segments", ["/_cat/segments", "/_cat/segments/{index}"], [], shards::segments),
    cat!("cat.shards", ["/_cat/shards", "/_cat/shards/{index}"], [], shards::shards),
    cat!("cat.tasks", ["/_cat/tasks"], ["actions", "detailed", "nodes", "parent_task_id"], others::tasks),
    cat!("cat.templates", ["/_cat/templates", "/_cat/templates/{name}"], [], others::templates),
    cat!("cat.thread_pool", ["/_cat/thread_pool", "/_cat/thread_pool/{thread_pool_patterns}"], ["size"], nodes::thread_pool),
];

/// The tables that also come a page at a time.
#[rustfmt::skip]
pub(super) const LIST_ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        name: "list.help",
        routes: &[(Method::GET, "/_list")],
        params: &[&["help", "s"]],
        handler: |_, _| Box::pin(async {
            let mut text = "=^.^=\n".to_owned();
            for (_, path) in LIST_ENDPOINTS.iter().skip(1).flat_map(|endpoint| endpoint.routes) {
                text.push_str(path);
                text.push('\n');
            }
            Ok(RestResponse::text(200, text))
        }),
    },
    cat!("list.indices", ["/_list/indices", "/_list/indices/{index}"],
        ["expand_wildcards", "health", "include_unloaded_segments", "next_token", "pri", "size", "sort"], indices::indices),
    cat!("list.shards", ["/_list/shards", "/_list/shards/{index}"], ["next_token", "size", "sort"], shards::shards),
];

/// All tables, as `GET /_cat` lists them.
async fn list(_app: Arc<App>, _request: RestRequest) -> Result<RestResponse, RestError> {
    let mut text = "=^.^=\n".to_owned();
    for endpoint in ENDPOINTS {
        if endpoint.name == "cat.help" {
            continue;
        }
        for (_, path) in endpoint.routes {
            text.push_str(path);
            text.push('\n');
        }
    }
    Ok(RestResponse::text(200, text))
}
