//! What agreed entries do: a batch moves the cluster state on, if it was decided on the state that it meets.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use openraft::storage::{EntryResponder, RaftStateMachine};
use openraft::{EntryPayload, OptionalSend, RaftSnapshotBuilder};
use quidditch_engine::directory::Directory;

use super::snapshot_file::Snapshots;
use super::types::{
    LogId, Outcome, Proposal, Snapshot, SnapshotMeta, StoredMembership, TypeConfig,
};
use crate::master::publish::Publisher;
use crate::wire::batch::{Batch, Image};

/// The cluster state as raft sees it.
#[derive(Debug)]
pub struct StateMachine {
    snapshots: Arc<Snapshots>,
    publisher: Arc<Publisher>,
    meta: SnapshotMeta,
}

impl StateMachine {
    /// Takes up the newest snapshot of a directory. Blocks on the disk.
    pub fn open(directory: Arc<dyn Directory>) -> io::Result<StateMachine> {
        let snapshots = Arc::new(Snapshots::of(directory));
        let found = snapshots.read()?;
        let (meta, image) = match found {
            Some((meta, bytes)) => (meta, Some(decode_image(&bytes)?)),
            None => (SnapshotMeta::default(), None),
        };
        Ok(StateMachine {
            snapshots,
            publisher: Arc::new(Publisher::new(image)),
            meta,
        })
    }

    /// Where the states are shown.
    pub fn publisher(&self) -> &Arc<Publisher> {
        &self.publisher
    }

    fn carry_out(&self, proposal: &Proposal) -> io::Result<Outcome> {
        let batch = Batch::decode(&proposal.0).map_err(|error| {
            invalid(format!(
                "an entry of the raft log does not read: {error}; start the release that wrote it"
            ))
        })?;
        let version = self.publisher.newest().state.version;
        if batch.base_version != version {
            return Ok(Outcome::Outdated(version));
        }
        Ok(Outcome::Applied(
            self.publisher.advance(&batch, proposal.0.clone()),
        ))
    }
}

fn invalid(reason: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

fn decode_image(bytes: &[u8]) -> io::Result<Image> {
    Image::decode(bytes).map_err(|error| {
        invalid(format!(
            "a snapshot of the cluster state does not read: {error}; start the release that wrote it"
        ))
    })
}

/// Runs what blocks on the disk elsewhere.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let outcome = tokio::task::spawn_blocking(work).await;
    outcome.map_err(|error| io::Error::other(format!("cut off: {error}")))?
}

impl RaftStateMachine<TypeConfig> for StateMachine {
    type SnapshotData = Bytes;
    type SnapshotBuilder = SnapshotBuilder;

    async fn applied_state(&mut self) -> io::Result<(Option<LogId>, StoredMembership)> {
        Ok((self.meta.last_log_id, self.meta.last_membership.clone()))
    }

    async fn apply<S>(&mut self, mut entries: S) -> io::Result<()>
    where
        S: Stream<Item = io::Result<EntryResponder<TypeConfig>>> + Unpin + OptionalSend,
    {
        while let Some(entry) = entries.next().await {
            let (entry, responder) = entry?;
            let outcome = match &entry.payload {
                EntryPayload::Blank => Outcome::Nothing,
                EntryPayload::Normal(proposal) => self.carry_out(proposal)?,
                EntryPayload::Membership(membership) => {
                    self.meta.last_membership =
                        StoredMembership::new(Some(entry.log_id), membership.clone());
                    Outcome::Nothing
                }
            };
            self.meta.last_log_id = Some(entry.log_id);
            if let Some(responder) = responder {
                responder.send(outcome);
            }
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> SnapshotBuilder {
        SnapshotBuilder {
            snapshots: self.snapshots.clone(),
            meta: self.meta.clone(),
            image: Some(self.publisher.image()),
        }
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, snapshot: Bytes) -> io::Result<()> {
        let snapshots = self.snapshots.clone();
        let kept = meta.clone();
        let image = blocking(move || {
            let image = decode_image(&snapshot)?;
            snapshots.write(&kept, snapshot)?;
            Ok(image)
        })
        .await?;
        self.meta = meta.clone();
        self.publisher.replace(image);
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> io::Result<Option<Snapshot>> {
        let snapshots = self.snapshots.clone();
        let found = blocking(move || snapshots.read()).await?;
        Ok(found.map(|(meta, snapshot)| Snapshot { meta, snapshot }))
    }
}

/// Writes the state of one moment to disk.
#[derive(Debug)]
pub struct SnapshotBuilder {
    snapshots: Arc<Snapshots>,
    meta: SnapshotMeta,
    image: Option<Image>,
}

impl RaftSnapshotBuilder<TypeConfig> for SnapshotBuilder {
    type SnapshotData = Bytes;

    async fn build_snapshot(&mut self) -> io::Result<Snapshot> {
        let built = || io::Error::other("this snapshot has been built already");
        let image = self.image.take().ok_or_else(built)?;
        let (snapshots, meta) = (self.snapshots.clone(), self.meta.clone());
        blocking(move || {
            let bytes = Bytes::from(image.encode().map_err(io::Error::other)?);
            snapshots.write(&meta, bytes.clone())?;
            Ok(Snapshot {
                meta,
                snapshot: bytes,
            })
        })
        .await
    }
}
