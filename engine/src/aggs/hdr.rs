//! A histogram of logarithmic buckets with a fixed number of exact decimal digits (after Gil Tene's HdrHistogram).
//!
//! The counts are kept by exponent and leading bits, so that no range needs to be known ahead. The unit in which a
//! bucket's largest value is told is the width of the finest bucket, that of the smallest positive value.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Counts by magnitude.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct HdrHistogram {
    /// Leading bits that are kept of a value.
    bits: u32,
    /// How many values share exponent and leading bits: the key is the bits of the lowest `f64` of the bucket.
    counts: BTreeMap<u64, u64>,
    count: u64,
}

impl HdrHistogram {
    /// `digits`: decimal digits that stay exact, 0 to 5.
    pub fn new(digits: u8) -> HdrHistogram {
        // two units of the last digit must still be told apart
        let largest = 2.0 * 10f64.powi(i32::from(digits));
        HdrHistogram {
            bits: (largest.log2().ceil() as u32).saturating_sub(1),
            counts: BTreeMap::new(),
            count: 0,
        }
    }

    /// Counts a value; refuses negative ones and what is no number.
    pub fn add(&mut self, value: f64) -> Result<(), String> {
        if value.is_nan() || value < 0.0 {
            return Err(format!(
                "Negative values are not supported by HDR aggregation: [{value}]"
            ));
        }
        *self.counts.entry(self.low(value)).or_insert(0) += 1;
        self.count += 1;
        Ok(())
    }

    fn low(&self, value: f64) -> u64 {
        value.to_bits() & !((1 << (52 - self.bits)) - 1)
    }

    /// The largest value of the bucket that starts at `low`, in units of the finest bucket that is filled.
    fn high(&self, low: u64) -> f64 {
        let width = |low: u64| 2f64.powi((low >> 52) as i32 - 1023 - self.bits as i32);
        match self.counts.keys().find(|low| **low != 0) {
            Some(finest) if low != 0 => f64::from_bits(low) + width(low) - width(*finest),
            _ => f64::from_bits(low),
        }
    }

    pub fn merge(&mut self, other: &HdrHistogram) {
        for (low, count) in &other.counts {
            *self
                .counts
                .entry(self.low(f64::from_bits(*low)))
                .or_insert(0) += count;
        }
        self.count += other.count;
    }

    pub fn count(&self) -> u64 {
        self.count
    }

    /// Bytes on the heap, about.
    pub fn bytes(&self) -> usize {
        self.counts.len() * 24
    }

    /// The value that `percent` of all do not exceed, to the digits kept.
    pub fn percentile(&self, percent: f64) -> f64 {
        let wanted = (percent.clamp(0.0, 100.0) / 100.0 * self.count as f64)
            .ceil()
            .max(1.0) as u64;
        let mut seen = 0;
        for (low, count) in &self.counts {
            seen += count;
            if seen >= wanted {
                return if percent == 0.0 {
                    f64::from_bits(*low)
                } else {
                    self.high(*low)
                };
            }
        }
        f64::NAN
    }

    /// The percentage of values that do not exceed `value`, to the digits kept.
    pub fn rank(&self, value: f64) -> f64 {
        if value < 0.0 || self.count == 0 {
            return 0.0;
        }
        let seen: u64 = self
            .counts
            .range(..=self.low(value))
            .map(|(_, count)| count)
            .sum();
        100.0 * seen as f64 / self.count as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(values: &[f64]) -> HdrHistogram {
        let mut histogram = HdrHistogram::new(3);
        for value in values {
            histogram.add(*value).unwrap();
        }
        histogram
    }

    #[test]
    fn percentiles_have_three_digits() {
        let histogram = filled(&[1.0, 51.0, 101.0, 151.0]);
        let expected = [1.0, 1.0, 51.0302734375, 101.0615234375, 151.1240234375];
        assert_eq!(
            [1.0, 25.0, 50.0, 75.0, 99.0].map(|percent| histogram.percentile(percent)),
            expected
        );
        assert_eq!(histogram.rank(60.0), 50.0);
        assert_eq!(histogram.rank(151.0), 100.0);
    }

    #[test]
    fn negative_values_are_refused() {
        assert!(HdrHistogram::new(3).add(-1.0).is_err());
    }
}
