//! The best documents of one term, less what is excluded: blocks that can score most first, and of these only what may enter; or
//! all that pass some checks, counted on the way.

use super::Ranking;
use super::checks::Check;
use super::count::Tally;
use super::scratch::{Buffers, thread_scratch};
use super::term_list::TermList;
use crate::search::{SearchContext, SearchError};

/// Blocks that are looked at first, the most promising of all, so that the floor is near its end when the others come.
const FIRST: usize = 4;
/// Blocks visited between two looks at the clock.
const STEPS_PER_LOOK: usize = 64;

/// Offers what may be among the best of a term, but what one of the checks finds.
pub(super) fn run(
    list: &mut TermList,
    mut excluded: Vec<(Check, bool)>,
    context: &SearchContext<'_>,
    ranking: &mut Ranking<'_>,
) -> Result<(), SearchError> {
    // A single block tells how much it scores when it is visited.
    if list.block_count() > 1 && list.max <= ranking.floor() {
        return Ok(());
    }
    for (check, _) in &mut excluded {
        if !check.settle(list.window_count(), context)? {
            return Ok(());
        }
    }
    ranking.unordered = true;
    let result = run_blocks(list, &mut excluded, context, ranking);
    ranking.unordered = false;
    result
}

/// Offers all documents of a term that each check lets pass, and counts them all, whatever is enough: they are few. Blocks ascend, as
/// checks want it that decide window by window.
pub(super) fn run_counted(
    list: &mut TermList,
    mut checks: Vec<(Check, bool)>,
    context: &SearchContext<'_>,
    ranking: &mut Ranking<'_>,
    tally: &mut Tally<'_>,
) -> Result<(), SearchError> {
    let mut scratch = thread_scratch();
    for block in 0..list.block_count() {
        context.check_cancelled()?;
        if context.timed_out() {
            break;
        }
        let Buffers { batch, found, .. } = &mut *scratch;
        found.clear();
        let count = list.load_ranked(block, batch)?;
        list.score(count, batch);
        found.docs.extend_from_slice(&batch.docs[..count]);
        let sums = batch.scores[..count].iter();
        found.sums.extend(sums.map(|score| f64::from(*score)));
        keep_checked(&mut checks, &mut scratch)?;
        tally.keep_alive_matches(&mut scratch.found);
        tally.add(scratch.found.docs.len());
        offer_found(&mut scratch, ranking);
    }
    Ok(())
}

/// Keeps what was found and each check lets pass.
fn keep_checked(checks: &mut [(Check, bool)], scratch: &mut Buffers) -> Result<(), SearchError> {
    for (check, wanted) in checks {
        check.keep(
            *wanted,
            &mut scratch.found,
            &mut scratch.lookups,
            &mut scratch.bits,
        )?;
    }
    Ok(())
}

/// Offers what was found.
fn offer_found(scratch: &mut Buffers, ranking: &mut Ranking<'_>) {
    let Buffers { found, scores, .. } = scratch;
    scores.clear();
    scores.extend(found.sums.iter().map(|sum| *sum as f32));
    ranking.offer_all(&mut found.docs, scores);
}

fn run_blocks(
    list: &mut TermList,
    excluded: &mut [(Check, bool)],
    context: &SearchContext<'_>,
    ranking: &mut Ranking<'_>,
) -> Result<(), SearchError> {
    let mut scratch = thread_scratch();
    let count = list.block_count();
    if count == 1 {
        return visit(list, 0, excluded, &mut scratch, ranking);
    }
    list.bound_blocks()?;
    let first = most_promising(list.blocks(), ranking.floor());
    for block in first {
        let Some(bound) = list.blocks().get(block) else {
            // There are no others above the floor.
            return Ok(());
        };
        if *bound > ranking.floor() {
            visit(list, block, excluded, &mut scratch, ranking)?;
        }
    }
    let mut block = next_above(list.blocks(), 0, ranking.floor());
    let mut steps = 0;
    while block < count {
        if usize::is_multiple_of(steps, STEPS_PER_LOOK) {
            context.check_cancelled()?;
            if context.timed_out() {
                break;
            }
        }
        if !first.contains(&block) {
            visit(list, block, excluded, &mut scratch, ranking)?;
        }
        block = next_above(list.blocks(), block + 1, ranking.floor());
        steps += 1;
    }
    Ok(())
}

/// Bounds that are compared at once.
const GROUP: usize = 32;

/// Whether some bound is above a floor: all are compared, so that the compiler compares many at once.
fn any_above(bounds: &[f32], floor: f32) -> bool {
    bounds
        .iter()
        .fold(false, |some, bound| some | (*bound > floor))
}

/// The first block from one on whose bound is above the floor; their number if there is none.
fn next_above(bounds: &[f32], from: usize, floor: f32) -> usize {
    // Where many are above it, the next one mostly is.
    if bounds.get(from).is_some_and(|bound| *bound > floor) {
        return from;
    }
    let mut at = from;
    for group in bounds.get(from..).unwrap_or(&[]).chunks(GROUP) {
        if any_above(group, floor) {
            let place = group.iter().position(|bound| *bound > floor);
            return at + place.unwrap_or(0);
        }
        at += group.len();
    }
    bounds.len()
}

/// The blocks with the highest bounds above the floor, the highest first; fewer blocks are followed by `usize::MAX`.
fn most_promising(bounds: &[f32], floor: f32) -> [usize; FIRST] {
    let mut best = [(floor, usize::MAX); FIRST];
    let mut block = next_above(bounds, 0, best[FIRST - 1].0);
    while block < bounds.len() {
        best[FIRST - 1] = (bounds[block], block);
        let mut place = FIRST - 1;
        while place > 0 && best[place].0 > best[place - 1].0 {
            best.swap(place, place - 1);
            place -= 1;
        }
        block = next_above(bounds, block + 1, best[FIRST - 1].0);
    }
    best.map(|(_, block)| block)
}

fn visit(
    list: &mut TermList,
    block: usize,
    excluded: &mut [(Check, bool)],
    scratch: &mut Buffers,
    ranking: &mut Ranking<'_>,
) -> Result<(), SearchError> {
    if excluded.is_empty() {
        let batch = &mut scratch.batch;
        let count = list.load_above(block, ranking.floor(), false, batch)?;
        list.score(count, batch);
        ranking.offer_all(&mut batch.docs[..count], &mut batch.scores[..count]);
        return Ok(());
    }
    let Buffers { batch, found, .. } = scratch;
    found.clear();
    let (docs, sums) = (&mut found.docs, &mut found.sums);
    list.take_above(block, ranking.floor(), batch, docs, sums)?;
    keep_checked(excluded, scratch)?;
    offer_found(scratch, ranking);
    Ok(())
}
