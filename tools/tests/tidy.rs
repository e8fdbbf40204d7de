//! The house checks itself: who may know whom, where `unsafe` and JSON may live, what no file may say.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tools/ has a parent")
        .to_path_buf()
}

/// All files below `folder` that end in `ending`, with their paths relative to the repository.
fn files(folder: &str, ending: &str) -> Vec<(String, String)> {
    fn walk(folder: &Path, ending: &str, into: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.expect("a readable entry").path();
            let name = path
                .file_name()
                .map(|name| name.to_string_lossy().to_string())
                .unwrap_or_default();
            if path.is_dir() {
                if name != "target" && name != ".git" && name != "data" {
                    walk(&path, ending, into);
                }
            } else if name.ends_with(ending) {
                let shown = path
                    .strip_prefix(root())
                    .expect("below the root")
                    .to_string_lossy()
                    .to_string();
                if let Ok(text) = fs::read_to_string(&path) {
                    into.push((shown, text));
                }
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join(folder), ending, &mut found);
    found.sort();
    found
}

/// The part of a source file before its unit tests.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod ").next().unwrap_or(text)
}

/// Whether a whole file is compiled for tests only.
fn is_a_test(path: &str) -> bool {
    ["tests.rs", "/laws.rs", "/testing.rs"]
        .iter()
        .any(|name| path.ends_with(name))
        || path.contains("/tests/")
}

fn dependencies(manifest: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(manifest)).expect("a manifest");
    let mut inside = false;
    let mut names = Vec::new();
    for line in text.lines() {
        if line.starts_with('[') {
            inside = line == "[dependencies]";
        } else if inside
            && let Some(name) = line
                .split(['.', ' ', '='])
                .next()
                .filter(|name| !name.is_empty())
        {
            names.push(name.to_string());
        }
    }
    names
}

#[test]
fn the_engine_knows_no_network_and_nobody_of_ours() {
    let names = dependencies("engine/Cargo.toml");
    assert!(
        names.iter().any(|name| name == "fst"),
        "the manifest was not understood: {names:?}"
    );
    for forbidden in [
        "tokio",
        "axum",
        "hyper",
        "tonic",
        "prost",
        "openraft",
        "quidditch-node",
        "quidditch-proto",
    ] {
        assert!(
            !names.iter().any(|name| name == forbidden),
            "engine/Cargo.toml lists {forbidden}"
        );
    }
}

#[test]
fn proto_knows_only_its_codec_and_its_calls() {
    assert_eq!(
        dependencies("proto/Cargo.toml"),
        ["prost", "tonic", "tonic-prost"]
    );
}

#[test]
fn json_stays_in_its_rooms_of_the_engine() {
    for (path, text) in files("engine/src", ".rs") {
        let allowed = path.starts_with("engine/src/schema")
            || path.starts_with("engine/src/document")
            || path == "engine/src/analysis/definition.rs"
            || path == "engine/src/analysis/registry.rs"
            || is_a_test(&path);
        let uses = without_tests(&text)
            .lines()
            .any(|line| line.contains("serde_json") && !line.trim_start().starts_with("//"));
        assert!(
            allowed || !uses,
            "{path} uses serde_json; JSON belongs to schema/, document/ and analysis/definition.rs"
        );
    }
}

#[test]
fn unsafe_and_intrinsics_live_in_few_places() {
    for folder in [
        "engine/src",
        "node/src",
        "tools/src",
        "benches/src",
        "proto/src",
    ] {
        for (path, text) in files(folder, ".rs") {
            let code = text
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"));
            let mut has_unsafe = false;
            let mut has_intrinsics = false;
            for line in code {
                has_unsafe |= line.contains("unsafe ") && !line.contains("unsafe_code");
                has_intrinsics |= line.contains("std::arch") || line.contains("core::arch");
            }
            let simd = path.starts_with("engine/src/simd");
            assert!(
                !has_intrinsics || simd,
                "{path} uses vector intrinsics; they live in engine/src/simd"
            );
            let may = simd || path.starts_with("engine/src/directory");
            assert!(
                !has_unsafe || may,
                "{path} uses unsafe; it lives in engine/src/simd and engine/src/directory"
            );
        }
    }
}

#[test]
fn nothing_unfinished_is_left() {
    let marks = [
        ["to", "do!("].concat(),
        ["unimple", "mented!("].concat(),
        ["FIX", "ME"].concat(),
        ["XX", "X:"].concat(),
    ];
    for folder in ["engine", "node", "proto", "tools", "benches"] {
        for (path, text) in files(folder, ".rs") {
            for mark in &marks {
                assert!(!text.contains(mark.as_str()), "{path} contains {mark}");
            }
        }
    }
}

#[test]
fn the_repository_speaks_of_the_product_alone() {
    let words = [
        ["/wo", "rk/"].concat(),
        ["sub", "agent"].concat(),
        ["/ro", "ot/"].concat(),
        ["/ho", "me/"].concat(),
    ];
    for ending in [
        ".rs", ".md", ".toml", ".py", ".yml", ".yaml", ".proto", ".sh", "run",
    ] {
        for (path, text) in files(".", ending) {
            for word in &words {
                assert!(!text.contains(word.as_str()), "{path} contains {word}");
            }
        }
    }
}

#[test]
fn every_story_and_script_is_reachable() {
    let ci = fs::read_to_string(root().join(".ci/run")).expect(".ci/run");
    let readme = fs::read_to_string(root().join("README.md")).expect("README.md");
    for promise in ["cargo run --release", "cargo test --workspace"] {
        assert!(
            readme.contains(promise),
            "README.md no longer says `{promise}`"
        );
    }
    assert!(
        ci.contains("cargo test --workspace"),
        ".ci/run no longer runs the README's test command"
    );
}
