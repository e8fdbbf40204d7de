//! `docvalue_fields`: values from columns.

use std::sync::Arc;

use super::add_field;
use crate::ids::DocId;
use crate::schema::FieldMapping;
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
                if field.has_doc_values() {
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
    for one in shown {
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
                    Some(field) => field.format_number(*number, format, None)?,
                    None => Value::I64(*number),
                });
            }
        } else if let Some(field) = &one.field
            && let Some(column) = segment.ordinals(path)?
        {
            column.ords(doc, &mut ords);
            for ord in &ords {
                column.term(*ord, &mut term)?;
                values.push(field.format_term(&term, format)?);
            }
        }
        add_field(fields, &one.name, values);
    }
    Ok(())
}
