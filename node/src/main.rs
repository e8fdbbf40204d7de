//! The `quidditch` program: all roles in one process.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Parser, Subcommand};
use quidditch_node::config::{Config, ConfigError};
use quidditch_node::{process, telemetry};

/// A search engine that speaks OpenSearch's REST API.
#[derive(Parser)]
#[command(name = "quidditch", version, about)]
struct Arguments {
    /// Where everything is kept [default: ./data]
    #[arg(long, env = "QUIDDITCH_DATA_DIR", value_name = "DIR", global = true)]
    data_dir: Option<PathBuf>,
    /// Where REST is served; port 0 picks one [default: 127.0.0.1:9200]
    #[arg(
        long,
        env = "QUIDDITCH_HTTP_ADDR",
        value_name = "HOST:PORT",
        global = true
    )]
    http_addr: Option<String>,
    /// A file of settings, YAML
    #[arg(long, env = "QUIDDITCH_CONFIG", value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// One setting, over the file's
    #[arg(short = 'E', value_name = "KEY=VALUE", global = true)]
    setting: Vec<String>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Asks the server at the configured address how it is; exits with 0 if it answers well, 1 if not
    Health,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match read_config(&arguments) {
        Err(error) => Err(error.into()),
        Ok(config) => match arguments.command {
            Some(Command::Health) => health(&config),
            None => start(config),
        },
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("quidditch: {}", said_once(&error));
            ExitCode::FAILURE
        }
    }
}

/// An error and its causes, but those that the words before them hold already.
fn said_once(error: &anyhow::Error) -> String {
    let mut said = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if said.contains(&cause) {
            continue;
        }
        if !said.is_empty() {
            said.push_str(": ");
        }
        said.push_str(&cause);
    }
    said
}

fn start(config: Config) -> anyhow::Result<()> {
    telemetry::init(&config).map_err(anyhow::Error::msg)?;
    process::run(config)
}

fn read_config(arguments: &Arguments) -> Result<Config, ConfigError> {
    let mut config = match &arguments.config {
        Some(path) => Config::from_file(path)?,
        None => Config::default(),
    };
    let mut mistakes = Vec::new();
    for setting in &arguments.setting {
        let set = match setting.split_once('=') {
            Some((key, value)) => config.set(key.trim(), value.trim()),
            None => Err(ConfigError {
                mistakes: vec![format!("-E {setting}: must be KEY=VALUE")],
            }),
        };
        if let Err(error) = set {
            mistakes.extend(error.mistakes);
        }
    }
    if let Some(dir) = &arguments.data_dir {
        config.data_dir = dir.clone();
    }
    if let Some(addr) = &arguments.http_addr
        && let Err(error) = config.set_http_addr(addr)
    {
        mistakes.extend(error.mistakes);
    }
    match mistakes.is_empty() {
        true => Ok(config),
        false => Err(ConfigError { mistakes }),
    }
}

/// One plain HTTP/1.1 request, so that a container's check needs no other program.
fn health(config: &Config) -> anyhow::Result<()> {
    let host = match config.http_host.as_str() {
        "0.0.0.0" => "127.0.0.1",
        "::" => "::1",
        host => host,
    };
    let shown = format!("{host}:{}", config.http_port);
    let address = (host, config.http_port)
        .to_socket_addrs()
        .ok()
        .and_then(|mut found| found.next())
        .with_context(|| format!("{shown}: no such address"))?;
    let wait = Duration::from_secs(5);
    let mut stream = TcpStream::connect_timeout(&address, wait)
        .with_context(|| format!("{shown}: nobody answers; is the server running?"))?;
    stream.set_read_timeout(Some(wait))?;
    write!(
        stream,
        "GET /_cluster/health HTTP/1.1\r\nHost: {shown}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    stream
        .take(64 << 10)
        .read_to_end(&mut answer)
        .with_context(|| format!("{shown}: the answer broke off"))?;
    let answer = String::from_utf8_lossy(&answer);
    let line = answer.lines().next().unwrap_or("");
    if line.split(' ').nth(1) != Some("200") {
        anyhow::bail!("{shown}: answered [{line}]");
    }
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    println!("{}", body.trim());
    Ok(())
}
