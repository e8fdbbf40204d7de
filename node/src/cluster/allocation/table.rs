//! A cluster state in the making: what may be done to shard copies, with what it does to their metadata.
//!
//! Two things hold before and after each of these methods:
//! * At most one copy of a shard is the primary, and a shard of an open index has exactly one primary entry.
//! * While a primary serves, the in-sync set is the allocation ids of the copies that serve. While none does, the set
//!   keeps the ids of those that were the last to serve; only they (or what somebody forces) become primary again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::limits::Limits;
use super::wanted::because;
use crate::cluster::index_metadata::RESIZE_SOURCE;
use crate::cluster::node::{NodeId, NodeInfo};
use crate::cluster::routing::{RecoverySource, ShardCopy, ShardState, UnassignedInfo};
use crate::cluster::{ClusterState, IndexMetadata, IndexState};
use crate::master::{Event, Ids, apply};

/// What a node holds, and is to hold when the moves are done.
#[derive(Clone, Debug, Default)]
pub(crate) struct Load {
    /// Copies; one that leaves counts where it goes.
    pub shards: usize,
    /// The same by index.
    pub by_index: BTreeMap<String, usize>,
    /// Primaries; one that leaves counts where it goes.
    pub primaries: usize,
    /// Bytes of these copies, as far as they are known.
    pub bytes: u64,
    /// Copies that recover from another node.
    pub incoming: usize,
    /// Copies elsewhere that recover from a primary here.
    pub outgoing: usize,
    /// Primaries that open.
    pub opening: usize,
    /// Bytes that the copies that recover are going to take.
    pub bytes_to_come: u64,
    /// Bytes of copies that leave.
    pub bytes_to_go: u64,
    /// Bytes of its copies in the figures of its own disk.
    pub bytes_told: u64,
}

impl Load {
    /// Copies of an index.
    pub fn of_index(&self, index: &str) -> usize {
        self.by_index.get(index).copied().unwrap_or(0)
    }
}

/// Copies of open indices, by what they do, and what is the same for all nodes.
#[derive(Clone, Copy, Debug, Default)]
struct Totals {
    unassigned: usize,
    initializing: usize,
    relocating: usize,
    /// Primaries that do not serve.
    waiting_primaries: usize,
    /// Bytes of all copies.
    bytes: u64,
    data_nodes: usize,
}

/// A copy and what belongs to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CopyAt<'t> {
    pub index: &'t IndexMetadata,
    pub shard: u32,
    pub copy: &'t ShardCopy,
    /// All copies of the shard.
    pub copies: &'t [ShardCopy],
}

impl CopyAt<'_> {
    /// The primary's side of this copy: itself, or the primary that it moves.
    pub fn counts_as_primary(&self) -> bool {
        self.copy.primary || is_primary_target(self.copies, self.copy)
    }
}

/// Whether a copy is to take the primary's place.
pub(crate) fn is_primary_target(copies: &[ShardCopy], copy: &ShardCopy) -> bool {
    copy.is_relocation_target()
        && copies
            .iter()
            .any(|other| other.primary && is_move(other, copy))
}

fn is_move(source: &ShardCopy, target: &ShardCopy) -> bool {
    source.state == ShardState::Relocating
        && source.relocating_node == target.node
        && source.node == target.relocating_node
}

/// A cluster state that is being changed.
pub(crate) struct Table<'a> {
    pub state: ClusterState,
    pub now_ms: i64,
    /// Whether verdicts come with words.
    pub is_explaining: bool,
    pub limits: Limits,
    ids: &'a mut dyn Ids,
    loads: BTreeMap<NodeId, Load>,
    totals: Totals,
    /// Indices of which more changed than what is known of their copies.
    pub rewritten: BTreeSet<String>,
    /// Whether what disks tell is looked at: what somebody blocked stays so until then.
    pub looks_at_disks: bool,
}

impl<'a> Table<'a> {
    pub fn new(state: ClusterState, now_ms: i64, ids: &'a mut dyn Ids) -> Table<'a> {
        let mut table = Table {
            limits: Limits::of(&state),
            state,
            now_ms,
            is_explaining: false,
            ids,
            loads: BTreeMap::new(),
            totals: Totals::default(),
            rewritten: BTreeSet::new(),
            looks_at_disks: false,
        };
        table.weigh();
        table
    }

    /// Adds up what all copies weigh, by the figures of now.
    pub fn weigh(&mut self) {
        self.totals = Totals::default();
        self.totals.data_nodes = self.state.data_nodes().count();
        self.loads.clear();
        for node in self.state.nodes.keys() {
            self.loads.insert(node.clone(), Load::default());
        }
        for (index, shard) in self.shards() {
            self.count(&index, shard, true);
        }
    }

    /// All shards, by index and number.
    pub fn shards(&self) -> Vec<(String, u32)> {
        let mut all = Vec::new();
        for (index, shards) in &self.state.routing.indices {
            all.extend(
                (0..)
                    .zip(shards.iter())
                    .map(|(shard, _)| (index.clone(), shard)),
            );
        }
        all
    }

    /// A copy with what belongs to it.
    pub fn at(&self, index: &str, shard: u32, place: usize) -> Option<CopyAt<'_>> {
        let copies = self.state.routing.copies(index, shard);
        Some(CopyAt {
            index: self.state.index(index)?,
            shard,
            copy: copies.get(place)?,
            copies,
        })
    }

    pub fn load(&self, node: &NodeId) -> &Load {
        static NONE: Load = Load {
            shards: 0,
            by_index: BTreeMap::new(),
            primaries: 0,
            bytes: 0,
            incoming: 0,
            outgoing: 0,
            opening: 0,
            bytes_to_come: 0,
            bytes_to_go: 0,
            bytes_told: 0,
        };
        self.loads.get(node).unwrap_or(&NONE)
    }

    /// Bytes of a shard, as its primary's node told; 0 when nobody did.
    pub fn size_of(&self, copies: &[ShardCopy]) -> u64 {
        let told = |copy: &ShardCopy| {
            let usage = self.state.usage.get(copy.node.as_ref()?)?;
            usage.copies.get(copy.allocation_id.as_ref()?).copied()
        };
        let primary = copies.iter().find(|copy| copy.primary);
        primary
            .and_then(told)
            .or_else(|| copies.iter().filter_map(told).max())
            .unwrap_or(0)
    }

    /// Adds what a shard's copies weigh to the nodes, or takes it away.
    fn count(&mut self, index: &str, shard: u32, add: bool) {
        let copies = self.state.routing.copies(index, shard).to_vec();
        let bytes = self.size_of(&copies);
        let source = copies
            .iter()
            .find(|copy| copy.primary)
            .and_then(|primary| primary.node.clone());
        let change = |number: &mut usize| {
            *number = match add {
                true => *number + 1,
                false => number.saturating_sub(1),
            }
        };
        let weigh = |number: &mut u64| {
            *number = match add {
                true => number.saturating_add(bytes),
                false => number.saturating_sub(bytes),
            }
        };
        let is_open = self
            .state
            .index(index)
            .is_some_and(|index| index.state == IndexState::Open);
        for copy in copies.iter().filter(|_| is_open) {
            match copy.state {
                ShardState::Unassigned => change(&mut self.totals.unassigned),
                // the new end of a move is no copy more
                ShardState::Initializing if copy.is_relocation_target() => {}
                ShardState::Initializing => change(&mut self.totals.initializing),
                ShardState::Relocating => change(&mut self.totals.relocating),
                ShardState::Started => {}
            }
            if copy.primary && !copy.is_active() {
                change(&mut self.totals.waiting_primaries);
            }
        }
        for copy in &copies {
            let Some(node) = &copy.node else { continue };
            let load = self.loads.entry(node.clone()).or_default();
            let usage = self.state.usage.get(node);
            let id = copy.allocation_id.as_ref();
            if let Some(told) = usage.and_then(|usage| usage.copies.get(id?)) {
                load.bytes_told = match add {
                    true => load.bytes_told.saturating_add(*told),
                    false => load.bytes_told.saturating_sub(*told),
                };
            }
            if copy.state == ShardState::Relocating {
                weigh(&mut load.bytes_to_go);
                continue;
            }
            change(&mut load.shards);
            change(load.by_index.entry(index.to_owned()).or_default());
            weigh(&mut load.bytes);
            weigh(&mut self.totals.bytes);
            if copy.primary || is_primary_target(&copies, copy) {
                change(&mut load.primaries);
            }
            if copy.state != ShardState::Initializing {
                continue;
            }
            if copy.recovery != Some(RecoverySource::Peer) {
                change(&mut load.opening);
                continue;
            }
            change(&mut load.incoming);
            weigh(&mut load.bytes_to_come);
            if let Some(source) = &source {
                change(&mut self.loads.entry(source.clone()).or_default().outgoing);
            }
        }
    }

    /// Changes the copies of a shard; the weights follow.
    fn edit(&mut self, index: &str, shard: u32, change: impl FnOnce(&mut Vec<ShardCopy>)) {
        self.count(index, shard, false);
        let shards = self.state.routing.shards_of_mut(index);
        if let Some(copies) = shards.and_then(|shards| shards.get_mut(shard as usize)) {
            change(copies);
        }
        self.count(index, shard, true);
    }

    /// Replaces the copies of a shard, e.g. after their number changed.
    pub fn set_copies(&mut self, index: &str, shard: u32, copies: Vec<ShardCopy>) {
        self.edit(index, shard, |known| *known = copies);
        self.settle_in_sync(index, shard);
    }

    /// Replaces the copies of all shards of an index.
    pub fn set_index(&mut self, index: &str, shards: Vec<Vec<ShardCopy>>) {
        for shard in 0..self.shards_of(index) {
            self.count(index, shard, false);
        }
        let shards = Arc::new(shards);
        self.state.routing.indices.insert(index.to_owned(), shards);
        for shard in 0..self.shards_of(index) {
            self.count(index, shard, true);
        }
    }

    fn shards_of(&self, index: &str) -> u32 {
        let shards = self
            .state
            .routing
            .indices
            .get(index)
            .map_or(0, |shards| shards.len());
        u32::try_from(shards).unwrap_or(u32::MAX)
    }

    /// Does what an event about nodes says.
    pub fn follow(&mut self, event: &Event) {
        self.state = apply(self.state.clone(), event);
        self.limits = Limits::of(&self.state);
        self.totals.data_nodes = self.state.data_nodes().count();
    }

    /// Makes the in-sync sets what they have to be after copies were taken away by a change of their number.
    pub fn settle(&mut self) {
        if self.state.is_alone {
            return;
        }
        for (index, shard) in self.shards() {
            self.settle_in_sync(&index, shard);
        }
    }

    /// An index's metadata, to be changed.
    pub fn metadata_mut(&mut self, index: &str) -> Option<&mut IndexMetadata> {
        self.state.indices.get_mut(index).map(Arc::make_mut)
    }

    fn copies(&self, index: &str, shard: u32) -> &[ShardCopy] {
        self.state.routing.copies(index, shard)
    }

    /// Where the copy of an allocation id stands in its shard's list.
    pub fn place_of(&self, index: &str, shard: u32, allocation_id: &str) -> Option<usize> {
        self.copies(index, shard)
            .iter()
            .position(|copy| copy.allocation_id.as_deref() == Some(allocation_id))
    }

    fn set_in_sync(&mut self, index: &str, shard: u32, ids: BTreeMap<String, Option<NodeId>>) {
        let is_alone = self.state.is_alone;
        let Some(metadata) = self.state.indices.get(index) else {
            return;
        };
        let at = shard as usize;
        let mut homes = BTreeMap::new();
        for (id, node) in &ids {
            if let (Some(node), false) = (node, is_alone) {
                homes.insert(id.clone(), node.clone());
            }
        }
        let ids: BTreeSet<String> = ids.into_keys().collect();
        if metadata.in_sync[at] == ids && metadata.homes[at] == homes {
            return;
        }
        if let Some(metadata) = self.metadata_mut(index) {
            metadata.in_sync[at] = ids;
            metadata.homes[at] = homes;
        }
    }

    /// Makes the in-sync set what it has to be while a primary serves.
    fn settle_in_sync(&mut self, index: &str, shard: u32) {
        let copies = self.copies(index, shard);
        if !copies.iter().any(|copy| copy.primary && copy.is_active()) {
            return;
        }
        let mut ids = BTreeMap::new();
        for copy in copies.iter().filter(|copy| copy.is_active()) {
            if let Some(id) = &copy.allocation_id {
                ids.insert(id.clone(), copy.node.clone());
            }
        }
        self.set_in_sync(index, shard, ids);
    }

    /// Begins a new reign of a shard's primary. Operations that a crash took with it may have had sequence numbers that
    /// are given out once more: their terms tell them apart. A shard that never started has no operations and stays
    /// in its first reign.
    fn raise_term(&mut self, index: &str, shard: u32) {
        // a lone node opens nothing of a closed index
        let is_alone = self.state.is_alone;
        let is_raised = self.state.index(index).is_some_and(|index| {
            (index.state == IndexState::Open || !is_alone) && index.started.contains(&shard)
        });
        if is_raised && let Some(index) = self.metadata_mut(index) {
            index.primary_terms[shard as usize] += 1;
        }
    }

    /// The nodes that may be given an unassigned primary without loss, with the allocation id that is theirs. Empty for
    /// a shard that never started: any node will do.
    pub fn homes_of(&self, index: &IndexMetadata, shard: u32) -> Vec<(NodeId, String)> {
        let at = shard as usize;
        let mut homes = Vec::new();
        if !index.started.contains(&shard) {
            return homes;
        }
        for id in &index.in_sync[at] {
            let home = match self.state.is_alone {
                true => Some(&self.state.master),
                false => index.homes[at].get(id),
            };
            if let Some(node) = home.filter(|node| self.state.nodes.contains_key(node)) {
                homes.push((node.clone(), id.clone()));
            }
        }
        homes
    }

    /// Gives an unassigned primary to a node.
    ///
    /// * `id`: of the data that is there; `None`: the shard is new.
    pub fn open_primary(&mut self, index: &str, shard: u32, node: &NodeId, id: Option<String>) {
        let Some(metadata) = self.state.index(index).cloned() else {
            return;
        };
        let is_resized = metadata.setting(RESIZE_SOURCE).is_some();
        let (id, recovery) = match id {
            Some(id) => (id, RecoverySource::Existing),
            None => {
                let at = shard as usize;
                let is_untried = metadata.homes[at].is_empty();
                let known = metadata.in_sync[at].first().cloned().filter(|_| is_untried);
                let id = known.unwrap_or_else(|| self.ids.next_uuid());
                let ids = BTreeMap::from([(id.clone(), Some(node.clone()))]);
                self.set_in_sync(index, shard, ids);
                match is_resized {
                    true => (id, RecoverySource::LocalShards),
                    false => (id, RecoverySource::Empty),
                }
            }
        };
        self.raise_term(index, shard);
        self.begin_primary(index, shard, node, id, recovery);
    }

    /// Gives an unassigned primary to a node although acknowledged writes are lost by it.
    ///
    /// * `keep_data`: what lies on the node becomes the shard; else the shard begins empty.
    pub fn force_primary(&mut self, index: &str, shard: u32, node: &NodeId, keep_data: bool) {
        let id = self.ids.next_uuid();
        let ids = BTreeMap::from([(id.clone(), Some(node.clone()))]);
        self.raise_term(index, shard);
        self.set_in_sync(index, shard, ids);
        let recovery = match keep_data {
            true => RecoverySource::Stale,
            false => RecoverySource::Empty,
        };
        self.begin_primary(index, shard, node, id, recovery);
    }

    fn begin_primary(
        &mut self,
        index: &str,
        shard: u32,
        node: &NodeId,
        id: String,
        recovery: RecoverySource,
    ) {
        self.edit(index, shard, |copies| {
            if let Some(copy) = copies.iter_mut().find(|copy| copy.primary) {
                copy.state = ShardState::Initializing;
                copy.node = Some(node.clone());
                copy.allocation_id = Some(id);
                copy.recovery = Some(recovery);
            }
        });
    }

    /// Gives an unassigned replica to a node; it gets its data from the primary, and a new allocation id.
    pub fn open_replica(&mut self, index: &str, shard: u32, place: usize, node: &NodeId) {
        let id = self.ids.next_uuid();
        self.edit(index, shard, |copies| {
            if let Some(copy) = copies.get_mut(place) {
                copy.state = ShardState::Initializing;
                copy.node = Some(node.clone());
                copy.allocation_id = Some(id);
                copy.recovery = Some(RecoverySource::Peer);
            }
        });
    }

    /// Begins to move a copy that serves.
    pub fn relocate(&mut self, index: &str, shard: u32, place: usize, to: &NodeId) {
        let id = self.ids.next_uuid();
        self.edit(index, shard, |copies| {
            let Some(source) = copies.get_mut(place) else {
                return;
            };
            source.state = ShardState::Relocating;
            source.relocating_node = Some(to.clone());
            let target = ShardCopy {
                primary: false,
                state: ShardState::Initializing,
                node: Some(to.clone()),
                allocation_id: Some(id),
                relocating_node: source.node.clone(),
                recovery: Some(RecoverySource::Peer),
                failed_moves: 0,
                unassigned: None,
            };
            copies.insert(place + 1, target);
        });
    }

    /// A copy that was initializing serves now.
    pub fn start(&mut self, index: &str, shard: u32, place: usize) {
        let copies = self.copies(index, shard);
        let Some(copy) = copies.get(place).cloned() else {
            return;
        };
        if copy.state != ShardState::Initializing {
            return;
        }
        let source = copies.iter().position(|other| is_move(other, &copy));
        let takes_over = source.is_some_and(|at| copies[at].primary);
        let becomes_primary = copy.primary || takes_over;
        if takes_over {
            self.raise_term(index, shard);
        }
        self.edit(index, shard, |copies| {
            let copy = &mut copies[place];
            copy.state = ShardState::Started;
            copy.primary = becomes_primary;
            copy.relocating_node = None;
            copy.recovery = None;
            copy.unassigned = None;
            if let Some(at) = source {
                copies.remove(at);
            }
            copies.sort_by_key(|copy| !copy.primary);
        });
        if becomes_primary
            && let Some(metadata) = self.state.indices.get(index)
            && !metadata.started.contains(&shard)
            && let Some(metadata) = self.metadata_mut(index)
        {
            metadata.started.insert(shard);
        }
        if takes_over {
            let why = |now| UnassignedInfo {
                details: Some("the primary has moved while it recovered from it".to_owned()),
                ..because("REINITIALIZED", now)
            };
            self.restart_recoveries(index, shard, &why(self.now_ms));
        }
        self.settle_in_sync(index, shard);
    }

    /// A copy does not serve any more, or does not come to serve. When it was the primary, a replica in sync takes over.
    ///
    /// * `gone`: nodes that are leaving: none of theirs takes over.
    pub fn lose(
        &mut self,
        index: &str,
        shard: u32,
        place: usize,
        why: UnassignedInfo,
        gone: &BTreeSet<NodeId>,
    ) {
        let Some(lost) = self.copies(index, shard).get(place).cloned() else {
            return;
        };
        if lost.state == ShardState::Unassigned {
            return;
        }
        if lost.primary {
            self.lose_primary(index, shard, why, gone);
        } else {
            self.edit(index, shard, |copies| lose_replica(copies, place, why));
        }
        self.settle_in_sync(index, shard);
    }

    fn lose_primary(
        &mut self,
        index: &str,
        shard: u32,
        why: UnassignedInfo,
        gone: &BTreeSet<NodeId>,
    ) {
        let copies = self.copies(index, shard);
        let was_active = copies.iter().any(|copy| copy.primary && copy.is_active());
        if was_active {
            let why = UnassignedInfo {
                details: Some("the primary failed while it recovered from it".to_owned()),
                ..because("PRIMARY_FAILED", self.now_ms)
            };
            self.restart_recoveries(index, shard, &why);
        }
        let heir = self.heir(index, shard, gone);
        self.edit(index, shard, |copies| {
            let Some(at) = copies.iter().position(|copy| copy.primary) else {
                return;
            };
            let info = remembering(&copies[at], why);
            copies[at] = ShardCopy::unassigned(heir.is_none(), info);
            if let Some(heir) = heir {
                copies[heir].primary = true;
                copies.sort_by_key(|copy| !copy.primary);
            }
        });
        if heir.is_some() {
            self.raise_term(index, shard);
        }
    }

    /// The replica in sync that becomes primary: on the node with the fewest of them.
    fn heir(&self, index: &str, shard: u32, gone: &BTreeSet<NodeId>) -> Option<usize> {
        let in_sync = self.state.index(index)?.in_sync.get(shard as usize)?;
        let mut best: Option<((usize, usize), usize)> = None;
        for (place, copy) in self.copies(index, shard).iter().enumerate() {
            let (Some(node), Some(id)) = (&copy.node, &copy.allocation_id) else {
                continue;
            };
            let fits = !copy.primary && copy.is_active() && in_sync.contains(id);
            if fits && !gone.contains(node) && self.state.nodes.contains_key(node) {
                let worth = (self.load(node).primaries, place);
                if best.is_none_or(|(known, _)| worth < known) {
                    best = Some((worth, place));
                }
            }
        }
        best.map(|(_, place)| place)
    }

    /// Copies that were getting their data from a primary that is no longer there begin anew.
    fn restart_recoveries(&mut self, index: &str, shard: u32, why: &UnassignedInfo) {
        self.edit(index, shard, |copies| {
            while let Some(place) = copies.iter().position(|copy| {
                !copy.primary
                    && copy.state == ShardState::Initializing
                    && copy.recovery == Some(RecoverySource::Peer)
            }) {
                let failed = copies[place].unassigned.as_ref();
                let why = UnassignedInfo {
                    failed_allocations: failed.map_or(0, |info| info.failed_allocations),
                    ..why.clone()
                };
                lose_replica(copies, place, why);
            }
        });
    }

    /// Whether every copy of the open indices serves; or every primary.
    pub fn are_settled(&self, primaries_only: bool) -> bool {
        match primaries_only {
            true => self.totals.waiting_primaries == 0,
            false => self.totals.unassigned + self.totals.initializing == 0,
        }
    }

    /// How many copies move.
    pub fn moving(&self) -> usize {
        self.totals.relocating
    }

    /// Primaries of an index on a node, or on their way to it.
    pub fn primaries_of(&self, node: &NodeId, index: &str) -> usize {
        let shards = self.state.routing.indices.get(index);
        let mut count = 0;
        for copies in shards.into_iter().flat_map(|shards| shards.iter()) {
            count += copies
                .iter()
                .filter(|copy| copy.is_on(node) && copy.state != ShardState::Relocating)
                .filter(|copy| copy.primary || is_primary_target(copies, copy))
                .count();
        }
        count
    }

    /// Bytes that a data node has on average, at least 1.
    pub fn bytes_per_node(&self) -> f64 {
        (self.totals.bytes as f64 / self.totals.data_nodes.max(1) as f64).max(1.0)
    }

    /// A node that is there, by id.
    pub fn node(&self, id: &NodeId) -> Option<&NodeInfo> {
        self.state.nodes.get(id)
    }
}

/// Takes a replica, or an end of a move, from its node.
fn lose_replica(copies: &mut Vec<ShardCopy>, place: usize, why: UnassignedInfo) {
    let lost = copies[place].clone();
    if lost.is_relocation_target() {
        copies.remove(place);
        if let Some(source) = copies.iter_mut().find(|source| is_move(source, &lost)) {
            source.state = ShardState::Started;
            source.relocating_node = None;
            source.failed_moves += u32::from(why.failed_allocations > 0);
        }
        return;
    }
    let info = remembering(&lost, why);
    if lost.state == ShardState::Relocating
        && let Some(target) = copies.iter_mut().find(|target| is_move(&lost, target))
    {
        // what was to take its place is a copy like any other now
        target.relocating_node = None;
        target.unassigned = Some(info);
        copies.remove(place);
        return;
    }
    copies[place] = ShardCopy::unassigned(false, info);
}

/// The reason, with what the copy was.
fn remembering(copy: &ShardCopy, why: UnassignedInfo) -> UnassignedInfo {
    UnassignedInfo {
        last_allocation_id: copy.allocation_id.clone(),
        last_node: copy.node.clone(),
        ..why
    }
}
