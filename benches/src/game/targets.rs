//! The bar of each class and command: our time divided by tantivy's, average and median alike, one thread, warm.

use super::queries::{Class, Command};

/// Our time divided by the faster peer's: without and with reordering.
pub const FASTEST_PEER: (f64, f64) = (0.8, 0.6);
/// Queries that cost every engine less than this, in microseconds, measure the harness: they are ties.
pub const TIE_US: f64 = 10.0;

/// Without and with reordering, for `TOP_10`, `TOP_100`, `TOP_1000`, `TOP_100_COUNT`, `COUNT`; `None`: no bar but a tie.
type Row = [Option<(f64, f64)>; Command::ALL.len()];

const fn row(
    top_10: (f64, f64),
    top_100: (f64, f64),
    top_1000: (f64, f64),
    top_100_count: (f64, f64),
    count: Option<(f64, f64)>,
) -> Row {
    [
        Some(top_10),
        Some(top_100),
        Some(top_1000),
        Some(top_100_count),
        count,
    ]
}

#[rustfmt::skip]
const TARGETS: [(Class, Row); 6] = [
    (Class::Term, row((0.15, 0.08), (0.25, 0.15), (0.40, 0.32), (0.10, 0.05), None)),
    (Class::Intersection, row((0.32, 0.23), (0.40, 0.31), (0.50, 0.40), (0.50, 0.40), Some((0.40, 0.32)))),
    (Class::Union, row((0.28, 0.18), (0.32, 0.22), (0.40, 0.27), (0.25, 0.14), Some((0.25, 0.16)))),
    (Class::Phrase, row((0.40, 0.25), (0.45, 0.31), (0.45, 0.32), (0.45, 0.31), Some((0.45, 0.30)))),
    (Class::IntersectionUnion, row((0.40, 0.24), (0.42, 0.29), (0.50, 0.36), (0.40, 0.28), Some((0.20, 0.20)))),
    (Class::Negated, row((0.55, 0.45), (0.60, 0.45), (0.60, 0.49), (0.60, 0.48), Some((0.55, 0.43)))),
];

/// The bar of a cell; `None` where a tie is all that is asked.
pub fn against_tantivy(class: Class, command: Command, reordered: bool) -> Option<f64> {
    let (_, row) = TARGETS.iter().find(|(of, _)| *of == class)?;
    row[command as usize].map(|(plain, with)| if reordered { with } else { plain })
}

/// The bar of every cell against the faster of all peers.
pub fn against_fastest(reordered: bool) -> f64 {
    if reordered {
        FASTEST_PEER.1
    } else {
        FASTEST_PEER.0
    }
}
