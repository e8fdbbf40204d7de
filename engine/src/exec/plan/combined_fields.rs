//! Plans of `combined_fields`.

use std::sync::Arc;

use super::Planner;
use super::simplify::simplify;
use super::text::tokens_of;
use crate::exec::bm25::FieldStatistics;
use crate::exec::node::{BoolNode, CombinedNode, Node};
use crate::query::{CombinedFieldsQuery, Operator, ZeroTerms};
use crate::schema::{FieldKind, FieldMapping};
use crate::search::SearchError;

impl Planner<'_> {
    pub(super) fn combined_fields(
        &mut self,
        query: &CombinedFieldsQuery,
        boost: f32,
    ) -> Result<Node, SearchError> {
        let (fields, _) = self.searched_fields(&query.fields)?;
        let Some((first, _)) = fields.first() else {
            return Ok(Node::Nothing);
        };
        for (field, weight) in &fields {
            check(field, *weight, first)?;
        }
        let tokens = tokens_of(first.search_analyzer(), &query.query);
        if tokens.is_empty() {
            return Ok(match query.zero_terms {
                ZeroTerms::All => Node::All { boost },
                ZeroTerms::None | ZeroTerms::Null => Node::Nothing,
            });
        }
        let statistics = Arc::new(self.combined_statistics(&fields)?);
        let mut clauses = Vec::new();
        let mut at = 0;
        while at < tokens.len() {
            let position = tokens[at].position;
            let mut terms = Vec::new();
            // tokens of one place are synonyms
            while at < tokens.len() && tokens[at].position == position {
                for (field, weight) in &fields {
                    let term = tokens[at].text.as_bytes().to_vec();
                    terms.push((self.term_node(field.path(), term, 1.0)?, *weight));
                }
                at += 1;
            }
            terms.retain(|(term, _)| term.doc_freq > 0);
            let weights = fields
                .iter()
                .map(|(field, weight)| (Arc::from(field.path()), *weight));
            clauses.push(match terms.is_empty() {
                true => Node::Nothing,
                false => Node::Combined(CombinedNode {
                    terms,
                    fields: weights.collect(),
                    boost,
                    statistics: statistics.clone(),
                }),
            });
        }
        if clauses.len() == 1 {
            return Ok(clauses.pop().unwrap_or(Node::Nothing));
        }
        let count = match query.operator {
            Operator::Or => clauses.len(),
            Operator::And => 0,
        };
        let needed = match &query.minimum_should_match {
            Some(rule) => rule.needed_of(count),
            None => 0,
        };
        Ok(simplify(match query.operator {
            Operator::Or => BoolNode {
                should: clauses,
                needed: needed.max(1),
                ..BoolNode::default()
            },
            Operator::And => BoolNode {
                must: clauses,
                ..BoolNode::default()
            },
        }))
    }

    /// The statistics of the one field that all are taken for.
    fn combined_statistics(
        &mut self,
        fields: &[(Arc<FieldMapping>, f32)],
    ) -> Result<FieldStatistics, SearchError> {
        let mut doc_count = 0;
        let mut occurrences = 0.0;
        for (field, weight) in fields {
            let field = self.shard_field(field.path())?;
            let own = self.statistics_of(&field);
            doc_count = doc_count.max(own.doc_count);
            occurrences += f64::from(*weight) * own.sum_total_term_freq as f64;
        }
        Ok(FieldStatistics {
            doc_count,
            sum_total_term_freq: occurrences as u64,
        })
    }
}

fn check(field: &FieldMapping, weight: f32, first: &FieldMapping) -> Result<(), SearchError> {
    if field.kind() != FieldKind::Text {
        return Err(SearchError::illegal(format!(
            "Field [{}] of type [{}] does not support [combined_fields] queries",
            field.path(),
            field.type_name()
        )));
    }
    if weight < 1.0 {
        return Err(SearchError::illegal(format!(
            "[combined_fields] requires field boosts to be >= 1.0, but found [{weight}] for field [{}]",
            field.path()
        )));
    }
    if field.search_analyzer().name() != first.search_analyzer().name() {
        return Err(SearchError::illegal(
            "All fields in [combined_fields] query must have the same search analyzer",
        ));
    }
    Ok(())
}
