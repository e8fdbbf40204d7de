//! HyperLogLog++: how many different values there are, from 64-bit hashes.
//!
//! Small sets are kept as hashes cut to 25 bits of address and are counted by linear counting over 2^25 cells, which
//! is exact but for a few in 10^8 up to some thousands. Larger ones have one 6-bit register per `2^precision` cells.
//!
//! Heule, Nunkesser, Hall, "HyperLogLog in Practice" (2013). Between linear counting and the raw estimate we use
//! Ertl's improved estimator, "New cardinality estimation algorithms for HyperLogLog sketches" (2017), which needs
//! no tables of measured biases.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// Bits of address that a kept hash has.
const SPARSE_BITS: u32 = 25;
/// Fewest and most registers, as exponents of two.
const PRECISION_MIN: u8 = 4;
const PRECISION_MAX: u8 = 18;
/// Up to which linear-counting estimate linear counting is better, by precision from 4 (Heule et al., appendix).
const THRESHOLDS: [f64; 15] = [
    10.0, 20.0, 40.0, 80.0, 220.0, 400.0, 900.0, 1800.0, 3100.0, 6500.0, 11500.0, 20000.0, 50000.0,
    120000.0, 350000.0,
];

/// Registers that a `precision_threshold` asks for, as an exponent of two: 3000 gives 14.
pub(crate) fn precision_of_threshold(threshold: u64) -> u8 {
    let entries = (threshold.min(1 << 40) as f64 / 0.75).ceil() as u64;
    let bits = (u64::BITS - (entries * 4).leading_zeros()).max(1) as u8;
    bits.clamp(PRECISION_MIN, PRECISION_MAX)
}

/// A set of hashes, of which only the size can be asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct HyperLogLog {
    precision: u8,
    state: State,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum State {
    /// Few values: see [`encode`].
    Hashes(BTreeSet<u32>),
    /// Many: for each cell the longest run of zeros, plus one.
    Registers(Vec<u8>),
}

impl HyperLogLog {
    pub fn new(precision: u8) -> HyperLogLog {
        HyperLogLog {
            precision: precision.clamp(PRECISION_MIN, PRECISION_MAX),
            state: State::Hashes(BTreeSet::new()),
        }
    }

    /// Hashes that are kept before registers take over.
    fn hashes_max(&self) -> usize {
        ((1usize << self.precision) / 4) * 3 / 4
    }

    pub fn add(&mut self, hash: u64) {
        match &mut self.state {
            State::Hashes(hashes) => {
                hashes.insert(encode(hash, self.precision));
                if hashes.len() > self.hashes_max() {
                    self.upgrade();
                }
            }
            State::Registers(registers) => {
                let cell = (hash >> (64 - self.precision)) as usize;
                raise(registers, cell, run_length(hash, self.precision));
            }
        }
    }

    /// Adds many hashes.
    pub fn add_all(&mut self, hashes: &[i64]) {
        let mut rest = hashes.iter();
        while matches!(self.state, State::Hashes(_)) {
            match rest.next() {
                Some(hash) => self.add(*hash as u64),
                None => return,
            }
        }
        let State::Registers(registers) = &mut self.state else {
            return;
        };
        let address = 64 - self.precision;
        for &hash in rest {
            let hash = hash as u64;
            let run = run_length(hash, self.precision);
            if let Some(register) = registers.get_mut((hash >> address) as usize)
                && *register < run
            {
                *register = run;
            }
        }
    }

    fn upgrade(&mut self) {
        let State::Hashes(hashes) = &self.state else {
            return;
        };
        let mut registers = vec![0u8; 1 << self.precision];
        for &encoded in hashes {
            let (cell, run) = decode(encoded, self.precision);
            raise(&mut registers, cell, run);
        }
        self.state = State::Registers(registers);
    }

    /// Adds all that another set holds. Sets of different precision meet at the lower one.
    pub fn merge(&mut self, mut other: HyperLogLog) {
        if other.precision != self.precision {
            let precision = self.precision.min(other.precision);
            self.lower_precision(precision);
            other.lower_precision(precision);
        }
        match other.state {
            State::Hashes(hashes) => match &mut self.state {
                State::Hashes(own) => {
                    own.extend(hashes);
                    if own.len() > self.hashes_max() {
                        self.upgrade();
                    }
                }
                State::Registers(own) => {
                    for encoded in hashes {
                        let (cell, run) = decode(encoded, self.precision);
                        raise(own, cell, run);
                    }
                }
            },
            State::Registers(registers) => {
                self.upgrade();
                if let State::Registers(own) = &mut self.state {
                    for (cell, run) in registers.into_iter().enumerate() {
                        raise(own, cell, run);
                    }
                }
            }
        }
    }

    fn lower_precision(&mut self, precision: u8) {
        if precision == self.precision {
            return;
        }
        self.upgrade();
        let State::Registers(registers) = &self.state else {
            return;
        };
        let lost = self.precision - precision;
        let mut lowered = vec![0u8; 1 << precision];
        for (cell, &run) in registers.iter().enumerate() {
            if run == 0 {
                continue;
            }
            // the bits that leave the address go before the run
            let low = (cell & ((1 << lost) - 1)) as u64;
            let run = if low == 0 {
                run + lost
            } else {
                1 + (low << (64 - lost)).leading_zeros() as u8
            };
            raise(&mut lowered, cell >> lost, run);
        }
        self.precision = precision;
        self.state = State::Registers(lowered);
    }

    /// About how many different hashes were added.
    pub fn count(&self) -> u64 {
        match &self.state {
            State::Hashes(hashes) => {
                linear_counting((1u64 << SPARSE_BITS) as f64, hashes.len() as f64).round() as u64
            }
            State::Registers(registers) => {
                let cells = registers.len() as f64;
                let empty = registers.iter().filter(|run| **run == 0).count();
                if empty > 0 {
                    let estimate = linear_counting(cells, cells - empty as f64);
                    if estimate <= THRESHOLDS[usize::from(self.precision - PRECISION_MIN)] {
                        return estimate.round() as u64;
                    }
                }
                improved_estimate(registers, self.precision).round() as u64
            }
        }
    }

    /// Bytes on the heap, about.
    pub fn bytes(&self) -> usize {
        match &self.state {
            State::Hashes(hashes) => hashes.len() * 8,
            State::Registers(registers) => registers.len(),
        }
    }
}

fn raise(registers: &mut [u8], cell: usize, run: u8) {
    // bytes of another node may name a cell that does not exist
    if let Some(register) = registers.get_mut(cell) {
        *register = (*register).max(run);
    }
}

/// Position of the first one behind the address, counted from 1.
fn run_length(hash: u64, precision: u8) -> u8 {
    let rest = hash << precision;
    1 + rest.leading_zeros().min(64 - u32::from(precision)) as u8
}

/// 25 bits of address; when those beyond the precision are zero also the run behind them, marked by the lowest bit.
fn encode(hash: u64, precision: u8) -> u32 {
    let address = (hash >> (64 - SPARSE_BITS)) as u32;
    let beyond = SPARSE_BITS - u32::from(precision);
    if address & ((1 << beyond) - 1) == 0 {
        let run = 1 + (hash << SPARSE_BITS).leading_zeros().min(64 - SPARSE_BITS);
        (address << 7) | (run << 1) | 1
    } else {
        address << 1
    }
}

/// Cell and run of an encoded hash.
fn decode(encoded: u32, precision: u8) -> (usize, u8) {
    let beyond = SPARSE_BITS - u32::from(precision);
    if encoded & 1 == 1 {
        let address = encoded >> 7;
        let run = ((encoded >> 1) & 63) + beyond;
        ((address >> beyond) as usize, run as u8)
    } else {
        let address = encoded >> 1;
        let behind = address << (32 - beyond);
        (
            (address >> beyond) as usize,
            1 + behind.leading_zeros() as u8,
        )
    }
}

/// Balls thrown into `cells`, when `filled` of them hold any.
fn linear_counting(cells: f64, filled: f64) -> f64 {
    cells * (cells / (cells - filled)).ln()
}

fn improved_estimate(registers: &[u8], precision: u8) -> f64 {
    let longest = 64 - usize::from(precision);
    let mut histogram = vec![0f64; longest + 2];
    for &run in registers {
        histogram[usize::from(run).min(longest + 1)] += 1.0;
    }
    let cells = registers.len() as f64;
    let mut z = cells * tau(1.0 - histogram[longest + 1] / cells);
    for run in (1..=longest).rev() {
        z = 0.5 * (z + histogram[run]);
    }
    z += cells * sigma(histogram[0] / cells);
    cells * cells / (2.0 * std::f64::consts::LN_2 * z)
}

fn sigma(x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut x, mut y, mut z) = (x, 1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}

fn tau(x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut x, mut y, mut z) = (x, 1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if z == before {
            return z / 3.0;
        }
    }
}

/// Spreads the bits of a number; what OpenSearch hashes numeric values with (Stafford's mix of MurmurHash3's end).
pub(crate) fn mix64(value: u64) -> u64 {
    let mut z = value;
    z = (z ^ (z >> 32)).wrapping_mul(0x4cd6_944c_5cc2_0b6d);
    z = (z ^ (z >> 29)).wrapping_mul(0xfc12_c5b1_9d32_59e9);
    z ^ (z >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(range: std::ops::Range<u64>) -> HyperLogLog {
        let mut sketch = HyperLogLog::new(14);
        for value in range {
            sketch.add(mix64(value));
        }
        sketch
    }

    #[test]
    fn small_sets_are_exact() {
        for n in [0, 1, 2, 10, 100, 1000, 3000] {
            assert_eq!(filled(0..n).count(), n);
        }
    }

    #[test]
    fn large_sets_are_near() {
        for n in [4_000u64, 14_000, 25_000, 100_000, 1_000_000] {
            let found = filled(0..n).count() as f64;
            let error = (found - n as f64).abs() / n as f64;
            assert!(error < 0.03, "{n} counted as {found}");
        }
    }

    #[test]
    fn merging_equals_adding_everything() {
        for n in [10u64, 2_000, 5_000, 50_000] {
            let mut merged = filled(0..n);
            merged.merge(filled(n / 2..2 * n));
            assert_eq!(merged, filled(0..2 * n), "{n}");
        }
    }

    #[test]
    fn lower_precision_equals_having_had_it() {
        let mut high = HyperLogLog::new(16);
        let mut low = HyperLogLog::new(10);
        for value in 0..100_000 {
            high.add(mix64(value));
            low.add(mix64(value));
        }
        high.lower_precision(10);
        assert_eq!(high, low);
    }

    #[test]
    fn precision_follows_the_threshold() {
        assert_eq!(precision_of_threshold(3000), 14);
        assert_eq!(precision_of_threshold(0), 4);
        assert_eq!(precision_of_threshold(40_000), 18);
        assert_eq!(precision_of_threshold(100), 10);
    }
}
