//! What a process of the cluster is for.

use std::path::Path;

/// The part that one process plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Every part in one process.
    All,
    /// One of the group that agrees on the cluster state.
    Master,
    /// REST in front of the shards of others.
    Coordination,
    /// Shards.
    Data,
}

/// Every role.
pub const ALL_ROLES: [Role; 4] = [Role::All, Role::Master, Role::Coordination, Role::Data];

impl Role {
    /// The role of the program with this path; `None`: it is no name of ours.
    pub fn of_program(path: &Path) -> Option<Role> {
        let name = path.file_name()?;
        ALL_ROLES.into_iter().find(|role| name == role.program())
    }

    /// Name of the program.
    pub fn program(self) -> &'static str {
        match self {
            Role::All => "quidditch",
            Role::Master => "quidditch-master",
            Role::Coordination => "quidditch-coordination",
            Role::Data => "quidditch-data",
        }
    }

    /// Name of the role, as logs and metrics show it.
    pub fn name(self) -> &'static str {
        match self {
            Role::All => "all",
            Role::Master => "master",
            Role::Coordination => "coordination",
            Role::Data => "data",
        }
    }

    /// The file that is read when it exists and no other is named.
    pub fn default_file(self) -> Option<&'static str> {
        match self {
            Role::All => None,
            Role::Master => Some("/etc/quidditch/master.yaml"),
            Role::Coordination => Some("/etc/quidditch/coordination.yaml"),
            Role::Data => Some("/etc/quidditch/data.yaml"),
        }
    }

    /// Whether it serves REST.
    pub fn has_rest(self) -> bool {
        matches!(self, Role::All | Role::Coordination)
    }

    /// The port of its gRPC server, unless another one is set; `None`: it has none.
    pub fn grpc_port(self) -> Option<u16> {
        match self {
            Role::All => None,
            Role::Master => Some(9301),
            Role::Coordination => Some(9302),
            Role::Data => Some(9303),
        }
    }

    /// Its names in the cluster state, sorted.
    pub fn node_roles(self) -> Vec<String> {
        let names: &[&str] = match self {
            Role::All => &["cluster_manager", "data", "ingest", "remote_cluster_client"],
            Role::Master => &["cluster_manager"],
            Role::Coordination => &["ingest", "remote_cluster_client"],
            Role::Data => &["data"],
        };
        names.iter().map(|name| (*name).to_owned()).collect()
    }
}
