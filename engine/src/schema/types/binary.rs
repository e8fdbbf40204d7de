//! `binary`: base64 in the document, never searched.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};

use super::super::params::{Param, ParamKind, Params, fixed, free};
use super::{FieldType, refuse_format};
use crate::document::{ColumnKind, FieldBuilder, FieldSpec, IndexOptions, Scalar, StoredValue};
use crate::schema::{FieldKind, FieldMapping, ValueError};
use crate::value::Value;

/// The type.
#[derive(Debug)]
pub(super) struct Binary;

/// Base64 with padding.
fn encode_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Plain base64, padded or not.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The bytes of base64 text.
fn decode_base64(text: &str) -> Result<Vec<u8>, ValueError> {
    LENIENT
        .decode(text)
        .map_err(|error| ValueError::illegal(format!("Failed to decode base64 text: {error}")))
}

impl FieldType for Binary {
    fn name(&self) -> &'static str {
        "binary"
    }

    fn kind(&self) -> FieldKind {
        FieldKind::Binary
    }

    fn params(&self) -> &'static [Param] {
        const PARAMS: &[Param] = &[
            fixed("doc_values", ParamKind::Bool(false)),
            fixed("store", ParamKind::Bool(false)),
            free("meta", ParamKind::Meta),
        ];
        PARAMS
    }

    fn spec(&self, params: &Params) -> FieldSpec {
        FieldSpec {
            index: IndexOptions::None,
            norms: false,
            column: if params.flag("doc_values", false) {
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
        if !field.spec.stored && field.spec.column == ColumnKind::None {
            return Ok(());
        }
        let bytes = decode_base64(&value.text())?;
        if field.spec.column != ColumnKind::None {
            if bytes.len() > super::keyword::TERM_BYTES_MAX {
                return Err(super::keyword::immense(field.path(), &bytes));
            }
            out.add_term(&bytes);
        }
        if field.spec.stored {
            out.store(StoredValue::Bytes(bytes));
        }
        Ok(())
    }

    fn encode_term(&self, _field: &FieldMapping, _value: &Value) -> Result<Vec<u8>, ValueError> {
        Err(ValueError::illegal(
            "Binary fields do not support searching",
        ))
    }

    fn format_term(
        &self,
        field: &FieldMapping,
        term: &[u8],
        format: Option<&str>,
    ) -> Result<Value, ValueError> {
        refuse_format(field, format, None)?;
        Ok(Value::Str(encode_base64(term)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn base64_comes_back(bytes: Vec<u8>) {
            prop_assert_eq!(decode_base64(&encode_base64(&bytes)).unwrap(), bytes);
        }
    }

    #[test]
    fn known_text() {
        assert_eq!(
            encode_base64(b"any carnal pleas"),
            "YW55IGNhcm5hbCBwbGVhcw=="
        );
    }
}
