//! `docvalue_fields`: values from columns.

use std::sync::Arc;

use super::add_field;
use crate::aggs::DecimalFormat;
use crate::ids::DocId;
use crate::schema::{FieldKind, FieldMapping};
use crate::search::sort_reader::check_sortable;
use crate::search::{FetchRequest, SearchError};
use crate::segment::SegmentReader;
use crate::shard::ShardReader;
use crate::value::Value;

/// One field to show.
pub(super) struct Shown {
    name: String,
    /// `None`: a system column, whole numbers.
    field: Option<Arc<FieldMapping>>,
    format: Option<String>,
}

/// The fields that the request's names and patterns stand for.
pub(super) fn plan(
    reader: &ShardReader,
    request: &FetchRequest,
) -> Result<Vec<Shown>, SearchError> {
    let limit = reader.schema.settings.max_docvalue_fields_search;
    if request.docvalue_fields.len() > limit {
        return Err(SearchError::illegal(format!(
            "Trying to retrieve too many docvalue_fields. Must be less than or equal to: [{limit}] but was [{}]. This limit \
             can be set by changing the [index.max_docvalue_fields_search] index level setting.",
            request.docvalue_fields.len()
        )));
    }
    let mapping = &reader.schema.mapping;
    let mut shown = Vec::new();
    for wanted in &request.docvalue_fields {
        let format = wanted
            .format
            .clone()
            .filter(|format| format != "use_field_mapping");
        if wanted.field.contains('*') {
            for (path, field) in mapping.fields_matching(&wanted.field) {
                if field.has_doc_values() || field.fielddata() {
                    shown.push(Shown {
                        name: path.to_owned(),
                        field: Some(field.clone()),
                        format: format.clone(),
                    });
                }
            }
        } else if let Some(field) = mapping.field(&wanted.field) {
            check_sortable(field)?;
            shown.push(Shown {
                name: wanted.field.clone(),
                field: Some(field.clone()),
                format,
            });
        } else if matches!(
            wanted.field.as_str(),
            "_seq_no" | "_version" | "_primary_term"
        ) {
            shown.push(Shown {
                name: wanted.field.clone(),
                field: None,
                format: None,
            });
        }
    }
    // what `fields` shows of counted tokens is in columns alone
    for wanted in &request.fields {
        for (path, field) in mapping.fields_matching(&wanted.field) {
            if field.counts_tokens() && field.has_doc_values() {
                shown.push(Shown {
                    name: path.to_owned(),
                    field: Some(field.clone()),
                    format: None,
                });
            }
        }
    }
    Ok(shown)
}

/// Adds a document's values.
pub(super) fn add(
    segment: &SegmentReader,
    doc: DocId,
    shown: &[Shown],
    fields: &mut Vec<(String, Vec<Value>)>,
) -> Result<(), SearchError> {
    let (mut numbers, mut ords, mut term) = (Vec::new(), Vec::new(), Vec::new());
    for (n, one) in shown.iter().enumerate() {
        let mut values = Vec::new();
        let format = one.format.as_deref();
        let path = one
            .field
            .as_ref()
            .map_or(one.name.as_str(), |field| field.path());
        if let Some(column) = segment.numeric(path)? {
            column.values(doc, &mut numbers);
            for number in &numbers {
                values.push(match &one.field {
                    Some(field) => match (format, field.kind()) {
                        (Some(pattern), kind) if is_decimal(kind) => {
                            Value::Str(decimal(field, *number, pattern)?)
                        }
                        _ => field.format_number(*number, format, None)?,
                    },
                    None => Value::I64(*number),
                });
            }
        } else if let Some(field) = &one.field
            && let Some(column) = segment.fielddata(path)?
        {
            column.ords(doc, &mut ords);
            for ord in &ords {
                column.term(*ord, &mut term)?;
                values.push(field.format_term(&term, format)?);
            }
        }
        // a field asked for in several formats is shown in all of them
        let again = shown[..n].iter().any(|known| known.name == one.name);
        match fields
            .iter_mut()
            .find(|(name, _)| again && *name == one.name)
        {
            Some((_, known)) => known.extend(values),
            None => add_field(fields, &one.name, values),
        }
    }
    Ok(())
}

/// Whether values are numbers that a pattern such as `#.00` can show.
fn is_decimal(kind: FieldKind) -> bool {
    !kind.is_date() && kind != FieldKind::Boolean
}

fn decimal(field: &FieldMapping, stored: i64, pattern: &str) -> Result<String, SearchError> {
    let number = match field.format_number(stored, None, None)? {
        Value::I64(number) => number as f64,
        Value::U64(number) => number as f64,
        Value::F64(number) => number,
        Value::Str(text) => return Ok(text),
        Value::Bool(truth) => return Ok(truth.to_string()),
        Value::Null => return Ok(String::new()),
    };
    let format = DecimalFormat::parse(pattern).map_err(SearchError::illegal)?;
    Ok(format.show(number))
}
