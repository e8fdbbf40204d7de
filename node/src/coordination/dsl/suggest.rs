//! "did you mean": names close to one that does not exist.

/// The tail of an error message that offers similar names, with a leading blank; empty when none is similar.
pub fn did_you_mean<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let mut scored: Vec<(f32, &str)> = Vec::new();
    for candidate in known {
        let score = similarity(wrong, candidate);
        if score > 0.5 {
            scored.push((score, candidate));
        }
    }
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    match scored.as_slice() {
        [] => String::new(),
        [(_, only)] => format!(" did you mean [{only}]?"),
        several => {
            let names: Vec<&str> = several.iter().map(|(_, name)| *name).collect();
            format!(" did you mean any of [{}]?", names.join(", "))
        }
    }
}

/// 1 minus the edit distance over the longer length: 1.0 for equal texts, 0.0 for texts without anything in common.
fn similarity(left: &str, right: &str) -> f32 {
    let left: Vec<char> = left.chars().collect();
    let right: Vec<char> = right.chars().collect();
    let longer = left.len().max(right.len());
    if longer == 0 {
        return 1.0;
    }
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let substituted = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    1.0 - row[right.len()] as f32 / longer as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offers_what_is_similar() {
        let known = ["match", "match_all", "term", "terms", "range"];
        assert_eq!(did_you_mean("mtch", known), " did you mean [match]?");
        assert_eq!(
            did_you_mean("ters", known),
            " did you mean any of [terms, term]?"
        );
        assert_eq!(did_you_mean("zzz", known), "");
    }
}
