//! Positions, as they come out of an input.

use crate::segment::{
    PositionsStream, PostingsCursor, PostingsNeed, ReadError, TermInfo, TermsReader,
};

/// The positions of all documents of one term after the other.
#[derive(Default)]
pub(super) struct Positions {
    stream: Option<PositionsStream>,
    /// Document by document, as format v1 has them; `None`: the stream has them.
    documents: Option<PostingsCursor>,
    positions: Vec<u32>,
    /// Of the documents taken last: the first position of each.
    pub firsts: Vec<u32>,
    /// Of those with more than one: the distance of each position from the one before.
    pub gaps: Vec<u32>,
}

impl Positions {
    /// Goes before the first document of a term.
    pub fn open(&mut self, terms: &TermsReader, info: &TermInfo) -> Result<(), ReadError> {
        self.documents = match terms.read_positions(info, &mut self.stream) {
            true => None,
            false => Some(terms.postings(info, PostingsNeed::Positions)?),
        };
        Ok(())
    }

    /// Reads those of the next part's documents, which have these freqs.
    pub fn take(&mut self, freqs: &[u32]) -> Result<(), ReadError> {
        self.firsts.clear();
        self.gaps.clear();
        match (&mut self.documents, &mut self.stream) {
            (Some(cursor), _) => {
                for _ in freqs {
                    cursor.next()?;
                    cursor.positions(&mut self.positions)?;
                    self.firsts.extend(self.positions.first());
                    let pairs = self.positions.windows(2);
                    self.gaps
                        .extend(pairs.map(|pair| pair[1].wrapping_sub(pair[0])));
                }
                Ok(())
            }
            (None, Some(stream)) => stream.take(freqs, &mut self.firsts, &mut self.gaps),
            (None, None) => Ok(()),
        }
    }
}
