//! Plans of one text in several fields.

use std::sync::Arc;

use super::Planner;
use super::compound::best_of;
use super::leaf::text_of;
use super::simplify::simplify;
use super::text::{TextKind, TextOptions, tokens_of};
use crate::exec::node::{BoolNode, Node};
use crate::query::{FieldBoost, MultiMatchQuery, MultiMatchType, Operator};
use crate::schema::{FieldKind, FieldMapping, Mapping};
use crate::search::SearchError;
use crate::value::Value;

/// Fields to search, with the factor of each.
pub(super) type SearchedFields = Vec<(Arc<FieldMapping>, f32)>;

impl Planner<'_> {
    pub(super) fn multi_match(
        &mut self,
        q: &MultiMatchQuery,
        boost: f32,
    ) -> Result<Node, SearchError> {
        let (fields, everything) = self.searched_fields(&q.fields)?;
        let options = TextOptions {
            operator: q.operator,
            minimum_should_match: q.minimum_should_match.clone(),
            fuzziness: q.fuzziness,
            prefix_length: q.prefix_length,
            max_expansions: q.max_expansions,
            transpositions: q.fuzzy_transpositions,
            fuzzy_rewrite: q.fuzzy_rewrite,
            slop: q.slop,
            zero_terms: q.zero_terms,
            lenient: q.lenient.unwrap_or(everything),
            analyzer: q.analyzer.clone(),
            synonym_phrases: q.auto_generate_synonyms_phrase_query,
        };
        let node = self.text_in_fields(q.kind, &fields, &q.text, &options, q.tie_breaker, boost)?;
        Ok(node.unwrap_or(Node::Nothing))
    }

    /// A text in several fields; `None`: it has no terms, and the clause is as if not written.
    pub(super) fn text_in_fields(
        &mut self,
        kind: MultiMatchType,
        fields: &SearchedFields,
        text: &Value,
        options: &TextOptions,
        tie_breaker: Option<f32>,
        boost: f32,
    ) -> Result<Option<Node>, SearchError> {
        if fields.is_empty() {
            return Ok(Some(Node::Nothing));
        }
        let tie_breaker = tie_breaker.unwrap_or(kind.default_tie_breaker());
        let text_kind = match kind {
            MultiMatchType::CrossFields => {
                return self.cross_fields(fields, text, options, tie_breaker, boost);
            }
            MultiMatchType::BestFields | MultiMatchType::MostFields => TextKind::Terms,
            MultiMatchType::Phrase => TextKind::Phrase,
            MultiMatchType::PhrasePrefix => TextKind::PhrasePrefix,
            MultiMatchType::BoolPrefix => TextKind::BoolPrefix,
        };
        let mut nodes = Vec::with_capacity(fields.len());
        let mut any = false;
        for (field, factor) in fields {
            if let Some(node) = self.text(text_kind, field, text, options, boost * factor)? {
                any = true;
                nodes.push(node);
            }
        }
        Ok(any.then(|| best_of(nodes, tie_breaker)))
    }

    /// Every term may be in any field; document frequencies are blended, so that fields score alike.
    fn cross_fields(
        &mut self,
        fields: &SearchedFields,
        text: &Value,
        options: &TextOptions,
        tie_breaker: f32,
        boost: f32,
    ) -> Result<Option<Node>, SearchError> {
        // fields of one analyzer are searched as one
        let mut groups: Vec<(String, SearchedFields)> = Vec::new();
        for (field, factor) in fields {
            let analyzer = match &options.analyzer {
                Some(name) => name.clone(),
                None => field.search_analyzer().name().to_owned(),
            };
            let analyzer = match field.kind() {
                FieldKind::Text => analyzer,
                // not analysed, each value as a whole
                _ => String::new(),
            };
            match groups.iter_mut().find(|(name, _)| *name == analyzer) {
                Some((_, members)) => members.push((field.clone(), *factor)),
                None => groups.push((analyzer, vec![(field.clone(), *factor)])),
            }
        }
        let mut nodes = Vec::with_capacity(groups.len());
        let mut any = false;
        for (analyzer, members) in &groups {
            let node = match members.as_slice() {
                [(field, factor)] => {
                    self.text(TextKind::Terms, field, text, options, boost * factor)?
                }
                _ if analyzer.is_empty() => {
                    let mut values = Vec::with_capacity(members.len());
                    for (field, factor) in members {
                        let node =
                            self.text(TextKind::Terms, field, text, options, boost * factor)?;
                        values.extend(node);
                    }
                    Some(best_of(values, tie_breaker))
                }
                _ => self.blended(members, text, options, tie_breaker, boost)?,
            };
            if let Some(node) = node {
                any = true;
                nodes.push(node);
            }
        }
        Ok(any.then(|| best_of(nodes, tie_breaker)))
    }

    fn blended(
        &mut self,
        fields: &SearchedFields,
        text: &Value,
        options: &TextOptions,
        tie_breaker: f32,
        boost: f32,
    ) -> Result<Option<Node>, SearchError> {
        let Some((first, _)) = fields.first() else {
            return Ok(None);
        };
        let analyzer = match &options.analyzer {
            Some(name) => self.shard.schema.analysis.analyzer(name).ok_or_else(|| {
                SearchError::query_shard(format!("[multi_match] analyzer [{name}] not found"))
            })?,
            None => first.search_analyzer().clone(),
        };
        let tokens = tokens_of(&analyzer, &text_of(text));
        if tokens.is_empty() {
            return self.tokens(TextKind::Terms, first, &tokens, options, boost);
        }
        let mut clauses: Vec<Node> = Vec::new();
        let mut at = 0;
        while at < tokens.len() {
            let position = tokens[at].position;
            let mut alternatives = Vec::new();
            while at < tokens.len() && tokens[at].position == position {
                for (field, factor) in fields {
                    let term = tokens[at].text.as_bytes().to_vec();
                    alternatives.push(self.term_node(field.path(), term, boost * factor)?);
                }
                at += 1;
            }
            self.blend(&mut alternatives);
            let mut nodes = Vec::with_capacity(alternatives.len());
            for node in alternatives {
                if node.infos.iter().any(Option::is_some) {
                    nodes.push(Node::Term(node));
                }
            }
            clauses.push(best_of(nodes, tie_breaker));
        }
        if clauses.len() == 1 {
            return Ok(clauses.pop());
        }
        let optional = match options.operator {
            Operator::Or => clauses.len(),
            Operator::And => 0,
        };
        let needed = match &options.minimum_should_match {
            Some(rule) => rule.needed_of(optional),
            None => 0,
        };
        Ok(Some(simplify(match options.operator {
            Operator::Or => BoolNode {
                should: clauses,
                needed: needed.max(1),
                ..BoolNode::default()
            },
            Operator::And => BoolNode {
                must: clauses,
                needed,
                ..BoolNode::default()
            },
        })))
    }

    /// Gives terms nearly the document frequency of the most frequent one, rarer ones a little more.
    fn blend(&self, terms: &mut [crate::exec::node::TermNode]) {
        let mut limit: u64 = 0;
        for segment in &self.shard.segments {
            limit += u64::from(segment.reader.max_doc());
        }
        for term in terms.iter().filter(|term| term.doc_freq > 0) {
            limit = limit.min(term.statistics.sum_total_term_freq);
        }
        let most = terms.iter().map(|term| term.doc_freq).max().unwrap_or(0);
        if most == 0 {
            return;
        }
        let mut order: Vec<usize> = (0..terms.len()).collect();
        order.sort_by_key(|n| std::cmp::Reverse(terms[*n].doc_freq));
        let mut blended = limit.min(most);
        let mut previous = most;
        for n in order {
            let current = terms[n].doc_freq;
            if current == 0 {
                break;
            }
            if previous > current {
                blended += 1;
            }
            // never more than there are documents with the field: idf would be negative
            let with_field = terms[n].statistics.doc_count;
            terms[n].doc_freq = blended.min(limit).min(with_field);
            previous = current;
        }
    }

    /// The fields that names and patterns stand for, and whether that is simply all fields.
    pub(super) fn searched_fields(
        &self,
        wanted: &[FieldBoost],
    ) -> Result<(SearchedFields, bool), SearchError> {
        let mut defaults = Vec::new();
        let wanted = if wanted.is_empty() {
            for text in &self.shard.schema.settings.default_field {
                defaults.extend(FieldBoost::parse(text));
            }
            defaults.as_slice()
        } else {
            wanted
        };
        let everything = matches!(wanted, [one] if one.field == "*");
        let mapping = &self.shard.schema.mapping;
        let mut fields: SearchedFields = Vec::new();
        let mut add = |field: &Arc<FieldMapping>, boost: f32| {
            let known = fields.iter_mut().find(|(f, _)| f.path() == field.path());
            match known {
                // a field named twice is searched once, with both factors
                Some((_, factor)) => *factor *= boost,
                None => fields.push((field.clone(), boost)),
            }
        };
        for one in wanted {
            if one.field.contains('*') {
                for (path, field) in mapping.fields_matching(&one.field) {
                    let searchable = field.kind() != FieldKind::Binary
                        && !mapping.is_alias(path)
                        && !Mapping::is_metadata_field(path);
                    if searchable {
                        add(field, one.boost);
                    }
                }
            } else if let Some(field) = mapping.field(&one.field) {
                add(field, one.boost);
            }
        }
        let limit = self.context.max_clause_count;
        if fields.len() > limit {
            return Err(SearchError::illegal(format!(
                "field expansion matches too many fields, limit: {limit}, got: {}",
                fields.len()
            )));
        }
        Ok((fields, everything))
    }
}
