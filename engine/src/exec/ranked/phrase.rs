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
    /// Frequency and number of each place in the document at hand, the lowest first.
    order: Vec<(u32, usize)>,
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
            starts: Vec::new(),
            positions: Vec::new(),
            count: 0,
        }
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

    /// The score in a document that has all the terms, if the phrase occurs and its score may be above `least`.
    pub fn check(
        &mut self,
        doc: u32,
        least: f64,
        lists: &mut [TermList],
    ) -> Result<Option<f32>, SearchError> {
        if !self.sort_places(doc, lists)? {
            return Ok(None);
        }
        let most = self.score_of(doc, self.order[0].0);
        if f64::from(most) <= least {
            return Ok(None);
        }
        self.count_starts(doc, lists)?;
        Ok((self.count > 0).then(|| self.score(doc)))
    }

    /// Whether the phrase occurs in a document that has all the terms; counts how often.
    pub fn occurs(&mut self, doc: u32, lists: &mut [TermList]) -> Result<bool, SearchError> {
        self.count = 0;
        if self.sort_places(doc, lists)? {
            self.count_starts(doc, lists)?;
        }
        Ok(self.count > 0)
    }

    /// Orders the places by how often their terms occur; `false` if one does not.
    fn sort_places(&mut self, doc: u32, lists: &mut [TermList]) -> Result<bool, SearchError> {
        self.order.clear();
        for (place, (_, list)) in self.places.iter().enumerate() {
            match lists[*list].freq(doc)? {
                Some(freq) => self.order.push((freq, place)),
                None => return Ok(false),
            }
        }
        self.order.sort_unstable();
        Ok(true)
    }

    /// Counts the places where all fit: those of the rarest term that every other leaves, the rarer ones first, so that most
    /// documents are given up before the long lists of positions are read.
    fn count_starts(&mut self, doc: u32, lists: &mut [TermList]) -> Result<(), SearchError> {
        let (distance, list) = self.places[self.order[0].1];
        lists[list].positions(doc, &mut self.starts)?;
        if distance > 0 {
            self.starts.retain_mut(|position| {
                let start = position.checked_sub(distance);
                *position = start.unwrap_or(0);
                start.is_some()
            });
        }
        for (_, place) in &self.order[1..] {
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
