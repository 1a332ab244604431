//! Keys: decoded before values, so that a message with a bad one is no row of anything.

use std::time::Duration;

use crate::batch::MessageBatch;
use crate::event_time::Marks;
use crate::plugin::{BatchStop, Deserializer, MessageError, PluginMetrics};
use crate::rows::{KeyColumn, KeyColumnError, Keys, Rows};

pub(super) struct KeyStage {
    deserializer: Deserializer,
    column: KeyColumn,
}

/// A batch whose keys are decoded.
pub(super) struct Keyed {
    /// The messages whose keys are right or null: possibly none.
    pub(super) batch: MessageBatch,
    /// Their keys.
    pub(super) keys: Keys,
    /// The others, in ascending order.
    pub(super) errors: Vec<MessageError>,
    /// What the plug-in says of event time.
    pub(super) marks: Marks,
    pub(super) plugin_time: Duration,
}

impl KeyStage {
    pub(super) fn new(deserializer: Deserializer, column: &str) -> Self {
        Self {
            deserializer,
            column: KeyColumn::new(column),
        }
    }

    /// The plug-in's name and what it counts.
    pub(super) fn figures(&self) -> (&str, PluginMetrics) {
        (self.deserializer.name(), self.deserializer.metrics())
    }

    /// Decodes the keys of a batch.
    pub(super) fn decode(&mut self, batch: &MessageBatch) -> Result<Keyed, BatchStop> {
        let decoded = self.deserializer.decode(batch)?;
        let mut errors = decoded.errors;
        for error in &mut errors {
            error.reason.insert_str(0, "key: ");
        }
        let (mut keys, several) = Keys::new(decoded.rows, batch.len());
        errors.extend(several.iter().map(|several| MessageError {
            offset: batch.offsets[several.message as usize],
            reason: format!(
                "key: it became {} rows, and a key has to be one",
                several.rows
            ),
        }));
        let mut batch = batch.clone();
        if !errors.is_empty() {
            errors.sort_by_key(|error| error.offset);
            let is_right = |message: &u32| {
                let offset = batch.offsets[*message as usize];
                let search = errors.binary_search_by_key(&offset, |error| error.offset);
                search.is_err()
            };
            let right: Vec<u32> = (0..).take(batch.len()).filter(is_right).collect();
            keys.select(&right);
            batch = batch.select(&right);
        }
        Ok(Keyed {
            batch,
            keys,
            errors,
            marks: decoded.marks,
            plugin_time: decoded.plugin_time,
        })
    }

    /// The rows of values with the column of their keys.
    pub(super) fn add(&mut self, keys: &Keys, rows: &[Rows]) -> Result<Vec<Rows>, KeyColumnError> {
        let mut keyed = Vec::with_capacity(rows.len());
        for rows in rows {
            keyed.append(&mut self.column.add(keys, rows)?);
        }
        Ok(keyed)
    }
}
