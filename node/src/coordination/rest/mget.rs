//! `_mget`: many documents in one request.

use std::sync::Arc;

use futures::StreamExt;
use hyper::Method;
use serde_json::{Map, Value, json};

use super::endpoints::SOURCE_FILTER_PARAMS;
use super::get::{GetSpec, read};
use super::{App, Endpoint, RestError, RestRequest, RestResponse};
use crate::coordination::dsl::Json;
use crate::coordination::dsl::source::FetchSource;
use crate::coordination::source_filter;
use crate::coordination::write::VersionType;

/// Documents that are read at one time for one request.
const AT_ONCE: usize = 32;

pub(super) const ENDPOINTS: &[Endpoint] = &[Endpoint {
    name: "mget",
    routes: &[
        (Method::GET, "/_mget"),
        (Method::POST, "/_mget"),
        (Method::GET, "/{index}/_mget"),
        (Method::POST, "/{index}/_mget"),
    ],
    params: &[
        SOURCE_FILTER_PARAMS,
        &[
            "preference",
            "realtime",
            "refresh",
            "routing",
            "stored_fields",
        ],
    ],
    handler: |app, request| Box::pin(mget(app, request)),
}];

/// One item of the request; what is missing is reported for all items together.
#[derive(Clone, Debug)]
struct Item {
    index: Option<String>,
    id: Option<String>,
    routing: Option<String>,
    stored_fields: Vec<String>,
    source: Option<FetchSource>,
    version: Option<i64>,
}

async fn mget(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    let realtime = request.params.bool("realtime", true)?;
    let refresh = request.params.bool("refresh", false)?;
    let trace = request.params.bool("error_trace", false)?;
    let default = Item {
        index: request.var("index").map(str::to_owned),
        id: None,
        routing: request.params.get("routing").map(str::to_owned),
        stored_fields: request.params.list("stored_fields"),
        source: source_filter::from_params(&request.params)?,
        version: None,
    };
    let body = request.required_json()?;
    let items = parse(&body, &default).map_err(|error| match error {
        Mistake::Parse(error) => RestError::from(error.locate(&request.body)),
        Mistake::Rest(error) => error,
    })?;
    let specs = complete(items, realtime, refresh)?;
    let mut reads = futures::stream::iter(specs.into_iter().map(|spec| {
        let app = app.clone();
        async move {
            let (index, id) = (spec.index.clone(), spec.id.clone());
            (index, id, read(&app, spec).await)
        }
    }))
    .buffered(AT_ONCE);
    let mut out = b"{\"docs\":[".to_vec();
    let mut first = true;
    while let Some((index, id, result)) = reads.next().await {
        if !first {
            out.push(b',');
        }
        first = false;
        match result {
            Ok(got) => got.write_json(&mut out),
            Err(error) => {
                let envelope = error.envelope(trace);
                let item = json!({ "_index": index, "_id": id, "error": envelope["error"] });
                out.extend_from_slice(item.to_string().as_bytes());
            }
        }
    }
    out.extend_from_slice(b"]}");
    Ok(RestResponse::raw_json(200, out))
}

enum Mistake {
    Parse(crate::coordination::dsl::ParseError),
    Rest(RestError),
}

impl From<RestError> for Mistake {
    fn from(error: RestError) -> Mistake {
        Mistake::Rest(error)
    }
}

fn parse(body: &Value, default: &Item) -> Result<Vec<Item>, Mistake> {
    let root = Json::root(body);
    let Some(object) = body.as_object() else {
        return Err(Mistake::Parse(root.parsing(format!(
            "unexpected token [{}], expected [START_OBJECT]",
            root.token()
        ))));
    };
    let mut items = Vec::new();
    for (key, value) in object {
        let Some(list) = value.as_array() else {
            return Err(Mistake::Parse(root.parsing(format!(
                "unexpected token [{}], expected [FIELD_NAME] or [START_ARRAY]",
                Json::root(value).token()
            ))));
        };
        match key.as_str() {
            "docs" => {
                for doc in list {
                    let Some(doc) = doc.as_object() else {
                        return Err(RestError::illegal_argument(
                            "docs array element should include an object",
                        )
                        .into());
                    };
                    items.push(parse_doc(doc, default)?);
                }
            }
            "ids" => {
                for id in list {
                    let Some(id) = scalar(id) else {
                        return Err(RestError::illegal_argument(
                            "ids array element should only contain ids",
                        )
                        .into());
                    };
                    items.push(Item {
                        id: Some(id),
                        ..default.clone()
                    });
                }
            }
            other => {
                return Err(Mistake::Parse(root.parsing(format!(
                    "unknown key [{other}] for a START_ARRAY, expected [docs] or [ids]"
                ))));
            }
        }
    }
    Ok(items)
}

fn parse_doc(doc: &Map<String, Value>, default: &Item) -> Result<Item, Mistake> {
    let mut item = default.clone();
    for (key, value) in doc {
        match key.as_str() {
            "_index" => item.index = scalar(value),
            "_id" => item.id = scalar(value),
            "routing" => item.routing = scalar(value),
            // of clients that still know types
            "_type" => {}
            "stored_fields" => {
                item.stored_fields = match value {
                    Value::Array(names) => names.iter().filter_map(scalar).collect(),
                    single => scalar(single).into_iter().collect(),
                };
            }
            "version" => {
                item.version = match value {
                    Value::String(text) => text.parse().ok(),
                    number => number.as_i64(),
                };
                if item.version.is_none() {
                    return Err(RestError::illegal_argument(format!(
                        "[version] must be a whole number but was [{value}]"
                    ))
                    .into());
                }
            }
            "version_type" => {
                VersionType::parse(value.as_str().unwrap_or_default())?;
            }
            "_source" => {
                item.source = Some(FetchSource::parse(&Json::root(value)).map_err(Mistake::Parse)?);
            }
            "fields" => {
                return Err(Mistake::Parse(Json::root(value).parsing(
                    "Unsupported field [fields] used, expected [stored_fields] instead".to_owned(),
                )));
            }
            other => {
                return Err(RestError::new(
                    400,
                    "parse_exception",
                    format!("failed to parse multi get request. unknown field [{other}]"),
                )
                .into());
            }
        }
    }
    Ok(item)
}

/// Text of a value that is no object, array or null.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

fn complete(items: Vec<Item>, realtime: bool, refresh: bool) -> Result<Vec<GetSpec>, RestError> {
    if items.is_empty() {
        return Err(RestError::validation(&["no documents to get".to_owned()]));
    }
    let mut mistakes = Vec::new();
    let mut specs = Vec::with_capacity(items.len());
    for (at, item) in items.into_iter().enumerate() {
        if item.index.is_none() {
            mistakes.push(format!("index is missing for doc {at}"));
        }
        if item.id.is_none() {
            mistakes.push(format!("id is missing for doc {at}"));
        }
        let (Some(index), Some(id)) = (item.index, item.id) else {
            continue;
        };
        specs.push(GetSpec {
            index,
            id,
            routing: item.routing,
            stored_fields: item.stored_fields,
            source: item.source,
            realtime,
            refresh,
            version: item.version,
        });
    }
    match mistakes.is_empty() {
        true => Ok(specs),
        false => Err(RestError::validation(&mistakes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn default_item() -> Item {
        Item {
            index: None,
            id: None,
            routing: None,
            stored_fields: Vec::new(),
            source: None,
            version: None,
        }
    }

    #[test]
    fn reads_docs_and_ids() {
        let body = json!({"docs": [{"_index": "a", "_id": 1}], "ids": ["2"]});
        let Ok(items) = parse(&body, &default_item()) else {
            panic!("is well-formed");
        };
        assert_eq!(items[0].id.as_deref(), Some("1"));
        let error = complete(items, true, false).unwrap_err();
        assert_eq!(
            error.reason,
            "Validation Failed: 1: index is missing for doc 1;"
        );
    }
}
