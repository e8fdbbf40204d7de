//! Plan of `query_string`.

use super::Planner;
use crate::exec::node::Node;
use crate::query::QueryStringQuery;
use crate::search::SearchError;

impl Planner<'_> {
    pub(super) fn query_string(
        &mut self,
        _q: &QueryStringQuery,
        _boost: f32,
    ) -> Result<Node, SearchError> {
        Err(SearchError::illegal("[query_string] is not supported yet"))
    }
}
