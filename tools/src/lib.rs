//! Looking into segments (`quidditch-inspect`) and whole clusters on one machine (`quidditch-cluster`, [`cluster`]); the
//! house's own checks are in `tests`.

pub mod cluster;
pub mod torture;
