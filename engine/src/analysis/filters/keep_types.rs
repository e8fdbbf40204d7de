//! The `keep_types` filter: only tokens of some types stay, or all others.

use std::collections::HashSet;

use super::super::definition::Definition;
use super::super::token::TokenBatch;
use super::{Parts, TokenFilter};
use crate::schema::SchemaError;

#[derive(Debug)]
struct KeepTypes {
    types: HashSet<String>,
    include: bool,
}

/// Reads `types`, `mode`.
pub(super) fn build(
    definition: &Definition,
    _: &dyn Parts,
) -> Result<Box<dyn TokenFilter>, SchemaError> {
    let types = definition.list("types").unwrap_or_default();
    if types.is_empty() {
        return Err(SchemaError::illegal(
            "keep_types requires `types` to be configured",
        ));
    }
    let include = match definition.text("mode").as_deref() {
        None | Some("include") => true,
        Some("exclude") => false,
        Some(other) => {
            return Err(SchemaError::illegal(format!(
                "`keep_types` tokenfilter mode can only be [include] or [exclude] but was [{other}]."
            )));
        }
    };
    Ok(Box::new(KeepTypes {
        types: types.into_iter().collect(),
        include,
    }))
}

impl TokenFilter for KeepTypes {
    fn apply(&self, batch: &mut TokenBatch) {
        batch.retain(|_, token| self.types.contains(token.kind) == self.include);
    }
}
