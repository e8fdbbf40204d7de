//! `_cluster/reroute`: copies moved, cancelled and forced by command; with `dry_run` only shown.

use std::sync::Arc;

use hyper::Method;
use serde_json::{Map, Value, json};

use super::cluster_state;
use super::endpoints::CHANGE_PARAMS;
use super::index_params::{body_object, change, timeouts};
use super::{App, Endpoint, RestError, RestRequest, RestResponse};
use crate::cluster::allocation::{Explanation, RerouteCommand, try_out};
use crate::master::{Changed, Command, RandomIds};

pub(super) const ENDPOINTS: &[Endpoint] = &[Endpoint {
    name: "cluster.reroute",
    routes: &[(Method::POST, "/_cluster/reroute")],
    params: &[
        CHANGE_PARAMS,
        &["dry_run", "explain", "metric", "retry_failed"],
    ],
    handler: |app, request| Box::pin(reroute(app, request)),
}];

async fn reroute(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    timeouts(&request.params)?;
    let explain = request.params.bool("explain", false)?;
    let dry_run = request.params.bool("dry_run", false)?;
    let retry_failed = request.params.bool("retry_failed", false)?;
    let body = body_object(&request)?.unwrap_or_default();
    let commands = parse_commands(&body)?;
    let before = app.state();
    if before.is_alone && !commands.is_empty() && !dry_run && !explain {
        return Err(RestError::illegal_argument(
            "this cluster has one node: no shard can be moved, cancelled or allocated by command",
        ));
    }
    let (tried, explanations) = try_out(
        &before,
        &commands,
        retry_failed,
        explain,
        app.now_ms(),
        &mut RandomIds,
    )?;
    let unchanged = |state| Changed {
        state,
        acknowledged: true,
    };
    let changed = if dry_run {
        unchanged(Arc::new(tried))
    } else if before.is_alone && retry_failed {
        change(&app, &request.params, Command::RetryShards(None)).await?
    } else if before.is_alone {
        unchanged(before)
    } else {
        let command = Command::RerouteBy {
            commands,
            retry_failed,
            is_lenient: explain,
        };
        change(&app, &request.params, command).await?
    };
    let mut answer = Map::new();
    answer.insert("acknowledged".to_owned(), json!(changed.acknowledged));
    let metrics = request.params.list("metric");
    if !metrics.iter().any(|metric| metric == "none") {
        let wanted = cluster_state::parse_metrics(&metrics, "/_cluster/reroute")?;
        let electorate = cluster_state::electorate(&app, &wanted).await;
        let (state, params) = (&changed.state, &request.params);
        let shown = cluster_state::show(state, &electorate, &wanted, None, params)?;
        answer.insert("state".to_owned(), shown);
    }
    if explain {
        let shown = explanations.iter().map(show).collect();
        answer.insert("explanations".to_owned(), Value::Array(shown));
    }
    Ok(RestResponse::ok(&answer))
}

fn parse_commands(body: &Map<String, Value>) -> Result<Vec<RerouteCommand>, RestError> {
    let refused = |reason: String| RestError::new(400, "x_content_parse_exception", reason);
    let mut commands = Vec::new();
    for (key, value) in body {
        if key != "commands" {
            return Err(refused(format!("[cluster_reroute] unknown field [{key}]")));
        }
        let Some(list) = value.as_array() else {
            return Err(refused(
                "[cluster_reroute] [commands] must be a list".to_owned(),
            ));
        };
        for command in list {
            commands.push(parse_command(command)?);
        }
    }
    Ok(commands)
}

fn parse_command(command: &Value) -> Result<RerouteCommand, RestError> {
    const COMMANDS: [&str; 5] = [
        "move",
        "cancel",
        "allocate_replica",
        "allocate_stale_primary",
        "allocate_empty_primary",
    ];
    let entry = command
        .as_object()
        .filter(|object| object.len() == 1)
        .and_then(|object| object.iter().next());
    let Some((name, Value::Object(_))) = entry else {
        return Err(RestError::illegal_argument(
            "a command is an object with one name",
        ));
    };
    if !COMMANDS.contains(&name.as_str()) {
        return Err(RestError::illegal_argument(format!(
            "unknown allocation command [{name}]"
        )));
    }
    serde_json::from_value(command.clone())
        .map_err(|err| RestError::new(400, "x_content_parse_exception", format!("[{name}] {err}")))
}

fn show(explanation: &Explanation) -> Value {
    let name = explanation.command.name();
    // its JSON is that of the request: the name, with the parameters in it
    let shown = serde_json::to_value(&explanation.command).unwrap_or_default();
    let mut decisions = Vec::new();
    for (decider, verdict, why) in &explanation.decisions {
        decisions.push(json!({
            "decider": decider,
            "decision": verdict.name(),
            "explanation": why,
        }));
    }
    json!({"command": name, "parameters": shown[name], "decisions": decisions})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_as_users_write_them_and_shown_the_same_way() {
        let written = json!({"cancel": {"index": "a", "shard": 0, "node": "n"}});
        let command = parse_command(&written).unwrap();
        let shown = show(&Explanation {
            command,
            decisions: Vec::new(),
        });
        let parameters = json!({"index": "a", "shard": 0, "node": "n", "allow_primary": false});
        assert_eq!(shown["parameters"], parameters);
        assert_eq!(shown["command"], "cancel");
        for wrong in [
            json!({"shuffle": {"index": "a"}}),
            json!({"move": {"index": "a", "shard": 0, "from_node": "n"}}),
            json!({"move": {"index": "a", "shard": 0, "from_node": "n", "to_node": "m", "x": 1}}),
            json!({"cancel": {"index": "a", "shard": -1, "node": "n"}}),
            json!({"cancel": 1}),
            json!(["cancel"]),
        ] {
            assert!(parse_command(&wrong).is_err(), "{wrong}");
        }
    }
}
