//! The documents with the highest scores.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::{DocAddress, ShardHit};
use crate::ids::DocId;

/// Orders worst first: lower score, then later document.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Entry {
    score: f32,
    doc: DocAddress,
}

impl Eq for Entry {}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        // the heap keeps its greatest on top, which shall be the worst
        let by_score = other.score.total_cmp(&self.score);
        by_score.then_with(|| self.doc.cmp(&other.doc))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Keeps the best `size` documents of those offered in ascending order of place.
#[derive(Debug)]
pub(super) struct TopScores {
    size: usize,
    heap: BinaryHeap<Entry>,
    /// Only scores below this count.
    after: f32,
}

impl TopScores {
    /// `after`: only documents that score less.
    pub fn new(size: usize, after: Option<f32>) -> Self {
        TopScores {
            size,
            heap: BinaryHeap::with_capacity(size.min(1024)),
            after: after.unwrap_or(f32::INFINITY),
        }
    }

    /// Scores of this or less are of no interest any more.
    pub fn floor(&self) -> f32 {
        match self.heap.peek() {
            _ if self.size == 0 => f32::INFINITY,
            Some(worst) if self.heap.len() >= self.size => worst.score,
            _ => f32::NEG_INFINITY,
        }
    }

    /// Offers documents of one segment with their scores.
    pub fn offer(&mut self, segment: u32, docs: &[u32], scores: &[f32]) {
        let mut floor = self.floor();
        for (doc, score) in docs.iter().zip(scores) {
            if *score <= floor || *score >= self.after {
                continue;
            }
            let entry = Entry {
                score: *score,
                doc: DocAddress {
                    segment,
                    doc: DocId(*doc),
                },
            };
            if self.heap.len() >= self.size {
                self.heap.pop();
            }
            self.heap.push(entry);
            floor = self.floor();
        }
    }

    /// The documents, best first.
    pub fn into_hits(self) -> Vec<ShardHit> {
        let mut hits = Vec::with_capacity(self.heap.len());
        for entry in self.heap.into_sorted_vec() {
            hits.push(ShardHit {
                doc: entry.doc,
                score: entry.score,
                sort: Vec::new(),
                collapse: None,
            });
        }
        hits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_go_to_the_first_document() {
        let mut top = TopScores::new(3, None);
        top.offer(0, &[1, 2, 3, 4], &[1.0, 2.0, 1.0, 1.0]);
        top.offer(1, &[0, 7], &[1.0, 3.0]);
        let found: Vec<(u32, u32)> = top
            .into_hits()
            .iter()
            .map(|h| (h.doc.segment, h.doc.doc.0))
            .collect();
        assert_eq!(found, [(1, 7), (0, 2), (0, 1)]);
    }

    #[test]
    fn after_a_score_only_lower_ones_count() {
        let mut top = TopScores::new(3, Some(2.0));
        top.offer(0, &[1, 2, 3], &[3.0, 2.0, 1.0]);
        assert_eq!(top.into_hits().len(), 1);
    }
}
