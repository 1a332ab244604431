//! A guest that measures the crossing: the same messages in each shape in which
//! they could come, read as little as possible. See `wit/bench.wit`.

pub mod bindings;

use bindings::weir::connector::messages::{Batch, Headers};
use bindings::weir::connector::types::{BinaryColumn, Validity};
use bindings::{Guest, Message};

/// The component.
pub struct Bench;

impl Guest for Bench {
    fn empty() {}

    fn batch_unread(_batch: &Batch) -> u64 {
        0
    }

    fn batch_values(batch: &Batch) -> u64 {
        column(&batch.values(), batch.value_validity().as_deref())
    }

    fn batch_headers(batch: &Batch) -> u64 {
        batch.headers().as_ref().map_or(0, headers)
    }

    fn batch_all(batch: &Batch) -> u64 {
        Self::arguments(
            batch.values(),
            batch.value_validity(),
            batch.keys(),
            batch.key_validity(),
            batch.headers(),
            batch.timestamps(),
            batch.offsets(),
        )
    }

    fn arguments(
        values: BinaryColumn,
        value_validity: Validity,
        keys: BinaryColumn,
        key_validity: Validity,
        batch_headers: Option<Headers>,
        timestamps: Vec<i64>,
        offsets: Vec<i64>,
    ) -> u64 {
        sum([
            column(&values, value_validity.as_deref()),
            column(&keys, key_validity.as_deref()),
            batch_headers.as_ref().map_or(0, headers),
            sum(timestamps.into_iter().map(i64::cast_unsigned)),
            sum(offsets.into_iter().map(i64::cast_unsigned)),
        ])
    }

    fn records(messages: Vec<Message>) -> u64 {
        sum(messages.iter().map(|message| {
            let headers = message.headers.iter();
            sum([
                value(message.value.as_deref()),
                value(message.key.as_deref()),
                sum(headers.map(|(name, it)| value(Some(name)).wrapping_add(value(it.as_deref())))),
                message.timestamp.cast_unsigned(),
                message.offset.cast_unsigned(),
            ])
        }))
    }
}

fn headers(headers: &Headers) -> u64 {
    sum([
        column(&headers.names, None),
        column(&headers.values, headers.value_validity.as_deref()),
    ])
}

/// As [`value`] for each value, some of which may be null.
fn column(column: &BinaryColumn, validity: Option<&[u8]>) -> u64 {
    let rows = column.offsets.len() - 1;
    let present = match validity {
        Some(bits) => bits.iter().map(|byte| u64::from(byte.count_ones())).sum(),
        None => rows as u64,
    };
    let contents = column
        .offsets
        .windows(2)
        .map(|ends| content(&column.bytes[ends[0] as usize..ends[1] as usize]));
    sum(contents).wrapping_add(present)
}

fn value(value: Option<&[u8]>) -> u64 {
    value.map_or(0, |bytes| content(bytes).wrapping_add(1))
}

fn content(bytes: &[u8]) -> u64 {
    let first = bytes.first().copied().unwrap_or(0);
    (bytes.len() as u64).wrapping_add(u64::from(first))
}

fn sum(numbers: impl IntoIterator<Item = u64>) -> u64 {
    numbers.into_iter().fold(0, u64::wrapping_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_and_records_of_the_same_messages_have_one_checksum() {
        let message = |key: Option<&str>, value: Option<&str>, headers| Message {
            key: key.map(Into::into),
            value: value.map(Into::into),
            headers,
            timestamp: -1,
            offset: 40,
        };
        let records = Bench::records(vec![
            message(None, Some("value"), vec![(b"name".into(), None)]),
            message(Some("k"), None, vec![(b"n".into(), Some(b"v".into()))]),
        ]);
        let column = |offsets: [u32; 3], bytes: &str| BinaryColumn {
            offsets: offsets.into(),
            bytes: bytes.into(),
        };
        let arguments = Bench::arguments(
            column([0, 5, 5], "value"),
            Some(vec![0b01]),
            column([0, 0, 1], "k"),
            Some(vec![0b10]),
            Some(Headers {
                row_offsets: vec![0, 1, 2],
                names: column([0, 4, 5], "namen"),
                values: column([0, 0, 1], "v"),
                value_validity: Some(vec![0b10]),
            }),
            vec![-1, -1],
            vec![40, 40],
        );
        assert_eq!(records, arguments);
    }
}
