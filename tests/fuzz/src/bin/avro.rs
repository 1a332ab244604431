//! Avro: a schema and its messages.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_avro::Decoder;
use weir_fuzz::{Input, OneSchema, check};
use weir_guest::schemas::SchemaType;

fuzz_target!(|data: &[u8]| {
    let Some(input) = Input::new(data, 1) else {
        return;
    };
    let lookup = OneSchema::new(SchemaType::Avro, input.texts[0]);
    let fresh = || -> Box<weir_fuzz::Decode<'_>> {
        let mut decoder = Decoder::default();
        let lookup = &lookup;
        Box::new(move |offsets, bytes| {
            decoder
                .decode_batch(offsets, bytes, None, lookup)
                .expect("the schema can be had")
        })
    };
    check(fresh, &[0, 0, 0, 0, 1], input.messages);
});
