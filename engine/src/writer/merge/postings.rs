//! Terms and postings of one field, merged term by term.

use super::gaps::Gaps;
use super::moved::Moved;
use super::term_merge::{TermInput, TermMerge};
use super::{DROPPED, DocSet, Merge};
use crate::document::{ColumnKind, FieldSpec, IndexOptions};
use crate::format::bytes::hash64;
use crate::format::envelope::EnvelopeWriter;
use crate::format::v1::terms::TermsWriter;
use crate::format::v2::postings::PostingsEncoder;
use crate::ids::DocId;
use crate::segment::{ID_FIELD, MergeError, PostingsNeed, ReadError, ShortList};

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
    gaps: Gaps,
    /// Taken out while it is read from.
    short: Option<Box<ShortList>>,
    moved: Moved,
    /// Live documents, by their new ids, with freqs and norms.
    docs: Vec<u32>,
    freqs: Vec<u32>,
    norms: Vec<u8>,
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
            gaps: Gaps::default(),
            short: None,
            moved: Moved::default(),
            docs: Vec::new(),
            freqs: Vec::new(),
            norms: Vec::new(),
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
            (self.docs, self.freqs) = self.moved.iter().map(|(doc, freq, _)| (doc, freq)).unzip();
            self.encode();
            for (_, _, gaps) in self.moved.iter() {
                self.encoder.add_gaps(gaps);
            }
        }
        Ok(self.last_doc)
    }

    fn input(&mut self, input: &TermInput) -> Result<(), ReadError> {
        let Some(info) = input.info() else {
            return Ok(());
        };
        if self.positions_kept {
            self.gaps.open(&input.terms, info)?;
        }
        let mut occurrences = 0;
        let sum = |freqs: &[u32]| freqs.iter().map(|freq| u64::from(*freq)).sum::<u64>();
        let mut short = self.short.take();
        let list = short.get_or_insert_with(|| Box::new(ShortList::new()));
        if input.terms.read_short(info, list)? {
            occurrences = sum(list.freqs());
            self.block(input.number, list.docs(), list.freqs())?;
        } else {
            let mut cursor = input.terms.postings(info, PostingsNeed::Freqs)?;
            let (mut docs, mut freqs) = ([0; 128], [0; 128]);
            cursor.next()?;
            loop {
                let count = cursor.take_block(DocId::NO_MORE, &mut docs, &mut freqs)?;
                if count == 0 {
                    break;
                }
                occurrences += sum(&freqs[..count]);
                self.block(input.number, &docs[..count], &freqs[..count])?;
            }
        }
        self.short = short;
        if self.positions_kept && self.merge.base_of[input.number].is_some() {
            // Documents do not matter to gaps that all stay.
            let copied = self.gaps.all(|gaps| self.encoder.add_gaps(gaps))?;
            if copied != occurrences {
                return Err(input
                    .terms
                    .error("has not as many positions as occurrences"));
            }
        }
        Ok(())
    }

    /// Takes documents of an input; their gaps too, unless all of the input's stay.
    fn block(&mut self, input: usize, docs: &[u32], freqs: &[u32]) -> Result<(), ReadError> {
        self.docs.clear();
        self.freqs.clear();
        if let Some(base) = self.merge.base_of[input] {
            self.docs.extend(docs.iter().map(|doc| base + doc));
            self.freqs.extend_from_slice(freqs);
            self.encode();
            return Ok(());
        }
        let map = &self.merge.doc_map[input];
        for (doc, freq) in docs.iter().zip(freqs) {
            let count = if self.positions_kept { *freq } else { 0 };
            let new = map[*doc as usize];
            if new == DROPPED {
                self.gaps.take(count, |_| {})?;
            } else if self.merge.reordered {
                let into = self.moved.push(new, *freq);
                self.gaps.take(count, |gaps| into.extend_from_slice(gaps))?;
            } else {
                self.docs.push(new);
                self.freqs.push(*freq);
                self.gaps.take(count, |gaps| self.encoder.add_gaps(gaps))?;
            }
        }
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
