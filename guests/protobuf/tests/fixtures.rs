//! The benchmark shapes are decoded right.
#![cfg(feature = "fixtures")]
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use support::{Registry, decode, errors, file, framed_with, oracle, rows};
use weir_protobuf::{Decoder, fixtures};

#[test]
fn rows_are_what_prost_reflect_reads() {
    for fixture in fixtures::all() {
        let text = (fixture.schema)();
        let registry = Registry::of(&text);
        let descriptor = file(&text).only_message().unwrap();
        let mut decoder = Decoder::default();
        for (count, seed) in [(100, 1), (300, 2), (1, 3), (100, 1)] {
            let messages = fixture.messages(count, seed);
            let framed: Vec<_> = messages.iter().map(|it| framed_with(1, &[], it)).collect();
            let decoded = decode(&mut decoder, &registry, &framed);
            assert_eq!(errors(&decoded), []);
            let found = rows(&decoder, &decoded).into_iter().map(|(_, row)| row);
            let expected = messages
                .iter()
                .map(|it| oracle::row(&descriptor, &it[1..]).unwrap());
            assert!(found.eq(expected), "{}", fixture.name);
            if let Some(generated) = fixture.generated {
                assert!(messages.iter().all(|it| generated(&it[1..]).is_ok()));
            }
        }
        assert_eq!(fixture.messages(5, 9), fixture.messages(5, 9));
    }
}
