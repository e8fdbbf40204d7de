//! The intervals between two times, numbered: what turns the dates of a window into bucket numbers at once.

use super::rounding::Rounding;
use crate::simd::columns::kernels;

/// Intervals that are numbered at most.
const STEPS_MAX: u64 = 65_536;
/// Distances that the kernel divides.
const DISTANCE_MAX: i64 = 1 << 51;

/// All intervals that times of a segment may lie in.
#[derive(Clone, Debug)]
pub(crate) struct Steps {
    /// Start of the first.
    base: i64,
    /// Length of each, or of most.
    length: u64,
    /// The starts of all, and the end of the last; empty where all have the same length.
    starts: Vec<i64>,
    count: usize,
}

impl Steps {
    /// The intervals from the one of `min` to the one of `max`; `None` when they are too many.
    pub fn between(rounding: &Rounding, min: i64, max: i64) -> Option<Steps> {
        let near = |ms: i64| ms.unsigned_abs() < 1 << 53;
        if min > max || !near(min) || !near(max) {
            return None;
        }
        if let Some(length) = rounding.even_length() {
            let base = rounding.round(min);
            let count = max.checked_sub(base)? as u64 / length as u64 + 1;
            let usable = count <= STEPS_MAX && max - base < DISTANCE_MAX;
            return usable.then_some(Steps {
                base,
                length: length as u64,
                starts: Vec::new(),
                count: count as usize,
            });
        }
        let starts = rounding.prepared();
        let (Some(&base), Some(&end)) = (starts.first(), starts.last()) else {
            return None;
        };
        let count = starts.len() - 1;
        if base > min || end <= max || end - base >= DISTANCE_MAX {
            return None;
        }
        Some(Steps {
            base,
            length: ((end - base) as u64 / count as u64).max(1),
            starts: starts.to_vec(),
            count,
        })
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The start of an interval.
    pub fn start(&self, step: u32) -> i64 {
        match self.starts.get(step as usize) {
            Some(start) => *start,
            None => self.base + i64::from(step) * self.length as i64,
        }
    }

    /// The numbers of the intervals that times lie in, which are among those this was made for.
    pub fn number(&self, times: &[i64], steps: &mut Vec<u32>) {
        steps.resize(times.len(), 0);
        (kernels().divide)(times, self.base, self.length, steps);
        let last = self.count as u32 - 1;
        for (step, &time) in steps.iter_mut().zip(times) {
            let mut near = (*step).min(last);
            if !self.starts.is_empty() {
                while near > 0 && time < self.starts[near as usize] {
                    near -= 1;
                }
                while near < last && time >= self.starts[near as usize + 1] {
                    near += 1;
                }
            }
            *step = near;
        }
    }

    /// The number of one time's interval.
    pub fn number_of(&self, time: i64) -> u32 {
        let mut steps = Vec::new();
        self.number(&[time], &mut steps);
        steps[0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggs::rounding::{CalendarUnit, Interval, parse_zone};

    #[test]
    fn numbers_lead_to_the_starts_that_rounding_finds() {
        let (min, max) = (1_540_000_000_123, 1_580_000_000_000);
        for zone in ["UTC", "Europe/Paris", "+05:30"] {
            for interval in [
                Interval::Calendar(CalendarUnit::Month),
                Interval::Calendar(CalendarUnit::Day),
                Interval::Calendar(CalendarUnit::Week),
                Interval::Fixed(3 * 3_600_000),
            ] {
                let mut rounding = Rounding::new(interval, parse_zone(zone).unwrap(), 777);
                rounding.prepare(min, max);
                let steps = Steps::between(&rounding, min, max).unwrap();
                let times: Vec<i64> = (0..500).map(|i| min + (max - min) / 499 * i).collect();
                let mut numbers = Vec::new();
                steps.number(&times, &mut numbers);
                for (time, number) in times.iter().zip(numbers) {
                    assert_eq!(steps.start(number), rounding.round(*time), "{zone} {time}");
                    assert!((number as usize) < steps.count());
                }
            }
        }
    }

    #[test]
    fn too_many_intervals_are_not_numbered() {
        let second = Rounding::new(Interval::Fixed(1000), jiff::tz::TimeZone::UTC, 0);
        assert!(Steps::between(&second, 0, 86_400_000).is_none());
        assert!(Steps::between(&second, i64::MIN, i64::MAX).is_none());
        assert!(Steps::between(&second, 5, 4).is_none());
    }
}
