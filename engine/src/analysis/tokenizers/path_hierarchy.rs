//! The `path_hierarchy` tokenizer: a path and every path above it.

use super::super::definition::Definition;
use super::super::token::TokenBatch;
use super::Tokenizer;
use crate::schema::SchemaError;

#[derive(Debug)]
struct PathHierarchy {
    delimiter: char,
    replacement: char,
    skip: usize,
    reverse: bool,
}

/// Reads `delimiter`, `replacement`, `skip`, `reverse`.
pub(super) fn build(definition: &Definition) -> Result<Box<dyn Tokenizer>, SchemaError> {
    definition.size("buffer_size", 1024, 1)?;
    let character = |name: &str| -> Result<Option<char>, SchemaError> {
        let Some(text) = definition.text(name) else {
            return Ok(None);
        };
        let mut chars = text.chars();
        match (chars.next(), chars.next()) {
            (Some(c), None) => Ok(Some(c)),
            _ => Err(SchemaError::illegal(format!(
                "{name} must be a one char value"
            ))),
        }
    };
    let delimiter = character("delimiter")?.unwrap_or('/');
    Ok(Box::new(PathHierarchy {
        delimiter,
        replacement: character("replacement")?.unwrap_or(delimiter),
        skip: definition.size("skip", 0, 0)?,
        reverse: definition.flag("reverse", false)?,
    }))
}

impl Tokenizer for PathHierarchy {
    fn tokenize(&self, text: &str, out: &mut TokenBatch) {
        if text.is_empty() {
            return;
        }
        let cuts: Vec<usize> = text
            .match_indices(self.delimiter)
            .map(|(at, _)| at)
            .collect();
        let width = self.delimiter.len_utf8();
        let mut spans: Vec<(usize, usize)> = Vec::new();
        if self.reverse {
            // Every suffix, the last `skip` parts left out.
            let mut starts = vec![0];
            starts.extend(
                cuts.iter()
                    .map(|at| at + width)
                    .filter(|at| *at < text.len()),
            );
            let parts = starts.len();
            if self.skip < parts {
                let end = if self.skip == 0 {
                    text.len()
                } else {
                    starts[parts - self.skip]
                };
                spans.extend(
                    starts[..parts - self.skip]
                        .iter()
                        .map(|start| (*start, end)),
                );
            }
        } else {
            // Every prefix, the first `skip` parts left out.
            let mut ends: Vec<usize> = cuts.iter().copied().filter(|at| *at > 0).collect();
            ends.push(text.len());
            let start = match self.skip {
                0 => 0,
                skip => match ends.get(skip - 1) {
                    Some(end) if *end < text.len() => *end,
                    _ => return,
                },
            };
            spans.extend(ends.iter().skip(self.skip).map(|end| (start, *end)));
        }
        for (index, (start, end)) in spans.into_iter().enumerate() {
            out.push_slice(start, end, "word");
            if let Some(token) = out.tokens.last_mut()
                && index > 0
            {
                token.increment = 0;
            }
        }
        if self.replacement != self.delimiter {
            let (from, to) = (self.delimiter, self.replacement.to_string());
            out.map_text(|text, _| Some(text.replace(from, &to)));
        }
    }
}
