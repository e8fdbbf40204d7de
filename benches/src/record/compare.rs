//! Two sets of results, and what exceeds their noise.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::Entry;

/// A difference below this, relatively, is no finding, however sure it is.
const LEAST: f64 = 0.03;

/// What became of a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Slower than before, beyond the noise of both.
    Slower,
    /// Faster than before, beyond the noise of both.
    Faster,
    /// No difference that can be told from noise.
    Same,
}

/// One measurement before and after.
#[derive(Clone, Debug)]
pub struct Change {
    /// Its name.
    pub name: String,
    /// Before.
    pub before: Entry,
    /// After.
    pub after: Entry,
}

impl Change {
    /// After divided by before.
    pub fn ratio(&self) -> f64 {
        self.after.ns / self.before.ns
    }

    /// What became of it.
    pub fn verdict(&self) -> Verdict {
        let ratio = self.ratio();
        if ratio > 1.0 + LEAST && self.after.low > self.before.high {
            Verdict::Slower
        } else if ratio < 1.0 - LEAST && self.after.high < self.before.low {
            Verdict::Faster
        } else {
            Verdict::Same
        }
    }
}

/// The measurements that both have.
pub fn changes(before: &BTreeMap<String, Entry>, after: &BTreeMap<String, Entry>) -> Vec<Change> {
    let both = before.iter().filter_map(|(name, before)| {
        Some(Change {
            name: name.clone(),
            before: *before,
            after: *after.get(name)?,
        })
    });
    both.collect()
}

/// Several rounds of the same measurements as one: the median, and how far the rounds lie apart.
pub fn joined(rounds: &[BTreeMap<String, Entry>]) -> BTreeMap<String, Entry> {
    let mut joined = BTreeMap::new();
    for name in rounds.first().into_iter().flat_map(BTreeMap::keys) {
        let mut times: Vec<f64> = rounds
            .iter()
            .filter_map(|round| Some(round.get(name)?.ns))
            .collect();
        times.sort_unstable_by(f64::total_cmp);
        if let (Some(low), Some(high)) = (times.first(), times.last()) {
            let (ns, low, high) = (times[times.len() / 2], *low, *high);
            joined.insert(name.clone(), Entry { ns, low, high });
        }
    }
    joined
}

/// A line for each measurement, what changed first.
pub fn table(changes: &[Change]) -> String {
    let mut sorted: Vec<&Change> = changes.iter().collect();
    sorted.sort_by(|a, b| {
        let same = |change: &Change| change.verdict() == Verdict::Same;
        let by_verdict = same(a).cmp(&same(b));
        by_verdict.then_with(|| b.ratio().total_cmp(&a.ratio()))
    });
    let mut out = format!(
        "{:<44}{:>12}{:>12}{:>8}\n",
        "", "before, ns", "after, ns", "ratio"
    );
    for change in sorted {
        let mark = match change.verdict() {
            Verdict::Slower => "  slower",
            Verdict::Faster => "  faster",
            Verdict::Same => "",
        };
        let (name, ratio) = (&change.name, change.ratio());
        let (before, after) = (change.before.ns, change.after.ns);
        let _ = writeln!(
            out,
            "{name:<44}{before:>12.4}{after:>12.4}{ratio:>8.3}{mark}"
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(before: (f64, f64, f64), after: (f64, f64, f64)) -> Verdict {
        let entry = |(low, ns, high)| Entry { ns, low, high };
        let change = Change {
            name: "kernels/and".to_owned(),
            before: entry(before),
            after: entry(after),
        };
        change.verdict()
    }

    #[test]
    fn only_what_exceeds_the_noise_of_both_is_a_finding() {
        assert_eq!(verdict((0.9, 1.0, 1.1), (1.2, 1.3, 1.4)), Verdict::Slower);
        assert_eq!(verdict((0.9, 1.0, 1.25), (1.2, 1.3, 1.4)), Verdict::Same);
        assert_eq!(verdict((0.9, 1.0, 1.1), (0.5, 0.6, 0.7)), Verdict::Faster);
        // sure, but too small to matter
        assert_eq!(verdict((1.0, 1.0, 1.0), (1.01, 1.01, 1.01)), Verdict::Same);
    }

    #[test]
    fn rounds_join_to_their_middle_and_their_ends() {
        let round = |ns| {
            let (low, high) = (ns, ns);
            BTreeMap::from([("a".to_owned(), Entry { ns, low, high })])
        };
        let joined = joined(&[round(3.0), round(1.0), round(2.0)]);
        let (ns, low, high) = (2.0, 1.0, 3.0);
        assert_eq!(joined["a"], Entry { ns, low, high });
    }
}
