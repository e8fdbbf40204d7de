//! What every aggregation provides: a collector for shards, a partial of nothing, and the way to the final answer.

use super::collector::{AggContext, Aggregator};
use super::error::AggError;
use super::partial::{Finisher, Partial};
use super::request::AggRequest;
use super::result::ResultBody;
use crate::search::SearchError;

/// An aggregation that reads documents.
pub(crate) trait Aggregation {
    /// Makes the collector for one shard; refuses fields of the wrong type.
    fn aggregator<'a>(
        &'a self,
        request: &'a AggRequest,
        ctx: &AggContext<'a>,
    ) -> Result<Box<dyn Aggregator + 'a>, SearchError>;

    /// What a shard without any document knows.
    fn empty(&self, request: &AggRequest) -> Partial;

    /// Turns what all shards know into the answer: its type for `typed_keys` and its body.
    fn finish(
        &self,
        request: &AggRequest,
        partial: Partial,
        finisher: &mut Finisher,
    ) -> Result<(&'static str, ResultBody), AggError>;
}
