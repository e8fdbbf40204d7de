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
    positions: Vec<Vec<u32>>,
    freqs: Vec<u32>,
}

impl Phrase {
    pub fn new(scoring: Option<TermScoring>) -> Phrase {
        Phrase {
            scoring,
            places: Vec::new(),
            positions: Vec::new(),
            freqs: Vec::new(),
        }
    }

    /// The highest score in a window: that of the rarest term there, if the phrase were wherever that term is.
    pub fn bound(&self, lists: &[TermList], window: usize) -> f32 {
        let places = self.places.iter();
        places.fold(f32::INFINITY, |least, (_, list)| {
            least.min(lists[*list].windows[window])
        })
    }

    /// The score in a document that has all the terms, if the phrase occurs and its score may be above `least`.
    pub fn check(
        &mut self,
        doc: u32,
        least: f64,
        lists: &mut [TermList],
    ) -> Result<Option<f32>, SearchError> {
        self.freqs.clear();
        let mut lead = 0;
        for (place, (_, list)) in self.places.iter().enumerate() {
            let Some(freq) = lists[*list].freq(doc)? else {
                return Ok(None);
            };
            self.freqs.push(freq);
            if freq < self.freqs[lead] {
                lead = place;
            }
        }
        let Some(scoring) = &self.scoring else {
            return Ok(None);
        };
        let most = scoring.score(doc, self.freqs[lead] as f32);
        if f64::from(most) <= least {
            return Ok(None);
        }
        self.positions.resize_with(self.places.len(), Vec::new);
        for ((_, list), positions) in self.places.iter().zip(&mut self.positions) {
            lists[*list].positions(doc, positions)?;
        }
        let places = &self.places;
        let count = count_exact(&self.positions, |place| places[place].0, lead);
        Ok((count > 0).then(|| scoring.score(doc, count as f32)))
    }

    /// Whether the phrase occurs in a document that has all the terms.
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
        Ok(count_exact(&self.positions, |place| places[place].0, lead) > 0)
    }
}
