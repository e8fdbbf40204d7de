//! Explains the score of one document, part by part.

use super::Explanation;
use super::bm25::{Bm25, NO_NORM, idf};
use super::node::{BoolNode, Node, TermNode};
use super::scorer::Hits;
use super::segment_scorer::SegmentScope;
use crate::ids::DocId;
use crate::search::SearchError;
use crate::segment::{PostingsNeed, Window, length_of_norm};

impl SegmentScope<'_> {
    /// How `node` scores a document of this segment.
    pub fn explain(&self, node: &Node, doc: DocId) -> Result<Explanation, SearchError> {
        let Some(score) = self.score_of(node, doc)? else {
            return Ok(Explanation::missing("no matching clause", Vec::new()));
        };
        let score = f64::from(score);
        match node {
            Node::Term(term) => self.explain_term(term, doc, score),
            Node::Bool(node) => self.explain_bool(node, doc, score),
            Node::BestOf { nodes, tie_breaker } => {
                let details = self.explain_all(nodes, doc)?;
                let description = match *tie_breaker == 0.0 {
                    true => "max of:".to_owned(),
                    false => format!("max plus {tie_breaker} times others of:"),
                };
                Ok(Explanation::matching(score, description, details))
            }
            Node::Lowered {
                positive, factor, ..
            } => {
                let details = vec![self.explain(positive, doc)?];
                let description = format!("product of the score and, where lowered, {factor}:");
                Ok(Explanation::matching(score, description, details))
            }
            Node::Functions(functions) => {
                let details = vec![self.explain(&functions.query, doc)?];
                Ok(Explanation::matching(
                    score,
                    "function score, product of:",
                    details,
                ))
            }
            Node::Phrase(phrase) => {
                let mut terms = Vec::new();
                for slot in &phrase.slots {
                    for term in &slot.terms {
                        terms.push(String::from_utf8_lossy(&term.term).into_owned());
                    }
                }
                let description = format!(
                    "weight({}:\"{}\" in {}) [PerFieldSimilarity], result of:",
                    phrase.field.path,
                    terms.join(" "),
                    doc.0
                );
                let idf = f64::from(phrase.idf);
                let details = vec![Explanation::matching(idf, "idf, sum of:", Vec::new())];
                Ok(Explanation::matching(score, description, details))
            }
            Node::Combined(combined) => {
                let mut terms = Vec::new();
                for (term, _) in &combined.terms {
                    let text = String::from_utf8_lossy(&term.term);
                    terms.push(format!("{}:{text}", term.field.path));
                }
                let description = format!(
                    "weight(CombinedFieldQuery({}) in {}), result of:",
                    terms.join(" "),
                    doc.0
                );
                Ok(Explanation::matching(score, description, Vec::new()))
            }
            Node::EnoughOf { nodes, .. } => {
                let details = self.explain_all(nodes, doc)?;
                Ok(Explanation::matching(score, "sum of:", details))
            }
            Node::Synonyms(synonyms) => {
                let mut terms = Vec::new();
                for term in &synonyms.terms {
                    let text = String::from_utf8_lossy(&term.term);
                    terms.push(format!("{}:{text}", term.field.path));
                }
                let description = format!(
                    "weight(Synonym({}) in {}) [PerFieldSimilarity], result of:",
                    terms.join(" "),
                    doc.0
                );
                Ok(Explanation::matching(score, description, Vec::new()))
            }
            Node::All { .. } => Ok(Explanation::matching(score, "*:*", Vec::new())),
            Node::Constant { .. } => Ok(Explanation::matching(score, "ConstantScore", Vec::new())),
            Node::Nothing => Ok(Explanation::missing("no matching clause", Vec::new())),
        }
    }

    /// The score of a document; `None`: it does not match.
    fn score_of(&self, node: &Node, doc: DocId) -> Result<Option<f32>, SearchError> {
        let Some(mut scorer) = self.scorer(node, true)? else {
            return Ok(None);
        };
        let base = Window::base_of(doc.0);
        let mut wanted = Window::empty();
        wanted.set(doc.0 - base);
        let mut hits = Hits::new();
        scorer.fill(base, Some(&wanted), f32::NEG_INFINITY, &mut hits)?;
        let found = hits.docs.contains(doc.0 - base);
        Ok(found.then(|| hits.scores[(doc.0 - base) as usize]))
    }

    fn explain_all(&self, nodes: &[Node], doc: DocId) -> Result<Vec<Explanation>, SearchError> {
        let mut details = Vec::new();
        for node in nodes {
            let explanation = self.explain(node, doc)?;
            if explanation.matched {
                details.push(explanation);
            }
        }
        Ok(details)
    }

    fn explain_bool(
        &self,
        node: &BoolNode,
        doc: DocId,
        score: f64,
    ) -> Result<Explanation, SearchError> {
        let mut details = self.explain_all(&node.must, doc)?;
        details.extend(self.explain_all(&node.should, doc)?);
        for filter in &node.filter {
            let inner = vec![self.explain(filter, doc)?];
            let description = "match on required clause, product of:";
            details.push(Explanation::matching(0.0, description, inner));
        }
        Ok(Explanation::matching(score, "sum of:", details))
    }

    fn explain_term(
        &self,
        term: &TermNode,
        doc: DocId,
        score: f64,
    ) -> Result<Explanation, SearchError> {
        let segment = self.reader();
        let mut freq = 1.0f32;
        if let Some(info) = term.infos.get(self.ord).and_then(Option::as_ref)
            && let Some(terms) = segment.terms(&term.field.path)?
        {
            let mut cursor = terms.postings(info, PostingsNeed::Freqs)?;
            if cursor.advance(doc)? == doc {
                freq = cursor.freq() as f32;
            }
        }
        let norm = segment
            .norms(&term.field.path)?
            .map_or(NO_NORM, |norms| norms.norm(doc));
        let settings = &self.shard.schema.settings;
        let (k1, b) = (settings.bm25_k1, settings.bm25_b);
        let count = term.statistics.doc_count;
        let idf_value = idf(term.doc_freq, count);
        let plain = |value: f64, text: &str| Explanation::matching(value, text, Vec::new());
        let idf_part = Explanation::matching(
            f64::from(idf_value),
            "idf, computed as log(1 + (N - n + 0.5) / (n + 0.5)) from:",
            vec![
                plain(
                    term.doc_freq as f64,
                    "n, number of documents containing term",
                ),
                plain(count as f64, "N, total number of documents with field"),
            ],
        );
        let bm25 = Bm25::new(&term.statistics, idf_value, term.boost, k1, b);
        let inverse = bm25.inverse_norms[usize::from(norm)];
        let average = (term.statistics.sum_total_term_freq as f64 / count.max(1) as f64) as f32;
        let length = length_of_norm(norm);
        let length_text = match norm > 39 {
            true => "dl, length of field (approximate)",
            false => "dl, length of field",
        };
        let tf_part = Explanation::matching(
            f64::from(1.0 - 1.0 / (1.0 + freq * inverse)),
            "tf, computed as freq / (freq + k1 * (1 - b + b * dl / avgdl)) from:",
            vec![
                plain(f64::from(freq), "freq, occurrences of term within document"),
                plain(f64::from(k1), "k1, term saturation parameter"),
                plain(f64::from(b), "b, length normalization parameter"),
                plain(f64::from(length), length_text),
                plain(f64::from(average), "avgdl, average length of field"),
            ],
        );
        let mut parts = Vec::with_capacity(3);
        if term.boost != 1.0 {
            parts.push(plain(f64::from(term.boost), "boost"));
        }
        parts.push(idf_part);
        parts.push(tf_part);
        let freq_text = format!("score(freq={freq:.1}), computed as boost * idf * tf from:");
        let inner = Explanation::matching(score, freq_text, parts);
        let description = format!(
            "weight({}:{} in {}) [PerFieldSimilarity], result of:",
            term.field.path,
            String::from_utf8_lossy(&term.term),
            doc.0
        );
        Ok(Explanation::matching(score, description, vec![inner]))
    }
}
