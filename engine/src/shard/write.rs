//! The write path: what an operation does to version map, translog and buffer.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::inner::Inner;
use super::role::CopyRole;
use super::versions::{Entry, SourceKey, Stamp, Stripe, Tombstone};
use super::{BufferPlace, DeleteOp, IndexOp, Origin, VersionCheck, WriteError, WriteResult};
use crate::buffer::DocMeta;
use crate::document::{ParsedDocument, parse_accepted, parse_document};
use crate::ids::{DocId, PrimaryTerm, SeqNo};
use crate::segment::ReadError;
use crate::translog::frame::PAYLOAD_BYTES_MAX;
use crate::translog::{JournalError, Location, Operation, OperationKind};

/// Longest `_id`, in bytes.
const ID_BYTES_MAX: usize = 512;

/// Room in a translog record for what it holds besides names and source, in bytes.
const OPERATION_BYTES_MAX: usize = 64;

/// A document as the last operation left it.
#[derive(Clone, Copy, Debug)]
struct Current {
    stamp: Stamp,
    /// Where the document is; `None` when it was deleted.
    place: Option<Place>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    slot: Option<usize>,
    key: SourceKey,
    doc: DocId,
}

/// What an operation may do, once the present document is known.
enum Plan {
    /// Do it, with this stamp.
    Apply(Stamp),
    /// A later operation on the document was done already: only the history takes it.
    Stale(Stamp),
}

impl Inner {
    pub fn index(&self, op: IndexOp) -> Result<WriteResult, WriteError> {
        let counter = &self.counters.index;
        let result = counter.measure(&*self.clock, || self.index_now(&op));
        self.after_write(op.origin);
        result
    }

    fn index_now(&self, op: &IndexOp) -> Result<WriteResult, WriteError> {
        self.check_writable()?;
        check_id(&op.id)?;
        check_size(op)?;
        let schema = self.schema.load_full();
        let routing = op.routing.as_deref();
        // What is in this copy's own translog was accepted once, and its sender told so: a mapping of today must
        // not take it back.
        let document = match op.origin {
            Origin::Replay { .. } => parse_accepted(&schema, &op.id, routing, &op.source),
            _ => parse_document(&schema, &op.id, routing, &op.source)?,
        };
        if let Some(update) = &document.mapping_update {
            if !matches!(op.origin, Origin::Replay { .. }) {
                return Err(WriteError::MappingUpdate(update.clone()));
            }
            tracing::warn!(
                id = op.id,
                "replayed a document with fields the mapping lacks"
            );
        }
        let _gate = self.gate.read();
        self.check_origin(op.origin)?;
        let mut stripe = self.versions.lock(&op.id);
        let current = self.current(&stripe, &op.id)?;
        let plan = self.plan(&op.id, op.origin, op.version, op.create_only, current)?;
        let _half_done = self.fail_on_panic("an index operation");
        let kind = OperationKind::Index {
            id: op.id.clone(),
            routing: op.routing.clone(),
            source: op.source.clone(),
        };
        let stamp = plan.stamp();
        let location = self.log(op.origin, stamp, kind)?;
        let existed = current.and_then(|current| current.place);
        if let Plan::Apply(stamp) = plan {
            let entry = self.buffer(&document, stamp);
            if let Some(place) = existed {
                self.bury(place.slot, place.key, place.doc);
            }
            stripe.put(&op.id, entry);
        }
        self.done(stamp.seq_no, location);
        Ok(WriteResult {
            seq_no: stamp.seq_no,
            primary_term: stamp.primary_term,
            version: stamp.version,
            created: existed.is_none(),
            found: existed.is_some(),
            location,
        })
    }

    pub fn delete(&self, op: DeleteOp) -> Result<WriteResult, WriteError> {
        let counter = &self.counters.delete;
        let result = counter.measure(&*self.clock, || self.delete_now(&op));
        self.after_write(op.origin);
        result
    }

    fn delete_now(&self, op: &DeleteOp) -> Result<WriteResult, WriteError> {
        self.check_writable()?;
        check_id(&op.id)?;
        let _gate = self.gate.read();
        self.check_origin(op.origin)?;
        let mut stripe = self.versions.lock(&op.id);
        let current = self.current(&stripe, &op.id)?;
        let plan = self.plan(&op.id, op.origin, op.version, false, current)?;
        let _half_done = self.fail_on_panic("a delete operation");
        let stamp = plan.stamp();
        let kind = OperationKind::Delete { id: op.id.clone() };
        let location = self.log(op.origin, stamp, kind)?;
        let existed = current.and_then(|current| current.place);
        if let Plan::Apply(stamp) = plan {
            if let Some(place) = existed {
                self.bury(place.slot, place.key, place.doc);
            }
            let at_ms = self.clock.now_ms();
            stripe.put(&op.id, Entry::Deleted(Tombstone { stamp, at_ms }));
        }
        self.done(stamp.seq_no, location);
        Ok(WriteResult {
            seq_no: stamp.seq_no,
            primary_term: stamp.primary_term,
            version: stamp.version,
            created: false,
            found: existed.is_some(),
            location,
        })
    }

    /// Gives a number its place in the history, with nothing done.
    pub fn noop(
        &self,
        seq_no: SeqNo,
        primary_term: PrimaryTerm,
        reason: &str,
    ) -> Result<WriteResult, WriteError> {
        let _gate = self.gate.read();
        self.check_writable()?;
        let stamp = Stamp {
            seq_no,
            primary_term,
            version: 0,
        };
        let origin = Origin::Replica {
            seq_no,
            primary_term,
            version: 0,
        };
        self.check_term(primary_term)?;
        self.checkpoints.advance_max(seq_no);
        let kind = OperationKind::NoOp {
            reason: reason.to_owned(),
        };
        let location = self.log(origin, stamp, kind)?;
        self.done(seq_no, location);
        Ok(WriteResult {
            seq_no,
            primary_term,
            version: 0,
            created: false,
            found: false,
            location,
        })
    }

    /// The document as the last operation left it; `None` when nothing is known of the `_id`.
    fn current(&self, stripe: &Stripe, id: &str) -> Result<Option<Current>, ReadError> {
        match stripe.find(id) {
            Some(Entry::Live { stamp, place, .. }) => {
                let BufferPlace { slot, key, doc } = place;
                let place = Some(Place {
                    slot: Some(slot),
                    key,
                    doc,
                });
                return Ok(Some(Current { stamp, place }));
            }
            Some(Entry::Deleted(tomb)) => {
                return Ok(Some(Current {
                    stamp: tomb.stamp,
                    place: None,
                }));
            }
            None => {}
        }
        let view = self.view.load();
        let Some((entry, doc)) = view.find(id)? else {
            return Ok(None);
        };
        let stamp = super::get::stamp_of(&entry.reader, doc)?;
        let place = Some(Place {
            slot: None,
            key: entry.key,
            doc,
        });
        Ok(Some(Current { stamp, place }))
    }

    /// Checks the condition of an operation and gives it number and version.
    fn plan(
        &self,
        id: &str,
        origin: Origin,
        check: VersionCheck,
        create_only: bool,
        current: Option<Current>,
    ) -> Result<Plan, WriteError> {
        match origin {
            Origin::Primary => {
                let version = next_version(id, check, create_only, current)?;
                Ok(Plan::Apply(Stamp {
                    seq_no: self.checkpoints.next(),
                    primary_term: self.term(),
                    version,
                }))
            }
            Origin::Replica {
                seq_no,
                primary_term,
                version,
            }
            | Origin::Replay {
                seq_no,
                primary_term,
                version,
            } => {
                if matches!(origin, Origin::Replica { .. }) {
                    self.check_term(primary_term)?;
                }
                self.checkpoints.advance_max(seq_no);
                let stamp = Stamp {
                    seq_no,
                    primary_term,
                    version,
                };
                match current {
                    Some(current) if current.stamp.seq_no >= seq_no => Ok(Plan::Stale(stamp)),
                    _ => Ok(Plan::Apply(stamp)),
                }
            }
        }
    }

    /// Refuses operations on a shard that is closed or failed, and those of clients on a copy that is not the primary.
    fn check_origin(&self, origin: Origin) -> Result<(), WriteError> {
        self.check_writable()?;
        match (origin, self.role.get()) {
            (Origin::Primary, CopyRole::Replica | CopyRole::Promoting) => {
                Err(WriteError::NotPrimary)
            }
            _ => Ok(()),
        }
    }

    /// Refuses operations of a reign that is over; a newer one is taken over.
    fn check_term(&self, found: PrimaryTerm) -> Result<(), WriteError> {
        let current = self.primary_term.fetch_max(found.0, Ordering::SeqCst);
        if found.0 < current {
            return Err(WriteError::StaleTerm {
                found: found.0,
                current,
            });
        }
        Ok(())
    }

    fn log(
        &self,
        origin: Origin,
        stamp: Stamp,
        kind: OperationKind,
    ) -> Result<Option<Location>, WriteError> {
        if matches!(origin, Origin::Replay { .. }) {
            return Ok(None);
        }
        let operation = Operation {
            seq_no: stamp.seq_no,
            primary_term: stamp.primary_term,
            version: stamp.version,
            kind,
        };
        self.append(&operation).map(Some)
    }

    pub(super) fn append(&self, operation: &Operation) -> Result<Location, WriteError> {
        self.translog
            .append(operation)
            .map_err(|error| self.refused(error))
    }

    /// Ends the shard, unless the translog only refused a record and is not broken.
    pub(super) fn refused(&self, error: JournalError) -> WriteError {
        if !matches!(error, JournalError::RecordSize { .. }) {
            self.fail(&error);
        }
        WriteError::Translog(error)
    }

    /// Adds a document to a buffer that nobody else is using, if there is one.
    fn buffer(&self, document: &ParsedDocument, stamp: Stamp) -> Entry {
        let meta = DocMeta {
            seq_no: stamp.seq_no,
            primary_term: stamp.primary_term,
            version: stamp.version,
        };
        let free = self
            .buffers
            .iter()
            .enumerate()
            .find_map(|(index, slot)| Some((index, slot.try_lock()?)));
        let (index, mut slot) = free.unwrap_or_else(|| {
            let index = stamp.seq_no.0.unsigned_abs() as usize % self.buffers.len();
            (index, self.buffers[index].lock())
        });
        let doc = slot.buffer.add(document, meta);
        Entry::Live {
            stamp,
            place: BufferPlace {
                slot: index,
                key: slot.key,
                doc,
            },
            routing: document.routing.clone(),
            source: document.source.clone(),
        }
    }

    fn done(&self, seq_no: SeqNo, location: Option<Location>) {
        self.checkpoints.mark_processed(seq_no);
        if location.is_none() {
            self.checkpoints.mark_persisted(&[seq_no]);
        }
        self.unrefreshed.fetch_add(1, Ordering::SeqCst);
        self.last_write_ms
            .store(self.clock.now_ms(), Ordering::Relaxed);
    }

    /// Keeps the memory of buffers and of segments not yet written bounded, whoever fills them.
    fn after_write(&self, origin: Origin) {
        let share = self.options.buffer_bytes_max / self.buffers.len().max(1);
        let full = |slot: &parking_lot::Mutex<super::inner::Slot>| {
            let slot = slot.try_lock();
            slot.is_some_and(|slot| slot.buffer.bytes_used() > share)
        };
        if self.buffers.iter().any(full)
            && self.check().is_ok()
            && let Err(error) = self.freeze_buffers()
        {
            tracing::error!(%error, "buffered documents could not be made a segment");
        }
        // A flush during replay would give up translog files that were not read yet.
        if !matches!(origin, Origin::Replay { .. })
            && self.check().is_ok()
            && let Err(error) = self.flush_if_far_behind()
        {
            tracing::error!(%error, "segments in memory could not be written");
        }
    }
}

impl Plan {
    fn stamp(&self) -> Stamp {
        match self {
            Plan::Apply(stamp) | Plan::Stale(stamp) => *stamp,
        }
    }
}

fn check_id(id: &str) -> Result<(), WriteError> {
    if id.is_empty() {
        return Err(WriteError::Invalid {
            reason: "if _id is specified it must not be empty".to_owned(),
        });
    }
    if id.len() > ID_BYTES_MAX {
        return Err(WriteError::Invalid {
            reason: format!(
                "id [{id}] is too long, must be no longer than {ID_BYTES_MAX} bytes but was: {}",
                id.len()
            ),
        });
    }
    Ok(())
}

/// Refuses a document that no translog record holds, before a number is given out for it.
fn check_size(op: &IndexOp) -> Result<(), WriteError> {
    let routing = op.routing.as_ref().map_or(0, String::len);
    let len = op.id.len() + routing + op.source.len();
    let max = PAYLOAD_BYTES_MAX - OPERATION_BYTES_MAX;
    if len > max {
        return Err(WriteError::Invalid {
            reason: format!(
                "document [{}] is too large: _id, routing and source have {len} bytes, at most {max} are allowed",
                op.id
            ),
        });
    }
    Ok(())
}

/// The version that an operation of a client results in, or OpenSearch's words for why it may not be done.
fn next_version(
    id: &str,
    check: VersionCheck,
    create_only: bool,
    current: Option<Current>,
) -> Result<u64, WriteError> {
    let conflict = |explanation: String| WriteError::VersionConflict {
        reason: format!("[{id}]: version conflict, {explanation}"),
    };
    let alive = current.filter(|current| current.place.is_some());
    let known = current.map(|current| current.stamp.version);
    if create_only && let Some(alive) = alive {
        return Err(conflict(format!(
            "document already exists (current version [{}])",
            alive.stamp.version
        )));
    }
    match check {
        VersionCheck::Internal => {}
        VersionCheck::IfSeqNo {
            seq_no,
            primary_term,
        } => {
            let required = format!(
                "required seqNo [{}], primary term [{}].",
                seq_no.0, primary_term.0
            );
            let Some(alive) = alive else {
                return Err(conflict(format!("{required} but no document was found")));
            };
            let stamp = alive.stamp;
            if stamp.seq_no != seq_no || stamp.primary_term != primary_term {
                return Err(conflict(format!(
                    "{required} current document has seqNo [{}] and primary term [{}]",
                    stamp.seq_no.0, stamp.primary_term.0
                )));
            }
        }
        VersionCheck::External(given) => {
            if let Some(known) = known
                && known >= given
            {
                return Err(conflict(format!(
                    "current version [{known}] is higher or equal to the one provided [{given}]"
                )));
            }
            return Ok(given);
        }
        VersionCheck::ExternalGte(given) => {
            if let Some(known) = known
                && known > given
            {
                return Err(conflict(format!(
                    "current version [{known}] is higher than the one provided [{given}]"
                )));
            }
            return Ok(given);
        }
    }
    Ok(known.map_or(1, |known| known.saturating_add(1)))
}

/// Parses a document again to find the values of its stored fields.
pub(super) fn reparse(
    inner: &Inner,
    id: &str,
    routing: Option<&str>,
    source: &Bytes,
) -> Vec<(Arc<str>, Vec<crate::document::StoredValue>)> {
    let schema = inner.schema.load();
    let Ok(document) = parse_document(&schema, id, routing, source) else {
        return Vec::new();
    };
    document
        .fields
        .into_iter()
        .filter(|field| field.spec.stored)
        .map(|field| (field.path, field.stored))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn current(version: u64, seq_no: i64, alive: bool) -> Option<Current> {
        let stamp = Stamp {
            seq_no: SeqNo(seq_no),
            primary_term: PrimaryTerm(1),
            version,
        };
        let place = alive.then_some(Place {
            slot: None,
            key: 0,
            doc: DocId(0),
        });
        Some(Current { stamp, place })
    }

    fn check(check: VersionCheck, create: bool, now: Option<Current>, expected: Result<u64, &str>) {
        let outcome = next_version("1", check, create, now).map_err(|error| error.to_string());
        assert_eq!(outcome, expected.map_err(str::to_owned));
    }

    #[test]
    fn conflicts_are_told_in_the_words_clients_know() {
        use VersionCheck::*;
        let if_seq_no = |n| IfSeqNo {
            seq_no: SeqNo(n),
            primary_term: PrimaryTerm(1),
        };
        check(Internal, false, None, Ok(1));
        check(Internal, false, current(4, 9, true), Ok(5));
        check(Internal, false, current(4, 9, false), Ok(5));
        check(Internal, true, current(4, 9, false), Ok(5));
        check(
            Internal,
            true,
            current(1, 9, true),
            Err("[1]: version conflict, document already exists (current version [1])"),
        );
        check(if_seq_no(3), false, current(2, 3, true), Ok(3));
        check(
            if_seq_no(7),
            false,
            current(2, 3, true),
            Err(
                "[1]: version conflict, required seqNo [7], primary term [1]. current document has seqNo [3] and primary term [1]",
            ),
        );
        let missing = "[1]: version conflict, required seqNo [7], primary term [1]. but no document was found";
        check(if_seq_no(7), false, None, Err(missing));
        check(if_seq_no(7), false, current(2, 7, false), Err(missing));
        check(External(2), false, None, Ok(2));
        check(External(4), false, current(3, 0, true), Ok(4));
        check(
            External(2),
            false,
            current(3, 0, true),
            Err(
                "[1]: version conflict, current version [3] is higher or equal to the one provided [2]",
            ),
        );
        check(ExternalGte(3), false, current(3, 0, false), Ok(3));
        check(
            ExternalGte(2),
            false,
            current(3, 0, true),
            Err("[1]: version conflict, current version [3] is higher than the one provided [2]"),
        );
    }
}
