//! What is indexed and what is asked: the same for every cluster.

use std::path::Path;

use anyhow::{Result, ensure};
use serde_json::json;

use crate::game::corpus::Documents;
use crate::game::queries::{Class, load};
use crate::http::{JSON, LINES, push_document, request_bytes};
use crate::random::Random;

/// The index under test.
pub const INDEX: &str = "growth";

/// Requests, ready to be sent.
pub struct Workload {
    /// How many documents the `_bulk` requests hold.
    pub docs: usize,
    /// Each holds so many documents; the last one what is left.
    pub bulk_docs: usize,
    /// Every document once.
    pub bulks: Vec<Vec<u8>>,
    /// The texts of the `match` queries.
    pub queries: Vec<String>,
    /// One for each query, as a client asks it.
    pub searches: Vec<Vec<u8>>,
}

impl Workload {
    /// Indexes these documents and asks for these texts.
    pub fn new(documents: &Documents, bulk_docs: usize, queries: Vec<String>) -> Workload {
        let mut bulks = Vec::new();
        let numbers: Vec<usize> = (0..documents.len()).collect();
        for chunk in numbers.chunks(bulk_docs) {
            let mut body = Vec::new();
            for number in chunk {
                let (id, text) = documents.get(*number);
                push_document(&mut body, id, json!({"text": text}).to_string().as_bytes());
            }
            bulks.push(request_bytes(
                "POST",
                &format!("/{INDEX}/_bulk"),
                LINES,
                &body,
            ));
        }
        let searches = queries
            .iter()
            .map(|text| search(text, &json!({"size": 10, "_source": false})))
            .collect();
        Workload {
            docs: documents.len(),
            bulk_docs,
            bulks,
            queries,
            searches,
        }
    }

    /// The searches that are compared: all hits are counted, more of them are shown.
    pub fn checks(&self) -> impl Iterator<Item = (&str, Vec<u8>)> {
        self.queries.iter().map(|text| {
            let body = json!({"size": 20, "_source": false, "track_total_hits": true});
            (text.as_str(), search(text, &body))
        })
    }
}

fn search(text: &str, body: &serde_json::Value) -> Vec<u8> {
    let mut body = body.clone();
    body["query"] = json!({"match": {"text": text}});
    let path = format!("/{INDEX}/_search");
    request_bytes("POST", &path, JSON, body.to_string().as_bytes())
}

/// The terms of the first `count` queries of a file of the game, without their operators.
pub fn queries_of_file(path: &Path, count: usize) -> Result<Vec<String>> {
    let queries = load(path, &Class::ALL)?;
    let text = |query: &crate::game::queries::GameQuery| {
        let terms = query.clauses.iter().flat_map(|clause| &clause.terms);
        terms.map(String::as_str).collect::<Vec<_>>().join(" ")
    };
    let mut texts: Vec<String> = Vec::new();
    for text in queries.iter().map(text) {
        // one text stands there under several operators
        if texts.len() < count && !texts.contains(&text) {
            texts.push(text);
        }
    }
    Ok(texts)
}

/// `count` queries of one to three words that stand together in some document.
pub fn queries_of_documents(documents: &Documents, count: usize) -> Result<Vec<String>> {
    ensure!(!documents.is_empty(), "no documents to make queries of");
    let mut random = Random::new(3);
    let mut texts = Vec::new();
    // an empty text gives no query
    for _ in 0..count * 10 {
        let number = random.below(documents.len() as u64) as usize;
        let words: Vec<&str> = documents.get(number).1.split_whitespace().collect();
        let wanted = 1 + random.below(3) as usize;
        if words.len() >= wanted && texts.len() < count {
            let start = random.below((words.len() - wanted + 1) as u64) as usize;
            texts.push(words[start..start + wanted].join(" "));
        }
    }
    ensure!(!texts.is_empty(), "no document has words");
    Ok(texts)
}
