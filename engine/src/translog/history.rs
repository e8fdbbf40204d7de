//! Operations in the order of their numbers: what another copy catches up from, and what a promoted copy does again.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::vec::IntoIter;

use super::store::Entry;
use super::{JournalError, Mark, Operation, OperationKind, Translog};
use crate::directory::ByteView;
use crate::ids::{PrimaryTerm, SeqNo};

/// Operations by number, one for each: of several, the one that stands (see [`Mark`]). Holds the files that they are in.
#[derive(Debug)]
pub struct History {
    found: IntoIter<Found>,
}

#[derive(Debug)]
struct Found {
    seq_no: SeqNo,
    primary_term: PrimaryTerm,
    /// A later mark has its number beyond what it is sure of.
    is_doubtful: bool,
    /// Its place in the order in which operations were appended.
    place: usize,
    payload: ByteView,
}

impl Found {
    fn operation(&self) -> Operation {
        let operation = Operation::decode(&self.payload);
        operation.expect("it was decoded when it was found, and bytes of a view do not change")
    }
}

impl Iterator for History {
    type Item = Operation;

    fn next(&mut self) -> Option<Operation> {
        self.found.next().map(|found| found.operation())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.found.size_hint()
    }
}

impl ExactSizeIterator for History {}

impl Translog {
    /// The operations from a number on. Reads every file that may have one. What was doubtful to reigns up to `settled` is
    /// left out: segments have what these had in its place.
    pub fn history_from(
        &self,
        seq_no: SeqNo,
        settled: PrimaryTerm,
    ) -> Result<History, JournalError> {
        let mut found = Vec::new();
        let mut doubts: Vec<Doubt> = Vec::new();
        for entry in self.entries(self.first_generation_with(seq_no))? {
            let (record, operation) = match entry? {
                (record, Entry::Operation(operation)) => (record, operation),
                (_, Entry::Mark(mark)) => {
                    if mark.sure_to != Mark::ALL {
                        doubts.push(Doubt::new(mark, found.len()));
                    }
                    continue;
                }
            };
            for doubt in &mut doubts {
                doubt.hear(&operation);
            }
            if operation.seq_no >= seq_no {
                found.push(Found {
                    seq_no: operation.seq_no,
                    primary_term: operation.primary_term,
                    is_doubtful: false,
                    place: found.len(),
                    payload: record.payload,
                });
            }
        }
        for doubt in &doubts {
            doubt.judge(&mut found, settled);
        }
        found.sort_by_key(|found| (found.seq_no, Reverse(found.place)));
        found.dedup_by_key(|found| found.seq_no);
        Ok(History {
            found: found.into_iter(),
        })
    }
}

/// What a mark does to the operations before it.
struct Doubt {
    mark: Mark,
    /// So many operations were found before it.
    place: usize,
    /// The lowest number that each reign gave out, of the operations that the mark's reign sent.
    firsts: BTreeMap<PrimaryTerm, SeqNo>,
}

impl Doubt {
    fn new(mark: Mark, place: usize) -> Doubt {
        Doubt {
            mark,
            place,
            firsts: BTreeMap::new(),
        }
    }

    /// Takes note of an operation that follows the mark: it is part of the history of the mark's reign.
    fn hear(&mut self, operation: &Operation) {
        if !matches!(operation.kind, OperationKind::NoOp { .. }) {
            let first = self.firsts.entry(operation.primary_term);
            let first = first.or_insert(operation.seq_no);
            *first = operation.seq_no.min(*first);
        }
    }

    /// Whether a primary gave a number, up to this operation's, when it had nothing beyond it: so it never had this one, which
    /// is of an earlier reign.
    fn refutes(&self, found: &Found) -> bool {
        let later = (Bound::Excluded(found.primary_term), Bound::Unbounded);
        let mut firsts = self.firsts.range(later);
        firsts.any(|(_, first)| *first <= found.seq_no)
    }

    /// Takes out what the reign's primary never had.
    fn judge(&self, found: &mut Vec<Found>, settled: PrimaryTerm) {
        let sure_to = self.mark.sure_to;
        let doubts = |found: &Found| found.place < self.place && found.seq_no > sure_to;
        for found in found.iter_mut().filter(|found| doubts(found)) {
            found.is_doubtful = true;
        }
        if self.mark.primary_term <= settled {
            found.retain(|found| !doubts(found));
        } else {
            found.retain(|found| !doubts(found) || !self.refutes(found));
        }
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

    /// Without those that are still doubtful.
    pub(crate) fn sure(self) -> impl Iterator<Item = Operation> {
        let sure = self.found.filter(|found| !found.is_doubtful);
        sure.map(|found| found.operation())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::directory::ram::RamDirectory;

    fn operation(seq_no: i64, term: u64, filling: bool) -> Operation {
        Operation {
            seq_no: SeqNo(seq_no),
            primary_term: PrimaryTerm(term),
            version: term,
            kind: match filling {
                true => OperationKind::NoOp {
                    reason: "filling gaps".to_owned(),
                },
                false => OperationKind::Delete {
                    id: seq_no.to_string(),
                },
            },
        }
    }

    fn doubt(translog: &Translog, sure_to: i64, term: u64) {
        let mark = Mark {
            sure_to: SeqNo(sure_to),
            primary_term: PrimaryTerm(term),
            global_checkpoint: SeqNo::NONE,
        };
        translog.doubt(mark).unwrap();
    }

    fn stands(translog: &Translog, from: i64) -> Vec<(i64, u64)> {
        let history = translog.history_from(SeqNo(from), PrimaryTerm(0)).unwrap();
        history.map(|op| (op.seq_no.0, op.primary_term.0)).collect()
    }

    #[test]
    fn doubtful_operations_stand_until_the_new_primary_had_its_say() {
        let directory = Arc::new(RamDirectory::new());
        let translog = Translog::create(directory.clone()).unwrap();
        for seq_no in [0, 2, 1, 3, 4, 5] {
            translog.append(&operation(seq_no, 1, false)).unwrap();
        }
        doubt(&translog, 1, 2);
        assert_eq!(
            stands(&translog, 1),
            [(1, 1), (2, 1), (3, 1), (4, 1), (5, 1)]
        );
        let sure = translog.history_from(SeqNo(0), PrimaryTerm(0)).unwrap();
        let sure = sure.sure().count();
        assert_eq!(sure, 2);
        // Sent again, and one that the new primary never had.
        translog.append(&operation(2, 1, false)).unwrap();
        translog.append(&operation(3, 2, true)).unwrap();
        assert_eq!(
            stands(&translog, 1),
            [(1, 1), (2, 1), (3, 2), (4, 1), (5, 1)]
        );
        // Its own first operation: it had nothing beyond.
        translog.append(&operation(4, 2, false)).unwrap();
        assert_eq!(stands(&translog, 1), [(1, 1), (2, 1), (3, 2), (4, 2)]);
        doubt(&translog, 2, 3);
        translog.append(&operation(3, 3, false)).unwrap();
        let expected = [(0, 1), (1, 1), (2, 1), (3, 3)];
        assert_eq!(stands(&translog, 0), expected);
        translog.close().unwrap();
        let translog = Translog::open(directory).unwrap();
        assert!(translog.has_doubts());
        translog.bound(u64::MAX, SeqNo(5));
        assert_eq!(stands(&translog, 0), expected);
        let settled = translog.history_from(SeqNo(0), PrimaryTerm(2)).unwrap();
        assert_eq!(settled.len(), 4, "by what follows");
        let settled = translog.history_from(SeqNo(2), PrimaryTerm(3)).unwrap();
        assert_eq!(settled.len(), 2);
    }

    #[test]
    fn a_history_with_a_hole_is_not_whole() {
        let translog = Translog::create(Arc::new(RamDirectory::new())).unwrap();
        for seq_no in [3, 5, 4, 7] {
            translog.append(&operation(seq_no, 1, false)).unwrap();
        }
        let whole = |from: i64, to: i64| {
            let history = translog.history_from(SeqNo(from), PrimaryTerm(0)).unwrap();
            history.is_whole(SeqNo(from), SeqNo(to))
        };
        assert!(whole(3, 5) && whole(4, 5) && whole(7, 7) && whole(8, 7));
        assert!(!whole(2, 5) && !whole(3, 6) && !whole(3, 7) && !whole(6, 7));
    }
}
