//! Phrases without slop, verified in documents that have all their terms.
//!
//! The positions of the rarest term say where the phrase may begin, in many documents at once; each of the other terms keeps those
//! beginnings that fit it. Most terms occur once in a document, and then nothing but their first positions is read.

use std::convert::Infallible;

use super::matches::Matches;
use super::term_list::TermList;
use crate::exec::term_scorer::TermScoring;
use crate::format::bytes::Malformed;
use crate::search::SearchError;
use crate::segment::DocPositions;

/// A phrase of a conjunction, whose terms are among the conjunction's lists.
pub(super) struct Phrase {
    /// `None` where scores are not wanted.
    scoring: Option<TermScoring>,
    /// For each place: its distance from the first, and the number of its list; once prepared, those of the rarest terms first.
    places: Vec<(u32, usize)>,
    /// The highest score in each window.
    pub windows: Vec<f32>,
    starts: Starts,
    /// Of the documents that are left: how often the phrase may occur.
    counts: Vec<u32>,
}

/// Where a phrase may begin, by document.
#[derive(Default)]
struct Starts {
    /// Ascending; and the number of each among those that were asked for.
    docs: Vec<u32>,
    numbers: Vec<u32>,
    /// Where the beginnings of each end in `all`.
    ends: Vec<usize>,
    /// Those of each document ascending.
    all: Vec<u32>,
    /// Documents that are left, while they are found out.
    left: Vec<u32>,
}

impl Phrase {
    /// `places`: distance from the first, and number of the list; at least one.
    pub fn new(scoring: Option<TermScoring>, places: Vec<(u32, usize)>) -> Phrase {
        Phrase {
            scoring,
            places,
            windows: Vec::new(),
            starts: Starts::default(),
            counts: Vec::new(),
        }
    }

    /// Puts the places in order: most documents are given up before the long lists of positions are read.
    pub fn prepare(&mut self, lists: &[TermList]) {
        self.places.sort_by_key(|(_, list)| lists[*list].cost());
    }

    /// The highest score: that of the rarest term, if the phrase were wherever that term is.
    pub fn max(&self, lists: &[TermList]) -> f32 {
        let all = self.places.iter().map(|(_, list)| lists[*list].max);
        all.fold(f32::INFINITY, f32::min)
    }

    /// Works out the same for windows.
    pub fn bound(&mut self, lists: &[TermList]) {
        self.windows.clear();
        let first = &lists[self.places[0].1].windows;
        self.windows
            .extend(first.iter().map(|bound| bound.max(0.0)));
        for (_, list) in &self.places[1..] {
            for (least, bound) in self.windows.iter_mut().zip(&lists[*list].windows) {
                *least = least.min(bound.max(0.0));
            }
        }
    }

    /// Keeps those of the matches, which have all the terms and were located, that have the phrase, and adds its score to their
    /// sums. Those may be left out that do not come above `floor` with this score and `others`. `bounds` is a buffer.
    pub fn keep(
        &mut self,
        lists: &mut [TermList],
        matches: &mut Matches,
        (floor, others): (f64, f64),
        bounds: &mut Vec<f32>,
    ) -> Result<(), SearchError> {
        for number in 0..self.places.len() {
            let (distance, list) = self.places[number];
            match number {
                0 => self
                    .starts
                    .find(&matches.docs, distance, &mut lists[list])?,
                _ => {
                    // As often as it may begin is as often as it may occur.
                    self.drop_low(&matches.sums, (floor, others), bounds);
                    self.starts.keep(distance, &mut lists[list])?;
                }
            }
            if self.starts.docs.is_empty() {
                matches.clear();
                return Ok(());
            }
        }
        self.starts.count(&mut self.counts);
        let (mut number, mut at) = (0, 0);
        let kept = matches.try_keep(|doc, sum, _| {
            let has_it = self.starts.numbers.get(at) == Some(&number);
            if let (true, Some(scoring)) = (has_it, &self.scoring) {
                *sum += f64::from(scoring.score(doc, self.counts[at] as f32));
            }
            at += usize::from(has_it);
            number += 1;
            Ok::<_, Infallible>(has_it)
        });
        kept.unwrap_or_else(|never| match never {});
        Ok(())
    }

    /// Takes out documents whose score is not above the floor even if the phrase occurs wherever it may begin.
    fn drop_low(&mut self, sums: &[f64], (floor, others): (f64, f64), bounds: &mut Vec<f32>) {
        let Some(scoring) = self.scoring.as_ref().filter(|_| floor > f64::NEG_INFINITY) else {
            return;
        };
        self.starts.count(&mut self.counts);
        bounds.clear();
        bounds.resize(self.counts.len(), 0.0);
        scoring.score_all(&self.starts.docs, &self.counts, bounds);
        self.starts.retain(|at, number| {
            let most = sums[number as usize] + f64::from(bounds[at]) + others;
            most > floor
        });
    }
}

impl Starts {
    /// Those that a place allows, in documents that its list has.
    fn find(
        &mut self,
        docs: &[u32],
        distance: u32,
        list: &mut TermList,
    ) -> Result<(), SearchError> {
        self.docs.clear();
        self.numbers.clear();
        self.ends.clear();
        self.all.clear();
        list.visit_positions(docs, |number, positions| {
            let before = self.all.len();
            positions.visit(|position| {
                self.all.extend(position.checked_sub(distance));
                true
            })?;
            if self.all.len() > before {
                self.docs.push(docs[number]);
                self.numbers.push(number as u32);
                self.ends.push(self.all.len());
            }
            Ok(())
        })
    }

    /// Keeps those that another place allows.
    fn keep(&mut self, distance: u32, list: &mut TermList) -> Result<(), SearchError> {
        let (mut from, mut kept) = (0, 0);
        self.left.clear();
        let (numbers, ends) = (&mut self.numbers, &mut self.ends);
        let (all, left) = (&mut self.all, &mut self.left);
        let docs = &self.docs;
        list.visit_positions(docs, |at, positions| {
            let to = ends[at];
            let found = keep_fitting(all, from..to, kept, distance, positions)?;
            if found > 0 {
                kept += found;
                (numbers[left.len()], ends[left.len()]) = (numbers[at], kept);
                left.push(docs[at]);
            }
            from = to;
            Ok(())
        })?;
        self.all.truncate(kept);
        self.end();
        Ok(())
    }

    /// Keeps documents by their place here and their number.
    fn retain(&mut self, wanted: impl Fn(usize, u32) -> bool) {
        let (mut from, mut kept) = (0, 0);
        self.left.clear();
        for at in 0..self.docs.len() {
            let to = self.ends[at];
            if wanted(at, self.numbers[at]) {
                self.all.copy_within(from..to, kept);
                kept += to - from;
                let place = self.left.len();
                (self.numbers[place], self.ends[place]) = (self.numbers[at], kept);
                self.left.push(self.docs[at]);
            }
            from = to;
        }
        self.all.truncate(kept);
        self.end();
    }

    /// Makes the documents that are left all there are.
    fn end(&mut self) {
        std::mem::swap(&mut self.docs, &mut self.left);
        self.numbers.truncate(self.docs.len());
        self.ends.truncate(self.docs.len());
    }

    /// How many each document has.
    fn count(&self, counts: &mut Vec<u32>) {
        counts.clear();
        let mut before = 0;
        counts.extend(self.ends.iter().map(|end| {
            let count = end - before;
            before = *end;
            count as u32
        }));
    }
}

/// Moves those beginnings of one document, `own` of all, to `kept` that a term at a distance fits; answers how many.
#[inline]
fn keep_fitting(
    all: &mut [u32],
    own: std::ops::Range<usize>,
    kept: usize,
    distance: u32,
    positions: DocPositions<'_>,
) -> Result<usize, Malformed> {
    let mut at = own.start;
    let mut end = kept;
    positions.visit(|position| {
        while all[at].saturating_add(distance) < position {
            at += 1;
            if at == own.end {
                return false;
            }
        }
        // A term may stand twice at one position: each counts.
        while at < own.end && all[at].saturating_add(distance) == position {
            all[end] = all[at];
            end += 1;
            at += 1;
        }
        at < own.end
    })?;
    Ok(end - kept)
}
