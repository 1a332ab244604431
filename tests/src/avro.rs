//! Avro in Confluent's wire format, with apache-avro as the independent encoder.

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;

/// The magic byte, the schema id (big-endian), and the value encoded with `schema`.
///
/// # Panics
///
/// If the value does not fit the schema.
#[must_use]
pub fn framed(id: u32, schema: &Schema, value: Value) -> Vec<u8> {
    let writer = GenericDatumWriter::builder(schema)
        .build()
        .expect("the schema resolves");
    let datum = writer
        .write_value_to_vec(value)
        .expect("the value fits the schema");
    frame(id, &datum)
}

/// The magic byte, the schema id (big-endian), and `payload` as it is.
#[must_use]
pub fn frame(id: u32, payload: &[u8]) -> Vec<u8> {
    [&[0], id.to_be_bytes().as_slice(), payload].concat()
}

/// Takes the frame off: the schema id and the payload.
///
/// # Panics
///
/// If there is no frame.
#[must_use]
pub fn unframe(bytes: &[u8]) -> (u32, &[u8]) {
    let (frame, payload) = bytes.split_first_chunk::<5>().expect("a frame has 5 bytes");
    let [magic, id @ ..] = *frame;
    assert_eq!(magic, 0, "the magic byte");
    (u32::from_be_bytes(id), payload)
}

/// Decodes a whole payload.
///
/// # Panics
///
/// If it does not decode, or if bytes are left over.
#[must_use]
pub fn decode(schema: &Schema, mut payload: &[u8]) -> Value {
    let reader = GenericDatumReader::builder(schema)
        .build()
        .expect("the schema resolves");
    let value = reader
        .read_value(&mut payload)
        .expect("the payload decodes");
    assert!(payload.is_empty(), "{} bytes are left over", payload.len());
    value
}
