//! All that an index needs to know to read documents and queries.

use std::collections::BTreeMap;

use super::{IndexSettings, Mapping, SchemaError};
use crate::analysis::AnalysisRegistry;

/// Mapping, analysis and engine settings of one index; shared as `Arc<IndexSchema>`, replaced as a whole.
#[derive(Debug)]
pub struct IndexSchema {
    /// Fields and objects.
    pub mapping: Mapping,
    /// Analyzers by name.
    pub analysis: AnalysisRegistry,
    /// Settings the engine obeys.
    pub settings: IndexSettings,
}

/// Why a mapping changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateReason {
    /// A user asked.
    Put,
    /// A document brought new fields.
    Dynamic,
}

#[allow(clippy::todo)]
impl IndexSchema {
    /// Builds a schema from a mapping and the index's flat settings (`index.…`).
    pub fn new(
        _mapping: &serde_json::Value,
        _settings: &BTreeMap<String, String>,
    ) -> Result<IndexSchema, SchemaError> {
        todo!()
    }

    /// The schema after a mapping update, or OpenSearch's reason why the two conflict.
    pub fn with_mapping_update(
        &self,
        _update: &serde_json::Value,
        _reason: UpdateReason,
    ) -> Result<IndexSchema, SchemaError> {
        todo!()
    }
}
