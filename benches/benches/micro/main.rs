//! Small measurements, with criterion: kernels, codecs, aggregations.
//!
//! `cargo bench -p quidditch-benches`; `-- kernels/unpack` only those whose name holds that.
//! `QUIDDITCH_BENCH_ROWS` (200000): rows of the aggregations, documents of the codecs.

#![allow(missing_docs)] // criterion's macros make undocumented functions

mod aggregations;
mod codecs;
mod kernels;

use criterion::{criterion_group, criterion_main};

/// Rows of the aggregations, documents of the codecs.
fn rows() -> u64 {
    let wanted = std::env::var("QUIDDITCH_BENCH_ROWS").ok();
    let wanted = wanted.map(|rows| rows.parse().expect("QUIDDITCH_BENCH_ROWS is a number"));
    wanted.unwrap_or(200_000)
}

criterion_group!(all, kernels::bench, codecs::bench, aggregations::bench);
criterion_main!(all);
