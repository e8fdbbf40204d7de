//! Numbers that look random and are the same in every run.

use quidditch_engine::random;

/// Mixes a number until its bits are evenly spread.
pub fn mix(number: u64) -> u64 {
    random::next(number).0
}

/// A stream of numbers.
pub struct Random(u64);

impl Random {
    /// The stream of a seed.
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        let (_, state) = random::next(self.0);
        self.0 = state;
        // mixed once more than needed: the corpora of earlier records come again
        mix(state)
    }

    /// At least 0, less than 1.
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Less than `end`, which is not 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next_u64() % end
    }

    /// Puts a list in another order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for end in (1..list.len()).rev() {
            list.swap(end, self.below(end as u64 + 1) as usize);
        }
    }
}
