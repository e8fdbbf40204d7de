//! From times to ratios: one cell for each command and class.

use serde_json::{Map, Value, json};

use super::lucene::OtherRun;
use super::peer::Peer;
use super::queries::{Class, Command, GameQuery};
use super::rounds::AllTimes;
use super::targets::{TIE_US, against_fastest, against_tantivy};
use super::{quidditch, tantivy};

/// Parts of the rounds that are compared with each other.
const THIRDS: usize = 3;

/// One engine's times, whatever process they come from.
pub struct Column {
    /// Its name.
    pub engine: String,
    /// `best[query][command]`, in microseconds.
    pub best: Vec<Vec<f64>>,
    /// `rounds[query][command][round]`; empty for times of another process.
    rounds: Vec<Vec<Vec<f32>>>,
}

/// The columns of the engines that were timed here, and of the other run.
pub fn columns(
    peers: &[Box<dyn Peer>],
    times: &AllTimes,
    other: Option<&OtherRun>,
    queries: &[GameQuery],
    commands: &[Command],
) -> Vec<Column> {
    let mut columns: Vec<Column> = peers
        .iter()
        .zip(times)
        .map(|(peer, times)| Column {
            engine: peer.name().to_owned(),
            best: map_all(times, |times| times.best()),
            rounds: map_all(times, |times| times.us.clone()),
        })
        .collect();
    if let Some(other) = other {
        let of_query = |query: &GameQuery| {
            let times = commands.iter().map(|c| other.time(*c, &query.text));
            times
                .map(|time| time.map_or(f64::NAN, |time| time.1))
                .collect()
        };
        columns.push(Column {
            engine: other.engine.clone(),
            best: queries.iter().map(of_query).collect(),
            rounds: Vec::new(),
        });
    }
    columns
}

fn map_all<A, B>(rows: &[Vec<A>], each: impl Fn(&A) -> B) -> Vec<Vec<B>> {
    let row = |row: &Vec<A>| row.iter().map(&each).collect();
    rows.iter().map(row).collect()
}

/// Average and median, in microseconds; or of two engines, divided.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// Of the average.
    pub avg: f64,
    /// Of the median.
    pub median: f64,
}

impl Pair {
    fn of(mut values: Vec<f64>) -> Pair {
        let avg = values.iter().sum::<f64>() / values.len() as f64;
        values.sort_unstable_by(f64::total_cmp);
        let middle = values.len() / 2;
        let median = if values.len().is_multiple_of(2) {
            (values[middle - 1] + values[middle]) / 2.0
        } else {
            values[middle]
        };
        Pair { avg, median }
    }

    fn over(self, other: Pair) -> Pair {
        Pair {
            avg: self.avg / other.avg,
            median: self.median / other.median,
        }
    }

    fn within(self, bar: f64) -> bool {
        self.avg <= bar && self.median <= bar
    }

    fn json(self) -> Value {
        json!({"avg_us": round(self.avg), "median_us": round(self.median)})
    }
}

/// Our times against those of others, without the queries that are ties.
#[derive(Clone, Copy, Debug)]
pub struct Ratio {
    /// Ours divided by theirs; `None` when all queries are ties.
    pub ratio: Option<Pair>,
    /// Queries that cost all less than the tie.
    pub ties: usize,
    /// The bar.
    pub target: f64,
}

impl Ratio {
    /// Whether average or median is above the bar.
    pub fn missed(&self) -> bool {
        self.ratio.is_some_and(|ratio| !ratio.within(self.target))
    }
}

/// One command and class.
pub struct Cell {
    /// What was asked.
    pub command: Command,
    /// Of which queries.
    pub class: Class,
    /// How many.
    pub queries: usize,
    /// Times by engine, in the order of the columns.
    pub times: Vec<(String, Pair)>,
    /// Against tantivy.
    pub tantivy: Option<Ratio>,
    /// The lowest and the highest ratio of the averages by a third of the rounds: how far to trust it.
    pub spread: Option<(f64, f64)>,
    /// Against the faster of all others, when there are several.
    pub fastest: Option<Ratio>,
}

/// All cells that have queries.
pub fn cells(
    columns: &[Column],
    queries: &[GameQuery],
    commands: &[Command],
    reordered: bool,
) -> Vec<Cell> {
    let mut cells = Vec::new();
    for (command_index, &command) in commands.iter().enumerate() {
        for class in Class::ALL {
            let chosen: Vec<usize> = (0..queries.len())
                .filter(|query| queries[*query].class == class)
                .collect();
            if !chosen.is_empty() {
                let table = Table {
                    columns,
                    chosen: &chosen,
                    command: command_index,
                };
                cells.push(table.cell(command, class, reordered));
            }
        }
    }
    cells
}

/// The times of one cell.
struct Table<'a> {
    columns: &'a [Column],
    chosen: &'a [usize],
    command: usize,
}

impl Table<'_> {
    fn cell(&self, command: Command, class: Class, reordered: bool) -> Cell {
        let place = |name: &str| self.columns.iter().position(|c| c.engine == name);
        let ours = place(quidditch::NAME);
        let theirs = place(tantivy::NAME);
        let others: Vec<usize> = (0..self.columns.len())
            .filter(|column| Some(*column) != ours)
            .collect();
        let mut cell = Cell {
            command,
            class,
            queries: self.chosen.len(),
            times: Vec::new(),
            tantivy: None,
            spread: None,
            fastest: None,
        };
        for (number, column) in self.columns.iter().enumerate() {
            let pair = self.pair(number, self.chosen);
            cell.times.push((column.engine.clone(), pair));
        }
        if let (Some(ours), Some(theirs)) = (ours, theirs) {
            let target = against_tantivy(class, command, reordered).unwrap_or(1.0);
            cell.tantivy = Some(self.ratio(ours, &[theirs], target));
            cell.spread = self.spread(ours, theirs);
        }
        if let (Some(ours), true) = (ours, others.len() > 1) {
            cell.fastest = Some(self.ratio(ours, &others, against_fastest(reordered)));
        }
        cell
    }

    fn time(&self, column: usize, query: usize) -> f64 {
        self.columns[column].best[query][self.command]
    }

    fn pair(&self, column: usize, queries: &[usize]) -> Pair {
        Pair::of(queries.iter().map(|q| self.time(column, *q)).collect())
    }

    fn untied(&self, ours: usize, others: &[usize]) -> Vec<usize> {
        let is_tie = |query: usize| {
            let mut all = others.iter().chain([&ours]);
            all.all(|column| self.time(*column, query) < TIE_US)
        };
        let untied = self.chosen.iter().copied().filter(|query| !is_tie(*query));
        untied.collect()
    }

    fn ratio(&self, ours: usize, others: &[usize], target: f64) -> Ratio {
        let untied = self.untied(ours, others);
        let ratio = (!untied.is_empty()).then(|| {
            let mut fastest = Pair {
                avg: f64::INFINITY,
                median: f64::INFINITY,
            };
            for &other in others {
                let pair = self.pair(other, &untied);
                fastest.avg = fastest.avg.min(pair.avg);
                fastest.median = fastest.median.min(pair.median);
            }
            self.pair(ours, &untied).over(fastest)
        });
        Ratio {
            ratio,
            ties: self.chosen.len() - untied.len(),
            target,
        }
    }

    /// The lowest and highest ratio of the averages when each third of the rounds is taken for itself.
    fn spread(&self, ours: usize, theirs: usize) -> Option<(f64, f64)> {
        let untied = self.untied(ours, &[theirs]);
        let best = |column: usize, query: usize, third: usize| -> Option<f64> {
            let rounds = &self.columns[column].rounds.get(query)?[self.command];
            let rounds = rounds.iter().skip(third).step_by(THIRDS).copied();
            rounds.reduce(f32::min).map(f64::from)
        };
        let sum = |column: usize, third: usize| -> Option<f64> {
            untied.iter().map(|q| best(column, *q, third)).sum()
        };
        untied.first()?;
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for third in 0..THIRDS {
            let ratio = sum(ours, third)? / sum(theirs, third)?;
            (low, high) = (low.min(ratio), high.max(ratio));
        }
        Some((low, high))
    }
}

/// Three digits behind the point are enough for microseconds and ratios.
fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

impl Cell {
    /// As in the JSON report.
    pub fn json(&self) -> Value {
        let mut out = Map::new();
        out.insert("command".into(), self.command.name().into());
        out.insert("class".into(), self.class.name().into());
        out.insert("queries".into(), self.queries.into());
        for (engine, pair) in &self.times {
            out.insert(engine.clone(), pair.json());
        }
        if let Some(ratio) = &self.tantivy {
            out.insert("ties".into(), ratio.ties.into());
            out.insert("ratio_avg".into(), json!(ratio.ratio.map(|r| round(r.avg))));
            out.insert(
                "ratio_median".into(),
                json!(ratio.ratio.map(|r| round(r.median))),
            );
            let spread = self.spread.map(|(low, high)| [round(low), round(high)]);
            out.insert("ratio_spread".into(), json!(spread));
            out.insert("target".into(), json!(ratio.target));
            out.insert("missed".into(), ratio.missed().into());
        }
        if let Some(ratio) = &self.fastest {
            let fastest = json!({
                "ties": ratio.ties,
                "ratio_avg": ratio.ratio.map(|r| round(r.avg)),
                "ratio_median": ratio.ratio.map(|r| round(r.median)),
                "target": ratio.target,
                "missed": ratio.missed(),
            });
            out.insert("fastest_peer".into(), fastest);
        }
        Value::Object(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(engine: &str, best: &[f64]) -> Column {
        Column {
            engine: engine.to_owned(),
            best: best.iter().map(|us| vec![*us]).collect(),
            rounds: best.iter().map(|us| vec![vec![*us as f32; 3]]).collect(),
        }
    }

    fn cell(columns: &[Column]) -> Cell {
        let query = |text: &str| GameQuery::parse(text, Vec::new()).unwrap();
        let queries = [query("a b"), query("c d"), query("e f")];
        let mut found = cells(columns, &queries, &[Command::Count], false);
        assert_eq!(found.len(), 1);
        found.remove(0)
    }

    #[test]
    fn queries_at_the_floor_of_both_are_ties() {
        let ours = column("quidditch", &[9.0, 20.0, 30.0]);
        let theirs = column("tantivy", &[1.0, 100.0, 150.0]);
        let cell = cell(&[ours, theirs]);
        let ratio = cell.tantivy.unwrap();
        assert_eq!(ratio.ties, 1);
        assert_eq!(
            ratio.ratio,
            Some(Pair {
                avg: 0.2,
                median: 0.2
            })
        );
        assert_eq!((ratio.target, ratio.missed()), (0.25, false));
        assert!(cell.fastest.is_none());
    }

    #[test]
    fn the_faster_peer_counts_and_a_miss_is_marked() {
        let ours = column("quidditch", &[70.0, 70.0, 70.0]);
        let theirs = column("tantivy", &[100.0, 100.0, 100.0]);
        let lucene = column("lucene", &[80.0, 80.0, 80.0]);
        let cell = cell(&[ours, theirs, lucene]);
        assert!(cell.tantivy.unwrap().missed());
        let fastest = cell.fastest.unwrap();
        assert_eq!(fastest.ratio.unwrap().avg, 0.875);
        assert!(fastest.missed());
    }
}
