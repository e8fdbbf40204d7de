//! tantivy, set up as the public game does it: one writer thread, whitespace tokens with positions and norms, `TopDocs`
//! and `Count`. Ids are indexed too, as ours are: without that a document can be neither replaced nor deleted.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use tantivy::collector::{Count, TopDocs};
use tantivy::indexer::NoMergePolicy;
use tantivy::query::{BooleanQuery, Occur as TantivyOccur, PhraseQuery, Query, TermQuery};
use tantivy::schema::{
    Field, IndexRecordOption, STORED, STRING, Schema, TextFieldIndexing, TextOptions,
};
use tantivy::{Index, IndexWriter, ReloadPolicy, Searcher, TantivyDocument, Term};

use super::build::{BUFFER_BYTES, BuildReport, IndexSpec};
use super::corpus::{Documents, is_deleted};
use super::peer::Peer;
use super::queries::{Clause, Command, GameQuery, Occur};
use super::usage::{Stopwatch, memory_mb, reset_peak};

/// As in tables and on the command line.
pub const NAME: &str = "tantivy";
/// The release in `Cargo.toml`.
pub const VERSION: &str = "0.27.0";
/// Its least budget, for a writer that only deletes.
const SMALL_BUFFER_BYTES: usize = 64 << 20;

/// Indexes the corpus into a folder, with one writer thread.
pub fn build(spec: &IndexSpec, folder: &Path) -> Result<BuildReport> {
    let documents = Documents::load(&spec.corpus, spec.docs)?;
    let mut schema = Schema::builder();
    let id = schema.add_text_field("id", STRING | STORED);
    let indexing = TextFieldIndexing::default()
        .set_tokenizer("whitespace")
        .set_index_option(IndexRecordOption::WithFreqsAndPositions);
    let text = schema.add_text_field(
        "text",
        TextOptions::default().set_indexing_options(indexing),
    );
    fs::create_dir_all(folder)?;
    let index = Index::create_in_dir(folder, schema.build())?;
    let before_mb = memory_mb("VmRSS")?;
    reset_peak();
    let watch = Stopwatch::start();
    let mut writer: IndexWriter = index.writer_with_num_threads(1, BUFFER_BYTES)?;
    writer.set_merge_policy(Box::new(NoMergePolicy));
    for part in documents.parts(spec.segments) {
        for number in part {
            let (name, body) = documents.get(number);
            let mut document = TantivyDocument::new();
            document.add_text(id, name);
            document.add_text(text, body);
            writer.add_document(document)?;
        }
        writer.commit()?;
    }
    let made = index.searchable_segment_ids()?;
    if spec.segments == 1 && made.len() > 1 {
        writer.merge(&made).wait()?;
    }
    let (seconds, cpu_seconds) = watch.seconds();
    let peak_rss_mb = memory_mb("VmHWM")? - before_mb;
    writer.garbage_collect_files().wait()?;
    writer.wait_merging_threads()?;
    let (index_bytes, bytes_by_section) = sizes(folder)?;
    let mut writer: IndexWriter = index.writer_with_num_threads(1, SMALL_BUFFER_BYTES)?;
    writer.set_merge_policy(Box::new(NoMergePolicy));
    for number in (0..documents.len()).filter(|n| is_deleted(*n as u32, spec.deletes)) {
        writer.delete_term(Term::from_field_text(id, documents.get(number).0));
    }
    writer.commit()?;
    writer.wait_merging_threads()?;
    let segments = index.searchable_segment_ids()?.len();
    ensure!(
        segments == spec.segments,
        "{segments} segments came out, {} were asked for: give the corpus fewer bytes a segment",
        spec.segments
    );
    Ok(BuildReport {
        docs: index.reader()?.searcher().num_docs(),
        seconds,
        cpu_seconds,
        mb_per_s: documents.text_bytes as f64 / 1e6 / seconds,
        peak_rss_mb,
        index_bytes,
        bytes_by_section,
    })
}

/// Bytes of the index, and by ending of the file name.
fn sizes(folder: &Path) -> Result<(u64, BTreeMap<String, u64>)> {
    let (mut total, mut by_ending) = (0, BTreeMap::<String, u64>::new());
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let ending = path.extension().and_then(|ending| ending.to_str());
        if let Some(ending) = ending.filter(|ending| *ending != "lock") {
            let bytes = entry.metadata()?.len();
            total += bytes;
            *by_ending.entry(ending.to_owned()).or_default() += bytes;
        }
    }
    Ok((total, by_ending))
}

/// tantivy over a finished index.
pub struct Tantivy {
    searcher: Searcher,
    text: Field,
    queries: Vec<Box<dyn Query>>,
}

impl Tantivy {
    /// Opens an index that [`build`] made.
    pub fn open(folder: &Path) -> Result<Tantivy> {
        let index = Index::open_in_dir(folder)?;
        let reader = index
            .reader_builder()
            .reload_policy(ReloadPolicy::Manual)
            .try_into()
            .context("a reader")?;
        let text = index.schema().get_field("text")?;
        Ok(Tantivy {
            searcher: tantivy::IndexReader::searcher(&reader),
            text,
            queries: Vec::new(),
        })
    }

    fn clause(&self, clause: &Clause) -> Box<dyn Query> {
        let term = |text: &String| Term::from_field_text(self.text, text);
        match clause.terms.as_slice() {
            [only] => Box::new(TermQuery::new(term(only), IndexRecordOption::WithFreqs)),
            terms => Box::new(PhraseQuery::new(terms.iter().map(term).collect())),
        }
    }

    fn typed(&self, game: &GameQuery) -> Box<dyn Query> {
        if let [only] = game.clauses.as_slice() {
            return self.clause(only);
        }
        let clauses = game.clauses.iter().map(|clause| {
            let occur = match clause.occur {
                Occur::Must => TantivyOccur::Must,
                Occur::Should => TantivyOccur::Should,
                Occur::MustNot => TantivyOccur::MustNot,
            };
            (occur, self.clause(clause))
        });
        Box::new(BooleanQuery::new(clauses.collect()))
    }
}

impl Peer for Tantivy {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> String {
        VERSION.to_owned()
    }

    fn doc_count(&self) -> u64 {
        self.searcher.num_docs()
    }

    fn segment_count(&self) -> usize {
        self.searcher.segment_readers().len()
    }

    fn prepare(&mut self, queries: &[GameQuery]) -> Result<()> {
        for game in queries {
            self.queries.push(self.typed(game));
        }
        Ok(())
    }

    fn run(&self, number: usize, command: Command) -> Result<u64> {
        let query = &self.queries[number];
        Ok(match command {
            Command::Count => query.count(&self.searcher)? as u64,
            Command::Top100Count => {
                let collectors = (TopDocs::with_limit(100).order_by_score(), Count);
                self.searcher.search(query.as_ref(), &collectors)?.1 as u64
            }
            _ => {
                let collector = TopDocs::with_limit(command.size()).order_by_score();
                self.searcher.search(query.as_ref(), &collector)?.len() as u64
            }
        })
    }
}
