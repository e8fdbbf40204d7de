//! One date pattern: reading and writing.

use super::super::ValueError;
use super::Instant;
use super::civil::Parts;
use super::named;
use super::zone::{parse_offset, parse_time_zone};

/// A compiled pattern.
#[derive(Clone, Debug)]
pub(super) enum Pattern {
    /// `date_optional_time` and its strict form: ISO 8601 with parts left out from the end.
    IsoOptional {
        /// Numbers must have their full width.
        strict: bool,
        /// Print up to nine digits of the second.
        nanos: bool,
    },
    /// Milliseconds since the epoch.
    EpochMillis,
    /// Seconds since the epoch, possibly with a fraction; in microseconds when `micros`.
    EpochSecond,
    /// Microseconds since the epoch.
    EpochMicros,
    /// Letters.
    Letters(Vec<Element>),
}

/// A piece of a pattern.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Element {
    Literal(String),
    /// A number of `min` to `max` digits.
    Number(Field, usize, usize),
    /// A month or weekday by name: `full` or three letters.
    Name(Field, bool),
    AmPm,
    /// Digits after the decimal point.
    Fraction(usize, usize),
    /// `X`, `x`, `Z`: an offset; with `zulu` as `Z` when zero, with `colon` as `+01:00`.
    Offset {
        zulu: bool,
        colon: bool,
        short: bool,
    },
    /// `VV`, `z`: a zone by name.
    Zone,
    Optional(Vec<Element>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Field {
    Year,
    ShortYear,
    Month,
    Day,
    DayOfYear,
    WeekYear,
    Week,
    Weekday,
    Hour,
    /// 1 to 24: midnight is 24.
    ClockHour,
    Hour12,
    /// 0 to 11: noon and midnight are 0.
    HourOfHalf,
    Minute,
    Second,
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];

impl Pattern {
    /// Reads a built-in name or letters.
    pub fn parse(text: &str) -> Result<Pattern, ValueError> {
        let iso = |strict, nanos| Ok(Pattern::IsoOptional { strict, nanos });
        match text {
            "iso8601" | "strict_date_optional_time" => return iso(true, false),
            "strict_date_optional_time_nanos" => return iso(true, true),
            "date_optional_time" | "dateOptionalTime" => return iso(false, false),
            "epoch_millis" => return Ok(Pattern::EpochMillis),
            "epoch_second" => return Ok(Pattern::EpochSecond),
            "epoch_micros" => return Ok(Pattern::EpochMicros),
            _ => {}
        }
        if let Some((letters, strict)) = named::find(text) {
            let mut elements = compile(letters)?;
            relax(&mut elements, strict);
            return Ok(Pattern::Letters(elements));
        }
        Ok(Pattern::Letters(compile(text)?))
    }

    /// The fields of a text; `None` when it does not fit.
    pub fn read(&self, text: &str) -> Option<Parts> {
        match self {
            Pattern::IsoOptional { strict, .. } => read_iso(text, *strict),
            Pattern::EpochMillis => epoch(text, 1_000),
            Pattern::EpochSecond => epoch(text, 1),
            Pattern::EpochMicros => epoch(text, 1_000_000),
            Pattern::Letters(elements) => {
                let mut parts = Parts::default();
                let used = read_elements(elements, text, 0, &mut parts)?;
                (used == text.len()).then_some(parts)
            }
        }
    }

    /// Writes a point in time.
    pub fn write(&self, parts: &Parts, instant: Instant, out: &mut String) {
        use std::fmt::Write as _;
        // Writing to a String cannot fail.
        match self {
            Pattern::EpochMillis => {
                let _ = write!(out, "{}", instant.millis());
                let rest = instant.nanos % 1_000_000;
                if rest != 0 {
                    let _ = write!(out, ".{}", format!("{rest:06}").trim_end_matches('0'));
                }
            }
            Pattern::EpochSecond => {
                let _ = write!(out, "{}", instant.seconds);
                if instant.nanos != 0 {
                    let digits = format!("{:09}", instant.nanos);
                    let _ = write!(out, ".{}", digits.trim_end_matches('0'));
                }
            }
            Pattern::EpochMicros => {
                let micros =
                    i128::from(instant.seconds) * 1_000_000 + i128::from(instant.nanos / 1000);
                let _ = write!(out, "{micros}");
            }
            Pattern::IsoOptional { nanos, .. } => {
                write_year(parts.year.unwrap_or(1970), 4, out);
                let _ = write!(
                    out,
                    "-{:02}-{:02}T{:02}:{:02}:{:02}",
                    parts.month.unwrap_or(1),
                    parts.day.unwrap_or(1),
                    parts.hour.unwrap_or(0),
                    parts.minute.unwrap_or(0),
                    parts.second.unwrap_or(0)
                );
                let digits = format!("{:09}", instant.nanos);
                let keep = if *nanos {
                    digits.trim_end_matches('0').len().max(3)
                } else {
                    3
                };
                let _ = write!(out, ".{}", &digits[..keep]);
                write_offset(parts.offset.unwrap_or(0), true, true, false, out);
            }
            Pattern::Letters(elements) => write_elements(elements, parts, out),
        }
    }
}

/// Reads a number of units since the epoch, with an optional fraction.
fn epoch(text: &str, per_second: i64) -> Option<Parts> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let numeric = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || whole.len() > 19 || !numeric(whole) || !numeric(fraction) {
        return None;
    }
    let whole: i128 = whole.parse().ok()?;
    let per_nano = 1_000_000_000 / i128::from(per_second);
    let mut nanos = whole * per_nano;
    let mut unit = per_nano;
    for digit in fraction.bytes() {
        unit /= 10;
        nanos += i128::from(digit - b'0') * unit;
    }
    if negative {
        nanos = -nanos;
    }
    Some(Parts {
        instant: Some(Instant {
            seconds: i64::try_from(nanos.div_euclid(1_000_000_000)).ok()?,
            nanos: nanos.rem_euclid(1_000_000_000) as u32,
        }),
        ..Parts::default()
    })
}

/// Reads `yyyy[-MM[-dd[THH[:mm[:ss[.S…]]]]]][offset]`.
fn read_iso(text: &str, strict: bool) -> Option<Parts> {
    let mut parts = Parts::default();
    let mut at = 0;
    let negative = text.starts_with('-');
    if negative || text.starts_with('+') {
        at = 1;
    }
    let width = |full: usize| if strict { (full, full) } else { (1, full) };
    let (year, used) = digits(text, at, if strict { 4 } else { 1 }, 9)?;
    if strict && used > 4 && at == 0 {
        return None;
    }
    parts.year = Some(if negative {
        -(year as i64)
    } else {
        year as i64
    });
    at += used;
    let number = |separator: &str, at: &mut usize| -> Option<Option<u8>> {
        if !text[*at..].starts_with(separator) {
            return Some(None);
        }
        let (min, max) = width(2);
        let (value, used) = digits(text, *at + separator.len(), min, max)?;
        *at += separator.len() + used;
        Some(Some(value as u8))
    };
    parts.month = number("-", &mut at)?;
    if parts.month.is_some() {
        parts.day = number("-", &mut at)?;
    }
    // `2015T`, `2015-01-01T` and a time after a date.
    if text[at..].starts_with('T') {
        if at + 1 == text.len() {
            return Some(parts);
        }
        parts.day?;
        parts.hour = number("T", &mut at)?;
        parts.minute = number(":", &mut at)?;
        if parts.minute.is_some() {
            parts.second = number(":", &mut at)?;
        }
        if parts.second.is_some() && text[at..].starts_with(['.', ',']) {
            let (nanos, used) = fraction(text, at + 1, 1, 9)?;
            parts.nanos = Some(nanos);
            at += 1 + used;
        }
        let rest = &text[at..];
        if rest == "Z" || rest == "z" && !strict {
            parts.offset = Some(0);
            return Some(parts);
        }
        if !rest.is_empty() {
            let (offset, used) = parse_offset(rest)?;
            parts.offset = Some(offset);
            at += used;
        }
    }
    (at == text.len()).then_some(parts)
}

/// A number of `min` to `max` digits at a place: value and digits used.
fn digits(text: &str, at: usize, min: usize, max: usize) -> Option<(u64, usize)> {
    let bytes = text.as_bytes();
    let mut value = 0u64;
    let mut used = 0;
    while used < max
        && let Some(digit) = bytes.get(at + used)
        && digit.is_ascii_digit()
    {
        value = value * 10 + u64::from(digit - b'0');
        used += 1;
    }
    (used >= min).then_some((value, used))
}

/// Digits after a decimal point, as nanoseconds.
fn fraction(text: &str, at: usize, min: usize, max: usize) -> Option<(u32, usize)> {
    let (value, used) = digits(text, at, min, max)?;
    Some((value as u32 * 10u32.pow(9 - used as u32), used))
}

/// Levels that optional parts may be nested in each other: reading and writing go down them.
const OPTIONAL_DEPTH_MAX: usize = 32;

/// Turns letters into elements.
fn compile(letters: &str) -> Result<Vec<Element>, ValueError> {
    let chars: Vec<char> = letters.chars().collect();
    let mut stack: Vec<Vec<Element>> = vec![Vec::new()];
    let mut at = 0;
    let bad = |why: String| {
        ValueError::illegal(format!("Invalid format: [{letters}]: {why}"))
            .caused_by(ValueError::illegal(why))
    };
    while at < chars.len() {
        let c = chars[at];
        let mut end = at + 1;
        let element = match c {
            '[' => {
                if stack.len() > OPTIONAL_DEPTH_MAX {
                    return Err(bad(format!(
                        "optional parts are nested in more than {OPTIONAL_DEPTH_MAX} levels"
                    )));
                }
                stack.push(Vec::new());
                at = end;
                continue;
            }
            ']' => {
                let inner = stack.pop().unwrap_or_default();
                match stack.last_mut() {
                    Some(outer) => outer.push(Element::Optional(inner)),
                    None => {
                        return Err(bad(
                            "Pattern invalid as it contains ] without previous [".to_owned()
                        ));
                    }
                }
                at = end;
                continue;
            }
            '\'' => {
                let mut text = String::new();
                loop {
                    match chars.get(end) {
                        None => {
                            return Err(bad(format!(
                                "Pattern ends with an incomplete string literal: {letters}"
                            )));
                        }
                        Some('\'') if chars.get(end + 1) == Some(&'\'') => {
                            text.push('\'');
                            end += 2;
                        }
                        Some('\'') => break,
                        Some(c) => {
                            text.push(*c);
                            end += 1;
                        }
                    }
                }
                end += 1;
                if text.is_empty() {
                    text.push('\'');
                }
                Element::Literal(text)
            }
            c if c.is_ascii_alphabetic() => {
                while chars.get(end) == Some(&c) {
                    end += 1;
                }
                letter(c, end - at).ok_or_else(|| bad(format!("Unknown pattern letter: {c}")))?
            }
            c => Element::Literal(c.to_string()),
        };
        if let Some(top) = stack.last_mut() {
            top.push(element);
        }
        at = end;
    }
    // An optional part may stay open to the end.
    let mut elements = stack.pop().unwrap_or_default();
    while let Some(mut outer) = stack.pop() {
        outer.push(Element::Optional(elements));
        elements = outer;
    }
    Ok(elements)
}

fn letter(c: char, count: usize) -> Option<Element> {
    let number = |field| {
        Some(match count {
            1 => Element::Number(field, 1, 9),
            n => Element::Number(field, n, n),
        })
    };
    match c {
        'y' | 'u' if count == 2 => Some(Element::Number(Field::ShortYear, 2, 2)),
        'y' | 'u' => Some(Element::Number(Field::Year, count, 9)),
        'Y' if count != 2 => Some(Element::Number(Field::WeekYear, count, 9)),
        'M' | 'L' if count == 3 => Some(Element::Name(Field::Month, false)),
        'M' | 'L' if count == 4 => Some(Element::Name(Field::Month, true)),
        'M' | 'L' if count <= 2 => number(Field::Month),
        'd' if count <= 2 => number(Field::Day),
        'D' if count <= 3 => number(Field::DayOfYear),
        'w' if count <= 2 => number(Field::Week),
        'e' | 'c' if count == 1 => Some(Element::Number(Field::Weekday, 1, 1)),
        'E' if count <= 3 => Some(Element::Name(Field::Weekday, false)),
        'E' if count == 4 => Some(Element::Name(Field::Weekday, true)),
        'a' if count == 1 => Some(Element::AmPm),
        'H' if count <= 2 => number(Field::Hour),
        'h' if count <= 2 => number(Field::Hour12),
        'K' if count <= 2 => number(Field::HourOfHalf),
        'k' if count <= 2 => number(Field::ClockHour),
        'm' if count <= 2 => number(Field::Minute),
        's' if count <= 2 => number(Field::Second),
        'S' if count <= 9 => Some(Element::Fraction(count, count)),
        'X' if count <= 3 => Some(Element::Offset {
            zulu: true,
            colon: count == 3,
            short: count == 1,
        }),
        'x' if count <= 3 => Some(Element::Offset {
            zulu: false,
            colon: count == 3,
            short: count == 1,
        }),
        'Z' if count <= 3 => Some(Element::Offset {
            zulu: false,
            colon: false,
            short: false,
        }),
        'Z' if count == 5 => Some(Element::Offset {
            zulu: true,
            colon: true,
            short: false,
        }),
        'V' if count == 2 => Some(Element::Zone),
        'z' if count <= 4 => Some(Element::Zone),
        _ => None,
    }
}

/// Gives a named format its widths: fractions take 1 to 9 digits; without `strict` numbers may be shorter.
fn relax(elements: &mut [Element], strict: bool) {
    for element in elements {
        match element {
            Element::Fraction(min, max) => (*min, *max) = (1, 9),
            Element::Number(Field::Year | Field::WeekYear, min, max) => {
                if strict {
                    *max = 4;
                } else {
                    *min = 1;
                }
            }
            Element::Number(_, min, _) if !strict => *min = 1,
            Element::Offset { zulu, colon, short } => (*zulu, *colon, *short) = (true, true, false),
            Element::Optional(inner) => relax(inner, strict),
            _ => {}
        }
    }
}

fn read_elements(
    elements: &[Element],
    text: &str,
    mut at: usize,
    parts: &mut Parts,
) -> Option<usize> {
    for (index, element) in elements.iter().enumerate() {
        match element {
            Element::Literal(literal) => {
                if !text.get(at..)?.starts_with(literal.as_str()) {
                    return None;
                }
                at += literal.len();
            }
            Element::Optional(inner) => {
                let mut tried = parts.clone();
                if let Some(end) = read_elements(inner, text, at, &mut tried) {
                    *parts = tried;
                    at = end;
                }
            }
            Element::Number(field, min, max) => {
                let is_year = matches!(field, Field::Year | Field::WeekYear);
                let sign = text.as_bytes().get(at).filter(|_| is_year);
                let negative = sign == Some(&b'-');
                // A year of four letters has a plus when it has more digits, and only then.
                let is_long = *min >= 4 && sign == Some(&b'+');
                let start = at + usize::from(negative || is_long);
                // A number that touches others leaves them their digits.
                let reserved = fixed_width(&elements[index + 1..]);
                let max = match reserved {
                    0 => *max,
                    _ => run_of_digits(text, start)
                        .saturating_sub(reserved)
                        .min(*max),
                };
                let (value, used) = digits(text, start, *min, max)?;
                if is_year && *min >= 4 && !negative && (used > *min) != is_long {
                    return None;
                }
                at = start + used;
                store(*field, value, negative, parts)?;
            }
            Element::Name(field, full) => {
                let names: &[&str] = match field {
                    Field::Month => &MONTHS,
                    _ => &WEEKDAYS,
                };
                let rest = text.get(at..)?;
                let (index, used) = names.iter().enumerate().find_map(|(index, name)| {
                    let name = if *full { name } else { &name[..3] };
                    let head = rest.get(..name.len())?;
                    head.eq_ignore_ascii_case(name)
                        .then_some((index, name.len()))
                })?;
                at += used;
                match field {
                    Field::Month => parts.month = Some(index as u8 + 1),
                    _ => parts.weekday = Some(index as u8 + 1),
                }
            }
            Element::AmPm => {
                let head = text.get(at..at + 2)?;
                parts.afternoon = Some(if head.eq_ignore_ascii_case("pm") {
                    true
                } else if head.eq_ignore_ascii_case("am") {
                    false
                } else {
                    return None;
                });
                at += 2;
            }
            Element::Fraction(min, max) => {
                let (nanos, used) = fraction(text, at, *min, *max)?;
                parts.nanos = Some(nanos);
                at += used;
            }
            Element::Offset { zulu, .. } => {
                let rest = text.get(at..)?;
                if *zulu && rest.starts_with('Z') {
                    parts.offset = Some(0);
                    at += 1;
                } else {
                    let (offset, used) = parse_offset(rest)?;
                    parts.offset = Some(offset);
                    at += used;
                }
            }
            Element::Zone => {
                let rest = text.get(at..)?;
                let used = rest
                    .find(|c: char| !(c.is_ascii_alphanumeric() || "/_+-:".contains(c)))
                    .unwrap_or(rest.len());
                parts.zone = Some(parse_time_zone(&rest[..used]).ok()?);
                at += used;
            }
        }
    }
    Some(at)
}

/// Digits that the numbers at the start of a list take, as far as they are of fixed width and touch each other.
fn fixed_width(elements: &[Element]) -> usize {
    let mut width = 0;
    for element in elements {
        match element {
            Element::Number(_, min, max) | Element::Fraction(min, max) if min == max => {
                width += max;
            }
            _ => break,
        }
    }
    width
}

fn run_of_digits(text: &str, at: usize) -> usize {
    let rest = text.as_bytes().get(at..).unwrap_or_default();
    rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

fn store(field: Field, value: u64, negative: bool, parts: &mut Parts) -> Option<()> {
    let small = u8::try_from(value).ok();
    match field {
        Field::Year => {
            parts.year = Some(if negative {
                -(value as i64)
            } else {
                value as i64
            })
        }
        Field::WeekYear => {
            parts.week_year = Some(if negative {
                -(value as i64)
            } else {
                value as i64
            });
        }
        Field::ShortYear => parts.year = Some(2000 + value as i64),
        Field::DayOfYear => parts.day_of_year = Some(u16::try_from(value).ok()?),
        Field::Month => parts.month = Some(small?),
        Field::Day => parts.day = Some(small?),
        Field::Week => parts.week = Some(small?),
        Field::Weekday => parts.weekday = Some(small?),
        Field::Hour => parts.hour = Some(small?),
        Field::ClockHour => parts.hour = Some(small.filter(|h| (1..=24).contains(h))? % 24),
        Field::Hour12 => parts.hour12 = Some(small.filter(|h| (1..=12).contains(h))?),
        Field::HourOfHalf => parts.hour12 = Some(small.filter(|h| *h <= 11)?),
        Field::Minute => parts.minute = Some(small?),
        Field::Second => parts.second = Some(small?),
    }
    Some(())
}

fn write_year(year: i64, width: usize, out: &mut String) {
    use std::fmt::Write as _;
    if year < 0 {
        out.push('-');
    } else if year > 9999 && width == 4 {
        out.push('+');
    }
    let _ = write!(out, "{:0width$}", year.abs());
}

fn write_offset(seconds: i32, zulu: bool, colon: bool, short: bool, out: &mut String) {
    use std::fmt::Write as _;
    if zulu && seconds == 0 {
        out.push('Z');
        return;
    }
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.abs() / 60;
    let _ = write!(out, "{sign}{:02}", minutes / 60);
    if short && minutes % 60 == 0 {
        return;
    }
    if colon {
        out.push(':');
    }
    let _ = write!(out, "{:02}", minutes % 60);
}

fn write_elements(elements: &[Element], parts: &Parts, out: &mut String) {
    use std::fmt::Write as _;
    for element in elements {
        match element {
            Element::Literal(text) => out.push_str(text),
            Element::Optional(inner) => write_elements(inner, parts, out),
            Element::Number(field, min, max) => {
                let width = if max > min && *max < 9 { *max } else { *min };
                let value = match field {
                    Field::Year => {
                        write_year(parts.year.unwrap_or(1970), (*min).max(width), out);
                        continue;
                    }
                    Field::WeekYear => {
                        write_year(parts.week_year.unwrap_or(1970), *min, out);
                        continue;
                    }
                    Field::ShortYear => parts.year.unwrap_or(1970).rem_euclid(100),
                    Field::Month => i64::from(parts.month.unwrap_or(1)),
                    Field::Day => i64::from(parts.day.unwrap_or(1)),
                    Field::DayOfYear => i64::from(parts.day_of_year.unwrap_or(1)),
                    Field::Week => i64::from(parts.week.unwrap_or(1)),
                    Field::Weekday => i64::from(parts.weekday.unwrap_or(1)),
                    Field::Hour => i64::from(parts.hour.unwrap_or(0)),
                    Field::ClockHour => match parts.hour {
                        None | Some(0) => 24,
                        Some(hour) => i64::from(hour),
                    },
                    Field::Hour12 => i64::from(parts.hour12.unwrap_or(12)),
                    Field::HourOfHalf => i64::from(parts.hour12.unwrap_or(12) % 12),
                    Field::Minute => i64::from(parts.minute.unwrap_or(0)),
                    Field::Second => i64::from(parts.second.unwrap_or(0)),
                };
                let _ = write!(out, "{value:0width$}");
            }
            Element::Name(field, full) => {
                let name = match field {
                    Field::Month => MONTHS[usize::from(parts.month.unwrap_or(1).clamp(1, 12)) - 1],
                    _ => WEEKDAYS[usize::from(parts.weekday.unwrap_or(1).clamp(1, 7)) - 1],
                };
                out.push_str(if *full { name } else { &name[..3] });
            }
            Element::AmPm => out.push_str(if parts.afternoon == Some(true) {
                "PM"
            } else {
                "AM"
            }),
            Element::Fraction(min, max) => {
                let digits = format!("{:09}", parts.nanos.unwrap_or(0));
                let keep = if min == max { *max } else { 3 };
                out.push_str(&digits[..keep]);
            }
            Element::Offset { zulu, colon, short } => {
                write_offset(parts.offset.unwrap_or(0), *zulu, *colon, *short, out);
            }
            Element::Zone => match parts.zone.as_ref().and_then(|zone| zone.iana_name()) {
                Some(name) => out.push_str(name),
                None => write_offset(parts.offset.unwrap_or(0), true, true, false, out),
            },
        }
    }
}
