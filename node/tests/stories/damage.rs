//! A disk that changes single bits: each change is found, the file is named, and nothing damaged is served.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::crash::Random;
use super::node::Node;

/// Documents of each index, before some are deleted.
const DOCUMENTS: u64 = 40;
/// How long the server may take to look at every byte of every shard.
const CHECKED_WITHIN: Duration = Duration::from_secs(60);
/// The mark at the end of a journal's file. It carries nothing: without it the same bytes are served.
const MARK_BYTES: usize = 24;

/// How the node ends before its disk changes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Orderly,
    Killed,
}

/// Files of one kind, by what their names begin and end with, and how many bits change in them.
struct Kind {
    name: &'static str,
    folder: &'static str,
    begin: &'static str,
    end: &'static str,
    flips: usize,
}

const KINDS: &[Kind] = &[
    kind("segment", "index", "", ".qsg", 14),
    kind("live docs", "index", "", ".qld", 4),
    kind("commit point", "index", "commit-", "", 4),
    kind("translog", "translog", "journal-0", "", 6),
    kind("checkpoint", "translog", "journal-checkpoint", "", 4),
];

const fn kind(
    name: &'static str,
    folder: &'static str,
    begin: &'static str,
    end: &'static str,
    flips: usize,
) -> Kind {
    Kind {
        name,
        folder,
        begin,
        end,
        flips,
    }
}

/// One changed bit, in the only shard of one index.
struct Damage {
    index: String,
    kind: &'static str,
    file: String,
    offset: usize,
    /// What was lost is told by nobody, as nothing was lost.
    harmless: bool,
}

/// Makes an index that has a segment, live docs, a commit point and operations in its translog.
fn fill(node: &Node, index: &str) {
    let body = json!({
        "settings": {"number_of_shards": 1, "number_of_replicas": 0, "refresh_interval": "-1"},
        "mappings": {"properties": {
            "number": {"type": "long"}, "colour": {"type": "keyword"}, "name": {"type": "text"},
            "sold": {"type": "date"}, "price": {"type": "double"}, "addr": {"type": "ip"}}},
    });
    node.ok("PUT", &format!("/{index}"), &body.to_string());
    let mut lines = String::new();
    for number in 0..DOCUMENTS {
        lines += &format!(
            "{{\"index\": {{\"_id\": \"{number}\"}}}}\n{}\n",
            hat(number)
        );
    }
    node.ok("POST", &format!("/{index}/_bulk?refresh=true"), &lines);
    node.ok("POST", &format!("/{index}/_flush"), "");
    let mut lines = String::new();
    for number in (0..DOCUMENTS).filter(|number| !is_alive(*number)) {
        lines += &format!("{{\"delete\": {{\"_id\": \"{number}\"}}}}\n");
    }
    node.ok("POST", &format!("/{index}/_bulk?refresh=true"), &lines);
    node.ok("POST", &format!("/{index}/_flush"), "");
    for number in DOCUMENTS..DOCUMENTS + 5 {
        let path = format!("/{index}/_doc/{number}");
        node.ok("PUT", &path, &hat(number).to_string());
    }
}

fn is_alive(number: u64) -> bool {
    number % 7 != 3 || number >= DOCUMENTS
}

fn hat(number: u64) -> Value {
    json!({
        "number": number, "colour": (["red", "green", "blue"][number as usize % 3]),
        "name": format!("a hat with the number {number}"), "sold": format!("2024-01-{:02}", 1 + number % 28),
        "price": number as f64 / 8.0, "addr": format!("10.0.0.{number}"),
    })
}

fn shard_folder(node: &Node, data: &Path, index: &str) -> PathBuf {
    let settings = node.ok("GET", &format!("/{index}/_settings"), "");
    let uuid = settings[index]["settings"]["index"]["uuid"]
        .as_str()
        .expect("a uuid");
    data.join("indices").join(uuid).join("0")
}

/// Changes one bit of one file; its length stays.
fn flip(path: &Path, offset: usize, bit: u64) {
    let mut bytes = std::fs::read(path).expect("a file");
    bytes[offset] ^= 1 << bit;
    std::fs::write(path, bytes).expect("the same file");
}

fn files(folder: &Path, begin: &str, end: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| name.starts_with(begin) && name.ends_with(end))
        })
        .collect();
    files.sort();
    files
}

/// Asks an index everything it has; `Err` has the words it refuses with.
///
/// Panics when it answers with anything but what was written.
fn ask(node: &Node, index: &str) -> Result<(), String> {
    let expected: Vec<u64> = (0..DOCUMENTS + 5)
        .filter(|number| is_alive(*number))
        .collect();
    refresh(node, index)?;
    let search = json!({
        "size": 1000, "track_total_hits": true, "sort": ["number"],
        "query": {"match": {"name": "hat"}},
        "aggs": {"colours": {"terms": {"field": "colour"}}, "prices": {"sum": {"field": "price"}}},
    });
    let (status, answer) = node.send("POST", &format!("/{index}/_search"), &search.to_string());
    if status != 200 || answer["_shards"]["failed"] != 0 {
        return Err(answer.to_string());
    }
    let hits = answer["hits"]["hits"].as_array().expect("hits");
    let numbers: Vec<u64> = hits
        .iter()
        .map(|hit| hit["sort"][0].as_u64().expect("a number"))
        .collect();
    assert_eq!(numbers, expected, "{index} serves other documents");
    for (hit, number) in hits.iter().zip(&expected) {
        assert_eq!(
            hit["_source"],
            hat(*number),
            "{index} serves a damaged source"
        );
    }
    let prices: f64 = expected.iter().map(|number| *number as f64 / 8.0).sum();
    assert_eq!(answer["aggregations"]["prices"]["value"], prices);
    for bucket in answer["aggregations"]["colours"]["buckets"]
        .as_array()
        .expect("buckets")
    {
        let colour = bucket["key"].as_str().expect("a colour");
        let count = expected
            .iter()
            .filter(|number| hat(**number)["colour"] == colour)
            .count();
        assert_eq!(bucket["doc_count"], count, "{index}: {colour}");
    }
    for number in [0, DOCUMENTS - 1, DOCUMENTS + 4] {
        let (status, answer) = node.send("GET", &format!("/{index}/_doc/{number}"), "");
        if status != 200 {
            return Err(answer.to_string());
        }
        assert_eq!(
            answer["_source"],
            hat(number),
            "{index} serves a damaged source"
        );
    }
    Ok(())
}

/// What the cluster says about the shard that is not there.
fn why_unassigned(node: &Node, index: &str) -> String {
    let shard = json!({"index": index, "shard": 0, "primary": true});
    let (_, answer) = node.send("POST", "/_cluster/allocation/explain", &shard.to_string());
    answer["unassigned_info"]["details"].to_string()
}

fn refresh(node: &Node, index: &str) -> Result<(), String> {
    let (status, answer) = node.send("POST", &format!("/{index}/_refresh"), "");
    match status == 200 && answer["_shards"]["failed"] == 0 {
        true => Ok(()),
        false => Err(answer.to_string()),
    }
}

fn changed_bits_are_found(end: End) {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path();
    let node = Node::start(data);
    let mut random = Random::new(if end == End::Orderly { 7 } else { 8 });
    let mut folders = Vec::new();
    for kind in KINDS {
        for number in 0..kind.flips {
            let index = format!("{}-{number}", kind.name.replace(' ', "-"));
            fill(&node, &index);
            folders.push((kind, number, shard_folder(&node, data, &index), index));
        }
    }
    fill(&node, "whole");
    ask(&node, "whole").expect("an answer before anything is damaged");
    match end {
        End::Orderly => node.stop(),
        End::Killed => {
            node.signal_kill();
            drop(node);
        }
    }

    let mut damages = Vec::new();
    for (kind, number, folder, index) in folders {
        let found = files(&folder.join(kind.folder), kind.begin, kind.end);
        assert!(!found.is_empty(), "{index} has no {} ({end:?})", kind.name);
        let path = &found[number % found.len()];
        let len = std::fs::metadata(path).expect("a file").len();
        // spread over the file, and anywhere within each part
        let part = (len / kind.flips as u64).max(1);
        let offset = ((number as u64 * part + random.below(part)).min(len - 1)) as usize;
        flip(path, offset, random.below(8));
        let in_last_mark = kind.name == "translog"
            && end == End::Killed
            && path == found.last().expect("not empty")
            && offset + MARK_BYTES >= len as usize;
        damages.push(Damage {
            index,
            kind: kind.name,
            file: path
                .file_name()
                .and_then(|name| name.to_str())
                .expect("a name")
                .to_owned(),
            offset,
            harmless: in_last_mark,
        });
    }

    let node = Node::start(data);
    let began = Instant::now();
    let mut unnoticed = damages;
    while !unnoticed.is_empty() {
        ask(&node, "whole").expect("the undamaged index answers");
        let mut rest = Vec::new();
        for damage in unnoticed {
            match ask(&node, &damage.index) {
                Ok(()) if damage.harmless => {}
                Ok(()) => rest.push((damage, "it is served".to_owned())),
                // reading may stumble over it before the shard is taken out of service
                Err(words) => match why_unassigned(&node, &damage.index) {
                    details if details.contains(&damage.file) => {}
                    details => rest.push((damage, format!("{words}\n    {details}"))),
                },
            }
        }
        if began.elapsed() > CHECKED_WITHIN {
            let shown: Vec<String> = rest
                .iter()
                .map(|(damage, words)| {
                    let Damage {
                        kind, file, offset, ..
                    } = damage;
                    format!("{kind} {file}, byte {offset}: {words}")
                })
                .collect();
            panic!(
                "{end:?}: not found and named in time:\n{}",
                shown.join("\n")
            );
        }
        unnoticed = rest.into_iter().map(|(damage, _)| damage).collect();
        if !unnoticed.is_empty() {
            std::thread::sleep(Duration::from_millis(500));
        }
    }
    node.ok("PUT", "/whole/_doc/new?refresh=true", r#"{"number": 1000}"#);
    node.ok("DELETE", "/segment-0", "");
    node.stop();
}

#[test]
fn bits_changed_after_an_orderly_end_are_found_and_named() {
    changed_bits_are_found(End::Orderly);
}

#[test]
fn bits_changed_after_a_kill_are_found_and_named() {
    changed_bits_are_found(End::Killed);
}

#[test]
fn a_damaged_node_id_stops_the_start_and_is_named() {
    let folder = tempfile::tempdir().expect("a folder for the story");
    let data = folder.path().join("data");
    Node::start(&data).stop();
    let file = data.join("node-id");
    for offset in [0, 21, 25] {
        flip(&file, offset, 0);
        let output = match Node::try_start(&data, &[]) {
            Ok(_) => panic!("it started with byte {offset} changed"),
            Err(output) => output,
        };
        assert!(output.contains("node-id"), "{output}");
        flip(&file, offset, 0);
    }
    Node::start(&data).stop();
}

#[test]
fn a_damaged_cluster_state_stops_the_start_and_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = Node::start(folder.path());
    fill(&node, "whole");
    node.stop();
    let mut random = Random::new(9);
    for path in files(&folder.path().join("state"), "journal-", "") {
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.expect("a name").to_owned();
        let intact = std::fs::read(&path).expect("a file");
        for part in 0..8 {
            let size = (intact.len() as u64 / 8).max(1);
            let offset = ((part * size + random.below(size)) as usize).min(intact.len() - 1);
            flip(&path, offset, random.below(8));
            match Node::try_start(folder.path(), &[]) {
                Ok(_) => panic!("byte {offset} of {name} is damaged, and the server starts"),
                Err(words) => assert!(words.contains(&name), "{name} is not named: {words}"),
            }
            std::fs::write(&path, &intact).expect("the file as it was");
        }
    }
    let node = Node::start(folder.path());
    ask(&node, "whole").expect("an undamaged state");
}

#[test]
fn a_shard_whose_folder_is_gone_is_red_and_not_empty() {
    let data = tempfile::tempdir().expect("a folder for the story");
    let node = Node::start(data.path());
    node.ok("PUT", "/kept", "");
    node.ok("PUT", "/lost", "");
    for index in ["kept", "lost"] {
        let written = node.ok("PUT", &format!("/{index}/_doc/1"), "{}");
        assert_eq!(written["_primary_term"], 1, "the first reign");
    }
    let folder = shard_folder(&node, data.path(), "lost");
    node.stop();
    std::fs::remove_dir_all(&folder).expect("the shard's folder");

    let node = Node::start(data.path());
    let written = node.ok("PUT", "/kept/_doc/2", "{}");
    assert_eq!(
        (&written["_primary_term"], &written["_seq_no"]),
        (&json!(2), &json!(1)),
        "a new reign, the same history"
    );
    assert_eq!(node.ok("GET", "/kept/_doc/1", "")["_primary_term"], 1);
    let health = node.ok("GET", "/_cluster/health/lost", "");
    assert_eq!(health["status"], "red", "{health}");
    let (status, answer) = node.send("PUT", "/lost/_doc/2?timeout=1ms", "{}");
    assert_eq!(status, 503, "{answer}");
    assert!(!folder.exists(), "nothing is made where data was");
}
