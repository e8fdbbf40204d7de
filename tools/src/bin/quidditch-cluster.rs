//! The `quidditch-cluster` program: a whole cluster on this machine, for trying things out.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Parser, Subcommand};
use quidditch_tools::cluster::{
    Cluster, Plan, ProxyHome, Record, Status, Tier, parse_tiers, proxy, status,
};
use quidditch_tools::torture;

/// Runs a whole cluster on this machine: every node a process of its own, on loopback ports, behind proxies that can be
/// cut. For trying out what happens when nodes die, halt, or cannot reach each other.
#[derive(Parser)]
#[command(name = "quidditch-cluster", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Starts a new cluster, or the one in the folder, and waits until it is healthy
    Up(Up),
    /// Shows every node: process, addresses, health
    Status {
        #[command(flatten)]
        place: Folder,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
    /// Ends a node at once (SIGKILL); what it gave to the kernel stays
    Kill(OneNode),
    /// Asks a node to end in peace (SIGTERM), and waits
    Stop(OneNode),
    /// Halts a node without a word to the others (SIGSTOP)
    Pause(OneNode),
    /// Lets a halted node go on (SIGCONT)
    Resume(OneNode),
    /// Starts a node that does not run
    Start(OneNode),
    /// Lets two nodes not reach each other, either way
    Cut {
        /// One of them
        a: String,
        /// The other
        b: String,
        #[command(flatten)]
        place: Folder,
    },
    /// Lets two nodes reach each other again; without names, everybody
    Heal {
        /// One of them
        #[arg(requires = "b")]
        a: Option<String>,
        /// The other
        b: Option<String>,
        #[command(flatten)]
        place: Folder,
    },
    /// Ends all nodes in peace; the data stays
    Down {
        #[command(flatten)]
        place: Folder,
        /// Remove the folder with everything in it
        #[arg(long)]
        remove: bool,
    },
    /// Puts a new cluster (3 masters, 2 coordination, 4 data nodes) under load, kills, halts and cuts off its nodes, and
    /// checks that nothing was lost; ends with 1 if something was
    Torture(Torture),
    /// The process that carries what the nodes say to each other; started by `up`
    #[command(hide = true)]
    Proxies(Folder),
}

#[derive(Args)]
struct Folder {
    /// The cluster's folder
    #[arg(long, value_name = "DIR", default_value = "./cluster")]
    dir: PathBuf,
}

#[derive(Args)]
struct OneNode {
    /// Its name, such as data-1
    node: String,
    #[command(flatten)]
    place: Folder,
}

#[derive(Args)]
struct Torture {
    /// Where the cluster lives; must not be there yet. Removed at the end, unless something was found
    #[arg(long, value_name = "DIR", default_value = "./torture")]
    dir: PathBuf,
    /// How many rounds of faults
    #[arg(long, default_value_t = 20)]
    rounds: usize,
    /// Which faults on which nodes [default: another one each time]
    #[arg(long)]
    seed: Option<u64>,
    /// Where the nodes' programs are [default: beside this one]
    #[arg(long, value_name = "DIR")]
    bin_dir: Option<PathBuf>,
}

#[derive(Args)]
struct Up {
    #[command(flatten)]
    place: Folder,
    /// How many masters [default: 3, or as many as the folder has]
    #[arg(long)]
    masters: Option<usize>,
    /// How many coordination nodes [default: 1, or as many as the folder has]
    #[arg(long)]
    coordination: Option<usize>,
    /// Data nodes by tier, such as hot=2,warm=1,cold=1 [default: hot=2, or those that the folder has]
    #[arg(long, value_name = "TIERS", value_parser = tiers)]
    data: Option<Tiers>,
    /// Name of the cluster [default: quidditch, or that of the folder]
    #[arg(long)]
    name: Option<String>,
    /// Threads of each node; 0: as many as the machine has
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// What each node logs
    #[arg(long, default_value = "info")]
    log_level: String,
    /// Where the nodes' programs are [default: beside this one]
    #[arg(long, value_name = "DIR")]
    bin_dir: Option<PathBuf>,
    /// Let nodes reach each other without proxies: nothing can be cut then
    #[arg(long)]
    direct: bool,
}

/// As one value of the command line.
#[derive(Clone)]
struct Tiers(Vec<Tier>);

fn tiers(text: &str) -> Result<Tiers, String> {
    parse_tiers(text).map(Tiers)
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("quidditch-cluster: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    let mut said = |line: &str| eprintln!("{line}");
    match command {
        Command::Up(up) => bring_up(up),
        Command::Status { place, json } => {
            let status = look(&place.dir)?;
            match json {
                true => println!("{}", serde_json::to_string_pretty(&status)?),
                false => print!("{}", status.table()),
            }
            Ok(())
        }
        Command::Kill(one) => Cluster::open(&one.place.dir)?.kill(&one.node),
        Command::Stop(one) => Cluster::open(&one.place.dir)?.stop(&one.node),
        Command::Pause(one) => Cluster::open(&one.place.dir)?.pause(&one.node),
        Command::Resume(one) => Cluster::open(&one.place.dir)?.resume(&one.node),
        Command::Start(one) => Cluster::open(&one.place.dir)?.start(&one.node),
        Command::Cut { a, b, place } => Cluster::open(&place.dir)?.cut(&a, &b),
        Command::Heal { a, b, place } => {
            Cluster::open(&place.dir)?.heal(a.as_deref().zip(b.as_deref()))
        }
        Command::Down { place, remove } => {
            Cluster::open(&place.dir)?.down(&mut said)?;
            if remove {
                std::fs::remove_dir_all(&place.dir)
                    .with_context(|| place.dir.display().to_string())?;
            }
            Ok(())
        }
        Command::Torture(wanted) => tear(wanted),
        Command::Proxies(place) => proxy::serve(&place.dir, || ()),
    }
}

fn look(dir: &Path) -> anyhow::Result<Status> {
    let record = Record::load(dir)?;
    let record = record.with_context(|| format!("{}: no cluster is here", dir.display()))?;
    Ok(status(&record, dir))
}

fn own_program() -> anyhow::Result<PathBuf> {
    std::env::current_exe().context("cannot find out where this program is")
}

/// Where the nodes' programs are: where it was said, or beside this one.
fn bin_dir(given: Option<PathBuf>, program: &Path) -> PathBuf {
    given.unwrap_or_else(|| program.parent().unwrap_or(Path::new(".")).to_owned())
}

fn tear(wanted: Torture) -> anyhow::Result<()> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    let options = torture::Options {
        rounds: wanted.rounds,
        seed: wanted.seed.unwrap_or(u64::from(now.subsec_nanos())),
        bin_dir: bin_dir(wanted.bin_dir, &own_program()?),
        dir: wanted.dir,
    };
    println!("seed {}", options.seed);
    let report = torture::run(&options, &mut |line| eprintln!("{line}"))?;
    print!("{report}");
    if !report.is_good() {
        bail!(
            "{} problems; logs and histories are in {}; again: --rounds {} --seed {}",
            report.problems.len(),
            options.dir.display(),
            options.rounds,
            options.seed
        );
    }
    std::fs::remove_dir_all(&options.dir).with_context(|| options.dir.display().to_string())
}

fn bring_up(up: Up) -> anyhow::Result<()> {
    let program = own_program()?;
    let mut plan = Plan::new(up.place.dir, bin_dir(up.bin_dir, &program));
    plan.direct = up.direct;
    if let Some(record) = Record::load(&plan.dir)? {
        plan.repeat(&record);
    }
    plan.name = up.name.unwrap_or(plan.name);
    plan.masters = up.masters.unwrap_or(plan.masters);
    plan.coordination = up.coordination.unwrap_or(plan.coordination);
    plan.data = up.data.map_or(plan.data, |tiers| tiers.0);
    plan.threads = up.threads;
    plan.log_level = up.log_level;
    let mut said = |line: &str| eprintln!("{line}");
    let cluster = Cluster::up(&plan, &ProxyHome::Process(program), &mut said)?;
    print!("{}", cluster.status().table());
    cluster.keep();
    Ok(())
}
