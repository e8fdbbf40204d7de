//! Writes at work on a shard of this node: one after the other, in the order in which they were asked for, synced once.

use std::sync::Arc;

use bytes::Bytes;
use quidditch_engine::ids::{PrimaryTerm, SeqNo};
use quidditch_engine::schema::Durability;
use quidditch_engine::shard::{
    DeleteOp, IndexOp, Origin, Shard, VersionCheck, WriteError, WriteResult,
};
use quidditch_engine::translog::{Location, Operation, OperationKind};

use super::local::{LocalShard, write_error};
use super::pool::Pools;
use super::service::{ShardError, VersionRule, WriteKind, WriteOp, WriteOutcome};
use super::update;

type Outcomes = Vec<Result<WriteOutcome, ShardError>>;

/// What became of some operations.
pub(super) struct Appended {
    /// At the places of the operations.
    pub outcomes: Outcomes,
    /// What other copies have to take, encoded; empty if nobody asked.
    pub operations: Vec<Bytes>,
    /// Where the last one stands in the translog.
    pub last: Option<Location>,
}

/// Where operations are noted as they are done.
pub(super) struct Log {
    last: Option<Location>,
    /// `None`: there are no other copies to tell.
    operations: Option<Vec<Bytes>>,
}

impl Log {
    /// Whether others have to be told.
    fn has_copies(&self) -> bool {
        self.operations.is_some()
    }

    /// Notes what a shard did.
    fn note(&mut self, result: &WriteResult, kind: Option<OperationKind>) {
        self.last = result.location.or(self.last);
        if let (Some(operations), Some(kind)) = (&mut self.operations, kind) {
            let operation = Operation {
                seq_no: result.seq_no,
                primary_term: result.primary_term,
                version: result.version,
                kind,
            };
            operations.push(Bytes::from(operation.encode()));
        }
    }
}

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
            let done = work(&shard.shard, ops, false);
            sync(&shard.shard, done.last)?;
            Ok(done.outcomes)
        };
        self.pools.write.run(work).await?
    }

    /// The same without waiting for the disk, and with what other copies have to be told.
    pub async fn append(
        &self,
        shard: &Arc<LocalShard>,
        ops: Vec<WriteOp>,
    ) -> Result<Appended, ShardError> {
        let shard = shard.clone();
        let work = move || work(&shard.shard, ops, true);
        self.pools.write.run(work).await
    }

    /// Waits for the disk, if the index wants that.
    pub async fn sync(
        &self,
        shard: &Arc<LocalShard>,
        last: Option<Location>,
    ) -> Result<(), ShardError> {
        let shard = shard.clone();
        self.pools
            .write
            .run_on(move || sync(&shard.shard, last))
            .await?
    }
}

/// Does operations up to the first that needs a mapping update.
fn work(shard: &Shard, ops: Vec<WriteOp>, has_copies: bool) -> Appended {
    let count = ops.len();
    let mut outcomes = Outcomes::with_capacity(count);
    let mut log = Log {
        last: None,
        operations: has_copies.then(|| Vec::with_capacity(count)),
    };
    for op in ops {
        let outcome = write_one(shard, op, &mut log);
        let stop = matches!(outcome, Err(ShardError::MappingUpdate(_)));
        outcomes.push(outcome);
        if stop {
            break;
        }
    }
    outcomes.resize_with(count, || Err(ShardError::Behind));
    Appended {
        outcomes,
        operations: log.operations.unwrap_or_default(),
        last: log.last,
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

fn write_one(shard: &Shard, op: WriteOp, log: &mut Log) -> Result<WriteOutcome, ShardError> {
    match op {
        WriteOp::Index {
            id,
            routing,
            source,
            version,
            create_only,
        } => {
            let op = IndexOp {
                id,
                routing,
                source,
                version: check_of(version),
                create_only,
                origin: Origin::Primary,
            };
            let result = index(shard, op, log).map_err(write_error)?;
            let kind = match result.created {
                true => WriteKind::Created,
                false => WriteKind::Updated,
            };
            Ok(outcome(&result, kind))
        }
        WriteOp::Delete { id, version } => {
            let kind = log
                .has_copies()
                .then(|| OperationKind::Delete { id: id.clone() });
            let result = shard.delete(DeleteOp {
                id,
                version: check_of(version),
                origin: Origin::Primary,
            });
            let result = result.map_err(write_error)?;
            log.note(&result, kind);
            let kind = match result.found {
                true => WriteKind::Deleted,
                false => WriteKind::NotFound,
            };
            Ok(outcome(&result, kind))
        }
        WriteOp::Update(op) => update::run(shard, op, log),
    }
}

/// Puts a document, and notes it.
pub(super) fn index(shard: &Shard, op: IndexOp, log: &mut Log) -> Result<WriteResult, WriteError> {
    let kind = log.has_copies().then(|| OperationKind::Index {
        id: op.id.clone(),
        routing: op.routing.clone(),
        source: op.source.clone(),
    });
    let result = shard.index(op)?;
    log.note(&result, kind);
    Ok(result)
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
        copies: 1,
        failures: Vec::new(),
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
