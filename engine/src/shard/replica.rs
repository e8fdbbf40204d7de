//! The front door for what copies of a shard do for one another.

use std::io;
use std::sync::atomic::Ordering;

use super::{
    CopyRole, FileName, InstallError, RollBack, SegmentList, Shard, ShardError, Shipment,
    WantedFile, WriteError,
};
use crate::ids::{PrimaryTerm, SeqNo};
use crate::translog::{History, JournalError, Location, Operation};

impl Shard {
    /// Primary or replica.
    pub fn role(&self) -> CopyRole {
        self.inner.role.get()
    }

    /// A replica's: takes operations of the primary of `term` into the translog, with what every in-sync copy has.
    /// They are durable after [`Shard::ensure_synced`]; `None`: they already are. Gaps are allowed, what is known is
    /// passed over, an older reign is refused. A reign not followed yet is followed first, durably: see
    /// [`Shard::roll_back`], to this copy's own global checkpoint.
    pub fn append_replicated(
        &self,
        term: PrimaryTerm,
        operations: &[Operation],
        global_checkpoint: SeqNo,
    ) -> Result<Option<Location>, WriteError> {
        self.inner
            .append_replicated(term, operations, global_checkpoint)
    }

    /// A replica's: follows the primary of `term`, a later reign, and counts on none of its operations beyond `to` any more:
    /// that primary may not have them, and sends what it has. All up to `to` must be the same on both: any copy's own global
    /// checkpoint is (nothing lower is taken), and for a copy in sync the primary's. Durable when it returns; a reign already
    /// followed changes nothing.
    pub fn roll_back(&self, term: PrimaryTerm, to: SeqNo) -> Result<RollBack, ShardError> {
        self.inner.roll_back(term, to)
    }

    /// Whether the segments still hold what was rolled back: see [`RollBack::NeedsSegments`].
    pub fn needs_segments(&self) -> bool {
        self.inner.following.lock().needs_segments.is_some()
    }

    /// Makes a replica the primary of `term`: what its translog has beyond its segments is done in order, numbers without
    /// an operation are filled. All of it is searchable when this returns. A failure ends the shard: open it anew.
    pub fn promote(&self, term: PrimaryTerm) -> Result<(), ShardError> {
        self.inner.promote(term)
    }

    /// Makes a primary a replica, because another copy is the primary of `term`. What was not refreshed yet is in the
    /// translog only, from here on; a roll back must follow.
    pub fn demote(&self, term: PrimaryTerm) -> Result<(), ShardError> {
        self.inner.demote(term)
    }

    /// A primary's: begins another history, because operations of the present one may be lost. Copies of the present one
    /// must be made anew. Durable when it returns.
    pub fn begin_history(&self) -> Result<(), ShardError> {
        self.inner.begin_history()
    }

    /// All operations up to this one are in what searches see.
    pub fn searchable_checkpoint(&self) -> SeqNo {
        match self.inner.role.get() {
            CopyRole::Primary => self.inner.visible.load().reach.local_checkpoint,
            CopyRole::Replica | CopyRole::Promoting => self.inner.shown_to(),
        }
    }

    /// Every in-sync copy has the operations up to this one.
    pub fn global_checkpoint(&self) -> SeqNo {
        self.inner.checkpoints.global()
    }

    /// While a primary is alone in sync, what it has durable is the global checkpoint; otherwise only what
    /// [`Shard::advance_global_checkpoint`] says is.
    pub fn set_alone(&self, alone: bool) {
        self.inner.alone.store(alone, Ordering::SeqCst);
        self.inner.note_durable();
    }

    /// What a search sees now, with all its bytes.
    pub fn shipment(&self) -> Shipment {
        self.inner.shipment()
    }

    /// What a search sees now, by name. Nothing is decided by it: it is how tests compare a copy with the primary's list.
    pub fn installed_list(&self) -> SegmentList {
        self.inner.list_visible().0
    }

    /// A replica's: the files of a list that are not here. They can be staged from now on; what was staged for another
    /// list, and is not in this one, is dropped.
    pub fn missing(&self, list: &SegmentList) -> Vec<WantedFile> {
        self.inner.missing(list)
    }

    /// Takes the next part of a missing file; `offset` is what [`Shard::staged_len`] says.
    pub fn stage(&self, file: &FileName, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.inner.stage(file, offset, bytes)
    }

    /// Bytes of a file that are staged.
    pub fn staged_len(&self, file: &FileName) -> u64 {
        self.inner.staged_len(file)
    }

    /// A replica's: shows a list whose files are all here and whose operations are durable here; whether that changed
    /// anything. Searches that run keep what they see. It is part of a commit point after the next flush. The first list of
    /// a reign may make the copy give up what it had: ask for what is missing again when that is the answer.
    pub fn install(&self, list: &SegmentList) -> Result<bool, InstallError> {
        self.inner.install(list, false)
    }

    /// The same for a copy that lacks operations of the list: it is a commit point before it is shown, and from there on
    /// the copy has all that the list has. A new copy takes over the list's history.
    pub fn install_base(&self, list: &SegmentList) -> Result<bool, InstallError> {
        self.inner.install(list, true)
    }

    /// The operations from a number on, in order, for a copy that lacks them; `None` when some of them are not in the
    /// translog any more. Every operation done before the call is among them.
    pub fn operations_from(&self, seq_no: SeqNo) -> Result<Option<History>, JournalError> {
        let done = self.inner.checkpoints.processed();
        let settled = self.inner.publishing.lock().segments_term;
        let history = self.inner.translog.history_from(seq_no, settled)?;
        Ok(history.is_whole(seq_no, done).then_some(history))
    }

    /// Has the translog keep operations from a number on, whatever is flushed; the highest number there is: none.
    pub fn retain_from(&self, seq_no: SeqNo) {
        self.inner.retained_from.store(seq_no.0, Ordering::SeqCst);
    }
}
