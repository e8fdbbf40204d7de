//! The `stop` filter: removes words of a list.

use std::collections::HashSet;

use super::super::definition::Definition;
use super::super::stopwords;
use super::super::token::TokenBatch;
use super::{Parts, TokenFilter};
use crate::schema::SchemaError;

/// Removes stop words.
#[derive(Debug)]
pub(crate) struct Stop {
    words: HashSet<String>,
    ignore_case: bool,
    remove_trailing: bool,
}

impl Stop {
    /// Removes exactly these words.
    pub fn new(words: HashSet<String>) -> Stop {
        Stop {
            words,
            ignore_case: false,
            remove_trailing: true,
        }
    }
}

/// Reads `stopwords`, `ignore_case`, `remove_trailing`.
pub(super) fn build(
    definition: &Definition,
    _: &dyn Parts,
) -> Result<Box<dyn TokenFilter>, SchemaError> {
    definition.refuse_path("stopwords_path")?;
    let ignore_case = definition.flag("ignore_case", false)?;
    let mut words = stopwords::read(definition, "stopwords", "_english_")?;
    if ignore_case {
        words = words.into_iter().map(|w| w.to_lowercase()).collect();
    }
    Ok(Box::new(Stop {
        words,
        ignore_case,
        remove_trailing: definition.flag("remove_trailing", true)?,
    }))
}

impl TokenFilter for Stop {
    fn apply(&self, batch: &mut TokenBatch) {
        let last = batch.tokens.len();
        let mut seen = 0;
        batch.retain(|text, _| {
            seen += 1;
            if !self.remove_trailing && seen == last {
                return true;
            }
            if self.ignore_case {
                !self.words.contains(&text.to_lowercase())
            } else {
                !self.words.contains(text)
            }
        });
    }
}
