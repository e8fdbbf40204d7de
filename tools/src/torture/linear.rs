//! Whether a history of one document is linearisable: whether there is an order of its operations, in which each lies
//! between its call and its answer, that a single register would have answered in the same way.
//!
//! The search is that of Wing and Gong ("Testing and verifying concurrent objects", 1993), with the memory of Lowe
//! ("Testing for linearizability", 2017). Documents are registers that know nothing of each other, so each is checked
//! alone. An operation without a known outcome may take effect at any time after its call, or never.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use super::history::{Action, Operation, Outcome, Place, Value};

/// Configurations that are looked at for one document before the search gives up.
const STEPS_MAX: usize = 20_000_000;

/// What is wrong with a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// A read saw what nobody wrote.
    Phantom(Value),
    /// One write stands at two places of the shard's order: it was done twice.
    DoneTwice(Value, Place, Place),
    /// No order explains the answers. So many operations could be put in an order at most.
    NoOrder {
        /// How many.
        explained: usize,
        /// The first that could not be, in the longest order found.
        stuck_at: Operation,
    },
    /// There was no end to the orders to be tried.
    Undecided,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Violation::Phantom(value) => write!(f, "{value} was read, and nobody wrote it"),
            Violation::DoneTwice(value, first, second) => {
                write!(
                    f,
                    "the write of {value} was done twice: at {first} and at {second}"
                )
            }
            Violation::NoOrder {
                explained,
                stuck_at,
            } => write!(
                f,
                "no order explains the answers; at most {explained} operations have one, not with: {stuck_at}"
            ),
            Violation::Undecided => f.write_str("too many orders to try: not decided"),
        }
    }
}

/// What the register holds, and the place of the newest write in it, as far as that is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct State {
    value: Option<Value>,
    place: Option<Place>,
}

/// Checks a history of one document that did not exist before it.
pub fn check(history: &[Operation]) -> Result<(), Violation> {
    let places = places(history)?;
    Search::new(history, &places).run()
}

/// Where each value was written, as far as anybody was told.
fn places(history: &[Operation]) -> Result<BTreeMap<Value, Place>, Violation> {
    let written: HashSet<Value> = history.iter().filter_map(|op| op.action.value()).collect();
    let mut places: BTreeMap<Value, Place> = BTreeMap::new();
    for op in history {
        let told = match op.outcome {
            Outcome::Found(value, place) => Some((value, place)),
            outcome => op.action.value().zip(outcome.place()),
        };
        let Some((value, place)) = told else { continue };
        if !written.contains(&value) {
            return Err(Violation::Phantom(value));
        }
        match places.insert(value, place) {
            Some(before) if before != place => {
                return Err(Violation::DoneTwice(value, before, place));
            }
            _ => {}
        }
    }
    Ok(places)
}

/// The state after an operation, if the register would have answered so.
fn step(state: State, op: &Operation, places: &BTreeMap<Value, Place>) -> Option<State> {
    let stored = |value: Value| State {
        value: Some(value),
        place: places.get(&value).copied().or(state.place),
    };
    let is_there = state.value.is_some();
    let next = match (op.action, op.outcome) {
        (Action::Put(value), Outcome::Created(_)) if !is_there => stored(value),
        (Action::Put(value), Outcome::Updated(_)) if is_there => stored(value),
        (Action::Put(value), Outcome::Unknown) => stored(value),
        (Action::Create(value), Outcome::Created(_) | Outcome::Unknown) if !is_there => {
            stored(value)
        }
        (Action::Create(_), Outcome::Conflict) if is_there => state,
        (Action::PutIf { value, expected }, Outcome::Updated(_) | Outcome::Unknown)
            if state.value == Some(expected) =>
        {
            stored(value)
        }
        (Action::PutIf { expected, .. }, Outcome::Conflict) if state.value != Some(expected) => {
            state
        }
        (Action::Delete, Outcome::Deleted(place)) if is_there => State {
            value: None,
            place: Some(place),
        },
        (Action::Delete, Outcome::NotFound) if !is_there => state,
        (Action::Delete, Outcome::Unknown) if is_there => State {
            value: None,
            ..state
        },
        (Action::Get, Outcome::Found(value, _)) if state.value == Some(value) => state,
        (Action::Get, Outcome::Missing) if !is_there => state,
        _ => return None,
    };
    // the order of the shard and this order are one
    match next.place != state.place && next.place < state.place {
        true => None,
        false => Some(next),
    }
}

/// A call or an answer, in the order of time.
#[derive(Clone, Copy, Debug)]
struct Event {
    op: usize,
    is_call: bool,
}

/// A list of events from which operations are taken out and put back. Place 0 is before the first event, the last place
/// is behind the last.
struct Search<'a> {
    history: &'a [Operation],
    places: &'a BTreeMap<Value, Place>,
    /// Of place 1 and on.
    events: Vec<Event>,
    next: Vec<usize>,
    previous: Vec<usize>,
    /// Place of an operation's answer, if it has one.
    answer_of: Vec<Option<usize>>,
    /// Which operations are in the order, as bits.
    ordered: Vec<u64>,
    /// Answers that are still in the list.
    answers_left: usize,
}

impl<'a> Search<'a> {
    fn new(history: &'a [Operation], places: &'a BTreeMap<Value, Place>) -> Search<'a> {
        let mut timed = Vec::with_capacity(2 * history.len());
        for (op, operation) in history.iter().enumerate() {
            timed.push((operation.called, 0, op));
            if operation.outcome != Outcome::Unknown {
                timed.push((operation.returned, 1, op));
            }
        }
        // at one moment calls come first: then the two overlap
        timed.sort_unstable();
        let mut answer_of = vec![None; history.len()];
        let mut events = Vec::with_capacity(timed.len());
        for (at, (_, kind, op)) in timed.into_iter().enumerate() {
            let is_call = kind == 0;
            if !is_call {
                answer_of[op] = Some(at + 1);
            }
            events.push(Event { op, is_call });
        }
        let end = events.len() + 1;
        Search {
            history,
            places,
            next: (1..=end + 1).collect(),
            previous: (0..=end).map(|at: usize| at.saturating_sub(1)).collect(),
            answers_left: answer_of.iter().flatten().count(),
            answer_of,
            ordered: vec![0; history.len().div_ceil(64)],
            events,
        }
    }

    fn run(mut self) -> Result<(), Violation> {
        let end = self.events.len() + 1;
        let mut seen: HashSet<(Vec<u64>, State)> = HashSet::new();
        let mut order: Vec<(usize, State)> = Vec::new();
        let mut state = State::default();
        let mut at = self.next[0];
        let mut longest = (0, None);
        for _ in 0..STEPS_MAX {
            if self.answers_left == 0 {
                return Ok(());
            }
            let event = (at != end).then(|| self.events[at - 1]);
            match event {
                Some(Event { op, is_call: true }) => {
                    let after = step(state, &self.history[op], self.places);
                    let after = after.filter(|after| {
                        self.flip(op);
                        let is_new = seen.insert((self.ordered.clone(), *after));
                        self.flip(op);
                        is_new
                    });
                    match after {
                        Some(after) => {
                            order.push((at, state));
                            state = after;
                            self.take_out(at);
                            at = self.next[0];
                        }
                        None => at = self.next[at],
                    }
                }
                // an answer whose operation has no place in the order yet, or the end: this way leads nowhere
                _ => {
                    if let Some(Event { op, .. }) = event
                        && (longest.1.is_none() || order.len() > longest.0)
                    {
                        longest = (order.len(), Some(self.history[op]));
                    }
                    let Some((back, before)) = order.pop() else {
                        return Err(match longest {
                            (explained, Some(stuck_at)) => Violation::NoOrder {
                                explained,
                                stuck_at,
                            },
                            // an answer is left, so one was run into
                            (_, None) => Violation::Undecided,
                        });
                    };
                    state = before;
                    self.put_back(back);
                    at = self.next[back];
                }
            }
        }
        Err(Violation::Undecided)
    }

    fn flip(&mut self, op: usize) {
        self.ordered[op / 64] ^= 1 << (op % 64);
    }

    fn take_out(&mut self, at: usize) {
        let op = self.events[at - 1].op;
        self.flip(op);
        self.unlink(at);
        if let Some(answer) = self.answer_of[op] {
            self.unlink(answer);
            self.answers_left -= 1;
        }
    }

    fn put_back(&mut self, at: usize) {
        let op = self.events[at - 1].op;
        self.flip(op);
        if let Some(answer) = self.answer_of[op] {
            self.link(answer);
            self.answers_left += 1;
        }
        self.link(at);
    }

    fn unlink(&mut self, at: usize) {
        let (before, behind) = (self.previous[at], self.next[at]);
        self.next[before] = behind;
        self.previous[behind] = before;
    }

    /// Undoes the newest [`Search::unlink`] that is not undone: the neighbours are those of then.
    fn link(&mut self, at: usize) {
        let (before, behind) = (self.previous[at], self.next[at]);
        self.next[before] = at;
        self.previous[behind] = at;
    }
}

#[cfg(test)]
#[path = "linear_tests.rs"]
mod tests;
