//! The `keep` filter: only tokens of a list stay.

use std::collections::HashSet;

use super::super::definition::Definition;
use super::super::token::TokenBatch;
use super::{Parts, TokenFilter};
use crate::schema::SchemaError;

#[derive(Debug)]
struct Keep {
    words: HashSet<String>,
    ignore_case: bool,
}

/// Reads `keep_words`, `keep_words_case`.
pub(super) fn build(
    definition: &Definition,
    _: &dyn Parts,
) -> Result<Box<dyn TokenFilter>, SchemaError> {
    definition.refuse_path("keep_words_path")?;
    if definition.has("enable_position_increments") {
        return Err(SchemaError::illegal(
            "enable_position_increments is not supported anymore. Please fix your analysis chain",
        ));
    }
    let ignore_case = definition.flag("keep_words_case", false)?;
    let words = definition.list("keep_words").ok_or_else(|| {
        SchemaError::illegal(
            "keep requires either `keep_words` or `keep_words_path` to be configured",
        )
    })?;
    let words = words.into_iter().map(|word| match ignore_case {
        true => word.to_lowercase(),
        false => word,
    });
    Ok(Box::new(Keep {
        words: words.collect(),
        ignore_case,
    }))
}

impl TokenFilter for Keep {
    fn apply(&self, batch: &mut TokenBatch) {
        batch.retain(|text, _| match self.ignore_case {
            true => self.words.contains(&text.to_lowercase()),
            false => self.words.contains(text),
        });
    }
}
