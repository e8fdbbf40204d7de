//! How the chunks of a column are kept.

use crate::format::v2::columns::Encoding;
use crate::segment::{NumericColumn, WINDOW_DOCS};

/// One chunk of a column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChunkShape {
    /// Its first document.
    pub first_doc: u32,
    /// Its documents, with or without a value.
    pub rows: u32,
    /// Documents with a value.
    pub docs: u32,
    /// Values.
    pub values: u32,
    /// `steps`, `line`, `table` or `decimals`; `constant` where a value takes no bits.
    pub encoding: &'static str,
    /// Bits of a value.
    pub bits: u32,
    /// Bits that say how many values a document has; 0 where none has several.
    pub end_bits: u32,
    /// Different values that are written out.
    pub table_len: u32,
    /// Bytes of it all.
    pub bytes: u64,
    /// Smallest value; 0 when there is none.
    pub min: i64,
    /// Greatest value; 0 when there is none.
    pub max: i64,
}

/// All chunks of a column.
pub fn column_chunks(column: &NumericColumn) -> Vec<ChunkShape> {
    let chunks = column.chunks().iter().zip(0..);
    chunks
        .map(|(chunk, number)| ChunkShape {
            first_doc: number * WINDOW_DOCS,
            rows: chunk.rows,
            docs: chunk.doc_count,
            values: chunk.value_count,
            encoding: match chunk.encoding {
                Encoding::Steps if chunk.width == 0 => "constant",
                Encoding::Steps => "steps",
                Encoding::Line => "line",
                Encoding::Table => "table",
                Encoding::Decimals { .. } => "decimals",
            },
            bits: chunk.width,
            end_bits: chunk.ends_width,
            table_len: chunk.table_len,
            bytes: chunk.end.saturating_sub(chunk.start),
            min: chunk.min,
            max: chunk.max,
        })
        .collect()
}
