//! Refresh: buffered documents become an immutable segment in memory, searchable, promising nothing about disk.

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use roaring::RoaringBitmap;

use crate::buffer::Buffer;
use crate::directory::ByteView;
use crate::ids::SeqNo;
use crate::segment::{LiveDocs, SegmentReader};
use crate::shard::ShardError;
use crate::shard::inner::{Backing, Inner, Publishing, SegmentEntry, Slot, View};
use crate::shard::versions::SourceKey;

/// The moment up to which a view has everything.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frozen {
    /// Every operation with a number up to this one that was ever begun is in the view.
    pub max_seq_no: SeqNo,
    /// There is no hole up to here.
    pub local_checkpoint: SeqNo,
}

impl Inner {
    /// Makes all operations so far searchable; true when that changed anything.
    pub(crate) fn refresh(&self) -> Result<bool, ShardError> {
        self.check()?;
        self.counters.refresh.measure(&*self.clock, || {
            let before = self.visible.load().generation;
            self.unrefreshed.store(0, Ordering::SeqCst);
            self.freeze_buffers()?;
            let view = {
                let _publishing = self.publishing.lock();
                let view = self.view.load_full();
                self.visible.store(view.reader.clone());
                view
            };
            self.last_refresh_ms
                .store(self.clock.now_ms(), Ordering::Relaxed);
            self.call_listeners(view.max_seq_no);
            Ok(view.reader.generation != before)
        })
    }

    fn call_listeners(&self, max_seq_no: SeqNo) {
        let due: Vec<_> = {
            let mut listeners = self.listeners.lock();
            let all = mem::take(&mut *listeners);
            let (due, rest) = all
                .into_iter()
                .partition(|listener| listener.seq_no <= max_seq_no);
            *listeners = rest;
            due
        };
        for listener in due {
            (listener.call)();
        }
    }

    /// Makes segments of all buffers; operations see them, searches only after a refresh.
    pub(crate) fn freeze_buffers(&self) -> Result<Frozen, ShardError> {
        let mut publishing = self.publishing.lock();
        // Between the swap and the new view neither has what was buffered.
        let _half_done = self.fail_on_panic("a refresh");
        let (buffers, deletes, frozen) = self.swap_buffers(&mut publishing);
        let mut view = View::clone(&self.view.load());
        let schema = self.schema.load_full();
        if buffers.is_empty() && deletes.is_empty() {
            self.versions.drop_old();
            if view.max_seq_no != frozen.max_seq_no || !Arc::ptr_eq(&view.reader.schema, &schema) {
                if !Arc::ptr_eq(&view.reader.schema, &schema) {
                    publishing.generation += 1;
                }
                let generation = publishing.generation;
                view = View::new(view.segments, schema, generation, frozen.max_seq_no);
                self.view.store(Arc::new(view));
            }
            return Ok(frozen);
        }
        // From here on a failure would leave the version map and the segments at odds.
        let mut segments = apply_deletes(view.segments, &deletes);
        for slot in buffers {
            match freeze(slot, &mut publishing) {
                Ok(None) => {}
                Ok(Some(entry)) => segments.push(entry),
                Err(error) => {
                    self.fail(&error);
                    return Err(error);
                }
            }
        }
        self.bury_dead(&mut segments);
        publishing.generation += 1;
        let generation = publishing.generation;
        view = View::new(segments, schema, generation, frozen.max_seq_no);
        self.view.store(Arc::new(view));
        self.versions.drop_old();
        Ok(frozen)
    }

    /// Takes what operations did so far, between two operations.
    fn swap_buffers(
        &self,
        publishing: &mut Publishing,
    ) -> (Vec<Slot>, HashMap<SourceKey, RoaringBitmap>, Frozen) {
        let _gate = self.gate.write();
        let mut buffers = Vec::new();
        for slot in &self.buffers {
            let mut slot = slot.lock();
            if slot.buffer.doc_count() == 0 {
                continue;
            }
            let fresh = Slot {
                key: publishing.next_key,
                buffer: Buffer::new(),
            };
            publishing.next_key += 1;
            buffers.push(mem::replace(&mut *slot, fresh));
        }
        let deletes = mem::take(&mut *self.pending_deletes.lock());
        self.versions.rotate();
        let frozen = Frozen {
            max_seq_no: self.checkpoints.max(),
            local_checkpoint: self.checkpoints.processed(),
        };
        (buffers, deletes, frozen)
    }

    /// Takes segments without a live document out of a list; their files go when nobody needs them.
    pub(crate) fn bury_dead(&self, segments: &mut Vec<SegmentEntry>) {
        let mut dead = Vec::new();
        segments.retain(|entry| {
            let alive = entry.live_count() > 0;
            if !alive {
                dead.push(entry.clone());
            }
            alive
        });
        self.bury_segments(&dead);
    }
}

/// New live docs for segments with documents that died; the old ones stay with those who read them.
pub(crate) fn apply_deletes(
    mut segments: Vec<SegmentEntry>,
    deletes: &HashMap<SourceKey, RoaringBitmap>,
) -> Vec<SegmentEntry> {
    for entry in &mut segments {
        if let Some(more) = deletes.get(&entry.key)
            && let Some(live) = entry.without(more)
        {
            entry.live = Some(Arc::new(live));
            entry.live_file = None;
        }
    }
    segments
}

fn freeze(slot: Slot, publishing: &mut Publishing) -> Result<Option<SegmentEntry>, ShardError> {
    let Some(frozen) = slot.buffer.freeze() else {
        return Ok(None);
    };
    let bytes = ByteView::new(frozen.bytes);
    let reader =
        SegmentReader::open(frozen.id, bytes.clone()).map_err(|error| ShardError::Corrupt {
            file: format!("segment {} in memory", frozen.id),
            reason: error.to_string(),
        })?;
    let live = if frozen.deleted.is_empty() {
        None
    } else {
        Some(Arc::new(LiveDocs::new(reader.max_doc(), frozen.deleted)))
    };
    let ordinal = publishing.next_ordinal;
    publishing.next_ordinal += 1;
    Ok(Some(SegmentEntry {
        key: slot.key,
        ordinal,
        reader: Arc::new(reader),
        live,
        backing: Backing::Memory(bytes),
        live_file: None,
    }))
}
