//! Plan of `simple_query_string`.

use super::Planner;
use crate::exec::node::Node;
use crate::query::SimpleQueryStringQuery;
use crate::search::SearchError;

impl Planner<'_> {
    pub(super) fn simple_query_string(
        &mut self,
        _q: &SimpleQueryStringQuery,
        _boost: f32,
    ) -> Result<Node, SearchError> {
        Err(SearchError::illegal(
            "[simple_query_string] is not supported yet",
        ))
    }
}
