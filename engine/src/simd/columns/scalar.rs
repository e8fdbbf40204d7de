//! The kernels in plain Rust: what every other row must agree with. The loops marked for it are compiled again, with
//! wider vectors, by the other rows.

use super::{ColumnKernels, FEW, FractionMoments, Packed, ROWS, Stepping, WholeMoments};

pub(super) const KERNELS: ColumnKernels = ColumnKernels {
    name: "scalar",
    unpack,
    unpack_u32,
    range,
    list,
    keep,
    keep_u32,
    deposit,
    whole,
    whole_of,
    to_fractions,
    from_sortable,
    fractions,
    fractions_of,
    divide,
    steps,
    rank,
    count_few,
    add_line,
    decimals,
    mix,
};

/// Lanes of a sum, on every level.
pub(super) const LANES: usize = 8;

/// The eight bytes from `at` on, zeros where there are none.
#[inline]
fn word_at(bytes: &[u8], at: usize) -> u64 {
    match bytes.get(at..at + 8) {
        Some(word) => u64::from_le_bytes(word.try_into().expect("eight bytes were asked for")),
        None => {
            let mut word = [0; 8];
            let rest = bytes.get(at..).unwrap_or_default();
            word[..rest.len().min(8)].copy_from_slice(&rest[..rest.len().min(8)]);
            u64::from_le_bytes(word)
        }
    }
}

/// Calls back with index and integer of each.
#[inline(always)]
fn for_each(packed: Packed<'_>, mut each: impl FnMut(usize, u64)) {
    let width = packed.width as usize;
    let count = packed.count.min(ROWS);
    match width {
        0 => (0..count).for_each(|index| each(index, 0)),
        64.. => {
            let (words, _) = packed.bytes.as_chunks::<8>();
            for (index, word) in words.iter().enumerate().take(count) {
                each(index, u64::from_le_bytes(*word));
            }
            let whole = words.len().min(count);
            (whole..count).for_each(|index| each(index, word_at(packed.bytes, index * 8)));
        }
        _ => {
            let mask = u64::MAX >> (64 - width);
            for index in 0..count {
                let bit = index * width;
                each(index, (word_at(packed.bytes, bit / 8) >> (bit % 8)) & mask);
            }
        }
    }
}

pub(super) fn unpack(packed: Packed<'_>, min: i64, step: u64, out: &mut [i64; ROWS]) {
    for_each(packed, |index, integer| {
        out[index] = min.wrapping_add(integer.wrapping_mul(step) as i64);
    });
}

pub(super) fn unpack_u32(packed: Packed<'_>, min: u32, out: &mut [u32; ROWS]) {
    for_each(packed, |index, integer| {
        out[index] = min.wrapping_add(integer as u32);
    });
}

pub(super) fn range(packed: Packed<'_>, lo: u64, hi: u64, out: &mut [u64; 64]) {
    out.fill(0);
    for_each(packed, |index, integer| {
        out[index / 64] |= u64::from(lo <= integer && integer <= hi) << (index % 64);
    });
}

/// Calls back with the place of each set bit.
#[inline(always)]
fn for_each_bit(bits: &[u64; 64], mut each: impl FnMut(usize)) {
    for (index, &word) in bits.iter().enumerate() {
        let mut rest = word;
        while rest != 0 {
            each(index * 64 + rest.trailing_zeros() as usize);
            rest &= rest - 1;
        }
    }
}

#[inline(always)]
pub(super) fn list(bits: &[u64; 64], base: u32, out: &mut [u32; ROWS]) -> usize {
    let mut count = 0;
    for_each_bit(bits, |at| {
        out[count & (ROWS - 1)] = base.wrapping_add(at as u32);
        count += 1;
    });
    count
}

#[inline(always)]
fn keep_any<T: Copy>(bits: &[u64; 64], values: &[T; ROWS], out: &mut [T; ROWS]) -> usize {
    let mut count = 0;
    for_each_bit(bits, |at| {
        out[count & (ROWS - 1)] = values[at];
        count += 1;
    });
    count
}

#[inline(always)]
pub(super) fn keep(bits: &[u64; 64], values: &[i64; ROWS], out: &mut [i64; ROWS]) -> usize {
    keep_any(bits, values, out)
}

#[inline(always)]
pub(super) fn keep_u32(bits: &[u64; 64], values: &[u32; ROWS], out: &mut [u32; ROWS]) -> usize {
    keep_any(bits, values, out)
}

pub(super) fn deposit(ranks: &[u64; 64], rows: &[u64; 64], out: &mut [u64; 64]) {
    let mut rank = 0;
    out.fill(0);
    for_each_bit(rows, |at| {
        out[at / 64] |= (ranks[rank / 64] >> (rank % 64) & 1) << (at % 64);
        rank += 1;
    });
}

#[inline(always)]
pub(super) fn whole(values: &[i64]) -> WholeMoments {
    let mut moments = WholeMoments {
        count: values.len() as u64,
        min: i64::MAX,
        max: i64::MIN,
        sum: 0,
    };
    for &value in values {
        moments.min = moments.min.min(value);
        moments.max = moments.max.max(value);
        moments.sum = moments.sum.wrapping_add(value);
    }
    moments
}

#[inline(always)]
pub(super) fn whole_of(values: &[i64], owners: &[u32], owner: u32) -> WholeMoments {
    let mut moments = WholeMoments {
        count: 0,
        min: i64::MAX,
        max: i64::MIN,
        sum: 0,
    };
    for (&value, &own) in values.iter().zip(owners) {
        let inside = own == owner;
        moments.count += u64::from(inside);
        moments.min = moments.min.min(if inside { value } else { i64::MAX });
        moments.max = moments.max.max(if inside { value } else { i64::MIN });
        let part = if inside { value } else { 0 };
        moments.sum = moments.sum.wrapping_add(part);
    }
    moments
}

#[inline(always)]
pub(super) fn to_fractions(values: &[i64], out: &mut [f64]) {
    for (out, value) in out.iter_mut().zip(values) {
        *out = *value as f64;
    }
}

#[inline(always)]
pub(super) fn from_sortable(values: &[i64], out: &mut [f64]) {
    for (out, &value) in out.iter_mut().zip(values) {
        let bits = value ^ (((value >> 63) as u64) >> 1) as i64;
        *out = f64::from_bits(bits as u64);
    }
}

/// Adds a value to a lane; exact together with `lost` (Knuth's TwoSum).
#[inline(always)]
fn add(sum: &mut f64, lost: &mut f64, value: f64) {
    let before = *sum;
    let after = before + value;
    let taken = after - before;
    *lost += (before - (after - taken)) + (value - taken);
    *sum = after;
}

/// The moments of each lane, which values join in turn.
pub(super) struct Lanes {
    pub count: u64,
    pub min: [f64; LANES],
    pub max: [f64; LANES],
    pub sum: [f64; LANES],
    pub lost: [f64; LANES],
}

impl Lanes {
    #[inline(always)]
    pub fn new() -> Lanes {
        Lanes {
            count: 0,
            min: [f64::INFINITY; LANES],
            max: [f64::NEG_INFINITY; LANES],
            sum: [0.0; LANES],
            lost: [0.0; LANES],
        }
    }

    /// What is not `inside` counts as nothing.
    #[inline(always)]
    pub fn take(&mut self, lane: usize, value: f64, inside: bool) {
        self.count += u64::from(inside);
        let low = if inside { value } else { f64::INFINITY };
        let high = if inside { value } else { f64::NEG_INFINITY };
        let (min, max) = (self.min[lane], self.max[lane]);
        self.min[lane] = if low < min { low } else { min };
        self.max[lane] = if high > max { high } else { max };
        let part = if inside { value } else { 0.0 };
        add(&mut self.sum[lane], &mut self.lost[lane], part);
    }

    #[inline(always)]
    pub fn fold(self) -> FractionMoments {
        let mut all = FractionMoments {
            count: self.count,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            sum: 0.0,
            lost: 0.0,
        };
        for lane in 0..LANES {
            let (min, max) = (self.min[lane], self.max[lane]);
            all.min = if min < all.min { min } else { all.min };
            all.max = if max > all.max { max } else { all.max };
            add(&mut all.sum, &mut all.lost, self.sum[lane]);
            all.lost += self.lost[lane];
        }
        all
    }
}

#[inline(always)]
pub(super) fn fractions(values: &[f64]) -> FractionMoments {
    let mut lanes = Lanes::new();
    let (groups, rest) = values.as_chunks::<LANES>();
    for group in groups {
        for (lane, value) in group.iter().enumerate() {
            lanes.take(lane, *value, true);
        }
    }
    for (lane, value) in rest.iter().enumerate() {
        lanes.take(lane, *value, true);
    }
    lanes.fold()
}

#[inline(always)]
pub(super) fn fractions_of(values: &[f64], owners: &[u32], owner: u32) -> FractionMoments {
    let mut lanes = Lanes::new();
    let (groups, rest) = values.as_chunks::<LANES>();
    let (owner_groups, owners_rest) = owners.as_chunks::<LANES>();
    for (group, owners) in groups.iter().zip(owner_groups) {
        for lane in 0..LANES {
            lanes.take(lane, group[lane], owners[lane] == owner);
        }
    }
    for (lane, (value, own)) in rest.iter().zip(owners_rest).enumerate() {
        lanes.take(lane, *value, *own == owner);
    }
    lanes.fold()
}

/// 2^52: numbers below it and their sum with it are exact, and the sum's low bits are the number.
const TWO_52: f64 = 4_503_599_627_370_496.0;

/// 1.5 times 2^52: whole numbers from -2^51 to 2^51 may be added to its bits.
const TWO_52_AND_51: f64 = 6_755_399_441_055_744.0;

#[inline(always)]
pub(super) fn divide(values: &[i64], base: i64, divisor: u64, out: &mut [u32]) {
    let by = divisor as f64;
    let inverse = 1.0 / by;
    for (out, &value) in out.iter_mut().zip(values) {
        let distance = value.wrapping_sub(base) as u64;
        let number = f64::from_bits(distance | TWO_52.to_bits()) - TWO_52;
        // to the nearest: at most one off from the quotient rounded down
        let near = number * inverse + TWO_52;
        let quotient = near.to_bits() as u32;
        let above = (near - TWO_52) * by > number;
        *out = quotient.wrapping_sub(u32::from(above));
    }
}

#[inline(always)]
pub(super) fn steps(values: &[f64], how: Stepping, out: &mut [u32]) {
    for (out, value) in out.iter_mut().zip(values) {
        let step = ((value - how.offset) / how.interval).floor();
        *out = (step - how.first + TWO_52).to_bits() as u32;
    }
}

/// Bytes that are compared at once.
const BYTES: usize = 32;

#[inline(always)]
pub(super) fn count_few(values: &[u32]) -> [u32; FEW] {
    let mut counts = [0; FEW];
    // after so many groups a counter of eight bits is full
    for block in values.chunks(255 * BYTES) {
        let mut lanes = [[0u8; BYTES]; FEW];
        let (groups, rest) = block.as_chunks::<BYTES>();
        for group in groups {
            let mut bytes = [0u8; BYTES];
            for (byte, value) in bytes.iter_mut().zip(group) {
                *byte = *value as u8;
            }
            for (number, lanes) in lanes.iter_mut().enumerate() {
                for (lane, byte) in lanes.iter_mut().zip(bytes) {
                    *lane += u8::from(byte == number as u8);
                }
            }
        }
        for (count, lanes) in counts.iter_mut().zip(&lanes) {
            *count += lanes.iter().map(|lane| u32::from(*lane)).sum::<u32>();
        }
        for value in rest {
            if let Some(count) = counts.get_mut(usize::from(*value as u8)) {
                *count += 1;
            }
        }
    }
    counts
}

#[inline(always)]
pub(super) fn rank(values: &[f64], bounds: &[f64], out: &mut [u32]) {
    let count = values.len().min(out.len());
    let (values, out) = (&values[..count], &mut out[..count]);
    out.fill(0);
    for &bound in bounds {
        for (out, &value) in out.iter_mut().zip(values) {
            *out += u32::from(bound <= value);
        }
    }
}

#[inline(always)]
pub(super) fn add_line(start: i64, slope: i64, shift: u32, values: &mut [i64]) {
    let mut line = start;
    for value in values {
        *value = value.wrapping_add(line >> shift);
        line = line.wrapping_add(slope);
    }
}

#[inline(always)]
pub(super) fn decimals(power: f64, values: &mut [i64]) {
    for value in values {
        // as in `divide`, of a number of either sign
        let shifted = value.wrapping_add(TWO_52_AND_51.to_bits() as i64);
        let number = f64::from_bits(shifted as u64) - TWO_52_AND_51;
        let bits = (number / power).to_bits() as i64;
        *value = bits ^ (((bits >> 63) as u64) >> 1) as i64;
    }
}

#[inline(always)]
pub(super) fn mix(values: &mut [i64]) {
    for value in values {
        let mut z = *value as u64;
        z = (z ^ (z >> 32)).wrapping_mul(0x4cd6_944c_5cc2_0b6d);
        z = (z ^ (z >> 29)).wrapping_mul(0xfc12_c5b1_9d32_59e9);
        *value = (z ^ (z >> 32)) as i64;
    }
}
