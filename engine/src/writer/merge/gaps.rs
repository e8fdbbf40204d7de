//! The gaps between positions, as they come out of an input.

use crate::ids::DocId;
use crate::segment::{GapReader, PostingsCursor, PostingsNeed, ReadError, TermInfo, TermsReader};

/// The gaps of all documents of one term after the other: each document starts from 0 anew.
#[derive(Default)]
pub(super) struct Gaps {
    stream: Option<GapReader>,
    /// Positions by document, as format v1 has them; `None`: the stream has them.
    documents: Option<PostingsCursor>,
    positions: Vec<u32>,
    /// What was read and not taken yet, from `at` on.
    ready: Vec<u32>,
    at: usize,
}

impl Gaps {
    /// Goes before the first gap of a term.
    pub fn open(&mut self, terms: &TermsReader, info: &TermInfo) -> Result<(), ReadError> {
        self.ready.clear();
        self.at = 0;
        self.documents = match terms.read_gaps(info, &mut self.stream) {
            true => None,
            false => Some(terms.postings(info, PostingsNeed::Positions)?),
        };
        Ok(())
    }

    /// Calls back with the next gaps, `count` in all, in as many pieces as it takes; with fewer when there are no more.
    pub fn take(&mut self, count: u32, mut each: impl FnMut(&[u32])) -> Result<(), ReadError> {
        let mut left = count as usize;
        while left > 0 {
            if self.at == self.ready.len() {
                self.ready.clear();
                self.at = 0;
                match (&mut self.documents, &mut self.stream) {
                    (None, Some(stream)) => self.ready.extend_from_slice(stream.next_group()?),
                    _ => self.read_document()?,
                }
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

    /// Calls back with all gaps of a term just opened; answers how many.
    pub fn all(&mut self, mut each: impl FnMut(&[u32])) -> Result<u64, ReadError> {
        let mut count = 0;
        loop {
            let gaps = match (&mut self.documents, &mut self.stream) {
                (None, Some(stream)) => stream.next_group()?,
                _ => {
                    self.ready.clear();
                    self.read_document()?;
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

    fn read_document(&mut self) -> Result<(), ReadError> {
        if let Some(cursor) = &mut self.documents
            && cursor.next()? != DocId::NO_MORE
        {
            cursor.positions(&mut self.positions)?;
            let mut before = 0;
            for position in &self.positions {
                self.ready.push(position.wrapping_sub(before));
                before = *position;
            }
        }
        Ok(())
    }
}
