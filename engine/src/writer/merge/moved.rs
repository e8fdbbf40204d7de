//! The postings of one term while documents change their order.

/// Postings with the gaps between their positions, first in the order of the inputs, then in that of the new documents.
#[derive(Default)]
pub(super) struct Moved {
    postings: Vec<Posting>,
    gaps: Vec<u32>,
    /// By document the place of its posting plus one; all zero but during a sort.
    places: Vec<u32>,
    sorted: Vec<Posting>,
}

#[derive(Clone, Copy)]
struct Posting {
    doc: u32,
    freq: u32,
    /// Where its gaps start and, once sorted, end in `gaps`.
    start: usize,
    end: usize,
}

impl Moved {
    pub fn clear(&mut self) {
        self.postings.clear();
        self.gaps.clear();
    }

    /// Adds a document; its gaps are to be appended to the answer.
    pub fn push(&mut self, doc: u32, freq: u32) -> &mut Vec<u32> {
        self.end_last();
        self.postings.push(Posting {
            doc,
            freq,
            start: self.gaps.len(),
            end: self.gaps.len(),
        });
        &mut self.gaps
    }

    fn end_last(&mut self) {
        if let Some(last) = self.postings.last_mut() {
            last.end = self.gaps.len();
        }
    }

    /// Puts the documents, of which a segment has `max_doc`, in order: long lists by a walk over all documents.
    pub fn sort(&mut self, max_doc: u32) {
        self.end_last();
        if self.postings.len() < max_doc as usize / 16 {
            self.postings.sort_unstable_by_key(|posting| posting.doc);
            return;
        }
        self.places.resize(max_doc as usize, 0);
        for (place, posting) in self.postings.iter().enumerate() {
            self.places[posting.doc as usize] = place as u32 + 1;
        }
        self.sorted.clear();
        for place in &mut self.places {
            if let Some(at) = std::mem::take(place).checked_sub(1) {
                self.sorted.push(self.postings[at as usize]);
            }
        }
        std::mem::swap(&mut self.sorted, &mut self.postings);
    }

    /// Documents, freqs and gaps.
    pub fn iter(&self) -> impl Iterator<Item = (u32, u32, &[u32])> {
        let gaps = |posting: &Posting| &self.gaps[posting.start..posting.end];
        self.postings
            .iter()
            .map(move |posting| (posting.doc, posting.freq, gaps(posting)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_and_short_lists_are_put_in_order_with_their_gaps() {
        let mut moved = Moved::default();
        for max_doc in [20, 1000, 20] {
            moved.clear();
            for doc in [7, 3, 11] {
                let gaps = moved.push(doc, doc % 4);
                gaps.extend(doc..doc + doc % 4);
            }
            moved.sort(max_doc);
            let found: Vec<_> = moved
                .iter()
                .map(|(doc, freq, gaps)| (doc, freq, gaps.to_vec()))
                .collect();
            assert_eq!(
                found,
                [
                    (3, 3, vec![3, 4, 5]),
                    (7, 3, vec![7, 8, 9]),
                    (11, 3, vec![11, 12, 13])
                ]
            );
        }
    }
}
