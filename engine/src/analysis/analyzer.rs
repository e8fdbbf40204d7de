//! An analyzer: the whole chain from text to tokens.

use std::cell::RefCell;
use std::sync::Arc;

use serde::Serialize;

use super::char_filters::{CharFilter, FilteredText};
use super::filters::TokenFilter;
use super::token::{TokenBatch, TokenRef};
use super::tokenizers::{Slice, Tokenizer};

/// A part of an analyzer with the name under which it was asked for.
#[derive(Debug)]
pub(crate) struct Named<T: ?Sized> {
    pub name: String,
    pub part: Arc<T>,
}

impl<T: ?Sized> Clone for Named<T> {
    fn clone(&self) -> Self {
        Named {
            name: self.name.clone(),
            part: Arc::clone(&self.part),
        }
    }
}

/// Char filters, a tokenizer and token filters under one name.
#[derive(Debug)]
pub struct Analyzer {
    pub(crate) name: String,
    /// Made of named parts, which `explain` shows one by one.
    pub(crate) custom: bool,
    pub(crate) char_filters: Vec<Named<dyn CharFilter>>,
    pub(crate) tokenizer: Named<dyn Tokenizer>,
    pub(crate) filters: Vec<Named<dyn TokenFilter>>,
    pub(crate) position_increment_gap: u32,
}

/// One token with its own text, for `_analyze`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OwnedToken {
    /// The term.
    pub token: String,
    /// See [`TokenRef`].
    pub start_offset: u32,
    /// See [`TokenRef`].
    pub end_offset: u32,
    /// Token type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Position from 0.
    pub position: u32,
    /// Positions it spans, shown unless 1.
    #[serde(rename = "positionLength", skip_serializing_if = "is_one")]
    pub position_length: u32,
    /// Whether stemmers leave it alone; shown by `explain` only.
    #[serde(skip)]
    pub keyword: bool,
}

fn is_one(n: &u32) -> bool {
    *n == 1
}

/// What one stage of an analyzer gave, for `_analyze` with `explain`.
#[derive(Clone, Debug)]
pub struct AnalyzeStage {
    /// Name of the char filter, tokenizer or token filter.
    pub name: String,
    /// The text after a char filter, one per given text; empty for other stages.
    pub filtered_text: Vec<String>,
    /// The tokens after a tokenizer or token filter; empty for char filters.
    pub tokens: Vec<OwnedToken>,
}

/// The answer of `_analyze`.
#[derive(Clone, Debug)]
pub struct AnalyzeReport {
    /// The final tokens.
    pub tokens: Vec<OwnedToken>,
    /// Whether the chain is shown part by part (`custom_analyzer: true` in `explain`).
    pub custom: bool,
    /// The analyzer's name.
    pub analyzer: Option<String>,
    /// Char filters in order.
    pub char_filters: Vec<AnalyzeStage>,
    /// The tokenizer; `None` unless custom.
    pub tokenizer: Option<AnalyzeStage>,
    /// Token filters in order.
    pub filters: Vec<AnalyzeStage>,
}

/// What becomes of the letters of a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    AsWritten,
    Lower,
}

thread_local! {
    static SCRATCH: RefCell<TokenBatch> = RefCell::new(TokenBatch::default());
}

impl Analyzer {
    /// The name under which it was configured.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Positions between two values of one field.
    pub fn position_increment_gap(&self) -> u32 {
        self.position_increment_gap
    }

    /// Gives the tokens of a text, in order.
    pub fn analyze(&self, text: &str, out: &mut dyn FnMut(TokenRef<'_>)) {
        let mut batch = SCRATCH.take();
        self.run(text, &mut batch, true);
        batch.for_each(out);
        SCRATCH.replace(batch);
    }

    /// The terms of a text, in order, without their places.
    pub fn terms(&self, text: &str) -> Vec<String> {
        let mut terms = Vec::new();
        self.analyze(text, &mut |token| terms.push(token.text.to_owned()));
        terms
    }

    /// The text as a normaliser leaves it: the first token, or nothing if there is none.
    pub fn normalize(&self, text: &str) -> String {
        let mut whole = String::new();
        self.analyze(text, &mut |token| {
            if whole.is_empty() {
                whole.push_str(token.text);
            }
        });
        whole
    }

    /// Whether the text passes unchanged as one token, so that analysis can be skipped.
    pub(crate) fn is_identity(&self) -> bool {
        self.char_filters.is_empty()
            && self.filters.is_empty()
            && self.tokenizer.part.is_whole_text()
    }

    /// Whether the terms are slices of the text, at most put in lower case: gives these, and whether lower case is to be
    /// made of them. Else nothing, and [`run`](Self::run) must do it.
    pub(crate) fn slices(&self, text: &str, out: &mut Vec<Slice>) -> Option<Case> {
        out.clear();
        let plain = self.char_filters.is_empty()
            && self.filters.iter().all(|filter| filter.part.is_lowercase());
        if !plain || !self.tokenizer.part.cut(text, out) {
            return None;
        }
        Some(match self.filters.is_empty() {
            true => Case::AsWritten,
            false => Case::Lower,
        })
    }

    /// Runs all stages into `batch`. Without `offsets` the offsets of the tokens mean nothing.
    pub(crate) fn run(&self, text: &str, batch: &mut TokenBatch, offsets: bool) {
        self.tokenize(text, batch, offsets);
        for filter in &self.filters {
            filter.part.apply(batch);
        }
    }

    fn tokenize(&self, text: &str, batch: &mut TokenBatch, offsets: bool) {
        if self.char_filters.is_empty() {
            batch.reset(text);
            self.tokenizer.part.tokenize(text, batch);
            if offsets && !text.is_ascii() {
                to_utf16(batch, text, &[]);
            }
            return;
        }
        let mut filtered = FilteredText::new(text);
        let mut corrections = Vec::new();
        for filter in &self.char_filters {
            filtered = filter.part.apply(&filtered.text);
            corrections.push(std::mem::take(&mut filtered.corrections));
        }
        batch.reset(&filtered.text);
        self.tokenizer.part.tokenize(&filtered.text, batch);
        if offsets {
            to_utf16(batch, text, &corrections);
        }
    }

    /// Runs texts as values of one field, remembering every stage.
    pub fn explain(&self, texts: &[&str]) -> AnalyzeReport {
        let mut char_filters: Vec<AnalyzeStage> =
            self.char_filters.iter().map(|f| stage(&f.name)).collect();
        let mut tokenizer = stage(&self.tokenizer.name);
        let mut filters: Vec<AnalyzeStage> = self.filters.iter().map(|f| stage(&f.name)).collect();
        let mut places = vec![Place::default(); filters.len() + 1];
        let mut batch = TokenBatch::default();
        for text in texts {
            let mut filtered = (*text).to_owned();
            for (filter, stage) in self.char_filters.iter().zip(&mut char_filters) {
                filtered = filter.part.apply(&filtered).text;
                stage.filtered_text.push(filtered.clone());
            }
            self.tokenize(text, &mut batch, true);
            let gap = self.position_increment_gap;
            places[0].collect(&batch, text, gap, &mut tokenizer.tokens);
            for (index, filter) in self.filters.iter().enumerate() {
                filter.part.apply(&mut batch);
                places[index + 1].collect(&batch, text, gap, &mut filters[index].tokens);
            }
        }
        let tokens = filters.last().unwrap_or(&tokenizer).tokens.clone();
        AnalyzeReport {
            tokens,
            custom: self.custom,
            analyzer: Some(self.name.clone()),
            char_filters: if self.custom {
                char_filters
            } else {
                Vec::new()
            },
            tokenizer: self.custom.then_some(tokenizer),
            filters: if self.custom { filters } else { Vec::new() },
        }
    }
}

fn stage(name: &str) -> AnalyzeStage {
    AnalyzeStage {
        name: name.to_owned(),
        filtered_text: Vec::new(),
        tokens: Vec::new(),
    }
}

/// Where the next value of a field begins.
#[derive(Clone)]
struct Place {
    position: i64,
    offset: u32,
}

impl Default for Place {
    fn default() -> Self {
        Place {
            position: -1,
            offset: 0,
        }
    }
}

impl Place {
    fn collect(&mut self, batch: &TokenBatch, text: &str, gap: u32, into: &mut Vec<OwnedToken>) {
        for token in &batch.tokens {
            self.position += i64::from(token.increment);
            into.push(OwnedToken {
                token: batch.text(token).to_owned(),
                start_offset: token.start_offset + self.offset,
                end_offset: token.end_offset + self.offset,
                kind: token.kind.to_owned(),
                position: self.position.max(0) as u32,
                position_length: token.length,
                keyword: token.keyword,
            });
        }
        self.position += i64::from(batch.end_increment + gap);
        self.offset += utf16_len(text) + 1;
    }
}

fn utf16_len(text: &str) -> u32 {
    text.chars().map(|c| c.len_utf16() as u32).sum()
}

/// Turns byte offsets of the filtered text into UTF-16 offsets of the original one.
fn to_utf16(batch: &mut TokenBatch, original: &str, corrections: &[Vec<(u32, i64)>]) {
    let mut cursor = Utf16Cursor {
        text: original,
        byte: 0,
        units: 0,
    };
    for index in 0..batch.tokens.len() {
        let token = &mut batch.tokens[index];
        token.start_offset = cursor.units_at(correct(token.start_offset, corrections));
        token.end_offset = cursor.units_at(correct(token.end_offset, corrections));
    }
}

fn correct(offset: u32, corrections: &[Vec<(u32, i64)>]) -> usize {
    let mut offset = i64::from(offset);
    for stage in corrections.iter().rev() {
        let after = stage.partition_point(|(at, _)| i64::from(*at) <= offset);
        if after > 0 {
            offset += stage[after - 1].1;
        }
    }
    offset.max(0) as usize
}

/// Walks a text both in bytes and in UTF-16 units; mostly forwards.
struct Utf16Cursor<'a> {
    text: &'a str,
    byte: usize,
    units: u32,
}

impl Utf16Cursor<'_> {
    fn units_at(&mut self, byte: usize) -> u32 {
        let mut byte = byte.min(self.text.len());
        while !self.text.is_char_boundary(byte) {
            byte -= 1;
        }
        if byte >= self.byte {
            self.units += utf16_len(&self.text[self.byte..byte]);
        } else {
            self.units -= utf16_len(&self.text[byte..self.byte]);
        }
        self.byte = byte;
        self.units
    }
}
