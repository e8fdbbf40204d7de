//! Searches of the shards on this node.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use quidditch_engine::search::{
    self, CanMatch, DocAddress, FetchedHit, MemoryAccount, SearchContext, SearchError,
    TermStatistics,
};
use quidditch_engine::segment::FIELDDATA;
use quidditch_engine::shard::ShardReader;

use super::contexts::{Contexts, OPEN_MAX, ReaderInUse};
use super::pool::Pools;
use super::search::{
    ContextId, CopyPreference, Purpose, ReaderNote, SearchLimits, SearchService, ShardFetch,
    ShardLook, ShardQuery, ShardQueryReply, ShardSearchError,
};
use super::search_counters::{Counting, Phase, SearchCounters};
use super::service::{ShardError, ShardTarget};
use crate::cluster::setting_values::parse_bytes;

/// Where the readers of open shards come from.
pub trait ShardReaders: Send + Sync {
    /// The last refreshed reader of a shard; `None` when the shard is not open here.
    fn reader(&self, target: &ShardTarget) -> Option<Arc<ShardReader>>;

    /// What counts the searches of a shard; `None` when nobody does.
    fn counters(&self, _target: &ShardTarget) -> Option<Arc<SearchCounters>> {
        None
    }
}

/// The search half of a data node.
pub struct LocalSearch {
    readers: Arc<dyn ShardReaders>,
    contexts: Arc<Contexts>,
    memory: Arc<MemoryAccount>,
    /// Bytes that a limit in hundredths is a part of.
    memory_total: u64,
    pools: Arc<Pools>,
}

impl LocalSearch {
    /// Searches on the search pool's threads.
    ///
    /// * `memory`: pays for what all searches together hold; its limit follows `indices.breaker.request.limit`.
    /// * `memory_total`: bytes that a limit in hundredths is a part of.
    pub fn new(
        readers: Arc<dyn ShardReaders>,
        contexts: Arc<Contexts>,
        memory: Arc<MemoryAccount>,
        memory_total: u64,
        pools: Arc<Pools>,
    ) -> LocalSearch {
        LocalSearch {
            readers,
            contexts,
            memory,
            memory_total,
            pools,
        }
    }

    /// The open readers.
    pub fn contexts(&self) -> &Arc<Contexts> {
        &self.contexts
    }

    fn current(&self, target: &ShardTarget) -> Result<Arc<ShardReader>, ShardSearchError> {
        self.readers
            .reader(target)
            .ok_or_else(|| ShardSearchError::NoShard {
                index: target.index.clone(),
                shard: target.shard,
            })
    }

    fn kept(
        &self,
        id: &ContextId,
        keep_alive: Option<Duration>,
    ) -> Result<ReaderInUse, ShardSearchError> {
        self.contexts
            .get(id, keep_alive)
            .ok_or_else(|| ShardSearchError::ContextMissing { id: id.clone() })
    }

    fn keep(
        &self,
        target: &ShardTarget,
        reader: Arc<ShardReader>,
        keep_alive: Duration,
        purpose: Purpose,
        most: usize,
    ) -> Result<ContextId, ShardSearchError> {
        let counters = self.readers.counters(target);
        let counted = counters.map(|counters| counters.opened(purpose));
        self.contexts
            .open(target, reader, keep_alive, purpose, most, counted)
            .ok_or_else(|| {
                ShardSearchError::Rejected(match purpose {
                    Purpose::PointInTime if most < OPEN_MAX => format!(
                        "Trying to create too many Point In Time contexts. Must be less than or equal to: [{most}]. \
                         This limit can be set by changing the [search.max_open_pit_context] setting."
                    ),
                    _ => format!(
                        "Trying to create too many search contexts. Must be less than or equal to: [{OPEN_MAX}]."
                    ),
                })
            })
    }

    /// Runs work on a thread that may block. If the caller goes away, the work is told to stop.
    async fn run<T, F>(&self, work: F) -> Result<T, ShardSearchError>
    where
        T: Send + 'static,
        F: FnOnce(&AtomicBool, &MemoryAccount) -> Result<T, SearchError> + Send + 'static,
    {
        let cancelled = Arc::new(AtomicBool::new(false));
        let _guard = CancelOnDrop(cancelled.clone());
        let memory = self.memory.clone();
        let done = self
            .pools
            .search
            .run(move || {
                let account = MemoryAccount::within(memory, u64::MAX);
                work(&cancelled, &account)
            })
            .await;
        match done {
            Ok(result) => Ok(result?),
            Err(ShardError::Rejected { reason }) => Err(ShardSearchError::Rejected(reason)),
            Err(failure) => Err(SearchError::Refused {
                kind: "exception".to_owned(),
                reason: format!("the search did not end: {failure}"),
                status: 500,
                cause: None,
            }
            .into()),
        }
    }
}

/// A limit in bytes; `None` when it reads as none, then the one before stays in force.
fn bytes_or_part(text: &str, total: u64) -> Option<u64> {
    let part = |share: f64| (total as f64 * share) as u64;
    if let Some(percent) = text.strip_suffix('%') {
        return percent.trim().parse().ok().map(|n: f64| part(n / 100.0));
    }
    match text.parse::<f64>() {
        Ok(ratio) if (0.0..=1.0).contains(&ratio) => Some(part(ratio)),
        _ => match parse_bytes(text, "indices.breaker").ok()? {
            -1 => Some(u64::MAX),
            bytes => u64::try_from(bytes).ok(),
        },
    }
}

struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn begin(
    counters: Option<&Arc<SearchCounters>>,
    phase: Phase,
    limits: &SearchLimits,
) -> Option<Counting> {
    counters.map(|counters| counters.begin(phase, &limits.groups))
}

fn succeed(counting: Option<Counting>) {
    if let Some(counting) = counting {
        counting.succeed();
    }
}

fn context_of<'a>(
    target: &'a ShardTarget,
    limits: &'a SearchLimits,
    now_ms: i64,
    cancelled: &'a AtomicBool,
    memory: &'a MemoryAccount,
) -> SearchContext<'a> {
    SearchContext {
        deadline: limits
            .timeout
            .and_then(|timeout| Instant::now().checked_add(timeout)),
        statistics: limits.statistics.as_ref(),
        shard: target.shard,
        shard_count: limits.shard_count,
        max_clause_count: limits.max_clause_count,
        allow_expensive_queries: limits.allow_expensive_queries,
        max_buckets: limits.max_buckets,
        ..SearchContext::new(&target.index, now_ms, cancelled, memory)
    }
}

#[async_trait]
impl SearchService for LocalSearch {
    async fn can_match(&self, looks: Vec<ShardLook>) -> Vec<Option<CanMatch>> {
        let count = looks.len();
        let mut readers = Vec::with_capacity(count);
        for look in &looks {
            let reader = match &look.query.context {
                // its time starts anew, whether the shard is asked or not
                Some(id) => self.kept(id, look.query.keep_alive),
                None => self.current(&look.target).map(Into::into),
            };
            readers.push(reader.ok());
        }
        let looking = self.run(move |cancelled, memory| {
            let mut answers = Vec::with_capacity(looks.len());
            for (look, reader) in looks.iter().zip(readers) {
                if cancelled.load(Ordering::Relaxed) {
                    return Err(SearchError::Cancelled);
                }
                let request = &look.query.request;
                let limits = &look.query.limits;
                let context = context_of(&look.target, limits, request.now_ms, cancelled, memory);
                let answer = reader.map(|reader| search::can_match(&reader, request, &context));
                answers.push(answer.and_then(Result::ok));
            }
            Ok(answers)
        });
        // the search itself says what is wrong
        looking.await.unwrap_or_else(|_| vec![None; count])
    }

    async fn query(
        &self,
        target: &ShardTarget,
        query: ShardQuery,
    ) -> Result<ShardQueryReply, ShardSearchError> {
        let reader = match &query.context {
            Some(id) => self.kept(id, query.keep_alive)?,
            None => self.current(target)?.into(),
        };
        let shared = reader.clone();
        if let Some(limit) = bytes_or_part(&query.limits.request_memory, self.memory_total) {
            self.memory.set_limit(limit);
        }
        if let Some(limit) = bytes_or_part(&query.limits.fielddata_memory, self.memory_total) {
            FIELDDATA.set_limit(limit);
        }
        let place = target.clone();
        let ShardQuery {
            request,
            limits,
            context,
            keep_alive,
            purpose,
            fetch,
            preference: _,
        } = query;
        let counters = self.readers.counters(target);
        let counting = begin(counters.as_ref(), Phase::Query, &limits);
        let (result, fetched) = self
            .run(move |cancelled, memory| {
                let context = context_of(&place, &limits, request.now_ms, cancelled, memory);
                let result = search::query(&reader, &request, &context)?;
                succeed(counting);
                let Some(fetch) = fetch else {
                    return Ok((result, None));
                };
                let hits = result.hits.iter().skip(fetch.skip);
                let docs: Vec<DocAddress> = hits.map(|hit| hit.doc).collect();
                if docs.is_empty() {
                    return Ok((result, Some(Vec::new())));
                }
                let counting = begin(counters.as_ref(), Phase::Fetch, &limits);
                let context = SearchContext {
                    deadline: None,
                    ..context
                };
                let fetched = search::fetch(&reader, &docs, &fetch.request, &context)?;
                succeed(counting);
                Ok((result, Some(fetched)))
            })
            .await?;
        let context = match (context, keep_alive) {
            (Some(id), _) => Some(id),
            (None, Some(time)) => Some(self.keep(target, shared, time, purpose, OPEN_MAX)?),
            (None, None) => None,
        };
        Ok(ShardQueryReply {
            node: None,
            context,
            result,
            fetched,
        })
    }

    async fn term_statistics(
        &self,
        target: &ShardTarget,
        query: ShardQuery,
    ) -> Result<TermStatistics, ShardSearchError> {
        let reader: ReaderInUse = match &query.context {
            Some(id) => self.kept(id, None)?,
            None => self.current(target)?.into(),
        };
        let place = target.clone();
        self.run(move |cancelled, memory| {
            let request = &query.request;
            let context = context_of(&place, &query.limits, request.now_ms, cancelled, memory);
            let mut queries = vec![request.query.clone()];
            queries.extend(request.rescore.iter().map(|pass| pass.query.clone()));
            search::term_statistics(&reader, &queries, &context)
        })
        .await
    }

    async fn fetch(
        &self,
        target: &ShardTarget,
        fetch: ShardFetch,
    ) -> Result<Vec<FetchedHit>, ShardSearchError> {
        let reader = self.kept(&fetch.context, None)?;
        let (place, id, release) = (target.clone(), fetch.context.clone(), fetch.release);
        let counters = self.readers.counters(target);
        let counting = begin(counters.as_ref(), Phase::Fetch, &fetch.limits);
        let result = self
            .run(move |cancelled, memory| {
                let limits = SearchLimits {
                    timeout: None,
                    ..fetch.limits
                };
                let context = context_of(&place, &limits, fetch.now_ms, cancelled, memory);
                search::fetch(&reader, &fetch.docs, &fetch.request, &context)
            })
            .await;
        if release {
            self.contexts.free(&id);
        }
        if result.is_ok() {
            succeed(counting);
        }
        result
    }

    async fn open_context(
        &self,
        target: &ShardTarget,
        _preference: &CopyPreference,
        keep_alive: Duration,
        open_max: usize,
    ) -> Result<ContextId, ShardSearchError> {
        let reader = self.current(target)?;
        self.keep(target, reader, keep_alive, Purpose::PointInTime, open_max)
    }

    async fn extend_context(
        &self,
        _target: &ShardTarget,
        id: ContextId,
        keep_alive: Duration,
    ) -> Result<(), ShardSearchError> {
        self.kept(&id, Some(keep_alive)).map(|_| ())
    }

    async fn write_note(
        &self,
        _target: &ShardTarget,
        id: &ContextId,
        note: Bytes,
    ) -> Result<(), ShardSearchError> {
        match self.contexts.write_note(id, note) {
            true => Ok(()),
            false => Err(ShardSearchError::ContextMissing { id: id.clone() }),
        }
    }

    async fn read_note(
        &self,
        _target: &ShardTarget,
        id: &ContextId,
    ) -> Result<Bytes, ShardSearchError> {
        let note = self.contexts.read_note(id);
        note.ok_or_else(|| ShardSearchError::ContextMissing { id: id.clone() })
    }

    async fn read_notes(&self, purpose: Purpose) -> Vec<ReaderNote> {
        self.contexts.notes(purpose)
    }

    async fn free_all(&self, purpose: Purpose) -> u64 {
        self.contexts.free_all(purpose)
    }

    async fn free_context(&self, _target: &ShardTarget, id: ContextId) -> bool {
        self.contexts.free(&id)
    }

    fn release_contexts(&self, contexts: Vec<(ShardTarget, ContextId)>) {
        for (_, id) in contexts {
            self.contexts.free(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_bytes_or_a_part_of_the_memory() {
        assert_eq!(bytes_or_part("60%", 1000), Some(600));
        assert_eq!(bytes_or_part("0.5", 1000), Some(500));
        assert_eq!(bytes_or_part("2kb", 1000), Some(2048));
        assert_eq!(bytes_or_part("-1", 1000), Some(u64::MAX));
        assert_eq!(bytes_or_part("plenty", 1000), None);
    }
}
