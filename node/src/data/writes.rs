//! Writes at work on a shard of this node: one after the other, in the order in which they were asked for, synced once.

use std::sync::Arc;

use quidditch_engine::ids::{PrimaryTerm, SeqNo};
use quidditch_engine::schema::Durability;
use quidditch_engine::shard::{DeleteOp, IndexOp, Origin, Shard, VersionCheck, WriteResult};
use quidditch_engine::translog::Location;

use super::local::{LocalShard, write_error};
use super::pool::Pools;
use super::service::{ShardError, VersionRule, WriteKind, WriteOp, WriteOutcome};
use super::update;

type Outcomes = Vec<Result<WriteOutcome, ShardError>>;

/// Does operations on the threads of the write pool.
#[derive(Debug)]
pub(super) struct Writes {
    pools: Arc<Pools>,
}

impl Writes {
    pub fn new(pools: Arc<Pools>) -> Writes {
        Writes { pools }
    }

    /// Does operations in their order, and waits for the disk. Those behind one that needs a mapping update are
    /// [`ShardError::Behind`]: they are not done. One thread does all of a request, so that documents of equal score are found
    /// in the order in which they were sent.
    pub async fn run(
        &self,
        shard: &Arc<LocalShard>,
        ops: Vec<WriteOp>,
    ) -> Result<Outcomes, ShardError> {
        let shard = shard.clone();
        let work = move || {
            let count = ops.len();
            let (mut results, last) = work(&shard.shard, ops);
            sync(&shard.shard, last)?;
            results.resize_with(count, || Err(ShardError::Behind));
            Ok(results)
        };
        self.pools.write.run(work).await?
    }
}

/// Does operations up to the first that needs a mapping update; also says where the last one stands in the translog.
fn work(shard: &Shard, ops: Vec<WriteOp>) -> (Outcomes, Option<Location>) {
    let mut results = Outcomes::with_capacity(ops.len());
    let mut last = None;
    for op in ops {
        let result = write_one(shard, op, &mut last);
        let stop = matches!(result, Err(ShardError::MappingUpdate(_)));
        results.push(result);
        if stop {
            break;
        }
    }
    (results, last)
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
