//! What a job by query is to do.

use crate::coordination::search_input::SearchInput;
use crate::coordination::write::{VersionType, WriteOptions};

/// A job by query.
#[derive(Clone, Debug)]
pub struct Job {
    /// What is written.
    pub kind: Kind,
    /// Finds the documents; its size is the size of a page.
    pub search: SearchInput,
    /// Most documents to write; `None`: all.
    pub max_docs: Option<u64>,
    /// What a version conflict does.
    pub conflicts: Conflicts,
    /// How many parts work side by side.
    pub slices: Slices,
    /// Refresh the indices written to, at the end.
    pub refresh: bool,
    /// How each page is written.
    pub write: WriteOptions,
}

/// What is written for each document.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// It is removed.
    Delete,
    /// It is indexed again as it is.
    Update,
    /// It is indexed somewhere else.
    Reindex(Destination),
}

impl Kind {
    /// The action's name in task lists.
    pub fn action(&self) -> &'static str {
        match self {
            Kind::Delete => "indices:data/write/delete/byquery",
            Kind::Update => "indices:data/write/update/byquery",
            Kind::Reindex(_) => "indices:data/write/reindex",
        }
    }
}

/// Where documents are copied to.
#[derive(Clone, Debug, PartialEq)]
pub struct Destination {
    /// Index or alias.
    pub index: String,
    /// Leave documents alone that are there already.
    pub create: bool,
    /// Who counts versions.
    pub version_type: VersionType,
    /// Which routing copies get.
    pub routing: DestinationRouting,
}

/// Which routing copies get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DestinationRouting {
    /// That of the document.
    Keep,
    /// None.
    Discard,
    /// This one.
    Set(String),
}

/// What a version conflict does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conflicts {
    /// Ends the job.
    Abort,
    /// Is counted.
    Proceed,
}

/// How many parts work side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slices {
    /// As many as the index has shards.
    Auto,
    /// So many, from 1.
    Count(u32),
}
