//! The table of everything that is served: an endpoint that is not a row here does not exist.

use std::sync::Arc;

use futures::future::BoxFuture;
use hyper::Method;

use super::{App, RestError, RestRequest, RestResponse};

/// What a handler gives back.
pub type HandlerFuture = BoxFuture<'static, Result<RestResponse, RestError>>;

/// One operation of the API, under all its paths.
pub struct Endpoint {
    /// Name of the operation in the API specification, such as `indices.create`.
    pub name: &'static str,
    /// Methods and paths; a path part in braces is a variable, as in `/{index}/_doc/{id}`.
    pub routes: &'static [(Method, &'static str)],
    /// Query parameters that the operation understands, in groups, besides [`COMMON_PARAMS`] and its path variables.
    pub params: &'static [&'static [&'static str]],
    /// Answers one request: `|app, request| Box::pin(run(app, request))`.
    pub handler: fn(Arc<App>, RestRequest) -> HandlerFuture,
}

impl Endpoint {
    /// The operation's own parameters.
    pub fn own_params(&self) -> impl Iterator<Item = &'static str> {
        self.params.iter().copied().flatten().copied()
    }
}

/// Of whoever asks the masters.
pub const MASTER_PARAMS: &[&str] = &["cluster_manager_timeout", "master_timeout"];

/// Of whoever has the cluster state changed.
pub const CHANGE_PARAMS: &[&str] = &["cluster_manager_timeout", "master_timeout", "timeout"];

/// What names of indices may mean.
pub const INDICES_PARAMS: &[&str] = &["allow_no_indices", "expand_wildcards", "ignore_unavailable"];

/// `q` and what goes with it.
pub const QUERY_TEXT_PARAMS: &[&str] = &[
    "q",
    "df",
    "default_operator",
    "analyzer",
    "analyze_wildcard",
    "lenient",
];

/// Which part of a source is shown.
pub const SOURCE_FILTER_PARAMS: &[&str] = &["_source", "_source_includes", "_source_excludes"];

/// Query parameters that every operation understands.
pub const COMMON_PARAMS: &[&str] = &[
    "pretty",
    "human",
    "error_trace",
    "filter_path",
    "format",
    "source",
    "source_content_type",
];

/// The families, one file each. Order matters only where two rows claim the same method and path: the first wins.
pub const ENDPOINTS: &[&[Endpoint]] = &[
    super::root::ENDPOINTS,
    super::search::ENDPOINTS,
    super::count::ENDPOINTS,
    super::scroll::ENDPOINTS,
    super::pit::ENDPOINTS,
    super::templates::ENDPOINTS,
    super::aliases::ENDPOINTS,
    super::settings::ENDPOINTS,
    super::mappings::ENDPOINTS,
    super::nodes::ENDPOINTS,
    super::cluster_stats::ENDPOINTS,
    super::cat::ENDPOINTS,
    super::cat::LIST_ENDPOINTS,
    super::maintenance::ENDPOINTS,
    super::rollover::ENDPOINTS,
    super::resize::ENDPOINTS,
    super::stats::ENDPOINTS,
    super::segments::ENDPOINTS,
    super::resolve::ENDPOINTS,
    super::cluster_health::ENDPOINTS,
    super::reroute::ENDPOINTS,
    super::voting::ENDPOINTS,
    super::allocation_explain::ENDPOINTS,
    super::cluster_state::ENDPOINTS,
    super::cluster::ENDPOINTS,
    super::indices::ENDPOINTS,
    super::documents::ENDPOINTS,
    super::get::ENDPOINTS,
    super::mget::ENDPOINTS,
    super::update::ENDPOINTS,
    super::bulk::ENDPOINTS,
    super::msearch::ENDPOINTS,
    super::explain::ENDPOINTS,
    super::validate::ENDPOINTS,
    super::field_caps::ENDPOINTS,
    super::analyze::ENDPOINTS,
    super::search_shards::ENDPOINTS,
    super::by_query::ENDPOINTS,
    super::reindex::ENDPOINTS,
    super::tasks::ENDPOINTS,
];

/// All rows of all families.
pub fn all() -> impl Iterator<Item = &'static Endpoint> {
    ENDPOINTS.iter().flat_map(|family| family.iter())
}
