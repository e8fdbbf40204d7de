//! Which segments to merge: tiers of similar size.
//!
//! With at most `segments_per_tier` segments per tier and tiers that grow by the same factor, an index of n bytes
//! has about `segments_per_tier * log(n)` segments. When there are more, the cheapest merge is done: the one whose
//! inputs are most alike in size (so that no large segment is copied for the sake of a small one), with a
//! preference for small merges and for segments with many dead documents. Tiered merging after O'Neil et al., "The
//! log-structured merge-tree" (1996), with sizes instead of levels.

use std::cmp::Reverse;

use crate::schema::IndexSettings;

/// What the policy knows of a segment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Candidate {
    pub key: u64,
    pub bytes: u64,
    pub max_doc: u32,
    pub deleted: u32,
}

impl Candidate {
    /// The bytes that a merge would write for it.
    fn live_bytes(&self) -> u64 {
        let live = f64::from(self.max_doc - self.deleted.min(self.max_doc));
        (self.bytes as f64 * live / f64::from(self.max_doc.max(1))) as u64
    }

    fn deleted_pct(&self) -> f64 {
        100.0 * f64::from(self.deleted) / f64::from(self.max_doc.max(1))
    }
}

/// The knobs, from `index.merge.policy.*`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TieredPolicy {
    pub max_segment_bytes: u64,
    pub floor_bytes: u64,
    pub segments_per_tier: f64,
    pub max_at_once: usize,
    pub deletes_pct_allowed: f64,
    pub expunge_pct: f64,
}

impl TieredPolicy {
    pub fn of(settings: &IndexSettings) -> TieredPolicy {
        TieredPolicy {
            max_segment_bytes: settings.merge_max_segment_bytes.max(1),
            floor_bytes: settings.merge_floor_segment_bytes.max(1),
            segments_per_tier: settings.merge_segments_per_tier.max(2.0),
            max_at_once: settings.merge_max_at_once.max(2),
            deletes_pct_allowed: settings.merge_deletes_pct_allowed,
            expunge_pct: settings.merge_expunge_deletes_allowed,
        }
    }

    /// The next merge worth doing: keys of its inputs. `None`: the segments are fine as they are.
    pub fn next_merge(&self, segments: &[Candidate]) -> Option<Vec<u64>> {
        let mut sorted = segments.to_vec();
        sorted.sort_by_key(|segment| (Reverse(segment.live_bytes()), segment.key));
        let dead: u64 = sorted.iter().map(|s| u64::from(s.deleted)).sum();
        let docs: u64 = sorted.iter().map(|s| u64::from(s.max_doc)).sum();
        let too_many_dead = 100.0 * dead as f64 > self.deletes_pct_allowed * docs as f64;
        // A segment that is half of the maximum already has no partner, except to lose its dead documents.
        sorted.retain(|segment| {
            segment.live_bytes() <= self.max_segment_bytes / 2
                || (too_many_dead && segment.deleted_pct() > self.deletes_pct_allowed)
        });
        if sorted.len() <= self.allowed_count(&sorted) {
            if !too_many_dead {
                return None;
            }
            // Few segments, many dead documents: rewrite the worst one.
            let worst = sorted
                .iter()
                .filter(|segment| segment.deleted_pct() > self.deletes_pct_allowed)
                .max_by(|a, b| a.deleted_pct().total_cmp(&b.deleted_pct()))?;
            return Some(vec![worst.key]);
        }
        self.best_merge(&sorted)
    }

    /// How many segments these bytes may be spread over.
    fn allowed_count(&self, sorted: &[Candidate]) -> usize {
        let mut left: u64 = sorted.iter().map(|s| s.live_bytes().max(1)).sum();
        let smallest = sorted.last().map_or(0, Candidate::live_bytes);
        let mut level = smallest.max(self.floor_bytes);
        let mut allowed = 0.0;
        loop {
            let on_level = left as f64 / level as f64;
            if on_level < self.segments_per_tier || level >= self.max_segment_bytes {
                return (allowed + on_level.ceil()).max(self.segments_per_tier) as usize;
            }
            allowed += self.segments_per_tier;
            left -= (self.segments_per_tier * level as f64) as u64;
            let factor = self.max_at_once.min(self.segments_per_tier as usize).max(2);
            level = level
                .saturating_mul(factor as u64)
                .min(self.max_segment_bytes);
        }
    }

    fn best_merge(&self, sorted: &[Candidate]) -> Option<Vec<u64>> {
        let mut best: Option<(f64, Vec<u64>)> = None;
        for start in 0..sorted.len() {
            let mut keys = Vec::new();
            let (mut bytes, mut floored, mut before) = (0u64, 0u64, 0u64);
            for segment in &sorted[start..] {
                if keys.len() == self.max_at_once {
                    break;
                }
                if bytes + segment.live_bytes() > self.max_segment_bytes {
                    continue;
                }
                bytes += segment.live_bytes();
                floored += segment.live_bytes().max(self.floor_bytes);
                before += segment.bytes;
                keys.push(segment.key);
            }
            if keys.len() < 2 {
                continue;
            }
            let largest = sorted[start].live_bytes().max(self.floor_bytes);
            let skew = largest as f64 / floored as f64;
            let alive = bytes as f64 / before.max(1) as f64;
            let score = skew * (bytes.max(1) as f64).powf(0.05) * alive * alive;
            if best.as_ref().is_none_or(|(least, _)| score < *least) {
                best = Some((score, keys));
            }
        }
        best.map(|(_, keys)| keys)
    }

    /// The next step on the way down to so many segments: the smallest ones, which cost least.
    pub fn next_forced_merge(
        &self,
        segments: &[Candidate],
        max_segments: usize,
    ) -> Option<Vec<u64>> {
        let max_segments = max_segments.max(1);
        if segments.len() <= max_segments {
            let only = segments.first()?;
            // One segment asked for means one without dead documents.
            let again = max_segments == 1 && only.deleted > 0;
            return again.then(|| vec![only.key]);
        }
        let mut sorted = segments.to_vec();
        sorted.sort_by_key(|segment| (segment.live_bytes(), segment.key));
        let count = segments.len() - max_segments + 1;
        Some(sorted[..count].iter().map(|segment| segment.key).collect())
    }

    /// A segment with so many dead documents that it is worth rewriting.
    pub fn next_expunge(&self, segments: &[Candidate]) -> Option<Vec<u64>> {
        let worth = |segment: &&Candidate| segment.deleted_pct() > self.expunge_pct;
        segments.iter().find(worth).map(|segment| vec![segment.key])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1 << 20;
    const POLICY: TieredPolicy = TieredPolicy {
        max_segment_bytes: 5120 * MB,
        floor_bytes: 2 * MB,
        segments_per_tier: 10.0,
        max_at_once: 10,
        deletes_pct_allowed: 20.0,
        expunge_pct: 10.0,
    };

    fn segments(sizes: &[u64]) -> Vec<Candidate> {
        let candidate = |(key, size): (usize, &u64)| Candidate {
            key: key as u64,
            bytes: size * MB,
            max_doc: 1000,
            deleted: 0,
        };
        sizes.iter().enumerate().map(candidate).collect()
    }

    #[test]
    fn a_full_tier_is_merged_and_a_large_segment_left_alone() {
        assert_eq!(POLICY.next_merge(&segments(&[1; 10])), None);
        let merge = POLICY.next_merge(&segments(&[1; 13])).unwrap();
        assert_eq!(merge.len(), 10);
        let mut sizes = vec![4000];
        sizes.extend([1; 12]);
        let merge = POLICY.next_merge(&segments(&sizes)).unwrap();
        assert!(!merge.contains(&0), "4 GB are not rewritten for 1 MB");
    }

    #[test]
    fn merging_ends_and_leaves_few_segments() {
        let mut all = segments(&[1; 500]);
        let mut next = 1000;
        while let Some(keys) = POLICY.next_merge(&all) {
            let (inputs, rest): (Vec<_>, Vec<_>) =
                all.into_iter().partition(|s| keys.contains(&s.key));
            all = rest;
            all.push(Candidate {
                key: next,
                bytes: inputs.iter().map(|s| s.bytes).sum(),
                max_doc: inputs.iter().map(|s| s.max_doc).sum(),
                deleted: 0,
            });
            next += 1;
        }
        assert!(all.len() <= 30, "{} segments", all.len());
        assert_eq!(all.iter().map(|s| s.bytes).sum::<u64>(), 500 * MB);
    }

    #[test]
    fn dead_documents_are_a_reason_to_merge() {
        let mut all = segments(&[100, 100]);
        all[1].deleted = 500;
        assert_eq!(POLICY.next_merge(&all), Some(vec![1]));
        assert_eq!(POLICY.next_expunge(&all), Some(vec![1]));
        all[1].deleted = 50;
        assert_eq!(POLICY.next_merge(&all), None);
        assert_eq!(POLICY.next_expunge(&all), None);
    }

    #[test]
    fn a_forced_merge_takes_the_smallest() {
        let mut all = segments(&[9, 1, 5, 2]);
        assert_eq!(POLICY.next_forced_merge(&all, 2), Some(vec![1, 3, 2]));
        assert_eq!(POLICY.next_forced_merge(&all, 4), None);
        assert_eq!(POLICY.next_forced_merge(&all[..1], 1), None);
        all[0].deleted = 1;
        assert_eq!(POLICY.next_forced_merge(&all[..1], 1), Some(vec![0]));
    }
}
