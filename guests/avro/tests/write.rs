//! Rows written as Avro: by the schema that they were read by, by one made from the columns, and
//! by schemas of registries.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::cell::RefCell;
use std::collections::HashMap;

use apache_avro::{Schema, schema::ResolvedSchema};
use support::{
    Registry, decode, encode, fields, framed,
    generate::{Random, SchemaMaker, value},
    oracle, rows_of,
};
use weir_avro::{Decoder, write::AvroWriter};
use weir_guest::confluent::{SchemaRegistry, WriteFormat, WriteOptions, Writer};
use weir_guest::rows::{Array, Field};
use weir_guest::schemas::{self, NewSchema, Registered, Registration, SchemaError, SchemaType};
use weir_guest::{BatchError, Encoded, Part, RowBatch, Target};

/// Subjects, each with its versions and whether they may be added to.
#[derive(Default)]
struct Subjects {
    latest: HashMap<String, (u32, String)>,
    refuses: Option<SchemaError>,
    registered: RefCell<Vec<(String, String)>>,
}

impl SchemaRegistry for Subjects {
    fn by_id(&self, id: u32) -> Result<schemas::Schema, SchemaError> {
        let mut all = self.latest.values();
        let (_, text) = all.find(|(known, _)| *known == id).ok_or_else(not_found)?;
        Ok(avro(text))
    }

    fn latest(&self, subject: &str) -> Result<Registered, SchemaError> {
        let (id, text) = self.latest.get(subject).ok_or_else(not_found)?;
        Ok(Registered {
            id: Some(*id),
            guid: Some(schemas::Guid { high: 1, low: 2 }),
            version: Some(1),
            schema: avro(text),
        })
    }

    fn look_up(&self, subject: &str, schema: &NewSchema) -> Result<Registered, SchemaError> {
        let found = self.latest(subject)?;
        (found.schema.text == schema.text)
            .then_some(found)
            .ok_or_else(not_found)
    }

    fn register(&self, subject: &str, schema: &NewSchema) -> Result<Registration, SchemaError> {
        if let Some(refusal) = &self.refuses {
            return Err(refusal.clone());
        }
        let mut registered = self.registered.borrow_mut();
        registered.push((subject.to_owned(), schema.text.clone()));
        Ok(Registration { id: 7, guid: None })
    }
}

fn not_found() -> SchemaError {
    SchemaError::NotFound("no such".to_owned())
}

fn avro(text: &str) -> schemas::Schema {
    schemas::Schema {
        schema_type: SchemaType::Avro,
        text: text.to_owned(),
        references: Vec::new(),
    }
}

fn writer(part: Part, options: &str) -> Writer<AvroWriter> {
    Writer::open(part, WriteOptions::parse(options).unwrap()).unwrap()
}

fn target(fields: &[Field]) -> Target {
    Target {
        topic: "orders".to_owned(),
        schema: fields.to_vec(),
    }
}

fn write(
    part: Part,
    options: &str,
    registry: &Subjects,
    fields: &[Field],
    rows: RowBatch,
) -> Result<Encoded, BatchError> {
    let mut writer = writer(part, options);
    writer.prepare(rows.number, &target(fields), registry)?;
    writer.encode(&rows)
}

fn payloads(encoded: &Encoded) -> Vec<Vec<u8>> {
    let ends = encoded.payloads.offsets.windows(2);
    ends.map(|ends| encoded.payloads.bytes[ends[0] as usize..ends[1] as usize].to_vec())
        .collect()
}

/// Columns that datums of a schema become.
fn columns(text: &str, datums: &[Vec<u8>]) -> (Vec<Field>, RowBatch) {
    let registry = Registry::of(text);
    let mut decoder = Decoder::default();
    let messages: Vec<_> = datums.iter().map(|datum| framed(1, datum)).collect();
    let mut decoded = decode(&mut decoder, &registry, &messages);
    assert!(decoded.errors.is_empty(), "{:?}", decoded.errors);
    let group = decoded.groups.remove(0);
    let fields = fields(&decoder, &group);
    let rows = RowBatch {
        number: 0,
        len: group.len,
        arrays: group.arrays,
    };
    (fields, rows)
}

fn case(seed: u64) -> (String, Schema, Vec<Vec<u8>>) {
    let mut random = Random::new(seed);
    let mut maker = SchemaMaker::new();
    let schema = match seed % 8 {
        0 => maker.any(&mut random, 3),
        _ => maker.record(&mut random, 4),
    };
    let text = schema.to_string();
    let schema = Schema::parse_str(&text).unwrap();
    let resolved = ResolvedSchema::try_from(&schema).unwrap();
    let names: HashMap<String, &Schema> = resolved
        .get_names()
        .iter()
        .map(|(name, schema)| (name.fullname(None), *schema))
        .collect();
    let count = 1 + seed % 20;
    let datums = (0..count)
        .map(|_| encode(&schema, value(&schema, &names, &mut random)))
        .collect();
    (text, schema, datums)
}

/// apache-avro reads in what was written the rows that it read in what they were made from.
#[test]
fn what_was_read_is_written_as_it_was() {
    let mut same_bytes = 0;
    for seed in 20_000..22_000 {
        let (text, schema, datums) = case(seed);
        let (fields, rows) = columns(&text, &datums);
        let options = serde_json::json!({ "framing": "raw", "schema": text }).to_string();
        let encoded = write(Part::Value, &options, &Subjects::default(), &fields, rows);
        let encoded = encoded.unwrap_or_else(|error| panic!("{seed}: {error:?}: {text}"));
        assert!(
            encoded.errors.is_empty(),
            "{seed}: {:?}: {text}",
            encoded.errors
        );
        let written = payloads(&encoded);
        assert_eq!(written.len(), datums.len());
        for (row, (written, datum)) in written.iter().zip(&datums).enumerate() {
            let is_null = encoded
                .validity
                .as_ref()
                .is_some_and(|bits| bits[row / 8] >> (row % 8) & 1 == 0);
            if is_null {
                assert!(!matches!(schema, Schema::Record(_)), "{seed}: {text}");
                continue;
            }
            same_bytes += usize::from(written == datum);
            assert_eq!(
                oracle::row(&schema, written),
                oracle::row(&schema, datum),
                "{seed}: {text}"
            );
        }
    }
    assert!(same_bytes > 10_000, "{same_bytes}");
}

/// Rows come back as they were from what was written by a schema made from their columns, and
/// apache-avro reads that too.
#[test]
fn a_schema_made_from_the_columns_holds_the_rows() {
    let mut compared = 0;
    for seed in 30_000..31_000 {
        let (text, _, datums) = case(seed);
        let (fields, rows) = columns(&text, &datums);
        let group = weir_guest::rows::RowGroup {
            schema: 0,
            len: rows.len,
            origin: weir_guest::rows::Origin::Identity,
            arrays: rows.arrays.clone(),
        };
        let expected = rows_of(&fields, &group);
        let derived = match AvroWriter::derive(&fields, "shop.Order", Part::Value) {
            Ok(derived) => derived,
            // Two branches of a union that have the same name in different namespaces.
            Err(error) => {
                assert!(error.contains("is not an Avro name"), "{seed}: {error}");
                continue;
            }
        };
        let encoded = write(
            Part::Value,
            r#"{"framing":"raw","record.name":"shop.Order"}"#,
            &Subjects::default(),
            &fields,
            rows,
        );
        let encoded = encoded.unwrap_or_else(|error| panic!("{seed}: {error:?}: {derived}"));
        assert!(
            encoded.errors.is_empty(),
            "{seed}: {:?}: {text}",
            encoded.errors
        );
        let schema = Schema::parse_str(&derived)
            .unwrap_or_else(|error| panic!("{seed}: {error}: {derived}"));
        let written = payloads(&encoded);
        for datum in &written {
            assert!(oracle::row(&schema, datum).is_some(), "{seed}: {derived}");
        }
        assert_eq!(
            support::decode_rows(&derived, &written),
            expected,
            "{seed}: {text} became {derived}"
        );
        compared += written.len();
    }
    assert!(compared > 5_000, "{compared}");
}

#[test]
fn recursive_values_come_back_from_their_text() {
    let text = r#"{"type":"record","name":"Node","fields":[
        {"name":"n","type":"long"},
        {"name":"raw","type":"bytes"},
        {"name":"next","type":["null","Node"]}]}"#;
    let schema = Schema::parse_str(text).unwrap();
    let datums = [
        vec![2, 2, 0xff, 0],
        vec![2, 0, 2, 4, 4, 0, 0x80, 2, 6, 0, 0],
    ];
    let (fields, rows) = columns(text, &datums);
    let options = serde_json::json!({ "framing": "raw", "schema": text }).to_string();
    let encoded = write(Part::Value, &options, &Subjects::default(), &fields, rows).unwrap();
    assert_eq!(payloads(&encoded), datums);
    assert!(oracle::row(&schema, &datums[1]).is_some());
}

fn field(name: &str, format: &str, nullable: bool) -> Field {
    Field {
        name: name.to_owned(),
        format: format.to_owned(),
        nullable,
        metadata: Vec::new(),
        children: 0,
    }
}

fn array(len: u32, values: Vec<u8>) -> Array {
    Array {
        len,
        null_count: 0,
        buffers: vec![Vec::new(), values],
    }
}

fn longs(values: &[i64]) -> RowBatch {
    let len = u32::try_from(values.len()).unwrap();
    let values = values.iter().flat_map(|value| value.to_le_bytes());
    RowBatch {
        number: 0,
        len,
        arrays: vec![array(len, values.collect())],
    }
}

/// What a batch of longs comes to under a schema of one field, `n`.
fn as_type(format: &str, kind: &str, values: &[i64]) -> Result<Encoded, String> {
    let schema =
        format!(r#"{{"type":"record","name":"R","fields":[{{"name":"n","type":{kind}}}]}}"#);
    let options = serde_json::json!({ "framing": "raw", "schema": schema }).to_string();
    let fields = [field("n", format, false)];
    match write(
        Part::Value,
        &options,
        &Subjects::default(),
        &fields,
        longs(values),
    ) {
        Ok(encoded) => Ok(encoded),
        Err(BatchError::Failed(why) | BatchError::Unavailable(why)) => Err(why),
    }
}

#[test]
fn a_value_that_does_not_fit_is_an_error_of_its_row() {
    let encoded = as_type("l", r#""int""#, &[1, 1 << 31, -1]).unwrap();
    assert_eq!(encoded.payloads.bytes, [2, 1]);
    assert_eq!(encoded.errors.len(), 1);
    assert_eq!(encoded.errors[0].row, 1);
    assert_eq!(
        encoded.errors[0].reason,
        "column `n`: 2147483648 is out of the range of the schema's type"
    );
    let encoded = as_type("l", r#""double""#, &[5, (1 << 53) + 1]).unwrap();
    assert_eq!(encoded.payloads.bytes, 5.0_f64.to_le_bytes());
    assert!(encoded.errors[0].reason.contains("would lose digits"));
    let nanos = r#"{"type":"long","logicalType":"timestamp-micros"}"#;
    let encoded = as_type("tsn:UTC", nanos, &[3_000, 3_001]).unwrap();
    assert_eq!(encoded.payloads.bytes, [6]);
    assert_eq!(encoded.errors[0].row, 1);
}

#[test]
fn columns_that_do_not_fit_are_refused_before_anything_is_written() {
    for (format, kind, why) in [
        (
            "l",
            r#""string""#,
            "column `n` (Arrow format `l`) cannot be written as string",
        ),
        (
            "tsm:",
            r#"{"type":"long","logicalType":"timestamp-millis"}"#,
            "`tsm:`",
        ),
        ("tsm:UTC", r#""long""#, "cannot be written as long"),
        (
            "l",
            r#"["null","string","boolean"]"#,
            "a union of null, string, boolean",
        ),
    ] {
        let error = as_type(format, kind, &[1]).err().unwrap();
        assert!(error.contains(why), "{error}");
    }
    let schema = r#"{"type":"record","name":"R","fields":[{"name":"m","type":"long"}]}"#;
    let options = serde_json::json!({ "framing": "raw", "schema": schema }).to_string();
    let fields = [field("n", "l", false)];
    let spare = write(
        Part::Value,
        &options,
        &Subjects::default(),
        &fields,
        longs(&[1]),
    );
    let Err(BatchError::Failed(why)) = spare else {
        panic!("{spare:?}")
    };
    assert!(
        why.contains("column `n` has no field in the record `R`"),
        "{why}"
    );
}

#[test]
fn a_field_without_a_column_is_its_default() {
    let schema = r#"{"type":"record","name":"R","fields":[
        {"name":"a","type":["null","string"],"default":null},
        {"name":"n","type":"long"},
        {"name":"b","type":"bytes","default":"\u00ff"},
        {"name":"c","type":{"type":"array","items":"int"},"default":[1,2]}]}"#;
    let options = serde_json::json!({ "framing": "raw", "schema": schema }).to_string();
    let fields = [field("n", "l", false)];
    let encoded = write(
        Part::Value,
        &options,
        &Subjects::default(),
        &fields,
        longs(&[21]),
    );
    assert_eq!(
        encoded.unwrap().payloads.bytes,
        [0, 42, 2, 0xff, 4, 2, 4, 0]
    );
}

#[test]
fn keys_are_the_value_of_their_column() {
    let fields = [field("id", "l", true)];
    let mut rows = longs(&[1, 2]);
    rows.arrays[0].null_count = 1;
    rows.arrays[0].buffers[0] = vec![0b10];
    let registry = Subjects::default();
    let encoded = write(Part::Key, "{}", &registry, &fields, rows).unwrap();
    assert_eq!(
        *registry.registered.borrow(),
        [("orders-key".to_owned(), r#""long""#.to_owned())]
    );
    assert_eq!(encoded.validity, Some(vec![0b1111_1110]));
    assert_eq!(encoded.payloads.bytes, [0, 0, 0, 0, 7, 4]);
}

#[test]
fn schemas_of_the_registry() {
    let text =
        r#"{"type":"record","name":"R","namespace":"shop","fields":[{"name":"n","type":"int"}]}"#;
    let latest = HashMap::from([("orders-value".to_owned(), (258, text.to_owned()))]);
    let registry = Subjects {
        latest,
        ..Subjects::default()
    };
    let fields = [field("n", "l", false)];
    let of = |options: &str| write(Part::Value, options, &registry, &fields, longs(&[3])).unwrap();
    let encoded = of(r#"{"use.latest.version":true}"#);
    assert_eq!(encoded.payloads.bytes, [0, 0, 0, 1, 2, 6]);
    let encoded = of(r#"{"schema.id":258}"#);
    assert_eq!(encoded.payloads.bytes, [0, 0, 0, 1, 2, 6]);
    let encoded = of(r#"{"use.latest.version":true,"framing":"header"}"#);
    assert_eq!(encoded.payloads.bytes, [6]);
    let headers = encoded.headers.unwrap();
    assert_eq!(headers.names.bytes, b"__value_schema_id");
    assert_eq!(
        headers.values.bytes,
        [1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2]
    );
    let given = serde_json::json!({ "schema": text, "subject.name.strategy": "record-name" });
    of(&given.to_string());
    assert_eq!(registry.registered.borrow()[0].0, "shop.R");
    let single = serde_json::json!({ "schema": text, "framing": "single-object" });
    let encoded = of(&single.to_string());
    assert_eq!(encoded.payloads.bytes[..2], [0xc3, 1]);
    assert_eq!(encoded.payloads.bytes.len(), 11);
}

#[test]
fn what_the_registry_refuses_stops_before_anything_is_written() {
    let refuses = Some(SchemaError::Refused("not compatible: field `n`".to_owned()));
    let registry = Subjects {
        refuses,
        ..Subjects::default()
    };
    let fields = [field("n", "l", false)];
    let refused = write(Part::Value, "{}", &registry, &fields, longs(&[3]));
    let Err(BatchError::Failed(why)) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(
        why,
        "the schema made from the columns, to be registered as `orders-value`: not compatible: \
         field `n`"
    );
    let registry = Subjects {
        refuses: Some(SchemaError::Unavailable("down".to_owned())),
        ..Subjects::default()
    };
    let down = write(Part::Value, "{}", &registry, &fields, longs(&[3]));
    assert!(matches!(down, Err(BatchError::Unavailable(_))));
}
