//! The `stemmer_override` filter: stems by table, out of the stemmers' reach.

use std::collections::HashMap;

use super::super::definition::Definition;
use super::super::token::TokenBatch;
use super::{Parts, TokenFilter};
use crate::schema::SchemaError;

#[derive(Debug)]
struct StemmerOverride(HashMap<String, String>);

/// Reads `rules`: `running, ran => run`.
pub(super) fn build(
    definition: &Definition,
    _: &dyn Parts,
) -> Result<Box<dyn TokenFilter>, SchemaError> {
    definition.refuse_path("rules_path")?;
    let rules: Vec<String> = definition
        .items("rules")
        .iter()
        .filter_map(|item| item.as_str().map(str::to_owned))
        .collect();
    if rules.is_empty() {
        return Err(SchemaError::illegal(
            "stemmer override filter requires either `rules` or `rules_path` to be configured",
        ));
    }
    let mut table = HashMap::new();
    for rule in &rules {
        let invalid = || SchemaError::illegal(format!("Invalid Keyword override Rule:{rule}"));
        let (words, stem) = rule.split_once("=>").ok_or_else(invalid)?;
        let stem = stem.trim();
        if stem.is_empty() || stem.contains(',') || stem.contains("=>") {
            return Err(invalid());
        }
        for word in words.split(',') {
            if word.trim().is_empty() {
                return Err(invalid());
            }
            table.insert(word.trim().to_owned(), stem.to_owned());
        }
    }
    Ok(Box::new(StemmerOverride(table)))
}

/// Stems of these words.
pub(crate) fn fixed(table: &[(&str, &str)]) -> Box<dyn TokenFilter> {
    let owned = table
        .iter()
        .map(|(word, stem)| ((*word).to_owned(), (*stem).to_owned()));
    Box::new(StemmerOverride(owned.collect()))
}

impl TokenFilter for StemmerOverride {
    fn apply(&self, batch: &mut TokenBatch) {
        for index in 0..batch.tokens.len() {
            let token = batch.tokens[index];
            if token.keyword {
                continue;
            }
            if let Some(stem) = self.0.get(batch.text(&token)) {
                batch.set_text(index, stem);
                batch.tokens[index].keyword = true;
            }
        }
    }
}
