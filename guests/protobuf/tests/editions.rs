//! Files of an edition, as text and as descriptors that protoc made, with Google's protoc and
//! Python protobuf as the oracle.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use base64::Engine as _;
use serde_json::{Value as Json, json};
use support::{
    OneSchema, Registry, Wire, decode, errors, fields, file, framed,
    generate::{Maker, Random, message},
    outline,
    python::{answers, hex, unhex},
    row, rows, schema,
};
use weir_guest::confluent::{WriteOptions, Writer};
use weir_guest::{Part, RowBatch, Target};
use weir_protobuf::{Decoder, File, write::ProtobufWriter};

struct Case {
    text: String,
    messages: Vec<Vec<u8>>,
}

fn case(seed: u64) -> Case {
    let mut random = Random::with_plain_entries(seed);
    let text = Maker::edition(&mut random);
    let descriptor = file(&text).message_at(&[0]).unwrap();
    let messages = (0..12).map(|_| message(&descriptor, &mut random, 5).0);
    Case {
        messages: messages.collect(),
        text,
    }
}

/// A row and what was written of it, or why there is none.
type Outcome = Result<(Json, Option<Vec<u8>>), String>;

/// The bytes of a message, whatever the order of maps' entries and of extensions: that is nobody's.
fn bag(message: &[u8]) -> Vec<u8> {
    let mut bytes = message.to_vec();
    bytes.sort_unstable();
    bytes
}

/// Each message as a row, or the reason why it is none; and the rows written again.
fn outcomes(text: &str, messages: &[Vec<u8>]) -> Vec<Outcome> {
    let mut decoder = Decoder::default();
    let framed: Vec<_> = messages.iter().map(|message| framed(message)).collect();
    let decoded = decode(&mut decoder, &Registry::of(text), &framed);
    let mut all = vec![Err("no answer".to_owned()); messages.len()];
    for (message, row) in rows(&decoder, &decoded) {
        all[message as usize] = Ok((row, None));
    }
    for (message, reason) in errors(&decoded) {
        all[message as usize] = Err(reason);
    }
    for group in &decoded.groups {
        let options = WriteOptions::parse(r#"{"framing":"raw","schema.id":1}"#).unwrap();
        let mut writer = Writer::<ProtobufWriter>::open(Part::Value, options).unwrap();
        let target = Target {
            topic: "t".to_owned(),
            schema: fields(&decoder, group),
        };
        writer
            .prepare(0, &target, &OneSchema(text.to_owned()))
            .unwrap();
        let batch = RowBatch {
            number: 0,
            len: group.len,
            arrays: group.arrays.clone(),
        };
        let encoded = writer.encode(&batch).unwrap();
        let ends = &encoded.payloads.offsets;
        for (row, message) in support::origins(group).into_iter().enumerate() {
            let failed = encoded
                .errors
                .iter()
                .find(|error| error.row as usize == row);
            match (failed, &mut all[message as usize]) {
                (Some(error), _) => assert!(error.reason.contains("required"), "{error:?} {text}"),
                (None, Ok((_, written))) => {
                    let [start, end] = [ends[row], ends[row + 1]].map(|end| end as usize);
                    *written = Some(encoded.payloads.bytes[start..end].to_vec());
                }
                (None, Err(_)) => panic!("{message} is a row and an error"),
            }
        }
    }
    all
}

fn has_json(text: &str) -> bool {
    outline(text).iter().any(|line| line.contains("arrow.json"))
}

/// protoc compiles the same text, and Python reads what is read and what is written.
#[test]
fn files_are_what_google_s_protoc_and_python_make_of_them() {
    // Of a singular field whose last number a closed enum does not have, an earlier one stays; what
    // is shown as JSON is read by prost-reflect, which keeps only the last.
    let is_exact = |case: &Case| !(case.text.contains("CLOSED") && has_json(&case.text));
    let cases: Vec<Case> = (0..700).map(case).filter(is_exact).collect();
    let ours: Vec<_> = cases
        .iter()
        .map(|case| outcomes(&case.text, &case.messages))
        .collect();
    let tasks: Vec<Json> = cases
        .iter()
        .zip(&ours)
        .map(|(case, ours)| {
            let mut messages: Vec<String> =
                case.messages.iter().map(|message| hex(message)).collect();
            let written = ours
                .iter()
                .flatten()
                .filter_map(|(_, written)| written.as_ref());
            messages.extend(written.map(|message| hex(message)));
            json!({ "text": case.text, "message": "p.e.M1", "messages": messages })
        })
        .collect();
    let Some(answers) = answers("read_editions.py", &tasks) else {
        return;
    };
    let (mut equal, mut same_bytes) = (0, 0);
    for (seed, ((case, ours), answer)) in cases.iter().zip(&ours).zip(&answers).enumerate() {
        let descriptor = answer["file"].as_str().unwrap();
        let by_descriptor = outcomes(descriptor, &case.messages);
        let is_as = |(one, other): (&Outcome, &Outcome)| match (one, other) {
            (Ok((one, written)), Ok((other, as_other))) => {
                one == other && written.as_deref().map(bag) == as_other.as_deref().map(bag)
            }
            _ => one == other,
        };
        assert!(
            by_descriptor.iter().zip(ours).all(is_as),
            "{seed}: {}",
            case.text
        );

        let theirs = answer["rows"].as_array().unwrap();
        let mut theirs_written = theirs[case.messages.len()..].iter();
        for ((message, ours), theirs) in case.messages.iter().zip(ours).zip(theirs) {
            let shown = || format!("{seed}: {}\n{message:02x?}\n{theirs}", case.text);
            let Ok((row, written)) = ours else {
                assert!(theirs["row"].is_null(), "{ours:?} {}", shown());
                continue;
            };
            assert_eq!(*row, theirs["row"], "{}", shown());
            equal += 1;
            let Some(written) = written else { continue };
            let read = theirs_written.next().unwrap();
            assert_eq!(read["row"], theirs["row"], "{written:02x?} {}", shown());
            let expected = unhex(theirs["hex"].as_str().unwrap());
            assert_eq!(bag(written), bag(&expected), "{}", shown());
            same_bytes += 1;
        }
    }
    assert!(equal > 5_000 && same_bytes > 4_000, "{equal} {same_bytes}");
}

#[test]
fn features_are_passed_down() {
    let text = r#"// A comment
        /* and another */ edition = "2023"; package p;
        import "google/protobuf/go_features.proto"; import "google/protobuf/cpp_features.proto";
        option features.(pb.go).api_level = API_OPAQUE;
        option features = { field_presence: IMPLICIT, enum_type: CLOSED, [pb.cpp] { string_type: VIEW } };
        message M {
          int32 a = 1; int32 b = 2 [features.field_presence = EXPLICIT, default = 7];
          E e = 3 [features.field_presence = EXPLICIT]; repeated O o = 4; N n = 5;
          oneof one { string s = 6; }
          reserved c, d;
          enum E { ONE = 1; }
          enum O { option features.enum_type = OPEN; ZERO = 0; }
          message N { int32 x = 1; }
        }"#;
    let expected = [
        "a: i", "b: i?", "e: u?", "o: +l", " item: u", "n: +s?", " x: i", "s: u?",
    ];
    assert_eq!(outline(text), expected);
    let message = Wire::default()
        .varint(3, 9)
        .varint(4, 9)
        .bytes(5, [])
        .varint(2, 0);
    let expected = json!({
        "a": 0, "b": 0, "e": null, "o": ["9"], "n": {"x": 0}, "s": null,
    });
    assert_eq!(row(text, &message.0), expected);
}

/// Files of an edition and of proto3 import each other; the features of neither hold in the other.
#[test]
fn files_of_other_languages_are_imported() {
    let edition = r#"edition = "2024"; package p;
        import option "options.proto";
        option features.field_presence = IMPLICIT;
        option features.message_encoding = DELIMITED;
        export message E { int32 x = 1; E e = 2; }
        local enum Hidden { NONE = 0; }"#;
    let options = r#"syntax = "proto2"; import "google/protobuf/descriptor.proto"; package p;
        extend google.protobuf.FieldOptions { optional string doc = 50000; }"#;
    let proto3 = r#"syntax = "proto3"; package p; import "e.proto";
        message M { E e = 1; optional int32 y = 2; int32 z = 3; }"#;
    let again = r#"edition = "2023"; package p; import "m.proto";
        message T { M m = 1 [features.message_encoding = DELIMITED]; int32 n = 2; }"#;
    let references = [
        ("options.proto", options),
        ("e.proto", edition),
        ("m.proto", proto3),
    ];
    let mut registry = Registry::default();
    registry.set(1, Ok(schema(again, &references)));
    let inner = Wire::default()
        .varint(1, 0)
        .group(2, &Wire::default().varint(1, 0));
    let message = Wire::default().group(1, &Wire::default().bytes(1, inner));
    let mut decoder = Decoder::default();
    let decoded = decode(&mut decoder, &registry, &[framed(&message.0)]);
    assert_eq!(errors(&decoded), []);
    let expected = json!({
        "m": {"e": {"x": 0, "e": {}}, "y": null, "z": 0}, "n": null,
    });
    assert_eq!(rows(&decoder, &decoded)[0].1, expected);
}

#[test]
fn what_is_wrong_in_files_of_editions_is_named() {
    let refused = |text: &str| File::parse(&schema(text, &[])).unwrap_err().to_string();
    for (text, why) in [
        (
            "edition = \"2077\"; message M {}",
            "schema.proto: it is of the edition 2077, and weir reads 2023 and 2024",
        ),
        (
            "edition = \"2023\";\nmessage M {\n  required int32 a = 1; }",
            "schema.proto: line 3: fields have no label `required` in editions",
        ),
        (
            "edition = \"2023\";\nmessage M {\n  int32 a = ; }",
            "schema.proto:3:",
        ),
        (
            "edition = \"2023\"; message M { Nothing a = 1; }",
            "name 'Nothing' is not defined",
        ),
        (
            "edition = \"2023\"; message M { int32 a = 1 [features.field_presence = MAYBE]; }",
            "MAYBE",
        ),
        (
            "edition = \"2023\"; option features.colour = RED;",
            "colour",
        ),
    ] {
        let error = refused(text);
        assert!(error.contains(why), "{text}: {error}");
    }
    // An encoded descriptor of an edition that is yet to come, and one with such a feature:
    // the fields 12, 14 and 8.50.1.
    for (edition, presence, why) in [
        (1_077, 1, "the edition number 1077"),
        (1_000, 9, "the feature field_presence has the value 9"),
    ] {
        let features = Wire::default().varint(1, presence);
        let file = Wire::default()
            .bytes(12, "editions")
            .varint(14, edition)
            .bytes(8, Wire::default().bytes(50, features));
        let error = refused(&base64::engine::general_purpose::STANDARD.encode(file.0));
        assert!(error.contains(why), "{error}");
    }
}
