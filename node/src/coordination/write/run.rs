//! Writes on their way: placed, grouped by shard, written side by side, asked again after a mapping update.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use quidditch_engine::schema::UpdateReason;
use serde_json::value::RawValue;

use super::answer::WriteAnswer;
use super::request::{ActiveCopies, DocWrite, WriteAction, WriteOptions};
use super::target::{self, Placed, Placing};
use crate::cluster::ClusterState;
use crate::cluster::index_metadata::IndexMetadata;
use crate::cluster::setting_values::{show_bytes, show_ms};
use crate::coordination::dsl::source::FetchSource;
use crate::coordination::placed::until_placed;
use crate::coordination::rest::{App, RestError};
use crate::coordination::source_filter;
use crate::data::service::{
    RefreshPolicy, ShardError, ShardTarget, UpdateOp, WriteKind, WriteOp, WriteOutcome,
};
use crate::master::Command;

/// A document that still has new fields after so many mapping updates is refused.
const MAPPING_ROUNDS_MAX: usize = 20;
/// A shard that does not know yet what the masters know is asked again after this, each time after twice as long.
const MAPPING_PAUSE_MIN: Duration = Duration::from_millis(10);
const MAPPING_PAUSE_MAX: Duration = Duration::from_millis(500);
/// But no longer than so.
const MAPPING_WAIT_MAX: Duration = Duration::from_secs(60);
/// A longer document is not shown in error messages.
const SHOWN_SOURCE_BYTES_MAX: usize = 2048;

/// What became of one write.
type Outcome = Result<WriteAnswer, RestError>;

/// One write with its place, on the way to its shard.
struct Prepared {
    /// Place among the writes of the request.
    at: usize,
    placed: Placed,
    op: WriteOp,
    fetch: Option<FetchSource>,
    /// Mapping updates that were made for this very write.
    mapping_rounds: usize,
    /// The last of them.
    asked: Option<serde_json::Value>,
}

/// Does all writes; the results stand at their places. Writes of one document keep their order.
pub async fn run(app: &Arc<App>, writes: Vec<DocWrite>, options: &WriteOptions) -> Vec<Outcome> {
    let failures = target::auto_create(app, &writes).await;
    let (mut results, groups) = by_shard(app, writes, &failures);
    let mut running = Vec::new();
    for group in groups {
        running.push(write_shard(app, group, options));
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

/// The writes of each shard, in their order, and at the places of the others why they cannot be done.
fn by_shard(
    app: &App,
    writes: Vec<DocWrite>,
    failures: &[(String, RestError)],
) -> (Vec<Option<Outcome>>, Vec<Vec<Prepared>>) {
    let state = app.state();
    let mut placing = Placing::new(&state, app.now_ms());
    let mut results = Vec::with_capacity(writes.len());
    let mut groups: Vec<Vec<Prepared>> = Vec::new();
    let mut group_of: HashMap<(*const IndexMetadata, u32), usize> = HashMap::new();
    for (at, write) in writes.into_iter().enumerate() {
        let failure = failures.iter().find(|(name, _)| *name == write.index);
        let placed = match failure {
            Some((_, error)) => Err(error.clone()),
            None => placing.place(&write),
        };
        match placed {
            Err(error) => results.push(Some(Err(error))),
            Ok(placed) => {
                results.push(None);
                let shard = (Arc::as_ptr(&placed.index), placed.shard);
                let group = *group_of.entry(shard).or_insert_with(|| {
                    groups.push(Vec::new());
                    groups.len() - 1
                });
                groups[group].push(prepare(at, placed, write));
            }
        }
    }
    (results, groups)
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
        asked: None,
    }
}

/// Writes what goes to one shard: at least one document.
async fn write_shard(
    app: &Arc<App>,
    group: Vec<Prepared>,
    options: &WriteOptions,
) -> Vec<(usize, Outcome)> {
    let began = Instant::now();
    let target = group[0].placed.target();
    let mut done = Vec::with_capacity(group.len());
    if let Err(error) = wait_for_copies(app, &target, &group, options).await {
        for prepared in group {
            done.push((prepared.at, Err(error.clone())));
        }
        return done;
    }
    let mut rest = group;
    // Writes of a round that a mapping update cut short are refreshed with the next round that writes.
    let mut owes_refresh = false;
    let mut is_changed = false;
    let mut pause = MAPPING_PAUSE_MIN;
    while !rest.is_empty() {
        let written = until_placed(
            &*app.masters,
            limit_of(options).saturating_sub(began.elapsed()),
            || true,
            || {
                let ops = rest.iter().map(|prepared| prepared.op.clone()).collect();
                app.shards.write(&target, ops, options.refresh)
            },
        );
        let results = match written.await {
            Ok(results) => results,
            Err(error) => {
                let error = match error.is_misplaced() {
                    true => no_primary(&target, &rest, options),
                    false => error.at(&target),
                };
                done.extend(
                    rest.into_iter()
                        .map(|prepared| (prepared.at, Err(error.clone()))),
                );
                break;
            }
        };
        let has_written = results
            .iter()
            .flatten()
            .any(|outcome| outcome.result != WriteKind::Noop);
        let mut again = Vec::new();
        for (prepared, result) in rest.into_iter().zip(results) {
            match result {
                Err(ShardError::MappingUpdate(update)) => again.push((prepared, Some(update))),
                Err(ShardError::Behind) => again.push((prepared, None)),
                result => {
                    let answer = answer(&target, &prepared, result);
                    done.push((prepared.at, answer));
                }
            }
        }
        if has_written {
            owes_refresh = !again.is_empty();
            is_changed = true;
        }
        rest = Vec::with_capacity(again.len());
        let mut is_waiting = false;
        for (mut prepared, update) in again {
            let Some(update) = update else {
                rest.push(prepared);
                continue;
            };
            // The masters have it: the shard has not heard of it yet, and asking again at once would not help.
            let is_known = prepared.asked.as_ref() == Some(&update);
            is_waiting |= is_known;
            prepared.mapping_rounds += usize::from(!is_known);
            let is_over = match is_known {
                true => began.elapsed() > limit_of(options).min(MAPPING_WAIT_MAX),
                false => prepared.mapping_rounds > MAPPING_ROUNDS_MAX,
            };
            prepared.asked = Some(update.clone());
            let updated = match is_over {
                true => Err(RestError::from(ShardError::MappingUpdate(update))),
                false => update_mapping(app, &target, update).await,
            };
            match updated {
                Ok(()) => rest.push(prepared),
                Err(error) => done.push((prepared.at, Err(error))),
            }
        }
        if is_waiting {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(MAPPING_PAUSE_MAX);
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
    target: &ShardTarget,
    group: &[Prepared],
    options: &WriteOptions,
) -> Result<(), RestError> {
    let index = &group[0].placed.index;
    let all = index.number_of_replicas + 1;
    let (wanted, shown_wanted) = match options.active_shards.or_of(index) {
        ActiveCopies::Count(0) => return Ok(()),
        ActiveCopies::Count(count) => (count, count.to_string()),
        ActiveCopies::All | ActiveCopies::OfIndex => (all, "ALL".to_owned()),
    };
    if started_copies(&app.state(), target) >= wanted {
        return Ok(());
    }
    let mut states = app.masters.watch();
    let waiting = states.wait_for(|state| started_copies(state, target) >= wanted);
    let limit = limit_of(options);
    if let Ok(Ok(_)) = tokio::time::timeout(limit, waiting).await {
        return Ok(());
    }
    let have = started_copies(&app.state(), target);
    if have == 0 {
        return Err(no_primary(target, group, options));
    }
    let problem = format!(
        "Not enough active copies to meet shard count of [{shown_wanted}] (have {have}, needed {wanted})."
    );
    Err(unavailable(target, group, options, &problem))
}

/// How long a request may take.
fn limit_of(options: &WriteOptions) -> Duration {
    options
        .timeout
        .unwrap_or(Duration::from_secs(u64::from(u32::MAX)))
}

/// 503: no primary came up in time.
fn no_primary(target: &ShardTarget, group: &[Prepared], options: &WriteOptions) -> RestError {
    unavailable(target, group, options, "primary shard is not active")
}

fn unavailable(
    target: &ShardTarget,
    group: &[Prepared],
    options: &WriteOptions,
    problem: &str,
) -> RestError {
    let shown = show_ms(i64::try_from(limit_of(options).as_millis()).unwrap_or(i64::MAX));
    let request = request_text(target, group, options.refresh);
    let (index, shard) = (&target.index, target.shard);
    let reason = format!("[{index}][{shard}] {problem} Timeout: [{shown}], request: [{request}]");
    RestError::new(503, "unavailable_shards_exception", reason)
}

/// Copies of a shard that serve.
fn started_copies(state: &ClusterState, target: &ShardTarget) -> u32 {
    let copies = state.routing.copies(&target.index, target.shard);
    copies.iter().filter(|copy| copy.is_active()).count() as u32
}

/// What goes to one shard, as error messages show it.
fn request_text(target: &ShardTarget, group: &[Prepared], refresh: RefreshPolicy) -> String {
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
    target: &ShardTarget,
    prepared: &Prepared,
    result: Result<WriteOutcome, ShardError>,
) -> Outcome {
    let outcome = result.map_err(|error| error.at(target))?;
    let shown_source = match (&prepared.fetch, &outcome.source) {
        (Some(fetch), Some(source)) => shown(source, fetch)?,
        _ => None,
    };
    let index = &prepared.placed.index;
    Ok(WriteAnswer {
        index: index.name.clone(),
        id: prepared.placed.id.clone(),
        routing: prepared.placed.routing.clone(),
        outcome,
        shard: target.shard,
        copies_wanted: index.number_of_replicas + 1,
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
