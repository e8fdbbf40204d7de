//! New values into a t-digest, many at once: they are spread over cells by size. A cell whose values are few for where it
//! stands goes in as one centroid; others are spread again, or sorted.

use super::tdigest::Centroid;
use crate::schema::f64_to_sortable;

/// Cells that values are spread over: two raised to this.
const CELL_BITS: u32 = 11;
/// Fewer values than this are simply sorted.
const SPREAD_MIN: usize = 4096;
/// Values of a cell that are sorted rather than spread again.
const SORTED_MAX: usize = 128;
/// How often values are spread again at most.
const DEPTH_MAX: usize = 4;
/// A cell may be this part of the centroid that stands in its place.
const CELL_PART: f64 = 0.25;

/// Makes centroids of items that come in ascending order.
pub(super) struct Merger {
    total: f64,
    normalizer: f64,
    merged: Vec<Centroid>,
    /// Weight of the centroids before the last one.
    before: f64,
    /// The most that the last one may weigh.
    limit: f64,
}

impl Merger {
    /// `size`: about how many centroids come out; `total`: the weight of all items.
    pub fn new(size: f64, total: f64) -> Merger {
        // k2: a centroid at quantile q may hold q(1-q)/normalizer of all values
        Merger {
            total,
            normalizer: size / (4.0 * (total / size).max(1.0).ln() + 24.0),
            merged: Vec::with_capacity(size as usize),
            before: 0.0,
            limit: 0.0,
        }
    }

    /// The most that a centroid may weigh that begins behind `before`: neither where it begins nor where it ends may
    /// it be heavier than the scale allows.
    fn limit_from(&self, before: f64) -> f64 {
        let (total, n) = (self.total, self.normalizer);
        let by_start = before * (1.0 - before / total) / n;
        // x = before + weight; (x)(1 - x/total)/n = x - before
        let root = ((n - 1.0) * (n - 1.0) + 4.0 * before * n / total).sqrt();
        let by_end = total / 2.0 * (1.0 - n + root) - before;
        by_start.min(by_end)
    }

    fn start(&mut self, item: Centroid) {
        if let Some(last) = self.merged.last() {
            self.before += last.weight;
        }
        // the first value stays alone: the ends are exact
        self.limit = match self.merged.is_empty() {
            true => 0.0,
            false => self.limit_from(self.before),
        };
        self.merged.push(item);
    }

    /// Adds an item that is not the last one.
    pub fn push(&mut self, item: Centroid) {
        match self.merged.last_mut() {
            Some(last)
                if is_within(last.weight + item.weight, self.limit, || {
                    // So near that rounding decides: by the rule itself, in the order of its operations.
                    let after = self.before + last.weight + item.weight;
                    let room = |q: f64| q * (1.0 - q) / self.normalizer;
                    let room = room(self.before / self.total).min(room(after / self.total));
                    last.weight + item.weight <= self.total * room
                }) =>
            {
                last.weight += item.weight;
                last.mean += (item.mean - last.mean) * item.weight / last.weight;
            }
            _ => self.start(item),
        }
    }

    /// Adds the last item, which stays alone, and gives the centroids.
    pub fn finish(mut self, last: Centroid) -> Vec<Centroid> {
        self.start(last);
        self.merged
    }
}

/// Whether a weight is at most a limit, which was worked out in a roundabout way; `exactly` says so where they are too near.
fn is_within(weight: f64, limit: f64, exactly: impl FnOnce() -> bool) -> bool {
    let slack = limit * 1e-9;
    weight <= limit - slack || (limit > 0.0 && weight <= limit + slack && exactly())
}

/// Merges values, in any order, at least one, into centroids, which ascend. `total` is the weight of both.
pub(super) fn merge(
    size: f64,
    total: f64,
    centroids: &[Centroid],
    values: &mut [f64],
    scratch: &mut Scratch,
) -> Vec<Centroid> {
    let mut items = Items {
        merger: Merger::new(size, total),
        // of the new values alone: what a cell may hold must not grow with what came before
        scale: Merger::new(size, values.len() as f64),
        seen: 0.0,
        centroids,
        held: None,
    };
    items.push_values(values, &mut scratch.levels, SPREAD_MIN);
    items.finish()
}

/// Centroids and values on their way into the merger, in one order.
struct Items<'c> {
    merger: Merger,
    scale: Merger,
    /// Values so far.
    seen: f64,
    /// Not yet in.
    centroids: &'c [Centroid],
    /// The greatest so far, which may be the last one of all.
    held: Option<Centroid>,
}

impl Items<'_> {
    fn push(&mut self, item: Centroid) {
        while let Some((first, rest)) = self.centroids.split_first() {
            if first.mean.total_cmp(&item.mean).is_gt() {
                break;
            }
            self.hold(*first);
            self.centroids = rest;
        }
        self.hold(item);
    }

    fn hold(&mut self, mut item: Centroid) {
        if let Some(before) = &self.held {
            // the mean of a cell may round beyond its values
            item.mean = item.mean.max(before.mean);
        }
        if let Some(before) = self.held.replace(item) {
            self.merger.push(before);
        }
    }

    /// Adds values that are not smaller than those so far; `levels`: for spreading, one for each time.
    fn push_values(&mut self, values: &mut [f64], levels: &mut [Level], spread_min: usize) {
        let Some((level, levels)) = levels
            .split_first_mut()
            .filter(|_| values.len() >= spread_min)
        else {
            values.sort_unstable_by(f64::total_cmp);
            for &mean in values.iter() {
                self.push(Centroid { mean, weight: 1.0 });
            }
            self.seen += values.len() as f64;
            return;
        };
        level.spread(values);
        level.pick_heavy(&self.scale, self.seen);
        level.gather(values);
        let mut start = 0;
        for (cell, &heavy) in level.cells.iter().zip(&level.heavy) {
            if heavy {
                let end = start + cell.count as usize;
                self.push_values(&mut level.gathered[start..end], levels, SORTED_MAX);
                start = end;
            } else if cell.count > 0 {
                let weight = f64::from(cell.count);
                self.push(Centroid {
                    mean: cell.first + cell.beyond / weight,
                    weight,
                });
                self.seen += weight;
            }
        }
    }

    fn finish(mut self) -> Vec<Centroid> {
        while let Some((first, rest)) = self.centroids.split_first() {
            self.hold(*first);
            self.centroids = rest;
        }
        match self.held {
            Some(last) => self.merger.finish(last),
            None => self.merger.merged,
        }
    }
}

/// What is spread over cells; kept for the next time.
pub(crate) struct Scratch {
    levels: [Level; DEPTH_MAX],
}

impl Default for Scratch {
    fn default() -> Scratch {
        Scratch {
            levels: [const { Level::new() }; DEPTH_MAX],
        }
    }
}

/// One cell of values.
#[derive(Clone, Copy, Default)]
struct Cell {
    /// The one that came first.
    first: f64,
    /// Distances of all from it, added up: where all are equal, their mean is what they are.
    beyond: f64,
    count: u32,
}

/// Values over cells, once.
struct Level {
    /// The cell of each value.
    places: Vec<u16>,
    cells: Vec<Cell>,
    heavy: Vec<bool>,
    /// The values of heavy cells, cell by cell.
    gathered: Vec<f64>,
    /// Where the next value of each heavy cell goes.
    ends: Vec<u32>,
}

impl Level {
    const fn new() -> Level {
        Level {
            places: Vec::new(),
            cells: Vec::new(),
            heavy: Vec::new(),
            gathered: Vec::new(),
            ends: Vec::new(),
        }
    }

    /// Spreads values over cells of equal width in the order-preserving bits, so of equal precision.
    fn spread(&mut self, values: &[f64]) {
        let (mut min, mut max) = (i64::MAX, i64::MIN);
        for value in values {
            let bits = f64_to_sortable(*value);
            min = min.min(bits);
            max = max.max(bits);
        }
        let range = max.wrapping_sub(min) as u64;
        let shift = (64 - range.leading_zeros()).saturating_sub(CELL_BITS);
        self.places.resize(values.len(), 0);
        for (place, value) in self.places.iter_mut().zip(values) {
            *place = (f64_to_sortable(*value).wrapping_sub(min) as u64 >> shift) as u16;
        }
        self.cells.clear();
        self.cells.resize(1 << CELL_BITS, Cell::default());
        for (place, &value) in self.places.iter().zip(values) {
            let cell = &mut self.cells[usize::from(*place) & ((1 << CELL_BITS) - 1)];
            if cell.count == 0 {
                cell.first = value;
            }
            cell.beyond += value - cell.first;
            cell.count += 1;
        }
    }

    /// Finds the cells that are too heavy for one item: those that hold more than a part of what a centroid may hold
    /// that begins, or ends, where they do. The very first and the last are among them.
    fn pick_heavy(&mut self, scale: &Merger, seen: f64) {
        self.heavy.clear();
        let mut before = seen;
        for cell in &self.cells {
            let weight = f64::from(cell.count);
            let heavy = weight > 0.0
                && (weight > CELL_PART * scale.limit_from(before) || !cell.beyond.is_finite());
            self.heavy.push(heavy);
            before += weight;
        }
    }

    fn gather(&mut self, values: &[f64]) {
        self.ends.clear();
        let mut start = 0;
        for (cell, heavy) in self.cells.iter().zip(&self.heavy) {
            self.ends.push(start);
            start += if *heavy { cell.count } else { 0 };
        }
        self.gathered.resize(start as usize, 0.0);
        for (place, value) in self.places.iter().zip(values) {
            let place = usize::from(*place);
            if self.heavy[place] {
                self.gathered[self.ends[place] as usize] = *value;
                self.ends[place] += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The rule as the paper has it, item by item.
    fn plain(size: f64, mut items: Vec<Centroid>) -> Vec<Centroid> {
        items.sort_by(|a, b| a.mean.total_cmp(&b.mean));
        let total: f64 = items.iter().map(|item| item.weight).sum();
        let normalizer = size / (4.0 * (total / size).max(1.0).ln() + 24.0);
        let room = |q: f64| q * (1.0 - q) / normalizer;
        let mut merged: Vec<Centroid> = Vec::new();
        let mut before = 0.0;
        let last = items.len() - 1;
        for (i, next) in items.iter().enumerate() {
            let inner = merged.len() > 1;
            let Some(current) = merged.last_mut() else {
                merged.push(*next);
                continue;
            };
            let proposed = current.weight + next.weight;
            let (q0, q2) = (before / total, (before + proposed) / total);
            if proposed <= total * room(q0).min(room(q2)) && i != last && inner {
                current.mean += (next.mean - current.mean) * next.weight / proposed;
                current.weight = proposed;
            } else {
                before += current.weight;
                merged.push(*next);
            }
        }
        merged
    }

    fn ones(values: &[f64]) -> Vec<Centroid> {
        let one = |mean: &f64| Centroid {
            mean: *mean,
            weight: 1.0,
        };
        values.iter().map(one).collect()
    }

    proptest! {
        #[test]
        fn few_values_are_merged_as_by_the_rule(values in proptest::collection::vec(-1e6f64..1e6, 1..2000)) {
            let expected = plain(200.0, ones(&values));
            let merged = merge(200.0, values.len() as f64, &[], &mut values.clone(), &mut Scratch::default());
            prop_assert_eq!(merged.len(), expected.len());
            for (found, wanted) in merged.iter().zip(&expected) {
                prop_assert_eq!(found.weight, wanted.weight);
                prop_assert!((found.mean - wanted.mean).abs() <= 1e-6, "{} {}", found.mean, wanted.mean);
            }
        }

        #[test]
        fn as_many_equal_values_as_reach_a_limit_exactly(count in 1usize..2000) {
            let values = vec![0.0; count];
            let weights = |all: Vec<Centroid>| all.iter().map(|c| c.weight).collect::<Vec<_>>();
            let merged = merge(200.0, count as f64, &[], &mut values.clone(), &mut Scratch::default());
            prop_assert_eq!(weights(merged), weights(plain(200.0, ones(&values))));
        }

        #[test]
        fn cells_lose_nothing_and_keep_the_order(seed: u64, count in 4096usize..20_000, distinct in 1u64..100_000) {
            let mut state = seed;
            let mut next = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                ((state >> 33) % distinct) as f64 / 10.0
            };
            let before: Vec<f64> = (0..500).map(|_| next()).collect();
            let old = plain(200.0, ones(&before));
            let values: Vec<f64> = (0..count).map(|_| next()).collect();
            let total = (count + 500) as f64;
            let merged = merge(200.0, total, &old, &mut values.clone(), &mut Scratch::default());
            prop_assert_eq!(merged.iter().map(|centroid| centroid.weight).sum::<f64>(), total);
            prop_assert!(merged.is_sorted_by(|a, b| a.mean <= b.mean));
            let all = || values.iter().chain(&before).copied();
            prop_assert_eq!(merged[0].mean, all().fold(f64::INFINITY, f64::min));
            prop_assert_eq!(merged[merged.len() - 1].mean, all().fold(f64::NEG_INFINITY, f64::max));
            let sum: f64 = merged.iter().map(|centroid| centroid.mean * centroid.weight).sum();
            prop_assert!((sum - all().sum::<f64>()).abs() <= 1e-9 * total * distinct as f64);
            prop_assert!(merged.len() < 500, "{}", merged.len());
        }
    }

    #[test]
    fn equal_values_stay_what_they_are() {
        let mut values = vec![0.1; 10_000];
        let merged = merge(200.0, 10_000.0, &[], &mut values, &mut Scratch::default());
        assert!(merged.iter().all(|centroid| centroid.mean == 0.1));
    }

    #[test]
    fn numbers_far_apart_keep_their_quantiles() {
        // zero, and then all in few binades: the first cells are wide
        let mut values: Vec<f64> = (0..100_000).map(|n| f64::from(n * 7919 % 1000)).collect();
        let merged = merge(200.0, 100_000.0, &[], &mut values, &mut Scratch::default());
        let mut before = 0.0;
        for centroid in merged {
            let middle = before + centroid.weight / 2.0;
            assert!((middle / 100.0 - centroid.mean).abs() < 2.0, "{centroid:?}");
            before += centroid.weight;
        }
    }
}
