//! Operations in the order of their numbers: what another copy catches up from, and what a promoted copy does again.

use std::vec::IntoIter;

use super::journal::Record;
use super::store::Entry;
use super::{JournalError, Operation, Translog};
use crate::directory::ByteView;
use crate::ids::{PrimaryTerm, SeqNo};

/// Operations by number, one for each; void ones are not among them. Holds the files that they stand in.
#[derive(Debug)]
pub struct History {
    found: IntoIter<Found>,
}

#[derive(Debug)]
struct Found {
    seq_no: SeqNo,
    primary_term: PrimaryTerm,
    payload: ByteView,
}

impl Iterator for History {
    type Item = Operation;

    fn next(&mut self) -> Option<Operation> {
        let found = self.found.next()?;
        let operation = Operation::decode(&found.payload);
        Some(
            operation.expect("it was decoded when it was found, and bytes of a view do not change"),
        )
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.found.size_hint()
    }
}

impl ExactSizeIterator for History {}

impl Translog {
    /// The operations from a number on. Reads every file that may have one.
    pub fn history_from(&self, seq_no: SeqNo) -> Result<History, JournalError> {
        let mut found = Vec::new();
        for entry in self.entries(self.first_generation_with(seq_no))? {
            let (Record { payload, .. }, Entry::Operation(operation)) = entry? else {
                continue;
            };
            if operation.seq_no >= seq_no {
                found.push(Found {
                    seq_no: operation.seq_no,
                    primary_term: operation.primary_term,
                    payload,
                });
            }
        }
        // Of two with one number the later reign's is the one that stands.
        found.sort_by_key(|found| (found.seq_no, std::cmp::Reverse(found.primary_term)));
        found.dedup_by_key(|found| found.seq_no);
        Ok(History {
            found: found.into_iter(),
        })
    }
}

impl History {
    /// Whether every number from one to another has its operation.
    pub(crate) fn is_whole(&self, from: SeqNo, to: SeqNo) -> bool {
        let mut next = from.0;
        for found in self.found.as_slice() {
            if found.seq_no.0 != next {
                break;
            }
            next += 1;
        }
        next > to.0
    }
}
