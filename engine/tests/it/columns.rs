//! Columns of every shape give back what went in, and find by range what a plain scan finds.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;
use quidditch_engine::buffer::{Buffer, DocMeta, FrozenSegment};
use quidditch_engine::directory::ByteView;
use quidditch_engine::document::{
    ColumnKind, FieldSpec, IndexOptions, ParsedDocument, ParsedField, TermBuffer,
};
use quidditch_engine::ids::{DocId, PrimaryTerm, SeqNo};
use quidditch_engine::segment::{ColumnWindow, NumericColumn, SegmentReader, Window};

const NUMBER: FieldSpec = FieldSpec {
    index: IndexOptions::None,
    norms: false,
    column: ColumnKind::Numeric,
    points: false,
    stored: false,
};

/// The file of a segment with these numeric columns, each with the values of every row.
fn freeze(columns: &[(&str, &[Vec<i64>])]) -> FrozenSegment {
    let mut columns = columns.to_vec();
    columns.sort_unstable_by_key(|(name, _)| *name);
    let mut buffer = Buffer::new();
    for number in 0..columns[0].1.len() {
        let mut fields = Vec::new();
        for (name, rows) in columns.iter().filter(|(_, rows)| !rows[number].is_empty()) {
            fields.push(ParsedField {
                path: Arc::from(*name),
                spec: NUMBER,
                terms: TermBuffer::default(),
                numbers: rows[number].clone(),
                stored: Vec::new(),
            });
        }
        let document = ParsedDocument {
            id: number.to_string(),
            routing: None,
            source: Bytes::new(),
            fields,
            mapping_update: None,
        };
        let meta = DocMeta {
            seq_no: SeqNo(number as i64),
            primary_term: PrimaryTerm(1),
            version: 1,
        };
        buffer.add(&document, meta);
    }
    buffer.freeze().unwrap()
}

fn segment(rows: &[Vec<i64>]) -> SegmentReader {
    let frozen = freeze(&[("n", rows)]);
    SegmentReader::open(frozen.id, ByteView::new(frozen.bytes)).unwrap()
}

/// Bytes of the column's section.
fn size(reader: &SegmentReader) -> u64 {
    let number = reader
        .field_names()
        .position(|name| &**name == "n")
        .unwrap() as u32;
    let columns = reader
        .sections()
        .iter()
        .filter(|section| section.field == Some(number) && section.kind.name() == "numeric column");
    columns.map(|section| section.len).sum()
}

fn check_range(column: &NumericColumn, rows: &[Vec<i64>], lo: i64, hi: i64) {
    for base in (0..rows.len()).step_by(4096) {
        let mut found = Window::empty();
        column.fill_range_window(DocId(base as u32), lo, hi, &mut found);
        for (row, values) in rows.iter().enumerate().skip(base).take(4096) {
            let wanted = values.iter().any(|value| (lo..=hi).contains(value));
            assert_eq!(
                found.contains((row - base) as u32),
                wanted,
                "{lo}..={hi}, row {row}: {values:?}"
            );
        }
    }
}

/// Everything that a column answers, against the rows; the values of a row ascend.
fn check(rows: &[Vec<i64>]) -> u64 {
    let reader = segment(rows);
    reader.verify().unwrap();
    check_column(&reader.numeric("n").unwrap().unwrap(), rows);
    size(&reader)
}

fn check_column(column: &NumericColumn, rows: &[Vec<i64>]) {
    let mut window = ColumnWindow::default();
    let mut values = Vec::new();
    for base in (0..rows.len()).step_by(4096) {
        column.read_window(DocId(base as u32), &mut window);
        let chunk = &rows[base..rows.len().min(base + 4096)];
        for (offset, expected) in chunk.iter().enumerate() {
            let doc = (base + offset) as u32;
            assert_eq!(window.values_of(doc), expected, "row {doc} of a window");
            column.values(DocId(doc), &mut values);
            assert_eq!(&values, expected, "row {doc}");
            assert_eq!(column.first(DocId(doc)), expected.first().copied());
        }
        let zone = column.zone(base as u32 / 4096).unwrap();
        let all = || chunk.iter().flatten().copied();
        assert_eq!(zone.min, all().min().unwrap_or(0));
        assert_eq!(zone.max, all().max().unwrap_or(0));
        assert_eq!(zone.sum, Some(all().fold(0, i64::wrapping_add)));
        assert_eq!(zone.value_count as usize, all().count());
    }
    let some: Vec<i64> = rows.iter().flatten().copied().step_by(977).collect();
    for pair in some.windows(2) {
        let (lo, hi) = (pair[0].min(pair[1]), pair[0].max(pair[1]));
        check_range(column, rows, lo, hi);
        check_range(column, rows, lo.saturating_add(1), hi.saturating_sub(1));
    }
    for (lo, hi) in [(i64::MIN, i64::MAX), (i64::MIN, 0), (0, i64::MAX), (3, 2)] {
        check_range(column, rows, lo, hi);
    }
}

/// As doubles are stored: in order as integers.
fn double(value: f64) -> i64 {
    let bits = value.to_bits() as i64;
    if bits < 0 { bits ^ i64::MAX } else { bits }
}

fn some_number(i: i64) -> i64 {
    let mixed = i.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1442);
    (mixed >> 20).rem_euclid(1 << 43)
}

/// What a row has, by the number of the row.
type Shape = (&'static str, fn(i64) -> Vec<i64>);

/// 9000 rows: two whole chunks and a part of one.
const SHAPES: [Shape; 11] = [
    ("constant", |_| vec![-7]),
    ("whole seconds", |i| vec![(some_number(i) % 86_400) * 1000]),
    ("even times", |i| {
        vec![1_700_000_000_000 + i * 7919 + some_number(i) % 50]
    }),
    ("times backwards", |i| {
        vec![1_700_000_000_000 - i * 31 + some_number(i) % 5]
    }),
    ("prices", |i| {
        vec![double((some_number(i) % 100_000) as f64 / 100.0)]
    }),
    ("temperatures", |i| {
        vec![double((some_number(i) % 800 - 400) as f64 / 10.0)]
    }),
    ("fractions", |i| vec![double((some_number(i) as f64).sin())]),
    ("codes", |i| {
        vec![(some_number(i) % 7).pow(2) * 1_000_000_007 + some_number(i) % 7]
    }),
    ("anything", |i| vec![some_number(i).wrapping_mul(1 << 20)]),
    ("every third", |i| {
        if i % 3 == 0 { vec![i * i] } else { Vec::new() }
    }),
    ("several", |i| {
        let first = some_number(i) % 1000;
        (0..i % 4).map(|n| first + n * 10).collect()
    }),
];

#[test]
fn columns_of_every_shape_come_back_and_are_found_by_range() {
    for (name, shape) in SHAPES {
        let rows: Vec<Vec<i64>> = (0..9000).map(shape).collect();
        println!("{name}: {} bytes", check(&rows));
    }
}

#[test]
fn encodings_are_chosen_by_size() {
    let bytes_of = |name: &str| {
        let (_, shape) = SHAPES.into_iter().find(|shape| shape.0 == name).unwrap();
        let rows: Vec<Vec<i64>> = (0..9000).map(shape).collect();
        size(&segment(&rows))
    };
    // bits for each of 9000 rows, and a little for the rest: three entries, up to three tables
    let at_most = |bits: u64| 9000 * bits / 8 + 600;
    for (name, bits) in [
        ("constant", 0),
        ("whole seconds", 17),
        ("even times", 7),
        ("times backwards", 4),
        ("prices", 17),
        ("temperatures", 10),
        ("codes", 3),
    ] {
        let bytes = bytes_of(name);
        assert!(bytes <= at_most(bits), "{name}: {bytes} bytes");
    }
}

/// A segment of every shape, as the build wrote it that brought the second format of columns.
fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v2/columns.qsg")
}

fn golden_rows(shape: fn(i64) -> Vec<i64>) -> Vec<Vec<i64>> {
    (0..5000).map(shape).collect()
}

/// Makes the file. By hand, once: `cargo test -p quidditch-engine -- --ignored makes_the_golden_columns`
#[test]
#[ignore = "the file is frozen"]
fn makes_the_golden_columns() {
    assert!(!golden().exists(), "the file is frozen");
    let rows = SHAPES.map(|(name, shape)| (name, golden_rows(shape)));
    let columns: Vec<(&str, &[Vec<i64>])> = rows.iter().map(|(n, r)| (*n, &r[..])).collect();
    std::fs::create_dir_all(golden().parent().unwrap()).unwrap();
    std::fs::write(golden(), freeze(&columns).bytes).unwrap();
}

#[test]
fn columns_of_the_second_format_are_read() {
    let bytes = std::fs::read(golden()).unwrap();
    let id = SegmentReader::id_of(&bytes).unwrap();
    let reader = SegmentReader::open(id, ByteView::new(bytes)).unwrap();
    reader.verify().unwrap();
    for (name, shape) in SHAPES {
        let column = reader.numeric(name).unwrap().unwrap();
        check_column(&column, &golden_rows(shape));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_column_comes_back(
        rows in proptest::collection::vec(
            proptest::collection::vec(
                prop_oneof![
                    4 => Just(7i64),
                    4 => -1000i64..1000,
                    1 => any::<i64>(),
                    4 => (-1e6f64..1e6).prop_map(|value| double((value * 8.0).round() / 8.0)),
                    1 => Just(double(f64::INFINITY)),
                    1 => Just(double(-0.0)),
                ],
                0..3,
            ).prop_map(|mut values| { values.sort_unstable(); values }),
            1..300,
        ),
        repeat in 1usize..30,
    ) {
        prop_assume!(rows.iter().any(|row| !row.is_empty()));
        let rows: Vec<Vec<i64>> = rows.iter().cycle().take(rows.len() * repeat).cloned().collect();
        check(&rows);
    }
}
