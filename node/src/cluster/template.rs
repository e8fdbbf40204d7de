//! Templates: what new indices take over by their name.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::index_metadata::AliasMetadata;

/// Settings, mapping and aliases that a template brings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateBody {
    /// Flat settings, `index.*`; lists as `key.0`, `key.1`.
    pub settings: Option<BTreeMap<String, String>>,
    /// Mapping as given (`{"properties": …}`).
    pub mappings: Option<Value>,
    /// Aliases by name.
    pub aliases: Option<BTreeMap<String, AliasMetadata>>,
}

/// A composable index template (`_index_template`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndexTemplate {
    /// Names it is for; `*` matches any text.
    pub index_patterns: Vec<String>,
    /// What it brings itself; wins over its components.
    pub template: Option<TemplateBody>,
    /// Component templates, in order; the later wins.
    pub composed_of: Vec<String>,
    /// The highest wins; absent counts as 0.
    pub priority: Option<i64>,
    /// The user's own version number.
    pub version: Option<i64>,
    /// The user's own data.
    pub meta: Option<Map<String, Value>>,
}

/// A part of index templates (`_component_template`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComponentTemplate {
    /// What it brings.
    pub template: TemplateBody,
    /// The user's own version number.
    pub version: Option<i64>,
    /// The user's own data.
    pub meta: Option<Map<String, Value>>,
}

/// A template of the older kind (`_template`): all that match apply, by order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LegacyTemplate {
    /// Names it is for; `*` matches any text.
    pub index_patterns: Vec<String>,
    /// The higher is applied later and wins.
    pub order: i32,
    /// The user's own version number.
    pub version: Option<i64>,
    /// What it brings.
    pub body: TemplateBody,
}
