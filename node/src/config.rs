//! The settings of the process: command line over environment over file over defaults.
//!
//! `SETTINGS` is the table of all keys; `deployments/quidditch.yml` shows them to people, and a test keeps the two
//! together. Every mistake of a file is reported at once, each with its key.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::cluster::setting_values::parse_bytes;

/// Everything that a person can set before the start.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// `cluster.name`
    pub cluster_name: String,
    /// `node.name`; empty means the host's name.
    pub node_name: String,
    /// `node.attr.*`, without the prefix.
    pub node_attributes: BTreeMap<String, String>,
    /// `path.data`
    pub data_dir: PathBuf,
    /// `path.repo`
    pub repo_dirs: Vec<PathBuf>,
    /// `http.host`
    pub http_host: String,
    /// `http.port`; 0 lets the system choose.
    pub http_port: u16,
    /// `http.publish_host`; empty means `http_host`.
    pub http_publish_host: String,
    /// `http.max_content_length`, bytes.
    pub max_content_length: u64,
    /// `http.compression`
    pub http_compression: bool,
    /// `indexing_pressure.memory.limit`
    pub in_flight_limit: MemoryLimit,
    /// `node.processors`; 0 means all.
    pub processors: usize,
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
        Config {
            cluster_name: "quidditch".to_owned(),
            node_name: String::new(),
            node_attributes: BTreeMap::new(),
            data_dir: PathBuf::from("./data"),
            repo_dirs: Vec::new(),
            http_host: "127.0.0.1".to_owned(),
            http_port: 9200,
            http_publish_host: String::new(),
            max_content_length: 100 << 20,
            http_compression: true,
            in_flight_limit: MemoryLimit::Percent(10.0),
            processors: 0,
            log_level: "info".to_owned(),
            log_json: false,
        }
    }
}

/// One key that a person can write.
struct Setting {
    /// The dotted key; with a final dot it is a prefix, and what follows is free.
    key: &'static str,
    /// Puts a value in its place. `name`: what follows the prefix.
    set: fn(&mut Config, name: &str, value: &Value) -> Result<(), String>,
}

/// Alone, or for a part of the program as in `quidditch_engine=debug`.
const LOG_LEVELS: &[&str] = &["off", "error", "warn", "info", "debug", "trace"];

const SETTINGS: &[Setting] = &[
    Setting {
        key: "cluster.name",
        set: |config, _, value| {
            config.cluster_name = text(value)?;
            match config.cluster_name.is_empty() || config.cluster_name.contains(':') {
                true => Err("must not be empty and must not contain ':'".to_owned()),
                false => Ok(()),
            }
        },
    },
    Setting {
        key: "node.name",
        set: |config, _, value| text(value).map(|name| config.node_name = name),
    },
    Setting {
        key: "node.attr.",
        set: |config, name, value| {
            config.node_attributes.insert(name.to_owned(), text(value)?);
            Ok(())
        },
    },
    Setting {
        key: "path.data",
        set: |config, _, value| text(value).map(|path| config.data_dir = path.into()),
    },
    Setting {
        key: "path.repo",
        set: |config, _, value| {
            config.repo_dirs = list(value)?.into_iter().map(PathBuf::from).collect();
            Ok(())
        },
    },
    Setting {
        key: "http.host",
        set: |config, _, value| text(value).map(|host| config.http_host = host),
    },
    Setting {
        key: "http.port",
        set: |config, _, value| {
            config.http_port = text(value)?
                .parse()
                .map_err(|_| "must be a port, 0 to 65535".to_owned())?;
            Ok(())
        },
    },
    Setting {
        key: "http.publish_host",
        set: |config, _, value| text(value).map(|host| config.http_publish_host = host),
    },
    Setting {
        key: "http.max_content_length",
        set: |config, _, value| {
            config.max_content_length = bytes("http.max_content_length", value)?;
            Ok(())
        },
    },
    Setting {
        key: "http.compression",
        set: |config, _, value| flag(value).map(|on| config.http_compression = on),
    },
    Setting {
        key: "indexing_pressure.memory.limit",
        set: |config, _, value| {
            let written = text(value)?;
            config.in_flight_limit = match written.strip_suffix('%') {
                None => MemoryLimit::Bytes(bytes("indexing_pressure.memory.limit", value)?),
                Some(percent) => match percent.trim().parse::<f64>() {
                    Ok(percent) if percent > 0.0 && percent <= 100.0 => {
                        MemoryLimit::Percent(percent)
                    }
                    _ => return Err("must be above 0% and at most 100%".to_owned()),
                },
            };
            Ok(())
        },
    },
    Setting {
        key: "node.processors",
        set: |config, _, value| {
            config.processors = text(value)?
                .parse()
                .ok()
                .filter(|count| *count <= 1024)
                .ok_or("must be a number from 0 to 1024")?;
            Ok(())
        },
    },
    Setting {
        key: "log.level",
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
    },
    Setting {
        key: "log.format",
        set: |config, _, value| {
            config.log_json = match text(value)?.as_str() {
                "text" => false,
                "json" => true,
                _ => return Err("must be text or json".to_owned()),
            };
            Ok(())
        },
    },
];

/// What is wrong with the settings: every mistake, one a line.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error("{}", .mistakes.join("\n"))]
pub struct ConfigError {
    /// Each names its key, or the file.
    pub mistakes: Vec<String>,
}

impl Config {
    /// Reads a file over the defaults.
    pub fn from_file(path: &Path) -> Result<Config, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError {
            mistakes: vec![format!("{}: {error}", path.display())],
        })?;
        Config::from_yaml(&text).map_err(|mut error| {
            for mistake in &mut error.mistakes {
                *mistake = format!("{}: {mistake}", path.display());
            }
            error
        })
    }

    /// Reads YAML over the defaults.
    pub fn from_yaml(yaml: &str) -> Result<Config, ConfigError> {
        let mut config = Config::default();
        let only_comments = yaml
            .lines()
            .all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'));
        if only_comments {
            return Ok(config);
        }
        let value: Value = serde_saphyr::from_str(yaml).map_err(|error| ConfigError {
            mistakes: vec![error.to_string()],
        })?;
        if !value.is_object() {
            return Err(ConfigError {
                mistakes: vec!["must be a mapping of keys to values".to_owned()],
            });
        }
        let mut mistakes = Vec::new();
        config.set_all("", &value, &mut mistakes);
        match mistakes.is_empty() {
            true => Ok(config),
            false => Err(ConfigError { mistakes }),
        }
    }

    /// Sets one key from text, as `-E key=value` does.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), ConfigError> {
        let mut mistakes = Vec::new();
        self.set_one(key, &Value::from(value), &mut mistakes);
        match mistakes.is_empty() {
            true => Ok(()),
            false => Err(ConfigError { mistakes }),
        }
    }

    /// Sets host and port from `HOST:PORT`.
    pub fn set_http_addr(&mut self, addr: &str) -> Result<(), ConfigError> {
        let parts = addr.rsplit_once(':').and_then(|(host, port)| {
            let host = host.trim_start_matches('[').trim_end_matches(']');
            port.parse().ok().map(|port: u16| (host.to_owned(), port))
        });
        match parts {
            Some((host, port)) if !host.is_empty() => {
                self.http_host = host;
                self.http_port = port;
                Ok(())
            }
            _ => Err(ConfigError {
                mistakes: vec![format!(
                    "http address [{addr}]: must be HOST:PORT, such as 127.0.0.1:9200"
                )],
            }),
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
        for setting in SETTINGS {
            let name = match setting.key.strip_suffix('.') {
                None if setting.key == key => "",
                None => continue,
                Some(_) => match key.strip_prefix(setting.key) {
                    Some(name) if !name.is_empty() => name,
                    _ => continue,
                },
            };
            if let Err(why) = (setting.set)(self, name, value) {
                mistakes.push(format!("[{key}]: {why}, but is [{}]", shown(value)));
            }
            return;
        }
        mistakes.push(format!("[{key}]: unknown setting"));
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn text(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(flag.to_string()),
        _ => Err("must be one value".to_owned()),
    }
}

fn list(value: &Value) -> Result<Vec<String>, String> {
    match value {
        Value::Array(items) => items.iter().map(text).collect(),
        single => Ok(text(single)?
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect()),
    }
}

fn flag(value: &Value) -> Result<bool, String> {
    match text(value)?.as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("must be true or false".to_owned()),
    }
}

fn bytes(key: &str, value: &Value) -> Result<u64, String> {
    match parse_bytes(&text(value)?, key) {
        Ok(size) if size > 0 => Ok(size as u64),
        _ => Err("must be a size above zero with its unit, such as 100mb".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOWN: &str = include_str!("../../deployments/quidditch.yml");

    #[test]
    fn the_file_shows_every_setting_at_its_default() {
        let mut yaml = String::new();
        for line in SHOWN.lines() {
            if let Some(setting) = line.strip_prefix('#')
                && !setting.starts_with(' ')
            {
                yaml.push_str(setting);
                yaml.push('\n');
            }
        }
        assert_eq!(Config::from_yaml(&yaml).unwrap(), Config::default());
        for setting in SETTINGS {
            let key = setting.key.trim_end_matches('.');
            assert!(yaml.contains(&format!("{key}: ")), "{key} is not shown");
        }
        assert_eq!(Config::from_yaml(SHOWN).unwrap(), Config::default());
    }

    #[test]
    fn keys_may_be_nested_or_dotted() {
        let config =
            Config::from_yaml("http: {port: 0}\nnode.attr.zone: a\npath.repo: [/a, /b]").unwrap();
        assert_eq!(config.http_port, 0);
        assert_eq!(config.node_attributes["zone"], "a");
        assert_eq!(config.repo_dirs.len(), 2);
    }

    #[test]
    fn all_mistakes_are_told_at_once() {
        let error = Config::from_yaml("http.port: x\ncolour: red\nlog.format: xml").unwrap_err();
        assert_eq!(
            error.mistakes,
            [
                "[http.port]: must be a port, 0 to 65535, but is [x]",
                "[colour]: unknown setting",
                "[log.format]: must be text or json, but is [xml]",
            ]
        );
    }

    #[test]
    fn addresses() {
        let mut config = Config::default();
        config.set_http_addr("[::1]:0").unwrap();
        assert_eq!((config.http_host.as_str(), config.http_port), ("::1", 0));
        assert!(config.set_http_addr("nowhere").is_err());
        assert!(config.set_http_addr("host:99999").is_err());
    }

    #[test]
    fn a_log_level_that_is_none_is_refused_by_name() {
        let mut config = Config::default();
        let error = config.set("log.level", "loud").unwrap_err();
        assert!(error.to_string().contains("[loud]"), "{error}");
        config
            .set("log.level", "warn,quidditch_node=debug")
            .unwrap();
    }
}
