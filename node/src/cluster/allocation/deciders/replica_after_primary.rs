//! A replica gets its data from its primary, which has to serve.

use super::{CopyAt, Decision, NodeInfo, Table};

pub(super) fn can_allocate(table: &Table<'_>, at: &CopyAt<'_>, _: &NodeInfo) -> Decision {
    if at.copy.primary {
        return table.yes(|| "shard is primary and can be allocated".to_owned());
    }
    if at
        .copies
        .iter()
        .any(|copy| copy.primary && copy.is_active())
    {
        return table.yes(|| "primary shard for this replica is already active".to_owned());
    }
    table.no(|| "primary shard for this replica is not yet active".to_owned())
}
