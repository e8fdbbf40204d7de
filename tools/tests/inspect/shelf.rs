//! Shards of hats, made by the engine.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use quidditch_engine::directory::fs::FsDirectory;
use quidditch_engine::ids::PrimaryTerm;
use quidditch_engine::schema::IndexSchema;
use quidditch_engine::shard::{
    CopyRole, DeleteOp, IndexOp, ManualClock, Origin, Shard, ShardOptions, ShardParts, VersionCheck,
};
use serde_json::json;
use tempfile::TempDir;

fn open(folder: &Path) -> Shard {
    let mapping = json!({"dynamic": "false", "properties": {
        "text": {"type": "text"}, "colour": {"type": "keyword"}, "price": {"type": "long"}
    }});
    let schema = IndexSchema::new(&mapping, &BTreeMap::new()).unwrap();
    let part = |name: &str| Arc::new(FsDirectory::open(folder.join(name)).unwrap());
    Shard::open(ShardParts {
        directory: part("index"),
        translog: part("translog"),
        schema: Arc::new(schema),
        clock: Arc::new(ManualClock::default()),
        primary_term: PrimaryTerm(1),
        role: CopyRole::Primary,
        alone: true,
        options: ShardOptions {
            buffer_count: 1,
            background_merges: false,
            translog_retention_bytes: 0,
            ..ShardOptions::default()
        },
        allocation_id: "a".to_owned(),
        create: true,
    })
    .unwrap()
}

/// Puts hats on the shelf and makes them a segment.
fn put(shard: &Shard, numbers: std::ops::Range<u64>) {
    for n in numbers {
        let mut words = vec!["hat".to_owned(), format!("number{n}")];
        if n.is_multiple_of(20) {
            // one of them says it very often
            let often = if n == 40 { 90 } else { 1 };
            words.extend(std::iter::repeat_n("twentieth".to_owned(), often));
        }
        if n < 5 {
            words.push("early".to_owned());
        }
        let colour = ["red", "blue", "grey"][n as usize % 3];
        let source = json!({"text": words.join(" "), "colour": colour, "price": 7 * n});
        shard
            .index(IndexOp {
                id: format!("hat-{n}"),
                routing: None,
                source: source.to_string().into(),
                version: VersionCheck::Internal,
                create_only: false,
                origin: Origin::Primary,
            })
            .unwrap();
    }
    shard.flush(true, true).unwrap();
}

fn remove(shard: &Shard, numbers: std::ops::Range<u64>) {
    for n in numbers {
        let op = DeleteOp {
            id: format!("hat-{n}"),
            version: VersionCheck::Internal,
            origin: Origin::Primary,
        };
        shard.delete(op).unwrap();
    }
    shard.flush(true, true).unwrap();
}

/// Two segments, the first of them with bitmaps, blocks, single documents, and some dead; never written again.
pub static SHELF: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = TempDir::new().unwrap();
    let shard = open(folder.path());
    put(&shard, 0..5000);
    put(&shard, 5000..5030);
    remove(&shard, 10..20);
    shard.close().unwrap();
    folder
});

/// A small shard, to be damaged.
pub fn small_shelf() -> TempDir {
    let folder = TempDir::new().unwrap();
    let shard = open(folder.path());
    put(&shard, 0..30);
    put(&shard, 30..45);
    remove(&shard, 3..6);
    shard.close().unwrap();
    folder
}
