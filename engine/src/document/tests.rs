//! Documents through mappings: what becomes of every kind of value, and every way to be refused.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::*;
use crate::schema::{IndexSchema, UpdateReason};

fn schema(mapping: Json) -> IndexSchema {
    IndexSchema::new(&mapping, &BTreeMap::new()).unwrap()
}

fn parse(schema: &IndexSchema, source: Json) -> ParsedDocument {
    parse_document(schema, "1", None, source.to_string().as_bytes()).unwrap()
}

fn refuse(schema: &IndexSchema, source: &str) -> DocumentError {
    parse_document(schema, "1", None, source.as_bytes()).unwrap_err()
}

fn field<'a>(document: &'a ParsedDocument, path: &str) -> &'a ParsedField {
    document
        .fields
        .iter()
        .find(|field| &*field.path == path)
        .unwrap_or_else(|| panic!("no field {path} in {document:?}"))
}

fn terms(document: &ParsedDocument, path: &str) -> Vec<(String, u32)> {
    field(document, path)
        .terms
        .iter()
        .map(|(term, position)| (String::from_utf8_lossy(term).into_owned(), position))
        .collect()
}

/// Applies mapping updates until the document needs none.
fn parse_dynamic(mut schema: IndexSchema, source: Json) -> (IndexSchema, ParsedDocument) {
    loop {
        let document = parse(&schema, source.clone());
        match &document.mapping_update {
            None => return (schema, document),
            Some(update) => {
                schema = schema
                    .with_mapping_update(update, UpdateReason::Dynamic)
                    .unwrap();
            }
        }
    }
}

#[test]
fn text_is_analysed_with_gaps_between_values() {
    let schema = schema(json!({"properties": {"t": {"type": "text"}}}));
    let document = parse(&schema, json!({"t": ["Quick fox", "dogs"]}));
    assert_eq!(
        terms(&document, "t"),
        [
            ("quick".to_owned(), 0),
            ("fox".to_owned(), 1),
            ("dogs".to_owned(), 102)
        ]
    );
    assert_eq!(field(&document, "t").terms.length, 3);
}

#[test]
fn keywords_with_null_value_and_limit() {
    let schema = schema(json!({"properties": {
        "k": {"type": "keyword", "null_value": "none", "ignore_above": 4}
    }}));
    let document = parse(&schema, json!({"k": ["a", null, "too long", 7, true, 1.5]}));
    let values: Vec<String> = terms(&document, "k").into_iter().map(|(t, _)| t).collect();
    assert_eq!(values, ["a", "none", "7", "true", "1.5"]);
    assert_eq!(terms(&document, "_ignored"), [("k".to_owned(), 0)]);
}

#[test]
fn numbers_and_dates_become_column_values() {
    let schema = schema(json!({"properties": {
        "l": {"type": "long"}, "b": {"type": "byte"}, "d": {"type": "double"},
        "s": {"type": "scaled_float", "scaling_factor": 100}, "o": {"type": "boolean"},
        "t": {"type": "date"}, "n": {"type": "date_nanos"}, "u": {"type": "unsigned_long"},
    }}));
    let document = parse(
        &schema,
        json!({
            "l": [1, "2", 3.9], "b": -128, "d": "1.5", "s": 1.999, "o": ["true", false, ""],
            "t": "2015-01-01", "n": "2015-01-01T00:00:00.000000001Z", "u": 18446744073709551615u64,
        }),
    );
    assert_eq!(field(&document, "l").numbers, [1, 2, 3]);
    assert_eq!(field(&document, "b").numbers, [-128]);
    assert_eq!(
        field(&document, "d").numbers,
        [crate::schema::f64_to_sortable(1.5)]
    );
    assert_eq!(field(&document, "s").numbers, [200]);
    assert_eq!(field(&document, "o").numbers, [1, 0, 0]);
    assert_eq!(field(&document, "t").numbers, [1_420_070_400_000]);
    assert_eq!(field(&document, "n").numbers, [1_420_070_400_000_000_001]);
    assert_eq!(field(&document, "u").numbers, [i64::MAX]);
}

#[test]
fn malformed_values_name_field_and_cause() {
    let schema = schema(json!({"properties": {
        "l": {"type": "long"}, "i": {"type": "integer"}, "d": {"type": "date"},
        "ip": {"type": "ip"}, "b": {"type": "boolean"}, "o": {"properties": {"x": {"type": "text"}}},
        "lenient": {"type": "long", "ignore_malformed": true},
    }}));
    let error = refuse(&schema, r#"{"l": "abc"}"#);
    assert_eq!(
        error.reason,
        "failed to parse field [l] of type [long] in document with id '1'. Preview of field's value: 'abc'"
    );
    assert_eq!(error.kind, "mapper_parsing_exception");
    let cause = error.caused_by.unwrap();
    assert_eq!(
        (cause.kind, cause.reason.as_str()),
        ("illegal_argument_exception", "For input string: \"abc\"")
    );

    let cause = refuse(&schema, r#"{"i": "abc"}"#).caused_by.unwrap();
    assert_eq!(cause.kind, "number_format_exception");
    let cause = refuse(&schema, r#"{"i": 3000000000}"#).caused_by.unwrap();
    assert_eq!(
        cause.reason,
        "Value [3000000000] is out of range for an integer"
    );
    let cause = refuse(&schema, r#"{"d": "x"}"#).caused_by.unwrap();
    assert_eq!(
        cause.reason,
        "failed to parse date field [x] with format [strict_date_optional_time||epoch_millis]"
    );
    assert_eq!(cause.caused_by.unwrap().kind, "date_time_parse_exception");
    let cause = refuse(&schema, r#"{"ip": "x"}"#).caused_by.unwrap();
    assert_eq!(cause.reason, "'x' is not an IP string literal.");
    let cause = refuse(&schema, r#"{"b": "yes"}"#).caused_by.unwrap();
    assert_eq!(
        cause.reason,
        "Failed to parse value [yes] as only [true] or [false] are allowed."
    );
    assert_eq!(
        refuse(&schema, r#"{"o": 1}"#).reason,
        "object mapping for [o] tried to parse field [o] as object, but found a concrete value"
    );
    assert_eq!(
        refuse(&schema, r#"{"o": {"x": {"a": 1}}}"#).reason,
        "failed to parse field [o.x] of type [text] in document with id '1'. Preview of field's value: '{a=1}'"
    );
    let document = parse(&schema, json!({"lenient": ["x", 5]}));
    assert_eq!(field(&document, "lenient").numbers, [5]);
    assert_eq!(terms(&document, "_ignored"), [("lenient".to_owned(), 0)]);
}

#[test]
fn bad_json_is_refused() {
    let schema = schema(json!({}));
    assert_eq!(
        refuse(&schema, "").reason,
        "failed to parse, document is empty"
    );
    assert_eq!(
        refuse(&schema, "[1]").reason,
        "Malformed content, must start with an object"
    );
    assert_eq!(
        refuse(&schema, "{").caused_by.unwrap().kind,
        "json_e_o_f_exception"
    );
    assert_eq!(
        refuse(&schema, r#"{"a":1,"a":2}"#)
            .caused_by
            .unwrap()
            .reason,
        "Duplicate field 'a'\n at [line: 1, column: 11]"
    );
    assert!(parse_document(&schema, "1", None, b"{\"a\":\"\xff\"}").is_err());
    let deep = "{\"a\":".repeat(5000);
    assert!(parse_document(&schema, "1", None, deep.as_bytes()).is_err());
    assert!(
        refuse(&schema, r#"{"_id": "x"}"#)
            .reason
            .contains("is a metadata field")
    );
}

#[test]
fn new_fields_are_inferred() {
    let source = json!({
        "s": "hello", "l": 1, "f": 1.5, "b": true, "d": "2015-01-01", "d2": "2015/01/01",
        "o": {"x": [1, 2], "e": {}}, "p.q": "dotted", "n": null, "a": [], "num": "123"
    });
    let (schema, document) = parse_dynamic(schema(json!({})), source);
    assert_eq!(
        schema.mapping.to_json(),
        json!({"properties": {
            "b": {"type": "boolean"},
            "d": {"type": "date"},
            "d2": {"type": "date", "format": "yyyy/MM/dd HH:mm:ss||yyyy/MM/dd||epoch_millis"},
            "f": {"type": "float"},
            "l": {"type": "long"},
            "num": {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}},
            "o": {"properties": {"e": {"type": "object"}, "x": {"type": "long"}}},
            "p": {"properties": {"q": {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}}}},
            "s": {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}},
        }})
    );
    assert_eq!(terms(&document, "s.keyword"), [("hello".to_owned(), 0)]);
    assert_eq!(field(&document, "o.x").numbers, [1, 2]);
    let paths: Vec<&str> = document.fields.iter().map(|f| &*f.path).collect();
    assert!(paths.is_sorted());
}

#[test]
fn dynamic_settings_decide_about_new_fields() {
    let strict = schema(json!({"dynamic": "strict", "properties": {"o": {"type": "object"}}}));
    let error = refuse(&strict, r#"{"x": 1}"#);
    assert_eq!(error.kind, "strict_dynamic_mapping_exception");
    assert_eq!(
        error.reason,
        "mapping set to strict, dynamic introduction of [x] within [_doc] is not allowed"
    );
    assert!(
        refuse(&strict, r#"{"o": {"y": 1}}"#)
            .reason
            .contains("[y] within [o]")
    );
    let off =
        schema(json!({"dynamic": false, "properties": {"o": {"type": "object", "dynamic": true}}}));
    let document = parse(&off, json!({"x": 1, "o": {"y": 1}}));
    assert_eq!(
        document.mapping_update.unwrap(),
        json!({"properties": {"o": {"properties": {"y": {"type": "long"}}}}})
    );
    let disabled = schema(json!({"properties": {"o": {"type": "object", "enabled": false}}}));
    assert!(
        parse(&disabled, json!({"o": {"a": {"b": 1}}}))
            .mapping_update
            .is_none()
    );
    let error = refuse(&schema(json!({})), r#"{"x": [1, 1.5]}"#);
    assert_eq!(
        error.reason,
        "mapper [x] cannot be changed from type [float] to [long]"
    );
    let concrete = schema(json!({"properties": {"a": {"type": "text"}}}));
    assert_eq!(
        refuse(&concrete, r#"{"a.b": 1}"#).reason,
        "Could not dynamically add mapping for field [a.b]. Existing mapping for [a] must be of type object but found [text]."
    );
}

#[test]
fn templates_name_the_mapping_of_new_fields() {
    let schema = schema(
        json!({"dynamic": "strict_allow_templates", "dynamic_templates": [
        {"ids": {"match": "*_id", "mapping": {"type": "keyword"}}},
        {"numbers": {"match_mapping_type": "long", "mapping": {"type": "integer", "index": false}}},
        {"by_path": {"path_match": "o.*", "path_unmatch": "*.skip", "mapping": {"type": "{dynamic_type}", "store": true}}},
        {"regex": {"match_pattern": "regex", "match": "^re\\d+$", "mapping": {"type": "keyword"}}},
    ], "properties": {"o": {"type": "object"}}}),
    );
    let document = parse(
        &schema,
        json!({"x_id": "a", "n": 1, "o": {"t": "text"}, "re1": "x"}),
    );
    assert_eq!(
        document.mapping_update.unwrap(),
        json!({"properties": {
            "n": {"type": "integer", "index": false},
            "o": {"properties": {"t": {"type": "text", "store": true}}},
            "re1": {"type": "keyword"},
            "x_id": {"type": "keyword"},
        }})
    );
    assert!(
        refuse(&schema, r#"{"other": "x"}"#)
            .reason
            .starts_with("mapping set to strict_allow_templates")
    );
}

#[test]
fn copies_and_multi_fields_get_the_value_too() {
    let schema = schema(json!({"properties": {
        "a": {"type": "text", "copy_to": ["all", "k"], "fields": {"raw": {"type": "keyword"}, "len": {"type": "keyword", "normalizer": "lowercase"}}},
        "all": {"type": "text"}, "k": {"type": "keyword"},
    }}));
    let document = parse(&schema, json!({"a": "Big Cat"}));
    assert_eq!(terms(&document, "a.raw"), [("Big Cat".to_owned(), 0)]);
    assert_eq!(terms(&document, "a.len"), [("big cat".to_owned(), 0)]);
    assert_eq!(
        terms(&document, "all"),
        [("big".to_owned(), 0), ("cat".to_owned(), 1)]
    );
    assert_eq!(terms(&document, "k"), [("Big Cat".to_owned(), 0)]);
}

#[test]
fn fields_without_column_or_norms_are_named() {
    let schema = schema(json!({"properties": {
        "k": {"type": "keyword", "doc_values": false}, "t": {"type": "text", "norms": false},
        "l": {"type": "long"}, "nothing": {"type": "keyword", "doc_values": false, "index": false},
    }}));
    let document = parse(&schema, json!({"k": "a", "t": "b", "l": 1, "nothing": "x"}));
    assert_eq!(
        terms(&document, "_field_names"),
        [("k".to_owned(), 0), ("t".to_owned(), 0)]
    );
}

#[test]
fn immense_terms_are_refused() {
    let schema = schema(json!({"properties": {"k": {"type": "keyword"}}}));
    let error = refuse(&schema, &json!({"k": "x".repeat(40_000)}).to_string());
    assert_eq!(error.kind, "illegal_argument_exception");
    assert!(
        error
            .reason
            .starts_with("Document contains at least one immense term in field=\"k\"")
    );
}

#[test]
fn stored_source_obeys_the_mapping() {
    let off = schema(json!({"_source": {"enabled": false}}));
    assert!(parse(&off, json!({"a": 1})).source.is_empty());
    let some = schema(json!({"_source": {"excludes": ["secret"]}, "dynamic": false}));
    assert_eq!(
        parse(&some, json!({"a": 1, "secret": 2})).source,
        r#"{"a":1}"#
    );
}

#[test]
fn places_ranges_and_counts_become_values() {
    let mapping = json!({"properties": {
        "p": {"type": "geo_point"}, "r": {"type": "integer_range"},
        "d": {"type": "date_range"}, "n": {"type": "token_count", "analyzer": "standard"},
    }});
    let schema = IndexSchema::new(&mapping, &BTreeMap::new()).unwrap();
    let parse = |source: Json| parse_document(&schema, "1", None, source.to_string().as_bytes());
    let parsed = parse(json!({
        "p": [{"lat": 1, "lon": 2}, "3,4"], "r": [{"gte": 1, "lt": 5}, {"gt": 7}],
        "d": {"gte": "2016-01-01", "lt": "2016-01-02"}, "n": "three short words",
    }))
    .unwrap();
    let field = |path: &str| parsed.fields.iter().find(|f| &*f.path == path).unwrap();
    assert_eq!(field("p").numbers.len(), 2);
    assert_eq!(field("r").terms.spans.len(), 2);
    assert_eq!(field("d").terms.spans.len(), 1);
    assert_eq!(field("n").numbers, [3]);
    let moved = json!({"d": {"gte": "2015-12-31||+1d", "lte": "2016-01-01||+1d-1s"}});
    let plain = json!({"d": {"gte": "2016-01-01", "lte": "2016-01-01T23:59:59Z"}});
    let term = |source| format!("{:?}", parse(source).unwrap().fields.remove(0).terms);
    assert_eq!(term(moved), term(plain));
    for bad in [
        json!({"d": {"gte": "now-1d"}}),
        json!({"p": [200, 0]}),
        json!({"p": true}),
        json!({"r": {"gte": 5, "lte": 1}}),
        json!({"r": {"from": 5}}),
        json!({"r": 7}),
    ] {
        assert!(parse(bad.clone()).is_err(), "{bad}");
    }
}

#[test]
fn a_text_without_tokens_exists_by_name() {
    let mapping = json!({"properties": {"t": {"type": "text"}}});
    let schema = IndexSchema::new(&mapping, &BTreeMap::new()).unwrap();
    let names = |source: &[u8]| {
        let parsed = parse_document(&schema, "1", None, source).unwrap();
        let names = parsed
            .fields
            .into_iter()
            .find(|f| &*f.path == "_field_names");
        names.map_or(0, |field| field.terms.spans.len())
    };
    assert_eq!(names(br#"{"t": ""}"#), 1);
    assert_eq!(names(br#"{"t": "word"}"#), 0);
    assert_eq!(names(br#"{"t": null}"#), 0);
}

#[test]
fn a_whole_number_beyond_64_bits_is_no_long_and_makes_no_field() {
    let new = schema(json!({}));
    let beyond = "18446744073709551616";
    for number in [beyond, "9223372036854775808", "-9223372036854775809"] {
        let error = refuse(&new, &format!("{{\"n\": {number}}}"));
        assert_eq!(
            error.reason,
            format!(
                "failed to parse field [n] of type [long] in document with id '1'. Preview of field's value: '{number}'"
            )
        );
        let cause = error.caused_by.unwrap();
        assert_eq!(cause.kind, "input_coercion_exception");
        assert_eq!(
            cause.reason,
            format!(
                "Numeric value ({number}) out of range of long (-9223372036854775808 - 9223372036854775807)"
            )
        );
    }
    let mapped = schema(json!({"properties": {
        "k": {"type": "keyword"}, "d": {"type": "double"}, "u": {"type": "unsigned_long"}
    }}));
    let document = parse_document(
        &mapped,
        "1",
        None,
        format!("{{\"k\": {beyond}, \"d\": {beyond}}}").as_bytes(),
    );
    assert_eq!(terms(&document.unwrap(), "k"), [(beyond.to_owned(), 0)]);
    let error = refuse(&mapped, &format!("{{\"u\": {beyond}}}"));
    assert!(error.caused_by.unwrap().reason.contains("out of range"));
}

#[test]
fn a_value_that_its_new_field_refuses_makes_no_field() {
    let new = schema(json!({"dynamic_templates": [
        {"dates": {"match": "*_at", "mapping": {"type": "date"}}}
    ]}));
    let error = refuse(&new, r#"{"sold_at": "yesterday"}"#);
    assert!(
        error
            .reason
            .starts_with("failed to parse field [sold_at] of type [date]")
    );
}

#[test]
fn numbers_become_terms_as_they_were_written() {
    let schema = schema(json!({"properties": {"k": {"type": "keyword"}}}));
    let source = br#"{"k": [1.50, 1e3, 10000000.0, -0.0]}"#;
    let document = parse_document(&schema, "1", None, source).unwrap();
    let values: Vec<String> = terms(&document, "k").into_iter().map(|(t, _)| t).collect();
    assert_eq!(values, ["1.50", "1e3", "10000000.0", "-0.0"]);
}

#[test]
fn half_a_surrogate_pair_is_stored_as_given_and_found_as_the_replacement_character() {
    let schema = schema(json!({"properties": {"k": {"type": "keyword"}}}));
    let source = br#"{"k": "a\ud800"}"#;
    let document = parse_document(&schema, "1", None, source).unwrap();
    assert_eq!(terms(&document, "k"), [("a\u{fffd}".to_owned(), 0)]);
    assert_eq!(&document.source[..], source);
}

#[test]
fn objects_and_arrays_nest_as_deep_as_the_index_allows() {
    let nested = |open: &str, close: &str, depth: usize| {
        format!("{}1{}", open.repeat(depth), close.repeat(depth))
    };
    let new = schema(json!({}));
    let objects = |depth| nested("{\"a\":", "}", depth);
    assert!(parse_document(&new, "1", None, objects(20).as_bytes()).is_ok());
    let cause = refuse(&new, &objects(21)).caused_by.unwrap();
    assert_eq!(cause.kind, "parse_exception");
    assert_eq!(
        cause.reason,
        "The depth of the field has exceeded the allowed limit of [20]. This limit can be set by changing the \
         [index.mapping.depth.limit] index level setting."
    );
    let arrays = |depth| format!("{{\"n\": {}}}", nested("[", "]", depth));
    assert!(parse_document(&new, "1", None, arrays(20).as_bytes()).is_ok());
    let cause = refuse(&new, &arrays(21)).caused_by.unwrap();
    assert!(
        cause
            .reason
            .starts_with("The depth of the nested array field")
    );
    // What the mapping does not look into may be deeper.
    let blind = schema(json!({
        "_source": {"excludes": ["x"]}, "properties": {"o": {"type": "object", "enabled": false}}
    }));
    let deep = format!("{{\"o\":{}}}", nested("{\"a\":[", "]}", 499));
    let document = parse_document(&blind, "1", None, deep.as_bytes()).unwrap();
    assert_eq!(&document.source[..], deep.as_bytes());
    assert!(json_tree(deep.as_bytes()).is_ok());
}

#[test]
fn new_objects_are_no_deeper_than_the_index_allows() {
    let long = format!("{}x", "a.".repeat(20_000));
    let mapping = schema(json!({"properties": {"f": {"type": "keyword", "copy_to": long}}}));
    for source in [json!({"f": "v"}), json!({long.as_str(): 1})] {
        let error = refuse(&mapping, &source.to_string());
        let object = ["a"; 20].join(".");
        assert_eq!(
            (error.kind, error.reason.as_str()),
            (
                "illegal_argument_exception",
                format!(
                    "Limit of mapping depth [20] has been exceeded due to object field [{object}]"
                )
                .as_str()
            )
        );
    }
    let ignored = schema(json!({"dynamic": false}));
    assert!(
        parse(&ignored, json!({long.as_str(): 1}))
            .mapping_update
            .is_none()
    );
}
