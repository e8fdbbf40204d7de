//! Time values and byte sizes, as settings and parameters write them.

use std::time::Duration;

use super::RestError;

/// Reads `30s`, `100ms`, `1d`, …; `-1` is `None`: no limit. `name` is the setting that the mistake is blamed on.
pub fn parse_time_value(text: &str, name: &str) -> Result<Option<Duration>, RestError> {
    let normal = text.trim().to_ascii_lowercase();
    if normal == "-1" {
        return Ok(None);
    }
    if !normal.is_empty() && normal.bytes().all(|byte| byte == b'0') {
        return Ok(Some(Duration::ZERO));
    }
    let units: &[(&str, u64)] = &[
        ("nanos", 1),
        ("micros", 1_000),
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
        ("m", 60 * 1_000_000_000),
        ("h", 3_600 * 1_000_000_000),
        ("d", 86_400 * 1_000_000_000),
    ];
    for (unit, nanos) in units {
        let Some(number) = normal.strip_suffix(unit) else {
            continue;
        };
        let number = number.trim();
        // `m` as written, so that `5M` is not read as minutes
        if *unit == "m" && !text.trim().ends_with('m') {
            break;
        }
        return match number.parse::<i64>() {
            Ok(-1) => Ok(None),
            Ok(count) if count < 0 => Err(RestError::illegal_argument(format!(
                "failed to parse setting [{name}] with value [{text}] as a time value: negative durations are not supported"
            ))),
            Ok(count) => match (count as u64).checked_mul(*nanos) {
                Some(total) => Ok(Some(Duration::from_nanos(total))),
                None => Ok(Some(Duration::from_nanos(i64::MAX as u64))),
            },
            Err(_) if number.parse::<f64>().is_ok() => Err(RestError::illegal_argument(format!(
                "failed to parse [{text}], fractional time values are not supported"
            ))),
            Err(_) => Err(RestError::illegal_argument(format!(
                "failed to parse [{text}]"
            ))),
        };
    }
    Err(RestError::illegal_argument(format!(
        "failed to parse setting [{name}] with value [{text}] as a time value: unit is missing or unrecognized"
    )))
}

/// Reads `512mb`, `1kb`, `10b`, …, powers of 1024; `-1` and `0` need no unit.
pub fn parse_byte_size(text: &str, name: &str) -> Result<i64, RestError> {
    let normal = text.trim().to_ascii_lowercase();
    if normal == "-1" {
        return Ok(-1);
    }
    if normal == "0" {
        return Ok(0);
    }
    let units: &[(&str, u32)] = &[
        ("kb", 10),
        ("mb", 20),
        ("gb", 30),
        ("tb", 40),
        ("pb", 50),
        ("k", 10),
        ("m", 20),
        ("g", 30),
        ("t", 40),
        ("p", 50),
        ("b", 0),
    ];
    for (unit, shift) in units {
        let Some(number) = normal.strip_suffix(unit) else {
            continue;
        };
        let number = number.trim();
        let factor = (1u64 << shift) as f64;
        return match number.parse::<f64>() {
            Ok(count) if count >= 0.0 && count * factor < i64::MAX as f64 => {
                Ok((count * factor) as i64)
            }
            _ => Err(RestError::new(
                400,
                "parse_exception",
                format!("failed to parse setting [{name}] with value [{text}] as a size in bytes"),
            )),
        };
    }
    Err(RestError::new(
        400,
        "parse_exception",
        format!(
            "failed to parse setting [{name}] with value [{text}] as a size in bytes: unit is missing or unrecognized"
        ),
    ))
}

/// A size as people read it: `1.5kb`, `230b`; one digit after the point, cut, not rounded up to the next unit.
pub fn human_bytes(bytes: u64) -> String {
    const UNITS: &[(&str, u32)] = &[("pb", 50), ("tb", 40), ("gb", 30), ("mb", 20), ("kb", 10)];
    for (unit, shift) in UNITS {
        if bytes >= 1 << shift {
            return one_decimal(bytes as f64 / (1u64 << shift) as f64, unit);
        }
    }
    format!("{bytes}b")
}

/// A duration as people read it: `1.2s`, `15ms`, `3d`.
pub fn human_millis(millis: u64) -> String {
    const UNITS: &[(&str, u64)] = &[
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1_000),
    ];
    for (unit, length) in UNITS {
        if millis >= *length {
            return one_decimal(millis as f64 / *length as f64, unit);
        }
    }
    if millis == 0 {
        return "0s".to_owned();
    }
    format!("{millis}ms")
}

fn one_decimal(value: f64, unit: &str) -> String {
    let tenths = (value * 10.0).floor() as u64;
    if tenths.is_multiple_of(10) {
        format!("{}{unit}", tenths / 10)
    } else {
        format!("{}.{}{unit}", tenths / 10, tenths % 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_time_values() {
        let read = |text| parse_time_value(text, "timeout").map_err(|error| error.reason);
        assert_eq!(read("30s"), Ok(Some(Duration::from_secs(30))));
        assert_eq!(read("100ms"), Ok(Some(Duration::from_millis(100))));
        assert_eq!(read("1m"), Ok(Some(Duration::from_secs(60))));
        assert_eq!(read("0"), Ok(Some(Duration::ZERO)));
        assert_eq!(read("-1"), Ok(None));
        assert_eq!(
            read("12"),
            Err("failed to parse setting [timeout] with value [12] as a time value: unit is missing or unrecognized".to_owned())
        );
        assert!(read("1M").is_err());
        assert!(read("s").is_err());
    }

    #[test]
    fn reads_and_writes_sizes() {
        assert_eq!(parse_byte_size("512mb", "x").unwrap(), 512 << 20);
        assert_eq!(parse_byte_size("1.5kb", "x").unwrap(), 1536);
        assert!(parse_byte_size("5", "x").is_err());
        assert!(parse_byte_size("-5kb", "x").is_err());
        assert_eq!(human_bytes(1536), "1.5kb");
        assert_eq!(human_bytes(12), "12b");
        assert_eq!(human_millis(61_000), "1m");
        assert_eq!(human_millis(0), "0s");
    }
}
