//! One field of one document while its values arrive.

use std::cell::RefCell;
use std::sync::Arc;

use super::fields::{
    ColumnKind, FieldSpec, IndexOptions, ParsedField, StoredValue, TermBuffer, TermSpan,
};
use crate::analysis::{Analyzer, Case, Slice, TokenBatch, lower_char};
use crate::schema::{FieldMapping, ValueError, immense_term};

/// Longest term in bytes.
const TERM_BYTES_MAX: usize = 32_766;

/// Collects the values of one field of one document.
#[derive(Debug)]
pub(crate) struct FieldBuilder {
    field: ParsedField,
    /// Position of the last token, gaps included; -1 before the first.
    position: i64,
    /// A value was too long or malformed and left out.
    ignored: bool,
    /// A text was analysed, even if no token came of it.
    analysed: bool,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch::default());
}

/// What analysis works in, kept from text to text.
#[derive(Default)]
struct Scratch {
    batch: TokenBatch,
    slices: Vec<Slice>,
}

impl FieldBuilder {
    /// No values yet.
    pub fn new(path: Arc<str>, spec: FieldSpec) -> FieldBuilder {
        FieldBuilder {
            field: ParsedField {
                path,
                spec,
                terms: TermBuffer::default(),
                numbers: Vec::new(),
                stored: Vec::new(),
            },
            position: -1,
            ignored: false,
            analysed: false,
        }
    }

    /// Adds one term, as it is.
    pub fn add_term(&mut self, term: &[u8]) {
        self.field.terms.push(term, 0);
        self.field.terms.length += 1;
    }

    /// Analyses a text and adds its tokens.
    pub fn add_text(
        &mut self,
        analyzer: &Analyzer,
        gap: u32,
        text: &str,
    ) -> Result<(), ValueError> {
        self.analysed = true;
        let mut scratch = SCRATCH.take();
        let result = match analyzer.slices(text, &mut scratch.slices) {
            Some(case) => self.add_slices(text, case, &scratch.slices),
            None => {
                analyzer.run(text, &mut scratch.batch, false);
                self.add_batch(&scratch.batch)
            }
        };
        SCRATCH.replace(scratch);
        self.position += i64::from(gap);
        if result.is_ok() && self.position > i64::from(i32::MAX) {
            return Err(ValueError::illegal(format!(
                "position overflow for field '{}'",
                self.field.path
            )));
        }
        result
    }

    fn add_batch(&mut self, batch: &TokenBatch) -> Result<(), ValueError> {
        let terms = &mut self.field.terms;
        for token in &batch.tokens {
            self.position += i64::from(token.increment);
            let term = batch.text(token).as_bytes();
            if term.len() > TERM_BYTES_MAX {
                return Err(immense_term(&self.field.path, term));
            }
            terms.push(term, self.position.max(0) as u32);
            if token.increment > 0 {
                terms.length += 1;
            }
        }
        self.position += i64::from(batch.end_increment);
        Ok(())
    }

    /// Adds tokens that are slices of a text, without a copy of each: the text lies among the terms' bytes as a whole.
    fn add_slices(&mut self, text: &str, case: Case, slices: &[Slice]) -> Result<(), ValueError> {
        let terms = &mut self.field.terms;
        let base = terms.bytes.len();
        terms.bytes.extend_from_slice(text.as_bytes());
        let mut ascii_only = true;
        if case == Case::Lower {
            terms.bytes[base..].make_ascii_lowercase();
            ascii_only = text.is_ascii();
        }
        terms.spans.reserve(slices.len());
        for (start, end) in slices {
            self.position += 1;
            let position = self.position as u32;
            let term = &text[*start as usize..*end as usize];
            if term.len() > TERM_BYTES_MAX {
                return Err(immense_term(&self.field.path, term.as_bytes()));
            }
            if ascii_only || term.is_ascii() {
                terms.spans.push(TermSpan {
                    start: base as u32 + start,
                    len: end - start,
                    position,
                });
            } else {
                let lower: String = term.chars().map(lower_char).collect();
                terms.push(lower.as_bytes(), position);
            }
        }
        terms.length += slices.len() as u32;
        Ok(())
    }

    /// Adds a column value, and what to store if the field is stored.
    pub fn add_number(&mut self, field: &FieldMapping, number: i64, stored: StoredValue) {
        if field.spec().points || field.spec().column == ColumnKind::Numeric {
            self.field.numbers.push(number);
        }
        if field.spec().stored {
            self.field.stored.push(stored);
        }
    }

    /// Stores a value.
    pub fn store(&mut self, value: StoredValue) {
        self.field.stored.push(value);
    }

    /// Stores a text.
    pub fn store_text(&mut self, text: &str) {
        self.store(StoredValue::Str(text.to_owned()));
    }

    /// Notes that a value was left out.
    pub fn ignore(&mut self) {
        self.ignored = true;
    }

    /// Whether a value was left out since the last call.
    pub fn take_ignored(&mut self) -> bool {
        std::mem::take(&mut self.ignored)
    }

    /// Whether the document has the field at all, as far as an index can tell.
    pub fn has_values(&self) -> bool {
        !self.field.terms.is_empty()
            || !self.field.numbers.is_empty()
            || !self.field.stored.is_empty()
    }

    /// Whether `exists` needs the field's name in `_field_names`: neither a column nor a norm tells of the document.
    ///
    /// A field that is neither searched nor stored exists for nobody. A text without a token exists, but its norm is 0.
    pub fn needs_name(&self) -> bool {
        let spec = &self.field.spec;
        let visible = spec.index != IndexOptions::None || spec.points || spec.stored;
        let has_norm = spec.norms && !self.field.terms.is_empty();
        let exists = self.has_values() || self.analysed;
        exists && visible && !has_norm && spec.column == ColumnKind::None
    }

    /// The field's path.
    pub fn path(&self) -> &Arc<str> {
        &self.field.path
    }

    /// What was collected.
    pub fn finish(self) -> ParsedField {
        self.field
    }
}
