//! What shards know of a `composite`: the first buckets after a key.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::error::AggError;
use super::format::ValueFormat;
use super::partial::{Partial, merge_lists};
use super::result::Key;
use super::terms_partial::TermKey;

/// One value per source; `None` is missing.
pub(crate) type CompositeKey = Vec<Option<TermKey>>;

/// How the values of one source are sorted and shown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct CompositeColumn {
    pub descending: bool,
    pub missing_last: bool,
    pub format: ValueFormat,
}

/// Buckets in the order of their keys.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct CompositePartial {
    /// One per source; empty: no shard has answered yet.
    pub columns: Vec<CompositeColumn>,
    pub size: usize,
    pub buckets: Vec<CompositeBucket>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct CompositeBucket {
    pub key: CompositeKey,
    pub doc_count: u64,
    pub sub: Vec<Partial>,
}

/// Compares source by source.
pub(crate) fn compare_keys(
    columns: &[CompositeColumn],
    a: &[Option<TermKey>],
    b: &[Option<TermKey>],
) -> Ordering {
    for (column, (a, b)) in columns.iter().zip(a.iter().zip(b)) {
        let found = match (a, b) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) if column.missing_last => Ordering::Greater,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) if column.missing_last => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(a), Some(b)) if column.descending => b.cmp(a),
            (Some(a), Some(b)) => a.cmp(b),
        };
        if found != Ordering::Equal {
            return found;
        }
    }
    Ordering::Equal
}

impl CompositePartial {
    pub fn merge(&mut self, other: CompositePartial) -> Result<(), AggError> {
        if other.columns.is_empty() {
            return Ok(());
        }
        if self.columns.is_empty() {
            *self = other;
            return Ok(());
        }
        for (own, other) in self.columns.iter_mut().zip(other.columns) {
            if own.format.is_raw() {
                own.format = other.format;
            }
        }
        let mut merged: Vec<CompositeBucket> = Vec::with_capacity(self.buckets.len());
        let mut theirs = other.buckets.into_iter().peekable();
        for mut bucket in std::mem::take(&mut self.buckets) {
            while let Some(before) =
                theirs.next_if(|their| compare_keys(&self.columns, &their.key, &bucket.key).is_lt())
            {
                merged.push(before);
            }
            while let Some(same) =
                theirs.next_if(|their| compare_keys(&self.columns, &their.key, &bucket.key).is_eq())
            {
                bucket.doc_count += same.doc_count;
                merge_lists(&mut bucket.sub, same.sub)?;
            }
            merged.push(bucket);
        }
        merged.extend(theirs);
        merged.truncate(self.size);
        self.buckets = merged;
        Ok(())
    }

    /// A key as shown, by the names of the sources.
    pub fn shown<'n>(&self, names: impl Iterator<Item = &'n str>, key: &CompositeKey) -> Key {
        let mut shown = Vec::with_capacity(key.len());
        for ((name, column), value) in names.zip(&self.columns).zip(key) {
            let value = match value {
                None => Key::Null,
                Some(value) => value.formatted(&column.format),
            };
            shown.push((name.to_owned(), value));
        }
        Key::Named(shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(value: Option<i64>) -> CompositeKey {
        vec![value.map(TermKey::Long)]
    }

    #[test]
    fn missing_values_stand_where_they_are_wanted() {
        for (descending, missing_last, expected) in [
            (false, false, [None, Some(1), Some(2)]),
            (false, true, [Some(1), Some(2), None]),
            (true, true, [Some(2), Some(1), None]),
        ] {
            let columns = [CompositeColumn {
                descending,
                missing_last,
                format: ValueFormat::Raw,
            }];
            let mut keys = [key(Some(2)), key(None), key(Some(1))];
            keys.sort_by(|a, b| compare_keys(&columns, a, b));
            assert_eq!(keys, expected.map(key));
        }
    }

    #[test]
    fn the_first_buckets_of_both_stay() {
        let partial = |keys: &[i64]| CompositePartial {
            columns: vec![CompositeColumn::default()],
            size: 2,
            buckets: keys
                .iter()
                .map(|n| CompositeBucket {
                    key: key(Some(*n)),
                    doc_count: 1,
                    sub: Vec::new(),
                })
                .collect(),
        };
        let mut merged = partial(&[1, 4]);
        merged.merge(partial(&[1, 3])).unwrap();
        let counts: Vec<(CompositeKey, u64)> = merged
            .buckets
            .into_iter()
            .map(|bucket| (bucket.key, bucket.doc_count))
            .collect();
        assert_eq!(counts, [(key(Some(1)), 2), (key(Some(3)), 1)]);
    }
}
