//! Stored documents, merged.

use super::{DROPPED, Merge};
use crate::format::envelope::{EnvelopeWriter, SectionKind};
use crate::format::v1::stored::{StoredWriter, decode_record, put_field, put_record};
use crate::segment::{FieldInfo, MergeError, SegmentReader};

/// zstd level of a merged segment: it stays for long.
const MERGED_LEVEL: i32 = 3;

impl Merge<'_> {
    pub(super) fn merge_stored(
        &self,
        infos: &[FieldInfo],
        out: &mut EnvelopeWriter<'_>,
    ) -> Result<(), MergeError> {
        out.begin(SectionKind::StoredData, None);
        let mut writer = StoredWriter::new(MERGED_LEVEL)?;
        let mut renumbered = Vec::new();
        for (input, reader) in self.readers() {
            let map = &self.doc_map[input];
            let numbers = new_numbers(reader, infos);
            let same = numbers
                .iter()
                .enumerate()
                .all(|(old, new)| old as u32 == *new);
            let stored = reader.stored_reader();
            for block in 0..stored.block_count() {
                self.check_cancel()?;
                stored.for_each_in_block(block, |doc, record| {
                    if map.get(doc as usize).copied().unwrap_or(DROPPED) == DROPPED {
                        return Ok(());
                    }
                    if same {
                        return Ok(writer.push(out, record)?);
                    }
                    let record = decode_record(record).map_err(|what| stored.malformed(what))?;
                    renumbered.clear();
                    put_record(
                        &mut renumbered,
                        record.id,
                        record.routing,
                        record.source,
                        record.fields.len(),
                    );
                    for (number, values) in &record.fields {
                        let new = numbers.get(*number as usize).copied().unwrap_or(u32::MAX);
                        put_field(&mut renumbered, new, values);
                    }
                    Ok::<(), MergeError>(writer.push(out, &renumbered)?)
                })?;
            }
        }
        let index = writer.finish(out)?;
        out.end()?;
        Ok(out.section(SectionKind::StoredIndex, None, &index)?)
    }
}

/// The number in the new segment of each field of an input.
fn new_numbers(reader: &SegmentReader, infos: &[FieldInfo]) -> Vec<u32> {
    let number = |field: &FieldInfo| infos.binary_search_by(|info| info.path.cmp(&field.path));
    let fields = reader.fields().iter();
    fields
        .map(|field| number(field).map_or(u32::MAX, |number| number as u32))
        .collect()
}
