//! Lucene's query syntax as a tree: grammar only, no mapping, no analysis.

/// A part of a query string.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Clause {
    /// Clauses side by side.
    Group {
        /// With what each must do.
        clauses: Vec<(Occur, Clause)>,
        /// Factor.
        boost: f32,
    },
    /// Something to find, in one field or in the default ones.
    Leaf {
        /// As written, escapes resolved.
        field: Option<String>,
        /// What.
        leaf: Leaf,
        /// Factor.
        boost: f32,
    },
}

/// What a clause must do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Occur {
    /// Match.
    Must,
    /// Match if it can.
    Should,
    /// Not match.
    MustNot,
}

/// What is looked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Leaf {
    /// One word, escapes resolved.
    Term(String),
    /// Several words side by side without operators, which are analysed together.
    Words(String),
    /// A quoted text, with its slop.
    Phrase(String, Option<u32>),
    /// A word with edits; `None`: as configured.
    Fuzzy(String, Option<String>),
    /// A pattern, escapes kept.
    Wildcard(String),
    /// A beginning, escapes resolved.
    Prefix(String),
    /// Everything, or every document with the field: a lone `*`.
    Any,
    /// Between slashes.
    Regexp(String),
    /// `[a TO b]` and the like; `None`: open.
    Range {
        /// Lower end.
        lower: Option<String>,
        /// Whether it belongs to the range.
        include_lower: bool,
        /// Upper end.
        upper: Option<String>,
        /// Whether it belongs to the range.
        include_upper: bool,
    },
}

/// Deepest nesting of parentheses.
const DEPTH_MAX: usize = 100;

/// A mistake in the syntax: what is wrong, in words, and where, in characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    /// What was met.
    pub found: String,
    /// Where.
    pub at: usize,
}

/// Reads a whole query string. `and`: what stands between clauses without an operator.
pub(crate) fn parse(text: &str, and: bool) -> Result<Clause, SyntaxError> {
    let mut parser = Parser {
        chars: text.chars().collect(),
        at: 0,
        and,
        depth: 0,
    };
    let clause = parser.group(None)?;
    parser.blanks();
    if parser.at < parser.chars.len() {
        return Err(parser.wrong());
    }
    Ok(clause)
}

struct Parser {
    chars: Vec<char>,
    at: usize,
    and: bool,
    depth: usize,
}

/// The operator before a clause.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Conjunction {
    None,
    And,
    Or,
}

impl Parser {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn peek_at(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn blanks(&mut self) {
        while self
            .peek()
            .is_some_and(|c| c.is_whitespace() || c == '\u{3000}')
        {
            self.at += 1;
        }
    }

    fn wrong(&self) -> SyntaxError {
        let found = match self.peek() {
            Some(c) => c.to_string(),
            None => "<EOF>".to_owned(),
        };
        SyntaxError { found, at: self.at }
    }

    /// Whether a word such as `AND` stands here, as a whole; takes it.
    fn word(&mut self, word: &str) -> bool {
        let length = word.chars().count();
        let here = self.chars.get(self.at..self.at + length);
        if here.is_none_or(|here| !here.iter().copied().eq(word.chars())) {
            return false;
        }
        let ends = self
            .peek_at(length)
            .is_none_or(|c| ends_word(c) && !matches!(c, '+' | '-' | '=' | '<' | '>'));
        self.at += if ends { length } else { 0 };
        ends
    }

    fn conjunction(&mut self) -> Conjunction {
        self.blanks();
        if self.word("AND") || self.pair('&') {
            return Conjunction::And;
        }
        if self.word("OR") || self.pair('|') {
            return Conjunction::Or;
        }
        Conjunction::None
    }

    fn pair(&mut self, c: char) -> bool {
        let found = self.peek() == Some(c) && self.peek_at(1) == Some(c);
        self.at += if found { 2 } else { 0 };
        found
    }

    fn modifier(&mut self) -> Option<Occur> {
        self.blanks();
        if self.take('+') {
            return Some(Occur::Must);
        }
        if self.take('-') || self.take('!') || self.word("NOT") {
            return Some(Occur::MustNot);
        }
        None
    }

    fn group(&mut self, field: Option<&str>) -> Result<Clause, SyntaxError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.wrong());
        }
        let mut clauses: Vec<(Occur, Clause)> = Vec::new();
        loop {
            let conjunction = self.conjunction();
            if clauses.is_empty() && conjunction != Conjunction::None {
                return Err(self.wrong());
            }
            let modifier = self.modifier();
            self.blanks();
            if self.peek().is_none() || self.peek() == Some(')') {
                if conjunction != Conjunction::None || modifier.is_some() {
                    return Err(self.wrong());
                }
                break;
            }
            if conjunction == Conjunction::None && modifier.is_none() {
                let start = self.at;
                if let Some(words) = self.words() {
                    let clause = Clause::Leaf {
                        field: field.map(str::to_owned),
                        leaf: Leaf::Words(words),
                        boost: 1.0,
                    };
                    self.add(&mut clauses, conjunction, None, clause);
                    continue;
                }
                self.at = start;
            }
            let clause = self.clause(field)?;
            self.add(&mut clauses, conjunction, modifier, clause);
        }
        self.depth -= 1;
        if clauses.len() == 1 && clauses[0].0 != Occur::MustNot {
            return Ok(clauses.swap_remove(0).1);
        }
        Ok(Clause::Group {
            clauses,
            boost: 1.0,
        })
    }

    /// The rules of the classic parser: an operator changes the clause before it, too.
    fn add(
        &self,
        clauses: &mut Vec<(Occur, Clause)>,
        conjunction: Conjunction,
        modifier: Option<Occur>,
        clause: Clause,
    ) {
        if let Some((occur, _)) = clauses.last_mut() {
            match conjunction {
                Conjunction::And if *occur != Occur::MustNot => *occur = Occur::Must,
                Conjunction::Or if self.and && *occur != Occur::MustNot => *occur = Occur::Should,
                _ => {}
            }
        }
        let occur = match modifier {
            Some(Occur::MustNot) => Occur::MustNot,
            Some(_) => Occur::Must,
            None if self.and && conjunction != Conjunction::Or => Occur::Must,
            None if !self.and && conjunction == Conjunction::And => Occur::Must,
            None => Occur::Should,
        };
        clauses.push((occur, clause));
    }

    /// Two or more plain words; the last one belongs to what follows if that is an operator.
    fn words(&mut self) -> Option<String> {
        let mut words: Vec<String> = Vec::new();
        loop {
            let start = self.at;
            self.blanks();
            let at_word = self.at;
            if self.word("AND") || self.word("OR") || self.word("NOT") {
                self.at = start;
                break;
            }
            let (raw, wild) = self.raw_word();
            let plain =
                !raw.is_empty() && !wild && !raw.starts_with("&&") && !raw.starts_with("||");
            let sticky = self.peek().is_some_and(|c| matches!(c, ':' | '~' | '^'));
            let end = self.at;
            let operator_next = self.conjunction() != Conjunction::None;
            self.at = end;
            if !plain || sticky || operator_next || at_word == end {
                self.at = start;
                break;
            }
            words.push(unescape(&raw));
        }
        (words.len() > 1).then(|| words.join(" "))
    }

    fn clause(&mut self, outer: Option<&str>) -> Result<Clause, SyntaxError> {
        let field = self.field()?;
        let field = field.as_deref().or(outer);
        self.blanks();
        if self.take('(') {
            let mut inner = self.group(field)?;
            self.blanks();
            if !self.take(')') {
                return Err(self.wrong());
            }
            let factor = self.boost()?;
            match &mut inner {
                Clause::Group { boost, .. } | Clause::Leaf { boost, .. } => *boost *= factor,
            }
            return Ok(inner);
        }
        let leaf = self.leaf()?;
        Ok(Clause::Leaf {
            field: field.map(str::to_owned),
            leaf,
            boost: self.boost()?,
        })
    }

    /// `name:`, if one stands here.
    fn field(&mut self) -> Result<Option<String>, SyntaxError> {
        let start = self.at;
        if self.take('*') && self.take(':') {
            return Ok(Some("*".to_owned()));
        }
        self.at = start;
        let mut name = String::new();
        while let Some(c) = self.peek() {
            match c {
                '\\' => {
                    self.at += 1;
                    if let Some(escaped) = self.peek() {
                        name.push(escaped);
                        self.at += 1;
                    }
                }
                ':' if !name.is_empty() => {
                    self.at += 1;
                    return Ok(Some(name));
                }
                _ if ends_word(c) || c == ':' => break,
                _ => {
                    name.push(c);
                    self.at += 1;
                }
            }
        }
        self.at = start;
        Ok(None)
    }

    fn boost(&mut self) -> Result<f32, SyntaxError> {
        if !self.take('^') {
            return Ok(1.0);
        }
        let number = self.number();
        number.parse().map_err(|_| self.wrong())
    }

    fn number(&mut self) -> String {
        let mut number = String::new();
        while let Some(c) = self.peek().filter(|c| c.is_ascii_digit() || *c == '.') {
            number.push(c);
            self.at += 1;
        }
        number
    }

    fn leaf(&mut self) -> Result<Leaf, SyntaxError> {
        match self.peek() {
            Some('"') => self.phrase(),
            Some('/') => self.regexp(),
            Some('[' | '{') => self.range(),
            Some('>' | '<') => self.comparison(),
            Some(c) if !ends_word(c) => self.term(),
            _ => Err(self.wrong()),
        }
    }

    fn phrase(&mut self) -> Result<Leaf, SyntaxError> {
        self.at += 1;
        let mut text = String::new();
        loop {
            let Some(c) = self.peek() else {
                return Err(self.wrong());
            };
            self.at += 1;
            match c {
                '"' => break,
                '\\' => {
                    let Some(escaped) = self.peek() else {
                        return Err(self.wrong());
                    };
                    text.push(escaped);
                    self.at += 1;
                }
                other => text.push(other),
            }
        }
        if !self.take('~') {
            return Ok(Leaf::Phrase(text, None));
        }
        let slop = self.number().parse::<f32>().map_err(|_| self.wrong())?;
        Ok(Leaf::Phrase(text, Some(slop as u32)))
    }

    fn regexp(&mut self) -> Result<Leaf, SyntaxError> {
        self.at += 1;
        let mut text = String::new();
        while let Some(c) = self.peek() {
            self.at += 1;
            match c {
                '/' => return Ok(Leaf::Regexp(text)),
                '\\' if self.peek() == Some('/') => {
                    text.push('/');
                    self.at += 1;
                }
                other => text.push(other),
            }
        }
        Err(self.wrong())
    }

    fn range(&mut self) -> Result<Leaf, SyntaxError> {
        let include_lower = self.peek() == Some('[');
        self.at += 1;
        let lower = self.bound()?;
        self.blanks();
        if !self.word("TO") {
            return Err(self.wrong());
        }
        let upper = self.bound()?;
        self.blanks();
        let include_upper = match self.peek() {
            Some(']') => true,
            Some('}') => false,
            _ => return Err(self.wrong()),
        };
        self.at += 1;
        Ok(Leaf::Range {
            lower,
            include_lower,
            upper,
            include_upper,
        })
    }

    /// A bound between brackets; `*`: open.
    fn bound(&mut self) -> Result<Option<String>, SyntaxError> {
        self.blanks();
        let mut text = String::new();
        let quoted = self.take('"');
        while let Some(c) = self.peek() {
            if quoted && c == '"' {
                self.at += 1;
                return Ok(Some(text));
            }
            if !quoted && (c.is_whitespace() || matches!(c, ']' | '}')) {
                break;
            }
            self.at += 1;
            match c {
                '\\' => {
                    if let Some(escaped) = self.peek() {
                        text.push(escaped);
                        self.at += 1;
                    }
                }
                other => text.push(other),
            }
        }
        match text.as_str() {
            "" => Err(self.wrong()),
            "*" if !quoted => Ok(None),
            _ if quoted => Err(self.wrong()),
            _ => Ok(Some(text)),
        }
    }

    /// `>=5` and the like.
    fn comparison(&mut self) -> Result<Leaf, SyntaxError> {
        let greater = self.peek() == Some('>');
        self.at += 1;
        let inclusive = self.take('=');
        self.blanks();
        let value = match self.peek() {
            Some('"') => match self.phrase()? {
                Leaf::Phrase(text, _) => text,
                _ => return Err(self.wrong()),
            },
            _ => self.raw_word().0,
        };
        if value.is_empty() {
            return Err(self.wrong());
        }
        let value = Some(unescape(&value));
        Ok(match greater {
            true => Leaf::Range {
                lower: value,
                include_lower: inclusive,
                upper: None,
                include_upper: true,
            },
            false => Leaf::Range {
                lower: None,
                include_lower: true,
                upper: value,
                include_upper: inclusive,
            },
        })
    }

    /// A word with its escapes, and whether it holds wildcards.
    fn raw_word(&mut self) -> (String, bool) {
        let (mut raw, mut wild) = (String::new(), false);
        while let Some(c) = self.peek() {
            if c == '\\' {
                raw.push(c);
                self.at += 1;
                if let Some(escaped) = self.peek() {
                    raw.push(escaped);
                    self.at += 1;
                }
                continue;
            }
            let first = raw.is_empty();
            // inside a word, signs are letters
            let letter = !first && matches!(c, '+' | '-' | '=' | '<' | '>');
            if (ends_word(c) && !letter) || c == ':' {
                break;
            }
            wild |= matches!(c, '*' | '?');
            raw.push(c);
            self.at += 1;
        }
        (raw, wild)
    }

    fn term(&mut self) -> Result<Leaf, SyntaxError> {
        let (raw, wild) = self.raw_word();
        if raw.is_empty() {
            return Err(self.wrong());
        }
        if self.peek() == Some('~') {
            self.at += 1;
            let edits = self.number();
            let edits = (!edits.is_empty()).then_some(edits);
            return Ok(Leaf::Fuzzy(unescape(&raw), edits));
        }
        if raw == "*" {
            return Ok(Leaf::Any);
        }
        if !wild {
            return Ok(Leaf::Term(unescape(&raw)));
        }
        if let Some(beginning) = raw.strip_suffix('*')
            && !has_wildcards(beginning)
            && !beginning.ends_with('\\')
        {
            return Ok(Leaf::Prefix(unescape(beginning)));
        }
        Ok(Leaf::Wildcard(raw))
    }
}

fn has_wildcards(raw: &str) -> bool {
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                chars.next();
            }
            '*' | '?' => return true,
            _ => {}
        }
    }
    false
}

/// Characters that end a word, or cannot begin one.
fn ends_word(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            '\u{3000}'
                | '+'
                | '-'
                | '!'
                | '('
                | ')'
                | '"'
                | '['
                | ']'
                | '{'
                | '}'
                | '~'
                | '^'
                | '/'
                | '='
                | '<'
                | '>'
        )
}

/// Resolves escapes.
pub(crate) fn unescape(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => text.extend(chars.next()),
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A short form of a tree, for comparisons.
    fn show(clause: &Clause) -> String {
        match clause {
            Clause::Group { clauses, boost } => {
                let mut parts = Vec::new();
                for (occur, clause) in clauses {
                    let sign = match occur {
                        Occur::Must => "+",
                        Occur::Should => "",
                        Occur::MustNot => "-",
                    };
                    parts.push(format!("{sign}{}", show(clause)));
                }
                format!("({}){}", parts.join(" "), show_boost(*boost))
            }
            Clause::Leaf { field, leaf, boost } => {
                let field = field.as_ref().map_or(String::new(), |f| format!("{f}:"));
                let leaf = match leaf {
                    Leaf::Term(text) => text.clone(),
                    Leaf::Words(text) => format!("<{text}>"),
                    Leaf::Phrase(text, slop) => format!(
                        "\"{text}\"{}",
                        slop.map_or(String::new(), |s| format!("~{s}"))
                    ),
                    Leaf::Fuzzy(text, edits) => {
                        format!("{text}~{}", edits.clone().unwrap_or_default())
                    }
                    Leaf::Wildcard(text) => format!("w({text})"),
                    Leaf::Prefix(text) => format!("p({text})"),
                    Leaf::Any => "*".to_owned(),
                    Leaf::Regexp(text) => format!("/{text}/"),
                    Leaf::Range {
                        lower,
                        include_lower,
                        upper,
                        include_upper,
                    } => format!(
                        "{}{} TO {}{}",
                        if *include_lower { '[' } else { '{' },
                        lower.as_deref().unwrap_or("*"),
                        upper.as_deref().unwrap_or("*"),
                        if *include_upper { ']' } else { '}' },
                    ),
                };
                format!("{field}{leaf}{}", show_boost(*boost))
            }
        }
    }

    fn show_boost(boost: f32) -> String {
        if boost == 1.0 {
            String::new()
        } else {
            format!("^{boost}")
        }
    }

    fn check(text: &str, expected: &str) {
        assert_eq!(show(&parse(text, false).unwrap()), expected, "{text}");
    }

    #[test]
    fn operators_change_both_sides() {
        check("a b", "<a b>");
        check("+x a b", "(+x <a b>)");
        check("a b c AND d", "(<a b> +c +d)");
        check("a b^2", "(a b^2)");
        check("a AND b", "(+a +b)");
        check("a OR b AND c", "(a +b +c)");
        check("a && b || c", "(+a +b c)");
        check("+a -b !c NOT d", "(+a -b -c -d)");
        assert_eq!(show(&parse("a b OR c", true).unwrap()), "(+a b c)");
        assert_eq!(show(&parse("a b", true).unwrap()), "<a b>");
    }

    #[test]
    fn fields_groups_and_boosts() {
        check("title:(quick brown)^2 x", "(title:<quick brown>^2 x)");
        check("a.b:c^0.5", "a.b:c^0.5");
        check("_exists_:f", "_exists_:f");
        check("*:*", "*:*");
        check("-a", "(-a)");
    }

    #[test]
    fn leaves() {
        check("\"a \\\" b\"~2", "\"a \" b\"~2");
        check("qick~ fox~1", "(qick~ fox~1)");
        check("qu?ck bro* *x", "(w(qu?ck) p(bro) w(*x))");
        check("n:[1 TO 5} n:{* TO 7]", "(n:[1 TO 5} n:{* TO 7])");
        check("n:>=3 n:<\"x y\"", "(n:[3 TO *] n:[* TO x y})");
        check("name:/jo\\/hn?/", "name:/jo/hn?/");
        check("a\\:b \\*", "<a:b *>");
        check("x:2020-01-01", "x:2020-01-01");
        check("+AND-roid +ORacle", "(+AND-roid +ORacle)");
    }

    #[test]
    fn mistakes_are_errors() {
        for wrong in [
            "(a", "a)", "\"a", "a AND", "[1 TO", "[1 5]", "AND a", "a^x", "f:",
        ] {
            assert!(parse(wrong, false).is_err(), "{wrong}");
        }
    }
}
