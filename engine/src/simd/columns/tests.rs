//! Every row agrees with scalar, and scalar with the plainest way to say it.

use proptest::prelude::*;

use super::*;
use crate::format::v1::packed;

/// Integers of a width, packed, with or without the zeros behind them.
fn some_packed() -> impl Strategy<Value = (u32, Vec<u64>, Vec<u8>)> {
    let width = prop_oneof![0u32..=56, Just(64u32)];
    (width, 0usize..700, any::<u64>(), any::<bool>()).prop_map(|(width, count, seed, cut)| {
        let mask = u64::MAX.checked_shr(64 - width).unwrap_or(0);
        let mut state = seed;
        let values: Vec<u64> = (0..count)
            .map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                (state ^ (state >> 31)) & mask
            })
            .collect();
        let mut bytes = Vec::new();
        packed::pack(values.iter().copied(), width, &mut bytes);
        if cut {
            bytes.truncate(bytes.len().saturating_sub(8));
        }
        (width, values, bytes)
    })
}

fn window(words: Vec<u64>) -> [u64; 64] {
    words.try_into().expect("the strategy makes 64 words")
}

fn words() -> impl Strategy<Value = [u64; 64]> {
    let word = prop_oneof![any::<u64>(), Just(0), Just(u64::MAX)];
    prop_oneof![
        proptest::collection::vec(word, 64).prop_map(window),
        Just([u64::MAX; 64]),
    ]
}

fn set_bits(bits: &[u64; 64]) -> Vec<usize> {
    (0..ROWS)
        .filter(|at| bits[at / 64] >> (at % 64) & 1 == 1)
        .collect()
}

#[test]
fn scalar_is_always_there_and_last() {
    assert_eq!(available().last().map(|row| row.name), Some("scalar"));
    assert_eq!(choose("scalar").name, "scalar");
    assert_eq!(choose("abacus").name, "scalar");
}

proptest! {
    #[test]
    fn integers_come_back((width, values, bytes) in some_packed(), min: i64, step in prop_oneof![Just(1u64), 1u64..100_000, any::<u64>()]) {
        // half of them too: then bytes are left over
        let values = if min % 2 == 0 { &values[..] } else { &values[..values.len() / 2] };
        let from = Packed { bytes: &bytes, width, count: values.len() };
        let expected: Vec<i64> = values.iter().map(|value| min.wrapping_add(value.wrapping_mul(step) as i64)).collect();
        let narrow: Vec<u32> = values.iter().map(|value| (min as u32).wrapping_add(*value as u32)).collect();
        for kernels in available() {
            let mut out = [7; ROWS];
            (kernels.unpack)(from, min, step, &mut out);
            prop_assert_eq!(&out[..values.len()], &expected, "{}", kernels.name);
            let mut out = [7; ROWS];
            (kernels.unpack_u32)(from, min as u32, &mut out);
            prop_assert_eq!(&out[..values.len()], &narrow, "{}", kernels.name);
        }
    }

    #[test]
    fn ranges_hold_what_lies_in_them((width, values, bytes) in some_packed(), pick: (usize, usize), wild: (u64, u64), tame: bool) {
        let from = Packed { bytes: &bytes, width, count: values.len() };
        let (mut lo, mut hi) = wild;
        if tame && !values.is_empty() {
            lo = values[pick.0 % values.len()];
            hi = values[pick.1 % values.len()];
        }
        for kernels in available() {
            let mut out = [u64::MAX; 64];
            (kernels.range)(from, lo, hi, &mut out);
            let expected: Vec<usize> = (0..values.len()).filter(|at| lo <= values[*at] && values[*at] <= hi).collect();
            prop_assert_eq!(set_bits(&out), expected, "{}", kernels.name);
        }
    }

    #[test]
    fn missing_bytes_are_zeros(width in prop_oneof![1u32..=56, Just(64u32)], len in 0usize..40) {
        let bytes = vec![0xff; len];
        let from = Packed { bytes: &bytes, width, count: 300 };
        let mut expected = [0; ROWS];
        scalar::unpack(from, 3, 5, &mut expected);
        for kernels in available() {
            let mut out = [7; ROWS];
            (kernels.unpack)(from, 3, 5, &mut out);
            prop_assert_eq!(&out[..300], &expected[..300], "{}", kernels.name);
        }
    }

    #[test]
    fn bits_are_listed_kept_and_laid_out(bits in words(), rows in words(), base: u32, seed: i64) {
        let mut wide = [0; ROWS];
        let mut narrow = [0; ROWS];
        for at in 0..ROWS {
            wide[at] = seed.wrapping_mul(at as i64);
            narrow[at] = wide[at] as u32;
        }
        let set = set_bits(&bits);
        let docs: Vec<u32> = set.iter().map(|at| base.wrapping_add(*at as u32)).collect();
        let kept: Vec<i64> = set.iter().map(|at| wide[*at]).collect();
        let kept_narrow: Vec<u32> = set.iter().map(|at| narrow[*at]).collect();
        let laid: Vec<usize> = set_bits(&rows).into_iter().enumerate()
            .filter(|(rank, _)| bits[rank / 64] >> (rank % 64) & 1 == 1).map(|(_, at)| at).collect();
        for kernels in available() {
            let mut out = [7; ROWS];
            let count = (kernels.list)(&bits, base, &mut out);
            prop_assert_eq!(&out[..count], &docs, "{}", kernels.name);
            let count = (kernels.keep_u32)(&bits, &narrow, &mut out);
            prop_assert_eq!(&out[..count], &kept_narrow, "{}", kernels.name);
            let mut out = [7; ROWS];
            let count = (kernels.keep)(&bits, &wide, &mut out);
            prop_assert_eq!(&out[..count], &kept, "{}", kernels.name);
            let mut out = [7; 64];
            (kernels.deposit)(&bits, &rows, &mut out);
            prop_assert_eq!(set_bits(&out), laid.clone(), "{}", kernels.name);
        }
    }

    #[test]
    fn whole_numbers_add_up(values in proptest::collection::vec(any::<i64>(), 0..300), owners in proptest::collection::vec(0u32..4, 300)) {
        let owners = &owners[..values.len()];
        let own: Vec<i64> = values.iter().zip(owners).filter(|(_, owner)| **owner == 2).map(|(value, _)| *value).collect();
        let plain = |values: &[i64]| WholeMoments {
            count: values.len() as u64,
            min: values.iter().copied().min().unwrap_or(i64::MAX),
            max: values.iter().copied().max().unwrap_or(i64::MIN),
            sum: values.iter().fold(0, |sum, value| sum.wrapping_add(*value)),
        };
        for kernels in available() {
            prop_assert_eq!((kernels.whole)(&values), plain(&values), "{}", kernels.name);
            prop_assert_eq!((kernels.whole_of)(&values, owners, 2), plain(&own), "{}", kernels.name);
            let mut out = vec![0.5; values.len()];
            (kernels.to_fractions)(&values, &mut out);
            prop_assert!(out.iter().zip(&values).all(|(out, value)| *out == *value as f64), "{}", kernels.name);
            (kernels.from_sortable)(&values, &mut out);
            let expected = values.iter().map(|value| crate::schema::f64_from_sortable(*value).to_bits());
            prop_assert!(out.iter().map(|out| out.to_bits()).eq(expected), "{}", kernels.name);
        }
    }

    #[test]
    fn fractions_add_up_alike_on_every_level(values in proptest::collection::vec(-1e12f64..1e12, 0..300), owners in proptest::collection::vec(0u32..4, 300)) {
        let owners = &owners[..values.len()];
        let bits = |all: FractionMoments| (all.count, [all.min, all.max, all.sum, all.lost].map(f64::to_bits));
        let own = values.iter().zip(owners).filter(|(_, owner)| **owner == 1).map(|(value, _)| *value);
        let of_own = scalar::fractions_of(&values, owners, 1);
        prop_assert_eq!(of_own.count, own.clone().count() as u64);
        prop_assert_eq!(of_own.min, own.clone().fold(f64::INFINITY, f64::min));
        prop_assert_eq!(of_own.max, own.fold(f64::NEG_INFINITY, f64::max));
        for kernels in available() {
            prop_assert_eq!(bits((kernels.fractions)(&values)), bits(scalar::fractions(&values)), "{}", kernels.name);
            prop_assert_eq!(bits((kernels.fractions_of)(&values, owners, 1)), bits(scalar::fractions_of(&values, owners, 1)), "{}", kernels.name);
        }
    }

    #[test]
    fn sums_of_fractions_are_near_to_exact(values in proptest::collection::vec(-1_000_000i64..1_000_000, 0..300)) {
        // quarters add up without rounding
        let quarters: Vec<f64> = values.iter().map(|value| *value as f64 / 4.0).collect();
        let total = scalar::fractions(&quarters);
        prop_assert_eq!(total.sum + total.lost, values.iter().sum::<i64>() as f64 / 4.0);
    }

    #[test]
    fn quotients_are_exact(base in any::<i64>(), distances in proptest::collection::vec(0u64..1 << 52, 0..40), divisor in 1u64..1 << 52) {
        let divisor = divisor.max(distances.iter().max().map_or(1, |max| (max >> 32) + 1));
        let mut distances = distances;
        // the values around a multiple are the hard ones
        for at in 0..distances.len() {
            let multiple = distances[at] / divisor * divisor;
            distances.extend([multiple, multiple.saturating_sub(1)]);
        }
        let values: Vec<i64> = distances.iter().map(|distance| base.wrapping_add(*distance as i64)).collect();
        let expected: Vec<u32> = distances.iter().map(|distance| (distance / divisor) as u32).collect();
        for kernels in available() {
            let mut out = vec![7; values.len()];
            (kernels.divide)(&values, base, divisor, &mut out);
            prop_assert_eq!(&out, &expected, "{}", kernels.name);
        }
    }

    #[test]
    fn ranks_count_bounds(values in proptest::collection::vec(-50i64..50, 0..100), bounds in proptest::collection::btree_set(-60i64..60, 0..9)) {
        let values: Vec<f64> = values.into_iter().map(|value| value as f64).collect();
        let bounds: Vec<f64> = bounds.into_iter().map(|bound| bound as f64).collect();
        let expected: Vec<u32> = values.iter().map(|value| bounds.partition_point(|bound| bound <= value) as u32).collect();
        for kernels in available() {
            let mut out = vec![7; values.len()];
            (kernels.rank)(&values, &bounds, &mut out);
            prop_assert_eq!(&out, &expected, "{}", kernels.name);
        }
    }

    #[test]
    fn few_numbers_are_counted(values in proptest::collection::vec(0u32..12, 0..9000)) {
        let expected: [u32; FEW] = std::array::from_fn(|number| values.iter().filter(|value| **value == number as u32).count() as u32);
        for kernels in available() {
            prop_assert_eq!((kernels.count_few)(&values), expected, "{}", kernels.name);
        }
    }

    #[test]
    fn steps_are_rounded_down(values in proptest::collection::vec(-1e6f64..1e6, 0..100), offset in -10.0f64..10.0, interval in 0.001f64..1e6) {
        let step = |value: &f64| ((value - offset) / interval).floor();
        let first = values.iter().map(step).fold(f64::INFINITY, f64::min);
        let expected: Vec<u32> = values.iter().map(|value| (step(value) - first) as u32).collect();
        for kernels in available() {
            let mut out = vec![7; values.len()];
            (kernels.steps)(&values, Stepping { offset, interval, first }, &mut out);
            prop_assert_eq!(&out, &expected, "{}", kernels.name);
        }
    }

    #[test]
    fn lines_are_added(values in proptest::collection::vec(any::<i64>(), 0..100), start in any::<i64>(), slope in any::<i64>(), shift in 0u32..63) {
        let line = |at: usize| start.wrapping_add(slope.wrapping_mul(at as i64)) >> shift;
        let expected: Vec<i64> = values.iter().enumerate().map(|(at, value)| value.wrapping_add(line(at))).collect();
        for kernels in available() {
            let mut out = values.clone();
            (kernels.add_line)(start, slope, shift, &mut out);
            prop_assert_eq!(&out, &expected, "{}", kernels.name);
        }
    }

    #[test]
    fn decimals_are_correctly_rounded(values in proptest::collection::vec(-(1i64 << 51)..=1 << 51, 0..100), digits in 0i32..=12) {
        let power = 10f64.powi(digits);
        let expected: Vec<i64> = values.iter().map(|value| crate::schema::f64_to_sortable(*value as f64 / power)).collect();
        for kernels in available() {
            let mut out = values.clone();
            (kernels.decimals)(power, &mut out);
            prop_assert_eq!(&out, &expected, "{}", kernels.name);
        }
    }

    #[test]
    fn mixing_agrees_with_scalar(values: Vec<i64>) {
        let mut expected = values.clone();
        scalar::mix(&mut expected);
        for kernels in available() {
            let mut out = values.clone();
            (kernels.mix)(&mut out);
            prop_assert_eq!(&out, &expected, "{}", kernels.name);
        }
    }
}
