//! Random names, passed into `decide` so that it stays pure.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Where ids come from.
pub trait Ids: Send {
    /// A new name: 22 characters of URL-safe base64 (128 bits).
    fn next_uuid(&mut self) -> String;
}

/// Ids from the system's random numbers.
pub struct RandomIds;

impl Ids for RandomIds {
    fn next_uuid(&mut self) -> String {
        let mut bytes = [0u8; 16];
        // Without random numbers two indices could share a name; there is nothing sensible to go on with.
        getrandom::fill(&mut bytes)
            .expect("the system gives random numbers: getrandom(2) exists since Linux 3.17");
        URL_SAFE_NO_PAD.encode(bytes)
    }
}
