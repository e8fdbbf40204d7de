//! The table of all settings: key, environment variable, whose it is, how it is read and shown.

use serde_json::Value;

use super::values::{
    addresses, bytes, count, flag, list, memory, port, reachable, shown_memory, text,
};
use super::{Config, Role};

/// One key that a person can write.
pub(super) struct Setting {
    /// The dotted key; with a final dot it is a prefix, and what follows is free.
    pub key: &'static str,
    /// The variable that wins over the file; empty: none.
    pub env: &'static str,
    /// Whose it is.
    pub roles: &'static [Role],
    /// Puts a value in its place. `name`: what follows the prefix.
    pub set: fn(&mut Config, name: &str, value: &Value) -> Result<(), String>,
    /// The value in force.
    pub show: fn(&Config) -> String,
}

impl Setting {
    /// What follows the prefix, or nothing, if the setting is that of the key.
    pub fn matches<'k>(&self, key: &'k str) -> Option<&'k str> {
        match self.key.ends_with('.') {
            true => key.strip_prefix(self.key).filter(|name| !name.is_empty()),
            false => (self.key == key).then_some(""),
        }
    }
}

/// Alone, or for a part of the program as in `quidditch_engine=debug`.
const LOG_LEVELS: &[&str] = &["off", "error", "warn", "info", "debug", "trace"];

const TIERS: &[&str] = &["hot", "warm", "cold"];

const EVERY: &[Role] = &super::role::ALL_ROLES;
const CLUSTERED: &[Role] = &[Role::Master, Role::Coordination, Role::Data];
const REST: &[Role] = &[Role::All, Role::Coordination];
const HAS_SHARDS: &[Role] = &[Role::All, Role::Data];
const MEMBERS: &[Role] = &[Role::Coordination, Role::Data];

pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        key: "cluster.name",
        env: "CLUSTER_NAME",
        roles: EVERY,
        set: |config, _, value| {
            config.cluster_name = text(value)?;
            match config.cluster_name.is_empty() || config.cluster_name.contains(':') {
                true => Err("must not be empty and must not contain ':'".to_owned()),
                false => Ok(()),
            }
        },
        show: |config| config.cluster_name.clone(),
    },
    Setting {
        key: "node.name",
        env: "NODE_ID",
        roles: EVERY,
        set: |config, _, value| text(value).map(|name| config.node_name = name),
        show: |config| config.node_name.clone(),
    },
    Setting {
        key: "node.attr.",
        env: "",
        roles: EVERY,
        set: |config, name, value| {
            if config.role == Role::Data && ["tier", "max_shards"].contains(&name) {
                return Err(format!("is set as node.{name}"));
            }
            config.node_attributes.insert(name.to_owned(), text(value)?);
            Ok(())
        },
        show: |config| format!("{:?}", config.node_attributes),
    },
    Setting {
        key: "node.tier",
        env: "STORAGE_TIER",
        roles: &[Role::Data],
        set: |config, _, value| {
            config.tier = text(value)?;
            match TIERS.contains(&config.tier.as_str()) {
                true => Ok(()),
                false => Err(format!("must be one of {}", TIERS.join(", "))),
            }
        },
        show: |config| config.tier.clone(),
    },
    Setting {
        key: "node.max_shards",
        env: "MAX_SHARDS",
        roles: &[Role::Data],
        set: |config, _, value| count(value, 1 << 20).map(|max| config.max_shards = max),
        show: |config| config.max_shards.to_string(),
    },
    Setting {
        key: "node.processors",
        env: "NUM_THREADS",
        roles: EVERY,
        set: |config, _, value| count(value, 1024).map(|count| config.processors = count),
        show: |config| config.processors.to_string(),
    },
    Setting {
        key: "node.memory",
        env: "MAX_MEMORY",
        roles: EVERY,
        set: |config, _, value| memory(value).map(|limit| config.memory = limit),
        show: |config| shown_memory(config.memory),
    },
    Setting {
        key: "path.data",
        env: "QUIDDITCH_DATA_DIR",
        roles: EVERY,
        set: |config, _, value| text(value).map(|path| config.data_dir = path.into()),
        show: |config| config.data_dir.display().to_string(),
    },
    Setting {
        key: "path.repo",
        env: "",
        roles: EVERY,
        set: |config, _, value| {
            config.repo_dirs = list(value)?.into_iter().map(Into::into).collect();
            Ok(())
        },
        show: |config| format!("{:?}", config.repo_dirs),
    },
    Setting {
        key: "network.host",
        env: "QUIDDITCH_HOST",
        roles: EVERY,
        set: |config, _, value| text(value).map(|host| config.host = host),
        show: |config| config.host.clone(),
    },
    Setting {
        key: "network.publish_host",
        env: "QUIDDITCH_PUBLISH_HOST",
        roles: EVERY,
        set: |config, _, value| text(value).map(|host| config.publish_host = host),
        show: |config| config.publish_host.clone(),
    },
    Setting {
        key: "raft.port",
        env: "QUIDDITCH_RAFT_PORT",
        roles: &[Role::Master],
        set: |config, _, value| port(value).map(|port| config.raft_port = port),
        show: |config| config.raft_port.to_string(),
    },
    Setting {
        key: "raft.publish_address",
        env: "QUIDDITCH_RAFT_PUBLISH_ADDRESS",
        roles: &[Role::Master],
        set: |config, _, value| publish(value).map(|at| config.raft_publish_address = at),
        show: |config| config.raft_publish_address.clone(),
    },
    Setting {
        key: "raft.peers",
        env: "RAFT_PEERS",
        roles: &[Role::Master],
        set: |config, _, value| addresses(value).map(|peers| config.raft_peers = peers),
        show: |config| config.raft_peers.join(","),
    },
    Setting {
        key: "raft.bootstrap",
        env: "BOOTSTRAP",
        roles: &[Role::Master],
        set: |config, _, value| flag(value).map(|on| config.bootstrap = on),
        show: |config| config.bootstrap.to_string(),
    },
    Setting {
        key: "cluster.masters",
        env: "MASTER_ADDR",
        roles: MEMBERS,
        set: |config, _, value| {
            config.masters = addresses(value)?;
            match config.masters.is_empty() {
                true => Err("must name a master at least, as HOST:PORT".to_owned()),
                false => Ok(()),
            }
        },
        show: |config| config.masters.join(","),
    },
    Setting {
        key: "grpc.port",
        env: "QUIDDITCH_GRPC_PORT",
        roles: CLUSTERED,
        set: |config, _, value| port(value).map(|port| config.grpc_port = port),
        show: |config| config.grpc_port.to_string(),
    },
    Setting {
        key: "grpc.publish_address",
        env: "QUIDDITCH_GRPC_PUBLISH_ADDRESS",
        roles: CLUSTERED,
        set: |config, _, value| publish(value).map(|at| config.grpc_publish_address = at),
        show: |config| config.grpc_publish_address.clone(),
    },
    Setting {
        key: "metrics.port",
        env: "QUIDDITCH_METRICS_PORT",
        roles: EVERY,
        set: |config, _, value| {
            config.metrics_port = match text(value)?.as_str() {
                // YAML reads a bare `off` as a flag
                "off" | "false" => None,
                _ => Some(port(value).map_err(|why| format!("{why}, or off"))?),
            };
            Ok(())
        },
        show: |config| match config.metrics_port {
            None => "off".to_owned(),
            Some(port) => port.to_string(),
        },
    },
    Setting {
        key: "http.host",
        env: "",
        roles: REST,
        set: |config, _, value| text(value).map(|host| config.http_host = host),
        show: |config| config.http_host.clone(),
    },
    Setting {
        key: "http.port",
        env: "QUIDDITCH_HTTP_PORT",
        roles: REST,
        set: |config, _, value| port(value).map(|port| config.http_port = port),
        show: |config| config.http_port.to_string(),
    },
    Setting {
        key: "http.publish_host",
        env: "",
        roles: REST,
        set: |config, _, value| text(value).map(|host| config.http_publish_host = host),
        show: |config| config.http_publish_host.clone(),
    },
    Setting {
        key: "http.max_content_length",
        env: "",
        roles: REST,
        set: |config, _, value| bytes(value).map(|max| config.max_content_length = max),
        show: |config| format!("{}b", config.max_content_length),
    },
    Setting {
        key: "http.compression",
        env: "",
        roles: REST,
        set: |config, _, value| flag(value).map(|on| config.http_compression = on),
        show: |config| config.http_compression.to_string(),
    },
    Setting {
        key: "indexing_pressure.memory.limit",
        env: "",
        roles: REST,
        set: |config, _, value| memory(value).map(|limit| config.in_flight_limit = limit),
        show: |config| shown_memory(config.in_flight_limit),
    },
    Setting {
        key: "indices.queries.cache.size",
        env: "",
        roles: HAS_SHARDS,
        set: |config, _, value| memory(value).map(|limit| config.filters_limit = limit),
        show: |config| shown_memory(config.filters_limit),
    },
    Setting {
        key: "diagon.enabled",
        env: "DIAGON_ENABLED",
        roles: HAS_SHARDS,
        set: |config, _, value| {
            config.diagon = match text(value)?.as_str() {
                "" => None,
                _ => Some(flag(value)?),
            };
            Ok(())
        },
        show: |config| match config.diagon {
            None => String::new(),
            Some(on) => on.to_string(),
        },
    },
    Setting {
        key: "log.level",
        env: "LOG_LEVEL",
        roles: EVERY,
        set: |config, _, value| {
            let written = text(value)?;
            for part in written.split(',') {
                let level = part.rsplit_once('=').map_or(part, |(_, level)| level);
                if !LOG_LEVELS.contains(&level.trim().to_ascii_lowercase().as_str()) {
                    return Err(format!("must be one of {}", LOG_LEVELS.join(", ")));
                }
            }
            config.log_level = written;
            Ok(())
        },
        show: |config| config.log_level.clone(),
    },
    Setting {
        key: "log.format",
        env: "",
        roles: EVERY,
        set: |config, _, value| {
            config.log_json = match text(value)?.as_str() {
                "text" => false,
                "json" => true,
                _ => return Err("must be text or json".to_owned()),
            };
            Ok(())
        },
        show: |config| match config.log_json {
            true => "json".to_owned(),
            false => "text".to_owned(),
        },
    },
];

/// An address that others are told; nothing: the one that is listened at.
fn publish(value: &Value) -> Result<String, String> {
    let address = text(value)?;
    if !address.is_empty() {
        reachable(&address)?;
    }
    Ok(address)
}
