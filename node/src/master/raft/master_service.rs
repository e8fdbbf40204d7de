//! What this master answers to nodes and to people.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use openraft::Instant as _;
use openraft::async_runtime::watch::WatchReceiver;
use quidditch_proto as proto;
use quidditch_proto::master_server::{Master, MasterServer};
use quidditch_proto::submit_response::Outcome;
use quidditch_proto::watch_update::Update;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tonic::server::NamedService;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use tracing::error;

use super::liveness::{CONFIRMED_MAX, LEASE};
use super::members::{MembershipError, members_response};
use super::{HOPS_MAX, MoreServices, RaftMaster};
use crate::cluster::NodeId;
use crate::cluster::node::NodeUsage;
use crate::master::Masters;
use crate::master::links::MESSAGE_BYTES_MAX;
use crate::master::publish::Since;
use crate::wire::batch::{decode_command, encode_refusal, request_id};
use crate::wire::status::cause_of;

/// Bytes of a whole state that go in one message.
const IMAGE_PART_BYTES: usize = 1 << 20;
/// Messages that may wait for a watcher.
const WATCH_BUFFER: usize = 16;
/// How long one that asks waits for the leader that it is passed on to.
const PASS_ON_TIMEOUT: Duration = Duration::from_secs(120);
/// How often it is looked whether a leader is known.
const HEALTH_LOOK: Duration = Duration::from_millis(250);

/// Answers until the master stops.
///
/// * `more`: what the process answers besides, at the same address.
pub(super) async fn serve(master: Arc<RaftMaster>, listener: TcpListener, more: MoreServices) {
    let service = MasterServer::new(Service(master.clone()))
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    let (health, health_service) = tonic_health::server::health_reporter();
    tokio::spawn(report_health(master.clone(), health));
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1();
    let reflection = match reflection {
        Ok(reflection) => Some(reflection),
        Err(error) => {
            error!(%error, "the services cannot be described");
            None
        }
    };
    let mut routes = Routes::builder();
    routes.add_service(service).add_service(health_service);
    if let Some(reflection) = reflection {
        routes.add_service(reflection);
    }
    more(master.clone(), &mut routes);
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let served = Server::builder()
        .http2_keepalive_interval(Some(LEASE))
        .add_routes(routes.routes())
        .serve_with_incoming_shutdown(incoming, master.stopped())
        .await;
    if let Err(error) = served {
        master.fail(format!("this master cannot be reached any more: {error}"));
    }
}

/// Tells the standard health check whether a leader is known; not any more when this master stops.
async fn report_health(master: Arc<RaftMaster>, health: HealthReporter) {
    let mut stop = master.stop.subscribe();
    let mut led = master.led_at.subscribe();
    let mut reign = master.reign.subscribe();
    loop {
        let stops = *stop.borrow();
        let status = match master.has_leader() && !stops {
            true => ServingStatus::Serving,
            false => ServingStatus::NotServing,
        };
        // the empty name is the server as a whole
        for name in ["", MasterServer::<Service>::NAME] {
            health.set_service_status(name, status).await;
        }
        if stops {
            return;
        }
        tokio::select! {
            _ = stop.changed() => {}
            // nobody is told otherwise than by the other ways to ask
            _ = led.changed() => {}
            _ = reign.changed() => {}
            () = tokio::time::sleep(HEALTH_LOOK) => {}
        }
    }
}

struct Service(Arc<RaftMaster>);

fn membership_status(error: MembershipError) -> Status {
    match error {
        MembershipError::Refused(reason) => Status::failed_precondition(reason),
        other => Status::unavailable(other.to_string()),
    }
}

/// Tells a watcher everything from the state that it has.
async fn tell(
    master: Arc<RaftMaster>,
    mut version: u64,
    mut hash: u64,
    to: mpsc::Sender<Result<proto::WatchUpdate, Status>>,
) {
    let mut states = master.publisher.watch();
    loop {
        states.mark_unchanged();
        let updates = match master.publisher.since(version, hash) {
            Since::Changes(changes) => {
                let mut updates = Vec::with_capacity(changes.len());
                for change in changes {
                    (version, hash) = (change.version, change.hash);
                    updates.push(Update::Diff(proto::Diff {
                        version,
                        hash,
                        batch: change.batch,
                    }));
                }
                updates
            }
            Since::Image(image) => {
                (version, hash) = (image.state.version, image.hash);
                match image.encode() {
                    Ok(bytes) => image_parts(Bytes::from(bytes)),
                    Err(error) => {
                        let status =
                            Status::internal(format!("the state has no JSON form: {error}"));
                        let _ = to.send(Err(status)).await;
                        return;
                    }
                }
            }
        };
        for update in updates {
            let update = proto::WatchUpdate {
                update: Some(update),
            };
            if to.send(Ok(update)).await.is_err() {
                return;
            }
        }
        tokio::select! {
            changed = states.changed() => if changed.is_err() { return },
            () = to.closed() => return,
            () = master.stopped() => return,
        }
    }
}

fn image_parts(bytes: Bytes) -> Vec<Update> {
    let mut parts = Vec::new();
    for at in (0..bytes.len()).step_by(IMAGE_PART_BYTES) {
        let end = bytes.len().min(at + IMAGE_PART_BYTES);
        parts.push(Update::Image(proto::ImagePart {
            bytes: bytes.slice(at..end),
            is_last: end == bytes.len(),
        }));
    }
    parts
}

impl RaftMaster {
    /// Whether this one leads and nobody else can: a majority heard of it just now, or it is the majority.
    pub(super) fn leads_alone(&self) -> bool {
        self.leads_confirmed(CONFIRMED_MAX)
    }

    /// Whether this one leads, and a majority heard of it within a time.
    pub(super) fn leads_confirmed(&self, within: Duration) -> bool {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        let is_only_voter = metrics.membership_config.voter_ids().eq([self.raft_id]);
        let is_confirmed = || {
            let acked = metrics.last_quorum_acked;
            acked.is_some_and(|acked| acked.elapsed() < within)
        };
        let is_resigning = self.is_resigning.load(Ordering::SeqCst);
        self.leads() && !is_resigning && (is_only_voter || is_confirmed())
    }

    pub(super) fn heartbeat(&self, request: proto::HeartbeatRequest) -> proto::HeartbeatResponse {
        let version = self.publisher.newest().state.version;
        if !self.leads_alone() {
            return proto::HeartbeatResponse {
                version,
                not_leader: true,
                leader_address: self.leader_address(),
                ..proto::HeartbeatResponse::default()
            };
        }
        let id = NodeId(request.node_id);
        // told first, then looked up: a node that is found in the state is known to live from now on
        let (ephemeral_id, applied) = (request.ephemeral_id, request.applied_version);
        self.liveness
            .heard(id.clone(), ephemeral_id.clone(), applied, Instant::now());
        let state = self.publisher.newest().state;
        let known = state.nodes.get(&id);
        let is_member = known.is_some_and(|node| node.ephemeral_id == ephemeral_id);
        // A node that was taken for dead and came back keeps what it had until it has carried out that it lost it.
        let is_up_to_date = state
            .joined
            .get(&id)
            .is_some_and(|joined| applied >= *joined);
        let gets_lease =
            is_member && is_up_to_date && self.liveness.lease(&id, &state, Instant::now());
        if let Some(usage) = request.usage.filter(|_| is_member) {
            self.liveness.told(NodeUsage {
                node: id,
                total_bytes: usage.total_bytes,
                free_bytes: usage.free_bytes,
                copies: usage.copy_bytes.into_iter().collect(),
            });
        }
        proto::HeartbeatResponse {
            lease_ms: match gets_lease {
                true => LEASE.as_millis() as u64,
                false => 0,
            },
            is_member,
            version,
            not_leader: false,
            leader_address: self.own.grpc_address.clone(),
        }
    }

    async fn submit_for(&self, request: proto::SubmitRequest) -> Result<Outcome, Status> {
        let id = request_id(&request.request_id)
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        let command = decode_command(&request.command_json).map_err(|error| {
            Status::invalid_argument(format!(
                "the command is none that this release knows: {error}"
            ))
        })?;
        if !self.leads() && request.hops >= HOPS_MAX {
            return Ok(Outcome::NotLeader(self.leader_address()));
        }
        let wait = request.wait_ms.map(Duration::from_millis);
        Ok(match self.decide(id, command, wait, request.hops).await {
            Ok((version, acknowledged)) => Outcome::Accepted(proto::Accepted {
                version,
                acknowledged,
            }),
            Err(refused) => Outcome::RefusedJson(encode_refusal(&refused)),
        })
    }
}

#[tonic::async_trait]
impl Master for Service {
    async fn health(
        &self,
        _: Request<proto::HealthRequest>,
    ) -> Result<Response<proto::HealthResponse>, Status> {
        let status = self.0.raft_status();
        let state = self.0.publisher.newest().state;
        let is_served = self.0.has_leader();
        Ok(Response::new(proto::HealthResponse {
            status: match is_served {
                true => proto::health_response::Status::Serving,
                false => proto::health_response::Status::NotServing,
            }
            .into(),
            name: self.0.own.name.clone(),
            role: status.role,
            cluster_name: self.0.cluster_name.clone(),
            cluster_uuid: match state.version {
                0 => String::new(),
                _ => state.cluster_uuid.clone(),
            },
            term: status.term,
            leader: status.leader.filter(|_| is_served).unwrap_or_default(),
            version: state.version,
            nodes: state.nodes.len() as u64,
            indices: state.indices.len() as u64,
        }))
    }

    async fn submit(
        &self,
        request: Request<proto::SubmitRequest>,
    ) -> Result<Response<proto::SubmitResponse>, Status> {
        let request = request.into_inner();
        self.0.check_cluster(&request.cluster_name)?;
        let outcome = self.0.submit_for(request).await?;
        Ok(Response::new(proto::SubmitResponse {
            outcome: Some(outcome),
        }))
    }

    type WatchStream = ReceiverStream<Result<proto::WatchUpdate, Status>>;

    async fn watch(
        &self,
        request: Request<proto::WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let request = request.into_inner();
        self.0.check_cluster(&request.cluster_name)?;
        let state = self.0.publisher.newest().state;
        let has_none = request.cluster_uuid.is_empty();
        if state.version > 0 && !has_none && request.cluster_uuid != state.cluster_uuid {
            return Err(Status::failed_precondition(format!(
                "this is cluster [{}] with the uuid [{}], not the one with [{}]",
                self.0.cluster_name, state.cluster_uuid, request.cluster_uuid
            )));
        }
        let (to, updates) = mpsc::channel(WATCH_BUFFER);
        tokio::spawn(tell(self.0.clone(), request.version, request.hash, to));
        Ok(Response::new(ReceiverStream::new(updates)))
    }

    async fn heartbeat(
        &self,
        request: Request<proto::HeartbeatRequest>,
    ) -> Result<Response<proto::HeartbeatResponse>, Status> {
        let request = request.into_inner();
        self.0.check_cluster(&request.cluster_name)?;
        Ok(Response::new(self.0.heartbeat(request)))
    }

    async fn pending(
        &self,
        request: Request<proto::PendingRequest>,
    ) -> Result<Response<proto::PendingResponse>, Status> {
        let request = request.into_inner();
        self.0.check_cluster(&request.cluster_name)?;
        let found = self.0.pending_for(request.hops).await;
        let not_leader = found.is_none();
        let tasks = found.unwrap_or_default().tasks.into_iter();
        let tasks = tasks.map(|task| proto::PendingTask {
            insert_order: task.insert_order,
            source: task.source,
            waited_ms: task.waited_ms,
            executing: task.executing,
        });
        Ok(Response::new(proto::PendingResponse {
            tasks: tasks.collect(),
            not_leader,
        }))
    }

    async fn newest(
        &self,
        request: Request<proto::NewestRequest>,
    ) -> Result<Response<proto::NewestResponse>, Status> {
        let request = request.into_inner();
        self.0.check_cluster(&request.cluster_name)?;
        let found = self.0.newest_for(request.hops).await;
        Ok(Response::new(proto::NewestResponse {
            version: found.unwrap_or(0),
            not_leader: found.is_none(),
        }))
    }

    async fn members(
        &self,
        _: Request<proto::MembersRequest>,
    ) -> Result<Response<proto::MembersResponse>, Status> {
        Ok(Response::new(members_response(&self.0)))
    }

    async fn add_member(
        &self,
        request: Request<proto::AddMemberRequest>,
    ) -> Result<Response<proto::MembersResponse>, Status> {
        let request = request.into_inner();
        self.0.check_cluster(&request.cluster_name)?;
        let identity = self
            .0
            .identify(&request.raft_address)
            .await
            .map_err(|status| {
                Status::failed_precondition(format!(
                    "no master that could be added answers at [{}]: {}",
                    request.raft_address,
                    cause_of(&status)
                ))
            })?;
        let node = crate::wire::raft::node_from(identity.node)
            .map_err(|error| Status::internal(error.0))?;
        match self.0.admit(identity.raft_id, node).await {
            Ok(()) => Ok(Response::new(members_response(&self.0))),
            Err(MembershipError::LedBy(leader)) if request.hops < HOPS_MAX => {
                let passed = proto::AddMemberRequest {
                    hops: request.hops + 1,
                    ..request
                };
                let mut client = self.0.links.master(&leader)?;
                tokio::time::timeout(PASS_ON_TIMEOUT, client.add_member(passed))
                    .await
                    .map_err(|_| Status::deadline_exceeded("the leader does not answer"))?
            }
            Err(error) => Err(membership_status(error)),
        }
    }

    async fn remove_member(
        &self,
        request: Request<proto::RemoveMemberRequest>,
    ) -> Result<Response<proto::MembersResponse>, Status> {
        let request = request.into_inner();
        self.0.check_cluster(&request.cluster_name)?;
        match self.0.dismiss(&request.member).await {
            Ok(()) => Ok(Response::new(members_response(&self.0))),
            Err(MembershipError::LedBy(leader)) if request.hops < HOPS_MAX => {
                let passed = proto::RemoveMemberRequest {
                    hops: request.hops + 1,
                    ..request
                };
                let mut client = self.0.links.master(&leader)?;
                tokio::time::timeout(PASS_ON_TIMEOUT, client.remove_member(passed))
                    .await
                    .map_err(|_| Status::deadline_exceeded("the leader does not answer"))?
            }
            Err(error) => Err(membership_status(error)),
        }
    }
}
