//! `fields`, `docvalue_fields`, `stored_fields`: which values of a document an answer shows besides its source.

use quidditch_engine::search::FieldAndFormat;
use serde::{Deserialize, Serialize};

use super::{Json, ParseError};

/// Reads a list of names and `{"field", "format"}` objects.
pub fn parse_field_formats(list: &Json<'_>) -> Result<Vec<FieldAndFormat>, ParseError> {
    let mut fields = Vec::new();
    for item in list.items() {
        if !item.is_object() {
            if !item.is_scalar() {
                return Err(item.content(format!(
                    "[fields] unknown token [{}]: write a name or an object with [field] and [format]",
                    item.token()
                )));
            }
            fields.push(FieldAndFormat {
                field: item.text()?,
                format: None,
            });
            continue;
        }
        let mut one = FieldAndFormat {
            field: String::new(),
            format: None,
        };
        for (key, value) in item.members() {
            match key {
                "field" => one.field = value.text()?,
                "format" => one.format = value.text_or_null()?,
                _ => return Err(value.content(format!("[docvalues_field] unknown field [{key}]"))),
            }
        }
        if one.field.is_empty() {
            return Err(item.illegal("Required [field]"));
        }
        // an old way of saying "as the field is mapped", which is the default
        if one.format.as_deref() == Some("use_field_mapping") {
            one.format = None;
        }
        fields.push(one);
    }
    Ok(fields)
}

/// What `stored_fields` asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum StoredFields {
    /// `_none_`: neither fields nor metadata of the document.
    None,
    /// Names or patterns; `_source` among them asks for the source too.
    Names(Vec<String>),
}

impl StoredFields {
    /// Makes it from names as they were written.
    pub fn of(names: Vec<String>) -> Result<StoredFields, ParseError> {
        if names.len() == 1 && names[0] == "_none_" {
            return Ok(StoredFields::None);
        }
        if names.iter().any(|name| name == "_none_") {
            return Err(ParseError::illegal_argument(
                "cannot combine _none_ with other fields",
            ));
        }
        Ok(StoredFields::Names(names))
    }

    /// Reads one name or a list.
    pub fn parse(value: &Json<'_>) -> Result<StoredFields, ParseError> {
        StoredFields::of(value.texts()?).map_err(|error| error.inside(&value.path()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_names_and_objects() {
        let body = json!(["a", {"field": "b", "format": "epoch_millis"}, {"field": "c", "format": "use_field_mapping"}]);
        let fields = parse_field_formats(&Json::root(&body)).unwrap();
        let shown: Vec<_> = fields
            .iter()
            .map(|f| (f.field.as_str(), f.format.as_deref()))
            .collect();
        assert_eq!(
            shown,
            [("a", None), ("b", Some("epoch_millis")), ("c", None)]
        );
    }

    #[test]
    fn none_stands_alone() {
        assert_eq!(
            StoredFields::of(vec!["_none_".into()]).unwrap(),
            StoredFields::None
        );
        assert!(StoredFields::of(vec!["_none_".into(), "a".into()]).is_err());
    }
}
