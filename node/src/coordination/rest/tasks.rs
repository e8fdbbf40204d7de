//! `_tasks`: long operations, looked at and stopped.

use std::sync::Arc;
use std::time::Duration;

use hyper::Method;
use serde_json::{Map, Value, json};

use super::response::ResponseBody;
use super::search_params::time_param;
use super::{App, Endpoint, RestError, RestRequest, RestResponse};
use crate::cluster::names::matches_pattern;
use crate::coordination::tasks::{EndOnDrop, Task};

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

async fn get(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    let wait = request.params.bool("wait_for_completion", false)?;
    let timeout = time_param(&request.params, "timeout")?.unwrap_or(Duration::from_secs(30));
    let name = request.required_var("task_id")?;
    let task = app.tasks.find(name)?;
    if wait && !app.tasks.wait(&task, timeout).await {
        return Err(RestError::new(
            500,
            "timeout_exception",
            format!("Timed out waiting for completion of task [{name}]"),
        ));
    }
    Ok(RestResponse::ok(&app.tasks.report(&task)))
}

/// A list of tasks is one itself, and shows.
async fn list(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    let own = begin_list(&app, &request);
    list_beside(&app, &request, &own.task).await
}

/// The task that a list of tasks is.
pub fn begin_list(app: &App, request: &RestRequest) -> EndOnDrop {
    let opaque_id = request
        .headers
        .get("x-opaque-id")
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    EndOnDrop {
        tasks: app.tasks.clone(),
        task: app.tasks.begin_short(LIST_ACTION, opaque_id),
    }
}

async fn list_beside(
    app: &Arc<App>,
    request: &RestRequest,
    own: &Task,
) -> Result<RestResponse, RestError> {
    let tasks = chosen(app, request)?;
    if request.params.bool("wait_for_completion", false)? {
        let timeout = time_param(&request.params, "timeout")?.unwrap_or(Duration::from_secs(30));
        for task in tasks.iter().filter(|task| task.id != own.id) {
            app.tasks.wait(task, timeout).await;
        }
    }
    request.params.bool("detailed", false)?;
    match request.params.get("group_by") {
        None | Some("nodes") => Ok(RestResponse::ok(&grouped_by_node(app, &tasks))),
        Some("parents") => {
            let mut shown = Map::new();
            for task in &tasks {
                shown.insert(app.tasks.name(task), app.tasks.describe(task));
            }
            Ok(RestResponse::ok(&json!({"tasks": shown})))
        }
        Some("none") => {
            let shown: Vec<Value> = tasks.iter().map(|task| app.tasks.describe(task)).collect();
            Ok(RestResponse::ok(&json!({"tasks": shown})))
        }
        Some(other) => Err(RestError::illegal_argument(format!(
            "unknown group_by [{other}]"
        ))),
    }
}

async fn cancel(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    let wait = request.params.bool("wait_for_completion", false)?;
    let tasks = match request.var("task_id") {
        Some(name) => vec![app.tasks.find(name)?],
        None => chosen(&app, &request)?,
    };
    for task in &tasks {
        task.cancel();
    }
    if wait {
        for task in &tasks {
            app.tasks.wait(task, Duration::from_secs(30)).await;
        }
    }
    Ok(RestResponse::ok(&grouped_by_node(&app, &tasks)))
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

/// The running tasks that `nodes` and `actions` choose.
pub fn chosen(app: &App, request: &RestRequest) -> Result<Vec<Arc<Task>>, RestError> {
    let mut nodes = request.params.list("nodes");
    nodes.extend(request.params.list("node_id"));
    let here = |name: &String| {
        matches!(name.as_str(), "_all" | "_local")
            || *name == app.node.id.0
            || matches_pattern(name, &app.node.name)
    };
    if !nodes.is_empty() && !nodes.iter().any(here) {
        return Ok(Vec::new());
    }
    if request.params.has("parent_task_id") {
        // no task of this server has children
        return Ok(Vec::new());
    }
    let actions = request.params.list("actions");
    let mut tasks = app.tasks.running();
    if !actions.is_empty() {
        tasks.retain(|task| {
            actions
                .iter()
                .any(|pattern| matches_pattern(pattern, task.action))
        });
    }
    Ok(tasks)
}

/// Tasks under the node they run on.
pub fn grouped_by_node(app: &App, tasks: &[Arc<Task>]) -> Value {
    if tasks.is_empty() {
        return json!({"nodes": {}});
    }
    let mut shown = Map::new();
    for task in tasks {
        shown.insert(app.tasks.name(task), app.tasks.describe(task));
    }
    let node = &app.node;
    json!({"nodes": {node.id.0.as_str(): {
        "name": node.name, "transport_address": node.transport_address, "host": node.host, "ip": node.ip,
        "roles": node.roles, "tasks": shown,
    }}})
}
