//! An index of some shards and copies: filled, asked, checked, removed.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;
use serde_json::{Value, json};

use super::cluster::{Meter, Running};
use super::load::{self, Load};
use super::workload::{INDEX, Workload};
use crate::http::Connection;

/// Copies have caught up by then.
const COPIES_TIMEOUT: Duration = Duration::from_secs(120);

/// How an index is laid out.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Layout {
    /// Primaries.
    pub shards: usize,
    /// Further copies of each.
    pub replicas: usize,
}

/// How it is asked.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Connections of the `_bulk` and of the second load of searches.
    pub connections: usize,
    /// Searches of each load.
    pub searches: usize,
    /// The cheapest of so many rounds counts.
    pub rounds: usize,
}

/// What an index cost.
#[derive(Clone, Debug, Serialize)]
pub struct Costs {
    /// Of the index.
    pub layout: Layout,
    /// An operation is a document.
    pub bulk: Load,
    /// Searches over one connection.
    pub search_one: Load,
    /// Searches over several.
    pub search_many: Load,
}

/// What a search found: how many documents, and the best ones.
#[derive(Clone, Debug, PartialEq)]
struct Found {
    total: u64,
    /// Score bits and id of those better than the last one shown, by both: which of equal ones is shown is free.
    best: Vec<(u32, String)>,
}

/// Answers that were given before, so that later ones must be the same.
#[derive(Default)]
pub struct Answers {
    /// How many documents a text finds, in any layout.
    totals: BTreeMap<String, u64>,
    /// The best documents by number of shards: each shard scores by its own documents.
    best: BTreeMap<(usize, String), Found>,
}

impl Answers {
    fn check(&mut self, shards: usize, text: &str, found: Found) -> Result<()> {
        let total = *self.totals.entry(text.to_owned()).or_insert(found.total);
        ensure!(
            total == found.total,
            "[{text}] finds {} documents in {shards} shards, {total} elsewhere",
            found.total
        );
        let key = (shards, text.to_owned());
        let before = self.best.entry(key).or_insert_with(|| found.clone());
        ensure!(
            *before == found,
            "[{text}] in {shards} shards: the best are {:?}, elsewhere {:?}",
            found.best,
            before.best
        );
        Ok(())
    }
}

/// Fills and asks an index, several times, and removes it each time; the cheapest round of each load counts.
pub fn measure(
    running: &Running,
    workload: &Workload,
    layout: Layout,
    effort: Effort,
    answers: &mut Answers,
) -> Result<Costs> {
    let mut best: Option<Costs> = None;
    for _ in 0..effort.rounds {
        create(running, layout)?;
        let bulk = fill(running, workload, layout, effort.connections)?;
        // one segment in each shard, so that all rounds and all clusters search the same
        let path = format!("/{INDEX}/_forcemerge?max_num_segments=1");
        running.ask("POST", &path, &Value::Null)?;
        running.ask("POST", &format!("/{INDEX}/_refresh"), &Value::Null)?;
        wait_for_copies(running, workload, layout)?;
        check(running, workload, layout, answers)?;
        let one = load::search(running, 1, &workload.searches, effort.searches)?;
        let (connections, searches) = (effort.connections, effort.searches);
        let many = load::search(running, connections, &workload.searches, searches)?;
        check(running, workload, layout, answers)?;
        running.ask("DELETE", &format!("/{INDEX}"), &Value::Null)?;
        let before = best.map(|best| (best.bulk, best.search_one, best.search_many));
        let (bulk_before, one_before, many_before) = match before {
            Some((bulk, one, many)) => (Some(bulk), Some(one), Some(many)),
            None => (None, None, None),
        };
        best = Some(Costs {
            layout,
            bulk: bulk.cheaper(bulk_before),
            search_one: one.cheaper(one_before),
            search_many: many.cheaper(many_before),
        });
    }
    best.context("at least one round")
}

/// Creates an index, here the one under test, and waits for all its copies.
pub fn create(running: &Running, layout: Layout) -> Result<()> {
    let body = json!({
        "settings": {
            "number_of_shards": layout.shards,
            "number_of_replicas": layout.replicas,
            // a refresh each second would count the seconds, not the documents
            "refresh_interval": "-1",
        },
        "mappings": {"properties": {"text": {"type": "text"}}},
    });
    running.ask("PUT", &format!("/{INDEX}"), &body)?;
    let path = format!("/_cluster/health/{INDEX}?wait_for_status=green&timeout=60s");
    let health = running.ask("GET", &path, &Value::Null)?;
    ensure!(
        health["status"] == "green",
        "the index is not green: {health}"
    );
    Ok(())
}

/// All documents; until they are acknowledged, synced and found on every copy.
fn fill(
    running: &Running,
    workload: &Workload,
    layout: Layout,
    connections: usize,
) -> Result<Load> {
    let meter = Meter::start(running)?;
    let bulks = &workload.bulks;
    let times = load::send_all(&running.address, connections, bulks, bulks.len());
    let times = times.context("indexing")?;
    running.ask("POST", &format!("/{INDEX}/_refresh"), &Value::Null)?;
    wait_for_copies(running, workload, layout)?;
    Ok(Load::new(connections, workload.docs, times, meter.read()?))
}

/// Until every copy shows every document.
fn wait_for_copies(running: &Running, workload: &Workload, layout: Layout) -> Result<()> {
    let wanted = [
        workload.docs as u64,
        (workload.docs * (1 + layout.replicas)) as u64,
    ];
    let began = Instant::now();
    loop {
        let path = format!("/{INDEX}/_stats/docs?filter_path=_shards,_all");
        let stats = running.ask("GET", &path, &Value::Null)?;
        let count = |part: &str| stats["_all"][part]["docs"]["count"].as_u64();
        let found = [count("primaries"), count("total")];
        if found == wanted.map(Some) {
            break;
        }
        if began.elapsed() > COPIES_TIMEOUT {
            bail!("{wanted:?} documents were indexed (primaries, all copies), there are {stats}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let count = running.ask("GET", &format!("/{INDEX}/_count"), &Value::Null)?;
    ensure!(
        count["count"] == workload.docs,
        "{} documents were indexed, _count says {count}",
        workload.docs
    );
    Ok(())
}

/// Each search finds what it found before, in this cluster and in others.
fn check(
    running: &Running,
    workload: &Workload,
    layout: Layout,
    answers: &mut Answers,
) -> Result<()> {
    let mut connection = Connection::open(&running.address)?;
    for (text, request) in workload.checks() {
        connection.send(&request)?;
        let answer: Value = serde_json::from_slice(&connection.body)?;
        let found = found(&answer).with_context(|| format!("[{text}]: {answer}"))?;
        answers.check(layout.shards, text, found)?;
    }
    Ok(())
}

fn found(answer: &Value) -> Option<Found> {
    let is_whole = answer["_shards"]["failed"] == 0 && answer["timed_out"] == false;
    let total = answer["hits"]["total"]["value"].as_u64();
    let mut best = Vec::new();
    for hit in answer["hits"]["hits"].as_array()? {
        let score = hit["_score"].as_f64()? as f32;
        best.push((score, hit["_id"].as_str()?.to_owned()));
    }
    let last = best.last().map_or(0.0, |hit| hit.0);
    best.retain(|hit| hit.0 > last);
    best.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    let best = best.into_iter().map(|(score, id)| (score.to_bits(), id));
    let total = total.filter(|_| is_whole)?;
    Some(Found {
        total,
        best: best.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(total: u64, failed: u64, hits: &[(f64, &str)]) -> Value {
        let hits: Vec<Value> = hits
            .iter()
            .map(|(score, id)| json!({"_id": id, "_score": score}))
            .collect();
        json!({
            "timed_out": false,
            "_shards": {"failed": failed},
            "hits": {"total": {"value": total}, "hits": hits},
        })
    }

    #[test]
    fn equal_hits_may_stand_in_any_order() {
        let one = found(&answer(9, 0, &[(2.0, "a"), (2.0, "b"), (1.0, "c")]));
        let other = found(&answer(9, 0, &[(2.0, "b"), (2.0, "a"), (1.0, "d")]));
        assert_eq!(one, other);
        assert_eq!(found(&answer(9, 1, &[(2.0, "a")])), None);
    }

    #[test]
    fn other_answers_are_refused() {
        let mut answers = Answers::default();
        let good = found(&answer(9, 0, &[(2.0, "a"), (1.0, "c")])).unwrap();
        answers.check(4, "hats", good.clone()).unwrap();
        answers.check(4, "hats", good.clone()).unwrap();
        let worse = found(&answer(9, 0, &[(1.5, "a"), (1.0, "c")])).unwrap();
        let why = answers.check(4, "hats", worse.clone()).unwrap_err();
        assert!(why.to_string().contains("the best are"), "{why}");
        // shards of another number score otherwise
        answers.check(8, "hats", worse).unwrap();
        let fewer = Found { total: 8, ..good };
        let why = answers.check(4, "hats", fewer).unwrap_err();
        assert!(why.to_string().contains("finds 8"), "{why}");
    }
}
