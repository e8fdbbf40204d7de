//! What a run has shown.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::Options;
use super::faults::Round;
use super::world::{World, index_name};

/// The sums of a run.
#[derive(Clone, Debug)]
pub struct Report {
    /// Seed of the run.
    pub seed: u64,
    /// Rounds that were done.
    pub rounds: usize,
    /// Faults by kind.
    pub faults: BTreeMap<&'static str, usize>,
    /// Operations with a known outcome, with an unknown one, reads without an answer.
    pub operations: [u64; 3],
    /// Searches that answered whole, in part, not at all.
    pub searches: [u64; 3],
    /// Documents whose histories were checked.
    pub documents: usize,
    /// How often a replica became primary.
    pub promotions: usize,
    /// Unavailability of each round, ascending, by the kind of its first fault; under `all`, of all.
    pub unavailable: BTreeMap<&'static str, Vec<Duration>>,
    /// The worst round.
    pub worst: Option<String>,
    /// Everything that must not be, and was.
    pub problems: Vec<String>,
}

impl Report {
    pub(super) fn new(
        options: &Options,
        world: &World,
        rounds: Vec<Round>,
        documents: usize,
        promotions: usize,
    ) -> Report {
        let mut faults = BTreeMap::new();
        let mut unavailable: BTreeMap<&'static str, Vec<Duration>> = BTreeMap::new();
        for round in &rounds {
            for fault in &round.faults {
                *faults.entry(fault.kind()).or_insert(0) += 1;
            }
            let kinds = round.faults.first().map(|fault| fault.kind());
            for kind in kinds.into_iter().chain(["all"]) {
                unavailable.entry(kind).or_default().push(round.unavailable);
            }
        }
        for times in unavailable.values_mut() {
            times.sort_unstable();
        }
        let worst = rounds.iter().max_by_key(|round| round.unavailable);
        let counts = &world.counts;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Report {
            seed: options.seed,
            rounds: rounds.len(),
            faults,
            operations: [&counts.known, &counts.unknown, &counts.unread].map(read),
            searches: [&counts.searches, &counts.partial, &counts.failed_searches].map(read),
            documents,
            promotions,
            unavailable,
            worst: worst.map(|round| {
                let faults: Vec<String> = round.faults.iter().map(ToString::to_string).collect();
                format!("{} ({})", faults.join(" and "), index_name(round.index))
            }),
            problems: world.problems(),
        }
    }

    /// Whether nothing was found.
    pub fn is_good(&self) -> bool {
        self.problems.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults: Vec<String> = self
            .faults
            .iter()
            .map(|(kind, count)| format!("{count} {kind}"))
            .collect();
        let [known, unknown, unread] = self.operations;
        let [whole, partial, failed] = self.searches;
        writeln!(f, "seed        {}", self.seed)?;
        writeln!(f, "rounds      {} ({})", self.rounds, faults.join(", "))?;
        writeln!(
            f,
            "operations  {known} with a known outcome, {unknown} unknown, {unread} reads unanswered"
        )?;
        writeln!(
            f,
            "searches    {whole} whole, {partial} partial, {failed} unanswered"
        )?;
        writeln!(f, "documents   {} histories checked", self.documents)?;
        writeln!(f, "promotions  {}", self.promotions)?;
        for (kind, times) in &self.unavailable {
            let seconds = |time: Option<&Duration>| time.map_or(0.0, Duration::as_secs_f64);
            writeln!(
                f,
                "unavailable {kind:<8} median {:.2} s, max {:.2} s",
                seconds(times.get(times.len() / 2)),
                seconds(times.last())
            )?;
        }
        if let Some(worst) = &self.worst {
            writeln!(f, "worst       {worst}")?;
        }
        writeln!(f, "problems    {}", self.problems.len())?;
        for problem in &self.problems {
            writeln!(f, "  {problem}")?;
        }
        Ok(())
    }
}
