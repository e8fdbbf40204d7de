//! Queries of the search benchmark, the game: `{"query", "tags"}`, one a line.
//!
//! | text | means |
//! |---|---|
//! | `a` | documents with the term |
//! | `a b` | with any of the terms |
//! | `+a +b` | with all of them |
//! | `+a b` | with `a`; `b` adds to the score |
//! | `+a -b` | with `a`, without `b` |
//! | `"a b"` | with the phrase; wherever a term may stand |

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

/// What is asked for each query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)] // the names are those of the game
pub enum Command {
    Top10,
    Top100,
    Top1000,
    Top100Count,
    Count,
}

impl Command {
    /// All of them, in the order of the tables.
    pub const ALL: [Command; 5] = [
        Command::Top10,
        Command::Top100,
        Command::Top1000,
        Command::Top100Count,
        Command::Count,
    ];

    /// As the game writes it.
    pub fn name(self) -> &'static str {
        match self {
            Command::Top10 => "TOP_10",
            Command::Top100 => "TOP_100",
            Command::Top1000 => "TOP_1000",
            Command::Top100Count => "TOP_100_COUNT",
            Command::Count => "COUNT",
        }
    }

    /// How many documents are wanted.
    pub fn size(self) -> usize {
        match self {
            Command::Top10 => 10,
            Command::Top100 | Command::Top100Count => 100,
            Command::Top1000 => 1000,
            Command::Count => 0,
        }
    }

    /// Whether all matches are counted.
    pub fn counts(self) -> bool {
        matches!(self, Command::Top100Count | Command::Count)
    }

    /// The command of that name.
    pub fn parse(name: &str) -> Result<Command> {
        let found = Command::ALL
            .into_iter()
            .find(|command| command.name() == name);
        found.with_context(|| {
            let names = Command::ALL.map(Command::name).join(", ");
            format!("[{name}] is no command; there are {names}")
        })
    }
}

/// Queries that are compared together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)] // the names are those of the tags
pub enum Class {
    Term,
    Intersection,
    Union,
    Phrase,
    IntersectionUnion,
    Negated,
}

impl Class {
    /// All of them, in the order of the tables.
    pub const ALL: [Class; 6] = [
        Class::Term,
        Class::Intersection,
        Class::Union,
        Class::Phrase,
        Class::IntersectionUnion,
        Class::Negated,
    ];

    /// The tag.
    pub fn name(self) -> &'static str {
        match self {
            Class::Term => "term",
            Class::Intersection => "intersection",
            Class::Union => "union",
            Class::Phrase => "phrase",
            Class::IntersectionUnion => "intersection_union",
            Class::Negated => "negated",
        }
    }

    /// The class of that name.
    pub fn parse(name: &str) -> Result<Class> {
        let found = Class::ALL.into_iter().find(|class| class.name() == name);
        found.with_context(|| {
            let names = Class::ALL.map(Class::name).join(", ");
            format!("[{name}] is no class; there are {names}")
        })
    }
}

/// What a clause does for its query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occur {
    /// `+`: it must match.
    Must,
    /// It may match.
    Should,
    /// `-`: it must not match.
    MustNot,
}

/// One term, or the terms of a phrase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clause {
    /// What it does.
    pub occur: Occur,
    /// One term, or the terms of a phrase in their order.
    pub terms: Vec<String>,
}

/// A line of the queries.
#[derive(Deserialize, Serialize)]
struct Line {
    query: String,
    tags: Vec<String>,
}

/// A query, parsed.
#[derive(Clone, Debug)]
pub struct GameQuery {
    /// As written.
    pub text: String,
    /// As written.
    pub tags: Vec<String>,
    /// By the tags, else by the clauses.
    pub class: Class,
    /// At least one.
    pub clauses: Vec<Clause>,
}

impl GameQuery {
    /// Parses one query.
    pub fn parse(text: &str, tags: Vec<String>) -> Result<GameQuery> {
        let clauses = parse_clauses(text)?;
        let tagged = tags.iter().find_map(|tag| Class::parse(tag).ok());
        Ok(GameQuery {
            class: tagged.unwrap_or_else(|| class_of(&clauses)),
            text: text.to_owned(),
            tags,
            clauses,
        })
    }
}

fn parse_clauses(text: &str) -> Result<Vec<Clause>> {
    let mut clauses = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (occur, after) = match rest.as_bytes()[0] {
            b'+' => (Occur::Must, &rest[1..]),
            b'-' => (Occur::MustNot, &rest[1..]),
            _ => (Occur::Should, rest),
        };
        let (words, after) = if let Some(quoted) = after.strip_prefix('"') {
            let Some(closed) = quoted.split_once('"') else {
                bail!("[{text}]: a phrase is not closed");
            };
            closed
        } else {
            after.split_once(char::is_whitespace).unwrap_or((after, ""))
        };
        let terms: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        ensure!(!terms.is_empty(), "[{text}]: a clause without terms");
        clauses.push(Clause { occur, terms });
        rest = after.trim_start();
    }
    ensure!(
        clauses.iter().any(|clause| clause.occur != Occur::MustNot),
        "[{text}]: nothing is wanted"
    );
    Ok(clauses)
}

fn class_of(clauses: &[Clause]) -> Class {
    let has = |occur| clauses.iter().any(|clause| clause.occur == occur);
    match clauses {
        _ if has(Occur::MustNot) => Class::Negated,
        [only] if only.terms.len() == 1 => Class::Term,
        [_] => Class::Phrase,
        _ if has(Occur::Must) && has(Occur::Should) => Class::IntersectionUnion,
        _ if has(Occur::Must) => Class::Intersection,
        _ => Class::Union,
    }
}

/// Reads the queries of a file, those of the given classes only.
pub fn load(path: &Path, classes: &[Class]) -> Result<Vec<GameQuery>> {
    let file = File::open(path).with_context(|| path.display().to_string())?;
    let mut queries = Vec::new();
    for (number, line) in BufReader::new(file).lines().enumerate() {
        let at = || format!("{}, line {}", path.display(), number + 1);
        let line: Line = serde_json::from_str(&line?).with_context(at)?;
        let query = GameQuery::parse(&line.query, line.tags).with_context(at)?;
        if classes.contains(&query.class) {
            queries.push(query);
        }
    }
    ensure!(!queries.is_empty(), "{}: no queries", path.display());
    Ok(queries)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (Class, Vec<(Occur, String)>) {
        let query = GameQuery::parse(text, Vec::new()).unwrap();
        let clauses = query.clauses.iter();
        let clauses = clauses.map(|clause| (clause.occur, clause.terms.join(" ")));
        (query.class, clauses.collect())
    }

    #[test]
    fn every_form_of_the_game_is_understood() {
        let (must, should, not) = (Occur::Must, Occur::Should, Occur::MustNot);
        let check = |text: &str, class: Class, clauses: &[(Occur, &str)]| {
            let clauses = clauses.iter();
            let wanted = clauses.map(|(occur, terms)| (*occur, (*terms).to_owned()));
            assert_eq!(parsed(text), (class, wanted.collect()), "{text}");
        };
        check("hat", Class::Term, &[(should, "hat")]);
        check("+hat", Class::Term, &[(must, "hat")]);
        let both = [(should, "red"), (should, "hat")];
        check("red hat", Class::Union, &both);
        let both = [(must, "red"), (must, "hat")];
        check("+red +hat", Class::Intersection, &both);
        check("\"red hat\"", Class::Phrase, &[(should, "red hat")]);
        let both = [(should, "red"), (must, "hat")];
        check("red +hat", Class::IntersectionUnion, &both);
        let both = [(must, "red"), (not, "hat")];
        check("+red -hat", Class::Negated, &both);
        let both = [(must, "the who"), (must, "uk")];
        check("+\"the who\" +uk", Class::Intersection, &both);
    }

    #[test]
    fn the_tag_decides_and_nonsense_is_refused() {
        let tagged = GameQuery::parse("hat", vec!["global".into(), "union".into()]).unwrap();
        assert_eq!(tagged.class, Class::Union);
        for text in ["", "-hat", "\"red hat", "\"\"", "+ hat"] {
            assert!(GameQuery::parse(text, Vec::new()).is_err(), "{text}");
        }
    }
}
