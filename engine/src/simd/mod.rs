//! The hot loops, each once per instruction set; the only room for vector intrinsics.
//!
//! Scalar code is the specification. Every other variant is a row of `available` and must agree with it, which
//! the property tests below check for every row that this machine can run. The row is chosen once, at first use:
//! the fastest, or the one that `QUIDDITCH_SIMD` names (`scalar`, `avx2`, `avx512`, `neon`). What is for ARM is not even compiled
//! elsewhere: `tools/ci/neon.sh` builds it and runs the tests under emulation.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
pub(crate) mod columns;
mod lanes;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;
pub(crate) mod scoring;
mod text;

use std::sync::OnceLock;

pub(crate) use text::{BLOCK as TEXT_BLOCK, prefetch};

/// Every hot loop of the segment, for one instruction set.
pub(crate) struct Kernels {
    /// What `QUIDDITCH_SIMD` calls it.
    pub name: &'static str,
    /// Reads 128 integers of `bits` (0 to 32) bits each, packed without gaps, lowest bits first.
    /// Of `packed` the first `16 * bits` bytes count; fewer read as zero, more make it faster: 16 more are enough.
    pub unpack: fn(bits: u32, packed: &[u8], out: &mut [u32; 128]),
    /// Turns 128 gaps less one into ascending doc ids, in place, wrapping; `base` is the last doc id before.
    pub prefix_sum: fn(base: u32, gaps: &mut [u32; 128]),
    /// Keeps the bits that are in both.
    pub and: fn(&mut [u64; 64], &[u64; 64]),
    /// Adds the other's bits.
    pub or: fn(&mut [u64; 64], &[u64; 64]),
    /// Takes the other's bits out.
    pub and_not: fn(&mut [u64; 64], &[u64; 64]),
    /// Counts bits.
    pub count: fn(&[u64; 64]) -> u32,
    /// Counts the bits that the other has not.
    pub count_without: fn(&[u64; 64], &[u64; 64]) -> u32,
    /// Those of ranked retrieval.
    pub scoring: scoring::Kernels,
    /// Tells letters and digits of ASCII (bits in `words`) and bytes that need a closer look (`specials`) from the rest:
    /// 64 bytes a word, which both slices must have. See [`text`].
    pub word_bits: fn(text: &[u8], words: &mut [u64], specials: &mut [u64]),
    /// Tells white space of ASCII from the rest, 64 bytes a word likewise.
    pub space_bits: fn(text: &[u8], spaces: &mut [u64]),
}

/// What this CPU can run, fastest first; scalar is always there, always last.
pub(crate) fn available() -> Vec<&'static Kernels> {
    let mut rows: Vec<&'static Kernels> = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        if std::arch::is_x86_feature_detected!("avx512f")
            && std::arch::is_x86_feature_detected!("avx512bw")
            && std::arch::is_x86_feature_detected!("avx512vpopcntdq")
            && std::arch::is_x86_feature_detected!("popcnt")
            && std::arch::is_x86_feature_detected!("avx2")
        {
            rows.push(&avx512::KERNELS);
        }
        if std::arch::is_x86_feature_detected!("avx2")
            && std::arch::is_x86_feature_detected!("popcnt")
            && std::arch::is_x86_feature_detected!("bmi1")
        {
            rows.push(&avx2::KERNELS);
        }
    }
    #[cfg(target_arch = "aarch64")]
    if std::arch::is_aarch64_feature_detected!("neon") {
        rows.push(&neon::KERNELS);
    }
    rows.push(&scalar::KERNELS);
    rows
}

/// The row in use.
pub(crate) fn kernels() -> &'static Kernels {
    static CHOSEN: OnceLock<&'static Kernels> = OnceLock::new();
    CHOSEN.get_or_init(|| choose(std::env::var("QUIDDITCH_SIMD").ok().as_deref()))
}

/// The row named, or the fastest when none is named or this machine cannot run it. A name of no letters is none.
fn choose(wanted: Option<&str>) -> &'static Kernels {
    let rows = available();
    let wanted = wanted.filter(|name| !name.is_empty());
    let named = wanted.and_then(|name| rows.iter().find(|row| row.name.eq_ignore_ascii_case(name)));
    if let (Some(name), None) = (wanted, named) {
        tracing::warn!(
            wanted = name,
            chosen = rows[0].name,
            "QUIDDITCH_SIMD names no instruction set that this machine can run"
        );
    }
    named.copied().unwrap_or(rows[0])
}

/// Name of the instruction set in use: `scalar`, `avx2`, `avx512` or `neon`.
pub fn level_name() -> &'static str {
    kernels().name
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn block(values: Vec<u32>) -> [u32; 128] {
        values.try_into().expect("the strategy makes 128 values")
    }

    fn bits(values: Vec<u64>) -> [u64; 64] {
        values.try_into().expect("the strategy makes 64 words")
    }

    #[test]
    fn scalar_is_always_there_and_last() {
        let rows = available();
        // `tools/ci/levels.sh` reads this line
        let names: Vec<&str> = rows.iter().map(|row| row.name).collect();
        println!("levels: {}", names.join(" "));
        assert_eq!(names.last(), Some(&"scalar"));
        assert_eq!(choose(Some("scalar")).name, "scalar");
        assert_eq!(choose(Some("Scalar")).name, "scalar");
        assert_eq!(choose(None).name, rows[0].name);
        assert_eq!(choose(Some("abacus")).name, rows[0].name);
    }

    #[test]
    fn gaps_less_one_become_documents() {
        let mut docs = [0; 128];
        docs[..3].copy_from_slice(&[3, 0, 4]);
        (scalar::KERNELS.prefix_sum)(u32::MAX, &mut docs);
        assert_eq!(docs[..4], [3, 4, 9, 10]);
    }

    #[test]
    fn three_bits_unpack_as_written() {
        let mut out = [9; 128];
        (scalar::KERNELS.unpack)(3, &[0x4b, 0x01], &mut out);
        assert_eq!(out[..4], [3, 1, 5, 0]);
    }

    proptest! {
        #[test]
        fn every_unpack_agrees_with_scalar(width in 0u32..=32, packed in proptest::collection::vec(any::<u8>(), 600), more in 0usize..40) {
            let packed = &packed[..(16 * width as usize + more).saturating_sub(3)];
            let run = |kernels: &Kernels| {
                let mut out = [7; 128];
                (kernels.unpack)(width, packed, &mut out);
                out
            };
            for kernels in available() {
                prop_assert_eq!(run(kernels), run(&scalar::KERNELS), "{} differs from scalar", kernels.name);
            }
        }

        #[test]
        fn every_prefix_sum_agrees_with_scalar(base: u32, gaps in proptest::collection::vec(any::<u32>(), 128)) {
            let gaps = block(gaps);
            let run = |kernels: &Kernels| {
                let mut docs = gaps;
                (kernels.prefix_sum)(base, &mut docs);
                docs
            };
            for kernels in available() {
                prop_assert_eq!(run(kernels), run(&scalar::KERNELS), "{} differs from scalar", kernels.name);
            }
        }

        #[test]
        fn every_set_operation_agrees_with_scalar(
            a in proptest::collection::vec(any::<u64>(), 64),
            b in proptest::collection::vec(any::<u64>(), 64),
        ) {
            let (a, b) = (bits(a), bits(b));
            let run = |kernels: &Kernels| {
                let (mut and, mut or, mut and_not) = (a, a, a);
                (kernels.and)(&mut and, &b);
                (kernels.or)(&mut or, &b);
                (kernels.and_not)(&mut and_not, &b);
                let counts = ((kernels.count)(&a), (kernels.count_without)(&a, &b));
                (and, or, and_not, counts)
            };
            for kernels in available() {
                prop_assert_eq!(run(kernels), run(&scalar::KERNELS), "{} differs from scalar", kernels.name);
            }
        }

        #[test]
        fn every_search_for_words_agrees_with_scalar(text in proptest::collection::vec(any::<u8>(), 0..300)) {
            let run = |kernels: &Kernels| {
                let mut bits = [0; 3].map(|_| vec![7; text.len().div_ceil(64)]);
                let [words, specials, spaces] = &mut bits;
                (kernels.word_bits)(&text, words, specials);
                (kernels.space_bits)(&text, spaces);
                bits
            };
            for kernels in available() {
                prop_assert_eq!(run(kernels), run(&scalar::KERNELS), "{} differs from scalar", kernels.name);
            }
        }
    }
}
