//! Tokens: one at a time for readers, whole batches between the stages of analysis.

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

/// A token in a [`TokenBatch`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    /// First byte of its text in the arena.
    pub start: u32,
    /// End of its text in the arena.
    pub end: u32,
    /// Distance from the token before; 0 stacks it on that one.
    pub increment: u32,
    /// Positions it spans.
    pub length: u32,
    /// Start in the text: bytes of the filtered text in a tokenizer, later UTF-16 units of the original.
    pub start_offset: u32,
    /// End in the text, as above.
    pub end_offset: u32,
    /// Token type.
    pub kind: &'static str,
    /// Stemmers leave it alone.
    pub keyword: bool,
}

/// Tokens of one text, with their bytes in one arena.
#[derive(Clone, Debug, Default)]
pub(crate) struct TokenBatch {
    /// The text as the tokenizer saw it, then whatever filters wrote.
    pub arena: String,
    /// Tokens in order.
    pub tokens: Vec<Token>,
    /// Increments of tokens removed after the last one that stayed.
    pub end_increment: u32,
}

impl TokenBatch {
    /// Empties the batch and takes a text to cut into tokens.
    pub fn reset(&mut self, text: &str) {
        self.arena.clear();
        self.arena.push_str(text);
        self.tokens.clear();
        self.end_increment = 0;
    }

    /// Adds a token that is a slice of the text given to [`reset`](Self::reset), by bytes.
    pub fn push_slice(&mut self, start: usize, end: usize, kind: &'static str) {
        self.tokens.push(Token {
            start: start as u32,
            end: end as u32,
            increment: 1,
            length: 1,
            start_offset: start as u32,
            end_offset: end as u32,
            kind,
            keyword: false,
        });
    }

    /// The text of a token.
    pub fn text(&self, token: &Token) -> &str {
        &self.arena[token.start as usize..token.end as usize]
    }

    /// Writes new text into the arena and gives its place.
    pub fn write(&mut self, text: &str) -> (u32, u32) {
        let start = self.arena.len() as u32;
        self.arena.push_str(text);
        (start, self.arena.len() as u32)
    }

    /// Gives a token new text.
    pub fn set_text(&mut self, index: usize, text: &str) {
        if self.text(&self.tokens[index]) == text {
            return;
        }
        let (start, end) = self.write(text);
        self.tokens[index].start = start;
        self.tokens[index].end = end;
    }

    /// Replaces each token's text by what `change` makes of it; `None` leaves it.
    pub fn map_text(&mut self, mut change: impl FnMut(&str, &Token) -> Option<String>) {
        for index in 0..self.tokens.len() {
            let token = self.tokens[index];
            if let Some(new) = change(self.text(&token), &token) {
                self.set_text(index, &new);
            }
        }
    }

    /// Keeps some tokens; increments of the removed ones go to the next that stays.
    pub fn retain(&mut self, mut keep: impl FnMut(&str, &Token) -> bool) {
        let mut pending = 0;
        let mut kept = 0;
        for index in 0..self.tokens.len() {
            let mut token = self.tokens[index];
            if keep(self.text(&token), &token) {
                token.increment += pending;
                pending = 0;
                self.tokens[kept] = token;
                kept += 1;
            } else {
                pending += token.increment;
            }
        }
        self.tokens.truncate(kept);
        self.end_increment += pending;
    }

    /// Calls `out` with each token, positions absolute.
    pub fn for_each(&self, out: &mut dyn FnMut(TokenRef<'_>)) {
        let mut position: i64 = -1;
        for token in &self.tokens {
            position += i64::from(token.increment);
            out(TokenRef {
                text: self.text(token),
                position: position.max(0) as u32,
                start_offset: token.start_offset,
                end_offset: token.end_offset,
                kind: token.kind,
                position_length: token.length,
            });
        }
    }
}
