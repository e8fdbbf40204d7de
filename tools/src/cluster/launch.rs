//! Starting the processes of a cluster and hearing where they listen.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::plan::{Plan, Role};
use super::process::ProcessName;
use super::proxy::{Client, Service};
use super::record::{NodeRecord, Record};
use super::{Cluster, OwnGroup, READY_TIMEOUT};

/// Variables of ours that a node gets along; everything else of the environment stays here.
const PASSED_ON: &[&str] = &[
    "PATH",
    "TMPDIR",
    "RUST_BACKTRACE",
    "QUIDDITCH_LOG",
    "QUIDDITCH_SIMD",
];
/// How much of a log is shown when a process ended by itself, bytes.
const LAST_WORDS_BYTES: u64 = 2000;

/// The record in the plan's folder, if it fits the plan, or a new one.
pub(super) fn recorded_or_new(plan: &Plan, dir: &Path) -> anyhow::Result<Record> {
    let planned = plan.nodes()?;
    let bin_dir = plan
        .bin_dir
        .canonicalize()
        .with_context(|| plan.bin_dir.display().to_string())?;
    let roles = [Role::Master, Role::Coordination, Role::Data].map(Role::program);
    // the others start it
    for name in roles.into_iter().chain(["quidditch"]) {
        let program = bin_dir.join(name);
        if !program.is_file() {
            bail!(
                "{}: no such program; build it with `cargo build --release -p quidditch-node`, or name its folder with --bin-dir",
                program.display()
            );
        }
    }
    let mut record = match Record::load(dir)? {
        Some(record) => record,
        None => {
            let mut record = Record::new(&plan.name, &bin_dir);
            record.direct = plan.direct;
            record
                .nodes
                .extend(planned.iter().map(|(name, role, tier)| NodeRecord {
                    name: name.clone(),
                    role: *role,
                    tier: tier.clone(),
                    process: None,
                    raft_published: None,
                    grpc_published: String::new(),
                    raft: None,
                    grpc: None,
                    http: None,
                    metrics: None,
                }));
            record
        }
    };
    let recorded = record.nodes.iter();
    let recorded: Vec<_> = recorded
        .map(|node| (node.name.clone(), node.role, node.tier.clone()))
        .collect();
    if recorded != planned || record.name != plan.name || record.direct != plan.direct {
        bail!(
            "{}: another cluster is here already ({}, {} nodes); bring that one up with the same arguments, or choose another folder",
            dir.display(),
            record.name,
            record.nodes.len()
        );
    }
    let mut processes = record.nodes.iter().filter_map(|node| node.process);
    if processes.any(ProcessName::is_alive) {
        bail!(
            "{}: this cluster is up already; see `status`",
            dir.display()
        );
    }
    record.bin_dir = bin_dir;
    record.threads = plan.threads;
    record.log_level.clone_from(&plan.log_level);
    Ok(record)
}

/// A log to append to.
pub(super) fn log_file(dir: &Path, name: &str) -> anyhow::Result<File> {
    let path = dir.join(format!("{name}.log"));
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .with_context(|| path.display().to_string())
}

/// The first line that a process said with some text in it.
pub(super) fn find_in_log(dir: &Path, name: &str, text: &str) -> anyhow::Result<Option<String>> {
    let path = dir.join(format!("{name}.log"));
    let file = File::open(&path).with_context(|| path.display().to_string())?;
    for line in BufReader::new(file).split(b'\n') {
        let line = line.with_context(|| path.display().to_string())?;
        let line = String::from_utf8_lossy(&line);
        if line.contains(text) {
            return Ok(Some(line.into_owned()));
        }
    }
    Ok(None)
}

/// The end of what a process said.
pub(super) fn last_words(dir: &Path, name: &str) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = File::open(dir.join(format!("{name}.log")))?;
        let len = file.metadata()?.len();
        file.seek(SeekFrom::Start(len.saturating_sub(LAST_WORDS_BYTES)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
    };
    read().unwrap_or_else(|error| format!("its log cannot be read: {error}"))
}

/// Where a process listens, by what it said when it was ready.
#[derive(Debug, Default, PartialEq)]
struct Places {
    raft: Option<String>,
    grpc: Option<String>,
    http: Option<String>,
    metrics: Option<String>,
}

/// Reads `quidditch-data 0.1.0 is ready: grpc 127.0.0.1:1, metrics http://127.0.0.1:2, data in …`.
fn places(line: &str) -> Option<Places> {
    let (_, said) = line.split_once(" is ready: ")?;
    let mut places = Places::default();
    for place in said.split(", ") {
        let place = place.trim();
        let (slot, address) = match place.split_once(' ') {
            Some(("raft", address)) => (&mut places.raft, address),
            Some(("grpc", address)) => (&mut places.grpc, address),
            Some(("metrics", url)) => (&mut places.metrics, url.trim_start_matches("http://")),
            None => match place.strip_prefix("http://") {
                Some(address) => (&mut places.http, address),
                None => continue,
            },
            Some(_) => continue,
        };
        *slot = Some(address.to_owned());
    }
    Some(places)
}

impl Cluster {
    /// Gives each node the addresses under which others reach it, those that it had before if it had any.
    pub(super) fn take_ports(&mut self) -> anyhow::Result<()> {
        // held until all are chosen, so that none is chosen twice
        let mut held = Vec::new();
        let client = Client::new(&self.dir);
        let direct = self.record.direct;
        for node in &mut self.record.nodes {
            let mut take = |service, before: Option<&str>| -> anyhow::Result<String> {
                let wanted: Option<SocketAddr> = before.and_then(|text| text.parse().ok());
                if !direct {
                    return Ok(client.take(&node.name, service, wanted)?.to_string());
                }
                let listener = match wanted {
                    Some(address) => TcpListener::bind(address)
                        .with_context(|| format!("{address}: {} had it before", node.name))?,
                    None => TcpListener::bind("127.0.0.1:0")?,
                };
                let address = listener.local_addr()?;
                held.push(listener);
                Ok(address.to_string())
            };
            if node.role == Role::Master {
                node.raft_published = Some(take(Service::Raft, node.raft_published.as_deref())?);
            }
            node.grpc_published = take(Service::Grpc, Some(&node.grpc_published))?;
        }
        Ok(())
    }

    /// Starts a node's process.
    pub(super) fn spawn(&mut self, name: &str) -> anyhow::Result<()> {
        let folder = self.dir.join(name);
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let settings = folder.join("settings.yaml");
        if !settings.exists() {
            fs::write(
                &settings,
                format!("# Settings of {name}, from its next start on.\n"),
            )?;
        }
        let mut command = self.command(name, &folder)?;
        command.arg("--config").arg(&settings);
        let log = log_file(&self.dir, name)?;
        // what it says from here on is of this start
        let from = log.metadata()?.len();
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group_of_its_own()
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let process = ProcessName::of(child.id())?;
        self.children.push(child);
        self.log_offsets.insert(name.to_owned(), from);
        if !self.record.direct {
            Client::new(&self.dir).process(name, Some(process.pid))?;
        }
        self.record.node_mut(name)?.process = Some(process);
        self.save()
    }

    /// Waits until a node says where it listens, and lets the others reach it.
    pub(super) fn finish_start(&mut self, name: &str) -> anyhow::Result<()> {
        let places = self.wait_ready(name)?;
        if !self.record.direct {
            let client = Client::new(&self.dir);
            for (service, place) in [(Service::Raft, &places.raft), (Service::Grpc, &places.grpc)] {
                if let Some(place) = place {
                    let address = place
                        .parse()
                        .with_context(|| format!("{name} listens at [{place}]"))?;
                    client.lead(name, service, Some(address))?;
                }
            }
        }
        let node = self.record.node_mut(name)?;
        node.raft = places.raft;
        node.grpc = places.grpc;
        node.http = places.http;
        node.metrics = places.metrics;
        self.save()
    }

    fn wait_ready(&mut self, name: &str) -> anyhow::Result<Places> {
        let from = self.log_offsets.get(name).copied().unwrap_or(0);
        let path = self.dir.join(format!("{name}.log"));
        let process = self.record.node(name)?.process;
        let process = process.with_context(|| format!("{name} was not started"))?;
        let began = Instant::now();
        loop {
            let is_alive = process.is_alive();
            let mut file = File::open(&path)?;
            file.seek(SeekFrom::Start(from))?;
            let mut said = Vec::new();
            file.read_to_end(&mut said)?;
            let said = String::from_utf8_lossy(&said);
            // a line without its end may not be whole
            let lines = said
                .split_inclusive('\n')
                .filter(|line| line.ends_with('\n'));
            if let Some(places) = lines.filter_map(places).next() {
                return Ok(places);
            }
            if !is_alive {
                self.reap();
                bail!(
                    "{name} ended before it was ready: {}",
                    last_words(&self.dir, name)
                );
            }
            if began.elapsed() > READY_TIMEOUT {
                bail!(
                    "{name} was not ready after {} s: {}",
                    READY_TIMEOUT.as_secs(),
                    last_words(&self.dir, name)
                );
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The program of a node with its variables.
    fn command(&self, name: &str, folder: &Path) -> anyhow::Result<Command> {
        let record = &self.record;
        let node = record.node(name)?;
        let mut command = Command::new(record.bin_dir.join(node.role.program()));
        command.env_clear();
        for variable in PASSED_ON {
            if let Some(value) = std::env::var_os(variable) {
                command.env(variable, value);
            }
        }
        let port = |address: &str| {
            let port = address.rsplit_once(':').map_or("0", |(_, port)| port);
            port.to_owned()
        };
        // behind a proxy any port will do; without one it is the published one
        let listened = |published: &str| match record.direct {
            true => port(published),
            false => "0".to_owned(),
        };
        let data: PathBuf = folder.join("data");
        command
            .env("NODE_ID", name)
            .env("CLUSTER_NAME", &record.name)
            .env("LOG_LEVEL", &record.log_level)
            .env("QUIDDITCH_HOST", "127.0.0.1")
            .env("QUIDDITCH_DATA_DIR", data)
            .env("QUIDDITCH_METRICS_PORT", "0")
            .env("QUIDDITCH_GRPC_PORT", listened(&node.grpc_published))
            .env("QUIDDITCH_GRPC_PUBLISH_ADDRESS", &node.grpc_published);
        if record.threads > 0 {
            command.env("NUM_THREADS", record.threads.to_string());
        }
        match node.role {
            Role::Master => {
                let raft = node.raft_published.as_deref().unwrap_or("");
                let is_first = record.nodes.first().is_some_and(|first| first.name == name);
                command
                    .env("RAFT_PEERS", record.raft_peers())
                    .env("BOOTSTRAP", is_first.to_string())
                    .env("QUIDDITCH_RAFT_PORT", listened(raft))
                    .env("QUIDDITCH_RAFT_PUBLISH_ADDRESS", raft);
            }
            Role::Coordination => {
                let http = node.http.as_deref().map_or("0".to_owned(), port);
                command
                    .env("MASTER_ADDR", record.master_addresses())
                    .env("QUIDDITCH_HTTP_PORT", http);
            }
            Role::Data => {
                command.env("MASTER_ADDR", record.master_addresses());
                if let Some(tier) = &node.tier {
                    command.env("STORAGE_TIER", tier);
                }
            }
        }
        Ok(command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_says_where_it_listens() {
        let line = "quidditch-master 0.1.0 is ready: raft 127.0.0.1:1, grpc 127.0.0.1:2, metrics http://127.0.0.1:3, \
                    data in /x, SIMD avx2, I/O mmap";
        let wanted = Places {
            raft: Some("127.0.0.1:1".to_owned()),
            grpc: Some("127.0.0.1:2".to_owned()),
            http: None,
            metrics: Some("127.0.0.1:3".to_owned()),
        };
        assert_eq!(places(line), Some(wanted));
        let rest =
            places("quidditch 0.1.0 is ready: http://127.0.0.1:9200, data in ./data").unwrap();
        assert_eq!(rest.http.as_deref(), Some("127.0.0.1:9200"));
        assert_eq!(places("something else"), None);
    }

    #[test]
    fn programs_that_are_not_there_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let plan = Plan::new(dir.path(), dir.path());
        let why = recorded_or_new(&plan, dir.path()).unwrap_err().to_string();
        assert!(why.contains("quidditch-master: no such program"), "{why}");
        for role in [Role::Master, Role::Coordination, Role::Data] {
            fs::write(dir.path().join(role.program()), "").unwrap();
        }
        let why = recorded_or_new(&plan, dir.path()).unwrap_err().to_string();
        assert!(why.contains("/quidditch: no such program"), "{why}");
    }
}
