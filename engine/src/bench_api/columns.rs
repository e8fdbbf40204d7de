//! Column kernels, each on a chunk of 4096 rows.

use std::hint::black_box;

use super::{KernelRun, row};
use crate::format::v1::packed::pack;
use crate::simd::columns::{ColumnKernels, Packed, ROWS, Stepping};

/// Bits of a packed integer: ordinals, prices, dates, raw.
const WIDTHS: [u32; 5] = [3, 11, 20, 35, 64];

pub(super) fn rows(kernels: &'static ColumnKernels) -> Vec<KernelRun> {
    let mut rows = packed_rows(kernels);
    rows.extend(bit_rows(kernels));
    rows.extend(value_rows(kernels));
    rows
}

fn chunk_row(kernels: &ColumnKernels, name: &str, call: impl FnMut() + 'static) -> KernelRun {
    row(kernels.name, name, "values", ROWS as u64, Box::new(call))
}

fn packed_rows(kernels: &'static ColumnKernels) -> Vec<KernelRun> {
    let mut rows = Vec::new();
    for width in WIDTHS {
        let mask = u64::MAX >> (64 - width);
        let mut bytes = Vec::new();
        let integers = (0..ROWS as u64).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) & mask);
        pack(integers, width, &mut bytes);
        let shared: &'static [u8] = bytes.leak();
        let packed = move || Packed {
            bytes: black_box(shared),
            width,
            count: ROWS,
        };
        let mut out = Box::new([0; ROWS]);
        rows.push(chunk_row(
            kernels,
            &format!("column_unpack_{width}"),
            move || {
                (kernels.unpack)(packed(), 7, 1, black_box(&mut out));
            },
        ));
        if width <= 32 {
            let mut out = Box::new([0; ROWS]);
            rows.push(chunk_row(
                kernels,
                &format!("column_unpack_u32_{width}"),
                move || {
                    (kernels.unpack_u32)(packed(), 7, black_box(&mut out));
                },
            ));
        }
        let mut out = [0; 64];
        rows.push(chunk_row(
            kernels,
            &format!("column_range_{width}"),
            move || {
                (kernels.range)(packed(), mask / 4, mask / 2, black_box(&mut out));
            },
        ));
    }
    rows
}

fn bit_rows(kernels: &'static ColumnKernels) -> Vec<KernelRun> {
    let half = [0x5a5a_5a5a_5a5a_5a5a; 64];
    let values = Box::new([5i64; ROWS]);
    let narrow = Box::new([5u32; ROWS]);
    let (mut listed, mut kept) = (Box::new([0; ROWS]), Box::new([0; ROWS]));
    let (mut kept_narrow, mut laid) = (Box::new([0; ROWS]), [0; 64]);
    vec![
        chunk_row(kernels, "column_list", move || {
            black_box((kernels.list)(
                black_box(&half),
                4096,
                black_box(&mut listed),
            ));
        }),
        chunk_row(kernels, "column_keep", move || {
            black_box((kernels.keep)(
                black_box(&half),
                &values,
                black_box(&mut kept),
            ));
        }),
        chunk_row(kernels, "column_keep_u32", move || {
            let out = black_box(&mut kept_narrow);
            black_box((kernels.keep_u32)(black_box(&half), &narrow, out));
        }),
        chunk_row(kernels, "column_deposit", move || {
            (kernels.deposit)(black_box(&half), black_box(&half), black_box(&mut laid));
        }),
    ]
}

fn value_rows(kernels: &'static ColumnKernels) -> Vec<KernelRun> {
    let numbers = || -> Vec<i64> { (0..ROWS as i64).map(|n| n * 7919 % 100_003).collect() };
    let fractions = || -> Vec<f64> { numbers().iter().map(|n| *n as f64 / 8.0).collect() };
    let owners = || -> Vec<u32> { (0..ROWS as u32).map(|n| n % 5).collect() };
    let mut rows = Vec::new();
    let values = numbers();
    rows.push(chunk_row(kernels, "column_whole", move || {
        black_box((kernels.whole)(black_box(&values)));
    }));
    let (values, own) = (numbers(), owners());
    rows.push(chunk_row(kernels, "column_whole_of", move || {
        black_box((kernels.whole_of)(black_box(&values), &own, 3));
    }));
    let values = fractions();
    rows.push(chunk_row(kernels, "column_fractions", move || {
        black_box((kernels.fractions)(black_box(&values)));
    }));
    let (values, own) = (fractions(), owners());
    rows.push(chunk_row(kernels, "column_fractions_of", move || {
        black_box((kernels.fractions_of)(black_box(&values), &own, 3));
    }));
    for (name, convert) in [
        ("column_to_fractions", kernels.to_fractions),
        ("column_from_sortable", kernels.from_sortable),
    ] {
        let (values, mut out) = (numbers(), vec![0.0; ROWS]);
        rows.push(chunk_row(kernels, name, move || {
            convert(black_box(&values), black_box(&mut out));
        }));
    }
    let (values, mut out) = (numbers(), vec![0; ROWS]);
    rows.push(chunk_row(kernels, "column_divide", move || {
        (kernels.divide)(black_box(&values), 0, 1000, black_box(&mut out));
    }));
    let (values, mut out) = (fractions(), vec![0; ROWS]);
    let how = Stepping {
        offset: 1.0,
        interval: 50.0,
        first: -1.0,
    };
    rows.push(chunk_row(kernels, "column_steps", move || {
        (kernels.steps)(black_box(&values), how, black_box(&mut out));
    }));
    let (values, mut out) = (fractions(), vec![0; ROWS]);
    let bounds = [100.0, 1000.0, 5000.0, 10_000.0];
    rows.push(chunk_row(kernels, "column_rank_4", move || {
        (kernels.rank)(black_box(&values), &bounds, black_box(&mut out));
    }));
    let few = owners();
    rows.push(chunk_row(kernels, "column_count_few", move || {
        black_box((kernels.count_few)(black_box(&few)));
    }));
    let mut values = numbers();
    rows.push(chunk_row(kernels, "column_add_line", move || {
        (kernels.add_line)(5, 77, 20, black_box(&mut values));
    }));
    let mut values = numbers();
    rows.push(chunk_row(kernels, "column_decimals", move || {
        (kernels.decimals)(100.0, black_box(&mut values));
    }));
    let mut values = numbers();
    rows.push(chunk_row(kernels, "column_mix", move || {
        (kernels.mix)(black_box(&mut values))
    }));
    rows
}
