//! Char filters: text to text, before the tokenizer. One file each.

mod html_strip;
mod mapping;
mod pattern_replace;

use std::fmt::Debug;

use super::definition::Definition;
use crate::schema::SchemaError;

/// Changes the text, remembering where it came from.
pub(crate) trait CharFilter: Debug + Send + Sync {
    /// Gives the new text.
    fn apply(&self, text: &str) -> FilteredText;
}

/// A text after a char filter.
#[derive(Debug, Default)]
pub(crate) struct FilteredText {
    /// The text.
    pub text: String,
    /// From which byte of it on, how many bytes to add to find the place in the text before; ascending.
    pub corrections: Vec<(u32, i64)>,
}

impl FilteredText {
    /// A text nothing was done to.
    pub fn new(text: &str) -> FilteredText {
        FilteredText {
            text: text.to_owned(),
            corrections: Vec::new(),
        }
    }

    /// Replaces `input` bytes of the text before by `output`.
    pub fn replace(&mut self, input: usize, output: &str) {
        let before = self.corrections.last().map_or(0, |(_, diff)| *diff);
        let diff = before + input as i64 - output.len() as i64;
        let start = self.text.len();
        self.text.push_str(output);
        if input > output.len() {
            self.record(start + output.len(), diff);
        } else {
            // Each byte added points at the end of what it replaces.
            for extra in input..output.len() {
                self.record(start + extra, before - (extra + 1 - input) as i64);
            }
        }
    }

    fn record(&mut self, at: usize, diff: i64) {
        match self.corrections.last_mut() {
            Some((last, old)) if *last as usize == at => *old = diff,
            Some((_, old)) if *old == diff => {}
            _ => self.corrections.push((at as u32, diff)),
        }
    }
}

/// A row of the table: what a `type` builds.
pub(crate) struct CharFilterType {
    /// As users write it.
    pub name: &'static str,
    /// Whether it is usable by its name alone.
    pub prebuilt: bool,
    /// Whether a normalizer may use it.
    pub normalizes: bool,
    /// Reads the parameters.
    pub build: fn(&Definition) -> Result<Box<dyn CharFilter>, SchemaError>,
}

/// All char filters.
pub(crate) const CHAR_FILTERS: &[CharFilterType] = &[
    CharFilterType {
        name: "html_strip",
        prebuilt: true,
        normalizes: false,
        build: html_strip::build,
    },
    CharFilterType {
        name: "mapping",
        prebuilt: false,
        normalizes: true,
        build: mapping::build,
    },
    CharFilterType {
        name: "pattern_replace",
        prebuilt: false,
        normalizes: true,
        build: pattern_replace::build,
    },
];

/// The row of a name.
pub(crate) fn find(name: &str) -> Option<&'static CharFilterType> {
    CHAR_FILTERS.iter().find(|row| row.name == name)
}
