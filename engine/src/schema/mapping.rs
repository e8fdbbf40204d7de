//! The mapping: objects and fields by path.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use super::FieldMapping;
use super::dates::DateFormat;
use super::dynamic::{Dynamic, DynamicTemplate};
use super::field_build::show_field;
use super::pattern::simple_match;

/// Fields and objects of an index.
#[derive(Clone, Debug, Default)]
pub struct Mapping {
    pub(crate) root: ObjectNode,
    pub(crate) options: RootOptions,
    fields: BTreeMap<String, Arc<FieldMapping>>,
    aliases: BTreeMap<String, String>,
    objects: BTreeSet<String>,
}

/// What stands at the root of a mapping beside `properties`; `None` is "not given".
#[derive(Clone, Debug, Default)]
pub(crate) struct RootOptions {
    pub date_detection: Option<bool>,
    pub numeric_detection: Option<bool>,
    pub dynamic_date_formats: Option<Vec<DateFormat>>,
    pub templates: Option<Vec<Arc<DynamicTemplate>>>,
    pub source: Option<SourceOptions>,
    pub routing_required: Option<bool>,
    pub meta: Option<Json>,
    pub data_stream_timestamp: Option<bool>,
}

/// The `_source` of a mapping.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SourceOptions {
    pub enabled: bool,
    pub includes: Vec<String>,
    pub excludes: Vec<String>,
}

/// An object: the root or below.
#[derive(Clone, Debug, Default)]
pub(crate) struct ObjectNode {
    pub dynamic: Option<Dynamic>,
    /// `None` when not given: then `true`.
    pub enabled: Option<bool>,
    pub children: BTreeMap<String, Node>,
}

/// What a name in an object stands for.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    Object(ObjectNode),
    Field(Arc<FieldMapping>),
    /// Another name of the field at this path.
    Alias(String),
}

impl ObjectNode {
    pub fn is_enabled(&self) -> bool {
        self.enabled.unwrap_or(true)
    }
}

/// Fields every document has, known by name.
const METADATA_FIELDS: &[&str] = &[
    "_data_stream_timestamp",
    "_doc_count",
    "_feature",
    "_field_names",
    "_id",
    "_ignored",
    "_index",
    "_nested_path",
    "_primary_term",
    "_routing",
    "_seq_no",
    "_source",
    "_version",
];

impl Mapping {
    /// Indexes a tree of objects by path.
    pub(crate) fn new(root: ObjectNode, options: RootOptions) -> Mapping {
        let mut mapping = Mapping {
            root: ObjectNode::default(),
            options,
            ..Mapping::default()
        };
        mapping.collect("", &root);
        mapping.root = root;
        mapping
    }

    fn collect(&mut self, prefix: &str, object: &ObjectNode) {
        for (name, node) in &object.children {
            let path = join(prefix, name);
            match node {
                Node::Object(child) => {
                    self.collect(&path, child);
                    self.objects.insert(path);
                }
                Node::Field(field) => self.collect_field(field),
                Node::Alias(target) => {
                    self.aliases.insert(path, target.clone());
                }
            }
        }
    }

    fn collect_field(&mut self, field: &Arc<FieldMapping>) {
        for multi_field in field.multi_fields().values() {
            self.collect_field(multi_field);
        }
        self.fields
            .insert(field.path().to_owned(), Arc::clone(field));
    }

    /// The canonical JSON, as `GET _mapping` shows it.
    pub fn to_json(&self) -> Json {
        let mut out = Map::new();
        if let Some(dynamic) = self.root.dynamic {
            out.insert("dynamic".to_owned(), json!(dynamic.name()));
        }
        if let Some(meta) = &self.options.meta {
            out.insert("_meta".to_owned(), meta.clone());
        }
        if let Some(enabled) = self.root.enabled.filter(|enabled| !enabled) {
            out.insert("enabled".to_owned(), json!(enabled));
        }
        if self.options.data_stream_timestamp == Some(true) {
            out.insert(
                "_data_stream_timestamp".to_owned(),
                json!({"enabled": true}),
            );
        }
        if self.routing_required() {
            out.insert("_routing".to_owned(), json!({"required": true}));
        }
        if let Some(source) = &self.options.source {
            let mut shown = Map::new();
            if !source.enabled {
                shown.insert("enabled".to_owned(), json!(false));
            }
            if !source.includes.is_empty() {
                shown.insert("includes".to_owned(), json!(source.includes));
            }
            if !source.excludes.is_empty() {
                shown.insert("excludes".to_owned(), json!(source.excludes));
            }
            if !shown.is_empty() {
                out.insert("_source".to_owned(), Json::Object(shown));
            }
        }
        if let Some(formats) = &self.options.dynamic_date_formats {
            let formats: Vec<&str> = formats.iter().map(DateFormat::text).collect();
            out.insert("dynamic_date_formats".to_owned(), json!(formats));
        }
        if let Some(templates) = &self.options.templates
            && !templates.is_empty()
        {
            let templates: Vec<Json> = templates.iter().map(|t| t.show()).collect();
            out.insert("dynamic_templates".to_owned(), Json::Array(templates));
        }
        if let Some(detection) = self.options.date_detection {
            out.insert("date_detection".to_owned(), json!(detection));
        }
        if let Some(detection) = self.options.numeric_detection {
            out.insert("numeric_detection".to_owned(), json!(detection));
        }
        if !self.root.children.is_empty() {
            out.insert("properties".to_owned(), show_children(&self.root));
        }
        Json::Object(out)
    }

    /// The field at a path; an alias gives the field it points to.
    pub fn field(&self, path: &str) -> Option<&Arc<FieldMapping>> {
        match self.fields.get(path) {
            Some(field) => Some(field),
            None => self.fields.get(self.aliases.get(path)?),
        }
    }

    /// Whether the path is an object.
    pub fn is_object(&self, path: &str) -> bool {
        self.objects.contains(path)
    }

    /// The objects below the root, in order of path.
    pub fn objects(&self) -> impl Iterator<Item = &str> {
        self.objects.iter().map(String::as_str)
    }

    /// All fields in order of path: multi-fields included, aliases with the field they point to.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &Arc<FieldMapping>)> {
        let mut all: Vec<(&str, &Arc<FieldMapping>)> = self
            .fields
            .iter()
            .map(|(path, field)| (path.as_str(), field))
            .collect();
        for (path, target) in &self.aliases {
            if let Some(field) = self.fields.get(target) {
                all.push((path, field));
            }
        }
        all.sort_by_key(|(path, _)| *path);
        all.into_iter()
    }

    /// The fields whose path matches a pattern with `*`, in order of path.
    pub fn fields_matching(&self, pattern: &str) -> Vec<(&str, &Arc<FieldMapping>)> {
        if !pattern.contains('*') {
            let path = self
                .fields
                .get_key_value(pattern)
                .map(|(path, field)| (path.as_str(), field));
            return match path {
                Some(found) => vec![found],
                None => self
                    .aliases
                    .get_key_value(pattern)
                    .and_then(|(path, target)| Some((path.as_str(), self.fields.get(target)?)))
                    .into_iter()
                    .collect(),
            };
        }
        self.fields()
            .filter(|(path, _)| simple_match(pattern, path))
            .collect()
    }

    /// Whether the path is an alias of another field.
    pub fn is_alias(&self, path: &str) -> bool {
        self.aliases.contains_key(path)
    }

    /// The fields that are other fields' multi-fields: a value appears in the document under their parent.
    pub fn is_multi_field(&self, path: &str) -> bool {
        match path.rsplit_once('.') {
            Some((parent, _)) => self.fields.contains_key(path) && self.fields.contains_key(parent),
            None => false,
        }
    }

    /// Whether the name is a metadata field: `_id`, `_index`, `_source`, ….
    pub fn is_metadata_field(name: &str) -> bool {
        METADATA_FIELDS.contains(&name)
    }

    /// The metadata fields by name.
    pub fn metadata_fields() -> &'static [&'static str] {
        METADATA_FIELDS
    }

    /// Whether every write and read must give a routing.
    pub fn routing_required(&self) -> bool {
        self.options.routing_required.unwrap_or(false)
    }

    /// Whether `_source` is stored.
    pub fn source_enabled(&self) -> bool {
        self.options
            .source
            .as_ref()
            .is_none_or(|source| source.enabled)
    }

    /// Fields, objects and aliases, as `index.mapping.total_fields.limit` counts them.
    pub fn total_fields(&self) -> usize {
        self.fields.len() + self.objects.len() + self.aliases.len()
    }

    pub(crate) fn alias_targets(&self) -> &BTreeMap<String, String> {
        &self.aliases
    }

    pub(crate) fn has_own_field(&self, path: &str) -> bool {
        self.fields.contains_key(path)
    }

    /// Whether date texts of new fields become dates.
    pub(crate) fn date_detection(&self) -> bool {
        self.options.date_detection.unwrap_or(true)
    }

    /// Whether number texts of new fields become numbers.
    pub(crate) fn numeric_detection(&self) -> bool {
        self.options.numeric_detection.unwrap_or(false)
    }

    pub(crate) fn templates(&self) -> &[Arc<DynamicTemplate>] {
        self.options.templates.as_deref().unwrap_or_default()
    }
}

/// A path one level down.
pub(crate) fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() {
        name.to_owned()
    } else {
        format!("{prefix}.{name}")
    }
}

fn show_children(object: &ObjectNode) -> Json {
    let mut out = Map::new();
    for (name, node) in &object.children {
        let shown = match node {
            Node::Field(field) => show_field(field),
            Node::Alias(target) => json!({"type": "alias", "path": target}),
            Node::Object(child) => show_object(child),
        };
        out.insert(name.clone(), shown);
    }
    Json::Object(out)
}

fn show_object(object: &ObjectNode) -> Json {
    let mut out = Map::new();
    if object.children.is_empty() {
        out.insert("type".to_owned(), json!("object"));
    }
    if let Some(dynamic) = object.dynamic {
        out.insert("dynamic".to_owned(), json!(dynamic.name()));
    }
    if !object.is_enabled() {
        out.insert("enabled".to_owned(), json!(false));
    }
    if !object.children.is_empty() {
        out.insert("properties".to_owned(), show_children(object));
    }
    Json::Object(out)
}
