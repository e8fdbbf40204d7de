//! Kernels for columns: 4096 rows at a time, from packed integers to values, bits, sums and buckets.
//!
//! A table of its own beside [`super::Kernels`], of the same levels. The loops over plain arrays are written once, in
//! `scalar.rs`, and compiled again for each instruction set; what compilers do not find (bits to lanes and back) is
//! written by hand. Sums of fractions run in eight lanes on every level, so that they are the same in every bit.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod groups;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;

use std::sync::OnceLock;

/// Rows of a chunk: what the buffers hold.
pub(crate) const ROWS: usize = 4096;

/// Numbers below this are counted without an array in memory.
pub(crate) const FEW: usize = 8;

/// Number, smallest, greatest and sum of whole numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WholeMoments {
    pub count: u64,
    /// `i64::MAX` of nothing.
    pub min: i64,
    /// `i64::MIN` of nothing.
    pub max: i64,
    /// Wrapping.
    pub sum: i64,
}

/// Number, smallest, greatest and sum of fractions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct FractionMoments {
    pub count: u64,
    /// Infinity of nothing.
    pub min: f64,
    /// Negative infinity of nothing.
    pub max: f64,
    pub sum: f64,
    /// What rounding took from the sum: together they are nearer than either.
    pub lost: f64,
}

/// Every hot loop over columns, for one instruction set. Where `count` values are asked for, at most 4096, what stands
/// behind them in the buffer afterwards means nothing.
pub(crate) struct ColumnKernels {
    /// As in the other table.
    pub name: &'static str,
    /// Reads `count` integers of `width` bits (0 to 56, or 64), lowest bits first: `min + step * integer`, wrapping.
    /// Bytes that are not there read as zero.
    pub unpack: fn(packed: Packed<'_>, min: i64, step: u64, out: &mut [i64; ROWS]),
    /// Reads `count` integers of at most 32 bits and adds `min`, wrapping.
    pub unpack_u32: fn(packed: Packed<'_>, min: u32, out: &mut [u32; ROWS]),
    /// Bit `i` says whether `lo <= integer i <= hi`; the bits past `count` are zero.
    pub range: fn(packed: Packed<'_>, lo: u64, hi: u64, out: &mut [u64; 64]),
    /// Writes `base + i` for every bit `i` that is set, ascending; answers how many.
    pub list: fn(bits: &[u64; 64], base: u32, out: &mut [u32; ROWS]) -> usize,
    /// Keeps the values whose bit is set, in order; answers how many.
    pub keep: fn(bits: &[u64; 64], values: &[i64; ROWS], out: &mut [i64; ROWS]) -> usize,
    /// The same for 32 bits.
    pub keep_u32: fn(bits: &[u64; 64], values: &[u32; ROWS], out: &mut [u32; ROWS]) -> usize,
    /// Lays the bits of `ranks` out over the set bits of `rows`: the `n`-th set bit of `rows` is kept if bit `n` of
    /// `ranks` is set.
    pub deposit: fn(ranks: &[u64; 64], rows: &[u64; 64], out: &mut [u64; 64]),
    /// Smallest, greatest, sum.
    pub whole: fn(values: &[i64]) -> WholeMoments,
    /// The same of the values whose owner is `owner`; as many owners as values.
    pub whole_of: fn(values: &[i64], owners: &[u32], owner: u32) -> WholeMoments,
    /// Whole numbers as fractions.
    pub to_fractions: fn(values: &[i64], out: &mut [f64]),
    /// The bits of order-preserving fractions turned into these (see `f64_from_sortable`).
    pub from_sortable: fn(values: &[i64], out: &mut [f64]),
    /// Smallest, greatest, sum.
    pub fractions: fn(values: &[f64]) -> FractionMoments,
    /// The same of the values whose owner is `owner`.
    pub fractions_of: fn(values: &[f64], owners: &[u32], owner: u32) -> FractionMoments,
    /// `(value - base) / divisor` of values from `base` on; the distances are below 2^52, the quotients below 2^32,
    /// the divisor is at least 1.
    pub divide: fn(values: &[i64], base: i64, divisor: u64, out: &mut [u32]),
    /// `floor((value - offset) / interval) - first`; the steps are below 2^51, their distances from the first below 2^32.
    pub steps: fn(values: &[f64], how: Stepping, out: &mut [u32]),
    /// How many of the bounds are at most each value.
    pub rank: fn(values: &[f64], bounds: &[f64], out: &mut [u32]),
    /// How often each number below [`FEW`] comes up, by the last byte of each.
    pub count_few: fn(values: &[u32]) -> [u32; FEW],
    /// Adds `(start + slope * i) >> shift` to the `i`-th value, wrapping.
    pub add_line: fn(start: i64, slope: i64, shift: u32, values: &mut [i64]),
    /// Divides whole numbers within 2^51 of zero by a power of ten, correctly rounded, into order-preserving fractions (see
    /// `f64_to_sortable`).
    pub decimals: fn(power: f64, values: &mut [i64]),
    /// Spreads the bits of integers over all 64 (see `mix64`).
    pub mix: fn(values: &mut [i64]),
}

/// How fractions are cut into steps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stepping {
    pub offset: f64,
    pub interval: f64,
    pub first: f64,
}

/// Integers of one width without gaps, lowest bits first, at most 4096.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packed<'a> {
    /// With some bytes behind the last one, or without.
    pub bytes: &'a [u8],
    /// 0 to 56, or 64.
    pub width: u32,
    /// At most 4096.
    pub count: usize,
}

/// What this CPU can run, fastest first; scalar is always there, always last.
pub(crate) fn available() -> Vec<&'static ColumnKernels> {
    let mut rows: Vec<&'static ColumnKernels> = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::is_x86_feature_detected as has;
        let avx2 = has!("avx2") && has!("popcnt") && has!("bmi1") && has!("bmi2") && has!("lzcnt");
        if avx2
            && has!("avx512f")
            && has!("avx512bw")
            && has!("avx512dq")
            && has!("avx512vl")
            && has!("avx512cd")
            && has!("avx512vbmi")
            && has!("avx512vpopcntdq")
        {
            rows.push(&avx512::KERNELS);
        }
        if avx2 {
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

/// The row in use: the one of the level that the other table runs at, or the fastest below.
pub(crate) fn kernels() -> &'static ColumnKernels {
    static CHOSEN: OnceLock<&'static ColumnKernels> = OnceLock::new();
    CHOSEN.get_or_init(|| choose(super::kernels().name))
}

fn choose(level: &str) -> &'static ColumnKernels {
    let rows = available();
    let same = rows.iter().find(|row| row.name == level);
    // The AVX-512 of this table asks for more than that of the other.
    let below = match level {
        "avx512" => rows.iter().find(|row| row.name == "avx2"),
        _ => None,
    };
    same.or(below).copied().unwrap_or(&scalar::KERNELS)
}

#[cfg(test)]
mod tests;
