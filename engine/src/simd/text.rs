//! Text in bits: where words of ASCII are. Each kernel once per instruction set, as in the other files of this room.

#![allow(unsafe_code)] // intrinsics: each use says why it is sound

/// Bytes that one word of bits describes.
pub(crate) const BLOCK: usize = 64;

/// What a byte is for the search of words: 1 a letter or digit, 2 something that may join words or is beyond ASCII.
const CLASS: [u8; 256] = {
    let mut table = [0; 256];
    let mut c = 0;
    while c < 256 {
        let b = c as u8;
        table[c] = if b.is_ascii_alphanumeric() {
            1
        } else if matches!(b, b'_' | b'.' | b',' | b';' | b':' | b'\'') || b >= 0x80 {
            2
        } else {
            0
        };
        c += 1;
    }
    table
};

/// Bit `i` of `words` says whether byte `i` is an ASCII letter or digit, bit `i` of `specials` whether it is one of
/// `_.,;:'` or beyond ASCII. Both hold a word for every 64 bytes begun; the bits past the text are zero.
pub(super) fn scalar(text: &[u8], words: &mut [u64], specials: &mut [u64]) {
    for (block, (word, special)) in text.chunks(BLOCK).zip(words.iter_mut().zip(specials)) {
        (*word, *special) = (0, 0);
        for (bit, byte) in block.iter().enumerate() {
            let class = CLASS[usize::from(*byte)];
            *word |= u64::from(class & 1) << bit;
            *special |= u64::from(class >> 1) << bit;
        }
    }
}

/// Bit `i` of `spaces` says whether byte `i` is white space of ASCII: a blank, or 9 to 13, or 28 to 31. It holds a word for
/// every 64 bytes begun; the bits past the text are zero.
pub(super) fn scalar_spaces(text: &[u8], spaces: &mut [u64]) {
    for (block, word) in text.chunks(BLOCK).zip(spaces) {
        let is_space = |byte: &u8| matches!(byte, 9..=13 | 28..=32);
        *word = 0;
        for (bit, byte) in block.iter().enumerate() {
            *word |= u64::from(is_space(byte)) << bit;
        }
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) fn avx2(text: &[u8], words: &mut [u64], specials: &mut [u64]) {
    // SAFETY: the tables with this function are handed out only after detecting AVX2.
    unsafe { x86::avx2(text, words, specials) }
}

#[cfg(target_arch = "x86_64")]
pub(super) fn avx2_spaces(text: &[u8], spaces: &mut [u64]) {
    // SAFETY: the tables with this function are handed out only after detecting AVX2.
    unsafe { x86::avx2_spaces(text, spaces) }
}

#[cfg(target_arch = "aarch64")]
pub(super) fn neon(text: &[u8], words: &mut [u64], specials: &mut [u64]) {
    // SAFETY: the table with this function is handed out only after detecting NEON.
    unsafe { arm::neon(text, words, specials) }
}

#[cfg(target_arch = "aarch64")]
pub(super) fn neon_spaces(text: &[u8], spaces: &mut [u64]) {
    // SAFETY: the table with this function is handed out only after detecting NEON.
    unsafe { arm::neon_spaces(text, spaces) }
}

/// At most 64 bytes as 64, zeros behind.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[inline(always)]
fn whole_block<'a>(block: &'a [u8], padded: &'a mut [u8; BLOCK]) -> &'a [u8; BLOCK] {
    if let Ok(whole) = block.try_into() {
        return whole;
    }
    padded[..block.len()].copy_from_slice(block);
    padded
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{BLOCK, whole_block};

    #[target_feature(enable = "avx2")]
    pub(super) fn avx2(text: &[u8], words: &mut [u64], specials: &mut [u64]) {
        let blocks = words.iter_mut().zip(specials);
        for (block, (word, special)) in text.chunks(BLOCK).zip(blocks) {
            let halves = load(block);
            let (low, high) = (words_of(halves[0]), words_of(halves[1]));
            *word = u64::from(low.0) | u64::from(high.0) << 32;
            *special = u64::from(low.1) | u64::from(high.1) << 32;
        }
    }

    #[target_feature(enable = "avx2")]
    pub(super) fn avx2_spaces(text: &[u8], spaces: &mut [u64]) {
        for (block, space) in text.chunks(BLOCK).zip(spaces) {
            let halves = load(block);
            *space = u64::from(spaces_of(halves[0])) | u64::from(spaces_of(halves[1])) << 32;
        }
    }

    /// At most 64 bytes in two halves, zeros behind.
    #[target_feature(enable = "avx2")]
    fn load(block: &[u8]) -> [__m256i; 2] {
        let mut padded = [0; BLOCK];
        let bytes = whole_block(block, &mut padded);
        // SAFETY: 32 bytes from 0 and from 32 are inside of 64.
        unsafe {
            [
                _mm256_loadu_si256(bytes.as_ptr().cast()),
                _mm256_loadu_si256(bytes.as_ptr().add(32).cast()),
            ]
        }
    }

    /// All ones where a byte is one of the `count` from `first` on.
    #[target_feature(enable = "avx2")]
    fn within(bytes: __m256i, first: u8, count: u8) -> __m256i {
        let from = _mm256_sub_epi8(bytes, _mm256_set1_epi8(first as i8));
        let last = _mm256_set1_epi8((count - 1) as i8);
        _mm256_cmpeq_epi8(_mm256_min_epu8(from, last), from)
    }

    #[target_feature(enable = "avx2")]
    fn spaces_of(bytes: __m256i) -> u32 {
        let spaces = _mm256_or_si256(within(bytes, 9, 5), within(bytes, 28, 5));
        _mm256_movemask_epi8(spaces) as u32
    }

    #[target_feature(enable = "avx2")]
    fn words_of(bytes: __m256i) -> (u32, u32) {
        let letters = within(_mm256_or_si256(bytes, _mm256_set1_epi8(0x20)), b'a', 26);
        let digits = within(bytes, b'0', 10);
        // `:` and `;` are neighbours.
        let joiners = _mm256_or_si256(
            _mm256_or_si256(within(bytes, b':', 2), within(bytes, b'_', 1)),
            _mm256_or_si256(
                _mm256_or_si256(within(bytes, b'.', 1), within(bytes, b',', 1)),
                within(bytes, b'\'', 1),
            ),
        );
        let words = _mm256_movemask_epi8(_mm256_or_si256(letters, digits));
        // The top bit of a byte is what the mask takes: those beyond ASCII have it.
        let specials = _mm256_movemask_epi8(_mm256_or_si256(joiners, bytes));
        (words as u32, specials as u32)
    }
}

#[cfg(target_arch = "aarch64")]
mod arm {
    use std::arch::aarch64::*;

    use super::{BLOCK, whole_block};
    use crate::simd::neon::bits_of;

    #[target_feature(enable = "neon")]
    pub(super) fn neon(text: &[u8], words: &mut [u64], specials: &mut [u64]) {
        let blocks = words.iter_mut().zip(specials);
        for (block, (word, special)) in text.chunks(BLOCK).zip(blocks) {
            let quarters = load(block);
            *word = bits_of(quarters.map(|bytes| words_of(bytes)));
            *special = bits_of(quarters.map(|bytes| specials_of(bytes)));
        }
    }

    #[target_feature(enable = "neon")]
    pub(super) fn neon_spaces(text: &[u8], spaces: &mut [u64]) {
        for (block, space) in text.chunks(BLOCK).zip(spaces) {
            *space = bits_of(load(block).map(|bytes| spaces_of(bytes)));
        }
    }

    /// At most 64 bytes in four quarters, zeros behind.
    #[inline]
    #[target_feature(enable = "neon")]
    fn load(block: &[u8]) -> [uint8x16_t; 4] {
        let mut padded = [0; BLOCK];
        let bytes = whole_block(block, &mut padded);
        // SAFETY: 16 bytes from each of these are inside of 64.
        [0, 16, 32, 48].map(|at| unsafe { vld1q_u8(bytes.as_ptr().add(at)) })
    }

    /// All ones where a byte is one of the `count` from `first` on.
    #[inline]
    #[target_feature(enable = "neon")]
    fn within(bytes: uint8x16_t, first: u8, count: u8) -> uint8x16_t {
        vcltq_u8(vsubq_u8(bytes, vdupq_n_u8(first)), vdupq_n_u8(count))
    }

    #[inline]
    #[target_feature(enable = "neon")]
    fn spaces_of(bytes: uint8x16_t) -> uint8x16_t {
        vorrq_u8(within(bytes, 9, 5), within(bytes, 28, 5))
    }

    #[inline]
    #[target_feature(enable = "neon")]
    fn words_of(bytes: uint8x16_t) -> uint8x16_t {
        let letters = within(vorrq_u8(bytes, vdupq_n_u8(0x20)), b'a', 26);
        vorrq_u8(letters, within(bytes, b'0', 10))
    }

    #[inline]
    #[target_feature(enable = "neon")]
    fn specials_of(bytes: uint8x16_t) -> uint8x16_t {
        // `:` and `;` are neighbours.
        let mut specials = vorrq_u8(within(bytes, b':', 2), within(bytes, 0x80, 0x80));
        for joiner in [b'_', b'.', b',', b'\''] {
            specials = vorrq_u8(specials, vceqq_u8(bytes, vdupq_n_u8(joiner)));
        }
        specials
    }
}

/// Asks the CPU to bring a value near; changes nothing else.
#[inline]
pub(crate) fn prefetch<T>(value: &T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: SSE is part of x86-64, and the address is that of a reference.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(value).cast());
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: the instruction only advises, and the address is that of a reference.
    unsafe {
        std::arch::asm!(
            "prfm pldl1keep, [{at}]",
            at = in(reg) std::ptr::from_ref(value),
            options(nostack, preserves_flags, readonly),
        );
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = value;
}
