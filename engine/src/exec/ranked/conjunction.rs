//! The best documents that have all of some terms and phrases, block by block of the rarest term.

mod matching;
mod ranking;

use super::Ranking;
use super::checks::Check;
use super::count::Tally;
use super::matches::{MatchBuffers, Matches};
use super::phrase::Phrase;
use super::scratch::{Scratch, thread_scratch};
use super::term_list::{ABSENT, TermList};
use crate::exec::term_scorer::TermScoring;
use crate::search::{SearchContext, SearchError};
use crate::segment::WINDOW_DOCS;

/// How many times longer than the rarest a list must be for its bounds not to be worked out in detail.
const ROUGH_FROM: u32 = 12;
/// Documents of the rarest term from which on bounds of blocks and windows are worth working out.
const BOUNDS_FROM: u32 = 2048;
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
    pub fn new(max_doc: u32) -> Box<Conjunction> {
        let mut scratch = thread_scratch();
        Box::new(Conjunction {
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
            matches: std::mem::take(&mut scratch.found),
            buffers: std::mem::take(&mut scratch.lookups),
            bounds: std::mem::take(&mut scratch.scores),
            scratch,
        })
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

    /// The term, if nothing else is asked.
    pub fn take_only_list(&mut self) -> Option<TermList> {
        let checks = self.filters.len() + self.excluded.len() + self.phrases.len();
        match self.lists.len() == 1 && checks == 0 {
            true => self.lists.pop(),
            false => None,
        }
    }

    /// How many documents the rarest of the needed terms has.
    pub fn lead_cost(&self) -> u64 {
        let costs = self.lists.iter().map(|list| u64::from(list.cost()));
        costs.min().unwrap_or(0)
    }

    /// Bytes of the bounds by window, at most.
    pub fn table_bytes(&self) -> u64 {
        let clauses = self.lists.len() + self.optional.len() + self.phrases.len();
        let rows = (clauses + self.lists.len() + 1) as u64;
        (rows * size_of::<f32>() as u64 + size_of::<f64>() as u64) * self.windows as u64
    }

    /// Whether a single term decides which documents are looked at, so that about all of them match.
    pub fn is_led_by_one_term(&self) -> bool {
        self.lists.len() == 1 && self.phrases.is_empty()
    }

    /// Puts the lists in order and adds up what can be scored; `floor`: above which something is wanted.
    fn prepare(&mut self, floor: f32) -> Result<(), SearchError> {
        self.order = (0..self.lists.len()).collect();
        self.order.sort_by_key(|list| self.lists[*list].cost());
        // Who works on everything at once has no floor before the end.
        let lead = &self.lists[self.order[0]];
        if floor > f32::NEG_INFINITY || lead.block_count() > 1 || !self.optional.is_empty() {
            for list in self.lists.iter_mut().chain(&mut self.optional) {
                list.know_max()?;
            }
        }
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
        Ok(())
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
        let floor = ranking.as_ref().map(|ranking| ranking.floor());
        let floor = floor.unwrap_or(f32::NEG_INFINITY);
        self.prepare(floor)?;
        if tally.is_none() && self.rest[0].next_up().next_up() <= floor {
            return Ok(());
        }
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

    /// Takes out what has not got all that is needed besides terms, or has what is excluded; adds the scores of phrases.
    fn check_all(&mut self) -> Result<(), SearchError> {
        self.matches.sums.resize(self.matches.docs.len(), 0.0);
        self.check_rest()?;
        if self.phrases.is_empty() {
            return Ok(());
        }
        self.locate_lead()?;
        let all = (f64::NEG_INFINITY, 0.0);
        for phrase in &mut self.phrases {
            phrase.keep(&mut self.lists, &mut self.matches, all, &mut self.bounds)?;
        }
        Ok(())
    }
}

impl Drop for Conjunction {
    fn drop(&mut self) {
        self.scratch.found = std::mem::take(&mut self.matches);
        self.scratch.lookups = std::mem::take(&mut self.buffers);
        self.scratch.scores = std::mem::take(&mut self.bounds);
    }
}

/// Adds the bounds of windows, those of windows without documents as nothing.
fn add(sums: &mut [f64], windows: &[f32]) {
    for (sum, bound) in sums.iter_mut().zip(windows) {
        *sum += f64::from(bound.max(0.0));
    }
}
