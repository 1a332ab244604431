//! Rows written as Protobuf: by the schema that they were read by, with prost-reflect as the
//! oracle, and by one made from the columns.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use serde_json::json;
use support::{
    OneSchema, Registry, decode, fields, file, framed,
    generate::{Maker, Random, message},
    oracle, rows_of,
};
use weir_guest::confluent::{WriteFormat, WriteOptions, Writer};
use weir_guest::rows::{Field, Origin, RowGroup};
use weir_guest::{BatchError, Encoded, Part, RowBatch, Target};
use weir_protobuf::{Decoder, write::ProtobufWriter};

fn write(options: &str, text: &str, fields: &[Field], rows: RowBatch) -> Result<Encoded, String> {
    let options = WriteOptions::parse(options)?;
    let mut writer = Writer::<ProtobufWriter>::open(Part::Value, options)?;
    let target = Target {
        topic: "orders".to_owned(),
        schema: fields.to_vec(),
    };
    writer
        .prepare(0, &target, &OneSchema(text.to_owned()))
        .and_then(|()| writer.encode(&rows))
        .map_err(|error| match error {
            BatchError::Failed(why) | BatchError::Unavailable(why) => why,
        })
}

fn payloads(encoded: &Encoded) -> Vec<Vec<u8>> {
    let ends = encoded.payloads.offsets.windows(2);
    ends.map(|ends| encoded.payloads.bytes[ends[0] as usize..ends[1] as usize].to_vec())
        .collect()
}

/// The columns of messages, and which of them have a row.
fn columns(text: &str, messages: &[Vec<u8>]) -> Option<(Vec<Field>, RowGroup)> {
    let framed: Vec<_> = messages.iter().map(|message| framed(message)).collect();
    let mut decoder = Decoder::default();
    let mut decoded = decode(&mut decoder, &Registry::of(text), &framed);
    let group = decoded.groups.pop()?;
    Some((fields(&decoder, &group), group))
}

fn batch(group: &RowGroup) -> RowBatch {
    RowBatch {
        number: 0,
        len: group.len,
        arrays: group.arrays.clone(),
    }
}

fn case(seed: u64) -> (String, Vec<Vec<u8>>) {
    let mut random = Random::new(seed);
    let text = Maker::file(&mut random);
    let descriptor = file(&text).message_at(&[0]).unwrap();
    let messages = (0..1 + seed % 20).map(|_| message(&descriptor, &mut random, 5).0);
    let messages = messages.collect();
    (text, messages)
}

#[test]
fn prost_reflect_reads_in_what_is_written_what_it_read_before() {
    let (mut compared, mut required) = (0, 0);
    for seed in 40_000..42_000 {
        let (text, messages) = case(seed);
        let descriptor = file(&text).message_at(&[0]).unwrap();
        let Some((fields, group)) = columns(&text, &messages) else {
            continue;
        };
        let options = json!({
            "framing": "raw", "use.latest.version": true, "record.name": descriptor.full_name(),
        });
        let encoded = write(&options.to_string(), &text, &fields, batch(&group))
            .unwrap_or_else(|why| panic!("{seed}: {why}: {text}"));
        let written = payloads(&encoded);
        for (row, message) in support::origins(&group).into_iter().enumerate() {
            let failed = encoded
                .errors
                .iter()
                .find(|error| error.row as usize == row);
            if let Some(error) = failed {
                assert!(
                    error.reason.contains("required"),
                    "{seed}: {}: {text}",
                    error.reason
                );
                required += 1;
                continue;
            }
            assert_eq!(
                oracle::row(&descriptor, &written[row]),
                oracle::row(&descriptor, &messages[message as usize]),
                "{seed}: {text}"
            );
            compared += 1;
        }
    }
    assert!(compared > 10_000, "{compared} and {required}");
}

#[test]
fn a_schema_made_from_the_columns_holds_the_rows() {
    let mut compared = 0;
    for seed in 50_000..51_500 {
        let (text, messages) = case(seed);
        let Some((fields, group)) = columns(&text, &messages) else {
            continue;
        };
        // Recursive values are text then, and names of extensions are no names of fields.
        let is_plain = |field: &Field| field.metadata.is_empty() && !field.name.starts_with('[');
        if !fields.iter().all(is_plain) {
            continue;
        }
        let derived = ProtobufWriter::derive(&fields, "shop.v1.Order", Part::Value)
            .unwrap_or_else(|why| panic!("{seed}: {why}: {text}"));
        let encoded = write(
            r#"{"framing":"raw","record.name":"shop.v1.Order"}"#,
            "",
            &fields,
            batch(&group),
        )
        .unwrap_or_else(|why| panic!("{seed}: {why}: {derived}"));
        assert!(
            encoded.errors.is_empty(),
            "{seed}: {:?}: {derived}",
            encoded.errors
        );
        let (back, back_group) =
            columns(&derived, &payloads(&encoded)).unwrap_or_else(|| panic!("{seed}: {derived}"));
        assert_eq!(
            rows_of(&back, &back_group),
            rows_of(&fields, &group),
            "{seed}: {text} became {derived}"
        );
        compared += group.len;
    }
    assert!(compared > 2_000, "{compared}");
}

const NESTED: &str = r#"syntax = "proto3"; package p;
    message A { int32 n = 1; }
    message B { message C { int64 n = 1; message D { optional int64 n = 2; oneof o { bool x = 3; bool y = 4; } } } }"#;

fn field(name: &str, format: &str, nullable: bool) -> Field {
    Field {
        name: name.to_owned(),
        format: format.to_owned(),
        nullable,
        metadata: Vec::new(),
        children: 0,
    }
}

fn longs(values: &[i64]) -> RowBatch {
    let bytes = values.iter().flat_map(|value| value.to_le_bytes());
    RowBatch {
        number: 0,
        len: u32::try_from(values.len()).unwrap(),
        arrays: vec![weir_guest::rows::Array {
            len: u32::try_from(values.len()).unwrap(),
            null_count: 0,
            buffers: vec![Vec::new(), bytes.collect()],
        }],
    }
}

#[test]
fn indexes_say_which_message_of_the_file_it_is() {
    let fields = [field("n", "l", false)];
    let of = |name: &str, framing: &str| {
        let options = json!({
            "use.latest.version": true, "record.name": name, "framing": framing,
        });
        write(&options.to_string(), NESTED, &fields, longs(&[5])).unwrap()
    };
    assert_eq!(of("p.A", "prefix").payloads.bytes, [0, 0, 0, 0, 7, 0, 8, 5]);
    assert_eq!(
        of("p.B.C.D", "prefix").payloads.bytes,
        [0, 0, 0, 0, 7, 6, 2, 0, 0, 16, 5]
    );
    let header = of("p.B.C", "header");
    assert_eq!(header.payloads.bytes, [8, 5]);
    let value = header.headers.unwrap().values.bytes;
    assert_eq!(
        value,
        [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 4, 2, 0]
    );
    let several = write(
        r#"{"use.latest.version":true}"#,
        NESTED,
        &fields,
        longs(&[5]),
    );
    let why = several.unwrap_err();
    assert!(
        why.contains("`record.name` has to name one of `p.A`, `p.B`"),
        "{why}"
    );
}

#[test]
fn what_does_not_fit_is_an_error_of_its_row() {
    let fields = [field("n", "l", false)];
    let options = r#"{"use.latest.version":true,"record.name":"p.A","framing":"raw"}"#;
    let encoded = write(options, NESTED, &fields, longs(&[0, 1 << 31, -1])).unwrap();
    assert_eq!(encoded.errors.len(), 1);
    assert_eq!(
        encoded.errors[0].reason,
        "column `n`: 2147483648 is out of the range of the field's type"
    );
    let expected = [
        &[][..],
        &[],
        &[8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1],
    ];
    assert_eq!(payloads(&encoded), expected, "a default is not written");
    let spare = [field("m", "l", false)];
    let why = write(options, NESTED, &spare, longs(&[0])).unwrap_err();
    assert!(
        why.contains("column `m` has no field in the message `p.A`"),
        "{why}"
    );
}

#[test]
fn long_messages_have_longer_lengths() {
    let text = r#"syntax = "proto3"; message M { message I { string s = 1; } I i = 1; }"#;
    for length in [0, 1, 100, 125, 126, 127, 128, 16_381, 16_384, 2_097_200] {
        let inner = support::Wire::default().bytes(1, "x".repeat(length));
        let message = support::Wire::default().bytes(1, inner).0;
        let (fields, group) = columns(text, std::slice::from_ref(&message)).unwrap();
        let options = r#"{"use.latest.version":true,"framing":"raw"}"#;
        let encoded = write(options, text, &fields, batch(&group)).unwrap();
        let written = payloads(&encoded).remove(0);
        if length == 0 {
            assert_eq!(written, [10, 0]);
        } else {
            assert_eq!(written, message, "{length}");
        }
        assert!(matches!(group.origin, Origin::Identity));
    }
}
