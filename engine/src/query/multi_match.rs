//! `multi_match`: one text, several fields.

use serde::{Deserialize, Serialize};

use super::{Fuzziness, MinimumShouldMatch, Operator, ZeroTerms};
use crate::value::Value;

/// A text looked for in several fields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MultiMatchQuery {
    /// What to look for.
    pub text: Value,
    /// Where; names may hold `*`. Empty: the fields of `index.query.default_field`.
    pub fields: Vec<FieldBoost>,
    /// How fields combine.
    pub kind: MultiMatchType,
    /// Whether one term is enough.
    pub operator: Operator,
    /// How many terms must match.
    pub minimum_should_match: Option<MinimumShouldMatch>,
    /// Edits allowed per term.
    pub fuzziness: Option<Fuzziness>,
    /// Characters at the start of a term that must not change.
    pub prefix_length: u32,
    /// Most terms that a prefix or a fuzzy term stands for.
    pub max_expansions: u32,
    /// Whether swapping two neighbours counts as one edit.
    pub fuzzy_transpositions: bool,
    /// How fuzzy terms score.
    pub fuzzy_rewrite: Option<super::TermsRewrite>,
    /// Moves allowed, for the phrase types.
    pub slop: u32,
    /// Part of the lesser fields' scores that counts; `None`: what the type says.
    pub tie_breaker: Option<f32>,
    /// `None`: only when the query names no fields.
    pub lenient: Option<bool>,
    /// What an empty analysis matches.
    pub zero_terms: ZeroTerms,
    /// Name of the analyzer to use in place of the fields'.
    pub analyzer: Option<String>,
    /// Whether a synonym of several words is searched as a phrase.
    pub auto_generate_synonyms_phrase_query: bool,
    /// Factor of the score.
    pub boost: f32,
    /// Name reported by hits that this clause matched.
    pub name: Option<String>,
}

impl MultiMatchQuery {
    /// A query with all defaults.
    pub fn new(text: Value, fields: Vec<FieldBoost>) -> Self {
        MultiMatchQuery {
            text,
            fields,
            kind: MultiMatchType::BestFields,
            operator: Operator::Or,
            minimum_should_match: None,
            fuzziness: None,
            prefix_length: 0,
            max_expansions: 50,
            fuzzy_transpositions: true,
            fuzzy_rewrite: None,
            slop: 0,
            tie_breaker: None,
            lenient: None,
            zero_terms: ZeroTerms::None,
            analyzer: None,
            auto_generate_synonyms_phrase_query: true,
            boost: 1.0,
            name: None,
        }
    }
}

/// A field, or a pattern of field names, with the factor of its scores.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldBoost {
    /// Path or pattern.
    pub field: String,
    /// Factor.
    pub boost: f32,
}

impl FieldBoost {
    /// Reads `name` or `name^factor`; `None` when the factor is no number.
    pub fn parse(text: &str) -> Option<FieldBoost> {
        match text.rsplit_once('^') {
            Some((field, boost)) => Some(FieldBoost {
                field: field.to_owned(),
                boost: boost.trim().parse().ok()?,
            }),
            None => Some(FieldBoost {
                field: text.to_owned(),
                boost: 1.0,
            }),
        }
    }
}

/// How the fields of a `multi_match` combine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MultiMatchType {
    /// The best field's score.
    BestFields,
    /// The sum of the fields' scores.
    MostFields,
    /// Terms may be spread over the fields, which score as one.
    CrossFields,
    /// A phrase in each field; the best counts.
    Phrase,
    /// A phrase prefix in each field; the best counts.
    PhrasePrefix,
    /// A `match_bool_prefix` in each field; the sum counts.
    BoolPrefix,
}

impl MultiMatchType {
    /// The tie breaker that goes with the type.
    pub fn default_tie_breaker(self) -> f32 {
        match self {
            MultiMatchType::MostFields | MultiMatchType::BoolPrefix => 1.0,
            MultiMatchType::BestFields
            | MultiMatchType::CrossFields
            | MultiMatchType::Phrase
            | MultiMatchType::PhrasePrefix => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_field_with_its_factor() {
        let boosted = FieldBoost::parse("title^2.5").unwrap();
        assert_eq!((boosted.field.as_str(), boosted.boost), ("title", 2.5));
        assert_eq!(FieldBoost::parse("title").unwrap().boost, 1.0);
        assert_eq!(FieldBoost::parse("title^x"), None);
    }
}
