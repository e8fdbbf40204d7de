//! Analyzers of languages, row by row: articles dropped, stop words, normalisation, stems.

use std::collections::HashSet;

use super::built_in::Chain;
use super::definition::Definition;
use super::filters::{self, TokenFilter};
use super::stopwords;
use super::tokenizers;
use crate::schema::SchemaError;

/// What an analyzer of a language does after cutting text into words.
struct Language {
    name: &'static str,
    /// Articles that are written with an apostrophe.
    articles: &'static [&'static str],
    /// Language of the stemmer.
    stemmer: &'static str,
    /// Words whose stem is given.
    overrides: &'static [(&'static str, &'static str)],
}

const ITALIAN_ARTICLES: &[&str] = &[
    "c", "l", "all", "dall", "dell", "nell", "sull", "coll", "pell", "gl", "agl", "dagl", "degl",
    "negl", "sugl", "un", "m", "t", "s", "v", "d",
];

const fn plain(name: &'static str, stemmer: &'static str) -> Language {
    Language {
        name,
        articles: &[],
        stemmer,
        overrides: &[],
    }
}

const LANGUAGES: &[Language] = &[
    plain("danish", "danish"),
    Language {
        overrides: &[
            ("fiets", "fiets"),
            ("bromfiets", "bromfiets"),
            ("ei", "eier"),
            ("kind", "kinder"),
        ],
        ..plain("dutch", "dutch")
    },
    plain("finnish", "finnish"),
    Language {
        articles: filters::FRENCH_ARTICLES,
        ..plain("french", "light_french")
    },
    plain("german", "light_german"),
    plain("hungarian", "hungarian"),
    Language {
        articles: ITALIAN_ARTICLES,
        ..plain("italian", "light_italian")
    },
    plain("norwegian", "norwegian"),
    plain("portuguese", "light_portuguese"),
    plain("russian", "russian"),
    plain("spanish", "light_spanish"),
    plain("swedish", "swedish"),
];

fn standard() -> Result<Box<dyn tokenizers::Tokenizer>, SchemaError> {
    match tokenizers::find("standard") {
        Some(row) => (row.build)(&Definition::default()),
        None => Err(SchemaError::illegal(
            "failed to find tokenizer under [standard]",
        )),
    }
}

fn stop_filter(
    definition: &Definition,
    default: &str,
    chain: &mut Vec<Box<dyn TokenFilter>>,
) -> Result<(), SchemaError> {
    definition.refuse_path("stopwords_path")?;
    let words = stopwords::read(definition, "stopwords", default)?;
    if !words.is_empty() {
        chain.push(Box::new(filters::Stop::new(words)));
    }
    Ok(())
}

fn excluded(definition: &Definition, chain: &mut Vec<Box<dyn TokenFilter>>) {
    if let Some(excluded) = definition.list("stem_exclusion") {
        let excluded: HashSet<String> = excluded.into_iter().collect();
        chain.push(Box::new(filters::KeywordMarker::new(excluded)));
    }
}

/// The chain of a language; reads `stopwords`, `stem_exclusion`.
pub(super) fn build(name: &str, definition: &Definition) -> Result<Chain, SchemaError> {
    let Some(language) = LANGUAGES.iter().find(|row| row.name == name) else {
        return Err(SchemaError::illegal(format!(
            "no analyzer of language [{name}]"
        )));
    };
    let mut chain: Vec<Box<dyn TokenFilter>> = Vec::new();
    if !language.articles.is_empty() {
        chain.push(filters::elision_of(language.articles));
    }
    chain.push(Box::new(filters::Lowercase));
    stop_filter(definition, &format!("_{name}_"), &mut chain)?;
    excluded(definition, &mut chain);
    if name == "german" {
        chain.push(filters::german_normalized());
    }
    if !language.overrides.is_empty() {
        chain.push(filters::stem_overrides(language.overrides));
    }
    chain.extend(filters::by_language(language.stemmer));
    Ok(Chain {
        tokenizer: standard()?,
        filters: chain,
    })
}

/// The `cjk` analyzer: pairs of Chinese, Japanese and Korean characters.
pub(super) fn cjk(definition: &Definition) -> Result<Chain, SchemaError> {
    let mut chain: Vec<Box<dyn TokenFilter>> = vec![
        Box::new(filters::CjkWidth),
        Box::new(filters::Lowercase),
        Box::new(filters::CjkBigram::new()),
    ];
    stop_filter(definition, "_cjk_", &mut chain)?;
    Ok(Chain {
        tokenizer: standard()?,
        filters: chain,
    })
}

/// The `chinese` analyzer of old indexes: words without English stop words.
pub(super) fn chinese(_: &Definition) -> Result<Chain, SchemaError> {
    Ok(Chain {
        tokenizer: standard()?,
        filters: vec![
            Box::new(filters::Lowercase),
            Box::new(filters::Stop::new(stopwords::english())),
        ],
    })
}

/// The `snowball` analyzer: stems of a `language`, English unless given.
pub(super) fn snowball(definition: &Definition) -> Result<Chain, SchemaError> {
    let given = definition
        .text("language")
        .or_else(|| definition.text("name"))
        .unwrap_or_else(|| "English".to_owned());
    let language = given.to_lowercase();
    let mut chain: Vec<Box<dyn TokenFilter>> = Vec::new();
    if matches!(language.as_str(), "english" | "porter") {
        chain.push(filters::possessive());
    }
    chain.push(Box::new(filters::Lowercase));
    let default = match language.as_str() {
        "english" | "dutch" | "french" | "german" => format!("_{language}_"),
        _ => "_none_".to_owned(),
    };
    stop_filter(definition, &default, &mut chain)?;
    let Some(stemmer) = filters::by_language(&language) else {
        return Err(SchemaError::illegal(format!(
            "Invalid stemmer class specified: {given}"
        )));
    };
    chain.push(stemmer);
    Ok(Chain {
        tokenizer: standard()?,
        filters: chain,
    })
}

#[cfg(test)]
mod tests {
    use super::super::built_in;
    use super::*;
    use crate::analysis::TokenBatch;

    #[test]
    fn every_language_has_its_stop_words_and_stems() {
        for (name, text, wanted) in [
            ("danish", "undersøgelse og", vec!["undersøg"]),
            ("dutch", "de lidstaten kind", vec!["lidstat", "kinder"]),
            ("finnish", "edeltäjiinsä", vec!["edeltäj"]),
            (
                "french",
                "l'avion sécuritaires",
                vec!["avion", "securitair"],
            ),
            ("german", "die Tischen", vec!["tisch"]),
            ("hungarian", "babakocsi", vec!["babakocs"]),
            ("italian", "dell'abbandonata", vec!["abbandonat"]),
            ("norwegian", "havnedistriktene", vec!["havnedistrikt"]),
            ("portuguese", "quilométricas", vec!["quilometric"]),
            ("russian", "Вместе с тем о", vec!["вмест"]),
            ("spanish", "la chicana", vec!["chican"]),
            ("swedish", "jaktkarlarne", vec!["jaktkarl"]),
            ("cjk", "多くの", vec!["多く", "くの"]),
            (
                "chinese",
                "only for old indices",
                vec!["only", "old", "indices"],
            ),
            ("snowball", "the brown foxes", vec!["brown", "fox"]),
        ] {
            let analyzer = built_in::build(name, name, &Definition::default());
            let mut batch = TokenBatch::default();
            analyzer.unwrap().unwrap().run(text, &mut batch, false);
            let found: Vec<&str> = batch.tokens.iter().map(|t| batch.text(t)).collect();
            assert_eq!(found, wanted, "{name}");
        }
    }
}
