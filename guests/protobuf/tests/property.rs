//! Random schemas and messages, with prost-reflect as the oracle.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use prost_reflect::MessageDescriptor;
use support::{
    Registry, decode, errors, file, framed,
    generate::{Maker, Random, message},
    oracle, rows,
};
use weir_protobuf::Decoder;

struct Case {
    text: String,
    descriptor: MessageDescriptor,
    messages: Vec<Vec<u8>>,
}

fn case(seed: u64, count: usize) -> Case {
    let mut random = Random::new(seed);
    let text = Maker::file(&mut random);
    let descriptor = file(&text).message_at(&[0]).unwrap();
    let messages = (0..count)
        .map(|_| message(&descriptor, &mut random, 5).0)
        .collect();
    Case {
        text,
        descriptor,
        messages,
    }
}

#[test]
fn rows_are_what_prost_reflect_reads() {
    let mut compared = 0;
    for seed in 0..3_000 {
        let Case {
            text,
            descriptor,
            messages,
        } = case(seed, 1 + usize::try_from(seed % 20).unwrap());
        let mut decoder = Decoder::default();
        let framed: Vec<_> = messages.iter().map(|message| framed(message)).collect();
        let decoded = decode(&mut decoder, &Registry::of(&text), &framed);
        let mut expected_rows = Vec::new();
        let mut expected_errors = Vec::new();
        for (row, message) in (0..).zip(&messages) {
            match oracle::row(&descriptor, message) {
                Some(expected) => expected_rows.push((row, expected)),
                None => expected_errors.push(row),
            }
        }
        compared += expected_rows.len();
        let found: Vec<u32> = decoded.errors.iter().map(|error| error.row).collect();
        assert_eq!(
            found, expected_errors,
            "{seed}: {:?} {text}",
            decoded.errors
        );
        let rows = rows(&decoder, &decoded);
        for (found, expected) in rows.iter().zip(&expected_rows) {
            assert_eq!(
                found, expected,
                "{seed}: {text}\n{:02x?}",
                messages[expected.0 as usize]
            );
        }
        assert_eq!(rows.len(), expected_rows.len());
    }
    assert!(compared > 20_000, "{compared}");
}

/// Every cut and many flipped bits: a message fails alone, or prost-reflect reads the same where
/// it reads it at all; those around it are never touched.
#[test]
fn damage_stays_with_its_message() {
    let mut compared = 0;
    for seed in 5_000..5_300 {
        let Case {
            text,
            descriptor,
            messages: good,
        } = case(seed, 3);
        let mut random = Random::new(seed);
        let mut damaged = Vec::new();
        // Each byte of a message makes two others as long as it is.
        for message in good.iter().filter(|message| message.len() < 300) {
            for cut in 0..message.len() {
                damaged.push(message[..cut].to_vec());
            }
            for _ in 0..message.len() {
                let mut flipped = message.clone();
                flipped[random.below(message.len())] ^= 1 << random.below(8);
                damaged.push(flipped);
            }
        }
        let (mut messages, mut expected) = (Vec::new(), Vec::new());
        let good: Vec<_> = good.iter().filter(|message| message.len() < 300).collect();
        for damaged in damaged {
            let good = &good[random.below(good.len())];
            for message in [&damaged, *good] {
                expected.push(oracle::row(&descriptor, message));
                messages.push(framed(message));
            }
        }
        let registry = Registry::of(&text);
        let mut decoder = Decoder::default();
        let decoded = decode(&mut decoder, &registry, &messages);
        let rows = rows(&decoder, &decoded);
        assert_eq!(rows.len() + decoded.errors.len(), messages.len());
        for (message, row) in &rows {
            // Where prost-reflect refuses a wire type, the others skip the field.
            if let Some(expected) = &expected[*message as usize] {
                if message % 2 == 1 || is_as_others(&text) {
                    assert_eq!(row, expected, "{seed} {message}: {text}");
                    compared += 1;
                }
            } else {
                assert_eq!(message % 2, 0, "{seed} {message}: {text}");
            }
        }
        for (message, reason) in errors(&decoded) {
            let expected = &expected[message as usize];
            // One that is not damaged may have a time that does not fit.
            if message % 2 == 1 || is_as_others(&text) {
                assert_eq!(*expected, None, "{seed} {message} {reason}: {text}");
            }
        }
    }
    assert!(compared > 10_000, "{compared}");
}

/// Whether prost-reflect reads also damaged messages of the schema as other implementations do.
/// It takes any wire type for the entries of maps, and numbers that a closed enum does not have.
fn is_as_others(text: &str) -> bool {
    !text.contains("map<") && !text.contains("proto2")
}

/// Messages are decoded in blocks: what comes out is what comes of each message alone, also where
/// tombstones and damage cut blocks short.
#[test]
fn blocks_are_what_their_messages_are_alone() {
    for seed in 10_000..10_060 {
        let Case { text, messages, .. } = case(seed, 700);
        let registry = Registry::of(&text);
        let mut random = Random::new(seed);
        let mut framed_messages: Vec<Option<Vec<u8>>> =
            messages.iter().map(|message| framed(message)).collect();
        for (at, message) in framed_messages.iter_mut().enumerate() {
            match (seed % 3, random.below(150)) {
                (1, 0) => *message = None,
                (2, 0) => {
                    let bytes = &messages[at];
                    *message = framed(&bytes[..random.below(bytes.len() + 1)]);
                }
                (2, 1) => *message = framed(&[&messages[at][..], &[7]].concat()),
                _ => {}
            }
        }
        let mut together = Decoder::default();
        let decoded = decode(&mut together, &registry, &framed_messages);
        let (found_rows, found_errors) = (rows(&together, &decoded), errors(&decoded));

        let (mut expected_rows, mut expected_errors) = (Vec::new(), Vec::new());
        let mut alone = Decoder::default();
        for (row, message) in (0..).zip(&framed_messages) {
            let decoded = decode(&mut alone, &registry, std::slice::from_ref(message));
            let of_row = rows(&alone, &decoded).into_iter();
            expected_rows.extend(of_row.map(|(_, it)| (row, it)));
            expected_errors.extend(errors(&decoded).into_iter().map(|(_, it)| (row, it)));
        }
        assert!(found_rows == expected_rows, "{seed}: {text}");
        assert_eq!(found_errors, expected_errors, "{seed}: {text}");
    }
}
