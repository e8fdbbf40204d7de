//! Files that are not what was written.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::shelf::small_shelf;
use crate::{files, json_of, refused, row, run};

fn flip(file: &Path, byte: u64, bit: u8) {
    let mut bytes = fs::read(file).unwrap();
    bytes[byte as usize] ^= 1 << bit;
    fs::write(file, bytes).unwrap();
}

/// What `verify` says of a damaged place: each damaged file with the sections that are named.
fn damage(place: &Path) -> Vec<(String, String)> {
    let output = run(place, &["verify", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["result"], "DAMAGED");
    let rows = said["checked"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["finding"] != "sound");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    rows.map(|row| (text(&row["file"]), text(&row["section"])))
        .collect()
}

#[test]
fn a_flipped_bit_in_any_section_is_found_and_named() {
    let shelf = small_shelf();
    assert_eq!(json_of(shelf.path(), &["verify"])["result"], "sound");
    let info = json_of(shelf.path(), &["info"]);
    let sections = json_of(shelf.path(), &["sections", "--segment", "_0"]);
    let id = row(&info["segments"], "segment", "_0")["id"]
        .as_str()
        .unwrap();
    let name = format!("index/{id}.qsg");
    let file = shelf.path().join(&name);
    let mut tried = 0;
    for section in sections["sections"].as_array().unwrap() {
        let (offset, len) = (
            section["offset"].as_u64().unwrap(),
            section["size"].as_u64().unwrap(),
        );
        if len == 0 {
            continue;
        }
        let kind = section["section"].as_str().unwrap();
        let expected = match section["field"].as_str() {
            Some(field) => format!("{kind} of field [{field}]"),
            None => kind.to_owned(),
        };
        flip(&file, offset + len / 2, 3);
        assert_eq!(damage(shelf.path()), [(name.clone(), expected)]);
        // whatever the others look at, they say what is wrong or show what is right
        for arguments in [
            &["info"][..],
            &["fields"],
            &["terms", "text"],
            &["postings", "text", "hat"],
            &["id", "hat-7"],
            &["size", "--by", "term"],
        ] {
            let output = run(shelf.path(), arguments);
            if !output.status.success() {
                let said = String::from_utf8_lossy(&output.stderr);
                assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
                assert!(
                    said.contains(id) && said.contains("damaged"),
                    "{arguments:?}: {said}"
                );
            }
        }
        flip(&file, offset + len / 2, 3);
        tried += 1;
    }
    assert!(tried >= 20, "{tried} sections were tried");
    // two at once are both named
    let last = fs::metadata(&file).unwrap().len() - 1;
    let others: Vec<String> = files(shelf.path())
        .into_iter()
        .filter(|file| file.ends_with(".qsg") && *file != name)
        .collect();
    flip(&file, 70, 0);
    flip(&shelf.path().join(&others[0]), 70, 0);
    assert_eq!(damage(shelf.path()).len(), 2);
    // and the ends
    flip(&file, 70, 0);
    flip(&file, last, 0);
    let found = damage(shelf.path());
    assert!(
        found.contains(&(name.clone(), "footer".to_owned())),
        "{found:?}"
    );
    assert!(refused(&file, &["info"], 1).contains("not a segment file, or its end is damaged"));
}

#[test]
fn damage_to_any_file_is_found_and_named() {
    let shelf = small_shelf();
    let all = files(shelf.path());
    assert!(all.iter().any(|file| file.ends_with(".qld")));
    for name in &all {
        let file = shelf.path().join(name);
        let sound = fs::read(&file).unwrap();
        let cut = &sound[..sound.len() / 2];
        fs::write(&file, cut).unwrap();
        let found = damage(shelf.path());
        assert!(
            found.iter().any(|(file, _)| file == name),
            "{name} cut: {found:?}"
        );
        fs::write(&file, &sound).unwrap();
        flip(&file, 9, 1);
        let found = damage(shelf.path());
        assert!(
            found.iter().any(|(file, _)| file == name),
            "{name}: {found:?}"
        );
        fs::remove_file(&file).unwrap();
        let found = damage(shelf.path());
        let commit = name.contains("commit-");
        assert!(
            commit || found.iter().any(|(file, _)| file == name),
            "{name} gone: {found:?}"
        );
        fs::write(&file, &sound).unwrap();
    }
    // a sound file that is not the one of the commit point
    let live_docs = all.iter().find(|file| file.ends_with(".qld")).unwrap();
    let segments: Vec<&String> = all.iter().filter(|file| file.ends_with(".qsg")).collect();
    fs::copy(
        shelf.path().join(segments[0]),
        shelf.path().join(segments[1]),
    )
    .unwrap();
    let found = damage(shelf.path());
    assert!(
        found.contains(&(segments[1].clone(), "footer".to_owned())),
        "{found:?}"
    );
    assert!(
        !found.iter().any(|(file, _)| file == live_docs),
        "{found:?}"
    );
}
