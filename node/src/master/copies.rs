//! What data nodes tell of shard copies.

use std::collections::BTreeSet;

use super::command::CommandError;
use super::event::Event;
use super::ids::Ids;
use super::outcome::rerouted;
use super::shards::ShardReport;
use crate::cluster::ClusterState;
use crate::cluster::allocation::table::Table;
use crate::cluster::allocation::{because, open_alone};
use crate::cluster::error::StateError;
use crate::cluster::routing::{ShardState, UnassignedInfo};

/// A change of copies alone, after which all copies are looked at.
pub(super) fn change(
    state: &ClusterState,
    now_ms: i64,
    ids: &mut dyn Ids,
    change: impl FnOnce(&mut Table<'_>) -> Result<Vec<Event>, CommandError>,
) -> Result<Vec<Event>, CommandError> {
    rerouted(state, Vec::new(), now_ms, ids, change)
}

fn name_of(table: &Table<'_>, uuid: &str) -> Option<String> {
    let index = table.state.index_by_uuid(uuid)?;
    Some(index.name.clone())
}

fn term_of(table: &Table<'_>, index: &str, shard: u32) -> Option<u64> {
    let metadata = table.state.index(index)?;
    metadata.primary_terms.get(shard as usize).copied()
}

/// Copies that have started, and copies that failed. Reports of copies that are no more, or that have been opened anew since,
/// say nothing.
pub(super) fn report(table: &mut Table<'_>, reports: &[ShardReport]) {
    for report in reports {
        let Some(index) = name_of(table, &report.index_uuid) else {
            continue;
        };
        let shard = report.shard;
        let Some(place) = table.place_of(&index, shard, &report.allocation_id) else {
            continue;
        };
        let term = term_of(table, &index, shard);
        if report.primary_term.is_some() && report.primary_term != term {
            continue;
        }
        match &report.failure {
            None => table.start(&index, shard, place),
            Some(failure) => fail(table, &index, shard, place, failure),
        }
    }
}

fn fail(table: &mut Table<'_>, index: &str, shard: u32, place: usize, failure: &str) {
    let copies = table.state.routing.copies(index, shard);
    let before = copies[place].unassigned.as_ref();
    let why = UnassignedInfo {
        details: Some(failure.to_owned()),
        failed_allocations: 1 + before.map_or(0, |info| info.failed_allocations),
        ..because("ALLOCATION_FAILED", table.now_ms)
    };
    table.lose(index, shard, place, why, &BTreeSet::new());
}

/// A primary asks that a copy no longer counts: it misses a write. Only the primary of now may.
pub(super) fn fail_copy(
    table: &mut Table<'_>,
    (uuid, shard): (&str, u32),
    allocation_id: &str,
    primary_term: u64,
    reason: &str,
) -> Result<Vec<Event>, CommandError> {
    let index = name_of(table, uuid).ok_or_else(|| StateError::index_not_found(uuid))?;
    let Some(term) = term_of(table, &index, shard) else {
        return Err(StateError::illegal_argument(format!(
            "[{index}] has no shard [{shard}]"
        )));
    };
    if primary_term != term {
        return Err(StateError::stale_primary(format!(
            "primary term [{primary_term}] of [{index}][{shard}] did not match current primary term [{term}]"
        )));
    }
    let primary = table.state.routing.primary(&index, shard);
    let Some(primary) = primary.filter(|copy| copy.is_active()) else {
        return Err(StateError::stale_primary(format!(
            "[{index}][{shard}] has no primary that serves"
        )));
    };
    if primary.allocation_id.as_deref() == Some(allocation_id) {
        return Err(StateError::stale_primary(format!(
            "[{allocation_id}] is the primary of [{index}][{shard}]; it tells of its own failure by a report"
        )));
    }
    // While a primary serves nothing is in sync but what is routed: there is nothing else to take away.
    if let Some(place) = table.place_of(&index, shard, allocation_id) {
        fail(table, &index, shard, place, reason);
    }
    Ok(Vec::new())
}

/// Has copies that failed opened again, if they are not tried too often already.
pub(super) fn retry(table: &mut Table<'_>, wanted: Option<&[(String, u32)]>) {
    for (name, shard) in table.shards() {
        let Some(index) = table.state.index(&name) else {
            continue;
        };
        let is_wanted = wanted.is_none_or(|wanted| {
            wanted
                .iter()
                .any(|(uuid, number)| *uuid == index.uuid && *number == shard)
        });
        let has_failed = table
            .state
            .routing
            .primary(&name, shard)
            .is_some_and(|copy| {
                let info = copy.unassigned.as_ref();
                copy.state == ShardState::Unassigned
                    && info.is_some_and(|info| info.failed_allocations > 0)
            });
        if is_wanted && has_failed && table.state.is_alone {
            open_alone(table, &name, shard);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{RecoverySource, ShardCopy};
    use crate::master::Command;
    use crate::master::testing::{Cluster, create};

    fn primary(cluster: &Cluster) -> ShardCopy {
        cluster.state.routing.primary("a", 0).unwrap().clone()
    }

    fn replica(cluster: &Cluster) -> ShardCopy {
        let copies = cluster.state.routing.copies("a", 0);
        copies.iter().find(|copy| !copy.primary).unwrap().clone()
    }

    fn node_of(copy: &ShardCopy) -> String {
        copy.node.clone().unwrap().0
    }

    #[test]
    fn a_replica_in_sync_takes_over_and_the_old_primary_comes_back_as_a_replica() {
        let mut cluster = Cluster::of(&["n1", "n2"]);
        cluster.run(create("a")).unwrap();
        cluster.settle();
        let (old, heir) = (primary(&cluster), replica(&cluster));
        cluster.leave(&node_of(&old));
        let now = primary(&cluster);
        assert_eq!(now.allocation_id, heir.allocation_id);
        assert_eq!(now.state, ShardState::Started);
        let index = &cluster.state.indices["a"];
        assert_eq!(index.primary_terms, [2]);
        let in_sync = BTreeSet::from([heir.allocation_id.unwrap()]);
        assert_eq!(index.in_sync, [in_sync]);
        let waiting = replica(&cluster);
        assert!(waiting.is_delayed(cluster.now_ms), "{waiting:?}");

        cluster.join(&node_of(&old));
        let again = replica(&cluster);
        assert_eq!(again.state, ShardState::Initializing);
        assert_eq!(again.node, old.node);
        assert_eq!(again.recovery, Some(RecoverySource::Peer));
        assert_ne!(again.allocation_id, old.allocation_id);
        cluster.settle();
        assert_eq!(cluster.state.indices["a"].in_sync[0].len(), 2);
        assert_eq!(cluster.state.indices["a"].primary_terms, [2]);
    }

    #[test]
    fn the_only_copy_is_opened_again_on_the_node_that_has_it() {
        let mut cluster = Cluster::of(&["n1"]);
        cluster.run(create("a")).unwrap();
        cluster.settle();
        let old = primary(&cluster);
        cluster.leave("n1");
        cluster.join("n2");
        assert_eq!(primary(&cluster).state, ShardState::Unassigned);
        cluster.join("n1");
        let again = primary(&cluster);
        assert_eq!(
            (&again.node, &again.allocation_id, again.recovery),
            (
                &old.node,
                &old.allocation_id,
                Some(RecoverySource::Existing)
            )
        );
        assert_eq!(cluster.state.indices["a"].primary_terms, [2]);
    }

    #[test]
    fn a_report_of_a_copy_that_is_opened_anew_says_nothing_of_the_new_opening() {
        let mut cluster = Cluster::of(&["n1"]);
        cluster.run(create("a")).unwrap();
        let started = cluster.reports().remove(0);
        let failed = ShardReport {
            failure: Some("no".to_owned()),
            ..started.clone()
        };
        cluster.settle();
        cluster.leave("n1");
        cluster.join("n1");
        let again = primary(&cluster);
        assert_eq!(again.state, ShardState::Initializing);
        assert_eq!(again.allocation_id.as_ref(), Some(&started.allocation_id));
        for late in [started, failed] {
            cluster.run(Command::ReportShards(vec![late])).unwrap();
            assert_eq!(primary(&cluster), again);
        }
        cluster.settle();
        assert_eq!(primary(&cluster).state, ShardState::Started);
    }

    #[test]
    fn only_the_primary_of_now_may_have_a_copy_failed() {
        let mut cluster = Cluster::of(&["n1", "n2", "n3"]);
        cluster.run(create("a")).unwrap();
        cluster.settle();
        let lost = replica(&cluster);
        let fail = |term, id: &Option<String>| Command::FailCopy {
            index_uuid: cluster.state.indices["a"].uuid.clone(),
            shard: 0,
            allocation_id: id.clone().unwrap(),
            primary_term: term,
            reason: "it did not answer".to_owned(),
        };
        let (late, itself, right) = (
            fail(7, &lost.allocation_id),
            fail(1, &primary(&cluster).allocation_id),
            fail(1, &lost.allocation_id),
        );
        for wrong in [late, itself] {
            let refused = cluster.run(wrong).unwrap_err();
            assert_eq!(refused.kind, "stale_primary");
        }
        cluster.run(right.clone()).unwrap();
        assert_eq!(cluster.state.indices["a"].in_sync[0].len(), 1);
        assert_ne!(replica(&cluster).allocation_id, lost.allocation_id);
        assert_eq!(cluster.run(right), Ok(0), "it is gone already");
    }
}
