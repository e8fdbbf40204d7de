//! Time, as a service that tests can replace: the engine's, so that a shard and its node agree.

pub use quidditch_engine::shard::{Clock, ManualClock, SystemClock};
