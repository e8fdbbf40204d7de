//! The analyzers that need no definition, and the types a definition may name.

use std::collections::HashSet;
use std::sync::Arc;

use super::analyzer::{Analyzer, Named};
use super::definition::Definition;
use super::filters::{self, TokenFilter};
use super::languages;
use super::stopwords;
use super::tokenizers::{self, Tokenizer};
use crate::schema::SchemaError;

/// A row of the table: an analyzer type.
pub(super) struct AnalyzerType {
    /// As users write it.
    pub name: &'static str,
    /// Reads the parameters.
    pub build: BuildAnalyzer,
}

/// A tokenizer and its filters.
pub(super) struct Chain {
    pub tokenizer: Box<dyn Tokenizer>,
    pub filters: Vec<Box<dyn TokenFilter>>,
}

type BuildAnalyzer = fn(&Definition) -> Result<Chain, SchemaError>;

const fn row(name: &'static str, build: BuildAnalyzer) -> AnalyzerType {
    AnalyzerType { name, build }
}

/// All analyzer types but `custom`. Each is usable by its name alone.
pub(super) const ANALYZERS: &[AnalyzerType] = &[
    row("chinese", languages::chinese),
    row("cjk", languages::cjk),
    row("danish", |definition| {
        languages::build("danish", definition)
    }),
    row("default", standard),
    row("dutch", |definition| languages::build("dutch", definition)),
    row("english", english),
    row("fingerprint", fingerprint),
    row("finnish", |definition| {
        languages::build("finnish", definition)
    }),
    row("french", |definition| {
        languages::build("french", definition)
    }),
    row("german", |definition| {
        languages::build("german", definition)
    }),
    row("hungarian", |definition| {
        languages::build("hungarian", definition)
    }),
    row("italian", |definition| {
        languages::build("italian", definition)
    }),
    row("keyword", keyword),
    row("norwegian", |definition| {
        languages::build("norwegian", definition)
    }),
    row("pattern", pattern),
    row("portuguese", |definition| {
        languages::build("portuguese", definition)
    }),
    row("russian", |definition| {
        languages::build("russian", definition)
    }),
    row("simple", simple),
    row("snowball", languages::snowball),
    row("spanish", |definition| {
        languages::build("spanish", definition)
    }),
    row("standard", standard),
    row("stop", stop),
    row("swedish", |definition| {
        languages::build("swedish", definition)
    }),
    row("whitespace", whitespace),
];

/// The analyzer of a type under a name.
pub(super) fn build(
    name: &str,
    kind: &str,
    definition: &Definition,
) -> Option<Result<Analyzer, SchemaError>> {
    let row = ANALYZERS.iter().find(|row| row.name == kind)?;
    Some((row.build)(definition).and_then(|chain| {
        Ok(Analyzer {
            name: name.to_owned(),
            custom: false,
            char_filters: Vec::new(),
            tokenizer: Named {
                name: kind.to_owned(),
                part: Arc::from(chain.tokenizer),
            },
            filters: chain
                .filters
                .into_iter()
                .map(|part| Named {
                    name: kind.to_owned(),
                    part: Arc::from(part),
                })
                .collect(),
            position_increment_gap: definition.size("position_increment_gap", 100, 0)? as u32,
        })
    }))
}

/// A tokenizer of the table with its defaults.
fn tokenizer(name: &str, definition: &Definition) -> Result<Box<dyn Tokenizer>, SchemaError> {
    match tokenizers::find(name) {
        Some(row) => (row.build)(definition),
        None => Err(SchemaError::illegal(format!(
            "failed to find tokenizer under [{name}]"
        ))),
    }
}

fn with_stopwords(tokenizer: Box<dyn Tokenizer>, words: HashSet<String>, lower: bool) -> Chain {
    let mut filters: Vec<Box<dyn TokenFilter>> = Vec::new();
    if lower {
        filters.push(Box::new(filters::Lowercase));
    }
    if !words.is_empty() {
        filters.push(Box::new(filters::Stop::new(words)));
    }
    Chain { tokenizer, filters }
}

fn standard(definition: &Definition) -> Result<Chain, SchemaError> {
    definition.refuse_path("stopwords_path")?;
    let words = stopwords::read(definition, "stopwords", "_none_")?;
    Ok(with_stopwords(
        tokenizer("standard", definition)?,
        words,
        true,
    ))
}

fn simple(_: &Definition) -> Result<Chain, SchemaError> {
    let tokenizer = tokenizer("lowercase", &Definition::default())?;
    Ok(with_stopwords(tokenizer, HashSet::new(), false))
}

fn stop(definition: &Definition) -> Result<Chain, SchemaError> {
    definition.refuse_path("stopwords_path")?;
    let words = stopwords::read(definition, "stopwords", "_english_")?;
    let tokenizer = tokenizer("lowercase", &Definition::default())?;
    Ok(with_stopwords(tokenizer, words, false))
}

fn whitespace(_: &Definition) -> Result<Chain, SchemaError> {
    let tokenizer = tokenizer("whitespace", &Definition::default())?;
    Ok(with_stopwords(tokenizer, HashSet::new(), false))
}

fn keyword(_: &Definition) -> Result<Chain, SchemaError> {
    let tokenizer = tokenizer("keyword", &Definition::default())?;
    Ok(with_stopwords(tokenizer, HashSet::new(), false))
}

fn english(definition: &Definition) -> Result<Chain, SchemaError> {
    definition.refuse_path("stopwords_path")?;
    let words = match definition.has("stopwords") {
        true => stopwords::read(definition, "stopwords", "_english_")?,
        false => stopwords::english(),
    };
    let mut chain_filters: Vec<Box<dyn TokenFilter>> =
        vec![filters::possessive(), Box::new(filters::Lowercase)];
    if !words.is_empty() {
        chain_filters.push(Box::new(filters::Stop::new(words)));
    }
    if let Some(excluded) = definition.list("stem_exclusion") {
        let excluded: HashSet<String> = excluded.into_iter().collect();
        chain_filters.push(Box::new(filters::KeywordMarker::new(excluded)));
    }
    chain_filters.push(Box::new(filters::PorterStem));
    Ok(Chain {
        tokenizer: tokenizer("standard", &Definition::default())?,
        filters: chain_filters,
    })
}

fn fingerprint(definition: &Definition) -> Result<Chain, SchemaError> {
    definition.refuse_path("stopwords_path")?;
    let words = stopwords::read(definition, "stopwords", "_none_")?;
    let mut chain_filters: Vec<Box<dyn TokenFilter>> = vec![
        Box::new(filters::Lowercase),
        Box::new(filters::AsciiFolding::new()),
    ];
    if !words.is_empty() {
        chain_filters.push(Box::new(filters::Stop::new(words)));
    }
    chain_filters.push(Box::new(filters::read_fingerprint(definition)?));
    Ok(Chain {
        tokenizer: tokenizer("standard", &Definition::default())?,
        filters: chain_filters,
    })
}

fn pattern(definition: &Definition) -> Result<Chain, SchemaError> {
    definition.refuse_path("stopwords_path")?;
    let words = stopwords::read(definition, "stopwords", "_none_")?;
    let pattern = definition
        .text("pattern")
        .unwrap_or_else(|| "\\W+".to_owned());
    let flags = definition.text("flags");
    let lower = definition.flag("lowercase", true)?;
    let tokenizer = tokenizers::split_by_pattern(&pattern, flags.as_deref())?;
    Ok(with_stopwords(Box::new(tokenizer), words, lower))
}
