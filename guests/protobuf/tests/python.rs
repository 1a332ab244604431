//! Random schemas and messages, whole and damaged, with Google's Python protobuf as the oracle.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use base64::Engine as _;
use prost::Message as _;
use prost_reflect::MessageDescriptor;
use serde_json::{Value as Json, json};
use support::{
    Registry, decode, errors, file, framed,
    generate::{Maker, Random, message},
    oracle,
    python::{answers, hex, unhex},
    rows,
};
use weir_protobuf::Decoder;

struct Case {
    text: String,
    descriptor: MessageDescriptor,
    messages: Vec<Vec<u8>>,
}

/// A schema with messages, and with what is left of them after each cut and some flipped bits.
fn case(seed: u64, damaged: bool) -> Case {
    let mut random = Random::with_plain_entries(seed);
    let text = Maker::file(&mut random);
    let descriptor = file(&text).message_at(&[0]).unwrap();
    let mut messages: Vec<Vec<u8>> = (0..12)
        .map(|_| message(&descriptor, &mut random, 5).0)
        .collect();
    if damaged {
        messages.retain(|message| message.len() < 200);
        let whole = std::mem::take(&mut messages);
        for message in whole {
            for cut in 0..message.len() {
                let mut flipped = message.clone();
                flipped[cut] ^= 1 << random.below(8);
                messages.extend([message[..cut].to_vec(), flipped]);
            }
        }
    }
    Case {
        text,
        descriptor,
        messages,
    }
}

fn task(case: &Case) -> Json {
    let file = case.descriptor.parent_file();
    let file = file.file_descriptor_proto().encode_to_vec();
    json!({
        "files": [base64::engine::general_purpose::STANDARD.encode(file)],
        "message": case.descriptor.full_name(),
        "messages": case.messages.iter().map(|message| hex(message)).collect::<Vec<_>>(),
    })
}

/// Each message as a row, or the reason why it is none.
fn outcomes(text: &str, messages: &[Vec<u8>]) -> Vec<Result<Json, String>> {
    let mut decoder = Decoder::default();
    let framed: Vec<_> = messages.iter().map(|message| framed(message)).collect();
    let decoded = decode(&mut decoder, &Registry::of(text), &framed);
    let mut all = vec![Err("no answer".to_owned()); messages.len()];
    for (message, row) in rows(&decoder, &decoded) {
        all[message as usize] = Ok(row);
    }
    for (message, reason) in errors(&decoded) {
        all[message as usize] = Err(reason);
    }
    all
}

/// What both read, what both refuse, and what is not the same.
fn compare(cases: &[Case]) -> Option<(usize, usize, Vec<String>)> {
    let tasks: Vec<Json> = cases.iter().map(task).collect();
    let answers = answers("read_protobuf.py", &tasks)?;
    let (mut equal, mut refused, mut wrong) = (0, 0, Vec::new());
    for (case, answer) in cases.iter().zip(&answers) {
        let ours = outcomes(&case.text, &case.messages);
        for (at, ours) in ours.iter().enumerate() {
            let answer = &answer["rows"][at];
            let theirs = answer["hex"].as_str().map(unhex);
            let verdict = match (ours, &theirs) {
                (Err(_), None) => {
                    refused += 1;
                    continue;
                }
                // What Python read is without surprises: prost-reflect reads it in the same way.
                (Ok(ours), Some(theirs)) => {
                    Some(ours) == oracle::row(&case.descriptor, theirs).as_ref()
                }
                // A time that does not fit, or a value without JSON, is one to us alone.
                (Err(reason), Some(theirs)) => {
                    is_ours_alone(reason)
                        || outcomes(&case.text, std::slice::from_ref(theirs))[0].is_err()
                }
                // A string that a later one replaces is not looked at. One that stays would not
                // have passed Arrow's checks.
                (Ok(_), None) => answer.to_string().contains("bad UTF-8"),
            };
            if verdict {
                equal += 1;
            } else {
                wrong.push(format!(
                    "{}\nmessage {:02x?}\nours {ours:?}\npython {answer}",
                    case.text, case.messages[at]
                ));
            }
        }
    }
    wrong.sort_by_key(String::len);
    Some((equal, refused, wrong))
}

/// Google's conformance tests want a field number 0 refused, and its Python library skips it; of a
/// number with more than 64 bits it takes the lowest.
fn is_ours_alone(reason: &str) -> bool {
    let reasons = [
        "field number 0 is not",
        "has more than 64 bits",
        ": as JSON: ",
    ];
    reasons.iter().any(|what| reason.contains(what))
}

/// Whether a column is JSON text.
fn has_json(case: &Case) -> bool {
    let plan = weir_protobuf::compile_message(&case.descriptor, weir_protobuf::TimeUnit::default());
    let plan = plan.unwrap();
    plan.fields().iter().any(|field| !field.metadata.is_empty())
}

#[test]
fn rows_are_what_google_s_python_reads() {
    let cases: Vec<Case> = (50_000..51_500).map(|seed| case(seed, false)).collect();
    let Some((equal, refused, wrong)) = compare(&cases) else {
        return;
    };
    let shown = wrong[..wrong.len().min(5)].join("\n\n");
    assert!(
        wrong.is_empty(),
        "{} differ, {equal} {refused}:\n{shown}",
        wrong.len()
    );
    assert!(equal > 10_000, "{equal} {refused}");
}

#[test]
fn damage_is_what_google_s_python_takes_for_it() {
    // An entry of a map with anything unknown in it is unknown as a whole to Google's Python
    // library, and to nobody else. What is shown as JSON is read by prost-reflect, and only where
    // nothing later takes its place.
    let cases = (60_000..60_500).map(|seed| case(seed, true));
    let cases = cases.filter(|case| !case.text.contains("map<") && !has_json(case));
    let cases: Vec<Case> = cases.collect();
    let Some((equal, refused, wrong)) = compare(&cases) else {
        return;
    };
    let shown = wrong[..wrong.len().min(5)].join("\n\n");
    assert!(
        wrong.is_empty(),
        "{} differ, {equal} {refused}:\n{shown}",
        wrong.len()
    );
    assert!(equal > 10_000 && refused > 10_000, "{equal} {refused}");
}
