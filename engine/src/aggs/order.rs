//! The order of buckets.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::partial::{Finisher, Partial};
use super::request::AggRequest;
use super::result::{AggResult, Bucket, ResultBody};
use crate::search::SearchError;

/// One criterion; several are compared one after the other, and equal buckets by key, ascending.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BucketOrder {
    /// What is compared.
    pub by: OrderKey,
    /// Smallest first.
    pub ascending: bool,
}

/// What buckets are compared by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum OrderKey {
    /// `_count`.
    Count,
    /// `_key`.
    Key,
    /// A metric below the bucket: `avg_price`, `stats.avg`, `only_red>price.max`.
    Metric {
        /// Names of the aggregations on the way, outermost first.
        path: Vec<String>,
        /// The value of the last one, `value` if it has one only.
        property: Option<String>,
    },
}

impl BucketOrder {
    /// By key.
    pub fn key(ascending: bool) -> BucketOrder {
        BucketOrder {
            by: OrderKey::Key,
            ascending,
        }
    }

    /// By document count.
    pub fn count(ascending: bool) -> BucketOrder {
        BucketOrder {
            by: OrderKey::Count,
            ascending,
        }
    }
}

impl OrderKey {
    /// Reads `_count`, `_key` or the path of a metric.
    pub fn parse(text: &str) -> OrderKey {
        match text {
            "_count" => return OrderKey::Count,
            // the older names of the key
            "_key" | "_term" | "_time" => return OrderKey::Key,
            _ => {}
        }
        let mut path: Vec<String> = text.split('>').map(|name| name.trim().to_owned()).collect();
        let mut property = None;
        if let Some(last) = path.last_mut() {
            if let Some((name, key)) = last.strip_suffix(']').and_then(|text| text.split_once('['))
            {
                property = Some(key.to_owned());
                *last = name.to_owned();
            } else if let Some((name, key)) = last.clone().split_once('.') {
                property = Some(key.to_owned());
                *last = name.to_owned();
            }
        }
        OrderKey::Metric { path, property }
    }
}

/// Compares two numbers; NaN (no value) comes last in both directions.
pub(crate) fn compare_metrics(a: f64, b: f64, ascending: bool) -> Ordering {
    match (a.is_nan(), b.is_nan()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) if ascending => a.total_cmp(&b),
        (false, false) => b.total_cmp(&a),
    }
}

/// Sorts finished buckets that are ascending by key; nothing to do without an order.
pub(crate) fn sort_buckets(buckets: &mut [Bucket], order: &[BucketOrder]) {
    if order.is_empty() || order == [BucketOrder::key(true)] {
        return;
    }
    let mut keyed: Vec<(usize, Vec<f64>)> = Vec::with_capacity(buckets.len());
    for (rank, bucket) in buckets.iter().enumerate() {
        let mut values = Vec::with_capacity(order.len());
        for order in order {
            values.push(match &order.by {
                OrderKey::Count => bucket.doc_count as f64,
                // buckets come in order of key
                OrderKey::Key => rank as f64,
                OrderKey::Metric { path, property } => {
                    metric_of_results(&bucket.aggs, path, property.as_deref()).unwrap_or(f64::NAN)
                }
            });
        }
        keyed.push((rank, values));
    }
    keyed.sort_by(|a, b| {
        for (i, order) in order.iter().enumerate() {
            let found = compare_metrics(a.1[i], b.1[i], order.ascending);
            if found != Ordering::Equal {
                return found;
            }
        }
        a.0.cmp(&b.0)
    });
    let mut sorted = Vec::with_capacity(buckets.len());
    for (rank, _) in keyed {
        sorted.push(buckets[rank].clone());
    }
    buckets.clone_from_slice(&sorted);
}

fn metric_of_results(aggs: &[AggResult], path: &[String], property: Option<&str>) -> Option<f64> {
    let (name, rest) = path.split_first()?;
    let agg = aggs.iter().find(|agg| agg.name == *name)?;
    match (&agg.body, rest) {
        (body, []) => body.property(property),
        (ResultBody::Single { aggs, .. }, rest) => metric_of_results(aggs, rest, property),
        _ => None,
    }
}

/// The number by which a bucket is sorted, from what is known of it so far; NaN where there is none.
pub(crate) fn metric_of_partials(
    aggs: &[AggRequest],
    partials: &[Partial],
    path: &[String],
    property: Option<&str>,
) -> f64 {
    let Some((name, rest)) = path.split_first() else {
        return f64::NAN;
    };
    let found = aggs.iter().zip(partials).find(|(agg, _)| agg.name == *name);
    let Some((agg, partial)) = found else {
        return f64::NAN;
    };
    if let (Partial::Single(single), false) = (partial, rest.is_empty()) {
        return metric_of_partials(&agg.sub, &single.sub, rest, property);
    }
    let Some(aggregation) = agg.kind.aggregation() else {
        return f64::NAN;
    };
    match aggregation.finish(agg, partial.clone(), &mut Finisher::unlimited()) {
        Ok((_, body)) => body.property(property).unwrap_or(f64::NAN),
        Err(_) => f64::NAN,
    }
}

/// Refuses orders by aggregations that are not below, or that give no single number.
pub(crate) fn check_orders(order: &[BucketOrder], request: &AggRequest) -> Result<(), SearchError> {
    for order in order {
        let OrderKey::Metric { path, property } = &order.by else {
            continue;
        };
        let mut level = &request.sub;
        for (depth, name) in path.iter().enumerate() {
            let Some(agg) = level.iter().find(|agg| agg.name == *name) else {
                return Err(invalid_order(
                    request,
                    format!(
                        "Invalid aggregator order path [{}]. The provided aggregation [{name}] either does not exist, \
                         or is a pipeline aggregation and cannot be used to sort the buckets.",
                        shown(path, property.as_deref())
                    ),
                ));
            };
            let Some(aggregation) = agg.kind.aggregation() else {
                return Err(invalid_order(
                    request,
                    format!(
                        "Invalid aggregator order path [{}]. The provided aggregation [{name}] either does not exist, \
                         or is a pipeline aggregation and cannot be used to sort the buckets.",
                        shown(path, property.as_deref())
                    ),
                ));
            };
            let empty = aggregation.empty(agg);
            let last = depth + 1 == path.len();
            let single = matches!(empty, Partial::Single(_));
            if !last && !single {
                return Err(invalid_order(
                    request,
                    format!(
                        "Invalid aggregation order path [{}]. Buckets can only be sorted on a sub-aggregator path \
                         that is built out of zero or more single-bucket aggregations within the path and a final \
                         single-bucket or a metrics aggregation at the path end.",
                        shown(path, property.as_deref())
                    ),
                ));
            }
            if last && !single {
                let finished = aggregation.finish(agg, empty, &mut Finisher::unlimited());
                match finished.map(|(_, body)| body) {
                    Ok(body) if body.has_property(property.as_deref()) => {}
                    Ok(ResultBody::Buckets(_) | ResultBody::TopHits(_)) => {
                        return Err(invalid_order(
                            request,
                            format!(
                                "Invalid aggregation order path [{}]. Buckets can only be sorted on a sub-aggregator \
                                 path that is built out of zero or more single-bucket aggregations within the path \
                                 and a final single-bucket or a metrics aggregation at the path end.",
                                shown(path, property.as_deref())
                            ),
                        ));
                    }
                    _ => {
                        return Err(invalid_order(
                            request,
                            match property {
                                None => "When ordering on a multi-value metrics aggregation a metric name must be \
                                         specified."
                                    .to_owned(),
                                Some(property) => format!("Unknown value key [{property}]."),
                            },
                        ));
                    }
                }
            }
            level = &agg.sub;
        }
    }
    Ok(())
}

fn shown(path: &[String], property: Option<&str>) -> String {
    match property {
        Some(property) => format!("{}.{property}", path.join(">")),
        None => path.join(">"),
    }
}

fn invalid_order(_request: &AggRequest, reason: String) -> SearchError {
    super::error::AggError::Execution(reason).refuse()
}
