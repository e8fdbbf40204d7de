//! The settings of the process: command line over environment over file over defaults.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Everything that a person can set before the start.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// `cluster.name`: what clients and nodes call this cluster.
    pub cluster_name: String,
    /// `node.name`: defaults to the host name.
    pub node_name: String,
    /// `node.attr.*`: free labels of this node, shown by `_cat/nodeattrs`, used by allocation filters.
    pub node_attributes: BTreeMap<String, String>,
    /// `path.data`: where everything is kept.
    pub data_dir: PathBuf,
    /// `path.repo`: folders that snapshot repositories may lie in.
    pub repo_dirs: Vec<PathBuf>,
    /// `http.host`
    pub http_host: String,
    /// `http.port`; 0 lets the system choose.
    pub http_port: u16,
    /// `http.max_content_length`: larger bodies are refused with 413.
    pub max_content_length: u64,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            cluster_name: "quidditch".to_owned(),
            node_name: "quidditch".to_owned(),
            node_attributes: BTreeMap::new(),
            data_dir: PathBuf::from("./data"),
            repo_dirs: Vec::new(),
            http_host: "127.0.0.1".to_owned(),
            http_port: 9200,
            max_content_length: 100 << 20,
        }
    }
}
