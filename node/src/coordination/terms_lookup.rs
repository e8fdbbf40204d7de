//! `terms` queries whose values stand in another document: found before the query is parsed, and put in place.

use serde_json::{Map, Value};

use super::dsl::{Json, ParseError};
use super::placed;
use super::rest::{App, RestError};
use crate::data::service::{GetOp, ShardTarget};

/// Replaces every lookup in a body (`{"terms": {"user": {"index", "id", "path"}}}`) by the values found.
///
/// A document or path that is not there gives no values; an index that is not there is an error.
pub async fn resolve(app: &App, body: &mut Value) -> Result<(), RestError> {
    let mut places = Vec::new();
    find(body, String::new(), &mut places);
    for place in places {
        let Some(slot) = body.pointer_mut(&place) else {
            continue;
        };
        let lookup = Lookup::parse(&Json::root(slot))
            .map_err(|error| RestError::from(error.inside(&place)))?;
        *slot = Value::Array(fetch(app, &lookup).await?);
    }
    Ok(())
}

struct Lookup {
    index: String,
    id: String,
    path: String,
    routing: Option<String>,
}

impl Lookup {
    fn parse(body: &Json<'_>) -> Result<Lookup, ParseError> {
        let (mut index, mut id, mut path, mut routing) = (None, None, None, None);
        for (key, value) in body.members() {
            match key {
                "index" => index = Some(value.text()?),
                "id" => id = Some(value.text()?),
                "path" => path = Some(value.text()?),
                "routing" => routing = value.text_or_null()?,
                // whether the values come from a stored field; the source has them all
                "store" => {
                    if value.bool()? {
                        return Err(value.illegal("[terms_lookup] [store] is not supported"));
                    }
                }
                _ => return Err(value.content(format!("[terms_lookup] unknown field [{key}]"))),
            }
        }
        let missing = |what: &str| {
            body.illegal(format!(
                "[terms] query lookup element requires specifying the {what}."
            ))
        };
        Ok(Lookup {
            index: index.ok_or_else(|| missing("index"))?,
            id: id.ok_or_else(|| missing("id"))?,
            path: path.ok_or_else(|| missing("path"))?,
            routing,
        })
    }
}

/// Collects the pointers of all lookups below a value.
fn find(value: &Value, here: String, places: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (key, inner) in members {
                let path = format!("{here}/{}", escape(key));
                if key == "terms"
                    && let Value::Object(fields) = inner
                {
                    for (field, spec) in fields {
                        if spec.as_object().is_some_and(is_lookup) {
                            places.push(format!("{path}/{}", escape(field)));
                        }
                    }
                }
                find(inner, path, places);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                find(item, format!("{here}/{index}"), places);
            }
        }
        _ => {}
    }
}

fn is_lookup(spec: &Map<String, Value>) -> bool {
    spec.contains_key("index") && spec.contains_key("id") && spec.contains_key("path")
}

fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

async fn fetch(app: &App, lookup: &Lookup) -> Result<Vec<Value>, RestError> {
    let state = app.state();
    let options = crate::cluster::IndicesOptions::SINGLE;
    let found = state.resolve(&lookup.index, &options, app.now_ms())?;
    let Some(resolved) = found.first() else {
        return Err(RestError::index_not_found(&lookup.index));
    };
    let index = &resolved.metadata;
    let target = ShardTarget {
        index: index.name.clone(),
        index_uuid: index.uuid.clone(),
        shard: index.shard_of(&lookup.id, lookup.routing.as_deref()),
    };
    let get = GetOp {
        id: lookup.id.clone(),
        realtime: true,
        refresh: false,
        stored_fields: Vec::new(),
    };
    let read = placed::get(&*app.masters, &*app.shards, &target, &get);
    let Some(document) = read.await? else {
        return Ok(Vec::new());
    };
    let source = quidditch_engine::document::json_tree(&document.source).map_err(|error| {
        RestError::internal(format!(
            "the source of [{}] does not read: {error}",
            lookup.id
        ))
    })?;
    let mut values = Vec::new();
    collect(&source, &lookup.path, &mut values);
    Ok(values)
}

/// The values at a path with dots, through arrays, also where a key itself has dots.
fn collect(value: &Value, path: &str, values: &mut Vec<Value>) {
    match value {
        Value::Array(items) => {
            for item in items {
                collect(item, path, values);
            }
        }
        Value::Object(members) => {
            for (key, inner) in members {
                if key == path {
                    leaves(inner, values);
                } else if let Some(rest) = path
                    .strip_prefix(key.as_str())
                    .and_then(|rest| rest.strip_prefix('.'))
                {
                    collect(inner, rest, values);
                }
            }
        }
        _ => {}
    }
}

fn leaves(value: &Value, values: &mut Vec<Value>) {
    match value {
        Value::Array(items) => {
            for item in items {
                leaves(item, values);
            }
        }
        Value::Null | Value::Object(_) => {}
        scalar => values.push(scalar.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn finds_lookups_and_nothing_else() {
        let body = json!({
            "query": {"bool": {"must": [{"terms": {"a/b": {"index": "i", "id": "1", "path": "p"}}}]}},
            "aggs": {"t": {"terms": {"field": "x", "include": {"partition": 0}}}},
        });
        let mut places = Vec::new();
        find(&body, String::new(), &mut places);
        assert_eq!(places, ["/query/bool/must/0/terms/a~1b"]);
    }

    #[test]
    fn collects_values_through_arrays_and_dots() {
        let source = json!({"a": [{"b": [1, 2]}, {"b": 3}], "a.b": 4});
        let mut values = Vec::new();
        collect(&source, "a.b", &mut values);
        assert_eq!(values, [json!(1), json!(2), json!(3), json!(4)]);
    }
}
