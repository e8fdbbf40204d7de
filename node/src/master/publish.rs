//! The newest cluster state, and what led to it lately: what watchers are told.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use crc_fast::{CrcAlgorithm, Digest};
use parking_lot::Mutex;
use tokio::sync::watch;

use super::apply::apply;
use crate::cluster::{ClusterState, NodeId};
use crate::wire::batch::{Batch, Image, RequestId};

/// Changes that are remembered for watchers that are a little behind.
const RECENT_MAX: usize = 1_000;
/// Bytes of those changes.
const RECENT_BYTES_MAX: usize = 16 << 20;
/// Requests that are remembered, so that a second try of one does nothing.
const DONE_MAX: usize = 4_096;

/// A state, and a hash of all the changes that led to it.
#[derive(Clone, Debug)]
pub struct Published {
    /// The state.
    pub state: Arc<ClusterState>,
    /// A chain: each change's bytes and the hash before it give the hash after it.
    pub hash: u64,
}

impl Published {
    /// Before everything: no cluster, no change.
    pub fn nothing() -> Published {
        Published {
            state: Arc::new(ClusterState::empty("", "_na_", NodeId(String::new()))),
            hash: 0,
        }
    }

    /// The state that a change makes of this one; `bytes` are those of the batch.
    pub fn after(&self, batch: &Batch, bytes: &[u8]) -> Published {
        let before = ClusterState::clone(&self.state);
        let mut state = batch.events.iter().fold(before, apply);
        state.version = self.state.version + 1;
        state.state_uuid = batch.state_uuid.clone();
        let mut digest = Digest::new(CrcAlgorithm::Crc64Nvme);
        digest.update(&self.hash.to_le_bytes());
        digest.update(bytes);
        Published {
            state: Arc::new(state),
            hash: digest.finalize(),
        }
    }
}

/// One change, as watchers are told of it.
#[derive(Clone, Debug)]
pub struct Change {
    /// Version after it.
    pub version: u64,
    /// Hash before it.
    pub hash_before: u64,
    /// Hash after it.
    pub hash: u64,
    /// The encoded batch.
    pub batch: Bytes,
}

/// What leads from a state that a watcher has to the newest.
#[derive(Debug)]
pub enum Since {
    /// These changes, in order; none: it has the newest, or one that is not known here yet.
    Changes(Vec<Change>),
    /// Its state is none of those that are remembered; this is the newest.
    Image(Box<Image>),
}

#[derive(Debug)]
struct Inner {
    newest: Published,
    recent: VecDeque<Change>,
    recent_bytes: usize,
    done: VecDeque<(RequestId, u64)>,
    done_versions: HashMap<RequestId, u64>,
}

/// Holds what has been agreed on; written by one, read by all.
#[derive(Debug)]
pub struct Publisher {
    inner: Mutex<Inner>,
    states: watch::Sender<Arc<ClusterState>>,
}

impl Publisher {
    /// Begins with a state.
    pub fn new(image: Option<Image>) -> Publisher {
        let publisher = Publisher {
            states: watch::channel(Published::nothing().state).0,
            inner: Mutex::new(Inner {
                newest: Published::nothing(),
                recent: VecDeque::new(),
                recent_bytes: 0,
                done: VecDeque::new(),
                done_versions: HashMap::new(),
            }),
        };
        if let Some(image) = image {
            publisher.replace(image);
        }
        publisher
    }

    /// The newest state.
    pub fn newest(&self) -> Published {
        self.inner.lock().newest.clone()
    }

    /// Tells each new state.
    pub fn watch(&self) -> watch::Receiver<Arc<ClusterState>> {
        self.states.subscribe()
    }

    /// Version of the state that a request made, if it is one of the last ones.
    pub fn done(&self, request: &RequestId) -> Option<u64> {
        self.inner.lock().done_versions.get(request).copied()
    }

    /// Takes the next change and returns the version after it.
    pub fn advance(&self, batch: &Batch, bytes: Bytes) -> u64 {
        let mut inner = self.inner.lock();
        let next = inner.newest.after(batch, &bytes);
        let version = next.state.version;
        inner.recent_bytes += bytes.len();
        let change = Change {
            version,
            hash_before: inner.newest.hash,
            hash: next.hash,
            batch: bytes,
        };
        inner.recent.push_back(change);
        while inner.recent.len() > RECENT_MAX || inner.recent_bytes > RECENT_BYTES_MAX {
            let Some(old) = inner.recent.pop_front() else {
                break;
            };
            inner.recent_bytes -= old.batch.len();
        }
        for request in &batch.requests {
            inner.remember(*request, version);
        }
        inner.newest = next;
        self.states.send_replace(inner.newest.state.clone());
        version
    }

    /// Takes a whole state; what led to it is not known.
    pub fn replace(&self, image: Image) {
        let mut inner = self.inner.lock();
        inner.recent.clear();
        inner.recent_bytes = 0;
        inner.done.clear();
        inner.done_versions.clear();
        for (request, version) in image.done {
            inner.remember(request, version);
        }
        inner.newest = Published {
            state: Arc::new(image.state),
            hash: image.hash,
        };
        self.states.send_replace(inner.newest.state.clone());
    }

    /// The newest state, to be kept or sent whole.
    pub fn image(&self) -> Image {
        self.inner.lock().image()
    }

    /// What a watcher that has the state of a version and hash has to be told.
    pub fn since(&self, version: u64, hash: u64) -> Since {
        let inner = self.inner.lock();
        let newest = inner.newest.state.version;
        // ahead of this one: it will come there as well, and is told nothing older until then
        if version > newest || (version == newest && hash == inner.newest.hash) {
            return Since::Changes(Vec::new());
        }
        let next = |change: &Change| change.version == version + 1 && change.hash_before == hash;
        match inner.recent.iter().position(next) {
            Some(at) => Since::Changes(inner.recent.range(at..).cloned().collect()),
            None => Since::Image(Box::new(inner.image())),
        }
    }
}

impl Inner {
    fn remember(&mut self, request: RequestId, version: u64) {
        self.done.push_back((request, version));
        self.done_versions.insert(request, version);
        while self.done.len() > DONE_MAX {
            if let Some((old, version)) = self.done.pop_front()
                && self.done_versions.get(&old) == Some(&version)
            {
                self.done_versions.remove(&old);
            }
        }
    }

    fn image(&self) -> Image {
        Image {
            state: ClusterState::clone(&self.newest.state),
            hash: self.newest.hash,
            done: self.done.iter().copied().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::master::Event;

    fn batch(publisher: &Publisher, name: &str, request: u8) -> (Batch, Bytes) {
        let batch = Batch {
            base_version: publisher.newest().state.version,
            state_uuid: name.to_owned(),
            requests: vec![[request; 16]],
            events: vec![Event::Pipeline {
                id: name.to_owned(),
                pipeline: Some(serde_json::json!({})),
            }],
        };
        let bytes = Bytes::from(batch.encode().unwrap());
        (batch, bytes)
    }

    fn advance(publisher: &Publisher, name: &str, request: u8) -> u64 {
        let (batch, bytes) = batch(publisher, name, request);
        publisher.advance(&batch, bytes)
    }

    #[test]
    fn a_watcher_is_told_what_it_misses_and_comes_to_the_same_hash() {
        let publisher = Publisher::new(None);
        advance(&publisher, "a", 1);
        let mut have = publisher.newest();
        advance(&publisher, "b", 2);
        advance(&publisher, "c", 3);
        let Since::Changes(changes) = publisher.since(have.state.version, have.hash) else {
            panic!("the change is remembered");
        };
        for change in changes {
            let batch = Batch::decode(&change.batch).unwrap();
            have = have.after(&batch, &change.batch);
            assert_eq!(
                (have.state.version, have.hash),
                (change.version, change.hash)
            );
        }
        assert_eq!(have.state.pipelines.len(), 3);
        assert_eq!(have.hash, publisher.newest().hash);
        assert_eq!(publisher.done(&[2; 16]), Some(2));
    }

    #[test]
    fn whoever_is_too_far_behind_or_elsewhere_gets_the_whole_state() {
        let publisher = Publisher::new(None);
        for round in 0..=RECENT_MAX {
            advance(&publisher, &(round % 7).to_string(), 0);
        }
        assert!(matches!(publisher.since(0, 0), Since::Image(_)), "behind");
        let newest = publisher.newest();
        let elsewhere = publisher.since(newest.state.version - 1, 1);
        assert!(matches!(elsewhere, Since::Image(_)), "another history");
        let Since::Image(image) = publisher.since(newest.state.version, !newest.hash) else {
            panic!("another history of the same length");
        };
        let ahead = publisher.since(newest.state.version + 1, 1);
        assert!(
            matches!(ahead, Since::Changes(changes) if changes.is_empty()),
            "it is ahead"
        );
        let other = Publisher::new(Some(Image::decode(&image.encode().unwrap()).unwrap()));
        assert_eq!(other.newest().hash, newest.hash);
        assert_eq!(other.newest().state.version, newest.state.version);
        assert_eq!(other.done(&[0; 16]), publisher.done(&[0; 16]));
        assert_eq!(advance(&other, "x", 9), advance(&publisher, "x", 9));
        assert_eq!(other.newest().hash, publisher.newest().hash);
    }
}
