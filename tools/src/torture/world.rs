//! What everybody who takes part shares: the cluster's addresses, the clock, the books.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use super::history::Operation;
use super::random::Random;
use crate::cluster::http::{Answer, Http, NoAnswer};

/// Longer than a request may wait in the cluster, shorter than a run.
const HTTP_TIMEOUT: Duration = Duration::from_secs(10);
/// Problems that are kept; more say nothing new.
const PROBLEMS_MAX: usize = 50;

/// One document: an index, a page of the run, a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Document {
    /// Number of the index.
    pub index: usize,
    /// Clients leave their documents behind after a while and take new ones, so that histories stay short.
    pub page: u64,
    /// Number on the page.
    pub number: u64,
}

impl Document {
    /// `_id`
    pub fn id(&self) -> String {
        format!("p{}-d{}", self.page, self.number)
    }
}

/// Name of an index.
pub fn index_name(index: usize) -> String {
    format!("register-{index}")
}

/// Counts of answers.
#[derive(Debug, Default)]
pub struct Counts {
    /// Operations with a known outcome.
    pub known: AtomicU64,
    /// Operations that may or may not have been done.
    pub unknown: AtomicU64,
    /// Reads without an answer.
    pub unread: AtomicU64,
    /// Searches that answered whole.
    pub searches: AtomicU64,
    /// Searches that answered in part, and said so.
    pub partial: AtomicU64,
    /// Searches without an answer.
    pub failed_searches: AtomicU64,
}

/// The books of a run.
#[derive(Debug)]
pub struct World {
    /// Where REST is served.
    pub urls: Vec<String>,
    /// How many indices there are.
    pub indices: usize,
    /// Asks.
    pub http: Http,
    /// The page that clients write on now.
    pub page: AtomicU64,
    /// Clients end.
    pub stop: AtomicBool,
    /// Counts of answers.
    pub counts: Counts,
    began: Instant,
    next_value: AtomicU64,
    histories: Mutex<BTreeMap<Document, Vec<Operation>>>,
    /// When writes were acknowledged, in ns, by index.
    acknowledged: Mutex<Vec<Vec<u64>>>,
    problems: Mutex<Vec<String>>,
}

/// What a panicking thread leaves behind is as good as before: the panic itself ends the run.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    match mutex.lock() {
        Ok(guard) => guard,
        Err(poisoned) => poisoned.into_inner(),
    }
}

impl World {
    /// Empty books.
    pub fn new(urls: Vec<String>, indices: usize) -> World {
        World {
            urls,
            indices,
            http: Http::new(HTTP_TIMEOUT),
            page: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            counts: Counts::default(),
            began: Instant::now(),
            next_value: AtomicU64::new(1),
            histories: Mutex::default(),
            acknowledged: Mutex::new(vec![Vec::new(); indices]),
            problems: Mutex::default(),
        }
    }

    /// Nanoseconds since the run began.
    pub fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Whether clients go on.
    pub fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    /// A value that nobody wrote before.
    pub fn fresh_value(&self) -> u64 {
        self.next_value.fetch_add(1, Ordering::Relaxed)
    }

    /// No value was given out that is this high.
    pub fn values_end(&self) -> u64 {
        self.next_value.load(Ordering::Relaxed)
    }

    /// Enters an operation.
    pub fn enter(&self, document: Document, operation: Operation) {
        let mut histories = lock(&self.histories);
        histories.entry(document).or_default().push(operation);
    }

    /// Enters that a write was acknowledged.
    pub fn enter_write(&self, index: usize, at: u64) {
        lock(&self.acknowledged)[index].push(at);
    }

    /// Whether a write to every index was acknowledged after this moment.
    pub fn is_writable_since(&self, moment: u64) -> bool {
        let acknowledged = lock(&self.acknowledged);
        let mut indices = acknowledged.iter();
        indices.all(|times| times.last().is_some_and(|last| *last > moment))
    }

    /// The longest time within a window in which no write to some index was acknowledged, in ns, and that index.
    pub fn longest_gap(&self, from: u64, to: u64) -> (u64, usize) {
        let acknowledged = lock(&self.acknowledged);
        let gaps = acknowledged.iter().enumerate();
        gaps.map(|(index, times)| (longest_gap(times, from, to), index))
            .max()
            .unwrap_or((0, 0))
    }

    /// All histories so far, by document.
    pub fn histories(&self) -> BTreeMap<Document, Vec<Operation>> {
        lock(&self.histories).clone()
    }

    /// Something is wrong.
    pub fn problem(&self, what: String) {
        let mut problems = lock(&self.problems);
        if problems.len() < PROBLEMS_MAX {
            problems.push(what);
        }
    }

    /// Everything that is wrong so far.
    pub fn problems(&self) -> Vec<String> {
        lock(&self.problems).clone()
    }

    /// Asks a coordination node; another one where nobody listens.
    pub fn ask(
        &self,
        random: &mut Random,
        method: &str,
        path: &str,
        body: &str,
    ) -> Result<Answer, NoAnswer> {
        let first = random.below(self.urls.len() as u64);
        let mut nobody = None;
        for n in 0..self.urls.len() as u64 {
            let at = ((first + n) % self.urls.len() as u64) as usize;
            match self
                .http
                .send(method, &format!("{}{path}", self.urls[at]), body)
            {
                Err(error) if error.never_sent => nobody = Some(error),
                answer => return answer,
            }
        }
        Err(nobody.unwrap_or(NoAnswer {
            never_sent: true,
            reason: "there is no coordination node".to_owned(),
        }))
    }

    /// The JSON of an answer with a good status.
    pub fn read(&self, random: &mut Random, path: &str) -> Result<Json, String> {
        let answer = self
            .ask(random, "GET", path, "")
            .map_err(|error| error.reason)?;
        if answer.status != 200 {
            return Err(format!(
                "{path} answered {}: {}",
                answer.status, answer.body
            ));
        }
        serde_json::from_str(&answer.body).map_err(|error| format!("{path}: {error}"))
    }
}

fn longest_gap(times: &[u64], from: u64, to: u64) -> u64 {
    // threads enter their writes a little out of order
    let mut inside: Vec<u64> = times
        .iter()
        .copied()
        .filter(|at| (from..=to).contains(at))
        .collect();
    inside.push(from);
    inside.push(to);
    inside.sort_unstable();
    let gaps = inside.windows(2).map(|pair| pair[1] - pair[0]);
    gaps.max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_gap_begins_and_ends_with_the_window() {
        assert_eq!(longest_gap(&[], 10, 30), 20);
        assert_eq!(longest_gap(&[5, 12, 11, 25, 40], 10, 30), 13);
        let world = World::new(Vec::new(), 2);
        world.enter_write(0, 10);
        world.enter_write(0, 20);
        assert_eq!(world.longest_gap(5, 25), (20, 1));
        assert!(!world.is_writable_since(5));
        world.enter_write(1, 15);
        assert!(world.is_writable_since(5) && !world.is_writable_since(16));
    }
}
