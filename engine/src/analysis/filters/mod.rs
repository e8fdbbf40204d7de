//! Token filters: tokens to tokens. One file each; the table says what users can name.

mod ascii_folding;
mod case;
mod cjk;
mod common_grams;
mod decompounder;
mod delimited_payload;
mod elision;
mod fingerprint;
mod grams;
mod keep;
mod keep_types;
mod keyword_marker;
mod light_stem;
mod pattern;
mod porter;
mod scandinavian;
mod script_normalization;
mod shingle;
mod simple;
mod stemmer;
mod stemmer_override;
mod stop;
mod synonym;
mod word_delimiter;

use std::fmt::Debug;

use super::definition::Definition;
use super::token::TokenBatch;
use crate::schema::SchemaError;

pub(crate) use ascii_folding::AsciiFolding;
pub(crate) use case::{Lowercase, lower_char};
pub(crate) use cjk::{CjkBigram, CjkWidth};
pub(crate) use elision::{FRENCH as FRENCH_ARTICLES, articles as elision_of};
pub(crate) use fingerprint::read as read_fingerprint;
pub(crate) use keyword_marker::KeywordMarker;
pub(crate) use porter::PorterStem;
pub(crate) use stemmer::{by_language, german_normalized, possessive};
pub(crate) use stemmer_override::fixed as stem_overrides;
pub(crate) use stop::Stop;

/// Changes a batch of tokens.
pub(crate) trait TokenFilter: Debug + Send + Sync {
    /// Does it, in place.
    fn apply(&self, batch: &mut TokenBatch);

    /// Whether it does no more than put each token in lower case by [`lower_char`].
    fn is_lowercase(&self) -> bool {
        false
    }
}

/// Reads a filter's parameters.
type BuildFilter = fn(&Definition, &dyn Parts) -> Result<Box<dyn TokenFilter>, SchemaError>;

/// A row of the table: what a `type` builds.
pub(crate) struct FilterType {
    /// As users write it.
    pub name: &'static str,
    /// Whether it works on one token alone, so that a normalizer may use it.
    pub normalizes: bool,
    /// Whether it is usable by its name alone, with defaults.
    pub prebuilt: bool,
    /// Reads the parameters.
    pub build: BuildFilter,
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
    build: BuildFilter,
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
    row("apostrophe", false, true, simple::apostrophe),
    row(
        "arabic_normalization",
        true,
        true,
        script_normalization::arabic,
    ),
    row("asciifolding", true, true, ascii_folding::build),
    row("cjk_bigram", false, true, cjk::bigram),
    row("cjk_width", true, true, cjk::width),
    row("common_grams", false, false, common_grams::build),
    row("decimal_digit", true, true, simple::decimal_digit),
    row("delimited_payload", false, true, delimited_payload::build),
    row("dictionary_decompounder", false, false, decompounder::build),
    row("edge_ngram", false, true, grams::edge_ngram),
    row("elision", true, true, elision::build),
    row("fingerprint", false, true, fingerprint::build),
    row(
        "german_normalization",
        true,
        true,
        stemmer::german_normalization,
    ),
    row(
        "hindi_normalization",
        true,
        true,
        script_normalization::hindi,
    ),
    row("keep", false, false, keep::build),
    row("keep_types", false, false, keep_types::build),
    row("keyword_marker", false, false, keyword_marker::build),
    row("keyword_repeat", false, true, simple::keyword_repeat),
    row("length", false, true, simple::length),
    row("limit", false, true, simple::limit),
    row("lowercase", true, true, case::lowercase),
    row("ngram", false, true, grams::ngram),
    row("pattern_capture", false, false, pattern::capture),
    row("pattern_replace", true, false, pattern::replace),
    row(
        "persian_normalization",
        true,
        true,
        script_normalization::persian,
    ),
    row("porter_stem", false, true, porter::build),
    row("remove_duplicates", false, true, simple::remove_duplicates),
    row("reverse", false, true, simple::reverse),
    row("scandinavian_folding", true, true, scandinavian::folding),
    row(
        "scandinavian_normalization",
        true,
        true,
        scandinavian::normalization,
    ),
    row(
        "serbian_normalization",
        true,
        true,
        script_normalization::serbian,
    ),
    row("shingle", false, true, shingle::build),
    row("snowball", false, true, stemmer::snowball),
    row(
        "sorani_normalization",
        true,
        true,
        script_normalization::sorani,
    ),
    row("stemmer", false, true, stemmer::stemmer),
    row("stemmer_override", false, false, stemmer_override::build),
    row("stop", false, true, stop::build),
    row("synonym", false, false, synonym::flat),
    row("synonym_graph", false, false, synonym::graph),
    row("trim", true, true, simple::trim),
    row("truncate", false, true, simple::truncate),
    row("unique", false, true, simple::unique),
    row("uppercase", true, true, case::uppercase),
    row("word_delimiter", false, true, word_delimiter::flat),
    row("word_delimiter_graph", false, true, word_delimiter::graph),
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
