//! Hits inside hits: what a collapsed search shows of each group.

use futures::FutureExt;
use futures::future::BoxFuture;
use quidditch_engine::query::{BoolQuery, ExistsQuery, Query, TermQuery};
use quidditch_engine::value::Value;
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::dsl::collapse::CollapseSpec;
use super::dsl::search_body::SearchBody;
use super::fan_out::fan_out;
use super::reduce::MergedHit;
use super::rest::RestError;
use super::search_input::SearchInput;
use super::search_response::InnerHitsJson;
use super::searcher::Searcher;

/// The inner hits of one hit, by name.
type InnerHitLists = Vec<(String, Box<RawValue>)>;

impl Searcher {
    /// The inner hits of each hit of a page, by name. Boxed, as it searches again from within a search.
    pub(super) fn expand<'a>(
        &'a self,
        input: &'a SearchInput,
        collapse: &'a CollapseSpec,
        page: &'a [MergedHit],
        cancel_by: Option<Instant>,
    ) -> BoxFuture<'a, Result<Vec<InnerHitLists>, RestError>> {
        self.expand_page(input, collapse, page, cancel_by).boxed()
    }

    async fn expand_page(
        &self,
        input: &SearchInput,
        collapse: &CollapseSpec,
        page: &[MergedHit],
        cancel_by: Option<Instant>,
    ) -> Result<Vec<InnerHitLists>, RestError> {
        let mut jobs = Vec::new();
        for merged in page {
            for inner in &collapse.inner_hits {
                let value = merged.hit.collapse.as_ref().unwrap_or(&Value::Null);
                let body = SearchBody {
                    query: Some(group_query(&input.body, &collapse.field, value)),
                    pit: input.body.pit.clone(),
                    ..inner.body.clone()
                };
                let inner_input = SearchInput {
                    body,
                    scroll: None,
                    ..input.clone()
                };
                jobs.push(
                    async move {
                        let answer = self.search_until(&inner_input, cancel_by).await?;
                        serde_json::value::to_raw_value(&InnerHitsJson(&answer)).map_err(|error| {
                            RestError::new(
                                500,
                                "exception",
                                format!("inner hits cannot be written: {error}"),
                            )
                        })
                    }
                    .boxed(),
                );
            }
        }
        let at_once = collapse
            .at_once
            .unwrap_or(input.max_concurrent_shard_requests);
        let mut answers = fan_out(jobs, at_once).await.into_iter();
        let mut all = Vec::with_capacity(page.len());
        for _ in page {
            let mut of_hit = Vec::with_capacity(collapse.inner_hits.len());
            for inner in &collapse.inner_hits {
                if let Some(answer) = answers.next() {
                    let name = inner.name.as_ref().unwrap_or(&collapse.field);
                    of_hit.push((name.clone(), answer?));
                }
            }
            all.push(of_hit);
        }
        Ok(all)
    }
}

/// What the search looks for, within one group.
fn group_query(body: &SearchBody, field: &str, value: &Value) -> Query {
    let mut group = BoolQuery::default();
    group.must.extend(body.query.clone());
    group.filter.extend(body.post_filter.clone());
    match value {
        Value::Null => {
            let exists = ExistsQuery::new(field);
            group.must_not.push(Query::Exists(exists));
        }
        value => {
            let term = TermQuery::new(field, value.clone());
            group.filter.push(Query::Term(term));
        }
    }
    Query::Bool(group)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_without_value_is_what_lacks_the_field() {
        let body = SearchBody {
            query: Some(Query::match_all()),
            ..SearchBody::default()
        };
        let Query::Bool(none) = group_query(&body, "g", &Value::Null) else {
            panic!("a bool query");
        };
        assert_eq!(
            (none.must.len(), none.filter.len(), none.must_not.len()),
            (1, 0, 1)
        );
        let Query::Bool(some) = group_query(&body, "g", &Value::I64(1)) else {
            panic!("a bool query");
        };
        assert_eq!((some.filter.len(), some.must_not.len()), (1, 0));
    }
}
