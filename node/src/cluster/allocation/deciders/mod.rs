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
    use super::*;

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
}
