//! A copy that failed too often waits for somebody to look at it.

use super::{CopyAt, Decision, NodeInfo, Table};

const KEY: &str = "index.allocation.max_retries";

pub(super) fn can_allocate(table: &Table<'_>, at: &CopyAt<'_>, _: &NodeInfo) -> Decision {
    let limit = at.index.number(KEY, 5);
    let moves = at.copy.failed_moves;
    if i64::from(moves) >= limit.max(1) {
        return table
            .no(|| format!("shard has exceeded the maximum number of retries [{limit}] on failed relocation attempts - manually call [/_cluster/reroute?retry_failed=true] to retry, [failed_attempts[{moves}]]"))
            .helped_by(|| "POST /_cluster/reroute?retry_failed=true".to_owned());
    }
    let Some(info) = at
        .copy
        .unassigned
        .as_ref()
        .filter(|info| info.failed_allocations > 0)
    else {
        return table.yes(|| "shard has no previous failures".to_owned());
    };
    let failed = info.failed_allocations;
    if i64::from(failed) < limit {
        return table.yes(|| {
            format!(
                "shard has failed allocating [{failed}] times but [{limit}] retries are allowed"
            )
        });
    }
    let details = info.details.as_deref().unwrap_or("");
    table
        .no(|| {
            format!(
                "shard has exceeded the maximum number of retries [{limit}] on failed allocation attempts - manually call [/_cluster/reroute?retry_failed=true] to retry, [unassigned_info[[reason={}], at[{}], failed_attempts[{failed}], details[{details}]]]",
                info.reason, info.at_ms
            )
        })
        .helped_by(|| "POST /_cluster/reroute?retry_failed=true".to_owned())
}
