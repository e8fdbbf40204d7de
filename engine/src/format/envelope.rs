//! # Segment file, `<segment>.qsg`
//! One immutable file per segment: a header, sections, a table of the sections, a footer. Little-endian.
//!
//! | offset | bytes | part     | meaning                                                              |
//! |-------:|------:|----------|----------------------------------------------------------------------|
//! |      0 |    64 | header   | see below                                                            |
//! |     64 |     … | sections | each at a multiple of 64; the gap after each is zero                 |
//! |      … |     … | page sums| the last section: CRC-32C of every 64 KiB page before it             |
//! |      … | 32·n  | table    | one entry per section, in order of offset                            |
//! |   −64  |    64 | footer   | see below                                                            |
//!
//! Header:
//!
//! | offset | bytes | field    | meaning                                              |
//! |-------:|------:|----------|------------------------------------------------------|
//! |      0 |     8 | magic    | `"QDSEG\r\n\x1a"`: a copy made in text mode breaks it |
//! |      8 |     2 | version  | 1                                                    |
//! |     10 |     2 | reserved | zero                                                 |
//! |     12 |     4 | max_doc  | number of documents; at most 2^32 − 2                |
//! |     16 |    16 | segment  | the segment's id                                     |
//! |     32 |    28 | reserved | zero                                                 |
//! |     60 |     4 | crc32c   | of the 60 bytes before                               |
//!
//! Table entry:
//!
//! | offset | bytes | field    | meaning                                              |
//! |-------:|------:|----------|------------------------------------------------------|
//! |      0 |     2 | kind     | see [`SectionKind`]                                  |
//! |      2 |     2 | codec    | version of the section's own format: see below       |
//! |      4 |     4 | field    | number of the field, `0xffff_ffff` for none          |
//! |      8 |     8 | offset   | from the start of the file                           |
//! |     16 |     8 | length   | without the gap                                      |
//! |     24 |     4 | crc32c   | of the section                                       |
//! |     28 |     4 | reserved | zero                                                 |
//!
//! Footer:
//!
//! | offset | bytes | field         | meaning                                         |
//! |-------:|------:|---------------|-------------------------------------------------|
//! |      0 |     8 | magic         | `"QDEND\r\n\x1a"`                               |
//! |      8 |     2 | version       | as in the header; place fixed for all versions  |
//! |     10 |     2 | reserved      | zero                                            |
//! |     12 |     4 | section_count |                                                 |
//! |     16 |     8 | table_offset  |                                                 |
//! |     24 |     8 | file_len      |                                                 |
//! |     32 |     4 | table_crc32c  |                                                 |
//! |     36 |     4 | reserved      | zero                                            |
//! |     40 |    16 | segment       | the segment's id                                |
//! |     56 |     4 | reserved      | zero                                            |
//! |     60 |     4 | crc32c        | of the 60 bytes before; place fixed             |
//!
//! Opening checks footer, header, table and page sums. Every other byte lies in a page, and a page is checked when
//! the first read touches it; so a damaged byte is found before it is served, and opening touches little. The
//! sums of whole sections are what copies compare, and what `verify` checks together with all gaps.
//!
//! | version | since | change | reader       |
//! |--------:|-------|--------|--------------|
//! |       1 | 0.1   | first  | `format::v1` |
//!
//! Each kind of section has a format of its own, which `codec` numbers; [`SectionKind::newest_codec`] is what is written,
//! and every one from 1 up to it is read.
//!
//! Worked example: a file with one section of 3 bytes, `01 02 03`, has the header at 0, the section at 64, zeros from 67 to 127,
//! the page sums (one of 4 bytes, over bytes 0..128) at 128, zeros from 132 to 191, the table with two entries at
//! 192, the footer at 256, and is 320 bytes long.

use std::io::{self, Write};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::bytes::{ByteReader, Malformed, u32_at};
use crate::directory::ByteView;
use crate::ids::SegmentId;
use crate::segment::{OpenSegmentError, ReadError, VerifyError};

const HEADER_MAGIC: &[u8; 8] = b"QDSEG\r\n\x1a";
const FOOTER_MAGIC: &[u8; 8] = b"QDEND\r\n\x1a";
const VERSION: u16 = 1;
const HEADER_BYTES: usize = 64;
const FOOTER_BYTES: usize = 64;
const ENTRY_BYTES: usize = 32;
const ALIGNMENT: u64 = 64;
const PAGE_BYTES: usize = 64 * 1024;
/// Bytes that a reader may look at behind those that it asked for.
const READ_AHEAD: usize = 64;
/// What an entry has for a field that it has not.
pub(crate) const NO_FIELD: u32 = u32::MAX;

const _: () = assert!(8 + 2 + 2 + 4 + 16 + 28 + 4 == HEADER_BYTES);
const _: () = assert!(8 + 2 + 2 + 4 + 8 + 8 + 4 + 4 + 16 + 4 + 4 == FOOTER_BYTES);
const _: () = assert!(2 + 2 + 4 + 8 + 8 + 4 + 4 == ENTRY_BYTES);

/// CRC-32C of bytes.
pub(crate) fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(bytes)
}

/// What lies in a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SectionKind {
    /// The list of fields.
    Fields = 1,
    /// Block of terms by first key.
    TermIndex = 2,
    /// Terms and what is known of each.
    TermBlocks = 3,
    /// Documents, frequencies, positions of terms.
    Postings = 4,
    /// Where the blocks of long postings are, and bounds on their scores.
    Skips = 5,
    /// Lengths.
    Norms = 6,
    /// A numeric column.
    Numeric = 7,
    /// An ordinal column.
    Ordinals = 8,
    /// Numbers in order of value.
    Points = 9,
    /// Blocks of stored documents.
    StoredData = 10,
    /// Where these are.
    StoredIndex = 11,
    /// Which `_id`s may be here.
    IdFilter = 12,
    /// Checksums of pages.
    PageSums = 13,
}

impl SectionKind {
    const ALL: [(SectionKind, &'static str); 13] = [
        (SectionKind::Fields, "fields"),
        (SectionKind::TermIndex, "term index"),
        (SectionKind::TermBlocks, "term blocks"),
        (SectionKind::Postings, "postings"),
        (SectionKind::Skips, "skips"),
        (SectionKind::Norms, "norms"),
        (SectionKind::Numeric, "numeric column"),
        (SectionKind::Ordinals, "ordinal column"),
        (SectionKind::Points, "points"),
        (SectionKind::StoredData, "stored data"),
        (SectionKind::StoredIndex, "stored index"),
        (SectionKind::IdFilter, "id filter"),
        (SectionKind::PageSums, "page sums"),
    ];

    /// The format in which sections of this kind are written; older ones, from 1 on, are still read.
    pub fn newest_codec(self) -> u16 {
        match self {
            SectionKind::Postings | SectionKind::Skips => 3,
            SectionKind::Numeric | SectionKind::Ordinals => 2,
            _ => 1,
        }
    }

    fn from_code(code: u16) -> Option<SectionKind> {
        let row = Self::ALL.get(usize::from(code).checked_sub(1)?)?;
        Some(row.0)
    }

    /// What people call it.
    pub fn name(self) -> &'static str {
        Self::ALL[self as usize - 1].1
    }
}

/// One row of the section table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SectionEntry {
    /// What lies there.
    pub kind: SectionKind,
    /// In which format.
    pub codec: u16,
    /// Number of the field it belongs to.
    pub field: Option<u32>,
    /// First byte in the file.
    pub offset: u64,
    /// Length in bytes.
    pub len: u64,
    /// CRC-32C of the section.
    pub crc32c: u32,
}

/// Writes a segment file from its first byte to its last, in pages.
pub(crate) struct EnvelopeWriter<'a> {
    out: &'a mut dyn Write,
    id: SegmentId,
    page: Vec<u8>,
    page_sums: Vec<u8>,
    entries: Vec<SectionEntry>,
    open: Option<(SectionKind, u32, u64, crc_fast::Digest)>,
    written: u64,
}

impl<'a> EnvelopeWriter<'a> {
    pub fn new(out: &'a mut dyn Write, id: SegmentId, max_doc: u32) -> io::Result<Self> {
        let mut header = Vec::with_capacity(HEADER_BYTES);
        header.extend_from_slice(HEADER_MAGIC);
        header.extend_from_slice(&VERSION.to_le_bytes());
        header.extend_from_slice(&[0; 2]);
        header.extend_from_slice(&max_doc.to_le_bytes());
        header.extend_from_slice(&id.0.to_le_bytes());
        header.extend_from_slice(&[0; 28]);
        let crc = crc32c(&header);
        header.extend_from_slice(&crc.to_le_bytes());
        let mut writer = EnvelopeWriter {
            out,
            id,
            page: Vec::with_capacity(PAGE_BYTES),
            page_sums: Vec::new(),
            entries: Vec::new(),
            open: None,
            written: 0,
        };
        writer.put(&header)?;
        Ok(writer)
    }

    fn put(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        self.written += bytes.len() as u64;
        while !bytes.is_empty() {
            let room = PAGE_BYTES - self.page.len();
            let (now, rest) = bytes.split_at(room.min(bytes.len()));
            self.page.extend_from_slice(now);
            bytes = rest;
            if self.page.len() == PAGE_BYTES {
                self.end_page()?;
            }
        }
        Ok(())
    }

    fn end_page(&mut self) -> io::Result<()> {
        if !self.page.is_empty() {
            self.page_sums
                .extend_from_slice(&crc32c(&self.page).to_le_bytes());
            self.out.write_all(&self.page)?;
            self.page.clear();
        }
        Ok(())
    }

    /// Starts a section; the one before must have ended.
    pub fn begin(&mut self, kind: SectionKind, field: Option<u32>) {
        assert!(self.open.is_none(), "sections do not nest");
        let digest = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi);
        self.open = Some((kind, field.unwrap_or(NO_FIELD), self.written, digest));
    }

    /// Says of the section ended last that it has an older format.
    #[cfg(test)]
    pub fn set_codec(&mut self, codec: u16) {
        self.entries.last_mut().expect("a section").codec = codec;
    }

    /// Appends to the open section.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some((_, _, _, digest)) = &mut self.open {
            digest.update(bytes);
        }
        self.put(bytes)
    }

    /// Ends the open section.
    pub fn end(&mut self) -> io::Result<()> {
        if let Some((kind, field, offset, digest)) = self.open.take() {
            self.entries.push(SectionEntry {
                kind,
                codec: kind.newest_codec(),
                field: (field != NO_FIELD).then_some(field),
                offset,
                len: self.written - offset,
                crc32c: digest.finalize() as u32,
            });
        }
        let gap = (self.written.next_multiple_of(ALIGNMENT) - self.written) as usize;
        self.put(&[0; ALIGNMENT as usize][..gap])
    }

    /// Writes a whole section.
    pub fn section(
        &mut self,
        kind: SectionKind,
        field: Option<u32>,
        bytes: &[u8],
    ) -> io::Result<()> {
        self.begin(kind, field);
        self.write(bytes)?;
        self.end()
    }

    /// Writes page sums, table and footer; answers the length of the file.
    pub fn finish(mut self) -> io::Result<u64> {
        assert!(self.open.is_none(), "every section was ended");
        self.end_page()?;
        let sums = std::mem::take(&mut self.page_sums);
        self.section(SectionKind::PageSums, None, &sums)?;
        let mut table = Vec::with_capacity(self.entries.len() * ENTRY_BYTES);
        for entry in &self.entries {
            table.extend_from_slice(&(entry.kind as u16).to_le_bytes());
            table.extend_from_slice(&entry.codec.to_le_bytes());
            table.extend_from_slice(&entry.field.unwrap_or(NO_FIELD).to_le_bytes());
            table.extend_from_slice(&entry.offset.to_le_bytes());
            table.extend_from_slice(&entry.len.to_le_bytes());
            table.extend_from_slice(&entry.crc32c.to_le_bytes());
            table.extend_from_slice(&[0; 4]);
        }
        let table_offset = self.written;
        let file_len = table_offset + table.len() as u64 + FOOTER_BYTES as u64;
        let mut footer = Vec::with_capacity(FOOTER_BYTES);
        footer.extend_from_slice(FOOTER_MAGIC);
        footer.extend_from_slice(&VERSION.to_le_bytes());
        footer.extend_from_slice(&[0; 2]);
        footer.extend_from_slice(&(self.entries.len() as u32).to_le_bytes());
        footer.extend_from_slice(&table_offset.to_le_bytes());
        footer.extend_from_slice(&file_len.to_le_bytes());
        footer.extend_from_slice(&crc32c(&table).to_le_bytes());
        footer.extend_from_slice(&[0; 4]);
        footer.extend_from_slice(&self.id.0.to_le_bytes());
        footer.extend_from_slice(&[0; 4]);
        let crc = crc32c(&footer);
        footer.extend_from_slice(&crc.to_le_bytes());
        self.put(&table)?;
        self.put(&footer)?;
        self.out.write_all(&self.page)?;
        Ok(file_len)
    }
}

/// An open segment file: knows its sections, and checks a page when the first read touches it.
pub(crate) struct Envelope {
    bytes: ByteView,
    id: SegmentId,
    max_doc: u32,
    entries: Vec<SectionEntry>,
    /// Where the page sums start: what lies before is cut into pages.
    paged: u64,
    sums: Range<usize>,
    /// One bit a page: was checked and is sound.
    checked: Box<[AtomicU64]>,
}

impl std::fmt::Debug for Envelope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Envelope({}, {} sections)", self.id, self.entries.len())
    }
}

struct Footer {
    section_count: u32,
    table_offset: u64,
    file_len: u64,
    table_crc: u32,
    id: SegmentId,
}

fn read_footer(bytes: &[u8]) -> Result<(u16, Footer), Malformed> {
    let start = bytes
        .len()
        .checked_sub(FOOTER_BYTES)
        .ok_or(Malformed("is shorter than a footer"))?;
    let footer = &bytes[start..];
    let mut reader = ByteReader::new(footer);
    if reader.take(8)? != FOOTER_MAGIC {
        return Err(Malformed("has no magic"));
    }
    if crc32c(&footer[..60]) != u32_at(footer, 15).unwrap_or(0) {
        return Err(Malformed("has a wrong checksum"));
    }
    let version = reader.u16()?;
    reader.take(2)?;
    let section_count = reader.u32()?;
    let table_offset = reader.u64()?;
    let file_len = reader.u64()?;
    let table_crc = reader.u32()?;
    reader.take(4)?;
    let id = SegmentId(u128::from(reader.u64()?) | u128::from(reader.u64()?) << 64);
    let footer = Footer {
        section_count,
        table_offset,
        file_len,
        table_crc,
        id,
    };
    Ok((version, footer))
}

fn read_header(bytes: &[u8], id: SegmentId) -> Result<u32, Malformed> {
    let header = bytes.get(..HEADER_BYTES).ok_or(Malformed("is cut short"))?;
    if crc32c(&header[..60]) != u32_at(header, 15).unwrap_or(0) {
        return Err(Malformed("has a wrong checksum"));
    }
    let mut reader = ByteReader::new(header);
    if reader.take(8)? != HEADER_MAGIC || reader.u16()? != VERSION {
        return Err(Malformed("has another magic or version than the footer"));
    }
    reader.take(2)?;
    let max_doc = reader.u32()?;
    let found = u128::from(reader.u64()?) | u128::from(reader.u64()?) << 64;
    if found != id.0 {
        return Err(Malformed("has another id than the footer"));
    }
    if max_doc == u32::MAX {
        return Err(Malformed("has too many documents"));
    }
    Ok(max_doc)
}

fn read_table(bytes: &[u8], footer: &Footer) -> Result<Vec<SectionEntry>, Malformed> {
    let end = bytes.len() - FOOTER_BYTES;
    let start = usize::try_from(footer.table_offset)
        .ok()
        .filter(|start| *start >= HEADER_BYTES && *start <= end)
        .ok_or(Malformed("lies outside the file"))?;
    let table = &bytes[start..end];
    if table.len() as u64 != u64::from(footer.section_count) * ENTRY_BYTES as u64 {
        return Err(Malformed("has a wrong length"));
    }
    if crc32c(table) != footer.table_crc {
        return Err(Malformed("has a wrong checksum"));
    }
    let mut entries = Vec::with_capacity(table.len() / ENTRY_BYTES);
    let mut free_from = HEADER_BYTES as u64;
    for row in table.chunks_exact(ENTRY_BYTES) {
        let mut reader = ByteReader::new(row);
        let kind =
            SectionKind::from_code(reader.u16()?).ok_or(Malformed("names an unknown kind"))?;
        let codec = reader.u16()?;
        if codec == 0 || codec > kind.newest_codec() {
            return Err(Malformed("names an unknown codec"));
        }
        let field = reader.u32()?;
        let entry = SectionEntry {
            kind,
            codec,
            field: (field != NO_FIELD).then_some(field),
            offset: reader.u64()?,
            len: reader.u64()?,
            crc32c: reader.u32()?,
        };
        let section_end = entry
            .offset
            .checked_add(entry.len)
            .filter(|end| *end <= footer.table_offset)
            .ok_or(Malformed("names a section outside the file"))?;
        if entry.offset < free_from || !entry.offset.is_multiple_of(ALIGNMENT) {
            return Err(Malformed("names sections that overlap"));
        }
        free_from = section_end;
        entries.push(entry);
    }
    Ok(entries)
}

impl Envelope {
    pub fn open(id: SegmentId, bytes: ByteView) -> Result<Envelope, OpenSegmentError> {
        let damaged = |section: &str, what: Malformed| OpenSegmentError::Damaged {
            segment: id,
            section: section.to_owned(),
            what: what.0.to_owned(),
        };
        let (version, footer) = read_footer(&bytes).map_err(|what| damaged("footer", what))?;
        if version != VERSION {
            return Err(OpenSegmentError::UnsupportedFormat {
                segment: id,
                found: version,
                oldest: VERSION,
                newest: VERSION,
            });
        }
        if footer.file_len != bytes.len() as u64 {
            return Err(damaged("footer", Malformed("has another file length")));
        }
        if footer.id != id {
            return Err(OpenSegmentError::OtherSegment {
                segment: id,
                found: footer.id,
            });
        }
        let max_doc = read_header(&bytes, id).map_err(|what| damaged("header", what))?;
        let entries = read_table(&bytes, &footer).map_err(|what| damaged("section table", what))?;
        let sums = entries
            .last()
            .filter(|entry| entry.kind == SectionKind::PageSums)
            .ok_or_else(|| damaged("section table", Malformed("has no page sums at its end")))?;
        let paged = sums.offset;
        // Both ends lie in the file, hence in memory: read_table checked it.
        let sums_range = sums.offset as usize..(sums.offset + sums.len) as usize;
        let pages = paged.div_ceil(PAGE_BYTES as u64);
        if sums.len != pages * 4 {
            return Err(damaged("page sums", Malformed("has a wrong length")));
        }
        if crc32c(&bytes[sums_range.clone()]) != sums.crc32c {
            return Err(damaged("page sums", Malformed("has a wrong checksum")));
        }
        let words = pages.div_ceil(64) as usize;
        Ok(Envelope {
            id,
            max_doc,
            paged,
            sums: sums_range,
            checked: (0..words).map(|_| AtomicU64::new(0)).collect(),
            entries,
            bytes,
        })
    }

    pub fn id_of(bytes: &[u8]) -> Option<SegmentId> {
        let (_, footer) = read_footer(bytes).ok()?;
        Some(footer.id)
    }

    pub fn id(&self) -> SegmentId {
        self.id
    }

    pub fn max_doc(&self) -> u32 {
        self.max_doc
    }

    pub fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// The whole file.
    pub fn bytes(&self) -> &ByteView {
        &self.bytes
    }

    pub fn entries(&self) -> &[SectionEntry] {
        &self.entries
    }

    /// Checks the pages that a range of the file touches, those not yet checked; the range lies before the page sums.
    #[inline]
    fn check(&self, range: &Range<usize>) -> Result<(), &'static str> {
        if range.start >= range.end {
            return Ok(());
        }
        let (first, last) = (range.start / PAGE_BYTES, (range.end - 1) / PAGE_BYTES);
        // Most reads touch one page, and one that is known to be sound.
        if first == last
            && let Some(word) = self.checked.get(first / 64)
            && word.load(Ordering::Relaxed) >> (first % 64) & 1 != 0
        {
            return Ok(());
        }
        self.check_pages(range)
    }

    #[cold]
    fn check_pages(&self, range: &Range<usize>) -> Result<(), &'static str> {
        for page in range.start / PAGE_BYTES..=(range.end - 1) / PAGE_BYTES {
            let bit = 1u64 << (page % 64);
            let word = self
                .checked
                .get(page / 64)
                .ok_or("lies outside the pages")?;
            if word.load(Ordering::Relaxed) & bit != 0 {
                continue;
            }
            let start = page * PAGE_BYTES;
            let end = (start + PAGE_BYTES).min(self.paged as usize);
            let sum = u32_at(&self.bytes[self.sums.clone()], page);
            let bytes = self.bytes.get(start..end).ok_or("lies outside the file")?;
            if sum != Some(crc32c(bytes)) {
                return Err("has a page with a wrong checksum");
            }
            word.fetch_or(bit, Ordering::Relaxed);
        }
        Ok(())
    }

    /// All of a section of this very file, whatever its pages say, if it has the sum that the table says.
    pub fn sound_section(&self, entry: &SectionEntry) -> Option<&[u8]> {
        let bytes = &self.bytes[entry.offset as usize..(entry.offset + entry.len) as usize];
        (crc32c(bytes) == entry.crc32c).then_some(bytes)
    }

    /// Checks every byte of the file: gaps, and every section against its sum. Answers all that is wrong; the field of a section
    /// goes by what `path` calls its number.
    pub fn damage(&self, path: impl Fn(u32) -> String) -> Vec<VerifyError> {
        let damaged = |section: String, what: &str| VerifyError {
            segment: self.id,
            section,
            what: what.to_owned(),
        };
        let mut all = Vec::new();
        let mut free_from = HEADER_BYTES as u64;
        for entry in &self.entries {
            let (start, end) = (entry.offset as usize, (entry.offset + entry.len) as usize);
            if self.sound_section(entry).is_none() {
                let name = match entry.field {
                    Some(field) => format!("{} of field {}", entry.kind.name(), path(field)),
                    None => entry.kind.name().to_owned(),
                };
                all.push(damaged(name, "has a wrong checksum"));
            }
            all.extend(self.check_gap(free_from as usize, start).err());
            free_from = end as u64;
        }
        let table = self.bytes.len() - FOOTER_BYTES - self.entries.len() * ENTRY_BYTES;
        all.extend(self.check_gap(free_from as usize, table).err());
        if all.is_empty() {
            let pages = self.check(&(0..self.paged as usize));
            all.extend(
                pages
                    .err()
                    .map(|what| damaged("page sums".to_owned(), what)),
            );
        }
        all
    }

    fn check_gap(&self, from: usize, to: usize) -> Result<(), VerifyError> {
        let gap = self.bytes.get(from..to).unwrap_or(&[1]);
        if gap.iter().any(|byte| *byte != 0) || gap.len() >= ALIGNMENT as usize {
            return Err(VerifyError {
                segment: self.id,
                section: format!("gap at byte {from}"),
                what: "is not a few zeros".to_owned(),
            });
        }
        Ok(())
    }
}

/// One section of an open file. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    file: Arc<Envelope>,
    kind: SectionKind,
    codec: u16,
    field: Option<Arc<str>>,
    start: usize,
    len: usize,
}

impl Section {
    /// The entry must come from this very file.
    pub fn new(file: &Arc<Envelope>, entry: &SectionEntry, field: Option<Arc<str>>) -> Section {
        Section {
            file: file.clone(),
            kind: entry.kind,
            codec: entry.codec,
            field,
            start: entry.offset as usize,
            len: entry.len as usize,
        }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    /// The format that its bytes follow.
    pub fn codec(&self) -> u16 {
        self.codec
    }

    /// What is wrong here, for the caller.
    pub fn error(&self, what: &str) -> ReadError {
        ReadError {
            segment: self.file.id,
            section: match &self.field {
                Some(path) => format!("{} of field [{path}]", self.kind.name()),
                None => self.kind.name().to_owned(),
            },
            what: what.to_owned(),
        }
    }

    /// The same, from a decoder.
    pub fn malformed(&self, what: Malformed) -> ReadError {
        self.error(what.0)
    }

    /// Reads a part, checking its pages.
    #[inline]
    pub fn read(&self, start: u64, len: u64) -> Result<&[u8], ReadError> {
        let end = start.checked_add(len);
        if end.is_none_or(|end| end > self.len as u64) {
            return Err(self.error("is pointed at outside its bytes"));
        }
        let range = self.start + start as usize..self.start + (start + len) as usize;
        self.file.check(&range).map_err(|what| self.error(what))?;
        Ok(&self.file.bytes[range])
    }

    /// Reads a part, checking its pages, and gives up to [`READ_AHEAD`] bytes more, unchecked and of no meaning, so that
    /// wide loads may reach past its end.
    #[inline]
    pub fn read_ahead(&self, start: u64, len: u64) -> Result<&[u8], ReadError> {
        self.read(start, len)?;
        let begin = self.start + start as usize;
        let end = (begin + len as usize + READ_AHEAD).min(self.file.bytes.len());
        Ok(&self.file.bytes[begin..end])
    }

    /// Reads all of it.
    pub fn all(&self) -> Result<&[u8], ReadError> {
        self.read(0, self.len as u64)
    }

    /// All of it, to keep, checked.
    pub fn view(&self) -> Result<ByteView, ReadError> {
        self.all()?;
        self.file
            .bytes
            .slice(self.start..self.start + self.len)
            .ok_or_else(|| self.error("lies outside the file"))
    }
}
