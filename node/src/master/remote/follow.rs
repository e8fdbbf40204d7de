//! Following the states of one master, and of another when that one is away or behind.

use std::sync::Arc;
use std::time::Duration;

use quidditch_proto as proto;
use quidditch_proto::watch_update::Update;
use tonic::Status;
use tracing::{info, warn};

use super::RemoteMasters;
use crate::master::publish::Published;
use crate::wire::batch::{Batch, Image};

/// By when a master begins to tell.
const BEGIN_TIMEOUT: Duration = Duration::from_secs(3);
/// Between two masters.
const TRY_AGAIN: Duration = Duration::from_millis(200);
/// Longest whole state that is taken, in bytes.
const IMAGE_BYTES_MAX: usize = 2 << 30;

/// Follows until the node stops.
pub(super) async fn run(masters: Arc<RemoteMasters>) {
    loop {
        let address = masters.addresses.lock().pick();
        let followed = tokio::select! {
            () = masters.stopped() => return,
            followed = follow(&masters, &address) => followed,
        };
        if let Err(status) = followed {
            masters.note(&address, &status);
            info!(
                address,
                reason = status.message(),
                "this master tells no states; trying another"
            );
            let mut addresses = masters.addresses.lock();
            if addresses.leader.as_ref() == Some(&address) {
                addresses.leader = None;
            }
        }
        tokio::time::sleep(TRY_AGAIN).await;
    }
}

/// Follows one master, until it ends or another one is wanted.
async fn follow(masters: &RemoteMasters, address: &str) -> Result<(), Status> {
    let mut client = masters.links.master(address)?;
    let known = masters.received.borrow().clone();
    let request = proto::WatchRequest {
        cluster_name: masters.cluster_name.clone(),
        version: known.state.version,
        hash: known.hash,
        cluster_uuid: match known.state.version {
            0 => String::new(),
            _ => known.state.cluster_uuid.clone(),
        },
    };
    let begun = tokio::time::timeout(BEGIN_TIMEOUT, client.watch(request)).await;
    let begun = begun.map_err(|_| Status::deadline_exceeded("it does not answer"))?;
    let mut updates = begun?.into_inner();
    let mut image = Vec::new();
    loop {
        let update = tokio::select! {
            update = updates.message() => update?,
            () = masters.stale.notified() => return Err(Status::unavailable("it is behind the leader")),
        };
        let Some(update) = update else {
            return Err(Status::unavailable("it ended"));
        };
        match update.update {
            Some(Update::Image(part)) => {
                image.extend_from_slice(&part.bytes);
                if image.len() > IMAGE_BYTES_MAX {
                    return Err(Status::resource_exhausted("the state is too large"));
                }
                if part.is_last {
                    let whole = std::mem::take(&mut image);
                    take_image(masters, &whole)?;
                }
            }
            Some(Update::Diff(diff)) => take_diff(masters, &diff)?,
            None => {
                return Err(Status::data_loss(
                    "an update of no kind that this release knows",
                ));
            }
        }
    }
}

fn take_image(masters: &RemoteMasters, bytes: &[u8]) -> Result<(), Status> {
    let image = Image::decode(bytes).map_err(|error| unreadable("state", &error))?;
    let known = masters.received.borrow().state.version;
    if image.state.version < known {
        // a state does not go back: that master will catch up, and another one has it already
        return Err(Status::unavailable(
            "its state is older than the one known here",
        ));
    }
    take(
        masters,
        Published {
            state: Arc::new(image.state),
            hash: image.hash,
        },
    );
    Ok(())
}

fn take_diff(masters: &RemoteMasters, diff: &proto::Diff) -> Result<(), Status> {
    let known = masters.received.borrow().clone();
    let batch = Batch::decode(&diff.batch).map_err(|error| unreadable("change", &error))?;
    let next = known.after(&batch, &diff.batch);
    if (next.state.version, next.hash) != (diff.version, diff.hash) {
        warn!(
            version = known.state.version,
            told = diff.version,
            "a change does not fit the state that is known here; asking for the whole"
        );
        // shown states do not go back: only what the next question says is forgotten
        masters
            .received
            .send_modify(|known| known.hash = !known.hash);
        return Err(Status::data_loss("a change that does not fit"));
    }
    take(masters, next);
    Ok(())
}

fn unreadable(what: &str, error: &crate::wire::state_record::DecodeError) -> Status {
    Status::data_loss(format!(
        "a {what} does not read: {error}; this node may be older than the masters"
    ))
}

fn take(masters: &RemoteMasters, next: Published) {
    let managers = next
        .state
        .nodes
        .values()
        .filter(|node| node.roles.iter().any(|role| role == "cluster_manager"));
    let found = managers
        .map(|node| node.transport_address.clone())
        .collect();
    masters.addresses.lock().found = found;
    masters.received.send_replace(next);
}
