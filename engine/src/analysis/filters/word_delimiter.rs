//! The `word_delimiter` and `word_delimiter_graph` filters: tokens cut where letters, digits and other signs meet.
//!
//! `Wi-Fi`, `PowerShot`, `SD500` and `O'Neil's` become their parts; parts may be put together again, and the original
//! kept. `word_delimiter` lays everything on the positions of the parts, `word_delimiter_graph` says by position lengths
//! how many parts a token stands for.

use std::collections::{HashMap, HashSet};

use super::super::definition::Definition;
use super::super::token::{Token, TokenBatch};
use super::{Parts, TokenFilter};
use crate::schema::SchemaError;

/// Kinds of characters, as a set.
type Kind = u8;
const LOWER: Kind = 1;
const UPPER: Kind = 2;
const ALPHA: Kind = LOWER | UPPER;
const DIGIT: Kind = 4;
const ALPHANUM: Kind = ALPHA | DIGIT;
/// Cuts, and belongs to no part.
const DELIMITER: Kind = 8;

#[derive(Debug)]
struct WordDelimiter {
    graph: bool,
    generate_words: bool,
    generate_numbers: bool,
    catenate_words: bool,
    catenate_numbers: bool,
    catenate_all: bool,
    split_on_case: bool,
    split_on_numbers: bool,
    preserve_original: bool,
    stem_possessive: bool,
    adjust_offsets: bool,
    ignore_keywords: bool,
    protected: HashSet<String>,
    kinds: HashMap<char, Kind>,
}

/// Reads the parameters of `word_delimiter`.
pub(super) fn flat(
    definition: &Definition,
    _: &dyn Parts,
) -> Result<Box<dyn TokenFilter>, SchemaError> {
    build(definition, false)
}

/// Reads those of `word_delimiter_graph`, which also takes `adjust_offsets` and `ignore_keywords`.
pub(super) fn graph(
    definition: &Definition,
    _: &dyn Parts,
) -> Result<Box<dyn TokenFilter>, SchemaError> {
    build(definition, true)
}

fn build(definition: &Definition, graph: bool) -> Result<Box<dyn TokenFilter>, SchemaError> {
    definition.refuse_path("protected_words_path")?;
    definition.refuse_path("type_table_path")?;
    let mut kinds = HashMap::new();
    for rule in definition.list("type_table").unwrap_or_default() {
        let (c, kind) = read_rule(&rule)?;
        kinds.insert(c, kind);
    }
    let protected = definition.list("protected_words").unwrap_or_default();
    Ok(Box::new(WordDelimiter {
        graph,
        generate_words: definition.flag("generate_word_parts", true)?,
        generate_numbers: definition.flag("generate_number_parts", true)?,
        catenate_words: definition.flag("catenate_words", false)?,
        catenate_numbers: definition.flag("catenate_numbers", false)?,
        catenate_all: definition.flag("catenate_all", false)?,
        split_on_case: definition.flag("split_on_case_change", true)?,
        split_on_numbers: definition.flag("split_on_numerics", true)?,
        preserve_original: definition.flag("preserve_original", false)?,
        stem_possessive: definition.flag("stem_english_possessive", true)?,
        adjust_offsets: !graph || definition.flag("adjust_offsets", true)?,
        ignore_keywords: graph && definition.flag("ignore_keywords", false)?,
        protected: protected.into_iter().collect(),
        kinds,
    }))
}

/// A rule such as `$ => DIGIT` or `\u002C => ALPHA`.
fn read_rule(rule: &str) -> Result<(char, Kind), SchemaError> {
    let wrong = || SchemaError::illegal(format!("Invalid Mapping Rule : [{rule}]"));
    let (left, right) = rule.rsplit_once("=>").ok_or_else(wrong)?;
    let kind = match right.trim() {
        "LOWER" => LOWER,
        "UPPER" => UPPER,
        "ALPHA" => ALPHA,
        "DIGIT" => DIGIT,
        "ALPHANUM" => ALPHANUM,
        "SUBWORD_DELIM" => DELIMITER,
        _ => {
            return Err(SchemaError::illegal(format!(
                "Invalid Mapping Rule : [{rule}]. Illegal type."
            )));
        }
    };
    let left = left.trim();
    let c = match left.strip_prefix('\\') {
        Some(escaped) if !escaped.is_empty() => match escaped.strip_prefix('u') {
            Some(hex) if !hex.is_empty() => {
                u32::from_str_radix(hex, 16).ok().and_then(char::from_u32)
            }
            _ => one_char(match escaped {
                "b" => "\u{8}",
                "f" => "\u{c}",
                "n" => "\n",
                "r" => "\r",
                "t" => "\t",
                other => other,
            }),
        },
        _ => one_char(left),
    };
    Ok((c.ok_or_else(wrong)?, kind))
}

fn one_char(text: &str) -> Option<char> {
    let mut chars = text.chars();
    chars.next().filter(|_| chars.next().is_none())
}

fn natural_kind(c: char) -> Kind {
    if c.is_lowercase() {
        LOWER
    } else if c.is_uppercase() {
        UPPER
    } else if c.is_numeric() {
        DIGIT
    } else if c.is_alphabetic() {
        ALPHA
    } else {
        DELIMITER
    }
}

/// A part of a token: characters from, to, and what they are.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Part {
    start: usize,
    end: usize,
    kind: Kind,
}

/// Something to give out: its text, the characters that it covers, and where it stands.
struct Output {
    text: String,
    start: usize,
    end: usize,
    from: u32,
    to: u32,
}

/// Parts put together, while they are of one kind.
struct Joined {
    parts: usize,
    kind: Kind,
    text: String,
    start: usize,
    end: usize,
    from: u32,
}

impl Joined {
    fn add(joined: &mut Option<Joined>, part: Part, chars: &[char], from: u32) {
        let joined = joined.get_or_insert_with(|| Joined {
            parts: 0,
            kind: part.kind,
            text: String::new(),
            start: part.start,
            end: part.end,
            from,
        });
        joined.parts += 1;
        joined.end = part.end;
        joined.text.extend(&chars[part.start..part.end]);
    }

    fn output(self, to: u32) -> Output {
        Output {
            text: self.text,
            start: self.start,
            end: self.end,
            from: self.from,
            to,
        }
    }
}

impl WordDelimiter {
    fn kind(&self, c: char) -> Kind {
        let own = self.kinds.get(&c).copied();
        own.unwrap_or_else(|| natural_kind(c))
    }

    /// Whether a part ends between characters of these kinds.
    fn cuts(&self, before: Kind, after: Kind) -> bool {
        if before & after != 0 {
            return false;
        }
        let letters = before & ALPHA != 0 && after & ALPHA != 0;
        if letters && (!self.split_on_case || before & UPPER != 0) {
            // "Power" is one part, "PowerShot" two
            return false;
        }
        let mixed = (before & ALPHA != 0 && after & DIGIT != 0)
            || (before & DIGIT != 0 && after & ALPHA != 0);
        self.split_on_numbers || !mixed
    }

    /// The parts of a token, and whether they are one word with nothing but signs around it.
    fn split(&self, chars: &[char]) -> (Vec<Part>, bool) {
        let kinds: Vec<Kind> = chars.iter().map(|c| self.kind(*c)).collect();
        let is_sign = |at: &usize| kinds[*at] & DELIMITER != 0;
        let begin = (0..chars.len()).find(|at| !is_sign(at));
        let Some(begin) = begin else {
            return (Vec::new(), false);
        };
        let stop = (begin..chars.len())
            .rfind(|at| !is_sign(at))
            .map_or(begin, |at| at + 1);
        let possessive_ends = |at: usize| {
            self.stem_possessive
                && at > 2
                && at <= stop
                && chars[at - 2] == '\''
                && matches!(chars[at - 1], 's' | 'S')
                && kinds[at - 3] & ALPHA != 0
                && (at == stop || is_sign(&at))
        };
        let mut parts = Vec::new();
        let mut at = begin;
        while at < stop {
            if is_sign(&at) {
                at += 1;
                continue;
            }
            let mut end = at + 1;
            while end < stop && !self.cuts(kinds[end - 1], kinds[end]) {
                end += 1;
            }
            let kind = match kinds[at] {
                LOWER | UPPER => ALPHA,
                other => other,
            };
            parts.push(Part {
                start: at,
                end,
                kind,
            });
            at = if possessive_ends(end + 2) {
                end + 2
            } else {
                end
            };
        }
        let word_end = if possessive_ends(stop) {
            stop - 2
        } else {
            stop
        };
        let single =
            matches!(parts[..], [Part { start, end, .. }] if start == begin && end == word_end);
        (parts, single)
    }

    fn generates(&self, kind: Kind) -> bool {
        (self.generate_words && kind & ALPHA != 0) || (self.generate_numbers && kind & DIGIT != 0)
    }

    fn catenates(&self, kind: Kind) -> bool {
        (self.catenate_words && kind & ALPHA != 0) || (self.catenate_numbers && kind & DIGIT != 0)
    }

    /// Everything that parts give, and the position behind the last.
    fn outputs(&self, chars: &[char], parts: &[Part], single: bool) -> (Vec<Output>, u32) {
        let mut outputs = Vec::new();
        let mut position = 0;
        let plain = |part: &Part, from: u32| Output {
            text: chars[part.start..part.end].iter().collect(),
            start: part.start,
            end: part.end,
            from,
            to: from + 1,
        };
        if single {
            outputs.extend(parts.iter().map(|part| plain(part, 0)));
            return (outputs, 1);
        }
        let (mut run, mut all) = (None, None);
        let mut last_joined = 0;
        let mut flush =
            |run: &mut Option<Joined>, position: &mut u32, outputs: &mut Vec<Output>| {
                let Some(joined) = run.take() else {
                    return;
                };
                // A part that is not given out itself gives its position to the run.
                *position += u32::from(*position == joined.from);
                last_joined = joined.parts;
                if joined.parts != 1 || !self.generates(joined.kind) {
                    outputs.push(joined.output(*position));
                }
            };
        for part in parts {
            if run
                .as_ref()
                .is_some_and(|run: &Joined| run.kind & part.kind == 0)
            {
                flush(&mut run, &mut position, &mut outputs);
            }
            if self.catenates(part.kind) {
                Joined::add(&mut run, *part, chars, position);
            }
            if self.catenate_all {
                Joined::add(&mut all, *part, chars, position);
            }
            if self.generates(part.kind) {
                outputs.push(plain(part, position));
                position += 1;
            }
        }
        flush(&mut run, &mut position, &mut outputs);
        if let Some(all) = all
            && all.parts > last_joined
        {
            position += u32::from(position == all.from);
            outputs.push(all.output(position));
        }
        // The longest from each place first.
        outputs.sort_by_key(|output| (output.from, std::cmp::Reverse(output.to)));
        (outputs, position)
    }

    /// The order and the positions of the flat filter: by offset, joined parts stacked on their first part.
    fn flatten(&self, outputs: &mut [Output]) {
        outputs.sort_by_key(|output| (output.start, output.to - output.from));
    }
}

impl TokenFilter for WordDelimiter {
    fn apply(&self, batch: &mut TokenBatch) {
        let tokens = std::mem::take(&mut batch.tokens);
        let mut pending = 0;
        for token in tokens {
            pending += token.increment;
            let text = batch.text(&token).to_owned();
            let chars: Vec<char> = text.chars().collect();
            let (parts, single) = self.split(&chars);
            let whole = matches!(parts[..], [Part { start: 0, end, .. }] if end == chars.len());
            let keyword = self.ignore_keywords && token.keyword;
            if whole || keyword || self.protected.contains(&text) {
                batch.tokens.push(Token {
                    increment: std::mem::take(&mut pending),
                    ..token
                });
                continue;
            }
            if parts.is_empty() && !self.preserve_original {
                // Nothing but signs: as if it had never been there.
                if token.increment == 1 && (self.graph || !batch.tokens.is_empty()) {
                    pending -= 1;
                }
                continue;
            }
            let (mut outputs, mut end) = self.outputs(&chars, &parts, single);
            end = end.max(1);
            if self.preserve_original {
                let original = Output {
                    text,
                    start: 0,
                    end: chars.len(),
                    from: 0,
                    to: end,
                };
                if !self.graph {
                    self.flatten(&mut outputs);
                }
                outputs.insert(0, original);
            } else if !self.graph {
                self.flatten(&mut outputs);
            }
            self.push(&token, &chars, outputs, &mut pending, batch);
        }
        batch.end_increment += pending;
    }
}

impl WordDelimiter {
    fn push(
        &self,
        token: &Token,
        chars: &[char],
        outputs: Vec<Output>,
        pending: &mut u32,
        batch: &mut TokenBatch,
    ) {
        let units = |range: &[char]| range.iter().map(|c| c.len_utf16() as u32).sum::<u32>();
        let exact = self.adjust_offsets && token.end_offset - token.start_offset == units(chars);
        let mut position = 0;
        for output in outputs {
            let (start, end) = batch.write(&output.text);
            let moved = output.from.saturating_sub(position);
            position += moved;
            let (start_offset, end_offset) = if exact {
                let start = token.start_offset + units(&chars[..output.start]);
                (start, start + units(&chars[output.start..output.end]))
            } else {
                (token.start_offset, token.end_offset)
            };
            batch.tokens.push(Token {
                start,
                end,
                increment: std::mem::take(pending) + moved,
                length: if self.graph {
                    output.to - output.from
                } else {
                    token.length
                },
                start_offset,
                end_offset,
                ..*token
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::analysis::AnalysisRegistry;

    /// `text/position:start-end`, with `+length` where it is not 1.
    fn check(kind: &str, params: serde_json::Value, text: &str, expected: &[&str]) {
        let mut filter = params;
        filter["type"] = json!(kind);
        let spec = json!({"tokenizer": "whitespace", "filter": [filter]});
        let analyzer = AnalysisRegistry::global().build_custom(&spec).unwrap();
        let mut found = Vec::new();
        analyzer.analyze(text, &mut |token| {
            let length = match token.position_length {
                1 => String::new(),
                more => format!("+{more}"),
            };
            found.push(format!(
                "{}/{}{length}:{}-{}",
                token.text, token.position, token.start_offset, token.end_offset
            ));
        });
        assert_eq!(found, expected, "{kind} {text}");
    }

    #[test]
    fn words_are_cut_at_case_digits_and_signs() {
        for kind in ["word_delimiter", "word_delimiter_graph"] {
            check(
                kind,
                json!({}),
                "PowerShot Wi-Fi SD500 O'Neil's $42 --",
                &[
                    "Power/0:0-5",
                    "Shot/1:5-9",
                    "Wi/2:10-12",
                    "Fi/3:13-15",
                    "SD/4:16-18",
                    "500/5:18-21",
                    "O/6:22-23",
                    "Neil/7:24-28",
                    "42/8:32-34",
                ],
            );
            check(
                kind,
                json!({"split_on_case_change": false, "split_on_numerics": false, "stem_english_possessive": false}),
                "PowerShot SD500 O'Neil's",
                &[
                    "PowerShot/0:0-9",
                    "SD500/1:10-15",
                    "O/2:16-17",
                    "Neil/3:18-22",
                    "s/4:23-24",
                ],
            );
            check(
                kind,
                json!({"protected_words": ["Wi-Fi"], "type_table": ["$ => DIGIT", "\\u002E => DIGIT"]}),
                "Wi-Fi $3.50",
                &["Wi-Fi/0:0-5", "$3.50/1:6-11"],
            );
        }
    }

    #[test]
    fn parts_are_put_together_again() {
        let catenate = json!({"catenate_words": true, "catenate_numbers": true});
        check(
            "word_delimiter",
            catenate.clone(),
            "wi-fi-4000-1 x",
            &[
                "wi/0:0-2",
                "wifi/0:0-5",
                "fi/1:3-5",
                "4000/2:6-10",
                "40001/2:6-12",
                "1/3:11-12",
                "x/4:13-14",
            ],
        );
        check(
            "word_delimiter_graph",
            catenate,
            "wi-fi-4000-1 x",
            &[
                "wifi/0+2:0-5",
                "wi/0:0-2",
                "fi/1:3-5",
                "40001/2+2:6-12",
                "4000/2:6-10",
                "1/3:11-12",
                "x/4:13-14",
            ],
        );
        check(
            "word_delimiter_graph",
            json!({"catenate_all": true, "preserve_original": true}),
            "a SD-500 b",
            &[
                "a/0:0-1",
                "SD-500/1+2:2-8",
                "SD500/1+2:2-8",
                "SD/1:2-4",
                "500/2:5-8",
                "b/3:9-10",
            ],
        );
        check(
            "word_delimiter_graph",
            json!({"catenate_all": true, "generate_word_parts": false, "generate_number_parts": false}),
            "SD-500 b",
            &["SD500/0:0-6", "b/1:7-8"],
        );
    }

    #[test]
    fn rules_that_make_no_sense_are_refused() {
        for rule in ["a", "ab => DIGIT", "a => LETTER", "\\uZZ => DIGIT"] {
            let spec = json!({"tokenizer": "whitespace", "filter": [
                {"type": "word_delimiter", "type_table": [rule]}
            ]});
            let error = AnalysisRegistry::global().build_custom(&spec).unwrap_err();
            assert!(
                error.to_string().contains("Invalid Mapping Rule"),
                "{error}"
            );
        }
    }
}
