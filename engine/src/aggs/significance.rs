//! How much more frequent a term is in what the query finds than elsewhere.

use serde::{Deserialize, Serialize};

/// The measure of `significant_terms`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Significance {
    /// Absolute change times relative change of the share.
    #[default]
    Jlh,
    /// Mutual information of the term and the found set, in bits.
    MutualInformation(Contingency),
    /// Pearson's chi-squared statistic.
    ChiSquare(Contingency),
    /// Google normalized distance (Cilibrasi and Vitanyi, "The Google Similarity Distance", 2007), as `e^-distance`.
    Gnd {
        /// See [`Contingency`].
        background_is_superset: bool,
    },
    /// The share of the term's documents that were found.
    Percentage,
}

/// Options of measures that look at all four combinations of term and set.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Contingency {
    /// Whether terms that are rarer in the found set count too.
    pub include_negatives: bool,
    /// Whether the documents found are among those of the background.
    pub background_is_superset: bool,
}

impl Default for Contingency {
    fn default() -> Self {
        Contingency {
            include_negatives: false,
            background_is_superset: true,
        }
    }
}

/// Counts of documents.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Counts {
    /// Found, with the term.
    pub found: u64,
    /// Found.
    pub found_all: u64,
    /// In the background, with the term.
    pub background: u64,
    /// In the background.
    pub background_all: u64,
}

impl Significance {
    /// Higher is more significant; 0 or less is not significant at all.
    pub(crate) fn score(self, counts: Counts) -> f64 {
        let found = counts.found as f64;
        let found_all = counts.found_all as f64;
        let background = counts.background as f64;
        let background_all = counts.background_all as f64;
        match self {
            Significance::Jlh => {
                if found_all == 0.0 || background_all == 0.0 {
                    return 0.0;
                }
                let share = found / found_all;
                let usual = background.max(1.0) / background_all;
                if share <= usual {
                    return 0.0;
                }
                (share - usual) * (share / usual)
            }
            Significance::Percentage if background == 0.0 => 0.0,
            Significance::Percentage => found / background,
            Significance::Gnd {
                background_is_superset,
            } => {
                let (term, all) = if background_is_superset {
                    (background, background_all)
                } else {
                    (background + found, background_all + found_all)
                };
                if found == 0.0 {
                    return 0.0;
                }
                if term == found_all && term == found {
                    return 1.0;
                }
                let distance = (term.ln().max(found_all.ln()) - found.ln())
                    / (all.ln() - term.ln().min(found_all.ln()));
                (-distance).exp()
            }
            Significance::MutualInformation(options) => {
                let table = Table::new(counts, options);
                if table.is_negative(options) {
                    return f64::NEG_INFINITY;
                }
                let part = |both: f64, term: f64, set: f64| match both {
                    0.0 => 0.0,
                    both => both * (table.all * both / (term * set)).ln(),
                };
                let sum = part(table.neither, table.no_term, table.not_found)
                    + part(table.only_found, table.no_term, table.found)
                    + part(table.only_term, table.term, table.not_found)
                    + part(table.both, table.term, table.found);
                sum / (table.all * std::f64::consts::LN_2)
            }
            Significance::ChiSquare(options) => {
                let table = Table::new(counts, options);
                if table.is_negative(options) {
                    return f64::NEG_INFINITY;
                }
                let difference = table.both * table.neither - table.only_found * table.only_term;
                table.all * difference * difference
                    / (table.found * table.term * table.no_term * table.not_found)
            }
        }
    }
}

/// The contingency table of a term and the found set, with its sums.
struct Table {
    both: f64,
    only_found: f64,
    only_term: f64,
    neither: f64,
    term: f64,
    no_term: f64,
    found: f64,
    not_found: f64,
    all: f64,
}

impl Table {
    fn new(counts: Counts, options: Contingency) -> Table {
        let both = counts.found as f64;
        let only_found = counts.found_all as f64 - both;
        let (mut term, mut all) = (counts.background as f64, counts.background_all as f64);
        if !options.background_is_superset {
            term += both;
            all += counts.found_all as f64;
        }
        let only_term = term - both;
        let neither = all - term - only_found;
        Table {
            both,
            only_found,
            only_term,
            neither,
            term,
            no_term: only_found + neither,
            found: both + only_found,
            not_found: only_term + neither,
            all,
        }
    }

    /// Whether the term is rarer in the found set, and that does not count.
    fn is_negative(&self, options: Contingency) -> bool {
        !options.include_negatives && self.both / self.found < self.only_term / self.not_found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNTS: Counts = Counts {
        found: 5,
        found_all: 10,
        background: 10,
        background_all: 100,
    };

    #[test]
    fn measures_follow_their_formulas() {
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} {b}");
        close(Significance::Jlh.score(COUNTS), 0.4 * 5.0);
        close(Significance::Percentage.score(COUNTS), 0.5);
        let options = Contingency::default();
        // table 5 5 5 85
        let chi = 100.0 * (5.0 * 85.0 - 25.0_f64).powi(2) / (10.0 * 10.0 * 90.0 * 90.0);
        close(Significance::ChiSquare(options).score(COUNTS), chi);
        let gnd = Significance::Gnd {
            background_is_superset: true,
        };
        close(gnd.score(COUNTS), (-(2.0_f64.ln() / 10.0_f64.ln())).exp());
    }

    #[test]
    fn terms_that_are_rarer_than_usual_are_not_significant() {
        let rare = Counts { found: 0, ..COUNTS };
        assert_eq!(Significance::Jlh.score(rare), 0.0);
        let options = Contingency::default();
        assert!(Significance::MutualInformation(options).score(rare) < 0.0);
        assert!(Significance::ChiSquare(options).score(rare) < 0.0);
    }
}
