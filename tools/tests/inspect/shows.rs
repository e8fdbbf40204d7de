//! What each command shows, as text and as JSON.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::shelf::SHELF;
use crate::{files, json_of, refused, row, run, text};

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../engine/tests/golden/v1")
}

#[test]
fn a_shard_is_listed_and_summed_up() {
    let shelf = SHELF.path();
    let listed = json_of(shelf, &["ls"]);
    let names: Vec<&str> = listed["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["file"].as_str().unwrap())
        .collect();
    assert_eq!(names, files(shelf));
    assert!(
        listed["files"]
            .as_array()
            .unwrap()
            .iter()
            .all(|file| file["needed"] == "yes")
    );

    let info = json_of(shelf, &["info"]);
    assert_eq!(info["live_documents"], 5020);
    assert_eq!(info["deleted_documents"], 10);
    assert_eq!(info["max_seq_no"], 5039);
    assert_eq!(info["segments"].as_array().unwrap().len(), 2);
    assert_eq!(info["segments"][0]["live"], 4990);
    assert_eq!(info["segments"][0]["postings"], json!(["v3"]));
    // an index folder is as good as the shard's
    assert_eq!(json_of(&shelf.join("index"), &["info"]), info);
    let from_inside = json_of(&shelf.join("index"), &["ls"]);
    let first = from_inside["files"][0]["file"].as_str().unwrap();
    assert_eq!(format!("index/{first}"), names[0]);
    let lines = text(shelf, &["info"]);
    assert!(lines.contains("live documents        5,020\n"), "{lines}");
}

#[test]
fn sizes_add_up_to_the_files() {
    let shelf = SHELF.path();
    let on_disk: u64 = files(shelf)
        .iter()
        .map(|file| fs::metadata(shelf.join(file)).unwrap().len())
        .sum();
    let sections = json_of(shelf, &["size"]);
    assert_eq!(sections["total"], on_disk);
    let sum = |rows: &Value| -> u64 {
        rows.as_array()
            .unwrap()
            .iter()
            .map(|row| row["size"].as_u64().unwrap())
            .sum()
    };
    assert_eq!(sum(&sections["sizes"]), on_disk);

    let fields = json_of(shelf, &["size", "--by", "field"]);
    let segments = fields["total"].as_u64().unwrap();
    let around = row(&sections["sizes"], "part", "header, table, gaps")["size"]
        .as_u64()
        .unwrap();
    assert_eq!(
        sum(&fields["sizes"]) + fields["of_no_field"].as_u64().unwrap() + around,
        segments
    );
    let all = json_of(shelf, &["fields"]);
    let by_field = row(&fields["sizes"], "field", "text");
    assert_eq!(
        row(&all["fields"], "field", "text")["size"],
        by_field["size"]
    );

    let terms = json_of(
        shelf,
        &["size", "--by", "term", "--field", "text", "--limit", "3"],
    );
    assert_eq!(terms["sizes"][0]["term"], "hat");
    assert_eq!(terms["sizes"].as_array().unwrap().len(), 3);
    assert_eq!(terms["sizes_left_out"], 5030 + 3 - 3);
    let lists = row(&sections["sizes"], "part", "postings")["size"]
        .as_u64()
        .unwrap();
    let of_all = json_of(shelf, &["size", "--by", "term"])["lists"]
        .as_u64()
        .unwrap();
    let skips = row(&sections["sizes"], "part", "skips")["size"]
        .as_u64()
        .unwrap();
    assert_eq!(
        of_all,
        lists + skips,
        "every byte of postings and skips belongs to a term"
    );
}

#[test]
fn fields_say_what_is_kept() {
    let fields = json_of(SHELF.path(), &["fields"]);
    let of_text = row(&fields["fields"], "field", "text");
    assert_eq!(of_text["kept"], "positions+norms");
    assert_eq!(of_text["documents"], 5030);
    assert_eq!(of_text["terms"], 5030 + 2 + 1 + 2);
    let price = row(&fields["fields"], "field", "price");
    assert_eq!(price["kept"], "numbers+points");
    assert!(
        price["column"].as_str().unwrap().starts_with("line"),
        "{price}"
    );
    assert_eq!(row(&fields["fields"], "field", "colour")["terms"], 6);
}

#[test]
fn terms_say_how_they_are_kept() {
    let shelf = SHELF.path();
    let kept = |term: &str, arguments: &[&str]| {
        let mut all = vec!["terms", "text", "--prefix", term, "--limit", "1"];
        all.extend(arguments);
        let terms = json_of(shelf, &all);
        assert_eq!(terms["terms"][0]["term"], term);
        terms["terms"][0]["kept"].as_str().unwrap().to_owned()
    };
    assert_eq!(kept("hat", &[]), "1 blocks, 1 bitmaps");
    assert_eq!(kept("hat", &["--segment", "_0"]), "bitmaps");
    assert_eq!(kept("twentieth", &["--segment", "_0"]), "blocks");
    assert_eq!(kept("early", &[]), "blocks");
    assert_eq!(kept("number4711", &[]), "inlined");

    let some = json_of(
        shelf,
        &[
            "terms",
            "text",
            "--prefix",
            "number500",
            "--from",
            "number5000",
            "--limit",
            "2",
        ],
    );
    let names: Vec<_> = some["terms"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["term"])
        .collect();
    assert_eq!(names, ["number5000", "number5001"]);
    assert_eq!(some["next_term"], "number5002");
    let hat = &json_of(shelf, &["terms", "text", "--prefix", "hat"])["terms"][0];
    assert_eq!(
        (&hat["documents"], &hat["segments"]),
        (&json!(5030), &json!(2))
    );
}

#[test]
fn postings_say_what_each_block_costs() {
    let shelf = SHELF.path();
    let of = |term: &str| {
        json_of(
            shelf,
            &["postings", "text", term, "--limit", "1000", "--docs", "3"],
        )["segments"]
            .clone()
    };
    let sum = |rows: &Value, key: &str| -> u64 {
        rows.as_array()
            .unwrap()
            .iter()
            .map(|row| row[key].as_u64().unwrap())
            .sum()
    };

    let twentieth = of("twentieth");
    let first = &twentieth[0];
    assert_eq!(
        (&first["kept"], &first["documents"]),
        (&json!("blocks"), &json!(250))
    );
    assert_eq!(first["occurrences"], 250 + 89);
    // Two heads, a number, flags, firsts of 2 bits, lasts, a width, gaps of 1 bit.
    assert_eq!(first["positions"], 2 + 1 + 16 + (32 + 31) + 12 + 1 + 12);
    let blocks = &first["blocks"];
    assert_eq!(blocks.as_array().unwrap().len(), 2);
    assert_eq!(
        sum(blocks, "size"),
        first["documents_and_freqs"].as_u64().unwrap()
    );
    assert_eq!(sum(blocks, "documents"), 250);
    assert_eq!(blocks[0]["gap_bits"], "5", "gaps of 19");
    assert_eq!(
        (&blocks[0]["patches"], &blocks[1]["patches"]),
        (&json!(1), &json!(0)),
        "{blocks}"
    );
    assert!(
        blocks[0]["bounds"].to_string().contains("\"90/"),
        "{blocks}"
    );
    assert_eq!(
        (&blocks[1]["first"], &blocks[1]["last"]),
        (&json!(2560), &json!(4980))
    );
    assert_eq!(twentieth[1]["documents"], 2);
    assert_eq!(
        first["postings"][1],
        json!({"document": 20, "live": "yes", "freq": 1, "positions": [2]})
    );

    let hat = &of("hat")[0];
    assert_eq!(hat["kept"], "bitmaps");
    let containers = &hat["containers"];
    assert_eq!(containers.as_array().unwrap().len(), 2);
    assert_eq!(sum(containers, "documents"), 5000);
    assert_eq!(
        sum(containers, "size"),
        hat["documents_and_freqs"].as_u64().unwrap()
    );
    assert_eq!(containers[0]["gap_bits"], "bitmap");
    assert_eq!(hat["position_bits"], "0", "every hat is the first word");

    let number = &of("number4711")[0];
    assert_eq!(number["kept"], "inlined");
    assert_eq!(number["postings"][0]["document"], 4711);
    let dead = &of("number12")[0]["postings"][0];
    assert_eq!(
        (&dead["document"], &dead["live"]),
        (&json!(12), &json!("no"))
    );
}

#[test]
fn documents_and_columns_are_shown_as_stored() {
    let shelf = SHELF.path();
    let found = json_of(shelf, &["id", "hat-15"]);
    assert_eq!(found["documents"][0]["live"], "no");
    let found = json_of(shelf, &["id", "hat-5001"]);
    assert_eq!(found["documents"][0]["_seq_no"], 5001);
    let same = json_of(shelf, &["doc", "1", "--segment", "_1"]);
    assert_eq!(found["documents"][0], same);
    let prices = json_of(
        shelf,
        &[
            "column",
            "price",
            "--segment",
            "_0",
            "--from",
            "4998",
            "--limit",
            "2",
        ],
    );
    assert_eq!(
        prices["rows"],
        json!([{"document": 4998, "values": [34986]}, {"document": 4999, "values": [34993]}])
    );
    assert_eq!(prices["chunks"][0]["documents"], 4096);
    let colours = json_of(
        shelf,
        &["column", "colour", "--segment", "_1", "--limit", "1"],
    );
    assert_eq!(colours["rows"][0]["values"], json!(["1=grey"]));
    assert!(text(shelf, &["sections"]).contains("ordinal column"));
}

#[test]
fn the_first_formats_are_shown_and_verified() {
    let shelf = golden();
    let listed = files(&shelf);
    let info = json_of(&shelf, &["info"]);
    assert_eq!(info["segments"][0]["postings"], json!(["v1"]));
    assert_eq!(info["translog_operations"], 16);
    let hat = json_of(&shelf, &["postings", "text", "hat", "--docs", "1"]);
    assert_eq!(hat["segments"][0]["kept"], "blocks (v1)");
    assert_eq!(hat["segments"][0]["blocks"][0]["documents"], 128);
    assert_eq!(hat["segments"][0]["blocks"][1]["gap_bits"], "varint");
    assert_eq!(json_of(&shelf, &["verify"])["result"], "sound");
    assert_eq!(files(&shelf), listed, "nothing was written");
}

#[test]
fn every_command_speaks_json_and_is_on_the_page() {
    let help = String::from_utf8(run(Path::new("--help"), &[]).stdout).unwrap();
    let commands = help
        .split("Commands:")
        .nth(1)
        .unwrap()
        .split("Arguments:")
        .next()
        .unwrap();
    let names = commands
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names: BTreeSet<&str> = names
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/inspect.md");
    let page = fs::read_to_string(page).unwrap();
    for (name, more) in [
        ("ls", &[][..]),
        ("info", &[]),
        ("fields", &[]),
        ("terms", &["colour"]),
        ("postings", &["text", "hat"]),
        ("size", &["--by", "term"]),
        ("verify", &[]),
        ("sections", &[]),
        ("column", &["price", "--segment", "_1"]),
        ("doc", &["7", "--segment", "_1"]),
        ("id", &["hat-3"]),
    ] {
        assert!(names.contains(name), "{name} is not in {names:?}");
        assert!(
            page.contains(&format!("| `{name}")),
            "docs/inspect.md has no row for {name}"
        );
        let arguments: Vec<&str> = [name].into_iter().chain(more.iter().copied()).collect();
        assert!(json_of(SHELF.path(), &arguments).is_object(), "{name}");
    }
    assert_eq!(
        names.len(),
        11 + 1,
        "the commands above and help: {names:?}"
    );
}

#[test]
fn the_example_of_the_page_is_true() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/inspect.md");
    let page = fs::read_to_string(page).unwrap();
    let example = page
        .split("```text\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let (command, shown) = example.split_once('\n').unwrap();
    let arguments: Vec<&str> = command.split(' ').skip(3).collect();
    assert_eq!(text(SHELF.path(), &arguments), shown);
}

#[test]
fn slips_of_the_pen_are_told() {
    let shelf = SHELF.path();
    for (arguments, said) in [
        (
            &["terms", "txt"][..],
            "field [txt] has no terms here; `fields` lists",
        ),
        (
            &["postings", "text", "cap"],
            "field [text] has no term [cap]; `terms` lists",
        ),
        (
            &["postings", "price", "7"],
            "field [price] is not indexed here",
        ),
        (
            &["doc", "1"],
            "there are several segments; name one with --segment: _0, _1",
        ),
        (
            &["doc", "99", "--segment", "_1"],
            "segment _1 has 30 documents",
        ),
        (&["id", "cap"], "no document here has the _id [cap]"),
        (
            &["info", "--segment", "_9"],
            "no segment [_9] is here; there are: _0, _1",
        ),
        (&["verify", "--segment", "_0"], "leave --segment out"),
        (&["size", "--field", "text"], "--field goes with --by term"),
    ] {
        let error = refused(shelf, arguments, 2);
        assert!(error.contains(said), "{arguments:?}: {error}");
    }
    let folder = TempDir::new().unwrap();
    let missing = folder.path().join("nowhere");
    assert!(refused(&missing, &["ls"], 2).contains("no shard is here"));
    assert!(!missing.exists(), "looking makes nothing");
    assert!(refused(folder.path(), &["ls"], 2).contains("no shard is here"));
    let letter = folder.path().join("letter.txt");
    fs::write(&letter, "dear sirs").unwrap();
    assert!(refused(&letter, &["info"], 1).contains("letter.txt: not a segment file"));
}
