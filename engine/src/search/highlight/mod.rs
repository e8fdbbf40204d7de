//! Highlighting: a field's text with what the query found in it marked.
//!
//! The text is analysed again for each hit that is shown, and its tokens are compared with the leaves of the planned
//! query. So all queries that look for terms are marked, and nothing needs to be indexed for it.

mod plain;
mod request;
mod terms;
mod text;
mod unified;

use std::sync::Arc;

pub use request::{
    Boundary, Fragmenter, HighlightField, HighlightKind, HighlightOptions, HighlightRequest,
};

use self::terms::{Leaves, ShownToken};
use self::unified::ShownValue;
use super::{SearchContext, SearchError};
use crate::document::{StoredValue, source_values};
use crate::exec::Planner;
use crate::schema::{FieldKind, FieldMapping};
use crate::segment::StoredDocument;
use crate::shard::ShardReader;
use crate::value::Value;

/// One field to highlight.
struct Shown<'r> {
    /// The name that was asked for.
    name: String,
    field: Arc<FieldMapping>,
    /// Where the `_source` has it: for a multi-field, the field that it belongs to.
    source_path: String,
    options: &'r HighlightOptions,
    leaves: Arc<Leaves>,
}

/// A request made ready for one shard.
pub(super) struct Highlighter<'r> {
    shown: Vec<Shown<'r>>,
    index_name: &'r str,
    max_analyzed_offset: usize,
}

impl<'r> Highlighter<'r> {
    /// Plans the queries whose terms are marked.
    pub fn new(
        reader: &ShardReader,
        request: &'r HighlightRequest,
        context: &'r SearchContext<'r>,
    ) -> Result<Self, SearchError> {
        let mapping = &reader.schema.mapping;
        let mut shown: Vec<Shown<'r>> = Vec::new();
        let mut of_search: Option<Arc<Leaves>> = None;
        for wanted in &request.fields {
            let pattern = wanted.field.contains('*');
            let mut found: Vec<(String, Arc<FieldMapping>)> = Vec::new();
            if pattern {
                for (path, field) in mapping.fields_matching(&wanted.field) {
                    if matches!(field.kind(), FieldKind::Text | FieldKind::Keyword) {
                        found.push((path.to_owned(), field.clone()));
                    }
                }
            } else if let Some(field) = mapping.field(&wanted.field) {
                found.push((wanted.field.clone(), field.clone()));
            }
            if wanted.options.force_source && !mapping.source_enabled() {
                let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
                return Err(SearchError::illegal(format!(
                    "source is forced for fields [{}] but _source is disabled",
                    names.join(", ")
                )));
            }
            let leaves = match (&wanted.query, &of_search) {
                (Some(query), _) => plan(reader, query, context)?,
                (None, Some(known)) => known.clone(),
                (None, None) => {
                    let planned = plan(reader, &request.query, context)?;
                    of_search = Some(planned.clone());
                    planned
                }
            };
            for (name, field) in found {
                let path = field.path();
                let source_path = match path.rsplit_once('.') {
                    Some((parent, _)) if mapping.field(parent).is_some() => parent.to_owned(),
                    _ => path.to_owned(),
                };
                // the last of several entries about one field counts
                shown.retain(|known| known.name != name);
                shown.push(Shown {
                    name,
                    source_path,
                    options: &wanted.options,
                    leaves: leaves.clone(),
                    field,
                });
            }
        }
        Ok(Highlighter {
            shown,
            index_name: context.index_name,
            max_analyzed_offset: reader.schema.settings.max_analyzed_offset,
        })
    }

    /// The fragments of a document by the names of the fields; fields without any are left out.
    pub fn highlight(
        &self,
        stored: &StoredDocument,
    ) -> Result<Vec<(String, Vec<String>)>, SearchError> {
        let mut all = Vec::new();
        for shown in &self.shown {
            let texts = texts_of(stored, shown)?;
            if texts.is_empty() {
                continue;
            }
            let fragments = match shown.options.kind {
                HighlightKind::Unified => self.unified(stored, shown, &texts)?,
                HighlightKind::Plain => self.plain(stored, shown, &texts)?,
            };
            if !fragments.is_empty() {
                all.push((shown.name.clone(), fragments));
            }
        }
        Ok(all)
    }

    fn unified(
        &self,
        stored: &StoredDocument,
        shown: &Shown<'_>,
        texts: &[String],
    ) -> Result<Vec<String>, SearchError> {
        let options = shown.options;
        let mut values = Vec::with_capacity(texts.len());
        let mut at = 0;
        for text in texts {
            values.push(ShownValue { text, start: at });
            at += units(text) + 1;
        }
        if options.max_analyzer_offset.is_none()
            && !shown.field.keeps_offsets()
            && at.saturating_sub(1) > self.max_analyzed_offset
        {
            return Err(self.too_long(stored, shown, "indexing with offsets or term vectors is"));
        }
        let finder = shown.finder();
        let mut tokens = Vec::new();
        if !finder.is_empty() {
            let mut position = 0;
            for value in &values {
                let limit = options.max_analyzer_offset;
                analyse(
                    &shown.field,
                    value.text,
                    value.start,
                    position,
                    limit,
                    &mut tokens,
                );
                let last = tokens.last().map_or(0, |token| token.position + 1);
                position = last + shown.field.index_analyzer().position_increment_gap();
            }
        }
        let found = finder.find(&tokens);
        let whole = options.number_of_fragments == 0 || shown.field.kind() != FieldKind::Text;
        Ok(unified::highlight(&values, &tokens, &found, options, whole))
    }

    fn plain(
        &self,
        stored: &StoredDocument,
        shown: &Shown<'_>,
        texts: &[String],
    ) -> Result<Vec<String>, SearchError> {
        let options = shown.options;
        let finder = shown.finder();
        let mut fragments = Vec::new();
        for text in texts {
            let length = units(text);
            if options.max_analyzer_offset.is_none() && length > self.max_analyzed_offset {
                let advice = "indexing with offsets or term vectors, and highlighting with unified or fvh highlighter is";
                return Err(self.too_long(stored, shown, advice));
            }
            let text = match options.max_analyzer_offset {
                Some(limit) if limit < length => text::Utf16Text::new(text).slice(0, limit),
                _ => text.as_str(),
            };
            let mut tokens = Vec::new();
            analyse(&shown.field, text, 0, 0, None, &mut tokens);
            fragments.extend(plain::fragments(text, &tokens, &finder, options));
        }
        if options.by_score {
            fragments.sort_by_key(|fragment| std::cmp::Reverse(fragment.score));
        }
        if options.number_of_fragments > 0 {
            fragments.truncate(options.number_of_fragments);
        }
        if fragments.is_empty() && options.no_match_size > 0 {
            let mut tokens = Vec::new();
            analyse(&shown.field, &texts[0], 0, 0, None, &mut tokens);
            return Ok(plain::beginning(&texts[0], &tokens, options)
                .into_iter()
                .collect());
        }
        Ok(fragments
            .into_iter()
            .map(|fragment| fragment.text)
            .collect())
    }

    fn too_long(&self, stored: &StoredDocument, shown: &Shown<'_>, advice: &str) -> SearchError {
        SearchError::illegal(format!(
            "The length of [{}] field of [{}] doc of [{}] index has exceeded [{}] - maximum allowed to be analyzed \
             for highlighting. This maximum can be set by changing the [index.highlight.max_analyzed_offset] index \
             level setting. For large texts, {advice} recommended!",
            shown.name, stored.id, self.index_name, self.max_analyzed_offset
        ))
    }
}

impl Shown<'_> {
    fn finder(&self) -> terms::Finder<'_> {
        let (path, options) = (self.field.path(), self.options);
        self.leaves
            .finder(|field| match options.require_field_match {
                true => field == path || options.matched_fields.iter().any(|name| name == field),
                false => field != "_id",
            })
    }
}

fn plan(
    reader: &ShardReader,
    query: &crate::query::Query,
    context: &SearchContext<'_>,
) -> Result<Arc<Leaves>, SearchError> {
    let node = Planner::new(reader, context).plan(query)?;
    Ok(Arc::new(Leaves::of(&node)))
}

/// Adds the tokens of a value; `limit`: those that begin behind it are left out.
fn analyse(
    field: &FieldMapping,
    text: &str,
    start: usize,
    position: u32,
    limit: Option<usize>,
    tokens: &mut Vec<ShownToken>,
) {
    field.index_analyzer().analyze(text, &mut |token| {
        if limit.is_some_and(|limit| token.start_offset as usize > limit) {
            return;
        }
        tokens.push(ShownToken {
            term: token.text.to_owned(),
            position: position + token.position,
            start: start + token.start_offset as usize,
            end: start + token.end_offset as usize,
        });
    });
}

/// The field's values as text, those that a keyword ignored left out.
fn texts_of(stored: &StoredDocument, shown: &Shown<'_>) -> Result<Vec<String>, SearchError> {
    let field = &shown.field;
    let mut texts = Vec::new();
    let kept = stored
        .fields
        .iter()
        .find(|(path, _)| **path == *field.path());
    if field.stored() && !shown.options.force_source {
        for value in kept.map_or(&[][..], |(_, values)| values) {
            match value {
                StoredValue::Str(text) => texts.push(text.clone()),
                StoredValue::I64(number) => texts.push(number.to_string()),
                StoredValue::U64(number) => texts.push(number.to_string()),
                StoredValue::F64(number) => texts.push(number.to_string()),
                StoredValue::Bool(truth) => texts.push(truth.to_string()),
                StoredValue::Bytes(_) => {}
            }
        }
    } else if !stored.source.is_empty() {
        let mut found = source_values(&stored.source, &[&shown.source_path])?;
        for value in found.pop().unwrap_or_default() {
            match value {
                Value::Null => {}
                Value::Str(text) => texts.push(text),
                Value::I64(number) => texts.push(number.to_string()),
                Value::U64(number) => texts.push(number.to_string()),
                Value::F64(number) => texts.push(number.to_string()),
                Value::Bool(truth) => texts.push(truth.to_string()),
            }
        }
    }
    if field.kind() == FieldKind::Keyword {
        texts.retain(|text| units(text) <= field.ignore_above());
    }
    Ok(texts)
}

fn units(text: &str) -> usize {
    match text.is_ascii() {
        true => text.len(),
        false => text.encode_utf16().count(),
    }
}

#[cfg(test)]
mod tests;
