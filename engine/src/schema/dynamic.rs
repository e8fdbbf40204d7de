//! Dynamic mapping: what a new field of a document becomes.

use regex_automata::meta::Regex;
use serde_json::{Map, Value as Json, json};

use super::SchemaError;
use super::params::text_value;
use super::pattern::simple_match;

/// What happens to fields the mapping does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dynamic {
    /// They are added.
    True,
    /// They stay in `_source` alone.
    False,
    /// They are refused.
    Strict,
    /// They are added if a template matches, else refused.
    StrictAllowTemplates,
    /// They are added if a template matches, else stay in `_source` alone.
    FalseAllowTemplates,
}

impl Dynamic {
    /// As written in a mapping.
    pub fn parse(value: &Json) -> Result<Dynamic, SchemaError> {
        let text = text_value(value);
        match text.to_ascii_lowercase().as_str() {
            "strict" => Ok(Dynamic::Strict),
            "strict_allow_templates" => Ok(Dynamic::StrictAllowTemplates),
            "false_allow_templates" => Ok(Dynamic::FalseAllowTemplates),
            "true" => Ok(Dynamic::True),
            "false" => Ok(Dynamic::False),
            _ => Err(
                SchemaError::illegal("Could not convert [dynamic.dynamic] to boolean").caused_by(
                    SchemaError::illegal(format!(
                        "Failed to parse value [{text}] as only [true] or [false] are allowed."
                    )),
                ),
            ),
        }
    }

    /// As shown in a mapping.
    pub fn name(self) -> &'static str {
        match self {
            Dynamic::True => "true",
            Dynamic::False => "false",
            Dynamic::Strict => "strict",
            Dynamic::StrictAllowTemplates => "strict_allow_templates",
            Dynamic::FalseAllowTemplates => "false_allow_templates",
        }
    }
}

/// Kind of a JSON value, as templates name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ValueKind {
    Object,
    String,
    Long,
    Double,
    Boolean,
    Date,
    Binary,
}

impl ValueKind {
    const ALL: [(&'static str, ValueKind); 7] = [
        ("object", ValueKind::Object),
        ("string", ValueKind::String),
        ("long", ValueKind::Long),
        ("double", ValueKind::Double),
        ("boolean", ValueKind::Boolean),
        ("date", ValueKind::Date),
        ("binary", ValueKind::Binary),
    ];

    /// The field type it becomes where a template says none: also `{dynamic_type}`.
    pub fn default_type(self) -> &'static str {
        match self {
            ValueKind::Object => "object",
            ValueKind::String => "text",
            ValueKind::Long => "long",
            // As the reference names it in templates; without one it becomes `float`.
            ValueKind::Double => "float",
            ValueKind::Boolean => "boolean",
            ValueKind::Date => "date",
            ValueKind::Binary => "binary",
        }
    }
}

/// A rule for new fields.
#[derive(Debug)]
pub(crate) struct DynamicTemplate {
    name: String,
    /// As given, to show.
    definition: Map<String, Json>,
    matching: Vec<String>,
    unmatching: Vec<String>,
    path_matching: Vec<String>,
    path_unmatching: Vec<String>,
    kind: Option<ValueKind>,
    /// `match` and `unmatch` as regular expressions, if `match_pattern` says so.
    regexes: Option<(Vec<Regex>, Vec<Regex>)>,
    mapping: Map<String, Json>,
}

impl DynamicTemplate {
    /// Reads the list of a mapping.
    pub fn parse_all(value: &Json) -> Result<Vec<DynamicTemplate>, SchemaError> {
        let Json::Array(items) = value else {
            return Err(SchemaError::mapper(
                "Dynamic template syntax error. An array of named objects is expected.",
            ));
        };
        items.iter().map(DynamicTemplate::parse).collect()
    }

    fn parse(item: &Json) -> Result<DynamicTemplate, SchemaError> {
        let syntax = || SchemaError::mapper("A dynamic template must be defined with a name");
        let object = item.as_object().ok_or_else(syntax)?;
        if object.len() != 1 {
            return Err(syntax());
        }
        let (name, definition) = object.iter().next().ok_or_else(syntax)?;
        let Json::Object(definition) = definition else {
            return Err(syntax());
        };
        let mut template = DynamicTemplate {
            name: name.clone(),
            definition: definition.clone(),
            matching: Vec::new(),
            unmatching: Vec::new(),
            path_matching: Vec::new(),
            path_unmatching: Vec::new(),
            kind: None,
            regexes: None,
            mapping: Map::new(),
        };
        let mut any_kind = false;
        let mut is_regex = false;
        let mut has_mapping = false;
        for (key, value) in definition {
            match key.as_str() {
                "match" => template.matching = texts(value),
                "unmatch" => template.unmatching = texts(value),
                "path_match" => template.path_matching = texts(value),
                "path_unmatch" => template.path_unmatching = texts(value),
                "match_mapping_type" => {
                    let kind = text_value(value);
                    if kind == "*" {
                        any_kind = true;
                        continue;
                    }
                    let found = ValueKind::ALL.iter().find(|(name, _)| *name == kind);
                    let Some((_, found)) = found else {
                        return Err(SchemaError::illegal(format!(
                            "No field type matched on [{kind}], possible values are [object, string, long, double, boolean, date, binary]"
                        )));
                    };
                    template.kind = Some(*found);
                }
                "match_pattern" => match text_value(value).as_str() {
                    "simple" => {}
                    "regex" => is_regex = true,
                    other => {
                        return Err(SchemaError::illegal(format!(
                            "No matching pattern matched on [{other}]"
                        )));
                    }
                },
                "mapping" => {
                    has_mapping = true;
                    template.mapping = value.as_object().cloned().ok_or_else(|| {
                        SchemaError::mapper(format!(
                            "[mapping] of dynamic template [{name}] must be an object"
                        ))
                    })?;
                }
                other => {
                    return Err(SchemaError::illegal(format!(
                        "Illegal dynamic template parameter: [{other}]"
                    )));
                }
            }
        }
        if template.matching.is_empty()
            && template.path_matching.is_empty()
            && template.kind.is_none()
            && !any_kind
        {
            return Err(SchemaError::mapper(
                "template must have match, path_match or match_mapping_type set",
            ));
        }
        if !has_mapping {
            return Err(SchemaError::mapper("template must have mapping set"));
        }
        if is_regex {
            let compile = |patterns: &[String]| -> Result<Vec<Regex>, SchemaError> {
                patterns
                    .iter()
                    .map(|pattern| {
                        Regex::new(&format!("^(?:{pattern})$")).map_err(|_| {
                            SchemaError::illegal(format!(
                                "Pattern [{pattern}] of type [regex] is invalid. Cannot create dynamic template [{name}]."
                            ))
                        })
                    })
                    .collect()
            };
            template.regexes = Some((compile(&template.matching)?, compile(&template.unmatching)?));
        }
        Ok(template)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// As shown in a mapping.
    pub fn show(&self) -> Json {
        let mut out = Map::new();
        out.insert(self.name.clone(), Json::Object(self.definition.clone()));
        Json::Object(out)
    }

    /// Whether a definition made from it can be known before any field is: it does not name the field.
    pub fn is_checkable(&self) -> bool {
        !Json::Object(self.mapping.clone())
            .to_string()
            .contains("{name}")
    }

    /// The kinds of values it may decide about.
    pub fn kinds(&self) -> Vec<ValueKind> {
        match self.kind {
            Some(kind) => vec![kind],
            None => ValueKind::ALL.iter().map(|(_, kind)| *kind).collect(),
        }
    }

    /// Its content, for errors.
    pub fn content(&self) -> String {
        Json::Object(self.definition.clone()).to_string()
    }

    /// Whether it decides about a new field.
    pub fn matches(&self, path: &str, name: &str, kind: ValueKind) -> bool {
        if self.kind.is_some_and(|wanted| wanted != kind) {
            return false;
        }
        let any = |patterns: &[String], text: &str| {
            patterns.iter().any(|pattern| simple_match(pattern, text))
        };
        if !self.path_matching.is_empty() && !any(&self.path_matching, path) {
            return false;
        }
        if any(&self.path_unmatching, path) {
            return false;
        }
        match &self.regexes {
            Some((matching, unmatching)) => {
                (matching.is_empty() || matching.iter().any(|regex| regex.is_match(name)))
                    && !unmatching.iter().any(|regex| regex.is_match(name))
            }
            None => {
                (self.matching.is_empty() || any(&self.matching, name))
                    && !any(&self.unmatching, name)
            }
        }
    }

    /// The definition of a field it decides about.
    pub fn definition(&self, name: &str, kind: ValueKind) -> Map<String, Json> {
        let mut definition = Map::new();
        for (key, value) in &self.mapping {
            definition.insert(
                substitute(key, name, kind),
                substitute_json(value, name, kind),
            );
        }
        if !definition.contains_key("type") && !definition.contains_key("properties") {
            definition.insert("type".to_owned(), json!(kind.default_type()));
        }
        definition
    }
}

fn texts(value: &Json) -> Vec<String> {
    match value {
        Json::Array(items) => items.iter().map(text_value).collect(),
        other => vec![text_value(other)],
    }
}

fn substitute(text: &str, name: &str, kind: ValueKind) -> String {
    text.replace("{name}", name)
        .replace("{dynamic_type}", kind.default_type())
        .replace("{dynamicType}", kind.default_type())
}

fn substitute_json(value: &Json, name: &str, kind: ValueKind) -> Json {
    match value {
        Json::String(text) => Json::String(substitute(text, name, kind)),
        Json::Array(items) => items
            .iter()
            .map(|item| substitute_json(item, name, kind))
            .collect(),
        Json::Object(entries) => Json::Object(
            entries
                .iter()
                .map(|(key, value)| {
                    (
                        substitute(key, name, kind),
                        substitute_json(value, name, kind),
                    )
                })
                .collect(),
        ),
        other => other.clone(),
    }
}
