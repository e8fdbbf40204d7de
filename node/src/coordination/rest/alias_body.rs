//! Aliases as bodies write them and answers show them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::RestError;
use crate::cluster::AliasMetadata;
use crate::coordination::dsl::parse_query;

/// Reads `{"alias": {…}, …}`, the `aliases` of an index or a template.
pub fn parse_aliases(value: &Value) -> Result<BTreeMap<String, AliasMetadata>, RestError> {
    let object = value
        .as_object()
        .ok_or_else(|| RestError::new(400, "parse_exception", "key [aliases] must be an object"))?;
    let mut aliases = BTreeMap::new();
    for (name, body) in object {
        let body = match body {
            Value::Object(body) => body.clone(),
            Value::Null => Map::new(),
            _ => {
                return Err(RestError::new(
                    400,
                    "parse_exception",
                    format!("alias [{name}] must be an object"),
                ));
            }
        };
        aliases.insert(name.clone(), parse_alias(name, &body)?);
    }
    Ok(aliases)
}

/// Reads what goes with one alias. The filter is checked, not kept as a query: it is parsed again where it is used.
pub fn parse_alias(name: &str, body: &Map<String, Value>) -> Result<AliasMetadata, RestError> {
    let mut alias = AliasMetadata::default();
    for (key, value) in body {
        match key.as_str() {
            "filter" => alias.filter = filter(name, value)?,
            "routing" => {
                let routing = routing(key, value)?;
                alias.index_routing.get_or_insert_with(|| routing.clone());
                alias.search_routing.get_or_insert(routing);
            }
            "index_routing" | "indexRouting" | "index-routing" => {
                alias.index_routing = Some(routing(key, value)?)
            }
            "search_routing" | "searchRouting" | "search-routing" => {
                alias.search_routing = Some(routing(key, value)?)
            }
            "is_write_index" => alias.is_write_index = Some(flag(key, value)?),
            "is_hidden" => alias.is_hidden = Some(flag(key, value)?),
            other => {
                return Err(RestError::new(
                    400,
                    "illegal_argument_exception",
                    format!("unknown field [{other}] in alias [{name}]"),
                ));
            }
        }
    }
    // The order of keys does not matter: the more special routing wins.
    if let Some(value) = body.get("index_routing") {
        alias.index_routing = Some(routing("index_routing", value)?);
    }
    if let Some(value) = body.get("search_routing") {
        alias.search_routing = Some(routing("search_routing", value)?);
    }
    Ok(alias)
}

/// Checks an alias filter; an empty one is none.
pub fn filter(name: &str, value: &Value) -> Result<Option<Value>, RestError> {
    match value {
        Value::Null => return Ok(None),
        Value::Object(object) if object.is_empty() => return Ok(None),
        _ => {}
    }
    match parse_query(value) {
        Ok(_) => Ok(Some(value.clone())),
        Err(cause) => Err(RestError::illegal_argument(format!(
            "failed to parse filter for alias [{name}]"
        ))
        .with_cause(RestError::from(cause))),
    }
}

/// A routing value: text or a number.
pub fn routing(key: &str, value: &Value) -> Result<String, RestError> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err(RestError::illegal_argument(format!(
            "[{key}] must be a text or a number"
        ))),
    }
}

/// A boolean, also as text.
pub fn flag(key: &str, value: &Value) -> Result<bool, RestError> {
    match value {
        Value::Bool(flag) => Ok(*flag),
        Value::String(text) if text == "true" => Ok(true),
        Value::String(text) if text == "false" => Ok(false),
        other => Err(RestError::illegal_argument(format!(
            "Failed to parse value [{}] of [{key}] as only [true] or [false] are allowed.",
            other
                .as_str()
                .map_or_else(|| other.to_string(), str::to_owned)
        ))),
    }
}

/// What goes with an alias, as answers show it.
pub fn show_alias(alias: &AliasMetadata) -> Value {
    let mut shown = Map::new();
    if let Some(filter) = &alias.filter {
        shown.insert("filter".to_owned(), filter.clone());
    }
    if let Some(routing) = &alias.index_routing {
        shown.insert("index_routing".to_owned(), json!(routing));
    }
    if let Some(routing) = &alias.search_routing {
        shown.insert("search_routing".to_owned(), json!(routing));
    }
    if let Some(flag) = alias.is_write_index {
        shown.insert("is_write_index".to_owned(), json!(flag));
    }
    if let Some(flag) = alias.is_hidden {
        shown.insert("is_hidden".to_owned(), json!(flag));
    }
    Value::Object(shown)
}

/// All aliases of an index or a template, as answers show them.
pub fn show_aliases<'a>(
    aliases: impl IntoIterator<Item = (&'a String, &'a AliasMetadata)>,
) -> Value {
    let mut shown = Map::new();
    for (name, alias) in aliases {
        shown.insert(name.clone(), show_alias(alias));
    }
    Value::Object(shown)
}
