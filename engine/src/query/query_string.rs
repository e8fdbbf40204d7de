//! `query_string`: a whole query in Lucene's syntax. The shard parses it, since analysis and mapping decide its meaning.

mod syntax;

pub(crate) use syntax::{Clause, Leaf, Occur, parse};

use serde::{Deserialize, Serialize};

use super::{FieldBoost, Fuzziness, MinimumShouldMatch, MultiMatchType, Operator, TermsRewrite};

/// A query written as text, strictly: a mistake in the syntax is an error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueryStringQuery {
    /// The text.
    pub query: String,
    /// Field of terms that name none; may hold `*`. `None`, and no `fields`: `index.query.default_field`.
    pub default_field: Option<String>,
    /// Fields of terms that name none, in place of `default_field`.
    pub fields: Vec<FieldBoost>,
    /// How several fields combine.
    pub kind: MultiMatchType,
    /// Between terms without one.
    pub default_operator: Operator,
    /// Analyzer in place of the fields'.
    pub analyzer: Option<String>,
    /// Analyzer of quoted parts.
    pub quote_analyzer: Option<String>,
    /// Whether a term may begin with `*` or `?`.
    pub allow_leading_wildcard: bool,
    /// Whether terms with wildcards are analysed.
    pub analyze_wildcard: bool,
    /// Whether positions left by removed tokens count in phrases.
    pub enable_position_increments: bool,
    /// Edits of `term~` without a number.
    pub fuzziness: Fuzziness,
    /// Most terms that a fuzzy term stands for.
    pub fuzzy_max_expansions: u32,
    /// Characters at the start of a fuzzy term that must not change.
    pub fuzzy_prefix_length: u32,
    /// Whether swapping two neighbours counts as one edit.
    pub fuzzy_transpositions: bool,
    /// How fuzzy terms score.
    pub fuzzy_rewrite: Option<TermsRewrite>,
    /// How wildcard terms score.
    pub rewrite: Option<TermsRewrite>,
    /// `None`: only when the query names no fields.
    pub lenient: Option<bool>,
    /// Bounds the work of compiling regular expressions.
    pub max_determinized_states: u32,
    /// How many optional clauses must match.
    pub minimum_should_match: Option<MinimumShouldMatch>,
    /// Slop of phrases that name none.
    pub phrase_slop: u32,
    /// Appended to field names in quoted parts.
    pub quote_field_suffix: Option<String>,
    /// Part of the lesser fields' scores that counts.
    pub tie_breaker: Option<f32>,
    /// Zone of dates that name none.
    pub time_zone: Option<String>,
    /// Whether a synonym of several words is searched as a phrase.
    pub auto_generate_synonyms_phrase_query: bool,
    /// Whether special characters are taken as text.
    pub escape: bool,
    /// Factor of the score.
    pub boost: f32,
    /// Name reported by hits that this clause matched.
    pub name: Option<String>,
}

impl QueryStringQuery {
    /// A query with all defaults.
    pub fn new(query: impl Into<String>) -> Self {
        QueryStringQuery {
            query: query.into(),
            default_field: None,
            fields: Vec::new(),
            kind: MultiMatchType::BestFields,
            default_operator: Operator::Or,
            analyzer: None,
            quote_analyzer: None,
            allow_leading_wildcard: true,
            analyze_wildcard: false,
            enable_position_increments: true,
            fuzziness: Fuzziness::AUTO,
            fuzzy_max_expansions: 50,
            fuzzy_prefix_length: 0,
            fuzzy_transpositions: true,
            fuzzy_rewrite: None,
            rewrite: None,
            lenient: None,
            max_determinized_states: 10_000,
            minimum_should_match: None,
            phrase_slop: 0,
            quote_field_suffix: None,
            tie_breaker: None,
            time_zone: None,
            auto_generate_synonyms_phrase_query: true,
            escape: false,
            boost: 1.0,
            name: None,
        }
    }
}
