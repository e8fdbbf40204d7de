//! A mapping from its JSON.

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::context::BuildContext;
use super::dates::DateFormat;
use super::dynamic::{Dynamic, DynamicTemplate};
use super::field_build::{java_class, parse_field};
use super::mapping::{Mapping, Node, ObjectNode, RootOptions, SourceOptions, join};
use super::params::{bool_value, text_value};
use super::{SchemaError, types};

/// Reads a whole mapping; limits and aliases are checked by [`validate`].
pub(super) fn parse_mapping(
    context: BuildContext<'_>,
    json: &Json,
) -> Result<Mapping, SchemaError> {
    let empty = Map::new();
    let object = match json {
        Json::Object(object) => object,
        Json::Null => &empty,
        _ => {
            return Err(SchemaError::mapper(
                "Malformed mapping definition, an object is expected",
            ));
        }
    };
    if object.len() == 1 && object.contains_key("_doc") {
        return Err(SchemaError::illegal(
            "The mapping definition cannot be nested under a type",
        ));
    }
    let mut root = ObjectNode::default();
    let mut options = RootOptions::default();
    let mut unknown = Vec::new();
    for (key, value) in object {
        if !root_option(&mut options, key, value)?
            && !object_option(context, "", &mut root, key, value)?
        {
            unknown.push((key, value));
        }
    }
    if !unknown.is_empty() {
        return Err(SchemaError::mapper(format!(
            "Root mapping definition has unsupported parameters: {}",
            shown_params(&unknown)
        )));
    }
    Ok(Mapping::new(root, options))
}

/// ` [name : value]` for each parameter.
fn shown_params(params: &[(&String, &Json)]) -> String {
    params
        .iter()
        .map(|(key, value)| format!(" [{key} : {}]", java_text(value)))
        .collect()
}

/// A JSON value as Java prints it.
fn java_text(value: &Json) -> String {
    match value {
        Json::Array(items) => {
            let items: Vec<String> = items.iter().map(java_text).collect();
            format!("[{}]", items.join(", "))
        }
        Json::Object(entries) => {
            let entries: Vec<String> = entries
                .iter()
                .map(|(key, value)| format!("{key}={}", java_text(value)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
        other => text_value(other),
    }
}

/// Reads what may stand at the root alone; `false` when the key is no such thing.
fn root_option(options: &mut RootOptions, key: &str, value: &Json) -> Result<bool, SchemaError> {
    match key {
        "date_detection" => options.date_detection = Some(bool_value(value)?),
        "numeric_detection" => options.numeric_detection = Some(bool_value(value)?),
        "dynamic_date_formats" | "date_formats" => {
            let texts: Vec<String> = match value {
                Json::Array(items) => items.iter().map(text_value).collect(),
                other => vec![text_value(other)],
            };
            let mut formats = Vec::new();
            for text in texts.iter().filter(|text| *text != "none") {
                if text.starts_with("epoch_") {
                    return Err(SchemaError::mapper(format!(
                        "Epoch [{text}] not supported as dynamic date format"
                    )));
                }
                formats.push(
                    DateFormat::parse(text).map_err(|error| SchemaError::illegal(error.reason))?,
                );
            }
            options.dynamic_date_formats = Some(formats);
        }
        "dynamic_templates" => {
            let templates = DynamicTemplate::parse_all(value)?;
            options.templates = Some(templates.into_iter().map(Arc::new).collect());
        }
        "_meta" => options.meta = Some(value.clone()),
        "_source" => options.source = Some(parse_source(value)?),
        "_routing" => {
            options.routing_required = Some(single_flag("_routing", "required", value)?);
        }
        "_data_stream_timestamp" => {
            options.data_stream_timestamp =
                Some(single_flag("_data_stream_timestamp", "enabled", value)?);
        }
        "_field_names" => {
            // Kept for old mappings: turning it off was never of use.
            return Err(SchemaError::mapper(
                "The `enabled` setting for the `_field_names` field has been deprecated and removed. \
                 Please remove it from your mappings and templates.",
            ));
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn metadata_object<'a>(field: &str, value: &'a Json) -> Result<&'a Map<String, Json>, SchemaError> {
    value.as_object().ok_or_else(|| {
        SchemaError::mapper(format!(
            "[{field}] must be an object, got {}",
            text_value(value)
        ))
    })
}

fn unknown_parameter(field: &str, key: &str) -> SchemaError {
    SchemaError::mapper(format!(
        "unknown parameter [{key}] on metadata field [{field}]"
    ))
}

fn single_flag(field: &str, flag: &str, value: &Json) -> Result<bool, SchemaError> {
    let mut on = false;
    for (key, value) in metadata_object(field, value)? {
        if key != flag {
            return Err(unknown_parameter(field, key));
        }
        on = bool_value(value)?;
    }
    Ok(on)
}

fn parse_source(value: &Json) -> Result<SourceOptions, SchemaError> {
    let mut source = SourceOptions {
        enabled: true,
        includes: Vec::new(),
        excludes: Vec::new(),
    };
    let texts = |value: &Json| match value {
        Json::Array(items) => items.iter().map(text_value).collect(),
        other => vec![text_value(other)],
    };
    for (key, value) in metadata_object("_source", value)? {
        match key.as_str() {
            "enabled" => source.enabled = bool_value(value)?,
            "includes" => source.includes = texts(value),
            "excludes" => source.excludes = texts(value),
            _ => return Err(unknown_parameter("_source", key)),
        }
    }
    Ok(source)
}

/// Reads what any object may have; `false` when the key is no such thing.
fn object_option(
    context: BuildContext<'_>,
    path: &str,
    object: &mut ObjectNode,
    key: &str,
    value: &Json,
) -> Result<bool, SchemaError> {
    match key {
        "dynamic" => object.dynamic = Some(Dynamic::parse(value)?),
        "enabled" => object.enabled = Some(bool_value(value)?),
        "properties" => match value {
            Json::Object(properties) => parse_properties(context, path, object, properties)?,
            Json::Array(items) if items.is_empty() => {}
            _ => {
                return Err(SchemaError::new(
                    "parse_exception",
                    "properties must be a map type",
                ));
            }
        },
        _ => return Ok(false),
    }
    Ok(true)
}

fn parse_properties(
    context: BuildContext<'_>,
    prefix: &str,
    object: &mut ObjectNode,
    properties: &Map<String, Json>,
) -> Result<(), SchemaError> {
    for (name, definition) in properties {
        let parts: Vec<&str> = name.split('.').collect();
        if name.is_empty() {
            return Err(SchemaError::illegal("name cannot be empty string"));
        }
        if parts.iter().any(|part| part.trim().is_empty()) {
            return Err(SchemaError::mapper(format!("Invalid field name {name}")));
        }
        let definition = match definition {
            Json::Object(definition) => definition,
            Json::Array(items) if items.is_empty() => continue,
            other => {
                return Err(SchemaError::mapper(format!(
                    "Expected map for property [fields] on field [{name}] but got a {}",
                    java_class(other)
                )));
            }
        };
        let path = join(prefix, name);
        check_depth(context, &path)?;
        let node = parse_node(context, &path, definition)?;
        insert(object, prefix, &parts, node)?;
    }
    Ok(())
}

/// Refuses a path that leads through more objects than the index allows, before anything is built along it.
pub(crate) fn check_depth(context: BuildContext<'_>, path: &str) -> Result<(), SchemaError> {
    let limit = context.settings.depth_limit;
    // The root is the first level, the field is none: its objects end at the last dot that is within the limit.
    match path.match_indices('.').nth(limit - 1) {
        None => Ok(()),
        Some((end, _)) => Err(too_deep(limit, &path[..end])),
    }
}

fn too_deep(limit: usize, object: &str) -> SchemaError {
    SchemaError::illegal(format!(
        "Limit of mapping depth [{limit}] has been exceeded due to object field [{object}]"
    ))
}

/// Puts a node below an object, making the objects on its way; one already there is merged.
fn insert(
    object: &mut ObjectNode,
    prefix: &str,
    parts: &[&str],
    node: Node,
) -> Result<(), SchemaError> {
    let Some((first, rest)) = parts.split_first() else {
        return Ok(());
    };
    let path = join(prefix, first);
    if rest.is_empty() {
        match (object.children.get_mut(*first), node) {
            (Some(Node::Object(old)), Node::Object(new)) => {
                old.dynamic = new.dynamic.or(old.dynamic);
                old.enabled = new.enabled.or(old.enabled);
                for (name, node) in new.children {
                    insert(old, &path, &[&name], node)?;
                }
            }
            (Some(_), _) => {
                return Err(SchemaError::illegal(format!(
                    "Field [{path}] is defined more than once"
                )));
            }
            (None, node) => {
                object.children.insert((*first).to_owned(), node);
            }
        }
        return Ok(());
    }
    let child = object
        .children
        .entry((*first).to_owned())
        .or_insert_with(|| Node::Object(ObjectNode::default()));
    match child {
        Node::Object(child) => insert(child, &path, rest, node),
        _ => Err(SchemaError::illegal(format!(
            "can't merge a non object mapping [{path}] with an object mapping"
        ))),
    }
}

/// Reads the definition of one name: object, alias or field.
pub(crate) fn parse_node(
    context: BuildContext<'_>,
    path: &str,
    definition: &Map<String, Json>,
) -> Result<Node, SchemaError> {
    let name = path.rsplit('.').next().unwrap_or(path);
    let kind = match definition.get("type") {
        Some(kind) => text_value(kind),
        None if definition.contains_key("properties") => "object".to_owned(),
        None if definition.len() == 1 && definition.contains_key("enabled") => "object".to_owned(),
        None => {
            return Err(SchemaError::mapper(format!(
                "No type specified for field [{name}]"
            )));
        }
    };
    match kind.as_str() {
        "object" => {
            let mut object = ObjectNode::default();
            let mut unknown = Vec::new();
            for (key, value) in definition {
                if key != "type" && !object_option(context, path, &mut object, key, value)? {
                    unknown.push((key, value));
                }
            }
            if !unknown.is_empty() {
                return Err(SchemaError::mapper(format!(
                    "Mapping definition for [{name}] has unsupported parameters: {}",
                    shown_params(&unknown)
                )));
            }
            Ok(Node::Object(object))
        }
        "alias" => {
            let mut target = None;
            let mut unknown = Vec::new();
            for (key, value) in definition {
                match key.as_str() {
                    "type" => {}
                    "path" => target = Some(text_value(value)),
                    _ => unknown.push((key, value)),
                }
            }
            if !unknown.is_empty() {
                return Err(SchemaError::mapper(format!(
                    "Mapping definition for [{name}] has unsupported parameters: {}",
                    shown_params(&unknown)
                )));
            }
            match target.filter(|target| !target.is_empty()) {
                Some(target) => Ok(Node::Alias(target)),
                None => Err(SchemaError::mapper(format!(
                    "The [path] property must be specified for field [{name}]."
                ))),
            }
        }
        kind => match types::find(kind) {
            Some(ops) => {
                let field = parse_field(context, path, ops, definition, false)?;
                Ok(Node::Field(Arc::new(field)))
            }
            None => Err(SchemaError::mapper(format!(
                "No handler for type [{kind}] declared on field [{name}]"
            ))),
        },
    }
}

/// Refuses a template of which no field can come, whatever the kind of value.
fn check_template(
    context: BuildContext<'_>,
    template: &DynamicTemplate,
) -> Result<(), SchemaError> {
    if !template.is_checkable() {
        return Ok(());
    }
    let mut last = None;
    for kind in template.kinds() {
        let definition = template.definition("__dummy__", kind);
        match parse_node(context, "__dummy__", &definition) {
            Ok(_) => return Ok(()),
            Err(error) => last = Some(error),
        }
    }
    let error = SchemaError::illegal(format!(
        "dynamic template [{}] has invalid content [{}]",
        template.name(),
        template.content()
    ));
    Err(match last {
        Some(cause) => error.caused_by(cause),
        None => error,
    })
}

/// Checks aliases, `copy_to`, dynamic templates and limits of a complete mapping.
pub(super) fn validate(context: BuildContext<'_>, mapping: &Mapping) -> Result<(), SchemaError> {
    for template in mapping.templates() {
        check_template(context, template)?;
    }
    let settings = context.settings;
    if mapping.total_fields() > settings.total_fields_limit {
        return Err(SchemaError::illegal(format!(
            "Limit of total fields [{}] has been exceeded",
            settings.total_fields_limit
        )));
    }
    for path in mapping.objects() {
        // The root is the first level.
        if path.split('.').count() + 1 > settings.depth_limit {
            return Err(too_deep(settings.depth_limit, path));
        }
    }
    let too_long = |path: &str| {
        let name = path.rsplit('.').next().unwrap_or(path);
        (name.encode_utf16().count() > settings.field_name_length_limit).then(|| name.to_owned())
    };
    let names = mapping.fields().map(|(path, _)| path);
    if let Some(name) = names.chain(mapping.objects()).find_map(too_long) {
        return Err(SchemaError::illegal(format!(
            "Field name [{name}] is longer than the limit of [{}] characters",
            settings.field_name_length_limit
        )));
    }
    for (alias, target) in mapping.alias_targets() {
        let invalid = |why: &str| {
            SchemaError::mapper(format!(
                "Invalid [path] value [{target}] for field alias [{alias}]: {why}"
            ))
        };
        if alias == target {
            return Err(invalid("an alias cannot refer to itself."));
        }
        if mapping.is_alias(target) {
            return Err(invalid("an alias cannot refer to another alias."));
        }
        if !mapping.has_own_field(target) {
            return Err(invalid(
                "an alias must refer to an existing field in the mappings.",
            ));
        }
    }
    for (_, field) in mapping.fields() {
        for target in &field.copy_to {
            if mapping.is_object(target) {
                return Err(SchemaError::illegal(format!(
                    "Cannot copy to field [{target}] since it is mapped as an object"
                )));
            }
            if mapping.is_multi_field(target) {
                return Err(SchemaError::illegal(format!(
                    "[copy_to] may not be used to copy to a multi-field: [{target}]"
                )));
            }
        }
    }
    Ok(())
}
