//! The life of the process: take the data directory, open what is in it, serve, drain, flush.

use std::sync::Arc;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::info;

use crate::config::Config;
use crate::coordination::rest::App;
use crate::coordination::rest::app::NodeIdentity;
use crate::coordination::rest::in_flight::InFlight;
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
        .worker_threads(processors.clamp(1, 4))
        .max_blocking_threads(4 * processors + 64)
        .thread_name("quidditch-net")
        .enable_all()
        .build()
        .context("cannot start the network threads")?;
    let result = runtime.block_on(serve(config));
    runtime.shutdown_timeout(std::time::Duration::from_secs(5));
    result
}

async fn serve(mut config: Config) -> anyhow::Result<()> {
    let _lock = lock::lock_data_dir(&config.data_dir)?;
    let data_dir = config
        .data_dir
        .canonicalize()
        .with_context(|| format!("{}", config.data_dir.display()))?;
    config.data_dir = data_dir.clone();
    if config.node_name.is_empty() {
        config.node_name = machine::host_name();
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
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
    let app = Arc::new(App {
        node: NodeIdentity {
            id: rng::uuid22(),
            ephemeral_id: rng::uuid22(),
            name: config.node_name.clone(),
            http_address: address.to_string(),
            ip: address.ip().to_string(),
            started_ms: clock.now_ms(),
        },
        in_flight: InFlight::new(config.in_flight_limit.bytes(machine::total_memory())),
        config: config.clone(),
        clock,
    });
    let (stop, stopped) = watch::channel(false);
    let server = tokio::spawn(server::serve(listener, app.clone(), stopped));
    println!(
        "quidditch {} is ready: http://{address}, data in {}, SIMD {}, I/O {}",
        env!("CARGO_PKG_VERSION"),
        data_dir.display(),
        "scalar",
        "mmap",
    );
    wait_for_signal().await?;
    info!("stopping: no new connections, waiting for requests that run");
    let _ = stop.send(true);
    server.await.context("the HTTP server failed")?;
    info!("stopped");
    Ok(())
}

/// Returns at SIGTERM or Ctrl-C; a second signal ends the process at once.
async fn wait_for_signal() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for Ctrl-C")?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        std::process::exit(130);
    });
    Ok(())
}
