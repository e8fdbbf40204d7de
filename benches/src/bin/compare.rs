//! Compares the small measurements of two records, or of two commits; draws their history.
//!
//! ```sh
//! compare benches/results/x86_64-avx2.json@d0e1f2 benches/results/x86_64-avx2.json
//! compare --commits main HEAD --filter kernels/
//! compare --history benches/results --svg history.svg
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use quidditch_benches::record::compare::{Verdict, changes, joined, table};
use quidditch_benches::record::{Entry, History, criterion, git, svg};

/// Shows what became slower or faster by more than the noise; fails when something became slower.
#[derive(Parser)]
struct Arguments {
    /// Before and after: files of records, each with `@COMMIT` for another record than the last. With --commits:
    /// what git calls them.
    #[arg(
        num_args = 2,
        required_unless_present = "history",
        conflicts_with = "history"
    )]
    sides: Vec<String>,
    /// Build both commits and measure them in turn, on this machine.
    #[arg(long, requires = "sides")]
    commits: bool,
    /// Draw the records of all files of a folder, to --svg, in place of comparing two.
    #[arg(long, requires = "svg")]
    history: Option<PathBuf>,
    /// The picture of --history.
    #[arg(long, requires = "history")]
    svg: Option<PathBuf>,
    /// Rounds of each commit.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Instruction set of the commits.
    #[arg(long, default_value_t = quidditch_engine::simd::level_name().to_owned())]
    level: String,
    /// Only measurements whose names hold this.
    #[arg(long)]
    filter: Option<String>,
    /// Where the commits are checked out and built; default: `quidditch-compare` in the folder of temporary files.
    #[arg(long)]
    folder: Option<PathBuf>,
}

type Entries = BTreeMap<String, Entry>;

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if let (Some(folder), Some(picture)) = (&arguments.history, &arguments.svg) {
        return draw(folder, picture);
    }
    let (before, after) = if arguments.commits {
        measured(&arguments)?
    } else {
        (
            recorded(&arguments.sides[0])?,
            recorded(&arguments.sides[1])?,
        )
    };
    let changes = changes(&before, &after);
    ensure!(!changes.is_empty(), "the two have no measurement in common");
    print!("{}", table(&changes));
    let slower = changes.iter().filter(|c| c.verdict() == Verdict::Slower);
    match slower.count() {
        0 => Ok(()),
        count => bail!("{count} became slower"),
    }
}

/// Draws the records of every file of a folder.
fn draw(folder: &Path, picture: &Path) -> Result<()> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            paths.push(path);
        }
    }
    ensure!(!paths.is_empty(), "{}: no records", folder.display());
    paths.sort();
    let mut histories = Vec::new();
    for path in &paths {
        histories.push(History::read(path, "")?);
    }
    fs::write(picture, svg::draw(&histories)).with_context(|| picture.display().to_string())?;
    println!("{}: {} files of records", picture.display(), paths.len());
    Ok(())
}

/// The entries of `FILE` or `FILE@COMMIT`.
fn recorded(side: &str) -> Result<Entries> {
    let (path, commit) = match side.split_once('@') {
        Some((path, commit)) => (path, Some(commit)),
        None => (side, None),
    };
    ensure!(Path::new(path).exists(), "{path}: no such file");
    let history = History::read(Path::new(path), "")?;
    Ok(history
        .record(commit)
        .context(side.to_owned())?
        .entries
        .clone())
}

/// Both commits, measured in turn.
fn measured(arguments: &Arguments) -> Result<(Entries, Entries)> {
    ensure!(arguments.rounds > 0, "--rounds: at least 1");
    let folder = match &arguments.folder {
        Some(folder) => folder.clone(),
        None => std::env::temp_dir().join("quidditch-compare"),
    };
    fs::create_dir_all(&folder)?;
    let folder = folder.canonicalize()?;
    let mut programs = Vec::new();
    for side in &arguments.sides {
        programs.push(build(side, &folder)?);
    }
    let mut rounds = [Vec::new(), Vec::new()];
    for round in 0..arguments.rounds {
        for turn in 0..2 {
            let side = (turn + round) % 2;
            let mut program = Command::new(&programs[side]);
            program.arg("--bench");
            let filter = arguments.filter.as_deref();
            let (entries, _) = criterion::run(&mut program, filter, &arguments.level)?;
            rounds[side].push(entries);
        }
        eprintln!("round {} of {}", round + 1, arguments.rounds);
    }
    Ok((joined(&rounds[0]), joined(&rounds[1])))
}

/// The measurements of a commit, built in a work tree of their own; both share the built dependencies.
fn build(side: &str, folder: &Path) -> Result<PathBuf> {
    let commit = git(&["rev-parse", "--short=12", &format!("{side}^{{commit}}")])?;
    let program = folder.join(format!("micro-{commit}"));
    if program.exists() {
        return Ok(program);
    }
    let tree = folder.join(format!("tree-{commit}"));
    let tree_name = tree.to_string_lossy().into_owned();
    if !tree.exists() {
        git(&["worktree", "add", "--detach", &tree_name, &commit])?;
    }
    let output = Command::new("cargo")
        .args(["bench", "--profile", "measure", "-p", "quidditch-benches"])
        .args(["--bench", "micro", "--no-run", "--message-format", "json"])
        .current_dir(&tree)
        .env("CARGO_TARGET_DIR", folder.join("built"))
        .stderr(std::process::Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "building [{side}] failed");
    let built = String::from_utf8(output.stdout)?;
    let messages = built
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let executable = messages
        .filter(|message| message["target"]["name"] == "micro")
        .find_map(|message| message["executable"].as_str().map(PathBuf::from));
    let executable = executable.with_context(|| format!("[{side}] has no such measurements"))?;
    fs::copy(executable, &program)?;
    git(&["worktree", "remove", "--force", &tree_name])?;
    Ok(program)
}
