//! Terms and postings of one field, merged term by term.

use super::moved::Moved;
use super::positions::Positions;
use super::term_merge::{TermInput, TermMerge};
use super::{DROPPED, DocSet, Merge};
use crate::document::{ColumnKind, FieldSpec, IndexOptions};
use crate::format::bytes::hash64;
use crate::format::envelope::EnvelopeWriter;
use crate::format::v1::terms::TermsWriter;
use crate::format::v2::postings::PostingsEncoder;
use crate::segment::{ID_FIELD, MergeError, PostingsNeed, ReadError, ShortList};

/// Documents in a new order that are encoded at once.
const AT_ONCE: usize = 4096;
/// Terms between two looks at whether the merge was cancelled.
const TERMS_PER_LOOK: u64 = 1024;

/// The field at hand.
pub(super) struct Field<'a> {
    pub number: u32,
    pub path: &'a str,
    pub spec: FieldSpec,
    /// Norms by new document; empty where there are none.
    pub norms: &'a [u8],
    /// Whether the norms tell which documents have the field.
    pub norms_tell: bool,
}

/// What the other parts of the field need to know.
#[derive(Debug, Default)]
pub(super) struct MergedTerms {
    pub sum_total_term_freq: u64,
    pub sum_doc_freq: u64,
    /// For each input, the new rank of each of its terms, `u32::MAX` for those gone; empty where nobody asks.
    pub ords: Vec<Vec<u32>>,
}

impl Merge<'_> {
    /// Writes postings and dictionary of a field, if any input has terms of it.
    pub(super) fn merge_terms(
        &self,
        field: &Field<'_>,
        docs: &mut DocSet,
        id_hashes: &mut Vec<u64>,
        out: &mut EnvelopeWriter<'_>,
    ) -> Result<MergedTerms, MergeError> {
        let mut merged = MergedTerms::default();
        let Some(mut terms) = self.term_merge(field.path, field.spec.index)? else {
            return Ok(merged);
        };
        if field.spec.column == ColumnKind::Ordinals {
            merged.ords.resize(self.inputs.len(), Vec::new());
            for input in &terms.inputs {
                merged.ords[input.number].resize(input.terms.len() as usize, DROPPED);
            }
        }
        let freqs_kept = field.spec.index >= IndexOptions::DocsFreqs;
        let positions_kept = field.spec.index >= IndexOptions::Positions;
        let mut writer = TermsWriter::begin(out, field.number, freqs_kept, positions_kept);
        let mut postings = PostingsMerge::new(self, field, docs);
        while terms.next()? {
            if writer.term_count().is_multiple_of(TERMS_PER_LOOK) {
                self.check_cancel()?;
            }
            let ord = writer.term_count();
            if field.spec.index == IndexOptions::None {
                if !terms.is_used() {
                    continue;
                }
                writer.add_bare(terms.term())?;
            } else {
                let Some(last_doc) = postings.term(&terms)? else {
                    continue;
                };
                let encoder = &mut postings.encoder;
                merged.sum_total_term_freq += encoder.total_term_freq;
                writer.add(out, terms.term(), last_doc, encoder)?;
                if field.path == ID_FIELD {
                    id_hashes.push(hash64(terms.term()));
                }
            }
            if !merged.ords.is_empty() {
                let new = u32::try_from(ord)
                    .map_err(|_| MergeError::TooLarge("more than 2^32 terms".to_owned()))?;
                for input in terms.having() {
                    let old = input.info().map_or(usize::MAX, |info| info.ord as usize);
                    if let Some(slot) = merged.ords[input.number].get_mut(old) {
                        *slot = new;
                    }
                }
            }
        }
        merged.sum_doc_freq = writer.sum_doc_freq();
        writer.finish(out)?;
        Ok(merged)
    }
}

/// Encodes the live postings of one term after the other.
struct PostingsMerge<'a> {
    merge: &'a Merge<'a>,
    field: &'a Field<'a>,
    /// Documents that have the field.
    docs_seen: &'a mut DocSet,
    positions_kept: bool,
    encoder: PostingsEncoder,
    positions: Positions,
    /// Taken out while it is read from.
    short: Option<Box<ShortList>>,
    moved: Moved,
    /// A part of a list as it is read.
    part: Vec<u32>,
    part_freqs: Vec<u32>,
    /// Live documents, by their new ids, with freqs and norms.
    docs: Vec<u32>,
    freqs: Vec<u32>,
    norms: Vec<u8>,
    /// Of these, where not all of the input's stay.
    firsts: Vec<u32>,
    gaps: Vec<u32>,
    last_doc: Option<u32>,
}

impl<'a> PostingsMerge<'a> {
    fn new(merge: &'a Merge<'a>, field: &'a Field<'a>, docs_seen: &'a mut DocSet) -> Self {
        let freqs_kept = field.spec.index >= IndexOptions::DocsFreqs;
        let positions_kept = field.spec.index >= IndexOptions::Positions;
        PostingsMerge {
            merge,
            field,
            docs_seen,
            positions_kept,
            encoder: PostingsEncoder::new(freqs_kept, positions_kept, merge.max_doc),
            positions: Positions::default(),
            short: None,
            moved: Moved::default(),
            part: Vec::new(),
            part_freqs: Vec::new(),
            docs: Vec::new(),
            freqs: Vec::new(),
            norms: Vec::new(),
            firsts: Vec::new(),
            gaps: Vec::new(),
            last_doc: None,
        }
    }

    /// Encodes the term at hand; answers its last document, `None` when nobody alive has it.
    fn term(&mut self, terms: &TermMerge) -> Result<Option<u32>, MergeError> {
        let doc_freqs = terms
            .having()
            .filter_map(|input| Some(input.info()?.doc_freq));
        let expected = doc_freqs.fold(0, u32::saturating_add);
        self.encoder.start(expected.min(self.merge.max_doc));
        self.moved.clear();
        self.last_doc = None;
        for input in terms.having() {
            self.input(input)?;
        }
        if self.merge.reordered {
            self.moved.sort(self.merge.max_doc);
            let moved = std::mem::take(&mut self.moved);
            let mut postings = moved.iter().peekable();
            while postings.peek().is_some() {
                self.docs.clear();
                self.freqs.clear();
                for (doc, freq, positions) in postings.by_ref().take(AT_ONCE) {
                    self.docs.push(doc);
                    self.freqs.push(freq);
                    let (firsts, gaps) = positions.split_at(positions.len().min(1));
                    self.encoder.add_positions(firsts, gaps);
                }
                self.encode();
            }
            drop(postings);
            self.moved = moved;
        }
        Ok(self.last_doc)
    }

    fn input(&mut self, input: &TermInput) -> Result<(), ReadError> {
        let Some(info) = input.info() else {
            return Ok(());
        };
        if self.positions_kept {
            self.positions.open(&input.terms, info)?;
        }
        let mut short = self.short.take();
        let list = short.get_or_insert_with(|| Box::new(ShortList::new()));
        if input.terms.read_short(info, list)? {
            self.part(input, list.docs(), list.freqs())?;
        } else {
            let mut cursor = input.terms.postings(info, PostingsNeed::Freqs)?;
            let mut docs = std::mem::take(&mut self.part);
            let mut freqs = std::mem::take(&mut self.part_freqs);
            cursor.next()?;
            loop {
                docs.clear();
                freqs.clear();
                if !cursor.take_part(&mut docs, &mut freqs)? {
                    break;
                }
                self.part(input, &docs, &freqs)?;
            }
            (self.part, self.part_freqs) = (docs, freqs);
        }
        self.short = short;
        Ok(())
    }

    /// Takes documents of an input, those of a block or a cell, with their positions.
    fn part(&mut self, input: &TermInput, docs: &[u32], freqs: &[u32]) -> Result<(), ReadError> {
        self.docs.clear();
        self.freqs.clear();
        if self.positions_kept {
            self.positions.take(freqs)?;
            let more = freqs
                .iter()
                .map(|freq| u64::from(freq.saturating_sub(1)))
                .sum::<u64>();
            let (firsts, gaps) = (&self.positions.firsts, &self.positions.gaps);
            if firsts.len() != docs.len() || gaps.len() as u64 != more {
                return Err(input
                    .terms
                    .error("has not as many positions as occurrences"));
            }
        }
        if let Some(base) = self.merge.base_of[input.number] {
            self.docs.extend(docs.iter().map(|doc| base + doc));
            self.freqs.extend_from_slice(freqs);
            let positions = &self.positions;
            self.encoder
                .add_positions(&positions.firsts, &positions.gaps);
            self.encode();
            return Ok(());
        }
        self.firsts.clear();
        self.gaps.clear();
        let map = &self.merge.doc_map[input.number];
        let mut gap = 0;
        for (rank, (doc, freq)) in docs.iter().zip(freqs).enumerate() {
            let (mut first, mut gaps) = (&[][..], &[][..]);
            if self.positions_kept {
                let more = freq.saturating_sub(1) as usize;
                first = &self.positions.firsts[rank..=rank];
                gaps = &self.positions.gaps[gap..gap + more];
                gap += more;
            }
            let new = map[*doc as usize];
            if new == DROPPED {
                continue;
            }
            if self.merge.reordered {
                let into = self.moved.push(new, *freq);
                into.extend_from_slice(first);
                into.extend_from_slice(gaps);
            } else {
                self.docs.push(new);
                self.freqs.push(*freq);
                self.firsts.extend_from_slice(first);
                self.gaps.extend_from_slice(gaps);
            }
        }
        self.encoder.add_positions(&self.firsts, &self.gaps);
        self.encode();
        Ok(())
    }

    /// Encodes the documents at hand.
    fn encode(&mut self) {
        self.norms.clear();
        if self.field.norms.is_empty() {
            self.norms.resize(self.docs.len(), 1);
        } else {
            let norm = |doc: &u32| self.field.norms[*doc as usize].max(1);
            self.norms.extend(self.docs.iter().map(norm));
        }
        if !self.field.norms_tell {
            for doc in &self.docs {
                self.docs_seen.insert(*doc);
            }
        }
        self.encoder.add_all(&self.docs, &self.freqs, &self.norms);
        self.last_doc = self.docs.last().copied().or(self.last_doc);
    }
}
