//! What is remembered of a cluster between two commands: `DIR/cluster.json`.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::plan::Role;
use super::process::ProcessName;

const FILE: &str = "cluster.json";
const FORMAT: u32 = 1;

/// A cluster that was brought up once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Of this file.
    pub format: u32,
    /// Name of the cluster.
    pub name: String,
    /// Where the programs are.
    pub bin_dir: PathBuf,
    /// `NUM_THREADS` of each node; 0: not set.
    pub threads: usize,
    /// `LOG_LEVEL` of each node.
    pub log_level: String,
    /// The process that carries what nodes say to each other; `None` while it is not running.
    pub proxies: Option<ProcessName>,
    /// The nodes reach each other without it.
    pub direct: bool,
    /// All nodes, masters first.
    pub nodes: Vec<NodeRecord>,
}

/// One node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeRecord {
    /// Its `NODE_ID`.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// Of data nodes.
    pub tier: Option<String>,
    /// The process, if it was started and not stopped on purpose.
    pub process: Option<ProcessName>,
    /// Where the others reach its raft: the proxy's address, or its own.
    pub raft_published: Option<String>,
    /// Where the others reach its gRPC: the proxy's address, or its own.
    pub grpc_published: String,
    /// Where it really listens for raft.
    pub raft: Option<String>,
    /// Where it really listens for gRPC.
    pub grpc: Option<String>,
    /// Where it serves REST; kept from one start to the next.
    pub http: Option<String>,
    /// Where it serves its metrics and its health.
    pub metrics: Option<String>,
}

impl Record {
    /// An empty one in the current format.
    pub fn new(name: &str, bin_dir: &Path) -> Record {
        Record {
            format: FORMAT,
            name: name.to_owned(),
            bin_dir: bin_dir.to_owned(),
            threads: 0,
            log_level: "info".to_owned(),
            proxies: None,
            direct: false,
            nodes: Vec::new(),
        }
    }

    /// Reads it; `None` if there is none.
    pub fn load(dir: &Path) -> anyhow::Result<Option<Record>> {
        let path = dir.join(FILE);
        let shown = path.display();
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| shown.to_string()),
        };
        let record: Record = serde_json::from_str(&text)
            .with_context(|| format!("{shown}: is not what this tool wrote"))?;
        if record.format != FORMAT {
            bail!(
                "{shown}: format {}, this tool reads {FORMAT}; use the tool that wrote it",
                record.format
            );
        }
        Ok(Some(record))
    }

    /// Puts it in place, whole or not at all.
    pub fn save(&self, dir: &Path) -> anyhow::Result<()> {
        let new = dir.join("cluster.json.new");
        let text = serde_json::to_string_pretty(self)?;
        fs::write(&new, text)
            .and_then(|()| fs::rename(&new, dir.join(FILE)))
            .with_context(|| new.display().to_string())
    }

    /// The node of that name.
    pub fn node(&self, name: &str) -> anyhow::Result<&NodeRecord> {
        self.nodes
            .iter()
            .find(|node| node.name == name)
            .with_context(|| self.no_such(name))
    }

    /// The node of that name, to change it.
    pub fn node_mut(&mut self, name: &str) -> anyhow::Result<&mut NodeRecord> {
        let why = self.no_such(name);
        self.nodes
            .iter_mut()
            .find(|node| node.name == name)
            .context(why)
    }

    fn no_such(&self, name: &str) -> String {
        let names: Vec<&str> = self.nodes.iter().map(|node| node.name.as_str()).collect();
        format!("no node [{name}]; nodes: {}", names.join(", "))
    }

    /// Where the masters' gRPC is reached, as `MASTER_ADDR` takes it.
    pub fn master_addresses(&self) -> String {
        let masters = self.nodes.iter().filter(|node| node.role == Role::Master);
        let addresses: Vec<&str> = masters.map(|node| node.grpc_published.as_str()).collect();
        addresses.join(",")
    }

    /// Where the masters' raft is reached, as `RAFT_PEERS` takes it.
    pub fn raft_peers(&self) -> String {
        let peers: Vec<&str> = self
            .nodes
            .iter()
            .filter_map(|node| node.raft_published.as_deref())
            .collect();
        peers.join(",")
    }
}

/// Keeps two commands from changing one cluster at the same time; held until dropped.
#[derive(Debug)]
pub struct DirLock(#[allow(dead_code, reason = "the lock is the open file")] File);

impl DirLock {
    /// Waits for the directory, and makes it if need be.
    pub fn take(dir: &Path) -> anyhow::Result<DirLock> {
        let shown = || dir.display().to_string();
        fs::create_dir_all(dir).with_context(shown)?;
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(dir.join("cluster.lock"))
            .with_context(shown)?;
        flock(&file, FlockOperation::LockExclusive).with_context(shown)?;
        Ok(DirLock(file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_comes_back_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Record::load(dir.path()).unwrap(), None);
        let mut record = Record::new("shop", Path::new("bin"));
        record.nodes.push(NodeRecord {
            name: "master-1".to_owned(),
            role: Role::Master,
            tier: None,
            process: Some(ProcessName { pid: 1, started: 2 }),
            raft_published: Some("127.0.0.1:1".to_owned()),
            grpc_published: "127.0.0.1:2".to_owned(),
            raft: None,
            grpc: None,
            http: None,
            metrics: None,
        });
        record.save(dir.path()).unwrap();
        assert_eq!(Record::load(dir.path()).unwrap(), Some(record.clone()));
        assert_eq!(
            (record.raft_peers(), record.master_addresses()),
            ("127.0.0.1:1".into(), "127.0.0.1:2".into())
        );
        let why = record.node("master-9").unwrap_err().to_string();
        assert!(
            why.contains("master-9") && why.contains("master-1"),
            "{why}"
        );
        record.format = 9;
        record.save(dir.path()).unwrap();
        let why = Record::load(dir.path()).unwrap_err().to_string();
        assert!(why.contains("format 9"), "{why}");
    }
}
