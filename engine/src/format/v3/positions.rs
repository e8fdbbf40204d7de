//! Positions of one term, codec 3 of the postings: block by block of its documents, so that the first position of a document is
//! found without adding anything up.
//!
//! A block has the positions of the documents of one block of a sparse list, or of one cell of a dense list; the skips tell where
//! it starts. Of a list without skips there is one block. It has a part for each 128 documents, the last for fewer; of several
//! parts, the end of each but the last comes first, 4 bytes each, from the start of the first part. A part of `n` documents that
//! have `r` occurrences besides the first of each:
//!
//! | what   | bytes   | meaning                                                                            |
//! |--------|--------:|------------------------------------------------------------------------------------|
//! | head   |       1 | bits of a first position (low 6 bits); bit 6: whether `r` is above 0                |
//! | more   |       … | `r`, a varint; only if it is above 0                                                |
//! | flags  |   ⌈n/8⌉ | bit `i % 8` of byte `i / 8`: whether the document of rank `i` has more positions; only if `r` is above 0 and `n` above 1 |
//! | firsts |       … | the first position of each document, in order of rank, packed                       |
//! | lasts  |   ⌈r/8⌉ | a bit for each gap: whether it is the last of its document; only if `n` is above 1  |
//! | widths | ⌈r/128⌉ | for each group of gaps, the bits of a gap                                           |
//! | gaps   |       … | of each document with more positions, the distance of each from the one before; in order, in packed groups of 128, the last shorter |
//!
//! So the positions of a document are found by counting flags and lasts; freqs are not needed. A cell without documents takes
//! no bytes.
//!
//! Worked example: documents with the positions 4; 2, 3 and 9; 0 are the head `43` (3 bits, more), 2 gaps, `02`, the flags `02`,
//! the firsts 4, 2, 0, which are `14 00`, the lasts `02`, one width of 3 bits, `03`, and the gaps 1, 6: `31`.

use crate::format::bytes::{ByteReader, Malformed, put_varint, u32_at};
use crate::format::v2::packing::{GROUP, pack, packed_len, unpack, width_of};
use crate::simd;

/// Bytes of the end of a part.
const ENDS: usize = 4;
/// Set in a head if some document has more than one position.
const MORE: u8 = 0x40;

/// Packs the positions of one term.
#[derive(Debug)]
pub(crate) struct PositionsEncoder {
    kept: bool,
    /// What was added and not encoded yet, from `first` and `gap` on.
    firsts: Vec<u32>,
    gaps: Vec<u32>,
    first: usize,
    gap: usize,
    /// Blocks ended.
    pub bytes: Vec<u8>,
}

impl PositionsEncoder {
    /// One that encodes nothing if positions are not `kept`.
    pub fn new(kept: bool) -> PositionsEncoder {
        PositionsEncoder {
            kept,
            firsts: Vec::new(),
            gaps: Vec::new(),
            first: 0,
            gap: 0,
            bytes: Vec::new(),
        }
    }

    /// Whether positions are kept.
    pub fn is_kept(&self) -> bool {
        self.kept
    }

    /// Begins a term.
    pub fn start(&mut self) {
        self.firsts.clear();
        self.gaps.clear();
        (self.first, self.gap) = (0, 0);
        self.bytes.clear();
    }

    /// Adds first positions of documents, and the gaps that follow in those that have more.
    pub fn add(&mut self, firsts: &[u32], gaps: &[u32]) {
        if self.first > 0 {
            self.firsts.drain(..self.first);
            self.gaps.drain(..self.gap);
            (self.first, self.gap) = (0, 0);
        }
        self.firsts.extend_from_slice(firsts);
        self.gaps.extend_from_slice(gaps);
    }

    /// Where the next block starts.
    pub fn place(&self) -> u32 {
        self.bytes.len() as u32
    }

    /// Encodes a block of the next documents, which have these freqs; their positions were added.
    pub fn block(&mut self, freqs: &[u32]) {
        if !self.kept || freqs.is_empty() {
            return;
        }
        let ends = self.bytes.len();
        let start = ends + ENDS * (freqs.len().div_ceil(GROUP) - 1);
        self.bytes.resize(start, 0);
        for (number, freqs) in freqs.chunks(GROUP).enumerate() {
            if number > 0 {
                let end = (self.bytes.len() - start) as u32;
                self.bytes[ends + ENDS * (number - 1)..][..ENDS]
                    .copy_from_slice(&end.to_le_bytes());
            }
            self.part(freqs);
        }
    }

    fn part(&mut self, freqs: &[u32]) {
        let more: usize = freqs.iter().map(|freq| *freq as usize - 1).sum();
        let firsts = self.first..self.first + freqs.len();
        let gaps = self.gap..self.gap + more;
        (self.first, self.gap) = (firsts.end, gaps.end);
        let (firsts, gaps) = (&self.firsts[firsts], &self.gaps[gaps]);
        let out = &mut self.bytes;
        let width = width_of(firsts);
        out.push(if more > 0 { MORE } else { 0 } | width as u8);
        if more > 0 {
            put_varint(out, more as u64);
        }
        let many = freqs.len() > 1 && more > 0;
        if many {
            let mut flags = 0u128;
            for (rank, freq) in freqs.iter().enumerate() {
                flags |= u128::from(*freq > 1) << rank;
            }
            out.extend_from_slice(&flags.to_le_bytes()[..freqs.len().div_ceil(8)]);
        }
        pack(firsts.iter().copied(), width, out);
        if many {
            let lasts = out.len();
            out.resize(lasts + more.div_ceil(8), 0);
            let mut gap = 0;
            for freq in freqs.iter().filter(|freq| **freq > 1) {
                gap += *freq as usize - 1;
                out[lasts + (gap - 1) / 8] |= 1 << ((gap - 1) % 8);
            }
        }
        let widths = out.len();
        out.resize(widths + gaps.len().div_ceil(GROUP), 0);
        for (number, group) in gaps.chunks(GROUP).enumerate() {
            let width = width_of(group);
            out[widths + number] = width as u8;
            pack(group.iter().copied(), width, out);
        }
    }
}

/// The positions of the documents of one part of a block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PositionsPart<'a> {
    /// By rank; above the ranks there are, of no meaning.
    flags: u128,
    /// From the firsts on; they may reach further.
    bytes: &'a [u8],
    docs: usize,
    /// Bits of a first.
    width: usize,
    /// How many gaps there are.
    more: usize,
}

impl<'a> PositionsPart<'a> {
    /// Where the part with the document of a rank begins in a block of so many documents, and how many are in it; `bytes` may
    /// reach further.
    #[inline]
    pub fn find(bytes: &[u8], docs: usize, rank: usize) -> Result<(usize, usize), Malformed> {
        if docs <= GROUP {
            return Ok((0, docs));
        }
        let number = rank / GROUP;
        let start = match number {
            0 => 0,
            number => u32_at(bytes, number - 1).ok_or(EARLY)? as usize,
        };
        let ends = ENDS * (docs.div_ceil(GROUP) - 1);
        let left = docs.saturating_sub(number * GROUP);
        Ok((ends + start, left.min(GROUP)))
    }

    /// Of so many documents, up to 128; `bytes` may reach further.
    #[inline]
    pub fn open(bytes: &'a [u8], docs: usize) -> Result<PositionsPart<'a>, Malformed> {
        let (head, mut bytes) = bytes.split_first().ok_or(EARLY)?;
        let width = usize::from(head & (MORE - 1));
        let (mut more, mut flags) = (0, 0);
        if head & MORE != 0 {
            (more, bytes) = take_number(bytes)?;
            flags = 1;
            if docs > 1 {
                flags = word_at(bytes);
                bytes = bytes.get(docs.div_ceil(8)..).ok_or(EARLY)?;
            }
        }
        if width > 32 || packed_len(docs, width as u32) > bytes.len() {
            return Err(EARLY);
        }
        Ok(PositionsPart {
            flags,
            bytes,
            docs,
            width,
            more,
        })
    }

    /// How many positions there are besides the first of each document.
    pub fn more(&self) -> usize {
        self.more
    }

    /// Visits the positions of the document with a rank in this part, ascending, until told to stop.
    #[inline]
    pub fn visit(&self, rank: usize, mut each: impl FnMut(u32) -> bool) -> Result<(), Malformed> {
        if rank >= self.docs {
            return Err(Malformed("has positions outside their block"));
        }
        let mut position = integer(self.bytes, rank, self.width);
        if !each(position) || self.flags >> rank & 1 == 0 {
            return Ok(());
        }
        let rest = self.rest()?;
        let first_gap = simd::kernels().scoring.first_gap;
        let mut gap = first_gap(self.flags, rank, rest.lasts);
        loop {
            let (group, width) = rest.group(gap / GROUP)?;
            let end = self.more.min((gap / GROUP + 1) * GROUP);
            if gap >= end {
                return Err(EARLY);
            }
            while gap < end {
                position = position.wrapping_add(integer(group, gap % GROUP, width));
                if !each(position) || gap + 1 == self.more || rest.is_last(gap) {
                    return Ok(());
                }
                gap += 1;
            }
        }
    }

    /// Appends the positions of the document with a rank in this part.
    pub fn read(&self, rank: usize, positions: &mut Vec<u32>) -> Result<(), Malformed> {
        self.visit(rank, |position| {
            positions.push(position);
            true
        })
    }

    /// What there is besides the firsts.
    fn rest(&self) -> Result<Rest<'a>, Malformed> {
        let bytes = self.bytes.get(packed_len(self.docs, self.width as u32)..);
        let lasts = if self.docs > 1 {
            self.more.div_ceil(8)
        } else {
            0
        };
        let (lasts, bytes) = bytes
            .and_then(|bytes| bytes.split_at_checked(lasts))
            .ok_or(EARLY)?;
        let (widths, gaps) = bytes
            .split_at_checked(self.more.div_ceil(GROUP))
            .ok_or(EARLY)?;
        Ok(Rest {
            lasts,
            widths,
            gaps,
        })
    }

    /// Appends all first positions, and all gaps; answers how many bytes there are behind the part, of those it was opened with.
    pub fn unpack(&self, firsts: &mut Vec<u32>, gaps: &mut Vec<u32>) -> Result<usize, Malformed> {
        unpack_all(self.bytes, self.docs, |_| Ok(self.width as u32), firsts)?;
        let rest = self.rest()?;
        let width = |group: usize| rest.widths.get(group).map(|w| u32::from(*w)).ok_or(EARLY);
        Ok(unpack_all(rest.gaps, self.more, width, gaps)?.len())
    }

    /// Bits of a first, and of a gap in each group.
    pub fn widths(&self) -> Result<(u8, &'a [u8]), Malformed> {
        Ok((self.width as u8, self.rest()?.widths))
    }
}

/// A varint, and the bytes behind it.
#[inline]
fn take_number(bytes: &[u8]) -> Result<(usize, &[u8]), Malformed> {
    // Most have one or two bytes.
    match bytes {
        [low @ 0..0x80, rest @ ..] => Ok((usize::from(*low), rest)),
        [low, high @ 0..0x80, rest @ ..] => {
            Ok((usize::from(*low & 0x7f) | usize::from(*high) << 7, rest))
        }
        bytes => {
            let mut reader = ByteReader::new(bytes);
            let number = reader.varint_len()?;
            Ok((number, &bytes[bytes.len() - reader.remaining()..]))
        }
    }
}

/// Sixteen bytes, of which those past the end are zero.
#[inline]
fn word_at(bytes: &[u8]) -> u128 {
    match bytes.first_chunk::<16>() {
        Some(word) => u128::from_le_bytes(*word),
        None => bytes
            .iter()
            .rev()
            .fold(0, |word, byte| word << 8 | u128::from(*byte)),
    }
}

/// Appends packed integers, of which each group has a width; answers the bytes behind them.
fn unpack_all<'a>(
    mut bytes: &'a [u8],
    mut left: usize,
    width_of: impl Fn(usize) -> Result<u32, Malformed>,
    out: &mut Vec<u32>,
) -> Result<&'a [u8], Malformed> {
    let mut values = [0; GROUP];
    let mut group = 0;
    while left > 0 {
        let count = left.min(GROUP);
        let len = unpack(bytes, count, width_of(group)?, &mut values)?;
        out.extend_from_slice(&values[..count]);
        (bytes, left, group) = (&bytes[len..], left - count, group + 1);
    }
    Ok(bytes)
}

/// Gaps of a part.
struct Rest<'a> {
    lasts: &'a [u8],
    widths: &'a [u8],
    gaps: &'a [u8],
}

impl<'a> Rest<'a> {
    /// Whether a gap is the last of its document.
    #[inline]
    fn is_last(&self, gap: usize) -> bool {
        let byte = self.lasts.get(gap / 8);
        byte.is_some_and(|byte| byte >> (gap % 8) & 1 != 0)
    }

    /// The bytes of a group, which may reach further, and its width.
    #[inline]
    fn group(&self, number: usize) -> Result<(&'a [u8], usize), Malformed> {
        let (Some(before), Some(width)) = (self.widths.get(..number), self.widths.get(number))
        else {
            return Err(EARLY);
        };
        // A full group takes 16 bytes for each bit of its width.
        let bits: usize = before.iter().map(|width| usize::from(*width)).sum();
        let bytes = self.gaps.get(packed_len(GROUP, 1) * bits..).ok_or(EARLY)?;
        match usize::from(*width) {
            width @ 0..=32 => Ok((bytes, width)),
            _ => Err(Malformed("has positions wider than 32 bits")),
        }
    }
}

const EARLY: Malformed = Malformed("has positions that end too early");

/// One of the packed integers of a width up to 32; what lies past the end is zero.
#[inline]
fn integer(packed: &[u8], number: usize, width: usize) -> u32 {
    let bit = number * width;
    let bytes = packed.get(bit / 8..).unwrap_or(&[]);
    // Eight bytes hold any integer of up to 32 bits, wherever it begins.
    let word = match bytes.first_chunk::<8>() {
        Some(word) => u64::from_le_bytes(*word),
        None => last_word(bytes),
    };
    (word >> (bit % 8) & ((1 << width) - 1)) as u32
}

#[cold]
fn last_word(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    word[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Adds documents by their positions.
    fn add(encoder: &mut PositionsEncoder, docs: &[Vec<u32>]) {
        for positions in docs {
            let gaps: Vec<u32> = positions.windows(2).map(|pair| pair[1] - pair[0]).collect();
            encoder.add(&positions[..1], &gaps);
        }
    }

    fn freqs(docs: &[Vec<u32>]) -> Vec<u32> {
        docs.iter()
            .map(|positions| positions.len() as u32)
            .collect()
    }

    #[test]
    fn the_example_of_the_page() {
        let docs = [vec![4], vec![2, 3, 9], vec![0]];
        let mut encoder = PositionsEncoder::new(true);
        encoder.start();
        add(&mut encoder, &docs);
        encoder.block(&freqs(&docs));
        assert_eq!(encoder.bytes, [0x43, 2, 2, 0x14, 0, 2, 3, 0x31]);
    }

    fn documents() -> impl Strategy<Value = Vec<Vec<u32>>> {
        let more = proptest::collection::vec(1u32..3000, 0..200);
        let some = prop_oneof![3 => Just(Vec::new()), 1 => more];
        let one = (0u32..5000, some).prop_map(|(first, gaps)| {
            let mut positions = vec![first];
            for gap in gaps {
                positions.push(positions[positions.len() - 1] + gap);
            }
            positions
        });
        proptest::collection::vec(one, 1..700)
    }

    /// That a part has these documents; answers how many bytes are behind it.
    fn check(part: &PositionsPart<'_>, docs: &[Vec<u32>]) -> usize {
        let (mut firsts, mut gaps) = (Vec::new(), Vec::new());
        for (rank, doc) in docs.iter().enumerate() {
            for most in [usize::MAX, 3] {
                let mut found = Vec::new();
                let each = |position| {
                    found.push(position);
                    found.len() < most
                };
                part.visit(rank, each).unwrap();
                assert_eq!(found[..], doc[..doc.len().min(most)]);
            }
            firsts.push(doc[0]);
            gaps.extend(doc.windows(2).map(|pair| pair[1] - pair[0]));
        }
        assert_eq!(part.more(), gaps.len());
        assert_eq!(part.widths().unwrap().1.len(), gaps.len().div_ceil(128));
        let (mut all_firsts, mut all_gaps) = (Vec::new(), Vec::new());
        let left = part.unpack(&mut all_firsts, &mut all_gaps).unwrap();
        assert_eq!((all_firsts, all_gaps), (firsts, gaps));
        left
    }

    proptest! {
        #[test]
        fn positions_come_back(docs in documents(), block in 1usize..520, slack in 0usize..30) {
            let mut encoder = PositionsEncoder::new(true);
            encoder.start();
            let mut places = Vec::new();
            // Added in other pieces than they are encoded in.
            let (mut added, mut done) = (0, 0);
            while done < docs.len() {
                let end = docs.len().min(done + block);
                let upto = docs.len().min(end + end % 7);
                if added < upto {
                    add(&mut encoder, &docs[added..upto]);
                    added = upto;
                }
                places.push(encoder.place() as usize);
                encoder.block(&freqs(&docs[done..end]));
                done = end;
            }
            let mut bytes = encoder.bytes.clone();
            places.push(bytes.len());
            bytes.resize(bytes.len() + slack, 0xa5);
            for (number, docs) in docs.chunks(block).enumerate() {
                let mut left = 0;
                for (part, own) in docs.chunks(128).enumerate() {
                    let block = &bytes[places[number]..];
                    let (start, count) = PositionsPart::find(block, docs.len(), 128 * part).unwrap();
                    prop_assert_eq!(count, own.len());
                    left = check(&PositionsPart::open(&block[start..], count).unwrap(), own);
                }
                prop_assert_eq!(left, bytes.len() - places[number + 1]);
            }
        }

        #[test]
        fn any_bytes_are_an_answer_or_an_error(
            bytes: Vec<u8>,
            docs in 1usize..=512,
            rank in 0usize..600,
        ) {
            if let Ok((start, count)) = PositionsPart::find(&bytes, docs, rank)
                && let Ok(part) = PositionsPart::open(bytes.get(start..).unwrap_or(&[]), count)
            {
                let mut left = 1000;
                let _ = part.visit(rank % 128, |_| { left -= 1; left > 0 });
                let _ = part.unpack(&mut Vec::new(), &mut Vec::new());
                let _ = part.widths();
            }
        }
    }
}
