//! Lists of less than a block, read whole.

use super::super::ReadError;
use super::super::terms::Dictionary;
use crate::format::bytes::Malformed;
use crate::format::v1::terms::TermEntry;
use crate::format::v2::{BLOCK, decode_docs, decode_freqs};

/// The documents of one term after the other, ascending, with their frequencies: for those who read many short lists and
/// want no cursor for each.
#[derive(Debug)]
pub(crate) struct ShortList {
    docs: [u32; BLOCK],
    freqs: [u32; BLOCK],
    len: usize,
}

impl ShortList {
    pub fn new() -> ShortList {
        ShortList {
            docs: [0; BLOCK],
            freqs: [1; BLOCK],
            len: 0,
        }
    }

    pub fn docs(&self) -> &[u32] {
        &self.docs[..self.len]
    }

    /// 1 where the field keeps none.
    pub fn freqs(&self) -> &[u32] {
        &self.freqs[..self.len]
    }

    /// Reads a term's list; `false` when it is too long, or of format v1.
    pub(in crate::segment) fn read(
        &mut self,
        dictionary: &Dictionary,
        entry: &TermEntry,
    ) -> Result<bool, ReadError> {
        let postings = &dictionary.postings;
        let len = entry.doc_freq as usize;
        if len >= BLOCK || postings.codec() == 1 {
            return Ok(false);
        }
        self.len = len;
        if len <= 1 {
            if len == 1 && entry.single_doc >= dictionary.max_doc {
                return Err(postings.error("has a single document past the end"));
            }
            self.docs[0] = entry.single_doc;
            self.freqs[0] = entry.total_term_freq.min(u64::from(u32::MAX)) as u32;
            return Ok(true);
        }
        let malformed = |what| postings.malformed(what);
        let blocks_len = entry.payload_len - entry.positions_len;
        let bytes = postings.read_ahead(entry.payload, blocks_len)?;
        let taken = decode_docs(bytes, len, None, dictionary.max_doc, &mut self.docs);
        let taken = taken.map_err(malformed)?;
        if taken as u64 > blocks_len {
            return Err(malformed(Malformed("has a block that ends too early")));
        }
        if dictionary.freqs_kept {
            decode_freqs(&bytes[taken..], len, &mut self.freqs).map_err(malformed)?;
        } else {
            self.freqs[..len].fill(1);
        }
        Ok(true)
    }
}
