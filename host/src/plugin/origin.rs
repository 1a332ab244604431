//! Which message each row of an answer came from, checked and put to use.

use arrow::array::RecordBatch;

use super::MessageError;
use super::bindings::rows;
use super::imports::printable;
use crate::batch::MessageBatch;
use crate::rows::{RowOrigins, Rows};

/// The message of each row.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Origins {
    /// Row `i` came from message `i`, for all of so many messages.
    Identity(u32),
    /// Never decreasing.
    Messages(Vec<u32>),
}

impl Origins {
    /// What a plug-in said about `len` rows.
    ///
    /// # Errors
    /// A sentence about what does not fit the batch.
    pub(super) fn check(origin: rows::Origin, len: u32, messages: usize) -> Result<Self, String> {
        let origins = match origin {
            rows::Origin::Identity if len as usize == messages => {
                return Ok(Origins::Identity(len));
            }
            rows::Origin::Identity => {
                return Err(format!(
                    "{len} rows for {messages} messages cannot have the identity as their origin"
                ));
            }
            rows::Origin::Messages(origins) => origins,
        };
        if origins.len() != len as usize {
            return Err(format!("{} origins for {len} rows", origins.len()));
        }
        if !origins.is_sorted() {
            return Err("origins decrease: rows have to be in the order of their messages".into());
        }
        match origins.last() {
            Some(&last) if last as usize >= messages => {
                Err(format!("a row comes from message {last} of {messages}"))
            }
            _ => Ok(Origins::Messages(origins)),
        }
    }

    /// Whether no message has two rows.
    pub(super) fn are_distinct(&self) -> bool {
        match self {
            Origins::Identity(_) => true,
            Origins::Messages(origins) => origins.is_sorted_by(|a, b| a < b),
        }
    }

    /// The messages behind the rows, which are distinct.
    pub(super) fn select(&self, batch: &MessageBatch) -> MessageBatch {
        match self {
            Origins::Messages(origins) if origins.len() < batch.len() => batch.select(origins),
            _ => batch.clone(),
        }
    }

    fn contains(&self, message: u32) -> bool {
        match self {
            Origins::Identity(len) => message < *len,
            Origins::Messages(origins) => origins.binary_search(&message).is_ok(),
        }
    }

    fn of_rows(self) -> RowOrigins {
        match self {
            Origins::Identity(_) => RowOrigins::Identity,
            Origins::Messages(origins) => RowOrigins::Messages(origins),
        }
    }

    fn into_messages(self) -> Vec<u32> {
        match self {
            Origins::Identity(len) => (0..len).collect(),
            Origins::Messages(origins) => origins,
        }
    }
}

/// The messages that a plug-in reports as faulty.
pub(super) struct Failed(Vec<rows::MessageError>);

impl Failed {
    /// Checks that the reports are about messages of the batch, each once.
    pub(super) fn check(errors: Vec<rows::MessageError>, messages: usize) -> Result<Self, String> {
        if !errors.is_sorted_by(|a, b| a.row < b.row) {
            return Err("errors are not in ascending order of messages".into());
        }
        match errors.last() {
            Some(last) if last.row as usize >= messages => Err(format!(
                "an error is about message {} of {messages}",
                last.row
            )),
            _ => Ok(Failed(errors)),
        }
    }

    /// Checks that no message is both faulty and among these.
    pub(super) fn check_apart_from(&self, delivered: &Origins) -> Result<(), String> {
        match self.0.iter().find(|error| delivered.contains(error.row)) {
            None => Ok(()),
            Some(both) => Err(format!(
                "message {} has both an error and a result",
                both.row
            )),
        }
    }

    pub(super) fn into_errors(self, batch: &MessageBatch) -> Vec<MessageError> {
        let error = |(row, reason)| MessageError {
            offset: batch.offsets[row],
            reason,
        };
        self.into_reasons().map(error).collect()
    }

    /// Which ones, and what is wrong with them.
    pub(super) fn into_reasons(self) -> impl Iterator<Item = (usize, String)> {
        let reports = self.0.into_iter();
        reports.map(|error| (error.row as usize, printable(&error.reason)))
    }
}

/// Row groups as they go on: in the order of their messages. Groups of several schemas
/// that interleave are cut where they do.
pub(super) fn in_order(batch: &MessageBatch, mut groups: Vec<(RecordBatch, Origins)>) -> Vec<Rows> {
    if groups.len() == 1
        && let Some((rows, origins)) = groups.pop()
    {
        return vec![Rows {
            rows,
            messages: batch.envelopes(),
            origins: origins.of_rows(),
            event_times: None,
            watermark: None,
            encoded: Default::default(),
            tombstones: None,
        }];
    }
    let groups: Vec<(RecordBatch, Vec<u32>)> = groups
        .into_iter()
        .map(|(rows, origins)| (rows, origins.into_messages()))
        .collect();
    let mut taken = vec![0_usize; groups.len()];
    let mut ordered = Vec::with_capacity(groups.len());
    let next = |taken: &[usize], group: usize| groups[group].1.get(taken[group]).copied();
    while let Some((_, first)) = (0..groups.len())
        .filter_map(|g| Some((next(&taken, g)?, g)))
        .min()
    {
        let limit = (0..groups.len())
            .filter(|&g| g != first)
            .filter_map(|g| next(&taken, g))
            .min();
        let (rows, origins) = &groups[first];
        let start = taken[first];
        let end = match limit {
            None => origins.len(),
            // Of the same message, the rows of the first group come first.
            Some(limit) => start + origins[start..].partition_point(|&o| o <= limit),
        };
        taken[first] = end;
        ordered.push(Rows {
            rows: if end - start == rows.num_rows() {
                rows.clone()
            } else {
                rows.slice(start, end - start)
            },
            messages: batch.envelopes(),
            origins: RowOrigins::Messages(origins[start..end].to_vec()),
            event_times: None,
            watermark: None,
            encoded: Default::default(),
            tombstones: None,
        });
    }
    ordered
}
