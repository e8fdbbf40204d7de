//! `fuzziness`: how many edits away a term may be.

use serde::{Deserialize, Serialize};

/// Edits allowed between a term of the query and one of the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fuzziness {
    /// By the term's length in characters: none below `low`, one below `high`, then two.
    Auto {
        /// First length with one edit.
        low: u32,
        /// First length with two.
        high: u32,
    },
    /// 0, 1 or 2.
    Edits(u8),
}

impl Fuzziness {
    /// `AUTO`, which is `AUTO:3,6`.
    pub const AUTO: Fuzziness = Fuzziness::Auto { low: 3, high: 6 };

    /// Reads `AUTO`, `AUTO:low,high`, `0`, `1`, `2`, also written as `1.0`.
    pub fn parse(text: &str) -> Result<Fuzziness, FuzzinessError> {
        let text = text.trim();
        let upper = text.to_ascii_uppercase();
        if upper == "AUTO" {
            return Ok(Fuzziness::AUTO);
        }
        if let Some(limits) = upper.strip_prefix("AUTO:") {
            let limits = limits.split_once(',').and_then(|(low, high)| {
                Some((low.trim().parse().ok()?, high.trim().parse().ok()?))
            });
            return match limits {
                Some((low, high)) if low <= high => Ok(Fuzziness::Auto { low, high }),
                _ => Err(FuzzinessError(text.to_owned())),
            };
        }
        match text.parse::<f32>() {
            Ok(edits) if (0.0..=2.0).contains(&edits) => Ok(Fuzziness::Edits(edits as u8)),
            _ => Err(FuzzinessError(text.to_owned())),
        }
    }

    /// How many edits a term may have.
    pub fn edits_of(self, term: &str) -> u8 {
        match self {
            Fuzziness::Edits(edits) => edits,
            Fuzziness::Auto { low, high } => {
                let length = term.chars().count() as u32;
                if length < low {
                    0
                } else if length < high {
                    1
                } else {
                    2
                }
            }
        }
    }
}

/// A text that is no fuzziness.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Invalid fuzziness value: {0}")]
pub struct FuzzinessError(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_all_spellings() {
        assert_eq!(Fuzziness::parse("auto"), Ok(Fuzziness::AUTO));
        assert_eq!(
            Fuzziness::parse("AUTO:4,8"),
            Ok(Fuzziness::Auto { low: 4, high: 8 })
        );
        assert_eq!(Fuzziness::parse("1.0"), Ok(Fuzziness::Edits(1)));
        for wrong in ["3", "-1", "AUTO:8,4", "AUTO:x", ""] {
            assert!(Fuzziness::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn auto_counts_characters() {
        assert_eq!(Fuzziness::AUTO.edits_of("äö"), 0);
        assert_eq!(Fuzziness::AUTO.edits_of("äöü"), 1);
        assert_eq!(Fuzziness::AUTO.edits_of("abcdef"), 2);
    }
}
