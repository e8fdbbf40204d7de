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
use crate::shard::CopyRole;
use crate::shard::ShardError;
use crate::shard::inner::{Backing, InMemory, Inner, Publishing, Reach, SegmentEntry, Slot, View};
use crate::shard::versions::SourceKey;

impl Inner {
    /// Makes all operations so far searchable; true when that changed anything.
    pub(crate) fn refresh(&self) -> Result<bool, ShardError> {
        self.check()?;
        self.counters.refresh.measure(&*self.clock, || {
            let before = self.visible.load().reader.generation;
            self.unrefreshed.store(0, Ordering::SeqCst);
            match self.role.get() {
                CopyRole::Primary => {
                    self.freeze_buffers()?;
                }
                // What it shows comes from the primary, and from nowhere before promotion is done.
                CopyRole::Replica | CopyRole::Promoting => self.show_schema(),
            }
            {
                let _publishing = self.publishing.lock();
                if self.role.get() == CopyRole::Primary {
                    self.visible.store(self.view.load_full());
                }
            }
            self.last_refresh_ms
                .store(self.clock.now_ms(), Ordering::Relaxed);
            self.call_listeners(self.shown_to());
            Ok(self.visible.load().reader.generation != before)
        })
    }

    /// Lets searches see the schema in force, and nothing else that is new.
    fn show_schema(&self) {
        let mut publishing = self.publishing.lock();
        let shown = self.visible.load_full();
        let schema = self.schema.load_full();
        if Arc::ptr_eq(&shown.reader.schema, &schema) {
            return;
        }
        publishing.generation += 1;
        let generation = publishing.generation;
        let is_view = Arc::ptr_eq(&shown, &self.view.load());
        let view = Arc::new(View::new(
            shown.segments.clone(),
            schema,
            generation,
            shown.reach,
            &self.filters,
        ));
        if is_view {
            self.view.store(view.clone());
        }
        self.visible.store(view);
    }

    pub(crate) fn call_listeners(&self, max_seq_no: SeqNo) {
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
    pub(crate) fn freeze_buffers(&self) -> Result<Reach, ShardError> {
        let mut publishing = self.publishing.lock();
        // Between the swap and the new view neither has what was buffered.
        let _half_done = self.fail_on_panic("a refresh");
        let (buffers, deletes, reach) = self.swap_buffers(&mut publishing);
        let mut view = View::clone(&self.view.load());
        let schema = self.schema.load_full();
        if buffers.is_empty() && deletes.is_empty() {
            self.versions.drop_old();
            if view.reach != reach || !Arc::ptr_eq(&view.reader.schema, &schema) {
                if !Arc::ptr_eq(&view.reader.schema, &schema) {
                    publishing.generation += 1;
                }
                let generation = publishing.generation;
                view = View::new(view.segments, schema, generation, reach, &self.filters);
                self.view.store(Arc::new(view));
            }
            return Ok(reach);
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
        view = View::new(segments, schema, generation, reach, &self.filters);
        self.view.store(Arc::new(view));
        self.versions.drop_old();
        Ok(reach)
    }

    /// Takes what operations did so far, between two operations.
    fn swap_buffers(
        &self,
        publishing: &mut Publishing,
    ) -> (Vec<Slot>, HashMap<SourceKey, RoaringBitmap>, Reach) {
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
        let reach = Reach {
            max_seq_no: self.checkpoints.max(),
            local_checkpoint: self.checkpoints.processed(),
        };
        (buffers, deletes, reach)
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
            entry.set_live(live);
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
        backing: Backing::Memory(Arc::new(InMemory::new(bytes))),
        live_file: None,
        live_stamp: Arc::default(),
    }))
}
