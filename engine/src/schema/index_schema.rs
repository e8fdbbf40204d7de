//! All that an index needs to know to read documents and queries.

use std::collections::BTreeMap;

use super::context::BuildContext;
use super::{IndexSettings, Mapping, SchemaError, mapping_merge, mapping_parse};
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum UpdateReason {
    /// A user asked.
    Put,
    /// A document brought new fields.
    Dynamic,
}

impl IndexSchema {
    /// Builds a schema from a mapping and the index's flat settings (`index.…`).
    pub fn new(
        mapping: &serde_json::Value,
        settings: &BTreeMap<String, String>,
    ) -> Result<IndexSchema, SchemaError> {
        let parsed =
            IndexSettings::parse(settings).map_err(|error| SchemaError::illegal(error.reason))?;
        let analysis = AnalysisRegistry::parse(settings)?;
        let context = BuildContext {
            analysis: &analysis,
            settings: &parsed,
        };
        let mapping = mapping_parse::parse_mapping(context, mapping)
            .and_then(|mapping| mapping_parse::validate(context, &mapping).map(|()| mapping))
            .map_err(|error| {
                if error
                    .reason
                    .starts_with("The mapping definition cannot be nested")
                {
                    return error;
                }
                SchemaError::mapper(format!("Failed to parse mapping [_doc]: {}", error.reason))
                    .caused_by(error)
            })?;
        Ok(IndexSchema {
            mapping,
            analysis,
            settings: parsed,
        })
    }

    /// The schema after a mapping update, or OpenSearch's reason why the two conflict.
    pub fn with_mapping_update(
        &self,
        update: &serde_json::Value,
        reason: UpdateReason,
    ) -> Result<IndexSchema, SchemaError> {
        let context = self.context();
        let update = mapping_parse::parse_mapping(context, update)?;
        let mapping = mapping_merge::merge(context, &self.mapping, &update, reason)?;
        mapping_parse::validate(context, &mapping)?;
        Ok(IndexSchema {
            mapping,
            analysis: self.analysis.clone(),
            settings: self.settings.clone(),
        })
    }

    /// The schema with other settings; the mapping stays, analysis is read again.
    pub fn with_settings(
        &self,
        settings: &BTreeMap<String, String>,
    ) -> Result<IndexSchema, SchemaError> {
        IndexSchema::new(&self.mapping.to_json(), settings)
    }

    pub(crate) fn context(&self) -> BuildContext<'_> {
        BuildContext {
            analysis: &self.analysis,
            settings: &self.settings,
        }
    }
}
