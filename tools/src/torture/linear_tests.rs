use super::*;
use crate::torture::random::Random;

fn at(seq_no: u64) -> Place {
    Place { term: 1, seq_no }
}

/// `(called, returned, action, outcome)`, each of a client of its own.
fn history(ops: &[(u64, u64, Action, Outcome)]) -> Vec<Operation> {
    let all = ops.iter().enumerate();
    all.map(|(client, (called, returned, action, outcome))| Operation {
        client: client as u32,
        called: *called,
        returned: *returned,
        action: *action,
        outcome: *outcome,
    })
    .collect()
}

#[track_caller]
fn good(ops: &[(u64, u64, Action, Outcome)]) {
    assert_eq!(check(&history(ops)), Ok(()));
}

/// The history is refused at the operation with this number.
#[track_caller]
fn stuck(ops: &[(u64, u64, Action, Outcome)], wanted: usize) {
    let history = history(ops);
    match check(&history) {
        Err(Violation::NoOrder { stuck_at, .. }) => assert_eq!(stuck_at, history[wanted]),
        other => panic!("{other:?}"),
    }
}

use Action::{Create, Delete, Get, Put, PutIf};
use Outcome::{Conflict, Created, Deleted, Found, Missing, NotFound, Unknown, Updated};

#[test]
fn operations_that_overlap_may_take_effect_in_any_order() {
    good(&[]);
    good(&[
        (0, 10, Put(1), Created(at(0))),
        (20, 50, Put(2), Updated(at(1))),
        (25, 30, Get, Found(1, at(0))),
        (35, 40, Get, Found(2, at(1))),
        (60, 70, Delete, Deleted(at(2))),
        (80, 90, Get, Missing),
        (95, 99, Create(3), Created(at(3))),
    ]);
}

#[test]
fn an_acknowledged_write_that_is_lost_is_found_out() {
    stuck(
        &[(0, 10, Put(1), Created(at(0))), (20, 30, Get, Missing)],
        1,
    );
    stuck(
        &[
            (0, 10, Put(1), Created(at(0))),
            (20, 30, Put(2), Updated(at(1))),
            (40, 50, Get, Found(1, at(0))),
        ],
        2,
    );
}

#[test]
fn a_read_that_goes_back_is_found_out() {
    stuck(
        &[
            (0, 10, Put(1), Created(at(0))),
            (20, 90, Put(2), Updated(at(1))),
            (30, 40, Get, Found(2, at(1))),
            (50, 60, Get, Found(1, at(0))),
        ],
        3,
    );
}

#[test]
fn a_deleted_document_that_returns_is_found_out() {
    stuck(
        &[
            (0, 10, Put(1), Created(at(0))),
            (20, 30, Delete, Deleted(at(1))),
            (40, 50, Get, Found(1, at(0))),
        ],
        2,
    );
    good(&[(0, 10, Delete, NotFound), (20, 30, Put(1), Created(at(1)))]);
}

#[test]
fn two_writers_cannot_both_replace_one_value() {
    let first = (0, 10, Put(1), Created(at(0)));
    let replace = |value, expected, outcome| (20, 30, PutIf { value, expected }, outcome);
    good(&[
        first,
        replace(2, 1, Updated(at(1))),
        replace(3, 1, Conflict),
    ]);
    let both = [
        first,
        replace(2, 1, Updated(at(1))),
        replace(3, 1, Updated(at(2))),
    ];
    assert!(check(&history(&both)).is_err());
    stuck(&[first, replace(2, 1, Conflict)], 1);
    stuck(&[first, (20, 30, Create(2), Created(at(1)))], 1);
    stuck(&[(0, 10, Create(2), Conflict)], 0);
}

#[test]
fn an_unknown_write_may_take_effect_late_or_never_but_once() {
    let unknown = (20, 30, Put(2), Unknown);
    let first = (0, 10, Put(1), Created(at(0)));
    good(&[first, unknown, (40, 50, Get, Found(1, at(0)))]);
    good(&[
        first,
        unknown,
        (40, 50, Get, Found(1, at(0))),
        (60, 70, Get, Found(2, at(1))),
    ]);
    stuck(
        &[
            first,
            unknown,
            (40, 50, Get, Found(2, at(1))),
            (60, 70, Get, Found(1, at(0))),
        ],
        3,
    );
    good(&[first, (20, 30, Delete, Unknown), (40, 50, Get, Missing)]);
    // it explains what others were told
    good(&[(0, 10, Put(1), Unknown), (20, 30, Create(2), Conflict)]);
    good(&[
        first,
        (
            20,
            30,
            PutIf {
                value: 2,
                expected: 1,
            },
            Unknown,
        ),
        (
            40,
            50,
            PutIf {
                value: 3,
                expected: 1,
            },
            Conflict,
        ),
    ]);
    // before it was asked for it cannot
    stuck(
        &[(0, 10, Create(2), Conflict), (20, 30, Put(1), Unknown)],
        0,
    );
}

#[test]
fn what_nobody_wrote_or_was_written_twice_is_named() {
    assert_eq!(
        check(&history(&[(0, 10, Get, Found(7, at(0)))])),
        Err(Violation::Phantom(7))
    );
    let twice = [
        (0, 10, Put(1), Unknown),
        (20, 30, Get, Found(1, at(0))),
        (40, 50, Get, Found(1, at(2))),
    ];
    assert_eq!(
        check(&history(&twice)),
        Err(Violation::DoneTwice(1, at(0), at(2)))
    );
}

#[test]
fn the_order_of_the_shard_is_the_order_of_the_answers() {
    stuck(
        &[
            (0, 10, Put(1), Created(at(5))),
            (20, 30, Put(2), Updated(at(4))),
        ],
        1,
    );
    let newer = Place { term: 2, seq_no: 4 };
    good(&[
        (0, 10, Put(1), Created(at(5))),
        (20, 30, Put(2), Updated(newer)),
    ]);
}

/// Every order, tried one after the other.
fn by_trying_all(history: &[Operation], places: &BTreeMap<Value, Place>) -> bool {
    fn go(
        history: &[Operation],
        places: &BTreeMap<Value, Place>,
        left: &mut Vec<usize>,
        state: State,
    ) -> bool {
        let known = |op: &Operation| op.outcome != Unknown;
        if left.iter().all(|op| !known(&history[*op])) {
            return true;
        }
        let deadline = left
            .iter()
            .map(|op| &history[*op])
            .filter(|op| known(op))
            .map(|op| op.returned)
            .min()
            .unwrap_or(u64::MAX);
        for at in 0..left.len() {
            let op = left[at];
            if history[op].called <= deadline
                && let Some(after) = step(state, &history[op], places)
            {
                left.remove(at);
                let found = go(history, places, left, after);
                left.insert(at, op);
                if found {
                    return true;
                }
            }
        }
        false
    }
    let mut left = (0..history.len()).collect();
    go(history, places, &mut left, State::default())
}

/// Answers drawn at random, most of them near the truth.
fn drawn(random: &mut Random) -> Vec<Operation> {
    let count = random.between(2, 6);
    let mut ops = Vec::new();
    for n in 0..count {
        let called = random.below(40);
        let returned = called + 1 + random.below(30);
        let value = n + 1;
        let some = random.between(1, count);
        let place = at(n);
        let (action, outcome) = match random.below(9) {
            0 | 1 => (Put(value), Created(place)),
            2 => (Put(value), Updated(place)),
            3 => (Put(value), Unknown),
            4 => (
                Create(value),
                *random.pick(&[Created(place), Conflict, Unknown]).unwrap(),
            ),
            5 => (
                PutIf {
                    value,
                    expected: some,
                },
                *random.pick(&[Updated(place), Conflict, Unknown]).unwrap(),
            ),
            6 => (
                Delete,
                *random.pick(&[Deleted(place), NotFound, Unknown]).unwrap(),
            ),
            7 => (Get, Missing),
            _ => (Get, Found(some, at(some - 1))),
        };
        ops.push((called, returned, action, outcome));
    }
    history(&ops)
}

#[test]
fn it_agrees_with_trying_every_order() {
    let (mut accepted, mut refused) = (0, 0);
    for seed in 0..20_000 {
        let history = drawn(&mut Random::new(seed, 0));
        let Ok(places) = places(&history) else {
            continue;
        };
        let wanted = by_trying_all(&history, &places);
        let found = check(&history);
        assert_eq!(found.is_ok(), wanted, "seed {seed}: {history:#?} {found:?}");
        match wanted {
            true => accepted += 1,
            false => refused += 1,
        }
    }
    assert!(accepted > 1000 && refused > 1000, "{accepted} {refused}");
}
