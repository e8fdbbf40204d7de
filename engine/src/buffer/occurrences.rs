//! The terms of one field in order of document: what a freeze turns into postings.

use std::io;

/// Marks a word that says where the next term stands, in place of one after the term before.
const LEAP: u32 = 1 << 31;
/// Occurrences that a freeze turns round at a time, unless one term has more.
const TURN: u32 = if cfg!(test) { 1 << 10 } else { 16 << 20 };
/// Where occurrences of terms go that are not turned round now.
const LATER: u32 = u32::MAX;

/// One document.
#[derive(Clone, Copy, Debug)]
struct Run {
    doc: u32,
    /// Where its words end.
    end: u32,
    /// Its length in terms, for the norm.
    length: u32,
}

/// Documents with their terms, one after the other.
#[derive(Debug, Default)]
pub(super) struct Occurrences {
    /// Numbers of terms, the first of a document at position 0, each of the others one after the one before; a leap says
    /// otherwise.
    words: Vec<u32>,
    runs: Vec<Run>,
}

/// One document of one term.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Occurrence {
    pub doc: u32,
    pub position: u32,
}

/// Takes the terms of one document.
pub(super) struct RunWriter<'a> {
    words: &'a mut Vec<u32>,
    position: u32,
}

impl RunWriter<'_> {
    /// Adds a term, wherever it stands.
    #[inline]
    pub fn push(&mut self, term: u32) {
        self.words.push(term);
    }

    /// Adds a term at a position.
    #[inline]
    pub fn push_at(&mut self, term: u32, position: u32) {
        if position != self.position {
            self.words.push(LEAP | position);
        }
        self.words.push(term);
        self.position = position.wrapping_add(1);
    }
}

impl Occurrences {
    pub fn bytes_used(&self) -> usize {
        self.words.len() * 4 + self.runs.len() * size_of::<Run>()
    }

    /// Starts a document; [`end`](Self::end) ends it.
    pub fn begin(&mut self, terms: usize) -> RunWriter<'_> {
        self.words.reserve(terms);
        RunWriter {
            words: &mut self.words,
            position: 0,
        }
    }

    pub fn end(&mut self, doc: u32, length: u32) {
        self.runs.push(Run {
            doc,
            end: u32::try_from(self.words.len())
                .expect("a buffer is frozen when it is full, long before 2^32 occurrences"),
            length,
        });
    }

    /// The documents and their lengths.
    pub fn lengths(&self) -> impl Iterator<Item = (u32, u32)> {
        self.runs.iter().map(|run| (run.doc, run.length))
    }

    /// Calls back with each document and its terms, in order of appearance.
    pub fn for_each_document(&self, mut each: impl FnMut(u32, &mut dyn Iterator<Item = u32>)) {
        let mut start = 0;
        for run in &self.runs {
            let words = self.words[start..run.end as usize].iter();
            each(run.doc, &mut words.copied().filter(|word| word & LEAP == 0));
            start = run.end as usize;
        }
    }

    /// Calls back with each of the terms in `order`, which are all there are, and its occurrences by document and position.
    pub fn for_each_term(
        &self,
        order: &[u32],
        mut each: impl FnMut(u32, &[Occurrence]) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut counts = vec![0u32; order.len()];
        for word in &self.words {
            if word & LEAP == 0 {
                counts[*word as usize] += 1;
            }
        }
        let mut places = vec![LATER; order.len()];
        let mut turned: Vec<Occurrence> = Vec::new();
        let mut rest = order;
        while !rest.is_empty() {
            let (mut taken, mut total) = (0, 0u32);
            for term in rest {
                let count = counts[*term as usize];
                if taken > 0 && total + count > TURN {
                    break;
                }
                places[*term as usize] = total;
                total += count;
                taken += 1;
            }
            turned.resize(total as usize, Occurrence::default());
            if taken == order.len() {
                self.turn::<true>(&mut places, &mut turned);
            } else {
                self.turn::<false>(&mut places, &mut turned);
            }
            let (now, later) = rest.split_at(taken);
            let mut start = 0;
            for term in now {
                let end = start + counts[*term as usize] as usize;
                each(*term, &turned[start..end])?;
                places[*term as usize] = LATER;
                start = end;
            }
            rest = later;
        }
        Ok(())
    }

    /// Puts every occurrence of a term with a place there; `ALL`: every term has one.
    fn turn<const ALL: bool>(&self, places: &mut [u32], turned: &mut [Occurrence]) {
        let mut start = 0;
        for run in &self.runs {
            let mut position = 0;
            for word in &self.words[start..run.end as usize] {
                if word & LEAP != 0 {
                    position = word ^ LEAP;
                    continue;
                }
                let place = &mut places[*word as usize];
                if ALL || *place != LATER {
                    turned[*place as usize] = Occurrence {
                        doc: run.doc,
                        position,
                    };
                    *place += 1;
                }
                position = position.wrapping_add(1);
            }
            start = run.end as usize;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_become_terms() {
        let mut log = Occurrences::default();
        let mut run = log.begin(3);
        run.push_at(0, 0);
        run.push_at(1, 1);
        run.push_at(0, 7);
        log.end(3, 3);
        let mut run = log.begin(2);
        run.push_at(1, 2);
        run.push_at(2, 2);
        log.end(5, 1);
        let mut seen = Vec::new();
        log.for_each_term(&[2, 0, 1], |term, list| {
            let list = list.iter().map(|one| (one.doc, one.position));
            seen.push((term, list.collect::<Vec<_>>()));
            Ok(())
        })
        .unwrap();
        assert_eq!(
            seen,
            [
                (2, vec![(5, 2)]),
                (0, vec![(3, 0), (3, 7)]),
                (1, vec![(3, 1), (5, 2)])
            ]
        );
        let mut documents = Vec::new();
        log.for_each_document(|doc, terms| documents.push((doc, terms.collect::<Vec<_>>())));
        assert_eq!(documents, [(3, vec![0, 1, 0]), (5, vec![1, 2])]);
        assert_eq!(log.lengths().collect::<Vec<_>>(), [(3, 3), (5, 1)]);
    }

    /// Many more occurrences than are turned round at a time.
    #[test]
    fn a_large_buffer_is_turned_in_parts() {
        let mut log = Occurrences::default();
        let docs = 3 * TURN / 8;
        for doc in 0..docs {
            let mut run = log.begin(8);
            for position in 0..8 {
                run.push_at((doc + position) % 5, position);
            }
            log.end(doc, 8);
        }
        let mut total = 0;
        log.for_each_term(&[4, 2, 0, 1, 3], |term, list| {
            total += list.len() as u32;
            assert!(list.iter().all(|one| (one.doc + one.position) % 5 == term));
            assert!(list.is_sorted_by_key(|one| (one.doc, one.position)));
            Ok(())
        })
        .unwrap();
        assert_eq!(total, docs * 8);
    }
}
