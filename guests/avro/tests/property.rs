//! Random schemas and values, with apache-avro as the oracle.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::HashMap;

use apache_avro::{Schema, schema::ResolvedSchema};
use support::{
    Registry, decode, encode, fields, framed,
    generate::{Random, SchemaMaker, value},
    oracle, origins, rows_of,
};
use weir_avro::Decoder;

struct Case {
    text: String,
    schema: Schema,
    datums: Vec<Vec<u8>>,
}

fn case(seed: u64, count: usize) -> Case {
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
    let datums = (0..count)
        .map(|_| encode(&schema, value(&schema, &names, &mut random)))
        .collect();
    Case {
        text,
        schema,
        datums,
    }
}

#[test]
fn rows_are_what_apache_avro_reads() {
    for seed in 0..2_000 {
        let Case {
            text,
            schema,
            datums,
        } = case(seed, 1 + usize::try_from(seed % 20).unwrap());
        let expected: Vec<_> = datums
            .iter()
            .map(|datum| oracle::row(&schema, datum).unwrap())
            .collect();
        assert_eq!(
            support::decode_rows(&text, &datums),
            expected,
            "{seed}: {text}"
        );
    }
}

/// Every cut and many flipped bits: a message either fails alone, or apache-avro reads
/// the same; those around it are never touched.
#[test]
fn damage_stays_with_its_record() {
    for seed in 5_000..5_400 {
        let Case {
            text,
            schema,
            datums,
        } = case(seed, 3);
        let registry = Registry::of(&text);
        let mut decoder = Decoder::default();
        let mut random = Random::new(seed);
        let mut messages = Vec::new();
        let mut expected = Vec::new();
        let mut damaged = Vec::new();
        for datum in &datums {
            for cut in 0..datum.len() {
                damaged.push(datum[..cut].to_vec());
            }
            for _ in 0..datum.len() * 2 {
                let mut flipped = datum.clone();
                flipped[random.below(datum.len())] ^= 1 << random.below(8);
                damaged.push(flipped);
            }
            damaged.push([&datum[..], &[0]].concat());
        }
        for damaged in damaged {
            expected.push(oracle::row(&schema, &damaged));
            messages.push(framed(1, &damaged));
            let good = &datums[random.below(datums.len())];
            expected.push(oracle::row(&schema, good));
            messages.push(framed(1, good));
        }
        let decoded = decode(&mut decoder, &registry, &messages);
        let [group] = &decoded.groups[..] else {
            panic!()
        };
        let rows = rows_of(&fields(&decoder, group), group);
        let origins = origins(group);
        assert_eq!(rows.len() + decoded.errors.len(), messages.len());
        for (row, message) in rows.iter().zip(&origins) {
            let message = *message as usize;
            // apache-avro parses the text of a uuid, which stays as it is here.
            if message % 2 == 1 || !text.contains(r#""uuid""#) {
                assert_eq!(
                    Some(row),
                    expected[message].as_ref(),
                    "{seed} {message}: {text}"
                );
            }
        }
        for error in &decoded.errors {
            assert!(error.row % 2 == 0, "{seed}: {error:?}: {text}");
        }
        assert!(decoded.errors.is_sorted_by(|a, b| a.row < b.row));
    }
}

/// Blocks are decoded column by column, and a message alone nearly never is: both give the
/// same rows and the same reasons, also where tombstones and damage cut blocks short.
#[test]
fn blocks_are_what_their_messages_are_alone() {
    for seed in 10_000..10_060 {
        let Case { text, datums, .. } = case(seed, 700);
        let registry = Registry::of(&text);
        let mut random = Random::new(seed);
        let mut messages: Vec<Option<Vec<u8>>> =
            datums.iter().map(|datum| framed(1, datum)).collect();
        for (at, message) in messages.iter_mut().enumerate() {
            match (seed % 3, random.below(150)) {
                (1, 0) => *message = None,
                (2, 0) => {
                    let datum = &datums[at];
                    *message = framed(1, &datum[..random.below(datum.len() + 1)]);
                }
                (2, 1) => *message = framed(1, &[&datums[at][..], &[1]].concat()),
                _ => {}
            }
        }
        let mut together = Decoder::default();
        let decoded = decode(&mut together, &registry, &messages);
        let mut rows = Vec::new();
        for group in &decoded.groups {
            let rendered = rows_of(&fields(&together, group), group);
            rows.extend(origins(group).into_iter().zip(rendered));
        }
        let reasons = decoded
            .errors
            .iter()
            .map(|error| (error.row, &error.reason));

        let (mut expected_rows, mut expected_reasons) = (Vec::new(), Vec::new());
        let mut alone = Decoder::default();
        for (row, message) in (0..).zip(&messages) {
            let decoded = decode(&mut alone, &registry, std::slice::from_ref(message));
            for group in &decoded.groups {
                let rendered = rows_of(&fields(&alone, group), group);
                expected_rows.extend(rendered.into_iter().map(|it| (row, it)));
            }
            let reasons = decoded.errors.into_iter();
            expected_reasons.extend(reasons.map(|error| (row, error.reason)));
        }
        assert!(rows == expected_rows, "{seed}: {text}");
        let reasons: Vec<_> = reasons.map(|(row, reason)| (row, reason.clone())).collect();
        assert_eq!(reasons, expected_reasons, "{seed}: {text}");
    }
}
