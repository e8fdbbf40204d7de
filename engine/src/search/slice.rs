//! Disjoint parts of an index, for readers that work side by side.

use roaring::RoaringBitmap;

use super::{SearchContext, SearchError, Slice};
use crate::ids::DocId;
use crate::segment::{PostingsNeed, SegmentReader};
use crate::shard::ShardReader;

/// What part of this shard a slice is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ShardSlice {
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
        field: Option<String>,
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
            Some(name @ ("_seq_no" | "_version")) => Some(name.to_owned()),
            Some(name) => match shard.schema.mapping.field(name) {
                Some(field) if field.has_doc_values() && field.numeric().is_some() => {
                    Some(field.path().to_owned())
                }
                Some(_) => {
                    return Err(SearchError::illegal(format!(
                        "cannot load numeric doc values on {name}"
                    )));
                }
                None => {
                    return Err(SearchError::illegal(format!("field {name} not found")));
                }
            },
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
            ShardSlice::Part { id, max, field } => (*id, *max, field.as_deref()),
        };
        let mut found = RoaringBitmap::new();
        if let Some(field) = field {
            // documents without a value hash as zero
            let column = segment.numeric(field)?;
            for doc in 0..segment.max_doc() {
                let value = column.as_ref().and_then(|column| column.first(DocId(doc)));
                let hash = spread(value.unwrap_or(0) as u64);
                if hash % u64::from(max) == u64::from(id) {
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
            if hash_of_name(name) % max != id {
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

fn hash_of_name(name: &[u8]) -> u32 {
    let mut bytes = name;
    // reading from memory cannot fail; were it to, all names would share a slice and none would be lost
    murmur3::murmur3_32(&mut bytes, 7919).unwrap_or(0)
}

/// The finalizer of MurmurHash3 (Appleby, 2011).
fn spread(mut number: u64) -> u64 {
    number ^= number >> 33;
    number = number.wrapping_mul(0xff51_afd7_ed55_8ccd);
    number ^= number >> 33;
    number = number.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    number ^ (number >> 33)
}
