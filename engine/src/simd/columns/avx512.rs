//! Column kernels for AVX-512 with VBMI: one load and one permutation bring as many integers as lanes hold.

#![allow(unsafe_code)] // intrinsics: each use says why it is sound

use std::arch::x86_64::*;

use super::avx2::{count_few_avx2, deposit_bmi2};
use super::groups::{clear_from, for_each_group};
use super::scalar::Lanes;
use super::{ColumnKernels, FractionMoments, Packed, ROWS, Stepping, WholeMoments, scalar};
use crate::simd::lanes::LANE_WIDTH_MAX;

pub(super) const KERNELS: ColumnKernels = ColumnKernels {
    name: "avx512",
    unpack,
    unpack_u32,
    range,
    list: |bits, base, out| {
        // SAFETY: `available()` hands out this table only after detecting AVX-512 F, BW, DQ, VL, CD, VBMI and VPOPCNTDQ
        // and what AVX2's table needs, and nothing else can.
        unsafe { list_avx512(bits, base, out) }
    },
    // SAFETY: as above; so in all of this table.
    keep: |bits, values, out| unsafe { keep_avx512(bits, values, out) },
    // SAFETY: as above.
    keep_u32: |bits, values, out| unsafe { keep_u32_avx512(bits, values, out) },
    // SAFETY: as above.
    deposit: |ranks, rows, out| unsafe { deposit_bmi2(ranks, rows, out) },
    // SAFETY: as above.
    whole: |values| unsafe { whole_avx512(values) },
    // SAFETY: as above.
    whole_of: |values, owners, owner| unsafe { whole_of_avx512(values, owners, owner) },
    // SAFETY: as above.
    to_fractions: |values, out| unsafe { to_fractions_avx512(values, out) },
    // SAFETY: as above.
    from_sortable: |values, out| unsafe { from_sortable_avx512(values, out) },
    // SAFETY: as above.
    fractions: |values| unsafe { fractions_avx512(values) },
    // SAFETY: as above.
    fractions_of: |values, owners, owner| unsafe { fractions_of_avx512(values, owners, owner) },
    // SAFETY: as above.
    divide: |values, base, divisor, out| unsafe { divide_avx512(values, base, divisor, out) },
    // SAFETY: as above.
    steps: |values, how, out| unsafe { steps_avx512(values, how, out) },
    // SAFETY: as above.
    rank: |values, bounds, out| unsafe { rank_avx512(values, bounds, out) },
    // SAFETY: as above.
    count_few: |values| unsafe { count_few_avx2(values) },
    // SAFETY: as above.
    add_line: |start, slope, shift, values| unsafe { add_line_avx512(start, slope, shift, values) },
    // SAFETY: as above.
    decimals: |power, values| unsafe { decimals_avx512(power, values) },
    // SAFETY: as above.
    mix: |values| unsafe { mix_avx512(values) },
};

/// How integers of one width lie in the lanes: which byte goes where, and how far the lowest bit is from the right.
struct Layout {
    permutation: __m512i,
    shift: __m512i,
    mask: __m512i,
}

#[target_feature(enable = "avx512f")]
fn narrow(width: u32) -> Layout {
    let width = width as usize;
    let (mut bytes, mut shift) = ([0u8; 64], [0u32; 16]);
    for lane in 0..16 {
        shift[lane] = (lane * width % 8) as u32;
        for byte in 0..4 {
            bytes[lane * 4 + byte] = (lane * width / 8 + byte) as u8;
        }
    }
    // SAFETY: both arrays are 64 bytes long.
    let (permutation, shift) = unsafe {
        (
            _mm512_loadu_si512(bytes.as_ptr().cast()),
            _mm512_loadu_si512(shift.as_ptr().cast()),
        )
    };
    Layout {
        permutation,
        shift,
        mask: _mm512_set1_epi32((u32::MAX >> (32 - width)) as i32),
    }
}

#[target_feature(enable = "avx512f")]
fn wide(width: u32) -> Layout {
    let width = width as usize;
    let (mut bytes, mut shift) = ([0u8; 64], [0u64; 8]);
    for lane in 0..8 {
        shift[lane] = (lane * width % 8) as u64;
        for byte in 0..8 {
            bytes[lane * 8 + byte] = (lane * width / 8 + byte) as u8;
        }
    }
    // SAFETY: both arrays are 64 bytes long.
    let (permutation, shift) = unsafe {
        (
            _mm512_loadu_si512(bytes.as_ptr().cast()),
            _mm512_loadu_si512(shift.as_ptr().cast()),
        )
    };
    Layout {
        permutation,
        shift,
        mask: _mm512_set1_epi64((u64::MAX >> (64 - width)) as i64),
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512vbmi")]
fn read_narrow(how: &Layout, bytes: &[u8; 64]) -> __m512i {
    // SAFETY: 64 bytes are there.
    let lanes = unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) };
    let lanes = _mm512_permutexvar_epi8(how.permutation, lanes);
    _mm512_and_si512(_mm512_srlv_epi32(lanes, how.shift), how.mask)
}

#[inline]
#[target_feature(enable = "avx512f,avx512vbmi")]
fn read_wide(how: &Layout, bytes: &[u8; 64]) -> __m512i {
    // SAFETY: 64 bytes are there.
    let lanes = unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) };
    let lanes = _mm512_permutexvar_epi8(how.permutation, lanes);
    _mm512_and_si512(_mm512_srlv_epi64(lanes, how.shift), how.mask)
}

fn unpack(packed: Packed<'_>, min: i64, step: u64, out: &mut [i64; ROWS]) {
    if !(1..=56).contains(&packed.width) {
        return scalar::unpack(packed, min, step, out);
    }
    // SAFETY: as in the table.
    unsafe {
        match step {
            1 => unpack_avx512::<1>(packed, min, step, out),
            _ if step >> 32 == 0 && packed.width <= 32 => {
                unpack_avx512::<32>(packed, min, step, out);
            }
            _ => unpack_avx512::<64>(packed, min, step, out),
        }
    }
}

/// `STEP`: 1, or the bits of step and integers.
#[target_feature(enable = "avx512f,avx512dq,avx512vbmi")]
fn unpack_avx512<const STEP: u32>(packed: Packed<'_>, min: i64, step: u64, out: &mut [i64; ROWS]) {
    let how = wide(packed.width);
    let (min, by) = (_mm512_set1_epi64(min), _mm512_set1_epi64(step as i64));
    let (groups, _) = out.as_chunks_mut::<8>();
    for_each_group(packed, 8, |group, bytes| {
        // SAFETY: AVX-512 is there; a group has 8 integers of 8 bytes.
        unsafe {
            let lanes = read_wide(&how, bytes);
            let scaled = match STEP {
                1 => lanes,
                32 => _mm512_mul_epu32(lanes, by),
                _ => _mm512_mullo_epi64(lanes, by),
            };
            let at = groups[group].as_mut_ptr();
            _mm512_storeu_si512(at.cast(), _mm512_add_epi64(scaled, min));
        }
    });
}

fn unpack_u32(packed: Packed<'_>, min: u32, out: &mut [u32; ROWS]) {
    // SAFETY: as in the table.
    unsafe {
        match packed.width {
            1..=LANE_WIDTH_MAX => unpack_narrow_avx512(packed, min, out),
            26..=56 => unpack_lower_avx512(packed, min, out),
            _ => scalar::unpack_u32(packed, min, out),
        }
    }
}

#[target_feature(enable = "avx512f,avx512vbmi")]
fn unpack_narrow_avx512(packed: Packed<'_>, min: u32, out: &mut [u32; ROWS]) {
    let how = narrow(packed.width);
    let min = _mm512_set1_epi32(min as i32);
    let (groups, _) = out.as_chunks_mut::<16>();
    for_each_group(packed, 16, |group, bytes| {
        // SAFETY: AVX-512 is there; a group has 16 integers of 4 bytes.
        unsafe {
            let lanes = _mm512_add_epi32(read_narrow(&how, bytes), min);
            _mm512_storeu_si512(groups[group].as_mut_ptr().cast(), lanes);
        }
    });
}

/// The lower 32 bits of wider integers.
#[target_feature(enable = "avx512f,avx512vbmi")]
fn unpack_lower_avx512(packed: Packed<'_>, min: u32, out: &mut [u32; ROWS]) {
    let how = wide(packed.width);
    let min = _mm512_set1_epi64(i64::from(min));
    let (groups, _) = out.as_chunks_mut::<8>();
    for_each_group(packed, 8, |group, bytes| {
        // SAFETY: AVX-512 is there; a group has 8 integers of 4 bytes.
        unsafe {
            let lanes = _mm512_add_epi64(read_wide(&how, bytes), min);
            let at = groups[group].as_mut_ptr();
            _mm256_storeu_si256(at.cast(), _mm512_cvtepi64_epi32(lanes));
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
            ..=LANE_WIDTH_MAX => range_narrow_avx512(packed, lo as u32, (hi - lo) as u32, out),
            _ => range_wide_avx512(packed, lo, hi - lo, out),
        }
    }
    clear_from(out, count);
}

#[target_feature(enable = "avx512f,avx512vbmi")]
fn range_narrow_avx512(packed: Packed<'_>, lo: u32, reach: u32, out: &mut [u64; 64]) {
    let how = narrow(packed.width);
    let (lo, reach) = (
        _mm512_set1_epi32(lo as i32),
        _mm512_set1_epi32(reach as i32),
    );
    for_each_group(packed, 16, |group, bytes| {
        let above = _mm512_sub_epi32(read_narrow(&how, bytes), lo);
        let inside = _mm512_cmple_epu32_mask(above, reach);
        out[group / 4] |= u64::from(inside) << (group % 4 * 16);
    });
}

#[target_feature(enable = "avx512f,avx512vbmi")]
fn range_wide_avx512(packed: Packed<'_>, lo: u64, reach: u64, out: &mut [u64; 64]) {
    let how = wide(packed.width);
    let (lo, reach) = (
        _mm512_set1_epi64(lo as i64),
        _mm512_set1_epi64(reach as i64),
    );
    for_each_group(packed, 8, |group, bytes| {
        let above = _mm512_sub_epi64(read_wide(&how, bytes), lo);
        let inside = _mm512_cmple_epu64_mask(above, reach);
        out[group / 8] |= u64::from(inside) << (group % 8 * 8);
    });
}

/// Writes the lanes whose bit is set behind the `count` values that are there; a whole vector must still fit, so the
/// last ones go through a mask.
#[inline]
#[target_feature(enable = "avx512f")]
fn push_u32(lanes: __m512i, bits: u16, count: &mut usize, out: &mut [u32; ROWS]) {
    let kept = bits.count_ones() as usize;
    let packed = _mm512_maskz_compress_epi32(bits, lanes);
    if *count + 16 <= ROWS {
        // SAFETY: 16 integers fit.
        unsafe { _mm512_storeu_si512(out.as_mut_ptr().add(*count).cast(), packed) };
    } else {
        let mask = (1u32 << kept) - 1;
        debug_assert!(*count + kept <= ROWS, "64 words have no more bits");
        // SAFETY: no more than 4096 bits are pushed in all, so `kept` integers fit; others are not written.
        unsafe {
            _mm512_mask_storeu_epi32(out.as_mut_ptr().add(*count).cast(), mask as u16, packed);
        }
    }
    *count += kept;
}

#[target_feature(enable = "avx512f,popcnt")]
fn list_avx512(bits: &[u64; 64], base: u32, out: &mut [u32; ROWS]) -> usize {
    let mut count = 0;
    let steps = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    for (index, &word) in bits.iter().enumerate() {
        for part in 0..4 {
            let first = base.wrapping_add((index * 64 + part * 16) as u32);
            let lanes = _mm512_add_epi32(_mm512_set1_epi32(first as i32), steps);
            push_u32(lanes, (word >> (part * 16)) as u16, &mut count, out);
        }
    }
    count
}

#[target_feature(enable = "avx512f,popcnt")]
fn keep_u32_avx512(bits: &[u64; 64], values: &[u32; ROWS], out: &mut [u32; ROWS]) -> usize {
    let mut count = 0;
    let (groups, _) = values.as_chunks::<16>();
    for (index, group) in groups.iter().enumerate() {
        // SAFETY: a group has 16 integers of 4 bytes.
        let lanes = unsafe { _mm512_loadu_si512(group.as_ptr().cast()) };
        push_u32(
            lanes,
            (bits[index / 4] >> (index % 4 * 16)) as u16,
            &mut count,
            out,
        );
    }
    count
}

#[target_feature(enable = "avx512f,popcnt")]
fn keep_avx512(bits: &[u64; 64], values: &[i64; ROWS], out: &mut [i64; ROWS]) -> usize {
    let mut count = 0;
    let (groups, _) = values.as_chunks::<8>();
    for (index, group) in groups.iter().enumerate() {
        let bits = (bits[index / 8] >> (index % 8 * 8)) as u8;
        let kept = bits.count_ones() as usize;
        // SAFETY: a group has 8 integers of 8 bytes.
        let lanes = unsafe { _mm512_loadu_si512(group.as_ptr().cast()) };
        let packed = _mm512_maskz_compress_epi64(bits, lanes);
        if count + 8 <= ROWS {
            // SAFETY: 8 integers fit.
            unsafe { _mm512_storeu_si512(out.as_mut_ptr().add(count).cast(), packed) };
        } else {
            let mask = ((1u32 << kept) - 1) as u8;
            debug_assert!(count + kept <= ROWS, "64 words have no more bits");
            // SAFETY: 64 words have no more than 4096 bits, so `kept` integers fit; others are not written.
            unsafe { _mm512_mask_storeu_epi64(out.as_mut_ptr().add(count), mask, packed) };
        }
        count += kept;
    }
    count
}

// The loops of `scalar`, which the compiler turns into the vectors that the attribute allows.

#[target_feature(enable = "avx512f,avx512dq,avx512vl")]
fn whole_avx512(values: &[i64]) -> WholeMoments {
    scalar::whole(values)
}

#[target_feature(enable = "avx512f,avx512dq,avx512vl")]
fn whole_of_avx512(values: &[i64], owners: &[u32], owner: u32) -> WholeMoments {
    scalar::whole_of(values, owners, owner)
}

#[target_feature(enable = "avx512f,avx512dq,avx512vl")]
fn to_fractions_avx512(values: &[i64], out: &mut [f64]) {
    scalar::to_fractions(values, out);
}

#[target_feature(enable = "avx512f,avx512dq,avx512vl")]
fn from_sortable_avx512(values: &[i64], out: &mut [f64]) {
    scalar::from_sortable(values, out);
}

#[target_feature(enable = "avx512f,avx512dq,avx512vl,popcnt")]
fn fractions_avx512(values: &[f64]) -> FractionMoments {
    moments(values, |_| u8::MAX, |_| true)
}

#[target_feature(enable = "avx512f,avx512dq,avx512vl,popcnt")]
fn fractions_of_avx512(values: &[f64], owners: &[u32], owner: u32) -> FractionMoments {
    let values = &values[..values.len().min(owners.len())];
    let (groups, rest) = owners[..values.len()].as_chunks::<8>();
    let wanted = _mm256_set1_epi32(owner as i32);
    let of_group = |group: usize| {
        // SAFETY: a group has 8 integers of 4 bytes.
        let own = unsafe { _mm256_loadu_si256(groups[group].as_ptr().cast()) };
        _mm256_cmpeq_epi32_mask(own, wanted)
    };
    moments(values, of_group, |at| rest[at] == owner)
}

/// The moments of those values that are inside: a bit for each of a group of 8, and one by one behind the last group.
#[inline]
#[target_feature(enable = "avx512f,avx512dq,avx512vl,popcnt")]
fn moments(
    values: &[f64],
    inside_of_group: impl Fn(usize) -> u8,
    is_inside: impl Fn(usize) -> bool,
) -> FractionMoments {
    let mut lanes = Lanes::new();
    let infinity = _mm512_set1_pd(f64::INFINITY);
    let none = _mm512_set1_pd(f64::NEG_INFINITY);
    let (mut min, mut max) = (infinity, none);
    let (mut sum, mut lost) = (_mm512_setzero_pd(), _mm512_setzero_pd());
    let (groups, rest) = values.as_chunks::<8>();
    for (index, group) in groups.iter().enumerate() {
        let inside = inside_of_group(index);
        lanes.count += u64::from(inside.count_ones());
        // SAFETY: a group has 8 numbers of 8 bytes.
        let value = unsafe { _mm512_loadu_pd(group.as_ptr()) };
        // the second operand where neither is less: as in `Lanes::take`
        min = _mm512_min_pd(_mm512_mask_mov_pd(infinity, inside, value), min);
        max = _mm512_max_pd(_mm512_mask_mov_pd(none, inside, value), max);
        let part = _mm512_maskz_mov_pd(inside, value);
        let after = _mm512_add_pd(sum, part);
        let taken = _mm512_sub_pd(after, sum);
        let before = _mm512_sub_pd(sum, _mm512_sub_pd(after, taken));
        lost = _mm512_add_pd(lost, _mm512_add_pd(before, _mm512_sub_pd(part, taken)));
        sum = after;
    }
    // SAFETY: each has 8 numbers of 8 bytes.
    unsafe {
        _mm512_storeu_pd(lanes.min.as_mut_ptr(), min);
        _mm512_storeu_pd(lanes.max.as_mut_ptr(), max);
        _mm512_storeu_pd(lanes.sum.as_mut_ptr(), sum);
        _mm512_storeu_pd(lanes.lost.as_mut_ptr(), lost);
    }
    for (lane, value) in rest.iter().enumerate() {
        lanes.take(lane, *value, is_inside(lane));
    }
    lanes.fold()
}

#[target_feature(enable = "avx512f,avx512dq,avx512vl")]
fn divide_avx512(values: &[i64], base: i64, divisor: u64, out: &mut [u32]) {
    scalar::divide(values, base, divisor, out);
}

#[target_feature(enable = "avx512f,avx512dq,avx512vl")]
fn steps_avx512(values: &[f64], how: Stepping, out: &mut [u32]) {
    scalar::steps(values, how, out);
}

#[target_feature(enable = "avx512f,avx512dq,avx512vl")]
fn rank_avx512(values: &[f64], bounds: &[f64], out: &mut [u32]) {
    scalar::rank(values, bounds, out);
}

#[target_feature(enable = "avx512f,avx512dq,avx512vl")]
fn add_line_avx512(start: i64, slope: i64, shift: u32, values: &mut [i64]) {
    scalar::add_line(start, slope, shift, values);
}

/// Division by multiplication with the inverse and two corrections, of which the second is exact (Markstein, "IA-64 and
/// Elementary Functions", 2000): the same bits in a quarter of the time.
#[target_feature(enable = "avx512f,avx512dq,avx512vl")]
fn decimals_avx512(power: f64, values: &mut [i64]) {
    let (by, inverse) = (_mm512_set1_pd(power), _mm512_set1_pd(1.0 / power));
    let (groups, rest) = values.as_chunks_mut::<8>();
    for group in groups {
        // SAFETY: a group has 8 integers of 8 bytes.
        let number = _mm512_cvtepi64_pd(unsafe { _mm512_loadu_si512(group.as_ptr().cast()) });
        let mut quotient = _mm512_mul_pd(number, inverse);
        for _ in 0..2 {
            let rest = _mm512_fnmadd_pd(quotient, by, number);
            quotient = _mm512_fmadd_pd(rest, inverse, quotient);
        }
        let bits = _mm512_castpd_si512(quotient);
        let flipped = _mm512_srli_epi64::<1>(_mm512_srai_epi64::<63>(bits));
        // SAFETY: as above.
        unsafe {
            _mm512_storeu_si512(group.as_mut_ptr().cast(), _mm512_xor_si512(bits, flipped));
        }
    }
    scalar::decimals(power, rest);
}

#[target_feature(enable = "avx512f,avx512dq,avx512vl")]
fn mix_avx512(values: &mut [i64]) {
    scalar::mix(values);
}
