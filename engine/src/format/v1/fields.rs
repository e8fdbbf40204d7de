//! # Fields
//! One section per segment, read at open: varint number of fields; then for each, in order of path, which is the order of its number:
//!
//! | part                 | encoding                                                        |
//! |----------------------|-----------------------------------------------------------------|
//! | path                 | varint length, UTF-8                                            |
//! | index                | `u8`: 0 none, 1 docs, 2 freqs, 3 positions                      |
//! | column               | `u8`: 0 none, 1 numeric, 2 ordinals                             |
//! | flags                | `u8`: 1 norms, 2 points, 4 stored                               |
//! | doc_count            | varint                                                          |
//! | sum_total_term_freq  | varint                                                          |
//! | sum_doc_freq         | varint                                                          |
//!
//! Worked example: the keyword `a` with one value in each of two documents is `01 01 61 01 02 00 02 02 02`.

use std::sync::Arc;

use crate::document::{ColumnKind, FieldSpec, IndexOptions};
use crate::format::bytes::{ByteReader, Malformed, put_sized, put_varint};
use crate::segment::FieldInfo;

/// Encodes the list.
pub(crate) fn encode(fields: &[FieldInfo]) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(&mut out, fields.len() as u64);
    for field in fields {
        put_sized(&mut out, field.path.as_bytes());
        let spec = field.spec;
        out.push(spec.index as u8);
        out.push(spec.column as u8);
        out.push(u8::from(spec.norms) | u8::from(spec.points) << 1 | u8::from(spec.stored) << 2);
        put_varint(&mut out, u64::from(field.doc_count));
        put_varint(&mut out, field.sum_total_term_freq);
        put_varint(&mut out, field.sum_doc_freq);
    }
    out
}

/// Reads the list.
pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<FieldInfo>, Malformed> {
    let mut reader = ByteReader::new(bytes);
    let count = reader.varint()?;
    let mut fields: Vec<FieldInfo> = Vec::new();
    for _ in 0..count {
        let path = std::str::from_utf8(reader.sized()?)
            .map_err(|_| Malformed("has a path that is not UTF-8"))?;
        if fields.last().is_some_and(|last| *last.path >= *path) {
            return Err(Malformed("has paths out of order"));
        }
        let index = match reader.u8()? {
            0 => IndexOptions::None,
            1 => IndexOptions::Docs,
            2 => IndexOptions::DocsFreqs,
            3 => IndexOptions::Positions,
            _ => return Err(Malformed("has unknown index options")),
        };
        let column = match reader.u8()? {
            0 => ColumnKind::None,
            1 => ColumnKind::Numeric,
            2 => ColumnKind::Ordinals,
            _ => return Err(Malformed("has an unknown kind of column")),
        };
        let flags = reader.u8()?;
        fields.push(FieldInfo {
            path: Arc::from(path),
            spec: FieldSpec {
                index,
                column,
                norms: flags & 1 != 0,
                points: flags & 2 != 0,
                stored: flags & 4 != 0,
            },
            doc_count: reader.varint_u32()?,
            sum_total_term_freq: reader.varint()?,
            sum_doc_freq: reader.varint()?,
        });
    }
    if reader.remaining() > 0 {
        return Err(Malformed("has bytes after the last field"));
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_page() {
        let field = FieldInfo {
            path: Arc::from("a"),
            spec: FieldSpec {
                index: IndexOptions::Docs,
                norms: false,
                column: ColumnKind::Ordinals,
                points: false,
                stored: false,
            },
            doc_count: 2,
            sum_total_term_freq: 2,
            sum_doc_freq: 2,
        };
        let bytes = encode(std::slice::from_ref(&field));
        assert_eq!(bytes, [1, 1, 0x61, 1, 2, 0, 2, 2, 2]);
        assert_eq!(decode(&bytes), Ok(vec![field]));
        for len in 0..bytes.len() {
            assert!(decode(&bytes[..len]).is_err());
        }
    }
}
