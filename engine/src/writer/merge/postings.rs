//! Terms and postings of one field, merged term by term.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::{DROPPED, DocSet, Merge};
use crate::document::{ColumnKind, FieldSpec, IndexOptions};
use crate::format::bytes::hash64;
use crate::format::envelope::EnvelopeWriter;
use crate::format::v1::terms::TermsWriter;
use crate::format::v2::postings::PostingsEncoder;
use crate::ids::DocId;
use crate::segment::{
    ID_FIELD, MergeError, PostingsNeed, ReadError, TermInfo, TermIter, TermsReader,
};

/// Terms between two looks at whether the merge was cancelled.
const TERMS_PER_LOOK: u64 = 1024;

/// The field at hand.
pub(super) struct Field<'a> {
    pub number: u32,
    pub path: &'a str,
    pub spec: FieldSpec,
    /// Norms by new document; empty where there are none.
    pub norms: &'a [u8],
}

/// What the other parts of the field need to know.
#[derive(Debug, Default)]
pub(super) struct MergedTerms {
    pub sum_total_term_freq: u64,
    pub sum_doc_freq: u64,
    /// For each input, the new rank of each of its terms, `u32::MAX` for those gone; empty where nobody asks.
    pub ords: Vec<Vec<u32>>,
}

/// Terms of one input.
struct Input {
    number: usize,
    terms: TermsReader,
    iter: TermIter,
    info: Option<TermInfo>,
    /// For a field without postings: which of its terms live documents have.
    used: Option<Vec<bool>>,
}

/// The next term of an input; the heap gives the smallest, then the first input.
type Head = Reverse<(Vec<u8>, usize)>;

impl Input {
    /// Puts the next term into the heap, over the bytes given.
    fn advance(
        &mut self,
        slot: usize,
        mut key: Vec<u8>,
        heap: &mut BinaryHeap<Head>,
    ) -> Result<(), ReadError> {
        if let Some((term, info)) = self.iter.next()? {
            key.clear();
            key.extend_from_slice(term);
            self.info = Some(info);
            heap.push(Reverse((key, slot)));
        }
        Ok(())
    }
}

impl Merge<'_> {
    fn term_inputs(&self, field: &Field<'_>) -> Result<Vec<Input>, MergeError> {
        let mut inputs = Vec::new();
        for (number, reader) in self.readers() {
            let column = reader.ordinals(field.path)?;
            let terms = match reader.terms(field.path)? {
                Some(terms) => Some(terms),
                None => column.as_ref().map(|column| column.terms().clone()),
            };
            let Some(terms) = terms else {
                continue;
            };
            let mut used = None;
            if let (IndexOptions::None, Some(column)) = (field.spec.index, column) {
                let mut seen = vec![false; terms.len() as usize];
                self.for_each_row(number, column.numbers(), |_, ords| {
                    for ord in ords {
                        if let Some(seen) = seen.get_mut(*ord as usize) {
                            *seen = true;
                        }
                    }
                    Ok(())
                })?;
                used = Some(seen);
            }
            inputs.push(Input {
                number,
                iter: terms.iter(),
                terms,
                info: None,
                used,
            });
        }
        Ok(inputs)
    }

    /// Writes postings and dictionary of a field, if any input has terms of it.
    pub(super) fn merge_terms(
        &self,
        field: &Field<'_>,
        docs: &mut DocSet,
        id_hashes: &mut Vec<u64>,
        out: &mut EnvelopeWriter<'_>,
    ) -> Result<MergedTerms, MergeError> {
        let mut merged = MergedTerms::default();
        let mut inputs = self.term_inputs(field)?;
        if inputs.is_empty() {
            return Ok(merged);
        }
        if field.spec.column == ColumnKind::Ordinals {
            merged.ords.resize(self.inputs.len(), Vec::new());
            for input in &inputs {
                merged.ords[input.number].resize(input.terms.len() as usize, DROPPED);
            }
        }
        let freqs_kept = field.spec.index >= IndexOptions::DocsFreqs;
        let positions_kept = field.spec.index >= IndexOptions::Positions;
        let mut writer = TermsWriter::begin(out, field.number, freqs_kept, positions_kept);
        let mut encoder = PostingsEncoder::new(freqs_kept, positions_kept, self.max_doc);
        let mut heap = BinaryHeap::new();
        for (slot, input) in inputs.iter_mut().enumerate() {
            input.advance(slot, Vec::new(), &mut heap)?;
        }
        let mut same: Vec<(usize, Vec<u8>)> = Vec::new();
        while let Some(Reverse((key, slot))) = heap.pop() {
            if writer.term_count().is_multiple_of(TERMS_PER_LOOK) {
                self.check_cancel()?;
            }
            same.push((slot, key));
            while let Some(Reverse((other, _))) = heap.peek()
                && *other == same[0].1
                && let Some(Reverse((other, slot))) = heap.pop()
            {
                same.push((slot, other));
            }
            let term = &same[0].1;
            let ord = writer.term_count();
            let kept = if field.spec.index == IndexOptions::None {
                let kept = same.iter().any(|(slot, _)| inputs[*slot].is_used());
                if kept {
                    writer.add_bare(term)?;
                }
                kept
            } else {
                let last_doc = self.merge_postings(field, &same, &inputs, &mut encoder, docs)?;
                if let Some(last_doc) = last_doc {
                    merged.sum_total_term_freq += encoder.total_term_freq;
                    writer.add(out, term, last_doc, &mut encoder)?;
                    if field.path == ID_FIELD {
                        id_hashes.push(hash64(term));
                    }
                }
                last_doc.is_some()
            };
            for (slot, key) in same.drain(..) {
                let input = &mut inputs[slot];
                if kept
                    && !merged.ords.is_empty()
                    && let Some(info) = input.info
                {
                    let new = u32::try_from(ord)
                        .map_err(|_| MergeError::TooLarge("more than 2^32 terms".to_owned()))?;
                    if let Some(slot) = merged.ords[input.number].get_mut(info.ord as usize) {
                        *slot = new;
                    }
                }
                input.advance(slot, key, &mut heap)?;
            }
        }
        merged.sum_doc_freq = writer.sum_doc_freq();
        writer.finish(out)?;
        Ok(merged)
    }

    /// Encodes the live postings of one term; answers the last document, `None` when nobody alive has it.
    fn merge_postings(
        &self,
        field: &Field<'_>,
        same: &[(usize, Vec<u8>)],
        inputs: &[Input],
        encoder: &mut PostingsEncoder,
        docs: &mut DocSet,
    ) -> Result<Option<u32>, MergeError> {
        let expected = same.iter().filter_map(|(slot, _)| inputs[*slot].info);
        let expected = expected.fold(0u32, |sum, info| sum.saturating_add(info.doc_freq));
        encoder.start(expected.min(self.max_doc));
        let mut last_doc = None;
        let mut positions = Vec::new();
        for (slot, _) in same {
            let input = &inputs[*slot];
            let Some(info) = input.info else {
                continue;
            };
            let map = &self.doc_map[input.number];
            let mut cursor = input.terms.postings(&info, PostingsNeed::Positions)?;
            loop {
                let doc = cursor.next()?;
                if doc == DocId::NO_MORE {
                    break;
                }
                let new = map[doc.0 as usize];
                if new == DROPPED {
                    continue;
                }
                if field.spec.index == IndexOptions::Positions {
                    cursor.positions(&mut positions)?;
                }
                let norm = field.norms.get(new as usize).copied().unwrap_or(1).max(1);
                encoder.add(new, cursor.freq(), norm, &positions);
                docs.insert(new);
                last_doc = Some(new);
            }
        }
        Ok(last_doc)
    }
}

impl Input {
    fn is_used(&self) -> bool {
        match (&self.used, self.info) {
            (Some(used), Some(info)) => used.get(info.ord as usize).copied().unwrap_or(false),
            _ => false,
        }
    }
}
