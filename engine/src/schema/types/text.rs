//! `text` and `match_only_text`: analysed text.

use std::ops::Bound;

use super::super::params::{Param, ParamKind, Params, Update, fixed, free};
use super::{FieldType, value_text};
use crate::document::{ColumnKind, FieldBuilder, FieldSpec, IndexOptions, Scalar};
use crate::schema::{FieldKind, FieldMapping, RangeMatch, RangeOptions, SchemaError, ValueError};
use crate::value::Value;

/// Analysed text.
#[derive(Debug)]
pub(super) struct Text {
    name: &'static str,
    params: &'static [Param],
}

impl Text {
    pub const TEXT: Text = Text {
        name: "text",
        params: &[
            fixed("store", ParamKind::Bool(false)),
            fixed("index", ParamKind::Bool(true)),
            fixed(
                "index_options",
                ParamKind::OneOf(&["positions", "docs", "freqs", "offsets"]),
            ),
            Param {
                name: "norms",
                kind: ParamKind::Bool(true),
                update: Update::OnlyOff,
            },
            fixed(
                "term_vector",
                ParamKind::OneOf(&[
                    "no",
                    "yes",
                    "with_positions",
                    "with_offsets",
                    "with_positions_offsets",
                    "with_positions_payloads",
                    "with_positions_offsets_payloads",
                ]),
            ),
            fixed("analyzer", ParamKind::TextOr("default")),
            free("search_analyzer", ParamKind::Text),
            free("search_quote_analyzer", ParamKind::Text),
            fixed("similarity", ParamKind::OneOf(&["BM25", "boolean"])),
            fixed("position_increment_gap", ParamKind::Int(100)),
            free("fielddata", ParamKind::Bool(false)),
            free("fielddata_frequency_filter", ParamKind::Object),
            free("eager_global_ordinals", ParamKind::Bool(false)),
            // Phrases and prefixes match the same with or without these: they trade space for speed.
            fixed("index_phrases", ParamKind::Bool(false)),
            fixed("index_prefixes", ParamKind::Object),
            free("boost", ParamKind::Boost),
            free("meta", ParamKind::Meta),
        ],
    };
    /// Like `text` with default analysis, but without norms and frequencies, so that a match scores the same everywhere.
    pub const MATCH_ONLY: Text = Text {
        name: "match_only_text",
        params: &[
            fixed("analyzer", ParamKind::TextOr("default")),
            free("search_analyzer", ParamKind::Text),
            free("search_quote_analyzer", ParamKind::Text),
            fixed("position_increment_gap", ParamKind::Int(100)),
            free("fielddata", ParamKind::Bool(false)),
            free("fielddata_frequency_filter", ParamKind::Object),
            free("eager_global_ordinals", ParamKind::Bool(false)),
            free("boost", ParamKind::Boost),
            free("meta", ParamKind::Meta),
        ],
    };
}

/// `index_prefixes`: lengths of the prefixes that would be indexed.
fn check_prefixes(given: &serde_json::Value) -> Result<(), SchemaError> {
    let serde_json::Value::Object(given) = given else {
        return Err(SchemaError::mapper("[index_prefixes] must be an object"));
    };
    let length = |name: &str, default: i64| match given.get(name) {
        None => Ok(default),
        Some(value) => value.as_i64().ok_or_else(|| {
            SchemaError::mapper(format!(
                "[index_prefixes] has a [{name}] that is no whole number"
            ))
        }),
    };
    let (min, max) = (length("min_chars", 2)?, length("max_chars", 5)?);
    for name in given.keys() {
        if name != "min_chars" && name != "max_chars" {
            return Err(SchemaError::mapper(format!(
                "[index_prefixes] has unsupported parameters:  [{name} : {}]",
                super::super::params::text_value(&given[name])
            )));
        }
    }
    if min > max {
        return Err(SchemaError::illegal(format!(
            "min_chars [{min}] must be less than max_chars [{max}]"
        )));
    }
    if min < 1 {
        return Err(SchemaError::illegal(format!(
            "min_chars [{min}] must be greater than zero"
        )));
    }
    if max >= 20 {
        return Err(SchemaError::illegal(format!(
            "max_chars [{max}] must be less than 20"
        )));
    }
    Ok(())
}

impl FieldType for Text {
    fn name(&self) -> &'static str {
        self.name
    }

    fn kind(&self) -> FieldKind {
        FieldKind::Text
    }

    fn params(&self) -> &'static [Param] {
        self.params
    }

    fn spec(&self, params: &Params) -> FieldSpec {
        let index = match (params.flag("index", true), params.text("index_options")) {
            (false, _) => IndexOptions::None,
            (true, Some("docs")) => IndexOptions::Docs,
            (true, Some("freqs")) => IndexOptions::DocsFreqs,
            _ => IndexOptions::Positions,
        };
        let match_only = self.name != "text";
        FieldSpec {
            index,
            norms: index != IndexOptions::None && !match_only && params.flag("norms", true),
            column: ColumnKind::None,
            points: false,
            stored: params.flag("store", false),
        }
    }

    fn validate(&self, field: &FieldMapping) -> Result<(), SchemaError> {
        let params = &field.params;
        if params.flag("fielddata", false) && !params.flag("index", true) {
            return Err(SchemaError::illegal(format!(
                "Cannot enable fielddata on a [text] field that is not indexed: [{}]",
                field.path()
            )));
        }
        if let Some(prefixes) = params.get("index_prefixes") {
            check_prefixes(prefixes)?;
        }
        if !params.flag("index", true) {
            if params.flag("index_phrases", false) {
                return Err(SchemaError::illegal(format!(
                    "Cannot set index_phrases on unindexed field [{}]",
                    field.path()
                )));
            }
            if params.get("index_prefixes").is_some() {
                return Err(SchemaError::illegal(format!(
                    "Cannot set index_prefixes on unindexed field [{}]",
                    field.path()
                )));
            }
        }
        if params.get("position_increment_gap").is_some() && !field.has_positions() {
            return Err(SchemaError::illegal(format!(
                "Cannot set position_increment_gap on field [{}] without positions enabled",
                field.path()
            )));
        }
        Ok(())
    }

    fn parse(
        &self,
        field: &FieldMapping,
        value: Scalar<'_>,
        out: &mut FieldBuilder,
    ) -> Result<(), ValueError> {
        let text = value.text();
        if field.spec.stored {
            out.store_text(&text);
        }
        if field.spec.index != IndexOptions::None {
            out.add_text(&field.index_analyzer, field.position_increment_gap, &text)?;
        }
        Ok(())
    }

    fn encode_term(&self, _field: &FieldMapping, value: &Value) -> Result<Vec<u8>, ValueError> {
        Ok(value_text(value).into_bytes())
    }

    fn encode_range(
        &self,
        field: &FieldMapping,
        lower: Bound<&Value>,
        upper: Bound<&Value>,
        _options: &RangeOptions,
    ) -> Result<RangeMatch, ValueError> {
        super::keyword::term_range(field, lower, upper, self)
    }
}
