//! How a query that stands for many terms (prefix, wildcard, regexp, fuzzy) is scored.

use serde::{Deserialize, Serialize};

/// The `rewrite` parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TermsRewrite {
    /// All terms; the score is the boost.
    ConstantScore,
    /// The same score; refuses more terms than clauses are allowed.
    ConstantScoreBoolean,
    /// Each term scored as such; refuses more terms than clauses are allowed.
    ScoringBoolean,
    /// The first so many terms, each scored as such.
    TopTerms(u32),
    /// The first so many terms, each with the boost as its score.
    TopTermsBoost(u32),
    /// The first so many terms, scored as if all had one document frequency.
    TopTermsBlendedFreqs(u32),
}

impl TermsRewrite {
    /// Reads the name of a method; `None`: there is none of this name.
    pub fn parse(text: &str) -> Option<TermsRewrite> {
        match text {
            "constant_score"
            | "constant_score_blended"
            | "constant_score_auto"
            | "constant_score_filter" => return Some(TermsRewrite::ConstantScore),
            "constant_score_boolean" => return Some(TermsRewrite::ConstantScoreBoolean),
            "scoring_boolean" => return Some(TermsRewrite::ScoringBoolean),
            _ => {}
        }
        let (kind, size) = text.rsplit_once('_')?;
        let size = size.parse().ok()?;
        match kind {
            "top_terms" => Some(TermsRewrite::TopTerms(size)),
            "top_terms_boost" => Some(TermsRewrite::TopTermsBoost(size)),
            "top_terms_blended_freqs" => Some(TermsRewrite::TopTermsBlendedFreqs(size)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_methods_by_name() {
        assert_eq!(
            TermsRewrite::parse("top_terms_10"),
            Some(TermsRewrite::TopTerms(10))
        );
        assert_eq!(
            TermsRewrite::parse("top_terms_boost_3"),
            Some(TermsRewrite::TopTermsBoost(3))
        );
        assert_eq!(
            TermsRewrite::parse("scoring_boolean"),
            Some(TermsRewrite::ScoringBoolean)
        );
        assert_eq!(TermsRewrite::parse("top_terms"), None);
    }
}
