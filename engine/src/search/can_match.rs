//! Whether a shard can have hits at all: what its mapping and the ends of its columns tell, without a look at documents.
//!
//! Only what is sure counts: a field that the mapping does not have, an index of another name, a range of numbers beside
//! those of every segment. Terms are not looked up: that is what the search itself begins with.

use serde::{Deserialize, Serialize};

use super::phases;
use super::sort_reader::PlannedKey;
use super::{SearchContext, SearchError, SearchRequest, SortValue};
use crate::aggs::AggKind;
use crate::exec::{DocsNode, Node, Planner};
use crate::query::{BoolQuery, Query};
use crate::segment::{ReadError, SegmentReader};
use crate::shard::ShardReader;

/// What a shard tells of a request before it is searched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CanMatch {
    /// `false`: no document of it matches, and to search it would not fail.
    pub can_match: bool,
    /// The smallest and the greatest value of the first sort key among documents that have one, where columns tell.
    pub sort_bounds: Option<(SortValue, SortValue)>,
}

/// Looks at a shard. An error says that the search would fail, or that nobody knows.
pub fn can_match(
    reader: &ShardReader,
    request: &SearchRequest,
    context: &SearchContext<'_>,
) -> Result<CanMatch, SearchError> {
    let sort_bounds = match request.sort.first() {
        Some(key) => PlannedKey::new(key, reader, context)?.bounds(reader)?,
        None => None,
    };
    let mut look = Look {
        reader,
        planner: Planner::new(reader, context),
    };
    let can_match = look.can(&request.query)?;
    if !can_match {
        // what the search would refuse is for it to say
        look.planner.plan(&request.query)?;
        let nothing = SearchRequest {
            query: Query::match_none(),
            // these look at all documents, which is no quick look
            aggs: request
                .aggs
                .iter()
                .filter(|agg| !matches!(agg.kind, AggKind::Global(_)))
                .cloned()
                .collect(),
            ..request.clone()
        };
        phases::query(reader, &nothing, context)?;
    }
    Ok(CanMatch {
        can_match,
        sort_bounds,
    })
}

struct Look<'a> {
    reader: &'a ShardReader,
    planner: Planner<'a>,
}

impl Look<'_> {
    /// `false`: no document matches.
    fn can(&mut self, query: &Query) -> Result<bool, SearchError> {
        match query {
            Query::MatchNone(_) => Ok(false),
            Query::Bool(q) => self.can_bool(q),
            Query::ConstantScore(q) => self.can(&q.filter),
            Query::Boosting(q) => self.can(&q.positive),
            Query::FunctionScore(q) => self.can(&q.query),
            Query::DisMax(q) => Ok(self.count(&q.queries)? > 0),
            Query::Range(_) => self.can_range(query),
            Query::Term(q) => self.can_exact(&q.field, query),
            Query::Terms(q) => self.can_exact(&q.field, query),
            Query::Prefix(q) => self.can_exact(&q.field, query),
            Query::Wildcard(q) => self.can_exact(&q.field, query),
            Query::Match(q) => self.can_exact(&q.field, query),
            Query::MatchPhrase(q) => self.can_exact(&q.field, query),
            Query::Exists(_) => Ok(!self.planner.plan(query)?.is_nothing()),
            Query::MatchAll(_)
            | Query::MatchPhrasePrefix(_)
            | Query::MatchBoolPrefix(_)
            | Query::MultiMatch(_)
            | Query::Geo(_)
            | Query::Ids(_)
            | Query::Regexp(_)
            | Query::Fuzzy(_)
            | Query::QueryString(_)
            | Query::SimpleQueryString(_)
            | Query::TermsSet(_)
            | Query::CombinedFields(_) => Ok(true),
        }
    }

    /// How many of the queries can match.
    fn count(&mut self, queries: &[Query]) -> Result<usize, SearchError> {
        let mut count = 0;
        for query in queries {
            count += usize::from(self.can(query)?);
        }
        Ok(count)
    }

    fn can_bool(&mut self, query: &BoolQuery) -> Result<bool, SearchError> {
        for clause in query.must.iter().chain(&query.filter) {
            if !self.can(clause)? {
                return Ok(false);
            }
        }
        if query.should.is_empty() {
            return Ok(true);
        }
        let mut needed = match &query.minimum_should_match {
            Some(rule) => rule.needed_of(query.should.len()),
            None => 0,
        };
        if query.must.is_empty() && query.filter.is_empty() {
            needed = needed.max(1);
        }
        Ok(needed == 0 || self.count(&query.should)? >= needed)
    }

    /// A query of one field, which finds nothing where the field is not there or has one other value for all documents.
    fn can_exact(&mut self, field: &str, query: &Query) -> Result<bool, SearchError> {
        let is_same_for_all = match self.reader.schema.mapping.field(field) {
            Some(field) => field.constant().is_some(),
            None => true,
        };
        if !is_same_for_all {
            return Ok(true);
        }
        Ok(!self.planner.plan(query)?.is_nothing())
    }

    fn can_range(&mut self, query: &Query) -> Result<bool, SearchError> {
        match self.planner.plan(query)? {
            Node::Nothing => Ok(false),
            Node::Constant {
                docs: DocsNode::Numbers { field, lo, hi },
                ..
            } => {
                for segment in &self.reader.segments {
                    if let Some((min, max)) = ends(&segment.reader, &field)?
                        && min <= hi
                        && lo <= max
                    {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            _ => Ok(true),
        }
    }
}

/// The smallest and the greatest number of a field in a segment, dead documents included; `None`: it has none.
fn ends(segment: &SegmentReader, field: &str) -> Result<Option<(i64, i64)>, ReadError> {
    if let Some(column) = segment.numeric(field)? {
        let has_some = column.doc_count() > 0;
        return Ok(has_some.then(|| (column.min(), column.max())));
    }
    let points = segment.points(field)?.filter(|points| !points.is_empty());
    Ok(points.map(|points| (points.min(), points.max())))
}
