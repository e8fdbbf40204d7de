//! Times, sizes and ratios as settings write them, and what a setting accepts.

use super::error::StateError;
use super::settings::DEPTH_MAX;

/// What a setting's value has to be.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// `true` or `false`.
    Bool,
    /// A whole number within bounds, both included.
    Int(i64, i64),
    /// A number, at least.
    Float(f64),
    /// A time with its unit, at least so many ms; `-1` where the bound is -1.
    Time(i64),
    /// A size with its unit; `-1` where allowed.
    Bytes {
        /// Least value.
        min: i64,
    },
    /// A size or a percentage (`85%`, `0.85`).
    BytesOrRatio,
    /// One of these words, capitals aside.
    Choice(&'static [&'static str]),
    /// `true`, `false` or a list of patterns.
    BoolOrPatterns,
    /// `0-1`, `0-all`, `false`.
    AutoExpand,
    /// How many copies: a whole number from 0, or `all`.
    ActiveShards,
    /// Any text.
    Text,
    /// Any list of texts.
    List,
}

/// One setting a user can write.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Full name; `*` at the end stands for a group.
    pub key: &'static str,
    /// Its value while nobody sets it; empty means none.
    pub default: &'static str,
    /// What it accepts.
    pub kind: Kind,
    /// When it may change.
    pub scope: Scope,
}

/// When a setting may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Any time.
    Dynamic,
    /// At creation, or while the index is closed; for a cluster setting: in the configuration file only.
    Static,
    /// At creation only.
    Final,
    /// Never by a user.
    Private,
    /// Known, but only its default is carried out here; any other value is refused.
    Unsupported,
}

impl Setting {
    /// Whether a key is this setting, or of its group.
    pub fn covers(&self, key: &str) -> bool {
        match self.key.strip_suffix('*') {
            // a key without end is no setting of anybody's: settings are shown level by level
            Some(prefix) => {
                key.len() > prefix.len()
                    && key.starts_with(prefix)
                    && key.matches('.').count() < DEPTH_MAX
            }
            None => match key.strip_prefix(self.key) {
                Some("") => true,
                Some(rest) => {
                    matches!(self.kind, Kind::List | Kind::BoolOrPatterns)
                        && rest
                            .strip_prefix('.')
                            .is_some_and(|number| number.parse::<u32>().is_ok())
                }
                None => false,
            },
        }
    }

    /// Checks one value, in OpenSearch's words.
    pub fn check(&self, key: &str, value: &str) -> Result<(), StateError> {
        let failed = || {
            StateError::illegal_argument(format!(
                "Failed to parse value [{value}] for setting [{key}]"
            ))
        };
        match self.kind {
            Kind::Bool => parse_bool(value).map(|_| ()),
            Kind::Int(min, max) => {
                let number: i64 = value.parse().map_err(|_| {
                    failed().caused_by(StateError::new(
                        400,
                        "number_format_exception",
                        format!("For input string: \"{value}\""),
                    ))
                })?;
                if number < min {
                    return Err(StateError::illegal_argument(format!(
                        "Failed to parse value [{value}] for setting [{key}] must be >= {min}"
                    )));
                }
                if number > max {
                    return Err(StateError::illegal_argument(format!(
                        "Failed to parse value [{value}] for setting [{key}] must be <= {max}"
                    )));
                }
                Ok(())
            }
            Kind::Float(min) => {
                let number: f64 = value.parse().map_err(|_| failed())?;
                if number.is_nan() || number < min {
                    return Err(StateError::illegal_argument(format!(
                        "Failed to parse value [{value}] for setting [{key}] must be >= {min:?}"
                    )));
                }
                Ok(())
            }
            Kind::Time(min) => {
                let ms = parse_time_ms(value, key)?;
                if ms < min {
                    return Err(StateError::illegal_argument(format!(
                        "failed to parse value [{value}] for setting [{key}], must be >= [{}]",
                        show_ms(min)
                    )));
                }
                Ok(())
            }
            Kind::Bytes { min } => {
                let bytes = parse_bytes(value, key)?;
                if bytes < min {
                    return Err(StateError::illegal_argument(format!(
                        "failed to parse value [{value}] for setting [{key}], must be >= [{min}b]"
                    )));
                }
                Ok(())
            }
            Kind::BytesOrRatio => {
                if let Some(percent) = value.strip_suffix('%') {
                    return match percent.trim().parse::<f64>() {
                        Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(()),
                        _ => Err(failed()),
                    };
                }
                match value.parse::<f64>() {
                    Ok(ratio) if (0.0..=1.0).contains(&ratio) => Ok(()),
                    _ => parse_bytes(value, key).map(|_| ()),
                }
            }
            Kind::Choice(words) => {
                if words.iter().any(|word| word.eq_ignore_ascii_case(value)) {
                    return Ok(());
                }
                Err(StateError::illegal_argument(format!(
                    "unknown value [{value}] for setting [{key}], must be one of [{}]",
                    words.join(", ")
                )))
            }
            Kind::ActiveShards => match value {
                "all" => Ok(()),
                count => match count.parse::<u32>() {
                    Ok(_) => Ok(()),
                    Err(_) => Err(StateError::illegal_argument(format!(
                        "cannot parse ActiveShardCount[{count}]"
                    ))),
                },
            },
            Kind::AutoExpand => {
                let valid = value == "false"
                    || value.split_once('-').is_some_and(|(min, max)| {
                        match (min.parse::<u32>(), max.parse::<u32>()) {
                            (Ok(min), Ok(max)) => min <= max,
                            (Ok(_), Err(_)) => max == "all",
                            _ => false,
                        }
                    });
                if valid {
                    Ok(())
                } else {
                    Err(StateError::illegal_argument(format!(
                        "failed to parse [{key}] from value: [{value}] at index -1"
                    )))
                }
            }
            Kind::Text | Kind::List | Kind::BoolOrPatterns => Ok(()),
        }
    }
}

/// The row of a table that a key belongs to.
pub fn find<'a>(table: &'a [Setting], key: &str) -> Option<&'a Setting> {
    table.iter().find(|setting| setting.covers(key))
}

/// The refusal of an unknown key, with a guess at what was meant.
pub fn unknown(table: &[Setting], key: &str) -> StateError {
    let mut close: Vec<(f32, &str)> = Vec::new();
    for setting in table {
        let similarity = similarity(key, setting.key);
        if similarity > 0.7 {
            close.push((similarity, setting.key));
        }
    }
    close.sort_by(|a, b| b.0.total_cmp(&a.0));
    let hint = match close.as_slice() {
        [] => " please check that any required plugins are installed, or check the breaking changes documentation for removed settings".to_owned(),
        [(_, one)] => format!(" did you mean [{one}]?"),
        many => {
            let names: Vec<&str> = many.iter().take(5).map(|(_, name)| *name).collect();
            format!(" did you mean any of [{}]?", names.join(", "))
        }
    };
    StateError::illegal_argument(format!("unknown setting [{key}]{hint}"))
}

/// 1 for equal texts, down to 0: edit distance by the longer length.
fn similarity(a: &str, b: &str) -> f32 {
    let a: Vec<char> = a.chars().take(200).collect();
    let b: Vec<char> = b.chars().take(200).collect();
    let longer = a.len().max(b.len());
    if longer == 0 {
        return 1.0;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(left != right);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    1.0 - row[b.len()] as f32 / longer as f32
}

/// `true` or `false`, nothing else.
pub fn parse_bool(value: &str) -> Result<bool, StateError> {
    match value {
        "true" => Ok(true),
        "false" => Ok(false),
        other => Err(StateError::illegal_argument(format!(
            "Failed to parse value [{other}] as only [true] or [false] are allowed."
        ))),
    }
}

/// A time in ms: `30s`, `1m`, `0`, `-1`. Whole numbers only; below a ms is cut off.
///
/// * `key`: for the refusal, the setting or parameter.
pub fn parse_time_ms(text: &str, key: &str) -> Result<i64, StateError> {
    let Some(nanos) = parse_time_nanos(text, key)? else {
        return Ok(-1);
    };
    Ok(i64::try_from(nanos / 1_000_000).unwrap_or(i64::MAX))
}

/// A time in ns; `None` for `-1`, alone or with a unit: no limit.
pub fn parse_time_nanos(text: &str, key: &str) -> Result<Option<u128>, StateError> {
    let text = text.trim();
    if text == "-1" {
        return Ok(None);
    }
    if !text.is_empty() && text.bytes().all(|byte| byte == b'0') {
        return Ok(Some(0));
    }
    let lower = text.to_ascii_lowercase();
    let split = lower
        .find(|c: char| c.is_ascii_alphabetic())
        .unwrap_or(lower.len());
    let (number, unit) = lower.split_at(split);
    let unit_nanos: u128 = match unit.trim() {
        "nanos" => 1,
        "micros" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        // `M` means months to some, and nothing here
        "m" if text.ends_with('m') => 60_000_000_000,
        "h" => 3_600_000_000_000,
        "d" => 86_400_000_000_000,
        _ => {
            return Err(StateError::illegal_argument(format!(
                "failed to parse setting [{key}] with value [{text}] as a time value: unit is missing or unrecognized"
            )));
        }
    };
    let number: i64 = number.trim().parse().map_err(|_| {
        if number.contains('.') {
            StateError::illegal_argument(format!(
                "failed to parse [{text}], fractional time values are not supported"
            ))
        } else {
            StateError::illegal_argument(format!("failed to parse [{text}]"))
        }
    })?;
    match u128::try_from(number) {
        Ok(number) => Ok(Some(number * unit_nanos)),
        Err(_) if number == -1 => Ok(None),
        Err(_) => Err(StateError::illegal_argument(format!(
            "failed to parse setting [{key}] with value [{text}] as a time value: negative durations are not supported"
        ))),
    }
}

/// A size in bytes: `10mb`, `1.5gb`, `0`, `-1`; units are powers of 1024.
pub fn parse_bytes(text: &str, key: &str) -> Result<i64, StateError> {
    let text = text.trim();
    if text == "-1" {
        return Ok(-1);
    }
    if text == "0" {
        return Ok(0);
    }
    let lower = text.to_ascii_lowercase();
    let split = lower
        .find(|c: char| c.is_ascii_alphabetic())
        .unwrap_or(lower.len());
    let (number, unit) = lower.split_at(split);
    let factor: i64 = match unit.trim() {
        "b" => 1,
        "k" | "kb" => 1 << 10,
        "m" | "mb" => 1 << 20,
        "g" | "gb" => 1 << 30,
        "t" | "tb" => 1 << 40,
        "p" | "pb" => 1 << 50,
        _ => {
            return Err(StateError::illegal_argument(format!(
                "failed to parse setting [{key}] with value [{text}] as a size in bytes: unit is missing or unrecognized"
            )));
        }
    };
    let number = number.trim();
    if let Ok(whole) = number.parse::<i64>() {
        if whole < -1 || (whole == -1 && unit.trim() != "b") {
            return Err(StateError::illegal_argument(format!(
                "Values less than -1 bytes are not supported: {whole}{unit}"
            )));
        }
        return Ok(whole.saturating_mul(factor));
    }
    match number.parse::<f64>() {
        Ok(part) if part >= 0.0 => Ok((part * factor as f64) as i64),
        _ => Err(StateError::illegal_argument(format!(
            "failed to parse setting [{key}] with value [{text}]"
        ))),
    }
}

/// A time as settings show it: the largest unit that leaves at most one decimal.
pub fn show_ms(ms: i64) -> String {
    if ms < 0 {
        return ms.to_string();
    }
    let value = ms as f64;
    let (number, unit) = match ms {
        0..1_000 => {
            return if ms == 0 {
                "0s".to_owned()
            } else {
                format!("{ms}ms")
            };
        }
        1_000..60_000 => (value / 1_000.0, "s"),
        60_000..3_600_000 => (value / 60_000.0, "m"),
        3_600_000..86_400_000 => (value / 3_600_000.0, "h"),
        _ => (value / 86_400_000.0, "d"),
    };
    with_unit(number, unit)
}

/// A size as answers show it: `1.2kb`, one decimal at most, cut off.
pub fn show_bytes(bytes: u64) -> String {
    let value = bytes as f64;
    for (power, unit) in [(50, "pb"), (40, "tb"), (30, "gb"), (20, "mb"), (10, "kb")] {
        if bytes >> power > 0 {
            return with_unit(value / (1u64 << power) as f64, unit);
        }
    }
    format!("{bytes}b")
}

fn with_unit(number: f64, unit: &str) -> String {
    let tenths = (number * 10.0).floor() as i64;
    if tenths % 10 == 0 {
        format!("{}{unit}", tenths / 10)
    } else {
        format!("{}.{}{unit}", tenths / 10, tenths % 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_are_read_and_shown() {
        for (text, ms) in [
            ("1s", 1_000),
            ("000", 0),
            ("-1s", -1),
            ("2m", 120_000),
            ("-1", -1),
            ("0", 0),
            ("5MS", 5),
            ("1d", 86_400_000),
        ] {
            assert_eq!(parse_time_ms(text, "k").unwrap(), ms, "{text}");
        }
        for text in ["1", "x", "1.5s", "-5s", "s"] {
            assert!(parse_time_ms(text, "k").is_err(), "{text}");
        }
        for (text, bytes) in [
            ("1kb", 1_024),
            ("1.5k", 1_536),
            ("512mb", 512 << 20),
            ("0", 0),
            ("7b", 7),
        ] {
            assert_eq!(parse_bytes(text, "k").unwrap(), bytes, "{text}");
        }
        assert_eq!(show_bytes(1_536), "1.5kb");
        assert_eq!(show_bytes(208), "208b");
        assert_eq!(show_ms(90_000), "1.5m");
        assert_eq!(show_ms(30_000), "30s");
    }

    #[test]
    fn bounds_speak_as_the_reference_does() {
        let shards = Setting {
            key: "index.number_of_shards",
            default: "1",
            kind: Kind::Int(1, 1024),
            scope: Scope::Final,
        };
        let refused = |value| shards.check(shards.key, value).unwrap_err().reason;
        assert_eq!(
            refused("0"),
            "Failed to parse value [0] for setting [index.number_of_shards] must be >= 1"
        );
        assert_eq!(
            refused("x"),
            "Failed to parse value [x] for setting [index.number_of_shards]"
        );
        let table = [shards];
        assert_eq!(
            unknown(&table, "index.number_of_shard").reason,
            "unknown setting [index.number_of_shard] did you mean [index.number_of_shards]?"
        );
    }
}
