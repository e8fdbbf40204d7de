//! The settings of the process: command line over environment over file over defaults.
//!
//! `SETTINGS` is the table of all keys; the files in `deployments/` show them to people, one file a role, and a test
//! keeps them together. Every mistake, wherever it was made, is reported at once, each with its key.

mod role;
mod settings;
mod values;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde_json::Value;

pub use role::{ALL_ROLES, Role};
use settings::SETTINGS;
use values::{host_port, shown};

/// Everything that a person can set before the start.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// What the process is for; the program's choice, no setting.
    pub role: Role,
    /// `cluster.name`
    pub cluster_name: String,
    /// `node.name`; empty means the host's name.
    pub node_name: String,
    /// `node.attr.*`, without the prefix.
    pub node_attributes: BTreeMap<String, String>,
    /// `node.tier`
    pub tier: String,
    /// `node.max_shards`; 0 means no limit of the node's own.
    pub max_shards: usize,
    /// `path.data`
    pub data_dir: PathBuf,
    /// `path.repo`; it changes nothing as long as there are no snapshot repositories.
    pub repo_dirs: Vec<PathBuf>,
    /// `network.host`: where gRPC, raft and the metrics are listened for, and REST unless `http.host` is set.
    pub host: String,
    /// `network.publish_host`; empty means what is found out at the start.
    pub publish_host: String,
    /// `raft.port`; 0 lets the system choose.
    pub raft_port: u16,
    /// `raft.publish_address`; empty means publish host and port.
    pub raft_publish_address: String,
    /// `raft.peers`
    pub raft_peers: Vec<String>,
    /// `raft.bootstrap`
    pub bootstrap: bool,
    /// `cluster.masters`
    pub masters: Vec<String>,
    /// `grpc.port`; 0 lets the system choose.
    pub grpc_port: u16,
    /// `grpc.publish_address`; empty means publish host and port.
    pub grpc_publish_address: String,
    /// `metrics.port`; 0 lets the system choose, `None` is `off`.
    pub metrics_port: Option<u16>,
    /// `http.host`; empty means `network.host`.
    pub http_host: String,
    /// `http.port`; 0 lets the system choose.
    pub http_port: u16,
    /// `http.publish_host`; empty means `network.publish_host`.
    pub http_publish_host: String,
    /// `http.max_content_length`, bytes.
    pub max_content_length: u64,
    /// `http.compression`
    pub http_compression: bool,
    /// `indexing_pressure.memory.limit`
    pub in_flight_limit: MemoryLimit,
    /// `indices.queries.cache.size`
    pub filters_limit: MemoryLimit,
    /// `node.processors`; 0 means all.
    pub processors: usize,
    /// `node.memory`: what the process may use of the machine's memory.
    pub memory: MemoryLimit,
    /// `diagon.enabled`, if somebody set it; it changes nothing.
    pub diagon: Option<bool>,
    /// `log.level`
    pub log_level: String,
    /// `log.format` is `json`.
    pub log_json: bool,
}

/// A number of bytes, or a share of the machine's memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MemoryLimit {
    /// So many bytes.
    Bytes(u64),
    /// So many hundredths of all memory.
    Percent(f64),
}

impl MemoryLimit {
    /// The limit in bytes on a machine with `total` bytes of memory.
    pub fn bytes(self, total: u64) -> u64 {
        match self {
            MemoryLimit::Bytes(bytes) => bytes,
            MemoryLimit::Percent(percent) => (total as f64 * percent / 100.0) as u64,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Config::of(Role::All)
    }
}

/// What is wrong with the settings: every mistake, one a line.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error("{}", .mistakes.join("\n"))]
pub struct ConfigError {
    /// Each names its key, or the file.
    pub mistakes: Vec<String>,
}

/// Where settings come from, beside the defaults. Later fields win.
#[derive(Default)]
pub struct Sources<'a> {
    /// A file that must be there.
    pub file: Option<&'a Path>,
    /// The variables of the environment.
    pub environment: BTreeMap<String, String>,
    /// `KEY=VALUE`, as `-E` takes them.
    pub arguments: Vec<String>,
}

impl Config {
    /// The defaults of a role.
    pub fn of(role: Role) -> Config {
        Config {
            role,
            cluster_name: "quidditch".to_owned(),
            node_name: String::new(),
            node_attributes: BTreeMap::new(),
            tier: "hot".to_owned(),
            max_shards: 0,
            data_dir: PathBuf::from("./data"),
            repo_dirs: Vec::new(),
            host: "127.0.0.1".to_owned(),
            publish_host: String::new(),
            raft_port: 9300,
            raft_publish_address: String::new(),
            raft_peers: Vec::new(),
            bootstrap: false,
            masters: vec!["127.0.0.1:9301".to_owned()],
            grpc_port: role.grpc_port().unwrap_or(0),
            grpc_publish_address: String::new(),
            metrics_port: match role {
                Role::All => None,
                Role::Master | Role::Coordination | Role::Data => Some(9400),
            },
            http_host: String::new(),
            http_port: 9200,
            http_publish_host: String::new(),
            max_content_length: 100 << 20,
            http_compression: true,
            in_flight_limit: MemoryLimit::Percent(10.0),
            filters_limit: MemoryLimit::Percent(10.0),
            processors: 0,
            memory: MemoryLimit::Percent(100.0),
            diagon: None,
            log_level: "info".to_owned(),
            log_json: false,
        }
    }

    /// Reads all sources over the defaults of a role.
    pub fn read(role: Role, sources: &Sources) -> Result<Config, ConfigError> {
        let mut config = Config::of(role);
        let mut mistakes = Vec::new();
        let default_file = role
            .default_file()
            .map(Path::new)
            .filter(|path| path.exists());
        if let Some(path) = sources.file.or(default_file) {
            match std::fs::read_to_string(path) {
                Ok(text) => {
                    let from = mistakes.len();
                    config.set_yaml(&text, &mut mistakes);
                    for mistake in &mut mistakes[from..] {
                        *mistake = format!("{}: {mistake}", path.display());
                    }
                }
                Err(error) => mistakes.push(format!("{}: {error}", path.display())),
            }
        }
        config.set_environment(&sources.environment, &mut mistakes);
        for argument in &sources.arguments {
            match argument.split_once('=') {
                Some((key, value)) => {
                    config.set_one(key.trim(), &Value::from(value.trim()), &mut mistakes);
                }
                None => mistakes.push(format!("-E {argument}: must be KEY=VALUE")),
            }
        }
        checked(config, mistakes)
    }

    /// Where REST is listened for.
    pub fn http_host(&self) -> &str {
        match self.http_host.as_str() {
            "" => &self.host,
            host => host,
        }
    }

    /// The host that others are told, when it does not depend on how they are reached: the one that was set, or the
    /// address that is listened at. `None`: all addresses are listened at.
    pub fn publish_host(&self) -> Option<String> {
        let is_any = |host: &str| host.parse::<IpAddr>().is_ok_and(|ip| ip.is_unspecified());
        match self.publish_host.as_str() {
            "" if is_any(&self.host) => None,
            "" => Some(self.host.clone()),
            host => Some(host.to_owned()),
        }
    }

    /// Every setting of the role and its value in force, one a line.
    pub fn shown(&self) -> String {
        let mut text = String::new();
        for setting in SETTINGS {
            if setting.roles.contains(&self.role) {
                let key = setting.key.trim_end_matches('.');
                text.push_str(&format!("{key}: {}\n", (setting.show)(self)));
            }
        }
        text
    }

    /// The variables that a role reads, each with its key.
    pub fn variables(role: Role) -> Vec<(&'static str, &'static str)> {
        let of_role = SETTINGS
            .iter()
            .filter(|setting| !setting.env.is_empty() && setting.roles.contains(&role));
        of_role.map(|setting| (setting.env, setting.key)).collect()
    }

    fn set_yaml(&mut self, yaml: &str, mistakes: &mut Vec<String>) {
        let only_comments = yaml
            .lines()
            .all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'));
        if only_comments {
            return;
        }
        match serde_saphyr::from_str::<Value>(yaml) {
            Err(error) => mistakes.push(error.to_string()),
            Ok(value) if !value.is_object() => {
                mistakes.push("must be a mapping of keys to values".to_owned());
            }
            Ok(value) => self.set_all("", &value, mistakes),
        }
    }

    /// A variable that is set to nothing counts as not set: that is how compose files pass on what they don't have.
    /// Those of other roles are left alone: one environment may be shared by all.
    fn set_environment(
        &mut self,
        environment: &BTreeMap<String, String>,
        mistakes: &mut Vec<String>,
    ) {
        for setting in SETTINGS {
            let given = environment.get(setting.env).filter(|text| !text.is_empty());
            if let Some(text) = given
                && setting.roles.contains(&self.role)
                && let Err(why) = (setting.set)(self, "", &Value::from(text.as_str()))
            {
                mistakes.push(format!("{}: {why}, but is [{text}]", setting.env));
            }
        }
    }

    fn set_all(&mut self, prefix: &str, value: &Value, mistakes: &mut Vec<String>) {
        match value {
            Value::Object(entries) => {
                for (key, value) in entries {
                    let dotted = match prefix {
                        "" => key.clone(),
                        _ => format!("{prefix}.{key}"),
                    };
                    self.set_all(&dotted, value, mistakes);
                }
            }
            value => self.set_one(prefix, value, mistakes),
        }
    }

    fn set_one(&mut self, key: &str, value: &Value, mistakes: &mut Vec<String>) {
        let found = SETTINGS
            .iter()
            .find_map(|setting| Some((setting, setting.matches(key)?)));
        match found {
            None => mistakes.push(format!("[{key}]: unknown setting")),
            Some((setting, _)) if !setting.roles.contains(&self.role) => {
                mistakes.push(format!("[{key}]: is no setting of {}", self.role.program()));
            }
            Some((setting, name)) => {
                if let Err(why) = (setting.set)(self, name, value) {
                    mistakes.push(format!("[{key}]: {why}, but is [{}]", shown(value)));
                }
            }
        }
    }
}

fn checked(config: Config, mistakes: Vec<String>) -> Result<Config, ConfigError> {
    match mistakes.is_empty() {
        true => Ok(config),
        false => Err(ConfigError { mistakes }),
    }
}

/// The two settings that `HOST:PORT` stands for, as [`Sources::arguments`] takes them.
pub fn http_address(address: &str) -> Result<[String; 2], String> {
    match host_port(address) {
        Some((host, port)) => Ok([format!("http.host={host}"), format!("http.port={port}")]),
        None => Err(format!(
            "http address [{address}]: must be HOST:PORT, such as 127.0.0.1:9200"
        )),
    }
}

#[cfg(test)]
mod tests;
