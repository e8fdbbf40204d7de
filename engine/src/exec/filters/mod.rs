//! Filters that are used again and again, kept segment by segment (Lucene's and OpenSearch's rules).
//!
//! A planned filter is kept once it was used several times among the filters that the shard's searches used last: costly
//! ones, which walk over many terms or numbers, sooner than others; single terms never, since their postings are as good.
//! Small segments are left out, for they will be merged away, and so is a filter that finds far more documents than the
//! search would have looked at: keeping it would make this one search slow.

mod key;
mod mark;

use std::sync::Arc;

use super::doc_set::DocSetScorer;
use super::node::{DocsNode, KeptFilter, Node};
use super::scorer::{NO_MORE, Scorer};
use super::segment_scorer::SegmentScope;
use crate::search::SearchError;
use crate::segment::{DocSet, DocSetBuilder, WINDOW_DOCS, Window};

pub(super) use self::mark::mark;

/// Documents that a segment must have.
const SEGMENT_DOCS_MIN: u64 = 10_000;
/// How many times more documents than the search would look at a filter may find.
const COST_MOST: u64 = 10;

/// What a filter is in one segment.
pub(super) enum Found {
    Nothing,
    /// All documents are known, dead ones included.
    Set(Arc<DocSet>),
    Scorer(Box<dyn Scorer>),
}

impl Found {
    fn of(set: Arc<DocSet>) -> Found {
        match set.len() {
            0 => Found::Nothing,
            _ => Found::Set(set),
        }
    }

    /// The scorer of what was found.
    pub fn into_scorer(self) -> Option<Box<dyn Scorer>> {
        match self {
            Found::Nothing => None,
            Found::Set(set) => Some(Box::new(DocSetScorer::new(set, 0.0))),
            Found::Scorer(scorer) => Some(scorer),
        }
    }
}

impl SegmentScope<'_> {
    /// A clause that decides without scoring; `lead`: about how many documents will be asked for at most.
    pub(super) fn filter(&self, node: &Node, lead: u64) -> Result<Found, SearchError> {
        if let Node::Constant {
            docs: DocsNode::Kept(filter),
            ..
        } = node
        {
            return self.kept(filter, lead);
        }
        let scorer = self.scorer(node, false)?;
        Ok(scorer.map_or(Found::Nothing, Found::Scorer))
    }

    /// A filter that is kept, or will be from now on if it is time.
    pub(super) fn kept(&self, filter: &KeptFilter, lead: u64) -> Result<Found, SearchError> {
        if self.is_worth_keeping() {
            let set = self.reader().kept_filter(&filter.key);
            self.shard.filters.asked(set.is_some());
            if let Some(set) = set {
                return Ok(Found::of(set));
            }
            if self.shard.filters.uses(&filter.key) >= filter.uses_min
                && let Some(set) = self.keep(filter, lead)?
            {
                return Ok(Found::of(set));
            }
        }
        self.filter(&filter.node, lead)
    }

    /// Whether the segment is so large, and not far smaller than the others, that it may last.
    fn is_worth_keeping(&self) -> bool {
        let docs = u64::from(self.reader().max_doc());
        let segments = self.shard.segments.len() as u64;
        docs >= SEGMENT_DOCS_MIN && docs * 2 * segments > self.shard.max_doc()
    }

    /// Works a filter out for the whole segment; `None` where that would take too long.
    fn keep(&self, filter: &KeptFilter, lead: u64) -> Result<Option<Arc<DocSet>>, SearchError> {
        let mut set = DocSetBuilder::new(self.reader().max_doc());
        if let Some(mut scorer) = self.scorer(&filter.node, false)?
            && (scorer.cost() / COST_MOST > lead || !self.fill(scorer.as_mut(), &mut set)?)
        {
            return Ok(None);
        }
        let set = Arc::new(set.build());
        let shard = self.shard.filters.clone();
        self.reader().keep_filter(&filter.key, set.clone(), shard);
        Ok(Some(set))
    }

    /// Adds all that a scorer finds; `false` if time ran out before.
    fn fill(&self, scorer: &mut dyn Scorer, set: &mut DocSetBuilder) -> Result<bool, SearchError> {
        let mut hits = super::Hits::new();
        let mut at = scorer.seek(0)?;
        while at != NO_MORE {
            self.context.check_cancelled()?;
            if self.context.timed_out() {
                return Ok(false);
            }
            let base = Window::base_of(at);
            scorer.fill(base, None, f32::NEG_INFINITY, &mut hits)?;
            set.add_window(base, &hits.docs);
            let Some(next) = base.checked_add(WINDOW_DOCS) else {
                break;
            };
            at = scorer.seek(next)?;
        }
        Ok(true)
    }
}
