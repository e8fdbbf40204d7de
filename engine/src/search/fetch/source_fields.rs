//! `fields`: values from the `_source`, read and shown by the mapping.

use std::sync::Arc;

use super::add_field;
use crate::document::source_values;
use crate::schema::{FieldKind, FieldMapping};
use crate::search::{FetchRequest, SearchError};
use crate::segment::StoredDocument;
use crate::shard::ShardReader;
use crate::value::Value;

/// One field to show.
pub(super) struct Shown {
    name: String,
    field: Arc<FieldMapping>,
    /// Where the `_source` has it: for a multi-field, the field that it belongs to.
    source_path: String,
    format: Option<String>,
}

/// The fields that the request's names and patterns stand for.
pub(super) fn plan(
    reader: &ShardReader,
    request: &FetchRequest,
    index_name: &str,
) -> Result<Vec<Shown>, SearchError> {
    let mapping = &reader.schema.mapping;
    if !request.fields.is_empty() && !mapping.source_enabled() {
        return Err(SearchError::illegal(format!(
            "Unable to retrieve the requested [fields] since _source is disabled in the mappings for index \
             [{index_name}]"
        )));
    }
    let mut shown = Vec::new();
    for wanted in &request.fields {
        let mut found: Vec<(String, Arc<FieldMapping>)> = Vec::new();
        if wanted.field.contains('*') {
            for (path, field) in mapping.fields_matching(&wanted.field) {
                found.push((path.to_owned(), field.clone()));
            }
        } else if let Some(field) = mapping.field(&wanted.field) {
            found.push((wanted.field.clone(), field.clone()));
        }
        for (name, field) in found {
            if wanted.format.is_some() && !field.kind().is_date() {
                return Err(SearchError::illegal(format!(
                    "Field [{}] of type [{}] doesn't support formats.",
                    field.path(),
                    field.type_name()
                )));
            }
            let path = field.path();
            let source_path = match path.rsplit_once('.') {
                Some((parent, _)) if mapping.field(parent).is_some() => parent.to_owned(),
                _ => path.to_owned(),
            };
            shown.push(Shown {
                name,
                source_path,
                format: wanted.format.clone(),
                field,
            });
        }
    }
    Ok(shown)
}

/// A document's values that are objects, as JSON texts by name.
pub(super) fn trees(stored: &StoredDocument, shown: &[Shown]) -> Vec<(String, Vec<String>)> {
    let mut trees = Vec::new();
    for one in shown {
        if let Some(values) = one.field.source_trees(&stored.source, &one.source_path)
            && !values.is_empty()
        {
            trees.push((one.name.clone(), values));
        }
    }
    trees
}

/// Adds a document's values.
pub(super) fn add(
    stored: &StoredDocument,
    shown: &[Shown],
    fields: &mut Vec<(String, Vec<Value>)>,
) -> Result<(), SearchError> {
    if shown.is_empty() || stored.source.is_empty() {
        return Ok(());
    }
    let paths: Vec<&str> = shown.iter().map(|one| one.source_path.as_str()).collect();
    let found = source_values(&stored.source, &paths)?;
    for (one, raw) in shown.iter().zip(found) {
        if matches!(one.field.kind(), FieldKind::GeoPoint | FieldKind::Range)
            || one.field.counts_tokens()
        {
            continue;
        }
        let mut values = Vec::with_capacity(raw.len());
        for value in raw {
            // values that the field ignored when they were indexed are left out here too
            if let Ok(Some(value)) = shown_value(&one.field, &value, one.format.as_deref()) {
                values.push(value);
            }
        }
        add_field(fields, &one.name, values);
    }
    Ok(())
}

fn shown_value(
    field: &FieldMapping,
    value: &Value,
    format: Option<&str>,
) -> Result<Option<Value>, SearchError> {
    let stand_in;
    let value = match value {
        Value::Null => match field.null_scalar() {
            Some(scalar) => {
                stand_in = scalar;
                &stand_in
            }
            None => return Ok(None),
        },
        value => value,
    };
    if field.numeric().is_some() {
        return Ok(match (field.kind(), value) {
            // a fraction given to a whole number was cut when it was indexed
            (FieldKind::Long | FieldKind::Integer | FieldKind::Short | FieldKind::Byte, _) => {
                match number_of(value) {
                    Some(number) if number.fract() != 0.0 => Some(Value::I64(number as i64)),
                    _ => encoded(field, value, format)?,
                }
            }
            (FieldKind::Double | FieldKind::Float | FieldKind::HalfFloat, _) => {
                number_of(value).map(Value::F64)
            }
            _ => encoded(field, value, format)?,
        });
    }
    match field.kind() {
        FieldKind::Keyword | FieldKind::Ip => {
            if let (FieldKind::Keyword, Value::Str(text)) = (field.kind(), value)
                && text.encode_utf16().count() > field.ignore_above()
            {
                return Ok(None);
            }
            let term = field.encode_term(value)?;
            Ok(Some(field.format_term(&term, format)?))
        }
        _ => Ok(Some(match value {
            Value::Str(text) => Value::Str(text.clone()),
            Value::I64(number) => Value::Str(number.to_string()),
            Value::U64(number) => Value::Str(number.to_string()),
            Value::F64(number) => Value::Str(number.to_string()),
            Value::Bool(truth) => Value::Str(truth.to_string()),
            Value::Null => return Ok(None),
        })),
    }
}

fn encoded(
    field: &FieldMapping,
    value: &Value,
    format: Option<&str>,
) -> Result<Option<Value>, SearchError> {
    match field.encode_number(value, 0)? {
        Some(stored) => Ok(Some(field.format_number(stored, format, None)?)),
        None => Ok(None),
    }
}

fn number_of(value: &Value) -> Option<f64> {
    match value {
        Value::I64(number) => Some(*number as f64),
        Value::U64(number) => Some(*number as f64),
        Value::F64(number) => Some(*number),
        Value::Str(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) => None,
    }
}
