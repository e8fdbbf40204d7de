//! Counts the searches of a shard, all of them and by the groups that they name.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use quidditch_engine::shard::{OperationStats, SearchStats, ShardStats};

use super::search::Purpose;

/// Groups that are told apart; searches in further ones count only for the shard.
const GROUPS_MAX: usize = 1000;

/// Counters of one shard, since it was opened.
#[derive(Debug, Default)]
pub struct SearchCounters {
    counted: Mutex<Counted>,
}

#[derive(Debug, Default)]
struct Counted {
    all: SearchStats,
    groups: BTreeMap<String, SearchStats>,
}

/// A phase of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Finding.
    Query,
    /// Reading what was found.
    Fetch,
}

/// An open reader; it counts as open as long as this lives.
#[derive(Debug)]
pub struct OpenContext {
    counters: Arc<SearchCounters>,
    purpose: Purpose,
    began: Instant,
}

impl OpenContext {
    fn change(&self, change: impl Fn(&mut OperationStats), open: impl Fn(u64) -> u64) {
        let all = &mut self.counters.counted.lock().all;
        all.open_contexts = open(all.open_contexts);
        match self.purpose {
            Purpose::Fetch => {}
            Purpose::Scroll => change(&mut all.scroll),
            Purpose::PointInTime => change(&mut all.point_in_time),
        }
    }
}

impl Drop for OpenContext {
    fn drop(&mut self) {
        let time_ms = elapsed_ms(self.began);
        self.change(
            |stats| {
                stats.current = stats.current.saturating_sub(1);
                stats.total += 1;
                stats.time_ms += time_ms;
            },
            |open| open.saturating_sub(1),
        );
    }
}

fn elapsed_ms(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// A phase under way; it counts as failed unless [`Counting::succeed`] ends it.
#[derive(Debug)]
pub struct Counting {
    counters: Arc<SearchCounters>,
    phase: Phase,
    groups: Vec<String>,
    began: Instant,
    has_failed: bool,
}

impl SearchCounters {
    /// Begins to count one phase.
    pub fn begin(self: &Arc<SearchCounters>, phase: Phase, groups: &[String]) -> Counting {
        let counting = Counting {
            counters: self.clone(),
            phase,
            groups: groups.to_vec(),
            began: Instant::now(),
            has_failed: true,
        };
        counting.change(|stats| stats.current += 1);
        counting
    }

    /// Counts a reader that stays open.
    pub fn opened(self: &Arc<SearchCounters>, purpose: Purpose) -> OpenContext {
        let open = OpenContext {
            counters: self.clone(),
            purpose,
            began: Instant::now(),
        };
        open.change(|stats| stats.current += 1, |open| open + 1);
        open
    }

    /// Puts the counts into a shard's.
    pub fn fill(&self, stats: &mut ShardStats) {
        let counted = self.counted.lock();
        stats.search = counted.all;
        stats.search_groups.clone_from(&counted.groups);
    }
}

impl Counting {
    /// The phase ended well.
    pub fn succeed(mut self) {
        self.has_failed = false;
    }

    fn change(&self, change: impl Fn(&mut OperationStats)) {
        let pick = |stats: &mut SearchStats| match self.phase {
            Phase::Query => change(&mut stats.query),
            Phase::Fetch => change(&mut stats.fetch),
        };
        let mut counted = self.counters.counted.lock();
        pick(&mut counted.all);
        for group in &self.groups {
            let has_room = counted.groups.len() < GROUPS_MAX;
            if let Some(stats) = counted.groups.get_mut(group) {
                pick(stats);
            } else if has_room {
                pick(counted.groups.entry(group.clone()).or_default());
            }
        }
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        let time_ms = elapsed_ms(self.began);
        self.change(|stats| {
            stats.current = stats.current.saturating_sub(1);
            if self.has_failed {
                stats.failed += 1;
            } else {
                stats.total += 1;
                stats.time_ms += time_ms;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_runs_ends_and_fails_by_group() {
        let counters = Arc::new(SearchCounters::default());
        let groups = ["a".to_owned(), "b".to_owned()];
        let running = counters.begin(Phase::Query, &groups);
        counters.begin(Phase::Query, &groups[..1]).succeed();
        drop(counters.begin(Phase::Fetch, &[]));
        let mut stats = ShardStats::default();
        counters.fill(&mut stats);
        let query = stats.search.query;
        assert_eq!((query.total, query.current, query.failed), (1, 1, 0));
        assert_eq!(stats.search.fetch.failed, 1);
        assert_eq!(stats.search_groups["a"].query.total, 1);
        assert_eq!(stats.search_groups["b"].query.total, 0);
        running.succeed();
        counters.fill(&mut stats);
        assert_eq!(
            (stats.search.query.total, stats.search.query.current),
            (2, 0)
        );
    }
}
