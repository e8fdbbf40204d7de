use super::plain::fragments;
use super::terms::{Found, ShownToken};
use super::unified::{ShownValue, highlight};
use super::*;
use crate::exec::{DocsNode, Node};

fn tokens(text: &str) -> Vec<ShownToken> {
    let mut tokens = Vec::new();
    let mut at = 0;
    for (position, word) in text.split(' ').enumerate() {
        tokens.push(ShownToken {
            term: word.trim_end_matches('.').to_lowercase(),
            position: position as u32,
            start: at,
            end: at + word.trim_end_matches('.').len(),
        });
        at += word.len() + 1;
    }
    tokens
}

fn leaves(words: &[&str]) -> Leaves {
    let terms: Vec<Vec<u8>> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
    let docs = DocsNode::Terms {
        field: Arc::from("f"),
        terms: terms.into(),
        indexed: true,
    };
    Leaves::of(&Node::constant(docs, 1.0))
}

fn unified(text: &str, words: &[&str], options: &HighlightOptions) -> Vec<String> {
    let tokens = tokens(text);
    let leaves = leaves(words);
    let found: Vec<Found> = leaves.finder(|_| true).find(&tokens);
    let values = [ShownValue { text, start: 0 }];
    let whole = options.number_of_fragments == 0;
    highlight(&values, &tokens, &found, options, whole)
}

#[test]
fn unified_shows_sentences() {
    let text = "One fox here. Nothing at all. Another fox there.";
    let options = HighlightOptions {
        fragment_size: 0,
        ..HighlightOptions::default()
    };
    let shown = unified(text, &["fox"], &options);
    assert_eq!(
        shown,
        ["One <em>fox</em> here.", "Another <em>fox</em> there."]
    );
    let best = HighlightOptions {
        number_of_fragments: 1,
        ..options.clone()
    };
    let shown = unified(text, &["fox", "there"], &best);
    assert_eq!(shown, ["Another <em>fox</em> <em>there</em>."]);
    let whole = HighlightOptions {
        number_of_fragments: 0,
        ..options
    };
    let shown = unified(text, &["nothing"], &whole);
    assert_eq!(
        shown,
        ["One fox here. <em>Nothing</em> at all. Another fox there."]
    );
}

#[test]
fn unified_cuts_long_sentences_between_words() {
    let options = HighlightOptions {
        fragment_size: 10,
        ..HighlightOptions::default()
    };
    let shown = unified("aaaa bbbb cccc dddd eeee ffff", &["dddd"], &options);
    assert_eq!(shown.len(), 1);
    assert!(
        shown[0].contains("<em>dddd</em>") && !shown[0].contains("aaaa"),
        "{shown:?}"
    );
}

#[test]
fn unified_shows_a_beginning_where_nothing_is_found() {
    let options = HighlightOptions {
        no_match_size: 5,
        ..HighlightOptions::default()
    };
    assert_eq!(unified("some words here", &["x"], &options), ["some words"]);
    assert!(unified("some words", &["x"], &HighlightOptions::default()).is_empty());
}

#[test]
fn plain_cuts_by_length_and_keeps_the_best_first() {
    let text = "fox aaaa bbbb cccc dddd fox hen eeee";
    let options = HighlightOptions {
        fragment_size: 12,
        ..HighlightOptions::default()
    };
    let leaves = leaves(&["fox", "hen"]);
    let shown = fragments(text, &tokens(text), &leaves.finder(|_| true), &options);
    let shown: Vec<(&str, usize)> = shown.iter().map(|f| (f.text.as_str(), f.score)).collect();
    assert_eq!(shown[0].1, 2);
    assert!(
        shown[0].0.contains("<em>fox</em> <em>hen</em>"),
        "{shown:?}"
    );
    assert_eq!(shown[1].0, "<em>fox</em> aaaa");
}
