//! Masters in one process, over real connections: what the tests of several folders share.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::*;
use crate::cluster::NodeId;
use crate::master::testing::node;
use crate::sys::clock::SystemClock;
use crate::sys::rng;

/// By when anything that must happen has happened.
pub(in crate::master) const SOON: Duration = Duration::from_secs(30);

/// Waits for a condition, never for a time.
pub(in crate::master) async fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + SOON;
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < end, "waiting for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A place for a master: its directory and its addresses stay when it is closed.
pub(in crate::master) struct Seat {
    pub(in crate::master) name: String,
    pub(in crate::master) dir: TempDir,
    pub(in crate::master) raft_address: String,
    pub(in crate::master) grpc_address: String,
}

pub(in crate::master) struct Group {
    pub(in crate::master) seats: Vec<Seat>,
    masters: Vec<Option<Arc<RaftMaster>>>,
}

async fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().to_string()
}

async fn listen(address: &str) -> TcpListener {
    let end = Instant::now() + SOON;
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(error) => assert!(Instant::now() < end, "{address}: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

impl Group {
    pub(in crate::master) async fn seats(count: usize) -> Group {
        // `RUST_LOG=quidditch_node=info` shows what the masters say; another test may have set it up already
        let filter = tracing_subscriber::EnvFilter::from_default_env();
        let _ = tracing_subscriber::fmt().with_env_filter(filter).try_init();
        let mut seats = Vec::new();
        for number in 1..=count {
            seats.push(Seat {
                name: format!("master-{number}"),
                dir: tempfile::tempdir().unwrap(),
                raft_address: free_address().await,
                grpc_address: free_address().await,
            });
        }
        let masters = seats.iter().map(|_| None).collect();
        Group { seats, masters }
    }

    /// Masters that found a cluster together.
    pub(in crate::master) async fn of(count: usize) -> Group {
        let mut group = Group::seats(count).await;
        for at in 0..count {
            group.start(at).await;
        }
        group.formed().await;
        group
    }

    pub(in crate::master) async fn open(
        &self,
        at: usize,
        cluster_name: &str,
    ) -> Result<Arc<RaftMaster>, OpenRaftError> {
        RaftMaster::open(self.parts(at, cluster_name).await).await
    }

    /// What the master of a seat is made of.
    pub(in crate::master) async fn parts(&self, at: usize, cluster_name: &str) -> RaftMasterParts {
        let seat = &self.seats[at];
        let mut info = node(&seat.name);
        info.id = NodeId(format!("{}-id", seat.name));
        info.ephemeral_id = rng::uuid22();
        info.transport_address = seat.grpc_address.clone();
        info.roles = vec!["cluster_manager".to_owned()];
        RaftMasterParts {
            data_dir: seat.dir.path().to_owned(),
            cluster_name: cluster_name.to_owned(),
            node: info,
            raft_listener: listen(&seat.raft_address).await,
            grpc_listener: listen(&seat.grpc_address).await,
            services: Box::new(|_, _| {}),
            raft_address: seat.raft_address.clone(),
            peers: self
                .seats
                .iter()
                .map(|seat| seat.raft_address.clone())
                .collect(),
            bootstrap: at == 0,
            clock: Arc::new(SystemClock::new()),
        }
    }

    pub(in crate::master) async fn start(&mut self, at: usize) {
        self.masters[at] = Some(self.open(at, "c").await.unwrap());
    }

    pub(in crate::master) async fn stop(&mut self, at: usize) {
        let master = self.masters[at].take().unwrap();
        master.close().await;
    }

    pub(in crate::master) fn running(&self) -> impl Iterator<Item = (usize, &Arc<RaftMaster>)> {
        let masters = self.masters.iter().enumerate();
        masters.filter_map(|(at, master)| Some((at, master.as_ref()?)))
    }

    pub(in crate::master) fn master(&self, at: usize) -> &Arc<RaftMaster> {
        self.masters[at].as_ref().unwrap()
    }

    /// Waits until all that run vote, and one of them leads.
    pub(in crate::master) async fn formed(&self) -> usize {
        let count = self.running().count();
        until("a group", || {
            let all = self.running().all(|(_, master)| {
                let votes = voters(master).contains_key(&master.raft_id);
                votes && voters(master).len() >= count && is_settled(master)
            });
            self.leader().filter(|_| all)
        })
        .await
    }

    pub(in crate::master) fn leader(&self) -> Option<usize> {
        let mut leading = self.running().filter(|(_, master)| master.leads());
        leading.next().map(|(at, _)| at)
    }

    /// Waits until somebody else than this one leads.
    pub(in crate::master) async fn leader_besides(&self, at: usize) -> usize {
        until("another leader", || {
            let mut leading = self.running().filter(|(_, master)| master.leads());
            leading
                .find(|(other, _)| *other != at)
                .map(|(other, _)| other)
        })
        .await
    }

    /// Lets nothing through between one master and the others.
    pub(in crate::master) fn isolate(&self, at: usize) {
        let addresses = |seat: &Seat| [seat.raft_address.clone(), seat.grpc_address.clone()];
        for (other, master) in self.running() {
            let cut = match other == at {
                false => addresses(&self.seats[at]).to_vec(),
                true => {
                    let others = self
                        .seats
                        .iter()
                        .enumerate()
                        .filter(|(seat, _)| *seat != at);
                    others.flat_map(|(_, seat)| addresses(seat)).collect()
                }
            };
            master.links.cut(&cut);
        }
    }

    pub(in crate::master) fn heal(&self) {
        for (_, master) in self.running() {
            master.links.cut(&[]);
        }
    }

    pub(in crate::master) async fn agreed(&self) {
        until("the same state everywhere", || {
            let mut states = self.running().map(|(_, master)| master.publisher.newest());
            let first = states.next()?;
            states
                .all(|other| (other.state.version, other.hash) == (first.state.version, first.hash))
                .then_some(())
        })
        .await;
    }
}

/// Whether no change of the group is under way: until then, one that goes may be needed for it.
fn is_settled(master: &RaftMaster) -> bool {
    let server = master.raft.server_metrics().borrow_watched().clone();
    let (seen, agreed) = (server.membership_config, server.committed_membership_config);
    seen == agreed && seen.get_joint_config().len() == 1
}

pub(in crate::master) fn voters(master: &RaftMaster) -> BTreeMap<u64, String> {
    let members = master
        .members()
        .into_iter()
        .filter(|member| member.is_voter);
    members
        .map(|member| (member.raft_id, member.name))
        .collect()
}
