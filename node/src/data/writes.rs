//! Writes at work on a shard of this node: side by side where processors idle, in order for each document, synced once.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use quidditch_engine::ids::{PrimaryTerm, SeqNo};
use quidditch_engine::schema::Durability;
use quidditch_engine::shard::{DeleteOp, IndexOp, Origin, Shard, VersionCheck, WriteResult};
use quidditch_engine::translog::Location;

use super::local::{LocalShard, write_error};
use super::pool::Pools;
use super::service::{ShardError, VersionRule, WriteKind, WriteOp, WriteOutcome};
use super::update;

/// A part of less than so many bytes is not worth another thread.
const PART_BYTES_MIN: usize = 64 << 10;
/// What an operation costs besides its source, as if it were bytes.
const OP_BYTES: usize = 256;

type Outcomes = Vec<Result<WriteOutcome, ShardError>>;

/// Spreads operations over the threads of the write pool.
#[derive(Debug)]
pub(super) struct Writes {
    pools: Arc<Pools>,
    processors: usize,
    /// Threads that index now, and do not merely wait for the disk.
    indexing: Arc<AtomicUsize>,
    /// Tells documents apart, so that each has its operations on one thread.
    hasher: RandomState,
}

/// Operations on some documents, each with its place among all.
type Part = Vec<(usize, WriteOp)>;

impl Writes {
    pub fn new(pools: Arc<Pools>, processors: usize) -> Writes {
        Writes {
            pools,
            processors,
            indexing: Arc::default(),
            hasher: RandomState::new(),
        }
    }

    /// Does operations, those on one document in their order, and waits for the disk.
    pub async fn run(
        &self,
        shard: &Arc<LocalShard>,
        ops: Vec<WriteOp>,
    ) -> Result<Outcomes, ShardError> {
        let mut results: Outcomes = Vec::new();
        results.resize_with(ops.len(), || Err(ShardError::Behind));
        let mut parts = self.parts(ops);
        if parts.len() == 1
            && let Some(part) = parts.pop()
        {
            self.index(shard, part, true).await?.fill(&mut results);
            return Ok(results);
        }
        let mut running = Vec::with_capacity(parts.len());
        for part in parts {
            running.push(async {
                let places: Vec<usize> = part.iter().map(|(place, _)| *place).collect();
                (places, self.index(shard, part, false).await)
            });
        }
        let mut last = None;
        for (places, done) in futures::future::join_all(running).await {
            match done {
                Ok(done) => {
                    last = last.max(done.last);
                    done.fill(&mut results);
                }
                // the others are done, or have errors of their own
                Err(error) => {
                    for place in places {
                        results[place] = Err(error.clone());
                    }
                }
            }
        }
        let shard = shard.clone();
        let synced = self.pools.write.run(move || sync(&shard.shard, last));
        synced.await??;
        Ok(results)
    }

    /// As many parts as there are idle processors, as long as each is worth a thread.
    fn parts(&self, ops: Vec<WriteOp>) -> Vec<Part> {
        let bytes: usize = ops.iter().map(op_bytes).sum();
        let idle = self
            .processors
            .saturating_sub(self.indexing.load(Ordering::Relaxed));
        let count = idle.min(bytes / PART_BYTES_MIN).max(1);
        let mut parts: Vec<Part> = vec![Vec::with_capacity(ops.len() / count + 1); count];
        for (place, op) in ops.into_iter().enumerate() {
            let part = match count {
                1 => 0,
                _ => self.hasher.hash_one(op.id()) as usize % count,
            };
            parts[part].push((place, op));
        }
        parts
    }

    async fn index(
        &self,
        shard: &Arc<LocalShard>,
        part: Part,
        and_sync: bool,
    ) -> Result<Done, ShardError> {
        let (shard, indexing) = (shard.clone(), self.indexing.clone());
        let work = move || {
            let done = Indexing::begin(&indexing).work(&shard.shard, part);
            if and_sync {
                sync(&shard.shard, done.last)?;
            }
            Ok(done)
        };
        self.pools.write.run(work).await?
    }
}

/// About how much work an operation is.
fn op_bytes(op: &WriteOp) -> usize {
    let source = match op {
        WriteOp::Index { source, .. } => source.len(),
        WriteOp::Delete { .. } => 0,
        WriteOp::Update(update) => update.doc.as_ref().map_or(0, |doc| doc.len()),
    };
    source + OP_BYTES
}

/// What became of a part.
struct Done {
    /// By place; those that are behind a mapping update are missing.
    results: Vec<(usize, Result<WriteOutcome, ShardError>)>,
    /// Where the last operation stands in the translog.
    last: Option<Location>,
}

impl Done {
    fn fill(self, results: &mut Outcomes) {
        for (place, result) in self.results {
            results[place] = result;
        }
    }
}

/// Counts a thread that indexes.
struct Indexing<'a>(&'a AtomicUsize);

impl<'a> Indexing<'a> {
    fn begin(count: &'a AtomicUsize) -> Indexing<'a> {
        count.fetch_add(1, Ordering::Relaxed);
        Indexing(count)
    }

    /// Does operations one after the other, up to the first that needs a mapping update.
    fn work(self, shard: &Shard, part: Part) -> Done {
        let mut done = Done {
            results: Vec::with_capacity(part.len()),
            last: None,
        };
        for (place, op) in part {
            let result = write_one(shard, op, &mut done.last);
            let stop = matches!(result, Err(ShardError::MappingUpdate(_)));
            done.results.push((place, result));
            if stop {
                break;
            }
        }
        done
    }
}

impl Drop for Indexing<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Waits for the disk, if the index wants that.
fn sync(shard: &Shard, last: Option<Location>) -> Result<(), ShardError> {
    if let Some(location) = last
        && shard.schema().settings.durability == Durability::Request
    {
        shard.ensure_synced(location).map_err(|error| {
            ShardError::internal(format!("the translog could not be made durable: {error}"))
        })?;
    }
    Ok(())
}

fn write_one(
    shard: &Shard,
    op: WriteOp,
    last: &mut Option<Location>,
) -> Result<WriteOutcome, ShardError> {
    match op {
        WriteOp::Index {
            id,
            routing,
            source,
            version,
            create_only,
        } => {
            let result = shard.index(IndexOp {
                id,
                routing,
                source,
                version: check_of(version),
                create_only,
                origin: Origin::Primary,
            });
            let result = result.map_err(write_error)?;
            *last = result.location.or(*last);
            let kind = match result.created {
                true => WriteKind::Created,
                false => WriteKind::Updated,
            };
            Ok(outcome(&result, kind))
        }
        WriteOp::Delete { id, version } => {
            let result = shard.delete(DeleteOp {
                id,
                version: check_of(version),
                origin: Origin::Primary,
            });
            let result = result.map_err(write_error)?;
            *last = result.location.or(*last);
            let kind = match result.found {
                true => WriteKind::Deleted,
                false => WriteKind::NotFound,
            };
            Ok(outcome(&result, kind))
        }
        WriteOp::Update(op) => update::run(shard, op, last),
    }
}

/// What a write of the engine looks like from outside.
pub(super) fn outcome(result: &WriteResult, kind: WriteKind) -> WriteOutcome {
    WriteOutcome {
        seq_no: result.seq_no.0,
        primary_term: result.primary_term.0,
        version: result.version,
        result: kind,
        source: None,
        forced_refresh: false,
    }
}

/// The engine's word for a condition.
pub(super) fn check_of(rule: VersionRule) -> VersionCheck {
    match rule {
        VersionRule::Any => VersionCheck::Internal,
        VersionRule::IfSeqNo {
            seq_no,
            primary_term,
        } => VersionCheck::IfSeqNo {
            seq_no: SeqNo(seq_no),
            primary_term: PrimaryTerm(primary_term),
        },
        VersionRule::External(version) => VersionCheck::External(version),
        VersionRule::ExternalGte(version) => VersionCheck::ExternalGte(version),
    }
}
