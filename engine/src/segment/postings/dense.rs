//! The cursor over a list kept in bitmaps of 4096 documents, of format v2.

use std::sync::Arc;

use super::super::terms::Dictionary;
use super::super::{ReadError, WINDOW_DOCS, Window};
use super::positions::{DocPositions, Place, are_by_block, part_at, positions_bytes};
use super::positions_v2::PositionsReader;
use super::{CellFreqs, Impact, Pairs, PostingsNeed, freqs_for, pairs_at, pairs_of};
use crate::format::bytes::Malformed;
use crate::format::v1::terms::TermEntry;
use crate::format::v2::{BLOCK, CELL_DOCS, DenseSkips, cell_freq, cell_freqs};
use crate::ids::DocId;
use crate::lent::Lent;
use crate::simd;
use crate::simd::scoring::Weights;

/// Words of a cell's bitmap.
const CELL_WORDS: usize = CELL_DOCS as usize / 64;
/// Documents of a cell that are asked for together, from which on the freqs of all are decoded.
const WHOLE_FROM: usize = 8;
/// Cells of a chunk.
const CELLS: usize = (WINDOW_DOCS / CELL_DOCS) as usize;

/// Walks over a dense list; executors take it window by window and cell by cell.
pub(crate) struct DenseCursor {
    dictionary: Arc<Dictionary>,
    entry: TermEntry,
    need: PostingsNeed,
    skips: DenseSkips,
    /// The chunk in `words`; `usize::MAX` before the first, the number of chunks after the last.
    chunk: usize,
    words: [u64; 64],
    doc: u32,
    /// The cell, counted over all chunks, whose freqs are in `freqs`.
    cell: Option<usize>,
    freqs: Lent<CellFreqs>,
    /// Of codec 2; made when positions are first asked for.
    positions: Option<Box<PositionsReader>>,
    impacts: Vec<Impact>,
}

impl std::fmt::Debug for DenseCursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DenseCursor({} documents)", self.entry.doc_freq)
    }
}

impl DenseCursor {
    /// Whether a term is kept so.
    pub(super) fn is_kept(dictionary: &Dictionary, entry: &TermEntry) -> Result<bool, ReadError> {
        if entry.doc_freq as usize <= BLOCK {
            return Ok(false);
        }
        match dictionary.skips.read(entry.skips, entry.skips_len)?.first() {
            Some(1) => Ok(false),
            Some(2) => Ok(true),
            _ => Err(dictionary.skips.error("has a list of an unknown kind")),
        }
    }

    pub(super) fn open(
        dictionary: Arc<Dictionary>,
        entry: &TermEntry,
        need: PostingsNeed,
    ) -> Result<Box<DenseCursor>, ReadError> {
        let skips = DenseSkips::open(
            dictionary.skips.read(entry.skips, entry.skips_len)?,
            dictionary.max_doc,
            dictionary.freqs_kept,
            dictionary.positions_kept,
        );
        Ok(Box::new(DenseCursor {
            skips: skips.map_err(|what| dictionary.skips.malformed(what))?,
            entry: *entry,
            need,
            chunk: usize::MAX,
            words: [0; 64],
            doc: 0,
            cell: None,
            freqs: freqs_for(&dictionary, need),
            positions: None,
            impacts: Vec::new(),
            dictionary,
        }))
    }

    #[inline]
    fn region(&self) -> Result<&[u8], ReadError> {
        let entry = &self.entry;
        self.dictionary.skips.read(entry.skips, entry.skips_len)
    }

    fn malformed(&self, what: Malformed) -> ReadError {
        self.dictionary.postings.malformed(what)
    }

    /// The bytes of a chunk, empty when it has no documents; they may reach further.
    fn chunk_bytes(&self, chunk: usize) -> Result<&[u8], ReadError> {
        let (start, end) = self.skips.chunk(self.region()?, chunk);
        let blocks_len = self.entry.payload_len - self.entry.positions_len;
        if start > end || u64::from(end) > blocks_len {
            return Err(self.malformed(Malformed("has chunks outside their payload")));
        }
        if start == end {
            return Ok(&[]);
        }
        let place = self.entry.payload + u64::from(start);
        self.dictionary
            .postings
            .read_ahead(place, u64::from(end - start))
    }

    /// Brings a chunk's bitmap in, unless it is there; after an error the cursor is at its end.
    #[inline]
    pub fn load(&mut self, chunk: usize) -> Result<(), ReadError> {
        if self.chunk == chunk {
            return Ok(());
        }
        let loaded = self.try_load(chunk);
        if loaded.is_err() {
            self.finish();
        }
        loaded
    }

    fn try_load(&mut self, chunk: usize) -> Result<(), ReadError> {
        self.words = self.words_of(chunk)?;
        self.chunk = chunk;
        Ok(())
    }

    /// The documents of any chunk.
    #[inline]
    pub fn words_of(&self, chunk: usize) -> Result<[u64; 64], ReadError> {
        let mut words = [0; 64];
        let (bitmap, _) = self.bitmap(chunk)?.as_chunks::<8>();
        if bitmap.is_empty() {
            return Ok(words);
        }
        for (word, bytes) in words.iter_mut().zip(bitmap) {
            *word = u64::from_le_bytes(*bytes);
        }
        let left = self.dictionary.max_doc - chunk as u32 * WINDOW_DOCS;
        if left < WINDOW_DOCS {
            let mut past = Window { words };
            let mut inside = Window::empty();
            inside.set_range(0, left);
            past.and_not(&inside);
            if !past.is_empty() {
                return Err(self.malformed(Malformed("has documents past the end")));
            }
        }
        Ok(words)
    }

    /// The documents of the chunk at hand.
    #[inline]
    pub fn words(&self) -> &[u64; 64] {
        &self.words
    }

    /// Number of chunks, which are the windows of the segment.
    pub fn chunk_count(&self) -> usize {
        self.skips.chunks()
    }

    /// Decodes the freqs of a cell (0 to 7) of the chunk at hand; they are all 1 where not asked for.
    pub fn load_freqs(&mut self, cell: usize) -> Result<(), ReadError> {
        let number = self.number_of(cell);
        if self.cell == Some(number)
            || !self.dictionary.freqs_kept
            || self.need < PostingsNeed::Freqs
        {
            return Ok(());
        }
        self.cell = None;
        let count = self.cell_count(cell);
        if count > 0 {
            let (place, len) = self.cell_place(cell)?;
            let bytes = self.dictionary.postings.read_ahead(place, len)?;
            let decoded = cell_freqs(bytes, count, &mut self.freqs);
            if let Err(what) = decoded {
                return Err(self.malformed(what));
            }
        }
        self.cell = Some(number);
        Ok(())
    }

    /// Where the freqs of a cell of the chunk at hand begin, and how many bytes are left of the chunk from there.
    fn cell_place(&self, cell: usize) -> Result<(u64, u64), ReadError> {
        let region = self.region()?;
        let start = self.skips.freq_start(region, self.number_of(cell)) as u64;
        let (from, to) = self.skips.chunk(region, self.chunk);
        let left = u64::from(to).checked_sub(u64::from(from) + start);
        let left =
            left.ok_or_else(|| self.malformed(Malformed("has freqs outside their chunk")))?;
        Ok((self.entry.payload + u64::from(from) + start, left))
    }

    /// Frequencies of the cell loaded last, in order of rank.
    pub fn freqs(&self) -> &[u32; CELL_DOCS as usize] {
        &self.freqs
    }

    /// The documents of a cell (0 to 7) of the chunk at hand.
    pub fn cell_words(&self, cell: usize) -> &[u64; CELL_WORDS] {
        let (cells, _) = self.words.as_chunks::<CELL_WORDS>();
        &cells[cell]
    }

    /// Number of a cell of the chunk at hand, counted over all chunks.
    #[inline]
    fn number_of(&self, cell: usize) -> usize {
        self.chunk.wrapping_mul(CELLS).wrapping_add(cell)
    }

    /// Documents of a cell of the chunk at hand.
    #[inline]
    pub fn cell_count(&self, cell: usize) -> usize {
        (simd::kernels().scoring.rank)(self.cell_words(cell), CELL_DOCS as usize)
    }

    /// Rank in its cell of the document at `offset` of the chunk at hand.
    #[inline]
    fn rank_in_cell(&self, offset: u32) -> usize {
        let words = self.cell_words((offset / CELL_DOCS) as usize);
        (simd::kernels().scoring.rank)(words, (offset % CELL_DOCS) as usize)
    }

    /// The frequency of a document of the chunk at hand.
    #[inline]
    pub fn freq_of(&mut self, doc: u32) -> Result<u32, ReadError> {
        let offset = doc % WINDOW_DOCS;
        let cell = (offset / CELL_DOCS) as usize;
        let rank = self.rank_in_cell(offset);
        let kept = self.dictionary.freqs_kept && self.need >= PostingsNeed::Freqs;
        if !kept || self.cell == Some(self.number_of(cell)) {
            return Ok(self.freqs[rank]);
        }
        let (place, len) = self.cell_place(cell)?;
        let bytes = self.dictionary.postings.read_ahead(place, len)?;
        cell_freq(bytes, self.cell_count(cell), rank).map_err(|what| self.malformed(what))
    }

    /// Keeps those of `docs` that the list has, or (not `wanted`) has not. They must be documents of the segment.
    pub fn retain(&self, docs: &mut Vec<u32>, wanted: bool) -> Result<(), ReadError> {
        let (mut chunk, mut bitmap) = (usize::MAX, &[][..]);
        let mut kept = 0;
        for index in 0..docs.len() {
            let doc = docs[index];
            if (doc / WINDOW_DOCS) as usize != chunk {
                chunk = (doc / WINDOW_DOCS) as usize;
                bitmap = self.bitmap(chunk)?;
            }
            let byte = bitmap.get((doc % WINDOW_DOCS) as usize / 8);
            let is_there = byte.is_some_and(|byte| byte >> (doc % 8) & 1 != 0);
            docs[kept] = doc;
            kept += usize::from(is_there == wanted);
        }
        docs.truncate(kept);
        Ok(())
    }

    /// The bitmap of a chunk, empty when it has no documents.
    fn bitmap(&self, chunk: usize) -> Result<&[u8], ReadError> {
        let bytes = self.chunk_bytes(chunk)?;
        let bitmap = bytes.get(..WINDOW_DOCS as usize / 8);
        match bitmap {
            _ if bytes.is_empty() => Ok(bytes),
            Some(bitmap) => Ok(bitmap),
            None => Err(self.malformed(Malformed("has a chunk that ends too early"))),
        }
    }

    /// The frequencies of documents, ascending, all of which the list has.
    pub fn freqs_of(&mut self, docs: &[u32], freqs: &mut [u32]) -> Result<(), ReadError> {
        if !self.dictionary.freqs_kept || self.need < PostingsNeed::Freqs {
            freqs.fill(1);
            return Ok(());
        }
        let mut at = 0;
        while at < docs.len() {
            let number = docs[at] / CELL_DOCS;
            let same = docs[at..]
                .iter()
                .take_while(|doc| **doc / CELL_DOCS == number);
            let end = at + same.count();
            let cell = number as usize % CELLS;
            self.load(number as usize / CELLS)?;
            if end - at >= WHOLE_FROM {
                self.load_freqs(cell)?;
            }
            for index in at..end {
                freqs[index] = self.freq_of(docs[index])?;
            }
            at = end;
        }
        Ok(())
    }

    /// What is wrong with skips whose chunks do not ascend.
    #[cold]
    pub fn disorder(&self) -> ReadError {
        self.dictionary.skips.error("has blocks out of order")
    }

    /// Appends the positions of a document of the chunk at hand.
    pub fn positions_of(&mut self, doc: u32, positions: &mut Vec<u32>) -> Result<(), ReadError> {
        if !self.dictionary.positions_kept || self.need < PostingsNeed::Positions {
            return Ok(());
        }
        let offset = doc % WINDOW_DOCS;
        let cell = (offset / CELL_DOCS) as usize;
        if are_by_block(&self.dictionary, self.need) {
            let place = self.place_of(doc)?;
            let bytes = positions_bytes(&self.dictionary, &self.entry, place.from, place.to)?;
            return part_at(bytes, place.docs, place.rank)
                .and_then(|part| part.read(place.rank % BLOCK, positions))
                .map_err(|what| self.malformed(what));
        }
        self.load_freqs(cell)?;
        let rank = self.rank_in_cell(offset);
        let count = self.freqs[rank];
        let mut first = self
            .skips
            .positions_at(self.region()?, self.number_of(cell));
        for freq in &self.freqs[..rank] {
            first = first.wrapping_add(*freq);
        }
        let first = u64::from(first);
        self.positions
            .get_or_insert_with(|| Box::new(PositionsReader::new()))
            .read(&self.dictionary, &self.entry, first, count, positions)
    }

    /// Where the positions of a document of the chunk at hand are.
    fn place_of(&self, doc: u32) -> Result<Place, ReadError> {
        let cell = (doc / CELL_DOCS) as usize;
        let region = self.region()?;
        let to = match cell + 1 < self.skips.chunks() * CELLS {
            true => u64::from(self.skips.positions_at(region, cell + 1)),
            false => self.entry.positions_len,
        };
        Ok(Place {
            from: u64::from(self.skips.positions_at(region, cell)),
            to,
            docs: self.cell_count(cell % CELLS),
            rank: self.rank_in_cell(doc % WINDOW_DOCS),
        })
    }

    /// Calls back with the positions in documents, ascending, all of which the list has, and with the number of each among them.
    pub fn visit_positions(
        &mut self,
        docs: &[u32],
        mut each: impl FnMut(usize, DocPositions<'_>) -> Result<(), Malformed>,
    ) -> Result<(), ReadError> {
        if !are_by_block(&self.dictionary, self.need) {
            let mut positions = Vec::new();
            for (number, doc) in docs.iter().enumerate() {
                positions.clear();
                self.load((doc / WINDOW_DOCS) as usize)?;
                self.positions_of(*doc, &mut positions)?;
                let visited = each(number, DocPositions::Listed(&positions));
                visited.map_err(|what| self.malformed(what))?;
            }
            return Ok(());
        }
        let mut at = 0;
        while at < docs.len() {
            let cell = docs[at] / CELL_DOCS;
            self.load(cell as usize / CELLS)?;
            let place = self.place_of(docs[at])?;
            let bytes = positions_bytes(&self.dictionary, &self.entry, place.from, place.to)?;
            while let Some(doc) = docs.get(at)
                && doc / CELL_DOCS == cell
            {
                let rank = self.rank_in_cell(doc % WINDOW_DOCS);
                part_at(bytes, place.docs, rank)
                    .and_then(|part| each(at, DocPositions::Packed(part, rank % BLOCK)))
                    .map_err(|what| self.malformed(what))?;
                at += 1;
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> DocId {
        self.chunk = self.skips.chunks();
        self.words = [0; 64];
        self.doc = DocId::NO_MORE.0;
        DocId::NO_MORE
    }

    #[inline]
    pub fn doc(&self) -> DocId {
        DocId(self.doc)
    }

    pub fn next(&mut self) -> Result<DocId, ReadError> {
        if self.chunk == usize::MAX {
            return self.seek(0);
        }
        if self.doc == DocId::NO_MORE.0 {
            return Ok(DocId::NO_MORE);
        }
        self.seek(self.doc + 1)
    }

    pub fn advance(&mut self, target: DocId) -> Result<DocId, ReadError> {
        if self.chunk != usize::MAX && self.doc >= target.0 {
            return Ok(DocId(self.doc));
        }
        self.seek(target.0)
    }

    /// Stands on the first document at or after `from`, which is not before the chunk at hand.
    fn seek(&mut self, from: u32) -> Result<DocId, ReadError> {
        let mut chunk = (from / WINDOW_DOCS) as usize;
        let mut offset = from % WINDOW_DOCS;
        while chunk < self.skips.chunks() {
            self.load(chunk)?;
            let mut index = offset as usize / 64;
            let mut word = self.words[index] & (u64::MAX << (offset % 64));
            loop {
                if word != 0 {
                    let bit = index as u32 * 64 + word.trailing_zeros();
                    self.doc = chunk as u32 * WINDOW_DOCS + bit;
                    return Ok(DocId(self.doc));
                }
                index += 1;
                match self.words.get(index) {
                    Some(next) => word = *next,
                    None => break,
                }
            }
            chunk += 1;
            offset = 0;
        }
        Ok(self.finish())
    }

    pub fn freq(&mut self) -> u32 {
        if self.doc == DocId::NO_MORE.0 {
            return 1;
        }
        self.freq_of(self.doc).unwrap_or(1)
    }

    pub fn positions(&mut self, positions: &mut Vec<u32>) -> Result<(), ReadError> {
        positions.clear();
        if self.doc == DocId::NO_MORE.0 {
            return Ok(());
        }
        self.positions_of(self.doc, positions)
    }

    pub fn cost(&self) -> u32 {
        self.entry.doc_freq
    }

    pub fn impacts(&mut self) -> Result<&[Impact], ReadError> {
        let cell = match self.chunk {
            usize::MAX => 0,
            _ => (self.doc / CELL_DOCS) as usize,
        };
        let cell = cell.min((self.skips.chunks() * CELLS).saturating_sub(1));
        let entry = &self.entry;
        let region = self.dictionary.skips.read(entry.skips, entry.skips_len)?;
        self.impacts.clear();
        match self.skips.impacts(region) {
            Some(rows) => {
                let freqs = rows.freqs.map(|column| column[cell]);
                let norms = rows.norms.map(|column| column[cell]);
                pairs_of(freqs, norms, &mut self.impacts);
            }
            None => self.impacts.push(Impact { freq: 1, norm: 1 }),
        }
        Ok(&self.impacts)
    }

    pub fn max_impacts(&mut self) -> Result<&[Impact], ReadError> {
        let entry = &self.entry;
        let region = self.dictionary.skips.read(entry.skips, entry.skips_len)?;
        match self.skips.best(region) {
            Some(rows) => {
                let (freqs, norms) = (rows.freqs.map(|row| row[0]), rows.norms.map(|row| row[0]));
                pairs_of(freqs, norms, &mut self.impacts);
            }
            None => self.impacts = vec![Impact { freq: 1, norm: 1 }],
        }
        Ok(&self.impacts)
    }

    /// The pairs that bound a cell, counted over all chunks; `None` where none are kept.
    pub fn pairs(&self, block: usize) -> Result<Option<Pairs>, ReadError> {
        let rows = self.skips.impacts(self.region()?);
        Ok(rows.and_then(|rows| pairs_at(&rows, block)))
    }

    /// Bounds of all cells.
    pub fn cell_bounds(
        &mut self,
        weights: Weights<'_>,
        out: &mut Vec<f32>,
    ) -> Result<(), ReadError> {
        out.clear();
        out.resize(self.skips.chunks() * CELLS, 0.0);
        match self.skips.impacts(self.region()?) {
            Some(rows) => (simd::kernels().scoring.bounds)(rows, weights, out),
            None => {
                let part = 1.0 + weights.inverse[1];
                out.fill(weights.weight - weights.weight / part);
            }
        }
        Ok(())
    }

    pub fn window_bounds(&mut self, weights: Weights<'_>) -> Result<Vec<f32>, ReadError> {
        let mut cells = Vec::new();
        self.cell_bounds(weights, &mut cells)?;
        let greatest = |cells: &[f32]| cells.iter().copied().fold(0.0, f32::max);
        Ok(cells.chunks(CELLS).map(greatest).collect())
    }

    pub fn fill_window(&mut self, base: DocId, bits: &mut Window) -> Result<(), ReadError> {
        self.advance(base)?;
        let end = base.0.saturating_add(WINDOW_DOCS);
        if self.doc >= end {
            return Ok(());
        }
        let from = self.doc - base.0;
        let first = from as usize / 64;
        bits.words[first] |= self.words[first] & (u64::MAX << (from % 64));
        for index in first + 1..64 {
            bits.words[index] |= self.words[index];
        }
        self.seek(end)?;
        Ok(())
    }

    /// Appends the documents of a cell from the current one on, and their frequencies, and stands on the first one after it;
    /// `false` after the last.
    pub fn take_cell(
        &mut self,
        docs: &mut Vec<u32>,
        freqs: &mut Vec<u32>,
    ) -> Result<bool, ReadError> {
        if self.doc == DocId::NO_MORE.0 {
            return Ok(false);
        }
        let number = self.doc / CELL_DOCS;
        let cell = number as usize % CELLS;
        self.load_freqs(cell)?;
        let mut found = [0; CELL_DOCS as usize];
        let expand = simd::kernels().scoring.expand;
        let count = expand(self.cell_words(cell), number * CELL_DOCS, &mut found);
        let first = self.rank_in_cell(self.doc % WINDOW_DOCS);
        docs.extend_from_slice(&found[first..count]);
        freqs.extend_from_slice(&self.freqs[first..count]);
        self.seek((number + 1).saturating_mul(CELL_DOCS))?;
        Ok(true)
    }

    pub fn take_block(
        &mut self,
        end: DocId,
        docs: &mut [u32; 128],
        freqs: &mut [u32; 128],
    ) -> Result<usize, ReadError> {
        if self.doc >= end.0 {
            return Ok(0);
        }
        let mut offset = self.doc % WINDOW_DOCS;
        let base = self.doc - offset;
        let cell = (offset / CELL_DOCS) as usize;
        self.load_freqs(cell)?;
        let first = self.rank_in_cell(offset);
        let mut count = 0;
        let end = ((cell as u32 + 1) * CELL_DOCS).min(end.0 - base);
        while count < 128 && offset < end {
            let word = self.words[offset as usize / 64] >> (offset % 64);
            if word == 0 {
                offset = (offset | 63) + 1;
                continue;
            }
            offset += word.trailing_zeros();
            if offset >= end {
                break;
            }
            docs[count] = base + offset;
            freqs[count] = self.freqs[first + count];
            count += 1;
            offset += 1;
        }
        self.seek(base + offset)?;
        Ok(count)
    }
}
