//! Fills a shard of a resized index with the documents of the index that it comes from.

use std::sync::Arc;

use quidditch_engine::ids::DocId;
use quidditch_engine::shard::{IndexOp, Origin, Shard, VersionCheck};

use super::local::LocalShard;
use crate::cluster::IndexMetadata;

/// Puts the documents that belong into shard `number` of `index`, each with its `_version`, and commits them.
///
/// * `sources`: the open shards of the old index; all of them have to be there.
pub(super) fn fill(
    shard: &Shard,
    sources: &[Arc<LocalShard>],
    index: &IndexMetadata,
    number: u32,
) -> Result<(), String> {
    let Some(first) = sources.first() else {
        return Err("the index that its documents come from has no open shard here".to_owned());
    };
    for (position, source) in sources.iter().enumerate() {
        if source.target.shard as usize != position {
            return Err(format!(
                "shard [{position}] of [{}], where documents come from, is not open here",
                first.target.index
            ));
        }
    }
    let have = u32::try_from(sources.len()).map_err(|error| error.to_string())?;
    for source in sources {
        if is_fed_by(number, index.number_of_shards, source.target.shard, have) {
            copy(shard, source, index, number)?;
        }
    }
    shard.flush(true, true).map_err(|error| error.to_string())?;
    shard.refresh().map_err(|error| error.to_string())?;
    Ok(())
}

/// Whether documents of shard `from` of `have` can belong into shard `number` of `want`.
fn is_fed_by(number: u32, want: u32, from: u32, have: u32) -> bool {
    if have >= want {
        // a hash space that stays is cut into wider pieces
        u64::from(from) * u64::from(want) / u64::from(have) == u64::from(number)
    } else {
        u64::from(number) * u64::from(have) / u64::from(want) == u64::from(from)
    }
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

#[cfg(test)]
mod tests {
    use super::is_fed_by;

    #[test]
    fn each_shard_is_fed_by_those_whose_hashes_it_holds() {
        let feeders = |number, want, have| -> Vec<u32> {
            (0..have)
                .filter(|from| is_fed_by(number, want, *from, have))
                .collect()
        };
        assert_eq!(feeders(0, 2, 6), [0, 1, 2]);
        assert_eq!(feeders(1, 2, 6), [3, 4, 5]);
        assert_eq!(feeders(5, 6, 2), [1]);
        assert_eq!(feeders(2, 3, 3), [2]);
        assert_eq!(feeders(3, 4, 1), [0]);
    }
}
