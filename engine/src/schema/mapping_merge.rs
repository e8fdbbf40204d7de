//! The merge of a mapping with an update.

use std::sync::Arc;

use super::context::BuildContext;
use super::field_build::merge_field;
use super::mapping::{Mapping, Node, ObjectNode, RootOptions, SourceOptions, join};
use super::{SchemaError, UpdateReason};

/// The mapping after an update.
pub(super) fn merge(
    context: BuildContext<'_>,
    old: &Mapping,
    update: &Mapping,
    reason: UpdateReason,
) -> Result<Mapping, SchemaError> {
    let mut root = old.root.clone();
    merge_object(context, "", &mut root, &update.root, reason)?;
    let options = merge_options(&old.options, &update.options)?;
    Ok(Mapping::new(root, options))
}

fn merge_object(
    context: BuildContext<'_>,
    path: &str,
    old: &mut ObjectNode,
    update: &ObjectNode,
    reason: UpdateReason,
) -> Result<(), SchemaError> {
    if let Some(enabled) = update.enabled
        && enabled != old.is_enabled()
    {
        let shown = if path.is_empty() { "_doc" } else { path };
        return Err(SchemaError::new(
            "mapper_exception",
            format!("the [enabled] parameter can't be updated for the object mapping [{shown}]"),
        ));
    }
    // A document's new fields never carry settings of objects that exist.
    if reason == UpdateReason::Put && update.dynamic.is_some() {
        old.dynamic = update.dynamic;
    }
    for (name, node) in &update.children {
        let child_path = join(path, name);
        match (old.children.get_mut(name), node) {
            (None, node) => {
                old.children.insert(name.clone(), node.clone());
            }
            (Some(Node::Object(old)), Node::Object(update)) => {
                merge_object(context, &child_path, old, update, reason)?;
            }
            (Some(Node::Field(old)), Node::Field(update)) => {
                *old = Arc::new(merge_field(context, old, update)?);
            }
            (Some(Node::Alias(old)), Node::Alias(update)) => old.clone_from(update),
            (Some(Node::Object(_)), _) => {
                return Err(SchemaError::illegal(format!(
                    "can't merge a non object mapping [{child_path}] with an object mapping"
                )));
            }
            (Some(Node::Field(old)), other) => {
                return Err(SchemaError::illegal(format!(
                    "mapper [{child_path}] cannot be changed from type [{}] to [{}]",
                    old.type_name(),
                    if matches!(other, Node::Object(_)) {
                        "ObjectMapper"
                    } else {
                        "FieldAliasMapper"
                    }
                )));
            }
            (Some(Node::Alias(_)), _) => {
                return Err(SchemaError::illegal(format!(
                    "Cannot merge a field alias mapping [{child_path}] with a mapping that is not for a field alias."
                )));
            }
        }
    }
    Ok(())
}

fn merge_options(old: &RootOptions, update: &RootOptions) -> Result<RootOptions, SchemaError> {
    let conflict = |field: &str, param: &str, from: String, to: String| {
        SchemaError::illegal(format!(
            "Mapper for [{field}] conflicts with existing mapper:\n\tCannot update parameter [{param}] from [{from}] to [{to}]"
        ))
    };
    if let Some(new) = &update.source {
        let default = SourceOptions {
            enabled: true,
            includes: Vec::new(),
            excludes: Vec::new(),
        };
        let old = old.source.as_ref().unwrap_or(&default);
        if old.enabled != new.enabled {
            return Err(conflict(
                "_source",
                "enabled",
                old.enabled.to_string(),
                new.enabled.to_string(),
            ));
        }
        let shown = |list: &[String]| format!("[{}]", list.join(", "));
        if old.includes != new.includes {
            return Err(conflict(
                "_source",
                "includes",
                shown(&old.includes),
                shown(&new.includes),
            ));
        }
        if old.excludes != new.excludes {
            return Err(conflict(
                "_source",
                "excludes",
                shown(&old.excludes),
                shown(&new.excludes),
            ));
        }
    }
    if let Some(new) = update.routing_required {
        let old = old.routing_required.unwrap_or(false);
        if old != new {
            return Err(conflict(
                "_routing",
                "required",
                old.to_string(),
                new.to_string(),
            ));
        }
    }
    let mut templates = old.templates.clone();
    if let Some(new) = &update.templates {
        let merged = templates.get_or_insert_default();
        for template in new {
            match merged.iter_mut().find(|t| t.name() == template.name()) {
                Some(slot) => *slot = Arc::clone(template),
                None => merged.push(Arc::clone(template)),
            }
        }
    }
    Ok(RootOptions {
        date_detection: update.date_detection.or(old.date_detection),
        numeric_detection: update.numeric_detection.or(old.numeric_detection),
        dynamic_date_formats: update
            .dynamic_date_formats
            .clone()
            .or_else(|| old.dynamic_date_formats.clone()),
        templates,
        source: update.source.clone().or_else(|| old.source.clone()),
        routing_required: update.routing_required.or(old.routing_required),
        meta: update.meta.clone().or_else(|| old.meta.clone()),
        data_stream_timestamp: update.data_stream_timestamp.or(old.data_stream_timestamp),
    })
}
