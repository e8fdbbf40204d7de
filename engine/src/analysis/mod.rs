//! Text analysis: char filters, then a tokenizer, then token filters.

mod analyzer;
mod registry;
mod token;

pub use analyzer::Analyzer;
pub use registry::{AnalysisRegistry, AnalyzeReport, AnalyzeStage, OwnedToken};
pub use token::TokenRef;
