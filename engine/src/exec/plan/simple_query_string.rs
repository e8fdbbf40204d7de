//! Plan of `simple_query_string`: the grammar is so small that reading and planning are one.

use super::Planner;
use super::compound::best_of;
use super::multi_match::SearchedFields;
use super::query_string::{fuzziness_of, normalized};
use super::simplify::simplify;
use super::text::TextOptions;
use crate::exec::node::{BoolNode, Node};
use crate::query::{
    FuzzyQuery, MultiMatchType, Operator, PrefixQuery, Query, SimpleFlags, SimpleQueryStringQuery,
    ZeroTerms,
};
use crate::search::SearchError;
use crate::value::Value;

/// Deepest nesting of parentheses; deeper ones are text.
const DEPTH_MAX: usize = 100;

struct Parser<'q> {
    chars: Vec<char>,
    at: usize,
    query: &'q SimpleQueryStringQuery,
    fields: SearchedFields,
    options: TextOptions,
    boost: f32,
    depth: usize,
}

/// A tree that grows to the right; an operator unlike the one before takes all so far as its first clause.
#[derive(Default)]
struct Tree {
    clauses: Vec<Node>,
    /// What joins `clauses`; of one clause nothing.
    operator: Option<Operator>,
}

impl Tree {
    fn add(&mut self, node: Node, operator: Operator) {
        if !self.clauses.is_empty() && self.operator != Some(operator) {
            let before = std::mem::take(self).into_node(0);
            self.clauses.push(before);
        }
        if !self.clauses.is_empty() {
            self.operator = Some(operator);
        }
        self.clauses.push(node);
    }

    fn optional_count(&self) -> usize {
        match self.operator {
            Some(Operator::Or) => self.clauses.len(),
            _ => 0,
        }
    }

    fn into_node(mut self, needed: usize) -> Node {
        match self.operator {
            None => self.clauses.pop().unwrap_or(Node::Nothing),
            Some(Operator::And) => simplify(BoolNode {
                must: self.clauses,
                needed,
                ..BoolNode::default()
            }),
            Some(Operator::Or) => simplify(BoolNode {
                should: self.clauses,
                needed: needed.max(1),
                ..BoolNode::default()
            }),
        }
    }
}

impl Planner<'_> {
    pub(super) fn simple_query_string(
        &mut self,
        query: &SimpleQueryStringQuery,
        boost: f32,
    ) -> Result<Node, SearchError> {
        if query.query.trim() == "*" {
            return Ok(Node::All { boost });
        }
        let (fields, everything) = self.searched_fields(&query.fields)?;
        let options = TextOptions {
            operator: query.default_operator,
            prefix_length: query.fuzzy_prefix_length,
            max_expansions: query.fuzzy_max_expansions,
            transpositions: query.fuzzy_transpositions,
            zero_terms: ZeroTerms::Null,
            lenient: query.lenient.unwrap_or(everything),
            analyzer: query.analyzer.clone(),
            synonym_phrases: query.auto_generate_synonyms_phrase_query,
            ..TextOptions::default()
        };
        let mut parser = Parser {
            chars: query.query.chars().collect(),
            at: 0,
            query,
            fields,
            options,
            boost,
            depth: 0,
        };
        let tree = parser.group(self)?;
        let needed = match &query.minimum_should_match {
            Some(rule) if tree.operator.is_some() => rule.needed_of(tree.optional_count()),
            _ => 0,
        };
        Ok(tree.into_node(needed))
    }
}

impl Parser<'_> {
    fn has(&self, flag: SimpleFlags) -> bool {
        self.query.flags.contains(flag)
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    /// Reads up to the end of the group or the text.
    fn group(&mut self, planner: &mut Planner<'_>) -> Result<Tree, SearchError> {
        let mut tree = Tree::default();
        let mut operator: Option<Operator> = None;
        let mut negated = false;
        while let Some(c) = self.peek() {
            match c {
                ')' if self.depth > 0 && self.has(SimpleFlags::PRECEDENCE) => break,
                ')' if self.has(SimpleFlags::PRECEDENCE) => {
                    self.at += 1;
                    continue;
                }
                '|' if self.has(SimpleFlags::OR) => {
                    self.at += 1;
                    operator = operator.or((!tree.clauses.is_empty()).then_some(Operator::Or));
                    continue;
                }
                '+' if self.has(SimpleFlags::AND) => {
                    self.at += 1;
                    operator = operator.or((!tree.clauses.is_empty()).then_some(Operator::And));
                    continue;
                }
                '-' if self.has(SimpleFlags::NOT) => {
                    self.at += 1;
                    negated = !negated;
                    continue;
                }
                c if is_blank(c) && self.has(SimpleFlags::WHITESPACE) => {
                    self.at += 1;
                    // a sign that stands alone has no meaning
                    negated = false;
                    continue;
                }
                _ => {}
            }
            let node = self.clause(planner, c)?;
            if let Some(mut node) = node {
                if negated {
                    node = self.negation(node);
                }
                tree.add(node, operator.unwrap_or(self.query.default_operator));
            }
            operator = None;
            negated = false;
        }
        Ok(tree)
    }

    fn negation(&self, node: Node) -> Node {
        simplify(BoolNode {
            must_not: vec![node],
            should: vec![Node::All { boost: self.boost }],
            needed: 1,
            ..BoolNode::default()
        })
    }

    fn clause(&mut self, planner: &mut Planner<'_>, c: char) -> Result<Option<Node>, SearchError> {
        if c == '(' && self.has(SimpleFlags::PRECEDENCE) && self.depth < DEPTH_MAX {
            let closed = self.closes();
            self.at += 1;
            if !closed {
                return Ok(None);
            }
            self.depth += 1;
            let tree = self.group(planner)?;
            self.depth -= 1;
            self.at += 1;
            return Ok((!tree.clauses.is_empty()).then(|| tree.into_node(0)));
        }
        if c == '"' && self.has(SimpleFlags::PHRASE) {
            return self.phrase(planner);
        }
        self.word(planner)
    }

    /// Whether the parenthesis that stands here is closed somewhere.
    fn closes(&self) -> bool {
        let (mut depth, mut at) = (0usize, self.at);
        while let Some(c) = self.chars.get(at) {
            match c {
                '\\' if self.has(SimpleFlags::ESCAPE) => at += 1,
                '(' => depth += 1,
                ')' => {
                    depth -= 1;
                    if depth == 0 {
                        return true;
                    }
                }
                _ => {}
            }
            at += 1;
        }
        false
    }

    fn phrase(&mut self, planner: &mut Planner<'_>) -> Result<Option<Node>, SearchError> {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        loop {
            let Some(c) = self.peek() else {
                // not closed: the quote is ignored
                self.at = start + 1;
                return Ok(None);
            };
            self.at += 1;
            match c {
                '"' => break,
                '\\' if self.has(SimpleFlags::ESCAPE) => {
                    text.extend(self.peek());
                    self.at += 1;
                }
                other => text.push(other),
            }
        }
        let mut options = self.options.clone();
        if self.has(SimpleFlags::SLOP) && self.peek() == Some('~') {
            options.slop = self.tilde().and_then(|n| n.parse().ok()).unwrap_or(0);
        }
        let suffix = self.query.quote_field_suffix.as_deref();
        let fields = planner.quoted_fields(self.fields.clone(), suffix);
        let kind = MultiMatchType::Phrase;
        let text = Value::Str(text);
        planner.text_in_fields(kind, &fields, &text, &options, None, self.boost)
    }

    /// `~` and what digits follow, when then the word ends.
    fn tilde(&mut self) -> Option<String> {
        let start = self.at;
        self.at += 1;
        let mut digits = String::new();
        while let Some(c) = self.peek().filter(char::is_ascii_digit) {
            digits.push(c);
            self.at += 1;
        }
        if self.peek().is_none_or(|c| self.ends_word(c)) {
            return Some(digits);
        }
        self.at = start;
        None
    }

    fn ends_word(&self, c: char) -> bool {
        match c {
            '"' => self.has(SimpleFlags::PHRASE),
            '|' => self.has(SimpleFlags::OR),
            '+' => self.has(SimpleFlags::AND),
            '(' | ')' => self.has(SimpleFlags::PRECEDENCE),
            other => is_blank(other) && self.has(SimpleFlags::WHITESPACE),
        }
    }

    fn word(&mut self, planner: &mut Planner<'_>) -> Result<Option<Node>, SearchError> {
        let mut text = String::new();
        let (mut prefix, mut edits) = (false, None);
        while let Some(c) = self.peek() {
            if self.ends_word(c) && !text.is_empty() {
                break;
            }
            if c == '~' && self.has(SimpleFlags::FUZZY) && !text.is_empty() {
                edits = self.tilde();
                if edits.is_some() {
                    break;
                }
            }
            self.at += 1;
            match c {
                '\\' if self.has(SimpleFlags::ESCAPE) => {
                    text.extend(self.peek());
                    self.at += 1;
                }
                '*' if self.has(SimpleFlags::PREFIX)
                    && !text.is_empty()
                    && self.peek().is_none_or(|next| self.ends_word(next)) =>
                {
                    prefix = true;
                }
                other => text.push(other),
            }
        }
        if text.trim().is_empty() {
            return Ok(None);
        }
        if prefix && !self.query.analyze_wildcard {
            return self
                .in_each_field(
                    planner,
                    |field, text| Query::Prefix(PrefixQuery::new(field, text)),
                    &text,
                )
                .map(Some);
        }
        if prefix {
            let kind = MultiMatchType::BoolPrefix;
            let text = Value::Str(text);
            let fields = self.fields.clone();
            return planner.text_in_fields(kind, &fields, &text, &self.options, None, self.boost);
        }
        if let Some(edits) = edits {
            let options = self.options.clone();
            let edits = match edits.as_str() {
                "" => "2".to_owned(),
                other => other.to_owned(),
            };
            let fuzziness = fuzziness_of(&edits, &text)?;
            return self
                .in_each_field(
                    planner,
                    |field, text| {
                        Query::Fuzzy(FuzzyQuery {
                            fuzziness,
                            prefix_length: options.prefix_length,
                            max_expansions: options.max_expansions,
                            transpositions: options.transpositions,
                            ..FuzzyQuery::new(field, Value::Str(text))
                        })
                    },
                    &text,
                )
                .map(Some);
        }
        let kind = MultiMatchType::MostFields;
        let text = Value::Str(text);
        let fields = self.fields.clone();
        planner.text_in_fields(kind, &fields, &text, &self.options, None, self.boost)
    }

    fn in_each_field(
        &self,
        planner: &mut Planner<'_>,
        query: impl Fn(&str, String) -> Query,
        text: &str,
    ) -> Result<Node, SearchError> {
        let mut nodes = Vec::with_capacity(self.fields.len());
        for (field, factor) in &self.fields {
            let query = query(field.path(), normalized(field, text));
            match planner.node(&query, self.boost * factor) {
                Ok(node) => nodes.push(node),
                Err(SearchError::Refused { .. }) if self.options.lenient => {}
                Err(error) => return Err(error),
            }
        }
        Ok(best_of(nodes, 1.0))
    }
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}
