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

    fn batch_unread(_batch: &Batch, _look: bool) -> u64 {
        0
    }

    fn batch_values(batch: &Batch, look: bool) -> u64 {
        let crossed = (batch.values(), batch.value_validity());
        seen(look, &crossed, |(values, validity)| {
            column(values, validity.as_deref())
        })
    }

    fn batch_headers(batch: &Batch, look: bool) -> u64 {
        seen(look, &batch.headers(), |crossed| {
            crossed.as_ref().map_or(0, headers)
        })
    }

    fn batch_all(batch: &Batch, look: bool) -> u64 {
        Self::arguments(
            batch.values(),
            batch.value_validity(),
            batch.keys(),
            batch.key_validity(),
            batch.headers(),
            batch.timestamps(),
            batch.offsets(),
            look,
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
        look: bool,
    ) -> u64 {
        let columns = (values, value_validity, keys, key_validity);
        let crossed = (columns, batch_headers, timestamps, offsets);
        seen(
            look,
            &crossed,
            |(columns, batch_headers, timestamps, offsets)| {
                let (values, value_validity, keys, key_validity) = columns;
                sum([
                    column(values, value_validity.as_deref()),
                    column(keys, key_validity.as_deref()),
                    batch_headers.as_ref().map_or(0, headers),
                    sum(timestamps.iter().map(|time| time.cast_unsigned())),
                    sum(offsets.iter().map(|offset| offset.cast_unsigned())),
                ])
            },
        )
    }

    fn records(messages: Vec<Message>, look: bool) -> u64 {
        seen(look, &messages, |messages| {
            sum(messages.iter().map(|message| {
                let headers = message.headers.iter();
                let header = |(name, it): &(Vec<u8>, Option<Vec<u8>>)| {
                    value(Some(name)).wrapping_add(value(it.as_deref()))
                };
                sum([
                    value(message.value.as_deref()),
                    value(message.key.as_deref()),
                    sum(headers.map(header)),
                    message.timestamp.cast_unsigned(),
                    message.offset.cast_unsigned(),
                ])
            }))
        })
    }
}

/// The checksum of what crossed, if it is asked for.
fn seen<T>(look: bool, crossed: &T, checksum: impl Fn(&T) -> u64) -> u64 {
    // It is there, whether anybody looks or not.
    let crossed = std::hint::black_box(crossed);
    if look { checksum(crossed) } else { 0 }
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
        let records = Bench::records(
            vec![
                message(None, Some("value"), vec![(b"name".into(), None)]),
                message(Some("k"), None, vec![(b"n".into(), Some(b"v".into()))]),
            ],
            true,
        );
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
            true,
        );
        assert_eq!(records, arguments);
    }
}
