//! The kernels of ranked retrieval for AVX-512: 16 lanes of 32 bits.

#![allow(unsafe_code)] // intrinsics: each use says why it is sound

use std::arch::x86_64::*;

use super::{
    FEW, ImpactRows, Kernels, LANES, ROWS, STRETCH_DOCS, StretchBits, Weights, bounding_freq,
    scalar,
};

pub(in crate::simd) const KERNELS: Kernels = Kernels {
    lane_sums,
    score,
    bounds,
    keep_above,
    keep_between,
    sums_above,
    expand,
    find,
    find_each,
    among,
    count_below,
    rank,
    first_gap,
};

fn lane_sums(base: u32, plus: u32, values: &mut [u32; 128]) {
    // SAFETY: `available()` hands out this table only after detecting AVX-512 F, BW and VPOPCNTDQ, and nothing else can.
    unsafe { lane_sums_avx512(base, plus, values) }
}

#[target_feature(enable = "avx512f")]
fn lane_sums_avx512(base: u32, plus: u32, values: &mut [u32; 128]) {
    let zero = _mm512_setzero_si512();
    let plus = _mm512_set1_epi32(plus as i32);
    let at = values.as_mut_ptr();
    let mut rows = [zero; ROWS];
    let mut sum = zero;
    // Plain indexes here and below: iterators are not always inlined where other instructions are enabled.
    let mut row = 0;
    while row < ROWS {
        // SAFETY: 8 rows of 16 integers of 4 bytes are all there is.
        let gaps = unsafe { _mm512_loadu_si512(at.add(row * LANES).cast()) };
        sum = _mm512_add_epi32(sum, _mm512_add_epi32(gaps, plus));
        rows[row] = sum;
        row += 1;
    }
    // Totals of the lanes before: running sums across, each step adding the lanes 1, 2, 4, 8 places below.
    let mut across = sum;
    across = _mm512_add_epi32(across, _mm512_alignr_epi32::<15>(across, zero));
    across = _mm512_add_epi32(across, _mm512_alignr_epi32::<14>(across, zero));
    across = _mm512_add_epi32(across, _mm512_alignr_epi32::<12>(across, zero));
    across = _mm512_add_epi32(across, _mm512_alignr_epi32::<8>(across, zero));
    let before = _mm512_sub_epi32(across, sum);
    let before = _mm512_add_epi32(before, _mm512_set1_epi32(base as i32));
    let mut row = 0;
    while row < ROWS {
        // SAFETY: as above.
        unsafe {
            let lanes = _mm512_add_epi32(rows[row], before);
            _mm512_storeu_si512(at.add(row * LANES).cast(), lanes);
        };
        row += 1;
    }
}

fn score(docs: &[u32], freqs: &[u32], norms: &[u8], weights: Weights<'_>, out: &mut [f32]) {
    assert!(
        docs.len() == freqs.len() && docs.len() == out.len(),
        "a frequency and a place for every document"
    );
    // SAFETY: as in `lane_sums`; all three are equally long.
    unsafe { score_avx512(docs, freqs, norms, weights, out) }
}

/// # Safety
/// Needs AVX-512 F and BW; `docs`, `freqs` and `out` are equally long.
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn score_avx512(
    docs: &[u32],
    freqs: &[u32],
    norms: &[u8],
    weights: Weights<'_>,
    out: &mut [f32],
) {
    let weight = _mm512_set1_ps(weights.weight);
    let one = _mm512_set1_ps(1.0);
    let len = docs.len();
    if !norms.is_empty() {
        assert!(
            highest(docs) < norms.len() as u64,
            "a norm for every document"
        );
    }
    let mut found = [1u8; 64];
    let mut at = 0;
    while at < len {
        let count = (len - at).min(64);
        if !norms.is_empty() {
            let mut index = 0;
            while index < count {
                // SAFETY: `index` is below 64 and `at + index` below the number of documents; the highest of them has a norm.
                unsafe {
                    let doc = *docs.get_unchecked(at + index);
                    *found.get_unchecked_mut(index) = *norms.get_unchecked(doc as usize);
                }
                index += 1;
            }
        }
        let mut start = 0;
        while start < count {
            let mask = lanes_left(count - start);
            // SAFETY: `found` has 64 bytes and `start` is at most 48; the masks leave out lanes past the end of `freqs` and
            // `out`; the table has 256 numbers, and the indexes are bytes.
            unsafe {
                let norm = _mm512_cvtepu8_epi32(_mm_loadu_si128(found.as_ptr().add(start).cast()));
                let inverse = _mm512_i32gather_ps::<4>(norm, weights.inverse.as_ptr());
                let freq = _mm512_maskz_loadu_epi32(mask, freqs.as_ptr().add(at + start).cast());
                let part = _mm512_add_ps(one, _mm512_mul_ps(_mm512_cvtepu32_ps(freq), inverse));
                let score = _mm512_sub_ps(weight, _mm512_div_ps(weight, part));
                _mm512_mask_storeu_ps(out.as_mut_ptr().add(at + start), mask, score);
            }
            start += LANES;
        }
        at += 64;
    }
}

/// The highest of some numbers, 0 of none.
#[target_feature(enable = "avx512f")]
fn highest(numbers: &[u32]) -> u64 {
    let mut highest = _mm512_setzero_si512();
    let mut at = 0;
    while at < numbers.len() {
        let mask = lanes_left(numbers.len() - at);
        // SAFETY: the mask leaves out lanes past the end.
        let lanes = unsafe { _mm512_maskz_loadu_epi32(mask, numbers.as_ptr().add(at).cast()) };
        highest = _mm512_max_epu32(highest, lanes);
        at += LANES;
    }
    u64::from(_mm512_reduce_max_epu32(highest))
}

fn bounds(impacts: ImpactRows<'_>, weights: Weights<'_>, out: &mut [f32]) {
    let columns = impacts.freqs.iter().chain(&impacts.norms);
    let len = columns.map(|column| column.len()).min().unwrap_or(0);
    assert!(out.len() <= len, "an impact for every bound");
    // SAFETY: as in `lane_sums`; every column is at least as long as `out`.
    unsafe { bounds_avx512(impacts, weights, out) }
}

/// # Safety
/// Needs AVX-512 F; every column of `impacts` is at least as long as `out`.
#[target_feature(enable = "avx512f")]
unsafe fn bounds_avx512(impacts: ImpactRows<'_>, weights: Weights<'_>, out: &mut [f32]) {
    let weight = _mm512_set1_ps(weights.weight);
    let one = _mm512_set1_ps(1.0);
    let top = _mm512_set1_epi32(255);
    let endless = _mm512_set1_ps(bounding_freq(255));
    let whole = out.len() / 16 * 16;
    let mut start = 0;
    while start < whole {
        let mut greatest = _mm512_setzero_ps();
        let mut place = 0;
        while place < 4 {
            let (freqs, norms) = (impacts.freqs[place], impacts.norms[place]);
            // SAFETY: both columns reach to `start + 16`; the table has 256 numbers, the indexes are bytes.
            let (freq, inverse) = unsafe {
                let freq = _mm512_cvtepu8_epi32(_mm_loadu_si128(freqs.as_ptr().add(start).cast()));
                let norm = _mm512_cvtepu8_epi32(_mm_loadu_si128(norms.as_ptr().add(start).cast()));
                (
                    freq,
                    _mm512_i32gather_ps::<4>(norm, weights.inverse.as_ptr()),
                )
            };
            let is_top = _mm512_cmpeq_epi32_mask(freq, top);
            let freq = _mm512_mask_mov_ps(_mm512_cvtepu32_ps(freq), is_top, endless);
            // In this order a product that is no number, as of no document, is passed over.
            greatest = _mm512_max_ps(_mm512_mul_ps(freq, inverse), greatest);
            place += 1;
        }
        let bound = _mm512_sub_ps(weight, _mm512_div_ps(weight, _mm512_add_ps(one, greatest)));
        // SAFETY: `start + 16 <= out.len()`.
        unsafe { _mm512_storeu_ps(out.as_mut_ptr().add(start), bound) };
        start += LANES;
    }
    let rest = ImpactRows {
        freqs: impacts.freqs.map(|column| &column[whole..]),
        norms: impacts.norms.map(|column| &column[whole..]),
    };
    scalar::bounds(rest, weights, &mut out[whole..]);
}

fn keep_above(docs: &mut [u32], scores: &mut [f32], floor: f32) -> usize {
    // SAFETY: as in `lane_sums`.
    unsafe { keep_above_avx512(docs, scores, floor) }
}

#[target_feature(enable = "avx512f,popcnt")]
fn keep_above_avx512(docs: &mut [u32], scores: &mut [f32], floor: f32) -> usize {
    let len = docs.len().min(scores.len());
    let least = _mm512_set1_ps(floor);
    let mut kept = 0;
    let mut start = 0;
    while start < len {
        let mask = lanes_left(len - start);
        // SAFETY: the mask leaves out lanes past `len`; `kept <= start`, so stores stay behind what is still to be read,
        // and end where these 16 were read.
        unsafe {
            let score = _mm512_maskz_loadu_ps(mask, scores.as_ptr().add(start));
            let doc = _mm512_maskz_loadu_epi32(mask, docs.as_ptr().add(start).cast());
            let above = _mm512_mask_cmp_ps_mask::<_CMP_GT_OQ>(mask, score, least);
            let count = above.count_ones();
            let out = lanes_left(count as usize);
            let score = _mm512_maskz_compress_ps(above, score);
            let doc = _mm512_maskz_compress_epi32(above, doc);
            _mm512_mask_storeu_ps(scores.as_mut_ptr().add(kept), out, score);
            _mm512_mask_storeu_epi32(docs.as_mut_ptr().add(kept).cast(), out, doc);
            kept += count as usize;
        }
        start += LANES;
    }
    kept
}

#[inline]
fn lanes_left(len: usize) -> u16 {
    if len >= 16 {
        u16::MAX
    } else {
        (1u16 << len) - 1
    }
}

fn keep_between(docs: &mut [u32], freqs: &mut [u32], from: u32, to: u32) -> usize {
    // SAFETY: as in `lane_sums`.
    unsafe { keep_between_avx512(docs, freqs, from, to) }
}

#[target_feature(enable = "avx512f,popcnt")]
fn keep_between_avx512(docs: &mut [u32], freqs: &mut [u32], from: u32, to: u32) -> usize {
    let len = docs.len().min(freqs.len());
    let (first, end) = (_mm512_set1_epi32(from as i32), _mm512_set1_epi32(to as i32));
    let mut kept = 0;
    let mut start = 0;
    while start < len {
        let mask = lanes_left(len - start);
        // SAFETY: as in `keep_above_avx512`.
        unsafe {
            let doc = _mm512_maskz_loadu_epi32(mask, docs.as_ptr().add(start).cast());
            let freq = _mm512_maskz_loadu_epi32(mask, freqs.as_ptr().add(start).cast());
            let late = _mm512_mask_cmpge_epu32_mask(mask, doc, first);
            let inside = _mm512_mask_cmplt_epu32_mask(late, doc, end);
            let count = inside.count_ones();
            let out = lanes_left(count as usize);
            let doc = _mm512_maskz_compress_epi32(inside, doc);
            let freq = _mm512_maskz_compress_epi32(inside, freq);
            _mm512_mask_storeu_epi32(docs.as_mut_ptr().add(kept).cast(), out, doc);
            _mm512_mask_storeu_epi32(freqs.as_mut_ptr().add(kept).cast(), out, freq);
            kept += count as usize;
        }
        start += LANES;
    }
    kept
}

fn sums_above(
    sums: &mut [f64],
    bits: &mut [u64],
    floor: f64,
    docs: &mut Vec<u32>,
    kept: &mut Vec<f64>,
) {
    // SAFETY: as in `lane_sums`.
    unsafe { sums_above_avx512(sums, bits, floor, docs, kept) }
}

#[target_feature(enable = "avx512f")]
fn sums_above_avx512(
    sums: &mut [f64],
    bits: &mut [u64],
    floor: f64,
    docs: &mut Vec<u32>,
    kept: &mut Vec<f64>,
) {
    let least = _mm512_set1_pd(floor);
    for (index, word) in bits.iter_mut().enumerate() {
        if *word == 0 {
            continue;
        }
        let part = &mut sums[index * 64..index * 64 + 64];
        if word.count_ones() <= FEW {
            scalar::sums_of_word(index, word, part, floor, docs, kept);
            continue;
        }
        let mut above = 0u64;
        let mut group = 0;
        while group < 8 {
            // SAFETY: `part` has 8 groups of 8 numbers of 8 bytes.
            let lanes = unsafe { _mm512_loadu_pd(part.as_ptr().add(group * 8)) };
            above |= u64::from(_mm512_cmp_pd_mask::<_CMP_GT_OQ>(lanes, least)) << (group * 8);
            group += 1;
        }
        *word &= above;
        let mut rest = *word;
        while rest != 0 {
            let bit = rest.trailing_zeros();
            docs.push(index as u32 * 64 + bit);
            kept.push(part[bit as usize]);
            rest &= rest - 1;
        }
        part.fill(0.0);
    }
}

fn expand(words: &[u64; 8], base: u32, out: &mut [u32; 512]) -> usize {
    // SAFETY: as in `lane_sums`.
    unsafe { expand_avx512(words, base, out) }
}

#[target_feature(enable = "avx512f,popcnt")]
fn expand_avx512(words: &[u64; 8], base: u32, out: &mut [u32; 512]) -> usize {
    let sixteen = _mm512_set1_epi32(16);
    let steps = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    let mut places = _mm512_add_epi32(_mm512_set1_epi32(base as i32), steps);
    let mut count = 0;
    let mut part = 0;
    while part < 32 {
        let mask = (words[part / 4] >> (16 * (part % 4))) as u16;
        let found = _mm512_maskz_compress_epi32(mask, places);
        let places_left = &mut out[count..];
        if places_left.len() >= 16 {
            // SAFETY: there are 16 places of 4 bytes left.
            unsafe { _mm512_storeu_si512(places_left.as_mut_ptr().cast(), found) };
        } else {
            let filled = lanes_left(mask.count_ones() as usize);
            // SAFETY: at most as many bits are still to come as places are left.
            unsafe {
                _mm512_mask_storeu_epi32(places_left.as_mut_ptr().cast(), filled, found);
            }
        }
        count += mask.count_ones() as usize;
        places = _mm512_add_epi32(places, sixteen);
        part += 1;
    }
    count
}

fn find(docs: &[u32; 128], target: u32) -> usize {
    // SAFETY: as in `lane_sums`.
    unsafe { find_avx512(docs, target) }
}

#[target_feature(enable = "avx512f")]
fn find_avx512(docs: &[u32; 128], target: u32) -> usize {
    let wanted = _mm512_set1_epi32(target as i32);
    let mut found = [0u64; 2];
    let mut row = 0;
    while row < ROWS {
        // SAFETY: 8 rows of 16 integers of 4 bytes are all there is.
        let lanes = unsafe { _mm512_loadu_si512(docs.as_ptr().add(row * LANES).cast()) };
        found[row / 4] |= u64::from(_mm512_cmpeq_epi32_mask(lanes, wanted)) << (row % 4 * 16);
        row += 1;
    }
    if found[0] != 0 {
        found[0].trailing_zeros() as usize
    } else {
        64 + found[1].trailing_zeros() as usize
    }
}

fn find_each(docs: &[u32; 128], wanted: &[u32], slots: &mut [u8]) {
    // SAFETY: as in `lane_sums`.
    unsafe { find_each_avx512(docs, wanted, slots) }
}

#[target_feature(enable = "avx512f,bmi1")]
fn find_each_avx512(docs: &[u32; 128], wanted: &[u32], slots: &mut [u8]) {
    let len = wanted.len().min(slots.len());
    let mut rows = [_mm512_setzero_si512(); ROWS];
    let mut row = 0;
    while row < ROWS {
        // SAFETY: 8 rows of 16 integers of 4 bytes are all there is.
        rows[row] = unsafe { _mm512_loadu_si512(docs.as_ptr().add(row * LANES).cast()) };
        row += 1;
    }
    let mut index = 0;
    while index < len {
        let target = _mm512_set1_epi32(wanted[index] as i32);
        let mut found = [0u64; 2];
        let mut row = 0;
        while row < ROWS {
            let equal = u64::from(_mm512_cmpeq_epi32_mask(rows[row], target));
            found[row / 4] |= equal << (row % 4 * 16);
            row += 1;
        }
        let above = 64 + found[1].trailing_zeros();
        slots[index] = if found[0] != 0 {
            found[0].trailing_zeros()
        } else {
            above
        } as u8;
        index += 1;
    }
}

fn among(docs: &[u32; 128], base: u32, bits: &StretchBits) -> u128 {
    // SAFETY: as in `lane_sums`.
    unsafe { among_avx512(docs, base, bits) }
}

#[target_feature(enable = "avx512f")]
fn among_avx512(docs: &[u32; 128], base: u32, bits: &StretchBits) -> u128 {
    let base = _mm512_set1_epi32(base as i32);
    let end = _mm512_set1_epi32(STRETCH_DOCS as i32);
    let low = _mm512_set1_epi32(31);
    let one = _mm512_set1_epi32(1);
    let mut found = [0u64; 2];
    let mut row = 0;
    while row < ROWS {
        // SAFETY: 8 rows of 16 integers of 4 bytes are all there is; only words below `STRETCH_DOCS / 32` are read, which is
        // where `bits` end.
        let (offset, word) = unsafe {
            let lanes = _mm512_loadu_si512(docs.as_ptr().add(row * LANES).cast());
            let offset = _mm512_sub_epi32(lanes, base);
            let inside = _mm512_cmplt_epu32_mask(offset, end);
            let place = _mm512_srli_epi32::<5>(offset);
            let none = _mm512_setzero_si512();
            let word = _mm512_mask_i32gather_epi32::<4>(none, inside, place, bits.as_ptr().cast());
            (offset, word)
        };
        let bit = _mm512_sllv_epi32(one, _mm512_and_si512(offset, low));
        let mask = u64::from(_mm512_test_epi32_mask(word, bit));
        found[row / 4] |= mask << (row % 4 * 16);
        row += 1;
    }
    u128::from(found[0]) | u128::from(found[1]) << 64
}

fn count_below(docs: &[u32; 128], target: u32) -> usize {
    // SAFETY: as in `lane_sums`.
    unsafe { count_below_avx512(docs, target) }
}

#[target_feature(enable = "avx512f,popcnt")]
fn count_below_avx512(docs: &[u32; 128], target: u32) -> usize {
    let wanted = _mm512_set1_epi32(target as i32);
    let mut below = 0;
    let mut row = 0;
    while row < ROWS {
        // SAFETY: 8 rows of 16 integers of 4 bytes are all there is.
        let lanes = unsafe { _mm512_loadu_si512(docs.as_ptr().add(row * LANES).cast()) };
        below += _mm512_cmplt_epu32_mask(lanes, wanted).count_ones();
        row += 1;
    }
    below as usize
}

fn rank(words: &[u64; 8], place: usize) -> usize {
    // SAFETY: as in `lane_sums`.
    unsafe { rank_avx512(words, place) }
}

/// The scalar code with an instruction that counts bits.
#[target_feature(enable = "popcnt")]
fn rank_avx512(words: &[u64; 8], place: usize) -> usize {
    scalar::rank(words, place)
}

fn first_gap(flags: u128, rank: usize, lasts: &[u8]) -> usize {
    // SAFETY: as in `lane_sums`.
    unsafe { first_gap_avx512(flags, rank, lasts) }
}

/// Likewise.
#[target_feature(enable = "popcnt")]
fn first_gap_avx512(flags: u128, rank: usize, lasts: &[u8]) -> usize {
    scalar::first_gap(flags, rank, lasts)
}
