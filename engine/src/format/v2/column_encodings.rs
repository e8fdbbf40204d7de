//! Which encoding takes the fewest bytes for the values of a chunk.

use super::columns::{Encoding, LINE_SHIFT, decimal, line_at};
use crate::format::v1::packed::width_of;

/// Digits behind the point that decimals may have.
pub(crate) const DIGITS_MAX: u32 = 12;
/// Powers of ten, all of them exact.
pub(crate) const POWERS: [f64; DIGITS_MAX as usize + 1] = [
    1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12,
];
/// Numerators are below this, so that they are fractions without rounding.
const NUMERATOR_MAX: f64 = (1u64 << 51) as f64;
/// Widths up to this one are not worth a table.
const TABLE_WIDTH_MIN: u32 = 16;
const TABLE_MAX: usize = 256;
/// Values looked at before all are.
const SAMPLE: usize = 32;

/// The integers of a chunk, and how to read them.
pub(super) struct Chosen {
    pub encoding: Encoding,
    pub base: i64,
    pub step: u64,
    pub width: u32,
    pub table: Vec<i64>,
    pub integers: Vec<u64>,
}

impl Chosen {
    fn bits(&self) -> usize {
        self.width as usize * self.integers.len() + 64 * self.table.len()
    }
}

/// Chooses for values in order of row; `fractions` are the same, read as order-preserving fractions.
pub(super) fn choose(values: &[i64], min: i64, max: i64, fractions: &[f64]) -> Chosen {
    let mut best = steps(values, min, max, Encoding::Steps);
    if best.width == 0 {
        return best;
    }
    let mut offer = |other: Option<Chosen>| {
        // a simpler way wins unless the other saves a twentieth
        if let Some(other) = other.filter(|other| other.bits() * 20 < best.bits() * 19) {
            best = other;
        }
    };
    offer(line(values, min, max));
    if width_of(max.wrapping_sub(min) as u64) > TABLE_WIDTH_MIN {
        offer(decimals(values, fractions));
        offer(table(values));
    }
    best
}

fn steps(values: &[i64], min: i64, max: i64, encoding: Encoding) -> Chosen {
    let mut step = 0;
    for value in values {
        step = gcd(step, value.wrapping_sub(min) as u64);
        if step == 1 {
            break;
        }
    }
    let step = step.max(1);
    let distances = values.iter().map(|value| value.wrapping_sub(min) as u64);
    let integers = match step {
        1 => distances.collect(),
        _ => distances.map(|distance| distance / step).collect(),
    };
    Chosen {
        encoding,
        base: min,
        step,
        width: width_of(max.wrapping_sub(min) as u64 / step),
        table: Vec::new(),
        integers,
    }
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// The distances from a straight line through the first value and the last.
fn line(values: &[i64], min: i64, max: i64) -> Option<Chosen> {
    let [first, .., last] = values else {
        return None;
    };
    // so that no product overflows
    if max.wrapping_sub(min) as u64 >> 42 != 0 || values.len() > 1 << 20 {
        return None;
    }
    let slope = ((last - first) << LINE_SHIFT) / (values.len() as i64 - 1);
    let off = |(index, value): (usize, &i64)| value.wrapping_sub(line_at(0, slope as u64, index));
    let (mut least, mut most) = (i64::MAX, i64::MIN);
    for at in values.iter().enumerate() {
        let distance = off(at);
        least = least.min(distance);
        most = most.max(distance);
    }
    let integers = values
        .iter()
        .enumerate()
        .map(|at| off(at).wrapping_sub(least) as u64);
    Some(Chosen {
        encoding: Encoding::Line,
        base: least,
        step: slope as u64,
        width: width_of(most.wrapping_sub(least) as u64),
        table: Vec::new(),
        integers: integers.collect(),
    })
}

/// Numbers of the values among those that there are, where these are few.
fn table(values: &[i64]) -> Option<Chosen> {
    let step = (values.len() / (4 * SAMPLE)).max(1);
    let mut sample: Vec<i64> = values.iter().copied().step_by(step).collect();
    let looked_at = sample.len();
    sample.sort_unstable();
    sample.dedup();
    if sample.len() > looked_at * 3 / 4 {
        return None;
    }
    let mut table = values.to_vec();
    table.sort_unstable();
    table.dedup();
    if table.len() > TABLE_MAX {
        return None;
    }
    let mut integers = Vec::with_capacity(values.len());
    for value in values {
        integers.push(table.binary_search(value).ok()? as u64);
    }
    Some(Chosen {
        encoding: Encoding::Table,
        base: 0,
        step: 1,
        width: width_of(table.len() as u64 - 1),
        table,
        integers,
    })
}

/// The numerators of fractions with few digits behind the point.
fn decimals(values: &[i64], fractions: &[f64]) -> Option<Chosen> {
    let numerator = |digits: u32, at: usize| {
        let number = (fractions[at] * POWERS[digits as usize]).round();
        let found = (number.abs() < NUMERATOR_MAX).then_some(number as i64)?;
        (decimal(found, digits) == values[at]).then_some(found)
    };
    let step = (values.len() / SAMPLE).max(1);
    let fits_sample = |digits: &u32| {
        let mut sample = (0..values.len()).step_by(step);
        sample.all(|at| numerator(*digits, at).is_some())
    };
    // a value between those looked at may need more digits
    for digits in (0..=DIGITS_MAX).filter(fits_sample) {
        let numerators: Option<Vec<i64>> =
            (0..values.len()).map(|at| numerator(digits, at)).collect();
        if let Some(numerators) = numerators {
            let least = numerators.iter().copied().min()?;
            let most = numerators.iter().copied().max()?;
            return Some(steps(
                &numerators,
                least,
                most,
                Encoding::Decimals { digits },
            ));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{f64_from_sortable, f64_to_sortable};

    fn chosen(values: &[i64]) -> Chosen {
        let fractions: Vec<f64> = values
            .iter()
            .map(|value| f64_from_sortable(*value))
            .collect();
        let (min, max) = (*values.iter().min().unwrap(), *values.iter().max().unwrap());
        choose(values, min, max, &fractions)
    }

    #[test]
    fn constants_take_no_bits() {
        let found = chosen(&[7; 100]);
        assert_eq!((found.encoding, found.width), (Encoding::Steps, 0));
    }

    #[test]
    fn whole_seconds_are_steps() {
        let found = chosen(&[5000, 2000, 9000]);
        assert_eq!((found.base, found.step, found.width), (2000, 1000, 3));
    }

    #[test]
    fn what_grows_evenly_is_a_line() {
        let times: Vec<i64> = (0..4096)
            .map(|i| 1_600_000_000_000 + i * 7919 + i % 13)
            .collect();
        let found = chosen(&times);
        assert_eq!(found.encoding, Encoding::Line);
        assert!(found.width <= 5, "{}", found.width);
    }

    #[test]
    fn prices_are_decimals() {
        let prices: Vec<i64> = (0..1000)
            .map(|i| f64_to_sortable(f64::from(i * 7919 % 100_000 - 5000) / 100.0))
            .collect();
        let found = chosen(&prices);
        assert_eq!(found.encoding, Encoding::Decimals { digits: 2 });
        assert_eq!(found.width, 17);
    }

    #[test]
    fn a_negative_zero_is_no_decimal() {
        let values = [f64_to_sortable(-0.0), f64_to_sortable(1e300)];
        assert_eq!(chosen(&values).encoding, Encoding::Steps);
    }

    #[test]
    fn few_distinct_values_far_apart_are_a_table() {
        let codes: Vec<i64> = (0..4096)
            .map(|i| (i % 5) * (i % 5) * 1_000_000_007 + i % 5)
            .collect();
        let found = chosen(&codes);
        assert_eq!((found.encoding, found.width), (Encoding::Table, 3));
    }
}
