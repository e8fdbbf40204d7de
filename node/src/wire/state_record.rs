//! Records of the cluster state's journal.

use prost::Message;
use quidditch_proto::state::v1 as proto;
use quidditch_proto::state::v1::state_record::Record as ProtoRecord;

use crate::master::Event;

/// One record of the journal of the cluster state.
#[derive(Debug)]
pub enum StateRecord {
    /// What one round of commands did, and the version after it.
    Batch {
        /// Version of the state after the events.
        version: u64,
        /// In order.
        events: Vec<Event>,
    },
    /// The whole state follows.
    SnapshotStart {
        /// Of the events to come.
        format: u32,
        /// Of the whole state.
        version: u64,
        /// Whose state it is.
        cluster_uuid: String,
    },
    /// Some of it.
    SnapshotPart {
        /// They build the state from an empty one.
        events: Vec<Event>,
    },
    /// That was all.
    SnapshotEnd,
}

/// Why a record does not read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Not a message of this kind.
    #[error("{0}")]
    Message(#[from] prost::DecodeError),
    /// An event in it is none that this build knows.
    #[error("an event in it: {0}")]
    Event(#[from] serde_json::Error),
    /// The id of a request has another length.
    #[error("the id of a request has {0} bytes, not 16")]
    RequestId(usize),
    /// Header and content of a whole state are not of the same state.
    #[error("its header tells of another state than it holds")]
    Image,
    /// None of the kinds that this build knows.
    #[error("it is of no kind that this build knows")]
    Kind,
}

impl StateRecord {
    /// The bytes of the record. Fails when an event has no JSON form.
    pub fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        let record = match self {
            StateRecord::Batch { version, events } => ProtoRecord::Batch(proto::Batch {
                version: *version,
                events_json: encode_events(events)?,
            }),
            StateRecord::SnapshotStart {
                format,
                version,
                cluster_uuid,
            } => ProtoRecord::SnapshotStart(proto::SnapshotStart {
                format: *format,
                version: *version,
                cluster_uuid: cluster_uuid.clone(),
            }),
            StateRecord::SnapshotPart { events } => {
                ProtoRecord::SnapshotPart(proto::SnapshotPart {
                    events_json: encode_events(events)?,
                })
            }
            StateRecord::SnapshotEnd => ProtoRecord::SnapshotEnd(proto::SnapshotEnd {}),
        };
        let message = proto::StateRecord {
            record: Some(record),
        };
        Ok(message.encode_to_vec())
    }

    /// The record that these bytes hold.
    pub fn decode(bytes: &[u8]) -> Result<StateRecord, DecodeError> {
        let message = proto::StateRecord::decode(bytes)?;
        Ok(match message.record.ok_or(DecodeError::Kind)? {
            ProtoRecord::Batch(batch) => StateRecord::Batch {
                version: batch.version,
                events: decode_events(&batch.events_json)?,
            },
            ProtoRecord::SnapshotStart(start) => StateRecord::SnapshotStart {
                format: start.format,
                version: start.version,
                cluster_uuid: start.cluster_uuid,
            },
            ProtoRecord::SnapshotPart(part) => StateRecord::SnapshotPart {
                events: decode_events(&part.events_json)?,
            },
            ProtoRecord::SnapshotEnd(_) => StateRecord::SnapshotEnd,
        })
    }
}

/// Events, each as JSON.
pub(super) fn encode_events(events: &[Event]) -> Result<Vec<Vec<u8>>, serde_json::Error> {
    events.iter().map(serde_json::to_vec).collect()
}

/// The events of such JSON.
pub(super) fn decode_events(events: &[Vec<u8>]) -> Result<Vec<Event>, serde_json::Error> {
    events
        .iter()
        .map(|bytes| serde_json::from_slice(bytes))
        .collect()
}
