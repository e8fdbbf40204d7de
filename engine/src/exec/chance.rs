//! `random_score`: numbers by chance that stay the same as long as seed, shard and field value do.
//!
//! A value's bytes are hashed by MurmurHash3 (Appleby, 2011) from the salted seed, and the lower 24 bits of the hash make
//! the number, as in OpenSearch: equal seeds give equal scores there and here.

use super::segment_scorer::SegmentScope;
use crate::ids::DocId;
use crate::query::RandomScore;
use crate::schema::NumericKind;
use crate::search::SearchError;
use crate::segment::{NumericColumn, OrdinalColumn, PostingsNeed, SegmentReader};

/// A planned `random_score`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PlannedChance {
    /// The user's seed, mixed with what tells shards apart.
    pub seed: i32,
    /// What tells documents apart.
    pub by: ChanceBy,
}

/// What tells documents apart.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ChanceBy {
    /// Nothing that outlives the search: no seed was given.
    Place,
    /// The document's name.
    Id,
    /// A number, by path.
    Number(String, NumericKind),
    /// A term, by path.
    Term(String),
}

impl PlannedChance {
    /// * `seed`: the user's, or one drawn for this search.
    /// * `index`, `shard`: which shard is searched; the same document scores otherwise elsewhere.
    pub fn new(seed: i32, index: &str, shard: u32, by: ChanceBy) -> PlannedChance {
        let salt = (RandomScore::seed_of(index) << 10) | shard as i32;
        PlannedChance {
            seed: mix32(seed ^ salt),
            by,
        }
    }
}

/// A planned `random_score` in one segment.
pub(crate) struct Chance {
    seed: i32,
    values: Values,
}

enum Values {
    /// By `_seq_no`, which no two documents of a shard share.
    Places(Option<NumericColumn>),
    /// Hashes by document.
    Hashes(Vec<i32>),
    Numbers(Option<NumericColumn>, NumericKind),
    Terms(Option<OrdinalColumn>),
}

impl Chance {
    /// Opens what tells the documents of a segment apart.
    pub fn open(planned: &PlannedChance, scope: &SegmentScope<'_>) -> Result<Chance, SearchError> {
        let segment = scope.reader();
        let values = match &planned.by {
            ChanceBy::Place => Values::Places(segment.numeric("_seq_no")?),
            ChanceBy::Id => Values::Hashes(hashes_of_names(segment, planned.seed)?),
            ChanceBy::Number(path, kind) => Values::Numbers(segment.numeric(path)?, *kind),
            ChanceBy::Term(path) => Values::Terms(segment.ordinals(path)?),
        };
        Ok(Chance {
            seed: planned.seed,
            values,
        })
    }

    /// A number from 0 to 1, without 1.
    pub fn of(&self, doc: u32) -> Result<f64, SearchError> {
        let hash = self.hash(DocId(doc))?.unwrap_or(self.seed);
        Ok(f64::from(hash & 0x00ff_ffff) / f64::from(1 << 24))
    }

    /// `None`: the document has no value.
    fn hash(&self, doc: DocId) -> Result<Option<i32>, SearchError> {
        Ok(match &self.values {
            Values::Places(column) => column
                .as_ref()
                .and_then(|column| column.first(doc))
                .map(|place| mix32(place as i32 ^ self.seed)),
            Values::Hashes(hashes) => hashes.get(doc.0 as usize).copied(),
            Values::Numbers(column, kind) => column
                .as_ref()
                .and_then(|column| column.first(doc))
                .map(|stored| murmur(shown(*kind, stored).as_bytes(), self.seed)),
            Values::Terms(column) => {
                let Some(column) = column else {
                    return Ok(None);
                };
                let Some(ord) = column.first_ord(doc) else {
                    return Ok(None);
                };
                let mut term = Vec::new();
                column.term(ord, &mut term)?;
                Some(murmur(&term, self.seed))
            }
        })
    }
}

/// The hash of each document's name: the dictionary is walked once, in place of reading stored fields.
fn hashes_of_names(segment: &SegmentReader, seed: i32) -> Result<Vec<i32>, SearchError> {
    let mut hashes = vec![seed; segment.max_doc() as usize];
    let Some(names) = segment.terms("_id")? else {
        return Ok(hashes);
    };
    let mut iter = names.iter();
    while let Some((name, info)) = iter.next()? {
        let hash = murmur(name, seed);
        let mut cursor = names.postings(&info, PostingsNeed::Docs)?;
        loop {
            match cursor.next()? {
                DocId::NO_MORE => break,
                doc => {
                    if let Some(slot) = hashes.get_mut(doc.0 as usize) {
                        *slot = hash;
                    }
                }
            }
        }
    }
    Ok(hashes)
}

/// A number as it reads in doc values that are asked for text.
fn shown(kind: NumericKind, stored: i64) -> String {
    match kind {
        NumericKind::F64 | NumericKind::Scaled(_) => {
            crate::document::java_double(kind.to_f64(stored))
        }
        NumericKind::U64 => ((stored as u64) ^ (1 << 63)).to_string(),
        NumericKind::I64 | NumericKind::DateMillis | NumericKind::DateNanos | NumericKind::Bool => {
            stored.to_string()
        }
    }
}

/// MurmurHash3 of 32 bits (Appleby, 2011).
pub(crate) fn murmur(bytes: &[u8], seed: i32) -> i32 {
    let mut bytes = bytes;
    // reading from memory cannot fail; were it to, all values would share a hash and none would be lost
    murmur3::murmur3_32(&mut bytes, seed as u32).unwrap_or(0) as i32
}

/// The finalizer of MurmurHash3.
fn mix32(number: i32) -> i32 {
    let mut k = number as u32;
    k = (k ^ (k >> 16)).wrapping_mul(0x85eb_ca6b);
    k = (k ^ (k >> 13)).wrapping_mul(0xc2b2_ae35);
    (k ^ (k >> 16)) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Published values of the three hashes.
    #[test]
    fn hashes_are_those_of_the_reference() {
        assert_eq!(RandomScore::seed_of("test"), 3_556_498);
        assert_eq!(RandomScore::seed_of("polygenelubricants"), i32::MIN);
        assert_eq!(mix32(0), 0);
        assert_eq!(mix32(1) as u32, 0x514e_28b7);
        assert_eq!(murmur(b"", 1) as u32, 0x514e_28b7);
        assert_eq!(murmur(b"test", 0) as u32, 0xba6b_d213);
    }

    #[test]
    fn shards_and_indices_draw_other_numbers() {
        let seed = |index, shard| PlannedChance::new(7, index, shard, ChanceBy::Id).seed;
        assert_eq!(
            seed("hats", 0),
            mix32(7 ^ (RandomScore::seed_of("hats") << 10))
        );
        assert_ne!(seed("hats", 0), seed("hats", 1));
        assert_ne!(seed("hats", 0), seed("caps", 0));
    }
}
