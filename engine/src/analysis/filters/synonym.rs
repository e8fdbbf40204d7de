//! The `synonym` and `synonym_graph` filters: other words for words.
//!
//! Rules are in Solr's form: `a, b => c` replaces, `a, b, c` makes all equal. Rules may have several words on
//! either side; the longest match from the left wins. `synonym_graph` keeps every path apart by position lengths;
//! `synonym` lays the paths on the positions of the longest.

use std::collections::HashMap;

use super::super::definition::Definition;
use super::super::token::{Token, TokenBatch};
use super::{Parts, TokenFilter};
use crate::schema::SchemaError;

#[derive(Debug)]
struct Synonym {
    rules: HashMap<Vec<String>, Rule>,
    longest: usize,
    graph: bool,
}

#[derive(Debug, Default)]
struct Rule {
    outputs: Vec<Vec<String>>,
    keep_original: bool,
}

/// Reads `synonyms`, `expand`, `lenient`, `format`.
pub(super) fn flat(
    definition: &Definition,
    parts: &dyn Parts,
) -> Result<Box<dyn TokenFilter>, SchemaError> {
    build(definition, parts, false)
}

/// Reads the same.
pub(super) fn graph(
    definition: &Definition,
    parts: &dyn Parts,
) -> Result<Box<dyn TokenFilter>, SchemaError> {
    build(definition, parts, true)
}

fn build(
    definition: &Definition,
    parts: &dyn Parts,
    graph: bool,
) -> Result<Box<dyn TokenFilter>, SchemaError> {
    definition.refuse_path("synonyms_path")?;
    if let Some(format) = definition.text("format")
        && format != "solr"
    {
        return Err(SchemaError::illegal(format!(
            "synonym format [{format}] is not supported"
        )));
    }
    if !definition.has("synonyms") {
        return Err(SchemaError::illegal(
            "synonym requires either `synonyms` or `synonyms_path` to be configured",
        ));
    }
    let expand = definition.flag("expand", true)?;
    let lenient = definition.flag("lenient", false)?;
    let mut synonym = Synonym {
        rules: HashMap::new(),
        longest: 0,
        graph,
    };
    // A rule holds commas: a text given alone is one rule, not a list.
    let lines: Vec<String> = match definition.text("synonyms") {
        Some(line) => vec![line],
        None => definition.list("synonyms").unwrap_or_default(),
    };
    for line in &lines {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Err(error) = synonym.add_line(line, expand, parts)
            && !lenient
        {
            return Err(error);
        }
    }
    Ok(Box::new(synonym))
}

impl Synonym {
    fn add_line(&mut self, line: &str, expand: bool, parts: &dyn Parts) -> Result<(), SchemaError> {
        let words = |side: &str| -> Result<Vec<Vec<String>>, SchemaError> {
            side.split(',')
                .map(|entry| {
                    let entry = entry.trim();
                    let words: Vec<String> = parts
                        .analyze_so_far(entry)
                        .into_iter()
                        .map(|(term, _)| term)
                        .collect();
                    if words.is_empty() {
                        return Err(SchemaError::illegal("failed to build synonyms").caused_by(
                            SchemaError::new(
                                "parse_exception",
                                format!("Invalid synonym rule at line 1: term: {entry} was completely eliminated by analyzer"),
                            ),
                        ));
                    }
                    Ok(words)
                })
                .collect()
        };
        match line.split_once("=>") {
            Some((left, right)) => {
                let outputs = words(right)?;
                for input in words(left)? {
                    self.add(input, &outputs, false);
                }
            }
            None => {
                let all = words(line)?;
                if expand {
                    for input in &all {
                        let others: Vec<Vec<String>> = all
                            .iter()
                            .filter(|other| *other != input)
                            .cloned()
                            .collect();
                        self.add(input.clone(), &others, true);
                    }
                } else if let Some(first) = all.first() {
                    for input in &all {
                        self.add(input.clone(), std::slice::from_ref(first), false);
                    }
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, input: Vec<String>, outputs: &[Vec<String>], keep_original: bool) {
        self.longest = self.longest.max(input.len());
        let rule = self.rules.entry(input).or_default();
        rule.keep_original |= keep_original;
        for output in outputs {
            if !rule.outputs.contains(output) {
                rule.outputs.push(output.clone());
            }
        }
    }

    /// The longest rule that matches from a place on, and how many tokens it takes.
    fn longest_match(&self, batch: &TokenBatch, tokens: &[Token]) -> Option<(&Rule, usize)> {
        let mut words: Vec<String> = Vec::new();
        let mut best = None;
        for (index, token) in tokens.iter().take(self.longest).enumerate() {
            // Words match side by side: no holes, no stacks.
            if index > 0 && token.increment != 1 {
                break;
            }
            words.push(batch.text(token).to_owned());
            if let Some(rule) = self.rules.get(&words) {
                best = Some((rule, index + 1));
            }
        }
        best
    }
}

/// A token of one of the paths that take the place of a match.
struct Placed {
    token: Token,
    from: u32,
    to: u32,
}

impl TokenFilter for Synonym {
    fn apply(&self, batch: &mut TokenBatch) {
        let tokens = std::mem::take(&mut batch.tokens);
        let mut at = 0;
        // Positions that the paths of the last match took beyond its first.
        let mut carry = 0;
        while at < tokens.len() {
            let Some((rule, count)) = self.longest_match(batch, &tokens[at..]) else {
                let mut token = tokens[at];
                token.increment += std::mem::take(&mut carry);
                batch.tokens.push(token);
                at += 1;
                continue;
            };
            let matched = &tokens[at..at + count];
            let (first, last) = (matched[0], matched[count - 1]);
            let mut paths: Vec<Vec<Token>> = Vec::new();
            for output in &rule.outputs {
                let path = output
                    .iter()
                    .map(|word| {
                        let (start, end) = batch.write(word);
                        Token {
                            start,
                            end,
                            start_offset: first.start_offset,
                            end_offset: last.end_offset,
                            kind: "SYNONYM",
                            keyword: false,
                            increment: 1,
                            length: 1,
                        }
                    })
                    .collect();
                paths.push(path);
            }
            if rule.keep_original {
                paths.push(matched.to_vec());
            }
            let (placed, span) = if self.graph {
                place_apart(&paths)
            } else {
                place_together(&paths)
            };
            let mut position = 0;
            for (index, item) in placed.iter().enumerate() {
                let mut token = item.token;
                token.increment = if index == 0 {
                    first.increment + carry
                } else {
                    item.from - position
                };
                token.length = item.to - item.from;
                position = item.from;
                batch.tokens.push(token);
            }
            carry = span - 1 - position;
            at += count;
        }
        batch.end_increment += carry;
    }
}

/// Every path on nodes of its own: none is read as part of another.
fn place_apart(paths: &[Vec<Token>]) -> (Vec<Placed>, u32) {
    let inner: usize = paths.iter().map(|path| path.len() - 1).sum();
    let end = inner as u32 + 1;
    let mut placed = Vec::new();
    let mut node = 1;
    for path in paths {
        let mut from = 0;
        for (index, token) in path.iter().enumerate() {
            let to = if index + 1 == path.len() {
                end
            } else {
                node += 1;
                node - 1
            };
            placed.push(Placed {
                token: *token,
                from,
                to,
            });
            from = to;
        }
    }
    placed.sort_by_key(|item| item.from);
    (placed, end)
}

/// All paths on the positions of the longest.
fn place_together(paths: &[Vec<Token>]) -> (Vec<Placed>, u32) {
    let span = paths.iter().map(Vec::len).max().unwrap_or(1) as u32;
    let mut placed = Vec::new();
    for path in paths {
        for (index, token) in path.iter().enumerate() {
            let from = index as u32;
            let to = if index + 1 == path.len() {
                span
            } else {
                from + 1
            };
            placed.push(Placed {
                token: *token,
                from,
                to,
            });
        }
    }
    placed.sort_by_key(|item| item.from);
    (placed, span)
}
