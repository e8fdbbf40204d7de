//! BM25 as Lucene 10 computes it, bit for bit.
//!
//! Robertson and Zaragoza, "The Probabilistic Relevance Framework" (2009), without the constant factor `k1 + 1`. All
//! per-term arithmetic is in `f32` in a fixed order of operations; sums over terms are in `f64`, rounded once by whoever
//! sums.

use std::cell::RefCell;
use std::sync::Arc;

use crate::segment::length_of_norm;
use crate::simd::scoring::Weights;

/// The length that each norm stands for.
static LENGTHS: [f32; 256] = {
    let mut lengths = [0.0; 256];
    let mut norm = 0;
    while norm < 256 {
        lengths[norm] = length_of_norm(norm as u8) as f32;
        norm += 1;
    }
    lengths
};

/// What one field contributes to the scores of its terms.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FieldStatistics {
    /// Documents with the field, in the whole shard, dead ones included.
    pub doc_count: u64,
    /// Occurrences of all its terms.
    pub sum_total_term_freq: u64,
}

/// The weight of one term or phrase: turns a frequency and a norm into a score.
#[derive(Clone, Debug)]
pub(crate) struct Bm25 {
    /// Boost times inverse document frequency: what the score approaches with growing frequency.
    pub weight: f32,
    /// `1 / (k1 * (1 - b + b * length / average))` for each norm.
    pub inverse_norms: Arc<[f32; 256]>,
}

/// What the table of a field depends on: `k1`, `b` and the average length, as bits.
type TableKey = [u32; 3];
/// Fields whose tables a thread keeps.
const TABLES_KEPT: usize = 4;

thread_local! {
    /// The tables made last: the next query will most likely need them again, and one costs as much as scoring a block.
    static TABLES: RefCell<Vec<(TableKey, Arc<[f32; 256]>)>> = const { RefCell::new(Vec::new()) };
}

/// `1 / (k1 * (1 - b + b * length / average))` for each norm.
fn inverse_norms(k1: f32, b: f32, average: f32) -> Arc<[f32; 256]> {
    let key = [k1, b, average].map(f32::to_bits);
    TABLES.with_borrow_mut(|tables| {
        if let Some((_, table)) = tables.iter().find(|(of, _)| *of == key) {
            return table.clone();
        }
        let mut table = [0.0; 256];
        for (length, inverse) in LENGTHS.iter().zip(table.iter_mut()) {
            *inverse = 1.0 / (k1 * ((1.0 - b) + b * length / average));
        }
        // A document of a field that keeps lengths, indexed when it kept none, counts as one token long.
        table[0] = table[usize::from(NO_NORM)];
        let table = Arc::new(table);
        if tables.len() == TABLES_KEPT {
            tables.remove(0);
        }
        tables.push((key, table.clone()));
        table
    })
}

impl Bm25 {
    /// * `idf`: from [`idf`] or [`idf_sum`].
    /// * `boost`: product of the boosts above the term.
    pub fn new(field: &FieldStatistics, idf: f32, boost: f32, k1: f32, b: f32) -> Bm25 {
        let average = (field.sum_total_term_freq as f64 / field.doc_count.max(1) as f64) as f32;
        Bm25 {
            weight: boost * idf,
            inverse_norms: inverse_norms(k1, b, average),
        }
    }

    /// The same, as kernels take it.
    pub fn weights(&self) -> Weights<'_> {
        Weights {
            weight: self.weight,
            inverse: &self.inverse_norms,
        }
    }

    /// The score of a document.
    #[inline]
    pub fn score(&self, freq: f32, norm: u8) -> f32 {
        self.weight - self.weight / (1.0 + freq * self.inverse_norms[usize::from(norm)])
    }
}

/// The norm of documents of fields that keep none.
pub(crate) const NO_NORM: u8 = 1;

/// Inverse document frequency of a term in `doc_freq` of `doc_count` documents.
pub(crate) fn idf(doc_freq: u64, doc_count: u64) -> f32 {
    let (n, count) = (doc_freq as f64, doc_count as f64);
    (1.0 + (count - n + 0.5) / (n + 0.5)).ln() as f32
}

/// Inverse document frequency of several terms taken together, as a phrase.
pub(crate) fn idf_sum(doc_freqs: impl Iterator<Item = u64>, doc_count: u64) -> f32 {
    let mut sum = 0.0f64;
    for doc_freq in doc_freqs {
        sum += f64::from(idf(doc_freq, doc_count));
    }
    sum as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_term_in_one_of_two_documents() {
        // two documents of 2 and 3 tokens: average 2.5; idf = ln(1 + 1.5 / 1.5) = ln 2
        let field = FieldStatistics {
            doc_count: 2,
            sum_total_term_freq: 5,
        };
        let bm25 = Bm25::new(&field, idf(1, 2), 1.0, 1.2, 0.75);
        let norm = 1.0f32 / (1.2 * (0.25 + 0.75 * 2.0 / 2.5));
        let weight = 2f64.ln() as f32;
        assert_eq!(bm25.score(1.0, 2), weight - weight / (1.0 + norm));
        assert!((bm25.score(1.0, 2) - 0.343_142_93).abs() < 1e-6);
    }

    #[test]
    fn more_is_better_and_longer_is_worse() {
        let field = FieldStatistics {
            doc_count: 100,
            sum_total_term_freq: 1000,
        };
        let bm25 = Bm25::new(&field, idf(3, 100), 2.0, 1.2, 0.75);
        assert!(bm25.score(2.0, 10) > bm25.score(1.0, 10));
        assert!(bm25.score(1.0, 10) > bm25.score(1.0, 11));
        assert!(bm25.score(1e9, 1) <= bm25.weight);
    }
}
