//! Our engine, through its front door: a shard on disk, typed queries, the query phase.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use hashbrown::HashMap;
use quidditch_engine::ids::DocId;
use quidditch_engine::query::{BoolQuery, MatchPhraseQuery, Query, TermQuery};
use quidditch_engine::search::{
    MemoryAccount, SearchContext, SearchRequest, TrackTotalHits, count, query,
};
use quidditch_engine::segment::{ID_FIELD, PostingsNeed};
use quidditch_engine::shard::{DeleteOp, IndexOp, Origin, Shard, ShardReader, VersionCheck};
use quidditch_engine::value::Value;

use super::build::{BUFFER_BYTES, BuildReport, IndexSpec};
use super::corpus::{Documents, is_deleted};
use super::peer::{Checked, Peer};
use super::queries::{Clause, Command, GameQuery, Occur};
use super::usage::{Stopwatch, memory_mb, reset_peak};
use crate::shard_folder::{OpenShard, ShardPlan};

/// As in tables and on the command line.
pub const NAME: &str = "quidditch";
/// For each document, in the order of segments and documents, its number in the corpus: `u32`, little-endian.
const NUMBERS: &str = "numbers";
const NO_REORDER: &str = "none";

fn plan(reorder: &str) -> ShardPlan {
    let mut settings = BTreeMap::new();
    if reorder != NO_REORDER {
        settings.insert("index.reorder".to_owned(), reorder.to_owned());
    }
    ShardPlan {
        mapping: serde_json::json!({
            "dynamic": "false",
            "_source": {"enabled": false},
            "properties": {"text": {"type": "text", "analyzer": "whitespace"}}
        }),
        settings,
        buffer_bytes: BUFFER_BYTES,
        threads: 1,
    }
}

/// Indexes the corpus into a folder, on one thread.
pub fn build(spec: &IndexSpec, folder: &Path) -> Result<BuildReport> {
    let reordered = spec.reorder != NO_REORDER;
    ensure!(
        spec.segments == 1 || !reordered,
        "reorder [{}]: documents are reordered when segments are merged into one, so ask for one segment",
        spec.reorder
    );
    let documents = Documents::load(&spec.corpus, spec.docs)?;
    let mut sources = sources(&documents);
    let shard = plan(&spec.reorder).create(folder)?;
    let before_mb = memory_mb("VmRSS")?;
    reset_peak();
    let watch = Stopwatch::start();
    // what was written as one segment would not be merged
    let parts = if reordered { 2 } else { spec.segments };
    index(&shard, &documents, &mut sources, parts)?;
    if spec.segments == 1 {
        shard.force_merge(Some(1), false)?;
        shard.flush(true, true)?;
    }
    let (seconds, cpu_seconds) = watch.seconds();
    let peak_rss_mb = memory_mb("VmHWM")? - before_mb;
    for number in (0..documents.len()).filter(|n| is_deleted(*n as u32, spec.deletes)) {
        shard.delete(DeleteOp {
            id: documents.get(number).0.to_owned(),
            version: VersionCheck::Internal,
            origin: Origin::Primary,
        })?;
    }
    shard.refresh()?;
    shard.flush(true, true)?;
    let reader = shard.reader();
    ensure!(
        reader.segments.len() == spec.segments,
        "{} segments came out, {} were asked for: give the corpus fewer bytes a segment",
        reader.segments.len(),
        spec.segments
    );
    let numbers = numbers(&reader, &documents)?;
    ensure!(
        numbers.is_sorted() != reordered || documents.len() < 2,
        "reorder [{}], but the documents are {}in the order of the corpus",
        spec.reorder,
        if reordered { "" } else { "not " }
    );
    let bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
    fs::write(folder.join(NUMBERS), bytes)?;
    let (index_bytes, bytes_by_section) = sizes(&reader);
    let docs = reader.doc_count();
    shard.close()?;
    Ok(BuildReport {
        docs,
        seconds,
        cpu_seconds,
        mb_per_s: documents.text_bytes as f64 / 1e6 / seconds,
        peak_rss_mb,
        index_bytes,
        bytes_by_section,
    })
}

fn sources(documents: &Documents) -> Vec<Bytes> {
    let mut sources = Vec::with_capacity(documents.len());
    for number in 0..documents.len() {
        let source = serde_json::json!({"text": documents.get(number).1});
        sources.push(Bytes::from(source.to_string()));
    }
    sources
}

/// Indexes all documents, so many segments of equally many.
fn index(
    shard: &Shard,
    documents: &Documents,
    sources: &mut [Bytes],
    segments: usize,
) -> Result<()> {
    for part in documents.parts(segments) {
        for number in part {
            shard.index(IndexOp {
                id: documents.get(number).0.to_owned(),
                routing: None,
                source: std::mem::take(&mut sources[number]),
                version: VersionCheck::Internal,
                create_only: false,
                origin: Origin::Primary,
            })?;
        }
        shard.flush(true, true)?;
    }
    Ok(())
}

/// Seconds by the wall and of all processors that it takes to index documents as so many segments, and then to merge these into
/// one.
pub fn index_and_merge(
    documents: &Documents,
    segments: usize,
    folder: &Path,
) -> Result<[(f64, f64); 2]> {
    let shard = plan(NO_REORDER).create(folder)?;
    let mut sources = sources(documents);
    let watch = Stopwatch::start();
    index(&shard, documents, &mut sources, segments)?;
    let indexed = watch.seconds();
    shard.refresh()?;
    ensure!(
        shard.reader().segments.len() == segments,
        "{} segments came out, {segments} were asked for: ask for more, or give fewer documents",
        shard.reader().segments.len()
    );
    let watch = Stopwatch::start();
    shard.force_merge(Some(1), false)?;
    shard.flush(true, true)?;
    let merged = watch.seconds();
    shard.refresh()?;
    let reader = shard.reader();
    ensure!(
        reader.segments.len() == 1 && reader.doc_count() == documents.len() as u64,
        "the merge made {} segments of {} documents",
        reader.segments.len(),
        reader.doc_count()
    );
    shard.close()?;
    Ok([indexed, merged])
}

/// For each document, in the order of segments and documents, its number in the corpus.
fn numbers(reader: &ShardReader, documents: &Documents) -> Result<Vec<u32>> {
    let by_id = (0..documents.len()).map(|number| (documents.get(number).0, number as u32));
    let by_id: HashMap<&str, u32> = by_id.collect();
    ensure!(by_id.len() == documents.len(), "an id is there twice");
    let mut all = Vec::with_capacity(documents.len());
    for segment in &reader.segments {
        let mut numbers = vec![u32::MAX; segment.reader.max_doc() as usize];
        let terms = segment.reader.terms(ID_FIELD)?.context("names")?;
        let mut iter = terms.iter();
        while let Some((term, info)) = iter.next()? {
            let doc = terms.postings(&info, PostingsNeed::Docs)?.next()?;
            let id = std::str::from_utf8(term)?;
            numbers[doc.0 as usize] = *by_id.get(id).context("a name of the corpus")?;
        }
        all.extend(numbers);
    }
    Ok(all)
}

fn sizes(reader: &ShardReader) -> (u64, BTreeMap<String, u64>) {
    let (mut total, mut by_section) = (0, BTreeMap::<String, u64>::new());
    for segment in &reader.segments {
        total += segment.reader.size_bytes();
        for section in segment.reader.sections() {
            let field = section
                .field
                .and_then(|number| segment.reader.fields().get(number as usize));
            let name = match field {
                Some(field) => format!("{} {}", field.path, section.kind.name()),
                None => section.kind.name().to_owned(),
            };
            *by_section.entry(name).or_default() += section.len;
        }
    }
    (total, by_section)
}

/// The engine over a finished index.
pub struct Quidditch {
    reader: Arc<ShardReader>,
    /// Numbers in the corpus, by segment.
    numbers: Vec<Vec<u32>>,
    cancelled: AtomicBool,
    memory: MemoryAccount,
    /// For each query, one request for each command.
    requests: Vec<[SearchRequest; Command::ALL.len()]>,
    _shard: OpenShard,
}

impl Quidditch {
    /// Opens an index that [`build`] made. The folder stays as it is: the shard works on links to its files.
    pub fn open(spec: &IndexSpec, folder: &Path) -> Result<Quidditch> {
        let shard = plan(&spec.reorder).open_finished(folder)?;
        let reader = shard.reader.clone();
        let bytes = fs::read(folder.join(NUMBERS))?;
        let mut all = bytes
            .as_chunks::<4>()
            .0
            .iter()
            .map(|word| u32::from_le_bytes(*word));
        let mut numbers = Vec::with_capacity(reader.segments.len());
        for segment in &reader.segments {
            let max_doc = segment.reader.max_doc() as usize;
            numbers.push(all.by_ref().take(max_doc).collect());
        }
        ensure!(
            bytes.len() as u64 == reader.max_doc() * 4,
            "{}: not the numbers of this index",
            folder.join(NUMBERS).display()
        );
        let opened = Quidditch {
            reader,
            numbers,
            cancelled: AtomicBool::new(false),
            memory: MemoryAccount::new(1 << 32),
            requests: Vec::new(),
            _shard: shard,
        };
        opened.check_deletes(spec.deletes)?;
        Ok(opened)
    }

    fn context(&self) -> SearchContext<'_> {
        SearchContext::new("game", 0, &self.cancelled, &self.memory)
    }

    /// An error unless exactly the documents that were to be deleted are dead.
    fn check_deletes(&self, percent: f64) -> Result<()> {
        for (segment, numbers) in self.reader.segments.iter().zip(&self.numbers) {
            for (doc, number) in numbers.iter().enumerate() {
                if segment.is_live(DocId(doc as u32)) == is_deleted(*number, percent) {
                    bail!("document {number} of the corpus is not as dead as it should be");
                }
            }
        }
        Ok(())
    }
}

fn clause(clause: &Clause) -> Query {
    match clause.terms.as_slice() {
        [term] => Query::Term(TermQuery::new("text", Value::Str(term.clone()))),
        terms => Query::MatchPhrase(MatchPhraseQuery::new("text", Value::Str(terms.join(" ")))),
    }
}

/// The typed query.
pub fn typed(game: &GameQuery) -> Query {
    if let [only] = game.clauses.as_slice() {
        return clause(only);
    }
    let those = |occur| {
        let clauses = game.clauses.iter().filter(|clause| clause.occur == occur);
        clauses.map(clause).collect()
    };
    Query::Bool(BoolQuery {
        must: those(Occur::Must),
        should: those(Occur::Should),
        must_not: those(Occur::MustNot),
        ..BoolQuery::default()
    })
}

impl Peer for Quidditch {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> String {
        env!("CARGO_PKG_VERSION").to_owned()
    }

    fn doc_count(&self) -> u64 {
        self.reader.doc_count()
    }

    fn segment_count(&self) -> usize {
        self.reader.segments.len()
    }

    fn prepare(&mut self, queries: &[GameQuery]) -> Result<()> {
        for game in queries {
            self.requests.push(Command::ALL.map(|command| {
                let mut request = SearchRequest::new(typed(game));
                request.size = command.size();
                request.track_total_hits = if command.counts() {
                    TrackTotalHits::All
                } else {
                    TrackTotalHits::No
                };
                request
            }));
        }
        Ok(())
    }

    fn run(&self, number: usize, command: Command) -> Result<u64> {
        let request = &self.requests[number][command as usize];
        if command == Command::Count {
            return Ok(count(&self.reader, &request.query, &self.context())?);
        }
        let result = query(&self.reader, request, &self.context())?;
        Ok(match result.total {
            Some(total) => total.value,
            None => result.hits.len() as u64,
        })
    }

    fn checked(&self) -> Option<&dyn Checked> {
        Some(self)
    }
}

impl Checked for Quidditch {
    fn order(&self) -> Vec<u32> {
        self.numbers.concat()
    }

    fn best(&self, number: usize, command: Command) -> Result<Vec<(u32, f32)>> {
        let request = &self.requests[number][command as usize];
        let result = query(&self.reader, request, &self.context())?;
        let hits = result.hits.iter().map(|hit| {
            let numbers = &self.numbers[hit.doc.segment as usize];
            (numbers[hit.doc.doc.0 as usize], hit.score)
        });
        Ok(hits.collect())
    }
}
