//! The engine through its public door.

mod segment;
