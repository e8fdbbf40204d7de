//! The best documents that have all of some terms and phrases, block by block of the rarest term.

use super::Ranking;
use super::checks::Check;
use super::count::Tally;
use super::matches::{MatchBuffers, Matches};
use super::phrase::Phrase;
use super::scratch::{Buffers, Scratch};
use super::term_list::{ABSENT, TermList};
use crate::exec::term_scorer::TermScoring;
use crate::search::{SearchContext, SearchError};
use crate::segment::WINDOW_DOCS;
use crate::simd::scoring::STRETCH_DOCS;

/// How many times longer than the rarest a list must be for its bounds not to be worked out in detail.
const ROUGH_FROM: u32 = 12;
/// What looking up a document costs, as postings of the rarest term that are scored.
const LOOKUP: u64 = 2;
/// Documents of the rarest term from which on bounds of blocks and windows are worth working out.
const BOUNDS_FROM: u32 = 2048;
/// Blocks of the rarest term that are worked on at once.
const BATCH_BLOCKS: usize = 8;
/// Cells of a window.
const CELLS: usize = 8;

/// Terms and phrases that are all needed, and more.
pub(super) struct Conjunction {
    windows: usize,
    lists: Vec<TermList>,
    /// For each list, whether its own score counts: those of phrases' terms do not.
    scored: Vec<bool>,
    phrases: Vec<Phrase>,
    /// The one that can score most first.
    optional: Vec<TermList>,
    /// Documents that have one of the first optional terms are done with.
    done: usize,
    filters: Vec<Check>,
    excluded: Vec<Check>,
    /// Lists in order of cost.
    order: Vec<usize>,
    /// What can be added to the scores of the first lists in order, rounded up: `lists.len() + 1` numbers, of which the first
    /// is what all can score.
    rest: Vec<f32>,
    /// The same for each window, a row for each number; empty until it is worth knowing.
    after: Vec<f32>,
    /// Whether it is one phrase and nothing that adds to its score.
    is_phrase: bool,
    /// For each window, whether every needed term may occur in it; known with `after`.
    alive: Vec<bool>,
    matches: Matches,
    scratch: Scratch,
    buffers: MatchBuffers,
    /// Of phrases; or scores.
    bounds: Vec<f32>,
}

impl Conjunction {
    /// Of nothing yet, in a segment of so many documents.
    pub fn new(max_doc: u32) -> Conjunction {
        Conjunction {
            windows: max_doc.div_ceil(WINDOW_DOCS) as usize,
            lists: Vec::new(),
            scored: Vec::new(),
            phrases: Vec::new(),
            optional: Vec::new(),
            done: 0,
            filters: Vec::new(),
            excluded: Vec::new(),
            order: Vec::new(),
            rest: Vec::new(),
            after: Vec::new(),
            is_phrase: false,
            alive: Vec::new(),
            matches: Matches::default(),
            scratch: Scratch::take(),
            buffers: MatchBuffers::default(),
            bounds: Vec::new(),
        }
    }

    /// A term that is needed.
    pub fn require(&mut self, list: TermList) {
        self.scored.push(list.is_scored());
        self.lists.push(list);
    }

    /// A term of a phrase that is needed; answers its number.
    pub fn require_of_phrase(&mut self, list: TermList) -> usize {
        self.lists.push(list);
        self.scored.push(false);
        self.lists.len() - 1
    }

    /// A phrase that is needed: the distance of each place from the first, and the number of its term.
    pub fn require_phrase(&mut self, scoring: Option<TermScoring>, places: Vec<(u32, usize)>) {
        self.phrases.push(Phrase::new(scoring, places));
    }

    /// A term that adds to the score.
    pub fn prefer(&mut self, list: TermList) {
        self.optional.push(list);
    }

    /// Something that is needed and not scored.
    pub fn filter(&mut self, filter: Check) {
        self.filters.push(filter);
    }

    /// Something that is excluded.
    pub fn exclude(&mut self, unwanted: Check) {
        self.excluded.push(unwanted);
    }

    /// The term and the excluded ones, if it is made of these alone; and the buffers that it would have used.
    pub fn as_exclusion(&mut self) -> Option<(&mut TermList, Vec<&mut TermList>, &mut Buffers)> {
        if !self.filters.is_empty() || !self.phrases.is_empty() {
            return None;
        }
        let [list] = &mut self.lists[..] else {
            return None;
        };
        let mut excluded = Vec::with_capacity(self.excluded.len());
        for check in &mut self.excluded {
            match check {
                Check::List(list) => excluded.push(list),
                Check::Decider(_) | Check::Known(_) => return None,
            }
        }
        Some((list, excluded, &mut *self.scratch))
    }

    /// Whether a single term decides which documents are looked at, so that about all of them match.
    pub fn is_led_by_one_term(&self) -> bool {
        self.lists.len() == 1 && self.phrases.is_empty()
    }

    /// Puts the lists in order and adds up what can be scored.
    fn prepare(&mut self) {
        self.order = (0..self.lists.len()).collect();
        self.order.sort_by_key(|list| self.lists[*list].cost());
        self.optional.sort_by(|a, b| b.max.total_cmp(&a.max));
        // Terms first: what decides window by window costs more.
        for checks in [&mut self.filters, &mut self.excluded] {
            checks.sort_by_key(|check| !matches!(check, Check::List(_)));
        }
        self.is_phrase =
            self.phrases.len() == 1 && self.optional.is_empty() && !self.scored.contains(&true);
        for phrase in &mut self.phrases {
            phrase.prepare(&self.lists);
        }
        self.add_up();
    }

    /// Adds up what can be scored, without the optional terms that are done with; of windows too, if that is known.
    fn add_up(&mut self) {
        let mut sum = 0.0;
        for list in &self.optional[self.done..] {
            sum += f64::from(list.max);
        }
        for phrase in &self.phrases {
            sum += f64::from(phrase.max(&self.lists));
        }
        self.rest.clear();
        self.rest.resize(self.order.len() + 1, 0.0);
        for done in (0..=self.order.len()).rev() {
            self.rest[done] = (sum as f32).next_up();
            if done > 0 && self.scored[self.order[done - 1]] {
                sum += f64::from(self.lists[self.order[done - 1]].max);
            }
        }
        if self.alive.is_empty() {
            return;
        }
        let windows = self.windows;
        let mut sums = vec![0.0f64; windows];
        for list in &self.optional[self.done..] {
            add(&mut sums, &list.windows);
        }
        for phrase in &self.phrases {
            add(&mut sums, &phrase.windows);
        }
        self.after = vec![0.0; (self.order.len() + 1) * windows];
        for done in (0..=self.order.len()).rev() {
            let row = &mut self.after[done * windows..(done + 1) * windows];
            for (bound, sum) in row.iter_mut().zip(&sums) {
                *bound = (*sum as f32).next_up();
            }
            if done > 0 && self.scored[self.order[done - 1]] {
                add(&mut sums, &self.lists[self.order[done - 1]].windows);
            }
        }
    }

    /// Works out what blocks and windows can score.
    fn bound(&mut self) -> Result<(), SearchError> {
        let rarest = self.lists[self.order[0]].cost();
        for list in self.lists.iter_mut().chain(&mut self.optional) {
            // Bounds of a list that is much longer would cost more than they spare.
            list.bound(list.cost() / ROUGH_FROM <= rarest)?;
        }
        self.alive = vec![true; self.windows];
        for list in &self.lists {
            for (alive, bound) in self.alive.iter_mut().zip(&list.windows) {
                *alive &= *bound != ABSENT;
            }
        }
        for phrase in &mut self.phrases {
            phrase.bound(&self.lists);
        }
        self.add_up();
        Ok(())
    }

    /// What the lists from the `done`-th in order on, and all else, can add to the score of a document.
    #[inline]
    fn rest_of(&self, done: usize, doc: u32) -> f32 {
        match self.after.is_empty() {
            true => self.rest[done],
            false => self.after[done * self.windows + (doc / WINDOW_DOCS) as usize],
        }
    }

    /// Counts what matches, as far as `tally` wants to know, and offers what may be among the best.
    pub fn run(
        &mut self,
        context: &SearchContext<'_>,
        mut ranking: Option<&mut Ranking<'_>>,
        mut tally: Option<&mut Tally<'_>>,
    ) -> Result<(), SearchError> {
        self.prepare();
        if let (Some(ranking), None) = (&mut ranking, &tally) {
            while self.done < self.optional.len() && self.is_rare_enough(self.done) {
                ranking.unordered = true;
                self.run_preferred(context, ranking)?;
                self.done += 1;
                self.add_up();
            }
        }
        if let (None, Some(tally)) = (&ranking, &mut tally)
            && self.is_of_dense_terms()
        {
            return self.count_windows(context, tally);
        }
        let lead = self.order[0];
        let blocks = self.lists[lead].block_count();
        let mut block = 0;
        while block < blocks {
            context.check_cancelled()?;
            if context.timed_out() {
                break;
            }
            tally = tally.filter(|tally| tally.goes_on());
            let floor = match (&ranking, &tally) {
                (Some(ranking), None) => ranking.floor(),
                (_, Some(_)) => f32::NEG_INFINITY,
                (None, None) => break,
            };
            let is_known = !self.alive.is_empty() || self.lists[lead].cost() < BOUNDS_FROM;
            if floor > f32::NEG_INFINITY && !is_known {
                self.bound()?;
            }
            self.matches.clear();
            block = match self.lists[lead].is_dense() {
                true => self.take_window(block, floor)?,
                false => self.take_blocks(block, tally.is_none(), floor)?,
            };
            if let Some(tally) = &mut tally {
                tally.keep_alive(&mut self.matches.docs);
                self.check_all()?;
                tally.add(self.matches.docs.len());
            }
            if let Some(ranking) = &mut ranking {
                self.rank(tally.is_some(), ranking)?;
            }
        }
        if let Some(ranking) = ranking {
            ranking.unordered = false;
        }
        Ok(())
    }

    /// Whether a block of the lead may have documents above the floor.
    fn may_enter(&self, block: usize, floor: f32) -> Result<bool, SearchError> {
        if floor == f32::NEG_INFINITY || self.alive.is_empty() {
            return Ok(true);
        }
        let lead = self.order[0];
        let list = &self.lists[lead];
        let (first, last) = list.range(block)?;
        let windows =
            (first / WINDOW_DOCS) as usize..=((last / WINDOW_DOCS) as usize).min(self.windows - 1);
        let rest = &self.after[self.windows..2 * self.windows];
        let mut most = f32::NEG_INFINITY;
        for window in windows {
            if self.alive[window] {
                most = most.max(rest[window]);
            }
        }
        let own = if self.scored[lead] {
            list.blocks()[block]
        } else {
            0.0
        };
        // A phrase alone scores at most what its rarest term would score in its place.
        let is_low = self.is_phrase && list.blocks()[block] <= floor;
        Ok((own + most).next_up() > floor && !is_low)
    }

    /// Finds the documents with all terms in some blocks of the lead, those that may enter; answers the block after these.
    /// A lead that is `alone` is scored on the way, if that is wanted.
    fn take_blocks(&mut self, first: usize, score: bool, floor: f32) -> Result<usize, SearchError> {
        let lead = self.order[0];
        let blocks = self.lists[lead].block_count();
        let alone = score && self.order.len() == 1 && self.scored[lead];
        let are_near = self.lists[lead].cost() as usize * STRETCH_DOCS as usize
            >= BATCH_BLOCKS * 128 * self.windows * WINDOW_DOCS as usize;
        // Whoever looks for the best alone wants to know a first few before the rest is scored.
        let most = match alone && floor == f32::NEG_INFINITY {
            true => 1,
            false => BATCH_BLOCKS,
        };
        let mut block = first;
        let mut taken = 0;
        while block < blocks && taken < most {
            if !self.may_enter(block, floor)? {
                block += 1;
                continue;
            }
            // Lists are compared with bitmaps, if the documents do not lie too far from each other.
            let (_, last) = self.lists[lead].range(block)?;
            let base = self.matches.docs.first().copied();
            if are_near && base.is_some_and(|base| last.saturating_sub(base & !63) >= STRETCH_DOCS)
            {
                break;
            }
            self.take_block(block, alone, floor)?;
            (block, taken) = (block + 1, taken + 1);
        }
        for index in 1..self.order.len() {
            if self.matches.docs.is_empty() {
                break;
            }
            let list = &mut self.lists[self.order[index]];
            list.retain(&mut self.matches.docs, true, &mut self.scratch.bits)?;
        }
        Ok(block)
    }

    /// Takes the documents of a block of the lead; if it is `alone`, those whose scores may be above the floor, with these.
    fn take_block(&mut self, block: usize, alone: bool, floor: f32) -> Result<(), SearchError> {
        let list = &mut self.lists[self.order[0]];
        if self.matches.docs.last().is_some_and(|last| {
            let first = list.range(block).map_or(0, |(first, _)| first);
            first <= *last
        }) {
            return Err(list.disorder());
        }
        let batch = &mut self.scratch.batch;
        if !alone {
            let count = list.load_docs_ranked(block, batch)?;
            self.matches.docs.extend_from_slice(&batch.docs[..count]);
            return Ok(());
        }
        let Matches { docs, sums, .. } = &mut self.matches;
        if self.after.is_empty() || floor == f32::NEG_INFINITY {
            let least = (floor - self.rest[1]).next_down();
            return list.take_above(block, least, batch, docs, sums);
        }
        let (first, last) = list.range(block)?;
        let last = ((last / WINDOW_DOCS) as usize).min(self.windows - 1);
        let rest = &self.after[self.windows..2 * self.windows];
        let windows = &rest[(first / WINDOW_DOCS) as usize..=last];
        let most = windows.iter().copied().fold(0.0, f32::max);
        list.take_above(block, (floor - most).next_down(), batch, docs, sums)
    }

    /// Finds the documents with all terms in a window, the lead being dense, in those cells that may enter; answers the first
    /// cell of the next window.
    fn take_window(&mut self, first: usize, floor: f32) -> Result<usize, SearchError> {
        let window = first / CELLS;
        let mut words = [u64::MAX; 64];
        let mut some = false;
        for cell in 0..CELLS {
            let enters = self.may_enter_cell(window, cell, floor);
            some |= enters;
            if !enters {
                words[cell * CELLS..(cell + 1) * CELLS].fill(0);
            }
        }
        if some {
            for list in &self.order {
                self.lists[*list].keep_window(window, &mut words)?;
            }
            let base = window as u32 * WINDOW_DOCS;
            for (index, word) in words.iter().enumerate() {
                let mut rest = *word;
                while rest != 0 {
                    let doc = base + index as u32 * 64 + rest.trailing_zeros();
                    self.matches.docs.push(doc);
                    rest &= rest - 1;
                }
            }
            for list in self.lists.iter_mut().filter(|list| !list.is_dense()) {
                list.retain(&mut self.matches.docs, true, &mut self.scratch.bits)?;
            }
        }
        Ok((window + 1) * CELLS)
    }

    /// Counts the documents with all terms, all of them dense.
    fn count_windows(
        &mut self,
        context: &SearchContext<'_>,
        tally: &mut Tally<'_>,
    ) -> Result<(), SearchError> {
        for window in 0..self.windows {
            if !tally.goes_on() || context.timed_out() {
                break;
            }
            context.check_cancelled()?;
            let mut words = [u64::MAX; 64];
            for list in &mut self.lists {
                list.keep_window(window, &mut words)?;
            }
            tally.add_window(window as u32 * WINDOW_DOCS, &mut words);
        }
        Ok(())
    }

    /// Whether it is made of needed, dense terms alone.
    fn is_of_dense_terms(&self) -> bool {
        let checks = self.filters.len() + self.excluded.len() + self.phrases.len();
        checks == 0 && self.lists.iter().all(TermList::is_dense)
    }

    /// Whether a cell, all lists being dense, may have documents above the floor.
    fn may_enter_cell(&self, window: usize, cell: usize, floor: f32) -> bool {
        if floor == f32::NEG_INFINITY || self.alive.is_empty() {
            return true;
        }
        let cell = window * CELLS + cell;
        let mut sum = f64::from(self.after[self.order.len() * self.windows + window]);
        let mut least = f32::INFINITY;
        for (list, scored) in self.lists.iter().zip(&self.scored) {
            let bound = list.blocks().get(cell).copied();
            let bound = bound.unwrap_or_else(|| list.windows[window]).max(0.0);
            if *scored {
                sum += f64::from(bound);
            }
            least = least.min(bound);
        }
        (sum as f32).next_up() > floor && !(self.is_phrase && least <= floor)
    }

    /// Takes out what has not got all that is needed besides terms, or has what is excluded; adds the scores of phrases.
    fn check_all(&mut self) -> Result<(), SearchError> {
        self.matches.sums.resize(self.matches.docs.len(), 0.0);
        self.check_rest()?;
        if self.phrases.is_empty() {
            return Ok(());
        }
        self.locate_lead()?;
        let (phrases, lists) = (&mut self.phrases, &mut self.lists);
        self.matches.try_keep(|doc, sum, _| {
            for phrase in &mut *phrases {
                if !phrase.occurs(doc, lists)? {
                    return Ok(false);
                }
                *sum += f64::from(phrase.score(doc));
            }
            Ok(true)
        })
    }

    /// Scores the matches and offers those that may be among the best; `checked`: all that is needed was checked.
    fn rank(&mut self, checked: bool, ranking: &mut Ranking<'_>) -> Result<(), SearchError> {
        // The scores of a lead that is alone are known by now.
        let first = usize::from(!checked && !self.matches.sums.is_empty());
        let count = self.matches.docs.len();
        self.matches.sums.resize(count, 0.0);
        self.matches.more.resize(count, 0.0);
        if first == 0 {
            self.locate_lead()?;
        }
        for done in first..self.order.len() {
            if self.matches.docs.is_empty() {
                return Ok(());
            }
            if !self.scored[self.order[done]] {
                continue;
            }
            self.add_needed(done)?;
            self.keep_above(done + 1, ranking.floor());
        }
        if !checked {
            self.score_phrases(ranking.floor())?;
        }
        self.add_optional(ranking.floor())?;
        // The needed clauses and the others are rounded apart, as two clauses are.
        let both = !self.optional.is_empty();
        let score = |sum: f64, more: f64| match both {
            true => sum as f32 + more as f32,
            false => sum as f32,
        };
        let floor = ranking.floor();
        self.matches.keep(|_, sum, more| score(sum, more) > floor);
        if !checked {
            self.check_rest()?;
        }
        for list in &mut self.optional[..self.done] {
            let bits = &mut self.scratch.bits;
            self.buffers.keep(list, false, &mut self.matches, bits)?;
        }
        let Matches { docs, sums, more } = &mut self.matches;
        let scores = sums.iter().zip(more).map(|(sum, more)| score(*sum, *more));
        self.bounds.clear();
        self.bounds.extend(scores);
        ranking.offer_all(docs, &mut self.bounds);
        Ok(())
    }

    /// Finds where the matches are in the lead; where they are in other lists is known since these let them pass.
    fn locate_lead(&mut self) -> Result<(), SearchError> {
        let lead = &mut self.lists[self.order[0]];
        lead.locate(&self.matches.docs, &mut self.scratch.bits)
    }

    /// Adds the scores of the `done`-th list in order.
    fn add_needed(&mut self, done: usize) -> Result<(), SearchError> {
        let list = &mut self.lists[self.order[done]];
        let Matches { docs, sums, .. } = &mut self.matches;
        self.buffers.add_to_all(list, docs, sums)
    }

    /// Keeps what may score above the floor with the lists from the `done`-th on, and all else.
    fn keep_above(&mut self, done: usize, floor: f32) {
        if floor == f32::NEG_INFINITY {
            return;
        }
        let mut matches = std::mem::take(&mut self.matches);
        matches.keep(|doc, sum, more| {
            let rest = f64::from(self.rest_of(done, doc));
            ((sum + more + rest) as f32).next_up().next_up() > floor
        });
        self.matches = matches;
    }

    /// Adds what optional terms score that are not done with.
    fn add_optional(&mut self, floor: f32) -> Result<(), SearchError> {
        for index in self.done..self.optional.len() {
            if floor > f32::NEG_INFINITY {
                let rest = &self.optional[index..];
                let known = !self.after.is_empty();
                let (mut at, mut most) = (usize::MAX, 0.0);
                self.matches.keep(|doc, sum, more| {
                    let window = (doc / WINDOW_DOCS) as usize;
                    if window != at {
                        let bounds = rest.iter().map(|list| match known {
                            true => f64::from(list.windows[window].max(0.0)),
                            false => f64::from(list.max),
                        });
                        most = bounds.sum();
                        at = window;
                    }
                    ((sum + more + most) as f32).next_up().next_up() > floor
                });
            }
            let list = &mut self.optional[index];
            let (docs, more) = self.matches.docs_and_more();
            self.buffers.add(list, docs, more, &mut self.scratch.bits)?;
        }
        Ok(())
    }

    /// Takes out what has not got all that is needed besides terms and phrases, or has what is excluded.
    fn check_rest(&mut self) -> Result<(), SearchError> {
        let (matches, buffers) = (&mut self.matches, &mut self.buffers);
        for (checks, wanted) in [(&mut self.filters, true), (&mut self.excluded, false)] {
            for check in checks {
                check.keep(wanted, matches, buffers, &mut self.scratch.bits)?;
            }
        }
        Ok(())
    }

    /// Adds the scores of phrases, and takes out documents without them.
    fn score_phrases(&mut self, floor: f32) -> Result<(), SearchError> {
        for index in 0..self.phrases.len() {
            if self.matches.docs.is_empty() {
                return Ok(());
            }
            let mut matches = std::mem::take(&mut self.matches);
            let scored = self.score_phrase(index, floor, &mut matches);
            self.matches = matches;
            scored?;
        }
        Ok(())
    }

    fn score_phrase(
        &mut self,
        index: usize,
        floor: f32,
        matches: &mut Matches,
    ) -> Result<(), SearchError> {
        let (phrase, lists) = (&mut self.phrases[index], &mut self.lists);
        if floor > f32::NEG_INFINITY {
            phrase.bounds(&matches.docs, lists, &mut self.bounds)?;
        }
        // A little lower than it has to be: sums are rounded when they are compared.
        let floor = f64::from(floor.next_down().next_down());
        let optional = self.optional[self.done..].iter();
        let mut others: f64 = optional.map(|list| f64::from(list.max)).sum();
        for later in &self.phrases[index + 1..] {
            others += f64::from(later.max(&self.lists));
        }
        let mut bounds = self.bounds.iter();
        let (phrase, lists) = (&mut self.phrases[index], &mut self.lists);
        matches.try_keep(|doc, sum, _| {
            if floor > f64::NEG_INFINITY {
                let bound = bounds.next().copied().unwrap_or(f32::INFINITY);
                if *sum + f64::from(bound) + others <= floor {
                    return Ok(false);
                }
            }
            let occurs = phrase.occurs(doc, lists)?;
            if occurs {
                *sum += f64::from(phrase.score(doc));
            }
            Ok(occurs)
        })
    }

    /// Whether an optional term is so rare that its documents are better looked at first, before those that have not got it.
    fn is_rare_enough(&self, optional: usize) -> bool {
        // Those who decide window by window cannot be asked for an earlier window once more.
        let goes_on = |check: &Check| matches!(check, Check::Decider(_));
        if self.filters.iter().chain(&self.excluded).any(goes_on) {
            return false;
        }
        let rarest = &self.lists[self.order[0]];
        let lookups = u64::from(self.optional[optional].cost()) * self.lists.len() as u64;
        lookups * LOOKUP <= u64::from(rarest.cost())
    }

    /// Offers the documents that have the next optional term and none of those before it.
    fn run_preferred(
        &mut self,
        context: &SearchContext<'_>,
        ranking: &mut Ranking<'_>,
    ) -> Result<(), SearchError> {
        let preferred = self.done;
        for block in 0..self.optional[preferred].block_count() {
            context.check_cancelled()?;
            if context.timed_out() {
                break;
            }
            self.matches.clear();
            let batch = &mut self.scratch.batch;
            let count = self.optional[preferred].load_docs_ranked(block, batch)?;
            self.matches.docs.extend_from_slice(&batch.docs[..count]);
            for list in &self.order {
                let list = &mut self.lists[*list];
                list.retain(&mut self.matches.docs, true, &mut self.scratch.bits)?;
            }
            self.rank(false, ranking)?;
        }
        Ok(())
    }
}

/// Adds the bounds of windows, those of windows without documents as nothing.
fn add(sums: &mut [f64], windows: &[f32]) {
    for (sum, bound) in sums.iter_mut().zip(windows) {
        *sum += f64::from(bound.max(0.0));
    }
}
