//! Scrolls outlive the node that coordinates them: after each page, where a scroll stands is left with its readers, on
//! the nodes that hold them. Any coordinating node goes on from there.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use quidditch_engine::query::Query;
use quidditch_engine::search::{HitCount, SearchRequest, Slice, SortKey, SortValue};
use serde::{Deserialize, Serialize};

use super::fetch::FetchSpec;
use super::held::HeldReader;
use super::rest::RestError;
use super::route::Route;
use super::scroll::{Scroll, ShardQueue};
use super::searcher::Searcher;
use crate::cluster::state::ClusterState;
use crate::data::search::{ContextId, CopyPreference, SearchLimits};
use crate::data::service::ShardTarget;
use crate::sys::rng;
use crate::wire::tree;

/// Every id starts with this, so that other texts are told from old ids.
const PREFIX: &[u8] = b"qscroll2";
/// The number of the page stands before the note itself.
const PAGE_BYTES: usize = 8;
/// Nodes that hold the note: one may go away.
const HOLDERS: usize = 2;

/// What an id says: the readers of the scroll.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScrollId {
    /// Tells scrolls apart that read nothing.
    key: u64,
    /// The readers.
    pub readers: Vec<HeldReader>,
}

impl ScrollId {
    /// A new one.
    pub fn new(readers: Vec<HeldReader>) -> ScrollId {
        let mut key = [0u8; 8];
        rng::fill(&mut key);
        ScrollId {
            key: u64::from_le_bytes(key),
            readers,
        }
    }

    /// As users see it.
    pub fn encode(&self) -> Result<String, RestError> {
        let tree = tree::encode("scroll id", self);
        let tree = tree.map_err(|error| RestError::internal(error.to_string()))?;
        Ok(URL_SAFE_NO_PAD.encode([PREFIX, &tree].concat()))
    }

    /// Refuses texts that were never an id.
    pub fn decode(text: &str) -> Result<ScrollId, RestError> {
        let wrong = || RestError::illegal_argument("Cannot parse scroll id");
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| wrong())?;
        let tree = bytes.strip_prefix(PREFIX).ok_or_else(wrong)?;
        tree::decode("scroll id", tree).map_err(|_| wrong())
    }

    /// The readers that hold the note, one of each of a few nodes.
    fn holders(&self) -> Vec<&HeldReader> {
        let mut holders: Vec<&HeldReader> = Vec::new();
        for reader in &self.readers {
            let node = &reader.context.node;
            let is_new = holders.iter().all(|holder| holder.context.node != *node);
            if is_new && holders.len() < HOLDERS {
                holders.push(reader);
            }
        }
        holders
    }
}

/// Where a scroll stands.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    shards: Vec<NotedShard>,
    request: SearchRequest,
    keys: Vec<SortKey>,
    spec: FetchSpec,
    named: Vec<Query>,
    size: usize,
    at_once: usize,
    keep_alive: Duration,
    total: Option<HitCount>,
    max_score: Option<f32>,
    typed_keys: bool,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NotedShard {
    target: ShardTarget,
    filter: Option<Query>,
    boost: f32,
    slice: Option<Slice>,
    context: Option<ContextId>,
    limits: SearchLimits,
    /// Sort values of the last hit that a page showed.
    shown: Option<Vec<SortValue>>,
    done: bool,
}

/// The number of the page after which a note was left.
pub fn page_of(note: &[u8]) -> Option<u64> {
    let page = note.get(..PAGE_BYTES)?.try_into().ok()?;
    Some(u64::from_le_bytes(page))
}

/// The scroll as a note.
fn write(scroll: &Scroll) -> Result<Bytes, tree::WireError> {
    let mut shards = Vec::new();
    for (at, route) in scroll.routes.iter().enumerate() {
        let queue = &scroll.queues[at];
        shards.push(NotedShard {
            target: route.target.clone(),
            filter: route.filter.clone(),
            boost: route.boost,
            slice: route.slice.clone(),
            context: scroll.contexts[at].clone(),
            limits: scroll.limits[at].clone(),
            shown: queue.shown.clone(),
            done: queue.done && queue.hits.is_empty(),
        });
    }
    let note = Note {
        shards,
        request: scroll.request.clone(),
        keys: scroll.keys.clone(),
        spec: scroll.spec.clone(),
        named: scroll.named.clone(),
        size: scroll.size,
        at_once: scroll.at_once,
        keep_alive: scroll.keep_alive,
        total: scroll.total,
        max_score: scroll.max_score,
        typed_keys: scroll.typed_keys,
    };
    let tree = tree::encode("scroll", &note)?;
    Ok([&scroll.page.to_le_bytes()[..], &tree].concat().into())
}

/// The scroll of a note. `None`: an index of it is gone.
fn read(note: &[u8], state: &ClusterState) -> Result<Option<Scroll>, tree::WireError> {
    let cut = || tree::WireError::missing("scroll");
    let page = page_of(note).ok_or_else(cut)?;
    let note: Note = tree::decode("scroll", &note[PAGE_BYTES..])?;
    let mut scroll = Scroll {
        routes: Vec::new(),
        contexts: Vec::new(),
        limits: Vec::new(),
        request: note.request,
        keys: note.keys,
        spec: note.spec,
        named: note.named,
        size: note.size,
        at_once: note.at_once,
        keep_alive: note.keep_alive,
        queues: Vec::new(),
        total: note.total,
        max_score: note.max_score,
        typed_keys: note.typed_keys,
        page,
    };
    for shard in note.shards {
        let Some(index) = state.index_by_uuid(&shard.target.index_uuid) else {
            return Ok(None);
        };
        scroll.routes.push(Route {
            target: shard.target,
            index: index.clone(),
            filter: shard.filter,
            boost: shard.boost,
            slice: shard.slice,
            context: None,
            keep_alive: None,
            preference: CopyPreference::Any,
        });
        scroll.contexts.push(shard.context);
        scroll.limits.push(shard.limits);
        scroll.queues.push(ShardQueue {
            last: shard.shown.clone(),
            shown: shard.shown,
            done: shard.done,
            ..ShardQueue::default()
        });
    }
    Ok(Some(scroll))
}

impl Searcher {
    /// Leaves where a scroll stands with its readers, for other nodes to go on from.
    pub(super) async fn leave_note(&self, id: &ScrollId, scroll: &Scroll) {
        let holders = id.holders();
        if holders.is_empty() || self.state().nodes.len() == 1 {
            return;
        }
        let note = match write(scroll) {
            Ok(note) => note,
            Err(error) => {
                tracing::warn!(%error, "a scroll cannot be handed over");
                return;
            }
        };
        let writing = holders.into_iter().map(|holder| {
            let note = note.clone();
            async move {
                let target = holder.target();
                let written = self
                    .service
                    .write_note(&target, &holder.context, note)
                    .await;
                if let Err(error) = written {
                    // this node goes on by what it knows itself
                    tracing::debug!(node = %holder.context.node, %error, "could not note where a scroll stands");
                }
            }
        });
        futures::future::join_all(writing).await;
    }

    /// The newest note about a scroll. `None`: nobody has one.
    pub(super) async fn find_note(&self, id: &ScrollId) -> Option<Bytes> {
        if self.state().nodes.len() == 1 {
            return None;
        }
        let reading = id.holders().into_iter().map(|holder| async move {
            let target = holder.target();
            self.service.read_note(&target, &holder.context).await
        });
        let notes = futures::future::join_all(reading).await;
        let notes = notes.into_iter().flatten();
        // an empty one was never written
        let notes = notes.filter(|note| page_of(note).is_some());
        notes.max_by_key(|note| page_of(note))
    }

    /// The scroll of a note, if it still can be read.
    pub(super) fn scroll_of(&self, note: &[u8]) -> Result<Option<Scroll>, RestError> {
        read(note, &self.state()).map_err(|error| RestError::internal(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_told_from_other_texts() {
        let id = ScrollId::new(Vec::new());
        let text = id.encode().unwrap();
        assert_eq!(ScrollId::decode(&text).unwrap(), id);
        assert!(ScrollId::decode("invalid_scroll_id").is_err());
        assert!(ScrollId::decode(&text[..text.len() - 4]).is_err());
        assert_ne!(ScrollId::new(Vec::new()), id);
    }
}
