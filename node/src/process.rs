//! The life of the process: take the data directory, open what is in it, serve, drain, flush.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use quidditch_engine::directory::Directory;
use quidditch_engine::directory::fs::FsDirectory;
use quidditch_engine::search::MemoryAccount;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tracing::info;

use crate::cluster::identity::node_id;
use crate::cluster::{NodeId, NodeInfo};
use crate::config::Config;
use crate::coordination::rest::App;
use crate::coordination::rest::in_flight::InFlight;
use crate::coordination::rest::root::OPENSEARCH_VERSION;
use crate::coordination::searcher::Searcher;
use crate::coordination::tasks::Tasks;
use crate::data::contexts::Contexts;
use crate::data::failed;
use crate::data::local::LocalShards;
use crate::data::local_search::LocalSearch;
use crate::data::pool::{Pools, network_threads};
use crate::data::scheduler;
use crate::data::search::SearchService;
use crate::master::{MasterParts, SingleMaster};
use crate::server;
use crate::sys::clock::{Clock, SystemClock};
use crate::sys::{lock, machine, rng};

/// Runs the server until a signal stops it.
pub fn run(config: Config) -> anyhow::Result<()> {
    let processors = match config.processors {
        0 => machine::processors(),
        count => count,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(network_threads(processors))
        .max_blocking_threads(4 * processors + 64)
        .thread_name("quidditch-net")
        .enable_all()
        .build()
        .context("cannot start the network threads")?;
    let result = runtime.block_on(serve(config, processors));
    runtime.shutdown_timeout(std::time::Duration::from_secs(5));
    result
}

async fn serve(mut config: Config, processors: usize) -> anyhow::Result<()> {
    let _lock = lock::lock_data_dir(&config.data_dir)?;
    let data_dir = config
        .data_dir
        .canonicalize()
        .with_context(|| format!("{}", config.data_dir.display()))?;
    config.data_dir = data_dir.clone();
    if config.node_name.is_empty() {
        config.node_name = machine::host_name();
    }
    let listener = server::bind(&config.http_host, config.http_port)
        .await
        .with_context(|| {
            format!(
                "cannot listen at {}:{}; choose another address with --http-addr",
                config.http_host, config.http_port
            )
        })?;
    let address = listener.local_addr()?;
    let config = Arc::new(config);
    let node = Node::open(config.clone(), address, processors).await?;
    // Before anybody is told that the server is ready, and may stop it.
    let signals = Signals::listen()?;
    let (stop, stopped) = watch::channel(false);
    let server = tokio::spawn(server::serve(listener, node.app.clone(), stopped));
    println!(
        "quidditch {} is ready: http://{address}, data in {}, SIMD {}, I/O {}",
        env!("CARGO_PKG_VERSION"),
        data_dir.display(),
        quidditch_engine::simd::level_name(),
        quidditch_engine::directory::io_mode(),
    );
    signals.wait().await;
    info!("stopping: no new connections, waiting for requests that run");
    let _ = stop.send(true);
    server.await.context("the HTTP server failed")?;
    node.close().await;
    info!("stopped");
    Ok(())
}

/// All roles of one process, opened.
struct Node {
    app: Arc<App>,
    shards: Arc<LocalShards>,
    masters: Arc<SingleMaster>,
}

impl Node {
    async fn open(
        config: Arc<Config>,
        address: SocketAddr,
        processors: usize,
    ) -> anyhow::Result<Node> {
        let data_dir = &config.data_dir;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let own = FsDirectory::open(data_dir).with_context(|| data_dir.display().to_string())?;
        let indices = data_dir.join("indices");
        FsDirectory::open(&indices).with_context(|| indices.display().to_string())?;
        own.sync_names()
            .with_context(|| data_dir.display().to_string())?;
        let id = node_id(&own, &rng::uuid22())?.0;
        let mut session = [0u8; 8];
        rng::fill(&mut session);
        let connections = Arc::default();
        let contexts = Arc::new(Contexts::new(u64::from_le_bytes(session), clock.clone()));
        let shards = LocalShards::new(
            data_dir.clone(),
            id.clone(),
            clock.clone(),
            contexts.clone(),
            Arc::new(
                Pools::new(processors, &connections).context("cannot start the network's watch")?,
            ),
        );
        shards.clean_up();
        let identity = node_info(&config, &id, address, clock.now_ms());
        let state_dir = data_dir.join("state");
        let now = clock.clone();
        let masters = SingleMaster::open(MasterParts {
            directory: Arc::new(
                FsDirectory::open(&state_dir).with_context(|| state_dir.display().to_string())?,
            ),
            cluster_name: config.cluster_name.clone(),
            node: identity.clone(),
            applier: shards.clone(),
            now_ms: Arc::new(move || now.now_ms()),
        })
        .await?;
        scheduler::start(&shards).context("cannot start the threads that look after shards")?;
        tokio::spawn(failed::look_after(Arc::downgrade(&shards), masters.clone()));
        let memory = machine::search_memory();
        quidditch_engine::segment::FIELDDATA.set_limit(memory);
        let search = LocalSearch::new(
            shards.clone(),
            contexts.clone(),
            Arc::new(MemoryAccount::new(memory)),
            memory,
            shards.pools.clone(),
        );
        let search: Arc<dyn SearchService> = Arc::new(search);
        let searcher = Arc::new(Searcher::new(
            masters.clone(),
            search.clone(),
            clock.clone(),
            id.clone(),
        ));
        let app = Arc::new(App {
            searcher,
            tasks: Arc::new(Tasks::new(id.clone(), clock.clone())),
            node: identity,
            masters: masters.clone(),
            shards: shards.clone(),
            search,
            contexts,
            pools: shards.pools.clone(),
            connections,
            in_flight: InFlight::new(config.in_flight_limit.bytes(memory)),
            config,
            clock,
        });
        Ok(Node {
            app,
            shards,
            masters,
        })
    }

    /// Flushes everything; nothing is served any more.
    async fn close(self) {
        self.masters.close().await;
        self.shards.close().await;
    }
}

/// What this node tells about itself.
fn node_info(config: &Config, id: &str, address: SocketAddr, now_ms: i64) -> NodeInfo {
    let publish_host = match config.http_publish_host.as_str() {
        "" if address.ip().is_unspecified() => "127.0.0.1".to_owned(),
        "" => address.ip().to_string(),
        host => host.to_owned(),
    };
    NodeInfo {
        id: NodeId(id.to_owned()),
        ephemeral_id: rng::uuid22(),
        name: config.node_name.clone(),
        host: publish_host.clone(),
        ip: publish_host.clone(),
        transport_address: format!("{publish_host}:9300"),
        http_address: format!("{publish_host}:{}", address.port()),
        roles: ["cluster_manager", "data", "ingest", "remote_cluster_client"]
            .map(str::to_owned)
            .to_vec(),
        attributes: config.node_attributes.clone(),
        version: OPENSEARCH_VERSION.to_owned(),
        started_ms: now_ms,
    }
}

/// What asks the process to end.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From here on SIGTERM and Ctrl-C no longer end the process by themselves.
    fn listen() -> anyhow::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?,
            interrupt: signal(SignalKind::interrupt()).context("cannot listen for Ctrl-C")?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Returns at the first signal; a second one ends the process at once.
    async fn wait(mut self) {
        self.next().await;
        tokio::spawn(async move {
            self.next().await;
            std::process::exit(130);
        });
    }
}
