//! Phrases without slop, verified in documents that have all their terms.

use super::term_list::TermList;
use crate::exec::phrase::count_exact;
use crate::exec::term_scorer::TermScoring;
use crate::search::SearchError;

/// A phrase of a conjunction, whose terms are among the conjunction's lists.
pub(super) struct Phrase {
    /// `None` where scores are not wanted.
    scoring: Option<TermScoring>,
    /// For each place: its distance from the first, and the number of its list.
    pub places: Vec<(u32, usize)>,
    /// The highest score in each window.
    pub windows: Vec<f32>,
    positions: Vec<Vec<u32>>,
    /// How often it occurs in the document looked at last.
    count: u32,
}

impl Phrase {
    pub fn new(scoring: Option<TermScoring>) -> Phrase {
        Phrase {
            scoring,
            places: Vec::new(),
            windows: Vec::new(),
            positions: Vec::new(),
            count: 0,
        }
    }

    /// Works out the bounds of windows: the score of the rarest term there, if the phrase were wherever that term is.
    pub fn prepare(&mut self, lists: &[TermList]) {
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

    /// The score in a document that has all the terms, if the phrase occurs and its score may be above `least`.
    pub fn check(
        &mut self,
        doc: u32,
        least: f64,
        lists: &mut [TermList],
    ) -> Result<Option<f32>, SearchError> {
        let Some(scoring) = &self.scoring else {
            return Ok(None);
        };
        let mut fewest = u32::MAX;
        for (_, list) in &self.places {
            let Some(freq) = lists[*list].freq(doc)? else {
                return Ok(None);
            };
            fewest = fewest.min(freq);
        }
        if f64::from(scoring.score(doc, fewest as f32)) <= least {
            return Ok(None);
        }
        Ok(self.occurs(doc, lists)?.then(|| self.score(doc)))
    }

    /// Whether the phrase occurs in a document that has all the terms; counts how often.
    pub fn occurs(&mut self, doc: u32, lists: &mut [TermList]) -> Result<bool, SearchError> {
        self.positions.resize_with(self.places.len(), Vec::new);
        let mut lead = 0;
        for (place, (_, list)) in self.places.iter().enumerate() {
            lists[*list].positions(doc, &mut self.positions[place])?;
            if self.positions[place].len() < self.positions[lead].len() {
                lead = place;
            }
        }
        let places = &self.places;
        self.count = count_exact(&self.positions, |place| places[place].0, lead);
        Ok(self.count > 0)
    }

    /// The score in the document looked at last.
    pub fn score(&self, doc: u32) -> f32 {
        let scoring = self.scoring.as_ref();
        scoring.map_or(0.0, |scoring| scoring.score(doc, self.count as f32))
    }
}
