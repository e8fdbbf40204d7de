//! The game: the same corpus and the same queries for several engines in one process, timed side by side.
//!
//! | file | subject |
//! |---|---|
//! | `corpus`, `queries` | what is indexed and asked; commands and classes |
//! | `peer` | what an engine must be able to do |
//! | `quidditch`, `tantivy` | the engines |
//! | `build`, `usage` | indexes, made once and kept; time and memory of a process |
//! | `oracle` | the right answers, computed from the corpus alone |
//! | `rounds` | checks and timing |
//! | `cells`, `targets`, `report` | from times to ratios, tables and JSON |
//! | `lucene` | times of another process, put beside ours |

pub mod build;
pub mod cells;
pub mod corpus;
pub mod lucene;
pub mod oracle;
pub mod peer;
pub mod queries;
pub mod quidditch;
pub mod report;
pub mod rounds;
pub mod tantivy;
pub mod targets;
pub mod usage;
