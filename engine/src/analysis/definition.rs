//! The definition of one analysis part: its parameters, from settings or from JSON.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use crate::schema::SchemaError;

/// Parameters of a tokenizer, filter, char filter, analyzer or normalizer.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Definition {
    /// Values as strings or arrays of strings.
    params: Map<String, Json>,
}

impl Definition {
    /// Takes a JSON object as it stands in `_analyze`.
    pub fn from_json(object: &Map<String, Json>) -> Definition {
        Definition {
            params: object.clone(),
        }
    }

    /// Groups flat settings below a prefix by the name that follows: `my.type`, `my.stopwords.0`.
    pub fn group(flat: &BTreeMap<String, String>, prefix: &str) -> BTreeMap<String, Definition> {
        let mut groups: BTreeMap<String, Definition> = BTreeMap::new();
        let mut lists: BTreeMap<(&str, &str), BTreeMap<usize, &str>> = BTreeMap::new();
        for (key, value) in flat.range(prefix.to_owned()..) {
            let Some(rest) = key.strip_prefix(prefix) else {
                break;
            };
            let Some((name, param)) = rest.split_once('.') else {
                continue;
            };
            let definition = groups.entry(name.to_owned()).or_default();
            match param.rsplit_once('.') {
                // Keys come in text order (0, 1, 10, 2): the numbers say the place.
                Some((list, index)) => match index.parse() {
                    Ok(index) => {
                        lists.entry((name, list)).or_default().insert(index, value);
                    }
                    Err(_) => definition.set(param, value),
                },
                None => definition.set(param, value),
            }
        }
        for ((name, list), items) in lists {
            let definition = groups.entry(name.to_owned()).or_default();
            definition
                .params
                .insert(list.to_owned(), items.into_values().collect());
        }
        groups
    }

    fn set(&mut self, param: &str, value: &str) {
        // A list may come as the text of a JSON array.
        if value.starts_with('[')
            && let Ok(Json::Array(items)) = serde_json::from_str(value)
        {
            self.params.insert(param.to_owned(), Json::Array(items));
            return;
        }
        self.params
            .insert(param.to_owned(), Json::String(value.to_owned()));
    }

    /// Whether the parameter is given.
    pub fn has(&self, name: &str) -> bool {
        self.params.contains_key(name)
    }

    /// A parameter as text; numbers and booleans count.
    pub fn text(&self, name: &str) -> Option<String> {
        match self.params.get(name)? {
            Json::String(text) => Some(text.clone()),
            Json::Number(number) => Some(number.to_string()),
            Json::Bool(flag) => Some(flag.to_string()),
            _ => None,
        }
    }

    /// A flag, or the default.
    pub fn flag(&self, name: &str, default: bool) -> Result<bool, SchemaError> {
        match self.text(name).as_deref() {
            None => Ok(default),
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            Some(other) => Err(SchemaError::illegal(format!(
                "Failed to parse value [{other}] as only [true] or [false] are allowed."
            ))),
        }
    }

    /// A whole number, or the default.
    pub fn int(&self, name: &str, default: i64) -> Result<i64, SchemaError> {
        match self.text(name) {
            None => Ok(default),
            Some(text) => text.parse().map_err(|_| {
                SchemaError::illegal(format!(
                    "Failed to parse value [{text}] for setting [{name}]"
                ))
            }),
        }
    }

    /// A whole number of at least `min` that fits a length, or the default.
    pub fn size(&self, name: &str, default: usize, min: usize) -> Result<usize, SchemaError> {
        let value = self.int(name, default as i64)?;
        match usize::try_from(value) {
            Ok(value) if value >= min => Ok(value),
            _ => Err(SchemaError::illegal(format!(
                "[{name}] must be at least {min}, got: {value}"
            ))),
        }
    }

    /// A list: an array, or texts separated by commas.
    pub fn list(&self, name: &str) -> Option<Vec<String>> {
        match self.params.get(name)? {
            Json::Array(items) => Some(
                items
                    .iter()
                    .filter_map(|item| match item {
                        Json::String(text) => Some(text.clone()),
                        Json::Null => None,
                        other => Some(other.to_string()),
                    })
                    .collect(),
            ),
            Json::String(text) => Some(
                text.split(',')
                    .map(|part| part.trim().to_owned())
                    .filter(|part| !part.is_empty())
                    .collect(),
            ),
            _ => None,
        }
    }

    /// The items of a list as they stand, definitions included; a single item counts as a list of one.
    pub fn items(&self, name: &str) -> Vec<Json> {
        match self.params.get(name) {
            None | Some(Json::Null) => Vec::new(),
            Some(Json::Array(items)) => items.iter().filter(|i| !i.is_null()).cloned().collect(),
            Some(Json::String(text)) => text
                .split(',')
                .map(|part| Json::String(part.trim().to_owned()))
                .filter(|part| part.as_str() != Some(""))
                .collect(),
            Some(other) => vec![other.clone()],
        }
    }

    /// A list that names a file cannot be read: definitions live in the cluster state alone.
    pub fn refuse_path(&self, name: &str) -> Result<(), SchemaError> {
        if self.has(name) {
            return Err(SchemaError::illegal(format!(
                "[{name}] is not supported; give the entries inline"
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flat_lists_keep_their_order() {
        let mut flat = BTreeMap::new();
        for n in 0..12 {
            flat.insert(format!("a.my.words.{n}"), format!("w{n}"));
        }
        flat.insert("a.my.type".to_owned(), "stop".to_owned());
        // the number alone takes no room
        flat.insert(format!("a.my.far.{}", usize::MAX), "x".to_owned());
        let groups = Definition::group(&flat, "a.");
        let words = groups["my"].list("words").unwrap();
        assert_eq!(words[2], "w2");
        assert_eq!(words[11], "w11");
        assert_eq!(groups["my"].list("far").unwrap(), ["x"]);
        assert_eq!(groups["my"].text("type").as_deref(), Some("stop"));
    }
}
