//! Regular expressions as users of Java write them, run by an engine that never backtracks.

use regex_automata::meta::Regex;

use crate::schema::SchemaError;

/// Compiles a pattern with Java's flags (`CASE_INSENSITIVE|DOTALL`). Look-around and back references are refused.
pub(super) fn compile(pattern: &str, flags: Option<&str>) -> Result<Regex, SchemaError> {
    let mut inline = String::new();
    for flag in flags.unwrap_or("").split('|').filter(|f| !f.is_empty()) {
        match flag {
            "CASE_INSENSITIVE" => inline.push('i'),
            "MULTILINE" => inline.push('m'),
            "DOTALL" => inline.push('s'),
            "COMMENTS" => inline.push('x'),
            // Classes and case are Unicode's always.
            "UNICODE_CASE" | "UNICODE_CHAR_CLASS" | "UNICODE_CHARACTER_CLASS" => {}
            other => {
                return Err(SchemaError::illegal(format!(
                    "Unknown regex flag [{other}]"
                )));
            }
        }
    }
    let whole = if inline.is_empty() {
        pattern.to_owned()
    } else {
        format!("(?{inline}){pattern}")
    };
    Regex::new(&whole).map_err(|error| {
        SchemaError::new(
            "pattern_syntax_exception",
            format!("cannot use regular expression [{pattern}]: {error}"),
        )
    })
}

/// A text with matches replaced.
pub(super) struct Replaced {
    pub text: String,
    /// For each match: bytes taken, from where, and bytes put in its place.
    pub edits: Vec<(usize, usize, usize)>,
}

/// Replaces matches by a template with `$1` and `\$`; `None` when nothing matches.
pub(super) fn replace(regex: &Regex, text: &str, template: &str, all: bool) -> Option<Replaced> {
    let mut replaced = Replaced {
        text: String::new(),
        edits: Vec::new(),
    };
    let mut copied = 0;
    for captures in regex.captures_iter(text) {
        let Some(whole) = captures.get_match() else {
            continue;
        };
        replaced.text.push_str(&text[copied..whole.start()]);
        let before = replaced.text.len();
        let mut chars = template.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '\\' => replaced.text.extend(chars.next()),
                '$' => {
                    let mut group = None;
                    while let Some(digit) = chars.peek().and_then(|c| c.to_digit(10)) {
                        let next = group.unwrap_or(0) * 10 + digit as usize;
                        // As many digits as name a group that exists.
                        if group.is_some() && next >= captures.group_len() {
                            break;
                        }
                        group = Some(next);
                        chars.next();
                    }
                    match group {
                        Some(group) => {
                            if let Some(span) = captures.get_group(group) {
                                replaced.text.push_str(&text[span.start..span.end]);
                            }
                        }
                        None => replaced.text.push('$'),
                    }
                }
                c => replaced.text.push(c),
            }
        }
        replaced.edits.push((
            whole.end() - whole.start(),
            whole.start(),
            replaced.text.len() - before,
        ));
        copied = whole.end();
        if !all {
            break;
        }
    }
    if replaced.edits.is_empty() {
        return None;
    }
    replaced.text.push_str(&text[copied..]);
    Some(replaced)
}
