//! What the fuzz targets share: the code of the built-in plug-ins, called natively with schemas and
//! messages that nobody would write.
//!
//! An input is texts, each with a zero byte behind it (a schema, or options), then the length
//! of a message in one byte, that message, and another one. Whatever they are:
//!
//! - nothing panics, hangs or takes memory without bound (libFuzzer looks after the last two);
//! - each message is one row or one error, and the same of the two in every batch (of several faults
//!   that it has, a batch may name another one);
//! - a message that fails leaves nothing behind: the others have the very columns that they have
//!   without it.

use weir_guest::Decoded;
use weir_guest::confluent::SchemaLookup;
use weir_guest::rows::{Array, Origin};
use weir_guest::schemas::{Schema, SchemaError, SchemaType};

/// An input taken apart: `texts` of them, then two messages.
pub struct Input<'a> {
    /// The texts.
    pub texts: Vec<&'a str>,
    /// The messages.
    pub messages: [&'a [u8]; 2],
}

impl<'a> Input<'a> {
    /// `None` where there are not so many texts.
    pub fn new(data: &'a [u8], texts: usize) -> Option<Self> {
        let mut rest = data;
        let mut found = Vec::new();
        for _ in 0..texts {
            let end = rest.iter().position(|byte| *byte == 0)?;
            found.push(std::str::from_utf8(&rest[..end]).ok()?);
            rest = &rest[end + 1..];
        }
        let (length, rest) = rest.split_first()?;
        let first = usize::from(*length).min(rest.len());
        Some(Self {
            texts: found,
            messages: [&rest[..first], &rest[first..]],
        })
    }

    /// The bytes of an input.
    pub fn bytes(texts: &[&str], messages: [&[u8]; 2]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for text in texts {
            bytes.extend_from_slice(text.as_bytes());
            bytes.push(0);
        }
        bytes.push(u8::try_from(messages[0].len()).unwrap_or(u8::MAX));
        bytes.extend_from_slice(messages[0]);
        bytes.extend_from_slice(messages[1]);
        bytes
    }
}

/// One schema behind every id.
pub struct OneSchema(pub Schema);

impl OneSchema {
    /// One without references.
    pub fn new(schema_type: SchemaType, text: &str) -> Self {
        Self(schema(schema_type, text))
    }
}

/// A schema without references.
pub fn schema(schema_type: SchemaType, text: &str) -> Schema {
    Schema {
        schema_type,
        text: text.to_owned(),
        references: Vec::new(),
    }
}

impl SchemaLookup for OneSchema {
    fn by_id(&self, _: u32) -> Result<Schema, SchemaError> {
        Ok(self.0.clone())
    }
}

/// Decodes a batch of messages by its offsets and bytes.
pub type Decode<'a> = dyn FnMut(&[u32], &[u8]) -> Decoded + 'a;

/// Decodes the messages in several batches, and looks at what comes of them.
///
/// `fresh` makes a decoder, and `prefix` is what stands before each message.
///
/// # Panics
/// If something is not as it has to be: that is what the fuzzer is after.
pub fn check<'a>(mut fresh: impl FnMut() -> Box<Decode<'a>>, prefix: &[u8], messages: [&[u8]; 2]) {
    let [x, y] = messages.map(|message| [prefix, message].concat());
    let mut kept = fresh();
    let all = outcome(&mut *kept, &[&x, &y, &x]);
    // A decoder that has seen something else, and one that has not.
    let again = outcome(&mut *kept, &[&x, &y, &x]);
    assert_eq!(all, again, "a decoder remembers what it should not");
    let x_alone = outcome(&mut *fresh(), &[&x]);
    let y_alone = outcome(&mut *fresh(), &[&y]);
    for (row, alone) in (0..).zip([&x_alone, &y_alone, &x_alone]) {
        let fails = all.errors.iter().any(|(at, _)| *at == row);
        assert_eq!(
            fails,
            !alone.errors.is_empty(),
            "message {row} of three: {all:?}"
        );
    }
    let without = match (x_alone.errors.is_empty(), y_alone.errors.is_empty()) {
        (false, true) => y_alone,
        (true, false) => outcome(&mut *fresh(), &[&x, &x]),
        _ => return,
    };
    assert_eq!(
        all.arrays, without.arrays,
        "a message that failed left something behind"
    );
}

#[derive(Debug, PartialEq)]
struct Outcome {
    /// Of each group.
    arrays: Vec<Vec<(u32, u32, Vec<Vec<u8>>)>>,
    errors: Vec<(u32, String)>,
}

fn outcome(decode: &mut Decode<'_>, messages: &[&[u8]]) -> Outcome {
    let mut offsets = vec![0];
    let mut bytes = Vec::new();
    for message in messages {
        bytes.extend_from_slice(message);
        offsets.push(u32::try_from(bytes.len()).expect("inputs are small"));
    }
    let decoded = decode(&offsets, &bytes);
    let mut times = vec![0; messages.len()];
    for group in &decoded.groups {
        match &group.origin {
            Origin::Identity => {
                assert_eq!(group.len as usize, messages.len());
                times.iter_mut().for_each(|times| *times += 1);
            }
            Origin::Messages(messages) => {
                assert_eq!(group.len as usize, messages.len());
                assert!(messages.is_sorted_by(|a, b| a < b));
                for message in messages {
                    times[*message as usize] += 1;
                }
            }
        }
    }
    for error in &decoded.errors {
        times[error.row as usize] += 1;
    }
    assert!(
        times.iter().all(|times| *times == 1),
        "each message is one row or one error: {times:?}"
    );
    let array = |array: &Array| (array.len, array.null_count, array.buffers.clone());
    let arrays = decoded.groups.iter();
    Outcome {
        arrays: arrays
            .map(|group| group.arrays.iter().map(array).collect())
            .collect(),
        errors: decoded
            .errors
            .into_iter()
            .map(|error| (error.row, error.reason))
            .collect(),
    }
}
