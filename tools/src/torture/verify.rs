//! The end of a run: all is well again, and the books are checked.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use serde_json::Value as Json;

use super::REPLICAS;
use super::clients::act;
use super::history::{Action, Operation, Outcome, Place, Value};
use super::linear;
use super::random::Random;
use super::world::{Document, World, index_name};
use crate::cluster::Cluster;

/// The client that reads every document when all others have ended.
const LAST_CLIENT: u32 = 9_999;
/// Tries of the last read.
const READS_MAX: usize = 20;
/// Documents that one search brings.
const SEARCH_SIZE: usize = 10_000;

/// What the last read of a document found.
type Last = BTreeMap<Document, Option<(Value, Place)>>;

/// Reads every document once more; what was acknowledged and is lost shows here at the latest.
pub fn read_all(world: &World, random: &mut Random) -> Last {
    let mut last = Last::new();
    for document in world.histories().into_keys() {
        let mut outcome = None;
        for _ in 0..READS_MAX {
            outcome = act(world, LAST_CLIENT, document, Action::Get, None, random);
            if !matches!(outcome, None | Some(Outcome::Unknown)) {
                break;
            }
        }
        match outcome {
            Some(Outcome::Found(value, place)) => last.insert(document, Some((value, place))),
            Some(Outcome::Missing) => last.insert(document, None),
            other => {
                let (index, id) = (index_name(document.index), document.id());
                world.problem(format!(
                    "[{index}] {id} cannot be read at the end: {other:?}"
                ));
                None
            }
        };
    }
    last
}

/// Checks each document's history. Those that cannot be are written to `folder`. How many documents there were.
pub fn check_histories(world: &World, folder: &Path) -> usize {
    let histories = world.histories();
    for (document, history) in &histories {
        if let Err(violation) = linear::check(history) {
            let (index, id) = (index_name(document.index), document.id());
            let file = folder.join(format!("{index}-{id}.history"));
            let kept = match std::fs::write(&file, shown(history)) {
                Ok(()) => file.display().to_string(),
                Err(error) => format!("not kept: {error}"),
            };
            world.problem(format!("[{index}] {id}: {violation}; the history: {kept}"));
        }
    }
    check_places(world, &histories);
    histories.len()
}

fn shown(history: &[Operation]) -> String {
    let mut sorted = history.to_vec();
    sorted.sort_by_key(|op| op.called);
    let mut text = String::new();
    for op in sorted {
        // a String takes everything
        let _ = writeln!(text, "{op}");
    }
    text
}

/// No two writes of an index (of one shard) stand at one place.
fn check_places(world: &World, histories: &BTreeMap<Document, Vec<Operation>>) {
    let mut taken: BTreeMap<(usize, Place), (Document, Option<Value>)> = BTreeMap::new();
    for (document, history) in histories {
        for op in history.iter().filter(|op| op.action != Action::Get) {
            let Some(place) = op.outcome.place() else {
                continue;
            };
            let what = (*document, op.action.value());
            if let Some(other) = taken.insert((document.index, place), what) {
                world.problem(format!(
                    "[{}]: two acknowledged writes at {place}: {other:?} and {what:?}",
                    index_name(document.index)
                ));
            }
        }
    }
}

/// No node told of a panic: one that is caught ends a request and nothing else, and would be overlooked.
pub fn check_logs(world: &World, cluster: &Cluster) {
    for name in cluster.names() {
        match cluster.find_in_log(&name, "panicked") {
            Ok(None) => {}
            Ok(Some(line)) => world.problem(format!("{name}: {line}")),
            Err(error) => world.problem(format!("the log of {name} cannot be read: {error:#}")),
        }
    }
}

/// Searches find exactly what the last reads found: through any copy, and on each node that has one.
pub fn check_searches(world: &World, last: &Last, random: &mut Random) {
    for index in 0..world.indices {
        if let Err(why) = check_searches_of(world, index, last, random) {
            world.problem(format!("[{}]: {why}", index_name(index)));
        }
    }
}

fn check_searches_of(
    world: &World,
    index: usize,
    last: &Last,
    random: &mut Random,
) -> Result<(), String> {
    let name = index_name(index);
    let refreshed = world.ask(random, "POST", &format!("/{name}/_refresh"), "");
    let refreshed = refreshed.map_err(|error| error.reason)?;
    let told: Json = serde_json::from_str(&refreshed.body).unwrap_or_default();
    if refreshed.status != 200 || told["_shards"]["failed"] != 0 {
        return Err(format!(
            "the refresh answered {}: {}",
            refreshed.status, refreshed.body
        ));
    }
    let wanted: BTreeMap<String, (Value, Place)> = last
        .iter()
        .filter(|(document, _)| document.index == index)
        .filter_map(|(document, found)| Some((document.id(), (*found)?)))
        .collect();
    let copies = world.read(
        random,
        &format!("/_cat/shards/{name}?format=json&h=state,id,node"),
    )?;
    let copies = copies.as_array().cloned().unwrap_or_default();
    let expected = 1 + REPLICAS[index] as usize;
    if copies.len() != expected {
        return Err(format!("{expected} copies are wanted, told are {copies:?}"));
    }
    let mut asked = vec![String::new()];
    for copy in &copies {
        if copy["state"] != "STARTED" {
            return Err(format!("a copy is not there at the end: {copy}"));
        }
        let id = copy["id"].as_str().unwrap_or("");
        asked.push(format!("&preference=_only_nodes:{id}"));
    }
    for preference in asked {
        let found = all_hits(world, &name, &preference, random)?;
        compare(&wanted, &found).map_err(|why| format!("search{preference}: {why}"))?;
    }
    Ok(())
}

fn all_hits(
    world: &World,
    name: &str,
    preference: &str,
    random: &mut Random,
) -> Result<BTreeMap<String, (Value, Place)>, String> {
    let path = format!("/{name}/_search?seq_no_primary_term=true&size={SEARCH_SIZE}{preference}");
    let answer = world.read(random, &path)?;
    if answer["_shards"]["failed"] != 0 {
        return Err(format!("a shard failed: {}", answer["_shards"]));
    }
    let mut found = BTreeMap::new();
    for hit in answer["hits"]["hits"]
        .as_array()
        .map_or(&[][..], Vec::as_slice)
    {
        let parts = (
            hit["_id"].as_str(),
            hit["_source"]["value"].as_u64(),
            hit["_primary_term"].as_u64(),
            hit["_seq_no"].as_u64(),
        );
        let (Some(id), Some(value), Some(term), Some(seq_no)) = parts else {
            return Err(format!("a hit is not whole: {hit}"));
        };
        found.insert(id.to_owned(), (value, Place { term, seq_no }));
    }
    Ok(found)
}

fn compare(
    wanted: &BTreeMap<String, (Value, Place)>,
    found: &BTreeMap<String, (Value, Place)>,
) -> Result<(), String> {
    if found.len() >= SEARCH_SIZE {
        return Err(format!(
            "more than {SEARCH_SIZE} documents: not all can be compared"
        ));
    }
    for (id, (value, place)) in wanted {
        match found.get(id) {
            Some(hit) if hit == &(*value, *place) => {}
            other => {
                return Err(format!(
                    "{id} is {value} at {place}, but found is {other:?}"
                ));
            }
        }
    }
    match found.keys().find(|id| !wanted.contains_key(*id)) {
        Some(id) => Err(format!("{id} is found, and was deleted or never there")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_changed_or_too_much_is_named() {
        let at = |seq_no| Place { term: 1, seq_no };
        let docs = |docs: &[(&str, Value, u64)]| {
            let docs = docs.iter();
            docs.map(|(id, value, seq_no)| ((*id).to_owned(), (*value, at(*seq_no))))
                .collect::<BTreeMap<_, _>>()
        };
        let wanted = docs(&[("a", 1, 0), ("b", 2, 1)]);
        assert_eq!(compare(&wanted, &wanted), Ok(()));
        for (found, named) in [
            (docs(&[("a", 1, 0)]), "b is 2"),
            (docs(&[("a", 1, 0), ("b", 2, 7)]), "b is 2"),
            (docs(&[("a", 1, 0), ("b", 2, 1), ("c", 3, 2)]), "c is found"),
        ] {
            let why = compare(&wanted, &found).unwrap_err();
            assert!(why.contains(named), "{why}");
        }
    }
}
