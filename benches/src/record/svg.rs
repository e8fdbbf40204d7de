//! The history as a picture: a line for each measurement, from its first record to its last.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::History;

const ROW: usize = 26;
const LABEL: usize = 330;
const PLOT: usize = 420;
const VALUE: usize = 150;
const TOP: usize = 40;

/// Draws histories, one below the other. Each line is scaled to its own lowest and highest time; lower is better.
pub fn draw(histories: &[History]) -> String {
    let heights = histories.iter().map(|h| TOP + ROW * names(h).len() + 10);
    let (width, height) = (LABEL + PLOT + VALUE, heights.sum::<usize>().max(TOP));
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         font-family=\"monospace\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    let mut top = 0;
    for history in histories {
        top = one(&mut out, history, top);
    }
    out.push_str("</svg>\n");
    out
}

fn names(history: &History) -> BTreeSet<&String> {
    let records = history.records.iter();
    records.flat_map(|record| record.entries.keys()).collect()
}

/// Draws one history from `top` on; answers where it ends.
fn one(out: &mut String, history: &History, top: usize) -> usize {
    let span = match (history.records.first(), history.records.last()) {
        (Some(first), Some(last)) => format!(
            "{} ({}) to {} ({})",
            first.commit, first.date, last.commit, last.date
        ),
        _ => "no records".to_owned(),
    };
    let _ = writeln!(
        out,
        "<text x=\"8\" y=\"{}\">{} {}: {span}; ns per element, lower is better</text>",
        top + 20,
        escaped(&history.arch),
        escaped(&history.level),
    );
    let mut at = top + TOP;
    for name in names(history) {
        line(out, history, name, at);
        at += ROW;
    }
    at + 10
}

fn line(out: &mut String, history: &History, name: &str, top: usize) {
    let times: Vec<(usize, f64)> = history
        .records
        .iter()
        .enumerate()
        .filter_map(|(place, record)| Some((place, record.entries.get(name)?.ns)))
        .collect();
    let low = times.iter().map(|t| t.1).fold(f64::INFINITY, f64::min);
    let high = times.iter().map(|t| t.1).fold(0.0, f64::max);
    let last_place = (history.records.len() - 1).max(1);
    let points: Vec<(f64, f64)> = times
        .iter()
        .map(|(place, ns)| {
            let x = LABEL as f64 + (*place as f64 / last_place as f64) * PLOT as f64;
            let share = if high > low {
                (ns - low) / (high - low)
            } else {
                0.5
            };
            (x, top as f64 + (1.0 - share) * (ROW - 10) as f64)
        })
        .collect();
    let path: Vec<String> = points
        .iter()
        .map(|(x, y)| format!("{x:.1},{y:.1}"))
        .collect();
    let text_y = top + ROW / 2 + 2;
    let _ = writeln!(
        out,
        "<text x=\"8\" y=\"{text_y}\">{}</text>\n\
         <polyline points=\"{}\" fill=\"none\" stroke=\"steelblue\" stroke-width=\"1.5\"/>",
        escaped(name),
        path.join(" "),
    );
    if let (Some((x, y)), Some((_, ns))) = (points.last(), times.last()) {
        let _ = writeln!(
            out,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.5\" fill=\"steelblue\"/>\n\
             <text x=\"{}\" y=\"{text_y}\">{ns:.4}</text>",
            LABEL + PLOT + 10,
        );
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::record::{Entry, Record};

    fn history(level: &str, times: &[f64]) -> History {
        let record = |(number, ns): (usize, &f64)| {
            let (ns, low, high) = (*ns, *ns, *ns);
            let entry = Entry { ns, low, high };
            Record {
                commit: format!("c{number}"),
                date: "2026-11-27".to_owned(),
                cpu: "cpu".to_owned(),
                entries: BTreeMap::from([("codecs/<dense>".to_owned(), entry)]),
                sizes: BTreeMap::new(),
            }
        };
        History {
            arch: "x86_64".to_owned(),
            level: level.to_owned(),
            records: times.iter().enumerate().map(record).collect(),
        }
    }

    #[test]
    fn histories_stand_one_below_the_other_each_from_its_first_record_to_its_last() {
        let none = history("neon", &[]);
        let picture = draw(&[
            history("avx2", &[3.0, 1.0, 2.0]),
            none,
            history("scalar", &[7.5]),
        ]);
        assert!(picture.contains("x86_64 avx2: c0 (2026-11-27) to c2 (2026-11-27)"));
        assert!(picture.contains("x86_64 neon: no records"));
        assert!(picture.contains("codecs/&lt;dense&gt;"));
        // The slowest lies highest on its line, the fastest lowest.
        assert!(
            picture.contains("points=\"330.0,40.0 540.0,56.0 750.0,48.0\""),
            "{picture}"
        );
        assert!(picture.contains(">2.0000</text>") && picture.contains(">7.5000</text>"));
        // 76 for a history of one line, 50 for one of none.
        assert!(picture.contains("height=\"202\""));
    }
}
