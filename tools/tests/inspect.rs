//! `quidditch-inspect` on a real file: what it shows, and that it finds damage.

use std::path::Path;
use std::process::{Command, Output};

use quidditch_engine::buffer::{Buffer, DocMeta};
use quidditch_engine::document::{
    ColumnKind, FieldSpec, IndexOptions, ParsedDocument, ParsedField, TermBuffer,
};
use quidditch_engine::ids::{PrimaryTerm, SeqNo};

fn field(path: &str, index: IndexOptions, column: ColumnKind) -> ParsedField {
    ParsedField {
        path: path.into(),
        spec: FieldSpec {
            index,
            norms: index == IndexOptions::Positions,
            column,
            points: column == ColumnKind::Numeric,
            stored: false,
        },
        terms: TermBuffer::default(),
        numbers: Vec::new(),
        stored: Vec::new(),
    }
}

/// Two hats as a segment.
fn segment() -> Vec<u8> {
    let mut buffer = Buffer::new();
    for (number, colour) in ["red", "blue"].into_iter().enumerate() {
        let mut colours = field("colour", IndexOptions::Docs, ColumnKind::Ordinals);
        colours.terms.push(colour.as_bytes(), 0);
        let mut price = field("price", IndexOptions::None, ColumnKind::Numeric);
        price.numbers.push(20 + number as i64);
        let mut text = field("text", IndexOptions::Positions, ColumnKind::None);
        for (position, word) in ["a", colour, "hat"].into_iter().enumerate() {
            text.terms.push(word.as_bytes(), position as u32);
        }
        text.terms.length = 3;
        let document = ParsedDocument {
            id: format!("hat-{number}"),
            routing: None,
            source: r#"{"colour": "…"}"#.into(),
            fields: vec![colours, price, text],
            mapping_update: None,
        };
        let meta = DocMeta {
            seq_no: SeqNo(number as i64),
            primary_term: PrimaryTerm(1),
            version: 1,
        };
        buffer.add(&document, meta);
    }
    buffer.freeze().expect("two live documents").bytes
}

fn inspect(file: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_quidditch-inspect"))
        .arg(file)
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
fn shows_what_is_there_and_finds_damage() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hats.qsg");
    let mut bytes = segment();
    std::fs::write(&file, &bytes).unwrap();
    let shows = |arguments: &[&str], expected: &str| {
        let output = inspect(&file, arguments);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{arguments:?}");
        assert!(text.contains(expected), "{arguments:?} shows\n{text}");
    };
    shows(&["sections"], "ordinal column\tcolour\t");
    shows(&["fields"], "text\tpositions+norms\t2\t4\t6\t6\n");
    shows(
        &["terms", "text", "--from", "b"],
        "1\t1\t1\t2\tblue\n2\t2\t2\t",
    );
    shows(&["terms", "colour", "--limit", "1"], "0\t1\t1\t0\tblue\n");
    shows(&["postings", "text", "hat"], "0\t1\t[2]\n1\t1\t[2]\n");
    shows(&["column", "colour"], "0\t1=red \n1\t0=blue \n");
    shows(
        &["column", "price", "--from", "1"],
        "document\tvalues\n1\t[21]\n",
    );
    shows(&["id", "hat-1"], "document\t1\n_id\that-1\n_seq_no\t1\n");
    shows(&["verify"], "sound; 2 documents");

    let refused = inspect(&file, &["postings", "text", "cap"]);
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("has no term [cap]"));

    bytes[100] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    let damaged = inspect(&file, &["verify"]);
    assert!(!damaged.status.success());
    assert!(String::from_utf8_lossy(&damaged.stderr).contains("checksum"));
}
