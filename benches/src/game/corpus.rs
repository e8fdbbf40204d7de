//! The corpus: JSON lines with `id` and `text`; other names are ignored.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::random::Random;

/// Words that made-up texts may hold.
const MADE_UP_WORDS: f64 = 100_000.0;

/// One line of the corpus.
#[derive(Deserialize)]
pub struct Line<'a> {
    /// The document's name.
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    /// Its text.
    #[serde(borrow)]
    pub text: Cow<'a, str>,
}

/// Calls `each` with the number and the line of the first `docs` documents of a corpus; how many there were.
pub fn for_each(
    path: &Path,
    docs: Option<u32>,
    mut each: impl FnMut(u32, Line<'_>) -> Result<()>,
) -> Result<u32> {
    let file = File::open(path).with_context(|| path.display().to_string())?;
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let (mut line, mut number) = (String::new(), 0);
    while number < docs.unwrap_or(u32::MAX) {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            break;
        }
        let parsed = serde_json::from_str(&line)
            .with_context(|| format!("{}, line {}", path.display(), number + 1))?;
        each(number, parsed)?;
        number += 1;
    }
    Ok(number)
}

/// Documents in memory, so that reading and parsing the corpus is no part of any time.
pub struct Documents {
    bytes: String,
    /// Where each document's id ends, and where its text ends.
    ends: Vec<(usize, usize)>,
    /// Bytes of all texts.
    pub text_bytes: u64,
}

impl Documents {
    /// Reads the first `docs` documents.
    pub fn load(path: &Path, docs: Option<u32>) -> Result<Documents> {
        let mut documents = Documents {
            bytes: String::new(),
            ends: Vec::new(),
            text_bytes: 0,
        };
        for_each(path, docs, |_, line| {
            documents.push(&line.id, &line.text);
            Ok(())
        })?;
        Ok(documents)
    }

    /// `docs` texts of made-up words, some of which are in most of them and most in few; the same ones every time.
    pub fn made_up(docs: u32) -> Documents {
        let mut documents = Documents {
            bytes: String::new(),
            ends: Vec::new(),
            text_bytes: 0,
        };
        let mut random = Random::new(2);
        for number in 0..docs {
            let mut text = String::new();
            for _ in 0..20 + random.below(80) {
                // about as frequent as its rank says
                let word = (MADE_UP_WORDS.powf(random.unit()) - 1.0) as u64;
                text.push_str(&format!("w{word} "));
            }
            documents.push(&number.to_string(), &text);
        }
        documents
    }

    fn push(&mut self, id: &str, text: &str) {
        self.bytes.push_str(id);
        let id_end = self.bytes.len();
        self.bytes.push_str(text);
        self.ends.push((id_end, self.bytes.len()));
        self.text_bytes += text.len() as u64;
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Id and text of a document.
    pub fn get(&self, number: usize) -> (&str, &str) {
        let start = match number {
            0 => 0,
            _ => self.ends[number - 1].1,
        };
        let (id_end, text_end) = self.ends[number];
        (&self.bytes[start..id_end], &self.bytes[id_end..text_end])
    }

    /// `count` ranges of consecutive documents, of equal size as far as possible: one for each segment.
    pub fn parts(&self, count: usize) -> Vec<std::ops::Range<usize>> {
        let end = |part: usize| self.len() * part / count;
        (0..count).map(|part| end(part)..end(part + 1)).collect()
    }
}

/// Whether a document is among the `percent` that are deleted: the same ones in every engine, spread evenly.
pub fn is_deleted(number: u32, percent: f64) -> bool {
    Random::new(u64::from(number)).unit() < percent / 100.0
}
