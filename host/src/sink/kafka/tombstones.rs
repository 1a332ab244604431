//! Passing on messages that delete what their key stands for.

use super::KafkaSink;
use crate::batch::VALUE_SCHEMA_HEADER;
use crate::config::MessageTimestamp;
use crate::kafka::Outgoing;
use crate::rows::Rows;
use crate::sink::SinkError;

impl KafkaSink {
    /// Sends those of the rows' tombstones that come before this offset, all that are left where
    /// there is none. `done` counts those that are sent.
    pub(super) fn pass_tombstones(
        &mut self,
        rows: &Rows,
        done: &mut usize,
        offset: Option<i64>,
        write: usize,
    ) -> Result<(), SinkError> {
        let Some(tombstones) = &rows.tombstones else {
            return Ok(());
        };
        let topic = self.config.topic.clone().unwrap_or_default();
        let messages = &tombstones.messages;
        let mut headers = Vec::new();
        while let Some(message) = tombstones.before(*done, offset) {
            headers.clear();
            if self.config.headers
                && let Some(all) = &messages.headers
            {
                let passed_on = all.each(message);
                headers.extend(passed_on.filter(|(name, _)| *name != VALUE_SCHEMA_HEADER));
            }
            let timestamp = match &self.config.timestamp {
                MessageTimestamp::Now => None,
                // There is no column to take it from.
                MessageTimestamp::Input | MessageTimestamp::Field(_) => {
                    Some(messages.timestamps[message])
                }
            };
            let outgoing = Outgoing {
                topic: &topic,
                key: messages.keys.get(message),
                value: None,
                timestamp: timestamp.filter(|&ms| ms > 0),
                headers: &headers,
                opaque: write,
            };
            self.send(&outgoing, messages, messages.offsets[message])?;
            *done += 1;
        }
        Ok(())
    }
}
