//! The analyzers, tokenizers and filters an index knows by name.

use std::sync::Arc;

use serde::Serialize;

use super::Analyzer;
use crate::schema::SchemaError;

/// Built-in and configured analysis parts of one index.
#[derive(Debug, Default)]
pub struct AnalysisRegistry {}

/// One token with its own text, for `_analyze`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OwnedToken {
    /// The term.
    pub token: String,
    /// See [`TokenRef`](super::TokenRef).
    pub start_offset: u32,
    /// See [`TokenRef`](super::TokenRef).
    pub end_offset: u32,
    /// Token type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Position from 0.
    pub position: u32,
    /// Positions it spans, shown unless 1.
    #[serde(rename = "positionLength", skip_serializing_if = "is_one")]
    pub position_length: u32,
    /// Whether stemmers leave it alone; shown by `explain` only.
    #[serde(skip)]
    pub keyword: bool,
}

fn is_one(n: &u32) -> bool {
    *n == 1
}

/// What one stage of an analyzer gave, for `_analyze` with `explain`.
#[derive(Clone, Debug)]
pub struct AnalyzeStage {
    /// Name of the char filter, tokenizer or token filter.
    pub name: String,
    /// The text after a char filter, one per given text; empty for other stages.
    pub filtered_text: Vec<String>,
    /// The tokens after a tokenizer or token filter; empty for char filters.
    pub tokens: Vec<OwnedToken>,
}

/// The answer of `_analyze`.
#[derive(Clone, Debug)]
pub struct AnalyzeReport {
    /// The final tokens.
    pub tokens: Vec<OwnedToken>,
    /// Whether the chain was given part by part (`custom_analyzer: true` in `explain`).
    pub custom: bool,
    /// The analyzer's name, for a named one.
    pub analyzer: Option<String>,
    /// Char filters in order.
    pub char_filters: Vec<AnalyzeStage>,
    /// The tokenizer; the whole analyzer if it is built in.
    pub tokenizer: Option<AnalyzeStage>,
    /// Token filters in order.
    pub filters: Vec<AnalyzeStage>,
}

#[allow(clippy::todo)]
impl AnalysisRegistry {
    /// The analyzer of that name: configured, else built in.
    pub fn analyzer(&self, _name: &str) -> Option<Arc<Analyzer>> {
        todo!()
    }

    /// The normalizer of that name: configured, else built in (`lowercase`).
    pub fn normalizer(&self, _name: &str) -> Option<Arc<Analyzer>> {
        todo!()
    }

    /// Builds an unnamed analyzer from the parts of an `_analyze` body: `tokenizer`, `filter`, `char_filter`, each a
    /// name or a definition; without a tokenizer a normalizer.
    pub fn build_custom(&self, _spec: &serde_json::Value) -> Result<Arc<Analyzer>, SchemaError> {
        todo!()
    }

    /// Runs texts through an analyzer as if they were values of one field, remembering every stage.
    pub fn explain(&self, _analyzer: &Analyzer, _texts: &[&str]) -> AnalyzeReport {
        todo!()
    }
}
