//! The documents with the highest scores.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::{DocAddress, ShardHit};
use crate::ids::DocId;
use crate::simd;

/// Up to this many are kept in order.
const FEW_MAX: usize = 16;
/// Up to this many a heap knows the worst after each; more are sorted out in bulk.
const HEAP_MAX: usize = 128;
/// Into so many parts scores are split at most, to find out how high the best are.
const PARTS_MAX: usize = 2 * HEAP_MAX;

/// A document and its score in one number, greater is better: the score's bits in their order, then segment and document
/// upside down.
type Key = u128;

fn key(score: f32, segment: u32, doc: u32) -> Key {
    let bits = score.to_bits();
    let ordered = if bits >> 31 == 0 {
        bits | 1 << 31
    } else {
        !bits
    };
    u128::from(ordered) << 64 | u128::from(!segment) << 32 | u128::from(!doc)
}

fn score_of(key: Key) -> f32 {
    let ordered = (key >> 64) as u32;
    f32::from_bits(if ordered >> 31 == 1 {
        ordered & !(1 << 31)
    } else {
        !ordered
    })
}

#[derive(Debug)]
enum Best {
    /// The best first.
    Few(Vec<Key>),
    /// The worst on top.
    Heap(BinaryHeap<Reverse<Key>>),
    /// All that were above the floor when they came; more than wanted.
    Pile(Vec<Key>),
}

/// Keeps the best `size` documents of those offered, in any order.
#[derive(Debug)]
pub(crate) struct TopScores {
    size: usize,
    best: Best,
    floor: f32,
    /// The highest score offered.
    max: f32,
    /// Only scores below this count.
    after: f32,
}

impl TopScores {
    /// `after`: only documents that score less.
    pub fn new(size: usize, after: Option<f32>) -> Self {
        TopScores {
            size,
            best: if size <= FEW_MAX {
                Best::Few(Vec::with_capacity(size))
            } else if size <= HEAP_MAX {
                Best::Heap(BinaryHeap::with_capacity(size))
            } else {
                Best::Pile(Vec::new())
            },
            floor: if size == 0 {
                f32::INFINITY
            } else {
                f32::NEG_INFINITY
            },
            max: f32::NEG_INFINITY,
            after: after.unwrap_or(f32::INFINITY),
        }
    }

    /// Documents that come later than all offered so far and score this or less are of no interest any more.
    #[inline]
    pub fn floor(&self) -> f32 {
        self.floor
    }

    /// The highest score of all offered.
    pub fn max(&self) -> f32 {
        self.max
    }

    /// Offers documents of one segment with their scores.
    pub fn offer(&mut self, segment: u32, docs: &[u32], scores: &[f32]) {
        for (doc, score) in docs.iter().zip(scores) {
            if *score > self.floor {
                self.offer_one(segment, *doc, *score);
            }
        }
    }

    /// Offers many documents of one segment, in any order; overwrites both. Of those that come before anything is known only
    /// the best are looked at one by one.
    pub fn offer_all(&mut self, segment: u32, docs: &mut [u32], scores: &mut [f32]) {
        let mut count = docs.len();
        let bulk = count > 2 * self.size && self.size <= HEAP_MAX;
        if bulk && self.floor == f32::NEG_INFINITY {
            let least = self.reached(scores);
            count = (simd::kernels().scoring.keep_above)(docs, scores, least.next_down());
        }
        for (doc, score) in docs[..count].iter().zip(&*scores) {
            self.offer_one(segment, *doc, *score);
        }
    }

    /// A score that enough of these have or pass: the last of the highest ones of as many parts as documents are wanted.
    fn reached(&self, scores: &[f32]) -> f32 {
        let parts = (self.size + self.size / 2).next_multiple_of(16);
        let mut highest = [f32::NEG_INFINITY; PARTS_MAX];
        let highest = &mut highest[..parts];
        for scores in scores.chunks(parts) {
            for (most, score) in highest.iter_mut().zip(scores) {
                // Those that may not be counted are none of the best.
                if *score > *most && *score < self.after {
                    *most = *score;
                }
            }
        }
        let nth = self.size - 1;
        *highest.select_nth_unstable_by(nth, |a, b| b.total_cmp(a)).1
    }

    /// Offers one document.
    #[inline]
    pub fn offer_one(&mut self, segment: u32, doc: u32, score: f32) {
        self.max = self.max.max(score);
        if score >= self.after || score < self.floor {
            return;
        }
        let key = key(score, segment, doc);
        match &mut self.best {
            Best::Few(few) => {
                if few.len() == self.size {
                    if few.last().is_none_or(|worst| *worst > key) {
                        return;
                    }
                    few.pop();
                }
                let place = few.partition_point(|better| *better > key);
                few.insert(place, key);
                if few.len() == self.size
                    && let Some(worst) = few.last()
                {
                    self.floor = score_of(*worst);
                }
            }
            Best::Heap(heap) => {
                if heap.len() < self.size {
                    heap.push(Reverse(key));
                } else if let Some(mut worst) = heap.peek_mut()
                    && worst.0 < key
                {
                    worst.0 = key;
                }
                if heap.len() == self.size
                    && let Some(worst) = heap.peek()
                {
                    self.floor = score_of(worst.0);
                }
            }
            Best::Pile(pile) => {
                pile.push(key);
                if pile.len() >= 2 * self.size {
                    sort_out(pile, self.size);
                    self.floor = score_of(pile[self.size - 1]);
                }
            }
        }
    }

    /// The documents, best first.
    pub fn into_hits(self) -> Vec<ShardHit> {
        let keys = match self.best {
            Best::Few(few) => few,
            Best::Heap(heap) => {
                let worst_last = heap.into_sorted_vec();
                worst_last.into_iter().map(|key| key.0).collect()
            }
            Best::Pile(mut pile) => {
                if pile.len() > self.size {
                    sort_out(&mut pile, self.size);
                }
                pile.sort_unstable_by(|a, b| b.cmp(a));
                pile
            }
        };
        let mut hits = Vec::with_capacity(keys.len());
        for key in keys {
            hits.push(ShardHit {
                doc: DocAddress {
                    segment: !((key >> 32) as u32),
                    doc: DocId(!(key as u32)),
                },
                score: score_of(key),
                sort: Vec::new(),
                collapse: None,
            });
        }
        hits
    }
}

/// Keeps the best `size`, the worst of them last; there are more than that.
fn sort_out(pile: &mut Vec<Key>, size: usize) {
    pile.select_nth_unstable_by(size - 1, |a, b| b.cmp(a));
    pile.truncate(size);
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;

    use super::*;
    use proptest::prelude::*;

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

    proptest! {
        #[test]
        fn the_best_are_kept_in_any_order(
            offers in proptest::collection::vec((0u32..3, 0u32..5000, -20i32..20), 0..900),
            size in prop_oneof![1usize..20, 90usize..200],
            part in prop_oneof![Just(1usize), 3usize..400],
            after in proptest::option::of(-20i32..20),
        ) {
            let mut top = TopScores::new(size, after.map(|after| after as f32));
            let mut seen = std::collections::BTreeSet::new();
            let mut expected = Vec::new();
            for (segment, doc, score) in offers {
                if seen.insert((segment, doc)) {
                    expected.push((Reverse(score), segment, doc));
                }
            }
            for part in expected.chunks(part) {
                if part.len() < 3 {
                    part.iter().for_each(|(score, segment, doc)| top.offer_one(*segment, *doc, score.0 as f32));
                    continue;
                }
                for segment in 0..3 {
                    let of_segment = part.iter().filter(|offer| offer.1 == segment);
                    let (mut docs, mut scores): (Vec<u32>, Vec<f32>) = of_segment.map(|offer| (offer.2, offer.0.0 as f32)).unzip();
                    top.offer_all(segment, &mut docs, &mut scores);
                }
            }
            expected.retain(|(score, ..)| after.is_none_or(|after| score.0 < after));
            expected.sort_unstable();
            expected.truncate(size);
            let found: Vec<_> = top
                .into_hits()
                .iter()
                .map(|hit| (Reverse(hit.score as i32), hit.doc.segment, hit.doc.doc.0))
                .collect();
            prop_assert_eq!(found, expected);
        }
    }
}
