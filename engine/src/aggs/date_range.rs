//! `date_range`: buckets between given dates.

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
use crate::schema::NumericKind;
use crate::search::SearchError;
use crate::value::Value;

/// Buckets between given dates; their bounds are read on the shard, by the field's format.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DateRangeAgg {
    /// Where the values come from.
    pub source: FieldSource,
    /// In any order; they may overlap.
    pub ranges: Vec<ScalarRange>,
    /// An object instead of a list.
    pub keyed: bool,
}

/// From a value, inclusive, to another, exclusive, as the user wrote them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ScalarRange {
    /// Its name; made of the bounds if absent.
    pub key: Option<String>,
    /// Lower bound.
    pub from: Option<Value>,
    /// Upper bound.
    pub to: Option<Value>,
}

struct ReadRange<'a> {
    key: Option<&'a str>,
    from: Option<i64>,
    to: Option<i64>,
}

impl DateRangeAgg {
    fn read(&self, format: &ValueFormat, now_ms: i64) -> Result<Vec<ReadRange<'_>>, SearchError> {
        let mut ranges = Vec::with_capacity(self.ranges.len());
        for range in &self.ranges {
            let end = |end: &Option<Value>| match end {
                None => Ok(None),
                Some(value) => format.parse_date(value, now_ms).map(Some),
            };
            ranges.push(ReadRange {
                key: range.key.as_deref(),
                from: end(&range.from)?,
                to: end(&range.to)?,
            });
        }
        ranges.sort_by_key(|range| (range.from.unwrap_or(i64::MIN), range.to.unwrap_or(i64::MAX)));
        Ok(ranges)
    }
}

fn empty_ranges(
    ranges: &[ReadRange<'_>],
    request: &AggRequest,
    format: &ValueFormat,
    mapped: bool,
) -> RangePartial {
    let mut buckets = Vec::with_capacity(ranges.len());
    for range in ranges {
        let (from, to) = (range.from.map(|ms| ms as f64), range.to.map(|ms| ms as f64));
        buckets.push(RangeBucket::of_numbers(
            range.key, from, to, format, request,
        ));
    }
    RangePartial { buckets, mapped }
}

impl Aggregation for DateRangeAgg {
    fn aggregator<'a>(
        &'a self,
        request: &'a AggRequest,
        ctx: &AggContext<'a>,
    ) -> Result<Box<dyn Aggregator + 'a>, SearchError> {
        let schema = &ctx.reader.schema;
        let source = Source::resolve(&self.source, schema, ctx.search, Some(ValueType::Date))?;
        let (format, mapped) = match &source {
            Source::Numeric(source) if source.domain() == NumericKind::DateMillis => {
                (source.format.clone(), true)
            }
            Source::Numeric(_) | Source::Terms(_) => {
                return Err(unsupported_field(schema, &self.source.field, "date_range"));
            }
            Source::Unmapped => (
                ValueFormat::date(
                    self.source.format.as_deref(),
                    self.source.time_zone.as_deref(),
                )?,
                false,
            ),
        };
        let ranges = self.read(&format, ctx.search.now_ms)?;
        let mut limits = Vec::with_capacity(ranges.len());
        for range in &ranges {
            limits.push(Limits::Numbers(
                range.from.map_or(f64::NEG_INFINITY, |ms| ms as f64),
                range.to.map_or(f64::INFINITY, |ms| ms as f64),
            ));
        }
        let empty = empty_ranges(&ranges, request, &format, mapped);
        RangeAggregator::boxed(source, limits, empty, request, ctx)
    }

    fn empty(&self, request: &AggRequest) -> Partial {
        let zone = self.source.time_zone.as_deref();
        let format = ValueFormat::date(self.source.format.as_deref(), zone).unwrap_or_default();
        let ranges = self.read(&format, 0).unwrap_or_default();
        Partial::Ranges(empty_ranges(&ranges, request, &format, false))
    }

    fn finish(
        &self,
        request: &AggRequest,
        partial: Partial,
        finisher: &mut Finisher,
    ) -> Result<(&'static str, ResultBody), AggError> {
        let body =
            RangePartial::finish(request, partial, finisher, self.keyed, BucketKeys::InLists)?;
        Ok(("date_range", body))
    }
}
