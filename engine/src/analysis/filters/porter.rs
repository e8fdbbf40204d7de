//! The `porter_stem` filter: Porter's original algorithm for English.
//!
//! M. F. Porter, "An algorithm for suffix stripping" (1980), with the two departures of his own program: `bli`
//! for `abli`, and `logi`.

use super::super::definition::Definition;
use super::super::token::TokenBatch;
use super::{Parts, TokenFilter};
use crate::schema::SchemaError;

/// Porter's stemmer.
#[derive(Debug)]
pub(crate) struct PorterStem;

/// Has no parameters.
pub(super) fn build(_: &Definition, _: &dyn Parts) -> Result<Box<dyn TokenFilter>, SchemaError> {
    Ok(Box::new(PorterStem))
}

impl TokenFilter for PorterStem {
    fn apply(&self, batch: &mut TokenBatch) {
        batch.map_text(|text, token| {
            if token.keyword {
                return None;
            }
            stem(text)
        });
    }
}

/// The stem of a word in lower case; `None` when it is the word itself.
pub(super) fn stem(word: &str) -> Option<String> {
    let letters: Vec<char> = word.chars().collect();
    if letters.len() < 3 {
        return None;
    }
    let mut stemmer = Stemmer {
        end: letters.len(),
        letters,
        stem: 0,
    };
    stemmer.plurals_and_participles();
    stemmer.final_y();
    stemmer.replace_first(STEP_2, 0);
    stemmer.replace_first(STEP_3, 0);
    stemmer.drop_suffix();
    stemmer.tidy();
    let stem: String = stemmer.letters[..stemmer.end].iter().collect();
    (stem != word).then_some(stem)
}

/// Double suffixes to single ones.
const STEP_2: &[(&str, &str)] = &[
    ("ational", "ate"),
    ("tional", "tion"),
    ("enci", "ence"),
    ("anci", "ance"),
    ("izer", "ize"),
    ("bli", "ble"),
    ("alli", "al"),
    ("entli", "ent"),
    ("eli", "e"),
    ("ousli", "ous"),
    ("ization", "ize"),
    ("ation", "ate"),
    ("ator", "ate"),
    ("alism", "al"),
    ("iveness", "ive"),
    ("fulness", "ful"),
    ("ousness", "ous"),
    ("aliti", "al"),
    ("iviti", "ive"),
    ("biliti", "ble"),
    ("logi", "log"),
];

const STEP_3: &[(&str, &str)] = &[
    ("icate", "ic"),
    ("ative", ""),
    ("alize", "al"),
    ("iciti", "ic"),
    ("ical", "ic"),
    ("ful", ""),
    ("ness", ""),
];

const STEP_4: &[&str] = &[
    "al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion", "ou",
    "ism", "ate", "iti", "ous", "ive", "ize",
];

struct Stemmer {
    letters: Vec<char>,
    /// Letters of the word as it stands.
    end: usize,
    /// Letters before the suffix last found.
    stem: usize,
}

impl Stemmer {
    fn is_consonant(&self, at: usize) -> bool {
        match self.letters[at] {
            'a' | 'e' | 'i' | 'o' | 'u' => false,
            'y' => at == 0 || !self.is_consonant(at - 1),
            _ => true,
        }
    }

    /// Number of vowel-consonant sequences in the stem.
    fn measure(&self) -> usize {
        let mut count = 0;
        let mut after_vowel = false;
        for at in 0..self.stem {
            let consonant = self.is_consonant(at);
            if consonant && after_vowel {
                count += 1;
            }
            after_vowel = !consonant;
        }
        count
    }

    fn has_vowel(&self) -> bool {
        (0..self.stem).any(|at| !self.is_consonant(at))
    }

    /// Whether the letters up to `end` close with the same consonant twice.
    fn double_consonant(&self, end: usize) -> bool {
        end >= 2 && self.letters[end - 1] == self.letters[end - 2] && self.is_consonant(end - 1)
    }

    /// Whether they close consonant, vowel, consonant, the last none of w, x, y.
    fn short_syllable(&self, end: usize) -> bool {
        end >= 3
            && self.is_consonant(end - 3)
            && !self.is_consonant(end - 2)
            && self.is_consonant(end - 1)
            && !matches!(self.letters[end - 1], 'w' | 'x' | 'y')
    }

    fn ends(&mut self, suffix: &str) -> bool {
        let count = suffix.len();
        if count > self.end {
            return false;
        }
        let start = self.end - count;
        if !suffix
            .chars()
            .zip(&self.letters[start..self.end])
            .all(|(a, b)| a == *b)
        {
            return false;
        }
        self.stem = start;
        true
    }

    fn set(&mut self, suffix: &str) {
        self.letters.truncate(self.stem);
        self.letters.extend(suffix.chars());
        self.end = self.letters.len();
    }

    fn plurals_and_participles(&mut self) {
        if self.letters[self.end - 1] == 's' {
            if self.ends("sses") {
                self.end -= 2;
            } else if self.ends("ies") {
                self.set("i");
            } else if self.letters[self.end - 2] != 's' {
                self.end -= 1;
            }
        }
        if self.ends("eed") {
            if self.measure() > 0 {
                self.end -= 1;
            }
        } else if (self.ends("ed") || self.ends("ing")) && self.has_vowel() {
            self.end = self.stem;
            if self.ends("at") {
                self.set("ate");
            } else if self.ends("bl") {
                self.set("ble");
            } else if self.ends("iz") {
                self.set("ize");
            } else if self.double_consonant(self.end) {
                if !matches!(self.letters[self.end - 1], 'l' | 's' | 'z') {
                    self.end -= 1;
                }
            } else {
                self.stem = self.end;
                if self.measure() == 1 && self.short_syllable(self.end) {
                    self.set("e");
                }
            }
        }
    }

    fn final_y(&mut self) {
        if self.ends("y") && self.has_vowel() {
            self.letters[self.end - 1] = 'i';
        }
    }

    /// The first suffix that fits is replaced if the stem is long enough.
    fn replace_first(&mut self, rules: &[(&str, &str)], measure: usize) {
        for (suffix, replacement) in rules {
            if self.ends(suffix) {
                if self.measure() > measure {
                    self.set(replacement);
                }
                return;
            }
        }
    }

    fn drop_suffix(&mut self) {
        for suffix in STEP_4 {
            if self.ends(suffix) {
                if *suffix == "ion"
                    && !(self.stem > 0 && matches!(self.letters[self.stem - 1], 's' | 't'))
                {
                    continue;
                }
                if self.measure() > 1 {
                    self.end = self.stem;
                }
                return;
            }
        }
    }

    fn tidy(&mut self) {
        self.stem = self.end;
        if self.letters[self.end - 1] == 'e' {
            // Measured with the `e` in place: a final vowel adds nothing.
            let measure = self.measure();
            if measure > 1 || (measure == 1 && !self.short_syllable(self.end - 1)) {
                self.end -= 1;
            }
        }
        self.stem = self.end;
        if self.end > 0
            && self.letters[self.end - 1] == 'l'
            && self.double_consonant(self.end)
            && self.measure() > 1
        {
            self.end -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::stem;

    #[test]
    fn examples_of_the_paper() {
        for (word, expected) in [
            ("caresses", "caress"),
            ("ponies", "poni"),
            ("ties", "ti"),
            ("cats", "cat"),
            ("feed", "feed"),
            ("agreed", "agre"),
            ("plastered", "plaster"),
            ("bled", "bled"),
            ("motoring", "motor"),
            ("sing", "sing"),
            ("conflated", "conflat"),
            ("troubled", "troubl"),
            ("sized", "size"),
            ("hopping", "hop"),
            ("tanned", "tan"),
            ("falling", "fall"),
            ("hissing", "hiss"),
            ("fizzed", "fizz"),
            ("failing", "fail"),
            ("filing", "file"),
            ("happy", "happi"),
            ("sky", "sky"),
            ("relational", "relat"),
            ("conditional", "condit"),
            ("rational", "ration"),
            ("valenci", "valenc"),
            ("digitizer", "digit"),
            ("radicalli", "radic"),
            ("vietnamization", "vietnam"),
            ("operator", "oper"),
            ("feudalism", "feudal"),
            ("decisiveness", "decis"),
            ("hopefulness", "hope"),
            ("sensibiliti", "sensibl"),
            ("triplicate", "triplic"),
            ("formative", "form"),
            ("formalize", "formal"),
            ("electrical", "electr"),
            ("goodness", "good"),
            ("revival", "reviv"),
            ("allowance", "allow"),
            ("adjustable", "adjust"),
            ("replacement", "replac"),
            ("adoption", "adopt"),
            ("communism", "commun"),
            ("effective", "effect"),
            ("probate", "probat"),
            ("rate", "rate"),
            ("cease", "ceas"),
            ("controll", "control"),
            ("roll", "roll"),
            ("is", "is"),
            ("generalizations", "gener"),
            ("oscillators", "oscil"),
        ] {
            assert_eq!(stem(word).unwrap_or(word.to_owned()), expected, "{word}");
        }
    }
}
