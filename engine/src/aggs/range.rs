//! `range`: buckets between given numbers.

use serde::{Deserialize, Serialize};

use super::aggregation::Aggregation;
use super::collector::{AggContext, Aggregator};
use super::error::AggError;
use super::format::ValueFormat;
use super::partial::{Finisher, Partial};
use super::range_partial::{Limits, RangeAggregator, RangeBucket, RangePartial};
use super::request::{AggRequest, FieldSource, ValueType};
use super::result::{BucketKeys, ResultBody};
use super::source::{Source, unsupported_field};
use crate::search::SearchError;

/// Buckets between given numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RangeAgg {
    /// Where the values come from.
    pub source: FieldSource,
    /// In any order; they may overlap.
    pub ranges: Vec<NumberRange>,
    /// An object instead of a list.
    pub keyed: bool,
}

/// From a number, inclusive, to another, exclusive.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NumberRange {
    /// Its name; made of the bounds if absent.
    pub key: Option<String>,
    /// Lower bound.
    pub from: Option<f64>,
    /// Upper bound.
    pub to: Option<f64>,
}

impl RangeAgg {
    fn sorted(&self) -> Vec<&NumberRange> {
        let mut ranges: Vec<&NumberRange> = self.ranges.iter().collect();
        let ends = |range: &NumberRange| {
            (
                range.from.unwrap_or(f64::NEG_INFINITY),
                range.to.unwrap_or(f64::INFINITY),
            )
        };
        ranges.sort_by(|a, b| {
            let (a, b) = (ends(a), ends(b));
            a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1))
        });
        ranges
    }

    fn empty_ranges(
        &self,
        request: &AggRequest,
        format: &ValueFormat,
        mapped: bool,
    ) -> RangePartial {
        let mut buckets = Vec::with_capacity(self.ranges.len());
        for range in self.sorted() {
            buckets.push(RangeBucket::of_numbers(
                range.key.as_deref(),
                range.from,
                range.to,
                format,
                request,
            ));
        }
        RangePartial { buckets, mapped }
    }
}

impl RangeAgg {
    /// Makes the collector for values that were found already.
    pub(super) fn collector<'a>(
        &'a self,
        source: Source,
        request: &'a AggRequest,
        ctx: &AggContext<'a>,
    ) -> Result<Box<dyn Aggregator + 'a>, SearchError> {
        let schema = &ctx.reader.schema;
        let (format, mapped) = match &source {
            Source::Numeric(source) => (source.format.clone(), true),
            Source::Terms(_) => return Err(unsupported_field(schema, &self.source.field, "range")),
            Source::Unmapped => (ValueFormat::decimal(self.source.format.as_deref())?, false),
        };
        let mut limits = Vec::with_capacity(self.ranges.len());
        for range in self.sorted() {
            limits.push(Limits::Numbers(
                range.from.unwrap_or(f64::NEG_INFINITY),
                range.to.unwrap_or(f64::INFINITY),
            ));
        }
        let empty = self.empty_ranges(request, &format, mapped);
        RangeAggregator::boxed(source, limits, empty, request, ctx)
    }
}

impl Aggregation for RangeAgg {
    fn aggregator<'a>(
        &'a self,
        request: &'a AggRequest,
        ctx: &AggContext<'a>,
    ) -> Result<Box<dyn Aggregator + 'a>, SearchError> {
        let schema = &ctx.reader.schema;
        let source = Source::resolve(&self.source, schema, ctx.search, Some(ValueType::Double))?;
        self.collector(source, request, ctx)
    }

    fn empty(&self, request: &AggRequest) -> Partial {
        let format = ValueFormat::decimal(self.source.format.as_deref()).unwrap_or_default();
        Partial::Ranges(self.empty_ranges(request, &format, false))
    }

    fn finish(
        &self,
        request: &AggRequest,
        partial: Partial,
        finisher: &mut Finisher,
    ) -> Result<(&'static str, ResultBody), AggError> {
        let body =
            RangePartial::finish(request, partial, finisher, self.keyed, BucketKeys::InLists)?;
        Ok(("range", body))
    }
}
