//! A field from its definition in a mapping, and the merge of two definitions.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::context::BuildContext;
use super::dates::{DEFAULT_FORMAT, DateFormat};
use super::params::{Params, text_value};
use super::types::{self, FieldType};
use super::{FieldKind, FieldMapping, SchemaError};
use crate::analysis::{Analyzer, keyword_analyzer};

/// Parameters whose effect on results is missing here; only their defaults are accepted.
///
/// `eager_global_ordinals`, `index_phrases`, `index_prefixes`, `term_vector` and the offsets of `index_options` are taken
/// as they are: they trade space for speed and change no answer.
const UNSUPPORTED: &[&str] = &["boost", "fielddata_frequency_filter", "use_similarity"];

/// Reads a field's definition.
///
/// * `path`: full path. * `within`: the field is a multi-field.
pub(super) fn parse_field(
    context: BuildContext<'_>,
    path: &str,
    ops: &'static dyn FieldType,
    definition: &Map<String, Json>,
    within_multi_field: bool,
) -> Result<FieldMapping, SchemaError> {
    let name = path.rsplit('.').next().unwrap_or(path);
    let mut params = Params::default();
    let mut copy_to = Vec::new();
    let mut multi_fields = BTreeMap::new();
    for (key, value) in definition {
        match key.as_str() {
            "type" => continue,
            "fields" => {
                multi_fields = parse_multi_fields(context, path, value)?;
                continue;
            }
            "copy_to" => {
                if within_multi_field {
                    return Err(SchemaError::mapper(format!(
                        "copy_to in multi fields is not allowed. Found the copy_to in field [{name}] which is within a multi field."
                    )));
                }
                copy_to = match value {
                    Json::Array(items) => items.iter().map(text_value).collect(),
                    other => vec![text_value(other)],
                };
                continue;
            }
            _ => {}
        }
        let Some(param) = ops.params().iter().find(|param| param.name == key) else {
            return Err(SchemaError::mapper(format!(
                "unknown parameter [{key}] on mapper [{name}] of type [{}]",
                ops.name()
            )));
        };
        if value.is_null() && key != "null_value" {
            return Err(SchemaError::mapper(format!(
                "[{key}] on mapper [{name}] of type [{}] must not have a [null] value",
                ops.name()
            )));
        }
        if value.is_null() {
            continue;
        }
        params.set(param, value)?;
    }
    for param in UNSUPPORTED {
        if params.get(param).is_some() {
            return Err(SchemaError::mapper(format!(
                "[{param}] on mapper [{name}] of type [{}] is not supported",
                ops.name()
            )));
        }
    }
    build_field(context, path, ops, params, copy_to, multi_fields)
}

fn parse_multi_fields(
    context: BuildContext<'_>,
    path: &str,
    fields: &Json,
) -> Result<BTreeMap<String, Arc<FieldMapping>>, SchemaError> {
    let empty = Map::new();
    let fields = match fields {
        Json::Object(fields) => fields,
        Json::Array(items) if items.is_empty() => &empty,
        other => {
            return Err(SchemaError::mapper(format!(
                "expected map for property [fields] on field [{path}] but got a {}",
                java_class(other)
            )));
        }
    };
    let mut built = BTreeMap::new();
    for (name, definition) in fields {
        if name.contains('.') {
            return Err(SchemaError::mapper(format!(
                "Field name [{name}] which is a multi field of [{}] cannot contain '.'",
                path.rsplit('.').next().unwrap_or(path)
            )));
        }
        let Json::Object(definition) = definition else {
            return Err(SchemaError::mapper(format!(
                "illegal field [{name}], only fields can be specified inside fields"
            )));
        };
        let Some(kind) = definition.get("type") else {
            return Err(SchemaError::mapper(format!(
                "no type specified for property [{name}]"
            )));
        };
        let kind = text_value(kind);
        if matches!(kind.as_str(), "object" | "nested" | "alias") {
            return Err(SchemaError::mapper(format!(
                "Type [{kind}] cannot be used in multi field"
            )));
        }
        let Some(ops) = types::find(&kind) else {
            return Err(SchemaError::mapper(format!(
                "no handler for type [{kind}] declared on field [{name}]"
            )));
        };
        let field = parse_field(context, &format!("{path}.{name}"), ops, definition, true)?;
        built.insert(name.clone(), Arc::new(field));
    }
    Ok(built)
}

/// The name of a JSON value's Java class, for error messages.
pub(super) fn java_class(value: &Json) -> &'static str {
    match value {
        Json::String(_) => "class java.lang.String",
        Json::Bool(_) => "class java.lang.Boolean",
        Json::Array(_) => "class java.util.ArrayList",
        Json::Object(_) => "class java.util.LinkedHashMap",
        Json::Number(n) if n.is_f64() => "class java.lang.Double",
        Json::Number(_) => "class java.lang.Integer",
        Json::Null => "null",
    }
}

/// Builds a field from its parameters.
pub(super) fn build_field(
    context: BuildContext<'_>,
    path: &str,
    ops: &'static dyn FieldType,
    params: Params,
    copy_to: Vec<String>,
    multi_fields: BTreeMap<String, Arc<FieldMapping>>,
) -> Result<FieldMapping, SchemaError> {
    let (index_analyzer, search_analyzer, search_quote_analyzer) = match ops.kind() {
        FieldKind::Text => text_analyzers(context, &params)?,
        _ if ops.name() == "token_count" => text_analyzers(context, &params)?,
        FieldKind::Keyword => keyword_analyzers(context, path, &params)?,
        _ => {
            let plain = Arc::new(keyword_analyzer("keyword"));
            (Arc::clone(&plain), Arc::clone(&plain), plain)
        }
    };
    let format = if ops.kind().is_date() || ops.name() == "date_range" {
        let text = params.text("format").unwrap_or(DEFAULT_FORMAT);
        let format = DateFormat::parse(text).map_err(|error| {
            let name = path.rsplit('.').next().unwrap_or(path);
            SchemaError::mapper(format!(
                "Error parsing [format] on field [{name}]: {}",
                error.reason
            ))
        })?;
        Some(format)
    } else {
        None
    };
    let gap = match params.get("position_increment_gap").and_then(Json::as_u64) {
        Some(gap) => u32::try_from(gap).unwrap_or(u32::MAX),
        None => index_analyzer.position_increment_gap(),
    };
    let field = FieldMapping {
        path: Arc::from(path),
        ops,
        spec: ops.spec(&params),
        numeric: ops.numeric(&params),
        index_analyzer,
        search_analyzer,
        search_quote_analyzer,
        position_increment_gap: gap,
        format,
        ignore_malformed: params.flag("ignore_malformed", context.settings.ignore_malformed),
        coerce: params.flag("coerce", context.settings.coerce),
        ignore_above: usize::try_from(params.int("ignore_above", i64::from(i32::MAX)))
            .unwrap_or(usize::MAX),
        copy_to,
        multi_fields,
        params,
    };
    ops.validate(&field)?;
    Ok(field)
}

type Analyzers = (Arc<Analyzer>, Arc<Analyzer>, Arc<Analyzer>);

fn text_analyzers(context: BuildContext<'_>, params: &Params) -> Result<Analyzers, SchemaError> {
    let registry = context.analysis;
    let find = |param: &str| -> Result<Option<Arc<Analyzer>>, SchemaError> {
        match params.text(param) {
            None => Ok(None),
            Some(analyzer) => match registry.analyzer(analyzer) {
                Some(found) => Ok(Some(found)),
                None => Err(SchemaError::illegal(format!(
                    "analyzer [{analyzer}] has not been configured in mappings"
                ))),
            },
        }
    };
    let index = find("analyzer")?.unwrap_or_else(|| registry.default_index_analyzer());
    // The index's own default for searches goes before the field's analyzer.
    let search = match (find("search_analyzer")?, registry.default_search_analyzer()) {
        (Some(search), _) | (None, Some(search)) => search,
        (None, None) => Arc::clone(&index),
    };
    let quote = match find("search_quote_analyzer")? {
        Some(quote) => quote,
        None => registry
            .analyzer("default_search_quoted")
            .unwrap_or_else(|| Arc::clone(&search)),
    };
    Ok((index, search, quote))
}

fn keyword_analyzers(
    context: BuildContext<'_>,
    path: &str,
    params: &Params,
) -> Result<Analyzers, SchemaError> {
    let name = path.rsplit('.').next().unwrap_or(path);
    let normalizer = match params.text("normalizer") {
        None | Some("default") => Arc::new(keyword_analyzer("keyword")),
        Some(normalizer) => context.analysis.normalizer(normalizer).ok_or_else(|| {
            SchemaError::mapper(format!(
                "normalizer [{normalizer}] not found for field [{name}]"
            ))
        })?,
    };
    Ok((Arc::clone(&normalizer), Arc::clone(&normalizer), normalizer))
}

/// The field after an update of its definition.
pub(super) fn merge_field(
    context: BuildContext<'_>,
    old: &FieldMapping,
    new: &FieldMapping,
) -> Result<FieldMapping, SchemaError> {
    if old.type_name() != new.type_name() {
        return Err(SchemaError::illegal(format!(
            "mapper [{}] cannot be changed from type [{}] to [{}]",
            old.path(),
            old.type_name(),
            new.type_name()
        )));
    }
    let mut conflicts = Vec::new();
    let params = old
        .params
        .merge(&new.params, old.ops.params(), &mut conflicts);
    let mut multi_fields = old.multi_fields.clone();
    for (name, field) in &new.multi_fields {
        let merged = match multi_fields.get(name) {
            Some(existing) => Arc::new(merge_field(context, existing, field)?),
            None => Arc::clone(field),
        };
        multi_fields.insert(name.clone(), merged);
    }
    if !conflicts.is_empty() {
        return Err(SchemaError::illegal(format!(
            "Mapper for [{}] conflicts with existing mapper:\n\t{}",
            old.path(),
            conflicts.join("\n\t")
        )));
    }
    build_field(
        context,
        old.path(),
        old.ops,
        params,
        new.copy_to.clone(),
        multi_fields,
    )
}

/// The canonical definition, as `GET _mapping` shows it.
pub(super) fn show_field(field: &FieldMapping) -> Json {
    let mut out = Map::new();
    out.insert("type".to_owned(), Json::from(field.type_name()));
    field.params.show(field.ops.params(), &mut out);
    if field.kind() == FieldKind::Text {
        // Whatever makes searches differ from indexing is shown, so that the definition stands for itself.
        let names = [
            &field.index_analyzer,
            &field.search_analyzer,
            &field.search_quote_analyzer,
        ]
        .map(|analyzer| analyzer.name());
        if names[0] != names[1] || names[0] != names[2] {
            out.entry("analyzer")
                .or_insert_with(|| Json::from(names[0]));
        }
        if names[1] != names[2] {
            out.entry("search_analyzer")
                .or_insert_with(|| Json::from(names[1]));
        }
    }
    if !field.multi_fields.is_empty() {
        let mut fields = Map::new();
        for (name, multi_field) in &field.multi_fields {
            fields.insert(name.clone(), show_field(multi_field));
        }
        out.insert("fields".to_owned(), Json::Object(fields));
    }
    if !field.copy_to.is_empty() {
        out.insert("copy_to".to_owned(), Json::from(field.copy_to.clone()));
    }
    Json::Object(out)
}
