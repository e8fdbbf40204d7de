//! The few primitives that every query comes down to once the schema and the shard are known.

use std::ops::Bound;
use std::sync::{Arc, OnceLock};

use super::automaton::TermAutomaton;
use super::bm25::{Bm25, FieldStatistics};
use super::functions::FunctionNode;
use super::statistics::ShardField;
use crate::geo::GeoArea;
use crate::query::{PlaceRule, RangeRelation};
use crate::segment::{FilterKey, TermInfo};

/// A planned query. Boosts are multiplied into the leaves.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    /// No document.
    Nothing,
    /// Every document.
    All {
        /// The score of each.
        boost: f32,
    },
    /// One term, scored by frequency.
    Term(TermNode),
    /// Several terms scored as if they were one.
    Synonyms(SynonymsNode),
    /// Terms at certain distances.
    Phrase(PhraseNode),
    /// Documents that all score the same.
    Constant {
        /// Which.
        docs: DocsNode,
        /// The score of each.
        boost: f32,
    },
    /// Clauses combined.
    Bool(BoolNode),
    /// The best clause, and a part of the others.
    BestOf {
        /// The clauses.
        nodes: Vec<Node>,
        /// Part of the others that counts.
        tie_breaker: f32,
    },
    /// Documents of one, lowered where they also match another.
    Lowered {
        /// Finds and scores.
        positive: Box<Node>,
        /// Lowers.
        negative: Box<Node>,
        /// Factor where `negative` matches.
        factor: f32,
        /// Factor of every score.
        boost: f32,
    },
    /// A term in several fields that count as one.
    Combined(CombinedNode),
    /// At least so many clauses as a column says, scores added up.
    EnoughOf {
        /// The clauses.
        nodes: Vec<Node>,
        /// Path of the numeric field with the number.
        needed: Arc<str>,
    },
    /// Scores changed by functions.
    Functions(Box<FunctionNode>),
}

/// One term of one field, looked up in all segments.
#[derive(Clone, Debug)]
pub(crate) struct TermNode {
    /// The field.
    pub field: Arc<ShardField>,
    /// The term.
    pub term: Vec<u8>,
    /// Factor of the score.
    pub boost: f32,
    /// By segment of the reader.
    pub infos: Vec<Option<TermInfo>>,
    /// Documents with it in the shard; for blended terms, that of the most frequent one.
    pub doc_freq: u64,
    /// Statistics of the field.
    pub statistics: Arc<FieldStatistics>,
    /// How it scores, the same in all segments: worked out when the first one asks.
    pub bm25: OnceLock<Bm25>,
}

/// Terms of one field scored as one: frequencies are added up, the highest document frequency counts.
#[derive(Clone, Debug)]
pub(crate) struct SynonymsNode {
    /// The terms; at least one.
    pub terms: Vec<TermNode>,
    /// Factor of the score.
    pub boost: f32,
}

/// A term, or synonyms, in several fields that count as one.
#[derive(Clone, Debug)]
pub(crate) struct CombinedNode {
    /// The term in each field that has it, with the field's weight; at least one.
    pub terms: Vec<(TermNode, f32)>,
    /// All the fields with their weights.
    pub fields: Vec<(Arc<str>, f32)>,
    /// Factor of the score.
    pub boost: f32,
    /// Statistics of the fields taken as one.
    pub statistics: Arc<FieldStatistics>,
}

/// Terms at distances.
#[derive(Clone, Debug)]
pub(crate) struct PhraseNode {
    /// The field.
    pub field: Arc<ShardField>,
    /// In order: distance from the first, and the terms of which one must be there.
    pub slots: Vec<PhraseSlot>,
    /// Moves allowed.
    pub slop: u32,
    /// Factor of the score.
    pub boost: f32,
    /// Inverse document frequency of all terms together.
    pub idf: f32,
    /// Statistics of the field.
    pub statistics: Arc<FieldStatistics>,
}

/// One place of a phrase.
#[derive(Clone, Debug)]
pub(crate) struct PhraseSlot {
    /// Place in the phrase, from 0.
    pub position: u32,
    /// Alternatives.
    pub terms: Vec<TermNode>,
}

/// Clauses combined.
#[derive(Clone, Debug, Default)]
pub(crate) struct BoolNode {
    /// Needed, scored.
    pub must: Vec<Node>,
    /// Needed.
    pub filter: Vec<Node>,
    /// Scored.
    pub should: Vec<Node>,
    /// Excluded.
    pub must_not: Vec<Node>,
    /// How many of `should` are needed.
    pub needed: usize,
}

/// A set of documents described without scores.
#[derive(Clone, Debug)]
pub(crate) enum DocsNode {
    /// With one of these terms (ascending, no duplicates).
    Terms {
        /// Path of the field.
        field: Arc<str>,
        /// The terms.
        terms: Arc<[Vec<u8>]>,
        /// Whether to look in the inverted index; else in the column.
        indexed: bool,
    },
    /// With a term between two.
    TermRange {
        /// Path of the field.
        field: Arc<str>,
        /// Lower end.
        lower: Bound<Vec<u8>>,
        /// Upper end.
        upper: Bound<Vec<u8>>,
        /// Whether to look in the inverted index; else in the column.
        indexed: bool,
    },
    /// With a term that an automaton accepts.
    Accepted {
        /// Path of the field.
        field: Arc<str>,
        /// Accepts.
        automaton: TermAutomaton,
        /// Whether to look in the inverted index; else in the column.
        indexed: bool,
    },
    /// With a number between two, both ends included.
    Numbers {
        /// Path of the field.
        field: Arc<str>,
        /// Smallest.
        lo: i64,
        /// Greatest.
        hi: i64,
    },
    /// With one of these numbers (ascending, no duplicates).
    NumberSet {
        /// Path of the field.
        field: Arc<str>,
        /// The numbers.
        numbers: Arc<[i64]>,
    },
    /// With ranges that lie in some way to another one.
    Ranges {
        /// Path of the field.
        field: Arc<str>,
        /// Lower end, as in the field's terms.
        low: Vec<u8>,
        /// Upper end, of the same length.
        high: Vec<u8>,
        /// In which way.
        relation: RangeRelation,
        /// Whether to look in the inverted index; else in the column.
        indexed: bool,
    },
    /// With places in an area.
    Places {
        /// Path of the field.
        field: Arc<str>,
        /// The area.
        area: GeoArea,
        /// Which of a document's places must be in it.
        rule: PlaceRule,
    },
    /// With a value in the field.
    Exists {
        /// Path of the field.
        field: Arc<str>,
    },
    /// With one of these names.
    Ids(Arc<[String]>),
    /// What a planned query finds.
    Matches(Box<Node>),
    /// The same; worth keeping once it is used often.
    Kept(Box<KeptFilter>),
}

/// A filter that the filter cache may keep.
#[derive(Clone, Debug)]
pub(crate) struct KeptFilter {
    /// Tells it from all others.
    pub key: FilterKey,
    /// How often it must have been used lately.
    pub uses_min: u32,
    /// The filter; its scores have no meaning.
    pub node: Node,
}

impl Node {
    /// A set of documents that all score `boost`.
    pub fn constant(docs: DocsNode, boost: f32) -> Node {
        Node::Constant { docs, boost }
    }

    /// Whether it is known to find nothing.
    pub fn is_nothing(&self) -> bool {
        matches!(self, Node::Nothing)
    }
}
