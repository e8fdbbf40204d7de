//! The rules of allocation, one file each: may this copy go to this node, may it stay, may it be moved for balance?
//!
//! What all of them allow is allowed. A throttle means: not now. Each names the setting that it follows, and what
//! somebody could do about its no.

mod awareness;
mod disk_threshold;
mod enable;
pub(crate) mod filter;
mod max_retry;
mod node_version;
mod rebalance;
mod replica_after_primary;
mod resize;
mod same_shard;
mod shards_limit;
mod throttling;
mod tier;

use super::table::{CopyAt, Table};
use crate::cluster::IndexMetadata;
use crate::cluster::node::NodeInfo;

pub(crate) use disk_threshold::is_above_flood_stage;
pub use disk_threshold::is_worth_telling;

/// What one rule, or all of them, say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    Yes,
    /// Later.
    Throttle,
    No,
}

impl Verdict {
    /// The word in an explanation.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Yes => "YES",
            Verdict::Throttle => "THROTTLE",
            Verdict::No => "NO",
        }
    }
}

/// What a rule says, and why, when words are wanted.
#[derive(Clone, Debug)]
pub(crate) struct Decision {
    pub verdict: Verdict,
    pub why: String,
    /// What somebody could send to get another answer.
    pub remedy: Option<String>,
}

impl Decision {
    /// What it says, with what would help.
    fn helped_by(mut self, remedy: impl FnOnce() -> String) -> Decision {
        if !self.why.is_empty() {
            self.remedy = Some(remedy());
        }
        self
    }
}

impl Table<'_> {
    fn say(&self, verdict: Verdict, why: impl FnOnce() -> String) -> Decision {
        Decision {
            verdict,
            why: match self.is_explaining {
                true => why(),
                false => String::new(),
            },
            remedy: None,
        }
    }

    fn yes(&self, why: impl FnOnce() -> String) -> Decision {
        self.say(Verdict::Yes, why)
    }

    fn throttle(&self, why: impl FnOnce() -> String) -> Decision {
        self.say(Verdict::Throttle, why)
    }

    fn no(&self, why: impl FnOnce() -> String) -> Decision {
        self.say(Verdict::No, why)
    }
}

/// The request that sets a cluster setting.
fn set_cluster(key: &str, value: &str) -> String {
    format!(r#"PUT /_cluster/settings {{"persistent": {{"{key}": {value}}}}}"#)
}

/// The request that sets an index setting.
fn set_index(index: &str, key: &str, value: &str) -> String {
    format!(r#"PUT /{index}/_settings {{"{key}": {value}}}"#)
}

type OnNode = fn(&Table<'_>, &CopyAt<'_>, &NodeInfo) -> Decision;
type OnCopy = fn(&Table<'_>, &CopyAt<'_>) -> Decision;

/// A rule: the questions that it has an answer to.
struct Decider {
    name: &'static str,
    can_allocate: Option<OnNode>,
    can_remain: Option<OnNode>,
    can_rebalance: Option<OnCopy>,
    /// Whether its no holds for a primary too that has its data on this node only.
    is_strict: bool,
}

const NO_ANSWERS: Decider = Decider {
    name: "",
    can_allocate: None,
    can_remain: None,
    can_rebalance: None,
    is_strict: false,
};

const DECIDERS: &[Decider] = &[
    Decider {
        name: "max_retry",
        can_allocate: Some(max_retry::can_allocate),
        is_strict: true,
        ..NO_ANSWERS
    },
    Decider {
        name: "replica_after_primary_active",
        can_allocate: Some(replica_after_primary::can_allocate),
        ..NO_ANSWERS
    },
    Decider {
        name: "same_shard",
        can_allocate: Some(same_shard::can_allocate),
        is_strict: true,
        ..NO_ANSWERS
    },
    Decider {
        name: "enable",
        can_allocate: Some(enable::can_allocate),
        can_rebalance: Some(enable::can_rebalance),
        ..NO_ANSWERS
    },
    Decider {
        name: "node_version",
        can_allocate: Some(node_version::can_allocate),
        is_strict: true,
        ..NO_ANSWERS
    },
    Decider {
        name: "data_tier",
        can_allocate: Some(tier::decide),
        can_remain: Some(tier::decide),
        ..NO_ANSWERS
    },
    Decider {
        name: "filter",
        can_allocate: Some(filter::can_allocate),
        can_remain: Some(filter::can_remain),
        ..NO_ANSWERS
    },
    Decider {
        name: "resize",
        can_allocate: Some(resize::can_allocate),
        ..NO_ANSWERS
    },
    Decider {
        name: "shards_limit",
        can_allocate: Some(shards_limit::can_allocate),
        can_remain: Some(shards_limit::can_remain),
        ..NO_ANSWERS
    },
    Decider {
        name: "awareness",
        can_allocate: Some(awareness::can_allocate),
        can_remain: Some(awareness::can_remain),
        ..NO_ANSWERS
    },
    Decider {
        name: "disk_threshold",
        can_allocate: Some(disk_threshold::can_allocate),
        can_remain: Some(disk_threshold::can_remain),
        ..NO_ANSWERS
    },
    Decider {
        name: "throttling",
        can_allocate: Some(throttling::can_allocate),
        ..NO_ANSWERS
    },
    Decider {
        name: "rebalance_only_when_active",
        can_rebalance: Some(rebalance::only_when_active),
        ..NO_ANSWERS
    },
    Decider {
        name: "cluster_rebalance",
        can_rebalance: Some(rebalance::allowed_by_cluster),
        ..NO_ANSWERS
    },
    Decider {
        name: "concurrent_rebalance",
        can_rebalance: Some(rebalance::few_at_a_time),
        ..NO_ANSWERS
    },
];

/// What the rules say together, and, when words are wanted, each of those that have an answer.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub verdict: Verdict,
    pub each: Vec<(&'static str, Decision)>,
}

fn together<'d>(
    table: &Table<'_>,
    answers: impl Iterator<Item = (&'static str, Decision)> + 'd,
) -> Said {
    let mut said = Said {
        verdict: Verdict::Yes,
        each: Vec::new(),
    };
    for (name, decision) in answers {
        said.verdict = said.verdict.max(decision.verdict);
        if table.is_explaining {
            said.each.push((name, decision));
        } else if said.verdict == Verdict::No {
            break;
        }
    }
    said
}

/// Whether tiers and filters let an index have copies on a node: what no move of a copy changes.
pub(crate) fn has_room(table: &Table<'_>, index: &IndexMetadata, node: &NodeInfo) -> bool {
    tier::lets(&table.state, index, node) && filter::lets(table, index, node)
}

/// Whether a copy may be given to a node.
pub(crate) fn can_allocate(table: &Table<'_>, at: &CopyAt<'_>, node: &NodeInfo) -> Said {
    let answers = DECIDERS.iter().filter_map(|decider| {
        let ask = decider.can_allocate?;
        Some((decider.name, ask(table, at, node)))
    });
    together(table, answers)
}

/// Whether a primary may be opened on the node that has its data: better there, against a rule, than nowhere.
pub(crate) fn can_open(table: &Table<'_>, at: &CopyAt<'_>, node: &NodeInfo) -> Said {
    let answers = DECIDERS.iter().filter_map(|decider| {
        let ask = decider.can_allocate?;
        let mut decision = ask(table, at, node);
        if decision.verdict == Verdict::No && !decider.is_strict {
            decision.verdict = Verdict::Yes;
        }
        Some((decider.name, decision))
    });
    together(table, answers)
}

/// Whether a copy may stay where it is.
pub(crate) fn can_remain(table: &Table<'_>, at: &CopyAt<'_>, node: &NodeInfo) -> Said {
    let answers = DECIDERS.iter().filter_map(|decider| {
        let ask = decider.can_remain?;
        Some((decider.name, ask(table, at, node)))
    });
    together(table, answers)
}

/// Whether a copy may be moved for balance.
pub(crate) fn can_rebalance(table: &Table<'_>, at: &CopyAt<'_>) -> Said {
    let answers = DECIDERS.iter().filter_map(|decider| {
        let ask = decider.can_rebalance?;
        Some((decider.name, ask(table, at)))
    });
    together(table, answers)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::cluster::node::{NodeId, NodeUsage};
    use crate::master::testing::{Cluster, Counting};
    use crate::master::{Command, CreateIndex, UpdateSettings};

    #[test]
    fn every_rule_has_a_name_of_its_own_and_an_answer() {
        let mut names: Vec<&str> = DECIDERS.iter().map(|decider| decider.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), DECIDERS.len());
        for decider in DECIDERS {
            let answers = [
                decider.can_allocate.is_some(),
                decider.can_remain.is_some(),
                decider.can_rebalance.is_some(),
            ];
            assert!(answers.contains(&true), "{}", decider.name);
        }
    }

    /// An index `a` of one shard and one replica on `n1` (hot, zone x) and `n2` (hot, zone y); `n3` is warm, in zone y.
    fn shop() -> Cluster {
        let mut cluster = Cluster::of(&[]);
        cluster.join_with("n1", &[("tier", "hot"), ("zone", "x")]);
        cluster.run(create("a", 1)).unwrap();
        cluster.settle();
        cluster.join_with("n2", &[("tier", "hot"), ("zone", "y")]);
        cluster.settle();
        cluster.join_with(
            "n3",
            &[("tier", "warm"), ("zone", "y"), ("max_shards", "0")],
        );
        cluster.settle();
        cluster
    }

    fn create(name: &str, replicas: u32) -> Command {
        Command::CreateIndex(CreateIndex {
            name: name.to_owned(),
            settings: BTreeMap::from([(
                "index.number_of_replicas".to_owned(),
                replicas.to_string(),
            )]),
            ..CreateIndex::default()
        })
    }

    fn set(cluster: &mut Cluster, key: &str, value: &str) {
        let (key, value) = (key.to_owned(), Some(value.to_owned()));
        let command = match key.starts_with("index.") {
            true => Command::UpdateSettings(UpdateSettings {
                indices: vec!["a".to_owned()],
                settings: BTreeMap::from([(key, value)]),
                preserve_existing: false,
            }),
            false => Command::UpdateClusterSettings {
                persistent: BTreeMap::from([(key, value)]),
                transient: BTreeMap::new(),
            },
        };
        cluster.run(command).unwrap();
    }

    /// What one rule says of the copy at a place of `[a][0]` and a node.
    fn ask(cluster: &Cluster, rule: &str, place: usize, node: &str) -> Decision {
        let mut ids = Counting::default();
        let mut table = Table::new(cluster.state.clone(), cluster.now_ms, &mut ids);
        table.is_explaining = true;
        let at = table.at("a", 0, place).unwrap();
        let node = table.node(&NodeId(node.to_owned())).unwrap();
        let said = can_allocate(&table, &at, node);
        let found = said.each.into_iter().find(|(name, _)| *name == rule);
        found.unwrap().1
    }

    #[test]
    fn each_no_names_the_setting_and_what_would_help() {
        // what is set, which rule then says no to the replica on which node, and the setting in its words
        for (key, value, rule, node) in [
            (
                "cluster.routing.allocation.enable",
                "primaries",
                "enable",
                "n3",
            ),
            ("index.routing.allocation.enable", "none", "enable", "n3"),
            (
                "index.routing.allocation.require._name",
                "n1,n2",
                "filter",
                "n3",
            ),
            ("index.routing.allocation.include.zone", "x", "filter", "n3"),
            (
                "cluster.routing.allocation.exclude._id",
                "n3",
                "filter",
                "n3",
            ),
            (
                "cluster.routing.allocation.exclude._ip",
                "127.0.0.*",
                "filter",
                "n3",
            ),
            (
                "index.routing.allocation.include._tier_preference",
                "data_hot,data_warm",
                "data_tier",
                "n3",
            ),
            (
                "index.routing.allocation.include._tier_preference",
                "cold",
                "data_tier",
                "n3",
            ),
            (
                "index.routing.allocation.total_shards_per_node",
                "1",
                "shards_limit",
                "n1",
            ),
            (
                "cluster.routing.allocation.total_shards_per_node",
                "1",
                "shards_limit",
                "n1",
            ),
            (
                "cluster.routing.allocation.awareness.attributes",
                "rack",
                "awareness",
                "n3",
            ),
            (
                "cluster.routing.allocation.same_shard.host",
                "true",
                "same_shard",
                "n3",
            ),
        ] {
            let mut cluster = shop();
            let before = ask(&cluster, rule, 1, node);
            let was_free = rule == "shards_limit" || before.verdict == Verdict::Yes;
            assert!(was_free, "{key}: {before:?}");
            set(&mut cluster, key, value);
            let said = ask(&cluster, rule, 1, node);
            assert_eq!(said.verdict, Verdict::No, "{key}: {said:?}");
            let group = key.rsplit_once('.').unwrap().0;
            assert!(said.why.contains(group), "{key}: {said:?}");
            let remedy = said.remedy.unwrap();
            assert!(remedy.contains(key), "{key}: {remedy}");
        }
    }

    #[test]
    fn a_node_says_itself_how_much_it_takes() {
        let said = ask(&shop(), "shards_limit", 1, "n3");
        assert_eq!(said.verdict, Verdict::No);
        assert!(said.why.contains("[max_shards=0]"), "{}", said.why);
    }

    #[test]
    fn the_first_preferred_tier_that_has_a_node_takes_the_index() {
        let mut cluster = shop();
        const KEY: &str = "index.routing.allocation.include._tier_preference";
        set(&mut cluster, KEY, "cold,data_warm,hot");
        assert_eq!(ask(&cluster, "data_tier", 1, "n3").verdict, Verdict::Yes);
        assert_eq!(ask(&cluster, "data_tier", 1, "n1").verdict, Verdict::No);
        cluster.leave("n3");
        assert_eq!(ask(&cluster, "data_tier", 1, "n1").verdict, Verdict::Yes);
    }

    #[test]
    fn copies_are_spread_over_zones_also_over_those_that_are_only_promised() {
        let mut cluster = shop();
        const KEY: &str = "cluster.routing.allocation.awareness.attributes";
        set(&mut cluster, KEY, "zone");
        let replica = cluster.state.routing.copies("a", 0)[1].node.clone();
        assert_eq!(replica, Some(NodeId("n2".to_owned())));
        assert_eq!(
            ask(&cluster, "awareness", 1, "n3").verdict,
            Verdict::Yes,
            "y to y"
        );
        assert_eq!(
            ask(&cluster, "awareness", 0, "n3").verdict,
            Verdict::No,
            "both in y"
        );
        cluster.leave("n2");
        cluster.leave("n3");
        cluster.join_with("n4", &[("zone", "x")]);
        let force = "cluster.routing.allocation.awareness.force.zone.values";
        cluster.now_ms += 100_000;
        set(&mut cluster, force, "x,y");
        let said = ask(&cluster, "awareness", 1, "n4");
        assert_eq!(said.verdict, Verdict::No, "{}", said.why);
    }

    #[test]
    fn recoveries_wait_for_one_another() {
        const KEY: &str = "cluster.routing.allocation.node_concurrent_recoveries";
        let mut cluster = Cluster::of(&["n1"]);
        cluster.run(create("a", 1)).unwrap();
        cluster.now_ms += 1;
        cluster.run(create("b", 1)).unwrap();
        cluster.settle();
        set(&mut cluster, KEY, "1");
        cluster.join("n2");
        let recovering = cluster.reports().len();
        assert_eq!(recovering, 1, "the newer index first");
        let said = ask(&cluster, "throttling", 1, "n2");
        assert_eq!(said.verdict, Verdict::Throttle);
        assert!(said.why.contains(KEY), "{}", said.why);
        cluster.settle();
        let started = cluster
            .state
            .routing
            .all()
            .filter(|(_, _, copy)| copy.is_active());
        assert_eq!(started.count(), 4, "none is forgotten");
    }

    fn disk(cluster: &mut Cluster, node: &str, free_bytes: u64) {
        cluster
            .run(Command::NodeUsage(vec![NodeUsage {
                node: NodeId(node.to_owned()),
                total_bytes: 1_000,
                free_bytes,
                copies: BTreeMap::new(),
            }]))
            .unwrap();
    }

    #[test]
    fn a_full_disk_takes_nothing_then_gives_away_then_blocks_writes_until_there_is_room() {
        const BLOCK: &str = "index.blocks.read_only_allow_delete";
        let mut cluster = Cluster::of(&["n1", "n2"]);
        cluster.run(create("a", 0)).unwrap();
        cluster.settle();
        let home = cluster
            .state
            .routing
            .primary("a", 0)
            .unwrap()
            .node
            .clone()
            .unwrap()
            .0;
        let other = if home == "n1" { "n2" } else { "n1" };
        disk(&mut cluster, other, 120);
        let said = ask(&cluster, "disk_threshold", 0, other);
        assert_eq!(said.verdict, Verdict::No);
        assert!(said.why.contains("disk.watermark.low=85%"), "{}", said.why);
        disk(&mut cluster, &home, 40);
        assert!(cluster.state.indices["a"].flag(BLOCK), "flooded");
        disk(&mut cluster, &home, 80);
        assert!(
            cluster.state.indices["a"].flag(BLOCK),
            "still above the high watermark"
        );
        disk(&mut cluster, other, 900);
        let copy = cluster.state.routing.primary("a", 0).unwrap();
        assert_eq!(
            copy.relocating_node,
            Some(NodeId(other.to_owned())),
            "it moves away"
        );
        cluster.settle();
        disk(&mut cluster, &home, 900);
        assert!(
            !cluster.state.indices["a"].flag(BLOCK),
            "there is room again"
        );
    }

    #[test]
    fn the_flood_stage_ends_only_by_what_is_known_of_the_disk() {
        const BLOCK: &str = "index.blocks.read_only_allow_delete";
        let mut cluster = Cluster::of(&["n1", "n2"]);
        cluster.run(create("a", 0)).unwrap();
        cluster.settle();
        let home = cluster.state.routing.primary("a", 0).unwrap();
        let home = home.node.clone().unwrap().0;
        let other = if home == "n1" { "n2" } else { "n1" };
        disk(&mut cluster, &home, 40);
        assert!(cluster.state.indices["a"].flag(BLOCK), "flooded");
        // as when its node came back: another node tells, that one not yet
        cluster.state.usage.remove(&NodeId(home.clone()));
        disk(&mut cluster, other, 120);
        assert!(cluster.state.indices["a"].flag(BLOCK), "nothing is known");
        disk(&mut cluster, &home, 900);
        assert!(!cluster.state.indices["a"].flag(BLOCK), "there is room");
    }

    #[test]
    fn what_somebody_blocked_stays_blocked_until_disks_are_looked_at() {
        const BLOCK: &str = "index.blocks.read_only_allow_delete";
        let mut cluster = Cluster::of(&["n1"]);
        cluster.run(create("a", 0)).unwrap();
        cluster.settle();
        disk(&mut cluster, "n1", 900);
        set(&mut cluster, BLOCK, "true");
        assert!(cluster.state.indices["a"].flag(BLOCK));
        cluster.run(create("b", 0)).unwrap();
        cluster.settle();
        assert!(cluster.state.indices["a"].flag(BLOCK));
        disk(&mut cluster, "n1", 901);
        assert!(!cluster.state.indices["a"].flag(BLOCK), "there is room");
    }

    #[test]
    fn a_full_disk_gives_away_no_more_than_it_has_to() {
        let mut cluster = Cluster::of(&["n1"]);
        for name in ["a", "b", "c"] {
            cluster.run(create(name, 0)).unwrap();
        }
        cluster.settle();
        // nothing moves for balance alone
        set(&mut cluster, "cluster.routing.rebalance.enable", "none");
        cluster.join("n2");
        let home = NodeId("n1".to_owned());
        let mut copies = BTreeMap::new();
        for (_, _, copy) in cluster.state.routing.all() {
            copies.insert(copy.allocation_id.clone().unwrap(), 60);
        }
        let n2 = NodeUsage {
            node: NodeId("n2".to_owned()),
            total_bytes: 1_000,
            free_bytes: 900,
            copies: BTreeMap::new(),
        };
        // one copy less is enough: 10 % have to be free
        let n1 = NodeUsage {
            node: home.clone(),
            total_bytes: 1_000,
            free_bytes: 80,
            copies,
        };
        let at_home = |cluster: &Cluster| {
            let copies = cluster.state.routing.all();
            copies
                .filter(|(_, _, copy)| copy.node.as_ref() == Some(&home))
                .count()
        };
        cluster.run(Command::NodeUsage(vec![n1, n2])).unwrap();
        // the end of the move is told before the next figures are
        cluster.settle();
        assert_eq!(at_home(&cluster), 2);
    }

    #[test]
    fn a_copy_that_fails_too_often_waits_until_somebody_asks_again() {
        let mut cluster = Cluster::of(&["n1"]);
        cluster.run(create("a", 0)).unwrap();
        for _ in 0..5 {
            let mut reports = cluster.reports();
            assert_eq!(reports.len(), 1, "it is tried again");
            reports[0].failure = Some("no".to_owned());
            cluster.run(Command::ReportShards(reports)).unwrap();
        }
        assert!(cluster.reports().is_empty());
        let said = ask(&cluster, "max_retry", 0, "n1");
        assert!(said.why.contains("retries [5]"), "{}", said.why);
        let again = Command::RerouteBy {
            commands: Vec::new(),
            retry_failed: true,
            is_lenient: false,
        };
        cluster.run(again).unwrap();
        cluster.settle();
        assert!(cluster.state.routing.primary("a", 0).unwrap().is_active());
    }

    #[test]
    fn data_never_goes_to_an_older_release() {
        let mut cluster = shop();
        let old = cluster
            .state
            .nodes
            .get_mut(&NodeId("n3".to_owned()))
            .unwrap();
        old.version = "3.5.9".to_owned();
        assert_eq!(ask(&cluster, "node_version", 0, "n3").verdict, Verdict::No);
        assert_eq!(ask(&cluster, "node_version", 0, "n2").verdict, Verdict::Yes);
    }
}
