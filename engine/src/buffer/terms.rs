//! The distinct terms of one field in memory, each with its postings.

use super::slices::{SlicePool, Stream, StreamReader};
use crate::format::bytes::hash64;

/// One term.
#[derive(Clone, Debug)]
pub(super) struct BufferedTerm {
    hash: u32,
    start: u32,
    len: u32,
    /// Documents, the last one included.
    pub doc_freq: u32,
    /// The last document, not in `docs` yet.
    last_doc: u32,
    /// The last document in `docs`.
    written_doc: u32,
    last_freq: u32,
    last_position: u32,
    docs: Stream,
    positions: Stream,
}

/// Terms by hash, open addressing, with their bytes in one arena.
#[derive(Debug, Default)]
pub(super) struct TermTable {
    /// Index of a term plus one; 0 is free. A power of two long, at most half full.
    slots: Vec<u32>,
    terms: Vec<BufferedTerm>,
    bytes: Vec<u8>,
}

impl TermTable {
    pub fn len(&self) -> usize {
        self.terms.len()
    }

    pub fn bytes_used(&self) -> usize {
        self.slots.len() * 4 + self.terms.len() * size_of::<BufferedTerm>() + self.bytes.len()
    }

    pub fn bytes_of(&self, index: u32) -> &[u8] {
        let term = &self.terms[index as usize];
        &self.bytes[term.start as usize..][..term.len as usize]
    }

    /// Documents with a term.
    pub fn doc_freq(&self, index: u32) -> u32 {
        self.terms[index as usize].doc_freq
    }

    /// The index of a term, new or known.
    #[inline]
    pub fn intern(&mut self, bytes: &[u8]) -> u32 {
        if self.terms.len() * 2 >= self.slots.len() {
            self.grow();
        }
        let hash = hash64(bytes) as u32;
        let mask = self.slots.len() - 1;
        let mut slot = hash as usize & mask;
        loop {
            let index = self.slots[slot];
            if index == 0 {
                break;
            }
            let term = &self.terms[index as usize - 1];
            if term.hash == hash && self.bytes_of(index - 1) == bytes {
                return index - 1;
            }
            slot = (slot + 1) & mask;
        }
        self.terms.push(BufferedTerm {
            hash,
            start: self.bytes.len() as u32,
            len: bytes.len() as u32,
            doc_freq: 0,
            last_doc: 0,
            written_doc: 0,
            last_freq: 0,
            last_position: 0,
            docs: Stream::default(),
            positions: Stream::default(),
        });
        self.bytes.extend_from_slice(bytes);
        self.slots[slot] = self.terms.len() as u32;
        self.terms.len() as u32 - 1
    }

    fn grow(&mut self) {
        let len = (self.slots.len() * 2).max(16);
        self.slots.clear();
        self.slots.resize(len, 0);
        for (index, term) in self.terms.iter().enumerate() {
            let mut slot = term.hash as usize & (len - 1);
            while self.slots[slot] != 0 {
                slot = (slot + 1) & (len - 1);
            }
            self.slots[slot] = index as u32 + 1;
        }
    }

    /// Adds an occurrence; documents do not descend.
    #[inline]
    pub fn occur(&mut self, index: u32, doc: u32, position: Option<u32>, pool: &mut SlicePool) {
        let term = &mut self.terms[index as usize];
        if term.doc_freq == 0 || term.last_doc != doc {
            if term.doc_freq > 0 {
                write_pending(term, pool);
            }
            term.doc_freq += 1;
            term.last_freq = 0;
            term.last_position = 0;
            term.last_doc = doc;
        }
        term.last_freq += 1;
        if let Some(position) = position {
            let gap = position.wrapping_sub(term.last_position);
            pool.push_varint(&mut term.positions, u64::from(gap));
            term.last_position = position;
        }
    }

    /// Indexes of all terms, in order of their bytes.
    pub fn sorted(&self) -> Vec<u32> {
        let mut order: Vec<(u64, u32)> = (0..self.terms.len() as u32)
            .map(|index| (prefix(self.bytes_of(index)), index))
            .collect();
        order.sort_unstable_by(|a, b| {
            a.0.cmp(&b.0)
                .then_with(|| self.bytes_of(a.1).cmp(self.bytes_of(b.1)))
        });
        order.into_iter().map(|(_, index)| index).collect()
    }

    /// Reads the postings of a term.
    pub fn postings<'a>(&'a self, index: u32, pool: &'a SlicePool) -> BufferedPostings<'a> {
        let term = &self.terms[index as usize];
        BufferedPostings {
            term,
            docs: pool.read(&term.docs),
            positions: pool.read(&term.positions),
            left: term.doc_freq,
            doc: 0,
        }
    }
}

/// The first eight bytes as a number of the same order; shorter terms are padded with zeros.
fn prefix(bytes: &[u8]) -> u64 {
    let mut value = 0;
    for index in 0..8 {
        value = value << 8 | u64::from(bytes.get(index).copied().unwrap_or(0));
    }
    value
}

fn write_pending(term: &mut BufferedTerm, pool: &mut SlicePool) {
    let once = u64::from(term.last_freq == 1);
    let gap = u64::from(term.last_doc - term.written_doc);
    term.written_doc = term.last_doc;
    pool.push_varint(&mut term.docs, gap << 1 | once);
    if once == 0 {
        pool.push_varint(&mut term.docs, u64::from(term.last_freq));
    }
}

/// Postings of one term, document by document.
#[derive(Debug)]
pub(super) struct BufferedPostings<'a> {
    term: &'a BufferedTerm,
    docs: StreamReader<'a>,
    positions: StreamReader<'a>,
    left: u32,
    doc: u32,
}

impl BufferedPostings<'_> {
    /// The next document and its frequency.
    pub fn next(&mut self) -> Option<(u32, u32)> {
        match self.left {
            0 => return None,
            1 => {
                self.left = 0;
                return Some((self.term.last_doc, self.term.last_freq));
            }
            _ => self.left -= 1,
        }
        let code = self.docs.varint();
        let freq = match code & 1 {
            1 => 1,
            _ => self.docs.varint() as u32,
        };
        self.doc += (code >> 1) as u32;
        Some((self.doc, freq))
    }

    /// The positions of that document; overwrites `positions`.
    pub fn positions(&mut self, freq: u32, positions: &mut Vec<u32>) {
        positions.clear();
        let mut position = 0u32;
        for _ in 0..freq {
            position = position.wrapping_add(self.positions.varint() as u32);
            positions.push(position);
        }
    }
}
