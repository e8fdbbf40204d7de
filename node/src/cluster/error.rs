//! Why a command or a name was refused, in the words a user of the REST interface reads.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A refusal: OpenSearch's exception name, its HTTP status, the reason, and what it is about.
///
/// The one error of [`crate::master::decide`] and of name resolution; the REST edge copies it field by field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateError {
    /// HTTP status, e.g. 404.
    pub status: u16,
    /// Exception name in snake case, e.g. `index_not_found_exception`.
    pub kind: String,
    /// What went wrong, in OpenSearch's wording.
    pub reason: String,
    /// Extra keys of the error body: `index`, `index_uuid`, `resource.type`, `resource.id`.
    pub details: BTreeMap<String, String>,
    /// The refusal behind this one.
    pub caused_by: Option<Box<StateError>>,
}

impl StateError {
    /// Makes a refusal without details.
    pub fn new(status: u16, kind: &str, reason: impl Into<String>) -> StateError {
        StateError {
            status,
            kind: kind.to_owned(),
            reason: reason.into(),
            details: BTreeMap::new(),
            caused_by: None,
        }
    }

    /// Adds one key of the error body.
    pub fn with(mut self, key: &str, value: impl Into<String>) -> StateError {
        self.details.insert(key.to_owned(), value.into());
        self
    }

    /// Adds the refusal behind this one.
    pub fn caused_by(mut self, cause: StateError) -> StateError {
        self.caused_by = Some(Box::new(cause));
        self
    }

    /// `illegal_argument_exception`, 400.
    pub fn illegal_argument(reason: impl Into<String>) -> StateError {
        StateError::new(400, "illegal_argument_exception", reason)
    }

    /// `index_not_found_exception`, 404, for one name or expression.
    pub fn index_not_found(expression: &str) -> StateError {
        StateError::new(
            404,
            "index_not_found_exception",
            format!("no such index [{expression}]"),
        )
        .with("resource.type", "index_or_alias")
        .with("resource.id", expression)
        .with("index", expression)
        .with("index_uuid", "_na_")
    }

    /// `resource_already_exists_exception`, 400, for an index.
    pub fn index_exists(name: &str, uuid: &str) -> StateError {
        StateError::new(
            400,
            "resource_already_exists_exception",
            format!("index [{name}/{uuid}] already exists"),
        )
        .with("index", name)
        .with("index_uuid", uuid)
    }

    /// `stale_primary`, 409: who asks is no longer the primary, or not a working one. It must not acknowledge anything.
    pub fn stale_primary(reason: impl Into<String>) -> StateError {
        StateError::new(409, "stale_primary", reason)
    }

    /// `invalid_index_name_exception`, 400.
    pub fn invalid_index_name(name: &str, why: &str) -> StateError {
        StateError::new(
            400,
            "invalid_index_name_exception",
            format!("Invalid index name [{name}], {why}"),
        )
        .with("index", name)
        .with("index_uuid", "_na_")
    }
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.reason)
    }
}

impl std::error::Error for StateError {}
