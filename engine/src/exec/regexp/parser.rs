//! Reads regular expressions and wildcards.
//!
//! The grammar, strongest last: `a|b`, `a&b`, `ab`, `a?` `a*` `a+` `a{n}` `a{n,}` `a{n,m}`, `~a`, then `[...]` `[^...]` `.`
//! `#` `@` `"..."` `(...)` `<n-m>`, a backslash before a character that shall stand for itself, and the classes `\d \D \w \W
//! \s \S`.

use super::{Builder, Expression};
use crate::query::RegexpFlags;

/// Deepest nesting of parentheses and complements.
const DEPTH_MAX: usize = 100;
/// Most expressions that one text may come down to.
const EXPRESSIONS_MAX: usize = 5_000;

/// Reads a regular expression. The error is a reason in words.
pub(crate) fn parse(
    builder: &mut Builder,
    text: &str,
    flags: RegexpFlags,
    case_insensitive: bool,
) -> Result<Expression, String> {
    if text.is_empty() {
        return Ok(builder.empty());
    }
    let mut parser = Parser {
        builder,
        chars: text.chars().collect(),
        at: 0,
        flags,
        case_insensitive,
        depth: 0,
    };
    let expression = parser.union()?;
    if parser.at < parser.chars.len() {
        return Err(format!("end-of-string expected at position {}", parser.at));
    }
    Ok(expression)
}

/// Reads a wildcard: `*` any text, `?` one character, the backslash takes the next one as it is.
pub(crate) fn wildcard(builder: &mut Builder, text: &str, case_insensitive: bool) -> Expression {
    let mut parts = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let part = match c {
            '*' => {
                // several say no more than one
                while chars.next_if_eq(&'*').is_some() {}
                builder.any_text()
            }
            '?' => builder.any_char(),
            '\\' => {
                let literal = chars.next().unwrap_or('\\');
                one_char(builder, literal, case_insensitive)
            }
            other => one_char(builder, other, case_insensitive),
        };
        parts.push(part);
    }
    let mut expression = builder.empty();
    for part in parts.into_iter().rev() {
        expression = builder.concat(part, expression);
    }
    expression
}

/// A character, in both cases if asked.
fn one_char(builder: &mut Builder, c: char, case_insensitive: bool) -> Expression {
    if !case_insensitive {
        return builder.range(c, c);
    }
    let mut ranges = vec![(c, c)];
    let (lower, upper) = (single(c.to_lowercase()), single(c.to_uppercase()));
    ranges.extend(lower.into_iter().chain(upper).map(|other| (other, other)));
    builder.class(&ranges, false)
}

fn single(mut chars: impl Iterator<Item = char>) -> Option<char> {
    let first = chars.next()?;
    chars.next().is_none().then_some(first)
}

struct Parser<'b> {
    builder: &'b mut Builder,
    chars: Vec<char>,
    at: usize,
    flags: RegexpFlags,
    case_insensitive: bool,
    depth: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn take(&mut self, wanted: char) -> bool {
        if self.peek() == Some(wanted) {
            self.at += 1;
            return true;
        }
        false
    }

    fn has(&self, flag: RegexpFlags) -> bool {
        self.flags.contains(flag)
    }

    fn union(&mut self) -> Result<Expression, String> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(format!("nested deeper than {DEPTH_MAX}"));
        }
        let mut parts = vec![self.intersection()?];
        while self.take('|') {
            parts.push(self.intersection()?);
        }
        self.depth -= 1;
        Ok(self.builder.union(parts))
    }

    fn intersection(&mut self) -> Result<Expression, String> {
        let mut parts = vec![self.concat()?];
        while self.has(RegexpFlags::INTERSECTION) && self.take('&') {
            parts.push(self.concat()?);
        }
        if parts.len() == 1 {
            return Ok(parts[0]);
        }
        Ok(self.builder.intersection(parts))
    }

    fn concat(&mut self) -> Result<Expression, String> {
        let mut parts = Vec::new();
        while let Some(c) = self.peek() {
            if c == ')' || c == '|' || (c == '&' && self.has(RegexpFlags::INTERSECTION)) {
                break;
            }
            parts.push(self.repeat()?);
        }
        if parts.is_empty() {
            return Err(match self.peek() {
                Some(c) => format!("unexpected '{c}' at position {}", self.at),
                None => "unexpected end-of-string".to_owned(),
            });
        }
        let mut expression = self.builder.empty();
        for part in parts.into_iter().rev() {
            expression = self.builder.concat(part, expression);
        }
        Ok(expression)
    }

    fn repeat(&mut self) -> Result<Expression, String> {
        let mut expression = self.complement()?;
        loop {
            if self.take('?') {
                let empty = self.builder.empty();
                expression = self.builder.union(vec![expression, empty]);
            } else if self.take('*') {
                expression = self.builder.repeat(expression);
            } else if self.take('+') {
                let more = self.builder.repeat(expression);
                expression = self.builder.concat(expression, more);
            } else if self.take('{') {
                let least = self.number()?;
                let most = if self.take(',') {
                    if self.peek() == Some('}') {
                        None
                    } else {
                        Some(self.number()?)
                    }
                } else {
                    Some(least)
                };
                if !self.take('}') {
                    return Err(format!("expected '}}' at position {}", self.at));
                }
                expression = self.counted(expression, least, most)?;
            } else {
                return Ok(expression);
            }
        }
    }

    fn number(&mut self) -> Result<usize, String> {
        let start = self.at;
        while self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
        }
        let digits: String = self.chars[start..self.at].iter().collect();
        digits
            .parse()
            .map_err(|_| format!("integer expected at position {start}"))
    }

    fn counted(
        &mut self,
        inner: Expression,
        least: usize,
        most: Option<usize>,
    ) -> Result<Expression, String> {
        if most.is_some_and(|most| most < least) {
            return Err(format!("invalid repetition range at position {}", self.at));
        }
        let optional = most.map_or(0, |most| most - least);
        let too_large = format!("repetition too large at position {}", self.at);
        if least.saturating_add(optional) > EXPRESSIONS_MAX {
            return Err(too_large);
        }
        let mut expression = match most {
            None => self.builder.repeat(inner),
            Some(_) => self.builder.empty(),
        };
        let empty = self.builder.empty();
        for _ in 0..optional {
            let more = self.builder.concat(inner, expression);
            expression = self.builder.union(vec![more, empty]);
            if self.builder.len() > EXPRESSIONS_MAX {
                return Err(too_large);
            }
        }
        for _ in 0..least {
            expression = self.builder.concat(inner, expression);
            if self.builder.len() > EXPRESSIONS_MAX {
                return Err(too_large);
            }
        }
        Ok(expression)
    }

    fn complement(&mut self) -> Result<Expression, String> {
        if self.has(RegexpFlags::COMPLEMENT) && self.take('~') {
            self.depth += 1;
            if self.depth > DEPTH_MAX {
                return Err(format!("nested deeper than {DEPTH_MAX}"));
            }
            let inner = self.complement()?;
            self.depth -= 1;
            // anything else, but only whole characters
            let other = self.builder.complement(inner);
            let any = self.builder.any_text();
            return Ok(self.builder.intersection(vec![other, any]));
        }
        self.atom()
    }

    fn atom(&mut self) -> Result<Expression, String> {
        let Some(c) = self.peek() else {
            return Err("unexpected end-of-string".to_owned());
        };
        self.at += 1;
        match c {
            '.' => Ok(self.builder.any_char()),
            '#' if self.has(RegexpFlags::EMPTY) => Ok(self.builder.never()),
            '@' if self.has(RegexpFlags::ANYSTRING) => Ok(self.builder.any_text()),
            '[' => self.class(),
            '"' => self.quoted(),
            '(' => {
                if self.take(')') {
                    return Ok(self.builder.empty());
                }
                let inner = self.union()?;
                if !self.take(')') {
                    return Err(format!("expected ')' at position {}", self.at));
                }
                Ok(inner)
            }
            '<' if self.has(RegexpFlags::INTERVAL) => self.interval(),
            '\\' => self.escaped(),
            other => Ok(one_char(self.builder, other, self.case_insensitive)),
        }
    }

    fn escaped(&mut self) -> Result<Expression, String> {
        let Some(c) = self.peek() else {
            return Err("unexpected end-of-string".to_owned());
        };
        self.at += 1;
        if let Some((ranges, negated)) = predefined(c) {
            return Ok(self.builder.class(ranges, negated));
        }
        Ok(one_char(self.builder, c, self.case_insensitive))
    }

    fn quoted(&mut self) -> Result<Expression, String> {
        let start = self.at;
        while self.peek().is_some_and(|c| c != '"') {
            self.at += 1;
        }
        let literal: Vec<char> = self.chars[start..self.at].to_vec();
        if !self.take('"') {
            return Err(format!("expected '\"' at position {}", self.at));
        }
        let mut expression = self.builder.empty();
        for c in literal.into_iter().rev() {
            let one = one_char(self.builder, c, self.case_insensitive);
            expression = self.builder.concat(one, expression);
        }
        Ok(expression)
    }

    fn class(&mut self) -> Result<Expression, String> {
        let negated = self.take('^');
        let mut ranges: Vec<(char, char)> = Vec::new();
        let mut first = true;
        loop {
            let Some(c) = self.peek() else {
                return Err(format!("expected ']' at position {}", self.at));
            };
            if c == ']' && !first {
                self.at += 1;
                break;
            }
            first = false;
            self.at += 1;
            let low = if c == '\\' {
                let Some(next) = self.peek() else {
                    return Err("unexpected end-of-string".to_owned());
                };
                self.at += 1;
                if let Some((class, false)) = predefined(next) {
                    ranges.extend_from_slice(class);
                    continue;
                }
                next
            } else {
                c
            };
            let mut high = low;
            if self.peek() == Some('-') && self.chars.get(self.at + 1).is_some_and(|c| *c != ']') {
                self.at += 1;
                self.take('\\');
                high = self.peek().unwrap_or(low);
                self.at += 1;
                if high < low {
                    return Err(format!(
                        "invalid range: from ({}) cannot be > to ({})",
                        u32::from(low),
                        u32::from(high)
                    ));
                }
            }
            ranges.push((low, high));
            if self.case_insensitive && low == high {
                for other in single(low.to_lowercase())
                    .into_iter()
                    .chain(single(low.to_uppercase()))
                {
                    ranges.push((other, other));
                }
            } else if self.case_insensitive {
                add_other_cases(&mut ranges, low, high);
            }
        }
        Ok(self.builder.class(&ranges, negated))
    }

    fn interval(&mut self) -> Result<Expression, String> {
        let start = self.at;
        while self.peek().is_some_and(|c| c != '>') {
            self.at += 1;
        }
        let inside: String = self.chars[start..self.at].iter().collect();
        let wrong = || format!("illegal identifier or interval syntax error at position {start}");
        if !self.take('>') {
            return Err(wrong());
        }
        let (low, high) = inside.split_once('-').ok_or_else(wrong)?;
        // with equal lengths numbers are padded to that length
        let digits = if low.len() == high.len() {
            low.len()
        } else {
            0
        };
        let low: u64 = low.parse().map_err(|_| wrong())?;
        let high: u64 = high.parse().map_err(|_| wrong())?;
        let (low, high) = (low.min(high), low.max(high));
        Ok(numbers_between(self.builder, low, high, digits))
    }
}

fn predefined(c: char) -> Option<(&'static [(char, char)], bool)> {
    const DIGITS: &[(char, char)] = &[('0', '9')];
    const WORD: &[(char, char)] = &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')];
    const SPACE: &[(char, char)] = &[('\t', '\n'), ('\r', '\r'), (' ', ' ')];
    match c {
        'd' => Some((DIGITS, false)),
        'D' => Some((DIGITS, true)),
        'w' => Some((WORD, false)),
        'W' => Some((WORD, true)),
        's' => Some((SPACE, false)),
        'S' => Some((SPACE, true)),
        _ => None,
    }
}

fn add_other_cases(ranges: &mut Vec<(char, char)>, low: char, high: char) {
    // ASCII letters are enough for ranges: others have no order that both cases share
    for c in 'a'..='z' {
        if (low..=high).contains(&c) {
            ranges.push((c.to_ascii_uppercase(), c.to_ascii_uppercase()));
        }
        let upper = c.to_ascii_uppercase();
        if (low..=high).contains(&upper) {
            ranges.push((c, c));
        }
    }
}

/// Decimal numbers from `low` to `high`; `digits` above 0: with zeros in front, exactly so long; 0: any number of zeros.
fn numbers_between(builder: &mut Builder, low: u64, high: u64, digits: usize) -> Expression {
    let mut parts = Vec::new();
    let mut from = low;
    // cut into runs of numbers of one length
    loop {
        let length = decimal_length(from);
        let last_of_length = 10u64.checked_pow(length).map_or(u64::MAX, |next| next - 1);
        let to = high.min(last_of_length);
        let run = same_length(builder, &decimals(from), &decimals(to));
        let zero = builder.range('0', '0');
        let padding = if digits == 0 {
            builder.repeat(zero)
        } else {
            let mut padding = builder.empty();
            for _ in length as usize..digits {
                padding = builder.concat(zero, padding);
            }
            padding
        };
        parts.push(builder.concat(padding, run));
        if to == high {
            return builder.union(parts);
        }
        from = to + 1;
    }
}

fn decimal_length(number: u64) -> u32 {
    number.checked_ilog10().map_or(1, |log| log + 1)
}

fn decimals(number: u64) -> Vec<char> {
    number.to_string().chars().collect()
}

/// Texts of digits between two of the same length.
fn same_length(builder: &mut Builder, low: &[char], high: &[char]) -> Expression {
    let (Some(&first), Some(&last)) = (low.first(), high.first()) else {
        return builder.empty();
    };
    if first == last {
        let head = builder.range(first, first);
        let tail = same_length(builder, &low[1..], &high[1..]);
        return builder.concat(head, tail);
    }
    let rest = low.len() - 1;
    let mut parts = Vec::new();
    let head = builder.range(first, first);
    let tail = same_length(builder, &low[1..], &vec!['9'; rest]);
    parts.push(builder.concat(head, tail));
    let head = builder.range(last, last);
    let tail = same_length(builder, &vec!['0'; rest], &high[1..]);
    parts.push(builder.concat(head, tail));
    let (middle_first, middle_last) = (next_char(first), previous_char(last));
    if middle_first <= middle_last {
        let head = builder.range(middle_first, middle_last);
        let digit = builder.range('0', '9');
        let mut tail = builder.empty();
        for _ in 0..rest {
            tail = builder.concat(digit, tail);
        }
        parts.push(builder.concat(head, tail));
    }
    builder.union(parts)
}

fn next_char(digit: char) -> char {
    char::from_u32(u32::from(digit) + 1).unwrap_or(digit)
}

fn previous_char(digit: char) -> char {
    char::from_u32(u32::from(digit) - 1).unwrap_or(digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, yes: &[&str], no: &[&str]) {
        let mut builder = Builder::new();
        let start = parse(&mut builder, pattern, RegexpFlags::ALL, false).unwrap();
        let matcher = builder.build(start, 10_000);
        for text in yes {
            assert!(matcher.accepts(text), "{pattern} accepts {text}");
        }
        for text in no {
            assert!(!matcher.accepts(text), "{pattern} refuses {text}");
        }
        assert!(!matcher.overflowed());
    }

    #[test]
    fn common_operators() {
        check("ab.d", &["abcd", "abäd"], &["abd", "abccd", "xabcd"]);
        check("a(b|c)*d?", &["a", "abcbd", "ad"], &["", "add"]);
        check("[a-c]+[^x]", &["az", "abcä"], &["a", "ax", "d1"]);
        check("a{2,3}", &["aa", "aaa"], &["a", "aaaa"]);
        check("a{2,}b{1}", &["aab", "aaaab"], &["ab", "aabb"]);
        check(r"\d+\.\w", &["12.x"], &["12x", ".x"]);
        check("\"a.c\"", &["a.c"], &["abc"]);
    }

    #[test]
    fn optional_operators() {
        check("~(abc)", &["", "ab", "abcd", "x"], &["abc"]);
        check("aaa.+&.+bbb", &["aaabbb"], &["aaab", "bbb"]);
        check("@&~(foo.*)", &["bar", ""], &["foo", "foobar"]);
        check(
            "foo<1-100>",
            &["foo1", "foo100", "foo42", "foo007"],
            &["foo0", "foo101", "foo"],
        );
        check("<01-15>", &["01", "09", "15"], &["1", "16", "001"]);
        check("a#|b", &["b"], &["a", "a#"]);
    }

    #[test]
    fn flags_switch_operators_off() {
        let mut builder = Builder::new();
        let start = parse(&mut builder, "a~b", RegexpFlags::NONE, false).unwrap();
        assert!(builder.build(start, 100).accepts("a~b"));
    }

    #[test]
    fn both_cases() {
        let mut builder = Builder::new();
        let start = parse(&mut builder, "aÄ[x-z]", RegexpFlags::ALL, true).unwrap();
        let matcher = builder.build(start, 1000);
        assert!(matcher.accepts("AäY") && matcher.accepts("aÄz") && !matcher.accepts("aaz"));
    }

    #[test]
    fn refuses_broken_expressions() {
        for wrong in [
            "a(b", "a)", "[a", "a{2", "a{3,2}", "<a-b>", "\\", "|a", "\"a",
        ] {
            let mut builder = Builder::new();
            assert!(
                parse(&mut builder, wrong, RegexpFlags::ALL, false).is_err(),
                "{wrong}"
            );
        }
    }

    #[test]
    fn wildcards() {
        let mut builder = Builder::new();
        let start = wildcard(&mut builder, r"a?c*\*", false);
        let matcher = builder.build(start, 1000);
        assert!(matcher.accepts("abc*") && matcher.accepts("aäcxyz*"));
        assert!(!matcher.accepts("ac*") && !matcher.accepts("abcx"));
    }

    #[test]
    fn too_many_states_stop() {
        let mut builder = Builder::new();
        let start = parse(&mut builder, "(a|b)*a(a|b){12}", RegexpFlags::ALL, false).unwrap();
        let matcher = builder.build(start, 20);
        matcher.accepts("abababbabababababbababababa");
        assert!(matcher.overflowed());
    }
}
