use crate::ids::DocId;

/// Lengths of one field, one byte a document: 0 = the document has not the field, else [`norm_of_length`].
/// Smaller is shorter. Cheap to clone.
#[derive(Clone, Debug)]
pub struct NormsReader {}

impl NormsReader {
    /// The norm of one document; 0 past the end.
    pub fn norm(&self, doc: DocId) -> u8 {
        let _ = doc;
        todo!()
    }
    /// The norms of all documents.
    pub fn bytes(&self) -> &[u8] {
        todo!()
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
pub fn length_of_norm(norm: u8) -> u32 {
    if norm < 24 {
        return u32::from(norm);
    }
    let code = u64::from(norm - 24);
    let (mantissa, shift) = (code & 7, code >> 3);
    let rest = if shift == 0 {
        mantissa
    } else {
        (mantissa | 8) << (shift - 1)
    };
    (24 + rest) as u32
}
