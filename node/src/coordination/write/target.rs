//! From a name to a shard.

use std::sync::Arc;

use crate::cluster::resolve::WriteTarget;
use crate::cluster::{ClusterState, IndexMetadata, IndexState};
use crate::coordination::rest::{App, RestError};
use crate::data::service::ShardTarget;
use crate::master::{Command, check_auto_create};
use crate::sys::rng;

use super::request::{DocWrite, WriteAction};

/// Where one write goes.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    /// The index.
    pub index: Arc<IndexMetadata>,
    /// Number of the shard.
    pub shard: u32,
    /// `_id`, given or made up.
    pub id: String,
    /// Routing, from the request or the alias.
    pub routing: Option<String>,
}

/// Makes the indices that writes need and that do not exist. Failures are told per index name.
pub(super) async fn auto_create(app: &App, writes: &[DocWrite]) -> Vec<(String, RestError)> {
    let mut failures: Vec<(String, RestError)> = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for write in writes {
        let name = write.index.as_str();
        // a deletion makes no index, unless its version is to be remembered
        let creates = match write.action {
            WriteAction::Delete => write.version_type != super::request::VersionType::Internal,
            _ => true,
        };
        if !creates || write.require_alias || name.is_empty() || seen.contains(&name) {
            continue;
        }
        seen.push(name);
        let state = app.state();
        match state.write_target(name, false, app.now_ms()) {
            Ok(Some(_)) => continue,
            // told again, per write, when it is placed
            Err(_) => continue,
            Ok(None) => {}
        }
        let concrete = match crate::cluster::date_math::expand(name, app.now_ms()) {
            Ok(concrete) => concrete,
            Err(error) => {
                failures.push((name.to_owned(), RestError::from(error)));
                continue;
            }
        };
        if let Err(error) = check_auto_create(&state, &concrete) {
            failures.push((name.to_owned(), RestError::from(error)));
            continue;
        }
        if let Err(error) = app
            .masters
            .submit(Command::AutoCreate { index: concrete })
            .await
        {
            failures.push((name.to_owned(), RestError::from(error)));
        }
    }
    failures
}

impl Placed {
    /// The shard, as it is asked for.
    pub fn target(&self) -> ShardTarget {
        ShardTarget {
            index: self.index.name.clone(),
            index_uuid: self.index.uuid.clone(),
            shard: self.shard,
        }
    }
}

/// Finds the places of writes in one cluster state.
pub(super) struct Placing<'a> {
    state: &'a ClusterState,
    now_ms: i64,
    /// Where the last write went: most requests write to one index.
    last: Option<(Wanted, Result<WriteTarget, RestError>)>,
}

/// What decides on the index, and whether it may be written.
#[derive(PartialEq)]
struct Wanted {
    index: String,
    require_alias: bool,
    is_delete: bool,
    pipeline: Option<String>,
}

impl Wanted {
    fn is_of(&self, write: &DocWrite) -> bool {
        self.index == write.index
            && self.require_alias == write.require_alias
            && self.is_delete == matches!(write.action, WriteAction::Delete)
            && self.pipeline == write.pipeline
    }
}

impl<'a> Placing<'a> {
    pub fn new(state: &'a ClusterState, now_ms: i64) -> Placing<'a> {
        Placing {
            state,
            now_ms,
            last: None,
        }
    }

    /// The index and shard of one write.
    pub fn place(&mut self, write: &DocWrite) -> Result<Placed, RestError> {
        let target = match self.last.take() {
            Some((wanted, target)) if wanted.is_of(write) => (wanted, target),
            _ => {
                let wanted = Wanted {
                    index: write.index.clone(),
                    require_alias: write.require_alias,
                    is_delete: matches!(write.action, WriteAction::Delete),
                    pipeline: write.pipeline.clone(),
                };
                (wanted, writable(self.state, write, self.now_ms))
            }
        };
        let (_, target) = self.last.insert(target);
        place_in(
            target.as_ref().map_err(RestError::clone)?,
            write,
            self.now_ms,
        )
    }
}

/// The index that a name stands for, if it takes writes.
fn writable(state: &ClusterState, write: &DocWrite, now_ms: i64) -> Result<WriteTarget, RestError> {
    let target = state.write_target(&write.index, write.require_alias, now_ms)?;
    let Some(target) = target else {
        return Err(RestError::index_not_found(&write.index));
    };
    let index = &target.metadata;
    check_open(index)?;
    check_write_block(index, matches!(write.action, WriteAction::Delete))?;
    check_pipeline(state, index, write)?;
    Ok(target)
}

fn place_in(target: &WriteTarget, write: &DocWrite, now_ms: i64) -> Result<Placed, RestError> {
    let index = target.metadata.clone();
    let routing = routing_of(
        &write.index,
        write.routing.as_deref(),
        target.routing.as_deref(),
    )?;
    let id = match &write.id {
        Some(id) if id.is_empty() => {
            return Err(RestError::illegal_argument(
                "if _id is specified it must not be empty",
            ));
        }
        Some(id) => id.clone(),
        None => rng::document_id(now_ms),
    };
    if routing.is_none() && index.schema.mapping.routing_required() {
        return Err(routing_missing(&index, &id));
    }
    let shard = index.shard_of(&id, routing.as_deref());
    Ok(Placed {
        shard,
        id,
        routing,
        index,
    })
}

/// The routing in force: the request's, or the alias's; they must not disagree.
pub fn routing_of(
    name: &str,
    request: Option<&str>,
    alias: Option<&str>,
) -> Result<Option<String>, RestError> {
    match (request, alias) {
        (Some(request), Some(alias)) if request != alias => {
            Err(RestError::illegal_argument(format!(
                "Alias [{name}] has index routing associated with it [{alias}], and was provided with routing value [{request}], rejecting operation"
            )))
        }
        (request, alias) => Ok(request.or(alias).map(str::to_owned)),
    }
}

/// 400: this index wants a routing value for every document.
pub fn routing_missing(index: &IndexMetadata, id: &str) -> RestError {
    RestError::new(
        400,
        "routing_missing_exception",
        format!("routing is required for [{}]/[{id}]", index.name),
    )
    .with_index(&index.name, &index.uuid)
}

fn check_open(index: &IndexMetadata) -> Result<(), RestError> {
    match index.state {
        IndexState::Open => Ok(()),
        IndexState::Close => Err(RestError::new(400, "index_closed_exception", "closed")
            .with_index(&index.name, &index.uuid)),
    }
}

fn check_write_block(index: &IndexMetadata, delete: bool) -> Result<(), RestError> {
    let mut blocks = Vec::new();
    if index.flag("index.blocks.read_only") {
        blocks.push("FORBIDDEN/5/index read-only (api)");
    }
    if index.flag("index.blocks.read_only_allow_delete") && !delete {
        blocks.push("TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark, index has read-only-allow-delete block");
    }
    if index.flag("index.blocks.write") {
        blocks.push("FORBIDDEN/8/index write (api)");
    }
    blocked(index, &blocks)
}

/// Whether documents of the index cannot change at the moment.
pub fn is_write_blocked(index: &IndexMetadata) -> bool {
    check_write_block(index, false).is_err()
}

/// 403, if reads of the index are blocked.
pub fn check_read_block(index: &IndexMetadata) -> Result<(), RestError> {
    match index.flag("index.blocks.read") {
        true => blocked(index, &["FORBIDDEN/7/index read (api)"]),
        false => Ok(()),
    }
}

fn blocked(index: &IndexMetadata, blocks: &[&str]) -> Result<(), RestError> {
    if blocks.is_empty() {
        return Ok(());
    }
    let status = match blocks.iter().all(|block| block.starts_with("TOO_MANY")) {
        true => 429,
        false => 403,
    };
    let list: Vec<String> = blocks.iter().map(|block| format!("[{block}];")).collect();
    Err(RestError::new(
        status,
        "cluster_block_exception",
        format!("index [{}] blocked by: {}", index.name, list.join("")),
    )
    .with_index(&index.name, &index.uuid))
}

/// Refuses pipelines: none can be run, so none may be asked for.
fn check_pipeline(
    state: &ClusterState,
    index: &IndexMetadata,
    write: &DocWrite,
) -> Result<(), RestError> {
    if matches!(write.action, WriteAction::Delete) {
        return Ok(());
    }
    let named = write.pipeline.as_deref();
    let default = named.or_else(|| index.setting("index.default_pipeline"));
    for pipeline in [default, index.setting("index.final_pipeline")]
        .into_iter()
        .flatten()
    {
        if pipeline == "_none" || pipeline.is_empty() {
            continue;
        }
        let reason = match state.pipelines.contains_key(pipeline) {
            true => format!(
                "pipeline with id [{pipeline}] cannot be run: ingest pipelines are not supported"
            ),
            false => format!("pipeline with id [{pipeline}] does not exist"),
        };
        return Err(RestError::illegal_argument(reason));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::NodeId;

    #[test]
    fn routing_must_agree() {
        assert_eq!(
            routing_of("a", Some("1"), None).unwrap().as_deref(),
            Some("1")
        );
        assert_eq!(
            routing_of("a", None, Some("2")).unwrap().as_deref(),
            Some("2")
        );
        assert!(routing_of("a", Some("1"), Some("2")).is_err());
    }

    #[test]
    fn auto_create_follows_the_patterns() {
        let mut state = ClusterState::empty("c", "u", NodeId("n".to_owned()));
        let mut check = |setting: &str, index: &str| {
            state
                .persistent
                .insert("action.auto_create_index".to_owned(), setting.to_owned());
            check_auto_create(&state, index).map_err(|error| error.reason)
        };
        assert!(check("true", "a").is_ok());
        assert_eq!(
            check("false", "a").unwrap_err(),
            "no such index [a] and [action.auto_create_index] is [false]"
        );
        assert!(check("+log*,-*", "logs").is_ok());
        assert_eq!(
            check("-log*,+*", "logs").unwrap_err(),
            "no such index [logs] and [action.auto_create_index] contains [-log*] which forbids automatic creation of the index"
        );
        assert!(
            check("x*", "logs")
                .unwrap_err()
                .ends_with("([x*]) doesn't match")
        );
    }
}
