//! `minimum_should_match`: how many of the optional clauses are needed.

use serde::{Deserialize, Serialize};

/// A rule that turns a number of optional clauses into a number of needed ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MinimumShouldMatch {
    /// So many; negative: all but so many.
    Count(i32),
    /// So many per cent, rounded down; negative: all but so many per cent.
    Percent(i32),
    /// Pairs `n<rule` in ascending `n`: the last one whose `n` is below the number of clauses; none: all are needed.
    Steps(Vec<(u32, MinimumShouldMatch)>),
}

impl MinimumShouldMatch {
    /// Reads `3`, `-2`, `75%`, `-25%`, `3<90%` and lists of the last kind separated by blanks.
    pub fn parse(text: &str) -> Result<MinimumShouldMatch, MinimumShouldMatchError> {
        let wrong = || MinimumShouldMatchError(text.to_owned());
        let trimmed = text.trim();
        if !trimmed.contains('<') {
            return parse_simple(trimmed).ok_or_else(wrong);
        }
        let mut steps = Vec::new();
        // blanks around `<` belong to the pair
        let mut joined = String::with_capacity(trimmed.len());
        for (n, part) in trimmed.split('<').enumerate() {
            if n > 0 {
                joined.push('<');
            }
            joined.push_str(part.trim());
        }
        for pair in joined.split_whitespace() {
            let (limit, rule) = pair.split_once('<').ok_or_else(wrong)?;
            let limit = limit.parse().map_err(|_| wrong())?;
            steps.push((limit, parse_simple(rule).ok_or_else(wrong)?));
        }
        Ok(MinimumShouldMatch::Steps(steps))
    }

    /// How many of `optional` clauses are needed; may be above `optional`, when nothing can match, but never negative.
    pub fn needed_of(&self, optional: usize) -> usize {
        let total = i64::try_from(optional).unwrap_or(i64::MAX);
        let needed = match self {
            MinimumShouldMatch::Count(count) if *count < 0 => total + i64::from(*count),
            MinimumShouldMatch::Count(count) => i64::from(*count),
            MinimumShouldMatch::Percent(percent) => {
                // truncated towards zero in single precision, as users of other engines know it
                let part = (total * i64::from(*percent)) as f32 * (1.0 / 100.0);
                // a negative part below one is still "all but": of three clauses -25% needs three
                if part < 0.0 {
                    total + part as i64
                } else {
                    part as i64
                }
            }
            MinimumShouldMatch::Steps(steps) => {
                let mut needed = total;
                for (limit, rule) in steps {
                    if total <= i64::from(*limit) {
                        break;
                    }
                    needed = i64::try_from(rule.needed_of(optional)).unwrap_or(i64::MAX);
                }
                needed
            }
        };
        usize::try_from(needed.max(0)).unwrap_or(usize::MAX)
    }
}

fn parse_simple(text: &str) -> Option<MinimumShouldMatch> {
    match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse().ok().map(MinimumShouldMatch::Percent),
        None => text.parse().ok().map(MinimumShouldMatch::Count),
    }
}

/// A text that is no such rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("For input string: \"{0}\"")]
pub struct MinimumShouldMatchError(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rule: &str, optional: usize, needed: usize) {
        let parsed = MinimumShouldMatch::parse(rule).unwrap();
        assert_eq!(parsed.needed_of(optional), needed, "{rule} of {optional}");
    }

    #[test]
    fn counts_and_percents() {
        check("3", 2, 3);
        check("-1", 4, 3);
        check("-9", 4, 0);
        check("75%", 4, 3);
        check("75%", 3, 2);
        check("-25%", 4, 3);
        check("-25%", 3, 3);
        check("100%", 3, 3);
    }

    #[test]
    fn steps_apply_above_their_number() {
        check("2<75%", 2, 2);
        check("2<75%", 4, 3);
        check("2<-25% 9<-3", 9, 7);
        check("2<-25% 9<-3", 10, 7);
        check("2 < 75%", 4, 3);
    }

    #[test]
    fn refuses_what_is_no_rule() {
        for wrong in ["", "x", "3<", "<3", "3<x", "%"] {
            assert!(MinimumShouldMatch::parse(wrong).is_err(), "{wrong}");
        }
    }
}
