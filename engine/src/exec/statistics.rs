//! Statistics of fields and terms over all segments of a shard, dead documents included.

use std::sync::{Arc, OnceLock};

use hashbrown::HashMap;
use parking_lot::RwLock;

use super::bm25::FieldStatistics;
use super::node::TermNode;
use crate::search::SearchError;
use crate::segment::TermsReader;
use crate::shard::ShardReader;

/// What the segments of a shard know of a field, put together.
#[derive(Debug)]
pub(crate) struct ShardField {
    /// Full path.
    pub path: Arc<str>,
    /// Counts of the whole shard.
    pub statistics: Arc<FieldStatistics>,
    /// Its inverted terms, by segment; `None` where it has none.
    pub terms: Box<[Option<TermsReader>]>,
}

impl ShardField {
    fn open(reader: &ShardReader, path: &str) -> Result<ShardField, SearchError> {
        let mut statistics = FieldStatistics {
            doc_count: 0,
            sum_total_term_freq: 0,
        };
        let mut terms = Vec::with_capacity(reader.segments.len());
        for segment in &reader.segments {
            if let Some(info) = segment.reader.field(path) {
                statistics.doc_count += u64::from(info.doc_count);
                // fields without frequencies count each term once a document
                statistics.sum_total_term_freq += info.sum_total_term_freq.max(info.sum_doc_freq);
            }
            terms.push(segment.reader.terms(path)?);
        }
        Ok(ShardField {
            path: path.into(),
            statistics: Arc::new(statistics),
            terms: terms.into(),
        })
    }
}

/// The fields of a shard that searches asked for so far: nothing about them changes as long as its segments are the same.
#[derive(Debug, Default)]
pub(crate) struct ShardFields {
    known: RwLock<HashMap<Arc<str>, Arc<ShardField>>>,
}

impl ShardFields {
    /// The field at a path, in the shard to which these fields belong.
    pub fn get(&self, reader: &ShardReader, path: &str) -> Result<Arc<ShardField>, SearchError> {
        if let Some(known) = self.known.read().get(path) {
            return Ok(known.clone());
        }
        let field = Arc::new(ShardField::open(reader, path)?);
        let mut known = self.known.write();
        Ok(known.entry(field.path.clone()).or_insert(field).clone())
    }
}

/// Looks a term up in all segments; one that is not `wanted` is in none.
pub(crate) fn look_up(
    field: Arc<ShardField>,
    term: Vec<u8>,
    boost: f32,
    statistics: Arc<FieldStatistics>,
    wanted: bool,
) -> Result<TermNode, SearchError> {
    let infos = match &field.terms[..] {
        all if !wanted => vec![None; all.len()],
        [Some(only)] => vec![only.get(&term)?],
        all => TermsReader::get_in_all(all, &term)?,
    };
    let found = infos.iter().flatten();
    let doc_freq = found.map(|info| u64::from(info.doc_freq)).sum();
    Ok(TermNode {
        field,
        term,
        boost,
        infos,
        doc_freq,
        statistics,
        bm25: OnceLock::new(),
    })
}
