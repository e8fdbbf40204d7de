//! Data never goes to an older release than the one that wrote it.

use std::cmp::Ordering;

use super::{CopyAt, Decision, NodeInfo, Table};

/// The numbers of a version, e.g. `3.6.0`.
fn numbers(version: &str) -> Vec<u64> {
    let digits = |part: &str| {
        part.chars()
            .take_while(char::is_ascii_digit)
            .collect::<String>()
    };
    version
        .split('.')
        .map(|part| digits(part).parse().unwrap_or(0))
        .collect()
}

pub(super) fn can_allocate(table: &Table<'_>, at: &CopyAt<'_>, node: &NodeInfo) -> Decision {
    let source = at
        .copies
        .iter()
        .find(|copy| copy.primary && copy.is_active());
    let source = source
        .and_then(|copy| copy.node.as_ref())
        .and_then(|id| table.node(id));
    let Some(source) = source else {
        return table.yes(|| "the primary shard is new or already existed on the node".to_owned());
    };
    match numbers(&node.version).cmp(&numbers(&source.version)) {
        Ordering::Less => table.no(|| {
            format!(
                "cannot allocate shard to a node with version [{}] since this is older than the version [{}] of the primary",
                node.version, source.version
            )
        }),
        _ => table.yes(|| {
            format!(
                "can allocate shard to a node with version [{}] since this is equal-or-newer than the version [{}] of the primary",
                node.version, source.version
            )
        }),
    }
}
