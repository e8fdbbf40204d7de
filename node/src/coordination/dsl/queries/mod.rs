//! Queries: one file each, one row each in [`QUERY_CLAUSES`].

mod bool;
mod boosting;
mod clause;
mod combined_fields;
mod constant_score;
mod dis_max;
mod exists;
mod function_score;
mod fuzzy;
mod geo_bounding_box;
mod geo_distance;
mod geo_shape;
mod ids;
mod match_all;
mod match_bool_prefix;
mod match_phrase;
mod match_phrase_prefix;
mod match_text;
mod multi_match;
mod pattern;
mod prefix;
mod query_string;
mod range;
mod regexp;
mod simple_query_string;
mod term;
mod terms;
mod terms_set;
mod wildcard;

use quidditch_engine::query::Query;
use serde_json::Value;

use super::suggest::did_you_mean;
use super::{Json, ParseError};

/// A query that users can write.
pub struct QueryClause {
    /// Its name in a body.
    pub name: &'static str,
    /// Reads what stands under the name.
    parse: fn(&Json<'_>) -> Result<Query, ParseError>,
    /// What may stand under the name.
    pub example: &'static str,
}

/// Every query there is.
pub const QUERY_CLAUSES: &[QueryClause] = &[
    QueryClause {
        name: "bool",
        parse: bool::parse,
        example: r#"{"must": {"match_all": {}}, "must_not": [{"term": {"colour": "red"}}]}"#,
    },
    QueryClause {
        name: "boosting",
        parse: boosting::parse,
        example: r#"{"positive": {"match_all": {}}, "negative": {"term": {"a": 1}}, "negative_boost": 0.5}"#,
    },
    QueryClause {
        name: "combined_fields",
        parse: combined_fields::parse,
        example: r#"{"query": "red hat", "fields": ["title^2", "body"]}"#,
    },
    QueryClause {
        name: "constant_score",
        parse: constant_score::parse,
        example: r#"{"filter": {"term": {"colour": "red"}}, "boost": 2}"#,
    },
    QueryClause {
        name: "dis_max",
        parse: dis_max::parse,
        example: r#"{"queries": [{"term": {"colour": "red"}}], "tie_breaker": 0.3}"#,
    },
    QueryClause {
        name: "exists",
        parse: exists::parse,
        example: r#"{"field": "colour"}"#,
    },
    QueryClause {
        name: "function_score",
        parse: function_score::parse,
        example: r#"{"query": {"match_all": {}}, "field_value_factor": {"field": "votes"}}"#,
    },
    QueryClause {
        name: "fuzzy",
        parse: fuzzy::parse,
        example: r#"{"colour": {"value": "rde"}}"#,
    },
    QueryClause {
        name: "geo_bounding_box",
        parse: geo_bounding_box::parse,
        example: r#"{"place": {"top_left": [13, 53], "bottom_right": [14, 52]}}"#,
    },
    QueryClause {
        name: "geo_distance",
        parse: geo_distance::parse,
        example: r#"{"distance": "12km", "place": [13.4, 52.5]}"#,
    },
    QueryClause {
        name: "geo_shape",
        parse: geo_shape::parse,
        example: r#"{"place": {"shape": {"type": "envelope", "coordinates": [[13, 53], [14, 52]]}}}"#,
    },
    QueryClause {
        name: "ids",
        parse: ids::parse,
        example: r#"{"values": ["1", 2]}"#,
    },
    QueryClause {
        name: "match",
        parse: match_text::parse,
        example: r#"{"title": "red hat"}"#,
    },
    QueryClause {
        name: "match_all",
        parse: match_all::parse,
        example: "{}",
    },
    QueryClause {
        name: "match_bool_prefix",
        parse: match_bool_prefix::parse,
        example: r#"{"title": "red ha"}"#,
    },
    QueryClause {
        name: "match_none",
        parse: match_all::parse_none,
        example: "{}",
    },
    QueryClause {
        name: "match_phrase",
        parse: match_phrase::parse,
        example: r#"{"title": "red hat"}"#,
    },
    QueryClause {
        name: "match_phrase_prefix",
        parse: match_phrase_prefix::parse,
        example: r#"{"title": "red ha"}"#,
    },
    QueryClause {
        name: "multi_match",
        parse: multi_match::parse,
        example: r#"{"query": "red hat", "fields": ["title^2", "body"]}"#,
    },
    QueryClause {
        name: "prefix",
        parse: prefix::parse,
        example: r#"{"colour": "re"}"#,
    },
    QueryClause {
        name: "query_string",
        parse: query_string::parse,
        example: r#"{"query": "title:red AND hat"}"#,
    },
    QueryClause {
        name: "range",
        parse: range::parse,
        example: r#"{"price": {"gte": 10, "lt": 20}}"#,
    },
    QueryClause {
        name: "regexp",
        parse: regexp::parse,
        example: r#"{"colour": "re[dt]"}"#,
    },
    QueryClause {
        name: "simple_query_string",
        parse: simple_query_string::parse,
        example: r#"{"query": "red + hat"}"#,
    },
    QueryClause {
        name: "term",
        parse: term::parse,
        example: r#"{"colour": {"value": "red"}}"#,
    },
    QueryClause {
        name: "terms",
        parse: terms::parse,
        example: r#"{"colour": ["red", "blue"]}"#,
    },
    QueryClause {
        name: "terms_set",
        parse: terms_set::parse,
        example: r#"{"colour": {"terms": ["red", "blue"], "minimum_should_match_field": "needed"}}"#,
    },
    QueryClause {
        name: "wildcard",
        parse: wildcard::parse,
        example: r#"{"colour": "r?d*"}"#,
    },
];

/// Reads a query: an object of one member, which is named after a row of [`QUERY_CLAUSES`].
pub fn parse_query(body: &Value) -> Result<Query, ParseError> {
    parse_clause(&Json::root(body))
}

/// Like [`parse_query`], for a query that stands somewhere in a larger body.
pub fn parse_clause(body: &Json<'_>) -> Result<Query, ParseError> {
    if !body.is_object() {
        return Err(body.parsing("[_na] query malformed, must start with start_object"));
    }
    let mut members = body.members();
    let Some((name, inner)) = members.next() else {
        return Err(body.illegal("query malformed, empty clause found"));
    };
    if !inner.is_object() {
        return Err(inner.parsing(format!(
            "[{name}] query malformed, no start_object after query name"
        )));
    }
    let Some(clause) = QUERY_CLAUSES.iter().find(|clause| clause.name == name) else {
        let hint = did_you_mean(name, QUERY_CLAUSES.iter().map(|clause| clause.name));
        return Err(inner
            .parsing(format!("unknown query [{name}]{hint}"))
            .with_cause(inner.error(
                "named_object_not_found_exception",
                format!("unknown field [{name}]"),
            )));
    };
    let query = (clause.parse)(&inner)?;
    if let Some((_, second)) = members.next() {
        return Err(second.parsing(format!(
            "[{name}] malformed query, expected [END_OBJECT] but found [FIELD_NAME]"
        )));
    }
    Ok(query)
}

/// The error for a member that an object does not have, with the names that are close.
fn unknown_field(object: &str, value: &Json<'_>, known: &[&'static str]) -> ParseError {
    let hint = did_you_mean(value.key(), known.iter().copied());
    value.content(format!("[{object}] unknown field [{}]{hint}", value.key()))
}

/// The error for a value of the wrong type inside the member `field` of an object.
fn wrong_type(object: &str, field: &Json<'_>, value: &Json<'_>) -> ParseError {
    field.content(format!(
        "[{object}] {} doesn't support values of type: {}",
        field.key(),
        value.token()
    ))
}

/// The error around another one that occurred inside the member `field` of an object.
fn failed_field(object: &str, field: &Json<'_>, cause: ParseError) -> ParseError {
    field
        .content(format!(
            "[{object}] failed to parse field [{}]",
            field.key()
        ))
        .with_cause(cause)
}

/// Refuses arrays and objects in a member that takes scalars.
fn require_value(object: &str, value: &Json<'_>) -> Result<(), ParseError> {
    if value.is_array() || value.is_object() {
        return Err(wrong_type(object, value, value));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_example_parses_and_crosses_the_wire_unchanged() {
        for clause in QUERY_CLAUSES {
            let example: Value = serde_json::from_str(clause.example).unwrap();
            let query = parse_query(&json!({ clause.name: example })).unwrap();
            let mut wire = Vec::new();
            ciborium::into_writer(&query, &mut wire).unwrap();
            let read: Query = ciborium::from_reader(wire.as_slice()).unwrap();
            assert_eq!(read, query, "{}", clause.name);
        }
    }

    #[test]
    fn every_query_refuses_unknown_parameters() {
        for clause in QUERY_CLAUSES {
            let mut example: Value = serde_json::from_str(clause.example).unwrap();
            // the inner object, where a query has one per field
            let members = example.as_object_mut().unwrap();
            let inner = match members.values_mut().next() {
                Some(Value::Object(inner)) if clause.example.contains("\"value\"") => inner,
                _ => members,
            };
            inner.insert("no_such_thing".into(), json!(true));
            assert!(
                parse_query(&json!({ clause.name: example })).is_err(),
                "{}",
                clause.name
            );
        }
    }

    fn check(body: Value, kind: &str, reason: &str) {
        let error = parse_query(&body).unwrap_err();
        assert_eq!(
            (error.kind, error.reason.as_str()),
            (kind, reason),
            "{body}"
        );
    }

    #[test]
    fn mistakes_are_named_as_users_know_them() {
        check(
            json!({"mtch": {}}),
            "parsing_exception",
            "unknown query [mtch] did you mean [match]?",
        );
        check(
            json!({"match_all": {}, "term": {"a": 1}}),
            "parsing_exception",
            "[match_all] malformed query, expected [END_OBJECT] but found [FIELD_NAME]",
        );
        check(
            json!({"term": "x"}),
            "parsing_exception",
            "[term] query malformed, no start_object after query name",
        );
        check(
            json!({}),
            "illegal_argument_exception",
            "query malformed, empty clause found",
        );
        check(
            json!({"match": {"a": {"query": "x", "zz": 1}}}),
            "parsing_exception",
            "[match] query does not support [zz]",
        );
        check(
            json!({"match": {"a": "x", "b": "y"}}),
            "parsing_exception",
            "[match] query doesn't support multiple fields, found [a] and [b]",
        );
        check(
            json!({"bool": {"mus": []}}),
            "x_content_parse_exception",
            "[bool] unknown field [mus] did you mean [must]?",
        );
        check(
            json!({"term": {"a": [1]}}),
            "parsing_exception",
            "[term] query does not support array of values",
        );
        check(
            json!({"range": {"a": {"gte": 1, "x": 2}}}),
            "parsing_exception",
            "[range] query does not support [x]",
        );
    }

    #[test]
    fn an_error_inside_a_clause_keeps_its_path() {
        let error =
            parse_query(&json!({"bool": {"must": [{"match_all": {}}, {"mtch": {}}]}})).unwrap_err();
        assert_eq!(error.reason, "[bool] failed to parse field [must]");
        let cause = error.caused_by.unwrap();
        assert_eq!(cause.path, "/bool/must/1/mtch");
        assert_eq!(cause.caused_by.unwrap().reason, "unknown field [mtch]");
    }
}
