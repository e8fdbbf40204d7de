//! Clauses of which one, or some, must match.
//!
//! Sums are gathered in a window of `f64` accumulators. With a floor, parts are divided as in MAXSCORE (Turtle and Flood,
//! "Query evaluation: strategies and optimizations", 1995), by bounds of the window: documents that only weak parts
//! find cannot pass the floor and are never looked at.

use super::scorer::{Hits, NO_MORE, Scorer, for_each_offset};
use crate::search::SearchError;
use crate::segment::{WINDOW_DOCS, Window};

/// The documents that any part finds; the score is the sum.
pub(crate) struct DisjunctionScorer {
    parts: Vec<Box<dyn Scorer>>,
    /// Whether scores are wanted.
    scored: bool,
    scratch: Hits,
    sums: Box<[f64; 4096]>,
    /// Bound and index of each part, in ascending order of bound; of the window last asked.
    order: Vec<(f32, usize)>,
}

impl DisjunctionScorer {
    /// Sums `parts`; `scored: false` finds only.
    pub fn new(parts: Vec<Box<dyn Scorer>>, scored: bool) -> Self {
        DisjunctionScorer {
            order: Vec::with_capacity(parts.len()),
            parts,
            scored,
            scratch: Hits::new(),
            sums: Box::new([0.0; 4096]),
        }
    }

    /// Orders the parts by bound; answers how many of the weakest together cannot pass the floor, and their bound.
    fn divide(&mut self, base: u32, floor: f32) -> Result<(usize, f64), SearchError> {
        self.order.clear();
        for (index, part) in self.parts.iter_mut().enumerate() {
            self.order.push((part.max_score(base)?, index));
        }
        self.order.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut sum = 0.0;
        for (n, (bound, _)) in self.order.iter().enumerate() {
            let next = sum + f64::from(*bound);
            if next as f32 > floor {
                return Ok((n, sum));
            }
            sum = next;
        }
        Ok((self.order.len(), sum))
    }

    fn fill_scored(
        &mut self,
        base: u32,
        within: Option<&Window>,
        floor: f32,
        out: &mut Hits,
    ) -> Result<(), SearchError> {
        out.docs.clear();
        let (weak, weak_bound) = if floor > f32::NEG_INFINITY {
            self.divide(base, floor)?
        } else {
            self.order.clear();
            self.order.extend((0..self.parts.len()).map(|n| (0.0, n)));
            (0, 0.0)
        };
        let sums = &mut self.sums;
        for n in weak..self.order.len() {
            let part = &mut self.parts[self.order[n].1];
            part.fill(base, within, f32::NEG_INFINITY, &mut self.scratch)?;
            let scores = &self.scratch.scores;
            for (index, &word) in self.scratch.docs.words.iter().enumerate() {
                let seen = out.docs.words[index];
                let mut rest = word;
                while rest != 0 {
                    let bit = rest.trailing_zeros();
                    let offset = index * 64 + bit as usize;
                    let score = f64::from(scores[offset]);
                    sums[offset] = if seen >> bit & 1 != 0 {
                        sums[offset] + score
                    } else {
                        score
                    };
                    rest &= rest - 1;
                }
                out.docs.words[index] = seen | word;
            }
        }
        if weak > 0 && !out.docs.is_empty() {
            // only documents that may still pass the floor are looked up in the weak parts, the strongest of those first
            let mut rest_bound = weak_bound;
            for n in (0..weak).rev() {
                let found = &mut out.docs;
                let current = found.clone();
                for_each_offset(&current, |offset| {
                    if ((sums[offset as usize] + rest_bound) as f32) <= floor {
                        found.unset(offset);
                    }
                    Ok(())
                })?;
                if found.is_empty() {
                    break;
                }
                let part = &mut self.parts[self.order[n].1];
                part.fill(base, Some(&out.docs), f32::NEG_INFINITY, &mut self.scratch)?;
                let scores = &self.scratch.scores;
                for_each_offset(&self.scratch.docs, |offset| {
                    sums[offset as usize] += f64::from(scores[offset as usize]);
                    Ok(())
                })?;
                rest_bound = self.order[..n]
                    .iter()
                    .map(|(bound, _)| f64::from(*bound))
                    .sum();
            }
        }
        let scores = &mut out.scores;
        for_each_offset(&out.docs, |offset| {
            scores[offset as usize] = sums[offset as usize] as f32;
            Ok(())
        })
    }
}

impl Scorer for DisjunctionScorer {
    fn cost(&self) -> u64 {
        self.parts.iter().map(|part| part.cost()).sum()
    }

    fn seek(&mut self, target: u32) -> Result<u32, SearchError> {
        seek_any(&mut self.parts, target)
    }

    fn fill(
        &mut self,
        base: u32,
        within: Option<&Window>,
        floor: f32,
        out: &mut Hits,
    ) -> Result<(), SearchError> {
        if self.scored {
            return self.fill_scored(base, within, floor, out);
        }
        out.docs.clear();
        for part in &mut self.parts {
            part.fill(base, within, f32::NEG_INFINITY, &mut self.scratch)?;
            out.docs.or(&self.scratch.docs);
        }
        Ok(())
    }

    fn max_score(&mut self, base: u32) -> Result<f32, SearchError> {
        let mut sum = 0.0;
        for part in &mut self.parts {
            sum += f64::from(part.max_score(base)?);
        }
        Ok(sum as f32)
    }
}

fn seek_any(parts: &mut [Box<dyn Scorer>], target: u32) -> Result<u32, SearchError> {
    let mut first = NO_MORE;
    for part in parts {
        first = first.min(part.seek(target)?);
        if first < target.saturating_add(WINDOW_DOCS) {
            break;
        }
    }
    Ok(first)
}

/// The documents that at least `needed` parts find; the score is the sum.
pub(crate) struct SomeOfScorer {
    parts: Vec<Box<dyn Scorer>>,
    needed: u32,
    scratch: Hits,
    sums: Box<[f64; 4096]>,
    counts: Box<[u32; 4096]>,
}

impl SomeOfScorer {
    /// `needed` is at least 1 and at most the number of parts.
    pub fn new(parts: Vec<Box<dyn Scorer>>, needed: usize) -> Self {
        SomeOfScorer {
            parts,
            needed: needed as u32,
            scratch: Hits::new(),
            sums: Box::new([0.0; 4096]),
            counts: Box::new([0; 4096]),
        }
    }
}

impl Scorer for SomeOfScorer {
    fn cost(&self) -> u64 {
        let all: u64 = self.parts.iter().map(|part| part.cost()).sum();
        all / u64::from(self.needed.max(1))
    }

    fn seek(&mut self, target: u32) -> Result<u32, SearchError> {
        seek_any(&mut self.parts, target)
    }

    fn fill(
        &mut self,
        base: u32,
        within: Option<&Window>,
        _floor: f32,
        out: &mut Hits,
    ) -> Result<(), SearchError> {
        out.docs.clear();
        self.counts.fill(0);
        self.sums.fill(0.0);
        for part in &mut self.parts {
            part.fill(base, within, f32::NEG_INFINITY, &mut self.scratch)?;
            let (scores, sums, counts) = (&self.scratch.scores, &mut self.sums, &mut self.counts);
            for_each_offset(&self.scratch.docs, |offset| {
                let offset = offset as usize;
                sums[offset] += f64::from(scores[offset]);
                counts[offset] += 1;
                Ok(())
            })?;
        }
        for (offset, &count) in self.counts.iter().enumerate() {
            if count >= self.needed {
                out.docs.set(offset as u32);
                out.scores[offset] = self.sums[offset] as f32;
            }
        }
        Ok(())
    }

    fn max_score(&mut self, base: u32) -> Result<f32, SearchError> {
        let mut sum = 0.0;
        for part in &mut self.parts {
            sum += f64::from(part.max_score(base)?);
        }
        Ok(sum as f32)
    }
}

/// The documents that any part finds; the best part's score plus `tie_breaker` times the others'.
pub(crate) struct BestOfScorer {
    parts: Vec<Box<dyn Scorer>>,
    tie_breaker: f32,
    scratch: Hits,
    others: Box<[f64; 4096]>,
}

impl BestOfScorer {
    /// `tie_breaker` from 0.0 to 1.0.
    pub fn new(parts: Vec<Box<dyn Scorer>>, tie_breaker: f32) -> Self {
        BestOfScorer {
            parts,
            tie_breaker,
            scratch: Hits::new(),
            others: Box::new([0.0; 4096]),
        }
    }
}

impl Scorer for BestOfScorer {
    fn cost(&self) -> u64 {
        self.parts.iter().map(|part| part.cost()).sum()
    }

    fn seek(&mut self, target: u32) -> Result<u32, SearchError> {
        seek_any(&mut self.parts, target)
    }

    fn fill(
        &mut self,
        base: u32,
        within: Option<&Window>,
        floor: f32,
        out: &mut Hits,
    ) -> Result<(), SearchError> {
        out.docs.clear();
        // without a tie breaker a part's score below the floor changes nothing
        let part_floor = if self.tie_breaker == 0.0 {
            floor
        } else {
            f32::NEG_INFINITY
        };
        for part in &mut self.parts {
            part.fill(base, within, part_floor, &mut self.scratch)?;
            let (best, others, more) = (&mut out.scores, &mut self.others, &self.scratch.scores);
            let docs = &mut out.docs;
            for_each_offset(&self.scratch.docs, |offset| {
                let at = offset as usize;
                let score = more[at];
                if !docs.contains(offset) {
                    docs.set(offset);
                    // a first score below zero does not exist: the best starts at zero
                    best[at] = score;
                    others[at] = 0.0;
                } else if score >= best[at] {
                    others[at] += f64::from(best[at]);
                    best[at] = score;
                } else {
                    others[at] += f64::from(score);
                }
                Ok(())
            })?;
        }
        let (best, others) = (&mut out.scores, &self.others);
        let tie_breaker = f64::from(self.tie_breaker);
        for_each_offset(&out.docs, |offset| {
            let at = offset as usize;
            best[at] = (f64::from(best[at]) + others[at] * tie_breaker) as f32;
            Ok(())
        })
    }

    fn max_score(&mut self, base: u32) -> Result<f32, SearchError> {
        let mut sum = 0.0;
        for part in &mut self.parts {
            sum += f64::from(part.max_score(base)?);
        }
        Ok(sum as f32)
    }
}
