//! Bucket keys of a field, document by document: what `multi_terms` and `composite` combine.

use super::collector::{AggContext, Docs};
use super::format::ValueFormat;
use super::request::FieldSource;
use super::source::{NumericSource, Source, TermSource};
use super::terms::key_of;
use super::terms_partial::TermKey;
use crate::search::SearchError;
use crate::shard::SegmentSnapshot;

enum Reads {
    Nothing,
    Terms(TermSource),
    Numbers(NumericSource),
}

/// Reads the keys of one field for the documents of a batch.
pub(crate) struct KeyReader {
    reads: Reads,
    keys: Vec<TermKey>,
    /// Where the keys of each row begin, and at last where they end.
    starts: Vec<usize>,
    term: Vec<u8>,
}

impl KeyReader {
    /// Finds the field.
    pub fn new(source: &FieldSource, ctx: &AggContext<'_>) -> Result<KeyReader, SearchError> {
        let reads = match Source::resolve(source, &ctx.reader.schema, ctx.search, None)? {
            Source::Unmapped => Reads::Nothing,
            Source::Terms(source) => Reads::Terms(source),
            Source::Numeric(source) => Reads::Numbers(source),
        };
        Ok(KeyReader {
            reads,
            keys: Vec::new(),
            starts: vec![0],
            term: Vec::new(),
        })
    }

    /// Whether the field is mapped, or `missing` stands for it.
    pub fn is_mapped(&self) -> bool {
        !matches!(self.reads, Reads::Nothing)
    }

    /// The numbers of the field, if it has some.
    pub fn numbers(&self) -> Option<&NumericSource> {
        match &self.reads {
            Reads::Numbers(source) => Some(source),
            _ => None,
        }
    }

    /// How the keys are shown.
    pub fn format(&self) -> ValueFormat {
        match &self.reads {
            Reads::Nothing => ValueFormat::Raw,
            Reads::Terms(source) => source.format.clone(),
            Reads::Numbers(source) => source.format.clone(),
        }
    }

    pub fn begin_segment(&mut self, segment: &SegmentSnapshot) -> Result<(), SearchError> {
        match &mut self.reads {
            Reads::Nothing => Ok(()),
            Reads::Terms(source) => source.begin_segment(segment),
            Reads::Numbers(source) => source.begin_segment(segment),
        }
    }

    /// Reads the keys of all documents of a batch; a value that a document has twice comes once.
    pub fn load(&mut self, docs: Docs<'_>) -> Result<(), SearchError> {
        self.keys.clear();
        self.starts.clear();
        self.starts.push(0);
        match &mut self.reads {
            Reads::Nothing => {}
            Reads::Terms(source) => {
                source.load(docs);
                for at in 0..source.len() {
                    let (row, ord) = source.at(at);
                    while self.starts.len() <= row as usize {
                        self.starts.push(self.keys.len());
                    }
                    source.term(ord, &mut self.term)?;
                    self.keys.push(TermKey::Text(self.term.clone()));
                }
            }
            Reads::Numbers(source) => {
                let kind = source.domain();
                let loaded = source.load(docs);
                let mut before = None;
                for (row, value) in loaded.iter() {
                    if before == Some((row, value)) {
                        continue;
                    }
                    before = Some((row, value));
                    while self.starts.len() <= row as usize {
                        self.starts.push(self.keys.len());
                    }
                    self.keys.push(key_of(kind, value));
                }
            }
        }
        while self.starts.len() <= docs.list.len() {
            self.starts.push(self.keys.len());
        }
        Ok(())
    }

    /// The keys of the `row`-th document of the batch.
    pub fn of(&self, row: usize) -> &[TermKey] {
        &self.keys[self.starts[row]..self.starts[row + 1]]
    }
}

/// Calls `each` with every combination of one element of each list, the last list fastest; stops at an error.
pub(crate) fn combinations<T: Clone, E>(
    lists: &[&[T]],
    each: &mut dyn FnMut(&[T]) -> Result<(), E>,
) -> Result<(), E> {
    if lists.iter().any(|list| list.is_empty()) {
        return Ok(());
    }
    let mut at = vec![0; lists.len()];
    let mut chosen: Vec<T> = lists.iter().map(|list| list[0].clone()).collect();
    loop {
        each(&chosen)?;
        let mut place = lists.len();
        loop {
            if place == 0 {
                return Ok(());
            }
            place -= 1;
            at[place] += 1;
            if at[place] < lists[place].len() {
                chosen[place] = lists[place][at[place]].clone();
                break;
            }
            at[place] = 0;
            chosen[place] = lists[place][0].clone();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(lists: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        let mut each = |chosen: &[u8]| {
            found.push(chosen.to_vec());
            Ok::<(), ()>(())
        };
        combinations(lists, &mut each).unwrap();
        found
    }

    #[test]
    fn every_combination_comes_once() {
        assert_eq!(
            all(&[&[1, 2], &[3], &[4, 5]]),
            [[1, 3, 4], [1, 3, 5], [2, 3, 4], [2, 3, 5]]
        );
        assert!(all(&[&[1, 2], &[]]).is_empty());
    }
}
