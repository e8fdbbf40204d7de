//! From planned queries to scorers of one segment.

use std::ops::Bound;

use super::automaton::TermAutomaton;
use super::bm25::Bm25;
use super::combined::{CombinedLengths, CombinedPart, CombinedScorer};
use super::conjunction::{ConjunctionScorer, ExclusionScorer, OptionalScorer};
use super::disjunction::{BestOfScorer, DisjunctionScorer, SomeOfScorer};
use super::doc_set::{AllScorer, DocSetScorer};
use super::enough_of::EnoughOfScorer;
use super::functions::FunctionScorer;
use super::lowered::LoweredScorer;
use super::node::{BoolNode, CombinedNode, DocsNode, Node, PhraseNode, SynonymsNode, TermNode};
use super::phrase::{PhraseScorer, PhraseSlotCursor};
use super::range_scorer::{NumbersScorer, Wanted};
use super::scorer::{Hits, NO_MORE, Scorer};
use super::statistics::ShardField;
use super::synonyms::SynonymsScorer;
use super::term_scorer::{TermScorer, TermScoring};
use crate::ids::DocId;
use crate::query::RangeRelation;
use crate::search::{SearchContext, SearchError};
use crate::segment::{
    DocSet, DocSetBuilder, PostingsCursor, PostingsNeed, SegmentReader, TermInfo, TermsReader,
    WINDOW_DOCS, Window,
};
use crate::shard::ShardReader;

/// Makes scorers for one segment.
pub(crate) struct SegmentScope<'a> {
    /// The shard.
    pub shard: &'a ShardReader,
    /// Position of the segment in it.
    pub ord: usize,
    /// Limits and the like.
    pub context: &'a SearchContext<'a>,
}

type Built = Result<Option<Box<dyn Scorer>>, SearchError>;

impl SegmentScope<'_> {
    fn segment(&self) -> &SegmentReader {
        &self.shard.segments[self.ord].reader
    }

    /// The scorer of a planned query; `None`: it finds nothing here. Without `scored` scores have no meaning.
    pub fn scorer(&self, node: &Node, scored: bool) -> Built {
        match node {
            Node::Nothing => Ok(None),
            Node::All { boost } => {
                let all = AllScorer::new(self.segment().max_doc(), *boost);
                Ok(Some(Box::new(all)))
            }
            Node::Term(term) => self.term(term, scored),
            Node::Synonyms(synonyms) => self.synonyms(synonyms, scored),
            Node::Combined(combined) => self.combined(combined, scored),
            Node::EnoughOf { nodes, needed } => {
                let parts = self.all_of_them(nodes, scored)?;
                Ok(match self.segment().numeric(needed)? {
                    Some(column) if !parts.is_empty() => {
                        Some(Box::new(EnoughOfScorer::new(parts, column)))
                    }
                    _ => None,
                })
            }
            Node::Phrase(phrase) => self.phrase(phrase, scored),
            Node::Constant { docs, boost } => {
                let scorer = self.docs(docs)?;
                Ok(scorer.map(|inner| match scored {
                    true => Box::new(ConstantScorer::new(inner, *boost)) as Box<dyn Scorer>,
                    false => inner,
                }))
            }
            Node::Bool(node) => self.bool(node, scored),
            Node::BestOf { nodes, tie_breaker } => {
                let mut parts = self.all_of_them(nodes, scored)?;
                Ok(match parts.len() {
                    0 => None,
                    1 => parts.pop(),
                    _ if scored => Some(Box::new(BestOfScorer::new(parts, *tie_breaker))),
                    _ => Some(Box::new(DisjunctionScorer::new(parts, false))),
                })
            }
            Node::Lowered {
                positive,
                negative,
                factor,
                boost,
            } => {
                let Some(wanted) = self.scorer(positive, scored)? else {
                    return Ok(None);
                };
                if !scored {
                    return Ok(Some(wanted));
                }
                let lowering = self.scorer(negative, false)?;
                Ok(Some(Box::new(LoweredScorer::new(
                    wanted, lowering, *factor, *boost,
                ))))
            }
            Node::Functions(node) => {
                let Some(wanted) = self.scorer(&node.query, scored)? else {
                    return Ok(None);
                };
                if !scored && node.min_score.is_none() {
                    return Ok(Some(wanted));
                }
                // a lower bound of scores needs the scores even where nobody else does
                let wanted = match scored {
                    true => wanted,
                    false => match self.scorer(&node.query, true)? {
                        Some(wanted) => wanted,
                        None => return Ok(None),
                    },
                };
                let mut filters = Vec::with_capacity(node.functions.len());
                for function in &node.functions {
                    filters.push(match &function.filter {
                        Some(filter) => Some(self.scorer(filter, false)?),
                        None => None,
                    });
                }
                let scorer = FunctionScorer::new(wanted, node.clone(), filters, self)?;
                Ok(Some(Box::new(scorer)))
            }
        }
    }

    /// The reader of the scope's segment, for parts that read columns themselves.
    pub fn reader(&self) -> &SegmentReader {
        self.segment()
    }

    fn all_of_them(
        &self,
        nodes: &[Node],
        scored: bool,
    ) -> Result<Vec<Box<dyn Scorer>>, SearchError> {
        let mut scorers = Vec::with_capacity(nodes.len());
        for node in nodes {
            if let Some(scorer) = self.scorer(node, scored)? {
                scorers.push(scorer);
            }
        }
        Ok(scorers)
    }

    fn scoring(&self, field: &ShardField, bm25: Bm25) -> TermScoring {
        let terms = field.terms.get(self.ord).and_then(Option::as_ref);
        TermScoring {
            bm25,
            norms: terms.and_then(TermsReader::norms).cloned(),
        }
    }

    fn bm25(&self, idf: f32, boost: f32, statistics: &super::bm25::FieldStatistics) -> Bm25 {
        let settings = &self.shard.schema.settings;
        Bm25::new(statistics, idf, boost, settings.bm25_k1, settings.bm25_b)
    }

    /// What the segment knows of a term, if it has it.
    fn info<'n>(&self, term: &'n TermNode) -> Option<&'n TermInfo> {
        term.infos.get(self.ord).and_then(Option::as_ref)
    }

    /// Whether the segment has a term.
    pub(super) fn has(&self, term: &TermNode) -> bool {
        self.info(term).is_some()
    }

    /// The cursor of a term; `None` where the segment has not got it.
    pub(super) fn cursor(
        &self,
        term: &TermNode,
        need: PostingsNeed,
    ) -> Result<Option<PostingsCursor>, SearchError> {
        let Some(info) = self.info(term) else {
            return Ok(None);
        };
        let Some(terms) = term.field.terms.get(self.ord).and_then(Option::as_ref) else {
            return Ok(None);
        };
        Ok(Some(terms.postings(info, need)?))
    }

    fn term(&self, term: &TermNode, scored: bool) -> Built {
        let need = match scored {
            true => PostingsNeed::Freqs,
            false => PostingsNeed::Docs,
        };
        let Some(cursor) = self.cursor(term, need)? else {
            return Ok(None);
        };
        let scoring = match scored {
            true => Some(self.term_scoring(term)),
            false => None,
        };
        Ok(Some(Box::new(TermScorer::new(cursor, scoring))))
    }

    /// How a term scores.
    pub(super) fn term_scoring(&self, term: &TermNode) -> TermScoring {
        let bm25 = term.bm25.get_or_init(|| {
            let idf = super::bm25::idf(term.doc_freq, term.statistics.doc_count);
            self.bm25(idf, term.boost, &term.statistics)
        });
        self.scoring(&term.field, bm25.clone())
    }

    /// How a phrase scores.
    pub(super) fn phrase_scoring(&self, node: &PhraseNode) -> TermScoring {
        let bm25 = self.bm25(node.idf, node.boost, &node.statistics);
        self.scoring(&node.field, bm25)
    }

    fn synonyms(&self, node: &SynonymsNode, scored: bool) -> Built {
        let mut cursors = Vec::with_capacity(node.terms.len());
        for term in &node.terms {
            if let Some(cursor) = self.cursor(term, PostingsNeed::Freqs)? {
                cursors.push((cursor, term.boost));
            }
        }
        let Some(first) = node.terms.first() else {
            return Ok(None);
        };
        if cursors.is_empty() {
            return Ok(None);
        }
        let scoring = match scored {
            true => {
                let doc_freq = node.terms.iter().map(|t| t.doc_freq).max().unwrap_or(0);
                let idf = super::bm25::idf(doc_freq, first.statistics.doc_count);
                let bm25 = self.bm25(idf, node.boost, &first.statistics);
                Some(self.scoring(&first.field, bm25))
            }
            false => None,
        };
        Ok(Some(Box::new(SynonymsScorer::new(cursors, scoring))))
    }

    fn combined(&self, node: &CombinedNode, scored: bool) -> Built {
        let mut parts = Vec::with_capacity(node.terms.len());
        let mut doc_freq = 0;
        for (term, weight) in &node.terms {
            doc_freq = doc_freq.max(term.doc_freq);
            if let Some(cursor) = self.cursor(term, PostingsNeed::Freqs)? {
                parts.push(CombinedPart {
                    cursor,
                    weight: *weight,
                });
            }
        }
        if parts.is_empty() {
            return Ok(None);
        }
        let mut lengths = Vec::new();
        let mut bm25 = None;
        if scored {
            for (field, weight) in &node.fields {
                lengths.push(CombinedLengths {
                    norms: self.segment().norms(field)?,
                    weight: *weight,
                });
            }
            let idf = super::bm25::idf(doc_freq, node.statistics.doc_count);
            bm25 = Some(self.bm25(idf, node.boost, &node.statistics));
        }
        Ok(Some(Box::new(CombinedScorer::new(parts, lengths, bm25))))
    }

    fn phrase(&self, node: &PhraseNode, scored: bool) -> Built {
        let mut slots = Vec::with_capacity(node.slots.len());
        for slot in &node.slots {
            let mut cursors = Vec::with_capacity(slot.terms.len());
            for term in &slot.terms {
                if let Some(cursor) = self.cursor(term, PostingsNeed::Positions)? {
                    cursors.push(cursor);
                }
            }
            if cursors.is_empty() {
                return Ok(None);
            }
            let terms = slot.terms.iter().map(|t| t.term.clone()).collect();
            slots.push(PhraseSlotCursor::new(slot.position, cursors, terms));
        }
        let scoring = match scored {
            true => Some(self.phrase_scoring(node)),
            false => None,
        };
        Ok(Some(Box::new(PhraseScorer::new(slots, node.slop, scoring))))
    }

    fn bool(&self, node: &BoolNode, scored: bool) -> Built {
        let mut needed = node.needed;
        let mut must = Vec::with_capacity(node.must.len());
        for clause in &node.must {
            match self.scorer(clause, scored)? {
                Some(scorer) => must.push(scorer),
                None => return Ok(None),
            }
        }
        let has_required = !must.is_empty() || !node.filter.is_empty();
        let mut should = if scored || needed > 0 || !has_required {
            self.all_of_them(&node.should, scored)?
        } else {
            Vec::new()
        };
        if should.len() < needed {
            return Ok(None);
        }
        let mut lead = must.iter().map(|scorer| scorer.cost()).min();
        if needed > 0 {
            let all: u64 = should.iter().map(|scorer| scorer.cost()).sum();
            lead = Some(lead.map_or(all, |lead| lead.min(all)));
        }
        let Some(mut filter) = self.filters(&node.filter, lead)? else {
            return Ok(None);
        };
        if needed > 0 && should.len() == needed {
            // all of them are needed
            must.append(&mut should);
            needed = 0;
        }
        if !scored {
            filter.append(&mut must);
        }
        let required = match (must.len(), filter.len()) {
            (0, 0) => None,
            (1, 0) => must.pop(),
            (0, 1) if !scored => filter.pop(),
            _ => Some(Box::new(ConjunctionScorer::new(must, filter)) as Box<dyn Scorer>),
        };
        let optional: Option<Box<dyn Scorer>> = match should.len() {
            0 => None,
            1 => should.pop(),
            _ if needed > 1 => Some(Box::new(SomeOfScorer::new(should, needed))),
            _ => Some(Box::new(DisjunctionScorer::new(should, scored))),
        };
        let positive = match (required, optional) {
            (None, None) => return Ok(None),
            (Some(one), None) | (None, Some(one)) => one,
            (Some(required), Some(optional)) if needed > 0 => match scored {
                true => Box::new(ConjunctionScorer::new(vec![required, optional], Vec::new())),
                false => Box::new(ConjunctionScorer::new(Vec::new(), vec![required, optional])),
            },
            (Some(required), Some(optional)) => Box::new(OptionalScorer::new(required, optional)),
        };
        let mut unwanted = Vec::with_capacity(node.must_not.len());
        for clause in &node.must_not {
            unwanted.extend(self.filter(clause, positive.cost())?.into_scorer());
        }
        let unwanted: Box<dyn Scorer> = match unwanted.len() {
            0 => return Ok(Some(positive)),
            1 => match unwanted.pop() {
                Some(one) => one,
                None => return Ok(Some(positive)),
            },
            _ => Box::new(DisjunctionScorer::new(unwanted, false)),
        };
        Ok(Some(Box::new(ExclusionScorer::new(positive, unwanted))))
    }

    /// The scorers of filters beside clauses that find so many documents; `None`: one of them finds nothing.
    fn filters(
        &self,
        nodes: &[Node],
        mut lead: Option<u64>,
    ) -> Result<Option<Vec<Box<dyn Scorer>>>, SearchError> {
        let mut scorers = Vec::with_capacity(nodes.len());
        // those that may be kept come last, for they want to know how little the others find
        let is_kept = |node: &Node| {
            let docs = match node {
                Node::Constant { docs, .. } => docs,
                _ => return false,
            };
            matches!(docs, DocsNode::Kept(_))
        };
        for last in [false, true] {
            for clause in nodes.iter().filter(|clause| is_kept(clause) == last) {
                let found = self.filter(clause, lead.unwrap_or(u64::MAX))?;
                let Some(scorer) = found.into_scorer() else {
                    return Ok(None);
                };
                lead = Some(lead.map_or(scorer.cost(), |lead| lead.min(scorer.cost())));
                scorers.push(scorer);
            }
        }
        Ok(Some(scorers))
    }

    fn docs(&self, docs: &DocsNode) -> Built {
        let segment = self.segment();
        match docs {
            DocsNode::Matches(node) => self.scorer(node, false),
            DocsNode::Kept(filter) => Ok(self.kept(filter, u64::MAX)?.into_scorer()),
            DocsNode::Ids(ids) => {
                let mut builder = DocSetBuilder::new(segment.max_doc());
                for id in ids.iter() {
                    if let Some(doc) = segment.find_id(id)? {
                        builder.add(&[doc.0]);
                    }
                }
                self.set(builder)
            }
            DocsNode::Exists { field } => match segment.docs_with_field(field)? {
                Some(bitmap) => self.found(DocSet::from_bitmap(&bitmap, segment.max_doc())),
                None => Ok(None),
            },
            DocsNode::Numbers { field, lo, hi } => {
                self.numbers(field, Wanted::Between { lo: *lo, hi: *hi })
            }
            DocsNode::Ranges {
                field,
                low,
                high,
                relation,
                indexed,
            } => {
                let Some(dictionary) = self.dictionary(field, *indexed)? else {
                    return Ok(None);
                };
                // terms sort by their lower ends: none that starts after the asked range has anything to do with it
                let mut last = high.clone();
                last.resize(high.len() * 2, u8::MAX);
                let mut found = dictionary.range(Bound::Unbounded, Bound::Included(&last));
                let mut infos = Vec::new();
                while let Some((term, info)) = found.next()? {
                    let (from, to) = term.split_at(term.len() / 2);
                    let fits = match relation {
                        RangeRelation::Intersects => to >= low.as_slice(),
                        RangeRelation::Contains => from <= low.as_slice() && to >= high.as_slice(),
                        RangeRelation::Within => from >= low.as_slice() && to <= high.as_slice(),
                    };
                    if fits {
                        self.push_info(&mut infos, info)?;
                    }
                }
                self.of_infos(field, &dictionary, *indexed, infos)
            }
            DocsNode::Places { field, area, rule } => self.numbers(
                field,
                Wanted::Places {
                    area: *area,
                    rule: *rule,
                },
            ),
            DocsNode::NumberSet { field, numbers } => {
                self.numbers(field, Wanted::OneOf(numbers.clone()))
            }
            DocsNode::Terms {
                field,
                terms,
                indexed,
            } => {
                let Some(dictionary) = self.dictionary(field, *indexed)? else {
                    return Ok(None);
                };
                let mut infos = Vec::with_capacity(terms.len());
                for term in terms.iter() {
                    if let Some(info) = dictionary.get(term)? {
                        infos.push(info);
                    }
                }
                self.of_infos(field, &dictionary, *indexed, infos)
            }
            DocsNode::TermRange {
                field,
                lower,
                upper,
                indexed,
            } => {
                let Some(dictionary) = self.dictionary(field, *indexed)? else {
                    return Ok(None);
                };
                let mut found = dictionary.range(bytes_of(lower), bytes_of(upper));
                let mut infos = Vec::new();
                while let Some((_, info)) = found.next()? {
                    self.push_info(&mut infos, info)?;
                }
                self.of_infos(field, &dictionary, *indexed, infos)
            }
            DocsNode::Accepted {
                field,
                automaton,
                indexed,
            } => {
                let Some(dictionary) = self.dictionary(field, *indexed)? else {
                    return Ok(None);
                };
                let mut found = dictionary.search(automaton);
                let mut infos = Vec::new();
                while let Some((_, info)) = found.next()? {
                    self.push_info(&mut infos, info)?;
                }
                check_overflow(automaton)?;
                self.of_infos(field, &dictionary, *indexed, infos)
            }
        }
    }

    fn push_info(&self, infos: &mut Vec<TermInfo>, info: TermInfo) -> Result<(), SearchError> {
        infos.push(info);
        if infos.len().is_multiple_of(65_536) {
            self.context.check_cancelled()?;
        }
        Ok(())
    }

    fn dictionary(&self, field: &str, indexed: bool) -> Result<Option<TermsReader>, SearchError> {
        if indexed {
            return Ok(self.segment().terms(field)?);
        }
        let column = self.segment().ordinals(field)?;
        Ok(column.map(|column| column.terms().clone()))
    }

    /// The documents of several terms of one dictionary, whose infos are in ascending order of term.
    fn of_infos(
        &self,
        field: &str,
        dictionary: &TermsReader,
        indexed: bool,
        infos: Vec<TermInfo>,
    ) -> Built {
        let Some(first) = infos.first() else {
            return Ok(None);
        };
        if !indexed {
            return self.of_ordinals(field, &infos);
        }
        if infos.len() == 1 {
            let cursor = dictionary.postings(first, PostingsNeed::Docs)?;
            return Ok(Some(Box::new(TermScorer::new(cursor, None))));
        }
        let mut builder = DocSetBuilder::new(self.segment().max_doc());
        let (mut docs, mut freqs) = ([0; 128], [0; 128]);
        for (n, info) in infos.iter().enumerate() {
            if n % 1024 == 0 {
                self.context.check_cancelled()?;
            }
            let mut cursor = dictionary.postings(info, PostingsNeed::Docs)?;
            cursor.next()?;
            while cursor.doc() != DocId::NO_MORE {
                let count = cursor.take_block(DocId::NO_MORE, &mut docs, &mut freqs)?;
                builder.add(&docs[..count]);
            }
        }
        self.set(builder)
    }

    fn of_ordinals(&self, field: &str, infos: &[TermInfo]) -> Built {
        let Some(column) = self.segment().ordinals(field)? else {
            return Ok(None);
        };
        let mut wanted = Vec::with_capacity(infos.len());
        for info in infos {
            wanted.push(i64::try_from(info.ord).unwrap_or(i64::MAX));
        }
        let numbers = column.numbers().clone();
        let wanted = match (wanted.first(), wanted.last()) {
            (Some(&lo), Some(&hi)) if hi - lo + 1 == wanted.len() as i64 => {
                Wanted::Between { lo, hi }
            }
            _ => Wanted::OneOf(wanted.into()),
        };
        let max_doc = self.segment().max_doc();
        Ok(Some(Box::new(NumbersScorer::new(
            Some(numbers),
            None,
            wanted,
            max_doc,
        ))))
    }

    fn numbers(&self, field: &str, wanted: Wanted) -> Built {
        let segment = self.segment();
        let (column, points) = (segment.numeric(field)?, segment.points(field)?);
        if column.is_none() && points.is_none() {
            return Ok(None);
        }
        let scorer = NumbersScorer::new(column, points, wanted, segment.max_doc());
        Ok(Some(Box::new(scorer)))
    }

    fn set(&self, builder: DocSetBuilder) -> Built {
        self.found(builder.build())
    }

    fn found(&self, set: DocSet) -> Built {
        if set.len() == 0 {
            return Ok(None);
        }
        self.context.memory.take(set.size_bytes(), "<query>")?;
        Ok(Some(Box::new(DocSetScorer::new(set, 0.0))))
    }

    /// Calls `each` with every window that has live matches: its base and its hits.
    pub fn for_each_window(
        &self,
        scorer: &mut dyn Scorer,
        mut each: impl FnMut(u32, &mut Hits) -> Result<(), SearchError>,
    ) -> Result<(), SearchError> {
        let live = self.shard.segments[self.ord].live.as_deref();
        let mut hits = Hits::new();
        let mut at = scorer.seek(0)?;
        while at != NO_MORE {
            self.context.check_cancelled()?;
            let base = Window::base_of(at);
            scorer.fill(base, None, f32::NEG_INFINITY, &mut hits)?;
            if let Some(live) = live {
                live.mask_window(DocId(base), &mut hits.docs);
            }
            if !hits.docs.is_empty() {
                each(base, &mut hits)?;
            }
            let Some(next) = base.checked_add(WINDOW_DOCS) else {
                break;
            };
            at = scorer.seek(next)?;
        }
        Ok(())
    }
}

/// An error when an automaton met its limit of states.
pub(crate) fn check_overflow(automaton: &TermAutomaton) -> Result<(), SearchError> {
    if let TermAutomaton::Pattern(matcher) = automaton
        && matcher.overflowed()
    {
        return Err(SearchError::illegal(
            "Determinizing automaton would require more than the allowed number of states; \
             raise [max_determinized_states] or write a simpler expression",
        ));
    }
    Ok(())
}

fn bytes_of(bound: &Bound<Vec<u8>>) -> Bound<&[u8]> {
    match bound {
        Bound::Included(bytes) => Bound::Included(bytes),
        Bound::Excluded(bytes) => Bound::Excluded(bytes),
        Bound::Unbounded => Bound::Unbounded,
    }
}

/// Gives all documents of a scorer one score.
struct ConstantScorer {
    inner: Box<dyn Scorer>,
    score: f32,
}

impl ConstantScorer {
    fn new(inner: Box<dyn Scorer>, score: f32) -> Self {
        ConstantScorer { inner, score }
    }
}

impl Scorer for ConstantScorer {
    fn cost(&self) -> u64 {
        self.inner.cost()
    }

    fn seek(&mut self, target: u32) -> Result<u32, SearchError> {
        self.inner.seek(target)
    }

    fn fill(
        &mut self,
        base: u32,
        within: Option<&Window>,
        _floor: f32,
        out: &mut Hits,
    ) -> Result<(), SearchError> {
        self.inner.fill(base, within, f32::NEG_INFINITY, out)?;
        super::doc_set::fill_constant(out, self.score)
    }

    fn max_score(&mut self, _base: u32) -> Result<f32, SearchError> {
        Ok(self.score)
    }
}
