//! What somebody may do to single copies by `_cluster/reroute`.

use serde::{Deserialize, Serialize};

use super::deciders::{Said, Verdict, can_allocate};
use super::table::{CopyAt, Table, is_primary_target};
use super::{because, open_alone};
use crate::cluster::error::StateError;
use crate::cluster::node::NodeInfo;
use crate::cluster::routing::{ShardCopy, ShardState, UnassignedInfo};

/// One command; its JSON is that of the REST interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RerouteCommand {
    /// Moves a copy that serves.
    Move {
        /// Concrete name.
        index: String,
        /// Number of the shard.
        shard: u32,
        /// Id, name or address of the node that has it.
        from_node: String,
        /// Of the node that shall have it.
        to_node: String,
    },
    /// Takes a copy from its node, or the end of a move from where it goes; it is assigned anew. A primary that serves
    /// stays: its node may acknowledge writes for as long as its lease lasts. One that moves stays where it was.
    Cancel {
        /// Concrete name.
        index: String,
        /// Number of the shard.
        shard: u32,
        /// Id, name or address of the node.
        node: String,
        /// Whether it may be the primary, while it is opened or moves.
        #[serde(default)]
        allow_primary: bool,
    },
    /// Gives an unassigned replica to a node.
    AllocateReplica {
        /// Concrete name.
        index: String,
        /// Number of the shard.
        shard: u32,
        /// Id, name or address of the node.
        node: String,
    },
    /// Makes what lies on a node the primary, although acknowledged writes may miss there.
    AllocateStalePrimary {
        /// Concrete name.
        index: String,
        /// Number of the shard.
        shard: u32,
        /// Id, name or address of the node.
        node: String,
        /// Whether that is understood.
        #[serde(default)]
        accept_data_loss: bool,
    },
    /// Begins a shard anew, without its documents.
    AllocateEmptyPrimary {
        /// Concrete name.
        index: String,
        /// Number of the shard.
        shard: u32,
        /// Id, name or address of the node.
        node: String,
        /// Whether that is understood.
        #[serde(default)]
        accept_data_loss: bool,
    },
}

impl RerouteCommand {
    /// The name in the REST interface.
    pub fn name(&self) -> &'static str {
        match self {
            RerouteCommand::Move { .. } => "move",
            RerouteCommand::Cancel { .. } => "cancel",
            RerouteCommand::AllocateReplica { .. } => "allocate_replica",
            RerouteCommand::AllocateStalePrimary { .. } => "allocate_stale_primary",
            RerouteCommand::AllocateEmptyPrimary { .. } => "allocate_empty_primary",
        }
    }

    /// The shard it is about.
    pub fn shard(&self) -> (&str, u32) {
        match self {
            RerouteCommand::Move { index, shard, .. }
            | RerouteCommand::Cancel { index, shard, .. }
            | RerouteCommand::AllocateReplica { index, shard, .. }
            | RerouteCommand::AllocateStalePrimary { index, shard, .. }
            | RerouteCommand::AllocateEmptyPrimary { index, shard, .. } => (index, *shard),
        }
    }
}

/// What a command did, or why not.
#[derive(Clone, Debug)]
pub(crate) struct Explanation {
    pub command: RerouteCommand,
    pub decisions: Vec<(String, Verdict, String)>,
}

impl Explanation {
    fn new(command: &RerouteCommand, verdict: Verdict, why: String) -> Explanation {
        let decider = match command.name() {
            "move" => "move_allocation_command".to_owned(),
            "cancel" => "cancel_allocation_command".to_owned(),
            name => format!("{name} (allocation command)"),
        };
        Explanation {
            command: command.clone(),
            decisions: vec![(decider, verdict, why)],
        }
    }

    fn said(command: &RerouteCommand, said: Said) -> Explanation {
        let decisions = said
            .each
            .into_iter()
            .map(|(name, decision)| (name.to_owned(), decision.verdict, decision.why))
            .collect();
        Explanation {
            command: command.clone(),
            decisions,
        }
    }
}

/// Does what the commands say, in order.
///
/// * `is_lenient`: what cannot be done is explained; else it is refused, with everything before it.
pub(crate) fn carry_out(
    table: &mut Table<'_>,
    commands: &[RerouteCommand],
    retry_failed: bool,
    is_lenient: bool,
) -> Result<Vec<Explanation>, StateError> {
    if retry_failed {
        retry(table);
    }
    let was_explaining = std::mem::replace(&mut table.is_explaining, true);
    let mut explanations = Vec::with_capacity(commands.len());
    for command in commands {
        match one(table, command) {
            Ok(done) => explanations.push(done),
            Err(Refusal::Hard(refused)) => return Err(refused),
            Err(Refusal::Soft(why)) if is_lenient => {
                explanations.push(Explanation::new(command, Verdict::No, why));
            }
            Err(Refusal::Soft(why)) => {
                return Err(StateError::illegal_argument(format!(
                    "[{}] {why}",
                    command.name()
                )));
            }
            Err(Refusal::Said(said, _)) if is_lenient => {
                explanations.push(Explanation::said(command, said));
            }
            Err(Refusal::Said(said, what)) => {
                let reasons: Vec<String> = said
                    .each
                    .iter()
                    .filter(|(_, decision)| decision.verdict != Verdict::Yes)
                    .map(|(name, decision)| {
                        format!("[{}({name}): {}]", decision.verdict.name(), decision.why)
                    })
                    .collect();
                return Err(StateError::illegal_argument(format!(
                    "[{}] {what} is not allowed, reason: {}",
                    command.name(),
                    reasons.join("")
                )));
            }
        }
    }
    table.is_explaining = was_explaining;
    Ok(explanations)
}

/// Why a command is not carried out.
enum Refusal {
    /// It makes no sense.
    Hard(StateError),
    /// It does not fit the copies as they are.
    Soft(String),
    /// The rules forbid it; with what it wanted.
    Said(Said, String),
}

fn one(table: &mut Table<'_>, command: &RerouteCommand) -> Result<Explanation, Refusal> {
    let (index, shard) = command.shard();
    if table.state.index(index).is_none() {
        return Err(Refusal::Hard(StateError::index_not_found(index)));
    }
    let is_there = !table.state.routing.copies(index, shard).is_empty();
    let finds_nothing = matches!(
        command,
        RerouteCommand::Move { .. } | RerouteCommand::Cancel { .. }
    );
    if !is_there && !finds_nothing {
        return Err(Refusal::Soft(format!("no such shard [{index}][{shard}]")));
    }
    match command {
        RerouteCommand::Move {
            from_node, to_node, ..
        } => move_copy(table, command, from_node, to_node),
        RerouteCommand::Cancel {
            node,
            allow_primary,
            ..
        } => cancel(table, command, node, *allow_primary),
        RerouteCommand::AllocateReplica { node, .. } => allocate_replica(table, command, node),
        RerouteCommand::AllocateStalePrimary {
            node,
            accept_data_loss,
            ..
        } => force_primary(table, command, node, *accept_data_loss, true),
        RerouteCommand::AllocateEmptyPrimary {
            node,
            accept_data_loss,
            ..
        } => force_primary(table, command, node, *accept_data_loss, false),
    }
}

/// The node of an id, a name or an address.
pub(crate) fn find_node<'t>(table: &'t Table<'_>, named: &str) -> Option<&'t NodeInfo> {
    let nodes = || table.state.nodes.values();
    nodes()
        .find(|node| node.id.0 == named)
        .or_else(|| nodes().find(|node| node.name == named))
        .or_else(|| {
            nodes().find(|node| {
                [
                    &node.transport_address,
                    &node.http_address,
                    &node.ip,
                    &node.host,
                ]
                .iter()
                .any(|address| *address == named)
            })
        })
}

fn node_of(table: &Table<'_>, named: &str) -> Result<NodeInfo, Refusal> {
    let node = find_node(table, named).cloned().ok_or_else(|| {
        Refusal::Hard(StateError::illegal_argument(format!(
            "failed to resolve [{named}], no matching nodes"
        )))
    })?;
    if !node.is_data() {
        return Err(Refusal::Hard(StateError::illegal_argument(format!(
            "allocation can only be done on data nodes, not [{named}]"
        ))));
    }
    Ok(node)
}

fn place_on(copies: &[ShardCopy], node: &NodeInfo) -> Option<usize> {
    copies.iter().position(|copy| copy.is_on(&node.id))
}

fn move_copy(
    table: &mut Table<'_>,
    command: &RerouteCommand,
    from: &str,
    to: &str,
) -> Result<Explanation, Refusal> {
    let (index, shard) = command.shard();
    let (from, to) = (node_of(table, from)?, node_of(table, to)?);
    let copies = table.state.routing.copies(index, shard);
    let Some(place) = place_on(copies, &from) else {
        return Err(Refusal::Soft(format!(
            "can't move {shard}, failed to find it on node {{{}}}",
            from.name
        )));
    };
    let state = copies[place].state;
    if state != ShardState::Started {
        return Err(Refusal::Soft(format!(
            "can't move {shard}, shard is not started (state = {}]",
            state.name()
        )));
    }
    let said = said_of(table, index, shard, place, &to)?;
    if said.verdict == Verdict::No {
        return Err(Refusal::Said(
            said,
            format!(
                "moving [{index}][{shard}] from {} to {}",
                from.name, to.name
            ),
        ));
    }
    let (index, shard) = (index.to_owned(), shard);
    table.relocate(&index, shard, place, &to.id);
    Ok(Explanation::said(command, said))
}

fn said_of(
    table: &Table<'_>,
    index: &str,
    shard: u32,
    place: usize,
    node: &NodeInfo,
) -> Result<Said, Refusal> {
    let at: CopyAt<'_> = table
        .at(index, shard, place)
        .ok_or_else(|| Refusal::Soft(format!("[{index}][{shard}] has no such copy")))?;
    Ok(can_allocate(table, &at, node))
}

fn cancel(
    table: &mut Table<'_>,
    command: &RerouteCommand,
    node: &str,
    allow_primary: bool,
) -> Result<Explanation, Refusal> {
    let (index, shard) = command.shard();
    let node = node_of(table, node)?;
    let copies = table.state.routing.copies(index, shard);
    let Some(place) = place_on(copies, &node) else {
        return Err(Refusal::Soft(format!(
            "can't cancel {shard}, failed to find it on node {{{}}}",
            node.name
        )));
    };
    let copy = &copies[place];
    if copy.primary && !allow_primary {
        return Err(Refusal::Soft(format!(
            "can't cancel [{index}][{shard}] on node {{{}}}, shard is primary and {}",
            node.name,
            copy.state.name().to_lowercase()
        )));
    }
    // of a primary that moves, the move ends: the node that has it serves on
    let target = copies
        .iter()
        .position(|target| is_primary_target(copies, target));
    let place = match (copy.primary && copy.is_active(), target) {
        (true, None) => {
            return Err(Refusal::Soft(format!(
                "can't cancel [{index}][{shard}] on node {{{}}}, shard is primary and {}: its node serves until it knows better; use the move command, or exclude the node from allocation",
                node.name,
                copy.state.name().to_lowercase()
            )));
        }
        (true, Some(target)) => target,
        (false, _) => place,
    };
    let copy = &copies[place];
    let why = UnassignedInfo {
        details: Some(format!(
            "cancelled by [_cluster/reroute] on node [{}]",
            node.name
        )),
        ..because("REROUTE_CANCELLED", table.now_ms)
    };
    let what = match copy.is_relocation_target() {
        true => "the move was cancelled",
        false => "the copy was cancelled",
    };
    table.lose(index, shard, place, why, &Default::default());
    Ok(Explanation::new(
        command,
        Verdict::Yes,
        format!("{what} on node {{{}}}", node.name),
    ))
}

fn allocate_replica(
    table: &mut Table<'_>,
    command: &RerouteCommand,
    node: &str,
) -> Result<Explanation, Refusal> {
    let (index, shard) = command.shard();
    let node = node_of(table, node)?;
    let copies = table.state.routing.copies(index, shard);
    if !copies.iter().any(|copy| copy.primary && copy.is_active()) {
        return Err(Refusal::Soft(format!(
            "trying to allocate a replica shard [{index}][{shard}], while corresponding primary shard is still unassigned"
        )));
    }
    let place = copies
        .iter()
        .position(|copy| !copy.primary && copy.state == ShardState::Unassigned);
    let Some(place) = place else {
        return Err(Refusal::Soft(format!(
            "all copies of [{index}][{shard}] are already assigned. Use the move allocation command instead"
        )));
    };
    let said = said_of(table, index, shard, place, &node)?;
    if said.verdict == Verdict::No {
        return Err(Refusal::Said(
            said,
            format!("allocation of [{index}][{shard}] on node {{{}}}", node.name),
        ));
    }
    table.open_replica(index, shard, place, &node.id);
    Ok(Explanation::said(command, said))
}

fn force_primary(
    table: &mut Table<'_>,
    command: &RerouteCommand,
    node: &str,
    accept_data_loss: bool,
    keep_data: bool,
) -> Result<Explanation, Refusal> {
    let (index, shard) = command.shard();
    let node = node_of(table, node)?;
    let kind = if keep_data { "a stale" } else { "an empty" };
    let metadata = table.state.index(index).cloned();
    let has_started = metadata.is_some_and(|index| index.started.contains(&shard));
    if has_started && !accept_data_loss {
        return Err(Refusal::Soft(format!(
            "allocating {kind} primary for [{index}][{shard}] can result in data loss. Please confirm by setting the accept_data_loss parameter to true"
        )));
    }
    let is_free = table
        .state
        .routing
        .primary(index, shard)
        .is_some_and(|copy| copy.state == ShardState::Unassigned);
    if !is_free {
        return Err(Refusal::Soft(format!(
            "primary [{index}][{shard}] is already assigned"
        )));
    }
    if keep_data && !has_started {
        return Err(Refusal::Soft(format!(
            "trying to allocate an existing primary shard [{index}][{shard}], while no such shard has ever been active"
        )));
    }
    table.force_primary(index, shard, &node.id, keep_data);
    Ok(Explanation::new(
        command,
        Verdict::Yes,
        format!("{kind} primary was allocated on node {{{}}}", node.name),
    ))
}

/// Lets copies that failed be tried again.
fn retry(table: &mut Table<'_>) {
    for (index, shard) in table.shards() {
        let copies = table.state.routing.copies(&index, shard);
        let is_failed = |copy: &ShardCopy| {
            let info = copy.unassigned.as_ref();
            copy.failed_moves > 0
                || (copy.state == ShardState::Unassigned
                    && info.is_some_and(|info| info.failed_allocations > 0))
        };
        if !copies.iter().any(is_failed) {
            continue;
        }
        if table.state.is_alone {
            open_alone(table, &index, shard);
            continue;
        }
        let mut copies = copies.to_vec();
        for copy in &mut copies {
            copy.failed_moves = 0;
            if let Some(info) = &mut copy.unassigned {
                info.failed_allocations = 0;
            }
        }
        table.set_copies(&index, shard, copies);
    }
}
