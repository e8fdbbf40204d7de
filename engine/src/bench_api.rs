//! Doors for the measurements of the crate `benches`, and no promise to anybody else: every kernel of every instruction set
//! that this machine can run, ready to be timed. A new kernel is a row of `rows`.

mod columns;

use std::hint::black_box;

use crate::simd::{Kernels, available};

/// One kernel of one instruction set.
pub struct KernelRun {
    /// Which kernel, and on what.
    pub kernel: String,
    /// Its instruction set, as `QUIDDITCH_SIMD` names it.
    pub level: &'static str,
    /// What it works on: `ints`, `docs`, `values`.
    pub unit: &'static str,
    /// How many of those one call of `run` works on.
    pub items: u64,
    /// Runs it often enough that the call itself does not count.
    pub run: Box<dyn FnMut()>,
}

/// Kernel calls for each call of [`KernelRun::run`].
const CALLS: u64 = 64;
/// Bits of a packed integer: one of each kind, from all below a byte to all of a word.
const WIDTHS: [u32; 8] = [1, 3, 5, 8, 11, 16, 21, 32];

/// All kernels, the fastest instruction set first, scalar last.
pub fn kernels() -> Vec<KernelRun> {
    let mut all: Vec<KernelRun> = available().into_iter().flat_map(rows).collect();
    let of_columns = crate::simd::columns::available();
    all.extend(of_columns.into_iter().flat_map(columns::rows));
    all
}

fn row(
    level: &'static str,
    kernel: &str,
    unit: &'static str,
    items: u64,
    mut call: Box<dyn FnMut()>,
) -> KernelRun {
    KernelRun {
        kernel: kernel.to_owned(),
        level,
        unit,
        items: items * CALLS,
        run: Box::new(move || (0..CALLS).for_each(|_| call())),
    }
}

fn rows(kernels: &'static Kernels) -> Vec<KernelRun> {
    let row = |kernel: &str, unit, items, call: Box<dyn FnMut()>| {
        row(kernels.name, kernel, unit, items, call)
    };
    let mut rows = Vec::new();
    for bits in WIDTHS {
        // a little more than is needed, as inside of a file
        let packed: Vec<u8> = (0..16 * bits + 64).map(|n| (n * 37) as u8).collect();
        let mut out = [0; 128];
        let call = move || (kernels.unpack)(bits, black_box(&packed), black_box(&mut out));
        rows.push(row(&format!("unpack_{bits}"), "ints", 128, Box::new(call)));
    }
    let mut gaps = [3; 128];
    let call = move || (kernels.prefix_sum)(7, black_box(&mut gaps));
    rows.push(row("prefix_sum", "ints", 128, Box::new(call)));
    for (name, operation) in [
        ("and", kernels.and),
        ("or", kernels.or),
        ("and_not", kernels.and_not),
    ] {
        let (mut own, other) = ([u64::MAX; 64], [0x5555_5555_5555_5555; 64]);
        let call = move || operation(black_box(&mut own), black_box(&other));
        rows.push(row(name, "docs", 4096, Box::new(call)));
    }
    let bits = [0x5a5a_5a5a_5a5a_5a5a; 64];
    let call = move || {
        black_box((kernels.count)(black_box(&bits)));
    };
    rows.push(row("count", "docs", 4096, Box::new(call)));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_instruction_set_has_the_same_rows_and_they_run() {
        let names = |rows: Vec<KernelRun>| -> Vec<String> {
            rows.into_iter().map(|run| run.kernel).collect()
        };
        let levels = available().into_iter().map(|level| names(rows(level)));
        let of_columns = crate::simd::columns::available().into_iter();
        let column_levels = of_columns.map(|level| names(columns::rows(level)));
        for mut levels in [levels.collect::<Vec<_>>(), column_levels.collect()] {
            levels.dedup();
            assert_eq!(levels.len(), 1, "{levels:?}");
            assert!(!levels[0].is_empty());
        }
        for run in &mut kernels() {
            (run.run)();
        }
    }
}
