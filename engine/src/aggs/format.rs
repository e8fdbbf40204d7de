//! How values are shown as text. Partials carry it, since the coordinator has no mapping at hand.

use std::net::{IpAddr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use super::decimal_format::DecimalFormat;
use super::request::ValueType;
use crate::schema::dates::DateFormat;
use crate::schema::{FieldKind, FieldMapping, ValueError};
use crate::search::SearchError;
use crate::value::Value;

/// The format of dates whose field says nothing.
pub(crate) const DATE_FORMAT_DEFAULT: &str = "strict_date_optional_time||epoch_millis";

/// How values are shown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum ValueFormat {
    /// As JSON numbers and text, with no text beside them.
    #[default]
    Raw,
    /// `true` and `false`.
    Boolean,
    /// An address of 16 bytes.
    Ip,
    /// Milliseconds as a date.
    Date {
        /// A format of [`DateFormat`].
        pattern: String,
        /// The zone, UTC if none.
        zone: Option<String>,
    },
    /// A number by a pattern like `#,##0.0`.
    Decimal(String),
}

impl ValueFormat {
    /// The format of a field, or the given one.
    pub fn of_field(
        field: &FieldMapping,
        format: Option<&str>,
        zone: Option<&str>,
    ) -> Result<ValueFormat, SearchError> {
        match field.range_ends().unwrap_or(field.kind()) {
            FieldKind::Date | FieldKind::DateNanos => Self::date(
                format.or_else(|| field.date_format().map(DateFormat::text)),
                zone,
            ),
            FieldKind::Ip => Ok(ValueFormat::Ip),
            FieldKind::Boolean => {
                refuse_zone(field, zone)?;
                Ok(ValueFormat::Boolean)
            }
            _ if field.numeric().is_some() || field.range_ends().is_some() => {
                refuse_zone(field, zone)?;
                Self::decimal(format)
            }
            _ => {
                if let Some(format) = format {
                    return Err(SearchError::illegal(format!(
                        "Field [{}] of type [{}] does not support custom formats, but got [{format}]",
                        field.path(),
                        field.type_name()
                    )));
                }
                Ok(ValueFormat::Raw)
            }
        }
    }

    /// The format of an unmapped field that is taken for a type.
    pub fn of_type(
        kind: ValueType,
        format: Option<&str>,
        zone: Option<&str>,
    ) -> Result<ValueFormat, SearchError> {
        match kind {
            ValueType::Date => Self::date(format, zone),
            ValueType::Boolean => Ok(ValueFormat::Boolean),
            ValueType::Ip => Ok(ValueFormat::Ip),
            ValueType::String => Ok(ValueFormat::Raw),
            ValueType::Long | ValueType::UnsignedLong | ValueType::Double => Self::decimal(format),
        }
    }

    /// Dates by a pattern, or the default one.
    pub fn date(pattern: Option<&str>, zone: Option<&str>) -> Result<ValueFormat, SearchError> {
        let pattern = pattern.unwrap_or(DATE_FORMAT_DEFAULT);
        DateFormat::parse(pattern)?;
        Ok(ValueFormat::Date {
            pattern: pattern.to_owned(),
            zone: zone.map(str::to_owned),
        })
    }

    /// Numbers by a pattern, or raw.
    pub fn decimal(pattern: Option<&str>) -> Result<ValueFormat, SearchError> {
        match pattern {
            None => Ok(ValueFormat::Raw),
            Some(pattern) => {
                DecimalFormat::parse(pattern).map_err(SearchError::illegal)?;
                Ok(ValueFormat::Decimal(pattern.to_owned()))
            }
        }
    }

    /// The text beside a number; `None` where there is none.
    pub fn number(&self, value: f64) -> Option<String> {
        match self {
            ValueFormat::Raw | ValueFormat::Ip => None,
            ValueFormat::Boolean => Some((value != 0.0).to_string()),
            ValueFormat::Date { .. } => self.date_text(value as i64),
            ValueFormat::Decimal(pattern) => Some(match DecimalFormat::parse(pattern) {
                Ok(format) => format.show(value),
                Err(_) => java_double(value),
            }),
        }
    }

    /// The text beside a whole number.
    pub fn whole(&self, value: i64) -> Option<String> {
        match self {
            ValueFormat::Date { .. } => self.date_text(value),
            _ => self.number(value as f64),
        }
    }

    fn date_text(&self, ms: i64) -> Option<String> {
        let ValueFormat::Date { pattern, zone } = self else {
            return None;
        };
        let format = DateFormat::parse(pattern).ok()?;
        format.format(ms, zone.as_deref()).ok()
    }

    /// The milliseconds of a date as a user writes it; date math allowed.
    pub fn parse_date(&self, value: &Value, now_ms: i64) -> Result<i64, SearchError> {
        let (pattern, zone) = match self {
            ValueFormat::Date { pattern, zone } => (pattern.as_str(), zone.as_deref()),
            _ => (DATE_FORMAT_DEFAULT, None),
        };
        let format = DateFormat::parse(pattern)?;
        let text = match value {
            Value::F64(n) if n.fract() == 0.0 => format!("{n:.0}"),
            other => super::source::text_of(other),
        };
        match format.parse_math(&text, now_ms, false, zone) {
            Ok(ms) => Ok(ms),
            Err(error) => match value {
                // a number is milliseconds whatever the format
                Value::I64(ms) => Ok(*ms),
                Value::F64(ms) => Ok(*ms as i64),
                _ => Err(error.into()),
            },
        }
    }

    /// A term as text.
    pub fn term(&self, bytes: &[u8]) -> String {
        match self {
            ValueFormat::Ip => show_ip(bytes),
            _ => String::from_utf8_lossy(bytes).into_owned(),
        }
    }

    /// Whether keys of numbers have a `key_as_string` beside them.
    pub fn is_raw(&self) -> bool {
        matches!(self, ValueFormat::Raw)
    }
}

fn refuse_zone(field: &FieldMapping, zone: Option<&str>) -> Result<(), SearchError> {
    match zone {
        Some(_) => Err(SearchError::illegal(format!(
            "Field [{}] of type [{}] does not support custom time zones",
            field.path(),
            field.type_name()
        ))),
        None => Ok(()),
    }
}

/// An address of 16 bytes as text: IPv4 addresses in their own form.
pub(crate) fn show_ip(bytes: &[u8]) -> String {
    let Ok(bytes) = <[u8; 16]>::try_from(bytes) else {
        return String::from_utf8_lossy(bytes).into_owned();
    };
    let address = Ipv6Addr::from(bytes);
    match address.to_ipv4_mapped() {
        Some(v4) => v4.to_string(),
        None => show_ipv6(&address),
    }
}

/// RFC 5952, but never with an embedded IPv4 address.
fn show_ipv6(address: &Ipv6Addr) -> String {
    let groups = address.segments();
    let (mut best, mut best_len) = (0, 0);
    let mut i = 0;
    while i < 8 {
        let start = i;
        while i < 8 && groups[i] == 0 {
            i += 1;
        }
        if i - start > best_len {
            (best, best_len) = (start, i - start);
        }
        i += 1;
    }
    let join = |groups: &[u16]| {
        let parts: Vec<String> = groups.iter().map(|group| format!("{group:x}")).collect();
        parts.join(":")
    };
    if best_len < 2 {
        return join(&groups);
    }
    format!(
        "{}::{}",
        join(&groups[..best]),
        join(&groups[best + best_len..])
    )
}

/// The 16 bytes of an address: IPv4 as IPv6-mapped.
pub(crate) fn parse_ip(text: &str) -> Option<[u8; 16]> {
    let address: IpAddr = text.parse().ok()?;
    Some(match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    })
}

/// A double as Java prints it: `50.0`, `1.0E7`, `1.0E-5`.
pub fn java_double(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let magnitude = value.abs();
    if magnitude == 0.0 || (1e-3..1e7).contains(&magnitude) {
        return format!("{value:?}");
    }
    let shown = format!("{value:e}");
    match shown.split_once('e') {
        Some((digits, exponent)) if digits.contains('.') => format!("{digits}E{exponent}"),
        Some((digits, exponent)) => format!("{digits}.0E{exponent}"),
        None => shown,
    }
}

impl From<ValueError> for super::AggError {
    fn from(error: ValueError) -> Self {
        super::AggError::IllegalArgument(error.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_look_like_javas() {
        for (value, expected) in [
            (50.0, "50.0"),
            (0.0, "0.0"),
            (-1234.5, "-1234.5"),
            (1e7, "1.0E7"),
            (1.5e300, "1.5E300"),
            (0.0001, "1.0E-4"),
            (9_999_999.0, "9999999.0"),
        ] {
            assert_eq!(java_double(value), expected);
        }
    }

    #[test]
    fn addresses_come_back() {
        for text in [
            "::1",
            "192.168.0.1",
            "2001:db8::8a2e:370:7334",
            "::",
            "1:2:3:4:5:6:7:8",
            "0:100::",
        ] {
            let bytes = parse_ip(text).unwrap();
            let shown = show_ip(&bytes);
            assert_eq!(parse_ip(&shown), Some(bytes), "{text} {shown}");
        }
        assert_eq!(show_ip(&parse_ip("192.168.0.1").unwrap()), "192.168.0.1");
        assert_eq!(show_ip(&parse_ip("::1").unwrap()), "::1");
    }
}
