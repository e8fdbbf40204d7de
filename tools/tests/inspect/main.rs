//! `quidditch-inspect` on real shards: what it shows, and that it finds damage.

mod damage;
mod shelf;
mod shows;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn run(place: &Path, arguments: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_quidditch-inspect"))
        .arg(place)
        .args(arguments)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("panicked"), "{arguments:?}: {said}");
    output
}

/// What a command prints for people.
fn text(place: &Path, arguments: &[&str]) -> String {
    let output = run(place, arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

fn json_of(place: &Path, arguments: &[&str]) -> Value {
    let mut arguments = arguments.to_vec();
    arguments.push("--json");
    serde_json::from_str(&text(place, &arguments)).unwrap()
}

/// The row of an array whose member `key` is `value`.
fn row<'a>(rows: &'a Value, key: &str, value: &str) -> &'a Value {
    let found = rows
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row[key] == value);
    found.unwrap_or_else(|| panic!("no {key} {value} in {rows:#}"))
}

fn refused(place: &Path, arguments: &[&str], code: i32) -> String {
    let output = run(place, arguments);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    said
}

/// All files below a folder, by path from there.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for part in ["index", "translog"] {
        for entry in fs::read_dir(folder.join(part)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            found.push(format!("{part}/{name}"));
        }
    }
    found.sort();
    found
}
