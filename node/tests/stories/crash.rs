//! Nothing that was acknowledged is lost, whatever moment the process is killed at.
//!
//! `QUIDDITCH_CRASH_ROUNDS=1000 cargo test --release -p quidditch-node --test stories crash -- --nocapture` for a long run.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::node::Node;

const WRITERS: usize = 3;
const IDS_PER_WRITER: u64 = 40;

/// What is known of one document: what was acknowledged last, and what was sent after that and never answered.
#[derive(Clone, Debug, Default)]
struct Known {
    acknowledged: Option<Write>,
    /// The highest version that was ever acknowledged for this id.
    version: u64,
    highest_seq_no: i64,
    in_doubt: Vec<Write>,
}

#[derive(Clone, Debug, PartialEq)]
enum Write {
    Put(u64),
    Delete,
}

/// xorshift64*: small, and the same on every machine.
pub(super) struct Random(u64);

impl Random {
    /// A sequence of its own for every seed.
    pub(super) fn new(seed: u64) -> Random {
        Random(0x9e37_79b9_7f4a_7c15 ^ seed)
    }

    /// The next number, less than `bound`.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % bound
    }
}

/// Sends bulk requests over this writer's own ids until the server is gone.
fn write_until_killed(
    node: &Node,
    writer: usize,
    random: &mut Random,
    counter: &mut u64,
    known: &mut BTreeMap<String, Known>,
    started: &AtomicUsize,
    stop: &AtomicBool,
) {
    while !stop.load(Ordering::Relaxed) {
        let mut body = String::new();
        let mut sent = Vec::new();
        for _ in 0..=random.below(12) {
            let id = format!("w{writer}-{}", random.below(IDS_PER_WRITER));
            if sent.iter().any(|(other, _)| *other == id) {
                continue;
            }
            *counter += 1;
            let write = match random.below(4) {
                0 => Write::Delete,
                _ => Write::Put(*counter),
            };
            match &write {
                Write::Put(value) => {
                    body += &format!("{}\n", json!({"index": {"_id": id}}));
                    body += &format!(
                        "{}\n",
                        json!({"value": value, "text": format!("hat {value}")})
                    );
                }
                Write::Delete => body += &format!("{}\n", json!({"delete": {"_id": id}})),
            }
            sent.push((id, write));
        }
        for (id, write) in &sent {
            let known = known.entry(id.clone()).or_default();
            known.in_doubt.push(write.clone());
        }
        started.fetch_add(1, Ordering::Relaxed);
        let refresh = if random.below(5) == 0 {
            "?refresh=true"
        } else {
            ""
        };
        let answer = node.try_send(
            "POST",
            &format!("/hats/_bulk{refresh}"),
            "application/x-ndjson",
            body.into_bytes(),
        );
        let Ok(answer) = answer.and_then(|answer| answer.json::<Value>()) else {
            return;
        };
        for ((id, write), item) in sent.iter().zip(answer["items"].as_array().expect("items")) {
            let item = item
                .as_object()
                .and_then(|item| item.values().next())
                .expect("an item");
            let status = item["status"].as_u64().expect("a status");
            let fine = status == 200 || status == 201 || (status == 404 && *write == Write::Delete);
            assert!(fine, "{id}: {item}");
            let version = item["_version"].as_u64().expect("a version");
            let seq_no = item["_seq_no"].as_i64().expect("a sequence number");
            let known = known.get_mut(id).expect("sent above");
            assert!(
                seq_no > known.highest_seq_no || known.highest_seq_no == 0,
                "{id}: the sequence number went back: {item}"
            );
            if known.acknowledged != Some(Write::Delete) && known.acknowledged.is_some() {
                assert!(
                    version > known.version,
                    "{id}: the version went back from {}: {item}",
                    known.version
                );
            }
            known.version = version;
            known.highest_seq_no = seq_no;
            known.acknowledged = Some(write.clone());
            known.in_doubt.clear();
        }
    }
}

/// Compares what the server has with what is known, by id and by search; then what it has is what is known.
fn check(node: &Node, writers: &mut [BTreeMap<String, Known>], round: usize) {
    node.ok("POST", "/hats/_refresh", "");
    let ids: Vec<&String> = writers.iter().flat_map(|map| map.keys()).collect();
    if ids.is_empty() {
        return;
    }
    let answer = node.ok("POST", "/hats/_mget", &json!({ "ids": ids }).to_string());
    let docs = answer["docs"].as_array().expect("docs").clone();
    assert_eq!(docs.len(), ids.len());
    let mut alive = BTreeMap::new();
    let all_known = writers.iter_mut().flat_map(|map| map.iter_mut());
    for (doc, (id, known)) in docs.iter().zip(all_known) {
        assert_eq!(doc["_id"], id.as_str());
        let found = match doc["found"].as_bool() {
            Some(true) => Write::Put(doc["_source"]["value"].as_u64().expect("a value")),
            _ => Write::Delete,
        };
        let last = known.acknowledged.clone().unwrap_or(Write::Delete);
        let possible = found == last || known.in_doubt.contains(&found);
        assert!(
            possible,
            "round {round}: {id} is {found:?}; known: {known:?}"
        );
        if let Write::Put(value) = found {
            alive.insert(id.clone(), value);
            let version = doc["_version"].as_u64().expect("a version");
            if found == last && known.in_doubt.is_empty() {
                assert_eq!(
                    version, known.version,
                    "round {round}: {id} has another version"
                );
            }
            known.version = version;
        }
        known.acknowledged = Some(found);
        known.in_doubt.clear();
    }
    let search =
        json!({"size": 10000, "track_total_hits": true, "query": {"match": {"text": "hat"}}});
    let answer = node.ok("POST", "/hats/_search", &search.to_string());
    let hits = answer["hits"]["hits"].as_array().expect("hits");
    let mut found = BTreeMap::new();
    for hit in hits {
        let id = hit["_id"].as_str().expect("an id").to_owned();
        let value = hit["_source"]["value"].as_u64().expect("a value");
        let before = found.insert(id, value);
        assert_eq!(before, None, "round {round}: a search finds twice {hit}");
    }
    assert_eq!(
        found, alive,
        "round {round}: a search finds other documents than a get"
    );
    assert_eq!(answer["hits"]["total"]["value"], alive.len());
}

#[test]
fn acknowledged_writes_survive_kill_9() {
    let rounds: usize = match std::env::var("QUIDDITCH_CRASH_ROUNDS") {
        Ok(text) => text.parse().expect("QUIDDITCH_CRASH_ROUNDS is a number"),
        Err(_) => 30,
    };
    let folder = tempfile::tempdir().expect("a folder");
    let mut random = Random::new(0);
    let mut known: Vec<BTreeMap<String, Known>> = vec![BTreeMap::new(); WRITERS];
    let mut counters = [0; WRITERS];
    let mut acknowledged_requests = 0;
    for round in 0..rounds {
        let node = Node::start(folder.path());
        if round == 0 {
            node.ok(
                "PUT",
                "/hats",
                r#"{"settings": {"number_of_shards": 2, "refresh_interval": "50ms"}}"#,
            );
        }
        check(&node, &mut known, round);
        let started = AtomicUsize::new(0);
        let stop = AtomicBool::new(false);
        let requests = 1 + random.below(60) as usize;
        let flush = random.below(4) == 0;
        let seeds: Vec<u64> = (0..WRITERS).map(|_| random.below(u64::MAX) | 1).collect();
        let results = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            let mut writers = Vec::new();
            for (number, (map, counter)) in known.iter_mut().zip(&mut counters).enumerate() {
                let (node, started, stop, seed) = (&node, &started, &stop, seeds[number]);
                writers.push(scope.spawn(move || {
                    let mut random = Random(seed);
                    write_until_killed(node, number, &mut random, counter, map, started, stop);
                }));
            }
            // The moment of the kill: after so many requests have begun, wherever the server then is.
            while started.load(Ordering::Relaxed) < requests {
                if writers.iter().all(|writer| writer.is_finished()) {
                    break;
                }
                std::thread::yield_now();
            }
            if flush {
                let _ = node.try_send(
                    "POST",
                    "/hats/_flush?wait_if_ongoing=true",
                    "application/json",
                    Vec::new(),
                );
            }
            std::thread::sleep(Duration::from_micros(random.below(20_000)));
            node.signal_kill();
            stop.store(true, Ordering::Relaxed);
            for writer in writers {
                results
                    .lock()
                    .expect("no writer holds it")
                    .push(writer.join());
            }
        });
        for result in results.into_inner().expect("all writers ended") {
            if let Err(panic) = result {
                std::panic::resume_unwind(panic);
            }
        }
        acknowledged_requests += started.load(Ordering::Relaxed);
    }
    let node = Node::start(folder.path());
    check(&node, &mut known, rounds);
    println!("{rounds} rounds, {acknowledged_requests} bulk requests, nothing lost");
}
