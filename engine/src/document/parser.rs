//! The walk through a document with the mapping in hand.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use hashbrown::HashMap;
use serde_json::{Map, Value as Json, json};

use super::builder::FieldBuilder;
use super::error::DocumentError;
use super::fields::{ColumnKind, FieldSpec, IndexOptions, ParsedDocument, StoredValue};
use super::json::{JsonValue, Scalar};
use super::json_reader;
use super::source_filter::filter_source;
use crate::schema::dates::{DEFAULT_FORMAT, DateFormat};
use crate::schema::{
    Dynamic, FieldMapping, IndexSchema, Mapping, Node, ObjectNode, SchemaError, ValueError,
    ValueKind, check_depth, join, parse_node,
};

/// Parses a document; see [`super::parse_document`] and [`super::parse_accepted`].
pub(super) fn parse(
    schema: &IndexSchema,
    id: &str,
    routing: Option<&str>,
    source: &[u8],
    accepted: bool,
) -> Result<ParsedDocument, DocumentError> {
    if source.is_empty() {
        return Err(DocumentError::mapper_parsing(
            "failed to parse, document is empty",
        ));
    }
    let tree = json_reader::read(source)
        .map_err(|error| DocumentError::mapper_parsing("failed to parse").caused_by(error))?;
    let JsonValue::Object(entries) = &tree else {
        return Err(DocumentError::mapper_parsing(
            "Malformed content, must start with an object",
        ));
    };
    let mut parser = Parser {
        schema,
        id,
        accepted,
        fields: Vec::new(),
        by_field: HashMap::new(),
        ignored: BTreeSet::new(),
        new_nodes: BTreeMap::new(),
        depth: Depth::default(),
    };
    let root = &schema.mapping.root;
    if root.is_enabled() {
        let dynamic = root.dynamic.unwrap_or(Dynamic::True);
        parser.object(root, "", dynamic, entries)?;
    }
    let source = stored_source(&schema.mapping, source, &tree);
    parser.finish(routing, source)
}

fn stored_source(mapping: &Mapping, source: &[u8], tree: &JsonValue<'_>) -> Bytes {
    match &mapping.options.source {
        Some(options) if !options.enabled => Bytes::new(),
        Some(options) if !(options.includes.is_empty() && options.excludes.is_empty()) => {
            Bytes::from(filter_source(tree, &options.includes, &options.excludes))
        }
        _ => Bytes::copy_from_slice(source),
    }
}

struct Parser<'a> {
    schema: &'a IndexSchema,
    id: &'a str,
    /// The document was indexed before: what the mapping refuses now is left out.
    accepted: bool,
    fields: Vec<FieldBuilder>,
    /// Place in `fields` by address of the mapped field.
    by_field: HashMap<usize, usize>,
    ignored: BTreeSet<String>,
    /// Fields and objects the mapping does not have yet, with their definitions, by path.
    new_nodes: BTreeMap<String, (Json, &'static str)>,
    depth: Depth,
}

/// How deep the walk is: objects and arrays each count for themselves.
#[derive(Clone, Copy, Debug, Default)]
struct Depth {
    objects: usize,
    arrays: usize,
}

impl Parser<'_> {
    /// Goes on one object or array further down, unless that is deeper than the index allows.
    fn deeper(
        &mut self,
        depth: Depth,
        walk: impl FnOnce(&mut Self) -> Result<(), DocumentError>,
    ) -> Result<(), DocumentError> {
        let limit = self.schema.settings.depth_limit;
        let what = match depth {
            Depth { objects, .. } if objects > limit => "field",
            Depth { arrays, .. } if arrays > limit => "nested array field",
            _ => {
                let before = std::mem::replace(&mut self.depth, depth);
                let outcome = walk(self);
                self.depth = before;
                return outcome;
            }
        };
        Err(failed(ValueError::new(
            "parse_exception",
            format!(
                "The depth of the {what} has exceeded the allowed limit of [{limit}]. This limit can be set by changing \
                 the [index.mapping.depth.limit] index level setting."
            ),
        )))
    }

    fn in_object(
        &mut self,
        walk: impl FnOnce(&mut Self) -> Result<(), DocumentError>,
    ) -> Result<(), DocumentError> {
        let objects = self.depth.objects + 1;
        self.deeper(
            Depth {
                objects,
                ..self.depth
            },
            walk,
        )
    }

    fn in_array(
        &mut self,
        walk: impl FnOnce(&mut Self) -> Result<(), DocumentError>,
    ) -> Result<(), DocumentError> {
        let arrays = self.depth.arrays + 1;
        self.deeper(
            Depth {
                arrays,
                ..self.depth
            },
            walk,
        )
    }

    fn object(
        &mut self,
        node: &ObjectNode,
        path: &str,
        dynamic: Dynamic,
        entries: &[(Cow<'_, str>, JsonValue<'_>)],
    ) -> Result<(), DocumentError> {
        self.in_object(|parser| {
            for (name, value) in entries {
                if let Err(error) = parser.member(node, path, dynamic, name, value) {
                    if !parser.accepted {
                        return Err(error);
                    }
                    parser.ignored.insert(join(path, name));
                }
            }
            Ok(())
        })
    }

    /// One name of an object with its value.
    fn member(
        &mut self,
        node: &ObjectNode,
        path: &str,
        dynamic: Dynamic,
        name: &str,
        value: &JsonValue<'_>,
    ) -> Result<(), DocumentError> {
        if name.contains('.') {
            let parts = split_path(name)?;
            return self.dotted(node, path, dynamic, name, &parts, value);
        }
        if name.is_empty() {
            return Err(failed(ValueError::illegal(
                "field name cannot be an empty string",
            )));
        }
        self.entry(node, path, dynamic, name, value, name)
    }

    /// A name with dots: objects on the way, then the last part.
    fn dotted(
        &mut self,
        node: &ObjectNode,
        path: &str,
        dynamic: Dynamic,
        whole: &str,
        parts: &[&str],
        value: &JsonValue<'_>,
    ) -> Result<(), DocumentError> {
        let Some((first, rest)) = parts.split_first() else {
            return Ok(());
        };
        if rest.is_empty() {
            return self.entry(node, path, dynamic, first, value, whole);
        }
        let child_path = join(path, first);
        match node.children.get(*first) {
            Some(Node::Object(child)) => {
                if !child.is_enabled() {
                    return Ok(());
                }
                let dynamic = child.dynamic.unwrap_or(dynamic);
                self.dotted(child, &child_path, dynamic, whole, rest, value)
            }
            Some(Node::Field(field)) => Err(not_an_object(
                &join(path, whole),
                &child_path,
                field.type_name(),
            )),
            Some(Node::Alias(_)) => Err(not_an_object(&join(path, whole), &child_path, "alias")),
            None => {
                if matches!(value, JsonValue::Null) {
                    return Ok(());
                }
                let Some(child) = self.new_object(path, first, dynamic, true)? else {
                    return Ok(());
                };
                let dynamic = child.dynamic.unwrap_or(dynamic);
                self.dotted(&child, &child_path, dynamic, whole, rest, value)
            }
        }
    }

    /// One name without dots.
    fn entry(
        &mut self,
        node: &ObjectNode,
        path: &str,
        dynamic: Dynamic,
        name: &str,
        value: &JsonValue<'_>,
        shown: &str,
    ) -> Result<(), DocumentError> {
        match node.children.get(name) {
            Some(Node::Field(field)) => self.field_value(field, value),
            Some(Node::Object(child)) => {
                if !child.is_enabled() {
                    return Ok(());
                }
                let child_path = join(path, name);
                let dynamic = child.dynamic.unwrap_or(dynamic);
                self.object_value(child, &child_path, dynamic, shown, value)
            }
            Some(Node::Alias(_)) => Err(failed(ValueError::illegal(format!(
                "Cannot write to a field alias [{}].",
                join(path, name)
            )))),
            None => {
                if path.is_empty() && Mapping::is_metadata_field(name) {
                    return Err(DocumentError::mapper_parsing(format!(
                        "Field [{name}] is a metadata field and cannot be added inside a document. \
                         Use the index API request parameters."
                    )));
                }
                self.new_value(path, dynamic, name, value)
            }
        }
    }

    /// A value of a mapped object: an object, or an array of them.
    fn object_value(
        &mut self,
        node: &ObjectNode,
        path: &str,
        dynamic: Dynamic,
        shown: &str,
        value: &JsonValue<'_>,
    ) -> Result<(), DocumentError> {
        match value {
            JsonValue::Null => Ok(()),
            JsonValue::Object(entries) => self.object(node, path, dynamic, entries),
            JsonValue::Array(items) => self.in_array(|parser| {
                let mut items = items.iter();
                items.try_for_each(|item| parser.object_value(node, path, dynamic, "null", item))
            }),
            _ => Err(DocumentError::mapper_parsing(format!(
                "object mapping for [{path}] tried to parse field [{shown}] as object, but found a concrete value"
            ))),
        }
    }

    /// A value of a mapped field: a scalar, null, or an array of them.
    fn field_value(
        &mut self,
        field: &Arc<FieldMapping>,
        value: &JsonValue<'_>,
    ) -> Result<(), DocumentError> {
        if field.ops.reads_trees() {
            return self.tree_value(field, value);
        }
        match value {
            JsonValue::Null => match field.null_value().and_then(Scalar::of) {
                Some(value) => self.scalar(field, value),
                None => Ok(()),
            },
            JsonValue::Array(items) => self.in_array(|parser| {
                let mut items = items.iter();
                items.try_for_each(|item| parser.field_value(field, item))
            }),
            JsonValue::Object(_) => {
                let cause = match field.kind() {
                    kind if kind.is_number() => {
                        ValueError::illegal("Cannot parse object as number")
                    }
                    _ => ValueError::new(
                        "illegal_state_exception",
                        "Can't get text on a START_OBJECT",
                    ),
                };
                Err(self.value_error(field, &value.preview(), cause))
            }
            value => match value.scalar() {
                Some(scalar) => self.scalar(field, scalar),
                None => Ok(()),
            },
        }
    }

    /// A value of a field whose type reads objects and arrays itself.
    fn tree_value(
        &mut self,
        field: &Arc<FieldMapping>,
        value: &JsonValue<'_>,
    ) -> Result<(), DocumentError> {
        let tree = match value {
            JsonValue::Null => match field.null_value() {
                Some(value) => value.clone(),
                None => return Ok(()),
            },
            value => value.to_json(),
        };
        let place = self.place(field);
        if let Err(error) = field.ops.parse_tree(field, &tree, &mut self.fields[place]) {
            if !field.ignore_malformed && !self.accepted {
                return Err(self.value_error(field, &value.preview(), error));
            }
            self.ignored.insert(field.path().to_owned());
        }
        Ok(())
    }

    /// Where the values of a field are collected.
    fn place(&mut self, field: &Arc<FieldMapping>) -> usize {
        let address = Arc::as_ptr(field) as usize;
        *self.by_field.entry(address).or_insert_with(|| {
            self.fields
                .push(FieldBuilder::new(Arc::clone(&field.path), field.spec()));
            self.fields.len() - 1
        })
    }

    /// One scalar: the field, its multi-fields, and the fields it is copied to.
    fn scalar(
        &mut self,
        field: &Arc<FieldMapping>,
        value: Scalar<'_>,
    ) -> Result<(), DocumentError> {
        self.one_field(field, value)?;
        for target in &field.copy_to {
            match self.schema.mapping.field(target) {
                Some(target) => self.one_field(target, value)?,
                None => self.copy_to_new(target, value)?,
            }
        }
        Ok(())
    }

    fn one_field(
        &mut self,
        field: &Arc<FieldMapping>,
        value: Scalar<'_>,
    ) -> Result<(), DocumentError> {
        let place = self.place(field);
        let builder = &mut self.fields[place];
        let result = field.ops.parse(field, value, builder);
        if builder.take_ignored() {
            self.ignored.insert(field.path().to_owned());
        }
        if let Err(error) = result {
            if !field.ignore_malformed && !self.accepted {
                return Err(self.value_error(field, &value.text(), error));
            }
            self.ignored.insert(field.path().to_owned());
        }
        for multi_field in field.multi_fields().values() {
            self.one_field(multi_field, value)?;
        }
        Ok(())
    }

    fn value_error(&self, field: &FieldMapping, preview: &str, cause: ValueError) -> DocumentError {
        let immense = cause
            .reason
            .starts_with("Document contains at least one immense term")
            || cause.reason.starts_with("position overflow");
        let cause = DocumentError::from(cause);
        // The index's own limits speak for themselves.
        if immense {
            return cause;
        }
        DocumentError::mapper_parsing(format!(
            "failed to parse field [{}] of type [{}] in document with id '{}'. Preview of field's value: '{preview}'",
            field.path(),
            field.type_name(),
            self.id
        ))
        .caused_by(cause)
    }

    /// `copy_to` of a field that does not exist yet.
    fn copy_to_new(&mut self, target: &str, value: Scalar<'_>) -> Result<(), DocumentError> {
        let parts = split_path(target)?;
        let schema = self.schema;
        let root = &schema.mapping.root;
        let dynamic = root.dynamic.unwrap_or(Dynamic::True);
        let value = match value {
            Scalar::Bool(flag) => JsonValue::Bool(flag),
            Scalar::I64(n) => JsonValue::I64(n),
            Scalar::U64(n) => JsonValue::U64(n),
            Scalar::Big(text) => JsonValue::Big(text),
            Scalar::F64(n, text) => JsonValue::F64(n, text),
            Scalar::Str(text) => JsonValue::Str(Cow::Borrowed(text)),
        };
        self.dotted(root, "", dynamic, target, &parts, &value)
    }

    /// A value under a name that the mapping does not know.
    fn new_value(
        &mut self,
        path: &str,
        dynamic: Dynamic,
        name: &str,
        value: &JsonValue<'_>,
    ) -> Result<(), DocumentError> {
        match value {
            JsonValue::Null => {
                if dynamic == Dynamic::Strict {
                    return Err(strict(dynamic, path, name));
                }
                Ok(())
            }
            JsonValue::Array(items) => {
                if dynamic == Dynamic::Strict {
                    return Err(strict(dynamic, path, name));
                }
                self.in_array(|parser| {
                    let mut items = items.iter();
                    items.try_for_each(|item| parser.new_value(path, dynamic, name, item))
                })
            }
            JsonValue::Object(entries) => {
                let Some(child) = self.new_object(path, name, dynamic, false)? else {
                    return Ok(());
                };
                if !child.is_enabled() {
                    return Ok(());
                }
                let dynamic = child.dynamic.unwrap_or(dynamic);
                self.object(&child, &join(path, name), dynamic, entries)
            }
            value => match value.scalar() {
                Some(scalar) => self.new_field(path, dynamic, name, scalar),
                None => Ok(()),
            },
        }
    }

    /// Decides about a new object; `None` when it is not to be looked into.
    ///
    /// * `implied`: a dotted name stands for it.
    fn new_object(
        &mut self,
        path: &str,
        name: &str,
        dynamic: Dynamic,
        implied: bool,
    ) -> Result<Option<ObjectNode>, DocumentError> {
        let full = join(path, name);
        if dynamic == Dynamic::False {
            return Ok(None);
        }
        if dynamic == Dynamic::Strict {
            return Err(strict(dynamic, path, name));
        }
        if implied {
            // A name may have many dots; real objects are counted as they are gone into.
            check_depth(self.schema.context(), &join(&full, "_"))
                .map_err(|error| DocumentError::new(error.kind, error.reason))?;
        }
        let template = self.template(&full, name, ValueKind::Object);
        let definition = match template {
            Some(definition) => definition,
            None => match dynamic {
                Dynamic::StrictAllowTemplates if !implied => {
                    return Err(strict(dynamic, path, name));
                }
                Dynamic::FalseAllowTemplates => return Ok(None),
                _ => {
                    let mut plain = Map::new();
                    plain.insert("type".to_owned(), json!("object"));
                    plain
                }
            },
        };
        let node = parse_node(self.schema.context(), &full, &definition).map_err(schema_failed)?;
        match node {
            Node::Object(object) => {
                self.add_new(&full, definition, "object")?;
                Ok(Some(object))
            }
            Node::Field(field) => Err(self.value_error(
                &field,
                "{}",
                ValueError::new(
                    "illegal_state_exception",
                    "Can't get text on a START_OBJECT",
                ),
            )),
            Node::Alias(_) => Ok(None),
        }
    }

    fn new_field(
        &mut self,
        path: &str,
        dynamic: Dynamic,
        name: &str,
        value: Scalar<'_>,
    ) -> Result<(), DocumentError> {
        let full = join(path, name);
        match dynamic {
            Dynamic::False => return Ok(()),
            Dynamic::Strict => return Err(strict(dynamic, path, name)),
            _ => {}
        }
        let (kind, default) = self.infer(value);
        let definition = match self.template(&full, name, kind) {
            Some(definition) => definition,
            None => match dynamic {
                Dynamic::StrictAllowTemplates => return Err(strict(dynamic, path, name)),
                Dynamic::FalseAllowTemplates => return Ok(()),
                _ => default,
            },
        };
        let node = parse_node(self.schema.context(), &full, &definition).map_err(schema_failed)?;
        match node {
            Node::Field(field) => {
                self.try_new(&field, value)?;
                let type_name = field.type_name();
                self.add_new(&full, definition, type_name)?;
                for target in field.copy_to.clone() {
                    if self.schema.mapping.field(&target).is_none() {
                        self.copy_to_new(&target, value)?;
                    }
                }
                Ok(())
            }
            Node::Object(_) => Err(DocumentError::mapper_parsing(format!(
                "object mapping for [{full}] tried to parse field [{name}] as object, but found a concrete value"
            ))),
            Node::Alias(_) => Ok(()),
        }
    }

    /// Refuses a value that its new field will not take, before the mapping has the field.
    fn try_new(&self, field: &FieldMapping, value: Scalar<'_>) -> Result<(), DocumentError> {
        let mut unused = FieldBuilder::new(Arc::clone(&field.path), field.spec());
        if let Err(error) = field.ops.parse(field, value, &mut unused)
            && !field.ignore_malformed
        {
            return Err(self.value_error(field, &value.text(), error));
        }
        let mut multi_fields = field.multi_fields().values();
        multi_fields.try_for_each(|multi_field| self.try_new(multi_field, value))
    }

    /// Kind of a new field's value and the definition it gets where no template decides.
    fn infer(&self, value: Scalar<'_>) -> (ValueKind, Map<String, Json>) {
        let typed = |name: &str| {
            let mut definition = Map::new();
            definition.insert("type".to_owned(), json!(name));
            definition
        };
        match value {
            Scalar::Bool(_) => (ValueKind::Boolean, typed("boolean")),
            Scalar::I64(_) | Scalar::U64(_) | Scalar::Big(_) => (ValueKind::Long, typed("long")),
            Scalar::F64(..) => (ValueKind::Double, typed("float")),
            Scalar::Str(text) => {
                let mapping = &self.schema.mapping;
                let is_long = text.parse::<i64>().is_ok();
                let is_double = is_long || text.trim().parse::<f64>().is_ok();
                if mapping.numeric_detection() && is_long {
                    return (ValueKind::Long, typed("long"));
                }
                if mapping.numeric_detection() && is_double {
                    return (ValueKind::Double, typed("float"));
                }
                // Bare numbers are too likely to be no dates.
                if !is_double
                    && mapping.date_detection()
                    && let Some(format) = detect_date(mapping, text)
                {
                    let mut definition = typed("date");
                    if format != DEFAULT_FORMAT {
                        definition.insert("format".to_owned(), json!(format));
                    }
                    return (ValueKind::Date, definition);
                }
                let mut definition = typed("text");
                definition.insert(
                    "fields".to_owned(),
                    json!({"keyword": {"type": "keyword", "ignore_above": 256}}),
                );
                (ValueKind::String, definition)
            }
        }
    }

    fn template(&self, full: &str, name: &str, kind: ValueKind) -> Option<Map<String, Json>> {
        let template = self
            .schema
            .mapping
            .templates()
            .iter()
            .find(|template| template.matches(full, name, kind))?;
        Some(template.definition(name, kind))
    }

    fn add_new(
        &mut self,
        full: &str,
        definition: Map<String, Json>,
        type_name: &'static str,
    ) -> Result<(), DocumentError> {
        if let Some((_, earlier)) = self.new_nodes.get(full) {
            if *earlier != type_name {
                return Err(DocumentError::new(
                    "illegal_argument_exception",
                    format!(
                        "mapper [{full}] cannot be changed from type [{type_name}] to [{earlier}]"
                    ),
                ));
            }
            return Ok(());
        }
        self.new_nodes
            .insert(full.to_owned(), (Json::Object(definition), type_name));
        Ok(())
    }

    fn finish(
        mut self,
        routing: Option<&str>,
        source: Bytes,
    ) -> Result<ParsedDocument, DocumentError> {
        let mut names = FieldBuilder::new(Arc::from("_field_names"), META_SPEC);
        for field in &self.fields {
            if field.needs_name() {
                names.add_term(field.path().as_bytes());
            }
        }
        if routing.is_some() {
            names.add_term(b"_routing");
        }
        let mut ignored = FieldBuilder::new(
            Arc::from("_ignored"),
            FieldSpec {
                stored: true,
                ..META_SPEC
            },
        );
        for path in &self.ignored {
            ignored.add_term(path.as_bytes());
            ignored.store(StoredValue::Str(path.clone()));
        }
        self.fields.push(names);
        self.fields.push(ignored);
        let mut fields: Vec<_> = self
            .fields
            .into_iter()
            .filter(FieldBuilder::has_values)
            .map(FieldBuilder::finish)
            .collect();
        fields.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(ParsedDocument {
            id: self.id.to_owned(),
            routing: routing.map(str::to_owned),
            source,
            fields,
            mapping_update: mapping_update(self.new_nodes),
        })
    }
}

/// What `_field_names` and `_ignored` build.
const META_SPEC: FieldSpec = FieldSpec {
    index: IndexOptions::Docs,
    norms: false,
    column: ColumnKind::None,
    points: false,
    stored: false,
};

/// The format by which a text is a date.
fn detect_date<'a>(mapping: &'a Mapping, text: &str) -> Option<&'a str> {
    let formats = match &mapping.options.dynamic_date_formats {
        Some(formats) => formats.as_slice(),
        None => default_formats(),
    };
    formats
        .iter()
        .find(|format| format.parse_instant(text, false, None).is_ok())
        .map(DateFormat::text)
}

/// The formats that new date fields are recognised by.
fn default_formats() -> &'static [DateFormat] {
    static FORMATS: OnceLock<[DateFormat; 2]> = OnceLock::new();
    FORMATS.get_or_init(|| {
        [
            DEFAULT_FORMAT,
            "yyyy/MM/dd HH:mm:ss||yyyy/MM/dd||epoch_millis",
        ]
        .map(|format| {
            DateFormat::parse(format)
                .expect("the two formats are constants that the dynamic mapping tests parse")
        })
    })
}

/// New nodes as a mapping, nested as their paths say.
fn mapping_update(new_nodes: BTreeMap<String, (Json, &'static str)>) -> Option<Json> {
    if new_nodes.is_empty() {
        return None;
    }
    let mut root = Map::new();
    for (path, (definition, _)) in new_nodes {
        let parts: Vec<&str> = path.split('.').collect();
        place(&mut root, &parts, definition);
    }
    Some(Json::Object(root))
}

/// Puts a definition below an object's `properties`.
fn place(object: &mut Map<String, Json>, parts: &[&str], definition: Json) {
    let Some((first, rest)) = parts.split_first() else {
        return;
    };
    let properties = object
        .entry("properties".to_owned())
        .or_insert_with(|| json!({}));
    let Json::Object(properties) = properties else {
        return;
    };
    let child = properties
        .entry((*first).to_owned())
        .or_insert_with(|| json!({}));
    let Json::Object(child) = child else {
        return;
    };
    if !rest.is_empty() {
        place(child, rest, definition);
    } else if let Json::Object(definition) = definition {
        child.extend(definition);
    }
}

/// The parts of a dotted name.
fn split_path(name: &str) -> Result<Vec<&str>, DocumentError> {
    let parts: Vec<&str> = name.split('.').collect();
    if parts.iter().all(|part| part.is_empty()) {
        return Err(failed(ValueError::illegal(
            "field name cannot contain only the character [.]",
        )));
    }
    for part in &parts {
        if part.is_empty() {
            return Err(failed(ValueError::illegal(format!(
                "object field starting or ending with a [.] makes object resolution ambiguous: [{name}]"
            ))));
        }
        if part.trim().is_empty() {
            return Err(failed(ValueError::illegal(format!(
                "object field cannot contain only whitespace: ['{name}']"
            ))));
        }
    }
    Ok(parts)
}

fn not_an_object(whole: &str, existing: &str, type_name: &str) -> DocumentError {
    DocumentError::mapper_parsing(format!(
        "Could not dynamically add mapping for field [{whole}]. Existing mapping for [{existing}] must be of type object but found [{type_name}]."
    ))
}

fn strict(dynamic: Dynamic, path: &str, name: &str) -> DocumentError {
    let within = if path.is_empty() { "_doc" } else { path };
    DocumentError::new(
        "strict_dynamic_mapping_exception",
        format!(
            "mapping set to {}, dynamic introduction of [{name}] within [{within}] is not allowed",
            dynamic.name()
        ),
    )
}

/// An error that the reference wraps in "failed to parse".
fn failed(cause: ValueError) -> DocumentError {
    DocumentError::mapper_parsing("failed to parse").caused_by(DocumentError::from(cause))
}

fn schema_failed(error: SchemaError) -> DocumentError {
    let mut cause = DocumentError::new(error.kind, error.reason);
    if let Some(below) = error.caused_by {
        cause = cause.caused_by(DocumentError::new(below.kind, below.reason));
    }
    if cause.kind == "mapper_parsing_exception" {
        return cause;
    }
    DocumentError::mapper_parsing("failed to parse").caused_by(cause)
}

impl From<ValueError> for DocumentError {
    fn from(error: ValueError) -> DocumentError {
        let converted = DocumentError::new(error.kind, error.reason);
        match error.caused_by {
            Some(cause) => converted.caused_by(DocumentError::from(*cause)),
            None => converted,
        }
    }
}
