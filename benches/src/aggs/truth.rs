//! The right answers, from the rows alone.

use anyhow::{Result, bail, ensure};
use hashbrown::HashMap;

use super::rows::{Row, STATUSES};
use super::{Answer, INTERVAL_MS, PERCENTS, RANGES, TERMS, Workload};

/// How far sums and means may be off, relatively: they are added in other orders.
const ROUNDING: f64 = 1e-9;
/// How far `cardinality` may be off, relatively.
const CARDINALITY_ERROR: f64 = 0.05;
/// How far percentiles may be off, in percent of the rows.
const PERCENTILE_ERROR: f64 = 1.0;

/// Count, smallest, largest and sum.
#[derive(Clone, Copy)]
struct Stats {
    count: u64,
    min: f64,
    max: f64,
    sum: f64,
}

impl Stats {
    const NONE: Stats = Stats {
        count: 0,
        min: f64::INFINITY,
        max: f64::NEG_INFINITY,
        sum: 0.0,
    };

    fn add(&mut self, value: f64) {
        self.count += 1;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.sum += value;
    }
}

/// What is known of the rows.
pub struct Truth {
    statuses: HashMap<String, u64>,
    /// Documents of each user.
    users: Vec<u64>,
    days: Vec<(i64, Stats)>,
    ranges: Vec<Stats>,
    /// Ascending.
    latencies: Vec<f64>,
}

impl Truth {
    /// Looks at every row.
    pub fn of(rows: u64) -> Truth {
        let mut truth = Truth {
            statuses: HashMap::new(),
            users: vec![0; (rows / 10).max(1) as usize],
            days: Vec::new(),
            ranges: vec![Stats::NONE; RANGES.len() + 1],
            latencies: Vec::with_capacity(rows as usize),
        };
        let mut statuses = STATUSES.map(|status| (status, 0));
        for number in 0..rows {
            let row = Row::new(number, rows);
            for (status, count) in &mut statuses {
                *count += u64::from(*status == row.status);
            }
            truth.users[row.user as usize] += 1;
            let day = row.time_ms.div_euclid(INTERVAL_MS) * INTERVAL_MS;
            // rows are about in order of time
            let known = truth.days.iter_mut().rev().find(|(start, _)| *start == day);
            match known {
                Some((_, stats)) => stats.add(row.latency),
                None => {
                    let mut stats = Stats::NONE;
                    stats.add(row.latency);
                    truth.days.push((day, stats));
                }
            }
            let range = RANGES.iter().filter(|bound| row.bytes >= **bound).count();
            truth.ranges[range].add(row.latency);
            truth.latencies.push(row.latency);
        }
        let known = statuses.into_iter().filter(|(_, count)| *count > 0);
        truth.statuses = known
            .map(|(name, count)| (name.to_owned(), count))
            .collect();
        truth.days.sort_unstable_by_key(|(start, _)| *start);
        truth.latencies.sort_unstable_by(f64::total_cmp);
        truth
    }

    /// An error that says what is wrong with an answer.
    pub fn check(&self, workload: Workload, answer: &Answer) -> Result<()> {
        match (workload, answer) {
            (Workload::TermsLow, Answer::Buckets(buckets)) => {
                let counts = self.statuses.values().copied().collect();
                check_terms(buckets, counts, |key| self.statuses.get(key).copied())
            }
            (Workload::TermsHigh, Answer::Buckets(buckets)) => {
                check_terms(buckets, self.users.clone(), |key| {
                    let user: usize = key.strip_prefix("user")?.parse().ok()?;
                    self.users.get(user).copied()
                })
            }
            (Workload::DateHistogramAvg, Answer::Buckets(buckets)) => {
                ensure!(buckets.len() == self.days.len(), "{} days", buckets.len());
                for ((key, count, metrics), (day, stats)) in buckets.iter().zip(&self.days) {
                    let wanted = (day.to_string(), stats.count);
                    ensure!((key, count) == (&wanted.0, &wanted.1), "day {key}: {count}");
                    check_close(metrics, &[stats.sum / stats.count as f64])?;
                }
                Ok(())
            }
            (Workload::RangeStats, Answer::Buckets(buckets)) => {
                ensure!(
                    buckets.len() == self.ranges.len(),
                    "{} ranges",
                    buckets.len()
                );
                for ((key, count, metrics), stats) in buckets.iter().zip(&self.ranges) {
                    ensure!(*count == stats.count, "range {key}: {count}");
                    let mean = stats.sum / stats.count as f64;
                    let wanted = [stats.count as f64, stats.min, stats.max, mean, stats.sum];
                    check_close(metrics, &wanted)?;
                }
                Ok(())
            }
            (Workload::Cardinality, Answer::Numbers(numbers)) => {
                let wanted = self.users.iter().filter(|count| **count > 0).count() as f64;
                ensure!(numbers.len() == 1, "{} numbers", numbers.len());
                let error = (numbers[0] - wanted).abs() / wanted;
                ensure!(
                    error <= CARDINALITY_ERROR,
                    "{} values, not {wanted}",
                    numbers[0]
                );
                Ok(())
            }
            (Workload::Percentiles, Answer::Numbers(numbers)) => self.check_percentiles(numbers),
            (_, other) => bail!("another kind of answer: {other:?}"),
        }
    }

    fn check_percentiles(&self, numbers: &[f64]) -> Result<()> {
        ensure!(numbers.len() == PERCENTS.len(), "{} numbers", numbers.len());
        for (percent, value) in PERCENTS.iter().zip(numbers) {
            let at = |percent: f64| {
                let last = self.latencies.len() - 1;
                let place = (percent.clamp(0.0, 100.0) / 100.0 * last as f64) as usize;
                self.latencies[place]
            };
            let low = at(percent - PERCENTILE_ERROR);
            let high = at(percent + PERCENTILE_ERROR);
            ensure!(
                (low..=high).contains(value),
                "percentile {percent} is {value}, not from {low} to {high}"
            );
        }
        Ok(())
    }
}

/// Counts must be right and the largest; which of equal ones is shown is open.
fn check_terms(
    buckets: &[(String, u64, Vec<f64>)],
    mut counts: Vec<u64>,
    count_of: impl Fn(&str) -> Option<u64>,
) -> Result<()> {
    counts.sort_unstable_by(|a, b| b.cmp(a));
    counts.truncate(TERMS);
    let found: Vec<u64> = buckets.iter().map(|bucket| bucket.1).collect();
    ensure!(found == counts, "counts {found:?}, not {counts:?}");
    for (key, count, _) in buckets {
        ensure!(count_of(key) == Some(*count), "term {key}: {count}");
    }
    Ok(())
}

fn check_close(found: &[f64], wanted: &[f64]) -> Result<()> {
    let close = |(a, b): (&f64, &f64)| (a - b).abs() <= b.abs() * ROUNDING;
    ensure!(
        found.len() == wanted.len() && found.iter().zip(wanted).all(close),
        "{found:?}, not {wanted:?}"
    );
    Ok(())
}
