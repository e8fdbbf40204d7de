//! The plain highlighter: pieces of equal length, the best ones by the number of different terms found.

use std::collections::BTreeSet;

use super::request::{Fragmenter, HighlightOptions};
use super::terms::{Finder, Found, ShownToken};
use super::text::{Utf16Text, push_text};

/// Tokens on one place are marked together, but not more than these.
const GROUP_MAX: usize = 50;

/// A piece of the marked text.
pub(super) struct Fragment {
    /// The text.
    pub text: String,
    /// Number of different terms found in it.
    pub score: usize,
}

/// Tokens that overlap.
#[derive(Default)]
struct Group {
    count: usize,
    end: usize,
    marked: (usize, usize),
    found: bool,
}

impl Group {
    fn add(&mut self, token: &ShownToken, found: bool) {
        if self.count >= GROUP_MAX {
            return;
        }
        if self.count == 0 {
            self.end = token.end;
            self.marked = (token.start, token.end);
        } else {
            self.end = self.end.max(token.end);
            if found && !self.found {
                self.marked = (token.start, token.end);
            } else if found {
                self.marked.0 = self.marked.0.min(token.start);
                self.marked.1 = self.marked.1.max(token.end);
            }
        }
        self.found |= found;
        self.count += 1;
    }
}

/// The best fragments of one value that have anything found in them, best first.
pub(super) fn fragments(
    text: &str,
    tokens: &[ShownToken],
    finder: &Finder<'_>,
    options: &HighlightOptions,
) -> Vec<Fragment> {
    let found = finder.find(tokens);
    if found.is_empty() {
        return Vec::new();
    }
    let text = Utf16Text::new(text);
    let mut cutter = Cutter {
        options,
        spans: match options.fragmenter {
            Fragmenter::Span => finder.phrase_spans(tokens),
            Fragmenter::Simple => Vec::new(),
        },
        wait_for: None,
        pieces: 1,
        len: text.len(),
    };
    let mut done: Vec<Fragment> = Vec::new();
    let mut out = String::new();
    let mut terms: BTreeSet<&str> = BTreeSet::new();
    let mut at = 0;
    let mut group = Group::default();
    for (n, token) in tokens.iter().enumerate() {
        if group.count > 0 && token.start >= group.end {
            write(&mut out, &text, &group, &mut at, options);
            group = Group::default();
            if cutter.cuts(token) {
                done.push(Fragment {
                    text: std::mem::take(&mut out),
                    score: terms.len(),
                });
                terms.clear();
            }
        } else if n == 0 {
            cutter.cuts(token);
        }
        let is_found = has(&found, n);
        if is_found {
            terms.insert(&token.term);
        }
        group.add(token, is_found);
    }
    if group.count > 0 {
        write(&mut out, &text, &group, &mut at, options);
    }
    push_text(&mut out, text.slice(at, text.len()), options.html);
    done.push(Fragment {
        text: out,
        score: terms.len(),
    });
    done.retain(|fragment| fragment.score > 0);
    done.sort_by_key(|fragment| std::cmp::Reverse(fragment.score));
    done.truncate(options.number_of_fragments.max(1));
    done
}

fn has(found: &[Found], token: usize) -> bool {
    found.binary_search_by_key(&token, |one| one.token).is_ok()
}

fn write(
    out: &mut String,
    text: &Utf16Text<'_>,
    group: &Group,
    at: &mut usize,
    options: &HighlightOptions,
) {
    let (start, end) = group.marked;
    if start > *at {
        push_text(out, text.slice(*at, start), options.html);
    }
    if group.found {
        out.push_str(&options.pre_tag);
    }
    push_text(out, text.slice(start, end), options.html);
    if group.found {
        out.push_str(&options.post_tag);
    }
    *at = end.max(*at);
}

/// Decides which tokens begin a new piece.
struct Cutter<'o> {
    options: &'o HighlightOptions,
    /// First and last positions of phrases.
    spans: Vec<(u32, u32)>,
    wait_for: Option<u32>,
    pieces: usize,
    len: usize,
}

impl Cutter<'_> {
    fn cuts(&mut self, token: &ShownToken) -> bool {
        let size = self.options.fragment_size;
        if self.options.number_of_fragments == 0 {
            return false;
        }
        let span = self.options.fragmenter == Fragmenter::Span;
        if span {
            match self.wait_for {
                Some(position) if token.position < position => return false,
                Some(_) => self.wait_for = None,
                None => {}
            }
            let starts = self.spans.iter().find(|(lo, _)| *lo == token.position);
            if let Some((_, hi)) = starts {
                self.wait_for = Some(hi + 1);
            }
        }
        let full = token.end >= size.saturating_mul(self.pieces);
        let cuts = full && (!span || self.len.saturating_sub(token.end) >= size / 2);
        self.pieces += usize::from(cuts);
        cuts
    }
}

/// The beginning of a text up to the end of the last token that fits; `None`: not even the first does.
pub(super) fn beginning(
    text: &str,
    tokens: &[ShownToken],
    options: &HighlightOptions,
) -> Option<String> {
    let mut end = None;
    for token in tokens {
        if token.end > options.no_match_size {
            break;
        }
        end = Some(token.end);
        if token.end == options.no_match_size {
            break;
        }
    }
    let end = end.filter(|end| *end > 0)?;
    Some(Utf16Text::new(text).slice(0, end).to_owned())
}
