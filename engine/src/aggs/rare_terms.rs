//! `rare_terms`: a bucket per value that few documents have.

use serde::{Deserialize, Serialize};

use super::aggregation::Aggregation;
use super::collector::{AggContext, Aggregator};
use super::error::AggError;
use super::include_exclude::IncludeExclude;
use super::order::BucketOrder;
use super::partial::{Finisher, Partial};
use super::request::{AggRequest, FieldSource};
use super::result::{Bucket, Buckets, ResultBody};
use super::source::Source;
use super::terms::TermsAgg;
use super::terms_partial::{TermsKind, compare_buckets};
use crate::schema::NumericKind;
use crate::search::SearchError;

/// A bucket per rare value, rarest first. Shards send their rare terms and a hash of each common one, so the answer is
/// exact but for collisions of 64-bit hashes, which can hide a term.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RareTermsAgg {
    /// The most documents that a term may have, 1 to 100.
    pub max_doc_count: u64,
    /// Where the terms come from.
    pub terms: TermsAgg,
}

impl RareTermsAgg {
    /// The values that one document has.
    pub fn new(source: FieldSource, filter: IncludeExclude, max_doc_count: u64) -> RareTermsAgg {
        RareTermsAgg {
            max_doc_count,
            terms: TermsAgg {
                size: usize::MAX,
                order: vec![BucketOrder::count(true)],
                filter,
                ..TermsAgg::new(source)
            },
        }
    }
}

impl Aggregation for RareTermsAgg {
    fn aggregator<'a>(
        &'a self,
        request: &'a AggRequest,
        ctx: &AggContext<'a>,
    ) -> Result<Box<dyn Aggregator + 'a>, SearchError> {
        let source = &self.terms.source;
        if let Source::Numeric(numeric) =
            Source::resolve(source, &ctx.reader.schema, ctx.search, None)?
            && matches!(numeric.kind, NumericKind::F64 | NumericKind::Scaled(_))
        {
            return Err(AggError::Execution(
                "RareTerms aggregation does not support floating point fields.".to_owned(),
            )
            .refuse());
        }
        self.terms.collector(request, ctx, Some(self.max_doc_count))
    }

    fn empty(&self, request: &AggRequest) -> Partial {
        self.terms.empty(request)
    }

    fn finish(
        &self,
        request: &AggRequest,
        partial: Partial,
        finisher: &mut Finisher,
    ) -> Result<(&'static str, ResultBody), AggError> {
        let Partial::Terms(partial) = partial else {
            return Err(partial.mismatch(request));
        };
        let type_name = match partial.kind {
            TermsKind::Text => "srareterms",
            TermsKind::Unmapped => "umrareterms",
            _ => "lrareterms",
        };
        let mut rare = partial.buckets;
        rare.retain(|bucket| {
            bucket.doc_count <= self.max_doc_count
                && partial.common.binary_search(&bucket.key.hash64()).is_err()
        });
        let order = &self.terms.order;
        rare.sort_by(|a, b| {
            compare_buckets(
                order,
                (a.doc_count, &a.key, &[]),
                (b.doc_count, &b.key, &[]),
            )
        });
        let mut buckets = Vec::with_capacity(rare.len());
        for bucket in rare {
            finisher.count_bucket()?;
            let aggs = finisher.list(&request.sub, bucket.sub)?;
            let (key, text) = bucket.key.shown(&partial.format);
            buckets.push(Bucket::new(key, text, bucket.doc_count, aggs));
        }
        Ok((
            type_name,
            ResultBody::Buckets(Buckets {
                buckets,
                ..Buckets::default()
            }),
        ))
    }
}
