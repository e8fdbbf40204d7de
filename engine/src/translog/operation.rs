//! # One operation, as the payload of a journal frame
//! Little-endian. The frame around it has the checksum and the length.
//!
//! | offset | bytes | field        | meaning                                                          |
//! |-------:|------:|--------------|------------------------------------------------------------------|
//! |      0 |     1 | kind         | 1 index, 2 delete, 3 no-op                                       |
//! |      1 |     8 | seq_no       | neither negative nor the highest number that there is            |
//! |      9 |     8 | primary term |                                                                  |
//! |     17 |     8 | version      | of the document after the operation; 0 for a no-op               |
//! |     25 |     4 | name length  |                                                                  |
//! |     29 |     … | name         | UTF-8: the `_id`, or the reason of a no-op; ends delete and no-op |
//! |      … |     4 | routing length | index only; `ff ff ff ff`: no routing                          |
//! |      … |     … | routing      | UTF-8                                                            |
//! |      … |     … | source       | the rest: the document's body as it came                         |
//!
//! The delete of `"a"` as operation 5 of reign 1, leaving version 2:
//! ```text
//! 02  05 00 00 00 00 00 00 00  01 00 00 00 00 00 00 00  02 00 00 00 00 00 00 00  01 00 00 00  61
//! ```

use bytes::Bytes;

use crate::ids::{PrimaryTerm, SeqNo};

const INDEX: u8 = 1;
const DELETE: u8 = 2;
const NO_OP: u8 = 3;
const NO_ROUTING: u32 = u32::MAX;

/// An operation of a shard's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Its number.
    pub seq_no: SeqNo,
    /// The reign in which it got it.
    pub primary_term: PrimaryTerm,
    /// The document's version after it.
    pub version: u64,
    /// What was done.
    pub kind: OperationKind,
}

/// What an operation does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OperationKind {
    /// Puts a document.
    Index {
        /// Its `_id`.
        id: String,
        /// Its custom routing.
        routing: Option<String>,
        /// Its body.
        source: Bytes,
    },
    /// Removes a document.
    Delete {
        /// Its `_id`.
        id: String,
    },
    /// Nothing: its number was given out but not used.
    NoOp {
        /// Why.
        reason: String,
    },
}

impl Operation {
    /// The payload.
    pub fn encode(&self) -> Vec<u8> {
        let (kind, name, more) = match &self.kind {
            OperationKind::Index {
                id,
                routing,
                source,
            } => (
                INDEX,
                id,
                4 + routing.as_ref().map_or(0, String::len) + source.len(),
            ),
            OperationKind::Delete { id } => (DELETE, id, 0),
            OperationKind::NoOp { reason } => (NO_OP, reason, 0),
        };
        let mut out = Vec::with_capacity(29 + name.len() + more);
        out.push(kind);
        out.extend_from_slice(&self.seq_no.0.to_le_bytes());
        out.extend_from_slice(&self.primary_term.0.to_le_bytes());
        out.extend_from_slice(&self.version.to_le_bytes());
        out.extend_from_slice(&(name.len() as u32).to_le_bytes());
        out.extend_from_slice(name.as_bytes());
        if let OperationKind::Index {
            routing, source, ..
        } = &self.kind
        {
            match routing {
                Some(routing) => {
                    out.extend_from_slice(&(routing.len() as u32).to_le_bytes());
                    out.extend_from_slice(routing.as_bytes());
                }
                None => out.extend_from_slice(&NO_ROUTING.to_le_bytes()),
            }
            out.extend_from_slice(source);
        }
        out
    }

    /// Reads a payload; the error says what is wrong with it.
    pub fn decode(payload: &[u8]) -> Result<Operation, String> {
        let mut rest = payload;
        let kind = take::<1>(&mut rest)?[0];
        let seq_no = SeqNo(i64::from_le_bytes(take(&mut rest)?));
        let primary_term = PrimaryTerm(u64::from_le_bytes(take(&mut rest)?));
        let version = u64::from_le_bytes(take(&mut rest)?);
        let len = u32::from_le_bytes(take(&mut rest)?);
        let name = text(&mut rest, len)?;
        let kind = match kind {
            INDEX => {
                let len = u32::from_le_bytes(take(&mut rest)?);
                let routing = if len == NO_ROUTING {
                    None
                } else {
                    Some(text(&mut rest, len)?)
                };
                let source = Bytes::copy_from_slice(rest);
                rest = &[];
                OperationKind::Index {
                    id: name,
                    routing,
                    source,
                }
            }
            DELETE => OperationKind::Delete { id: name },
            NO_OP => OperationKind::NoOp { reason: name },
            other => return Err(format!("operation kind {other} is unknown")),
        };
        if !rest.is_empty() {
            return Err(format!(
                "{} bytes follow the end of the operation",
                rest.len()
            ));
        }
        if !seq_no.is_operation() {
            return Err(format!("no operation has the number {}", seq_no.0));
        }
        Ok(Operation {
            seq_no,
            primary_term,
            version,
            kind,
        })
    }

    /// The `_id`, or what a no-op says.
    pub fn name(&self) -> &str {
        match &self.kind {
            OperationKind::Index { id, .. } | OperationKind::Delete { id } => id,
            OperationKind::NoOp { reason } => reason,
        }
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], String> {
    let Some((head, tail)) = rest.split_first_chunk::<N>() else {
        return Err("the operation ends too early".to_owned());
    };
    *rest = tail;
    Ok(*head)
}

fn text(rest: &mut &[u8], len: u32) -> Result<String, String> {
    let Some((head, tail)) = rest.split_at_checked(len as usize) else {
        return Err("the operation ends too early".to_owned());
    };
    *rest = tail;
    match std::str::from_utf8(head) {
        Ok(text) => Ok(text.to_owned()),
        Err(error) => Err(format!("a name is not UTF-8: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_worked_example_holds() {
        let operation = Operation {
            seq_no: SeqNo(5),
            primary_term: PrimaryTerm(1),
            version: 2,
            kind: OperationKind::Delete { id: "a".into() },
        };
        let mut expected = vec![2, 5, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];
        expected.extend([2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, b'a']);
        assert_eq!(operation.encode(), expected);
    }

    #[test]
    fn numbers_that_no_operation_can_have_are_refused() {
        for kind in [
            OperationKind::Index {
                id: "a".into(),
                routing: None,
                source: "{}".into(),
            },
            OperationKind::Delete { id: "a".into() },
            OperationKind::NoOp {
                reason: "gap".into(),
            },
        ] {
            let decoded = |seq_no: i64| {
                let operation = Operation {
                    seq_no: SeqNo(seq_no),
                    primary_term: PrimaryTerm(1),
                    version: 1,
                    kind: kind.clone(),
                };
                Operation::decode(&operation.encode()).map(|_| ())
            };
            for seq_no in [0, i64::MAX - 1] {
                assert_eq!(decoded(seq_no), Ok(()), "{kind:?}");
            }
            for seq_no in [-1, i64::MIN, i64::MAX] {
                let why = decoded(seq_no).unwrap_err();
                assert!(why.contains(&seq_no.to_string()), "{kind:?}: {why}");
            }
        }
    }

    fn operations() -> impl Strategy<Value = Operation> {
        let kind = prop_oneof![
            (any::<String>(), any::<Option<String>>(), any::<Vec<u8>>()).prop_map(
                |(id, routing, source)| OperationKind::Index {
                    id,
                    routing,
                    source: source.into()
                }
            ),
            any::<String>().prop_map(|id| OperationKind::Delete { id }),
            any::<String>().prop_map(|reason| OperationKind::NoOp { reason }),
        ];
        (0..i64::MAX, any::<u64>(), any::<u64>(), kind).prop_map(|(seq_no, term, version, kind)| {
            Operation {
                seq_no: SeqNo(seq_no),
                primary_term: PrimaryTerm(term),
                version,
                kind,
            }
        })
    }

    proptest! {
        #[test]
        fn operations_come_back(operation in operations()) {
            prop_assert_eq!(Operation::decode(&operation.encode()), Ok(operation));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            let _ = Operation::decode(&bytes);
        }
    }
}
