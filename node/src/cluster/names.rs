//! What indices and aliases may be called.

use super::error::StateError;

/// Whether `*` wildcards of a pattern cover a text. Nothing else is special.
pub use quidditch_engine::schema::simple_match as matches_pattern;

/// Longest name of an index, in bytes of UTF-8.
pub const NAME_BYTES_MAX: usize = 255;
/// What no name may hold.
const FORBIDDEN: [char; 10] = ['\\', '/', '*', '?', '"', '<', '>', '|', ' ', ','];

/// Checks the name of a new index.
pub fn validate_index_name(name: &str) -> Result<(), StateError> {
    check(name, true)?;
    if name.to_lowercase() != name {
        return Err(StateError::invalid_index_name(name, "must be lowercase"));
    }
    Ok(())
}

/// Checks the name of an alias: as an index's, but capitals are allowed.
pub fn validate_alias_name(name: &str) -> Result<(), StateError> {
    if name.is_empty() {
        return Err(StateError::illegal_argument("alias name is required"));
    }
    check(name, false)
}

fn check(name: &str, is_index: bool) -> Result<(), StateError> {
    let invalid = |why: &str| {
        if is_index {
            StateError::invalid_index_name(name, why)
        } else {
            StateError::new(
                400,
                "invalid_alias_name_exception",
                format!("Invalid alias name [{name}], {why}"),
            )
            .with("index", name)
            .with("index_uuid", "_na_")
        }
    };
    if name.contains(FORBIDDEN) {
        return Err(invalid(
            "must not contain the following characters [ , \", *, \\, <, |, ,, >, /, ?]",
        ));
    }
    if name.is_empty() {
        return Err(invalid("must not be empty"));
    }
    if name.contains('#') {
        return Err(invalid("must not contain '#'"));
    }
    if name.contains(':') {
        return Err(invalid("must not contain ':'"));
    }
    if name.starts_with(['_', '-', '+']) {
        return Err(invalid("must not start with '_', '-', or '+'"));
    }
    if name.len() > NAME_BYTES_MAX {
        return Err(invalid(&format!(
            "index name is too long, ({} > {NAME_BYTES_MAX})",
            name.len()
        )));
    }
    if name == "." || name == ".." {
        return Err(invalid("must not be '.' or '..'"));
    }
    Ok(())
}

/// Whether some text is covered by both patterns.
pub fn patterns_meet(a: &str, b: &str) -> bool {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    // reach[j]: whether a[..i] and b[..j] can have covered the same text.
    let mut reach = vec![false; b.len() + 1];
    reach[0] = true;
    for j in 0..b.len() {
        reach[j + 1] = reach[j] && b[j] == '*';
    }
    for &left in &a {
        let mut next = vec![false; b.len() + 1];
        next[0] = reach[0] && left == '*';
        for j in 0..b.len() {
            let right = b[j];
            next[j + 1] = if left == '*' || right == '*' {
                (reach[j + 1] || next[j]) && (left == '*' || right == '*') || reach[j]
            } else {
                reach[j] && left == right
            };
        }
        reach = next;
    }
    reach[b.len()]
}

/// Whether two templates of these patterns and one priority would compete for an index.
///
/// Of two patterns with several wildcards each, only those count where one covers the other: the literal parts
/// between their wildcards tell them apart in practice.
pub fn patterns_compete(a: &str, b: &str) -> bool {
    let is_multiple = |pattern: &str| pattern.matches('*').count() > 1;
    if is_multiple(a) && is_multiple(b) {
        return matches_pattern(a, b) || matches_pattern(b, a);
    }
    patterns_meet(a, b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_cover_texts() {
        for (pattern, text, covered) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("a*", "ab", true),
            ("*b", "ab", true),
            ("a*b", "a", false),
            ("a*a", "a", false),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "aXcYb", false),
            ("*", "", true),
            ("**", "x", true),
            ("a*bc*c", "abc", false),
        ] {
            assert_eq!(
                matches_pattern(pattern, text),
                covered,
                "{pattern} over {text}"
            );
        }
    }

    #[test]
    fn patterns_meet_when_a_text_fits_both() {
        for (a, b, meet) in [
            ("a*", "*b", true),
            ("a*", "b*", false),
            ("logs-*", "logs-app-*", true),
            ("*", "x", true),
            ("ab", "ab", true),
            ("ab", "a", false),
            ("a*c", "ab*d", false),
            ("", "*", true),
        ] {
            assert_eq!(patterns_meet(a, b), meet, "{a} and {b}");
            assert_eq!(patterns_meet(b, a), meet, "{b} and {a}");
        }
    }

    #[test]
    fn names_are_refused_with_the_reason() {
        for (name, why) in [
            ("A", "must be lowercase"),
            ("_a", "must not start with '_', '-', or '+'"),
            ("a#", "must not contain '#'"),
            ("a:b", "must not contain ':'"),
            ("..", "must not be '.' or '..'"),
            (
                "a b",
                "must not contain the following characters [ , \", *, \\, <, |, ,, >, /, ?]",
            ),
        ] {
            let refused = validate_index_name(name).unwrap_err();
            assert_eq!(
                refused.reason,
                format!("Invalid index name [{name}], {why}")
            );
            assert_eq!(refused.status, 400);
        }
        assert!(validate_index_name(&"a".repeat(256)).is_err());
        assert!(validate_index_name(".hidden-ü").is_ok());
        assert!(validate_alias_name("Alias").is_ok());
    }
}
