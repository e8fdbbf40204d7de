//! Faults on real processes: a cluster under clients that write, read and search, while nodes are killed, halted and cut
//! off; then the books are checked.

pub mod history;
pub mod linear;
pub mod random;
