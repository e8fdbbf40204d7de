//! `buckets_path`: the way to a number in the buckets of an answer.

use serde::{Deserialize, Serialize};

use crate::aggs::error::AggError;
use crate::aggs::result::{AggResult, Bucket, ResultBody};

/// A way like `sales_per_month>sales`, `stats.avg` or `_count`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BucketsPath {
    /// Names of the aggregations, outermost first.
    pub names: Vec<String>,
    /// The value of the last one.
    pub property: Option<String>,
}

/// What is done about buckets without a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GapPolicy {
    /// They are passed over.
    Skip,
    /// They count as 0.
    InsertZeros,
}

impl BucketsPath {
    /// Reads a path.
    pub fn parse(text: &str) -> BucketsPath {
        let mut names: Vec<String> = text.split('>').map(|name| name.trim().to_owned()).collect();
        let mut property = None;
        if let Some(last) = names.last_mut() {
            if let Some((name, key)) = last.strip_suffix(']').and_then(|text| text.split_once('['))
            {
                property = Some(key.trim_matches(['\'', '"']).to_owned());
                *last = name.to_owned();
            } else if let Some((name, key)) = last.clone().split_once('.') {
                property = Some(key.to_owned());
                *last = name.to_owned();
            }
        }
        BucketsPath { names, property }
    }

    /// The number of a bucket; `None` in a gap.
    ///
    /// * `depth`: names of the path that led to the bucket.
    /// * `gaps`: what an empty bucket or a missing number counts as.
    pub fn number(
        &self,
        bucket: &Bucket,
        depth: usize,
        gaps: GapPolicy,
    ) -> Result<Option<f64>, AggError> {
        let names = &self.names[depth.min(self.names.len())..];
        let special = match (names, &self.property) {
            ([name], None) => Some(name),
            ([], property) => property.as_ref(),
            _ => None,
        };
        if let Some(special) = special {
            match special.as_str() {
                "_count" => return Ok(Some(bucket.doc_count as f64)),
                "_key" => return Ok(bucket.key.to_f64()),
                _ => {}
            }
        }
        // `buckets.metric` leads to the metric in the buckets, as `buckets>metric` does
        let found = match (names, &self.property) {
            ([], Some(name)) => number_below(&bucket.aggs, std::slice::from_ref(name), None)?,
            _ => number_below(&bucket.aggs, names, self.property.as_deref())?,
        };
        let gap = bucket.doc_count == 0;
        Ok(match (found, gaps) {
            (Some(value), _) if value.is_finite() && !gap => Some(value),
            (_, GapPolicy::Skip) => None,
            (_, GapPolicy::InsertZeros) => Some(0.0),
        })
    }
}

fn number_below(
    aggs: &[AggResult],
    names: &[String],
    property: Option<&str>,
) -> Result<Option<f64>, AggError> {
    let Some((name, rest)) = names.split_first() else {
        return Ok(None);
    };
    let Some(agg) = aggs.iter().find(|agg| agg.name == *name) else {
        return Err(AggError::IllegalArgument(format!(
            "Cannot find an aggregation named [{name}] in the buckets path"
        )));
    };
    if let (ResultBody::Single { aggs, doc_count }, [first, ..]) = (&agg.body, rest) {
        if first == "_count" {
            return Ok(Some(*doc_count as f64));
        }
        return number_below(aggs, rest, property);
    }
    if let ResultBody::Buckets(_) = &agg.body {
        // numbers of several buckets are no number
        let found = if rest.is_empty() {
            java_name(agg.type_name)
        } else {
            "Object[]"
        };
        return Err(AggError::Execution(format!(
            "buckets_path must reference either a number value or a single value numeric metric aggregation, got: \
             [{found}] at aggregation [{name}]"
        )));
    }
    if !agg.body.has_property(property) {
        return Err(AggError::Execution(format!(
            "buckets_path must reference either a number value or a single value numeric metric aggregation, but \
             [{name}] contains multiple values. Please specify which to use."
        )));
    }
    Ok(agg.body.property(property))
}

/// The name of the answer's class in OpenSearch, which its message shows.
fn java_name(type_name: &str) -> &'static str {
    match type_name {
        "sterms" => "StringTerms",
        "lterms" => "LongTerms",
        "ulterms" => "UnsignedLongTerms",
        "dterms" => "DoubleTerms",
        "umterms" => "UnmappedTerms",
        "histogram" => "InternalHistogram",
        "date_histogram" => "InternalDateHistogram",
        "filters" => "InternalFilters",
        "range" => "InternalRange",
        "date_range" => "InternalDateRange",
        _ => "Object[]",
    }
}
