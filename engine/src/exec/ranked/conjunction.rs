//! The best documents that have all of some terms and phrases, block by block of the rarest term.

use super::phrase::Phrase;
use super::scratch::{STRETCH_DOCS, Scratch};
use super::term_list::{ABSENT, TermList};
use super::{Ranking, Unscored};
use crate::exec::scorer::{Hits, Scorer};
use crate::exec::term_scorer::TermScoring;
use crate::search::{SearchContext, SearchError};
use crate::segment::{WINDOW_DOCS, Window};

/// Documents of the rarest term in a window, on average, from which on bitmaps of stretches pay.
const BITMAPS_FROM: usize = 10;
/// How many times longer than the rarest a list must be for its bounds not to be worked out in detail.
const ROUGH_FROM: u32 = 12;
/// What looking up a document costs, as postings of the rarest term that are scored.
const LOOKUP: u64 = 6;
/// Blocks visited between two looks at the clock.
const BLOCKS_PER_LOOK: usize = 256;

/// A scorer that decides which documents of a window are wanted.
struct Decider {
    scorer: Box<dyn Scorer>,
    base: u32,
    hits: Hits,
}

impl Decider {
    fn contains(&mut self, doc: u32) -> Result<bool, SearchError> {
        let base = Window::base_of(doc);
        if self.base != base {
            self.scorer
                .fill(base, None, f32::NEG_INFINITY, &mut self.hits)?;
            self.base = base;
        }
        Ok(self.hits.docs.contains(doc - base))
    }
}

/// What is asked of a document besides.
enum Check {
    List(TermList),
    Decider(Box<Decider>),
}

impl Check {
    fn new(unscored: Unscored) -> Check {
        match unscored {
            Unscored::List(list) => Check::List(list),
            Unscored::Scorer(scorer) => Check::Decider(Box::new(Decider {
                scorer,
                base: u32::MAX,
                hits: Hits::new(),
            })),
        }
    }

    fn contains(&mut self, doc: u32) -> Result<bool, SearchError> {
        match self {
            Check::List(list) => list.contains(doc),
            Check::Decider(decider) => decider.contains(doc),
        }
    }
}

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
    /// What can be added to the scores of the first lists in order: `lists.len() + 1` rows of a number for each window, rounded
    /// up. Row 0 is what all can score.
    after: Vec<f32>,
    /// Whether it is one phrase and nothing that adds to its score.
    is_phrase: bool,
    /// For each window, whether every needed term may occur in it.
    alive: Vec<bool>,
    scratch: Scratch,
    found: Vec<(u32, f32)>,
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
            after: Vec::new(),
            is_phrase: false,
            alive: Vec::new(),
            scratch: Scratch::take(),
            found: Vec::new(),
        }
    }

    /// A term that is needed.
    pub fn require(&mut self, list: TermList) {
        self.lists.push(list);
        self.scored.push(true);
    }

    /// A phrase that is needed, with its terms' distances and lists.
    pub fn require_phrase(&mut self, scoring: Option<TermScoring>, lists: Vec<(u32, TermList)>) {
        let mut places = Vec::with_capacity(lists.len());
        for (distance, list) in lists {
            places.push((distance, self.lists.len()));
            self.lists.push(list);
            self.scored.push(false);
        }
        self.phrases.push(Phrase::new(scoring, places));
    }

    /// A term that adds to the score.
    pub fn prefer(&mut self, list: TermList) {
        self.optional.push(list);
    }

    pub fn filter(&mut self, filter: Unscored) {
        self.filters.push(Check::new(filter));
    }

    pub fn exclude(&mut self, unwanted: Unscored) {
        self.excluded.push(Check::new(unwanted));
    }

    /// Whether it is made of terms alone, needed and excluded ones.
    pub fn is_of_terms_only(&self) -> bool {
        let lists = |checks: &[Check]| checks.iter().all(|check| matches!(check, Check::List(_)));
        self.phrases.is_empty() && lists(&self.filters) && lists(&self.excluded)
    }

    /// How many match, dead ones included, where one term says it.
    pub fn known_count(&self) -> Option<u64> {
        let alone = self.lists.len() == 1
            && self.phrases.is_empty()
            && self.filters.is_empty()
            && self.excluded.is_empty();
        alone.then(|| u64::from(self.lists[0].cost()))
    }

    /// Whether a single term decides which documents are looked at, so that about all of them match.
    pub fn is_led_by_one_term(&self) -> bool {
        self.lists.len() == 1 && self.phrases.is_empty()
    }

    /// Whether even the rarest term has so many documents that bitmaps pay.
    pub fn is_dense(&self) -> bool {
        let rarest = self.lists.iter().map(TermList::cost).min();
        rarest.is_some_and(|cost| cost as usize >= BITMAPS_FROM * self.windows)
    }

    /// Calls `each` with every document that matches and this, ascending, until it answers `false`.
    pub fn for_each_match(
        &mut self,
        context: &SearchContext<'_>,
        each: &mut dyn FnMut(&mut Self, u32) -> Result<bool, SearchError>,
    ) -> Result<(), SearchError> {
        if self.order.is_empty() {
            self.sort();
        }
        let lead = self.order[0];
        for block in 0..self.lists[lead].block_count() {
            context.check_cancelled()?;
            if context.timed_out() {
                break;
            }
            let count = self.lists[lead].load_ranked(block, &mut self.scratch.batch)?;
            for index in 0..count {
                let doc = self.scratch.batch.docs[index];
                if self.has_terms(doc)? && self.matches(doc)? && !each(self, doc)? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Whether a document that the lead has has all terms and none of those excluded.
    fn has_terms(&mut self, doc: u32) -> Result<bool, SearchError> {
        for list in &self.order[1..] {
            if !self.lists[*list].contains(doc)? {
                return Ok(false);
            }
        }
        for (checks, wanted) in [(&mut self.filters, true), (&mut self.excluded, false)] {
            for check in checks {
                if let Check::List(list) = check
                    && list.contains(doc)? != wanted
                {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Stretches of the segment, each of [`STRETCH_DOCS`].
    pub fn stretches(&self) -> u32 {
        self.windows.div_ceil((STRETCH_DOCS / WINDOW_DOCS) as usize) as u32
    }

    /// Overwrites `bits` with the documents of a stretch that have all terms and none of those excluded; stretches are
    /// asked for in ascending order.
    pub fn match_terms(&mut self, base: u32, bits: &mut [u64]) -> Result<(), SearchError> {
        if self.order.is_empty() {
            self.sort();
        }
        bits.fill(0);
        self.scratch.adding = true;
        let spare = &mut self.scratch.spare;
        let lead = &mut self.lists[self.order[0]];
        let cost = lead.cost();
        lead.fill(base, bits)?;
        for list in &self.order[1..] {
            self.lists[*list].keep(cost, true, base, bits, spare)?;
        }
        for (checks, wanted) in [(&mut self.filters, true), (&mut self.excluded, false)] {
            for check in checks {
                if let Check::List(list) = check {
                    list.keep(cost, wanted, base, bits, spare)?;
                }
            }
        }
        self.scratch.adding = false;
        Ok(())
    }

    /// Whether a document that has all terms and none of those excluded matches. What the phrases counted is still known
    /// when it does.
    pub fn matches(&mut self, doc: u32) -> Result<bool, SearchError> {
        for (checks, wanted) in [(&mut self.filters, true), (&mut self.excluded, false)] {
            for check in checks {
                if let Check::Decider(decider) = check
                    && decider.contains(doc)? != wanted
                {
                    return Ok(false);
                }
            }
        }
        for phrase in &mut self.phrases {
            if !phrase.occurs(doc, &mut self.lists)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Puts the lists in order and works out what their windows can add. Scores must be wanted.
    pub fn prepare(&mut self) -> Result<(), SearchError> {
        self.sort();
        self.optional.sort_by(|a, b| b.max.total_cmp(&a.max));
        let rarest = self.lists[self.order[0]].cost();
        for list in self.lists.iter_mut().chain(&mut self.optional) {
            // Bounds of a list that is much longer would cost more than they spare.
            list.bound(list.cost() / ROUGH_FROM <= rarest)?;
        }
        let windows = self.windows;
        self.alive = vec![true; windows];
        for list in &self.lists {
            for (alive, bound) in self.alive.iter_mut().zip(&list.windows) {
                *alive &= *bound != ABSENT;
            }
        }
        self.is_phrase =
            self.phrases.len() == 1 && self.optional.is_empty() && !self.scored.contains(&true);
        for phrase in &mut self.phrases {
            phrase.prepare(&self.lists);
        }
        self.add_up();
        Ok(())
    }

    /// Works out what windows can add, without the optional terms that are done with.
    fn add_up(&mut self) {
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

    fn sort(&mut self) {
        self.order = (0..self.lists.len()).collect();
        self.order.sort_by_key(|list| self.lists[*list].cost());
    }

    /// Offers what may be among the best of the documents at or after `from`. [`prepare`](Self::prepare) comes first.
    pub fn run(
        &mut self,
        from: u32,
        context: &SearchContext<'_>,
        ranking: &mut Ranking<'_>,
    ) -> Result<(), SearchError> {
        while self.done < self.optional.len() && self.is_rare_enough(self.done) {
            ranking.unordered = true;
            self.run_preferred(from, context, ranking)?;
            self.done += 1;
            self.add_up();
        }
        let mut from = from;
        // While nothing is known yet, every match enters: look for matches, then score them.
        let mut bits = std::mem::take(&mut self.scratch.bits);
        let dense = self.is_dense();
        while dense
            && from.is_multiple_of(STRETCH_DOCS)
            && from / STRETCH_DOCS < self.stretches()
            && ranking.floor() == f32::NEG_INFINITY
        {
            context.check_cancelled()?;
            if context.timed_out() {
                break;
            }
            self.match_terms(from, &mut bits)?;
            for (index, &word) in bits.iter().enumerate() {
                let mut rest = word;
                while rest != 0 {
                    let doc = from + index as u32 * 64 + rest.trailing_zeros();
                    if self.may_enter(doc, ranking.floor())
                        && self.matches(doc)?
                        && !self.is_done(doc)?
                    {
                        self.offer_match(doc, ranking)?;
                    }
                    rest &= rest - 1;
                }
            }
            from = from.saturating_add(STRETCH_DOCS);
        }
        bits.fill(0);
        self.scratch.bits = bits;
        let lead = self.order[0];
        let first = self.lists[lead].block_with(from, 0)?;
        for block in first..self.lists[lead].block_count() {
            if block.is_multiple_of(BLOCKS_PER_LOOK) {
                context.check_cancelled()?;
                if context.timed_out() {
                    break;
                }
            }
            self.visit(lead, block, from, ranking)?;
        }
        ranking.unordered = false;
        Ok(())
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

    /// Offers the documents at or after `from` that have the next optional term and none of those before it.
    fn run_preferred(
        &mut self,
        from: u32,
        context: &SearchContext<'_>,
        ranking: &mut Ranking<'_>,
    ) -> Result<(), SearchError> {
        let lead = self.done;
        let first = self.optional[lead].block_with(from, 0)?;
        for block in first..self.optional[lead].block_count() {
            if block.is_multiple_of(BLOCKS_PER_LOOK) {
                context.check_cancelled()?;
                if context.timed_out() {
                    break;
                }
            }
            let floor = ranking.floor();
            // What all clauses can score: more than enough, as the lead's own bound is in it.
            let all = &self.after[..self.windows];
            let list = &mut self.optional[lead];
            let count = list.load(block, &mut self.scratch.batch)?;
            self.found.clear();
            for doc in &self.scratch.batch.docs[..count] {
                let window = (doc / WINDOW_DOCS) as usize;
                if self.alive[window] && all[window] > floor && *doc >= from {
                    self.found.push((*doc, 0.0));
                }
            }
            self.found.sort_unstable_by_key(|(doc, _)| *doc);
            for index in 0..self.found.len() {
                let doc = self.found[index].0;
                if self.is_done(doc)? {
                    continue;
                }
                let list = self.order[0];
                let score = match self.scored[list] {
                    true => self.lists[list].lookup(doc)?,
                    false => self.lists[list].contains(doc)?.then_some(0.0),
                };
                if let Some(score) = score
                    && let Some(score) = self.check(doc, score, ranking.floor())?
                {
                    ranking.offer(doc, score);
                }
            }
        }
        Ok(())
    }

    /// Whether a document of its window may score above the floor.
    #[inline]
    fn may_enter(&self, doc: u32, floor: f32) -> bool {
        self.after[(doc / WINDOW_DOCS) as usize] > floor
    }

    /// Offers a document that is known to match, if its score may be above the floor.
    pub fn offer_match(&mut self, doc: u32, ranking: &mut Ranking<'_>) -> Result<(), SearchError> {
        let floor = ranking.floor();
        if !self.may_enter(doc, floor) {
            return Ok(());
        }
        let window = (doc / WINDOW_DOCS) as usize;
        let mut sum = 0.0;
        for done in 0..self.order.len() {
            let list = self.order[done];
            if !self.scored[list] {
                continue;
            }
            if let Some(score) = self.lists[list].lookup(doc)? {
                sum += f64::from(score);
            }
            let rest = self.after[(done + 1) * self.windows + window];
            if self.rounded_up(sum + f64::from(rest)) <= floor {
                return Ok(());
            }
        }
        for phrase in &self.phrases {
            sum += f64::from(phrase.score(doc));
        }
        if let Some(score) = self.with_optional(doc, sum as f32, floor)? {
            ranking.offer(doc, score);
        }
        Ok(())
    }

    /// Scores a block of the lead and checks what may still enter.
    fn visit(
        &mut self,
        lead: usize,
        block: usize,
        from: u32,
        ranking: &mut Ranking<'_>,
    ) -> Result<(), SearchError> {
        let floor = ranking.floor();
        let rest = &self.after[self.windows..2 * self.windows];
        let list = &mut self.lists[lead];
        let (first, last) = list.range(block)?;
        let windows =
            (first / WINDOW_DOCS) as usize..=((last / WINDOW_DOCS) as usize).min(self.windows - 1);
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
        if own + most <= floor || (self.is_phrase && list.blocks()[block] <= floor) {
            return Ok(());
        }
        // Most documents of a block will be looked up while nothing is known yet, few later.
        let count = match floor == f32::NEG_INFINITY {
            true => list.load_ranked(block, &mut self.scratch.batch)?,
            false => list.load(block, &mut self.scratch.batch)?,
        };
        if self.scored[lead] || self.is_phrase {
            list.score(count, &mut self.scratch.batch);
        } else {
            self.scratch.batch.scores[..count].fill(0.0);
        }
        self.found.clear();
        let scores = self.scratch.batch.scores[..count].iter();
        for (doc, score) in self.scratch.batch.docs[..count].iter().zip(scores) {
            let window = (doc / WINDOW_DOCS) as usize;
            let more = if self.is_phrase { 0.0 } else { rest[window] };
            if (score + more).next_up() > floor && self.alive[window] && *doc >= from {
                let own = if self.is_phrase { 0.0 } else { *score };
                self.found.push((*doc, own));
            }
        }
        if floor > f32::NEG_INFINITY {
            self.found.sort_unstable_by_key(|(doc, _)| *doc);
        }
        for index in 0..self.found.len() {
            let (doc, score) = self.found[index];
            if let Some(score) = self.check(doc, score, ranking.floor())?
                && !self.is_done(doc)?
            {
                ranking.offer(doc, score);
            }
        }
        Ok(())
    }

    /// Whether a document has one of the optional terms that are done with.
    fn is_done(&mut self, doc: u32) -> Result<bool, SearchError> {
        for list in &mut self.optional[..self.done] {
            if list.contains(doc)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The score of a document that the lead has, if it matches and its score may be above `floor`.
    fn check(&mut self, doc: u32, score: f32, floor: f32) -> Result<Option<f32>, SearchError> {
        let window = (doc / WINDOW_DOCS) as usize;
        let mut sum = f64::from(score);
        for done in 1..self.order.len() {
            let rest = self.after[done * self.windows + window];
            if self.rounded_up(sum + f64::from(rest)) <= floor {
                return Ok(None);
            }
            let list = self.order[done];
            if self.scored[list] {
                match self.lists[list].lookup(doc)? {
                    Some(score) => sum += f64::from(score),
                    None => return Ok(None),
                }
            } else if !self.lists[list].contains(doc)? {
                return Ok(None);
            }
        }
        for filter in &mut self.filters {
            if !filter.contains(doc)? {
                return Ok(None);
            }
        }
        for index in 0..self.phrases.len() {
            let mut others = 0.0;
            for list in &self.optional[self.done..] {
                others += f64::from(list.windows[window].max(0.0));
            }
            for phrase in &self.phrases[index + 1..] {
                others += f64::from(phrase.windows[window]);
            }
            // A little lower than it has to be: sums are rounded when they are compared.
            let least = f64::from(floor.next_down()) - sum - others;
            match self.phrases[index].check(doc, least, &mut self.lists)? {
                Some(score) => sum += f64::from(score),
                None => return Ok(None),
            }
        }
        let Some(score) = self.with_optional(doc, sum as f32, floor)? else {
            return Ok(None);
        };
        for unwanted in &mut self.excluded {
            if unwanted.contains(doc)? {
                return Ok(None);
            }
        }
        Ok(Some(score))
    }

    /// A bound as a score: with optional clauses scores are rounded twice, which may raise them by a last place.
    fn rounded_up(&self, bound: f64) -> f32 {
        let rounded = bound as f32;
        if self.optional.is_empty() {
            rounded
        } else {
            rounded.next_up()
        }
    }

    /// Adds the optional clauses to the score of the needed ones, if the sum may be above `floor`.
    fn with_optional(
        &mut self,
        doc: u32,
        mut score: f32,
        floor: f32,
    ) -> Result<Option<f32>, SearchError> {
        if self.done < self.optional.len() {
            let window = (doc / WINDOW_DOCS) as usize;
            let mut more = 0.0;
            for index in self.done..self.optional.len() {
                let rest = self.optional[index..].iter();
                let rest: f64 = rest.map(|l| f64::from(l.windows[window].max(0.0))).sum();
                if score + ((more + rest) as f32) <= floor {
                    return Ok(None);
                }
                if let Some(score) = self.optional[index].lookup(doc)? {
                    more += f64::from(score);
                }
            }
            // The needed clauses and the others are rounded apart, as two clauses are.
            score += more as f32;
        }
        Ok((score > floor).then_some(score))
    }
}

/// Adds the bounds of windows, those of windows without documents as nothing.
fn add(sums: &mut [f64], windows: &[f32]) {
    for (sum, bound) in sums.iter_mut().zip(windows) {
        *sum += f64::from(bound.max(0.0));
    }
}
