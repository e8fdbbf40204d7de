//! The unified highlighter: passages around what was found, the best ones by a small BM25 over the document itself.

use std::collections::HashMap;

use super::request::{Boundary, HighlightOptions};
use super::terms::{Found, ShownToken};
use super::text::{Boundaries, Utf16Text, push_text};

/// Length that passages are taken to have on the average, in UTF-16 units.
const PIVOT: f32 = 87.0;
const K1: f32 = 1.2;
const B: f32 = 0.75;

/// A piece of the text, `start..end` in units over all values, and what was found in it.
struct Passage {
    start: usize,
    end: usize,
    found: Vec<Found>,
    score: f32,
}

/// One value of the field.
pub(super) struct ShownValue<'t> {
    /// Its text.
    pub text: &'t str,
    /// Its first unit over all values; one unit stands between two values.
    pub start: usize,
}

/// Shows the best passages.
///
/// * `whole`: values are not cut.
pub(super) fn highlight(
    values: &[ShownValue<'_>],
    tokens: &[ShownToken],
    found: &[Found],
    options: &HighlightOptions,
    whole: bool,
) -> Vec<String> {
    let texts: Vec<Utf16Text<'_>> = values.iter().map(|v| Utf16Text::new(v.text)).collect();
    if found.is_empty() {
        return beginning(&texts, options);
    }
    let total = match (values.last(), texts.last()) {
        (Some(value), Some(text)) => value.start + text.len(),
        _ => return Vec::new(),
    };
    let mut freqs: HashMap<usize, u32> = HashMap::new();
    for one in found {
        *freqs.entry(one.by).or_insert(0) += 1;
    }
    let mut passages = passages(values, &texts, tokens, found, options, whole);
    for passage in &mut passages {
        passage.score = score(passage, &freqs, total);
    }
    let most = match options.number_of_fragments {
        0 => usize::MAX,
        most => most,
    };
    // of equal ones the later stay
    passages.sort_by(|a, b| b.score.total_cmp(&a.score).then(b.start.cmp(&a.start)));
    passages.truncate(most);
    passages.sort_by_key(|passage| passage.start);
    if options.by_score {
        passages.sort_by(|a, b| b.score.total_cmp(&a.score));
    }
    let mut fragments = Vec::with_capacity(passages.len());
    for passage in &passages {
        let value = values.partition_point(|value| value.start <= passage.start) - 1;
        let shown = write(&texts[value], values[value].start, passage, tokens, options);
        if !shown.trim().is_empty() {
            fragments.push(shown.trim().to_owned());
        }
    }
    fragments
}

fn passages(
    values: &[ShownValue<'_>],
    texts: &[Utf16Text<'_>],
    tokens: &[ShownToken],
    found: &[Found],
    options: &HighlightOptions,
    whole: bool,
) -> Vec<Passage> {
    let mut in_order: Vec<&Found> = found.iter().collect();
    in_order.sort_by_key(|one| (tokens[one.token].start, tokens[one.token].end));
    let mut passages: Vec<Passage> = Vec::new();
    let mut cutter: Option<(usize, Cutter)> = None;
    for one in in_order {
        let token = &tokens[one.token];
        if let Some(current) = passages.last_mut()
            && token.start < current.end
        {
            current.found.push(one.clone());
            continue;
        }
        let Some(value) = values
            .partition_point(|value| value.start <= token.start)
            .checked_sub(1)
        else {
            continue;
        };
        let (base, text) = (values[value].start, &texts[value]);
        if token.end > base + text.len() {
            continue;
        }
        if cutter.as_ref().is_none_or(|(of, _)| *of != value) {
            cutter = Some((value, Cutter::new(text, options, whole)));
        }
        let Some((_, cutter)) = &mut cutter else {
            continue;
        };
        let (start, end) = cutter.around(token.start - base);
        passages.push(Passage {
            start: base + start,
            end: base + end.min(text.len()),
            found: vec![one.clone()],
            score: 0.0,
        });
    }
    passages
}

/// Finds the passage around a place of one value. Places must ascend.
struct Cutter {
    whole: Option<usize>,
    boundaries: Boundaries,
    words: Option<Boundaries>,
    len_max: usize,
    /// The run of sentences that is being cut.
    window: (usize, usize),
    inner_end: usize,
}

impl Cutter {
    fn new(text: &Utf16Text<'_>, options: &HighlightOptions, whole: bool) -> Cutter {
        let by_sentence = options.boundary == Boundary::Sentence;
        let boundaries = match by_sentence && !whole {
            true => text.sentences(),
            false => text.words(),
        };
        let bounded = by_sentence && !whole && options.fragment_size > 0;
        Cutter {
            whole: whole.then(|| text.len()),
            boundaries,
            words: bounded.then(|| text.words()),
            len_max: options.fragment_size,
            window: (0, 0),
            inner_end: 0,
        }
    }

    fn around(&mut self, place: usize) -> (usize, usize) {
        if let Some(len) = self.whole {
            return (0, len);
        }
        let around = |place: usize| {
            let start = self.boundaries.before(place + 1).unwrap_or(0);
            let end = self.boundaries.after(place).unwrap_or(usize::MAX);
            (start, end)
        };
        let Some(words) = &self.words else {
            return around(place);
        };
        let offset = place + 1;
        let (mut start, mut end);
        if offset > self.window.0 && offset < self.window.1 {
            (start, end) = (self.inner_end, self.window.1);
        } else {
            (start, end) = around(place);
            while end - start < self.len_max {
                match self.boundaries.after(end) {
                    Some(next) if next - start <= self.len_max => end = next,
                    _ => break,
                }
            }
            self.window = (start, end);
        }
        if end - start > self.len_max {
            // too long: words before the place as far as they fit, then words behind it
            if offset > self.len_max && offset - self.len_max > start {
                start = start.max(words.before(offset - self.len_max).unwrap_or(0));
            }
            let left = self.len_max.saturating_sub(offset - start.min(offset));
            if offset + left < self.window.1 {
                let cut = words.after(offset + left).unwrap_or(self.window.1);
                end = self.window.1.min(cut);
            }
        }
        self.inner_end = end;
        (start.min(place), end)
    }
}

fn score(passage: &Passage, freqs: &HashMap<usize, u32>, total: usize) -> f32 {
    let mut inside: Vec<(usize, u32)> = Vec::new();
    for one in &passage.found {
        match inside.iter_mut().find(|(by, _)| *by == one.by) {
            Some((_, count)) => *count += 1,
            None => inside.push((one.by, 1)),
        }
    }
    let length = (passage.end - passage.start) as f32;
    let norm = K1 * ((1.0 - B) + B * (length / PIVOT));
    let mut score = 0.0;
    for (by, count) in inside {
        let of_all = freqs.get(&by).copied().unwrap_or(1) as f32;
        let passage_count = 1.0 + total as f32 / PIVOT;
        let weight = (K1 + 1.0) * (1.0 + (passage_count + 0.5) / (of_all + 0.5)).ln();
        score += weight * (count as f32 / (count as f32 + norm));
    }
    score * (1.0 + 1.0 / (PIVOT + passage.start as f32).ln())
}

fn write(
    text: &Utf16Text<'_>,
    base: usize,
    passage: &Passage,
    tokens: &[ShownToken],
    options: &HighlightOptions,
) -> String {
    let mut out = String::new();
    let mut at = passage.start;
    let mut marks: Vec<(usize, usize)> = Vec::new();
    for one in &passage.found {
        let token = &tokens[one.token];
        match marks.last_mut() {
            Some(last) if token.start < last.1 => last.1 = last.1.max(token.end),
            _ => marks.push((token.start, token.end)),
        }
    }
    for (start, end) in marks {
        if start > at {
            push_text(&mut out, text.slice(at - base, start - base), options.html);
        }
        if end > at {
            out.push_str(&options.pre_tag);
            let from = start.max(at) - base;
            push_text(&mut out, text.slice(from, end - base), options.html);
            out.push_str(&options.post_tag);
            at = end;
        }
    }
    let end = passage.end.max(at);
    push_text(&mut out, text.slice(at - base, end - base), options.html);
    out
}

/// The beginning of the text, up to a word's end.
fn beginning(texts: &[Utf16Text<'_>], options: &HighlightOptions) -> Vec<String> {
    if options.no_match_size == 0 {
        return Vec::new();
    }
    let Some(text) = texts.iter().find(|text| text.len() > 0) else {
        return Vec::new();
    };
    let mut end = text.len();
    if options.no_match_size < end {
        end = text.words().after(options.no_match_size).unwrap_or(end);
    }
    let mut out = String::new();
    push_text(&mut out, text.slice(0, end), options.html);
    let out = out.trim().to_owned();
    if out.is_empty() {
        Vec::new()
    } else {
        vec![out]
    }
}
