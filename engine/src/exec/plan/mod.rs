//! Plans: what a query comes down to on one shard.
//!
//! Boosts are multiplied on the way down, in single precision, so that every leaf has the factor which it is scored with.

mod combined_fields;
mod compound;
mod function_score;
mod geo;
mod leaf;
mod multi_match;
mod pattern;
mod query_string;
mod simple_query_string;
mod simplify;
mod text;

use std::sync::Arc;

use hashbrown::HashMap;

use super::bm25::FieldStatistics;
use super::filters::mark;
use super::node::{DocsNode, Node, TermNode};
use super::statistics::{ShardField, look_up};
use crate::query::Query;
use crate::schema::FieldMapping;
use crate::search::{SearchContext, SearchError, TermStatistics};
use crate::shard::ShardReader;

/// Deepest nesting of any queries; what users may nest is bounded before, when a body is read.
const DEPTH_MAX: usize = 200;

/// Plans queries for one shard.
pub(crate) struct Planner<'a> {
    pub(super) shard: &'a ShardReader,
    pub(super) context: &'a SearchContext<'a>,
    /// Statistics of fields in which those of all shards count.
    statistics: HashMap<String, Arc<FieldStatistics>>,
    /// The shard's own statistics of what was looked up.
    /// `None`: nobody asked.
    seen: Option<TermStatistics>,
    /// Terms and other leaves so far.
    leaves: usize,
    depth: usize,
    /// Whether scores matter.
    scored: bool,
    /// Whether the clause at hand is left out later: its terms need not be looked up.
    idle: bool,
}

impl<'a> Planner<'a> {
    /// For queries against `shard`.
    pub fn new(shard: &'a ShardReader, context: &'a SearchContext<'a>) -> Self {
        Planner {
            shard,
            context,
            statistics: HashMap::new(),
            seen: None,
            leaves: 0,
            depth: 0,
            scored: true,
            idle: false,
        }
    }

    /// For queries of which only the documents matter: what does nothing but add to scores is left out.
    pub fn unscored(shard: &'a ShardReader, context: &'a SearchContext<'a>) -> Self {
        Planner {
            scored: false,
            ..Planner::new(shard, context)
        }
    }

    /// From now on keeps what it looks up.
    pub fn record(&mut self) {
        self.seen = Some(TermStatistics::default());
    }

    /// The shard's own statistics of all terms looked up since [`record`](Self::record).
    pub fn into_seen(self) -> TermStatistics {
        self.seen.unwrap_or_default()
    }

    /// Plans a whole query; errors are as a shard reports them.
    pub fn plan(&mut self, query: &Query) -> Result<Node, SearchError> {
        self.leaves = 0;
        self.node(query, 1.0)
            .map_err(SearchError::while_creating_query)
    }

    /// Plans a query that is run over whole segments: its filters may be kept for the next time. `is_first`: this counts as a
    /// use of them; not where one search plans the same again.
    pub fn plan_kept(&mut self, query: &Query, is_first: bool) -> Result<Node, SearchError> {
        let mut node = self.plan(query)?;
        if self.shard.schema.settings.queries_cache {
            mark(&mut node, is_first.then_some(&self.shard.filters));
        }
        Ok(node)
    }

    /// Plans a clause; `boost` is the product of all boosts above it.
    pub(super) fn node(&mut self, query: &Query, boost: f32) -> Result<Node, SearchError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(SearchError::illegal(format!(
                "The nested depth of the query exceeds [{DEPTH_MAX}]"
            )));
        }
        let boost = boost * query.boost();
        let node = match query {
            Query::MatchAll(_) => Ok(Node::All { boost }),
            Query::MatchNone(_) => Ok(Node::Nothing),
            Query::Match(q) => self.match_text(q, boost),
            Query::MatchPhrase(q) => self.match_phrase(q, boost),
            Query::MatchPhrasePrefix(q) => self.match_phrase_prefix(q, boost),
            Query::MatchBoolPrefix(q) => self.match_bool_prefix(q, boost),
            Query::MultiMatch(q) => self.multi_match(q, boost),
            Query::Term(q) => self.term_query(q, boost),
            Query::Terms(q) => self.terms_query(q, boost),
            Query::Range(q) => self.range(q, boost),
            Query::Exists(q) => self.exists(q, boost),
            Query::Geo(q) => self.geo(q, boost),
            Query::Ids(q) => Ok(ids(q.values.clone(), boost)),
            Query::Prefix(q) => self.prefix(q, boost),
            Query::Wildcard(q) => self.wildcard(q, boost),
            Query::Regexp(q) => self.regexp(q, boost),
            Query::Fuzzy(q) => self.fuzzy(q, boost),
            Query::Bool(q) => self.bool(q, boost),
            Query::ConstantScore(q) => self.constant_score(q, boost),
            Query::DisMax(q) => self.dis_max(q, boost),
            Query::Boosting(q) => self.boosting(q, boost),
            Query::FunctionScore(q) => self.function_score(q, boost),
            Query::QueryString(q) => self.query_string(q, boost),
            Query::SimpleQueryString(q) => self.simple_query_string(q, boost),
            Query::TermsSet(q) => self.terms_set(q, boost),
            Query::CombinedFields(q) => self.combined_fields(q, boost),
        };
        self.depth -= 1;
        node
    }

    /// The field at a path, aliases resolved.
    pub(super) fn field(&self, path: &str) -> Option<Arc<FieldMapping>> {
        self.shard.schema.mapping.field(path).cloned()
    }

    /// What the shard knows of a field.
    fn shard_field(&mut self, path: &str) -> Result<Arc<ShardField>, SearchError> {
        let field = self.shard.fields.get(self.shard, path)?;
        if let Some(seen) = &mut self.seen {
            let own = &field.statistics;
            let counts = (own.doc_count, own.sum_total_term_freq);
            seen.fields.insert(path.to_owned(), counts);
        }
        Ok(field)
    }

    /// The statistics that a field's terms are scored with.
    fn statistics_of(&mut self, field: &ShardField) -> Arc<FieldStatistics> {
        let of_all = self.context.statistics;
        let Some((docs, occurrences)) = of_all.and_then(|all| all.fields.get(&*field.path)) else {
            return field.statistics.clone();
        };
        if let Some(known) = self.statistics.get(&*field.path) {
            return known.clone();
        }
        let found = Arc::new(FieldStatistics {
            doc_count: (*docs).max(field.statistics.doc_count),
            sum_total_term_freq: (*occurrences).max(field.statistics.sum_total_term_freq),
        });
        let path = field.path.to_string();
        self.statistics.insert(path, found.clone());
        found
    }

    /// Looks a term up in all segments.
    pub(super) fn term_node(
        &mut self,
        field: &str,
        term: Vec<u8>,
        boost: f32,
    ) -> Result<TermNode, SearchError> {
        self.count_leaf()?;
        let field = self.shard_field(field)?;
        let statistics = self.statistics_of(&field);
        let mut node = look_up(field, term, boost, statistics, !self.idle)?;
        let path = &*node.field.path;
        if let Some(seen) = &mut self.seen {
            let terms = seen.terms.entry(path.to_owned()).or_default();
            terms.insert(node.term.clone(), node.doc_freq);
        }
        if let Some(all) = self.context.statistics
            && let Some(doc_freq) = all.doc_freq(path, &node.term)
        {
            node.doc_freq = doc_freq.max(node.doc_freq);
        }
        Ok(node)
    }

    /// Counts one more term or other leaf, of which there may be only so many.
    pub(super) fn count_leaf(&mut self) -> Result<(), SearchError> {
        self.leaves += 1;
        if self.leaves > self.context.max_clause_count {
            return Err(SearchError::refused(
                "too_many_nested_clauses",
                format!(
                    "Query contains too many nested clauses; maxClauseCount is set to {}",
                    self.context.max_clause_count
                ),
            ));
        }
        Ok(())
    }
}

/// Documents by name.
pub(super) fn ids(mut ids: Vec<String>, boost: f32) -> Node {
    if ids.is_empty() {
        return Node::Nothing;
    }
    ids.sort_unstable();
    ids.dedup();
    Node::constant(DocsNode::Ids(ids.into()), boost)
}
