//! Random numbers from the system.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Fills the bytes with what the system's generator gives.
pub fn fill(bytes: &mut [u8]) {
    // the system call fails only on kernels without it, and then nothing here can work
    getrandom::fill(bytes).expect("the kernel has a random number generator");
}

/// 22 characters of base64url: a random name for nodes, clusters and indices.
pub fn uuid22() -> String {
    let mut bytes = [0u8; 16];
    fill(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// 20 characters of base64url: the name of a document that came without one.
///
/// The first bytes count up with time, so that names of one moment are near each other in the term dictionary.
pub fn document_id(now_ms: i64) -> String {
    let mut bytes = [0u8; 15];
    fill(&mut bytes);
    let time = now_ms.to_be_bytes_of_48();
    bytes[..6].copy_from_slice(&time);
    URL_SAFE_NO_PAD.encode(bytes)
}

trait Low48 {
    fn to_be_bytes_of_48(self) -> [u8; 6];
}

impl Low48 for i64 {
    fn to_be_bytes_of_48(self) -> [u8; 6] {
        let value = self as u64;
        std::array::from_fn(|at| (value >> (40 - 8 * at)) as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_their_lengths_and_differ() {
        assert_eq!(uuid22().len(), 22);
        assert_eq!(document_id(1).len(), 20);
        assert_ne!(document_id(1), document_id(1));
        assert!(document_id(1_700_000_000_000)[..4] == document_id(1_700_000_000_001)[..4]);
    }
}
