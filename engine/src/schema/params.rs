//! Mapping parameters: what a field type accepts, how it is read, shown and merged.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::SchemaError;

/// A parameter of a field type.
#[derive(Debug)]
pub(crate) struct Param {
    /// As users write it.
    pub name: &'static str,
    /// How it is read, and its default.
    pub kind: ParamKind,
    /// Whether a mapping update may change it.
    pub update: Update,
}

/// How a parameter is read.
#[derive(Debug)]
pub(crate) enum ParamKind {
    /// A flag with its default.
    Bool(bool),
    /// A flag whose default is a setting of the index; shown whenever given.
    Explicit(bool),
    /// A whole number, at least 0, with its default.
    Int(i64),
    /// A number; no default.
    Float,
    /// A weight, 1 by default.
    Boost,
    /// A text; no default.
    Text,
    /// A text with a default.
    TextOr(&'static str),
    /// One of a few; the first is the default.
    OneOf(&'static [&'static str]),
    /// Any scalar.
    Any,
    /// Any value at all.
    Tree,
    /// Any object.
    Object,
    /// Notes of the user: up to 5 short texts.
    Meta,
}

/// Who may change a parameter later.
#[derive(Debug, PartialEq)]
pub(crate) enum Update {
    /// Nobody.
    Never,
    /// Everybody.
    Always,
    /// From `true` to `false` only.
    OnlyOff,
}

pub(crate) const fn fixed(name: &'static str, kind: ParamKind) -> Param {
    Param {
        name,
        kind,
        update: Update::Never,
    }
}

pub(crate) const fn free(name: &'static str, kind: ParamKind) -> Param {
    Param {
        name,
        kind,
        update: Update::Always,
    }
}

/// Parameters given for a field, by name, in canonical form; those at their default are left out.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Params(BTreeMap<&'static str, Json>);

impl Params {
    /// The value given, if any.
    pub fn get(&self, name: &str) -> Option<&Json> {
        self.0.get(name)
    }

    /// A flag, or the default.
    pub fn flag(&self, name: &str, default: bool) -> bool {
        self.get(name).and_then(Json::as_bool).unwrap_or(default)
    }

    /// A whole number, or the default.
    pub fn int(&self, name: &str, default: i64) -> i64 {
        self.get(name).and_then(Json::as_i64).unwrap_or(default)
    }

    /// A text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Json::as_str)
    }

    /// Reads and stores a parameter.
    pub fn set(&mut self, param: &'static Param, value: &Json) -> Result<(), SchemaError> {
        let value = canonical(param, value)?;
        if Some(&value) == default_of(&param.kind).as_ref() {
            self.0.remove(param.name);
        } else {
            self.0.insert(param.name, value);
        }
        Ok(())
    }

    /// What stands after an update, or a line per conflict.
    pub fn merge(
        &self,
        update: &Params,
        table: &'static [Param],
        conflicts: &mut Vec<String>,
    ) -> Params {
        let mut merged = self.clone();
        for param in table {
            let (old, new) = (self.get(param.name), update.get(param.name));
            if old == new {
                continue;
            }
            let allowed = match param.update {
                Update::Always => true,
                Update::Never => false,
                Update::OnlyOff => !update.flag(param.name, default_flag(&param.kind)),
            };
            if !allowed {
                conflicts.push(format!(
                    "Cannot update parameter [{}] from [{}] to [{}]",
                    param.name,
                    shown(old, &param.kind),
                    shown(new, &param.kind)
                ));
                continue;
            }
            match new {
                Some(value) => merged.0.insert(param.name, value.clone()),
                None => merged.0.remove(param.name),
            };
        }
        merged
    }

    /// Adds the parameters to an object, in the order of the type's table.
    pub fn show(&self, table: &'static [Param], out: &mut serde_json::Map<String, Json>) {
        for param in table {
            if let Some(value) = self.get(param.name) {
                out.insert(param.name.to_owned(), value.clone());
            }
        }
    }
}

fn default_flag(kind: &ParamKind) -> bool {
    matches!(kind, ParamKind::Bool(true) | ParamKind::Explicit(true))
}

fn default_of(kind: &ParamKind) -> Option<Json> {
    match kind {
        ParamKind::Bool(flag) => Some(json!(flag)),
        ParamKind::Int(n) => Some(json!(n)),
        ParamKind::Boost => Some(json!(1.0)),
        ParamKind::TextOr(text) => Some(json!(text)),
        ParamKind::OneOf(options) => options.first().map(|first| json!(first)),
        ParamKind::Meta => Some(json!({})),
        _ => None,
    }
}

/// A value as Java prints it in a conflict.
fn shown(value: Option<&Json>, kind: &ParamKind) -> String {
    let default = default_of(kind);
    match value.or(default.as_ref()) {
        None => match kind {
            ParamKind::Explicit(flag) => flag.to_string(),
            _ => "null".to_owned(),
        },
        Some(Json::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn canonical(param: &Param, value: &Json) -> Result<Json, SchemaError> {
    Ok(match &param.kind {
        ParamKind::Bool(_) | ParamKind::Explicit(_) => json!(bool_value(value)?),
        ParamKind::Int(_) => json!(int_value(param.name, value)?),
        ParamKind::Float | ParamKind::Boost => json!(float_value(value)?),
        ParamKind::Text | ParamKind::TextOr(_) => json!(text_value(value)),
        ParamKind::OneOf(options) => {
            let text = text_value(value);
            if !options.contains(&text.as_str()) {
                return Err(SchemaError::mapper(format!(
                    "Unknown value [{text}] for field [{}] - accepted values are [{}]",
                    param.name,
                    options.join(", ")
                )));
            }
            json!(text)
        }
        ParamKind::Any => value.clone(),
        ParamKind::Object | ParamKind::Tree => value.clone(),
        ParamKind::Meta => meta_value(value)?,
    })
}

/// A flag: `true`, `false`, or either as text.
pub(crate) fn bool_value(value: &Json) -> Result<bool, SchemaError> {
    match value {
        Json::Bool(flag) => Ok(*flag),
        Json::String(text) if text == "true" => Ok(true),
        Json::String(text) if text == "false" => Ok(false),
        other => Err(SchemaError::illegal(format!(
            "Failed to parse value [{}] as only [true] or [false] are allowed.",
            text_value(other)
        ))),
    }
}

fn int_value(name: &str, value: &Json) -> Result<i64, SchemaError> {
    let number = match value {
        Json::Number(n) => n.as_i64().or_else(|| n.as_f64().map(|f| f as i64)),
        Json::String(text) => match text.parse() {
            Ok(n) => Some(n),
            Err(_) => {
                return Err(SchemaError::new(
                    "number_format_exception",
                    format!("For input string: \"{text}\""),
                ));
            }
        },
        _ => None,
    };
    let number = number.ok_or_else(|| {
        SchemaError::illegal(format!(
            "[{name}] must be a number, got [{}]",
            text_value(value)
        ))
    })?;
    if number < 0 {
        return Err(SchemaError::illegal(format!(
            "[{name}] must be positive, got {number}"
        )));
    }
    Ok(number)
}

fn float_value(value: &Json) -> Result<f64, SchemaError> {
    let number = match value {
        Json::Number(n) => n.as_f64(),
        Json::String(text) => text.parse().ok(),
        _ => None,
    };
    number.ok_or_else(|| {
        SchemaError::new(
            "number_format_exception",
            format!("For input string: \"{}\"", text_value(value)),
        )
    })
}

/// A scalar as text, without quotes.
pub(crate) fn text_value(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn meta_value(value: &Json) -> Result<Json, SchemaError> {
    let Json::Object(entries) = value else {
        return Err(SchemaError::mapper(format!(
            "[meta] must be an object, got {}",
            text_value(value)
        )));
    };
    if entries.len() > 5 {
        return Err(SchemaError::mapper(format!(
            "[meta] can't have more than 5 entries, but got {}",
            entries.len()
        )));
    }
    let mut sorted: Vec<(&String, &Json)> = entries.iter().collect();
    sorted.sort_by_key(|(key, _)| *key);
    let mut meta = serde_json::Map::new();
    for (key, value) in sorted {
        if key.chars().count() > 20 {
            return Err(SchemaError::mapper(format!(
                "[meta] keys can't be longer than 20 chars, but got [{key}] for field [meta]"
            )));
        }
        let Json::String(text) = value else {
            return Err(SchemaError::mapper(format!(
                "[meta] values can only be strings, but got {}",
                text_value(value)
            )));
        };
        if text.chars().count() > 50 {
            return Err(SchemaError::mapper(format!(
                "[meta] values can't be longer than 50 chars, but got [{text}] for field [meta]"
            )));
        }
        meta.insert(key.clone(), value.clone());
    }
    Ok(Json::Object(meta))
}
