//! Sets of documents of one segment, worked out beforehand, and their scorer.

use roaring::RoaringBitmap;

use super::scorer::{Hits, NO_MORE, Scorer};
use crate::search::SearchError;
use crate::segment::{WINDOW_DOCS, Window};

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
        let count = self.words.iter().map(|w| u64::from(w.count_ones())).sum();
        DocSet::Bits {
            words: self.words,
            count,
        }
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

    /// The first document that is `target` or later.
    fn next(&self, target: u32) -> u32 {
        match self {
            DocSet::List(docs) => {
                let at = docs.partition_point(|doc| *doc < target);
                docs.get(at).copied().unwrap_or(NO_MORE)
            }
            DocSet::Bits { words, .. } => {
                let mut index = target as usize / 64;
                let Some(word) = words.get(index) else {
                    return NO_MORE;
                };
                let mut word = word & (u64::MAX << (target % 64));
                while word == 0 {
                    index += 1;
                    match words.get(index) {
                        Some(next) => word = *next,
                        None => return NO_MORE,
                    }
                }
                index as u32 * 64 + word.trailing_zeros()
            }
        }
    }

    fn window(&self, base: u32, out: &mut Window) {
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

/// Scores the documents of a set, all the same.
pub(crate) struct DocSetScorer {
    set: DocSet,
    score: f32,
}

impl DocSetScorer {
    /// Every document of `set` with this score.
    pub fn new(set: DocSet, score: f32) -> Self {
        DocSetScorer { set, score }
    }
}

impl Scorer for DocSetScorer {
    fn cost(&self) -> u64 {
        self.set.len()
    }

    fn seek(&mut self, target: u32) -> Result<u32, SearchError> {
        Ok(self.set.next(target))
    }

    fn fill(
        &mut self,
        base: u32,
        within: Option<&Window>,
        _floor: f32,
        out: &mut Hits,
    ) -> Result<(), SearchError> {
        self.set.window(base, &mut out.docs);
        if let Some(within) = within {
            out.docs.and(within);
        }
        fill_constant(out, self.score)
    }

    fn max_score(&mut self, _base: u32) -> Result<f32, SearchError> {
        Ok(self.score)
    }
}

/// Gives all documents of `out` one score.
pub(crate) fn fill_constant(out: &mut Hits, score: f32) -> Result<(), SearchError> {
    // of places without a document too: one sweep costs less than looking for those that have one
    out.scores.fill(score);
    Ok(())
}

/// Every document of a segment, all with the same score.
pub(crate) struct AllScorer {
    max_doc: u32,
    score: f32,
}

impl AllScorer {
    /// Documents `0..max_doc`.
    pub fn new(max_doc: u32, score: f32) -> Self {
        AllScorer { max_doc, score }
    }
}

impl Scorer for AllScorer {
    fn cost(&self) -> u64 {
        u64::from(self.max_doc)
    }

    fn seek(&mut self, target: u32) -> Result<u32, SearchError> {
        Ok(if target < self.max_doc {
            target
        } else {
            NO_MORE
        })
    }

    fn fill(
        &mut self,
        base: u32,
        within: Option<&Window>,
        _floor: f32,
        out: &mut Hits,
    ) -> Result<(), SearchError> {
        out.docs.clear();
        out.docs.set_range(0, self.max_doc.saturating_sub(base));
        if let Some(within) = within {
            out.docs.and(within);
        }
        fill_constant(out, self.score)
    }

    fn max_score(&mut self, _base: u32) -> Result<f32, SearchError> {
        Ok(self.score)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn docs_of(set: DocSet) -> Vec<u32> {
        let mut scorer = DocSetScorer::new(set, 1.0);
        let mut hits = Hits::new();
        let mut docs = Vec::new();
        let mut at = scorer.seek(0).unwrap();
        while at != NO_MORE {
            let base = Window::base_of(at);
            scorer
                .fill(base, None, f32::NEG_INFINITY, &mut hits)
                .unwrap();
            hits.docs.push_docs(base, &mut docs);
            at = scorer.seek(base + WINDOW_DOCS).unwrap();
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
            assert_eq!(docs_of(set), expected, "every {step}th");
        }
    }
}
