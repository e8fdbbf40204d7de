//! # The cluster state on disk
//!
//! A journal ([`quidditch_engine::translog::journal`]: framed, checksummed, torn tails told from damage) of
//! protocol messages (`proto/quidditch/state/v1/journal.proto`). A batch is answered only when it is durable. Now and then the whole state is written into a new
//! generation, and the generations before it go.
//!
//! | record | meaning |
//! |---|---|
//! | `Batch` | what one round of commands did, and the version after it |
//! | `SnapshotStart`, `SnapshotPart`…, `SnapshotEnd` | the whole state; without its end it never was |
//!
//! | format | since | change |
//! |-------:|-------|--------|
//! | 1 | 0.1 | first |

use std::sync::Arc;

use quidditch_engine::directory::Directory;
use quidditch_engine::translog::journal::{Journal, JournalError};

use super::apply::apply;
use super::event::Event;
use super::ids::Ids;
use crate::cluster::ClusterState;
use crate::cluster::node::NodeId;
use crate::wire::state_record::StateRecord as Record;

/// Format of the records that this build writes and reads.
const FORMAT: u32 = 1;
/// A snapshot is due when this many bytes came after the last one, and as many as it has itself.
const SNAPSHOT_AFTER_BYTES: u64 = 4 << 20;

/// Why the state on disk does not come back.
#[derive(Debug, thiserror::Error)]
pub enum StateJournalError {
    /// The journal below.
    #[error("cluster state: {0}")]
    Journal(#[from] JournalError),
    /// The file system.
    #[error("cluster state: {0}")]
    Io(#[from] std::io::Error),
    /// A record that was written whole cannot be understood.
    #[error(
        "cluster state: record {number} does not read: {reason}; start the release that wrote it, or restore a snapshot"
    )]
    Record {
        /// Which one, from 1.
        number: u64,
        /// What is wrong.
        reason: String,
    },
    /// No whole state is in it.
    #[error("cluster state: the journal holds no state; restore a snapshot")]
    NoState,
}

/// The durable side of the cluster state. Calls block on the disk.
#[derive(Debug)]
pub struct StateJournal {
    journal: Journal,
    snapshot_bytes: u64,
}

impl StateJournal {
    /// Opens the state of a directory, or founds a new cluster there.
    pub fn open(
        directory: Arc<dyn Directory>,
        cluster_name: &str,
        master: &NodeId,
        ids: &mut dyn Ids,
    ) -> Result<(StateJournal, ClusterState), StateJournalError> {
        if Journal::exists(&*directory)? {
            let journal = Journal::open(directory)?;
            match replay(&journal, cluster_name, master)? {
                Some(state) => {
                    let store = StateJournal {
                        snapshot_bytes: 0,
                        journal,
                    };
                    return Ok((store, state));
                }
                // Founding was cut off before its first record was durable: nobody ever got an answer.
                None => {
                    let mut store = StateJournal {
                        snapshot_bytes: 0,
                        journal,
                    };
                    let state =
                        ClusterState::empty(cluster_name, &ids.next_uuid(), master.clone()).alone();
                    store.write_snapshot(&state)?;
                    return Ok((store, state));
                }
            }
        }
        let journal = Journal::create(directory)?;
        let mut store = StateJournal {
            snapshot_bytes: 0,
            journal,
        };
        let state = ClusterState::empty(cluster_name, &ids.next_uuid(), master.clone()).alone();
        store.write_snapshot(&state)?;
        Ok((store, state))
    }

    /// Returns when the events are on the device. Events that need not last are left out.
    pub fn append(&mut self, version: u64, events: &[Event]) -> Result<(), StateJournalError> {
        let events: Vec<Event> = events
            .iter()
            .filter(|event| event.is_durable())
            .cloned()
            .collect();
        if events.is_empty() {
            return Ok(());
        }
        let location = self
            .journal
            .append(&encode(&Record::Batch { version, events })?)?;
        self.journal.sync(location)?;
        Ok(())
    }

    /// Writes the whole state anew and drops what came before, when enough came since the last time.
    pub fn compact_if_due(&mut self, state: &ClusterState) -> Result<(), StateJournalError> {
        let since = self
            .journal
            .size_bytes()
            .saturating_sub(self.snapshot_bytes);
        if since < SNAPSHOT_AFTER_BYTES.max(self.snapshot_bytes) {
            return Ok(());
        }
        self.compact(state)
    }

    fn compact(&mut self, state: &ClusterState) -> Result<(), StateJournalError> {
        let generation = self.journal.roll()?;
        self.write_snapshot(state)?;
        self.journal.trim_before(generation)?;
        self.snapshot_bytes = self.journal.size_bytes();
        Ok(())
    }

    fn write_snapshot(&mut self, state: &ClusterState) -> Result<(), StateJournalError> {
        self.journal.append(&encode(&Record::SnapshotStart {
            format: FORMAT,
            version: state.version,
            cluster_uuid: state.cluster_uuid.clone(),
        })?)?;
        for event in events_of(state) {
            self.journal.append(&encode(&Record::SnapshotPart {
                events: vec![event],
            })?)?;
        }
        let location = self.journal.append(&encode(&Record::SnapshotEnd)?)?;
        self.journal.sync(location)?;
        Ok(())
    }

    /// Syncs and ends the journal.
    pub fn close(&self) -> Result<(), StateJournalError> {
        Ok(self.journal.close()?)
    }
}

fn encode(record: &Record) -> Result<Vec<u8>, StateJournalError> {
    record.encode().map_err(|err| StateJournalError::Record {
        number: 0,
        reason: err.to_string(),
    })
}

/// The events that make the lasting part of a state out of an empty one.
fn events_of(state: &ClusterState) -> Vec<Event> {
    let mut events = Vec::new();
    for index in state.indices.values() {
        events.push(Event::IndexPut(index.clone()));
    }
    for (name, template) in &state.index_templates {
        events.push(Event::IndexTemplatePut {
            name: name.clone(),
            template: template.clone(),
        });
    }
    for (name, template) in &state.component_templates {
        events.push(Event::ComponentTemplatePut {
            name: name.clone(),
            template: template.clone(),
        });
    }
    for (name, template) in &state.legacy_templates {
        events.push(Event::LegacyTemplatePut {
            name: name.clone(),
            template: template.clone(),
        });
    }
    for (id, pipeline) in &state.pipelines {
        events.push(Event::Pipeline {
            id: id.clone(),
            pipeline: Some(pipeline.clone()),
        });
    }
    for (id, script) in &state.stored_scripts {
        events.push(Event::StoredScript {
            id: id.clone(),
            script: Some(script.clone()),
        });
    }
    events.push(Event::Graveyard(state.graveyard.clone()));
    events.push(Event::ClusterSettings {
        persistent: state.persistent.clone(),
        transient: state.transient.clone(),
    });
    let exclusions = state.voting_exclusions.clone();
    events.push(Event::VotingExclusions(exclusions));
    events
}

/// The last state that the journal holds whole, with every durable batch behind it.
fn replay(
    journal: &Journal,
    cluster_name: &str,
    master: &NodeId,
) -> Result<Option<ClusterState>, StateJournalError> {
    let oldest = journal
        .generations()
        .first()
        .map_or(0, |(generation, _)| *generation);
    let mut state: Option<ClusterState> = None;
    let mut snapshot: Option<ClusterState> = None;
    for (number, record) in (1..).zip(journal.replay(oldest)?) {
        let record = record?;
        let bad = |reason: String| StateJournalError::Record { number, reason };
        let record = Record::decode(&record.payload).map_err(|err| bad(err.to_string()))?;
        match record {
            Record::SnapshotStart {
                format,
                version,
                cluster_uuid,
            } => {
                if format != FORMAT {
                    return Err(bad(format!(
                        "its format is {format}, this build reads {FORMAT}"
                    )));
                }
                let mut empty =
                    ClusterState::empty(cluster_name, &cluster_uuid, master.clone()).alone();
                empty.version = version;
                snapshot = Some(empty);
            }
            Record::SnapshotPart { events } => {
                let begun = snapshot
                    .take()
                    .ok_or_else(|| bad("a part of no snapshot".to_owned()))?;
                snapshot = Some(events.iter().fold(begun, apply));
            }
            Record::SnapshotEnd => {
                state = Some(
                    snapshot
                        .take()
                        .ok_or_else(|| bad("the end of no snapshot".to_owned()))?,
                );
            }
            Record::Batch { version, events } => {
                // A snapshot that a crash cut off: the state before it goes on.
                snapshot = None;
                let mut next = state.take().ok_or(StateJournalError::NoState)?;
                next = events.iter().fold(next, apply);
                next.version = version;
                state = Some(next);
            }
        }
    }
    if let Some(state) = &mut state {
        // They last until the next restart: this one.
        state.transient.clear();
    }
    Ok(state)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::node::VotingExclusion;
    use crate::cluster::template::{ComponentTemplate, IndexTemplate, LegacyTemplate};
    use crate::master::testing::{Cluster, Counting, create, node};
    use crate::master::{Command, decide};
    use quidditch_engine::directory::faulty::{Disk, Survivors};
    use serde_json::{Value, json};

    fn run(disk: &Disk, rounds: usize) -> Vec<String> {
        let mut ids = Counting::default();
        let mut acknowledged = Vec::new();
        let master = NodeId("n".to_owned());
        let Ok((mut store, mut state)) =
            StateJournal::open(disk.directory("state"), "c", &master, &mut ids)
        else {
            return acknowledged;
        };
        for round in 0..rounds {
            let name = format!("i{round}");
            let events = decide(&state, create(&name), 1, &mut ids).unwrap();
            if store.append(state.version + 1, &events).is_err() {
                break;
            }
            let version = state.version + 1;
            state = events.iter().fold(state, apply);
            state.version = version;
            acknowledged.push(name);
            if round % 3 == 2 && store.compact(&state).is_err() {
                break;
            }
        }
        acknowledged
    }

    #[test]
    fn every_acknowledged_change_survives_a_power_cut_at_any_moment() {
        let whole = Disk::new();
        assert_eq!(run(&whole, 7).len(), 7);
        let moments = whole.events();
        for cut in 1..moments {
            for survivors in [Survivors::Nothing, Survivors::Everything] {
                let disk = Disk::new();
                disk.cut_power_before(cut);
                let acknowledged = run(&disk, 7);
                let disk = disk.after_reboot(survivors);
                let mut ids = Counting::default();
                let master = NodeId("n".to_owned());
                let (_, state) =
                    StateJournal::open(disk.directory("state"), "c", &master, &mut ids)
                        .unwrap_or_else(|err| panic!("cut before event {cut}: {err}"));
                for name in &acknowledged {
                    assert!(
                        state.indices.contains_key(name),
                        "cut before event {cut}: {name} is lost"
                    );
                }
                assert!(state.version >= acknowledged.len() as u64);
                assert!(
                    state.indices.len() <= acknowledged.len() + 1,
                    "more than was ever tried"
                );
            }
        }
    }

    #[test]
    fn a_snapshot_holds_all_that_lasts() {
        let mut cluster = Cluster::new();
        let mut own = node("n");
        own.roles.push("cluster_manager".to_owned());
        let body = json!({"description": "d"});
        for command in [
            Command::JoinNode(own),
            create("a"),
            create("b"),
            Command::DeleteIndices {
                names: vec!["b".to_owned()],
            },
            Command::PutIndexTemplate {
                name: "t".to_owned(),
                template: IndexTemplate::default(),
                create: false,
            },
            Command::PutComponentTemplate {
                name: "t".to_owned(),
                template: ComponentTemplate::default(),
                create: false,
            },
            Command::PutLegacyTemplate {
                name: "t".to_owned(),
                template: LegacyTemplate::default(),
                create: false,
            },
            Command::PutPipeline {
                id: "p".to_owned(),
                pipeline: Some(body.clone()),
            },
            Command::PutStoredScript {
                id: "s".to_owned(),
                script: Some(body),
            },
            Command::UpdateClusterSettings {
                persistent: [("search.max_buckets".to_owned(), Some("10".to_owned()))].into(),
                transient: [("search.max_buckets".to_owned(), Some("20".to_owned()))].into(),
            },
            Command::ExcludeVoters(vec![VotingExclusion {
                node_id: "x".to_owned(),
                node_name: "x".to_owned(),
            }]),
        ] {
            cluster.run(command).unwrap();
        }
        let state = &cluster.state;
        let empty = ClusterState::empty("c", "u", NodeId("n".to_owned())).alone();
        let rebuilt = events_of(state).iter().fold(empty, apply);
        let parts = |state: &ClusterState| match serde_json::to_value(state) {
            Ok(Value::Object(parts)) => parts,
            other => panic!("{other:?}"),
        };
        let rebuilt = parts(&rebuilt);
        // a lone node finds these out when it starts
        let found_out = ["version", "nodes", "joined", "routing", "usage"];
        for (name, part) in parts(state) {
            if !found_out.contains(&name.as_str()) {
                assert_eq!(rebuilt[&name], part, "{name}");
            }
        }
    }

    #[test]
    fn a_flipped_bit_is_found() {
        let disk = Disk::new();
        run(&disk, 3);
        let (folder, name) = disk
            .files()
            .into_iter()
            .filter(|(_, name)| !name.contains("checkpoint"))
            .max()
            .unwrap();
        let middle = disk.len(&folder, &name) * 8 / 2;
        assert!(disk.flip_bit(&folder, &name, middle));
        let mut ids = Counting::default();
        let master = NodeId("n".to_owned());
        assert!(StateJournal::open(disk.directory("state"), "c", &master, &mut ids).is_err());
    }
}
