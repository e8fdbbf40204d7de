//! Evening out: by shards per node, by an index's shards per node, and, between equals, by bytes.
//!
//! A cluster's unevenness is the sum of the squares of these counts, weighed by `balance.shard` and `balance.index`. A
//! move is made only when it makes that sum smaller by more than `balance.threshold` asks (1 stands for "at all"); or
//! leaves it as it is and evens out the bytes by a good part. Both can only happen so often: while nothing else
//! changes no copy ever goes back to where it was.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;

use super::deciders::{Verdict, can_allocate, can_rebalance, can_remain, has_room};
use super::table::Table;
use super::{Target, best_node};
use crate::cluster::IndexMetadata;
use crate::cluster::node::NodeId;
use crate::cluster::routing::ShardState;

/// How much a node has already, for comparisons.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Weight {
    count: f64,
    bytes: u64,
}

impl Eq for Weight {}

impl PartialOrd for Weight {
    fn partial_cmp(&self, other: &Weight) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Weight {
    fn cmp(&self, other: &Weight) -> Ordering {
        self.count
            .total_cmp(&other.count)
            .then(self.bytes.cmp(&other.bytes))
    }
}

/// What a node has, seen by one index.
pub(crate) fn weight(table: &Table<'_>, node: &NodeId, index: &str) -> Weight {
    let load = table.load(node);
    let (by_shard, by_index) = shares(table);
    Weight {
        count: by_shard * load.shards as f64 + by_index * load.of_index(index) as f64,
        bytes: load.bytes,
    }
}

/// The two factors, which make 1 together.
fn shares(table: &Table<'_>) -> (f64, f64) {
    let (shard, index) = (table.limits.balance_shard, table.limits.balance_index);
    let sum = shard + index;
    if sum > 0.0 {
        (shard / sum, index / sum)
    } else {
        (0.0, 0.0)
    }
}

/// One move of a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Move {
    pub index: String,
    pub shard: u32,
    pub from: NodeId,
    pub to: NodeId,
}

impl fmt::Display for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "[{}][{}]: {} -> {}",
            self.index, self.shard, self.from, self.to
        )
    }
}

/// Moves copies that may not stay where they are.
pub(crate) fn move_away(table: &mut Table<'_>) {
    for (index, shard) in table.shards() {
        if !table
            .state
            .index(&index)
            .is_some_and(|index| super::is_open(index))
        {
            continue;
        }
        let places = table.state.routing.copies(&index, shard).len();
        // backwards: a move puts an entry behind its source
        for place in (0..places).rev() {
            let Some(at) = table.at(&index, shard, place) else {
                continue;
            };
            if at.copy.state != ShardState::Started {
                continue;
            }
            let node = at.copy.node.as_ref().and_then(|id| table.node(id));
            if node.is_none_or(|node| can_remain(table, &at, node).verdict == Verdict::Yes) {
                continue;
            }
            let has_slot = table
                .limits
                .moves
                .is_none_or(|limit| table.moving() < limit);
            if has_slot && let Target::Node(to) = best_node(table, &index, shard, place) {
                table.relocate(&index, shard, place, &to);
            }
        }
    }
}

/// Moves copies from nodes that have many to nodes that have few, as many at a time as the settings let.
pub(crate) fn even_out(table: &mut Table<'_>) -> Vec<Move> {
    let mut moves = Vec::new();
    if !may_any_move(table) {
        return moves;
    }
    let rooms = Rooms::of(table);
    while let Some((step, place)) = rooms.next_move(table) {
        table.relocate(&step.index, step.shard, place, &step.to);
        moves.push(step);
    }
    moves
}

/// Whether a copy may be moved now, as far as that is the same for all.
fn may_any_move(table: &Table<'_>) -> bool {
    let is_full = |limit: Option<usize>| limit.is_some_and(|limit| table.moving() >= limit);
    !is_full(table.limits.rebalances)
        && !is_full(table.limits.moves)
        && table.state.data_nodes().nth(1).is_some()
}

/// The data nodes on which tiers and filters let an index have copies. Many indices have the same settings for that, and no
/// move changes them.
struct Rooms(BTreeMap<String, Vec<NodeId>>);

/// A copy that could move.
struct Candidate<'t> {
    /// What it is worth at most.
    most: Gain,
    index: &'t str,
    shard: u32,
    place: usize,
    from: &'t NodeId,
    bytes: u64,
    /// Where it may go, those first that have the least.
    room: &'t [&'t NodeId],
}

impl Rooms {
    fn of(table: &Table<'_>) -> Rooms {
        let mut rooms: BTreeMap<String, Vec<NodeId>> = BTreeMap::new();
        for index in table.state.indices.values() {
            rooms.entry(placed_by(index)).or_insert_with(|| {
                let nodes = table.state.data_nodes();
                let nodes = nodes.filter(|node| has_room(table, index, node));
                nodes.map(|node| node.id.clone()).collect()
            });
        }
        Rooms(rooms)
    }

    /// The move that is worth the most, and the place of its copy. Most copies are left out at once: moving them to the node
    /// that has the least would not be worth it.
    fn next_move(&self, table: &Table<'_>) -> Option<(Move, usize)> {
        if !may_any_move(table) {
            return None;
        }
        let ranked: BTreeMap<&str, Vec<&NodeId>> = self
            .0
            .iter()
            .map(|(settings, nodes)| (settings.as_str(), by_load(table, nodes)))
            .collect();
        let mut candidates = candidates(table, &ranked);
        // a stable sort: of equals the first stays the first
        candidates.sort_by(|a, b| b.most.partial_cmp(&a.most).unwrap_or(Ordering::Equal));
        let mut best: Option<(Gain, &Candidate<'_>, &NodeId)> = None;
        for candidate in &candidates {
            if best.is_some_and(|(known, ..)| candidate.most <= known) {
                break;
            }
            let Some(at) = table.at(candidate.index, candidate.shard, candidate.place) else {
                continue;
            };
            if can_rebalance(table, &at).verdict != Verdict::Yes {
                continue;
            }
            for to in candidate.room.iter().copied() {
                let bound =
                    Gain::at_most(table, candidate.index, candidate.from, to, candidate.bytes);
                if !bound.is_worth_it(table) || best.is_some_and(|(known, ..)| bound <= known) {
                    // those behind it have no less
                    break;
                }
                let gain = Gain::of(table, candidate.index, candidate.from, to, candidate.bytes);
                let is_better =
                    gain.is_worth_it(table) && best.is_none_or(|(known, ..)| gain > known);
                let node = table.node(to).filter(|_| is_better);
                if node.is_some_and(|node| can_allocate(table, &at, node).verdict == Verdict::Yes) {
                    best = Some((gain, candidate, to));
                }
            }
        }
        best.map(|(_, candidate, to)| {
            let step = Move {
                index: candidate.index.to_owned(),
                shard: candidate.shard,
                from: candidate.from.clone(),
                to: to.clone(),
            };
            (step, candidate.place)
        })
    }
}

/// The settings of an index that say where its copies may be.
fn placed_by(index: &IndexMetadata) -> String {
    const PREFIX: &str = "index.routing.allocation.";
    let mut text = String::new();
    let settings = index
        .settings
        .range::<str, _>((Bound::Included(PREFIX), Bound::Unbounded));
    for (key, value) in settings.take_while(|(key, _)| key.starts_with(PREFIX)) {
        text.extend([key.as_str(), "\0", value.as_str(), "\0"]);
    }
    text
}

/// Nodes in the order of what the next copy of an index that they have none of would find there.
fn by_load<'t>(table: &Table<'_>, nodes: &'t [NodeId]) -> Vec<&'t NodeId> {
    let counts = shares(table).0 > 0.0;
    let mut ranked: Vec<&NodeId> = nodes.iter().collect();
    ranked.sort_by_key(|node| {
        let load = table.load(node);
        (if counts { load.shards } else { 0 }, load.bytes, *node)
    });
    ranked
}

/// Copies whose move to the node with the least would be worth it.
fn candidates<'t>(
    table: &'t Table<'_>,
    ranked: &'t BTreeMap<&str, Vec<&'t NodeId>>,
) -> Vec<Candidate<'t>> {
    let mut candidates = Vec::new();
    for (index, shards) in &table.state.routing.indices {
        let Some(metadata) = table
            .state
            .index(index)
            .filter(|index| super::is_open(index))
        else {
            continue;
        };
        let room = ranked.get(placed_by(metadata).as_str());
        let room = room.map_or(&[][..], Vec::as_slice);
        let Some(least) = room.first() else { continue };
        for (shard, copies) in (0..).zip(shards.iter()) {
            for (place, copy) in copies.iter().enumerate() {
                let Some(from) = copy
                    .node
                    .as_ref()
                    .filter(|_| copy.state == ShardState::Started)
                else {
                    continue;
                };
                let bytes = table.size_of(copies);
                let most = Gain::at_most(table, index, from, least, bytes);
                if most.is_worth_it(table) {
                    candidates.push(Candidate {
                        most,
                        index,
                        shard,
                        place,
                        from,
                        bytes,
                        room,
                    });
                }
            }
        }
    }
    candidates
}

/// How much a move evens out.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(crate) struct Gain {
    /// Half of what it takes from the sum of squares of the counts.
    count: f64,
    /// The same for the bytes, as a part of what a node has on average.
    bytes: f64,
}

impl Gain {
    pub fn of(table: &Table<'_>, index: &str, from: &NodeId, to: &NodeId, bytes: u64) -> Gain {
        let there = table.load(to).of_index(index);
        Gain::beside(table, index, from, to, there, bytes)
    }

    /// What it would be if the node had none of the index's copies.
    fn at_most(table: &Table<'_>, index: &str, from: &NodeId, to: &NodeId, bytes: u64) -> Gain {
        Gain::beside(table, index, from, to, 0, bytes)
    }

    fn beside(
        table: &Table<'_>,
        index: &str,
        from: &NodeId,
        to: &NodeId,
        there: usize,
        bytes: u64,
    ) -> Gain {
        let (by_shard, by_index) = shares(table);
        let (source, target) = (table.load(from), table.load(to));
        let shards = source.shards as f64 - target.shards as f64 - 1.0;
        let own = source.of_index(index) as f64 - there as f64 - 1.0;
        let apart = source.bytes as f64 - target.bytes as f64 - bytes as f64;
        Gain {
            count: by_shard * shards + by_index * own,
            bytes: if bytes == 0 {
                0.0
            } else {
                apart / table.bytes_per_node()
            },
        }
    }

    /// Whether the move is to be made.
    pub fn is_worth_it(&self, table: &Table<'_>) -> bool {
        /// A difference below it comes from rounding.
        const NOTHING: f64 = 1e-9;
        /// Bytes alone move a copy when the two nodes stay apart by so much of an average node.
        const BYTES_MIN: f64 = 0.1;
        let least = (table.limits.threshold - 1.0).max(0.0);
        self.count > least + NOTHING
            || (self.count.abs() <= NOTHING && least == 0.0 && self.bytes > BYTES_MIN)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::cluster::node::NodeUsage;
    use crate::master::ShardReport;
    use crate::master::testing::{Cluster, Counting};
    use crate::master::{Command, CreateIndex};

    fn create(name: &str, shards: u32, replicas: u32) -> Command {
        Command::CreateIndex(CreateIndex {
            name: name.to_owned(),
            settings: BTreeMap::from([
                ("index.number_of_shards".to_owned(), shards.to_string()),
                ("index.number_of_replicas".to_owned(), replicas.to_string()),
            ]),
            ..CreateIndex::default()
        })
    }

    /// Lets all come to rest; the moves on the way, by shard: from where to where.
    fn moves_until_rest(cluster: &mut Cluster) -> BTreeMap<(String, u32), Vec<(NodeId, NodeId)>> {
        let mut moves: BTreeMap<(String, u32), Vec<(NodeId, NodeId)>> = BTreeMap::new();
        loop {
            for (index, shard, copy) in cluster.state.routing.all() {
                if let (ShardState::Relocating, Some(from), Some(to)) =
                    (copy.state, &copy.node, &copy.relocating_node)
                {
                    let step = (from.clone(), to.clone());
                    let known = moves.entry((index.to_owned(), shard)).or_default();
                    if known.last() != Some(&step) {
                        known.push(step);
                    }
                }
            }
            let reports: Vec<ShardReport> = cluster.reports();
            if reports.is_empty() {
                return moves;
            }
            cluster.run(Command::ReportShards(reports)).unwrap();
        }
    }

    fn tell_sizes(cluster: &mut Cluster, bytes: &[u64]) {
        let mut by_node: BTreeMap<NodeId, BTreeMap<String, u64>> = BTreeMap::new();
        for (at, (_, _, copy)) in cluster.state.routing.all().enumerate() {
            if let (Some(node), Some(id)) = (&copy.node, &copy.allocation_id) {
                let size = bytes[at % bytes.len()];
                by_node
                    .entry(node.clone())
                    .or_default()
                    .insert(id.clone(), size);
            }
        }
        let usages = by_node.into_iter().map(|(node, copies)| NodeUsage {
            node,
            total_bytes: 1 << 40,
            free_bytes: 1 << 39,
            copies,
        });
        let usages = usages.collect();
        cluster.run(Command::NodeUsage(usages)).unwrap();
    }

    #[test]
    fn a_node_that_joins_gets_its_share_and_no_more() {
        let mut cluster = Cluster::of(&["n1", "n2"]);
        cluster.run(create("a", 6, 1)).unwrap();
        cluster.settle();
        cluster.join("n3");
        let moves = moves_until_rest(&mut cluster);
        let count: usize = moves.values().map(Vec::len).sum();
        assert_eq!(count, 4, "twelve copies on three nodes: {moves:?}");
        let mut ids = Counting::default();
        let table = Table::new(cluster.state.clone(), 0, &mut ids);
        for node in ["n1", "n2", "n3"] {
            assert_eq!(table.load(&NodeId(node.to_owned())).shards, 4);
        }
        assert!(next_move(&table).is_none());
    }

    #[test]
    fn between_equals_bytes_decide() {
        let mut cluster = Cluster::of(&["n1", "n2"]);
        for name in ["a", "b", "c"] {
            cluster.run(create(name, 1, 0)).unwrap();
            cluster.settle();
        }
        tell_sizes(&mut cluster, &[1_000, 1_000, 1_000]);
        let two = cluster.state.routing.primary("a", 0).unwrap().node.clone();
        let three = cluster.state.routing.primary("c", 0).unwrap().node.clone();
        assert_eq!(two, three, "the third went to the first of equals");
        assert!(
            moves_until_rest(&mut cluster).is_empty(),
            "2 + 1 is as even as 1 + 2"
        );
    }

    fn next_move(table: &Table<'_>) -> Option<(Move, usize)> {
        Rooms::of(table).next_move(table)
    }

    /// What the best of all moves is worth, by trying each of them.
    fn best_gain(table: &Table<'_>) -> Option<Gain> {
        let mut best: Option<Gain> = None;
        for (index, shards) in &table.state.routing.indices {
            for (shard, copies) in (0..).zip(shards.iter()) {
                for (place, copy) in copies.iter().enumerate() {
                    let is_started = copy.state == ShardState::Started;
                    let Some(from) = copy.node.as_ref().filter(|_| is_started) else {
                        continue;
                    };
                    let at = table.at(index, shard, place).unwrap();
                    for to in table.state.data_nodes() {
                        let gain = Gain::of(table, index, from, &to.id, table.size_of(copies));
                        if gain.is_worth_it(table)
                            && best.is_none_or(|known| gain > known)
                            && can_rebalance(table, &at).verdict == Verdict::Yes
                            && can_allocate(table, &at, to).verdict == Verdict::Yes
                        {
                            best = Some(gain);
                        }
                    }
                }
            }
        }
        best
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        #[test]
        fn no_move_is_worth_more_than_the_one_that_is_found(
            shards in proptest::collection::vec((1..6u32, 0..3u32), 1..5),
            bytes in proptest::collection::vec(0..5_000_000u64, 1..12),
            tiers in proptest::collection::vec(0..3usize, 1..6),
            tiered in 0..4usize,
            factors in (0..3u32, 0..3u32, 1..4u32),
        ) {
            let mut cluster = Cluster::of(&["n0", "n1"]);
            for (key, value) in [("shard", factors.0), ("index", factors.1), ("threshold", factors.2)] {
                let key = format!("cluster.routing.allocation.balance.{key}");
                cluster.state.persistent.insert(key, value.to_string());
            }
            for (at, (shards, replicas)) in shards.iter().enumerate() {
                cluster.run(create(&format!("i{at}"), *shards, *replicas)).unwrap();
            }
            cluster.settle();
            tell_sizes(&mut cluster, &bytes);
            cluster.settle();
            for (at, tier) in tiers.iter().enumerate() {
                let tier = ["hot", "warm", "cold"][*tier];
                cluster.join_with(&format!("m{at}"), &[("tier", tier)]);
            }
            if let Some(index) = cluster.state.indices.get_mut(&format!("i{tiered}")) {
                let key = "index.routing.allocation.include._tier_preference".to_owned();
                std::sync::Arc::make_mut(index).settings.insert(key, "warm,cold".to_owned());
            }
            let mut ids = Counting::default();
            let mut table = Table::new(cluster.state.clone(), 0, &mut ids);
            table.limits.rebalances = Some(1_000);
            loop {
                let found = next_move(&table);
                let gain = found.as_ref().map(|(step, place)| {
                    let copies = table.state.routing.copies(&step.index, step.shard);
                    assert_eq!(copies[*place].node.as_ref(), Some(&step.from));
                    Gain::of(&table, &step.index, &step.from, &step.to, table.size_of(copies))
                });
                prop_assert_eq!(gain, best_gain(&table));
                let Some((step, place)) = found else { break };
                table.relocate(&step.index, step.shard, place, &step.to);
            }
        }

        #[test]
        fn no_copy_returns_to_where_balance_took_it_from(
            shards in proptest::collection::vec((1..6u32, 0..3u32), 1..5),
            bytes in proptest::collection::vec(0..5_000_000u64, 1..12),
            nodes in 1..4usize,
            more in 1..4usize,
        ) {
            let names = ["n0", "n1", "n2", "n3", "n4", "n5", "n6"];
            let mut cluster = Cluster::of(&names[..nodes]);
            for (at, (shards, replicas)) in shards.iter().enumerate() {
                cluster.run(create(&format!("i{at}"), *shards, *replicas)).unwrap();
            }
            cluster.settle();
            tell_sizes(&mut cluster, &bytes);
            cluster.settle();
            for name in &names[nodes..nodes + more] {
                cluster.join(name);
            }
            for (shard, steps) in moves_until_rest(&mut cluster) {
                let mut left = BTreeSet::new();
                for (from, to) in steps {
                    left.insert(from);
                    // several copies of a shard may pass one another; one never comes back
                    prop_assert!(nodes + more > 2 || !left.contains(&to), "{:?}", shard);
                }
            }
            let mut ids = Counting::default();
            let table = Table::new(cluster.state.clone(), 0, &mut ids);
            prop_assert!(next_move(&table).is_none(), "at rest");
            if shards.iter().all(|(_, replicas)| *replicas == 0) {
                let loads: Vec<usize> = table.state.data_nodes().map(|node| table.load(&node.id).shards).collect();
                let (least, most) = (loads.iter().min().unwrap(), loads.iter().max().unwrap());
                prop_assert!(most - least <= 2, "{loads:?}");
            }
        }
    }
}
