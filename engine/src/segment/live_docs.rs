//! # Live documents, `<segment>_<generation>.del`
//! Which documents of a segment are dead; a small file beside the segment, written anew for every change. Little-endian.
//!
//! | offset | bytes | field         | meaning                                                   |
//! |-------:|------:|---------------|-----------------------------------------------------------|
//! |      0 |     8 | magic         | `"QDDEL\r\n\x1a"`                                         |
//! |      8 |     2 | version       | 1                                                         |
//! |     10 |     2 | reserved      | zero                                                      |
//! |     12 |     4 | max_doc       | of the segment                                            |
//! |     16 |    16 | segment       | the segment's id                                          |
//! |     32 |     8 | deleted_count |                                                           |
//! |     40 |     … | deleted       | the dead documents, in the portable format of Roaring bitmaps |
//! |    end |     4 | crc32c        | of every byte before it                                   |
//!
//! Worked example: nobody dead is the 40 bytes, `3a 30 00 00 00 00 00 00` (no container), and the checksum.

use roaring::RoaringBitmap;

use super::{OpenSegmentError, WINDOW_DOCS, Window};
use crate::format::bytes::{ByteReader, Malformed};
use crate::format::envelope::crc32c;
use crate::ids::{DocId, SegmentId};
use crate::simd;
use crate::simd::scoring::STRETCH_DOCS;

const MAGIC: &[u8; 8] = b"QDDEL\r\n\x1a";
const VERSION: u16 = 1;

/// Which documents of a segment are dead.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveDocs {
    max_doc: u32,
    deleted: RoaringBitmap,
    /// The same as one bit a document, whole stretches: searches ask for single documents, millions of times.
    dead: Box<[u64]>,
}

impl LiveDocs {
    /// Of a segment with `max_doc` documents; entries of `deleted` past it are dropped.
    pub fn new(max_doc: u32, mut deleted: RoaringBitmap) -> LiveDocs {
        deleted.remove_range(max_doc..);
        let stretches = max_doc.div_ceil(STRETCH_DOCS) as usize;
        let mut dead = vec![0; stretches * (STRETCH_DOCS / 64) as usize];
        for doc in &deleted {
            dead[doc as usize / 64] |= 1 << (doc % 64);
        }
        LiveDocs {
            max_doc,
            deleted,
            dead: dead.into(),
        }
    }

    /// Documents of the segment, dead ones included.
    pub fn max_doc(&self) -> u32 {
        self.max_doc
    }

    /// Number of dead documents.
    pub fn deleted_count(&self) -> u32 {
        self.deleted.len() as u32
    }

    /// Number of live documents.
    pub fn live_count(&self) -> u32 {
        self.max_doc - self.deleted_count()
    }

    /// Whether a document is alive.
    #[inline]
    pub fn is_live(&self, doc: DocId) -> bool {
        let word = self.dead.get(doc.0 as usize / 64);
        doc.0 < self.max_doc && word.is_some_and(|word| word >> (doc.0 % 64) & 1 == 0)
    }

    /// The dead documents.
    pub fn deleted(&self) -> &RoaringBitmap {
        &self.deleted
    }

    /// Takes the dead documents of the window at `base` (a multiple of 4096) out of `bits`.
    pub fn mask_window(&self, base: DocId, bits: &mut Window) {
        if let Some(dead) = self.dead_of_window(base.0) {
            (simd::kernels().and_not)(&mut bits.words, dead);
        }
    }

    /// How many documents of the window at `base` are alive.
    pub(crate) fn count_window(&self, base: u32, words: &[u64; 64]) -> u32 {
        let dead = self.dead_of_window(base);
        dead.map_or(0, |dead| (simd::kernels().count_without)(words, dead))
    }

    /// The dead documents of the window at `base`; `None` past the last document.
    fn dead_of_window(&self, base: u32) -> Option<&[u64; 64]> {
        let (windows, _) = self.dead.as_chunks();
        windows.get((base / WINDOW_DOCS) as usize)
    }

    /// Which slots of a block have dead documents, of which none is before `first` or after `last`.
    pub(crate) fn dead_among(&self, docs: &[u32; 128], first: u32, last: u32) -> u128 {
        let mut dead = 0;
        let (stretches, _) = self.dead.as_chunks();
        for stretch in first / STRETCH_DOCS..=last / STRETCH_DOCS {
            if let Some(bits) = stretches.get(stretch as usize) {
                dead |= (simd::kernels().scoring.among)(docs, stretch * STRETCH_DOCS, bits);
            }
        }
        dead
    }

    /// The bytes of the side file.
    pub fn encode(&self, segment: SegmentId) -> Vec<u8> {
        let mut out = Vec::with_capacity(48 + self.deleted.serialized_size());
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&[0; 2]);
        out.extend_from_slice(&self.max_doc.to_le_bytes());
        out.extend_from_slice(&segment.0.to_le_bytes());
        out.extend_from_slice(&self.deleted.len().to_le_bytes());
        self.deleted
            .serialize_into(&mut out)
            .expect("writing to a Vec cannot fail");
        let crc = crc32c(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out
    }

    /// Reads a side file, which must belong to this segment.
    pub fn decode(
        segment: SegmentId,
        max_doc: u32,
        bytes: &[u8],
    ) -> Result<LiveDocs, OpenSegmentError> {
        let damaged = |what: Malformed| OpenSegmentError::Damaged {
            segment,
            section: "live docs file".to_owned(),
            what: what.0.to_owned(),
        };
        let short = damaged(Malformed("is cut short"));
        let (body, crc) = bytes.split_last_chunk::<4>().ok_or(short)?;
        if crc32c(body) != u32::from_le_bytes(*crc) {
            return Err(damaged(Malformed("has a wrong checksum")));
        }
        let mut reader = ByteReader::new(body);
        if reader.take(8).map_err(damaged)? != MAGIC {
            return Err(damaged(Malformed("has no magic")));
        }
        let version = reader.u16().map_err(damaged)?;
        if version != VERSION {
            return Err(OpenSegmentError::UnsupportedFormat {
                segment,
                found: version,
                oldest: VERSION,
                newest: VERSION,
            });
        }
        reader.take(2).map_err(damaged)?;
        let found_max_doc = reader.u32().map_err(damaged)?;
        let low = reader.u64().map_err(damaged)?;
        let high = reader.u64().map_err(damaged)?;
        let found = SegmentId(u128::from(low) | u128::from(high) << 64);
        if found != segment {
            return Err(OpenSegmentError::OtherSegment { segment, found });
        }
        let count = reader.u64().map_err(damaged)?;
        let rest = reader.take(reader.remaining()).map_err(damaged)?;
        let deleted = RoaringBitmap::deserialize_from(rest)
            .map_err(|_| damaged(Malformed("has a broken bitmap")))?;
        let inside = deleted.max().is_none_or(|last| last < max_doc);
        if found_max_doc != max_doc || deleted.len() != count || !inside {
            return Err(damaged(Malformed("has wrong counts")));
        }
        Ok(LiveDocs::new(max_doc, deleted))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SEGMENT: SegmentId = SegmentId(7 << 100 | 3);

    fn some_dead() -> LiveDocs {
        LiveDocs::new(10_000, (0..10_000).step_by(3).chain([20_000]).collect())
    }

    #[test]
    fn comes_back_from_its_bytes() {
        let live = some_dead();
        assert_eq!(live.deleted_count(), 3334);
        assert!(!live.is_live(DocId(3)) && live.is_live(DocId(4)) && !live.is_live(DocId(10_000)));
        let bytes = live.encode(SEGMENT);
        assert_eq!(LiveDocs::decode(SEGMENT, 10_000, &bytes).unwrap(), live);
        assert!(LiveDocs::decode(SegmentId(1), 10_000, &bytes).is_err());
        assert!(LiveDocs::decode(SEGMENT, 9_999, &bytes).is_err());
    }

    proptest! {
        #[test]
        fn the_dead_of_a_block_are_found_in_every_stretch(
            dead in proptest::collection::btree_set(0u32..200_000, 0..300),
            docs in proptest::collection::vec(0u32..200_000, 128),
        ) {
            let mut docs: [u32; 128] = docs.try_into().unwrap();
            // Most blocks of a test have no dead document by chance.
            for (slot, doc) in docs.iter_mut().zip(&dead) {
                *slot = *doc;
            }
            docs.sort_unstable();
            let live = LiveDocs::new(200_000, dead.iter().copied().collect());
            let found = live.dead_among(&docs, docs[0], docs[127]);
            for (slot, doc) in docs.iter().enumerate() {
                prop_assert_eq!(found >> slot & 1 != 0, dead.contains(doc));
            }
        }
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_found() {
        let bytes = LiveDocs::new(100, [5, 7].into_iter().collect()).encode(SEGMENT);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(
                LiveDocs::decode(SEGMENT, 100, &flipped).is_err(),
                "bit {bit}"
            );
        }
        for len in 0..bytes.len() {
            assert!(LiveDocs::decode(SEGMENT, 100, &bytes[..len]).is_err());
        }
    }

    proptest! {
        #[test]
        fn bytes_that_nobody_wrote_are_refused_or_in_bounds(
            bitmap in proptest::collection::vec(any::<u8>(), 0..120),
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        ) {
            // Once a bitmap of any bytes, once a sound file with some changed; the checksum is right both times.
            let sound = some_dead().encode(SEGMENT);
            let mut changed = sound[..sound.len() - 4].to_vec();
            for (place, value) in changes {
                let place = place.index(changed.len());
                changed[place] = value;
            }
            let header = sound.len() - 4 - some_dead().deleted.serialized_size();
            for mut file in [[&sound[..header], &bitmap].concat(), changed] {
                let _ = LiveDocs::decode(SEGMENT, 10_000, &file);
                let crc = crc32c(&file);
                file.extend_from_slice(&crc.to_le_bytes());
                if let Ok(live) = LiveDocs::decode(SEGMENT, 10_000, &file) {
                    prop_assert!(live.deleted().iter().all(|doc| doc < 10_000));
                    prop_assert_eq!(live.deleted().iter().count(), live.deleted_count() as usize);
                }
            }
        }
    }

    #[test]
    fn masks_its_window_only() {
        let live = LiveDocs::new(10_000, [1, 4096, 5000].into_iter().collect());
        let mut bits = Window::full();
        live.mask_window(DocId(4096), &mut bits);
        assert_eq!(bits.count(), 4094);
        assert!(!bits.contains(0) && !bits.contains(5000 - 4096) && bits.contains(1));
    }
}
