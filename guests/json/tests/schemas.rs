//! JSON Schemas, as columns.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use serde_json::{Value, json};
use support::{Registry, decode, framed, json_schema, one, outline, try_decode};
use weir_guest::{BatchError, schemas};
use weir_json::{Decoder, Options};

fn decoder(schema: &Value) -> Decoder {
    support::decoder(&json!({ "schema": schema }))
}

/// The columns of one field with this schema.
fn columns(schema: Value) -> Vec<String> {
    outline(&decoder(
        &json!({"type": "object", "properties": {"v": schema}}),
    ))
}

#[test]
fn each_schema_has_its_columns() {
    let nullable = |schema: Value| json!({"oneOf": [{"type": "null"}, schema]});
    let decimal = |kind: &str, parameters: Value| {
        json!({"type": kind, "title": "org.apache.kafka.connect.data.Decimal",
            "connect.type": "bytes", "connect.version": 1, "connect.parameters": parameters})
    };
    let logical = |name: &str, ty: &str| json!({"type": "integer", "title": format!("org.apache.kafka.connect.data.{name}"), "connect.type": ty});
    for (schema, expected) in [
        (json!({"type": "boolean"}), "v: b?"),
        (json!({"type": "integer"}), "v: l?"),
        (json!({"type": "number"}), "v: g?"),
        (json!({"type": ["integer", "number"]}), "v: g?"),
        (json!({"type": "string"}), "v: u?"),
        (json!({"enum": ["a", "b", null]}), "v: u?"),
        (json!({"const": "a"}), "v: u?"),
        (
            json!({"type": "string", "format": "date-time"}),
            "v: tsu:UTC?",
        ),
        (json!({"type": "string", "format": "date"}), "v: tdD?"),
        (json!({"type": "string", "format": "time"}), "v: ttu?"),
        (json!({"type": "string", "format": "uuid"}), "v: u?"),
        (json!({"type": "string", "format": "email"}), "v: u?"),
        (
            json!({"type": "string", "contentEncoding": "base64"}),
            "v: z?",
        ),
        (json!({"type": ["null", "integer"]}), "v: l?"),
        (nullable(json!({"type": "integer"})), "v: l?"),
        (
            json!({"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]}),
            "v: tdD?",
        ),
        (
            json!({"oneOf": [{"type": "string"}, {"type": "integer"}]}),
            "v: u? arrow.json",
        ),
        (json!({"type": ["string", "integer"]}), "v: u? arrow.json"),
        (json!({}), "v: u? arrow.json"),
        (json!(true), "v: u? arrow.json"),
        (json!({"type": "object"}), "v: u? arrow.json"),
        (json!({"type": "array"}), "v: u? arrow.json"),
        (json!({"type": "null"}), "v: u? arrow.json"),
        (
            json!({"type": "array", "prefixItems": [{"type": "string"}]}),
            "v: u? arrow.json",
        ),
        (
            json!({"type": "array", "items": [{"type": "string"}]}),
            "v: u? arrow.json",
        ),
        (
            json!({"type": "array", "items": {"type": "integer"}}),
            "v: +l?| item: l?",
        ),
        (
            json!({"type": "object", "additionalProperties": {"type": "number"}}),
            "v: +m?| entries: +s|  key: u|  value: g?",
        ),
        (
            json!({"type": "object", "properties": {"a": {"type": "string"}}}),
            "v: +s?| a: u?",
        ),
        (
            json!({"properties": {"a": {"type": "string"}}}),
            "v: +s?| a: u?",
        ),
        (
            nullable(json!({"type": "array", "items": nullable(json!({"type": "string"}))})),
            "v: +l?| item: u?",
        ),
        (
            json!({"allOf": [{"type": "object", "properties": {"a": {"type": "string"}}}, {"properties": {"b": {"type": "integer"}}}]}),
            "v: +s?| a: u?| b: l?",
        ),
        (
            json!({"type": "string", "allOf": [{"format": "date-time"}]}),
            "v: tsu:UTC?",
        ),
        (
            json!({"oneOf": [
            {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "integer"}}},
            {"type": "object", "properties": {"a": {"type": "boolean"}, "c": {"type": "integer"}}}]}),
            "v: +s?| a: u? arrow.json| b: l?| c: l?",
        ),
        (json!({"type": "integer", "connect.type": "int8"}), "v: c?"),
        (json!({"type": "integer", "connect.type": "int16"}), "v: s?"),
        (json!({"type": "integer", "connect.type": "int32"}), "v: i?"),
        (json!({"type": "integer", "connect.type": "int64"}), "v: l?"),
        (
            json!({"type": "number", "connect.type": "float32"}),
            "v: f?",
        ),
        (json!({"type": "string", "connect.type": "bytes"}), "v: z?"),
        (
            decimal(
                "number",
                json!({"scale": "2", "connect.decimal.precision": "10"}),
            ),
            "v: d:10,2?",
        ),
        (decimal("string", json!({"scale": "2"})), "v: d:38,2?"),
        (logical("Date", "int32"), "v: tdD?"),
        (logical("Time", "int32"), "v: ttm?"),
        (logical("Timestamp", "int64"), "v: tsm:UTC?"),
    ] {
        let expected: Vec<&str> = expected.split('|').collect();
        assert_eq!(columns(schema.clone()), expected, "{schema}");
    }
}

#[test]
fn references_lead_into_the_schema_itself_and_to_others() {
    let schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": "http://example.com/order.json",
        "type": "object",
        "properties": {
            "customer": {"$ref": "customer.json"},
            "street": {"$ref": "customer.json#/definitions/address/properties/street"},
            "note": {"$ref": "#/definitions/a~1b%20c"},
            "tag": {"$ref": "#tag"},
        },
        "definitions": {
            "a/b c": {"type": "string"},
            "t": {"$id": "#tag", "type": "integer"},
        },
    });
    let customer = r##"{"type": "object", "properties": {"name": {"type": "string"}, "address": {"$ref": "#/definitions/address"}},
        "definitions": {"address": {"type": "object", "properties": {"street": {"type": "string"}, "country": {"$ref": "country.json"}}}}}"##;
    let country = r#"{"enum": ["DE", "FR"]}"#;
    let references = [("country.json", country), ("customer.json", customer)];
    for validation in ["off", "on"] {
        let mut registry = Registry::default();
        registry.subjects.insert(
            "orders".to_owned(),
            json_schema(&schema.to_string(), &references),
        );
        let mut decoder =
            support::decoder(&json!({"schema.subject": "orders", "validation": validation}));
        let row = json!({"customer": {"name": "a", "address": {"street": "b", "country": "DE"}}, "street": "c", "note": "d", "tag": 1});
        let bad = json!({"customer": {"address": {"country": "XX"}}});
        let messages = [&row, &bad].map(|it| Some(it.to_string().into_bytes()));
        let (rows, errors) = decode(&mut decoder, &registry, &messages);
        assert_eq!(
            outline(&decoder),
            [
                "customer: +s?",
                " name: u?",
                " address: +s?",
                "  street: u?",
                "  country: u?",
                "street: u?",
                "note: u?",
                "tag: l?"
            ]
        );
        assert_eq!(rows[0], (0, row));
        if validation == "on" {
            assert_eq!(errors.len(), 1);
            assert!(
                errors[0]
                    .1
                    .starts_with("`/customer/address/country`: not valid: "),
                "{}",
                errors[0].1
            );
        } else {
            assert!(rows.len() == 2 && errors.is_empty());
        }
    }
    let options = json!({"schema": {"properties": {"a": {"$ref": "#/definitions/b"}}}}).to_string();
    let error = Decoder::new(Options::parse(&options).unwrap())
        .err()
        .unwrap();
    assert_eq!(
        error,
        "`schema` cannot be used: there is nothing behind the $ref `#/definitions/b`, here or among the schema's references"
    );
}

#[test]
fn a_schema_within_itself_is_json() {
    let node = json!({"type": "object", "properties": {"name": {"type": "string"}, "next": {"$ref": "#"}}});
    assert_eq!(
        outline(&decoder(&node)),
        ["name: u?", "next: u? arrow.json"]
    );
    let tree = json!({"definitions": {"n": {"type": "object", "properties": {
        "children": {"type": "array", "items": {"$ref": "#/definitions/n"}},
        "parent": {"oneOf": [{"type": "null"}, {"$ref": "#/definitions/n"}]}}}}, "$ref": "#/definitions/n"});
    let mut decoder = decoder(&tree);
    assert_eq!(
        outline(&decoder),
        [
            "children: +l?",
            " item: u? arrow.json",
            "parent: u? arrow.json"
        ]
    );
    let row = json!({"children": [{"children": []}, null], "parent": {"parent": null}});
    assert_eq!(one(&mut decoder, row.to_string().as_bytes()), Ok(row));
    // A reference that leads nowhere but to itself, and one that doubles at each step.
    let error = Options::parse(r##"{"schema":{"$ref":"#"}}"##)
        .map(Decoder::new)
        .unwrap()
        .err()
        .unwrap();
    assert!(error.contains("combines more than 1000 schemas"), "{error}");
    let mut definitions = serde_json::Map::new();
    for i in 0..30 {
        let next = json!({"$ref": format!("#/definitions/d{}", i + 1)});
        definitions.insert(
            format!("d{i}"),
            json!({"type": "object", "properties": {"a": next, "b": next}}),
        );
    }
    definitions.insert("d30".to_owned(), json!({"type": "string"}));
    let doubling =
        json!({"schema": {"$ref": "#/definitions/d0", "definitions": definitions}}).to_string();
    let error = Options::parse(&doubling)
        .map(Decoder::new)
        .unwrap()
        .err()
        .unwrap();
    assert!(error.contains("more than 10000 fields"), "{error}");
}

#[test]
fn with_validation_what_is_required_is_not_null() {
    let schema = json!({"type": "object", "required": ["a", "n", "o"], "properties": {
        "a": {"type": "integer"}, "b": {"type": "integer"}, "n": {"type": ["integer", "null"]},
        "o": {"type": "object", "required": ["x"], "properties": {"x": {"type": "string"}}}}});
    let loose = decoder(&schema);
    assert_eq!(
        outline(&loose),
        ["a: l?", "b: l?", "n: l?", "o: +s?", " x: u?"]
    );
    let mut strict = support::decoder(&json!({"schema": schema, "validation": "on"}));
    assert_eq!(
        outline(&strict),
        ["a: l", "b: l?", "n: l?", "o: +s", " x: u"]
    );
    let good = json!({"a": 1, "n": null, "o": {"x": ""}});
    let texts = [
        good.to_string(),
        json!({"n": null, "o": {"x": ""}}).to_string(),
        json!({"a": "1", "n": null, "o": {"x": ""}}).to_string(),
        json!({"a": 1, "n": null, "o": {}}).to_string(),
        "{\"a\":1".to_owned(),
        "{\"a\":1e999,\"n\":null,\"o\":{\"x\":\"\"}}".to_owned(),
    ];
    let messages = texts.map(|text| Some(text.into_bytes()));
    let (rows, errors) = decode(&mut strict, &Registry::default(), &messages);
    assert_eq!(
        rows,
        [(0, json!({"a": 1, "b": null, "n": null, "o": {"x": ""}}))]
    );
    let reasons: Vec<&str> = errors.iter().map(|(_, reason)| reason.as_str()).collect();
    assert_eq!(reasons.len(), 5);
    assert!(
        reasons[0].starts_with("not valid: missing properties 'a'"),
        "{}",
        reasons[0]
    );
    assert!(
        reasons[1].starts_with("`/a`: not valid: "),
        "{}",
        reasons[1]
    );
    assert!(
        reasons[2].starts_with("`/o`: not valid: missing properties 'x'"),
        "{}",
        reasons[2]
    );
    assert_eq!(
        reasons[3],
        "byte 6: expected `,` or `}`, found the end of the message"
    );
    assert!(
        reasons[4].starts_with("it cannot be validated: number out of range"),
        "{}",
        reasons[4]
    );

    let mut report = support::decoder(&json!({"schema": schema, "validation": "report"}));
    let (rows, errors) = decode(&mut report, &Registry::default(), &messages);
    let numbers: Vec<u32> = rows.iter().map(|(number, _)| *number).collect();
    // What is not valid and can be delivered is.
    assert_eq!(numbers, [0, 1, 3]);
    assert_eq!(
        errors.iter().map(|(number, _)| *number).collect::<Vec<_>>(),
        [2, 4, 5]
    );
}

#[test]
fn messages_name_their_schemas() {
    let mut registry = Registry::default();
    registry.ids.insert(
        7,
        json_schema(
            r#"{"type":"object","properties":{"a":{"type":"integer"}}}"#,
            &[],
        ),
    );
    registry.ids.insert(
        8,
        json_schema(r#"{"type":"array","items":{"type":"string"}}"#, &[]),
    );
    registry.ids.insert(
        9,
        schemas::Schema {
            schema_type: schemas::SchemaType::Avro,
            text: "\"int\"".to_owned(),
            references: vec![],
        },
    );
    registry.ids.insert(10, json_schema("{", &[]));
    let mut decoder = support::decoder(&json!({}));
    let messages = vec![
        Some(framed(7, r#"{"a":1}"#)),
        Some(framed(8, r#"["x"]"#)),
        None,
        Some(framed(9, "1")),
        Some(framed(7, r#"{"a":"1"}"#)),
        Some(framed(10, "1")),
        Some(framed(11, "1")),
        Some(b"{\"a\":1}".to_vec()),
        Some(framed(7, r#"{"a":2}"#)),
    ];
    for _ in 0..2 {
        let (rows, errors) = decode(&mut decoder, &registry, &messages);
        assert_eq!(
            rows,
            [
                (0, json!({"a": 1})),
                (1, json!({"value": ["x"]})),
                (8, json!({"a": 2}))
            ]
        );
        assert_eq!(
            errors,
            [
                (3, "schema id 9 cannot be used: it is an Avro schema, not a JSON Schema".to_owned()),
                (4, "`/a`, byte 5: expected an integer, found the string \"1\"".to_owned()),
                (5, "schema id 10 cannot be used: it is not JSON: EOF while parsing an object at line 1 column 1".to_owned()),
                (6, "schema id 11 not found: no such schema".to_owned()),
                (7, "the first byte is 0x7b, not the zero byte of the Confluent wire format; for plain JSON set the option `framing: raw`".to_owned()),
            ]
        );
    }
    registry.down = true;
    let mut fresh = support::decoder(&json!({}));
    assert!(matches!(
        try_decode(&mut fresh, &registry, &messages),
        Err(BatchError::Unavailable(_))
    ));
}

#[test]
fn a_subject_is_asked_for_until_it_answers() {
    let mut registry = Registry::default();
    registry.subjects.insert(
        "s".to_owned(),
        json_schema(
            r#"{"type":"object","properties":{"a":{"type":"integer"}}}"#,
            &[],
        ),
    );
    let mut decoder = support::decoder(&json!({"schema.subject": "s", "framing": "confluent"}));
    let messages = vec![
        Some(framed(1, r#"{"a":1}"#)),
        Some(framed(2, r#"{"a":2}"#)),
        Some(b"{}".to_vec()),
    ];
    registry.down = true;
    assert!(matches!(
        try_decode(&mut decoder, &registry, &messages),
        Err(BatchError::Unavailable(_))
    ));
    registry.down = false;
    let (rows, errors) = decode(&mut decoder, &registry, &messages);
    assert_eq!(rows, [(0, json!({"a": 1})), (1, json!({"a": 2}))]);
    assert_eq!(errors.len(), 1);
    let mut unknown = support::decoder(&json!({"schema.subject": "t"}));
    let Err(BatchError::Failed(why)) = try_decode(&mut unknown, &registry, &messages) else {
        panic!()
    };
    assert_eq!(why, "schema.subject `t`: not found: no such schema");
}
