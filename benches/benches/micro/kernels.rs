//! Every kernel of every instruction set that this machine can run.

use criterion::{Criterion, Throughput};
use quidditch_engine::bench_api;

pub fn bench(criterion: &mut Criterion) {
    for mut row in bench_api::kernels() {
        let mut group = criterion.benchmark_group(format!("kernels/{}", row.kernel));
        group.throughput(Throughput::Elements(row.items));
        group.bench_function(row.level, |bencher| bencher.iter(&mut row.run));
        group.finish();
    }
}
