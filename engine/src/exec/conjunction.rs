//! Clauses that must all match, led by the rarest.

use super::scorer::{Hits, NO_MORE, Scorer, for_each_offset};
use crate::search::SearchError;
use crate::segment::Window;

struct Part {
    scorer: Box<dyn Scorer>,
    scored: bool,
}

/// The documents that all parts find; the score is the sum of the scored parts' scores.
pub(crate) struct ConjunctionScorer {
    parts: Vec<Part>,
    scored_count: usize,
    scratch: Hits,
    sums: Box<[f64; 4096]>,
}

impl ConjunctionScorer {
    /// * `scored`: parts whose scores are summed.
    /// * `filters`: parts that only decide.
    ///
    /// At least one part is needed.
    pub fn new(scored: Vec<Box<dyn Scorer>>, filters: Vec<Box<dyn Scorer>>) -> Self {
        let scored_count = scored.len();
        let mut parts = Vec::with_capacity(scored.len() + filters.len());
        for scorer in scored {
            parts.push(Part {
                scorer,
                scored: true,
            });
        }
        for scorer in filters {
            parts.push(Part {
                scorer,
                scored: false,
            });
        }
        assert!(!parts.is_empty(), "a conjunction of nothing");
        parts.sort_by_key(|part| part.scorer.cost());
        ConjunctionScorer {
            parts,
            scored_count,
            scratch: Hits::new(),
            sums: Box::new([0.0; 4096]),
        }
    }
}

impl Scorer for ConjunctionScorer {
    fn cost(&self) -> u64 {
        self.parts[0].scorer.cost()
    }

    fn seek(&mut self, target: u32) -> Result<u32, SearchError> {
        let mut target = target;
        'again: loop {
            let lead = self.parts[0].scorer.seek(target)?;
            if lead == NO_MORE {
                return Ok(NO_MORE);
            }
            let base = Window::base_of(lead).max(target);
            for part in &mut self.parts[1..] {
                let doc = part.scorer.seek(base)?;
                if doc == NO_MORE {
                    return Ok(NO_MORE);
                }
                if Window::base_of(doc) > base {
                    target = Window::base_of(doc);
                    continue 'again;
                }
            }
            return Ok(lead);
        }
    }

    fn fill(
        &mut self,
        base: u32,
        within: Option<&Window>,
        floor: f32,
        out: &mut Hits,
    ) -> Result<(), SearchError> {
        // one scored part passes its scores through: no sums needed, and the floor holds for it
        let single = self.scored_count == 1;
        let mut found = match within {
            Some(within) => within.clone(),
            None => Window::full(),
        };
        let mut summed = 0;
        for (n, part) in self.parts.iter_mut().enumerate() {
            let limit = if n == 0 && within.is_none() {
                None
            } else {
                Some(&found)
            };
            let part_floor = if single && part.scored {
                floor
            } else {
                f32::NEG_INFINITY
            };
            self.scratch.docs.clear();
            part.scorer
                .fill(base, limit, part_floor, &mut self.scratch)?;
            found.clone_from(&self.scratch.docs);
            if found.is_empty() {
                out.docs.clear();
                return Ok(());
            }
            if !part.scored {
                continue;
            }
            let (scores, sums) = (&self.scratch.scores, &mut self.sums);
            if single {
                std::mem::swap(&mut out.scores, &mut self.scratch.scores);
            } else if summed == 0 {
                for_each_offset(&found, |offset| {
                    sums[offset as usize] = f64::from(scores[offset as usize]);
                    Ok(())
                })?;
            } else {
                for_each_offset(&found, |offset| {
                    sums[offset as usize] += f64::from(scores[offset as usize]);
                    Ok(())
                })?;
            }
            summed += 1;
        }
        out.docs = found;
        let (scores, sums) = (&mut out.scores, &self.sums);
        match self.scored_count {
            0 => for_each_offset(&out.docs, |offset| {
                scores[offset as usize] = 0.0;
                Ok(())
            }),
            1 => Ok(()),
            _ => for_each_offset(&out.docs, |offset| {
                scores[offset as usize] = sums[offset as usize] as f32;
                Ok(())
            }),
        }
    }

    fn max_score(&mut self, base: u32) -> Result<f32, SearchError> {
        let mut sum = 0.0;
        for part in &mut self.parts {
            if part.scored {
                sum += f64::from(part.scorer.max_score(base)?);
            }
        }
        Ok(sum as f32)
    }
}

/// Documents of one scorer that another one does not find.
pub(crate) struct ExclusionScorer {
    wanted: Box<dyn Scorer>,
    unwanted: Box<dyn Scorer>,
    scratch: Hits,
}

impl ExclusionScorer {
    /// `wanted` without `unwanted`, scored as `wanted`.
    pub fn new(wanted: Box<dyn Scorer>, unwanted: Box<dyn Scorer>) -> Self {
        ExclusionScorer {
            wanted,
            unwanted,
            scratch: Hits::new(),
        }
    }
}

impl Scorer for ExclusionScorer {
    fn cost(&self) -> u64 {
        self.wanted.cost()
    }

    fn seek(&mut self, target: u32) -> Result<u32, SearchError> {
        self.wanted.seek(target)
    }

    fn fill(
        &mut self,
        base: u32,
        within: Option<&Window>,
        floor: f32,
        out: &mut Hits,
    ) -> Result<(), SearchError> {
        self.wanted.fill(base, within, floor, out)?;
        if !out.docs.is_empty() {
            self.unwanted
                .fill(base, Some(&out.docs), f32::NEG_INFINITY, &mut self.scratch)?;
            out.docs.and_not(&self.scratch.docs);
        }
        Ok(())
    }

    fn max_score(&mut self, base: u32) -> Result<f32, SearchError> {
        self.wanted.max_score(base)
    }
}

/// Documents of one scorer; where another one finds them too, its score is added, in single precision.
pub(crate) struct OptionalScorer {
    needed: Box<dyn Scorer>,
    optional: Box<dyn Scorer>,
    scratch: Hits,
}

impl OptionalScorer {
    /// `needed`, scored higher where `optional` matches.
    pub fn new(needed: Box<dyn Scorer>, optional: Box<dyn Scorer>) -> Self {
        OptionalScorer {
            needed,
            optional,
            scratch: Hits::new(),
        }
    }
}

impl Scorer for OptionalScorer {
    fn cost(&self) -> u64 {
        self.needed.cost()
    }

    fn seek(&mut self, target: u32) -> Result<u32, SearchError> {
        self.needed.seek(target)
    }

    fn fill(
        &mut self,
        base: u32,
        within: Option<&Window>,
        _floor: f32,
        out: &mut Hits,
    ) -> Result<(), SearchError> {
        self.needed.fill(base, within, f32::NEG_INFINITY, out)?;
        if out.docs.is_empty() {
            return Ok(());
        }
        self.optional
            .fill(base, Some(&out.docs), f32::NEG_INFINITY, &mut self.scratch)?;
        let (more, scores) = (&self.scratch.scores, &mut out.scores);
        for_each_offset(&self.scratch.docs, |offset| {
            scores[offset as usize] += more[offset as usize];
            Ok(())
        })
    }

    fn max_score(&mut self, base: u32) -> Result<f32, SearchError> {
        Ok(self.needed.max_score(base)? + self.optional.max_score(base)?)
    }
}
