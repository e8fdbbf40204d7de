//! `simple_query_string`: a query as text that never has a mistake. The shard parses it.

use serde::{Deserialize, Serialize};

use super::{FieldBoost, MinimumShouldMatch, Operator};

/// A query written as text; what has no meaning is ignored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimpleQueryStringQuery {
    /// The text.
    pub query: String,
    /// Where; names may hold `*`. Empty: the fields of `index.query.default_field`.
    pub fields: Vec<FieldBoost>,
    /// Which operators have a meaning.
    pub flags: SimpleFlags,
    /// Between terms without one.
    pub default_operator: Operator,
    /// Analyzer in place of the fields'.
    pub analyzer: Option<String>,
    /// Whether the beginnings in `begin*` are analysed.
    pub analyze_wildcard: bool,
    /// Most terms that a fuzzy term stands for.
    pub fuzzy_max_expansions: u32,
    /// Characters at the start of a fuzzy term that must not change.
    pub fuzzy_prefix_length: u32,
    /// Whether swapping two neighbours counts as one edit.
    pub fuzzy_transpositions: bool,
    /// `None`: only when the query names no fields.
    pub lenient: Option<bool>,
    /// How many optional clauses must match.
    pub minimum_should_match: Option<MinimumShouldMatch>,
    /// Appended to field names in quoted parts.
    pub quote_field_suffix: Option<String>,
    /// Whether a synonym of several words is searched as a phrase.
    pub auto_generate_synonyms_phrase_query: bool,
    /// Factor of the score.
    pub boost: f32,
    /// Name reported by hits that this clause matched.
    pub name: Option<String>,
}

impl SimpleQueryStringQuery {
    /// A query with all defaults.
    pub fn new(query: impl Into<String>) -> Self {
        SimpleQueryStringQuery {
            query: query.into(),
            fields: Vec::new(),
            flags: SimpleFlags::ALL,
            default_operator: Operator::Or,
            analyzer: None,
            analyze_wildcard: false,
            fuzzy_max_expansions: 50,
            fuzzy_prefix_length: 0,
            fuzzy_transpositions: true,
            lenient: None,
            minimum_should_match: None,
            quote_field_suffix: None,
            auto_generate_synonyms_phrase_query: true,
            boost: 1.0,
            name: None,
        }
    }
}

/// A set of operators of the simple syntax.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimpleFlags(pub u16);

impl SimpleFlags {
    /// None of them.
    pub const NONE: SimpleFlags = SimpleFlags(0);
    /// `+`.
    pub const AND: SimpleFlags = SimpleFlags(1);
    /// `-`.
    pub const NOT: SimpleFlags = SimpleFlags(2);
    /// `|`.
    pub const OR: SimpleFlags = SimpleFlags(4);
    /// `begin*`.
    pub const PREFIX: SimpleFlags = SimpleFlags(8);
    /// `"..."`.
    pub const PHRASE: SimpleFlags = SimpleFlags(16);
    /// `(...)`.
    pub const PRECEDENCE: SimpleFlags = SimpleFlags(32);
    /// The backslash.
    pub const ESCAPE: SimpleFlags = SimpleFlags(64);
    /// Blanks separate terms.
    pub const WHITESPACE: SimpleFlags = SimpleFlags(128);
    /// `term~n`.
    pub const FUZZY: SimpleFlags = SimpleFlags(256);
    /// `"..."~n`, also called `NEAR`.
    pub const SLOP: SimpleFlags = SimpleFlags(512);
    /// All of them.
    pub const ALL: SimpleFlags = SimpleFlags(1023);

    /// Reads names joined by `|`; the name that is none of them is the error.
    pub fn parse(text: &str) -> Result<SimpleFlags, String> {
        let mut flags = 0;
        for name in text.split('|').filter(|name| !name.is_empty()) {
            flags |= match name.to_ascii_uppercase().as_str() {
                "NONE" => return Ok(SimpleFlags::NONE),
                "AND" => 1,
                "NOT" => 2,
                "OR" => 4,
                "PREFIX" => 8,
                "PHRASE" => 16,
                "PRECEDENCE" => 32,
                "ESCAPE" => 64,
                "WHITESPACE" => 128,
                "FUZZY" => 256,
                "SLOP" | "NEAR" => 512,
                "ALL" => return Ok(SimpleFlags::ALL),
                _ => return Err(name.to_owned()),
            };
        }
        Ok(SimpleFlags(flags))
    }

    /// Whether all operators of `other` are in this set.
    pub fn contains(self, other: SimpleFlags) -> bool {
        self.0 & other.0 == other.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_flags_by_name() {
        let flags = SimpleFlags::parse("OR|near").unwrap();
        assert!(flags.contains(SimpleFlags::OR) && flags.contains(SimpleFlags::SLOP));
        assert!(!flags.contains(SimpleFlags::AND));
        assert_eq!(SimpleFlags::parse("OR|WHAT"), Err("WHAT".to_owned()));
    }
}
