//! Time zones by name or offset.

use jiff::tz::TimeZone;

use super::super::ValueError;
use super::civil::fixed_zone;

/// Reads a zone: `Z`, `UTC`, `+01:00`, `+0100`, `+1`, `UTC+2`, `Europe/Paris`.
pub fn parse_time_zone(text: &str) -> Result<TimeZone, ValueError> {
    let rest = ["UTC", "GMT", "UT"]
        .iter()
        .find_map(|prefix| text.strip_prefix(prefix))
        .unwrap_or(text);
    if rest.is_empty() || text == "Z" || text == "z" {
        if text.is_empty() {
            return Err(unknown(text));
        }
        return Ok(TimeZone::UTC);
    }
    if rest.starts_with(['+', '-']) {
        return match parse_offset(rest) {
            Some((seconds, used)) if used == rest.len() => {
                fixed_zone(seconds).ok_or_else(|| unknown(text))
            }
            _ => Err(unknown(text)),
        };
    }
    TimeZone::get(text).map_err(|_| unknown(text))
}

fn unknown(text: &str) -> ValueError {
    if text.contains('/') || text.chars().all(|c| c.is_ascii_alphabetic()) {
        ValueError::new(
            "zone_rules_exception",
            format!("Unknown time-zone ID: {text}"),
        )
    } else {
        ValueError::new(
            "date_time_exception",
            format!("Invalid ID for region-based ZoneId, invalid format: {text}"),
        )
    }
}

/// Reads `+HH`, `+H`, `+HHmm`, `+HH:mm`, `+HH:mm:ss` at the start of a text: seconds, and bytes used.
pub(super) fn parse_offset(text: &str) -> Option<(i32, usize)> {
    let bytes = text.as_bytes();
    let sign = match bytes.first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let two = |at: usize| -> Option<i32> {
        let (a, b) = (bytes.get(at)?, bytes.get(at + 1)?);
        (a.is_ascii_digit() && b.is_ascii_digit())
            .then(|| i32::from(a - b'0') * 10 + i32::from(b - b'0'))
    };
    let (hours, mut at) = match two(1) {
        Some(hours) => (hours, 3),
        None => {
            let digit = bytes.get(1).filter(|b| b.is_ascii_digit())?;
            (i32::from(digit - b'0'), 2)
        }
    };
    let mut fields = [0; 2];
    for field in &mut fields {
        let colon = usize::from(bytes.get(at) == Some(&b':'));
        match two(at + colon) {
            Some(value) => {
                *field = value;
                at += colon + 2;
            }
            None => break,
        }
    }
    if hours > 18 || fields[0] > 59 || fields[1] > 59 {
        return None;
    }
    Some((sign * (hours * 3600 + fields[0] * 60 + fields[1]), at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_and_names() {
        assert_eq!(parse_offset("+01:30x"), Some((5400, 6)));
        assert_eq!(parse_offset("-0800"), Some((-28_800, 5)));
        assert_eq!(parse_offset("+5"), Some((18_000, 2)));
        assert_eq!(parse_offset("+19"), None);
        assert!(parse_time_zone("Europe/Paris").is_ok());
        assert!(parse_time_zone("UTC+2").is_ok());
        assert_eq!(
            parse_time_zone("Mars/Base").unwrap_err().reason,
            "Unknown time-zone ID: Mars/Base"
        );
    }
}
