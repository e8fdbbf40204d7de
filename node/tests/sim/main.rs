//! A cluster in one thread, in made-up time: data nodes with their real shards, replication and recovery, over a network
//! that delays, loses and cuts, on disks that forget what was not synced. One number decides everything that happens.
//!
//! `cargo test -p quidditch-node --test sim` runs 200 numbers. `SIM_SEEDS=20000` runs more, `SIM_SEED=7` one alone, and
//! `SIM_LOG=debug` shows what happens in it.

mod client;
mod clock;
mod masters;
mod net;
mod world;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use client::{Client, History, INDEX, primary_of};
use quidditch_node::cluster::{ClusterState, NodeId, ShardState};
use quidditch_node::data::service::{GetOp, ShardService};
use quidditch_node::master::{Command, CreateIndex};
use quidditch_tools::torture::history::{Action, Operation, Outcome, Place};
use quidditch_tools::torture::linear;
use quidditch_tools::torture::random::Random;
use world::World;

const SEEDS: u64 = 200;
const NODES: usize = 4;
const CLIENTS: u32 = 4;
/// How long things go wrong.
const STORM: Duration = Duration::from_secs(30);
/// After the last fault every copy serves within this time.
const CALM: Duration = Duration::from_secs(600);
/// And goes on to serve for so long.
const STEADY: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_millis(50);

/// What a run went through.
#[derive(Debug, Default, PartialEq, Eq)]
struct Report {
    operations: usize,
    known: usize,
    faults: usize,
    reigns: u64,
    /// Sums up what everybody was told, and when: two runs of one seed have the same.
    trace: u64,
}

#[test]
fn nothing_that_was_acknowledged_is_lost_whatever_happens() {
    log();
    let seeds = match (number("SIM_SEED"), number("SIM_SEEDS")) {
        (Some(one), _) => one..one + 1,
        (None, count) => 0..count.unwrap_or(SEEDS),
    };
    let is_many = seeds.end - seeds.start >= SEEDS;
    let mut all = Report::default();
    for seed in seeds {
        let report = run(seed);
        all.operations += report.operations;
        all.known += report.known;
        all.faults += report.faults;
        all.reigns += report.reigns;
    }
    println!("{all:?}");
    // Faults that change nothing test nothing.
    assert!(
        !is_many || all.reigns > SEEDS,
        "too few primaries were replaced: {all:?}"
    );
    assert!(
        !is_many || all.known * 2 > all.operations,
        "clients did too little: {all:?}"
    );
}

#[test]
fn a_seed_replays_exactly() {
    for seed in [3, 4] {
        assert_eq!(run(seed), run(seed), "seed {seed}");
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn log() {
    if let Ok(filter) = std::env::var("SIM_LOG") {
        // Another test may have begun it.
        let _ = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .without_time()
            .with_ansi(false)
            .with_test_writer()
            .try_init();
    }
}

fn run(seed: u64) -> Report {
    quidditch_engine::random::seed_this_thread(Some(seed));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(story(seed))
}

async fn story(seed: u64) -> Report {
    let world = World::new(seed, NODES);
    let mut random = Random::new(seed, 4);
    until(&world, seed, "the nodes join", |state| {
        state.nodes.len() == NODES
    })
    .await;
    create(&world, &mut random);
    until(&world, seed, "the first copies start", is_green).await;
    let history = Arc::new(History::default());
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        let client = Client {
            world: world.clone(),
            number,
            random: Random::new(seed, 100 + u64::from(number)),
            history: history.clone(),
            seen: BTreeMap::new(),
            written: 0,
        };
        clients.push(tokio::spawn(client.run(stopped.clone())));
    }
    let faults = storm(&world, &mut random).await;
    world.net.heal();
    for node in world.node_ids() {
        if !world.is_alive(&node) {
            world.start(&node);
        }
    }
    until(&world, seed, "every copy serves again", is_green).await;
    stop.send_replace(true);
    for client in clients {
        client
            .await
            .unwrap_or_else(|_| panic!("seed {seed}: a client panicked"));
    }
    let mut by_id = std::mem::take(&mut *history.by_id.lock());
    for (id, operations) in &mut by_id {
        compare_copies(&world, seed, id, operations).await;
    }
    let mut report = Report {
        faults,
        reigns: reigns(&world.masters.state()),
        ..Report::default()
    };
    for (id, operations) in &by_id {
        report.add(operations);
        if let Err(violation) = linear::check(operations) {
            panic!("SIM_SEED={seed}: [{id}]: {violation}\n{operations:#?}");
        }
    }
    report
}

impl Report {
    fn add(&mut self, operations: &[Operation]) {
        self.operations += operations.len();
        for operation in operations {
            self.known += usize::from(operation.outcome != Outcome::Unknown);
            let words = format!("{operation:?}");
            for byte in words.bytes() {
                self.trace = (self.trace ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
            }
        }
    }
}

fn create(world: &World, random: &mut Random) {
    let settings = [
        ("index.number_of_shards", "2".to_owned()),
        ("index.number_of_replicas", random.between(1, 2).to_string()),
        (
            "index.unassigned.node_left.delayed_timeout",
            "5s".to_owned(),
        ),
    ];
    let command = Command::CreateIndex(CreateIndex {
        name: INDEX.to_owned(),
        settings: settings.map(|(key, value)| (key.to_owned(), value)).into(),
        mapping: serde_json::json!({"properties": {"value": {"type": "long"}}}),
        ..CreateIndex::default()
    });
    world
        .masters
        .run(command, world.now_ms())
        .expect("an index");
}

fn is_green(state: &ClusterState) -> bool {
    let mut copies = state
        .routing
        .all()
        .map(|(_, _, copy)| copy.state)
        .peekable();
    copies.peek().is_some() && copies.all(|state| state == ShardState::Started)
}

/// How many reigns all shards have seen.
fn reigns(state: &ClusterState) -> u64 {
    let terms = state
        .indices
        .values()
        .flat_map(|index| &index.primary_terms);
    terms.map(|term| term - 1).sum()
}

async fn until(world: &World, seed: u64, what: &str, holds: impl Fn(&ClusterState) -> bool) {
    let waiting = async {
        // For a while: a node that is silent is found to be dead only later.
        let mut held = Duration::ZERO;
        while held < STEADY {
            tokio::time::sleep(LOOK).await;
            match holds(&world.masters.state()) {
                true => held += LOOK,
                false => held = Duration::ZERO,
            }
        }
    };
    if tokio::time::timeout(CALM, waiting).await.is_err() {
        let state = world.masters.state();
        panic!(
            "SIM_SEED={seed}: waited in vain: {what}\n{:#?}",
            state.routing
        );
    }
}

/// Lets things go wrong. How many did.
async fn storm(world: &Arc<World>, random: &mut Random) -> usize {
    let end = tokio::time::Instant::now() + STORM;
    let mut faults = 0;
    while tokio::time::Instant::now() < end {
        let pause = random.between(200, 4_000);
        tokio::time::sleep(Duration::from_millis(pause)).await;
        let nodes = world.node_ids();
        let (Some(one), Some(other)) = (random.pick(&nodes), random.pick(&nodes)) else {
            continue;
        };
        faults += 1;
        let fault = random.below(12);
        tracing::info!(at_ms = world.now_ns() / 1_000_000, fault, %one, %other, "something goes wrong");
        match fault {
            0..=2 => flip(world, one, false),
            3..=4 => flip(world, one, true),
            5 if one != other => {
                world.net.cut(&one.0, &other.0);
                if random.percent(50) {
                    world.net.cut(&other.0, &one.0);
                }
            }
            6 => {
                world.net.cut(&one.0, net::MASTERS);
                if random.percent(50) {
                    world.net.cut(net::MASTERS, &one.0);
                }
            }
            7 => world.net.set_loss(random.between(1, 30)),
            8 => world
                .masters
                .lose_leader(Duration::from_millis(random.between(100, 5_000))),
            9 => world.jump_clock(one, random.between(0, 7_200_000) as i64 - 3_600_000),
            10 if random.percent(20) => {
                for node in &nodes {
                    if world.is_alive(node) {
                        world.kill(node, true);
                    }
                }
            }
            _ => world.net.heal(),
        }
    }
    faults
}

fn flip(world: &Arc<World>, node: &NodeId, power: bool) {
    match world.is_alive(node) {
        true => world.kill(node, power),
        false => world.start(node),
    }
}

/// Reads a document from its primary, and from what the searches of each copy see, which has to be the same.
async fn compare_copies(world: &Arc<World>, seed: u64, id: &str, operations: &mut Vec<Operation>) {
    let state = world.masters.state();
    let (primary, target) = primary_of(&state, id).expect("a primary");
    let get = |realtime| GetOp {
        id: id.to_owned(),
        realtime,
        refresh: false,
        stored_fields: Vec::new(),
    };
    let shards = world.shards(&primary).expect("it lives");
    let called = world.now_ns();
    let refreshed = shards.refresh(&target).await;
    refreshed.unwrap_or_else(|error| panic!("SIM_SEED={seed}: [{id}]: refresh: {error}"));
    let found = shards.get(&target, get(true)).await;
    let found = found.unwrap_or_else(|error| panic!("SIM_SEED={seed}: [{id}]: {error}"));
    for copy in state.routing.copies(INDEX, target.shard) {
        let node = copy.node.as_ref().expect("a node");
        let shards = world.shards(node).expect("it lives");
        let same = shards.get(&target, get(false)).await;
        let same =
            same.unwrap_or_else(|error| panic!("SIM_SEED={seed}: [{id}] on {node}: {error}"));
        assert_eq!(same, found, "SIM_SEED={seed}: [{id}] differs on {node}");
    }
    let outcome = match &found {
        Some(found) => Outcome::Found(
            client::value_of(found),
            Place {
                term: found.primary_term,
                seq_no: found.seq_no as u64,
            },
        ),
        None => Outcome::Missing,
    };
    operations.push(Operation {
        client: u32::MAX,
        called,
        returned: world.now_ns(),
        action: Action::Get,
        outcome,
    });
}
