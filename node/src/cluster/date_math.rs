//! Index names with dates in them: `<logs-{now/d{yyyy.MM.dd|+01:00}}>`.

use quidditch_engine::schema::dates;

use super::error::StateError;

/// The name that an expression means at `now_ms`; what is not in angle brackets means itself.
///
/// Inside, `{math}`, `{math{pattern}}` and `{math{pattern|zone}}` become dates; `\` takes a brace's meaning away.
pub fn expand(expression: &str, now_ms: i64) -> Result<String, StateError> {
    let Some(inner) = expression
        .strip_prefix('<')
        .and_then(|rest| rest.strip_suffix('>'))
    else {
        return Ok(expression.to_owned());
    };
    let invalid = |why: String| {
        StateError::new(
            400,
            "parse_exception",
            format!("invalid dynamic name expression [{inner}]. {why}"),
        )
    };
    let mut name = String::with_capacity(inner.len());
    let mut date = String::new();
    let mut depth = 0;
    let mut chars = inner.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some((_, next @ ('{' | '}'))) if depth == 0 => name.push(next),
                Some((_, next)) => {
                    let target = if depth == 0 { &mut name } else { &mut date };
                    target.push('\\');
                    target.push(next);
                }
                None => name.push('\\'),
            },
            '{' => {
                if depth > 0 {
                    date.push(c);
                }
                depth += 1;
            }
            '}' => match depth {
                0 => {
                    return Err(invalid(format!(
                        "invalid character at position [{at}]. `{{` and `}}` are reserved characters and should be escaped when used as part of the index name using `\\` (e.g. `\\{{text\\}}`)"
                    )));
                }
                1 => {
                    depth = 0;
                    name.push_str(&format_date(&date, now_ms).map_err(&invalid)?);
                    date.clear();
                }
                _ => {
                    depth -= 1;
                    date.push(c);
                }
            },
            _ if depth > 0 => date.push(c),
            _ => name.push(c),
        }
    }
    if depth > 0 {
        return Err(invalid("date math placeholder is open ended".to_owned()));
    }
    if name.is_empty() {
        return Err(StateError::new(400, "parse_exception", "nothing captured"));
    }
    Ok(name)
}

/// One `math{pattern|zone}` as text.
fn format_date(text: &str, now_ms: i64) -> Result<String, String> {
    let (math, rest) = match text.split_once('{') {
        None => (text, None),
        Some((math, rest)) => {
            let Some(rest) = rest.strip_suffix('}') else {
                return Err(format!(
                    "missing closing `}}` for date math format in [{text}]"
                ));
            };
            if rest.is_empty() {
                return Err("missing date format".to_owned());
            }
            (math, Some(rest))
        }
    };
    let (pattern, zone) = match rest.map(|rest| rest.split_once('|')) {
        None => ("yyyy.MM.dd", None),
        Some(None) => (rest.unwrap_or_default(), None),
        Some(Some((pattern, zone))) => (pattern, Some(zone)),
    };
    let format = dates::DateFormat::parse(pattern).map_err(|err| err.to_string())?;
    let ms = dates::DateFormat::parse("strict_date_optional_time||epoch_millis")
        .and_then(|plain| plain.parse_math(math, now_ms, false, zone))
        .map_err(|err| err.to_string())?;
    format.format(ms, zone).map_err(|err| err.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_become_part_of_names() {
        // 2024-03-22T23:30:00Z
        let now = 1_711_150_200_000;
        for (expression, name) in [
            ("plain", "plain"),
            ("<static>", "static"),
            ("<logs-{now/d}>", "logs-2024.03.22"),
            ("<logs-{now/M{yyyy.MM}}>", "logs-2024.03"),
            ("<logs-{now/d-1d}-x>", "logs-2024.03.21-x"),
            ("<logs-{now/d{yyyy.MM.dd|+01:00}}>", "logs-2024.03.23"),
            ("<a\\{b\\}-{now/d}>", "a{b}-2024.03.22"),
        ] {
            assert_eq!(expand(expression, now).unwrap(), name, "{expression}");
        }
        for bad in ["<a-{now/d>", "<a-}>", "<a-{now/d{}}>", "<>"] {
            assert_eq!(
                expand(bad, now).unwrap_err().kind,
                "parse_exception",
                "{bad}"
            );
        }
    }
}
