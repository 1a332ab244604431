//! Avro: a writer schema, a reader schema, and messages.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_avro::{AvroFormat, Decoder, check_reader};
use weir_fuzz::{Input, OneSchema, check, schema};
use weir_guest::schemas::SchemaType;

fuzz_target!(|data: &[u8]| {
    let Some(input) = Input::new(data, 2) else {
        return;
    };
    let reader = schema(SchemaType::Avro, input.texts[1]);
    if check_reader(&reader).is_err() {
        return;
    }
    let lookup = OneSchema::new(SchemaType::Avro, input.texts[0]);
    let fresh = || -> Box<weir_fuzz::Decode<'_>> {
        let reader = Some(reader.clone());
        let mut decoder = Decoder::new(AvroFormat { reader });
        let lookup = &lookup;
        Box::new(move |offsets, bytes| {
            decoder
                .decode_batch(offsets, bytes, None, lookup)
                .expect("the schema can be had")
        })
    };
    check(fresh, &[0, 0, 0, 0, 1], input.messages);
});
