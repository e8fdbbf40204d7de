//! `_tasks`: long operations, looked at and stopped.

use std::sync::Arc;
use std::time::Duration;

use hyper::Method;
use serde_json::{Map, Value, json};

use super::node_calls::{NodeCalls, ask_nodes, node_failures};
use super::response::ResponseBody;
use super::search_params::time_param;
use super::{App, Endpoint, RestError, RestRequest, RestResponse};
use crate::cluster::names::matches_pattern;
use crate::cluster::{ClusterState, NodeId, NodeInfo};
use crate::coordination::search_input::SearchInput;
use crate::coordination::tasks::{EndOnDrop, Task};
use crate::nodes::{NodeError, TaskView};

pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        name: "tasks.list",
        routes: &[(Method::GET, "/_tasks")],
        params: &[&[
            "nodes",
            "node_id",
            "actions",
            "detailed",
            "parent_task_id",
            "wait_for_completion",
            "timeout",
            "group_by",
        ]],
        handler: |app, request| Box::pin(list(app, request)),
    },
    Endpoint {
        name: "tasks.get",
        routes: &[(Method::GET, "/_tasks/{task_id}")],
        params: &[&["wait_for_completion", "timeout"]],
        handler: |app, request| Box::pin(get(app, request)),
    },
    Endpoint {
        name: "tasks.cancel",
        routes: &[
            (Method::POST, "/_tasks/_cancel"),
            (Method::POST, "/_tasks/{task_id}/_cancel"),
        ],
        params: &[&[
            "nodes",
            "node_id",
            "actions",
            "parent_task_id",
            "wait_for_completion",
        ]],
        handler: |app, request| Box::pin(cancel(app, request)),
    },
];

const LIST_ACTION: &str = "cluster:monitor/tasks/lists";

/// How long an operation that waits for tasks waits, if nobody says.
const WAIT: Duration = Duration::from_secs(30);

async fn get(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    let wait = request.params.bool("wait_for_completion", false)?;
    let timeout = time_param(&request.params, "timeout")?.unwrap_or(WAIT);
    let name = request.required_var("task_id")?;
    let (node, id) = parse_name(&app, name)?;
    let task = app.nodes.task(&node, id, wait.then_some(timeout)).await;
    let task = task?.ok_or_else(|| unknown(name))?;
    if wait && task.end.is_none() {
        return Err(RestError::new(
            500,
            "timeout_exception",
            format!("Timed out waiting for completion of task [{name}]"),
        ));
    }
    Ok(RestResponse::ok(&task.report(&node)))
}

/// The node and the number of a task's name; 404 if there is no such node.
pub fn parse_name(app: &App, name: &str) -> Result<(NodeId, u64), RestError> {
    let malformed = || RestError::illegal_argument(format!("malformed task id {name}"));
    let (node, number) = name.rsplit_once(':').ok_or_else(malformed)?;
    let number = number.parse().map_err(|_| malformed())?;
    let node = NodeId(node.to_owned());
    if node != app.node.id && !app.state().nodes.contains_key(&node) {
        return Err(RestError::new(
            404,
            "resource_not_found_exception",
            format!(
                "task [{name}] belongs to the node [{node}] which isn't part of the cluster and there is no record of the task"
            ),
        ));
    }
    Ok((node, number))
}

/// 404: the node does not know the task.
pub fn unknown(name: &str) -> RestError {
    RestError::new(
        404,
        "resource_not_found_exception",
        format!("task [{name}] isn't running and hasn't stored its results"),
    )
}

impl From<NodeError> for RestError {
    fn from(error: NodeError) -> RestError {
        RestError::new(503, "node_disconnected_exception", error.to_string())
    }
}

/// A list of tasks is one itself, and shows.
async fn list(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    let own = begin_list(&app, &request);
    list_beside(&app, &request, &own.task).await
}

/// The task that a list of tasks is.
pub fn begin_list(app: &App, request: &RestRequest) -> EndOnDrop {
    EndOnDrop {
        tasks: app.tasks.clone(),
        task: app.tasks.begin_short(LIST_ACTION, opaque_id(request)),
    }
}

/// What a client calls its request.
fn opaque_id(request: &RestRequest) -> Option<String> {
    let id = request.headers.get("x-opaque-id")?;
    Some(id.to_str().ok()?.to_owned())
}

/// Does the work of a request as a task that is listed, and that can be stopped. When it is, the work is dropped, and
/// with it what shards do for it.
///
/// * `description`: what it does with what.
pub async fn as_task<T>(
    app: &App,
    request: &RestRequest,
    action: &'static str,
    description: String,
    work: impl Future<Output = Result<T, RestError>>,
) -> Result<T, RestError> {
    let own = EndOnDrop {
        tasks: app.tasks.clone(),
        task: app
            .tasks
            .begin_request(action, description, opaque_id(request)),
    };
    own.task.unless_cancelled(work).await
}

/// The action of a search, as tasks name it.
pub const SEARCH_ACTION: &str = "indices:data/read/search";

/// What a search does, as tasks describe it.
pub fn search_description(input: &SearchInput, request: &RestRequest) -> String {
    let kind = match input.dfs {
        true => "DFS_QUERY_THEN_FETCH",
        false => "QUERY_THEN_FETCH",
    };
    let source = String::from_utf8_lossy(&request.body);
    let indices = input.indices.join(",");
    format!("indices[{indices}], search_type[{kind}], source[{source}]")
}

async fn list_beside(
    app: &Arc<App>,
    request: &RestRequest,
    own: &Task,
) -> Result<RestResponse, RestError> {
    let state = app.state();
    let found = chosen(app, &state, request).await?;
    if request.params.bool("wait_for_completion", false)? {
        let timeout = time_param(&request.params, "timeout")?.unwrap_or(WAIT);
        let is_own = |node: &NodeInfo, task: &TaskView| node.id == app.node.id && task.id == own.id;
        for (node, tasks) in &found.answers {
            for task in tasks.iter().filter(|task| !is_own(node, task)) {
                app.nodes.task(&node.id, task.id, Some(timeout)).await?;
            }
        }
    }
    request.params.bool("detailed", false)?;
    let all = || {
        let nodes = found.answers.iter();
        nodes.flat_map(|(node, tasks)| tasks.iter().map(|task| (&node.id, task)))
    };
    let mut answer = match request.params.get("group_by") {
        None | Some("nodes") => grouped_by_node(&found.answers),
        Some("parents") => {
            let mut shown = Map::new();
            for (node, task) in all() {
                shown.insert(task.name(node), task.describe(node));
            }
            json!({"tasks": shown})
        }
        Some("none") => {
            let shown: Vec<Value> = all().map(|(node, task)| task.describe(node)).collect();
            json!({"tasks": shown})
        }
        Some(other) => {
            return Err(RestError::illegal_argument(format!(
                "unknown group_by [{other}]"
            )));
        }
    };
    add_failures(&mut answer, &found.failures);
    Ok(RestResponse::ok(&answer))
}

fn add_failures(answer: &mut Value, failures: &[NodeError]) {
    if !failures.is_empty() {
        answer["node_failures"] = Value::Array(node_failures(failures));
    }
}

async fn cancel(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    let wait = request.params.bool("wait_for_completion", false)?;
    let state = app.state();
    let mut failures = Vec::new();
    let mut meant: Vec<(NodeId, Vec<u64>)> = Vec::new();
    if let Some(name) = request.var("task_id") {
        let (node, id) = parse_name(&app, name)?;
        let known = app.nodes.task(&node, id, None).await?;
        known.ok_or_else(|| unknown(name))?;
        meant.push((node, vec![id]));
    } else {
        let found = chosen(&app, &state, &request).await?;
        failures = found.failures;
        for (node, tasks) in found.answers {
            meant.push((node.id.clone(), tasks.iter().map(|task| task.id).collect()));
        }
    }
    let mut cancelled = Vec::new();
    for (node, ids) in meant {
        if ids.is_empty() {
            continue;
        }
        match app.nodes.cancel(&node, ids).await {
            Ok(tasks) => cancelled.push((node, tasks)),
            Err(error) => failures.push(error),
        }
    }
    if wait {
        for (node, tasks) in &cancelled {
            for task in tasks {
                app.nodes.task(node, task.id, Some(WAIT)).await?;
            }
        }
    }
    let shown = cancelled.into_iter().filter_map(|(node, tasks)| {
        let info = match node == app.node.id {
            true => &app.node,
            false => state.nodes.get(&node)?,
        };
        Some((info, tasks))
    });
    let mut answer = grouped_by_node(&shown.collect::<Vec<_>>());
    add_failures(&mut answer, &failures);
    Ok(RestResponse::ok(&answer))
}

/// Lets an operation run on as a task of its own, and answers with the task's name.
pub fn run_as_task(
    app: &Arc<App>,
    action: &'static str,
    description: String,
    work: impl Future<Output = Result<RestResponse, RestError>> + Send + 'static,
) -> RestResponse {
    let guard = EndOnDrop {
        tasks: app.tasks.clone(),
        task: app.tasks.begin(action, description, f32::INFINITY),
    };
    let name = app.tasks.name(&guard.task);
    tokio::spawn(async move {
        let answer = work.await.map(|response| match &response.body {
            ResponseBody::Json(json) => serde_json::from_slice(json).unwrap_or(Value::Null),
            _ => Value::Null,
        });
        guard.tasks.end(&guard.task, answer, true);
    });
    RestResponse::ok(&json!({"task": name}))
}

/// The running tasks that `nodes` and `actions` choose, by node.
pub async fn chosen<'a>(
    app: &App,
    state: &'a ClusterState,
    request: &RestRequest,
) -> Result<NodeCalls<'a, Vec<TaskView>>, RestError> {
    let mut nodes = request.params.list("nodes");
    nodes.extend(request.params.list("node_id"));
    let filter = (!nodes.is_empty()).then(|| nodes.join(","));
    let actions = request.params.list("actions");
    let has_parent = match request.params.get("parent_task_id") {
        None | Some("" | "unset") => false,
        Some(parent) => {
            let number = parent.rsplit_once(':').map(|(_, number)| number);
            if number.is_none_or(|number| number.parse::<i64>().is_err()) {
                return Err(RestError::illegal_argument(format!(
                    "malformed task id {parent}"
                )));
            }
            true
        }
    };
    let limit = time_param(&request.params, "timeout")?.unwrap_or(WAIT);
    let calls = ask_nodes(app, state, filter.as_deref(), limit, |node| {
        let actions = &actions;
        async move {
            if has_parent {
                // no task of this server has children
                return Ok(Vec::new());
            }
            let mut tasks = app.nodes.tasks(&node).await?;
            tasks.retain(|task| {
                let mut patterns = actions.iter();
                actions.is_empty() || patterns.any(|text| matches_pattern(text, &task.action))
            });
            Ok(tasks)
        }
    });
    Ok(calls.await)
}

/// Tasks under the nodes they run on.
pub fn grouped_by_node(tasks: &[(&NodeInfo, Vec<TaskView>)]) -> Value {
    let mut nodes = Map::new();
    for (node, tasks) in tasks {
        if tasks.is_empty() {
            continue;
        }
        let mut shown = Map::new();
        for task in tasks {
            shown.insert(task.name(&node.id), task.describe(&node.id));
        }
        nodes.insert(
            node.id.0.clone(),
            json!({
                "name": node.name, "transport_address": node.transport_address, "host": node.host,
                "ip": node.ip, "roles": node.roles, "tasks": shown,
            }),
        );
    }
    json!({"nodes": nodes})
}
