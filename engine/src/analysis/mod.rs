//! Text analysis: char filters, then a tokenizer, then token filters.
//!
//! A batch of tokens lives in one arena and passes whole from stage to stage, so that no token owns its text.
//! What users can name is a row of `tokenizers::TOKENIZERS`, `filters::FILTERS`, `char_filters::CHAR_FILTERS`
//! or `built_in::ANALYZERS`.

mod analyzer;
mod built_in;
mod char_filters;
mod definition;
mod filters;
mod java_regex;
mod languages;
mod registry;
mod stopwords;
mod token;
mod tokenizers;

pub use analyzer::{AnalyzeReport, AnalyzeStage, Analyzer, OwnedToken};
pub use registry::AnalysisRegistry;
pub(crate) use registry::keyword_analyzer;
pub use token::TokenRef;

pub(crate) use analyzer::Case;
pub(crate) use filters::lower_char;
pub(crate) use token::TokenBatch;
pub(crate) use tokenizers::Slice;

#[cfg(test)]
mod tests;
