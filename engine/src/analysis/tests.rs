//! Chains of analysis as users configure them.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::*;

fn registry(pairs: &[(&str, &str)]) -> Result<AnalysisRegistry, String> {
    let flat: BTreeMap<String, String> = pairs
        .iter()
        .map(|(key, value)| (format!("index.analysis.{key}"), (*value).to_owned()))
        .collect();
    AnalysisRegistry::parse(&flat).map_err(|error| error.reason)
}

/// Tokens as `term@position`.
fn tokens(spec: Json, text: &str) -> Vec<String> {
    let analyzer = AnalysisRegistry::global().build_custom(&spec).unwrap();
    let mut out = Vec::new();
    analyzer.analyze(text, &mut |t| {
        let length = match t.position_length {
            1 => String::new(),
            n => format!("+{n}"),
        };
        out.push(format!("{}@{}{length}", t.text, t.position));
    });
    out
}

fn filtered(filter: Json, text: &str) -> Vec<String> {
    tokens(json!({"tokenizer": "whitespace", "filter": [filter]}), text)
}

#[test]
fn english_stems_and_stops() {
    let english = registry(&[]).unwrap().analyzer("english").unwrap();
    let mut out = Vec::new();
    english.analyze("The dog's running in the GARDENS", &mut |t| {
        out.push((t.text.to_owned(), t.position, t.start_offset, t.end_offset));
    });
    assert_eq!(
        out,
        [
            ("dog".to_owned(), 1, 4, 9),
            ("run".to_owned(), 2, 10, 17),
            ("garden".to_owned(), 5, 25, 32)
        ]
    );
}

#[test]
fn offsets_are_utf16() {
    let standard = registry(&[]).unwrap().analyzer("standard").unwrap();
    let mut out = Vec::new();
    standard.analyze("é𝒳 ab", &mut |t| {
        out.push((t.start_offset, t.end_offset))
    });
    assert_eq!(out, [(0, 3), (4, 6)]);
}

#[test]
fn custom_analyzers_are_read_from_settings() {
    let registry = registry(&[
        ("analyzer.mine.tokenizer", "whitespace"),
        ("analyzer.mine.filter.0", "lowercase"),
        ("analyzer.mine.filter.1", "short"),
        ("analyzer.mine.char_filter", "html_strip"),
        ("filter.short.type", "length"),
        ("filter.short.max", "3"),
        ("analyzer.std.type", "standard"),
        ("analyzer.std.stopwords.0", "the"),
        ("normalizer.n.filter", "lowercase,asciifolding"),
    ])
    .unwrap();
    assert_eq!(
        registry
            .analyzer("mine")
            .unwrap()
            .terms("<b>A</b> LONG Cat"),
        ["a", "cat"]
    );
    assert_eq!(registry.analyzer("std").unwrap().terms("The cat"), ["cat"]);
    assert_eq!(registry.normalizer("n").unwrap().normalize("É A"), "e a");
}

#[test]
fn bad_definitions_say_why() {
    let fail = |pairs: &[(&str, &str)]| registry(pairs).unwrap_err();
    assert_eq!(
        fail(&[("analyzer.a.tokenizer", "nope")]),
        "Custom Analyzer [a] failed to find tokenizer under name [nope]"
    );
    assert_eq!(
        fail(&[
            ("analyzer.a.tokenizer", "standard"),
            ("analyzer.a.filter.0", "nope")
        ]),
        "Custom Analyzer [a] failed to find filter under name [nope]"
    );
    assert_eq!(
        fail(&[("analyzer.a.filter.0", "lowercase")]),
        "analyzer [a] must specify either an analyzer type, or a tokenizer"
    );
    assert_eq!(
        fail(&[("filter.f.type", "nope")]),
        "Unknown filter type [nope] for [f]"
    );
    assert_eq!(
        fail(&[("normalizer.n.filter", "stop")]),
        "Custom normalizer [n] may not use filter [stop]"
    );
    assert!(
        fail(&[("tokenizer.t.type", "ngram"), ("tokenizer.t.max_gram", "5")])
            .starts_with("The difference between max_gram and min_gram in NGram Tokenizer")
    );
    let global = AnalysisRegistry::global();
    let error = global
        .build_custom(&json!({"tokenizer": "nope"}))
        .unwrap_err();
    assert_eq!(error.reason, "failed to find global tokenizer under [nope]");
}

#[test]
fn tokenizers_cut_as_they_say() {
    let cut = |tokenizer: Json, text: &str| tokens(json!({"tokenizer": tokenizer}), text);
    assert_eq!(
        cut(json!("ngram"), "abc"),
        ["a@0", "ab@1", "b@2", "bc@3", "c@4"]
    );
    assert_eq!(
        cut(
            json!({"type": "edge_ngram", "min_gram": 2, "max_gram": 3, "token_chars": ["letter"]}),
            "abcd e fg"
        ),
        ["ab@0", "abc@1", "fg@2"]
    );
    assert_eq!(cut(json!("pattern"), "a-b, c"), ["a@0", "b@1", "c@2"]);
    assert_eq!(
        cut(
            json!({"type": "pattern", "pattern": "'([^']+)'", "group": 1}),
            "'a' x 'b'"
        ),
        ["a@0", "b@1"]
    );
    assert_eq!(
        cut(
            json!({"type": "simple_pattern", "pattern": "[0-9]{3}"}),
            "fd-786-335-x"
        ),
        ["786@0", "335@1"]
    );
    assert_eq!(
        cut(json!("path_hierarchy"), "/a/b/c"),
        ["/a@0", "/a/b@0", "/a/b/c@0"]
    );
    assert_eq!(
        cut(
            json!({"type": "path_hierarchy", "delimiter": "-", "replacement": "/", "skip": 1}),
            "a-b-c"
        ),
        ["/b@0", "/b/c@0"]
    );
    assert_eq!(
        cut(
            json!({"type": "char_group", "tokenize_on_chars": ["whitespace", "-", "\\n"]}),
            "The 2 Brown-Foxes"
        ),
        ["The@0", "2@1", "Brown@2", "Foxes@3"]
    );
}

#[test]
fn filters_change_tokens_as_they_say() {
    assert_eq!(
        filtered(
            json!({"type": "ngram", "min_gram": 2, "max_gram": 3}),
            "abc d"
        ),
        ["ab@0", "abc@0", "bc@0"]
    );
    assert_eq!(
        filtered(json!({"type": "edge_ngram", "max_gram": 2}), "abc d"),
        ["a@0", "ab@0", "d@1"]
    );
    assert_eq!(
        filtered(json!("shingle"), "a b c"),
        ["a@0", "a b@0+2", "b@1", "b c@1+2", "c@2"]
    );
    assert_eq!(
        tokens(
            json!({"tokenizer": "whitespace", "filter": ["stop", {"type": "shingle", "output_unigrams": false}]}),
            "please divide this sentence"
        ),
        ["please divide@0", "divide _@1", "_ sentence@2"]
    );
    assert_eq!(
        filtered(json!({"type": "truncate", "length": 2}), "abc é12"),
        ["ab@0", "é1@1"]
    );
    assert_eq!(filtered(json!("unique"), "a b a"), ["a@0", "b@1"]);
    assert_eq!(filtered(json!("reverse"), "abc"), ["cba@0"]);
    assert_eq!(
        filtered(json!({"type": "length", "min": 2}), "a bb c"),
        ["bb@1"]
    );
    assert_eq!(
        filtered(json!({"type": "limit", "max_token_count": 2}), "a b c"),
        ["a@0", "b@1"]
    );
    assert_eq!(
        filtered(json!("elision"), "l'avion L’été"),
        ["avion@0", "été@1"]
    );
    assert_eq!(filtered(json!("apostrophe"), "Istanbul'un"), ["Istanbul@0"]);
    assert_eq!(filtered(json!("decimal_digit"), "٣4"), ["34@0"]);
    assert_eq!(
        filtered(
            json!({"type": "asciifolding", "preserve_original": true}),
            "été a"
        ),
        ["ete@0", "été@0", "a@1"]
    );
    assert_eq!(
        filtered(
            json!({"type": "pattern_replace", "pattern": "(\\d+)-(\\d+)", "replacement": "$2_$1"}),
            "1-22"
        ),
        ["22_1@0"]
    );
    assert_eq!(
        filtered(
            json!({"type": "pattern_capture", "patterns": ["(\\d+)"]}),
            "a1b22"
        ),
        ["a1b22@0", "1@0", "22@0"]
    );
    assert_eq!(
        filtered(json!({"type": "snowball", "language": "German"}), "häuser"),
        ["haus@0"]
    );
    assert_eq!(filtered(json!("fingerprint"), "b a b"), ["a b@0"]);
    let chain = json!({"tokenizer": "whitespace", "filter": [
        {"type": "keyword_marker", "keywords": ["running"]}, {"type": "stemmer_override", "rules": ["ran => run"]}, "porter_stem"
    ]});
    assert_eq!(
        tokens(chain, "running ran jumping"),
        ["running@0", "run@1", "jump@2"]
    );
}

#[test]
fn synonyms_of_one_and_of_several_words() {
    let synonyms = |kind: &str, rules: Json, text: &str| {
        tokens(
            json!({"tokenizer": "whitespace", "filter": ["lowercase", {"type": kind, "synonyms": rules}]}),
            text,
        )
    };
    assert_eq!(
        synonyms("synonym", json!(["i-pod, ipod => iPod"]), "my ipod x"),
        ["my@0", "ipod@1", "x@2"]
    );
    assert_eq!(
        synonyms("synonym", json!(["car, auto"]), "a CAR b"),
        ["a@0", "auto@1", "car@1", "b@2"]
    );
    assert_eq!(
        synonyms("synonym_graph", json!(["ny, new york"]), "ny city"),
        ["new@0", "ny@0+2", "york@1", "city@2"]
    );
    assert_eq!(
        synonyms("synonym_graph", json!(["ny, new york"]), "new york city"),
        ["ny@0+2", "new@0", "york@1", "city@2"]
    );
    assert_eq!(
        synonyms("synonym", json!(["wtf => what the f"]), "wtf now"),
        ["what@0", "the@1", "f@2", "now@3"]
    );
}

#[test]
fn char_filters_keep_offsets_true() {
    let spans = |spec: Json, text: &str| {
        let analyzer = AnalysisRegistry::global().build_custom(&spec).unwrap();
        let mut out = Vec::new();
        analyzer.analyze(text, &mut |t| {
            out.push((t.text.to_owned(), t.start_offset, t.end_offset))
        });
        out
    };
    assert_eq!(
        spans(
            json!({"tokenizer": "standard", "char_filter": ["html_strip"]}),
            "<p>I&apos;m <b>so</b> happy</p>"
        ),
        [
            ("I'm".to_owned(), 3, 11),
            ("so".to_owned(), 15, 21),
            ("happy".to_owned(), 22, 27)
        ]
    );
    assert_eq!(
        spans(
            json!({"tokenizer": "whitespace", "char_filter": [{"type": "mapping", "mappings": ["# a comment", ":) => happy", "ph=>f", "#=>no"]}]}),
            "ab :) phone"
        ),
        [
            ("ab".to_owned(), 0, 2),
            ("happy".to_owned(), 3, 5),
            ("fone".to_owned(), 6, 11)
        ]
    );
    assert_eq!(
        spans(
            json!({"tokenizer": "whitespace", "char_filter": [{"type": "pattern_replace", "pattern": "-", "replacement": ""}]}),
            "1-2-3 x"
        ),
        [("123".to_owned(), 0, 5), ("x".to_owned(), 6, 7)]
    );
}

#[test]
fn explain_shows_every_stage() {
    let analyzer = AnalysisRegistry::global()
        .build_custom(&json!({"tokenizer": "standard", "filter": ["lowercase", "stop"], "char_filter": ["html_strip"]}))
        .unwrap();
    let report = analyzer.explain(&["<b>The CAT</b>", "sat"]);
    assert!(report.custom);
    assert_eq!(report.char_filters[0].filtered_text[0], "The CAT");
    assert_eq!(report.tokenizer.unwrap().tokens.len(), 3);
    let names: Vec<&str> = report.filters.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(names, ["lowercase", "stop"]);
    let last: Vec<(&str, u32, u32)> = report
        .tokens
        .iter()
        .map(|t| (t.token.as_str(), t.position, t.start_offset))
        .collect();
    assert_eq!(last, [("cat", 1, 7), ("sat", 102, 15)]);
}

#[test]
fn common_words_also_go_with_their_neighbours() {
    let common = |query_mode| {
        json!({
            "type": "common_grams", "common_words": ["the", "is", "a"], "query_mode": query_mode
        })
    };
    assert_eq!(
        filtered(common(false), "the quick brown is a fox"),
        [
            "the@0",
            "the_quick@0+2",
            "quick@1",
            "brown@2",
            "brown_is@2+2",
            "is@3",
            "is_a@3+2",
            "a@4",
            "a_fox@4+2",
            "fox@5"
        ]
    );
    assert_eq!(
        filtered(common(true), "the quick brown is a fox"),
        [
            "the_quick@0+2",
            "quick@1",
            "brown_is@2+2",
            "is_a@3+2",
            "a_fox@4+2"
        ]
    );
    assert_eq!(filtered(common(true), "quick fox"), ["quick@0", "fox@1"]);
    assert!(registry(&[("filter.f.type", "common_grams")]).is_err());
}

#[test]
fn lists_of_words_and_types_keep_tokens() {
    let keep = json!({"type": "keep", "keep_words": ["Fox", "dog"], "keep_words_case": true});
    assert_eq!(filtered(keep, "the FOX and the dog"), ["FOX@1", "dog@4"]);
    let keep = json!({"type": "keep", "keep_words": ["Fox"]});
    assert_eq!(filtered(keep, "fox Fox"), ["Fox@1"]);
    assert!(registry(&[("filter.f.type", "keep")]).is_err());
    let kept = |mode: &str| {
        let filter = json!({"type": "keep_types", "types": ["<NUM>"], "mode": mode});
        tokens(
            json!({"tokenizer": "standard", "filter": [filter]}),
            "1 fox 2 dogs",
        )
    };
    assert_eq!(kept("include"), ["1@0", "2@2"]);
    assert_eq!(kept("exclude"), ["fox@1", "dogs@3"]);
    assert!(
        registry(&[
            ("filter.f.type", "keep_types"),
            ("filter.f.types", "x"),
            ("filter.f.mode", "no")
        ])
        .is_err()
    );
}

#[test]
fn words_are_found_in_compounds_and_payloads_are_cut_off() {
    let compound = |longest| {
        json!({
            "type": "dictionary_decompounder", "word_list": ["Donau", "dampf", "dampfschiff", "schiff"],
            "only_longest_match": longest
        })
    };
    assert_eq!(
        filtered(compound(false), "Donaudampfschiff xx"),
        [
            "Donaudampfschiff@0",
            "Donau@0",
            "dampf@0",
            "dampfschiff@0",
            "schiff@0",
            "xx@1"
        ]
    );
    assert_eq!(
        filtered(compound(true), "Donaudampfschiff"),
        ["Donaudampfschiff@0", "Donau@0", "dampfschiff@0", "schiff@0"]
    );
    assert_eq!(
        filtered(json!("delimited_payload"), "the|0 brown|10 fox"),
        ["the@0", "brown@1", "fox@2"]
    );
    let other = json!({"type": "delimited_payload", "delimiter": "+", "encoding": "int"});
    assert_eq!(filtered(other, "brown+10 a|b"), ["brown@0", "a|b@1"]);
    assert!(
        registry(&[
            ("filter.f.type", "delimited_payload"),
            ("filter.f.encoding", "x")
        ])
        .is_err()
    );
}
