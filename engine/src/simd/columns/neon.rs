//! Column kernels for NEON.
//!
//! Every 64-bit ARM has NEON, so that the compiler already uses it for the plain loops of `scalar`, which stand in this table
//! as they are. Written by hand is only what it does not find.

#![allow(unsafe_code)] // intrinsics: each use says why it is sound

use std::arch::aarch64::*;

use super::groups::{REACH, WideLayout, clear_from, for_each_group};
use super::scalar::Lanes;
use super::{ColumnKernels, FractionMoments, Packed, ROWS, WholeMoments, scalar};
use crate::simd::lanes::{LANE_WIDTH_MAX, LAYOUTS};
use crate::simd::neon::write_places;

pub(super) const KERNELS: ColumnKernels = ColumnKernels {
    name: "neon",
    unpack,
    unpack_u32,
    range,
    list,
    // NEON has no store that leaves lanes out; these walk over the set bits, a load and a store for each.
    keep: scalar::keep,
    keep_u32: scalar::keep_u32,
    // Depositing bits is an instruction of SVE2, not of NEON.
    deposit: scalar::deposit,
    // The compiler's vectors; it makes none of sums of fractions, since their order is fixed, nor of sums by owner.
    whole: scalar::whole,
    whole_of,
    to_fractions: scalar::to_fractions,
    from_sortable: scalar::from_sortable,
    fractions,
    fractions_of,
    divide: scalar::divide,
    steps: scalar::steps,
    rank: scalar::rank,
    count_few: scalar::count_few,
    add_line: scalar::add_line,
    decimals: scalar::decimals,
    // NEON has no product of 64 bits: one after the other.
    mix: scalar::mix,
};

/// Integers that are read at once: the bytes of as many begin at a whole byte for every width.
const GROUP: usize = 8;

/// How 8 integers of up to 25 bits lie in twice 4 lanes of 32: each half comes from 16 bytes at `starts`.
struct Narrow {
    shuffle: [uint8x16_t; 2],
    shift: [int32x4_t; 2],
    mask: uint32x4_t,
    starts: [usize; 2],
}

#[inline]
#[target_feature(enable = "neon")]
fn narrow(width: u32) -> Narrow {
    let layout = &LAYOUTS[width as usize];
    // SAFETY: a half of either array is 16 bytes long.
    let (shuffle, shift) = unsafe {
        (
            [0, 16].map(|at| vld1q_u8(layout.shuffle.as_ptr().add(at))),
            [0, 4].map(|at| vld1q_u32(layout.shift.as_ptr().add(at))),
        )
    };
    Narrow {
        shuffle,
        // A shift to the left by less than nothing is one to the right.
        shift: shift.map(|shift| vnegq_s32(vreinterpretq_s32_u32(shift))),
        mask: vdupq_n_u32(u32::MAX >> (32 - width)),
        starts: [0, layout.second],
    }
}

#[inline]
#[target_feature(enable = "neon")]
fn read_narrow(how: &Narrow, bytes: &[u8; REACH]) -> [uint32x4_t; 2] {
    [0, 1].map(|half| {
        // SAFETY: the starts are at most 12, and 16 bytes from there are within the 64.
        let lanes = unsafe { vld1q_u8(bytes.as_ptr().add(how.starts[half])) };
        let lanes = vreinterpretq_u32_u8(vqtbl1q_u8(lanes, how.shuffle[half]));
        vandq_u32(vshlq_u32(lanes, how.shift[half]), how.mask)
    })
}

/// How 8 integers of up to 56 bits lie in four times 2 lanes of 64: each pair of lanes comes from 16 bytes at `starts`.
struct Wide {
    shuffle: [uint8x16_t; 4],
    shift: [int64x2_t; 4],
    mask: uint64x2_t,
    starts: [usize; 4],
}

#[inline]
#[target_feature(enable = "neon")]
fn wide(width: u32) -> Wide {
    let layout = WideLayout::of(width);
    // SAFETY: a quarter of either array is 16 bytes long.
    let (shuffle, shift) = unsafe {
        (
            [0, 16, 32, 48].map(|at| vld1q_u8(layout.shuffle.as_ptr().add(at))),
            [0, 2, 4, 6].map(|at| vld1q_u64(layout.shift.as_ptr().add(at))),
        )
    };
    Wide {
        shuffle,
        shift: shift.map(|shift| vnegq_s64(vreinterpretq_s64_u64(shift))),
        mask: vdupq_n_u64(u64::MAX >> (64 - width)),
        starts: layout.starts,
    }
}

#[inline]
#[target_feature(enable = "neon")]
fn read_wide(how: &Wide, bytes: &[u8; REACH]) -> [uint64x2_t; 4] {
    [0, 1, 2, 3].map(|pair| {
        // SAFETY: the starts are at most 42, and 16 bytes from there are within the 64.
        let lanes = unsafe { vld1q_u8(bytes.as_ptr().add(how.starts[pair])) };
        let lanes = vreinterpretq_u64_u8(vqtbl1q_u8(lanes, how.shuffle[pair]));
        vandq_u64(vshlq_u64(lanes, how.shift[pair]), how.mask)
    })
}

fn unpack(packed: Packed<'_>, min: i64, step: u64, out: &mut [i64; ROWS]) {
    if !(1..=56).contains(&packed.width) || step >> 32 != 0 || (step != 1 && packed.width > 32) {
        return scalar::unpack(packed, min, step, out);
    }
    // SAFETY: `available()` hands out this table only after detecting NEON, and nothing else can.
    unsafe { unpack_neon(packed, min, step, out) }
}

#[target_feature(enable = "neon")]
fn unpack_neon(packed: Packed<'_>, min: i64, step: u64, out: &mut [i64; ROWS]) {
    let how = wide(packed.width);
    let (min, by) = (vdupq_n_s64(min), vdup_n_u32(step as u32));
    let (groups, _) = out.as_chunks_mut::<GROUP>();
    for_each_group(packed, GROUP, |group, bytes| {
        for (pair, lanes) in read_wide(&how, bytes).into_iter().enumerate() {
            let scaled = match step {
                1 => lanes,
                _ => vmull_u32(vmovn_u64(lanes), by),
            };
            let values = vaddq_s64(vreinterpretq_s64_u64(scaled), min);
            // SAFETY: a group has four pairs of integers of 8 bytes.
            unsafe { vst1q_s64(groups[group].as_mut_ptr().add(2 * pair), values) };
        }
    });
}

fn unpack_u32(packed: Packed<'_>, min: u32, out: &mut [u32; ROWS]) {
    if !(1..=LANE_WIDTH_MAX).contains(&packed.width) {
        return scalar::unpack_u32(packed, min, out);
    }
    // SAFETY: as in `unpack`.
    unsafe { unpack_u32_neon(packed, min, out) }
}

#[target_feature(enable = "neon")]
fn unpack_u32_neon(packed: Packed<'_>, min: u32, out: &mut [u32; ROWS]) {
    let how = narrow(packed.width);
    let min = vdupq_n_u32(min);
    let (groups, _) = out.as_chunks_mut::<GROUP>();
    for_each_group(packed, GROUP, |group, bytes| {
        for (half, lanes) in read_narrow(&how, bytes).into_iter().enumerate() {
            // SAFETY: a group has twice 4 integers of 4 bytes.
            unsafe {
                let at = groups[group].as_mut_ptr().add(4 * half);
                vst1q_u32(at, vaddq_u32(lanes, min));
            }
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
    // SAFETY: as in `unpack`.
    unsafe {
        match width {
            ..=LANE_WIDTH_MAX => range_narrow_neon(packed, lo as u32, hi as u32, out),
            _ => range_wide_neon(packed, lo, hi, out),
        }
    }
    clear_from(out, count);
}

#[target_feature(enable = "neon")]
fn range_narrow_neon(packed: Packed<'_>, lo: u32, hi: u32, out: &mut [u64; 64]) {
    let how = narrow(packed.width);
    let (lo, hi) = (vdupq_n_u32(lo), vdupq_n_u32(hi));
    for_each_group(packed, GROUP, |group, bytes| {
        let [low, high] = read_narrow(&how, bytes)
            .map(|lanes| vandq_u32(vcgeq_u32(lanes, lo), vcleq_u32(lanes, hi)));
        out[group / 8] |= u64::from(byte_of(low, high)) << (group % 8 * 8);
    });
}

#[target_feature(enable = "neon")]
fn range_wide_neon(packed: Packed<'_>, lo: u64, hi: u64, out: &mut [u64; 64]) {
    let how = wide(packed.width);
    let (lo, hi) = (vdupq_n_u64(lo), vdupq_n_u64(hi));
    for_each_group(packed, GROUP, |group, bytes| {
        let [a, b, c, d] = read_wide(&how, bytes).map(|lanes| {
            vreinterpretq_u32_u64(vandq_u64(vcgeq_u64(lanes, lo), vcleq_u64(lanes, hi)))
        });
        // Masks are all ones or all zeros, so that every other half of them says all.
        let byte = byte_of(vuzp1q_u32(a, b), vuzp1q_u32(c, d));
        out[group / 8] |= u64::from(byte) << (group % 8 * 8);
    });
}

/// One bit for each of eight lanes, which are all ones or all zeros.
#[inline]
#[target_feature(enable = "neon")]
fn byte_of(low: uint32x4_t, high: uint32x4_t) -> u8 {
    let lanes = vuzp1q_u16(vreinterpretq_u16_u32(low), vreinterpretq_u16_u32(high));
    let weight = vreinterpret_u8_u64(vdup_n_u64(0x8040_2010_0804_0201));
    vaddv_u8(vand_u8(vmovn_u16(lanes), weight))
}

/// Bits of a word up to which they are looked for one by one.
const FEW: u32 = 8;

fn list(bits: &[u64; 64], base: u32, out: &mut [u32; ROWS]) -> usize {
    // SAFETY: as in `unpack`.
    unsafe { list_neon(bits, base, out) }
}

#[target_feature(enable = "neon")]
fn list_neon(bits: &[u64; 64], base: u32, out: &mut [u32; ROWS]) -> usize {
    let mut count = 0;
    for (index, &word) in (0..).zip(bits) {
        let first = base.wrapping_add(index * 64);
        if word.count_ones() <= FEW {
            let mut rest = word;
            while rest != 0 {
                out[count] = first.wrapping_add(rest.trailing_zeros());
                count += 1;
                rest &= rest - 1;
            }
            continue;
        }
        for (byte, place) in word.to_le_bytes().into_iter().zip((0..).step_by(8)) {
            // `count` is at most 8 for each byte before: 8 places are left.
            if let Some(room) = out[count..].first_chunk_mut() {
                write_places(byte, first.wrapping_add(place), room);
            }
            count += byte.count_ones() as usize;
        }
    }
    count
}

fn whole_of(values: &[i64], owners: &[u32], owner: u32) -> WholeMoments {
    // SAFETY: as in `unpack`.
    unsafe { whole_of_neon(values, owners, owner) }
}

#[target_feature(enable = "neon")]
fn whole_of_neon(values: &[i64], owners: &[u32], owner: u32) -> WholeMoments {
    let len = values.len().min(owners.len());
    let (groups, rest) = values[..len].as_chunks::<4>();
    let (owner_groups, owners_rest) = owners[..len].as_chunks::<4>();
    let wanted = vdupq_n_u32(owner);
    let (most, least) = (vdupq_n_s64(i64::MAX), vdupq_n_s64(i64::MIN));
    let (mut min, mut max, mut sum) = (most, least, vdupq_n_s64(0));
    let mut all = scalar::whole_of(rest, owners_rest, owner);
    for (group, owners) in groups.iter().zip(owner_groups) {
        // SAFETY: there are 4 integers of 4 bytes.
        let inside = unsafe { vceqq_u32(vld1q_u32(owners.as_ptr()), wanted) };
        // All ones is less one.
        all.count += u64::from(vaddvq_u32(inside).wrapping_neg());
        // A lane twice over is one of twice the bits.
        let pairs = [vzip1q_u32(inside, inside), vzip2q_u32(inside, inside)];
        for (pair, inside) in pairs.into_iter().enumerate() {
            let inside = vreinterpretq_u64_u32(inside);
            // SAFETY: a group has two pairs of integers of 8 bytes.
            let value = unsafe { vld1q_s64(group.as_ptr().add(2 * pair)) };
            let low = vbslq_s64(inside, value, most);
            min = vbslq_s64(vcltq_s64(low, min), low, min);
            let high = vbslq_s64(inside, value, least);
            max = vbslq_s64(vcgtq_s64(high, max), high, max);
            let part = vandq_s64(value, vreinterpretq_s64_u64(inside));
            sum = vaddq_s64(sum, part);
        }
    }
    let lanes = |lanes: int64x2_t| [vgetq_lane_s64::<0>(lanes), vgetq_lane_s64::<1>(lanes)];
    for ((min, max), sum) in lanes(min).into_iter().zip(lanes(max)).zip(lanes(sum)) {
        all.min = all.min.min(min);
        all.max = all.max.max(max);
        all.sum = all.sum.wrapping_add(sum);
    }
    all
}

fn fractions(values: &[f64]) -> FractionMoments {
    // SAFETY: as in `unpack`.
    unsafe { fractions_neon(values) }
}

#[target_feature(enable = "neon")]
fn fractions_neon(values: &[f64]) -> FractionMoments {
    let all = vdupq_n_u64(u64::MAX);
    moments(values, |_| ([all; 4], 8), |_| true)
}

fn fractions_of(values: &[f64], owners: &[u32], owner: u32) -> FractionMoments {
    // SAFETY: as in `unpack`.
    unsafe { fractions_of_neon(values, owners, owner) }
}

#[target_feature(enable = "neon")]
fn fractions_of_neon(values: &[f64], owners: &[u32], owner: u32) -> FractionMoments {
    let values = &values[..values.len().min(owners.len())];
    let (groups, rest) = owners[..values.len()].as_chunks::<8>();
    let wanted = vdupq_n_u32(owner);
    let of_group = |group: usize| {
        let halves = [0, 4].map(|at| {
            // SAFETY: a group has twice 4 integers of 4 bytes.
            let own = unsafe { vld1q_u32(groups[group].as_ptr().add(at)) };
            vceqq_u32(own, wanted)
        });
        let ones = vaddvq_u32(vaddq_u32(halves[0], halves[1]));
        // A lane twice over is one of twice the bits.
        let pairs = halves.map(|half| [vzip1q_u32(half, half), vzip2q_u32(half, half)]);
        let [[a, b], [c, d]] = pairs;
        // All ones is less one.
        (
            [a, b, c, d].map(|pair| vreinterpretq_u64_u32(pair)),
            ones.wrapping_neg(),
        )
    };
    moments(values, of_group, |at| rest[at] == owner)
}

/// The moments of those values that are inside: all bits of a lane, of four times two lanes for a group of 8 (and how many
/// these are), and one by one behind the last group.
#[inline]
#[target_feature(enable = "neon")]
fn moments(
    values: &[f64],
    inside_of_group: impl Fn(usize) -> ([uint64x2_t; 4], u32),
    is_inside: impl Fn(usize) -> bool,
) -> FractionMoments {
    let mut lanes = Lanes::new();
    let infinity = vdupq_n_f64(f64::INFINITY);
    let none = vdupq_n_f64(f64::NEG_INFINITY);
    let zero = vdupq_n_f64(0.0);
    let (mut min, mut max, mut sum, mut lost) = ([infinity; 4], [none; 4], [zero; 4], [zero; 4]);
    let (groups, rest) = values.as_chunks::<8>();
    for (index, group) in groups.iter().enumerate() {
        let (inside, count) = inside_of_group(index);
        lanes.count += u64::from(count);
        for pair in 0..4 {
            // SAFETY: a group has four pairs of numbers of 8 bytes.
            let value = unsafe { vld1q_f64(group.as_ptr().add(2 * pair)) };
            let inside = inside[pair];
            // the present one where neither is less: as in `Lanes::take`
            let low = vbslq_f64(inside, value, infinity);
            min[pair] = vbslq_f64(vcltq_f64(low, min[pair]), low, min[pair]);
            let high = vbslq_f64(inside, value, none);
            max[pair] = vbslq_f64(vcgtq_f64(high, max[pair]), high, max[pair]);
            let part = vbslq_f64(inside, value, zero);
            let after = vaddq_f64(sum[pair], part);
            let taken = vsubq_f64(after, sum[pair]);
            let before = vsubq_f64(sum[pair], vsubq_f64(after, taken));
            let error = vaddq_f64(before, vsubq_f64(part, taken));
            lost[pair] = vaddq_f64(lost[pair], error);
            sum[pair] = after;
        }
    }
    for pair in 0..4 {
        let at = 2 * pair;
        // SAFETY: the arrays have four pairs of numbers of 8 bytes.
        unsafe {
            vst1q_f64(lanes.min.as_mut_ptr().add(at), min[pair]);
            vst1q_f64(lanes.max.as_mut_ptr().add(at), max[pair]);
            vst1q_f64(lanes.sum.as_mut_ptr().add(at), sum[pair]);
            vst1q_f64(lanes.lost.as_mut_ptr().add(at), lost[pair]);
        }
    }
    for (lane, value) in rest.iter().enumerate() {
        lanes.take(lane, *value, is_inside(lane));
    }
    lanes.fold()
}
