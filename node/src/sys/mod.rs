//! The door to the world: clocks, random numbers, the machine. Nobody else in this crate asks the system for them.

pub mod clock;
pub mod folders;
pub mod lock;
pub mod machine;
pub mod net;
pub mod rng;
pub mod signal;
