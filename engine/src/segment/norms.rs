//! Norms: the length of a field in each document, as one byte.

use super::ReadError;
use crate::directory::ByteView;
use crate::format::envelope::Section;
use crate::ids::DocId;

/// Lengths of one field, one byte a document: 0 = the document has not the field, else [`norm_of_length`].
/// Smaller is shorter. Cheap to clone. On disk: these very bytes, `max_doc` many.
#[derive(Clone, Debug)]
pub struct NormsReader {
    norms: ByteView,
}

impl NormsReader {
    pub(crate) fn open(section: &Section, max_doc: u32) -> Result<NormsReader, ReadError> {
        if section.len() != max_doc as usize {
            return Err(section.error("has not one byte per document"));
        }
        Ok(NormsReader {
            norms: section.view()?,
        })
    }

    /// The norm of one document; 0 past the end.
    #[inline]
    pub fn norm(&self, doc: DocId) -> u8 {
        self.norms.get(doc.0 as usize).copied().unwrap_or(0)
    }

    /// The norms of all documents.
    pub fn bytes(&self) -> &[u8] {
        &self.norms
    }
}

/// A length in tokens as one byte: exact up to 39, then 4 significant bits, rounded down; keeps order.
pub fn norm_of_length(length: u32) -> u8 {
    if length < 24 {
        return length as u8;
    }
    let rest = length - 24;
    let bits = 32 - rest.leading_zeros();
    if bits < 4 {
        return 24 + rest as u8;
    }
    let shift = bits - 4;
    24 + ((((shift + 1) << 3) | ((rest >> shift) & 7)) as u8)
}

/// The length that a norm stands for: the shortest that has this norm.
pub const fn length_of_norm(norm: u8) -> u32 {
    if norm < 24 {
        return norm as u32;
    }
    let code = (norm - 24) as u64;
    let (mantissa, shift) = (code & 7, code >> 3);
    let rest = if shift == 0 {
        mantissa
    } else {
        (mantissa | 8) << (shift - 1)
    };
    let length = 24 + rest;
    if length > u32::MAX as u64 {
        u32::MAX
    } else {
        length as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn short_lengths_are_exact_and_long_ones_round_down() {
        for length in 0..=40 {
            assert_eq!(length_of_norm(norm_of_length(length)), length);
        }
        // 24 + 1000: 1000 has 10 bits, of which the first four are 1111.
        assert_eq!(length_of_norm(norm_of_length(1024)), 24 + 960);
        assert_eq!(norm_of_length(i32::MAX as u32), 255);
    }

    proptest! {
        #[test]
        fn order_is_kept(a in 0u32..1 << 31, b in 0u32..1 << 31) {
            let (a, b) = (a.min(b), a.max(b));
            prop_assert!(norm_of_length(a) <= norm_of_length(b));
            prop_assert!(length_of_norm(norm_of_length(a)) <= a);
        }

        #[test]
        fn a_norm_stands_for_a_length_of_this_norm(norm: u8) {
            prop_assert_eq!(norm_of_length(length_of_norm(norm)), norm);
        }
    }
}
