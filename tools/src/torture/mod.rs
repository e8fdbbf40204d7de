//! Faults on real processes: a cluster under clients that write, read and search, while nodes are killed, halted and cut
//! off; then the books are checked.
//!
//! | what must not be | where it is looked for |
//! |---|---|
//! | an acknowledged write that is lost, a read that goes back, a document that returns | [`linear`]: every document's history is linearisable |
//! | a write done twice, two writes at one place | [`linear`], `verify` |
//! | two primaries of one shard in one term | `primaries`: the masters' own states |
//! | copies that differ | `verify`: a search on each node finds what the last reads found |
//! | a cluster that does not recover | `faults`: writes and green within a time |

mod clients;
mod faults;
pub mod history;
pub mod linear;
mod primaries;
pub mod random;
mod report;
mod verify;
mod world;

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use anyhow::{Context, bail};

pub use report::Report;

use self::faults::Round;
use self::random::Random;
use self::world::{World, index_name};
use crate::cluster::{Cluster, Plan, Progress, ProxyHome, Tier};

/// Replicas of each index; each has one shard.
const REPLICAS: [u32; 4] = [1, 1, 2, 1];
/// Clients of each index that write and read.
const CLIENTS: u32 = 3;
/// Clients that search.
const SEARCHERS: u32 = 2;
/// From so many rounds on, a run in which no replica was ever promoted has shown nothing.
const ROUNDS_WITH_PROMOTIONS: usize = 20;

/// What is wanted.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many rounds of faults.
    pub rounds: usize,
    /// Which faults, on which nodes, for how long. What the machine does in between is not in it.
    pub seed: u64,
    /// Where the cluster lives; empty, or not there yet.
    pub dir: PathBuf,
    /// Where the programs are.
    pub bin_dir: PathBuf,
}

/// Runs it. Problems that were found are in the report; an error means that the run itself broke off.
pub fn run(options: &Options, say: Progress) -> anyhow::Result<Report> {
    let mut plan = Plan::new(&options.dir, &options.bin_dir);
    plan.name = "torture".to_owned();
    plan.coordination = 2;
    plan.threads = 2;
    plan.data = vec![Tier {
        name: "hot".to_owned(),
        count: 4,
    }];
    if options.dir.join("cluster.json").exists() {
        bail!(
            "{}: a cluster is here already; choose another folder",
            options.dir.display()
        );
    }
    let mut cluster = Cluster::up(&plan, &ProxyHome::Thread, say)?;
    let world = World::new(cluster.rest_urls(), REPLICAS.len());
    create_indices(&world, options.seed)?;
    let mut rounds = Vec::new();
    let (torn, promotions) = under_load(&world, options.seed, || {
        tear(&world, &mut cluster, options, &mut rounds, say)
    });
    torn?;
    say("checking: every document is read once more");
    let mut random = Random::new(options.seed, u64::MAX);
    faults::wait_green(&world, &mut random);
    let last = verify::read_all(&world, &mut random);
    let documents = verify::check_histories(&world, &options.dir);
    verify::check_searches(&world, &last, &mut random);
    faults::check_alive(&world, &mut cluster)?;
    verify::check_logs(&world, &cluster);
    if rounds.len() >= ROUNDS_WITH_PROMOTIONS && promotions == 0 {
        world.problem("no replica was promoted in the whole run: it has shown nothing".to_owned());
    }
    cluster.down(&mut |_| ())?;
    Ok(Report::new(options, &world, rounds, documents, promotions))
}

fn create_indices(world: &World, seed: u64) -> anyhow::Result<()> {
    let mut random = Random::new(seed, u64::MAX - 1);
    // how full this machine's disk is, is not the question
    let no_watermarks = serde_json::json!({
        "persistent": {"cluster.routing.allocation.disk.threshold_enabled": false},
    });
    put(world, &mut random, "/_cluster/settings", &no_watermarks)?;
    for (index, replicas) in REPLICAS.iter().enumerate() {
        let body = serde_json::json!({
            "settings": {
                "number_of_shards": 1,
                "number_of_replicas": replicas,
                // what restarts within a second or two shall not set off a copy elsewhere each time
                "index.unassigned.node_left.delayed_timeout": "2s",
            },
            "mappings": {"dynamic": "strict", "properties": {
                "value": {"type": "long"}, "document": {"type": "keyword"},
            }},
        });
        put(
            world,
            &mut random,
            &format!("/{}", index_name(index)),
            &body,
        )?;
    }
    faults::wait_green(world, &mut random);
    match world.problems().first() {
        Some(problem) => bail!("{problem}"),
        None => Ok(()),
    }
}

fn put(
    world: &World,
    random: &mut Random,
    path: &str,
    body: &serde_json::Value,
) -> anyhow::Result<()> {
    let answer = world
        .ask(random, "PUT", path, &body.to_string())
        .map_err(|error| anyhow::anyhow!("{path}: {}", error.reason))?;
    if answer.status != 200 {
        bail!("{path} answered {}: {}", answer.status, answer.body);
    }
    Ok(())
}

/// Runs `work` while clients write, read and search; also how often a replica was promoted meanwhile.
fn under_load<T>(world: &World, seed: u64, work: impl FnOnce() -> T) -> (T, usize) {
    /// Lets the clients end, also when the work panics.
    struct Stop<'a>(&'a World);
    impl Drop for Stop<'_> {
        fn drop(&mut self) {
            self.0.stop.store(true, Ordering::Relaxed);
        }
    }
    std::thread::scope(|scope| {
        let stop = Stop(world);
        for client in 0..CLIENTS * world.indices as u32 {
            let random = Random::new(seed, 1 + u64::from(client));
            let index = client as usize % world.indices;
            scope.spawn(move || clients::write_and_read(world, client, index, random));
        }
        for searcher in 0..SEARCHERS {
            let random = Random::new(seed, 1_000 + u64::from(searcher));
            scope.spawn(move || clients::search(world, random));
        }
        let watch = scope.spawn(|| primaries::watch(world, Random::new(seed, 2_000)));
        let done = work();
        drop(stop);
        let promotions = match watch.join() {
            Ok(reigns) => reigns.promotions(),
            Err(_) => {
                world.problem("who was primary was not watched to the end".to_owned());
                0
            }
        };
        (done, promotions)
    })
}

/// All rounds.
fn tear(
    world: &World,
    cluster: &mut Cluster,
    options: &Options,
    rounds: &mut Vec<Round>,
    say: Progress,
) -> anyhow::Result<()> {
    let mut random = Random::new(options.seed, 0);
    for number in 1..=options.rounds {
        let round = faults::round(world, cluster, &mut random)
            .with_context(|| format!("round {number}"))?;
        let faults: Vec<String> = round.faults.iter().map(ToString::to_string).collect();
        say(&format!(
            "round {number}: {} for {:.1} s, longest without a write {:.2} s ({}){}",
            faults.join(" and "),
            round.lasted.as_secs_f64(),
            round.unavailable.as_secs_f64(),
            index_name(round.index),
            match world.problems().len() {
                0 => String::new(),
                count => format!(", {count} problems"),
            }
        ));
        rounds.push(round);
        faults::check_alive(world, cluster)?;
        // some documents live through several rounds
        if random.percent(60) {
            world.page.fetch_add(1, Ordering::Relaxed);
        }
    }
    Ok(())
}
