//! Protocol Buffers messages of the cluster, and nothing else.
//!
//! The `.proto` files are the source; `src/generated` is made from them, kept in the repository so that a build needs
//! no compiler for them, and compared by a test. To make it anew: `UPDATE_PROTO=1 cargo test -p quidditch-proto`.

/// What nodes say to one another.
#[allow(missing_docs, clippy::all)] // generated
mod services {
    include!("generated/quidditch.rs");
}
pub use services::*;

/// What masters say to one another, and what they keep in their log.
#[allow(missing_docs, clippy::all)] // generated
pub mod raft {
    include!("generated/quidditch.raft.rs");
}

/// All `.proto` files, compiled, for gRPC reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!("generated/descriptors.bin");

/// What coordination asks of data nodes.
pub mod data {
    /// Version 1.
    #[allow(missing_docs, clippy::all)] // generated
    pub mod v1 {
        include!("generated/quidditch.data.v1.rs");
    }
}

/// What nodes tell about themselves.
pub mod node {
    /// Version 1.
    #[allow(missing_docs, clippy::all)] // generated
    pub mod v1 {
        include!("generated/quidditch.node.v1.rs");
    }
}

/// The cluster state on disk.
pub mod state {
    /// Version 1.
    #[allow(missing_docs, clippy::all)] // generated
    pub mod v1 {
        include!("generated/quidditch.state.v1.rs");
    }
}

/// What copies of a shard ask each other.
pub mod replication {
    /// Version 1.
    #[allow(missing_docs, clippy::all)] // generated
    pub mod v1 {
        include!("generated/quidditch.replication.v1.rs");
    }
}
