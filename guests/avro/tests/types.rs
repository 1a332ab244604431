//! Each type: its Arrow fields, and its values.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use apache_avro::{
    Days, Decimal, Duration, Millis, Months, Schema, Uuid,
    types::Value::{self, Array, Null, Record, Union},
};
use serde_json::{Value as Json, json};
use support::{
    Registry, decode, decode_rows, encode, fields, framed, oracle, outline, reason, rows_of,
};
use weir_avro::{Decoder, compile_schema};
use weir_guest::confluent::SchemaLookup;
use weir_guest::schemas;

/// The outline of the columns of a schema.
fn columns(schema: &Json) -> Vec<String> {
    let plan = compile_schema(&avro(schema)).unwrap();
    outline(plan.fields())
}

fn avro(schema: &Json) -> schemas::Schema {
    schemas::Schema {
        schema_type: schemas::SchemaType::Avro,
        text: schema.to_string(),
        references: vec![],
    }
}

fn refused(schema: &Json) -> String {
    compile_schema(&avro(schema)).unwrap_err().to_string()
}

/// Checks format and values of one type, at the top, in a record, optional both ways,
/// in an array and in a map.
fn check(schema: Json, format: &str, values: &[Value]) {
    let record = |schema: &Json| json!({ "type": "record", "name": "R", "fields": [{ "name": "f", "type": schema }] });
    assert_eq!(columns(&schema)[0], format!("value: {format}"));
    let wrap =
        |wrapper: fn(Value) -> Value| values.iter().cloned().map(wrapper).collect::<Vec<_>>();
    let cases = [
        (schema.clone(), wrap(|value| value)),
        (
            record(&schema),
            wrap(|value| Record(vec![("f".into(), value)])),
        ),
        (
            json!({ "type": "array", "items": schema }),
            vec![Array(values.to_vec()), Array(vec![])],
        ),
        (
            json!({ "type": "map", "values": schema }),
            wrap(|value| Value::Map([("k".to_owned(), value)].into())),
        ),
    ];
    for (schema, values) in cases {
        agrees(&schema, &values);
    }
    if schema != "null" {
        for (schema, null) in [
            (json!(["null", schema]), 0u32),
            (json!([schema, "null"]), 1),
        ] {
            let some = |value| Union(1 - null, Box::new(value));
            let mut values: Vec<_> = values.iter().cloned().map(some).collect();
            values.insert(values.len() / 2, Union(null, Box::new(Null)));
            assert_eq!(
                columns(&schema)[0],
                format!("value: {}?", format.trim_end_matches('?'))
            );
            agrees(&schema, &values);
        }
    }
}

/// Checks rows against apache-avro's reading.
fn agrees(schema: &Json, values: &[Value]) {
    let parsed = Schema::parse(schema).unwrap();
    let datums: Vec<_> = values
        .iter()
        .map(|value| encode(&parsed, value.clone()))
        .collect();
    let expected: Vec<_> = datums
        .iter()
        .map(|datum| oracle::row(&parsed, datum).unwrap())
        .collect();
    assert_eq!(
        decode_rows(&schema.to_string(), &datums),
        expected,
        "{schema}"
    );
}

#[test]
fn primitives() {
    let long = [
        0,
        1,
        -1,
        63,
        64,
        -64,
        -65,
        8_191,
        8_192,
        i64::from(i32::MAX),
        i64::MAX,
        i64::MIN,
    ];
    check(json!("null"), "n?", &[Null, Null]);
    check(
        json!("boolean"),
        "b",
        &[true, false, true].map(Value::Boolean),
    );
    check(
        json!("int"),
        "i",
        &[0, -1, 64, i32::MAX, i32::MIN].map(Value::Int),
    );
    check(json!("long"), "l", &long.map(Value::Long));
    check(
        json!("float"),
        "f",
        &[0.0, -1.5, f32::NAN, f32::INFINITY].map(Value::Float),
    );
    check(
        json!("double"),
        "g",
        &[0.0, -1.5, f64::NAN, f64::MIN].map(Value::Double),
    );
    let bytes = [0, 1, 31, 32, 33, 64, 1_000].map(|length| Value::Bytes(vec![0xff; length]));
    check(json!("bytes"), "z", &bytes);
    let text = ["", "a", "grüße", "\u{0}", &"€".repeat(11), &"x".repeat(200)];
    check(
        json!("string"),
        "u",
        &text.map(|text| Value::String(text.into())),
    );
}

#[test]
fn named_types() {
    let symbols = ["A", "LONG_SYMBOL_WITH_MORE_THAN_THIRTY_TWO_BYTES", "B"];
    let symbol = |index: usize| Value::Enum(u32::try_from(index).unwrap(), symbols[index].into());
    let schema = json!({ "type": "enum", "name": "E", "symbols": symbols });
    check(schema, "u", &[symbol(2), symbol(1), symbol(0)]);
    let schema = json!({ "type": "fixed", "name": "F", "size": 3 });
    check(
        schema,
        "w:3",
        &[
            Value::Fixed(3, vec![1, 2, 3]),
            Value::Fixed(3, vec![0xff; 3]),
        ],
    );
    let schema = json!({ "type": "record", "name": "S", "fields": [{ "name": "a", "type": "int" }, { "name": "b", "type": "string" }] });
    let value = Record(vec![
        ("a".into(), Value::Int(5)),
        ("b".into(), Value::String("x".into())),
    ]);
    let columns = columns(
        &json!({ "type": "record", "name": "R", "fields": [{ "name": "s", "type": ["null", schema] }] }),
    );
    assert_eq!(columns, ["s: +s?", " a: i", " b: u"]);
    agrees(
        &json!(["null", schema]),
        &[Union(1, Box::new(value.clone())), Union(0, Box::new(Null))],
    );
    agrees(&schema, &[value]);
}

#[test]
fn decimals() {
    let value = |value: i128| Value::Decimal(Decimal::from(value.to_be_bytes()));
    let values = [0, 1, -1, 99_999_999, -99_999_999].map(value);
    let fixed = |size: usize, precision: usize| json!({ "type": "fixed", "name": "D", "size": size, "logicalType": "decimal", "precision": precision, "scale": 2 });
    let bytes = |precision: usize| json!({ "type": "bytes", "logicalType": "decimal", "precision": precision, "scale": 2 });
    check(bytes(10), "d:10,2", &values);
    check(
        bytes(38),
        "d:38,2",
        &[value(10i128.pow(38) - 1), value(1 - 10i128.pow(38))],
    );
    check(bytes(39), "d:39,2,256", &values);
    check(fixed(16, 38), "d:38,2", &values);
    check(fixed(20, 9), "d:9,2", &values);
    check(fixed(32, 76), "d:76,2,256", &values);
    assert_eq!(
        refused(&bytes(77)),
        "decimal field `value` has a precision of 77; the most is 76"
    );

    let small = Schema::parse(&fixed(1, 2)).unwrap();
    assert_eq!(
        decode_rows(&fixed(1, 2).to_string(), &[vec![0x80 | 0x7f]]),
        [json!({ "value": "-1" })]
    );
    assert!(
        reason(&fixed(1, 2).to_string(), &[100])
            .contains("more digits than the schema's precision")
    );
    assert!(oracle::row(&small, &[100]).is_some());
    // No bytes at all are 0; more than fit are fine when they say nothing.
    let text = bytes(10).to_string();
    let datums = [vec![0], [&[40], &[0xff; 19][..], &[0xfe]].concat()];
    assert_eq!(
        decode_rows(&text, &datums),
        [json!({ "value": "0" }), json!({ "value": "-2" })]
    );
}

#[test]
fn dates_and_times() {
    let logical = |kind: &str, logical: &str| json!({ "type": kind, "logicalType": logical });
    check(
        logical("int", "date"),
        "tdD",
        &[0, -719_162, 20_000].map(Value::Date),
    );
    check(
        logical("int", "time-millis"),
        "ttm",
        &[0, 86_399_999].map(Value::TimeMillis),
    );
    check(
        logical("long", "time-micros"),
        "ttu",
        &[0, 86_399_999_999].map(Value::TimeMicros),
    );
    let long = [0, -1, 1_700_000_000_000, i64::MAX];
    check(
        logical("long", "timestamp-millis"),
        "tsm:UTC",
        &long.map(Value::TimestampMillis),
    );
    check(
        logical("long", "timestamp-micros"),
        "tsu:UTC",
        &long.map(Value::TimestampMicros),
    );
    check(
        logical("long", "timestamp-nanos"),
        "tsn:UTC",
        &long.map(Value::TimestampNanos),
    );
    check(
        logical("long", "local-timestamp-millis"),
        "tsm:",
        &long.map(Value::LocalTimestampMillis),
    );
    check(
        logical("long", "local-timestamp-micros"),
        "tsu:",
        &long.map(Value::LocalTimestampMicros),
    );
    check(
        logical("long", "local-timestamp-nanos"),
        "tsn:",
        &long.map(Value::LocalTimestampNanos),
    );
    check(logical("long", "fortnights"), "l", &[Value::Long(2)]);

    let schema = json!({ "type": "fixed", "name": "F", "size": 12, "logicalType": "duration" });
    let value = Value::Duration(Duration::new(
        Months::new(14),
        Days::new(3),
        Millis::new(u32::MAX),
    ));
    check(schema.clone(), "tin", &[value]);
    assert!(reason(&schema.to_string(), &[0xff; 12]).contains("2147483647 months or days"));
}

#[test]
fn uuids() {
    let uuid = Uuid::from_bytes([0xab; 16]);
    check(
        json!({ "type": "string", "logicalType": "uuid" }),
        "u",
        &[Value::Uuid(uuid)],
    );
    let schema = json!({ "type": "fixed", "name": "F", "size": 16, "logicalType": "uuid" });
    check(schema.clone(), "w:16", &[Value::Uuid(uuid)]);
    let plan = compile_schema(&avro(&schema)).unwrap();
    assert_eq!(
        plan.fields()[0].metadata[0],
        ("ARROW:extension:name".into(), "arrow.uuid".into())
    );
}

#[test]
fn lists_and_maps() {
    let schema = json!({ "type": "array", "items": { "type": "map", "values": ["null", "int"] } });
    let expected = [
        "value: +l",
        " item: +m",
        "  entries: +s",
        "   key: u",
        "   value: i?",
    ];
    assert_eq!(columns(&schema), expected);
    let map = |value| Value::Map([("k".to_owned(), value)].into());
    let some = map(Union(1, Box::new(Value::Int(7))));
    let none = map(Union(0, Box::new(Null)));
    agrees(
        &schema,
        &[
            Array(vec![some.clone(), none]),
            Array(vec![]),
            Array(vec![some]),
        ],
    );
}

#[test]
fn blocks_may_say_their_size() {
    let schema = json!({ "type": "array", "items": "int" });
    let datum = |bytes: &[u8]| decode_rows(&schema.to_string(), &[bytes.to_vec()]);
    // Two blocks, the first with its size in bytes.
    assert_eq!(
        datum(&[3, 4, 2, 4, 2, 6, 0]),
        [json!({ "value": [1, 2, 3] })]
    );
    let wrong = reason(&schema.to_string(), &[3, 6, 2, 4, 2, 6, 0]);
    assert_eq!(
        wrong,
        "field `value`, byte 4: a block of an array or map is not as long as it says"
    );
}

#[test]
fn unions_of_one_branch_are_that_branch() {
    let schema = json!(["int"]);
    assert_eq!(columns(&schema), ["value: i"]);
    assert_eq!(
        decode_rows(&schema.to_string(), &[vec![0, 4]]),
        [json!({ "value": 2 })]
    );
    assert!(reason(&schema.to_string(), &[2, 4]).contains("union branch"));
    assert_eq!(columns(&json!(["null"])), ["value: n?"]);
    assert_eq!(
        decode_rows(r#"["null"]"#, &[vec![0]]),
        [json!({ "value": null })]
    );
    assert_eq!(
        refused(&json!([])),
        "field `value` is a union without branches"
    );
}

#[test]
fn wide_unions_are_structs_with_one_child_set() {
    let record = |space: &str| json!({ "type": "record", "name": "P", "namespace": space, "fields": [{ "name": "x", "type": "int" }] });
    let schema = json!(["string", "null", { "type": "long", "logicalType": "timestamp-millis" }, record("a"), record("b"),
        { "type": "array", "items": "int" }, { "type": "fixed", "name": "F", "namespace": "c", "size": 2 }]);
    let expected = [
        "value: +s?",
        " string: u?",
        " long: tsm:UTC?",
        " a.P: +s?",
        "  x: i",
        " b.P: +s?",
        "  x: i",
        " array: +l?",
        "  item: i",
        " F: w:2?",
    ];
    assert_eq!(columns(&schema), expected);
    let point = || Record(vec![("x".into(), Value::Int(3))]);
    let values = [
        Value::String("s".into()),
        Null,
        Value::TimestampMillis(1),
        point(),
        point(),
        Array(vec![Value::Int(1)]),
        Value::Fixed(2, vec![1, 2]),
    ];
    let values: Vec<_> = values
        .into_iter()
        .zip(0..)
        .map(|(value, index)| Union(index, Box::new(value)))
        .collect();
    agrees(&schema, &values);
    // Without null the struct itself is never null.
    assert_eq!(
        columns(&json!(["int", "string"])),
        ["value: +s", " int: i?", " string: u?"]
    );
    agrees(
        &json!(["int", "string"]),
        &[Union(0, Box::new(Value::Int(1)))],
    );
    // Branch by branch, each with operations of its own length.
    agrees(
        &json!({ "type": "array", "items": schema }),
        &[Array(values.clone()), Array(values)],
    );
}

#[test]
fn a_record_inside_of_itself_is_json() {
    let schema = json!({ "type": "record", "name": "Node", "fields": [
        { "name": "name", "type": "string" },
        { "name": "next", "type": ["null", "Node"] },
        { "name": "children", "type": { "type": "array", "items": "Node" } },
        { "name": "extra", "type": { "type": "map", "values": ["float", "bytes", "boolean", "null"] } },
    ]});
    let expected = [
        "name: u",
        "next: u?",
        "children: +l",
        " item: u",
        "extra: +m",
        " entries: +s",
        "  key: u",
        "  value: +s?",
        "   float: f?",
        "   bytes: z?",
        "   boolean: b?",
    ];
    assert_eq!(columns(&schema), expected);
    let node = |name: &str, next: Value, children: Vec<Value>| {
        Record(vec![
            ("name".into(), Value::String(name.into())),
            ("next".into(), next),
            ("children".into(), Array(children)),
            (
                "extra".into(),
                Value::Map([("k".to_owned(), Union(1, Box::new(Value::Bytes(vec![0xab]))))].into()),
            ),
        ])
    };
    let none = || Union(0, Box::new(Null));
    let leaf = || node("le\"af", none(), vec![]);
    let parsed = Schema::parse(&schema).unwrap();
    let datum = encode(
        &parsed,
        node("root", Union(1, Box::new(leaf())), vec![leaf(), leaf()]),
    );
    let json_leaf =
        json!({ "name": "le\"af", "next": null, "children": [], "extra": { "k": "ab" } });
    let rows = decode_rows(&schema.to_string(), &[datum.clone(), datum]);
    assert_eq!(rows[0]["next"], json_leaf);
    assert_eq!(rows[1]["children"], json!([json_leaf, json_leaf]));

    let mut deep = leaf();
    for _ in 0..200 {
        deep = node("n", Union(1, Box::new(deep)), vec![]);
    }
    let why = reason(&schema.to_string(), &encode(&parsed, deep));
    assert!(
        why.contains("field `next`") && why.ends_with("more than 256 types deep"),
        "{why}"
    );
}

#[test]
fn types_named_twice_have_their_columns_twice() {
    let point = json!({ "type": "record", "name": "P", "namespace": "n", "aliases": ["Q"], "fields": [{ "name": "x", "type": "int" }] });
    let schema = json!({ "type": "record", "name": "R", "namespace": "n", "fields": [
        { "name": "a", "type": point }, { "name": "b", "type": "P" }, { "name": "c", "type": ["null", "n.P"] } ]});
    assert_eq!(
        columns(&schema),
        ["a: +s", " x: i", "b: +s", " x: i", "c: +s?", " x: i"]
    );
    assert_eq!(
        decode_rows(&schema.to_string(), &[vec![2, 4, 0]]),
        [json!({ "a": { "x": 1 }, "b": { "x": 2 }, "c": null })]
    );
}

#[test]
fn references_come_before_what_refers_to_them() {
    let mut registry = Registry::default();
    let inner = r#"{"type":"record","name":"a.Inner","fields":[{"name":"e","type":{"type":"enum","name":"E","symbols":["X","Y"]}}]}"#;
    // Names a type that is only defined within the first.
    let middle = r#"{"type":"record","name":"b.Middle","fields":[{"name":"i","type":"a.Inner"},{"name":"e","type":"a.E"}]}"#;
    let outer = r#"{"type":"record","name":"Outer","fields":[{"name":"m","type":"b.Middle"},{"name":"l","type":["null","a.Inner"]}]}"#;
    registry.add_with(1, outer, &[inner, middle]);
    registry.add_with(2, r#""b.Middle""#, &[inner, middle]);
    registry.add_with(3, "b.Middle", &[inner, middle]);
    registry.add(4, outer);
    let mut decoder = Decoder::default();
    let messages = [
        framed(1, &[2, 0, 2, 0]),
        framed(2, &[0, 2]),
        framed(3, &[2, 2]),
        framed(4, &[]),
    ];
    let decoded = decode(&mut decoder, &registry, &messages);
    let rows: Vec<_> = decoded
        .groups
        .iter()
        .flat_map(|group| rows_of(&fields(&decoder, group), group))
        .collect();
    assert_eq!(
        rows,
        [
            json!({ "m": { "i": { "e": "Y" }, "e": "X" }, "l": { "e": "X" } }),
            json!({ "i": { "e": "X" }, "e": "Y" }),
            json!({ "i": { "e": "Y" }, "e": "Y" }),
        ]
    );
    assert_eq!(
        decoded.errors[0].reason,
        "schema id 4 cannot be used: Unknown primitive type: b.Middle"
    );
    assert!(registry.by_id(9).is_err());
}

#[test]
fn defaults_that_do_not_fit_are_no_reason_to_fail() {
    let schema = json!({ "type": "record", "name": "R", "fields": [
        { "name": "a", "type": ["null", "int"], "default": "null" },
        { "name": "e", "type": { "type": "enum", "name": "E", "symbols": ["A"], "default": "Z" } } ]});
    assert_eq!(
        decode_rows(&schema.to_string(), &[vec![0, 0]]),
        [json!({ "a": null, "e": "A" })]
    );
}

#[test]
fn schemas_that_cannot_be_columns_say_why() {
    assert!(refused(&json!({ "type": "nonsense" })).contains("nonsense"));
    assert_eq!(
        refused(&json!({ "type": "fixed", "name": "F", "size": 0 })),
        "field `value` is a fixed of 0 bytes; 1 to 2147483647 are possible"
    );
    let mut schema = schemas::Schema {
        text: "{".into(),
        ..avro(&json!(null))
    };
    assert!(
        compile_schema(&schema)
            .unwrap_err()
            .to_string()
            .starts_with("it is not JSON")
    );
    schema.schema_type = schemas::SchemaType::Protobuf;
    assert_eq!(
        compile_schema(&schema).unwrap_err().to_string(),
        "it is a Protobuf schema, not an Avro one"
    );
}

#[test]
fn schemas_that_grow_without_bound_are_refused() {
    // Twenty records, each with the one before twice: a million columns.
    let mut types =
        vec![json!({ "type": "record", "name": "R0", "fields": [{ "name": "x", "type": "int" }] })];
    for i in 1..20 {
        let before = format!("R{}", i - 1);
        let fields = json!([{ "name": "a", "type": before }, { "name": "b", "type": before }]);
        types.push(json!({ "type": "record", "name": format!("R{i}"), "fields": fields }));
    }
    let reference = |schema: &Json| schemas::Reference {
        name: String::new(),
        text: schema.to_string(),
    };
    let mut schema = avro(types.last().unwrap());
    schema.references = types[..19].iter().map(reference).collect();
    assert!(
        compile_schema(&schema)
            .unwrap_err()
            .to_string()
            .starts_with("it has more than 10000 fields")
    );

    let mut chain =
        vec![json!({ "type": "record", "name": "C0", "fields": [{ "name": "x", "type": "int" }] })];
    for i in 1..80 {
        let fields = json!([{ "name": "f", "type": format!("C{}", i - 1) }]);
        chain.push(json!({ "type": "record", "name": format!("C{i}"), "fields": fields }));
    }
    let mut schema = avro(chain.last().unwrap());
    schema.references = chain[..79].iter().map(reference).collect();
    assert_eq!(
        compile_schema(&schema).unwrap_err().to_string(),
        "its types are nested more than 64 deep"
    );
}

#[test]
fn records_without_fields() {
    let empty = json!({ "type": "record", "name": "E", "fields": [] });
    let registry = Registry::of(&empty.to_string());
    let decoded = decode(
        &mut Decoder::default(),
        &registry,
        &[framed(1, &[]), framed(1, &[0])],
    );
    assert_eq!(
        (decoded.groups[0].len, decoded.groups[0].arrays.len()),
        (1, 0)
    );
    assert_eq!(
        decoded.errors[0].reason,
        "byte 0: there are bytes after the end of the record"
    );
    agrees(
        &json!({ "type": "array", "items": empty }),
        &[Array(vec![Record(vec![]), Record(vec![])])],
    );
}
