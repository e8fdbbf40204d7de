//! What holds for shard copies whatever happens to nodes, copies, indices and settings, in whichever order.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::command::{Command, CreateIndex, UpdateSettings};
use super::shards::ShardReport;
use super::testing::{Cluster, Counting};
use crate::cluster::allocation::deciders::{Verdict, can_allocate};
use crate::cluster::allocation::table::{Table, is_primary_target};
use crate::cluster::allocation::{RerouteCommand, try_out};
use crate::cluster::{ClusterState, IndexState, NodeId, NodeUsage, RecoverySource, ShardState};

const NODES: [&str; 5] = ["n0", "n1", "n2", "n3", "n4"];
const INDICES: [&str; 3] = ["a", "b", "c"];

/// Something that happens.
#[derive(Clone, Debug)]
enum Act {
    Join(usize),
    Leave(Vec<usize>),
    Restart(usize),
    /// Some of the copies that open or recover serve now.
    Start(u8),
    StartAll,
    /// A node tells that a copy failed.
    Fail(u8),
    /// A primary tells that a copy misses a write.
    FailCopy(u8),
    Write,
    Wait(i64),
    Create(usize, u32, u32),
    Delete(usize),
    Close(usize),
    Open(usize),
    Set(usize, &'static str, &'static str),
    SetCluster(&'static str, &'static str),
    Disk(usize, u64),
    By(RerouteCommand, bool),
    Retry,
}

fn reroute_command() -> impl Strategy<Value = RerouteCommand> {
    let node = || (0..NODES.len()).prop_map(|at| NODES[at].to_owned());
    let shard = || {
        (
            (0..INDICES.len()).prop_map(|at| INDICES[at].to_owned()),
            0..3u32,
        )
    };
    prop_oneof![
        4 => (shard(), node(), node()).prop_map(|((index, shard), from_node, to_node)| {
            RerouteCommand::Move { index, shard, from_node, to_node }
        }),
        2 => (shard(), node(), any::<bool>()).prop_map(|((index, shard), node, allow_primary)| {
            RerouteCommand::Cancel { index, shard, node, allow_primary }
        }),
        2 => (shard(), node()).prop_map(|((index, shard), node)| {
            RerouteCommand::AllocateReplica { index, shard, node }
        }),
        1 => (shard(), node(), any::<bool>()).prop_map(|((index, shard), node, accept_data_loss)| {
            RerouteCommand::AllocateStalePrimary { index, shard, node, accept_data_loss }
        }),
        1 => (shard(), node(), any::<bool>()).prop_map(|((index, shard), node, accept_data_loss)| {
            RerouteCommand::AllocateEmptyPrimary { index, shard, node, accept_data_loss }
        }),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    let index = || 0..INDICES.len();
    prop_oneof![
        6 => (0..NODES.len()).prop_map(Act::Join),
        3 => proptest::collection::vec(0..NODES.len(), 1..4).prop_map(Act::Leave),
        2 => (0..NODES.len()).prop_map(Act::Restart),
        8 => any::<u8>().prop_map(Act::Start),
        4 => Just(Act::StartAll),
        3 => any::<u8>().prop_map(Act::Fail),
        3 => any::<u8>().prop_map(Act::FailCopy),
        6 => Just(Act::Write),
        3 => (0..90_000i64).prop_map(Act::Wait),
        4 => (index(), 1..4u32, 0..3u32).prop_map(|(at, shards, replicas)| Act::Create(at, shards, replicas)),
        1 => index().prop_map(Act::Delete),
        1 => index().prop_map(Act::Close),
        2 => index().prop_map(Act::Open),
        3 => (index(), prop::sample::select(vec![
            ("index.number_of_replicas", "0"),
            ("index.number_of_replicas", "2"),
            ("index.auto_expand_replicas", "0-all"),
            ("index.auto_expand_replicas", "false"),
            ("index.routing.allocation.exclude._name", "n0,n1"),
            ("index.routing.allocation.exclude._name", ""),
            ("index.routing.allocation.total_shards_per_node", "1"),
            ("index.routing.allocation.total_shards_per_node", "-1"),
            ("index.unassigned.node_left.delayed_timeout", "0"),
        ])).prop_map(|(at, (key, value))| Act::Set(at, key, value)),
        2 => prop::sample::select(vec![
            ("cluster.routing.allocation.enable", "none"),
            ("cluster.routing.allocation.enable", "all"),
            ("cluster.routing.allocation.enable", "all"),
            ("cluster.routing.rebalance.enable", "none"),
            ("cluster.routing.rebalance.enable", "all"),
            ("cluster.routing.allocation.awareness.attributes", "zone"),
            ("cluster.routing.allocation.awareness.attributes", ""),
            ("cluster.routing.allocation.node_concurrent_recoveries", "1"),
            ("cluster.routing.allocation.node_concurrent_recoveries", "8"),
        ]).prop_map(|(key, value)| Act::SetCluster(key, value)),
        2 => (0..NODES.len(), 0..100u64).prop_map(|(at, free)| Act::Disk(at, free)),
        1 => Just(Act::Retry),
        3 => (reroute_command(), any::<bool>()).prop_map(|(command, lenient)| Act::By(command, lenient)),
    ]
}

/// A cluster, with what its users and its disks know.
struct World {
    cluster: Cluster,
    /// Who reigned: one copy per shard and term, ever.
    reigns: BTreeMap<(String, u32, u64), String>,
    /// Acknowledged writes of each shard.
    acknowledged: BTreeMap<(String, u32), u64>,
    /// How many of them each copy has.
    has: BTreeMap<String, u64>,
}

impl World {
    fn new() -> World {
        World {
            cluster: Cluster::of(&[]),
            reigns: BTreeMap::new(),
            acknowledged: BTreeMap::new(),
            has: BTreeMap::new(),
        }
    }

    fn state(&self) -> &ClusterState {
        &self.cluster.state
    }

    fn join(&mut self, at: usize) {
        self.cluster
            .join_with(NODES[at], &[("zone", ["x", "y"][at % 2])]);
    }

    fn leave(&mut self, ids: &[usize]) {
        let mut nodes = Vec::new();
        for at in ids {
            let id = NodeId(NODES[*at].to_owned());
            if let Some(known) = self.state().nodes.get(&id) {
                nodes.push((id, known.ephemeral_id.clone()));
            }
        }
        let reason = "gone".to_owned();
        self.run(Command::NodesLeft { nodes, reason });
    }

    /// A refusal is an answer too.
    fn run(&mut self, command: Command) {
        let _ = self.cluster.run(command);
    }

    /// The uuid of the index, the shard and the copy, of the copies that a test accepts.
    fn pick(
        &self,
        number: u8,
        accepts: impl Fn(&crate::cluster::ShardCopy) -> bool,
    ) -> Option<(String, u32, crate::cluster::ShardCopy)> {
        let fitting: Vec<_> = self
            .state()
            .routing
            .all()
            .filter(|(_, _, copy)| accepts(copy))
            .collect();
        let at = usize::from(number) % fitting.len().max(1);
        let (index, shard, copy) = fitting.get(at)?;
        let uuid = self.state().indices[*index].uuid.clone();
        Some((uuid, *shard, (*copy).clone()))
    }

    fn report(&mut self, number: u8, failure: Option<String>) {
        let accepts = |copy: &crate::cluster::ShardCopy| match &failure {
            None => copy.state == ShardState::Initializing,
            Some(_) => copy.state != ShardState::Unassigned,
        };
        if let Some((index_uuid, shard, copy)) = self.pick(number, accepts) {
            let allocation_id = copy.allocation_id.unwrap();
            self.run(Command::ReportShards(vec![ShardReport {
                index_uuid,
                shard,
                allocation_id,
                primary_term: None,
                failure,
            }]));
        }
    }

    fn fail_copy(&mut self, number: u8) {
        let picked = self.pick(number, |copy| !copy.primary && copy.node.is_some());
        let Some((index_uuid, shard, copy)) = picked else {
            return;
        };
        let index = self.state().index_by_uuid(&index_uuid).unwrap();
        let primary_term =
            index.primary_terms[shard as usize] - u64::from(number.is_multiple_of(7));
        self.run(Command::FailCopy {
            index_uuid,
            shard,
            allocation_id: copy.allocation_id.unwrap(),
            primary_term,
            reason: "it did not answer".to_owned(),
        });
    }

    /// Each primary that serves takes a write; those in sync have it before it is acknowledged.
    fn write(&mut self) {
        let mut holders = Vec::new();
        for (name, shards) in &self.cluster.state.routing.indices {
            let index = &self.cluster.state.indices[name];
            for (shard, copies) in (0..).zip(shards.iter()) {
                let serves = copies.iter().any(|copy| copy.primary && copy.is_active());
                if serves && index.state == IndexState::Open {
                    let ids = index.in_sync[shard as usize].clone();
                    holders.push(((index.uuid.clone(), shard), ids));
                }
            }
        }
        for (key, ids) in holders {
            let count = self.acknowledged.entry(key).or_default();
            *count += 1;
            for id in ids {
                self.has.insert(id, *count);
            }
        }
    }

    fn act(&mut self, act: Act) {
        let named = |at: usize| INDICES[at].to_owned();
        match act {
            Act::Join(at) => {
                if !self
                    .state()
                    .nodes
                    .contains_key(&NodeId(NODES[at].to_owned()))
                {
                    self.join(at);
                }
            }
            Act::Leave(ids) => self.leave(&ids),
            Act::Restart(at) => self.join(at),
            Act::Start(number) => self.report(number, None),
            Act::StartAll => {
                let reports = self.cluster.reports();
                self.run(Command::ReportShards(reports));
            }
            Act::Fail(number) => self.report(number, Some("it broke".to_owned())),
            Act::FailCopy(number) => self.fail_copy(number),
            Act::Write => self.write(),
            Act::Wait(ms) => {
                self.cluster.now_ms += ms;
                let reason = "time".to_owned();
                self.run(Command::Reroute { reason });
            }
            Act::Create(at, shards, replicas) => self.run(Command::CreateIndex(CreateIndex {
                name: named(at),
                settings: BTreeMap::from([
                    ("index.number_of_shards".to_owned(), shards.to_string()),
                    ("index.number_of_replicas".to_owned(), replicas.to_string()),
                ]),
                ..CreateIndex::default()
            })),
            Act::Delete(at) => self.run(Command::DeleteIndices {
                names: vec![named(at)],
            }),
            Act::Close(at) => self.run(Command::CloseIndices {
                names: vec![named(at)],
            }),
            Act::Open(at) => self.run(Command::OpenIndices {
                names: vec![named(at)],
            }),
            Act::Set(at, key, value) => self.run(Command::UpdateSettings(UpdateSettings {
                indices: vec![named(at)],
                settings: BTreeMap::from([(key.to_owned(), Some(value.to_owned()))]),
                preserve_existing: false,
            })),
            Act::SetCluster(key, value) => self.run(Command::UpdateClusterSettings {
                persistent: BTreeMap::from([(key.to_owned(), Some(value.to_owned()))]),
                transient: BTreeMap::new(),
            }),
            Act::Disk(at, free_bytes) => self.run(Command::NodeUsage(vec![NodeUsage {
                node: NodeId(NODES[at].to_owned()),
                total_bytes: 100,
                free_bytes,
                copies: BTreeMap::new(),
            }])),
            Act::By(command, is_lenient) => self.run(Command::RerouteBy {
                commands: vec![command],
                retry_failed: false,
                is_lenient,
            }),
            Act::Retry => self.run(Command::RerouteBy {
                commands: Vec::new(),
                retry_failed: true,
                is_lenient: false,
            }),
        }
    }

    /// What holds always; `before` is the state before the last act.
    fn check(&mut self, before: &ClusterState) {
        let state = self.cluster.state.clone();
        let mut ids = BTreeSet::new();
        for (name, shards) in &state.routing.indices {
            let index = &state.indices[name];
            for (shard, copies) in (0..).zip(shards.iter()) {
                let what = format!("[{name}][{shard}]: {copies:#?}");
                let at = shard as usize;
                let primaries = copies.iter().filter(|copy| copy.primary).count();
                assert_eq!(primaries, 1, "one primary entry: {what}");
                assert!(copies[0].primary, "it comes first: {what}");
                let held = copies
                    .iter()
                    .filter(|copy| !copy.is_relocation_target())
                    .count();
                assert_eq!(held as u32, 1 + index.number_of_replicas, "{what}");
                let mut nodes = BTreeSet::new();
                for copy in copies {
                    let assigned = copy.state != ShardState::Unassigned;
                    assert_eq!(copy.node.is_some(), assigned, "{what}");
                    assert_eq!(copy.allocation_id.is_some(), assigned, "{what}");
                    assert!(assigned || copy.unassigned.is_some(), "a reason: {what}");
                    let opens = copy.state == ShardState::Initializing;
                    assert_eq!(copy.recovery.is_some(), opens, "{what}");
                    if let (Some(node), Some(id)) = (&copy.node, &copy.allocation_id) {
                        assert!(nodes.insert(node.clone()), "one copy on a node: {what}");
                        assert!(ids.insert(id.clone()), "an id of its own: {what}");
                        assert!(
                            state.nodes.contains_key(node),
                            "a node that is there: {what}"
                        );
                    }
                    if copy.relocating_node.is_some() {
                        let other = copies.iter().filter(|other| {
                            other.node == copy.relocating_node && other.relocating_node == copy.node
                        });
                        assert_eq!(other.count(), 1, "both ends of a move: {what}");
                    }
                }
                let active: BTreeSet<_> = copies
                    .iter()
                    .filter(|copy| copy.is_active())
                    .filter_map(|copy| copy.allocation_id.clone())
                    .collect();
                if copies[0].is_active() {
                    assert_eq!(index.in_sync[at], active, "in sync is what serves: {what}");
                    assert!(index.started.contains(&shard), "{what}");
                } else {
                    assert!(active.is_empty(), "no replica serves alone: {what}");
                }
                assert!(!index.in_sync[at].is_empty(), "never empty: {what}");
                for id in index.homes[at].keys() {
                    assert!(index.in_sync[at].contains(id), "{what}");
                }
                self.check_reign(before, &state, name, shard);
            }
        }
    }

    /// I1 to I3: one primary a term, terms only rise, who reigns was in sync and has what was acknowledged.
    fn check_reign(&mut self, before: &ClusterState, state: &ClusterState, name: &str, shard: u32) {
        let index = &state.indices[name];
        let at = shard as usize;
        let term = index.primary_terms[at];
        let old = before.index(name).filter(|old| old.uuid == index.uuid);
        if let Some(old) = old {
            assert!(
                term >= old.primary_terms[at],
                "[{name}][{shard}]: terms never go back"
            );
        }
        let primary = state.routing.primary(name, shard).unwrap();
        let Some(id) = primary.allocation_id.clone() else {
            return;
        };
        if primary.recovery == Some(RecoverySource::Existing) {
            assert!(
                index.in_sync[at].contains(&id),
                "[{name}][{shard}]: opened what is in sync"
            );
        }
        let key = (index.uuid.clone(), shard);
        let was_forced = match primary.recovery {
            Some(RecoverySource::Stale) => true,
            Some(RecoverySource::Empty) => index.started.contains(&shard),
            _ => false,
        };
        if was_forced {
            // somebody accepted it
            self.acknowledged.remove(&key);
        }
        let acknowledged = self.acknowledged.get(&key).copied().unwrap_or(0);
        if !primary.is_active() {
            return;
        }
        let known = self
            .reigns
            .entry((index.uuid.clone(), shard, term))
            .or_insert(id.clone());
        assert_eq!(
            *known, id,
            "[{name}][{shard}]: two primaries of term {term}"
        );
        let copies_before = before.routing.copies(name, shard);
        let copy_before = copies_before
            .iter()
            .find(|copy| copy.allocation_id.as_ref() == Some(&id));
        if let (Some(old), Some(copy)) = (old, copy_before) {
            let has_recovered = is_primary_target(copies_before, copy);
            let is_new = copy.primary && !old.started.contains(&shard);
            assert!(
                old.in_sync[at].contains(&id) || has_recovered || is_new,
                "[{name}][{shard}]: only what is in sync reigns"
            );
        }
        // what recovers has everything once it serves; what is opened must have it already
        for copy in state
            .routing
            .copies(name, shard)
            .iter()
            .filter(|copy| copy.is_active())
        {
            let id = copy.allocation_id.clone().unwrap();
            let recovered = copies_before.iter().any(|before| {
                before.allocation_id == copy.allocation_id
                    && before.recovery == Some(RecoverySource::Peer)
            });
            if recovered {
                self.has.insert(id.clone(), acknowledged);
            }
            let has = self.has.get(&id).copied().unwrap_or(0);
            assert_eq!(
                has, acknowledged,
                "[{name}][{shard}]: a write that was acknowledged"
            );
        }
    }

    /// When nothing more happens everything that may be assigned is.
    fn check_rest(&mut self) {
        self.cluster.now_ms += 100_000;
        let reason = "time".to_owned();
        self.run(Command::Reroute { reason });
        self.cluster.settle();
        let state = self.cluster.state.clone();
        let mut ids = Counting::default();
        let table = Table::new(state.clone(), self.cluster.now_ms, &mut ids);
        for (name, shard) in table.shards() {
            if state.indices[&name].state != IndexState::Open {
                continue;
            }
            for (place, copy) in state.routing.copies(&name, shard).iter().enumerate() {
                assert!(
                    matches!(copy.state, ShardState::Started | ShardState::Unassigned),
                    "[{name}][{shard}] is at rest"
                );
                if copy.state != ShardState::Unassigned {
                    continue;
                }
                let at = table.at(&name, shard, place).unwrap();
                if copy.primary && at.index.started.contains(&shard) {
                    let failed = copy.unassigned.as_ref().unwrap().failed_allocations >= 5;
                    assert!(
                        failed || table.homes_of(at.index, shard).is_empty(),
                        "{copy:?}"
                    );
                    continue;
                }
                for node in state.data_nodes() {
                    let verdict = can_allocate(&table, &at, node).verdict;
                    assert_eq!(verdict, Verdict::No, "[{name}][{shard}] on {}", node.id);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(80))]

    #[test]
    fn copies_are_safe_whatever_happens(acts in proptest::collection::vec(act(), 1..80)) {
        let mut world = World::new();
        for act in acts {
            let before = world.cluster.state.clone();
            world.act(act);
            world.check(&before);
            let routing = world.state().routing.clone();
            let again = || Command::Reroute { reason: "again".to_owned() };
            // it looks at disks too, which not every act does: a block on writes may end
            world.run(again());
            prop_assert_eq!(
                &world.state().routing,
                &routing,
                "looking at the copies once more moves none"
            );
            prop_assert_eq!(
                world.cluster.run(again()),
                Ok(0),
                "looking twice finds nothing new"
            );
        }
        world.check_rest();
    }

    #[test]
    fn a_dry_run_does_what_the_command_would_do(
        acts in proptest::collection::vec(act(), 1..40),
        command in reroute_command(),
    ) {
        let mut world = World::new();
        for act in acts {
            world.act(act);
        }
        let state = &world.cluster.state;
        let mut ids = Counting::default();
        let commands = [command.clone()];
        let tried = try_out(state, &commands, false, true, world.cluster.now_ms, &mut ids).unwrap_or_else(
            |_| (state.clone(), Vec::new()),
        );
        world.act(Act::By(command, true));
        let places = |state: &ClusterState| -> Vec<_> {
            let all = state.routing.all();
            all.map(|(index, shard, copy)| {
                (index.to_owned(), shard, copy.node.clone(), copy.state, copy.primary)
            })
            .collect()
        };
        prop_assert_eq!(places(&tried.0), places(&world.cluster.state));
    }
}
