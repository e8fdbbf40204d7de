//! Final answers, ready to be shown.

use crate::geo::{GeoBox, GeoPoint};

/// What one aggregation answers.
#[derive(Clone, Debug, PartialEq)]
pub struct AggResult {
    /// The name its author gave.
    pub name: String,
    /// The type that `typed_keys` puts before the name: `sterms`, `avg`, ….
    pub type_name: &'static str,
    /// The request's `meta`, as JSON text.
    pub meta: Option<String>,
    /// The answer proper.
    pub body: ResultBody,
}

/// The shapes that answers have.
#[derive(Clone, Debug, PartialEq)]
pub enum ResultBody {
    /// `value` and, with a format, `value_as_string`; `None` shows as `null`.
    Value {
        /// The number; not finite shows as `null`.
        value: Option<f64>,
        /// The formatted number.
        text: Option<String>,
    },
    /// The change to the bucket before, and that per unit.
    Derivative {
        /// The number.
        value: f64,
        /// The formatted number.
        text: Option<String>,
        /// `normalized_value`, if a unit was given.
        normalized: Option<f64>,
    },
    /// A whole number: `value_count`, `cardinality`.
    Count(u64),
    /// `count`, `min`, `max`, `avg`, `sum`.
    Stats(StatsResult),
    /// [`ResultBody::Stats`] and the spread.
    ExtendedStats(ExtendedStatsResult),
    /// `values`: an object by percent, or a list.
    Percentiles {
        /// An object instead of a list.
        keyed: bool,
        /// In the order asked for.
        values: Vec<PercentileEntry>,
    },
    /// The box around places; `None` without any.
    GeoBounds(Option<GeoBox>),
    /// The middle of places.
    GeoCentroid {
        /// `None` without any.
        location: Option<GeoPoint>,
        /// How many there are.
        count: u64,
    },
    /// One bucket: `filter`, `missing`, `global`.
    Single {
        /// Documents in it.
        doc_count: u64,
        /// Its sub-aggregations.
        aggs: Vec<AggResult>,
    },
    /// Several buckets.
    Buckets(Buckets),
    /// The best documents.
    TopHits(super::top_hits::TopHitsResult),
    /// The value of the best buckets and their keys: `max_bucket`, `min_bucket`.
    BucketValue {
        /// The value, `None` without any bucket.
        value: Option<f64>,
        /// The formatted value.
        text: Option<String>,
        /// Keys of all buckets that have it.
        keys: Vec<String>,
    },
}

impl ResultBody {
    /// One number of the answer: `value` of a single one, `avg` of stats, `95` of percentiles, `_count` of a bucket.
    /// `None` when there is no such number or no data for it.
    pub fn property(&self, name: Option<&str>) -> Option<f64> {
        match (self, name) {
            (
                ResultBody::Value { value, .. } | ResultBody::BucketValue { value, .. },
                None | Some("value"),
            ) => *value,
            (ResultBody::Derivative { value, .. }, None | Some("value")) => Some(*value),
            (ResultBody::Derivative { normalized, .. }, Some("normalized_value")) => *normalized,
            (ResultBody::Count(count), None | Some("value")) => Some(*count as f64),
            (ResultBody::Single { doc_count, .. }, None | Some("_count" | "doc_count")) => {
                Some(*doc_count as f64)
            }
            (ResultBody::Stats(stats), Some(name)) => stats.property(name),
            (ResultBody::ExtendedStats(stats), Some(name)) => stats.property(name),
            (ResultBody::Percentiles { values, .. }, Some(name)) => {
                let percent: f64 = name.parse().ok()?;
                values.iter().find(|entry| entry.key == percent)?.value
            }
            _ => None,
        }
    }

    /// Whether there is such a number, with or without data.
    pub fn has_property(&self, name: Option<&str>) -> bool {
        match (self, name) {
            (
                ResultBody::Value { .. }
                | ResultBody::Derivative { .. }
                | ResultBody::BucketValue { .. }
                | ResultBody::Count(_),
                None | Some("value"),
            ) => true,
            (ResultBody::Derivative { .. }, Some("normalized_value")) => true,
            (ResultBody::Single { .. }, None | Some("_count" | "doc_count")) => true,
            (ResultBody::Stats(_), Some(name)) => STATS_NAMES.contains(&name),
            (ResultBody::ExtendedStats(_), Some(name)) => {
                STATS_NAMES.contains(&name) || EXTENDED_STATS_NAMES.contains(&name)
            }
            (ResultBody::Percentiles { values, .. }, Some(name)) => name
                .parse()
                .is_ok_and(|percent: f64| values.iter().any(|entry| entry.key == percent)),
            _ => false,
        }
    }
}

const STATS_NAMES: [&str; 5] = ["count", "min", "max", "avg", "sum"];
const EXTENDED_STATS_NAMES: [&str; 13] = [
    "sum_of_squares",
    "variance",
    "variance_population",
    "variance_sampling",
    "std_deviation",
    "std_deviation_population",
    "std_deviation_sampling",
    "std_upper",
    "std_lower",
    "std_upper_population",
    "std_lower_population",
    "std_upper_sampling",
    "std_lower_sampling",
];

impl StatsResult {
    fn property(&self, name: &str) -> Option<f64> {
        match name {
            "count" => Some(self.count as f64),
            "min" => self.min,
            "max" => self.max,
            "avg" => self.avg,
            "sum" => Some(self.sum),
            _ => None,
        }
    }
}

impl ExtendedStatsResult {
    fn property(&self, name: &str) -> Option<f64> {
        let population = self.deviation_population();
        let sampling = self.deviation_sampling();
        match name {
            "sum_of_squares" => self.sum_of_squares,
            "variance" | "variance_population" => self.variance_population,
            "variance_sampling" => self.variance_sampling,
            "std_deviation" | "std_deviation_population" => population,
            "std_deviation_sampling" => sampling,
            "std_upper" | "std_upper_population" => self.bound(population, 1.0),
            "std_lower" | "std_lower_population" => self.bound(population, -1.0),
            "std_upper_sampling" => self.bound(sampling, 1.0),
            "std_lower_sampling" => self.bound(sampling, -1.0),
            _ => self.stats.property(name),
        }
    }
}

/// The answer of `stats`.
#[derive(Clone, Debug, PartialEq)]
pub struct StatsResult {
    /// Values seen.
    pub count: u64,
    /// Smallest, if there was any value.
    pub min: Option<f64>,
    /// Largest.
    pub max: Option<f64>,
    /// Mean.
    pub avg: Option<f64>,
    /// Sum; 0 of nothing.
    pub sum: f64,
    /// min, max, avg, sum as text, when the field has a format and there are values.
    pub text: Option<[String; 4]>,
}

/// The answer of `extended_stats`. `None` shows as `null`.
#[derive(Clone, Debug, PartialEq)]
pub struct ExtendedStatsResult {
    /// The plain part.
    pub stats: StatsResult,
    /// Sum of the squares.
    pub sum_of_squares: Option<f64>,
    /// `variance_population`, which `variance` repeats.
    pub variance_population: Option<f64>,
    /// With `n - 1`.
    pub variance_sampling: Option<f64>,
    /// How many deviations the bounds lie from the mean.
    pub sigma: f64,
    /// The format's text of a number; `None` without a format.
    pub format: Option<super::format::ValueFormat>,
}

/// One percentile or rank.
#[derive(Clone, Debug, PartialEq)]
pub struct PercentileEntry {
    /// The percent (or the value that was ranked).
    pub key: f64,
    /// What lies there; `None` without data.
    pub value: Option<f64>,
    /// The formatted value.
    pub text: Option<String>,
}

/// A list of buckets and what stands beside it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Buckets {
    /// An object by name instead of a list.
    pub keyed: bool,
    /// When a bucket shows `key`.
    pub keys: BucketKeys,
    /// `doc_count_error_upper_bound`; -1 is unknown.
    pub doc_count_error_upper_bound: Option<i64>,
    /// `sum_other_doc_count`.
    pub sum_other_doc_count: Option<u64>,
    /// `doc_count` and `bg_count` of `significant_terms`.
    pub counts: Option<(u64, u64)>,
    /// `after_key` of a composite.
    pub after_key: Option<Key>,
    /// `interval` that an `auto_date_histogram` chose.
    pub interval: Option<String>,
    /// In the order to be shown.
    pub buckets: Vec<Bucket>,
}

/// When buckets show their key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BucketKeys {
    /// Always, as terms and histograms do.
    #[default]
    Shown,
    /// In a list only, as ranges do.
    InLists,
    /// Never, as filters do.
    Hidden,
}

/// One bucket.
#[derive(Clone, Debug, PartialEq)]
pub struct Bucket {
    /// What it stands for.
    pub key: Key,
    /// `key_as_string`.
    pub key_as_string: Option<String>,
    /// `from` and `from_as_string` of a range.
    pub from: Option<(Key, Option<String>)>,
    /// `to` and `to_as_string` of a range.
    pub to: Option<(Key, Option<String>)>,
    /// Documents in it.
    pub doc_count: u64,
    /// `doc_count_error_upper_bound` of this bucket.
    pub doc_count_error: Option<i64>,
    /// `score` and `bg_count` of a significant term.
    pub significance: Option<(f64, u64)>,
    /// Its sub-aggregations.
    pub aggs: Vec<AggResult>,
}

impl Bucket {
    /// A bucket with nothing but key, count and sub-aggregations.
    pub fn new(
        key: Key,
        key_as_string: Option<String>,
        doc_count: u64,
        aggs: Vec<AggResult>,
    ) -> Bucket {
        Bucket {
            key,
            key_as_string,
            from: None,
            to: None,
            doc_count,
            doc_count_error: None,
            significance: None,
            aggs,
        }
    }

    /// The name of the bucket where buckets are an object, and in `keys` of a sibling pipeline.
    pub fn name(&self) -> String {
        match &self.key_as_string {
            Some(text) => text.clone(),
            None => self.key.to_text(),
        }
    }
}

/// A bucket's key.
#[derive(Clone, Debug, PartialEq)]
pub enum Key {
    /// Text.
    Str(String),
    /// A whole number.
    I64(i64),
    /// A whole number above `i64::MAX`, or of an unsigned field.
    U64(u64),
    /// Any other number.
    F64(f64),
    /// A boolean in a composite key.
    Bool(bool),
    /// Missing, in a composite key.
    Null,
    /// The keys of `multi_terms`.
    List(Vec<Key>),
    /// The keys of a `composite`, by source.
    Named(Vec<(String, Key)>),
}

impl Key {
    /// The key as text: doubles as Java writes them, lists joined by `|`.
    pub fn to_text(&self) -> String {
        match self {
            Key::Str(text) => text.clone(),
            Key::I64(n) => n.to_string(),
            Key::U64(n) => n.to_string(),
            Key::F64(n) => super::format::java_double(*n),
            Key::Bool(b) => b.to_string(),
            Key::Null => "null".to_owned(),
            Key::List(keys) => {
                let parts: Vec<String> = keys.iter().map(Key::to_text).collect();
                parts.join("|")
            }
            Key::Named(keys) => {
                let parts: Vec<String> = keys
                    .iter()
                    .map(|(name, key)| format!("{name}={}", key.to_text()))
                    .collect();
                format!("{{{}}}", parts.join(", "))
            }
        }
    }

    /// The key as a number, where it is one.
    pub fn to_f64(&self) -> Option<f64> {
        match self {
            Key::I64(n) => Some(*n as f64),
            Key::U64(n) => Some(*n as f64),
            Key::F64(n) => Some(*n),
            Key::Bool(b) => Some(f64::from(u8::from(*b))),
            Key::Str(_) | Key::Null | Key::List(_) | Key::Named(_) => None,
        }
    }
}
