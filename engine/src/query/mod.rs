//! Queries as typed trees: what a search, a count or a filter asks for, before any index is known.
//!
//! One file per query. Every query carries `boost` (a factor of its score, 1.0 when not given) and `name` (under which
//! a hit reports that this clause matched it). The trees cross the wire with serde; unknown fields are refused.
//!
//! Planning against a shard happens in [`exec`](crate::exec).

mod bool;
mod boosting;
mod combined_fields;
mod constant_score;
mod dis_max;
mod exists;
mod function_score;
mod fuzziness;
mod fuzzy;
mod geo;
mod ids;
mod match_all;
mod match_bool_prefix;
mod match_phrase;
mod match_phrase_prefix;
mod match_text;
mod minimum_should_match;
mod multi_match;
mod prefix;
pub(crate) mod query_string;
mod range;
mod regexp;
mod rewrite;
mod simple_query_string;
mod term;
mod terms;
mod terms_set;
mod wildcard;

pub use self::bool::BoolQuery;
pub use boosting::BoostingQuery;
pub use combined_fields::CombinedFieldsQuery;
pub use constant_score::ConstantScoreQuery;
pub use dis_max::DisMaxQuery;
pub use exists::ExistsQuery;
pub use function_score::{
    BoostMode, Decay, DecayShape, FieldFactor, FieldModifier, FunctionScoreQuery, MultiValueMode,
    RandomScore, ScoreFunction, ScoreFunctionKind, ScoreMode,
};
pub use fuzziness::{Fuzziness, FuzzinessError};
pub use fuzzy::FuzzyQuery;
pub use geo::{GeoClause, GeoQuery, GeoShape, PlaceRule};
pub use ids::IdsQuery;
pub use match_all::{MatchAllQuery, MatchNoneQuery};
pub use match_bool_prefix::MatchBoolPrefixQuery;
pub use match_phrase::MatchPhraseQuery;
pub use match_phrase_prefix::MatchPhrasePrefixQuery;
pub use match_text::{MatchQuery, Operator, ZeroTerms};
pub use minimum_should_match::{MinimumShouldMatch, MinimumShouldMatchError};
pub use multi_match::{FieldBoost, MultiMatchQuery, MultiMatchType};
pub use prefix::PrefixQuery;
pub use query_string::QueryStringQuery;
pub use range::{RangeQuery, RangeRelation};
pub use regexp::{RegexpFlags, RegexpQuery};
pub use rewrite::TermsRewrite;
pub use simple_query_string::{SimpleFlags, SimpleQueryStringQuery};
pub use term::TermQuery;
pub use terms::TermsQuery;
pub use terms_set::TermsSetQuery;
pub use wildcard::WildcardQuery;

use serde::{Deserialize, Serialize};

/// What a search asks for. One variant per query that users can write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // each variant is documented at its struct
pub enum Query {
    MatchAll(MatchAllQuery),
    MatchNone(MatchNoneQuery),
    Match(MatchQuery),
    MatchPhrase(MatchPhraseQuery),
    MatchPhrasePrefix(MatchPhrasePrefixQuery),
    MatchBoolPrefix(MatchBoolPrefixQuery),
    MultiMatch(MultiMatchQuery),
    Term(TermQuery),
    Terms(TermsQuery),
    Range(RangeQuery),
    Exists(ExistsQuery),
    Geo(GeoQuery),
    Ids(IdsQuery),
    Prefix(PrefixQuery),
    Wildcard(WildcardQuery),
    Regexp(RegexpQuery),
    Fuzzy(FuzzyQuery),
    Bool(BoolQuery),
    ConstantScore(ConstantScoreQuery),
    DisMax(DisMaxQuery),
    Boosting(BoostingQuery),
    FunctionScore(FunctionScoreQuery),
    QueryString(QueryStringQuery),
    SimpleQueryString(SimpleQueryStringQuery),
    TermsSet(TermsSetQuery),
    CombinedFields(CombinedFieldsQuery),
}

impl Query {
    /// Every document, each with score 1.0.
    pub fn match_all() -> Query {
        Query::MatchAll(MatchAllQuery::default())
    }

    /// No document.
    pub fn match_none() -> Query {
        Query::MatchNone(MatchNoneQuery::default())
    }

    /// The factor of this clause's score.
    pub fn boost(&self) -> f32 {
        *self.header().0
    }

    /// The `_name` under which hits report that this clause matched.
    pub fn name(&self) -> Option<&str> {
        self.header().1.as_deref()
    }

    fn header(&self) -> (&f32, &Option<String>) {
        match self {
            Query::MatchAll(q) => (&q.boost, &q.name),
            Query::MatchNone(q) => (&q.boost, &q.name),
            Query::Match(q) => (&q.boost, &q.name),
            Query::MatchPhrase(q) => (&q.boost, &q.name),
            Query::MatchPhrasePrefix(q) => (&q.boost, &q.name),
            Query::MatchBoolPrefix(q) => (&q.boost, &q.name),
            Query::MultiMatch(q) => (&q.boost, &q.name),
            Query::Term(q) => (&q.boost, &q.name),
            Query::Terms(q) => (&q.boost, &q.name),
            Query::Range(q) => (&q.boost, &q.name),
            Query::Exists(q) => (&q.boost, &q.name),
            Query::Geo(q) => (&q.boost, &q.name),
            Query::Ids(q) => (&q.boost, &q.name),
            Query::Prefix(q) => (&q.boost, &q.name),
            Query::Wildcard(q) => (&q.boost, &q.name),
            Query::Regexp(q) => (&q.boost, &q.name),
            Query::Fuzzy(q) => (&q.boost, &q.name),
            Query::Bool(q) => (&q.boost, &q.name),
            Query::ConstantScore(q) => (&q.boost, &q.name),
            Query::DisMax(q) => (&q.boost, &q.name),
            Query::Boosting(q) => (&q.boost, &q.name),
            Query::FunctionScore(q) => (&q.boost, &q.name),
            Query::QueryString(q) => (&q.boost, &q.name),
            Query::SimpleQueryString(q) => (&q.boost, &q.name),
            Query::TermsSet(q) => (&q.boost, &q.name),
            Query::CombinedFields(q) => (&q.boost, &q.name),
        }
    }

    /// Calls `visit` with the direct children of this query, in the order in which they are written.
    pub fn children<'q>(&'q self, visit: &mut dyn FnMut(&'q Query)) {
        match self {
            Query::Bool(q) => {
                for clause in q
                    .must
                    .iter()
                    .chain(&q.filter)
                    .chain(&q.should)
                    .chain(&q.must_not)
                {
                    visit(clause);
                }
            }
            Query::ConstantScore(q) => visit(&q.filter),
            Query::DisMax(q) => q.queries.iter().for_each(visit),
            Query::Boosting(q) => {
                visit(&q.positive);
                visit(&q.negative);
            }
            Query::FunctionScore(q) => {
                visit(&q.query);
                for function in &q.functions {
                    if let Some(filter) = &function.filter {
                        visit(filter);
                    }
                }
            }
            Query::MatchAll(_)
            | Query::MatchNone(_)
            | Query::Match(_)
            | Query::MatchPhrase(_)
            | Query::MatchPhrasePrefix(_)
            | Query::MatchBoolPrefix(_)
            | Query::MultiMatch(_)
            | Query::Term(_)
            | Query::Terms(_)
            | Query::Range(_)
            | Query::Exists(_)
            | Query::Geo(_)
            | Query::Ids(_)
            | Query::Prefix(_)
            | Query::Wildcard(_)
            | Query::Regexp(_)
            | Query::Fuzzy(_)
            | Query::QueryString(_)
            | Query::SimpleQueryString(_)
            | Query::TermsSet(_)
            | Query::CombinedFields(_) => {}
        }
    }
}
