//! A token as analysis gives it.

/// One token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenRef<'a> {
    /// The term.
    pub text: &'a str,
    /// Position from 0, increments applied.
    pub position: u32,
    /// Start in the original text, in UTF-16 units, as OpenSearch reports.
    pub start_offset: u32,
    /// End in the original text, in UTF-16 units.
    pub end_offset: u32,
    /// Token type, like `<ALPHANUM>` or `word`.
    pub kind: &'a str,
    /// Positions it spans; 1 unless a graph filter made it.
    pub position_length: u32,
}
