//! Which way a query takes in one segment.

use super::checks::Check;
use super::conjunction::Conjunction;
use super::constant::Constant;
use super::enough::Enough;
use super::term_list::TermList;
use super::union::Union;
use crate::exec::filters::Found;
use crate::exec::node::{BoolNode, DocsNode, Node, PhraseNode, PhraseSlot, TermNode};
use crate::exec::segment_scorer::SegmentScope;
use crate::search::SearchError;
use crate::segment::{PostingsCursor, PostingsNeed};

/// How many times fewer documents than a union a filter must have to be asked first; how many times more, to be asked window
/// by window.
const SELECTIVE_FROM: u64 = 8;

/// How a query is run in one segment.
pub(super) enum Plan {
    /// It finds nothing here.
    Nothing,
    /// One or more terms, of which one is enough; and what is needed or (`false`) excluded besides.
    Union(Vec<TermList>, Vec<(Check, bool)>),
    Conjunction(Box<Conjunction>),
    /// Terms of which some are needed.
    Enough(Box<Enough>),
    /// All documents score the same.
    Constant(Box<Constant>),
    /// Not here.
    Other,
}

impl Plan {
    /// Bytes that bounds by window and clause take, at most.
    pub fn table_bytes(&self) -> u64 {
        match self {
            Plan::Union(terms, _) => {
                let windows = terms.first().map_or(0, TermList::window_count);
                Union::table_bytes(terms.len(), windows)
            }
            Plan::Conjunction(all) => all.table_bytes(),
            Plan::Enough(some) => some.table_bytes(),
            Plan::Nothing | Plan::Constant(_) | Plan::Other => 0,
        }
    }
}

/// How `node` runs in a segment; without a `floor`, above which scores are wanted, what only scores is left out.
pub(super) fn plan(
    scope: &SegmentScope<'_>,
    node: &Node,
    floor: Option<f32>,
) -> Result<Plan, SearchError> {
    let scored = floor.is_some();
    match node {
        Node::Nothing => Ok(Plan::Nothing),
        Node::Term(term) => Ok(match term_list(scope, term, scored)? {
            TermFound::List(list) => Plan::Union(vec![list], Vec::new()),
            TermFound::Absent => Plan::Nothing,
            TermFound::Other => Plan::Other,
        }),
        Node::Phrase(phrase) => {
            if is_absent(scope, node) {
                return Ok(Plan::Nothing);
            }
            let mut all = Conjunction::new(scope.reader().max_doc());
            Ok(match add_phrase(scope, phrase, scored, &mut all)? {
                Step::Done => Plan::Conjunction(all),
                Step::Nothing => Plan::Nothing,
                Step::Other => Plan::Other,
            })
        }
        Node::Bool(node) => plan_bool(scope, node, floor),
        Node::All { boost } => {
            let all = Constant::new(scope.reader().max_doc(), *boost);
            Ok(Plan::Constant(Box::new(all)))
        }
        Node::Constant { docs, boost } => {
            if let (DocsNode::Matches(inner), false) = (docs, scored) {
                let inner = plan(scope, inner, None)?;
                if !matches!(inner, Plan::Other) {
                    return Ok(inner);
                }
            }
            let mut all = Constant::new(scope.reader().max_doc(), *boost);
            Ok(match unscored(scope, node, u64::MAX)? {
                Some(filter) => {
                    all.filter(filter);
                    Plan::Constant(Box::new(all))
                }
                None => Plan::Nothing,
            })
        }
        _ => Ok(Plan::Other),
    }
}

fn plan_bool(
    scope: &SegmentScope<'_>,
    node: &BoolNode,
    floor: Option<f32>,
) -> Result<Plan, SearchError> {
    let scored = floor.is_some();
    if let Some(clauses) = clauses_of_union(node) {
        return plan_union(scope, node, clauses, floor);
    }
    if node.needed == 0
        && let Some(score) = score_of_all(&node.must)
        && (node.should.is_empty() || !scored)
    {
        return plan_constant(scope, node, score);
    }
    if node.must.is_empty() && node.needed > 1 {
        return plan_enough(scope, node, scored);
    }
    if node.must.is_empty() || node.needed > 0 {
        return Ok(Plan::Other);
    }
    if node.must.iter().any(|clause| is_absent(scope, clause)) {
        return Ok(Plan::Nothing);
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
    if !add_checks(scope, node, &mut all)? {
        return Ok(Plan::Nothing);
    }
    if !scored && let Some(list) = all.take_only_list() {
        // Its count is known without a look at its documents.
        return Ok(Plan::Union(vec![list], Vec::new()));
    }
    Ok(Plan::Conjunction(all))
}

/// Whether a clause certainly finds nothing, before anything is opened: a term that the segment has not got decides that.
fn is_absent(scope: &SegmentScope<'_>, clause: &Node) -> bool {
    match clause {
        Node::Term(term) => !scope.has(term),
        Node::Phrase(phrase) => {
            let mut slots = phrase.slots.iter();
            slots.any(|slot| !slot.terms.iter().any(|term| scope.has(term)))
        }
        _ => false,
    }
}

/// Adds filters and excluded clauses; `false`: a filter finds nothing.
fn add_checks(
    scope: &SegmentScope<'_>,
    node: &BoolNode,
    all: &mut Conjunction,
) -> Result<bool, SearchError> {
    let lead = all.lead_cost();
    for clause in &node.filter {
        match unscored(scope, clause, lead)? {
            Some(filter) => all.filter(filter),
            None => return Ok(false),
        }
    }
    for clause in &node.must_not {
        if let Some(unwanted) = unscored(scope, clause, lead)? {
            all.exclude(unwanted);
        }
    }
    Ok(true)
}

/// What every document scores that has all of some clauses, if that is known; nothing without clauses.
fn score_of_all(clauses: &[Node]) -> Option<f32> {
    let boost_of = |clause: &Node| match clause {
        Node::Constant { boost, .. } | Node::All { boost } => Some(*boost),
        _ => None,
    };
    match clauses {
        [] => Some(0.0),
        // the score itself, without a sum
        [alone] => boost_of(alone),
        _ => {
            let boosts: Option<Vec<f32>> = clauses.iter().map(boost_of).collect();
            let sum: f64 = boosts?.into_iter().map(f64::from).sum();
            Some(sum as f32)
        }
    }
}

/// Clauses of which none tells documents apart by score.
fn plan_constant(
    scope: &SegmentScope<'_>,
    node: &BoolNode,
    score: f32,
) -> Result<Plan, SearchError> {
    let mut all = Constant::new(scope.reader().max_doc(), score);
    let needed = || node.must.iter().chain(&node.filter);
    // Single terms first: others want to know how little they leave.
    let is_term = |clause: &&Node| matches!(clause, Node::Term(_));
    let others = needed().filter(|clause| !is_term(clause));
    for clause in needed().filter(is_term).chain(others) {
        if matches!(clause, Node::All { .. }) {
            continue;
        }
        match unscored(scope, clause, all.cost())? {
            Some(filter) => all.filter(filter),
            None => return Ok(Plan::Nothing),
        }
    }
    for clause in &node.must_not {
        if let Some(unwanted) = unscored(scope, clause, all.cost())? {
            all.exclude(unwanted);
        }
    }
    Ok(Plan::Constant(Box::new(all)))
}

/// Terms of which more than one is needed.
fn plan_enough(
    scope: &SegmentScope<'_>,
    node: &BoolNode,
    scored: bool,
) -> Result<Plan, SearchError> {
    let Some(lists) = lists_of(scope, &node.should, scored)? else {
        return Ok(Plan::Other);
    };
    if lists.len() < node.needed {
        return Ok(Plan::Nothing);
    }
    if lists.len() == node.needed {
        let mut all = Conjunction::new(scope.reader().max_doc());
        lists.into_iter().for_each(|list| all.require(list));
        return Ok(match add_checks(scope, node, &mut all)? {
            true => Plan::Conjunction(all),
            false => Plan::Nothing,
        });
    }
    Ok(match checks_of(scope, node, &lists)? {
        Besides::Checks(checks) => Plan::Enough(Box::new(Enough::new(lists, node.needed, checks)?)),
        Besides::Nothing => Plan::Nothing,
        Besides::Other => Plan::Other,
    })
}

/// The lists of terms, those that the segment has; `None` where a clause is something else.
fn lists_of(
    scope: &SegmentScope<'_>,
    clauses: &[Node],
    scored: bool,
) -> Result<Option<Vec<TermList>>, SearchError> {
    let mut lists = Vec::with_capacity(clauses.len());
    for clause in clauses {
        let Node::Term(term) = clause else {
            return Ok(None);
        };
        match term_list(scope, term, scored)? {
            TermFound::List(list) => lists.push(list),
            TermFound::Absent => {}
            TermFound::Other => return Ok(None),
        }
    }
    Ok(Some(lists))
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

/// Documents of a term up to which all are scored while those are counted that pass some checks: looking these up costs more, and is
/// done once then.
const SCORED_MOST: u64 = 8192;

/// Whether it is one term, not too frequent, with something needed or excluded besides: cheaper to count as it is ranked.
pub(crate) fn is_rare_and_checked(node: &BoolNode) -> bool {
    let is_checked = !(node.filter.is_empty() && node.must_not.is_empty());
    match clauses_of_union(node) {
        Some([Node::Term(term)]) => is_checked && term.doc_freq <= SCORED_MOST,
        _ => false,
    }
}

fn plan_union(
    scope: &SegmentScope<'_>,
    node: &BoolNode,
    clauses: &[Node],
    floor: Option<f32>,
) -> Result<Plan, SearchError> {
    let Some(lists) = lists_of(scope, clauses, floor.is_some())? else {
        return Ok(Plan::Other);
    };
    let most: f64 = lists.iter().map(|list| f64::from(list.max)).sum();
    if lists.is_empty() || floor.is_some_and(|floor| (most as f32).next_up() <= floor) {
        return Ok(Plan::Nothing);
    }
    Ok(match checks_of(scope, node, &lists)? {
        Besides::Checks(checks) => Plan::Union(lists, checks),
        Besides::Nothing => Plan::Nothing,
        Besides::Other => Plan::Other,
    })
}

/// What is asked besides terms of which one or some are enough.
enum Besides {
    /// What is needed or (`false`) excluded.
    Checks(Vec<(Check, bool)>),
    /// A filter finds nothing.
    Nothing,
    /// They had better be run in another way.
    Other,
}

fn checks_of(
    scope: &SegmentScope<'_>,
    node: &BoolNode,
    lists: &[TermList],
) -> Result<Besides, SearchError> {
    let costs: u64 = lists.iter().map(|list| u64::from(list.cost())).sum();
    let mut checks = Vec::with_capacity(node.filter.len() + node.must_not.len());
    for clause in &node.filter {
        let Some(filter) = unscored(scope, clause, costs)? else {
            return Ok(Besides::Nothing);
        };
        if filter.cost() < costs / SELECTIVE_FROM {
            // Its documents are so few that they had better lead.
            return Ok(Besides::Other);
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
        return Ok(Besides::Other);
    }
    Ok(Besides::Checks(checks))
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
    let scoring = scope.term_scoring(term);
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
        true => Some(scope.phrase_scoring(phrase)),
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
