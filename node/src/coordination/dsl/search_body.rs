//! The body of a search.

use quidditch_engine::aggs::AggRequest;
use quidditch_engine::query::Query;
use quidditch_engine::search::{FieldAndFormat, Rescore, Slice, SortKey};
use quidditch_engine::value::Value;

use super::aggs::parse_aggs;
use super::collapse::CollapseSpec;
use super::fields::{StoredFields, parse_field_formats};
use super::highlight::Highlight;
use super::rescore::parse_rescore;
use super::sort::parse_sort;
use super::source::FetchSource;
use super::{Json, ParseError, parse_clause};

/// What a search body asks for; `None` and empty where it says nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SearchBody {
    /// What to find; `None`: everything.
    pub query: Option<Query>,
    /// Narrows hits, not aggregations.
    pub post_filter: Option<Query>,
    /// Hits to skip.
    pub from: Option<i32>,
    /// Hits to show.
    pub size: Option<i32>,
    /// Order of hits.
    pub sort: Vec<SortKey>,
    /// Sort values of the hit before the first to show.
    pub search_after: Option<Vec<Value>>,
    /// Parts of the source to show.
    pub source: Option<FetchSource>,
    /// `fields`
    pub fields: Vec<FieldAndFormat>,
    /// `highlight`
    pub highlight: Option<Highlight>,
    /// `docvalue_fields`
    pub docvalue_fields: Vec<FieldAndFormat>,
    /// `stored_fields`
    pub stored_fields: Option<StoredFields>,
    /// `track_total_hits`
    pub track_total_hits: Option<TrackTotal>,
    /// Compute scores although hits are sorted by something else.
    pub track_scores: Option<bool>,
    /// Hits that score less are no hits.
    pub min_score: Option<f32>,
    /// Text of a time value.
    pub timeout: Option<String>,
    /// Stop on a shard after so many documents; 0: never.
    pub terminate_after: Option<i32>,
    /// Passes that order the best hits anew.
    pub rescore: Vec<Rescore>,
    /// One hit per value of a field.
    pub collapse: Option<CollapseSpec>,
    /// How many `script_fields` are asked for: none can be had, but too many are refused in other words.
    pub script_fields: usize,
    /// `aggs`
    pub aggs: Vec<AggRequest>,
    /// One of several parts of the result.
    pub slice: Option<Slice>,
    /// A point in time to search.
    pub pit: Option<PitSpec>,
    /// Show `_version`.
    pub version: Option<bool>,
    /// Show `_seq_no` and `_primary_term`.
    pub seq_no_primary_term: Option<bool>,
    /// Show how scores came about.
    pub explain: Option<bool>,
    /// Show the scores of named queries.
    pub include_named_queries_score: Option<bool>,
    /// Factors of scores by index name, alias or pattern; the first that fits counts.
    pub indices_boost: Vec<(String, f32)>,
    /// Groups under which the search is counted.
    pub stats: Vec<String>,
}

/// `track_total_hits`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrackTotal {
    /// Count all.
    Exact,
    /// Do not count.
    Off,
    /// Count at least to here.
    UpTo(i32),
}

impl TrackTotal {
    /// Makes it from a number: -1 counts all.
    pub fn of_number(number: i32) -> Result<TrackTotal, ParseError> {
        match number {
            -1 => Ok(TrackTotal::Exact),
            number if number < -1 => Err(ParseError::illegal_argument(format!(
                "[track_total_hits] parameter must be positive or equals to -1, got {number}"
            ))),
            number => Ok(TrackTotal::UpTo(number)),
        }
    }

    fn parse(value: &Json<'_>) -> Result<TrackTotal, ParseError> {
        if value.token() == "VALUE_BOOLEAN"
            || matches!(value.value().as_str(), Some("true" | "false"))
        {
            return Ok(if value.bool()? {
                TrackTotal::Exact
            } else {
                TrackTotal::Off
            });
        }
        TrackTotal::of_number(value.i32()?).map_err(|error| error.inside(&value.path()))
    }
}

/// `pit`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PitSpec {
    /// What creating it answered.
    pub id: String,
    /// Text of a time value: how much longer it should live.
    pub keep_alive: Option<String>,
}

/// Options that OpenSearch has and this server has not; they are refused by name.
const UNSUPPORTED: &[&str] = &[
    "derived",
    "ext",
    "knn",
    "profile",
    "runtime_mappings",
    "search_pipeline",
    "suggest",
    "verbose_pipeline",
];

/// Reads a search body.
pub fn parse_search_body(body: &serde_json::Value) -> Result<SearchBody, ParseError> {
    let root = Json::root(body);
    if !root.is_object() {
        return Err(root.parsing(format!(
            "Expected [START_OBJECT] but found [{}]",
            root.token()
        )));
    }
    let mut search = SearchBody::default();
    for (key, value) in root.members() {
        if !member(&mut search, key, &value)? {
            return Err(unknown(key, &value));
        }
    }
    Ok(search)
}

/// Reads one member of an `inner_hits` section; false if there is none of that name that takes such a value.
pub(super) fn parse_inner_body(
    search: &mut SearchBody,
    key: &str,
    value: &Json<'_>,
) -> Result<bool, ParseError> {
    const KNOWN: &[&str] = &[
        "_source",
        "docvalue_fields",
        "explain",
        "fields",
        "from",
        "highlight",
        "script_fields",
        "seq_no_primary_term",
        "size",
        "sort",
        "stored_fields",
        "track_scores",
        "version",
    ];
    Ok(KNOWN.contains(&key) && member(search, key, value)?)
}

/// Reads one member; false if there is none of that name that takes such a value.
fn member(search: &mut SearchBody, key: &str, value: &Json<'_>) -> Result<bool, ParseError> {
    let (scalar, object, array) = (value.is_scalar(), value.is_object(), value.is_array());
    match key {
        "query" if object => search.query = Some(parse_clause(value)?),
        "post_filter" if object => search.post_filter = Some(parse_clause(value)?),
        "from" if scalar => {
            let from = value.i32()?;
            if from < 0 {
                return Err(value.illegal("[from] parameter cannot be negative"));
            }
            search.from = Some(from);
        }
        "size" if scalar => {
            let size = value.i32()?;
            if size < 0 {
                return Err(value.illegal(format!(
                    "[size] parameter cannot be negative, found [{size}]"
                )));
            }
            search.size = Some(size);
        }
        "sort" if scalar || object || array => search.sort = parse_sort(value)?,
        "search_after" if array => search.search_after = Some(parse_search_after(value)?),
        "_source" if scalar || object || array => search.source = Some(FetchSource::parse(value)?),
        "highlight" if object => search.highlight = Some(Highlight::parse(value)?),
        "fields" if array => search.fields = parse_field_formats(value)?,
        "docvalue_fields" if array => search.docvalue_fields = parse_field_formats(value)?,
        "stored_fields" if scalar || array => {
            search.stored_fields = Some(StoredFields::parse(value)?)
        }
        "track_total_hits" if scalar => search.track_total_hits = Some(TrackTotal::parse(value)?),
        "track_scores" if scalar => search.track_scores = Some(value.bool()?),
        "min_score" if scalar => search.min_score = Some(value.f32()?),
        "timeout" if scalar => search.timeout = Some(value.text()?),
        "terminate_after" if scalar => {
            let count = value.i32()?;
            if count < 0 {
                return Err(value.illegal("terminateAfter must be > 0"));
            }
            search.terminate_after = Some(count);
        }
        "aggs" | "aggregations" if object => {
            search.aggs = parse_aggs(value.value()).map_err(|error| error.inside(&value.path()))?;
        }
        "script_fields" if object => search.script_fields = value.members().count(),
        "rescore" if object || array => search.rescore = parse_rescore(value)?,
        "collapse" if object => search.collapse = Some(CollapseSpec::parse(value, false)?),
        "slice" if object => search.slice = Some(parse_slice(value)?),
        "pit" if object => search.pit = Some(parse_pit(value)?),
        "version" if scalar => search.version = Some(value.bool()?),
        "seq_no_primary_term" if scalar => search.seq_no_primary_term = Some(value.bool()?),
        "explain" if scalar => search.explain = Some(value.bool()?),
        "include_named_queries_score" if scalar => {
            search.include_named_queries_score = Some(value.bool()?)
        }
        "indices_boost" if object || array => search.indices_boost = parse_indices_boost(value)?,
        "stats" if array => search.stats = parse_stats(value)?,
        // asking for no profile is asking for nothing
        "profile" | "verbose_pipeline" if matches!(value.value().as_bool(), Some(false)) => {}
        "ext" if value.value().as_object().is_some_and(|ext| ext.is_empty()) => {}
        _ if UNSUPPORTED.contains(&key) => {
            return Err(value.illegal(format!("[{key}] is not supported in a search body")));
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn unknown(key: &str, value: &Json<'_>) -> ParseError {
    value.parsing(format!("Unknown key for a {} in [{key}].", value.token()))
}

/// Reads the values of `search_after`.
pub fn parse_search_after(list: &Json<'_>) -> Result<Vec<Value>, ParseError> {
    let mut values = Vec::new();
    for item in list.items() {
        if item.is_array() || item.is_object() {
            return Err(item.parsing(format!(
                "Expected [VALUE_STRING] or [VALUE_NUMBER] or [VALUE_BOOLEAN] or [VALUE_NULL] but found [{}] inside \
                 search_after.",
                item.token()
            )));
        }
        values.push(item.scalar()?);
    }
    if values.is_empty() {
        return Err(list.illegal("Values must contains at least one value."));
    }
    Ok(values)
}

/// Reads `slice`.
pub fn parse_slice(body: &Json<'_>) -> Result<Slice, ParseError> {
    let (mut field, mut id, mut max) = (None, None, None);
    for (key, value) in body.members() {
        match key {
            "field" => field = Some(value.text()?),
            "id" => id = Some(value.i32()?),
            "max" => max = Some(value.i32()?),
            _ => return Err(value.content(format!("[slice] unknown field [{key}]"))),
        }
    }
    let id = id.unwrap_or(-1);
    let max = max.unwrap_or(-1);
    let Ok(id) = u32::try_from(id) else {
        return Err(body.illegal("id must be greater than or equal to 0"));
    };
    if max <= 1 {
        return Err(body.illegal("max must be greater than 1"));
    }
    let max = max.unsigned_abs();
    if max <= id {
        return Err(body.illegal("max must be greater than id"));
    }
    if field.as_deref() == Some("") {
        return Err(body.illegal("field name must not be null or empty"));
    }
    Ok(Slice {
        field: field.filter(|field| field != "_id"),
        id,
        max,
    })
}

fn parse_pit(body: &Json<'_>) -> Result<PitSpec, ParseError> {
    let mut pit = PitSpec {
        id: String::new(),
        keep_alive: None,
    };
    for (key, value) in body.members() {
        match key {
            "id" => pit.id = value.text()?,
            "keep_alive" => pit.keep_alive = value.text_or_null()?,
            _ => return Err(value.content(format!("[pit] unknown field [{key}]"))),
        }
    }
    if pit.id.is_empty() {
        return Err(body.illegal("point in time id is not provided"));
    }
    Ok(pit)
}

fn parse_indices_boost(body: &Json<'_>) -> Result<Vec<(String, f32)>, ParseError> {
    let mut boosts = Vec::new();
    for item in body.items_or_self() {
        if !item.is_object() {
            return Err(item.parsing(format!(
                "Expected [START_OBJECT] in [indices_boost] but found [{}]",
                item.token()
            )));
        }
        let mut members = 0;
        for (index, factor) in item.members() {
            members += 1;
            if body.is_array() && members > 1 {
                return Err(factor
                    .parsing("Expected [END_OBJECT] in [indices_boost] but found [FIELD_NAME]"));
            }
            if body.is_array() && factor.token() != "VALUE_NUMBER" {
                return Err(factor.parsing(format!(
                    "Expected [VALUE_NUMBER] in [indices_boost] but found [{}]",
                    factor.token()
                )));
            }
            boosts.push((index.to_owned(), factor.f32()?));
        }
        if members == 0 && body.is_array() {
            return Err(
                item.parsing("Expected [FIELD_NAME] in [indices_boost] but found [END_OBJECT]")
            );
        }
    }
    Ok(boosts)
}

fn parse_stats(list: &Json<'_>) -> Result<Vec<String>, ParseError> {
    let mut groups = Vec::new();
    for item in list.items() {
        if !item.is_string() {
            return Err(item.parsing(format!(
                "Expected [VALUE_STRING] in [stats] but found [{}]",
                item.token()
            )));
        }
        groups.push(item.text()?);
    }
    Ok(groups)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refusal(body: serde_json::Value) -> String {
        parse_search_body(&body).unwrap_err().reason
    }

    #[test]
    fn reads_a_whole_body() {
        let body = parse_search_body(&json!({
            "query": {"match_all": {}}, "from": 1, "size": "2", "sort": ["a"], "search_after": [1, "x", null],
            "_source": false, "track_total_hits": 5, "slice": {"id": 0, "max": 2}, "indices_boost": [{"a*": 1.5}],
            "stats": ["g"], "pit": {"id": "x", "keep_alive": "1m"}, "profile": false,
        }))
        .unwrap();
        assert_eq!((body.from, body.size), (Some(1), Some(2)));
        assert_eq!(body.track_total_hits, Some(TrackTotal::UpTo(5)));
        assert_eq!(body.indices_boost, [("a*".to_owned(), 1.5)]);
        assert_eq!(body.search_after.unwrap().len(), 3);
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        assert_eq!(
            refusal(json!({"x": {}})),
            "Unknown key for a START_OBJECT in [x]."
        );
        assert_eq!(
            refusal(json!({"query": 1})),
            "Unknown key for a VALUE_NUMBER in [query]."
        );
        assert_eq!(
            refusal(json!({"from": -1})),
            "[from] parameter cannot be negative"
        );
        assert_eq!(
            refusal(json!({"suggest": {}})),
            "[suggest] is not supported in a search body"
        );
        assert_eq!(
            refusal(json!({"slice": {"id": 2, "max": 2}})),
            "max must be greater than id"
        );
        assert_eq!(
            refusal(json!([])),
            "Expected [START_OBJECT] but found [START_ARRAY]"
        );
    }
}
