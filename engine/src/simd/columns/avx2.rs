//! Column kernels for AVX2 and BMI2.

#![allow(unsafe_code)] // intrinsics: each use says why it is sound

use std::arch::x86_64::*;

use super::groups::{REACH, WideLayout, clear_from, for_each_group};
use super::scalar::Lanes;
use super::{ColumnKernels, FEW, FractionMoments, Packed, ROWS, Stepping, WholeMoments, scalar};
use crate::simd::lanes::{LANE_WIDTH_MAX, LAYOUTS};

pub(super) const KERNELS: ColumnKernels = ColumnKernels {
    name: "avx2",
    unpack,
    unpack_u32,
    range,
    list: |bits, base, out| {
        // SAFETY: `available()` hands out this table only after detecting AVX2, BMI and POPCNT, and nothing else can.
        unsafe { list_avx2(bits, base, out) }
    },
    // SAFETY: as above; so in all of this table.
    keep: |bits, values, out| unsafe { keep_avx2(bits, values, out) },
    // SAFETY: as above.
    keep_u32: |bits, values, out| unsafe { keep_u32_avx2(bits, values, out) },
    // SAFETY: as above.
    deposit: |ranks, rows, out| unsafe { deposit_bmi2(ranks, rows, out) },
    // SAFETY: as above.
    whole: |values| unsafe { whole_avx2(values) },
    // SAFETY: as above.
    whole_of: |values, owners, owner| unsafe { whole_of_avx2(values, owners, owner) },
    // SAFETY: as above.
    to_fractions: |values, out| unsafe { to_fractions_avx2(values, out) },
    // SAFETY: as above.
    from_sortable: |values, out| unsafe { from_sortable_avx2(values, out) },
    // SAFETY: as above.
    fractions: |values| unsafe { fractions_avx2(values) },
    // SAFETY: as above.
    fractions_of: |values, owners, owner| unsafe { fractions_of_avx2(values, owners, owner) },
    // SAFETY: as above.
    divide: |values, base, divisor, out| unsafe { divide_avx2(values, base, divisor, out) },
    // SAFETY: as above.
    steps: |values, how, out| unsafe { steps_avx2(values, how, out) },
    // SAFETY: as above.
    rank: |values, bounds, out| unsafe { rank_avx2(values, bounds, out) },
    // SAFETY: as above.
    count_few: |values| unsafe { count_few_avx2(values) },
    // SAFETY: as above.
    add_line: |start, slope, shift, values| unsafe { add_line_avx2(start, slope, shift, values) },
    // SAFETY: as above.
    decimals: |power, values| unsafe { decimals_avx2(power, values) },
    // SAFETY: as above.
    mix: |values| unsafe { mix_avx2(values) },
};

/// Integers that are read at once: the bytes of as many begin at a whole byte for every width.
const GROUP: usize = 8;

/// How 8 integers of up to 25 bits lie in 8 lanes of 32: the first four come from 16 bytes at the start, the others
/// from 16 bytes at `second`.
struct Narrow {
    shuffle: __m256i,
    shift: __m256i,
    mask: __m256i,
    second: usize,
}

#[target_feature(enable = "avx2")]
fn narrow(width: u32) -> Narrow {
    let layout = &LAYOUTS[width as usize];
    // SAFETY: both arrays are 32 bytes long.
    let (shuffle, shift) = unsafe {
        (
            _mm256_loadu_si256(layout.shuffle.as_ptr().cast()),
            _mm256_loadu_si256(layout.shift.as_ptr().cast()),
        )
    };
    Narrow {
        shuffle,
        shift,
        mask: _mm256_set1_epi32((u32::MAX >> (32 - width)) as i32),
        second: layout.second,
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn read_narrow(how: &Narrow, bytes: &[u8; REACH]) -> __m256i {
    // SAFETY: `second` is at most 12, and 16 bytes from there are within the 64.
    let (low, high) = unsafe {
        let at = bytes.as_ptr();
        (
            _mm_loadu_si128(at.cast()),
            _mm_loadu_si128(at.add(how.second).cast()),
        )
    };
    let lanes = _mm256_shuffle_epi8(_mm256_set_m128i(high, low), how.shuffle);
    _mm256_and_si256(_mm256_srlv_epi32(lanes, how.shift), how.mask)
}

/// How 8 integers of up to 56 bits lie in twice 4 lanes of 64: each pair of lanes comes from 16 bytes at `starts`.
struct Wide {
    shuffle: [__m256i; 2],
    shift: [__m256i; 2],
    mask: __m256i,
    starts: [usize; 4],
}

#[target_feature(enable = "avx2")]
fn wide(width: u32) -> Wide {
    let layout = WideLayout::of(width);
    // SAFETY: both arrays are 64 bytes long.
    unsafe {
        Wide {
            shuffle: [
                _mm256_loadu_si256(layout.shuffle.as_ptr().cast()),
                _mm256_loadu_si256(layout.shuffle.as_ptr().add(32).cast()),
            ],
            shift: [
                _mm256_loadu_si256(layout.shift.as_ptr().cast()),
                _mm256_loadu_si256(layout.shift.as_ptr().add(4).cast()),
            ],
            mask: _mm256_set1_epi64x((u64::MAX >> (64 - width)) as i64),
            starts: layout.starts,
        }
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn read_wide(how: &Wide, bytes: &[u8; REACH]) -> [__m256i; 2] {
    // SAFETY: the starts are at most 6 * 56 / 8 = 42, and 16 bytes from there are within the 64.
    let pair = |n: usize| unsafe { _mm_loadu_si128(bytes.as_ptr().add(how.starts[n]).cast()) };
    let lanes = [
        _mm256_set_m128i(pair(1), pair(0)),
        _mm256_set_m128i(pair(3), pair(2)),
    ];
    [0, 1].map(|half| {
        let shuffled = _mm256_shuffle_epi8(lanes[half], how.shuffle[half]);
        _mm256_and_si256(_mm256_srlv_epi64(shuffled, how.shift[half]), how.mask)
    })
}

fn unpack(packed: Packed<'_>, min: i64, step: u64, out: &mut [i64; ROWS]) {
    if !(1..=56).contains(&packed.width) || step >> 32 != 0 || (step != 1 && packed.width > 32) {
        return scalar::unpack(packed, min, step, out);
    }
    // SAFETY: as in the table.
    unsafe { unpack_avx2(packed, min, step, out) }
}

#[target_feature(enable = "avx2")]
fn unpack_avx2(packed: Packed<'_>, min: i64, step: u64, out: &mut [i64; ROWS]) {
    let how = wide(packed.width);
    let (min, by) = (_mm256_set1_epi64x(min), _mm256_set1_epi64x(step as i64));
    let (groups, _) = out.as_chunks_mut::<GROUP>();
    for_each_group(packed, GROUP, |group, bytes| {
        let lanes = read_wide(&how, bytes);
        for (half, lanes) in lanes.into_iter().enumerate() {
            // SAFETY: AVX2 is there; a group has 8 integers of 8 bytes, a half of it 32.
            unsafe {
                let scaled = match step {
                    1 => lanes,
                    _ => _mm256_mul_epu32(lanes, by),
                };
                let at = groups[group].as_mut_ptr().add(half * 4);
                _mm256_storeu_si256(at.cast(), _mm256_add_epi64(scaled, min));
            }
        }
    });
}

fn unpack_u32(packed: Packed<'_>, min: u32, out: &mut [u32; ROWS]) {
    if !(1..=LANE_WIDTH_MAX).contains(&packed.width) {
        return scalar::unpack_u32(packed, min, out);
    }
    // SAFETY: as in the table.
    unsafe { unpack_u32_avx2(packed, min, out) }
}

#[target_feature(enable = "avx2")]
fn unpack_u32_avx2(packed: Packed<'_>, min: u32, out: &mut [u32; ROWS]) {
    let how = narrow(packed.width);
    let min = _mm256_set1_epi32(min as i32);
    let (groups, _) = out.as_chunks_mut::<GROUP>();
    for_each_group(packed, GROUP, |group, bytes| {
        // SAFETY: AVX2 is there; a group has 8 integers of 4 bytes.
        unsafe {
            let lanes = _mm256_add_epi32(read_narrow(&how, bytes), min);
            _mm256_storeu_si256(groups[group].as_mut_ptr().cast(), lanes);
        }
    });
}

fn range(packed: Packed<'_>, lo: u64, hi: u64, out: &mut [u64; 64]) {
    let (width, count) = (packed.width, packed.count.min(ROWS));
    if !(1..=56).contains(&width) || lo > hi || lo >> width != 0 {
        return scalar::range(packed, lo, hi, out);
    }
    let hi = hi.min(u64::MAX >> (64 - width));
    out.fill(0);
    // SAFETY: as in the table.
    unsafe {
        match width {
            ..=LANE_WIDTH_MAX => range_narrow_avx2(packed, lo as u32, hi as u32, out),
            _ => range_wide_avx2(packed, lo as i64, hi as i64, out),
        }
    }
    clear_from(out, count);
}

#[target_feature(enable = "avx2")]
fn range_narrow_avx2(packed: Packed<'_>, lo: u32, hi: u32, out: &mut [u64; 64]) {
    let how = narrow(packed.width);
    // both are below 2^25, so that signed comparisons do
    let (below, above) = (
        _mm256_set1_epi32(lo as i32 - 1),
        _mm256_set1_epi32(hi as i32 + 1),
    );
    for_each_group(packed, GROUP, |group, bytes| {
        let lanes = read_narrow(&how, bytes);
        let inside = _mm256_and_si256(
            _mm256_cmpgt_epi32(lanes, below),
            _mm256_cmpgt_epi32(above, lanes),
        );
        let inside = _mm256_movemask_ps(_mm256_castsi256_ps(inside)) as u32;
        out[group / 8] |= u64::from(inside) << (group % 8 * 8);
    });
}

#[target_feature(enable = "avx2")]
fn range_wide_avx2(packed: Packed<'_>, lo: i64, hi: i64, out: &mut [u64; 64]) {
    let how = wide(packed.width);
    let (below, above) = (_mm256_set1_epi64x(lo - 1), _mm256_set1_epi64x(hi + 1));
    for_each_group(packed, GROUP, |group, bytes| {
        let inside = read_wide(&how, bytes).map(|lanes| {
            let inside = _mm256_and_si256(
                _mm256_cmpgt_epi64(lanes, below),
                _mm256_cmpgt_epi64(above, lanes),
            );
            _mm256_movemask_pd(_mm256_castsi256_pd(inside)) as u64
        });
        out[group / 8] |= (inside[0] | inside[1] << 4) << (group % 8 * 8);
    });
}

#[target_feature(enable = "bmi2,popcnt")]
pub(super) fn deposit_bmi2(ranks: &[u64; 64], rows: &[u64; 64], out: &mut [u64; 64]) {
    let mut rank = 0;
    for (out, &rows) in out.iter_mut().zip(rows) {
        let (word, bit) = (rank / 64, rank % 64);
        let mut next = ranks.get(word).copied().unwrap_or(0) >> bit;
        if bit > 0 {
            next |= ranks.get(word + 1).copied().unwrap_or(0) << (64 - bit);
        }
        *out = _pdep_u64(next, rows);
        rank += rows.count_ones() as usize;
    }
}

// The loops of `scalar`, which the compiler turns into the vectors that the attribute allows.

#[target_feature(enable = "bmi1,popcnt")]
fn list_avx2(bits: &[u64; 64], base: u32, out: &mut [u32; ROWS]) -> usize {
    scalar::list(bits, base, out)
}

#[target_feature(enable = "bmi1,popcnt")]
fn keep_avx2(bits: &[u64; 64], values: &[i64; ROWS], out: &mut [i64; ROWS]) -> usize {
    scalar::keep(bits, values, out)
}

#[target_feature(enable = "bmi1,popcnt")]
fn keep_u32_avx2(bits: &[u64; 64], values: &[u32; ROWS], out: &mut [u32; ROWS]) -> usize {
    scalar::keep_u32(bits, values, out)
}

#[target_feature(enable = "avx2")]
fn whole_avx2(values: &[i64]) -> WholeMoments {
    scalar::whole(values)
}

#[target_feature(enable = "avx2")]
fn whole_of_avx2(values: &[i64], owners: &[u32], owner: u32) -> WholeMoments {
    scalar::whole_of(values, owners, owner)
}

#[target_feature(enable = "avx2")]
fn to_fractions_avx2(values: &[i64], out: &mut [f64]) {
    scalar::to_fractions(values, out);
}

#[target_feature(enable = "avx2")]
fn from_sortable_avx2(values: &[i64], out: &mut [f64]) {
    scalar::from_sortable(values, out);
}

#[target_feature(enable = "avx2,popcnt")]
fn fractions_avx2(values: &[f64]) -> FractionMoments {
    let all = _mm256_castsi256_pd(_mm256_set1_epi64x(-1));
    moments(values, |_| [all; 2], |_| true)
}

#[target_feature(enable = "avx2,popcnt")]
fn fractions_of_avx2(values: &[f64], owners: &[u32], owner: u32) -> FractionMoments {
    let values = &values[..values.len().min(owners.len())];
    let (groups, rest) = owners[..values.len()].as_chunks::<8>();
    let wanted = _mm256_set1_epi32(owner as i32);
    let of_group = |group: usize| {
        // SAFETY: a group has 8 integers of 4 bytes.
        let own = unsafe { _mm256_loadu_si256(groups[group].as_ptr().cast()) };
        let inside = _mm256_cmpeq_epi32(own, wanted);
        let halves = [
            _mm256_castsi256_si128(inside),
            _mm256_extracti128_si256::<1>(inside),
        ];
        halves.map(|half| _mm256_castsi256_pd(_mm256_cvtepi32_epi64(half)))
    };
    moments(values, of_group, |at| rest[at] == owner)
}

/// The moments of those values that are inside: all bits of a lane, of twice four lanes for a group of 8, and one by one
/// behind the last group.
#[inline]
#[target_feature(enable = "avx2,popcnt")]
fn moments(
    values: &[f64],
    inside_of_group: impl Fn(usize) -> [__m256d; 2],
    is_inside: impl Fn(usize) -> bool,
) -> FractionMoments {
    let mut lanes = Lanes::new();
    let infinity = _mm256_set1_pd(f64::INFINITY);
    let none = _mm256_set1_pd(f64::NEG_INFINITY);
    let (mut min, mut max) = ([infinity; 2], [none; 2]);
    let (mut sum, mut lost) = ([_mm256_setzero_pd(); 2], [_mm256_setzero_pd(); 2]);
    let (groups, rest) = values.as_chunks::<8>();
    for (index, group) in groups.iter().enumerate() {
        let inside = inside_of_group(index);
        for half in 0..2 {
            lanes.count += u64::from(_mm256_movemask_pd(inside[half]).count_ones());
            // SAFETY: a half has 4 numbers of 8 bytes.
            let value = unsafe { _mm256_loadu_pd(group.as_ptr().add(4 * half)) };
            // the second operand where neither is less: as in `Lanes::take`
            let low = _mm256_blendv_pd(infinity, value, inside[half]);
            min[half] = _mm256_min_pd(low, min[half]);
            let high = _mm256_blendv_pd(none, value, inside[half]);
            max[half] = _mm256_max_pd(high, max[half]);
            let part = _mm256_and_pd(value, inside[half]);
            let after = _mm256_add_pd(sum[half], part);
            let taken = _mm256_sub_pd(after, sum[half]);
            let before = _mm256_sub_pd(sum[half], _mm256_sub_pd(after, taken));
            let error = _mm256_add_pd(before, _mm256_sub_pd(part, taken));
            lost[half] = _mm256_add_pd(lost[half], error);
            sum[half] = after;
        }
    }
    for half in 0..2 {
        // SAFETY: each half has 4 numbers of 8 bytes.
        unsafe {
            _mm256_storeu_pd(lanes.min.as_mut_ptr().add(4 * half), min[half]);
            _mm256_storeu_pd(lanes.max.as_mut_ptr().add(4 * half), max[half]);
            _mm256_storeu_pd(lanes.sum.as_mut_ptr().add(4 * half), sum[half]);
            _mm256_storeu_pd(lanes.lost.as_mut_ptr().add(4 * half), lost[half]);
        }
    }
    for (lane, value) in rest.iter().enumerate() {
        lanes.take(lane, *value, is_inside(lane));
    }
    lanes.fold()
}

#[target_feature(enable = "avx2")]
fn divide_avx2(values: &[i64], base: i64, divisor: u64, out: &mut [u32]) {
    scalar::divide(values, base, divisor, out);
}

#[target_feature(enable = "avx2")]
fn steps_avx2(values: &[f64], how: Stepping, out: &mut [u32]) {
    scalar::steps(values, how, out);
}

#[target_feature(enable = "avx2")]
pub(super) fn count_few_avx2(values: &[u32]) -> [u32; FEW] {
    scalar::count_few(values)
}

#[target_feature(enable = "avx2")]
fn rank_avx2(values: &[f64], bounds: &[f64], out: &mut [u32]) {
    scalar::rank(values, bounds, out);
}

#[target_feature(enable = "avx2")]
fn add_line_avx2(start: i64, slope: i64, shift: u32, values: &mut [i64]) {
    scalar::add_line(start, slope, shift, values);
}

#[target_feature(enable = "avx2")]
fn decimals_avx2(power: f64, values: &mut [i64]) {
    scalar::decimals(power, values);
}

#[target_feature(enable = "avx2")]
fn mix_avx2(values: &mut [i64]) {
    scalar::mix(values);
}
