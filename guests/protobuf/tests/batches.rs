//! Whole batches: framing, indexes, several schemas and message types, bare messages.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use serde_json::json;
use support::{
    Registry, Wire, decode, errors, framed, framed_with, origins, payloads, rows, rows_of, schema,
};
use weir_guest::confluent::SchemaName;
use weir_guest::schemas::SchemaError;
use weir_guest::{BatchError, rows::Origin};
use weir_protobuf::{Decoder, ProtobufFormat, RawDecoder, TimeUnit};

const TEXT: &str = r#"syntax = "proto3"; package p;
message A { int32 a = 1; message C { message D { string d = 1; } string c = 1; } message E { bool e = 1; } }
message B { int64 b = 1; }"#;

#[test]
fn indexes_choose_the_message() {
    let (registry, mut decoder) = (Registry::of(TEXT), Decoder::default());
    let messages = [
        framed_with(1, &[0], &[8, 1]),
        framed_with(1, &[2, 2], &[8, 2]),
        None,
        framed_with(1, &[2, 0], &[8, 3]),
        framed_with(1, &[4, 0, 2], &[8, 1]),
        framed_with(1, &[6, 0, 0, 0], &[10, 1, b'd']),
        framed_with(1, &[2, 2], &[8, 4]),
        framed_with(1, &[4, 0, 0], &[]),
    ];
    for _ in 0..2 {
        let decoded = decode(&mut decoder, &registry, &messages);
        assert_eq!(errors(&decoded), []);
        let expected = [
            (0, json!({"a": 1})),
            (1, json!({"b": 2})),
            (3, json!({"a": 3})),
            (4, json!({"e": true})),
            (5, json!({"d": "d"})),
            (6, json!({"b": 4})),
            (7, json!({"c": ""})),
        ];
        assert_eq!(rows(&decoder, &decoded), expected);
        // Each type has a number of its own.
        let mut numbers: Vec<_> = decoded.groups.iter().map(|group| group.schema).collect();
        numbers.dedup();
        assert_eq!(numbers.len(), 5);
        assert_eq!(origins(&decoded.groups[1]), [1, 6]);
    }
    assert_eq!(*registry.asked.borrow(), [1]);
}

#[test]
fn the_same_type_of_two_schemas_is_two_groups() {
    let mut registry = Registry::of(TEXT);
    registry.set(2, Ok(schema(TEXT, &[])));
    let mut decoder = Decoder::default();
    let messages = [
        framed(&[8, 1]),
        framed_with(2, &[0], &[8, 2]),
        framed(&[8, 3]),
    ];
    let decoded = decode(&mut decoder, &registry, &messages);
    assert_eq!(decoded.groups.len(), 2);
    assert_ne!(decoded.groups[0].schema, decoded.groups[1].schema);
    assert_eq!(origins(&decoded.groups[0]), [0, 2]);
}

#[test]
fn faults_of_framing_are_those_of_their_message() {
    let (registry, mut decoder) = (Registry::of(TEXT), Decoder::default());
    let messages = [
        framed(&[8, 1]),
        Some(vec![]),
        None,
        Some(vec![0, 0, 0, 1]),
        Some(vec![7; 9]),
        framed_with(1, &[], &[]),
        framed_with(1, &[2, 8], &[8, 1]),
        framed_with(1, &[2, 8], &[8, 1]),
        framed_with(1, &[4, 2, 0], &[8, 1]),
        framed_with(1, &[1], &[8, 1]),
        framed_with(1, &[2, 3], &[8, 1]),
        framed_with(9, &[0], &[8, 1]),
        framed(&[8, 2]),
    ];
    let decoded = decode(&mut decoder, &registry, &messages);
    let damaged = "the message indexes behind the schema id are damaged";
    let expected = [
        (1, "0 bytes are too few for the Confluent wire format, which starts with a zero byte and a 4-byte schema id".to_owned()),
        (3, "4 bytes are too few for the Confluent wire format, which starts with a zero byte and a 4-byte schema id".to_owned()),
        (4, "the first byte is 0x07, not the zero byte of the Confluent wire format".to_owned()),
        (5, format!("{damaged}: the message ends in the middle of a value")),
        (6, "the message indexes [4] lead to no message of schema id 1".to_owned()),
        (7, "the message indexes [4] lead to no message of schema id 1".to_owned()),
        (8, "the message indexes [1, 0] lead to no message of schema id 1".to_owned()),
        (9, format!("{damaged}: there cannot be -1")),
        (10, format!("{damaged}: -2 is no index")),
        (11, "schema id 9 not found: no such schema".to_owned()),
    ];
    assert_eq!(errors(&decoded), expected);
    assert_eq!(
        rows(&decoder, &decoded),
        [(0, json!({"a": 1})), (12, json!({"a": 2}))]
    );
}

#[test]
fn the_origin_is_identity_only_when_every_message_is_a_row() {
    let (registry, mut decoder) = (Registry::of(TEXT), Decoder::default());
    let all = vec![framed(&[8, 1]); 700];
    let decoded = decode(&mut decoder, &registry, &all);
    assert!(matches!(decoded.groups[0].origin, Origin::Identity));
    assert_eq!(decoded.groups[0].len, 700);
    let with_null = [framed(&[8, 1]), None, framed(&[8, 1])];
    let decoded = decode(&mut decoder, &registry, &with_null);
    assert_eq!(origins(&decoded.groups[0]), [0, 2]);
    let decoded = decode(&mut decoder, &registry, &[None, None]);
    assert!(decoded.groups.is_empty() && decoded.errors.is_empty());
}

#[test]
fn an_unavailable_schema_fails_the_batch_and_leaves_nothing() {
    let (mut registry, mut decoder) = (Registry::of(TEXT), Decoder::default());
    registry.set(
        2,
        Err(SchemaError::Unavailable("connection refused".into())),
    );
    let messages = payloads(&[framed(&[8, 1]), framed_with(2, &[0], &[])]);
    let Err(BatchError::Unavailable(why)) = decoder.decode(&messages, &registry) else {
        panic!()
    };
    assert_eq!(why, "schema id 2: connection refused");
    let decoded = decode(&mut decoder, &registry, &[framed(&[8, 4])]);
    assert_eq!(rows(&decoder, &decoded), [(0, json!({"a": 4}))]);
}

#[test]
fn the_option_message_wins_over_indexes() {
    let format = |name: &str| ProtobufFormat::new(Some(name.into()), TimeUnit::default(), false);
    let registry = Registry::of(TEXT);
    let mut decoder = Decoder::new(format("p.B"));
    let messages = [framed(&[8, 1]), framed_with(1, &[4, 0, 0], &[8, 2])];
    let decoded = decode(&mut decoder, &registry, &messages);
    assert_eq!(
        rows(&decoder, &decoded),
        [(0, json!({"b": 1})), (1, json!({"b": 2}))]
    );
    let decoded = decode(&mut Decoder::new(format("p.X")), &registry, &messages);
    assert_eq!(
        errors(&decoded)[0].1,
        "schema id 1 cannot be used: it has no message `p.X`; it has `p.A`, `p.B`"
    );
}

#[test]
fn bare_messages_have_the_schema_of_the_options() {
    let format = |name: Option<&str>| {
        ProtobufFormat::new(name.map(str::to_owned), TimeUnit::default(), true)
    };
    let mut registry = Registry::of(TEXT);
    registry.set(2, Ok(schema("message M { optional int32 m = 1; }", &[])));
    let messages = payloads(&[Some(vec![8, 1]), None, Some(vec![8]), Some(vec![])]);
    let rendered = |decoder: &RawDecoder, decoded: &weir_guest::Decoded| {
        let group = &decoded.groups[0];
        let fields = decoder.schema(group.schema).unwrap();
        (origins(group), rows_of(fields, group))
    };

    let mut decoder = RawDecoder::new(format(None), SchemaName::Id(2));
    for _ in 0..2 {
        let decoded = decoder.decode(&messages, &registry).unwrap();
        let expected = (vec![0, 3], vec![json!({"m": 1}), json!({"m": null})]);
        assert_eq!(rendered(&decoder, &decoded), expected);
        assert_eq!(
            errors(&decoded),
            [(
                2,
                "field `m`, byte 1: the message ends in the middle of a value".to_owned()
            )]
        );
    }
    assert_eq!(*registry.asked.borrow(), [2]);

    let mut decoder = RawDecoder::new(format(None), SchemaName::Id(1));
    let decoded = decoder.decode(&messages, &registry).unwrap();
    let why = "schema id 1 cannot be used: it has several messages, so the option `message` has to name one of `p.A`, `p.B`";
    assert_eq!(errors(&decoded), [0, 2, 3].map(|row| (row, why.to_owned())));

    // The latest of a subject may be another one with the next batch.
    let name = SchemaName::Subject("s".to_owned());
    let mut decoder = RawDecoder::new(format(Some("p.B")), name);
    let decoded = decoder.decode(&messages, &registry).unwrap();
    assert_eq!(
        errors(&decoded)[0].1,
        "the schema of `s` not found: no such subject"
    );
    registry
        .subjects
        .borrow_mut()
        .insert("s".to_owned(), schema(TEXT, &[]));
    let first = decoder.decode(&messages, &registry).unwrap();
    assert_eq!(
        rendered(&decoder, &first).1,
        [json!({"b": 1}), json!({"b": 0})]
    );
    let again = decoder.decode(&messages, &registry).unwrap();
    assert_eq!(again.groups[0].schema, first.groups[0].schema);
    let other = TEXT.replace("int64 b", "optional int64 c");
    registry
        .subjects
        .borrow_mut()
        .insert("s".to_owned(), schema(&other, &[]));
    let after = decoder.decode(&messages, &registry).unwrap();
    assert_ne!(after.groups[0].schema, first.groups[0].schema);
    assert_eq!(
        rendered(&decoder, &after).1,
        [json!({"c": 1}), json!({"c": null})]
    );
}

#[test]
fn messages_without_fields_are_rows() {
    let registry = Registry::of(r#"syntax = "proto3"; message Nothing {}"#);
    let mut decoder = Decoder::default();
    let unknown = Wire::default().varint(5, 1);
    let decoded = decode(&mut decoder, &registry, &[framed(&[]), framed(&unknown.0)]);
    assert_eq!(rows(&decoder, &decoded), [(0, json!({})), (1, json!({}))]);
}
