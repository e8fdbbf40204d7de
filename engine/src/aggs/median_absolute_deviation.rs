//! `median_absolute_deviation`: the median of the distances from the median.

use serde::{Deserialize, Serialize};

use super::aggregation::Aggregation;
use super::collector::{AggContext, Aggregator};
use super::digest_partial::{DigestAggregator, DigestMethod, DigestPartial, Sketch};
use super::error::AggError;
use super::partial::{Finisher, Partial};
use super::request::{AggRequest, FieldSource};
use super::result::ResultBody;
use super::tdigest::TDigest;
use crate::search::SearchError;

/// A robust measure of spread.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MedianAbsoluteDeviationAgg {
    /// Where the values come from.
    pub source: FieldSource,
    /// Of the t-digest; above 0, 1000 unless said otherwise.
    pub compression: f64,
}

impl MedianAbsoluteDeviationAgg {
    fn method(&self) -> DigestMethod {
        DigestMethod::TDigest {
            compression: self.compression,
        }
    }
}

impl Aggregation for MedianAbsoluteDeviationAgg {
    fn aggregator<'a>(
        &'a self,
        _request: &'a AggRequest,
        ctx: &AggContext<'a>,
    ) -> Result<Box<dyn Aggregator + 'a>, SearchError> {
        DigestAggregator::boxed(
            &self.source,
            ctx,
            "median_absolute_deviation",
            self.method(),
        )
    }

    fn empty(&self, _request: &AggRequest) -> Partial {
        Partial::Digest(DigestPartial::empty(self.method()))
    }

    fn finish(
        &self,
        request: &AggRequest,
        partial: Partial,
        _finisher: &mut Finisher,
    ) -> Result<(&'static str, ResultBody), AggError> {
        let Partial::Digest(DigestPartial {
            sketch: Sketch::TDigest(mut digest),
            format,
        }) = partial
        else {
            return Err(partial.mismatch(request));
        };
        let mut value = None;
        if digest.count() > 0 {
            digest.compress();
            let median = digest.quantile(0.5);
            let mut deviations = TDigest::new(self.compression);
            for (mean, weight) in digest.centroids() {
                deviations.add_many((median - mean).abs(), weight);
            }
            deviations.compress();
            value = Some(deviations.quantile(0.5));
        }
        let text = value.and_then(|value| format.number(value));
        Ok((
            "median_absolute_deviation",
            ResultBody::Value { value, text },
        ))
    }
}
