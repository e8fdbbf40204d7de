//! Disjoint parts of an index, for readers that work side by side: the very parts that OpenSearch makes.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use roaring::RoaringBitmap;

use super::{SearchContext, SearchError, Slice};
use crate::exec::murmur;
use crate::ids::DocId;
use crate::schema::{FieldKind, NumericKind};
use crate::segment::{PostingsNeed, SegmentReader};
use crate::shard::ShardReader;

/// What part of this shard a slice is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ShardSlice {
    /// Another shard's business.
    Nothing,
    /// The whole shard.
    Everything,
    /// Documents whose hash has a remainder.
    Part {
        /// The remainder.
        id: u32,
        /// The divisor.
        max: u32,
        /// A numeric field; `None`: the document's name.
        field: Option<SliceField>,
    },
}

impl ShardSlice {
    /// Spreads slices over shards: with more slices than shards each slice is part of one shard, else each is of whole shards.
    pub fn new(
        slice: Option<&Slice>,
        shard: &ShardReader,
        context: &SearchContext<'_>,
    ) -> Result<ShardSlice, SearchError> {
        let Some(slice) = slice else {
            return Ok(ShardSlice::Everything);
        };
        let limit = shard.schema.settings.max_slices_per_scroll;
        if slice.max as usize > limit {
            return Err(SearchError::illegal(format!(
                "The number of slices [{}] is too large. It must be less than [{limit}]. This limit can be set by \
                 changing the [index.max_slices_per_scroll] index level setting.",
                slice.max
            )));
        }
        let field = match slice.field.as_deref() {
            None | Some("_id") => None,
            Some(name @ ("_seq_no" | "_version")) => Some(SliceField {
                path: name.to_owned(),
                kind: FieldKind::Long,
                numeric: NumericKind::I64,
            }),
            Some(name) => {
                let Some(field) = shard.schema.mapping.field(name) else {
                    return Err(SearchError::illegal(format!("field {name} not found")));
                };
                match field.numeric().filter(|_| field.has_doc_values()) {
                    Some(numeric) => Some(SliceField {
                        path: field.path().to_owned(),
                        kind: field.kind(),
                        numeric,
                    }),
                    None => {
                        return Err(SearchError::illegal(format!(
                            "cannot load numeric doc values on {name}"
                        )));
                    }
                }
            }
        };
        let (shards, number) = (context.shard_count.max(1), context.shard);
        if shards == 1 {
            return Ok(ShardSlice::Part {
                id: slice.id,
                max: slice.max,
                field,
            });
        }
        if slice.max < shards {
            return Ok(match number % slice.max == slice.id {
                true => ShardSlice::Everything,
                false => ShardSlice::Nothing,
            });
        }
        let target = slice.id % shards;
        if target != number {
            return Ok(ShardSlice::Nothing);
        }
        let more = u32::from(slice.max % shards > target);
        let parts = slice.max / shards + more;
        Ok(match parts {
            1 => ShardSlice::Everything,
            _ => ShardSlice::Part {
                id: slice.id / shards,
                max: parts,
                field,
            },
        })
    }

    /// The documents of a segment that belong to the slice; `None`: all.
    pub fn documents(
        &self,
        segment: &SegmentReader,
        context: &SearchContext<'_>,
    ) -> Result<Option<RoaringBitmap>, SearchError> {
        let (id, max, field) = match self {
            ShardSlice::Everything => return Ok(None),
            ShardSlice::Nothing => return Ok(Some(RoaringBitmap::new())),
            ShardSlice::Part { id, max, field } => (*id, *max, field.as_ref()),
        };
        let mut found = RoaringBitmap::new();
        let is_ours = |hash: i32| i64::from(hash).rem_euclid(i64::from(max)) == i64::from(id);
        if let Some(by) = field {
            let column = segment.numeric(&by.path)?;
            let mut values = Vec::new();
            for doc in 0..segment.max_doc() {
                values.clear();
                if let Some(column) = &column {
                    column.values(DocId(doc), &mut values);
                }
                // a document of several values is in the slice of each, and one of none hashes as zero
                let belongs = match values.as_slice() {
                    [] => is_ours(0),
                    values => values.iter().any(|value| is_ours(by.hash(*value))),
                };
                if belongs {
                    found.insert(doc);
                }
            }
            return Ok(Some(found));
        }
        let Some(names) = segment.terms("_id")? else {
            return Ok(Some(found));
        };
        let mut seen = 0u64;
        let mut iter = names.iter();
        while let Some((name, info)) = iter.next()? {
            seen += 1;
            if seen.is_multiple_of(4096) {
                context.check_cancelled()?;
            }
            if !is_ours(murmur(&encoded_name(name), NAME_SEED)) {
                continue;
            }
            let mut cursor = names.postings(&info, PostingsNeed::Docs)?;
            loop {
                let doc = cursor.next()?;
                if doc == DocId::NO_MORE {
                    break;
                }
                found.insert(doc.0);
            }
        }
        Ok(Some(found))
    }
}

/// The numbers that a slice goes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SliceField {
    path: String,
    kind: FieldKind,
    numeric: NumericKind,
}

impl SliceField {
    /// The hash of a column's value, in the form in which Lucene keeps it.
    fn hash(&self, stored: i64) -> i32 {
        let kept = match (self.kind, self.numeric) {
            (FieldKind::Float, _) => {
                sortable32((self.numeric.to_f64(stored) as f32).to_bits() as i32)
            }
            (FieldKind::HalfFloat, _) => sortable16(half_bits(self.numeric.to_f64(stored) as f32)),
            (_, NumericKind::U64) => stored ^ i64::MIN,
            _ => stored,
        };
        mix64(kept as u64) as i32
    }
}

/// Bits of a float, all but the sign flipped when negative, so that they sort as it does.
fn sortable32(bits: i32) -> i64 {
    i64::from(bits ^ ((bits >> 31) & i32::MAX))
}

/// The same for a float of 16 bits.
fn sortable16(bits: i16) -> i64 {
    i64::from(bits ^ ((bits >> 15) & i16::MAX))
}

/// The 16 bits of a number that they can say exactly.
fn half_bits(number: f32) -> i16 {
    let bits = number.to_bits();
    let sign = (bits >> 16) as u16 & 0x8000;
    let exponent = (bits >> 23 & 0xff) as i32 - 127;
    let magnitude = match exponent {
        128 => 0x7c00 | (bits >> 13) as u16 & 0x3ff,
        -14.. => ((exponent + 15) as u16) << 10 | (bits >> 13) as u16 & 0x3ff,
        // in steps of 2^-24, of which there are fewer than 1024
        _ => (number.abs() * 16_777_216.0) as u16,
    };
    (sign | magnitude) as i16
}

/// Stafford's ninth mixer of 64 bits (2011).
fn mix64(mut z: u64) -> u64 {
    z = (z ^ (z >> 32)).wrapping_mul(0x4cd6_944c_5cc2_0b6d);
    z = (z ^ (z >> 29)).wrapping_mul(0xfc12_c5b1_9d32_59e9);
    z ^ (z >> 32)
}

/// What the hash of a name begins with.
const NAME_SEED: i32 = 7919;

/// A name as OpenSearch keeps it in the index: digits in halves of bytes, base64url decoded, all else behind a mark.
fn encoded_name(name: &[u8]) -> Vec<u8> {
    const TEXT: u8 = 0xff;
    const DIGITS: u8 = 0xfe;
    const BASE64: u8 = 0xfd;
    if name.iter().all(u8::is_ascii_digit) {
        let mut encoded = vec![DIGITS];
        for pair in name.chunks(2) {
            let low = pair.get(1).map_or(0x0f, |digit| digit - b'0');
            encoded.push((pair[0] - b'0') << 4 | low);
        }
        return encoded;
    }
    if let Ok(bytes) = URL_SAFE_NO_PAD.decode(name) {
        // only where it could be mistaken for one of the others
        return match bytes.first() {
            Some(first) if *first >= BASE64 => [&[BASE64], bytes.as_slice()].concat(),
            _ => bytes,
        };
    }
    [&[TEXT], name].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kept_as_lucene_has_them() {
        assert_eq!(encoded_name(b"123"), [0xfe, 0x12, 0x3f]);
        assert_eq!(encoded_name(b"1234"), [0xfe, 0x12, 0x34]);
        assert_eq!(encoded_name(b"hats"), [0x85, 0xab, 0x6c]);
        assert_eq!(encoded_name(b"_w"), [0xfd, 0xff]);
        // five characters are no base64, nor are bits beyond the last byte
        assert_eq!(encoded_name(b"a-b-c"), b"\xffa-b-c");
        assert_eq!(encoded_name(b"ab"), b"\xffab");
        let umlaut = "h\u{fc}te".as_bytes();
        assert_eq!(encoded_name(umlaut), [&[0xff], umlaut].concat());
    }

    #[test]
    fn numbers_are_hashed_as_lucene_keeps_them() {
        let hash = |kind, numeric: NumericKind, stored| {
            let path = "n".to_owned();
            SliceField {
                path,
                kind,
                numeric,
            }
            .hash(stored)
        };
        let one = f64::to_bits(1.0) as i64;
        assert_eq!(hash(FieldKind::Long, NumericKind::I64, 0), 0);
        assert_eq!(hash(FieldKind::UnsignedLong, NumericKind::U64, i64::MIN), 0);
        assert_eq!(
            hash(FieldKind::Float, NumericKind::F64, one),
            mix64(u64::from(1f32.to_bits())) as i32
        );
        assert_eq!(
            hash(FieldKind::HalfFloat, NumericKind::F64, one),
            mix64(0x3c00) as i32
        );
        assert_eq!(
            sortable32((-1f32).to_bits() as i32),
            -i64::from(1f32.to_bits()) - 1
        );
        assert_eq!(half_bits(-2.0) as u16, 0xc000);
        assert_eq!(half_bits(5.960_464_5e-8), 1);
        assert_eq!(half_bits(f32::INFINITY), 0x7c00);
    }
}
