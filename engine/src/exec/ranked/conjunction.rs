//! The best documents that have all of some terms and phrases, block by block of the rarest term.

use super::phrase::Phrase;
use super::term_list::{ABSENT, Batch, TermList};
use super::{Ranking, Unscored};
use crate::exec::scorer::{Hits, Scorer};
use crate::exec::segment_scorer::SegmentScope;
use crate::search::{SearchContext, SearchError};
use crate::segment::{WINDOW_DOCS, Window};

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
    optional: Vec<TermList>,
    filters: Vec<Check>,
    excluded: Vec<Check>,
    /// Lists in order of cost.
    order: Vec<usize>,
    /// What all but the rarest list can add, by window; [`ABSENT`] where some needed term does not occur.
    rest: Vec<f32>,
    batch: Box<Batch>,
    found: Vec<(u32, f32)>,
}

impl Conjunction {
    pub fn new(scope: &SegmentScope<'_>) -> Conjunction {
        Conjunction {
            windows: scope.reader().max_doc().div_ceil(WINDOW_DOCS) as usize,
            lists: Vec::new(),
            scored: Vec::new(),
            phrases: Vec::new(),
            optional: Vec::new(),
            filters: Vec::new(),
            excluded: Vec::new(),
            order: Vec::new(),
            rest: Vec::new(),
            batch: Batch::new(),
            found: Vec::new(),
        }
    }

    /// A term that is needed.
    pub fn require(&mut self, list: TermList) {
        self.lists.push(list);
        self.scored.push(true);
    }

    /// A phrase that is needed, with its terms' distances and lists.
    pub fn require_phrase(&mut self, mut phrase: Phrase, lists: Vec<(u32, TermList)>) {
        for (distance, list) in lists {
            phrase.places.push((distance, self.lists.len()));
            self.lists.push(list);
            self.scored.push(false);
        }
        self.phrases.push(phrase);
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

    /// What the needed clauses after the `done` first in order, the phrases and the optional ones can add in a window.
    fn bound_after(&self, done: usize, window: usize) -> f64 {
        let mut sum = self.needed_after(done, window);
        for list in &self.optional {
            sum += f64::from(list.windows[window].max(0.0));
        }
        sum
    }

    fn needed_after(&self, done: usize, window: usize) -> f64 {
        let mut sum = 0.0;
        for &list in &self.order[done..] {
            if self.scored[list] {
                sum += f64::from(self.lists[list].windows[window].max(0.0));
            }
        }
        for phrase in &self.phrases {
            sum += f64::from(phrase.bound(&self.lists, window).max(0.0));
        }
        sum
    }

    fn prepare(&mut self) {
        self.order = (0..self.lists.len()).collect();
        self.order.sort_by_key(|list| self.lists[*list].cost());
        self.rest = Vec::with_capacity(self.windows);
        for window in 0..self.windows {
            let absent = |list: &TermList| list.windows[window] == ABSENT;
            self.rest.push(if self.lists.iter().any(absent) {
                ABSENT
            } else {
                // Rounded up: no sum that begins with it is too low.
                (self.bound_after(1, window) as f32).next_up()
            });
        }
    }

    /// Offers what may be among the best.
    pub fn run(
        &mut self,
        context: &SearchContext<'_>,
        ranking: &mut Ranking<'_>,
    ) -> Result<(), SearchError> {
        self.prepare();
        let lead = self.order[0];
        for block in 0..self.lists[lead].blocks().len() {
            if block.is_multiple_of(BLOCKS_PER_LOOK) {
                context.check_cancelled()?;
                if context.timed_out() {
                    break;
                }
            }
            self.visit(lead, block, ranking)?;
        }
        Ok(())
    }

    /// Whether it is made of terms alone, needed and excluded ones.
    pub fn is_of_terms_only(&self) -> bool {
        let lists = |checks: &[Check]| checks.iter().all(|check| matches!(check, Check::List(_)));
        self.phrases.is_empty() && lists(&self.filters) && lists(&self.excluded)
    }

    /// Its needed and its excluded terms, if it is made of those.
    pub fn into_terms(self) -> (Vec<TermList>, Vec<TermList>) {
        let lists = |checks: Vec<Check>| {
            let list = |check| match check {
                Check::List(list) => Some(list),
                Check::Decider(_) => None,
            };
            checks.into_iter().filter_map(list)
        };
        let mut needed = self.lists;
        needed.extend(lists(self.filters));
        (needed, lists(self.excluded).collect())
    }

    /// Calls `each` with every document that matches, ascending, until it answers `false`.
    pub fn for_each_match(
        &mut self,
        context: &SearchContext<'_>,
        each: &mut dyn FnMut(u32) -> bool,
    ) -> Result<(), SearchError> {
        self.order = (0..self.lists.len()).collect();
        self.order.sort_by_key(|list| self.lists[*list].cost());
        let lead = self.order[0];
        for block in 0..self.lists[lead].block_count() {
            if block.is_multiple_of(BLOCKS_PER_LOOK) {
                context.check_cancelled()?;
                if context.timed_out() {
                    break;
                }
            }
            let count = self.lists[lead].load_docs(block, &mut self.batch)?;
            self.batch.docs[..count].sort_unstable();
            for index in 0..count {
                let doc = self.batch.docs[index];
                if self.matches(doc)? && !each(doc) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Whether a document that the lead has matches.
    fn matches(&mut self, doc: u32) -> Result<bool, SearchError> {
        for list in &self.order[1..] {
            if !self.lists[*list].contains(doc)? {
                return Ok(false);
            }
        }
        for filter in &mut self.filters {
            if !filter.contains(doc)? {
                return Ok(false);
            }
        }
        for unwanted in &mut self.excluded {
            if unwanted.contains(doc)? {
                return Ok(false);
            }
        }
        for phrase in &mut self.phrases {
            if !phrase.occurs(doc, &mut self.lists)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Scores a block of the lead and checks what may still enter.
    fn visit(
        &mut self,
        lead: usize,
        block: usize,
        ranking: &mut Ranking<'_>,
    ) -> Result<(), SearchError> {
        let floor = ranking.floor();
        let list = &mut self.lists[lead];
        let (first, last) = list.range(block)?;
        let last_window = ((last / WINDOW_DOCS) as usize).min(self.windows - 1);
        let windows = &self.rest[(first / WINDOW_DOCS) as usize..=last_window];
        let rest = windows.iter().copied().fold(ABSENT, f32::max);
        let own = if self.scored[lead] {
            list.blocks()[block]
        } else {
            0.0
        };
        if rest == ABSENT || own + rest <= floor {
            return Ok(());
        }
        let count = list.load(block, &mut self.batch)?;
        if self.scored[lead] {
            list.score(count, &mut self.batch);
        } else {
            self.batch.scores[..count].fill(0.0);
        }
        self.found.clear();
        let scores = self.batch.scores[..count].iter();
        for (doc, score) in self.batch.docs[..count].iter().zip(scores) {
            let rest = self.rest[(doc / WINDOW_DOCS) as usize];
            if rest != ABSENT && score + rest > floor {
                self.found.push((*doc, *score));
            }
        }
        self.found.sort_unstable_by_key(|(doc, _)| *doc);
        for index in 0..self.found.len() {
            let (doc, score) = self.found[index];
            if let Some(score) = self.check(doc, score, ranking.floor())? {
                ranking.offer(doc, score);
            }
        }
        Ok(())
    }

    /// The score of a document that the lead has, if it matches and its score may be above `floor`.
    fn check(&mut self, doc: u32, score: f32, floor: f32) -> Result<Option<f32>, SearchError> {
        let window = (doc / WINDOW_DOCS) as usize;
        let mut sum = f64::from(score);
        for done in 1..self.order.len() {
            if (sum + self.bound_after(done, window)) as f32 <= floor {
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
            for list in &self.optional {
                others += f64::from(list.windows[window].max(0.0));
            }
            for phrase in &self.phrases[index + 1..] {
                others += f64::from(phrase.bound(&self.lists, window).max(0.0));
            }
            // A little lower than it has to be: sums are rounded when they are compared.
            let least = f64::from(floor.next_down()) - sum - others;
            match self.phrases[index].check(doc, least, &mut self.lists)? {
                Some(score) => sum += f64::from(score),
                None => return Ok(None),
            }
        }
        let mut score = sum as f32;
        if !self.optional.is_empty() {
            let mut more = 0.0;
            for index in 0..self.optional.len() {
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
        if score <= floor {
            return Ok(None);
        }
        for unwanted in &mut self.excluded {
            if unwanted.contains(doc)? {
                return Ok(None);
            }
        }
        Ok(Some(score))
    }
}
