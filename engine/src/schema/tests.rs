//! Mappings: what is read, shown, refused and merged; values in queries.

use std::collections::BTreeMap;
use std::ops::Bound;

use serde_json::{Value as Json, json};

use super::*;

fn schema(mapping: Json) -> IndexSchema {
    IndexSchema::new(&mapping, &BTreeMap::new()).unwrap()
}

fn refused(mapping: Json) -> String {
    let error = IndexSchema::new(&mapping, &BTreeMap::new()).unwrap_err();
    assert_eq!(error.kind, "mapper_parsing_exception");
    let prefix = "Failed to parse mapping [_doc]: ";
    error
        .reason
        .strip_prefix(prefix)
        .unwrap_or(&error.reason)
        .to_owned()
}

fn put(schema: &IndexSchema, update: Json) -> Result<IndexSchema, SchemaError> {
    schema.with_mapping_update(&update, UpdateReason::Put)
}

#[test]
fn mapping_is_shown_in_canonical_form() {
    let mapping = json!({
        "dynamic": "strict", "date_detection": false, "_meta": {"v": 1}, "_routing": {"required": true},
        "properties": {
            "z": {"type": "keyword", "index": true, "ignore_above": 10, "doc_values": false},
            "a.b": {"type": "text", "analyzer": "whitespace", "fields": {"raw": {"type": "keyword"}}},
            "e": {"type": "object"}, "d": {"type": "date", "format": "yyyy"},
            "n": {"type": "long", "coerce": true},
            "l": {"type": "alias", "path": "z"}, "x": {"enabled": false},
        }
    });
    assert_eq!(
        schema(mapping).mapping.to_json(),
        json!({
            "dynamic": "strict", "_meta": {"v": 1}, "_routing": {"required": true}, "date_detection": false,
            "properties": {
                "a": {"properties": {"b": {"type": "text", "analyzer": "whitespace", "fields": {"raw": {"type": "keyword"}}}}},
                "d": {"type": "date", "format": "yyyy"},
                "e": {"type": "object"},
                "l": {"type": "alias", "path": "z"},
                "n": {"type": "long", "coerce": true},
                "x": {"type": "object", "enabled": false},
                "z": {"type": "keyword", "doc_values": false, "ignore_above": 10},
            }
        })
    );
}

#[test]
fn bad_mappings_say_why() {
    let field = |definition: Json| refused(json!({"properties": {"f": definition}}));
    assert_eq!(
        field(json!({"type": "nope"})),
        "No handler for type [nope] declared on field [f]"
    );
    assert_eq!(
        field(json!({"index": true})),
        "No type specified for field [f]"
    );
    assert_eq!(
        field(json!({"type": "keyword", "foo": 1})),
        "unknown parameter [foo] on mapper [f] of type [keyword]"
    );
    assert_eq!(
        field(json!({"type": "text", "analyzer": "nope"})),
        "analyzer [nope] has not been configured in mappings"
    );
    assert_eq!(
        field(json!({"type": "keyword", "normalizer": "nope"})),
        "normalizer [nope] not found for field [f]"
    );
    assert_eq!(
        field(json!({"type": "scaled_float"})),
        "Field [f] misses required parameter [scaling_factor]"
    );
    assert_eq!(
        field(json!({"type": "object", "foo": "bar"})),
        "Mapping definition for [f] has unsupported parameters:  [foo : bar]"
    );
    assert_eq!(
        refused(json!({"foo": {"a": 1}})),
        "Root mapping definition has unsupported parameters:  [foo : {a=1}]"
    );
    assert!(
        field(json!({"type": "alias", "path": "x"}))
            .contains("an alias must refer to an existing field")
    );
    let error =
        IndexSchema::new(&json!({"_doc": {"properties": {}}}), &BTreeMap::new()).unwrap_err();
    assert_eq!(
        error.reason,
        "The mapping definition cannot be nested under a type"
    );
}

#[test]
fn objects_named_twice_are_one() {
    let mapping = json!({"properties": {
        "a.b": {"properties": {"c": {"type": "long"}}},
        "a": {"dynamic": false, "properties": {"b": {"properties": {"d": {"type": "date"}}}}},
    }});
    assert_eq!(
        schema(mapping).mapping.to_json(),
        json!({"properties": {"a": {"dynamic": "false", "properties": {"b": {"properties": {
            "c": {"type": "long"}, "d": {"type": "date"},
        }}}}}})
    );
    let twice = json!({"properties": {
        "a.b": {"type": "long"}, "a": {"properties": {"b": {"type": "date"}}},
    }});
    assert_eq!(refused(twice), "Field [a.b] is defined more than once");
}

#[test]
fn limits_hold() {
    let mut settings = BTreeMap::new();
    settings.insert(
        "index.mapping.total_fields.limit".to_owned(),
        "2".to_owned(),
    );
    settings.insert("index.mapping.depth.limit".to_owned(), "2".to_owned());
    let new = |mapping: Json| IndexSchema::new(&mapping, &settings).map_err(|e| e.reason);
    let keyword = json!({"type": "keyword"});
    assert!(new(json!({"properties": {"a": keyword, "b": keyword}})).is_ok());
    assert!(
        new(json!({"properties": {"a": keyword, "b": keyword, "c": keyword}}))
            .unwrap_err()
            .ends_with("Limit of total fields [2] has been exceeded")
    );
    assert!(
        new(json!({"properties": {"a": {"properties": {"b": {"type": "object"}}}}}))
            .unwrap_err()
            .ends_with("Limit of mapping depth [2] has been exceeded due to object field [a.b]")
    );
    for name in [
        "a.b.c".to_owned(),
        format!("a.b.{}", "c.".repeat(200_000) + "c"),
    ] {
        assert!(
            new(json!({"properties": {name: keyword}}))
                .unwrap_err()
                .ends_with(
                    "Limit of mapping depth [2] has been exceeded due to object field [a.b]"
                )
        );
    }
    assert!(new(json!({"properties": {"a.b": keyword}})).is_ok());
    settings.insert("index.mapping.depth.limit".to_owned(), "51".to_owned());
    let error = IndexSchema::new(&json!({}), &settings).unwrap_err();
    assert!(error.reason.ends_with("must be <= 50"), "{}", error.reason);
}

#[test]
fn lengths_of_prefixes_must_make_sense() {
    let field = |prefixes: Json| {
        let text = json!({"type": "text", "index_prefixes": prefixes});
        IndexSchema::new(&json!({"properties": {"t": text}}), &BTreeMap::new())
            .map(|_| ())
            .map_err(|error| error.reason)
    };
    assert_eq!(field(json!({})), Ok(()));
    assert_eq!(field(json!({"min_chars": 1, "max_chars": 19})), Ok(()));
    for (wrong, reason) in [
        (
            json!({"min_chars": 6}),
            "min_chars [6] must be less than max_chars [5]",
        ),
        (
            json!({"min_chars": 0}),
            "min_chars [0] must be greater than zero",
        ),
        (
            json!({"max_chars": 20}),
            "max_chars [20] must be less than 20",
        ),
        (json!({"most": 3}), "unsupported parameters:  [most : 3]"),
        (json!({"min_chars": "x"}), "no whole number"),
        (json!(true), "must be an object"),
    ] {
        let found = field(wrong).unwrap_err();
        assert!(found.contains(reason), "{found}");
    }
}

#[test]
fn updates_add_and_conflicts_are_named() {
    let old = schema(json!({"properties": {
        "k": {"type": "keyword"}, "t": {"type": "text"}, "o": {"properties": {"x": {"type": "long"}}}
    }}));
    let new = put(&old, json!({"properties": {
        "k": {"type": "keyword", "ignore_above": 5}, "t": {"type": "text", "fields": {"r": {"type": "keyword"}}},
        "o": {"properties": {"y": {"type": "long"}}}, "n": {"type": "date"}
    }}))
    .unwrap();
    assert!(new.mapping.field("t.r").is_some() && new.mapping.field("o.x").is_some());
    assert_eq!(new.mapping.field("k").unwrap().ignore_above(), 5);
    let conflict = |update: Json| put(&old, json!({"properties": update})).unwrap_err().reason;
    assert_eq!(
        conflict(json!({"k": {"type": "long"}})),
        "mapper [k] cannot be changed from type [keyword] to [long]"
    );
    assert_eq!(
        conflict(json!({"t": {"type": "text", "analyzer": "whitespace", "index": false}})),
        "Mapper for [t] conflicts with existing mapper:\n\tCannot update parameter [index] from [true] to [false]\n\tCannot update parameter [analyzer] from [default] to [whitespace]"
    );
    assert_eq!(
        conflict(json!({"o": {"type": "keyword"}})),
        "can't merge a non object mapping [o] with an object mapping"
    );
    assert_eq!(
        conflict(json!({"k": {"properties": {"x": {"type": "long"}}}})),
        "mapper [k] cannot be changed from type [keyword] to [ObjectMapper]"
    );
}

#[test]
fn shown_mapping_reads_back_the_same() {
    let first = schema(json!({
        "dynamic_templates": [{"t": {"match": "*", "mapping": {"type": "keyword"}}}],
        "properties": {
            "t": {"type": "text", "index_options": "freqs", "norms": false, "search_analyzer": "simple", "analyzer": "standard"},
            "n": {"type": "half_float", "null_value": 1.5, "ignore_malformed": false},
            "s": {"type": "scaled_float", "scaling_factor": 10}, "c": {"type": "constant_keyword", "value": "v"},
            "o": {"dynamic": false, "properties": {"i": {"type": "ip", "null_value": "::1"}}}
        }
    }));
    let shown = first.mapping.to_json();
    assert_eq!(schema(shown.clone()).mapping.to_json(), shown);
}

#[test]
fn ranges_round_into_the_field() {
    let schema = schema(json!({"properties": {
        "l": {"type": "long"}, "b": {"type": "byte"}, "s": {"type": "scaled_float", "scaling_factor": 10}, "d": {"type": "date"},
        "k": {"type": "keyword"}, "i": {"type": "ip"}, "f": {"type": "float"}, "u": {"type": "unsigned_long"}, "o": {"type": "boolean"},
    }}));
    let options = RangeOptions {
        now_ms: 1_420_113_600_000,
        ..RangeOptions::default()
    };
    let range = |path: &str, lower: Bound<&Value>, upper: Bound<&Value>| {
        schema
            .mapping
            .field(path)
            .unwrap()
            .encode_range(lower, upper, &options)
            .unwrap()
    };
    let f = Value::F64;
    let s = |text: &str| Value::Str(text.to_owned());
    let numbers = |lo, hi| RangeMatch::Numbers { lo, hi };
    use Bound::{Excluded, Included, Unbounded};
    assert_eq!(
        range("l", Included(&f(1.5)), Included(&f(3.5))),
        numbers(2, 3)
    );
    assert_eq!(
        range("l", Included(&f(-1.5)), Excluded(&f(-0.5))),
        numbers(-1, -1)
    );
    assert_eq!(
        range("l", Excluded(&Value::I64(1)), Excluded(&s("4"))),
        numbers(2, 3)
    );
    assert_eq!(
        range("l", Excluded(&Value::I64(1)), Excluded(&Value::I64(2))),
        RangeMatch::Nothing
    );
    assert_eq!(
        range("b", Included(&Value::I64(1000)), Unbounded),
        numbers(1000, i64::MAX)
    );
    assert_eq!(
        range("s", Excluded(&f(1.0)), Included(&f(1.25))),
        numbers(11, 12)
    );
    assert_eq!(
        range("u", Excluded(&Value::U64(u64::MAX)), Unbounded),
        RangeMatch::Nothing
    );
    assert_eq!(
        range("o", Included(&Value::Bool(true)), Unbounded),
        numbers(1, 1)
    );
    let day = 86_400_000;
    let first = 1_420_070_400_000;
    assert_eq!(
        range("d", Included(&s("2015-01-01")), Included(&s("2015-01-01"))),
        numbers(first, first + day - 1)
    );
    assert_eq!(
        range("d", Excluded(&s("2015-01-01")), Excluded(&s("2015-01-03"))),
        numbers(first + day, first + 2 * day - 1)
    );
    assert_eq!(
        range("d", Included(&s("now/d")), Excluded(&s("now/d+1d"))),
        numbers(first, first + day - 1)
    );
    assert_eq!(
        range("k", Included(&s("a")), Excluded(&s("b"))),
        RangeMatch::Terms {
            lower: Included(b"a".to_vec()),
            upper: Excluded(b"b".to_vec())
        }
    );
    let RangeMatch::Terms {
        lower: Included(lower),
        upper: Included(upper),
    } = schema
        .mapping
        .field("i")
        .unwrap()
        .encode_equal(&s("10.0.0.0/8"), &options)
        .unwrap()
    else {
        panic!("a block is a range");
    };
    assert_eq!((lower[12], upper[12], upper[15]), (10, 10, 255));
    let error = schema
        .mapping
        .field("d")
        .unwrap()
        .encode_range(Included(&s("x")), Unbounded, &options)
        .unwrap_err();
    assert_eq!(error.kind, "parse_exception");
    assert_eq!(
        error.reason,
        "failed to parse date field [x] with format [strict_date_optional_time||epoch_millis]: [failed to parse date field [x] with format [strict_date_optional_time||epoch_millis]]"
    );
}

#[test]
fn equal_values_and_their_text() {
    let schema = schema(json!({"properties": {
        "l": {"type": "long"}, "d": {"type": "date"}, "i": {"type": "ip"}, "n": {"type": "date_nanos"}, "b": {"type": "boolean"},
        "k": {"type": "keyword", "normalizer": "lowercase"}, "a": {"type": "alias", "path": "l"}
    }}));
    let field = |path: &str| schema.mapping.field(path).unwrap();
    assert_eq!(field("l").encode_number(&Value::F64(1.5), 0).unwrap(), None);
    assert_eq!(
        field("a")
            .encode_number(&Value::Str("7".to_owned()), 0)
            .unwrap(),
        Some(7)
    );
    assert_eq!(
        field("k")
            .encode_term(&Value::Str("ABC".to_owned()))
            .unwrap(),
        b"abc"
    );
    assert_eq!(
        field("d").format_number(0, None, None).unwrap(),
        Value::Str("1970-01-01T00:00:00.000Z".to_owned())
    );
    assert_eq!(
        field("n").format_number(1, None, None).unwrap(),
        Value::Str("1970-01-01T00:00:00.000000001Z".to_owned())
    );
    assert_eq!(
        field("b").format_number(1, None, None).unwrap(),
        Value::Bool(true)
    );
    let term = field("i")
        .encode_term(&Value::Str("10.0.0.1".to_owned()))
        .unwrap();
    assert_eq!(
        field("i").format_term(&term, None).unwrap(),
        Value::Str("10.0.0.1".to_owned())
    );
    assert!(
        field("l")
            .encode_number(&Value::Str("x".to_owned()), 0)
            .is_err()
    );
}

#[test]
fn search_analyzers_stand_alone_and_read_back() {
    let given = json!({"properties": {"t": {"type": "text", "analyzer": "default", "search_analyzer": "simple"}}});
    let shown = schema(given.clone()).mapping.to_json();
    assert_eq!(shown, given);
    assert_eq!(schema(shown.clone()).mapping.to_json(), shown);
    let settings = BTreeMap::from([(
        "index.analysis.analyzer.default_search.type".to_owned(),
        "whitespace".to_owned(),
    )]);
    let mapping = json!({"properties": {"t": {"type": "text"}}});
    let schema = IndexSchema::new(&mapping, &settings).unwrap();
    let field = schema.mapping.field("t").unwrap();
    assert_eq!(field.search_analyzer().name(), "default_search");
    let shown = schema.mapping.to_json();
    let again = IndexSchema::new(&shown, &settings).unwrap();
    assert_eq!(again.mapping.to_json(), shown);
}

#[test]
fn what_would_change_results_is_refused_by_name() {
    let boosted = refused(json!({"properties": {"f": {"type": "text", "boost": 2}}}));
    assert_eq!(
        boosted,
        "[boost] on mapper [f] of type [text] is not supported"
    );
    let harmless =
        json!({"type": "text", "boost": 1.0, "eager_global_ordinals": true, "term_vector": "yes"});
    schema(json!({"properties": {"f": harmless}}));
}

#[test]
fn templates_are_tried_when_they_are_put() {
    let template = |mapping: Json| {
        let mapping = json!({"dynamic_templates": [{"t": {"match_mapping_type": "string", "mapping": mapping}}]});
        IndexSchema::new(&mapping, &BTreeMap::new()).map(|_| ())
    };
    assert!(template(json!({"type": "keyword"})).is_ok());
    assert!(template(json!({"type": "text", "analyzer": "{name}"})).is_ok());
    let error = template(json!({"type": "keyword", "nope": 1})).unwrap_err();
    assert!(
        error
            .reason
            .contains("dynamic template [t] has invalid content"),
        "{}",
        error.reason
    );
}
