//! What building a field needs to know of its index.

use super::IndexSettings;
use crate::analysis::AnalysisRegistry;

/// Analyzers and settings.
#[derive(Clone, Copy)]
pub(crate) struct BuildContext<'a> {
    pub analysis: &'a AnalysisRegistry,
    pub settings: &'a IndexSettings,
}
