//! Random names, passed into `decide` so that it stays pure.

use crate::sys::rng;
use crate::wire::batch::RequestId;

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

/// A new name for a request.
pub(super) fn random_request() -> RequestId {
    let mut id = RequestId::default();
    rng::fill(&mut id);
    id
}
