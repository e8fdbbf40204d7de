//! Opens the data of a shard copy: what is there, or, where there never was anything, a new shard.

use std::io;
use std::sync::Arc;

use quidditch_engine::directory::Directory;
use quidditch_engine::ids::PrimaryTerm;
use quidditch_engine::shard::{CopyRole, OpenShardError, Shard, ShardOptions, ShardParts};
use tracing::warn;

use super::failed::Refused;
use super::identity;
use super::lifecycle::{INDICES, Wanted};
use super::local::{LocalShard, LocalShards};
use super::resize;
use super::service::ShardTarget;
use crate::cluster::index_metadata::RESIZE_SOURCE;
use crate::cluster::{IndexMetadata, RecoverySource};
use crate::sys::folders::Folders;

/// The folders of a shard: segments and commit points; operations.
const PARTS: [&str; 2] = ["index", "translog"];

/// Where a shard lies.
pub(super) fn shard_path(target: &ShardTarget) -> String {
    format!("{INDICES}/{}/{}", target.index_uuid, target.shard)
}

/// What opening takes.
pub(super) struct Opening {
    folders: Arc<dyn Folders>,
    path: String,
    options: ShardOptions,
    /// No other node has copies.
    alone: bool,
    clock: Arc<dyn crate::sys::clock::Clock>,
    wanted: Wanted,
    /// The open shards of the index that this one takes its documents from, if any.
    sources: Vec<Arc<LocalShard>>,
}

impl LocalShards {
    /// What opening a copy takes.
    pub(super) fn opening(&self, wanted: &Wanted) -> Opening {
        Opening {
            folders: self.folders.clone(),
            path: shard_path(&wanted.target),
            options: self.shard_options.clone(),
            alone: self.cluster().is_none(),
            clock: self.clock.clone(),
            sources: self.sources_of(&wanted.index),
            wanted: wanted.clone(),
        }
    }

    /// The open shards that a resized index takes its documents from.
    fn sources_of(&self, index: &IndexMetadata) -> Vec<Arc<LocalShard>> {
        let Some(uuid) = index.setting(RESIZE_SOURCE) else {
            return Vec::new();
        };
        let mut sources = self.all();
        sources.retain(|shard| shard.target.index_uuid == uuid);
        sources
    }
}

impl Opening {
    fn refused(&self, error: impl std::fmt::Display, may_pass: bool) -> Refused {
        Refused {
            reason: format!("{}: {error}", self.folders.shown(&self.path)),
            may_pass,
        }
    }

    /// What the system refused may pass.
    fn shown(&self) -> impl Fn(io::Error) -> Refused + '_ {
        |error| self.refused(error, true)
    }

    /// Nothing may be made where data was.
    fn is_missing(&self) -> Refused {
        self.refused(
            "the shard's data is missing; put its folder back and retry, or delete the index",
            false,
        )
    }

    /// Whether there is a folder of the shard; looking makes none.
    fn has_folder(&self) -> Result<bool, Refused> {
        let target = &self.wanted.target;
        let shards = self
            .folders
            .children(&format!("{INDICES}/{}", target.index_uuid));
        let number = target.shard.to_string();
        Ok(shards.map_err(self.shown())?.contains(&number))
    }

    /// The folder that the shard's own folders are in.
    fn root(&self) -> Result<Arc<dyn Directory>, Refused> {
        self.folders.open(&self.path).map_err(self.shown())
    }

    /// Opens the primary's data. `true`: it is new.
    pub fn primary(&self) -> Result<(Shard, bool), Refused> {
        let wanted = &self.wanted;
        let source = wanted.recovery;
        let may_be_new = source == Some(RecoverySource::Empty)
            || !wanted.index.started.contains(&wanted.target.shard);
        if !may_be_new && !self.has_folder()? {
            return Err(self.is_missing());
        }
        let root = self.root()?;
        let held = identity::read(&*root).map_err(|error| self.refused(error, false))?;
        let is_another = held
            .as_ref()
            .is_some_and(|held| *held != wanted.allocation_id);
        if is_another {
            match source {
                Some(RecoverySource::Empty | RecoverySource::LocalShards) => self.wipe()?,
                Some(RecoverySource::Stale) => {}
                _ => return Err(self.is_another_copy(&held.unwrap_or_default())),
            }
        }
        let create = !identity::is_born(&*root).map_err(self.shown())?;
        if create && !may_be_new {
            return Err(self.is_missing());
        }
        let (shard, is_new) = self.open_or_make(create)?;
        if source == Some(RecoverySource::Stale) {
            // Writes may be lost: no copy of before may take its data for the same.
            let begun = shard.begin_history();
            begun.map_err(|error| self.refused(error, true))?;
        }
        if create {
            identity::note_birth(&*root).map_err(self.shown())?;
        }
        self.take_identity()?;
        Ok((shard, is_new))
    }

    /// Opens what a replica has; makes an empty one where there is nothing, or nothing that can be read: its primary has all of
    /// it. `true`: it is empty. The folder is no copy's until [`Opening::take_identity`].
    pub fn replica(&self) -> Result<(Shard, bool), Refused> {
        let root = self.root()?;
        let mut create = !identity::is_born(&*root).map_err(self.shown())?;
        match create {
            true => self.wipe()?,
            false => identity::forget(&*root).map_err(self.shown())?,
        }
        let mut shard = self.open(create, CopyRole::Replica)?;
        if let Err(error) = &shard
            && !create
            && !error.may_pass()
        {
            let path = self.folders.shown(&self.path);
            warn!(%path, %error, "the data of a replica is damaged; it is made anew");
            self.wipe()?;
            create = true;
            shard = self.open(create, CopyRole::Replica)?;
        }
        let shard = shard.map_err(|error| self.refused(&error, error.may_pass()))?;
        if create {
            identity::note_birth(&*root).map_err(self.shown())?;
        }
        Ok((shard, create))
    }

    /// Says that the folder holds all that this copy has acknowledged.
    pub fn take_identity(&self) -> Result<(), Refused> {
        let root = self.root()?;
        let known = identity::read(&*root).map_err(|error| self.refused(error, false))?;
        if known.as_ref() == Some(&self.wanted.allocation_id) {
            return Ok(());
        }
        identity::write(&*root, &self.wanted.allocation_id).map_err(self.shown())
    }

    /// Removes what is in the folder; it is no copy's then.
    pub fn wipe(&self) -> Result<(), Refused> {
        let root = self.root()?;
        identity::forget(&*root).map_err(self.shown())?;
        identity::forget_birth(&*root).map_err(self.shown())?;
        self.remove_data()
    }

    fn remove_data(&self) -> Result<(), Refused> {
        for part in PARTS {
            let removed = self.folders.remove(&format!("{}/{part}", self.path));
            removed.map_err(self.shown())?;
        }
        Ok(())
    }

    /// The data of another copy may lack what this one acknowledged.
    fn is_another_copy(&self, held: &str) -> Refused {
        let wanted = &self.wanted.allocation_id;
        self.refused(
            format!(
                "the data is that of the copy [{held}], not of [{wanted}], and may lack acknowledged writes; bring back the node that has that copy, or accept the loss with the command allocate_stale_primary of _cluster/reroute"
            ),
            false,
        )
    }

    fn open_or_make(&self, create: bool) -> Result<(Shard, bool), Refused> {
        let takes_over = create && self.wanted.index.setting(RESIZE_SOURCE).is_some();
        let shard = match self.open(create, CopyRole::Primary)? {
            // made, but the process ended before all documents were in
            Err(OpenShardError::Exists) if takes_over => {
                self.remove_data()?;
                self.open(true, CopyRole::Primary)?
            }
            // made, but the process ended before that was noted
            Err(OpenShardError::Exists) if create => self.open(false, CopyRole::Primary)?,
            other => other,
        };
        let shard = shard.map_err(|error| self.refused(&error, error.may_pass()))?;
        if takes_over {
            let number = self.wanted.target.shard;
            let have = self.wanted.resized_from;
            resize::fill(&shard, &self.sources, have, &self.wanted.index, number)
                .map_err(|reason| self.refused(reason, true))?;
        }
        Ok((shard, create))
    }

    fn open(&self, create: bool, role: CopyRole) -> Result<Result<Shard, OpenShardError>, Refused> {
        let [directory, translog] = PARTS.map(|part| {
            let folder = self.folders.open(&format!("{}/{part}", self.path));
            folder.map_err(self.shown())
        });
        Ok(Shard::open(ShardParts {
            directory: directory?,
            translog: translog?,
            schema: self.wanted.schema.clone(),
            clock: self.clock.clone(),
            primary_term: PrimaryTerm(self.wanted.primary_term),
            options: self.options.clone(),
            allocation_id: self.wanted.allocation_id.clone(),
            role,
            alone: self.alone,
            create,
        }))
    }
}
