//! Token filters: tokens to tokens. One file each; the table says what users can name.

mod case;
mod stop;

use std::fmt::Debug;

use super::definition::Definition;
use super::token::TokenBatch;
use crate::schema::SchemaError;

pub(crate) use case::{Lowercase, lower_char};
pub(crate) use stop::Stop;

/// Changes a batch of tokens.
pub(crate) trait TokenFilter: Debug + Send + Sync {
    /// Does it, in place.
    fn apply(&self, batch: &mut TokenBatch);
}

/// A row of the table: what a `type` builds.
pub(crate) struct FilterType {
    /// As users write it.
    pub name: &'static str,
    /// Whether it works on one token alone, so that a normalizer may use it.
    pub normalizes: bool,
    /// Whether it is usable by its name alone, with defaults.
    pub prebuilt: bool,
    /// Reads the parameters.
    pub build: fn(&Definition, &dyn Parts) -> Result<Box<dyn TokenFilter>, SchemaError>,
}

/// What a filter may need of the index it is built for: `synonym` analyses its rules.
pub(crate) trait Parts {
    /// The terms and position increments that the chain up to this filter gives for a text.
    fn analyze_so_far(&self, text: &str) -> Vec<(String, u32)>;
}

const fn row(
    name: &'static str,
    normalizes: bool,
    prebuilt: bool,
    build: fn(&Definition, &dyn Parts) -> Result<Box<dyn TokenFilter>, SchemaError>,
) -> FilterType {
    FilterType {
        name,
        normalizes,
        prebuilt,
        build,
    }
}

/// All token filters: name, fit for normalizers, usable without a definition.
pub(crate) const FILTERS: &[FilterType] = &[
    row("lowercase", true, true, case::lowercase),
    row("stop", false, true, stop::build),
    row("uppercase", true, true, case::uppercase),
];

/// The row of a name; the older camel-case names count.
pub(crate) fn find(name: &str) -> Option<&'static FilterType> {
    let name = match name {
        "nGram" => "ngram",
        "edgeNGram" => "edge_ngram",
        other => other,
    };
    FILTERS.iter().find(|row| row.name == name)
}
