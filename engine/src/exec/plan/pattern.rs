//! Plans of queries that stand for many terms.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Planner;
use super::leaf::{any_of, check_searchable, text_of};
use crate::exec::automaton::{FuzzyAutomaton, TermAutomaton};
use crate::exec::node::{BoolNode, DocsNode, Node};
use crate::exec::regexp::{self, Builder};
use crate::exec::segment_scorer::check_overflow;
use crate::query::{
    FuzzyQuery, PrefixQuery, RegexpFlags, RegexpQuery, TermsRewrite, WildcardQuery,
};
use crate::schema::{FieldKind, FieldMapping};
use crate::search::SearchError;
use crate::value::Value;

/// Longest term that is looked for with edits: its automaton takes tens of KiB a character.
const FUZZY_TERM_CHARS_MAX: u32 = 512;

impl Planner<'_> {
    pub(super) fn prefix(&mut self, query: &PrefixQuery, boost: f32) -> Result<Node, SearchError> {
        if query.field == "_index" {
            return Ok(self.index_name_like(&format!("{}*", query.value), boost));
        }
        refuse_id(&query.field, "prefix", "keyword, text and wildcard")?;
        let Some(field) = self.field(&query.field) else {
            return Ok(Node::Nothing);
        };
        let what = ("prefix", "keyword, text and wildcard");
        if let Some(node) = self.check_pattern(&field, what, boost, |constant| {
            constant.starts_with(&query.value)
        })? {
            return Ok(node);
        }
        self.prefix_of(
            &field,
            &query.value,
            query.case_insensitive,
            query.rewrite,
            boost,
        )
    }

    /// Terms of a field with a beginning.
    pub(super) fn prefix_of(
        &mut self,
        field: &Arc<FieldMapping>,
        prefix: &str,
        case_insensitive: bool,
        rewrite: TermsRewrite,
        boost: f32,
    ) -> Result<Node, SearchError> {
        let prefix = self.normalized(field, prefix)?;
        let automaton = match case_insensitive {
            false => TermAutomaton::Prefix(prefix.into_bytes().into()),
            true => {
                let mut builder = Builder::new();
                let pattern = format!("{}*", escape_wildcards(&prefix));
                let start = regexp::wildcard(&mut builder, &pattern, true);
                TermAutomaton::Pattern(Arc::new(builder.build(start, 10_000)))
            }
        };
        self.accepted(field, automaton, rewrite, boost)
    }

    pub(super) fn wildcard(
        &mut self,
        query: &WildcardQuery,
        boost: f32,
    ) -> Result<Node, SearchError> {
        if query.field == "_index" {
            return Ok(self.index_name_like(&query.value, boost));
        }
        refuse_id(&query.field, "wildcard", "keyword, text and wildcard")?;
        let Some(field) = self.field(&query.field) else {
            return Ok(Node::Nothing);
        };
        self.check_wildcard(&query.value)?;
        let what = ("wildcard", "keyword, text and wildcard");
        let accepts = |constant: &str| {
            let mut builder = Builder::new();
            let start = regexp::wildcard(&mut builder, &query.value, query.case_insensitive);
            accepts(
                &TermAutomaton::Pattern(Arc::new(builder.build(start, 10_000))),
                constant,
            )
        };
        if let Some(node) = self.check_pattern(&field, what, boost, accepts)? {
            return Ok(node);
        }
        self.wildcard_of(
            &field,
            &query.value,
            query.case_insensitive,
            query.rewrite,
            boost,
        )
    }

    /// Terms of a field by pattern.
    pub(super) fn wildcard_of(
        &mut self,
        field: &Arc<FieldMapping>,
        pattern: &str,
        case_insensitive: bool,
        rewrite: TermsRewrite,
        boost: f32,
    ) -> Result<Node, SearchError> {
        self.check_wildcard(pattern)?;
        let pattern = match field.kind() {
            FieldKind::Keyword => self.normalized_pattern(field, pattern)?,
            _ => pattern.to_owned(),
        };
        let mut builder = Builder::new();
        let start = regexp::wildcard(&mut builder, &pattern, case_insensitive);
        let automaton = TermAutomaton::Pattern(Arc::new(builder.build(start, 10_000)));
        self.accepted(field, automaton, rewrite, boost)
    }

    /// Patterns are as long as regular expressions may be: automata grow with them.
    fn check_wildcard(&self, pattern: &str) -> Result<(), SearchError> {
        let limit = self.shard.schema.settings.max_regex_length;
        let length = pattern.encode_utf16().count();
        if length > limit {
            return Err(SearchError::illegal(format!(
                "The length of wildcard [{length}] has exceeded the allowed maximum of [{limit}]. \
                 This maximum can be set by changing the [index.max_regex_length] index level setting."
            )));
        }
        Ok(())
    }

    pub(super) fn regexp(&mut self, query: &RegexpQuery, boost: f32) -> Result<Node, SearchError> {
        let limit = self.shard.schema.settings.max_regex_length;
        let length = query.value.encode_utf16().count();
        if length > limit {
            return Err(SearchError::illegal(format!(
                "The length of regex [{length}] used in the Regexp Query request has exceeded the allowed maximum of [{limit}]. \
                 This maximum can be set by changing the [index.max_regex_length] index level setting."
            )));
        }
        refuse_id(&query.field, "regexp", "keyword and text")?;
        let Some(field) = self.field(&query.field) else {
            return Ok(Node::Nothing);
        };
        let automaton = self.regexp_automaton(
            &query.value,
            query.flags,
            query.case_insensitive,
            query.max_determinized_states,
        )?;
        let what = ("regexp", "keyword and text");
        let test = |constant: &str| accepts(&automaton, constant);
        if let Some(node) = self.check_pattern(&field, what, boost, test)? {
            return Ok(node);
        }
        self.accepted(&field, automaton, query.rewrite, boost)
    }

    /// The automaton of a regular expression.
    pub(super) fn regexp_automaton(
        &self,
        text: &str,
        flags: RegexpFlags,
        case_insensitive: bool,
        states_max: u32,
    ) -> Result<TermAutomaton, SearchError> {
        let mut builder = Builder::new();
        let start = regexp::parse(&mut builder, text, flags, case_insensitive)
            .map_err(SearchError::illegal)?;
        let matcher = builder.build(start, states_max as usize);
        Ok(TermAutomaton::Pattern(Arc::new(matcher)))
    }

    pub(super) fn fuzzy(&mut self, query: &FuzzyQuery, boost: f32) -> Result<Node, SearchError> {
        refuse_id(&query.field, "fuzzy", "keyword and text")?;
        let Some(field) = self.field(&query.field) else {
            return Ok(Node::Nothing);
        };
        if !matches!(field.kind(), FieldKind::Text | FieldKind::Keyword) {
            return Err(fuzzy_refused(&field));
        }
        if !self.context.allow_expensive_queries {
            return Err(expensive("fuzzy"));
        }
        let term = self.normalized(&field, &text_of(&query.value))?;
        self.fuzzy_of(&field, &term, query, boost)
    }

    /// Terms near one; `options` says how near, and how they score.
    pub(super) fn fuzzy_of(
        &mut self,
        field: &Arc<FieldMapping>,
        term: &str,
        options: &FuzzyQuery,
        boost: f32,
    ) -> Result<Node, SearchError> {
        check_searchable(field)?;
        let edits = options.fuzziness.edits_of(term);
        let length = term.chars().count() as u32;
        if edits == 0 || options.prefix_length >= length.max(1) && options.max_expansions == 0 {
            let term = term.as_bytes().to_vec();
            return self.scored_term_constant(field, term, options.rewrite, boost);
        }
        if length > FUZZY_TERM_CHARS_MAX {
            return Err(SearchError::illegal(format!(
                "a fuzzy term of [{length}] characters is longer than the allowed maximum of [{FUZZY_TERM_CHARS_MAX}]; \
                 ask for it without fuzziness"
            )));
        }
        let fuzzy = Arc::new(FuzzyAutomaton::new(
            term,
            edits,
            options.prefix_length,
            options.transpositions,
        ));
        let automaton = TermAutomaton::Fuzzy(fuzzy.clone());
        match options.rewrite {
            None => {}
            Some(rewrite @ (TermsRewrite::ConstantScore | TermsRewrite::ConstantScoreBoolean)) => {
                return self.accepted(field, automaton, rewrite, boost);
            }
            Some(_) => {}
        }
        // the nearest terms first, of equally near ones the first in the dictionary
        let mut candidates: Vec<(f32, Vec<u8>)> = Vec::new();
        for (found, _) in self.terms_of(field, &automaton)? {
            let Some(edits) = fuzzy.edits(&found) else {
                continue;
            };
            let found_length = String::from_utf8_lossy(&found).chars().count() as u32;
            let shorter = found_length.min(fuzzy.length).max(1);
            let similarity = match edits {
                0 => 1.0,
                edits => 1.0 - f32::from(edits) / shorter as f32,
            };
            // terms as long as they have edits have nothing in common
            if similarity > 0.0 {
                candidates.push((similarity, found));
            }
        }
        candidates.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        let limit = match options.rewrite {
            Some(
                TermsRewrite::TopTerms(size)
                | TermsRewrite::TopTermsBoost(size)
                | TermsRewrite::TopTermsBlendedFreqs(size),
            ) => size,
            _ => options.max_expansions,
        };
        candidates.truncate((limit as usize).min(self.context.max_clause_count));
        let blended = matches!(
            options.rewrite,
            None | Some(TermsRewrite::TopTermsBlendedFreqs(_))
        );
        let constant = matches!(options.rewrite, Some(TermsRewrite::TopTermsBoost(_)));
        self.weighted_terms(field, candidates, blended, constant, boost)
    }

    fn scored_term_constant(
        &mut self,
        field: &Arc<FieldMapping>,
        term: Vec<u8>,
        rewrite: Option<TermsRewrite>,
        boost: f32,
    ) -> Result<Node, SearchError> {
        let node = self.weighted_terms(field, vec![(1.0, term)], false, false, boost)?;
        Ok(match (rewrite, node) {
            (Some(TermsRewrite::ConstantScore | TermsRewrite::ConstantScoreBoolean), node)
                if !node.is_nothing() =>
            {
                Node::constant(DocsNode::Matches(Box::new(node)), boost)
            }
            (_, node) => node,
        })
    }

    /// Some terms, each with a factor of its score.
    fn weighted_terms(
        &mut self,
        field: &Arc<FieldMapping>,
        terms: Vec<(f32, Vec<u8>)>,
        blended: bool,
        constant: bool,
        boost: f32,
    ) -> Result<Node, SearchError> {
        let mut nodes = Vec::with_capacity(terms.len());
        for (factor, term) in terms {
            let node = self.term_node(field.path(), term, boost * factor)?;
            if node.doc_freq > 0 {
                nodes.push(node);
            }
        }
        if blended {
            let most = nodes.iter().map(|node| node.doc_freq).max().unwrap_or(0);
            for node in &mut nodes {
                node.doc_freq = most;
            }
        }
        let mut should = Vec::with_capacity(nodes.len());
        for node in nodes {
            should.push(match constant {
                true => {
                    let docs = DocsNode::Terms {
                        field: node.field.path.clone(),
                        terms: vec![node.term].into(),
                        indexed: true,
                    };
                    Node::constant(docs, node.boost)
                }
                false => Node::Term(node),
            });
        }
        Ok(super::simplify::simplify(BoolNode {
            should,
            needed: 1,
            ..BoolNode::default()
        }))
    }

    /// The terms of a field that an automaton accepts, with their document frequencies in the shard, ascending.
    pub(super) fn terms_of(
        &self,
        field: &FieldMapping,
        automaton: &TermAutomaton,
    ) -> Result<BTreeMap<Vec<u8>, u64>, SearchError> {
        let mut found: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
        for segment in &self.shard.segments {
            self.context.check_cancelled()?;
            let Some(terms) = segment.reader.terms(field.path())? else {
                continue;
            };
            let mut search = terms.search(automaton);
            while let Some((term, info)) = search.next()? {
                match found.get_mut(term) {
                    Some(count) => *count += u64::from(info.doc_freq),
                    None => {
                        self.context
                            .memory
                            .take(term.len() as u64 + 64, "<query terms>")?;
                        found.insert(term.to_vec(), u64::from(info.doc_freq));
                    }
                }
            }
        }
        check_overflow(automaton)?;
        Ok(found)
    }

    /// Documents with a term that an automaton accepts, scored as `rewrite` says.
    pub(super) fn accepted(
        &mut self,
        field: &Arc<FieldMapping>,
        automaton: TermAutomaton,
        rewrite: TermsRewrite,
        boost: f32,
    ) -> Result<Node, SearchError> {
        check_searchable(field)?;
        self.count_leaf()?;
        let limit = match rewrite {
            TermsRewrite::ConstantScore => {
                let docs = DocsNode::Accepted {
                    field: field.path().into(),
                    automaton,
                    indexed: field.indexed(),
                };
                return Ok(Node::constant(docs, boost));
            }
            TermsRewrite::TopTerms(size)
            | TermsRewrite::TopTermsBoost(size)
            | TermsRewrite::TopTermsBlendedFreqs(size) => size as usize,
            TermsRewrite::ScoringBoolean | TermsRewrite::ConstantScoreBoolean => usize::MAX,
        };
        let mut terms: Vec<(f32, Vec<u8>)> = Vec::new();
        for (term, _) in self.terms_of(field, &automaton)?.into_iter().take(limit) {
            terms.push((1.0, term));
        }
        self.check_clauses(terms.len())?;
        match rewrite {
            TermsRewrite::ConstantScoreBoolean => {
                let node = self.weighted_terms(field, terms, false, true, 1.0)?;
                Ok(any_of(vec![node], boost))
            }
            TermsRewrite::TopTermsBoost(_) => self.weighted_terms(field, terms, false, true, boost),
            TermsRewrite::TopTermsBlendedFreqs(_) => {
                self.weighted_terms(field, terms, true, false, boost)
            }
            _ => self.weighted_terms(field, terms, false, false, boost),
        }
    }

    /// Refuses patterns on fields without terms; answers for constant fields.
    fn check_pattern(
        &self,
        field: &FieldMapping,
        what: (&str, &str),
        boost: f32,
        accepts: impl Fn(&str) -> bool,
    ) -> Result<Option<Node>, SearchError> {
        if let Some(constant) = field.constant() {
            return Ok(Some(match accepts(constant) {
                true => Node::All { boost },
                false => Node::Nothing,
            }));
        }
        let (kind, fields) = what;
        if !matches!(field.kind(), FieldKind::Text | FieldKind::Keyword) {
            return Err(SearchError::query_shard(format!(
                "Can only use {kind} queries on {fields} fields - not on [{}] which is of type [{}]",
                field.path(),
                field.type_name()
            )));
        }
        if !self.context.allow_expensive_queries {
            return Err(expensive(kind));
        }
        Ok(None)
    }

    fn index_name_like(&self, pattern: &str, boost: f32) -> Node {
        let mut builder = Builder::new();
        let start = regexp::wildcard(&mut builder, pattern, false);
        let automaton = TermAutomaton::Pattern(Arc::new(builder.build(start, 10_000)));
        match accepts(&automaton, self.context.index_name) {
            true => Node::All { boost },
            false => Node::Nothing,
        }
    }

    /// A text as the field's terms are written: keywords are normalised, text is left alone.
    fn normalized(&self, field: &FieldMapping, text: &str) -> Result<String, SearchError> {
        if field.kind() != FieldKind::Keyword {
            return Ok(text.to_owned());
        }
        let term = field.encode_term(&Value::Str(text.to_owned()))?;
        Ok(String::from_utf8_lossy(&term).into_owned())
    }

    /// A pattern whose literal parts are normalised.
    fn normalized_pattern(
        &self,
        field: &FieldMapping,
        pattern: &str,
    ) -> Result<String, SearchError> {
        let mut result = String::with_capacity(pattern.len());
        let mut literal = String::new();
        let mut chars = pattern.chars();
        while let Some(c) = chars.next() {
            match c {
                '*' | '?' => {
                    result.push_str(&self.normalized_literal(field, &mut literal)?);
                    result.push(c);
                }
                '\\' => literal.push(chars.next().unwrap_or('\\')),
                other => literal.push(other),
            }
        }
        result.push_str(&self.normalized_literal(field, &mut literal)?);
        Ok(result)
    }

    fn normalized_literal(
        &self,
        field: &FieldMapping,
        literal: &mut String,
    ) -> Result<String, SearchError> {
        if literal.is_empty() {
            return Ok(String::new());
        }
        let text = std::mem::take(literal);
        Ok(escape_wildcards(&self.normalized(field, &text)?))
    }
}

/// Refuses patterns on `_id`, whose terms are looked up whole.
fn refuse_id(field: &str, kind: &str, fields: &str) -> Result<(), SearchError> {
    if field != "_id" {
        return Ok(());
    }
    let reason = format!(
        "Can only use {kind} queries on {fields} fields - not on [_id] which is of type [_id]"
    );
    Err(match kind {
        "fuzzy" => SearchError::illegal(reason),
        _ => SearchError::query_shard(reason),
    })
}

/// What a fuzzy search on anything but text is answered.
pub(super) fn fuzzy_refused(field: &FieldMapping) -> SearchError {
    SearchError::illegal(format!(
        "Can only use fuzzy queries on keyword and text fields - not on [{}] which is of type [{}]",
        field.path(),
        field.type_name()
    ))
}

fn expensive(kind: &str) -> SearchError {
    SearchError::refused(
        "exception",
        format!(
            "[{kind}] queries cannot be executed when 'search.allow_expensive_queries' is set to false."
        ),
    )
}

fn accepts(automaton: &TermAutomaton, text: &str) -> bool {
    use fst::Automaton;
    let mut state = automaton.start();
    for byte in text.bytes() {
        state = automaton.accept(&state, byte);
    }
    automaton.is_match(&state)
}

fn escape_wildcards(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '*' | '?' | '\\') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}
