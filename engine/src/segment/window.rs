//! A window of 4096 documents as a bit set: the unit in which queries, counts and aggregations work.

use crate::simd;

/// Documents of one window.
pub const WINDOW_DOCS: u32 = 4096;

/// 4096 documents as bits: bit `i` is document `base + i`, where `base` is a multiple of 4096.
#[derive(Clone, PartialEq, Eq)]
pub struct Window {
    /// Bit `i` of the window is bit `i % 64` of word `i / 64`.
    pub words: [u64; 64],
}

impl Default for Window {
    fn default() -> Self {
        Window::empty()
    }
}

impl std::fmt::Debug for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Window({} of 4096)", self.count())
    }
}

impl Window {
    /// No document.
    pub const fn empty() -> Window {
        Window { words: [0; 64] }
    }

    /// All 4096 documents.
    pub const fn full() -> Window {
        Window {
            words: [u64::MAX; 64],
        }
    }

    /// The window's first document for any document of it.
    pub const fn base_of(doc: u32) -> u32 {
        doc & !(WINDOW_DOCS - 1)
    }

    /// Takes all documents out.
    pub fn clear(&mut self) {
        self.words = [0; 64];
    }

    /// Puts in the document at `offset` from the base; `offset` counts modulo 4096.
    #[inline]
    pub fn set(&mut self, offset: u32) {
        self.words[(offset as usize >> 6) & 63] |= 1 << (offset & 63);
    }

    /// Takes out the document at `offset` from the base; `offset` counts modulo 4096.
    #[inline]
    pub fn unset(&mut self, offset: u32) {
        self.words[(offset as usize >> 6) & 63] &= !(1 << (offset & 63));
    }

    /// Whether the document at `offset` (modulo 4096) is in.
    #[inline]
    pub fn contains(&self, offset: u32) -> bool {
        self.words[(offset as usize >> 6) & 63] >> (offset & 63) & 1 != 0
    }

    /// Puts in the documents at offsets `from..to` (at most 4096).
    pub fn set_range(&mut self, from: u32, to: u32) {
        let to = to.min(WINDOW_DOCS);
        let mut at = from;
        while at < to {
            let end = ((at | 63) + 1).min(to);
            let bits = end - at;
            let mask = if bits == 64 {
                u64::MAX
            } else {
                ((1u64 << bits) - 1) << (at & 63)
            };
            self.words[at as usize >> 6] |= mask;
            at = end;
        }
    }

    /// How many documents are in.
    pub fn count(&self) -> u32 {
        (simd::kernels().count)(&self.words)
    }

    /// Whether no document is in.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// Keeps what is in both.
    pub fn and(&mut self, other: &Window) {
        (simd::kernels().and)(&mut self.words, &other.words);
    }

    /// Adds what is in the other.
    pub fn or(&mut self, other: &Window) {
        (simd::kernels().or)(&mut self.words, &other.words);
    }

    /// Takes out what is in the other.
    pub fn and_not(&mut self, other: &Window) {
        (simd::kernels().and_not)(&mut self.words, &other.words);
    }

    /// Appends `base + offset` of every document that is in, ascending.
    pub fn push_docs(&self, base: u32, docs: &mut Vec<u32>) {
        let before = docs.len();
        docs.resize(before + WINDOW_DOCS as usize, 0);
        let room = docs[before..].first_chunk_mut();
        let room = room.expect("as long as a window");
        let count = (simd::columns::kernels().list)(&self.words, base, room);
        docs.truncate(before + count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_equal_single_sets() {
        for (from, to) in [(0, 4096), (0, 0), (5, 6), (60, 70), (64, 128), (4095, 9000)] {
            let mut by_range = Window::empty();
            by_range.set_range(from, to);
            let mut by_one = Window::empty();
            for offset in from..to.min(4096) {
                by_one.set(offset);
            }
            assert_eq!(by_range, by_one, "{from}..{to}");
            assert_eq!(by_range.count(), to.min(4096) - from);
        }
    }

    #[test]
    fn docs_come_out_ascending_from_the_base() {
        let mut window = Window::empty();
        for offset in [4095, 0, 64, 63] {
            window.set(offset);
        }
        window.unset(64);
        let mut docs = Vec::new();
        window.push_docs(8192, &mut docs);
        assert_eq!(docs, [8192, 8192 + 63, 8192 + 4095]);
        assert!(window.contains(63) && !window.contains(64));
    }
}
