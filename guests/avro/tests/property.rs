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
    let mut random = Random(seed);
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
        let mut decoder = Decoder::new();
        let mut random = Random(seed);
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
