//! Fills a shard of a resized index with the documents of the index that it comes from.

use std::sync::Arc;

use quidditch_engine::ids::DocId;
use quidditch_engine::shard::{IndexOp, Origin, Shard, VersionCheck};

use super::local::LocalShard;
use crate::cluster::IndexMetadata;
use crate::cluster::index_metadata::is_fed_by;

/// Puts the documents that belong into shard `number` of `index`, each with its `_version`, and commits them.
///
/// * `sources`: the open shards of the old index on this node; of its `have` shards all that have such documents have to be there.
pub(super) fn fill(
    shard: &Shard,
    sources: &[Arc<LocalShard>],
    have: u32,
    index: &IndexMetadata,
    number: u32,
) -> Result<(), String> {
    if have == 0 {
        return Err("the index that its documents come from is gone".to_owned());
    }
    for from in (0..have).filter(|from| is_fed_by(number, index.number_of_shards, *from, have)) {
        let source = sources.iter().find(|source| source.target.shard == from);
        let source = source.ok_or_else(|| {
            format!("shard [{from}] of the index that its documents come from is not open here")
        })?;
        copy(shard, source, index, number)?;
    }
    shard.flush(true, true).map_err(|error| error.to_string())?;
    shard.refresh().map_err(|error| error.to_string())?;
    Ok(())
}

fn copy(
    shard: &Shard,
    source: &LocalShard,
    index: &IndexMetadata,
    number: u32,
) -> Result<(), String> {
    let target = &source.target;
    let at = |what: &str| format!("document of [{}][{}]: {what}", target.index, target.shard);
    source
        .shard
        .refresh()
        .map_err(|error| at(&error.to_string()))?;
    // A replica shows what its primary showed last.
    if source.shard.searchable_checkpoint() < source.shard.max_seq_no() {
        return Err(at("its searches do not show the last writes yet"));
    }
    for segment in &source.shard.reader().segments {
        let versions = segment
            .reader
            .numeric("_version")
            .map_err(|error| at(&error.to_string()))?;
        for number_in_segment in 0..segment.reader.max_doc() {
            let doc = DocId(number_in_segment);
            if !segment.is_live(doc) {
                continue;
            }
            let stored = segment
                .reader
                .stored(doc)
                .map_err(|error| at(&error.to_string()))?;
            if index.shard_of(&stored.id, stored.routing.as_deref()) != number {
                continue;
            }
            let version = versions
                .as_ref()
                .and_then(|versions| versions.first(doc))
                .and_then(|version| u64::try_from(version).ok())
                .ok_or_else(|| at("it has no version"))?;
            let id = stored.id.clone();
            shard
                .index(IndexOp {
                    id: stored.id,
                    routing: stored.routing,
                    source: stored.source,
                    version: VersionCheck::External(version),
                    create_only: false,
                    origin: Origin::Primary,
                })
                .map_err(|error| at(&format!("[{id}] cannot be taken over: {error}")))?;
        }
    }
    Ok(())
}
