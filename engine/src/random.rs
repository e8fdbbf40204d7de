//! The one door to random numbers: the operating system's, or, in a simulation, those that follow from a seed.

use std::cell::Cell;
use std::io;

thread_local! {
    static SEEDED: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Has all random numbers that this thread draws from now on follow from a seed. For simulations, which run in one thread;
/// `None`: the system's again.
pub fn seed_this_thread(seed: Option<u64>) {
    SEEDED.set(seed);
}

/// Sixteen random bytes as a number: a name that nobody else draws.
pub fn draw_u128() -> io::Result<u128> {
    if let Some(state) = SEEDED.get() {
        let (high, state) = next(state);
        let (low, state) = next(state);
        SEEDED.set(Some(state));
        return Ok(u128::from(high) << 64 | u128::from(low));
    }
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| io::Error::other(format!("no random numbers: {error}")))?;
    Ok(u128::from_le_bytes(bytes))
}

/// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014): a number, and the state after
/// it. For what has to come again with its seed.
pub fn next(state: u64) -> (u64, u64) {
    let state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31), state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_paper() {
        let mut state = 0;
        let mut draw = || {
            let (number, after) = next(state);
            state = after;
            number
        };
        let first = [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4];
        assert_eq!([draw(), draw()], first);
    }

    #[test]
    fn numbers_of_a_seed_come_again() {
        let draw = |seed| {
            seed_this_thread(Some(seed));
            let drawn = [draw_u128().unwrap(), draw_u128().unwrap()];
            seed_this_thread(None);
            drawn
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        assert_ne!(draw_u128().unwrap(), draw_u128().unwrap());
    }
}
