//! Statistics of a query's terms: shards give theirs, and search with the sum, so that scores are the same on all.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{SearchContext, SearchError};
use crate::exec::Planner;
use crate::query::Query;
use crate::shard::ShardReader;

/// What is known of the terms of some queries and of their fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TermStatistics {
    /// Documents with the field, and occurrences of all its terms.
    pub fields: BTreeMap<String, (u64, u64)>,
    /// Documents with the term, by field.
    pub terms: BTreeMap<String, BTreeMap<Vec<u8>, u64>>,
}

impl TermStatistics {
    /// Adds those of another shard.
    pub fn add(&mut self, other: TermStatistics) {
        for (field, (docs, occurrences)) in other.fields {
            let sum = self.fields.entry(field).or_default();
            sum.0 += docs;
            sum.1 += occurrences;
        }
        for (field, terms) in other.terms {
            let sums = self.terms.entry(field).or_default();
            for (term, docs) in terms {
                *sums.entry(term).or_default() += docs;
            }
        }
    }

    /// Documents with a term, if it is known.
    pub(crate) fn doc_freq(&self, field: &str, term: &[u8]) -> Option<u64> {
        self.terms.get(field)?.get(term).copied()
    }
}

/// The statistics of all terms that some queries score by.
pub fn term_statistics(
    reader: &ShardReader,
    queries: &[Query],
    context: &SearchContext<'_>,
) -> Result<TermStatistics, SearchError> {
    let mut planner = Planner::new(reader, context);
    planner.record();
    for query in queries {
        planner.plan(query)?;
    }
    Ok(planner.into_seen())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_add_up() {
        let of = |docs, freq| TermStatistics {
            fields: BTreeMap::from([("f".to_owned(), (docs, docs * 2))]),
            terms: BTreeMap::from([("f".to_owned(), BTreeMap::from([(b"x".to_vec(), freq)]))]),
        };
        let mut sum = of(3, 1);
        sum.add(of(4, 0));
        assert_eq!(sum, of(7, 1));
        assert_eq!(
            (sum.doc_freq("f", b"x"), sum.doc_freq("g", b"x")),
            (Some(1), None)
        );
    }
}
