//! # Filter of `_id`s
//! One section per segment: which `_id`s may be in it, wrong for about one absent `_id` in a hundred, never for a present one.
//! A Bloom filter in blocks of 64 bytes (one cache line): `block_count` blocks, nothing else. About 10 bits an `_id`.
//!
//! With `h` the [`hash64`](crate::format::bytes::hash64) of the `_id`: the block is `(h >> 32) * block_count >> 32`; in it, bits
//! `(h * 0x9e3779b97f4a7c15) >> (9 * i) & 511` for `i` from 0 to 5 are set; bit `b` is bit `b % 8` of byte `b / 8`.

const BLOCK_BYTES: usize = 64;
const BITS_PER_KEY: usize = 10;

fn bits(hash: u64) -> impl Iterator<Item = usize> {
    let mixed = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (0..6).map(move |index| (mixed >> (9 * index)) as usize & 511)
}

fn block_of(hash: u64, block_count: usize) -> usize {
    (((hash >> 32) * block_count as u64) >> 32) as usize
}

/// Builds the section for the hashes of all `_id`s.
pub(crate) fn encode(hashes: &[u64]) -> Vec<u8> {
    let block_count = (hashes.len() * BITS_PER_KEY)
        .div_ceil(BLOCK_BYTES * 8)
        .max(1);
    let mut filter = vec![0u8; block_count * BLOCK_BYTES];
    for hash in hashes {
        let block = block_of(*hash, block_count) * BLOCK_BYTES;
        for bit in bits(*hash) {
            filter[block + bit / 8] |= 1 << (bit % 8);
        }
    }
    filter
}

/// Where the block of a hash lies in a section of this length; `None` when it holds no block.
pub(crate) fn block_range(hash: u64, filter_len: usize) -> Option<std::ops::Range<usize>> {
    let block_count = filter_len / BLOCK_BYTES;
    let start = block_of(hash, block_count) * BLOCK_BYTES;
    (block_count > 0).then_some(start..start + BLOCK_BYTES)
}

/// Whether the hash may be in its block.
pub(crate) fn may_contain(block: &[u8], hash: u64) -> bool {
    bits(hash).all(|bit| {
        block
            .get(bit / 8)
            .is_none_or(|byte| byte >> (bit % 8) & 1 != 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::bytes::hash64;

    #[test]
    fn finds_all_that_is_there_and_little_else() {
        let hash = |id: u32| hash64(format!("doc-{id}").as_bytes());
        let hashes: Vec<u64> = (0..10_000).map(hash).collect();
        let filter = encode(&hashes);
        let found = |id: u32| {
            let block = block_range(hash(id), filter.len()).unwrap();
            may_contain(&filter[block], hash(id))
        };
        assert!((0..10_000).all(found));
        let wrong = (10_000..20_000).filter(|id| found(*id)).count();
        assert!(wrong < 300, "{wrong} of 10000 absent ids found");
    }
}
