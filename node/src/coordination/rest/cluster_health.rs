//! `_cluster/health`: how the shards are, at once or when a condition holds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hyper::Method;
use serde_json::{Map, Value, json};

use super::endpoints::CHANGE_PARAMS;
use super::index_params::{indices_options, timeouts};
use super::segments::shard_status;
use super::{App, Endpoint, Params, RestError, RestRequest, RestResponse};
use crate::cluster::{ClusterState, IndicesOptions, ShardCopy, ShardState};
use crate::master::PendingTasks;

pub(super) const ENDPOINTS: &[Endpoint] = &[Endpoint {
    name: "cluster.health",
    routes: &[
        (Method::GET, "/_cluster/health"),
        (Method::GET, "/_cluster/health/{index}"),
    ],
    params: &[
        CHANGE_PARAMS,
        &[
            "awareness_attribute",
            "ensure_node_weighed_in",
            "expand_wildcards",
            "level",
            "local",
            "wait_for_active_shards",
            "wait_for_events",
            "wait_for_no_initializing_shards",
            "wait_for_no_relocating_shards",
            "wait_for_nodes",
            "wait_for_status",
        ],
    ],
    handler: |app, request| Box::pin(health(app, request)),
}];

/// How often the leader is asked what waits.
const EVENTS_LOOK: Duration = Duration::from_millis(50);

/// Shards of one index, a shard, or all, counted by what they do.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    /// `green`, `yellow` or `red`, as 0, 1, 2.
    pub(super) severity: u8,
    pub(super) active_primary: u64,
    pub(super) active: u64,
    pub(super) relocating: u64,
    pub(super) initializing: u64,
    pub(super) unassigned: u64,
}

impl Counts {
    /// The colour.
    pub(super) fn status(&self) -> &'static str {
        ["green", "yellow", "red"][usize::from(self.severity.min(2))]
    }

    fn add_shard(&mut self, copies: &[ShardCopy]) {
        // the new end of a move is no copy more
        for copy in copies.iter().filter(|copy| !copy.is_relocation_target()) {
            match copy.state {
                ShardState::Started => {
                    self.active += 1;
                    self.active_primary += u64::from(copy.primary);
                }
                ShardState::Relocating => {
                    self.active += 1;
                    self.relocating += 1;
                    self.active_primary += u64::from(copy.primary);
                }
                ShardState::Initializing => self.initializing += 1,
                ShardState::Unassigned => self.unassigned += 1,
            }
        }
        self.severity = self.severity.max(severity(shard_status(copies)));
    }

    fn add(&mut self, other: &Counts) {
        self.severity = self.severity.max(other.severity);
        self.active_primary += other.active_primary;
        self.active += other.active;
        self.relocating += other.relocating;
        self.initializing += other.initializing;
        self.unassigned += other.unassigned;
    }

    /// Counts as an answer shows them below `index` and `shard` levels.
    fn show(&self) -> Map<String, Value> {
        let mut shown = Map::new();
        for (key, count) in [
            ("active_primary_shards", self.active_primary),
            ("active_shards", self.active),
            ("relocating_shards", self.relocating),
            ("initializing_shards", self.initializing),
            ("unassigned_shards", self.unassigned),
        ] {
            shown.insert(key.to_owned(), json!(count));
        }
        shown
    }

    /// Part of all copies that serve, in percent; 100 when there are none.
    pub(super) fn active_percent(&self) -> f64 {
        let all = self.active + self.initializing + self.unassigned;
        if all == 0 {
            return 100.0;
        }
        self.active as f64 * 100.0 / all as f64
    }
}

fn severity(status: &str) -> u8 {
    match status {
        "green" => 0,
        "yellow" => 1,
        _ => 2,
    }
}

/// The counts of one index.
pub(super) fn count_index(state: &ClusterState, index: &str) -> Counts {
    let mut counts = Counts::default();
    for copies in state.routing.shards_of(index) {
        counts.add_shard(copies);
    }
    counts
}

/// The counts of all indices.
pub(super) fn count_all<'a>(
    state: &ClusterState,
    indices: impl IntoIterator<Item = &'a str>,
) -> Counts {
    let mut counts = Counts::default();
    for index in indices {
        counts.add(&count_index(state, index));
    }
    counts
}

/// What a request waits for.
struct Wait {
    severity_max: Option<u8>,
    no_relocating: bool,
    no_initializing: bool,
    active_shards: Option<Active>,
    nodes: Option<Nodes>,
    /// That the changes of the cluster state are made which wait now.
    events: bool,
}

enum Active {
    Count(u64),
    All,
}

/// A condition on the number of nodes: `3`, `>=3`, `ge(3)`, …
struct Nodes {
    compare: fn(u64, u64) -> bool,
    count: u64,
}

impl Wait {
    fn parse(params: &Params) -> Result<Wait, RestError> {
        let severity_max = match params.get("wait_for_status") {
            None => None,
            Some(text) => match text.to_ascii_lowercase().as_str() {
                status @ ("green" | "yellow" | "red") => Some(severity(status)),
                _ => {
                    return Err(RestError::illegal_argument(format!(
                        "unknown cluster health status [{text}]"
                    )));
                }
            },
        };
        let active_shards = match params.get("wait_for_active_shards") {
            None => None,
            Some("all") => Some(Active::All),
            Some(text) => match text.parse() {
                Ok(count) => Some(Active::Count(count)),
                Err(_) => {
                    return Err(RestError::illegal_argument(format!(
                        "cannot parse ActiveShardCount[{text}]"
                    )));
                }
            },
        };
        let events = params.get("wait_for_events");
        if let Some(text) = events {
            // commands are decided in the order they come, so the priority says nothing
            if !["immediate", "urgent", "high", "normal", "low", "languid"]
                .contains(&text.to_ascii_lowercase().as_str())
            {
                return Err(RestError::illegal_argument(format!(
                    "No enum constant org.opensearch.common.Priority.{}",
                    text.to_ascii_uppercase()
                )));
            }
        }
        Ok(Wait {
            severity_max,
            no_relocating: params.bool("wait_for_no_relocating_shards", false)?,
            no_initializing: params.bool("wait_for_no_initializing_shards", false)?,
            active_shards,
            nodes: params.get("wait_for_nodes").map(Nodes::parse).transpose()?,
            events: events.is_some(),
        })
    }

    fn is_met(&self, state: &ClusterState, counts: &Counts) -> bool {
        self.severity_max.is_none_or(|max| counts.severity <= max)
            && !(self.no_relocating && counts.relocating > 0)
            && !(self.no_initializing && counts.initializing > 0)
            && match self.active_shards {
                None => true,
                Some(Active::Count(count)) => counts.active >= count,
                Some(Active::All) => counts.unassigned + counts.initializing == 0,
            }
            && self
                .nodes
                .as_ref()
                .is_none_or(|nodes| (nodes.compare)(state.nodes.len() as u64, nodes.count))
    }
}

impl Nodes {
    fn parse(text: &str) -> Result<Nodes, RestError> {
        type Compare = fn(u64, u64) -> bool;
        const FORMS: &[(&str, &str, Compare)] = &[
            (">=", "", |is, wanted| is >= wanted),
            ("<=", "", |is, wanted| is <= wanted),
            (">", "", |is, wanted| is > wanted),
            ("<", "", |is, wanted| is < wanted),
            ("ge(", ")", |is, wanted| is >= wanted),
            ("le(", ")", |is, wanted| is <= wanted),
            ("gt(", ")", |is, wanted| is > wanted),
            ("lt(", ")", |is, wanted| is < wanted),
            ("", "", |is, wanted| is == wanted),
        ];
        for (before, after, compare) in FORMS {
            if let Some(number) = text
                .strip_prefix(before)
                .and_then(|rest| rest.strip_suffix(after))
            {
                let count = number.trim().parse().map_err(|_| {
                    RestError::new(
                        400,
                        "number_format_exception",
                        format!("For input string: \"{number}\""),
                    )
                })?;
                return Ok(Nodes {
                    compare: *compare,
                    count,
                });
            }
        }
        Err(RestError::illegal_argument(format!(
            "cannot parse wait_for_nodes [{text}]"
        )))
    }
}

/// The shards on the nodes of each value of the awareness attributes: the one named, or those that
/// `cluster.routing.allocation.awareness.attributes` lists.
fn show_by_attribute(state: &ClusterState, named: Option<&str>) -> Value {
    let attributes: Vec<String> = match named {
        Some(name) => vec![name.to_owned()],
        None => state
            .setting_list("cluster.routing.allocation.awareness.attributes")
            .unwrap_or_default(),
    };
    let mut shown = Map::new();
    for attribute in attributes {
        let mut values: BTreeMap<&str, (u64, Counts)> = BTreeMap::new();
        for node in state.data_nodes() {
            if let Some(value) = node.attributes.get(&attribute) {
                values.entry(value).or_default().0 += 1;
            }
        }
        for copy in state.routing.shards().flatten() {
            let node = copy.node.as_ref().and_then(|id| state.nodes.get(id));
            let value = node.and_then(|node| node.attributes.get(&attribute));
            if let Some((_, counts)) = value.and_then(|value| values.get_mut(value.as_str())) {
                counts.add_shard(std::slice::from_ref(copy));
            }
        }
        let mut by_value = Map::new();
        for (value, (nodes, counts)) in values {
            by_value.insert(
                value.to_owned(),
                json!({
                    "active_shards": counts.active,
                    "initializing_shards": counts.initializing,
                    "relocating_shards": counts.relocating,
                    "unassigned_shards": counts.unassigned,
                    "data_nodes": nodes,
                    "weight": 1.0,
                }),
            );
        }
        shown.insert(attribute, Value::Object(by_value));
    }
    Value::Object(shown)
}

async fn health(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    let timeout = timeouts(&request.params)?;
    let level = request
        .params
        .get("level")
        .unwrap_or("cluster")
        .to_ascii_lowercase();
    if !["cluster", "indices", "shards", "awareness_attributes"].contains(&level.as_str()) {
        return Err(RestError::illegal_argument(format!(
            "unknown level [{level}]; use cluster, indices or shards"
        )));
    }
    let by_attribute = level == "awareness_attributes";
    let attribute = request.params.get("awareness_attribute").map(str::to_owned);
    if attribute.is_some() && !by_attribute {
        return Err(RestError::validation(&[
            "level=awareness_attributes is required with awareness_attribute parameter".to_owned(),
        ]));
    }
    if request.params.has("ensure_node_weighed_in") {
        return Err(RestError::illegal_argument(
            "parameter [ensure_node_weighed_in] is not supported: nodes have no weights",
        ));
    }
    let wait = Wait::parse(&request.params)?;
    let options = indices_options(&request.params, IndicesOptions::LENIENT_EXPAND_HIDDEN)?;
    let expression = request.var("index").unwrap_or("").to_owned();
    let now_ms = app.now_ms();
    // Names without wildcards are waited for; the answer is red while they are missing.
    let mut states = app.masters.watch();
    let met = async {
        if wait.events {
            events_are_done(&app).await;
        }
        let met = states.wait_for(|state| {
            let (names, missing) = chosen(state, &expression, &options, now_ms);
            let counts = count_all(state, names.iter().map(String::as_str));
            !missing && wait.is_met(state, &counts)
        });
        met.await.is_ok()
    };
    let timed_out = tokio::time::timeout(timeout, met).await != Ok(true);
    let state = app.state();
    let (names, missing) = chosen(&state, &expression, &options, now_ms);
    let asked = Asked {
        names: &names,
        is_missing: missing,
        timed_out,
        level: &level,
        pending: waiting_tasks(&app).await,
    };
    let mut answer = show(&app, &state, &asked);
    if by_attribute {
        answer["awareness_attributes"] = show_by_attribute(&state, attribute.as_deref());
    }
    Ok(RestResponse::json(
        if timed_out { 408 } else { 200 },
        &answer,
    ))
}

/// What waits to be decided. Nothing when nobody leads, or the leader does not answer: how the shards are is told all the same.
pub(super) async fn waiting_tasks(app: &App) -> PendingTasks {
    match app.masters.has_leader() {
        true => app.masters.pending_at_leader().await.unwrap_or_default(),
        false => PendingTasks::default(),
    }
}

/// Waits until the commands are decided that wait now, and this node follows what came of them.
async fn events_are_done(app: &App) {
    let mut last = None;
    loop {
        if let Ok(waiting) = app.masters.pending_at_leader().await {
            let orders = waiting.tasks.iter().map(|task| task.insert_order);
            let last = *last.get_or_insert(orders.clone().max());
            let is_done = orders.min() > last || waiting.tasks.is_empty();
            if is_done && app.masters.current(Duration::MAX).await.is_ok() {
                return;
            }
        }
        tokio::time::sleep(EVENTS_LOOK).await;
    }
}

/// The chosen indices, and whether one that was named is not there.
fn chosen(
    state: &ClusterState,
    expression: &str,
    options: &IndicesOptions,
    now_ms: i64,
) -> (Vec<String>, bool) {
    let found = state
        .resolve(expression, options, now_ms)
        .unwrap_or_default();
    let mut names: Vec<String> = found
        .iter()
        .map(|resolved| resolved.metadata.name.clone())
        .collect();
    names.sort();
    let missing = expression.split(',').any(|name| {
        let is_plain = !name.is_empty()
            && name != "_all"
            && !name.contains('*')
            && !name.starts_with(['-', '<']);
        is_plain && state.index(name).is_none() && state.alias_members(name).is_empty()
    });
    (names, missing)
}

/// What an answer is about.
struct Asked<'a> {
    /// The chosen indices.
    names: &'a [String],
    /// Whether one that was named is not there.
    is_missing: bool,
    timed_out: bool,
    level: &'a str,
    pending: PendingTasks,
}

fn show(app: &App, state: &ClusterState, asked: &Asked<'_>) -> Value {
    let (names, level) = (asked.names, asked.level);
    let mut counts = count_all(state, names.iter().map(String::as_str));
    if asked.is_missing {
        counts.severity = 2;
    }
    let pending = &asked.pending.tasks;
    let mut answer = Map::new();
    answer.insert("cluster_name".to_owned(), json!(state.cluster_name));
    answer.insert("status".to_owned(), json!(counts.status()));
    answer.insert("timed_out".to_owned(), json!(asked.timed_out));
    answer.insert("number_of_nodes".to_owned(), json!(state.nodes.len()));
    let data_nodes = state.data_nodes().count();
    answer.insert("number_of_data_nodes".to_owned(), json!(data_nodes));
    let has_master = app.masters.has_leader();
    answer.insert("discovered_master".to_owned(), json!(has_master));
    answer.insert("discovered_cluster_manager".to_owned(), json!(has_master));
    answer.extend(counts.show());
    let now_ms = app.now_ms();
    let delayed = names
        .iter()
        .flat_map(|name| state.routing.shards_of(name))
        .flatten()
        .filter(|copy| copy.is_delayed(now_ms))
        .count();
    answer.insert("delayed_unassigned_shards".to_owned(), json!(delayed));
    answer.insert("number_of_pending_tasks".to_owned(), json!(pending.len()));
    answer.insert("number_of_in_flight_fetch".to_owned(), json!(0));
    let waited = pending.iter().map(|task| task.waited_ms).max().unwrap_or(0);
    answer.insert("task_max_waiting_in_queue_millis".to_owned(), json!(waited));
    answer.insert(
        "active_shards_percent_as_number".to_owned(),
        json!(counts.active_percent()),
    );
    if level == "indices" || level == "shards" {
        let mut indices = Map::new();
        for name in names {
            indices.insert(name.clone(), show_index(state, name, level == "shards"));
        }
        answer.insert("indices".to_owned(), Value::Object(indices));
    }
    Value::Object(answer)
}

fn show_index(state: &ClusterState, name: &str, with_shards: bool) -> Value {
    let counts = count_index(state, name);
    let mut shown = Map::new();
    shown.insert("status".to_owned(), json!(counts.status()));
    if let Some(index) = state.index(name) {
        shown.insert("number_of_shards".to_owned(), json!(index.number_of_shards));
        shown.insert(
            "number_of_replicas".to_owned(),
            json!(index.number_of_replicas),
        );
    }
    shown.extend(counts.show());
    if with_shards {
        let mut shards = Map::new();
        for (number, copies) in state.routing.shards_of(name).iter().enumerate() {
            let mut counts = Counts::default();
            counts.add_shard(copies);
            let mut shard = Map::new();
            shard.insert("status".to_owned(), json!(counts.status()));
            shard.insert(
                "primary_active".to_owned(),
                json!(counts.active_primary > 0),
            );
            let mut rest = counts.show();
            rest.remove("active_primary_shards");
            shard.extend(rest);
            shards.insert(number.to_string(), Value::Object(shard));
        }
        shown.insert("shards".to_owned(), Value::Object(shards));
    }
    Value::Object(shown)
}
