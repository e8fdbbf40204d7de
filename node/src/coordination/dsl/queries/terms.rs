//! `{"colour": ["red", "blue"]}`: documents whose field holds one of these values.
//!
//! The form that looks its values up in another document (`{"colour": {"index", "id", "path"}}`) has had its values
//! put in place before parsing; see [`terms_lookup`](crate::coordination::terms_lookup).

use quidditch_engine::query::{Query, TermsQuery};
use quidditch_engine::value::Value;

use super::clause;
use crate::coordination::dsl::{Json, ParseError};

/// `terms`.
pub(super) fn parse(body: &Json<'_>) -> Result<Query, ParseError> {
    const NAME: &str = "terms";
    let mut field: Option<&str> = None;
    let mut query = TermsQuery::new("", Vec::new());
    for (key, value) in body.members() {
        if value.is_array() || value.is_object() {
            if let Some(first) = field {
                return Err(value.parsing(format!(
                    "[terms] query does not support multiple fields, found [{first}] and [{key}]"
                )));
            }
            field = Some(key);
            if value.is_object() {
                return Err(unresolved_lookup(&value));
            }
            query.values = values_of(&value)?;
            continue;
        }
        match key {
            "boost" => query.boost = clause::boost(NAME, &value)?,
            "_name" => query.name = clause::name(&value)?,
            "value_type" => {
                let kind = value.text()?;
                if kind != "default" {
                    return Err(value.illegal(format!(
                        "[terms] query does not support [value_type] [{kind}]"
                    )));
                }
            }
            _ => return Err(clause::unsupported(NAME, &value)),
        }
    }
    let Some(field) = field else {
        return Err(body.parsing(
            "[terms] query requires a field name, followed by array of terms or a document lookup specification",
        ));
    };
    query.field = field.to_owned();
    Ok(Query::Terms(query))
}

fn values_of(list: &Json<'_>) -> Result<Vec<Value>, ParseError> {
    let mut values = Vec::new();
    for item in list.items() {
        if item.is_null() {
            return Err(item.parsing("No value specified for terms query"));
        }
        values.push(item.scalar()?);
    }
    Ok(values)
}

/// A lookup that stands where nobody can answer it, such as the filter of an alias, or one that lacks a part.
fn unresolved_lookup(lookup: &Json<'_>) -> ParseError {
    for (key, value) in lookup.members() {
        if !matches!(key, "index" | "id" | "path" | "routing" | "store") {
            return value.parsing(format!("[terms_lookup] unknown field [{key}]"));
        }
    }
    for required in ["index", "id", "path"] {
        if lookup.get(required).is_none() {
            return lookup.illegal(format!(
                "[terms] query lookup element requires specifying the {}.",
                if required == "index" {
                    "index name"
                } else {
                    required
                }
            ));
        }
    }
    lookup.illegal("[terms] query lookup is not supported here; write the terms themselves")
}
