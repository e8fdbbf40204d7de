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

/// Which order a merge gives its documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reorder {
    /// That of the segments it merges.
    None,
    /// One that brings documents with the same frequent terms together, found quickly.
    Light,
    /// The best one that is found with all the time it takes.
    Full,
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
    /// `index.max_adjacency_matrix_filters`.
    pub max_adjacency_matrix_filters: usize,
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
    /// `index.queries.cache.enabled`.
    pub queries_cache: bool,
    /// `index.reorder`, a setting of this engine alone.
    pub reorder: Reorder,
    /// `index.soft_deletes.retention_lease.period`.
    pub retention_lease_period: Duration,
    /// `k1` of the default BM25 similarity.
    pub bm25_k1: f32,
    /// `b` of the default BM25 similarity.
    pub bm25_b: f32,
}

impl Default for IndexSettings {
    fn default() -> Self {
        IndexSettings {
            max_result_window: 10_000,
            max_inner_result_window: 100,
            max_adjacency_matrix_filters: 100,
            max_docvalue_fields_search: 100,
            max_script_fields: 32,
            max_terms_count: 65_536,
            max_regex_length: 1_000,
            max_ngram_diff: 1,
            max_shingle_diff: 3,
            max_rescore_window: 10_000,
            max_slices_per_scroll: 1_024,
            max_analyzed_offset: 1_000_000,
            analyze_max_token_count: 10_000,
            total_fields_limit: 1_000,
            depth_limit: 20,
            field_name_length_limit: 50_000,
            nested_fields_limit: 50,
            nested_objects_limit: 10_000,
            ignore_malformed: false,
            coerce: true,
            default_field: vec!["*".to_owned()],
            query_string_lenient: false,
            durability: Durability::Request,
            sync_interval: Duration::from_secs(5),
            flush_threshold_bytes: 512 << 20,
            refresh_interval: Some(Duration::from_secs(1)),
            refresh_interval_explicit: false,
            search_idle_after: Duration::from_secs(30),
            gc_deletes: Duration::from_secs(60),
            merge_max_segment_bytes: 5 << 30,
            merge_floor_segment_bytes: 16 << 20,
            merge_segments_per_tier: 10.0,
            merge_max_at_once: 30,
            merge_deletes_pct_allowed: 20.0,
            merge_expunge_deletes_allowed: 10.0,
            queries_cache: true,
            reorder: Reorder::None,
            retention_lease_period: Duration::from_secs(12 * 3600),
            bm25_k1: 1.2,
            bm25_b: 0.75,
        }
    }
}

impl IndexSettings {
    /// Reads flat settings; keys it does not own are left to others.
    pub fn parse(flat: &BTreeMap<String, String>) -> Result<IndexSettings, SettingError> {
        let read = Reader(flat);
        let default = IndexSettings::default();
        let max_result_window =
            read.size("index.max_result_window", default.max_result_window, 1)?;
        let refresh_interval = read.duration("index.refresh_interval", Duration::from_secs(1))?;
        let merge = |name: &str| format!("index.merge.policy.{name}");
        Ok(IndexSettings {
            max_result_window,
            max_inner_result_window: read.size(
                "index.max_inner_result_window",
                default.max_inner_result_window,
                1,
            )?,
            max_adjacency_matrix_filters: read.size(
                "index.max_adjacency_matrix_filters",
                default.max_adjacency_matrix_filters,
                2,
            )?,
            max_docvalue_fields_search: read.size(
                "index.max_docvalue_fields_search",
                default.max_docvalue_fields_search,
                0,
            )?,
            max_script_fields: read.size(
                "index.max_script_fields",
                default.max_script_fields,
                0,
            )?,
            max_terms_count: read.size("index.max_terms_count", default.max_terms_count, 1)?,
            max_regex_length: read.size("index.max_regex_length", default.max_regex_length, 1)?,
            max_ngram_diff: read.size("index.max_ngram_diff", default.max_ngram_diff, 0)?,
            max_shingle_diff: read.size("index.max_shingle_diff", default.max_shingle_diff, 0)?,
            max_rescore_window: read.size("index.max_rescore_window", max_result_window, 1)?,
            max_slices_per_scroll: read.size(
                "index.max_slices_per_scroll",
                default.max_slices_per_scroll,
                1,
            )?,
            max_analyzed_offset: read.size(
                "index.highlight.max_analyzed_offset",
                default.max_analyzed_offset,
                1,
            )?,
            analyze_max_token_count: read.size(
                "index.analyze.max_token_count",
                default.analyze_max_token_count,
                1,
            )?,
            total_fields_limit: read.size(
                "index.mapping.total_fields.limit",
                default.total_fields_limit,
                0,
            )?,
            depth_limit: read_depth_limit(&read, default.depth_limit)?,
            field_name_length_limit: read.size(
                "index.mapping.field_name_length.limit",
                default.field_name_length_limit,
                1,
            )?,
            nested_fields_limit: read.size(
                "index.mapping.nested_fields.limit",
                default.nested_fields_limit,
                0,
            )?,
            nested_objects_limit: read.size(
                "index.mapping.nested_objects.limit",
                default.nested_objects_limit,
                0,
            )?,
            ignore_malformed: read.flag("index.mapping.ignore_malformed", false)?,
            coerce: read.flag("index.mapping.coerce", true)?,
            default_field: read
                .list("index.query.default_field")
                .unwrap_or(default.default_field),
            query_string_lenient: read.flag("index.query_string.lenient", false)?,
            durability: match read
                .get("index.translog.durability")
                .map(str::to_ascii_lowercase)
            {
                None => Durability::Request,
                Some(value) if value == "request" => Durability::Request,
                Some(value) if value == "async" => Durability::Async,
                Some(value) => {
                    return Err(SettingError {
                        key: "index.translog.durability".to_owned(),
                        reason: format!(
                            "No enum constant org.opensearch.index.translog.Translog.Durability.{}",
                            value.to_ascii_uppercase()
                        ),
                    });
                }
            },
            sync_interval: read
                .duration("index.translog.sync_interval", default.sync_interval)?
                .unwrap_or(default.sync_interval),
            flush_threshold_bytes: read.bytes(
                "index.translog.flush_threshold_size",
                default.flush_threshold_bytes,
            )?,
            refresh_interval,
            refresh_interval_explicit: read.get("index.refresh_interval").is_some(),
            search_idle_after: read
                .duration("index.search.idle.after", default.search_idle_after)?
                .unwrap_or(Duration::MAX),
            gc_deletes: read
                .duration("index.gc_deletes", default.gc_deletes)?
                .unwrap_or(Duration::MAX),
            merge_max_segment_bytes: read.bytes(
                &merge("max_merged_segment"),
                default.merge_max_segment_bytes,
            )?,
            merge_floor_segment_bytes: read
                .bytes(&merge("floor_segment"), default.merge_floor_segment_bytes)?,
            merge_segments_per_tier: read.float(
                &merge("segments_per_tier"),
                default.merge_segments_per_tier,
                2.0,
            )?,
            merge_max_at_once: read.size(
                &merge("max_merge_at_once"),
                default.merge_max_at_once,
                2,
            )?,
            merge_deletes_pct_allowed: read.float(
                &merge("deletes_pct_allowed"),
                default.merge_deletes_pct_allowed,
                5.0,
            )?,
            merge_expunge_deletes_allowed: read.float(
                &merge("expunge_deletes_allowed"),
                default.merge_expunge_deletes_allowed,
                0.0,
            )?,
            queries_cache: read.flag("index.queries.cache.enabled", true)?,
            reorder: read.reorder("index.reorder")?,
            retention_lease_period: read
                .duration(
                    "index.soft_deletes.retention_lease.period",
                    default.retention_lease_period,
                )?
                .unwrap_or(Duration::MAX),
            bm25_k1: read.float("index.similarity.default.k1", 1.2, 0.0)? as f32,
            bm25_b: read.share("index.similarity.default.b", 0.75)? as f32,
        })
    }
}

/// Deepest mapping that can be asked for: two levels of JSON a field, in the mapping and wherever it is kept.
const DEPTH_LIMIT_MAX: usize = 50;

fn read_depth_limit(read: &Reader<'_>, default: usize) -> Result<usize, SettingError> {
    let key = "index.mapping.depth.limit";
    let limit = read.size(key, default, 1)?;
    if limit > DEPTH_LIMIT_MAX {
        return Err(SettingError {
            key: key.to_owned(),
            reason: format!(
                "Failed to parse value [{limit}] for setting [{key}] must be <= {DEPTH_LIMIT_MAX}"
            ),
        });
    }
    Ok(limit)
}

/// Typed reads of flat settings, with OpenSearch's reasons when they fail.
struct Reader<'a>(&'a BTreeMap<String, String>);

impl Reader<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    fn fail<T>(key: &str, reason: String) -> Result<T, SettingError> {
        Err(SettingError {
            key: key.to_owned(),
            reason,
        })
    }

    fn size(&self, key: &str, default: usize, min: usize) -> Result<usize, SettingError> {
        let Some(text) = self.get(key) else {
            return Ok(default);
        };
        let Ok(value) = text.parse::<i64>() else {
            return Self::fail(
                key,
                format!("Failed to parse value [{text}] for setting [{key}]"),
            );
        };
        if value < min as i64 {
            return Self::fail(
                key,
                format!("Failed to parse value [{text}] for setting [{key}] must be >= {min}"),
            );
        }
        Ok(usize::try_from(value).unwrap_or(usize::MAX))
    }

    fn reorder(&self, key: &str) -> Result<Reorder, SettingError> {
        match self.get(key).map(str::to_ascii_lowercase).as_deref() {
            None | Some("none") => Ok(Reorder::None),
            Some("light") => Ok(Reorder::Light),
            Some("full") => Ok(Reorder::Full),
            Some(other) => Self::fail(
                key,
                format!(
                    "unknown value [{other}] for setting [{key}], must be one of [none, light, full]"
                ),
            ),
        }
    }

    fn flag(&self, key: &str, default: bool) -> Result<bool, SettingError> {
        match self.get(key) {
            None => Ok(default),
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            Some(other) => Self::fail(
                key,
                format!("Failed to parse value [{other}] as only [true] or [false] are allowed."),
            ),
        }
    }

    fn float(&self, key: &str, default: f64, min: f64) -> Result<f64, SettingError> {
        let Some(text) = self.get(key) else {
            return Ok(default);
        };
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() && value >= min => Ok(value),
            Ok(_) => Self::fail(
                key,
                format!("Failed to parse value [{text}] for setting [{key}] must be >= {min:?}"),
            ),
            Err(_) => Self::fail(
                key,
                format!("Failed to parse value [{text}] for setting [{key}]"),
            ),
        }
    }

    /// A number from 0 to 1.
    fn share(&self, key: &str, default: f64) -> Result<f64, SettingError> {
        let value = self.float(key, default, 0.0)?;
        if value > 1.0 {
            let reason =
                format!("Failed to parse value [{value}] for setting [{key}] must be <= 1.0");
            return Self::fail(key, reason);
        }
        Ok(value)
    }

    fn list(&self, key: &str) -> Option<Vec<String>> {
        if let Some(text) = self.get(key) {
            if let Ok(items) = serde_json::from_str::<Vec<String>>(text) {
                return Some(items);
            }
            return Some(text.split(',').map(|item| item.trim().to_owned()).collect());
        }
        let items: Vec<String> = (0..)
            .map_while(|n| self.get(&format!("{key}.{n}")).map(str::to_owned))
            .collect();
        (!items.is_empty()).then_some(items)
    }

    /// `None` for -1: never.
    fn duration(&self, key: &str, default: Duration) -> Result<Option<Duration>, SettingError> {
        let Some(text) = self.get(key) else {
            return Ok(Some(default));
        };
        let text = text.trim();
        if text == "-1" {
            return Ok(None);
        }
        if text == "0" {
            return Ok(Some(Duration::ZERO));
        }
        const UNITS: &[(&str, u64)] = &[
            ("nanos", 1),
            ("micros", 1_000),
            ("ms", 1_000_000),
            ("s", 1_000_000_000),
            ("m", 60_000_000_000),
            ("h", 3_600_000_000_000),
            ("d", 86_400_000_000_000),
        ];
        let unknown = || {
            Self::fail(
                key,
                format!(
                    "failed to parse setting [{key}] with value [{text}] as a time value: unit is missing or unrecognized"
                ),
            )
        };
        let lower = text.to_ascii_lowercase();
        let Some((number, nanos)) = UNITS.iter().find_map(|(suffix, nanos)| {
            let number = lower.strip_suffix(suffix)?;
            number.parse::<u64>().ok().map(|number| (number, *nanos))
        }) else {
            return unknown();
        };
        match number.checked_mul(nanos) {
            Some(nanos) => Ok(Some(Duration::from_nanos(nanos))),
            None => unknown(),
        }
    }

    fn bytes(&self, key: &str, default: u64) -> Result<u64, SettingError> {
        let Some(text) = self.get(key) else {
            return Ok(default);
        };
        let lower = text.trim().to_ascii_lowercase();
        const UNITS: &[(&str, u64)] = &[
            ("kb", 1 << 10),
            ("mb", 1 << 20),
            ("gb", 1 << 30),
            ("tb", 1 << 40),
            ("pb", 1 << 50),
            ("k", 1 << 10),
            ("m", 1 << 20),
            ("g", 1 << 30),
            ("t", 1 << 40),
            ("p", 1 << 50),
            ("b", 1),
        ];
        for (suffix, unit) in UNITS {
            if let Some(number) = lower.strip_suffix(suffix)
                && let Ok(number) = number.trim().parse::<f64>()
                && number >= 0.0
                && number.is_finite()
            {
                return Ok((number * *unit as f64) as u64);
            }
        }
        Self::fail(
            key,
            format!(
                "failed to parse setting [{key}] with value [{text}] as a size in bytes: unit is missing or unrecognized"
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(pairs: &[(&str, &str)]) -> Result<IndexSettings, SettingError> {
        let flat = pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        IndexSettings::parse(&flat)
    }

    #[test]
    fn nothing_given_means_defaults() {
        assert_eq!(parse(&[]).unwrap(), IndexSettings::default());
    }

    #[test]
    fn values_are_typed() {
        let settings = parse(&[
            ("index.refresh_interval", "-1"),
            ("index.translog.durability", "async"),
            ("index.translog.flush_threshold_size", "1.5kb"),
            ("index.gc_deletes", "5m"),
            ("index.query.default_field.0", "a"),
            ("index.query.default_field.1", "b"),
        ])
        .unwrap();
        assert_eq!(settings.refresh_interval, None);
        assert_eq!(settings.durability, Durability::Async);
        assert_eq!(settings.flush_threshold_bytes, 1536);
        assert_eq!(settings.gc_deletes, Duration::from_secs(300));
        assert_eq!(settings.default_field, ["a", "b"]);
        assert_eq!(
            parse(&[("index.reorder", "light")]).unwrap().reorder,
            Reorder::Light
        );
        let refused = parse(&[("index.reorder", "best")]).unwrap_err();
        assert!(
            refused
                .reason
                .ends_with("must be one of [none, light, full]")
        );
        assert!(parse(&[("index.max_result_window", "x")]).is_err());
        assert!(parse(&[("index.refresh_interval", "5")]).is_err());
    }
}
