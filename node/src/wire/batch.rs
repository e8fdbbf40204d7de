//! Changes of the cluster state and whole states, as the masters keep and send them.

use prost::Message;
use quidditch_proto as proto;

use super::state_record::{DecodeError, decode_events, encode_events};
use crate::cluster::{ClusterState, StateError};
use crate::master::{Command, Event};

/// Random name of one request to the masters: however often it is tried, it happens once.
pub type RequestId = [u8; 16];

/// One change of the cluster state.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Version of the state that it was decided on; on another one it does nothing.
    pub base_version: u64,
    /// Name of the state after it.
    pub state_uuid: String,
    /// The requests that it carries out.
    pub requests: Vec<RequestId>,
    /// What happens, in order.
    pub events: Vec<Event>,
}

impl Batch {
    /// The bytes that the log keeps. Fails when an event has no JSON form.
    pub fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        let message = proto::Batch {
            base_version: self.base_version,
            state_uuid: self.state_uuid.clone(),
            request_ids: self.requests.iter().map(|id| id.to_vec()).collect(),
            events_json: encode_events(&self.events)?,
        };
        Ok(message.encode_to_vec())
    }

    /// The batch that these bytes hold.
    pub fn decode(bytes: &[u8]) -> Result<Batch, DecodeError> {
        let message = proto::Batch::decode(bytes)?;
        let mut requests = Vec::with_capacity(message.request_ids.len());
        for id in &message.request_ids {
            requests.push(request_id(id)?);
        }
        Ok(Batch {
            base_version: message.base_version,
            state_uuid: message.state_uuid,
            requests,
            events: decode_events(&message.events_json)?,
        })
    }
}

/// The id of a request, if it has the length of one.
pub fn request_id(bytes: &[u8]) -> Result<RequestId, DecodeError> {
    RequestId::try_from(bytes).map_err(|_| DecodeError::RequestId(bytes.len()))
}

/// A whole state at one version, with what is needed to go on from it.
#[derive(Clone, Debug)]
pub struct Image {
    /// The state; its version is in it.
    pub state: ClusterState,
    /// Hash of the changes that led to it.
    pub hash: u64,
    /// Requests carried out lately and the versions after them, oldest first.
    pub done: Vec<(RequestId, u64)>,
}

impl Image {
    /// The bytes of a snapshot. Fails when a part of the state has no JSON form.
    pub fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        let done = self.done.iter().map(|(id, version)| proto::DoneRequest {
            request_id: id.to_vec(),
            version: *version,
        });
        let message = proto::Image {
            version: self.state.version,
            hash: self.hash,
            cluster_uuid: self.state.cluster_uuid.clone(),
            state_json: serde_json::to_vec(&self.state)?,
            done: done.collect(),
        };
        Ok(message.encode_to_vec())
    }

    /// The image that these bytes hold.
    pub fn decode(bytes: &[u8]) -> Result<Image, DecodeError> {
        let message = proto::Image::decode(bytes)?;
        let state: ClusterState = serde_json::from_slice(&message.state_json)?;
        if state.version != message.version || state.cluster_uuid != message.cluster_uuid {
            return Err(DecodeError::Image);
        }
        let mut done = Vec::with_capacity(message.done.len());
        for request in &message.done {
            done.push((request_id(&request.request_id)?, request.version));
        }
        Ok(Image {
            state,
            hash: message.hash,
            done,
        })
    }
}

/// A command as it goes to another process.
pub fn encode_command(command: &Command) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(command)
}

/// The command that another process sent.
pub fn decode_command(bytes: &[u8]) -> Result<Command, serde_json::Error> {
    serde_json::from_slice(bytes)
}

/// A refusal as it goes to another process.
pub fn encode_refusal(refusal: &StateError) -> Vec<u8> {
    // text and maps of text only: they always have a JSON form
    serde_json::to_vec(refusal).unwrap_or_default()
}

/// The refusal that another process sent.
pub fn decode_refusal(bytes: &[u8]) -> StateError {
    serde_json::from_slice(bytes).unwrap_or_else(|error| {
        StateError::new(
            500,
            "exception",
            format!("the cluster manager refused with an answer that does not read: {error}"),
        )
    })
}
