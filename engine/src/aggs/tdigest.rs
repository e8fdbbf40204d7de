//! t-digest: quantiles from a bounded number of weighted means, finest at the ends.
//!
//! Dunning, Ertl, "Computing Extremely Accurate Quantiles Using t-Digests" (2019): the merging variant with scale
//! function k2 normalised by the number of values, as OpenSearch 3 has it. Values are exact (no interpolation) while
//! every mean stands for one value, which holds up to about `compression` values.

use serde::{Deserialize, Serialize};

use super::tdigest_merge::{Merger, Scratch, merge};
use crate::simd::columns::kernels;

/// Values that wait, per unit of compression, before they are merged in.
const BUFFER_PER_COMPRESSION: f64 = 5.0;

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Centroid {
    pub mean: f64,
    pub weight: f64,
}

/// A sketch of numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TDigest {
    compression: f64,
    /// Ascending by mean.
    centroids: Vec<Centroid>,
    /// In the order in which they came.
    buffer: Vec<Centroid>,
    weight: f64,
    min: f64,
    max: f64,
}

impl TDigest {
    /// `compression`: about how many means are kept; below 10 counts as 10.
    pub fn new(compression: f64) -> TDigest {
        TDigest {
            compression,
            centroids: Vec::new(),
            buffer: Vec::new(),
            weight: 0.0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
        }
    }

    fn size(&self) -> f64 {
        self.compression.max(10.0)
    }

    pub fn add(&mut self, value: f64) {
        self.add_weighted(value, 1.0);
    }

    fn add_weighted(&mut self, mean: f64, weight: f64) {
        self.buffer.push(Centroid { mean, weight });
        self.weight += weight;
        self.min = self.min.min(mean);
        self.max = self.max.max(mean);
        if self.buffer.len() as f64 >= self.size() * BUFFER_PER_COMPRESSION {
            self.compress();
        }
    }

    pub fn merge(&mut self, other: &TDigest) {
        let (min, max) = (self.min.min(other.min), self.max.max(other.max));
        for centroid in other.centroids.iter().chain(&other.buffer) {
            self.add_weighted(centroid.mean, centroid.weight);
        }
        self.min = min;
        self.max = max;
    }

    /// How many values were added.
    pub fn count(&self) -> u64 {
        self.weight as u64
    }

    /// Bytes on the heap, about.
    pub fn bytes(&self) -> usize {
        (self.centroids.capacity() + self.buffer.capacity()) * size_of::<Centroid>()
    }

    /// Adds many values at once; they come back in another order.
    pub fn add_all(&mut self, values: &mut [f64], scratch: &mut Scratch) {
        if values.is_empty() {
            return;
        }
        self.compress();
        self.weight += values.len() as f64;
        let found = (kernels().fractions)(values);
        self.min = self.min.min(found.min);
        self.max = self.max.max(found.max);
        let size = 2.0 * self.size();
        self.centroids = merge(size, self.weight, &self.centroids, values, scratch);
    }

    /// Merges the buffer in; must come before any question.
    pub fn compress(&mut self) {
        if self.buffer.is_empty() {
            return;
        }
        let mut all = std::mem::take(&mut self.centroids);
        all.append(&mut self.buffer);
        // a stable sort, so that equal means keep their order and the outcome depends on the input only
        all.sort_by(|a, b| a.mean.total_cmp(&b.mean));
        let mut merger = Merger::new(2.0 * self.size(), self.weight);
        if let Some((last, others)) = all.split_last() {
            others.iter().for_each(|item| merger.push(*item));
            self.centroids = merger.finish(*last);
        }
    }

    /// The value below which the share `q` (0 to 1) lies; NaN of nothing. Call [`TDigest::compress`] before.
    pub fn quantile(&self, q: f64) -> f64 {
        let c = &self.centroids;
        let n = c.len();
        if n == 0 {
            return f64::NAN;
        }
        if n == 1 {
            return c[0].mean;
        }
        let index = q * self.weight;
        if index < 1.0 {
            return self.min;
        }
        if c[0].weight > 1.0 && index < c[0].weight / 2.0 {
            return self.min + (index - 1.0) / (c[0].weight / 2.0 - 1.0) * (c[0].mean - self.min);
        }
        if index > self.weight - 1.0 {
            return self.max;
        }
        let end = c[n - 1];
        if end.weight > 1.0 && self.weight - index <= end.weight / 2.0 {
            let share = (self.weight - index - 1.0) / (end.weight / 2.0 - 1.0);
            return self.max - share * (self.max - end.mean);
        }
        let mut so_far = c[0].weight / 2.0;
        for pair in c.windows(2) {
            let (left, right) = (pair[0], pair[1]);
            let step = (left.weight + right.weight) / 2.0;
            if so_far + step > index {
                // around a single value there is nothing to interpolate
                let mut left_unit = 0.0;
                if left.weight == 1.0 {
                    if index - so_far < 0.5 {
                        return left.mean;
                    }
                    left_unit = 0.5;
                }
                let mut right_unit = 0.0;
                if right.weight == 1.0 {
                    if so_far + step - index <= 0.5 {
                        return right.mean;
                    }
                    right_unit = 0.5;
                }
                let behind = index - so_far - left_unit;
                let ahead = so_far + step - index - right_unit;
                return between(left.mean, ahead, right.mean, behind);
            }
            so_far += step;
        }
        self.max
    }

    /// The share of values below `x`, values equal to it counted half; NaN of nothing. Call
    /// [`TDigest::compress`] before.
    pub fn cdf(&self, x: f64) -> f64 {
        let c = &self.centroids;
        let n = c.len();
        if n == 0 {
            return f64::NAN;
        }
        if x < self.min {
            return 0.0;
        }
        if x > self.max {
            return 1.0;
        }
        if n == 1 {
            if self.max == self.min {
                return 0.5;
            }
            return (x - self.min) / (self.max - self.min);
        }
        if x < c[0].mean {
            let width = c[0].mean - self.min;
            if width <= 0.0 {
                return 0.0;
            }
            if x == self.min {
                return 0.5 / self.weight;
            }
            return (1.0 + (x - self.min) / width * (c[0].weight / 2.0 - 1.0)) / self.weight;
        }
        let end = c[n - 1];
        if x > end.mean {
            let width = self.max - end.mean;
            if width <= 0.0 {
                return 1.0;
            }
            if x == self.max {
                return 1.0 - 0.5 / self.weight;
            }
            let above = (1.0 + (self.max - x) / width * (end.weight / 2.0 - 1.0)) / self.weight;
            return 1.0 - above;
        }
        let mut so_far = 0.0;
        let mut i = 0;
        while i + 1 < n {
            if c[i].mean == x {
                // several means may be the same number
                let mut same = 0.0;
                while i < n && c[i].mean == x {
                    same += c[i].weight;
                    i += 1;
                }
                return (so_far + same / 2.0) / self.weight;
            }
            let (left, right) = (c[i], c[i + 1]);
            if left.mean <= x && x < right.mean {
                let width = right.mean - left.mean;
                // single values take their half away from the stretch between
                let left_out = if left.weight == 1.0 { 0.5 } else { 0.0 };
                let right_out = if right.weight == 1.0 { 0.5 } else { 0.0 };
                if left_out > 0.0 && right_out > 0.0 {
                    return (so_far + 1.0) / self.weight;
                }
                let step = (left.weight + right.weight) / 2.0 - left_out - right_out;
                let base = so_far + left.weight / 2.0 + left_out;
                return (base + step * (x - left.mean) / width) / self.weight;
            }
            so_far += left.weight;
            i += 1;
        }
        // x is the last mean
        1.0 - end.weight / 2.0 / self.weight
    }

    /// Means with their weights, ascending. Call [`TDigest::compress`] before.
    pub fn centroids(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        self.centroids.iter().map(|c| (c.mean, c.weight))
    }

    /// Adds one value several times.
    pub fn add_many(&mut self, value: f64, times: f64) {
        self.add_weighted(value, times);
    }
}

/// The weighted mean of two numbers, kept between them.
fn between(a: f64, weight_a: f64, b: f64, weight_b: f64) -> f64 {
    let mean = (a * weight_a + b * weight_b) / (weight_a + weight_b);
    mean.clamp(a.min(b), a.max(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(values: impl IntoIterator<Item = f64>) -> TDigest {
        let mut digest = TDigest::new(100.0);
        for value in values {
            digest.add(value);
        }
        digest.compress();
        digest
    }

    #[test]
    fn few_values_are_not_interpolated() {
        let four = digest([151.0, 1.0, 101.0, 51.0]);
        let found: Vec<f64> = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99]
            .map(|q| four.quantile(q))
            .to_vec();
        assert_eq!(found, [1.0, 1.0, 51.0, 101.0, 151.0, 151.0, 151.0]);
        let three = digest([51.0, 101.0, 151.0]);
        let found: Vec<f64> = [0.25, 0.5, 0.75].map(|q| three.quantile(q)).to_vec();
        assert_eq!(found, [51.0, 101.0, 151.0]);
    }

    #[test]
    fn many_values_are_near_in_rank() {
        let digest = digest((0..100_000).map(|i| f64::from((i * 7919) % 100_000)));
        assert!(digest.centroids.len() < 400, "{}", digest.centroids.len());
        for q in [0.001, 0.01, 0.25, 0.5, 0.75, 0.99, 0.999] {
            let found = digest.quantile(q);
            assert!((found / 100_000.0 - q).abs() < 0.01, "{q}: {found}");
            assert!((digest.cdf(q * 100_000.0) - q).abs() < 0.01, "{q}");
        }
    }

    #[test]
    fn ranks_of_single_values() {
        let four = digest([1.0, 51.0, 101.0, 151.0]);
        assert_eq!(four.cdf(0.0), 0.0);
        assert_eq!(four.cdf(51.0), 0.375);
        assert_eq!(four.cdf(60.0), 0.5);
        assert_eq!(four.cdf(151.0), 0.875);
        assert_eq!(four.cdf(152.0), 1.0);
    }

    #[test]
    fn merging_keeps_count_and_ends() {
        let mut left = digest((0..1000).map(f64::from));
        left.merge(&digest((1000..2000).map(f64::from)));
        left.compress();
        assert_eq!(left.count(), 2000);
        assert_eq!((left.quantile(0.0), left.quantile(1.0)), (0.0, 1999.0));
    }
}
