//! Terms at certain distances.

mod exact;
mod sloppy;

use self::exact::count_exact;
use self::sloppy::SloppyMatcher;
use super::scorer::{Hits, NO_MORE, Scorer, for_each_offset};
use super::term_scorer::TermScoring;
use crate::ids::DocId;
use crate::search::SearchError;
use crate::segment::{PostingsCursor, WINDOW_DOCS, Window};

/// One place of a phrase in one segment.
pub(crate) struct PhraseSlotCursor {
    /// Place in the phrase.
    position: u32,
    /// Alternatives, with the document where each stands; -1 before the first move.
    cursors: Vec<(PostingsCursor, i64)>,
    /// The alternatives' terms: places that share one may not stand on the same token.
    terms: Vec<Vec<u8>>,
    scratch: Vec<u32>,
}

impl PhraseSlotCursor {
    /// `cursors` are made for positions; at least one.
    pub fn new(position: u32, cursors: Vec<PostingsCursor>, terms: Vec<Vec<u8>>) -> Self {
        let mut with_doc = Vec::with_capacity(cursors.len());
        for cursor in cursors {
            with_doc.push((cursor, -1));
        }
        PhraseSlotCursor {
            position,
            cursors: with_doc,
            terms,
            scratch: Vec::new(),
        }
    }

    fn cost(&self) -> u64 {
        self.cursors.iter().map(|(c, _)| u64::from(c.cost())).sum()
    }

    /// The first document that is `target` or later.
    fn advance(&mut self, target: u32) -> Result<u32, SearchError> {
        let mut first = NO_MORE;
        for (cursor, doc) in &mut self.cursors {
            if *doc < i64::from(target) {
                *doc = i64::from(cursor.advance(DocId(target))?.0);
            }
            first = first.min(*doc as u32);
        }
        Ok(first)
    }

    /// Positions in `doc`, ascending, without duplicates.
    fn positions(&mut self, doc: u32, positions: &mut Vec<u32>) -> Result<(), SearchError> {
        positions.clear();
        for (cursor, at) in &mut self.cursors {
            if *at == i64::from(doc) {
                cursor.positions(&mut self.scratch)?;
                positions.extend_from_slice(&self.scratch);
            }
        }
        if self.cursors.len() > 1 {
            positions.sort_unstable();
            positions.dedup();
        }
        Ok(())
    }
}

/// Documents in which all places are filled, each as often as the phrase occurs.
pub(crate) struct PhraseScorer {
    slots: Vec<PhraseSlotCursor>,
    /// Positions of each slot in the current document.
    positions: Vec<Vec<u32>>,
    /// Slots, rarest first.
    order: Vec<usize>,
    sloppy: Option<SloppyMatcher>,
    scoring: Option<TermScoring>,
}

impl PhraseScorer {
    /// At least one slot.
    pub fn new(slots: Vec<PhraseSlotCursor>, slop: u32, scoring: Option<TermScoring>) -> Self {
        let mut order: Vec<usize> = (0..slots.len()).collect();
        order.sort_by_key(|slot| slots[*slot].cost());
        let sloppy = (slop > 0).then(|| {
            let mut places = Vec::with_capacity(slots.len());
            for slot in &slots {
                places.push((slot.position, slot.terms.clone()));
            }
            SloppyMatcher::new(places, slop)
        });
        PhraseScorer {
            positions: vec![Vec::new(); slots.len()],
            order,
            slots,
            sloppy,
            scoring,
        }
    }

    /// The first document at or after `target` that has something in every slot.
    fn next_candidate(&mut self, mut target: u32) -> Result<u32, SearchError> {
        'again: loop {
            let lead = self.slots[self.order[0]].advance(target)?;
            if lead == NO_MORE {
                return Ok(NO_MORE);
            }
            for &slot in &self.order[1..] {
                let doc = self.slots[slot].advance(lead)?;
                if doc != lead {
                    if doc == NO_MORE {
                        return Ok(NO_MORE);
                    }
                    target = doc;
                    continue 'again;
                }
            }
            return Ok(lead);
        }
    }

    /// How often the phrase occurs in a candidate; 0: not at all.
    fn frequency(&mut self, doc: u32) -> Result<f32, SearchError> {
        for (slot, positions) in self.slots.iter_mut().zip(&mut self.positions) {
            slot.positions(doc, positions)?;
        }
        match &mut self.sloppy {
            Some(matcher) => Ok(matcher.frequency(&self.positions)),
            None => {
                let slots = &self.slots;
                let count =
                    count_exact(&self.positions, |slot| slots[slot].position, self.order[0]);
                Ok(count as f32)
            }
        }
    }

    fn check(&mut self, doc: u32, offset: u32, out: &mut Hits) -> Result<(), SearchError> {
        let frequency = self.frequency(doc)?;
        if frequency > 0.0 {
            out.docs.set(offset);
            if let Some(scoring) = &self.scoring {
                out.scores[offset as usize] = scoring.score(doc, frequency);
            }
        }
        Ok(())
    }
}

impl Scorer for PhraseScorer {
    fn cost(&self) -> u64 {
        // positions are dear: of equal rarity others go first
        self.slots[self.order[0]].cost().saturating_mul(2)
    }

    fn seek(&mut self, target: u32) -> Result<u32, SearchError> {
        self.next_candidate(target)
    }

    fn fill(
        &mut self,
        base: u32,
        within: Option<&Window>,
        _floor: f32,
        out: &mut Hits,
    ) -> Result<(), SearchError> {
        out.docs.clear();
        let end = base.saturating_add(WINDOW_DOCS);
        if let Some(within) = within
            && within.count() < 256
        {
            return for_each_offset(within, |offset| {
                let doc = base + offset;
                for n in 0..self.order.len() {
                    let slot = self.order[n];
                    if self.slots[slot].advance(doc)? != doc {
                        return Ok(());
                    }
                }
                self.check(doc, offset, out)
            });
        }
        let mut doc = self.next_candidate(base)?;
        while doc < end {
            let offset = doc - base;
            if within.is_none_or(|within| within.contains(offset)) {
                self.check(doc, offset, out)?;
            }
            doc = self.next_candidate(doc + 1)?;
        }
        Ok(())
    }

    fn max_score(&mut self, _base: u32) -> Result<f32, SearchError> {
        Ok(match &self.scoring {
            Some(scoring) => scoring.bm25.weight,
            None => 0.0,
        })
    }
}
