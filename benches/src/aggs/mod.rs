//! Aggregations over columns: our engine and tantivy, the same rows, side by side.
//!
//! | file | subject |
//! |---|---|
//! | `rows` | the rows, made up, the same in every run |
//! | `quidditch`, `tantivy` | the engines |
//! | `truth` | the right answers, from the rows alone |

pub mod quidditch;
pub mod rows;
pub mod tantivy;
pub mod truth;

use anyhow::{Context, Result};

/// Our time divided by tantivy's is to be at most this.
pub const TARGET: f64 = 0.5;
/// The percents that are asked for.
pub const PERCENTS: [f64; 7] = [1.0, 5.0, 25.0, 50.0, 75.0, 95.0, 99.0];
/// The inner bounds of the ranges of `bytes`.
pub const RANGES: [i64; 4] = [500, 2_000, 10_000, 50_000];
/// A day.
pub const INTERVAL_MS: i64 = 86_400_000;
/// Buckets of `terms`.
pub const TERMS: usize = 10;

/// What is asked of all rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// `terms` of a keyword with 8 values.
    TermsLow,
    /// `terms` of a keyword with a value for every ten rows.
    TermsHigh,
    /// `date_histogram` by day, with the `avg` of a double.
    DateHistogramAvg,
    /// `range` of a long, with the `stats` of a double.
    RangeStats,
    /// `cardinality` of the keyword with many values.
    Cardinality,
    /// `percentiles` of a double.
    Percentiles,
}

impl Workload {
    /// All of them.
    pub const ALL: [Workload; 6] = [
        Workload::TermsLow,
        Workload::TermsHigh,
        Workload::DateHistogramAvg,
        Workload::RangeStats,
        Workload::Cardinality,
        Workload::Percentiles,
    ];

    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Workload::TermsLow => "terms_low",
            Workload::TermsHigh => "terms_high",
            Workload::DateHistogramAvg => "date_histogram_avg",
            Workload::RangeStats => "range_stats",
            Workload::Cardinality => "cardinality",
            Workload::Percentiles => "percentiles",
        }
    }

    /// The workload of that name.
    pub fn parse(name: &str) -> Result<Workload> {
        let found = Workload::ALL.into_iter().find(|w| w.name() == name);
        found.with_context(|| {
            let names = Workload::ALL.map(Workload::name).join(", ");
            format!("[{name}] is no aggregation of this bench; there are {names}")
        })
    }
}

/// An answer, in the form in which engines are compared.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Key, documents and metrics of each bucket, in the order of the answer.
    Buckets(Vec<(String, u64, Vec<f64>)>),
    /// `cardinality`: one; `percentiles`: one for each of [`PERCENTS`].
    Numbers(Vec<f64>),
}

/// An engine over its rows.
pub trait Columns {
    /// What tables and JSON call it.
    fn name(&self) -> &'static str;
    /// Its release.
    fn version(&self) -> String;
    /// Answers; this call is what is timed: from the typed request to the final answer.
    fn run(&self, workload: Workload) -> Result<usize>;
    /// Answers, for comparison.
    fn answer(&self, workload: Workload) -> Result<Answer>;
}
