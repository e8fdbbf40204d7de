//! The `common_grams` filter: words so common that they say little alone also go with their neighbours.

use std::collections::HashSet;

use super::super::definition::Definition;
use super::super::token::{Token, TokenBatch};
use super::{Parts, TokenFilter};
use crate::schema::SchemaError;

/// Token type of two words as one.
const GRAM: &str = "gram";

#[derive(Debug)]
struct CommonGrams {
    common: HashSet<String>,
    ignore_case: bool,
    query_mode: bool,
}

/// Reads `common_words`, `ignore_case`, `query_mode`.
pub(super) fn build(
    definition: &Definition,
    _: &dyn Parts,
) -> Result<Box<dyn TokenFilter>, SchemaError> {
    definition.refuse_path("common_words_path")?;
    let ignore_case = definition.flag("ignore_case", false)?;
    let words = definition.list("common_words").ok_or_else(|| {
        SchemaError::illegal(
            "missing or empty [common_words] or [common_words_path] configuration for common_grams token filter",
        )
    })?;
    let common = words.into_iter().map(|word| match ignore_case {
        true => word.to_lowercase(),
        false => word,
    });
    Ok(Box::new(CommonGrams {
        common: common.collect(),
        ignore_case,
        query_mode: definition.flag("query_mode", false)?,
    }))
}

impl CommonGrams {
    fn is_common(&self, text: &str) -> bool {
        match self.ignore_case {
            true => self.common.contains(&text.to_lowercase()),
            false => self.common.contains(text),
        }
    }

    /// For queries: a word that a pair begins with goes, and so does the last one when a pair ends with it.
    fn without_covered(tokens: Vec<Token>) -> Vec<Token> {
        let mut kept: Vec<Token> = Vec::new();
        for (index, token) in tokens.iter().enumerate() {
            let next = tokens.get(index + 1);
            let covered = match next {
                Some(next) => token.kind != GRAM && next.kind == GRAM,
                None => kept.last().is_some_and(|before| before.kind == GRAM),
            };
            if covered {
                continue;
            }
            let mut token = *token;
            if token.kind == GRAM {
                token.increment = 1;
            }
            kept.push(token);
        }
        kept
    }
}

impl TokenFilter for CommonGrams {
    fn apply(&self, batch: &mut TokenBatch) {
        let tokens = std::mem::take(&mut batch.tokens);
        let common: Vec<bool> = tokens
            .iter()
            .map(|token| self.is_common(batch.text(token)))
            .collect();
        let mut out = Vec::with_capacity(tokens.len() * 2);
        for (index, token) in tokens.iter().enumerate() {
            out.push(*token);
            let Some(next) = tokens.get(index + 1) else {
                break;
            };
            if common[index] || common[index + 1] {
                let text = format!("{}_{}", batch.text(token), batch.text(next));
                let (start, end) = batch.write(&text);
                out.push(Token {
                    start,
                    end,
                    increment: 0,
                    length: 2,
                    end_offset: next.end_offset,
                    kind: GRAM,
                    ..*token
                });
            }
        }
        batch.tokens = match self.query_mode {
            true => CommonGrams::without_covered(out),
            false => out,
        };
    }
}
