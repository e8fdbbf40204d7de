//! Finds what a path names: a shard's folder, its index folder, or a single segment file.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use quidditch_engine::directory::Directory;
use quidditch_engine::directory::fs::FsDirectory;
use quidditch_engine::ids::SegmentId;
use quidditch_engine::inspect::{self, CommitShape, FileKind};
use quidditch_engine::segment::{LiveDocs, SegmentReader};
use quidditch_engine::shard::OpenShardError;

/// What the command looks at.
pub struct Place {
    /// Where segments and commit points are.
    pub index: FsDirectory,
    /// Where the translog is, if it is there.
    pub translog: Option<FsDirectory>,
    /// The one file that was named.
    pub only: Option<String>,
    /// How the two folders are called in what is shown: from the path that was named.
    pub shown: [&'static str; 2],
}

/// A segment, open.
pub struct Segment {
    /// As `_cat/segments` names it; the file's name where no commit point does.
    pub name: String,
    pub reader: SegmentReader,
    /// `None`: nobody is dead.
    pub live_docs: Option<LiveDocs>,
}

impl Segment {
    pub fn deleted(&self) -> u64 {
        let live_docs = self.live_docs.as_ref();
        live_docs.map_or(0, |live| u64::from(live.deleted_count()))
    }
}

fn folder(path: &Path) -> Result<FsDirectory> {
    FsDirectory::open(path).with_context(|| path.display().to_string())
}

fn holds_segments(path: &Path) -> Result<bool> {
    let names = folder(path)?.list()?;
    let kinds = names.iter().map(|name| inspect::file_kind(name));
    Ok(kinds
        .into_iter()
        .any(|kind| matches!(kind, FileKind::Commit | FileKind::Segment)))
}

/// A folder that is there: opening one that is not would make it.
fn existing(path: PathBuf) -> Result<Option<FsDirectory>> {
    if path.is_dir() {
        folder(&path).map(Some)
    } else {
        Ok(None)
    }
}

impl Place {
    pub fn find(path: &Path) -> Result<Place> {
        if path.is_file() {
            return Place::of_file(path);
        }
        if path.join("index").is_dir() {
            return Ok(Place {
                index: folder(&path.join("index"))?,
                translog: existing(path.join("translog"))?,
                only: None,
                shown: ["index/", "translog/"],
            });
        }
        if path.is_dir() && holds_segments(path)? {
            let beside = path
                .canonicalize()
                .ok()
                .filter(|path| path.ends_with("index"));
            let translog = beside.map(|path| path.with_file_name("translog"));
            return Ok(Place {
                index: folder(path)?,
                translog: translog.map(existing).transpose()?.flatten(),
                only: None,
                shown: ["", "../translog/"],
            });
        }
        bail!(
            "{}: no shard is here; name the folder of one (with `index` and `translog` in it), an index folder, or a segment \
             file, <id>.qsg",
            path.display()
        );
    }

    fn of_file(path: &Path) -> Result<Place> {
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.with_context(|| format!("{}: not a segment file", path.display()))?;
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        Ok(Place {
            index: folder(parent)?,
            translog: None,
            only: Some(name.to_owned()),
            shown: ["", ""],
        })
    }

    /// The commit point; `None` when there is none, or a single file was named.
    pub fn commit(&self) -> Result<Option<CommitShape>> {
        if self.only.is_some() {
            return Ok(None);
        }
        match inspect::newest_commit(&self.index) {
            Ok(commit) => Ok(Some(commit)),
            Err(OpenShardError::Missing) => Ok(None),
            Err(other) => Err(other.into()),
        }
    }

    /// The segments of the commit point, or all that are there; those of one name if it is given.
    pub fn segments(&self, wanted: Option<&str>) -> Result<Vec<Segment>> {
        let all = self.names()?;
        let is_wanted = |name: &str, file: &str| {
            wanted.is_none_or(|wanted| name == wanted || file.starts_with(wanted))
        };
        let mut found = Vec::new();
        for (name, file, live_docs) in &all {
            if is_wanted(name, file) {
                found.push(self.segment(name, file, live_docs.as_deref())?);
            }
        }
        if let (Some(wanted), true) = (wanted, found.is_empty()) {
            let names: Vec<&str> = all.iter().map(|(name, ..)| &**name).collect();
            bail!(
                "no segment [{wanted}] is here; there are: {}",
                names.join(", ")
            );
        }
        Ok(found)
    }

    /// Of each segment its name, its file, and its file of live docs.
    fn names(&self) -> Result<Vec<(String, String, Option<String>)>> {
        if let Some(only) = &self.only {
            return Ok(vec![(only.clone(), only.clone(), None)]);
        }
        if let Some(commit) = self.commit()? {
            let named = commit.segments.into_iter().map(|segment| {
                let live_docs = segment.live_docs.map(|file| file.name);
                (segment.name, segment.file.name, live_docs)
            });
            return Ok(named.collect());
        }
        let names = self.index.list()?.into_iter();
        let files = names.filter(|name| inspect::file_kind(name) == FileKind::Segment);
        Ok(files.map(|file| (file.clone(), file, None)).collect())
    }

    fn segment(&self, name: &str, file: &str, live_docs: Option<&str>) -> Result<Segment> {
        let bytes = self.index.open(file)?;
        let id = SegmentReader::id_of(&bytes);
        let id = id.with_context(|| format!("{file}: not a segment file, or its end is damaged"));
        let id: SegmentId = id.context(Damaged)?;
        let reader = SegmentReader::open(id, bytes).with_context(|| file.to_owned())?;
        let live_docs = match live_docs {
            None => None,
            Some(file) => {
                let bytes = self.index.open(file)?;
                let live_docs = LiveDocs::decode(id, reader.max_doc(), &bytes);
                Some(live_docs.with_context(|| file.to_owned())?)
            }
        };
        Ok(Segment {
            name: name.to_owned(),
            reader,
            live_docs,
        })
    }

    /// The only segment, or the one of the name given.
    pub fn one_segment(&self, wanted: Option<&str>) -> Result<Segment> {
        let mut segments = self.segments(wanted)?;
        if segments.len() > 1 {
            let names: Vec<&str> = segments.iter().map(|segment| &*segment.name).collect();
            bail!(
                "there are several segments; name one with --segment: {}",
                names.join(", ")
            );
        }
        segments
            .pop()
            .context("there is no segment here: nothing was flushed yet")
    }
}

/// Marks an error as one of the files, not of the person who asked.
#[derive(Debug)]
pub struct Damaged;

impl std::fmt::Display for Damaged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a file is damaged; `verify` says all")
    }
}
