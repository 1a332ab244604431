//! Batches made by hand, to test a plug-in on one's own machine.

use crate::{Batch, Headers, Part, Payloads};

/// A batch of messages for a test. Where a plug-in expects offset order, put the
/// messages in it.
#[derive(Debug, Clone, Default)]
pub struct Sample {
    /// Kafka topic.
    pub topic: String,
    /// Kafka partition.
    pub partition: i32,
    /// The messages; at least one.
    pub messages: Vec<Message>,
}

/// One message of a [`Sample`].
#[derive(Debug, Clone, Default)]
pub struct Message {
    /// Kafka offset.
    pub offset: i64,
    /// In ms since the epoch; -1 if there is none.
    pub timestamp: i64,
    /// The key, or `None` if it is null.
    pub key: Option<Vec<u8>>,
    /// The value, or `None` for a tombstone.
    pub value: Option<Vec<u8>>,
    /// Names and values; a value may be null.
    pub headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl Sample {
    /// Messages with these values and nothing else, at the offsets 0, 1, 2….
    pub fn of_values<V: Into<Vec<u8>>>(values: impl IntoIterator<Item = V>) -> Self {
        let messages = values
            .into_iter()
            .zip(0..)
            .map(|(value, offset)| Message {
                offset,
                value: Some(value.into()),
                ..Message::default()
            })
            .collect();
        Self {
            messages,
            ..Self::default()
        }
    }

    /// The batch, as a deserializer of values or an interceptor sees it.
    #[must_use]
    pub fn batch(&self) -> Batch<'_> {
        Batch::sample(self, Part::Value)
    }

    /// The batch, as a deserializer of keys sees it.
    #[must_use]
    pub fn key_batch(&self) -> Batch<'_> {
        Batch::sample(self, Part::Key)
    }

    pub(crate) fn len(&self) -> u32 {
        u32::try_from(self.messages.len()).expect("a sample has fewer than 2^32 messages")
    }

    pub(crate) fn headers(&self) -> Option<Headers> {
        let headers = || self.messages.iter().flat_map(|message| &message.headers);
        headers().next()?;
        let mut row_offsets = vec![0];
        let mut end = 0;
        for message in &self.messages {
            end += u32::try_from(message.headers.len()).expect("fewer than 2^32 headers");
            row_offsets.push(end);
        }
        let names: Payloads = headers().map(|(name, _)| Some(name.as_slice())).collect();
        let values: Payloads = headers().map(|(_, value)| value.as_deref()).collect();
        Some(Headers::new(row_offsets, names, values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_belong_to_their_messages() {
        let mut sample = Sample::of_values(["a", "b", "c"]);
        assert!(sample.batch().headers().is_none());

        sample.messages[0].headers = vec![(b"x".into(), None), (b"x".into(), Some(b"1".into()))];
        sample.messages[2].headers = vec![(b"\xff".into(), Some(Vec::new()))];
        let headers = sample.batch().headers().unwrap();
        let of = |row| headers.of(row).collect::<Vec<_>>();
        assert_eq!(
            of(0),
            [(b"x".as_slice(), None), (b"x", Some(b"1".as_slice()))]
        );
        assert_eq!(of(1), []);
        assert_eq!(of(2), [(b"\xff".as_slice(), Some(b"".as_slice()))]);
    }

    #[test]
    fn a_deserializer_sees_the_part_it_is_for() {
        let mut sample = Sample::of_values(["value"]);
        sample.messages[0].key = Some(b"key".into());
        assert_eq!(sample.batch().payloads().get(0), Some(b"value".as_slice()));
        assert_eq!(
            sample.key_batch().payloads().get(0),
            Some(b"key".as_slice())
        );
    }
}
