//! Calls for a shard that moves while it is looked for.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::data::service::{GetOp, ShardError, ShardService, ShardTarget, StoredDocument};
use crate::master::Masters;

/// Waits between two tries when no newer state comes: the shard may open without one.
const PAUSE_MIN: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// How long a read looks for its shard.
const READ_LIMIT: Duration = Duration::from_secs(60);
/// The same while nobody leads: another leader is found much sooner, or not for long.
const LEADERLESS_LIMIT: Duration = Duration::from_secs(10);

/// Calls until the shard is where it is looked for, each time with the newest state.
///
/// * `limit`: a shard that is not found by then is the last error.
/// * `is_worth`: whether to try again at all, by the newest state.
pub async fn until_placed<T, F>(
    masters: &dyn Masters,
    limit: Duration,
    is_worth: impl Fn() -> bool,
    call: impl Fn() -> F,
) -> Result<T, ShardError>
where
    F: Future<Output = Result<T, ShardError>>,
{
    let began = Instant::now();
    let mut states = masters.watch();
    let mut pause = PAUSE_MIN;
    loop {
        states.borrow_and_update();
        let error = match call().await {
            Err(error) if error.is_misplaced() => error,
            done => return done,
        };
        let left = limit.saturating_sub(began.elapsed());
        if left.is_zero() || !is_worth() {
            return Err(error);
        }
        match timeout(left.min(pause), states.changed()).await {
            Ok(Ok(())) => {}
            // the masters are gone, and with them all hope of a newer state
            Ok(Err(_)) => return Err(error),
            Err(_) => pause = (pause * 2).min(PAUSE_MAX),
        }
    }
}

/// Reads a document, again with a newer state while its primary is moving. Without a primary it fails at once.
pub async fn get(
    masters: &dyn Masters,
    shards: &dyn ShardService,
    target: &ShardTarget,
    op: &GetOp,
) -> Result<Option<StoredDocument>, ShardError> {
    let began = Instant::now();
    let has_primary = || {
        let state = masters.state();
        let primary = state.routing.primary(&target.index, target.shard);
        let may_be_led = masters.has_leader() || began.elapsed() < LEADERLESS_LIMIT;
        may_be_led && primary.is_some_and(|copy| copy.state.is_active())
    };
    let read = || async {
        match shards.get(target, op.clone()).await {
            // a read may be done twice
            Err(ShardError::Unreachable { node, reason, .. }) => Err(ShardError::Unreachable {
                node,
                reason,
                maybe_done: false,
            }),
            done => done,
        }
    };
    until_placed(masters, READ_LIMIT, has_primary, read).await
}
