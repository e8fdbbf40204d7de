//! The lines of a `_bulk` body: actions, each with its metadata, and documents, which stay text.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

use super::RestError;
use super::content::json_mistake;
use super::update::{parse_body, retry_on_conflict};
use crate::coordination::dsl::Json;
use crate::coordination::dsl::source::FetchSource;
use crate::coordination::write::{DocWrite, VersionType, WriteAction};

/// What holds where an action does not say otherwise.
#[derive(Clone, Debug, Default)]
pub(super) struct BulkDefaults {
    /// Index of the path.
    pub index: Option<String>,
    /// `routing`
    pub routing: Option<String>,
    /// `pipeline`
    pub pipeline: Option<String>,
    /// `_source` and its kin, for updates.
    pub fetch: Option<FetchSource>,
    /// `require_alias`
    pub require_alias: bool,
}

/// One action of a bulk request.
#[derive(Debug)]
pub(super) struct BulkItem {
    /// `index`, `create`, `update` or `delete`: the key of its answer.
    pub action: &'static str,
    /// What to do.
    pub write: DocWrite,
}

/// Reads all lines. The first mistake refuses the whole request.
pub(super) fn parse(body: &Bytes, defaults: &BulkDefaults) -> Result<Vec<BulkItem>, RestError> {
    let mut items = Vec::new();
    let mut lines = Lines {
        body,
        from: 0,
        number: 0,
    };
    while let Some(line) = lines.next()? {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let number = lines.number;
        let action = match serde_json::from_slice(&line) {
            Ok(plain) => Action::plain(plain, defaults),
            Err(_) => Action::any(&line, number, defaults)?,
        };
        if action.name == "delete" {
            items.push(action.into_item(WriteAction::Delete));
            continue;
        }
        // an action without its document at the very end is dropped, as the reference does
        let Some(source) = lines.next()? else { break };
        if action.name == "update" {
            items.push(update_item(action, &source)?);
            continue;
        }
        let create = action.name == "create" || action.op_type.as_deref() == Some("create");
        items.push(action.into_item(WriteAction::Index { source, create }));
    }
    Ok(items)
}

fn update_item(action: Action, source: &Bytes) -> Result<BulkItem, RestError> {
    if action.version.is_some() || action.version_type != VersionType::Internal {
        return Err(RestError::illegal_argument(
            "Update requests do not support versioning. Please use `if_seq_no` and `if_primary_term` instead",
        ));
    }
    let retries = retry_on_conflict(action.retry_on_conflict)?;
    let body = parse_body(source)?;
    let fetch = body.fetch.clone().or_else(|| action.fetch.clone());
    let write = body.action(fetch, retries);
    let mut item = action.into_item(write);
    item.write.if_seq_no = item.write.if_seq_no.or(body.if_seq_no);
    item.write.if_primary_term = item.write.if_primary_term.or(body.if_primary_term);
    Ok(item)
}

/// Cuts the body at its newlines without copying.
struct Lines<'a> {
    body: &'a Bytes,
    from: usize,
    /// Of the line given last, from 1.
    number: usize,
}

impl Lines<'_> {
    fn next(&mut self) -> Result<Option<Bytes>, RestError> {
        let rest = &self.body[self.from..];
        let Some(length) = memchr::memchr(b'\n', rest) else {
            if rest.is_empty() {
                return Ok(None);
            }
            return Err(RestError::illegal_argument(
                "The bulk request must be terminated by a newline [\\n]",
            ));
        };
        let mut end = self.from + length;
        let start = self.from;
        self.from = end + 1;
        self.number += 1;
        if end > start && self.body[end - 1] == b'\r' {
            end -= 1;
        }
        Ok(Some(self.body.slice(start..end)))
    }
}

/// The metadata of one action.
#[derive(Debug)]
struct Action {
    name: &'static str,
    index: String,
    id: Option<String>,
    routing: Option<String>,
    op_type: Option<String>,
    version: Option<i64>,
    version_type: VersionType,
    if_seq_no: Option<i64>,
    if_primary_term: Option<i64>,
    retry_on_conflict: Option<i64>,
    pipeline: Option<String>,
    fetch: Option<FetchSource>,
    require_alias: bool,
}

/// An action as nearly all are. What is written in another way, or wrong, is read by [`Action::any`].
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum PlainAction {
    Index(PlainMetadata),
    Create(PlainMetadata),
    Update(PlainMetadata),
    Delete(PlainMetadata),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlainMetadata {
    #[serde(rename = "_index")]
    index: Option<String>,
    #[serde(rename = "_id")]
    id: Option<String>,
    routing: Option<String>,
}

impl Action {
    fn new(name: &'static str, defaults: &BulkDefaults) -> Action {
        Action {
            name,
            index: defaults.index.clone().unwrap_or_default(),
            id: None,
            routing: defaults.routing.clone(),
            op_type: None,
            version: None,
            version_type: VersionType::Internal,
            if_seq_no: None,
            if_primary_term: None,
            retry_on_conflict: None,
            pipeline: defaults.pipeline.clone(),
            fetch: defaults.fetch.clone(),
            require_alias: defaults.require_alias,
        }
    }

    fn plain(plain: PlainAction, defaults: &BulkDefaults) -> Action {
        let (name, metadata) = match plain {
            PlainAction::Index(metadata) => ("index", metadata),
            PlainAction::Create(metadata) => ("create", metadata),
            PlainAction::Update(metadata) => ("update", metadata),
            PlainAction::Delete(metadata) => ("delete", metadata),
        };
        let mut action = Action::new(name, defaults);
        action.id = metadata.id;
        if let Some(index) = metadata.index {
            action.index = index;
        }
        if let Some(routing) = metadata.routing {
            action.routing = Some(routing).filter(|routing| !routing.is_empty());
        }
        action
    }

    fn any(line: &[u8], number: usize, defaults: &BulkDefaults) -> Result<Action, RestError> {
        let value: Value = serde_json::from_slice(line).map_err(|error| json_mistake(&error))?;
        Action::parse(&value, number, defaults)
    }

    fn parse(value: &Value, line: usize, defaults: &BulkDefaults) -> Result<Action, RestError> {
        let malformed = |expected: &str, found: &str| {
            RestError::illegal_argument(format!(
                "Malformed action/metadata line [{line}], expected {expected} but found [{found}]"
            ))
        };
        let Some(object) = value.as_object() else {
            return Err(malformed("START_OBJECT", token(value)));
        };
        let mut entries = object.iter();
        let Some((name, metadata)) = entries.next() else {
            return Err(malformed("FIELD_NAME", "END_OBJECT"));
        };
        if entries.next().is_some() {
            return Err(malformed("END_OBJECT", "FIELD_NAME"));
        }
        let name = match name.as_str() {
            "index" => "index",
            "create" => "create",
            "update" => "update",
            "delete" => "delete",
            other => {
                return Err(malformed(
                    "field [create], [delete], [index] or [update]",
                    other,
                ));
            }
        };
        let Some(metadata) = metadata.as_object() else {
            return Err(malformed("START_OBJECT", token(metadata)));
        };
        let mut action = Action::new(name, defaults);
        for (key, value) in metadata {
            if key == "_source" {
                action.fetch = Some(FetchSource::parse(&Json::root(value))?);
                continue;
            }
            if value.is_null() {
                continue;
            }
            if value.is_object() || value.is_array() {
                return Err(malformed(
                    &format!("a simple value for field [{key}]"),
                    token(value),
                ));
            }
            action.set(key, value, line)?;
        }
        Ok(action)
    }

    fn set(&mut self, key: &str, value: &Value, line: usize) -> Result<(), RestError> {
        match key {
            "_index" => self.index = text(value),
            // of shippers that still know types
            "_type" => {}
            "_id" => self.id = Some(text(value)),
            "routing" | "_routing" => {
                self.routing = Some(text(value)).filter(|routing| !routing.is_empty());
            }
            "op_type" => self.op_type = Some(text(value)),
            "version" | "_version" => self.version = Some(long(key, value)?),
            "version_type" | "_version_type" => {
                self.version_type = VersionType::parse(&text(value))?;
            }
            "if_seq_no" => self.if_seq_no = Some(long(key, value)?),
            "if_primary_term" => self.if_primary_term = Some(long(key, value)?),
            "retry_on_conflict" | "_retry_on_conflict" => {
                self.retry_on_conflict = Some(long(key, value)?);
            }
            "pipeline" => self.pipeline = Some(text(value)),
            "require_alias" => {
                self.require_alias = match text(value).as_str() {
                    "true" => true,
                    "false" => false,
                    other => {
                        return Err(RestError::illegal_argument(format!(
                            "Failed to parse value [{other}] as only [true] or [false] are allowed."
                        )));
                    }
                };
            }
            _ => {
                return Err(RestError::illegal_argument(format!(
                    "Action/metadata line [{line}] contains an unknown parameter [{key}]"
                )));
            }
        }
        Ok(())
    }

    fn into_item(self, action: WriteAction) -> BulkItem {
        let mut write = DocWrite::new(self.index, self.id, action);
        write.routing = self.routing;
        write.version = self.version;
        write.version_type = self.version_type;
        write.if_seq_no = self.if_seq_no;
        write.if_primary_term = self.if_primary_term;
        write.pipeline = self.pipeline;
        write.require_alias = self.require_alias;
        // an `index` action with `op_type: create` is answered as what it is
        let name = match (&write.action, self.name) {
            (WriteAction::Index { create: true, .. }, _) => "create",
            (_, name) => name,
        };
        BulkItem {
            action: name,
            write,
        }
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn long(key: &str, value: &Value) -> Result<i64, RestError> {
    let number = match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_i64(),
    };
    number.ok_or_else(|| {
        RestError::illegal_argument(format!(
            "Failed to parse long parameter [{key}] with value [{}]",
            text(value)
        ))
    })
}

fn token(value: &Value) -> &'static str {
    match value {
        Value::Null => "VALUE_NULL",
        Value::Bool(_) => "VALUE_BOOLEAN",
        Value::Number(_) => "VALUE_NUMBER",
        Value::String(_) => "VALUE_STRING",
        Value::Array(_) => "START_ARRAY",
        Value::Object(_) => "START_OBJECT",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<Vec<BulkItem>, String> {
        let defaults = BulkDefaults {
            index: Some("d".to_owned()),
            ..BulkDefaults::default()
        };
        parse(&Bytes::from(body.to_owned()), &defaults).map_err(|error| error.reason)
    }

    #[test]
    fn reads_all_actions_with_either_line_end() {
        let body = "{\"index\":{\"_id\":1}}\r\n{\"a\":1}\r\n\n{\"delete\":{\"_index\":\"i\",\"_type\":\"t\",\"_id\":\"2\"}}\n\
                    {\"create\":{}}\n{}\n{\"update\":{\"_id\":\"3\",\"retry_on_conflict\":2}}\n{\"doc\":{\"b\":2}}\n";
        let items = read(body).unwrap();
        let names: Vec<&str> = items.iter().map(|item| item.action).collect();
        assert_eq!(names, ["index", "delete", "create", "update"]);
        assert_eq!(items[0].write.id.as_deref(), Some("1"));
        assert_eq!(items[1].write.index, "i");
        let WriteAction::Index { source, create } = &items[0].write.action else {
            panic!("is an index action");
        };
        assert_eq!(
            (source.as_ref(), *create),
            (br#"{"a":1}"#.as_slice(), false)
        );
    }

    #[test]
    fn refuses_in_the_words_of_the_reference() {
        let refused = |body| read(body).unwrap_err();
        assert_eq!(
            refused("{\"index\":{}}\n{}"),
            "The bulk request must be terminated by a newline [\\n]"
        );
        assert_eq!(
            refused("[]\n"),
            "Malformed action/metadata line [1], expected START_OBJECT but found [START_ARRAY]"
        );
        assert_eq!(
            refused("{}\n"),
            "Malformed action/metadata line [1], expected FIELD_NAME but found [END_OBJECT]"
        );
        assert_eq!(
            refused("{\"index\":{\"_id\":[]}}\n{}\n"),
            "Malformed action/metadata line [1], expected a simple value for field [_id] but found [START_ARRAY]"
        );
        assert_eq!(
            refused("{\"index\":{\"x\":1}}\n{}\n"),
            "Action/metadata line [1] contains an unknown parameter [x]"
        );
        assert_eq!(
            refused("{\"foo\":{}}\n{}\n"),
            "Malformed action/metadata line [1], expected field [create], [delete], [index] or [update] but found [foo]"
        );
    }
}
