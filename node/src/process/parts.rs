//! Parts that several roles are made of.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use quidditch_engine::directory::Directory;
use quidditch_engine::directory::fs::FsDirectory;
use quidditch_engine::search::MemoryAccount;

use super::Base;
use super::addresses::{ip_of, join};
use crate::cluster::NodeInfo;
use crate::config::{Config, Role};
use crate::connections::Connections;
use crate::coordination::rest::App;
use crate::coordination::rest::in_flight::InFlight;
use crate::coordination::rest::root::OPENSEARCH_VERSION;
use crate::coordination::scroll;
use crate::coordination::searcher::Searcher;
use crate::coordination::tasks::Tasks;
use crate::data::channels::Channels;
use crate::data::contexts::Contexts;
use crate::data::local::LocalShards;
use crate::data::local_search::LocalSearch;
use crate::data::pool::Pools;
use crate::data::routed::ShardCopies;
use crate::data::router::Router;
use crate::data::search::SearchService;
use crate::data::service::ShardService;
use crate::master::Masters;
use crate::nodes::{LocalNode, LocalNodeParts, RoutedNodes};
use crate::sys::folders::FsFolders;
use crate::sys::{machine, rng};

/// Shards of this node's disk, and what searches them.
pub(super) struct Storage {
    pub shards: Arc<LocalShards>,
    pub search: Arc<LocalSearch>,
}

/// What REST and the shards share.
pub(super) struct Shared {
    pub connections: Arc<Connections>,
    pub pools: Arc<Pools>,
    pub contexts: Arc<Contexts>,
}

impl Shared {
    pub(super) fn new(base: &Base) -> anyhow::Result<Shared> {
        let connections: Arc<Connections> = Arc::default();
        let mut session = [0u8; 8];
        rng::fill(&mut session);
        Ok(Shared {
            pools: Arc::new(
                Pools::new(base.processors, &connections)
                    .context("cannot start the network's watch")?,
            ),
            contexts: Arc::new(Contexts::new(
                base.id.clone(),
                u64::from_le_bytes(session),
                base.clock.clone(),
            )),
            connections,
        })
    }
}

impl Storage {
    /// Opens no shard yet: they come with the cluster state.
    pub(super) fn open(base: &Base, shared: &Shared) -> anyhow::Result<Storage> {
        let data_dir = &base.config.data_dir;
        let indices = data_dir.join("indices");
        FsDirectory::open(&indices).with_context(|| indices.display().to_string())?;
        let own = FsDirectory::open(data_dir).with_context(|| data_dir.display().to_string())?;
        own.sync_names()
            .with_context(|| data_dir.display().to_string())?;
        let shards = LocalShards::new(
            Arc::new(FsFolders::new(data_dir.clone())),
            base.id.0.clone(),
            base.clock.clone(),
            shared.contexts.clone(),
            shared.pools.clone(),
        );
        shards.clean_up();
        let memory = machine::search_memory();
        quidditch_engine::segment::FIELDDATA.set_limit(memory);
        let filters = base.config.filters_limit.bytes(memory);
        quidditch_engine::segment::FILTERS.set_limit(filters);
        let search = LocalSearch::new(
            shards.clone(),
            shared.contexts.clone(),
            Arc::new(MemoryAccount::new(memory)),
            memory,
            shared.pools.clone(),
        );
        Ok(Storage {
            shards,
            search: Arc::new(search),
        })
    }
}

/// What REST is made of, wherever the shards are.
pub(super) struct RestParts {
    /// This node.
    pub node: NodeInfo,
    pub masters: Arc<dyn Masters>,
    pub shards: Arc<dyn ShardService>,
    pub search: Arc<dyn SearchService>,
    pub copies: Arc<dyn ShardCopies>,
    /// The way to other nodes' shards, if there are other nodes.
    pub router: Option<Arc<Router>>,
    /// Connections to other nodes.
    pub channels: Arc<Channels>,
}

/// REST, and this node for others.
pub(super) fn rest(base: &Base, shared: Shared, parts: RestParts) -> (Arc<App>, Arc<LocalNode>) {
    let id = base.id.0.clone();
    let clock = base.clock.clone();
    let masters = parts.masters;
    let searcher = Searcher::new(
        masters.clone(),
        parts.search.clone(),
        clock.clone(),
        id.clone(),
    );
    let bodies_max = base.config.in_flight_limit.bytes(machine::search_memory());
    let in_flight = InFlight::new(bodies_max);
    let tasks = Arc::new(Tasks::new(id, clock.clone()));
    let own = LocalNode::new(LocalNodeParts {
        config: base.config.clone(),
        info: parts.node.clone(),
        clock: clock.clone(),
        masters: masters.clone(),
        tasks: tasks.clone(),
        pools: Some(shared.pools),
        connections: Some(shared.connections.clone()),
        in_flight: Some(in_flight.clone()),
        router: parts.router,
    });
    let searcher = Arc::new(searcher);
    tokio::spawn(scroll::look_after(Arc::downgrade(&searcher)));
    let nodes = RoutedNodes::new(own.clone(), masters.clone(), parts.channels);
    let app = App {
        searcher,
        tasks,
        nodes: Arc::new(nodes),
        copies: parts.copies,
        node: parts.node,
        masters,
        shards: parts.shards,
        search: parts.search,
        connections: shared.connections,
        in_flight,
        config: base.config.clone(),
        clock,
    };
    (Arc::new(app), own)
}

/// What this node tells about itself.
///
/// * `transport`: where others reach its gRPC.
/// * `http`: where its REST is listened for.
pub(super) fn node_info(
    base: &Base,
    publish_host: &str,
    transport: String,
    http: Option<SocketAddr>,
) -> NodeInfo {
    let config = &base.config;
    let http_host = match config.http_publish_host.as_str() {
        "" => publish_host,
        host => host,
    };
    NodeInfo {
        id: base.id.clone(),
        ephemeral_id: rng::uuid22(),
        name: config.node_name.clone(),
        host: publish_host.to_owned(),
        ip: ip_of(publish_host),
        transport_address: transport,
        http_address: http.map_or_else(String::new, |http| join(http_host, http.port())),
        roles: config.role.node_roles(),
        attributes: attributes(config),
        version: OPENSEARCH_VERSION.to_owned(),
        started_ms: base.clock.now_ms(),
    }
}

/// What allocation goes by: the labels of the settings, the tier and the most shards of a data node.
fn attributes(config: &Config) -> BTreeMap<String, String> {
    let mut attributes = config.node_attributes.clone();
    if config.role == Role::Data {
        attributes.insert("tier".to_owned(), config.tier.clone());
        if config.max_shards > 0 {
            attributes.insert("max_shards".to_owned(), config.max_shards.to_string());
        }
    }
    attributes
}
