//! The loop of a job by query.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use quidditch_engine::search::Slice;
use serde_json::Value;

use super::progress::parts_json;
use super::{Conflicts, DestinationRouting, Job, Kind, Progress, Slices, WriteFailure};
use crate::coordination::dsl::sort::sort_key;
use crate::coordination::dsl::source::FetchSource;
use crate::coordination::index_limits::check_slices;
use crate::coordination::rest::{App, RestError};
use crate::coordination::search_response::HitJson;
use crate::coordination::tasks::Task;
use crate::coordination::write::{self, DocWrite, VersionType, WriteAction};
use crate::data::service::{ShardTarget, WriteKind};

/// Most parts that `slices=auto` makes.
const AUTO_SLICES_MAX: u32 = 20;

/// What the parts of a job share.
struct Shared<'a> {
    app: &'a Arc<App>,
    job: &'a Job,
    task: &'a Task,
    /// Documents that may still be written.
    left: AtomicU64,
    parts: Mutex<Vec<Progress>>,
    written: Mutex<BTreeSet<String>>,
}

/// Does a job; gives the HTTP status and the answer.
pub async fn run(app: &Arc<App>, job: &Job, task: &Task) -> Result<(u16, Value), RestError> {
    let started = app.clock.monotonic();
    let count = slice_count(app, job)?;
    let shared = Shared {
        app,
        job,
        task,
        left: AtomicU64::new(job.max_docs.unwrap_or(u64::MAX)),
        parts: Mutex::new(vec![Progress::default(); count as usize]),
        written: Mutex::new(BTreeSet::new()),
    };
    let mut running = Vec::new();
    for part in 0..count {
        running.push(shared.run_part(part, count));
    }
    for result in futures::future::join_all(running).await {
        result?;
    }
    if job.refresh {
        shared.refresh().await?;
    }
    let parts = shared.parts.lock().clone();
    let mut all = Progress::default();
    for part in &parts {
        all.add(part);
    }
    let took = app.clock.monotonic().saturating_sub(started);
    Ok((
        all.http_status(),
        all.answer(&job.kind, task.rate(), took, &parts),
    ))
}

fn slice_count(app: &App, job: &Job) -> Result<u32, RestError> {
    if job.search.body.slice.is_some() {
        return Ok(1);
    }
    let names: Vec<&str> = job.search.indices.iter().map(String::as_str).collect();
    let indices = app
        .state()
        .resolve_all(&names, &job.search.options, app.now_ms())?;
    match job.slices {
        Slices::Count(count) => {
            for index in &indices {
                let allowed = index.metadata.schema.settings.max_slices_per_scroll;
                check_slices(count, allowed, "index.max_slices_per_scroll")?;
            }
            Ok(count.max(1))
        }
        Slices::Auto => {
            let fewest = indices
                .iter()
                .map(|index| index.metadata.number_of_shards)
                .min()
                .unwrap_or(1);
            Ok(fewest.clamp(1, AUTO_SLICES_MAX))
        }
    }
}

impl Shared<'_> {
    async fn run_part(&self, part: u32, count: u32) -> Result<(), RestError> {
        let mut search = self.job.search.clone();
        search.scroll = Some(Duration::from_secs(300));
        search.body.seq_no_primary_term = Some(true);
        search.body.version = Some(true);
        if search.body.sort.is_empty() {
            search.body.sort = vec![sort_key("_doc")];
        }
        if self.job.kind == Kind::Delete {
            search.body.source = Some(FetchSource::NONE);
        }
        if count > 1 {
            search.body.slice = Some(Slice {
                id: part,
                max: count,
                field: None,
            });
        }
        search.allow_partial = Some(false);
        let mut page = self.app.searcher.search(&search).await?;
        let total = page.total.map_or(0, |total| total.value);
        self.update(part, |progress| {
            progress.total = total.min(self.job.max_docs.unwrap_or(u64::MAX))
        });
        let Some(scroll) = page.scroll_id.clone() else {
            return Err(RestError::internal("the scroll has no id"));
        };
        let result = loop {
            if !page.shard_failures.is_empty() {
                // what a failed shard holds would be left out without a word
                let failures = std::mem::take(&mut page.shard_failures);
                self.update(part, |progress| progress.search_failures.extend(failures));
                break Ok(());
            }
            if page.timed_out {
                // a page that lacks hits is no basis to go on from, as in OpenSearch
                self.update(part, |progress| progress.timed_out = true);
                break Ok(());
            }
            if page.hits.is_empty() || self.task.is_cancelled() {
                break Ok(());
            }
            match self.write_page(part, std::mem::take(&mut page.hits)).await {
                Ok(true) => {}
                Ok(false) => break Ok(()),
                Err(error) => break Err(error),
            }
            match self
                .app
                .searcher
                .continue_scroll(&scroll, None, false)
                .await
            {
                Ok(next) => page = next,
                Err(error) => break Err(error),
            }
        };
        self.app
            .searcher
            .clear_scrolls(std::slice::from_ref(&scroll))
            .await?;
        if self.task.is_cancelled() {
            self.update(part, |progress| progress.canceled = true);
        }
        result
    }

    /// Writes one page; false if the job is to end.
    async fn write_page(&self, part: u32, mut hits: Vec<HitJson>) -> Result<bool, RestError> {
        let mut take = hits.len() as u64;
        let _ = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                take = take.min(left);
                Some(left - take)
            });
        let last = (take as usize) < hits.len() || self.left.load(Ordering::Relaxed) == 0;
        hits.truncate(take as usize);
        if hits.is_empty() {
            return Ok(false);
        }
        let began = self.app.clock.monotonic();
        let mut writes = Vec::with_capacity(hits.len());
        let mut names = Vec::with_capacity(hits.len());
        for hit in hits {
            let write = self.write_of(hit)?;
            names.push((write.index.clone(), write.id.clone().unwrap_or_default()));
            writes.push(write);
        }
        let answers = write::run(self.app, writes, &self.job.write).await;
        let mut ended = false;
        let mut page = Progress {
            batches: 1,
            ..Progress::default()
        };
        for ((index, id), answer) in names.iter().zip(answers) {
            match answer {
                Ok(answer) => {
                    self.written.lock().insert(answer.index.clone());
                    match answer.outcome.result {
                        WriteKind::Created => page.created += 1,
                        WriteKind::Updated => page.updated += 1,
                        WriteKind::Deleted => page.deleted += 1,
                        WriteKind::Noop | WriteKind::NotFound => {}
                    }
                }
                Err(error) => {
                    let conflict = error.kind == "version_conflict_engine_exception";
                    page.version_conflicts += u64::from(conflict);
                    if conflict && self.job.conflicts == Conflicts::Proceed {
                        continue;
                    }
                    ended = true;
                    page.failures.push(WriteFailure {
                        index: index.clone(),
                        id: id.clone(),
                        error,
                    });
                }
            }
        }
        let written = names.len();
        self.update(part, |progress| progress.add(&page));
        if ended || last {
            return Ok(false);
        }
        let slept = self.keep_rate(written, began).await;
        self.update(part, |progress| progress.throttled += slept);
        Ok(true)
    }

    /// Sleeps as long as the rate wants after so many writes that began then.
    async fn keep_rate(&self, written: usize, began: Duration) -> Duration {
        let mut slept = Duration::ZERO;
        loop {
            let rate = self.task.rate();
            if !rate.is_finite() || rate <= 0.0 || self.task.is_cancelled() {
                return slept;
            }
            let wanted = Duration::try_from_secs_f64(written as f64 / f64::from(rate))
                .unwrap_or(Duration::MAX);
            let passed = self.app.clock.monotonic().saturating_sub(began);
            if passed >= wanted {
                return slept;
            }
            // in steps, so that a new rate or a stop is seen soon
            let step = (wanted - passed).min(Duration::from_millis(100));
            tokio::time::sleep(step).await;
            slept += step;
        }
    }

    fn write_of(&self, hit: HitJson) -> Result<DocWrite, RestError> {
        let id = hit.id.unwrap_or_default();
        let source = || match &hit.source {
            Some(raw) => Ok(Bytes::from(raw.get().to_owned())),
            None => Err(RestError::illegal_argument(format!(
                "[{}][{id}] didn't store _source",
                hit.index
            ))),
        };
        let mut write = match &self.job.kind {
            Kind::Delete => DocWrite::new(hit.index, Some(id), WriteAction::Delete),
            Kind::Update => {
                let action = WriteAction::Index {
                    source: source()?,
                    create: false,
                };
                DocWrite::new(hit.index, Some(id), action)
            }
            Kind::Reindex(to) => {
                let action = WriteAction::Index {
                    source: source()?,
                    create: to.create,
                };
                let mut write = DocWrite::new(to.index.clone(), Some(id), action);
                write.version_type = to.version_type;
                if to.version_type != VersionType::Internal {
                    write.version = hit.version.and_then(|version| i64::try_from(version).ok());
                }
                write.routing = match &to.routing {
                    DestinationRouting::Keep => hit.routing,
                    DestinationRouting::Discard => None,
                    DestinationRouting::Set(routing) => Some(routing.clone()),
                };
                return Ok(write);
            }
        };
        write.routing = hit.routing;
        write.if_seq_no = hit.seq_no;
        write.if_primary_term = hit.primary_term.and_then(|term| i64::try_from(term).ok());
        Ok(write)
    }

    /// Changes the counters of one part and shows them all.
    fn update(&self, part: u32, change: impl FnOnce(&mut Progress)) {
        let mut parts = self.parts.lock();
        if let Some(progress) = parts.get_mut(part as usize) {
            change(progress);
        }
        let mut all = Progress::default();
        for part in parts.iter() {
            all.add(part);
        }
        let rate = self.task.rate();
        let mut status = all.status(&self.job.kind, rate);
        if parts.len() > 1 {
            status.insert("slices".into(), parts_json(&self.job.kind, rate, &parts));
        }
        self.task.set_status(Value::Object(status));
    }

    /// Makes what was written searchable.
    async fn refresh(&self) -> Result<(), RestError> {
        let state = self.app.state();
        let names = self.written.lock().clone();
        for name in names {
            let Some(index) = state.index(&name) else {
                continue;
            };
            for shard in 0..index.number_of_shards {
                let target = ShardTarget {
                    index: name.clone(),
                    index_uuid: index.uuid.clone(),
                    shard,
                };
                self.app.shards.refresh(&target).await?;
            }
        }
        Ok(())
    }
}
