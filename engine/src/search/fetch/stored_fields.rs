//! `stored_fields`: values of fields that are stored apart from `_source`.

use super::add_field;
use crate::document::StoredValue;
use crate::search::{FetchRequest, SearchError};
use crate::segment::StoredDocument;
use crate::shard::ShardReader;
use crate::value::Value;

/// Adds the stored values of the fields asked for.
pub(super) fn add(
    reader: &ShardReader,
    stored: &StoredDocument,
    request: &FetchRequest,
    fields: &mut Vec<(String, Vec<Value>)>,
) -> Result<(), SearchError> {
    let mapping = &reader.schema.mapping;
    for wanted in &request.stored_fields {
        let mut names: Vec<(String, String)> = Vec::new();
        if wanted.contains('*') {
            for (path, field) in mapping.fields_matching(wanted) {
                names.push((path.to_owned(), field.path().to_owned()));
            }
        } else if let Some(field) = mapping.field(wanted) {
            names.push((wanted.clone(), field.path().to_owned()));
        }
        for (name, path) in names {
            let Some((_, values)) = stored.fields.iter().find(|(known, _)| **known == *path) else {
                continue;
            };
            let field = mapping.field(&path);
            let mut shown = Vec::with_capacity(values.len());
            for value in values {
                shown.push(match value {
                    StoredValue::I64(number) => match field {
                        Some(field) if field.kind().is_date() => {
                            field.format_number(*number, None, None)?
                        }
                        _ => Value::I64(*number),
                    },
                    StoredValue::U64(number) => Value::U64(*number),
                    StoredValue::F64(number) => Value::F64(*number),
                    StoredValue::Bool(truth) => Value::Bool(*truth),
                    StoredValue::Str(text) => Value::Str(text.clone()),
                    StoredValue::Bytes(bytes) => match field {
                        Some(field) => field.format_term(bytes, None)?,
                        None => continue,
                    },
                });
            }
            add_field(fields, &name, shown);
        }
    }
    Ok(())
}
