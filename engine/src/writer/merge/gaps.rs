//! The gaps between positions, as they come out of an input.

use crate::ids::DocId;
use crate::segment::{GapReader, PostingsCursor, PostingsNeed, ReadError, TermInfo, TermsReader};

/// The gaps of all documents of a term, one after the other: each document starts from 0 anew.
pub(super) struct Gaps {
    source: Source,
    /// What was read and not taken yet, from `at` on.
    ready: Vec<u32>,
    at: usize,
}

#[expect(
    clippy::large_enum_variant,
    reason = "it lives on the stack, and the large one is nearly always it"
)]
enum Source {
    /// One stream.
    Stream(GapReader),
    /// Positions by document, as format v1 has them.
    Documents(PostingsCursor, Vec<u32>),
}

impl Gaps {
    pub fn open(terms: &TermsReader, info: &TermInfo) -> Result<Gaps, ReadError> {
        let source = match terms.gaps(info) {
            Some(stream) => Source::Stream(stream),
            None => {
                let cursor = terms.postings(info, PostingsNeed::Positions)?;
                Source::Documents(cursor, Vec::new())
            }
        };
        Ok(Gaps {
            source,
            ready: Vec::new(),
            at: 0,
        })
    }

    /// Calls back with the next gaps, `count` in all, in as many pieces as it takes; with fewer when there are no more.
    pub fn take(&mut self, count: u32, mut each: impl FnMut(&[u32])) -> Result<(), ReadError> {
        let mut left = count as usize;
        while left > 0 {
            if self.at == self.ready.len() {
                self.read()?;
                if self.ready.is_empty() {
                    break;
                }
            }
            let end = self.ready.len().min(self.at + left);
            each(&self.ready[self.at..end]);
            left -= end - self.at;
            self.at = end;
        }
        Ok(())
    }

    /// Calls back with all the gaps that are left; answers how many.
    pub fn rest(&mut self, mut each: impl FnMut(&[u32])) -> Result<u64, ReadError> {
        let mut count = (self.ready.len() - self.at) as u64;
        each(&self.ready[self.at..]);
        loop {
            let gaps = match &mut self.source {
                Source::Stream(stream) => stream.next_group()?,
                Source::Documents(..) => {
                    self.read()?;
                    &self.ready
                }
            };
            if gaps.is_empty() {
                return Ok(count);
            }
            count += gaps.len() as u64;
            each(gaps);
        }
    }

    fn read(&mut self) -> Result<(), ReadError> {
        self.ready.clear();
        self.at = 0;
        match &mut self.source {
            Source::Stream(stream) => self.ready.extend_from_slice(stream.next_group()?),
            Source::Documents(cursor, positions) => {
                if cursor.next()? != DocId::NO_MORE {
                    cursor.positions(positions)?;
                    let mut before = 0;
                    for position in positions {
                        self.ready.push(position.wrapping_sub(before));
                        before = *position;
                    }
                }
            }
        }
        Ok(())
    }
}
