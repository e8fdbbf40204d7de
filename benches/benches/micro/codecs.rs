//! Postings of terms of several densities, decoded through the cursors that searches use, with the instruction set in use.

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::{Criterion, Throughput};
use quidditch_benches::random::Random;
use quidditch_benches::shard_folder::ShardPlan;
use quidditch_engine::ids::DocId;
use quidditch_engine::segment::{PostingsCursor, PostingsNeed, TermsReader, WINDOW_DOCS, Window};
use quidditch_engine::shard::{IndexOp, Origin, VersionCheck};

/// A term `in_n` is in one of `n` documents.
const DENSITIES: [u64; 5] = [2, 8, 64, 512, 4096];

pub fn bench(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder for the shard");
    let terms = terms(crate::rows(), folder.path());
    for density in DENSITIES {
        let term = format!("in_{density}");
        let info = terms.get(term.as_bytes()).expect("sound terms");
        let Some(info) = info else {
            continue; // too few documents
        };
        let cursor = |need| terms.postings(&info, need).expect("sound postings");
        let bytes = info.postings_bytes() as f64;
        let (docs, all) = (f64::from(info.doc_freq), info.total_term_freq as f64);
        // a document, a frequency, and a position for each occurrence
        let size = bytes / (2.0 * docs + all);
        println!("size codecs/{term} {size:.3} bytes/int");
        let mut group = criterion.benchmark_group(format!("codecs/{term}"));
        group.throughput(Throughput::Elements(u64::from(info.doc_freq)));
        group.bench_function("docs", |b| {
            b.iter(|| walk(cursor(PostingsNeed::Docs), |_| 0))
        });
        group.bench_function("docs_freqs", |b| {
            b.iter(|| walk(cursor(PostingsNeed::Freqs), |cursor| cursor.freq()))
        });
        group.bench_function("docs_windows", |b| {
            b.iter(|| windows(cursor(PostingsNeed::Docs)))
        });
        group.throughput(Throughput::Elements(info.total_term_freq));
        group.bench_function("positions", |b| {
            let mut positions = Vec::new();
            b.iter(|| {
                walk(cursor(PostingsNeed::Positions), |cursor| {
                    cursor.positions(&mut positions).expect("sound positions");
                    positions.len() as u32
                })
            });
        });
        group.finish();
    }
}

fn walk(mut cursor: PostingsCursor, mut each: impl FnMut(&mut PostingsCursor) -> u32) {
    let mut sum = 0u64;
    loop {
        let doc = cursor.next().expect("sound postings");
        if doc == DocId::NO_MORE {
            break;
        }
        sum += u64::from(doc.0) + u64::from(each(&mut cursor));
    }
    black_box(sum);
}

fn windows(mut cursor: PostingsCursor) {
    let mut window = Window::empty();
    let mut found = 0;
    let mut doc = cursor.next().expect("sound postings");
    while doc != DocId::NO_MORE {
        let base = doc.0 / WINDOW_DOCS * WINDOW_DOCS;
        window.clear();
        cursor
            .fill_window(DocId(base), &mut window)
            .expect("sound postings");
        found += window.count();
        doc = cursor.doc();
    }
    black_box(found);
}

/// The terms of a text field over `docs` documents.
fn terms(docs: u64, folder: &std::path::Path) -> TermsReader {
    let plan = ShardPlan {
        mapping: serde_json::json!({
            "_source": {"enabled": false},
            "properties": {"text": {"type": "text", "analyzer": "whitespace"}}
        }),
        settings: BTreeMap::new(),
        buffer_bytes: 1 << 30,
        threads: 1,
    };
    let shard = plan.create(folder).expect("a new shard");
    let mut random = Random::new(7);
    for number in 0..docs {
        let mut text = format!("filler{}", number % 1000);
        for density in DENSITIES {
            if random.below(density) == 0 {
                let freq = 1 + random.below(4).saturating_sub(1);
                for _ in 0..freq {
                    text.push_str(&format!(" in_{density} filler{}", random.below(1000)));
                }
            }
        }
        let source = serde_json::json!({"text": text}).to_string();
        shard
            .index(IndexOp {
                id: number.to_string(),
                routing: None,
                source: source.into(),
                version: VersionCheck::Internal,
                create_only: false,
                origin: Origin::Primary,
            })
            .expect("a document of the mapping");
    }
    shard.force_merge(Some(1), false).expect("one segment");
    let reader = shard.reader();
    let terms = reader.segments[0].reader.terms("text");
    terms.expect("sound terms").expect("a field with terms")
}
