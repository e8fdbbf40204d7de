//! Sets of documents of one segment, worked out beforehand.

use roaring::RoaringBitmap;

use super::{WINDOW_DOCS, Window};

/// Documents of one segment: a list when few, else one bit for each.
#[derive(Clone, Debug)]
pub(crate) enum DocSet {
    /// Ascending.
    List(Vec<u32>),
    /// Bit `doc % 64` of word `doc / 64`; a whole number of windows long.
    Bits {
        /// The bits.
        words: Vec<u64>,
        /// How many are set.
        count: u64,
    },
}

/// Collects documents in any order.
#[derive(Debug)]
pub(crate) struct DocSetBuilder {
    max_doc: u32,
    list: Vec<u32>,
    words: Vec<u64>,
}

impl DocSetBuilder {
    /// For a segment of `max_doc` documents.
    pub fn new(max_doc: u32) -> Self {
        DocSetBuilder {
            max_doc,
            list: Vec::new(),
            words: Vec::new(),
        }
    }

    /// Adds documents; those past the segment's end are left out.
    pub fn add(&mut self, docs: &[u32]) {
        if self.words.is_empty() {
            self.list.extend_from_slice(docs);
            if self.list.len() > (self.max_doc as usize / 64).max(64) {
                self.widen();
            }
            return;
        }
        for &doc in docs {
            if let Some(word) = self.words.get_mut(doc as usize / 64) {
                *word |= 1 << (doc % 64);
            }
        }
    }

    /// Adds the documents of the window that begins at `base`; those past the segment's end are left out.
    pub fn add_window(&mut self, base: u32, window: &Window) {
        if self.words.is_empty() {
            let mut docs = Vec::new();
            window.push_docs(base, &mut docs);
            self.add(&docs);
            return;
        }
        let from = base as usize / 64;
        if let Some(words) = self.words.get_mut(from..from + 64) {
            for (word, more) in words.iter_mut().zip(&window.words) {
                *word |= more;
            }
        }
    }

    fn widen(&mut self) {
        let windows = (self.max_doc as usize)
            .div_ceil(WINDOW_DOCS as usize)
            .max(1);
        self.words = vec![0; windows * 64];
        let list = std::mem::take(&mut self.list);
        self.add(&list);
    }

    /// The set.
    pub fn build(mut self) -> DocSet {
        if self.words.is_empty() {
            self.list.sort_unstable();
            self.list.dedup();
            self.list.retain(|doc| *doc < self.max_doc);
            return DocSet::List(self.list);
        }
        DocSet::from_words(self.words)
    }
}

impl DocSet {
    /// The documents of a bitmap below `max_doc`.
    pub fn from_bitmap(bitmap: &RoaringBitmap, max_doc: u32) -> DocSet {
        let mut builder = DocSetBuilder::new(max_doc);
        let mut batch = Vec::with_capacity(1024);
        for doc in bitmap {
            batch.push(doc);
            if batch.len() == 1024 {
                builder.add(&batch);
                batch.clear();
            }
        }
        builder.add(&batch);
        builder.build()
    }

    /// The documents of bits, which are a whole number of windows.
    pub fn from_words(words: Vec<u64>) -> DocSet {
        let count = words.iter().map(|w| u64::from(w.count_ones())).sum();
        DocSet::Bits { words, count }
    }

    /// How many.
    pub fn len(&self) -> u64 {
        match self {
            DocSet::List(docs) => docs.len() as u64,
            DocSet::Bits { count, .. } => *count,
        }
    }

    /// Bytes that it holds.
    pub fn size_bytes(&self) -> u64 {
        match self {
            DocSet::List(docs) => docs.len() as u64 * 4,
            DocSet::Bits { words, .. } => words.len() as u64 * 8,
        }
    }

    /// Whether a document is in.
    #[inline]
    pub fn contains(&self, doc: u32) -> bool {
        match self {
            DocSet::List(docs) => docs.binary_search(&doc).is_ok(),
            DocSet::Bits { words, .. } => {
                let word = words.get(doc as usize / 64).copied().unwrap_or(0);
                word >> (doc % 64) & 1 != 0
            }
        }
    }

    /// The first document that is `target` or later.
    pub fn next(&self, target: u32) -> Option<u32> {
        match self {
            DocSet::List(docs) => {
                let at = docs.partition_point(|doc| *doc < target);
                docs.get(at).copied()
            }
            DocSet::Bits { words, .. } => {
                let mut index = target as usize / 64;
                let mut word = words.get(index)? & (u64::MAX << (target % 64));
                while word == 0 {
                    index += 1;
                    word = *words.get(index)?;
                }
                Some(index as u32 * 64 + word.trailing_zeros())
            }
        }
    }

    /// Overwrites `out` with the documents of the window that begins at `base`.
    pub fn window(&self, base: u32, out: &mut Window) {
        match self {
            DocSet::List(docs) => {
                out.clear();
                let from = docs.partition_point(|doc| *doc < base);
                for doc in &docs[from..] {
                    if *doc - base >= WINDOW_DOCS {
                        break;
                    }
                    out.set(*doc - base);
                }
            }
            DocSet::Bits { words, .. } => {
                let start = base as usize / 64;
                match words.get(start..start + 64) {
                    Some(bits) => out.words.copy_from_slice(bits),
                    None => out.clear(),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn docs_of(set: &DocSet) -> Vec<u32> {
        let mut window = Window::empty();
        let mut docs = Vec::new();
        let mut at = set.next(0);
        while let Some(doc) = at {
            let base = Window::base_of(doc);
            set.window(base, &mut window);
            window.push_docs(base, &mut docs);
            at = set.next(base + WINDOW_DOCS);
        }
        docs
    }

    #[test]
    fn lists_and_bits_give_the_same_documents() {
        let max_doc = 20_000;
        for step in [1, 7, 500, 9000] {
            let expected: Vec<u32> = (0..max_doc).step_by(step).collect();
            let mut builder = DocSetBuilder::new(max_doc);
            for doc in expected.iter().rev() {
                builder.add(&[*doc, *doc]);
            }
            builder.add(&[max_doc + 5000]);
            let set = builder.build();
            assert_eq!(set.len(), expected.len() as u64);
            assert_eq!(docs_of(&set), expected, "every {step}th");
            let is_in = |doc: &u32| set.contains(*doc);
            let one_by_one: Vec<u32> = (0..max_doc + 5001).filter(is_in).collect();
            assert_eq!(one_by_one, expected, "every {step}th");
            let mut windows = DocSetBuilder::new(max_doc);
            let mut window = Window::empty();
            for base in (0..max_doc).step_by(WINDOW_DOCS as usize) {
                set.window(base, &mut window);
                windows.add_window(base, &window);
            }
            let again = windows.build();
            assert_eq!(again.len(), set.len());
            assert_eq!(docs_of(&again), expected, "every {step}th");
        }
    }
}
