//! Files of an edition, as text and as descriptors that protoc made, with Google's protoc and
//! Python protobuf as the oracle.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use serde_json::{Value as Json, json};
use support::{
    OneSchema, Registry, decode, errors, fields, file, framed,
    generate::{Maker, Random, message},
    python::{answers, hex, unhex},
    rows,
};
use weir_guest::confluent::{WriteOptions, Writer};
use weir_guest::{Part, RowBatch, Target};
use weir_protobuf::{Decoder, write::ProtobufWriter};

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

/// Each message as a row, or the reason why it is none; and the rows written again.
fn outcomes(text: &str, messages: &[Vec<u8>]) -> Vec<Result<(Json, Option<Vec<u8>>), String>> {
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

/// protoc compiles the same text, and Python reads what is read and what is written.
#[test]
fn files_are_what_google_s_protoc_and_python_make_of_them() {
    let cases: Vec<Case> = (0..1_000).map(case).collect();
    let ours: Vec<_> = cases
        .iter()
        .map(|case| outcomes(&case.text, &case.messages))
        .collect();
    let tasks: Vec<Json> = cases
        .iter()
        .zip(&ours)
        .map(|(case, ours)| {
            let mut messages: Vec<String> = case.messages.iter().map(hex).collect();
            let written = ours
                .iter()
                .flatten()
                .filter_map(|(_, written)| written.as_ref());
            messages.extend(written.map(hex));
            json!({ "text": case.text, "message": "p.e.M1", "messages": messages })
        })
        .collect();
    let Some(answers) = answers("read_editions.py", &tasks) else {
        return;
    };
    let (mut equal, mut same_bytes) = (0, 0);
    for (seed, ((case, ours), answer)) in cases.iter().zip(&ours).zip(&answers).enumerate() {
        let descriptor = answer["file"].as_str().unwrap();
        assert_eq!(
            outcomes(descriptor, &case.messages),
            *ours,
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
            // The order of a map's entries is nobody's.
            if !case.text.contains("map<") {
                let expected = unhex(theirs["hex"].as_str().unwrap());
                assert_eq!(*written, expected, "{}", shown());
                same_bytes += 1;
            }
        }
    }
    assert!(equal > 9_000 && same_bytes > 2_000, "{equal} {same_bytes}");
}
