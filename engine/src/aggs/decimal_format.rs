//! Numbers by a pattern of Java's `DecimalFormat`: `#,##0.00`, `0.#E0`, `Value is ##0.0`, `0%`, `pos;(neg)`.

/// A parsed pattern.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DecimalFormat {
    prefix: String,
    suffix: String,
    negative: Option<(String, String)>,
    min_whole: usize,
    min_fraction: usize,
    max_fraction: usize,
    /// Digits per group; 0: none.
    group: usize,
    scale: f64,
    /// Fewest digits of the exponent, when there is one.
    exponent: Option<usize>,
    max_whole: usize,
}

impl DecimalFormat {
    /// Reads a pattern; the error is a sentence for the user.
    pub fn parse(pattern: &str) -> Result<DecimalFormat, String> {
        let (positive, negative) = split_at_semicolon(pattern);
        let mut format = parse_part(&positive, pattern)?;
        if let Some(negative) = negative {
            let part = parse_part(&negative, pattern)?;
            format.negative = Some((part.prefix, part.suffix));
        }
        Ok(format)
    }

    /// The number as text.
    pub fn show(&self, value: f64) -> String {
        if value.is_nan() {
            return "NaN".to_owned();
        }
        let negative = value.is_sign_negative();
        let digits = if value.is_infinite() {
            "∞".to_owned()
        } else if let Some(exponent) = self.exponent {
            self.scientific(value.abs() * self.scale, exponent)
        } else {
            self.plain(value.abs() * self.scale)
        };
        let (prefix, suffix) = match (&self.negative, negative) {
            (_, false) => (self.prefix.clone(), self.suffix.as_str()),
            (Some((prefix, suffix)), true) => (prefix.clone(), suffix.as_str()),
            (None, true) => (format!("-{}", self.prefix), self.suffix.as_str()),
        };
        format!("{prefix}{digits}{suffix}")
    }

    fn plain(&self, value: f64) -> String {
        let rounded = round_half_even(value, self.max_fraction);
        let (whole, fraction) = match rounded.split_once('.') {
            Some((whole, fraction)) => (whole.to_owned(), fraction.to_owned()),
            None => (rounded, String::new()),
        };
        let mut fraction = fraction;
        while fraction.len() > self.min_fraction && fraction.ends_with('0') {
            fraction.pop();
        }
        let mut whole = whole.trim_start_matches('0').to_owned();
        while whole.len() < self.min_whole {
            whole.insert(0, '0');
        }
        if whole.is_empty() && fraction.is_empty() {
            whole.push('0');
        }
        if self.group > 0 {
            let mut at = whole.len();
            while at > self.group {
                at -= self.group;
                whole.insert(at, ',');
            }
        }
        if fraction.is_empty() {
            whole
        } else {
            format!("{whole}.{fraction}")
        }
    }

    fn scientific(&self, value: f64, exponent_digits: usize) -> String {
        let mut exponent = if value == 0.0 {
            0
        } else {
            value.log10().floor() as i32
        };
        if self.max_whole > self.min_whole && self.max_whole > 1 {
            exponent -= exponent.rem_euclid(self.max_whole as i32);
        } else {
            exponent -= self.min_whole.max(1) as i32 - 1;
        }
        let mantissa = DecimalFormat {
            group: 0,
            exponent: None,
            ..self.clone()
        }
        .plain(value / 10f64.powi(exponent));
        let sign = if exponent < 0 { "-" } else { "" };
        format!(
            "{mantissa}E{sign}{:0width$}",
            exponent.abs(),
            width = exponent_digits
        )
    }
}

/// Rounds to so many digits behind the point; a tie goes to the even neighbour. The decimal digits of the double
/// decide, as they do in Java.
fn round_half_even(value: f64, digits: usize) -> String {
    // the standard library prints correctly rounded digits, ties to even
    format!("{value:.digits$}")
}

fn split_at_semicolon(pattern: &str) -> (String, Option<String>) {
    let mut quoted = false;
    for (at, c) in pattern.char_indices() {
        match c {
            '\'' => quoted = !quoted,
            ';' if !quoted => {
                return (pattern[..at].to_owned(), Some(pattern[at + 1..].to_owned()));
            }
            _ => {}
        }
    }
    (pattern.to_owned(), None)
}

fn parse_part(part: &str, whole_pattern: &str) -> Result<DecimalFormat, String> {
    let mut format = DecimalFormat {
        prefix: String::new(),
        suffix: String::new(),
        negative: None,
        min_whole: 0,
        min_fraction: 0,
        max_fraction: 0,
        group: 0,
        scale: 1.0,
        exponent: None,
        max_whole: 0,
    };
    let mut digits = String::new();
    let mut quoted = false;
    let mut chars = part.chars().peekable();
    // 0: before the digits, 1: in them, 2: behind
    let mut phase = 0;
    while let Some(c) = chars.next() {
        let affix = if phase == 0 {
            &mut format.prefix
        } else {
            &mut format.suffix
        };
        if c == '\'' {
            if chars.peek() == Some(&'\'') {
                chars.next();
                affix.push('\'');
            } else {
                quoted = !quoted;
            }
            continue;
        }
        if quoted {
            if phase == 1 {
                phase = 2;
            }
            if phase == 0 {
                format.prefix.push(c)
            } else {
                format.suffix.push(c)
            }
            continue;
        }
        match c {
            '#' | '0' | ',' | '.' if phase < 2 => {
                phase = 1;
                digits.push(c);
            }
            'E' if phase == 1 && chars.peek() == Some(&'0') => {
                let mut count = 0;
                while chars.peek() == Some(&'0') {
                    chars.next();
                    count += 1;
                }
                format.exponent = Some(count);
                phase = 2;
            }
            '%' => {
                format.scale = 100.0;
                if phase == 0 {
                    format.prefix.push(c)
                } else {
                    phase = 2;
                    format.suffix.push(c)
                }
            }
            '\u{2030}' => {
                format.scale = 1000.0;
                if phase == 0 {
                    format.prefix.push(c)
                } else {
                    phase = 2;
                    format.suffix.push(c)
                }
            }
            '#' | '0' | ',' | '.' => {
                return Err(format!(
                    "Unquoted special character '{c}' in pattern \"{whole_pattern}\""
                ));
            }
            other => {
                if phase == 0 {
                    format.prefix.push(other)
                } else {
                    phase = 2;
                    format.suffix.push(other)
                }
            }
        }
    }
    let (whole, fraction) = match digits.split_once('.') {
        Some((whole, fraction)) => (whole, fraction),
        None => (digits.as_str(), ""),
    };
    if fraction.contains('.') {
        return Err(format!(
            "Multiple decimal separators in pattern \"{whole_pattern}\""
        ));
    }
    if fraction.contains(',') || whole.ends_with(',') {
        return Err(format!("Malformed pattern \"{whole_pattern}\""));
    }
    if let Some(at) = whole.rfind(',') {
        format.group = whole.len() - at - 1;
    }
    format.min_whole = whole.matches('0').count();
    format.max_whole = whole.len() - whole.matches(',').count();
    format.min_fraction = fraction.matches('0').count();
    format.max_fraction = fraction.len();
    if digits.is_empty() {
        // text alone shows the number as it is
        format.max_fraction = 340;
    }
    Ok(format)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_show_numbers() {
        for (pattern, value, expected) in [
            ("Value is ##0.0", 0.0, "Value is 0.0"),
            ("Value is ##0.0", 150.0, "Value is 150.0"),
            ("0.00", 1.0, "1.00"),
            ("#,##0.##", 1234567.891, "1,234,567.89"),
            ("0000", 42.0, "0042"),
            ("#", 0.0, "0"),
            ("0%", 0.25, "25%"),
            ("0.0;(0.0)", -1.5, "(1.5)"),
            ("$0.00", -1.5, "-$1.50"),
            ("0.0", 0.25, "0.2"),
            ("0.##E0", 12345.0, "1.23E4"),
        ] {
            assert_eq!(
                DecimalFormat::parse(pattern).unwrap().show(value),
                expected,
                "{pattern} {value}"
            );
        }
    }

    #[test]
    fn broken_patterns_are_refused() {
        for pattern in ["0.0.0", "0,0.0,0"] {
            assert!(DecimalFormat::parse(pattern).is_err(), "{pattern}");
        }
    }
}
