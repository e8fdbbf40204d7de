//! Count, sum, extremes and sum of squares: what most metrics are made of.

use serde::{Deserialize, Serialize};

/// A sum that keeps what rounding loses (Kahan, 1965; Neumaier's order of operations is not needed by OpenSearch).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct CompensatedSum {
    value: f64,
    lost: f64,
}

impl CompensatedSum {
    #[inline]
    pub fn add(&mut self, value: f64) {
        self.add_with(value, 0.0);
    }

    #[inline]
    fn add_with(&mut self, value: f64, lost: f64) {
        // infinities and NaN would poison the correction
        if !value.is_finite() {
            self.value += value;
            return;
        }
        if self.value.is_finite() {
            let corrected = value + (self.lost + lost);
            let sum = self.value + corrected;
            self.lost = corrected - (sum - self.value);
            self.value = sum;
        }
    }

    pub fn merge(&mut self, other: CompensatedSum) {
        self.add_with(other.value, other.lost);
    }

    pub fn value(self) -> f64 {
        self.value
    }
}

/// What one bucket knows of a field's values.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Moments {
    pub count: u64,
    pub sum: CompensatedSum,
    pub squares: CompensatedSum,
    pub min: f64,
    pub max: f64,
}

impl Default for Moments {
    fn default() -> Self {
        Moments {
            count: 0,
            sum: CompensatedSum::default(),
            squares: CompensatedSum::default(),
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
        }
    }
}

impl Moments {
    pub fn merge(&mut self, other: &Moments) {
        self.count += other.count;
        self.sum.merge(other.sum);
        self.squares.merge(other.squares);
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    pub fn min(&self) -> Option<f64> {
        (self.min != f64::INFINITY).then_some(self.min)
    }

    pub fn max(&self) -> Option<f64> {
        (self.max != f64::NEG_INFINITY).then_some(self.max)
    }

    pub fn avg(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum.value() / self.count as f64)
    }

    /// Sum of the squared distances from the mean, never negative.
    fn spread(&self) -> f64 {
        let sum = self.sum.value();
        (self.squares.value() - sum * sum / self.count as f64).max(0.0)
    }

    /// Variance of the whole population, `None` of nothing.
    pub fn variance_population(&self) -> Option<f64> {
        (self.count > 0).then(|| self.spread() / self.count as f64)
    }

    /// Variance of a sample: NaN of one value.
    pub fn variance_sampling(&self) -> Option<f64> {
        (self.count > 0).then(|| {
            if self.count == 1 {
                f64::NAN
            } else {
                self.spread() / (self.count - 1) as f64
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_numbers_survive_a_big_sum() {
        let mut sum = CompensatedSum::default();
        for value in [1e16, 1.0, 1.0, -1e16] {
            sum.add(value);
        }
        assert_eq!(sum.value(), 2.0);
    }

    #[test]
    fn infinities_stay_infinite() {
        let mut sum = CompensatedSum::default();
        for value in [1.0, f64::INFINITY, 1.0] {
            sum.add(value);
        }
        assert_eq!(sum.value(), f64::INFINITY);
    }

    #[test]
    fn the_variance_of_1_2_3_4() {
        let mut moments = Moments::default();
        for value in [1.0, 2.0, 3.0, 4.0] {
            moments.count += 1;
            moments.sum.add(value);
            moments.squares.add(value * value);
        }
        assert_eq!(moments.variance_population(), Some(1.25));
        assert_eq!(moments.variance_sampling(), Some(5.0 / 3.0));
    }
}
