//! JSON: the plug-in's options, with columns or a JSON Schema in them, and messages.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_fuzz::{Input, OneSchema, check};
use weir_guest::schemas::SchemaType;
use weir_json::{Decoder, Framing, Options};

fuzz_target!(|data: &[u8]| {
    let Some(input) = Input::new(data, 1) else {
        return;
    };
    let Ok(options) = Options::parse(input.texts[0]) else {
        return;
    };
    // Plug-ins log, which only a host can answer.
    if input.texts[0].contains("report") || Decoder::new(options).is_err() {
        return;
    }
    let lookup = OneSchema::new(SchemaType::Json, "{}");
    let prefix: &[u8] = match Options::parse(input.texts[0]) {
        Ok(Options {
            framing: Framing::Confluent,
            ..
        }) => &[0, 0, 0, 0, 1],
        _ => &[],
    };
    let fresh = || -> Box<weir_fuzz::Decode<'_>> {
        let options = Options::parse(input.texts[0]).expect("they were right before");
        let mut decoder = Decoder::new(options).expect("so they were");
        let lookup = &lookup;
        Box::new(move |offsets, bytes| {
            decoder
                .decode_batch(offsets, bytes, None, lookup)
                .unwrap_or(weir_guest::Decoded {
                    groups: Vec::new(),
                    errors: Vec::new(),
                })
        })
    };
    if input.texts[0].contains("schema.subject") {
        return;
    }
    check(fresh, prefix, input.messages);
});
