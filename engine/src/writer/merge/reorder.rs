//! Which order the documents of a merge get: that of the inputs, or one in which similar documents are neighbours.

use std::sync::Arc;

use super::bisection::{Effort, ForwardIndex, order};
use super::{DROPPED, Merge, check_cancel};
use crate::document::IndexOptions;
use crate::ids::DocId;
use crate::schema::Reorder;
use crate::segment::{MergeError, PostingsNeed};

/// Memory of the terms of all documents, at most; rarer terms are left out until they fit.
const FORWARD_BYTES_MAX: u64 = 1 << 30;
/// Terms that more than one in so many documents has tell them apart badly.
const COMMON_SHARE: u32 = 2;

/// How hard each setting tries, and how rare a term it looks at.
fn plan(reorder: Reorder, docs: u32) -> Option<(Effort, u32)> {
    match reorder {
        Reorder::None => None,
        Reorder::Light => Some((
            Effort {
                iterations: 3,
                leaf: 128,
            },
            (docs / 300).max(2),
        )),
        Reorder::Full => Some((
            Effort {
                iterations: 20,
                leaf: 16,
            },
            (docs / 50_000).max(2),
        )),
    }
}

/// A term that counts: where its documents are in the list of all.
struct Chosen {
    end: usize,
    doc_freq: u32,
}

impl Merge<'_> {
    /// New ids for all live documents, in place of `doc_map`, so that documents with the same terms are neighbours. `None`: their
    /// order stays.
    pub(super) fn reorder(&self, reorder: Reorder) -> Result<Option<Vec<Vec<u32>>>, MergeError> {
        let Some((effort, rarest)) = plan(reorder, self.max_doc) else {
            return Ok(None);
        };
        if self.max_doc as usize <= effort.leaf {
            return Ok(None);
        }
        let index = self.forward_index(rarest)?;
        if index.terms.is_empty() {
            return Ok(None);
        }
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let Some(order) = order(&index, effort, threads, self.cancel) else {
            return Err(MergeError::Cancelled);
        };
        let mut new_ids = vec![DROPPED; order.len()];
        for (new, old) in order.iter().enumerate() {
            new_ids[*old as usize] = new as u32;
        }
        let renamed = |map: &Vec<u32>| {
            let new = |doc: &u32| new_ids.get(*doc as usize).copied().unwrap_or(DROPPED);
            map.iter().map(new).collect()
        };
        Ok(Some(self.doc_map.iter().map(renamed).collect()))
    }

    /// The terms of each document, by its place in the order of the inputs: all but the rarest and the most common.
    fn forward_index(&self, rarest: u32) -> Result<ForwardIndex, MergeError> {
        let mut docs = Vec::new();
        let mut chosen = Vec::new();
        for (path, _) in self
            .specs
            .iter()
            .filter(|(_, spec)| spec.index != IndexOptions::None)
        {
            // What the engine itself keeps of a document says nothing about its text.
            if !path.starts_with('_') {
                self.choose_terms(path, rarest, &mut docs, &mut chosen)?;
            }
        }
        Ok(turn(&docs, &chosen, self.max_doc))
    }

    /// Appends the documents of the terms of a field that count.
    fn choose_terms(
        &self,
        path: &Arc<str>,
        rarest: u32,
        docs: &mut Vec<u32>,
        chosen: &mut Vec<Chosen>,
    ) -> Result<(), MergeError> {
        let Some(mut terms) = self.term_merge(path, IndexOptions::Docs)? else {
            return Ok(());
        };
        while terms.next()? {
            let doc_freqs = terms
                .having()
                .filter_map(|input| Some(input.info()?.doc_freq));
            let doc_freq: u64 = doc_freqs.map(u64::from).sum();
            let too_common = doc_freq > u64::from(self.max_doc / COMMON_SHARE);
            if doc_freq < u64::from(rarest) || too_common {
                continue;
            }
            check_cancel(self.cancel)?;
            let start = docs.len();
            for input in terms.having() {
                let Some(info) = input.info() else { continue };
                let map = &self.doc_map[input.number];
                let mut cursor = input.terms.postings(info, PostingsNeed::Docs)?;
                loop {
                    let doc = cursor.next()?;
                    if doc == DocId::NO_MORE {
                        break;
                    }
                    let new = map[doc.0 as usize];
                    if new != DROPPED {
                        docs.push(new);
                    }
                }
            }
            chosen.push(Chosen {
                end: docs.len(),
                doc_freq: (docs.len() - start) as u32,
            });
            if docs.len() as u64 * 4 > 2 * FORWARD_BYTES_MAX {
                keep_common(docs, chosen, FORWARD_BYTES_MAX / 4);
            }
        }
        keep_common(docs, chosen, FORWARD_BYTES_MAX / 4);
        Ok(())
    }
}

/// Leaves the rarest terms out until at most so many postings stay.
fn keep_common(docs: &mut Vec<u32>, chosen: &mut Vec<Chosen>, postings_max: u64) {
    if docs.len() as u64 <= postings_max {
        return;
    }
    let mut doc_freqs: Vec<u32> = chosen.iter().map(|term| term.doc_freq).collect();
    doc_freqs.sort_unstable_by(|a, b| b.cmp(a));
    let mut total = 0u64;
    let fitting = doc_freqs.iter().take_while(|doc_freq| {
        total += u64::from(**doc_freq);
        total <= postings_max
    });
    let fitting = fitting.count();
    // A term as rare as the first that does not fit stays out, with all that are as rare.
    let least = doc_freqs.get(fitting).map_or(0, |doc_freq| doc_freq + 1);
    let (mut start, mut kept) = (0, 0);
    chosen.retain_mut(|term| {
        let range = start..term.end;
        start = term.end;
        if term.doc_freq < least {
            return false;
        }
        docs.copy_within(range.clone(), kept);
        kept += range.len();
        term.end = kept;
        true
    });
    docs.truncate(kept);
}

/// Documents by term become terms by document.
fn turn(docs: &[u32], chosen: &[Chosen], max_doc: u32) -> ForwardIndex {
    let mut starts = vec![0usize; max_doc as usize + 1];
    for doc in docs {
        starts[*doc as usize + 1] += 1;
    }
    for doc in 0..max_doc as usize {
        starts[doc + 1] += starts[doc];
    }
    let mut next = starts.clone();
    let mut terms = vec![0; docs.len()];
    let mut start = 0;
    for (number, term) in chosen.iter().enumerate() {
        for doc in &docs[start..term.end] {
            let at = &mut next[*doc as usize];
            terms[*at] = number as u32;
            *at += 1;
        }
        start = term.end;
    }
    ForwardIndex {
        starts,
        terms,
        term_count: chosen.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_turned_round_and_the_rarest_left_out() {
        let mut docs = vec![0, 1, 2, 1, 0, 2, 3];
        let chosen = |ends: &[usize]| {
            let mut start = 0;
            let chosen = ends.iter().map(|end| {
                let doc_freq = (*end - start) as u32;
                start = *end;
                Chosen {
                    end: *end,
                    doc_freq,
                }
            });
            chosen.collect::<Vec<_>>()
        };
        let mut terms = chosen(&[3, 4, 7]);
        let index = turn(&docs, &terms, 4);
        assert_eq!(index.starts, [0, 2, 4, 6, 7]);
        assert_eq!(index.terms, [0, 2, 0, 1, 0, 2, 2]);
        keep_common(&mut docs, &mut terms, 6);
        assert_eq!(docs, [0, 1, 2, 0, 2, 3]);
        assert_eq!(turn(&docs, &terms, 4).terms, [0, 1, 0, 0, 1, 1]);
        keep_common(&mut docs, &mut terms, 5);
        assert!(docs.is_empty() && terms.is_empty());
    }
}
