//! Whole batches: framing, several schemas, failures among good records.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use serde_json::{Value as Json, json};
use support::{Registry, decode, fields, framed, origins, reason, rows_of};
use weir_avro::{Decoder, MAX_EMPTY_ITEMS};
use weir_guest::{BatchError, Decoded, confluent::MAX_SCHEMAS, rows::Origin, schemas};

const TEXT: &str = r#"{"type":"record","name":"R","fields":[{"name":"n","type":"int"},{"name":"s","type":"string"}]}"#;

fn errors(decoded: &Decoded) -> Vec<(u32, &str)> {
    decoded
        .errors
        .iter()
        .map(|error| (error.row, error.reason.as_str()))
        .collect()
}

fn rows(decoder: &Decoder, decoded: &Decoded) -> Vec<(Vec<u32>, Vec<Json>)> {
    let groups = decoded.groups.iter();
    groups
        .map(|group| (origins(group), rows_of(&fields(decoder, group), group)))
        .collect()
}

#[test]
fn no_messages_and_only_tombstones() {
    let (registry, mut decoder) = (Registry::of(TEXT), Decoder::default());
    for messages in [vec![], vec![None, None]] {
        let decoded = decode(&mut decoder, &registry, &messages);
        assert!(decoded.groups.is_empty() && decoded.errors.is_empty());
    }
    assert!(registry.asked.borrow().is_empty());
}

#[test]
fn faults_of_framing_are_those_of_their_message() {
    let (registry, mut decoder) = (Registry::of(TEXT), Decoder::default());
    let good = || framed(1, &[2, 2, b'a']);
    let messages = [
        good(),
        Some(vec![]),
        None,
        Some(vec![0, 0, 0, 1]),
        Some(vec![7; 9]),
        good(),
    ];
    let decoded = decode(&mut decoder, &registry, &messages);
    let format = "the Confluent wire format";
    let expected = [
        (
            1,
            format!(
                "0 bytes are too few for {format}, which starts with a zero byte and a 4-byte schema id"
            ),
        ),
        (
            3,
            format!(
                "4 bytes are too few for {format}, which starts with a zero byte and a 4-byte schema id"
            ),
        ),
        (
            4,
            format!("the first byte is 0x07, not the zero byte of {format}"),
        ),
    ];
    let expected: Vec<_> = expected
        .iter()
        .map(|(row, reason)| (*row, reason.as_str()))
        .collect();
    assert_eq!(errors(&decoded), expected);
    let row = json!({ "n": 1, "s": "a" });
    assert_eq!(
        rows(&decoder, &decoded),
        [(vec![0, 5], vec![row.clone(), row])]
    );
}

#[test]
fn each_schema_has_its_group() {
    let (mut registry, mut decoder) = (Registry::of(TEXT), Decoder::default());
    registry.add(70_000, r#""long""#);
    let messages = [
        framed(70_000, &[2]),
        framed(1, &[2, 0]),
        None,
        framed(70_000, &[4]),
        framed(1, &[4, 0]),
        framed(1, &[]),
        framed(70_000, &[6]),
    ];
    for _ in 0..3 {
        let decoded = decode(&mut decoder, &registry, &messages);
        let expected = [
            (
                vec![0, 3, 6],
                [1, 2, 3].map(|n| json!({ "value": n })).to_vec(),
            ),
            (
                vec![1, 4],
                [1, 2].map(|n| json!({ "n": n, "s": "" })).to_vec(),
            ),
        ];
        assert_eq!(rows(&decoder, &decoded), expected);
        let ids: Vec<_> = decoded.groups.iter().map(|group| group.schema).collect();
        assert_eq!(ids, [70_000, 1]);
        assert_eq!(
            errors(&decoded),
            [(
                5,
                "field `n`, byte 0: the record ends in the middle of a value"
            )]
        );
    }
    assert_eq!(*registry.asked.borrow(), [70_000, 1]);
}

#[test]
fn the_origin_is_identity_only_when_every_message_is_a_row() {
    let (registry, mut decoder) = (Registry::of(TEXT), Decoder::default());
    let good = || framed(1, &[2, 0]);
    let decoded = decode(&mut decoder, &registry, &[good(), good()]);
    assert!(matches!(decoded.groups[0].origin, Origin::Identity));
    for (messages, expected) in [
        (vec![good(), good(), None], vec![0, 1]),
        (vec![good(), framed(1, &[]), good()], vec![0, 2]),
        (vec![good(), framed(1, &[])], vec![0]),
    ] {
        let decoded = decode(&mut decoder, &registry, &messages);
        assert!(
            matches!(&decoded.groups[0].origin, Origin::Messages(messages) if *messages == expected)
        );
    }
}

#[test]
fn schemas_that_cannot_be_had() {
    let (mut registry, mut decoder) = (Registry::of(TEXT), Decoder::default());
    registry.set(2, Err(schemas::SchemaError::Refused("401".into())));
    registry.add(3, "{}");
    registry.add(
        4,
        r#"{"type":"bytes","logicalType":"decimal","precision":77}"#,
    );
    let messages = [
        framed(2, &[]),
        framed(5, &[]),
        framed(3, &[]),
        framed(1, &[0, 0]),
        framed(5, &[]),
        framed(4, &[]),
    ];
    let decoded = decode(&mut decoder, &registry, &messages);
    let found = errors(&decoded);
    assert_eq!(found[0], (0, "schema id 2 refused: 401"));
    assert_eq!(found[1], (1, "schema id 5 not found: no such schema"));
    assert!(
        found[2].0 == 2 && found[2].1.starts_with("schema id 3 cannot be used: "),
        "{found:?}"
    );
    assert_eq!(found[3], (4, "schema id 5 not found: no such schema"));
    assert!(
        found[4]
            .1
            .starts_with("schema id 4 cannot be used: decimal field")
    );
    assert_eq!(rows(&decoder, &decoded)[0].0, [3]);
    // What is missing is asked for once a batch, and again in the next.
    assert_eq!(*registry.asked.borrow(), [2, 5, 3, 1, 4]);
    registry.add(5, r#""long""#);
    let decoded = decode(&mut decoder, &registry, &messages[4..5]);
    assert_eq!(
        decoded.errors[0].reason,
        "field `value`, byte 0: the record ends in the middle of a value"
    );
}

#[test]
fn an_unavailable_schema_fails_the_batch_and_leaves_nothing() {
    let (mut registry, mut decoder) = (Registry::of(TEXT), Decoder::default());
    registry.set(
        2,
        Err(schemas::SchemaError::Unavailable(
            "connection refused".into(),
        )),
    );
    let bytes = [&framed(1, &[2, 0]).unwrap()[..], &framed(2, &[]).unwrap()].concat();
    let result = decoder.decode_batch(&[0, 7, 12], &bytes, None, &registry);
    let Err(BatchError::Unavailable(why)) = result else {
        panic!()
    };
    assert_eq!(why, "schema id 2: connection refused");
    let decoded = decode(&mut decoder, &registry, &[framed(1, &[4, 0])]);
    assert_eq!(
        rows(&decoder, &decoded),
        [(vec![0], vec![json!({ "n": 2, "s": "" })])]
    );
}

#[test]
fn invalid_text_fails_its_record_only() {
    let text = r#"{"type":"record","name":"R","fields":[
        {"name":"l","type":{"type":"array","items":{"type":"map","values":["null","string"]}}},
        {"name":"s","type":["null","string"]}, {"name":"b","type":"bytes"}]}"#;
    let (registry, mut decoder) = (Registry::of(text), Decoder::default());
    let record = |key: u8, value: u8, last: [u8; 2]| {
        framed(
            1,
            &[
                2, 2, 2, key, 2, 2, value, 0, 0, 2, 4, last[0], last[1], 2, 0xff,
            ],
        )
    };
    let good = || record(b'k', b'v', [0xc3, 0xa4]);
    // The last two would be valid together.
    let messages = [
        good(),
        record(0xff, b'v', *b"xx"),
        record(b'k', 0x80, *b"xx"),
        framed(1, &[0xff]),
        good(),
        record(b'k', b'v', [b'x', 0xc3]),
        record(b'k', b'v', [0xa4, b'x']),
        good(),
    ];
    let decoded = decode(&mut decoder, &registry, &messages);
    let expected = [
        (
            1,
            "field `l.item.entries.key`, byte 4: a string is not valid UTF-8",
        ),
        (
            2,
            "field `l.item.entries.value`, byte 7: a string is not valid UTF-8",
        ),
        (
            3,
            "field `l`, byte 0: the record ends in the middle of a value",
        ),
        (5, "field `s`, byte 13: a string is not valid UTF-8"),
        (6, "field `s`, byte 13: a string is not valid UTF-8"),
    ];
    assert_eq!(errors(&decoded), expected);
    let row = json!({ "l": [[["k", "v"]]], "s": "ä", "b": { "hex": "ff" } });
    assert_eq!(rows(&decoder, &decoded), [(vec![0, 4, 7], vec![row; 3])]);
    // bytes need not be text, and the next batch starts anew.
    let decoded = decode(&mut decoder, &registry, &[good()]);
    assert!(decoded.errors.is_empty());
}

#[test]
fn every_kind_of_fault_has_its_reason() {
    let record = |kind: &str| {
        format!(
            r#"{{"type":"record","name":"R","fields":[{{"name":"a","type":"int"}},{{"name":"f","type":{kind}}}]}}"#
        )
    };
    let symbols = r#"{"type":"enum","name":"E","symbols":["A"]}"#;
    let array = r#"{"type":"array","items":"long"}"#;
    let nulls = r#"{"type":"array","items":"null"}"#;
    let over = |bits: usize| [vec![0xff; bits / 7], vec![0x7f]].concat();
    for (kind, datum, at, expected) in [
        (r#""boolean""#, vec![2], 2, "a boolean is neither 0 nor 1"),
        (
            r#""int""#,
            vec![0x80, 0x80, 0x80, 0x80, 0x10],
            6,
            "an int does not fit in 32 bits",
        ),
        (r#""int""#, over(35), 7, "an int does not fit in 32 bits"),
        (
            r#""long""#,
            over(70),
            1,
            "a variable-length integer has more than 64 bits",
        ),
        (
            r#""long""#,
            vec![0x80; 20],
            1,
            "a variable-length integer has more than 64 bits",
        ),
        (
            r#""double""#,
            vec![0; 7],
            1,
            "the record ends in the middle of a value",
        ),
        (r#""string""#, vec![1], 2, "a length is negative"),
        (
            r#""string""#,
            vec![10, b'a'],
            2,
            "a length reaches beyond the end of the record",
        ),
        (
            r#""bytes""#,
            [vec![0xfe], over(49)].concat(),
            10,
            "a length reaches beyond the end of the record",
        ),
        (symbols, vec![2], 2, "an enum index is not in the schema"),
        (symbols, vec![1], 2, "an enum index is not in the schema"),
        (
            r#"["null","int"]"#,
            vec![4],
            2,
            "a union branch is not in the schema",
        ),
        (
            r#"["null","int"]"#,
            vec![1],
            2,
            "a union branch is not in the schema",
        ),
        (
            r#"["null","int","string"]"#,
            vec![6],
            2,
            "a union branch is not in the schema",
        ),
        (
            array,
            vec![200, 1, 0],
            3,
            "a length reaches beyond the end of the record",
        ),
        (
            array,
            vec![0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
            11,
            "a length reaches beyond the end of the record",
        ),
        (
            array,
            vec![0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0],
            12,
            "a length reaches beyond the end of the record",
        ),
        (array, vec![1, 3], 3, "a length is negative"),
        (
            array,
            vec![1, 4, 2],
            3,
            "a length reaches beyond the end of the record",
        ),
        (
            nulls,
            vec![0x82, 0x80, 8, 0],
            4,
            "more than 65536 array or map items without any bytes",
        ),
        (
            nulls,
            vec![0x80, 0x80, 8, 2, 0],
            5,
            "more than 65536 array or map items without any bytes",
        ),
    ] {
        let expected = format!("field `f`, byte {at}: {expected}");
        assert_eq!(
            reason(&record(kind), &[&[0], &datum[..]].concat()),
            expected,
            "{kind} {datum:?}"
        );
    }
    assert_eq!(
        reason(&record(r#""int""#), &[0, 0, 0]),
        "byte 2: there are bytes after the end of the record"
    );
    let most = support::decode_rows(&record(nulls), &[vec![0, 0x80, 0x80, 8, 0]]);
    assert_eq!(
        most[0]["f"].as_array().unwrap().len() as u64,
        MAX_EMPTY_ITEMS
    );
}

#[test]
fn plans_are_kept_within_a_bound_and_used_again() {
    let (mut registry, mut decoder) = (Registry::default(), Decoder::default());
    let most = u32::try_from(MAX_SCHEMAS).unwrap();
    for id in 0..most + 10 {
        registry.add(id, r#""long""#);
    }
    let messages: Vec<_> = (0..most + 10).map(|id| framed(id, &[2])).collect();
    let decoded = decode(&mut decoder, &registry, &messages);
    // The host may ask for every schema of the batch after it.
    assert!(
        decoded
            .groups
            .iter()
            .all(|group| decoder.schema(group.schema).is_some())
    );
    decode(&mut decoder, &registry, &messages[..1]);
    let known = (0..most + 10)
        .filter(|id| decoder.schema(*id).is_some())
        .count();
    assert!((MAX_SCHEMAS..=MAX_SCHEMAS + 1).contains(&known), "{known}");
    assert_eq!(
        decode(&mut decoder, &registry, &messages).groups.len(),
        MAX_SCHEMAS + 10
    );
}

#[test]
fn columns_of_messages_that_contradict_each_other_fail_the_batch() {
    let (registry, mut decoder) = (Registry::of(TEXT), Decoder::default());
    for (offsets, validity) in [
        (&[][..], None),
        (&[1, 2], None),
        (&[0, 3, 2], None),
        (&[0, 3], None),
        (&[0, 2], Some(&[][..])),
    ] {
        let result = decoder.decode_batch(offsets, &[0, 0], validity, &registry);
        assert!(matches!(result, Err(BatchError::Failed(_))), "{offsets:?}");
    }
}
