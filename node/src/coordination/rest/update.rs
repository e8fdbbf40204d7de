//! `_update`: changing parts of a document.

use std::sync::Arc;

use bytes::Bytes;
use hyper::Method;
use serde_json::value::RawValue;

use super::content::json_mistake;
use super::documents::{common, one, respond};
use super::endpoints::SOURCE_FILTER_PARAMS;
use super::{App, Endpoint, RestError, RestRequest, RestResponse};
use crate::coordination::dsl::Json;
use crate::coordination::dsl::source::FetchSource;
use crate::coordination::source_filter;
use crate::coordination::write::{WriteAction, WriteOptions};
use crate::data::service::{UpdateOp, VersionRule};
use crate::raw_json::Entries;

pub(super) const ENDPOINTS: &[Endpoint] = &[Endpoint {
    name: "update",
    routes: &[(Method::POST, "/{index}/_update/{id}")],
    params: &[
        SOURCE_FILTER_PARAMS,
        &[
            "if_primary_term",
            "if_seq_no",
            "lang",
            "refresh",
            "require_alias",
            "retry_on_conflict",
            "routing",
            "timeout",
            "wait_for_active_shards",
        ],
    ],
    handler: |app, request| Box::pin(update(app, request)),
}];

async fn update(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    if request.body.is_empty() {
        return Err(RestError::new(
            400,
            "parse_exception",
            "request body is required",
        ));
    }
    let body = parse_body(&request.json_bytes()?)?;
    let retries = retry_on_conflict(request.params.opt_int("retry_on_conflict")?.map(i64::from))?;
    let fetch = match source_filter::from_params(&request.params)? {
        Some(fetch) => Some(fetch),
        None => body.fetch.clone(),
    };
    let mut write = common(&request, body.action(fetch, retries))?;
    write.if_seq_no = write.if_seq_no.or(body.if_seq_no);
    write.if_primary_term = write.if_primary_term.or(body.if_primary_term);
    write.require_alias = request.params.bool("require_alias", false)?;
    let options = WriteOptions::from_params(&request.params)?;
    respond(one(&app, write, &options).await?)
}

/// Checks the number of attempts.
pub(super) fn retry_on_conflict(retries: Option<i64>) -> Result<u32, RestError> {
    let retries = retries.unwrap_or(0);
    u32::try_from(retries).map_err(|_| {
        RestError::illegal_argument(format!(
            "[retry_on_conflict] must not be negative but was [{retries}]"
        ))
    })
}

/// The body of an update, also as a line of `_bulk`.
#[derive(Debug, Default, PartialEq)]
pub(super) struct UpdateBody {
    doc: Option<Bytes>,
    upsert: Option<Bytes>,
    doc_as_upsert: bool,
    script_lang: Option<String>,
    scripted_upsert: bool,
    no_noop: bool,
    /// `_source`
    pub fetch: Option<FetchSource>,
    /// `if_seq_no`
    pub if_seq_no: Option<i64>,
    /// `if_primary_term`
    pub if_primary_term: Option<i64>,
}

const KEYS: &[&str] = &[
    "script",
    "scripted_upsert",
    "upsert",
    "doc",
    "doc_as_upsert",
    "detect_noop",
    "_source",
    "if_seq_no",
    "if_primary_term",
];

impl UpdateBody {
    /// The write that this body asks for.
    pub(super) fn action(&self, fetch: Option<FetchSource>, retry_on_conflict: u32) -> WriteAction {
        let upsert = match self.doc_as_upsert {
            true => self.doc.clone(),
            false => self.upsert.clone(),
        };
        WriteAction::Update {
            op: UpdateOp {
                id: String::new(),
                routing: None,
                doc: self.doc.clone(),
                upsert,
                script_lang: self.script_lang.clone(),
                scripted_upsert: self.scripted_upsert,
                detect_noop: !self.no_noop,
                retry_on_conflict,
                version: VersionRule::Any,
                return_source: false,
            },
            fetch,
        }
    }
}

/// Reads the body; `doc` and `upsert` stay text.
pub(super) fn parse_body(body: &Bytes) -> Result<UpdateBody, RestError> {
    let raw: &RawValue = serde_json::from_slice(body).map_err(|error| json_mistake(&error))?;
    if !raw.get().starts_with('{') {
        return Err(parse_error(
            "[UpdateRequest] Expected START_OBJECT".to_owned(),
        ));
    }
    let entries: Entries<'_> =
        serde_json::from_str(raw.get()).map_err(|error| json_mistake(&error))?;
    let mut update = UpdateBody::default();
    for (key, value) in &entries.0 {
        match key.as_ref() {
            "doc" => update.doc = Some(object(body, key, value)?),
            "upsert" => update.upsert = Some(object(body, key, value)?),
            "doc_as_upsert" => update.doc_as_upsert = flag(key, value)?,
            "detect_noop" => update.no_noop = !flag(key, value)?,
            "_source" => {
                let value: serde_json::Value =
                    serde_json::from_str(value.get()).map_err(|error| json_mistake(&error))?;
                update.fetch = Some(FetchSource::parse(&Json::root(&value))?);
            }
            "if_seq_no" => update.if_seq_no = Some(long(key, value)?),
            "if_primary_term" => update.if_primary_term = Some(long(key, value)?),
            "script" => update.script_lang = Some(script_lang(key, value)?),
            "scripted_upsert" => update.scripted_upsert = flag(key, value)?,
            unknown => {
                let near = super::dispatch::near_names(unknown, KEYS.iter().copied());
                let hint = match near.as_slice() {
                    [] => String::new(),
                    [one] => format!(" did you mean [{one}]?"),
                    several => format!(" did you mean any of [{}]?", several.join(", ")),
                };
                return Err(parse_error(format!(
                    "[UpdateRequest] unknown field [{unknown}]{hint}"
                )));
            }
        }
    }
    Ok(update)
}

/// The language of a script; the script itself is not looked at, as no language is there to run it.
fn script_lang(key: &str, value: &RawValue) -> Result<String, RestError> {
    let script: serde_json::Value =
        serde_json::from_str(value.get()).map_err(|error| json_mistake(&error))?;
    if !script.is_object() && !script.is_string() {
        return Err(unsupported(key, value));
    }
    let lang = script.get("lang").and_then(|lang| lang.as_str());
    Ok(lang.unwrap_or("painless").to_owned())
}

fn object(body: &Bytes, key: &str, value: &RawValue) -> Result<Bytes, RestError> {
    let text = value.get();
    if !text.starts_with('{') {
        return Err(unsupported(key, value));
    }
    Ok(body.slice_ref(text.as_bytes()))
}

fn flag(key: &str, value: &RawValue) -> Result<bool, RestError> {
    match value.get() {
        "true" | "\"true\"" => Ok(true),
        "false" | "\"false\"" => Ok(false),
        _ => Err(unsupported(key, value)),
    }
}

fn long(key: &str, value: &RawValue) -> Result<i64, RestError> {
    value
        .get()
        .trim_matches('"')
        .parse()
        .map_err(|_| unsupported(key, value))
}

fn unsupported(key: &str, value: &RawValue) -> RestError {
    let token = match value.get().as_bytes().first() {
        Some(b'{') => "START_OBJECT",
        Some(b'[') => "START_ARRAY",
        Some(b'"') => "VALUE_STRING",
        Some(b't' | b'f') => "VALUE_BOOLEAN",
        Some(b'n') => "VALUE_NULL",
        _ => "VALUE_NUMBER",
    };
    parse_error(format!(
        "[UpdateRequest] {key} doesn't support values of type: {token}"
    ))
}

fn parse_error(reason: String) -> RestError {
    RestError::new(400, "x_content_parse_exception", reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &'static str) -> Result<UpdateBody, String> {
        parse_body(&Bytes::from_static(text.as_bytes())).map_err(|error| error.reason)
    }

    #[test]
    fn keeps_the_text_of_documents() {
        let body =
            parse(r#"{"doc": {"a" :1.0}, "doc_as_upsert": true, "detect_noop": false}"#).unwrap();
        assert_eq!(body.doc.as_deref(), Some(br#"{"a" :1.0}"#.as_slice()));
        let WriteAction::Update { op, .. } = body.action(None, 3) else {
            panic!("is an update");
        };
        assert_eq!(
            (op.upsert, op.detect_noop, op.retry_on_conflict),
            (body.doc.clone(), false, 3)
        );
    }

    #[test]
    fn names_what_it_does_not_know() {
        assert_eq!(
            parse(r#"{"docs": {}}"#).unwrap_err(),
            "[UpdateRequest] unknown field [docs] did you mean [doc]?"
        );
        assert_eq!(
            parse(r#"{"doc": 1}"#).unwrap_err(),
            "[UpdateRequest] doc doesn't support values of type: VALUE_NUMBER"
        );
        assert_eq!(
            parse(r#"{"script": {"source": "x"}}"#).unwrap().script_lang,
            Some("painless".to_owned())
        );
        assert!(parse("[]").is_err());
        assert!(parse("{").is_err());
    }
}
