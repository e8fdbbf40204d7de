//! What an engine must be able to do to take part.

use anyhow::Result;

use super::queries::{Command, GameQuery};

/// An engine over its finished index, with the queries it will be asked.
pub trait Peer {
    /// What tables and JSON call it.
    fn name(&self) -> &'static str;

    /// Its release.
    fn version(&self) -> String;

    /// Live documents.
    fn doc_count(&self) -> u64;

    /// Segments.
    fn segment_count(&self) -> usize;

    /// Turns the queries into the engine's own typed queries. That is not timed; planning them against the index is.
    fn prepare(&mut self, queries: &[GameQuery]) -> Result<()>;

    /// Answers the prepared query of that number, as a program that links the engine would have it answered: this call
    /// is what is timed. The count for commands that count, else the number of documents found.
    fn run(&self, query: usize, command: Command) -> Result<u64>;

    /// What its documents and scores are checked through; `None`: only its counts are.
    fn checked(&self) -> Option<&dyn Checked> {
        None
    }
}

/// An engine that promises Lucene's scores, bit for bit.
pub trait Checked {
    /// Numbers in the corpus of all documents, dead ones included, in the order in which equal scores are ranked.
    fn order(&self) -> Vec<u32>;

    /// The best documents of a prepared query, as numbers in the corpus, with their scores, best first.
    fn best(&self, query: usize, command: Command) -> Result<Vec<(u32, f32)>>;
}
