//! Says what is in a shard's files, and whether they are sound. Reads only.

mod documents;
mod fields;
mod files;
mod place;
mod report;
mod sizes;
mod terms;
mod text;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};
use quidditch_engine::segment::{OpenSegmentError, ReadError};
use quidditch_engine::shard::OpenShardError;

use place::{Damaged, Place};
use report::Report;
use sizes::By;

/// Shows what a shard keeps on disk, and checks it. Nothing is ever written, and no node has to be stopped: what is shown is
/// the shard's newest commit point.
///
/// Ends with 0; with 1 when files are damaged; with 2 when something else is in the way.
#[derive(Parser)]
#[command(name = "quidditch-inspect", version)]
struct Arguments {
    /// A shard's folder (with `index` and `translog` in it), its index folder, or a segment file (`<id>.qsg`).
    path: PathBuf,
    /// Answer in JSON: plain numbers, sizes in bytes.
    #[arg(long, global = true)]
    json: bool,
    /// Look at this segment only: a name as `info` shows it, or the start of an id.
    #[arg(long, global = true, value_name = "NAME")]
    segment: Option<String>,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Files: what they are, their sizes, whether the commit point needs them.
    Ls,
    /// The commit point, the segments, what the translog holds.
    Info,
    /// Fields: what is kept of each, documents, terms, bytes, how the column is encoded.
    Fields,
    /// Terms of a field, ascending: documents and occurrences (dead documents included), bytes of the postings, how they
    /// are kept.
    Terms {
        /// Path of the field.
        field: String,
        /// Only terms that start with this; bytes that are no text are written `0x…`.
        #[arg(long, default_value = "")]
        prefix: String,
        /// First term shown.
        #[arg(long, default_value = "")]
        from: String,
        /// Most terms shown.
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// How the postings of a term are kept, in each segment: blocks or containers, bits, patches, bounds on scores (pairs of
    /// frequency and norm).
    Postings {
        /// Path of the field.
        field: String,
        /// The term; bytes that are no text are written `0x…`.
        term: String,
        /// Most blocks or containers shown of a segment.
        #[arg(long, default_value_t = 40)]
        limit: usize,
        /// Show so many documents of a segment, with frequencies and positions.
        #[arg(long, default_value_t = 0, value_name = "N")]
        docs: usize,
    },
    /// What takes how many bytes.
    Size {
        /// Added up by what.
        #[arg(long, value_enum, default_value_t = By::Section)]
        by: By,
        /// With `--by term`: only terms of this field.
        #[arg(long)]
        field: Option<String>,
        /// Most fields or terms shown.
        #[arg(long, default_value_t = 40)]
        limit: usize,
    },
    /// Checks every checksum and decodes every structure of all files that the commit point needs, and the translog; names
    /// each damaged file and section.
    Verify,
    /// Sections of segment files: kind, field, format, place, checksum.
    Sections,
    /// A column of one segment: its chunks, and values document by document.
    Column {
        /// Path of the field.
        field: String,
        /// First document shown.
        #[arg(long, default_value_t = 0)]
        from: u32,
        /// Most chunks, and most documents shown.
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// What is stored of a document of one segment.
    Doc {
        /// Its position in the segment.
        number: u32,
    },
    /// The documents of an `_id`, as stored, dead ones included.
    Id {
        /// The `_id`.
        id: String,
    },
}

/// What was asked for, and whether the files are sound as far as that was asked.
fn run(arguments: &Arguments) -> Result<(Report, bool)> {
    let place = Place::find(&arguments.path)?;
    let only = arguments.segment.as_deref();
    if only.is_some() && matches!(arguments.what, What::Ls | What::Verify) {
        bail!(
            "`ls` and `verify` look at all files: leave --segment out, or name the segment's file instead of the shard"
        );
    }
    let report = match &arguments.what {
        What::Ls => files::ls(&place)?,
        What::Info => files::info(&place, only)?,
        What::Fields => fields::fields(&place.segments(only)?)?,
        What::Terms {
            field,
            prefix,
            from,
            limit,
        } => {
            let limit = *limit;
            terms::terms(
                &place.segments(only)?,
                field,
                &terms::Wanted {
                    prefix,
                    from,
                    limit,
                },
            )?
        }
        What::Postings {
            field,
            term,
            limit,
            docs,
        } => {
            let shown = terms::Shown {
                limit: *limit,
                docs: *docs,
            };
            terms::postings(&place.segments(only)?, field, term, &shown)?
        }
        What::Size { by, field, limit } => {
            if field.is_some() && !matches!(by, By::Term) {
                bail!("--field goes with --by term");
            }
            let segments = place.segments(only)?;
            match by {
                By::Section => sizes::by_section(&place, &segments)?,
                By::Field => sizes::by_field(&segments, *limit),
                By::Term => sizes::by_term(&segments, field.as_deref(), *limit)?,
            }
        }
        What::Verify => return files::verify(&place),
        What::Sections => fields::sections(&place.segments(only)?),
        What::Column { field, from, limit } => {
            fields::column(&place.one_segment(only)?, field, *from, *limit)?
        }
        What::Doc { number } => documents::document(&place.one_segment(only)?, *number)?,
        What::Id { id } => documents::by_id(&place.segments(only)?, id)?,
    };
    Ok((report, true))
}

fn print(report: &Report, json: bool) -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    if json {
        serde_json::to_writer_pretty(&mut out, &report.json())?;
        writeln!(out)?;
    } else {
        report.print(&mut out)?;
    }
    out.flush()
}

/// A shard in use gives up files that it needs no more: then what was asked for is asked again.
fn run_steadily(arguments: &Arguments) -> Result<(Report, bool)> {
    const TRIES: usize = 3;
    for _ in 1..TRIES {
        match run(arguments) {
            Err(error) if error.chain().any(is_gone) => {}
            done => return done,
        }
    }
    run(arguments)
}

fn is_gone(cause: &(dyn std::error::Error + 'static)) -> bool {
    let io = cause.downcast_ref::<io::Error>();
    io.is_some_and(|error| error.kind() == io::ErrorKind::NotFound)
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = run_steadily(&arguments).and_then(|(report, sound)| {
        match print(&report, arguments.json) {
            // Whoever reads may have had enough, as `head` has.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(sound),
            Err(error) => Err(error.into()),
            Ok(()) => Ok(sound),
        }
    });
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("quidditch-inspect: {error:#}");
            ExitCode::from(if is_damage(&error) { 1 } else { 2 })
        }
    }
}

fn is_damage(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.is::<ReadError>()
            || cause.is::<OpenSegmentError>()
            || matches!(cause.downcast_ref(), Some(OpenShardError::Corrupt { .. }))
    }) || error.downcast_ref::<Damaged>().is_some()
}
