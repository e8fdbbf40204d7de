//! `keyword` and `wildcard`: one term per value.

use std::ops::Bound;

use super::super::params::{Param, ParamKind, Params, Update, fixed, free};
use super::{FieldType, value_text};
use crate::document::{ColumnKind, FieldBuilder, FieldSpec, IndexOptions, Scalar};
use crate::schema::{FieldKind, FieldMapping, RangeMatch, RangeOptions, ValueError};
use crate::value::Value;

/// One term per value, as given or normalised.
#[derive(Debug)]
pub(super) struct Keyword {
    name: &'static str,
    params: &'static [Param],
}

impl Keyword {
    pub const KEYWORD: Keyword = Keyword {
        name: "keyword",
        params: &[
            fixed("index", ParamKind::Bool(true)),
            fixed("doc_values", ParamKind::Bool(true)),
            fixed("store", ParamKind::Bool(false)),
            fixed("null_value", ParamKind::Text),
            free("eager_global_ordinals", ParamKind::Bool(false)),
            free("ignore_above", ParamKind::Int(2_147_483_647)),
            fixed("index_options", ParamKind::OneOf(&["docs", "freqs"])),
            Param {
                name: "norms",
                kind: ParamKind::Bool(false),
                update: Update::OnlyOff,
            },
            fixed("similarity", ParamKind::OneOf(&["BM25", "boolean"])),
            free("use_similarity", ParamKind::Bool(false)),
            fixed("normalizer", ParamKind::Text),
            free("split_queries_on_whitespace", ParamKind::Bool(false)),
            free("boost", ParamKind::Boost),
            free("meta", ParamKind::Meta),
        ],
    };
    /// A keyword by another name: wildcard and regular expressions run over its sorted terms.
    pub const WILDCARD: Keyword = Keyword {
        name: "wildcard",
        params: &[
            fixed("doc_values", ParamKind::Bool(true)),
            fixed("null_value", ParamKind::Text),
            free("ignore_above", ParamKind::Int(2_147_483_647)),
            fixed("normalizer", ParamKind::Text),
            free("meta", ParamKind::Meta),
        ],
    };
}

/// Longest term in bytes.
pub(super) const TERM_BYTES_MAX: usize = 32_766;

impl FieldType for Keyword {
    fn name(&self) -> &'static str {
        self.name
    }

    fn kind(&self) -> FieldKind {
        FieldKind::Keyword
    }

    fn params(&self) -> &'static [Param] {
        self.params
    }

    fn spec(&self, params: &Params) -> FieldSpec {
        let index = match (params.flag("index", true), params.text("index_options")) {
            (false, _) => IndexOptions::None,
            (true, Some("freqs")) => IndexOptions::DocsFreqs,
            _ => IndexOptions::Docs,
        };
        FieldSpec {
            index,
            norms: index != IndexOptions::None && params.flag("norms", false),
            column: if params.flag("doc_values", true) {
                ColumnKind::Ordinals
            } else {
                ColumnKind::None
            },
            points: false,
            stored: params.flag("store", false),
        }
    }

    fn parse(
        &self,
        field: &FieldMapping,
        value: Scalar<'_>,
        out: &mut FieldBuilder,
    ) -> Result<(), ValueError> {
        let text = value.text();
        // Java counts UTF-16 units; counting is only needed when the bytes do not settle it.
        if text.len() > field.ignore_above && text.encode_utf16().count() > field.ignore_above {
            out.ignore();
            return Ok(());
        }
        let normalizer = &field.index_analyzer;
        let normal = if normalizer.is_identity() {
            text
        } else {
            normalizer.normalize(&text).into()
        };
        if normal.len() > TERM_BYTES_MAX {
            return Err(immense(field.path(), normal.as_bytes()));
        }
        if field.spec.stored {
            out.store_text(&normal);
        }
        if field.spec.index != IndexOptions::None || field.spec.column != ColumnKind::None {
            out.add_term(normal.as_bytes());
        }
        Ok(())
    }

    fn encode_term(&self, field: &FieldMapping, value: &Value) -> Result<Vec<u8>, ValueError> {
        let text = value_text(value);
        let normalizer = &field.search_analyzer;
        if normalizer.is_identity() {
            return Ok(text.into_bytes());
        }
        Ok(normalizer.normalize(&text).into_bytes())
    }

    fn encode_range(
        &self,
        field: &FieldMapping,
        lower: Bound<&Value>,
        upper: Bound<&Value>,
        _options: &RangeOptions,
    ) -> Result<RangeMatch, ValueError> {
        term_range(field, lower, upper, self)
    }
}

/// A range of terms; null bounds are open.
pub(super) fn term_range(
    field: &FieldMapping,
    lower: Bound<&Value>,
    upper: Bound<&Value>,
    ops: &dyn FieldType,
) -> Result<RangeMatch, ValueError> {
    let encode = |bound: Bound<&Value>| -> Result<Bound<Vec<u8>>, ValueError> {
        Ok(match bound {
            Bound::Unbounded | Bound::Included(Value::Null) | Bound::Excluded(Value::Null) => {
                Bound::Unbounded
            }
            Bound::Included(value) => Bound::Included(ops.encode_term(field, value)?),
            Bound::Excluded(value) => Bound::Excluded(ops.encode_term(field, value)?),
        })
    };
    let (lower, upper) = (encode(lower)?, encode(upper)?);
    if let (
        Bound::Included(low) | Bound::Excluded(low),
        Bound::Included(high) | Bound::Excluded(high),
    ) = (&lower, &upper)
    {
        let both = matches!((&lower, &upper), (Bound::Included(_), Bound::Included(_)));
        if low > high || (low == high && !both) {
            return Ok(RangeMatch::Nothing);
        }
    }
    Ok(RangeMatch::Terms { lower, upper })
}

/// The error of a term that is too long to index.
pub(crate) fn immense(path: &str, term: &[u8]) -> ValueError {
    let prefix: Vec<String> = term
        .iter()
        .take(30)
        .map(|byte| (*byte as i8).to_string())
        .collect();
    ValueError::illegal(format!(
        "Document contains at least one immense term in field=\"{path}\" (whose UTF8 encoding is longer than the \
         max length {TERM_BYTES_MAX}), all of which were skipped.  Please correct the analyzer to not produce such \
         terms.  The prefix of the first immense term is: '[{}]...', original message: bytes can be at most \
         {TERM_BYTES_MAX} in length; got {}",
        prefix.join(", "),
        term.len()
    ))
    .caused_by(ValueError::new(
        "max_bytes_length_exceeded_exception",
        format!("bytes can be at most {TERM_BYTES_MAX} in length; got {}", term.len()),
    ))
}
