//! # A mark, as the payload of a journal frame
//! What a copy must remember besides operations: whom it follows, and of what it is no longer sure. Little-endian, 25
//! bytes.
//!
//! | offset | bytes | field             | meaning                                                                 |
//! |-------:|------:|-------------------|-------------------------------------------------------------------------|
//! |      0 |     1 | kind              | 4; 1 to 3 are [operations](super::operation)                            |
//! |      1 |     8 | sure to           | operations that stand before this record are *doubtful* from the next number on; `ff … ff 7f`: none is |
//! |      9 |     8 | primary term      | the reign that the copy follows from here on                            |
//! |     17 |     8 | global checkpoint | every in-sync copy had the operations up to here; -1: not known         |
//!
//! The primary of the reign sends again what it has of the doubtful numbers. So a doubtful operation stands until
//! - an operation of the same number follows the mark,
//! - an operation of that reign, with a lower number, that is no filling (a no-op), follows it: the reign's primary gave that
//!   number out when it had nothing beyond, so it never had the doubtful one, or
//! - the copy's segments are of that reign: they have what its primary had.
//!
//! A copy that becomes the primary before does what stands: it may be all that is left of an acknowledged write.
//!
//! A mark that makes anything doubtful is the first record of its file, so that finding all of them takes one look at each
//! file.
//!
//! Reign 2 begins, operations beyond 5 are doubtful, all up to 4 are on every copy:
//! ```text
//! 04  05 00 00 00 00 00 00 00  02 00 00 00 00 00 00 00  04 00 00 00 00 00 00 00
//! ```
//!
//! A number below -1 is refused.
//!
//! | version | since | change                                      |
//! |--------:|-------|---------------------------------------------|
//! |       1 | 0.1   | first; earlier builds refuse it by its kind |

use crate::ids::{PrimaryTerm, SeqNo};

pub(super) const MARK: u8 = 4;
const MARK_BYTES: usize = 25;
const _: () = assert!(MARK_BYTES == 1 + 8 + 8 + 8);

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The last number that is not doubtful; [`Mark::ALL`]: none is.
    pub sure_to: SeqNo,
    /// The reign followed from here on.
    pub primary_term: PrimaryTerm,
    /// What every in-sync copy had.
    pub global_checkpoint: SeqNo,
}

impl Mark {
    /// Nothing is doubtful.
    pub const ALL: SeqNo = SeqNo(i64::MAX);

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(MARK_BYTES);
        out.push(MARK);
        out.extend_from_slice(&self.sure_to.0.to_le_bytes());
        out.extend_from_slice(&self.primary_term.0.to_le_bytes());
        out.extend_from_slice(&self.global_checkpoint.0.to_le_bytes());
        out
    }

    /// Reads the payload of a mark; `None` when it is that of an operation, the error says what is wrong with it.
    pub(super) fn decode(payload: &[u8]) -> Option<Result<Mark, String>> {
        if payload.first() != Some(&MARK) {
            return None;
        }
        let Ok(payload) = <&[u8; MARK_BYTES]>::try_from(payload) else {
            let len = payload.len();
            return Some(Err(format!("a mark has {MARK_BYTES} bytes, not {len}")));
        };
        let number = |at: usize| {
            let bytes = payload[at..at + 8].try_into();
            bytes.expect("the range is eight bytes long, and the last of them ends at 25")
        };
        let mark = Mark {
            sure_to: SeqNo(i64::from_le_bytes(number(1))),
            primary_term: PrimaryTerm(u64::from_le_bytes(number(9))),
            global_checkpoint: SeqNo(i64::from_le_bytes(number(17))),
        };
        let lowest = mark.sure_to.min(mark.global_checkpoint);
        Some(match lowest < SeqNo::NONE {
            true => Err(format!("a mark names operation {}", lowest.0)),
            false => Ok(mark),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worked_example_holds() {
        let mark = Mark {
            sure_to: SeqNo(5),
            primary_term: PrimaryTerm(2),
            global_checkpoint: SeqNo(4),
        };
        let mut expected = vec![4, 5, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0];
        expected.extend([4, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(mark.encode(), expected);
        assert_eq!(Mark::decode(&expected), Some(Ok(mark)));
        assert!(matches!(Mark::decode(&expected[..24]), Some(Err(_))));
        assert_eq!(Mark::decode(&[1; 25]), None);
        assert_eq!(Mark::decode(&[]), None);
    }

    #[test]
    fn numbers_that_no_operation_can_have_are_refused() {
        let decoded = |sure_to: i64, global_checkpoint: i64| {
            let mark = Mark {
                sure_to: SeqNo(sure_to),
                primary_term: PrimaryTerm(2),
                global_checkpoint: SeqNo(global_checkpoint),
            };
            Mark::decode(&mark.encode()).unwrap().map(|_| ())
        };
        for (sure_to, global_checkpoint) in [(-1, -1), (i64::MAX, i64::MAX)] {
            assert_eq!(decoded(sure_to, global_checkpoint), Ok(()));
        }
        for (sure_to, global_checkpoint) in [(-2, 0), (i64::MIN, 0), (0, -2), (0, i64::MIN)] {
            assert!(decoded(sure_to, global_checkpoint).is_err());
        }
    }
}
