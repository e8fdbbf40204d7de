//! Count, sum, extremes and sum of squares: what most metrics are made of.

use serde::{Deserialize, Serialize};

use crate::simd::columns::FractionMoments;

const TWO_52: f64 = 4_503_599_627_370_496.0;

/// A sum that keeps what rounding loses: each addition's error is exact (Knuth's TwoSum), the errors are added up apart
/// (Ogita, Rump, Oishi, "Accurate Sum and Dot Product", 2005). Only one addition waits for the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct CompensatedSum {
    value: f64,
    lost: f64,
}

impl CompensatedSum {
    /// The sum of some values.
    pub fn of(values: FractionMoments) -> CompensatedSum {
        CompensatedSum::of_parts(values.sum, values.lost)
    }

    /// A sum, and what rounding took from it.
    pub fn of_parts(value: f64, lost: f64) -> CompensatedSum {
        CompensatedSum { value, lost }
    }

    #[inline]
    pub fn add(&mut self, value: f64) {
        let sum = self.value + value;
        let taken = sum - self.value;
        self.lost += (self.value - (sum - taken)) + (value - taken);
        self.value = sum;
    }

    /// Adds a whole number, exactly.
    pub fn add_whole(&mut self, number: i128) {
        // parts of 52 bits are numbers without rounding
        let (high, low) = (number >> 52, number & ((1 << 52) - 1));
        self.add(high as f64 * TWO_52);
        self.add(low as f64);
    }

    pub fn merge(&mut self, other: CompensatedSum) {
        self.add(other.value);
        self.lost += other.lost;
    }

    pub fn value(self) -> f64 {
        // what infinities make of the correction is no number
        match self.value.is_finite() {
            true => self.value + self.lost,
            false => self.value,
        }
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
    /// Adds what is known of some values.
    pub fn add_fractions(&mut self, values: FractionMoments) {
        self.count += values.count;
        self.min = self.min.min(values.min);
        self.max = self.max.max(values.max);
        self.sum.merge(CompensatedSum::of(values));
    }

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
    use crate::simd::columns::kernels;

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
    fn infinities_among_many_stay_infinite() {
        let mut values = vec![1.5; 100];
        values[40] = f64::NEG_INFINITY;
        let mut moments = Moments::default();
        moments.add_fractions((kernels().fractions)(&values));
        moments.add_fractions((kernels().fractions_of)(&values, &[3; 100], 3));
        assert_eq!(moments.sum.value(), f64::NEG_INFINITY);
    }

    #[test]
    fn whole_numbers_are_added_exactly() {
        for number in [0, -1, 1 << 53, -(1 << 53) - 1, i128::from(i64::MAX) * 9] {
            let mut sum = CompensatedSum::default();
            sum.add_whole(number);
            sum.add_whole(7);
            assert_eq!(sum.value(), (number + 7) as f64, "{number}");
        }
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
