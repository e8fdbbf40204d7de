//! Stored documents, merged.

use super::{DROPPED, Merge};
use crate::format::envelope::{EnvelopeWriter, SectionKind};
use crate::format::v1::stored::{StoredWriter, decode_record, put_field, put_record};
use crate::segment::{FieldInfo, MergeError, SegmentReader, StoredReader};

/// Bytes of documents that are held in memory at once while documents change their order.
const PART_BYTES: u64 = if cfg!(test) { 1 << 10 } else { 256 << 20 };
/// An input with fewer blocks is packed anew: copied, the last of each, a short one, would stay for ever.
const BLOCKS_WORTH_COPYING: usize = 8;

impl Merge<'_> {
    pub(super) fn merge_stored(
        &self,
        infos: &[FieldInfo],
        out: &mut EnvelopeWriter<'_>,
    ) -> Result<(), MergeError> {
        out.begin(SectionKind::StoredData, None);
        let mut writer = StoredWriter::new()?;
        let inputs: Vec<StoredInput<'_>> = self
            .readers()
            .map(|(input, reader)| StoredInput::new(reader, &self.doc_map[input], infos))
            .collect();
        if self.reordered {
            self.store_reordered(&inputs, &mut writer, out)?;
        } else {
            for input in &inputs {
                self.store_in_order(input, &mut writer, out)?;
            }
        }
        let index = writer.finish(out)?;
        out.end()?;
        Ok(out.section(SectionKind::StoredIndex, None, &index)?)
    }

    fn store_in_order(
        &self,
        input: &StoredInput<'_>,
        writer: &mut StoredWriter,
        out: &mut EnvelopeWriter<'_>,
    ) -> Result<(), MergeError> {
        let stored = input.stored;
        let copies = input.same_numbers && stored.block_count() >= BLOCKS_WORTH_COPYING;
        for number in 0..stored.block_count() {
            self.check_cancel()?;
            let docs = stored.docs_of(number)?;
            let map = input.map.get(docs.start as usize..docs.end as usize);
            let whole = map.is_some_and(|map| map.iter().all(|new| *new != DROPPED));
            if copies && whole {
                let (frame, raw_len) = stored.frame(number)?;
                writer.push_block(out, frame, raw_len, docs.end - docs.start)?;
                continue;
            }
            input.for_each_live(number, |_, record| Ok(writer.push(out, record)?))?;
        }
        Ok(())
    }

    /// Writes documents that are not in order, a part of the new ones at a time.
    fn store_reordered(
        &self,
        inputs: &[StoredInput<'_>],
        writer: &mut StoredWriter,
        out: &mut EnvelopeWriter<'_>,
    ) -> Result<(), MergeError> {
        let mut bytes = 0u64;
        for input in inputs {
            for number in 0..input.stored.block_count() {
                bytes = bytes.saturating_add(input.stored.frame(number)?.1);
            }
        }
        let parts = bytes.div_ceil(PART_BYTES).clamp(1, u64::from(self.max_doc));
        let docs_per_part = self.max_doc.div_ceil(parts as u32);
        let mut records = Vec::new();
        let mut places = Vec::new();
        for first in (0..self.max_doc).step_by(docs_per_part as usize) {
            let part = first..self.max_doc.min(first.saturating_add(docs_per_part));
            records.clear();
            places.clear();
            places.resize(part.len(), 0..0);
            for input in inputs {
                for number in 0..input.stored.block_count() {
                    self.check_cancel()?;
                    let docs = input.stored.docs_of(number)?;
                    let map = input.map.get(docs.start as usize..docs.end as usize);
                    if !map.is_some_and(|map| map.iter().any(|new| part.contains(new))) {
                        continue;
                    }
                    input.for_each_live(number, |new, record| {
                        if part.contains(&new) {
                            let start = records.len();
                            records.extend_from_slice(record);
                            places[(new - part.start) as usize] = start..records.len();
                        }
                        Ok(())
                    })?;
                }
            }
            for place in &places {
                writer.push(out, &records[place.clone()])?;
            }
        }
        Ok(())
    }
}

/// The stored documents of one input.
struct StoredInput<'a> {
    stored: &'a StoredReader,
    map: &'a [u32],
    /// The number in the new segment of each of its fields.
    numbers: Vec<u32>,
    same_numbers: bool,
}

impl<'a> StoredInput<'a> {
    fn new(reader: &'a SegmentReader, map: &'a [u32], infos: &[FieldInfo]) -> Self {
        let number = |field: &FieldInfo| infos.binary_search_by(|info| info.path.cmp(&field.path));
        let fields = reader.fields().iter();
        let numbers: Vec<u32> = fields
            .map(|field| number(field).map_or(u32::MAX, |number| number as u32))
            .collect();
        let mut same = numbers.iter().enumerate();
        StoredInput {
            stored: reader.stored_reader(),
            map,
            same_numbers: same.all(|(old, new)| old as u32 == *new),
            numbers,
        }
    }

    /// Calls back with the new id of every live document of a block and its record, fields numbered anew.
    fn for_each_live(
        &self,
        number: usize,
        mut each: impl FnMut(u32, &[u8]) -> Result<(), MergeError>,
    ) -> Result<(), MergeError> {
        let mut renumbered = Vec::new();
        self.stored.for_each_in_block(number, |doc, record| {
            let new = self.map.get(doc as usize).copied().unwrap_or(DROPPED);
            if new == DROPPED {
                return Ok(());
            }
            if self.same_numbers {
                return each(new, record);
            }
            let record = decode_record(record).map_err(|what| self.stored.malformed(what))?;
            renumbered.clear();
            put_record(
                &mut renumbered,
                record.id,
                record.routing,
                record.source,
                record.fields.len(),
            );
            for (number, values) in &record.fields {
                let number = self.numbers.get(*number as usize);
                put_field(&mut renumbered, number.copied().unwrap_or(u32::MAX), values);
            }
            each(new, &renumbered)
        })
    }
}
