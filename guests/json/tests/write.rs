//! Rows written as JSON with a JSON Schema, with serde_json and boon as the oracles.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use serde_json::{Value, json};
use support::{Registry, decoder, fields, rows_of, try_decode};
use weir_guest::confluent::{SchemaRegistry, WriteFormat, WriteOptions, Writer};
use weir_guest::rows::{Field, RowGroup};
use weir_guest::schemas::{self, NewSchema, Registered, Registration, SchemaError};
use weir_guest::{BatchError, Encoded, Part, RowBatch, Target};
use weir_json::write::JsonWriter;

struct NoRegistry;

impl SchemaRegistry for NoRegistry {
    fn by_id(&self, _: u32) -> Result<schemas::Schema, SchemaError> {
        Err(SchemaError::NotFound("none".to_owned()))
    }

    fn latest(&self, _: &str) -> Result<Registered, SchemaError> {
        Err(SchemaError::NotFound("none".to_owned()))
    }

    fn look_up(&self, _: &str, _: &NewSchema) -> Result<Registered, SchemaError> {
        Err(SchemaError::NotFound("none".to_owned()))
    }

    fn register(&self, _: &str, _: &NewSchema) -> Result<Registration, SchemaError> {
        Ok(Registration { id: 8, guid: None })
    }
}

fn write(options: &Value, fields: &[Field], group: &RowGroup) -> Result<Encoded, String> {
    let options = WriteOptions::parse(&options.to_string())?;
    let mut writer = Writer::<JsonWriter>::open(Part::Value, options)?;
    let target = Target {
        topic: "orders".to_owned(),
        schema: fields.to_vec(),
    };
    let rows = RowBatch {
        number: 0,
        len: group.len,
        arrays: group.arrays.clone(),
    };
    writer
        .prepare(0, &target, &NoRegistry)
        .and_then(|()| writer.encode(&rows))
        .map_err(|error| match error {
            BatchError::Failed(why) | BatchError::Unavailable(why) => why,
        })
}

fn texts(encoded: &Encoded) -> Vec<Vec<u8>> {
    let ends = encoded.payloads.offsets.windows(2);
    ends.map(|ends| encoded.payloads.bytes[ends[0] as usize..ends[1] as usize].to_vec())
        .collect()
}

/// The columns of messages under options of the deserializer.
fn columns(options: &Value, messages: &[Vec<u8>]) -> (Vec<Field>, RowGroup) {
    let mut decoder = decoder(options);
    let messages: Vec<_> = messages.iter().cloned().map(Some).collect();
    let mut decoded = try_decode(&mut decoder, &Registry::default(), &messages).unwrap();
    assert!(decoded.errors.is_empty(), "{:?}", decoded.errors);
    let group = decoded.groups.remove(0);
    (fields(&decoder, &group), group)
}

#[test]
fn what_was_read_by_a_schema_is_written_as_it_was() {
    for fixture in weir_json::fixtures::all() {
        let messages = fixture.texts(500, 3);
        let schema: Value = serde_json::from_str(&fixture.schema).unwrap();
        let (fields, group) = columns(&json!({ "schema": schema }), &messages);
        let options = json!({ "framing": "raw", "schema": schema, "validation": "on" });
        let encoded = write(&options, &fields, &group).unwrap();
        assert!(encoded.errors.is_empty(), "{:?}", encoded.errors);
        for (written, message) in texts(&encoded).iter().zip(&messages) {
            let written: Value = serde_json::from_slice(written).unwrap();
            let message: Value = serde_json::from_slice(message).unwrap();
            assert_eq!(
                without_nulls(&written),
                without_nulls(&message),
                "{}",
                fixture.name
            );
        }
    }
}

/// Null and absence are one value to a column.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let members = members.iter().filter(|(_, value)| !value.is_null());
            members
                .map(|(name, value)| (name.clone(), without_nulls(value)))
                .collect()
        }
        Value::Array(items) => items.iter().map(without_nulls).collect(),
        // A number may have another text.
        Value::Number(number) => json!(number.as_f64()),
        other => other.clone(),
    }
}

#[test]
fn a_schema_made_from_the_columns_holds_every_type() {
    let declared = json!({
        "boolean": "boolean", "int8": "int8", "int16": "int16", "int32": "int32", "int64": "int64",
        "uint8": "uint8", "uint16": "uint16", "uint32": "uint32", "uint64": "uint64",
        "float32": "float32", "float64": "float64", "decimal": "decimal(20,3)", "utf8": "utf8",
        "binary": "binary", "date": "date", "time": "time(us)", "instant": "timestamp(us)",
        "json": "json", "list": ["int32"], "object": {"a": "utf8", "b\"": ["date"]},
        "map": {"*": "float64"},
    });
    let full = json!({
        "boolean": true, "int8": -128, "int16": 32767, "int32": -1, "int64": i64::MIN, "uint8": 255,
        "uint16": 65535, "uint32": 4294967295_u32, "uint64": i64::MAX, "float32": 0.1, "float64": 1e300,
        "decimal": "-12345678901234567.890", "utf8": "a\"\\\n\u{1}ä𝄞", "binary": "//4=",
        "date": "2024-02-29", "time": "23:59:59.999999Z", "instant": "1969-12-31T23:59:59.000001Z",
        "json": {"any": [1, null, "x"]}, "list": [1, null, 3], "object": {"a": "x", "b\"": ["1970-01-01"]},
        "map": {"x": 1.5, "": null},
    });
    let messages = [full.to_string(), "{}".to_owned()].map(String::into_bytes);
    let (fields, group) = columns(&json!({ "columns": declared }), &messages);
    let derived = JsonWriter::derive(&fields, "shop.Order", Part::Value).unwrap();
    let options = json!({ "framing": "raw", "record.name": "shop.Order", "validation": "on" });
    let encoded = write(&options, &fields, &group).unwrap();
    assert!(encoded.errors.is_empty(), "{:?}: {derived}", encoded.errors);
    let derived: Value = serde_json::from_str(&derived).unwrap();
    assert_eq!(derived["title"], "shop.Order");
    let (back, back_group) = columns(&json!({ "schema": derived }), &texts(&encoded));
    let mut expected = rows_of(&fields, &group);
    let mut found = rows_of(&back, &back_group);
    // JSON has floats of one width, and its integers are signed here.
    for rows in [&mut expected, &mut found] {
        rows[0].as_object_mut().unwrap().remove("map");
    }
    assert_eq!(found, expected);
    let text: Value = serde_json::from_slice(&texts(&encoded)[0]).unwrap();
    let raw = String::from_utf8(texts(&encoded)[0].clone()).unwrap();
    assert!(raw.contains("\"decimal\":-12345678901234567.890,"), "{raw}");
    assert_eq!(text["map"], json!({"x": 1.5, "": null}));
    assert_eq!(text["instant"], "1969-12-31T23:59:59.000001Z");
}

#[test]
fn nulls_are_written_left_out_or_refused_as_the_schema_says() {
    let schema = json!({
        "type": "object", "required": ["a", "b"], "properties": {
            "a": {"type": "integer"}, "b": {"type": ["integer", "null"]},
            "c": {"type": "integer"}, "d": {"type": ["null", "string"]}, "e": {},
        },
    });
    let messages = [r#"{"a":1,"b":2,"c":3,"d":"x","e":[]}"#, r#"{"a":1}"#, "{}"];
    let messages = messages.map(|text| text.as_bytes().to_vec());
    let (fields, group) = columns(&json!({ "schema": schema }), &messages);
    let encoded = write(
        &json!({ "framing": "raw", "schema": schema }),
        &fields,
        &group,
    )
    .unwrap();
    let texts = texts(&encoded);
    assert_eq!(texts[0], br#"{"a":1,"b":2,"c":3,"d":"x","e":[]}"#);
    assert_eq!(texts[1], br#"{"a":1,"b":null,"d":null,"e":null}"#);
    assert_eq!(encoded.errors[0].row, 2);
    assert_eq!(
        encoded.errors[0].reason,
        "column `a`: null, and the schema has no null there"
    );
}

#[test]
fn what_the_schema_forbids_is_an_error_where_that_is_asked_for() {
    let schema = json!({
        "type": "object", "properties": {"n": {"type": "integer", "maximum": 5}},
    });
    let messages = [r#"{"n":5}"#, r#"{"n":6}"#].map(|text| text.as_bytes().to_vec());
    let (fields, group) = columns(&json!({ "schema": schema }), &messages);
    let of = |validation: &str| {
        let options = json!({ "framing": "raw", "schema": schema, "validation": validation });
        write(&options, &fields, &group).unwrap()
    };
    assert!(of("off").errors.is_empty());
    let encoded = of("on");
    assert_eq!(encoded.errors.len(), 1);
    assert!(
        encoded.errors[0].reason.contains("`/n`"),
        "{:?}",
        encoded.errors
    );
    assert_eq!(texts(&encoded)[0], br#"{"n":5}"#);
}

#[test]
fn columns_that_do_not_fit_are_refused() {
    let (fields, group) = columns(
        &json!({ "columns": { "a": "utf8", "at": "timestamp(ms)" } }),
        &[br#"{"a":"x"}"#.to_vec()],
    );
    for (properties, why) in [
        (
            json!({"a": {"type": "integer"}}),
            "cannot be written as an integer",
        ),
        (
            json!({"a": {"type": "string"}}),
            "column `at` has no property in the schema",
        ),
        (
            json!({"a": {"type": "string"}, "at": {"type": "boolean"}}),
            "column `at` (Arrow format `tsm:UTC`) cannot be written as a boolean",
        ),
    ] {
        let schema = json!({ "type": "object", "properties": properties });
        let options = json!({ "framing": "raw", "schema": schema });
        let error = write(&options, &fields, &group).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
    let required = json!({
        "type": "object", "required": ["x"],
        "properties": {"a": {"type": "string"}, "at": {}, "x": {"type": "string"}},
    });
    let error = write(
        &json!({ "framing": "raw", "schema": required }),
        &fields,
        &group,
    );
    let why = "the required property `x` has no column";
    assert!(error.unwrap_err().contains(why));
}

#[test]
fn texts_and_numbers_are_what_serde_json_reads() {
    // More rows than a block has, with values of any length, and nulls wherever.
    let name = "a name of more than sixteen bytes";
    let declared = json!({
        "text": "utf8", "large": "uint64", "small": "int64", "double": "float64",
        name: "utf8", "list": [{"x": "utf8", "y": "int32"}], "map": {"*": "utf8"},
    });
    let texts = [
        "",
        "plain",
        "\"\\/\u{8}\u{c}\n\r\t\u{1}\u{1f}",
        "ä𝄞\u{7f}\u{2028}\u{2029}\u{feff}",
        "longer than what is copied at once, and with a \" near its end",
    ];
    let doubles = [
        0.0,
        -0.0,
        0.01,
        57.23,
        1e-7,
        1.0 / 3.0,
        1e300,
        5e-324,
        123_456.0,
        -1e16,
    ];
    let mut random = weir_guest::random::Random::new(5);
    let messages: Vec<Value> = (0..1_000_u32)
        .map(|row| {
            let mut text = || texts[random.below(5) as usize].repeat(random.below(4) as usize);
            let items: Vec<Value> = (0..row % 4).map(|y| json!({"x": text(), "y": y})).collect();
            let (text, named, value) = (text(), text(), text());
            json!({
                "text": text,
                "large": u64::MAX >> (row % 64),
                "small": i64::MIN >> (row % 64),
                "double": doubles[row as usize % doubles.len()],
                name: if row % 3 == 0 { Value::Null } else { json!(named) },
                "list": if row % 7 == 0 { Value::Null } else { json!(items) },
                "map": {"k\"": value, "": "x"},
            })
        })
        .collect();
    let lines: Vec<Vec<u8>> = messages
        .iter()
        .map(|message| message.to_string().into())
        .collect();
    let (fields, group) = columns(&json!({ "columns": declared }), &lines);
    let encoded = write(&json!({ "framing": "raw" }), &fields, &group).unwrap();
    assert!(encoded.errors.is_empty(), "{:?}", encoded.errors);
    for (written, message) in self::texts(&encoded).iter().zip(&messages) {
        assert_eq!(&serde_json::from_slice::<Value>(written).unwrap(), message);
    }
}

#[test]
fn a_row_that_cannot_be_written_leaves_the_others() {
    let lines: Vec<Vec<u8>> = (0..600)
        .map(|row| json!({ "x": row }).to_string().into())
        .collect();
    let (fields, mut group) = columns(&json!({ "columns": { "x": "float64" } }), &lines);
    for (row, value) in [
        (0, f64::NAN),
        (300, f64::INFINITY),
        (599, f64::NEG_INFINITY),
    ] {
        group.arrays[0].buffers[1][row * 8..][..8].copy_from_slice(&value.to_le_bytes());
    }
    let encoded = write(&json!({ "framing": "raw" }), &fields, &group).unwrap();
    let errors: Vec<_> = encoded.errors.iter().map(|error| error.row).collect();
    assert_eq!(errors, [0, 300, 599]);
    let why = "column `x`: NaN and the infinities are no numbers of JSON";
    assert!(encoded.errors.iter().all(|error| error.reason == why));
    let texts = texts(&encoded);
    assert_eq!(
        (&texts[0][..], &texts[1][..]),
        (&b""[..], &br#"{"x":1.0}"#[..])
    );
    assert_eq!(texts[300], b"");
    assert_eq!(texts[598], br#"{"x":598.0}"#);
}
