//! `ip`: IPv4 and IPv6 addresses as 16 bytes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Bound;

use super::super::params::{Param, ParamKind, Params, fixed, free};
use super::{FieldType, refuse_format, value_text};
use crate::document::{ColumnKind, FieldBuilder, FieldSpec, IndexOptions, Scalar, StoredValue};
use crate::schema::{FieldKind, FieldMapping, RangeMatch, RangeOptions, SchemaError, ValueError};
use crate::value::Value;

/// The type.
#[derive(Debug)]
pub(super) struct Ip;

/// An address as 16 bytes: IPv4 ones are mapped into IPv6.
fn parse_address(text: &str) -> Result<[u8; 16], ValueError> {
    // A zone such as `%eth0` says nothing about the address.
    let bare = text.split_once('%').map_or(text, |(bare, _)| bare);
    match bare.parse::<IpAddr>() {
        Ok(IpAddr::V4(v4)) => Ok(v4.to_ipv6_mapped().octets()),
        Ok(IpAddr::V6(v6)) => Ok(v6.octets()),
        Err(_) => Err(ValueError::illegal(format!(
            "'{text}' is not an IP string literal."
        ))),
    }
}

/// The text of 16 bytes.
fn address_text(bytes: &[u8]) -> String {
    let Ok(octets) = <[u8; 16]>::try_from(bytes) else {
        return String::from_utf8_lossy(bytes).into_owned();
    };
    let v6 = Ipv6Addr::from(octets);
    match v6.to_ipv4_mapped() {
        Some(v4) => Ipv4Addr::to_string(&v4),
        None => v6_text(v6),
    }
}

/// Shortest form: the longest run of zero groups as `::`.
fn v6_text(address: Ipv6Addr) -> String {
    // std writes some addresses with a dotted tail; groups of hexadecimals are wanted throughout.
    let groups = address.segments();
    let (mut best, mut best_len) = (0, 0);
    let mut at = 0;
    while at < 8 {
        let len = groups[at..].iter().take_while(|g| **g == 0).count();
        if len > best_len && len > 1 {
            (best, best_len) = (at, len);
        }
        at += len.max(1);
    }
    let hex = |groups: &[u16]| {
        let texts: Vec<String> = groups.iter().map(|g| format!("{g:x}")).collect();
        texts.join(":")
    };
    if best_len == 0 {
        return hex(&groups);
    }
    format!(
        "{}::{}",
        hex(&groups[..best]),
        hex(&groups[best + best_len..])
    )
}

/// First and last address of a block such as `10.0.0.0/8`.
pub(super) fn parse_cidr(text: &str) -> Result<([u8; 16], [u8; 16]), ValueError> {
    let bad = || ValueError::illegal(format!("Expected [ip/prefix] but was [{text}]"));
    let (address, prefix) = text.split_once('/').ok_or_else(bad)?;
    let octets = parse_address(address)?;
    let is_v4 = !address.contains(':');
    let prefix: u32 = prefix.parse().map_err(|_| bad())?;
    if prefix > if is_v4 { 32 } else { 128 } {
        return Err(ValueError::illegal(format!(
            "Illegal prefix length [{prefix}] in [{text}]. Must be 0-32 for IPv4 ranges, 0-128 for IPv6 ranges"
        )));
    }
    let prefix = if is_v4 { prefix + 96 } else { prefix };
    let value = u128::from_be_bytes_of(octets);
    let mask = if prefix == 0 {
        0
    } else {
        u128::MAX << (128 - prefix)
    };
    Ok(((value & mask).octets(), (value | !mask).octets()))
}

/// Addresses are big-endian by definition; conversions go through groups, not through the host's byte order.
trait Octets {
    fn octets(self) -> [u8; 16];
    fn from_be_bytes_of(bytes: [u8; 16]) -> Self;
}

impl Octets for u128 {
    fn octets(self) -> [u8; 16] {
        Ipv6Addr::from_bits(self).octets()
    }

    fn from_be_bytes_of(bytes: [u8; 16]) -> u128 {
        Ipv6Addr::from(bytes).to_bits()
    }
}

impl FieldType for Ip {
    fn name(&self) -> &'static str {
        "ip"
    }

    fn kind(&self) -> FieldKind {
        FieldKind::Ip
    }

    fn params(&self) -> &'static [Param] {
        const PARAMS: &[Param] = &[
            fixed("index", ParamKind::Bool(true)),
            fixed("doc_values", ParamKind::Bool(true)),
            fixed("store", ParamKind::Bool(false)),
            free("ignore_malformed", ParamKind::Explicit(false)),
            fixed("null_value", ParamKind::Text),
            free("boost", ParamKind::Boost),
            free("meta", ParamKind::Meta),
        ];
        PARAMS
    }

    fn spec(&self, params: &Params) -> FieldSpec {
        FieldSpec {
            index: if params.flag("index", true) {
                IndexOptions::Docs
            } else {
                IndexOptions::None
            },
            norms: false,
            column: if params.flag("doc_values", true) {
                ColumnKind::Ordinals
            } else {
                ColumnKind::None
            },
            points: false,
            stored: params.flag("store", false),
        }
    }

    fn validate(&self, field: &FieldMapping) -> Result<(), SchemaError> {
        if let Some(text) = field.params.text("null_value") {
            parse_address(text).map_err(|error| {
                SchemaError::mapper(format!(
                    "Error parsing [null_value] on field [{}]: {}",
                    field.path(),
                    error.reason
                ))
            })?;
        }
        Ok(())
    }

    fn parse(
        &self,
        field: &FieldMapping,
        value: Scalar<'_>,
        out: &mut FieldBuilder,
    ) -> Result<(), ValueError> {
        let octets = parse_address(&value.text())?;
        if field.spec.stored {
            out.store(StoredValue::Str(address_text(&octets)));
        }
        if field.spec.index != IndexOptions::None || field.spec.column != ColumnKind::None {
            out.add_term(&octets);
        }
        Ok(())
    }

    fn encode_term(&self, _field: &FieldMapping, value: &Value) -> Result<Vec<u8>, ValueError> {
        Ok(parse_address(&value_text(value))?.to_vec())
    }

    fn encode_equal(
        &self,
        field: &FieldMapping,
        value: &Value,
        _options: &RangeOptions,
    ) -> Result<RangeMatch, ValueError> {
        let text = value_text(value);
        let (lower, upper) = if text.contains('/') {
            let (first, last) = parse_cidr(&text)?;
            (first.to_vec(), last.to_vec())
        } else {
            let term = self.encode_term(field, value)?;
            (term.clone(), term)
        };
        Ok(RangeMatch::Terms {
            lower: Bound::Included(lower),
            upper: Bound::Included(upper),
        })
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

    fn format_term(
        &self,
        field: &FieldMapping,
        term: &[u8],
        format: Option<&str>,
    ) -> Result<Value, ValueError> {
        refuse_format(field, format, None)?;
        Ok(Value::Str(address_text(term)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_back_in_their_short_form() {
        for (text, shown) in [
            ("192.168.0.1", "192.168.0.1"),
            ("::1", "::1"),
            ("2001:db8:0:0:0:0:0:1", "2001:db8::1"),
            ("::ffff:10.0.0.1", "10.0.0.1"),
            ("1:0:0:2:0:0:0:3", "1:0:0:2::3"),
        ] {
            assert_eq!(address_text(&parse_address(text).unwrap()), shown);
        }
        assert!(parse_address("300.1.1.1").is_err());
    }

    #[test]
    fn blocks_have_a_first_and_a_last_address() {
        let (first, last) = parse_cidr("10.1.2.3/8").unwrap();
        assert_eq!(address_text(&first), "10.0.0.0");
        assert_eq!(address_text(&last), "10.255.255.255");
        let (first, last) = parse_cidr("2001:db8::/32").unwrap();
        assert_eq!(address_text(&first), "2001:db8::");
        assert_eq!(
            address_text(&last),
            "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"
        );
        assert!(parse_cidr("10.0.0.0/33").is_err());
    }
}
