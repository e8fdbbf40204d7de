//! How the documents, frequencies and positions of a term are kept.

use crate::format::bytes::{Malformed, u32_at};
use crate::format::impacts::ImpactSet;
use crate::format::v1::terms::TermEntry;
use crate::format::v2::describe::{PatchedShape, block_shape, cell_shapes, position_bits};
use crate::format::v2::{BLOCK, CELL_DOCS, DenseSkips, SparseSkips};
use crate::ids::DocId;
use crate::segment::{
    Impact, Lists, PostingsCursor, PostingsNeed, ReadError, TermInfo, TermsReader, WINDOW_DOCS,
    part_at,
};

/// The ways to keep a list of documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ListKind {
    /// Not at all: the field only has a column.
    Unlisted,
    /// The dictionary holds the only document.
    Inlined,
    /// Packed blocks of 128 documents.
    Blocks,
    /// Bitmaps of 4096 documents.
    Bitmaps,
    /// Packed blocks of 128 documents of the first format.
    BlocksV1,
}

impl ListKind {
    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            ListKind::Unlisted => "column",
            ListKind::Inlined => "inlined",
            ListKind::Blocks => "blocks",
            ListKind::Bitmaps => "bitmaps",
            ListKind::BlocksV1 => "blocks (v1)",
        }
    }
}

/// A term's list as it lies in the file.
#[derive(Clone, Debug, PartialEq)]
pub struct PostingsShape {
    /// In which way.
    pub kind: ListKind,
    /// Documents, dead ones included.
    pub doc_freq: u32,
    /// Occurrences.
    pub total_term_freq: u64,
    /// Bytes of documents and frequencies.
    pub list_bytes: u64,
    /// Bytes of positions.
    pub position_bytes: u64,
    /// Bytes of skips and bounds.
    pub skip_bytes: u64,
    /// Bounds of the whole list; empty where there is none.
    pub impacts: Vec<Impact>,
    /// Blocks, or those containers that have a document.
    pub parts: Vec<PartShape>,
    /// How positions are packed; `None` where there are none, or by the first format.
    pub positions: Option<PositionShape>,
}

/// A block of documents, or a container.
#[derive(Clone, Debug, PartialEq)]
pub struct PartShape {
    /// Its first document.
    pub first_doc: u32,
    /// Its last document.
    pub last_doc: u32,
    /// How many documents it has.
    pub docs: u32,
    /// Bytes of documents and frequencies.
    pub bytes: u64,
    /// Bits of a gap between documents; `None` in a bitmap, or where gaps are varints.
    pub gap_bits: Option<u32>,
    /// Least and most bits of a packed frequency; `None` where none is packed.
    pub freq_bits: Option<(u32, u32)>,
    /// Frequencies whose high bits stand apart.
    pub patches: u32,
    /// Bounds on its documents.
    pub impacts: Vec<Impact>,
}

/// The packed groups of positions: of the first ones of a block of documents, of up to 128 gaps between positions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PositionShape {
    /// How many.
    pub groups: u64,
    /// Least bits of one of their integers.
    pub min_bits: u32,
    /// Most bits of one.
    pub max_bits: u32,
    /// The same, over all groups.
    pub mean_bits: f64,
}

/// How a term of this very reader is kept; reads a byte at most.
pub fn list_kind(terms: &TermsReader, info: &TermInfo) -> Result<ListKind, ReadError> {
    let (lists, entry) = (terms.lists(), &info.entry);
    Ok(match entry.doc_freq {
        0 => ListKind::Unlisted,
        1 => ListKind::Inlined,
        _ if lists.postings.codec() == 1 => ListKind::BlocksV1,
        docs if docs as usize > BLOCK && kind_byte(&lists, entry)? == 2 => ListKind::Bitmaps,
        _ => ListKind::Blocks,
    })
}

/// The first byte of the skips: see `format::v2::postings`.
fn kind_byte(lists: &Lists<'_>, entry: &TermEntry) -> Result<u8, ReadError> {
    Ok(lists
        .skips
        .read(entry.skips, entry.skips_len.min(1))?
        .first()
        .copied()
        .unwrap_or(0))
}

/// Describes a term of this very reader; decodes all of its documents.
pub fn postings(terms: &TermsReader, info: &TermInfo) -> Result<PostingsShape, ReadError> {
    let (lists, entry) = (terms.lists(), &info.entry);
    let kind = list_kind(terms, info)?;
    let position_bytes = match (kind, entry.doc_freq) {
        (ListKind::Inlined, _) => entry.payload_len,
        _ => entry.positions_len,
    };
    let mut shape = PostingsShape {
        kind,
        doc_freq: entry.doc_freq,
        total_term_freq: entry.total_term_freq,
        list_bytes: entry.payload_len.saturating_sub(position_bytes),
        position_bytes,
        skip_bytes: entry.skips_len,
        impacts: Vec::new(),
        parts: Vec::new(),
        positions: None,
    };
    if kind == ListKind::Unlisted {
        return Ok(shape);
    }
    let mut cursor = terms.postings(info, PostingsNeed::Freqs)?;
    shape.impacts = cursor.max_impacts()?.to_vec();
    match kind {
        ListKind::Unlisted | ListKind::Inlined => {}
        ListKind::Blocks => blocks(&lists, entry, &mut cursor, &mut shape.parts)?,
        ListKind::Bitmaps => bitmaps(&lists, entry, &mut cursor, &mut shape.parts)?,
        ListKind::BlocksV1 => blocks_v1(&lists, entry, &mut cursor, &mut shape.parts)?,
    }
    if lists.postings.codec() > 1 && lists.positions_kept {
        let start = entry.payload.saturating_add(shape.list_bytes);
        let bytes = lists.postings.read(start, position_bytes)?;
        let widths = match lists.postings.codec() {
            2 => position_bits(bytes, entry.total_term_freq)
                .map_err(|what| lists.postings.malformed(what))?,
            _ => {
                let cursor = terms.postings(info, PostingsNeed::Freqs)?;
                block_bits(&lists, bytes, cursor)?
            }
        };
        let sum: u64 = widths.iter().map(|width| u64::from(*width)).sum();
        shape.positions = Some(PositionShape {
            groups: widths.len() as u64,
            min_bits: widths.iter().min().map_or(0, |width| u32::from(*width)),
            max_bits: widths.iter().max().map_or(0, |width| u32::from(*width)),
            mean_bits: sum as f64 / widths.len().max(1) as f64,
        });
    }
    Ok(shape)
}

/// Bits of a first, and of a gap of each group, of all blocks of a term's positions.
fn block_bits(
    lists: &Lists<'_>,
    mut bytes: &[u8],
    mut cursor: PostingsCursor,
) -> Result<Vec<u8>, ReadError> {
    let malformed = |what| lists.postings.malformed(what);
    let mut widths = Vec::new();
    let (mut docs, mut freqs) = (Vec::new(), Vec::new());
    let (mut firsts, mut gaps) = (Vec::new(), Vec::new());
    cursor.next()?;
    while cursor.take_part(&mut docs, &mut freqs)? {
        let mut left = bytes.len();
        for number in 0..docs.len().div_ceil(BLOCK) {
            let part = part_at(bytes, docs.len(), BLOCK * number).map_err(malformed)?;
            let (first, rest) = part.widths().map_err(malformed)?;
            widths.push(first);
            widths.extend_from_slice(rest);
            left = part.unpack(&mut firsts, &mut gaps).map_err(malformed)?;
        }
        bytes = &bytes[bytes.len() - left..];
        docs.clear();
        freqs.clear();
        firsts.clear();
        gaps.clear();
    }
    match bytes.is_empty() {
        true => Ok(widths),
        false => Err(lists.postings.error("has bytes behind its last positions")),
    }
}

/// Takes the cursor over the documents before `end`; answers the first and last of them and how many there are, and the bounds
/// where the first of them is.
fn walk(
    cursor: &mut PostingsCursor,
    from: u32,
    end: u32,
    mut at: impl FnMut(u32, &[Impact]),
) -> Result<(u32, u32, u32), ReadError> {
    let mut doc = cursor.advance(DocId(from))?;
    let (first, mut last, mut docs) = (doc.0, doc.0, 0);
    while doc.0 < end {
        at(doc.0, cursor.impacts()?);
        (last, docs) = (doc.0, docs + 1);
        doc = cursor.next()?;
    }
    Ok((first, last, docs))
}

/// Describes a list in blocks, whose ends and last documents are known, by what `shape` makes of a block's bytes.
fn each_block(
    lists: &Lists<'_>,
    entry: &TermEntry,
    cursor: &mut PostingsCursor,
    (last_docs, block_ends): (Vec<u32>, Vec<u32>),
    out: &mut Vec<PartShape>,
    shape: impl Fn(&[u8], usize) -> Result<(Option<u32>, Option<PatchedShape>), Malformed>,
) -> Result<(), ReadError> {
    let malformed = |what| lists.postings.malformed(Malformed(what));
    let list_bytes = entry.payload_len.saturating_sub(entry.positions_len);
    let (mut start, mut from) = (0, 0u32);
    for (block, (last_doc, end)) in last_docs.into_iter().zip(block_ends).enumerate() {
        let end = u64::from(end);
        if start > end || end > list_bytes {
            return Err(malformed("has blocks outside their payload"));
        }
        let mut impacts = Vec::new();
        let after = last_doc.saturating_add(1);
        let (first_doc, last_doc, docs) = walk(cursor, from, after, |_, bounds| {
            if impacts.is_empty() {
                impacts = bounds.to_vec();
            }
        })?;
        let left = entry.doc_freq as usize - (block * BLOCK).min(entry.doc_freq as usize);
        if docs as usize != left.min(BLOCK) {
            return Err(malformed(
                "has a block of another length than its skips say",
            ));
        }
        let place = entry.payload.saturating_add(start);
        let bytes = lists.postings.read(place, end - start)?;
        let (gap_bits, freqs) =
            shape(bytes, docs as usize).map_err(|what| lists.postings.malformed(what))?;
        out.push(PartShape {
            first_doc,
            last_doc,
            docs,
            bytes: end - start,
            gap_bits,
            freq_bits: freqs.map(|freqs| (freqs.bits, freqs.bits)),
            patches: freqs.map_or(0, |freqs| freqs.patches as u32),
            impacts,
        });
        (start, from) = (end, after);
    }
    if start != list_bytes {
        return Err(malformed("has bytes behind its last block"));
    }
    Ok(())
}

/// Last documents and ends of a list that is one block.
fn single_block(lists: &Lists<'_>, entry: &TermEntry) -> (Vec<u32>, Vec<u32>) {
    let len = entry.payload_len.saturating_sub(entry.positions_len);
    let last = lists.max_doc.saturating_sub(1);
    (vec![last], vec![u32::try_from(len).unwrap_or(u32::MAX)])
}

fn blocks(
    lists: &Lists<'_>,
    entry: &TermEntry,
    cursor: &mut PostingsCursor,
    out: &mut Vec<PartShape>,
) -> Result<(), ReadError> {
    let ends = if entry.doc_freq as usize > BLOCK {
        let region = lists.skips.read(entry.skips, entry.skips_len)?;
        let (freqs, positions) = (lists.freqs_kept, lists.positions_kept);
        let skips = SparseSkips::open(region, entry.doc_freq, freqs, positions)
            .map_err(|what| lists.skips.malformed(what))?;
        let last_docs = skips.last_docs(region);
        let end = |block| u32::try_from(skips.block(region, block).1).unwrap_or(u32::MAX);
        let ends = (0..last_docs.len()).map(end).collect();
        (last_docs, ends)
    } else {
        single_block(lists, entry)
    };
    each_block(lists, entry, cursor, ends, out, |bytes, count| {
        let (bits, freqs) = block_shape(bytes, count, lists.freqs_kept)?;
        Ok((Some(bits), freqs))
    })
}

fn blocks_v1(
    lists: &Lists<'_>,
    entry: &TermEntry,
    cursor: &mut PostingsCursor,
    out: &mut Vec<PartShape>,
) -> Result<(), ReadError> {
    let count = (entry.doc_freq as usize).div_ceil(BLOCK);
    let ends = if count > 1 {
        let region = lists.skips.read(entry.skips, entry.skips_len)?;
        let numbers = |from: usize| -> Option<Vec<u32>> {
            (from..from + count).map(|at| u32_at(region, at)).collect()
        };
        let short = || {
            lists
                .skips
                .malformed(Malformed("has skips of a wrong length"))
        };
        numbers(0).zip(numbers(count)).ok_or_else(short)?
    } else {
        single_block(lists, entry)
    };
    each_block(lists, entry, cursor, ends, out, |bytes, count| {
        if count < BLOCK {
            return Ok((None, None));
        }
        // 128 integers of a width are 16 bytes for each bit.
        let short = Malformed("has a block that ends too early");
        let bits = *bytes.first().ok_or(short)?;
        let freqs = match lists.freqs_kept {
            false => None,
            true => {
                let at = 1 + 16 * usize::from(bits);
                let freq_bits = *bytes.get(at).ok_or(short)?;
                Some(PatchedShape {
                    bits: u32::from(freq_bits),
                    patches: 0,
                    bytes: bytes.len() - at,
                })
            }
        };
        Ok((Some(u32::from(bits)), freqs))
    })
}

fn bitmaps(
    lists: &Lists<'_>,
    entry: &TermEntry,
    cursor: &mut PostingsCursor,
    out: &mut Vec<PartShape>,
) -> Result<(), ReadError> {
    const CELLS: u32 = WINDOW_DOCS / CELL_DOCS;
    let region = lists.skips.read(entry.skips, entry.skips_len)?;
    let skips = DenseSkips::open(
        region,
        lists.max_doc,
        lists.freqs_kept,
        lists.positions_kept,
    )
    .map_err(|what| lists.skips.malformed(what))?;
    for chunk in 0..skips.chunks() {
        let (start, end) = skips.chunk(region, chunk);
        if start >= end {
            continue;
        }
        let base = chunk as u32 * WINDOW_DOCS;
        let mut in_cells = [0usize; CELLS as usize];
        let mut bounds = ImpactSet::default();
        let after = base.saturating_add(WINDOW_DOCS);
        let (first_doc, last_doc, docs) = walk(cursor, base, after, |doc, impacts| {
            let cell = &mut in_cells[((doc - base) / CELL_DOCS) as usize];
            if *cell == 0 {
                impacts.iter().for_each(|impact| bounds.add(*impact));
            }
            *cell += 1;
        })?;
        let place = entry.payload.saturating_add(u64::from(start));
        let bytes = lists.postings.read(place, u64::from(end - start))?;
        let (mut freq_bits, mut patches) = (None, 0);
        for (cell, count) in in_cells.into_iter().enumerate() {
            if !lists.freqs_kept || count == 0 {
                continue;
            }
            let at = skips.freq_start(region, chunk * CELLS as usize + cell);
            let freqs = bytes.get(at..).unwrap_or(&[]);
            let take = |shape: PatchedShape| {
                let (least, most) = freq_bits.unwrap_or((shape.bits, shape.bits));
                freq_bits = Some((least.min(shape.bits), most.max(shape.bits)));
                patches += shape.patches as u32;
            };
            cell_shapes(freqs, count, take).map_err(|what| lists.postings.malformed(what))?;
        }
        out.push(PartShape {
            first_doc,
            last_doc,
            docs,
            bytes: u64::from(end - start),
            gap_bits: None,
            freq_bits,
            patches,
            impacts: bounds.capped(),
        });
    }
    Ok(())
}
