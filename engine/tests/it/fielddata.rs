//! Text fields loaded for sorts and aggregations.

use std::collections::BTreeMap;
use std::sync::Arc;

use quidditch_engine::directory::faulty::Disk;
use quidditch_engine::ids::DocId;
use quidditch_engine::schema::IndexSchema;
use quidditch_engine::segment::{FIELDDATA, SegmentReader};

use crate::shards::{index_op, open};

fn schema(fielddata: bool) -> Arc<IndexSchema> {
    let mapping = serde_json::json!({
        "properties": {"t": {"type": "text", "fielddata": fielddata}}
    });
    Arc::new(IndexSchema::new(&mapping, &BTreeMap::new()).unwrap())
}

/// The loaded terms of every document.
fn rows(segment: &SegmentReader) -> Vec<Vec<String>> {
    let column = segment.fielddata("t").unwrap().unwrap();
    let (mut ords, mut term) = (Vec::new(), Vec::new());
    let mut rows = Vec::new();
    for doc in 0..segment.max_doc() {
        column.ords(DocId(doc), &mut ords);
        let mut row = Vec::new();
        for ord in &ords {
            column.term(*ord, &mut term).unwrap();
            row.push(String::from_utf8(term.clone()).unwrap());
        }
        rows.push(row);
    }
    rows
}

#[test]
fn documents_indexed_before_and_after_fielddata_was_allowed_show_their_terms() {
    let disk = Disk::new();
    let shard = open(&disk, &schema(false)).unwrap();
    let put = |id: &str, text: &str| {
        let mut op = index_op(id, 0);
        op.source = format!("{{\"t\": \"{text}\"}}").into();
        shard.index(op).unwrap();
    };
    put("1", "the quick fox and the fox");
    put("2", "");
    put("3", "a lazy dog");
    shard.refresh().unwrap();
    shard.update_schema(schema(true));
    put("4", "quick quick dog");
    shard.refresh().unwrap();

    FIELDDATA.set_limit(8);
    let reader = shard.reader();
    let refused = reader.segments[0].reader.fielddata("t").unwrap_err();
    assert!(
        refused
            .to_string()
            .starts_with("[fielddata] Data too large, data for [t]")
    );
    assert_eq!(FIELDDATA.used_bytes(), 0);
    FIELDDATA.set_limit(1 << 30);

    let mut found: Vec<Vec<String>> = Vec::new();
    for segment in &reader.segments {
        found.extend(rows(&segment.reader));
    }
    found.sort();
    let wanted: [&[&str]; 4] = [
        &[],
        &["a", "dog", "lazy"],
        &["and", "fox", "quick", "the"],
        &["dog", "quick"],
    ];
    assert_eq!(found, wanted);
    let used = FIELDDATA.used_bytes();
    assert!(used > 0);
    assert_eq!(
        shard.stats().fielddata,
        BTreeMap::from([("t".to_owned(), used)])
    );
    for segment in &reader.segments {
        rows(&segment.reader);
    }
    assert_eq!(FIELDDATA.used_bytes(), used, "loaded once");
    shard.drop_fielddata(&|path| path == "other");
    assert_eq!(shard.stats().fielddata_bytes(), used);
    shard.drop_fielddata(&|path| path == "t");
    assert_eq!(FIELDDATA.used_bytes(), 0, "cleared");
    for segment in &reader.segments {
        rows(&segment.reader);
    }
    assert_eq!(FIELDDATA.used_bytes(), used, "and loaded again");
    drop(reader);
    drop(shard);
    assert_eq!(FIELDDATA.used_bytes(), 0, "given back");
}
