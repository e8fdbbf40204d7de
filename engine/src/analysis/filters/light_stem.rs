//! Light stemmers for French, German, Italian, Portuguese and Spanish: plurals, genders and a few suffixes.
//!
//! The algorithms are those of Jacques Savoy (University of Neuchâtel), as Lucene applies them. Lengths count characters.

/// The stem of a French word.
pub(super) fn french(word: &mut Vec<char>) {
    if word.len() > 5 && ends(word, "x") {
        let at = word.len();
        if word[at - 3] == 'a' && word[at - 2] == 'u' && word[at - 4] != 'e' {
            word[at - 2] = 'l';
        }
        word.pop();
    }
    for plural in ["x", "s"] {
        if word.len() > 3 && ends(word, plural) {
            word.pop();
        }
    }
    for rule in FRENCH {
        if word.len() > rule.longer_than && ends(word, rule.suffix) {
            replace(word, rule.suffix, rule.by);
            if rule.last {
                match rule.suffix {
                    "ement" if word.len() > 3 && ends(word, "ive") => replace(word, "ive", "if"),
                    "isation" if word.len() > 5 && ends(word, "ual") => replace(word, "ual", "uel"),
                    _ => {}
                }
                break;
            }
        }
    }
    french_end(word);
}

struct Rule {
    longer_than: usize,
    suffix: &'static str,
    by: &'static str,
    /// No rule after it is tried.
    last: bool,
}

const fn rule(longer_than: usize, suffix: &'static str, by: &'static str, last: bool) -> Rule {
    Rule {
        longer_than,
        suffix,
        by,
        last,
    }
}

const FRENCH: &[Rule] = &[
    rule(9, "issement", "ir", true),
    rule(8, "issant", "ir", true),
    rule(6, "ement", "e", true),
    rule(11, "ficatrice", "fier", true),
    rule(10, "ficateur", "fier", true),
    rule(9, "catrice", "quer", true),
    rule(8, "cateur", "quer", true),
    rule(8, "atrice", "er", true),
    rule(7, "ateur", "er", true),
    rule(6, "trice", "teur", false),
    rule(5, "ième", "", true),
    rule(7, "teuse", "ter", true),
    rule(6, "teur", "ter", true),
    rule(5, "euse", "eu", true),
    rule(8, "ère", "er", true),
    rule(7, "ive", "if", true),
    rule(4, "folle", "fou", true),
    rule(4, "molle", "mou", true),
    rule(9, "nnelle", "n", true),
    rule(9, "nnel", "n", true),
    rule(4, "ète", "et", false),
    rule(8, "ique", "", false),
    rule(8, "esse", "e", true),
    rule(7, "inage", "in", true),
    rule(9, "isation", "", true),
    rule(9, "isateur", "", true),
    rule(8, "ation", "", true),
    rule(8, "ition", "", true),
];

/// Accents and doubled letters go, then `ie`, `r`, `e`.
fn french_end(word: &mut Vec<char>) {
    if word.len() > 4 {
        for c in word.iter_mut() {
            *c = match *c {
                'à' | 'á' | 'â' => 'a',
                'ô' => 'o',
                'è' | 'é' | 'ê' => 'e',
                'ù' | 'û' => 'u',
                'î' => 'i',
                'ç' => 'c',
                other => other,
            };
        }
        word.dedup_by(|next, before| next == before && before.is_alphabetic());
    }
    if word.len() > 4 && ends(word, "ie") {
        replace(word, "ie", "");
    }
    if word.len() > 4 {
        for letter in ["r", "e", "e"] {
            if ends(word, letter) {
                word.pop();
            }
        }
        if let [.., a, b] = word.as_slice()
            && a == b
            && a.is_alphabetic()
        {
            word.pop();
        }
    }
}

/// The stem of a German word.
pub(super) fn german(word: &mut Vec<char>) {
    plain_vowels(word, false);
    let strong = |c: char| "bdfghklmnt".contains(c);
    let n = word.len();
    if n > 5 && ends(word, "ern") {
        word.truncate(n - 3);
    } else if n > 4 && ["em", "en", "er", "es"].iter().any(|end| ends(word, end)) {
        word.truncate(n - 2);
    } else if n > 3 && (ends(word, "e") || (ends(word, "s") && strong(word[n - 2]))) {
        word.pop();
    }
    let n = word.len();
    if n > 5 && ends(word, "est") {
        word.truncate(n - 3);
    } else if n > 4
        && (ends(word, "er") || ends(word, "en") || (ends(word, "st") && strong(word[n - 3])))
    {
        word.truncate(n - 2);
    }
}

/// Umlauts and what is written for them (`ae`, `oe`, `ue`) to plain vowels, `ß` to `ss`.
pub(super) fn german_normalized(text: &str) -> String {
    #[derive(PartialEq)]
    enum After {
        Other,
        /// After a vowel that keeps `ue` apart.
        Vowel,
        /// After a, o or u: an `e` makes it an umlaut.
        Umlaut,
    }
    let mut out = String::with_capacity(text.len());
    let mut state = After::Other;
    for c in text.chars() {
        let (shown, next) = match c {
            'a' | 'o' => ("", After::Umlaut),
            'u' if state == After::Other => ("", After::Umlaut),
            'e' if state == After::Umlaut => {
                state = After::Vowel;
                continue;
            }
            'u' | 'e' | 'i' | 'q' | 'y' => ("", After::Vowel),
            'ä' => ("a", After::Vowel),
            'ö' => ("o", After::Vowel),
            'ü' => ("u", After::Vowel),
            'ß' => ("ss", After::Other),
            _ => ("", After::Other),
        };
        match shown {
            "" => out.push(c),
            shown => out.push_str(shown),
        }
        state = next;
    }
    out
}

/// The stem of an Italian word.
pub(super) fn italian(word: &mut Vec<char>) {
    if word.len() < 6 {
        return;
    }
    plain_vowels(word, true);
    let n = word.len();
    let (last, before) = (word[n - 1], word[n - 2]);
    let cut = match last {
        'e' | 'i' if matches!(before, 'i' | 'h') => 2,
        'a' | 'o' if before == 'i' => 2,
        'a' | 'e' | 'i' | 'o' => 1,
        _ => 0,
    };
    word.truncate(n - cut);
}

/// The stem of a Spanish word.
pub(super) fn spanish(word: &mut Vec<char>) {
    let n = word.len();
    if n < 5 {
        return;
    }
    plain_vowels(word, true);
    if ends(word, "o") || ends(word, "a") || ends(word, "e") {
        word.pop();
    } else if ends(word, "eses") {
        word.truncate(n - 2);
    } else if ends(word, "ces") {
        replace(word, "ces", "z");
    } else if ends(word, "os") || ends(word, "as") || ends(word, "es") {
        word.truncate(n - 2);
    }
}

/// The stem of a Portuguese word.
pub(super) fn portuguese(word: &mut Vec<char>) {
    if word.len() < 4 {
        return;
    }
    portuguese_plural(word);
    if word.len() > 3 && ends(word, "a") {
        portuguese_masculine(word);
    }
    if word.len() > 4 && (ends(word, "e") || ends(word, "a") || ends(word, "o")) {
        word.pop();
    }
    plain_vowels(word, true);
    for c in word.iter_mut() {
        *c = match *c {
            'ã' => 'a',
            'õ' => 'o',
            'ç' => 'c',
            other => other,
        };
    }
}

fn portuguese_plural(word: &mut Vec<char>) {
    let n = word.len();
    if n > 4
        && ["res", "ses", "les", "zes"]
            .iter()
            .any(|end| ends(word, end))
    {
        word.truncate(n - 2);
        return;
    }
    for (longer_than, suffix, by) in [
        (3, "ns", "m"),
        (4, "eis", "el"),
        (4, "ais", "al"),
        (4, "óis", "ol"),
        (4, "is", "il"),
        (3, "ões", "ão"),
        (3, "ães", "ão"),
        (6, "mente", ""),
        (3, "s", ""),
    ] {
        if n > longer_than && ends(word, suffix) {
            replace(word, suffix, by);
            return;
        }
    }
}

fn portuguese_masculine(word: &mut Vec<char>) {
    for (longer_than, suffix, by) in [
        (7, "inha", "inho"),
        (7, "iaca", "iaco"),
        (7, "eira", "eiro"),
        (6, "ona", "ão"),
        (6, "ora", "or"),
        (6, "osa", "oso"),
        (6, "ica", "ico"),
        (6, "ida", "ido"),
        (6, "ada", "ado"),
        (6, "iva", "ivo"),
        (6, "ama", "amo"),
        (6, "esa", "ês"),
        (6, "na", "no"),
    ] {
        if word.len() > longer_than && ends(word, suffix) {
            replace(word, suffix, by);
            return;
        }
    }
}

/// Vowels without accents. With `e` and `é` alike: `all`.
fn plain_vowels(word: &mut [char], all: bool) {
    for c in word {
        *c = match *c {
            'à' | 'á' | 'â' | 'ä' => 'a',
            'ò' | 'ó' | 'ô' | 'ö' => 'o',
            'ì' | 'í' | 'î' | 'ï' => 'i',
            'ù' | 'ú' | 'û' | 'ü' => 'u',
            'è' | 'é' | 'ê' | 'ë' if all => 'e',
            other => other,
        };
    }
}

fn ends(word: &[char], suffix: &str) -> bool {
    let mut at = word.len();
    for c in suffix.chars().rev() {
        if at == 0 || word[at - 1] != c {
            return false;
        }
        at -= 1;
    }
    true
}

fn replace(word: &mut Vec<char>, suffix: &str, by: &str) {
    word.truncate(word.len() - suffix.chars().count());
    word.extend(by.chars());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_stems() {
        type Stem = fn(&mut Vec<char>);
        for (stem, word, wanted) in [
            (french as Stem, "sécuritaires", "securitair"),
            (french, "chevaux", "cheval"),
            (french, "nationalité", "nationalit"),
            (german, "tischen", "tisch"),
            (german, "häuser", "haus"),
            (italian, "abbandonata", "abbandonat"),
            (spanish, "chicana", "chican"),
            (spanish, "veces", "vez"),
            (portuguese, "quilométricas", "quilometric"),
            (portuguese, "canções", "canca"),
            (spanish, "os", "os"),
        ] {
            let mut letters: Vec<char> = word.chars().collect();
            stem(&mut letters);
            assert_eq!(letters.iter().collect::<String>(), wanted, "{word}");
        }
        assert_eq!(
            german_normalized("Straße muessen neue häuser"),
            "Strasse mussen neue hauser"
        );
    }
}
