//! What is asked of highlighting.

use serde::{Deserialize, Serialize};

use crate::query::Query;

/// Fields whose text is shown with what the query found in it marked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HighlightRequest {
    /// The search's query; marks what it finds wherever a field has no query of its own.
    pub query: Query,
    /// The fields, in the order asked.
    pub fields: Vec<HighlightField>,
}

/// One field, or a pattern of names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HighlightField {
    /// Path or pattern.
    pub field: String,
    /// How its text is shown.
    pub options: HighlightOptions,
    /// Marks what this query finds in place of the search's.
    pub query: Option<Query>,
}

/// How text is cut and marked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HighlightOptions {
    /// Who cuts the text.
    pub kind: HighlightKind,
    /// Written before what is marked.
    pub pre_tag: String,
    /// Written behind what is marked.
    pub post_tag: String,
    /// Best fragments first; else as they stand in the text.
    pub by_score: bool,
    /// Length of fragments in UTF-16 units; 0: as long as the boundaries make them.
    pub fragment_size: usize,
    /// Most fragments; 0: each value whole.
    pub number_of_fragments: usize,
    /// Whether the text is escaped for HTML.
    pub html: bool,
    /// Whether only clauses about the field itself count.
    pub require_field_match: bool,
    /// Where the unified highlighter cuts.
    pub boundary: Boundary,
    /// Where the plain highlighter cuts.
    pub fragmenter: Fragmenter,
    /// Length of the beginning of the text that is shown when nothing is found in it; 0: none.
    pub no_match_size: usize,
    /// Reads the `_source` even where the field is stored.
    pub force_source: bool,
    /// Further fields whose clauses count.
    pub matched_fields: Vec<String>,
    /// Text behind this offset is not analysed; `None`: longer texts than the index allows are refused.
    pub max_analyzer_offset: Option<usize>,
}

impl Default for HighlightOptions {
    fn default() -> Self {
        HighlightOptions {
            kind: HighlightKind::Unified,
            pre_tag: "<em>".to_owned(),
            post_tag: "</em>".to_owned(),
            by_score: false,
            fragment_size: 100,
            number_of_fragments: 5,
            html: false,
            require_field_match: true,
            boundary: Boundary::Sentence,
            fragmenter: Fragmenter::Span,
            no_match_size: 0,
            force_source: false,
            matched_fields: Vec::new(),
            max_analyzer_offset: None,
        }
    }
}

/// The ways of highlighting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HighlightKind {
    /// Sentences, the best ones chosen by BM25.
    Unified,
    /// Pieces of equal length, the best ones chosen by the number of different terms.
    Plain,
}

/// Where the unified highlighter cuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Boundary {
    /// Between sentences, and between words where a sentence is too long.
    Sentence,
    /// Between words.
    Word,
}

/// Where the plain highlighter cuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fragmenter {
    /// Between tokens, but not inside a phrase that was found.
    Span,
    /// Between tokens.
    Simple,
}
