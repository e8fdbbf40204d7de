//! Who was primary when, by the masters' own word: never two copies in one reign.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value as Json;

use super::random::Random;
use super::world::World;

/// How often the state is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Allocation ids by index, shard and primary term.
#[derive(Debug, Default)]
pub struct Reigns(BTreeMap<(String, usize, u64), String>);

impl Reigns {
    /// Enters one state, every copy in it that serves as a primary; an error names two primaries of one reign.
    fn enter(&mut self, state: &Json) -> Result<(), String> {
        let Some(indices) = state["metadata"]["indices"].as_object() else {
            return Ok(());
        };
        for (index, metadata) in indices {
            let shards = &state["routing_table"]["indices"][index]["shards"];
            let Some(terms) = metadata["primary_terms"].as_object() else {
                continue;
            };
            for (shard, term) in terms {
                let Ok(number) = shard.parse() else { continue };
                let copies = shards[shard].as_array().map_or(&[][..], Vec::as_slice);
                let serves = |copy: &&Json| {
                    let state = copy["state"].as_str().unwrap_or("");
                    copy["primary"] == true && ["STARTED", "RELOCATING"].contains(&state)
                };
                let Some(term) = term.as_u64() else { continue };
                for primary in copies.iter().filter(serves) {
                    let Some(id) = primary["allocation_id"]["id"].as_str() else {
                        continue;
                    };
                    let key = (index.clone(), number, term);
                    let before = self.0.entry(key).or_insert_with(|| id.to_owned());
                    if before != id {
                        return Err(format!(
                            "[{index}][{shard}] had two primaries in term {term}: {before} and {id}"
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    /// How often a primary was followed by another copy.
    pub fn promotions(&self) -> usize {
        let reigns: Vec<_> = self.0.iter().collect();
        let pairs = reigns.windows(2);
        pairs
            .filter(|pair| {
                let ((index, shard, _), id) = pair[0];
                let ((next_index, next_shard, _), next_id) = pair[1];
                index == next_index && shard == next_shard && id != next_id
            })
            .count()
    }
}

/// Looks at the state until the run ends.
pub fn watch(world: &World, mut random: Random) -> Reigns {
    let mut reigns = Reigns::default();
    let (mut looks, mut seen) = (0u64, 0u64);
    while world.goes_on() {
        looks += 1;
        let path = "/_cluster/state/metadata,routing_table/register-*?local=true";
        // without an answer there is nothing to see
        if let Ok(state) = world.read(&mut random, path) {
            seen += 1;
            if let Err(two) = reigns.enter(&state) {
                world.problem(two);
            }
        }
        std::thread::sleep(LOOK_EVERY);
    }
    if seen < looks / 2 {
        world.problem(format!(
            "of {looks} looks at who is primary only {seen} saw something"
        ));
    }
    reigns
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn state(term: u64, id: &str, copy_state: &str) -> Json {
        json!({
            "metadata": {"indices": {"r": {"primary_terms": {"0": term}}}},
            "routing_table": {"indices": {"r": {"shards": {"0": [
                {"primary": false, "state": "STARTED", "allocation_id": {"id": "replica"}},
                {"primary": true, "state": copy_state, "allocation_id": {"id": id}},
            ]}}}},
        })
    }

    #[test]
    fn two_primaries_of_one_reign_are_named() {
        let mut reigns = Reigns::default();
        for state in [
            state(1, "a", "STARTED"),
            state(1, "b", "INITIALIZING"),
            state(1, "a", "RELOCATING"),
            state(2, "b", "STARTED"),
            state(3, "b", "STARTED"),
        ] {
            reigns.enter(&state).unwrap();
        }
        assert_eq!(reigns.promotions(), 1);
        let two = reigns.enter(&state(2, "c", "STARTED")).unwrap_err();
        assert!(two.contains("b and c") && two.contains("term 2"), "{two}");
    }

    #[test]
    fn two_primaries_of_one_state_are_named() {
        let mut both = state(4, "a", "STARTED");
        let copies = &mut both["routing_table"]["indices"]["r"]["shards"]["0"];
        copies[0]["primary"] = json!(true);
        let two = Reigns::default().enter(&both).unwrap_err();
        assert!(two.contains("replica and a"), "{two}");
    }
}
