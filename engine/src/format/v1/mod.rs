//! Version 1 of what lies in a segment: a file per format, writer and decoder side by side.

pub(crate) mod columns;
pub(crate) mod fields;
pub(crate) mod id_filter;
pub(crate) mod packed;
pub(crate) mod points;
pub(crate) mod postings;
pub(crate) mod stored;
pub(crate) mod term_index;
pub(crate) mod terms;
