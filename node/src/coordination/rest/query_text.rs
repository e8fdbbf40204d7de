//! Queries in the short notation that `_validate/query` explains them in: `+title:red #price:[1 TO *]`.

use std::ops::Bound;

use quidditch_engine::query::{Operator, Query};
use quidditch_engine::schema::IndexSchema;
use quidditch_engine::value::Value as Scalar;
use serde_json::Value;

use crate::coordination::dsl::json::from_scalar;

/// A query as an index understands it: text is shown as its terms.
pub(super) fn describe(query: &Query, schema: &IndexSchema) -> String {
    let text = plain(query, schema);
    let boost = query.boost();
    match boost == 1.0 {
        true => text,
        false => format!("({text})^{boost:?}"),
    }
}

fn plain(query: &Query, schema: &IndexSchema) -> String {
    match query {
        Query::MatchAll(_) => {
            "ApproximateScoreQuery(originalQuery=*:*, approximationQuery=Approximate(*:*))"
                .to_owned()
        }
        Query::MatchNone(_) => {
            "MatchNoDocsQuery(\"User requested \"match_none\" query.\")".to_owned()
        }
        Query::Term(term) => format!("{}:{}", term.field, scalar(&term.value)),
        Query::Terms(terms) => {
            let values: Vec<String> = terms.values.iter().map(scalar).collect();
            format!("{}:({})", terms.field, values.join(" "))
        }
        Query::TermsSet(terms) => {
            let values: Vec<String> = terms.values.iter().map(scalar).collect();
            format!("TermsSetQuery({}:({}))", terms.field, values.join(" "))
        }
        Query::Match(text) => {
            let terms = terms_of(schema, &text.field, &text.text);
            joined(&text.field, &terms, text.operator, "")
        }
        Query::MatchBoolPrefix(text) => {
            let terms = terms_of(schema, &text.field, &text.text);
            joined(&text.field, &terms, text.operator, "*")
        }
        Query::MatchPhrase(text) => {
            let terms = terms_of(schema, &text.field, &text.text);
            let slop = match text.slop {
                0 => String::new(),
                slop => format!("~{slop}"),
            };
            format!("{}:\"{}\"{slop}", text.field, terms.join(" "))
        }
        Query::MatchPhrasePrefix(text) => {
            let terms = terms_of(schema, &text.field, &text.text);
            format!("{}:\"{}*\"", text.field, terms.join(" "))
        }
        Query::MultiMatch(text) => {
            let fields = text.fields.iter().map(|field| {
                let terms = terms_of(schema, &field.field, &text.text);
                joined(&field.field, &terms, text.operator, "")
            });
            format!("({})", fields.collect::<Vec<_>>().join(" | "))
        }
        Query::CombinedFields(text) => {
            let fields: Vec<&str> = text.fields.iter().map(|f| f.field.as_str()).collect();
            format!("CombinedFieldQuery(({}):{})", fields.join(" "), text.query)
        }
        Query::QueryString(text) => text.query.clone(),
        Query::SimpleQueryString(text) => text.query.clone(),
        Query::Range(range) => {
            let lower = match &range.lower {
                Bound::Included(value) => format!("[{}", scalar(value)),
                Bound::Excluded(value) => format!("{{{}", scalar(value)),
                Bound::Unbounded => "[*".to_owned(),
            };
            let upper = match &range.upper {
                Bound::Included(value) => format!("{}]", scalar(value)),
                Bound::Excluded(value) => format!("{}}}", scalar(value)),
                Bound::Unbounded => "*]".to_owned(),
            };
            format!("{}:{lower} TO {upper}", range.field)
        }
        Query::Exists(exists) => format!("FieldExistsQuery [field={}]", exists.field),
        Query::Ids(ids) => format!("_id:({})", ids.values.join(" ")),
        Query::Prefix(prefix) => format!("{}:{}*", prefix.field, prefix.value),
        Query::Wildcard(pattern) => format!("{}:{}", pattern.field, pattern.value),
        Query::Regexp(pattern) => format!("{}:/{}/", pattern.field, pattern.value),
        Query::Fuzzy(fuzzy) => format!("{}:{}~", fuzzy.field, scalar(&fuzzy.value)),
        Query::Bool(clauses) => {
            let mut parts = Vec::new();
            for (sign, list) in [
                ("+", &clauses.must),
                ("-", &clauses.must_not),
                ("", &clauses.should),
                ("#", &clauses.filter),
            ] {
                for clause in list {
                    let inner = describe(clause, schema);
                    parts.push(match clause {
                        Query::Bool(_) => format!("{sign}({inner})"),
                        _ => format!("{sign}{inner}"),
                    });
                }
            }
            parts.join(" ")
        }
        Query::ConstantScore(inner) => {
            format!("ConstantScore({})", describe(&inner.filter, schema))
        }
        Query::DisMax(inner) => {
            let parts: Vec<String> = inner.queries.iter().map(|q| describe(q, schema)).collect();
            format!("({})~{:?}", parts.join(" | "), inner.tie_breaker)
        }
        Query::FunctionScore(inner) => {
            format!("function score ({})", describe(&inner.query, schema))
        }
        // what else has children is shown by them
        other => {
            let mut parts = Vec::new();
            other.children(&mut |child| parts.push(describe(child, schema)));
            format!("({})", parts.join(" "))
        }
    }
}

/// The terms of a text in a field; the text itself where it is not analysed.
fn terms_of(schema: &IndexSchema, field: &str, text: &Scalar) -> Vec<String> {
    let text = scalar(text);
    match schema.mapping.field(field) {
        Some(mapping) if mapping.numeric().is_none() => mapping.search_analyzer().terms(&text),
        _ => vec![text],
    }
}

fn joined(field: &str, terms: &[String], operator: Operator, last: &str) -> String {
    let sign = match operator {
        Operator::And if terms.len() > 1 => "+",
        _ => "",
    };
    let mut parts = Vec::with_capacity(terms.len());
    for (n, term) in terms.iter().enumerate() {
        let last = if n + 1 == terms.len() { last } else { "" };
        parts.push(format!("{sign}{field}:{term}{last}"));
    }
    parts.join(" ")
}

fn scalar(value: &Scalar) -> String {
    match from_scalar(value) {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coordination::dsl::parse_query;
    use serde_json::json;
    use std::collections::BTreeMap;

    #[test]
    fn texts_are_shown_as_their_terms() {
        let mapping = json!({"properties": {"t": {"type": "text"}, "n": {"type": "long"}}});
        let schema = IndexSchema::new(&mapping, &BTreeMap::new()).unwrap();
        for (query, text) in [
            (json!({"match": {"t": "Red HAT"}}), "t:red t:hat"),
            (
                json!({"match": {"t": {"query": "Red HAT", "operator": "and"}}}),
                "+t:red +t:hat",
            ),
            (json!({"match_phrase": {"t": "Red HAT"}}), "t:\"red hat\""),
            (
                json!({"term": {"n": {"value": 5, "boost": 2}}}),
                "(n:5)^2.0",
            ),
            (
                json!({"bool": {"must": {"term": {"n": 1}}, "filter": {"range": {"n": {"gte": 1, "lt": 3}}}}}),
                "+n:1 #n:[1 TO 3}",
            ),
        ] {
            assert_eq!(describe(&parse_query(&query).unwrap(), &schema), text);
        }
    }
}
