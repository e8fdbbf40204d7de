//! The body of a new index or template (`settings`, `mappings`, `aliases`) and how settings are shown.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::alias_body::parse_aliases;
use super::{Params, RestError};
use crate::cluster::template::TemplateBody;
use crate::cluster::{IndexMetadata, index_settings, settings};
use quidditch_engine::schema::dates::DateFormat;

/// Reads `{"settings": …, "mappings": …, "aliases": …}`.
///
/// * `what`: for the refusal of other keys, e.g. `create index`.
pub fn parse_index_body(body: &Map<String, Value>, what: &str) -> Result<TemplateBody, RestError> {
    let mut parsed = TemplateBody::default();
    for (key, value) in body {
        match key.as_str() {
            "settings" => parsed.settings = Some(parse_settings(value)?),
            "mappings" => parsed.mappings = parse_mappings(value)?,
            "aliases" => parsed.aliases = Some(parse_aliases(value)?),
            other => {
                return Err(RestError::new(
                    400,
                    "parse_exception",
                    format!("unknown key [{other}] for {what}"),
                ));
            }
        }
    }
    Ok(parsed)
}

/// Reads settings as users write them; `null` leaves the default.
pub fn parse_settings(value: &Value) -> Result<BTreeMap<String, String>, RestError> {
    let object = match value {
        Value::Object(object) => object,
        Value::Null => return Ok(BTreeMap::new()),
        _ => {
            return Err(RestError::new(
                400,
                "parse_exception",
                "key [settings] must be an object",
            ));
        }
    };
    let flat = settings::flatten(object, "index.");
    Ok(flat
        .into_iter()
        .filter_map(|(key, value)| Some((key, value?)))
        .collect())
}

/// Reads a mapping; one named `_doc` is taken out of its shell.
pub fn parse_mappings(value: &Value) -> Result<Option<Value>, RestError> {
    match value {
        Value::Null => Ok(None),
        Value::Object(object) => {
            if object.len() == 1
                && let Some(inner @ Value::Object(_)) = object.get("_doc")
            {
                return Ok(Some(inner.clone()));
            }
            Ok(Some(value.clone()))
        }
        Value::String(text) => match serde_json::from_str(text) {
            Ok(value @ Value::Object(_)) => Ok(Some(value)),
            _ => Err(RestError::new(
                400,
                "parse_exception",
                "key [mappings] must be an object",
            )),
        },
        _ => Err(RestError::new(
            400,
            "parse_exception",
            "key [mappings] must be an object",
        )),
    }
}

/// Flat settings as an answer shows them: nested, or flat with `flat_settings=true`.
pub fn show_settings(flat: &BTreeMap<String, String>, params: &Params) -> Result<Value, RestError> {
    if params.bool("flat_settings", false)? {
        Ok(settings::show_flat(flat))
    } else {
        Ok(settings::nest(flat))
    }
}

/// The settings of an index as answers show them; with `human`, dates and versions as texts beside the numbers.
pub fn shown_index_settings(
    index: &IndexMetadata,
    params: &Params,
) -> Result<BTreeMap<String, String>, RestError> {
    let mut shown = index.settings.clone();
    if params.bool("human", false)? {
        if let Some(text) = show_date(index.creation_date) {
            shown.insert("index.creation_date_string".to_owned(), text);
        }
        shown.insert(
            "index.version.created_string".to_owned(),
            super::root::OPENSEARCH_VERSION.to_owned(),
        );
    }
    Ok(shown)
}

/// `{"settings": …}` and, asked for, `{"defaults": …}` into an index's entry.
pub fn put_settings_into(
    entry: &mut Map<String, Value>,
    index: &IndexMetadata,
    params: &Params,
) -> Result<(), RestError> {
    entry.insert(
        "settings".to_owned(),
        show_settings(&shown_index_settings(index, params)?, params)?,
    );
    if params.bool("include_defaults", false)? {
        let defaults = index_settings::defaults_beside(&index.settings);
        entry.insert("defaults".to_owned(), show_settings(&defaults, params)?);
    }
    Ok(())
}

/// A time as ISO text in UTC; `None` outside of what a calendar holds.
pub fn show_date(ms: i64) -> Option<String> {
    DateFormat::parse("strict_date_time")
        .ok()?
        .format(ms, None)
        .ok()
}

/// `{"acknowledged": …, "shards_acknowledged": …, "index": …}`.
pub fn created(index: &str, acknowledged: bool, shards_acknowledged: bool) -> Value {
    json!({"acknowledged": acknowledged, "shards_acknowledged": shards_acknowledged, "index": index})
}
