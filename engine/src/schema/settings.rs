//! Index settings that the engine obeys.

use std::collections::BTreeMap;
use std::time::Duration;

use thiserror::Error;

/// When the translog is synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Before each answer.
    Request,
    /// Every `sync_interval`.
    Async,
}

/// A setting whose value cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{reason}")]
pub struct SettingError {
    /// The setting.
    pub key: String,
    /// OpenSearch's reason.
    pub reason: String,
}

/// Engine-level settings of an index, with OpenSearch's defaults.
#[derive(Clone, Debug, PartialEq)]
pub struct IndexSettings {
    /// `index.max_result_window`.
    pub max_result_window: usize,
    /// `index.max_inner_result_window`.
    pub max_inner_result_window: usize,
    /// `index.max_docvalue_fields_search`.
    pub max_docvalue_fields_search: usize,
    /// `index.max_script_fields`.
    pub max_script_fields: usize,
    /// `index.max_terms_count`.
    pub max_terms_count: usize,
    /// `index.max_regex_length`.
    pub max_regex_length: usize,
    /// `index.max_ngram_diff`.
    pub max_ngram_diff: usize,
    /// `index.max_shingle_diff`.
    pub max_shingle_diff: usize,
    /// `index.max_rescore_window`; follows `max_result_window` unless set.
    pub max_rescore_window: usize,
    /// `index.max_slices_per_scroll`.
    pub max_slices_per_scroll: usize,
    /// `index.highlight.max_analyzed_offset`.
    pub max_analyzed_offset: usize,
    /// `index.analyze.max_token_count`.
    pub analyze_max_token_count: usize,
    /// `index.mapping.total_fields.limit`.
    pub total_fields_limit: usize,
    /// `index.mapping.depth.limit`.
    pub depth_limit: usize,
    /// `index.mapping.field_name_length.limit`.
    pub field_name_length_limit: usize,
    /// `index.mapping.nested_fields.limit`.
    pub nested_fields_limit: usize,
    /// `index.mapping.nested_objects.limit`.
    pub nested_objects_limit: usize,
    /// `index.mapping.ignore_malformed`.
    pub ignore_malformed: bool,
    /// `index.mapping.coerce`.
    pub coerce: bool,
    /// `index.query.default_field`.
    pub default_field: Vec<String>,
    /// `index.query_string.lenient`.
    pub query_string_lenient: bool,
    /// `index.translog.durability`.
    pub durability: Durability,
    /// `index.translog.sync_interval`.
    pub sync_interval: Duration,
    /// `index.translog.flush_threshold_size`, in bytes.
    pub flush_threshold_bytes: u64,
    /// `index.refresh_interval`; `None` when -1: never.
    pub refresh_interval: Option<Duration>,
    /// Whether `index.refresh_interval` was given: else an idle shard stops refreshing.
    pub refresh_interval_explicit: bool,
    /// `index.search.idle.after`.
    pub search_idle_after: Duration,
    /// `index.gc_deletes`.
    pub gc_deletes: Duration,
    /// `index.merge.policy.max_merged_segment`, in bytes.
    pub merge_max_segment_bytes: u64,
    /// `index.merge.policy.floor_segment`, in bytes.
    pub merge_floor_segment_bytes: u64,
    /// `index.merge.policy.segments_per_tier`.
    pub merge_segments_per_tier: f64,
    /// `index.merge.policy.max_merge_at_once`.
    pub merge_max_at_once: usize,
    /// `index.merge.policy.deletes_pct_allowed`.
    pub merge_deletes_pct_allowed: f64,
    /// `index.merge.policy.expunge_deletes_allowed`.
    pub merge_expunge_deletes_allowed: f64,
    /// `index.soft_deletes.retention_lease.period`.
    pub retention_lease_period: Duration,
    /// `k1` of the default BM25 similarity.
    pub bm25_k1: f32,
    /// `b` of the default BM25 similarity.
    pub bm25_b: f32,
}

#[allow(clippy::todo)]
impl IndexSettings {
    /// Reads flat settings; keys it does not own are left to others.
    pub fn parse(_flat: &BTreeMap<String, String>) -> Result<IndexSettings, SettingError> {
        todo!()
    }
}
