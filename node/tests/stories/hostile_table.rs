//! Wrong and hostile requests, and what OpenSearch answers to each.

use super::hostile::{Body, Row};

/// A request with a body; the answer's status and its error type (alternatives divided by `|`).
const fn row(
    method: &'static str,
    path: &'static str,
    body: &'static str,
    status: u16,
    kind: &'static str,
) -> Row {
    Row {
        method,
        path,
        content_type: "application/json",
        body: Body::Text(body),
        status,
        kind,
    }
}

/// A search body that is refused with 400.
const fn search(body: &'static str, kind: &'static str) -> Row {
    row("POST", "/hats/_search", body, 400, kind)
}

/// A document that is refused with 400.
const fn document(body: &'static str, kind: &'static str) -> Row {
    row("PUT", "/hats/_doc/bad", body, 400, kind)
}

/// A bulk request refused as a whole.
const fn bulk(body: &'static str, kind: &'static str) -> Row {
    row("POST", "/hats/_bulk", body, 400, kind)
}

/// A bulk request whose first item fails.
const fn bulk_item(body: &'static str, status: u16, kind: &'static str) -> Row {
    Row {
        method: "POST item",
        path: "/hats/_bulk",
        content_type: "application/x-ndjson",
        body: Body::Text(body),
        status,
        kind,
    }
}

/// A request without a body.
const fn bare(method: &'static str, path: &'static str, status: u16, kind: &'static str) -> Row {
    row(method, path, "", status, kind)
}

/// A new index whose body is refused.
const fn create(body: &'static str, kind: &'static str) -> Row {
    row("PUT", "/fresh", body, 400, kind)
}

const JSON: &str = "json_parse_exception|json_e_o_f_exception|parsing_exception|parse_exception|x_content_parse_exception|\
                    not_x_content_exception|input_coercion_exception";
const PARSING: &str = "parsing_exception|x_content_parse_exception|illegal_argument_exception";
const SHARD: &str = "query_shard_exception|search_phase_execution_exception|illegal_argument_exception|number_format_exception|\
                     parse_exception|parsing_exception";
const ARGUMENT: &str = "illegal_argument_exception";
const VALIDATION: &str = "action_request_validation_exception";
const MAPPER: &str = "mapper_parsing_exception";
const DOCUMENT: &str = "mapper_parsing_exception|illegal_argument_exception|not_x_content_exception|parse_exception|\
                        json_parse_exception|json_e_o_f_exception";

/// A request whose JSON body is made.
const fn made(
    method: &'static str,
    path: &'static str,
    body: fn() -> Vec<u8>,
    kind: &'static str,
) -> Row {
    Row {
        body: Body::Made(body),
        ..row(method, path, "", 400, kind)
    }
}

pub(super) const ROWS: &[Row] = &[
    // ── names and patterns of very many parts, which a walk part by part must not follow
    made("PUT", "/fresh", dotted_mapping, MAPPER),
    made("PUT", "/hats/_mapping", dotted_mapping_update, ARGUMENT),
    made("PUT", "/hats/_doc/bad", dotted_document, ARGUMENT),
    made("PUT", "/fresh", dotted_similarity, ARGUMENT),
    made(
        "PUT",
        "/_cluster/settings",
        dotted_cluster_setting,
        ARGUMENT,
    ),
    made("POST", "/hats/_search", nested_date_format, ARGUMENT),
    made("PUT", "/fresh", nested_date_mapping, MAPPER),
    made(
        "PUT",
        "/_index_template/t",
        long_pattern,
        "invalid_index_template_exception",
    ),
    made(
        "PUT",
        "/_index_template/t",
        many_patterns,
        "invalid_index_template_exception",
    ),
    row(
        "POST",
        "/_reindex",
        r#"{"source": {"index": "hats"}, "dest": {"index": "x"}, "size": 1, "max_docs": 2}"#,
        400,
        ARGUMENT,
    ),
    search(
        r#"{"aggs": {"a": {"histogram": {"field": "price", "interval": 1, "offset": "NaN"}}}}"#,
        ARGUMENT,
    ),
    // ── values of a shape that nobody asked for are not passed over
    search(
        r#"{"aggs": {"a": {"date_histogram": {"field": "sold", "fixed_interval": "1d", "extended_bounds": 5}}}}"#,
        PARSING,
    ),
    search(
        r#"{"aggs": {"a": {"histogram": {"field": "price", "interval": 1, "hard_bounds": []}}}}"#,
        PARSING,
    ),
    search(
        r#"{"aggs": {"a": {"significant_terms": {"field": "tag", "chi_square": 5}}}}"#,
        PARSING,
    ),
    search(
        r#"{"aggs": {"a": {"terms": {"field": "tag"}, "aggs": {"b": {"bucket_sort": {"sort": [5], "size": 1}}}}}}"#,
        PARSING,
    ),
    create(
        r#"{"mappings": {"dynamic_templates": [{"a": {"match": "x", "mapping": "long"}}]}}"#,
        MAPPER,
    ),
    bare("GET", "/_cluster/stats/osx/nodes/_all", 400, ARGUMENT),
    bare(
        "GET",
        "/_cluster/stats/indices/doc/nodes/_all",
        400,
        ARGUMENT,
    ),
    row(
        "POST",
        "/_cluster/reroute",
        r#"{"commands": 5}"#,
        400,
        PARSING,
    ),
    row(
        "POST",
        "/_cluster/allocation/explain",
        r#"{"foo": 5}"#,
        400,
        PARSING,
    ),
    row(
        "POST",
        "/_cluster/allocation/explain",
        r#"{"shard": 0, "primary": true}"#,
        400,
        VALIDATION,
    ),
    row(
        "POST",
        "/hats/_delete_by_query",
        r#"{"query": {"match_all": {}}, "size": 1, "max_docs": 2}"#,
        400,
        ARGUMENT,
    ),
    row(
        "PUT",
        "/_index_template/t",
        r#"{"index_patterns": ["zz*"], "_meta": 5}"#,
        400,
        PARSING,
    ),
    row(
        "PUT",
        "/_component_template/t",
        r#"{"template": {}, "_meta": []}"#,
        400,
        PARSING,
    ),
    // ── malformed JSON, everywhere a body is read
    search("{", JSON),
    search("{\"query\":", JSON),
    search("{\"query\": {\"match_all\": {}}", JSON),
    search("{\"query\": {\"match_all\": {}}}}", JSON),
    search("{'query': {}}", JSON),
    search("{query: {match_all: {}}}", JSON),
    search("[]", JSON),
    search("\"text\"", JSON),
    search("12", JSON),
    search("tru", JSON),
    search("{\"size\": 01}", JSON),
    search("{\"size\": +1}", JSON),
    search("{\"size\": 1,}", JSON),
    search("{\"size\": NaN}", JSON),
    search(
        "{\"query\": {\"term\": {\"name\": \"\\ud800\u{0}\"}}}",
        JSON,
    ),
    document("{", DOCUMENT),
    document("{\"name\": ", DOCUMENT),
    document("[]", DOCUMENT),
    document("[1, 2]", DOCUMENT),
    document("\"text\"", DOCUMENT),
    document("7", DOCUMENT),
    document("{\"name\": \"a\"} trailing", DOCUMENT),
    document("{\"name\": 'a'}", DOCUMENT),
    document("{\"name\": \"a\", \"name\"}", DOCUMENT),
    document("{\"name\" \"a\"}", DOCUMENT),
    document(
        "",
        "parse_exception|mapper_parsing_exception|action_request_validation_exception",
    ),
    row("POST", "/hats/_update/1", "{", 400, JSON),
    row("POST", "/_mget", "{", 400, JSON),
    row("POST", "/_msearch", "{\n", 400, JSON),
    row(
        "PUT",
        "/fresh",
        "{",
        400,
        "json_parse_exception|json_e_o_f_exception|parse_exception",
    ),
    row(
        "PUT",
        "/hats/_mapping",
        "{",
        400,
        "json_parse_exception|json_e_o_f_exception|parse_exception",
    ),
    row(
        "PUT",
        "/hats/_settings",
        "{",
        400,
        "json_parse_exception|json_e_o_f_exception|parse_exception|settings_exception",
    ),
    row("POST", "/_aliases", "{", 400, JSON),
    row("PUT", "/_index_template/t", "{", 400, JSON),
    row("PUT", "/_component_template/t", "{", 400, JSON),
    row(
        "PUT",
        "/_template/t",
        "{",
        400,
        "json_parse_exception|json_e_o_f_exception|parse_exception",
    ),
    row("PUT", "/_cluster/settings", "{", 400, JSON),
    row("POST", "/_analyze", "{", 400, JSON),
    row("POST", "/hats/_count", "{", 400, JSON),
    row("POST", "/hats/_delete_by_query", "{", 400, JSON),
    row(
        "POST",
        "/_search/scroll",
        "{",
        400,
        "illegal_argument_exception|json_e_o_f_exception|json_parse_exception",
    ),
    // ── the body of a search
    search("{\"unknown\": 1}", "parsing_exception"),
    search("{\"querry\": {}}", "parsing_exception"),
    search("{\"query\": []}", "parsing_exception"),
    search("{\"query\": 1}", "parsing_exception"),
    search("{\"query\": \"hat\"}", "parsing_exception"),
    search("{\"query\": {}}", PARSING),
    search("{\"from\": -1}", ARGUMENT),
    search("{\"size\": -2}", ARGUMENT),
    search(
        "{\"size\": \"many\"}",
        "number_format_exception|illegal_argument_exception|parsing_exception|json_parse_exception",
    ),
    search("{\"size\": {}}", "parsing_exception"),
    search("{\"from\": 9999, \"size\": 2}", ARGUMENT),
    search("{\"size\": 10001}", ARGUMENT),
    search(
        "{\"size\": 99999999999999}",
        "illegal_argument_exception|input_coercion_exception|json_parse_exception|parsing_exception",
    ),
    search("{\"sort\": 5}", PARSING),
    search(
        "{\"sort\": [{\"price\": {\"order\": \"sideways\"}}]}",
        ARGUMENT,
    ),
    search(
        "{\"sort\": [{\"price\": {\"wrong\": 1}}]}",
        "x_content_parse_exception|parsing_exception|illegal_argument_exception",
    ),
    search("{\"sort\": [\"nothing_here\"]}", SHARD),
    search("{\"sort\": [\"name\"]}", SHARD),
    search(
        "{\"sort\": [{\"price\": {\"mode\": \"strange\"}}]}",
        ARGUMENT,
    ),
    search("{\"search_after\": [1]}", SHARD),
    search("{\"search_after\": [], \"sort\": [\"price\"]}", SHARD),
    search("{\"search_after\": {}, \"sort\": [\"price\"]}", PARSING),
    search("{\"search_after\": [1, 2], \"sort\": [\"price\"]}", SHARD),
    search(
        "{\"search_after\": [\"words\"], \"sort\": [\"price\"]}",
        SHARD,
    ),
    search(
        "{\"search_after\": [1], \"sort\": [\"price\"], \"from\": 1}",
        "action_request_validation_exception|illegal_argument_exception|search_phase_execution_exception",
    ),
    search("{\"_source\": 5}", "parsing_exception"),
    search("{\"_source\": {\"wrong\": []}}", "parsing_exception"),
    search("{\"_source\": [{}]}", "parsing_exception"),
    search(
        "{\"track_total_hits\": -5}",
        "illegal_argument_exception|parsing_exception|action_request_validation_exception",
    ),
    search(
        "{\"track_total_hits\": \"x\"}",
        "parsing_exception|illegal_argument_exception|number_format_exception",
    ),
    search(
        "{\"min_score\": \"high\"}",
        "number_format_exception|parsing_exception|illegal_argument_exception|json_parse_exception",
    ),
    search(
        "{\"timeout\": \"soon\"}",
        "illegal_argument_exception|parse_exception|parsing_exception",
    ),
    search(
        "{\"timeout\": 5}",
        "illegal_argument_exception|parse_exception|parsing_exception",
    ),
    search("{\"terminate_after\": -1}", ARGUMENT),
    search("{\"post_filter\": {\"nope\": {}}}", "parsing_exception"),
    search("{\"post_filter\": 3}", "parsing_exception"),
    search("{\"docvalue_fields\": 3}", "parsing_exception"),
    search("{\"docvalue_fields\": [{\"wrong\": 1}]}", PARSING),
    search("{\"docvalue_fields\": [\"name\"]}", SHARD),
    search("{\"fields\": 3}", "parsing_exception"),
    search(
        "{\"stored_fields\": {}}",
        "parsing_exception|illegal_argument_exception",
    ),
    search(
        "{\"slice\": {\"id\": 0, \"max\": 1}}",
        "illegal_argument_exception|x_content_parse_exception|parsing_exception",
    ),
    search(
        "{\"slice\": {\"id\": 5, \"max\": 2}}",
        "illegal_argument_exception|x_content_parse_exception|parsing_exception",
    ),
    search(
        "{\"slice\": {\"id\": -1, \"max\": 2}}",
        "illegal_argument_exception|x_content_parse_exception|parsing_exception",
    ),
    search(
        "{\"slice\": {\"id\": 0, \"max\": 2}}",
        "illegal_argument_exception|search_phase_execution_exception|action_request_validation_exception|search_exception",
    ),
    search(
        "{\"query\": {\"match_all\": {}}, \"query\": {\"match_all\": {}}}",
        "json_parse_exception|parsing_exception|x_content_parse_exception",
    ),
    search("{\"aggs\": 5}", "parsing_exception"),
    search("{\"aggs\": []}", "parsing_exception"),
    search("{\"pit\": {}}", PARSING),
    // ── queries: unknown, malformed, of the wrong type
    search(
        "{\"query\": {\"mtch\": {\"name\": \"hat\"}}}",
        "parsing_exception",
    ),
    search("{\"query\": {\"match_al\": {}}}", "parsing_exception"),
    search(
        "{\"query\": {\"\": {}}}",
        "parsing_exception|illegal_argument_exception",
    ),
    search(
        "{\"query\": {\"match_all\": {}, \"term\": {\"price\": 1}}}",
        "parsing_exception",
    ),
    search("{\"query\": {\"match_all\": []}}", "parsing_exception"),
    search("{\"query\": {\"match_all\": {\"wrong\": 1}}}", PARSING),
    search("{\"query\": {\"match_none\": {\"wrong\": 1}}}", PARSING),
    search("{\"query\": {\"match\": {}}}", PARSING),
    search("{\"query\": {\"match\": []}}", "parsing_exception"),
    search("{\"query\": {\"match\": \"hat\"}}", "parsing_exception"),
    search("{\"query\": {\"match\": {\"name\": {}}}}", PARSING),
    search(
        "{\"query\": {\"match\": {\"name\": []}}}",
        "parsing_exception",
    ),
    search(
        "{\"query\": {\"match\": {\"name\": {\"query\": \"a\", \"wrong\": 1}}}}",
        "parsing_exception",
    ),
    search(
        "{\"query\": {\"match\": {\"name\": {\"query\": {}}}}}",
        PARSING,
    ),
    search(
        "{\"query\": {\"match\": {\"name\": \"a\", \"tag\": \"b\"}}}",
        "parsing_exception",
    ),
    search(
        "{\"query\": {\"match\": {\"name\": {\"query\": \"a\", \"operator\": \"xor\"}}}}",
        ARGUMENT,
    ),
    search(
        "{\"query\": {\"match\": {\"name\": {\"query\": \"a\", \"fuzziness\": \"lots\"}}}}",
        "illegal_argument_exception|number_format_exception|parsing_exception|query_shard_exception|search_phase_execution_exception|parse_exception",
    ),
    search(
        "{\"query\": {\"match\": {\"name\": {\"query\": \"a\", \"prefix_length\": -1}}}}",
        ARGUMENT,
    ),
    search(
        "{\"query\": {\"match\": {\"name\": {\"query\": \"a\", \"max_expansions\": 0}}}}",
        ARGUMENT,
    ),
    search(
        "{\"query\": {\"match\": {\"name\": {\"query\": \"a\", \"zero_terms_query\": \"some\"}}}}",
        "parsing_exception",
    ),
    search(
        "{\"query\": {\"match\": {\"name\": {\"query\": \"a\", \"analyzer\": \"none_such\"}}}}",
        SHARD,
    ),
    search("{\"query\": {\"match\": {\"price\": \"cheap\"}}}", SHARD),
    search(
        "{\"query\": {\"match\": {\"sold\": \"yesterday-ish\"}}}",
        SHARD,
    ),
    search("{\"query\": {\"match\": {\"addr\": \"not an ip\"}}}", SHARD),
    search("{\"query\": {\"match_phrase\": {}}}", PARSING),
    search(
        "{\"query\": {\"match_phrase\": {\"name\": {\"query\": \"a\", \"slop\": -1}}}}",
        ARGUMENT,
    ),
    search(
        "{\"query\": {\"match_phrase\": {\"name\": {\"query\": \"a\", \"wrong\": 1}}}}",
        "parsing_exception",
    ),
    search(
        "{\"query\": {\"match_phrase\": {\"price\": {\"query\": \"a b\"}}}}",
        SHARD,
    ),
    search(
        "{\"query\": {\"match_phrase_prefix\": {\"name\": {\"query\": \"a\", \"max_expansions\": -1}}}}",
        ARGUMENT,
    ),
    search("{\"query\": {\"multi_match\": {}}}", PARSING),
    search(
        "{\"query\": {\"multi_match\": {\"fields\": [\"name\"]}}}",
        PARSING,
    ),
    search(
        "{\"query\": {\"multi_match\": {\"query\": \"a\", \"fields\": {}}}}",
        "parsing_exception",
    ),
    search(
        "{\"query\": {\"multi_match\": {\"query\": \"a\", \"type\": \"worst_fields\"}}}",
        "parse_exception|parsing_exception|illegal_argument_exception",
    ),
    search(
        "{\"query\": {\"multi_match\": {\"query\": \"a\", \"fields\": [\"name^x\"]}}}",
        "number_format_exception|illegal_argument_exception|parsing_exception",
    ),
    search(
        "{\"query\": {\"multi_match\": {\"query\": \"a\", \"wrong\": 1}}}",
        "parsing_exception",
    ),
    search("{\"query\": {\"term\": {}}}", PARSING),
    search("{\"query\": {\"term\": \"a\"}}", "parsing_exception"),
    search("{\"query\": {\"term\": []}}", "parsing_exception"),
    search(
        "{\"query\": {\"term\": {\"tag\": []}}}",
        "parsing_exception",
    ),
    search(
        "{\"query\": {\"term\": {\"tag\": [\"a\"]}}}",
        "parsing_exception",
    ),
    search(
        "{\"query\": {\"term\": {\"tag\": {\"value\": \"a\", \"wrong\": 1}}}}",
        "parsing_exception",
    ),
    search(
        "{\"query\": {\"term\": {\"tag\": \"a\", \"price\": 1}}}",
        "parsing_exception",
    ),
    search("{\"query\": {\"term\": {\"tag\": null}}}", ARGUMENT),
    search("{\"query\": {\"term\": {\"price\": \"abc\"}}}", SHARD),
    search("{\"query\": {\"term\": {\"open\": \"perhaps\"}}}", SHARD),
    search("{\"query\": {\"term\": {\"addr\": \"1.2.3\"}}}", SHARD),
    search("{\"query\": {\"term\": {\"sold\": \"never\"}}}", SHARD),
    search("{\"query\": {\"terms\": {}}}", PARSING),
    search(
        "{\"query\": {\"terms\": {\"tag\": \"a\"}}}",
        "parsing_exception",
    ),
    search(
        "{\"query\": {\"terms\": {\"tag\": [[]]}}}",
        "parsing_exception|illegal_argument_exception",
    ),
    search(
        "{\"query\": {\"terms\": {\"tag\": [null]}}}",
        "parsing_exception|illegal_argument_exception",
    ),
    search(
        "{\"query\": {\"terms\": {\"tag\": [\"a\"], \"price\": [1]}}}",
        "parsing_exception",
    ),
    search("{\"query\": {\"terms\": {\"price\": [\"a\"]}}}", SHARD),
    search(
        "{\"query\": {\"terms\": {\"tag\": {\"index\": \"hats\"}}}}",
        "illegal_argument_exception|parsing_exception|x_content_parse_exception",
    ),
    search(
        "{\"query\": {\"terms\": {\"tag\": [\"a\"], \"wrong\": true}}}",
        "parsing_exception",
    ),
    search("{\"query\": {\"range\": {}}}", PARSING),
    search(
        "{\"query\": {\"range\": {\"price\": 5}}}",
        "parsing_exception",
    ),
    search(
        "{\"query\": {\"range\": {\"price\": {\"wrong\": 1}}}}",
        "parsing_exception",
    ),
    search(
        "{\"query\": {\"range\": {\"price\": {\"gte\": \"abc\"}}}}",
        SHARD,
    ),
    search(
        "{\"query\": {\"range\": {\"price\": {\"gte\": 1}, \"sold\": {\"gte\": 1}}}}",
        "parsing_exception",
    ),
    search(
        "{\"query\": {\"range\": {\"sold\": {\"gte\": \"2020-99-99\"}}}}",
        SHARD,
    ),
    search(
        "{\"query\": {\"range\": {\"sold\": {\"gte\": \"now-5parsecs\"}}}}",
        SHARD,
    ),
    search(
        "{\"query\": {\"range\": {\"sold\": {\"gte\": \"now\", \"time_zone\": \"Middle/Earth\"}}}}",
        ARGUMENT,
    ),
    search(
        "{\"query\": {\"range\": {\"unmapped\": {\"gte\": \"now\", \"time_zone\": \"+25:00\"}}}}",
        ARGUMENT,
    ),
    search(
        "{\"query\": {\"range\": {\"sold\": {\"gte\": 1, \"format\": \"not_a_format\"}}}}",
        ARGUMENT,
    ),
    search(
        "{\"query\": {\"range\": {\"price\": {\"gte\": 1, \"relation\": \"beside\"}}}}",
        ARGUMENT,
    ),
    search(
        "{\"query\": {\"range\": {\"addr\": {\"gte\": \"here\"}}}}",
        SHARD,
    ),
    search("{\"query\": {\"exists\": {}}}", PARSING),
    search("{\"query\": {\"exists\": {\"field\": \"\"}}}", PARSING),
    search(
        "{\"query\": {\"exists\": {\"field\": []}}}",
        "parsing_exception",
    ),
    search(
        "{\"query\": {\"exists\": {\"fields\": \"a\"}}}",
        "parsing_exception",
    ),
    search("{\"query\": {\"ids\": {\"wrong\": []}}}", PARSING),
    search(
        "{\"query\": {\"ids\": {\"values\": {}}}}",
        "parsing_exception|x_content_parse_exception",
    ),
    search(
        "{\"query\": {\"ids\": {\"values\": [\"1\"], \"wrong\": 1}}}",
        "parsing_exception|x_content_parse_exception",
    ),
    search("{\"query\": {\"prefix\": {}}}", PARSING),
    search("{\"query\": {\"prefix\": {\"tag\": {}}}}", PARSING),
    search(
        "{\"query\": {\"prefix\": {\"tag\": {\"value\": \"a\", \"wrong\": 1}}}}",
        "parsing_exception",
    ),
    search("{\"query\": {\"prefix\": {\"price\": \"1\"}}}", SHARD),
    search("{\"query\": {\"wildcard\": {}}}", PARSING),
    search(
        "{\"query\": {\"wildcard\": {\"tag\": {\"wrong\": \"a\"}}}}",
        PARSING,
    ),
    search("{\"query\": {\"wildcard\": {\"price\": \"1*\"}}}", SHARD),
    search("{\"query\": {\"regexp\": {}}}", PARSING),
    search("{\"query\": {\"regexp\": {\"tag\": \"(\"}}}", SHARD),
    search("{\"query\": {\"regexp\": {\"tag\": \"[a\"}}}", SHARD),
    search(
        "{\"query\": {\"regexp\": {\"tag\": {\"value\": \"a\", \"flags\": \"SOMETIMES\"}}}}",
        ARGUMENT,
    ),
    search("{\"query\": {\"regexp\": {\"price\": \"1.*\"}}}", SHARD),
    search("{\"query\": {\"fuzzy\": {}}}", PARSING),
    search(
        "{\"query\": {\"fuzzy\": {\"tag\": {\"value\": \"a\", \"wrong\": 1}}}}",
        "parsing_exception",
    ),
    search("{\"query\": {\"fuzzy\": {\"price\": \"1\"}}}", SHARD),
    search(
        "{\"query\": {\"fuzzy\": {\"tag\": [\"a\"]}}}",
        "parsing_exception",
    ),
    search("{\"query\": {\"bool\": []}}", "parsing_exception"),
    search(
        "{\"query\": {\"bool\": {\"wrong\": {}}}}",
        "parsing_exception|x_content_parse_exception",
    ),
    search(
        "{\"query\": {\"bool\": {\"must\": 5}}}",
        "parsing_exception|x_content_parse_exception",
    ),
    search(
        "{\"query\": {\"bool\": {\"must\": [5]}}}",
        "parsing_exception|x_content_parse_exception",
    ),
    search(
        "{\"query\": {\"bool\": {\"must\": [{\"nope\": {}}]}}}",
        "parsing_exception|x_content_parse_exception",
    ),
    search(
        "{\"query\": {\"bool\": {\"minimum_should_match\": \"some\", \"should\": [{\"match_all\": {}}]}}}",
        "number_format_exception|query_shard_exception|search_phase_execution_exception|illegal_argument_exception",
    ),
    search(
        "{\"query\": {\"bool\": {\"boost\": \"x\"}}}",
        "number_format_exception|x_content_parse_exception|parsing_exception|illegal_argument_exception|json_parse_exception",
    ),
    search(
        "{\"query\": {\"match_all\": {\"boost\": -1}}}",
        "illegal_argument_exception|parsing_exception|x_content_parse_exception",
    ),
    search("{\"query\": {\"constant_score\": {}}}", PARSING),
    search(
        "{\"query\": {\"constant_score\": {\"filter\": []}}}",
        "parsing_exception",
    ),
    search(
        "{\"query\": {\"constant_score\": {\"query\": {\"match_all\": {}}}}}",
        "parsing_exception",
    ),
    search("{\"query\": {\"dis_max\": {}}}", PARSING),
    search(
        "{\"query\": {\"dis_max\": {\"queries\": 5}}}",
        "parsing_exception",
    ),
    search(
        "{\"query\": {\"dis_max\": {\"queries\": [{\"match_all\": {}}], \"wrong\": 1}}}",
        "parsing_exception",
    ),
    search("{\"query\": {\"query_string\": {}}}", PARSING),
    search(
        "{\"query\": {\"query_string\": {\"query\": \"(unclosed\"}}}",
        SHARD,
    ),
    search(
        "{\"query\": {\"query_string\": {\"query\": \"a AND\"}}}",
        SHARD,
    ),
    search(
        "{\"query\": {\"query_string\": {\"query\": \"[1 TO\"}}}",
        SHARD,
    ),
    search(
        "{\"query\": {\"query_string\": {\"query\": \"price:abc\", \"default_field\": \"name\"}}}",
        SHARD,
    ),
    search(
        "{\"query\": {\"query_string\": {\"query\": \"a\", \"wrong\": 1}}}",
        "parsing_exception",
    ),
    search(
        "{\"query\": {\"query_string\": {\"query\": \"a\", \"default_operator\": \"nor\"}}}",
        ARGUMENT,
    ),
    search(
        "{\"query\": {\"query_string\": {\"query\": \"a\", \"fields\": [\"name\"], \"default_field\": \"tag\"}}}",
        "query_shard_exception",
    ),
    search("{\"query\": {\"simple_query_string\": {}}}", PARSING),
    search(
        "{\"query\": {\"query_string\": {\"query\": \"a\", \"time_zone\": \"Mars/North\"}}}",
        ARGUMENT,
    ),
    search("{\"query\": {\"match_all\": {\"boost\": 1e39}}}", ARGUMENT),
    search(
        "{\"query\": {\"prefix\": {\"_id\": \"a\"}}}",
        "query_shard_exception",
    ),
    search(
        "{\"sort\": [{\"price\": {\"format\": \"bogus\"}}]}",
        "x_content_parse_exception",
    ),
    row(
        "POST",
        "/hats/_search",
        "{\"indices_boost\": [{\"none_such\": 2}]}",
        404,
        "index_not_found_exception",
    ),
    search(
        "{\"query\": {\"simple_query_string\": {\"query\": \"a\", \"flags\": \"MAYBE\"}}}",
        "illegal_argument_exception|parsing_exception",
    ),
    bare("GET", "/hats/_search?q=(unclosed", 400, SHARD),
    bare("GET", "/hats/_search?q=price:abc&df=name", 400, SHARD),
    // ── aggregations
    search("{\"aggs\": {\"a\": {\"nope\": {}}}}", "parsing_exception"),
    search("{\"aggs\": {\"a\": {}}}", "parsing_exception"),
    search("{\"aggs\": {\"a\": 5}}", "parsing_exception"),
    search(
        "{\"aggs\": {\"a\": {\"terms\": {\"field\": \"tag\"}, \"avg\": {\"field\": \"price\"}}}}",
        "parsing_exception",
    ),
    search(
        "{\"aggs\": {\"a[b]\": {\"terms\": {\"field\": \"tag\"}}}}",
        "parsing_exception",
    ),
    search(
        "{\"aggs\": {\"a\": {\"terms\": {\"field\": \"tag\", \"wrong\": 1}}}}",
        PARSING,
    ),
    search(
        "{\"aggs\": {\"a\": {\"terms\": {\"field\": \"tag\", \"size\": 0}}}}",
        PARSING,
    ),
    search(
        "{\"aggs\": {\"a\": {\"terms\": {\"field\": \"tag\", \"size\": -1}}}}",
        PARSING,
    ),
    search(
        "{\"aggs\": {\"a\": {\"terms\": {\"field\": \"tag\", \"order\": {\"_key\": \"up\"}}}}}",
        PARSING,
    ),
    // OpenSearch's own status for an order by something that is not there
    row(
        "POST",
        "/hats/_search",
        "{\"aggs\": {\"a\": {\"terms\": {\"field\": \"tag\", \"order\": {\"b\": \"asc\"}}}}}",
        500,
        "aggregation_execution_exception",
    ),
    search(
        "{\"aggs\": {\"a\": {\"terms\": {\"field\": \"name\"}}}}",
        SHARD,
    ),
    search(
        "{\"aggs\": {\"a\": {\"avg\": {\"field\": \"tag\"}}}}",
        SHARD,
    ),
    search(
        "{\"aggs\": {\"a\": {\"avg\": {}}}}",
        "illegal_argument_exception|parsing_exception|search_phase_execution_exception",
    ),
    search(
        "{\"aggs\": {\"a\": {\"avg\": {\"field\": \"price\"}, \"aggs\": {\"b\": {\"max\": {\"field\": \"price\"}}}}}}",
        "aggregation_initialization_exception|illegal_argument_exception|parsing_exception",
    ),
    search(
        "{\"aggs\": {\"a\": {\"histogram\": {\"field\": \"price\"}}}}",
        PARSING,
    ),
    search(
        "{\"aggs\": {\"a\": {\"histogram\": {\"field\": \"price\", \"interval\": 0}}}}",
        PARSING,
    ),
    search(
        "{\"aggs\": {\"a\": {\"histogram\": {\"field\": \"price\", \"interval\": -5}}}}",
        PARSING,
    ),
    search(
        "{\"aggs\": {\"a\": {\"histogram\": {\"field\": \"tag\", \"interval\": 5}}}}",
        SHARD,
    ),
    search(
        "{\"aggs\": {\"a\": {\"date_histogram\": {\"field\": \"sold\"}}}}",
        PARSING,
    ),
    search(
        "{\"aggs\": {\"a\": {\"date_histogram\": {\"field\": \"sold\", \"calendar_interval\": \"fortnight\"}}}}",
        PARSING,
    ),
    search(
        "{\"aggs\": {\"a\": {\"date_histogram\": {\"field\": \"sold\", \"calendar_interval\": \"2d\"}}}}",
        PARSING,
    ),
    search(
        "{\"aggs\": {\"a\": {\"date_histogram\": {\"field\": \"sold\", \"fixed_interval\": \"1M\"}}}}",
        "illegal_argument_exception|parsing_exception|x_content_parse_exception|parse_exception",
    ),
    search(
        "{\"aggs\": {\"a\": {\"date_histogram\": {\"field\": \"sold\", \"calendar_interval\": \"day\", \"fixed_interval\": \"1d\"}}}}",
        PARSING,
    ),
    search(
        "{\"aggs\": {\"a\": {\"range\": {\"field\": \"price\"}}}}",
        "illegal_argument_exception|parsing_exception|x_content_parse_exception|search_phase_execution_exception",
    ),
    search(
        "{\"aggs\": {\"a\": {\"range\": {\"field\": \"price\", \"ranges\": [{\"wrong\": 1}]}}}}",
        PARSING,
    ),
    search(
        "{\"aggs\": {\"a\": {\"date_range\": {\"field\": \"sold\", \"ranges\": [{\"from\": \"whenever\"}]}}}}",
        "parse_exception|illegal_argument_exception|search_phase_execution_exception",
    ),
    search(
        "{\"aggs\": {\"a\": {\"filter\": {\"nope\": {}}}}}",
        "parsing_exception",
    ),
    search(
        "{\"aggs\": {\"a\": {\"filters\": {}}}}",
        "parsing_exception|illegal_argument_exception",
    ),
    search(
        "{\"aggs\": {\"a\": {\"percentiles\": {\"field\": \"price\", \"percents\": [101]}}}}",
        "illegal_argument_exception|parsing_exception|x_content_parse_exception|search_phase_execution_exception",
    ),
    search(
        "{\"aggs\": {\"a\": {\"percentiles\": {\"field\": \"price\", \"percents\": []}}}}",
        "illegal_argument_exception|parsing_exception|x_content_parse_exception",
    ),
    search(
        "{\"aggs\": {\"a\": {\"cardinality\": {\"field\": \"price\", \"precision_threshold\": -1}}}}",
        PARSING,
    ),
    search(
        "{\"aggs\": {\"a\": {\"extended_stats\": {\"field\": \"price\", \"sigma\": -1}}}}",
        PARSING,
    ),
    search(
        "{\"aggs\": {\"a\": {\"top_hits\": {\"size\": -1}}}}",
        PARSING,
    ),
    search(
        "{\"aggs\": {\"a\": {\"top_hits\": {\"size\": 101}}}}",
        SHARD,
    ),
    search(
        "{\"aggs\": {\"a\": {\"missing\": {}}}}",
        "illegal_argument_exception|parsing_exception|search_phase_execution_exception",
    ),
    // ── parameters that nobody knows, or of the wrong form
    bare("GET", "/hats/_search?wrong=1", 400, ARGUMENT),
    bare("GET", "/hats/_search?siez=1", 400, ARGUMENT),
    bare("GET", "/hats/_search?size=x", 400, ARGUMENT),
    bare("GET", "/hats/_search?from=-1", 400, ARGUMENT),
    bare("GET", "/hats/_search?size=10001", 400, ARGUMENT),
    bare("GET", "/hats/_search?scroll=forever", 400, ARGUMENT),
    bare(
        "GET",
        "/hats/_search?scroll=1m&from=1",
        400,
        "action_request_validation_exception|illegal_argument_exception",
    ),
    bare(
        "GET",
        "/hats/_search?scroll=1m&size=0",
        400,
        "action_request_validation_exception|illegal_argument_exception",
    ),
    bare(
        "GET",
        "/hats/_search?scroll=1m&request_cache=true",
        400,
        "action_request_validation_exception|illegal_argument_exception",
    ),
    bare(
        "GET",
        "/hats/_search?scroll=1m&track_total_hits=false",
        400,
        "action_request_validation_exception|illegal_argument_exception",
    ),
    bare("GET", "/hats/_search?track_total_hits=x", 400, ARGUMENT),
    bare(
        "GET",
        "/hats/_search?timeout=5",
        400,
        "illegal_argument_exception|parse_exception",
    ),
    bare("GET", "/hats/_search?search_type=psychic", 400, ARGUMENT),
    bare(
        "GET",
        "/hats/_search?allow_partial_search_results=perhaps",
        400,
        ARGUMENT,
    ),
    bare("GET", "/hats/_search?expand_wildcards=wide", 400, ARGUMENT),
    bare("GET", "/hats/_search?ignore_unavailable=7", 400, ARGUMENT),
    bare("GET", "/hats/_search?batched_reduce_size=1", 400, ARGUMENT),
    bare(
        "GET",
        "/hats/_search?default_operator=nor&q=a",
        400,
        ARGUMENT,
    ),
    bare("GET", "/hats/_count?wrong=1", 400, ARGUMENT),
    bare("GET", "/hats/_doc/1?wrong=1", 400, ARGUMENT),
    bare("GET", "/hats/_doc/1?realtime=x", 400, ARGUMENT),
    bare("DELETE", "/hats/_doc/1?version=x", 400, ARGUMENT),
    bare("DELETE", "/hats/_doc/1?version_type=loose", 400, ARGUMENT),
    bare("GET", "/_cluster/health?wrong=1", 400, ARGUMENT),
    bare(
        "GET",
        "/_cluster/health?wait_for_status=purple",
        400,
        ARGUMENT,
    ),
    bare("GET", "/_cluster/health?level=floor", 400, ARGUMENT),
    bare("GET", "/_cluster/health?timeout=x", 400, ARGUMENT),
    bare("GET", "/_cluster/state?wrong=1", 400, ARGUMENT),
    bare("GET", "/_cat/indices?wrong=1", 400, ARGUMENT),
    bare("GET", "/_cat/indices?bytes=stones", 400, ARGUMENT),
    bare("GET", "/_cat/health?time=ages", 400, ARGUMENT),
    bare("GET", "/_cat/indices?health=purple", 400, ARGUMENT),
    bare("GET", "/_nodes/stats?wrong=1", 400, ARGUMENT),
    bare("GET", "/_nodes/stats/moods", 400, ARGUMENT),
    bare("GET", "/hats/_stats/moods", 400, ARGUMENT),
    bare("GET", "/hats/_stats?level=floor", 400, ARGUMENT),
    bare("POST", "/hats/_refresh?wrong=1", 400, ARGUMENT),
    bare("POST", "/hats/_flush?force=x", 400, ARGUMENT),
    bare(
        "POST",
        "/hats/_forcemerge?max_num_segments=x",
        400,
        ARGUMENT,
    ),
    bare(
        "POST",
        "/hats/_forcemerge?only_expunge_deletes=perhaps",
        400,
        ARGUMENT,
    ),
    bare("GET", "/hats?wrong=1", 400, ARGUMENT),
    bare("GET", "/hats/_mapping?wrong=1", 400, ARGUMENT),
    bare("GET", "/?wrong=1", 400, ARGUMENT),
    row("PUT", "/hats/_doc/1?op_type=upsert", "{}", 400, ARGUMENT),
    row("PUT", "/hats/_doc/1?refresh=soon", "{}", 400, ARGUMENT),
    row("PUT", "/hats/_doc/1?if_seq_no=1", "{}", 400, VALIDATION),
    row(
        "PUT",
        "/hats/_doc/1?if_primary_term=1",
        "{}",
        400,
        VALIDATION,
    ),
    row(
        "PUT",
        "/hats/_doc/1?if_seq_no=-5&if_primary_term=1",
        "{}",
        400,
        "illegal_argument_exception|action_request_validation_exception",
    ),
    row(
        "PUT",
        "/hats/_doc/1?version=5&if_seq_no=1&if_primary_term=1",
        "{}",
        400,
        VALIDATION,
    ),
    row("PUT", "/hats/_doc/1?version=1", "{}", 400, VALIDATION),
    row(
        "PUT",
        "/hats/_doc/1?version=-1&version_type=external",
        "{}",
        400,
        VALIDATION,
    ),
    row(
        "PUT",
        "/hats/_doc/1?version=x&version_type=external",
        "{}",
        400,
        ARGUMENT,
    ),
    row(
        "PUT",
        "/hats/_create/1?version=5&version_type=external",
        "{}",
        400,
        VALIDATION,
    ),
    row("PUT", "/hats/_doc/1?timeout=fast", "{}", 400, ARGUMENT),
    row(
        "PUT",
        "/hats/_doc/1?pipeline=none_such",
        "{}",
        400,
        ARGUMENT,
    ),
    row(
        "PUT",
        "/hats/_doc/1?wait_for_active_shards=many",
        "{}",
        400,
        ARGUMENT,
    ),
    row(
        "PUT",
        "/nowhere/_doc/1?require_alias=true",
        "{}",
        404,
        "index_not_found_exception",
    ),
    // ── conflicts and things that are not there
    row(
        "PUT",
        "/hats/_create/1",
        "{}",
        409,
        "version_conflict_engine_exception",
    ),
    row(
        "PUT",
        "/hats/_doc/1?op_type=create",
        "{}",
        409,
        "version_conflict_engine_exception",
    ),
    row(
        "PUT",
        "/hats/_doc/1?if_seq_no=99&if_primary_term=1",
        "{}",
        409,
        "version_conflict_engine_exception",
    ),
    row(
        "POST",
        "/hats/_update/none",
        "{\"doc\": {}}",
        404,
        "document_missing_exception",
    ),
    bare("DELETE", "/nowhere/_doc/1?wrong=1", 400, ARGUMENT),
    bare("GET", "/nowhere/_doc/1", 404, "index_not_found_exception"),
    bare("GET", "/nowhere/_search", 404, "index_not_found_exception"),
    bare("GET", "/nowhere", 404, "index_not_found_exception"),
    bare("DELETE", "/nowhere", 404, "index_not_found_exception"),
    bare("GET", "/nowhere/_mapping", 404, "index_not_found_exception"),
    bare(
        "GET",
        "/nowhere/_settings",
        404,
        "index_not_found_exception",
    ),
    bare("GET", "/nowhere/_count", 404, "index_not_found_exception"),
    bare("GET", "/nowhere/_stats", 404, "index_not_found_exception"),
    bare(
        "POST",
        "/nowhere/_refresh",
        404,
        "index_not_found_exception",
    ),
    bare("POST", "/nowhere/_close", 404, "index_not_found_exception"),
    bare(
        "GET",
        "/_index_template/none",
        404,
        "resource_not_found_exception",
    ),
    bare(
        "GET",
        "/_component_template/none",
        404,
        "resource_not_found_exception",
    ),
    bare(
        "DELETE",
        "/_index_template/none",
        404,
        "index_template_missing_exception",
    ),
    bare(
        "DELETE",
        "/_template/none",
        404,
        "index_template_missing_exception",
    ),
    bare(
        "GET",
        "/hats/_source/none",
        404,
        "resource_not_found_exception",
    ),
    bare(
        "DELETE",
        "/hats/_alias/none",
        404,
        "aliases_not_found_exception",
    ),
    row(
        "POST",
        "/_search/scroll",
        "{\"scroll_id\": \"bm9uZQ==\"}",
        400,
        ARGUMENT,
    ),
    row(
        "PUT",
        "/hats",
        "{}",
        400,
        "resource_already_exists_exception",
    ),
    bare("GET", "/closed/_search", 400, "index_closed_exception"),
    row("PUT", "/closed/_doc/1", "{}", 400, "index_closed_exception"),
    bare("DELETE", "/caps", 400, ARGUMENT),
    // ── updates
    row("POST", "/hats/_update/1", "{}", 400, VALIDATION),
    row(
        "POST",
        "/hats/_update/1",
        "{\"dco\": {}}",
        400,
        "x_content_parse_exception|illegal_argument_exception|parsing_exception",
    ),
    row(
        "POST",
        "/hats/_update/1",
        "{\"doc\": 5}",
        400,
        "x_content_parse_exception|parsing_exception|illegal_argument_exception",
    ),
    row(
        "POST",
        "/hats/_update/1",
        "{\"doc\": {\"price\": \"abc\"}}",
        400,
        MAPPER,
    ),
    row(
        "POST",
        "/hats/_update/1?retry_on_conflict=x",
        "{\"doc\": {}}",
        400,
        ARGUMENT,
    ),
    row(
        "POST",
        "/hats/_update/1?retry_on_conflict=3&if_seq_no=0&if_primary_term=1",
        "{\"doc\": {}}",
        400,
        VALIDATION,
    ),
    row(
        "POST",
        "/hats/_update/1",
        "{\"doc_as_upsert\": true}",
        400,
        VALIDATION,
    ),
    // ── documents that do not fit
    document("{\"price\": \"abc\"}", MAPPER),
    document("{\"price\": {}}", MAPPER),
    document("{\"price\": {\"a\": 1}}", MAPPER),
    document("{\"price\": 99999999999999999999}", MAPPER),
    document("{\"price\": true}", MAPPER),
    document("{\"small\": 128}", MAPPER),
    document("{\"small\": -129}", MAPPER),
    document("{\"open\": \"perhaps\"}", MAPPER),
    document("{\"open\": 1}", MAPPER),
    document("{\"sold\": \"yesterday\"}", MAPPER),
    document("{\"sold\": {}}", MAPPER),
    document("{\"sold\": \"2020-13-45\"}", MAPPER),
    document("{\"addr\": \"localhost\"}", MAPPER),
    document("{\"addr\": \"300.1.1.1\"}", MAPPER),
    document("{\"name\": {\"a\": 1}}", MAPPER),
    document("{\"place\": \"concrete\"}", "mapper_parsing_exception"),
    document(
        "{\"\": 1}",
        "mapper_parsing_exception|illegal_argument_exception",
    ),
    document(
        "{\"a..b\": 1}",
        "mapper_parsing_exception|illegal_argument_exception",
    ),
    document(
        "{\".a\": 1}",
        "mapper_parsing_exception|illegal_argument_exception",
    ),
    document("{\"_id\": \"inside\"}", "mapper_parsing_exception"),
    row(
        "PUT",
        "/strict/_doc/1",
        "{\"other\": 1}",
        400,
        "strict_dynamic_mapping_exception",
    ),
    row(
        "PUT",
        "/strict/_doc/1",
        "{\"known\": {\"deeper\": 1}}",
        400,
        "mapper_parsing_exception|strict_dynamic_mapping_exception",
    ),
    // ── bulk
    bulk("", "parse_exception|action_request_validation_exception"),
    bulk("{\"index\": {}}\n{}", ARGUMENT),
    bulk("nonsense\n", JSON),
    bulk("{\"index\": {}\n{}\n", JSON),
    bulk("[]\n", ARGUMENT),
    bulk("{\"idnex\": {}}\n{}\n", ARGUMENT),
    bulk("{\"index\": 5}\n{}\n", ARGUMENT),
    bulk("{\"index\": []}\n{}\n", ARGUMENT),
    bulk("{\"index\": {\"_id\": {}}}\n{}\n", ARGUMENT),
    bulk("{\"index\": {\"_di\": \"1\"}}\n{}\n", ARGUMENT),
    bulk(
        "{\"index\": {\"version\": 1, \"version_type\": \"loose\"}}\n{}\n",
        ARGUMENT,
    ),
    bulk(
        "{\"update\": {\"_id\": \"1\"}}\n{\"dco\": {}}\n",
        "x_content_parse_exception|illegal_argument_exception",
    ),
    bulk(
        "{\"index\": {\"_id\": \"1\"}}\n",
        "illegal_argument_exception|action_request_validation_exception|null_pointer_exception",
    ),
    row(
        "POST",
        "/_bulk",
        "{\"index\": {\"_id\": \"1\"}}\n{}\n",
        400,
        VALIDATION,
    ),
    row(
        "POST",
        "/hats/_bulk?wrong=1",
        "{\"index\": {}}\n{}\n",
        400,
        ARGUMENT,
    ),
    row(
        "POST",
        "/hats/_bulk?refresh=soon",
        "{\"index\": {}}\n{}\n",
        400,
        ARGUMENT,
    ),
    bulk_item(
        "{\"index\": {\"_id\": \"b\"}}\n{\"price\": \"abc\"}\n",
        400,
        MAPPER,
    ),
    bulk_item(
        "{\"index\": {\"_id\": \"b\"}}\n{\"price\": \n",
        400,
        DOCUMENT,
    ),
    bulk_item(
        "{\"create\": {\"_id\": \"1\"}}\n{}\n",
        409,
        "version_conflict_engine_exception",
    ),
    bulk_item(
        "{\"update\": {\"_id\": \"none\"}}\n{\"doc\": {}}\n",
        404,
        "document_missing_exception",
    ),
    bulk_item(
        "{\"index\": {\"_id\": \"1\", \"if_seq_no\": 99, \"if_primary_term\": 1}}\n{}\n",
        409,
        "version_conflict_engine_exception",
    ),
    bulk_item(
        "{\"index\": {\"_index\": \"UPPER\"}}\n{}\n",
        400,
        "invalid_index_name_exception",
    ),
    bulk_item(
        "{\"index\": {\"_index\": \"nowhere\", \"require_alias\": true}}\n{}\n",
        404,
        "index_not_found_exception",
    ),
    bulk_item(
        "{\"index\": {\"_index\": \"closed\"}}\n{}\n",
        400,
        "index_closed_exception",
    ),
    // ── mget, msearch, count, analyze, scroll
    row("POST", "/_mget", "{}", 400, VALIDATION),
    row("POST", "/_mget", "{\"docs\": []}", 400, VALIDATION),
    row("POST", "/_mget", "{\"ids\": [\"1\"]}", 400, VALIDATION),
    row(
        "POST",
        "/_mget",
        "{\"docs\": [{\"_id\": \"1\"}]}",
        400,
        VALIDATION,
    ),
    row("POST", "/hats/_mget", "{\"docs\": [{}]}", 400, VALIDATION),
    row(
        "POST",
        "/hats/_mget",
        "{\"docs\": [{\"_di\": \"1\"}]}",
        400,
        "illegal_argument_exception|parsing_exception|parse_exception",
    ),
    row(
        "POST",
        "/hats/_mget",
        "{\"unknown\": []}",
        400,
        "parsing_exception|parse_exception|illegal_argument_exception",
    ),
    row(
        "POST",
        "/_msearch",
        "",
        400,
        "parse_exception|illegal_argument_exception|action_request_validation_exception",
    ),
    row(
        "POST",
        "/_msearch",
        "{\"index\": \"hats\"}\n{\"query\": {\"match_all\": {}}}",
        400,
        ARGUMENT,
    ),
    row(
        "POST",
        "/_msearch",
        "{\"wrong\": \"hats\"}\n{}\n",
        400,
        ARGUMENT,
    ),
    row(
        "POST",
        "/hats/_count",
        "{\"size\": 1}",
        400,
        "parsing_exception",
    ),
    row(
        "POST",
        "/hats/_count",
        "{\"query\": {\"nope\": {}}}",
        400,
        "parsing_exception",
    ),
    row(
        "POST",
        "/_analyze",
        "{}",
        400,
        "action_request_validation_exception|illegal_argument_exception",
    ),
    row(
        "POST",
        "/_analyze",
        "{\"analyzer\": \"none_such\", \"text\": \"a\"}",
        400,
        ARGUMENT,
    ),
    row(
        "POST",
        "/_analyze",
        "{\"tokenizer\": \"none_such\", \"text\": \"a\"}",
        400,
        ARGUMENT,
    ),
    row(
        "POST",
        "/_analyze",
        "{\"tokenizer\": \"standard\", \"filter\": [\"none_such\"], \"text\": \"a\"}",
        400,
        ARGUMENT,
    ),
    row(
        "POST",
        "/_analyze",
        "{\"text\": \"a\", \"wrong\": 1}",
        400,
        "x_content_parse_exception|illegal_argument_exception|parsing_exception",
    ),
    row(
        "POST",
        "/hats/_analyze",
        "{\"field\": \"name\"}",
        400,
        "action_request_validation_exception|illegal_argument_exception",
    ),
    row("POST", "/_search/scroll", "{}", 400, VALIDATION),
    row(
        "DELETE",
        "/_search/scroll",
        "{\"scroll_id\": [\"nonsense\"]}",
        400,
        ARGUMENT,
    ),
    row("POST", "/hats/_delete_by_query", "{}", 400, VALIDATION),
    row(
        "POST",
        "/hats/_delete_by_query?conflicts=fight",
        "{\"query\": {\"match_all\": {}}}",
        400,
        ARGUMENT,
    ),
    row(
        "POST",
        "/hats/_delete_by_query?slices=0",
        "{\"query\": {\"match_all\": {}}}",
        400,
        ARGUMENT,
    ),
    row(
        "POST",
        "/hats/_delete_by_query?slices=4294967295",
        "{\"query\": {\"match_all\": {}}}",
        400,
        ARGUMENT,
    ),
    row(
        "POST",
        "/hats/_delete_by_query",
        "{\"query\": {\"nope\": {}}}",
        400,
        "parsing_exception",
    ),
    bare("GET", "/hats/_field_caps", 400, VALIDATION),
    // ── index names and path traversal
    bare("PUT", "/UPPER", 400, "invalid_index_name_exception"),
    bare("PUT", "/_hidden", 400, "invalid_index_name_exception"),
    bare("PUT", "/-minus", 400, "invalid_index_name_exception"),
    bare("PUT", "/+plus", 400, "invalid_index_name_exception"),
    bare("PUT", "/with%20space", 400, "invalid_index_name_exception"),
    bare(
        "PUT",
        "/with%2Cchoice",
        400,
        "invalid_index_name_exception|illegal_argument_exception",
    ),
    bare("PUT", "/quote%22d", 400, "invalid_index_name_exception"),
    bare("PUT", "/star*", 400, "invalid_index_name_exception"),
    bare("PUT", "/ask%3F", 400, "invalid_index_name_exception"),
    bare("PUT", "/less%3Cthan", 400, "invalid_index_name_exception"),
    bare("PUT", "/pipe%7Cd", 400, "invalid_index_name_exception"),
    bare("PUT", "/ha%23sh", 400, "invalid_index_name_exception"),
    bare("PUT", "/co%3Alon", 400, "invalid_index_name_exception"),
    bare("PUT", "/back%5Cslash", 400, "invalid_index_name_exception"),
    bare("PUT", "/sl%2Fash", 400, "invalid_index_name_exception"),
    bare("PUT", "/%2e", 400, "invalid_index_name_exception|"),
    bare("PUT", "/%2e%2e", 400, "invalid_index_name_exception|"),
    bare(
        "PUT",
        "/..%2F..%2Fetc%2Fpasswd",
        400,
        "invalid_index_name_exception",
    ),
    bare(
        "PUT",
        "/%2e%2e%2f%2e%2e%2fetc",
        400,
        "invalid_index_name_exception",
    ),
    row(
        "PUT",
        "/..%2F..%2Fetc/_doc/1",
        "{}",
        400,
        "invalid_index_name_exception",
    ),
    row(
        "POST",
        "/..%5C..%5Cwin/_doc",
        "{}",
        400,
        "invalid_index_name_exception",
    ),
    bare("GET", "/%2e%2e/%2e%2e/etc/passwd", 400, ""),
    bare("GET", "/hats/../../etc/passwd", 400, ""),
    bare("GET", "/_plugins/_none/such", 400, ""),
    bare("GET", "/hats/_nothing/here/at/all", 400, ""),
    bare("GET", "/_none", 400, "invalid_index_name_exception"),
    // ── the wrong verb
    bare("DELETE", "/_cluster/health", 405, ""),
    bare("PUT", "/_search", 405, ""),
    bare("DELETE", "/hats/_search", 405, ""),
    bare("POST", "/_cat/indices", 405, ""),
    bare("GET", "/_bulk", 405, ""),
    bare("DELETE", "/hats/_mapping", 405, ""),
    bare("POST", "/_nodes/stats", 405, ""),
    bare("PATCH", "/hats", 405, "|illegal_argument_exception"),
    // ── new indices
    create(
        "{\"unknown\": {}}",
        "parse_exception|parsing_exception|illegal_argument_exception",
    ),
    create(
        "[]",
        "parse_exception|parsing_exception|illegal_argument_exception|not_x_content_exception",
    ),
    create(
        "{\"settings\": 5}",
        "parse_exception|parsing_exception|illegal_argument_exception|class_cast_exception|settings_exception",
    ),
    create("{\"settings\": {\"number_of_shards\": 0}}", ARGUMENT),
    create("{\"settings\": {\"number_of_shards\": -1}}", ARGUMENT),
    create("{\"settings\": {\"number_of_shards\": 1025}}", ARGUMENT),
    create("{\"settings\": {\"number_of_shards\": \"many\"}}", ARGUMENT),
    create("{\"settings\": {\"number_of_replicas\": -1}}", ARGUMENT),
    create("{\"settings\": {\"number_of_replicas\": \"x\"}}", ARGUMENT),
    create(
        "{\"settings\": {\"refresh_interval\": \"often\"}}",
        ARGUMENT,
    ),
    create(
        "{\"settings\": {\"wrong\": 1}}",
        "illegal_argument_exception|settings_exception",
    ),
    create(
        "{\"settings\": {\"index.uuid\": \"mine\"}}",
        "illegal_argument_exception|settings_exception|validation_exception",
    ),
    create(
        "{\"settings\": {\"index.translog.durability\": \"hope\"}}",
        ARGUMENT,
    ),
    create(
        "{\"settings\": {\"analysis\": {\"analyzer\": {\"a\": {\"type\": \"none_such\"}}}}}",
        ARGUMENT,
    ),
    create(
        "{\"settings\": {\"analysis\": {\"analyzer\": {\"a\": {\"type\": \"custom\"}}}}}",
        ARGUMENT,
    ),
    create(
        "{\"settings\": {\"analysis\": {\"analyzer\": {\"a\": {\"type\": \"custom\", \"tokenizer\": \"none_such\"}}}}}",
        ARGUMENT,
    ),
    create(
        "{\"settings\": {\"analysis\": {\"analyzer\": {\"a\": {\"tokenizer\": \"standard\", \"filter\": [\"none_such\"]}}}}}",
        ARGUMENT,
    ),
    create(
        "{\"mappings\": 5}",
        "mapper_parsing_exception|parse_exception|parsing_exception|illegal_argument_exception|class_cast_exception",
    ),
    create("{\"mappings\": {\"unknown\": 1}}", MAPPER),
    create(
        "{\"mappings\": {\"properties\": [1]}}",
        "mapper_parsing_exception|parse_exception|illegal_argument_exception",
    ),
    create("{\"mappings\": {\"properties\": {\"a\": {}}}}", MAPPER),
    create("{\"mappings\": {\"properties\": {\"a\": 5}}}", MAPPER),
    create(
        "{\"mappings\": {\"properties\": {\"a\": {\"type\": \"none_such\"}}}}",
        MAPPER,
    ),
    create(
        "{\"mappings\": {\"properties\": {\"a\": {\"type\": \"text\", \"wrong\": 1}}}}",
        MAPPER,
    ),
    create(
        "{\"mappings\": {\"properties\": {\"a\": {\"type\": \"text\", \"analyzer\": \"none_such\"}}}}",
        MAPPER,
    ),
    create(
        "{\"mappings\": {\"properties\": {\"a\": {\"type\": \"keyword\", \"normalizer\": \"none_such\"}}}}",
        MAPPER,
    ),
    create(
        "{\"mappings\": {\"properties\": {\"a\": {\"type\": \"date\", \"format\": \"not a format b\"}}}}",
        "mapper_parsing_exception|illegal_argument_exception",
    ),
    create(
        "{\"mappings\": {\"properties\": {\"a\": {\"type\": \"scaled_float\"}}}}",
        "mapper_parsing_exception|illegal_argument_exception",
    ),
    create(
        "{\"mappings\": {\"properties\": {\"a\": {\"type\": \"scaled_float\", \"scaling_factor\": -1}}}}",
        "mapper_parsing_exception|illegal_argument_exception",
    ),
    create(
        "{\"mappings\": {\"properties\": {\"a\": {\"type\": \"long\", \"index\": \"maybe\"}}}}",
        "mapper_parsing_exception|illegal_argument_exception",
    ),
    create(
        "{\"mappings\": {\"properties\": {\"a\": {\"type\": \"alias\"}}}}",
        MAPPER,
    ),
    create(
        "{\"mappings\": {\"properties\": {\"a\": {\"type\": \"alias\", \"path\": \"nowhere\"}}}}",
        "mapper_parsing_exception|illegal_argument_exception",
    ),
    create(
        "{\"mappings\": {\"dynamic\": \"sometimes\"}}",
        "mapper_parsing_exception|illegal_argument_exception",
    ),
    create("{\"mappings\": {\"dynamic_templates\": {}}}", MAPPER),
    create(
        "{\"aliases\": {\"bad name\": {}}}",
        "invalid_alias_name_exception|illegal_argument_exception",
    ),
    create(
        "{\"aliases\": {\"a\": {\"filter\": {\"nope\": {}}}}}",
        "illegal_argument_exception|parsing_exception",
    ),
    create(
        "{\"aliases\": {\"hats\": {}}}",
        "invalid_alias_name_exception",
    ),
    row(
        "PUT",
        "/fresh?wait_for_active_shards=many",
        "{}",
        400,
        ARGUMENT,
    ),
    row("PUT", "/fresh?wrong=1", "{}", 400, ARGUMENT),
    // ── changes to mappings, settings, aliases, templates, cluster settings
    row(
        "PUT",
        "/hats/_mapping",
        "",
        400,
        "parse_exception|action_request_validation_exception",
    ),
    row(
        "PUT",
        "/hats/_mapping",
        "{\"properties\": {\"price\": {\"type\": \"text\"}}}",
        400,
        ARGUMENT,
    ),
    row(
        "PUT",
        "/hats/_mapping",
        "{\"properties\": {\"name\": {\"type\": \"text\", \"analyzer\": \"simple\"}}}",
        400,
        ARGUMENT,
    ),
    row(
        "PUT",
        "/hats/_mapping",
        "{\"properties\": {\"name\": {\"properties\": {\"a\": {\"type\": \"long\"}}}}}",
        400,
        "illegal_argument_exception|mapper_parsing_exception",
    ),
    row("PUT", "/hats/_mapping", "{\"wrong\": {}}", 400, MAPPER),
    row(
        "PUT",
        "/hats/_settings",
        "{\"number_of_shards\": 2}",
        400,
        ARGUMENT,
    ),
    row(
        "PUT",
        "/hats/_settings",
        "{\"wrong\": 2}",
        400,
        "illegal_argument_exception|settings_exception",
    ),
    row(
        "PUT",
        "/hats/_settings",
        "{\"number_of_replicas\": -2}",
        400,
        ARGUMENT,
    ),
    row("PUT", "/hats/_settings", "{}", 400, VALIDATION),
    row(
        "POST",
        "/_aliases",
        "{}",
        400,
        "illegal_argument_exception|action_request_validation_exception",
    ),
    row(
        "POST",
        "/_aliases",
        "{\"actions\": []}",
        400,
        "illegal_argument_exception|action_request_validation_exception",
    ),
    row(
        "POST",
        "/_aliases",
        "{\"actions\": [{\"wrong\": {}}]}",
        400,
        "x_content_parse_exception|illegal_argument_exception|parsing_exception",
    ),
    row(
        "POST",
        "/_aliases",
        "{\"actions\": [{\"add\": {\"index\": \"hats\"}}]}",
        400,
        "illegal_argument_exception|action_request_validation_exception|x_content_parse_exception",
    ),
    row(
        "POST",
        "/_aliases",
        "{\"actions\": [{\"add\": {\"index\": \"nowhere\", \"alias\": \"a\"}}]}",
        404,
        "index_not_found_exception",
    ),
    row(
        "PUT",
        "/hats/_alias/bad%20name",
        "",
        400,
        "invalid_alias_name_exception",
    ),
    row(
        "PUT",
        "/hats/_alias/strict",
        "",
        400,
        "invalid_alias_name_exception",
    ),
    row(
        "PUT",
        "/_index_template/t",
        "{}",
        400,
        "illegal_argument_exception|x_content_parse_exception|parsing_exception|action_request_validation_exception",
    ),
    row(
        "PUT",
        "/_index_template/t",
        "{\"index_patterns\": [\"a*\"], \"wrong\": 1}",
        400,
        "x_content_parse_exception|illegal_argument_exception|parsing_exception",
    ),
    row(
        "PUT",
        "/_index_template/t",
        "{\"index_patterns\": [\"a*\"], \"composed_of\": [\"none_such\"]}",
        400,
        "illegal_argument_exception|invalid_index_template_exception",
    ),
    row(
        "PUT",
        "/_template/t",
        "{\"wrong\": 1, \"index_patterns\": [\"a\"]}",
        400,
        "illegal_argument_exception|parse_exception|parsing_exception|x_content_parse_exception",
    ),
    row(
        "PUT",
        "/_template/t",
        "{}",
        400,
        "action_request_validation_exception|illegal_argument_exception",
    ),
    row("PUT", "/_cluster/settings", "{}", 400, VALIDATION),
    row(
        "PUT",
        "/_cluster/settings",
        "{\"persistent\": {\"wrong.setting\": 1}}",
        400,
        "illegal_argument_exception|settings_exception",
    ),
    row(
        "PUT",
        "/_cluster/settings",
        "{\"wrong\": {}}",
        400,
        "x_content_parse_exception|illegal_argument_exception|parsing_exception",
    ),
    // ── bodies that no text editor makes
    Row {
        method: "POST",
        path: "/hats/_search",
        content_type: "text/plain",
        body: Body::Text("{}"),
        status: 406,
        kind: "|illegal_argument_exception|media_type_header_exception",
    },
    Row {
        method: "POST",
        path: "/hats/_search",
        content_type: "application/xml",
        body: Body::Text("<query/>"),
        status: 406,
        kind: "|illegal_argument_exception|media_type_header_exception",
    },
    Row {
        method: "PUT",
        path: "/hats/_doc/bad",
        content_type: "application/json",
        body: Body::Made(invalid_utf8),
        status: 400,
        kind: DOCUMENT,
    },
    Row {
        method: "POST",
        path: "/hats/_search",
        content_type: "application/json",
        body: Body::Made(invalid_utf8),
        status: 400,
        kind: JSON,
    },
    Row {
        method: "POST",
        path: "/hats/_search",
        content_type: "application/json",
        body: Body::Made(deep_query),
        status: 400,
        kind: "parsing_exception|x_content_parse_exception|illegal_argument_exception|stream_constraints_exception|json_parse_exception",
    },
    Row {
        method: "POST",
        path: "/hats/_search",
        content_type: "application/json",
        body: Body::Made(deep_arrays),
        status: 400,
        kind: "parsing_exception|x_content_parse_exception|illegal_argument_exception|stream_constraints_exception|json_parse_exception",
    },
    Row {
        method: "PUT",
        path: "/hats/_doc/bad",
        content_type: "application/json",
        body: Body::Made(deep_document),
        status: 400,
        kind: "mapper_parsing_exception|illegal_argument_exception|stream_constraints_exception",
    },
    Row {
        method: "PUT",
        path: "/hats/_doc/bad",
        content_type: "application/json",
        body: Body::Made(deep_arrays),
        status: 400,
        kind: "mapper_parsing_exception|illegal_argument_exception|stream_constraints_exception",
    },
    Row {
        method: "PUT",
        path: "/hats/_doc/bad",
        content_type: "application/json",
        body: Body::Made(many_fields),
        status: 400,
        kind: "illegal_argument_exception|mapper_parsing_exception",
    },
    Row {
        method: "PUT",
        path: "/hats/_doc/bad",
        content_type: "application/json",
        body: Body::Made(immense_keyword),
        status: 400,
        kind: "illegal_argument_exception|mapper_parsing_exception",
    },
    Row {
        method: "POST",
        path: "/hats/_bulk",
        content_type: "application/x-ndjson",
        body: Body::Made(huge_line),
        status: 400,
        kind: JSON,
    },
    Row {
        method: "POST",
        path: "/hats/_search",
        content_type: "application/json",
        body: Body::Made(many_clauses),
        status: 400,
        kind: SHARD,
    },
    Row {
        method: "POST",
        path: "/hats/_search",
        content_type: "application/json",
        body: Body::Made(many_terms),
        status: 400,
        kind: SHARD,
    },
    Row {
        method: "POST",
        path: "/hats/_search",
        content_type: "application/json",
        body: Body::Made(long_regexp),
        status: 400,
        kind: SHARD,
    },
    Row {
        method: "POST",
        path: "/hats/_search",
        content_type: "application/json",
        body: Body::Made(many_stars),
        status: 400,
        kind: SHARD,
    },
    Row {
        method: "POST",
        path: "/hats/_search",
        content_type: "application/json",
        body: Body::Made(long_fuzzy),
        status: 400,
        kind: SHARD,
    },
    Row {
        method: "POST",
        path: "/hats/_search",
        content_type: "application/cbor",
        body: Body::Made(invalid_utf8),
        status: 400,
        kind: JSON,
    },
    Row {
        method: "POST",
        path: "/hats/_search",
        content_type: "application/smile",
        body: Body::Made(invalid_utf8),
        status: 400,
        kind: JSON,
    },
];

fn invalid_utf8() -> Vec<u8> {
    b"{\"name\": \"\xff\xfe\xc0\"}".to_vec()
}

fn deep_query() -> Vec<u8> {
    let open = "{\"bool\":{\"must\":[".repeat(10_000);
    format!(
        "{{\"query\":{open}{{\"match_all\":{{}}}}{}}}",
        "]}}".repeat(10_000)
    )
    .into_bytes()
}

fn deep_arrays() -> Vec<u8> {
    format!("{{\"name\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000)).into_bytes()
}

/// 24,000 names with dots between them.
fn dotted() -> String {
    "a.".repeat(24_000) + "a"
}

fn dotted_mapping() -> Vec<u8> {
    format!(
        r#"{{"mappings":{{"properties":{{"{}":{{"type":"long"}}}}}}}}"#,
        "a.".repeat(300_000) + "a"
    )
    .into_bytes()
}

fn dotted_mapping_update() -> Vec<u8> {
    format!(r#"{{"properties":{{"{}":{{"type":"long"}}}}}}"#, dotted()).into_bytes()
}

fn dotted_document() -> Vec<u8> {
    format!(r#"{{"{}":1}}"#, dotted()).into_bytes()
}

fn dotted_similarity() -> Vec<u8> {
    format!(r#"{{"settings":{{"index.similarity.{}":"x"}}}}"#, dotted()).into_bytes()
}

fn dotted_cluster_setting() -> Vec<u8> {
    format!(
        r#"{{"persistent":{{"cluster.metadata.{}":"x"}}}}"#,
        dotted()
    )
    .into_bytes()
}

fn nested_pattern() -> String {
    format!("{}yyyy{}", "[".repeat(300_000), "]".repeat(300_000))
}

fn nested_date_format() -> Vec<u8> {
    format!(
        r#"{{"query":{{"range":{{"sold":{{"gte":"2020","format":"{}"}}}}}}}}"#,
        nested_pattern()
    )
    .into_bytes()
}

fn nested_date_mapping() -> Vec<u8> {
    format!(
        r#"{{"mappings":{{"properties":{{"d":{{"type":"date","format":"{}"}}}}}}}}"#,
        nested_pattern()
    )
    .into_bytes()
}

fn long_pattern() -> Vec<u8> {
    format!(r#"{{"index_patterns":["{}"]}}"#, "a*".repeat(300_000)).into_bytes()
}

fn many_patterns() -> Vec<u8> {
    let patterns: Vec<String> = (0..20_000).map(|n| format!("\"p{n}*\"")).collect();
    format!(r#"{{"index_patterns":[{}]}}"#, patterns.join(",")).into_bytes()
}

fn deep_document() -> Vec<u8> {
    format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000)).into_bytes()
}

fn many_fields() -> Vec<u8> {
    let fields: Vec<String> = (0..1500).map(|n| format!("\"f{n}\":1")).collect();
    format!("{{{}}}", fields.join(",")).into_bytes()
}

fn immense_keyword() -> Vec<u8> {
    format!("{{\"tag\":\"{}\"}}", "x".repeat(40_000)).into_bytes()
}

fn huge_line() -> Vec<u8> {
    format!("{}\n", "x".repeat(20_000_000)).into_bytes()
}

fn many_clauses() -> Vec<u8> {
    let clauses: Vec<String> = (0..2000)
        .map(|n| format!("{{\"term\":{{\"tag\":\"t{n}\"}}}}"))
        .collect();
    format!(
        "{{\"query\":{{\"bool\":{{\"should\":[{}]}}}}}}",
        clauses.join(",")
    )
    .into_bytes()
}

fn many_terms() -> Vec<u8> {
    let terms: Vec<String> = (0..70_000).map(|n| format!("\"t{n}\"")).collect();
    format!(
        "{{\"query\":{{\"terms\":{{\"tag\":[{}]}}}}}}",
        terms.join(",")
    )
    .into_bytes()
}

fn many_stars() -> Vec<u8> {
    format!(
        "{{\"query\":{{\"wildcard\":{{\"tag\":\"t{}\"}}}}}}",
        "*".repeat(100_000)
    )
    .into_bytes()
}

fn long_fuzzy() -> Vec<u8> {
    format!(
        "{{\"query\":{{\"fuzzy\":{{\"tag\":\"{}\"}}}}}}",
        "t".repeat(1_000_000)
    )
    .into_bytes()
}

fn long_regexp() -> Vec<u8> {
    format!(
        "{{\"query\":{{\"regexp\":{{\"tag\":\"{}\"}}}}}}",
        "a".repeat(2000)
    )
    .into_bytes()
}
