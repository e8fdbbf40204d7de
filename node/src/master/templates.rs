//! Templates: storing them, and composing what they bring to an index.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::command::CommandError;
use super::create_index::{replace_settings, schema_of, validation_failed};
use super::event::Event;
use crate::cluster::ClusterState;
use crate::cluster::error::StateError;
use crate::cluster::index_metadata::AliasMetadata;
use crate::cluster::index_settings;
use crate::cluster::names::{
    NAME_BYTES_MAX, matches_pattern, patterns_compete, validate_alias_name,
};
use crate::cluster::template::{ComponentTemplate, IndexTemplate, LegacyTemplate, TemplateBody};

/// What templates bring to an index.
#[derive(Clone, Debug, Default)]
pub struct Composed {
    /// Flat settings.
    pub settings: BTreeMap<String, String>,
    /// Merged mapping.
    pub mapping: Value,
    /// Aliases by name; `{index}` in a name stands for the index.
    pub aliases: BTreeMap<String, AliasMetadata>,
    /// Whether they came from templates of the older kind, whose mappings merge parameter by parameter.
    pub is_legacy: bool,
}

/// The composable template that an index of this name gets: the highest priority wins.
pub fn matching_index_template<'a>(
    state: &'a ClusterState,
    index: &str,
    is_hidden: bool,
) -> Option<(&'a str, &'a Arc<IndexTemplate>)> {
    let mut best: Option<(&str, &Arc<IndexTemplate>)> = None;
    for (name, template) in &state.index_templates {
        let matches = template
            .index_patterns
            .iter()
            .any(|pattern| matches_pattern(pattern, index) && !(is_hidden && pattern == "*"));
        let priority = template.priority.unwrap_or(0);
        if matches && best.is_none_or(|(_, known)| priority > known.priority.unwrap_or(0)) {
            best = Some((name, template));
        }
    }
    best
}

/// The older templates that an index of this name gets, the lowest order first.
pub fn matching_legacy_templates<'a>(
    state: &'a ClusterState,
    index: &str,
    is_hidden: bool,
) -> Vec<(&'a str, &'a Arc<LegacyTemplate>)> {
    let mut matching = Vec::new();
    for (name, template) in &state.legacy_templates {
        let matches = template
            .index_patterns
            .iter()
            .any(|pattern| matches_pattern(pattern, index) && !(is_hidden && pattern == "*"));
        if matches {
            matching.push((name.as_str(), template));
        }
    }
    matching.sort_by_key(|(_, template)| template.order);
    matching
}

/// What the templates of the state bring to an index of this name.
pub(super) fn composed_for(state: &ClusterState, index: &str, is_hidden: bool) -> Composed {
    if let Some((_, template)) = matching_index_template(state, index, is_hidden) {
        return compose(state, template);
    }
    let mut composed = Composed {
        is_legacy: true,
        mapping: json!({}),
        ..Composed::default()
    };
    for (_, template) in matching_legacy_templates(state, index, is_hidden) {
        add(&mut composed, &template.body);
    }
    composed
}

/// A composable template with its components.
pub fn compose(state: &ClusterState, template: &IndexTemplate) -> Composed {
    let mut composed = Composed {
        mapping: json!({}),
        ..Composed::default()
    };
    for name in &template.composed_of {
        if let Some(component) = state.component_templates.get(name) {
            add(&mut composed, &component.template);
        }
    }
    if let Some(body) = &template.template {
        add(&mut composed, body);
    }
    composed
}

fn add(composed: &mut Composed, body: &TemplateBody) {
    if let Some(settings) = &body.settings {
        replace_settings(&mut composed.settings, settings.clone());
    }
    if let Some(mapping) = &body.mappings {
        let merged = merge(composed.mapping.take(), mapping.clone(), composed.is_legacy);
        composed.mapping = merged;
    }
    for (name, alias) in body.aliases.iter().flatten() {
        composed.aliases.insert(name.clone(), alias.clone());
    }
}

/// A mapping over another one; the later wins.
///
/// * `by_parameter`: parameters of one field mix (older templates); else a field is replaced as a whole.
pub(super) fn merge_mappings(
    base: Value,
    later: Value,
    by_parameter: bool,
) -> Result<Value, CommandError> {
    if !later.is_object() {
        // The engine refuses it, in its own words.
        return Ok(later);
    }
    Ok(merge(base, later, by_parameter))
}

fn merge(base: Value, later: Value, by_parameter: bool) -> Value {
    let (Value::Object(mut base), Value::Object(later)) = (base, later.clone()) else {
        return later;
    };
    for (key, value) in later {
        let known = base.remove(&key);
        let merged = match (key.as_str(), known, value) {
            ("properties", Some(Value::Object(known)), Value::Object(value)) => {
                Value::Object(merge_properties(known, value, by_parameter))
            }
            ("dynamic_templates", Some(Value::Array(known)), Value::Array(value)) => {
                Value::Array(merge_dynamic_templates(known, value))
            }
            (_, Some(known @ Value::Object(_)), value @ Value::Object(_)) => {
                deep_merge(known, value)
            }
            (_, _, value) => value,
        };
        base.insert(key, merged);
    }
    Value::Object(base)
}

fn merge_properties(
    mut base: Map<String, Value>,
    later: Map<String, Value>,
    by_parameter: bool,
) -> Map<String, Value> {
    for (field, value) in later {
        let known = base.remove(&field);
        let merged = match (known, value) {
            (Some(known @ Value::Object(_)), value @ Value::Object(_)) => {
                let both_objects =
                    known.get("properties").is_some() && value.get("properties").is_some();
                if both_objects {
                    merge(known, value, by_parameter)
                } else if by_parameter {
                    deep_merge(known, value)
                } else {
                    value
                }
            }
            (_, value) => value,
        };
        base.insert(field, merged);
    }
    base
}

fn merge_dynamic_templates(base: Vec<Value>, later: Vec<Value>) -> Vec<Value> {
    let name =
        |template: &Value| -> Option<String> { template.as_object()?.keys().next().cloned() };
    let mut merged = Vec::new();
    for template in base {
        let replaced = later
            .iter()
            .any(|other| name(other).is_some() && name(other) == name(&template));
        if !replaced {
            merged.push(template);
        }
    }
    merged.extend(later);
    merged
}

fn deep_merge(base: Value, later: Value) -> Value {
    let (Value::Object(mut base), Value::Object(later)) = (base, later.clone()) else {
        return later;
    };
    for (key, value) in later {
        let merged = match base.remove(&key) {
            Some(known) => deep_merge(known, value),
            None => value,
        };
        base.insert(key, merged);
    }
    Value::Object(base)
}

/// Decides on storing a composable template.
pub(super) fn put_index_template(
    state: &ClusterState,
    name: String,
    template: IndexTemplate,
    create: bool,
) -> Result<Vec<Event>, CommandError> {
    if create && state.index_templates.contains_key(&name) {
        return Err(StateError::illegal_argument(format!(
            "index template [{name}] already exists"
        )));
    }
    validate(
        &name,
        Some(&template.index_patterns),
        template.template.as_ref(),
    )?;
    let mut missing: Vec<&str> = Vec::new();
    for component in &template.composed_of {
        if !state.component_templates.contains_key(component) {
            missing.push(component);
        }
    }
    if !missing.is_empty() {
        return Err(invalid(
            &name,
            &format!(
                "index template [{name}] specifies component templates [{}] that do not exist",
                missing.join(", ")
            ),
        ));
    }
    if template.priority.is_some_and(|priority| priority < 0) {
        return Err(invalid(&name, "index template priority must be >= 0"));
    }
    check_overlap(state, &name, &template)?;
    check_composed(&name, &compose(state, &template))?;
    Ok(vec![Event::IndexTemplatePut {
        name,
        template: Arc::new(template),
    }])
}

/// No two composable templates of one priority may be for the same index.
fn check_overlap(
    state: &ClusterState,
    name: &str,
    template: &IndexTemplate,
) -> Result<(), CommandError> {
    let priority = template.priority.unwrap_or(0);
    let mut overlapping: Vec<(&str, &[String])> = Vec::new();
    for (other_name, other) in &state.index_templates {
        if other_name == name || other.priority.unwrap_or(0) != priority {
            continue;
        }
        let overlaps = other.index_patterns.iter().any(|theirs| {
            template
                .index_patterns
                .iter()
                .any(|ours| patterns_compete(ours, theirs))
        });
        if overlaps {
            overlapping.push((other_name, &other.index_patterns));
        }
    }
    if overlapping.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = overlapping.iter().map(|(name, _)| *name).collect();
    let patterns: Vec<String> = overlapping
        .iter()
        .map(|(name, patterns)| format!("{name} => [{}]", patterns.join(", ")))
        .collect();
    Err(StateError::illegal_argument(format!(
        "index template [{name}] has index patterns [{}] matching patterns from existing templates [{}] with patterns ({}) that have the same priority [{priority}], multiple index templates may not match during index creation, please use a different priority",
        template.index_patterns.join(", "),
        names.join(", "),
        patterns.join(", ")
    )))
}

/// Decides on storing a component template.
pub(super) fn put_component_template(
    state: &ClusterState,
    name: String,
    template: ComponentTemplate,
    create: bool,
) -> Result<Vec<Event>, CommandError> {
    if create && state.component_templates.contains_key(&name) {
        return Err(StateError::illegal_argument(format!(
            "component template [{name}] already exists"
        )));
    }
    validate(&name, None, Some(&template.template))?;
    let mut alone = Composed {
        mapping: json!({}),
        ..Composed::default()
    };
    add(&mut alone, &template.template);
    check_composed(&name, &alone)?;
    // What is composed of it has to stay sound.
    let mut after = state.clone();
    after
        .component_templates
        .insert(name.clone(), Arc::new(template.clone()));
    for (user, index_template) in &state.index_templates {
        if index_template.composed_of.contains(&name) {
            check_composed(user, &compose(&after, index_template)).map_err(|cause| {
                StateError::illegal_argument(format!(
                    "updating component template [{name}] results in invalid composable template [{user}] after templates are merged"
                ))
                .caused_by(cause)
            })?;
        }
    }
    Ok(vec![Event::ComponentTemplatePut {
        name,
        template: Arc::new(template),
    }])
}

/// Decides on storing a template of the older kind.
pub(super) fn put_legacy_template(
    state: &ClusterState,
    name: String,
    template: LegacyTemplate,
    create: bool,
) -> Result<Vec<Event>, CommandError> {
    if create && state.legacy_templates.contains_key(&name) {
        return Err(StateError::illegal_argument(format!(
            "index_template [{name}] already exists"
        )));
    }
    validate(&name, Some(&template.index_patterns), Some(&template.body))?;
    let mut alone = Composed {
        mapping: json!({}),
        is_legacy: true,
        ..Composed::default()
    };
    add(&mut alone, &template.body);
    check_composed(&name, &alone)?;
    Ok(vec![Event::LegacyTemplatePut {
        name,
        template: Arc::new(template),
    }])
}

/// Whether an index could be made of what a template brings.
fn check_composed(_name: &str, composed: &Composed) -> Result<(), CommandError> {
    schema_of(&composed.mapping, &composed.settings).map(|_| ())
}

fn invalid(name: &str, why: &str) -> CommandError {
    StateError::new(
        400,
        "invalid_index_template_exception",
        format!("index_template [{name}] invalid, cause [{why}]"),
    )
}

/// Bytes of all patterns of a template: each is compared with those of every other template.
const PATTERNS_BYTES_MAX: usize = 16 << 10;

/// Checks name, patterns and settings of a template, in the reference's words.
fn validate(
    name: &str,
    patterns: Option<&[String]>,
    body: Option<&TemplateBody>,
) -> Result<(), CommandError> {
    const FORBIDDEN: [char; 9] = ['\\', '/', '?', '"', '<', '>', '|', ' ', ','];
    let mut errors: Vec<String> = Vec::new();
    for (sign, word) in [
        (' ', "a space"),
        (',', "a ','"),
        ('#', "a '#'"),
        ('*', "a '*'"),
    ] {
        if name.contains(sign) {
            errors.push(format!("name must not contain {word}"));
        }
    }
    if name.starts_with('_') {
        errors.push("name must not start with '_'".to_owned());
    }
    if name.to_lowercase() != name {
        errors.push("name must be lower cased".to_owned());
    }
    let patterns = patterns.unwrap_or_default();
    if patterns.iter().map(String::len).sum::<usize>() > PATTERNS_BYTES_MAX {
        errors.push(format!(
            "index_patterns have more than {PATTERNS_BYTES_MAX} bytes in all"
        ));
    }
    for pattern in patterns {
        if pattern.len() > NAME_BYTES_MAX {
            errors.push(format!(
                "an index_pattern is too long, ({} > {NAME_BYTES_MAX})",
                pattern.len()
            ));
            continue;
        }
        for (sign, word) in [
            (' ', "a space"),
            (',', "a ','"),
            ('#', "a '#'"),
            (':', "a ':'"),
        ] {
            if pattern.contains(sign) {
                errors.push(format!(
                    "index_patterns [{pattern}] must not contain {word}"
                ));
            }
        }
        if pattern.starts_with('_') {
            errors.push(format!("index_pattern [{pattern}] must not start with '_'"));
        }
        if pattern.contains(FORBIDDEN) {
            errors.push(format!(
                "index_pattern [{pattern}] must not contain the following characters [ , \", *, \\, <, |, ,, >, /, ?]"
            ));
        }
    }
    if let Some(settings) = body.and_then(|body| body.settings.as_ref())
        && let Err(refused) = index_settings::validate(settings, true)
    {
        errors.push(refused.reason);
    }
    if !errors.is_empty() {
        return Err(invalid(name, &validation_failed(&errors).reason));
    }
    for alias in body
        .and_then(|body| body.aliases.as_ref())
        .iter()
        .flat_map(|aliases| aliases.keys())
    {
        validate_alias_name(&alias.replace("{index}", "index"))?;
    }
    Ok(())
}

/// Decides on removing composable templates.
pub(super) fn delete_index_templates(
    state: &ClusterState,
    name: &str,
) -> Result<Vec<Event>, CommandError> {
    let names = chosen(state.index_templates.keys(), name)?;
    Ok(names
        .into_iter()
        .map(|name| Event::IndexTemplateRemoved { name })
        .collect())
}

/// Decides on removing templates of the older kind.
pub(super) fn delete_legacy_templates(
    state: &ClusterState,
    name: &str,
) -> Result<Vec<Event>, CommandError> {
    let names = chosen(state.legacy_templates.keys(), name)?;
    Ok(names
        .into_iter()
        .map(|name| Event::LegacyTemplateRemoved { name })
        .collect())
}

/// Decides on removing component templates.
pub(super) fn delete_component_templates(
    state: &ClusterState,
    name: &str,
) -> Result<Vec<Event>, CommandError> {
    let names = chosen(state.component_templates.keys(), name)?;
    let mut users: Vec<&str> = Vec::new();
    let mut used: Vec<&str> = Vec::new();
    for (user, template) in &state.index_templates {
        for component in &names {
            if template.composed_of.contains(component) {
                if !users.contains(&user.as_str()) {
                    users.push(user);
                }
                if !used.contains(&component.as_str()) {
                    used.push(component);
                }
            }
        }
    }
    if !users.is_empty() {
        return Err(StateError::illegal_argument(format!(
            "component templates [{}] cannot be removed as they are still in use by index templates [{}]",
            used.join(", "),
            users.join(", ")
        )));
    }
    Ok(names
        .into_iter()
        .map(|name| Event::ComponentTemplateRemoved { name })
        .collect())
}

/// Names that a name or pattern chooses; a pattern may choose none.
fn chosen<'a>(
    names: impl Iterator<Item = &'a String>,
    wanted: &str,
) -> Result<Vec<String>, CommandError> {
    let found: Vec<String> = names
        .filter(|name| matches_pattern(wanted, name))
        .cloned()
        .collect();
    if found.is_empty() && wanted != "*" {
        return Err(StateError::new(
            404,
            "index_template_missing_exception",
            format!("index_template [{wanted}] missing"),
        ));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_mappings_win_field_by_field() {
        let base = json!({"properties": {"a": {"type": "text", "store": true}, "o": {"properties": {"x": {"type": "long"}}}}});
        let later = json!({"dynamic": false, "properties": {"a": {"type": "keyword"}, "o": {"properties": {"y": {"type": "ip"}}}}});
        assert_eq!(
            merge(base.clone(), later.clone(), false),
            json!({"properties": {"a": {"type": "keyword"}, "o": {"properties": {"x": {"type": "long"}, "y": {"type": "ip"}}}}, "dynamic": false})
        );
        let mixed = merge(base, later, true);
        assert_eq!(
            mixed["properties"]["a"],
            json!({"store": true, "type": "keyword"})
        );
    }
}
