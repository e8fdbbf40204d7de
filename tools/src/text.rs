//! Terms and values as people read and type them.

use anyhow::{Context, Result};
use quidditch_engine::document::StoredValue;
use quidditch_engine::segment::Impact;

use crate::report::Cell;

/// Text as it is, other bytes in hexadecimal digits after `0x`.
pub fn readable(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.starts_with("0x") && !text.chars().any(char::is_control) => {
            text.to_owned()
        }
        _ => {
            let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("0x{digits}")
        }
    }
}

/// The inverse of [`readable`].
pub fn typed(term: &str) -> Result<Vec<u8>> {
    let Some(digits) = term.strip_prefix("0x") else {
        return Ok(term.as_bytes().to_vec());
    };
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| {
            let pair = std::str::from_utf8(pair)?;
            u8::from_str_radix(pair, 16)
                .with_context(|| format!("[{pair}] is no byte in hexadecimal digits"))
        })
        .collect()
}

pub fn value(value: &StoredValue) -> String {
    match value {
        StoredValue::I64(value) => value.to_string(),
        StoredValue::U64(value) => value.to_string(),
        StoredValue::F64(value) => value.to_string(),
        StoredValue::Bool(value) => value.to_string(),
        StoredValue::Str(value) => value.clone(),
        StoredValue::Bytes(value) => readable(value),
    }
}

/// Bounds as `freq/norm`; a frequency that is only known to be high has a `+`.
pub fn bounds(impacts: &[Impact]) -> Cell {
    let shown = impacts.iter().map(|impact| {
        Cell::Text(match impact.freq {
            u32::MAX => format!("255+/{}", impact.norm),
            freq => format!("{freq}/{}", impact.norm),
        })
    });
    Cell::List(shown.collect())
}

/// `3`, or `3–7`.
pub fn span(least: u32, most: u32) -> Cell {
    if least == most {
        Cell::Text(least.to_string())
    } else {
        Cell::Text(format!("{least}–{most}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_shown_so_that_they_can_be_typed() {
        for term in [
            b"hat".as_slice(),
            "größe".as_bytes(),
            &[0, 255, 16],
            b"",
            b"0xhat",
        ] {
            assert_eq!(typed(&readable(term)).unwrap(), term);
        }
        assert_eq!(readable(&[0, 255]), "0x00ff");
        assert!(typed("0xzz").is_err());
    }
}
