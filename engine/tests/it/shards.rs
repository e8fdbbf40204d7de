//! Shards on simulated disks, for the tests beside this file.

use std::collections::BTreeMap;
use std::sync::Arc;

use quidditch_engine::directory::faulty::Disk;
use quidditch_engine::ids::PrimaryTerm;
use quidditch_engine::schema::IndexSchema;
use quidditch_engine::shard::{
    CopyRole, DeleteOp, GetOptions, IndexOp, ManualClock, OpenShardError, Origin, Shard,
    ShardOptions, ShardParts, VersionCheck, WriteError, WriteResult,
};

pub const INDEX: &str = "index";
pub const TRANSLOG: &str = "translog";

pub fn schema() -> Arc<IndexSchema> {
    let mapping = serde_json::json!({
        "dynamic": "false",
        "properties": {"n": {"type": "long"}, "k": {"type": "keyword"}, "t": {"type": "text"}}
    });
    Arc::new(IndexSchema::new(&mapping, &BTreeMap::new()).unwrap())
}

pub fn parts(disk: &Disk, schema: &Arc<IndexSchema>, create: bool) -> ShardParts {
    ShardParts {
        directory: disk.directory(INDEX),
        translog: disk.directory(TRANSLOG),
        schema: schema.clone(),
        clock: Arc::new(ManualClock::default()),
        primary_term: PrimaryTerm(1),
        role: CopyRole::Primary,
        alone: true,
        options: ShardOptions {
            buffer_count: 2,
            background_merges: false,
            translog_retention_bytes: 0,
            ..ShardOptions::default()
        },
        allocation_id: "a".to_owned(),
        create,
    }
}

/// Opens the shard of a disk, or makes it.
pub fn open(disk: &Disk, schema: &Arc<IndexSchema>) -> Result<Shard, OpenShardError> {
    let create = !Shard::exists(&*disk.directory(INDEX)).unwrap();
    Shard::open(parts(disk, schema, create))
}

pub fn body(n: u64) -> String {
    format!(
        r#"{{"n": {n}, "k": "key {}", "t": "some words and number {n}"}}"#,
        n % 3
    )
}

pub fn index_op(id: &str, n: u64) -> IndexOp {
    IndexOp {
        id: id.to_owned(),
        routing: None,
        source: body(n).into(),
        version: VersionCheck::Internal,
        create_only: false,
        origin: Origin::Primary,
    }
}

pub fn delete_op(id: &str) -> DeleteOp {
    DeleteOp {
        id: id.to_owned(),
        version: VersionCheck::Internal,
        origin: Origin::Primary,
    }
}

/// Does an operation and makes it durable.
pub fn durably(
    shard: &Shard,
    result: Result<WriteResult, WriteError>,
) -> Result<WriteResult, WriteError> {
    let result = result?;
    shard.ensure_synced(result.location.expect("a primary's operation is logged"))?;
    Ok(result)
}

/// Version and body of a document, realtime.
pub fn get(shard: &Shard, id: &str) -> Option<(u64, String)> {
    let found = shard.get(id, GetOptions::default()).unwrap()?;
    assert_eq!(found.id, id);
    Some((
        found.version,
        String::from_utf8(found.source.to_vec()).unwrap(),
    ))
}

/// All live documents that a search sees: `_id` to body. Fails when one appears twice.
pub fn visible(shard: &Shard) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for segment in &shard.reader().segments {
        for doc in 0..segment.reader.max_doc() {
            let doc = quidditch_engine::ids::DocId(doc);
            if !segment.is_live(doc) {
                continue;
            }
            let stored = segment.reader.stored(doc).unwrap();
            let source = String::from_utf8(stored.source.to_vec()).unwrap();
            let before = found.insert(stored.id.clone(), source);
            assert!(before.is_none(), "[{}] is there twice", stored.id);
        }
    }
    found
}
