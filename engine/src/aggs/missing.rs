//! `missing`: the documents without a value in a field.

use serde::{Deserialize, Serialize};

use super::aggregation::Aggregation;
use super::collector::{AggContext, Aggregator, Docs};
use super::error::AggError;
use super::partial::{Finisher, Partial};
use super::request::{AggRequest, FieldSource};
use super::result::ResultBody;
use super::single_bucket::{Chooser, SingleAggregator, SinglePartial};
use super::source::Source;
use crate::search::SearchError;
use crate::shard::SegmentSnapshot;

/// The documents that have no value. With a `missing` value in the source, none is without.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MissingAgg {
    /// The field.
    pub source: FieldSource,
}

impl Aggregation for MissingAgg {
    fn aggregator<'a>(
        &'a self,
        request: &'a AggRequest,
        ctx: &AggContext<'a>,
    ) -> Result<Box<dyn Aggregator + 'a>, SearchError> {
        let source = Source::resolve(&self.source, &ctx.reader.schema, ctx.search, None)?;
        SingleAggregator::boxed(Valueless(source), request, ctx)
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
        SinglePartial::finish(request, partial, finisher, "missing")
    }
}

struct Valueless(Source);

impl Chooser for Valueless {
    fn begin_segment(&mut self, _ord: u32, segment: &SegmentSnapshot) -> Result<(), SearchError> {
        match &mut self.0 {
            Source::Numeric(source) => source.begin_segment(segment),
            Source::Terms(source) => source.begin_segment(segment),
            Source::Unmapped => Ok(()),
        }
    }

    fn choose(&mut self, docs: Docs<'_>, rows: &mut Vec<u32>) -> Result<(), SearchError> {
        rows.clear();
        let valued = match &mut self.0 {
            Source::Numeric(source) => source.load(docs).rows,
            Source::Terms(source) => source.load(docs).rows,
            Source::Unmapped => &[],
        };
        let mut at = 0;
        for row in 0..docs.list.len() as u32 {
            while at < valued.len() && valued[at] < row {
                at += 1;
            }
            if valued.get(at) != Some(&row) {
                rows.push(row);
            }
        }
        Ok(())
    }
}
