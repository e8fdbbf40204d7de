//! Writes on their way: placed, grouped by shard, written side by side, asked again after a mapping update.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use quidditch_engine::schema::UpdateReason;
use serde_json::value::RawValue;

use super::answer::WriteAnswer;
use super::request::{DocWrite, WriteAction, WriteOptions};
use super::target::{self, Placed};
use crate::cluster::ShardState;
use crate::cluster::setting_values::{show_bytes, show_ms};
use crate::coordination::dsl::source::FetchSource;
use crate::coordination::rest::{App, RestError};
use crate::coordination::source_filter;
use crate::data::service::{
    RefreshPolicy, ShardError, ShardTarget, UpdateOp, WriteKind, WriteOp, WriteOutcome,
};
use crate::master::Command;

/// A document that still has new fields after so many mapping updates is refused.
const MAPPING_ROUNDS_MAX: usize = 20;
/// A longer document is not shown in error messages.
const SHOWN_SOURCE_BYTES_MAX: usize = 2048;

/// One write with its place, on the way to its shard.
struct Prepared {
    /// Place among the writes of the request.
    at: usize,
    placed: Placed,
    op: WriteOp,
    fetch: Option<FetchSource>,
    /// Mapping updates that were made for this very write.
    mapping_rounds: usize,
}

/// Does all writes; the results stand at their places. Writes on one shard keep their order.
pub async fn run(
    app: &Arc<App>,
    writes: Vec<DocWrite>,
    options: &WriteOptions,
) -> Vec<Result<WriteAnswer, RestError>> {
    let failures = target::auto_create(app, &writes).await;
    let state = app.state();
    let mut results: Vec<Option<Result<WriteAnswer, RestError>>> = Vec::new();
    let mut shards: BTreeMap<ShardTarget, Vec<Prepared>> = BTreeMap::new();
    for (at, write) in writes.into_iter().enumerate() {
        let failure = failures.iter().find(|(name, _)| *name == write.index);
        let placed = match failure {
            Some((_, error)) => Err(error.clone()),
            None => target::place(app, &state, &write),
        };
        match placed {
            Err(error) => results.push(Some(Err(error))),
            Ok(placed) => {
                results.push(None);
                let prepared = prepare(at, placed, write);
                shards
                    .entry(prepared.placed.target.clone())
                    .or_default()
                    .push(prepared);
            }
        }
    }
    let mut running = Vec::new();
    for (target, group) in shards {
        running.push(write_shard(app.clone(), target, group, options.clone()));
    }
    for group in futures::future::join_all(running).await {
        for (at, result) in group {
            results[at] = Some(result);
        }
    }
    let mut answers = Vec::with_capacity(results.len());
    for result in results {
        let lost = || {
            Err(RestError::internal(
                "a write was lost on its way to the shard",
            ))
        };
        answers.push(result.unwrap_or_else(lost));
    }
    answers
}

fn prepare(at: usize, placed: Placed, write: DocWrite) -> Prepared {
    let version = write.rule();
    let (op, fetch) = match write.action {
        WriteAction::Index { source, create } => (
            WriteOp::Index {
                id: placed.id.clone(),
                routing: placed.routing.clone(),
                source,
                version,
                create_only: create,
            },
            None,
        ),
        WriteAction::Delete => (
            WriteOp::Delete {
                id: placed.id.clone(),
                version,
            },
            None,
        ),
        WriteAction::Update { op, fetch } => (
            WriteOp::Update(UpdateOp {
                id: placed.id.clone(),
                routing: placed.routing.clone(),
                version,
                return_source: fetch.as_ref().is_some_and(|fetch| fetch.enabled),
                ..op
            }),
            fetch,
        ),
    };
    Prepared {
        at,
        placed,
        op,
        fetch,
        mapping_rounds: 0,
    }
}

/// Writes what goes to one shard.
async fn write_shard(
    app: Arc<App>,
    target: ShardTarget,
    group: Vec<Prepared>,
    options: WriteOptions,
) -> Vec<(usize, Result<WriteAnswer, RestError>)> {
    let mut done = Vec::with_capacity(group.len());
    if let Err(error) = wait_for_copies(&app, &group, &options).await {
        for prepared in group {
            done.push((prepared.at, Err(error.clone())));
        }
        return done;
    }
    let mut rest = group;
    // Writes of a round that a mapping update cut short are refreshed with the next round that writes.
    let mut owes_refresh = false;
    let mut is_changed = false;
    while !rest.is_empty() {
        let ops: Vec<WriteOp> = rest.iter().map(|prepared| prepared.op.clone()).collect();
        let results = match app.shards.write(&target, ops, options.refresh).await {
            Ok(results) => results,
            Err(error) => {
                let error = error.at(&target);
                done.extend(
                    rest.into_iter()
                        .map(|prepared| (prepared.at, Err(error.clone()))),
                );
                break;
            }
        };
        let is_cut = matches!(results.last(), Some(Err(ShardError::MappingUpdate(_))));
        let has_written = results
            .iter()
            .flatten()
            .any(|outcome| outcome.result != WriteKind::Noop);
        if has_written {
            owes_refresh = is_cut;
            is_changed = true;
        }
        let mut queue = rest.into_iter();
        let mut again = None;
        for result in results {
            let Some(prepared) = queue.next() else { break };
            match result {
                Err(ShardError::MappingUpdate(update)) => {
                    again = Some((prepared, update));
                    break;
                }
                result => done.push((prepared.at, answer(&app, &target, &prepared, result))),
            }
        }
        rest = queue.collect();
        let Some((mut prepared, update)) = again else {
            continue;
        };
        prepared.mapping_rounds += 1;
        let updated = match prepared.mapping_rounds > MAPPING_ROUNDS_MAX {
            true => Err(RestError::from(ShardError::MappingUpdate(update))),
            false => update_mapping(&app, &target, update).await,
        };
        match updated {
            Ok(()) => rest.insert(0, prepared),
            Err(error) => done.push((prepared.at, Err(error))),
        }
    }
    if owes_refresh
        && options.refresh != RefreshPolicy::None
        && let Err(error) = app.shards.refresh(&target).await
    {
        // the writes are done; only their visibility is late, as it is without the parameter
        tracing::warn!(index = %target.index, shard = target.shard, %error, "could not refresh after writes");
    }
    if is_changed && options.refresh == RefreshPolicy::Immediate {
        // also those of the rounds before
        for (_, result) in &mut done {
            if let Ok(answer) = result {
                answer.outcome.forced_refresh = true;
            }
        }
    }
    done
}

/// Has the masters take new fields into the mapping; returns when the shards of this node know them.
async fn update_mapping(
    app: &App,
    target: &ShardTarget,
    update: serde_json::Value,
) -> Result<(), RestError> {
    let command = Command::UpdateMapping {
        index: target.index.clone(),
        uuid: target.index_uuid.clone(),
        update,
        reason: UpdateReason::Dynamic,
    };
    match app.masters.submit(command).await {
        Ok(_) => Ok(()),
        Err(error) => Err(RestError::from(error)),
    }
}

/// Waits until as many copies are there as the request wants.
async fn wait_for_copies(
    app: &App,
    group: &[Prepared],
    options: &WriteOptions,
) -> Result<(), RestError> {
    let placed = &group[0].placed;
    let wanted = match options.active_shards {
        Some(0) => return Ok(()),
        Some(count) => count,
        None => placed.index.number_of_replicas + 1,
    };
    let (index, shard) = (placed.target.index.clone(), placed.target.shard);
    let mut states = app.masters.watch();
    let active = |state: &crate::cluster::ClusterState| {
        let copies = state.routing.copies(&index, shard);
        copies
            .iter()
            .filter(|copy| copy.state == ShardState::Started)
            .count() as u32
    };
    let waiting = states.wait_for(|state| active(state) >= wanted);
    let limit = options
        .timeout
        .unwrap_or(Duration::from_secs(u64::from(u32::MAX)));
    if let Ok(Ok(_)) = tokio::time::timeout(limit, waiting).await {
        return Ok(());
    }
    let have = active(&app.state());
    let shown = show_ms(i64::try_from(limit.as_millis()).unwrap_or(i64::MAX));
    let request = request_text(group, options.refresh);
    let problem = match have {
        0 => "primary shard is not active".to_owned(),
        have => format!(
            "Not enough active copies to meet shard count of [{}] (have {have}, needed {wanted}).",
            options
                .active_shards
                .map_or("ALL".to_owned(), |count| count.to_string())
        ),
    };
    let reason = format!("[{index}][{shard}] {problem} Timeout: [{shown}], request: [{request}]");
    Err(RestError::new(503, "unavailable_shards_exception", reason))
}

/// What goes to one shard, as error messages show it.
fn request_text(group: &[Prepared], refresh: RefreshPolicy) -> String {
    let target = &group[0].placed.target;
    let (index, shard) = (&target.index, target.shard);
    let items = match group {
        [one] => match &one.op {
            WriteOp::Index { id, source, .. } if source.len() <= SHOWN_SOURCE_BYTES_MAX => format!(
                "[index {{[{index}][{id}], source[{}]}}]",
                String::from_utf8_lossy(source)
            ),
            WriteOp::Index { id, source, .. } => format!(
                "[index {{[{index}][{id}], source[n/a, actual length: [{}], max length: 2kb]}}]",
                show_bytes(source.len() as u64)
            ),
            WriteOp::Delete { id, .. } => format!("[delete {{[{index}][{id}]}}]"),
            WriteOp::Update(op) => format!("[update {{[{index}][{}]}}]", op.id),
        },
        many => format!("[{}] requests", many.len()),
    };
    let refresh = match refresh {
        RefreshPolicy::None => "",
        RefreshPolicy::Immediate => " and a refresh",
        RefreshPolicy::WaitFor => " blocking until refresh",
    };
    format!("BulkShardRequest [[{index}][{shard}]] containing {items}{refresh}")
}

fn answer(
    app: &App,
    target: &ShardTarget,
    prepared: &Prepared,
    result: Result<WriteOutcome, ShardError>,
) -> Result<WriteAnswer, RestError> {
    let outcome = result.map_err(|error| error.at(target))?;
    let shown_source = match (&prepared.fetch, &outcome.source) {
        (Some(fetch), Some(source)) => shown(source, fetch)?,
        _ => None,
    };
    let index = &prepared.placed.index;
    let state = app.state();
    let copies = state.routing.copies(&target.index, target.shard);
    let written = copies
        .iter()
        .filter(|copy| copy.state == ShardState::Started)
        .count();
    Ok(WriteAnswer {
        index: index.name.clone(),
        id: prepared.placed.id.clone(),
        routing: prepared.placed.routing.clone(),
        outcome,
        copies_wanted: index.number_of_replicas + 1,
        copies_written: written.max(1) as u32,
        shown_source,
    })
}

fn shown(source: &bytes::Bytes, fetch: &FetchSource) -> Result<Option<Box<RawValue>>, RestError> {
    let Some(text) = source_filter::apply(source, fetch)? else {
        return Ok(None);
    };
    serde_json::from_slice(&text).map(Some).map_err(|error| {
        RestError::internal(format!("the source of a document is damaged: {error}"))
    })
}
