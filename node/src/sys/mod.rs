//! The door to the world: clocks and random numbers. Nobody else in this crate asks the system for them.

pub mod clock;
pub mod rng;
