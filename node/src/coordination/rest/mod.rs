//! The REST face: requests in, responses out, errors in the words of OpenSearch.
//!
//! A request passes [`dispatch`], which finds its row in [`endpoints`], checks its parameters and calls the handler.

pub mod alias_body;
pub mod aliases;
pub mod analyze;
pub mod app;
mod bulk;
mod bulk_lines;
pub mod content;
pub mod count;
pub mod dispatch;
mod documents;
pub mod endpoints;
pub mod errors;
pub mod explain;
pub mod field_caps;
pub mod filter_path;
mod get;
pub mod in_flight;
pub mod index_body;
pub mod index_params;
pub mod indices;
pub mod json_text;
pub mod mappings;
mod mget;
pub mod msearch;
pub mod params;
pub mod pit;
pub mod request;
pub mod response;
pub mod root;
pub mod router;
pub mod scroll;
pub mod search;
mod search_errors;
pub mod search_params;
pub mod settings;
pub mod shard_errors;
pub mod templates;
pub mod units;
mod update;
pub mod validate;

pub use app::App;
pub use endpoints::Endpoint;
pub use errors::RestError;
pub use params::Params;
pub use request::RestRequest;
pub use response::RestResponse;
