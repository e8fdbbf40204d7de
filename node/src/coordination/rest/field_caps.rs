//! `_field_caps`: what fields there are over many indices, of which types, and what can be done with them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hyper::Method;
use quidditch_engine::query::Query;
use quidditch_engine::schema::Mapping;
use serde_json::{Map, Value, json};

use super::endpoints::INDICES_PARAMS;
use super::search_params::{body_value, indices_options, locate};
use super::{App, Endpoint, RestError, RestRequest, RestResponse};
use crate::cluster::names::matches_pattern;
use crate::cluster::{IndexMetadata, IndicesOptions};
use crate::coordination::dsl::search_body::{SearchBody, TrackTotal};
use crate::coordination::dsl::{Json, parse_clause};
use crate::coordination::search_input::SearchInput;

pub(super) const ENDPOINTS: &[Endpoint] = &[Endpoint {
    name: "field_caps",
    routes: &[
        (Method::GET, "/_field_caps"),
        (Method::POST, "/_field_caps"),
        (Method::GET, "/{index}/_field_caps"),
        (Method::POST, "/{index}/_field_caps"),
    ],
    params: &[
        INDICES_PARAMS,
        &["ignore_throttled", "fields", "include_unmapped"],
    ],
    handler: |app, request| Box::pin(field_caps(app, request)),
}];

/// Fields that every index has: name, searchable, aggregatable.
const METADATA: &[(&str, bool, bool)] = &[
    ("_field_names", true, false),
    ("_id", true, true),
    ("_ignored", true, false),
    ("_index", true, true),
    ("_nested_path", true, false),
    ("_routing", true, false),
    ("_seq_no", true, true),
    ("_source", false, false),
    ("_version", false, true),
];

/// What a field is in one index.
#[derive(Clone, Debug, PartialEq)]
struct Caps {
    kind: String,
    searchable: bool,
    aggregatable: bool,
}

/// What a field of one type is in several indices.
#[derive(Default)]
struct Merged {
    indices: Vec<String>,
    not_searchable: Vec<String>,
    not_aggregatable: Vec<String>,
}

async fn field_caps(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    let params = &request.params;
    let mut patterns = params.list("fields");
    let include_unmapped = params.bool("include_unmapped", false)?;
    let mut filter = None;
    if let Some(body) = body_value(&request)? {
        for (key, value) in Json::root(&body).members() {
            match key {
                "index_filter" => {
                    filter = Some(parse_clause(&value).map_err(|error| locate(&request, error))?)
                }
                "fields" => patterns = value.texts()?,
                _ => {
                    let error =
                        value.content(format!("[field_caps_request] unknown field [{key}]"));
                    return Err(locate(&request, error));
                }
            }
        }
    }
    if patterns.is_empty() {
        return Err(RestError::validation(&["no fields specified".to_owned()]));
    }
    let options = indices_options(params, IndicesOptions::STRICT_EXPAND_OPEN)?;
    let names = request.list_var("index");
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let resolved = app.state().resolve_all(&names, &options, app.now_ms())?;
    let mut indices: Vec<Arc<IndexMetadata>> = Vec::new();
    for index in resolved {
        let keep = match &filter {
            Some(filter) => any_match(&app, &index.metadata.name, filter).await?,
            None => true,
        };
        if keep {
            indices.push(index.metadata);
        }
    }
    let mut fields: BTreeMap<String, BTreeMap<String, Merged>> = BTreeMap::new();
    for index in &indices {
        for (name, caps) in caps_of(index, &patterns) {
            let merged = fields
                .entry(name)
                .or_default()
                .entry(caps.kind)
                .or_default();
            merged.indices.push(index.name.clone());
            if !caps.searchable {
                merged.not_searchable.push(index.name.clone());
            }
            if !caps.aggregatable {
                merged.not_aggregatable.push(index.name.clone());
            }
        }
    }
    if include_unmapped {
        add_unmapped(&indices, &mut fields);
    }
    let mut shown = Map::new();
    for (name, types) in &fields {
        let several = types.len() > 1;
        let entries: Map<String, Value> = types
            .iter()
            .map(|(kind, merged)| (kind.clone(), merged.json(kind, several)))
            .collect();
        shown.insert(name.clone(), Value::Object(entries));
    }
    let names: Vec<&str> = indices.iter().map(|index| index.name.as_str()).collect();
    Ok(RestResponse::ok(
        &json!({"indices": names, "fields": shown}),
    ))
}

/// The fields of an index that match, and the objects they stand in.
fn caps_of(index: &IndexMetadata, patterns: &[String]) -> BTreeMap<String, Caps> {
    let mapping: &Mapping = &index.schema.mapping;
    let wanted = |name: &str| {
        patterns
            .iter()
            .any(|pattern| matches_pattern(pattern, name))
    };
    let mut found = BTreeMap::new();
    for (name, searchable, aggregatable) in METADATA {
        if wanted(name) {
            let caps = Caps {
                kind: (*name).to_owned(),
                searchable: *searchable,
                aggregatable: *aggregatable,
            };
            found.insert((*name).to_owned(), caps);
        }
    }
    let mut parents = BTreeSet::new();
    for (path, field) in mapping.fields() {
        if !wanted(path) {
            continue;
        }
        let kind = match field.type_name() {
            "constant_keyword" | "wildcard" => "keyword",
            other => other,
        };
        let caps = Caps {
            kind: kind.to_owned(),
            searchable: field.indexed() || field.constant().is_some(),
            aggregatable: field.has_doc_values() || field.fielddata() || field.constant().is_some(),
        };
        found.insert(path.to_owned(), caps);
        let mut rest = path;
        while let Some((parent, _)) = rest.rsplit_once('.') {
            parents.insert(parent.to_owned());
            rest = parent;
        }
    }
    for parent in parents {
        if mapping.is_object(&parent) {
            found.entry(parent).or_insert(Caps {
                kind: "object".to_owned(),
                searchable: false,
                aggregatable: false,
            });
        }
    }
    found
}

/// Names the indices that do not have a field which others have.
fn add_unmapped(
    indices: &[Arc<IndexMetadata>],
    fields: &mut BTreeMap<String, BTreeMap<String, Merged>>,
) {
    for types in fields.values_mut() {
        let mapped: BTreeSet<&String> = types.values().flat_map(|merged| &merged.indices).collect();
        let missing: Vec<String> = indices
            .iter()
            .filter(|index| !mapped.contains(&index.name))
            .map(|index| index.name.clone())
            .collect();
        if !missing.is_empty() {
            let merged = Merged {
                not_searchable: missing.clone(),
                not_aggregatable: missing.clone(),
                indices: missing,
            };
            types.insert("unmapped".to_owned(), merged);
        }
    }
}

impl Merged {
    fn json(&self, kind: &str, several: bool) -> Value {
        let mut shown = Map::new();
        shown.insert("type".into(), Value::from(kind));
        shown.insert(
            "searchable".into(),
            Value::from(self.not_searchable.is_empty()),
        );
        shown.insert(
            "aggregatable".into(),
            Value::from(self.not_aggregatable.is_empty()),
        );
        if several {
            shown.insert("indices".into(), json!(self.indices));
        }
        if !self.not_searchable.is_empty() && self.not_searchable.len() < self.indices.len() {
            shown.insert("non_searchable_indices".into(), json!(self.not_searchable));
        }
        if !self.not_aggregatable.is_empty() && self.not_aggregatable.len() < self.indices.len() {
            shown.insert(
                "non_aggregatable_indices".into(),
                json!(self.not_aggregatable),
            );
        }
        Value::Object(shown)
    }
}

/// Whether an index has a document of the filter.
async fn any_match(app: &App, index: &str, filter: &Query) -> Result<bool, RestError> {
    let body = SearchBody {
        query: Some(filter.clone()),
        size: Some(0),
        track_total_hits: Some(TrackTotal::UpTo(1)),
        ..SearchBody::default()
    };
    let answer = app
        .searcher
        .search(&SearchInput::new(vec![index.to_owned()], body))
        .await?;
    Ok(answer.total.is_some_and(|total| total.value > 0))
}
