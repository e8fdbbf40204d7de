//! The distinct terms of one field in memory.

use std::sync::OnceLock;

use super::order;
use crate::random;
use crate::simd;

/// Terms looked up side by side, so that they wait for memory together.
const BATCH: usize = 16;
/// Bits of a tag that hold the term's length.
const LEN_BITS: u32 = 15;

/// Where the table says what term has a hash: all of a short term, and enough of a long one to tell most others apart.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    /// The first eight bytes, little-endian, padded with zeros.
    prefix: u64,
    /// Bits of the hash over the length (or the greatest that fits).
    tag: u32,
    /// Number of the term plus one; 0 is free.
    term: u32,
}

/// A term on its way into the table.
#[derive(Clone, Copy, Debug, Default)]
struct Key {
    hash: u64,
    prefix: u64,
}

/// Terms by hash, open addressing, numbered in order of appearance, with their bytes in one arena.
#[derive(Debug)]
pub(super) struct TermTable {
    /// A power of two long, at most half full.
    slots: Vec<Slot>,
    /// Where each term starts in `bytes`, and the end of the last.
    starts: Vec<u32>,
    bytes: Vec<u8>,
    seed: u64,
}

impl Default for TermTable {
    fn default() -> Self {
        TermTable {
            slots: Vec::new(),
            starts: vec![0],
            bytes: Vec::new(),
            seed: seed(),
        }
    }
}

/// Nobody can choose terms that collide: the hash differs from process to process.
fn seed() -> u64 {
    static SEED: OnceLock<u64> = OnceLock::new();
    *SEED.get_or_init(|| {
        random::draw_u128().expect("the operating system gives random numbers") as u64
    })
}

impl TermTable {
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    pub fn bytes_used(&self) -> usize {
        self.slots.len() * size_of::<Slot>() + self.starts.len() * 4 + self.bytes.len()
    }

    pub fn bytes_of(&self, term: u32) -> &[u8] {
        let start = self.starts[term as usize] as usize;
        &self.bytes[start..self.starts[term as usize + 1] as usize]
    }

    /// Calls back with the number of each of the terms that lie in `bytes`, in order, and its place in `spans`. Terms
    /// that reach beyond the bytes are left out.
    #[inline]
    pub fn intern_all<S: Copy>(
        &mut self,
        bytes: &[u8],
        spans: &[S],
        place: impl Fn(S) -> (u32, u32),
        mut each: impl FnMut(S, u32),
    ) {
        let mut keys = [Key::default(); BATCH];
        for batch in spans.chunks(BATCH) {
            // No term of the batch makes the table grow, so the slots stay where they are.
            if (self.len() + batch.len()) * 2 > self.slots.len() {
                self.grow(batch.len());
            }
            let mask = self.slots.len() - 1;
            for (key, span) in keys.iter_mut().zip(batch) {
                let (start, len) = place(*span);
                *key = self.key(bytes, start as usize, len as usize);
                simd::prefetch(&self.slots[key.hash as usize & mask]);
            }
            for (key, span) in keys.iter().zip(batch) {
                let (start, len) = place(*span);
                let Some(term) = bytes.get(start as usize..start as usize + len as usize) else {
                    continue;
                };
                each(*span, self.intern(*key, term));
            }
        }
    }

    #[inline]
    fn key(&self, bytes: &[u8], start: usize, len: usize) -> Key {
        let prefix = match bytes.get(start..start + 8) {
            Some(word) => {
                let kept = if len >= 8 { !0 } else { (1 << (8 * len)) - 1 };
                word_of(word) & kept
            }
            None => word_of(
                bytes
                    .get(start..(start + len).min(bytes.len()))
                    .unwrap_or_default(),
            ),
        };
        let mut hash = fold(
            prefix ^ self.seed,
            0x9e37_79b9_7f4a_7c15 ^ (len as u64) << 32,
        );
        if len > 8
            && let Some(rest) = bytes.get(start + 8..start + len)
        {
            for chunk in rest.chunks(8) {
                hash = fold(hash ^ word_of(chunk), 0xd6e8_feb8_6659_fd93);
            }
        }
        Key { hash, prefix }
    }

    /// The number of a term, new or known.
    #[inline]
    fn intern(&mut self, key: Key, term: &[u8]) -> u32 {
        let mask = self.slots.len() - 1;
        let tag = tag(key.hash, term.len());
        let mut at = key.hash as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot.term == 0 {
                break;
            }
            if slot.tag == tag
                && slot.prefix == key.prefix
                && (term.len() <= 8 || self.bytes_of(slot.term - 1) == term)
            {
                return slot.term - 1;
            }
            at = (at + 1) & mask;
        }
        self.bytes.extend_from_slice(term);
        self.slots[at] = Slot {
            prefix: key.prefix,
            tag,
            term: self.starts.len() as u32,
        };
        self.starts.push(self.bytes.len() as u32);
        self.starts.len() as u32 - 2
    }

    #[cold]
    fn grow(&mut self, more: usize) {
        let len = ((self.len() + more) * 4).next_power_of_two().max(64);
        self.slots.clear();
        self.slots.resize(len, Slot::default());
        for term in 0..self.len() {
            let (start, end) = (self.starts[term] as usize, self.starts[term + 1] as usize);
            let key = self.key(&self.bytes, start, end - start);
            let mut at = key.hash as usize & (len - 1);
            while self.slots[at].term != 0 {
                at = (at + 1) & (len - 1);
            }
            self.slots[at] = Slot {
                prefix: key.prefix,
                tag: tag(key.hash, end - start),
                term: term as u32 + 1,
            };
        }
    }

    /// Numbers of all terms, in order of their bytes.
    pub fn sorted(&self) -> Vec<u32> {
        order::sorted(self.len() as u32, |term| self.bytes_of(term))
    }
}

#[inline]
fn tag(hash: u64, len: usize) -> u32 {
    let len = len.min((1 << LEN_BITS) - 1) as u32;
    ((hash >> (32 + LEN_BITS)) as u32) << LEN_BITS | len
}

/// Up to eight bytes as a little-endian word.
#[inline]
fn word_of(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    word[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(word)
}

/// Both halves of a product in one.
#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    proptest! {
        #[test]
        fn equal_terms_have_one_number(
            terms in proptest::collection::vec(proptest::collection::vec(0u8..3, 0..12), 0..500),
            packed: bool,
        ) {
            let (mut bytes, mut spans) = (Vec::new(), Vec::new());
            for term in &terms {
                spans.push((bytes.len() as u32, term.len() as u32));
                bytes.extend_from_slice(term);
                if !packed {
                    bytes.push(b' ');
                }
            }
            let mut table = TermTable::default();
            let mut numbers = Vec::new();
            for half in spans.chunks(spans.len() / 2 + 1) {
                table.intern_all(&bytes, half, |span| span, |_, term| numbers.push(term));
            }
            let mut known = HashMap::new();
            for (term, number) in terms.iter().zip(numbers) {
                let next = known.len() as u32;
                prop_assert_eq!(*known.entry(term.clone()).or_insert(next), number);
                prop_assert_eq!(table.bytes_of(number), term.as_slice());
            }
            prop_assert_eq!(table.len(), known.len());
            let order = table.sorted();
            prop_assert!(order.windows(2).all(|pair| table.bytes_of(pair[0]) < table.bytes_of(pair[1])));
        }
    }

    #[test]
    fn a_term_beyond_the_bytes_is_left_out() {
        let mut table = TermTable::default();
        let mut seen = Vec::new();
        let spans = [(0, 2), (1, 9), (7, 1), (1, 1)];
        table.intern_all(
            b"ab",
            &spans,
            |span| span,
            |span, term| seen.push((span, term)),
        );
        assert_eq!(seen, [((0, 2), 0), ((1, 1), 1)]);
    }
}
