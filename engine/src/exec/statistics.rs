//! Statistics of fields and terms over all segments of a shard, dead documents included.

use std::sync::Arc;

use super::bm25::FieldStatistics;
use super::node::TermNode;
use crate::search::SearchError;
use crate::segment::TermInfo;
use crate::shard::ShardReader;

/// What is known of a field in the whole shard.
pub(crate) fn field_statistics(reader: &ShardReader, field: &str) -> FieldStatistics {
    let mut statistics = FieldStatistics {
        doc_count: 0,
        sum_total_term_freq: 0,
    };
    for segment in &reader.segments {
        if let Some(info) = segment.reader.field(field) {
            statistics.doc_count += u64::from(info.doc_count);
            // fields without frequencies count each term once a document
            statistics.sum_total_term_freq += info.sum_total_term_freq.max(info.sum_doc_freq);
        }
    }
    statistics
}

/// Looks a term up in all segments.
pub(crate) fn look_up(
    reader: &ShardReader,
    field: &Arc<str>,
    term: Vec<u8>,
    boost: f32,
    statistics: Arc<FieldStatistics>,
) -> Result<TermNode, SearchError> {
    let mut infos: Vec<Option<TermInfo>> = Vec::with_capacity(reader.segments.len());
    let mut doc_freq = 0;
    for segment in &reader.segments {
        let info = match segment.reader.terms(field)? {
            Some(terms) => terms.get(&term)?,
            None => None,
        };
        doc_freq += info.map_or(0, |info| u64::from(info.doc_freq));
        infos.push(info);
    }
    Ok(TermNode {
        field: field.clone(),
        term,
        boost,
        infos: infos.into(),
        doc_freq,
        statistics,
    })
}
