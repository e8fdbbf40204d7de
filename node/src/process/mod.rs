//! The life of a process: take the data directory, open what is in it, serve, drain, flush. What a role is made of is in
//! a file of its own; the rest is the same for all.

mod addresses;
mod all;
mod coordination;
mod data;
mod master;
mod member;
mod parts;
mod standing;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use quidditch_engine::directory::Directory;
use quidditch_engine::directory::fs::FsDirectory;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tracing::{debug, info};

use crate::cluster::NodeId;
use crate::cluster::identity::node_id;
use crate::config::{Config, Role};
use crate::data::pool::network_threads;
use crate::sys::clock::{Clock, SystemClock};
use crate::sys::{lock, machine, rng};
use crate::telemetry::endpoint::{self, Exposed, HealthCheck};
use crate::telemetry::figures::FigureSources;

/// Runs the server until a signal stops it.
pub fn run(config: Config) -> anyhow::Result<()> {
    let processors = match config.processors {
        0 => machine::processors(),
        count => count,
    };
    machine::limit_memory(config.memory.bytes(machine::machine_memory()));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(network_threads(processors))
        .max_blocking_threads(4 * processors + 64)
        .thread_name("quidditch-net")
        .enable_all()
        .build()
        .context("cannot start the network threads")?;
    let result = runtime.block_on(serve(config, processors));
    runtime.shutdown_timeout(Duration::from_secs(5));
    result
}

/// What every role has before it starts its own parts.
struct Base {
    config: Arc<Config>,
    processors: usize,
    clock: Arc<dyn Clock>,
    /// Persistent id of the node that owns the data directory.
    id: NodeId,
    /// Becomes true when everything has to stop taking work.
    stop: watch::Receiver<bool>,
}

/// The process has to end, with a code that says more than 1 does.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct Fatal {
    /// Exit code.
    pub code: u8,
    /// What happened.
    pub reason: String,
}

/// A role that serves.
#[async_trait]
trait Running: Send + Sync {
    /// Where it can be reached, for the line that says that it is ready.
    fn places(&self) -> Vec<String>;
    /// What its metrics tell.
    fn figures(&self) -> FigureSources;
    /// How it is.
    fn health(&self) -> HealthCheck;
    /// Waits until it cannot go on, and tells why. A role for which that cannot be waits for ever.
    async fn failed(&self) -> anyhow::Error {
        std::future::pending().await
    }
    /// Lets running work end, then flushes everything. New work is refused already.
    async fn close(self: Box<Self>) -> anyhow::Result<()>;
}

async fn serve(mut config: Config, processors: usize) -> anyhow::Result<()> {
    let _lock = lock::lock_data_dir(&config.data_dir)?;
    config.data_dir = config
        .data_dir
        .canonicalize()
        .with_context(|| format!("{}", config.data_dir.display()))?;
    if config.node_name.is_empty() {
        config.node_name = machine::host_name();
    }
    tell_settings(&config);
    let metrics = metrics_listener(&config).await?;
    let (stop, stopped) = watch::channel(false);
    let base = Base {
        id: identity(&config.data_dir)?,
        config: Arc::new(config),
        processors,
        clock: Arc::new(SystemClock::new()),
        stop: stopped.clone(),
    };
    let config = base.config.clone();
    let id = base.id.clone();
    let running: Box<dyn Running> = match config.role {
        Role::All => Box::new(all::start(base).await?),
        Role::Master => Box::new(master::start(base).await?),
        Role::Coordination => Box::new(coordination::start(base).await?),
        Role::Data => Box::new(data::start(base).await?),
    };
    // Before anybody is told that the server is ready, and may stop it.
    let signals = Signals::listen()?;
    let mut places = running.places();
    if let Some(listener) = metrics {
        places.push(format!("metrics http://{}", listener.local_addr()?));
        let exposed = Exposed {
            identity: json!({
                "cluster_name": config.cluster_name,
                "name": config.node_name,
                "node_id": id.0,
                "role": config.role.name(),
                "version": env!("CARGO_PKG_VERSION"),
            }),
            health: running.health(),
            figures: running.figures(),
        };
        tokio::spawn(endpoint::serve(listener, exposed, stopped));
    }
    println!(
        "{} {} is ready: {}, data in {}, SIMD {}, I/O {}",
        config.role.program(),
        env!("CARGO_PKG_VERSION"),
        places.join(", "),
        config.data_dir.display(),
        quidditch_engine::simd::level_name(),
        quidditch_engine::directory::io_mode(),
    );
    let failure = tokio::select! {
        () = signals.wait() => None,
        failure = running.failed() => Some(failure),
    };
    info!("stopping: no new connections, waiting for requests that run");
    let _ = stop.send(true);
    running.close().await?;
    info!("stopped");
    failure.map_or(Ok(()), Err)
}

/// What is in force, for whoever looks closely; and what was asked for and has no effect.
fn tell_settings(config: &Config) {
    for line in config.shown().lines() {
        debug!("setting {line}");
    }
    if let Some(enabled) = config.diagon {
        info!(
            enabled,
            "DIAGON_ENABLED changes nothing: the engine is built in, there is no stub mode to choose"
        );
    }
    if !config.repo_dirs.is_empty() {
        info!("path.repo changes nothing: there are no snapshot repositories yet");
    }
}

async fn metrics_listener(config: &Config) -> anyhow::Result<Option<TcpListener>> {
    match config.metrics_port {
        None => Ok(None),
        Some(port) => {
            let (listener, _) = addresses::listen(config, port, "metrics.port").await?;
            Ok(Some(listener))
        }
    }
}

/// The id of the data directory's node.
fn identity(data_dir: &PathBuf) -> anyhow::Result<NodeId> {
    let shown = || data_dir.display().to_string();
    let own = FsDirectory::open(data_dir).with_context(shown)?;
    own.sync_names().with_context(shown)?;
    Ok(node_id(&own, &rng::uuid22())?)
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
