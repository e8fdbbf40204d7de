//! What people ask of the masters from a command line.

use std::time::Duration;

use quidditch_proto as proto;
use quidditch_proto::master_client::MasterClient;
use tonic::Status;
use tonic::transport::Channel;

use crate::master::links::{Links, within};
use crate::master::raft::MasterMember;
use crate::wire::status::cause_of;

/// By when a question is answered, and by when a change of the group.
const ASK_TIMEOUT: Duration = Duration::from_secs(5);
const CHANGE_TIMEOUT: Duration = Duration::from_secs(150);

/// Why a master did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[error("[{address}]: {reason}")]
pub struct AdminError {
    /// Whom it was asked of.
    pub address: String,
    /// What it said.
    pub reason: String,
}

async fn ask<T, F>(
    address: &str,
    limit: Duration,
    question: impl FnOnce(MasterClient<Channel>) -> F,
) -> Result<T, AdminError>
where
    F: Future<Output = Result<tonic::Response<T>, Status>>,
{
    let answered = match Links::default().master(address) {
        Ok(client) => within(limit, question(client)).await,
        Err(status) => Err(status),
    };
    answered.map_err(|status| AdminError {
        address: address.to_owned(),
        reason: cause_of(&status),
    })
}

fn members(answer: proto::MembersResponse) -> Vec<MasterMember> {
    let members = answer.members.into_iter().map(|member| MasterMember {
        raft_id: member.raft_id,
        name: member.name,
        raft_address: member.raft_address,
        grpc_address: member.grpc_address,
        is_voter: member.is_voter,
        is_leader: member.is_leader,
    });
    members.collect()
}

/// Who a master is and how its group fares. `address` is that of its gRPC.
pub async fn health(address: &str) -> Result<proto::HealthResponse, AdminError> {
    let question = |mut master: MasterClient<Channel>| async move {
        master.health(proto::HealthRequest {}).await
    };
    ask(address, ASK_TIMEOUT, question).await
}

/// The masters of a group.
pub async fn list_masters(address: &str) -> Result<Vec<MasterMember>, AdminError> {
    let question = |mut master: MasterClient<Channel>| async move {
        master.members(proto::MembersRequest {}).await
    };
    Ok(members(ask(address, ASK_TIMEOUT, question).await?))
}

/// Takes the master whose raft answers at `raft_address` into the group; returns the group after it.
pub async fn add_master(
    address: &str,
    cluster_name: &str,
    raft_address: &str,
) -> Result<Vec<MasterMember>, AdminError> {
    let request = proto::AddMemberRequest {
        cluster_name: cluster_name.to_owned(),
        raft_address: raft_address.to_owned(),
        hops: 0,
    };
    let question =
        |mut master: MasterClient<Channel>| async move { master.add_member(request).await };
    Ok(members(ask(address, CHANGE_TIMEOUT, question).await?))
}

/// Takes a master out of the group, by its name or number; returns the group after it.
pub async fn remove_master(
    address: &str,
    cluster_name: &str,
    member: &str,
) -> Result<Vec<MasterMember>, AdminError> {
    let request = proto::RemoveMemberRequest {
        cluster_name: cluster_name.to_owned(),
        member: member.to_owned(),
        hops: 0,
    };
    let question =
        |mut master: MasterClient<Channel>| async move { master.remove_member(request).await };
    Ok(members(ask(address, CHANGE_TIMEOUT, question).await?))
}
