//! Blocks: what settings forbid on an index or the whole cluster.

use super::error::StateError;
use super::index_metadata::IndexMetadata;
use super::state::ClusterState;

/// What somebody is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockLevel {
    /// Read documents.
    Read,
    /// Change documents.
    Write,
    /// Look at settings, mappings, aliases.
    MetadataRead,
    /// Change them.
    MetadataWrite,
    /// Remove the index.
    Delete,
}

struct Block {
    setting: &'static str,
    text: &'static str,
    levels: &'static [BlockLevel],
}

const BLOCKS: &[Block] = &[
    Block {
        setting: "read_only",
        text: "FORBIDDEN/5/index read-only (api)",
        levels: &[
            BlockLevel::Write,
            BlockLevel::MetadataWrite,
            BlockLevel::Delete,
        ],
    },
    Block {
        setting: "read",
        text: "FORBIDDEN/7/index read (api)",
        levels: &[BlockLevel::Read],
    },
    Block {
        setting: "write",
        text: "FORBIDDEN/8/index write (api)",
        levels: &[BlockLevel::Write],
    },
    Block {
        setting: "metadata",
        text: "FORBIDDEN/9/index metadata (api)",
        levels: &[
            BlockLevel::MetadataRead,
            BlockLevel::MetadataWrite,
            BlockLevel::Delete,
        ],
    },
    Block {
        setting: "read_only_allow_delete",
        text: "TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark, index has read-only-allow-delete block",
        levels: &[BlockLevel::Write, BlockLevel::MetadataWrite],
    },
];

impl IndexMetadata {
    /// Refuses what a block of this index forbids.
    pub fn check_block(&self, level: BlockLevel) -> Result<(), StateError> {
        check([self], level)
    }
}

impl ClusterState {
    /// Refuses what a block of the cluster or of one of the indices forbids.
    pub fn check_blocks(&self, indices: &[String], level: BlockLevel) -> Result<(), StateError> {
        if matches!(
            level,
            BlockLevel::Write | BlockLevel::MetadataWrite | BlockLevel::Delete
        ) {
            self.check_cluster_block(level)?;
        }
        check(
            indices
                .iter()
                .filter_map(|name| self.index(name).map(|index| &**index)),
            level,
        )
    }

    /// Refuses changes while `cluster.blocks.read_only` holds.
    pub fn check_cluster_block(&self, level: BlockLevel) -> Result<(), StateError> {
        let blocked = if self.effective_setting("cluster.blocks.read_only") == "true" {
            "FORBIDDEN/6/cluster read-only (api)"
        } else if self.effective_setting("cluster.blocks.read_only_allow_delete") == "true"
            && level != BlockLevel::Delete
        {
            "FORBIDDEN/13/cluster read-only / allow delete (api)"
        } else {
            return Ok(());
        };
        Err(StateError::new(
            403,
            "cluster_block_exception",
            format!("blocked by: [{blocked}];"),
        ))
    }
}

fn check<'a>(
    indices: impl IntoIterator<Item = &'a IndexMetadata>,
    level: BlockLevel,
) -> Result<(), StateError> {
    let mut reason = String::new();
    let mut status = 0;
    for index in indices {
        let mut texts = Vec::new();
        for block in BLOCKS {
            if block.levels.contains(&level)
                && index.flag(&format!("index.blocks.{}", block.setting))
            {
                texts.push(format!("[{}];", block.text));
                let own = if block.text.starts_with("TOO_MANY_REQUESTS") {
                    429
                } else {
                    403
                };
                // The harder refusal wins.
                status = if status == 403 { 403 } else { own };
            }
        }
        if !texts.is_empty() {
            reason.push_str(&format!(
                "index [{}] blocked by: {}",
                index.name,
                texts.join("")
            ));
        }
    }
    if reason.is_empty() {
        return Ok(());
    }
    Err(StateError::new(status, "cluster_block_exception", reason))
}
