//! What the settings of an index allow aggregations.

use quidditch_engine::aggs::{AggKind, AggRequest};
use quidditch_engine::schema::IndexSettings;
use quidditch_engine::search::SearchError;

/// Refuses aggregations that ask for more than an index gives, in the words of the shard.
pub fn check_limits(aggs: &[AggRequest], settings: &IndexSettings) -> Result<(), SearchError> {
    for agg in aggs {
        check(agg, settings)?;
        check_limits(&agg.sub, settings)?;
    }
    Ok(())
}

fn check(agg: &AggRequest, settings: &IndexSettings) -> Result<(), SearchError> {
    match &agg.kind {
        AggKind::TopHits(hits) => {
            let allowed = settings.max_inner_result_window;
            let found = hits.from.saturating_add(hits.size);
            if found > allowed {
                return Err(SearchError::illegal(format!(
                    "Top hits result window is too large, the top hits aggregator [{}]'s from + size must be less \
                     than or equal to: [{allowed}] but was [{found}]. This limit can be set by changing the \
                     [index.max_inner_result_window] index level setting.",
                    agg.name
                )));
            }
        }
        AggKind::AdjacencyMatrix(matrix) => {
            let (allowed, found) = (settings.max_adjacency_matrix_filters, matrix.filters.len());
            if found > allowed {
                return Err(SearchError::illegal(format!(
                    "Number of filters is too large, must be less than or equal to: [{allowed}] but was [{found}]. \
                     This limit can be set by changing the [index.max_adjacency_matrix_filters] index level setting."
                )));
            }
        }
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::coordination::dsl::aggs::parse_aggs;

    #[test]
    fn an_index_allows_what_its_settings_say() {
        let filters =
            json!({"a": {"match_all": {}}, "b": {"match_all": {}}, "c": {"match_all": {}}});
        for (agg, name) in [
            (
                json!({"top_hits": {"from": 2, "size": 1}}),
                "max_inner_result_window",
            ),
            (
                json!({"adjacency_matrix": {"filters": filters}}),
                "max_adjacency_matrix_filters",
            ),
        ] {
            let body = json!({"by": {"terms": {"field": "f"}, "aggs": {"x": agg}}});
            let aggs = parse_aggs(&body).unwrap();
            let mut settings = IndexSettings::default();
            assert_eq!(check_limits(&aggs, &settings), Ok(()), "{name}");
            settings.max_inner_result_window = 2;
            settings.max_adjacency_matrix_filters = 2;
            let refused = check_limits(&aggs, &settings).unwrap_err();
            assert!(
                refused.reason().contains(&format!("[index.{name}]")),
                "{}",
                refused.reason()
            );
        }
    }
}
