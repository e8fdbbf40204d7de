//! Random names, passed into `decide` so that it stays pure.

use crate::sys::rng;

/// Where ids come from.
pub trait Ids: Send {
    /// A new name: 22 characters of URL-safe base64 (128 bits).
    fn next_uuid(&mut self) -> String;
}

/// Ids from the system's random numbers.
pub struct RandomIds;

impl Ids for RandomIds {
    fn next_uuid(&mut self) -> String {
        rng::uuid22()
    }
}
