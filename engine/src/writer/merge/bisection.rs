//! Recursive graph bisection: an order of documents in which neighbours share terms.
//!
//! Dhulipala, Kabiljo, Karrer, Ottaviano, Pupyrev, Shalita, "Compressing Graphs and Indexes with Recursive Graph
//! Bisection" (2016): documents are halved so that the terms of each half are spread as little as possible over both, then
//! each half is. That an iteration needs no more than a selection of the median is from Mackenzie, Petri, Moffat, "Tradeoff
//! Options for Bipartite Graph Partitioning" (2021).

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Documents with fewer than this are not worth a thread of their own.
const DOCS_PER_THREAD: usize = 4096;
/// Logarithms kept at hand.
const LOGS: usize = 4096;

/// Documents with their terms.
#[derive(Debug, Default)]
pub(super) struct ForwardIndex {
    /// Where the terms of each document start in `terms`, and where those of the last end.
    pub starts: Vec<usize>,
    /// Numbers of terms, each below `term_count`.
    pub terms: Vec<u32>,
    pub term_count: usize,
}

impl ForwardIndex {
    pub fn len(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    fn terms_of(&self, doc: u32) -> &[u32] {
        &self.terms[self.starts[doc as usize]..self.starts[doc as usize + 1]]
    }
}

/// How hard to try.
#[derive(Clone, Copy, Debug)]
pub(super) struct Effort {
    /// Exchanges between two halves, at most.
    pub iterations: u32,
    /// So many documents are not halved any more.
    pub leaf: usize,
}

/// The documents in their new order: every one once. `None` when it was cancelled.
///
/// The answer depends on nothing but index and effort.
pub(super) fn order(
    index: &ForwardIndex,
    effort: Effort,
    threads: usize,
    cancel: &AtomicBool,
) -> Option<Vec<u32>> {
    let mut docs: Vec<u32> = (0..index.len() as u32).collect();
    let bisection = Bisection {
        index,
        effort,
        cancel,
        logs: (0..LOGS).map(|n| (n as f32 + 1.0).log2()).collect(),
    };
    let mut work = Workspace::new(index.term_count);
    bisection.halve(&mut docs, &mut work, threads.max(1));
    (!cancel.load(Ordering::Relaxed)).then_some(docs)
}

struct Bisection<'a> {
    index: &'a ForwardIndex,
    effort: Effort,
    cancel: &'a AtomicBool,
    /// Logarithm of n + 1.
    logs: Vec<f32>,
}

/// What one thread counts in.
struct Workspace {
    /// By term: documents of the left half and of the right half.
    counts: Vec<[u32; 2]>,
    /// By term: how much it draws its documents to the left.
    pulls: Vec<f32>,
    /// The terms with counts.
    touched: Vec<u32>,
    drawn: Vec<Drawn>,
}

/// A document between the halves.
#[derive(Clone, Copy)]
struct Drawn {
    /// How much its terms draw it to the left.
    pull: f32,
    doc: u32,
    left: bool,
}

impl Workspace {
    fn new(terms: usize) -> Workspace {
        Workspace {
            counts: vec![[0; 2]; terms],
            pulls: vec![0.0; terms],
            touched: Vec::new(),
            drawn: Vec::new(),
        }
    }

    fn forget(&mut self) {
        for term in self.touched.drain(..) {
            self.counts[term as usize] = [0; 2];
        }
    }
}

impl Bisection<'_> {
    fn halve(&self, docs: &mut [u32], work: &mut Workspace, threads: usize) {
        if docs.len() <= self.effort.leaf.max(1) {
            docs.sort_unstable();
            return;
        }
        let middle = docs.len() / 2;
        self.count(docs, middle, work);
        for _ in 0..self.effort.iterations {
            if self.cancel.load(Ordering::Relaxed) || !self.exchange(docs, middle, work, threads) {
                break;
            }
        }
        work.forget();
        let (left, right) = docs.split_at_mut(middle);
        if threads > 1 && left.len() >= DOCS_PER_THREAD {
            thread::scope(|scope| {
                scope.spawn(|| {
                    let mut work = Workspace::new(self.index.term_count);
                    self.halve(left, &mut work, threads / 2);
                });
                self.halve(right, work, threads - threads / 2);
            });
        } else {
            self.halve(left, work, 1);
            self.halve(right, work, 1);
        }
    }

    fn count(&self, docs: &[u32], middle: usize, work: &mut Workspace) {
        for (at, doc) in docs.iter().enumerate() {
            let half = usize::from(at >= middle);
            for term in self.index.terms_of(*doc) {
                let counts = &mut work.counts[*term as usize];
                if *counts == [0; 2] {
                    work.touched.push(*term);
                }
                counts[half] += 1;
            }
        }
    }

    fn log(&self, count: u32) -> f32 {
        match self.logs.get(count as usize) {
            Some(log) => *log,
            None => (count as f32 + 1.0).log2(),
        }
    }

    /// Puts each document into the half to which its terms draw it most; `false` when all are there already.
    fn exchange(
        &self,
        docs: &mut [u32],
        middle: usize,
        work: &mut Workspace,
        threads: usize,
    ) -> bool {
        for term in &work.touched {
            let [left, right] = work.counts[*term as usize];
            work.pulls[*term as usize] = self.log(left) - self.log(right);
        }
        let halves = docs.iter().enumerate();
        work.drawn.clear();
        work.drawn.extend(halves.map(|(at, doc)| Drawn {
            pull: 0.0,
            doc: *doc,
            left: at < middle,
        }));
        self.draw(&mut work.drawn, &work.pulls, threads);
        let weakest = |half: &[Drawn]| half.iter().map(|one| one.pull).reduce(f32::min);
        let strongest = |half: &[Drawn]| half.iter().map(|one| one.pull).reduce(f32::max);
        let (left, right) = work.drawn.split_at(middle);
        if weakest(left) >= strongest(right) {
            return false;
        }
        work.drawn.select_nth_unstable_by(middle, |a, b| {
            // Among equals those that are left stay there.
            b.pull
                .total_cmp(&a.pull)
                .then(b.left.cmp(&a.left))
                .then(a.doc.cmp(&b.doc))
        });
        for (at, drawn) in work.drawn.iter().enumerate() {
            docs[at] = drawn.doc;
            let left = at < middle;
            if left != drawn.left {
                let (from, to) = (usize::from(left), usize::from(!left));
                for term in self.index.terms_of(drawn.doc) {
                    let counts = &mut work.counts[*term as usize];
                    counts[from] -= 1;
                    counts[to] += 1;
                }
            }
        }
        true
    }

    fn draw(&self, drawn: &mut [Drawn], pulls: &[f32], threads: usize) {
        let one = |drawn: &mut [Drawn]| {
            for one in drawn {
                let terms = self.index.terms_of(one.doc);
                one.pull = terms.iter().map(|term| pulls[*term as usize]).sum();
            }
        };
        if threads == 1 || drawn.len() < 2 * DOCS_PER_THREAD {
            return one(drawn);
        }
        thread::scope(|scope| {
            for part in drawn.chunks_mut(drawn.len().div_ceil(threads)) {
                scope.spawn(|| one(part));
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn index(docs: &[Vec<u32>]) -> ForwardIndex {
        let mut index = ForwardIndex {
            starts: vec![0],
            ..ForwardIndex::default()
        };
        for terms in docs {
            index.terms.extend(terms);
            index.starts.push(index.terms.len());
        }
        index.term_count = index
            .terms
            .iter()
            .max()
            .map_or(0, |most| *most as usize + 1);
        index
    }

    const FULL: Effort = Effort {
        iterations: 20,
        leaf: 4,
    };

    fn run(docs: &[Vec<u32>], threads: usize) -> Vec<u32> {
        order(&index(docs), FULL, threads, &AtomicBool::new(false)).unwrap()
    }

    #[test]
    fn two_topics_are_parted() {
        // Words and topics that follow no pattern of the documents' numbers.
        let chance = |doc: u32, salt: u32| (doc * 31 + salt).wrapping_mul(2_654_435_761) >> 16;
        let topic = |doc: u32| chance(doc, 7) % 2 * 20;
        let docs: Vec<Vec<u32>> = (0..512)
            .map(|doc| {
                (0..8)
                    .map(|word| topic(doc) + chance(doc, word) % 20)
                    .collect()
            })
            .collect();
        let order = run(&docs, 1);
        let topics: Vec<u32> = order.iter().map(|doc| topic(*doc)).collect();
        let changes = topics.windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert!(changes < 16, "{changes} changes: {topics:?}");
    }

    #[test]
    fn several_threads_give_the_same_order() {
        let docs: Vec<Vec<u32>> = (0..40_000u32)
            .map(|doc| vec![doc * 7919 % 97, 100 + doc * 31 % 89, 200 + doc % 7])
            .collect();
        assert_eq!(run(&docs, 1), run(&docs, 3));
    }

    #[test]
    fn it_can_be_cancelled() {
        let index = index(&[vec![0], vec![1]]);
        assert_eq!(order(&index, FULL, 1, &AtomicBool::new(true)), None);
    }

    proptest! {
        #[test]
        fn every_document_is_there_once(
            docs in proptest::collection::vec(proptest::collection::vec(0u32..30, 0..6), 0..300),
        ) {
            let mut order = run(&docs, 2);
            order.sort_unstable();
            prop_assert_eq!(order, (0..docs.len() as u32).collect::<Vec<_>>());
        }
    }
}
