//! Plans of analysed text: terms, synonyms, phrases.

use std::sync::Arc;

use super::Planner;
use super::leaf::text_of;
use super::pattern::fuzzy_refused;
use super::simplify::simplify;
use crate::analysis::Analyzer;
use crate::exec::automaton::TermAutomaton;
use crate::exec::bm25::idf_sum;
use crate::exec::node::{BoolNode, Node, PhraseNode, PhraseSlot, SynonymsNode};
use crate::query::{
    Fuzziness, FuzzyQuery, MatchBoolPrefixQuery, MatchPhrasePrefixQuery, MatchPhraseQuery,
    MatchQuery, MinimumShouldMatch, Operator, TermsRewrite, ZeroTerms,
};
use crate::schema::{FieldKind, FieldMapping};
use crate::search::SearchError;
use crate::value::Value;

/// Most ways through the tokens of one text where synonyms of several words branch.
const PATHS_MAX: usize = 1024;

/// A token of a query's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    /// The term.
    pub text: String,
    /// Position, from 0.
    pub position: u32,
    /// Positions it spans.
    pub length: u32,
}

/// How the terms of a text are searched.
#[derive(Clone, Debug)]
pub(super) struct TextOptions {
    /// Whether one term is enough.
    pub operator: Operator,
    /// How many must match.
    pub minimum_should_match: Option<MinimumShouldMatch>,
    /// Edits allowed.
    pub fuzziness: Option<Fuzziness>,
    /// Characters that must not change.
    pub prefix_length: u32,
    /// Most terms that a fuzzy term or a prefix stands for.
    pub max_expansions: u32,
    /// Whether a swap is one edit.
    pub transpositions: bool,
    /// How fuzzy terms score.
    pub fuzzy_rewrite: Option<TermsRewrite>,
    /// Moves allowed in phrases.
    pub slop: u32,
    /// What no terms match.
    pub zero_terms: ZeroTerms,
    /// Whether misfits match nothing.
    pub lenient: bool,
    /// Analyzer in place of the field's.
    pub analyzer: Option<String>,
    /// Whether synonyms of several words are phrases.
    pub synonym_phrases: bool,
}

impl Default for TextOptions {
    fn default() -> Self {
        TextOptions {
            operator: Operator::Or,
            minimum_should_match: None,
            fuzziness: None,
            prefix_length: 0,
            max_expansions: 50,
            transpositions: true,
            fuzzy_rewrite: None,
            slop: 0,
            zero_terms: ZeroTerms::None,
            lenient: false,
            analyzer: None,
            synonym_phrases: true,
        }
    }
}

/// Which query is made of a text's terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextKind {
    /// Terms in any order.
    Terms,
    /// Terms in any order, the last one a prefix.
    BoolPrefix,
    /// One behind the other.
    Phrase,
    /// One behind the other, the last one a prefix.
    PhrasePrefix,
}

impl Planner<'_> {
    pub(super) fn match_text(&mut self, q: &MatchQuery, boost: f32) -> Result<Node, SearchError> {
        let options = TextOptions {
            operator: q.operator,
            minimum_should_match: q.minimum_should_match.clone(),
            fuzziness: q.fuzziness,
            prefix_length: q.prefix_length,
            max_expansions: q.max_expansions,
            transpositions: q.fuzzy_transpositions,
            fuzzy_rewrite: q.fuzzy_rewrite,
            zero_terms: q.zero_terms,
            lenient: q.lenient,
            analyzer: q.analyzer.clone(),
            synonym_phrases: q.auto_generate_synonyms_phrase_query,
            ..TextOptions::default()
        };
        self.named_text(TextKind::Terms, &q.field, &q.text, &options, boost)
    }

    pub(super) fn match_phrase(
        &mut self,
        q: &MatchPhraseQuery,
        boost: f32,
    ) -> Result<Node, SearchError> {
        let options = TextOptions {
            slop: q.slop,
            zero_terms: q.zero_terms,
            analyzer: q.analyzer.clone(),
            ..TextOptions::default()
        };
        self.named_text(TextKind::Phrase, &q.field, &q.text, &options, boost)
    }

    pub(super) fn match_phrase_prefix(
        &mut self,
        q: &MatchPhrasePrefixQuery,
        boost: f32,
    ) -> Result<Node, SearchError> {
        let options = TextOptions {
            slop: q.slop,
            max_expansions: q.max_expansions,
            zero_terms: q.zero_terms,
            analyzer: q.analyzer.clone(),
            ..TextOptions::default()
        };
        self.named_text(TextKind::PhrasePrefix, &q.field, &q.text, &options, boost)
    }

    pub(super) fn match_bool_prefix(
        &mut self,
        q: &MatchBoolPrefixQuery,
        boost: f32,
    ) -> Result<Node, SearchError> {
        let options = TextOptions {
            operator: q.operator,
            minimum_should_match: q.minimum_should_match.clone(),
            fuzziness: q.fuzziness,
            prefix_length: q.prefix_length,
            max_expansions: q.max_expansions,
            transpositions: q.fuzzy_transpositions,
            fuzzy_rewrite: q.fuzzy_rewrite,
            analyzer: q.analyzer.clone(),
            ..TextOptions::default()
        };
        self.named_text(TextKind::BoolPrefix, &q.field, &q.text, &options, boost)
    }

    fn named_text(
        &mut self,
        kind: TextKind,
        field: &str,
        text: &Value,
        options: &TextOptions,
        boost: f32,
    ) -> Result<Node, SearchError> {
        if field.starts_with('_') && self.field(field).is_none() {
            let term = crate::query::TermQuery::new(field, text.clone());
            return self.term_query(&term, boost);
        }
        let Some(field) = self.field(field) else {
            return Ok(Node::Nothing);
        };
        let node = self.text(kind, &field, text, options, boost)?;
        Ok(node.unwrap_or(Node::Nothing))
    }

    /// A text in one field; `None`: it has no terms, and the clause is as if not written.
    pub(super) fn text(
        &mut self,
        kind: TextKind,
        field: &Arc<FieldMapping>,
        text: &Value,
        options: &TextOptions,
        boost: f32,
    ) -> Result<Option<Node>, SearchError> {
        match self.strict_text(kind, field, text, options, boost) {
            Err(SearchError::Refused { .. }) if options.lenient => Ok(Some(Node::Nothing)),
            other => other,
        }
    }

    fn strict_text(
        &mut self,
        kind: TextKind,
        field: &Arc<FieldMapping>,
        text: &Value,
        options: &TextOptions,
        boost: f32,
    ) -> Result<Option<Node>, SearchError> {
        let analyzer = match &options.analyzer {
            Some(name) => {
                let known = self.shard.schema.analysis.analyzer(name);
                Some(known.ok_or_else(|| {
                    SearchError::query_shard(format!("[match] analyzer [{name}] not found"))
                })?)
            }
            None => None,
        };
        let is_text = field.kind() == FieldKind::Text;
        if kind == TextKind::PhrasePrefix && !is_text {
            return Err(SearchError::illegal(format!(
                "Can only use phrase prefix queries on text fields - not on [{}] which is of type [{}]",
                field.path(),
                field.type_name()
            )));
        }
        let analysed = is_text || (analyzer.is_some() && field.kind() == FieldKind::Keyword);
        if !analysed {
            return self
                .whole_value(kind, field, text, options, boost)
                .map(Some);
        }
        super::leaf::check_searchable(field)?;
        let quoted = matches!(kind, TextKind::Phrase | TextKind::PhrasePrefix);
        let analyzer: &Analyzer = match &analyzer {
            Some(analyzer) => analyzer,
            None if quoted => field.search_quote_analyzer(),
            None => field.search_analyzer(),
        };
        let tokens = tokens_of(analyzer, &text_of(text));
        self.tokens(kind, field, &tokens, options, boost)
    }

    /// A text in a field that is not analysed: the text is one value.
    fn whole_value(
        &mut self,
        kind: TextKind,
        field: &Arc<FieldMapping>,
        text: &Value,
        options: &TextOptions,
        boost: f32,
    ) -> Result<Node, SearchError> {
        if kind == TextKind::BoolPrefix && field.kind() == FieldKind::Keyword {
            let rewrite = TermsRewrite::ConstantScore;
            return self.prefix_of(field, &text_of(text), false, rewrite, boost);
        }
        if let Some(fuzziness) = options.fuzziness
            && kind == TextKind::Terms
        {
            if field.kind() != FieldKind::Keyword {
                return Err(fuzzy_refused(field));
            }
            let term = field.encode_term(text)?;
            let term = String::from_utf8_lossy(&term).into_owned();
            let fuzzy = fuzzy_options(field, options, fuzziness);
            return self.fuzzy_of(field, &term, &fuzzy, boost);
        }
        self.term_of(field, text, boost)
    }

    /// The query of a text's tokens.
    pub(super) fn tokens(
        &mut self,
        kind: TextKind,
        field: &Arc<FieldMapping>,
        tokens: &[Token],
        options: &TextOptions,
        boost: f32,
    ) -> Result<Option<Node>, SearchError> {
        if tokens.is_empty() {
            return Ok(match options.zero_terms {
                ZeroTerms::None => Some(Node::Nothing),
                ZeroTerms::All => Some(Node::All { boost }),
                ZeroTerms::Null => None,
            });
        }
        let groups = groups_of(tokens);
        let node = match kind {
            TextKind::Phrase | TextKind::PhrasePrefix => {
                if !field.has_positions() && (groups.len() > 1 || kind == TextKind::PhrasePrefix) {
                    return Err(SearchError::query_shard(format!(
                        "field:[{}] was indexed without position data; cannot run PhraseQuery",
                        field.path()
                    )));
                }
                self.phrase(
                    kind == TextKind::PhrasePrefix,
                    field,
                    &groups,
                    options,
                    boost,
                )?
            }
            TextKind::Terms | TextKind::BoolPrefix => {
                self.any_order(kind == TextKind::BoolPrefix, field, &groups, options, boost)?
            }
        };
        Ok(Some(node))
    }

    fn any_order(
        &mut self,
        prefix: bool,
        field: &Arc<FieldMapping>,
        groups: &[Group],
        options: &TextOptions,
        boost: f32,
    ) -> Result<Node, SearchError> {
        self.check_clauses(groups.len())?;
        let mut nodes = Vec::with_capacity(groups.len());
        for (n, group) in groups.iter().enumerate() {
            let last = n + 1 == groups.len();
            nodes.push(self.group(prefix && last, field, group, options, boost)?);
        }
        if nodes.len() == 1 {
            return Ok(nodes.pop().unwrap_or(Node::Nothing));
        }
        let count = match options.operator {
            Operator::Or => nodes.len(),
            Operator::And => 0,
        };
        let needed = match &options.minimum_should_match {
            Some(rule) => rule.needed_of(count),
            None => 0,
        };
        Ok(simplify(match options.operator {
            Operator::Or => BoolNode {
                should: nodes,
                needed: needed.max(1),
                ..BoolNode::default()
            },
            Operator::And => BoolNode {
                must: nodes,
                needed,
                ..BoolNode::default()
            },
        }))
    }

    /// What stands at one place of a text: a term, synonyms, or several ways through.
    fn group(
        &mut self,
        prefix: bool,
        field: &Arc<FieldMapping>,
        group: &Group,
        options: &TextOptions,
        boost: f32,
    ) -> Result<Node, SearchError> {
        if let [path] = group.paths.as_slice()
            && let [term] = path.as_slice()
        {
            return self.one_term(prefix, field, term, options, boost);
        }
        if group.paths.iter().all(|path| path.len() == 1) && !prefix && options.fuzziness.is_none()
        {
            let terms: Vec<&String> = group.paths.iter().map(|path| &path[0]).collect();
            return self.synonyms(field, &terms, boost);
        }
        let mut alternatives = Vec::with_capacity(group.paths.len());
        for path in &group.paths {
            if let [term] = path.as_slice() {
                alternatives.push(self.one_term(prefix, field, term, options, boost)?);
                continue;
            }
            if options.synonym_phrases && field.has_positions() {
                let mut slots = Vec::with_capacity(path.len());
                for (place, term) in path.iter().enumerate() {
                    slots.push((place as u32, vec![term.clone()]));
                }
                alternatives.push(self.phrase_of(field, slots, 0, boost)?);
                continue;
            }
            let mut must = Vec::with_capacity(path.len());
            for (n, term) in path.iter().enumerate() {
                let last = n + 1 == path.len();
                must.push(self.one_term(prefix && last, field, term, options, boost)?);
            }
            alternatives.push(simplify(BoolNode {
                must,
                ..BoolNode::default()
            }));
        }
        Ok(simplify(BoolNode {
            should: alternatives,
            needed: 1,
            ..BoolNode::default()
        }))
    }

    fn one_term(
        &mut self,
        prefix: bool,
        field: &Arc<FieldMapping>,
        term: &str,
        options: &TextOptions,
        boost: f32,
    ) -> Result<Node, SearchError> {
        if prefix {
            let automaton = TermAutomaton::Prefix(term.as_bytes().into());
            return self.accepted(field, automaton, TermsRewrite::ConstantScore, boost);
        }
        if let Some(fuzziness) = options.fuzziness {
            let fuzzy = fuzzy_options(field, options, fuzziness);
            return self.fuzzy_of(field, term, &fuzzy, boost);
        }
        self.scored_term(field, term.as_bytes().to_vec(), boost)
    }

    fn synonyms(
        &mut self,
        field: &Arc<FieldMapping>,
        terms: &[&String],
        boost: f32,
    ) -> Result<Node, SearchError> {
        let mut nodes = Vec::with_capacity(terms.len());
        for term in terms {
            let node = self.term_node(field.path(), term.as_bytes().to_vec(), 1.0)?;
            if node.doc_freq > 0 {
                nodes.push(node);
            }
        }
        if nodes.is_empty() {
            return Ok(Node::Nothing);
        }
        Ok(Node::Synonyms(SynonymsNode {
            terms: nodes,
            boost,
        }))
    }

    fn phrase(
        &mut self,
        prefix: bool,
        field: &Arc<FieldMapping>,
        groups: &[Group],
        options: &TextOptions,
        boost: f32,
    ) -> Result<Node, SearchError> {
        let simple = |group: &Group| group.paths.iter().all(|path| path.len() == 1);
        if !groups.iter().all(simple) {
            return self.branching_phrase(prefix, field, groups, options, boost);
        }
        let first = groups.first().map_or(0, |group| group.position);
        let mut slots = Vec::with_capacity(groups.len());
        for group in groups {
            let terms = group.paths.iter().map(|path| path[0].clone()).collect();
            slots.push((group.position - first, terms));
        }
        self.phrase_slots(prefix, field, slots, options, boost)
    }

    /// A phrase with synonyms of several words: every way through is a phrase of its own.
    fn branching_phrase(
        &mut self,
        prefix: bool,
        field: &Arc<FieldMapping>,
        groups: &[Group],
        options: &TextOptions,
        boost: f32,
    ) -> Result<Node, SearchError> {
        let mut ways: Vec<Vec<String>> = vec![Vec::new()];
        for group in groups {
            let mut longer = Vec::new();
            for way in &ways {
                for path in &group.paths {
                    let mut next = way.clone();
                    next.extend_from_slice(path);
                    longer.push(next);
                }
            }
            if longer.len() > PATHS_MAX {
                return Err(SearchError::illegal(format!(
                    "the analysis of the phrase for [{}] has more than {PATHS_MAX} ways through its synonyms",
                    field.path()
                )));
            }
            ways = longer;
        }
        let mut should = Vec::with_capacity(ways.len());
        for way in ways {
            let mut slots = Vec::with_capacity(way.len());
            for (place, term) in way.into_iter().enumerate() {
                slots.push((place as u32, vec![term]));
            }
            should.push(self.phrase_slots(prefix, field, slots, options, boost)?);
        }
        Ok(simplify(BoolNode {
            should,
            needed: 1,
            ..BoolNode::default()
        }))
    }

    fn phrase_slots(
        &mut self,
        prefix: bool,
        field: &Arc<FieldMapping>,
        mut slots: Vec<(u32, Vec<String>)>,
        options: &TextOptions,
        boost: f32,
    ) -> Result<Node, SearchError> {
        if prefix && let Some((_, last)) = slots.last_mut() {
            let mut expanded = Vec::new();
            for beginning in last.iter() {
                let automaton = TermAutomaton::Prefix(beginning.as_bytes().into());
                for (term, _) in self.terms_of(field, &automaton)? {
                    if expanded.len() >= options.max_expansions as usize {
                        break;
                    }
                    expanded.push(String::from_utf8_lossy(&term).into_owned());
                }
            }
            if expanded.is_empty() {
                return Ok(Node::Nothing);
            }
            *last = expanded;
        }
        self.phrase_of(field, slots, options.slop, boost)
    }

    /// Places with their alternatives.
    pub(super) fn phrase_of(
        &mut self,
        field: &Arc<FieldMapping>,
        slots: Vec<(u32, Vec<String>)>,
        slop: u32,
        boost: f32,
    ) -> Result<Node, SearchError> {
        if let [(_, terms)] = slots.as_slice() {
            let mut should = Vec::with_capacity(terms.len());
            for term in terms {
                should.push(self.scored_term(field, term.as_bytes().to_vec(), boost)?);
            }
            return Ok(simplify(BoolNode {
                should,
                needed: 1,
                ..BoolNode::default()
            }));
        }
        let mut planned = Vec::with_capacity(slots.len());
        let mut known = None;
        for (position, terms) in slots {
            let mut nodes = Vec::with_capacity(terms.len());
            for term in terms {
                let node = self.term_node(field.path(), term.into_bytes(), 1.0)?;
                known = Some((node.field.clone(), node.statistics.clone()));
                if node.doc_freq > 0 {
                    nodes.push(node);
                }
            }
            if nodes.is_empty() {
                return Ok(Node::Nothing);
            }
            planned.push(PhraseSlot {
                position,
                terms: nodes,
            });
        }
        let Some((field, statistics)) = known else {
            return Ok(Node::Nothing);
        };
        let doc_freqs = planned
            .iter()
            .flat_map(|slot| slot.terms.iter().map(|term| term.doc_freq));
        let idf = idf_sum(doc_freqs, statistics.doc_count);
        Ok(Node::Phrase(PhraseNode {
            field,
            slots: planned,
            slop,
            boost,
            idf,
            statistics,
        }))
    }
}

fn fuzzy_options(field: &FieldMapping, options: &TextOptions, fuzziness: Fuzziness) -> FuzzyQuery {
    FuzzyQuery {
        fuzziness,
        prefix_length: options.prefix_length,
        max_expansions: options.max_expansions,
        transpositions: options.transpositions,
        rewrite: options.fuzzy_rewrite,
        ..FuzzyQuery::new(field.path(), Value::Null)
    }
}

/// The tokens of a text.
pub(super) fn tokens_of(analyzer: &Analyzer, text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    analyzer.analyze(text, &mut |token| {
        tokens.push(Token {
            text: token.text.to_owned(),
            position: token.position,
            length: token.position_length.max(1),
        });
    });
    tokens
}

/// A stretch of a text that all ways through it have in common: one position, or several where a token spans more.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Group {
    /// The first position.
    position: u32,
    /// Every way through, in order of the tokens.
    paths: Vec<Vec<String>>,
}

/// Cuts tokens into groups.
fn groups_of(tokens: &[Token]) -> Vec<Group> {
    let mut sorted: Vec<&Token> = tokens.iter().collect();
    sorted.sort_by_key(|token| token.position);
    let mut groups = Vec::new();
    let mut at = 0;
    while at < sorted.len() {
        let start = sorted[at].position;
        let mut end = start + 1;
        let mut next = at;
        // tokens that begin before another one ends belong together
        while next < sorted.len() && sorted[next].position < end {
            end = end.max(sorted[next].position + sorted[next].length);
            next += 1;
        }
        let members = &sorted[at..next];
        let mut paths = Vec::new();
        walk(members, start, end, &mut Vec::new(), &mut paths);
        groups.push(Group {
            position: start,
            paths,
        });
        at = next;
    }
    groups
}

fn walk(
    members: &[&Token],
    position: u32,
    end: u32,
    path: &mut Vec<String>,
    paths: &mut Vec<Vec<String>>,
) {
    if paths.len() >= PATHS_MAX {
        return;
    }
    if position >= end {
        paths.push(path.clone());
        return;
    }
    let mut found = false;
    for token in members.iter().filter(|token| token.position == position) {
        found = true;
        path.push(token.text.clone());
        walk(members, position + token.length, end, path, paths);
        path.pop();
    }
    if !found {
        // a hole left by a removed token
        walk(members, position + 1, end, path, paths);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str, position: u32, length: u32) -> Token {
        Token {
            text: text.to_owned(),
            position,
            length,
        }
    }

    #[test]
    fn synonyms_of_one_word_share_a_group() {
        let groups = groups_of(&[
            token("fast", 0, 1),
            token("quick", 0, 1),
            token("fox", 2, 1),
        ]);
        assert_eq!(groups.len(), 2);
        assert_eq!(groups[0].paths, [["fast"], ["quick"]]);
        assert_eq!(
            (groups[1].position, groups[1].paths[0].as_slice()),
            (2, &["fox".to_owned()][..])
        );
    }

    #[test]
    fn synonyms_of_several_words_are_ways_through() {
        let groups = groups_of(&[
            token("ny", 0, 2),
            token("new", 0, 1),
            token("york", 1, 1),
            token("city", 2, 1),
        ]);
        assert_eq!(groups.len(), 2);
        assert_eq!(groups[0].paths, [vec!["ny"], vec!["new", "york"]]);
    }
}
