//! Aggregations over all rows, a row an element; tantivy's beside ours.

use std::path::Path;

use anyhow::Result;
use criterion::{Criterion, Throughput};
use quidditch_benches::aggs::{Columns, Workload, quidditch, tantivy};

fn engines(rows: u64, root: &Path) -> Result<[Box<dyn Columns>; 2]> {
    let (ours, theirs) = (root.join("quidditch"), root.join("tantivy"));
    quidditch::build(rows, &ours)?;
    tantivy::build(rows, &theirs)?;
    Ok([
        Box::new(quidditch::Quidditch::open(&ours)?),
        Box::new(tantivy::Tantivy::open(&theirs)?),
    ])
}

pub fn bench(criterion: &mut Criterion) {
    let root = tempfile::tempdir().expect("a folder for the rows");
    let engines = engines(crate::rows(), root.path()).expect("both engines over the rows");
    for workload in Workload::ALL {
        let mut group = criterion.benchmark_group(format!("aggregations/{}", workload.name()));
        group.throughput(Throughput::Elements(crate::rows()));
        group.sample_size(10);
        for engine in &engines {
            group.bench_function(engine.name(), |bencher| {
                bencher.iter(|| engine.run(workload).expect("an answer"));
            });
        }
        group.finish();
    }
}
