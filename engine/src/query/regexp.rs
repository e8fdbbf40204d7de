//! `regexp`: terms by regular expression, in Lucene's dialect.

use serde::{Deserialize, Serialize};

use super::TermsRewrite;

/// Documents that hold a term which the expression matches from its first to its last character.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegexpQuery {
    /// Path of the field.
    pub field: String,
    /// The expression, at most `index.max_regex_length` characters.
    pub value: String,
    /// Which optional operators have a meaning.
    pub flags: RegexpFlags,
    /// Whether letters match in both cases.
    pub case_insensitive: bool,
    /// Bounds the work of compiling.
    pub max_determinized_states: u32,
    /// How the terms score.
    pub rewrite: TermsRewrite,
    /// Factor of the score.
    pub boost: f32,
    /// Name reported by hits that this clause matched.
    pub name: Option<String>,
}

impl RegexpQuery {
    /// A query with all defaults.
    pub fn new(field: impl Into<String>, value: impl Into<String>) -> Self {
        RegexpQuery {
            field: field.into(),
            value: value.into(),
            flags: RegexpFlags::ALL,
            case_insensitive: false,
            max_determinized_states: 10_000,
            rewrite: TermsRewrite::ConstantScore,
            boost: 1.0,
            name: None,
        }
    }
}

/// A set of optional operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegexpFlags(pub u8);

impl RegexpFlags {
    /// None of them.
    pub const NONE: RegexpFlags = RegexpFlags(0);
    /// `a&b`: both match.
    pub const INTERSECTION: RegexpFlags = RegexpFlags(1);
    /// `~a`: anything else.
    pub const COMPLEMENT: RegexpFlags = RegexpFlags(2);
    /// `#`: nothing, not even the empty text.
    pub const EMPTY: RegexpFlags = RegexpFlags(4);
    /// `@`: any text.
    pub const ANYSTRING: RegexpFlags = RegexpFlags(8);
    /// `<1-100>`: whole numbers.
    pub const INTERVAL: RegexpFlags = RegexpFlags(16);
    /// All of them.
    pub const ALL: RegexpFlags = RegexpFlags(31);

    /// Reads names joined by `|`, such as `INTERVAL|EMPTY`; the name that is none of them is the error.
    pub fn parse(text: &str) -> Result<RegexpFlags, String> {
        let mut flags = 0;
        for name in text.split('|').filter(|name| !name.is_empty()) {
            flags |= match name.to_ascii_uppercase().as_str() {
                "NONE" => 0,
                "INTERSECTION" => 1,
                "COMPLEMENT" => 2,
                "EMPTY" => 4,
                "ANYSTRING" => 8,
                "INTERVAL" => 16,
                "ALL" => 31,
                _ => return Err(name.to_owned()),
            };
        }
        Ok(RegexpFlags(flags))
    }

    /// Whether all operators of `other` are in this set.
    pub fn contains(self, other: RegexpFlags) -> bool {
        self.0 & other.0 == other.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_flags_by_name() {
        let flags = RegexpFlags::parse("INTERVAL|empty").unwrap();
        assert!(flags.contains(RegexpFlags::INTERVAL) && flags.contains(RegexpFlags::EMPTY));
        assert!(!flags.contains(RegexpFlags::COMPLEMENT));
        assert_eq!(RegexpFlags::parse("ALL").unwrap(), RegexpFlags::ALL);
        assert_eq!(RegexpFlags::parse("WHAT"), Err("WHAT".to_owned()));
    }
}
