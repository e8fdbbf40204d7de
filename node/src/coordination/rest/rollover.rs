//! `_rollover`: a new index behind an alias, when conditions are met.

use std::sync::Arc;

use hyper::Method;
use quidditch_engine::shard::ShardStats;
use serde_json::{Map, Value, json};

use super::endpoints::CHANGE_PARAMS;
use super::index_body::parse_index_body;
use super::index_params::{ActiveShards, body_object, change, timeouts, wait_for_active};
use super::shard_calls::{Which, stats_of};
use super::stats_sections::add;
use super::{App, Endpoint, RestError, RestRequest, RestResponse};
use crate::cluster::setting_values::{parse_bytes, parse_time_ms};
use crate::cluster::{IndexMetadata, IndicesOptions, date_math, names};
use crate::master::{Command, CreateIndex, Rollover};

pub(super) const ENDPOINTS: &[Endpoint] = &[Endpoint {
    name: "indices.rollover",
    routes: &[
        (Method::POST, "/{alias}/_rollover"),
        (Method::POST, "/{alias}/_rollover/{new_index}"),
    ],
    params: &[CHANGE_PARAMS, &["dry_run", "wait_for_active_shards"]],
    handler: |app, request| Box::pin(rollover(app, request)),
}];

/// One condition: its text as `_rollover` shows it, its value for the record, whether it holds.
struct Condition {
    shown: String,
    name: String,
    value: Value,
    is_met: bool,
}

async fn rollover(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    let timeout = timeouts(&request.params)?;
    let wanted = ActiveShards::parse(&request.params)?;
    let dry_run = request.params.bool("dry_run", false)?;
    let alias = request.required_var("alias")?.to_owned();
    let state = app.state();
    let target = state.write_target(&alias, false, app.now_ms())?;
    let old = match target {
        Some(target) if target.through_alias => target.metadata,
        Some(_) => {
            return Err(RestError::illegal_argument(
                "rollover target is a [concrete index] but one of [alias,data_stream] was expected",
            ));
        }
        None => {
            return Err(RestError::illegal_argument(format!(
                "rollover target [{alias}] does not exist"
            )));
        }
    };
    let mut body = body_object(&request)?.unwrap_or_default();
    let asked = body.remove("conditions");
    let parsed = parse_index_body(&body, "rollover")?;
    let stats = index_stats(&app, &old.name).await?;
    let conditions = conditions(&old, asked.as_ref(), &stats, app.now_ms())?;
    let (provided_name, new_name) = new_name(&old, request.var("new_index"), app.now_ms())?;
    let mut results = Map::new();
    for condition in &conditions {
        results.insert(condition.shown.clone(), json!(condition.is_met));
    }
    let is_due = conditions.is_empty() || conditions.iter().any(|condition| condition.is_met);
    let answer = |done: bool, acknowledged: bool, active: bool| {
        json!({
            "acknowledged": acknowledged,
            "shards_acknowledged": active,
            "old_index": old.name,
            "new_index": new_name,
            "rolled_over": done,
            "dry_run": dry_run,
            "conditions": results,
        })
    };
    if state.index(&new_name).is_some() {
        let known = &state.indices[&new_name];
        return Err(crate::cluster::StateError::index_exists(&known.name, &known.uuid).into());
    }
    names::validate_index_name(&new_name)?;
    if dry_run || !is_due {
        return Ok(RestResponse::ok(&answer(false, false, false)));
    }
    let mut met = Map::new();
    for condition in conditions.into_iter().filter(|condition| condition.is_met) {
        met.insert(condition.name, condition.value);
    }
    let changed = change(
        &app,
        &request.params,
        Command::Rollover(Rollover {
            alias,
            old_index: old.name.clone(),
            new_index: CreateIndex {
                name: new_name.clone(),
                provided_name,
                settings: parsed.settings.unwrap_or_default(),
                mapping: parsed.mappings.unwrap_or(Value::Null),
                aliases: parsed.aliases.unwrap_or_default(),
                resized_from: None,
            },
            met_conditions: met,
        }),
    )
    .await?;
    let active = wait_for_active(&app, std::slice::from_ref(&new_name), wanted, timeout).await;
    Ok(RestResponse::ok(&answer(
        true,
        changed.acknowledged,
        active,
    )))
}

async fn index_stats(app: &Arc<App>, index: &str) -> Result<ShardStats, RestError> {
    let state = app.state();
    let found = state.resolve(index, &IndicesOptions::STRICT_EXPAND_OPEN, app.now_ms())?;
    let calls = stats_of(app, &state, &found, Which::Primaries).await;
    let mut sum = ShardStats::default();
    for (_, stats) in &calls.answers {
        add(&mut sum, stats);
    }
    Ok(sum)
}

fn conditions(
    old: &IndexMetadata,
    asked: Option<&Value>,
    stats: &ShardStats,
    now_ms: i64,
) -> Result<Vec<Condition>, RestError> {
    let asked = match asked {
        None => return Ok(Vec::new()),
        Some(Value::Object(asked)) => asked,
        Some(_) => {
            return Err(RestError::new(
                400,
                "x_content_parse_exception",
                "[conditions] must be an object",
            ));
        }
    };
    let mut conditions = Vec::new();
    for (name, value) in asked {
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        let is_met = match name.as_str() {
            "max_age" => now_ms - old.creation_date >= parse_time_ms(&text, name)?,
            "max_docs" => {
                let docs: u64 = text.parse().map_err(|_| {
                    RestError::illegal_argument(format!(
                        "Failed to parse value [{text}] for [max_docs]"
                    ))
                })?;
                stats.docs >= docs
            }
            "max_size" => {
                i64::try_from(stats.segments_bytes).unwrap_or(i64::MAX) >= parse_bytes(&text, name)?
            }
            other => {
                return Err(RestError::new(
                    400,
                    "x_content_parse_exception",
                    format!("[conditions] unknown field [{other}]"),
                ));
            }
        };
        conditions.push(Condition {
            shown: format!("[{name}: {text}]"),
            name: name.clone(),
            value: value.clone(),
            is_met,
        });
    }
    Ok(conditions)
}

/// The name of the new index, as written and with dates filled in: given, or the old one's number plus one.
fn new_name(
    old: &IndexMetadata,
    given: Option<&str>,
    now_ms: i64,
) -> Result<(String, String), RestError> {
    if let Some(given) = given {
        return Ok((given.to_owned(), date_math::expand(given, now_ms)?));
    }
    let source = old.provided_name();
    let is_math = source.starts_with('<') && source.ends_with('>');
    let inner = if is_math {
        &source[1..source.len() - 1]
    } else {
        source
    };
    let next = inner.rsplit_once('-').and_then(|(before, number)| {
        let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let number: u64 = if digits {
            number.parse().ok()?
        } else {
            return None;
        };
        Some(format!("{before}-{:06}", number.checked_add(1)?))
    });
    let Some(next) = next else {
        return Err(RestError::illegal_argument(format!(
            "index name [{}] does not match pattern '^.*-\\d+$'",
            old.name
        )));
    };
    let written = if is_math { format!("<{next}>") } else { next };
    let name = date_math::expand(&written, now_ms)?;
    Ok((written, name))
}
