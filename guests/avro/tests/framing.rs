//! Messages that name their schema elsewhere than in a prefix.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::cell::RefCell;

use serde_json::{Value as Json, json};
use support::{fields, framed, origins, rows_of};
use weir_avro::Decoder;
use weir_guest::confluent::{Framing, Guid, MAX_SCHEMAS, SchemaKey, SchemaLookup};
use weir_guest::sample::Message;
use weir_guest::schemas::{Schema, SchemaError, SchemaType};
use weir_guest::{Batch, BatchError, Decoded, Sample};

const HEADER: &str = "__value_schema_id";

/// A record whose one field has the name of the key that it was asked by.
#[derive(Default)]
struct ByKey {
    asked: RefCell<Vec<SchemaKey>>,
}

impl SchemaLookup for ByKey {
    fn by_id(&self, id: u32) -> Result<Schema, SchemaError> {
        self.by_key(&SchemaKey::Id(id))
    }

    fn by_key(&self, key: &SchemaKey) -> Result<Schema, SchemaError> {
        self.asked.borrow_mut().push(key.clone());
        let name = match key {
            SchemaKey::Id(404) => return Err(SchemaError::NotFound("no".to_owned())),
            SchemaKey::Id(503) => return Err(SchemaError::Unavailable("down".to_owned())),
            SchemaKey::Id(id) => format!("id_{id}"),
            SchemaKey::Guid(Guid([9, ..])) => return Err(SchemaError::NotFound("no".to_owned())),
            SchemaKey::Guid(guid) => format!("guid_{}", guid.0[0]),
            SchemaKey::Fingerprint(fingerprint) => format!("fingerprint_{fingerprint:x}"),
            SchemaKey::Subject(subject) => format!("subject_{subject}"),
        };
        let text = format!(
            r#"{{"type":"record","name":"R","fields":[{{"name":"{name}","type":"string"}}]}}"#
        );
        Ok(Schema {
            schema_type: SchemaType::Avro,
            text,
            references: Vec::new(),
        })
    }
}

fn guid(first: u8) -> Vec<u8> {
    [&[1, first][..], &[7; 15]].concat()
}

fn message(value: Option<&[u8]>, headers: &[(&str, Option<&[u8]>)]) -> Message {
    Message {
        value: value.map(<[u8]>::to_vec),
        headers: headers
            .iter()
            .map(|(name, value)| (name.as_bytes().to_vec(), value.map(<[u8]>::to_vec)))
            .collect(),
        ..Message::default()
    }
}

fn sample(messages: Vec<Message>) -> Sample {
    Sample {
        topic: "t".to_owned(),
        partition: 0,
        messages,
    }
}

fn rows(decoder: &Decoder, decoded: &Decoded) -> Vec<(u32, Json)> {
    let mut rows = Vec::new();
    for group in &decoded.groups {
        rows.extend(
            origins(group)
                .into_iter()
                .zip(rows_of(&fields(decoder, group), group)),
        );
    }
    rows.sort_by_key(|(row, _)| *row);
    rows
}

fn errors(decoded: &Decoded) -> Vec<(u32, &str)> {
    let errors = decoded.errors.iter();
    errors
        .map(|error| (error.row, error.reason.as_str()))
        .collect()
}

/// Rows and reasons, each with the number of its message.
type Outcome = (Vec<(u32, Json)>, Vec<(u32, String)>);

fn decode(batch: &Batch<'_>, framing: &Framing) -> Outcome {
    let mut decoder = Decoder::default();
    let decoded = decoder
        .decode_framed(batch, framing, &ByKey::default())
        .unwrap();
    let reasons = errors(&decoded)
        .into_iter()
        .map(|(row, why)| (row, why.to_owned()));
    (rows(&decoder, &decoded), reasons.collect())
}

const A: &[u8] = &[2, b'a'];
const B: &[u8] = &[2, b'b'];

#[test]
fn the_header_goes_before_the_prefix() {
    let (one, two) = (guid(1), guid(2));
    let prefixed = framed(5, B).unwrap();
    let batch = sample(vec![
        message(Some(A), &[("trace", Some(b"x")), (HEADER, Some(&one))]),
        message(Some(&prefixed), &[]),
        message(None, &[(HEADER, Some(&one))]),
        // The last one counts, as for Confluent's clients; a null one is none.
        message(Some(B), &[(HEADER, Some(&one)), (HEADER, Some(&two))]),
        message(Some(&prefixed), &[(HEADER, None)]),
        // An id may be in the header too.
        message(Some(A), &[(HEADER, Some(&[0, 0, 0, 0, 5]))]),
        // That of the key says nothing of the value.
        message(Some(&prefixed), &[("__key_schema_id", Some(&one))]),
    ]);
    let (rows, errors) = decode(&batch.batch(), &Framing::Auto);
    assert_eq!(
        rows,
        [
            (0, json!({ "guid_1": "a" })),
            (1, json!({ "id_5": "b" })),
            (3, json!({ "guid_2": "b" })),
            (4, json!({ "id_5": "b" })),
            (5, json!({ "id_5": "a" })),
            (6, json!({ "id_5": "b" })),
        ]
    );
    assert_eq!(errors, []);
}

#[test]
fn a_key_has_a_header_of_its_own() {
    let mut batch = sample(vec![message(None, &[("__key_schema_id", Some(&guid(3)))])]);
    batch.messages[0].key = Some(A.to_vec());
    let (rows, errors) = decode(&batch.key_batch(), &Framing::Auto);
    assert_eq!(
        (rows, errors),
        (vec![(0, json!({ "guid_3": "a" }))], vec![])
    );
}

#[test]
fn a_header_that_says_nothing_is_the_fault_of_its_message() {
    let long = [&guid(1)[..], &[0]].concat();
    let batch = sample(vec![
        message(Some(A), &[(HEADER, Some(b""))]),
        message(Some(A), &[(HEADER, Some(&long))]),
        message(Some(A), &[(HEADER, Some(&guid(1)))]),
        message(Some(A), &[(HEADER, Some(&guid(9)))]),
        message(Some(&[2, b'a', 0]), &[(HEADER, Some(&guid(1)))]),
        message(Some(A), &[]),
    ]);
    let (rows, errors) = decode(&batch.batch(), &Framing::Auto);
    assert_eq!(rows, [(2, json!({ "guid_1": "a" }))]);
    let expected = [
        (0, "its header `__value_schema_id` is empty"),
        (
            1,
            "its header `__value_schema_id` has 18 bytes and starts with 0x01; it should be 0x01 \
             and 16 bytes of a GUID",
        ),
        (
            3,
            "schema 09070707-0707-0707-0707-070707070707 not found: no",
        ),
        (4, "byte 2: 1 bytes are left over"),
        (
            5,
            "2 bytes are too few for the Confluent wire format, which starts with a zero byte and \
             a 4-byte schema id",
        ),
    ];
    for ((row, why), (expected_row, expected)) in errors.iter().zip(expected) {
        assert_eq!(*row, expected_row);
        if *row != 4 {
            assert_eq!(why, expected);
        }
    }
    assert_eq!(errors.len(), expected.len());

    let (rows, errors) = decode(&batch.batch(), &Framing::Header);
    assert_eq!(rows.len(), 1);
    assert_eq!(errors[4].1, "it has no header `__value_schema_id`");
}

#[test]
fn a_fixed_prefix_does_not_look_at_headers() {
    let prefixed = framed(5, A).unwrap();
    let batch = sample(vec![message(Some(&prefixed), &[(HEADER, Some(&guid(1)))])]);
    let (rows, _) = decode(&batch.batch(), &Framing::Prefix);
    assert_eq!(rows, [(0, json!({ "id_5": "a" }))]);
}

#[test]
fn raw_messages_have_one_schema() {
    let batch = sample(vec![
        message(Some(A), &[]),
        message(None, &[]),
        message(Some(B), &[]),
    ]);
    for (schema, field) in [
        (SchemaKey::Subject("s".to_owned()), "subject_s"),
        (SchemaKey::Id(7), "id_7"),
    ] {
        let indexes = Vec::new();
        let (rows, errors) = decode(&batch.batch(), &Framing::Raw { schema, indexes });
        assert_eq!(
            rows,
            [(0, json!({ field: "a" })), (2, json!({ field: "b" }))]
        );
        assert_eq!(errors, []);
    }
}

#[test]
fn single_objects_have_a_fingerprint() {
    let single = [&[0xc3, 1, 0xef, 0xcd, 0xab, 0, 0, 0, 0, 0][..], A].concat();
    let batch = sample(vec![message(Some(&single), &[]), message(Some(A), &[])]);
    let (rows, errors) = decode(&batch.batch(), &Framing::SingleObject);
    assert_eq!(rows, [(0, json!({ "fingerprint_abcdef": "a" }))]);
    assert_eq!(errors.len(), 1);
    assert!(errors[0].1.contains("C3 01"));
}

#[test]
fn schemas_are_asked_for_once_and_a_failure_leaves_nothing() {
    let lookup = ByKey::default();
    let mut decoder = Decoder::default();
    let headers = |first: u8| message(Some(A), &[(HEADER, Some(&guid(first)))]);
    let batch = sample(vec![
        headers(1),
        headers(2),
        headers(9),
        headers(1),
        headers(9),
    ]);
    for _ in 0..2 {
        let decoded = decoder
            .decode_framed(&batch.batch(), &Framing::Auto, &lookup)
            .unwrap();
        assert_eq!(errors(&decoded).len(), 2);
    }
    // What is not there is asked for again with each batch, what is there never.
    assert_eq!(lookup.asked.borrow().len(), 4);

    let unavailable = sample(vec![
        headers(3),
        message(Some(A), &[(HEADER, Some(&[0, 0, 0, 1, 247]))]),
    ]);
    let stop = decoder.decode_framed(&unavailable.batch(), &Framing::Auto, &lookup);
    assert!(matches!(stop, Err(BatchError::Unavailable(_))));
    let good = sample(vec![headers(3)]);
    let decoded = decoder
        .decode_framed(&good.batch(), &Framing::Auto, &lookup)
        .unwrap();
    assert_eq!(rows(&decoder, &decoded), [(0, json!({ "guid_3": "a" }))]);
}

#[test]
fn ids_beside_the_decoders_own_numbers_keep_their_meaning() {
    let lookup = ByKey::default();
    let mut decoder = Decoder::default();
    let own = message(Some(A), &[(HEADER, Some(&guid(1)))]);
    let huge = framed(u32::MAX, B).unwrap();
    let mixed = sample(vec![own, message(Some(&huge), &[])]);
    let decoded = decoder
        .decode_framed(&mixed.batch(), &Framing::Auto, &lookup)
        .unwrap();
    assert_eq!(
        rows(&decoder, &decoded),
        [
            (0, json!({ "guid_1": "a" })),
            (1, json!({ "id_4294967295": "b" }))
        ]
    );
    let alone = sample(vec![message(Some(&huge), &[])]);
    let decoded = decoder
        .decode_framed(&alone.batch(), &Framing::Auto, &lookup)
        .unwrap();
    assert!(decoded.groups.is_empty(), "never by the schema of a GUID");
    assert!(errors(&decoded)[0].1.contains("4294967295"));
}

#[test]
fn more_schemas_than_are_kept_in_one_batch() {
    let lookup = ByKey::default();
    let mut decoder = Decoder::default();
    let headers: Vec<Vec<u8>> = (0..MAX_SCHEMAS + 200)
        .map(|n| {
            let [high, low] = u16::try_from(n).unwrap().to_be_bytes();
            [&[1, 1, high, low][..], &[7; 13]].concat()
        })
        .collect();
    let messages = headers
        .iter()
        .map(|header| message(Some(A), &[(HEADER, Some(header))]));
    let batch = sample(messages.collect());
    for _ in 0..3 {
        let decoded = decoder
            .decode_framed(&batch.batch(), &Framing::Auto, &lookup)
            .unwrap();
        assert_eq!(errors(&decoded), []);
        assert_eq!(rows(&decoder, &decoded).len(), MAX_SCHEMAS + 200);
    }
}
