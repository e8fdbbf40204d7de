//! The best documents of queries made of terms and phrases, found without looking at the others.
//!
//! Bounds on scores (impacts) come first: of blocks, of windows of 4096 documents. What cannot enter the best is not decoded.
//! * [`single`]: one term.
//! * [`union`]: some term is enough. MAXSCORE (Turtle and Flood, "Query evaluation: strategies and optimizations", 1995) with
//!   bounds of windows (Ding and Suel, "Faster top-k document retrieval using block-max indexes", 2011); the most
//!   promising windows go first, as in Mallia et al., "Faster Learned Sparse Retrieval with Block-Max Pruning" (2024).
//! * [`conjunction`]: all are needed, some more may add to the score, some are excluded. Blocks of the rarest are scored first
//!   and only what may still enter is looked up in the others.
//! * [`count`](mod@count): how many match, in bitmaps of windows, for those who want to know that too.
//!
//! Queries of any other shape run in [`Scorer`](super::Scorer)s.

mod checks;
mod conjunction;
pub(crate) mod count;
mod matches;
mod phrase;
mod scratch;
mod single;
mod term_list;
mod union;

use self::checks::Check;
use self::conjunction::Conjunction;
use self::term_list::TermList;
use self::union::Union;
use super::filters::Found;
use super::node::{BoolNode, Node, PhraseNode, PhraseSlot, TermNode};
use super::segment_scorer::SegmentScope;
use crate::ids::DocId;
use crate::search::{SearchError, TopScores};
use crate::segment::{LiveDocs, PostingsCursor, PostingsNeed};
use crate::simd;

/// Where the best documents of one segment go.
pub(crate) struct Ranking<'a> {
    /// The best of all segments so far.
    pub top: &'a mut TopScores,
    /// Number of the segment.
    pub segment: u32,
    /// Its documents that are alive; `None`: all.
    pub live: Option<&'a LiveDocs>,
    /// Whether documents may be offered in another order than their own.
    unordered: bool,
}

impl<'a> Ranking<'a> {
    /// Into `top`.
    pub fn new(top: &'a mut TopScores, segment: u32, live: Option<&'a LiveDocs>) -> Self {
        Ranking {
            top,
            segment,
            live,
            unordered: false,
        }
    }

    /// Scores of this or less cannot enter.
    #[inline]
    fn floor(&self) -> f32 {
        let floor = self.top.floor();
        // Out of order, a document of the same score as the worst may still come before it.
        if self.unordered {
            floor.next_down()
        } else {
            floor
        }
    }

    /// Offers many documents, in any order; what does not enter is taken out of both.
    fn offer_all(&mut self, docs: &mut [u32], scores: &mut [f32]) {
        let floor = self.floor();
        let mut count = docs.len();
        if floor > f32::NEG_INFINITY {
            count = (simd::kernels().scoring.keep_above)(docs, scores, floor);
        }
        if let Some(live) = self.live {
            let mut alive = 0;
            for index in 0..count {
                (docs[alive], scores[alive]) = (docs[index], scores[index]);
                alive += usize::from(live.is_live(DocId(docs[index])));
            }
            count = alive;
        }
        self.top
            .offer_all(self.segment, &docs[..count], &scores[..count]);
    }
}

/// Finds the best documents of a segment; `false`, with nothing done, for queries of another shape.
pub(crate) fn rank(
    scope: &SegmentScope<'_>,
    node: &Node,
    ranking: &mut Ranking<'_>,
) -> Result<bool, SearchError> {
    match plan(scope, node, true)? {
        Plan::Nothing => Ok(true),
        Plan::Union(mut terms, checks) => match &mut terms[..] {
            [alone] if checks.iter().all(|(_, wanted)| !wanted) => {
                single::run(alone, checks, scope.context, ranking)
            }
            _ => Union::new(terms, checks).run(scope.context, ranking),
        }
        .map(|()| true),
        Plan::Conjunction(mut all) => all.run(scope.context, Some(ranking), None).map(|()| true),
        Plan::Other => Ok(false),
    }
}

/// How many times fewer documents than a union a filter must have to be asked first; how many times more, to be asked window
/// by window.
const SELECTIVE_FROM: u64 = 8;

/// How a query is run in one segment.
enum Plan {
    /// It finds nothing here.
    Nothing,
    /// One or more terms, of which one is enough; and what is needed or (`false`) excluded besides.
    Union(Vec<TermList>, Vec<(Check, bool)>),
    Conjunction(Box<Conjunction>),
    /// Not here.
    Other,
}

/// How `node` runs in a segment; without `scored` what only scores is left out.
fn plan(scope: &SegmentScope<'_>, node: &Node, scored: bool) -> Result<Plan, SearchError> {
    match node {
        Node::Nothing => Ok(Plan::Nothing),
        Node::Term(term) => Ok(match term_list(scope, term, scored)? {
            TermFound::List(list) => Plan::Union(vec![list], Vec::new()),
            TermFound::Absent => Plan::Nothing,
            TermFound::Other => Plan::Other,
        }),
        Node::Phrase(phrase) => {
            let mut all = Conjunction::new(scope.reader().max_doc());
            Ok(match add_phrase(scope, phrase, scored, &mut all)? {
                Step::Done => Plan::Conjunction(Box::new(all)),
                Step::Nothing => Plan::Nothing,
                Step::Other => Plan::Other,
            })
        }
        Node::Bool(node) => plan_bool(scope, node, scored),
        _ => Ok(Plan::Other),
    }
}

fn plan_bool(scope: &SegmentScope<'_>, node: &BoolNode, scored: bool) -> Result<Plan, SearchError> {
    if let Some(clauses) = clauses_of_union(node) {
        return plan_union(scope, node, clauses, scored);
    }
    if node.must.is_empty() || node.needed > 0 {
        return Ok(Plan::Other);
    }
    let mut all = Conjunction::new(scope.reader().max_doc());
    for clause in &node.must {
        let step = match clause {
            Node::Term(term) => match term_list(scope, term, scored)? {
                TermFound::List(list) => {
                    all.require(list);
                    Step::Done
                }
                TermFound::Absent => Step::Nothing,
                TermFound::Other => Step::Other,
            },
            Node::Phrase(phrase) => add_phrase(scope, phrase, scored, &mut all)?,
            _ => Step::Other,
        };
        match step {
            Step::Done => {}
            Step::Nothing => return Ok(Plan::Nothing),
            Step::Other => return Ok(Plan::Other),
        }
    }
    // Clauses that need not match do not change the number of those that do.
    let optional: &[Node] = if scored { &node.should } else { &[] };
    for clause in optional {
        let Node::Term(term) = clause else {
            return Ok(Plan::Other);
        };
        match term_list(scope, term, scored)? {
            TermFound::List(list) => all.prefer(list),
            TermFound::Absent => {}
            TermFound::Other => return Ok(Plan::Other),
        }
    }
    let lead = all.lead_cost();
    for clause in &node.filter {
        match unscored(scope, clause, lead)? {
            Some(filter) => all.filter(filter),
            None => return Ok(Plan::Nothing),
        }
    }
    for clause in &node.must_not {
        if let Some(unwanted) = unscored(scope, clause, lead)? {
            all.exclude(unwanted);
        }
    }
    if !scored && let Some(list) = all.take_only_list() {
        // Its count is known without a look at its documents.
        return Ok(Plan::Union(vec![list], Vec::new()));
    }
    Ok(Plan::Conjunction(Box::new(all)))
}

/// The clauses of which one is enough, in a query that asks for nothing else but filters and excluded clauses.
fn clauses_of_union(node: &BoolNode) -> Option<&[Node]> {
    match &node.must[..] {
        [] if node.needed == 1 || (node.filter.is_empty() && node.needed == 0) => {
            Some(&node.should)
        }
        // One of one, so to say.
        [Node::Term(_)] if node.should.is_empty() && node.filter.is_empty() => {
            let is_term = |clause: &Node| matches!(clause, Node::Term(_));
            let excluding = node.must_not.iter().all(is_term) && !node.must_not.is_empty();
            (excluding && node.needed == 0).then_some(&node.must[..])
        }
        [Node::Bool(inner)] if node.should.is_empty() && node.needed == 0 => {
            let alone =
                inner.must.is_empty() && inner.filter.is_empty() && inner.must_not.is_empty();
            (alone && inner.needed <= 1).then_some(&inner.should[..])
        }
        _ => None,
    }
}

/// Whether one of some clauses is enough, so that it is cheaper to count apart from what is ranked.
pub(crate) fn is_union(node: &BoolNode) -> bool {
    clauses_of_union(node).is_some()
}

fn plan_union(
    scope: &SegmentScope<'_>,
    node: &BoolNode,
    clauses: &[Node],
    scored: bool,
) -> Result<Plan, SearchError> {
    let mut lists = Vec::with_capacity(clauses.len());
    for clause in clauses {
        let Node::Term(term) = clause else {
            return Ok(Plan::Other);
        };
        match term_list(scope, term, scored)? {
            TermFound::List(list) => lists.push(list),
            TermFound::Absent => {}
            TermFound::Other => return Ok(Plan::Other),
        }
    }
    if lists.is_empty() {
        return Ok(Plan::Nothing);
    }
    let costs: u64 = lists.iter().map(|list| u64::from(list.cost())).sum();
    let mut checks = Vec::with_capacity(node.filter.len() + node.must_not.len());
    for clause in &node.filter {
        let Some(filter) = unscored(scope, clause, costs)? else {
            return Ok(Plan::Nothing);
        };
        if filter.cost() < costs / SELECTIVE_FROM {
            // Its documents are so few that they had better lead.
            return Ok(Plan::Other);
        }
        checks.push((filter, true));
    }
    for clause in &node.must_not {
        if let Some(unwanted) = unscored(scope, clause, costs)? {
            checks.push((unwanted, false));
        }
    }
    // What only goes forward would be settled for the whole segment.
    let costly = |check: &Check| match check {
        Check::Decider(_) => check.cost() > SELECTIVE_FROM * costs,
        Check::List(_) | Check::Known(_) => false,
    };
    if checks.iter().any(|(check, _)| costly(check)) {
        return Ok(Plan::Other);
    }
    Ok(Plan::Union(lists, checks))
}

/// What a term is in one segment.
enum TermFound {
    List(TermList),
    Absent,
    /// Not in a form that is known here.
    Other,
}

enum Step {
    Done,
    Nothing,
    Other,
}

fn term_list(
    scope: &SegmentScope<'_>,
    term: &TermNode,
    scored: bool,
) -> Result<TermFound, SearchError> {
    if !scored {
        let Some(cursor) = scope.cursor(term, PostingsNeed::Docs)? else {
            return Ok(TermFound::Absent);
        };
        let list = cursor.into_list().map(TermList::unscored);
        return Ok(list.map_or(TermFound::Other, TermFound::List));
    }
    let Some(cursor) = scope.cursor(term, PostingsNeed::Freqs)? else {
        return Ok(TermFound::Absent);
    };
    let scoring = scope.term_scoring(term)?;
    // Without a weight bounds say nothing about who matches.
    if scoring.bm25.weight <= 0.0 || !scoring.bm25.weight.is_finite() {
        return Ok(TermFound::Other);
    }
    match cursor.into_list() {
        Ok(list) => Ok(TermFound::List(TermList::open(list, scoring)?)),
        Err(_) => Ok(TermFound::Other),
    }
}

fn add_phrase(
    scope: &SegmentScope<'_>,
    phrase: &PhraseNode,
    scored: bool,
    all: &mut Conjunction,
) -> Result<Step, SearchError> {
    if phrase.slop > 0 || phrase.slots.iter().any(|slot| slot.terms.len() != 1) {
        return Ok(Step::Other);
    }
    let scoring = match scored {
        true => Some(scope.phrase_scoring(phrase)?),
        false => None,
    };
    if let Some(scoring) = &scoring
        && (scoring.bm25.weight <= 0.0 || !scoring.bm25.weight.is_finite())
    {
        return Ok(Step::Other);
    }
    let mut places: Vec<(u32, usize)> = Vec::with_capacity(phrase.slots.len());
    for (number, slot) in phrase.slots.iter().enumerate() {
        let term = &slot.terms[0];
        let same = |before: &PhraseSlot| before.terms[0].term == term.term;
        if let Some(before) = phrase.slots[..number].iter().position(same) {
            places.push((slot.position, places[before].1));
            continue;
        }
        let Some(cursor) = scope.cursor(term, PostingsNeed::Positions)? else {
            return Ok(Step::Nothing);
        };
        let Ok(list) = cursor.into_list() else {
            return Ok(Step::Other);
        };
        let list = match &scoring {
            Some(scoring) => TermList::open(list, scoring.clone())?,
            None => TermList::unscored(list),
        };
        places.push((slot.position, all.require_of_phrase(list)));
    }
    if places.is_empty() {
        return Ok(Step::Nothing);
    }
    all.require_phrase(scoring, places);
    Ok(Step::Done)
}

/// A clause that decides without scoring, beside clauses that find so many documents; `None`: it finds nothing here.
fn unscored(
    scope: &SegmentScope<'_>,
    node: &Node,
    lead: u64,
) -> Result<Option<Check>, SearchError> {
    if let Node::Term(term) = node {
        let Some(cursor) = scope.cursor(term, PostingsNeed::Docs)? else {
            return Ok(None);
        };
        if let Ok(list) = PostingsCursor::into_list(cursor) {
            return Ok(Some(Check::List(TermList::unscored(list))));
        }
    }
    Ok(match scope.filter(node, lead)? {
        Found::Nothing => None,
        Found::Set(set) => Some(Check::Known(set)),
        Found::Scorer(scorer) => Some(Check::by(scorer)),
    })
}
