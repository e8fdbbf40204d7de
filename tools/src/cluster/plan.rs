//! What a cluster shall be made of.

use std::path::PathBuf;

use anyhow::bail;
use serde::{Deserialize, Serialize};

use super::record::Record;

/// Most nodes of one kind: all of them share one machine.
const NODES_MAX: usize = 32;

/// What one node is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Agrees with the other masters on the cluster state.
    Master,
    /// Serves REST.
    Coordination,
    /// Keeps shards.
    Data,
}

impl Role {
    /// The word of names and tables.
    pub fn name(self) -> &'static str {
        match self {
            Role::Master => "master",
            Role::Coordination => "coordination",
            Role::Data => "data",
        }
    }

    /// Name of the program.
    pub fn program(self) -> &'static str {
        match self {
            Role::Master => "quidditch-master",
            Role::Coordination => "quidditch-coordination",
            Role::Data => "quidditch-data",
        }
    }
}

/// So many data nodes of one tier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tier {
    /// `hot`, `warm` or `cold`.
    pub name: String,
    /// How many.
    pub count: usize,
}

/// A cluster as it is asked for.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where everything is kept.
    pub dir: PathBuf,
    /// Where the programs are.
    pub bin_dir: PathBuf,
    /// Name of the cluster.
    pub name: String,
    /// How many masters.
    pub masters: usize,
    /// How many coordination nodes.
    pub coordination: usize,
    /// The data nodes.
    pub data: Vec<Tier>,
    /// Threads of each node (`NUM_THREADS`); 0: as many as the machine has.
    pub threads: usize,
    /// `LOG_LEVEL` of each node.
    pub log_level: String,
    /// Nodes reach each other directly; `cut` is not to be had then.
    pub direct: bool,
}

impl Plan {
    /// Three masters, one coordination node, two hot data nodes.
    pub fn new(dir: impl Into<PathBuf>, bin_dir: impl Into<PathBuf>) -> Plan {
        Plan {
            dir: dir.into(),
            bin_dir: bin_dir.into(),
            name: "quidditch".to_owned(),
            masters: 3,
            coordination: 1,
            data: vec![Tier {
                name: "hot".to_owned(),
                count: 2,
            }],
            threads: 0,
            log_level: "info".to_owned(),
            direct: false,
        }
    }

    /// Asks for a cluster that was brought up before.
    pub fn repeat(&mut self, record: &Record) {
        let of = |role| record.nodes.iter().filter(move |node| node.role == role);
        self.name.clone_from(&record.name);
        self.masters = of(Role::Master).count();
        self.coordination = of(Role::Coordination).count();
        self.direct |= record.direct;
        self.data.clear();
        for tier in of(Role::Data).filter_map(|node| node.tier.as_ref()) {
            match self.data.iter_mut().find(|known| known.name == *tier) {
                Some(known) => known.count += 1,
                None => self.data.push(Tier {
                    name: tier.clone(),
                    count: 1,
                }),
            }
        }
    }

    /// The nodes, masters first: name, role and tier.
    pub fn nodes(&self) -> anyhow::Result<Vec<(String, Role, Option<String>)>> {
        let data: usize = self.data.iter().map(|tier| tier.count).sum();
        for (count, what) in [
            (self.masters, "masters"),
            (self.coordination, "coordination nodes"),
            (data, "data nodes"),
        ] {
            if count == 0 || count > NODES_MAX {
                bail!("{count} {what}: must be 1 to {NODES_MAX}");
            }
        }
        let mut nodes = Vec::new();
        for (role, count) in [
            (Role::Master, self.masters),
            (Role::Coordination, self.coordination),
        ] {
            nodes.extend((1..=count).map(|n| (format!("{}-{n}", role.name()), role, None)));
        }
        let tiers = self
            .data
            .iter()
            .flat_map(|tier| std::iter::repeat_n(&tier.name, tier.count));
        for (n, tier) in tiers.enumerate() {
            nodes.push((format!("data-{}", n + 1), Role::Data, Some(tier.clone())));
        }
        Ok(nodes)
    }
}

/// Reads `hot=2,warm=1,cold=1`, or a number of hot nodes.
pub fn parse_tiers(text: &str) -> Result<Vec<Tier>, String> {
    let mut tiers: Vec<Tier> = Vec::new();
    for part in text.split(',') {
        let (name, count) = part.split_once('=').unwrap_or(("hot", part));
        let name = name.trim();
        if !["hot", "warm", "cold"].contains(&name) {
            return Err(format!("[{name}] is no tier; tiers: hot, warm, cold"));
        }
        let count = count.trim().parse();
        let count = count.map_err(|_| format!("[{part}]: must be TIER=NUMBER, such as hot=2"))?;
        if tiers.iter().any(|tier| tier.name == name) {
            return Err(format!("[{name}] stands there twice"));
        }
        tiers.push(Tier {
            name: name.to_owned(),
            count,
        });
    }
    Ok(tiers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_nodes_are_counted_through_all_tiers() {
        let mut plan = Plan::new("d", "b");
        plan.data = parse_tiers("hot=2, warm=1,cold=1").unwrap();
        let nodes = plan.nodes().unwrap();
        let shown: Vec<String> = nodes
            .iter()
            .map(|(name, _, tier)| format!("{name}{}", tier.as_deref().unwrap_or("")))
            .collect();
        assert_eq!(
            shown,
            [
                "master-1",
                "master-2",
                "master-3",
                "coordination-1",
                "data-1hot",
                "data-2hot",
                "data-3warm",
                "data-4cold"
            ]
        );
    }

    #[test]
    fn what_is_no_tier_is_refused_by_name() {
        assert_eq!(parse_tiers("3").unwrap()[0].count, 3);
        for (text, named) in [
            ("tepid=1", "tepid"),
            ("hot=x", "hot=x"),
            ("hot=1,hot=2", "twice"),
            ("", "TIER=NUMBER"),
        ] {
            let why = parse_tiers(text).unwrap_err();
            assert!(why.contains(named), "{text}: {why}");
        }
        let mut plan = Plan::new("d", "b");
        plan.masters = 0;
        assert!(plan.nodes().unwrap_err().to_string().contains("0 masters"));
    }
}
