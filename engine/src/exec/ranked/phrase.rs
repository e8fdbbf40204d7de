//! Phrases without slop, verified in documents that have all their terms.

use super::term_list::TermList;
use crate::exec::term_scorer::TermScoring;
use crate::search::SearchError;

/// A phrase of a conjunction, whose terms are among the conjunction's lists.
pub(super) struct Phrase {
    /// `None` where scores are not wanted.
    scoring: Option<TermScoring>,
    /// For each place: its distance from the first, and the number of its list.
    places: Vec<(u32, usize)>,
    /// The highest score in each window.
    pub windows: Vec<f32>,
    /// Numbers of the places, those of the rarest terms first.
    order: Vec<usize>,
    /// The least frequency among the terms, of each document that a bound is asked for; and one term's.
    least: Vec<u32>,
    freqs: Vec<u32>,
    /// Where the phrase may begin.
    starts: Vec<u32>,
    positions: Vec<u32>,
    /// How often it occurs in the document looked at last.
    count: u32,
}

impl Phrase {
    /// `places`: distance from the first, and number of the list; at least one.
    pub fn new(scoring: Option<TermScoring>, places: Vec<(u32, usize)>) -> Phrase {
        Phrase {
            scoring,
            places,
            windows: Vec::new(),
            order: Vec::new(),
            least: Vec::new(),
            freqs: Vec::new(),
            starts: Vec::new(),
            positions: Vec::new(),
            count: 0,
        }
    }

    /// Puts the places in order: most documents are given up before the long lists of positions are read.
    pub fn prepare(&mut self, lists: &[TermList]) {
        self.order = (0..self.places.len()).collect();
        let cost = |place: &usize| lists[self.places[*place].1].cost();
        self.order.sort_by_key(cost);
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

    /// The highest score in each of some documents, ascending, that have all the terms: if the phrase were wherever the
    /// term is that they have least.
    pub fn bounds(
        &mut self,
        docs: &[u32],
        lists: &mut [TermList],
        bounds: &mut Vec<f32>,
    ) -> Result<(), SearchError> {
        bounds.clear();
        bounds.resize(docs.len(), 0.0);
        self.least.clear();
        self.least.resize(docs.len(), u32::MAX);
        self.freqs.resize(docs.len(), 0);
        for (number, (_, list)) in self.places.iter().enumerate() {
            if self.places[..number].iter().any(|(_, other)| other == list) {
                continue;
            }
            lists[*list].freqs(docs, &mut self.freqs)?;
            for (least, freq) in self.least.iter_mut().zip(&self.freqs) {
                *least = (*least).min(*freq);
            }
        }
        if let Some(scoring) = &self.scoring {
            scoring.score_all(docs, &self.least, bounds);
        }
        Ok(())
    }

    /// Whether the phrase occurs in a document that has all the terms; counts how often.
    pub fn occurs(&mut self, doc: u32, lists: &mut [TermList]) -> Result<bool, SearchError> {
        self.count_starts(doc, lists)?;
        Ok(self.count > 0)
    }

    /// Counts the places where all fit: those of the rarest term that every other leaves.
    fn count_starts(&mut self, doc: u32, lists: &mut [TermList]) -> Result<(), SearchError> {
        let (distance, list) = self.places[self.order[0]];
        lists[list].positions(doc, &mut self.starts)?;
        if distance > 0 {
            self.starts.retain_mut(|position| {
                let start = position.checked_sub(distance);
                *position = start.unwrap_or(0);
                start.is_some()
            });
        }
        for place in &self.order[1..] {
            if self.starts.is_empty() {
                break;
            }
            let (distance, list) = self.places[*place];
            lists[list].positions(doc, &mut self.positions)?;
            let mut at = 0;
            let positions = &self.positions;
            self.starts.retain(|start| {
                let Some(wanted) = start.checked_add(distance) else {
                    return false;
                };
                while at < positions.len() && positions[at] < wanted {
                    at += 1;
                }
                positions.get(at) == Some(&wanted)
            });
        }
        self.count = self.starts.len() as u32;
        Ok(())
    }

    /// The score in the document looked at last.
    pub fn score(&self, doc: u32) -> f32 {
        self.score_of(doc, self.count)
    }

    fn score_of(&self, doc: u32, count: u32) -> f32 {
        let scoring = self.scoring.as_ref();
        scoring.map_or(0.0, |scoring| scoring.score(doc, count as f32))
    }
}
