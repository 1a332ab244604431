//! Messages without a value, which delete what their key stands for (KIP-354 has more on them in
//! compacted topics). Deserializers have nothing to say of them; some sinks pass them on.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;

use super::{RowOrigins, Rows};
use crate::batch::{Envelopes, MessageBatch};

/// Some of the tombstones of one batch of messages, in their order.
#[derive(Clone, Debug)]
pub struct Tombstones {
    /// All messages of the batch.
    pub messages: Envelopes,
    /// Which of them, ascending.
    pub which: Vec<u32>,
}

impl Tombstones {
    /// The message of the tombstone `index`, counted in `messages`, if its offset is below this one.
    #[must_use]
    pub fn before(&self, index: usize, offset: Option<i64>) -> Option<usize> {
        let message = *self.which.get(index)? as usize;
        let is_before = offset.is_none_or(|offset| self.messages.offsets[message] < offset);
        is_before.then_some(message)
    }
}

impl Rows {
    /// How many tombstones are among the rows.
    #[must_use]
    pub fn tombstones(&self) -> usize {
        self.tombstones.as_ref().map_or(0, |all| all.which.len())
    }
}

/// Puts the tombstones of a batch among its rows, in the order of their offsets. `failed` are the
/// offsets of messages that could not be decoded; what a plug-in makes rows of is no tombstone.
pub(crate) fn attach(
    batch: &MessageBatch,
    rows: &mut Vec<Rows>,
    failed: impl Iterator<Item = i64>,
) {
    if batch.tombstones() == 0 {
        return;
    }
    let known: HashSet<i64> = rows.iter().flat_map(Rows::offsets).chain(failed).collect();
    let mut left = (0_u32..)
        .zip(batch.offsets.iter())
        .filter(|(message, offset)| {
            batch.values.get(*message as usize).is_none() && !known.contains(offset)
        });
    let mut left = left.by_ref().peekable();
    if left.peek().is_none() {
        return;
    }
    if rows.is_empty() {
        rows.push(Rows {
            rows: RecordBatch::new_empty(Arc::new(Schema::empty())),
            messages: batch.envelopes(),
            origins: RowOrigins::Messages(Vec::new()),
            event_times: None,
            watermark: None,
            tombstones: None,
            encoded: Default::default(),
        });
    }
    let firsts: Vec<Option<i64>> = rows.iter().map(|rows| rows.offsets().next()).collect();
    for (index, rows) in rows.iter_mut().enumerate() {
        let end = firsts.get(index + 1).copied().flatten();
        let mut which = Vec::new();
        while let Some((message, _)) =
            left.next_if(|(_, offset)| end.is_none_or(|end| **offset < end))
        {
            which.push(message);
        }
        if !which.is_empty() {
            let messages = batch.envelopes();
            rows.tombstones = Some(Tombstones { messages, which });
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Int64Array};

    use super::*;
    use crate::batch::{BatchBuilder, Capacity, TopicPartition};

    /// Messages from offset 10 on; a null value where the text has a `-`.
    fn batch(values: &str) -> MessageBatch {
        let source = TopicPartition {
            topic: "t".into(),
            partition: 0,
        };
        let mut batch = BatchBuilder::new(source, Capacity::default());
        for (offset, value) in (10..).zip(values.bytes()) {
            let value = (value != b'-').then_some(&b"v"[..]);
            assert!(batch.push(offset, 0, Some(b"k"), value));
        }
        batch.finish()
    }

    fn rows(batch: &MessageBatch, messages: &[u32]) -> Rows {
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![0; messages.len()]));
        Rows {
            rows: RecordBatch::try_from_iter([("n", numbers)]).unwrap(),
            messages: batch.envelopes(),
            origins: RowOrigins::Messages(messages.to_vec()),
            event_times: None,
            watermark: None,
            tombstones: None,
            encoded: Default::default(),
        }
    }

    fn attached(values: &str, groups: &[&[u32]], failed: &[i64]) -> Vec<Vec<u32>> {
        let batch = batch(values);
        let mut all: Vec<Rows> = groups.iter().map(|group| rows(&batch, group)).collect();
        attach(&batch, &mut all, failed.iter().copied());
        let which = |rows: &Rows| {
            rows.tombstones
                .as_ref()
                .map_or(Vec::new(), |t| t.which.clone())
        };
        all.iter().map(which).collect()
    }

    #[test]
    fn each_is_with_the_rows_that_it_is_among() {
        assert_eq!(attached("-a-b-", &[&[1, 3]], &[]), [[0, 2, 4]]);
        assert_eq!(
            attached("-a-b-c-", &[&[1], &[3], &[5]], &[]),
            [vec![0, 2], vec![4], vec![6]]
        );
        assert_eq!(attached("abc", &[&[0, 1, 2]], &[]), [[0; 0]]);
    }

    #[test]
    fn a_batch_of_nothing_else_has_rows_for_them() {
        assert_eq!(attached("---", &[], &[]), [[0, 1, 2]]);
        assert_eq!(attached("a-", &[], &[10]), [[1]]);
    }

    #[test]
    fn what_has_a_row_or_an_error_is_none() {
        assert_eq!(attached("-a-", &[&[0, 1]], &[12]), [[0; 0]]);
        assert!(attached("--", &[], &[10, 11]).is_empty());
    }

    #[test]
    fn they_come_before_an_offset() {
        let batch = batch("-a-");
        let mut all = vec![rows(&batch, &[1])];
        attach(&batch, &mut all, std::iter::empty());
        let tombstones = all[0].tombstones.as_ref().unwrap();
        assert_eq!(tombstones.before(0, Some(11)), Some(0));
        assert_eq!(tombstones.before(1, Some(11)), None);
        assert_eq!(tombstones.before(1, None), Some(2));
        assert_eq!(tombstones.before(2, None), None);
    }
}
