//! Text measured in UTF-16 units, as offsets and fragment sizes are, and its word and sentence boundaries.

use unicode_segmentation::UnicodeSegmentation;

/// A text that can be cut at UTF-16 offsets.
pub(super) struct Utf16Text<'t> {
    text: &'t str,
    /// Byte offset of each unit, and the end; `None`: all ASCII, units are bytes.
    bytes: Option<Vec<u32>>,
}

impl<'t> Utf16Text<'t> {
    pub fn new(text: &'t str) -> Self {
        if text.is_ascii() {
            return Utf16Text { text, bytes: None };
        }
        let mut bytes = Vec::with_capacity(text.len() + 1);
        for (at, c) in text.char_indices() {
            bytes.push(at as u32);
            if c.len_utf16() == 2 {
                // the middle of a pair counts as its start
                bytes.push(at as u32);
            }
        }
        bytes.push(text.len() as u32);
        Utf16Text {
            text,
            bytes: Some(bytes),
        }
    }

    /// Length in units.
    pub fn len(&self) -> usize {
        match &self.bytes {
            None => self.text.len(),
            Some(bytes) => bytes.len() - 1,
        }
    }

    fn byte(&self, unit: usize) -> usize {
        match &self.bytes {
            None => unit.min(self.text.len()),
            Some(bytes) => bytes.get(unit).map_or(self.text.len(), |at| *at as usize),
        }
    }

    /// The units from `start` to `end`; nothing where they cross.
    pub fn slice(&self, start: usize, end: usize) -> &'t str {
        let start = self.byte(start);
        self.text
            .get(start..self.byte(end).max(start))
            .unwrap_or("")
    }

    /// Where sentences begin, and the end.
    pub fn sentences(&self) -> Boundaries {
        self.boundaries(self.text.split_sentence_bounds())
    }

    /// Where words and what is between them begin, and the end.
    pub fn words(&self) -> Boundaries {
        self.boundaries(self.text.split_word_bounds())
    }

    fn boundaries(&self, pieces: impl Iterator<Item = &'t str>) -> Boundaries {
        let mut at = 0;
        let mut places = vec![0];
        for piece in pieces {
            at += match self.bytes {
                None => piece.len(),
                Some(_) => piece.encode_utf16().count(),
            };
            places.push(at);
        }
        Boundaries(places)
    }
}

/// Ascending places where a text may be cut; the first is 0, the last its end.
pub(super) struct Boundaries(Vec<usize>);

impl Boundaries {
    /// The last one before a place.
    pub fn before(&self, place: usize) -> Option<usize> {
        let count = self.0.partition_point(|at| *at < place);
        count.checked_sub(1).map(|n| self.0[n])
    }

    /// The first one behind a place.
    pub fn after(&self, place: usize) -> Option<usize> {
        self.0
            .get(self.0.partition_point(|at| *at <= place))
            .copied()
    }
}

/// Adds text to an answer, escaped if it goes into HTML.
pub(super) fn push_text(out: &mut String, text: &str, html: bool) {
    if !html {
        out.push_str(text);
        return;
    }
    for c in text.chars() {
        match c {
            '"' => out.push_str("&quot;"),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\'' => out.push_str("&#x27;"),
            '/' => out.push_str("&#x2F;"),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_at_units_not_bytes() {
        let text = Utf16Text::new("a𝄞é.");
        assert_eq!(text.len(), 5);
        assert_eq!(
            (text.slice(1, 3), text.slice(3, 4), text.slice(4, 2)),
            ("𝄞", "é", "")
        );
        assert_eq!(text.words().after(1), Some(3));
    }

    #[test]
    fn boundaries_stand_around_a_place() {
        let sentences = Utf16Text::new("One here. Two there.").sentences();
        assert_eq!(
            (sentences.before(11), sentences.after(11)),
            (Some(10), Some(20))
        );
        assert_eq!((sentences.before(0), sentences.after(20)), (None, None));
    }

    #[test]
    fn html_is_escaped() {
        let mut out = String::new();
        push_text(&mut out, "<a href='/'>&\"", true);
        assert_eq!(out, "&lt;a href=&#x27;&#x2F;&#x27;&gt;&amp;&quot;");
    }
}
