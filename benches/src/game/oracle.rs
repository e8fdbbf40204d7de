//! The right answers, computed from the corpus alone: every matching document, scored one by one by the definition of BM25
//! as Lucene rounds it. It shares no code with the engine; documents are numbers in the corpus.
//!
//! * A term in `n` of `N` documents: `idf = ln(1 + (N - n + 0.5) / (n + 0.5))`, in `f64`, rounded to `f32`. A phrase has the sum.
//! * Score of `freq` occurrences: `w - w / (1 + freq * c)`, `w` = boost times idf, `c = 1 / (k1 * ((1 - b) + b * length / average))`,
//!   all in `f32`; the length is exact below 40, then rounded down to 4 significant bits above 24.
//! * Clauses: terms written twice are one with twice the boost; needed clauses are summed in `f64` and rounded, so are the
//!   others, and the two sums are added in `f32`.
//! * Dead documents count in `N`, `n` and `average`, and are not found.

use std::path::Path;

use anyhow::Result;
use hashbrown::HashMap;

use super::corpus::{for_each, is_deleted};
use super::queries::{Clause, GameQuery, Occur};

const K1: f32 = 1.2;
const B: f32 = 0.75;

/// One term's documents, ascending, and where it stands in each.
#[derive(Default)]
struct Postings {
    docs: Vec<u32>,
    /// Where the positions of each document end in `positions`.
    ends: Vec<u32>,
    positions: Vec<u32>,
}

impl Postings {
    fn add(&mut self, doc: u32, position: u32) {
        if self.docs.last() != Some(&doc) {
            self.docs.push(doc);
            self.ends.push(self.positions.len() as u32);
        }
        self.positions.push(position);
        if let Some(end) = self.ends.last_mut() {
            *end += 1;
        }
    }

    fn positions_at(&self, index: usize) -> &[u32] {
        let start = match index {
            0 => 0,
            _ => self.ends[index - 1],
        };
        &self.positions[start as usize..self.ends[index] as usize]
    }

    fn positions(&self, doc: u32) -> &[u32] {
        match self.docs.binary_search(&doc) {
            Ok(index) => self.positions_at(index),
            Err(_) => &[],
        }
    }
}

/// Documents, ascending, with scores.
type Scored = Vec<(u32, f32)>;

/// What a query finds.
#[derive(serde::Serialize, serde::Deserialize)]
pub struct Answer {
    /// How many documents match.
    pub count: u64,
    /// The best: as many as were asked for, and all that score the same as the last of them. In no order.
    pub best: Vec<(u32, f32)>,
}

/// The corpus, as far as some queries need it.
pub struct Oracle {
    terms: HashMap<String, Postings>,
    /// Tokens of each document.
    lengths: Vec<u32>,
    /// Documents with at least one token.
    doc_count: u64,
    token_count: u64,
    deletes: f64,
}

impl Oracle {
    /// Reads the corpus for the terms of these queries.
    pub fn read(
        corpus: &Path,
        docs: Option<u32>,
        deletes: f64,
        queries: &[GameQuery],
    ) -> Result<Oracle> {
        let mut oracle = Oracle {
            terms: HashMap::new(),
            lengths: Vec::new(),
            doc_count: 0,
            token_count: 0,
            deletes,
        };
        let clauses = queries.iter().flat_map(|query| &query.clauses);
        for term in clauses.flat_map(|clause| &clause.terms) {
            oracle.terms.entry_ref(term.as_str()).or_default();
        }
        for_each(corpus, docs, |doc, line| {
            oracle.add(doc, &line.text);
            Ok(())
        })?;
        Ok(oracle)
    }

    fn add(&mut self, doc: u32, text: &str) {
        let mut length = 0;
        let pieces = text.split_whitespace().flat_map(|word| {
            // The whitespace tokenizer cuts longer words.
            word.as_bytes().chunks(255)
        });
        for token in pieces.filter_map(|piece| std::str::from_utf8(piece).ok()) {
            if let Some(postings) = self.terms.get_mut(token) {
                postings.add(doc, length);
            }
            length += 1;
        }
        self.lengths.push(length);
        self.doc_count += u64::from(length > 0);
        self.token_count += u64::from(length);
    }

    fn idf(&self, term: &str) -> f32 {
        let found = self.terms[term].docs.len() as f64;
        (1.0 + (self.doc_count as f64 - found + 0.5) / (found + 0.5)).ln() as f32
    }

    fn score(&self, weight: f32, freq: u32, doc: u32) -> f32 {
        let average = (self.token_count as f64 / self.doc_count as f64) as f32;
        let length = rounded_length(self.lengths[doc as usize]) as f32;
        let factor = 1.0 / (K1 * ((1.0 - B) + B * length / average));
        weight - weight / (1.0 + freq as f32 * factor)
    }

    fn term(&self, term: &str, boost: f32) -> Scored {
        let postings = &self.terms[term];
        let weight = boost * self.idf(term);
        let docs = postings.docs.iter().enumerate();
        let scored = docs.map(|(index, &doc)| {
            let freq = postings.positions_at(index).len() as u32;
            (doc, self.score(weight, freq, doc))
        });
        scored.collect()
    }

    fn phrase(&self, terms: &[String]) -> Scored {
        let idfs = terms.iter().map(|term| f64::from(self.idf(term)));
        let weight = idfs.sum::<f64>() as f32;
        let mut found = Vec::new();
        let first = &self.terms[&terms[0]];
        for (index, &doc) in first.docs.iter().enumerate() {
            let others: Vec<&[u32]> = terms[1..]
                .iter()
                .map(|term| self.terms[term].positions(doc))
                .collect();
            let starts = first.positions_at(index).iter();
            let starts = starts.filter(|&&start| {
                let mut others = others.iter().zip(start + 1..);
                others.all(|(positions, wanted)| positions.binary_search(&wanted).is_ok())
            });
            let freq = starts.count() as u32;
            if freq > 0 {
                found.push((doc, self.score(weight, freq, doc)));
            }
        }
        found
    }

    /// Each clause of one kind; terms written twice are one with twice the boost.
    fn clauses(&self, query: &GameQuery, occur: Occur) -> Vec<Scored> {
        let of_kind = query.clauses.iter().filter(|clause| clause.occur == occur);
        let of_kind: Vec<&Clause> = of_kind.collect();
        let mut scored = Vec::new();
        for (index, clause) in of_kind.iter().enumerate() {
            match clause.terms.as_slice() {
                [_] if of_kind[..index].contains(clause) => {}
                [term] => {
                    let times = of_kind.iter().filter(|other| *other == clause).count();
                    scored.push(self.term(term, times as f32));
                }
                terms => scored.push(self.phrase(terms)),
            }
        }
        scored
    }

    /// The answer to a query; `size`: how many of the best are wanted.
    pub fn answer(&self, query: &GameQuery, size: usize) -> Answer {
        let must = self.clauses(query, Occur::Must);
        let should = sum_any(&self.clauses(query, Occur::Should));
        let mut found = if must.is_empty() {
            should
        } else {
            add_optional(sum_all(&must), &should)
        };
        for unwanted in self.clauses(query, Occur::MustNot) {
            found.retain(|(doc, _)| unwanted.binary_search_by_key(doc, |hit| hit.0).is_err());
        }
        found.retain(|(doc, _)| !is_deleted(*doc, self.deletes));
        let count = found.len() as u64;
        if size < found.len() {
            found.select_nth_unstable_by(size, |a, b| b.1.total_cmp(&a.1));
            let last = found[..size]
                .iter()
                .map(|hit| hit.1)
                .fold(f32::INFINITY, f32::min);
            found.retain(|hit| hit.1 >= last);
        }
        Answer { count, best: found }
    }
}

/// The length that a document of this length counts with.
fn rounded_length(length: u32) -> u32 {
    if length < 40 {
        return length;
    }
    let above = length - 24;
    let dropped = above.ilog2() - 3;
    24 + (above >> dropped << dropped)
}

/// Documents of all parts, with the sum of their scores.
fn sum_all(parts: &[Scored]) -> Scored {
    let mut found = Vec::new();
    'docs: for (doc, score) in &parts[0] {
        let mut sum = f64::from(*score);
        for part in &parts[1..] {
            match part.binary_search_by_key(doc, |hit| hit.0) {
                Ok(index) => sum += f64::from(part[index].1),
                Err(_) => continue 'docs,
            }
        }
        found.push((*doc, sum as f32));
    }
    found
}

/// Documents of any part, with the sum of their scores.
fn sum_any(parts: &[Scored]) -> Scored {
    let mut sums: Vec<(u32, f64)> = Vec::new();
    for part in parts {
        let mut merged = Vec::with_capacity(sums.len() + part.len());
        let (mut left, mut right) = (sums.iter().peekable(), part.iter().peekable());
        loop {
            merged.push(match (left.peek(), right.peek()) {
                (Some((a, sum)), Some((b, score))) if a == b => {
                    let both = (*a, sum + f64::from(*score));
                    left.next();
                    right.next();
                    both
                }
                (Some((a, sum)), Some((b, _))) if a < b => {
                    left.next();
                    (*a, *sum)
                }
                (Some((a, sum)), None) => {
                    left.next();
                    (*a, *sum)
                }
                (_, Some((b, score))) => {
                    right.next();
                    (*b, f64::from(*score))
                }
                (None, None) => break,
            });
        }
        sums = merged;
    }
    sums.into_iter()
        .map(|(doc, sum)| (doc, sum as f32))
        .collect()
}

/// `needed`, scored higher where `optional` matches.
fn add_optional(mut needed: Scored, optional: &Scored) -> Scored {
    for (doc, score) in &mut needed {
        if let Ok(index) = optional.binary_search_by_key(doc, |hit| hit.0) {
            *score += optional[index].1;
        }
    }
    needed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn oracle(texts: &[&str], query: &str) -> (Oracle, GameQuery) {
        let query = GameQuery::parse(query, Vec::new()).unwrap();
        let mut oracle = Oracle {
            terms: HashMap::new(),
            lengths: Vec::new(),
            doc_count: 0,
            token_count: 0,
            deletes: 0.0,
        };
        for term in query.clauses.iter().flat_map(|clause| &clause.terms) {
            oracle.terms.entry_ref(term.as_str()).or_default();
        }
        for (doc, text) in texts.iter().enumerate() {
            oracle.add(doc as u32, text);
        }
        (oracle, query)
    }

    fn found(query: &str) -> Vec<u32> {
        let texts = [
            "a red hat",
            "a hat red",
            "red red hat hat",
            "a blue hat",
            "red",
            "",
        ];
        let (oracle, query) = oracle(&texts, query);
        let mut docs: Vec<u32> = oracle.answer(&query, 10).best.iter().map(|h| h.0).collect();
        docs.sort_unstable();
        docs
    }

    #[test]
    fn every_form_finds_what_it_says() {
        assert_eq!(found("red"), [0, 1, 2, 4]);
        assert_eq!(found("red blue"), [0, 1, 2, 3, 4]);
        assert_eq!(found("+red +hat"), [0, 1, 2]);
        assert_eq!(found("\"red hat\""), [0, 2]);
        assert_eq!(found("\"red red hat\""), [2]);
        assert_eq!(found("+red hat"), [0, 1, 2, 4]);
        assert_eq!(found("+hat -blue"), [0, 1, 2]);
        assert_eq!(found("+\"red hat\" +a"), [0]);
        assert_eq!(found("green"), [] as [u32; 0]);
    }

    #[test]
    fn a_score_by_hand_and_its_ties() {
        // two documents of 2 tokens, one of 5: average 3; idf = ln(1 + 0.5 / 3.5)
        let (oracle, query) = oracle(&["red hat", "hat red", "red a b c d"], "red");
        let answer = oracle.answer(&query, 1);
        let weight = (1.0 + 0.5f64 / 3.5).ln() as f32;
        let factor = 1.0f32 / (1.2 * (0.25 + 0.75 * 2.0 / 3.0));
        let score = weight - weight / (1.0 + factor);
        assert_eq!(answer.count, 3);
        assert_eq!(answer.best, [(0, score), (1, score)]);
    }

    #[test]
    fn a_term_twice_has_twice_the_boost() {
        let (twice, query) = oracle(&["red hat", "blue"], "red hat red");
        let (once, alone) = oracle(&["red hat", "blue"], "hat");
        let red_and_hat = twice.answer(&query, 1).best[0].1;
        let hat = once.answer(&alone, 1).best[0].1;
        assert_eq!(red_and_hat, (3.0 * f64::from(hat)) as f32);
    }

    #[test]
    fn lengths_are_exact_until_they_take_a_byte_too_many() {
        for (length, counts) in [(39, 39), (40, 40), (41, 40), (1024, 24 + 960)] {
            assert_eq!(rounded_length(length), counts);
        }
    }
}
