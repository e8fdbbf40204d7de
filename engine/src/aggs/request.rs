//! What is asked for: a typed tree, free of JSON, that crosses from the coordinator to the shards.

use serde::{Deserialize, Serialize};

use super::aggregation::Aggregation;
use super::pipeline::PipelineAgg;
use super::{
    adjacency_matrix, auto_date_histogram, avg, cardinality, composite, date_histogram, date_range,
    extended_stats, filter, filters, geo_distance, geo_extent, geo_grid, global, histogram,
    ip_range, max, median_absolute_deviation, min, missing, multi_terms, percentile_ranks,
    percentiles, range, rare_terms, significant_terms, stats, sum, terms, top_hits, value_count,
    weighted_avg,
};
use crate::value::Value;

/// One aggregation with its sub-aggregations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AggRequest {
    /// The name under which the answer stands.
    pub name: String,
    /// Which aggregation, with its parameters.
    pub kind: AggKind,
    /// What is computed in each of its buckets.
    pub sub: Vec<AggRequest>,
    /// `meta`, as JSON text, given back as it came.
    pub meta: Option<String>,
}

impl AggRequest {
    /// An aggregation without sub-aggregations.
    pub fn new(name: impl Into<String>, kind: AggKind) -> AggRequest {
        AggRequest {
            name: name.into(),
            kind,
            sub: Vec::new(),
            meta: None,
        }
    }

    /// The same with one more sub-aggregation.
    pub fn with(mut self, sub: AggRequest) -> AggRequest {
        self.sub.push(sub);
        self
    }

    /// Whether it looks at documents that the query does not find: a shard without any hit then counts as well.
    pub fn looks_beyond_hits(&self) -> bool {
        let beyond = match &self.kind {
            AggKind::Global(_) | AggKind::SignificantTerms(_) => true,
            AggKind::Terms(agg) => agg.min_doc_count == 0,
            AggKind::MultiTerms(agg) => agg.terms.min_doc_count == 0,
            _ => false,
        };
        beyond || self.sub.iter().any(AggRequest::looks_beyond_hits)
    }
}

/// Every aggregation there is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // each is its struct's documentation
#[allow(
    clippy::large_enum_variant,
    reason = "a request has few of them, and they are not moved in loops"
)]
pub enum AggKind {
    Avg(avg::AvgAgg),
    Cardinality(cardinality::CardinalityAgg),
    DateHistogram(date_histogram::DateHistogramAgg),
    DateRange(date_range::DateRangeAgg),
    ExtendedStats(extended_stats::ExtendedStatsAgg),
    Filter(filter::FilterAgg),
    Filters(filters::FiltersAgg),
    Global(global::GlobalAgg),
    Histogram(histogram::HistogramAgg),
    IpRange(ip_range::IpRangeAgg),
    Max(max::MaxAgg),
    MedianAbsoluteDeviation(median_absolute_deviation::MedianAbsoluteDeviationAgg),
    Min(min::MinAgg),
    Missing(missing::MissingAgg),
    PercentileRanks(percentile_ranks::PercentileRanksAgg),
    Percentiles(percentiles::PercentilesAgg),
    Range(range::RangeAgg),
    Stats(stats::StatsAgg),
    Sum(sum::SumAgg),
    Terms(terms::TermsAgg),
    TopHits(top_hits::TopHitsAgg),
    ValueCount(value_count::ValueCountAgg),
    WeightedAvg(weighted_avg::WeightedAvgAgg),
    AdjacencyMatrix(adjacency_matrix::AdjacencyMatrixAgg),
    AutoDateHistogram(auto_date_histogram::AutoDateHistogramAgg),
    Composite(composite::CompositeAgg),
    MultiTerms(multi_terms::MultiTermsAgg),
    GeoBounds(geo_extent::GeoBoundsAgg),
    GeoCentroid(geo_extent::GeoCentroidAgg),
    GeoDistance(geo_distance::GeoDistanceAgg),
    GeoGrid(geo_grid::GeoGridAgg),
    RareTerms(rare_terms::RareTermsAgg),
    SignificantTerms(significant_terms::SignificantTermsAgg),
    Pipeline(PipelineAgg),
}

impl AggKind {
    /// What runs it; `None` for pipelines, which read no documents.
    pub(crate) fn aggregation(&self) -> Option<&dyn Aggregation> {
        Some(match self {
            AggKind::Avg(agg) => agg,
            AggKind::Cardinality(agg) => agg,
            AggKind::DateHistogram(agg) => agg,
            AggKind::DateRange(agg) => agg,
            AggKind::ExtendedStats(agg) => agg,
            AggKind::Filter(agg) => agg,
            AggKind::Filters(agg) => agg,
            AggKind::Global(agg) => agg,
            AggKind::Histogram(agg) => agg,
            AggKind::IpRange(agg) => agg,
            AggKind::Max(agg) => agg,
            AggKind::MedianAbsoluteDeviation(agg) => agg,
            AggKind::Min(agg) => agg,
            AggKind::Missing(agg) => agg,
            AggKind::PercentileRanks(agg) => agg,
            AggKind::Percentiles(agg) => agg,
            AggKind::Range(agg) => agg,
            AggKind::Stats(agg) => agg,
            AggKind::Sum(agg) => agg,
            AggKind::Terms(agg) => agg,
            AggKind::TopHits(agg) => agg,
            AggKind::ValueCount(agg) => agg,
            AggKind::WeightedAvg(agg) => agg,
            AggKind::AdjacencyMatrix(agg) => agg,
            AggKind::AutoDateHistogram(agg) => agg,
            AggKind::Composite(agg) => agg,
            AggKind::MultiTerms(agg) => agg,
            AggKind::GeoBounds(agg) => agg,
            AggKind::GeoCentroid(agg) => agg,
            AggKind::GeoDistance(agg) => agg,
            AggKind::GeoGrid(agg) => agg,
            AggKind::RareTerms(agg) => agg,
            AggKind::SignificantTerms(agg) => agg,
            AggKind::Pipeline(_) => return None,
        })
    }
}

/// The field that an aggregation reads, and how.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FieldSource {
    /// Path of the field.
    pub field: String,
    /// The value of documents that have none.
    pub missing: Option<Value>,
    /// How numbers and dates are shown.
    pub format: Option<String>,
    /// What an unmapped field is taken for.
    pub value_type: Option<ValueType>,
    /// Zone in which dates are rounded and shown: an IANA name or an offset.
    pub time_zone: Option<String>,
}

impl FieldSource {
    /// A field without further options.
    pub fn field(path: impl Into<String>) -> FieldSource {
        FieldSource {
            field: path.into(),
            ..FieldSource::default()
        }
    }
}

/// `value_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // the names say it
pub enum ValueType {
    String,
    Long,
    UnsignedLong,
    Double,
    Date,
    Ip,
    Boolean,
}
