//! Says what is in a segment file, and whether it is sound. Reads only.

mod show;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use quidditch_engine::directory::Directory;
use quidditch_engine::directory::fs::FsDirectory;
use quidditch_engine::segment::SegmentReader;

/// Dumps of a segment file (`<id>.qsg`); nothing is ever written.
#[derive(Parser)]
#[command(name = "quidditch-inspect", version)]
struct Arguments {
    /// The segment file.
    file: PathBuf,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Sections of the file: kind, field, place, length, checksum.
    Sections,
    /// Fields: what is kept of each, documents, terms.
    Fields,
    /// Terms of a field, ascending.
    Terms {
        /// Path of the field.
        field: String,
        /// First term shown.
        #[arg(long, default_value = "")]
        from: String,
        /// Most terms shown.
        #[arg(long, default_value_t = 100)]
        limit: u64,
    },
    /// Documents, frequencies and positions of a term.
    Postings {
        /// Path of the field.
        field: String,
        /// The term.
        term: String,
        /// Most documents shown.
        #[arg(long, default_value_t = 100)]
        limit: u64,
    },
    /// Values of a column, document by document.
    Column {
        /// Path of the field.
        field: String,
        /// First document shown.
        #[arg(long, default_value_t = 0)]
        from: u32,
        /// Most documents shown.
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// What is stored of a document.
    Doc {
        /// Its position in the segment.
        number: u32,
    },
    /// The document of an `_id`, as stored.
    Id {
        /// The `_id`.
        id: String,
    },
    /// Checks every checksum and every structure.
    Verify,
}

fn open(path: &Path) -> Result<SegmentReader> {
    let name = path.file_name().and_then(|name| name.to_str());
    let Some(name) = name.filter(|_| path.is_file()) else {
        bail!(
            "{}: no such file; name a segment file, <id>.qsg",
            path.display()
        );
    };
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let directory = FsDirectory::open(folder).with_context(|| folder.display().to_string())?;
    let bytes = directory
        .open(name)
        .with_context(|| path.display().to_string())?;
    let id = SegmentReader::id_of(&bytes).with_context(|| {
        format!(
            "{}: not a segment file, or its end is damaged",
            path.display()
        )
    })?;
    Ok(SegmentReader::open(id, bytes)?)
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let reader = open(&arguments.file)?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    let shown = match &arguments.what {
        What::Sections => show::sections(&reader, &mut out),
        What::Fields => show::fields(&reader, &mut out),
        What::Terms { field, from, limit } => show::terms(&reader, field, from, *limit, &mut out),
        What::Postings { field, term, limit } => {
            show::postings(&reader, field, term, *limit, &mut out)
        }
        What::Column { field, from, limit } => {
            show::column(&reader, field, *from, *limit, &mut out)
        }
        What::Doc { number } => show::document(&reader, *number, &mut out),
        What::Id { id } => show::by_id(&reader, id, &mut out),
        What::Verify => show::verify(&reader, &mut out),
    };
    let flushed = shown.and_then(|()| Ok(out.flush()?));
    // Whoever reads may have had enough, as `head` has.
    match flushed {
        Err(error) if is_broken_pipe(&error) => Ok(()),
        other => other,
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<io::Error>();
    io.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
