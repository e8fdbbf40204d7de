//! Faults: nodes are killed, halted, cut off; then all is made good again.

use std::time::{Duration, Instant};

use super::random::Random;
use super::world::{World, index_name};
use crate::cluster::{Cluster, Role};

/// After a fault is over, writes are acknowledged again by then.
const WRITABLE_TIMEOUT: Duration = Duration::from_secs(60);
/// And every copy is there again by then.
const GREEN_TIMEOUT: Duration = Duration::from_secs(120);

/// What is done to nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A node is killed, and started later.
    Kill(String),
    /// A node is halted, and goes on later.
    Pause(String),
    /// A node reaches nobody.
    Isolate(String),
    /// Two nodes do not reach each other.
    Cut(String, String),
}

impl Fault {
    /// For sums.
    pub fn kind(&self) -> &'static str {
        match self {
            Fault::Kill(_) => "kill",
            Fault::Pause(_) => "pause",
            Fault::Isolate(_) => "isolate",
            Fault::Cut(..) => "cut",
        }
    }

    fn is_about(&self, node: &str) -> bool {
        match self {
            Fault::Kill(name) | Fault::Pause(name) | Fault::Isolate(name) => name == node,
            Fault::Cut(a, b) => a == node || b == node,
        }
    }

    fn inject(&self, cluster: &mut Cluster) -> anyhow::Result<()> {
        match self {
            Fault::Kill(node) => cluster.kill(node),
            Fault::Pause(node) => cluster.pause(node),
            Fault::Cut(a, b) => cluster.cut(a, b),
            Fault::Isolate(node) => {
                for other in cluster.names() {
                    if other != *node {
                        cluster.cut(node, &other)?;
                    }
                }
                Ok(())
            }
        }
    }

    fn undo(&self, cluster: &mut Cluster) -> anyhow::Result<()> {
        match self {
            Fault::Kill(node) => cluster.start(node),
            Fault::Pause(node) => cluster.resume(node),
            Fault::Cut(a, b) => cluster.heal(Some((a, b))),
            Fault::Isolate(node) => {
                for other in cluster.names() {
                    if other != *node {
                        cluster.heal(Some((node, &other)))?;
                    }
                }
                Ok(())
            }
        }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Fault::Kill(node) => write!(f, "kill {node}"),
            Fault::Pause(node) => write!(f, "pause {node}"),
            Fault::Isolate(node) => write!(f, "isolate {node}"),
            Fault::Cut(a, b) => write!(f, "cut {a} {b}"),
        }
    }
}

/// One round: what was done, and what it cost.
#[derive(Clone, Debug)]
pub struct Round {
    /// One fault, or two at the same time.
    pub faults: Vec<Fault>,
    /// From the first fault to the moment when all was made good.
    pub lasted: Duration,
    /// The longest time in which no write to some index was acknowledged.
    pub unavailable: Duration,
    /// That index.
    pub index: usize,
}

/// Draws the faults of a round and how long they last.
fn draw(world: &World, cluster: &Cluster, random: &mut Random) -> (Vec<Fault>, Duration) {
    let first = draw_one(world, cluster, random, None);
    let mut faults = Vec::from_iter(first.clone());
    if random.percent(20)
        && let Some(first) = first
        && let Some(second) = draw_one(world, cluster, random, Some(&first))
    {
        faults.push(second);
    }
    let is_long = random.percent(8);
    let lasts_ms = match faults.first() {
        Some(Fault::Kill(_)) => random.between(100, 4_000),
        _ if is_long => random.between(8_000, 15_000),
        _ => random.between(1_000, 6_000),
    };
    (faults, Duration::from_millis(lasts_ms))
}

/// A fault of a node that another one is not about already.
fn draw_one(
    world: &World,
    cluster: &Cluster,
    random: &mut Random,
    other: Option<&Fault>,
) -> Option<Fault> {
    let role = match random.below(100) {
        0..60 => Role::Data,
        60..87 => Role::Master,
        _ => Role::Coordination,
    };
    // the one that it hurts most, half of the time
    let wanted = match random.percent(50) {
        true => most_wanted(world, role, random),
        false => None,
    };
    let nodes = &cluster.record().nodes;
    let candidates: Vec<String> = nodes
        .iter()
        .filter(|node| node.role == role && other.is_none_or(|other| !other.is_about(&node.name)))
        .map(|node| node.name.clone())
        .collect();
    let node = match wanted.filter(|name| candidates.contains(name)) {
        Some(name) => name,
        None => random.pick(&candidates)?.clone(),
    };
    let others: Vec<String> = cluster
        .names()
        .into_iter()
        .filter(|name| *name != node)
        .collect();
    Some(match (role, random.below(100)) {
        (_, 0..40) => Fault::Kill(node),
        (_, 40..65) => Fault::Pause(node),
        (_, 65..82) => Fault::Isolate(node),
        _ => Fault::Cut(node, random.pick(&others)?.clone()),
    })
}

/// The leader of the masters, or a node with a primary.
fn most_wanted(world: &World, role: Role, random: &mut Random) -> Option<String> {
    match role {
        Role::Master => {
            let leader = world
                .read(random, "/_cat/cluster_manager?format=json")
                .ok()?;
            Some(leader[0]["node"].as_str()?.to_owned())
        }
        Role::Data => {
            let index = usize::try_from(random.below(world.indices as u64)).ok()?;
            let path = format!("/_cat/shards/{}?format=json", index_name(index));
            let copies = world.read(random, &path).ok()?;
            let primary = copies
                .as_array()?
                .iter()
                .find(|copy| copy["prirep"] == "p")?;
            Some(primary["node"].as_str()?.to_owned())
        }
        Role::Coordination => None,
    }
}

/// Does one round and waits until writes are acknowledged again, and now and then until every copy is there again.
pub fn round(world: &World, cluster: &mut Cluster, random: &mut Random) -> anyhow::Result<Round> {
    let (faults, lasts) = draw(world, cluster, random);
    let from = world.now();
    for fault in &faults {
        fault.inject(cluster)?;
        std::thread::sleep(lasts / faults.len() as u32);
    }
    for fault in &faults {
        fault.undo(cluster)?;
    }
    let mended = world.now();
    let began = Instant::now();
    while !world.is_writable_since(mended) {
        if began.elapsed() > WRITABLE_TIMEOUT {
            world.problem(format!(
                "writes were not acknowledged again within {} s after {faults:?}",
                WRITABLE_TIMEOUT.as_secs()
            ));
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let (gap, index) = world.longest_gap(from, world.now());
    match random.percent(50) {
        true => wait_green(world, random),
        false => std::thread::sleep(Duration::from_millis(random.between(200, 1_500))),
    }
    Ok(Round {
        faults,
        lasted: Duration::from_nanos(mended - from),
        unavailable: Duration::from_nanos(gap),
        index,
    })
}

/// A node ends by a fault, and by nothing else: one that did is a problem, and is started again.
pub fn check_alive(world: &World, cluster: &mut Cluster) -> anyhow::Result<()> {
    let nodes = cluster.record().nodes.iter();
    let dead = nodes.filter(|node| node.process.is_some_and(|process| !process.is_alive()));
    let dead: Vec<String> = dead.map(|node| node.name.clone()).collect();
    for name in dead {
        world.problem(format!("{name} ended by itself; its log says why"));
        cluster.start(&name)?;
    }
    Ok(())
}

/// Waits until every copy of every shard is there.
pub fn wait_green(world: &World, random: &mut Random) {
    let began = Instant::now();
    loop {
        let health = world.read(random, "/_cluster/health");
        if health
            .as_ref()
            .is_ok_and(|health| health["status"] == "green")
        {
            return;
        }
        if began.elapsed() > GREEN_TIMEOUT {
            let shards = world.read(random, "/_cat/shards?format=json");
            world.problem(format!(
                "not green after {} s: {health:?} {shards:?}",
                GREEN_TIMEOUT.as_secs()
            ));
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
