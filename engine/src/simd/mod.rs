//! The hot loops, each once per instruction set; the only room for vector intrinsics.
//!
//! Scalar code is the specification. Every other variant is a row of [`available`] and must agree with it, which
//! the property tests below check for every row that this machine can run. The row is chosen once, at first use:
//! the fastest, or the one that `QUIDDITCH_SIMD` names (`scalar`, `avx2`, `avx512`, `neon`).

mod scalar;

use std::sync::OnceLock;

/// Every hot loop of the segment, for one instruction set.
pub(crate) struct Kernels {
    /// What `QUIDDITCH_SIMD` calls it.
    pub name: &'static str,
    /// Reads 128 integers of `bits` (0 to 32) bits each, packed without gaps, lowest bits first.
    /// `packed` holds exactly `16 * bits` bytes; fewer read as zero.
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
    /// Bit `i` of the answer says whether `lo <= values[i] <= hi`; the bits past the values are zero.
    pub in_range: fn(values: &[i64], lo: i64, hi: i64, out: &mut [u64; 64]),
}

/// What this CPU can run, fastest first; scalar is always there, always last.
pub(crate) fn available() -> Vec<&'static Kernels> {
    let mut rows: Vec<&'static Kernels> = Vec::new();
    rows.push(&scalar::KERNELS);
    rows
}

/// The row in use.
pub(crate) fn kernels() -> &'static Kernels {
    static CHOSEN: OnceLock<&'static Kernels> = OnceLock::new();
    CHOSEN.get_or_init(|| choose(std::env::var("QUIDDITCH_SIMD").ok().as_deref()))
}

/// The row named, or the fastest when none is named or this machine cannot run it.
fn choose(wanted: Option<&str>) -> &'static Kernels {
    let rows = available();
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
