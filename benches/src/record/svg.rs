//! The history as a picture: a line for each measurement, from its first record to its last.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::History;

const ROW: usize = 26;
const LABEL: usize = 330;
const PLOT: usize = 420;
const VALUE: usize = 150;
const TOP: usize = 40;

/// Draws a history. Each line is scaled to its own lowest and highest time; lower is better.
pub fn draw(history: &History) -> String {
    let names: BTreeSet<&String> = history
        .records
        .iter()
        .flat_map(|record| record.entries.keys())
        .collect();
    let (width, height) = (LABEL + PLOT + VALUE, TOP + ROW * names.len() + 10);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         font-family=\"monospace\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    let span = match (history.records.first(), history.records.last()) {
        (Some(first), Some(last)) => format!(
            "{} ({}) to {} ({})",
            first.commit, first.date, last.commit, last.date
        ),
        _ => "no records".to_owned(),
    };
    let _ = writeln!(
        out,
        "<text x=\"8\" y=\"20\">{} {}: {span}; ns per element, lower is better</text>",
        escaped(&history.arch),
        escaped(&history.level),
    );
    for (row, name) in names.into_iter().enumerate() {
        line(&mut out, history, name, TOP + row * ROW);
    }
    out.push_str("</svg>\n");
    out
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
