//! Names with `*`.

/// Whether a text fits a pattern in which `*` stands for any characters.
pub fn simple_match(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or("");
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::simple_match;

    #[test]
    fn stars_match_anything() {
        for (pattern, text, fits) in [
            ("*", "", true),
            ("a*", "abc", true),
            ("*c", "abc", true),
            ("a*b*c", "a1b2c", true),
            ("a*b*c", "ac", false),
            ("abc", "abcd", false),
            ("", "a", false),
            ("**", "x", true),
            ("a*bc*c", "abc", false),
            ("a*b*c", "aXcYb", false),
            ("ab*ba", "aba", false),
            ("obj.*", "obj.a.b", true),
        ] {
            assert_eq!(simple_match(pattern, text), fits, "{pattern} {text}");
        }
    }
}
