//! The analyzers, normalizers and parts an index knows by name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value as Json;

use super::analyzer::{Analyzer, Named};
use super::built_in;
use super::char_filters::{self, CharFilter};
use super::definition::Definition;
use super::filters::{self, Parts, TokenFilter};
use super::token::TokenBatch;
use super::tokenizers::{self, Keyword, Tokenizer};
use crate::schema::SchemaError;

/// Built-in and configured analysis parts of one index.
#[derive(Clone, Debug, Default)]
pub struct AnalysisRegistry {
    analyzers: BTreeMap<String, Arc<Analyzer>>,
    normalizers: BTreeMap<String, Arc<Analyzer>>,
    tokenizers: BTreeMap<String, Arc<dyn Tokenizer>>,
    filters: BTreeMap<String, Definition>,
    char_filters: BTreeMap<String, Arc<dyn CharFilter>>,
    /// Configured char filters that a normalizer may use.
    normalizing_char_filters: BTreeSet<String>,
    /// Not of an index: errors then speak of global parts.
    global: bool,
    /// Settings that bound what parts may ask for.
    limits: BTreeMap<String, String>,
}

/// Which filters a chain may use.
#[derive(Clone, Copy, PartialEq)]
enum ChainKind {
    Analyzer,
    Normalizer,
}

impl AnalysisRegistry {
    /// What is known without any index.
    pub fn global() -> AnalysisRegistry {
        let mut registry = AnalysisRegistry {
            global: true,
            ..AnalysisRegistry::default()
        };
        registry.add_built_ins();
        registry
    }

    /// Reads `index.analysis.…` of an index's flat settings.
    pub fn parse(flat: &BTreeMap<String, String>) -> Result<AnalysisRegistry, SchemaError> {
        let mut registry = AnalysisRegistry::default();
        for name in ["index.max_ngram_diff", "index.max_shingle_diff"] {
            if let Some(value) = flat.get(name) {
                registry.limits.insert(name.to_owned(), value.clone());
            }
        }
        for (name, definition) in Definition::group(flat, "index.analysis.tokenizer.") {
            let kind = part_type("tokenizer", &name, &definition)?;
            let row = tokenizers::find(&kind).ok_or_else(|| unknown("tokenizer", &kind, &name))?;
            check_grams(flat, row.name, "NGram Tokenizer", &definition)?;
            let part = (row.build)(&definition)?;
            registry.tokenizers.insert(name, Arc::from(part));
        }
        for (name, definition) in Definition::group(flat, "index.analysis.char_filter.") {
            let kind = part_type("char_filter", &name, &definition)?;
            let row =
                char_filters::find(&kind).ok_or_else(|| unknown("char_filter", &kind, &name))?;
            let part = (row.build)(&definition)?;
            if row.normalizes {
                registry.normalizing_char_filters.insert(name.clone());
            }
            registry.char_filters.insert(name, Arc::from(part));
        }
        for (name, definition) in Definition::group(flat, "index.analysis.filter.") {
            let kind = part_type("filter", &name, &definition)?;
            let row = filters::find(&kind).ok_or_else(|| unknown("filter", &kind, &name))?;
            check_grams(flat, row.name, "NGram TokenFilter", &definition)?;
            check_shingles(flat, row.name, &definition)?;
            if !NEEDS_CHAIN.contains(&row.name) {
                (row.build)(&definition, &NoChain)?;
            }
            registry.filters.insert(name, definition);
        }
        registry.add_built_ins();
        for (name, definition) in Definition::group(flat, "index.analysis.analyzer.") {
            let analyzer = registry.configured_analyzer(&name, &definition)?;
            registry.analyzers.insert(name, Arc::new(analyzer));
        }
        for (name, definition) in Definition::group(flat, "index.analysis.normalizer.") {
            let normalizer = registry.configured_normalizer(&name, &definition)?;
            registry.normalizers.insert(name, Arc::new(normalizer));
        }
        Ok(registry)
    }

    fn add_built_ins(&mut self) {
        for row in built_in::ANALYZERS {
            if let Some(Ok(analyzer)) = built_in::build(row.name, row.name, &Definition::default())
            {
                self.analyzers
                    .insert(row.name.to_owned(), Arc::new(analyzer));
            }
        }
        let lowercase = Analyzer {
            name: "lowercase".to_owned(),
            custom: false,
            char_filters: Vec::new(),
            tokenizer: keyword_tokenizer(),
            filters: vec![Named {
                name: "lowercase".to_owned(),
                part: Arc::new(filters::Lowercase),
            }],
            position_increment_gap: 0,
        };
        self.normalizers
            .insert("lowercase".to_owned(), Arc::new(lowercase));
    }

    /// The analyzer of that name: configured, else built in.
    pub fn analyzer(&self, name: &str) -> Option<Arc<Analyzer>> {
        self.analyzers.get(name).cloned()
    }

    /// The normalizer of that name: configured, else built in (`lowercase`).
    pub fn normalizer(&self, name: &str) -> Option<Arc<Analyzer>> {
        self.normalizers.get(name).cloned()
    }

    /// The analyzer of fields that name none: `default` if configured, else `standard`.
    pub fn default_index_analyzer(&self) -> Arc<Analyzer> {
        self.named_or_standard("default")
    }

    /// The analyzer of queries on fields that name none, when `default_search` is configured.
    pub fn default_search_analyzer(&self) -> Option<Arc<Analyzer>> {
        self.analyzers.get("default_search").cloned()
    }

    fn named_or_standard(&self, name: &str) -> Arc<Analyzer> {
        match self.analyzers.get(name).or(self.analyzers.get("standard")) {
            Some(analyzer) => Arc::clone(analyzer),
            None => Arc::new(keyword_analyzer(name)),
        }
    }

    fn configured_analyzer(
        &self,
        name: &str,
        definition: &Definition,
    ) -> Result<Analyzer, SchemaError> {
        let kind = definition.text("type");
        match kind.as_deref() {
            None if !definition.has("tokenizer") => Err(SchemaError::illegal(format!(
                "analyzer [{name}] must specify either an analyzer type, or a tokenizer"
            ))),
            None | Some("custom") => self.custom_analyzer(name, definition),
            Some(kind) => built_in::build(name, kind, definition)
                .unwrap_or_else(|| Err(unknown("analyzer", kind, name))),
        }
    }

    fn custom_analyzer(
        &self,
        name: &str,
        definition: &Definition,
    ) -> Result<Analyzer, SchemaError> {
        let Some(tokenizer) = definition.text("tokenizer") else {
            return Err(SchemaError::illegal(format!(
                "Custom Analyzer [{name}] must be configured with a tokenizer"
            )));
        };
        let tokenizer = Named {
            part: self.tokenizer(&tokenizer)?.ok_or_else(|| {
                SchemaError::illegal(format!(
                    "Custom Analyzer [{name}] failed to find tokenizer under name [{tokenizer}]"
                ))
            })?,
            name: tokenizer,
        };
        let mut analyzer = Analyzer {
            name: name.to_owned(),
            custom: true,
            char_filters: Vec::new(),
            tokenizer,
            filters: Vec::new(),
            position_increment_gap: definition.size("position_increment_gap", 100, 0)? as u32,
        };
        for part in definition.list("char_filter").unwrap_or_default() {
            let found = self.char_filter(&part)?.ok_or_else(|| {
                SchemaError::illegal(format!(
                    "Custom Analyzer [{name}] failed to find char_filter under name [{part}]"
                ))
            })?;
            analyzer.char_filters.push(Named {
                name: part,
                part: found,
            });
        }
        for part in definition.list("filter").unwrap_or_default() {
            let found = self.filter(&part, &analyzer)?.ok_or_else(|| {
                SchemaError::illegal(format!(
                    "Custom Analyzer [{name}] failed to find filter under name [{part}]"
                ))
            })?;
            analyzer.filters.push(Named {
                name: part,
                part: found,
            });
        }
        Ok(analyzer)
    }

    fn configured_normalizer(
        &self,
        name: &str,
        definition: &Definition,
    ) -> Result<Analyzer, SchemaError> {
        if let Some(kind) = definition.text("type")
            && kind != "custom"
        {
            return match (kind.as_str(), self.normalizers.get(&kind)) {
                ("lowercase", Some(built_in)) => Ok(Analyzer {
                    name: name.to_owned(),
                    custom: false,
                    char_filters: Vec::new(),
                    tokenizer: built_in.tokenizer.clone(),
                    filters: built_in.filters.clone(),
                    position_increment_gap: 0,
                }),
                _ => Err(unknown("normalizer", &kind, name)),
            };
        }
        if definition.has("tokenizer") {
            return Err(SchemaError::illegal(format!(
                "Custom normalizer [{name}] cannot configure a tokenizer"
            )));
        }
        let mut normalizer = Analyzer {
            name: name.to_owned(),
            custom: true,
            char_filters: Vec::new(),
            tokenizer: keyword_tokenizer(),
            filters: Vec::new(),
            position_increment_gap: 0,
        };
        for part in definition.list("char_filter").unwrap_or_default() {
            let found = self.char_filter(&part)?.ok_or_else(|| {
                SchemaError::illegal(format!(
                    "Custom normalizer [{name}] failed to find char_filter under name [{part}]"
                ))
            })?;
            if !self.char_filter_normalizes(&part) {
                return Err(SchemaError::illegal(format!(
                    "Custom normalizer [{name}] may not use char filter [{part}]"
                )));
            }
            normalizer.char_filters.push(Named {
                name: part,
                part: found,
            });
        }
        for part in definition.list("filter").unwrap_or_default() {
            let found = self.filter(&part, &normalizer)?.ok_or_else(|| {
                SchemaError::illegal(format!(
                    "Custom normalizer [{name}] failed to find filter under name [{part}]"
                ))
            })?;
            if !self.filter_normalizes(&part) {
                return Err(SchemaError::illegal(format!(
                    "Custom normalizer [{name}] may not use filter [{part}]"
                )));
            }
            normalizer.filters.push(Named {
                name: part,
                part: found,
            });
        }
        Ok(normalizer)
    }

    fn tokenizer(&self, name: &str) -> Result<Option<Arc<dyn Tokenizer>>, SchemaError> {
        if let Some(part) = self.tokenizers.get(name) {
            return Ok(Some(Arc::clone(part)));
        }
        match tokenizers::find(name) {
            Some(row) => Ok(Some(Arc::from((row.build)(&Definition::default())?))),
            None => Ok(None),
        }
    }

    fn char_filter(&self, name: &str) -> Result<Option<Arc<dyn CharFilter>>, SchemaError> {
        if let Some(part) = self.char_filters.get(name) {
            return Ok(Some(Arc::clone(part)));
        }
        match char_filters::find(name) {
            Some(row) if row.prebuilt => Ok(Some(Arc::from((row.build)(&Definition::default())?))),
            _ => Ok(None),
        }
    }

    fn filter(
        &self,
        name: &str,
        so_far: &Analyzer,
    ) -> Result<Option<Arc<dyn TokenFilter>>, SchemaError> {
        let chain = ChainSoFar(so_far);
        if let Some(definition) = self.filters.get(name) {
            let kind = definition.text("type").unwrap_or_default();
            let row = filters::find(&kind).ok_or_else(|| unknown("filter", &kind, name))?;
            return Ok(Some(Arc::from((row.build)(definition, &chain)?)));
        }
        match filters::find(name) {
            Some(row) if row.prebuilt => Ok(Some(Arc::from((row.build)(
                &Definition::default(),
                &chain,
            )?))),
            _ => Ok(None),
        }
    }

    fn filter_normalizes(&self, name: &str) -> bool {
        let kind = self.filters.get(name).and_then(|d| d.text("type"));
        filters::find(kind.as_deref().unwrap_or(name)).is_some_and(|row| row.normalizes)
    }

    fn char_filter_normalizes(&self, name: &str) -> bool {
        match self.char_filters.contains_key(name) {
            true => self.normalizing_char_filters.contains(name),
            false => char_filters::find(name).is_some_and(|row| row.normalizes),
        }
    }

    /// Builds an unnamed analyzer from the parts of an `_analyze` body: `tokenizer`, `filter`, `char_filter`, each a
    /// name or a definition; without a tokenizer a normalizer.
    pub fn build_custom(&self, spec: &Json) -> Result<Arc<Analyzer>, SchemaError> {
        let empty = serde_json::Map::new();
        let definition = Definition::from_json(spec.as_object().unwrap_or(&empty));
        let kind = if definition.has("tokenizer") {
            ChainKind::Analyzer
        } else {
            ChainKind::Normalizer
        };
        let tokenizer = match definition.items("tokenizer").first() {
            None => keyword_tokenizer(),
            Some(item) => {
                self.part_or_definition(item, "tokenizer", |name, definition| match definition {
                    None => self.tokenizer(name),
                    Some(definition) => match tokenizers::find(name) {
                        Some(row) => {
                            check_grams(&self.limits, row.name, "NGram Tokenizer", definition)?;
                            Ok(Some(Arc::from((row.build)(definition)?)))
                        }
                        None => Ok(None),
                    },
                })?
            }
        };
        let mut analyzer = Analyzer {
            name: String::new(),
            custom: true,
            char_filters: Vec::new(),
            tokenizer,
            filters: Vec::new(),
            position_increment_gap: 100,
        };
        for item in definition.items("char_filter") {
            let part =
                self.part_or_definition(
                    &item,
                    "char_filter",
                    |name, definition| match definition {
                        None => self.char_filter(name),
                        Some(definition) => match char_filters::find(name) {
                            Some(row) => Ok(Some(Arc::from((row.build)(definition)?))),
                            None => Ok(None),
                        },
                    },
                )?;
            analyzer.char_filters.push(part);
        }
        for item in definition.items("filter") {
            let part = self.part_or_definition(&item, "filter", |name, definition| {
                let found = match definition {
                    None => self.filter(name, &analyzer)?,
                    Some(definition) => match filters::find(name) {
                        Some(row) => {
                            check_grams(&self.limits, row.name, "NGram TokenFilter", definition)?;
                            check_shingles(&self.limits, row.name, definition)?;
                            Some(Arc::from((row.build)(definition, &ChainSoFar(&analyzer))?))
                        }
                        None => None,
                    },
                };
                if kind == ChainKind::Normalizer && found.is_some() && !self.filter_normalizes(name)
                {
                    return Err(SchemaError::illegal(format!(
                        "Custom normalizer may not use filter [{name}]"
                    )));
                }
                Ok(found)
            })?;
            analyzer.filters.push(part);
        }
        Ok(Arc::new(analyzer))
    }

    /// A part given by name or by definition.
    fn part_or_definition<T: ?Sized>(
        &self,
        item: &Json,
        component: &str,
        find: impl Fn(&str, Option<&Definition>) -> Result<Option<Arc<T>>, SchemaError>,
    ) -> Result<Named<T>, SchemaError> {
        let global = if self.global { "global " } else { "" };
        match item {
            Json::String(name) => match find(name, None)? {
                Some(part) => Ok(Named {
                    name: name.clone(),
                    part,
                }),
                None => Err(SchemaError::illegal(format!(
                    "failed to find {global}{component} under [{name}]"
                ))),
            },
            Json::Object(object) => {
                let definition = Definition::from_json(object);
                let Some(kind) = definition.text("type") else {
                    return Err(SchemaError::illegal(format!(
                        "Missing [type] setting for anonymous {component}: {item}"
                    )));
                };
                match find(&kind, Some(&definition))? {
                    Some(part) => Ok(Named {
                        name: format!("__anonymous__{kind}"),
                        part,
                    }),
                    None => Err(SchemaError::illegal(format!(
                        "failed to find global {component} under [{kind}]"
                    ))),
                }
            }
            _ => Err(SchemaError::illegal(format!(
                "{component} should be an array of {component}'s names or definitions"
            ))),
        }
    }
}

/// Filters that can only be built once the chain before them is known.
const NEEDS_CHAIN: &[&str] = &["synonym", "synonym_graph"];

struct NoChain;

impl Parts for NoChain {
    fn analyze_so_far(&self, text: &str) -> Vec<(String, u32)> {
        vec![(text.to_owned(), 1)]
    }
}

struct ChainSoFar<'a>(&'a Analyzer);

impl Parts for ChainSoFar<'_> {
    fn analyze_so_far(&self, text: &str) -> Vec<(String, u32)> {
        let mut batch = TokenBatch::default();
        self.0.run(text, &mut batch, false);
        batch
            .tokens
            .iter()
            .map(|token| (batch.text(token).to_owned(), token.increment))
            .collect()
    }
}

fn keyword_tokenizer() -> Named<dyn Tokenizer> {
    Named {
        name: "keyword".to_owned(),
        part: Arc::new(Keyword),
    }
}

/// An analyzer that changes nothing.
pub(crate) fn keyword_analyzer(name: &str) -> Analyzer {
    Analyzer {
        name: name.to_owned(),
        custom: false,
        char_filters: Vec::new(),
        tokenizer: keyword_tokenizer(),
        filters: Vec::new(),
        position_increment_gap: 0,
    }
}

fn limit(flat: &BTreeMap<String, String>, key: &str, default: i64) -> i64 {
    flat.get(key)
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

/// `ngram` makes many pieces: the spread of their lengths is bounded by a setting.
fn check_grams(
    flat: &BTreeMap<String, String>,
    kind: &str,
    shown: &str,
    definition: &Definition,
) -> Result<(), SchemaError> {
    if kind != "ngram" {
        return Ok(());
    }
    let allowed = limit(flat, "index.max_ngram_diff", 1);
    let diff = definition.int("max_gram", 2)? - definition.int("min_gram", 1)?;
    if diff > allowed {
        return Err(SchemaError::illegal(format!(
            "The difference between max_gram and min_gram in {shown} must be less than or equal to: [{allowed}] \
             but was [{diff}]. This limit can be set by changing the [index.max_ngram_diff] index level setting."
        )));
    }
    Ok(())
}

/// So is the spread of shingle sizes.
fn check_shingles(
    flat: &BTreeMap<String, String>,
    kind: &str,
    definition: &Definition,
) -> Result<(), SchemaError> {
    if kind != "shingle" {
        return Ok(());
    }
    let allowed = limit(flat, "index.max_shingle_diff", 3);
    let unigrams = i64::from(definition.flag("output_unigrams", true)?);
    let diff =
        definition.int("max_shingle_size", 2)? - definition.int("min_shingle_size", 2)? + unigrams;
    if diff > allowed {
        return Err(SchemaError::illegal(format!(
            "In Shingle TokenFilter the difference between max_shingle_size and min_shingle_size (and +1 if \
             outputting unigrams) must be less than or equal to: [{allowed}] but was [{diff}]. This limit can be \
             set by changing the [index.max_shingle_diff] index level setting."
        )));
    }
    Ok(())
}

fn part_type(component: &str, name: &str, definition: &Definition) -> Result<String, SchemaError> {
    definition.text("type").ok_or_else(|| {
        SchemaError::illegal(format!(
            "{component} [{name}] must specify either an analyzer type, or a tokenizer"
        ))
    })
}

fn unknown(component: &str, kind: &str, name: &str) -> SchemaError {
    SchemaError::illegal(format!("Unknown {component} type [{kind}] for [{name}]"))
}
