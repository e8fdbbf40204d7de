//! The terms of a field: find one, walk over a range, walk over what an automaton accepts.

use std::ops::Bound;
use std::sync::Arc;

use fst::Automaton;

use super::{NormsReader, PositionsStream, PostingsCursor, PostingsNeed, ReadError, ShortList};
use crate::directory::ByteView;
use crate::document::IndexOptions;
use crate::format::bytes::{ByteReader, u64_at};
use crate::format::envelope::Section;
use crate::format::v1::term_index;
use crate::format::v1::terms::{BLOCK_TERMS, BlockState, TRAILER, TermEntry};

/// What all readers of one field share.
pub(super) struct Dictionary {
    index: ByteView,
    blocks: Section,
    block_count: u64,
    starts_at: u64,
    term_count: u64,
    pub(super) postings: Section,
    pub(super) skips: Section,
    pub(super) norms: Option<NormsReader>,
    pub(super) freqs_kept: bool,
    pub(super) positions_kept: bool,
    pub(super) max_doc: u32,
}

/// The sorted terms of one field of one segment. Cheap to clone.
#[derive(Clone)]
pub struct TermsReader {
    dictionary: Arc<Dictionary>,
}

impl std::fmt::Debug for TermsReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TermsReader({} terms)", self.len())
    }
}

/// The lists of a field, as they lie in the file.
pub(crate) struct Lists<'a> {
    pub postings: &'a Section,
    pub skips: &'a Section,
    pub freqs_kept: bool,
    pub positions_kept: bool,
    pub max_doc: u32,
}

/// What the dictionary knows of one term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TermInfo {
    /// Rank among the terms of the field, from 0.
    pub ord: u64,
    /// Number of documents with it, dead ones included; 0 in a field that only has a column.
    pub doc_freq: u32,
    /// Number of occurrences; equals `doc_freq` where frequencies are not kept.
    pub total_term_freq: u64,
    /// Where its postings are.
    pub(crate) entry: TermEntry,
}

impl TermInfo {
    fn new(ord: u64, entry: TermEntry) -> TermInfo {
        TermInfo {
            ord,
            doc_freq: entry.doc_freq,
            total_term_freq: entry.total_term_freq,
            entry,
        }
    }

    /// Bytes that its documents, frequencies and positions take.
    pub fn postings_bytes(&self) -> u64 {
        self.entry.payload_len + self.entry.skips_len
    }
}

impl Dictionary {
    /// The block whose keys may hold `term`.
    fn block_of(&self, term: &[u8]) -> Result<u64, ReadError> {
        term_index::last_not_above(&self.index, term)
            .map_err(|what| self.blocks.error(what.0))?
            .filter(|block| *block < self.block_count)
            .ok_or_else(|| self.blocks.error("has an index that points nowhere"))
    }

    /// Start and length of a block.
    fn place_of(&self, block: u64) -> Result<(u64, u64), ReadError> {
        let left = self.block_count - block;
        let bytes = self
            .blocks
            .read(self.starts_at + block * 8, 8 * left.min(2))?;
        let start = u64_at(bytes, 0).unwrap_or(0);
        let end = u64_at(bytes, 1).unwrap_or(self.starts_at);
        let len = end.checked_sub(start).filter(|_| end <= self.starts_at);
        let len = len.ok_or_else(|| self.blocks.error("has blocks out of order"))?;
        Ok((start, len))
    }

    /// A block that there is, before its first term.
    fn open_block(&self, block: u64) -> Result<OpenBlock<'_>, ReadError> {
        let (start, len) = self.place_of(block)?;
        let bytes = self.blocks.read(start, len)?;
        let state = BlockState::open(bytes).map_err(|what| self.blocks.malformed(what))?;
        let full = u64::from(state.terms) == BLOCK_TERMS;
        if !full && block + 1 < self.block_count {
            return Err(self.blocks.error("has a short block before the last"));
        }
        Ok(OpenBlock {
            dictionary: self,
            number: block,
            bytes,
            state,
        })
    }
}

/// A block in which a term may be.
struct OpenBlock<'a> {
    dictionary: &'a Dictionary,
    number: u64,
    bytes: &'a [u8],
    state: BlockState,
}

impl OpenBlock<'_> {
    fn find(mut self, term: &[u8]) -> Result<Option<TermInfo>, ReadError> {
        let dictionary = self.dictionary;
        let mut entry = TermEntry::default();
        let (freqs, positions) = (dictionary.freqs_kept, dictionary.positions_kept);
        let found = self
            .state
            .find(self.bytes, freqs, positions, term, &mut entry)
            .map_err(|what| dictionary.blocks.malformed(what))?;
        let ord = self.number * BLOCK_TERMS + u64::from(self.state.taken);
        Ok(found.then(|| TermInfo::new(ord - 1, entry)))
    }
}

/// Stands between two terms of a dictionary, inside of one block.
#[derive(Clone)]
struct Place {
    dictionary: Arc<Dictionary>,
    block: u64,
    start: u64,
    len: u64,
    state: BlockState,
    key: Vec<u8>,
    entry: TermEntry,
}

impl Place {
    fn before_first(dictionary: &Arc<Dictionary>) -> Place {
        Place {
            dictionary: dictionary.clone(),
            // The block before the first: `next` moves on to the first.
            block: u64::MAX,
            start: 0,
            len: 0,
            state: BlockState::default(),
            key: Vec::new(),
            entry: TermEntry::default(),
        }
    }

    /// Goes before the first term of a block; `false` when there is no such block.
    fn open_block(&mut self, block: u64) -> Result<bool, ReadError> {
        if block >= self.dictionary.block_count {
            return Ok(false);
        }
        let place = self.dictionary.place_of(block)?;
        self.state = self.dictionary.open_block(block)?.state;
        (self.start, self.len) = place;
        self.block = block;
        self.key.clear();
        Ok(true)
    }

    /// Goes over the next term of the block; `false` at its end.
    fn next_in_block(&mut self) -> Result<bool, ReadError> {
        let dictionary = &self.dictionary;
        let bytes = dictionary.blocks.read(self.start, self.len)?;
        self.state
            .next(
                bytes,
                dictionary.freqs_kept,
                dictionary.positions_kept,
                &mut self.key,
                &mut self.entry,
            )
            .map_err(|what| dictionary.blocks.malformed(what))
    }

    fn next(&mut self) -> Result<bool, ReadError> {
        while !self.next_in_block()? {
            if !self.open_block(self.block.wrapping_add(1))? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Goes over the first term not below `target`, which must not lie behind; `false` if there is none.
    fn seek(&mut self, target: &[u8]) -> Result<bool, ReadError> {
        let block = self.dictionary.block_of(target)?;
        if block != self.block {
            self.open_block(block)?;
        }
        while self.next()? {
            if self.key.as_slice() >= target {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The term gone over last.
    fn info(&self) -> TermInfo {
        let ord = self.block * BLOCK_TERMS + u64::from(self.state.taken) - 1;
        TermInfo::new(ord, self.entry)
    }
}

impl TermsReader {
    pub(super) fn open(
        index: Section,
        blocks: Section,
        postings: Section,
        skips: Section,
        norms: Option<NormsReader>,
        options: IndexOptions,
        max_doc: u32,
    ) -> Result<TermsReader, ReadError> {
        let trailer_at = (blocks.len() as u64)
            .checked_sub(TRAILER)
            .ok_or_else(|| blocks.error("is shorter than a trailer"))?;
        let mut trailer = ByteReader::new(blocks.read(trailer_at, TRAILER)?);
        let malformed = |what| blocks.malformed(what);
        let block_count = trailer.u64().map_err(malformed)?;
        let term_count = trailer.u64().map_err(malformed)?;
        let starts_at = block_count
            .checked_mul(8)
            .and_then(|len| trailer_at.checked_sub(len))
            .ok_or_else(|| blocks.error("is shorter than its directory"))?;
        if postings.codec() != skips.codec() {
            return Err(skips.error("has another format than the postings"));
        }
        if term_count.div_ceil(BLOCK_TERMS) != block_count || block_count == 0 {
            return Err(blocks.error("has a wrong number of terms"));
        }
        let bytes = index.view()?;
        term_index::verify(&bytes).map_err(|_| index.error("is no fst"))?;
        Ok(TermsReader {
            dictionary: Arc::new(Dictionary {
                index: bytes,
                blocks,
                block_count,
                starts_at,
                term_count,
                postings,
                skips,
                norms,
                freqs_kept: options >= IndexOptions::DocsFreqs,
                positions_kept: options >= IndexOptions::Positions,
                max_doc,
            }),
        })
    }

    /// Number of terms.
    pub fn len(&self) -> u64 {
        self.dictionary.term_count
    }

    /// Whether there is no term.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Finds a term.
    pub fn get(&self, term: &[u8]) -> Result<Option<TermInfo>, ReadError> {
        let block = self.dictionary.block_of(term)?;
        self.dictionary.open_block(block)?.find(term)
    }

    /// Finds a term in many dictionaries, none of which is `None`. All of them go each step together, and so wait for the
    /// memory at the same time.
    pub(crate) fn get_in_all(
        all: &[Option<TermsReader>],
        term: &[u8],
    ) -> Result<Vec<Option<TermInfo>>, ReadError> {
        let dictionaries = || all.iter().map(|reader| Some(&*reader.as_ref()?.dictionary));
        let mut places = Vec::with_capacity(all.len());
        for dictionary in dictionaries() {
            places.push(match dictionary {
                Some(dictionary) => dictionary.block_of(term)?,
                None => 0,
            });
        }
        let mut blocks = Vec::with_capacity(all.len());
        for (dictionary, place) in dictionaries().zip(places) {
            blocks.push(match dictionary {
                Some(dictionary) => Some(dictionary.open_block(place)?),
                None => None,
            });
        }
        let mut found = Vec::with_capacity(all.len());
        for block in blocks {
            found.push(match block {
                Some(block) => block.find(term)?,
                None => None,
            });
        }
        Ok(found)
    }

    /// The rank of a term, or (`Err` inside) the rank of the first term above it, `len()` if there is none.
    pub fn rank(&self, term: &[u8]) -> Result<Result<u64, u64>, ReadError> {
        let mut place = Place::before_first(&self.dictionary);
        if !place.seek(term)? {
            return Ok(Err(self.len()));
        }
        let ord = place.info().ord;
        Ok(if place.key == term { Ok(ord) } else { Err(ord) })
    }

    /// Finds the term of a rank; `term` is overwritten. A rank past the end is an error.
    pub fn by_ord(&self, ord: u64, term: &mut Vec<u8>) -> Result<TermInfo, ReadError> {
        if ord >= self.len() {
            return Err(self
                .dictionary
                .blocks
                .error("was asked for a term past the end"));
        }
        let mut place = Place::before_first(&self.dictionary);
        place.open_block(ord / BLOCK_TERMS)?;
        for _ in 0..=ord % BLOCK_TERMS {
            if !place.next_in_block()? {
                return Err(self.dictionary.blocks.error("has too few terms in a block"));
            }
        }
        let info = place.info();
        term.clear();
        term.extend_from_slice(&place.key);
        Ok(info)
    }

    /// All terms, ascending.
    pub fn iter(&self) -> TermIter {
        self.range(Bound::Unbounded, Bound::Unbounded)
    }

    /// The terms between two bounds, ascending.
    pub fn range(&self, lower: Bound<&[u8]>, upper: Bound<&[u8]>) -> TermIter {
        TermIter {
            place: Place::before_first(&self.dictionary),
            lower: Some(lower.map(<[u8]>::to_vec)),
            upper: upper.map(<[u8]>::to_vec),
            done: false,
        }
    }

    /// The terms that an automaton accepts, ascending; leaps over those that it cannot.
    pub fn search<'a, A: Automaton>(&self, automaton: &'a A) -> TermSearch<'a, A> {
        TermSearch {
            place: Place::before_first(&self.dictionary),
            states: vec![automaton.start()],
            path: Vec::new(),
            automaton,
            done: false,
        }
    }

    /// The lengths of the field; `None` when it keeps none.
    pub(crate) fn norms(&self) -> Option<&NormsReader> {
        self.dictionary.norms.as_ref()
    }

    /// The documents of a term of this very reader.
    pub fn postings(
        &self,
        term: &TermInfo,
        need: PostingsNeed,
    ) -> Result<PostingsCursor, ReadError> {
        PostingsCursor::open(self.dictionary.clone(), &term.entry, need)
    }

    /// Reads the list of a term that has less than a block of documents; `false` when it must be walked over.
    pub(crate) fn read_short(
        &self,
        term: &TermInfo,
        into: &mut ShortList,
    ) -> Result<bool, ReadError> {
        into.read(&self.dictionary, &term.entry)
    }

    /// Where the lists are and what they keep, for those who describe them.
    pub(crate) fn lists(&self) -> Lists<'_> {
        let dictionary = &*self.dictionary;
        Lists {
            postings: &dictionary.postings,
            skips: &dictionary.skips,
            freqs_kept: dictionary.freqs_kept,
            positions_kept: dictionary.positions_kept,
            max_doc: dictionary.max_doc,
        }
    }

    /// An error of the postings.
    pub(crate) fn error(&self, what: &'static str) -> ReadError {
        self.dictionary.postings.error(what)
    }

    /// Has `reader` read all positions of a term; `false` where the format keeps them document by document.
    pub(crate) fn read_positions(
        &self,
        term: &TermInfo,
        reader: &mut Option<PositionsStream>,
    ) -> bool {
        if self.dictionary.postings.codec() == 1 {
            return false;
        }
        match reader {
            Some(reader) => reader.reopen(&self.dictionary, &term.entry),
            None => {
                *reader = Some(PositionsStream::new(self.dictionary.clone(), &term.entry));
            }
        }
        true
    }
}

/// Terms one after the other.
pub struct TermIter {
    place: Place,
    /// Where to start; taken when the walk starts.
    lower: Option<Bound<Vec<u8>>>,
    upper: Bound<Vec<u8>>,
    done: bool,
}

impl std::fmt::Debug for TermIter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TermIter(in block {})", self.place.block)
    }
}

impl TermIter {
    /// The next term; it is valid until the next call.
    #[allow(clippy::should_implement_trait)] // it can fail, and lends what it gives
    pub fn next(&mut self) -> Result<Option<(&[u8], TermInfo)>, ReadError> {
        if self.done {
            return Ok(None);
        }
        let found = match self.lower.take() {
            Some(Bound::Included(lower)) => self.place.seek(&lower)?,
            Some(Bound::Excluded(lower)) => {
                let found = self.place.seek(&lower)?;
                if found && self.place.key == lower {
                    self.place.next()?
                } else {
                    found
                }
            }
            Some(Bound::Unbounded) | None => self.place.next()?,
        };
        let below = match &self.upper {
            Bound::Included(upper) => self.place.key <= *upper,
            Bound::Excluded(upper) => self.place.key < *upper,
            Bound::Unbounded => true,
        };
        self.done = !found || !below;
        Ok((!self.done).then(|| (self.place.key.as_slice(), self.place.info())))
    }
}

/// Terms that an automaton accepts, one after the other.
pub struct TermSearch<'a, A: Automaton> {
    place: Place,
    automaton: &'a A,
    /// The bytes of the last term that the automaton could go through, and the state after each prefix of them.
    path: Vec<u8>,
    states: Vec<A::State>,
    done: bool,
}

impl<A: Automaton> std::fmt::Debug for TermSearch<'_, A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TermSearch(in block {})", self.place.block)
    }
}

impl<A: Automaton> TermSearch<'_, A> {
    /// The next term; it is valid until the next call.
    #[allow(clippy::should_implement_trait)] // it can fail, and lends what it gives
    pub fn next(&mut self) -> Result<Option<(&[u8], TermInfo)>, ReadError> {
        let mut found =
            !self.done && self.automaton.can_match(&self.states[0]) && self.place.next()?;
        while found {
            if self.walk() {
                if self.accepts() {
                    return Ok(Some((self.place.key.as_slice(), self.place.info())));
                }
                found = self.place.next()?;
            } else {
                found = match self.leap() {
                    Some(target) => self.place.seek(&target)?,
                    None => false,
                };
            }
        }
        self.done = true;
        Ok(None)
    }

    /// Takes the automaton through the current term, as far as it can go; `true` if that is all the way.
    fn walk(&mut self) -> bool {
        let key = &self.place.key;
        let shared = self
            .path
            .iter()
            .zip(key)
            .take_while(|(a, b)| a == b)
            .count();
        self.path.truncate(shared);
        self.states.truncate(shared + 1);
        for byte in &key[shared..] {
            let state = self.automaton.accept(&self.states[self.path.len()], *byte);
            if !self.automaton.can_match(&state) {
                return false;
            }
            self.path.push(*byte);
            self.states.push(state);
        }
        true
    }

    fn accepts(&self) -> bool {
        let state = &self.states[self.path.len()];
        match self.automaton.accept_eof(state) {
            Some(end) => self.automaton.is_match(&end),
            None => self.automaton.is_match(state),
        }
    }

    /// The smallest key above all that start with the path and the byte where the automaton stopped, through which
    /// it can go on.
    fn leap(&mut self) -> Option<Vec<u8>> {
        let mut stopped_at = self.place.key.get(self.path.len()).copied()?;
        loop {
            let state = &self.states[self.path.len()];
            let goes_on = |byte: &u8| {
                self.automaton
                    .can_match(&self.automaton.accept(state, *byte))
            };
            if stopped_at < 255
                && let Some(byte) = (stopped_at + 1..=255).find(goes_on)
            {
                let mut target = self.path.clone();
                target.push(byte);
                return Some(target);
            }
            stopped_at = self.path.pop()?;
            self.states.pop();
        }
    }
}
