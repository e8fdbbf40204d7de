//! Logs, for people or for machines, on the standard error; metrics, on a port of their own.

pub mod endpoint;
pub mod figures;
pub mod metrics;

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::Config;

/// Starts logging; a second call changes nothing. `QUIDDITCH_LOG` wins over the configured level.
pub fn init(config: &Config) -> Result<(), String> {
    let directives = match std::env::var("QUIDDITCH_LOG") {
        Ok(text) if !text.is_empty() => text,
        _ => config.log_level.clone(),
    };
    // raft's library tells people nothing at `info`, at length
    let directives = match directives.contains("openraft") {
        true => directives,
        false => format!("{directives},openraft=warn"),
    };
    let filter = EnvFilter::try_new(&directives)
        .map_err(|error| format!("log level [{directives}]: {error}"))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        // colours are for people: a file or a pipe gets plain text
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let started = match config.log_json {
        true => builder.json().try_init(),
        false => builder.with_target(false).try_init(),
    };
    // already started: by another test of this process
    drop(started);
    Ok(())
}
