//! `global`: all documents of the index, whatever the query.

use serde::{Deserialize, Serialize};

use super::aggregation::Aggregation;
use super::collector::{AggContext, Aggregator, Docs};
use super::error::AggError;
use super::partial::{Finisher, Partial};
use super::request::AggRequest;
use super::result::ResultBody;
use super::single_bucket::{Chooser, SingleAggregator, SinglePartial};
use crate::search::SearchError;
use crate::shard::SegmentSnapshot;

/// All documents; on the first level only. The collector of the request feeds it apart from the others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GlobalAgg {}

impl Aggregation for GlobalAgg {
    fn aggregator<'a>(
        &'a self,
        request: &'a AggRequest,
        ctx: &AggContext<'a>,
    ) -> Result<Box<dyn Aggregator + 'a>, SearchError> {
        if !ctx.top_level {
            return Err(SearchError::refused(
                "aggregation_execution_exception",
                format!(
                    "Aggregation [{}] cannot be a sub-aggregation: global aggregations can only be \
                     defined as top level aggregations",
                    request.name
                ),
            ));
        }
        SingleAggregator::boxed(Everything, request, ctx)
    }

    fn empty(&self, request: &AggRequest) -> Partial {
        SinglePartial::empty(request)
    }

    fn finish(
        &self,
        request: &AggRequest,
        partial: Partial,
        finisher: &mut Finisher,
    ) -> Result<(&'static str, ResultBody), AggError> {
        SinglePartial::finish(request, partial, finisher, "global")
    }
}

struct Everything;

impl Chooser for Everything {
    fn begin_segment(&mut self, _ord: u32, _segment: &SegmentSnapshot) -> Result<(), SearchError> {
        Ok(())
    }

    fn choose(&mut self, docs: Docs<'_>, rows: &mut Vec<u32>) -> Result<(), SearchError> {
        rows.clear();
        rows.extend(0..docs.list.len() as u32);
        Ok(())
    }
}
