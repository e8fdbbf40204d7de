//! Nodes on simulated disks, which live, die and come back.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use quidditch_engine::directory::Directory;
use quidditch_engine::directory::faulty::{Disk, Survivors};
use quidditch_engine::shard::ShardOptions;
use quidditch_node::cluster::{ClusterState, NodeId, NodeInfo};
use quidditch_node::data::contexts::Contexts;
use quidditch_node::data::failed;
use quidditch_node::data::local::LocalShards;
use quidditch_node::data::pool::Pools;
use quidditch_node::data::replication::Cluster;
use quidditch_node::sys::clock::Clock;
use quidditch_node::sys::folders::Folders;
use quidditch_tools::torture::random::Random;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::clock::SimClock;
use crate::masters::{NodeMasters, SimMasters};
use crate::net::{Net, SimPeers};

/// Shards are looked after so often.
const MAINTAIN: Duration = Duration::from_millis(250);

/// Everything there is.
pub struct World {
    pub net: Net,
    pub masters: Arc<SimMasters>,
    start: Instant,
    nodes: Mutex<BTreeMap<NodeId, Node>>,
    lives: AtomicU64,
    random: Mutex<Random>,
}

struct Node {
    disk: Disk,
    /// `None`: it is dead.
    life: Option<Life>,
    clock: Arc<SimClock>,
}

#[derive(Clone)]
struct Life {
    number: u64,
    shards: Arc<LocalShards>,
    masters: Arc<NodeMasters>,
}

/// Folders of a simulated disk.
struct SimFolders(Disk);

impl Folders for SimFolders {
    fn open(&self, path: &str) -> io::Result<Arc<dyn Directory>> {
        Ok(self.0.directory(path))
    }

    fn children(&self, path: &str) -> io::Result<Vec<String>> {
        let prefix = format!("{path}/");
        let mut names: Vec<String> = Vec::new();
        for (folder, _) in self.0.files() {
            if let Some(rest) = folder.strip_prefix(&prefix) {
                let name = rest.split('/').next().unwrap_or(rest).to_owned();
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        Ok(names)
    }

    fn rename(&self, _from: &str, _to: &str) -> io::Result<()> {
        // Only deleted indices are renamed, and none is deleted here.
        Err(io::Error::other("not simulated"))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let below = format!("{path}/");
        for (folder, name) in self.0.files() {
            if folder == path || folder.starts_with(&below) {
                self.0.directory(&folder).delete(&name)?;
            }
        }
        Ok(())
    }

    fn shown(&self, path: &str) -> String {
        path.to_owned()
    }
}

impl World {
    /// A world of data nodes, all alive, and masters.
    pub fn new(seed: u64, nodes: usize) -> Arc<World> {
        let start = Instant::now();
        let world = Arc::new(World {
            net: Net::new(seed),
            masters: Arc::new(SimMasters::new(seed)),
            start,
            nodes: Mutex::default(),
            lives: AtomicU64::new(0),
            random: Mutex::new(Random::new(seed, 3)),
        });
        for n in 0..nodes {
            let id = NodeId(format!("node-{n}"));
            let node = Node {
                disk: Disk::new(),
                life: None,
                clock: Arc::new(SimClock::new(start)),
            };
            world.nodes.lock().insert(id.clone(), node);
            world.start(&id);
        }
        let wall = world.clone();
        let now_ms = Arc::new(move || wall.now_ms());
        tokio::spawn(world.masters.clone().watch_nodes(now_ms));
        world
    }

    pub fn now_ms(&self) -> i64 {
        SimClock::new(self.start).now_ms()
    }

    /// Nanoseconds since the beginning.
    pub fn now_ns(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }

    pub fn node_ids(&self) -> Vec<NodeId> {
        self.nodes.lock().keys().cloned().collect()
    }

    /// Whether this life of a node goes on.
    pub fn lives(&self, id: &NodeId, life: u64) -> bool {
        let nodes = self.nodes.lock();
        let node = nodes.get(id).and_then(|node| node.life.as_ref());
        node.is_some_and(|now| now.number == life)
    }

    pub fn is_alive(&self, id: &NodeId) -> bool {
        self.nodes.lock()[id].life.is_some()
    }

    /// The shards of a node, if it lives.
    pub fn shards(&self, id: &NodeId) -> Option<Arc<LocalShards>> {
        let nodes = self.nodes.lock();
        Some(nodes.get(id)?.life.as_ref()?.shards.clone())
    }

    /// The state as a node knows it.
    pub fn view(&self, id: &NodeId) -> Option<Arc<ClusterState>> {
        let nodes = self.nodes.lock();
        let life = nodes.get(id)?.life.as_ref()?;
        Some(life.masters.states.borrow().clone())
    }

    /// A node's wall clock jumps.
    pub fn jump_clock(&self, id: &NodeId, by_ms: i64) {
        self.nodes.lock()[id].clock.jump(by_ms);
    }

    /// The process dies; with `power`, the machine does, and what was not synced may be gone.
    pub fn kill(&self, id: &NodeId, power: bool) {
        let mut nodes = self.nodes.lock();
        let node = nodes.get_mut(id).expect("a node");
        let mut random = self.random.lock();
        let survivors = match power {
            false => Survivors::Everything,
            true if random.percent(50) => Survivors::Nothing,
            true => Survivors::Some {
                seed: random.draw(),
            },
        };
        let after = node.disk.after_reboot(survivors);
        // Whatever still runs of the old life finds a disk that takes nothing.
        node.disk.cut_power_before(0);
        node.disk = after;
        node.life = None;
    }

    /// A node comes up, with what its disk has.
    pub fn start(self: &Arc<Self>, id: &NodeId) {
        let number = self.lives.fetch_add(1, Ordering::Relaxed) + 1;
        let (disk, clock) = {
            let nodes = self.nodes.lock();
            (nodes[id].disk.clone(), nodes[id].clock.clone())
        };
        let clock: Arc<dyn Clock> = clock;
        let shards = LocalShards::with_options(
            Arc::new(SimFolders(disk)),
            id.0.clone(),
            clock.clone(),
            Arc::new(Contexts::new(id.clone(), number, clock.clone())),
            Arc::new(Pools::inline()),
            ShardOptions {
                background_merges: false,
                buffer_count: 1,
                translog_retention_bytes: 0,
                ..ShardOptions::default()
            },
        );
        let empty = ClusterState::empty("sim", "sim-cluster-uuid", NodeId(String::new()));
        let masters = Arc::new(NodeMasters {
            world: self.clone(),
            own: id.clone(),
            life: number,
            states: watch::channel(Arc::new(empty)).0,
            leased_until: Mutex::new(Instant::now()),
            applied: AtomicU64::new(0),
        });
        let leased = masters.clone();
        shards.attach(Cluster {
            masters: masters.clone(),
            peers: Arc::new(SimPeers {
                world: self.clone(),
                own: id.clone(),
                life: number,
            }),
            node: id.clone(),
            ephemeral_id: ephemeral_id(id, number),
            is_leased: Box::new(move || leased.is_leased()),
        });
        let life = Life {
            number,
            shards: shards.clone(),
            masters: masters.clone(),
        };
        self.nodes.lock().get_mut(id).expect("a node").life = Some(life);
        let info = info(id, number);
        tokio::spawn(masters.clone().heartbeats(info));
        tokio::spawn(failed::look_after(Arc::downgrade(&shards), masters.clone()));
        tokio::spawn(masters.follow(shards.clone()));
        tokio::spawn(maintain(self.clone(), id.clone(), number, shards));
    }
}

fn ephemeral_id(id: &NodeId, life: u64) -> String {
    format!("{id}-life-{life}")
}

fn info(id: &NodeId, life: u64) -> NodeInfo {
    NodeInfo {
        id: id.clone(),
        ephemeral_id: ephemeral_id(id, life),
        name: id.0.clone(),
        host: "127.0.0.1".to_owned(),
        ip: "127.0.0.1".to_owned(),
        transport_address: id.0.clone(),
        http_address: id.0.clone(),
        roles: vec!["data".to_owned()],
        attributes: BTreeMap::new(),
        version: "3.6.0".to_owned(),
        started_ms: 0,
    }
}

/// What the scheduler's threads do in a real node.
async fn maintain(world: Arc<World>, id: NodeId, life: u64, shards: Arc<LocalShards>) {
    while world.lives(&id, life) {
        tokio::time::sleep(MAINTAIN).await;
        shards.maintain_all();
    }
}
