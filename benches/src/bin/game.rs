//! The search benchmark, the game: our engine beside others, in one process, query by query.
//!
//! `cargo run --release -p quidditch-benches --bin game -- --corpus game.jsonl --queries queries.txt`

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use quidditch_benches::game::build::{ENGINES, IndexSpec, build_if_asked, ensure_built, open};
use quidditch_benches::game::cells::{cells, columns};
use quidditch_benches::game::lucene::OtherRun;
use quidditch_benches::game::peer::Peer;
use quidditch_benches::game::queries::{Class, Command, GameQuery, load};
use quidditch_benches::game::{report, rounds};

/// Times queries of the game in our engine and in others; fails when an answer is wrong.
#[derive(Parser)]
struct Arguments {
    /// JSON lines with `id` and `text`, words apart by spaces, as every engine splits them.
    #[arg(long)]
    corpus: PathBuf,
    /// JSON lines with `query` and `tags`.
    #[arg(long)]
    queries: PathBuf,
    /// Only the first documents of the corpus.
    #[arg(long)]
    docs: Option<u32>,
    /// Segments, of equally many documents each.
    #[arg(long, default_value_t = 1)]
    segments: usize,
    /// Numbers documents that share terms side by side, in our engine: none, light, full.
    #[arg(long, default_value = "none", value_parser = ["none", "light", "full"])]
    reorder: String,
    /// Deletes so many documents of a hundred once all are indexed, the same in every engine.
    #[arg(long, default_value_t = 0.0)]
    deletes: f64,
    /// Engines, the first against the others.
    #[arg(long, value_delimiter = ',', default_values = ENGINES)]
    engines: Vec<String>,
    /// Commands, default: all of the game.
    #[arg(long, value_delimiter = ',')]
    commands: Vec<String>,
    /// Classes of queries, default: all.
    #[arg(long, value_delimiter = ',')]
    classes: Vec<String>,
    /// Rounds that are timed; the best of each query counts.
    #[arg(long, default_value_t = 10)]
    iters: usize,
    /// Keeps the indexes here, and takes those that are there and fit.
    #[arg(long)]
    index_dir: Option<PathBuf>,
    /// Makes the indexes anew even when they are there.
    #[arg(long)]
    rebuild: bool,
    /// Leaves out the comparison with the right answers, and with it the scan of the corpus.
    #[arg(long)]
    no_check: bool,
    /// Times of Lucene, from `lucene-game run --json`, to be put beside ours.
    #[arg(long)]
    merge: Option<PathBuf>,
    /// Writes everything here as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// How many wrong answers are shown.
const SHOWN: usize = 20;

fn main() -> Result<()> {
    if build_if_asked()? {
        return Ok(());
    }
    let arguments = Arguments::parse();
    let temporary;
    let root = match &arguments.index_dir {
        Some(folder) => folder.as_path(),
        None => {
            temporary = tempfile::tempdir()?;
            temporary.path()
        }
    };
    let commands = match arguments.commands.as_slice() {
        [] => Command::ALL.to_vec(),
        names => names
            .iter()
            .map(|n| Command::parse(n))
            .collect::<Result<_>>()?,
    };
    let classes = match arguments.classes.as_slice() {
        [] => Class::ALL.to_vec(),
        names => names
            .iter()
            .map(|n| Class::parse(n))
            .collect::<Result<_>>()?,
    };
    let queries = load(&arguments.queries, &classes)?;
    let spec = spec(&arguments)?;
    run(&arguments, &spec, root, &queries, &commands)
}

fn spec(arguments: &Arguments) -> Result<IndexSpec> {
    ensure!(arguments.segments > 0, "--segments: at least 1");
    ensure!(
        (0.0..100.0).contains(&arguments.deletes),
        "--deletes: from 0 to less than 100"
    );
    let corpus = &arguments.corpus;
    let at = || corpus.display().to_string();
    let corpus = corpus.canonicalize().with_context(at)?;
    Ok(IndexSpec {
        corpus_bytes: corpus.metadata()?.len(),
        corpus,
        docs: arguments.docs,
        segments: arguments.segments,
        reorder: arguments.reorder.clone(),
        deletes: arguments.deletes,
    })
}

fn run(
    arguments: &Arguments,
    spec: &IndexSpec,
    root: &Path,
    queries: &[GameQuery],
    commands: &[Command],
) -> Result<()> {
    let mut builds = Vec::new();
    let mut peers: Vec<Box<dyn Peer>> = Vec::new();
    for engine in &arguments.engines {
        let (folder, build) = ensure_built(engine, spec, root, arguments.rebuild)?;
        let mut peer = open(engine, spec, &folder)?;
        peer.prepare(queries)?;
        builds.push((engine.clone(), build));
        peers.push(peer);
    }
    print!("{}", report::build_table(&builds));
    for peer in &peers {
        let docs = (peer.doc_count(), peers[0].doc_count());
        ensure!(
            docs.0 == docs.1,
            "{} has {} documents, not {}",
            peer.name(),
            docs.0,
            docs.1
        );
    }
    let other = match &arguments.merge {
        Some(path) => Some(merged(path, &peers, queries, commands)?),
        None => None,
    };
    let mut problems = Vec::new();
    if !arguments.no_check {
        let answers = rounds::answers(spec, queries, root)?;
        problems = rounds::check(&peers, queries, commands, &answers)?;
        for problem in problems.iter().take(SHOWN) {
            println!("WRONG {problem}");
        }
    }
    let times = rounds::time(&peers, queries, commands, arguments.iters)?;
    let columns = columns(&peers, &times, other.as_ref(), queries, commands);
    let cells = cells(&columns, queries, commands, spec.reorder != "none");
    print!("{}", report::table(&cells));
    if let Some(path) = &arguments.json {
        let report = report::json(&peers, &builds, &cells, queries, commands, &times);
        std::fs::write(path, serde_json::to_vec_pretty(&report)?)?;
    }
    if !problems.is_empty() {
        bail!("{} answers are wrong", problems.len());
    }
    Ok(())
}

/// The other run, which must be over the same documents and find as many.
fn merged(
    path: &Path,
    peers: &[Box<dyn Peer>],
    queries: &[GameQuery],
    commands: &[Command],
) -> Result<OtherRun> {
    let other = OtherRun::read(path)?;
    let ours = (peers[0].doc_count(), peers[0].segment_count());
    ensure!(
        (other.docs, other.segments) == ours,
        "{}: a run over {} documents in {} segments, not {} in {}",
        path.display(),
        other.docs,
        other.segments,
        ours.0,
        ours.1
    );
    for (number, query) in queries.iter().enumerate() {
        for &command in commands {
            let Some((count, _)) = other.time(command, &query.text) else {
                bail!("{}: no {} [{}]", path.display(), command.name(), query.text);
            };
            if let Some(count) = count {
                let found = peers[0].run(number, command)?;
                ensure!(
                    count == found,
                    "{} counts {count} for {} [{}], not {found}",
                    other.engine,
                    command.name(),
                    query.text
                );
            }
        }
    }
    println!("beside: {} {}", other.engine, other.version);
    Ok(other)
}
