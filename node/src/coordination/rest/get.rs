//! Reading documents by their ids: `_doc`, `_source`, and what `_mget` shares with them.

use std::sync::Arc;

use bytes::Bytes;
use hyper::Method;
use serde_json::{Map, Value};

use super::endpoints::SOURCE_FILTER_PARAMS;
use super::{App, Endpoint, RestError, RestRequest, RestResponse};
use crate::cluster::{IndexMetadata, IndicesOptions};
use crate::coordination::dsl::source::FetchSource;
use crate::coordination::placed;
use crate::coordination::source_filter;
use crate::coordination::write::{VersionType, check_read_block, routing_missing, routing_of};
use crate::data::service::{GetOp, ShardTarget, StoredDocument};

const GET_PARAMS: &[&[&str]] = &[
    SOURCE_FILTER_PARAMS,
    &[
        "preference",
        "realtime",
        "refresh",
        "routing",
        "stored_fields",
        "version",
        "version_type",
    ],
];

const GET_SOURCE_PARAMS: &[&[&str]] = &[
    SOURCE_FILTER_PARAMS,
    &[
        "preference",
        "realtime",
        "refresh",
        "routing",
        "version",
        "version_type",
    ],
];

pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        name: "get",
        routes: &[(Method::GET, "/{index}/_doc/{id}")],
        params: GET_PARAMS,
        handler: |app, request| Box::pin(get(app, request)),
    },
    Endpoint {
        name: "exists",
        routes: &[(Method::HEAD, "/{index}/_doc/{id}")],
        params: GET_PARAMS,
        handler: |app, request| Box::pin(get(app, request)),
    },
    Endpoint {
        name: "get_source",
        routes: &[(Method::GET, "/{index}/_source/{id}")],
        params: GET_SOURCE_PARAMS,
        handler: |app, request| Box::pin(get_source(app, request)),
    },
    Endpoint {
        name: "exists_source",
        routes: &[(Method::HEAD, "/{index}/_source/{id}")],
        params: GET_SOURCE_PARAMS,
        handler: |app, request| Box::pin(get_source(app, request)),
    },
];

/// One document to read.
#[derive(Clone, Debug)]
pub(super) struct GetSpec {
    /// Index or alias, as written.
    pub index: String,
    /// `_id`
    pub id: String,
    /// `routing`
    pub routing: Option<String>,
    /// `stored_fields`
    pub stored_fields: Vec<String>,
    /// What to show of the source; `None`: whatever is usual.
    pub source: Option<FetchSource>,
    /// `realtime`
    pub realtime: bool,
    /// `refresh`
    pub refresh: bool,
    /// `version`
    pub version: Option<i64>,
}

/// What became of it.
#[derive(Clone, Debug)]
pub(super) struct Got {
    /// The concrete index.
    pub index: Arc<IndexMetadata>,
    /// `_id`
    pub id: String,
    /// The document, if there is one.
    pub document: Option<StoredDocument>,
    /// What is shown of its source.
    pub source: Option<Bytes>,
}

impl GetSpec {
    fn from_request(request: &RestRequest) -> Result<GetSpec, RestError> {
        let params = &request.params;
        if let Some(kind) = params.get("version_type") {
            VersionType::parse(kind)?;
        }
        Ok(GetSpec {
            index: request.required_var("index")?.to_owned(),
            id: request.required_var("id")?.to_owned(),
            routing: params
                .get("routing")
                .filter(|routing| !routing.is_empty())
                .map(str::to_owned),
            stored_fields: params.list("stored_fields"),
            source: source_filter::from_params(params)?,
            realtime: params.bool("realtime", true)?,
            refresh: params.bool("refresh", false)?,
            version: params.opt_long("version")?,
        })
    }
}

/// Reads one document.
pub(super) async fn read(app: &App, spec: GetSpec) -> Result<Got, RestError> {
    let state = app.state();
    let found = state.resolve_all(
        &[spec.index.as_str()],
        &IndicesOptions::SINGLE,
        app.now_ms(),
    )?;
    let Some(resolved) = found.into_iter().next() else {
        return Err(RestError::index_not_found(&spec.index));
    };
    let index = resolved.metadata;
    check_read_block(&index)?;
    let alias = index
        .aliases
        .get(&spec.index)
        .and_then(|alias| alias.index_routing.as_deref());
    let routing = routing_of(&spec.index, spec.routing.as_deref(), alias)?;
    let mapping = &index.schema.mapping;
    if routing.is_none() && mapping.routing_required() {
        return Err(routing_missing(&index, &spec.id));
    }
    for field in &spec.stored_fields {
        if mapping.is_object(field) {
            return Err(RestError::illegal_argument(format!(
                "field [{field}] isn't a leaf field"
            )));
        }
    }
    let target = ShardTarget {
        index: index.name.clone(),
        index_uuid: index.uuid.clone(),
        shard: index.shard_of(&spec.id, routing.as_deref()),
    };
    let op = GetOp {
        id: spec.id.clone(),
        realtime: spec.realtime,
        refresh: spec.refresh,
        stored_fields: spec.stored_fields.clone(),
    };
    let document = placed::get(&*app.masters, &*app.shards, &target, &op)
        .await
        .map_err(|error| error.at(&target))?;
    if let Some(wanted) = spec.version {
        check_version(&spec.id, wanted, document.as_ref()).map_err(|error| {
            error
                .with_index(&target.index, &target.index_uuid)
                .with("shard", target.shard.to_string())
        })?;
    }
    let source = match &document {
        None => None,
        Some(document) => source_filter::apply(&document.source, &shown(&spec))?,
    };
    Ok(Got {
        index,
        id: spec.id,
        document,
        source,
    })
}

/// What to show of the source: whoever asks for stored fields does not get it unasked.
fn shown(spec: &GetSpec) -> FetchSource {
    match &spec.source {
        Some(source) => source.clone(),
        None if spec.stored_fields.is_empty() => FetchSource::ALL,
        None if spec.stored_fields.iter().any(|field| field == "_source") => FetchSource::ALL,
        None => FetchSource::NONE,
    }
}

fn check_version(
    id: &str,
    wanted: i64,
    document: Option<&StoredDocument>,
) -> Result<(), RestError> {
    // a document that is not there has no version to disagree with
    let Some(document) = document else {
        return Ok(());
    };
    if u64::try_from(wanted) == Ok(document.version) {
        return Ok(());
    }
    Err(RestError::new(
        409,
        "version_conflict_engine_exception",
        format!(
            "[{id}]: version conflict, current version [{}] is different than the one provided [{wanted}]",
            document.version
        ),
    ))
}

impl Got {
    /// The answer as JSON text; the source stands in it as it was stored.
    pub(super) fn write_json(&self, out: &mut Vec<u8>) {
        let mut head = Map::new();
        head.insert("_index".to_owned(), Value::from(self.index.name.as_str()));
        head.insert("_id".to_owned(), Value::from(self.id.as_str()));
        let Some(document) = &self.document else {
            head.insert("found".to_owned(), Value::from(false));
            out.extend_from_slice(Value::Object(head).to_string().as_bytes());
            return;
        };
        head.insert("_version".to_owned(), Value::from(document.version));
        head.insert("_seq_no".to_owned(), Value::from(document.seq_no));
        head.insert(
            "_primary_term".to_owned(),
            Value::from(document.primary_term),
        );
        if let Some(routing) = &document.routing {
            head.insert("_routing".to_owned(), Value::from(routing.as_str()));
        }
        head.insert("found".to_owned(), Value::from(true));
        out.extend_from_slice(Value::Object(head).to_string().as_bytes());
        out.pop();
        if let Some(source) = &self.source {
            out.extend_from_slice(b",\"_source\":");
            out.extend_from_slice(source);
        }
        if !document.fields.is_empty() {
            let mut fields = Map::new();
            for (name, values) in &document.fields {
                fields.insert(name.clone(), Value::from(values.clone()));
            }
            out.extend_from_slice(b",\"fields\":");
            out.extend_from_slice(Value::Object(fields).to_string().as_bytes());
        }
        out.push(b'}');
    }
}

async fn get(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    let spec = GetSpec::from_request(&request)?;
    let got = read(&app, spec).await?;
    let mut body = Vec::new();
    got.write_json(&mut body);
    let status = if got.document.is_some() { 200 } else { 404 };
    Ok(RestResponse::raw_json(status, body))
}

async fn get_source(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    let spec = GetSpec::from_request(&request)?;
    if spec.source.as_ref().is_some_and(|source| !source.enabled) {
        return Err(RestError::validation(&[
            "fetching source can not be disabled".to_owned(),
        ]));
    }
    let got = read(&app, spec).await?;
    let missing = |what: &str| {
        RestError::new(
            404,
            "resource_not_found_exception",
            format!("{what} not found [{}]/[{}]", got.index.name, got.id),
        )
    };
    match (&got.document, &got.source) {
        (None, _) => Err(missing("Document")),
        (Some(_), None) => Err(missing("Source")),
        (Some(_), Some(source)) => Ok(RestResponse::raw_json(200, source.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_must_agree() {
        let document = StoredDocument {
            id: "1".to_owned(),
            routing: None,
            version: 3,
            seq_no: 0,
            primary_term: 1,
            source: Bytes::new(),
            fields: Vec::new(),
        };
        assert!(check_version("1", 3, Some(&document)).is_ok());
        assert!(check_version("1", 2, None).is_ok());
        assert_eq!(
            check_version("1", 2, Some(&document)).unwrap_err().reason,
            "[1]: version conflict, current version [3] is different than the one provided [2]"
        );
    }
}
