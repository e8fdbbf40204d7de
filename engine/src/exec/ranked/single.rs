//! The best documents of one term, less what is excluded: blocks that can score most first, and of these only what may enter.

use super::Ranking;
use super::checks::Check;
use super::count::Tally;
use super::scratch::{Buffers, thread_scratch};
use super::term_list::TermList;
use crate::search::{SearchContext, SearchError};

/// Blocks that are looked at first, the most promising of all, so that the floor is near its end when the others come.
const FIRST: usize = 4;
/// Blocks visited between two looks at the clock.
const STEPS_PER_LOOK: usize = 512;

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

/// Offers all documents of a term that each check lets pass, and counts them.
pub(super) fn run_counted(
    list: &mut TermList,
    mut checks: Vec<(Check, bool)>,
    context: &SearchContext<'_>,
    ranking: &mut Ranking<'_>,
    tally: &mut Tally<'_>,
) -> Result<(), SearchError> {
    let mut scratch = thread_scratch();
    let Buffers {
        batch,
        found,
        lookups,
        scores,
        bits,
        ..
    } = &mut *scratch;
    for block in 0..list.block_count() {
        context.check_cancelled()?;
        if context.timed_out() {
            break;
        }
        found.clear();
        let count = list.load_ranked(block, batch)?;
        list.score(count, batch);
        found.docs.extend_from_slice(&batch.docs[..count]);
        let sums = batch.scores[..count].iter();
        found.sums.extend(sums.map(|score| f64::from(*score)));
        for (check, wanted) in &mut checks {
            check.keep(*wanted, found, lookups, bits)?;
        }
        tally.keep_alive_matches(found);
        tally.add(found.docs.len());
        scores.clear();
        scores.extend(found.sums.iter().map(|sum| *sum as f32));
        ranking.offer_all(&mut found.docs, scores);
    }
    Ok(())
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
    for block in 0..count {
        if block.is_multiple_of(STEPS_PER_LOOK) {
            context.check_cancelled()?;
            if context.timed_out() {
                break;
            }
        }
        if list.blocks()[block] > ranking.floor() && !first.contains(&block) {
            visit(list, block, excluded, &mut scratch, ranking)?;
        }
    }
    Ok(())
}

/// The blocks with the highest bounds above the floor, the highest first; fewer blocks are followed by `usize::MAX`.
fn most_promising(bounds: &[f32], floor: f32) -> [usize; FIRST] {
    let mut best = [(floor, usize::MAX); FIRST];
    for (block, bound) in bounds.iter().enumerate() {
        if *bound > best[FIRST - 1].0 {
            best[FIRST - 1] = (*bound, block);
            let mut place = FIRST - 1;
            while place > 0 && best[place].0 > best[place - 1].0 {
                best.swap(place, place - 1);
                place -= 1;
            }
        }
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
    let Buffers {
        batch,
        found,
        lookups,
        scores,
        bits,
        ..
    } = scratch;
    found.clear();
    let (docs, sums) = (&mut found.docs, &mut found.sums);
    list.take_above(block, ranking.floor(), batch, docs, sums)?;
    for (check, wanted) in excluded {
        check.keep(*wanted, found, lookups, bits)?;
    }
    scores.clear();
    scores.extend(found.sums.iter().map(|sum| *sum as f32));
    ranking.offer_all(&mut found.docs, scores);
    Ok(())
}
