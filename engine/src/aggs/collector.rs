//! Collecting on a shard: batches of documents with the bucket each belongs to go down the tree of aggregations.

use super::partial::{AggPartials, Partial};
use super::request::{AggKind, AggRequest};
use crate::query::Query;
use crate::search::{
    SearchContext, SearchError, SearchRequest, ShardSlice, WindowCollector, matching_docs,
};
use crate::segment::{WINDOW_DOCS, Window};
use crate::shard::{SegmentSnapshot, ShardReader};

/// What collectors are made with.
#[derive(Clone, Copy)]
pub(crate) struct AggContext<'a> {
    pub reader: &'a ShardReader,
    pub search: &'a SearchContext<'a>,
    /// Whether the aggregation stands on the first level.
    pub top_level: bool,
}

impl<'a> AggContext<'a> {
    /// The same for sub-aggregations.
    pub fn below(&self) -> AggContext<'a> {
        AggContext {
            top_level: false,
            ..*self
        }
    }
}

/// Documents of one window.
#[derive(Clone, Copy)]
pub(crate) struct Docs<'b> {
    /// Ascending. A document may come several times in a row.
    pub list: &'b [u32],
    /// The same, where each comes once and somebody has them as bits.
    pub bits: Option<&'b Window>,
}

impl<'b> Docs<'b> {
    /// Documents that nobody has as bits.
    pub fn listed(list: &'b [u32]) -> Docs<'b> {
        Docs { list, bits: None }
    }
}

/// Documents of one window and the buckets of the parent they fall into. A document may come several times in a row,
/// in different buckets.
pub(crate) struct Batch<'b> {
    /// Inside one window.
    pub docs: Docs<'b>,
    /// Of the same documents; empty unless somebody needs them.
    pub scores: &'b [f32],
    /// The bucket of each; empty: all are in bucket 0.
    pub owners: &'b [u32],
}

impl Batch<'_> {
    /// The bucket of the `row`-th document.
    #[inline]
    pub fn owner(&self, row: usize) -> u32 {
        if self.owners.is_empty() {
            0
        } else {
            self.owners[row]
        }
    }

    /// The score of the `row`-th document; 0 when nobody asked for scores.
    #[inline]
    pub fn score(&self, row: usize) -> f32 {
        self.scores.get(row).copied().unwrap_or(0.0)
    }

    /// The bucket that all documents are in, if they are in one.
    pub fn one_owner(&self) -> Option<u32> {
        let Some(&first) = self.owners.first() else {
            return Some(0);
        };
        // in blocks, so that vectors do it
        let mut blocks = self.owners.chunks(64);
        let same = blocks.all(|block| block.iter().fold(0, |d, owner| d | (owner ^ first)) == 0);
        same.then_some(first)
    }

    /// How many buckets the documents may fall into: one more than the largest.
    pub fn owner_count(&self) -> usize {
        let last = self.owners.iter().copied().max();
        last.map_or(1, |owner| owner as usize + 1)
    }
}

/// Collects one aggregation for all buckets of its parent at once.
pub(crate) trait Aggregator {
    /// Whether it wants scores.
    fn needs_scores(&self) -> bool {
        false
    }

    /// The next documents are of this segment.
    fn begin_segment(&mut self, ord: u32, segment: &SegmentSnapshot) -> Result<(), SearchError>;

    /// Takes all documents of the segment begun last, none of which is dead, into bucket 0, from what is known of
    /// them together; `false`: it takes batches.
    fn collect_segment(&mut self) -> Result<bool, SearchError> {
        Ok(false)
    }

    /// Takes documents.
    fn collect(&mut self, batch: &Batch<'_>) -> Result<(), SearchError>;

    /// What is known of one of the parent's buckets; asked at most once for each, after the last document.
    fn take(&mut self, owner: u32) -> Result<Partial, SearchError>;
}

/// The sub-aggregations of a bucket aggregation, and the batch that is being filled for them.
///
/// What goes on for long goes through here, so this is where the deadline and the wish to stop are looked at: past the
/// deadline documents are dropped, and the answer is made of what was collected until then.
pub(crate) struct Children<'a> {
    list: Vec<Option<Box<dyn Aggregator + 'a>>>,
    /// Which of them have taken the whole segment.
    has_all: Vec<bool>,
    needs_scores: bool,
    docs: Vec<u32>,
    scores: Vec<f32>,
    owners: Vec<u32>,
    search: &'a SearchContext<'a>,
    /// The batch that is being filled.
    held: Held<'a>,
    /// The partials given away.
    given: Held<'a>,
    given_bytes: usize,
}

/// Rows that are handed out at once: between two batches the deadline is looked at.
const BATCH_ROWS: usize = 4 * WINDOW_DOCS as usize;
/// About what a bucket of a partial holds besides its sub-aggregations: key, counts, list.
const BUCKET_BYTES: usize = 128;

impl<'a> Children<'a> {
    pub fn new(aggs: &'a [AggRequest], ctx: &AggContext<'a>) -> Result<Children<'a>, SearchError> {
        let below = ctx.below();
        let mut list = Vec::with_capacity(aggs.len());
        for agg in aggs {
            list.push(match agg.kind.aggregation() {
                Some(aggregation) => Some(aggregation.aggregator(agg, &below)?),
                None => None,
            });
        }
        Ok(Children::of(list, ctx.search))
    }

    fn of(
        list: Vec<Option<Box<dyn Aggregator + 'a>>>,
        search: &'a SearchContext<'a>,
    ) -> Children<'a> {
        Children {
            needs_scores: list.iter().flatten().any(|child| child.needs_scores()),
            has_all: vec![false; list.len()],
            list,
            docs: Vec::new(),
            scores: Vec::new(),
            owners: Vec::new(),
            search,
            held: Held::new(search),
            given: Held::new(search),
            given_bytes: 0,
        }
    }

    /// Whether there is nobody to hand documents to.
    pub fn is_empty(&self) -> bool {
        self.list.iter().all(Option::is_none)
    }

    pub fn needs_scores(&self) -> bool {
        self.needs_scores
    }

    pub fn begin_segment(
        &mut self,
        ord: u32,
        segment: &SegmentSnapshot,
    ) -> Result<(), SearchError> {
        self.has_all.fill(false);
        for child in self.list.iter_mut().flatten() {
            child.begin_segment(ord, segment)?;
        }
        Ok(())
    }

    /// Lets those who can take the whole segment; these get no batches of it. Whether all can.
    pub fn collect_segment(&mut self) -> Result<bool, SearchError> {
        self.search.check_cancelled()?;
        if self.search.timed_out() {
            return Ok(false);
        }
        for (child, has_all) in self.list.iter_mut().zip(&mut self.has_all) {
            *has_all = match child {
                Some(child) => child.collect_segment()?,
                None => true,
            };
        }
        Ok(self.has_all.iter().all(|has_all| *has_all))
    }

    /// Adds the `row`-th document of a batch to one of the own buckets.
    #[inline]
    pub fn push(&mut self, batch: &Batch<'_>, row: usize, bucket: u32) {
        self.docs.push(batch.docs.list[row]);
        self.owners.push(bucket);
        if self.needs_scores {
            self.scores.push(batch.score(row));
        }
    }

    /// Adds a document to one of the own buckets; for those who need no scores.
    #[inline]
    pub fn push_doc(&mut self, doc: u32, bucket: u32) {
        self.docs.push(doc);
        self.owners.push(bucket);
    }

    /// Hands out what was pushed.
    pub fn flush(&mut self) -> Result<(), SearchError> {
        let row_bytes = 2 * size_of::<u32>() + size_of::<f32>();
        self.held.set(self.docs.capacity() * row_bytes)?;
        let mut from = 0;
        while from < self.docs.len() {
            let to = self.docs.len().min(from + BATCH_ROWS);
            let batch = Batch {
                docs: Docs::listed(&self.docs[from..to]),
                scores: self.scores.get(from..to).unwrap_or_default(),
                owners: &self.owners[from..to],
            };
            hand_out(&mut self.list, &self.has_all, self.search, &batch)?;
            from = to;
        }
        self.docs.clear();
        self.scores.clear();
        self.owners.clear();
        Ok(())
    }

    /// Hands the documents of a batch on, the `row`-th in the bucket `owners[row]`.
    pub fn pass_in(&mut self, batch: &Batch<'_>, owners: &[u32]) -> Result<(), SearchError> {
        self.pass(&Batch {
            docs: batch.docs,
            scores: batch.scores,
            owners,
        })
    }

    /// Hands a batch through, unchanged.
    pub fn pass(&mut self, batch: &Batch<'_>) -> Result<(), SearchError> {
        hand_out(&mut self.list, &self.has_all, self.search, batch)
    }

    /// What the sub-aggregations know of one of the own buckets.
    pub fn take(&mut self, bucket: u32) -> Result<Vec<Partial>, SearchError> {
        self.search.check_cancelled()?;
        self.given_bytes += BUCKET_BYTES + self.list.len() * size_of::<Partial>();
        self.given.set(self.given_bytes)?;
        let mut partials = Vec::with_capacity(self.list.len());
        for child in &mut self.list {
            partials.push(match child {
                Some(child) => child.take(bucket)?,
                None => Partial::Pipeline,
            });
        }
        Ok(partials)
    }
}

/// Gives a batch to all, unless the search is over.
fn hand_out<'a>(
    list: &mut [Option<Box<dyn Aggregator + 'a>>],
    has_all: &[bool],
    search: &SearchContext<'_>,
    batch: &Batch<'_>,
) -> Result<(), SearchError> {
    search.check_cancelled()?;
    if search.timed_out() {
        return Ok(());
    }
    for (child, _) in list
        .iter_mut()
        .zip(has_all)
        .filter(|(_, has_all)| !**has_all)
    {
        if let Some(child) = child {
            child.collect(batch)?;
        }
    }
    Ok(())
}

/// Bytes held, reported to the request's account as they grow.
pub(crate) struct Held<'a> {
    search: &'a SearchContext<'a>,
    bytes: u64,
}

impl<'a> Held<'a> {
    pub fn new(search: &'a SearchContext<'a>) -> Held<'a> {
        Held { search, bytes: 0 }
    }

    /// Says how much is held now; pays for what is more than before. The request's account gives all back at its end.
    pub fn set(&mut self, bytes: usize) -> Result<(), SearchError> {
        let bytes = bytes as u64;
        // in steps, so that most calls cost a comparison
        if bytes > self.bytes {
            let wanted = (bytes - self.bytes).max(4096);
            self.search.memory.take(wanted, "<agg>")?;
            self.bytes += wanted;
        }
        Ok(())
    }
}

/// Collects all aggregations of a request on one shard.
pub struct AggCollector<'a> {
    reader: &'a ShardReader,
    search: &'a SearchContext<'a>,
    aggs: &'a [AggRequest],
    /// What `global` may see.
    visible: Option<&'a Query>,
    slice: ShardSlice,
    /// All but the `global` ones, whose place is empty.
    queried: Children<'a>,
    /// The `global` ones.
    global: Children<'a>,
}

/// Makes the collector of a request; refuses fields of the wrong type.
pub fn collector<'a>(
    request: &'a SearchRequest,
    reader: &'a ShardReader,
    search: &'a SearchContext<'a>,
) -> Result<AggCollector<'a>, SearchError> {
    let aggs = &request.aggs;
    let ctx = AggContext {
        reader,
        search,
        top_level: true,
    };
    let (mut queried, mut global) = (Vec::new(), Vec::new());
    for agg in aggs {
        let made = match agg.kind.aggregation() {
            Some(aggregation) => Some(aggregation.aggregator(agg, &ctx)?),
            None => None,
        };
        if matches!(agg.kind, AggKind::Global(_)) {
            queried.push(None);
            global.push(made);
        } else {
            queried.push(made);
            global.push(None);
        }
    }
    Ok(AggCollector {
        reader,
        search,
        aggs,
        visible: request.visible.as_ref(),
        slice: ShardSlice::new(request.slice.as_ref(), reader, search)?,
        queried: Children::of(queried, search),
        global: Children::of(global, search),
    })
}

impl AggCollector<'_> {
    /// Feeds the `global` aggregations and gives all partials.
    pub fn into_partials(mut self) -> Result<AggPartials, SearchError> {
        self.collect_everything()?;
        let queried = self.queried.take(0)?;
        let global = self.global.take(0)?;
        let mut partials = Vec::with_capacity(self.aggs.len());
        for (agg, (queried, global)) in self.aggs.iter().zip(queried.into_iter().zip(global)) {
            partials.push(if matches!(agg.kind, AggKind::Global(_)) {
                global
            } else {
                queried
            });
        }
        Ok(AggPartials(partials))
    }

    /// All live documents that the request may see, whatever the query: what `global` looks at.
    fn collect_everything(&mut self) -> Result<(), SearchError> {
        if self.global.is_empty() {
            return Ok(());
        }
        for (ord, segment) in self.reader.segments.iter().enumerate() {
            let ord = ord as u32;
            self.global.begin_segment(ord, segment)?;
            let mut seen = self.slice.documents(&segment.reader, self.search)?;
            if let Some(visible) = self.visible {
                let visible = matching_docs(self.reader, ord, visible, self.search)?;
                seen = Some(match seen {
                    Some(slice) => slice & visible,
                    None => visible,
                });
            }
            let max_doc = segment.reader.max_doc();
            let mut docs = Vec::with_capacity(WINDOW_DOCS as usize);
            let mut base = 0;
            while base < max_doc {
                self.search.check_cancelled()?;
                if self.search.timed_out() {
                    return Ok(());
                }
                live_docs_of_window(segment, base, &mut docs);
                if let Some(seen) = &seen {
                    docs.retain(|doc| seen.contains(*doc));
                }
                if !docs.is_empty() {
                    let scores = if self.global.needs_scores() {
                        vec![1.0; docs.len()]
                    } else {
                        Vec::new()
                    };
                    self.global.pass(&Batch {
                        docs: Docs::listed(&docs),
                        scores: &scores,
                        owners: &[],
                    })?;
                }
                base = base.saturating_add(WINDOW_DOCS);
            }
        }
        Ok(())
    }
}

/// Overwrites `docs` with the live documents of the window at `base`.
pub(crate) fn live_docs_of_window(segment: &SegmentSnapshot, base: u32, docs: &mut Vec<u32>) {
    docs.clear();
    let end = segment
        .reader
        .max_doc()
        .min(base.saturating_add(WINDOW_DOCS));
    let mut window = Window::empty();
    window.set_range(0, end.saturating_sub(base));
    if let Some(live) = &segment.live {
        live.mask_window(crate::ids::DocId(base), &mut window);
    }
    for (i, &word) in window.words.iter().enumerate() {
        let mut word = word;
        while word != 0 {
            docs.push(base + i as u32 * 64 + word.trailing_zeros());
            word &= word - 1;
        }
    }
}

impl WindowCollector for AggCollector<'_> {
    fn needs_scores(&self) -> bool {
        self.queried.needs_scores()
    }

    fn begin_segment(&mut self, ord: u32, segment: &SegmentSnapshot) -> Result<(), SearchError> {
        self.queried.begin_segment(ord, segment)
    }

    fn collect_segment(&mut self) -> Result<bool, SearchError> {
        self.queried.collect_segment()
    }

    fn collect(&mut self, docs: &[u32], bits: &Window, scores: &[f32]) -> Result<(), SearchError> {
        self.queried.pass(&Batch {
            docs: Docs {
                list: docs,
                bits: Some(bits),
            },
            scores,
            owners: &[],
        })
    }
}
