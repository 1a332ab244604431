//! The benchmark shapes are decoded right.
#![cfg(feature = "fixtures")]
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use apache_avro::Schema;
use support::{Registry, fields, oracle, rows_of};
use weir_avro::{Decoder, fixtures};

#[test]
fn rows_are_what_apache_avro_reads() {
    for fixture in fixtures::all() {
        let registry = Registry::of(&fixture.schema);
        let schema = Schema::parse_str(&fixture.schema).unwrap();
        let mut decoder = Decoder::default();
        for (count, seed) in [(100, 1), (300, 2), (1, 3), (100, 1)] {
            let datums = fixture.datums(count, seed).unwrap();
            let messages = fixture.messages(count, seed, 1).unwrap();
            let decoded = decoder
                .decode_batch(&messages.offsets, &messages.bytes, None, &registry)
                .unwrap();
            let [group] = &decoded.groups[..] else {
                panic!()
            };
            let expected: Vec<_> = datums
                .iter()
                .map(|datum| oracle::row(&schema, datum).unwrap())
                .collect();
            assert_eq!(rows_of(&fields(&decoder, group), group), expected);
        }
        assert_eq!(fixture.datums(5, 9).unwrap(), fixture.datums(5, 9).unwrap());
    }
}
