//! `GET /` and `HEAD /`: who is there.

use std::sync::Arc;

use hyper::Method;
use serde_json::json;

use super::{App, Endpoint, RestError, RestRequest, RestResponse};

/// The release of OpenSearch whose behaviour this server has.
pub const OPENSEARCH_VERSION: &str = "3.6.0";

/// Its Lucene, in whose words scores and formats are explained.
pub const LUCENE_VERSION: &str = "10.4.0";

/// A commit of ours, 40 hexadecimal digits, when the build knew it.
pub const BUILD_HASH: &str = match option_env!("QUIDDITCH_BUILD_HASH") {
    Some(hash) => hash,
    None => "unknown",
};

/// What stands behind `OpenSearch-` in `Warning` headers.
pub const OPENSEARCH_WARNING_AGENT: &str = "3.6.0-unknown";

pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        name: "info",
        routes: &[(Method::GET, "/")],
        params: &[],
        handler: |app, request| Box::pin(info(app, request)),
    },
    Endpoint {
        name: "ping",
        routes: &[(Method::HEAD, "/")],
        params: &[],
        handler: |app, request| Box::pin(info(app, request)),
    },
];

async fn info(app: Arc<App>, _request: RestRequest) -> Result<RestResponse, RestError> {
    Ok(RestResponse::ok(&json!({
        "name": app.node.name,
        "cluster_name": app.config.cluster_name,
        "cluster_uuid": app.state().cluster_uuid,
        "version": {
            "distribution": "opensearch",
            "number": OPENSEARCH_VERSION,
            "build_type": "tar",
            "build_hash": BUILD_HASH,
            "build_date": "2026-01-01T00:00:00.000000000Z",
            "build_snapshot": false,
            "lucene_version": LUCENE_VERSION,
            "minimum_wire_compatibility_version": "2.19.0",
            "minimum_index_compatibility_version": "2.0.0",
            "quidditch": env!("CARGO_PKG_VERSION"),
        },
        "tagline": "The OpenSearch Project: https://opensearch.org/",
    })))
}
